/* learner.h - from samples to what a rule wants to change: states, errors and lessons of a batch.
 *
 * It cuts a batch into chunks of samples, which threads settle side by side, and leaves the states
 * and errors of all of them. It knows no order of samples and no epochs. A lesson that asks for
 * its changes before its batch ends gets them from the updater.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_LEARNER_H
#define MHO_TRAIN_LEARNER_H

#include "rule/importance.h"
#include "train/updater.h"

/* What a chunk of the batch under way has added up. */
typedef struct mho_chunk_sums {
  mho_rule_stats stats;
  mho_meter *meter; /**< NULL where energy is not counted. */
} mho_chunk_sums;

typedef struct mho_learner {
  const mho_experiment *e;
  const mho_dataset *data;
  mho_network *net;
  mho_pool *pool; /**< Nullable. */
  mho_updater *updater;
  mho_standing *at;

  const mho_rule *rule;
  const mho_settler *settler;
  const mho_dynamics *dynamics;
  bool direct;                /**< The difference is settled itself. */
  mho_apply applies;          /**< When changes are applied. */
  double *factor;             /**< [n_layers] on a layer's error, see mho_lesson.factor. */
  mho_importance *importance; /**< Of hidden neurons; NULL where all learn alike. */

  int capacity;      /**< Samples of a state: a training or evaluation batch. */
  int chunk_samples; /**< That a task settles. */
  mho_state *state[MHO_RULE_STATES];
  mho_real **error;     /**< [n_layers] of [capacity x n] */
  uint8_t *label;       /**< [capacity] of classes. */
  mho_real *value;      /**< [capacity x values]; NULL where targets are classes. */
  mho_vars *vars;       /**< The rule's, in training; NULL where it has none. */
  mho_vars *other_vars; /**< The same when other images are settled than those trained on. */
  /** Those of the dynamics in state[0], of which one or the other are its vars at present. */
  mho_vars *state_vars, *other_state_vars;
  void *own; /**< What the rule works in. */

  mho_thread *thread;    /**< [threads] what each settles with, at its start. */
  mho_chunk_sums *chunk; /**< [chunks] */
  mho_probe watch;       /**< What the settle under way shows to those who ask. */
} mho_learner;

/* Samples that are settled together. */
typedef struct mho_batch {
  const mho_images *images;
  const int *index; /**< [n] of the images; NULL: first .. first+n-1. */
  /** [n x features] inputs in place of images, to be predicted; NULL: images. */
  const mho_real *x;
  int first, n;
  bool learn;    /**< Errors too, not only states. */
  bool feedback; /**< What leads back is taught alone, see mho_rule.learn_feedback. */
  bool metered;  /**< Reads are counted, where energy is. */
  bool trains;   /**< It is part of a training: kept variables go on, changes may be applied. */
  /** Random numbers by which images, which index names, are cropped and flipped; NULL: they are
   *  not. */
  const mho_rng *augment;
  uint64_t update; /**< Number of the noise. */
} mho_batch;

/** A learner of the network that the updater changes. What is given must outlive it.
 *  @return MHO_OK; MHO_ENOMEM; errors of the rule and of the settler. */
mho_err mho__learner_new(const mho_experiment *e, const mho_dataset *data, mho_updater *updater,
                         mho_learner **out, mho_errinfo *ei);
/** Frees a learner; NULL is allowed. */
void mho__learner_free(mho_learner *learner);
/** How many phases the rule settles, the free one among them. */
int mho__learner_phases(const mho_learner *learner);
/** Whether the states of nudged phases have room, too, where the difference is settled itself. */
bool mho__learner_has_nudged(const mho_learner *learner);

/** Settle a batch, of at most `capacity` samples, into the learner's states and errors.
 *  @param sum  its chunks' statistics, added in a fixed order.
 *  @return MHO_OK; errors of the rule's trial, and what the settler could not do. */
mho_err mho__learner_run(mho_learner *learner, const mho_batch *b, mho_rule_stats *sum,
                         mho_errinfo *ei);
/** Inputs of n samples as they are held at the rails of a network of resistors, gain x and -gain x
 *  of each sample, in place of x [n x features]: from the last one on, whose place lies behind
 *  them. */
void mho__double_inputs(int n, size_t features, double gain, mho_real *x);
/** What the batch's samples should be answered with. */
mho_targets mho__learner_targets(const mho_learner *learner);
/** The lesson that a whole batch of n samples was, for mho_rule.change. */
mho_lesson mho__learner_lesson(const mho_learner *learner, int n);
/** Add one batch's or chunk's statistics to a sum; of the residuals the largest counts. */
void mho__rule_stats_add(mho_rule_stats *sum, const mho_rule_stats *s);

/** Whether the converters' full scales are due before update number `update` (-1: before no update,
 * where they are due only when there are none yet). They are the same for all crossbars. */
bool mho__learner_calibration_due(const mho_learner *learner, int64_t update);
/** Settle a batch as in learning, with the converters' full scales growing to what they see. */
void mho__learner_calibrate(mho_learner *learner, const mho_batch *b);

#endif
