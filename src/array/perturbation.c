/* perturbation.c - what a trial adds to the weights of a crossbar: at the edge of the array, where
 * nothing is written and nothing needs to be undone.
 *
 *   rank one   W + size a b^T, signs a and b: one more column, of signs a, reads q = v a, and a
 *              driver at every output adds size q b_j; transposed one more row of signs b reads
 *              q = v b, and size q a_i is added
 *   full rank  W + size xi, a sign or a normal deviate for every cell
 *
 * v is what drives the lines, behind converters, drivers and the I-V law, and the sum goes through
 * sense amplifiers and converters like any other: each tile that converts for itself has a column
 * and drivers of its own. Wires do not weaken what is added, and it brings no noise of its own.
 *
 * Every number has an address (update, trial, crossbar, sample, line or cell), so that whoever
 * needs it again draws it again, as a shift register in hardware does.
 *
 * E xi = 0 and E xi xi^T = 1 in all shapes. For signs a, b the update R a b^T/size is as good an
 * estimate of the gradient as one with a sign for every cell: with G the gradient, its variance is
 * |G|^2 - G_ij^2 in both, because a_i^2 = b_j^2 = 1 leave E (a^T G b)^2 = |G|^2.
 *
 * Source: perturbations of weights: M. Jabri, B. Flower, IEEE Trans. Neural Networks 3, 154 (1992).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/perturbation.h"

#include "base/streams.h"
#include "mho/model/num.h"

/* Numbers drawn at a time. */
enum { DRAWN = 1024 };

mho_perturbation mho_crossbar_perturbation(const mho_crossbar *x, int shape) {
  return (mho_perturbation){.shape = shape,
                            .rows = x->rows,
                            .cols = x->cols,
                            .samples = 1,
                            .positions = 1,
                            .seed = x->read_noise.seed,
                            .connection = (int)(x->read_noise.stream & 0xffffff) / 2};
}

void mho_crossbar_perturb(mho_crossbar *x, const mho_perturbation *p) {
  x->perturbation = p;
}

void mho_crossbar_add_perturbation(const mho_crossbar *x, const mho_read *r, const mho_real *v,
                                   mho_real *u) {
  mho__perturbation_add(x, r, v, 0, r->transposed ? x->cols : x->rows, 1, u);
}

/* ---------------------------------------------------------------- drawing */

static mho_rng stream_of(const mho_perturbation *p, int kind) {
  return mho__stream_perturbed(p->seed, p->connection, kind);
}

/* out = n signs from number `first` on. */
static void draw_signs(mho_rng rng, uint64_t step, uint64_t first, size_t n, mho_real *out) {
  uint32_t word[DRAWN];

  for (size_t i0 = 0; i0 < n; i0 += DRAWN) {
    size_t m = mho_min_size(n - i0, DRAWN);
    mho_rng_u32(rng, step, first + i0, m, word);
    for (size_t i = 0; i < m; i++)
      out[i0 + i] = word[i] >> 31 ? -1 : 1;
  }
}

/* out = n normal deviates from number `first` on. */
static void draw_normal(mho_rng rng, uint64_t step, uint64_t first, size_t n, mho_real *out) {
  float xi[DRAWN];

  for (size_t i0 = 0; i0 < n; i0 += DRAWN) {
    size_t m = mho_min_size(n - i0, DRAWN);
    mho_rng_normal(rng, step, first + i0, m, xi);
    for (size_t i = 0; i < m; i++)
      out[i0 + i] = (mho_real)xi[i];
  }
}

void mho__perturbation_numbers(int shape, mho_rng rng, uint64_t step, uint64_t first, size_t n,
                               mho_real *out) {
  if (shape == MHO_SHAPE_NORMAL)
    draw_normal(rng, step, first, n, out);
  else
    draw_signs(rng, step, first, n, out);
}

void mho_perturbation_cells(const mho_perturbation *p, int sample, size_t first, size_t n,
                            mho_real *out) {
  uint64_t cells = (uint64_t)p->rows * (uint64_t)p->cols;
  mho__perturbation_numbers(p->shape, stream_of(p, MHO_PERTURB_CELLS), p->step,
                            (uint64_t)sample * cells + first, n, out);
}

double mho_perturbation_weight(const mho_perturbation *p, int sample, int row, int col) {
  size_t of = p->samples > 1 ? (size_t)sample : 0, at = (size_t)row * (size_t)p->cols + (size_t)col;
  mho_real xi;

  if (p->shape == MHO_SHAPE_RANK1)
    xi = p->row[of * (size_t)p->rows + (size_t)row] * p->col[of * (size_t)p->cols + (size_t)col];
  else if (p->cell)
    xi = p->cell[at];
  else
    mho_perturbation_cells(p, (int)of, at, 1, &xi);
  return p->size * (double)xi;
}

void mho_perturbation_draw(mho_perturbation *p, uint64_t update, int trial) {
  size_t samples = (size_t)p->samples, rows = (size_t)p->rows, cols = (size_t)p->cols;
  p->step = mho__step_perturb(update, trial);

  if (p->shape == MHO_SHAPE_RANK1) {
    draw_signs(stream_of(p, MHO_PERTURB_ROWS), p->step, 0, samples * rows, p->row);
    draw_signs(stream_of(p, MHO_PERTURB_COLS), p->step, 0, samples * cols, p->col);
  } else if (p->cell) {
    mho_perturbation_cells(p, 0, 0, rows * cols, p->cell);
  }
}

/* ---------------------------------------------------------------- reading */

/* A read of one sample, as far as what is added to it goes. */
typedef struct added {
  const mho_perturbation *p;
  bool transposed;
  int sample;        /* whose perturbation it is */
  int first, n;      /* inputs that count */
  const mho_real *v; /* [inputs] */
  mho_real factor;
  mho_real *u; /* [outputs] */
} added;

/* u += factor (v a) b, or with b and a changed round. */
static void add_rank1(const added *t) {
  const mho_perturbation *p = t->p;
  const mho_real *a = p->row + (size_t)t->sample * (size_t)p->rows;
  const mho_real *b = p->col + (size_t)t->sample * (size_t)p->cols;
  const mho_real *in = (t->transposed ? b : a) + t->first, *out = t->transposed ? a : b;
  const mho_real *v = t->v + t->first;
  int outputs = t->transposed ? p->rows : p->cols;
  mho_real q = 0;

#pragma omp simd reduction(+ : q)
  for (int i = 0; i < t->n; i++)
    q += v[i] * in[i];

  q *= t->factor;
  for (int j = 0; j < outputs; j++)
    t->u[j] += q * out[j];
}

/* u += what cells column .. column+n-1 of a row bring, xi their numbers. */
static void add_cells(const added *t, size_t row, size_t column, size_t n, const mho_real *xi) {
  if (!t->transposed) {
    mho_real q = t->factor * t->v[row];
    for (size_t j = 0; j < n; j++)
      t->u[column + j] += q * xi[j];
    return;
  }

  size_t first = (size_t)t->first, end = mho_min_size(column + n, first + (size_t)t->n);
  mho_real sum = 0;
  for (size_t j = column > first ? column : first; j < end; j++)
    sum += t->v[j] * xi[j - column];
  t->u[row] += t->factor * sum;
}

/* The sample's own matrix, drawn as it is read. */
static void add_drawn(const added *t) {
  size_t cols = (size_t)t->p->cols;
  size_t row0 = t->transposed ? 0 : (size_t)t->first;
  size_t rows = (size_t)(t->transposed ? t->p->rows : t->n), end = (row0 + rows) * cols;
  mho_real xi[DRAWN];

  for (size_t at = row0 * cols; at < end; at += DRAWN) {
    size_t m = mho_min_size(end - at, DRAWN);
    mho_perturbation_cells(t->p, t->sample, at, m, xi);
    for (size_t k = 0, run; k < m; k += run) { /* row by row */
      size_t column = (at + k) % cols;
      run = mho_min_size(cols - column, m - k);
      add_cells(t, (at + k) / cols, column, run, xi + k);
    }
  }
}

/* Which of the perturbations sample s of a read has. */
static int sample_of(const mho_perturbation *p, const mho_read *r, int s) {
  return p->samples > 1 ? (r->sample0 + s) / p->positions : 0;
}

void mho__perturbation_add(const mho_crossbar *x, const mho_read *r, const mho_real *v, int first,
                           int n, mho_real factor, mho_real *u) {
  const mho_perturbation *p = x->perturbation;
  int in = r->transposed ? x->cols : x->rows, out = r->transposed ? x->rows : x->cols;
  mho_real size = factor * (mho_real)p->size;

  if (p->shape != MHO_SHAPE_RANK1 && p->cell) {
    size_t at = (size_t)first * (r->transposed ? 1 : (size_t)x->cols);
    mho_gemm(false, r->transposed, r->n, out, n, size, v + first, in, p->cell + at, x->cols, 1, u,
             out);
    return;
  }

  for (int s = 0; s < r->n; s++) {
    added t = {.p = p,
               .transposed = r->transposed,
               .sample = sample_of(p, r, s),
               .first = first,
               .n = n,
               .v = v + (size_t)s * (size_t)in,
               .factor = size,
               .u = u + (size_t)s * (size_t)out};
    if (p->shape == MHO_SHAPE_RANK1)
      add_rank1(&t);
    else
      add_drawn(&t);
  }
}
