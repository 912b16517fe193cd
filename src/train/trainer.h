/* trainer.h - the state of a training, and what its files ask of each other.
 *
 * trainer.c makes one, trainer_buffers.c its memory; batch.c settles a batch of samples, the
 * updater turns its states into new weights, epoch.c goes through the training images with both,
 * evaluation.c goes through others.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_TRAINER_H
#define MHO_TRAIN_TRAINER_H

#include "mho/train.h"
#include "train/updater.h"

/* What a settle shows besides its states, to those who ask; all nullable. */
typedef struct mho_watch {
  double *time, *energy; /**< [capacity] */
  const mho_power *power;
  mho_trace *trace;
} mho_watch;

struct mho_trainer {
  /* What is trained. */
  const mho_context *ctx;
  const mho_experiment *e;
  mho_dataset data;
  mho_network *net;
  /** Parameters of the array models after mho_trainer_read_ideally; NULL before. */
  mho_choice *ideal_reads;
  mho_seeds seeds;

  /* The learner: states and errors of a batch. */
  const mho_rule *rule;
  const mho_settler *settler;
  bool direct;  /**< The difference is settled itself. */
  int capacity; /**< Samples of a state: a training or evaluation batch. */
  int chunk;    /**< Samples that a task settles. */
  mho_state *state[MHO_RULE_STATES];
  mho_real **error;            /**< [n_layers] of [capacity x n] */
  uint8_t *label;              /**< [capacity] of classes. */
  mho_real *value;             /**< [capacity x values]; NULL where targets are classes. */
  mho_vars *vars;              /**< The rule's, in training; NULL where it has none. */
  mho_vars *other_vars;        /**< The same when other images are settled than those trained on. */
  void *own;                   /**< What the rule works in. */
  mho_apply applies;           /**< When changes are applied. */
  double *layer_factor;        /**< [n_layers] on the gradient. */
  mho_real **scratch;          /**< [threads] */
  void **workspace;            /**< [threads] of the settler; NULL where it needs none. */
  mho_watch watch;             /**< What the settle under way shows. */
  mho_rule_stats *chunk_stats; /**< [chunks] of the batch under way. */
  mho_meter **chunk_meter;     /**< [chunks] of the batch under way. */

  mho_updater *updater;
  mho_standing at;

  /* Weights that were brought from elsewhere, and w_max. */
  double *built_range; /**< [n_trained] w_max as the config says, of drawn weights. */
  bool ranged;         /**< w_max is that of weights that were brought: it is stored. */
  mho_real **brought;  /**< [n_trained] of [weights] to be written; NULL but at the start. */

  /* The order of the training images. */
  int *cut; /**< [training images] as they were cut into batches, once. */
  /** [training images] order of the batches in this epoch; only the first are used. */
  int *batches;
  int *order; /**< [training images] in the order of this epoch. */
};

/* ---------------------------------------------------------------- sizes */

/** How many states the rule settles. */
static inline int mho__rule_states(const mho_trainer *t) {
  return t->rule->n_states ? t->rule->n_states(t->e->rule.params, t->direct) : 1;
}

/** What the batch's samples should be answered with. */
static inline mho_targets mho__trainer_targets(const mho_trainer *t) {
  return (mho_targets){.label = t->value ? NULL : t->label, .value = t->value};
}

static inline mho_pool *pool_of(const mho_trainer *t) {
  return t->ctx ? t->ctx->pool : NULL;
}

/* ---------------------------------------------------------------- memory */

/** Memory of a trainer whose network is there: states, buffers of a batch, meters. MHO_ENOMEM. */
mho_err mho__trainer_buffers_new(mho_trainer *t, mho_errinfo *ei);
void mho__trainer_buffers_free(mho_trainer *t);
/** Forget the weights that were to be written. */
void mho__trainer_forget_brought(mho_trainer *t);

/* ---------------------------------------------------------------- an experiment at odds with
 * itself */

/** Log what of the experiment is not simulated, only roughly, or to no effect. */
void mho__trainer_warn(const mho_trainer *t);

/* ---------------------------------------------------------------- weights */

/** Every trained connection's w_max (as given to mho_crossbar_new), [n_trained]; NULL: as the
 * config says. */
void mho__trainer_range(mho_trainer *t, const double *w_max);
/** Conductances of one bank as they are (S, [cells]), within the bounds of every cell; what write
 * noise has left on top of a state shows beyond them too. The crossbar is not refreshed. */
void mho__bank_set(mho_cells *c, const double *siemens);
/** Whether a bank's cell cannot take a conductance, which an open one and one with write noise on
 * top always can. */
bool mho__bank_refuses(const mho_cells *c, size_t cell, double siemens);

/* ---------------------------------------------------------------- settles apart from training */

/** The rule's states (and errors, to learn) on images first .. first+n-1 (n at most the capacity),
 * into state[0] and error; with noise of its own, apart from training's and evaluation's. What the
 * watch asks for is filled in. Errors of the rule's trial. */
mho_err mho__trainer_settle(mho_trainer *t, const mho_images *images, int first, int n, bool learn,
                            mho_rule_stats *stats, mho_errinfo *ei);

/** The lesson that a whole batch of n samples was, for mho_rule.change. */
mho_lesson mho__trainer_lesson(const mho_trainer *t, int n);

/* ---------------------------------------------------------------- energy */

/** What the lines of every crossbar load their drivers with now, wires and all. MHO_ENOMEM, and
 * errors of the wires' solver. */
mho_err mho__power_new(const mho_trainer *t, mho_power *out, mho_errinfo *ei);
void mho__power_free(const mho_network *net, mho_power *p);

#endif
