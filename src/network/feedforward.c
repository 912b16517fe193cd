/* feedforward.c - the net that backpropagation is defined on: another one's layers, forward
 * links and weights, the transposes of those links as its feedback, and reads without noise.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "array/product.h"
#include "mho/model/network.h"

static const mho_array_model exact = {
    .entry = {.abi = MHO_ABI, .id = "exact", .title = "exact products"},
    .exact = true,
    .read = mho__array_product};

/* Links into layer l: net's forward ones, then from wherever net leads forward out of l. */
static void add_links(mho_network *f, const mho_network *net, int l) {
  mho_layer *layer = &f->layer[l];
  layer->forward = f->n_links;
  for (int i = 0; i < layer->n_forward; i++)
    f->link[f->n_links++] = net->link[net->layer[l].forward + i];

  layer->feedback = f->n_links;
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (k->from == l && k->role == MHO_FORWARD)
      f->link[f->n_links++] = (mho_link){.from = k->to,
                                         .to = l,
                                         .role = MHO_FEEDBACK,
                                         .connection = k->connection,
                                         .transposed = !k->transposed,
                                         .scale = k->scale,
                                         .plain = k->plain};
  }
  layer->n_feedback = f->n_links - layer->feedback;
  layer->n_other = layer->n_credit = 0;
}

/* The crossbars of net, read exactly. */
static void share_crossbars(mho_network *f, const mho_network *net, mho_crossbar *xb) {
  for (int c = 0; c < net->n_connections; c++) {
    const mho_crossbar *x = net->connection[c].xb;
    xb[c] = (mho_crossbar){.rows = x->rows,
                           .cols = x->cols,
                           .weights = x->weights,
                           .w_max = x->w_max,
                           .panels = x->panels,
                           .model = &exact};
    f->connection[c].xb = &xb[c];
  }
  f->array.model = &exact;
  f->array.params = NULL;
  f->array.crossbar = xb;
}

mho_err mho_network_feedforward(const mho_network *net, mho_network **out, mho_errinfo *ei) {
  size_t layers = (size_t)net->n_layers, connections = (size_t)net->n_connections;
  mho_network *f = mho_alloc(1, sizeof *f);
  mho_crossbar *xb = mho_alloc(connections, sizeof *xb);
  mho_layer *layer = mho_alloc(layers, sizeof *layer);
  mho_connection *connection = mho_alloc(connections, sizeof *connection);
  mho_link *link = mho_alloc(2 * (size_t)net->n_links, sizeof *link);
  *out = NULL;
  if (!f || !xb || !layer || !connection || !link) {
    mho_free(f);
    mho_free(xb);
    mho_free(layer);
    mho_free(connection);
    mho_free(link);
    return mho_fail(ei, MHO_ENOMEM, "no memory for a network of %d layers", net->n_layers);
  }

  *f = *net;
  f->n_links = f->n_credits = 0;
  f->layer = memcpy(layer, net->layer, layers * sizeof *layer);
  f->connection = memcpy(connection, net->connection, connections * sizeof *connection);
  f->link = link;
  share_crossbars(f, net, xb);
  for (int l = 1; l < net->n_layers; l++)
    add_links(f, net, l);
  *out = f;
  return MHO_OK;
}

void mho_network_feedforward_free(mho_network *feedforward) {
  if (!feedforward)
    return;

  mho_free(feedforward->connection->xb); /* the crossbars of all connections are one block */
  mho_free(feedforward->connection);
  mho_free(feedforward->layer);
  mho_free(feedforward->link);
  mho_free(feedforward);
}
