/* Equilibrium propagation with nudges at several points, and states averaged inside a phase: the
 * weights of the points against a least-squares fit by GSL, two points against centred nudging,
 * bit for bit, noise of errors against closed forms, and what all that is counted as.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_linalg.h>

#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"
#include "rule/stencil.h"
#include "train/trainer.h"

/* ---------------------------------------------------------------- weights */

/* The slope that a polynomial of odd powers has which is fitted to values of 1 at point k and 0 at
 * the others: what the point weighs. */
static double fitted_weight(int pairs, int order, int k) {
  size_t m = (size_t)pairs, n = (size_t)(order + 1) / 2;
  gsl_matrix *a = gsl_matrix_alloc(m, n);
  gsl_vector *tau = gsl_vector_alloc(n), *b = gsl_vector_calloc(m), *c = gsl_vector_alloc(n),
             *rest = gsl_vector_alloc(m);
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++)
      gsl_matrix_set(a, i, j, pow((double)i + 1, 2 * (double)j + 1));
  gsl_vector_set(b, (size_t)k - 1, 1);

  gsl_linalg_QR_decomp(a, tau);
  gsl_linalg_QR_lssolve(a, tau, b, c, rest);
  double slope = gsl_vector_get(c, 0);
  gsl_matrix_free(a);
  gsl_vector_free(tau);
  gsl_vector_free(b);
  gsl_vector_free(c);
  gsl_vector_free(rest);
  return slope;
}

static void test_weights(void **state) {
  double w[MHO_STENCIL_PAIRS];
  for (int pairs = 1; pairs <= MHO_STENCIL_PAIRS; pairs++)
    for (int order = 1; order < 2 * pairs; order += 2) {
      mho__stencil_weights(pairs, order, w);
      for (int k = 1; k <= pairs; k++)
        NEAR(w[k - 1], fitted_weight(pairs, order, k), 1e-7, 1e-9);
    }

  mho__stencil_weights(1, 1, w);
  assert_true(w[0] == 1); /* exactly: two points are centred nudging */
  mho__stencil_weights(2, 3, w);
  NEAR(w[0], 4.0 / 3, 1e-14, 0);
  NEAR(w[1], -1.0 / 6, 1e-14, 0);
  mho__stencil_weights(3, 5, w);
  NEAR(w[0], 3.0 / 2, 1e-13, 0);
  NEAR(w[1], -3.0 / 10, 1e-13, 0);
  NEAR(w[2], 1.0 / 30, 1e-12, 0);
}

/* ---------------------------------------------------------------- two points are centred */

/* All weights after an epoch on 60 digits; how many there are. */
static size_t train(const char *yaml, const char *rule, mho_real *w, mho_epoch_row *row) {
  char text[1024];
  snprintf(text, sizeof text,
           "dataset: {train: 60, test: 20}\ntrain: {batch: 20, epochs: 1}\n%srule: %s\n", yaml,
           rule);
  mho_experiment *e = experiment(text);
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);
  size_t count = 0;
  OK(mho_trainer_epoch(t, row, &ei));

  for (int c = 0; c < net->n_connections; c++) {
    const mho_crossbar *x = net->connection[c].xb;
    size_t n = (size_t)x->rows * (size_t)x->cols;
    memcpy(w + count, mho__crossbar_programmed(x), n * sizeof *w);
    count += n;
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
  return count;
}

#define NET    "network: {hidden: [9, 7]}\nfeedback: {scale: 0.2}\n"
#define DEVICE "device: {model: linear, step_up: 0.02, step_down: 0.02}\n"

static void test_two_are_centred(void **state) {
  static const char *const configs[] = {
      NET,
      NET "settle: {difference: subtract}\n",
      NET "settle: {method: synchronous}\n",
      NET "settle: {method: synchronous, nudge_course: growing}\n",
      NET "settle: {method: ode}\n",
      NET "settle: {method: ode, difference: subtract}\n",
      NET "settle: {method: ode, read_free: 5, read_nudged: 3, average: 1, noise: {white: 0.01, "
          "flicker: 0.01, step: 0.1}}\n",
      NET "array: {model: periphery, read_noise: 0.01}\n",
      NET "array: {model: periphery, coupling: analog, adc_bits: 8, output_noise: 0.001}\n",
      NET "array: {model: periphery, coupling: analog, adc_bits: 8, differencing: analog}\n",
      NET DEVICE "update: {scheme: accumulate, optimizer: sgd, rate: 1}\n",
      "network: {topology: conv, conv: 3x3 pool2 6}\n",
      "network: {topology: residual, hidden: [6, 6, 6, 6]}\nfeedback: {scale: 0.2}\n",
  };
  static mho_real a[2000], b[2000], c[2000];

  for (int i = 0; i < MHO_COUNT(configs); i++) {
    mho_epoch_row centred, two, four;
    size_t n = train(configs[i], "{nudge: 0.3, phases: centred}", a, &centred);
    assert_true(n <= MHO_COUNT(a));
    train(configs[i], "{nudge: 0.3, phases: points, points: 2}", b, &two);
    if (memcmp(a, b, n * sizeof *a) || centred.loss != two.loss || centred.reads != two.reads)
      fail_msg("two points are not centred nudging in '%s'", configs[i]);

    train(configs[i], "{nudge: 0.3, phases: points}", c, &four);
    assert_true(memcmp(a, c, n * sizeof *a));
    assert_true(isfinite(four.loss));
  }
}

/* ---------------------------------------------------------------- settlers agree */

enum { SAMPLES = 10 };

/* The gradient of the second connection. */
static void gradient(const char *settle, const char *rule, size_t n, mho_real *g) {
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "network: {hidden: [10, 8, 6]}\nfeedback: {scale: 0.2}\ntrain: {batch: %d}\nsettle: %s\n"
           "rule: {gradient: normalized, nudge: 0.3, phases: points, %s}\n",
           SAMPLES, settle, rule);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  OK(mho_trainer_gradient(t, 0, SAMPLES, 1, g, &ei));
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void test_settlers_agree(void **state) {
  enum { N = 10 * 8 };
  static const char *const settles[] = {
      "{method: sweep, difference: subtract, tolerance: 1e-7}",
      "{method: sweep, free: 40, nudged: 40}",
      "{method: ode, difference: subtract}",
      "{method: ode}",
  };
  static const char *const rules[] = {"points: 4", "points: 6, order: 3"};
  mho_real reference[N], g[N];

  for (int r = 0; r < MHO_COUNT(rules); r++) {
    gradient("{method: synchronous, free: 400, nudged: 400}", rules[r], N, reference);
    for (int i = 0; i < MHO_COUNT(settles); i++) {
      gradient(settles[i], rules[r], N, g);
      double largest = 0, apart = 0;
      for (int k = 0; k < N; k++) {
        largest = fmax(largest, fabs((double)reference[k]));
        apart = fmax(apart, fabs((double)(g[k] - reference[k])));
      }
      if (!(apart < 1e-3 * largest))
        fail_msg("%s, %s: %g of the largest derivative apart", settles[i], rules[r],
                 apart / largest);
    }
  }
}

/* ---------------------------------------------------------------- noise */

enum { NEURONS = 60, IMAGES = 200 };

/* Standard deviations of free states and errors around what they would be without noise. */
typedef struct noise {
  double free, error;
} noise;

/* v W^T or v W of one sample, unit j. */
static double product(const mho_real *v, const mho_crossbar *x, bool transposed, int j) {
  const mho_real *w = mho__crossbar_programmed(x);
  int n = transposed ? x->cols : x->rows;
  double sum = 0;
  for (int i = 0; i < n; i++)
    sum += (double)v[i] * (double)(transposed ? w[j * x->cols + i] : w[i * x->cols + j]);
  return sum;
}

/* One hidden layer of linear neurons: its free states are x W, and its errors beta (o - t) W_out^T,
 * whatever the stencil. The nudge is so small that noise of the error's read is none. */
static noise measure_noise(const char *settle, const char *rule) {
  const double nudge = 1e-3;
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "network: {hidden: [%d], neuron: linear}\ntrain: {batch: %d}\nsettle: %s\n"
           "array: {model: periphery, read_noise: 0.01}\nrule: {nudge: %g, %s}\n",
           NEURONS, IMAGES, settle, nudge, rule);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);
  const mho_crossbar *in = net->connection[0].xb, *out = net->connection[1].xb;
  mho_real *g = calloc((size_t)in->rows * (size_t)in->cols, sizeof *g);
  OK(mho_trainer_gradient(t, 0, IMAGES, 0, g, &ei));

  const mho_state *s = mho_trainer_state(t);
  mho_real *const *error = t->learner->error;
  noise sum = {0, 0};
  for (int i = 0; i < IMAGES; i++)
    for (int j = 0; j < NEURONS; j++) {
      size_t at = (size_t)i * NEURONS + (size_t)j;
      double z = product(s->z[0] + (size_t)i * (size_t)in->rows, in, false, j);
      double d = nudge * product(error[2] + (size_t)i * (size_t)out->cols, out, true, j);
      sum.free += pow((double)s->z[1][at] - z, 2) / (IMAGES * NEURONS);
      sum.error += pow((double)error[1][at] - d, 2) / (IMAGES * NEURONS);
    }

  free(g);
  mho_trainer_free(t);
  mho_experiment_free(e);
  return (noise){sqrt(sum.free), sqrt(sum.error)};
}

/* Noise sigma in every state is sigma sqrt(sum of the squared weights / 2) in an error: .707 of
 * centred, .950 of four points through which the polynomial goes. */
static void test_noise_of_points(void **state) {
  static const struct {
    const char *rule;
    double noise;
  } stencils[] = {
      {"phases: one_sided", 1.41421356},        {"phases: centred", 0.70710678},
      {"phases: points", 0.95015349},           {"phases: points, order: 1", 0.31622777},
      {"phases: points, points: 6", 1.0818713}, {"phases: points, points: 6, order: 3", 0.51222}};
  for (int i = 0; i < MHO_COUNT(stencils); i++) {
    noise v = measure_noise("{method: synchronous, free: 2, nudged: 2}", stencils[i].rule);
    print_message("  %s: %.4f sigma/beta, %.4f in theory\n", stencils[i].rule, v.error / v.free,
                  stencils[i].noise);
    NEAR(v.error / v.free, stencils[i].noise, 0.03, 0);
  }
}

/* Averaged over n steps, of which each reads the input again, the noise of states and errors is
 * that of one over sqrt(n). */
static void test_noise_of_averages(void **state) {
  static const char *const methods[] = {"sweep", "synchronous"};
  for (int m = 0; m < MHO_COUNT(methods); m++) {
    noise one = {0, 0};
    for (int n = 1; n <= 64; n *= 4) {
      char settle[128];
      snprintf(settle, sizeof settle, "{method: %s, average: %d}", methods[m], n);
      noise v = measure_noise(settle, "phases: centred");
      if (n == 1)
        one = v;
      print_message("  %s, %d: noise of states %.4f, of errors %.4f of one's\n", methods[m], n,
                    v.free / one.free, v.error / one.error);
      NEAR(v.free / one.free, 1 / sqrt(n), 0.03, 0);
      NEAR(v.error / one.error, 1 / sqrt(n), 0.03, 0);
    }
  }
}

/* ---------------------------------------------------------------- what is counted */

static double inputs_converted(const char *settle, const char *rule) {
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "dataset: {train: 40, test: 20}\ntrain: {batch: 20, epochs: 1}\n" NET DEVICE
           "array: {model: periphery, dac_bits: 8, read_noise: 0.01}\nsettle: {method: "
           "synchronous, free: 6, nudged: 6%s}\nrule: {%s}\n",
           settle, rule);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_energy_row rows[MHO_ENERGY_TERMS];
  OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_energy(t, rows, &ei));
  double count = 0;
  for (int i = 0; i < MHO_ENERGY_TERMS; i++)
    if (!strcmp(rows[i].term, "dac"))
      count = rows[i].count;
  mho_trainer_free(t);
  mho_experiment_free(e);
  return count;
}

/* Every nudged phase costs the same; averaged steps read the input and the error again. */
static void test_counts(void **state) {
  double one = inputs_converted("", "phases: one_sided");
  double two = inputs_converted("", "phases: centred");
  double four = inputs_converted("", "phases: points");
  NEAR(four - two, 2 * (two - one), 1e-12, 0);

  double averaged = inputs_converted(", average: 3", "phases: points");
  NEAR(averaged - four, 2 * 40 * (5 * 64 + 4 * 10), 1e-12, 0);
}

/* ---------------------------------------------------------------- what is refused */

static void test_refused(void **state) {
  static const struct {
    const char *yaml, *says;
  } cases[] = {
      {"rule: {phases: points, points: 5}\n", "rule.points: of 5 nudges"},
      {"rule: {phases: points, order: 2}\n", "rule.order: the points are nudged both ways"},
      {"rule: {phases: points, order: 5}\n", "rule.order: 4 points say no more than order 3"},
      {"rule: {phases: points, readout: nudged}\n", "rule.readout: of the points"},
      {"settle: {method: synchronous, free: 10, average: 11}\n", "settle.average: the last 11"},
      {"settle: {method: synchronous, nudged: 3, average: 4}\n", "settle.nudged gives it 3 steps"},
      {"settle: {free: 3, average: 4}\n", "settle.free gives it 3 sweeps"},
      {"settle: {method: synchronous, tolerance: 1e-3, average: 4}\n", "settle.tolerance"},
  };
  for (int i = 0; i < MHO_COUNT(cases); i++) {
    mho_experiment *e = NULL;
    mho_errinfo why = {0};
    mho_err err = mho_experiment_of_yaml(registry, cases[i].yaml, 0, NULL, &e, &why);
    if (err != MHO_ECONFIG || !strstr(why.message, cases[i].says))
      fail_msg("'%s' says '%s'", cases[i].yaml, why.message);
  }
}

/* The key that ode had within `noise` before. */
static void test_earlier_name(void **state) {
  static const char *const names[] = {"noise.average", "average"};
  for (int i = 0; i < 2; i++) {
    char yaml[256];
    snprintf(yaml, sizeof yaml,
             "settle: {method: ode, read_free: 5, read_nudged: 5, noise.white: 0.01, %s: 2}\n",
             names[i]);
    mho_experiment *e = experiment(yaml);
    const mho_settler *settler = (const mho_settler *)e->settler.entry;
    const mho_param *p = mho_params_find(settler->entry.params, "average");
    double average;
    memcpy(&average, e->settler.params + p->offset, sizeof average);
    assert_true(average == 2);
    mho_experiment_free(e);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_weights),           cmocka_unit_test(test_two_are_centred),
      cmocka_unit_test(test_settlers_agree),    cmocka_unit_test(test_noise_of_points),
      cmocka_unit_test(test_noise_of_averages), cmocka_unit_test(test_counts),
      cmocka_unit_test(test_refused),           cmocka_unit_test(test_earlier_name),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
