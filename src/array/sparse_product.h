/* sparse_product.h - products of a few samples with many zeros.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_SPARSE_PRODUCT_H
#define MHO_ARRAY_SPARSE_PRODUCT_H

#include "mho/base.h"

enum { MHO_SPARSE_SAMPLES = 8 }; /* most that mho__sparse_product pays for */

/** y = keep y + scale x w, where only the rows of w are read whose x is not 0 in all samples.
 *  @param n  samples, at most MHO_SPARSE_SAMPLES.
 *  @param x  [n x rows].
 *  @param w  [rows x cols].
 *  @param y  [n x cols]. */
void mho__sparse_product(int n, int rows, int cols, mho_real scale, const mho_real *x,
                         const mho_real *w, mho_real keep, mho_real *y);

#endif
