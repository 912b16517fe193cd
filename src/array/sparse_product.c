/* sparse_product.c - products of a few samples, with many zeros, as pixels have, and back.
 *
 * A product of few samples takes as long as its matrix takes to be read, so that rows that no
 * sample drives are left out. The others are taken some at a time, so that sums are read and
 * written once for all of these, but added one after another: what comes out for a sample does not
 * depend on which rows the samples beside it drive.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/sparse_product.h"

/* Tuned for a processor newer than itself, the compiler reads what is used more than once from
 * memory for every use: a product back then takes 2.5 times as long. */
#pragma GCC optimize("schedule-insns")

#include <string.h>

#include "base/nonzero.h"

/* Rows that are added at a time, so many where that is all that is left of those of a single
 * sample, and samples they are added to. */
enum { ROWS = 8, LAST_ROWS = 4, BESIDE = 4 };

/* A product under way, with some rows of the matrix and what drives them. */
typedef struct product {
  int n, rows, cols;
  mho_real scale;
  const mho_real *x, *w;
  mho_real *y;
  int taken;
  const mho_real *row[ROWS];
  mho_real factor[MHO_SPARSE_SAMPLES][ROWS];
} product;

static void start(int n, int cols, mho_real keep, mho_real *y) {
  size_t all = (size_t)n * (size_t)cols;
  if (keep == 0)
    memset(y, 0, all * sizeof *y);
  else if (keep != 1)
    for (size_t i = 0; i < all; i++)
      y[i] *= keep;
}

/* Whether any of m rows from i on is driven. */
static bool is_driven(const product *p, int i, int m) {
  for (int s = 0; s < p->n; s++)
    if (mho__any_nonzero((size_t)m, p->x + (size_t)s * (size_t)p->rows + (size_t)i))
      return true;
  return false;
}

/* What the first rows bring to one sample, ... */
static inline __attribute__((always_inline)) void add_some_to(const product *p, int s, int rows) {
  const mho_real *x = p->factor[s];
  mho_real *to = p->y + (size_t)s * (size_t)p->cols;
#pragma omp simd
  for (int j = 0; j < p->cols; j++) {
    mho_real sum = to[j];
    for (int k = 0; k < rows; k++)
      sum += x[k] * p->row[k][j];
    to[j] = sum;
  }
}

static void add_rows_to(const product *p, int s) {
  add_some_to(p, s, ROWS);
}

/* ... and to BESIDE of them from s0 on, for which they are read once. */
static void add_rows_beside(const product *p, int s0) {
  const mho_real *w[ROWS];
  mho_real *to = p->y + (size_t)s0 * (size_t)p->cols, x[BESIDE][ROWS];
  size_t cols = (size_t)p->cols;
  memcpy(x, p->factor[s0], sizeof x);
  memcpy(w, p->row, sizeof w);

#pragma omp simd
  for (size_t j = 0; j < cols; j++) {
    mho_real sum[BESIDE];
    for (size_t s = 0; s < BESIDE; s++)
      sum[s] = to[s * cols + j];
    for (int k = 0; k < ROWS; k++)
      for (size_t s = 0; s < BESIDE; s++)
        sum[s] += x[s][k] * w[k][j];
    for (size_t s = 0; s < BESIDE; s++)
      to[s * cols + j] = sum[s];
  }
}

static void add_rows(const product *p) {
  int beside = p->n / BESIDE * BESIDE;
  for (int s = 0; s < beside; s += BESIDE)
    add_rows_beside(p, s);
  for (int s = beside; s < p->n; s++)
    add_rows_to(p, s);
}

static void take_row(product *p, int i) {
  p->row[p->taken] = p->w + (size_t)i * (size_t)p->cols;
  for (int s = 0; s < p->n; s++)
    p->factor[s][p->taken] = p->scale * p->x[(size_t)s * (size_t)p->rows + (size_t)i];

  p->taken++;
  if (p->taken == ROWS) {
    add_rows(p);
    p->taken = 0;
  }
}

/* The last rows, with nothing beside them. */
static void finish(product *p) {
  bool is_short = p->n == 1 && p->taken <= LAST_ROWS;
  if (p->taken == 0)
    return;

  for (int k = p->taken; k < ROWS; k++) {
    p->row[k] = p->w;
    for (int s = 0; s < p->n; s++)
      p->factor[s][k] = 0;
  }
  if (is_short)
    add_some_to(p, 0, LAST_ROWS);
  else
    add_rows(p);
}

/* The rows that one of several samples drives, ... */
static void take_rows(product *p) {
  enum { SCAN = 32 }; /* that are looked at at once */
  for (int i0 = 0; i0 < p->rows; i0 += SCAN) {
    int m = mho_min(SCAN, p->rows - i0);
    if (!is_driven(p, i0, m))
      continue;
    for (int i = i0; i < i0 + m; i++)
      if (is_driven(p, i, 1))
        take_row(p, i);
  }
}

/* ... and those of a single one. */
static void take_rows_of_one(product *p, const uint64_t *known) {
  mho_nonzero driven = {.n = p->rows, .v = p->x, .known = known};
  for (int i = mho__next_nonzero(&driven); i >= 0; i = mho__next_nonzero(&driven))
    take_row(p, i);
}

void mho__sparse_product(int n, int rows, int cols, mho_real scale, const mho_real *x,
                         const uint64_t *driven, const mho_real *w, mho_real keep, mho_real *y) {
  product p = {.n = n, .rows = rows, .cols = cols, .scale = scale, .x = x, .w = w, .y = y};
  start(n, cols, keep, y);
  if (n == 1)
    take_rows_of_one(&p, driven);
  else
    take_rows(&p);
  finish(&p);
}

/* ---------------------------------------------------------------- back */

/* Rows of the matrix, and samples, whose products are summed side by side: as many vectors as that
 * makes stay in the processor. */
#ifdef __AVX512F__
enum { BYTES = 64, TILE_ROWS = 4, TILE_SAMPLES = 4 };
#else
enum { BYTES = 32, TILE_ROWS = 3, TILE_SAMPLES = 3 };
#endif
enum { VECTOR = BYTES / sizeof(mho_real) };
typedef mho_real vec __attribute__((vector_size(BYTES)));

static vec load(const mho_real *v) {
  vec out;
  memcpy(&out, v, sizeof out);
  return out;
}

/* The last numbers of a row, with zeros behind them. */
static vec load_some(const mho_real *v, int n) {
  vec out = {0};
  memcpy(&out, v, (size_t)n * sizeof *v);
  return out;
}

static mho_real sum_of(vec v) {
  mho_real sum = 0;
  for (int i = 0; i < VECTOR; i++)
    sum += v[i];
  return sum;
}

/* Products of `rows` rows of cols numbers with `samples` samples, of whole vectors. */
typedef struct tile {
  int rows, samples, cols;
  const mho_real *w, *x; /* the first row, the first sample */
  vec sum[TILE_ROWS][TILE_SAMPLES];
} tile;

static void add_whole(tile *t) {
  size_t cols = (size_t)t->cols;
  const mho_real *w[TILE_ROWS], *x[TILE_SAMPLES];
  vec sum[TILE_ROWS][TILE_SAMPLES] = {0}; /* what the compiler need not look for in memory */
  for (int i = 0; i < TILE_ROWS; i++)
    w[i] = t->w + (size_t)(i < t->rows ? i : 0) * cols;
  for (int s = 0; s < TILE_SAMPLES; s++)
    x[s] = t->x + (size_t)(s < t->samples ? s : 0) * cols;

  for (size_t j = 0; j + VECTOR <= cols; j += VECTOR) {
    vec driven[TILE_SAMPLES];
    for (int s = 0; s < TILE_SAMPLES; s++)
      driven[s] = load(x[s] + j);
    for (int i = 0; i < TILE_ROWS; i++) {
      vec row = load(w[i] + j);
      for (int s = 0; s < TILE_SAMPLES; s++)
        sum[i][s] += row * driven[s];
    }
  }
  memcpy(t->sum, sum, sizeof sum);
}

static void add_rest(tile *t) {
  size_t cols = (size_t)t->cols, first = cols / VECTOR * VECTOR;
  int rest = (int)(cols - first);
  for (int i = 0; i < t->rows; i++)
    for (int s = 0; s < t->samples; s++)
      t->sum[i][s] += load_some(t->w + (size_t)i * cols + first, rest) *
                      load_some(t->x + (size_t)s * cols + first, rest);
}

void mho__thin_product_back(int n, int rows, int cols, mho_real scale, const mho_real *x,
                            const mho_real *w, mho_real keep, mho_real *y) {
  for (int i0 = 0; i0 < rows; i0 += TILE_ROWS)
    for (int s0 = 0; s0 < n; s0 += TILE_SAMPLES) {
      tile t = {.rows = mho_min(TILE_ROWS, rows - i0),
                .samples = mho_min(TILE_SAMPLES, n - s0),
                .cols = cols,
                .w = w + (size_t)i0 * (size_t)cols,
                .x = x + (size_t)s0 * (size_t)cols};
      add_whole(&t);
      add_rest(&t);
      for (int i = 0; i < t.rows; i++)
        for (int s = 0; s < t.samples; s++) {
          mho_real *to = y + (size_t)(s0 + s) * (size_t)rows + (size_t)(i0 + i);
          *to = (keep == 0 ? 0 : keep * *to) + scale * sum_of(t.sum[i][s]);
        }
    }
}
