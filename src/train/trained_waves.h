/* trained_waves.h - the netlist of a trainer's devices under the waveforms of spikes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_TRAINED_WAVES_H
#define MHO_TRAIN_TRAINED_WAVES_H

#include "train/trainer.h"

/** Under rule.window waveform: the devices of all crossbars that learn, under what the spikes of a
 *  test image put on their lines when it is trained on; the trainer's weights change. As
 *  mho_trainer_netlist_spikes. */
mho_err mho__trainer_netlist_waves(mho_trainer *t, const mho_trained_netlist *o, char **out,
                                   mho_errinfo *ei);

#endif
