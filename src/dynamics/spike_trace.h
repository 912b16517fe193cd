/* spike_trace.h - traces that spikes leave: what a neuron, or a line, remembers of them.
 *
 *   all      z <- d z + s               every spike adds 1
 *   nearest  z <- s, or d z without     the last spike alone counts
 *
 * of a step, d = exp(-dt/tau). With spikes of probability p a step the means are p/(1 - d) and
 * p/(1 - (1 - p) d), in continuous time nu tau and nu tau/(1 + nu tau). Derived.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DYNAMICS_SPIKE_TRACE_H
#define MHO_DYNAMICS_SPIKE_TRACE_H

#include "mho/base.h"

enum { MHO_TRACE_ALL, MHO_TRACE_NEAREST };

/** A step of n traces z, each with spikes s of 0 or 1. */
static inline void mho__trace_step(int form, double d, size_t n, const mho_real *s, mho_real *z) {
  mho_real kept = (mho_real)d;
  for (size_t i = 0; i < n; i++)
    z[i] = form == MHO_TRACE_ALL ? kept * z[i] + s[i] : kept * z[i] * (1 - s[i]) + s[i];
}

#endif
