/* spiking_edges.c - the edges of a network whose neurons spike.
 *
 * No error comes back, so that feedback edges of a topology are taken off, all of those out of the
 * read-out, and those between hidden layers but where network.back keeps them. Lateral edges have
 * the sign -1: what they bring is subtracted. Links of context lead from the read-out, whose units
 * then stand for the label, into every hidden layer.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "network/spiking_edges.h"

static bool is_kept(const mho_network_config *c, const mho_graph *g, mho_edge e) {
  if (e.role != MHO_FEEDBACK)
    return true;
  return c->back && e.from < g->n_layers - 1;
}

mho_err mho__spiking_edges(const mho_network_config *c, mho_graph *g, mho_errinfo *ei) {
  int kept = 0, hidden = g->n_layers - 2;
  for (int i = 0; i < g->n_edges; i++)
    if (is_kept(c, g, g->edge[i]))
      g->edge[kept++] = g->edge[i];
  g->n_edges = kept;

  if (!c->lateral)
    return MHO_OK;
  if (g->n_edges + hidden > MHO_EDGES_MAX)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.lateral: there is no room for links in %d layers: use fewer links",
                    hidden);
  for (int l = 1; l <= hidden; l++)
    g->edge[g->n_edges++] = (mho_edge){.from = l, .to = l, .role = MHO_LATERAL, .sign = -1};
  return MHO_OK;
}

mho_err mho__context_edges(mho_graph *g, mho_errinfo *ei) {
  int label = g->n_layers - 1, end = g->outputs ? g->outputs : label;
  if (g->n_edges + end - 1 > MHO_EDGES_MAX)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.context: there is no room for links in %d layers: use fewer links",
                    end - 1);
  for (int l = 1; l < end; l++)
    g->edge[g->n_edges++] =
        (mho_edge){.from = label, .to = l, .role = MHO_CONTEXT, .trained = true};
  return MHO_OK;
}

mho_err mho__lateral_weights(mho_crossbar *xb, mho_errinfo *ei) {
  size_t n = mho_crossbar_cells(xb), cols = (size_t)xb->cols;
  mho_real *w = mho_alloc(n, sizeof *w);
  if (!w)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %zu lateral weights", n);

  for (size_t i = 0; i < n; i++)
    w[i] = i / cols != i % cols;
  mho_crossbar_set(xb, 0, n, w);
  mho_free(w);
  return MHO_OK;
}
