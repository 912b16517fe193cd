/* What a learning rule may do, by rules that are made here: several terms, terms past the
 * optimizer, changes after every sample and in the middle of learning, trials of a whole batch,
 * links and variables of its own, defaults for other sections' keys, refusals with a place.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"
#include "rule/backprop.h"
#include "train/trainer.h"

#define BASE "dataset: {train: 100, test: 20}\nnetwork: {hidden: [8]}\n"

/* ---------------------------------------------------------------- rules */

/* The same gradient in two terms, of scales 3 and -2. */
static void change_twice(const mho_lesson *l, int c, mho_change *out) {
  for (int i = 0; i < 2; i++) {
    mho_change_by_error(l, c, out);
    out->term[i].scale *= i ? -2 : 3;
  }
}

/* Two terms that cancel. */
static void change_nothing(const mho_lesson *l, int c, mho_change *out) {
  for (int i = 0; i < 2; i++) {
    mho_change_by_error(l, c, out);
    out->term[i].scale *= i ? -1 : 1;
  }
}

/* No gradient, and 0.25 of every weight's rate past the optimizer. */
static void change_plainly(const mho_lesson *l, int c, mho_change *out) {
  *mho_change_add(out) = (mho_outer){.n = 1, .scale = 0.25, .plain = true};
}

/* Learns, and applies at once. */
static void learn_in_steps(const mho_lesson *l, mho_rule_stats *stats) {
  mho__backprop_learn(l, stats);
  mho_lesson_apply(l, MHO_APPLY_SPIKE); /* which is not when this rule applies */
  mho_lesson_apply(l, MHO_APPLY_STEP);
}

enum { COUNT, SEEN };
static const mho_var counters[] = {{"count", MHO_PER_SAMPLE, .exact = true, .kept = true},
                                   {"seen", MHO_PER_SAMPLE, .exact = true}};

/* Counts the lessons of every place in a batch. */
static void learn_counting(const mho_lesson *l, mho_rule_stats *stats) {
  mho__backprop_learn(l, stats);
  for (int i = 0; i < l->n; i++) {
    mho_vars_exact(l->vars, COUNT, 0, l->sample0)[i]++;
    mho_vars_exact(l->vars, SEEN, 0, l->sample0)[i]++;
  }
}

/* One outer product of two samples for the read-out's connection, 8 x 10; nothing for the other. */
enum { SAMPLES = 2, FROM = 8, TO = 10 };
static mho_real pre[SAMPLES * FROM], post[SAMPLES * TO];
static void change_as_given(const mho_lesson *l, int c, mho_change *out) {
  if (c == 1)
    *mho_change_add(out) = (mho_outer){.pre = pre, .post = post, .n = SAMPLES, .scale = 0.5};
}

/* A trial: the slope of the loss in one weight, by central differences. */
enum { CELL = 77, SAMPLES_MAX = 100 };
static const mho_real nudge = (mho_real)0.02;
static double slope, losses[3][SAMPLES_MAX], sums[3];

static void predict_as(const mho_lesson *l, int i, int number, mho_rule_stats *stats) {
  mho_rule_stats own = {0};
  mho_repetition r = {.number = number, .loss = losses[i]};
  mho_lesson_predict(l, &r, &own);
  sums[i] = own.loss;
  if (i == 2)
    *stats = own;
}

static mho_err try_one_weight(const mho_lesson *l, mho_rule_stats *stats, mho_errinfo *why) {
  mho_crossbar *x = mho_lesson_crossbar(l, 0);
  mho_real was = mho__crossbar_programmed(x)[CELL], up = was + nudge, down = was - nudge;

  mho_crossbar_set(x, CELL, 1, &up);
  predict_as(l, 0, 0, stats);
  mho_crossbar_set(x, CELL, 1, &down);
  predict_as(l, 1, 0, stats);
  mho_crossbar_set(x, CELL, 1, &was);
  predict_as(l, 2, 0, stats);

  slope = (sums[0] - sums[1]) / (2 * (double)nudge) / l->n;
  return MHO_OK;
}

static void add_slope(const void *of, int c, int row0, int rows, mho_real *out) {
  int first = row0 * 8, n = rows * 8; /* of x-h1 */
  if (c == 0 && CELL >= first && CELL < first + n)
    out[CELL - first] += (mho_real) * (const double *)of;
}

static void change_by_slope(const mho_lesson *l, int c, mho_change *out) {
  out->dense = add_slope;
  out->of = &slope;
}

/* A trial that repeats the batch with the same noise and with noise of its own. */
static mho_err repeat_only(const mho_lesson *l, mho_rule_stats *stats, mho_errinfo *why) {
  predict_as(l, 0, 0, stats);
  predict_as(l, 1, 1, stats);
  predict_as(l, 2, 0, stats);
  return MHO_OK;
}

/* A link from the input straight to the read-out. */
static mho_err plan_shortcut(const void *params, mho_graph *g, mho_errinfo *why) {
  g->edge[g->n_edges] = g->edge[0];
  g->edge[g->n_edges].from = 0;
  g->edge[g->n_edges++].to = g->n_layers - 1;
  return MHO_OK;
}

static const mho_default own_defaults[] = {{"update.rate", "0.25"}, {"update.optimizer", "sgd"}};

static mho_err refuse_biases(const mho_experiment *e, mho_errinfo *why) {
  if (!e->network.biases)
    return MHO_OK;
  return mho_fail(why, MHO_ECONFIG, "rule.name: 'mine' knows no network.biases: leave them out");
}

#define RULE(name) .entry = {.abi = MHO_ABI, .id = name, .title = name}
#define LEARNS     .predict = mho__backprop_predict, .learn = mho__backprop_learn
static const mho_rule rules[] = {
    {RULE("twice"), LEARNS, .change = change_twice},
    {RULE("nothing"), LEARNS, .change = change_nothing},
    {RULE("plain"), LEARNS, .change = change_plainly},
    {RULE("given"), LEARNS, .change = change_as_given},
    {RULE("steps"), .predict = mho__backprop_predict, .learn = learn_in_steps,
     .change = mho_change_by_error, .applies = MHO_APPLY_STEP, .also_applies = MHO_APPLY_BATCH},
    {RULE("counts"), .predict = mho__backprop_predict, .learn = learn_counting,
     .change = mho_change_by_error, .var = counters, .n_vars = 2},
    {RULE("slope"), .predict = mho__backprop_predict, .trial = try_one_weight,
     .change = change_by_slope},
    {RULE("repeats"), .predict = mho__backprop_predict, .trial = repeat_only,
     .change = change_by_slope},
    {RULE("shortcut"), LEARNS, .change = mho_change_by_error, .plan = plan_shortcut},
    {.entry = {.abi = MHO_ABI,
               .id = "mine",
               .title = "mine",
               MHO_DEFAULTS(own_defaults),
               .check = refuse_biases},
     LEARNS,
     .change = mho_change_by_error},
};

static int setup(void **state) {
  int failed = setup_registry(state);
  for (int i = 0; i < MHO_COUNT(rules); i++)
    OK(mho_registry_add(registry, MHO_KIND_RULE, &rules[i].entry, &ei));
  return failed;
}

/* ---------------------------------------------------------------- trained networks */

/* An experiment and its trainer after one epoch. */
typedef struct trained {
  mho_experiment *e;
  mho_trainer *t;
  mho_epoch_row row;
} trained;

static trained train(const char *yaml) {
  char text[1024];
  trained a;
  snprintf(text, sizeof text, BASE "%s", yaml);
  a.e = experiment(text);
  a.t = trainer(a.e);
  OK(mho_trainer_epoch(a.t, &a.row, &ei));
  return a;
}

static void trained_free(trained *a) {
  mho_trainer_free(a->t);
  mho_experiment_free(a->e);
}

static const mho_real *weights(const trained *a, int c) {
  return mho__crossbar_programmed(mho_trainer_network(a->t)->connection[c].xb);
}

static size_t cells(const trained *a, int c) {
  return mho_crossbar_cells(mho_trainer_network(a->t)->connection[c].xb);
}

/* Largest difference of any trained weight. */
static double distance(const trained *a, const trained *b) {
  double most = 0;
  for (int c = 0; c < 2; c++)
    for (size_t i = 0; i < cells(a, c); i++)
      most = fmax(most, fabs((double)weights(a, c)[i] - (double)weights(b, c)[i]));
  return most;
}

/* How far apart two configs end. */
static double apart(const char *one, const char *other) {
  trained a = train(one), b = train(other);
  double d = distance(&a, &b);
  trained_free(&a);
  trained_free(&b);
  return d;
}

/* ---------------------------------------------------------------- what is handed on */

static void test_terms_are_summed(void **state) {
  static const char keys[] = "update: {optimizer: sgd, rate: 0.1}\ntrain: {batch: 20}\n";
  char one[256], two[256];
  snprintf(one, sizeof one, "rule: bp\n%s", keys);
  snprintf(two, sizeof two, "rule: twice\n%s", keys);
  double d = apart(one, two);
  assert_true(d > 0 && d < 1e-5); /* rounded otherwise */
}

/* Past adam, whose moments stay 0: five updates of 0.25 times the rate. */
static void test_plain_terms_pass_the_optimizer(void **state) {
  static const char keys[] = "rule: plain\ntrain: {batch: 20}\nupdate: {optimizer: adam, rate: ";
  char some[256], none[256];
  snprintf(some, sizeof some, "%s 0.01}\n", keys);
  snprintf(none, sizeof none, "%s 0}\n", keys);
  trained a = train(some), b = train(none);
  for (int c = 0; c < 2; c++)
    for (size_t i = 0; i < cells(&a, c); i++)
      NEAR(weights(&a, c)[i], (double)weights(&b, c)[i] - 5 * 0.01 * 0.25, 1e-5, 1e-6);
  trained_free(&a);
  trained_free(&b);
}

/* Trains of pulses of two terms that cancel: pulses both ways, and in the mean no change, where
 * one of them alone moves the weights. */
static void test_pulsed_terms(void **state) {
  enum { SEEDS = 20 };
  double moved[2] = {0}, pulses = 0;
  for (int both = 0; both < 2; both++) {
    static double sum[8 * 10];
    memset(sum, 0, sizeof sum);
    for (int seed = 1; seed <= SEEDS; seed++) {
      char yaml[512];
      snprintf(yaml, sizeof yaml,
               "rule: %s\ntrain: {batch: 100, seeds: {noise: %d}}\n"
               "device: {model: linear, step_up: 0.0005, step_down: 0.0005}\n"
               "update: {scheme: stochastic, rate: 1}\n",
               both ? "nothing" : "bp", seed);
      trained a = train(yaml), b = train("rule: bp\ndevice: linear\ntrain: {batch: 100}\n"
                                         "update: {rate: 0, scheme: pulses}\n");
      for (size_t i = 0; i < cells(&a, 1); i++)
        sum[i] += (double)weights(&a, 1)[i] - (double)weights(&b, 1)[i];
      pulses += both ? a.row.pulses : 0;
      trained_free(&a);
      trained_free(&b);
    }
    for (int i = 0; i < 80; i++)
      moved[both] += sum[i] * sum[i];
  }

  print_message("  squared sum of changes, one term %g, two that cancel %g\n", moved[0], moved[1]);
  assert_true(pulses > 0);
  assert_true(moved[1] < 0.02 * moved[0]);
}

/* An updater of its own on a network: no batch, no learner and no trainer has a part in it. Twice
 * W -= rate scale pre^T post on floats, and as many pulses as steps go into that on devices. */
static void test_updater_alone(void **state) {
  static const char *const devices[] = {
      "", "device: {model: linear, step_up: 1e-4, step_down: 1e-4}\n"};
  mho_real was[FROM * TO];
  for (int i = 0; i < SAMPLES * FROM; i++)
    pre[i] = (mho_real)(i % 5 - 2) / 4;
  for (int i = 0; i < SAMPLES * TO; i++)
    post[i] = (mho_real)(i % 7 - 3) / 4;

  for (int k = 0; k < 2; k++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             BASE "rule: given\n%supdate: {optimizer: sgd, rate: 0.1, scheme: %s}\n", devices[k],
             k ? "pulses" : "exact");
    mho_experiment *e = experiment(yaml);
    mho_trainer *t = trainer(e);
    mho_network *net = mho_trainer_network(t);
    const mho_crossbar *x = net->connection[1].xb;
    mho_standing at;
    mho_updater *u;
    OK(mho__standing_new(e, net, &at, &ei));
    OK(mho__updater_new(e, net, NULL, &at, &u, &ei));
    memcpy(was, mho__crossbar_programmed(x), sizeof was);

    const mho_lesson lesson = {.net = net, .n = SAMPLES, .batch = SAMPLES};
    mho__updater_apply(u, &lesson);
    mho__updater_apply(u, &lesson);
    double steps = 0, size = k ? u->nominal_step[1] : 1e-6;
    for (int i = 0; i < FROM; i++)
      for (int j = 0; j < TO; j++) {
        double wanted = 0;
        for (int s = 0; s < SAMPLES; s++)
          wanted -= 2 * 0.1 * 0.5 * (double)pre[s * FROM + i] * (double)post[s * TO + j];
        double moved = (double)mho__crossbar_programmed(x)[i * TO + j] - (double)was[i * TO + j];
        NEAR(moved, wanted, 0, 1.01 * size);
        steps += fabs(moved) / size;
      }
    assert_int_equal(at.update, 2);
    NEAR(at.pulses[0], 0, 0, 0);
    NEAR(at.pulses[1], k ? 2 * steps : 0, 1e-3, 0); /* a step is one pulse on each of a pair */

    mho__updater_free(u);
    mho__standing_free(&at);
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
}

/* ---------------------------------------------------------------- when it is applied */

/* Samples of a batch one after another are batches of one sample. */
static void test_every_sample(void **state) {
  static const char keys[] = "rule: bp\nupdate: {optimizer: sgd, rate: 0.02, apply: ";
  char each[256], batch[256];
  snprintf(each, sizeof each, "%ssample}\ntrain: {shuffle: samples, batch: 20}\n", keys);
  snprintf(batch, sizeof batch, "%sbatch}\ntrain: {shuffle: samples, batch: 1}\n", keys);
  assert_true(apart(each, batch) == 0);
  snprintf(batch, sizeof batch, "%sauto}\ntrain: {shuffle: samples, batch: 20}\n", keys);
  assert_true(apart(each, batch) > 1e-3);
}

/* A rule that applies after each of a batch's chunks learns as one with batches of that size. */
static void test_in_the_middle_of_learning(void **state) {
  static const char keys[] =
      "update: {optimizer: sgd, rate: 0.02}\ntrain: {shuffle: samples, chunk: 4, batch: ";
  char steps[256], batch[256];
  snprintf(steps, sizeof steps, "rule: steps\n%s20}\n", keys);
  snprintf(batch, sizeof batch, "rule: bp\n%s4}\n", keys);
  assert_true(apart(steps, batch) == 0);
  snprintf(steps, sizeof steps, "rule: steps\n%s20}\n",
           "update: {optimizer: sgd, rate: 0.02, "
           "apply: batch}\ntrain: {shuffle: samples, chunk: 4, batch: ");
  snprintf(batch, sizeof batch, "rule: bp\n%s20}\n", keys);
  assert_true(apart(steps, batch) == 0);
}

/* ---------------------------------------------------------------- trials */

/* The slope by repetitions of the batch is backpropagation's gradient, the losses are those of the
 * samples, and the weight is what it was. */
static void test_a_trial(void **state) {
  mho_real of_rule[64 * 8], of_bp[64 * 8];
  for (int k = 0; k < 2; k++) {
    mho_experiment *e = experiment(k ? BASE "rule: slope\n" : BASE "rule: bp\n");
    mho_trainer *t = trainer(e);
    OK(mho_trainer_gradient(t, 0, 50, 0, k ? of_rule : of_bp, &ei));
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
  NEAR(of_rule[CELL], of_bp[CELL], 0.02, 1e-6);
  assert_true(fabs((double)of_bp[CELL]) > 1e-5);

  double sum = 0;
  for (int i = 0; i < 50; i++)
    sum += losses[2][i];
  NEAR(sum, sums[2], 1e-12, 0);
}

static void test_noise_of_repetitions(void **state) {
  trained a = train("rule: repeats\ntrain: {batch: 100}\narray: {read_noise: 0.05}\n"
                    "update: {optimizer: sgd, rate: 0}\n");
  assert_memory_equal(losses[0], losses[2], sizeof losses[0]);
  int same = 0;
  for (int i = 0; i < 100; i++)
    same += losses[0][i] == losses[1][i];
  assert_true(same < 5);
  trained_free(&a);
}

/* ---------------------------------------------------------------- its own links and variables */

static void test_links(void **state) {
  mho_experiment *e = experiment(BASE "rule: shortcut\n");
  mho_trainer *t = trainer(e);
  assert_int_equal(mho_trainer_network(t)->n_trained, 3);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* Three full batches and a smaller one of 10: its places start at zero; those of an evaluation are
 * others. */
static void test_kept_variables(void **state) {
  trained a = train("rule: counts\ntrain: {batch: 30}\n");
  mho_evaluation unused;
  OK(mho_trainer_evaluate(a.t, &mho_trainer_dataset(a.t)->test, &unused, &ei));
  const double *count = mho_vars_exact(a.t->learner->vars, COUNT, 0, 0);
  const double *seen = mho_vars_exact(a.t->learner->vars, SEEN, 0, 0);
  for (int i = 0; i < 30; i++) {
    NEAR(count[i], i < 10 ? 1 : 3, 0, 0);
    NEAR(seen[i], 1, 0, 0);
  }
  trained_free(&a);
}

/* ---------------------------------------------------------------- configs */

static void test_defaults(void **state) {
  const mho_entry *sgd = mho_registry_find(registry, MHO_KIND_OPTIMIZER, "sgd");
  mho_experiment *e = experiment("rule: mine\n");
  NEAR(e->update.rate, 0.25, 0, 0);
  assert_ptr_equal(e->optimizer.entry, sgd);
  mho_experiment_free(e);

  /* what is set goes first, and stays so in what is written of it */
  e = experiment("rule: mine\nupdate: {rate: 1e-3, optimizer: adam}\n");
  NEAR(e->update.rate, 1e-3, 0, 0);
  char *yaml = mho_experiment_yaml(e, true);
  mho_experiment *again = experiment(yaml);
  NEAR(again->update.rate, 1e-3, 0, 0);
  assert_string_equal(again->optimizer.entry->id, "adam");
  free(yaml);
  mho_experiment_free(again);
  mho_experiment_free(e);
}

static void refused(const char *yaml, int line, const char *sentence) {
  mho_config *c;
  mho_experiment *e = NULL;
  OK(mho_config_new(&c, &ei));
  OK(mho_config_text(c, yaml, "test", &ei));
  assert_int_equal(mho_experiment_new(registry, c, false, &e, &ei), MHO_ECONFIG);
  assert_string_equal(ei.message, sentence);
  assert_int_equal(ei.line, line);
  mho_config_free(c);
}

static void test_refusals(void **state) {
  refused("network: {hidden: [8],\n  biases: true}\nrule: mine\n", 3,
          "rule.name: 'mine' knows no network.biases: leave them out");
  refused("rule: bp\nupdate:\n  apply: step\n", 3,
          "update.apply: rule.name 'bp' cannot apply changes then: use batch or sample");
  refused("update: {scheme: stochastic,\n  optimizer: adam}\ndevice: linear\n", 2,
          "update.optimizer: scheme 'stochastic' applies every sample by itself: use sgd");
  refused("rule: fa\nfeedback: {mode: symmetric}\n", 2,
          "feedback.mode: rule 'fa' is defined with asymmetric feedback");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_terms_are_summed),
      cmocka_unit_test(test_plain_terms_pass_the_optimizer),
      cmocka_unit_test(test_pulsed_terms),
      cmocka_unit_test(test_updater_alone),
      cmocka_unit_test(test_every_sample),
      cmocka_unit_test(test_in_the_middle_of_learning),
      cmocka_unit_test(test_a_trial),
      cmocka_unit_test(test_noise_of_repetitions),
      cmocka_unit_test(test_links),
      cmocka_unit_test(test_kept_variables),
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, setup, teardown_registry);
}
