/* product.h - the exact product on the effective matrix, which every array model starts from.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_PRODUCT_H
#define MHO_ARRAY_PRODUCT_H

#include "array/sparse_product.h"
#include "mho/model/array.h"
#include "mho/model/num.h"

/** Lines that a read drives, ... */
static inline int mho__read_inputs(const mho_crossbar *x, const mho_read *r) {
  return r->transposed ? x->cols : x->rows;
}

/** ... and lines that it senses. */
static inline int mho__read_outputs(const mho_crossbar *x, const mho_read *r) {
  return r->transposed ? x->rows : x->cols;
}

/** y = keep y + scale x W of spikes: sample after sample the rows that spiked are added up in their
 *  order, so that no bit of a sample depends on those beside it. */
static inline void mho__spike_product(const mho_crossbar *x, const mho_read *r) {
  size_t in = (size_t)x->rows, out = (size_t)x->cols;
  for (size_t s = 0; s < (size_t)r->n; s++)
    mho__sparse_product(1, x->rows, x->cols, r->scale, r->x + s * in, r->driven,
                        mho_crossbar_matrix(x), r->keep, r->y + s * out);
}

/** y = keep y + scale x op(W), with the panels of the matrix where they are fresh. What few samples
 *  drive conductances with is sparse: pixels, and nodes whose diodes conduct; and so are spikes. */
static inline void mho__array_product(const mho_crossbar *x, const mho_read *r) {
  int in = mho__read_inputs(x, r), out = mho__read_outputs(x, r);
  const mho_real *panels = mho_crossbar_panel(x, r->transposed);

  if (r->sparse && !r->transposed)
    mho__spike_product(x, r);
  else if (x->n_positive && !r->transposed && r->n <= MHO_SPARSE_SAMPLES)
    mho__sparse_product(r->n, in, out, r->scale, r->x, NULL, mho_crossbar_matrix(x), r->keep, r->y);
  else if (x->n_positive && r->n <= MHO_SPARSE_SAMPLES && x->cols >= MHO_THIN_COLS)
    mho__thin_product_back(r->n, x->rows, x->cols, r->scale, r->x, mho_crossbar_matrix(x), r->keep,
                           r->y);
  else if (panels)
    mho_panels_gemm(r->n, out, in, r->scale, r->x, in, panels, r->keep, r->y, out);
  else
    mho_gemm(false, r->transposed, r->n, out, in, r->scale, r->x, in, mho_crossbar_matrix(x),
             x->cols, r->keep, r->y, out);
}

#endif
