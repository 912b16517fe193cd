/* importance.h - what hidden neurons count for, by the weights that lead into them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_IMPORTANCE_H
#define MHO_RULE_IMPORTANCE_H

#include "mho/model/rule.h"

/** Factors of a network's neurons, and what finding them took. */
typedef struct mho_importance {
  const mho_network *net;
  const mho_gradient_config *config;
  /** [n_layers] of [n of the layer]; NULL for the input and the read-out. */
  mho_real **factor;
  bool valid; /**< they have been found */
  /** Vectors read through each crossbar that leads into a hidden layer, in the epoch under way. */
  double reads;
  double **sum;    /**< [n_layers] of [n of the layer]: of what leads into a neuron */
  mho_real *added; /**< [cells of the largest crossbar] the banks' currents added */
  mho_real *x, *y; /**< lines and sums of some reads */
  mho_real *room, *scratch;
} mho_importance;

/** Room for the factors of a network's hidden neurons. What is given must outlive it.
 *  @return MHO_OK; MHO_ENOMEM. */
mho_err mho__importance_new(const mho_network *net, const mho_gradient_config *config,
                            mho_importance **out, mho_errinfo *ei);
/** Frees what mho__importance_new made; NULL is allowed. */
void mho__importance_free(mho_importance *p);
/** The factors of the weights as they are now:
 *
 *    m_j = clip(high I_j/max_k I_k, low, high),  I_j = sum over weights into j of |w|
 *
 *  @param update  by which probes and the noise of reads are drawn. */
void mho__importance_find(mho_importance *p, uint64_t update);
/** How many vectors one mho__importance_find reads through a crossbar. */
int mho__importance_reads(const mho_gradient_config *config);
/** Whether a connection's columns are those of hidden neurons, so that its weights count. */
bool mho__importance_counts(const mho_network *net, const mho_connection *k);

#endif
