/* events.c - in time from event to event, each sample by itself.
 *
 * A dynamics that can say when its next event is, and what the state is then, needs no clock: what
 * lies between events is exact. A sample goes on until the end of the phase, and is brought there.
 * One with more than `most` events is given up and counts as unsettled.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/links.h"
#include "settle/trace.h"

typedef struct events {
  double time;
  int64_t most;
} events;

static const mho_param table[] = {
    MHO_P_REAL(events, time, "time", "s", 0.1, 1e-15, 1e6, "length of a phase"),
    MHO_P_INT(events, most, "most", 1000000, 1, 1000000000,
              "events after which a sample counts as unsettled"),
};

/* @return events of a sample in the phase; one more than `most` when there are more. */
static int64_t run_sample(const mho_phase *p, const events *own, int sample,
                          mho_settle_stats *stats) {
  int64_t n = 0;
  double t = p->dyn->next(p, sample);

  while (t <= own->time && n < own->most) {
    p->dyn->event(p, sample, t, stats);
    n++;
    mho__trace_state(p, (int)n, t);
    t = p->dyn->next(p, sample);
  }
  if (t <= own->time)
    return own->most + 1;

  p->dyn->event(p, sample, own->time, stats);
  mho__trace_state(p, (int)n, own->time);
  return n;
}

static void settle(const mho_phase *p, mho_settle_stats *stats) {
  const events *own = p->thread->params;
  mho_trace *trace = mho__trace_of(p);
  p->dyn->begin(p, stats);

  for (int sample = p->row0; sample < p->row0 + p->n; sample++) {
    int64_t n = run_sample(p, own, sample, stats);
    stats->steps += (double)n;
    stats->unsettled += n > own->most;
  }
  if (trace)
    trace->time_0 += own->time;
}

static const char *misses(const mho_dynamics *dyn, const void *params) {
  return dyn->next ? NULL : "needs neurons with events";
}

const mho_settler mho_settler_events = {
    .entry = {.abi = MHO_ABI,
              .id = "events",
              .title = "from event to event, for neurons that live in time",
              .params = MHO_PARAMS(events, table)},
    .settle = settle,
    .misses = misses,
};
