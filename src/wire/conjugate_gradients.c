/* conjugate_gradients.c - conjugate gradients on the bit lines of an array.
 *
 * The word lines are eliminated exactly: S x = T_b x - D T_w^-1 D x over the bit-line nodes,
 * symmetric and positive definite, preconditioned by the bit lines' own chains T_b. The spectrum of
 * T_b^-1 S lies in (1 - rho, 1], rho the coupling through the word lines, so few iterations do
 * while wires are short and devices weak. T_b p is carried along by a recurrence (T_b z = r), and r
 * T_b^-1 r falls out of the forward elimination; it bounds the error:
 *
 *   |e|_T = |S^-1 r|_T <= sqrt(r T^-1 r)/(1 - rho),  and of a node |e_k| <= sqrt(T^-1_kk) |e|_T,
 *
 * T^-1_kk, the resistance from a node down its bit line, at most rows r_bit, and r_bit at the last
 * one, from which the currents follow. Iteration ends when that is below the tolerance of the
 * largest current; then the residual is computed anew from the voltages, and what rounding has left
 * over is iterated away.
 *
 * Source: M. Hestenes, E. Stiefel, J. Res. Nat. Bur. Stand. 49, 409 (1952).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "wire/wire_impl.h"

enum { ROUNDS = 6, BLOCK_BYTES = 1 << 18 };
static const double NODE_TOLERANCE = 1e-9; /* V for every V of the largest drive */

typedef struct iteration {
  const mho_wire *w;
  const mho_wire_read *read;
  const mho_wire_fields *f;
  mho_pool *pool;
  int v0, n;           /* vectors */
  int band, n_bands;   /* columns a task, tasks */
  int chunk, n_chunks; /* rows a task, tasks */
  bool first;
  double alpha[MHO_WIRE_LANES], beta[MHO_WIRE_LANES];
  double *sums;    /* [tasks][lanes] */
  double *scratch; /* [threads][...] */
  size_t scratch_each;
} iteration;

static double *thread_scratch(const iteration *it, int thread) {
  return it->scratch + (size_t)thread * it->scratch_each;
}

static void columns_task(void *arg, int t, int thread) {
  iteration *it = arg;
  int j0 = t * it->band, j1 = j0 + it->band < it->w->o.cols ? j0 + it->band : it->w->o.cols;
  mho_wire_columns(it->w, it->f, j0, j1, it->first, it->alpha,
                   it->sums + (size_t)t * MHO_WIRE_LANES);
}

static void rows_task(void *arg, int t, int thread) {
  iteration *it = arg;
  int i0 = t * it->chunk, i1 = i0 + it->chunk < it->w->o.rows ? i0 + it->chunk : it->w->o.rows;
  mho_wire_rows(it->w, it->f, i0, i1, it->beta, thread_scratch(it, thread),
                it->sums + (size_t)t * MHO_WIRE_LANES);
}

/* r = what the bit lines' nodes still lack, from the voltages x: the true residual, in volts. */
static void residual_task(void *arg, int t, int thread) {
  iteration *it = arg;
  const mho_wire *w = it->w;
  size_t cols = (size_t)w->o.cols, lanes = (size_t)it->f->lanes, step = cols * lanes;
  double *v = thread_scratch(it, thread);
  int i0 = t * it->chunk, i1 = i0 + it->chunk < w->o.rows ? i0 + it->chunk : w->o.rows;
  for (int i = i0; i < i1; i++)
    for (int l = 0; l < it->n; l++) {
      size_t vector = (size_t)(it->v0 + l), row = (size_t)i * cols;
      const double *x = it->f->x + row * lanes + (size_t)l;
      double *r = it->f->r + row * lanes + (size_t)l;
      const double *source = it->read->source ? it->read->source + vector * w->cells + row : NULL;
      double drive =
          it->read->v_word ? it->read->v_word[vector * (size_t)w->o.rows + (size_t)i] : 0;
      mho_wire_word_line(w, i, drive, x, it->f->lanes, source, v);
      for (size_t j = 0; j < cols; j++) {
        size_t k = j * lanes;
        double below = i + 1 < w->o.rows ? x[k + step]
                       : it->read->v_bit ? it->read->v_bit[vector * cols + j]
                                         : 0;
        double sum = w->ab[row + j] * (v[j] - x[k]) + (below - x[k]);
        if (i)
          sum += *(x + k - step) - x[k];
        if (source)
          sum += w->o.r_bit * source[j];
        r[k] = sum;
      }
    }
}

static void add_sums(const iteration *it, int tasks, double *total) {
  memset(total, 0, MHO_WIRE_LANES * sizeof *total);
  for (int t = 0; t < tasks; t++)
    for (int l = 0; l < it->f->lanes; l++)
      total[l] += it->sums[(size_t)t * MHO_WIRE_LANES + (size_t)l];
}

/* Voltage over the last segment of the bit lines, the largest of a vector: the scale of its
 * currents. */
static double largest_drop(const iteration *it, int l) {
  size_t cols = (size_t)it->w->o.cols, lanes = (size_t)it->f->lanes;
  const double *x = it->f->x + (size_t)(it->w->o.rows - 1) * cols * lanes + (size_t)l;
  const double *end = it->read->v_bit ? it->read->v_bit + (size_t)(it->v0 + l) * cols : NULL;
  double most = 0;
  for (size_t j = 0; j < cols; j++)
    most = fmax(most, fabs(x[j * lanes] - (end ? end[j] : 0)));
  return most;
}

static double largest_drive(const iteration *it, int l) {
  int rows = it->w->o.rows, cols = it->w->o.cols;
  double most = 0;
  for (int i = 0; it->read->v_word && i < rows; i++)
    most = fmax(most, fabs(it->read->v_word[(size_t)(it->v0 + l) * (size_t)rows + (size_t)i]));
  for (int j = 0; it->read->v_bit && j < cols; j++)
    most = fmax(most, fabs(it->read->v_bit[(size_t)(it->v0 + l) * (size_t)cols + (size_t)j]));
  return most;
}

/* Whether vector l is done, with its error estimate. */
static bool is_done(const iteration *it, int l, double gamma, double start, double drive,
                    double tolerance, double *error) {
  double bound = sqrt(fmax(gamma, 0)) / it->w->gap, drop = largest_drop(it, l);
  *error = bound == 0 ? 0 : bound * it->w->end_factor / drop;
  if (gamma <= 1e-30 * start)
    return true; /* as small as rounding lets it become */
  return bound <= tolerance * drop &&
         (drive == 0 || bound * sqrt((double)it->w->o.rows) <= NODE_TOLERANCE * drive);
}

/* One round of conjugate gradients from the present residual; returns the iterations. */
static int round_of(iteration *it, const double *drive, double *start, double tolerance,
                    double *error) {
  double gamma[MHO_WIRE_LANES], before[MHO_WIRE_LANES] = {0}, delta[MHO_WIRE_LANES];
  long most = 10 * ((long)it->w->o.rows + it->w->o.cols) + 2000;
  it->first = true; /* beta is 0 then: what p and s hold plays no part */
  for (int k = 0;; k++) {
    mho_pool_run(it->pool, it->n_bands, columns_task, it);
    it->first = false;
    add_sums(it, it->n_bands, gamma);
    bool done = true;
    for (int l = 0; l < it->n; l++) {
      start[l] = start[l] < 0 ? gamma[l] : start[l];
      done = is_done(it, l, gamma[l], start[l], drive[l], tolerance, &error[l]) && done;
      it->beta[l] = before[l] > 0 ? gamma[l] / before[l] : 0;
      before[l] = gamma[l];
    }
    if (done || k == most)
      return k;
    mho_pool_run(it->pool, it->n_chunks, rows_task, it);
    add_sums(it, it->n_chunks, delta);
    for (int l = 0; l < it->n; l++)
      it->alpha[l] = delta[l] > 0 ? gamma[l] / delta[l] : 0;
  }
}

int mho_wire_iterate(const mho_wire *w, const mho_wire_read *read, int v0, int n,
                     const mho_wire_fields *f, mho_pool *pool, double *error) {
  size_t lanes = (size_t)f->lanes, rows = (size_t)w->o.rows, cols = (size_t)w->o.cols;
  iteration it = {.w = w, .read = read, .f = f, .pool = pool, .v0 = v0, .n = n};
  size_t band = BLOCK_BYTES / (rows * lanes *
                               sizeof(double)); /* so that a band stays in the second-level cache */
  it.band = (int)(band < 1 ? 1 : lanes == 1 && band < 32 ? 32 : band > cols ? cols : band);
  it.n_bands = (w->o.cols + it.band - 1) / it.band;
  it.chunk = 16;
  it.n_chunks = (w->o.rows + it.chunk - 1) / it.chunk;
  it.scratch_each = MHO_WIRE_ROWS * cols * lanes;
  int tasks = it.n_bands > it.n_chunks ? it.n_bands : it.n_chunks, iterations = 0;
  it.sums = mho_alloc((size_t)tasks * MHO_WIRE_LANES, sizeof *it.sums);
  it.scratch = mho_alloc((size_t)mho_pool_threads(pool) * it.scratch_each, sizeof *it.scratch);
  double drive[MHO_WIRE_LANES], start[MHO_WIRE_LANES], last[MHO_WIRE_LANES];
  if (!it.sums || !it.scratch) {
    iterations = -1;
  } else {
    memset(f->x, 0, w->cells * lanes * sizeof *f->x);
    for (int l = 0; l < n; l++) {
      drive[l] = largest_drive(&it, l);
      start[l] = -1;
      last[l] = INFINITY;
    }
    for (int round = 0; round < ROUNDS; round++) {
      mho_pool_run(pool, it.n_chunks, residual_task, &it);
      int k = round_of(&it, drive, start, round ? w->o.tolerance : 0.3 * w->o.tolerance, error);
      iterations += k;
      bool better = round < 2;
      for (int l = 0; l < n; l++) {
        better = better || error[l] < 0.25 * last[l];
        last[l] = error[l];
      }
      if (k == 0 || !better)
        break;
    }
  }
  mho_free(it.sums);
  mho_free(it.scratch);
  return iterations;
}
