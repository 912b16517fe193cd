/* bfloat16.c - products of numbers rounded to the upper half of a float, 8 bits of a fraction.
 *
 * Processors with AVX-512 BF16 multiply pairs of such numbers and add up in single precision: twice
 * as many products an instruction. libxsmm has the kernels; without them the rounded numbers are
 * multiplied as any others, to the same sums but for their order.
 *
 * Source: Intel, BFLOAT16 - hardware numerics definition (2018).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "mho/model/num.h"
#include "mho_config.h"

#if defined(MHO_HAVE_XSMM) && !defined(MHO_DOUBLE)
#include <libxsmm.h>
#endif

/* Rows of a panel that are rounded at a time. */
enum { DEPTH = 256 };

/* To the nearest, ties to even: the upper half of the result counts. */
static inline uint32_t round_bits(mho_real x) {
  float f = (float)x;
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits + 0x7fff + (bits >> 16 & 1);
}

void mho_bfloat16_from(size_t n, const mho_real *x, mho_bfloat16 *out) {
  for (size_t i = 0; i < n; i++)
    out[i] = (mho_bfloat16)(round_bits(x[i]) >> 16);
}

static mho_real number_of(mho_bfloat16 x) {
  uint32_t bits = (uint32_t)x << 16;
  float f;
  memcpy(&f, &bits, sizeof f);
  return (mho_real)f;
}

/* ---------------------------------------------------------------- with kernels */

#if defined(MHO_HAVE_XSMM) && !defined(MHO_DOUBLE)
/* Whether the processor has the instructions, and not the kernels' substitutes for them. */
static bool is_fast(void) {
  return __builtin_cpu_supports("avx512bf16");
}

/* Rows of a panel, two after two: column by column a pair. */
static void interleave(int width, int depth, const mho_real *panel, uint32_t *pairs) {
  for (int i = 0; i < depth / 2; i++, panel += 2 * width, pairs += width)
    for (int j = 0; j < width; j++)
      pairs[j] = round_bits(panel[j]) >> 16 | (round_bits(panel[width + j]) & 0xffff0000u);
}

/* C = A B + beta C of one panel. @return whether C has been computed. */
static bool multiply_pairs(int m, int width, int k, const mho_bfloat16 *a, const mho_real *panel,
                           mho_real beta, mho_real *c, int ldc) {
  uint32_t pairs[DEPTH / 2 * MHO_PANEL];
  float one = 1;
  if (!is_fast() || k % 2)
    return false;

  for (int top = 0; top < k; top += DEPTH) {
    int depth = mho_min(DEPTH, k - top);
    float keep = top > 0 ? 1 : beta;
    int flags = LIBXSMM_GEMM_FLAG_VNNI_A | (keep != 0 ? 0 : LIBXSMM_GEMM_FLAG_BETA_0);
    libxsmm_bsmmfunction kernel =
        libxsmm_bsmmdispatch(width, m, depth, &width, &k, &ldc, &one, &keep, &flags, NULL);
    if (!kernel)
      return false;

    interleave(width, depth, panel + (size_t)top * (size_t)width, pairs);
    kernel((const libxsmm_bfloat16 *)pairs, a + top, c);
  }
  return true;
}
#else
static bool multiply_pairs(int m, int width, int k, const mho_bfloat16 *a, const mho_real *panel,
                           mho_real beta, mho_real *c, int ldc) {
  return false;
}
#endif

/* ---------------------------------------------------------------- without */

/* The same, some rows of A after the others. */
static void multiply_rounded(int m, int width, int k, const mho_bfloat16 *a, const mho_real *panel,
                             mho_real beta, mho_real *c, int ldc) {
  enum { ROWS = 64 };
  mho_real b[DEPTH * MHO_PANEL], rows[ROWS * DEPTH];

  for (int top = 0; top < k; top += DEPTH) {
    int depth = mho_min(DEPTH, k - top);
    const mho_real *from = panel + (size_t)top * (size_t)width;
    for (int i = 0; i < depth * width; i++)
      b[i] = number_of((mho_bfloat16)(round_bits(from[i]) >> 16));

    for (int first = 0; first < m; first += ROWS) {
      int some = mho_min(ROWS, m - first);
      for (int i = 0; i < some; i++)
        for (int l = 0; l < depth; l++)
          rows[i * depth + l] = number_of(a[(size_t)(first + i) * (size_t)k + (size_t)(top + l)]);
      mho_gemm(false, false, some, width, depth, 1, rows, depth, b, width, top > 0 ? 1 : beta,
               c + (size_t)first * (size_t)ldc, ldc);
    }
  }
}

void mho_panels_gemm_bfloat16(int m, int n, int k, const mho_bfloat16 *a, const mho_real *panels,
                              mho_real beta, mho_real *c, int ldc) {
  for (int j = 0; j < n; j += MHO_PANEL) {
    int width = mho_min(MHO_PANEL, n - j);
    const mho_real *panel = panels + (size_t)j * (size_t)k;
    if (!multiply_pairs(m, width, k, a, panel, beta, c + j, ldc))
      multiply_rounded(m, width, k, a, panel, beta, c + j, ldc);
  }
}
