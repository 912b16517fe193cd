/* What happens between a gradient and the wanted change: schedules, rates of connections, decay,
 * clipping.
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
  snprintf(yaml, sizeof yaml,
           "dataset: {train: 100}\nnetwork: {hidden: [8]}\ntrain: {batch: 100}\nupdate: %s\n",
           update);
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
      cmocka_unit_test(test_schedules),
      cmocka_unit_test(test_list),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
