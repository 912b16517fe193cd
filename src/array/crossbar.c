/* crossbar.c - signed weights on two banks of devices, and the effective matrix.
 *
 *   W = (G+ - G-)/g_unit, g_unit = (g_max - g_min)/w_max, so W = w_max (g+ - g-) in normalized
 *   conductance
 *
 * What the banks are is the mapping: the two devices of a differential pair; one device and a fixed
 * reference of its kind (reference: at device.start, or at the device's symmetry point) or a fixed
 * current (offset: the same without anything random); two devices that are only ever SET and now
 * and then written anew (one_sided). A single device spans half of what a pair does, so its w_max
 * is twice what the pair's would be.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "array/crossbar_impl.h"
#include "array/crossbar_panels.h"
#include "base/streams.h"
#include "device/ideal.h"

/* ---------------------------------------------------------------- banks */

/* The search for the conductances of a block where steps up and down are of one size. */
typedef struct bisection {
  float low[MHO_DEVICE_BLOCK], high[MHO_DEVICE_BLOCK]; /* the interval that is halved */
  float up[MHO_DEVICE_BLOCK], down[MHO_DEVICE_BLOCK];  /* mean steps at its middle */
} bisection;

/* Halve the intervals of a block; g: its conductances, which become the middles. */
static void halve(mho_cells *c, size_t first, int n, float *g, bisection *b) {
  float set[MHO_DEVICE_BLOCK], reset[MHO_DEVICE_BLOCK];
  for (int i = 0; i < n; i++) {
    set[i] = 1;
    reset[i] = -1;
    g[i] = 0.5f * (b->low[i] + b->high[i]);
  }

  mho_cells_mean_step(c, first, n, set, b->up);
  mho_cells_mean_step(c, first, n, reset, b->down);

  for (int i = 0; i < n; i++) {
    float excess = b->up[i] + b->down[i], tiny = 1e-5f * (b->up[i] - b->down[i]);
    b->low[i] = excess > tiny ? g[i] : b->low[i];
    b->high[i] = excess < -tiny ? g[i] : b->high[i];
  }
}

/* Where SET and RESET steps of cells first .. are of one size, [n]: the reference that a zero shift
 * gives. Steps of SET fall and those of RESET grow with g, so the interval is halved towards it. */
static void symmetry_points(mho_cells *c, size_t first, int n, float start, float *out) {
  enum { TURNS = 24 };
  bisection b;
  float before[MHO_DEVICE_BLOCK], *g = c->state + first;

  for (int i = 0; i < n; i++) {
    size_t k = c->varied ? first + (size_t)i : 0;
    float inside = 1e-4f * (c->high[k] - c->low[k]); /* at a bound itself a step may be 0 */
    b.low[i] = c->low[k] + inside;
    b.high[i] = c->high[k] - inside;
    before[i] = g[i];
  }

  for (int turn = 0; turn < TURNS; turn++)
    halve(c, first, n, g, &b);

  for (int i = 0; i < n; i++) {
    float excess = b.up[i] + b.down[i], mid = 0.5f * (b.low[i] + b.high[i]);
    bool flat =
        b.low[i] < start && start < b.high[i] && fabsf(excess) <= 1e-5f * (b.up[i] - b.down[i]);
    out[i] = flat ? start : mid; /* steps equal everywhere: any point is one */
    g[i] = before[i];
  }
}

/* The device config of a reference: of its kind, but with nothing that varies or fails. */
static mho_device_config reference_config(const mho_crossbar *x, const mho_device_config *device) {
  mho_device_config c = *device;
  c.spread_step = c.spread_asymmetry = c.spread_low = c.spread_high = c.spread_of[0] = 0;
  c.stuck_on = c.stuck_off = c.open = c.write_noise = c.endurance = c.leak = 0;
  c.levels = -1;
  if (x->mapping == MHO_MAPPING_OFFSET) {
    c.read_noise.law = MHO_READ_NOISE_NONE;
    c.drift.law = MHO_DRIFT_NONE;
  }
  return c;
}

/* The second bank of a single device, which is written once and for all. */
static mho_err new_reference(mho_crossbar *x, const mho_crossbar_options *o, mho_rng chip,
                             mho_rng noise, mho_errinfo *ei) {
  mho_device_config fixed = reference_config(x, o->device_config);
  size_t n = x->pos->n;
  mho_err err = mho_cells_new(o->device, o->device_params, &fixed, n, chip, noise, &x->neg, ei);
  if (err)
    return err;

  if (o->device_config->zero_shift)
    for (size_t i = 0; i < n; i += MHO_DEVICE_BLOCK)
      symmetry_points(x->pos, i, mho__block_cells(n, i), (float)fixed.start, x->neg->g + i);
  if (x->mapping == MHO_MAPPING_REFERENCE)
    for (size_t i = 0; i < n; i += MHO_DEVICE_BLOCK)
      mho_cells_write(x->neg, i, mho__block_cells(n, i), x->neg->g + i, true, mho__step_set(0));
  return MHO_OK;
}

static mho_err new_banks(mho_crossbar *x, const mho_crossbar_options *o, mho_errinfo *ei) {
  x->mapping = o->device_config->mapping;
  x->refresh_above = o->device_config->refresh_above;
  if (mho__crossbar_has_reference(x))
    x->w_max *= 2;

  for (uint32_t k = 0; k < 2; k++) {
    mho_rng chip = mho__stream_chip(o->chip_seed, o->index, k);
    mho_rng noise = mho__stream_pulse(o->noise_seed, o->index, k);
    mho_err err = MHO_OK;
    if (k && mho__crossbar_has_reference(x))
      err = new_reference(x, o, chip, noise, ei);
    else
      err = mho_cells_new(o->device, o->device_params, o->device_config, mho_crossbar_cells(x),
                          chip, noise, k ? &x->neg : &x->pos, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- construction */

/* A crossbar of n weights and nothing else; NULL without memory. */
static mho_crossbar *new_matrix(size_t n) {
  mho_crossbar *x = mho_alloc(1, sizeof *x);
  if (!x)
    return NULL;

  x->weights = mho_alloc(1, sizeof *x->weights);
  if (x->weights)
    x->weights->programmed = mho_alloc(n, sizeof(mho_real));
  if (x->weights && x->weights->programmed)
    return x;

  mho_crossbar_free(x);
  return NULL;
}

/* Banks or float weights, panels, and what the array model keeps. */
static mho_err attach(mho_crossbar *x, const mho_crossbar_options *o, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  if (o->device->pulse)
    err = new_banks(x, o, ei);
  else
    x->bounded = ((const mho_ideal_params *)o->device_params)->bounded;

  if (!err)
    err = mho__crossbar_panels_new(x, ei);
  if (!err && o->array->attach)
    err = o->array->attach(x, o, ei);
  return err;
}

/* All weights 0; devices of a differential pair start where new cells do. */
static void start(mho_crossbar *x) {
  mho_real none[MHO_DEVICE_BLOCK] = {0};
  size_t n = mho_crossbar_cells(x);
  if (x->pos && x->mapping != MHO_MAPPING_DIFFERENTIAL)
    for (size_t i = 0; i < n; i += MHO_DEVICE_BLOCK)
      mho_crossbar_set(x, i, (size_t)mho__block_cells(n, i), none);
  mho_crossbar_refresh(x, 0, n);
}

mho_err mho_crossbar_new(int rows, int cols, const mho_crossbar_options *o, mho_crossbar **out,
                         mho_errinfo *ei) {
  *out = NULL;
  if (rows < 1 || cols < 1 || !(o->w_max > 0))
    return mho_fail(ei, MHO_EINVAL, "a crossbar of %d x %d with w_max %g", rows, cols, o->w_max);
  mho_err err = o->array->check ? o->array->check(o->array_params, ei) : MHO_OK;
  if (err)
    return err;
  mho_crossbar *x = new_matrix((size_t)rows * (size_t)cols);
  if (!x)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a crossbar of %d x %d", rows, cols);

  mho_array_config defaults;
  mho_params_init(mho_array_params, &defaults);
  x->rows = rows;
  x->cols = cols;
  x->w_max = o->w_max;
  x->read_voltage = (o->array_config ? o->array_config : &defaults)->read_voltage;
  x->model = o->array;
  x->params = o->array_params;
  x->read_noise = mho__stream_reads(o->noise_seed, o->index);

  err = attach(x, o, ei);
  if (err) {
    mho_crossbar_free(x);
    return err;
  }

  start(x);
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
  if (x->weights) {
    mho_free(x->weights->programmed);
    mho_free(x->weights->wired);
    mho_free(x->weights->wired_base);
  }

  mho_free(x->weights);
  mho__crossbar_panels_free(x);
  mho_free(x);
}

const mho_real *mho_crossbar_matrix(const mho_crossbar *x) {
  return x->weights->wired ? x->weights->wired : x->weights->programmed;
}

/* ---------------------------------------------------------------- the matrix */

static mho_cells *bank_of(const mho_crossbar *x, int k) {
  return k ? x->neg : x->pos;
}

/* Conductances of cells first .. first+n-1 of bank k as time has left them. */
static void refresh_drifted(mho_crossbar *x, int k, size_t first, size_t n) {
  for (size_t i = 0; i < n; i += MHO_DEVICE_BLOCK)
    mho_cells_drifted(bank_of(x, k), x->after, first + i, mho__block_cells(n, i),
                      x->drifted[k] + first + i);
}

void mho_crossbar_refresh(mho_crossbar *x, size_t first, size_t n) {
  mho_crossbar_unpack(x);
  if (x->drifted[0]) {
    refresh_drifted(x, 0, first, n);
    refresh_drifted(x, 1, first, n);
  }

  if (x->pos) {
    const float *p = mho_crossbar_shown(x, 0) + first, *q = mho_crossbar_shown(x, 1) + first;
    mho_real scale = (mho_real)x->w_max, *w = x->weights->programmed + first;
    for (size_t i = 0; i < n; i++)
      w[i] = scale * ((mho_real)p[i] - (mho_real)q[i]);
  }
  if (x->model->refresh)
    x->model->refresh(x, first, n);
}

mho_err mho_crossbar_age(mho_crossbar *x, double after, mho_errinfo *ei) {
  size_t n = mho_crossbar_cells(x);
  bool drifts = x->pos && x->pos->config.drift.law != MHO_DRIFT_NONE && after > 0;

  for (int k = 0; k < 2; k++) {
    mho_free(x->drifted[k]);
    x->drifted[k] = drifts ? mho_alloc(n, sizeof(float)) : NULL;
  }

  if (drifts && !(x->drifted[0] && x->drifted[1]))
    return mho_fail(ei, MHO_ENOMEM, "no memory for the drift of a crossbar of %d x %d", x->rows,
                    x->cols);

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

/* ---------------------------------------------------------------- exact writes */

/* Conductances that weights v ask of m cells (relative: that changes v of what is there ask). */
static void targets(const mho_crossbar *x, size_t first, int m, const mho_real *v, bool relative,
                    float *p, float *q) {
  const float *g_pos = x->pos->g + first, *g_neg = x->neg->g + first;
  mho_real unit = (mho_real)(1 / x->w_max);

  for (int i = 0; i < m; i++) {
    float d = (float)(unit * v[i]);
    if (relative && v[i] == 0) { /* nothing is asked of it: no pair is written anew */
      p[i] = g_pos[i];
      q[i] = g_neg[i];
      continue;
    }

    switch (x->mapping) {
    case MHO_MAPPING_DIFFERENTIAL:
      p[i] = (relative ? g_pos[i] : (float)x->pos->config.start) + 0.5f * d;
      q[i] = (relative ? g_neg[i] : (float)x->neg->config.start) - 0.5f * d;
      break;
    case MHO_MAPPING_ONE_SIDED: /* on one device, the other at its low end */
      d += relative ? g_pos[i] - g_neg[i] : 0;
      p[i] = d > 0 ? d : 0;
      q[i] = d < 0 ? -d : 0;
      break;
    default:
      p[i] = (relative ? g_pos[i] : g_neg[i]) + d;
      q[i] = g_neg[i];
    }
  }
}

/* Set (absolute) or move (relative) the cells of a range towards v. */
static int write_cells(mho_crossbar *x, size_t first, size_t n, const mho_real *v, bool relative,
                       uint64_t step) {
  int clipped = 0;

  for (size_t i0 = 0; i0 < n; i0 += MHO_DEVICE_BLOCK) {
    int m = mho__block_cells(n, i0);
    float p[MHO_DEVICE_BLOCK], q[MHO_DEVICE_BLOCK];
    targets(x, first + i0, m, v + i0, relative, p, q);
    clipped += mho_cells_write(x->pos, first + i0, m, p, !relative, step);
    if (!mho__crossbar_has_reference(x))
      clipped += mho_cells_write(x->neg, first + i0, m, q, !relative, step);
  }
  mho_crossbar_refresh(x, first, n);
  return clipped;
}

/* The ideal device: v, or the present weight plus v, within the bounds if there are any. */
static int write_floats(mho_crossbar *x, size_t first, size_t n, const mho_real *v, bool relative) {
  mho_real *w = x->weights->programmed + first, bound = (mho_real)x->w_max;
  int clipped = 0;

  if (relative) {
    for (size_t i = 0; i < n; i++)
      w[i] += v[i];
  } else {
    for (size_t i = 0; i < n; i++)
      w[i] = v[i];
  }

  if (x->bounded)
    for (size_t i = 0; i < n; i++) {
      mho_real inside = w[i] > bound ? bound : w[i];
      inside = inside < -bound ? -bound : inside;
      clipped += w[i] > bound || w[i] < -bound;
      w[i] = inside;
    }

  mho_crossbar_refresh(x, first, n);
  return clipped;
}

int mho_crossbar_set(mho_crossbar *x, size_t first, size_t n, const mho_real *w) {
  if (!x->pos)
    return write_floats(x, first, n, w, false);
  x->sets++;
  return write_cells(x, first, n, w, false, mho__step_set(x->sets));
}

int mho_crossbar_add(mho_crossbar *x, size_t first, size_t n, const mho_real *dw, uint64_t step) {
  if (!x->pos)
    return write_floats(x, first, n, dw, true);
  return write_cells(x, first, n, dw, true, mho__step_add(step));
}

bool mho__cell_is_outside(const mho_cells *c, size_t cell, double g) {
  const float dust = 1e-5f;
  size_t k = c->varied ? cell : 0;
  return g < (double)(c->low[k] - dust) || g > (double)(c->high[k] + dust);
}

static size_t floats_beyond(const mho_crossbar *x, size_t n, const mho_real *w) {
  mho_real bound = (mho_real)(x->w_max * (1 + 1e-6));
  size_t beyond = 0;
  if (x->bounded)
    for (size_t i = 0; i < n; i++)
      beyond += w[i] > bound || w[i] < -bound;
  return beyond;
}

size_t mho_crossbar_beyond(const mho_crossbar *x, size_t first, size_t n, const mho_real *w) {
  if (!x->pos)
    return floats_beyond(x, n, w);

  size_t beyond = 0;
  for (size_t i0 = 0; i0 < n; i0 += MHO_DEVICE_BLOCK) {
    float p[MHO_DEVICE_BLOCK], q[MHO_DEVICE_BLOCK];
    int m = mho__block_cells(n, i0);
    targets(x, first + i0, m, w + i0, false, p, q);
    for (int i = 0; i < m; i++) {
      size_t cell = first + i0 + (size_t)i;
      bool negative =
          !mho__crossbar_has_reference(x) && mho__cell_is_outside(x->neg, cell, (double)q[i]);
      beyond += negative || mho__cell_is_outside(x->pos, cell, (double)p[i]);
    }
  }
  return beyond;
}

void mho_crossbar_range(mho_crossbar *x, double w_max) {
  x->w_max = mho__crossbar_has_reference(x) ? 2 * w_max : w_max;
  mho_crossbar_refresh(x, 0, mho_crossbar_cells(x));
}

double mho_crossbar_w_max(const mho_crossbar *x) {
  return mho__crossbar_has_reference(x) ? x->w_max / 2 : x->w_max;
}

double mho_crossbar_reach(const mho_crossbar *x) {
  if (!x->pos || x->mapping == MHO_MAPPING_ONE_SIDED)
    return 1;
  double room = 0, start = x->pos->config.start;
  if (!mho__crossbar_has_reference(x))
    return 2 * fmin(start, 1 - start);

  for (size_t i = 0; i < x->neg->n; i++) {
    double g = (double)x->neg->g[i];
    room += fmax(fmin(g, 1 - g), 0);
  }
  return 2 * room / (double)x->neg->n;
}
