/* place.h - where a crossbar's cells lie: physical tiles of at most array.wire.tile lines.
 *
 * Banks lie in tiles of their own, or side by side in neighbouring columns of one tile.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_PLACE_H
#define MHO_ARRAY_PLACE_H

#include "mho/model/array.h"

typedef struct mho_place { /* of a tile */
  int crossbar;
  int bank, n_banks;          /* the first of its banks, and how many lie in neighbouring columns */
  int row0, col0, rows, cols; /* of the matrix: where the tile begins, how much it holds */
  int width;                  /* columns of the tile: cols n_banks */
} mho_place;

/** Cells of the tile. */
static inline size_t mho__place_cells(const mho_place *p) {
  return (size_t)p->rows * (size_t)p->width;
}

/** The bank that column j of the tile belongs to. */
static inline int mho__place_bank(const mho_place *p, int j) {
  return p->bank + j % p->n_banks;
}

/** The column of the matrix that column j of the tile belongs to. */
static inline int mho__place_column(const mho_place *p, int j) {
  return p->col0 + j / p->n_banks;
}

/** The cell of the matrix, of `cols` columns, at row i and column j of the tile. */
static inline size_t mho__place_cell(const mho_place *p, int cols, int i, int j) {
  return (size_t)(p->row0 + i) * (size_t)cols + (size_t)mho__place_column(p, j);
}

/** Rows and columns of a matrix that a tile has room for: its columns are shared by all banks that
 * it holds. */
void mho__places_size(const mho_crossbar *x, const mho_array_config *o, int *rows, int *cols);
/** The tiles of crossbar number c, in order: rows of tiles, in them columns, in them the banks.
 *  @param out  nullable: only counted.  @return how many. */
int mho__places_cut(const mho_crossbar *x, int c, const mho_array_config *o, mho_place *out);
/** Conductances of a tile, S, [rows x width]; open cells are 0. top: weight of a pair at opposite
 * ends, for weights of the ideal device, which are laid on pairs around mid range. */
void mho__place_gather(const mho_place *p, const mho_crossbar *x, double g_min, double g_max,
                       double top, double *g);

#endif
