/* Products of every shape and orientation against plain loops in double: narrow ones take another
 * way than wide ones, and wide ones in panels a third.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/num.h"
#include "test.h"

static mho_real number(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return (mho_real)((double)(*state >> 8) / (1 << 24) - 0.5);
}

/* Rows are longer than they need be, and what lies beyond them must stay. */
static void one(bool ta, bool tb, int m, int n, int k, double alpha, double beta) {
  int lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
  size_t na = (size_t)(ta ? k : m) * (size_t)lda, nb = (size_t)(tb ? n : k) * (size_t)ldb,
         nc = (size_t)m * (size_t)ldc;
  mho_real *a = mho_alloc(na + nb + nc, sizeof *a), *b = a + na, *c = b + nb;
  double *want = calloc(nc, sizeof *want);
  uint32_t state = (uint32_t)(m * 7919 + n * 104729 + k);
  for (size_t i = 0; i < na + nb + nc; i++)
    a[i] = number(&state);
  for (size_t i = 0; i < nc; i++)
    want[i] = (double)c[i];
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      double sum = 0;
      for (int l = 0; l < k; l++)
        sum += (double)(ta ? a[l * lda + i] : a[i * lda + l]) *
               (double)(tb ? b[j * ldb + l] : b[l * ldb + j]);
      want[i * ldc + j] = alpha * sum + beta * want[i * ldc + j];
    }

  mho_gemm(ta, tb, m, n, k, (mho_real)alpha, a, lda, b, ldb, (mho_real)beta, c, ldc);
  for (size_t i = 0; i < nc; i++)
    NEAR(c[i], want[i], 0, i % (size_t)ldc < (size_t)n ? 1e-6 * sqrt(k) + 1e-6 : 0);
  free(want);
  mho_free(a);
}

static void test_products(void **state) {
  static const int size[] = {1, 7, 15, 16, 63, 64, 97, 130};
  static const double scale[][2] = {{1, 0}, {1, 1}, {0.1, 0}, {0.1, 1}, {-2, 1}, {1, 0.5}};
  for (int i = 0; i < MHO_COUNT(size); i++)
    for (int j = 0; j < MHO_COUNT(size); j++)
      for (int k = 0; k < MHO_COUNT(size); k++)
        for (int s = 0; s < MHO_COUNT(scale); s++)
          for (int way = 0; way < 4; way++)
            if ((i + j + k + s + way) % 3 == 0)
              one(way & 1, way & 2, size[i], size[j], size[k], scale[s][0], scale[s][1]);
}

/* The same with B in panels, which are filled in pieces. */
static void in_panels(bool tb, int m, int n, int k, double alpha, double beta) {
  int lda = k + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
  size_t na = (size_t)m * (size_t)lda, nb = (size_t)(tb ? n : k) * (size_t)ldb,
         nc = (size_t)m * (size_t)ldc;
  mho_real *a = mho_alloc(na + nb + nc + (size_t)(n * k), sizeof *a), *b = a + na, *c = b + nb,
           *panels = c + nc;
  mho_real *want = calloc(nc, sizeof *want);
  uint32_t state = (uint32_t)(m * 7919 + n * 104729 + k);
  for (size_t i = 0; i < na + nb + nc; i++)
    a[i] = number(&state);
  memcpy(want, c, nc * sizeof *c);
  mho_gemm(false, tb, m, n, k, (mho_real)alpha, a, lda, b, ldb, (mho_real)beta, want, ldc);
  for (int first = 0; first * MHO_PANEL < n; first += 3)
    mho_panels_fill(tb, n, k, b, ldb, first, 3, panels);
  mho_panels_gemm(m, n, k, (mho_real)alpha, a, lda, panels, (mho_real)beta, c, ldc);
  for (size_t i = 0; i < nc; i++)
    NEAR(c[i], (double)want[i], 0, i % (size_t)ldc < (size_t)n ? 1e-6 * sqrt(k) + 1e-6 : 0);
  free(want);
  mho_free(a);
}

static void test_panels(void **state) {
  static const int rows[] = {1, 16, 130}, columns[] = {5, 32, 97, 160}, depth[] = {1, 64, 300, 513};
  static const double scale[][2] = {{1, 0}, {1, 1}, {0.1, 0}, {0.1, 1}, {-2, 0.5}};
  for (int i = 0; i < MHO_COUNT(rows); i++)
    for (int j = 0; j < MHO_COUNT(columns); j++)
      for (int k = 0; k < MHO_COUNT(depth); k++)
        for (int s = 0; s < MHO_COUNT(scale); s++)
          in_panels((i + j + k + s) % 2, rows[i], columns[j], depth[k], scale[s][0], scale[s][1]);
}

/* Rounded products against sums of rounded numbers in double. */
static void rounded(int m, int n, int k, double beta) {
  int ldc = n + 2;
  size_t na = (size_t)(m * k), nb = (size_t)(k * n), nc = (size_t)(m * ldc);
  mho_real *a = mho_alloc(na + 2 * nb + nc, sizeof *a), *b = a + na, *panels = b + nb;
  mho_real *c = panels + nb;
  mho_bfloat16 *half = mho_alloc(na + nb, sizeof *half);
  double *want = calloc(nc, sizeof *want);
  uint32_t state = (uint32_t)(m * 7919 + n * 104729 + k);
  for (size_t i = 0; i < na + nb; i++)
    a[i] = number(&state);
  for (size_t i = 0; i < nc; i++)
    c[i] = number(&state);

  /* eight bits of a fraction: a unit is 2^-7 of the power of two below a number */
  mho_bfloat16_from(na, a, half);
  for (size_t i = 0; i < na + nb; i++) {
    double x = (double)a[i], unit = x != 0 ? ldexp(1, ilogb(x) - 7) : 1;
    a[i] = (mho_real)(nearbyint(x / unit) * unit);
  }
  for (int first = 0; first * MHO_PANEL < n; first++)
    mho_panels_fill(false, n, k, b, n, first, 1, panels);
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      want[i * ldc + j] = beta * (double)c[i * ldc + j];
      for (int l = 0; l < k; l++)
        want[i * ldc + j] += (double)a[i * k + l] * (double)b[l * n + j];
    }

  mho_panels_gemm_bfloat16(m, n, k, half, panels, (mho_real)beta, c, ldc);
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++)
      NEAR(c[i * ldc + j], want[i * ldc + j], 0, 1e-6 * sqrt(k) + 1e-6);
  free(want);
  mho_free(half);
  mho_free(a);
}

static void test_rounded(void **state) {
  static const int rows[] = {1, 16, 130}, columns[] = {5, 32, 97}, depth[] = {1, 64, 300, 513, 600};
  for (int i = 0; i < MHO_COUNT(rows); i++)
    for (int j = 0; j < MHO_COUNT(columns); j++)
      for (int k = 0; k < MHO_COUNT(depth); k++)
        for (int beta = 0; beta < 2; beta++)
          rounded(rows[i], columns[j], depth[k], beta);
}

/* Rounding to the nearest: ties to even, signs, zeros, the largest numbers. */
static void test_rounding(void **state) {
  static const struct {
    double x;
    unsigned half;
  } cases[] = {{0, 0},
               {1, 0x3f80},
               {-1, 0xbf80},
               {1 + 0x1p-8, 0x3f80}, /* between 1 and 1 + 2^-7: to the even one */
               {1 + 3 * 0x1p-8, 0x3f82},
               {1 + 0x1p-8 + 0x1p-20, 0x3f81},
               {0x1.fffp-1, 0x3f80},
               {0x1.fep127, 0x7f7f},
               {0x1.fffffep127, 0x7f80}};
  for (int i = 0; i < MHO_COUNT(cases); i++) {
    mho_real x = (mho_real)cases[i].x;
    mho_bfloat16 half;
    mho_bfloat16_from(1, &x, &half);
    assert_int_equal(half, cases[i].half);
  }
}

/* Products of rows with one another: what lies in the rows of a matrix beyond whole blocks counts,
 * too, and they are added to what was there. */
static void test_gram(void **state) {
  enum { ROWS = 13, WIDEST = 131 };
  mho_real x[ROWS * WIDEST];
  double k[ROWS * ROWS];
  uint32_t seed = 1;
  for (int i = 0; i < ROWS * WIDEST; i++)
    x[i] = number(&seed);

  for (int rows = 1; rows <= ROWS; rows++)
    for (int n = 1; n <= WIDEST; n += 13) {
      for (int i = 0; i < rows * rows; i++)
        k[i] = i;
      mho_add_gram(rows, n, x, k);
      for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
          double want = i * rows + j;
          for (int l = 0; l < n; l++)
            want += (double)x[i * n + l] * (double)x[j * n + l];
          NEAR(k[i * rows + j], want, 0, 1e-5);
        }
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_panels),
                                     cmocka_unit_test(test_rounded),
                                     cmocka_unit_test(test_rounding), cmocka_unit_test(test_gram)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
