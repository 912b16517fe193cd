/* subckt.h - the subcircuits that netlists are made of; models/<name>.lib hold the same text.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_SUBCKT_H
#define MHO_SPICE_SUBCKT_H

#include "mho/model/neuron.h"
#include "spice/netlist_crossbar.h"
#include "spice/netlist_text.h"

/* Virtual grounds of a positive and a negative line, and their difference as a current. */
void mho__subckt_sense(mho_spice_text *t);
/* Virtual ground of a line of another bank than those of a pair. */
void mho__subckt_sense_alone(mho_spice_text *t);
/* Membrane and activity of a neuron; one that has no expression gives nothing and false. */
bool mho__subckt_neuron(mho_spice_text *t, const mho_neuron *neuron);
/* Its activity without a membrane, of inputs that flow on into one; it has an expression. */
void mho__subckt_copy(mho_spice_text *t, const mho_neuron *neuron);
/* Membrane of a read-out unit. */
void mho__subckt_readout(mho_spice_text *t);

/* "rp_x_h1_3_4": the resistor from line i to line j of a link's positive (sign 'p') or negative
 * ('n') devices, or those of another bank's letter. */
enum { MHO_NETLIST_NAME = 96 };
void mho__netlist_resistor(char name[MHO_NETLIST_NAME], char sign, const char *from, const char *to,
                           int i, int j);

#endif
