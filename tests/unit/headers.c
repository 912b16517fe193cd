/* A program as a library user would write it, compiled as strict C17: trains without the command.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/mho.h"
#include "mho/model/num.h"

#include "test.h"

static void test_a_library_user_trains(void **state) {
  mho_errinfo ei = {0};
  mho_registry *registry;
  mho_config *config;
  mho_experiment *experiment;
  mho_train_options options = {0};
  mho_train_result result;
  mho_blas_init();
  OK(mho_registry_new(&registry, &ei));
  OK(mho_config_new(&config, &ei));
  OK(mho_config_text(
      config, "network: {hidden: [32]}\nupdate: {rate: 5e-3}\ntrain: {epochs: 3, batch: 20}\n",
      "here", &ei));
  OK(mho_experiment_new(registry, config, false, &experiment, &ei));
  OK(mho_train(NULL, experiment, &options, &result, &ei));
  assert_string_equal(result.status, "completed");
  assert_true(result.final_test_acc > 0.8);
  mho_experiment_free(experiment);
  mho_config_free(config);
  mho_registry_free(registry);
}

/* GSL brings a slow cblas of its own; products must reach OpenBLAS's. */
static void test_products_are_openblas(void **state) {
  assert_true(strlen(mho_blas_kernel()) > 2);
  enum { N = 384 };
  mho_real *a = mho_alloc(3 * N * N, sizeof *a), *b = a + N * N, *c = b + N * N;
  for (int i = 0; i < N * N; i++) {
    a[i] = (mho_real)(i % 7);
    b[i] = (mho_real)(i % 5);
  }
  mho_gemm(true, false, N, N, N, 1, a, N, b, N, 0, c, N);
  double first = 0;
  for (int k = 0; k < N; k++)
    first += (double)(a[k * N] * b[k * N]);
  NEAR(c[0], first, 1e-6, 0);
  mho_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_library_user_trains),
                                     cmocka_unit_test(test_products_are_openblas)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
