/* trained_resistors.h - a trainer's network of resistors as a circuit.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_TRAINED_RESISTORS_H
#define MHO_TRAIN_TRAINED_RESISTORS_H

#include "mho/model/circuit.h"
#include "train/trainer.h"

/* mho_trainer_cosim_network and mho_trainer_netlist_network of a network of resistors. Besides,
 * MHO_EUNSUPPORTED for a transient, for reduced inputs, and as of mho_netlist_resistors_check. */
mho_err mho__trainer_cosim_resistors(mho_trainer *t, mho_spice *s, int n, bool transient,
                                     bool norton, mho_cosim_result result, void *user,
                                     mho_errinfo *ei);
mho_err mho__trainer_netlist_resistors(mho_trainer *t, const mho_trained_netlist *o, char **out,
                                       mho_errinfo *ei);

#endif
