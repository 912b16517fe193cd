/* spike_rates.h - how often hidden neurons fire in the samples that are learned from.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_SPIKE_RATES_H
#define MHO_TRAIN_SPIKE_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "mho/experiment.h"
#include "mho/model/network.h"

/** The clock of an experiment, or its time between events. */
typedef struct mho_timing {
  double steps, rest; /**< Of a phase: with inputs, and without; 0 between events. */
  double dt;          /**< s; 0 between events. */
  double seconds;     /**< Of a phase. */
  double unit;        /**< s in which an activity of 1 is a spike. */
} mho_timing;
/** @return false where the settler has neither. */
bool mho__timing_of(const mho_experiment *e, mho_timing *out);

typedef struct mho_trainer mho_trainer;

/* Of the epoch under way, since it was begun or resumed. */
typedef struct mho_spike_rates {
  int64_t samples;
  double activity[MHO_LAYERS_MAX];  /**< Sum over samples and neurons of spikes a step. */
  double potential[MHO_LAYERS_MAX]; /**< Largest at the end of a sample. */
  bool is_settled;                  /**< It has been said, or there is nothing to say. */
} mho_spike_rates;

/** Add what the n samples have fired that the learner has just learned from. Nothing after the
 *  first epoch, and where neurons have no potentials. */
void mho__spike_rates_add(mho_trainer *t, int n);
/** As soon as the first epoch has shown enough samples, and at its end (`ends`), say once whether a
 *  layer never fires, or whenever it can, and which key to turn. */
void mho__spike_rates_warn(mho_trainer *t, bool ends);

#endif
