/* chunk.h - what settlers share that go from layer to layer: one chunk of samples under way.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_CHUNK_H
#define MHO_SETTLE_CHUNK_H

#include "settle/links.h"

/* Where a step writes layer l: into whichever of s->z and s->next its present activities are not
 * in. */
static inline mho_real *mho__chunk_other(const mho_chunk *c, int l) {
  const mho_phase *p = c->phase;
  mho_real *z = mho__values(p->net, p->s->z, l, p->row0);
  return c->now[l] == z ? mho__values(p->net, p->s->next, l, p->row0) : z;
}

/** The smallest layer's learning signal, relative to an output error and a nudge of 1. */
double mho__smallest_signal(const mho_network *net);
/** The activities that a phase starts from: those of p->start, or zeros, for which the layers
 * of `rest` have room. */
void mho__chunk_start(mho_chunk *c, mho_real *const *rest);
/** Show the present activities to the phase's trace, if it has one.
 *  @param change  of the one sample in this step; NULL: none is known. */
void mho__chunk_trace(const mho_chunk *c, int step, const float *change);
/** mho_settler.pull_needs of settlers that always can. */
const char *mho__pull_needs_nothing(const void *params);
/** a = (1 - c) a + c times the free activities of layer l, c the phase's pull, [n x layer]. */
void mho__chunk_pull(mho_chunk *c, int l, mho_real *a);
/** o - t of the present activities, [n x outputs], for a live nudge; it lies in the scratch behind
 * what reads use. */
const mho_real *mho__chunk_live_error(const mho_chunk *c, mho_settle_stats *stats);
/** change[s] = max(change[s], largest |then - now| of sample s in layer l), [n]; infinite where
 * one is not a number. */
void mho__chunk_change(const mho_chunk *c, int l, const mho_real *then, float *change);
/** sum[s] += sum over sample s in layer l of (then - now)^2, [n]. */
void mho__chunk_squares(const mho_chunk *c, int l, const mho_real *then, float *sum);
/** Put the final activities into s->z. */
void mho__chunk_finish(const mho_chunk *c);

#endif
