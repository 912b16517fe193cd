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
 * T^-1_kk, the resistance from a node down its bit line in segments, at most rows - 1 + 1/k, and
 * 1/k (1 where the end has no resistance) at the last one, from which the currents follow.
 * Iteration ends when that is below the tolerance of the largest current; then the residual is
 * computed anew from the voltages, and what rounding has left over is iterated away.
 *
 * Source: M. Hestenes, E. Stiefel, J. Res. Nat. Bur. Stand. 49, 409 (1952).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "wire/wire_impl.h"

enum { ROUNDS = 6, BLOCK_BYTES = 1 << 18, ROWS_A_TASK = 16 };
static const double NODE_TOLERANCE = 1e-9; /* V for every V of the largest voltage */

typedef struct iteration {
  const mho_wire *w;
  const mho_wire_read *read;
  const mho_wire_fields *f;
  mho_pool *pool;
  int v0, n;         /* vectors */
  int band, n_bands; /* columns a task, tasks */
  int n_chunks;      /* tasks of ROWS_A_TASK rows */
  bool first;
  double alpha[MHO_WIRE_LANES], beta[MHO_WIRE_LANES];
  double *sums;    /* [tasks][lanes] */
  double *scratch; /* [threads][...] */
  size_t scratch_each;
} iteration;

/* What must be small for a vector to be done. */
typedef struct limits {
  double v_most[MHO_WIRE_LANES]; /* V, largest at the ends of the lines */
  double start[MHO_WIRE_LANES];  /* r T^-1 r of the first residual; -1 before it is known */
} limits;

static double *thread_scratch(const iteration *it, int thread) {
  return it->scratch + (size_t)thread * it->scratch_each;
}

static double *task_sums(const iteration *it, int task) {
  return it->sums + (size_t)task * MHO_WIRE_LANES;
}

static void columns_task(void *arg, int t, int thread) {
  iteration *it = arg;
  int j0 = t * it->band, j1 = mho_min(j0 + it->band, it->w->o.cols);
  mho__wire_columns(it->w, it->f, j0, j1, it->first, it->alpha, task_sums(it, t));
}

static void rows_task(void *arg, int t, int thread) {
  iteration *it = arg;
  int i0 = t * ROWS_A_TASK, i1 = mho_min(i0 + ROWS_A_TASK, it->w->o.rows);
  mho__wire_rows(it->w, it->f, i0, i1, it->beta, thread_scratch(it, thread), task_sums(it, t));
}

/* r = what the nodes of row i still lack, from the voltages x, for lane l; v: [cols] work. */
static void row_residual(const iteration *it, int i, int l, double *v) {
  const mho_wire *w = it->w;
  size_t cols = (size_t)w->o.cols, lanes = (size_t)it->f->lanes, step = cols * lanes;
  size_t row = (size_t)i * cols;
  const double *x = it->f->x + row * lanes + (size_t)l;
  double *r = it->f->r + row * lanes + (size_t)l;
  const double *sources = mho__wire_sources(w, it->read, it->v0 + l);
  const double *source = sources ? sources + row : NULL;
  const double *ends = mho__wire_bit_voltages(w, it->read, it->v0 + l);
  double v_word = mho__wire_input(mho__wire_word_voltages(w, it->read, it->v0 + l), (size_t)i);

  mho__wire_word_line(w, i, v_word, x, it->f->lanes, source, v);
  for (size_t j = 0; j < cols; j++) {
    size_t k = j * lanes;
    double below =
        i + 1 < w->o.rows ? x[k + step] - x[k] : w->bit_share * (mho__wire_input(ends, j) - x[k]);
    double sum = w->ab[row + j] * (v[j] - x[k]) + below;
    if (i)
      sum += *(x + k - step) - x[k];
    if (source)
      sum += w->o.r_bit * source[j];
    r[k] = sum;
  }
}

/* The true residual of all lanes, in volts. */
static void residual_task(void *arg, int t, int thread) {
  iteration *it = arg;
  int i0 = t * ROWS_A_TASK, i1 = mho_min(i0 + ROWS_A_TASK, it->w->o.rows);
  for (int i = i0; i < i1; i++)
    for (int l = 0; l < it->n; l++)
      row_residual(it, i, l, thread_scratch(it, thread));
}

static void add_sums(const iteration *it, int tasks, double *total) {
  memset(total, 0, MHO_WIRE_LANES * sizeof *total);
  for (int t = 0; t < tasks; t++)
    for (int l = 0; l < it->f->lanes; l++)
      total[l] += task_sums(it, t)[l];
}

/* Voltage over the last segment of the bit lines, the largest of a vector: the scale of its
 * currents. */
static double largest_drop(const iteration *it, int l) {
  size_t cols = (size_t)it->w->o.cols, lanes = (size_t)it->f->lanes;
  const double *x = it->f->x + (size_t)(it->w->o.rows - 1) * cols * lanes + (size_t)l;
  const double *ends = mho__wire_bit_voltages(it->w, it->read, it->v0 + l);
  double most = 0;
  for (size_t j = 0; j < cols; j++)
    most = fmax(most, fabs(x[j * lanes] - mho__wire_input(ends, j)));
  return most;
}

static double largest_of(const double *inputs, int n) {
  double most = 0;
  for (int i = 0; i < n; i++)
    most = fmax(most, fabs(mho__wire_input(inputs, (size_t)i)));
  return most;
}

static double largest_voltage(const iteration *it, int l) {
  const mho_wire *w = it->w;
  return fmax(largest_of(mho__wire_word_voltages(w, it->read, it->v0 + l), w->o.rows),
              largest_of(mho__wire_bit_voltages(w, it->read, it->v0 + l), w->o.cols));
}

/* Whether vector l is done, with its error estimate. */
static bool is_done(const iteration *it, int l, double gamma, const limits *to, double tolerance,
                    double *error) {
  const mho_wire *w = it->w;
  double bound = sqrt(fmax(gamma, 0)) / w->gap, drop = largest_drop(it, l);
  double far = 1 / w->bit_share;
  *error = bound == 0 ? 0 : bound * w->end_factor / drop;
  if (gamma <= 1e-30 * to->start[l])
    return true; /* as small as rounding lets it become */
  if (!(bound * sqrt(far) <= tolerance * drop))
    return false;
  return to->v_most[l] == 0 || bound * sqrt(w->o.rows - 1 + far) <= NODE_TOLERANCE * to->v_most[l];
}

/* One round of conjugate gradients from the present residual; returns the iterations. */
static int run_round(iteration *it, limits *to, double tolerance, double *error) {
  double gamma[MHO_WIRE_LANES], before[MHO_WIRE_LANES] = {0}, delta[MHO_WIRE_LANES];
  long most = 10 * ((long)it->w->o.rows + it->w->o.cols) + 2000;
  it->first = true; /* beta is 0 then: p and s do not matter */

  for (int k = 0;; k++) {
    mho_pool_run(it->pool, it->n_bands, columns_task, it);
    it->first = false;
    add_sums(it, it->n_bands, gamma);

    bool done = true;
    for (int l = 0; l < it->n; l++) {
      if (to->start[l] < 0)
        to->start[l] = gamma[l];
      if (!is_done(it, l, gamma[l], to, tolerance, &error[l]))
        done = false;
      it->beta[l] = before[l] > 0 ? gamma[l] / before[l] : 0;
      before[l] = gamma[l];
    }
    if (done || k == most || mho_stopped(it->w->o.ctx))
      return k;

    mho_pool_run(it->pool, it->n_chunks, rows_task, it);
    add_sums(it, it->n_chunks, delta);
    for (int l = 0; l < it->n; l++)
      it->alpha[l] = delta[l] > 0 ? gamma[l] / delta[l] : 0;
  }
}

/* Rounds until the residual, computed anew before each, asks for no more. */
static int run_rounds(iteration *it, double *error) {
  limits to;
  double last[MHO_WIRE_LANES], tolerance = it->w->o.tolerance;
  int iterations = 0;

  for (int l = 0; l < it->n; l++) {
    to.v_most[l] = largest_voltage(it, l);
    to.start[l] = -1;
    last[l] = INFINITY;
  }

  for (int round = 0; round < ROUNDS; round++) {
    mho_pool_run(it->pool, it->n_chunks, residual_task, it);
    int k = run_round(it, &to, round ? tolerance : 0.3 * tolerance, error);
    iterations += k;
    bool better = round < 2;
    for (int l = 0; l < it->n; l++) {
      better = better || error[l] < 0.25 * last[l];
      last[l] = error[l];
    }
    if (k == 0 || !better || mho_stopped(it->w->o.ctx))
      break;
  }
  return iterations;
}

/* Columns of a task: as many as stay in the second-level cache. */
static int columns_a_task(const mho_wire *w, size_t lanes) {
  size_t band = BLOCK_BYTES / ((size_t)w->o.rows * lanes * sizeof(double));
  if (band < 1)
    return 1;
  if (lanes == 1 && band < 32)
    return 32;
  return (int)mho_min_size(band, (size_t)w->o.cols);
}

int mho__wire_iterate(const mho_wire *w, const mho_wire_read *read, int v0, int n,
                      const mho_wire_fields *f, mho_pool *pool, double *error) {
  size_t lanes = (size_t)f->lanes, cols = (size_t)w->o.cols;
  iteration it = {.w = w, .read = read, .f = f, .pool = pool, .v0 = v0, .n = n};

  it.band = columns_a_task(w, lanes);
  it.n_bands = (w->o.cols + it.band - 1) / it.band;
  it.n_chunks = (w->o.rows + ROWS_A_TASK - 1) / ROWS_A_TASK;
  it.scratch_each = MHO_WIRE_ROWS * cols * lanes;

  size_t tasks = (size_t)mho_max(it.n_bands, it.n_chunks);
  it.sums = mho_alloc(tasks * MHO_WIRE_LANES, sizeof *it.sums);
  it.scratch = mho_alloc((size_t)mho_pool_threads(pool) * it.scratch_each, sizeof *it.scratch);
  int iterations = -1;
  if (it.sums && it.scratch) {
    memset(f->x, 0, w->cells * lanes * sizeof *f->x);
    iterations = run_rounds(&it, error);
  }

  mho_free(it.sums);
  mho_free(it.scratch);
  return iterations;
}
