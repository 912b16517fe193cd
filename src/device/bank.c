/* bank.c - making a bank of cells: device-to-device draws, bounds, faults, and what a checkpoint
 * keeps of it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "device/block.h"
#include "device/series.h"

/* ---------------------------------------------------------------- draws */

/* Unit-variance deviates of the law, [n]; lognormal ones are handled where they are applied. */
static void deviates(int law, mho_rng chip, uint64_t what, uint64_t cell0, int n, float *out) {
  if (law != LAW_UNIFORM) {
    mho_rng_normal(chip, what, cell0, (size_t)n, out);
    return;
  }

  const float width = 3.46410162f; /* sqrt(12) */
  mho_rng_uniform(chip, what, cell0, (size_t)n, out);
  for (int i = 0; i < n; i++)
    out[i] = (out[i] - 0.5f) * width;
}

/* The law of the spread of steps. */
static int step_law(const mho_device_config *d) {
  return d->step_law == STEP_LAW_SAME ? d->law : d->step_law - 1;
}

/* The factor of a step of size deviate x and asymmetry y, and a share u that is missing. */
static float step_factor(const mho_device_config *d, float x, float y, float u) {
  bool is_lognormal = step_law(d) == LAW_LOGNORMAL;
  if (d->law != LAW_LOGNORMAL)
    return fmaxf((is_lognormal ? expf(x) : 1 + x) + y + u, 0);
  return is_lognormal ? expf(x + y) * (1 + u) : fmaxf(1 + x, 0) * expf(y) * (1 + u);
}

/* Factors of SET and RESET steps, never negative, of the same xi and xi':
 *   up    1 + spread xi + asymmetry xi' + min(u, 0)
 *   down  1 + spread xi - asymmetry xi' - max(u, 0)
 * with exp(spread xi) for 1 + spread xi where the law of steps is log-normal; where the law of all
 * is, asymmetry and u are factors, too. */
static void step_factors(const mho_device_config *d, mho_rng chip, uint64_t cell0, int n, float *up,
                         float *down) {
  float common[MHO_DEVICE_BLOCK], contrary[MHO_DEVICE_BLOCK];
  deviates(step_law(d), chip, MHO_DRAW_STEP, cell0, n, common);
  deviates(d->law, chip, MHO_DRAW_ASYMMETRY, cell0, n, contrary);

  float s = (float)d->spread_step, a = (float)d->spread_asymmetry;
  float u = (float)fmin(d->up_down, 0), v = (float)fmax(d->up_down, 0);
  for (int i = 0; i < n; i++) {
    up[i] = step_factor(d, s * common[i], a * contrary[i], u);
    down[i] = step_factor(d, s * common[i], -a * contrary[i], -v);
  }
}

/* How far a bound lies beyond its nominal place: of log-normal ones the distance from the other
 * nominal bound, 1 without spread, is exp(spread xi). */
static float beyond(const mho_device_config *d, double spread, float xi) {
  return d->law == LAW_LOGNORMAL ? (float)expm1(spread * (double)xi) : (float)spread * xi;
}

/* Bounds are conductances: never below 0 S. A cell whose bounds would cross has no range; where
 * they are folded, those that spread takes past the fold come back on their own side of it. */
static void bounds(const mho_device_config *d, mho_rng chip, uint64_t cell0, int n, float *low,
                   float *high) {
  float zero = zero_siemens(d->g_min, d->g_max);
  float a[MHO_DEVICE_BLOCK], b[MHO_DEVICE_BLOCK];
  deviates(d->law, chip, MHO_DRAW_LOW, cell0, n, a);
  deviates(d->law, chip, MHO_DRAW_HIGH, cell0, n, b);

  float fold = (float)d->fold;
  for (int i = 0; i < n; i++) {
    float below = -beyond(d, d->spread_low, -a[i]), above = 1 + beyond(d, d->spread_high, b[i]);
    if (fold > 0) {
      below = fold - fabsf(below - fold);
      above = fold + fabsf(above - fold);
    }
    low[i] = below < zero ? zero : below;
    high[i] = fmaxf(above, low[i]);
  }
}

/* A parameter of a cell whose deviate is xi, within the limits of its table. */
static double varied(const mho_param *p, double value, int law, double sigma, double xi) {
  double x = sigma * xi;
  return fmin(fmax(value * (law == LAW_LOGNORMAL ? exp(x) : 1 + x), p->low), p->high);
}

/* Columns of n cells each of which has parameters of its own: one cell after another. */
static mho_err varied_columns(const mho_device_model *model, const void *params,
                              const mho_device_config *d, const mho_spread *spread, mho_rng chip,
                              uint64_t cell0, const mho_device_draw *draw, float *const *col,
                              mho_errinfo *ei) {
  int n = draw->n;
  float xi[MHO_SPREAD_MAX][MHO_DEVICE_BLOCK];
  char *own = mho_alloc(1, model->entry.params.size);
  if (!own)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the parameters of %s", model->entry.id);
  for (int k = 0; k < spread->n; k++)
    deviates(d->law, chip, MHO_DRAW_PARAMETER + (uint64_t)k, cell0, n, xi[k]);

  for (int i = 0; i < n; i++) {
    memcpy(own, params, model->entry.params.size);
    for (int k = 0; k < spread->n; k++) {
      const mho_param *p = spread->param[k];
      double *v = (double *)(void *)(own + p->offset);
      *v = varied(p, *v, d->law, spread->sigma[k], (double)xi[k][i]);
    }

    float *at[MHO_DEVICE_COLUMNS];
    for (int k = 0; k < model->n_columns; k++)
      at[k] = col[k] + i;
    mho_device_draw one = {
        1, d->g_min, d->g_max, draw->up + i, draw->down + i, draw->low + i, draw->high + i};
    model->columns(own, &one, at);
  }
  mho_free(own);
  return MHO_OK;
}

/* What is wrong with a cell, by a uniform number. */
static mho_fault fault_of(const mho_device_config *d, double u) {
  if (u < d->stuck_on)
    return MHO_FAULT_ON;
  if (u < d->stuck_on + d->stuck_off)
    return MHO_FAULT_OFF;
  if (u < d->stuck_on + d->stuck_off + d->open)
    return MHO_FAULT_OPEN;
  return u < mho_device_faulty(d) ? MHO_FAULT_STUCK : MHO_FAULT_NONE;
}

/* Where a fault holds a cell whose bounds are at k; v: uniform in 0..1. */
static float held_at(const mho_cells *c, size_t k, mho_fault fault, float v) {
  const mho_device_config *d = &c->config;
  if (fault == MHO_FAULT_ON)
    return c->high[k];
  if (fault == MHO_FAULT_OFF)
    return c->low[k];
  if (fault == MHO_FAULT_OPEN)
    return zero_siemens(d->g_min, d->g_max);

  float from = within((float)(d->stuck_at - d->stuck_range), c->low[k], c->high[k]);
  float to = within((float)(d->stuck_at + d->stuck_range), c->low[k], c->high[k]);
  return from + (to - from) * v;
}

static void faults(mho_cells *c, const mho_device_config *d, mho_rng chip) {
  float u[MHO_DEVICE_BLOCK], v[MHO_DEVICE_BLOCK];
  for (size_t i0 = 0; i0 < c->n; i0 += MHO_DEVICE_BLOCK) {
    int n = block_cells(c->n, i0);
    mho_rng_uniform(chip, MHO_DRAW_FAULT, i0, (size_t)n, u);
    mho_rng_uniform(chip, MHO_DRAW_STUCK, i0, (size_t)n, v);
    for (int i = 0; i < n; i++) {
      size_t cell = i0 + (size_t)i;
      mho_fault fault = fault_of(d, (double)u[i]);
      c->fault[cell] = (uint8_t)fault;
      if (fault != MHO_FAULT_NONE)
        c->g[cell] = held_at(c, bounds_at(c, cell), fault, v[i]);
    }
  }
}

/* ---------------------------------------------------------------- construction */

/* The arrays that the config asks for, with columns and bounds of `width` cells. */
static bool allocate(mho_cells *c, size_t width, bool fine) {
  const mho_device_config *d = &c->config;
  bool hidden = d->write_noise > 0 || d->levels > 0, wears = d->endurance > 0;
  bool faulty = mho_device_faulty(d) > 0;
  c->hides = hidden || wears;

  c->g = mho_alloc(c->n, sizeof *c->g);
  c->state = hidden ? mho_alloc(c->n, sizeof *c->state) : c->g;
  c->low = mho_alloc(width, sizeof *c->low);
  c->high = mho_alloc(width, sizeof *c->high);
  c->fault = faulty ? mho_alloc(c->n, 1) : NULL;
  c->rest = fine ? mho_alloc(c->n, sizeof *c->rest) : NULL;
  c->wear = wears ? mho_alloc(c->n, sizeof *c->wear) : NULL;
  bool ok = c->g && c->state && c->low && c->high && (c->fault || !faulty) && (c->rest || !fine) &&
            (c->wear || !wears);

  for (int k = 0; k < c->model->n_columns; k++) {
    c->col[k] = mho_alloc(width, sizeof(float));
    ok = ok && c->col[k];
  }
  return ok;
}

static mho_err fill_columns(mho_cells *c, const void *params, const mho_spread *spread,
                            size_t width, mho_errinfo *ei) {
  for (size_t i0 = 0; i0 < width; i0 += MHO_DEVICE_BLOCK) {
    int m = block_cells(width, i0);
    float up[MHO_DEVICE_BLOCK], down[MHO_DEVICE_BLOCK], *col[MHO_DEVICE_COLUMNS];
    for (int k = 0; k < c->model->n_columns; k++)
      col[k] = c->col[k] + i0;
    step_factors(&c->config, c->chip, i0, m, up, down);
    bounds(&c->config, c->chip, i0, m, c->low + i0, c->high + i0);

    mho_err err = MHO_OK;
    mho_device_draw draw = {m, c->g_min, c->g_max, up, down, c->low + i0, c->high + i0};
    if (spread->n)
      err = varied_columns(c->model, params, &c->config, spread, c->chip, i0, &draw, col, ei);
    else if (c->model->columns)
      c->model->columns(params, &draw, col);
    if (err)
      return err;
  }
  return MHO_OK;
}

static bool is_constant(const float *v, size_t n) {
  size_t same = 1;
  while (same < n && v[same] == v[0])
    same++;
  return same == n;
}

/* An array of one value shrinks to a block: what a pulse reads then stays in cache. Without memory
 * for it, the first block of the long array serves as well. */
static void shrink(float **v, size_t n) {
  float *block = n > MHO_DEVICE_BLOCK ? mho_alloc(MHO_DEVICE_BLOCK, sizeof *block) : NULL;
  if (!block)
    return;

  memcpy(block, *v, MHO_DEVICE_BLOCK * sizeof *block);
  mho_free(*v);
  *v = block;
}

static void shrink_all(mho_cells *c, size_t width) {
  for (int k = 0; k < c->model->n_columns; k++) {
    c->column_varies[k] = !is_constant(c->col[k], width);
    if (!c->column_varies[k])
      shrink(&c->col[k], width);
  }

  c->varied = c->wear || !is_constant(c->low, width) || !is_constant(c->high, width);
  if (c->varied)
    return;
  shrink(&c->low, width);
  shrink(&c->high, width);
}

/* The states of new cells: mid range, or where their faults hold them. */
static void start(mho_cells *c) {
  float g = (float)c->config.start;
  for (size_t i = 0; i < c->n; i++) {
    size_t k = bounds_at(c, i);
    c->g[i] = within(g, c->low[k], c->high[k]);
  }

  if (c->fault)
    faults(c, &c->config, c->chip);

  if (c->config.levels > 0)
    for (size_t i = 0; i < c->n; i++)
      if (!is_faulty(c, i))
        c->g[i] = mho__cells_level(c, bounds_at(c, i), c->g[i]);
  if (c->state != c->g)
    memcpy(c->state, c->g, c->n * sizeof *c->g);
}

/* Whether cells can have bounds or columns of their own. */
static bool cells_vary(const mho_device_config *d, const mho_spread *spread) {
  return d->spread_step > 0 || d->spread_asymmetry > 0 || d->spread_low > 0 || d->spread_high > 0 ||
         spread->n > 0 || d->endurance > 0;
}

mho_err mho_cells_new(const mho_device_model *model, const void *params, const mho_device_config *d,
                      size_t n, mho_rng chip, mho_rng noise, mho_cells **out, mho_errinfo *ei) {
  *out = NULL;
  mho_spread spread = {0};
  mho_err err = mho_device_check(model, params, d, ei);
  if (!err)
    err = mho__spread_parse(model, d, &spread, ei);
  if (err)
    return err;

  bank *own = mho_alloc(1, sizeof *own);
  mho_cells *c = own ? &own->cells : NULL;
  if (!c)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %zu cells", n);
  *c = (mho_cells){.model = model,
                   .n = n,
                   .g_min = d->g_min,
                   .g_max = d->g_max,
                   .noise = noise,
                   .chip = chip,
                   .config = *d};
  c->noisy = !model->noisy || model->noisy(params);
  size_t width = cells_vary(d, &spread) && n > MHO_DEVICE_BLOCK ? n : MHO_DEVICE_BLOCK;
  bool fine = d->levels < 2 && model->fine && model->fine(params, d);

  if (!allocate(c, width, fine))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for %zu cells of %s", n, model->entry.id);
  if (!err && model->prepare)
    err = model->prepare(params, d, &c->shared, ei);
  if (!err)
    err = fill_columns(c, params, &spread, width, ei);
  if (err) {
    mho_cells_free(c);
    return err;
  }

  shrink_all(c, width);
  start(c);
  *out = c;
  return MHO_OK;
}

mho_err mho__cells_take_out(mho_cells *c, size_t n, size_t every, mho_errinfo *ei) {
  if (!c->fault)
    c->fault = mho_alloc(c->n, 1);
  if (!c->fault)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the faults of %zu cells", c->n);

  for (size_t i = 0; i < n; i++) {
    c->fault[i * every] = MHO_FAULT_OPEN;
    c->g[i * every] = c->state[i * every] = zero_siemens(c->g_min, c->g_max);
  }
  return MHO_OK;
}

/* The constants that vary from cell to cell, as bank.beside has them; returns how many. */
static int varying(const mho_cells *c, const float **v) {
  int n = 0;
  if (c->varied) {
    v[n++] = c->low;
    v[n++] = c->high;
  }
  for (int k = 0; k < c->model->n_columns; k++)
    if (c->column_varies[k])
      v[n++] = c->col[k];
  return n;
}

void mho__cells_lay_beside(mho_cells *c) {
  const float *v[2 + MHO_DEVICE_COLUMNS];
  bank *own = (bank *)(void *)c;
  size_t n = (size_t)varying(c, v), width = (n + 3) / 4 * 4;
  bool bounds_move = c->wear != NULL;
  if (own->beside || n < 2 || bounds_move)
    return;

  own->beside = mho_alloc(c->n * width, sizeof *own->beside);
  own->n_beside = (int)width;
  for (size_t i = 0; own->beside && i < c->n; i++)
    for (size_t k = 0; k < n; k++)
      own->beside[i * width + k] = v[k][i];
}

void mho__cells_lay_by_column(mho_cells *c, int columns) {
  const float *v[2 + MHO_DEVICE_COLUMNS];
  bank *own = (bank *)(void *)c;
  size_t n = (size_t)varying(c, v), width = (size_t)columns, rows = c->n / width;
  bool bounds_move = c->wear != NULL;
  if (own->columns || bounds_move)
    return;

  own->by_column = mho_alloc(mho_max_size(c->n * n, 1), sizeof *own->by_column);
  if (!own->by_column)
    return;
  own->n_by_column = (int)n;
  own->columns = columns;
  for (size_t i = 0; i < c->n; i++)
    for (size_t k = 0; k < n; k++)
      own->by_column[(i % width * n + k) * rows + i / width] = v[k][i];
}

void mho_cells_free(mho_cells *c) {
  if (!c)
    return;

  if (c->state != c->g)
    mho_free(c->state);
  mho_free(c->g);
  mho_free(c->rest);
  mho_free(c->fault);
  mho_free(c->low);
  mho_free(c->high);
  mho_free(c->wear);
  mho_free(c->shared);
  mho_free(bank_of(c)->beside);
  mho_free(bank_of(c)->by_column);
  for (int k = 0; k < MHO_DEVICE_COLUMNS; k++)
    mho_free(c->col[k]);
  mho_free(c);
}

static mho_cells_piece floats(float *data, size_t n) {
  return (mho_cells_piece){data, n * sizeof *data, sizeof *data};
}

int mho_cells_pieces(const mho_cells *c, mho_cells_piece *p) {
  int n = 0;
  p[n++] = floats(c->g, c->n);
  if (c->state != c->g)
    p[n++] = floats(c->state, c->n);
  if (c->wear) {
    p[n++] = (mho_cells_piece){c->wear, c->n * sizeof *c->wear, 0};
    p[n++] = floats(c->low, c->n);
    p[n++] = floats(c->high, c->n);
  }
  return n;
}
