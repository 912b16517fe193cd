/* control.h - the links by which controls of the read-out come straight into hidden layers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_NETWORK_CONTROL_H
#define MHO_NETWORK_CONTROL_H

#include "mho/model/network.h"

/** Whether the arrays of a network's controls follow from its forward weights. */
static inline bool mho__control_is_product(const mho_network *net) {
  return net->path == MHO_PATH_DIRECT && net->q.kind == MHO_CONTROL_PRODUCT;
}

/** Add a link of controls from the read-out into every hidden layer of a graph, of weights that
 *  learn where q says so.
 *  @return MHO_OK; MHO_ECONFIG when the graph is full. */
mho_err mho__control_plan(const mho_control_config *q, mho_graph *g, mho_errinfo *ei);

/** The arrays of all control links from the forward weights as they are: the product of those on
 *  the way to the read-out, summed over all ways, with w_max by its largest entry.
 *  @param weight_range  w_max over that entry, as of drawn weights (device.weight_range).
 *  @return MHO_OK; MHO_ENOMEM; MHO_ECONFIG where patches or pooling are on the way, or a layer has
 *          no way to the read-out. */
mho_err mho__control_write_products(mho_network *net, double weight_range, mho_errinfo *ei);

#endif
