/* batch.h - a batch of samples settled by the rule.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_BATCH_H
#define MHO_TRAIN_BATCH_H

#include "train/trainer.h"

typedef struct mho_batch {
  mho_trainer *t;
  const mho_images *images;
  const int *index; /**< [n] of the images; NULL: first .. first+n-1. */
  /** [n x features] inputs in place of images, to be predicted; NULL: images. */
  const mho_real *x;
  int first, n;
  bool learn;      /**< Errors too, not only states. */
  bool metered;    /**< Reads are counted, where the trainer counts them. */
  bool augment;    /**< The images, which index names. */
  bool trains;     /**< It is part of a training: kept variables go on, changes may be applied. */
  uint64_t update; /**< Number of the noise. */
} mho_batch;

/** Settle a batch into the trainer's states and errors.
 *  @param sum  its chunks' statistics, added in a fixed order.
 *  @return MHO_OK; errors of the rule's trial, and what the settler could not do. */
mho_err mho__batch_run(const mho_batch *b, mho_rule_stats *sum, mho_errinfo *ei);
/** Add one batch's or chunk's statistics to a sum; of the residuals the largest counts. */
void mho__rule_stats_add(mho_rule_stats *sum, const mho_rule_stats *s);

/** Whether the converters' full scales are due before update number `update` (-1: before no update,
 * where they are due only when there are none yet). They are the same for all crossbars. */
bool mho__calibration_due(const mho_trainer *t, int64_t update);
/** Full scales before the first update, when there are none yet. */
void mho__calibrate_at_rest(mho_trainer *t);
/** Settle a batch as in learning, with the converters' full scales growing to what they see. */
void mho__batch_calibrate(const mho_batch *b);

#endif
