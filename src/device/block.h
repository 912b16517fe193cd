/* block.h - cells of a bank as the block that a model answers, and what becomes of the answer.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_BLOCK_H
#define MHO_DEVICE_BLOCK_H

#include "device/cells.h"

/* A bank, with what only the files of this folder know of it. */
typedef struct bank {
  mho_cells cells;
  /* [n x n_beside] low, high and columns that vary, those of a cell side by side and zeros behind
   * them up to a multiple of four; NULL: nowhere */
  float *beside;
  int n_beside;
  /* [columns x n_by_column x rows] the same, column by column: low of all its rows, high of all,
   * and so on; columns 0: nowhere */
  float *by_column;
  int n_by_column, columns;
} bank;

static inline const bank *bank_of(const mho_cells *c) {
  return (const bank *)(const void *)c; /* its first member */
}

/* xi of a block without noise. */
static const float mho_no_noise[MHO_DEVICE_BLOCK];

/* Cells first .. first+n-1 as they lie in the bank, to be answered where they are, without noise
 * until the caller says otherwise. Columns beyond the model's n_columns are left unset. */
static inline void mho__block_in_place(const mho_cells *c, size_t first, int n, const float *dir,
                                       float *out, mho_device_block *b) {
  size_t k = bounds_at(c, first);
  b->n = n;
  b->g = c->state + first;
  b->rest = c->rest ? c->rest + first : NULL;
  b->dir = dir;
  b->xi = mho_no_noise;
  b->quiet = true;
  b->amplitude = NULL;
  b->low = c->low + k;
  b->high = c->high + k;
  for (int j = 0; j < c->model->n_columns; j++)
    b->col[j] = c->col[j] + (c->column_varies[j] ? first : 0);
  b->shared = c->shared;
  b->out = out;
}

/* v between the bounds: `within` as a vector operation. */
static inline float clipped(float v, float low, float high) {
  v = v > low ? v : low;
  return v < high ? v : high;
}

/* Move n states to the levels that cells can have: a pulse begins and ends at a level
 * (device.levels). */
static inline void to_levels(const mho_cells *c, int n, const float *low, const float *high,
                             float *g) {
  if (c->config.levels < 2)
    return;
  float steps = (float)(c->config.levels - 1);
  for (int i = 0; i < n; i++)
    g[i] = mho__nearest_level(steps, low[i], high[i], g[i]);
}

/* Where a change takes a state that has a rest: rounded within the bounds, and what that leaves
 * out. */
static inline float move_finely(float g, float change, float low, float high, float *rest) {
  float t = *rest + change, sum = g + t, v = clipped(sum, low, high);
  float left = v == sum ? (g - sum) + t : 0;
  if (v == high)
    left = fminf(left, 0);
  if (v == low)
    left = fmaxf(left, 0);
  *rest = left;
  return v;
}

/* How strongly the pulses of n cells arrive: of neighbours from `first` on, or of those named.
 * NULL: wholly. */
static inline const float *strength(const mho_cells *c, size_t first, int n, const uint32_t *cell,
                                    const float *dir, float *out) {
  if (!c->amplitude[0])
    return NULL;
  for (int i = 0; i < n; i++) {
    size_t at = cell ? cell[i] : first + (size_t)i;
    out[i] = c->amplitude[dir[i] > 0 ? 0 : 1][at];
  }
  return out;
}

/* The model's answer to one pulse on a block, strongly or weakly (amplitude, nullable). */
static inline void answer(const mho_cells *c, mho_device_block *b, const float *amplitude) {
  b->amplitude = c->model->response ? amplitude : NULL;
  c->model->pulse(b);
  if (!amplitude || c->model->response)
    return;
#pragma omp simd
  for (int i = 0; i < b->n; i++)
    b->out[i] *= amplitude[i];
}

/* v of the named cells, [n]; where it varies from cell to cell, else as it is. */
static inline const float *gather(const float *v, bool varies, int n, const uint32_t *cell,
                                  float *out) {
  if (!varies)
    return v;
  for (int i = 0; i < n; i++)
    out[i] = v[cell[i]];
  return out;
}

/* A cell's pulses, of one direction, are noted where c->pulsed is. */
static inline void note_pulsed(mho_cells *c, size_t cell, int count) {
  uint16_t *pulsed = &c->pulsed[count > 0 ? 0 : 1][cell];
  int sum = *pulsed + (count > 0 ? count : -count);
  *pulsed = (uint16_t)mho_min(sum, UINT16_MAX);
}

/* mho_cells_show of scattered cells. */
void mho__cells_show_at(mho_cells *c, int n, const uint32_t *cell, const int16_t *count,
                        uint64_t step);

#endif
