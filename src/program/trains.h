/* trains.h - pulse trains on lines, and what a sample's trains do to an array.
 *
 * For a sample with x on the rows and d = -e on the columns, learning rate lr, change eps of a
 * weight by one coincidence:
 *
 *   k = lr x_max d_max/eps,  BL = min(ceil(k), max_length) slots
 *   p_i = min(sqrt(lr/(eps BL)) sqrt(d_max/x_max) |x_i|, 1)
 *   q_j = min(sqrt(lr/(eps BL)) sqrt(x_max/d_max) |d_j|, 1)
 *
 * One Bernoulli stream for every line and slot; where row and column pulse in the same slot the
 * devices of the cell get one pulse, of sign x_i d_j. Without management of the update BL =
 * max_length and both factors are sqrt(lr/(eps BL)).
 *
 * Source: T. Gokmen, Y. Vlasov, Frontiers in Neuroscience 10:333 (2016); update management: T.
 * Gokmen, M. Onen, W. Haensch, Frontiers in Neuroscience 11:538 (2017).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_PROGRAM_TRAINS_H
#define MHO_PROGRAM_TRAINS_H

#include "mho/model/program.h"

/** How trains are drawn: keys of every scheme that draws them. */
typedef struct mho_train_manner {
  int64_t max_length;
  bool management;
} mho_train_manner;

/** The lines of the table of a scheme whose parameters T have such a member. */
#define MHO_P_TRAINS(T, member)                                                                    \
  MHO_P_INT(T, member.max_length, "max_length", 31, 1, MHO_TRAIN_SLOTS - 1,                        \
            "most slots of a pulse train"),                                                        \
      MHO_P_BOOL(T, member.management, "management", 1,                                            \
                 "trains as short as a sample needs, and probabilities balanced between rows and " \
                 "columns")

/** What is read of a train: its line, whether it pulses in a slot, and the sign of its pulses, as a
 *  chopper of the lines (+1 or -1 each, nullable) turns it. */
static inline uint32_t mho__train_line(const mho_pulse_train *t) {
  return t->line & ~MHO_TRAIN_NEGATIVE;
}
static inline bool mho__train_pulses(const mho_pulse_train *t, int slot) {
  return t->mask >> slot & 1;
}
static inline int mho__train_sign(const mho_pulse_train *t, const int8_t *chop) {
  int sign = t->line & MHO_TRAIN_NEGATIVE ? -1 : 1;
  return chop ? sign * chop[mho__train_line(t)] : sign;
}
/** First of n trains, in the order of their lines, whose line is at least `line`. */
int mho__train_lower(const mho_pulse_train *t, int n, int line);

/** A sample's trains, [rows] and [cols]. */
static inline mho_pulse_train *mho__train_of_rows(const mho_outer_job *job, int sample) {
  return job->trains->row + (size_t)sample * (size_t)job->xb->rows;
}
static inline mho_pulse_train *mho__train_of_cols(const mho_outer_job *job, int sample) {
  return job->trains->col + (size_t)sample * (size_t)job->xb->cols;
}

/** Largest |x| and |e| of a sample's lines. */
void mho__trains_largest(const mho_outer_job *job, int sample, double *x_max, double *d_max);
/** Draw a sample's trains, at a rate in place of the job's, for an array whose weights change by
 *  `step` at a coincidence. */
void mho__trains_draw(const mho_outer_job *job, const mho_train_manner *how, double rate,
                      double step, int sample);
/** Count what a sample's trains are to x but for the pulses: slots, and lines in rows row0 ..
 *  row0+rows-1; what a sample has once with the first of the slabs. */
void mho__trains_count(const mho_outer_job *job, mho_crossbar *x, int sample, int row0, int rows,
                       mho_pulse_counts *counts);
/** Apply a sample's trains to rows row0 .. row0+rows-1 of x, whose matrix is not refreshed, and
 *  count them. */
void mho__trains_replay(const mho_outer_job *job, mho_crossbar *x, int sample, int row0, int rows,
                        mho_pulse_counts *counts);
/** Refresh the matrix of x in rows row0 .. row0+rows-1 where trains of the job's samples meet,
 *  which have been replayed: cell by cell where these are few. */
void mho__trains_refresh(const mho_outer_job *job, mho_crossbar *x, int row0, int rows);

#endif
