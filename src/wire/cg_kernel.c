/* cg_kernel.c - the two passes of an iteration over an array, for one right-hand side or eight
 * at once.
 *
 * Fused multiply-adds are allowed here, against the project's setting: they halve the latency of
 * the recurrences along the lines. Results then differ by a rounding between processors with and
 * without them. SPDX-License-Identifier: GPL-3.0-or-later */
#pragma GCC optimize("fp-contract=fast")

#include <string.h>

#include "wire/wire_impl.h"

#ifdef __AVX512F__
enum { WIDTH = 8 };
#else
enum { WIDTH = 4 };
#endif
typedef double vec __attribute__((vector_size(WIDTH * 8)));
enum { LANES = MHO_WIRE_LANES, VECTORS = LANES / WIDTH };

/* Eight lanes lie in VECTORS vectors; the loops over them are unrolled. */
#define EACH _Pragma("GCC unroll 2") for (int k = 0; k < VECTORS; k++)

static const vec *lanes_in(const double *p) {
  return (const vec *)__builtin_assume_aligned(p, 64);
}
static vec *lanes_out(double *p) {
  return (vec *)__builtin_assume_aligned(p, 64);
}

/* ---------------------------------------------------------------- columns */

static void columns_8(const mho_wire *w, const mho_wire_fields *f, int j0, int j1, bool first,
                      const double *alpha, double *gamma) {
  size_t cols = (size_t)w->o.cols;
  vec a[VECTORS], sum[VECTORS];

  memcpy(a, alpha, sizeof a);
  memset(sum, 0, sizeof sum);

  /* the update, and the elimination from the top */
  for (int i = 0; i < w->o.rows; i++) {
    size_t row = (size_t)i * cols;
    for (int j = j0; j < j1; j++) {
      size_t at = (row + (size_t)j) * LANES;
      vec *x = lanes_out(f->x + at), *r = lanes_out(f->r + at), *z = lanes_out(f->z + at);
      const vec *p = lanes_in(f->p + at);
      double c = w->cb[row + (size_t)j], before = i ? w->cb[row + (size_t)j - cols] : 0;
      const vec *above = i ? lanes_in(f->z + at - cols * LANES) : lanes_in(f->r + at);
      EACH {
        vec t = r[k];
        if (!first) {
          t -= a[k] * z[k];
          r[k] = t;
          x[k] += a[k] * p[k];
        }
        t += before * above[k];
        sum[k] += c * t * t;
        z[k] = t;
      }
    }
  }

  memcpy(gamma, sum, sizeof sum);

  /* the substitution from the bottom */
  for (int i = w->o.rows - 1; i >= 0; i--) {
    size_t row = (size_t)i * cols;
    for (int j = j0; j < j1; j++) {
      size_t at = (row + (size_t)j) * LANES;
      vec *z = lanes_out(f->z + at);
      double c = w->cb[row + (size_t)j];
      if (i + 1 < w->o.rows) {
        const vec *below = lanes_in(f->z + at + cols * LANES);
        EACH z[k] = c * (z[k] + below[k]);
      } else {
        EACH z[k] = c * z[k];
      }
    }
  }
}

static void columns_1(const mho_wire *w, const mho_wire_fields *f, int j0, int j1, bool first,
                      const double *alpha, double *gamma) {
  size_t cols = (size_t)w->o.cols;
  double a = *alpha, sum = 0;
  int n = j1 - j0;

  for (int i = 0; i < w->o.rows; i++) {
    size_t at = (size_t)i * cols + (size_t)j0;
    double *restrict x = f->x + at, *restrict r = f->r + at, *restrict z = f->z + at;
    const double *restrict p = f->p + at, *restrict c = w->cb + at;

    if (!first) {
#pragma omp simd
      for (int j = 0; j < n; j++) {
        r[j] -= a * z[j];
        x[j] += a * p[j];
      }
    }

    if (i) {
      const double *restrict before = c - cols, *restrict above = f->z + at - cols;
#pragma omp simd reduction(+ : sum)
      for (int j = 0; j < n; j++) {
        double t = r[j] + before[j] * above[j];
        sum += c[j] * t * t;
        z[j] = t;
      }
    } else {
#pragma omp simd reduction(+ : sum)
      for (int j = 0; j < n; j++) {
        z[j] = r[j];
        sum += c[j] * r[j] * r[j];
      }
    }
  }
  *gamma = sum;

  for (int i = w->o.rows - 1; i >= 0; i--) {
    size_t at = (size_t)i * cols + (size_t)j0;
    double *restrict z = f->z + at;
    const double *restrict c = w->cb + at, *restrict below = f->z + at + cols;
    if (i + 1 < w->o.rows) {
#pragma omp simd
      for (int j = 0; j < n; j++)
        z[j] = c[j] * (z[j] + below[j]);
    } else {
      for (int j = 0; j < n; j++)
        z[j] = c[j] * z[j];
    }
  }
}

void mho__wire_columns(const mho_wire *w, const mho_wire_fields *f, int j0, int j1, bool first,
                       const double *alpha, double *gamma) {
  (f->lanes == 1 ? columns_1 : columns_8)(w, f, j0, j1, first, alpha, gamma);
}

/* ---------------------------------------------------------------- rows */

#define EACH_ROW  _Pragma("GCC unroll 4") for (int g = 0; g < n; g++)
#define EACH_LINE _Pragma("GCC unroll 4") for (size_t g = 0; g < (size_t)n; g++)

/* n word lines at once (so many recurrences hide each other's latency), eight right-hand sides
 * each. */
static inline __attribute__((always_inline)) void group_8(const mho_wire *w,
                                                          const mho_wire_fields *f, int i0,
                                                          const int n, const vec *beta,
                                                          double *scratch, vec *delta) {
  size_t cols = (size_t)w->o.cols;
  vec y[MHO_WIRE_ROWS][VECTORS];

  /* new directions p and s; the word lines are eliminated from their open ends */
  memset(y, 0, sizeof y);
  for (size_t j = cols; j-- > 0;)
    EACH_ROW {
      size_t cell = (size_t)(i0 + g) * cols + j, at = cell * LANES;
      vec *p = lanes_out(f->p + at), *s = lanes_out(f->s + at),
          *t = lanes_out(scratch + (j * MHO_WIRE_ROWS + (size_t)g) * LANES);
      const vec *z = lanes_in(f->z + at), *r = lanes_in(f->r + at);
      double a = w->aw[cell], c = w->cw[cell];
      EACH {
        vec q = z[k] + beta[k] * p[k];
        p[k] = q;
        s[k] = r[k] + beta[k] * s[k];
        vec u = c * (a * q + y[g][k]);
        y[g][k] = u;
        t[k] = u;
      }
    }

  /* the word lines are substituted back, and what they give to the bit lines */
  memset(y, 0, sizeof y);
  for (size_t j = 0; j < cols; j++)
    EACH_ROW {
      size_t cell = (size_t)(i0 + g) * cols + j, at = cell * LANES;
      vec *z = lanes_out(f->z + at);
      const vec *s = lanes_in(f->s + at), *p = lanes_in(f->p + at),
                *t = lanes_in(scratch + (j * MHO_WIRE_ROWS + (size_t)g) * LANES);
      double a = w->ab[cell], c = w->cw[cell];
      EACH {
        vec u = t[k] + c * y[g][k];
        y[g][k] = u;
        u = s[k] - a * u;
        z[k] = u;
        delta[k] += p[k] * u;
      }
    }
}

static void rows_8(const mho_wire *w, const mho_wire_fields *f, int i0, int i1, const double *beta,
                   double *scratch, double *delta) {
  vec b[VECTORS], sum[VECTORS];
  memcpy(b, beta, sizeof b);
  memset(sum, 0, sizeof sum);

  int i = i0;
  for (; i + MHO_WIRE_ROWS <= i1; i += MHO_WIRE_ROWS)
    group_8(w, f, i, MHO_WIRE_ROWS, b, scratch, sum);
  for (; i < i1; i++)
    group_8(w, f, i, 1, b, scratch, sum);
  memcpy(delta, sum, sizeof sum);
}

/* The same for one right-hand side: n word lines at once. @return their p S p. */
static inline __attribute__((always_inline)) double group_1(const mho_wire *w,
                                                            const mho_wire_fields *f, int i0,
                                                            const int n, double beta,
                                                            double *scratch) {
  size_t cols = (size_t)w->o.cols, start = (size_t)i0 * cols;

  for (size_t g = 0; g < (size_t)n; g++) {
    double *restrict p = f->p + start + g * cols, *restrict s = f->s + start + g * cols,
                     *restrict t = scratch + g * cols;
    const double *restrict z = f->z + start + g * cols, *restrict r = f->r + start + g * cols,
                           *restrict a = w->aw + start + g * cols,
                           *restrict c = w->cw + start + g * cols;
#pragma omp simd
    for (size_t j = 0; j < cols; j++) {
      p[j] = z[j] + beta * p[j];
      s[j] = r[j] + beta * s[j];
      t[j] = c[j] * a[j] * p[j];
    }
  }

  /* the word lines, from their open ends to the drivers and back */
  double y[MHO_WIRE_ROWS] = {0};
  const double *c = w->cw + start;
  for (size_t j = cols; j-- > 0;)
    EACH_LINE {
      scratch[g * cols + j] = y[g] = scratch[g * cols + j] + c[g * cols + j] * y[g];
    }

  memset(y, 0, sizeof y);
  for (size_t j = 0; j < cols; j++)
    EACH_LINE {
      scratch[g * cols + j] = y[g] = scratch[g * cols + j] + c[g * cols + j] * y[g];
    }

  double sum = 0;
  for (size_t g = 0; g < (size_t)n; g++) {
    double *restrict z = f->z + start + g * cols;
    const double *restrict p = f->p + start + g * cols, *restrict s = f->s + start + g * cols,
                           *restrict t = scratch + g * cols, *restrict a = w->ab + start + g * cols;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < cols; j++) {
      z[j] = s[j] - a[j] * t[j];
      sum += p[j] * z[j];
    }
  }
  return sum;
}

static void rows_1(const mho_wire *w, const mho_wire_fields *f, int i0, int i1, const double *beta,
                   double *scratch, double *delta) {
  double sum = 0;
  int i = i0;
  for (; i + MHO_WIRE_ROWS <= i1; i += MHO_WIRE_ROWS)
    sum += group_1(w, f, i, MHO_WIRE_ROWS, *beta, scratch);
  for (; i < i1; i++)
    sum += group_1(w, f, i, 1, *beta, scratch);
  *delta = sum;
}

void mho__wire_rows(const mho_wire *w, const mho_wire_fields *f, int i0, int i1, const double *beta,
                    double *scratch, double *delta) {
  (f->lanes == 1 ? rows_1 : rows_8)(w, f, i0, i1, beta, scratch, delta);
}
