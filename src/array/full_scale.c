/* full_scale.c - full scales of converters that are set from data: the largest sums, or a
 * percentile.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/periphery.h"
#include "base/vmath.h"

mho_scales *mho__scales_new(int rows, int cols, const mho_periphery *p) {
  mho_scales *s = mho_alloc(1, sizeof *s);
  if (!s)
    return NULL;

  s->n = rows + cols;
  s->cols = cols;
  s->every = p->calibration_every;
  s->percentile = p->calibration_percentile;
  s->shared = p->adc_columns == MHO_ADC_SHARED;

  bool counts = s->percentile < 100;
  s->most = mho_alloc((size_t)s->n, sizeof *s->most);
  if (counts)
    s->seen = mho_alloc((size_t)s->n * MHO_SCALE_BINS, sizeof *s->seen);
  if (s->most && (s->seen || !counts))
    return s;
  mho__scales_free(s);
  return NULL;
}

void mho__scales_free(mho_scales *s) {
  if (!s)
    return;
  mho_free(s->most);
  mho_free(s->seen);
  mho_free(s);
}

/* Bin of a magnitude; a factor of 2 is divided evenly. */
static int bin_of(double v) {
  int exponent;
  double mantissa = frexp(v, &exponent); /* 1/2 .. 1 */
  int octave = exponent - 1 - MHO_SCALE_LOWEST;
  if (!(v > 0) || octave < 0)
    return 0;
  if (octave >= MHO_SCALE_OCTAVES)
    return MHO_SCALE_BINS - 1;
  return 1 + octave * MHO_SCALE_PER_OCTAVE + (int)((2 * mantissa - 1) * MHO_SCALE_PER_OCTAVE);
}

/* Where bin number k >= 1 begins. */
static double bin_start(int k) {
  int octave = (k - 1) / MHO_SCALE_PER_OCTAVE, rest = (k - 1) % MHO_SCALE_PER_OCTAVE;
  return ldexp(1 + (double)rest / MHO_SCALE_PER_OCTAVE, octave + MHO_SCALE_LOWEST);
}

/* Width of the octave that the bin lies in. */
static double octave_width(int k) {
  return ldexp(1, (k - 1) / MHO_SCALE_PER_OCTAVE + MHO_SCALE_LOWEST);
}

/* Magnitudes in bin k of all lines. */
static double count_bin(const uint32_t *seen, int lines, int k) {
  double n = 0;
  for (int j = 0; j < lines; j++)
    n += seen[(size_t)j * MHO_SCALE_BINS + (size_t)k];
  return n;
}

/* Percentile of the magnitudes counted in the bins of `lines` lines, but for those of 0: the order
 * statistics around rank q (n - 1)/100 are interpolated within their bin. 0 when there are none. */
static double percentile(const uint32_t *seen, int lines, double q) {
  double n = 0, below = 0;
  for (int k = 1; k < MHO_SCALE_BINS; k++)
    n += count_bin(seen, lines, k);

  double rank = 0.01 * q * (n - 1);
  for (int k = 1; k < MHO_SCALE_BINS; k++) {
    double here = count_bin(seen, lines, k);
    if (here > 0 && rank < below + here)
      return bin_start(k) +
             fmax(rank - below + 0.5, 0) / (here + 0.5) * octave_width(k) / MHO_SCALE_PER_OCTAVE;
    below += here;
  }
  return 0;
}

void mho__scales_widen(mho_scales *s, int first, int n, const mho_real *sum) {
  mho_real *most = s->most + first;
  for (int j = 0; j < n; j++) {
    mho_real v = real_abs(sum[j]);
    most[j] = v > most[j] ? v : most[j];
  }
  if (!s->seen)
    return;
  for (int j = 0; j < n; j++) {
    uint32_t *line = s->seen + (size_t)(first + j) * MHO_SCALE_BINS;
    line[bin_of((double)real_abs(sum[j]))]++;
  }
}

/* Percentiles of lines first .. first+n-1 take the place of the largest sums, which they never
 * exceed. */
static void take_percentiles(mho_scales *s, int first, int n) {
  const uint32_t *seen = s->seen + (size_t)first * MHO_SCALE_BINS;
  double of_all = s->shared ? percentile(seen, n, s->percentile) : 0;
  mho_real largest = 0;

  for (int j = 0; j < n; j++)
    largest = s->most[first + j] > largest ? s->most[first + j] : largest;

  for (int j = 0; j < n; j++) {
    const uint32_t *own = seen + (size_t)j * MHO_SCALE_BINS;
    mho_real v = (mho_real)(s->shared ? of_all : percentile(own, 1, s->percentile));
    mho_real cap = s->shared ? largest : s->most[first + j];
    s->most[first + j] = v < cap ? v : cap;
  }
}

void mho_crossbar_record(mho_crossbar *x, bool on) {
  mho_scales *s = x->scales;
  if (!s)
    return;

  if (on) {
    memset(s->most, 0, (size_t)s->n * sizeof *s->most);
    if (s->seen)
      memset(s->seen, 0, (size_t)s->n * MHO_SCALE_BINS * sizeof *s->seen);
  } else if (s->seen) {
    take_percentiles(s, 0, s->cols);
    take_percentiles(s, s->cols, s->n - s->cols);
  }

  s->recording = on;
  s->valid = true;
}
