/* steps.c - in time by a clock: all samples and neurons take steps of the same length.
 *
 * What a step does is the dynamics' own, such as a neuron that integrates and fires. A phase lasts
 * `steps` of them, whatever happens in it; the last one's activities are read.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/links.h"

#include <math.h>

typedef struct steps {
  int64_t steps;
  double dt;
} steps;

static const mho_param table[] = {
    MHO_P_INT(steps, steps, "steps", 100, 1, 65535, "of a phase"),
    MHO_P_REAL(steps, dt, "dt", "s", 1e-3, 1e-15, 1e3, "length of a step"),
};

/* Show the state after `step` steps to the phase's trace, if it has one. */
static void watch(const mho_phase *p, int step, double time) {
  mho_trace *trace = mho__trace_of(p);
  if (!trace)
    return;

  for (int l = 1; l < mho_hidden_end(p->net); l++) {
    const mho_real *z = mho__values(p->net, p->s->z, l, p->row0);
    for (int i = 0; i < p->net->layer[l].n; i++)
      trace->z[l][i] = (double)z[i];
  }
  trace->point(trace->user, &(mho_trace_point){.phase = p->number,
                                               .step = step,
                                               .time = trace->time_0 + time,
                                               .residual = NAN,
                                               .z = trace->z,
                                               .vars = p->s->vars});
}

static void settle(const mho_phase *p, mho_settle_stats *stats) {
  const steps *own = p->thread->params;
  mho_trace *trace = mho__trace_of(p);
  p->dyn->begin(p, stats);

  for (int t = 1; t <= own->steps; t++) {
    p->thread->step = t;
    p->dyn->step(p, own->dt, stats);
    watch(p, t, t * own->dt);
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
