/* crossbar.c - the differential pair: signed weights on two banks of devices, and the effective matrix.
 *
 *   W = (G+ - G-)/g_unit, g_unit = (g_max - g_min)/w_max, so W = w_max (g+ - g-) in normalized conductance
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "device/ideal.h"
#include "mho/array.h"

mho_err mho_crossbar_new(int rows, int cols, const mho_crossbar_options *o, mho_crossbar **out,
                         mho_errinfo *ei) {
  *out = NULL;
  if (rows < 1 || cols < 1 || !(o->w_max > 0))
    return mho_fail(ei, MHO_EINVAL, "a crossbar of %d x %d with w_max %g", rows, cols, o->w_max);
  mho_err err;
  if (o->array->check && (err = o->array->check(o->array_params, ei)))
    return err;
  mho_crossbar *x = mho_alloc(1, sizeof *x);
  size_t n = (size_t)rows * (size_t)cols;
  if (!x || !(x->w = mho_alloc(n, sizeof *x->w))) {
    mho_crossbar_free(x);
    return mho_fail(ei, MHO_ENOMEM, "no memory for a crossbar of %d x %d", rows, cols);
  }
  x->rows = rows;
  x->cols = cols;
  x->w_max = o->w_max;
  x->model = o->array;
  x->params = o->array_params;
  x->read_noise = mho_rng_make(o->noise_seed, MHO_RNG_READ, 2 * o->index);
  if (o->device->pulse) {
    for (uint32_t k = 0; k < 2; k++) {
      mho_rng chip = mho_rng_make(o->chip_seed, MHO_RNG_CHIP, 2 * o->index + k);
      mho_rng noise = mho_rng_make(o->noise_seed, MHO_RNG_PULSE, 2 * o->index + k);
      err = mho_cells_new(o->device, o->device_params, o->device_config, n, chip, noise,
                          k ? &x->neg : &x->pos, ei);
      if (err) {
        mho_crossbar_free(x);
        return err;
      }
    }
  } else {
    x->bounded = ((const mho_ideal_params *)o->device_params)->bounded;
  }
  if (o->array->attach && (err = o->array->attach(x, o, ei))) {
    mho_crossbar_free(x);
    return err;
  }
  mho_crossbar_refresh(x, 0, n);
  *out = x;
  return MHO_OK;
}

void mho_crossbar_free(mho_crossbar *x) {
  if (!x)
    return;
  if (x->model && x->model->detach)
    x->model->detach(x);
  mho_cells_free(x->pos);
  mho_cells_free(x->neg);
  mho_free(x->drifted[0]);
  mho_free(x->drifted[1]);
  mho_free(x->w);
  mho_free(x);
}

void mho_crossbar_refresh(mho_crossbar *x, size_t first, size_t n) {
  for (int k = 0; k < 2 && x->drifted[0]; k++)
    for (size_t i = 0; i < n; i += MHO_DEVICE_BLOCK)
      mho_cells_drifted(k ? x->neg : x->pos, x->after, first + i,
                        n - i < MHO_DEVICE_BLOCK ? (int)(n - i) : MHO_DEVICE_BLOCK,
                        x->drifted[k] + first + i);
  if (x->pos) {
    const float *p = mho_crossbar_shown(x, 0) + first, *q = mho_crossbar_shown(x, 1) + first;
    mho_real scale = (mho_real)x->w_max, *w = x->w + first;
    for (size_t i = 0; i < n; i++)
      w[i] = scale * ((mho_real)p[i] - (mho_real)q[i]);
  }
  if (x->model->refresh)
    x->model->refresh(x, first, n);
}

mho_err mho_crossbar_age(mho_crossbar *x, double after, mho_errinfo *ei) {
  size_t n = (size_t)x->rows * (size_t)x->cols;
  bool drifts = x->pos && x->pos->config.drift.law != MHO_DRIFT_NONE && after > 0;
  for (int k = 0; k < 2; k++) {
    mho_free(x->drifted[k]);
    x->drifted[k] = drifts ? mho_alloc(n, sizeof(float)) : NULL;
  }
  if (drifts && !(x->drifted[0] && x->drifted[1]))
    return mho_fail(ei, MHO_ENOMEM, "no memory for the drift of a crossbar of %d x %d", x->rows, x->cols);
  x->after = after;
  mho_crossbar_refresh(x, 0, n);
  return MHO_OK;
}

void mho_crossbar_leak(mho_crossbar *x, size_t first, size_t n) {
  if (!x->pos || !(x->pos->config.leak > 0))
    return;
  mho_cells_leak(x->pos, first, n, 1);
  mho_cells_leak(x->neg, first, n, 1);
  mho_crossbar_refresh(x, first, n);
}

/* Set (absolute) or move (relative) the pairs of a range towards v; both devices take half. */
static int write_pairs(mho_crossbar *x, size_t first, size_t n, const mho_real *v, bool relative) {
  int clipped = 0;
  mho_real half = (mho_real)(0.5 / x->w_max);
  for (size_t i0 = 0; i0 < n; i0 += MHO_DEVICE_BLOCK) {
    int m = n - i0 < MHO_DEVICE_BLOCK ? (int)(n - i0) : MHO_DEVICE_BLOCK;
    float p[MHO_DEVICE_BLOCK], q[MHO_DEVICE_BLOCK];
    const float *g_pos = x->pos->g + first + i0, *g_neg = x->neg->g + first + i0;
    for (int i = 0; i < m; i++) {
      float d = (float)(half * v[i0 + (size_t)i]);
      p[i] = (relative ? g_pos[i] : 0.5f) + d;
      q[i] = (relative ? g_neg[i] : 0.5f) - d;
    }
    clipped += mho_cells_set(x->pos, first + i0, m, p);
    clipped += mho_cells_set(x->neg, first + i0, m, q);
  }
  mho_crossbar_refresh(x, first, n);
  return clipped;
}

/* The ideal device: v, or the present weight plus v, within the bounds if there are any. */
static int write_floats(mho_crossbar *x, size_t first, size_t n, const mho_real *v, bool relative) {
  mho_real *w = x->w + first, bound = (mho_real)x->w_max;
  int clipped = 0;
  if (relative)
    for (size_t i = 0; i < n; i++)
      w[i] += v[i];
  else
    for (size_t i = 0; i < n; i++)
      w[i] = v[i];
  if (x->bounded)
    for (size_t i = 0; i < n; i++) {
      clipped += w[i] > bound || w[i] < -bound;
      w[i] = w[i] > bound ? bound : w[i] < -bound ? -bound : w[i];
    }
  mho_crossbar_refresh(x, first, n);
  return clipped;
}

int mho_crossbar_set(mho_crossbar *x, size_t first, size_t n, const mho_real *w) {
  return x->pos ? write_pairs(x, first, n, w, false) : write_floats(x, first, n, w, false);
}

int mho_crossbar_add(mho_crossbar *x, size_t first, size_t n, const mho_real *dw) {
  return x->pos ? write_pairs(x, first, n, dw, true) : write_floats(x, first, n, dw, true);
}

void mho_crossbar_pulse(mho_crossbar *x, size_t first, int n, const int16_t *pos, const int16_t *neg,
                        uint64_t step, mho_pulse_counts *counts) {
  mho_cells_pulse(x->pos, first, n, pos, step, counts);
  mho_cells_pulse(x->neg, first, n, neg, step, counts);
  mho_crossbar_refresh(x, first, (size_t)n);
}

bool mho_crossbar_noisy(const mho_crossbar *x) {
  bool cells = x->model->shows_cells && x->pos && mho_device_reads_noisy(&x->pos->config);
  return cells || (x->model->noisy && x->model->noisy(x->params));
}

bool mho_crossbar_lossy(const mho_crossbar *x) {
  bool bent = x->model->shows_cells && x->pos && x->pos->config.iv.law != MHO_IV_OHMIC;
  return bent || mho_crossbar_noisy(x) || (x->model->lossy && x->model->lossy(x->params));
}

size_t mho_crossbar_scratch(const mho_crossbar *x, int n) {
  return x->model->scratch ? x->model->scratch(x, n) : 0;
}

void mho_crossbar_read(const mho_crossbar *x, const mho_read *r) {
  x->model->read(x, r);
}

void mho_crossbar_siemens(const mho_crossbar *x, const mho_device_config *config, double *g_pos,
                          double *g_neg, double *g_unit) {
  size_t n = (size_t)x->rows * (size_t)x->cols;
  double range = config->g_max - config->g_min, top = x->w_max;
  if (!x->pos) {
    top = 0;
    for (size_t i = 0; i < n; i++)
      top = fmax(top, fabs((double)x->w[i]));
    top = top > 0 ? top : 1;
  }
  for (size_t i = 0; i < n; i++) {
    double half = x->pos ? 0 : 0.5 * (double)x->w[i] / top;
    g_pos[i] = x->pos ? mho_cells_siemens(x->pos, i) : config->g_min + range * (0.5 + half);
    g_neg[i] = x->pos ? mho_cells_siemens(x->neg, i) : config->g_min + range * (0.5 - half);
  }
  *g_unit = range / top;
}

static void add_cells(const mho_cells *c, double *sum, double *squares, double *saturated, double *stuck) {
  for (size_t i = 0; i < c->n; i++) {
    size_t k = c->varied ? i : 0;
    double g = mho_cells_siemens(c, i);
    float margin = 0.01f * (c->high[k] - c->low[k]);
    *sum += g;
    *squares += g * g;
    *saturated += c->g[i] <= c->low[k] + margin || c->g[i] >= c->high[k] - margin;
    *stuck += c->fault && c->fault[i];
  }
}

mho_crossbar_stats mho_crossbar_statistics(const mho_crossbar *x) {
  size_t n = (size_t)x->rows * (size_t)x->cols;
  double sum = 0, squares = 0;
  mho_crossbar_stats s = {.g_mean = NAN, .g_std = NAN, .saturated = NAN, .stuck = NAN};
  for (size_t i = 0; i < n; i++) {
    double w = (double)x->w[i];
    sum += w;
    squares += w * w;
    s.w_absmax = fmax(s.w_absmax, fabs(w));
  }
  s.w_mean = sum / (double)n;
  s.w_std = sqrt(fmax(squares / (double)n - s.w_mean * s.w_mean, 0));
  if (x->pos) {
    double cells = 2 * (double)n, saturated = 0, stuck = 0;
    sum = squares = 0;
    add_cells(x->pos, &sum, &squares, &saturated, &stuck);
    add_cells(x->neg, &sum, &squares, &saturated, &stuck);
    s.g_mean = sum / cells;
    s.g_std = sqrt(fmax(squares / cells - s.g_mean * s.g_mean, 0));
    s.saturated = saturated / cells;
    s.stuck = stuck / cells;
  }
  return s;
}
