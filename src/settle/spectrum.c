/* spectrum.c - spectral radius of the hidden-to-hidden matrix.
 *
 * Only links that lie on a loop count: the others couple blocks in one direction, which changes
 * no eigenvalue, and left in they would cost digits (a nilpotent matrix of depth L has computed
 * eigenvalues of size eps^(1/L)). What is left is balanced layer by layer (E. Osborne, J. ACM
 * 7:338, 1960): feedback of gain beta_i makes M far from normal in a deep chain, and D^-1 M D
 * with d_l = (alpha/beta_i)^(l/2) is symmetric.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "mho/model/num.h"
#include "settle/links.h"

enum { BALANCE_ROUNDS = 200 };

typedef struct block {
  const mho_link *link;
  const mho_crossbar *xb;
  int rows;     /**< of the crossbar, without a bias */
  int from, to; /**< first state of the layers */
  double norm;  /**< Frobenius, scaled */
  double scale;
} block;

typedef struct spectrum {
  int n; /**< states */
  int n_blocks;
  block *block; /**< [n_blocks] */
} spectrum;

/* ---------------------------------------------------------------- blocks */

static double frobenius(const mho_crossbar *x, int rows) {
  const mho_real *w = mho_crossbar_matrix(x);
  size_t n = (size_t)rows * (size_t)x->cols;
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += (double)w[i] * (double)w[i];
  return sqrt(sum);
}

/* reach[i][j]: links with weights lead from layer i to layer j. */
static void find_reach(const mho_network *net, bool reach[MHO_LAYERS_MAX][MHO_LAYERS_MAX]) {
  int n = net->n_layers;
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (mho_link_is_hidden(net, k) && k->scale != 0)
      reach[k->from][k->to] = true;
  }

  for (int via = 1; via < n; via++)
    for (int i = 1; i < n; i++) {
      if (!reach[i][via])
        continue;
      for (int j = 1; j < n; j++)
        reach[i][j] |= reach[via][j];
    }
}

/* The links on loops as blocks of the matrix; states of the layers they join, side by side. */
static mho_err collect(const mho_network *net, spectrum *s, mho_errinfo *ei) {
  bool reach[MHO_LAYERS_MAX][MHO_LAYERS_MAX] = {{false}};
  int first[MHO_LAYERS_MAX];
  find_reach(net, reach);
  for (int l = 0; l < net->n_layers; l++) {
    first[l] = s->n;
    s->n += reach[l][l] ? net->layer[l].n : 0;
  }
  s->block = mho_alloc((size_t)net->n_links, sizeof *s->block);
  if (!s->block)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a spectrum");

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    const mho_connection *c = &net->connection[k->connection];
    const mho_crossbar *xb = c->xb;
    int rows = xb->rows - c->bias;
    if (!mho_link_is_hidden(net, k) || k->scale == 0 || !reach[k->to][k->from])
      continue;

    double norm = fabs((double)k->scale) * frobenius(xb, rows);
    if (!isfinite(norm))
      return mho_fail(ei, MHO_EDIVERGED, "connection %s has weights that are not finite", c->name);
    s->block[s->n_blocks++] =
        (block){k, xb, rows, first[k->from], first[k->to], norm, (double)k->scale};
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- balance */

/* The factor of layer l by which what comes in becomes as strong as what goes out; 1 where
 * either is nothing. */
static double balance_of(const spectrum *s, int l, const double *d) {
  double in = 0, out = 0;
  for (int i = 0; i < s->n_blocks; i++) {
    const mho_link *k = s->block[i].link;
    double v = s->block[i].norm * d[k->to] / d[k->from];
    in += k->to == l ? v * v : 0;
    out += k->from == l ? v * v : 0;
  }
  return in > 0 && out > 0 ? sqrt(sqrt(out / in)) : 1;
}

/* Scale every layer by d so that what comes in is as strong as what goes out. */
static void balance(spectrum *s, int n_layers) {
  double d[MHO_LAYERS_MAX];
  for (int l = 0; l < n_layers; l++)
    d[l] = 1;

  for (int round = 0; round < BALANCE_ROUNDS; round++) {
    double moved = 0;
    for (int l = 0; l < n_layers; l++) {
      double factor = balance_of(s, l, d);
      d[l] *= factor;
      moved = fmax(moved, fabs(factor - 1));
    }
    if (!(moved > 1e-12))
      break;
  }

  for (int i = 0; i < s->n_blocks; i++)
    s->block[i].scale *= d[s->block[i].link->to] / d[s->block[i].link->from];
}

/* ---------------------------------------------------------------- radius */

/* y += x times a block. */
static void multiply_block(const block *b, const double *restrict from, double *restrict to) {
  int cols = b->xb->cols;

  for (int r = 0; r < b->rows; r++) {
    const mho_real *w = mho_crossbar_matrix(b->xb) + (size_t)r * (size_t)cols;
    if (b->link->transposed) {
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int c = 0; c < cols; c++)
        sum += from[c] * (double)w[c];
      to[r] += b->scale * sum;
    } else {
      double v = b->scale * from[r];
      for (int c = 0; c < cols; c++)
        to[c] += v * (double)w[c];
    }
  }
}

/* y = x M, row-vector convention (M's eigenvalues are those of its transpose). */
static void multiply(const void *user, const double *restrict x, double *restrict y) {
  const spectrum *s = user;
  for (int i = 0; i < s->n; i++)
    y[i] = 0;
  for (int i = 0; i < s->n_blocks; i++)
    multiply_block(&s->block[i], x + s->block[i].from, y + s->block[i].to);
}

/* m += a block, [n x n]. */
static void add_block(const block *b, size_t n, double *m) {
  const mho_real *w = mho_crossbar_matrix(b->xb);
  for (int r = 0; r < b->rows; r++)
    for (int c = 0; c < b->xb->cols; c++) {
      int from = b->from + (b->link->transposed ? c : r);
      int to = b->to + (b->link->transposed ? r : c);
      m[(size_t)from * n + (size_t)to] += b->scale * (double)w[r * b->xb->cols + c];
    }
}

static mho_err dense_radius(const spectrum *s, double *radius, mho_errinfo *ei) {
  size_t n = (size_t)s->n;
  double *m = mho_alloc(n * n, sizeof *m), *re = mho_alloc(n, sizeof *re);
  double *im = mho_alloc(n, sizeof *im);
  bool ok = m && re && im;
  mho_err err = ok ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for a matrix of %d", s->n);
  if (ok) {
    for (int i = 0; i < s->n_blocks; i++)
      add_block(&s->block[i], n, m);
    err = mho_eigen_dense(s->n, m, re, im, ei);
  }
  if (!err)
    for (size_t i = 0; i < n; i++)
      *radius = fmax(*radius, hypot(re[i], im[i]));

  mho_free(m);
  mho_free(re);
  mho_free(im);
  return err;
}

mho_err mho_observe_spectral_radius(const mho_network *net, double *radius, double *residual,
                                    mho_errinfo *ei) {
  spectrum s = {0};
  *radius = 0;
  if (residual)
    *residual = 0;

  mho_err err = collect(net, &s, ei);
  if (!err && s.n_blocks > 0) {
    balance(&s, net->n_layers);
    err = s.n <= MHO_OBSERVE_DENSE ? dense_radius(&s, radius, ei)
                                   : mho_eigen_radius(s.n, multiply, &s, radius, residual, ei);
  }
  mho_free(s.block);
  return err;
}
