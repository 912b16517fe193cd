/* program.h - from a gradient to weights: optimizers say what change is wanted, schemes bring it
 * onto the devices.
 *
 * Both work on ranges of cells (blocks), so that a block passes from gradient to conductance while
 * it is in cache.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_PROGRAM_H
#define MHO_MODEL_PROGRAM_H

#include "mho/model/array.h"

enum { MHO_PROGRAM_STATES = 2 };

/** A registered optimizer: from gradients to wanted changes. */
typedef struct mho_optimizer {
  mho_entry entry;
  int n_states; /**< arrays as long as the weights */
  /** dw = wanted change of n weights for gradient g (minimized). update: number of this update,
   *  1-based; state[k]: [n]. */
  void (*step)(const void *params, double rate, int64_t update, size_t n, const mho_real *g,
               mho_real *const *state, mho_real *dw);
} mho_optimizer;

/** Changes of neighbouring cells that a scheme brings onto the devices. */
typedef struct mho_program_job {
  mho_crossbar *xb;
  const void *params; /**< of the scheme */
  size_t first, n;    /**< cells */
  const mho_real *dw; /**< [n] wanted change of the weights */
  mho_real *state;    /**< [n] of the scheme, when it asks for one */
  /** Mean change of a weight by a pulse on each device that takes part; 0: ideal device. */
  double nominal_step;
  uint64_t update;  /**< number of this programming step */
  mho_rng rounding; /**< stream of stochastic rounding */
} mho_program_job;

/** Pulse trains of a batch on one connection: a line's bits are the slots in which it pulses. */
enum { MHO_TRAIN_SLOTS = 32 };
#define MHO_TRAIN_NEGATIVE 0x80000000u
/** The pulse train of a line. */
typedef struct mho_pulse_train {
  uint32_t line; /**< its number, and MHO_TRAIN_NEGATIVE */
  uint32_t mask;
} mho_pulse_train;
/** The pulse trains of all samples of a batch. */
typedef struct mho_pulse_trains {
  /** [samples x rows], [samples x cols]: lines that pulse, in order. */
  mho_pulse_train *row, *col;
  int *slots, *n_rows, *n_cols; /**< [samples] */
  double *truncated;            /**< [samples] cells whose probability was cut */
  /** [samples] cells on lines that pulsed, in all slots; coincidences twice. */
  double *reached;
} mho_pulse_trains;
/** Room for the trains of `samples` samples on a connection; MHO_ENOMEM. */
MHO_API mho_err mho_pulse_trains_new(int rows, int cols, int samples, mho_pulse_trains **out,
                                     mho_errinfo *ei);
/** Frees pulse trains; NULL is allowed. */
MHO_API void mho_pulse_trains_free(mho_pulse_trains *t);

/** A term of a change on one connection, for a scheme that applies every sample's outer product in
 *  the array itself: the wanted change is -rate x^T e, sample after sample. */
typedef struct mho_outer_job {
  mho_crossbar *xb;
  const void *params; /**< of the scheme */
  int samples;
  const mho_real *x;     /**< [samples x rows] what rows do; NULL: ones */
  const mho_real *e;     /**< [samples x cols] what columns do; NULL: ones */
  const mho_real *gain;  /**< [cols] that e is to be multiplied with; NULL: ones */
  const mho_real *ones;  /**< [rows or cols, the larger] */
  double rate;           /**< of one sample, signed */
  double nominal_step;   /**< as in mho_program_job */
  uint64_t first_sample; /**< number in the run of the first: names what is random */
  mho_rng rounding;      /**< stream of the trains; the next one serves the columns */
  mho_pulse_trains *trains;
} mho_outer_job;

/** A registered scheme: from wanted changes to pulses. */
typedef struct mho_scheme {
  mho_entry entry;
  bool needs_pulses; /**< refuses devices that know no pulses */
  bool has_state;    /**< one array as long as the weights */
  void (*apply)(const mho_program_job *job, mho_pulse_counts *counts);
  /** Instead of apply: draw one sample's trains (samples in any order, side by side), then, for
   *  slabs side by side, apply all samples to rows row0 .. row0+rows-1. Uses no optimizer. */
  void (*draw)(const mho_outer_job *job, int sample);
  void (*replay)(const mho_outer_job *job, int row0, int rows, mho_pulse_counts *counts);
} mho_scheme;

/** What every scheme is checked for, before its own mho_entry.check: that there are pulses where it
 *  gives some, and lines and samples where it pulses those. */
MHO_API mho_err mho_scheme_check(const struct mho_experiment *e, mho_errinfo *ei);

/** What the config says of any update. */
typedef struct mho_update_config {
  double rate;
  mho_reals rates; /**< of each trained connection; empty: rate */
  int schedule;    /**< constant, cosine, step */
  double rate_end; /**< of the cosine */
  int64_t step_every;
  double step_factor;
  double decay;    /**< of the weights, decoupled from the gradient */
  double clip;     /**< largest norm of a gradient, 0: any */
  int layer_rates; /**< auto, plain, equal */
  int apply;       /**< auto, batch, sample, step, spike */
} mho_update_config;
enum { MHO_APPLIES_AUTO }; /**< the words after it are bit by bit those of mho_apply */
enum { MHO_SCHEDULE_CONSTANT, MHO_SCHEDULE_COSINE, MHO_SCHEDULE_STEP };
enum { MHO_LAYER_RATES_AUTO, MHO_LAYER_RATES_PLAIN, MHO_LAYER_RATES_EQUAL };
/** The keys of mho_update_config. */
MHO_API extern const mho_params mho_update_params;

/** Learning rate of a trained connection in an epoch (0, 1, ...) of `epochs`: constant, or
 *
 *    cosine  end + (rate - end) (1 + cos(pi epoch/epochs))/2
 *    step    rate factor^floor(epoch/every)
 *
 *  the same for all batches of an epoch. The cosine: Loshchilov & Hutter, ICLR 2017, without
 *  restarts. */
MHO_API double mho_update_rate(const mho_update_config *u, int connection, int64_t epoch,
                               int64_t epochs);

#endif
