/* tiki_taka.h - what the files of scheme tiki_taka share: its keys, and what it keeps of a
 * connection.
 *
 * The crossbar that a connection reads is the slow array C; the fast array A beside it has as many
 * rows and columns.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_PROGRAM_TIKI_TAKA_H
#define MHO_PROGRAM_TIKI_TAKA_H

#include "program/coincidences.h"

enum { MHO_TIKI_V1, MHO_TIKI_V2, MHO_TIKI_CHOPPED, MHO_TIKI_AGAD };
enum { MHO_SYMMETRY_SHIFT, MHO_SYMMETRY_NONE };

typedef struct mho_tiki_keys {
  mho_train_manner trains;
  int variant, fast_mapping, symmetry;
  double gamma, fast_rate, transfer_rate, scale_momentum, granularity, auto_granularity, momentum;
  double chop_in, chop_out, tail, reset, symmetry_error;
  int64_t transfer_every, transfer_reads, max_pulses;
  bool auto_scale, forget, chop_random;
} mho_tiki_keys;

/** Words of fast_mapping; the first is device.mapping. */
#define MHO_FAST_MAPPINGS "same|differential|reference|offset|one_sided"

/** Where a connection stands, and the means that set the rate of its outer products. */
typedef struct mho_tiki_standing {
  double turn;         /**< outer products so far */
  double x_max, d_max; /**< running means; 0: of none yet */
} mho_tiki_standing;

/** What is kept of a connection; all but the fast array, the shift, what waits and what is of the
 *  term under way is part of a checkpoint in any case. */
typedef struct mho_tiki {
  const mho_tiki_keys *keys;
  mho_crossbar *fast;  /**< A */
  mho_waiting waiting; /**< pulses of its cells; of the ideal device none */
  /** From one batch to the next nothing but pulses and transfers sees A, or changes it. */
  bool is_apart;
  mho_rng rng;      /**< of what transfers draw */
  int reads;        /**< that are averaged for one */
  double fast_rate; /**< see mho__tiki_fast_rate */
  mho_tiki_standing at;
  mho_real *buffer; /**< [cells] H, in thresholds; NULL with v1 */
  mho_real *mean;   /**< [cells] mu; NULL but with agad */
  mho_real *past;   /**< [cells] mu of the period before; NULL but with agad */
  /** [cells] weights at the symmetry points of A over its w_max; NULL: not subtracted */
  mho_real *shift;
  mho_real *wired;     /**< [cells] what wires take of A's weights; NULL without */
  int8_t *row, *col;   /**< [rows], [cols] choppers, +1 or -1; NULL without */
  int8_t *col_of_pass; /**< [passes of a term + 1] of [cols]; NULL without */
  uint64_t first_pass; /**< of the term under way */
  double sum_x, sum_d; /**< of the largest |x| and |d| of its samples so far */
  int64_t n;           /**< how many these are */
} mho_tiki;

/** Number of the first read after the outer product number k, in a run without others. */
static inline uint64_t mho__tiki_event(const mho_tiki_keys *p, uint64_t k) {
  return k / (uint64_t)p->transfer_every * (uint64_t)p->transfer_reads;
}
/** Whether pulses wait from one batch to the next: until their row is read, or the epoch ends. */
static inline bool mho__tiki_waits(const mho_tiki *own) {
  return own->is_apart && !own->fast->lines;
}
/** auto_granularity over the outer products between two reads of one of `rows` rows; 1 without. */
double mho__tiki_share(const mho_tiki_keys *p, int rows);
/** Passes from one turn of a regular chopper to the next, in an array of so many rows. */
uint64_t mho__tiki_period(const mho_tiki_keys *p, int rows);
/** Whether rows have choppers, whether those turn at random, and whether columns have some. */
bool mho__tiki_chops(const mho_tiki_keys *p);
bool mho__tiki_chops_at_random(const mho_tiki_keys *p);
bool mho__tiki_chops_columns(const mho_tiki_keys *p);
/** update.gamma and update.fast_rate, or what they are by themselves. */
double mho__tiki_gamma(const struct mho_experiment *e);
double mho__tiki_fast_rate(const struct mho_experiment *e);
/** The mapping of A. */
const mho_mapping *mho__tiki_mapping(const struct mho_experiment *e);
/** What A is made of; its range of weights, seeds and number are left at 0. */
mho_crossbar_options mho__tiki_options(const struct mho_experiment *e);

/** mho_real's that a transfer works in. */
static inline size_t mho__tiki_scratch(const mho_crossbar *fast) {
  return 3 * (size_t)fast->cols + mho_crossbar_scratch(fast, 1);
}

/** See mho_scheme. (fast_array.c) */
mho_err mho__tiki_new(const mho_own_site *site, void **own, mho_errinfo *ei);
void mho__tiki_free(void *own);
mho_crossbar *mho__tiki_fast(void *own);
int mho__tiki_pieces(void *own, mho_cells_piece *pieces);
void mho__tiki_restored(void *own);
int mho__tiki_waiting(void *own, bool restored, mho_cells_piece *pieces);
void mho__tiki_wired(void *own);

/** Read the row whose turn it is, and pass it on to C. (transfer.c)
 *  @param event  number of the read. */
void mho__tiki_transfer(const mho_outer_job *job, uint64_t event, mho_pulse_counts *counts);

#endif
