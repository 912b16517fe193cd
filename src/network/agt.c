/* agt.c - arbitrary graph topology: the chain, and every other ordered pair of hidden layers
 * with a probability.
 *
 * A link from an earlier to a later layer is trained; one that leads back is feedback. Input
 * enters at the first hidden layer, the read-out reads the last. Which pairs are linked follows
 * from the seed of the weights. With symmetric feedback a link back takes the transposed weights
 * of the link forward, so both ways are drawn together.
 *
 * Source: Liu & Chen, arXiv 2508.11659, section on arbitrary graphs (P = 0.2, asymmetric).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/streams.h"
#include "network/chain.h"

typedef struct agt {
  double probability;
} agt;

static const mho_param table[] = {
    MHO_P_REAL(agt, probability, "link_probability", "", 0.2, 0, 1,
               "of a link between two hidden layers that are not neighbours, each way"),
};

static mho_err build(const mho_topology_input *in, mho_graph *g, mho_errinfo *ei) {
  const agt *p = in->params;
  int hidden = in->config->hidden.n;
  mho_rng rng = mho__stream_graph(in->seed);
  mho__graph_chain(in, g);

  for (int a = 1; a <= hidden; a++)
    for (int b = a + 2; b <= hidden; b++) {
      float u[2];
      mho_rng_uniform(rng, 0, (uint64_t)(a * MHO_LAYERS_MAX + b) * 2, 2, u);
      bool forward = (double)u[0] < p->probability, back = (double)u[1] < p->probability;
      if (in->symmetric)
        back = forward;

      if ((forward && !mho__graph_add(g, a, b)) || (back && !mho__graph_add(g, b, a)))
        return mho_fail(ei, MHO_ECONFIG,
                        "the graph has more than %d links: lower network.link_probability",
                        MHO_EDGES_MAX);
    }
  return MHO_OK;
}

const mho_topology mho_topology_agt = {
    .entry = {.abi = MHO_ABI,
              .id = "agt",
              .title = "arbitrary graph: a chain, and other pairs of layers linked by chance",
              .source = "Liu & Chen, arXiv 2508.11659",
              .params = MHO_PARAMS(agt, table)},
    .build = build,
};
