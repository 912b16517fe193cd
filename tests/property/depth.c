/* In single precision, at depths where subtraction fails: the directly settled difference keeps the
 * direction of backpropagation, and neither underflows nor overflows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiment.h"
#include "mho/model/check.h"

/* Smallest cosine over the connections of EP's gradient with backpropagation's, on 200 images at
 * the start. */
static double worst_cosine(int depth, const char *topology, const char *feedback,
                           const char *settle) {
  char yaml[2][1536];
  mho_experiment *e[2];
  mho_trainer *t[2];
  double worst = 1;
  for (int k = 0; k < 2; k++) {
    snprintf(yaml[k], sizeof yaml[k],
             "feedback: %s\ntrain: {batch: 200}\nrule: %s\nsettle: %s\nnetwork: {topology: %s, "
             "hidden: [",
             feedback, k ? "bp" : "ep", settle, topology);
    for (int l = 0; l < depth; l++)
      mho_text_append(yaml[k], sizeof yaml[k], "%s64", l ? "," : "");
    mho_text_append(yaml[k], sizeof yaml[k], "]}\n");
    e[k] = experiment(yaml[k]);
    t[k] = trainer(e[k]);
  }

  for (int c = 0; c <= depth; c++) {
    const mho_crossbar *x = mho_trainer_network(t[0])->connection[c].xb;
    size_t n = (size_t)x->rows * (size_t)x->cols;
    mho_real *g[2];
    for (int k = 0; k < 2; k++) {
      g[k] = malloc(n * sizeof **g);
      OK(mho_trainer_gradient(t[k], 0, 200, c, g[k], &ei));
    }
    double s = cosine(n, g[0], g[1]);
    worst = s >= worst ? worst : s; /* a NaN stays */
    free(g[0]);
    free(g[1]);
  }

  for (int k = 0; k < 2; k++) {
    mho_trainer_free(t[k]);
    mho_experiment_free(e[k]);
  }

  return worst;
}

static void test_depth(void **state) {
  double ten = worst_cosine(10, "layered", "{scale: 0.01}", "sweep");
  double fifty = worst_cosine(50, "layered", "{scale: 0.001}", "sweep");
  double subtracted =
      worst_cosine(10, "layered", "{scale: 0.01}", "{method: synchronous, free: 100, nudged: 50}");
  print_message("  worst cosine with backpropagation: 10 layers %.5f, 50 layers %.5f, 10 layers "
                "subtracted %.3f\n",
                ten, fifty, subtracted);
  assert_true(ten > 0.99);
  assert_true(fifty > 0.99);
  assert_true(!(subtracted > 0.5)); /* what the direct difference is for */
}

static void test_skips(void **state) {
  double layer = worst_cosine(10, "residual", "{scale: 0.01, per: layer}", "sweep");
  double link = worst_cosine(10, "residual", "{scale: 0.01}", "sweep");
  print_message("  residual: worst cosine %.5f with beta_i a layer, %.3f with beta_i a link\n",
                layer, link);
  assert_true(layer > 0.99);
  assert_true(!(link > 0.95)); /* only the shortest ways back are left of the gradient */
}

/* Every neuron's difference against the same expression in long double, over activities, scales
 * and changes. */
static void test_neuron_differences(void **state) {
  static const double scales[] = {0.1, -0.1, 1e-3, 1e-6, 2, 1e-30, 0};
  for (int i = 0; i < mho_registry_count(registry, MHO_KIND_NEURON); i++) {
    const mho_neuron *n = (const mho_neuron *)mho_registry_at(registry, MHO_KIND_NEURON, i);
    for (int k = 0; k < MHO_COUNT(scales); k++)
      for (double a = -8; a <= 8; a += 0.37)
        for (double e = -3; e <= 3; e += 0.41) {
          mho_real z = (mho_real)a, keep = 0, got = (mho_real)e, c = (mho_real)scales[k];
          n->activate_keep(1, &z, &keep);
          n->difference(1, c, &z, &keep, &got);
          long double la = (long double)(mho_real)a,
                      x = la - (long double)c * (long double)(mho_real)e, expected;
          if (!strcmp(n->entry.id, "tanh")) {
            long double h = x - la, slope = 1 / (coshl(la) * coshl(la)), tt = tanhl(h);
            expected = c == 0 || fabsf((float)c) < 1e-20f
                           ? slope * (long double)(mho_real)e
                           : -tt * slope / (1 + tanhl(la) * tt) / (long double)c;
            /* a change that crosses from one saturation to the other leaves 1 - z t to rounding */
            NEAR(got, (double)expected, 1e-5 + 3e-7 / (double)(1 + tanhl(la) * tt), 1e-30);
          } else if (fabs((double)c) >= 1e-3) {
            mho_real in[2] = {(mho_real)x, (mho_real)a};
            n->activate(2, in, in);
            expected = -((long double)in[0] - (long double)in[1]) / (long double)c;
            NEAR(got, (double)expected, 1e-5,
                 4e-6 / fabs((double)c)); /* the reference is what cancels */
          } else if (c != 0 &&
                     (fabs(a) > 0.1 && fabs(a - 1) > 0.1)) { /* away from the kinks, the slope */
            mho_real slope = (mho_real)e;
            n->scale_by_slope(1, &z, &slope);
            /* the slope of a sigmoid, from z, loses what its distance from 0 and 1 has lost */
            bool rounds = !strcmp(n->entry.id, "sigmoid");
            NEAR(got, slope, 1e-5 + (rounds ? 1e-7 / (double)(z * (1 - z)) : 0), 0);
          }
        }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_depth), cmocka_unit_test(test_skips),
                                     cmocka_unit_test(test_neuron_differences)};
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
