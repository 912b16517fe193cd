/* updater.h - from what a rule wants to change to new weights: gradient, optimizer, scheme.
 *
 * It knows no batches and no order of samples: it gets lessons that have been learned from, asks
 * their rule for the changes, and brings them onto the crossbars of the trained connections, slab
 * by slab.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_UPDATER_H
#define MHO_TRAIN_UPDATER_H

#include "train/standing.h"

/* A few rows of one connection's weights: gradient, optimizer and scheme pass over them in one
 * task. */
typedef struct mho_slab {
  int connection, row0, rows;
  /* Of the update under way: */
  mho_pulse_counts counts;
  double norm; /**< Squared, of the gradient, when it is clipped. */
} mho_slab;

/* What a scheme applies to a connection, sample after sample. */
typedef struct mho_products {
  const mho_connection *k;
  mho_change change;
  mho_outer term;          /* the present one; without any samples where the connection has fewer */
  int positions;           /* of a sample, at each of which there is an outer product */
  int all;                 /* of the term in all */
  mho_outer_job job;       /* of those in the present round */
  mho_pulse_counts counts; /* of rounds that were replayed in one piece */
} mho_products;

typedef struct mho_updater {
  const mho_experiment *e;
  mho_network *net;
  mho_pool *pool; /**< Nullable. */
  const mho_rule *rule;
  const mho_optimizer *optimizer;
  const mho_scheme *scheme;
  mho_standing *at;
  mho_seeds seeds;

  double *nominal_step; /**< [n_trained] mean weight change of a nominal pulse. */
  mho_slab *slab;       /**< [n_slabs] */
  int n_slabs;
  int slab_cells, slab_rows; /**< Most cells and rows of a slab. */

  mho_real **moment[MHO_PROGRAM_STATES]; /**< [n_trained] of [weights]: the optimizer's. */
  mho_real **accumulator;    /**< [n_trained] of [weights]: the scheme's; NULL without. */
  mho_pulse_trains **trains; /**< [n_trained] of a scheme that draws them; NULL without. */
  mho_products *products;    /**< [n_trained] the same. */
  int *drawn;                /**< [n_trained] Outer products that they have room for, and ... */
  /** ... [n_trained] of [drawn x rows]: lines, where these are not the units of a layer. */
  mho_real **lines;
  mho_real *ones; /**< [lines of the largest crossbar, units of the largest layer] with them. */
  /* Of a scheme with arrays of its own; NULL without. */
  void **own;                /**< [n_trained] What it keeps. */
  double *fast_step;         /**< [n_trained] nominal_step of these arrays. */
  mho_wired *fast_wired;     /**< Their wires; NULL without resistance. */
  mho_disturb *fast_disturb; /**< NULL: pulses reach their cells whole and alone. */
  mho_real **gradient;       /**< [n_trained] of [weights]: the batch's; NULL unless clipped. */
  mho_real **scratch;        /**< [threads] a slab's gradient, its wanted change, scratch. */
} mho_updater;

/** The crossbar of a connection. */
static inline mho_crossbar *crossbar_of(const mho_network *net, int connection) {
  return net->connection[connection].xb;
}

/** An updater of a network's weights. What is given must outlive it.
 *  @param pool  nullable.
 *  @return MHO_OK; MHO_ENOMEM; MHO_ECONFIG where the scheme cannot write one of the connections. */
mho_err mho__updater_new(const mho_experiment *e, mho_network *net, mho_pool *pool,
                         mho_standing *at, mho_updater **out, mho_errinfo *ei);
/** Frees an updater; NULL is allowed. */
void mho__updater_free(mho_updater *u);
/** The array that the scheme keeps of a connection; NULL: none. */
static inline mho_crossbar *fast_of(const mho_updater *u, int connection) {
  return u->own ? u->scheme->fast(u->own[connection]) : NULL;
}
/** What follows from the cells of the scheme's own arrays, once they have changed: wires, voltages
 *  of writing.
 *  @param full  see mho_wired_refresh. */
void mho__updater_refresh(mho_updater *u, bool full);
/** What a nominal pulse changes a weight by, after the crossbars' w_max have changed. */
void mho__updater_rescale(mho_updater *u);

/** Change the weights by what the rule makes of a lesson's samples: an update more is done. */
void mho__updater_apply(mho_updater *u, const mho_lesson *l);
/** An epoch ends: what the scheme has left for later is applied, and counted. */
void mho__updater_rest(mho_updater *u);
/** A rule has pulsed devices by itself: count that, [n_trained], and let other cells and the next
 *  reads feel it. */
void mho__updater_wrote(mho_updater *u, const mho_pulse_counts *counts);
/** Gradient of a lesson's samples for one connection, [rows x cols of its crossbar]. */
void mho__updater_gradient(mho_updater *u, const mho_lesson *l, int connection, mho_real *out);
/** Initial weights through the scheme, where program.initial says so (initial_weights.c); once,
 *  before the first update.
 *  @param weights  [n_trained] of [weights] to be written; NULL: those that the crossbars have.
 *  @return MHO_OK; MHO_ENOMEM. */
mho_err mho__updater_initial(mho_updater *u, mho_real *const *weights, mho_errinfo *ei);

#endif
