/* start_weights.c - weights that a training begins with in place of drawn ones: what is kept of
 * them, and how conductances come into cells.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/start_weights.h"

#include "array/weights.h"
#include "train/arrays.h"

/* ---------------------------------------------------------------- memory */

mho_err mho__brought_new(const mho_network *net, mho_brought *b, mho_errinfo *ei) {
  *b = (mho_brought){.n_trained = net->n_trained};
  b->drawn_range = mho_alloc((size_t)net->n_trained, sizeof *b->drawn_range);
  if (!b->drawn_range)
    return mho_fail(ei, MHO_ENOMEM, "no memory for weights");

  for (int c = 0; c < net->n_trained; c++)
    b->drawn_range[c] = mho_crossbar_w_max(net->connection[c].xb);
  return MHO_OK;
}

void mho__brought_forget(mho_brought *b) {
  mho__arrays_free(b->weights, b->n_trained);
  b->weights = NULL;
}

void mho__brought_free(mho_brought *b) {
  mho__brought_forget(b);
  mho_free(b->drawn_range);
}

/* ---------------------------------------------------------------- onto the devices */

/* Conductance in normalized units of a bank. */
static double normalized(const mho_cells *c, double siemens) {
  return (siemens - c->g_min) / (c->g_max - c->g_min);
}

void mho__bank_set(mho_cells *c, const double *siemens) {
  float g[MHO_DEVICE_BLOCK];

  for (size_t i0 = 0; i0 < c->n; i0 += MHO_DEVICE_BLOCK) {
    int block = (int)mho_min_size(c->n - i0, MHO_DEVICE_BLOCK);
    for (int i = 0; i < block; i++)
      g[i] = (float)normalized(c, siemens[i0 + (size_t)i]);
    mho_cells_set(c, i0, block, g);
    if (c->config.write_noise <= 0)
      continue;

    for (int i = 0; i < block; i++) {
      size_t cell = i0 + (size_t)i;
      if (!c->fault || !c->fault[cell])
        c->g[cell] = g[i];
    }
  }
}

bool mho__bank_refuses(const mho_cells *c, size_t cell, double siemens) {
  if (siemens == 0 || c->config.write_noise > 0)
    return false;
  return mho__cell_is_outside(c, cell, normalized(c, siemens));
}
