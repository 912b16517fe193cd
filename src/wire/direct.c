/* direct.c - Kirchhoff's current law on all nodes at once, by a sparse Cholesky factorization.
 *
 * Unknowns are the word-line nodes, then the bit-line nodes, row by row. SuiteSparse CHOLMOD orders
 * them (the best of its own choice), factors in supernodes, and the analysis is kept for the next
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

void mho_wire_direct_free(mho_wire_direct *d) {
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

/* The lower triangle by columns: of a word node its right neighbour and the device, of a bit node
 * the next. */
static cholmod_sparse *matrix(const mho_wire *w, cholmod_common *c) {
  size_t n = w->cells, cols = (size_t)w->o.cols;
  cholmod_sparse *a = cholmod_l_allocate_sparse(2 * n, 2 * n, 5 * n, 1, 1, -1, CHOLMOD_REAL, c);
  if (!a)
    return NULL;
  double gw = 1 / w->o.r_word, gb = 1 / w->o.r_bit, *value = a->x;
  SuiteSparse_long *start = a->p, *row = a->i, k = 0;
#define PUT(r, v) (row[k] = (SuiteSparse_long)(r), value[k++] = (v))
  for (size_t u = 0; u < n; u++) {
    bool last = u % cols + 1 == cols;
    start[u] = k;
    PUT(u, (last ? 1 : 2) * gw + w->g[u]);
    if (!last)
      PUT(u + 1, -gw);
    PUT(n + u, -w->g[u]);
  }
  for (size_t u = 0; u < n; u++) {
    start[n + u] = k;
    PUT(n + u, (u < cols ? 1 : 2) * gb + w->g[u]);
    if (u + cols < n)
      PUT(n + u + cols, -gb);
  }
#undef PUT
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

mho_err mho_wire_direct_factor(mho_wire *w, mho_errinfo *ei) {
  mho_wire_direct *d = w->direct;
  if (!d) {
    if (!(d = w->direct = mho_alloc(1, sizeof *d)))
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
  return d->c.status == CHOLMOD_OK && d->factor && d->b ? MHO_OK : failed(w, &d->c, ei);
}

/* What the nodes lack, A: right-hand side minus matrix times voltages; the largest |current| met in
 * *scale. */
static double residual(const mho_wire *w, const mho_wire_read *read, int v, const double *vw,
                       const double *vb, double *out, double *scale) {
  int rows = w->o.rows, cols = w->o.cols;
  double gw = 1 / w->o.r_word, gb = 1 / w->o.r_bit, most = 0;
  const double *drive = read->v_word ? read->v_word + (size_t)v * (size_t)rows : NULL;
  const double *end = read->v_bit ? read->v_bit + (size_t)v * (size_t)cols : NULL;
  const double *source = read->source ? read->source + (size_t)v * w->cells : NULL;
  *scale = 0;
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols; j++) {
      size_t u = (size_t)i * (size_t)cols + (size_t)j;
      double device = w->g[u] * (vw[u] - vb[u]) + (source ? source[u] : 0);
      double a = gw * ((j ? vw[u - 1] : drive ? drive[i] : 0) - vw[u]) - device;
      double b = device - gb * (vb[u] - (i + 1 < rows ? vb[u + (size_t)cols] : end ? end[j] : 0));
      if (j + 1 < cols)
        a += gw * (vw[u + 1] - vw[u]);
      if (i)
        b += gb * (vb[u - (size_t)cols] - vb[u]);
      out[u] = a;
      out[w->cells + u] = b;
      *scale = fmax(*scale, fabs(device));
      most = fmax(most, fmax(fabs(a), fabs(b)));
    }
  return most;
}

mho_err mho_wire_direct_solve(mho_wire *w, const mho_wire_read *read, int v, double *node_word,
                              double *node_bit, int *refined, mho_errinfo *ei) {
  mho_wire_direct *d = w->direct;
  double scale, before = INFINITY;
  memset(node_word, 0, w->cells * sizeof *node_word);
  memset(node_bit, 0, w->cells * sizeof *node_bit);
  for (*refined = -1; *refined < 4; ++*refined) {
    double most = residual(w, read, v, node_word, node_bit, d->b->x, &scale);
    if (most == 0 ||
        (*refined >= 0 && (most <= 1e-16 * scale || (*refined >= 1 && most > 0.3 * before))))
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
  *refined = *refined < 0 ? 0 : *refined;
  return MHO_OK;
}
