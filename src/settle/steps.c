/* steps.c - in time by a clock: all samples and neurons take steps of the same length.
 *
 * What a step does is the dynamics' own, such as a neuron that integrates and fires. A phase lasts
 * `steps` of them, whatever happens in it; the last one's activities are read.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/links.h"
#include "settle/trace.h"

typedef struct steps {
  int64_t steps;
  double dt;
} steps;

static const mho_param table[] = {
    MHO_P_INT(steps, steps, "steps", 100, 1, 65535, "of a phase"),
    MHO_P_REAL(steps, dt, "dt", "s", 1e-3, 1e-15, 1e3, "length of a step"),
};

static void settle(const mho_phase *p, mho_settle_stats *stats) {
  const steps *own = p->thread->params;
  mho_trace *trace = mho__trace_of(p);
  p->dyn->begin(p, stats);

  for (int t = 1; t <= own->steps; t++) {
    p->thread->step = t;
    p->dyn->step(p, own->dt, stats);
    mho__trace_state(p, t, t * own->dt);
  }
  stats->steps += (double)own->steps * p->n;
  if (trace)
    trace->time_0 += (double)own->steps * own->dt;
}

static const char *misses(const mho_dynamics *dyn, const void *params) {
  return dyn->step ? NULL : "needs neurons that take steps";
}

const mho_settler mho_settler_steps = {
    .entry = {.abi = MHO_ABI,
              .id = "steps",
              .title = "steps of a clock, for neurons that live in time",
              .params = MHO_PARAMS(steps, table)},
    .settle = settle,
    .misses = misses,
};
