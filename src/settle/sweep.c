/* sweep.c - the same fixed point, layer after layer with the newest neighbours.
 *
 * A free sweep runs from the input to the read-out. With weak feedback the first one is the
 * feed-forward pass and every further one takes off a factor of about beta_i: two or three reach
 * what a synchronous settle needs tens of steps for. The nudged phase sweeps from the read-out
 * down.
 *
 * The difference z_free - z_nudged is settled itself (direct): with c_l = beta_f beta_i^h(l), h
 * the fewest powers of beta_i on a way from the read-out's neighbours, e_l = (z_free -
 * z_nudged)/c_l obeys
 *
 *   e_l = -(rho(a_l - c_l in_l) - rho(a_l))/c_l
 *   in_l = sum_forward alpha beta_i^(h_f - h_l) e_f W
 *        + sum_feedback beta_i^(1 + h_b - h_l) e_b B + (p - y) B
 *
 * (the 1 is the number of layers that the link leads back over with feedback.per layer)
 *
 * in which nothing cancels and nothing underflows, at any depth. rho's difference is exact: see
 * the neurons.
 *
 * Where an activity is pooled, feedback to the winner of a window can make it lose: where it is
 * negative, two nearly equal units pass it back and forth, and the map has no fixed point. So
 * the free phase takes the winners of its first sweep, which no feedback has reached yet, and
 * holds them, and the nudged phase keeps them. What is left is a contraction; a winner can be
 * smaller than a loser by no more than its feedback, and what leads on is the largest in any
 * case. e takes the ways of the free state both forward and back, which is exact as long as the
 * nudge changes no largest unit, and so in the limit of a small nudge.
 *
 * How many: with 0 the sweeps go on until the next change, foreseen from the ratio of the last
 * two, is below the tolerance; where it is not reached after 100 the sample counts as unsettled.
 * Reads with noise never settle, and converted ones may go round in steps of a converter: 10 and
 * 5 with both.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "settle/chunk.h"

typedef struct sweep {
  int64_t free, nudged;
  double tolerance;
} sweep;

static const mho_param table[] = {
    MHO_P_INT(sweep, free, "free", 0, 0, 65535,
              "sweeps of the free phase; 0: until the tolerance is met"),
    MHO_P_INT(sweep, nudged, "nudged", 0, 0, 65535,
              "sweeps of the nudged phase; 0: until the tolerance is met"),
    MHO_P_REAL(sweep, tolerance, "tolerance", "", 0, 0, 1,
               "change that another sweep would make, rms over the hidden neurons of a sample; "
               "0: 0.01 with the difference settled directly, else 0.5 % of the smallest layer's "
               "signal (0.05 % with pooling)"),
};

enum { SWEEPS_MAX = 100, NOISY_FREE = 10, NOISY_NUDGED = 5 };

static bool is_pooled(const mho_network *net) {
  for (int l = 1; l < mho_hidden_end(net); l++)
    if (net->layer[l].pool.size)
      return true;
  return false;
}

static double tolerance_of(const mho_settle_job *job) {
  const sweep *p = job->params;
  if (p->tolerance > 0)
    return p->tolerance;
  if (job->s->keep) /* direct: a drift of the free state is no part of the difference */
    return 1e-2;

  /* Behind a pooling only the winners carry the signal, a quarter of the units or less: 0.5 % of
   * it would be more than all of it in the mean over units. */
  double part = is_pooled(job->net) ? 0.0005 : 0.005;
  double eps = sizeof(mho_real) == 8 ? 1e-13 : 2e-7; /* what rounding lets through */
  return fmax(part * 0.1 * mho__smallest_signal(job->net), eps);
}

/* ---------------------------------------------------------------- a phase */

/* Sweeps that are made whatever they change; 0: as many as the tolerance takes. */
static int fixed_sweeps(const mho_settle_job *job) {
  const sweep *p = job->params;
  bool nudged = job->nudge != 0;
  int64_t wanted = nudged ? p->nudged : p->free;
  if (wanted)
    return (int)wanted;
  if (!mho_network_lossy(job->net))
    return 0;
  return nudged ? NOISY_NUDGED : NOISY_FREE;
}

/* One sweep: from the input to the read-out, nudged the other way round. sum: [n], see
 * mho__chunk_squares. */
static void sweep_layers(mho_chunk *c, float *sum, mho_settle_stats *stats) {
  const mho_settle_job *job = c->job;
  int hidden = mho_network_hidden(job->net);
  bool down = job->nudge != 0;
  const mho_real *error = down && !job->error ? mho__chunk_live_error(c, stats) : NULL;
  memset(sum, 0, (size_t)job->n * sizeof *sum);

  for (int i = 1; i <= hidden; i++) {
    int l = down ? hidden + 1 - i : i;
    mho_real *then = mho__chunk_other(c, l);
    bool any = mho__chunk_input(c, l, error, then, stats);
    c->zero[l] = mho__chunk_activate(c, l, any, then);
    mho__chunk_squares(c, l, then, sum);
    c->now[l] = then;
  }
}

/* What the samples changed in a sweep, [n] each, and what follows from it. */
typedef struct progress {
  float change[MHO_CHUNK_MAX], before[MHO_CHUNK_MAX]; /**< rms over neurons, of this and the last */
  double ratio;                                       /**< largest change/before */
  int64_t unsettled;
} progress;

/* Turn sums of squares into changes and foresee those of the next sweep, if they go on shrinking
 * like that. */
static void look_ahead(progress *g, const mho_settle_job *job, double tolerance) {
  double neurons = 0;
  for (int l = 1; l < mho_hidden_end(job->net); l++)
    neurons += job->net->layer[l].n;
  g->unsettled = 0;
  g->ratio = 0;

  for (int s = 0; s < job->n; s++) {
    g->change[s] = sqrtf(g->change[s] / (float)neurons);
    float r = g->before[s] > 0 ? g->change[s] / g->before[s] : 0;
    float ahead = g->change[s] * (r < 1 ? r : 1);
    g->unsettled += !((double)ahead <= tolerance);
    g->ratio = fmax(g->ratio, (double)r);
    g->before[s] = g->change[s];
  }
}

static void settle(const mho_settle_job *job, mho_settle_stats *stats) {
  bool nudged = job->nudge != 0, lossy = mho_network_lossy(job->net);
  int fixed = fixed_sweeps(job), most = fixed ? fixed : SWEEPS_MAX, t = 0;
  double tolerance = tolerance_of(job);
  mho_chunk c = {.job = job, .clock = job->clock};
  progress g = {.ratio = 0};
  for (int s = 0; s < job->n; s++)
    g.before[s] = 1;

  mho__chunk_start(&c, job->s->z);
  mho__chunk_drives(job, stats);
  mho__chunk_trace(&c, 0, NULL);
  while (t < most) {
    c.clock.step = ++t;
    c.hold_winners = nudged || t > 1;
    sweep_layers(&c, g.change, stats);
    mho__chunk_trace(&c, t, g.change);
    look_ahead(&g, job, tolerance);
    if (!fixed && !g.unsettled)
      break;
  }

  mho__chunk_finish(&c);
  stats->steps += (double)t * job->n;
  stats->unsettled += lossy ? 0 : g.unsettled;
  stats->contraction = fmax(stats->contraction, g.ratio);
}

/* ---------------------------------------------------------------- the difference */

/* in += what link k brings of the difference, or in = that unless `any`. power: of beta_i. */
static void add_link(const mho_settle_job *job, const mho_link *k, double power, bool any,
                     mho_real *const *e, mho_real *in, mho_settle_stats *stats) {
  const mho_network *net = job->net;
  bool of_error = mho_link_has_error(net, k), back = k->role == MHO_FEEDBACK;
  const mho_real *from =
      of_error ? mho__held_error(job) : mho__values(net, e, k->from, job->sample0);
  double gain = back ? net->connection[k->connection].sign : (double)k->scale;
  double scale = gain * pow(net->feedback_scale, power);
  mho__link_read(job, k, from, in, (mho_real)scale, any, stats);
}

/* Add what links first .. first+n-1 bring into a layer at that distance. fresh[l]: e[l] has been
 * computed. @return whether `in` is set. */
static bool add_links(const mho_settle_job *job, int first, int n, int distance, const bool *fresh,
                      bool any, mho_real *const *e, mho_real *in, mho_settle_stats *stats) {
  const mho_network *net = job->net;

  for (int i = first; i < first + n; i++) {
    const mho_link *k = &net->link[i];
    bool of_error = mho_link_has_error(net, k);
    if (!of_error && (!mho_link_is_hidden(net, k) || !fresh[k->from]))
      continue;

    int power = k->span - distance + (of_error ? 0 : net->layer[k->from].distance);
    add_link(job, k, power, any, e, in, stats);
    any = true;
  }
  return any;
}

/* Links into layer l that carry e, summed into e[l]; false when none does yet. */
static bool difference_input(const mho_settle_job *job, int l, const bool *fresh,
                             mho_real *const *e, mho_settle_stats *stats) {
  const mho_layer *layer = &job->net->layer[l];
  mho_real *in = mho__values(job->net, e, l, job->sample0);
  int distance = layer->distance;
  bool any =
      add_links(job, layer->feedback, layer->n_feedback, distance, fresh, false, e, in, stats);

  any = add_links(job, layer->forward, layer->n_forward, distance, fresh, any, e, in, stats);
  return add_links(job, layer->other, layer->n_other, distance, fresh, any, e, in, stats);
}

/* Sweeps that bring what is left of a contraction below a tenth: the contraction is that of the
 * slowest neuron of the slowest sample, and the signal is an estimate over a batch. */
static int sweeps_for(double contraction) {
  if (contraction <= 0.1)
    return 1;
  if (contraction >= 0.9)
    return 22;
  return (int)ceil(log(0.1) / log(contraction));
}

static void difference(const mho_settle_job *job, const mho_settle_stats *free, mho_real *const *e,
                       mho_settle_stats *stats) {
  const sweep *p = job->params;
  const mho_network *net = job->net;
  int sweeps = p->nudged ? (int)p->nudged : sweeps_for(free->contraction);
  bool fresh[MHO_LAYERS_MAX] = {false};
  mho_settle_job now = *job;
  now.changes = true;

  for (int t = 1; t <= sweeps; t++) {
    now.clock.step = t;
    for (int l = mho_hidden_end(net) - 1; l >= 1; l--) {
      const mho_layer *layer = &net->layer[l];
      mho_real *el = mho__values(net, e, l, job->sample0);
      if (layer->distance < 0 || !difference_input(&now, l, fresh, e, stats)) {
        memset(el, 0, mho__chunk_count(job, l) * sizeof *el); /* out of the error's reach */
        continue;
      }

      double c = job->nudge * mho_network_signal_scale(net, l);
      mho_layer_difference(layer, job->n, (mho_real)c, mho__values(net, job->s->z, l, job->sample0),
                           mho__values(net, job->s->keep, l, job->sample0), el);
      fresh[l] = true;
    }
  }
  stats->steps += (double)sweeps * job->n;
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
};

const mho_settler *mho_settler_reference(void) {
  return &mho_settler_sweep;
}
