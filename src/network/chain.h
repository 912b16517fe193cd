/* chain.h - what the topologies are built from.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_NETWORK_CHAIN_H
#define MHO_NETWORK_CHAIN_H

#include "mho/model/network.h"

/** Sizes of all layers, no edges. */
void mho__graph_layers(const mho_topology_input *in, mho_graph *g);
/** Sizes of all layers, and edges between neighbours both ways (none leads back into the input). */
void mho__graph_chain(const mho_topology_input *in, mho_graph *g);
/** Add an edge: forward and trained, or feedback when `from` is behind `to`.
 *  @return false when it is there already or the graph is full. */
bool mho__graph_add(mho_graph *g, int from, int to);

#endif
