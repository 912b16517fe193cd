/* votes.h - what the neurons of the last hidden layer say of a sample, by what they fire for.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_VOTES_H
#define MHO_SETTLE_VOTES_H

#include "mho/model/settle.h"

/** Variables of a dynamics whose neurons vote: the class that each answers most, plus 1, or 0 where
 *  it has none; the update after which they were found, plus 1; and what each answers to a class,
 *  over the sum for all of them. */
#define MHO_VOTES_VARIABLES                                                                        \
  {"label", MHO_PER_UNIT, true, true}, {"labelled", MHO_PER_NETWORK, true, true}, {                \
    "proportion", MHO_PER_VOTE, true, true                                                         \
  }

/** The layer whose neurons vote. */
static inline int mho__votes_layer(const mho_network *net) {
  return mho_network_output(net) - 1;
}
/** The labels of its neurons, [n], among variables that have them. */
double *mho__votes_labels(const mho_vars *v);
/** How they answer classes, over the sum for all, [n x classes]; NULL where they vote by label. */
double *mho__votes_proportions(const mho_vars *v);
/** The update after which they were found, plus 1. */
double *mho__votes_labelled(const mho_vars *v);
/** Votes of a phase's samples: for a class the mean activity of the neurons with its label, or the
 *  sum of activities by their proportions, over the sum for all classes; all 0 where no neuron is
 *  active.
 *  @param y  [n x classes]. */
void mho__votes(const mho_phase *p, mho_real *y);

#endif
