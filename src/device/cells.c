/* cells.c - cells under pulses: trains, bounds, what shows of the state, for any model.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/cells.h"

#include <math.h>
#include <string.h>

/* The cells of a block that have pulses left, side by side. */
typedef struct gathered {
  int n, left[MHO_DEVICE_BLOCK], index[MHO_DEVICE_BLOCK];
  float g[MHO_DEVICE_BLOCK], dir[MHO_DEVICE_BLOCK], xi[MHO_DEVICE_BLOCK], out[MHO_DEVICE_BLOCK];
  float low[MHO_DEVICE_BLOCK], high[MHO_DEVICE_BLOCK], col[MHO_DEVICE_COLUMNS][MHO_DEVICE_BLOCK];
} gathered;

static void pick(const mho_cells *c, size_t first, int from, gathered *b, int to) {
  size_t k = column_at(c, first) + (size_t)from;
  b->index[to] = from;
  b->g[to] = c->state[first + (size_t)from];
  b->low[to] = c->low[k];
  b->high[to] = c->high[k];
  for (int j = 0; j < c->model->n_columns; j++)
    b->col[j][to] = c->col[j][k];
}

static void answer(const mho_cells *c, gathered *b) {
  mho_device_block block = {.n = b->n,
                            .g = b->g,
                            .dir = b->dir,
                            .xi = b->xi,
                            .low = b->low,
                            .high = b->high,
                            .shared = c->shared,
                            .out = b->out};
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
      b.g[i] = c->state[first + (size_t)b.index[i]] = fminf(fmaxf(b.out[i], b.low[i]), b.high[i]);
    compact(c, first, &b);
  }
  if (c->hides)
    mho_cells_show(c, first, n, count, step);
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
  size_t k = column_at(c, first);
  for (int i = 0; i < n; i++) {
    size_t cell = first + (size_t)i;
    float v = fminf(fmaxf(g[i], c->low[k + (size_t)i]), c->high[k + (size_t)i]);
    clipped += v != g[i];
    if (!(c->fault && c->fault[cell])) {
      c->state[cell] = v;
      c->g[cell] = mho_cells_level(c, k + (size_t)i, v);
    }
  }
  return clipped;
}

/* ---------------------------------------------------------------- what shows */

/* The range closes linearly with the pulses, from both sides, to endurance_range of the original one. What is
 * closed by `fresh` more pulses follows from the present bounds: no second pair of bounds is kept. */
static void wear_out(mho_cells *c, size_t cell, uint32_t fresh) {
  double end = c->config.endurance, closes = (1 - c->config.endurance_range) / end;
  double before = fmin((double)c->wear[cell], end);
  c->wear[cell] += fresh < UINT32_MAX - c->wear[cell] ? fresh : UINT32_MAX - c->wear[cell];
  double now = fmin((double)c->wear[cell], end);
  double keep = 1 - closes * before > 0 ? (1 - closes * now) / (1 - closes * before) : 1;
  float middle = 0.5f * (c->low[cell] + c->high[cell]);
  float half = (float)(0.5 * keep) * (c->high[cell] - c->low[cell]);
  c->low[cell] = middle - half;
  c->high[cell] = middle + half;
  c->state[cell] = fminf(fmaxf(c->state[cell], c->low[cell]), c->high[cell]);
}

void mho_cells_show(mho_cells *c, size_t first, int n, const int16_t *count, uint64_t step) {
  float xi[MHO_DEVICE_BLOCK], zero = zero_siemens(c->g_min, c->g_max);
  float noise = (float)c->config.write_noise;
  if (noise > 0)
    mho_rng_normal(c->noise, step << ROUND_BITS | RANK_SHOW, first, (size_t)n, xi);
  for (int i = 0; i < n; i++) {
    size_t cell = first + (size_t)i, k = column_at(c, cell);
    if (!count[i] || (c->fault && c->fault[cell]))
      continue;
    if (c->wear)
      wear_out(c, cell, (uint32_t)(count[i] > 0 ? count[i] : -count[i]));
    float g = mho_cells_level(c, k, c->state[cell]);
    c->g[cell] = noise > 0 ? fmaxf(g + noise * xi[i], zero) : g; /* not clipped to the bounds: noise on top */
  }
}

double mho_device_nominal_step(const mho_device_model *model, const void *params,
                               const mho_device_config *config) {
  if (!model->pulse)
    return 0;
  enum { POINTS = 21 }; /* one-way models: the mean over the range, where a step depends on the state most */
  mho_device_config plain = *config;
  plain.spread_step = plain.spread_asymmetry = plain.spread_low = plain.spread_high = plain.endurance = 0;
  plain.stuck_on = plain.stuck_off = plain.open = plain.write_noise = 0;
  plain.levels = -1;
  plain.spread_of[0] = 0;
  mho_cells *c;
  if (mho_cells_new(model, params, &plain, POINTS, (mho_rng){0}, (mho_rng){0}, &c, NULL))
    return 0;
  float up[POINTS], down[POINTS], dir[POINTS];
  for (int i = 0; i < POINTS; i++) {
    c->state[i] = model->one_way ? ((float)i + 0.5f) / POINTS : 0.5f;
    dir[i] = 1;
  }
  mho_cells_mean_step(c, 0, POINTS, dir, up);
  for (int i = 0; i < POINTS; i++)
    dir[i] = -1;
  mho_cells_mean_step(c, 0, POINTS, dir, down);
  double sum = 0;
  for (int i = 0; i < POINTS; i++)
    sum += (double)up[i];
  mho_cells_free(c);
  return model->one_way ? sum / POINTS : 0.5 * (double)(up[0] - down[0]);
}

double mho_cells_siemens(const mho_cells *c, size_t cell) {
  double g = c->g_min + (double)c->g[cell] * (c->g_max - c->g_min);
  return (c->fault && c->fault[cell] == MHO_FAULT_OPEN) || g < 0 ? 0 : g;
}
