/* standing.h - where a training stands, and what it has counted in the epoch under way.
 *
 * All of it is part of a checkpoint. The learner counts reads here and the updater pulses; both
 * take the number of the next update from here, by which noise is drawn.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_STANDING_H
#define MHO_TRAIN_STANDING_H

#include "mho/model/check.h"

/* What an epoch has summed up so far; a checkpoint within an epoch has it as it is here. */
typedef struct mho_epoch_sums {
  double loss, steps, reads, set, reset, clipped, truncated, verify_reads, wall_s;
  int64_t samples, correct, unsettled;
} mho_epoch_sums;

/* What was done to one connection's devices in this epoch, for its energy and time; see
 * mho_pulse_counts. */
typedef struct mho_writes {
  double reads, slots, coincided, half;
} mho_writes;

typedef struct mho_standing {
  int epoch;      /**< Completed. */
  int64_t batch;  /**< Done of the epoch under way. */
  int64_t update; /**< Done in all. */
  /** Done of the epoch's passes that come before its own, see mho_rule.feedback_passes. */
  int pass;
  /* Of the epoch under way: */
  mho_epoch_sums sums;
  int n_trained;
  int64_t *taught;    /**< [n_trained] Updates that have taught each connection, in all. */
  double *pulses;     /**< [n_trained] */
  mho_writes *writes; /**< [n_trained] */
  mho_meter *meter;   /**< Reads; NULL where energy is not counted. */
} mho_standing;

/** The start of a training, with a meter where energy is counted: on devices, unless the config
 *  says not to, and where the settler's reads are counted. MHO_ENOMEM. */
mho_err mho__standing_new(const mho_experiment *e, const mho_network *net, mho_standing *s,
                          mho_errinfo *ei);
/** Frees what a standing holds. */
void mho__standing_free(mho_standing *s);
/** Every connection has been taught by all updates so far, as most rules do. */
void mho__standing_teach_all(mho_standing *s);
/** Every count of the epoch to 0. */
void mho__standing_begin_epoch(mho_standing *s);
/** Add what was done to a connection's devices. */
void mho__standing_count(mho_standing *s, int connection, const mho_pulse_counts *c);

#endif
