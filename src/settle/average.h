/* average.h - states that are averaged over the last steps of a phase, so that what reads add to
 * them averages out.
 *
 * What stays the same through a phase, the reads of the input and of a held error, is read anew in
 * every averaged step but the first: its noise is in the states as well.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_AVERAGE_H
#define MHO_SETTLE_AVERAGE_H

#include "mho/model/check.h"
#include "settle/chunk.h"

/* Sums of the states of a chunk, on one thread. */
typedef struct mho_average mho_average;

/** Sums for chunks of up to n samples; *out stays NULL where no more than one state is averaged.
 *  @return MHO_OK; MHO_ENOMEM. */
mho_err mho__average_new(const mho_network *net, int64_t average, int n, mho_average **out,
                         mho_errinfo *ei);
/** mho_settler.workspace_free. */
void mho__average_free(void *average);

/** How many of a phase's states are averaged: 1 where reads are exact. */
int mho__average_of(const mho_phase *p, int64_t average);
/** Before a step: read again what stays the same through a phase, if the step needs it; steps from
 * `first` on are averaged. */
void mho__average_begin(const mho_phase *p, int step, int first, mho_settle_stats *stats);
/** After a step: take its states, if it is one of those that are averaged. */
void mho__average_add(const mho_chunk *c, int step, int first);
/** Put the means into s->z, and into s->sums where there is room; n states were taken. */
void mho__average_finish(const mho_chunk *c, int n);

/** mho_settler.check of whoever averages so many states of phases with so many steps; those are 0
 * where they are not given; steps: what they are called. */
mho_err mho__average_check(int64_t average, int64_t free, int64_t nudged, const char *steps,
                           mho_errinfo *ei);
/** mho_idle of the key. */
const char *mho__average_idle(const mho_experiment *e);

#endif
