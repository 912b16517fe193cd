/* The gradient of equilibrium propagation, in double precision: against backpropagation, and
 * against finite differences of the loss at the free equilibrium.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"

_Static_assert(sizeof(mho_real) == 8,
               "this test tells rounding from error: it needs the double build");

/* Smallest cosine over the connections between the gradients of two rules on the first 100
 * images. */
static double worst_cosine(const char *common, const char *ep) {
  char yaml[1024];
  double worst = 1;
  mho_experiment *e[2];
  mho_trainer *t[2];
  for (int k = 0; k < 2; k++) {
    snprintf(yaml, sizeof yaml, "%s%s", common, k ? "rule: bp\n" : ep);
    e[k] = experiment(yaml);
    t[k] = trainer(e[k]);
  }

  const mho_network *net = mho_trainer_network(t[0]);
  for (int c = 0; c < net->n_trained; c++) {
    size_t n = (size_t)net->connection[c].xb->rows * (size_t)net->connection[c].xb->cols;
    double *g[2];
    for (int k = 0; k < 2; k++) {
      g[k] = malloc(n * sizeof **g);
      OK(mho_trainer_gradient(t[k], 0, 100, c, g[k], &ei));
    }
    double s = cosine(n, g[0], g[1]);
    print_message("  %s cosine %.6f\n", net->connection[c].name, s);
    worst = s < worst ? s : worst;
    free(g[0]);
    free(g[1]);
  }

  for (int k = 0; k < 2; k++) {
    mho_trainer_free(t[k]);
    mho_experiment_free(e[k]);
  }

  return worst;
}

static void test_backpropagation_limit(void **state) {
  static const char *neurons[] = {"tanh", "linear"};
  for (int i = 0; i < 2; i++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [512, 512], neuron: %s}\nfeedback: {scale: 0.01}\n"
             "settle: {method: synchronous, free: 40, nudged: 40}\ntrain: {batch: 100}\n",
             neurons[i]);
    assert_true(worst_cosine(yaml, "rule: {name: ep, nudge: 0.1}\n") > 0.999);
  }
  char folder[MHO_TEXT_MAX];
  const mho_dataset_kind *mnist =
      (const mho_dataset_kind *)mho_registry_find(registry, MHO_KIND_DATASET, "mnist");
  mho_dataset_locate(mnist, "", folder, sizeof folder);
  if (*folder)
    assert_true(
        worst_cosine(
            "dataset: {name: mnist, train: 1000, test: 100}\nnetwork: {hidden: [512, 512]}\n"
            "feedback: {scale: 0.01}\nsettle: {method: synchronous, free: 40, nudged: "
            "40}\ntrain: {batch: 100}\n",
            "rule: {name: ep, nudge: 0.1}\n") > 0.999);
  else
    print_message("  MNIST is not here: 784-512-512-10 was not looked at (set MHO_DATA)\n");
}

enum { IMAGES = 20 };

/* A net whose feedback matrices are crossbars of their own, equal to the transposed weights: so
 * a weight can be perturbed with its feedback held. */
static mho_trainer *mirrored(const mho_experiment *e) {
  mho_trainer *t = trainer(e);
  mho_network *net = mho_trainer_network(t);
  for (int b = net->n_trained; b < net->n_connections; b++)
    for (int c = 0; c < net->n_trained; c++) {
      const mho_connection *back = &net->connection[b], *forward = &net->connection[c];
      if (back->from != forward->to || back->to != forward->from)
        continue;
      int rows = forward->xb->rows, cols = forward->xb->cols;
      double *w = malloc((size_t)rows * (size_t)cols * sizeof *w);
      for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++)
          w[j * rows + i] = mho__crossbar_programmed(forward->xb)[i * cols + j];
      mho_crossbar_set(back->xb, 0, (size_t)rows * (size_t)cols, w);
      free(w);
    }
  return t;
}

static double loss_at(mho_trainer *t) {
  mho_images part = mho_trainer_dataset(t)->train;
  mho_evaluation v;
  part.n = IMAGES;
  OK(mho_trainer_evaluate(t, &part, &v, &ei));
  return v.loss;
}

/* Half of loss(w + h) - loss(w - h), of one weight. */
static double odd_part(mho_trainer *t, mho_crossbar *x, size_t i, double h) {
  double w = mho__crossbar_programmed(x)[i], plus = w + h, minus = w - h;
  mho_crossbar_set(x, i, 1, &plus);
  double up = loss_at(t);
  mho_crossbar_set(x, i, 1, &minus);
  double down = loss_at(t);
  mho_crossbar_set(x, i, 1, &w);
  return (up - down) / 2;
}

/* The derivative of the loss in one weight: it errs by h^2 times the third one, about 1e-9; where
 * it is to be fine, from four points, by h^4 times the fifth and by rounding, about 1e-12 both. */
static double derivative(mho_trainer *t, mho_crossbar *x, size_t i, bool is_fine) {
  const double h = is_fine ? 1e-3 : 1e-4;
  if (!is_fine)
    return odd_part(t, x, i, h) / h;
  return (4 * odd_part(t, x, i, h) / 3 - odd_part(t, x, i, 2 * h) / 6) / h;
}

/* Largest error of the EP gradient relative to the largest derivative, over a sample of every
 * connection's weights; graph: what the config says of the network and the feedback beside. */
static double gradient_error(const char *graph, const char *per, double beta, double nudge,
                             const char *phases) {
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "network: {hidden: [11, 9, 7], %s}\nfeedback: {mode: asymmetric, scale: %g, per: %s}\n"
           "settle: {method: synchronous, free: 400, nudged: 400}\ntrain: {batch: %d}\n"
           "rule: {name: ep, nudge: %g, phases: %s, gradient: normalized}\n",
           graph, beta, per, IMAGES, nudge, phases);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = mirrored(e);
  const mho_network *net = mho_trainer_network(t);
  double worst = 0;
  for (int c = 0; c < net->n_trained; c++) {
    mho_crossbar *x = net->connection[c].xb;
    size_t n = (size_t)x->rows * (size_t)x->cols;
    double *g = malloc(n * sizeof *g), largest = 0, error = 0;
    OK(mho_trainer_gradient(t, 0, IMAGES, c, g, &ei));
    for (size_t i = 0; i < n; i += n / 12 + 1) {
      double d = derivative(t, x, i, strstr(phases, "points"));
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

static void test_finite_differences(void **state) {
  static const struct {
    const char *graph, *per;
    double beta;
  } nets[] = {
      {"neuron: tanh", "link", 0.01},
      {"neuron: linear", "link", 0.01},
      {"neuron: tanh, output: linear", "link", 0.01},
      {"neuron: tanh", "link", 0.3},
      /* a skip and an error that enters two layers: only with beta_i once for every layer that
       * is led back over */
      {"topology: graph, links: 'x>1 1-2 2-3 1-3 3-out 2-out'", "layer", 0.3},
  };
  for (int k = 0; k < MHO_COUNT(nets); k++)
    for (int centred = 0; centred < 2; centred++) {
      const char *phases = centred ? "centred" : "one_sided";
      double a = gradient_error(nets[k].graph, nets[k].per, nets[k].beta, 0.1, phases);
      double b = gradient_error(nets[k].graph, nets[k].per, nets[k].beta, 0.025, phases);
      double order = log(a / b) / log(4);
      print_message("  %s beta_i %g a %s, %s: error %.2g at nudge 0.1, %.2g at 0.025\n",
                    nets[k].graph, nets[k].beta, nets[k].per, phases, a, b);
      if (a < 1e-6) /* a linear net's response is linear in the nudge: nothing left to measure */
        continue;
      NEAR(order, centred ? 2 : 1, 0, 0.15);
      assert_true(b < (centred ? 0.001 : 0.05));
    }

  assert_true(gradient_error(nets[4].graph, "link", 0.3, 0.025, "centred") >
              0.05); /* what it is for */
}

/* The bias falls with the nudge to the power of the polynomial's order, plus one: 2 for centred
 * nudging, 4 for four points, 4 or 6 for six of them. */
static void test_points(void **state) {
  static const struct {
    const char *phases;
    double nudge, order;
  } stencils[] = {
      {"centred", 0.2, 2},
      {"points", 0.06, 4},
      {"points, points: 6, order: 3", 0.04, 4},
      {"points, points: 6", 0.06, 6},
  };
  double centred = 0;
  for (int k = 0; k < MHO_COUNT(stencils); k++) {
    double nudge = stencils[k].nudge;
    double a = gradient_error("neuron: tanh", "link", 0.3, nudge, stencils[k].phases);
    double b = gradient_error("neuron: tanh", "link", 0.3, nudge / 2, stencils[k].phases);
    double order = log2(a / b);
    print_message("  %s: bias %.3g at nudge %g, %.3g at half of it: order %.3f\n",
                  stencils[k].phases, a, nudge, b, order);
    NEAR(order, stencils[k].order, 0, 0.1);
    if (k == 0)
      centred = b;
    if (k == 1)
      print_message("  as biased as centred nudging at 0.1: four points from a nudge of %.2f on\n",
                    nudge * pow(centred / a, 0.25));
  }
}

/* Row i of v times the matrix w, [rows x cols]. */
static double product(const double *v, const mho_real *w, int rows, int cols, int j) {
  double sum = 0;
  for (int i = 0; i < rows; i++)
    sum += v[i] * (double)w[i * cols + j];
  return sum;
}

static void readout_error(const double *z, const mho_crossbar *x, int label, double *e) {
  double sum = 0;
  for (int j = 0; j < x->cols; j++)
    sum += e[j] = exp(product(z, mho__crossbar_programmed(x), x->rows, x->cols, j));
  for (int j = 0; j < x->cols; j++)
    e[j] = e[j] / sum - (j == label);
}

/* The read-out's gradient with plain loops: one hidden layer, nudged by t beta_f in step t when
 * the nudge grows. */
static void test_nudged_readout(void **state) {
  enum { HIDDEN = 7, CLASSES = 10, STEPS = 3 };
  static const char *const course[] = {"constant", "growing"}, *const readout[] = {"free",
                                                                                   "nudged"};
  for (int k = 0; k < 4; k++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [%d]}\nsettle: {method: synchronous, free: 1, nudged: %d, "
             "nudge_course: %s}\n"
             "rule: {name: ep, nudge: 0.7, readout: %s}\ntrain: {batch: %d}\n",
             HIDDEN, STEPS, course[k / 2], readout[k % 2], IMAGES);
    mho_experiment *e = experiment(yaml);
    mho_trainer *t = trainer(e);
    const mho_network *net = mho_trainer_network(t);
    const mho_crossbar *in = net->connection[0].xb, *out = net->connection[1].xb;
    const mho_dataset *d = mho_trainer_dataset(t);
    int pixels = in->rows;
    double g[HIDDEN * CLASSES], expected[HIDDEN * CLASSES] = {0},
                                                  *x = calloc((size_t)pixels, sizeof *x);
    mho_real *image = calloc((size_t)pixels * IMAGES, sizeof *image);
    uint8_t label[IMAGES];
    mho_images_batch(d, &d->train, NULL, 0, IMAGES, image, label);
    for (int i = 0; i < IMAGES; i++) {
      double z[HIDDEN], nudged[HIDDEN], error[CLASSES];
      for (int p = 0; p < pixels; p++)
        x[p] = (double)image[i * pixels + p];
      for (int j = 0; j < HIDDEN; j++)
        z[j] = tanh(product(x, mho__crossbar_programmed(in), pixels, HIDDEN, j));
      readout_error(z, out, label[i], error);
      for (int j = 0; j < HIDDEN; j++) {
        double back = 0;
        for (int c = 0; c < CLASSES; c++)
          back += error[c] * (double)mho__crossbar_programmed(out)[j * CLASSES + c];
        nudged[j] = tanh(product(x, mho__crossbar_programmed(in), pixels, HIDDEN, j) -
                         0.7 * (k / 2 ? STEPS : 1) * back);
      }
      if (k % 2)
        readout_error(nudged, out, label[i], error);
      for (int j = 0; j < HIDDEN * CLASSES; j++)
        expected[j] += z[j / CLASSES] * error[j % CLASSES] / IMAGES;
    }
    OK(mho_trainer_gradient(t, 0, IMAGES, 1, g, &ei));
    for (int j = 0; j < HIDDEN * CLASSES; j++)
      NEAR(g[j], expected[j], 0, 1e-6);
    free(x);
    free(image);
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_backpropagation_limit),
      cmocka_unit_test(test_finite_differences),
      cmocka_unit_test(test_points),
      cmocka_unit_test(test_nudged_readout),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
