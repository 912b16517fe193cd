/* crossbar.c - signed weights on banks of devices, and the effective matrix.
 *
 *   W = sum_k gain_k G_k/g_unit, g_unit = (g_max - g_min)/w_max, so W = w_max sum_k gain_k g_k in
 *   normalized conductance
 *
 * What the banks are and how a weight is divided between them is the mapping (array/mapping/).
 * Banks that are written once hold device.start or, with device.zero_shift, the symmetry point of
 * the device that they are read against, each with an error of device.zero_error. Where a cell is
 * several devices, a bank of the mapping is a group of banks (groups.c).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/crossbar_panels.h"
#include "array/groups.h"
#include "array/line_sums.h"
#include "array/weights.h"
#include "base/streams.h"
#include "device/cells.h"
#include "device/ideal.h"

/* ---------------------------------------------------------------- banks */

/* The device config of a bank that is written once: of its kind, but with nothing that varies or
 * fails. */
static mho_device_config fixed_config(const mho_bank *role, const mho_device_config *device) {
  mho_device_config c = mho_device_mean(device);
  if (role->lowest)
    c.start = 0;
  if (role->kind == MHO_BANK_CURRENTS) {
    c.read_noise.law = MHO_READ_NOISE_NONE;
    c.drift.law = MHO_DRIFT_NONE;
  }
  return c;
}

/* The symmetry points of what a bank that is written once is read against: of one device or, where
 * a circuit stands for all devices of a cell, of all of them. */
static void shift(mho_crossbar *x, int k) {
  mho_cells *c = x->bank[k];
  int first, devices = mho_crossbar_devices(x, 0, &first);
  bool is_current = x->role[k].kind == MHO_BANK_CURRENTS;
  int from = is_current ? 0 : (k - first) % devices, to = is_current ? devices : from + 1;
  float at[MHO_DEVICE_BLOCK], start = (float)c->config.start;

  for (size_t i = 0; i < c->n; i += MHO_DEVICE_BLOCK) {
    int n = mho__block_cells(c->n, i);
    memset(c->g + i, 0, (size_t)n * sizeof *c->g);
    for (int d = from; d < to; d++) {
      float share = is_current ? (float)(x->role[first + d].gain / x->mapping->bank[0].gain) : 1;
      mho__symmetry_points(x->bank[first + d], i, n, start, at);
      for (int j = 0; j < n; j++)
        c->g[i + (size_t)j] += share * at[j];
    }
  }
}

/* The error of what a bank holds as weight zero (device.zero_error). */
static void add_error(mho_cells *c) {
  float xi[MHO_DEVICE_BLOCK];
  if (!(c->config.zero_error > 0))
    return;

  for (size_t i = 0; i < c->n; i += MHO_DEVICE_BLOCK) {
    int n = mho__block_cells(c->n, i);
    mho_rng_normal(c->chip, MHO_DRAW_ZERO, i, (size_t)n, xi);
    for (int j = 0; j < n; j++)
      c->g[i + (size_t)j] += (float)c->config.zero_error * xi[j];
  }
}

/* Write a bank once and for all. */
static void fix(mho_crossbar *x, int k) {
  const mho_bank *role = &x->role[k];
  mho_cells *c = x->bank[k];

  if (!role->lowest && c->config.zero_shift)
    shift(x, k);
  if (!role->lowest)
    add_error(c);
  if (role->kind == MHO_BANK_REFERENCE)
    for (size_t i = 0; i < c->n; i += MHO_DEVICE_BLOCK)
      mho_cells_write(c, i, mho__block_cells(c->n, i), c->g + i, true, mho__step_set(0));
}

static mho_err new_bank(mho_crossbar *x, const mho_crossbar_options *o, int k, mho_errinfo *ei) {
  mho_rng chip = mho__stream_chip(o->chip_seed, o->index, (uint32_t)k);
  mho_rng noise = mho__stream_pulse(o->noise_seed, o->index, (uint32_t)k);
  bool is_fixed = x->role[k].kind != MHO_BANK_DEVICES;
  mho_device_config fixed = fixed_config(&x->role[k], o->device_config);

  mho_err err = mho_cells_new(o->device, o->device_params, is_fixed ? &fixed : o->device_config,
                              mho_crossbar_cells(x), chip, noise, &x->bank[k], ei);
  if (!err && is_fixed)
    fix(x, k);
  return err;
}

/* Whether a table of banks is one that reads can follow. */
static mho_err check_mapping(const mho_mapping *m, mho_errinfo *ei) {
  double sum = 0;
  if (m->n_banks < 1 || m->n_banks > MHO_BANKS_MAX || m->bank[0].kind != MHO_BANK_DEVICES)
    return mho_fail(ei, MHO_EINVAL,
                    "the mapping '%s' has %d banks: expected 1 to %d, the first one of devices",
                    m->entry.id, m->n_banks, MHO_BANKS_MAX);

  for (int k = 0; k < m->n_banks; k++)
    sum += m->bank[k].gain;
  if (fabs(sum) > 1e-12)
    return mho_fail(ei, MHO_EINVAL,
                    "the gains of the banks of mapping '%s' add up to %g: they must cancel, as the "
                    "currents of equal devices do in a weight of 0",
                    m->entry.id, sum);
  return MHO_OK;
}

static mho_err new_banks(mho_crossbar *x, const mho_crossbar_options *o, mho_errinfo *ei) {
  const mho_mapping *m = o->mapping;
  if (!m)
    return mho_fail(ei, MHO_EINVAL, "a crossbar of '%s' without a mapping", o->device->entry.id);
  mho_err wrong = check_mapping(m, ei);
  if (wrong)
    return wrong;

  x->mapping = m;
  x->mapping_params = o->mapping_params;
  x->role = m->bank;
  x->n_banks = m->n_banks;
  x->w_max *= m->span;

  mho_err err = mho__groups_new(x, o->device_config, ei);
  for (int k = 0; k < x->n_banks; k++) {
    if (err)
      break;
    err = new_bank(x, o, k, ei);
    if (!err && o->hollow)
      err = mho__cells_take_out(x->bank[k], (size_t)x->rows, (size_t)x->cols + 1, ei);
  }
  return err;
}

/* The ideal device has no cells: in circuits and between wires its weights are laid on pairs. */
static const mho_bank ideal_pair[] = {
    {.name = "pos", .title = "positive", .letter = 'p', .gain = 1},
    {.name = "neg", .title = "negative", .letter = 'n', .gain = -1}};

static void new_floats(mho_crossbar *x, const mho_crossbar_options *o) {
  x->role = ideal_pair;
  x->n_banks = MHO_COUNT(ideal_pair);
  x->bounded = ((const mho_ideal_params *)o->device_params)->bounded;
  x->hollow = o->hollow;
  x->n_positive = (size_t)o->positive_rows * (size_t)x->cols;
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
    new_floats(x, o);

  if (!err)
    err = mho__crossbar_panels_new(x, ei);
  if (!err)
    err = mho__line_sums_new(x, o->positive_rows, ei);
  if (!err && o->array->attach)
    err = o->array->attach(x, o, ei);
  return err;
}

/* All weights 0, as new cells give them or as they are written. */
static void start(mho_crossbar *x) {
  mho_real none[MHO_DEVICE_BLOCK] = {0};
  size_t n = mho_crossbar_cells(x);
  if (x->mapping && !x->mapping->rests)
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
  for (int k = 0; k < MHO_BANKS_MAX; k++) {
    if (!mho__bank_is_borrowed(x, k))
      mho_cells_free(x->bank[k]);
    mho_free(x->drifted[k]);
  }
  mho_free(x->borrowed);
  mho__groups_free(x->groups);
  if (x->weights) {
    mho_free(x->weights->programmed);
    mho_free(x->weights->wired);
    mho_free(x->weights->wired_base);
  }

  mho_free(x->weights);
  mho__crossbar_panels_free(x);
  mho__line_sums_free(x);
  mho_free(x);
}

const mho_real *mho_crossbar_matrix(const mho_crossbar *x) {
  return x->weights->wired ? x->weights->wired : x->weights->programmed;
}

/* ---------------------------------------------------------------- the matrix */

/* Conductances of cells first .. first+n-1 of bank k as time has left them. */
static void refresh_drifted(mho_crossbar *x, int k, size_t first, size_t n) {
  for (size_t i = 0; i < n; i += MHO_DEVICE_BLOCK)
    mho_cells_drifted(x->bank[k], x->after, first + i, mho__block_cells(n, i),
                      x->drifted[k] + first + i);
}

/* The weights of cells first .. first+n-1: two banks, which nearly all mappings have, in one pass,
 * and others on top. */
static void sum_banks(mho_crossbar *x, size_t first, size_t n) {
  int second = x->n_banks > 1;
  const float *p = mho_crossbar_shown(x, 0) + first, *q = mho_crossbar_shown(x, second) + first;
  mho_real scale = (mho_real)x->w_max, *w = x->weights->programmed + first;
  mho_real a = (mho_real)x->role[0].gain, b = second ? (mho_real)x->role[1].gain : 0;

  for (size_t i = 0; i < n; i++)
    w[i] = scale * (a * (mho_real)p[i] + b * (mho_real)q[i]);

  for (int k = 2; k < x->n_banks; k++) {
    const float *g = mho_crossbar_shown(x, k) + first;
    mho_real more = scale * (mho_real)x->role[k].gain;
    for (size_t i = 0; i < n; i++)
      w[i] += more * (mho_real)g[i];
  }
}

/* The weights of scattered cells of one or two banks. A bank that a circuit holds at the lowest
 * conductance is the same everywhere, so that one of its cells is read for all. */
static void sum_banks_at(mho_crossbar *x, int n, const uint32_t *cell) {
  int second = x->n_banks > 1;
  const float *p = mho_crossbar_shown(x, 0), *q = mho_crossbar_shown(x, second);
  mho_real scale = (mho_real)x->w_max, *w = x->weights->programmed;
  mho_real a = (mho_real)x->role[0].gain, b = second ? (mho_real)x->role[1].gain : 0;
  bool is_alike = second && x->role[1].kind == MHO_BANK_CURRENTS && x->role[1].lowest;
  mho_real all = b * (mho_real)q[0];

  if (is_alike)
    for (int i = 0; i < n; i++)
      w[cell[i]] = scale * (a * (mho_real)p[cell[i]] + all);
  else
    for (int i = 0; i < n; i++)
      w[cell[i]] = scale * (a * (mho_real)p[cell[i]] + b * (mho_real)q[cell[i]]);
}

void mho_crossbar_refresh(mho_crossbar *x, size_t first, size_t n) {
  mho_crossbar_unpack(x);
  mho__line_sums_forget(x);

  for (int k = 0; k < x->n_banks; k++)
    if (x->drifted[k] && !mho__bank_is_borrowed(x, k))
      refresh_drifted(x, k, first, n);
  if (x->borrowed)
    mho__borrowed_refresh(x, first, n);

  if (mho_crossbar_has_cells(x))
    sum_banks(x, first, n);
  if (x->model->refresh)
    x->model->refresh(x, first, n);
}

/* Whether weights follow from the conductances of two banks alone, as these are written. */
static bool is_plain(const mho_crossbar *x) {
  bool drifts = false;
  for (int k = 0; k < x->n_banks; k++)
    drifts |= x->drifted[k] != NULL;
  return mho_crossbar_has_cells(x) && x->n_banks <= 2 && !drifts && !x->borrowed &&
         !x->model->refresh;
}

void mho__crossbar_refresh_at(mho_crossbar *x, int n, const uint32_t *cell) {
  if (!is_plain(x)) {
    for (int i = 0; i < n; i++)
      mho_crossbar_refresh(x, cell[i], 1);
    return;
  }

  mho_crossbar_unpack(x);
  mho__line_sums_forget(x);
  sum_banks_at(x, n, cell);
}

void mho__crossbar_fetch_banks(const mho_crossbar *x, size_t first, int n) {
  for (int k = 0; k < x->n_banks; k++)
    if (x->bank[k])
      mho__cells_fetch(x->bank[k], first, n);
}

void mho_crossbar_fetch(const mho_crossbar *x, size_t first, int n) {
  const mho_real *shown = mho_crossbar_matrix(x) + first;
  for (int i = 0; i < n; i += 64 / (int)sizeof *shown)
    __builtin_prefetch(shown + i);
  mho__crossbar_fetch_banks(x, first, n);
}

mho_err mho_crossbar_age(mho_crossbar *x, double after, mho_errinfo *ei) {
  size_t n = mho_crossbar_cells(x);
  bool has_cells = mho_crossbar_has_cells(x), ok = true;
  bool drifts = has_cells && x->bank[0]->config.drift.law != MHO_DRIFT_NONE && after > 0;

  for (int k = 0; k < x->n_banks; k++) {
    if (mho__bank_is_borrowed(x, k))
      continue;
    mho_free(x->drifted[k]);
    x->drifted[k] = drifts ? mho_alloc(n, sizeof(float)) : NULL;
    ok = ok && (x->drifted[k] || !drifts);
  }

  if (!ok)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the drift of a crossbar of %d x %d", x->rows,
                    x->cols);

  x->after = after;
  mho_crossbar_refresh(x, 0, n);
  return MHO_OK;
}

void mho_crossbar_leak(mho_crossbar *x, size_t first, size_t n) {
  if (!mho_crossbar_has_cells(x) || !(x->bank[0]->config.leak > 0))
    return;
  for (int k = 0; k < x->n_banks; k++)
    if (!mho__bank_is_borrowed(x, k))
      mho_cells_leak(x->bank[k], first, n, 1);
  mho_crossbar_refresh(x, first, n);
}

/* ---------------------------------------------------------------- exact writes */

/* Conductances of a block, one array a bank. */
typedef struct block {
  float of[MHO_BANKS_MAX][MHO_DEVICE_BLOCK];
  float *g[MHO_BANKS_MAX];
} block;

/* Conductances that weights v ask of m cells (relative: that changes v of what is there ask). */
static void targets(const mho_crossbar *x, size_t first, int m, const mho_real *v, bool relative,
                    block *b) {
  float d[MHO_DEVICE_BLOCK];
  mho_real unit = (mho_real)(1 / x->w_max);

  for (int i = 0; i < m; i++)
    d[i] = (float)(unit * v[i]);
  for (int k = 0; k < x->mapping->n_banks; k++) {
    b->g[k] = b->of[k];
    mho_crossbar_held(x, k, first, m, b->g[k]);
  }

  x->mapping->targets(x, first, m, d, relative, b->g);
}

/* Where no change is asked for nothing is: no pair is divided anew. */
static void keep_unasked(const mho_crossbar *x, size_t first, int m, const mho_real *v, block *b) {
  int unasked = 0;
  for (int i = 0; i < m; i++)
    unasked += v[i] == 0;
  if (!unasked)
    return;

  for (int k = 0; k < x->mapping->n_banks; k++) {
    float now[MHO_DEVICE_BLOCK];
    mho_crossbar_held(x, k, first, m, now);
    for (int i = 0; i < m; i++)
      b->g[k][i] = v[i] == 0 ? now[i] : b->g[k][i];
  }
}

/* Write block b into bank k of the mapping. */
static int write_bank(mho_crossbar *x, int k, size_t first, int m, const block *b, bool relative,
                      uint64_t step) {
  if (x->groups)
    return mho__group_write(x, k, first, m, b->g[k], relative, step);
  return mho_cells_write(x->bank[k], first, m, b->g[k], !relative, step);
}

/* Set (absolute) or move (relative) the cells of a range towards v. */
static int write_cells(mho_crossbar *x, size_t first, size_t n, const mho_real *v, bool relative,
                       uint64_t step) {
  int clipped = 0;

  for (size_t i0 = 0; i0 < n; i0 += MHO_DEVICE_BLOCK) {
    int m = mho__block_cells(n, i0);
    block b;
    targets(x, first + i0, m, v + i0, relative, &b);
    if (relative)
      keep_unasked(x, first + i0, m, v + i0, &b);

    for (int k = 0; k < x->mapping->n_banks; k++)
      if (mho__mapping_writes(x->mapping, k))
        clipped += write_bank(x, k, first + i0, m, &b, relative, step);
  }
  mho_crossbar_refresh(x, first, n);
  return clipped;
}

/* How many of the n weights from cell `first` on are conductances of the ideal device. */
static size_t n_conductances(const mho_crossbar *x, size_t first, size_t n) {
  return first < x->n_positive ? mho_min_size(n, x->n_positive - first) : 0;
}

/* None below 0. @return how many were. */
static int clip_conductances(size_t n, mho_real *w) {
  int clipped = 0;
  for (size_t i = 0; i < n; i++) {
    clipped += w[i] < 0;
    w[i] = w[i] < 0 ? 0 : w[i];
  }
  return clipped;
}

/* Of a hollow crossbar the weights of the diagonal are 0. */
static void clear_diagonal(const mho_crossbar *x, size_t first, size_t n, mho_real *w) {
  size_t cols = (size_t)x->cols;
  for (size_t i = first / cols; i < (size_t)x->rows; i++) {
    size_t cell = i * (cols + 1);
    if (cell >= first + n)
      break;
    if (cell >= first)
      w[cell - first] = 0;
  }
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

  if (x->hollow)
    clear_diagonal(x, first, n, w);
  clipped += clip_conductances(n_conductances(x, first, n), w);
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
  if (!mho_crossbar_has_cells(x))
    return write_floats(x, first, n, w, false);
  x->sets++;
  return write_cells(x, first, n, w, false, mho__step_set(x->sets));
}

int mho_crossbar_add(mho_crossbar *x, size_t first, size_t n, const mho_real *dw, uint64_t step) {
  if (!mho_crossbar_has_cells(x))
    return write_floats(x, first, n, dw, true);
  return write_cells(x, first, n, dw, true, mho__step_add(step));
}

static size_t floats_beyond(const mho_crossbar *x, size_t first, size_t n, const mho_real *w) {
  mho_real bound = (mho_real)(x->w_max * (1 + 1e-6));
  size_t beyond = 0, conductances = n_conductances(x, first, n);
  for (size_t i = 0; i < conductances; i++)
    beyond += w[i] < 0;
  if (x->bounded)
    for (size_t i = 0; i < n; i++)
      beyond += w[i] > bound || w[i] < -bound;
  return beyond;
}

/* Whether what block b asks of a cell, at i in it, is beyond its bounds in any bank. */
static bool is_beyond(const mho_crossbar *x, const block *b, size_t cell, int i) {
  for (int k = 0; k < x->mapping->n_banks; k++) {
    double g = (double)b->g[k][i];
    if (!mho__mapping_writes(x->mapping, k))
      continue;
    if (x->groups ? mho__group_is_outside(x, k, cell, g)
                  : mho__cell_is_outside(x->bank[k], cell, g))
      return true;
  }
  return false;
}

size_t mho_crossbar_beyond(const mho_crossbar *x, size_t first, size_t n, const mho_real *w) {
  if (!mho_crossbar_has_cells(x))
    return floats_beyond(x, first, n, w);

  size_t beyond = 0;
  for (size_t i0 = 0; i0 < n; i0 += MHO_DEVICE_BLOCK) {
    int m = mho__block_cells(n, i0);
    block b;
    targets(x, first + i0, m, w + i0, false, &b);
    for (int i = 0; i < m; i++)
      beyond += is_beyond(x, &b, first + i0 + (size_t)i, i);
  }
  return beyond;
}

/* The crossbar's w_max over that of its options. */
static double span_of(const mho_crossbar *x) {
  return x->mapping ? x->mapping->span : 1;
}

void mho_crossbar_range(mho_crossbar *x, double w_max) {
  x->w_max = span_of(x) * w_max;
  mho_crossbar_refresh(x, 0, mho_crossbar_cells(x));
}

double mho_crossbar_w_max(const mho_crossbar *x) {
  return x->w_max / span_of(x);
}

double mho_crossbar_reach(const mho_crossbar *x) {
  return x->mapping && x->mapping->reach ? x->mapping->reach(x) : 1;
}
