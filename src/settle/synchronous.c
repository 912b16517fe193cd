/* synchronous.c - the fixed-point map as the paper runs it, and as clocked hardware does: every layer at
 * once.
 *
 *   z_l[t+1] = rho( alpha sum_f z_f[t] W + beta_i sum_b z_b[t] B + drive_l ),  T steps free, K nudged
 *   nudged phase: drive of a layer next to the read-out gains -beta_f (p - y) B
 *
 * The input's product is read once a phase and held, and so is a held error's. Layers that are still exactly
 * 0 (the signal from the input has not come that far) are not multiplied. A layer of which all neighbours came out of
 * the last step as they went in, to the bit, would repeat its own last step: it stays, and nothing is multiplied. So a
 * phase costs what it takes to settle in floating point, and gives what all T or K steps give.
 *
 * `nudge_course: growing` makes step t of the nudged phase carry t beta_f (p - y). So do the experiments that the
 * paper's authors published for nets with further links than a chain's: their program adds the nudge to that of
 * the step before.
 *
 * Source: Liu & Chen, arXiv 2508.11659, Algorithm 1; the growing nudge: their published program (residual and AGT).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "settle/chunk.h"

typedef struct synchronous {
  int64_t free, nudged;
  double tolerance;
  int nudge_course;
} synchronous;

enum { CONSTANT, GROWING };

static const mho_param table[] = {
    MHO_P_INT(synchronous, free, "free", 0, 0, 65535,
              "T, steps of the free phase; 0: 10 for up to 2 hidden layers, else 10 a layer"),
    MHO_P_INT(synchronous, nudged, "nudged", 0, 0, 65535,
              "K, steps of the nudged phase; 0: half of T"),
    MHO_P_REAL(synchronous, tolerance, "tolerance", "", 0, 0, 1,
               "stop when no neuron changes by more; 0: always all the steps"),
    MHO_P_CHOICE(
        synchronous, nudge_course, "nudge_course", "constant|growing", CONSTANT,
        "the nudge is the same in all steps, or grows by rule.nudge with every one, as in the "
        "published residual and AGT experiments"),
};

static int steps_of(const synchronous *p, const mho_network *net, bool nudged) {
  int hidden = net->n_layers - 2;
  int free = p->free ? (int)p->free : hidden <= 2 ? 10 : 10 * hidden;
  return !nudged ? free : p->nudged ? (int)p->nudged : (free + 1) / 2;
}

/* Whether a step of layer l would read what its last one read, given the layers that the last step moved. */
static bool repeats(const mho_network *net, int l, const bool *moved) {
  const mho_layer *layer = &net->layer[l];
  if (layer->pool.size && moved[l]) /* its winners say where feedback goes */
    return false;
  for (int i = 0; i < layer->n_forward; i++)
    if (moved[net->link[layer->forward + i].from])
      return false;
  for (int i = 0; i < layer->n_feedback; i++)
    if (moved[net->link[layer->feedback + i].from])
      return false;
  return true;
}

/* Whether a live error changes: the layers it is read from do. */
static bool error_moves(const mho_network *net, const bool *moved) {
  const mho_layer *layer = &net->layer[net->n_layers - 1];
  for (int i = 0; i < layer->n_forward; i++)
    if (moved[net->link[layer->forward + i].from])
      return true;
  return false;
}

static void settle(const mho_settle_job *job, mho_settle_stats *stats) {
  const synchronous *p = job->params;
  const mho_network *net = job->net;
  int steps = steps_of(p, net, job->nudge != 0), hidden_end = net->n_layers - 1, t = 0;
  float change[MHO_CHUNK_MAX];
  int64_t unsettled = 0;
  /* hardware makes and pays every read, and no noisy one repeats */
  bool exact = !job->meter && !mho_network_noisy(net), moved[MHO_LAYERS_MAX] = {false};
  const mho_real *error = NULL;
  mho_settle_job step = *job;
  bool grows = p->nudge_course == GROWING && job->nudge != 0;
  mho_chunk c = {.job = &step, .clock = job->clock};
  if (grows &&
      job->error) { /* the same in every step is only the error: it is no part of the drive */
    error = job->error + (size_t)job->row0 * (size_t)net->layer[hidden_end].n;
    step.error = NULL;
  }
  for (int l = 1; l < hidden_end; l++) {
    c.zero[l] = !job->start;
    moved[l] = true;
    mho_real *rest = mho_rows(net, job->s->next, l, job->row0);
    c.now[l] = job->start ? mho_rows(net, job->start->z, l, job->row0)
                          : memset(rest, 0, mho_chunk_count(job, l) * sizeof *rest);
  }
  mho_chunk_drives(&step, stats);
  mho_chunk_trace(&c, 0, NULL);
  while (t < steps) {
    const mho_real *then[MHO_LAYERS_MAX];
    bool zero[MHO_LAYERS_MAX];
    c.clock.step = ++t;
    if (job->nudge != 0 && !job->error) {
      moved[hidden_end] = error_moves(net, moved);
      if (moved[hidden_end] || !exact)
        error = mho_chunk_live_error(&c, stats);
    }
    if (grows) {
      step.nudge = t * job->nudge;
      moved[hidden_end] = true;
    }
    memset(change, 0, (size_t)job->n * sizeof *change);
    for (int l = 1; l < hidden_end; l++) {
      then[l] = c.now[l];
      zero[l] = c.zero[l];
      if (t > 1 && exact && repeats(net, l, moved))
        continue;
      mho_real *z = mho_rows(net, job->s->z, l, job->row0);
      mho_real *a = c.now[l] == z ? mho_rows(net, job->s->next, l, job->row0) : z;
      bool any = mho_chunk_input(&c, l, error, a, stats);
      zero[l] = mho_chunk_activate(&c, l, any, a);
      if (p->tolerance > 0 || job->trace)
        mho_chunk_change(&c, l, a, change);
      then[l] = a;
    }
    for (int l = 1; l < hidden_end; l++) {
      moved[l] = then[l] != c.now[l] &&
                 memcmp(then[l], c.now[l], mho_chunk_count(job, l) * sizeof(mho_real));
      c.now[l] = then[l];
      c.zero[l] = zero[l];
    }
    mho_chunk_trace(&c, t, change);
    unsettled = 0;
    for (int s = 0; s < job->n && p->tolerance > 0; s++)
      unsettled += (double)change[s] > p->tolerance;
    if (p->tolerance > 0 && !unsettled)
      break;
  }
  mho_chunk_finish(&c);
  stats->steps += (double)t * job->n;
  stats->unsettled += unsettled;
}

const mho_settler mho_settler_synchronous = {
    .entry = {.abi = MHO_ABI,
              .id = "synchronous",
              .title = "all layers at once, T free and K nudged steps",
              .equation = "z_l <- rho(alpha z_{l-1} W_{l-1} + beta_i z_{l+1} B_l + [l=1] x W_0)",
              .source = "Liu & Chen, arXiv 2508.11659, Algorithm 1",
              .params = MHO_PARAMS(synchronous, table)},
    .settle = settle,
};
