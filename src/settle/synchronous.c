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
#include <math.h>
#include <string.h>

#include "settle/links.h"

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

/* One chunk's view of a settle. */
typedef struct chunk {
  const mho_settle_job *job;
  const mho_real *now[MHO_LAYERS_MAX]; /* activities before the step, row row0 first */
  mho_real *then[MHO_LAYERS_MAX];      /* and after */
  bool zero[MHO_LAYERS_MAX];           /* now[l] is all 0 */
} chunk;

static size_t count_of(const mho_settle_job *job, int l) {
  return (size_t)job->n * (size_t)job->net->layer[l].n;
}

/* What stays the same through the phase: the input's product, and a held error's. */
static void read_drives(const mho_settle_job *job, mho_settle_stats *stats) {
  const mho_network *net = job->net;
  int last = net->n_layers - 1;
  for (int l = 1; l < last; l++) {
    if (!job->s->drive[l])
      continue;
    const mho_layer *layer = &net->layer[l];
    mho_real *d = mho_rows(net, job->s->drive, l, job->row0);
    bool add = false;
    if (job->drive) {
      memcpy(d, mho_rows(net, job->drive->drive, l, job->row0), count_of(job, l) * sizeof *d);
      add = true;
    }
    for (int i = 0; i < layer->n_forward && !job->drive; i++) {
      const mho_link *k = &net->link[layer->forward + i];
      if (k->from == 0) {
        mho_link_read(job, k, mho_rows(net, job->input->z, 0, job->row0), d, k->scale, add, stats);
        add = true;
      }
    }
    for (int i = 0; i < layer->n_feedback && job->error && job->nudge != 0; i++) {
      const mho_link *k = &net->link[layer->feedback + i];
      if (k->from == last) {
        const mho_real *e = job->error + (size_t)job->row0 * (size_t)net->layer[last].n;
        mho_link_read(job, k, e, d, (mho_real)-job->nudge * k->scale, add, stats);
        add = true;
      }
    }
    if (!add)
      memset(d, 0, count_of(job, l) * sizeof *d);
  }
}

/* p - y of the present activities, for a live nudge. */
static const mho_real *live_error(const chunk *c, const mho_settle_job *job, mho_settle_stats *stats) {
  const mho_network *net = job->net;
  int classes = net->layer[net->n_layers - 1].n;
  size_t reads = 0;
  for (int i = 0; i < net->n_connections; i++) {
    size_t need = mho_crossbar_scratch(net->connection[i].xb, job->n);
    reads = need > reads ? need : reads;
  }
  mho_real *p = job->scratch + reads; /* behind what reads use: see mho_settle_scratch */
  double loss = 0;
  int64_t correct = 0;
  mho_logits(job, c->now, 0, p, stats);
  mho_softmax(job->n, classes, p, job->label + job->row0, &loss, &correct);
  mho_error_rows(job->n, classes, p, job->label + job->row0, p);
  return p;
}

static void step_layer(chunk *c, const mho_settle_job *job, int l, const mho_real *error, bool *zero_after,
                       mho_settle_stats *stats) {
  const mho_network *net = job->net;
  const mho_layer *layer = &net->layer[l];
  int last = net->n_layers - 1;
  mho_real *a = c->then[l];
  size_t n = count_of(job, l);
  bool any = false;
  if (job->s->drive[l]) {
    memcpy(a, mho_rows(net, job->s->drive, l, job->row0), n * sizeof *a);
    any = true;
  }
  for (int back = 0; back < 2; back++) {
    int first = back ? layer->feedback : layer->forward, count = back ? layer->n_feedback : layer->n_forward;
    for (int i = first; i < first + count; i++) {
      const mho_link *k = &net->link[i];
      if (k->from == 0 || (k->from < last && c->zero[k->from]) || (k->from == last && !error))
        continue;
      mho_real scale = k->from == last ? (mho_real)-job->nudge * k->scale : k->scale;
      mho_link_read(job, k, k->from == last ? error : c->now[k->from], a, scale, any, stats);
      any = true;
    }
  }
  mho_real zero = 0, rest;
  layer->neuron->activate(1, &zero, &rest);
  if (!any)
    memset(a, 0, n * sizeof *a);
  *zero_after = !any && rest == 0;
  if (!*zero_after)
    layer->neuron->activate((int)n, a, a);
}

/* Largest change of each sample in the last step; counts those above the tolerance. */
static int64_t unsettled_samples(const chunk *c, double tolerance, double *residual) {
  const mho_network *net = c->job->net;
  int64_t count = 0;
  for (int s = 0; s < c->job->n; s++) {
    double most = 0;
    for (int l = 1; l < net->n_layers - 1; l++) {
      size_t n = (size_t)net->layer[l].n, at = (size_t)s * n;
      for (size_t i = 0; i < n; i++) {
        double d = fabs((double)(c->then[l][at + i] - c->now[l][at + i]));
        most = d <= most ? most : d; /* a NaN counts as unsettled */
      }
    }
    count += !(most <= tolerance);
    *residual = most <= *residual ? *residual : most;
  }
  return count;
}

static void settle(const mho_settle_job *job, mho_settle_stats *stats) {
  const synchronous *p = job->params;
  const mho_network *net = job->net;
  int steps = steps_of(p, net, job->nudge != 0), hidden_end = net->n_layers - 1, t = 0;
  chunk c = {.job = job};
  for (int l = 1; l < hidden_end; l++) {
    c.zero[l] = !job->start;
    /* rest: zeros in the buffer that the first step does not write */
    mho_real *rest = mho_rows(net, (steps - 1) % 2 ? job->s->z : job->s->next, l, job->row0);
    c.now[l] = job->start ? mho_rows(net, job->start->z, l, job->row0)
                          : memset(rest, 0, count_of(job, l) * sizeof *rest);
  }
  mho_settle_job now = *job;
  now.clock.step = 0;
  read_drives(&now, stats);
  int64_t unsettled = 0;
  double residual = 0;
  while (t < steps) {
    bool zero[MHO_LAYERS_MAX];
    now.clock.step = ++t;
    const mho_real *error = job->nudge != 0 && !job->error ? live_error(&c, &now, stats) : NULL;
    for (int l = 1; l < hidden_end; l++) {
      /* the last step lands in s->z, and before a step its target never holds the present activities */
      c.then[l] = mho_rows(net, (steps - t) % 2 ? job->s->next : job->s->z, l, job->row0);
      step_layer(&c, &now, l, error, &zero[l], stats);
    }
    if (p->tolerance > 0) {
      residual = 0;
      unsettled = unsettled_samples(&c, p->tolerance, &residual);
    }
    for (int l = 1; l < hidden_end; l++) {
      c.now[l] = c.then[l];
      c.zero[l] = zero[l];
    }
    if (p->tolerance > 0 && !unsettled)
      break;
  }
  for (int l = 1; l < hidden_end; l++) {
    mho_real *z = mho_rows(net, job->s->z, l, job->row0);
    if (c.now[l] != z)
      memcpy(z, c.now[l], count_of(job, l) * sizeof *z);
  }
  stats->steps += (double)t * job->n;
  stats->unsettled += unsettled;
  stats->residual = fmax(stats->residual, residual);
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
