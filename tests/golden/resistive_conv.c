/* Convolutional networks of resistors in double precision: as resistive.c, and the same
 * conductances as a network that is joined all to all.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define REST  250
#define PICKS 3
#include "resistors.h"

#define BORDERED CONV("[4x3s2p1, 6x2p1]")
#define STRIDED  CONV("[6x3s2, 8x2]")
#define DENSE    CONV("[4x3s2p1, 4x3p1, 10]")

static void test_gradient(void **state) {
  static const char *const nets[] = {
      BORDERED IDEAL DIRECT TINY, DENSE JUNCTION DIRECT TINY,    STRIDED IDEAL SUBTRACT SMALL,
      DENSE BOTH DIRECT TINY,     BORDERED LOPSIDED DIRECT TINY, STRIDED NONE DIRECT SIDED,
  };
  for (int i = 0; i < MHO_COUNT(nets); i++)
    check_gradient(nets[i]);
}

static void test_differences(void **state) {
  check_differences(BORDERED);
}

static void test_energy_falls_to_rest(void **state) {
  check_rest(DENSE);
}

static void test_balance_of_evaluations(void **state) {
  check_balance(BORDERED);
}

/* ---------------------------------------------------------------- unrolled */

/* Every position's conductances on their own, between all nodes of two layers: [from + bias] of
 * [to]. A dense layer has no ground that a border could lead to. */
static void unroll(const mho_connection *k, const mho_crossbar *to) {
  const double *w = mho__crossbar_programmed(k->xb);
  int cols = k->xb->cols, rows = k->xb->rows - k->bias;
  double zero = 0;
  for (size_t i = 0; i < mho_crossbar_cells(to); i++)
    mho_crossbar_set((mho_crossbar *)to, i, 1, &zero);

  for (int j = 0; j < to->cols; j++) {
    for (int i = 0; i < rows; i++) {
      int unit = unit_of(k, j / cols, i);
      assert_true(unit >= 0);
      mho_crossbar_set((mho_crossbar *)to, (size_t)(unit * to->cols + j), 1,
                       &w[i * cols + j % cols]);
    }
    mho_crossbar_set((mho_crossbar *)to, (size_t)((to->rows - 1) * to->cols + j), 1,
                     &w[rows * cols + j % cols]);
  }
}

/* Half of a dense layer is kept at or above 0, and half of the channels of a position: without
 * rectifiers both networks are one. */
static void test_unrolled(void **state) {
  mho_experiment *e[2];
  mho_trainer *t[2] = {subject(STRIDED NONE DIRECT TINY, &e[0]),
                       subject(NET("[54, 32]") NONE DIRECT TINY, &e[1])};
  const mho_network *net[2] = {mho_trainer_network(t[0]), mho_trainer_network(t[1])};
  mho_evaluation v[2];
  assert_int_equal(net[0]->layer[1].n, 54);
  assert_int_equal(net[0]->layer[2].n, 32);

  for (int c = 0; c < net[0]->n_trained; c++)
    unroll(&net[0]->connection[c], net[1]->connection[c].xb);
  for (int k = 0; k < 2; k++)
    OK(mho_trainer_evaluate(t[k], &mho_trainer_dataset(t[k])->test, &v[k], &ei));
  NEAR(v[1].loss, v[0].loss, 1e-12, 0);
  NEAR(v[1].dissipated, v[0].dissipated, 1e-12, 0);

  for (int k = 0; k < 2; k++) {
    mho_trainer_free(t[k]);
    mho_experiment_free(e[k]);
  }
}

/* ---------------------------------------------------------------- training goes on */

#define IMAGED "topology: conv, conv: [4x3s2p1, 6x2]"

/* Two epochs on so many threads. */
static double *trained_on(int threads, size_t *n) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml, SHORT, IMAGED, 1, "kept", "");
  mho_experiment *e = experiment(yaml);
  mho_context ctx = {0};
  mho_trainer *t;
  mho_epoch_row row;
  OK(mho_pool_new(threads, &ctx.pool, &ei));
  OK(mho_trainer_new(&ctx, e, &t, &ei));
  for (int epoch = 0; epoch < 2; epoch++)
    OK(mho_trainer_epoch(t, &row, &ei));
  double *w = weights_of(t, n);
  mho_trainer_free(t);
  mho_pool_free(ctx.pool);
  mho_experiment_free(e);
  return w;
}

static void test_threads(void **state) {
  size_t n;
  double *one = trained_on(1, &n);
  for (int threads = 2; threads <= 4; threads += 2) {
    double *more = trained_on(threads, &n);
    assert_memory_equal(one, more, n * sizeof *one);
    free(more);
  }
  free(one);
}

static void test_resume(void **state) {
  size_t n;
  double *plain = trained(IMAGED, "kept", 4, false, false, "", &n);
  double *loaded = trained(IMAGED, "kept", 4, true, true, "", &n);
  double *zero = trained(IMAGED, "zero", 4, true, true, "", &n);
  assert_memory_equal(plain, loaded, n * sizeof *plain);
  assert_memory_not_equal(plain, zero, n * sizeof *plain);
  free(plain);
  free(loaded);
  free(zero);
}

/* ---------------------------------------------------------------- devices */

static void test_devices_are_conductances(void **state) {
  check_devices("dynamics: resistive\n"
                "network: {topology: conv, conv: [4x3s2p1, 6x2p1], biases: false}\n");
}

static void test_devices_learn(void **state) {
  static const char *const schemes[] = {"accumulate}", "stochastic}"};
  for (int i = 0; i < MHO_COUNT(schemes); i++) {
    char more[512];
    size_t n;
    snprintf(more, sizeof more,
             SINGLE "network: {biases: false}\nupdate: {rate: 0.05, scheme: %s\n", schemes[i]);
    double *plain = trained(IMAGED, "kept", 4, false, false, more, &n);
    double *loaded = trained(IMAGED, "kept", 4, true, true, more, &n);
    assert_memory_equal(plain, loaded, n * sizeof *plain);
    free(plain);
    free(loaded);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gradient),
      cmocka_unit_test(test_differences),
      cmocka_unit_test(test_energy_falls_to_rest),
      cmocka_unit_test(test_balance_of_evaluations),
      cmocka_unit_test(test_unrolled),
      cmocka_unit_test(test_threads),
      cmocka_unit_test(test_resume),
      cmocka_unit_test(test_devices_are_conductances),
      cmocka_unit_test(test_devices_learn),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
