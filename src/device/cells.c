/* cells.c - banks of cells: device-to-device draws, pulse trains, bounds and faults, for any model.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "mho/device.h"

static const mho_param device_table[] = {
    MHO_P_REAL(mho_device_config, g_min, "g_min", "S", 1e-6, 0, 1, "lowest conductance"),
    MHO_P_REAL(mho_device_config, g_max, "g_max", "S", 100e-6, 1e-12, 1, "highest conductance"),
    MHO_P_CHOICE(mho_device_config, mapping, "mapping", "differential", 0,
                 "how a signed weight lies on conductances: W = (G+ - G-)/g_unit"),
    MHO_P_REAL(mho_device_config, weight_range, "weight_range", "", 3, 0.01, 1000,
               "w_max of a connection over its largest initial weight; g_unit = (g_max - g_min)/w_max"),
    MHO_P_REAL(mho_device_config, stuck_on, "stuck_on", "", 0, 0, 1,
               "fraction of cells stuck at their high bound"),
    MHO_P_REAL(mho_device_config, stuck_off, "stuck_off", "", 0, 0, 1,
               "fraction of cells stuck at their low bound"),
    MHO_P_REAL(mho_device_config, open, "open", "", 0, 0, 1, "fraction of dead cells, which conduct nothing"),
    MHO_P_CHOICE(mho_device_config, law, "variation.law", "normal|lognormal|uniform", 0,
                 "law of the device-to-device spread"),
    MHO_P_REAL(mho_device_config, spread_step, "variation.step", "", 0, 0, 5,
               "spread of a cell's step, SET and RESET alike, relative"),
    MHO_P_REAL(mho_device_config, spread_asymmetry, "variation.asymmetry", "", 0, 0, 5,
               "spread of SET against RESET step, relative"),
    MHO_P_REAL(mho_device_config, spread_low, "variation.g_low", "", 0, 0, 1,
               "spread of a cell's lower bound, of the range"),
    MHO_P_REAL(mho_device_config, spread_high, "variation.g_high", "", 0, 0, 1,
               "spread of a cell's upper bound, of the range"),
};
const mho_params mho_device_params = MHO_PARAMS(mho_device_config, device_table);

enum { /* steps of the chip stream: one per quantity drawn */
       DRAW_STEP,
       DRAW_ASYMMETRY,
       DRAW_LOW,
       DRAW_HIGH,
       DRAW_FAULT
};
enum { LAW_NORMAL, LAW_LOGNORMAL, LAW_UNIFORM };
enum { ROUND_BITS = 12 }; /* pulses a cell and step: noise is drawn at step << ROUND_BITS | rank */

mho_err mho_device_check(const mho_device_model *model, const void *params, const mho_device_config *d,
                         mho_errinfo *ei) {
  if (d->g_min >= d->g_max)
    return mho_fail(ei, MHO_ECONFIG, "device.g_min (%g S) must be below device.g_max (%g S)", d->g_min,
                    d->g_max);
  if (d->stuck_on + d->stuck_off + d->open > 1)
    return mho_fail(ei, MHO_ECONFIG, "device.stuck_on, stuck_off and open add up to %g: at most 1",
                    d->stuck_on + d->stuck_off + d->open);
  return model->check ? model->check(params, ei) : MHO_OK;
}

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

/* Factors of SET and RESET steps: 1 + spread xi +- asymmetry xi', never negative. */
static void step_factors(const mho_device_config *d, mho_rng chip, uint64_t cell0, int n, float *up,
                         float *down) {
  float common[MHO_DEVICE_BLOCK], contrary[MHO_DEVICE_BLOCK];
  deviates(d, chip, DRAW_STEP, cell0, n, common);
  deviates(d, chip, DRAW_ASYMMETRY, cell0, n, contrary);
  float s = (float)d->spread_step, a = (float)d->spread_asymmetry;
  for (int i = 0; i < n; i++) {
    if (d->law == LAW_LOGNORMAL) {
      up[i] = expf(s * common[i] + a * contrary[i]);
      down[i] = expf(s * common[i] - a * contrary[i]);
    } else {
      up[i] = fmaxf(1 + s * common[i] + a * contrary[i], 0);
      down[i] = fmaxf(1 + s * common[i] - a * contrary[i], 0);
    }
  }
}

static void bounds(const mho_device_config *d, mho_rng chip, uint64_t cell0, int n, float *low, float *high) {
  float zero = (float)(-d->g_min / (d->g_max - d->g_min)); /* G = 0 */
  float a[MHO_DEVICE_BLOCK], b[MHO_DEVICE_BLOCK];
  deviates(d, chip, DRAW_LOW, cell0, n, a);
  deviates(d, chip, DRAW_HIGH, cell0, n, b);
  for (int i = 0; i < n; i++) {
    /* a bound is a conductance: never below 0; a cell whose bounds would cross has no range */
    low[i] = fmaxf((float)d->spread_low * a[i], zero);
    high[i] = fmaxf(1 + (float)d->spread_high * b[i], low[i]);
  }
}

/* low and high of a block that starts at `first` */
static size_t at(const mho_cells *c, size_t first) {
  return c->varied ? first : 0;
}

static void faults(mho_cells *c, const mho_device_config *d, mho_rng chip) {
  float u[MHO_DEVICE_BLOCK];
  for (size_t i0 = 0; i0 < c->n; i0 += MHO_DEVICE_BLOCK) {
    int n = c->n - i0 < MHO_DEVICE_BLOCK ? (int)(c->n - i0) : MHO_DEVICE_BLOCK;
    mho_rng_uniform(chip, DRAW_FAULT, i0, (size_t)n, u);
    for (int i = 0; i < n; i++) {
      size_t cell = i0 + (size_t)i, k = c->varied ? cell : 0;
      double v = (double)u[i];
      if (v < d->stuck_on) {
        c->fault[cell] = MHO_FAULT_ON;
        c->g[cell] = c->high[k];
      } else if (v < d->stuck_on + d->stuck_off) {
        c->fault[cell] = MHO_FAULT_OFF;
        c->g[cell] = c->low[k];
      } else if (v < d->stuck_on + d->stuck_off + d->open) {
        c->fault[cell] = MHO_FAULT_OPEN;
        c->g[cell] = (float)(-d->g_min / (d->g_max - d->g_min));
      }
    }
  }
}

mho_err mho_cells_new(const mho_device_model *model, const void *params, const mho_device_config *d, size_t n,
                      mho_rng chip, mho_rng noise, mho_cells **out, mho_errinfo *ei) {
  *out = NULL;
  mho_err err = mho_device_check(model, params, d, ei);
  if (err)
    return err;
  mho_cells *c = mho_alloc(1, sizeof *c);
  if (!c)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %zu cells", n);
  *c = (mho_cells){.model = model, .n = n, .g_min = d->g_min, .g_max = d->g_max, .noise = noise};
  c->varied = d->spread_step > 0 || d->spread_asymmetry > 0 || d->spread_low > 0 || d->spread_high > 0;
  bool faulty = d->stuck_on + d->stuck_off + d->open > 0;
  size_t width = c->varied ? n : MHO_DEVICE_BLOCK;
  bool ok = (c->g = mho_alloc(n, sizeof *c->g)) && (c->low = mho_alloc(width, sizeof *c->low)) &&
            (c->high = mho_alloc(width, sizeof *c->high)) && (!faulty || (c->fault = mho_alloc(n, 1)));
  for (int k = 0; ok && k < model->n_columns; k++)
    ok = (c->col[k] = mho_alloc(width, sizeof(float))) != NULL;
  if (!ok) {
    mho_cells_free(c);
    return mho_fail(ei, MHO_ENOMEM, "no memory for %zu cells of %s", n, model->entry.id);
  }
  for (size_t i0 = 0; i0 < width; i0 += MHO_DEVICE_BLOCK) {
    int m = width - i0 < MHO_DEVICE_BLOCK ? (int)(width - i0) : MHO_DEVICE_BLOCK;
    float up[MHO_DEVICE_BLOCK], down[MHO_DEVICE_BLOCK], *col[MHO_DEVICE_COLUMNS];
    for (int k = 0; k < model->n_columns; k++)
      col[k] = c->col[k] + i0;
    step_factors(d, chip, i0, m, up, down);
    bounds(d, chip, i0, m, c->low + i0, c->high + i0);
    if (model->columns)
      model->columns(params, &(mho_device_draw){m, up, down}, col);
  }
  for (size_t i = 0; i < n; i++) {
    size_t k = c->varied ? i : i % MHO_DEVICE_BLOCK;
    c->g[i] = fminf(fmaxf(0.5f, c->low[k]), c->high[k]);
  }
  if (faulty)
    faults(c, d, chip);
  *out = c;
  return MHO_OK;
}

void mho_cells_free(mho_cells *c) {
  if (!c)
    return;
  mho_free(c->g);
  mho_free(c->fault);
  mho_free(c->low);
  mho_free(c->high);
  for (int k = 0; k < MHO_DEVICE_COLUMNS; k++)
    mho_free(c->col[k]);
  mho_free(c);
}

/* The cells of a block that have pulses left, side by side. */
typedef struct gathered {
  int n, left[MHO_DEVICE_BLOCK], index[MHO_DEVICE_BLOCK];
  float g[MHO_DEVICE_BLOCK], dir[MHO_DEVICE_BLOCK], xi[MHO_DEVICE_BLOCK], out[MHO_DEVICE_BLOCK];
  float low[MHO_DEVICE_BLOCK], high[MHO_DEVICE_BLOCK], col[MHO_DEVICE_COLUMNS][MHO_DEVICE_BLOCK];
} gathered;

static void pick(const mho_cells *c, size_t first, int from, gathered *b, int to) {
  size_t k = at(c, first) + (size_t)from;
  b->index[to] = from;
  b->g[to] = c->g[first + (size_t)from];
  b->low[to] = c->low[k];
  b->high[to] = c->high[k];
  for (int j = 0; j < c->model->n_columns; j++)
    b->col[j][to] = c->col[j][k];
}

static void answer(const mho_cells *c, gathered *b) {
  mho_device_block block = {
      .n = b->n, .g = b->g, .dir = b->dir, .xi = b->xi, .low = b->low, .high = b->high, .out = b->out};
  for (int j = 0; j < c->model->n_columns; j++)
    block.col[j] = b->col[j];
  c->model->pulse(&block);
}

/* Drop the cells that have had all their pulses, keeping the order. */
static void compact(const mho_cells *c, size_t first, gathered *b) {
  int n = 0;
  for (int i = 0; i < b->n; i++) {
    if (--b->left[i] <= 0) {
      continue;
    }
    int left = b->left[i];
    float dir = b->dir[i], g = b->g[i];
    pick(c, first, b->index[i], b, n);
    b->left[n] = left;
    b->dir[n] = dir;
    b->g[n++] = g;
  }
  b->n = n;
}

void mho_cells_pulse(mho_cells *c, size_t first, int n, const int16_t *count, uint64_t step,
                     mho_pulse_counts *counts) {
  gathered b;
  float noise[MHO_DEVICE_BLOCK];
  long set = 0, reset = 0;
  b.n = 0;
  for (int i = 0; i < n; i++) {
    set += count[i] > 0 ? count[i] : 0;
    reset -= count[i] < 0 ? count[i] : 0;
    if (count[i] && !(c->fault && c->fault[first + (size_t)i])) {
      pick(c, first, i, &b, b.n);
      b.left[b.n] = count[i] > 0 ? count[i] : -count[i];
      b.dir[b.n++] = count[i] > 0 ? 1.0f : -1.0f;
    }
  }
  counts->set += (double)set;
  counts->reset += (double)reset;
  for (uint64_t rank = 0; b.n; rank++) {
    mho_rng_normal(c->noise, step << ROUND_BITS | rank, first, (size_t)n, noise);
    for (int i = 0; i < b.n; i++)
      b.xi[i] = noise[b.index[i]];
    answer(c, &b);
    for (int i = 0; i < b.n; i++)
      b.g[i] = c->g[first + (size_t)b.index[i]] = fminf(fmaxf(b.out[i], b.low[i]), b.high[i]);
    compact(c, first, &b);
  }
}

void mho_cells_mean_step(const mho_cells *c, size_t first, int n, const float *dir, float *out) {
  gathered b;
  b.n = n;
  for (int i = 0; i < n; i++) {
    pick(c, first, i, &b, i);
    b.dir[i] = dir[i];
    b.xi[i] = 0;
  }
  answer(c, &b);
  for (int i = 0; i < n; i++) {
    bool at_bound = dir[i] > 0 ? b.g[i] >= b.high[i] : b.g[i] <= b.low[i];
    out[i] = at_bound ? 0 : b.out[i] - b.g[i];
  }
}

int mho_cells_set(mho_cells *c, size_t first, int n, const float *g) {
  int clipped = 0;
  size_t k = at(c, first);
  for (int i = 0; i < n; i++) {
    size_t cell = first + (size_t)i;
    float v = fminf(fmaxf(g[i], c->low[k + (size_t)i]), c->high[k + (size_t)i]);
    clipped += v != g[i];
    if (!(c->fault && c->fault[cell]))
      c->g[cell] = v;
  }
  return clipped;
}

double mho_device_nominal_step(const mho_device_model *model, const void *params) {
  if (!model->pulse)
    return 0;
  float one[2] = {1, 1}, col[MHO_DEVICE_COLUMNS][2], *cols[MHO_DEVICE_COLUMNS], out[2];
  mho_device_block b = {.n = 2,
                        .g = (const float[]){0.5f, 0.5f},
                        .dir = (const float[]){1, -1},
                        .xi = (const float[]){0, 0},
                        .low = (const float[]){0, 0},
                        .high = (const float[]){1, 1},
                        .out = out};
  for (int k = 0; k < MHO_DEVICE_COLUMNS; k++)
    b.col[k] = cols[k] = col[k];
  model->columns(params, &(mho_device_draw){2, one, one}, cols);
  model->pulse(&b);
  return 0.5 * (double)(out[0] - out[1]);
}

double mho_cells_siemens(const mho_cells *c, size_t cell) {
  double g = c->g_min + (double)c->g[cell] * (c->g_max - c->g_min);
  return (c->fault && c->fault[cell] == MHO_FAULT_OPEN) || g < 0 ? 0 : g;
}
