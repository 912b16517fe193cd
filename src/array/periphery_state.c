/* periphery_state.c - what the periphery keeps for a crossbar: mismatch from the chip's seed, and
 * the noise and I-V law of its cells as they follow from the conductances.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/periphery.h"
#include "array/place.h"
#include "array/weights.h"
#include "base/vmath.h"

void mho__periphery_detach(mho_crossbar *x) {
  mho_periphery_own *o = x->own;
  if (o) {
    for (int t = 0; t < 2; t++) {
      mho_free(o->gain[t]);
      mho_free(o->offset[t]);
      mho_free(o->input_gain[t]);
      mho_free(o->input_offset[t]);
    }
    mho_free(o->variance);
    mho_free(o->square);
    mho_free(o->cube);
  }

  mho_free(o);
  mho__scales_free(x->scales);
  x->own = x->scales = NULL;
}

/* n deviates of the chip, mean + sigma xi; NULL (and nothing to draw) for sigma 0. */
static bool draw(const mho_crossbar_options *o, int kind, int n, double mean, double sigma,
                 mho_real **out) {
  if (!(sigma > 0))
    return true;
  float *xi = mho_alloc((size_t)n, sizeof *xi);
  *out = mho_alloc((size_t)n, sizeof **out);
  bool ok = xi && *out;

  if (ok) {
    mho_rng_normal(mho__stream_mismatch(o->chip_seed, o->index, kind), 0, 0, (size_t)n, xi);
    for (int i = 0; i < n; i++)
      (*out)[i] = (mho_real)(mean + sigma * (double)xi[i]);
  }

  mho_free(xi);
  return ok;
}

/* Mismatch of the drivers and sense amplifiers of direction t (0: forward, 1: transposed). */
static bool draw_mismatch(mho_crossbar *x, const mho_crossbar_options *options, int t) {
  const mho_periphery *p = x->params;
  mho_periphery_own *o = x->own;
  int in = t ? x->cols : x->rows;
  int out = t ? x->rows : x->cols;
  int sensed = o->conversions[t] * out;
  return draw(options, 4 * t, sensed, 1, p->gain, &o->gain[t]) &&
         draw(options, 4 * t + 1, sensed, 0, p->offset, &o->offset[t]) &&
         draw(options, 4 * t + 2, in, 1, p->input_gain, &o->input_gain[t]) &&
         draw(options, 4 * t + 3, in, 0, p->input_offset, &o->input_offset[t]);
}

/* Read noise of the cells: the array's, or else that of the devices. */
static bool attach_noise(mho_crossbar *x) {
  const mho_periphery *p = x->params;
  const mho_device_config *cells = mho_crossbar_has_cells(x) ? &x->bank[0]->config : NULL;
  mho_periphery_own *o = x->own;
  bool devices = !(p->read_noise > 0) && cells && mho_device_reads_noisy(cells);
  bool alike =
      devices ? cells->read_noise.law == MHO_READ_NOISE_CONSTANT : p->law == MHO_NOISE_CONSTANT;
  o->noisy = devices || p->read_noise > 0;

  /* how often it is new */
  o->redraw = p->redraw == MHO_REDRAW_AUTO ? MHO_REDRAW_READ : p->redraw;
  o->redraw_cells = o->redraw;
  /* nearly all of 1/f noise is slower than a sample */
  if (devices && p->redraw == MHO_REDRAW_AUTO && mho_device_noise_is_slow(cells))
    o->redraw_cells = MHO_REDRAW_SAMPLE;

  if (!o->noisy || alike)
    return true;
  o->variance = mho_alloc(mho_crossbar_cells(x), sizeof *o->variance);
  return o->variance != NULL;
}

/* The I-V law of the cells. */
static bool attach_law(mho_crossbar *x) {
  mho_periphery_own *o = x->own;
  o->voltage = x->read_voltage;
  o->law = mho_crossbar_has_cells(x) ? x->bank[0]->config.iv.law : MHO_IV_OHMIC;
  if (o->law == MHO_IV_OHMIC)
    return true;

  const mho_iv_config *iv = &x->bank[0]->config.iv;
  memcpy(o->iv, (double[]){iv->b, iv->k2, iv->k3}, sizeof o->iv);
  if (o->law != MHO_IV_HFO2)
    return true;
  o->square = mho_alloc(mho_crossbar_cells(x), sizeof *o->square);
  o->cube = mho_alloc(mho_crossbar_cells(x), sizeof *o->cube);
  return o->square && o->cube;
}

/* How the inputs are divided between converters: by tiles where their sums are added as numbers. */
static void divide(mho_crossbar *x, const mho_crossbar_options *options) {
  const mho_periphery *p = x->params;
  mho_periphery_own *o = x->own;
  mho_array_config defaults;
  mho_params_init(mho_array_params, &defaults);
  bool apart = p->adc_bits && p->tiles == MHO_TILES_DIGITAL;
  mho__places_size(x, options->array_config ? options->array_config : &defaults, &o->depth[0],
                   &o->depth[1]);

  for (int t = 0; t < 2; t++) {
    int in = t ? x->cols : x->rows;
    o->depth[t] = apart ? mho_min(o->depth[t], in) : in;
    o->conversions[t] = (in + o->depth[t] - 1) / o->depth[t];
  }
}

static bool attach(mho_crossbar *x, const mho_crossbar_options *options) {
  const mho_periphery *p = x->params;
  divide(x, options);
  if (!draw_mismatch(x, options, 0) || !draw_mismatch(x, options, 1))
    return false;
  if (!attach_noise(x) || !attach_law(x))
    return false;
  if (!p->adc_bits || p->adc_range != MHO_ADC_CALIBRATED)
    return true;
  x->scales = mho__scales_new(x->rows, x->cols, p);
  return x->scales != NULL;
}

mho_err mho__periphery_attach(mho_crossbar *x, const mho_crossbar_options *options,
                              mho_errinfo *ei) {
  x->own = mho_alloc(1, sizeof(mho_periphery_own));
  if (x->own && attach(x, options))
    return MHO_OK;
  return mho_fail(ei, MHO_ENOMEM, "no memory for the circuits of a crossbar of %d x %d", x->rows,
                  x->cols);
}

/* ---------------------------------------------------------------- noise and I-V law */

/* Noise that is the same in all cells, of the banks that a weight has. */
static mho_real constant_variance(const mho_crossbar *x) {
  const mho_periphery *p = x->params;
  bool devices = !(p->read_noise > 0) && mho_crossbar_has_cells(x);
  double of_range = devices ? x->bank[0]->config.read_noise.sigma : p->read_noise, sum = 0;
  double sigma = of_range * x->w_max;
  for (int k = 0; k < x->n_banks; k++)
    sum += x->role[k].kind == MHO_BANK_CURRENTS ? 0 : x->role[k].gain * x->role[k].gain;
  return (mho_real)(sum * sigma * sigma);
}

/* The array's read_noise, for all devices alike; without devices the noise is proportional to the
 * weight, 2 n^2 w^2 as of an even pair. */
static void array_variance(mho_crossbar *x, size_t first, int n) {
  const mho_periphery *p = x->params;
  mho_periphery_own *o = x->own;
  mho_real *variance = o->variance + first;
  double unit = p->read_noise * x->w_max, sum[MHO_DEVICE_BLOCK] = {0};

  if (!mho_crossbar_has_cells(x)) {
    const mho_real *w = x->weights->programmed + first;
    for (int i = 0; i < n; i++)
      variance[i] = (mho_real)(2 * p->read_noise * p->read_noise) * w[i] * w[i];
    return;
  }

  const mho_cells *c = x->bank[0];
  double offset = c->g_min / (c->g_max - c->g_min); /* G = (g + offset)(g_max - g_min) */
  for (int k = 0; k < x->n_banks; k++) {
    const float *g = mho_crossbar_shown(x, k) + first;
    double gain = x->role[k].kind == MHO_BANK_CURRENTS ? 0 : x->role[k].gain;
    for (int i = 0; i < n; i++) {
      double part = gain * ((double)g[i] + offset);
      sum[i] += part * part;
    }
  }

  for (int i = 0; i < n; i++)
    variance[i] = (mho_real)(unit * unit * sum[i]);
}

/* The devices' own law: W = w_max sum_k gain_k g_k, so variances add up, times gain_k^2 w_max^2. */
static void device_variance(mho_crossbar *x, size_t first, int n) {
  mho_periphery_own *o = x->own;
  float sigma[MHO_DEVICE_BLOCK], sum[MHO_DEVICE_BLOCK] = {0};
  float unit = (float)(x->w_max * x->w_max);

  for (int k = 0; k < x->n_banks; k++) {
    float gain = (float)x->role[k].gain;
    mho_cells_read_sigma(x->bank[k], x->after, first, n, mho_crossbar_shown(x, k) + first, sigma);
    for (int i = 0; i < n; i++)
      sum[i] += gain * sigma[i] * (gain * sigma[i]);
  }

  for (int i = 0; i < n; i++)
    o->variance[first + (size_t)i] = (mho_real)(unit * sum[i]);
}

/* What goes with v^2 and v^3 in the sums, v = V/voltage: the law is a cubic in V, I = G V + a V^2 +
 * c V^3, so its currents at +-1 V are all of it. */
static void curvature(mho_crossbar *x, size_t first, size_t n) {
  mho_periphery_own *o = x->own;
  const mho_device_config *d = &x->bank[0]->config;
  double range = d->g_max - d->g_min, unit = x->w_max / range;

  for (size_t i = first; i < first + n; i++) {
    double even = 0, odd = 0;
    for (int k = 0; k < x->n_banks; k++) {
      double g = fmax(d->g_min + (double)mho_crossbar_shown(x, k)[i] * range, 0);
      double gain = x->role[k].gain;
      double up = mho_device_current(d, g, 1, NULL), down = mho_device_current(d, g, -1, NULL);
      even += gain * 0.5 * (up + down);
      odd += gain * (0.5 * (up - down) - g);
    }
    o->square[i] = (mho_real)(unit * even * o->voltage);
    o->cube[i] = (mho_real)(unit * odd * o->voltage * o->voltage);
  }
}

void mho__periphery_refresh(mho_crossbar *x, size_t first, size_t n) {
  const mho_periphery *p = x->params;
  mho_periphery_own *o = x->own;

  void (*find_variance)(mho_crossbar *, size_t, int) =
      p->read_noise > 0 ? array_variance : device_variance;
  mho_real constant = o->noisy && !o->variance ? constant_variance(x) : o->constant;
  if (constant != o->constant) /* others may read it meanwhile */
    o->constant = constant;
  if (o->variance)
    for (size_t i = 0; i < n; i += MHO_DEVICE_BLOCK)
      find_variance(x, first + i, mho__block_cells(n, i));
  if (o->square)
    curvature(x, first, n);
}

void mho__periphery_bend(const mho_periphery_own *o, size_t n, mho_real *v) {
  mho_real k2 = (mho_real)(o->iv[1] * o->voltage);
  mho_real k3 = (mho_real)(o->iv[2] * o->voltage * o->voltage);
  double b = o->iv[0] * o->voltage;

  if (o->law == MHO_IV_POLYNOMIAL)
    for (size_t i = 0; i < n; i++)
      v[i] += v[i] * v[i] * (k2 + k3 * v[i]);
  else if (o->law == MHO_IV_SINH)
    for (size_t i = 0; i < n; i++)
      v[i] = (mho_real)(sinh(b * (double)v[i]) / b);
}
