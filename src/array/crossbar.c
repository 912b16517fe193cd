/* crossbar.c - signed weights on two banks of devices, and the effective matrix.
 *
 *   W = (G+ - G-)/g_unit, g_unit = (g_max - g_min)/w_max, so W = w_max (g+ - g-) in normalized conductance
 *
 * What the banks are is the mapping: the two devices of a differential pair; one device and a fixed reference of
 * its kind (reference: at device.start, or at the device's symmetry point) or a fixed current (offset: the same
 * without anything random); two devices that are only ever SET and now and then written anew (one_sided).
 * A single device spans half of what a pair does, so its w_max is twice what the pair's would be.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "array/panels.h"
#include "array/weights.h"
#include "device/ideal.h"

/* Numbers of writes that have nothing in common: those that schemes number stay below. */
static const uint64_t WRITE_SET = (uint64_t)1 << 63, WRITE_ADD = (uint64_t)1 << 62;

static bool has_reference(const mho_crossbar *x) {
  return x->mapping == MHO_MAPPING_REFERENCE || x->mapping == MHO_MAPPING_OFFSET;
}

/* Where SET and RESET steps of cells first .. are of one size, [n]: the reference that a zero shift gives. Steps
 * of SET fall and those of RESET grow with g, so the interval is halved towards it. */
static void symmetry_points(mho_cells *c, size_t first, int n, float start, float *out) {
  float low[MHO_DEVICE_BLOCK], high[MHO_DEVICE_BLOCK], up[MHO_DEVICE_BLOCK], down[MHO_DEVICE_BLOCK];
  float set[MHO_DEVICE_BLOCK], reset[MHO_DEVICE_BLOCK], keep[MHO_DEVICE_BLOCK],
      *g = c->state + first;
  for (int i = 0; i < n; i++) {
    size_t k = c->varied ? first + (size_t)i : 0;
    float inside = 1e-4f * (c->high[k] - c->low[k]); /* at a bound itself a step may be 0 */
    low[i] = c->low[k] + inside;
    high[i] = c->high[k] - inside;
    keep[i] = g[i];
    set[i] = 1;
    reset[i] = -1;
  }
  for (int turn = 0; turn < 24; turn++) {
    for (int i = 0; i < n; i++)
      g[i] = 0.5f * (low[i] + high[i]);
    mho_cells_mean_step(c, first, n, set, up);
    mho_cells_mean_step(c, first, n, reset, down);
    for (int i = 0; i < n; i++) {
      float excess = up[i] + down[i], tiny = 1e-5f * (up[i] - down[i]);
      low[i] = excess > tiny ? g[i] : low[i];
      high[i] = excess < -tiny ? g[i] : high[i];
    }
  }
  for (int i = 0; i < n; i++) {
    float excess = up[i] + down[i], mid = 0.5f * (low[i] + high[i]);
    bool flat = low[i] < start && start < high[i] && fabsf(excess) <= 1e-5f * (up[i] - down[i]);
    out[i] = flat ? start : mid; /* steps equal everywhere: any point is one */
    g[i] = keep[i];
  }
}

/* The second bank of a single device: of its kind, but what it holds was chosen once and for all. */
static mho_err new_reference(mho_crossbar *x, const mho_crossbar_options *o, mho_rng chip,
                             mho_rng noise, mho_errinfo *ei) {
  mho_device_config fixed = *o->device_config;
  fixed.spread_step = fixed.spread_asymmetry = fixed.spread_low = fixed.spread_high =
      fixed.spread_of[0] = 0;
  fixed.stuck_on = fixed.stuck_off = fixed.open = fixed.write_noise = fixed.endurance = fixed.leak =
      0;
  fixed.levels = -1;
  if (x->mapping == MHO_MAPPING_OFFSET) {
    fixed.read_noise.law = MHO_READ_NOISE_NONE;
    fixed.drift.law = MHO_DRIFT_NONE;
  }
  mho_err err =
      mho_cells_new(o->device, o->device_params, &fixed, x->pos->n, chip, noise, &x->neg, ei);
  for (size_t i0 = 0; !err && o->device_config->zero_shift && i0 < x->pos->n;
       i0 += MHO_DEVICE_BLOCK) {
    int m = x->pos->n - i0 < MHO_DEVICE_BLOCK ? (int)(x->pos->n - i0) : MHO_DEVICE_BLOCK;
    symmetry_points(x->pos, i0, m, (float)fixed.start, x->neg->g + i0);
  }
  for (size_t i0 = 0; !err && x->mapping == MHO_MAPPING_REFERENCE && i0 < x->pos->n;
       i0 += MHO_DEVICE_BLOCK) {
    int m = x->pos->n - i0 < MHO_DEVICE_BLOCK ? (int)(x->pos->n - i0) : MHO_DEVICE_BLOCK;
    mho_cells_write(x->neg, i0, m, x->neg->g + i0, true, WRITE_SET);
  }
  return err;
}

static mho_err new_banks(mho_crossbar *x, const mho_crossbar_options *o, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  size_t n = (size_t)x->rows * (size_t)x->cols;
  x->mapping = o->device_config->mapping;
  x->refresh_above = o->device_config->refresh_above;
  if (has_reference(x))
    x->w_max *= 2;
  for (uint32_t k = 0; k < 2 && !err; k++) {
    mho_rng chip = mho_rng_make(o->chip_seed, MHO_RNG_CHIP, 2 * o->index + k);
    mho_rng noise = mho_rng_make(o->noise_seed, MHO_RNG_PULSE, 2 * o->index + k);
    err = k && has_reference(x) ? new_reference(x, o, chip, noise, ei)
                                : mho_cells_new(o->device, o->device_params, o->device_config, n,
                                                chip, noise, k ? &x->neg : &x->pos, ei);
  }
  return err;
}

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

mho_err mho_crossbar_new(int rows, int cols, const mho_crossbar_options *o, mho_crossbar **out,
                         mho_errinfo *ei) {
  *out = NULL;
  if (rows < 1 || cols < 1 || !(o->w_max > 0))
    return mho_fail(ei, MHO_EINVAL, "a crossbar of %d x %d with w_max %g", rows, cols, o->w_max);
  mho_err err;
  if (o->array->check && (err = o->array->check(o->array_params, ei)))
    return err;
  size_t n = (size_t)rows * (size_t)cols;
  mho_crossbar *x = new_matrix(n);
  if (!x)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a crossbar of %d x %d", rows, cols);

  x->rows = rows;
  x->cols = cols;
  x->w_max = o->w_max;
  mho_array_config defaults;
  mho_params_init(mho_array_params, &defaults);
  x->read_voltage = (o->array_config ? o->array_config : &defaults)->read_voltage;
  x->model = o->array;
  x->params = o->array_params;
  x->read_noise = mho_rng_make(o->noise_seed, MHO_RNG_READ, 2 * o->index);
  if (o->device->pulse) {
    if ((err = new_banks(x, o, ei))) {
      mho_crossbar_free(x);
      return err;
    }
  } else {
    x->bounded = ((const mho_ideal_params *)o->device_params)->bounded;
  }
  if ((err = mho_crossbar_panels_new(x, ei)) ||
      (o->array->attach && (err = o->array->attach(x, o, ei)))) {
    mho_crossbar_free(x);
    return err;
  }
  mho_real none[MHO_DEVICE_BLOCK] = {0};
  if (x->pos &&
      x->mapping != MHO_MAPPING_DIFFERENTIAL) /* devices of a pair start where new cells do */
    for (size_t i0 = 0; i0 < n; i0 += MHO_DEVICE_BLOCK)
      mho_crossbar_set(x, i0, n - i0 < MHO_DEVICE_BLOCK ? n - i0 : MHO_DEVICE_BLOCK, none);
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
  if (x->weights) {
    mho_free(x->weights->programmed);
    mho_free(x->weights->wired);
    mho_free(x->weights->wired_base);
  }
  mho_free(x->weights);
  mho_crossbar_panels_free(x);
  mho_free(x);
}

const mho_real *mho_crossbar_matrix(const mho_crossbar *x) {
  return x->weights->wired ? x->weights->wired : x->weights->programmed;
}

void mho_crossbar_refresh(mho_crossbar *x, size_t first, size_t n) {
  mho_crossbar_unpack(x);
  for (int k = 0; k < 2 && x->drifted[0]; k++)
    for (size_t i = 0; i < n; i += MHO_DEVICE_BLOCK)
      mho_cells_drifted(k ? x->neg : x->pos, x->after, first + i,
                        n - i < MHO_DEVICE_BLOCK ? (int)(n - i) : MHO_DEVICE_BLOCK,
                        x->drifted[k] + first + i);
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
  size_t n = (size_t)x->rows * (size_t)x->cols;
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
    int m = n - i0 < MHO_DEVICE_BLOCK ? (int)(n - i0) : MHO_DEVICE_BLOCK;
    float p[MHO_DEVICE_BLOCK], q[MHO_DEVICE_BLOCK];
    targets(x, first + i0, m, v + i0, relative, p, q);
    clipped += mho_cells_write(x->pos, first + i0, m, p, !relative, step);
    if (!has_reference(x))
      clipped += mho_cells_write(x->neg, first + i0, m, q, !relative, step);
  }
  mho_crossbar_refresh(x, first, n);
  return clipped;
}

/* The ideal device: v, or the present weight plus v, within the bounds if there are any. */
static int write_floats(mho_crossbar *x, size_t first, size_t n, const mho_real *v, bool relative) {
  mho_real *w = x->weights->programmed + first, bound = (mho_real)x->w_max;
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
  if (!x->pos)
    return write_floats(x, first, n, w, false);
  x->sets++;
  return write_cells(x, first, n, w, false, WRITE_SET + x->sets);
}

int mho_crossbar_add(mho_crossbar *x, size_t first, size_t n, const mho_real *dw, uint64_t step) {
  return x->pos ? write_cells(x, first, n, dw, true, WRITE_ADD + step)
                : write_floats(x, first, n, dw, true);
}

void mho_crossbar_pulse(mho_crossbar *x, size_t first, int n, const int16_t *pos,
                        const int16_t *neg, uint64_t step, mho_pulse_counts *counts) {
  mho_cells_pulse(x->pos, first, n, pos, step, counts);
  if (!has_reference(x))
    mho_cells_pulse(x->neg, first, n, neg, step, counts);
  mho_crossbar_refresh(x, first, (size_t)n);
}

/* What a loop of pulses and reads has brought a cell to is what its write aimed at. */
static void write_again(mho_cells *c, size_t cell, uint64_t step) {
  float accepted = c->g[cell];
  if (mho_device_has_write_error(&c->config))
    mho_cells_write(c, cell, 1, &accepted, true, step);
}

/* What changes of weights are to the banks; pos may be where count is. */
static void split(int mapping, int n, const int16_t *count, int16_t *pos, int16_t *neg) {
  if (mapping == MHO_MAPPING_ONE_SIDED)
    for (int i = 0; i < n; i++) {
      int16_t v = count[i];
      pos[i] = v > 0 ? v : 0;
      neg[i] = (int16_t)(v < 0 ? -v : 0);
    }
  else
    for (int i = 0; i < n; i++) {
      pos[i] = count[i];
      neg[i] = (int16_t)-count[i];
    }
}

void mho_crossbar_change(mho_crossbar *x, size_t first, int n, const int16_t *count, uint64_t step,
                         mho_pulse_counts *counts) {
  int16_t pos[MHO_DEVICE_BLOCK], neg[MHO_DEVICE_BLOCK];
  split(x->mapping, n, count, pos, neg);
  mho_crossbar_pulse(x, first, n, pos, neg, step, counts);
}

void mho_crossbar_change_at(mho_crossbar *x, int n, const uint32_t *cell, const int16_t *count,
                            uint64_t step, mho_pulse_counts *counts) {
  int16_t pos[MHO_DEVICE_BLOCK], neg[MHO_DEVICE_BLOCK];
  split(x->mapping, n, count, pos, neg);
  mho_cells_pulse_at(x->pos, n, cell, pos, step, counts);
  if (!has_reference(x))
    mho_cells_pulse_at(x->neg, n, cell, neg, step, counts);
}

void mho_crossbar_shares(const mho_crossbar *x, int bank, int n, const mho_real *dw, float *dg) {
  float unit = (float)(1 / x->w_max), sign = bank ? -1 : 1;
  for (int i = 0; i < n; i++) {
    float d = sign * unit * (float)dw[i];
    dg[i] = x->mapping == MHO_MAPPING_DIFFERENTIAL ? 0.5f * d
            : x->mapping == MHO_MAPPING_ONE_SIDED  ? (d > 0 ? d : 0)
            : bank                                 ? 0
                                                   : d;
  }
}

void mho_crossbar_verified(mho_crossbar *x, size_t first, int n, const mho_real *dw,
                           uint64_t step) {
  if (!mho_device_has_write_error(&x->pos->config))
    return;
  for (int k = 0; k < 2; k++) {
    mho_cells *c = k ? x->neg : x->pos;
    float share[MHO_DEVICE_BLOCK];
    mho_crossbar_shares(x, k, n, dw, share);
    for (int i = 0; i < n; i++)
      if (share[i] != 0)
        write_again(c, first + (size_t)i, step);
  }
  mho_crossbar_refresh(x, first, (size_t)n);
}

double mho_crossbar_step(const mho_crossbar *x, double step) {
  return (x->mapping == MHO_MAPPING_DIFFERENTIAL ? 2 : 1) * step * x->w_max;
}

bool mho_cell_is_outside(const mho_cells *c, size_t cell, double g) {
  const float dust = 1e-5f;
  size_t k = c->varied ? cell : 0;
  return g < (double)(c->low[k] - dust) || g > (double)(c->high[k] + dust);
}

size_t mho_crossbar_beyond(const mho_crossbar *x, size_t first, size_t n, const mho_real *w) {
  size_t beyond = 0;
  mho_real bound = (mho_real)(x->w_max * (1 + 1e-6));
  for (size_t i = 0; i < n && !x->pos; i++)
    beyond += x->bounded && (w[i] > bound || w[i] < -bound);
  for (size_t i0 = 0; i0 < n && x->pos; i0 += MHO_DEVICE_BLOCK) {
    int m = n - i0 < MHO_DEVICE_BLOCK ? (int)(n - i0) : MHO_DEVICE_BLOCK;
    float p[MHO_DEVICE_BLOCK], q[MHO_DEVICE_BLOCK];
    targets(x, first + i0, m, w + i0, false, p, q);
    for (int i = 0; i < m; i++) {
      size_t cell = first + i0 + (size_t)i;
      bool negative = !has_reference(x) && mho_cell_is_outside(x->neg, cell, (double)q[i]);
      beyond += negative || mho_cell_is_outside(x->pos, cell, (double)p[i]);
    }
  }
  return beyond;
}

void mho_crossbar_range(mho_crossbar *x, double w_max) {
  x->w_max = has_reference(x) ? 2 * w_max : w_max;
  mho_crossbar_refresh(x, 0, (size_t)x->rows * (size_t)x->cols);
}

double mho_crossbar_w_max(const mho_crossbar *x) {
  return has_reference(x) ? x->w_max / 2 : x->w_max;
}

double mho_crossbar_reach(const mho_crossbar *x) {
  if (!x->pos || x->mapping == MHO_MAPPING_ONE_SIDED)
    return 1;
  double room = 0, start = x->pos->config.start;
  if (!has_reference(x))
    return 2 * fmin(start, 1 - start);
  for (size_t i = 0; i < x->neg->n; i++) {
    double g = (double)x->neg->g[i];
    room += fmax(fmin(g, 1 - g), 0);
  }
  return 2 * room / (double)x->neg->n;
}

/* SET pulses on one bank, one at a time, until its cells are above those of the other by what is wanted (0: leave
 * them low). */
static void climb(mho_cells *c, const mho_cells *other, size_t first, int n, const float *want,
                  uint64_t step, mho_pulse_counts *counts) {
  enum { TRIES = 200 };
  float up[MHO_DEVICE_BLOCK], ones[MHO_DEVICE_BLOCK];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    ones[i] = 1;
  for (int turn = 0; turn < TRIES; turn++) {
    int16_t one[MHO_DEVICE_BLOCK];
    int some = 0;
    mho_cells_mean_step(c, first, n, ones, up);
    for (int i = 0; i < n; i++) {
      size_t cell = first + (size_t)i;
      counts->reads += want[i] > 0;
      /* the next pulse must bring it closer, on average */
      one[i] = want[i] > 0 && up[i] > 0 && want[i] - (c->g[cell] - other->g[cell]) > 0.5f * up[i] &&
               !(c->fault && c->fault[cell]);
      some += one[i];
    }
    if (!some)
      return;
    mho_cells_pulse(c, first, n, one, step + (uint64_t)turn, counts);
  }
}

static void reset_low(mho_cells *c, size_t first, int n, const int16_t *chosen, uint64_t step,
                      mho_pulse_counts *counts) {
  enum { TRIES = 1000 }; /* one abrupt pulse, or as many as a gradual device needs */
  int16_t one[MHO_DEVICE_BLOCK];
  for (int turn = 0; turn < TRIES; turn++) {
    int some = 0;
    for (int i = 0; i < n; i++) {
      size_t cell = first + (size_t)i, k = c->varied ? cell : 0;
      bool down = c->state[cell] <= c->low[k] + 0.02f * (c->high[k] - c->low[k]);
      one[i] = (int16_t)(chosen[i] && !(turn && down) && !(c->fault && c->fault[cell]) ? -1 : 0);
      some += one[i] != 0;
    }
    if (!some)
      return;
    mho_cells_pulse(c, first, n, one, step + (uint64_t)turn, counts);
  }
}

void mho_crossbar_restore(mho_crossbar *x, size_t first, size_t n, uint64_t step,
                          mho_pulse_counts *counts) {
  enum {
    APART = 2048
  }; /* programming steps between RESET and SET, so that no noise is drawn twice */
  for (size_t i0 = 0; i0 < n; i0 += MHO_DEVICE_BLOCK) {
    int m = n - i0 < MHO_DEVICE_BLOCK ? (int)(n - i0) : MHO_DEVICE_BLOCK;
    size_t at = first + i0;
    float p[MHO_DEVICE_BLOCK], q[MHO_DEVICE_BLOCK], above = (float)x->refresh_above;
    int16_t chosen[MHO_DEVICE_BLOCK];
    int some = 0;
    for (int i = 0; i < m; i++) {
      float a = x->pos->g[at + (size_t)i], b = x->neg->g[at + (size_t)i];
      chosen[i] = a > above || b > above;
      p[i] = chosen[i] && a > b ? a - b : 0;
      q[i] = chosen[i] && b > a ? b - a : 0;
      some += chosen[i];
      counts->reads += 2 * chosen[i];
    }
    if (!some)
      continue;
    reset_low(x->pos, at, m, chosen, step, counts);
    reset_low(x->neg, at, m, chosen, step, counts);
    climb(x->pos, x->neg, at, m, p, step + APART, counts);
    climb(x->neg, x->pos, at, m, q, step + APART, counts);
    for (int i = 0; i < m; i++) {
      if (p[i] > 0)
        write_again(x->pos, at + (size_t)i, step + APART);
      if (q[i] > 0)
        write_again(x->neg, at + (size_t)i, step + APART);
    }
    mho_crossbar_refresh(x, at, (size_t)m);
  }
}

bool mho_crossbar_noisy(const mho_crossbar *x) {
  bool cells = x->model->shows_cells && x->pos && mho_device_reads_noisy(&x->pos->config);
  return cells || (x->model->noisy && x->model->noisy(x->params));
}

const mho_device_config *mho_crossbar_law(const mho_crossbar *x) {
  bool bent = x->model->shows_cells && x->pos && x->pos->config.iv.law != MHO_IV_OHMIC;
  return bent ? &x->pos->config : NULL;
}

bool mho_crossbar_lossy(const mho_crossbar *x) {
  return mho_crossbar_law(x) || mho_crossbar_noisy(x) ||
         (x->model->lossy && x->model->lossy(x->params));
}

int mho_crossbar_parts(const mho_crossbar *x, bool transposed) {
  return x->model->parts ? x->model->parts(x, transposed) : 1;
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
    for (size_t i = 0; i < n; i++)
      top = fmax(top, fabs((double)x->weights->programmed[i]));
  }

  for (size_t i = 0; i < n; i++) {
    if (x->pos) {
      g_pos[i] = mho_cells_siemens_at(x->pos, i, mho_crossbar_shown(x, 0)[i]);
      g_neg[i] = mho_cells_siemens_at(x->neg, i, mho_crossbar_shown(x, 1)[i]);
      continue;
    }
    double half = 0.5 * (double)x->weights->programmed[i] / top;
    g_pos[i] = config->g_min + range * (0.5 + half);
    g_neg[i] = config->g_min + range * (0.5 - half);
  }

  *g_unit = range / top;
}

static void add_cells(const mho_cells *c, double *sum, double *squares, double *saturated,
                      double *stuck, int64_t *hist) {
  for (size_t i = 0; i < c->n; i++) {
    size_t k = c->varied ? i : 0;
    double g = mho_cells_siemens(c, i);
    float margin = 0.01f * (c->high[k] - c->low[k]);
    *sum += g;
    *squares += g * g;
    *saturated += c->g[i] <= c->low[k] + margin || c->g[i] >= c->high[k] - margin;
    *stuck += c->fault && c->fault[i];
    int bin = (int)floorf(c->g[i] * MHO_G_BINS);
    hist[bin < 0 ? 0 : bin < MHO_G_BINS ? bin : MHO_G_BINS - 1]++;
  }
}

mho_crossbar_stats mho_crossbar_statistics(const mho_crossbar *x) {
  size_t n = (size_t)x->rows * (size_t)x->cols;
  double sum = 0, squares = 0;
  mho_crossbar_stats s = {.g_mean = NAN, .g_std = NAN, .saturated = NAN, .stuck = NAN};
  for (size_t i = 0; i < n; i++) {
    double w = (double)x->weights->programmed[i];
    sum += w;
    squares += w * w;
    s.w_absmax = fmax(s.w_absmax, fabs(w));
  }
  s.w_mean = sum / (double)n;
  s.w_std = sqrt(fmax(squares / (double)n - s.w_mean * s.w_mean, 0));
  if (x->pos) {
    double cells = (has_reference(x) ? 1 : 2) * (double)n, saturated = 0, stuck = 0;
    sum = squares = 0;
    add_cells(x->pos, &sum, &squares, &saturated, &stuck, s.g_hist);
    if (!has_reference(x)) /* a reference is never written */
      add_cells(x->neg, &sum, &squares, &saturated, &stuck, s.g_hist);
    s.g_mean = sum / cells;
    s.g_std = sqrt(fmax(squares / cells - s.g_mean * s.g_mean, 0));
    s.saturated = saturated / cells;
    s.stuck = stuck / cells;
  }
  return s;
}
