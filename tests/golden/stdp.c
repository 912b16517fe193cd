/* Plasticity by the times of spikes, in double precision: windows, trains and triplets against
 * closed forms with spikes that a script fires, devices that learn a conditional probability, sums
 * of columns, and what neurons vote for.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "dynamics/spike_trace.h"
#include "scripted.h"
#include "spikes.h"

_Static_assert(sizeof(mho_real) == 8, "windows to 1e-6 need the double build");

#define SCRIPT "dynamics: test_script\nrule: stdp\nneuron: {threshold: {law: fixed}}\n"

/* What the changes of a phase sum up to, of connection x-h1. */
typedef struct sums {
  const mho_rule *rule;
  double *w;
  int rows, cols, applied;
} sums;

static void add_change(const mho_lesson *l) {
  sums *s = l->owner;
  mho_change change = mho_change_of(s->rule, l, 0);
  for (int k = 0; k < change.n; k++) {
    const mho_outer *o = &change.term[k];
    for (int i = 0; i < s->rows; i++)
      for (int j = 0; j < s->cols; j++)
        s->w[i * s->cols + j] -= o->scale * o->pre[i] * o->post[j];
  }
  s->applied++;
}

static const mho_host host = {.apply = add_change};

/* Run a script for so many steps of 1 ms, or 0: from event to event; the sum of the wanted changes,
 * [64 x hidden]. */
static sums wanted(const char *keys, int hidden, int steps) {
  char yaml[1024];
  char phase[64] = "method: events, time: 0.3 s";
  if (steps > 0)
    snprintf(phase, sizeof phase, "steps: %d", steps);
  snprintf(yaml, sizeof yaml, SCRIPT "network: {hidden: [%d]}\nsettle: {%s}\n%s", hidden, phase,
           keys);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_network *net = mho_trainer_network(t);
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  sums s = {.rule = rule, .rows = INPUTS, .cols = hidden};
  s.w = calloc((size_t)(INPUTS * hidden), sizeof *s.w);
  uint8_t label = 0;

  mho_state *state;
  mho_vars *vars;
  void *own;
  OK(rule->own_new(e, net, 1, &own, &ei));
  OK(mho_state_new(net, 1, MHO_STATE_INPUT, &state, &ei));
  OK(mho_state_add_variables(state, net, &scripted, &ei));
  OK(mho_vars_new(net, rule->var, rule->n_vars, 1, &vars, &ei));
  mho_thread thread = {.settler = (const mho_settler *)e->settler.entry,
                       .params = e->settler.params,
                       .scratch = calloc(mho_settle_scratch(net, 1), sizeof(mho_real))};
  mho_lesson lesson = {.net = net,
                       .dynamics = &scripted,
                       .params = e->rule.params,
                       .state = {state},
                       .vars = vars,
                       .own = own,
                       .targets = {.label = &label},
                       .n = 1,
                       .batch = 1,
                       .applies = MHO_APPLY_STEP,
                       .thread = &thread,
                       .host = &host,
                       .owner = &s};
  mho_rule_stats stats = {0};
  if (thread.settler->workspace_new)
    OK(thread.settler->workspace_new(net, thread.params, 1, &thread.workspace, &ei));
  script_done = 0;
  rule->learn(&lesson, &stats);

  if (thread.settler->workspace_free)
    thread.settler->workspace_free(thread.workspace);
  free(thread.scratch);
  rule->own_free(own);
  mho_vars_free(vars);
  mho_state_free(state);
  mho_trainer_free(t);
  mho_experiment_free(e);
  return s;
}

/* ---------------------------------------------------------------- windows */

static int pre_at, post_at, period;

static bool pair(const mho_phase *p, int layer, int i, int t) {
  return i == 0 && t == (layer ? post_at : pre_at);
}

#define WINDOW(more)                                                                               \
  "rule: {window: exponential, tau_pre: 17 ms, tau_post: 34 ms, rate_post: 0.3, rate_pre: "        \
  "0.2" more "}\n"

/* A+ exp(-D/tau+) where the row comes first, or together; else -A- exp(-D/tau-). */
static void test_pair_windows(void **state) {
  static const int distances[] = {0, 1, 5, 40, -1, -7, -60};
  static const char *const forms[] = {WINDOW(""), WINDOW(", traces: all")};
  script = pair;
  for (int f = 0; f < MHO_COUNT(forms); f++)
    for (int k = 0; k < MHO_COUNT(distances); k++) {
      double d = distances[k];
      pre_at = 70;
      post_at = 70 + distances[k];
      sums s = wanted(forms[f], 3, 150);
      NEAR(s.w[0], d >= 0 ? 0.3 * exp(-d / 17) : -0.2 * exp(d / 34), 1e-12, 0);
      for (int i = 1; i < INPUTS * 3; i++)
        NEAR(s.w[i], 0, 0, 0);
      free(s.w);
    }
}

/* The same from event to event, of any distance; other lines fire between. */
static void events_at(double pre, double post) {
  script_events = 0;
  for (int k = 0; k < 4; k++) {
    bool is_first = pre < post;
    double times[] = {20e-3, is_first ? pre : post, is_first ? post : pre, 0.25};
    bool is_row = k == 0 || k == 3 || (k == 1) == is_first;
    script_at[script_events].t = times[k];
    script_at[script_events].layer = !is_row;
    script_at[script_events++].i = k == 0 || k == 3 ? 9 : 0;
  }
}

static void test_windows_by_events(void **state) {
  static const double distances[] = {0.37e-3, 5.21e-3, 61.8e-3, -0.77e-3, -33.3e-3};
  static const char *const forms[] = {WINDOW(""), WINDOW(", traces: all")};
  for (int f = 0; f < MHO_COUNT(forms); f++)
    for (int k = 0; k < MHO_COUNT(distances); k++) {
      double d = distances[k];
      events_at(0.1, 0.1 + d);
      sums s = wanted(forms[f], 3, 0);
      NEAR(s.w[0], d >= 0 ? 0.3 * exp(-d / 17e-3) : -0.2 * exp(d / 34e-3), 1e-12, 0);
      for (int i = 1; i < 9 * 3; i++)
        NEAR(s.w[i], 0, 0, 0);
      free(s.w);
    }

  for (int late = 0; late < 2; late++) { /* within the window or after it */
    events_at(0.1, 0.1 + 20e-3 + (late ? 1e-6 : -1e-6));
    sums s = wanted("rule: {window: rectangular, tau_pre: 20 ms, rate_post: 0.3, rate_pre: 0.2}\n",
                    1, 0);
    NEAR(s.w[0], late ? -0.2 : 0.3, 1e-12, 0);
    NEAR(s.w[1], -0.2, 1e-12, 0);
    free(s.w);
  }
}

/* Triplets: one pair changes nothing but what comes second. */
static void test_a_pair_without_triplets(void **state) {
  script = pair;
  pre_at = 20;
  post_at = 25;
  sums s = wanted(WINDOW(", tau_slow: 40 ms"), 1, 100);
  NEAR(s.w[0], 0, 0, 0);
  free(s.w);
}

static bool trains(const mho_phase *p, int layer, int i, int t) {
  return i == 0 && t % period == (layer ? post_at : pre_at) % period;
}

/* Change of a period, of trains that have gone on for long. */
static double of_a_period(const char *keys) {
  script = trains;
  sums all = wanted(keys, 1, 61 * period), less = wanted(keys, 1, 60 * period);
  double change = all.w[0] - less.w[0];
  free(all.w);
  free(less.w);
  return change;
}

/* Trains of period P, post D after pre: all pairs A+ e^(-D/tau+)/(1 - e^(-P/tau+)), and the same of
 * P - D for depression; nearest ones without the sums; Diehl & Cook's triplets. */
static void test_regular_trains(void **state) {
  period = 30;
  pre_at = 3;
  for (int d = 1; d < 30; d += 7) {
    post_at = pre_at + d;
    double up = 0.3 * exp(-d / 17.0), down = 0.2 * exp(-(30 - d) / 34.0);
    NEAR(of_a_period(WINDOW(", traces: all")),
         up / (1 - exp(-30 / 17.0)) - down / (1 - exp(-30 / 34.0)), 1e-6, 1e-9);
    NEAR(of_a_period(WINDOW("")), up - down, 1e-6, 1e-9);
  }

  period = 100;
  post_at = pre_at + 10;
  double change =
      of_a_period("rule: {window: exponential, tau_pre: 20 ms, tau_post: 20 ms, tau_slow: 40 ms, "
                  "rate_post: 0.01, rate_pre: 1e-4}\n");
  NEAR(change, 0.01 * exp(-0.5) * exp(-2.5) - 1e-4 * exp(-4.5), 1e-6, 0);
  NEAR(change, 4.9787e-4 - 1.11e-6, 1e-5, 0);
}

static bool at_random(const mho_phase *p, int layer, int i, int t) {
  float u;
  mho_rng_uniform(mho_rng_make(3, MHO_RNG_TEST, (uint32_t)layer), (uint64_t)t, (uint64_t)i, 1, &u);
  return (double)u < (layer ? 0.02 : 0.04);
}

/* Independent trains, of which a step's mean change is p_pre p_post (A+ x - A- y), x the mean trace
 * with the spike of the step and y that before it. 64 pairs that share no train. */
static void test_independent_trains(void **state) {
  enum { STEPS = 20000 };
  double a = exp(-1 / 17.0), b = exp(-1 / 34.0), p = 0.04, q = 0.02;
  double x[] = {p / (1 - (1 - p) * a), p / (1 - a)};
  double y[] = {b * q / (1 - (1 - q) * b), b * q / (1 - b)};
  script = at_random;
  for (int all = 0; all < 2; all++) {
    sums s = wanted(all ? WINDOW(", traces: all") : WINDOW(""), INPUTS, STEPS);
    double sum = 0, squares = 0;
    for (int i = 0; i < INPUTS; i++) {
      double change = s.w[i * INPUTS + i] / STEPS;
      sum += change / INPUTS;
      squares += change * change / INPUTS;
    }
    /* the mean trace is that at a spike of the other side */
    double expected = 0.3 * q * x[all] - 0.2 * p * y[all];
    NEAR(sum, expected, 0, 4 * sqrt((squares - sum * sum) / (INPUTS - 1)));
    assert_true(fabs(expected) > 8 * sqrt((squares - sum * sum) / (INPUTS - 1)));
    free(s.w);
  }
}

/* Traces: of a spike every k steps mean z (1 - d^k)/(k (1 - d)), of random ones p/(1 - (1-p) d). */
static void test_traces(void **state) {
  static const struct {
    int every;
    double mean, square;
  } regular[] = {
      {2, .8846153846, .7958579882}, {5, .6332481356, .4543218916}, {11, .3719581363, .2219681445}};
  double d = 1 - 3.0 / 13;
  for (int k = 0; k < MHO_COUNT(regular); k++) {
    int steps = 1000 * regular[k].every;
    mho_real z = 0, sum = 0, squares = 0;
    for (int t = 0; t < 2 * steps; t++) {
      mho_real s = t % regular[k].every == 0;
      mho__trace_step(MHO_TRACE_NEAREST, d, 1, &s, &z);
      sum += t >= steps ? z / steps : 0;
      squares += t >= steps ? z * z / steps : 0;
    }
    NEAR(sum, regular[k].mean, 0, 1e-10);
    NEAR(squares, regular[k].square, 0, 1e-10);
  }

  enum { LINES = 256, LONG = 4000 };
  mho_real z[LINES] = {0}, all[LINES] = {0}, s[LINES];
  double sum = 0, squares = 0, of_all = 0, n = 0;
  for (int t = 0; t < LONG; t++) {
    float u[LINES];
    mho_rng_uniform(mho_rng_make(4, MHO_RNG_TEST, 0), (uint64_t)t, 0, LINES, u);
    for (int i = 0; i < LINES; i++)
      s[i] = (double)u[i] < 0.05;
    mho__trace_step(MHO_TRACE_NEAREST, d, LINES, s, z);
    mho__trace_step(MHO_TRACE_ALL, d, LINES, s, all);
    for (int i = 0; t >= 100 && t % 20 == 0 && i < LINES; i++) {
      sum += z[i];
      squares += z[i] * z[i];
      of_all += all[i];
      n++;
    }
  }
  NEAR(sum / n, .1857142857, 0, 4 * sqrt(.1141891892 / n));
  NEAR(squares / n, .1141891892, 0, 4 * sqrt(.1141891892 / n));
  NEAR(of_all / n, .05 / (1 - d), 0, 4 * sqrt(.05 / (1 - d * d) / n));
}

/* ---------------------------------------------------------------- the rectangular window */

static void test_active_rows(void **state) {
  script = pair;
  pre_at = 50;
  for (post_at = 45; post_at < 62; post_at++) {
    sums s = wanted("rule: {window: rectangular, tau_pre: 8 ms, rate_post: 1, rate_pre: 0.25}\n", 2,
                    100);
    bool active = post_at >= 50 && post_at < 58;
    NEAR(s.w[0], active ? 1 : -0.25, 0, 0);
    for (int i = 1; i < INPUTS; i++)
      NEAR(s.w[2 * i], -0.25, 0, 0);
    NEAR(s.w[1], 0, 0, 0);
    assert_int_equal(s.applied, 1);
    free(s.w);
  }
}

enum { WINDOW_STEPS = 5 };

/* Rows at random, in every update anew; the neuron once a window. */
static bool tests_rows(const mho_phase *p, int layer, int i, int t) {
  float u;
  if (layer)
    return t % WINDOW_STEPS == 0;
  mho_rng_uniform(mho_rng_make(9, MHO_RNG_TEST, 1), p->thread->update << 16 | (uint64_t)t,
                  (uint64_t)i, 1, &u);
  return (double)u < 1 - pow(1 - 0.3, 1.0 / WINDOW_STEPS);
}

/* Soft bounds of step s: a weight has mean q and variance s q (1 - q)/(2 - s), q the probability
 * that its row was active within the window: one pulse a cell and spike. */
static void test_devices_learn_a_probability(void **state) {
  const double s = 0.02, q = 0.3;
  char yaml[1024];
  snprintf(yaml, sizeof yaml,
           SCRIPT "network: {hidden: [1]}\ndevice: {model: soft_bounds, step_up: %g, step_down: "
                  "%g}\nrule: {tau_pre: %d ms, rate_pre: 1}\nupdate: {rate: %.17g}\n"
                  "settle: {steps: 1000}\ndataset: {train: 1, test: 1}\ntrain: {epochs: 1000}\n",
           s, s, WINDOW_STEPS, s / 2 * (1 - 1e-6));
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
  double sum = 0, squares = 0, n = 0, pulses = 0;
  script = tests_rows;
  for (int k = 0; k < 60; k++) {
    mho_epoch_row row;
    OK(mho_trainer_epoch(t, &row, &ei));
    pulses += row.pulses;
    for (int i = 0; k >= 10 && i < INPUTS; i++) {
      double g = (double)mho__crossbar_programmed(x)[i];
      sum += g;
      squares += g * g;
      n++;
    }
  }
  double mean = sum / n, variance = squares / n - mean * mean, expected = s * q * (1 - q) / (2 - s);
  NEAR(pulses, 60. * 200 * INPUTS, 0, 0);
  NEAR(sqrt(expected), .0461, 0, 5e-5);
  NEAR(mean, q, 0, 3 * sqrt(expected / n));
  NEAR(variance, expected, 3 * sqrt(2 / n), 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- sums of columns */

static bool never(const mho_phase *p, int layer, int i, int t) {
  return false;
}

static void test_sums_of_columns(void **state) {
  mho_experiment *e = experiment(SCRIPT "network: {hidden: [7]}\ndevice: linear\n"
                                        "rule: {normalize: 9}\nsettle: {steps: 20}\n"
                                        "dataset: {train: 3, test: 1}\n");
  mho_trainer *t = trainer(e);
  const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
  double before[INPUTS * 7];
  for (int i = 0; i < INPUTS * 7; i++)
    before[i] = (double)mho__crossbar_programmed(x)[i];
  script = never;
  mho_epoch_row row;
  OK(mho_trainer_epoch(t, &row, &ei));
  for (int j = 0; j < 7; j++) {
    double sum = 0, first = 0;
    for (int i = 0; i < INPUTS; i++) {
      sum += (double)mho__crossbar_programmed(x)[i * 7 + j];
      first += before[i * 7 + j];
    }
    NEAR(sum, 9, 1e-5, 0);
    NEAR(mho__crossbar_programmed(x)[j], before[j] * 9 / first, 1e-4, 0);
  }
  NEAR(row.verify_reads, 3 * INPUTS * 7, 0, 0);
  assert_true(row.pulses >= INPUTS * 7);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- votes */

static const mho_images *shown; /* whose labels the script answers */
static int first_shown;

/* Neurons 0 and 3 answer class 4, 1 answers class 7, 2 never fires. */
static bool answers(const mho_phase *p, int layer, int i, int t) {
  static const int class_of[] = {4, 7, -1, 4};
  if (!layer || t > 10)
    return false;
  int label = shown->label[first_shown + p->row0]; /* one sample at a time */
  return class_of[i] == label || (i == 1 && t == 1 && label == 4);
}

/* Accuracy of n neurons that answer by a script, on training images of which the classes in `right`
 * should be answered. */
static void expect_right(bool (*how)(const mho_phase *, int, int, int), const char *keys,
                         const char *right) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml,
           SCRIPT "network: {hidden: [4]}\nsettle: {steps: 20}\ntrain: {chunk: 1}\n"
                  "dataset: {train: 200, test: 100}\n%s",
           keys);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  const mho_dataset *d = mho_trainer_dataset(t);
  mho_evaluation v;
  script = how;
  shown = &d->train;
  mho_images part = d->train;
  part.n = 100;
  OK(mho_trainer_evaluate(t, &part, &v, &ei));

  int n = 0;
  for (int i = 0; i < part.n; i++)
    n += strchr(right, '0' + part.label[i]) != NULL;
  NEAR(v.accuracy, (double)n / part.n, 1e-12, 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* Of class 4 all are right, of class 7 all, and the others are answered by the first class. */
static void test_votes(void **state) {
  expect_right(answers, "", "470");
}

/* Neuron 0 answers class 3 by 10 and class 5 by 8, neuron 1 class 4
 * by 10 and class 5 by 8, neuron 2 class 6 by 10; neuron 3 never fires. */
static bool answers_two(const mho_phase *p, int layer, int i, int t) {
  static const int class_of[] = {3, 4, 6, -1};
  if (!layer)
    return false;
  int label = shown->label[first_shown + p->row0];
  if (label == 5 && i < 2)
    return t <= 8;
  return class_of[i] == label && t <= 10;
}

/* By label nobody votes for class 5, by proportion two neurons together do: class 3 has 8 x 10/18
 * of them, class 4 as many, class 5 16 x 8/18. */
static void test_votes_by_proportion(void **state) {
  expect_right(answers_two, "", "3460");
  expect_right(answers_two, "network: {votes: proportion}\n", "34560");
}

/* ---------------------------------------------------------------- what is refused */

static void test_refused(void **state) {
  refused("rule: stdp\ndynamics: rate\n", "rule.name: 'stdp' learns from spikes");
  refused("rule: stdp\ndevice: ideal\nupdate: {scheme: exact}\n", "device.model: weights");
  refused("rule: stdp\nnetwork: {output: softmax}\n", "network.output: rule.name 'stdp'");
  refused("rule: stdp\nnetwork: {biases: true}\n", "network.biases");
  refused("rule: stdp\nnetwork: {topology: conv, conv: 3x3 pool2 6}\n", "network.topology");
  refused("rule: stdp\nupdate: {apply: batch}\n", "update.apply");
  refused("rule: stdp\ntrain: {batch: 10}\n", "neuron.threshold.law");
  refused("rule: {name: stdp, importance: local}\n", "rule.importance");
  refused("network: {output: votes}\n", "network.output: votes");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pair_windows),
      cmocka_unit_test(test_windows_by_events),
      cmocka_unit_test(test_a_pair_without_triplets),
      cmocka_unit_test(test_regular_trains),
      cmocka_unit_test(test_independent_trains),
      cmocka_unit_test(test_traces),
      cmocka_unit_test(test_active_rows),
      cmocka_unit_test(test_devices_learn_a_probability),
      cmocka_unit_test(test_sums_of_columns),
      cmocka_unit_test(test_votes),
      cmocka_unit_test(test_votes_by_proportion),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, setup_scripted, teardown_registry);
}
