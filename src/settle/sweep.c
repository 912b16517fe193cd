/* sweep.c - the same fixed point, layer after layer with the newest neighbours.
 *
 * A free sweep runs from the input to the read-out. With weak feedback the first one is the
 * feed-forward pass and every further one takes off a factor of about beta_i: two or three reach
 * what a synchronous settle needs tens of steps for. The nudged phase sweeps from the read-out
 * down.
 *
 * The difference z_free - z_nudged is settled itself (direct) where the dynamics has equations of
 * it: see dynamics/rate.c. Its sweeps run from the read-out down.
 *
 * Where an activity is pooled, feedback to the winner of a window can make it lose: where it is
 * negative, two nearly equal units pass it back and forth, and the map has no fixed point. So
 * the free phase takes the winners of its first sweep, which no feedback has reached yet, and
 * holds them, and the nudged phase keeps them. What is left is a contraction; a winner can be
 * smaller than a loser by no more than its feedback, and what leads on is the largest in any
 * case. e takes the ways of the free state both forward and back, which is exact as long as the
 * nudge changes no largest unit, and so in the limit of a small nudge.
 *
 * Where the nudged phase is pulled back towards the free one (rule.adaptation) every layer of a
 * sweep ends in z <- (1 - c) z + c z_free, and the difference of states at rest, e, in (1 - c) e.
 *
 * How many: with 0 the sweeps go on until the next change, foreseen from the ratio of the last
 * two, is below the tolerance; where it is not reached after 100 the sample counts as unsettled.
 * Reads with noise never settle, and converted ones may go round in steps of a converter: 10 and
 * 5 with both. Of these the last ones may be averaged, see average.h.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "mho/model/check.h"
#include "settle/average.h"

typedef struct sweep {
  int64_t free, nudged, average;
  double tolerance;
} sweep;

/* Through reads that are not exact a fixed number of sweeps is made. */
static const char *without_rest(const mho_experiment *e) {
  const char *why = mho_idle_without_settling(e);
  if (why || mho_experiment_reads_exactly(e))
    return why;
  return "sweeps are counted where reads are noisy or converted (settle.free, settle.nudged)";
}

static const mho_param table[] = {
    MHO_P_INT(sweep, free, "free", 0, 0, 65535,
              "sweeps of the free phase; 0: until the tolerance is met"),
    MHO_P_INT(sweep, nudged, "nudged", 0, 0, 65535,
              "sweeps of the nudged phase; 0: until the tolerance is met, or, with the difference "
              "settled directly, as many as leave a tenth of it, by what the free phase contracts",
              .idle = mho_idle_without_nudge),
    MHO_P_REAL(sweep, tolerance, "tolerance", "", 0, 0, 1,
               "change that another sweep would make, rms over the hidden neurons of a sample; "
               "0: 0.01 with the difference settled directly, else 0.5 % of the smallest layer's "
               "signal (0.05 % with pooling)",
               .idle = without_rest),
    MHO_P_INT(sweep, average, "average", 1, 1, 65535,
              "last states of a phase that are averaged, each with reads of its own; sweeps that "
              "are not given are so many more",
              .idle = mho__average_idle),
};

enum { SWEEPS_MAX = 100, NOISY_FREE = 10, NOISY_NUDGED = 5 };

static bool is_pooled(const mho_network *net) {
  for (int l = 1; l < mho_hidden_end(net); l++)
    if (net->layer[l].pool.size)
      return true;
  return false;
}

static double tolerance_of(const mho_phase *p) {
  const sweep *own = p->thread->params;
  if (own->tolerance > 0)
    return own->tolerance;
  if (p->s->keep) /* direct: a drift of the free state is no part of the difference */
    return 1e-2;

  /* Behind a pooling only the winners carry the signal, a quarter of the units or less: 0.5 % of
   * it would be more than all of it in the mean over units. */
  double part = is_pooled(p->net) ? 0.0005 : 0.005;
  double eps = sizeof(mho_real) == 8 ? 1e-13 : 2e-7; /* what rounding lets through */
  return fmax(part * 0.1 * mho__smallest_signal(p->net), eps);
}

/* ---------------------------------------------------------------- a phase */

/* Sweeps that are made whatever they change, of which `average` are averaged; 0: as many as the
 * tolerance takes. */
static int fixed_sweeps(const mho_phase *p, int average) {
  const sweep *own = p->thread->params;
  bool nudged = mho_phase_is_nudged(p);
  int64_t wanted = nudged ? own->nudged : own->free;
  if (wanted)
    return (int)wanted;
  if (!mho_network_lossy(p->net))
    return 0;
  return (nudged ? NOISY_NUDGED : NOISY_FREE) + average - 1;
}

/* The layer that a sweep takes as number i: the dynamics may have an order of its own. */
static int layer_of_turn(const mho_phase *p, int i) {
  if (p->dyn->turn)
    return p->dyn->turn(p, i);
  return mho_phase_is_nudged(p) ? mho_hidden_end(p->net) - i : i;
}

/* One sweep: from the input to the read-out, nudged the other way round. sum: [n], see
 * mho__chunk_squares. */
static void sweep_layers(mho_chunk *c, float *sum, mho_settle_stats *stats) {
  const mho_phase *p = c->phase;
  int hidden = mho_network_hidden(p->net);
  bool live = p->drive.kind == MHO_DRIVE_LIVE;
  const mho_real *error = live ? mho__chunk_live_error(c, stats) : NULL;
  memset(sum, 0, (size_t)p->n * sizeof *sum);

  for (int i = 1; i <= hidden; i++) {
    int l = layer_of_turn(p, i);
    mho_real *then = mho__chunk_other(c, l);
    bool any = p->dyn->input(c, l, error, then, stats);
    c->zero[l] = p->dyn->relax(c, l, any, then);
    if (c->pulled) {
      mho__chunk_pull(c, l, then);
      c->zero[l] = false;
    }
    mho__chunk_squares(c, l, then, sum);
    c->now[l] = then;
  }
}

/* Sweep number t; those from `first` on are averaged. sum: [n], as of sweep_layers. */
static void sweep_once(mho_chunk *c, int t, int first, float *sum, mho_settle_stats *stats) {
  c->phase->thread->step = t;
  mho__average_begin(c->phase, t, first, stats);
  sweep_layers(c, sum, stats);
  mho__average_add(c, t, first);
  mho__chunk_trace(c, t, sum);
}

/* What the samples changed in a sweep, [n] each, and what follows from it. */
typedef struct progress {
  float change[MHO_CHUNK_MAX], before[MHO_CHUNK_MAX]; /**< rms over neurons, of this and the last */
  double ratio;                                       /**< largest change/before */
  int64_t unsettled;
} progress;

/* Turn sums of squares into changes and foresee those of the next sweep, if they go on shrinking
 * like that. */
static void look_ahead(progress *g, const mho_phase *p, double tolerance) {
  double neurons = 0;
  for (int l = 1; l < mho_hidden_end(p->net); l++)
    neurons += p->net->layer[l].n;
  g->unsettled = 0;
  g->ratio = 0;

  for (int s = 0; s < p->n; s++) {
    g->change[s] = sqrtf(g->change[s] / (float)neurons);
    float r = g->before[s] > 0 ? g->change[s] / g->before[s] : 0;
    float ahead = g->change[s] * (r < 1 ? r : 1);
    g->unsettled += !((double)ahead <= tolerance);
    g->ratio = fmax(g->ratio, (double)r);
    g->before[s] = g->change[s];
  }
}

static void settle(const mho_phase *p, mho_settle_stats *stats) {
  bool nudged = mho_phase_is_nudged(p), lossy = mho_network_lossy(p->net);
  int averaged = mho__average_of(p, ((const sweep *)p->thread->params)->average);
  int fixed = fixed_sweeps(p, averaged), most = fixed ? fixed : SWEEPS_MAX, t = 0;
  int pulled = mho_phase_pulled_steps(p);
  int first = most + pulled - averaged + 1; /* of the averaged ones */
  double tolerance = tolerance_of(p);
  mho_chunk c = {.phase = p};
  progress g = {.ratio = 0};
  for (int s = 0; s < p->n; s++)
    g.before[s] = 1;

  mho__chunk_start(&c, p->s->z);
  p->dyn->begin(p, stats);
  mho__chunk_trace(&c, 0, NULL);
  c.pulled = mho_phase_is_pulled(p);
  while (t < most) {
    c.hold_winners = nudged || t > 0;
    sweep_once(&c, ++t, first, g.change, stats);
    look_ahead(&g, p, tolerance);
    if (!fixed && !g.unsettled)
      break;
  }

  for (int left = pulled; left > 0; left--) {
    c.pulled = true;
    sweep_once(&c, ++t, first, g.change, stats);
  }

  mho__chunk_finish(&c);
  if (averaged > 1)
    mho__average_finish(&c, averaged);
  stats->steps += (double)t * p->n;
  stats->unsettled += lossy ? 0 : g.unsettled;
  stats->contraction = fmax(stats->contraction, g.ratio);
}

/* ---------------------------------------------------------------- the difference */

/* Sweeps that bring what is left of a contraction below a tenth: the contraction is that of the
 * slowest neuron of the slowest sample, and the signal is an estimate over a batch. */
static int sweeps_for(double contraction) {
  if (contraction <= 0.1)
    return 1;
  if (contraction >= 0.9)
    return 22;
  return (int)ceil(log(0.1) / log(contraction));
}

/* e *= 1 - c of layer l. */
static void pull_difference(const mho_phase *p, int l, mho_real *const *e) {
  mho_real *el = mho__values(p->net, e, l, p->row0), own = (mho_real)(1 - p->drive.pull);
  size_t n = mho__phase_count(p, l);
  for (size_t i = 0; i < n; i++)
    el[i] *= own;
}

static void difference(const mho_phase *p, const mho_settle_stats *free, mho_real *const *e,
                       mho_settle_stats *stats) {
  const sweep *own = p->thread->params;
  int sweeps = own->nudged ? (int)own->nudged : sweeps_for(free->contraction);
  int pulled_from = mho_phase_is_pulled(p) ? 1 : sweeps + 1;
  bool fresh[MHO_LAYERS_MAX] = {false};

  sweeps += mho_phase_pulled_steps(p);
  p->thread->changes = true;
  for (int t = 1; t <= sweeps; t++) {
    p->thread->step = t;
    for (int l = mho_hidden_end(p->net) - 1; l >= 1; l--) {
      fresh[l] = p->dyn->difference(p, l, fresh, e, stats);
      if (t >= pulled_from)
        pull_difference(p, l, e);
    }
  }
  p->thread->changes = false;
  stats->steps += (double)sweeps * p->n;
}

static mho_err check(const void *params, mho_errinfo *ei) {
  const sweep *own = params;
  return mho__average_check(own->average, own->free, own->nudged, "sweeps", ei);
}

static mho_err workspace_new(const mho_network *net, const void *params, int n, void **out,
                             mho_errinfo *ei) {
  const sweep *own = params;
  mho_average *average;
  mho_err err = mho__average_new(net, own->average, n, &average, ei);
  *out = average;
  return err;
}

/* What comes into a layer, and what its activities are at rest under that. */
static const char *misses(const mho_dynamics *dyn, const void *params) {
  return dyn->relax ? NULL : "needs neurons that come to rest";
}

const mho_settler mho_settler_sweep = {
    .entry = {.abi = MHO_ABI,
              .id = "sweep",
              .title =
                  "layer after layer with the newest neighbours; the difference settled itself",
              .equation = "z_l <- rho(alpha z_{l-1} W_{l-1} + beta_i z_{l+1} B_l + [l=1] x W_0), "
                          "l = 1 .. L",
              .source = "Gauss-Seidel iteration of Liu & Chen's map, arXiv 2508.11659",
              .params = MHO_PARAMS(sweep, table)},
    .in_turn = true,
    .settle = settle,
    .difference = difference,
    .misses = misses,
    .check = check,
    .workspace_new = workspace_new,
    .workspace_free = mho__average_free,
    .pull_needs = mho__pull_needs_nothing,
};
