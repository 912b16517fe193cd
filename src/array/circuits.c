/* circuits.c - what the periphery keeps for a crossbar: mismatch from the chip's seed, room for full scales, and the noise
 * and I-V law of its cells as they follow from the conductances.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/periphery.h"
#include "array/place.h"
#include "array/weights.h"
#include "base/vmath.h"

void mho_circuits_detach(mho_crossbar *x) {
  mho_periphery_own *o = x->own;
  for (int t = 0; o && t < 2; t++) {
    mho_free(o->gain[t]);
    mho_free(o->offset[t]);
    mho_free(o->input_gain[t]);
    mho_free(o->input_offset[t]);
  }
  if (o) {
    mho_free(o->variance);
    mho_free(o->square);
    mho_free(o->cube);
  }
  if (x->scales) {
    mho_free(x->scales->most);
    mho_free(x->scales->seen);
  }
  mho_free(x->scales);
  mho_free(o);
  x->own = x->scales = NULL;
}

/* n deviates of the chip, mean + sigma xi; NULL (and nothing to draw) for sigma 0. */
static bool draw(const mho_crossbar_options *o, int kind, int n, double mean, double sigma,
                 mho_real **out) {
  if (!(sigma > 0))
    return true;
  float *xi = mho_alloc((size_t)n, sizeof *xi);
  *out = mho_alloc((size_t)n, sizeof **out);
  if (xi && *out) {
    mho_rng_normal(mho_stream_mismatch(o->chip_seed, o->index, kind), 0, 0, (size_t)n, xi);
    for (int i = 0; i < n; i++)
      (*out)[i] = (mho_real)(mean + sigma * (double)xi[i]);
  }
  bool ok = xi && *out;
  mho_free(xi);
  return ok;
}

/* What the read noise and the I-V law of the cells need. */
static bool attach_cells(mho_crossbar *x) {
  const mho_periphery *p = x->params;
  mho_periphery_own *o = x->own;
  size_t cells = (size_t)x->rows * (size_t)x->cols;
  bool devices = !(p->read_noise > 0) && x->pos && mho_device_reads_noisy(&x->pos->config);
  bool alike = devices ? x->pos->config.read_noise.law == MHO_READ_NOISE_CONSTANT
                       : p->law == MHO_NOISE_CONSTANT;
  o->noisy = devices || p->read_noise > 0;
  o->redraw = p->redraw == MHO_REDRAW_AUTO ? MHO_REDRAW_READ : p->redraw;
  o->redraw_cells = o->redraw;
  /* nearly all of 1/f noise is slower than a sample */
  if (devices && p->redraw == MHO_REDRAW_AUTO &&
      x->pos->config.read_noise.law == MHO_READ_NOISE_PCM)
    o->redraw_cells = MHO_REDRAW_SAMPLE;
  double sigma = (devices ? x->pos->config.read_noise.sigma : p->read_noise) * x->w_max;
  bool offset =
      x->pos && x->mapping == MHO_MAPPING_OFFSET; /* G- is no device, but a fixed current */
  o->constant = (mho_real)((offset ? 1 : 2) * sigma * sigma);
  o->voltage = x->read_voltage;
  o->law = x->pos ? x->pos->config.iv.law : MHO_IV_OHMIC;
  if (o->noisy && !alike && !(o->variance = mho_alloc(cells, sizeof *o->variance)))
    return false;
  if (o->law != MHO_IV_OHMIC) {
    const mho_iv_config *iv = &x->pos->config.iv;
    memcpy(o->iv, (double[]){iv->b, iv->k2, iv->k3}, sizeof o->iv);
  }
  return o->law != MHO_IV_HFO2 || ((o->square = mho_alloc(cells, sizeof *o->square)) &&
                                   (o->cube = mho_alloc(cells, sizeof *o->cube)));
}

/* How the inputs are divided between converters: by tiles where their sums are added as numbers. */
static void divide(mho_crossbar *x, const mho_crossbar_options *options) {
  const mho_periphery *p = x->params;
  mho_periphery_own *o = x->own;
  mho_array_config defaults;
  mho_params_init(mho_array_params, &defaults);
  bool apart = p->adc_bits && p->tiles == MHO_TILES_DIGITAL;
  mho_places_size(options->array_config ? options->array_config : &defaults, &o->depth[0],
                  &o->depth[1]);
  for (int t = 0; t < 2; t++) {
    int in = t ? x->cols : x->rows;
    o->depth[t] = apart && o->depth[t] < in ? o->depth[t] : in;
    o->parts[t] = (in + o->depth[t] - 1) / o->depth[t];
  }
}

mho_err mho_circuits_attach(mho_crossbar *x, const mho_crossbar_options *options, mho_errinfo *ei) {
  const mho_periphery *p = x->params;
  mho_periphery_own *o = x->own = mho_alloc(1, sizeof *o);
  bool ok = o != NULL;
  if (ok)
    divide(x, options);
  for (int t = 0; ok && t < 2; t++) {
    int in = t ? x->cols : x->rows, sensed = o->parts[t] * (t ? x->rows : x->cols);
    ok = draw(options, 4 * t, sensed, 1, p->gain, &o->gain[t]) &&
         draw(options, 4 * t + 1, sensed, 0, p->offset, &o->offset[t]) &&
         draw(options, 4 * t + 2, in, 1, p->input_gain, &o->input_gain[t]) &&
         draw(options, 4 * t + 3, in, 0, p->input_offset, &o->input_offset[t]);
  }
  if (ok)
    ok = attach_cells(x);
  if (ok && p->adc_bits && p->adc_range == MHO_ADC_CALIBRATED) {
    mho_scales *s = x->scales = mho_alloc(1, sizeof *s);
    ok = s && (s->most = mho_alloc((size_t)(x->rows + x->cols), sizeof *s->most));
    if (ok) {
      s->n = x->rows + x->cols;
      s->cols = x->cols;
      s->every = p->calibration_every;
      s->percentile = p->calibration_percentile;
      s->shared = p->adc_columns == MHO_ADC_SHARED;
    }
    if (ok && s->percentile < 100)
      ok = (s->seen = mho_alloc((size_t)s->n * MHO_SCALE_BINS, sizeof *s->seen)) != NULL;
  }
  return ok ? MHO_OK
            : mho_fail(ei, MHO_ENOMEM, "no memory for the circuits of a crossbar of %d x %d",
                       x->rows, x->cols);
}

/* ---------------------------------------------------------------- full scales from data */

/* Bin of a magnitude; a factor of 2 is divided evenly. */
static int bin_of(double v) {
  int exponent;
  double mantissa = frexp(v, &exponent); /* 1/2 .. 1 */
  int octave = exponent - 1 - MHO_SCALE_LOWEST;
  if (!(v > 0) || octave < 0)
    return 0;
  if (octave >= MHO_SCALE_OCTAVES)
    return MHO_SCALE_BINS - 1;
  return 1 + octave * MHO_SCALE_PART + (int)((2 * mantissa - 1) * MHO_SCALE_PART);
}

/* Where bin number k >= 1 begins. */
static double bin_start(int k) {
  int octave = (k - 1) / MHO_SCALE_PART, part = (k - 1) % MHO_SCALE_PART;
  return ldexp(1 + (double)part / MHO_SCALE_PART, octave + MHO_SCALE_LOWEST);
}

/* Percentile of the magnitudes counted in the bins of `lines` lines, but for those of 0: the order statistics around
 * rank q (n - 1)/100 are interpolated within their bin. 0 when there are none. */
static double percentile(const uint32_t *seen, int lines, double q) {
  double n = 0, below = 0;
  for (int k = 1; k < MHO_SCALE_BINS; k++)
    for (int j = 0; j < lines; j++)
      n += seen[(size_t)j * MHO_SCALE_BINS + (size_t)k];

  double rank = 0.01 * q * (n - 1);
  for (int k = 1; k < MHO_SCALE_BINS; k++) {
    double here = 0;
    for (int j = 0; j < lines; j++)
      here += seen[(size_t)j * MHO_SCALE_BINS + (size_t)k];
    if (here > 0 && rank < below + here) {
      double start = bin_start(k), width = ldexp(1, (k - 1) / MHO_SCALE_PART + MHO_SCALE_LOWEST);
      return start + fmax(rank - below + 0.5, 0) / (here + 0.5) * width / MHO_SCALE_PART;
    }
    below += here;
  }
  return 0;
}

void mho_scales_widen(mho_scales *s, int first, int n, const mho_real *sum) {
  mho_real *most = s->most + first;
  for (int j = 0; j < n; j++) {
    mho_real v = real_abs(sum[j]);
    most[j] = v > most[j] ? v : most[j];
  }
  for (int j = 0; s->seen && j < n; j++)
    s->seen[(size_t)(first + j) * MHO_SCALE_BINS + (size_t)bin_of((double)real_abs(sum[j]))]++;
}

/* Percentiles of lines first .. first+n-1 take the place of the largest sums, which they never exceed. */
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

/* ---------------------------------------------------------------- noise and I-V law of the cells */

/* read_noise of the array, for all devices alike; without devices there is no conductance to be proportional to: the
 * weight is, 2 n^2 w^2 as of an even pair. */
static void array_variance(mho_crossbar *x, size_t first, size_t n) {
  const mho_periphery *p = x->params;
  mho_periphery_own *o = x->own;
  double unit = p->read_noise * x->w_max;
  if (!x->pos) {
    for (size_t i = first; i < first + n; i++)
      o->variance[i] = (mho_real)(2 * p->read_noise * p->read_noise) * x->weights->programmed[i] *
                       x->weights->programmed[i];
    return;
  }
  const float *pos = mho_crossbar_shown(x, 0), *neg = mho_crossbar_shown(x, 1);
  double offset =
      x->pos->g_min / (x->pos->g_max - x->pos->g_min); /* G = (g + offset)(g_max - g_min) */
  for (size_t i = first; i < first + n; i++) {
    double a = (double)pos[i] + offset,
           b = x->mapping == MHO_MAPPING_OFFSET ? 0 : (double)neg[i] + offset;
    o->variance[i] = (mho_real)(unit * unit * (a * a + b * b));
  }
}

/* The devices' own law: W = w_max (g+ - g-), so the variances of both add up, times w_max^2. */
static void device_variance(mho_crossbar *x, size_t first, int n) {
  mho_periphery_own *o = x->own;
  float a[MHO_DEVICE_BLOCK], b[MHO_DEVICE_BLOCK], unit = (float)(x->w_max * x->w_max);
  mho_cells_read_sigma(x->pos, x->after, first, n, mho_crossbar_shown(x, 0) + first, a);
  mho_cells_read_sigma(x->neg, x->after, first, n, mho_crossbar_shown(x, 1) + first, b);
  for (int i = 0; i < n; i++)
    o->variance[first + (size_t)i] = (mho_real)(unit * (a[i] * a[i] + b[i] * b[i]));
}

/* What goes with v^2 and v^3 in the sums, v = V/voltage: the law is a cubic in V, I = G V + a V^2 + c V^3, so its currents
 * at +-1 V are all of it. */
static void curvature(mho_crossbar *x, size_t first, size_t n) {
  mho_periphery_own *o = x->own;
  const mho_device_config *d = &x->pos->config;
  double range = d->g_max - d->g_min, unit = x->w_max / range;
  for (size_t i = first; i < first + n; i++) {
    double even = 0, odd = 0;
    for (int k = 0; k < 2; k++) {
      double g = fmax(d->g_min + (double)mho_crossbar_shown(x, k)[i] * range, 0), sign = k ? -1 : 1;
      double up = mho_device_current(d, g, 1, NULL), down = mho_device_current(d, g, -1, NULL);
      even += sign * 0.5 * (up + down);
      odd += sign * (0.5 * (up - down) - g);
    }
    o->square[i] = (mho_real)(unit * even * o->voltage);
    o->cube[i] = (mho_real)(unit * odd * o->voltage * o->voltage);
  }
}

void mho_circuits_refresh(mho_crossbar *x, size_t first, size_t n) {
  const mho_periphery *p = x->params;
  mho_periphery_own *o = x->own;
  if (o->variance && p->read_noise > 0)
    array_variance(x, first, n);
  else if (o->variance)
    for (size_t i = 0; i < n; i += MHO_DEVICE_BLOCK)
      device_variance(x, first + i, n - i < MHO_DEVICE_BLOCK ? (int)(n - i) : MHO_DEVICE_BLOCK);
  if (o->square)
    curvature(x, first, n);
}

void mho_circuits_bend(const mho_periphery_own *o, size_t n, mho_real *v) {
  mho_real k2 = (mho_real)(o->iv[1] * o->voltage),
           k3 = (mho_real)(o->iv[2] * o->voltage * o->voltage);
  double b = o->iv[0] * o->voltage;
  if (o->law == MHO_IV_POLYNOMIAL)
    for (size_t i = 0; i < n; i++)
      v[i] += v[i] * v[i] * (k2 + k3 * v[i]);
  else if (o->law == MHO_IV_SINH)
    for (size_t i = 0; i < n; i++)
      v[i] = (mho_real)(sinh(b * (double)v[i]) / b);
}
