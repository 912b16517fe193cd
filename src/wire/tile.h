/* tile.h - the effective matrix of a tile with wire resistance, in tasks.
 *
 *   I = Geff^T V: column j of Geff is the current out of the word lines' left ends when the bottom
 *   end of bit line j alone is driven with 1 V (reciprocity), so one right-hand side a column; with
 *   fewer rows than columns the tile is turned round and the rows are driven.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_WIRE_TILE_H
#define MHO_WIRE_TILE_H

#include "wire/relaxation.h"

typedef struct mho_tile {
  int rows, cols;
  double r_word, r_bit; /* ohm */
  double tolerance;     /* of an entry, relative to the largest */
  double *g, *out;      /* [rows x cols] S; conductances, effective conductances */
  /* set by the functions below: */
  bool turned, single; /* rows are driven; in single precision */
  int tall, wide;      /* rows and columns as solved; right-hand sides: wide */
  void *coefficients;  /* [MHO_RELAX_COEFFICIENTS][cells] */
  mho_relax_plan plan;
} mho_tile;

/** Allocate; the conductances go into t->g. @return whether there was memory. */
bool mho__tile_init(mho_tile *t, int rows, int cols, double r_word, double r_bit, double tolerance);
void mho__tile_free(mho_tile *t);
/** Bytes of scratch for any of the following, a multiple of 64. */
size_t mho__tile_scratch(const mho_tile *t);
/** Eliminate lines from t->g; scratch as above, on a 64-byte boundary. */
void mho__tile_prepare(mho_tile *t, void *scratch);
/** Blocks of right-hand sides to solve after that: 0 when the matrix is complete. */
int mho__tile_blocks(const mho_tile *t);
/** Solve a block, into the columns of t->out (rows of a turned tile) that are its own. */
void mho__tile_solve(mho_tile *t, int block, void *scratch);
/** The effective matrix without the paths that turn round: a device's own word and bit line loaded
 * by all of their devices, Geff_ij ~ W_i(j) G_ij B_j(i). It costs as much as a product. */
void mho__tile_simple(const mho_tile *t, double *out, void *scratch);

#endif
