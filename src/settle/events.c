/* events.c - in time from event to event, each sample by itself.
 *
 * A dynamics that can say when its next event is, and what the state is then, needs no clock: what
 * lies between events is exact. A sample goes on until the end of the phase, and is brought there.
 * One with more than `most` events, or more spikes under way than a few of every
 * neuron, is given up and counts as unsettled. Events are numbered for noise as steps of a clock
 * are: after 65,534 of a sample the same draws come again.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/streams.h"
#include "settle/links.h"
#include "settle/trace.h"
#include "settle/under_way.h"

typedef struct events {
  double time;
  int64_t most;
} events;

static const mho_param table[] = {
    MHO_P_REAL(events, time, "time", "s", 0.1, 1e-15, 1e6, "length of a phase"),
    MHO_P_INT(events, most, "most", 1000000, 1, 1000000000,
              "events after which a sample counts as unsettled"),
};

/* Of the steps that noise is drawn in, which are fewer than events may be. */
static int noise_step(int64_t event) {
  return (int)((event - 1) % (MHO_STEP_READ_OUT - 1)) + 1;
}

/* Bring a sample to an event at time t, and tell who watches it. */
static void move(const mho_phase *p, int sample, int64_t number, double t, double then,
                 mho_settle_stats *stats) {
  mho_phase alone = *p;
  mho_tick tick = {.number = noise_step(number), .dt = t - then, .time = t, .event = true};
  alone.row0 = sample;
  alone.n = 1;

  p->thread->step = tick.number;
  p->dyn->event(p, sample, t, stats);
  if (p->ticked)
    p->ticked(&alone, &tick, p->of);
  mho__trace_state(&alone, (int)number, t);
}

/* @return events of a sample in the phase; one more than `most` when there are more, or more spikes
 * under way than there is room for. */
static int64_t run_sample(const mho_phase *p, const events *own, int sample,
                          mho_settle_stats *stats) {
  mho_under_way *way = mho__under_way_of(p);
  int64_t n = 0;
  double then = 0, t = 0;
  mho__under_way_clear(way);
  t = p->dyn->next(p, sample);

  while (t <= own->time && n < own->most) {
    move(p, sample, ++n, t, then, stats);
    then = t;
    t = p->dyn->next(p, sample);
  }
  if (t <= own->time || way->is_full)
    return own->most + 1;

  move(p, sample, n + 1, own->time, then, stats);
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

static mho_err workspace_new(const mho_network *net, const void *params, int n, void **out,
                             mho_errinfo *ei) {
  (void)params;
  (void)n;
  return mho__under_way_new(net, (mho_under_way **)out, ei);
}

static void workspace_free(void *workspace) {
  mho__under_way_free(workspace);
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
    .workspace_new = workspace_new,
    .workspace_free = workspace_free,
};
