/* sample_order.h - in which order the training samples come.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_SAMPLE_ORDER_H
#define MHO_TRAIN_SAMPLE_ORDER_H

#include "mho/model/check.h"

typedef struct mho_order {
  int n;         /**< Samples. */
  int size;      /**< Of a batch. */
  int shuffle;   /**< MHO_SHUFFLE_... */
  uint64_t seed; /**< Of all orders. */
  int *cut;      /**< [n] as they were cut into batches, once. */
  int *batches;  /**< [n] order of the batches in this epoch; only the first are used. */
  int *sample;   /**< [n] in the order of this epoch. */
} mho_order;

/** The order of n samples as section train says; there is none before the first draw.
 *  MHO_ENOMEM. */
mho_err mho__order_new(const mho_train_config *c, int n, uint64_t seed, mho_order *o,
                       mho_errinfo *ei);
/** Frees what an order holds. */
void mho__order_free(mho_order *o);
/** Draw the order of an epoch. */
void mho__order_draw(mho_order *o, int epoch);

#endif
