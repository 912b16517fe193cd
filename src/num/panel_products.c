/* panel_products.c - products with a wide factor that stays the same for many of them.
 *
 * OpenBLAS packs both factors in every call: with 128 samples that takes a quarter of the time and
 * more. A factor cut into groups of MHO_PANEL columns, each lying in one piece, is packed once for
 * all products until it changes, and the product with a panel is a narrow one, which libxsmm reads
 * where it lies, at nearly the processor's peak.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/num.h"
#include "mho_config.h"

bool mho_panels_pay(int n, int k) {
#if defined(MHO_HAVE_XSMM) && !defined(MHO_DOUBLE)
  enum { NARROW = 96, SHALLOW = 64 }; /* narrow factors are read where they lie anyway */
  return n > NARROW && k >= SHALLOW;
#else
  return false;
#endif
}

/* Columns of the panel that begins with column j of n. */
static int panel_width(int n, int j) {
  return mho_min(MHO_PANEL, n - j);
}

/* A panel of B^T from `width` rows of B: squares at a time, so that every cache line is read
 * once. */
static void transpose(int width, int k, const mho_real *b, int ldb, mho_real *panel) {
  enum { SQUARE = 16 };
  mho_real square[MHO_PANEL][SQUARE];

  for (int i0 = 0; i0 < k; i0 += SQUARE) {
    int m = mho_min(SQUARE, k - i0);
    for (int j = 0; j < width; j++)
      for (int i = 0; i < m; i++)
        square[j][i] = b[(size_t)j * (size_t)ldb + (size_t)(i0 + i)];

    for (int i = 0; i < m; i++)
      for (int j = 0; j < width; j++)
        panel[(i0 + i) * width + j] = square[j][i];
  }
}

void mho_panels_fill(bool tb, int n, int k, const mho_real *b, int ldb, int first, int count,
                     mho_real *panels) {
  int end = mho_min(n, (first + count) * MHO_PANEL);
  for (int j = first * MHO_PANEL; j < end; j += MHO_PANEL) {
    int width = panel_width(n, j);
    mho_real *panel = panels + (size_t)j * (size_t)k;
    if (tb) {
      transpose(width, k, b + (size_t)j * (size_t)ldb, ldb, panel);
      continue;
    }

    for (int i = 0; i < k; i++)
      for (int l = 0; l < width; l++)
        panel[i * width + l] = b[(size_t)i * (size_t)ldb + (size_t)(j + l)];
  }
}

/* C = A B + beta C with `depth` of the k rows of every panel, from row `top` on. */
static void multiply(int m, int n, int k, int top, int depth, const mho_real *a, int lda,
                     const mho_real *panels, mho_real beta, mho_real *c, int ldc) {
  for (int j = 0; j < n; j += MHO_PANEL) {
    int width = panel_width(n, j);
    const mho_real *panel = panels + (size_t)j * (size_t)k + (size_t)top * (size_t)width;
    mho_gemm(false, false, m, width, depth, 1, a, lda, panel, width, beta, c + j, ldc);
  }
}

void mho_panels_gemm(int m, int n, int k, mho_real alpha, const mho_real *a, int lda,
                     const mho_real *panels, mho_real beta, mho_real *c, int ldc) {
  enum { ROWS = 128, DEPTH = 256 };
  if (alpha == 1) {
    multiply(m, n, k, 0, k, a, lda, panels, beta, c, ldc);
    return;
  }

  mho_real scaled[ROWS * DEPTH]; /* the kernels know no alpha */
  for (int i0 = 0; i0 < m; i0 += ROWS)
    for (int l0 = 0; l0 < k; l0 += DEPTH) {
      int rows = mho_min(ROWS, m - i0), depth = mho_min(DEPTH, k - l0);
      for (int i = 0; i < rows; i++)
        for (int l = 0; l < depth; l++)
          scaled[i * depth + l] = alpha * a[(size_t)(i0 + i) * (size_t)lda + (size_t)(l0 + l)];

      multiply(rows, n, k, l0, depth, scaled, depth, panels, l0 ? 1 : beta,
               c + (size_t)i0 * (size_t)ldc, ldc);
    }
}
