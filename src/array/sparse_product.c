/* sparse_product.c - products of a few samples with many zeros, as pixels have.
 *
 * A product of few samples takes as long as its matrix takes to be read, so that rows that no
 * sample drives are left out. The others are taken some at a time, so that sums are read and
 * written once for all of these, but added one after another: what comes out for a sample does not
 * depend on which rows the samples beside it drive.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/sparse_product.h"

#include <string.h>

enum { ROWS = 4 }; /* at a time */

/* Some rows of the matrix and what drives them. */
typedef struct driven {
  const mho_real *w[ROWS];
  mho_real x[MHO_SPARSE_SAMPLES][ROWS];
} driven;

static void start(int n, int cols, mho_real keep, mho_real *y) {
  size_t all = (size_t)n * (size_t)cols;
  if (keep == 0)
    memset(y, 0, all * sizeof *y);
  else if (keep != 1)
    for (size_t i = 0; i < all; i++)
      y[i] *= keep;
}

static bool is_driven(int n, int rows, const mho_real *x, int i) {
  for (int s = 0; s < n; s++)
    if (x[(size_t)s * (size_t)rows + (size_t)i] != 0)
      return true;
  return false;
}

static void add_rows(const driven *r, int n, int cols, mho_real *y) {
  const mho_real *w0 = r->w[0], *w1 = r->w[1], *w2 = r->w[2], *w3 = r->w[3];
  for (int s = 0; s < n; s++) {
    const mho_real *x = r->x[s];
    mho_real *to = y + (size_t)s * (size_t)cols;
#pragma omp simd
    for (int j = 0; j < cols; j++) {
      mho_real sum = to[j] + x[0] * w0[j];
      sum += x[1] * w1[j];
      sum += x[2] * w2[j];
      to[j] = sum + x[3] * w3[j];
    }
  }
}

void mho__sparse_product(int n, int n_rows, int cols, mho_real scale, const mho_real *x,
                         const mho_real *w, mho_real keep, mho_real *y) {
  driven r;
  int taken = 0;
  start(n, cols, keep, y);

  for (int i = 0; i < n_rows; i++) {
    if (!is_driven(n, n_rows, x, i))
      continue;
    r.w[taken] = w + (size_t)i * (size_t)cols;
    for (int s = 0; s < n; s++)
      r.x[s][taken] = scale * x[(size_t)s * (size_t)n_rows + (size_t)i];
    taken++;
    if (taken == ROWS) {
      add_rows(&r, n, cols, y);
      taken = 0;
    }
  }

  if (taken == 0)
    return;
  for (int k = taken; k < ROWS; k++) {
    r.w[k] = w;
    for (int s = 0; s < n; s++)
      r.x[s][k] = 0;
  }
  add_rows(&r, n, cols, y);
}
