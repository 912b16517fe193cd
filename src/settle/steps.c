/* steps.c - in time by a clock: all samples and neurons take steps of the same length.
 *
 * What a step does is the dynamics' own, such as a neuron that integrates and fires. A phase lasts
 * `steps` of them and `rest` more without inputs, whatever happens in it; the last one's activities
 * are read.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/streams.h"
#include "mho/model/check.h"
#include "settle/links.h"
#include "settle/trace.h"

typedef struct steps {
  int64_t steps, rest;
  double dt;
  int order, integrate;
} steps;

enum { SYNCHRONOUS, LAYERED };
enum { EXACT, EULER };

static const mho_param table[] = {
    MHO_P_INT(steps, steps, "steps", 100, 1, 65535, "of a phase"),
    MHO_P_INT(steps, rest, "rest", 0, 0, 65535, "steps after them in which inputs are off",
              .idle = mho_idle_without_spikes),
    MHO_P_REAL(steps, dt, "dt", "s", 1e-3, 1e-15, 1e3, "length of a step"),
    MHO_P_CHOICE(steps, order, "order", "synchronous|layered", SYNCHRONOUS,
                 "links carry the spikes of the last step, as where layers fire side by side; or a "
                 "layer hears in the same step what those before it have fired",
                 .idle = mho_idle_without_spikes),
    MHO_P_CHOICE(steps, integrate, "integrate", "exact|euler", EXACT,
                 "potentials: what the equations come to after a step, or forward Euler",
                 .idle = mho_idle_without_spikes),
};

static int n_steps(const void *params) {
  const steps *own = params;
  return (int)(own->steps + own->rest);
}

static void step(const mho_phase *p, int t, mho_settle_stats *stats) {
  const steps *own = p->thread->params;
  mho_tick tick = {.number = t,
                   .dt = own->dt,
                   .time = t * own->dt,
                   .resting = t > own->steps,
                   .last = t == n_steps(own),
                   .layered = own->order == LAYERED,
                   .euler = own->integrate == EULER};
  p->thread->step = t;
  p->dyn->step(p, &tick, stats);
  if (p->ticked)
    p->ticked(p, &tick, p->of);
  mho__trace_state(p, t, t * own->dt);
  stats->steps += p->n;
}

static void settle(const mho_phase *p, mho_settle_stats *stats) {
  const steps *own = p->thread->params;
  mho_trace *trace = mho__trace_of(p);
  int all = n_steps(own);

  p->dyn->begin(p, stats);
  for (int t = 1; t <= all; t++)
    step(p, t, stats);
  if (trace)
    trace->time_0 += all * own->dt;
}

static mho_err check(const void *params, mho_errinfo *ei) {
  const steps *own = params;
  if (own->steps + own->rest < MHO_STEP_READ_OUT)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "settle.rest: a phase has fewer than %d steps, and settle.steps with it comes to "
                  "%lld: lower one of them",
                  MHO_STEP_READ_OUT, (long long)(own->steps + own->rest));
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
    .step = step,
    .n_steps = n_steps,
    .misses = misses,
    .check = check,
};
