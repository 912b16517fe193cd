/* A program's arrays: what a trainer answers them, and weights and conductances into and from
 * them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <pthread.h>

#include "../experiment.h"
#include "mho/model/check.h"

#define DEVICE "device: {model: soft_bounds, variation: {step: 0.2}}\n"
#define SMALL  "network: {hidden: [16]}\ntrain: {epochs: 2, batch: 20}\n"

/* A trainer with its experiment. */
typedef struct subject {
  mho_experiment *e;
  mho_trainer *t;
} subject;

static subject made(const char *yaml) {
  subject s;
  OK(mho_experiment_of_yaml(registry, yaml, 0, NULL, &s.e, &ei));
  OK(mho_trainer_new(NULL, s.e, &s.t, &ei));
  return s;
}

static void unmade(subject *s) {
  mho_trainer_free(s->t);
  mho_experiment_free(s->e);
}

/* All test inputs, [n x features], and their labels. */
static mho_real *test_inputs(const mho_trainer *t, int *n, uint8_t **label) {
  const mho_dataset *d = mho_trainer_dataset(t);
  *n = d->test.n;
  *label = mho_alloc((size_t)*n, 1);
  mho_real *x = mho_alloc((size_t)*n * (size_t)d->features, sizeof *x);
  mho_images_batch(d, &d->test, NULL, 0, *n, x, *label);
  return x;
}

static double share_right(int n, int classes, const mho_real *y, const uint8_t *label) {
  int right = 0;
  for (int i = 0; i < n; i++) {
    int best = 0;
    for (int k = 1; k < classes; k++)
      if (y[i * classes + k] > y[i * classes + best])
        best = k;
    right += best == label[i];
  }
  return (double)right / n;
}

static void saved(const mho_trainer *t, mho_checkpoint_row *c) {
  OK(mho_trainer_save(t, c, &ei));
}

/* ---------------------------------------------------------------- experiments */

static void test_experiments_are_made_of_text(void **state) {
  static const char *const set[] = {"train.epochs=7", "device=soft_bounds"};
  mho_experiment *e;
  OK(mho_experiment_of_yaml(NULL, "train: {batch: 11, epochs: 3}\n", 2, set, &e, &ei));
  assert_int_equal(e->train.batch, 11);
  assert_int_equal(e->train.epochs, 7);
  assert_string_equal(e->device.entry->id, "soft_bounds");
  mho_experiment_free(e);

  OK(mho_experiment_of_yaml(NULL, NULL, 0, NULL, &e, &ei));
  assert_string_equal(e->dataset.entry->id, "digits");
  mho_experiment_free(e);

  assert_int_equal(mho_experiment_of_yaml(NULL, "train:\n  epoch: 3\n", 0, NULL, &e, &ei),
                   MHO_ECONFIG);
  assert_null(e);
  assert_int_equal(ei.line, 2);
  assert_non_null(strstr(ei.message, "train.epochs"));
  assert_string_equal(mho_version(), MHO_VERSION);
}

/* ---------------------------------------------------------------- answers */

/* One hidden layer on exact products: the answer is the formula, from the weights alone. */
static void test_answers_follow_from_the_weights(void **state) {
  enum { FEATURES = 64, HIDDEN = 16, CLASSES = 10, N = 7 };
  subject s = made(SMALL "network.neuron: tanh\n");
  int n, units;
  uint8_t *label;
  mho_real *x = test_inputs(s.t, &n, &label);
  mho_real w0[FEATURES * HIDDEN], w1[HIDDEN * CLASSES], h[N * HIDDEN], y[N * CLASSES];
  mho_real *z[] = {NULL, h, y};
  int64_t unsettled = -1;

  OK(mho_trainer_train(s.t, NULL, NULL, &ei));
  OK(mho_trainer_weights(s.t, "x-h1", w0, &ei));
  OK(mho_trainer_weights(s.t, "h1-out", w1, &ei));
  assert_int_equal(mho_trainer_layers(s.t), 3);
  assert_string_equal(mho_trainer_layer(s.t, 1, &units), "h1");
  assert_int_equal(units, HIDDEN);
  assert_null(mho_trainer_layer(s.t, 3, &units));
  OK(mho_trainer_settle(s.t, N, x, z, &unsettled, &ei));
  assert_int_equal(unsettled, 0);

  for (int i = 0; i < N; i++) {
    double logit[CLASSES] = {0}, sum = 0;
    for (int j = 0; j < HIDDEN; j++) {
      double a = 0;
      for (int k = 0; k < FEATURES; k++)
        a += (double)x[i * FEATURES + k] * (double)w0[k * HIDDEN + j];
      NEAR(h[i * HIDDEN + j], tanh(a), 1e-5, 1e-6);
      for (int k = 0; k < CLASSES; k++)
        logit[k] += tanh(a) * (double)w1[j * CLASSES + k];
    }
    for (int k = 0; k < CLASSES; k++)
      sum += exp(logit[k]);
    for (int k = 0; k < CLASSES; k++)
      NEAR(y[i * CLASSES + k], exp(logit[k]) / sum, 1e-4, 1e-6);
  }
  mho_free(x);
  mho_free(label);
  unmade(&s);
}

/* The same samples get the same answers as in an evaluation, with noisy reads and in several
 * batches, and training does not notice. */
static void test_answers_are_those_of_evaluations(void **state) {
  static const char yaml[] = SMALL DEVICE "array: {read_noise: 0.05}\nupdate: {scheme: pulses}\n";
  subject s = made(yaml), undisturbed = made(yaml);
  int n;
  uint8_t *label;
  mho_real *x = test_inputs(s.t, &n, &label), *y = mho_alloc((size_t)n * 10, sizeof *y);
  mho_real *many = mho_alloc((size_t)n * 3 * 64, sizeof *many),
           *answers = mho_alloc((size_t)n * 30, sizeof *answers);
  mho_evaluation v;
  mho_epoch_row row;

  OK(mho_trainer_epoch(s.t, &row, &ei));
  OK(mho_trainer_evaluate(s.t, &mho_trainer_dataset(s.t)->test, &v, &ei));
  OK(mho_trainer_predict(s.t, n, x, y, &ei));
  assert_true(share_right(n, 10, y, label) == v.accuracy);

  for (int k = 0; k < 3; k++)
    memcpy(many + (size_t)k * (size_t)n * 64, x, (size_t)n * 64 * sizeof *x);
  OK(mho_trainer_predict(s.t, 3 * n, many, answers, &ei));
  assert_memory_equal(answers, y, (size_t)n * 10 * sizeof *y);
  assert_memory_not_equal(answers + (size_t)n * 10, y, (size_t)n * 10 * sizeof *y); /* new noise */

  mho_checkpoint_row a, b;
  OK(mho_trainer_train(s.t, NULL, NULL, &ei));
  OK(mho_trainer_train(undisturbed.t, NULL, NULL, &ei));
  mho_real w[2][64 * 16];
  OK(mho_trainer_weights(s.t, "x-h1", w[0], &ei));
  OK(mho_trainer_weights(undisturbed.t, "x-h1", w[1], &ei));
  assert_memory_equal(w[0], w[1], sizeof w[0]);
  saved(s.t, &a);
  saved(undisturbed.t, &b);
  assert_int_equal(a.blob.size, b.blob.size);

  mho_blob_free(&a.blob);
  mho_blob_free(&b.blob);
  mho_free(x);
  mho_free(y);
  mho_free(label);
  mho_free(many);
  mho_free(answers);
  unmade(&s);
  unmade(&undisturbed);
}

/* Parts and sizes, as programs that know no struct ask for them. */
static void test_parts_of_a_dataset(void **state) {
  subject s = made(SMALL "dataset: {train: 300, test: 50, validation: 40}\n");
  const mho_dataset *d = mho_trainer_dataset(s.t);
  int features, outputs;
  mho_dataset_sizes(d, &features, &outputs);
  assert_int_equal(features, 64);
  assert_int_equal(outputs, 10);
  assert_int_equal(mho_images_count(mho_dataset_part(d, MHO_PART_TRAIN)), 260);
  assert_int_equal(mho_images_count(mho_dataset_part(d, MHO_PART_VALIDATION)), 40);
  assert_int_equal(mho_images_count(mho_dataset_part(d, MHO_PART_TEST)), 50);
  unmade(&s);
}

static void test_bad_inputs_are_refused(void **state) {
  subject s = made(SMALL);
  mho_real x[3 * 64] = {0}, y[3 * 10];
  x[64 + 5] = NAN;
  assert_int_equal(mho_trainer_predict(s.t, 3, x, y, &ei), MHO_EINVAL);
  assert_int_equal(ei.row, 1);
  assert_int_equal(ei.col, 5);
  assert_string_equal(ei.message, "input 5 of sample 1 is no finite number");
  assert_int_equal(mho_trainer_predict(s.t, 0, x, y, NULL), MHO_EINVAL);
  unmade(&s);
}

/* ---------------------------------------------------------------- training */

static bool count_to_2(void *user, const mho_epoch_row *row) {
  int *epochs = user;
  assert_int_equal(row->epoch, ++*epochs);
  assert_true(row->test_acc > 0);
  return *epochs == 2;
}

/* Stopped by the program, saved, loaded elsewhere, and on: the same bytes as in one go. */
static void test_training_stops_and_goes_on(void **state) {
  static const char yaml[] = "network: {hidden: [16]}\ntrain: {epochs: 4, batch: 20}\n" DEVICE
                             "update: {scheme: accumulate}\n";
  subject whole = made(yaml), begun = made(yaml), resumed = made(yaml);
  int epochs = 0;
  mho_checkpoint_row c;
  double g[2][64 * 16];

  OK(mho_trainer_train(whole.t, NULL, NULL, &ei));
  OK(mho_trainer_train(begun.t, count_to_2, &epochs, &ei));
  assert_int_equal(epochs, 2);
  saved(begun.t, &c);
  OK(mho_trainer_load(resumed.t, &c.blob, &ei));
  OK(mho_trainer_train(resumed.t, NULL, NULL, &ei));
  OK(mho_trainer_conductances(whole.t, "x-h1", 1, g[0], &ei));
  OK(mho_trainer_conductances(resumed.t, "x-h1", 1, g[1], &ei));
  assert_memory_equal(g[0], g[1], sizeof g[0]);

  mho_blob_free(&c.blob);
  unmade(&whole);
  unmade(&begun);
  unmade(&resumed);
}

static void test_weights_to_start_from_are_not_forgotten(void **state) {
  subject s = made(SMALL "train.from: somewhere/else\n");
  assert_int_equal(mho_trainer_train(s.t, NULL, NULL, &ei), MHO_EINVAL);
  assert_non_null(strstr(ei.message, "mho_trainer_from"));
  unmade(&s);
}

/* Data that the program has train as the same data of the config do; keys about files are
 * refused. */
static void test_own_data(void **state) {
  subject s = made(SMALL);
  mho_trainer *on;
  mho_real w[2][64 * 16];
  OK(mho_trainer_new_on(NULL, s.e, mho_trainer_dataset(s.t), &on, &ei));
  OK(mho_trainer_train(on, NULL, NULL, &ei));
  OK(mho_trainer_train(s.t, NULL, NULL, &ei));
  OK(mho_trainer_weights(on, "x-h1", w[0], &ei));
  OK(mho_trainer_weights(s.t, "x-h1", w[1], &ei));
  assert_memory_equal(w[0], w[1], sizeof w[0]);
  mho_trainer_free(on);

  mho_experiment *cut = experiment("dataset: {train: 100}\n");
  assert_int_equal(mho_trainer_new_on(NULL, cut, mho_trainer_dataset(s.t), &on, &ei), MHO_ECONFIG);
  assert_non_null(strstr(ei.message, "dataset.train"));
  assert_null(on);
  mho_experiment_free(cut);
  unmade(&s);
}

/* ---------------------------------------------------------------- weights, conductances */

static void test_connections_are_listed(void **state) {
  subject s = made("network: {hidden: [12, 10], biases: true}\nfeedback: {mode: asymmetric}\n");
  static const struct {
    const char *name, *from, *to;
    int rows, cols;
    bool trained;
  } expected[] = {{"x-h1", "x", "h1", 65, 12, true},
                  {"h1-h2", "h1", "h2", 13, 10, true},
                  {"h2-out", "h2", "out", 11, 10, true},
                  {"h2-h1", "h2", "h1", 10, 12, false},
                  {"out-h2", "out", "h2", 10, 10, false}};
  mho_connection_info k;
  mho_real w[65 * 12] = {0};

  assert_int_equal(mho_trainer_connections(s.t), MHO_COUNT(expected));
  for (int i = 0; i < MHO_COUNT(expected); i++) {
    OK(mho_trainer_connection(s.t, i, &k, &ei));
    assert_string_equal(k.name, expected[i].name);
    assert_string_equal(k.from, expected[i].from);
    assert_string_equal(k.to, expected[i].to);
    assert_string_equal(k.role, expected[i].trained ? "forward" : "feedback");
    assert_int_equal(k.rows, expected[i].rows);
    assert_int_equal(k.cols, expected[i].cols);
    assert_int_equal(k.trained, expected[i].trained);
    assert_int_equal(k.bias, expected[i].trained);
    assert_int_equal(k.banks, 0);
  }
  assert_int_equal(mho_trainer_connection(s.t, 5, &k, &ei), MHO_EINVAL);
  assert_int_equal(mho_trainer_weights(s.t, "x-h3", w, &ei), MHO_ENOTFOUND);
  assert_non_null(strstr(ei.message, "x-h1, h1-h2, h2-out"));
  assert_int_equal(mho_trainer_set_weights(s.t, "h2-h1", w, NULL, &ei), MHO_EINVAL);
  assert_non_null(strstr(ei.message, "fixed"));
  assert_int_equal(mho_trainer_conductances(s.t, "x-h1", 0, NULL, &ei), MHO_EINVAL);
  assert_non_null(strstr(ei.message, "device.model is 'ideal'"));
  unmade(&s);
}

static void test_weights_are_written(void **state) {
  subject s = made(SMALL);
  mho_real w[16 * 10], back[16 * 10], x[64], before[10], after[10];
  size_t clipped = 7;
  for (int i = 0; i < 64; i++)
    x[i] = (mho_real)(i % 5) / 5;
  for (int i = 0; i < 160; i++)
    w[i] = (mho_real)(i % 7 - 3) / 8;

  OK(mho_trainer_predict(s.t, 1, x, before, &ei));
  OK(mho_trainer_set_weights(s.t, "h1-out", w, &clipped, &ei));
  OK(mho_trainer_weights(s.t, "h1-out", back, &ei));
  OK(mho_trainer_predict(s.t, 1, x, after, &ei));
  assert_int_equal(clipped, 0);
  assert_memory_equal(w, back, sizeof w);
  assert_memory_not_equal(before, after, sizeof before);

  w[23] = INFINITY;
  assert_int_equal(mho_trainer_set_weights(s.t, "h1-out", w, NULL, &ei), MHO_EINVAL);
  assert_int_equal(ei.row, 2);
  assert_int_equal(ei.col, 3);
  unmade(&s);
}

/* A weight is w_max times the difference of its normalized conductances. */
static void test_conductances_are_read_and_written(void **state) {
  enum { CELLS = 64 * 16 };
  subject s = made(SMALL "device: {model: soft_bounds, g_min: 2 uS, g_max: 52 uS}\n");
  static double g[2][CELLS], back[CELLS];
  static mho_real w[CELLS], effective[CELLS];
  size_t clipped;
  mho_connection_info k;
  OK(mho_trainer_connection(s.t, 0, &k, &ei));
  assert_int_equal(k.banks, 2);
  double gain[2] = {0};
  assert_string_equal(mho_trainer_bank(s.t, 0, 0, &gain[0]), "pos");
  assert_string_equal(mho_trainer_bank(s.t, 0, 1, &gain[1]), "neg");
  assert_null(mho_trainer_bank(s.t, 0, 2, &gain[0]));

  for (int i = 0; i < CELLS; i++) {
    g[0][i] = 2e-6 + 5e-5 * (i % 11) / 10.0;
    g[1][i] = 2e-6 + 5e-5 * (i % 3) / 2.0;
  }
  for (int b = 0; b < 2; b++) {
    OK(mho_trainer_set_conductances(s.t, "x-h1", b, g[b], &clipped, &ei));
    assert_int_equal(clipped, 0);
    OK(mho_trainer_conductances(s.t, "x-h1", b, back, &ei));
    for (int i = 0; i < CELLS; i++)
      NEAR(back[i], g[b][i], 1e-6, 0);
  }
  OK(mho_trainer_weights(s.t, "x-h1", w, &ei));
  OK(mho_trainer_effective(s.t, "x-h1", effective, &ei));
  for (int i = 0; i < CELLS; i++)
    NEAR(w[i], k.w_max * (gain[0] * g[0][i] + gain[1] * g[1][i]) / 5e-5, 1e-5, 1e-6 * k.w_max);
  assert_memory_equal(w, effective, sizeof w);

  g[0][3] = 9e-5;
  g[0][4] = 1e-6;
  OK(mho_trainer_set_conductances(s.t, "x-h1", 0, g[0], &clipped, &ei));
  assert_int_equal(clipped, 2);
  OK(mho_trainer_conductances(s.t, "x-h1", 0, back, &ei));
  NEAR(back[3], 5.2e-5, 1e-6, 0);
  NEAR(back[4], 2e-6, 1e-6, 0);

  g[0][17] = -1e-6;
  assert_int_equal(mho_trainer_set_conductances(s.t, "x-h1", 0, g[0], NULL, &ei), MHO_EINVAL);
  assert_int_equal(ei.row, 1);
  assert_int_equal(ei.col, 1);
  assert_int_equal(mho_trainer_conductances(s.t, "x-h1", 2, back, &ei), MHO_EINVAL);
  unmade(&s);
}

/* With wires, reads multiply with less than what is programmed, also after weights were brought. */
/* A weight is w_max times the sum of gains and normalized conductances, in every mapping. */
static void test_weights_follow_from_conductances(void **state) {
  enum { CELLS = 64 * 16 };
  static const char *const mappings[] = {"differential", "reference", "offset", "one_sided",
                                         "single"};
  static double g[CELLS], sum[CELLS];
  static mho_real w[CELLS];

  for (int m = 0; m < MHO_COUNT(mappings); m++) {
    char yaml[256];
    snprintf(yaml, sizeof yaml,
             SMALL "device: {model: soft_bounds, mapping: %s, g_min: 2 uS, g_max: 52 uS}\n",
             mappings[m]);
    subject s = made(yaml);
    mho_connection_info k;
    OK(mho_trainer_connection(s.t, 0, &k, &ei));

    memset(sum, 0, sizeof sum);
    for (int b = 0; b < k.banks; b++) {
      double gain = 0;
      assert_non_null(mho_trainer_bank(s.t, 0, b, &gain));
      OK(mho_trainer_conductances(s.t, "x-h1", b, g, &ei));
      for (int i = 0; i < CELLS; i++)
        sum[i] += gain * (g[i] - 2e-6) / 5e-5;
    }
    OK(mho_trainer_weights(s.t, "x-h1", w, &ei));
    for (int i = 0; i < CELLS; i++)
      NEAR(w[i], k.w_max * sum[i], 1e-5, 2e-6 * k.w_max);
    unmade(&s);
  }
}

static void test_wires_are_in_the_effective_matrix(void **state) {
  subject s = made(SMALL "device: {model: soft_bounds, g_min: 2 uS, g_max: 52 uS}\n"
                         "array: {wire: {r_word: 5 ohm, r_bit: 5 ohm}}\n");
  static mho_real w[64 * 16], effective[64 * 16];
  size_t less = 0;
  for (int i = 0; i < 64 * 16; i++)
    w[i] = (mho_real)0.05;
  OK(mho_trainer_set_weights(s.t, "x-h1", w, NULL, &ei));
  OK(mho_trainer_effective(s.t, "x-h1", effective, &ei));
  for (int i = 0; i < 64 * 16; i++)
    less += effective[i] < w[i] && effective[i] > 0;
  assert_int_equal(less, 64 * 16);
  unmade(&s);
}

/* ---------------------------------------------------------------- threads */

enum { TRAINERS = 4 };

/* What one thread trains, and what comes of it. */
typedef struct share {
  const char *set;
  mho_real w[64 * 16];
  double loss;
  mho_err err, refused;
  mho_errinfo ei, of_refused;
} share;

static bool note_loss(void *user, const mho_epoch_row *row) {
  ((share *)user)->loss = row->loss;
  return false;
}

static void *train_share(void *arg) {
  share *s = arg;
  mho_experiment *e = NULL, *bad = NULL;
  mho_trainer *t = NULL;
  s->refused =
      mho_experiment_of_yaml(NULL, "train: {epochs: none}\n", 1, &s->set, &bad, &s->of_refused);
  s->err = mho_experiment_of_yaml(NULL, SMALL DEVICE "update: {scheme: pulses}\n", 1, &s->set, &e,
                                  &s->ei);
  if (!s->err)
    s->err = mho_trainer_new(NULL, e, &t, &s->ei);
  if (!s->err)
    s->err = mho_trainer_train(t, note_loss, s, &s->ei);
  if (!s->err)
    s->err = mho_trainer_weights(t, "x-h1", s->w, &s->ei);
  mho_trainer_free(t);
  mho_experiment_free(e);
  return NULL;
}

/* Trainers side by side, each in a thread of its own, find what each finds alone. */
static void test_trainers_side_by_side(void **state) {
  static const char *const set[TRAINERS] = {"train.seed=1", "train.seed=2", "settle.method=sweep",
                                            "rule.name=bp"};
  static share alone[TRAINERS], together[TRAINERS];
  pthread_t thread[TRAINERS];
  for (int i = 0; i < TRAINERS; i++) {
    alone[i].set = together[i].set = set[i];
    train_share(&alone[i]);
    assert_int_equal(alone[i].err, MHO_OK);
  }
  for (int i = 0; i < TRAINERS; i++)
    assert_int_equal(pthread_create(&thread[i], NULL, train_share, &together[i]), 0);
  for (int i = 0; i < TRAINERS; i++)
    pthread_join(thread[i], NULL);

  for (int i = 0; i < TRAINERS; i++) {
    assert_int_equal(together[i].err, MHO_OK);
    assert_true(together[i].loss == alone[i].loss);
    assert_memory_equal(together[i].w, alone[i].w, sizeof alone[i].w);
    assert_int_equal(together[i].refused, MHO_ECONFIG);
    assert_non_null(strstr(together[i].of_refused.message, "train.epochs"));
  }
  assert_memory_not_equal(alone[0].w, alone[1].w, sizeof alone[0].w);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_experiments_are_made_of_text),
                                     cmocka_unit_test(test_answers_follow_from_the_weights),
                                     cmocka_unit_test(test_answers_are_those_of_evaluations),
                                     cmocka_unit_test(test_parts_of_a_dataset),
                                     cmocka_unit_test(test_bad_inputs_are_refused),
                                     cmocka_unit_test(test_training_stops_and_goes_on),
                                     cmocka_unit_test(test_weights_to_start_from_are_not_forgotten),
                                     cmocka_unit_test(test_own_data),
                                     cmocka_unit_test(test_connections_are_listed),
                                     cmocka_unit_test(test_weights_are_written),
                                     cmocka_unit_test(test_conductances_are_read_and_written),
                                     cmocka_unit_test(test_weights_follow_from_conductances),
                                     cmocka_unit_test(test_wires_are_in_the_effective_matrix),
                                     cmocka_unit_test(test_trainers_side_by_side)};
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
