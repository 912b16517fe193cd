/* spike_portrait.h - what the neurons of a network that spikes have become, kept for its report.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_SPIKE_PORTRAIT_H
#define MHO_TRAIN_SPIKE_PORTRAIT_H

#include "mho/store.h"
#include "mho/train.h"

/** Keep with a run, as an artifact of kind "spikes", in JSON:
 *
 *    {"sample": 0, "label": 7, "seconds": T, "images": n, "inputs": n,
 *     "layer": [{"name": "h1", "rate": [Hz], "threshold": [], "vote": [class or null]}],
 *     "spike": [[seconds, layer, neuron]],
 *     "field": {"width":, "height":, "channels":, "low":, "high":, "pixels": [hexadecimal]}}
 *
 *  the spikes of the first test sample, inputs (layer 0) among them; mean rates of hidden neurons
 *  over the first test samples, and their thresholds behind that sample, and where neurons vote,
 *  for what; and where inputs are images, the weights from them to the first neurons of the first
 *  hidden layer, channel after channel, 00 for a weight of `low` and ff for `high`. Nothing where
 *  neurons do not spike.
 *  @return MHO_OK; MHO_ENOMEM; errors of the settle and of the store. */
mho_err mho__spike_portrait_store(mho_trainer *t, mho_store *s, const char *run_id,
                                  mho_errinfo *ei);

#endif
