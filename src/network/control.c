/* control.c - the links by which controls of the read-out come straight into hidden layers.
 *
 *   f_l = u Q_l          u [n x C] controls, Q_l [C x n_l] on a crossbar of its own
 *   Q_l^T = sum over forward links out of l of scale W Q_to^T, Q_out = 1      q: product
 *
 * The product is what leads an error of the read-out back through neurons of slope 1. It has
 * another size in every layer, so that w_max goes by its largest entry: the devices hold its shape
 * on their whole range, and a read gives its size back. Arrays that are random, or learn, are drawn
 * as other weights.
 *
 * Source: A. Meulemans et al., NeurIPS 2021, arXiv 2106.07887 (the arrays and their product).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "network/control.h"

#include <math.h>
#include <string.h>

#include "mho/model/num.h"

/* ---------------------------------------------------------------- links */

static bool has_edge(const mho_graph *g, int from, int to) {
  for (int i = 0; i < g->n_edges; i++)
    if (g->edge[i].from == from && g->edge[i].to == to && g->edge[i].role == MHO_CONTROL)
      return true;
  return false;
}

mho_err mho__control_plan(const mho_control_config *q, mho_graph *g, mho_errinfo *ei) {
  int last = g->n_layers - 1;

  for (int l = 1; l < last; l++) {
    if (has_edge(g, last, l))
      continue;
    if (g->n_edges == MHO_EDGES_MAX)
      return mho_fail(
          ei, MHO_ECONFIG,
          "feedback.path: direct adds a link into every hidden layer, and the graph has "
          "%d links already: use chain, or fewer links",
          MHO_EDGES_MAX);
    g->edge[g->n_edges++] = (mho_edge){
        .from = last, .to = l, .role = MHO_CONTROL, .trained = q->kind == MHO_CONTROL_LEARNED};
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- products */

/* Products of the forward weights from every layer on, [n_layers] of [n x C]. */
typedef struct products {
  const mho_network *net;
  mho_real **of;
} products;

static mho_err no_memory(mho_errinfo *ei) {
  return mho_fail(ei, MHO_ENOMEM, "no memory for the products of weights");
}

static void products_free(products *p) {
  for (int l = 0; p->of && l < p->net->n_layers; l++)
    mho_free(p->of[l]);
  mho_free(p->of);
}

static mho_err products_new(products *p, mho_errinfo *ei) {
  const mho_network *net = p->net;
  size_t classes = (size_t)mho_network_classes(net);
  p->of = mho_alloc((size_t)net->n_layers, sizeof *p->of);
  if (!p->of)
    return no_memory(ei);

  for (int l = 1; l < net->n_layers; l++) {
    p->of[l] = mho_alloc((size_t)net->layer[l].n * classes, sizeof **p->of);
    if (!p->of[l])
      return no_memory(ei);
  }
  return MHO_OK;
}

/* What lies between two layers is a product with the weights alone. */
static mho_err check_link(const mho_network *net, const mho_link *k, mho_errinfo *ei) {
  bool has_patches = net->connection[k->connection].conv.kernel > 0;
  if (!has_patches && !net->layer[k->from].pool.size)
    return MHO_OK;
  return mho_fail(
      ei, MHO_ECONFIG,
      "feedback.q: a product of weights does not lead through %s, as between %s and %s: "
      "use random or learned, or feedback.path chain",
      has_patches ? "patches of an image" : "pooling", net->layer[k->from].name,
      net->layer[k->to].name);
}

/* The product of layer l, from those of the layers that it leads to. */
static mho_err multiply(const products *p, int l, mho_errinfo *ei) {
  const mho_network *net = p->net;
  int n = net->layer[l].n, classes = mho_network_classes(net);

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (k->from != l || k->role != MHO_FORWARD)
      continue;
    mho_err err = check_link(net, k, ei);
    if (err)
      return err;

    /* rows beyond n are a bias */
    const mho_crossbar *x = net->connection[k->connection].xb;
    mho_gemm(false, false, n, classes, x->cols, k->scale, mho_crossbar_matrix(x), x->cols,
             p->of[k->to], classes, 1, p->of[l], classes);
  }
  return MHO_OK;
}

static mho_err multiply_all(const products *p, mho_errinfo *ei) {
  int last = mho_network_output(p->net), classes = mho_network_classes(p->net);
  for (int c = 0; c < classes; c++)
    p->of[last][c * classes + c] = 1;

  for (int l = last - 1; l >= 1; l--) {
    mho_err err = multiply(p, l, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- onto the crossbars */

/* The largest entry of the product of layer l. */
static double top_of(const products *p, int l) {
  size_t n = (size_t)p->net->layer[l].n * (size_t)mho_network_classes(p->net);
  double top = 0;
  for (size_t i = 0; i < n; i++)
    top = fmax(top, fabs((double)p->of[l][i]));
  return top;
}

/* q = the product of layer l transposed, [C x n]. */
static void transpose(const products *p, int l, mho_real *q) {
  int n = p->net->layer[l].n, classes = mho_network_classes(p->net);
  for (int i = 0; i < n; i++)
    for (int c = 0; c < classes; c++)
      q[(size_t)c * (size_t)n + (size_t)i] = p->of[l][(size_t)i * (size_t)classes + (size_t)c];
}

static mho_err write_array(const products *p, const mho_link *k, double weight_range,
                           mho_errinfo *ei) {
  mho_crossbar *x = p->net->connection[k->connection].xb;
  double top = top_of(p, k->to);
  if (!(top > 0))
    return mho_fail(ei, MHO_ECONFIG,
                    "feedback.q: the product of the weights from %s to the read-out is 0, as no "
                    "forward links lead there: use random, or other links",
                    p->net->layer[k->to].name);

  size_t n = mho_crossbar_cells(x);
  mho_real *q = mho_alloc(n, sizeof *q);
  if (!q)
    return no_memory(ei);

  transpose(p, k->to, q);
  mho_crossbar_range(x, top * weight_range);
  mho_crossbar_set(x, 0, n, q);
  mho_free(q);
  return MHO_OK;
}

static mho_err write_all(const products *p, double weight_range, mho_errinfo *ei) {
  const mho_network *net = p->net;
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (!mho_link_has_control(net, k))
      continue;
    mho_err err = write_array(p, k, weight_range, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

mho_err mho__control_write_products(mho_network *net, double weight_range, mho_errinfo *ei) {
  products p = {.net = net};
  mho_err err = products_new(&p, ei);
  if (!err)
    err = multiply_all(&p, ei);
  if (!err)
    err = write_all(&p, weight_range, ei);

  products_free(&p);
  return err;
}
