/* Outputs that hold states (prototypical equilibrium propagation), in double precision: the
 * gradient against finite differences of the settled cost, whose weights are those of both
 * directions, and states of all settlers against plain loops.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"

_Static_assert(sizeof(mho_real) == 8, "derivatives to 1e-7 need the double build");

enum { IMAGES = 12, PICKS = 6 };

static double loss_at(mho_trainer *t) {
  mho_images part = mho_trainer_dataset(t)->train;
  mho_evaluation v;
  part.n = IMAGES;
  OK(mho_trainer_evaluate(t, &part, &v, &ei));
  assert_int_equal(v.unsettled, 0);
  return v.loss;
}

/* Half of loss(w + h) - loss(w - h): of a crossbar that is read both ways. */
static double odd_part(mho_trainer *t, mho_crossbar *x, size_t i, double h) {
  double w = mho__crossbar_programmed(x)[i], plus = w + h, minus = w - h;
  mho_crossbar_set(x, i, 1, &plus);
  double up = loss_at(t);
  mho_crossbar_set(x, i, 1, &minus);
  double down = loss_at(t);
  mho_crossbar_set(x, i, 1, &w);
  return (up - down) / 2;
}

/* The derivative of the loss in one weight; the step is short where neurons have edges. */
static double derivative(mho_trainer *t, mho_crossbar *x, size_t i, bool is_smooth) {
  double h = is_smooth ? 3e-4 : 1e-6;
  if (!is_smooth)
    return odd_part(t, x, i, h) / h;
  return (4 * odd_part(t, x, i, h) / 3 - odd_part(t, x, i, 2 * h) / 6) / h;
}

/* Largest error of the gradient, relative to the largest derivative, over some weights of every
 * connection. */
static double gradient_error(const char *yaml) {
  char whole[1024];
  snprintf(whole, sizeof whole, "%sdataset: {train: %d, test: 10}\ntrain: {batch: %d}\n", yaml,
           IMAGES, IMAGES);
  mho_experiment *e = experiment(whole);
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);
  bool is_smooth = strstr(yaml, "hard_sigmoid") == NULL;
  double largest = 0, error = 0;

  for (int c = 0; c < net->n_trained; c++) {
    mho_crossbar *x = net->connection[c].xb;
    size_t n = (size_t)x->rows * (size_t)x->cols;
    double *g = malloc(n * sizeof *g);
    OK(mho_trainer_gradient(t, 0, IMAGES, c, g, &ei));
    for (size_t k = 0; k <= PICKS; k++) {
      size_t i = k * (n - 1) / PICKS; /* a bias at the end among them */
      double d = derivative(t, x, i, is_smooth);
      error = fmax(error, fabs(g[i] - d));
      largest = fmax(largest, fabs(d));
    }
    free(g);
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
  assert_true(largest > 1e-3);
  return error / largest;
}

#define STATES      "output: state"
#define COUPLED     "feedback: {scale: 1}\n"
#define SYNCHRONOUS "settle: {method: synchronous, free: 4000, nudged: 4000}\n"
#define SWEEP       "settle: {difference: subtract, free: 400, nudged: 400}\n"
#define DIRECT      "settle: {difference: direct, free: 400, nudged: 400}\n"
#define ODE(difference)                                                                            \
  "settle: {method: ode, stepper: rk8pd, tolerance: 1e-12, accuracy: 1e-12, limit: 2000, "         \
  "difference: " difference "}\n"
#define SMALL "rule: {phases: centred, nudge: 1e-4, gradient: normalized}\n"
#define FOUR  "rule: {phases: points, nudge: 2e-3, gradient: normalized}\n"
#define TINY  "rule: {phases: centred, nudge: 1e-6, gradient: normalized}\n"

static void test_gradient(void **state) {
  static const char *const nets[] = {
      "network: {hidden: [11], " STATES "}\n" COUPLED SYNCHRONOUS SMALL,
      "network: {hidden: [11], " STATES "}\n" COUPLED SWEEP FOUR,
      "network: {hidden: [11], " STATES "}\n" COUPLED DIRECT SMALL,
      "network: {hidden: [11], " STATES "}\n" COUPLED ODE("subtract") FOUR,
      "network: {hidden: [11], " STATES "}\n" COUPLED ODE("direct") SMALL,
      "network: {hidden: [9, 7], " STATES ", biases: true}\n" COUPLED DIRECT SMALL,
      "network: {hidden: [9, 7], " STATES
      ", biases: true, neuron: hard_sigmoid, init: fan_in}\n" COUPLED DIRECT TINY,
      "network: {hidden: [9, 7], " STATES "}\nfeedback: {scale: 0.4}\n" DIRECT SMALL,
      "network: {hidden: [9, 7], " STATES "}\nfeedback: {scale: 0.4}\n" SWEEP FOUR,
      "network: {hidden: [7, 6, 5, 6], topology: residual, " STATES "}\n" COUPLED DIRECT SMALL,
      "network: {hidden: [8, 7], topology: graph, links: 'x>1 1-2 1-out 2-out', " STATES
      "}\n" COUPLED DIRECT SMALL,
      "network: {topology: conv, conv: [2x3, 3x3], " STATES "}\n" COUPLED DIRECT SMALL,
      /* the error of a read-out leads in through its weights; the states behind are coupled */
      "network: {hidden: [9, 7, 5]}\nfeedback: {scale: 0.4}\n" DIRECT
      "rule: {phases: centred, nudge: 1e-4, gradient: normalized, tied: both}\n",
  };
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    double error = gradient_error(nets[i]);
    print_message("  %.1e of the largest derivative: %s", error, nets[i]);
    if (!(error < 1e-6))
      fail_msg("the gradient is %g of the largest derivative off", error);
  }
}

/* With a live error, and of the uses of a crossbar the forward one alone. */
static void test_variants(void **state) {
  static const char net[] = "network: {hidden: [9, 7], " STATES "}\n" COUPLED SYNCHRONOUS;
  char yaml[512];
  snprintf(yaml, sizeof yaml, "%s%s", net,
           "rule: {phases: points, nudge: 2e-3, gradient: normalized, error: live}\n");
  assert_true(gradient_error(yaml) < 1e-6);
  snprintf(yaml, sizeof yaml, "%s%s", net,
           "rule: {phases: points, nudge: 2e-3, gradient: normalized, tied: forward}\n");
  assert_true(gradient_error(yaml) > 0.05);
}

/* ---------------------------------------------------------------- states */

/* Rest of x -> h -> out with both directions, by plain loops: [hidden + outputs]. */
static void rest_of(const mho_network *net, const mho_real *x, double *z) {
  const mho_crossbar *in = net->connection[0].xb, *out = net->connection[1].xb;
  const mho_real *w = mho__crossbar_programmed(in), *v = mho__crossbar_programmed(out);
  int hidden = in->cols, outputs = out->cols;
  double *o = z + hidden;
  memset(z, 0, (size_t)(hidden + outputs) * sizeof *z);

  for (int step = 0; step < 1000; step++) {
    for (int j = 0; j < hidden; j++) {
      double sum = 0;
      for (int i = 0; i < in->rows; i++)
        sum += x[i] * w[i * hidden + j];
      for (int k = 0; k < outputs; k++)
        sum += o[k] * v[j * outputs + k];
      z[j] = tanh(sum);
    }
    for (int k = 0; k < outputs; k++) {
      double sum = 0;
      for (int j = 0; j < hidden; j++)
        sum += z[j] * v[j * outputs + k];
      o[k] = tanh(sum);
    }
  }
}

static void test_states(void **state) {
  enum { HIDDEN = 8, CLASSES = 10, TESTS = 20 };
  static const char *const settles[] = {SYNCHRONOUS, SWEEP, ODE("direct")};
  for (int k = 0; k < MHO_COUNT(settles); k++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "dataset: {test: %d}\nnetwork: {hidden: [%d], " STATES "}\n" COUPLED "%s", TESTS,
             HIDDEN, settles[k]);
    mho_experiment *e = experiment(yaml);
    mho_trainer *t = trainer(e);
    const mho_network *net = mho_trainer_network(t);
    const mho_dataset *d = mho_trainer_dataset(t);
    mho_evaluation v;
    OK(mho_trainer_evaluate(t, &d->test, &v, &ei));

    const mho_state *s = mho_trainer_state(t);
    uint8_t label[TESTS];
    mho_real *x = calloc((size_t)d->features * TESTS, sizeof *x);
    mho_images_batch(d, &d->test, NULL, 0, TESTS, x, label);
    double loss = 0, right = 0;
    for (int i = 0; i < TESTS; i++) {
      double z[HIDDEN + CLASSES];
      int best = 0;
      rest_of(net, x + i * d->features, z);
      for (int j = 0; j < HIDDEN; j++)
        NEAR(s->z[1][i * HIDDEN + j], z[j], 0, 1e-9);
      for (int j = 0; j < CLASSES; j++) {
        double o = z[HIDDEN + j];
        NEAR(s->z[2][i * CLASSES + j], o, 0, 1e-9);
        assert_true(s->z[2][i * CLASSES + j] == s->z[3][i * CLASSES + j]);
        loss += 0.5 * pow(o - (j == label[i]), 2) / TESTS;
        best = o > z[HIDDEN + best] ? j : best;
      }
      right += (double)(best == label[i]) / TESTS;
    }
    NEAR(v.loss, loss, 1e-9, 0);
    NEAR(v.accuracy, right, 1e-12, 0);
    free(x);
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
}

/* ---------------------------------------------------------------- what is refused */

static void test_refused(void **state) {
  static const struct {
    const char *yaml, *says;
  } cases[] = {
      {"network: {" STATES "}\nrule: balance\n", "network.output: rule.name 'balance'"},
      {"network: {" STATES "}\nrule: perturb\n", "network.output: rule.name 'perturb'"},
      {"network: {" STATES ", loss: cross_entropy}\n", "network.output state does not answer"},
      {"feedback: {mode: asymmetric}\nrule: {tied: both}\n", "rule.tied: both"},
      {"network: {" STATES "}\nrule: {readout: nudged}\n", "rule.readout: of outputs"},
  };
  for (int i = 0; i < MHO_COUNT(cases); i++) {
    mho_experiment *e = NULL;
    mho_errinfo why = {0};
    mho_err err = mho_experiment_of_yaml(registry, cases[i].yaml, 0, NULL, &e, &why);
    if (err != MHO_ECONFIG || !strstr(why.message, cases[i].says))
      fail_msg("'%s' says '%s'", cases[i].yaml, why.message);
  }

  /* a whole network's netlist, which settle.method spice needs */
  mho_experiment *e = experiment("network: {hidden: [6], " STATES "}\nsettle: {method: spice}\n");
  mho_trainer *t = NULL;
  mho_errinfo why = {0};
  assert_int_equal(mho_trainer_new(NULL, e, &t, &why), MHO_EUNSUPPORTED);
  assert_non_null(strstr(why.message, "outputs hold states has no netlist"));
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- backpropagation */

/* Of the feed-forward net whose outputs are neurons: finite differences of its own loss. */
static void test_backpropagation(void **state) {
  double error = gradient_error("network: {hidden: [9, 7], " STATES ", biases: true}\nrule: bp\n");
  print_message("  backpropagation: %.1e of the largest derivative\n", error);
  assert_true(error < 1e-7);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gradient),        cmocka_unit_test(test_variants),
      cmocka_unit_test(test_states),          cmocka_unit_test(test_refused),
      cmocka_unit_test(test_backpropagation),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
