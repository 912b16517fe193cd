/* The difference settled itself, in double precision, against two states subtracted: every neuron,
 * topology and kind of feedback, finite nudges and small ones; and sweeps against the synchronous
 * map.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiment.h"
#include "mho/model/check.h"

_Static_assert(sizeof(mho_real) == 8, "subtraction needs the double build");

enum { IMAGES = 8 };

/* Largest difference of the gradients of two configs, relative to the largest entry of each
 * connection. */
static double disagreement(const char *a, const char *b) {
  mho_experiment *e[2] = {experiment(a), experiment(b)};
  mho_trainer *t[2] = {trainer(e[0]), trainer(e[1])};
  double worst = 0;
  for (int c = 0; c < mho_trainer_network(t[0])->n_trained; c++) {
    const mho_crossbar *x = mho_trainer_network(t[0])->connection[c].xb;
    size_t n = (size_t)x->rows * (size_t)x->cols;
    double *g[2], most = 0, error = 0;
    for (int k = 0; k < 2; k++) {
      g[k] = malloc(n * sizeof **g);
      OK(mho_trainer_gradient(t[k], 0, IMAGES, c, g[k], &ei));
    }
    for (size_t i = 0; i < n; i++) {
      most = fmax(most, fabs(g[0][i]));
      error = fmax(error, fabs(g[0][i] - g[1][i]));
    }
    assert_true(most > 0);
    worst = fmax(worst, error / most);
    free(g[0]);
    free(g[1]);
  }

  for (int k = 0; k < 2; k++) {
    mho_trainer_free(t[k]);
    mho_experiment_free(e[k]);
  }

  return worst;
}

static const char *nets[] = {
    "topology: layered, hidden: [12, 9, 8]",
    "topology: residual, hidden: [9, 8, 7, 9, 8, 7, 6]",
    "topology: agt, link_probability: 0.5, hidden: [9, 8, 7, 8]",
    "topology: graph, links: [x>1, x>2, 1-2, 2-3, 1-3, 3-out, 2-out], hidden: [9, 8, 7]",
};

static void compare(const char *net, const char *neuron, const char *mode, double beta,
                    double nudge, const char *phases) {
  char a[768], b[768];
  static const char common[] =
      "network: {%s, neuron: %s}\nfeedback: {mode: %s, scale: %g}\ntrain: {batch: 8}\n"
      "rule: {name: ep, nudge: %g, phases: %s, gradient: normalized}\nsettle: ";
  size_t n = (size_t)snprintf(a, sizeof a, common, net, neuron, mode, beta, nudge, phases);
  strcpy(b, a);
  snprintf(a + n, sizeof a - n, "{method: synchronous, free: 800, nudged: 800}\n");
  snprintf(b + n, sizeof b - n, "{method: sweep, difference: direct, free: 400, nudged: 400}\n");
  double d = disagreement(a, b);
  if (d > 1e-6)
    fail_msg("%s %s %s beta_i %g nudge %g %s: %g", net, neuron, mode, beta, nudge, phases, d);
  n += (size_t)snprintf(b + n, sizeof b - n,
                        "{method: sweep, difference: subtract, free: 400, nudged: 400}\n");
  d = disagreement(a, b);
  if (d > 1e-6)
    fail_msg("subtracted in sweeps: %s %s %s beta_i %g nudge %g %s: %g", net, neuron, mode, beta,
             nudge, phases, d);
}

static void test_direct_is_the_difference(void **state) {
  static const char *neurons[] = {"tanh", "sigmoid", "hard_sigmoid", "relu", "linear"};
  for (int i = 0; i < MHO_COUNT(nets); i++)
    for (int k = 0; k < MHO_COUNT(neurons); k++)
      for (int m = 0; m < 2; m++)
        for (int p = 0; p < 2; p++) {
          const char *mode = m ? "asymmetric" : "symmetric", *phases = p ? "centred" : "one_sided";
          compare(nets[i], neurons[k], mode, 0.05, 1.5,
                  phases); /* a nudge that is not small: kinks and bends */
          compare(nets[i], neurons[k], mode, 0.1, 0.1, phases);
        }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_direct_is_the_difference)};
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
