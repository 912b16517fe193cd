/* neuron_circuit.h - the amplifiers of a network's neurons.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_NETWORK_NEURON_CIRCUIT_H
#define MHO_NETWORK_NEURON_CIRCUIT_H

#include "mho/model/network.h"

/** Draw the neuron circuits of all hidden layers; none where the config (nullable) says ideal.
 *  @return MHO_OK; MHO_ENOMEM, after which mho__neuron_circuits_free frees what there is. */
mho_err mho__neuron_circuits_new(mho_network *net, const mho_circuit_config *c, uint64_t chip_seed,
                                 mho_errinfo *ei);
void mho__neuron_circuits_free(mho_network *net);

#endif
