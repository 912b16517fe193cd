/* The rule balance in double precision: backpropagation's gradient in chains, central differences
 * of the settled loss in nets with loops, equilibrium propagation's gradient where that is true.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"

_Static_assert(sizeof(mho_real) == 8,
               "this test tells rounding from error: it needs the double build");

enum { SAMPLES = 20, WEIGHTS = 20 };

static double loss_at(mho_trainer *t) {
  mho_images part = mho_trainer_dataset(t)->train;
  mho_evaluation v;
  part.n = SAMPLES;
  OK(mho_trainer_evaluate(t, &part, &v, &ei));
  return v.loss;
}

static mho_real *gradient(mho_trainer *t, int c, int samples) {
  mho_real *g = malloc(mho_crossbar_cells(mho_trainer_network(t)->connection[c].xb) * sizeof *g);
  OK(mho_trainer_gradient(t, 0, samples, c, g, &ei));
  return g;
}

/* ---------------------------------------------------------------- two rules */

/* Smallest cosine over the connections between the gradients of two configs, after so many epochs
 * of the first one's. */
static double worst_cosine(const char *common, const char *a, const char *b, int epochs) {
  char yaml[2][1024];
  mho_experiment *e[2];
  mho_trainer *t[2];
  double worst = 1;
  for (int k = 0; k < 2; k++) {
    snprintf(yaml[k], sizeof yaml[k], "%s%s", common, k ? b : a);
    e[k] = experiment(yaml[k]);
    t[k] = trainer(e[k]);
  }

  const mho_network *net[2] = {mho_trainer_network(t[0]), mho_trainer_network(t[1])};
  mho_epoch_row row;
  for (int i = 0; i < epochs; i++)
    OK(mho_trainer_epoch(t[0], &row, &ei));
  for (int c = 0; c < net[0]->n_trained; c++) {
    size_t n = mho_crossbar_cells(net[0]->connection[c].xb);
    mho_crossbar_set(net[1]->connection[c].xb, 0, n,
                     mho__crossbar_programmed(net[0]->connection[c].xb));
  }

  for (int c = 0; c < net[0]->n_trained; c++) {
    mho_real *g[2] = {gradient(t[0], c, SAMPLES), gradient(t[1], c, SAMPLES)};
    worst = fmin(worst, cosine(mho_crossbar_cells(net[0]->connection[c].xb), g[0], g[1]));
    free(g[0]);
    free(g[1]);
  }
  for (int k = 0; k < 2; k++) {
    mho_trainer_free(t[k]);
    mho_experiment_free(e[k]);
  }
  return worst;
}

static const char *const chains[] = {
    "network: {hidden: [64, 64, 64]}\n",
    "network: {hidden: [64, 64, 64], neuron: relu, biases: true, init: fan_in}\n",
    "network: {topology: residual, hidden: [20, 20, 20, 20]}\n",
    "network: {topology: conv, conv: [4x3 pool2, 5x3], biases: true}\n",
};

/* Without feedback the net is feed-forward, and the rule backpropagation. */
static void as_backpropagation(const char *net, const char *settle) {
  char common[512];
  snprintf(common, sizeof common, "%sfeedback: {scale: 0}\nsettle: %s\ntrain: {batch: 100}\n", net,
           settle);
  for (int epochs = 0; epochs < 2; epochs++) {
    double c = worst_cosine(common, "rule: balance\n", "rule: bp\n", epochs);
    if (!(c > 1 - 1e-12))
      fail_msg("%s, epoch %d: cosine 1 - %g with bp", common, epochs, 1 - c);
  }
}

static void test_backpropagation(void **state) {
  char folder[MHO_TEXT_MAX];
  const mho_dataset_kind *mnist =
      (const mho_dataset_kind *)mho_registry_find(registry, MHO_KIND_DATASET, "mnist");
  for (int i = 0; i < MHO_COUNT(chains); i++) {
    as_backpropagation(chains[i], "{method: sweep}");
    as_backpropagation(chains[i], "{method: synchronous, free: 20}");
  }

  mho_dataset_locate(mnist, "", folder, sizeof folder);
  if (*folder)
    as_backpropagation("dataset: {name: mnist, train: 1000, test: 100}\n"
                       "network: {hidden: [64, 64, 64]}\n",
                       "{method: sweep}");
  else
    print_message("  MNIST is not here: 784-3x64-10 was not looked at (set MHO_DATA)\n");
}

/* Equilibrium propagation in the limit of a small nudge is the gradient in a chain, its feedback
 * held. */
static void test_equilibrium_propagation(void **state) {
  const char *common = "network: {hidden: [24, 20, 16]}\nfeedback: {scale: 0.1}\n"
                       "settle: {method: sweep, free: 40, nudged: 40}\ntrain: {batch: 100}\n";
  for (int epochs = 0; epochs < 2; epochs++) {
    double c = worst_cosine(common, "rule: balance\n",
                            "rule: {name: ep, nudge: 1e-4, gradient: normalized}\n", epochs);
    print_message("  with ep, epoch %d: cosine 1 - %.2g\n", epochs, 1 - c);
    assert_true(c > 0.9999);
  }
}

/* In continuous time, settled tightly, the credits are those of sweeps. */
static void test_relaxed(void **state) {
  static const char *const nets[] = {
      "network: {hidden: [12, 10, 8], biases: true}\n",
      "network: {topology: agt, link_probability: 0.6, hidden: [9, 8, 7, 6]}\n"};
  static const char *const tied[] = {"forward", "both"};
  for (int i = 0; i < 2; i++)
    for (int k = 0; k < 2; k++) {
      char common[512], relax[512], sweep[512];
      snprintf(common, sizeof common, "%sfeedback: {scale: 0.1}\ntrain: {batch: 100}\n", nets[i]);
      snprintf(relax, sizeof relax,
               "settle: {method: ode, tolerance: 1e-9}\n"
               "rule: {name: balance, credit_tolerance: 1e-9, tied: %s}\n",
               tied[k]);
      snprintf(sweep, sizeof sweep,
               "settle: {method: sweep, tolerance: 1e-12}\nrule: {name: balance, tied: %s}\n",
               tied[k]);
      double c = worst_cosine(common, relax, sweep, 0);
      if (!(c > 1 - 1e-10))
        fail_msg("%s%s: cosine 1 - %g with sweeps", common, relax, 1 - c);
    }
}

/* ---------------------------------------------------------------- finite differences */

/* Fixed feedback becomes the transposed weights, as far as there are some. */
static void mirror(mho_network *net) {
  for (int b = net->n_trained; b < net->n_connections; b++)
    for (int c = 0; c < net->n_trained; c++) {
      const mho_connection *back = &net->connection[b], *forward = &net->connection[c];
      if (back->from != forward->to || back->to != forward->from || back->conv.kernel)
        continue;
      int rows = forward->xb->rows - forward->bias, cols = forward->xb->cols;
      mho_real *w = malloc((size_t)rows * (size_t)cols * sizeof *w);
      for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++)
          w[j * rows + i] = mho__crossbar_programmed(forward->xb)[i * cols + j];
      mho_crossbar_set(back->xb, 0, (size_t)rows * (size_t)cols, w);
      free(w);
    }
}

/* Largest error of the gradient relative to a connection's largest derivative, over weights at
 * random places of every connection. Gradients are over alpha, as those of all rules. */
static double gradient_error(const char *net_yaml, const char *settle, const char *mode,
                             const char *tied) {
  char yaml[768];
  const double h = 1e-4; /* the quotient errs by h^2 times the third derivative: about 1e-9 */
  snprintf(yaml, sizeof yaml,
           "%sfeedback: {scale: 0.1, mode: %s}\nsettle: %s\ntrain: {batch: %d}\n"
           "rule: {name: balance, tied: %s}\n",
           net_yaml, mode, settle, SAMPLES, tied);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_network *net = mho_trainer_network(t);
  double worst = 0;
  if (!strcmp(mode, "asymmetric"))
    mirror(net);

  for (int c = 0; c < net->n_trained; c++) {
    mho_crossbar *x = net->connection[c].xb;
    size_t n = mho_crossbar_cells(x);
    mho_real *g = gradient(t, c, SAMPLES);
    bool hidden = net->connection[c].from > 0 && net->connection[c].to < mho_hidden_end(net);
    double largest = 0, error = 0, alpha = hidden ? net->forward_scale : 1;
    for (int k = 0; k < WEIGHTS; k++) {
      float u;
      mho_rng_uniform(mho_rng_make(7, MHO_RNG_TEST, (uint32_t)c), 0, (uint64_t)k, 1, &u);
      size_t i = k == 0 ? n - 1 : (size_t)((double)u * (double)n); /* the last one: of a bias */
      mho_real w = mho__crossbar_programmed(x)[i], plus = w + h, minus = w - h;
      mho_crossbar_set(x, i, 1, &plus);
      double up = loss_at(t);
      mho_crossbar_set(x, i, 1, &minus);
      double down = loss_at(t);
      mho_crossbar_set(x, i, 1, &w);
      double d = (up - down) / (2 * h * alpha);
      error = fmax(error, fabs(g[i] - d));
      largest = fmax(largest, fabs(d));
    }
    worst = fmax(worst, error / largest);
    free(g);
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
  return worst;
}

static const char *const loops[] = {
    "network: {hidden: [11, 9, 7], biases: true, init: fan_in}\n",
    "network: {topology: residual, hidden: [9, 9, 8, 8], output: linear}\n",
    "network: {topology: agt, link_probability: 0.5, hidden: [9, 8, 7, 6]}\n",
    "network: {topology: graph, hidden: [9, 8, 7], neuron: linear, links: [x>1, x>2, 1-2, "
    "2-3, 1-3, 3-out, 2-out]}\n",
};

/* With feedback of weights of its own, the gradient has it held; one crossbar for both directions
 * is perturbed in both, which is what `both` is the gradient of, and `forward` is not. */
static void test_finite_differences(void **state) {
  const char *settle = "{method: sweep, tolerance: 1e-12}";
  for (int i = 0; i < MHO_COUNT(loops); i++) {
    double held = gradient_error(loops[i], settle, "asymmetric", "forward");
    double both = gradient_error(loops[i], settle, "symmetric", "both");
    double forward = gradient_error(loops[i], settle, "symmetric", "forward");
    print_message("  net %d: error %.2g with feedback held, %.2g tied; forward alone %.2g\n", i,
                  held, both, forward);
    assert_true(held < 1e-4 && both < 1e-4);
    assert_true(forward > 1e-3);
  }
}

/* Other settlers, and convolutions with pooling. */
static void test_finite_differences_elsewhere(void **state) {
  const char *conv = "network: {topology: conv, conv: [4x3 pool2, 5x3], biases: true}\n";
  const char *sweeps = "{method: sweep, tolerance: 1e-12}";
  assert_true(gradient_error(loops[2], "{method: synchronous, free: 60}", "symmetric", "both") <
              1e-4);
  assert_true(gradient_error("network: {hidden: [11, 9, 7], forward_scale: 0.6}\n", sweeps,
                             "symmetric", "both") < 1e-4);
  assert_true(gradient_error(loops[0], "{method: ode, tolerance: 1e-10}", "symmetric", "both") <
              1e-3);
  double held = gradient_error(conv, sweeps, "asymmetric", "forward"),
         both = gradient_error(conv, sweeps, "symmetric", "both");
  print_message("  convolutions: error %.2g with feedback held, %.2g tied\n", held, both);
  assert_true(held < 1e-4 && both < 1e-4);
}

/* The gradient with the feedback held is the same whether or not it has crossbars of its own. */
static void forward_use(const char *net) {
  mho_experiment *e[2];
  mho_trainer *t[2];
  for (int k = 0; k < 2; k++) {
    char yaml[768];
    snprintf(yaml, sizeof yaml,
             "%sfeedback: {scale: 0.1, mode: %s}\nrule: balance\n"
             "settle: {method: sweep, tolerance: 1e-12}\ntrain: {batch: 20}\n",
             net, k ? "asymmetric" : "symmetric");
    e[k] = experiment(yaml);
    t[k] = trainer(e[k]);
  }
  mirror(mho_trainer_network(t[1]));

  for (int c = 0; c < mho_trainer_network(t[0])->n_trained; c++) {
    size_t n = mho_crossbar_cells(mho_trainer_network(t[0])->connection[c].xb);
    mho_real *g[2] = {gradient(t[0], c, SAMPLES), gradient(t[1], c, SAMPLES)};
    for (size_t j = 0; j < n; j++)
      NEAR(g[0][j], g[1][j], 0, 1e-12);
    free(g[0]);
    free(g[1]);
  }
  for (int k = 0; k < 2; k++) {
    mho_trainer_free(t[k]);
    mho_experiment_free(e[k]);
  }
}

static void test_forward_use(void **state) {
  for (int i = 0; i < MHO_COUNT(loops); i++)
    if (!strstr(loops[i], "agt")) /* whose links are not the same in both modes */
      forward_use(loops[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_backpropagation), cmocka_unit_test(test_equilibrium_propagation),
      cmocka_unit_test(test_relaxed),         cmocka_unit_test(test_finite_differences),
      cmocka_unit_test(test_forward_use),     cmocka_unit_test(test_finite_differences_elsewhere),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
