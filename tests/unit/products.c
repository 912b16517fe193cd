/* Products of every shape and orientation against plain loops in double: narrow ones take another
 * way than wide ones, and wide ones in panels a third.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/sparse_product.h"
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

/* A product of few samples, back or not; of a single one it is known which rows are driven. */
static void multiply(bool back, int n, int rows, int cols, double scale, const mho_real *x,
                     const mho_real *w, double keep, mho_real *y) {
  uint64_t driven[(130 + 63) / 64] = {0};
  if (back) {
    mho__thin_product_back(n, rows, cols, (mho_real)scale, x, w, (mho_real)keep, y);
    return;
  }
  for (int i = 0; i < rows; i++)
    driven[i / 64] |= (uint64_t)(x[i] != 0) << i % 64;
  mho__sparse_product(n, rows, cols, (mho_real)scale, x, n == 1 ? driven : NULL, w, (mho_real)keep,
                      y);
}

/* y = keep y + scale x w, or x w^T, of few samples: a sample on its own has the same bits. Half of
 * what drives the rows is 0. */
static void few(bool back, int n, int rows, int cols, double scale, double keep) {
  enum { MOST = 8 * 130 };
  int in = back ? cols : rows, out = back ? rows : cols;
  mho_real x[MOST], y[MOST], alone[MOST], w[130 * 130];
  double want[MOST];
  uint32_t state = (uint32_t)(n * 7919 + rows * 104729 + cols);
  for (int i = 0; i < n * in; i++)
    x[i] = i / 5 % 2 ? number(&state) : 0;
  for (int i = 0; i < n * out; i++)
    y[i] = alone[i] = number(&state);
  for (int i = 0; i < rows * cols; i++)
    w[i] = number(&state);

  for (int s = 0; s < n; s++)
    for (int j = 0; j < out; j++) {
      double sum = 0;
      for (int i = 0; i < in; i++)
        sum += (double)x[s * in + i] * (double)(back ? w[j * cols + i] : w[i * cols + j]);
      want[s * out + j] = keep * (double)y[s * out + j] + scale * sum;
    }

  multiply(back, n, rows, cols, scale, x, w, keep, y);
  for (int s = 0; s < n; s++)
    multiply(back, 1, rows, cols, scale, x + s * in, w, keep, alone + s * out);
  for (int i = 0; i < n * out; i++)
    NEAR(y[i], want[i], 0, 1e-6 * sqrt(in) + 1e-6);
  assert_memory_equal(y, alone, (size_t)(n * out) * sizeof *y);
}

static void test_few_samples(void **state) {
  static const int size[] = {1, 3, 7, 16, 63, 64, 97, 130};
  static const double scale[][2] = {{1, 0}, {1, 1}, {0.1, 0}, {-2, 0.5}};
  for (int n = 1; n <= MHO_SPARSE_SAMPLES; n++)
    for (int i = 0; i < MHO_COUNT(size); i++)
      for (int j = 0; j < MHO_COUNT(size); j++)
        for (int s = 0; s < MHO_COUNT(scale); s++)
          few((n + i + j + s) % 2, n, size[i], size[j], scale[s][0], scale[s][1]);
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

/* The largest norm of n numbers, 256 at a time. */
static double largest_norm(int n, const mho_real *x) {
  double most = 0;
  for (int top = 0; top < n; top += 256) {
    double squares = 0;
    for (int i = top; i < mho_min(n, top + 256); i++)
      squares += pow((double)x[i], 2);
    most = fmax(most, sqrt(squares));
  }
  return most;
}

/* Every row of A [m x k] in its unit, against its definition. */
static void round_rows(int m, int k, const mho_real *a, int16_t *whole, mho_real *unit) {
  for (int i = 0; i < m; i++, a += k, whole += k) {
    double norm = largest_norm(k, a);
    unit[i] = mho_int16_from(k, a, whole);
    NEAR(unit[i], norm / 32700, 1e-6, 0);
    for (int l = 0; l < k; l++)
      assert_true(fabs((double)a[l] / (double)unit[i] - whole[l]) <= 0.5 + 0.01);
  }
}

/* C [m x n], with rows ldc apart, += A B. */
static void add_plainly(int m, int n, int k, const mho_real *a, const mho_real *b, double *c,
                        int ldc) {
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++)
      for (int l = 0; l < k; l++)
        c[i * ldc + j] += (double)a[i * k + l] * (double)b[l * n + j];
}

/* Rounded products against sums in double: six standard deviations of what rounding makes of
 * numbers that are spread evenly. */
static void rounded(int m, int n, int k, bool add) {
  int ldc = n + 2;
  size_t na = (size_t)(m * k), nb = (size_t)(k * n), nc = (size_t)(m * ldc);
  mho_real *a = mho_alloc(na + 2 * nb + nc + (size_t)m, sizeof *a), *b = a + na, *panels = b + nb;
  mho_real *c = panels + nb, *unit = c + nc;
  int16_t *whole = mho_alloc(na, sizeof *whole);
  double *want = calloc(nc, sizeof *want);
  uint32_t state = (uint32_t)(m * 7919 + n * 104729 + k);
  for (size_t i = 0; i < na + nb; i++)
    a[i] = number(&state);
  for (size_t i = 0; i < nc; i++)
    want[i] = add ? (double)(c[i] = number(&state)) : 0;
  if (!add)
    c[0] = (mho_real)NAN; /* what was there is not read */

  for (int first = 0; first * MHO_PANEL < n; first++)
    mho_panels_fill(false, n, k, b, n, first, 1, panels);
  round_rows(m, k, a, whole, unit);
  add_plainly(m, n, k, a, b, want, ldc);

  mho_panels_gemm_int16(m, n, k, whole, unit, panels, add, c, ldc);
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++)
      NEAR(c[i * ldc + j], want[i * ldc + j], 0, 1e-4 * sqrt(k));
  free(want);
  mho_free(whole);
  mho_free(a);
}

static void test_rounded(void **state) {
  static const int rows[] = {1, 16, 130}, columns[] = {5, 32, 97}, depth[] = {1, 64, 300, 513, 600};
  for (int i = 0; i < MHO_COUNT(rows); i++)
    for (int j = 0; j < MHO_COUNT(columns); j++)
      for (int k = 0; k < MHO_COUNT(depth); k++)
        for (int add = 0; add < 2; add++)
          rounded(rows[i], columns[j], depth[k], add);
}

/* The largest sums that there can be, of one number and of equal ones, are right; numbers whose
 * squares are none count as 0, and what is not finite stays so. */
static void test_extremes(void **state) {
  enum { K = 512 };
  static const double fill[][2] = {{1, 1}, {1, 0}, {-3e-5, -3e-5}, {7e8, 0}, {1e-20, 1e-20}};
  mho_real a[K], b[K], c, unit;
  int16_t whole[K];
  for (int i = 0; i < MHO_COUNT(fill); i++) {
    for (int l = 0; l < K; l++)
      a[l] = b[l] = (mho_real)fill[i][l > 0];
    double want = pow(fill[i][0], 2) + (K - 1) * pow(fill[i][1], 2);
    unit = mho_int16_from(K, a, whole);
    mho_panels_gemm_int16(1, 1, K, whole, &unit, b, false, &c, 1);
    if (fill[i][0] == 1e-20)
      assert_true(c == 0);
    else
      NEAR(c, want, 1e-3, 0);
  }

  for (int l = 0; l < K; l++)
    a[l] = b[l] = 1;
  for (int at = 0; at < K; at += 300)
    for (int of_panel = 0; of_panel < 2; of_panel++) {
      mho_real *lost = of_panel ? b + at : a + at;
      *lost = at ? (mho_real)INFINITY : (mho_real)NAN;
      unit = mho_int16_from(K, a, whole);
      mho_panels_gemm_int16(1, 1, K, whole, &unit, b, false, &c, 1);
      assert_true(isnan(c));
      *lost = 1;
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
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products), cmocka_unit_test(test_few_samples),
      cmocka_unit_test(test_panels),   cmocka_unit_test(test_rounded),
      cmocka_unit_test(test_extremes), cmocka_unit_test(test_gram)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
