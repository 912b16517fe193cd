/* series.h - pulses of scattered cells, many of each, up and down as they come.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_SERIES_H
#define MHO_DEVICE_SERIES_H

#include "mho/model/device.h"

enum { MHO_SERIES_MOST = 64 };

/** Pulses of cells, of each one after another. */
typedef struct mho_pulse_series {
  int n;                           /**< cells */
  uint32_t cell[MHO_DEVICE_BLOCK]; /**< each at most once */
  uint8_t count[MHO_DEVICE_BLOCK]; /**< pulses, at most MHO_SERIES_MOST */
  uint64_t up[MHO_DEVICE_BLOCK];   /**< bit k: pulse number k is a SET; none is set beyond them */
} mho_pulse_series;

/** Give all of these pulses, as mho_cells_pulse gives those of a count: cells show what they have
 *  after the last. step names the noise, and no other pulses of these cells. */
void mho__cells_pulse_series(mho_cells *c, const mho_pulse_series *s, uint64_t step,
                             mho_pulse_counts *counts);
/** Whether a series does best with neighbours in their order, whatever their pulses; else with
 *  cells that have as many pulses as each other. */
bool mho__cells_like_neighbours(const mho_cells *c);
/** Pulses will come on cells here and there: what varies from cell to cell is laid side by side, so
 *  that a cell is on one line of the cache instead of one for each array. Without memory for it, or
 *  where bounds wear, nothing changes. */
void mho__cells_lay_beside(mho_cells *c);
/** The same of pulses on whole columns of an array of so many: what varies of the rows of a column
 *  is laid one row after another. */
void mho__cells_lay_by_column(mho_cells *c, int columns);
/** mho_cells_pulse_at of a column's cells, of which most have pulses: cell[i + 1] is one row below
 *  cell[i] in an array of so many columns. */
void mho__cells_pulse_column(mho_cells *c, int columns, int n, const uint32_t *cell,
                             const int16_t *count, uint64_t step, mho_pulse_counts *counts);
/** Fetch what pulses on n neighbouring cells will look at, on the way to the processor. */
void mho__cells_fetch(const mho_cells *c, size_t first, int n);

#endif
