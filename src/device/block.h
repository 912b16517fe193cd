/* block.h - neighbouring cells of a bank as the block that a model answers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_BLOCK_H
#define MHO_DEVICE_BLOCK_H

#include "device/cells.h"

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

#endif
