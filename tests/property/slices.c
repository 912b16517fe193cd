/* Inputs in slices: reads against plain integers, digit by digit, with the converters of both ends,
 * tiles, gains and keeping; noise of the slices against the closed form; energy and time against
 * counting reads; inputs that are given whole; what is refused, and what is idle.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "crossbar.h"
#include "train/trainer.h"

enum { ROWS = 24, COLS = 10, SAMPLES = 5 };

static long clip(long v, long most) {
  return v > most ? most : v < -most ? -most : v;
}

/* A read in integers: the codes of the inputs cut into digits of `digit` bits, the codes of every
 * slice's sum, over tiles of `tile` inputs. */
static double sum_of_slices(const mho_crossbar *x, const mho_real *in, int to, bool transposed,
                            int dac, int slices, int adc, double full, int tile) {
  long most = (1L << (dac - 1)) - 1, top_code = adc ? (1L << (adc - 1)) - 1 : 0;
  int digit = (dac - 1 + slices - 1) / slices, lines = transposed ? COLS : ROWS;
  long base = 1L << digit;
  double y = 0;

  for (int k = 0; k < slices; k++)
    for (int first = 0; first < lines; first += tile) {
      double sum = 0;
      for (int i = first; i < lines && i < first + tile; i++) {
        long code = clip(lrint((double)in[i] * (double)most), most), size = labs(code);
        for (int j = 0; j < k; j++)
          size /= base;
        int row = transposed ? to : i, col = transposed ? i : to;
        double w = (double)mho_crossbar_matrix(x)[row * COLS + col];
        sum += (code < 0 ? -1 : 1) * (double)(size % base) / (double)(base - 1) * w;
      }
      if (adc)
        sum =
            (double)clip(lrint(sum * (double)top_code / full), top_code) * full / (double)top_code;
      y += sum * pow((double)base, k) * (double)(base - 1) / (double)most;
    }
  return y;
}

static void test_digits(void **state) {
  static const struct {
    int dac, slices, adc, tile;
  } cases[] = {{8, 1, 0, 99}, {8, 7, 0, 99}, {8, 2, 9, 99}, {8, 4, 6, 99}, {9, 2, 12, 99},
               {5, 4, 5, 99}, {8, 3, 8, 8},  {7, 6, 7, 8},  {2, 1, 5, 99}};
  for (int c = 0; c < MHO_COUNT(cases); c++)
    for (int transposed = 0; transposed < 2; transposed++) {
      char yaml[512];
      snprintf(
          yaml, sizeof yaml,
          "array: {model: periphery, dac_bits: %d, slices: %d, adc_bits: %d, adc_range: fixed, "
          "adc_full_scale: 4, wire: {tile: %d}}\n",
          cases[c].dac, cases[c].slices, cases[c].adc, cases[c].tile);
      mho_experiment *e = experiment(yaml);
      mho_crossbar *x = crossbar(e, ROWS, COLS);
      int in = transposed ? COLS : ROWS, out = transposed ? ROWS : COLS;
      mho_real w[ROWS * COLS], v[SAMPLES * ROWS], y[SAMPLES * ROWS], kept[SAMPLES * ROWS];
      mho_real *scratch = mho_alloc(mho_crossbar_scratch(x, SAMPLES), sizeof *scratch);
      fill(w, ROWS * COLS, 1, 0.5);
      fill(v, (size_t)(SAMPLES * in), 2, 0.5);
      fill(y, (size_t)(SAMPLES * out), 3, 1);
      memcpy(kept, y, sizeof kept);
      mho_crossbar_set(x, 0, ROWS * COLS, w);
      mho_crossbar_read(x, &(mho_read){.transposed = transposed,
                                       .n = SAMPLES,
                                       .x = v,
                                       .y = y,
                                       .scale = 2,
                                       .keep = (mho_real)0.5,
                                       .scratch = scratch});
      /* sums that lie between two codes may be rounded either way */
      double code = cases[c].adc ? 4 / (pow(2, cases[c].adc - 1) - 1) : 0;
      int off = 0;
      for (int s = 0; s < SAMPLES; s++)
        for (int j = 0; j < out; j++) {
          double want = 0.5 * (double)kept[s * out + j] +
                        2 * sum_of_slices(x, v + s * in, j, transposed, cases[c].dac,
                                          cases[c].slices, cases[c].adc, 4, cases[c].tile);
          double error = fabs((double)y[s * out + j] - want);
          assert_true(error < 2 * code + 2e-5);
          off += error > 2e-5;
        }
      assert_true(off <= (cases[c].adc ? 2 : 0));
      mho_free(scratch);
      mho_crossbar_free(x);
      mho_experiment_free(e);
    }
}

/* Mean square of what noise adds to reads of the same inputs. */
static double noise_of(const char *keys, const mho_real *v, double *of_whole) {
  enum { READS = 4000 };
  char yaml[512];
  snprintf(yaml, sizeof yaml, "array: {model: periphery, dac_bits: 7, %s}\n", keys);
  mho_experiment *e = experiment(yaml);
  mho_crossbar *x = crossbar(e, ROWS, COLS);
  mho_real w[ROWS * COLS], y[COLS], mean[COLS] = {0};
  mho_real *scratch = mho_alloc(mho_crossbar_scratch(x, 1), sizeof *scratch);
  double squares = 0;
  fill(w, ROWS * COLS, 1, 0.5);
  mho_crossbar_set(x, 0, ROWS * COLS, w);
  for (int turn = 0; turn < 2 * READS; turn++) {
    mho_crossbar_read(x, &(mho_read){.n = 1,
                                     .x = v,
                                     .y = y,
                                     .scale = 1,
                                     .clock = {(uint64_t)(turn % READS)},
                                     .scratch = scratch});
    for (int j = 0; j < COLS; j++)
      if (turn < READS)
        mean[j] += y[j] / READS;
      else
        squares += pow((double)(y[j] - mean[j]), 2) / COLS / (READS - 1);
  }

  *of_whole = x->w_max;
  mho_free(scratch);
  mho_crossbar_free(x);
  mho_experiment_free(e);
  return squares;
}

/* Every slice has noise of its own: of amplifiers sum of weight^2 sigma^2, of cells times the
 * squares of its digits; noise that stays the same through a sample adds up before it is
 * squared. */
static void test_noise(void **state) {
  mho_real v[ROWS];
  double w_max, by_read = 0, by_sample = 0, amplifiers = 0, sum = 0;
  fill(v, ROWS, 2, 0.4);
  for (int k = 0; k < 3; k++) { /* 6 bits beside the sign: three digits of base 4 */
    double squares = 0, weight = pow(4, k) * 3 / 63;
    for (int i = 0; i < ROWS; i++) {
      long size = labs(clip(lrint((double)v[i] * 63), 63));
      squares += pow((double)(size / (k == 0 ? 1 : k == 1 ? 4 : 16) % 4) / 3, 2);
    }
    amplifiers += weight * weight;
    by_read += weight * weight * squares;
    sum += weight * sqrt(squares);
  }
  by_sample = sum * sum;

  /* 40000 squares of normal deviates: 5 standard deviations are 3.6 % */
  double got = noise_of("slices: 3, output_noise: 0.01, adc_full_scale: 5", v, &w_max);
  NEAR(got, amplifiers * pow(0.05, 2), 0.036, 0);
  got = noise_of("slices: 3, read_noise: 0.01", v, &w_max);
  NEAR(got, 2 * by_read * pow(0.01 * w_max, 2), 0.036, 0);
  got = noise_of("slices: 3, read_noise: 0.01, noise: {redraw: sample}", v, &w_max);
  NEAR(got, 2 * by_sample * pow(0.01 * w_max, 2), 0.036, 0);
  got = noise_of("slices: 3, read_noise: 0.01, average: 4", v, &w_max);
  NEAR(got, 2 * by_read * pow(0.01 * w_max, 2) / 4, 0.036, 0);
}

/* Full scales follow the sums of slices, which are larger than those of whole inputs; a row that is
 * read alone, and sums that are compared with each other, are given whole. */
static void test_full_scale_and_whole(void **state) {
  mho_experiment *e =
      experiment("array: {model: periphery, dac_bits: 7, slices: 6, adc_bits: 12}\n");
  mho_crossbar *x = crossbar(e, ROWS, COLS);
  mho_real w[ROWS * COLS], v[ROWS], y[COLS], row[COLS], room[ROWS + COLS];
  mho_real *scratch = mho_alloc(mho_crossbar_scratch(x, 1), sizeof *scratch);
  fill(w, ROWS * COLS, 1, 0.5);
  mho_crossbar_set(x, 0, ROWS * COLS, w);
  for (int i = 0; i < ROWS; i++)
    v[i] = (mho_real)(w[i * COLS] > 0 ? 1 / 63.0 : 0); /* in the last slice a full digit */
  mho_read r = {.n = 1, .x = v, .y = y, .scale = 1, .scratch = scratch};
  mho_crossbar_record(x, true);
  mho_crossbar_read(x, &r);
  mho_crossbar_record(x, false);
  double most = 0;
  for (int i = 0; i < ROWS; i++)
    most += fmax((double)mho_crossbar_matrix(x)[i * COLS], 0);
  assert_true((double)x->scales->most[0] >= most * (1 - 1e-5));
  NEAR(x->scales->most[0], most, 1e-4, 0);

  memcpy(row, mho_crossbar_matrix(x) + 3 * COLS, sizeof row);
  mho_crossbar_read_row(x, 3, row, (mho_clock){0}, y, scratch);
  for (int j = 0; j < COLS; j++)
    NEAR(y[j], row[j], 0, 2 * x->w_max / 2047);

  mho_crossbar_read_ranged(x, NULL, &r, room);
  for (int j = 0; j < COLS; j++) {
    double want = 0;
    for (int i = 0; i < ROWS; i++)
      want += (double)v[i] * (double)mho_crossbar_matrix(x)[i * COLS + j];
    NEAR(y[j], want, 0, most / 63 / 2047 + 1e-5);
  }
  mho_free(scratch);
  mho_crossbar_free(x);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- energy */

enum { CELLS, LINES, DAC, ADC, AMPLIFIERS };

static void energy_of(int slices, double scale, mho_energy_row *rows, double *squares) {
  char yaml[512];
  mho_epoch_row row;
  snprintf(yaml, sizeof yaml,
           "dataset: {name: digits, train: 100, test: 20}\nnetwork: {hidden: [8]}\n"
           "train: {batch: 50, seed: 3}\nupdate: {rate: %g}\ndevice: linear\n"
           "array: {model: periphery, dac_bits: 7, slices: %d}\n",
           scale, slices);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_energy(t, rows, &ei));
  *squares = 0;
  for (int i = 0; i < t->at.meter->inputs[0]; i++)
    *squares += t->at.meter->squares[0][i];
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* Every slice is a read, with conversions and time of its own; lines are driven by its digits. */
static void test_energy(void **state) {
  mho_energy_row one[MHO_ENERGY_TERMS], many[MHO_ENERGY_TERMS];
  double whole, sliced, want_whole = 0, want_sliced = 0;
  /* nothing learned: both see the same activities but for the last rounding */
  energy_of(1, 1e-9, one, &whole);
  energy_of(3, 1e-9, many, &sliced);
  static const int terms[] = {CELLS, LINES, DAC, AMPLIFIERS};
  for (int i = 0; i < MHO_COUNT(terms); i++)
    NEAR(many[terms[i]].count, 3 * one[terms[i]].count, 1e-12, 0);
  NEAR(many[DAC].joule, 3 * one[DAC].joule, 1e-12, 0);
  NEAR(many[AMPLIFIERS].joule, 3 * one[AMPLIFIERS].joule, 1e-12, 0);
  NEAR(many[CELLS].seconds, 3 * one[CELLS].seconds, 1e-12, 0);
  assert_true(one[CELLS].seconds > 0 && one[DAC].count > 0);

  mho_experiment *e = experiment("dataset: {name: digits, train: 100, test: 20}\n"
                                 "network: {hidden: [8]}\ntrain: {batch: 50, seed: 3}\n");
  mho_trainer *t = trainer(e);
  const mho_dataset *d = mho_trainer_dataset(t);
  mho_real x[64];
  uint8_t label;
  for (int s = 0; s < d->train.n; s++) {
    mho_images_batch(d, &d->train, NULL, s, 1, x, &label);
    for (int i = 0; i < 64; i++) {
      long size = clip(lrint((double)x[i] * 63), 63);
      want_whole += (double)x[i] * (double)x[i];
      for (long rest = size, k = 0; k < 3; k++, rest /= 4)
        want_sliced += pow((double)(rest % 4) / 3, 2);
    }
  }
  NEAR(whole, want_whole, 1e-6, 0);
  NEAR(sliced, want_sliced, 1e-6, 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- refused, and idle */

static void test_refused(void **state) {
  static const char *const cases[][2] = {
      {"array: {model: periphery, dac_bits: 8, slices: 5}", "4 slices of 2, not 5: use 4"},
      {"array: {model: periphery, dac_bits: 2, slices: 2}", "1 slices of 1, not 2: use 1"},
      {"array: {model: periphery, dac_bits: 8, adc_bits: 8, slices: 2, coupling: analog}",
       "analog neurons get currents"},
      {"array: {model: periphery, dac_bits: 8, adc_bits: 8, slices: 2, differencing: analog}",
       "a sense line holds one value"},
      {"array: {model: periphery, dac_bits: 8, slices: 0}", "array.slices"},
  };
  for (int k = 0; k < MHO_COUNT(cases); k++) {
    mho_experiment *e = NULL;
    mho_err err = mho_experiment_of_yaml(registry, cases[k][0], 0, NULL, &e, &ei);
    if (err != MHO_ECONFIG || !strstr(ei.message, cases[k][1]))
      fail_msg("%s: %d, '%s'", cases[k][0], err, ei.message);
  }
}

static void find_key(void *user, const mho_idle_key *k) {
  *(bool *)user = *(bool *)user || !strcmp(k->key, "array.slices");
}

static void test_idle(void **state) {
  for (int dac = 0; dac < 2; dac++) {
    char yaml[256];
    bool idle = false;
    mho_config *c;
    snprintf(yaml, sizeof yaml, "array: {model: periphery, dac_bits: %d, slices: 3}\n", 8 * dac);
    mho_experiment *e = experiment(yaml);
    OK(mho_config_new(&c, &ei));
    OK(mho_config_text(c, yaml, "test", &ei));
    OK(mho_experiment_idle(e, c, find_key, &idle, &ei));
    assert_int_equal(idle, !dac);
    mho_config_free(c);
    mho_experiment_free(e);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_digits),
      cmocka_unit_test(test_noise),
      cmocka_unit_test(test_full_scale_and_whole),
      cmocka_unit_test(test_energy),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_idle),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
