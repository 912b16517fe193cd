/* layered.c - the plain chain: x -> h1 -> ... -> hL -> out, feedback between neighbours.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "network/chain.h"

static mho_err build(const mho_topology_input *in, mho_graph *g, mho_errinfo *ei) {
  mho__graph_chain(in, g);
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
