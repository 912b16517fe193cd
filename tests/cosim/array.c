/* Crossbars that ngspice reads: the same weights, inputs and training as with the core's array
 * models.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "crossbar.h"
#include "mho/model/check.h"
#include "mho/spice.h"

enum { SKIPPED = 77 };

/* Layers of two networks with the same weights, read by ngspice and by the core: the effective
 * matrices, both ways. */
static void check_reads(const char *device, const char *wire, const char *reads) {
  char yaml[512];
  mho_experiment *e[2];
  mho_trainer *t[2];
  for (int spice = 0; spice < 2; spice++) {
    snprintf(yaml, sizeof yaml,
             "dataset: {name: digits, train: 20, test: 10}\nnetwork: {hidden: [7, 5]}\nfeedback: "
             "{scale: 0.1}\n"
             "device: %s\narray: {model: %s%s%s}\ntrain: {batch: 10, seed: 3}\n",
             device, spice ? "spice" : "ideal", spice ? reads : "", wire);
    e[spice] = experiment(yaml);
    t[spice] = trainer(e[spice]);
  }

  const mho_network *core = mho_trainer_network(t[0]), *circuit = mho_trainer_network(t[1]);
  for (int c = 1; c < core->n_connections; c++) { /* 7 x 5, 5 x 10 */
    mho_crossbar *x = circuit->connection[c].xb;
    const mho_real *w = mho_crossbar_matrix(core->connection[c].xb);
    size_t n = (size_t)x->rows * (size_t)x->cols;
    double most = 0, plain = 0;
    for (size_t k = 0; k < n; k++) {
      most = fmax(most, fabs((double)w[k]));
      plain = fmax(
          plain, fabs((double)w[k] - (double)mho__crossbar_programmed(core->connection[c].xb)[k]));
    }
    assert_true(!*wire || plain > 1e-4 * most); /* the wires matter */
    for (int back = 0; back < 2; back++) {
      int in = back ? x->cols : x->rows, out = back ? x->rows : x->cols;
      mho_real unit[10 * 10] = {0}, y[10 * 10];
      for (int i = 0; i < in; i++)
        unit[i * in + i] = 1;
      mho_crossbar_read(x, &(mho_read){.transposed = back, .n = in, .x = unit, .y = y, .scale = 1});
      for (int i = 0; i < in; i++)
        for (int j = 0; j < out; j++)
          NEAR(y[i * out + j], w[back ? j * x->cols + i : i * x->cols + j], 0, 3e-7 * most);
    }
    /* and a weight that is changed afterwards is read as it is now */
    mho_real one[10] = {1}, y[10], v = (mho_real)0.05;
    mho_crossbar_set(x, 2, 1, &v);
    mho_crossbar_read(x, &(mho_read){.n = 1, .x = one, .y = y, .scale = 1});
    if (!*wire)
      NEAR(y[2], mho__crossbar_programmed(x)[2], 0, 3e-7 * most);
  }

  for (int spice = 0; spice < 2; spice++) {
    mho_trainer_free(t[spice]);
    mho_experiment_free(e[spice]);
  }
}

static void test_reads(void **state) {
  static const char *const devices[] = {"ideal", "{model: soft_bounds, g_min: 10 uS, g_max: 50 uS}",
                                        "{model: soft_bounds, open: 0.1, stuck_off: 0.1}"};
  static const char *const wires[] = {"", ", wire: {r_word: 20 ohm, r_bit: 5 ohm}",
                                      ", wire: {r_word: 10 ohm, r_bit: 30 ohm, tile: [4, 3]}",
                                      ", wire: {r_word: 0 ohm, r_bit: 50 ohm}"};
  for (int d = 0; d < MHO_COUNT(devices); d++)
    for (int w = 0; w < MHO_COUNT(wires); w++)
      check_reads(devices[d], wires[w], (d + w) % 2 ? ", reads: each" : "");
}

/* An epoch on devices: the same weights as where the core reads, and the circuit follows the
 * pulses. */
static void test_training(void **state) {
  static const char *const models[] = {"ideal", "spice", "{model: spice, reads: each}"};
  mho_trainer *t[3];
  mho_experiment *e[3];
  mho_evaluation score[3];
  mho_epoch_row row;
  for (int k = 0; k < 3; k++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "dataset: {name: digits, train: 30, test: 20}\nnetwork: {hidden: [6]}\nfeedback: "
             "{scale: 0.1}\n"
             "rule: {name: ep, nudge: 0.5}\nupdate: {optimizer: sgd, rate: 0.5, scheme: exact}\n"
             "settle: {method: sweep, difference: subtract, tolerance: 1e-7}\n"
             "device: {model: linear}\narray: %s\ntrain: {batch: 10}\n",
             models[k]);
    e[k] = experiment(yaml);
    t[k] = trainer(e[k]);
    OK(mho_trainer_epoch(t[k], &row, &ei));
    assert_int_equal(row.unsettled, 0);
    OK(mho_trainer_evaluate(t[k], &mho_trainer_dataset(t[k])->test, &score[k], &ei));
  }

  for (int k = 1; k < 3; k++) {
    assert_true(score[k].accuracy == score[0].accuracy);
    for (int c = 0; c < 2; c++) {
      const mho_crossbar *a = mho_trainer_network(t[0])->connection[c].xb,
                         *b = mho_trainer_network(t[k])->connection[c].xb;
      for (int i = 0; i < a->rows * a->cols; i++)
        NEAR(mho__crossbar_programmed(a)[i], mho__crossbar_programmed(b)[i], 0, 1e-5);
    }
  }

  for (int k = 0; k < 3; k++) {
    mho_trainer_free(t[k]);
    mho_experiment_free(e[k]);
  }
}

/* A session of somebody else's takes the library; afterwards the array reads again. */
static void test_lent(void **state) {
  mho_experiment *e = experiment("device: linear\narray: spice\n");
  mho_crossbar *x = crossbar(e, 3, 2);
  mho_real in[3] = {1, 0, 0}, y[2], w = (mho_real)0.2;
  mho_spice *s;
  mho_crossbar_set(x, 0, 1, &w);
  mho_read r = {.n = 1, .x = in, .y = y, .scale = 1};
  mho_crossbar_read(x, &r);
  NEAR(y[0], mho__crossbar_programmed(x)[0], 1e-6, 0);
  OK(mho_spice_open(&s, &ei));
  mho_crossbar_set(x, 0, 1, &(mho_real){(mho_real)0.1});
  mho_crossbar_read(x, &r);
  assert_true(isnan((double)y[0])); /* no library: nobody takes that for a current */
  mho_spice_close(s);
  mho_crossbar_read(x, &r);
  NEAR(y[0], mho__crossbar_programmed(x)[0], 1e-6, 0);
  mho_crossbar_free(x);
  mho_experiment_free(e);
}

static void test_refused(void **state) {
  static const char *const bad[][2] = {
      {"{model: linear, iv: {law: sinh}}", "resistors"},
  };
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    char yaml[256];
    mho_trainer *t;
    snprintf(yaml, sizeof yaml, "device: %s\narray: spice\nnetwork: {hidden: [4]}\n", bad[i][0]);
    mho_experiment *e = experiment(yaml);
    assert_int_equal(mho_trainer_new(NULL, e, &t, &ei), MHO_EUNSUPPORTED);
    assert_non_null(strstr(ei.message, bad[i][1]));
    mho_experiment_free(e);
  }
}

int main(void) {
  mho_spice *s;
  if (mho_spice_open(&s, &ei) == MHO_EUNSUPPORTED) {
    printf("skipped: %s\n", ei.message);
    return SKIPPED;
  }
  mho_spice_close(s);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads),
      cmocka_unit_test(test_training),
      cmocka_unit_test(test_lent),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
