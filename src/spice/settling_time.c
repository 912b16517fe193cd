/* settling_time.c - how long a network takes to come to rest.
 *
 * With T the slope of every neuron's input with every other's at the state of rest, a small
 * deviation a of the inputs follows tau da/dt = (T - 1) a, so that the slowest part of it falls as
 * exp(-(1 - max Re eig T) t/tau).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "mho/model/circuit.h"
#include "mho/model/num.h"
#include "mho/spice.h"
#include "spice/netlist_crossbar.h"

/* The hidden neurons of a network, one layer after another. */
typedef struct neurons {
  const mho_network *net;
  int n, first[MHO_LAYERS_MAX]; /* all; the first of a layer */
  mho_real *activity, *slope;   /* [n] */
} neurons;

static void find_slopes(const neurons *v, const double *const *z) {
  const mho_network *net = v->net;
  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_layer *layer = &net->layer[l];
    mho_real *at = v->activity + v->first[l], *slope = v->slope + v->first[l];
    for (int j = 0; j < layer->n; j++) {
      at[j] = (mho_real)z[l][j];
      slope[j] = 1;
    }
    layer->neuron->scale_by_slope(layer->n, at, slope);
  }
}

static void add_link(const neurons *v, const mho_link *k, double *m) {
  const mho_network *net = v->net;
  const mho_crossbar *xb = net->connection[k->connection].xb;

  for (int a = 0; a < net->layer[k->from].n; a++)
    for (int b = 0; b < net->layer[k->to].n; b++) {
      int row = k->transposed ? b : a;
      int col = k->transposed ? a : b;
      size_t cell = mho__core_cell(xb, row, col);
      int from = v->first[k->from] + a, to = v->first[k->to] + b;
      m[(size_t)to * (size_t)v->n + (size_t)from] +=
          (double)k->scale * (double)mho_crossbar_matrix(xb)[cell] * (double)v->slope[from];
    }
}

/* d(input of row)/d(input of column) at the activities z, [n x n] over all hidden neurons. Leaves
 * v's arrays to be freed. */
static mho_err jacobian(neurons *v, const double *const *z, double *m, mho_errinfo *ei) {
  const mho_network *net = v->net;
  v->slope = mho_alloc((size_t)v->n, sizeof *v->slope);
  v->activity = mho_alloc((size_t)v->n, sizeof *v->activity);
  if (!v->slope || !v->activity)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d neurons", v->n);

  find_slopes(v, z);
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (net->layer[k->from].neuron && net->layer[k->to].neuron)
      add_link(v, k, m);
  }
  return MHO_OK;
}

mho_err mho_netlist_settling_time(const mho_network *net, const double *const *z, double tau,
                                  double *out, mho_errinfo *ei) {
  neurons v = {.net = net};
  mho_err err = mho_netlist_network_check(net, ei);
  if (err)
    return err;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    v.first[l] = v.n;
    v.n += net->layer[l].n;
  }

  size_t n = (size_t)v.n;
  double *m = mho_alloc(n * n, sizeof *m);
  double *re = mho_alloc(n, sizeof *re), *im = mho_alloc(n, sizeof *im);

  if (m && re && im)
    err = jacobian(&v, z, m, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory for %d neurons", v.n);
  if (!err)
    err = mho_eigen_dense(v.n, m, re, im, ei);

  double most = -INFINITY;
  if (!err)
    for (int i = 0; i < v.n; i++)
      most = fmax(most, re[i]);
  *out = most < 1 ? 24 * tau / (1 - most) : (double)INFINITY;

  mho_free(v.slope);
  mho_free(v.activity);
  mho_free(m);
  mho_free(re);
  mho_free(im);
  return err;
}
