/* conductances.c - the solver of one array and its conductances: lines eliminated, and how fast
 * iterations converge.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "wire/wire_impl.h"

static const double DEFAULT_TOLERANCE = 1e-9, G_MAX = 1e6;

static bool is_resistance(double r) {
  return r >= 0 && r <= 1e12;
}

/* What does not show in double precision is no resistance. */
static double shown(double r) {
  return r < MHO_WIRE_NODE ? 0 : r;
}

/* One side's segments, with its ends.
 *  @param r     ohm a segment; becomes MHO_WIRE_NODE where the line is a single node.
 *  @param end   ohm of the end.
 *  @param share, first  k and the conductance of the segment with the end. */
static bool set_side(double *r, double end, double *share, double *first) {
  bool is_node = *r == 0 && end > 0;
  if (is_node)
    *r = MHO_WIRE_NODE;

  *share = *r > 0 ? *r / (*r + end) : 1;
  *first = *r > 0 ? 1 / (*r + end) : 0;
  return is_node;
}

static void set_resistances(mho_wire *w, const mho_wire_options *o) {
  w->o = *o;
  w->o.r_word = shown(o->r_word);
  w->o.r_bit = shown(o->r_bit);
  w->o.word_end = shown(o->word_end);
  w->o.bit_end = shown(o->bit_end);
  w->word_node = set_side(&w->o.r_word, w->o.word_end, &w->word_share, &w->word_in);
  w->bit_node = set_side(&w->o.r_bit, w->o.bit_end, &w->bit_share, &w->bit_out);
}

mho_err mho_wire_new(const mho_wire_options *o, mho_wire **out, mho_errinfo *ei) {
  *out = NULL;
  if (o->rows < 1 || o->cols < 1)
    return mho_fail(ei, MHO_EINVAL, "an array of %d x %d: expected at least 1 x 1", o->rows,
                    o->cols);
  if (!is_resistance(o->r_word) || !is_resistance(o->r_bit))
    return mho_fail(ei, MHO_EINVAL, "wire segments of %g and %g ohm: expected 0 to 1e12 ohm",
                    o->r_word, o->r_bit);
  if (!is_resistance(o->word_end) || !is_resistance(o->bit_end))
    return mho_fail(ei, MHO_EINVAL, "ends of lines with %g and %g ohm: expected 0 to 1e12 ohm",
                    o->word_end, o->bit_end);
  mho_wire *w = mho_alloc(1, sizeof *w);
  if (!w)
    return mho_fail(ei, MHO_ENOMEM, "no memory for an array");

  set_resistances(w, o);
  w->o.tolerance = o->tolerance > 0 ? o->tolerance : DEFAULT_TOLERANCE;
  w->cells = (size_t)o->rows * (size_t)o->cols;
  bool word = w->o.r_word > 0, bit = w->o.r_bit > 0, same = w->o.r_word == w->o.r_bit;
  w->g = mho_alloc(w->cells, sizeof *w->g);
  if (word) {
    w->aw = mho_alloc(w->cells, sizeof *w->aw);
    w->cw = mho_alloc(w->cells, sizeof *w->cw);
  }

  if (bit) {
    w->ab = same ? w->aw : mho_alloc(w->cells, sizeof *w->ab);
    w->cb = mho_alloc(w->cells, sizeof *w->cb);
  }

  bool words = w->aw && w->cw, bits = w->ab && w->cb;
  if (!w->g || (word && !words) || (bit && !bits)) {
    mho_wire_free(w);
    return mho_fail(ei, MHO_ENOMEM, "no memory for an array of %d x %d", o->rows, o->cols);
  }

  *out = w;
  return MHO_OK;
}

void mho_wire_free(mho_wire *w) {
  if (!w)
    return;

  mho__wire_direct_free(w->direct);
  mho_free(w->g);
  if (w->ab != w->aw)
    mho_free(w->ab);
  mho_free(w->aw);
  mho_free(w->cw);
  mho_free(w->cb);
  mho_free(w);
}

/* ---------------------------------------------------------------- elimination */

enum { ROWS_A_TASK = 16, COLUMNS_A_TASK = 64 };

typedef struct lines { /* of a parallel region over rows or columns */
  mho_wire *w;
  double *far; /* [tasks] smallest share of a voltage that reaches a line's open end */
  double *sum; /* [tasks] largest conductance of a line's devices */
} lines;

static void word_task(void *arg, int t, int thread) {
  const lines *l = arg;
  mho_wire *w = l->w;
  size_t cols = (size_t)w->o.cols;
  int i0 = t * ROWS_A_TASK, i1 = mho_min(i0 + ROWS_A_TASK, w->o.rows);

  l->far[t] = 1;
  for (int i = i0; i < i1; i++) {
    size_t row = (size_t)i * cols;
    double far = 1, sum = 0;
    for (size_t k = row; k < row + cols; k++) {
      sum += w->g[k];
      if (w->aw)
        w->aw[k] = w->g[k] * w->o.r_word;
      if (w->ab && w->ab != w->aw)
        w->ab[k] = w->g[k] * w->o.r_bit;
    }
    if (w->aw) {
      mho__wire_chain(w->o.cols, -1, w->aw + row + cols - 1, w->word_share, w->cw + row + cols - 1);
      for (size_t k = row; k < row + cols; k++)
        far *= w->cw[k];
      far *= w->word_share;
    }
    l->far[t] = fmin(l->far[t], far);
    l->sum[t] = fmax(l->sum[t], sum);
  }
}

/* Columns side by side, so that memory is read in order. */
static void bit_task(void *arg, int t, int thread) {
  const lines *l = arg;
  mho_wire *w = l->w;
  size_t rows = (size_t)w->o.rows, cols = (size_t)w->o.cols;
  int j0 = t * COLUMNS_A_TASK, n = mho_min(w->o.cols - j0, COLUMNS_A_TASK);
  double s[COLUMNS_A_TASK] = {0}, far[COLUMNS_A_TASK], sum[COLUMNS_A_TASK] = {0};

  for (int j = 0; j < n; j++)
    far[j] = 1;

  for (size_t i = 0; i < rows; i++) {
    double below = i + 1 < rows ? 1 : w->bit_share;
    for (int j = 0; j < n; j++) {
      size_t k = i * cols + (size_t)(j0 + j);
      sum[j] += w->g[k];
      if (w->ab) {
        s[j] = w->ab[k] + s[j] / (1 + s[j]);
        w->cb[k] = 1 / (below + s[j]);
        far[j] *= w->cb[k];
      }
    }
  }

  l->far[t] = 1;
  for (int j = 0; j < n; j++) {
    l->far[t] = fmin(l->far[t], w->bit_share * far[j]);
    l->sum[t] = fmax(l->sum[t], sum[j]);
  }
}

/* 1 - rho(T_b^-1 D T_w^-1 D). The matrices are not negative, so rho is at most the product of their
 * largest row sums, and those are 1 - what reaches the open end of a line whose devices are all
 * grounded. For long lines that is far too careful; there the value of an even array with the
 * densest line's mean takes over,
 *   rho = 1/((1 + g_b mu_b/G)(1 + g_w mu_w/G)),  mu the lowest eigenvalue of a chain, (pi/2n)^2
 * (half of it is left for unevenness). */

/* mu of a chain of n segments of which that at the end has the share k of a conductance: every
 * entry of the inverse matrix becomes larger by 1/k - 1, its norm by at most n times that. */
static double lowest_eigenvalue(int n, double share) {
  double q = 1.5707963267948966 / (n + 0.5), mu = q * q;
  return share < 1 ? 1 / (1 / mu + n * (1 / share - 1)) : mu;
}

static void find_gap(mho_wire *w, double far_word, double far_bit, double mean_word,
                     double mean_bit) {
  double bound = 1 - (1 - far_word) * (1 - far_bit);
  double lw = lowest_eigenvalue(w->o.cols, w->word_share) / (w->o.r_word * mean_word);
  double lb = lowest_eigenvalue(w->o.rows, w->bit_share) / (w->o.r_bit * mean_bit);
  double even = isfinite(lw) && isfinite(lb) ? (lw + lb + lw * lb) / ((1 + lw) * (1 + lb)) : 1;

  w->gap = fmin(1, fmax(bound, 0.5 * even));

  /* the current of an end is the drop over its segment, or, where that loses less, the sum over the
   * devices */
  double far = 1 / w->bit_share, most = w->o.rows - 1 + far;
  w->end_factor = fmin(sqrt(far), 2 * sqrt(most) * (w->o.r_bit * far) * mean_bit * w->o.rows);
}

static double least(const double *x, int n) {
  double v = x[0];
  for (int i = 1; i < n; i++)
    v = fmin(v, x[i]);
  return v;
}

static double most(const double *x, int n) {
  double v = x[0];
  for (int i = 1; i < n; i++)
    v = fmax(v, x[i]);
  return v;
}

/* Fails with the row and the column of a conductance that is out of range. */
static mho_err check(const mho_wire *w, const double *g, mho_errinfo *ei) {
  size_t k = 0;
  while (k < w->cells && g[k] >= 0 && g[k] <= G_MAX)
    k++;
  if (k == w->cells)
    return MHO_OK;

  long row = (long)(k / (size_t)w->o.cols), col = (long)(k % (size_t)w->o.cols);
  mho_fail(ei, MHO_EINVAL, "the conductance is %g S at row %ld, column %ld: expected 0 to %g S",
           g[k], row, col, G_MAX);
  if (ei) {
    ei->row = row;
    ei->col = col;
  }
  return MHO_EINVAL;
}

mho_err mho_wire_set(mho_wire *w, const double *g, mho_errinfo *ei) {
  w->set = false;
  mho_err err = check(w, g, ei);
  if (err)
    return err;
  int rows = (w->o.rows + ROWS_A_TASK - 1) / ROWS_A_TASK;
  int cols = (w->o.cols + COLUMNS_A_TASK - 1) / COLUMNS_A_TASK, n = mho_max(rows, cols);
  lines l = {.w = w};
  l.far = mho_alloc(2 * (size_t)n, sizeof *l.far);
  if (!l.far)
    return mho_fail(ei, MHO_ENOMEM, "no memory for an array");
  l.sum = l.far + n;

  memcpy(w->g, g, w->cells * sizeof *w->g);
  mho_pool_run(w->o.pool, rows, word_task, &l);
  double far_word = least(l.far, rows), mean_word = most(l.sum, rows) / w->o.cols;
  memset(l.sum, 0, (size_t)n * sizeof *l.sum);
  mho_pool_run(w->o.pool, cols, bit_task, &l);
  find_gap(w, far_word, least(l.far, cols), mean_word, most(l.sum, cols) / w->o.rows);

  mho_free(l.far);
  w->factored = false;
  w->set = true;
  return MHO_OK;
}
