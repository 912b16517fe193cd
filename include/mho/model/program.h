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
  double *x_max, *d_max;        /**< [samples] for the scheme: largest |x| and |d| of the lines */
  /** [samples] cells on lines that pulsed, in all slots; coincidences twice. */
  double *reached;
} mho_pulse_trains;
/** Room for the trains of `samples` samples on a connection; MHO_ENOMEM. */
MHO_API mho_err mho_pulse_trains_new(int rows, int cols, int samples, mho_pulse_trains **out,
                                     mho_errinfo *ei);
/** Frees pulse trains; NULL is allowed. */
MHO_API void mho_pulse_trains_free(mho_pulse_trains *t);

/** A term of a change on one connection, or some of its samples, for a scheme that applies every
 *  sample's outer product in the array itself: the wanted change is -rate x^T e, sample after
 *  sample. A sample of a convolution is read at many positions, of which each is one here. */
typedef struct mho_outer_job {
  mho_crossbar *xb;
  const void *params; /**< of the scheme */
  void *own;          /**< what the scheme keeps of the connection; NULL: nothing */
  int samples;
  bool last;            /**< there are no more of this term */
  const mho_real *x;    /**< [samples x rows] what rows do; NULL: ones */
  const mho_real *e;    /**< [samples x cols] what columns do; NULL: ones */
  const mho_real *gain; /**< [cols] that e is to be multiplied with; NULL: ones */
  const mho_real *ones; /**< [rows or cols, the larger] */
  double rate;          /**< of one sample, signed: learning_rate scale */
  double learning_rate, scale;
  double nominal_step;   /**< as in mho_program_job */
  double fast_step;      /**< the same of the scheme's own array; 0 without */
  uint64_t first_sample; /**< number in the run of the first: names what is random */
  mho_rng rounding;      /**< stream of the trains; the next one serves the columns */
  mho_pulse_trains *trains;
  mho_real *scratch; /**< of replay, see mho_scheme.fast */
} mho_outer_job;

/** A connection for which a scheme is to make what it keeps of it. */
typedef struct mho_own_site {
  const struct mho_experiment *e;
  mho_crossbar *slow; /**< the connection's crossbar */
  int index;          /**< number of a connection that there is not: keeps random streams apart */
  int products;       /**< most outer products of a term */
  uint64_t chip_seed, noise_seed;
} mho_own_site;
/** Arrays that a scheme keeps of a connection beside those of a crossbar. */
enum { MHO_OWN_PIECES = 8 };

/** A registered scheme: from wanted changes to pulses. */
typedef struct mho_scheme {
  mho_entry entry;
  bool needs_pulses; /**< refuses devices that know no pulses, ... */
  bool ideal;        /**< ... but for the ideal one, whose weights it changes as wanted */
  bool has_state;    /**< one array as long as the weights */
  bool reads_rows;   /**< the cells that it reads are whole rows */
  void (*apply)(const mho_program_job *job, mho_pulse_counts *counts);
  /** Instead of apply: draw one sample's trains (samples in any order, side by side), then, for
   *  slabs side by side, apply all samples to rows row0 .. row0+rows-1. Uses no optimizer. */
  void (*draw)(const mho_outer_job *job, int sample);
  void (*replay)(const mho_outer_job *job, int row0, int rows, mho_pulse_counts *counts);
  /** Once for a term, with all of its samples but without their lines, before they are drawn; and
   *  after every replay of some. One thread. Nullable, both. */
  void (*begin)(const mho_outer_job *job);
  void (*end)(const mho_outer_job *job);
  /** Apply what replay has left for later to a slab, in a job without samples, whose number is the
   *  next one's. Called when an epoch ends, slabs side by side. Nullable: it leaves nothing. */
  void (*rest)(const mho_outer_job *job, int row0, int rows, mho_pulse_counts *counts);
  /** What it keeps of every trained connection; nullable, and then all that follows is. Called
   *  when the connection's crossbar is there, which must outlive it. @return MHO_OK; MHO_ENOMEM;
   *  MHO_ECONFIG. */
  mho_err (*own_new)(const mho_own_site *site, void **own, mho_errinfo *ei);
  void (*own_free)(void *own);
  /** An array of its own with the rows and columns of the connection's. Scratch of replay is then 3
   *  cols mho_real's, what a read of a sample takes, and room for pulses on a slab. */
  mho_crossbar *(*fast)(void *own);
  /** What of it changes in training, but for that array, for a checkpoint: @return how many pieces,
   *  at most MHO_OWN_PIECES; and: they have come from one. */
  int (*pieces)(void *own, mho_cells_piece *pieces);
  void (*restored)(void *own);
  /** What replay has left for later, all zero where there is nothing; nullable: see rest. @return
   *  how many pieces. restored: they have come from a checkpoint, or are all zero anew. */
  int (*waiting)(void *own, bool restored, mho_cells_piece *pieces);
  void (*wired)(void *own); /**< what wires make of that array is known anew */
} mho_scheme;

/** What every scheme is checked for, before its own mho_entry.check: that there are pulses where it
 *  gives some, and lines and samples where it pulses those. */
MHO_API mho_err mho_scheme_check(const struct mho_experiment *e, mho_errinfo *ei);

/** What the config says of any update. */
typedef struct mho_update_config {
  double rate;
  mho_reals rates;  /**< of each trained connection; empty: rate */
  double bias_rate; /**< what the rate of biases is times that of their connection */
  int schedule;     /**< constant, cosine, step */
  double rate_end;  /**< of the cosine */
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
