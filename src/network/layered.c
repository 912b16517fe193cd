/* layered.c - the plain chain: x -> h1 -> ... -> hL -> out, feedback between neighbours.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/network.h"

static mho_err build(const mho_network_config *config, const void *params, int features, int classes,
                     mho_graph *g, mho_errinfo *ei) {
  g->n_layers = config->hidden.n + 2;
  g->size[0] = features;
  for (int l = 0; l < config->hidden.n; l++)
    g->size[l + 1] = config->hidden.v[l];
  g->size[g->n_layers - 1] = classes;
  for (int l = 0; l + 1 < g->n_layers; l++) {
    g->edge[g->n_edges++] = (mho_edge){l, l + 1};
    if (l > 0) /* nothing leads back into the input */
      g->edge[g->n_edges++] = (mho_edge){l + 1, l};
  }
  return MHO_OK;
}

const mho_topology mho_topology_layered = {
    .entry = {.abi = MHO_ABI,
              .id = "layered",
              .title = "a chain of layers, feedback between neighbours",
              .equation = "z_l = rho(alpha z_{l-1} W_{l-1} + beta_i z_{l+1} B_l)",
              .source = "Liu & Chen, arXiv 2508.11659"},
    .build = build,
};
