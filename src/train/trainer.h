/* trainer.h - the state of a training, and what its files ask of each other.
 *
 * It has the data and their order, and says what an epoch is (epoch.c). The learner below it makes
 * states and errors of a batch, the updater below both makes weights of them; what is evaluated,
 * observed, saved and counted (evaluation.c and others) looks at all three.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_TRAINER_H
#define MHO_TRAIN_TRAINER_H

#include "mho/train.h"
#include "train/learner.h"
#include "train/mistakes.h"
#include "train/sample_order.h"
#include "train/spike_rates.h"
#include "train/start_weights.h"

/* Credits of this epoch that did not settle, since it was begun or resumed. */
typedef struct mho_loose_credits {
  int64_t samples;
  double growth; /**< Largest ratio of their last two changes. */
} mho_loose_credits;

/* Controls that were not at rest when they were learned from, in the epoch under way. */
typedef struct mho_loose_controls {
  int64_t samples, lost, unstable; /**< See mho_rule_stats. */
} mho_loose_controls;

struct mho_trainer {
  const mho_context *ctx;
  const mho_experiment *e;
  mho_dataset data;
  mho_network *net;
  mho_learner *learner;
  mho_updater *updater;
  mho_standing at;
  mho_loose_credits loose;
  mho_loose_controls loose_controls;
  mho_spike_rates rates;
  mho_order order;       /**< Of the training images. */
  mho_brought brought;   /**< Weights from elsewhere. */
  mho_mistakes mistakes; /**< Of the last evaluation of the test, ... */
  mho_balance balance;   /**< ... and of nodes between resistors there; NaN without. */
  /** Parameters of the array models after mho_trainer_read_ideally; NULL before. */
  mho_choice *ideal_reads;
};

/** The controls of a rule with a controller on the first training batch, a row a layer, [n_layers
 *  - 1]: see mho_rule.observe. Nothing that training uses later is touched. */
mho_err mho__trainer_observe_control(mho_trainer *t, mho_control_row *rows, mho_errinfo *ei);

/* ---------------------------------------------------------------- an experiment at odds with
 * itself */

/** Log what of the experiment is not simulated, only roughly, or to no effect. */
void mho__trainer_warn(const mho_trainer *t);

/* ---------------------------------------------------------------- weights */

/** Every trained connection's w_max (as given to mho_crossbar_new), [n_trained]; NULL: as the
 * config says. */
void mho__trainer_range(mho_trainer *t, const double *w_max);

/* ---------------------------------------------------------------- settles apart from training */

/** The rule's states (and errors, to learn) on images first .. first+n-1 (n at most the capacity),
 * into state[0] and error; with noise of its own, apart from training's and evaluation's. What the
 * watch asks for is filled in. Errors of the rule's trial. */
mho_err mho__trainer_settle(mho_trainer *t, const mho_images *images, int first, int n, bool learn,
                            mho_rule_stats *stats, mho_errinfo *ei);
/** mho_trainer_watch, of what the rule settles to learn, or of what it predicts. */
mho_err mho__trainer_watch(mho_trainer *t, const mho_images *images, int sample, bool learn,
                           void (*point)(void *user, const mho_trace_point *p), void *user,
                           mho_watched *out, mho_errinfo *ei);
/** The same of a sample that is trained on: weights change with every step of a rule that changes
 *  them so. */
mho_err mho__trainer_watch_training(mho_trainer *t, const mho_images *images, int sample,
                                    void (*point)(void *user, const mho_trace_point *p), void *user,
                                    mho_errinfo *ei);
/** mho_trainer_evaluate to the end, whatever the caller wants: what training stores of an epoch is
 * whole. */
mho_err mho__trainer_evaluate(mho_trainer *t, const mho_images *images, mho_evaluation *out,
                              mho_errinfo *ei);
/** Full scales before the first update, when there are none yet. */
void mho__calibrate_at_rest(mho_trainer *t);

/* ---------------------------------------------------------------- energy */

/** What the lines of every crossbar load their drivers with now, wires and all. MHO_ENOMEM, and
 * errors of the wires' solver. */
mho_err mho__power_new(const mho_trainer *t, mho_power *out, mho_errinfo *ei);
void mho__power_free(const mho_network *net, mho_power *p);

#endif
