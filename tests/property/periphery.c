/* The circuits around a crossbar, one by one, against closed forms: converters, noise, averaging,
 * mismatch, ranging, calibration, held lines, measured states.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "crossbar.h"
#include "mho/model/check.h"

enum { ROWS = 31, COLS = 17, SCRATCH = 200000 };

typedef struct bench {
  mho_experiment *e;
  mho_crossbar *x;
  mho_real *scratch;
} bench;

static bench bench_new(const char *array) {
  char yaml[512];
  snprintf(yaml, sizeof yaml, "array: {model: periphery, %s}\n", array);
  bench b = {.e = experiment(yaml), .scratch = mho_alloc(SCRATCH, sizeof(mho_real))};
  mho_real w[ROWS * COLS];
  b.x = crossbar(b.e, ROWS, COLS);
  fill(w, ROWS * COLS, 1, 0.3);
  mho_crossbar_set(b.x, 0, ROWS * COLS, w);
  return b;
}
static void bench_free(bench *b) {
  mho_free(b->scratch);
  mho_crossbar_free(b->x);
  mho_experiment_free(b->e);
}
static void read_at(const bench *b, const mho_real *v, mho_clock clock, mho_real *y) {
  assert_true(mho_crossbar_scratch(b->x, 1) <= SCRATCH);
  mho_crossbar_read(
      b->x, &(mho_read){.n = 1, .x = v, .y = y, .scale = 1, .clock = clock, .scratch = b->scratch});
}
/* sum_i v_i W_ij */
static double product(const bench *b, const mho_real *v, int j) {
  double sum = 0;
  for (int i = 0; i < ROWS; i++)
    sum += (double)v[i] * (double)mho__crossbar_programmed(b->x)[i * COLS + j];
  return sum;
}

/* Rounding to codes of step full/(2^(bits-1) - 1): all numbers are codes, the error is uniform
 * with variance step^2/12, and beyond full scale the last code stays. */
static void test_converters(void **state) {
  for (int bits = 4; bits <= 10; bits += 3) {
    char keys[128];
    snprintf(keys, sizeof keys, "adc_bits: %d, adc_range: fixed, adc_full_scale: 2", bits);
    bench b = bench_new(keys);
    double step = 2 / (pow(2, bits - 1) - 1), squares = 0;
    int n = 0, clipped = 0;
    mho_real v[ROWS], y[COLS];
    for (uint32_t k = 0; k < 400; k++) {
      fill(v, ROWS, 10 + k, 0.6);
      read_at(&b, v, (mho_clock){k}, y);
      for (int j = 0; j < COLS; j++) {
        double want = product(&b, v, j), code = (double)y[j] / step;
        NEAR(code, nearbyint(code), 0, 1e-3);
        assert_true(fabs((double)y[j]) <= 2 + 1e-6);
        if (fabs(want) > 2) {
          NEAR(y[j], want > 0 ? 2 : -2, 1e-6, 0);
          clipped++;
          continue;
        }
        NEAR(y[j], want, 0, step / 2 + 1e-5);
        squares += ((double)y[j] - want) * ((double)y[j] - want);
        n++;
      }
    }
    assert_true(clipped > 20);
    /* a variance of n uniform errors: its own standard error is sqrt(0.8/n) of it */
    NEAR(squares / n, step * step / 12, 5 * sqrt(0.8 / n) + 0.02, 0);
    bench_free(&b);
  }
}

static void test_dac(void **state) {
  bench b = bench_new("dac_bits: 5, dac_range: 0.5");
  mho_real v[ROWS] = {0}, y[COLS];
  for (int k = -40; k <= 40;
       k++) { /* one driven line: the converter's staircase, through any weight */
    double x = k / 40.0, code = nearbyint(fmax(fmin(x / 0.5, 1), -1) * 15);
    v[3] = (mho_real)x;
    read_at(&b, v, (mho_clock){0}, y);
    if (fabs(fabs(x * 30 - floor(x * 30)) - 0.5) > 1e-3) /* not half way between two codes */
      NEAR(y[2], code / 15 * 0.5 * (double)mho__crossbar_programmed(b.x)[3 * COLS + 2], 1e-5, 1e-6);
  }
  bench_free(&b);
}

/* Sample variance of the lines over many reads against what the circuits' variances add up to. */
static void variance(const char *keys, double average, bool cells, double input, double output) {
  enum { READS = 20000 };
  bench b = bench_new(keys);
  mho_real v[ROWS], y[COLS];
  double sum[COLS] = {0}, squares[COLS] = {0}, chi = 0, length = 0;
  fill(v, ROWS, 2, 0.5);
  for (int i = 0; i < ROWS; i++)
    length += (double)v[i] * (double)v[i];
  for (uint64_t k = 0; k < READS; k++) {
    read_at(&b, v, (mho_clock){k}, y);
    for (int j = 0; j < COLS; j++) {
      sum[j] += (double)y[j];
      squares[j] += (double)y[j] * (double)y[j];
    }
  }

  for (int j = 0; j < COLS; j++) {
    double mean = sum[j] / READS, have = squares[j] / READS - mean * mean, gain = 0;
    for (int i = 0; i < ROWS; i++)
      gain += pow((double)mho__crossbar_programmed(b.x)[i * COLS + j], 2);
    double want = (output * output + input * input * gain +
                   (cells ? 2 * pow(0.02 * b.x->w_max, 2) * length : 0)) /
                  average;
    NEAR(mean, product(&b, v, j), 0, 5 * sqrt(want / READS));
    NEAR(have, want, 5 * sqrt(2.0 / READS), 0);
    chi += have / want;
  }

  /* lines share the drivers' noise, so they are not independent: as few degrees of freedom as
   * one line has */
  NEAR(chi / COLS, 1, 5 * sqrt(2.0 / READS / (input > 0 ? 1 : COLS)), 0);
  bench_free(&b);
}

static void test_variance(void **state) {
  variance("read_noise: 0.02", 1, true, 0, 0);
  variance("input_noise: 0.03, dac_range: 2", 1, false, 0.06, 0);
  variance("output_noise: 0.01, adc_full_scale: 4", 1, false, 0, 0.04);
  variance("read_noise: 0.02, input_noise: 0.03, output_noise: 0.01", 1, true, 0.03, 0.08);
  variance("read_noise: 0.02, input_noise: 0.03, output_noise: 0.01, average: 4", 4, true, 0.03,
           0.08);
  /* through converters so fine that they do not matter, every read of an average is made */
  variance("read_noise: 0.02, input_noise: 0.03, output_noise: 0.01, average: 4, adc_bits: 20, "
           "adc_range: fixed",
           4, true, 0.03, 0.08);
  /* tiles: cells have the variance of their own rows, every tile an amplifier of its own, all
   * independent */
  variance("read_noise: 0.02, adc_bits: 20, adc_range: fixed, wire: {tile: [10, 8]}", 1, true, 0,
           0);
  variance("read_noise: 0.02, input_noise: 0.03, output_noise: 0.01, average: 4, adc_bits: 20, "
           "adc_range: fixed, wire: {tile: [16, 8]}",
           4, true, 0.03, 0.08 * sqrt(2));
}

/* Noise that is held through a phase does not average out. */
static void test_held_noise(void **state) {
  bench one = bench_new("read_noise: 0.05, noise: {redraw: phase}"),
        nine = bench_new("read_noise: 0.05, noise: {redraw: phase}, average: 9");
  mho_real v[ROWS], a[COLS], c[COLS];
  fill(v, ROWS, 2, 0.5);
  read_at(&one, v, (mho_clock){3, 1, 2}, a);
  read_at(&nine, v, (mho_clock){3, 1, 5}, c);
  assert_memory_equal(a, c, sizeof a);
  bench_free(&one);
  bench_free(&nine);
}

/* An average of coarse conversions resolves less than a step only when noise spreads it over
 * codes. */
static void test_dither(void **state) {
  double worst[2] = {0};
  for (int noisy = 0; noisy < 2; noisy++) {
    bench b = bench_new(noisy ? "adc_bits: 5, adc_range: fixed, average: 400, output_noise: 0.05"
                              : "adc_bits: 5, adc_range: fixed, average: 400");
    mho_real v[ROWS], y[COLS];
    fill(v, ROWS, 2, 0.5);
    read_at(&b, v, (mho_clock){0}, y);
    for (int j = 0; j < COLS; j++)
      worst[noisy] = fmax(worst[noisy], fabs((double)y[j] - product(&b, v, j)));
    bench_free(&b);
  }
  double step = 8.0 / 15;
  assert_true(worst[0] > 0.3 * step && worst[0] <= step / 2 + 1e-5);
  assert_true(worst[1] < 5 * 0.05 * 8 / sqrt(400.0) + 0.02 * step);
}

/* Offsets are common to both phases and cancel in their difference; gain errors scale it. */
static void test_mismatch(void **state) {
  for (int gain = 0; gain < 2; gain++) {
    bench b = bench_new(gain ? "mismatch: {gain: 0.2, input_gain: 0.1}"
                             : "mismatch: {offset: 0.05, input_offset: 0.1}");
    mho_real v[ROWS], u[ROWS], y[COLS], z[COLS];
    fill(v, ROWS, 2, 0.5);
    memcpy(u, v, sizeof u);
    u[4] += (mho_real)0.25;
    read_at(&b, v, (mho_clock){1, 0}, y);
    read_at(&b, u, (mho_clock){1, 1}, z);
    double spread = 0, off = 0;
    for (int j = 0; j < COLS; j++) {
      double want = 0.25 * (double)mho__crossbar_programmed(b.x)[4 * COLS + j],
             have = (double)(z[j] - y[j]);
      off += pow((double)y[j] - product(&b, v, j), 2) / COLS;
      spread += pow(have / want - 1, 2) / COLS;
    }
    assert_true(sqrt(off) > 0.05); /* each state is off */
    if (gain)
      assert_true(sqrt(spread) > 0.05 && sqrt(spread) < 0.6);
    else
      assert_true(sqrt(spread) < 1e-3);
    bench_free(&b);
  }
}

/* The chip seed says what the circuits are; both directions have their own. */
static void test_chip(void **state) {
  bench a = bench_new("mismatch: {offset: 0.05}"), b = bench_new("mismatch: {offset: 0.05}");
  mho_real zero[ROWS] = {0}, y[COLS], z[COLS], back[ROWS];
  read_at(&a, zero, (mho_clock){0}, y);
  read_at(&b, zero, (mho_clock){9, 1, 4}, z);
  assert_memory_equal(y, z, sizeof y);
  mho_crossbar_read(
      a.x, &(mho_read){
               .transposed = true, .n = 1, .x = zero, .y = back, .scale = 1, .scratch = a.scratch});
  double squares = 0;
  for (int j = 0; j < COLS; j++) {
    squares += pow((double)y[j] / (0.05 * 8), 2) / COLS;
    assert_false(back[j] == y[j]);
  }
  NEAR(squares, 1, 5 * sqrt(2.0 / COLS), 0);
  bench_free(&a);
  bench_free(&b);
}

static void test_saturation(void **state) {
  bench b = bench_new("saturation: 1.5");
  mho_real v[ROWS], y[COLS];
  fill(v, ROWS, 2, 1.5);
  read_at(&b, v, (mho_clock){0}, y);
  for (int j = 0; j < COLS; j++)
    NEAR(y[j], 1.5 * tanh(product(&b, v, j) / 1.5), 1e-4, 1e-5);
  bench_free(&b);
}

/* With ranging, a vector a thousand times smaller is read as precisely, relatively; without, it
 * is lost. */
static void test_ranging(void **state) {
  double error[2];
  for (int ranging = 0; ranging < 2; ranging++) {
    bench b = bench_new(ranging ? "dac_bits: 8, adc_bits: 8, adc_range: fixed, ranging: both"
                                : "dac_bits: 8, adc_bits: 8, adc_range: fixed");
    mho_real v[ROWS], y[COLS];
    double squares = 0, errors = 0;
    fill(v, ROWS, 2, 0.0005);
    read_at(&b, v, (mho_clock){0}, y);
    for (int j = 0; j < COLS; j++) {
      squares += pow(product(&b, v, j), 2);
      errors += pow((double)y[j] - product(&b, v, j), 2);
    }
    error[ranging] = sqrt(errors / squares);
    bench_free(&b);
  }
  NEAR(error[0], 1, 1e-6, 0); /* all zeros */
  assert_true(error[1] < 0.05);
}

/* Full scales from data: the largest sum that was seen, of the direction or of the line, times
 * the margin. */
static void test_calibration(void **state) {
  for (int own = 0; own < 2; own++) {
    bench b = bench_new(own ? "adc_bits: 8, adc_columns: own, calibration: {margin: 1.5}"
                            : "adc_bits: 8, calibration: {margin: 1.5}");
    mho_real v[ROWS], y[COLS];
    double most[COLS] = {0}, largest = 0;
    assert_non_null(b.x->scales);
    assert_int_equal(b.x->scales->n, ROWS + COLS);
    b.x->scales->recording = b.x->scales->valid = true;
    for (uint32_t k = 0; k < 50; k++) {
      fill(v, ROWS, 10 + k, 0.5);
      read_at(&b, v, (mho_clock){k}, y);
      for (int j = 0; j < COLS; j++) {
        NEAR(y[j], product(&b, v, j), 0, 1e-5); /* converters are out of it meanwhile */
        most[j] = fmax(most[j], fabs(product(&b, v, j)));
        largest = fmax(largest, most[j]);
      }
    }
    b.x->scales->recording = false;
    fill(v, ROWS, 2, 100); /* drives every line beyond its full scale */
    read_at(&b, v, (mho_clock){0}, y);
    for (int j = 0; j < COLS; j++)
      NEAR(fabs((double)y[j]), 1.5 * (own ? most[j] : largest), 1e-4, 0);
    bench_free(&b);
  }
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}
/* As numpy.percentile: linear between the order statistics around q (n - 1)/100. Sorts x. */
static double percentile(double *x, int n, double q) {
  double at = q / 100 * (n - 1);
  int k = (int)at;
  qsort(x, (size_t)n, sizeof *x, ascending);
  return k + 1 < n ? x[k] + (at - k) * (x[k + 1] - x[k]) : x[n - 1];
}

/* A percentile of the sums' magnitudes in place of the largest, of all lines or of each, to
 * within a bin (1/64). */
static void test_percentile(void **state) {
  enum { READS = 400 };
  static double all[COLS * READS], line[COLS][READS];
  for (int own = 0; own < 2; own++)
    for (int q = 50; q <= 99; q += 7) {
      char keys[160];
      snprintf(keys, sizeof keys,
               "adc_bits: 8, adc_columns: %s, calibration: {percentile: %d, margin: 1.5}",
               own ? "own" : "shared", q);
      bench b = bench_new(keys);
      mho_real v[ROWS], y[COLS], zero[ROWS] = {0};
      mho_crossbar_record(b.x, true);
      for (uint32_t k = 0; k < READS; k++) {
        fill(v, ROWS, 10 + k, 0.5);
        read_at(&b, v, (mho_clock){k}, y);
        for (int j = 0; j < COLS; j++)
          all[(int)k * COLS + j] = line[j][k] = fabs(product(&b, v, j));
        read_at(&b, zero, (mho_clock){k}, y); /* sums of nothing say nothing */
      }
      mho_crossbar_record(b.x, false);
      double of_all = percentile(all, COLS * READS, q);
      fill(v, ROWS, 2, 100); /* drives every line beyond its full scale */
      read_at(&b, v, (mho_clock){0}, y);
      for (int j = 0; j < COLS; j++)
        NEAR(fabs((double)y[j]), 1.5 * (own ? percentile(line[j], READS, q) : of_all),
             own ? 0.04 : 0.01, 0);
      bench_free(&b);
    }
}

/* A change far below a step: lost between two conversions, resolved to step/gain against the
 * held free value. */
static void test_held_lines(void **state) {
  bench b = bench_new("adc_bits: 8, adc_range: fixed, differencing: analog, difference_gain: 64");
  mho_real v[ROWS], u[ROWS], y[COLS], z[COLS], analog[COLS], digital[COLS];
  double step = 8.0 / 127;
  fill(v, ROWS, 2, 0.5);
  memcpy(u, v, sizeof u);
  u[7] += (mho_real)0.02;
  mho_read r = {
      .n = 1, .x = v, .y = y, .scale = 1, .hold = {analog, digital, false}, .scratch = b.scratch};
  mho_crossbar_read(b.x, &r);
  r.x = u;
  r.y = z;
  r.hold.subtract = true;
  mho_crossbar_read(b.x, &r);
  for (int j = 0; j < COLS; j++) {
    NEAR(analog[j], product(&b, v, j), 0, 1e-5);
    NEAR(y[j], product(&b, v, j), 0, step / 2 + 1e-5);
    NEAR(z[j] - y[j], 0.02 * (double)mho__crossbar_programmed(b.x)[7 * COLS + j], 0,
         step / 64 / 2 + 1e-5);
  }
  bench_free(&b);
}

/* ---------------------------------------------------------------- tiles */

/* sum_i v_i W_ij of inputs first .. first+n-1, forward or transposed. */
static double part_of(const bench *b, bool transposed, const mho_real *v, int j, int first, int n) {
  double sum = 0;
  for (int i = first; i < first + n; i++)
    sum += (double)v[i] *
           (double)mho__crossbar_programmed(b->x)[transposed ? j * COLS + i : i * COLS + j];
  return sum;
}
static double code_of(double u, double step, double full) {
  return step * nearbyint(fmax(fmin(u, full), -full) / step);
}

/* Tiles of 16 x 8: two halves forward, three parts back, each through an amplifier and a
 * converter of its own; in analog one conversion of the whole. Both are clear of each other. */
static void test_tiles(void **state) {
  for (int analog = 0; analog < 2; analog++)
    for (int saturates = 0; saturates < 2; saturates++) {
      char keys[256];
      snprintf(
          keys, sizeof keys,
          "adc_bits: 5, adc_range: fixed, adc_full_scale: 2, wire: {tile: [16, 8]}, tiles: %s, "
          "saturation: %g",
          analog ? "analog" : "digital", saturates ? 1.5 : 0);
      bench b = bench_new(keys);
      double step = 2 / 15.0;
      int off = 0, apart = 0, n = 0;
      for (int transposed = 0; transposed < 2; transposed++) {
        int in = transposed ? COLS : ROWS, out = transposed ? ROWS : COLS,
            tile = transposed ? 8 : 16;
        assert_int_equal(mho_crossbar_conversions(b.x, transposed), analog       ? 1
                                                                    : transposed ? 3
                                                                                 : 2);
        for (uint32_t k = 0; k < 50; k++) {
          mho_real v[ROWS], y[ROWS];
          fill(v, (size_t)in, 10 + k, 0.6);
          mho_crossbar_read(b.x, &(mho_read){.transposed = transposed,
                                             .n = 1,
                                             .x = v,
                                             .y = y,
                                             .scale = 1,
                                             .scratch = b.scratch});
          for (int j = 0; j < out; j++, n++) {
            double sums[2] = {0}; /* tile by tile, whole */
            for (int whole = 0; whole < 2; whole++)
              for (int i = 0, m = whole ? in : tile; i < in; i += m) {
                double u = part_of(&b, transposed, v, j, i, in - i < m ? in - i : m);
                sums[whole] += code_of(saturates ? 1.5 * tanh(u / 1.5) : u, step, 2);
              }
            off += fabs((double)y[j] - sums[analog]) > 1e-4;
            apart += fabs(sums[0] - sums[1]) > 1e-4;
          }
        }
      }
      assert_true(off <= 3); /* sums in single precision that lie half way between two codes */
      assert_true(apart > n / 4);
      bench_free(&b);
    }
}

/* A matrix of one tile is read as without any, through all circuits. */
static void test_one_tile(void **state) {
  static const char all[] =
      "dac_bits: 6, adc_bits: 7, adc_range: fixed, read_noise: 0.02, input_noise: 0.02, "
      "output_noise: 0.02, average: 3, noise: {law: proportional}, saturation: 3, "
      "mismatch: {gain: 0.1, offset: 0.1, input_gain: 0.1, input_offset: 0.1}, ";
  static const char *const tiles[] = {"wire: {tile: [31, 17]}",
                                      "wire: {tile: [16, 8]}, tiles: analog", "tiles: digital",
                                      "wire: {tile: [16, 8]}"};
  mho_real v[ROWS], y[4][COLS];
  fill(v, ROWS, 2, 0.5);
  for (int k = 0; k < 4; k++) {
    char keys[400];
    snprintf(keys, sizeof keys, "%s%s", all, tiles[k]);
    bench b = bench_new(keys);
    read_at(&b, v, (mho_clock){3, 1, 2}, y[k]);
    bench_free(&b);
  }
  assert_memory_equal(y[0], y[1], sizeof y[0]);
  assert_memory_equal(y[0], y[2], sizeof y[0]);
  assert_memory_not_equal(y[0], y[3], sizeof y[0]);
}

/* Full scale of a line: the largest sum that one of its tiles saw. */
static void test_tile_scales(void **state) {
  bench b = bench_new("adc_bits: 8, adc_columns: own, wire: {tile: [16, 8]}");
  mho_real v[ROWS], y[COLS];
  fill(v, ROWS, 2, 0.5);
  b.x->scales->recording = b.x->scales->valid = true;
  read_at(&b, v, (mho_clock){0}, y);
  for (int j = 0; j < COLS; j++) {
    double a = part_of(&b, false, v, j, 0, 16), c = part_of(&b, false, v, j, 16, 15);
    NEAR(y[j], a + c, 0, 1e-5);
    NEAR(b.x->scales->most[j], fmax(fabs(a), fabs(c)), 1e-5, 1e-5);
  }
  bench_free(&b);
}

/* Held lines of tiles: each resolves its own change. */
static void test_held_tiles(void **state) {
  bench b = bench_new("adc_bits: 8, adc_range: fixed, differencing: analog, difference_gain: 64, "
                      "wire: {tile: [16, 8]}");
  mho_real v[2 * ROWS], u[2 * ROWS], y[2 * COLS], z[2 * COLS], analog[4 * COLS], digital[4 * COLS];
  fill(v, 2 * ROWS, 2, 0.5);
  memcpy(u, v, sizeof u);
  for (int s = 0; s < 2; s++) { /* a change in either tile */
    u[s * ROWS + 7] += (mho_real)0.02;
    u[s * ROWS + 20] += (mho_real)0.02;
  }

  mho_read r = {
      .n = 2, .x = v, .y = y, .scale = 1, .hold = {analog, digital, false}, .scratch = b.scratch};
  mho_crossbar_read(b.x, &r);
  r.x = u;
  r.y = z;
  r.hold.subtract = true;
  mho_crossbar_read(b.x, &r);
  for (int s = 0; s < 2; s++)
    for (int j = 0; j < COLS; j++) {
      NEAR(analog[2 * s * COLS + j], part_of(&b, false, v + s * ROWS, j, 0, 16), 0, 1e-5);
      NEAR(analog[(2 * s + 1) * COLS + j], part_of(&b, false, v + s * ROWS, j, 16, 15), 0, 1e-5);
      double change = 0.02 * (double)(mho__crossbar_programmed(b.x)[7 * COLS + j] +
                                      mho__crossbar_programmed(b.x)[20 * COLS + j]);
      NEAR(z[s * COLS + j] - y[s * COLS + j], change, 0, 2 * (8.0 / 127 / 64 / 2) + 1e-5);
    }

  bench_free(&b);
}

/* States of analog neurons: converted one by one they lose a small difference, held and
 * amplified they do not; noise of the sense amplifiers is in both, and averages out. */
static void test_measured_states(void **state) {
  enum { N = 40, WIDTH = 25 };
  static const char *const keys[] = {
      "coupling: analog, adc_bits: 8",
      "coupling: analog, adc_bits: 8, differencing: analog, difference_gain: 256",
      "coupling: analog, adc_bits: 8, differencing: analog, ranging: output",
      "coupling: analog, output_noise: 0.002",
      "coupling: analog, output_noise: 0.002, average: 25"};
  double rms[MHO_COUNT(keys)], step = 1.0 / 127;
  for (int k = 0; k < MHO_COUNT(keys); k++) {
    bench b = bench_new(keys[k]);
    mho_real a[N * WIDTH], c[N * WIDTH], e[N * WIDTH], d[N * WIDTH], scratch[4 * WIDTH];
    fill(a, N * WIDTH, 2, 0.2);
    fill(d, N * WIDTH, 3, 1e-4);
    for (int i = 0; i < N * WIDTH; i++)
      c[i] = a[i] - d[i];
    assert_true(b.x->model->measures(b.x->params));
    b.x->model->measure(b.x, &(mho_measure){.n = N,
                                            .width = WIDTH,
                                            .layer = 1,
                                            .a = a,
                                            .b = c,
                                            .e = e,
                                            .phase_b = 1,
                                            .scratch = scratch});
    double squares = 0;
    for (int i = 0; i < N * WIDTH; i++) {
      squares += pow((double)(e[i] - d[i]), 2) / (N * WIDTH);
      if (k < 3)
        NEAR((double)a[i] / step, nearbyint((double)a[i] / step), 0,
             k == 2 ? 0.51 : 1e-3); /* ranging: finer codes */
    }
    rms[k] = sqrt(squares);
    bench_free(&b);
  }

  assert_true(rms[0] > 5e-4); /* wrong by whole steps, or 0 where 1e-4 was */
  NEAR(rms[1], step / 256 / sqrt(12), 0.1, 0);
  assert_true(rms[2] < 2.5e-6);
  NEAR(rms[3], sqrt(2) * 0.002, 0.1, 0);
  NEAR(rms[4], sqrt(2) * 0.002 / 5, 0.1, 0);
}

/* ---------------------------------------------------------------- what the devices bring along */

static bench devices_new(const char *device, const char *array) {
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "device: {model: linear, g_min: 20 uS, g_max: 200 uS, %s}\narray: {model: periphery, "
           "read_voltage: 0.3 V%s%s}\n",
           device, *array ? ", " : "", array);
  bench b = {.e = experiment(yaml), .scratch = mho_alloc(SCRATCH, sizeof(mho_real))};
  mho_real w[ROWS * COLS];
  b.x = crossbar(b.e, ROWS, COLS);
  fill(w, ROWS * COLS, 1, 0.3);
  mho_crossbar_set(b.x, 0, ROWS * COLS, w);
  return b;
}

/* The lines' currents are the sums of the cells' currents by the law of the device, in either
 * direction. */
static void test_voltage_law(void **state) {
  static const char *const laws[] = {"iv: {law: sinh, b: 3}",
                                     "iv: {law: polynomial, k2: 0.1, k3: 0.8}", "iv: {law: hfo2}"};
  for (int k = 0; k < MHO_COUNT(laws); k++) {
    bench b = devices_new(laws[k], "");
    const mho_device_config *d = &b.x->bank[0]->config;
    double unit = (d->g_max - d->g_min) / b.x->w_max, bent = 0;
    mho_real v[ROWS], y[COLS], back[ROWS], u[COLS];
    fill(v, ROWS, 2, 0.5);
    fill(u, COLS, 3, 0.5);
    assert_true(mho_crossbar_lossy(b.x) && !mho_crossbar_noisy(b.x));
    read_at(&b, v, (mho_clock){0}, y);
    mho_crossbar_read(
        b.x, &(mho_read){
                 .transposed = true, .n = 1, .x = u, .y = back, .scale = 1, .scratch = b.scratch});
    for (int j = 0; j < COLS; j++) {
      double current = 0;
      for (int i = 0; i < ROWS; i++) {
        size_t cell = (size_t)(i * COLS + j);
        current +=
            mho_device_current(d, mho_cells_siemens(b.x->bank[0], cell), 0.3 * (double)v[i], NULL) -
            mho_device_current(d, mho_cells_siemens(b.x->bank[1], cell), 0.3 * (double)v[i], NULL);
      }
      NEAR(y[j], current / unit / 0.3, 1e-4, 1e-5);
      bent = fmax(bent, fabs((double)y[j] - product(&b, v, j)));
    }
    assert_true(bent > 1e-3);
    for (int i = 0; i < ROWS; i++) {
      double current = 0;
      for (int j = 0; j < COLS; j++) {
        size_t cell = (size_t)(i * COLS + j);
        current +=
            mho_device_current(d, mho_cells_siemens(b.x->bank[0], cell), 0.3 * (double)u[j], NULL) -
            mho_device_current(d, mho_cells_siemens(b.x->bank[1], cell), 0.3 * (double)u[j], NULL);
      }
      NEAR(back[i], current / unit / 0.3, 1e-4, 1e-5);
    }
    bench_free(&b);
  }
}

/* Joshi 2020, of the range of 20 to 200 uS: the relative noise is that of the programmed
 * conductance (uS), and multiplies what drift has left of it. */
static double joshi_read_sigma(double programmed, double drifted, double t) {
  double relative = fmin(0.0088 / pow(programmed / 200, 0.65), 0.2);
  return drifted * relative * sqrt(log((t + 250e-9) / (2 * 250e-9))) / 180;
}

/* Noise that the device's card gives, cell by cell, a time after programming; array.read_noise
 * goes before it. */
static void test_device_noise(void **state) {
  static const char *const laws[] = {"read_noise: {law: constant, sigma: 0.02}",
                                     "read_noise: {law: proportional, sigma: 0.05}",
                                     "read_noise: {law: pcm}, drift: {law: pcm}"};
  enum { READS = 8000 };
  for (int k = 0; k < MHO_COUNT(laws); k++) {
    bench b = devices_new(laws[k], "");
    mho_real v[ROWS], y[COLS];
    double sum[COLS] = {0}, squares[COLS] = {0};
    fill(v, ROWS, 2, 0.5);
    OK(mho_crossbar_age(b.x, 1e5, &ei));
    assert_true(mho_crossbar_noisy(b.x));
    for (uint64_t n = 0; n < READS; n++) {
      read_at(&b, v, (mho_clock){n}, y);
      for (int j = 0; j < COLS; j++) {
        sum[j] += (double)y[j];
        squares[j] += (double)y[j] * (double)y[j];
      }
    }
    for (int j = 0; j < COLS; j++) {
      double want = 0, mean = sum[j] / READS;
      for (int i = 0; i < ROWS; i++) {
        size_t cell = (size_t)(i * COLS + j);
        float sp, sn;
        mho_cells_read_sigma(b.x->bank[0], 1e5, cell, 1, mho_crossbar_shown(b.x, 0) + cell, &sp);
        mho_cells_read_sigma(b.x->bank[1], 1e5, cell, 1, mho_crossbar_shown(b.x, 1) + cell, &sn);
        if (k == 2) {
          NEAR(sp,
               joshi_read_sigma(20 + 180 * (double)b.x->bank[0]->g[cell],
                                20 + 180 * (double)mho_crossbar_shown(b.x, 0)[cell], 1e5),
               1e-4, 0);
          NEAR(sn,
               joshi_read_sigma(20 + 180 * (double)b.x->bank[1]->g[cell],
                                20 + 180 * (double)mho_crossbar_shown(b.x, 1)[cell], 1e5),
               1e-4, 0);
        }
        want += pow((double)v[i] * b.x->w_max, 2) * (double)(sp * sp + sn * sn);
      }
      NEAR(mean, product(&b, v, j), 0, 5 * sqrt(want / READS));
      NEAR(squares[j] / READS - mean * mean, want, 5 * sqrt(2.0 / READS), 0);
    }
    bench_free(&b);
    b = devices_new(laws[k], "read_noise: 0.5, average: 511");
    read_at(&b, v, (mho_clock){1}, y);
    double error = 0;
    for (int j = 0; j < COLS; j++)
      error = fmax(error, fabs((double)y[j] - product(&b, v, j)));
    assert_true(error > 0.05);
    bench_free(&b);
  }
}

/* 1/f noise is held through a sample: phases share it and averages take nothing off it, whatever
 * the circuits, whose own noise is new at every read, do. */
static void test_slow_noise(void **state) {
  static const char *const arrays[] = {"average: 1", "average: 16",
                                       "average: 16, adc_bits: 20, adc_range: fixed"};
  enum { READS = 4000 };
  for (int k = 0; k < MHO_COUNT(arrays); k++)
    for (int amplifiers = 0; amplifiers < 2; amplifiers++) {
      char array[160];
      snprintf(array, sizeof array, "%s%s", arrays[k], amplifiers ? ", output_noise: 0.002" : "");
      bench b = devices_new("read_noise: {law: pcm}", array);
      int average = k ? 16 : 1;
      mho_real v[ROWS], y[COLS], z[COLS];
      double want = 0, squares = 0, differences = 0,
             circuit = amplifiers * pow(0.002 * 8, 2) / average;
      fill(v, ROWS, 2, 0.5);
      for (int i = 0; i < ROWS; i++) {
        size_t cell = (size_t)i * COLS;
        double p = 20 + 180 * (double)b.x->bank[0]->g[cell],
               n = 20 + 180 * (double)b.x->bank[1]->g[cell];
        want += pow((double)v[i] * b.x->w_max, 2) *
                (pow(joshi_read_sigma(p, p, 20), 2) + pow(joshi_read_sigma(n, n, 20), 2));
      }
      for (uint64_t n = 0; n < READS; n++) {
        read_at(&b, v, (mho_clock){n, 0, 3}, y);
        read_at(&b, v, (mho_clock){n, 1, 5}, z);
        squares += pow((double)y[0] - product(&b, v, 0), 2) / READS;
        differences += pow((double)(y[0] - z[0]), 2) / READS;
      }
      NEAR(squares, want + circuit, 5 * sqrt(2.0 / READS), 0);
      NEAR(differences, 2 * circuit, 5 * sqrt(2.0 / READS), 1e-8);
      bench_free(&b);
    }
}

/* Time moves the effective weights by the devices' law and takes nothing away from what was
 * programmed. */
static void test_time(void **state) {
  bench b = devices_new("drift: {law: power, nu: 0.05, t0: 1 s}", "");
  size_t n = ROWS * COLS;
  mho_real before[ROWS * COLS];
  memcpy(before, mho__crossbar_programmed(b.x), sizeof before);
  OK(mho_crossbar_age(b.x, 1000, &ei));
  for (size_t i = 0; i < n; i++)
    NEAR(mho__crossbar_programmed(b.x)[i], (double)before[i] * pow(1000, -0.05), 1e-4,
         1e-5); /* both devices fall alike */
  OK(mho_crossbar_age(b.x, 0, &ei));
  assert_memory_equal(before, mho__crossbar_programmed(b.x), sizeof before);
  bench_free(&b);
}

/* The charge of a capacitor leaks at every update of a training. */
static void test_leak(void **state) {
  mho_experiment *e =
      experiment("network: {hidden: [8]}\ndevice: {model: linear, leak: {lifetime: 50}}\n"
                 "update: {rate: 0}\ndataset: {train: 200}\ntrain: {batch: 20}\n");
  mho_trainer *t = trainer(e);
  const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
  float before = x->bank[0]->g[5];
  mho_real w = mho__crossbar_programmed(x)[5];
  mho_epoch_row row;
  OK(mho_trainer_epoch(t, &row, &ei));
  NEAR(x->bank[0]->g[5] - 0.5f, (double)(before - 0.5f) * exp(-10 / 50.0), 1e-4, 1e-6);
  NEAR(mho__crossbar_programmed(x)[5], (double)w * exp(-10 / 50.0), 1e-4, 1e-6);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void test_refused(void **state) {
  static const char *const bad[][2] = {{"adc_bits: 1", "one bit"},
                                       {"dac_bits: 1", "one bit"},
                                       {"differencing: analog, ranging: both", "ranging"}};
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    mho_config *c;
    mho_experiment *e;
    char yaml[128];
    snprintf(yaml, sizeof yaml, "array: {model: periphery, %s}\n", bad[i][0]);
    OK(mho_config_new(&c, &ei));
    OK(mho_config_text(c, yaml, "test", &ei));
    assert_int_equal(mho_experiment_new(registry, c, false, &e, &ei), MHO_ECONFIG);
    assert_non_null(strstr(ei.message, bad[i][1]));
    mho_config_free(c);
  }
}

/* Training through all of it: learns, the same on one thread and on three, and goes on from a
 * checkpoint with the full scales it had. */
static const char everything[] =
    "network: {hidden: [16]}\ntrain: {batch: 30, epochs: 2}\nupdate: {rate: 0.02}\ndataset: "
    "{train: 300}\nrule: {nudge: 0.5, phases: centred}\narray: {dac_bits: 8, adc_bits: 9, "
    "adc_columns: own, read_noise: 0.001, input_noise: 0.001, output_noise: 0.001, average: 2, "
    "mismatch: {gain: 0.05, offset: 0.01}, calibration: {every: 3}, %s}\n";

static void train(const char *more) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml, everything, more);
  mho_experiment *e = experiment(yaml);
  mho_context three = {0};
  OK(mho_pool_new(3, &three.pool, &ei));
  mho_trainer *a = trainer(e), *b, *c = trainer(e);
  OK(mho_trainer_new(&three, e, &b, &ei));
  mho_epoch_row row, again;
  mho_checkpoint_row saved = {0};
  OK(mho_trainer_epoch(a, &row, &ei));
  OK(mho_trainer_save(a, &saved, &ei));
  OK(mho_trainer_load(c, &saved.blob, &ei));
  OK(mho_trainer_epoch(a, &row, &ei));
  OK(mho_trainer_epoch(b, &again, &ei));
  OK(mho_trainer_epoch(b, &again, &ei));
  assert_true(row.loss == again.loss);
  OK(mho_trainer_epoch(c, &again, &ei));
  assert_true(row.loss == again.loss);
  assert_true(row.train_acc > 0.6);
  const mho_crossbar *x = mho_trainer_network(a)->connection[0].xb,
                     *y = mho_trainer_network(b)->connection[0].xb,
                     *z = mho_trainer_network(c)->connection[0].xb;
  size_t size = (size_t)x->rows * (size_t)x->cols * sizeof *mho__crossbar_programmed(x);
  assert_memory_equal(mho__crossbar_programmed(x), mho__crossbar_programmed(y), size);
  assert_memory_equal(mho__crossbar_programmed(x), mho__crossbar_programmed(z), size);
  mho_blob_free(&saved.blob);
  mho_trainer_free(a);
  mho_trainer_free(b);
  mho_trainer_free(c);
  mho_pool_free(three.pool);
  mho_experiment_free(e);
}

static void test_training(void **state) {
  train("ranging: both");
  train("differencing: analog");
  train("coupling: analog");
  train("wire: {tile: [24, 8]}");
  train("differencing: analog, ranging: output, wire: {tile: [24, 8], r_word: 1 ohm, r_bit: 1 ohm, "
        "tolerance: 1e-5}");
  train("coupling: analog, differencing: analog, ranging: output");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_converters),  cmocka_unit_test(test_dac),
      cmocka_unit_test(test_variance),    cmocka_unit_test(test_held_noise),
      cmocka_unit_test(test_dither),      cmocka_unit_test(test_mismatch),
      cmocka_unit_test(test_chip),        cmocka_unit_test(test_saturation),
      cmocka_unit_test(test_ranging),     cmocka_unit_test(test_calibration),
      cmocka_unit_test(test_percentile),  cmocka_unit_test(test_slow_noise),
      cmocka_unit_test(test_held_lines),  cmocka_unit_test(test_tiles),
      cmocka_unit_test(test_one_tile),    cmocka_unit_test(test_tile_scales),
      cmocka_unit_test(test_held_tiles),  cmocka_unit_test(test_measured_states),
      cmocka_unit_test(test_voltage_law), cmocka_unit_test(test_device_noise),
      cmocka_unit_test(test_time),        cmocka_unit_test(test_leak),
      cmocka_unit_test(test_refused),     cmocka_unit_test(test_training),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
