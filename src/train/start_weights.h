/* start_weights.h - weights that a training begins with in place of drawn ones.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_START_WEIGHTS_H
#define MHO_TRAIN_START_WEIGHTS_H

#include "mho/model/network.h"

typedef struct mho_brought {
  int n_trained;
  double *drawn_range; /**< [n_trained] w_max as the config says, of drawn weights. */
  bool ranged;         /**< w_max is that of weights that were brought: it is stored. */
  mho_real **weights;  /**< [n_trained] of [weights] to be written; NULL but at the start. */
} mho_brought;

/** Nothing is brought yet. MHO_ENOMEM. */
mho_err mho__brought_new(const mho_network *net, mho_brought *b, mho_errinfo *ei);
/** Frees what it holds. */
void mho__brought_free(mho_brought *b);
/** Forget the weights that were to be written. */
void mho__brought_forget(mho_brought *b);

/** Conductances of one bank as they are (S, [cells]), within the bounds of every cell; what write
 * noise has left on top of a state shows beyond them too. The crossbar is not refreshed. */
void mho__bank_set(mho_cells *c, const double *siemens);
/** Whether a bank's cell cannot take a conductance, which an open one and one with write noise on
 * top always can. */
bool mho__bank_refuses(const mho_cells *c, size_t cell, double siemens);

#endif
