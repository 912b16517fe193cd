/* What happens between a gradient and the wanted change: schedules, rates of connections and of
 * biases, decay, clipping.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"

enum { N = 100 };

/* Weights of all connections side by side, before and after one update on the first N digits,
 * and the gradient it was made from. */
typedef struct updated {
  size_t n, of[2]; /* in all, and of the two connections */
  mho_real *before, *after, *g;
} updated;

static updated update_once(const char *update) {
  char yaml[512];
  snprintf(yaml, sizeof yaml, "dataset: {train: 100}\n%strain: {batch: 100}\nupdate: %s\n",
           strstr(update, "network:") ? "" : "network: {hidden: [8]}\n", update);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);
  updated u = {.n = net->n_weights};
  assert_int_equal(net->n_trained, 2);
  u.before = calloc(u.n, sizeof *u.before);
  u.after = calloc(u.n, sizeof *u.after);
  u.g = calloc(u.n, sizeof *u.g);
  size_t at = 0;
  for (int c = 0; c < 2; c++, at += u.of[c - 1]) {
    const mho_crossbar *x = net->connection[c].xb;
    u.of[c] = (size_t)x->rows * (size_t)x->cols;
    memcpy(u.before + at, mho__crossbar_programmed(x),
           u.of[c] * sizeof *mho__crossbar_programmed(x));
    OK(mho_trainer_gradient(t, 0, N, c, u.g + at, &ei));
  }

  mho_epoch_row row;
  OK(mho_trainer_epoch(t, &row, &ei));
  at = 0;
  for (int c = 0; c < 2; c++, at += u.of[c - 1])
    memcpy(u.after + at, mho__crossbar_programmed(net->connection[c].xb),
           u.of[c] * sizeof *u.after);
  mho_trainer_free(t);
  mho_experiment_free(e);
  return u;
}

static void forget(updated *u) {
  free(u->before);
  free(u->after);
  free(u->g);
}

static double norm(size_t n, const mho_real *v) {
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += (double)v[i] * (double)v[i];
  return sqrt(sum);
}

static void test_decay(void **state) {
  updated u = update_once("{optimizer: sgd, rate: 0.5, decay: 0.1}");
  for (size_t i = 0; i < u.n; i++)
    NEAR(u.after[i], (double)u.before[i] - 0.5 * ((double)u.g[i] + 0.1 * (double)u.before[i]), 1e-5,
         1e-6);
  forget(&u);
  /* AdamW: the decay does not pass through the moments. The first step of Adam is rate *
   * sign(g). */
  u = update_once("{optimizer: adam, rate: 0.01, decay: 2, epsilon: 0}");
  for (size_t i = 0; i < u.n; i++)
    if (fabs((double)u.g[i]) > 1e-6)
      NEAR(u.after[i], 0.98 * (double)u.before[i] - copysign(0.01, (double)u.g[i]), 1e-4, 1e-6);
  forget(&u);
}

static void test_clip(void **state) {
  updated free_ = update_once("{optimizer: sgd, rate: 1}"),
          loose = update_once("{optimizer: sgd, rate: 1, clip: 1e6}");
  assert_memory_equal(free_.after, loose.after, free_.n * sizeof *free_.after);
  double length = norm(free_.n, free_.g), clip = 0.25 * length;
  char text[64];
  snprintf(text, sizeof text, "{optimizer: sgd, rate: 1, clip: %.9g}", clip);
  updated cut = update_once(text);
  for (size_t i = 0; i < cut.n; i++) /* the same direction, a quarter as long */
    NEAR((double)cut.after[i] - (double)cut.before[i], -0.25 * (double)cut.g[i], 1e-3, 1e-6);
  forget(&free_);
  forget(&loose);
  forget(&cut);
}

static void test_rates_of_connections(void **state) {
  updated u = update_once("{optimizer: sgd, rate: 7, rates: [0, 0.3]}");
  assert_memory_equal(u.before, u.after, u.of[0] * sizeof *u.after);
  for (size_t i = u.of[0]; i < u.n; i++)
    NEAR(u.after[i], (double)u.before[i] - 0.3 * (double)u.g[i], 1e-5, 1e-6);
  forget(&u);
  mho_experiment *e = experiment("network: {hidden: [8]}\nupdate: {rates: [1, 2, 3]}\n");
  mho_trainer *t;
  assert_int_equal(mho_trainer_new(NULL, e, &t, &ei), MHO_ECONFIG);
  assert_non_null(strstr(ei.message, "3 rates, but the network has 2"));
  mho_experiment_free(e);
}

/* A change of all weights of an update, over what it is at one rate for all: expected in the last
 * row of each connection, and 1 in the others. */
static void check_biases(const char *more, double expected, double within) {
  char words[2][256];
  snprintf(words[0], sizeof words[0], "{rate: 0.3, %s}\nnetwork: {biases: true, hidden: [8]}",
           more);
  snprintf(words[1], sizeof words[1],
           "{rate: 0.3, bias_rate: 0.25, %s}\nnetwork: {biases: true, hidden: [8]}", more);
  updated one = update_once(words[0]), own = update_once(words[1]);
  const size_t cols[2] = {8, 10};
  double moved = 0;
  size_t at = 0;

  for (int c = 0; c < 2; at += one.of[c++])
    for (size_t i = 0; i < one.of[c]; i++) {
      bool is_bias = i >= one.of[c] - cols[c];
      double change = (double)one.after[at + i] - (double)one.before[at + i];
      double got = (double)own.after[at + i] - (double)own.before[at + i];
      NEAR(got, is_bias ? expected * change : change, within, 1e-7);
      moved += is_bias ? fabs(change) : 0;
    }
  assert_true(moved > 1e-3);
  forget(&one);
  forget(&own);
}

static void test_rate_of_biases(void **state) {
  check_biases("optimizer: sgd", 0.25, 1e-4);
  check_biases("optimizer: sgd, decay: 0.5", 0.25, 1e-4);
  check_biases("optimizer: adam", 0.25, 1e-4);
  check_biases("optimizer: momentum", 0.25, 1e-4);
}

/* One epoch of a resistive network by a plain step in one pass, and by gradient, wanted change and
 * write, as a clipped gradient has it. */
static void test_rate_of_biases_in_one_pass(void **state) {
  static const char *rates[] = {"bias_rate: 0.1", "bias_rate: 0.1, clip: 1e9", "bias_rate: 1"};
  mho_trainer *t[3];
  mho_experiment *e[3];
  for (int i = 0; i < 3; i++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "dataset: {train: 40}\ndynamics: resistive\nnetwork: {hidden: [8]}\n"
             "rule: {nudge_by: current}\ntrain: {batch: 4}\nupdate: {%s}\n",
             rates[i]);
    e[i] = experiment(yaml);
    t[i] = trainer(e[i]);
    mho_epoch_row row;
    OK(mho_trainer_epoch(t[i], &row, &ei));
  }

  double slow = 0, fast = 0;
  for (int c = 0; c < 2; c++) {
    const mho_crossbar *x[3];
    for (int i = 0; i < 3; i++)
      x[i] = mho_trainer_network(t[i])->connection[c].xb;
    size_t n = mho_crossbar_cells(x[0]), cols = (size_t)x[0]->cols;
    for (size_t j = 0; j < n; j++)
      NEAR(mho__crossbar_programmed(x[0])[j], (double)mho__crossbar_programmed(x[1])[j], 1e-4,
           1e-6);
    for (size_t j = n - cols; j < n; j++) {
      slow += fabs((double)mho__crossbar_programmed(x[0])[j]);
      fast += fabs((double)mho__crossbar_programmed(x[2])[j]);
    }
  }
  NEAR(slow / fast, 0.1, 0.3, 0);
  for (int i = 0; i < 3; i++) {
    mho_trainer_free(t[i]);
    mho_experiment_free(e[i]);
  }
}

static void test_schedules(void **state) {
  mho_experiment *e = experiment("update: {rate: 0.4, schedule: cosine, rate_end: 0.1}\n");
  NEAR(mho_update_rate(&e->update, 0, 0, 10), 0.4, 1e-12, 0);
  NEAR(mho_update_rate(&e->update, 0, 5, 10), 0.25, 1e-12, 0);
  NEAR(mho_update_rate(&e->update, 0, 10, 10), 0.1, 1e-12, 0);
  mho_experiment_free(e);
  e = experiment(
      "update: {rate: 1, rates: [0.8, 0.2], schedule: step, step_every: 3, step_factor: 0.5}\n");
  NEAR(mho_update_rate(&e->update, 0, 2, 10), 0.8, 1e-12, 0);
  NEAR(mho_update_rate(&e->update, 1, 3, 10), 0.1, 1e-12, 0);
  NEAR(mho_update_rate(&e->update, 0, 8, 10), 0.2, 1e-12, 0);
  mho_experiment_free(e);
  e = experiment("update: {rate: 0.4}\n");
  NEAR(mho_update_rate(&e->update, 1, 9, 10), 0.4, 0, 0);
  mho_experiment_free(e);
}

/* A list of numbers survives printing, as YAML and as JSON. */
static void test_list(void **state) {
  mho_experiment *e = experiment("update: {rates: [0.15, 3.5e-1, 1]}\n"), *again;
  assert_int_equal(e->update.rates.n, 3);
  char *text[2] = {mho_experiment_yaml(e, true), mho_experiment_json(e)};
  for (int k = 0; k < 2; k++) {
    mho_config *c;
    OK(mho_config_new(&c, &ei));
    OK(mho_config_text(c, text[k], "again", &ei));
    OK(mho_experiment_new(registry, c, k == 1, &again, &ei));
    assert_memory_equal(&e->update, &again->update, sizeof e->update);
    mho_config_free(c);
    mho_experiment_free(again);
    free(text[k]);
  }

  mho_experiment_free(e);
  static const char *bad[] = {"[0.1, x]", "[-1]", "[2000]", "[0.1 V]"};
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    char yaml[64];
    mho_config *c;
    snprintf(yaml, sizeof yaml, "update: {rates: %s}\n", bad[i]);
    OK(mho_config_new(&c, &ei));
    OK(mho_config_text(c, yaml, "bad", &ei));
    assert_int_equal(mho_experiment_new(registry, c, false, &e, &ei), MHO_ECONFIG);
    assert_non_null(strstr(ei.message, "update.rates"));
    mho_config_free(c);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_decay),
      cmocka_unit_test(test_clip),
      cmocka_unit_test(test_rates_of_connections),
      cmocka_unit_test(test_rate_of_biases),
      cmocka_unit_test(test_rate_of_biases_in_one_pass),
      cmocka_unit_test(test_schedules),
      cmocka_unit_test(test_list),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
