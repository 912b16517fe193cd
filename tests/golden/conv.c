/* Convolutional networks in double precision: the gradient of backpropagation against finite
 * differences of the loss, of equilibrium propagation against backpropagation, and the difference
 * settled itself against two states.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"

_Static_assert(sizeof(mho_real) == 8,
               "this test tells rounding from error: it needs the double build");

enum { IMAGES = 10 };

/* Random biases: with biases of 0 blank patches tie, and a tie is a kink. */
static const char common[] =
    "network: {topology: conv, conv: [%s], neuron: %s, biases: true, init: fan_in}\n"
    "train: {batch: 10}\nfeedback: {scale: %g}\n%s\n";
static const char *const nets[] = {"6x3 pool2 9x2 12", "5x3p1s2 8x2p1 pool2", "4x2 pool3 7x1"};

static mho_trainer *make(mho_experiment **e, const char *net, const char *neuron, double beta,
                         const char *rest) {
  char yaml[512];
  snprintf(yaml, sizeof yaml, common, net, neuron, beta, rest);
  *e = experiment(yaml);
  return trainer(*e);
}

static mho_real *gradient(mho_trainer *t, int c) {
  const mho_crossbar *x = mho_trainer_network(t)->connection[c].xb;
  mho_real *g = calloc((size_t)x->rows * (size_t)x->cols, sizeof *g);
  OK(mho_trainer_gradient(t, 0, IMAGES, c, g, &ei));
  return g;
}

static double loss_at(mho_trainer *t) {
  mho_images part = mho_trainer_dataset(t)->train;
  mho_evaluation v;
  part.n = IMAGES;
  OK(mho_trainer_evaluate(t, &part, &v, &ei));
  return v.loss;
}

static void test_backpropagation(void **state) {
  for (int k = 0; k < MHO_COUNT(nets); k++) {
    mho_experiment *e;
    mho_trainer *t = make(&e, nets[k], "tanh", 0.01, "rule: bp");
    for (int c = 0; c < mho_trainer_network(t)->n_trained; c++) {
      mho_crossbar *x = mho_trainer_network(t)->connection[c].xb;
      size_t n = (size_t)x->rows * (size_t)x->cols;
      mho_real *g = gradient(t, c);
      double most = 0;
      for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(g[i]));
      for (size_t i = 0; i < n;
           i += i + n / 15 + 1 < n || i == n - 1 ? n / 15 + 1 : n - 1 - i) { /* and the last bias */
        const double h = 1e-6;
        double w = mho__crossbar_programmed(x)[i], plus = w + h, minus = w - h;
        mho_crossbar_set(x, i, 1, &plus);
        double up = loss_at(t);
        mho_crossbar_set(x, i, 1, &minus);
        double down = loss_at(t);
        mho_crossbar_set(x, i, 1, &w);
        NEAR(g[i], (up - down) / (2 * h), 1e-5, 1e-6 * most);
      }
      free(g);
    }
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
}

/* Smallest cosine, and largest difference relative to the largest entry, over all connections. */
static void disagree(const char *net, const char *neuron, double beta, const char *a, const char *b,
                     double *cos, double *off) {
  mho_experiment *e[2];
  mho_trainer *t[2] = {make(&e[0], net, neuron, beta, a), make(&e[1], net, neuron, beta, b)};
  *cos = 1;
  *off = 0;
  for (int c = 0; c < mho_trainer_network(t[0])->n_trained; c++) {
    const mho_crossbar *x = mho_trainer_network(t[0])->connection[c].xb;
    size_t n = (size_t)x->rows * (size_t)x->cols;
    mho_real *g[2] = {gradient(t[0], c), gradient(t[1], c)};
    double most = 0, error = 0;
    for (size_t i = 0; i < n; i++) {
      most = fmax(most, fabs(g[1][i]));
      error = fmax(error, fabs(g[0][i] - g[1][i]));
    }
    *cos = fmin(*cos, cosine(n, g[0], g[1]));
    *off = fmax(*off, error / most);
    free(g[0]);
    free(g[1]);
  }
  for (int k = 0; k < 2; k++) {
    mho_trainer_free(t[k]);
    mho_experiment_free(e[k]);
  }
}

static void test_equilibrium_propagation(void **state) {
  static const char *neurons[] = {"tanh", "hard_sigmoid", "relu"};
  static const char direct[] =
      "rule: {nudge: 1e-4}\nsettle: {method: sweep, difference: direct, free: 60, nudged: 60}";
  static const char subtract[] =
      "rule: {nudge: 1e-4, gradient: normalized}\n"
      "settle: {method: sweep, difference: subtract, free: 60, nudged: 60}";
  for (int k = 0; k < MHO_COUNT(nets); k++)
    for (int i = 0; i < MHO_COUNT(neurons); i++) {
      double cos, off;
      disagree(nets[k], neurons[i], 1e-4, direct, "rule: bp", &cos, &off);
      if (!(cos > 0.9999))
        fail_msg("%s %s: cosine with backpropagation %g", nets[k], neurons[i], cos);
      disagree(nets[k], neurons[i], 0.02, direct, subtract, &cos, &off);
      if (!(off < 1e-6))
        fail_msg("%s %s: the difference is off by %g", nets[k], neurons[i], off);
    }
}

/* Dense layers learn biases too. */
static void test_dense_biases(void **state) {
  static const char yaml[] =
      "network: {hidden: [9, 7], biases: true, init: fan_in}\ntrain: {batch: 10}\n%s\n";
  char text[256];
  mho_experiment *e[2];
  mho_trainer *t[2];
  for (int k = 0; k < 2; k++) {
    snprintf(text, sizeof text, yaml,
             k ? "rule: bp"
               : "feedback: {scale: 1e-4}\nrule: {nudge: 1e-4}\nsettle: {free: 40, nudged: 40}");
    e[k] = experiment(text);
    t[k] = trainer(e[k]);
  }

  for (int c = 0; c < 3; c++) {
    const mho_connection *k = &mho_trainer_network(t[0])->connection[c];
    size_t n = (size_t)k->xb->rows * (size_t)k->xb->cols, last = n - (size_t)k->xb->cols;
    assert_int_equal(k->xb->rows, mho_trainer_network(t[0])->layer[k->from].n + 1);
    mho_real *g[2] = {gradient(t[0], c), gradient(t[1], c)};
    assert_true(cosine(n, g[0], g[1]) > 0.9999);
    assert_true(cosine(n - last, g[0] + last, g[1] + last) > 0.9999);
    free(g[0]);
    free(g[1]);
  }

  for (int k = 0; k < 2; k++) {
    mho_trainer_free(t[k]);
    mho_experiment_free(e[k]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_backpropagation),
      cmocka_unit_test(test_equilibrium_propagation),
      cmocka_unit_test(test_dense_biases),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
