/* netlist_controller.h - a controller at the read-out, as part of the netlist of a network.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_NETLIST_CONTROLLER_H
#define MHO_SPICE_NETLIST_CONTROLLER_H

#include "mho/model/circuit.h"
#include "spice/subckt.h"

/* Parts of a netlist with x->controller. Its numbers as parameters; the second activity of neuron
 * j; the controllers themselves. */
void mho__controller_parameters(mho_spice_text *t, const mho_netlist_network *x);
void mho__controller_copy(mho_spice_text *t, const mho_layer *layer, int j);
void mho__controller_write(mho_spice_text *t, const mho_netlist_network *x);
/* What is saved beside the states, printed under control, and expected then. */
void mho__controller_saves(mho_spice_text *t, const mho_netlist_network *x);
void mho__controller_prints(mho_spice_text *t, const mho_netlist_network *x);
void mho__controller_expect(mho_spice_text *t, const mho_netlist_network *x);

#endif
