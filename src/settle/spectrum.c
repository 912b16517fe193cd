/* spectrum.c - spectral radius of the hidden-to-hidden matrix.
 *
 * Only links that lie on a loop count: the others couple blocks in one direction, which changes
 * no eigenvalue, and left in they would cost digits (a nilpotent matrix of depth L has computed
 * eigenvalues of size eps^(1/L)). What is left is balanced layer by layer (E. Osborne, J. ACM
 * 7:338, 1960): feedback of gain beta_i makes M far from normal in a deep chain, and D^-1 M D
 * with d_l = (alpha/beta_i)^(l/2) is symmetric. SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "mho/num.h"
#include "mho/settle.h"

enum { BALANCE_ROUNDS = 200 };

typedef struct block {
  const mho_link *link;
  const mho_crossbar *xb;
  int rows;     /* of the crossbar, without a bias */
  int from, to; /* first state of the layers */
  double norm;  /* Frobenius, scaled */
  double scale;
} block;

typedef struct spectrum {
  int n; /* states */
  int n_blocks;
  block *block; /* [n_blocks] */
} spectrum;

static bool among_hidden(const mho_network *net, const mho_link *k) {
  return net->layer[k->from].neuron && net->layer[k->to].neuron;
}

static double frobenius(const mho_crossbar *x, int rows) {
  double sum = 0;
  for (size_t i = 0, n = (size_t)rows * (size_t)x->cols; i < n; i++)
    sum += (double)mho_crossbar_matrix(x)[i] * (double)mho_crossbar_matrix(x)[i];
  return sqrt(sum);
}

/* reach[i][j]: links with weights lead from layer i to layer j. */
static void find_reach(const mho_network *net, bool reach[MHO_LAYERS_MAX][MHO_LAYERS_MAX]) {
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (among_hidden(net, k) && k->scale != 0)
      reach[k->from][k->to] = true;
  }
  for (int via = 1; via < net->n_layers; via++)
    for (int i = 1; i < net->n_layers; i++)
      for (int j = 1; j < net->n_layers && reach[i][via]; j++)
        reach[i][j] |= reach[via][j];
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
  if (!(s->block = mho_alloc((size_t)net->n_links, sizeof *s->block)))
    return mho_fail(ei, MHO_ENOMEM, "no memory for a spectrum");
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    const mho_connection *c = &net->connection[k->connection];
    const mho_crossbar *xb = c->xb;
    int rows = xb->rows - c->bias;
    if (!among_hidden(net, k) || k->scale == 0 || !reach[k->to][k->from])
      continue;
    double norm = fabs((double)k->scale) * frobenius(xb, rows);
    if (!isfinite(norm))
      return mho_fail(ei, MHO_EDIVERGED, "connection %s has weights that are not finite",
                      net->connection[k->connection].name);
    s->block[s->n_blocks++] =
        (block){k, xb, rows, first[k->from], first[k->to], norm, (double)k->scale};
  }
  return MHO_OK;
}

/* Scale every layer by d so that what comes in is as strong as what goes out. */
static void balance(spectrum *s, int n_layers) {
  double d[MHO_LAYERS_MAX], moved = 1;
  for (int l = 0; l < n_layers; l++)
    d[l] = 1;
  for (int round = 0; round < BALANCE_ROUNDS && moved > 1e-12; round++) {
    moved = 0;
    for (int l = 0; l < n_layers; l++) {
      double in = 0, out = 0;
      for (int i = 0; i < s->n_blocks; i++) {
        const mho_link *k = s->block[i].link;
        double v = s->block[i].norm * d[k->to] / d[k->from];
        in += k->to == l ? v * v : 0;
        out += k->from == l ? v * v : 0;
      }
      if (!(in > 0) || !(out > 0))
        continue;
      double factor = sqrt(sqrt(out / in));
      d[l] *= factor;
      moved = fmax(moved, fabs(factor - 1));
    }
  }
  for (int i = 0; i < s->n_blocks; i++)
    s->block[i].scale *= d[s->block[i].link->to] / d[s->block[i].link->from];
}

/* y = x M, row-vector convention (M's eigenvalues are those of its transpose). */
static void multiply(const void *user, const double *restrict x, double *restrict y) {
  const spectrum *s = user;
  for (int i = 0; i < s->n; i++)
    y[i] = 0;
  for (int i = 0; i < s->n_blocks; i++) {
    const block *b = &s->block[i];
    const double *from = x + b->from;
    double *to = y + b->to;
    for (int r = 0; r < b->rows; r++) {
      const mho_real *w = mho_crossbar_matrix(b->xb) + (size_t)r * (size_t)b->xb->cols;
      double sum = 0;
      if (b->link->transposed) {
#pragma omp simd reduction(+ : sum)
        for (int c = 0; c < b->xb->cols; c++)
          sum += from[c] * (double)w[c];
        to[r] += b->scale * sum;
      } else {
        double v = b->scale * from[r];
        for (int c = 0; c < b->xb->cols; c++)
          to[c] += v * (double)w[c];
      }
    }
  }
}

static mho_err dense_radius(const spectrum *s, double *radius, mho_errinfo *ei) {
  size_t n = (size_t)s->n;
  double *m = mho_alloc(n * n, sizeof *m), *re = mho_alloc(2 * n, sizeof *re),
         *im = re ? re + n : NULL;
  mho_err err = m && re ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for a matrix of %d", s->n);
  for (int i = 0; !err && i < s->n_blocks; i++) {
    const block *b = &s->block[i];
    for (int r = 0; r < b->rows; r++)
      for (int c = 0; c < b->xb->cols; c++) {
        int from = b->from + (b->link->transposed ? c : r),
            to = b->to + (b->link->transposed ? r : c);
        m[(size_t)from * n + (size_t)to] +=
            b->scale * (double)mho_crossbar_matrix(b->xb)[r * b->xb->cols + c];
      }
  }
  if (!err)
    err = mho_eigen_dense(s->n, m, re, im, ei);
  for (size_t i = 0; !err && i < n; i++)
    *radius = fmax(*radius, hypot(re[i], im[i]));
  mho_free(m);
  mho_free(re);
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
