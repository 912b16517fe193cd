/* The rule balance in single precision: the bits of backpropagation in chains, gates by plain
 * loops, credits that relax, that are noisy, that do not settle; what all of it is read and written
 * with.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"

static mho_real *gradient(mho_trainer *t, int c, int samples) {
  mho_real *g = malloc(mho_crossbar_cells(mho_trainer_network(t)->connection[c].xb) * sizeof *g);
  OK(mho_trainer_gradient(t, 0, samples, c, g, &ei));
  return g;
}

/* ---------------------------------------------------------------- backpropagation */

/* In a chain without feedback errors are summed as backpropagation sums them. */
static void test_same_bits(void **state) {
  static const char *const nets[] = {
      "network: {hidden: [64, 48, 40]}\n",
      "network: {hidden: [64, 48], biases: true, neuron: relu}\n",
      "network: {topology: conv, conv: [4x3 pool2, 5x3], biases: true}\n",
      "network: {hidden: [16, 16, 16, 16, 16, 16, 16, 16]}\n"
      "settle: {method: synchronous, free: 8}\n",
      "network: {hidden: [30, 20]}\ndevice: {model: linear, variation: {step: 0.3}}\n"
      "array: {wire: {r_word: 2 ohm, r_bit: 2 ohm}}\nupdate: {scheme: accumulate}\n",
  };
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    mho_blob blob[2];
    for (int k = 0; k < 2; k++) {
      char yaml[512];
      snprintf(yaml, sizeof yaml, "%sfeedback: {scale: 0}\ntrain: {batch: 100}\nrule: %s\n",
               nets[i], k ? "bp" : "balance");
      mho_experiment *e = experiment(yaml);
      mho_trainer *t = trainer(e);
      mho_epoch_row row;
      OK(mho_trainer_epoch(t, &row, &ei));
      const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
      size_t size = mho_crossbar_cells(x) * sizeof(mho_real);
      blob[k] = (mho_blob){malloc(size), size};
      memcpy(blob[k].data, mho_crossbar_matrix(x), size);
      mho_trainer_free(t);
      mho_experiment_free(e);
    }
    if (memcmp(blob[0].data, blob[1].data, blob[0].size))
      fail_msg("%s: not the weights of bp", nets[i]);
    free(blob[0].data);
    free(blob[1].data);
  }
}

/* ---------------------------------------------------------------- gates */

/* Row i of v times the matrix w, or its transpose. */
static double product(const double *v, const mho_real *w, int n, int cols, int j, bool transposed) {
  double sum = 0;
  for (int i = 0; i < n; i++)
    sum += v[i] * (double)(transposed ? w[j * cols + i] : w[i * cols + j]);
  return sum;
}

static double gate_of(const char *gate, const char *neuron, double h) {
  double c = cosh(h / (2 * 0.7));
  if (!strcmp(gate, "slope"))
    return strcmp(neuron, "tanh") ? h > 0 : 1 - tanh(h) * tanh(h);
  if (!strcmp(gate, "bump, width: 0.7, strength: 3"))
    return (1 + 4 / 3.0) / (1 + 4 / 3.0 * c * c);
  if (!strcmp(gate, "window, width: 0.4"))
    return fabs(h) < 0.4;
  return 1;
}

/* One hidden layer, one sample: the gradient into it is x^T (b(h) (e W^T)). */
static void by_hand(const char *gate, const char *neuron, const char *settle) {
  enum { HIDDEN = 9, CLASSES = 10, PIXELS = 64 };
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "network: {hidden: [%d], neuron: %s, init: fan_in}\nsettle: {method: %s}\n"
           "rule: {name: balance, gate: %s}\ntrain: {batch: 8}\n",
           HIDDEN, neuron, settle, gate);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);
  const mho_real *in = mho_crossbar_matrix(net->connection[0].xb);
  const mho_real *out = mho_crossbar_matrix(net->connection[1].xb);
  mho_real image[PIXELS], *g = gradient(t, 0, 1);
  double x[PIXELS], h[HIDDEN], z[HIDDEN], error[CLASSES], sum = 0;
  uint8_t label;
  const mho_dataset *d = mho_trainer_dataset(t);
  mho_images_batch(d, &d->train, NULL, 0, 1, image, &label);

  for (int i = 0; i < PIXELS; i++)
    x[i] = (double)image[i];
  for (int j = 0; j < HIDDEN; j++) {
    h[j] = product(x, in, PIXELS, HIDDEN, j, false);
    z[j] = strcmp(neuron, "tanh") ? fmax(h[j], 0) : tanh(h[j]);
  }
  for (int k = 0; k < CLASSES; k++)
    sum += error[k] = exp(product(z, out, HIDDEN, CLASSES, k, false));
  for (int k = 0; k < CLASSES; k++)
    error[k] = error[k] / sum - (k == label);

  for (int j = 0; j < HIDDEN; j++) {
    double credit = product(error, out, CLASSES, CLASSES, j, true) * gate_of(gate, neuron, h[j]);
    for (int i = 0; i < PIXELS; i++)
      NEAR(g[i * HIDDEN + j], x[i] * credit, 0, strcmp(settle, "ode") ? 2e-6 : 2e-4);
  }
  free(g);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void test_gates(void **state) {
  static const char *const gates[] = {"slope", "bump, width: 0.7, strength: 3",
                                      "window, width: 0.4", "one"};
  static const char *const settlers[] = {"sweep", "synchronous", "ode"};
  for (int g = 0; g < MHO_COUNT(gates); g++)
    for (int s = 0; s < MHO_COUNT(settlers); s++) {
      by_hand(gates[g], "tanh", settlers[s]);
      by_hand(gates[g], "relu", settlers[s]);
    }
}

/* ---------------------------------------------------------------- relaxing */

/* Length of a connection's gradient along that of settled credits. */
static double share_of(mho_trainer *t, mho_trainer *settled, int c) {
  size_t n = mho_crossbar_cells(mho_trainer_network(t)->connection[c].xb);
  mho_real *a = gradient(t, c, 20), *b = gradient(settled, c, 20);
  double ab = 0, bb = 0;
  for (size_t i = 0; i < n; i++) {
    ab += (double)a[i] * (double)b[i];
    bb += (double)b[i] * (double)b[i];
  }
  free(a);
  free(b);
  return ab / bb;
}

/* 1 - e^-s sum_{k<h} s^k/k!: the answer of h lags in a row. */
static double lags(int h, double s) {
  double term = 1, sum = 0;
  for (int k = 0; k < h; k++) {
    sum += term;
    term *= s / (k + 1);
  }
  return 1 - exp(-s) * sum;
}

/* Credits of a chain that are read after s tau_c have come as far as the lags before them. */
static void test_relaxation(void **state) {
  enum { HIDDEN = 3 };
  const char *common = "network: {hidden: [12, 10, 8]}\nfeedback: {scale: 0}\n"
                       "settle: {method: ode, tolerance: 1e-6}\ntrain: {batch: 20}\n";
  static const double after[] = {0.5, 2, 7};
  NEAR(lags(1, 7), 0.9991, 0, 1e-4);
  NEAR(lags(2, 7), 0.9927, 0, 1e-4);
  NEAR(lags(3, 7), 0.9704, 0, 1e-4);

  for (int clamp = 0; clamp < 2; clamp++)
    for (int i = 0; i < MHO_COUNT(after); i++) {
      mho_experiment *e[2];
      mho_trainer *t[2];
      for (int k = 0; k < 2; k++) {
        char yaml[768];
        snprintf(yaml, sizeof yaml,
                 "%srule: {name: balance, output: %s, credit_tau: 4, credit_tolerance: %g, "
                 "credit_read: %g}\n",
                 common, clamp ? "clamp" : "inject", k ? 1e-5 : 1e-4, k ? 0 : 4 * after[i]);
        e[k] = experiment(yaml);
        t[k] = trainer(e[k]);
      }
      for (int c = 0; c <= HIDDEN; c++) /* into hidden layer c + 1, or the read-out */
        NEAR(share_of(t[0], t[1], c), lags(HIDDEN - c + !clamp, after[i]), 0, 2e-4);
      for (int k = 0; k < 2; k++) {
        mho_trainer_free(t[k]);
        mho_experiment_free(e[k]);
      }
    }
}

/* ---------------------------------------------------------------- noise */

/* Noise of held credits, of its own in every neuron and sample: with the gate 1 it is in the
 * errors, and in the gradient of two samples by a bright pixel as the root of x_1^2 + x_2^2. */
static void noise_of(const char *settle, int hidden) {
  enum { PIXELS = 64 };
  const double sigma = 0.25;
  mho_experiment *e[2];
  mho_trainer *t[2];
  mho_real image[2 * PIXELS], *g[2];
  uint8_t label[2];
  double sum = 0, squares = 0, before = 0, along = 0;
  for (int i = 0; i < 2; i++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [%d]}\nfeedback: {scale: 0}\nsettle: {method: %s}\n"
             "rule: {name: balance, gate: one, credit_tolerance: 1e-5, credit_noise: %g}\n",
             hidden, settle, i ? sigma : 0);
    e[i] = experiment(yaml);
    t[i] = trainer(e[i]);
    g[i] = gradient(t[i], 0, 2);
  }

  int brightest = 0;
  const mho_dataset *d = mho_trainer_dataset(t[0]);
  mho_images_batch(d, &d->train, NULL, 0, 2, image, label);
  for (int i = 0; i < PIXELS; i++)
    if (image[i] + image[PIXELS + i] > image[brightest] + image[PIXELS + brightest])
      brightest = i;
  double unit = hypot((double)image[brightest], (double)image[PIXELS + brightest]) / 2;

  for (int j = 0; j < hidden; j++) {
    size_t at = (size_t)(brightest * hidden + j);
    double noise = (double)(g[1][at] - g[0][at]) / unit;
    sum += noise;
    squares += noise * noise;
    along += noise * before; /* of the neighbour */
    before = noise;
  }
  print_message("  %s: noise of %.4f, expected %g\n", settle, sqrt(squares / hidden), sigma);
  NEAR(sum / hidden, 0, 0, 4 * sigma / sqrt(hidden));
  NEAR(squares / hidden, sigma * sigma, 4 * sqrt(2.0 / hidden), 0);
  NEAR(along / hidden, 0, 0, 4 * sigma * sigma / sqrt(hidden));
  for (int i = 0; i < 2; i++) {
    free(g[i]);
    mho_trainer_free(t[i]);
    mho_experiment_free(e[i]);
  }
}

static void test_noise(void **state) {
  noise_of("sweep", 4000);
  noise_of("ode", 1000);
}

/* ---------------------------------------------------------------- measured */

/* Whether v is a whole number of steps. */
static bool is_on(double v, double step) {
  return fabs(v / step - round(v / step)) < 1e-3;
}

/* Weights between analog neurons learn from states and errors that 6-bit converters have measured:
 * both are whole steps of 1/31, and products of one sample's whole squares of them. */
static void test_measured(void **state) {
  enum { H1 = 12, H2 = 9, CELLS = H1 * H2 };
  const double step = 1 / 31.0;
  mho_experiment *e = experiment("network: {hidden: [12, 9]}\nrule: balance\n"
                                 "array: {coupling: analog, adc_bits: 6}\ntrain: {batch: 8}\n");
  mho_trainer *t = trainer(e);
  mho_real *g = gradient(t, 1, 1);
  const mho_state *s = mho_trainer_state(t);
  int moved = 0;
  for (int i = 0; i < H1; i++)
    assert_true(is_on((double)s->z[1][i], step));
  for (int i = 0; i < CELLS; i++) {
    assert_true(is_on((double)g[i], step * step));
    moved += g[i] != 0;
  }
  assert_true(moved > CELLS / 2);
  free(g);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- credits that do not settle */

static char said[1024];
static void listen(void *user, mho_log_level level, const char *message) {
  if (level == MHO_LOG_WARNING && strstr(message, "credits"))
    snprintf(said, sizeof said, "%s", message);
}

/* Unsettled samples of an epoch; what is said of them is in `said`. length: largest number before
 * it in the first layer's gradient, of 50 samples. */
static int64_t unsettled_of(const char *yaml, double *length) {
  mho_context ctx = {.log = listen};
  mho_experiment *e = experiment(yaml);
  mho_trainer *t;
  mho_epoch_row row;
  *said = 0;
  OK(mho_trainer_new(&ctx, e, &t, &ei));
  mho_real *g = gradient(t, 0, 50);
  *length = 0;
  for (size_t i = 0; i < mho_crossbar_cells(mho_trainer_network(t)->connection[0].xb); i++)
    *length = fmax(*length, fabs((double)g[i]));
  free(g);
  OK(mho_trainer_epoch(t, &row, &ei));
  mho_trainer_free(t);
  mho_experiment_free(e);
  return row.unsettled;
}

#define LOOSE                                                                                      \
  "dataset: {train: 100, test: 20}\ntrain: {batch: 50}\nnetwork: {hidden: [30, 30, 20]}\n"

static void test_unsettled(void **state) {
  double length;

  /* Enough sweeps for all, with and without loops. */
  assert_int_equal(unsettled_of(LOOSE "rule: balance\nfeedback: {scale: 0}\n", &length), 0);
  assert_int_equal(unsettled_of(LOOSE "rule: balance\nfeedback: {scale: 0.1}\n", &length), 0);
  assert_string_equal(said, "");

  /* Too few: said, and not that they grow; what is there is learned from. */
  int64_t unsettled = unsettled_of(
      LOOSE "rule: {name: balance, credit_sweeps: 1}\nfeedback: {scale: 0.1}\n", &length);
  assert_int_equal(unsettled, 100);
  assert_non_null(strstr(said, "credits of 100 samples"));
  assert_non_null(strstr(said, "settle longer"));
  assert_null(strstr(said, "spectral radius"));
  assert_true(length > 1e-3);

  /* States that one sweep leaves near 0, under feedback that credits grow in: nothing is learned
   * from those of hidden layers. */
  static const char *const wild[] = {"settle: {method: sweep, free: 1}\n",
                                     "settle: {method: synchronous, free: 1}\n",
                                     "settle: {method: ode, read_free: 0.05, tolerance: 0.1}\n"};
  for (int i = 0; i < MHO_COUNT(wild); i++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml, "%srule: balance\nfeedback: {scale: 5}\n%s", LOOSE, wild[i]);
    unsettled = unsettled_of(yaml, &length);
    print_message("  %lld unsettled, gradient up to %g: %s\n", (long long)unsettled, length, said);
    assert_true(unsettled > 0);
    assert_non_null(strstr(said, "spectral radius above 1"));
    assert_true(length == 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_bits),  cmocka_unit_test(test_gates),
      cmocka_unit_test(test_relaxation), cmocka_unit_test(test_noise),
      cmocka_unit_test(test_measured),   cmocka_unit_test(test_unsettled),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
