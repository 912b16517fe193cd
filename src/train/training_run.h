/* training_run.h - a training that is logged, as begun anew or as resumed.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_TRAINING_RUN_H
#define MHO_TRAIN_TRAINING_RUN_H

#include "train/trainer.h"
#include "train/writer.h"

/* A run under way. */
typedef struct mho_training_run {
  const mho_context *ctx;
  const mho_train_options *o;
  mho_trainer *t;
  writer *writer;  /**< Of the epochs; NULL without a store, and when it cannot be had. */
  mho_run_row row; /**< What is written; its texts are not owned. */
  char started[32], ended[32];
  bool by_validation; /**< Best by validation instead of test accuracy. */
  double best;        /**< The accuracy that best_epoch is best by. */
} mho_training_run;

/** A run of this trainer, of which `row` says what is known, running in this process from now
 * on. */
mho_training_run mho__training_run_of(const mho_context *ctx, const mho_train_options *o,
                                      mho_trainer *t, const mho_run_row *row);
/** Train one more epoch and evaluate; energy_j stays NaN. As mho_trainer_epoch. */
mho_err mho__training_epoch(mho_trainer *t, mho_epoch_row *row, mho_errinfo *ei);
/** Train from where the trainer stands to the last epoch, and store how it ended. */
mho_err mho__training_run_to_end(mho_training_run *g, mho_train_result *result, mho_errinfo *ei);

#endif
