/* bank.c - making a bank of cells: device-to-device draws, bounds, faults, and what a checkpoint keeps of it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "device/cells.h"

/* ---------------------------------------------------------------- draws */

/* Unit-variance deviates of the law, [n]; lognormal ones are handled where they are applied. */
static void deviates(const mho_device_config *d, mho_rng chip, uint64_t what, uint64_t cell0, int n,
                     float *out) {
  if (d->law == LAW_UNIFORM) {
    mho_rng_uniform(chip, what, cell0, (size_t)n, out);
    for (int i = 0; i < n; i++)
      out[i] = (out[i] - 0.5f) * 3.46410162f; /* sqrt(12) */
  } else {
    mho_rng_normal(chip, what, cell0, (size_t)n, out);
  }
}

/* Factors of SET and RESET steps, never negative:
 * 1 + spread xi + min(u, 0) + asymmetry xi', 1 + spread xi - max(u, 0) - asymmetry xi', the same xi, xi'. */
static void step_factors(const mho_device_config *d, mho_rng chip, uint64_t cell0, int n, float *up,
                         float *down) {
  float common[MHO_DEVICE_BLOCK], contrary[MHO_DEVICE_BLOCK];
  deviates(d, chip, MHO_DRAW_STEP, cell0, n, common);
  deviates(d, chip, MHO_DRAW_ASYMMETRY, cell0, n, contrary);
  float s = (float)d->spread_step, a = (float)d->spread_asymmetry;
  float u = (float)fmin(d->up_down, 0), v = (float)fmax(d->up_down, 0);
  for (int i = 0; i < n; i++) {
    if (d->law == LAW_LOGNORMAL) {
      up[i] = expf(s * common[i] + a * contrary[i]) * (1 + u);
      down[i] = expf(s * common[i] - a * contrary[i]) * (1 - v);
    } else {
      up[i] = fmaxf(1 + s * common[i] + a * contrary[i] + u, 0);
      down[i] = fmaxf(1 + s * common[i] - a * contrary[i] - v, 0);
    }
  }
}

/* How far a bound lies beyond its nominal place: of log-normal ones the distance from the other nominal bound, 1
 * without spread, is exp(spread xi). */
static float beyond(const mho_device_config *d, double spread, float xi) {
  return d->law == LAW_LOGNORMAL ? (float)expm1(spread * (double)xi) : (float)spread * xi;
}

static void bounds(const mho_device_config *d, mho_rng chip, uint64_t cell0, int n, float *low,
                   float *high) {
  float zero = zero_siemens(d->g_min, d->g_max);
  float a[MHO_DEVICE_BLOCK], b[MHO_DEVICE_BLOCK];
  deviates(d, chip, MHO_DRAW_LOW, cell0, n, a);
  deviates(d, chip, MHO_DRAW_HIGH, cell0, n, b);
  for (int i = 0; i < n; i++) {
    /* a bound is a conductance: never below 0; a cell whose bounds would cross has no range */
    low[i] = fmaxf(-beyond(d, d->spread_low, -a[i]), zero);
    high[i] = fmaxf(1 + beyond(d, d->spread_high, b[i]), low[i]);
  }
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
    deviates(d, chip, MHO_DRAW_PARAMETER + (uint64_t)k, cell0, n, xi[k]);
  for (int i = 0; i < n; i++) {
    float *at[MHO_DEVICE_COLUMNS];
    memcpy(own, params, model->entry.params.size);
    for (int k = 0; k < spread->n; k++) {
      const mho_param *p = spread->param[k];
      double *v = (double *)(void *)(own + p->offset), x = spread->sigma[k] * (double)xi[k][i];
      *v = fmin(fmax(*v * (d->law == LAW_LOGNORMAL ? exp(x) : 1 + x), p->low), p->high);
    }
    for (int k = 0; k < model->n_columns; k++)
      at[k] = col[k] + i;
    model->columns(own,
                   &(mho_device_draw){1, d->g_min, d->g_max, draw->up + i, draw->down + i,
                                      draw->low + i, draw->high + i},
                   at);
  }
  mho_free(own);
  return MHO_OK;
}

static void faults(mho_cells *c, const mho_device_config *d, mho_rng chip) {
  float u[MHO_DEVICE_BLOCK];
  for (size_t i0 = 0; i0 < c->n; i0 += MHO_DEVICE_BLOCK) {
    int n = c->n - i0 < MHO_DEVICE_BLOCK ? (int)(c->n - i0) : MHO_DEVICE_BLOCK;
    mho_rng_uniform(chip, MHO_DRAW_FAULT, i0, (size_t)n, u);
    for (int i = 0; i < n; i++) {
      size_t cell = i0 + (size_t)i, k = bounds_at(c, cell);
      double v = (double)u[i];
      if (v < d->stuck_on) {
        c->fault[cell] = MHO_FAULT_ON;
        c->g[cell] = c->high[k];
      } else if (v < d->stuck_on + d->stuck_off) {
        c->fault[cell] = MHO_FAULT_OFF;
        c->g[cell] = c->low[k];
      } else if (v < d->stuck_on + d->stuck_off + d->open) {
        c->fault[cell] = MHO_FAULT_OPEN;
        c->g[cell] = zero_siemens(d->g_min, d->g_max);
      }
    }
  }
}

/* ---------------------------------------------------------------- construction */

static bool allocate(mho_cells *c, size_t width, bool fine) {
  const mho_device_config *d = &c->config;
  bool hidden = d->write_noise > 0 || d->levels > 0;
  c->hides = hidden || d->endurance > 0;
  if (!(c->g = mho_alloc(c->n, sizeof *c->g)) || !(c->low = mho_alloc(width, sizeof *c->low)) ||
      !(c->high = mho_alloc(width, sizeof *c->high)))
    return false;
  if (d->stuck_on + d->stuck_off + d->open > 0 && !(c->fault = mho_alloc(c->n, 1)))
    return false;
  if (fine && !(c->rest = mho_alloc(c->n, sizeof *c->rest)))
    return false;
  c->state = hidden ? mho_alloc(c->n, sizeof *c->state) : c->g;
  if (!c->state || (d->endurance > 0 && !(c->wear = mho_alloc(c->n, sizeof *c->wear))))
    return false;
  for (int k = 0; k < c->model->n_columns; k++)
    if (!(c->col[k] = mho_alloc(width, sizeof(float))))
      return false;
  return true;
}

static mho_err fill_columns(mho_cells *c, const void *params, const mho_spread *spread,
                            size_t width, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  for (size_t i0 = 0; i0 < width && !err; i0 += MHO_DEVICE_BLOCK) {
    int m = width - i0 < MHO_DEVICE_BLOCK ? (int)(width - i0) : MHO_DEVICE_BLOCK;
    float up[MHO_DEVICE_BLOCK], down[MHO_DEVICE_BLOCK], *col[MHO_DEVICE_COLUMNS];
    for (int k = 0; k < c->model->n_columns; k++)
      col[k] = c->col[k] + i0;
    step_factors(&c->config, c->chip, i0, m, up, down);
    bounds(&c->config, c->chip, i0, m, c->low + i0, c->high + i0);
    mho_device_draw draw = {m, c->g_min, c->g_max, up, down, c->low + i0, c->high + i0};
    if (spread->n)
      err = varied_columns(c->model, params, &c->config, spread, c->chip, i0, &draw, col, ei);
    else if (c->model->columns)
      c->model->columns(params, &draw, col);
  }
  return err;
}

static bool is_constant(const float *v, size_t n) {
  size_t same = 1;
  while (same < n && v[same] == v[0])
    same++;
  return same == n;
}

/* An array of one value shrinks to a block: what a pulse reads then stays in cache. */
static void shrink(float **v, size_t n) {
  float *block = n > MHO_DEVICE_BLOCK ? mho_alloc(MHO_DEVICE_BLOCK, sizeof *block) : NULL;
  if (!block)
    return; /* its first block serves as well */
  memcpy(block, *v, MHO_DEVICE_BLOCK * sizeof *block);
  mho_free(*v);
  *v = block;
}

static void shrink_all(mho_cells *c, size_t width) {
  for (int k = 0; k < c->model->n_columns; k++)
    if (!(c->column_varies[k] = !is_constant(c->col[k], width)))
      shrink(&c->col[k], width);
  c->varied = c->wear || !is_constant(c->low, width) || !is_constant(c->high, width);
  if (c->varied)
    return;
  shrink(&c->low, width);
  shrink(&c->high, width);
}

mho_err mho_cells_new(const mho_device_model *model, const void *params, const mho_device_config *d,
                      size_t n, mho_rng chip, mho_rng noise, mho_cells **out, mho_errinfo *ei) {
  *out = NULL;
  mho_spread spread = {0};
  mho_err err = mho_device_check(model, params, d, ei);
  if (!err)
    err = mho_spread_parse(model, d, &spread, ei);
  if (err)
    return err;
  mho_cells *c = mho_alloc(1, sizeof *c);
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
  bool varied = d->spread_step > 0 || d->spread_asymmetry > 0 || d->spread_low > 0 ||
                d->spread_high > 0 || spread.n > 0 || d->endurance > 0;
  size_t width = varied && n > MHO_DEVICE_BLOCK ? n : MHO_DEVICE_BLOCK;
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
  float start = (float)d->start;
  for (size_t i = 0; i < n; i++) {
    size_t k = c->varied ? i : i % MHO_DEVICE_BLOCK;
    c->g[i] = fminf(fmaxf(start, c->low[k]), c->high[k]);
  }
  if (c->fault)
    faults(c, d, chip);
  for (size_t i = 0; d->levels > 0 && i < n; i++)
    if (!(c->fault && c->fault[i]))
      c->g[i] = mho_cells_level(c, c->varied ? i : 0, c->g[i]);
  if (c->state != c->g)
    memcpy(c->state, c->g, n * sizeof *c->g);
  *out = c;
  return MHO_OK;
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
  for (int k = 0; k < MHO_DEVICE_COLUMNS; k++)
    mho_free(c->col[k]);
  mho_free(c);
}

int mho_cells_pieces(const mho_cells *c, mho_cells_piece *p) {
  int n = 0;
  p[n++] = (mho_cells_piece){c->g, c->n * sizeof *c->g};
  if (c->state != c->g)
    p[n++] = (mho_cells_piece){c->state, c->n * sizeof *c->state};
  if (c->wear) {
    p[n++] = (mho_cells_piece){c->wear, c->n * sizeof *c->wear};
    p[n++] = (mho_cells_piece){c->low, c->n * sizeof *c->low};
    p[n++] = (mho_cells_piece){c->high, c->n * sizeof *c->high};
  }
  return n;
}
