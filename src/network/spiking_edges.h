/* spiking_edges.h - the edges of a network whose neurons spike.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_NETWORK_SPIKING_EDGES_H
#define MHO_NETWORK_SPIKING_EDGES_H

#include "mho/model/network.h"

/** Of a topology's edges those that spikes take: forward ones, and between hidden layers back where
 *  network.back says so. With network.lateral every hidden layer inhibits itself.
 *  @return MHO_OK; MHO_ECONFIG where there are too many edges. */
mho_err mho__spiking_edges(const mho_network_config *c, mho_graph *g, mho_errinfo *ei);

/** Links of context: from the read-out, the last layer, into every hidden one, trained.
 *  @return MHO_OK; MHO_ECONFIG where there are too many edges. */
mho_err mho__context_edges(mho_graph *g, mho_errinfo *ei);

/** Weights by which neurons of a layer inhibit each other, 1, and not themselves, 0: into a
 *  [n x n] crossbar. @return MHO_OK; MHO_ENOMEM. */
mho_err mho__lateral_weights(mho_crossbar *xb, mho_errinfo *ei);

#endif
