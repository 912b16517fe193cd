/* weights.h - the matrices of a crossbar, for those who program, save or export them.
 *
 * What reads, and with it whatever settles, sees mho_crossbar_matrix() alone: wires, drift and all.
 * That no file of the folders neuron, network, settle and rule includes this header is tested
 * (tests/cli/layers.py).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_WEIGHTS_H
#define MHO_ARRAY_WEIGHTS_H

#include "mho/array.h"

struct mho_weights {
  /** [rows x cols] without wires; with drift, as it is at x->after. */
  mho_real *programmed;
  /** [rows x cols] what reads multiply with where wires have resistance; else NULL. */
  mho_real *wired;
  /** [rows x cols] what wires add between two exact solutions; NULL when all are exact. */
  mho_real *wired_base;
};

/** Weights as they are programmed, [rows x cols], before wires weaken them. */
static inline mho_real *mho__crossbar_programmed(const mho_crossbar *x) {
  return x->weights->programmed;
}

/** Whether wires stand between the programmed weights and what reads multiply with. */
static inline bool mho__crossbar_is_wired(const mho_crossbar *x) {
  return x->weights->wired != NULL;
}

/** Cells of the block that begins at `first` of n cells: MHO_DEVICE_BLOCK, or fewer at the end. */
static inline int mho__block_cells(size_t n, size_t first) {
  return (int)mho_min_size(n - first, MHO_DEVICE_BLOCK);
}

/** Whether a normalized conductance lies outside the bounds of a bank's cell by more than
 * rounding. */
bool mho__cell_is_outside(const mho_cells *c, size_t cell, double g);

#endif
