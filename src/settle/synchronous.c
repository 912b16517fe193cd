/* synchronous.c - the fixed-point map as the paper runs it, and as clocked hardware does: every
 * layer at once.
 *
 *   z_l[t+1] = rho( alpha sum_f z_f[t] W + beta_i sum_b z_b[t] B + drive_l )
 *   T steps free, K nudged
 *   nudged phase: drive of a layer next to the read-out gains -beta_f (o - t) B
 *
 * The input's product is read once a phase and held, and so is a held error's. Layers that are
 * still exactly 0 (the signal from the input has not come that far) are not multiplied. A layer
 * of which all neighbours came out of the last step as they went in, to the bit, would repeat
 * its own last step: it stays, and nothing is multiplied. So a phase costs what it takes to
 * settle in floating point, and gives what all T or K steps give.
 *
 * `average: n` makes a phase's states the mean over its last n steps, see average.h.
 *
 * `nudge_course: growing` makes step t of the nudged phase carry t beta_f (o - t). So do the
 * experiments that the paper's authors published for nets with further links than a chain's:
 * their program adds the nudge to that of the step before.
 *
 * Where the nudged phase is pulled back towards the free one (rule.adaptation) every step ends in
 * z <- (1 - c) z + c z_free; its steps at the end go on with the nudge of the K-th.
 *
 * Source: Liu & Chen, arXiv 2508.11659, Algorithm 1; the growing nudge: their published program
 * (residual and AGT).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "mho/model/check.h"
#include "settle/average.h"

typedef struct synchronous {
  int64_t free, nudged, average;
  double tolerance;
  int nudge_course;
} synchronous;

enum { CONSTANT, GROWING };

static const mho_param table[] = {
    MHO_P_INT(synchronous, free, "free", 0, 0, 65535,
              "T, steps of the free phase; 0: 10 for up to 2 hidden layers, else 10 a layer"),
    MHO_P_INT(synchronous, nudged, "nudged", 0, 0, 65535,
              "K, steps of the nudged phase; 0: half of T", .idle = mho_idle_without_nudge),
    MHO_P_REAL(synchronous, tolerance, "tolerance", "", 0, 0, 1,
               "stop when no neuron changes by more; 0: always all the steps"),
    MHO_P_CHOICE(synchronous, nudge_course, "nudge_course", "constant|growing", CONSTANT,
                 "the nudge is the same in all steps, or grows by rule.nudge with every one, as in "
                 "the published residual and AGT experiments",
                 .idle = mho_idle_without_nudge),
    MHO_P_INT(synchronous, average, "average", 1, 1, 65535,
              "last states of a phase that are averaged, each with reads of its own; steps that "
              "are not given are so many more",
              .idle = mho__average_idle),
};

/* Steps of a phase of which `average` are averaged. */
static int steps_of(const synchronous *own, const mho_network *net, bool nudged, int average) {
  int hidden = mho_network_hidden(net), free = hidden <= 2 ? 10 : 10 * hidden;
  int64_t given = nudged ? own->nudged : own->free;
  if (given)
    return (int)given;

  if (own->free)
    free = (int)own->free;
  return (nudged ? (free + 1) / 2 : free) + average - 1;
}

/* ---------------------------------------------------------------- what repeats */

/* Whether any of the n links from `first` on leads out of a layer that the last step moved. */
static bool any_moved(const mho_network *net, int first, int n, const bool *moved) {
  for (int i = first; i < first + n; i++)
    if (moved[net->link[i].from])
      return true;
  return false;
}

/* Whether a step of layer l would read what its last one read, given the layers that the last
 * step moved. */
static bool repeats(const mho_network *net, int l, const bool *moved) {
  const mho_layer *layer = &net->layer[l];
  if (layer->pool.size && moved[l]) /* its winners say where feedback goes */
    return false;
  if (mho_layer_takes_error(net, l) && moved[mho_network_output(net)])
    return false;
  return !any_moved(net, layer->forward, layer->n_forward, moved) &&
         !any_moved(net, layer->feedback, layer->n_feedback, moved) &&
         !any_moved(net, layer->other, layer->n_other, moved);
}

/* Whether a live error changes: the layers it is read from do. */
static bool error_moves(const mho_network *net, const bool *moved) {
  int last = mho_network_output(net);
  const mho_layer *layer = &net->layer[last];
  if (mho_layer_takes_error(net, last - 1))
    return moved[last - 1];
  return any_moved(net, layer->forward, layer->n_forward, moved);
}

/* ---------------------------------------------------------------- a phase */

typedef struct phase {
  const synchronous *own;
  mho_phase step; /**< the phase, with the nudge and the error of the step under way */
  mho_chunk c;
  const mho_real *error; /**< o - t that is no part of the drives; NULL: there is none */
  bool live, grows;      /**< the error is that of the present activities; the nudge grows */
  bool exact;            /**< a step that reads the same gives the same, and need not be made */
  int steps, averaged;   /**< steps of the phase, of which so many are averaged */
  bool moved[MHO_LAYERS_MAX];  /**< layers that the last step moved, and the error */
  float change[MHO_CHUNK_MAX]; /**< [n] largest change of a sample in the step */
} phase;

static void start(phase *ph, const mho_phase *p, mho_settle_stats *stats) {
  int last = mho_network_output(p->net);
  bool nudged = mho_phase_is_nudged(p);
  *ph = (phase){.own = p->thread->params, .step = *p};
  ph->c = (mho_chunk){.phase = &ph->step};
  ph->live = p->drive.kind == MHO_DRIVE_LIVE;
  ph->grows = nudged && ph->own->nudge_course == GROWING;
  /* hardware makes and pays every read, and no noisy one repeats */
  ph->exact = !mho__meter_of(p) && !mho_network_noisy(p->net);
  ph->averaged = mho__average_of(p, ph->own->average);
  ph->steps = steps_of(ph->own, p->net, nudged, ph->averaged);

  /* an error whose nudge grows is not the same in every step: it is no part of the drive */
  if (ph->grows && !ph->live) {
    ph->error = mho__held_error(p);
    ph->step.drive.kind = MHO_DRIVE_LIVE;
  }

  for (int l = 1; l < last; l++)
    ph->moved[l] = true;
  mho__chunk_start(&ph->c, p->s->next);
  p->dyn->begin(&ph->step, stats);
  mho__chunk_trace(&ph->c, 0, NULL);
}

/* The error and the nudge of step t. */
static void choose_nudge(phase *ph, const mho_phase *p, int t, mho_settle_stats *stats) {
  int last = mho_network_output(p->net);
  if (ph->live) {
    ph->moved[last] = error_moves(p->net, ph->moved);
    if (ph->moved[last] || !ph->exact)
      ph->error = mho__chunk_live_error(&ph->c, stats);
  }

  if (ph->grows) {
    ph->step.drive.strength = mho_min(t, ph->steps) * p->drive.strength;
    ph->moved[last] = true;
  }
}

/* All layers, from the activities before the step. */
static void make_step(phase *ph, const mho_phase *p, int t, mho_settle_stats *stats) {
  mho_chunk *c = &ph->c;
  int last = mho_network_output(p->net);
  const mho_real *then[MHO_LAYERS_MAX];
  bool zero[MHO_LAYERS_MAX];
  memset(ph->change, 0, (size_t)p->n * sizeof *ph->change);

  for (int l = 1; l < last; l++) {
    then[l] = c->now[l];
    zero[l] = c->zero[l];
    if (t > 1 && ph->exact && !c->pulled && repeats(p->net, l, ph->moved))
      continue;

    mho_real *a = mho__chunk_other(c, l);
    bool any = p->dyn->input(c, l, ph->error, a, stats);
    zero[l] = p->dyn->relax(c, l, any, a);
    if (c->pulled) {
      mho__chunk_pull(c, l, a);
      zero[l] = false;
    }
    if (ph->own->tolerance > 0 || mho__trace_of(p))
      mho__chunk_change(c, l, a, ph->change);
    then[l] = a;
  }

  for (int l = 1; l < last; l++) {
    size_t bytes = mho__phase_count(p, l) * sizeof(mho_real);
    ph->moved[l] = then[l] != c->now[l] && memcmp(then[l], c->now[l], bytes);
    c->now[l] = then[l];
    c->zero[l] = zero[l];
  }
}

static int64_t count_unsettled(const phase *ph, int n) {
  int64_t unsettled = 0;
  if (ph->own->tolerance > 0)
    for (int s = 0; s < n; s++)
      unsettled += (double)ph->change[s] > ph->own->tolerance;
  return unsettled;
}

/* Step number t; those from `first` on are averaged. */
static void step_on(phase *ph, const mho_phase *p, int t, int first, mho_settle_stats *stats) {
  p->thread->step = t;
  mho__average_begin(&ph->step, t, first, stats);
  choose_nudge(ph, p, t, stats);
  make_step(ph, p, t, stats);
  mho__average_add(&ph->c, t, first);
  mho__chunk_trace(&ph->c, t, ph->change);
}

static void settle(const mho_phase *p, mho_settle_stats *stats) {
  phase ph;
  start(&ph, p, stats);
  int t = 0, pulled = mho_phase_pulled_steps(p);
  int first = ph.steps + pulled - ph.averaged + 1; /* of the averaged ones */
  int64_t unsettled = 0;

  ph.c.pulled = mho_phase_is_pulled(p);
  while (t < ph.steps) {
    step_on(&ph, p, ++t, first, stats);
    unsettled = count_unsettled(&ph, p->n);
    if (ph.own->tolerance > 0 && !unsettled)
      break;
  }

  for (int left = pulled; left > 0; left--) {
    ph.c.pulled = true;
    step_on(&ph, p, ++t, first, stats);
  }

  mho__chunk_finish(&ph.c);
  if (ph.averaged > 1)
    mho__average_finish(&ph.c, ph.averaged);
  stats->steps += (double)t * p->n;
  stats->unsettled += unsettled;
}

static mho_err check(const void *params, mho_errinfo *ei) {
  const synchronous *own = params;
  if (own->average > 1 && own->tolerance > 0)
    return mho_fail(ei, MHO_ECONFIG,
                    "settle.average: the last steps of a phase are not known before they come "
                    "where it ends by settle.tolerance: leave one of the two out");
  return mho__average_check(own->average, own->free, own->nudged, "steps", ei);
}

static mho_err workspace_new(const mho_network *net, const void *params, int n, void **out,
                             mho_errinfo *ei) {
  const synchronous *own = params;
  mho_average *average;
  mho_err err = mho__average_new(net, own->average, n, &average, ei);
  *out = average;
  return err;
}

static const char *misses(const mho_dynamics *dyn, const void *params) {
  return dyn->relax ? NULL : "needs neurons that come to rest";
}

const mho_settler mho_settler_synchronous = {
    .entry = {.abi = MHO_ABI,
              .id = "synchronous",
              .title = "all layers at once, T free and K nudged steps",
              .equation = "z_l <- rho(alpha z_{l-1} W_{l-1} + beta_i z_{l+1} B_l + [l=1] x W_0)",
              .source = "Liu & Chen, arXiv 2508.11659, Algorithm 1",
              .params = MHO_PARAMS(synchronous, table)},
    .settle = settle,
    .misses = misses,
    .check = check,
    .workspace_new = workspace_new,
    .workspace_free = mho__average_free,
    .pull_needs = mho__pull_needs_nothing,
};
