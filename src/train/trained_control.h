/* trained_control.h - a trainer's network under its controller as a circuit.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_TRAINED_CONTROL_H
#define MHO_TRAIN_TRAINED_CONTROL_H

#include "mho/model/circuit.h"
#include "train/trainer.h"

/* mho_trainer_cosim_network and mho_trainer_netlist_network of a rule with a controller
 * (mho_rule.controls). Besides, MHO_EUNSUPPORTED as of mho_netlist_control_check, and MHO_EDIVERGED
 * where a sample has no rest under control. */
mho_err mho__trainer_cosim_control(mho_trainer *t, mho_spice *s, int n, mho_cosim_result result,
                                   void *user, mho_errinfo *ei);
mho_err mho__trainer_netlist_control(mho_trainer *t, const mho_trained_netlist *o, char **out,
                                     mho_errinfo *ei);

#endif
