/* gram.c - products of all pairs of a few long rows.
 *
 * A general product packs such factors first, and fills a third of its vectors: ten rows of 256
 * took six times as long. Here a block of rows meets another one, whose products stay in registers
 * until the end of the rows.
 *
 * Fused multiply-adds are allowed, against the project's setting: products of libraries have them,
 * too. SPDX-License-Identifier: GPL-3.0-or-later */
#pragma GCC optimize("fp-contract=fast")

#include <string.h>

#include "mho/model/num.h"

/* The products of a block with a block, and a row of each, fit into the registers. */
#ifdef __AVX512F__
enum { BYTES = 64, BLOCK = 5 };
#else
enum { BYTES = 32, BLOCK = 3 };
#endif
enum { WIDTH = BYTES / (int)sizeof(mho_real) };
typedef mho_real vec __attribute__((vector_size(BYTES)));
typedef mho_real half __attribute__((vector_size(BYTES / 2)));
typedef mho_real quarter __attribute__((vector_size(BYTES / 4)));

/* Loops over the rows of a block are unrolled. */
#define EACH(p) _Pragma("GCC unroll 5") for (int p = 0; p < BLOCK; p++)

static vec load(const mho_real *x) {
  vec v;
  memcpy(&v, x, sizeof v);
  return v;
}

static double sum_of(vec v) {
  half halves[2];
  memcpy(halves, &v, sizeof v);
  half h = halves[0] + halves[1];
  quarter quarters[2];
  memcpy(quarters, &h, sizeof h);
  quarter q = quarters[0] + quarters[1];

  mho_real sum = 0;
  for (int i = 0; i < WIDTH / 4; i++)
    sum += q[i];
  return (double)sum;
}

/* p = products of the rows a with the rows b. */
static void multiply(int n, const mho_real *const *a, const mho_real *const *b,
                     double p[BLOCK][BLOCK]) {
  vec sum[BLOCK][BLOCK] = {0};
  int whole = n - n % WIDTH;
  for (int i = 0; i < whole; i += WIDTH) {
    vec of_b[BLOCK];
    EACH(c) {
      of_b[c] = load(b[c] + i);
    }
    EACH(r) {
      vec of_a = load(a[r] + i);
      EACH(c) {
        sum[r][c] += of_a * of_b[c];
      }
    }
  }

  for (int r = 0; r < BLOCK; r++)
    for (int c = 0; c < BLOCK; c++) {
      p[r][c] = sum_of(sum[r][c]);
      for (int i = whole; i < n; i++)
        p[r][c] += (double)a[r][i] * (double)b[c][i];
    }
}

/* The rows of a block that begins with row `first`; behind the last row it stands again. */
static void find_block(int rows, int n, const mho_real *x, int first, const mho_real **block) {
  for (int r = 0; r < BLOCK; r++)
    block[r] = x + (size_t)mho_min(first + r, rows - 1) * (size_t)n;
}

void mho_add_gram(int rows, int n, const mho_real *x, double *k) {
  const mho_real *a[BLOCK], *b[BLOCK];
  double p[BLOCK][BLOCK];

  for (int i0 = 0; i0 < rows; i0 += BLOCK) {
    find_block(rows, n, x, i0, a);
    for (int j0 = 0; j0 <= i0; j0 += BLOCK) {
      find_block(rows, n, x, j0, b);
      multiply(n, a, b, p);

      for (int i = i0; i < mho_min(i0 + BLOCK, rows); i++)
        for (int j = j0; j < mho_min(j0 + BLOCK, i + 1); j++) {
          k[i * rows + j] += p[i - i0][j - j0];
          if (j < i)
            k[j * rows + i] += p[i - i0][j - j0];
        }
    }
  }
}
