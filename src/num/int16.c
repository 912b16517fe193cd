/* int16.c - products of numbers rounded to whole multiples of a unit, 15 bits and a sign.
 *
 * Processors with AVX-512 VNNI multiply pairs of such numbers and add up in 32 bits: twice as many
 * products an instruction as in single precision. libxsmm has the kernels. A unit follows from the
 * norm of a vector, so that neither a number nor a sum of products overflows (Cauchy and Schwarz),
 * and sums are exact: they are the same with other kernels and in any order.
 *
 * Source: Intel 64 and IA-32 Architectures Software Developer's Manual, vol. 2, VPDPWSSD.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "mho/model/num.h"
#include "mho_config.h"

#if defined(MHO_HAVE_XSMM) && !defined(MHO_DOUBLE)
#include <libxsmm.h>
#endif

/* DEPTH: numbers whose products are summed up as whole ones, and NORM: the norm of as many, of
 * which two make 1.07e9 at most. ROWS: rows whose sums lie in the nearest cache. */
enum { DEPTH = 256, NORM = 32700, ROWS = 64 };

bool mho_int16_pays(void) {
#if defined(MHO_HAVE_XSMM) && !defined(MHO_DOUBLE)
  return __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

/* ---------------------------------------------------------------- rounding */

/* The unit of vectors with that sum of squares, at most; NaN where it is not finite. */
static mho_real unit_of(mho_real squares) {
  return isfinite(squares) ? (mho_real)sqrt((double)squares) / NORM : (mho_real)NAN;
}

/* Units in 1; none where all is as good as 0, or not a number. */
static float inverse(mho_real unit) {
  return unit > (mho_real)1e-30 ? (float)(1 / unit) : 0;
}

/* The nearest whole number of |x| < 2^15, ties to even: what is left below the ones of a large
 * number in single precision. */
static inline int16_t whole(float x) {
  float sum = x + 0x1.8p23f;
  int32_t bits;
  memcpy(&bits, &sum, sizeof bits);
  return (int16_t)bits;
}

/* NaN if one of them is. */
static inline mho_real larger(mho_real a, mho_real b) {
  return b <= a || isnan(a) ? a : b;
}

static mho_real squares_of(int n, const mho_real *x) {
  enum { LANES = 16 };
  mho_real lane[LANES] = {0}, sum = 0;
  int last = n - n % LANES;
  for (int i = 0; i < last; i += LANES)
    for (int l = 0; l < LANES; l++)
      lane[l] += x[i + l] * x[i + l];

  for (int l = 0; l < LANES; l++)
    sum += lane[l];
  for (int i = last; i < n; i++)
    sum += x[i] * x[i];
  return sum;
}

mho_real mho_int16_from(int n, const mho_real *x, int16_t *out) {
  mho_real most = 0;
  for (int top = 0; top < n; top += DEPTH)
    most = larger(most, squares_of(mho_min(DEPTH, n - top), x + top));

  mho_real unit = unit_of(most);
  float units = inverse(unit);
  for (int i = 0; i < n; i++)
    out[i] = whole(units > 0 ? (float)x[i] * units : 0);
  return unit;
}

/* Two rows as whole numbers, column by column a pair, the first row's in the lower half. */
static void pair_rows(int width, const mho_real *first, const mho_real *second, float units,
                      uint32_t *pairs) {
  for (int j = 0; j < width; j++) {
    uint16_t low = (uint16_t)whole((float)first[j] * units);
    pairs[j] = low | (uint32_t)(uint16_t)whole((float)second[j] * units) << 16;
  }
}

/* Rows of a panel [depth x width] in pairs of MHO_PANEL columns, with zeros beyond `width` and
 * beside the last row of an odd depth. @return the unit, one of all columns */
static mho_real round_panel(int width, int depth, const mho_real *panel, uint32_t *pairs) {
  static const mho_real zeros[MHO_PANEL];
  mho_real squares[MHO_PANEL] = {0}, most = 0;
  for (int i = 0; i < depth; i++)
    for (int j = 0; j < width; j++)
      squares[j] += panel[i * width + j] * panel[i * width + j];
  for (int j = 0; j < width; j++)
    most = larger(most, squares[j]);

  mho_real unit = unit_of(most);
  float units = inverse(unit);
  memset(pairs, 0, (size_t)((depth + 1) / 2 * MHO_PANEL) * sizeof *pairs);
  for (int i = 0; i < depth && units > 0; i += 2) {
    const mho_real *row = panel + i * width;
    pair_rows(width, row, i + 1 < depth ? row + width : zeros, units, pairs + i / 2 * MHO_PANEL);
  }
  return unit;
}

/* ---------------------------------------------------------------- products */

/* sums [m x MHO_PANEL] = products of `depth` numbers of m rows of A, k apart, with a panel. */
#if defined(MHO_HAVE_XSMM) && !defined(MHO_DOUBLE)
static bool multiply_fast(int m, int depth, int k, const int16_t *a, const uint32_t *pairs,
                          int32_t *sums) {
  int width = MHO_PANEL, one = 1, zero = 0;
  int flags = LIBXSMM_GEMM_FLAG_VNNI_A | LIBXSMM_GEMM_FLAG_BETA_0;
  if (!mho_int16_pays() || k % 2) /* rows are whole pairs apart */
    return false;

  libxsmm_wimmfunction kernel =
      libxsmm_wimmdispatch(width, m, depth, &width, &k, &width, &one, &zero, &flags, NULL);
  if (kernel)
    kernel((const int16_t *)pairs, a, sums);
  return kernel;
}
#else
static bool multiply_fast(int m, int depth, int k, const int16_t *a, const uint32_t *pairs,
                          int32_t *sums) {
  return false;
}
#endif

static void multiply_plainly(int m, int depth, int k, const int16_t *a, const uint32_t *pairs,
                             int32_t *sums) {
  memset(sums, 0, (size_t)(m * MHO_PANEL) * sizeof *sums);
  for (int i = 0; i < m; i++, a += k, sums += MHO_PANEL)
    for (int l = 0; l < depth; l++)
      for (int j = 0; j < MHO_PANEL; j++)
        sums[j] += a[l] * (int16_t)(pairs[l / 2 * MHO_PANEL + j] >> 16 * (l % 2));
}

/* C = A B, or C += that, of one panel and `depth` of its rows. */
static void multiply_panel(int m, int width, int depth, int k, const int16_t *a,
                           const mho_real *units, const mho_real *panel, bool add, mho_real *c,
                           int ldc) {
  uint32_t pairs[DEPTH / 2 * MHO_PANEL];
  int32_t sums[ROWS * MHO_PANEL];
  mho_real unit = round_panel(width, depth, panel, pairs);

  for (int first = 0; first < m; first += ROWS) {
    int rows = mho_min(ROWS, m - first);
    const int16_t *from = a + (size_t)first * (size_t)k;
    if (!multiply_fast(rows, depth, k, from, pairs, sums))
      multiply_plainly(rows, depth, k, from, pairs, sums);

    for (int i = 0; i < rows; i++) {
      mho_real *to = c + (size_t)(first + i) * (size_t)ldc, both = units[first + i] * unit;
      for (int j = 0; j < width; j++)
        to[j] = (add ? to[j] : 0) + both * (mho_real)sums[i * MHO_PANEL + j];
    }
  }
}

void mho_panels_gemm_int16(int m, int n, int k, const int16_t *a, const mho_real *units,
                           const mho_real *panels, bool add, mho_real *c, int ldc) {
  for (int j = 0; j < n; j += MHO_PANEL) {
    int width = mho_min(MHO_PANEL, n - j);
    const mho_real *panel = panels + (size_t)j * (size_t)k;
    for (int top = 0; top < k; top += DEPTH)
      multiply_panel(m, width, mho_min(DEPTH, k - top), k, a + top, units,
                     panel + (size_t)top * (size_t)width, add || top > 0, c + j, ldc);
  }
}
