/* Networks of resistors in double precision: the gradient against finite differences of the settled
 * loss, differences settled themselves against two states, Kirchhoff's law and the power balance
 * against plain loops, the fall of the energy, nudges, checkpoints, chunks, and what is refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "resistors.h"

/* ---------------------------------------------------------------- the gradient */

static void test_gradient(void **state) {
  static const char *const nets[] = {
      NET("[14]") IDEAL DIRECT TINY,
      NET("[14]") IDEAL SUBTRACT SMALL,
      NET("[12, 10]") IDEAL DIRECT TINY,
      NET("[12, 10, 8]") IDEAL DIRECT TINY,
      NET("[12, 10]") NONE DIRECT TINY,
      NET("[12, 10]") JUNCTION DIRECT TINY,
      NET("[12, 10]") JUNCTION SUBTRACT SMALL,
      NET("[12, 10]") AMPLIFIED DIRECT TINY,
      NET("[12, 10]") LOPSIDED DIRECT TINY,
      NET("[12, 10]") LOPSIDED SUBTRACT SMALL,
      NET("[12, 10]") BOTH DIRECT TINY,
      NET("[12, 10]") IDEAL THRESHOLDS DIRECT TINY,
      NET("[12, 10]") IDEAL DIRECT SIDED,
      NET("[12, 10]") BOTH THRESHOLDS DIRECT TINY,
      NET("[12, 10]") BOTH DIRECT SIDED,
      NET("[12, 10]") IDEAL DIRECT RULE("phases: centred, nudge: 1e-6, nudge_by: current"),
      NET("[12, 10]") BOTH SUBTRACT RULE("phases: centred, nudge: 1e-4, nudge_by: current"),
  };
  for (int i = 0; i < MHO_COUNT(nets); i += getenv("MHO_TEST_SLOW") ? 1 : 2)
    check_gradient(nets[i]);
}

/* Of amplifiers that differ the rest is that of an energy where both gains do in step, and what a
 * nudge changes is its gradient; else it is near, and less so the more they differ. */
static void test_gradient_of_amplifiers(void **state) {
  double error[3];
  check_gradient(NET("[12, 10]") LOPSIDED CURRENTS IN_STEP DIRECT TINY);
  check_gradient(NET("[12, 10]") BOTH CURRENTS IN_STEP DIRECT TINY);
  for (int i = 0; i < 3; i++) {
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             NET("[12, 10]") BOTH DIRECT TINY "neuron: {variation: {current: %g}}\n",
             0.2 / (1 << 2 * i));
    error[i] = gradient_error(yaml);
    print_message("  a spread of currents of %g turns it by %.2g of the largest derivative\n",
                  0.2 / (1 << 2 * i), error[i]);
  }
  assert_true(error[0] > 1e-3 && error[1] < error[0] / 2 && error[2] < error[1] / 2);
}

/* ---------------------------------------------------------------- differences */

static void test_differences(void **state) {
  check_differences(NET("[12, 10]"));
}

/* ---------------------------------------------------------------- Kirchhoff's law and energy */

static void test_energy_falls_to_rest(void **state) {
  check_rest(NET("[12, 10, 8]"));
}

static void test_balance_of_evaluations(void **state) {
  check_balance(NET("[12, 10]"));
}

/* ---------------------------------------------------------------- training goes on */

#define HIDDEN "hidden: [12]"

/* Neither checkpoints nor evaluations nor the size of chunks change a bit; where phases start
 * does. */
static void test_kept_states(void **state) {
  static const char *const starts[] = {"kept", "zero"};
  double *first = NULL;
  for (int i = 0; i < 2; i++) {
    size_t n;
    double *plain = trained(HIDDEN, starts[i], 4, false, false, "", &n);
    double *others[] = {trained(HIDDEN, starts[i], 4, true, false, "", &n),
                        trained(HIDDEN, starts[i], 4, false, true, "", &n),
                        trained(HIDDEN, starts[i], 4, true, true, "", &n)};
    for (int k = 0; k < MHO_COUNT(others); k++) {
      assert_memory_equal(plain, others[k], n * sizeof *plain);
      free(others[k]);
    }
    double *cut = trained(HIDDEN, starts[i], 1, false, false, "", &n);
    for (size_t k = 0; k < n; k++)
      NEAR(cut[k], plain[k], 0, 1e-14);
    free(cut);
    if (first)
      assert_memory_not_equal(plain, first, n * sizeof *plain);
    free(first);
    first = plain;
  }
  free(first);
}

/* ---------------------------------------------------------------- devices */

static void test_devices_are_conductances(void **state) {
  check_devices(NET("[12, 10], biases: false"));
}

/* Conductances of all layers have one unit. Schemes pulse them; a checkpoint goes on with the same
 * bits. */
static void test_devices_learn(void **state) {
  static const char *const schemes[] = {
      "accumulate}",
      "stochastic}",
      "write_verify}",
      "tiki_taka, gamma: 0, fast_mapping: differential}",
      "accumulate}\narray: {wire: {r_word: 5 ohm, r_bit: 5 ohm}}",
      "tiki_taka, gamma: 0, fast_mapping: differential}\narray: {wire: {r_word: 5 ohm}}",
  };
  for (int i = 0; i < MHO_COUNT(schemes); i++) {
    char more[512];
    size_t n;
    snprintf(more, sizeof more,
             SINGLE "network: {biases: false}\nupdate: {rate: 0.05, scheme: %s\n", schemes[i]);
    double *plain = trained(HIDDEN, "kept", 4, false, false, more, &n);
    double *loaded = trained(HIDDEN, "kept", 4, true, true, more, &n);
    assert_memory_equal(plain, loaded, n * sizeof *plain);
    free(plain);
    free(loaded);
  }
}

/* All conductances fall by (t/t0)^-nu, what they conduct at g_min with them: voltages stay, and
 * power falls with them. */
static void test_drift(void **state) {
  static const char *const shapes[] = {NET("[12, 10], biases: false"),
                                       "dynamics: resistive\nnetwork: {topology: conv, conv: "
                                       "[4x3s2p1, 6x2], biases: false}\n"};
  for (int i = 0; i < MHO_COUNT(shapes); i++) {
    char yaml[1024];
    snprintf(yaml, sizeof yaml, "%s" DATA IDEAL LONG "}\n%s%s", shapes[i], SINGLE,
             "device: {drift: {law: power, nu: 0.05, t0: 20 s}}\n");
    mho_experiment *e = experiment(yaml);
    mho_trainer *t = trainer(e);
    mho_images test = mho_trainer_dataset(t)->test;
    mho_evaluation young, old;
    OK(mho_trainer_evaluate(t, &test, &young, &ei));
    OK(mho_trainer_age(t, 1e6, &ei));
    OK(mho_trainer_evaluate(t, &test, &old, &ei));
    NEAR(old.loss, young.loss, 1e-6, 0);
    NEAR(old.dissipated, young.dissipated * pow(1e6 / 20, -0.05), 1e-6, 0);
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
}

/* What an update wants beyond the range of a device is counted, at g_max as at g_min. */
static void test_clipped(void **state) {
  const double rate = 30;
  mho_experiment *e = experiment(NET("[12, 10], biases: false") SINGLE
                                 "dataset: {train: 4, test: 4}\nresistive: {start: zero}\n"
                                 "rule: {nudge: 0.1}\nupdate: {rate: 30, scheme: exact}\n");
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);
  int64_t above = 0, below = 0;
  for (int c = 0; c < net->n_trained; c++) {
    const mho_crossbar *x = net->connection[c].xb;
    size_t n = mho_crossbar_cells(x);
    double *g = malloc(n * sizeof *g), w_max = mho_crossbar_w_max(x);
    OK(mho_trainer_gradient(t, 0, 4, c, g, &ei));
    for (size_t i = 0; i < n; i++) {
      double wanted = mho__crossbar_programmed(x)[i] - rate * g[i];
      above += wanted > w_max;
      below += wanted < 0;
    }
    free(g);
  }

  mho_epoch_row row;
  OK(mho_trainer_epoch(t, &row, &ei));
  print_message("  %d above g_max, %d below g_min\n", (int)above, (int)below);
  assert_true(above > 0 && below > 0);
  assert_int_equal(row.clipped, above + below);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- circuits that differ */

/* States of both phases of a sample, as they are last seen. */
typedef struct seen {
  const mho_network *net;
  double v[2][MHO_LAYERS_MAX][64];
} seen;

static void take_states(void *user, const mho_trace_point *p) {
  seen *s = user;
  for (int l = 1; p->phase < 2 && l < mho_hidden_end(s->net); l++)
    memcpy(s->v[p->phase][l], p->z[l], (size_t)s->net->layer[l].n * sizeof(double));
}

/* What a conductance behind amplifiers of different gains learns is half the square of the voltage
 * that is really across it, in both phases. */
static void test_gains_of_their_own(void **state) {
  mho_experiment *e;
  mho_trainer *t = subject(
      NET("[12, 10, 8]") LOPSIDED GAINS SUBTRACT RULE("phases: one_sided, nudge: 0.01"), &e);
  const mho_dataset *d = mho_trainer_dataset(t);
  seen s = {.net = mho_trainer_network(t)};
  mho_watched out;
  OK(mho_trainer_watch(t, &d->train, 0, take_states, &s, &out, &ei));

  for (int c = 1; c < s.net->n_trained; c++) {
    const mho_crossbar *x = s.net->connection[c].xb;
    int rows = x->rows - 1, cols = x->cols;
    double *g = malloc(mho_crossbar_cells(x) * sizeof *g), largest = 0;
    double weight =
        pow(0.25, c + 1 - s.net->n_trained); /* of the layer, over that of the outputs */
    OK(mho_trainer_gradient(t, 0, 1, c, g, &ei));
    for (int i = 0; i < rows * cols; i++)
      largest = fmax(largest, fabs(g[i]));
    for (int i = 0; i < rows; i++)
      for (int j = 0; j < cols; j++) {
        double half[2];
        for (int p = 0; p < 2; p++) {
          double across = 4 * gain_of(s.net, c, i) * s.v[p][c][i] - s.v[p][c + 1][j];
          half[p] = across * across / 2;
        }
        NEAR(g[i * cols + j], weight * (half[1] - half[0]) / 0.01, 0, 1e-8 * largest);
      }
    assert_true(largest > 1e-6);
    free(g);
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* Without amplifiers, or without diodes, keys of theirs change nothing, and say so. */
static void test_circuits_that_are_not(void **state) {
  mho_experiment *e = experiment(NET("[6]") "resistive: {rectifier: none}\n");
  const mho_dynamics *dynamics = (const mho_dynamics *)e->dynamics.entry;
  assert_non_null(strstr(dynamics->entry.idle(e, "neuron.variation.gain"), "no amplifiers"));
  assert_non_null(strstr(dynamics->entry.idle(e, "neuron.variation.current"), "no amplifiers"));
  assert_non_null(strstr(dynamics->entry.idle(e, "neuron.variation.offset"), "no diodes"));
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- noise of nodes */

#define NOISY                                                                                      \
  NET("[12, 10]")                                                                                  \
  IDEAL DATA "settle: {free: 100, nudged: 100}\n"                                                  \
             "resistive: {noise: %g mV, measurements: %d}\n"                                       \
             "train: {seeds: {noise: %d}}\n%s"

/* Gradients of biases, [32], with a seed of the noise. */
static void gradients_of_biases(double millivolts, int measurements, int seed, const char *rule,
                                double *out) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml, NOISY, millivolts, measurements, seed, rule);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);

  for (int c = 0; c < net->n_trained; c++) {
    const mho_crossbar *x = net->connection[c].xb;
    double *g = malloc(mho_crossbar_cells(x) * sizeof *g);
    OK(mho_trainer_gradient(t, 0, IMAGES, c, g, &ei));
    memcpy(out, g + (x->rows - 1) * x->cols, (size_t)x->cols * sizeof *out);
    out += x->cols;
    free(g);
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* A bias learns the difference of two voltages, each measured N times, over the nudge: on average
 * that without noise, with a deviation of sigma sqrt(2/(N images)) over the nudge, or over twice
 * of it. */
static void test_noise(void **state) {
  enum { BIASES = 32, DRAWS = 60 };
  static const struct {
    const char *rule;
    double nudges;
    int measurements;
  } cases[] = {{RULE("phases: one_sided, nudge: 0.5"), 0.5, 1},
               {RULE("phases: centred, nudge: 0.1"), 0.2, 1},
               {RULE("phases: centred, nudge: 0.5, nudge_by: current"), 1, 16}};
  const double millivolts = 5, unit = 50; /* mV: a read voltage of 200 over a gain of 4 */

  for (int i = 0; i < MHO_COUNT(cases); i++) {
    double exact[BIASES], g[BIASES], squares = 0, mean[BIASES] = {0};
    gradients_of_biases(0, 1, 1, cases[i].rule, exact);
    for (int k = 0; k < DRAWS; k++) {
      gradients_of_biases(millivolts, cases[i].measurements, 10 + k, cases[i].rule, g);
      for (int j = 0; j < BIASES; j++) {
        squares += (g[j] - exact[j]) * (g[j] - exact[j]) / (BIASES * DRAWS);
        mean[j] += (g[j] - exact[j]) / DRAWS;
      }
    }

    double reads = cases[i].measurements * IMAGES;
    double expected = millivolts / unit * sqrt(2 / reads) / cases[i].nudges;
    print_message("  deviation %.4g, expected %.4g\n", sqrt(squares), expected);
    NEAR(sqrt(squares), expected, 0.08, 0); /* 5 of its own deviations, 1/sqrt(2 x 32 x 60) */
    for (int j = 0; j < BIASES; j++)
      NEAR(mean[j], 0, 0, 5 * expected / sqrt(DRAWS));
  }
}

/* Measured are two states, whether they are settled or what they differ by is. */
static void test_noise_of_differences(void **state) {
  static const char *const rules[] = {RULE("phases: one_sided, nudge: 0.5"),
                                      RULE("phases: centred, nudge: 0.1")};
  for (int i = 0; i < MHO_COUNT(rules); i++) {
    double *g[2], largest = 0;
    size_t n;
    for (int k = 0; k < 2; k++) {
      char yaml[1024];
      snprintf(yaml, sizeof yaml, "%s%s%s", NET("[12, 10]") IDEAL "resistive: {noise: 2 mV}\n",
               rules[i], k ? DIRECT : SUBTRACT);
      g[k] = gradient_of(yaml, &n);
    }
    for (size_t k = 0; k < n; k++)
      largest = fmax(largest, fabs(g[0][k]));
    for (size_t k = 0; k < n; k++)
      NEAR(g[1][k], g[0][k], 0, 1e-10 * largest);
    free(g[0]);
    free(g[1]);
  }
}

/* Neither checkpoints nor evaluations nor the size of chunks change the noise. */
static void test_noise_goes_on(void **state) {
  static const char *const shapes[] = {HIDDEN, HIDDEN ", biases: false",
                                       "topology: conv, conv: [4x3s2p1, 6x2]"};
  static const char *const devices[] = {"", SINGLE "update: {rate: 0.05, scheme: accumulate}\n",
                                        ""};
  for (int i = 0; i < MHO_COUNT(shapes); i++) {
    char noisy[512];
    size_t n;
    snprintf(noisy, sizeof noisy, "%s%s", devices[i],
             "resistive: {noise: 1 mV, measurements: 4, adc_bits: 12}\n");
    double *plain = trained(shapes[i], "kept", 4, false, false, noisy, &n);
    double *loaded = trained(shapes[i], "kept", 4, true, true, noisy, &n);
    double *cut = trained(shapes[i], "kept", 1, false, false, noisy, &n);
    double *without = trained(shapes[i], "kept", 4, false, false, devices[i], &n);
    assert_memory_equal(plain, loaded, n * sizeof *plain);
    assert_memory_not_equal(plain, without, n * sizeof *plain);
    for (size_t k = 0; k < n && !*devices[i]; k++) /* pulses are whole numbers */
      NEAR(cut[k], plain[k], 0, 1e-13);
    free(plain);
    free(loaded);
    free(cut);
    free(without);
  }
}

/* ---------------------------------------------------------------- converters */

/* A converter of 7 bits, 63 codes to either side of 0, over 0.1 units. */
static double rounded(double v) {
  return fmax(-0.1, fmin(0.1, rint(v / 0.1 * 63) * 0.1 / 63));
}

#define CONVERTED "resistive: {adc_bits: 7, adc_range: 5 mV}\n" /* of units of 50 mV */

/* What is learned from states s is the change of half the squares of rounded voltages, and by
 * biases of the voltages themselves. Inputs x are known. @return how many codes a nudge changed. */
static int check_converted(mho_trainer *t, const seen *s, const mho_real *x, double nudge) {
  int codes = 0;
  for (int c = 0; c < s->net->n_trained; c++) {
    const mho_crossbar *xb = s->net->connection[c].xb;
    int rows = xb->rows - 1, cols = xb->cols;
    double *g = malloc(mho_crossbar_cells(xb) * sizeof *g);
    OK(mho_trainer_gradient(t, 0, 1, c, g, &ei));
    for (int j = 0; j < cols; j++) {
      double v[2] = {rounded(s->v[0][c + 1][j]), rounded(s->v[1][c + 1][j])};
      codes += v[0] != v[1];
      NEAR(g[rows * cols + j], (v[0] - v[1]) / nudge, 0, 1e-9);
      for (int i = 0; i < rows; i++) {
        double half[2];
        for (int p = 0; p < 2; p++) {
          double from = c == 0 ? (double)x[i] : rounded(s->v[p][c][i]);
          half[p] = (from - v[p]) * (from - v[p]) / 2;
        }
        NEAR(g[i * cols + j], (half[1] - half[0]) / nudge, 0, 1e-9);
      }
    }
    free(g);
  }
  return codes;
}

/* Two states, and their difference settled itself. */
static void test_converters(void **state) {
  static const char rule[] = RULE("phases: one_sided, nudge: 2");
  char two[1024], direct[1024];
  snprintf(two, sizeof two, "%s%s", NET("[12, 10]") IDEAL CONVERTED SUBTRACT, rule);
  snprintf(direct, sizeof direct, "%s%s", NET("[12, 10]") IDEAL CONVERTED DIRECT, rule);
  mho_experiment *e, *e_direct;
  mho_trainer *t = subject(two, &e), *t_direct = subject(direct, &e_direct);
  seen s = {.net = mho_trainer_network(t)};
  int clipped = 0, codes = 0;
  mho_watched out;
  OK(mho_trainer_watch(t, &mho_trainer_dataset(t)->train, 0, take_states, &s, &out, &ei));
  for (int l = 1; l < mho_hidden_end(s.net); l++)
    for (int j = 0; j < s.net->layer[l].n; j++)
      clipped += fabs(s.v[0][l][j]) > 0.1;

  codes = check_converted(t, &s, mho_trainer_state(t)->z[0], 2);
  check_converted(t_direct, &s, mho_trainer_state(t)->z[0], 2);
  print_message("  %d voltages beyond the range, %d codes that a nudge changed\n", clipped, codes);
  assert_true(clipped > 0 && codes > 5);
  mho_trainer_free(t);
  mho_trainer_free(t_direct);
  mho_experiment_free(e);
  mho_experiment_free(e_direct);
}

/* The finer the converter, the nearer is what is learned to that without: an error of half a step
 * in each of two voltages at most, over twice the nudge. */
static void test_fine_converters(void **state) {
  enum { BIASES = 32 };
  static const int bits[] = {6, 10, 16, 20};
  double exact[BIASES], g[BIASES];
  gradients_of_biases(0, 1, 1, RULE("phases: centred, nudge: 0.1"), exact);
  for (int i = 0; i < MHO_COUNT(bits); i++) {
    char rule[256];
    double worst = 0, step = 4 / (pow(2, bits[i] - 1) - 1); /* of a full scale of 4 units */
    snprintf(rule, sizeof rule, "resistive: {adc_bits: %d}\n%s", bits[i],
             RULE("phases: centred, nudge: 0.1"));
    gradients_of_biases(0, 1, 1, rule, g);
    for (int j = 0; j < BIASES; j++)
      worst = fmax(worst, fabs(g[j] - exact[j]));
    print_message("  %d bits: %.3g, at most %.3g\n", bits[i], worst, step / 0.2);
    assert_true(worst <= step / 0.2 * (1 + 1e-9) && worst > 0);
  }
}

/* ---------------------------------------------------------------- the negative nudge */

static void test_negative_nudge(void **state) {
  mho_experiment *e = experiment("dynamics: resistive\nrule: {nudge: 50}\n"
                                 "dataset: {train: 8, test: 8}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  assert_int_equal(mho_trainer_epoch(t, &row, &ei), MHO_EDIVERGED);
  assert_non_null(strstr(ei.message, "rule.nudge: an output whose conductances add up to"));
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* A node that nothing is joined to is at 0, and learns no worse than others. */
static void test_node_alone(void **state) {
  mho_experiment *e = experiment(NET("[6]") "dataset: {train: 8, test: 8}\n");
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);
  mho_evaluation v;
  double zero = 0;
  for (int i = 0; i < 128; i++)
    mho_crossbar_set(net->connection[0].xb, (size_t)(i * 6 + 2), 1, &zero);
  for (int j = 0; j < 10; j++)
    mho_crossbar_set(net->connection[1].xb, (size_t)(2 * 10 + j), 1, &zero);
  OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei));
  assert_true(isfinite(v.loss));
  for (int i = 0; i < 8; i++)
    assert_true(mho_trainer_state(t)->z[1][i * 6 + 2] == 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- what is refused */

static void test_refused(void **state) {
  static const struct {
    const char *yaml, *says;
  } cases[] = {
      {"rule: bp\n", "rule.name: 'bp' does not learn"},
      {"rule: perturb\n", "network.output: rule.name 'perturb'"},
      {"network: {topology: residual}\n", "network.topology: dynamics.name 'resistive'"},
      {"network: {topology: conv, conv: 8x3 pool2}\n", "network.conv: no conductance between"},
      {"network: {output: softmax}\n", "network.output: with dynamics.name"},
      {"network: {forward_scale: 2}\n", "network.forward_scale: dynamics.name"},
      {"feedback: {scale: 0.5}\n", "feedback.scale: with dynamics.name"},
      {"feedback: {mode: asymmetric}\n", "feedback.mode: with dynamics.name"},
      {"settle: {method: synchronous}\n", "settle.method: dynamics.name 'resistive'"},
      {"device: linear\n", "device.mapping: a conductance between"},
      {SINGLE, "network.biases: currents into nodes"},
      {SINGLE "network: {biases: false}\ndevice: {cells: {n: 2}}\n",
       "device.cells.n: a conductance"},
      {SINGLE "network: {biases: false}\narray: {adc_bits: 8}\n", "array.model: nodes of"},
      {"array: {wire: {r_bit: 1 ohm}}\n", "array.wire.r_word: weights of dynamics.name"},
      {SINGLE "network: {topology: conv, conv: 8x3, biases: false}\n"
              "array: {wire: {r_bit: 1 ohm}}\n",
       "array.wire.r_word: a kernel"},
      {SINGLE "network: {biases: false}\narray: {wire: {r_bit: 1 ohm, refresh: 2}}\n",
       "array.wire.refresh: wires between"},
      {SINGLE "network: {biases: false}\narray: {wire: {r_bit: 1 ohm, negative: neighbour}}\n",
       "array.wire.negative: a conductance"},
      {SINGLE "network: {biases: false}\narray: {wire: {r_bit: 1 ohm}}\n"
              "neuron: {variation: {gain: 0.1}}\n",
       "neuron.variation.gain: amplifiers"},
      {SINGLE "network: {biases: false}\narray: {wire: {r_bit: 1 ohm}}\n"
              "neuron: {variation: {current: 0.1}}\n",
       "neuron.variation.current: amplifiers"},
      {SINGLE "network: {biases: false}\narray: {wire: {r_bit: 1 ohm}}\nsettle: {method: ode}\n",
       "settle.method: wires between"},
      {SINGLE "network: {biases: false}\narray: {wire: {r_bit: 1 ohm}}\nsettle: {method: spice}\n",
       "settle.method: wires between"},
      {SINGLE "network: {biases: false}\nupdate: {scheme: tiki_taka, gamma: 0.1, fast_mapping: "
              "differential}\n",
       "update.gamma: a fast array holds"},
      {"array: {read_noise: 0.01}\n", "array.model: nodes of"},
      {"resistive: {adc_bits: 1}\n", "resistive.adc_bits: a converter of 1 bit"},
      {"update: {scheme: tiki_taka, variant: v1}\n", "update.scheme: "},
      {"rule: {phases: points}\n", "rule.phases: points are not"},
      {"rule: {error: live}\n", "rule.error: with dynamics.name"},
      {"rule: {adaptation: 0.1, adaptation_steps: -1}\n", "rule.adaptation: nodes of"},
      {"rule: {importance: local}\n", "rule.importance: nodes of"},
      {"rule: {readout: nudged}\n", "rule.readout: of outputs"},
      {"observe: {cosine: true}\n", "dynamics.name: section observe"},
  };
  for (int i = 0; i < MHO_COUNT(cases); i++)
    check_refused(cases[i].yaml, cases[i].says);
}

/* ---------------------------------------------------------------- Lambert's function */

static void test_lambert(void **state) {
  for (double z = -60; z < 1e6; z += 0.37 + fabs(z) / 7) {
    double w = mho_lambert_w_exp(z);
    NEAR(w + log(w), z, 4e-16, 4e-16);
  }
  NEAR(mho_lambert_w_exp(0), 0.56714329040978387, 2e-16, 0);
  NEAR(mho_lambert_w_exp(1), 1, 2e-16, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lambert),
      cmocka_unit_test(test_gradient),
      cmocka_unit_test(test_gradient_of_amplifiers),
      cmocka_unit_test(test_differences),
      cmocka_unit_test(test_energy_falls_to_rest),
      cmocka_unit_test(test_balance_of_evaluations),
      cmocka_unit_test(test_kept_states),
      cmocka_unit_test(test_devices_are_conductances),
      cmocka_unit_test(test_devices_learn),
      cmocka_unit_test(test_drift),
      cmocka_unit_test(test_clipped),
      cmocka_unit_test(test_gains_of_their_own),
      cmocka_unit_test(test_circuits_that_are_not),
      cmocka_unit_test(test_noise),
      cmocka_unit_test(test_noise_of_differences),
      cmocka_unit_test(test_noise_goes_on),
      cmocka_unit_test(test_converters),
      cmocka_unit_test(test_fine_converters),
      cmocka_unit_test(test_negative_nudge),
      cmocka_unit_test(test_node_alone),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
