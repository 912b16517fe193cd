/* run_record.h - what the database says of a run and of its connections.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_RUN_RECORD_H
#define MHO_TRAIN_RUN_RECORD_H

#include "train/trainer.h"

/* Texts that a run's record points to. */
typedef struct mho_run_texts {
  char *config; /**< JSON */
  char hash[65], host[64];
} mho_run_texts;

/** The record of a new run of a trainer, with an id of its own: config, seed, data, program and
 * machine; no status, no name, and no results yet. The texts must last as long as the record.
 * @param code_version  nullable.
 * @param kind  NULL for a training; else the run's kind, which enters the hash, so that it is never
 *              that of a training of the same config.
 * @return MHO_OK; MHO_ENOMEM. */
mho_err mho__run_record(const mho_trainer *t, const char *code_version, const char *kind,
                        mho_run_texts *texts, mho_run_row *out, mho_errinfo *ei);
void mho__run_texts_free(mho_run_texts *texts);

/** Records of the connections as they are now, [*n]: of those that are trained, which come first,
 *  and of fixed arrays of controls. Free with mho_free; NULL: no memory. */
mho_layer_row *mho__trainer_layers(const mho_trainer *t, int *n);

/** What the network answers to the first test samples, where targets are values; *out NULL where
 * they are classes. Free it with mho_free.
 *  @return MHO_OK; MHO_ENOMEM; errors of the settler. */
mho_err mho__trainer_predictions(mho_trainer *t, mho_prediction_row **out, int *n, mho_errinfo *ei);

#endif
