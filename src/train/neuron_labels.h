/* neuron_labels.h - which classes each neuron votes for.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_NEURON_LABELS_H
#define MHO_TRAIN_NEURON_LABELS_H

#include "train/trainer.h"

/** The labels and proportions of the neurons that vote (network.output votes), found anew where the
 *  weights have changed since; does nothing where none vote.
 *  @return MHO_OK; MHO_ENOMEM; errors of the learner. */
mho_err mho__neuron_labels(mho_trainer *t, mho_errinfo *ei);

#endif
