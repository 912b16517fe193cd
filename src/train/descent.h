/* descent.h - conductances that take a plain step down a gradient of few outer products, in one
 * pass over them.
 *
 * A step takes as long as the conductances take to be read and written once, where gradient, wanted
 * change and write one after another take several times that. Batches are small: 4 samples.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_DESCENT_H
#define MHO_TRAIN_DESCENT_H

#include "mho/model/check.h"

/** Whether an experiment's step of a connection is G <- max(G - rate times the gradient, 0) and
 *  nothing else, of so few products that one pass is faster. */
bool mho__descends(const mho_experiment *e, const mho_connection *k, const mho_change *change);
/** That step, of rows row0 .. row0+rows-1.
 *  @param bias_rate  the rate of the row of a bias.
 *  @param scratch  [2 x columns].
 *  @return how many conductances were clipped. */
int mho__descend(const mho_connection *k, const mho_change *change, double rate, double bias_rate,
                 int row0, int rows, mho_real *scratch);

#endif
