/* sparse_product.h - products of a few samples, with many zeros, and back.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_SPARSE_PRODUCT_H
#define MHO_ARRAY_SPARSE_PRODUCT_H

#include "mho/base.h"

enum {
  MHO_SPARSE_SAMPLES = 8, /* most that mho__sparse_product pays for */
  MHO_THIN_COLS = 64      /* least that mho__thin_product_back pays for */
};

/** y = keep y + scale x w, where only the rows of w are read whose x is not 0 in all samples.
 *  @param n  samples, at most MHO_SPARSE_SAMPLES.
 *  @param x       [n x rows].
 *  @param driven  of one sample, where x is not 0, as mho_read has it; NULL: it is looked at.
 *  @param w       [rows x cols].
 *  @param y       [n x cols]. */
void mho__sparse_product(int n, int rows, int cols, mho_real scale, const mho_real *x,
                         const uint64_t *driven, const mho_real *w, mho_real keep, mho_real *y);
/** y = keep y + scale x w^T, with one pass over w: a product of few samples takes as long as w
 *  takes to be read, and a library packs it first. What comes out for a sample does not depend on
 *  those beside it.
 *  @param n  samples, for which this pays up to MHO_SPARSE_SAMPLES, in rows of MHO_THIN_COLS.
 *  @param x  [n x cols].
 *  @param w  [rows x cols].
 *  @param y  [n x rows]. */
void mho__thin_product_back(int n, int rows, int cols, mho_real scale, const mho_real *x,
                            const mho_real *w, mho_real keep, mho_real *y);

#endif
