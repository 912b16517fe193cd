/* credits.c - credits by sweeps: see credits.h.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "base/streams.h"
#include "rule/credits.h"

enum { SWEEPS_MAX = 100, LOSSY = 5 };
/* A change over those in which the error first went through all layers, from which on credits run
 * away. */
static const double RUNAWAY = 1e6;

/* ---------------------------------------------------------------- what comes back */

static void add_noise(const mho_credits *c, int l, mho_real *credit) {
  enum { DRAWN = 256 }; /* numbers at a time */
  const mho_lesson *lesson = c->lesson;
  mho_rng rng = mho__stream_credits(lesson->net->state_noise.seed, l);
  uint64_t step = mho__step_read(lesson->thread->update, c->phase.number, 0);
  size_t n = mho__rule_count(lesson, l);
  size_t first = (size_t)lesson->sample0 * (size_t)lesson->net->layer[l].n;

  for (size_t at = 0; at < n; at += DRAWN) {
    float xi[DRAWN];
    size_t m = mho_min_size(n - at, DRAWN);
    mho_rng_normal(rng, step, first + at, m, xi);
    for (size_t i = 0; i < m; i++)
      credit[at + i] += (mho_real)(c->way->noise * (double)xi[i]);
  }
}

void mho__credits_read(const mho_credits *c, int l, mho_rule_stats *stats) {
  const mho_network *net = c->lesson->net;
  const mho_layer *layer = &net->layer[l];
  mho_real *credit = mho__credits_of(c, MHO_VAR_CREDIT, l);
  bool any = false;

  for (int i = layer->credit; i < layer->credit + layer->n_credit; i++) {
    const mho_link *k = &net->link[i];
    if (k->scale == 0)
      continue;
    mho__link_read(&c->phase, k, mho__credits_error(c, k->from), credit, k->scale, any,
                   &stats->nudged);
    any = true;
  }

  if (!any)
    memset(credit, 0, mho__rule_count(c->lesson, l) * sizeof *credit);
  if (c->way->noise > 0)
    add_noise(c, l, credit);
}

void mho__credits_drop(const mho_credits *c, int s) {
  for (int l = 1; l < mho_hidden_end(c->lesson->net); l++) {
    size_t n = (size_t)c->lesson->net->layer[l].n;
    memset(mho__credits_error(c, l) + (size_t)s * n, 0, n * sizeof(mho_real));
  }
}

/* ---------------------------------------------------------------- what a sweep changes */

/* Of every sample: squares of what its errors changed in this sweep and in the last one, summed
 * over layers, the largest until the error had gone through all layers, and the largest share of a
 * layer that changed. */
typedef struct progress {
  double squares[MHO_CHUNK_MAX], before[MHO_CHUNK_MAX], first[MHO_CHUNK_MAX];
  double share[MHO_CHUNK_MAX];
} progress;

/* error = b c of layer l. */
static void apply_gate(const mho_credits *c, int l, progress *g) {
  const mho_lesson *lesson = c->lesson;
  const mho_real *credit = mho__credits_of(c, MHO_VAR_CREDIT, l);
  const mho_real *gate = mho__credits_of(c, MHO_VAR_GATE, l);
  mho_real *error = mho__credits_error(c, l);
  int n = lesson->net->layer[l].n;

  for (int s = 0; s < lesson->n; s++) {
    size_t first = (size_t)s * (size_t)n;
    double moved = 0, all = 0;
    for (size_t i = first; i < first + (size_t)n; i++) {
      mho_real e = gate[i] * credit[i];
      double change = (double)e - (double)error[i];
      moved += change * change;
      all += (double)e * (double)e;
      error[i] = e;
    }
    g->squares[s] += moved;
    if (moved > 0 || isnan(moved))
      g->share[s] = fmax(g->share[s], all > 0 ? sqrt(moved / all) : (double)INFINITY);
  }
}

static void sweep_layers(const mho_credits *c, progress *g, mho_rule_stats *stats) {
  bool in_turn = c->lesson->thread->settler->in_turn;
  int last = mho_hidden_end(c->lesson->net) - 1;
  memset(g->share, 0, sizeof g->share);
  memset(g->squares, 0, sizeof g->squares);

  for (int l = last; l >= 1; l--) {
    mho__credits_read(c, l, stats);
    if (in_turn)
      apply_gate(c, l, g);
  }
  if (!in_turn)
    for (int l = last; l >= 1; l--)
      apply_gate(c, l, g);
}

/* Sweeps in which the error goes through all layers. */
static int sweeps_through(const mho_credits *c) {
  return c->lesson->thread->settler->in_turn ? 1 : mho_network_hidden(c->lesson->net);
}

/* Whether links lead credits one way only, so that nothing changes once the error has gone through
 * all layers. */
static bool is_chain(const mho_network *net) {
  for (int i = net->n_links; i < mho_network_links(net); i++) {
    const mho_link *k = &net->link[i];
    if (k->scale != 0 && k->from <= k->to)
      return false;
  }
  return true;
}

/* Sweeps that are made whatever they change; 0: as many as the tolerance takes. Reads with noise
 * never settle, and converted ones may go round in steps of a converter. */
static int fixed_sweeps(const mho_credits *c) {
  const mho_network *net = c->lesson->net;
  if (c->way->sweeps)
    return (int)c->way->sweeps;
  if (is_chain(net))
    return sweeps_through(c);
  return mho_network_lossy(net) ? LOSSY + sweeps_through(c) - 1 : 0;
}

static bool is_settled(const mho_credits *c, const progress *g, int s) {
  return g->share[s] <= c->way->tolerance;
}

/* The ratio of a sample's last two changes; 0 where there was one. */
static double growth_of(const progress *g, int s) {
  return g->before[s] > 0 ? sqrt(g->squares[s] / g->before[s]) : 0;
}

static bool runs_away(const progress *g, int s) {
  return !(g->squares[s] <= RUNAWAY * RUNAWAY * g->first[s]);
}

/* Sweep until all samples have settled, or one runs away: further sweeps would overflow. @return
 * how many were made. */
static int sweep_on(const mho_credits *c, progress *g, mho_rule_stats *stats) {
  int fixed = fixed_sweeps(c), most = fixed ? fixed : SWEEPS_MAX, t = 0;
  bool done = false;

  while (t < most && !done) {
    c->lesson->thread->step = ++t;
    memcpy(g->before, g->squares, sizeof g->before);
    sweep_layers(c, g, stats);

    bool settled = !fixed, lost = false;
    for (int s = 0; s < c->lesson->n; s++) {
      if (t <= sweeps_through(c))
        g->first[s] = fmax(g->first[s], g->squares[s]);
      settled &= is_settled(c, g, s);
      lost |= runs_away(g, s);
    }
    done = settled || lost;
  }
  return t;
}

void mho__credits_sweep(const mho_credits *c, mho_rule_stats *stats) {
  const mho_lesson *lesson = c->lesson;
  mho_settle_stats *sum = &stats->nudged;
  progress g = {.share = {0}};
  for (int l = 1; l < mho_hidden_end(lesson->net); l++)
    memset(mho__credits_error(c, l), 0, mho__rule_count(lesson, l) * sizeof(mho_real));

  /* of noisy reads none settle, and of chains all do when the error has come through */
  int sweeps = sweep_on(c, &g, stats), through = sweeps_through(c);
  bool done = is_chain(lesson->net) && sweeps >= through;
  bool may_settle = !done && !mho_network_lossy(lesson->net);
  sum->steps += (double)sweeps * lesson->n;

  for (int s = 0; s < lesson->n; s++) {
    double growth = sweeps > through ? growth_of(&g, s) : 0;
    bool loose = may_settle && !is_settled(c, &g, s);
    bool lost = runs_away(&g, s) || (loose && growth > 1);
    if (lost)
      mho__credits_drop(c, s);
    if (!loose && !lost)
      continue;

    sum->unsettled++;
    sum->contraction = fmax(sum->contraction, growth);
  }
}
