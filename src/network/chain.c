/* chain.c - layers and edges of a graph.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "network/chain.h"

void mho__graph_layers(const mho_topology_input *in, mho_graph *g) {
  int hidden = in->config->hidden.n;
  g->n_layers = hidden + 2;
  g->size[0] = in->features;
  if (in->channels * in->height * in->width == in->features) {
    g->channels[0] = in->channels;
    g->height[0] = in->height;
    g->width[0] = in->width;
  }

  for (int l = 0; l < hidden; l++)
    g->size[l + 1] = in->config->hidden.v[l];
  g->size[hidden + 1] = in->classes;
}

void mho__graph_chain(const mho_topology_input *in, mho_graph *g) {
  mho__graph_layers(in, g);
  for (int l = 0; l + 1 < g->n_layers; l++) {
    mho__graph_add(g, l, l + 1);
    if (l > 0)
      mho__graph_add(g, l + 1, l);
  }
}

bool mho__graph_add(mho_graph *g, int from, int to) {
  for (int i = 0; i < g->n_edges; i++)
    if (g->edge[i].from == from && g->edge[i].to == to)
      return false;
  if (g->n_edges == MHO_EDGES_MAX)
    return false;

  bool forward = from < to;
  g->edge[g->n_edges++] = (mho_edge){
      .from = from, .to = to, .role = forward ? MHO_FORWARD : MHO_FEEDBACK, .trained = forward};
  return true;
}
