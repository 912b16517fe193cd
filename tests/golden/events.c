/* Neurons that spike from event to event, in double precision: intervals, potentials and the times
 * of thresholds against closed forms, inputs, and the same spikes as by the clock where its steps
 * are as exact.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>

#include "spikes.h"

_Static_assert(sizeof(mho_real) == 8, "times to 1e-12 need the double build");

enum { SPIKES_MAX = 20000 };

/* Spikes of all layers in their order. */
typedef struct spike_at {
  double t;
  int layer, i;
} spike_at;
typedef struct diary {
  spikes *k;
  int n, events;
  spike_at spike[SPIKES_MAX];
} diary;

static void note(const mho_phase *p, const mho_tick *tick, void *of) {
  diary *d = of;
  d->events++;
  for (int l = 0; l < mho_hidden_end(p->net); l++) {
    const mho_real *spike = real(d->k, "spike", l, p->row0);
    for (int i = 0; i < p->net->layer[l].n; i++)
      if (spike[i] > 0 && d->n < SPIKES_MAX)
        d->spike[d->n++] = (spike_at){tick->time, l, i};
  }
}

static diary *diary_new(const char *format, ...) {
  char yaml[2048];
  va_list list;
  va_start(list, format);
  vsnprintf(yaml, sizeof yaml, format, list);
  va_end(list);
  diary *d = calloc(1, sizeof *d);
  d->k = spikes_new(yaml);
  d->k->p.ticked = note;
  d->k->p.of = d;
  return d;
}

static void diary_free(diary *d) {
  spikes_free(d->k);
  free(d);
}

/* When neuron i of a layer has fired for the n-th time, from 1; NAN: it has not. */
static double spike_of(const diary *d, int layer, int i, int n) {
  for (int k = 0; k < d->n; k++)
    if (d->spike[k].layer == layer && d->spike[k].i == i && --n == 0)
      return d->spike[k].t;
  return (double)NAN;
}

static int spikes_in(const diary *d, int layer) {
  int n = 0;
  for (int k = 0; k < d->n; k++)
    n += d->spike[k].layer == layer;
  return n;
}

#define ONE    "network: {hidden: [1]}\n"
#define EVENTS "settle: {method: events, "

/* ---------------------------------------------------------------- closed forms */

/* Intervals of t_ref + tau ln((I - u_r)/(I - theta)) = 29.726 ms, of which a clock has 30. */
static void test_intervals(void **state) {
  diary *d = diary_new(ONE "neuron: {synapse: current, reset: value, refractory: 2 ms, threshold: "
                           "{value: 15}}\n" EVENTS "time: 400 ms, encode: {kind: direct}}\n");
  set_weight(d->k, 0, 0, 0, 1);
  input(d->k, 0)[0] = 20;
  NEAR(run(d->k), 13, 0, 0);
  double first = 20e-3 * log(20.0 / (20 - 15)), interval = 2e-3 + first;
  NEAR(interval, 29.726e-3, 2e-5, 0);
  for (int n = 1; n <= 13; n++)
    NEAR(spike_of(d, 1, 0, n), first + (n - 1) * interval, 1e-12, 0);
  assert_true(isnan(spike_of(d, 1, 0, 14)));
  NEAR(d->k->s->z[1][0], 13 * 20e-3 / 0.4, 1e-12, 0); /* tau times the rate */
  diary_free(d);
}

static double after_jump(double t, double tau, double tau_s) {
  return exp(-t / tau);
}
static double two_exponentials(double t, double tau, double tau_s) {
  return tau_s / (tau_s - tau) * (exp(-t / tau_s) - exp(-t / tau));
}
static double equal_exponentials(double t, double tau, double tau_s) {
  return t / tau * exp(-t / tau);
}

#define FIRST 3.3e-3 /* s, of the input: -20 ms ln(1 - h/x) */
static double input_at(double s) {
  return 0.1 / -expm1(-s / 20e-3);
}

/* One spike of weight 2, and the potential at some times after it. */
static void response(const char *synapse, double tau_syn,
                     double (*closed)(double t, double tau, double tau_s)) {
  static const double times[] = {FIRST, 4e-3, 10e-3, 57e-3, 0.3};
  for (int i = 0; i < MHO_COUNT(times); i++) {
    diary *d =
        diary_new(ONE "neuron: {synapse: %s, tau_syn: %.17g s, threshold: {value: 100}}\n" EVENTS
                      "time: %.17g s, encode: {kind: latency}}\n",
                  synapse, tau_syn, times[i] + 1e-15);
    set_weight(d->k, 0, 0, 0, 2);
    input(d->k, 0)[0] = input_at(FIRST);
    run(d->k);
    NEAR(spike_of(d, 0, 0, 1), FIRST, 1e-12, 0);
    NEAR(exact(d->k, "u", 1, 0)[0], 2 * closed(times[i] - FIRST, 20e-3, tau_syn), 1e-10, 1e-12);
    diary_free(d);
  }
}

static void test_response_to_a_spike(void **state) {
  response("delta", 5e-3, after_jump);
  response("current", 5e-3, two_exponentials);
  response("current", 50e-3, two_exponentials);
  response("current", 20e-3, equal_exponentials);
}

/* A threshold a little below the peak is reached on the way up, where the closed form has it; one
 * above it never is. The peak: tau tau_s/(tau - tau_s) ln(tau/tau_s), tau where they are equal. */
static void test_time_of_a_threshold(void **state) {
  static const double taus[] = {1e-3, 5e-3, 19e-3, 20e-3, 33e-3, 200e-3};
  static const double parts[] = {0.01, 0.5, 0.999};
  for (int i = 0; i < MHO_COUNT(taus); i++) {
    double (*closed)(double, double, double) =
        taus[i] == 20e-3 ? equal_exponentials : two_exponentials;
    double tau = 20e-3, s = taus[i];
    double top = s == tau ? tau : tau * s / (tau - s) * log(tau / s), peak = closed(top, tau, s);
    for (int j = 0; j <= MHO_COUNT(parts); j++) {
      double theta = peak * (j < MHO_COUNT(parts) ? parts[j] : 1.0001);
      diary *d = diary_new(
          ONE "neuron: {synapse: current, tau_syn: %.17g s, refractory: 10 s, reset: value, "
              "threshold: {value: %.17g}}\n" EVENTS "time: 2 s, encode: {kind: latency}}\n",
          s, theta);
      set_weight(d->k, 0, 0, 0, 1);
      input(d->k, 0)[0] = input_at(FIRST);
      run(d->k);
      assert_int_equal(spikes_in(d, 1), j < MHO_COUNT(parts));
      if (j < MHO_COUNT(parts)) {
        double t = spike_of(d, 1, 0, 1) - FIRST;
        assert_true(t > 0 && t < top);
        NEAR(closed(t, tau, s), theta, 1e-12, 0);
      }
      diary_free(d);
    }
  }
}

/* Two currents, one that inhibits: the threshold is reached after the potential has turned, and a
 * constant drive brings it there in the end. By the equation, integrated in small steps. */
static void test_drive_with_currents(void **state) {
  static const double weights[] = {-3, -0.5, 0.5, 4};
  for (int i = 0; i < MHO_COUNT(weights); i++) {
    diary *d = diary_new(
        "network: {hidden: [1, 1]}\nneuron: {synapse: current, tau_syn: 7 ms, refractory: 1 s, "
        "rest: 0.4, reset: value, threshold: {value: 1}}\n" EVENTS
        "time: 0.5 s, encode: {kind: direct}}\n");
    set_weight(d->k, 0, 0, 0, 1);
    input(d->k, 0)[0] = 2; /* h1 fires once, and h2 rests at 0.4 but for it */
    set_weight(d->k, 1, 0, 0, weights[i]);
    run(d->k);

    double dt = 1e-6, u = 0.4, c = weights[i], t = spike_of(d, 1, 0, 1), fired = (double)NAN;
    NEAR(t, 20e-3 * log(2 / 1.4), 1e-12, 0);
    for (int n = 0; n < 400000 && isnan(fired); n++) {
      double mid = u + dt / 2 / 20e-3 * (0.4 - u + c), c_mid = c * exp(-dt / 2 / 7e-3);
      double next = u + dt / 20e-3 * (0.4 - mid + c_mid);
      if (next >= 1)
        fired = t + n * dt + dt * (1 - u) / (next - u);
      u = next;
      c *= exp(-dt / 7e-3);
    }
    if (isnan(fired))
      assert_int_equal(spikes_in(d, 2), 0);
    else
      NEAR(spike_of(d, 2, 0, 1), fired, 1e-7, 0);
    assert_int_equal(isnan(fired), weights[i] < 2);
    diary_free(d);
  }
}

/* ---------------------------------------------------------------- inputs */

/* Regular inputs at equal intervals; at random as many as their rate says, and shot noise of mean
 * w nu tau and variance w^2 nu tau/2. */
static void test_regular(void **state) {
  diary *d = diary_new(ONE EVENTS "time: 10 s, encode: {kind: regular, rate: 63.75 Hz}}\n");
  input(d->k, 0)[0] = 0.8;
  input(d->k, 0)[1] = -1;
  run(d->k);
  double interval = 1 / (0.8 * 63.75), first = spike_of(d, 0, 0, 1);
  assert_true(first > 0 && first <= interval);
  NEAR(spikes_in(d, 0), 510, 0, 1);
  for (int n = 2; n <= 509; n++)
    NEAR(spike_of(d, 0, 0, n), first + (n - 1) * interval, 1e-12, 0);
  diary_free(d);
}

static void test_poisson(void **state) {
  const double w = 0.7, nu = 80 * 0.5, tau = 20e-3;
  spikes *k = spikes_new("network: {hidden: [64]}\nneuron: {threshold: {value: 1000}}\n" EVENTS
                         "time: 0.3 s, encode: {rate: 80 Hz}}\n");
  double sum = 0, squares = 0, n = 0, events = 0;
  for (int i = 0; i < INPUTS; i++) {
    set_weight(k, 0, i, i, w);
    for (int s = 0; s < SAMPLES; s++)
      input(k, s)[i] = 0.5;
  }
  k->p.n = SAMPLES;
  for (int update = 0; update < 40; update++) {
    k->thread.update = (uint64_t)update;
    k->thread.step = 0;
    mho_vars_clear(k->s->vars, 0, SAMPLES, false);
    events += run(k) * SAMPLES;
    for (int i = 0; i < SAMPLES * INPUTS; i++) {
      double u = exact(k, "u", 1, 0)[i];
      sum += u;
      squares += u * u;
      n++;
    }
  }
  double mean = sum / n, variance = squares / n - mean * mean;
  NEAR(events, n * nu * 0.3, 0, 4 * sqrt(n * nu * 0.3));
  NEAR(mean, w * nu * tau, 0, 4 * w * sqrt(nu * tau / 2 / n));
  NEAR(variance, w * w * nu * tau / 2, 4 * sqrt(4 / n), 0);
  spikes_free(k);
}

/* A link is read when something arrives on it: so often, and with noise of its own each time. */
static void test_reads(void **state) {
  diary *d =
      diary_new("network: {hidden: [3, 2]}\nneuron: {threshold: {value: 0.5}, reset: value, delay: "
                "{forward: 1.3 ms}}\ndevice: linear\narray: {read_noise: 0.02}\n" EVENTS
                "time: 50 ms, encode: {kind: latency}}\n");
  for (int i = 0; i < 5; i++)
    input(d->k, 0)[i] = input_at((2 + i) * 1e-3);
  set_weight(d->k, 0, 1, 0, 1);
  mho_settle_stats stats = {0};
  mho_settle(&d->k->p, &stats);
  int fired = 0;
  for (int k = 0; k < d->n; k++) /* of h1 at different times */
    fired += d->spike[k].layer == 1 && (k == 0 || d->spike[k - 1].t < d->spike[k].t);
  NEAR(stats.reads, 5 + fired, 0, 0);
  assert_true(fired >= 1);

  /* neurons without a weight have heard noise alone, drawn five times */
  assert_true(exact(d->k, "u", 1, 0)[1] != 0);
  diary_free(d);
}

/* ---------------------------------------------------------------- as by a clock */

enum { H = 7, G = 5 };

/* Weights, and inputs that fire at half steps, in the clock's step k at (k - 1/2) ms, one after
 * another: at twice its threshold a neuron fires again, a step later by a clock, else at once. */
static void set_up(diary *d, int *slots) {
  spikes *k = d->k;
  for (int i = 0; i < INPUTS; i++) {
    int slot = 1 + 11 * i % 67;
    slots[i] = slot;
    input(k, 0)[i] = input_at((slot - 0.5) * 1e-3);
    for (int j = 0; j < H; j++)
      set_weight(k, 0, i, j, 0.25 * sin(5 * i + 7 * j) + 0.35);
  }
  for (int i = 0; i < H; i++)
    for (int j = 0; j < G; j++)
      set_weight(k, 1, i, j, 0.12 + 0.05 * cos(2 * i + 3 * j));
}

/* What neighbours bring is between inputs in time, to neurons that do not leak. */
#define LINKED                                                                                     \
  "network: {hidden: [7, 5], lateral: true}\n"                                                     \
  "neuron: {tau: 1 Ms}\n"
#define CHAIN "network: {hidden: [7, 5]}\n"

static void compare(bool is_linked, const char *neuron, const char *order, int forward,
                    const char *held_by_clock, const char *held) {
  int slots[INPUTS], heard = !strcmp(order, "synchronous"), n = 0;
  diary *clock = diary_new("%sneuron: {%s %s gain: {forward: 0.8%s}, delay: {forward: %d ms}}\n"
                           "settle: {steps: 99, order: %s, encode: {kind: latency}}\n",
                           is_linked ? LINKED : CHAIN, neuron, held_by_clock,
                           is_linked ? ", lateral: 0.3" : "", forward, order);
  diary *events =
      diary_new("%sneuron: {%s %s gain: {forward: 0.8%s}, delay: {forward: %d ms%s}}\n" EVENTS
                "time: 99 ms, encode: {kind: latency}}\n",
                is_linked ? LINKED : CHAIN, neuron, held, is_linked ? ", lateral: 0.3" : "",
                forward + heard, is_linked ? ", lateral: 0.75 ms" : "");
  set_up(clock, slots);
  set_up(events, slots);
  run(clock->k);
  run(events->k);

  for (int l = 1; l <= 2; l++)
    for (int i = 0; i < (l == 1 ? H : G); i++)
      for (int k = 1; k < 100; k++) {
        double a = spike_of(clock, l, i, k) * 1e3, b = spike_of(events, l, i, k) * 1e3 + 0.5;
        if (isnan(a) != isnan(b) || fabs(a - b) > 1e-6)
          fail_msg("%s %s: spike %d of h%d.%d at %g ms by the clock, %g by events", neuron, order,
                   k, l, i, a, b);
        n += !isnan(a);
      }
  assert_true(n > 10);
  diary_free(clock);
  diary_free(events);
}

static void test_same_spikes(void **state) {
  for (int is_linked = 0; is_linked < 2; is_linked++)
    for (int forward = 0; forward < 4; forward += 3)
      for (int synchronous = 0; synchronous < 2; synchronous++) {
        const char *order = synchronous ? "synchronous" : "layered";
        compare(is_linked, "", order, forward, "", "");
        compare(is_linked, "reset: value, ", order, forward, "refractory: 3 ms, ",
                "refractory: 3.5 ms, ");
        compare(is_linked, "reset: value, winners: one, inhibit: line, ", order, forward,
                "inhibit_time: 1 ms, ", "inhibit_time: 1.5 ms, ");
        compare(is_linked, "threshold: {spread: 0.3}, inhibit: threshold, inhibit_strength: 0.2, ",
                order, forward, "", "");
        compare(is_linked, "inhibit: max, inhibit_strength: 0.3, ", order, forward, "", "");
      }
}

/* What comes back, after its delay: of one spike of each layer. */
static void test_back(void **state) {
  diary *d =
      diary_new("network: {hidden: [1, 1], back: true}\nfeedback: {scale: 0.1}\nneuron: {reset: "
                "value, delay: {forward: 1.5 ms, back: 7 ms}}\n" EVENTS
                "time: 40 ms, encode: {kind: latency}}\n");
  set_weight(d->k, 0, 0, 0, 1.2);
  set_weight(d->k, 1, 0, 0, 1.3);
  input(d->k, 0)[0] = input_at(FIRST);
  run(d->k);
  NEAR(spike_of(d, 1, 0, 1), FIRST + 1.5e-3, 1e-12, 0);
  NEAR(spike_of(d, 2, 0, 1), FIRST + 3e-3, 1e-12, 0);
  NEAR(exact(d->k, "u", 1, 0)[0], 0.13 * exp(-(40e-3 - FIRST - 10e-3) / 20e-3), 1e-10, 0);
  NEAR(d->events, 5, 0, 0); /* the input, three arrivals and the end */
  diary_free(d);
}

/* Samples of a batch are each by themselves. */
static void test_batch(void **state) {
  static double alone[SAMPLES][10];
  for (int whole = 0; whole < 2; whole++)
    for (int s = 0; s < SAMPLES; s++) {
      spikes *k = spikes_new("network: {hidden: [10]}\nneuron: {delay: {forward: 2 ms}}\n" EVENTS
                             "time: 0.2 s, encode: {rate: 200 Hz}}\n");
      for (int i = 0; i < INPUTS; i++)
        for (int j = 0; j < 10; j++)
          set_weight(k, 0, i, j, 0.1 * sin(3 * i + 5 * j) + 0.1);
      for (int r = 0; r < SAMPLES; r++)
        for (int i = 0; i < INPUTS; i++)
          input(k, r)[i] = fabs(sin(i + 11 * r));
      k->p.row0 = whole ? 0 : s;
      k->p.n = whole ? SAMPLES : 1;
      run(k);
      for (int i = 0; i < 10; i++) {
        double z = k->s->z[1][s * 10 + i];
        assert_true(!whole || z == alone[s][i]);
        alone[s][i] = z;
      }
      assert_true(s > 0 || alone[0][0] + alone[0][1] + alone[0][2] > 0);
      spikes_free(k);
    }
}

/* ---------------------------------------------------------------- thresholds that adapt */

/* A threshold that decays is known at events: with many of them, of an input without weight, the
 * rate of adaptation is that of bisection. */
static void test_threshold_that_adapts(void **state) {
  diary *d = diary_new(
      "network: {hidden: [1]}\ntrain: {batch: 1}\nneuron: {synapse: current, reset: value, "
      "refractory: 2 ms, threshold: {value: 15, law: spike, plus: 0.05, tau: 2 s}}\n" EVENTS
      "time: 30 s, encode: {kind: direct}}\n");
  set_weight(d->k, 0, 0, 0, 1);
  input(d->k, 0)[0] = 22;
  d->k->thread.adapts = true;
  run(d->k);
  int late = 0;
  for (int k = 0; k < d->n; k++)
    late += d->spike[k].t > 10;
  NEAR(late / 20.0, adapted_rate(22, 0.05, 2), 0.01, 0);
  diary_free(d);
}

/* ---------------------------------------------------------------- what is refused */

static void test_refused(void **state) {
#define BASE "dynamics: spiking\nrule: perturb\nsettle: {method: events}\n"
  refused(BASE "neuron: {synapse: conductance}\ndevice: {model: linear, mapping: single}\n",
          "neuron.synapse: between events");
  refused(BASE "neuron: {synapse: current, tau_syn: 0}\n", "neuron.tau_syn: currents");
  refused("dynamics: spiking\nrule: perturb\nsettle: {method: events, encode: {kind: direct}}\n",
          "settle.encode.kind: direct");
  refused(BASE "neuron: {threshold: {law: layer}}\n", "neuron.threshold.law: law layer");
  refused(BASE "neuron: {winners: one}\n", "neuron.winners: one");
  refused(BASE "network: {output: membrane}\n", "network.output: mean");
  refused(BASE "network: {biases: true}\n", "network.biases: a bias");
  refused("rule: csdp\nsettle: {method: events}\n", "settle.method");
  refused("rule: stdp\nsettle: {method: events}\nneuron: {threshold: {law: fixed}}\n"
          "train: {batch: 4}\n",
          "train.batch: from event to event");
  refused("rule: {name: stdp, window: waveform, row: 0.3 V for 6 ms, column: 0.3 V for 1 ms}\n"
          "device: vteam\nsettle: {method: events}\n",
          "rule.window: waveforms");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_intervals),
      cmocka_unit_test(test_response_to_a_spike),
      cmocka_unit_test(test_time_of_a_threshold),
      cmocka_unit_test(test_drive_with_currents),
      cmocka_unit_test(test_regular),
      cmocka_unit_test(test_poisson),
      cmocka_unit_test(test_reads),
      cmocka_unit_test(test_same_spikes),
      cmocka_unit_test(test_back),
      cmocka_unit_test(test_batch),
      cmocka_unit_test(test_threshold_that_adapts),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
