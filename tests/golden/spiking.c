/* Neurons that spike, in double precision: potentials, intervals, rates and moments against closed
 * forms, encoders, inhibition and delays, and networks against plain loops.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "spikes.h"

_Static_assert(sizeof(mho_real) == 8, "potentials to 1e-12 need the double build");

enum { STEPS_MAX = 70000 };

#define ONE    "network: {hidden: [1]}\n"
#define DIRECT "settle: {encode: {kind: direct}, "

/* What neuron 0 of layer 1 has done, step by step. */
typedef struct diary {
  spikes *k;
  int n;
  double u[STEPS_MAX];
  bool fired[STEPS_MAX];
} diary;

static void note(const mho_phase *p, const mho_tick *tick, void *of) {
  diary *d = of;
  d->n = tick->number;
  d->u[tick->number] = exact(d->k, "u", 1, 0)[0];
  d->fired[tick->number] = real(d->k, "spike", 1, 0)[0] > 0;
}

/* A network of one neuron that input 0 drives with a weight of 1. */
static diary *write_diary(const char *yaml, double x) {
  char whole[2048];
  diary *d = calloc(1, sizeof *d);
  snprintf(whole, sizeof whole, ONE "%s", yaml);
  d->k = spikes_new(whole);
  set_weight(d->k, 0, 0, 0, 1);
  input(d->k, 0)[0] = x;
  d->k->p.ticked = note;
  d->k->p.of = d;
  run(d->k);
  return d;
}

static void diary_free(diary *d) {
  spikes_free(d->k);
  free(d);
}

static int first_spike(const diary *d) {
  for (int t = 1; t <= d->n; t++)
    if (d->fired[t])
      return t;
  return 0;
}

static int spikes_until(const diary *d, int last) {
  int n = 0;
  for (int t = 1; t <= last; t++)
    n += d->fired[t];
  return n;
}

/* ---------------------------------------------------------------- potentials */

/* u(n dt) = I (1 - a^n), exactly; with Euler the same of a = 1 - dt/tau. */
static void test_charging(void **state) {
  for (int euler = 0; euler < 2; euler++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "neuron: {tau: 20 ms, synapse: current, threshold: {value: 100}}\n" DIRECT
             "steps: 200, integrate: %s}\n",
             euler ? "euler" : "exact");
    diary *d = write_diary(yaml, 20);
    double a = euler ? 1 - 1.0 / 20 : exp(-1.0 / 20);
    for (int t = 1; t <= 200; t++)
      NEAR(d->u[t], 20 * (1 - pow(a, t)), 1e-12, 0);
    assert_int_equal(first_spike(d), 0);
    diary_free(d);
  }
}

/* One spike of weight 1 that is fired in step 1 and heard in step 2. */
#define SPIKE "settle: {encode: {kind: latency, threshold: 0.1}, "
static void response(const char *synapse, double tau_syn, double dt, bool euler, int steps,
                     double (*closed)(double t, double tau, double tau_s)) {
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "neuron: {tau: 20 ms, synapse: %s, tau_syn: %g ms, threshold: {value: 100}}\n" SPIKE
           "steps: %d, dt: %.17g ms, integrate: %s}\n",
           synapse, tau_syn, steps, dt, euler ? "euler" : "exact");
  diary *d = write_diary(yaml, 1000);
  assert_true(d->u[1] == 0);
  for (int n = 1; n < steps; n++)
    NEAR(d->u[n + 1], closed(n * dt, 20, tau_syn), 1e-12, 1e-300);
  diary_free(d);
}

static double after_jump(double t, double tau, double tau_s) {
  return exp(-(t - 1) / tau); /* the spike acts at the end of its step */
}
static double two_exponentials(double t, double tau, double tau_s) {
  return tau_s / (tau_s - tau) * (exp(-t / tau_s) - exp(-t / tau));
}
static double equal_exponentials(double t, double tau, double tau_s) {
  return t / tau * exp(-t / tau);
}
static double of_one_step(double t, double tau, double tau_s) {
  return (1 - exp(-1 / tau)) * exp(-(t - 1) / tau);
}
/* Of Euler with steps of 1 ms. */
static double two_powers(double t, double tau, double tau_s) {
  double b = 1 - 1 / tau, a_s = 1 - 1 / tau_s;
  return (1 - b) * (pow(a_s, t) - pow(b, t)) / (a_s - b);
}

static void test_response_to_a_spike(void **state) {
  response("delta", 5, 1, false, 100, after_jump);
  response("current", 5, 1, false, 100, two_exponentials);
  response("current", 5, 0.25, false, 100, two_exponentials);
  response("current", 20, 1, false, 100, equal_exponentials);
  response("current", 0, 1, false, 100, of_one_step);
  response("current", 5, 1, true, 100, two_powers);
}

/* The error of Euler halves with the step. */
static void test_euler_is_of_first_order(void **state) {
  double error[2];
  for (int i = 0; i < 2; i++) {
    int steps = 400 << i;
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "neuron: {synapse: current, threshold: {value: 100}}\n" SPIKE
             "steps: %d, dt: %.17g ms, integrate: euler}\n",
             steps + 1, 20.0 / steps);
    diary *d = write_diary(yaml, 1e6);
    error[i] = fabs(d->u[steps + 1] - two_exponentials(20, 20, 5));
    diary_free(d);
  }
  NEAR(error[0] / error[1], 2, 0, 0.1);
}

/* A constant conductance g pulls to (E + g E_e)/(1 + g), with tau/(1 + g). */
static void test_conductance(void **state) {
  double g = 0.5, rest = (0.2 + g * 5) / (1 + g);
  diary *d = write_diary(
      "device: {model: linear, mapping: single, weight_range: 10}\n"
      "neuron: {synapse: conductance, rest: 0.2, threshold: {value: 100}}\n" DIRECT "steps: 60}\n",
      g);
  NEAR(weight(d->k, 0, 0, 0), 1, 1e-7, 0);
  g *= weight(d->k, 0, 0, 0);
  rest = (0.2 + g * 5) / (1 + g);
  for (int t = 1; t <= 60; t++)
    NEAR(d->u[t], rest + (0.2 - rest) * exp(-t / 20.0 * (1 + g)), 1e-12, 0);
  diary_free(d);
}

/* ---------------------------------------------------------------- intervals */

/* ISI = t_ref + tau ln((I - u_r)/(I - theta)) = 29.726 ms, by a clock of 1 ms 30 steps. */
static void test_intervals(void **state) {
  diary *d = write_diary(
      "neuron: {synapse: current, reset: value, refractory: 2 ms, threshold: {value: 15}}\n" DIRECT
      "steps: 400}\n",
      20);
  double ms = 2 + 20 * log(20.0 / (20 - 15));
  NEAR(ms, 29.726, 2e-5, 0);
  NEAR(1000 / ms, 33.64, 1e-4, 0);
  int last = 0, intervals = 0;
  for (int t = 1; t <= d->n; t++) {
    if (!d->fired[t])
      continue;
    assert_int_equal(t - last, last ? 2 + ceil(ms - 2) : ceil(ms - 2));
    intervals += last > 0;
    last = t;
  }
  assert_true(intervals >= 12);
  diary_free(d);
}

/* First spike at floor(ln((j - theta)/j)/ln d) + 1, and spikes in 50 steps of 3 ms. */
static void test_table_of_a_constant_drive(void **state) {
  static const struct {
    double j;
    int euler, exact, spikes;
  } row[] = {{.06, 82, 83, 0}, {.1, 27, 27, 1}, {.2, 11, 11, 4},
             {.5, 4, 4, 12},   {1, 2, 2, 25},   {2, 1, 1, 50}};

  for (int i = 0; i < MHO_COUNT(row); i++)
    for (int euler = 0; euler < 2; euler++) {
      char yaml[512];
      snprintf(yaml, sizeof yaml,
               "neuron: {tau: 100 ms, synapse: current, reset: value, strict: true, "
               "threshold: {value: 0.055}}\n" DIRECT "steps: 100, dt: 3 ms, integrate: %s}\n",
               euler ? "euler" : "exact");
      diary *d = write_diary(yaml, row[i].j);
      assert_int_equal(first_spike(d), euler ? row[i].euler : row[i].exact);
      assert_int_equal(spikes_until(d, 50), row[i].spikes);
      diary_free(d);
    }
}

/* Reset by subtraction, leak a = 1/2, threshold 1, constant input: rates 0, 1/3, 1/2, 2/3, 1. */
static void test_staircase(void **state) {
  static const struct {
    double x, rate;
  } step[] = {{.45, 0},  {.5725, 1. / 3}, {.6, 1. / 3}, {.642, 1. / 3}, {.67, .5},
              {.75, .5}, {.832, .5},      {.9, 2. / 3}, {1, 1},         {1.3, 1}};
  for (int i = 0; i < MHO_COUNT(step); i++) {
    diary *d =
        write_diary("neuron: {tau: 2 ms}\n" DIRECT "steps: 3000, integrate: euler}\n", step[i].x);
    NEAR(spikes_until(d, 3000) / 3000.0, step[i].rate, 0, 2. / 3000);
    NEAR(d->k->s->z[1][0], spikes_until(d, 3000) / 3000.0, 1e-15, 0);
    diary_free(d);
  }
}

static void test_strict(void **state) {
  for (int strict = 0; strict < 2; strict++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml, "neuron: {tau: 2 ms, strict: %s}\n" DIRECT "steps: 1}\n",
             strict ? "true" : "false");
    diary *d = write_diary(yaml, 1); /* a jump to the threshold */
    assert_int_equal(d->fired[1], !strict);
    diary_free(d);
  }
}

/* ---------------------------------------------------------------- encoders */

/* Poisson input without threshold: mean w p/(1 - a), variance w^2 p (1 - p)/(1 - a^2). Samples of
 * a time constant apart are nearly independent: four standard errors. */
typedef struct moments {
  spikes *k;
  double sum, squares, n;
} moments;
static void add_moments(const mho_phase *p, const mho_tick *tick, void *of) {
  moments *m = of;
  if (tick->number < 200 || tick->number % 80)
    return;
  for (int i = 0; i < SAMPLES * INPUTS; i++) {
    double u = exact(m->k, "u", 1, 0)[i];
    m->sum += u;
    m->squares += u * u;
    m->n++;
  }
}

static void test_poisson_moments(void **state) {
  const double w = 0.7, p = 0.08 * 0.5, a = exp(-1.0 / 20);
  spikes *k = spikes_new("network: {hidden: [64]}\nneuron: {threshold: {value: 1000}}\n"
                         "settle: {steps: 6000, encode: {rate: 80 Hz}}\n");
  moments m = {.k = k};
  for (int i = 0; i < INPUTS; i++) {
    set_weight(k, 0, i, i, w);
    for (int s = 0; s < SAMPLES; s++)
      input(k, s)[i] = 0.5;
  }
  k->p.n = SAMPLES;
  k->p.ticked = add_moments;
  k->p.of = &m;
  run(k);

  double mean = m.sum / m.n, variance = m.squares / m.n - mean * mean;
  double wanted = w * p / (1 - a), spread = w * w * p * (1 - p) / (1 - a * a);
  NEAR(mean, wanted, 0, 4 * sqrt(spread / m.n));
  NEAR(variance, spread, 4 * sqrt(3 / m.n), 0); /* kurtosis of shot noise is below 4 here */
  assert_true(m.n > 25000);
  spikes_free(k);
}

/* Spikes of an input in each step, as the next step finds them. */
typedef struct train {
  spikes *k;
  bool fired[STEPS_MAX];
  int n, total;
} train;
static void note_input(const mho_phase *p, const mho_tick *tick, void *of) {
  train *r = of;
  r->n = tick->number;
  r->fired[r->n] = real(r->k, "spike", 0, 0)[0] > 0;
  r->total += r->fired[r->n];
}

static train *run_train(const char *yaml, double x) {
  char whole[1024];
  train *r = calloc(1, sizeof *r);
  snprintf(whole, sizeof whole, ONE "%s", yaml);
  r->k = spikes_new(whole);
  input(r->k, 0)[0] = x;
  r->k->p.ticked = note_input;
  r->k->p.of = r;
  run(r->k);
  return r;
}

static void train_free(train *r) {
  spikes_free(r->k);
  free(r);
}

static void test_encoders(void **state) {
  train *r = run_train("settle: {steps: 50000, encode: {rate: 63.75 Hz}}\n", 0.8);
  double p = 0.8 * 0.06375;
  NEAR(r->total, 50000 * p, 0, 4 * sqrt(50000 * p * (1 - p)));
  train_free(r);

  r = run_train("settle: {steps: 50000, encode: {kind: regular, rate: 63.75 Hz}}\n", 0.8);
  NEAR(r->total, 50000 * p, 0, 1);
  int last = 0;
  for (int t = 1; t <= r->n; t++) {
    if (!r->fired[t])
      continue;
    if (last)
      assert_true(t - last == floor(1 / p) || t - last == ceil(1 / p));
    last = t;
  }
  train_free(r);

  r = run_train("settle: {steps: 100, encode: {kind: latency, threshold: 0.3, tau: 40 ms}}\n", 0.5);
  int when = (int)ceil(-40 * log(1 - 0.3 / 0.5));
  assert_int_equal(r->total, 1);
  assert_true(r->fired[when]);
  train_free(r);

  static const double silent[] = {0, -0.5, 0.39};
  static const char *const kinds[] = {"poisson", "regular", "latency", "direct"};
  for (int i = 0; i < MHO_COUNT(silent); i++)
    for (int j = 0; j < MHO_COUNT(kinds); j++) {
      char yaml[256];
      snprintf(yaml, sizeof yaml, "settle: {steps: 300, encode: {kind: %s, silent_below: 0.4}}\n",
               kinds[j]);
      r = run_train(j == 3 ? "settle: {encode: {kind: direct}}\n" : yaml, silent[i]);
      assert_int_equal(r->total, 0);
      train_free(r);
    }

  r = run_train("settle: {steps: 100, rest: 50, encode: {rate: 1 kHz}}\n", 1);
  assert_int_equal(r->n, 150);
  for (int t = 1; t <= 150; t++)
    assert_int_equal(r->fired[t], t <= 100);
  train_free(r);
}

/* ---------------------------------------------------------------- thresholds */

/* law layer: after T silent steps max(theta - T rate, least); N spikes at once add rate (N - 1). */
static void test_threshold_of_a_layer(void **state) {
  spikes *k = spikes_new("network: {hidden: [5]}\nneuron: {tau: 2 ms, reset: value, threshold: "
                         "{value: 0.5, spread: 0.2, law: layer, rate: 0.01, least: 0.25}}\n" DIRECT
                         "steps: 20}\n");
  double first[5];
  for (int i = 0; i < 5; i++) {
    first[i] = 0.5 + k->net->layer[1].circuit->threshold[i];
    assert_true(fabs(first[i] - 0.5) <= 0.2 && first[i] != 0.5);
  }
  run(k);
  for (int i = 0; i < 5; i++)
    NEAR(exact(k, "theta", 1, 0)[i], fmax(first[i] - 20 * 0.01, 0.25), 1e-12, 0);
  assert_int_equal(real(k, "count", 1, 0)[0], 0);

  for (int i = 0; i < 3; i++) /* three fire in every step */
    set_weight(k, 0, 0, i, 1);
  input(k, 0)[0] = 100;
  run(k);
  for (int i = 0; i < 5; i++)
    NEAR(exact(k, "theta", 1, 0)[i], first[i] + 20 * 0.01 * 2, 1e-12, 0);
  spikes_free(k);
}

static void test_threshold_that_adapts(void **state) {
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           ONE "train: {batch: 1}\nneuron: {synapse: current, reset: value, refractory: 2 ms, "
               "threshold: {value: 15, law: spike, plus: 0.05, tau: 2 s}}\n" DIRECT
               "steps: 60000, dt: 0.5 ms}\n");
  diary *d = calloc(1, sizeof *d);
  d->k = spikes_new(yaml);
  set_weight(d->k, 0, 0, 0, 1);
  input(d->k, 0)[0] = 22;
  d->k->thread.adapts = true;
  d->k->p.ticked = note;
  d->k->p.of = d;
  run(d->k);
  double rate = (spikes_until(d, 60000) - spikes_until(d, 20000)) / (40000 * 0.5e-3);
  NEAR(rate, adapted_rate(22, 0.05, 2), 0.01, 0);
  NEAR(exact(d->k, "adapted", 1, 0)[0], 0.05 * 2 * rate, 0.03, 0);

  /* an evaluation leaves it as it is */
  double held = exact(d->k, "adapted", 1, 0)[0];
  d->k->thread.adapts = false;
  run(d->k);
  NEAR(exact(d->k, "adapted", 1, 0)[0], held, 0, 0);
  NEAR(exact(d->k, "theta", 1, 0)[0], 15 + held, 1e-15, 0);
  diary_free(d);
}

/* law target: the rate comes to the target whatever the drive. */
static void test_threshold_that_aims(void **state) {
  static const double drives[] = {18, 30, 60};
  for (int i = 0; i < MHO_COUNT(drives); i++) {
    diary *d = calloc(1, sizeof *d);
    d->k = spikes_new(ONE "train: {batch: 1}\nneuron: {synapse: current, reset: value, "
                          "threshold: {value: 15, law: target, target: 10 Hz, gain: 0.5}}\n" DIRECT
                          "steps: 60000}\n");
    set_weight(d->k, 0, 0, 0, 1);
    input(d->k, 0)[0] = drives[i];
    d->k->thread.adapts = true;
    d->k->p.ticked = note;
    d->k->p.of = d;
    run(d->k);
    NEAR((spikes_until(d, 60000) - spikes_until(d, 30000)) / 30.0, 10, 0.02, 0);
    diary_free(d);
  }
}

/* ---------------------------------------------------------------- inhibition */

/* One line, held for longer than the phase, and one winner: one spike of the layer. */
static void test_line_and_one_winner(void **state) {
  spikes *k = spikes_new("network: {hidden: [10]}\nneuron: {inhibit: line, inhibit_time: 1 s, "
                         "refractory: 1 s, winners: one}\n" DIRECT "steps: 50}\n");
  for (int i = 0; i < 10; i++)
    set_weight(k, 0, 0, i, 1 + 0.01 * (i % 5)); /* neurons 4 and 9 are the first, and equal */
  int won[10] = {0};
  for (int trial = 0; trial < 200; trial++) {
    k->thread.update = (uint64_t)trial;
    input(k, 0)[0] = 0.8;
    run(k);
    double all = 0;
    for (int i = 0; i < 10; i++) {
      all += real(k, "count", 1, 0)[i];
      won[i] += real(k, "count", 1, 0)[i] > 0;
    }
    assert_int_equal(all, 1);
  }
  assert_int_equal(won[4] + won[9], 200);
  NEAR(won[4], 100, 0, 4 * sqrt(50));
  spikes_free(k);
}

/* Those that do not fire, and are not held, fall by the largest input, or by their own threshold,
 * times the strength: as a plain loop has it. */
enum { OTHERS = 4 };
typedef struct lowered {
  spikes *k;
  bool by_threshold, one;
  int fired, held[OTHERS];
  double u[OTHERS], w[OTHERS], theta[OTHERS];
} lowered;

static void follow_lowered(const mho_phase *p, const mho_tick *tick, void *of) {
  lowered *o = of;
  bool spike[OTHERS];
  int n = 0, most = -1;
  for (int i = 0; i < OTHERS; i++) {
    if (!o->held[i])
      o->u[i] = o->u[i] * exp(-1. / 20) + o->w[i];
    spike[i] = !o->held[i] && o->u[i] >= o->theta[i];
    if (spike[i] && (most < 0 || o->u[i] - o->theta[i] > o->u[most] - o->theta[most]))
      most = i;
  }
  for (int i = 0; i < OTHERS; i++) {
    spike[i] = spike[i] && (!o->one || i == most);
    n += spike[i];
    o->held[i] -= o->held[i] > 0;
  }
  for (int i = 0; i < OTHERS; i++) {
    double largest = fmax(fmax(o->w[0], o->w[1]), fmax(o->w[2], o->w[3]));
    if (spike[i]) {
      o->u[i] = 0;
      o->held[i] = 3;
    } else if (n && !o->held[i]) {
      o->u[i] -= 0.4 * (o->by_threshold ? o->theta[i] : largest);
    }
    assert_int_equal(real(o->k, "spike", 1, 0)[i] > 0, spike[i]);
    NEAR(exact(o->k, "u", 1, 0)[i], o->u[i], 1e-12, 1e-12);
  }
  o->fired += n;
}

static void test_others_are_lowered(void **state) {
  for (int kind = 0; kind < 4; kind++) {
    char yaml[512];
    lowered o = {.by_threshold = kind % 2, .one = kind / 2};
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [4]}\nneuron: {inhibit: %s, inhibit_strength: 0.4, winners: %s, "
             "reset: value, refractory: 3 ms, threshold: {spread: 0.2}}\n" DIRECT "steps: 300}\n",
             o.by_threshold ? "threshold" : "max", o.one ? "one" : "all");
    o.k = spikes_new(yaml);
    for (int i = 0; i < OTHERS; i++) {
      o.w[i] = 0.2 + 0.01 * i;
      o.theta[i] = 1 + o.k->net->layer[1].circuit->threshold[i];
      set_weight(o.k, 0, 0, i, o.w[i]);
    }
    input(o.k, 0)[0] = 1;
    o.k->p.ticked = follow_lowered;
    o.k->p.of = &o;
    run(o.k);
    assert_true(o.fired > 20);
    spikes_free(o.k);
  }
}

/* ---------------------------------------------------------------- networks against plain loops */

enum { H = 7, G = 5, DELAY = 3 };

typedef struct loops { /* x -> h -> g, with lateral links and those back */
  double w[INPUTS][H], v[H][G];
  double u[H], r[G];
  int s[100][H], q[100][G];
} loops;

/* In step t (from 1): what fired d steps before the one that is heard. */
static int heard(int t, int d, int shown) {
  return t - d - (shown ? 0 : 1);
}

static void run_loops(loops *o, const int x[100][INPUTS], int steps, bool layered) {
  double a = exp(-1.0 / 20);
  for (int t = 1; t <= steps; t++) {
    double h[H] = {0}, g[G] = {0};
    int from = heard(t, DELAY, layered), near = heard(t, 0, false);
    for (int j = 0; j < H; j++) {
      for (int i = 0; from > 0 && i < INPUTS; i++)
        h[j] += 0.8 * o->w[i][j] * x[from][i];
      for (int i = 0; near > 0 && i < H; i++)
        h[j] -= 0.3 * (i != j) * o->s[near][i];
      for (int i = 0; near > 0 && i < G; i++)
        h[j] += 0.1 * o->v[j][i] * o->q[near][i];
      o->u[j] = o->u[j] * a + h[j];
      o->s[t][j] = o->u[j] >= 1;
      o->u[j] -= o->s[t][j];
    }
    for (int j = 0; j < G; j++) {
      for (int i = 0; from > 0 && i < H; i++)
        g[j] += 0.8 * o->v[i][j] * o->s[from][i];
      for (int i = 0; near > 0 && i < G; i++)
        g[j] -= 0.3 * (i != j) * o->q[near][i];
      o->r[j] = o->r[j] * a + g[j];
      o->q[t][j] = o->r[j] >= 1;
      o->r[j] -= o->q[t][j];
    }
  }
}

typedef struct record {
  spikes *k;
  int x[100][INPUTS], s[100][H], q[100][G];
} record;
static void note_all(const mho_phase *p, const mho_tick *tick, void *of) {
  record *r = of;
  for (int i = 0; i < INPUTS; i++)
    r->x[tick->number][i] = real(r->k, "spike", 0, 0)[i] > 0;
  for (int i = 0; i < H; i++)
    r->s[tick->number][i] = real(r->k, "spike", 1, 0)[i] > 0;
  for (int i = 0; i < G; i++)
    r->q[tick->number][i] = real(r->k, "spike", 2, 0)[i] > 0;
}

static void compare_network(bool layered) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml,
           "network: {hidden: [7, 5], lateral: true, back: true}\nfeedback: {scale: 0.1}\n"
           "neuron: {gain: {forward: 0.8, lateral: 0.3}, delay: {forward: %d ms}}\n"
           "settle: {steps: 99, order: %s, encode: {rate: 200 Hz}}\n",
           DELAY, layered ? "layered" : "synchronous");
  record *r = calloc(1, sizeof *r);
  loops *o = calloc(1, sizeof *o);
  r->k = spikes_new(yaml);
  for (int i = 0; i < INPUTS; i++) {
    input(r->k, 0)[i] = 0.5 + 0.5 * sin(3 * i);
    for (int j = 0; j < H; j++)
      set_weight(r->k, 0, i, j, 0.25 * sin(5 * i + 7 * j) + 0.05);
  }
  for (int i = 0; i < H; i++)
    for (int j = 0; j < G; j++)
      set_weight(r->k, 1, i, j, 0.7 + 0.6 * cos(2 * i + 3 * j));
  for (int i = 0; i < INPUTS; i++)
    for (int j = 0; j < H; j++)
      o->w[i][j] = weight(r->k, 0, i, j);
  for (int i = 0; i < H; i++)
    for (int j = 0; j < G; j++)
      o->v[i][j] = weight(r->k, 1, i, j);

  r->k->p.ticked = note_all;
  r->k->p.of = r;
  run(r->k);
  run_loops(o, (const int(*)[INPUTS])r->x, 99, layered);
  int fired = 0;
  for (int t = 1; t < 100; t++) {
    for (int i = 0; i < H; i++)
      assert_int_equal(r->s[t][i], o->s[t][i]);
    for (int i = 0; i < G; i++)
      assert_int_equal(r->q[t][i], o->q[t][i]);
    for (int i = 0; i < G; i++)
      fired += o->q[t][i];
  }
  assert_true(fired > 20);
  for (int i = 0; i < H; i++)
    NEAR(exact(r->k, "u", 1, 0)[i], o->u[i], 1e-12, 1e-12);
  spikes_free(r->k);
  free(r);
  free(o);
}

static void test_network_synchronous(void **state) {
  compare_network(false);
}
static void test_network_layered(void **state) {
  compare_network(true);
}

/* ---------------------------------------------------------------- what is refused */

static void test_refused(void **state) {
#define SPIKES  "dynamics: spiking\n"
#define PERTURB SPIKES "rule: perturb\n"
  refused(SPIKES "rule: ep\n", "rule.name: 'ep' learns from errors");
  refused(SPIKES "rule: bp\n", "rule.name: 'bp'");
  refused(PERTURB "settle: {method: sweep}\n", "settle.method: 'sweep'");
  refused(PERTURB "array: {model: periphery, adc_bits: 6}\n", "array.adc_bits");
  refused(PERTURB "array: {model: periphery, dac_bits: 6}\n", "array.dac_bits");
  refused(PERTURB "neuron: {synapse: conductance}\n", "neuron.synapse: conductances");
  refused(PERTURB "neuron: {delay: {lateral: 52 ms}}\n", "neuron.delay.lateral");
  refused(PERTURB "neuron: {threshold: {law: spike}}\n", "neuron.threshold.law");
  refused(PERTURB "network: {topology: conv, conv: 3x3 pool2 6, back: true}\n", "network.back");
  refused(PERTURB "network: {output: state}\n", "network.output");
  refused(PERTURB "settle: {steps: 65000, rest: 600}\n", "settle.rest");
  refused(PERTURB "observe: {spectral_radius: true}\n", "dynamics.name");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_charging),
      cmocka_unit_test(test_response_to_a_spike),
      cmocka_unit_test(test_euler_is_of_first_order),
      cmocka_unit_test(test_conductance),
      cmocka_unit_test(test_intervals),
      cmocka_unit_test(test_table_of_a_constant_drive),
      cmocka_unit_test(test_staircase),
      cmocka_unit_test(test_strict),
      cmocka_unit_test(test_poisson_moments),
      cmocka_unit_test(test_encoders),
      cmocka_unit_test(test_threshold_of_a_layer),
      cmocka_unit_test(test_threshold_that_adapts),
      cmocka_unit_test(test_threshold_that_aims),
      cmocka_unit_test(test_line_and_one_winner),
      cmocka_unit_test(test_others_are_lowered),
      cmocka_unit_test(test_network_synchronous),
      cmocka_unit_test(test_network_layered),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
