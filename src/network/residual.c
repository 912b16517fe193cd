/* residual.c - the chain with the paper's skips: h_s to h_{s+3} for s = 1, 4, 7, ..., forward
 * and feedback.
 *
 * Source: Liu & Chen, arXiv 2508.11659, section on residual connections.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "network/chain.h"

enum { SKIP = 3 };

static mho_err build(const mho_topology_input *in, mho_graph *g, mho_errinfo *ei) {
  mho__graph_chain(in, g);
  for (int s = 1; s + SKIP <= in->config->hidden.n; s += SKIP) {
    mho__graph_add(g, s, s + SKIP);
    mho__graph_add(g, s + SKIP, s);
  }
  return MHO_OK;
}

const mho_topology mho_topology_residual = {
    .entry = {.abi = MHO_ABI,
              .id = "residual",
              .title = "a chain with skips over three layers, forward and feedback",
              .equation = "h_s <-> h_{s+3} for s = 1, 4, 7, ...",
              .source = "Liu & Chen, arXiv 2508.11659"},
    .build = build,
};
