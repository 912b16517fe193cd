/* direct.c - Kirchhoff's current law on all nodes at once, by a sparse Cholesky factorization.
 *
 * Unknowns are the word-line nodes, then the bit-line nodes, row by row. SuiteSparse CHOLMOD orders
 * them (the best of its own choice), factors in supernodes, and the analysis is stored for the next
 * conductances of the same array. One or two steps of iterative refinement take away what
 * cancellation between wire and device conductances costs.
 *
 * Source: Y. Chen, T. Davis, W. Hager, S. Rajamanickam, ACM Trans. Math. Softw. 35(3), 22 (2008).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>
#include <suitesparse/cholmod.h>

#include "wire/wire_impl.h"

struct mho_wire_direct {
  cholmod_common c;
  cholmod_factor *factor;
  cholmod_dense *b, *x, *y, *e; /* work of the solves */
};

void mho__wire_direct_free(mho_wire_direct *d) {
  if (!d)
    return;

  cholmod_l_free_factor(&d->factor, &d->c);
  cholmod_l_free_dense(&d->b, &d->c);
  cholmod_l_free_dense(&d->x, &d->c);
  cholmod_l_free_dense(&d->y, &d->c);
  cholmod_l_free_dense(&d->e, &d->c);
  cholmod_l_finish(&d->c);
  mho_free(d);
}

static void put(cholmod_sparse *a, SuiteSparse_long k, size_t row, double value) {
  ((SuiteSparse_long *)a->i)[k] = (SuiteSparse_long)row;
  ((double *)a->x)[k] = value;
}

/* The lower triangle by columns: of a word node its right neighbour and the device, of a bit node
 * the next. */
static cholmod_sparse *matrix(const mho_wire *w, cholmod_common *c) {
  size_t n = w->cells, cols = (size_t)w->o.cols;
  cholmod_sparse *a = cholmod_l_allocate_sparse(2 * n, 2 * n, 5 * n, 1, 1, -1, CHOLMOD_REAL, c);
  if (!a)
    return NULL;
  double gw = 1 / w->o.r_word, gb = 1 / w->o.r_bit;
  SuiteSparse_long *start = a->p, k = 0;

  for (size_t u = 0; u < n; u++) {
    bool first = u % cols == 0, last = u % cols + 1 == cols;
    start[u] = k;
    put(a, k++, u, (first ? w->word_in : gw) + (last ? 0 : gw) + w->g[u]);
    if (!last)
      put(a, k++, u + 1, -gw);
    put(a, k++, n + u, -w->g[u]);
  }

  for (size_t u = 0; u < n; u++) {
    start[n + u] = k;
    bool top = u < cols, bottom = u + cols >= n;
    put(a, k++, n + u, (bottom ? w->bit_out : gb) + (top ? 0 : gb) + w->g[u]);
    if (!bottom)
      put(a, k++, n + u + cols, -gb);
  }

  start[2 * n] = k;
  return a;
}

static mho_err failed(const mho_wire *w, const cholmod_common *c, mho_errinfo *ei) {
  if (c->status == CHOLMOD_OUT_OF_MEMORY || c->status == CHOLMOD_TOO_LARGE)
    return mho_fail(ei, MHO_ENOMEM,
                    "no memory to factor an array of %d x %d: use the iterative method", w->o.rows,
                    w->o.cols);
  return mho_fail(ei, MHO_ESINGULAR, "the array of %d x %d cannot be factored (CHOLMOD status %d)",
                  w->o.rows, w->o.cols, c->status);
}

mho_err mho__wire_direct_factor(mho_wire *w, mho_errinfo *ei) {
  mho_wire_direct *d = w->direct;
  if (!d) {
    d = w->direct = mho_alloc(1, sizeof *d);
    if (!d)
      return mho_fail(ei, MHO_ENOMEM, "no memory to factor an array");
    cholmod_l_start(&d->c);
    d->c.print = 0;
    d->c.supernodal = CHOLMOD_SUPERNODAL;
  }

  cholmod_sparse *a = matrix(w, &d->c);
  if (a && !d->factor)
    d->factor = cholmod_l_analyze(a, &d->c);
  if (a && d->factor)
    cholmod_l_factorize(a, d->factor, &d->c);
  cholmod_l_free_sparse(&a, &d->c);
  if (!d->b)
    d->b = cholmod_l_zeros(2 * w->cells, 1, CHOLMOD_REAL, &d->c);

  if (d->c.status != CHOLMOD_OK || !d->factor || !d->b)
    return failed(w, &d->c, ei);
  return MHO_OK;
}

/* What the nodes lack, A: right-hand side minus matrix times voltages; the largest |current| met in
 * *scale. */
static double residual(const mho_wire *w, const mho_wire_read *read, int v, const double *vw,
                       const double *vb, double *out, double *scale) {
  size_t rows = (size_t)w->o.rows, cols = (size_t)w->o.cols;
  double gw = 1 / w->o.r_word, gb = 1 / w->o.r_bit, most = 0;
  const double *v_word = mho__wire_word_voltages(w, read, v);
  const double *end = mho__wire_bit_voltages(w, read, v);
  const double *source = mho__wire_sources(w, read, v);
  *scale = 0;

  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < cols; j++) {
      size_t u = i * cols + j;
      double device = w->g[u] * (vw[u] - vb[u]) + mho__wire_input(source, u);
      double left = j ? vw[u - 1] : mho__wire_input(v_word, i);
      double below = i + 1 < rows ? vb[u + cols] : mho__wire_input(end, j);
      double g_left = j ? gw : w->word_in, g_below = i + 1 < rows ? gb : w->bit_out;

      double a = g_left * (left - vw[u]) - device, b = device - g_below * (vb[u] - below);
      if (j + 1 < cols)
        a += gw * (vw[u + 1] - vw[u]);
      if (i)
        b += gb * (vb[u - cols] - vb[u]);
      out[u] = a;
      out[w->cells + u] = b;
      *scale = fmax(*scale, fabs(device));
      most = fmax(most, fmax(fabs(a), fabs(b)));
    }
  return most;
}

/* Whether a residual is as small as it gets: within rounding of the currents, or no longer falling
 * after `refined` refinements. */
static bool is_small(double residual, double before, double scale, int refined) {
  if (residual == 0)
    return true;
  if (refined < 0)
    return false;
  return residual <= 1e-16 * scale || (refined >= 1 && residual > 0.3 * before);
}

mho_err mho__wire_direct_solve(mho_wire *w, const mho_wire_read *read, int v, double *node_word,
                               double *node_bit, int *refined, mho_errinfo *ei) {
  mho_wire_direct *d = w->direct;
  double scale, before = INFINITY;

  memset(node_word, 0, w->cells * sizeof *node_word);
  memset(node_bit, 0, w->cells * sizeof *node_bit);

  for (*refined = -1; *refined < 4; ++*refined) {
    double most = residual(w, read, v, node_word, node_bit, d->b->x, &scale);
    if (is_small(most, before, scale, *refined))
      break;
    before = most;

    if (!cholmod_l_solve2(CHOLMOD_A, d->factor, d->b, NULL, &d->x, NULL, &d->y, &d->e, &d->c))
      return failed(w, &d->c, ei);
    const double *x = d->x->x;
    for (size_t u = 0; u < w->cells; u++) {
      node_word[u] += x[u];
      node_bit[u] += x[w->cells + u];
    }
  }
  *refined = mho_max(*refined, 0);
  return MHO_OK;
}
