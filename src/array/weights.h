/* weights.h - the matrices of a crossbar, for those who program, save or export them.
 *
 * What reads, and with it whatever settles, sees mho_crossbar_matrix() alone: wires, drift and all.
 * That no file of the folders neuron, network, settle and rule includes this header is tested
 * (tests/cli/layers.py).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_WEIGHTS_H
#define MHO_ARRAY_WEIGHTS_H

#include "device/series.h"
#include "mho/model/array.h"

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

/** Conductances of the pairs that weights of the ideal device are laid on, S, [n_banks] of
 * [rows x cols]: around the middle of the config's range, weights of +-top at its ends. */
void mho__crossbar_lay_on_pairs(const mho_crossbar *x, const mho_device_config *config, double top,
                                double *const *g);

/** Where SET and RESET steps of cells first .. are of one size, [n] (at most MHO_DEVICE_BLOCK): the
 * reference that a zero shift gives. start: of devices whose steps are equal everywhere. */
void mho__symmetry_points(mho_cells *c, size_t first, int n, float start, float *out);
/** Weights of a crossbar with cells where all its devices are there, [rows x cols]. */
void mho__crossbar_symmetry(const mho_crossbar *x, mho_real *out);

/** mho_crossbar_change of neighbours, many of which are pulsed; the matrix is not refreshed. */
void mho__crossbar_change_some(mho_crossbar *x, size_t first, int n, const int16_t *count,
                               uint64_t step, mho_pulse_counts *counts);

/** Pulses that raise and lower the weights of scattered cells, one after another. The matrix is not
 * refreshed. */
void mho__crossbar_pulse_series(mho_crossbar *x, const mho_pulse_series *s, uint64_t step,
                                mho_pulse_counts *counts);
/** Whether a series does best with cells of a row side by side, those without pulses, too; else
 *  with cells that have as many pulses as each other. */
bool mho__crossbar_likes_rows(const mho_crossbar *x);
/** mho_crossbar_fetch without the matrix: what pulses will look at that nobody reads yet. */
void mho__crossbar_fetch_banks(const mho_crossbar *x, size_t first, int n);

/** Pulses that raise (count 1) and lower (-1) the weights of n rows of a column (at most
 * MHO_DEVICE_BLOCK) from cell `first` on, most of which have one. Their matrix is refreshed. */
void mho__crossbar_change_column(mho_crossbar *x, size_t first, int n, const int16_t *count,
                                 uint64_t step, mho_pulse_counts *counts);

/** mho_crossbar_refresh of n scattered cells. */
void mho__crossbar_refresh_at(mho_crossbar *x, int n, const uint32_t *cell);

/** Whether bank k is one of another crossbar. */
static inline bool mho__bank_is_borrowed(const mho_crossbar *x, int k) {
  return x->role && k < x->n_banks && x->role[k].kind == MHO_BANK_BORROWED;
}
/** What cells first .. first+n-1 of borrowed banks show. */
void mho__borrowed_refresh(mho_crossbar *x, size_t first, size_t n);

/** Whether a normalized conductance lies outside the bounds of a bank's cell by more than
 * rounding. */
static inline bool mho__cell_is_outside(const mho_cells *c, size_t cell, double g) {
  const float dust = 1e-5f;
  size_t k = c->varied ? cell : 0;
  return g < (double)(c->low[k] - dust) || g > (double)(c->high[k] + dust);
}

/** A loop of pulses and reads ends at what a cell has: it gets the error of a verified write around
 * that. `step` numbers the programming step. */
static inline void mho__cell_accept(mho_cells *c, size_t cell, uint64_t step) {
  float accepted = c->g[cell];
  if (mho_device_has_write_error(&c->config))
    mho_cells_write(c, cell, 1, &accepted, true, step);
}

#endif
