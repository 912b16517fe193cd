/* synchronous.c - the fixed-point map as the paper runs it, and as clocked hardware does: every layer at
 * once.
 *
 *   z_l[t+1] = rho( alpha sum_f z_f[t] W + beta_i sum_b z_b[t] B + drive_l ),  T steps free, K nudged
 *   nudged phase: drive of a layer next to the read-out gains -beta_f (p - y) B
 *
 * The input's product is read once a phase and held, and so is a held error's. Layers that are still exactly
 * 0 (the signal from the input has not come that far) are not multiplied.
 *
 * Source: Liu & Chen, arXiv 2508.11659, Algorithm 1.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "settle/chunk.h"

typedef struct synchronous {
  int64_t free, nudged;
  double tolerance;
} synchronous;

static const mho_param table[] = {
    MHO_P_INT(synchronous, free, "free", 0, 0, 65535,
              "T, steps of the free phase; 0: 10 for up to 2 hidden layers, else 10 a layer"),
    MHO_P_INT(synchronous, nudged, "nudged", 0, 0, 65535, "K, steps of the nudged phase; 0: half of T"),
    MHO_P_REAL(synchronous, tolerance, "tolerance", "", 0, 0, 1,
               "stop when no neuron changes by more; 0: always all the steps"),
};

static int steps_of(const synchronous *p, const mho_network *net, bool nudged) {
  int hidden = net->n_layers - 2;
  int free = p->free ? (int)p->free : hidden <= 2 ? 10 : 10 * hidden;
  return !nudged ? free : p->nudged ? (int)p->nudged : (free + 1) / 2;
}

static void settle(const mho_settle_job *job, mho_settle_stats *stats) {
  const synchronous *p = job->params;
  const mho_network *net = job->net;
  int steps = steps_of(p, net, job->nudge != 0), hidden_end = net->n_layers - 1, t = 0;
  float change[MHO_CHUNK_MAX];
  int64_t unsettled = 0;
  mho_chunk c = {.job = job, .clock = job->clock};
  for (int l = 1; l < hidden_end; l++) {
    c.zero[l] = !job->start;
    /* rest: zeros in the buffer that the first step does not write */
    mho_real *rest = mho_rows(net, (steps - 1) % 2 ? job->s->z : job->s->next, l, job->row0);
    c.now[l] = job->start ? mho_rows(net, job->start->z, l, job->row0)
                          : memset(rest, 0, mho_chunk_count(job, l) * sizeof *rest);
  }
  mho_chunk_drives(job, stats);
  mho_chunk_trace(&c, 0, NULL);
  while (t < steps) {
    mho_real *then[MHO_LAYERS_MAX];
    bool zero[MHO_LAYERS_MAX];
    c.clock.step = ++t;
    const mho_real *error = job->nudge != 0 && !job->error ? mho_chunk_live_error(&c, stats) : NULL;
    memset(change, 0, (size_t)job->n * sizeof *change);
    for (int l = 1; l < hidden_end; l++) {
      /* the last step lands in s->z, and before a step its target never holds the present activities */
      then[l] = mho_rows(net, (steps - t) % 2 ? job->s->next : job->s->z, l, job->row0);
      bool any = mho_chunk_input(&c, l, error, then[l], stats);
      zero[l] = mho_chunk_activate(&c, l, any, then[l]);
      if (p->tolerance > 0 || job->trace)
        mho_chunk_change(&c, l, then[l], change);
    }
    for (int l = 1; l < hidden_end; l++) {
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
