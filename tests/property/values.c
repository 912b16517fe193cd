/* Targets that are values: with 1 for the label and 0 elsewhere every rule learns from values what
 * it learns from classes, bit for bit; the loss and the rms are those of the answers; a linear
 * network finds the published coefficients of a hard regression.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"

enum { TRAIN = 60, TEST = 20, CLASSES = 10 };

/* ---------------------------------------------------------------- values in place of classes */

/* The first digits, their labels as values. */
static mho_dataset digits_as_values(mho_dataset *digits, double *values) {
  mho_dataset d = *digits;
  mho_images *part[] = {&d.train, &d.test};
  double *at = values;
  d.memory = NULL;
  d.classes = 0;
  d.values = CLASSES;

  for (int p = 0; p < 2; p++) {
    part[p]->n = p ? TEST : TRAIN;
    for (int i = 0; i < part[p]->n * CLASSES; i++)
      at[i] = part[p]->label[i / CLASSES] == i % CLASSES;
    part[p]->label = NULL;
    part[p]->target = at;
    at += part[p]->n * CLASSES;
  }
  return d;
}

static mho_trainer *trained(const mho_experiment *e, const mho_dataset *d, mho_epoch_row *row) {
  mho_trainer *t;
  OK(mho_trainer_new_on(NULL, e, d, &t, &ei));
  for (int epoch = 0; epoch < 2; epoch++)
    OK(mho_trainer_epoch(t, row, &ei));
  return t;
}

/* What the evaluation says of the test part, computed again from the answers. */
static void check_evaluation(mho_trainer *t, const mho_dataset *d) {
  mho_real *x = malloc((size_t)TEST * (size_t)d->features * sizeof *x), y[TEST * CLASSES];
  mho_evaluation v;
  double squares = 0;

  mho_images_batch(d, &d->test, NULL, 0, TEST, x, NULL);
  OK(mho_trainer_predict(t, TEST, x, y, &ei));
  OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei));
  for (int i = 0; i < TEST * CLASSES; i++)
    squares += pow((double)y[i] - d->test.target[i], 2);

  NEAR(v.loss, squares / 2 / TEST, 1e-5, 0);
  NEAR(v.rms, sqrt(squares / TEST / CLASSES), 1e-5, 0);
  assert_true(isnan(v.accuracy));
  free(x);
}

static void compare(mho_dataset *digits, const char *how) {
  static double values[(TRAIN + TEST) * CLASSES];
  char yaml[512];
  snprintf(yaml, sizeof yaml, "network: {hidden: [12], output: linear}\ntrain: {batch: 10}\n%s\n",
           how);
  mho_experiment *e = experiment(strstr(how, "network") ? how : yaml);
  mho_dataset as_values = digits_as_values(digits, values), classes = *digits;
  classes.memory = NULL;
  classes.train.n = TRAIN;
  classes.test.n = TEST;

  mho_epoch_row row[2];
  mho_trainer *a = trained(e, &classes, &row[0]), *b = trained(e, &as_values, &row[1]);
  if (row[0].loss != row[1].loss)
    fail_msg("%s: loss %g of classes, %g of values", how, row[0].loss, row[1].loss);
  assert_true(row[0].train_acc >= 0 && isnan(row[1].train_acc));
  for (int c = 0; c < mho_trainer_network(a)->n_trained; c++) {
    const mho_crossbar *x = mho_trainer_network(a)->connection[c].xb;
    const mho_crossbar *y = mho_trainer_network(b)->connection[c].xb;
    size_t size = (size_t)x->rows * (size_t)x->cols * sizeof(mho_real);
    if (memcmp(mho__crossbar_programmed(x), mho__crossbar_programmed(y), size) != 0)
      fail_msg("%s: the weights of connection %d differ", how, c);
  }
  check_evaluation(b, &as_values);

  mho_trainer_free(a);
  mho_trainer_free(b);
  mho_experiment_free(e);
}

#define PULSED(more)  "device: {model: linear, " more "}\nupdate: {scheme: "
#define NETWORK(more) "train: {batch: 10}\nnetwork: {output: linear, " more "}\n"

static void test_one_hot(void **state) {
  static const char *const ways[] = {
      "rule: ep",
      "settle: {difference: subtract}",
      "rule: {name: ep, phases: centred}",
      "rule: {name: ep, error: live}",
      "rule: {name: ep, readout: nudged}",
      "rule: bp",
      "feedback: {mode: asymmetric}\nrule: fa",
      "rule: perturb",
      "rule: {name: perturb, of: nodes}",
      "rule: {name: perturb, by: ideal, sides: both, samples: batch}",
      "rule: {name: perturb, by: pulse}\ndevice: linear\nupdate: {scheme: accumulate}",
      "rule: balance",
      "settle: ode\nrule: {name: balance, gate: bump, output: clamp}",
      "settle: synchronous",
      "settle: ode",
      "settle: ode\nrule: {name: ep, error: live}",
      "settle: {method: ode, difference: subtract}\nrule: {name: ep, phases: centred}",
      PULSED("mapping: differential") "accumulate}",
      PULSED("mapping: reference") "pulses}",
      PULSED("mapping: one_sided") "stochastic}",
      PULSED("mapping: offset") "sign}",
      PULSED("mapping: single") "write_verify}",
      "device: soft_bounds\nupdate: {scheme: accumulate, apply: sample}",
      "array: {model: periphery, dac_bits: 8, adc_bits: 9, read_noise: 0.01}",
      "array: {model: periphery, dac_bits: 8, adc_bits: 9}\ndevice: linear\nrule: {error: live}",
      "array: {wire: {r_word: 1 ohm, r_bit: 1 ohm}}\ndevice: linear",
      NETWORK("hidden: [12, 8], topology: residual"),
      NETWORK("hidden: [12, 8], biases: true"),
      NETWORK("topology: conv, conv: 4x3 pool2"),
      NETWORK("topology: graph, hidden: [6, 5], links: 'x>1 1-2 x>2 2-out'"),
  };
  const mho_entry *kind = mho_registry_find(registry, MHO_KIND_DATASET, "digits");
  mho_dataset_config config;
  mho_dataset digits;
  mho_params_init(mho_dataset_params, &config);
  OK(mho_dataset_load((const mho_dataset_kind *)kind, NULL, &config, &digits, &ei));

  for (int k = 0; k < MHO_COUNT(ways); k++)
    compare(&digits, ways[k]);
  mho_dataset_free(&digits);
}

/* ---------------------------------------------------------------- what is refused */

static void expect(const char *yaml, const char *a, const char *b) {
  mho_config *c;
  mho_experiment *e = NULL;
  OK(mho_config_new(&c, &ei));
  OK(mho_config_text(c, yaml, "test", &ei));
  assert_int_equal(mho_experiment_new(registry, c, false, &e, &ei), MHO_ECONFIG);
  if (!strstr(ei.message, a) || !strstr(ei.message, b))
    fail_msg("%s: does not name %s and %s", ei.message, a, b);
  mho_config_free(c);
}

static void test_refusals(void **state) {
  expect("network: {output: softmax, loss: squared}", "network.loss", "network.output softmax");
  expect("network: {output: linear, loss: cross_entropy}", "network.loss", "network.output linear");

  /* output and loss follow each other where only one is set */
  mho_experiment *e = experiment("network: {loss: squared}");
  assert_int_equal(e->network.output, MHO_OUTPUT_LINEAR);
  mho_experiment_free(e);
  e = experiment("network: {output: linear}");
  assert_int_equal(e->network.loss, MHO_LOSS_SQUARED);
  mho_experiment_free(e);

  /* values of the program's own */
  static double values[(TRAIN + TEST) * CLASSES];
  static uint8_t pixels[TRAIN * 4], labels[TRAIN];
  mho_dataset d = {.train = {.n = TRAIN, .pixel = pixels, .target = values},
                   .test = {.n = TEST, .pixel = pixels, .target = values},
                   .features = 4,
                   .values = 2,
                   .width = 4,
                   .height = 1,
                   .channels = 1,
                   .scale = 1};
  mho_trainer *t;
  e = experiment("train: {batch: 10}");
  assert_int_equal(mho_trainer_new_on(NULL, e, &d, &t, &ei), MHO_ECONFIG);
  assert_non_null(strstr(ei.message, "network.output"));
  mho_experiment_free(e);

  e = experiment("train: {batch: 10}\nnetwork: {output: linear}");
  d.train.target = NULL;
  d.train.label = labels;
  assert_int_equal(mho_trainer_new_on(NULL, e, &d, &t, &ei), MHO_EINVAL);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- a hard regression */

enum { ROWS = 16, TERMS = 6 };

/* J. Longley, J. Am. Stat. Assoc. 62, 819 (1967): y, then x1 ... x6. From NIST's Statistical
 * Reference Datasets, Linear Regression, Longley (www.itl.nist.gov/div898/strd), higher level of
 * difficulty, whose certified coefficients are below. */
static const double longley[ROWS][1 + TERMS] = {
    {60323, 83.0, 234289, 2356, 1590, 107608, 1947},
    {61122, 88.5, 259426, 2325, 1456, 108632, 1948},
    {60171, 88.2, 258054, 3682, 1616, 109773, 1949},
    {61187, 89.5, 284599, 3351, 1650, 110929, 1950},
    {63221, 96.2, 328975, 2099, 3099, 112075, 1951},
    {63639, 98.1, 346999, 1932, 3594, 113270, 1952},
    {64989, 99.0, 365385, 1870, 3547, 115094, 1953},
    {63761, 100.0, 363112, 3578, 3350, 116219, 1954},
    {66019, 101.2, 397469, 2904, 3048, 117388, 1955},
    {67857, 104.6, 419180, 2822, 2857, 118734, 1956},
    {68169, 108.4, 442769, 2936, 2798, 120445, 1957},
    {66513, 110.8, 444546, 4681, 2637, 121950, 1958},
    {68655, 112.6, 482704, 3813, 2552, 123366, 1959},
    {69564, 114.2, 502601, 3931, 2514, 125368, 1960},
    {69331, 115.7, 518173, 4806, 2572, 127852, 1961},
    {70551, 116.9, 554894, 4007, 2827, 130081, 1962},
};
static const double certified[1 + TERMS] = {
    -3482258.63459582, 15.0618722713733,       -0.358191792925910E-01, -2.02022980381683,
    -1.03322686717359, -0.511041056535807E-01, 1829.15146461355};

/* Mean and spread of column k. */
static void moments(int k, double *mean, double *spread) {
  double sum = 0, squares = 0;
  for (int i = 0; i < ROWS; i++)
    sum += longley[i][k] / ROWS;
  for (int i = 0; i < ROWS; i++)
    squares += pow(longley[i][k] - sum, 2) / ROWS;
  *mean = sum;
  *spread = sqrt(squares);
}

/* The coefficients that a linear network has found, from its answers to 0 and to each unit of an
 * input. */
static void check_coefficients(mho_trainer *t, const mho_dataset *d) {
  mho_real in[(1 + TERMS) * TERMS] = {0}, out[1 + TERMS];
  for (int k = 0; k < TERMS; k++)
    in[(1 + k) * TERMS + k] = 1;
  OK(mho_trainer_predict(t, 1 + TERMS, in, out, &ei));

  double constant = mho_dataset_value(d, 0, (double)out[0]);
  for (int k = 0; k < TERMS; k++) {
    double b = (double)(out[1 + k] - out[0]) * d->value_spread[0] / d->feature_spread[k];
    print_message("  x%d %12.6g, certified %12.6g\n", k + 1, b, certified[1 + k]);
    NEAR(b, certified[1 + k], 0.01, 0);
    constant -= b * d->feature_mean[k];
  }
  NEAR(constant, certified[0], 0.01, 0);
}

static void test_longley(void **state) {
  static const char *const rules[] = {"bp", "ep", "{name: ep, phases: centred}"};
  static double x[ROWS * TERMS], y[ROWS];
  double mean[TERMS], spread[TERMS], y_mean, y_spread;
  moments(0, &y_mean, &y_spread);
  for (int k = 0; k < TERMS; k++)
    moments(k + 1, &mean[k], &spread[k]);
  for (int i = 0; i < ROWS; i++) {
    y[i] = longley[i][0];
    memcpy(x + i * TERMS, longley[i] + 1, TERMS * sizeof *x);
  }

  mho_images all = {.n = ROWS, .x = x, .target = y};
  mho_dataset d = {.train = all,
                   .test = all,
                   .features = TERMS,
                   .values = 1,
                   .feature_mean = mean,
                   .feature_spread = spread,
                   .value_mean = &y_mean,
                   .value_spread = &y_spread};
  for (int r = 0; r < MHO_COUNT(rules); r++) {
    char yaml[256];
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [6], neuron: linear, output: linear}\nrule: %s\n"
             "update: {optimizer: momentum, momentum: 0.99, rate: 0.03}\ntrain: {batch: 16}",
             rules[r]);
    mho_experiment *e = experiment(yaml);
    mho_trainer *t;
    mho_epoch_row row;
    OK(mho_trainer_new_on(NULL, e, &d, &t, &ei));
    for (int k = 0; k < 20000; k++)
      OK(mho_trainer_epoch(t, &row, &ei));
    check_coefficients(t, &d);
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
}

/* ---------------------------------------------------------------- a noisy sine */

enum { LEARNED = 400, TESTED = 2000 };
static const double noise = 0.1;

/* The rms on the test samples after training as the config says. */
static double rms_after(const mho_dataset *d, const char *how, int epochs) {
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "dataset: {normalize: columns}\nnetwork: {hidden: [32], biases: true, output: linear}\n"
           "train: {epochs: %d, batch: 20}\n%s\n",
           epochs, how);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t;
  mho_evaluation v;
  OK(mho_trainer_new_on(NULL, e, d, &t, &ei));
  OK(mho_trainer_train(t, NULL, NULL, &ei));
  OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei));
  mho_trainer_free(t);
  mho_experiment_free(e);
  return v.rms;
}

/* results/regression has five seeds of it; here is one. */
static void test_sine(void **state) {
  static double x[LEARNED + TESTED], y[LEARNED + TESTED];
  float normal[LEARNED + TESTED], u[LEARNED + TESTED];
  mho_rng rng = mho_rng_make(7, MHO_RNG_TEST, 0);
  mho_rng_normal(rng, 0, 0, LEARNED + TESTED, normal);
  mho_rng_uniform(rng, 1, 0, LEARNED + TESTED, u);
  for (int i = 0; i < LEARNED + TESTED; i++) {
    x[i] = M_PI * (2 * (double)u[i] - 1);
    y[i] = sin(x[i]) + noise * (double)normal[i];
  }
  mho_dataset d = {.train = {.n = LEARNED, .x = x, .target = y},
                   .test = {.n = TESTED, .x = x + LEARNED, .target = y + LEARNED},
                   .features = 1,
                   .values = 1};

  double bp = rms_after(&d, "update: {rate: 0.03, schedule: cosine}\nrule: bp", 300);
  double ep = rms_after(&d, "update: {rate: 0.03, schedule: cosine}", 300);
  double crossbars = rms_after(&d,
                               "device: {model: soft_bounds, cycle_to_cycle: 0.3}\n"
                               "update: {scheme: pulses, rate: 0.003, schedule: cosine}",
                               300);
  print_message("  rms: bp %.4f, ep %.4f, on crossbars %.4f\n", bp, ep, crossbars);
  assert_true(ep <= 1.1 * bp && ep <= 1.2 * noise);
  assert_true(crossbars <= 1.1 * bp && crossbars <= 1.2 * noise);
  assert_true(bp > 0.95 * noise); /* no test is better than its noise */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_hot),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_longley),
      cmocka_unit_test(test_sine),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
