/* Energy and time of a tiny net against counts by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"

/* 64-6-10 on 40 samples in batches of 20, 4 free and 2 nudged steps at once, nothing random: the input is read once (the
 * nudged phase takes it over), the read-out once, the error once, and one hidden layer has no neighbours. */
enum { X = 64, H = 6, C = 10, N = 40, FREE = 4, NUDGED = 2 };
static const char net[] =
    "network: {hidden: [6]}\nsettle: {method: synchronous, free: 4, nudged: 2}\n"
    "dataset: {train: 40}\ntrain: {batch: 20, chunk: 7, epochs: 2}\n"
    "device: {model: linear, g_min: 10 uS, g_max: 50 uS}\n"
    "energy: {read_time: 50 ns, cell_capacitance: 2 fF, dac_energy: 1 pJ, adc_step: 10 fJ, "
    "adc_time: 2 ns, adc_share: 4, amplifier: 5 uW, set_voltage: 3 V, reset_voltage: 2.5 V, "
    "pulse_width: 1 us, write_parallel: 2}\n";

typedef struct counted {
  mho_experiment *e;
  mho_trainer *t;
  mho_epoch_row row;
  mho_energy_row term[MHO_ENERGY_TERMS];
} counted;

static counted count(const char *more) {
  counted c;
  char yaml[2048];
  snprintf(yaml, sizeof yaml, "%s%s", net, more);
  c.e = experiment(yaml);
  c.t = trainer(c.e);
  OK(mho_trainer_epoch(c.t, &c.row, &ei));
  OK(mho_trainer_energy(c.t, c.term, &ei));
  return c;
}
static void counted_free(counted *c) {
  mho_trainer_free(c->t);
  mho_experiment_free(c->e);
}
static const mho_energy_row *term(const counted *c, const char *name) {
  for (int i = 0; i < MHO_ENERGY_TERMS; i++)
    if (!strcmp(c->term[i].term, name))
      return &c->term[i];
  fail_msg("no term %s", name);
  return NULL;
}

static void test_reads(void **state) {
  counted c = count("update: {rate: 0}\narray: {read_voltage: 0.3 V}\n");
  const mho_dataset *d = mho_trainer_dataset(c.t);
  const mho_crossbar *in = mho_trainer_network(c.t)->connection[0].xb;
  double squares = 0, power = 0, scale = d->scale;
  for (int s = 0; s < N; s++)
    for (int i = 0; i < X; i++) {
      double v = scale * (double)d->train.pixel[s * X + i], g = 0;
      for (int j = 0; j < H; j++)
        g +=
            mho_cells_siemens(in->pos, (size_t)(i * H + j)) + mho_cells_siemens(in->neg, (size_t)(i * H + j));
      squares += v * v;
      power += v * v * g;
    }
  /* the cells of the input are most; hidden states and errors are at most 1 on the read-out's, read three ways */
  double least = 0.09 * 50e-9 * power, reads = 3 * N;
  assert_true(term(&c, "cells")->joule > least);
  assert_true(term(&c, "cells")->joule < least + 0.09 * 50e-9 * N * 2 * (H * C) * 100e-6);
  NEAR(term(&c, "cells")->count, reads, 0, 0);
  NEAR(term(&c, "lines")->count, N * (X + H + C), 0, 0);
  assert_true(term(&c, "lines")->joule > 0.09 * 2e-15 * 2 * H * squares);
  NEAR(term(&c, "amplifiers")->joule, 5e-6 * 50e-9 * N * (H + C + H), 1e-12, 0);
  assert_true(term(&c, "dac")->count == 0 && term(&c, "adc")->count == 0 && term(&c, "adc")->seconds == 0);
  assert_true(term(&c, "set")->joule == 0 && term(&c, "half-selected")->joule == 0);
  NEAR(term(&c, "cells")->seconds, 50e-9 * N * (FREE + NUDGED + 3), 1e-12, 0);
  NEAR(c.term[0].samples, N, 0, 0);
  counted_free(&c);
}

static void test_converters(void **state) {
  counted c = count("update: {rate: 0}\narray: {dac_bits: 6, adc_bits: 7, average: 3, read_noise: 1e-6}\n");
  /* with noise the input is read anew in the nudged phase; inputs are converted once, outputs three times */
  double inputs = N * (2 * X + H + C), outputs = 3.0 * N * (2 * H + C + H), rounds = N * (FREE + NUDGED + 3);
  NEAR(term(&c, "dac")->count, inputs, 0, 0);
  NEAR(term(&c, "dac")->joule, 1e-12 * inputs, 1e-12, 0);
  NEAR(term(&c, "adc")->count, outputs, 0, 0);
  NEAR(term(&c, "adc")->joule, 10e-15 * 128 * outputs, 1e-12, 0);
  NEAR(term(&c, "adc")->seconds, 3 * 2e-9 * 4 * rounds, 1e-12, 0);
  NEAR(term(&c, "cells")->seconds, 3 * 50e-9 * rounds, 1e-12, 0);
  counted_free(&c);
}

/* A tile of 40 x 8 takes part of the 64 inputs and, transposed, of the 10 errors: two conversions each, or one of the sum. */
static void test_tiles(void **state) {
  for (int analog = 0; analog < 2; analog++) {
    char more[200];
    snprintf(more, sizeof more, "update: {rate: 0}\narray: {adc_bits: 7, wire: {tile: [40, 8]}, tiles: %s}\n",
             analog ? "analog" : "digital");
    counted c = count(more);
    double outputs = analog ? N * (H + C + H) : N * (2 * H + C + 2 * H);
    NEAR(term(&c, "adc")->count, outputs, 0, 0);
    NEAR(term(&c, "adc")->joule, 10e-15 * 128 * outputs, 1e-12, 0);
    NEAR(term(&c, "amplifiers")->count, outputs, 0, 0);
    counted_free(&c);
  }
}

/* Joined by wires: converters for the input, the error, the read-out and the states of two phases; input and error conduct
 * for all steps. */
static void test_analog(void **state) {
  counted c = count("update: {rate: 0}\narray: {dac_bits: 6, adc_bits: 7, coupling: analog}\n"),
          digital = count("update: {rate: 0}\narray: {dac_bits: 6, adc_bits: 7}\n");
  NEAR(term(&c, "dac")->count, N * (X + C), 0, 0);
  NEAR(term(&c, "adc")->count, N * (C + 2 * H), 0, 0);
  NEAR(term(&c, "adc")->seconds, 2e-9 * 4 * N * 3, 1e-12, 0);
  NEAR(term(&c, "cells")->count, N * ((FREE + NUDGED) + 1 + NUDGED), 0, 0);
  assert_true(term(&c, "cells")->joule > 5 * term(&digital, "cells")->joule);
  counted_free(&c);
  counted_free(&digital);
}

static void test_pulses(void **state) {
  counted c = count("update: {scheme: pulses, optimizer: sgd, rate: 0.5}\n");
  const mho_network *n = mho_trainer_network(c.t);
  double set = c.row.set_pulses, reset = c.row.reset_pulses, g[2];
  assert_true(set > 100 && reset > 100);
  NEAR(term(&c, "set")->count, set, 0, 0);
  NEAR(term(&c, "reset")->count, reset, 0, 0);
  for (int k = 0; k < 2; k++)
    g[k] = mho_crossbar_statistics(n->connection[k].xb).g_mean;
  double low = fmin(g[0], g[1]), high = fmax(g[0], g[1]);
  assert_true(term(&c, "set")->joule >= set * low * 9e-6 * (1 - 1e-9) &&
              term(&c, "set")->joule <= set * high * 9e-6 * (1 + 1e-9));
  NEAR(term(&c, "set")->joule / term(&c, "reset")->joule, set * 9 / (reset * 6.25), 1e-9, 0);
  /* two cells of a row at once: rows - 1 and (cols - 2)/2 others see half of the voltage, a quarter of the energy */
  double half = term(&c, "half-selected")->count;
  assert_true(half >= (set + reset) * (H - 1 + (C - 2) / 2.0) &&
              half <= (set + reset) * (X - 1 + (H - 2) / 2.0));
  assert_true(term(&c, "half-selected")->joule <= half * high * 9e-6 / 4 &&
              term(&c, "half-selected")->joule >= half * low * 6.25e-6 / 4);
  double seconds = term(&c, "set")->seconds + term(&c, "reset")->seconds;
  assert_true(seconds <= 1e-6 * (set + reset) / 4 * (1 + 1e-9) && seconds >= 1e-6 * (set + reset) / 8);
  counted_free(&c);
}

/* Trains of fixed length whose probabilities all saturate, by steps too small to change what follows: every line that
 * has anything to say pulses in every slot, so all is known without a draw. */
static void test_trains(void **state) {
  enum { LENGTH = 7 };
  mho_experiment *e =
      experiment("network: {hidden: [6]}\nsettle: {method: synchronous, free: 4, nudged: 2}\n"
                 "dataset: {train: 40}\ntrain: {batch: 20}\nrule: {nudge: 1}\nfeedback: {scale: 1}\n"
                 "device: {model: linear, step_up: 1e-7, step_down: 1e-7}\n"
                 "energy: {set_voltage: 3 V, reset_voltage: 3 V, pulse_width: 1 us}\n"
                 "update: {scheme: stochastic, rate: 1000, management: false, max_length: 7}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_energy_row term[MHO_ENERGY_TERMS];
  OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_energy(t, term, &ei));
  const mho_dataset *d = mho_trainer_dataset(t);
  double inputs = 0; /* pixels that are not 0 */
  for (int i = 0; i < N * X; i++)
    inputs += d->train.pixel[i] != 0;
  /* of a pair both devices are pulsed; hidden states, and errors of both layers, are never 0 */
  NEAR(row.pulses, 2 * LENGTH * (inputs * H + N * H * C), 0, 0);
  for (int i = 0; i < MHO_ENERGY_TERMS; i++) {
    const mho_energy_row *r = &term[i];
    if (!strcmp(r->term, "set") || !strcmp(r->term, "reset"))
      NEAR(r->seconds, LENGTH * N * 1e-6, 1e-12, 0);
    if (!strcmp(r->term, "half-selected")) { /* cells of a column that pulses on rows that do not */
      const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
      double count = 2 * LENGTH * H * (N * X - inputs);
      NEAR(r->count, count, 1e-12, 0);
      NEAR(r->joule, count * mho_crossbar_statistics(x).g_mean * 9e-6 / 4, 1e-9, 0);
    }
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* Reads that verify what was written. */
static void test_verify(void **state) {
  counted c = count("update: {scheme: write_verify, optimizer: sgd, rate: 0.5}\n"
                    "array: {adc_bits: 6, dac_bits: 6, read_voltage: 0.3 V}\n");
  double reads = c.row.verify_reads, joule = term(&c, "verify")->joule, g[2];
  assert_true(reads > 100);
  NEAR(term(&c, "verify")->count, reads, 0, 0);
  for (int k = 0; k < 2; k++)
    g[k] = mho_crossbar_statistics(mho_trainer_network(c.t)->connection[k].xb).g_mean;
  double rest = 5e-6 * 50e-9 + 64 * 10e-15, cell = 2 * 0.09 * 50e-9;
  assert_true(joule >= reads * (cell * fmin(g[0], g[1]) + rest) * (1 - 1e-9) &&
              joule <= reads * (cell * fmax(g[0], g[1]) + rest) * (1 + 1e-9));
  double seconds = term(&c, "verify")->seconds; /* two at once, both connections side by side */
  assert_true(seconds >= 52e-9 * reads / 4 && seconds <= 52e-9 * reads / 2);
  counted_free(&c);
}

/* Initial weights through a scheme: within half a step of the exact ones where devices are, and counted. */
static void test_initial(void **state) {
  static const char *const how[] = {"{scheme: pulses, rate: 0}", "{scheme: accumulate, rate: 0}",
                                    "{scheme: sign, rate: 0}",
                                    "{scheme: write_verify, rate: 0, tolerance: 0.5}"};
  static const char *const device[] = {"{model: linear, step_up: 0.01, step_down: 0.01}",
                                       "{model: linear, step_up: 0.01, step_down: 0.01, mapping: reference}"};
  for (int d = 0; d < MHO_COUNT(device); d++)
    for (int i = 0; i < MHO_COUNT(how); i++) {
      char yaml[512];
      mho_epoch_row row;
      snprintf(yaml, sizeof yaml,
               "network: {hidden: [6]}\ndataset: {train: 20}\ntrain: {batch: 20}\ndevice: %s\nupdate: %s\n"
               "program: {initial: scheme, rounds: 60}\n",
               device[d], how[i]);
      mho_experiment *e = experiment(yaml);
      mho_trainer *t = trainer(e);
      const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
      size_t n = (size_t)x->rows * (size_t)x->cols;
      mho_real *exact = mho_alloc(n, sizeof *exact);
      memcpy(exact, mho_crossbar_programmed(x), n * sizeof *exact);
      OK(mho_trainer_epoch(t, &row, &ei));
      double step = mho_crossbar_step(x, 0.01), farthest = 0;
      for (size_t k = 0; k < n; k++)
        farthest = fmax(farthest, fabs((double)(exact[k] - mho_crossbar_programmed(x)[k])));
      assert_true(farthest > 0.1 * step && farthest < 1.001 * step);
      assert_true(row.pulses > 100 && row.verify_reads >= (double)n && row.clipped >= 0);
      mho_free(exact);
      mho_trainer_free(t);
      mho_experiment_free(e);
    }
}

/* The same for any number of threads and after a resume in mid-epoch; nothing without devices or when not asked for. */
static void test_resume(void **state) {
  char yaml[2048]; /* with all that is counted in mid-epoch */
  snprintf(yaml, sizeof yaml, "%supdate: {scheme: stochastic, rate: 0.5}\n", net);
  mho_experiment *e = experiment(yaml), *ideal = experiment("device: ideal\n"),
                 *off = experiment("device: linear\nenergy: {count: false}\n");
  mho_context one = {0}, three = {0};
  volatile sig_atomic_t stop = 1;
  OK(mho_pool_new(3, &three.pool, &ei));
  one.stop = &stop;
  mho_trainer *whole, *cut, *rest = trainer(e);
  mho_epoch_row row;
  mho_checkpoint_row saved = {0};
  mho_energy_row a[MHO_ENERGY_TERMS], b[MHO_ENERGY_TERMS];
  OK(mho_trainer_new(&three, e, &whole, &ei));
  OK(mho_trainer_new(&one, e, &cut, &ei));
  OK(mho_trainer_epoch(whole, &row, &ei));
  OK(mho_trainer_energy(whole, a, &ei));
  assert_int_equal(mho_trainer_epoch(cut, &row, &ei), MHO_EINTERRUPTED);
  OK(mho_trainer_save(cut, &saved, &ei));
  OK(mho_trainer_load(rest, &saved.blob, &ei));
  OK(mho_trainer_epoch(rest, &row, &ei));
  OK(mho_trainer_energy(rest, b, &ei));
  for (int i = 0; i < MHO_ENERGY_TERMS; i++)
    assert_true(a[i].joule == b[i].joule && a[i].seconds == b[i].seconds && a[i].count == b[i].count);
  mho_trainer *none = trainer(ideal), *silent = trainer(off);
  assert_int_equal(mho_trainer_energy(none, a, &ei), MHO_EINVAL);
  assert_int_equal(mho_trainer_energy(silent, a, &ei), MHO_EINVAL);
  mho_blob_free(&saved.blob);
  mho_trainer *all[] = {whole, cut, rest, none, silent};
  for (int i = 0; i < MHO_COUNT(all); i++)
    mho_trainer_free(all[i]);
  mho_pool_free(three.pool);
  mho_experiment_free(e);
  mho_experiment_free(ideal);
  mho_experiment_free(off);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads),  cmocka_unit_test(test_converters), cmocka_unit_test(test_tiles),
      cmocka_unit_test(test_analog), cmocka_unit_test(test_pulses),     cmocka_unit_test(test_trains),
      cmocka_unit_test(test_verify), cmocka_unit_test(test_initial),    cmocka_unit_test(test_resume),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
