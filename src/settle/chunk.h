/* chunk.h - what the settlers share: one chunk of samples under way.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_CHUNK_H
#define MHO_SETTLE_CHUNK_H

#include "settle/links.h"

typedef struct mho_chunk {
  const mho_settle_job *job;
  mho_clock clock;                     /**< of the step under way */
  const mho_real *now[MHO_LAYERS_MAX]; /**< hidden activities, the job's first sample first */
  bool zero[MHO_LAYERS_MAX];           /**< now[l] is all 0: it need not be multiplied */
  bool hold_winners;                   /**< of pooled layers: feedback goes where it went */
} mho_chunk;

/* Values of layer l for the samples of a job. */
static inline size_t mho__chunk_count(const mho_settle_job *job, int l) {
  return (size_t)job->n * (size_t)job->net->layer[l].n;
}

/* Where a step writes layer l: into whichever of s->z and s->next its present activities are not
 * in. */
static inline mho_real *mho__chunk_other(const mho_chunk *c, int l) {
  const mho_settle_job *job = c->job;
  mho_real *z = mho__values(job->net, job->s->z, l, job->sample0);
  return c->now[l] == z ? mho__values(job->net, job->s->next, l, job->sample0) : z;
}

/** The smallest layer's learning signal, relative to an output error and a nudge of 1. */
double mho__smallest_signal(const mho_network *net);
/** The activities that a phase starts from: those of job->start, or zeros, for which the layers
 * of `rest` have room. */
void mho__chunk_start(mho_chunk *c, mho_real *const *rest);
/** Show the present activities to the job's trace, if it has one.
 *  @param change  of the one sample in this step; NULL: none is known. */
void mho__chunk_trace(const mho_chunk *c, int step, const float *change);
/** Begin a phase: choose the winners of pooled layers that it starts with, and read what stays
 * the same through the phase into s->drive, that is the input's product and a held error's. */
void mho__chunk_drives(const mho_settle_job *job, mho_settle_stats *stats);
/** p - y of the present activities, [n x classes], for a live nudge; it lies in the scratch
 * behind what reads use. */
const mho_real *mho__chunk_live_error(const mho_chunk *c, mho_settle_stats *stats);
/** Sum the input of layer l from the present activities into a, [n x layer].
 *  @param error  live p - y, nullable.
 *  @return false, with a untouched, when nothing comes in. */
bool mho__chunk_input(const mho_chunk *c, int l, const mho_real *error, mho_real *a,
                      mho_settle_stats *stats);
/** New activities of layer l from its summed input, in place (`any`: there is an input). Keeps
 * what the difference dynamics needs in s->keep where there is room, and chooses the winners of
 * a pooled layer unless they are held.
 *  @return whether the activities are all 0. */
bool mho__chunk_activate(const mho_chunk *c, int l, bool any, mho_real *a);
/** change[s] = max(change[s], largest |then - now| of sample s in layer l), [n]; infinite where
 * one is not a number. */
void mho__chunk_change(const mho_chunk *c, int l, const mho_real *then, float *change);
/** sum[s] += sum over sample s in layer l of (then - now)^2, [n]. */
void mho__chunk_squares(const mho_chunk *c, int l, const mho_real *then, float *sum);
/** Put the final activities into s->z. */
void mho__chunk_finish(const mho_chunk *c);

#endif
