/* Continuous time in double precision: its equilibria are the fixed points, for every stepper; the
 * gradient of equilibrium propagation is the fixed point's; linear neurons against the matrix
 * exponential.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>

#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"
#include "mho/model/num.h"

_Static_assert(sizeof(mho_real) == 8,
               "fixed points to 1e-6 and small signals need the double build");

enum { SAMPLES = 8, NETS = 50 };

static const char *const words[] = {"rk2",    "rk4",    "rkf45",  "rkck",  "rk8pd", "msadams",
                                    "rk1imp", "rk2imp", "rk4imp", "bsimp", "msbdf"};

/* The i-th random net: layered, residual and arbitrary graphs, symmetric and not, all neurons. */
static void net_yaml(int i, char *yaml, size_t n) {
  static const char *const topologies[] = {
      "topology: layered, hidden: [9, 7, 8]",
      "topology: residual, hidden: [7, 6, 5, 7, 6, 5, 6]",
      "topology: agt, link_probability: 0.5, hidden: [8, 7, 6, 7]",
  };
  static const char *const neurons[] = {"tanh", "tanh", "hard_sigmoid", "relu"};
  snprintf(yaml, n,
           "network: {%s, neuron: %s, forward_scale: 0.7}\nfeedback: {mode: %s, scale: %g}\n"
           "train: {batch: 8, seed: %d}\nrule: {gradient: normalized}\n",
           topologies[i % 3], neurons[i % 4], i % 3 == 2 || i % 2 ? "asymmetric" : "symmetric",
           0.05 + 0.03 * (i % 5), i + 1);
}

/* Hidden activities of the first test images under a settle section; false when a sample did not
 * settle. */
static bool states(const char *net, const char *settle, int n, double *z, int *count) {
  char yaml[2048];
  snprintf(yaml, sizeof yaml, "%sdataset: {test: %d}\nsettle: %s\n", net, n, settle);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_evaluation v;
  mho_state *s;
  OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei));
  s = mho_trainer_state(t);
  *count = 0;
  for (int l = 1; l < s->n_layers - 1; l++) {
    int width = n * mho_trainer_network(t)->layer[l].n;
    memcpy(z + *count, s->z[l], (size_t)width * sizeof *z);
    *count += width;
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
  return v.unsettled == 0;
}

static void test_equilibrium_is_the_fixed_point(void **state) {
  /* near rest the multistep methods hover at the error allowed; the low orders would take
   * minutes for 1e-8 */
  static const double accuracy[MHO_ODE_METHODS] = {1e-8, 1e-8, 1e-8, 1e-8, 1e-8, 1e-9,
                                                   1e-4, 1e-7, 1e-8, 1e-8, 1e-9};
  static double z[1000], fixed[1000];
  double worst[MHO_ODE_METHODS] = {0};
  for (int i = 0; i < NETS; i++) {
    char net[768], settle[256];
    int count;
    net_yaml(i, net, sizeof net);
    assert_true(
        states(net, "{method: synchronous, free: 3000, tolerance: 1e-13}", SAMPLES, fixed, &count));
    for (int m = 0; m < MHO_ODE_METHODS; m++) {
      bool implicit = mho_ode_implicit((mho_ode_method)m);
      int n = implicit ? 1 : SAMPLES;
      if (implicit && i % 5)
        continue;
      if (implicit)
        assert_true(
            states(net, "{method: synchronous, free: 3000, tolerance: 1e-13}", n, fixed, &count));
      snprintf(settle, sizeof settle,
               "{method: ode, stepper: %s, tolerance: 1e-8, accuracy: %g, group: 3}", words[m],
               accuracy[m]);
      if (!states(net, settle, n, z, &count))
        fail_msg("net %d does not settle with %s", i, words[m]);
      for (int k = 0; k < count; k++)
        worst[m] = fmax(worst[m], fabs(z[k] - fixed[k]));
    }
  }

  for (int m = 0; m < MHO_ODE_METHODS; m++) {
    print_message("  %s: %.1e\n", words[m], worst[m]);
    assert_true(worst[m] > 0 && worst[m] < 1e-6);
  }
}

/* Smallest cosine over the connections of the gradients of two settle sections. */
static double worst_cosine(const char *net, const char *a, const char *b) {
  char yaml[1024];
  mho_experiment *e[2];
  mho_trainer *t[2];
  double worst = 1;
  for (int k = 0; k < 2; k++) {
    snprintf(yaml, sizeof yaml, "%ssettle: %s\n", net, k ? b : a);
    e[k] = experiment(yaml);
    t[k] = trainer(e[k]);
  }

  for (int c = 0; c < mho_trainer_network(t[0])->n_trained; c++) {
    const mho_crossbar *x = mho_trainer_network(t[0])->connection[c].xb;
    size_t n = (size_t)x->rows * (size_t)x->cols;
    double *g[2];
    for (int k = 0; k < 2; k++) {
      g[k] = malloc(n * sizeof **g);
      OK(mho_trainer_gradient(t[k], 0, SAMPLES, c, g[k], &ei));
    }
    worst = fmin(worst, cosine(n, g[0], g[1]));
    free(g[0]);
    free(g[1]);
  }

  for (int k = 0; k < 2; k++) {
    mho_trainer_free(t[k]);
    mho_experiment_free(e[k]);
  }

  return worst;
}

/* Measured as two states and settled itself, with the tolerances that come by themselves. */
static void test_gradient(void **state) {
  static const char *const fixed =
      "{method: synchronous, free: 2000, nudged: 2000, tolerance: 1e-14}";
  double two = 1, direct = 1, held = 1;
  for (int i = 0; i < NETS; i++) {
    char net[768], centred[800];
    net_yaml(i, net, sizeof net);
    two =
        fmin(two, worst_cosine(net, fixed, "{method: ode, stepper: rk8pd, difference: subtract}"));
    direct = fmin(direct, worst_cosine(net, fixed, "{method: ode, difference: direct}"));
    if (i % 5)
      continue;
    snprintf(centred, sizeof centred, "%srule.phases: centred\n", net);
    held = fmin(
        held, worst_cosine(centred, fixed, "{method: ode, stepper: rk8pd, difference: subtract}"));
    held = fmin(held, worst_cosine(centred, fixed, "{method: ode, difference: direct}"));
    snprintf(centred, sizeof centred, "%srule.error: live\n", net);
    held = fmin(held, worst_cosine(centred, fixed, "{method: ode, stepper: rk8pd}"));
  }
  print_message(
      "  smallest cosine: two states 1 - %.1e, direct 1 - %.1e, centred and live 1 - %.1e\n",
      1 - two, 1 - direct, 1 - held);
  assert_true(two > 0.9999 && direct > 0.9999 && held > 0.9999);
}

/* A difference that underflows when it is measured: 1e-2^9 of the nudge in the first of ten
 * layers. */
static void test_deep_chain(void **state) {
  static const char net[] =
      "network: {hidden: [8, 8, 8, 8, 8, 8, 8, 8, 8, 8]}\nfeedback: {scale: 0.01}\n"
      "train: {batch: 8}\nrule: {gradient: normalized}\n";
  double c = worst_cosine(net, "{method: sweep, free: 50, nudged: 50}", "{method: ode}");
  print_message("  ten layers: smallest cosine 1 - %.1e\n", 1 - c);
  assert_true(c > 0.9999);
}

/* ---------------------------------------------------------------- linear neurons */

/* M, from -> to over all hidden neurons, and the input's share of one sample. */
static int linear_system(mho_trainer *t, double *m, double *b) {
  const mho_network *net = mho_trainer_network(t);
  int first[16], n = 0;
  for (int l = 1; l < mho_hidden_end(net); l++) {
    first[l] = n;
    n += net->layer[l].n;
  }

  memset(m, 0, (size_t)(n * n) * sizeof *m);
  memset(b, 0, (size_t)n * sizeof *b);
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    const mho_crossbar *x = net->connection[k->connection].xb;
    for (int p = 0; p < net->layer[k->from].n; p++)
      for (int q = 0;
           q < net->layer[k->to].n && net->layer[k->to].neuron && k->from < mho_network_output(net);
           q++) {
        double w = k->scale *
                   mho__crossbar_programmed(x)[k->transposed ? q * x->cols + p : p * x->cols + q];
        if (k->from == 0)
          b[first[k->to] + q] += w * mho_trainer_state(t)->z[0][p];
        else
          m[(first[k->from] + p) * n + first[k->to] + q] += w;
      }
  }

  return n;
}

/* u(time) from rest of tau_i du/dt = -u + M^T u + b: the exponential of [A b; 0 0]. */
static void exponential(int n, const double *m, const double *b, const double *tau, double time,
                        double *u) {
  gsl_matrix *a = gsl_matrix_calloc((size_t)n + 1, (size_t)n + 1),
             *e = gsl_matrix_alloc((size_t)n + 1, (size_t)n + 1);
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < n; j++)
      gsl_matrix_set(a, (size_t)i, (size_t)j, time * (m[j * n + i] - (i == j)) / tau[i]);
    gsl_matrix_set(a, (size_t)i, (size_t)n, time * b[i] / tau[i]);
  }
  gsl_linalg_exponential_ss(a, e, GSL_PREC_DOUBLE);
  for (int i = 0; i < n; i++)
    u[i] = gsl_matrix_get(e, (size_t)i, (size_t)n);
  gsl_matrix_free(a);
  gsl_matrix_free(e);
}

static void test_matrix_exponential(void **state) {
  static double m[40 * 40], b[40], u[40], tau[40];
  for (int spread = 0; spread < 2; spread++)
    for (int method = 0; method < MHO_ODE_METHODS; method++)
      for (double time = 0.5; time < 9; time *= 4) {
        /* first-order steps as small as 1e-9 would take minutes */
        double accuracy = method == MHO_ODE_RK1IMP                            ? 1e-5
                          : method == MHO_ODE_RK2IMP || method == MHO_ODE_RK2 ? 1e-7
                                                                              : 1e-9;
        char yaml[512];
        snprintf(yaml, sizeof yaml,
                 "dataset: {test: 1}\nnetwork: {hidden: [6, 5, 4], neuron: linear}\nfeedback: "
                 "{mode: asymmetric, scale: 0.4}\nneuron: {variation: {tau: %g}}\nsettle: "
                 "{method: ode, stepper: %s, accuracy: %g, read_free: %g}\n",
                 0.5 * spread, words[method], accuracy, time);
        mho_experiment *e = experiment(yaml);
        mho_trainer *t = trainer(e);
        const mho_network *net = mho_trainer_network(t);
        mho_evaluation v;
        OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei));
        int n = linear_system(t, m, b), k = 0;
        for (int l = 1; l <= 3; l++)
          for (int i = 0; i < net->layer[l].n; i++, k++)
            tau[k] = spread ? net->layer[l].circuit->tau[i] : 1;
        exponential(n, m, b, tau, time, u);
        k = 0;
        for (int l = 1; l <= 3; l++)
          for (int i = 0; i < net->layer[l].n; i++, k++)
            NEAR(mho_trainer_state(t)->z[l][i], u[k], 0,
                 method == MHO_ODE_RK1IMP ? 5e-3 : 300 * accuracy);
        mho_trainer_free(t);
        mho_experiment_free(e);
      }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equilibrium_is_the_fixed_point),
      cmocka_unit_test(test_gradient),
      cmocka_unit_test(test_deep_chain),
      cmocka_unit_test(test_matrix_exponential),
  };
  gsl_set_error_handler_off();
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
