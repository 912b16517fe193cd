/* loaded_resistors.h - a network of resistors loaded into ngspice, settled for one sample after
 * another.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_LOADED_RESISTORS_H
#define MHO_SPICE_LOADED_RESISTORS_H

#include "mho/model/circuit.h"
#include "mho/model/settle.h"

typedef struct mho_loaded_resistors mho_loaded_resistors;

/* Load the circuit of mho_netlist_resistors into a session, which stays the caller's. Units are
 * those of its conductances now, from then on.
 * @return MHO_OK; as mho_netlist_resistors_check; MHO_ESPICE; MHO_ENOMEM. */
mho_err mho__loaded_resistors_new(mho_spice *s, const mho_network *net,
                                  const mho_device_config *device, mho_loaded_resistors **out,
                                  mho_errinfo *ei);
/* Free what is known of the circuit, not the session; NULL is allowed. */
void mho__loaded_resistors_free(mho_loaded_resistors *r);
/* Alter the resistors and sources of the conductances and biases that differ from those of the
 * circuit. net: one that differs in nothing else from what was loaded.
 * @return as mho__loaded_resistors_new. */
mho_err mho__loaded_resistors_refresh(mho_loaded_resistors *r, const mho_network *net,
                                      mho_errinfo *ei);
/* Settle sample `number` of a phase by .op, with its inputs and its nudge.
 * @param z  [n_layers] of [n], out: voltages of the nodes, outputs last, in units of the network.
 * @return MHO_OK; MHO_ESPICE. */
mho_err mho__loaded_resistors_settle(mho_loaded_resistors *r, const mho_phase *p, int number,
                                     double *const *z, mho_errinfo *ei);

#endif
