/* chunk.c - drives, summed inputs and activities of a chunk of samples, for every settler.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/chunk.h"

#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------- a phase begins */

/* Lines that the free phase does not read hold 0. */
static void release_lines(const mho_settle_job *job) {
  for (int i = 0; i < job->s->n_hold; i++) {
    size_t n = mho__link_held(job->net, &job->net->link[i / 2]);
    if (job->s->hold[i])
      memset(job->s->hold[i] + (size_t)job->sample0 * n, 0, (size_t)job->n * n * sizeof(mho_real));
  }
}

/* The winners are those of the activities that the phase starts from; at rest the first unit of
 * every window wins. */
static void begin_winners(const mho_settle_job *job, int l) {
  size_t n = (size_t)job->net->layer[l].outputs;
  size_t at = (size_t)job->sample0 * n, count = (size_t)job->n * n;

  if (job->start)
    memcpy(job->s->winner[l] + at, job->start->winner[l] + at, count);
  else
    memset(job->s->winner[l] + at, 0, count);
}

/* d = the input's product, where the input leads into the layer. @return whether it does. */
static bool read_input(const mho_settle_job *job, const mho_layer *layer, mho_real *d,
                       mho_settle_stats *stats) {
  const mho_real *x = mho__values(job->net, job->input->z, 0, job->sample0);
  mho_settle_job read = *job;
  bool any = false;
  if (job->nudge != 0)
    read.meter = NULL; /* the free phase's reads of the input stand for all phases, see mho_meter */

  for (int i = 0; i < layer->n_forward; i++) {
    const mho_link *k = &job->net->link[layer->forward + i];
    if (k->from == 0) {
      mho__link_read(&read, k, x, d, k->scale, any, stats);
      any = true;
    }
  }
  return any;
}

/* d -= nudge times what a held error brings, or d = that unless `any`. @return whether d is set. */
static bool read_held_error(const mho_settle_job *job, const mho_layer *layer, bool any,
                            mho_real *d, mho_settle_stats *stats) {
  const mho_real *e = mho__held_error(job);

  for (int i = 0; i < layer->n_feedback; i++) {
    const mho_link *k = &job->net->link[layer->feedback + i];
    if (mho__link_holds_error(job->net, k)) {
      mho__link_read(job, k, e, d, (mho_real)-job->nudge * k->scale, any, stats);
      any = true;
    }
  }
  return any;
}

void mho__chunk_drives(const mho_settle_job *job, mho_settle_stats *stats) {
  const mho_network *net = job->net;
  int last = mho_network_output(net);
  release_lines(job);
  for (int l = 1; l < last; l++)
    if (job->s->winner[l])
      begin_winners(job, l);

  for (int l = 1; l < last; l++) {
    if (!job->s->drive[l])
      continue;

    mho_real *d = mho__values(net, job->s->drive, l, job->sample0);
    size_t bytes = mho__chunk_count(job, l) * sizeof *d;
    bool any = true;
    if (job->drive)
      memcpy(d, mho__values(net, job->drive->drive, l, job->sample0), bytes);
    else
      any = read_input(job, &net->layer[l], d, stats);

    if (job->error && job->nudge != 0)
      any = read_held_error(job, &net->layer[l], any, d, stats);
    if (!any)
      memset(d, 0, bytes);
  }
}

/* ---------------------------------------------------------------- a step */

const mho_real *mho__chunk_live_error(const mho_chunk *c, mho_settle_stats *stats) {
  mho_settle_job job = *c->job;
  const mho_network *net = job.net;
  const uint8_t *label = job.label + job.sample0;
  int classes = mho_network_classes(net);
  mho_real *p = job.scratch + mho_settle_read_scratch(net, job.n);
  double loss = 0;
  int64_t correct = 0;

  job.clock = c->clock;
  mho__logits(&job, c->now, 0, p, stats);
  mho_softmax(job.n, classes, p, label, &loss, &correct);
  mho_output_error(job.n, classes, p, label, p);
  return p;
}

/* What drives a link in this step: the activity it leads out of or the error, held or live;
 * NULL: nothing does. */
static const mho_real *link_source(const mho_chunk *c, const mho_link *k, const mho_real *error) {
  const mho_settle_job *job = c->job;
  if (k->from == 0) /* the input's product is in the drive */
    return NULL;
  if (mho_layer_is_hidden(&job->net->layer[k->from]))
    return c->now[k->from];
  if (error)
    return error;

  bool driven = !job->error || job->nudge == 0 || mho__link_holds_error(job->net, k);
  return driven ? NULL : mho__held_error(job);
}

/* a += what link k brings in this step, or a = that unless `any`. @return whether a is set. */
static bool add_link(const mho_chunk *c, const mho_settle_job *job, const mho_link *k, bool any,
                     const mho_real *error, mho_real *a, mho_settle_stats *stats) {
  const mho_connection *connection = &job->net->connection[k->connection];
  const mho_real *from = link_source(c, k, error);
  bool hidden = mho_layer_is_hidden(&job->net->layer[k->from]),
       biased = connection->bias && !k->transposed;
  if (!from)
    return any;
  if (hidden && c->zero[k->from] && !biased) {
    if (job->meter) /* hardware does not know that they are zeros */
      mho__meter_read(job->meter, (int)(k - job->net->link), job->n * connection->positions, NULL,
                      1);
    return any;
  }

  mho_real scale = hidden ? k->scale : (mho_real)-job->nudge * k->scale;
  mho__link_read(job, k, from, a, scale, any, stats);
  return true;
}

/* a += what links first .. first+n-1 bring, or a = that unless `any`. @return whether a is set. */
static bool add_links(const mho_chunk *c, const mho_settle_job *job, int first, int n, bool any,
                      const mho_real *error, mho_real *a, mho_settle_stats *stats) {
  for (int i = first; i < first + n; i++) {
    const mho_link *k = &job->net->link[i];
    if (mho_link_settles(k))
      any = add_link(c, job, k, any, error, a, stats);
  }
  return any;
}

bool mho__chunk_input(const mho_chunk *c, int l, const mho_real *error, mho_real *a,
                      mho_settle_stats *stats) {
  mho_settle_job job = *c->job;
  const mho_network *net = job.net;
  const mho_layer *layer = &net->layer[l];
  bool any = false;
  job.clock = c->clock;
  if (job.s->drive[l]) {
    memcpy(a, mho__values(net, job.s->drive, l, job.sample0),
           mho__chunk_count(&job, l) * sizeof *a);
    any = true;
  }

  any = add_links(c, &job, layer->forward, layer->n_forward, any, error, a, stats);
  any = add_links(c, &job, layer->feedback, layer->n_feedback, any, error, a, stats);
  return add_links(c, &job, layer->other, layer->n_other, any, error, a, stats);
}

bool mho__chunk_activate(const mho_chunk *c, int l, bool any, mho_real *a) {
  const mho_settle_job *job = c->job;
  const mho_layer *layer = &job->net->layer[l];
  size_t n = mho__chunk_count(job, l);
  mho_real zero = 0, rest = 1;
  if (!layer->circuit) /* offsets move a neuron that nothing comes into */
    layer->neuron->activate(1, &zero, &rest);

  if (!any)
    memset(a, 0, n * sizeof *a);
  if (job->s->keep && job->s->keep[l])
    mho_layer_activate_keep(layer, job->n, a, mho__values(job->net, job->s->keep, l, job->sample0));
  else if (any || rest != 0)
    mho_layer_activate(layer, job->n, a, a);

  if (!c->hold_winners)
    mho__choose_winners(job, l, a);
  return !any && rest == 0;
}

/* ---------------------------------------------------------------- what a step changed */

void mho__chunk_change(const mho_chunk *c, int l, const mho_real *then, float *change) {
  const mho_real *now = c->now[l];
  int width = c->job->net->layer[l].n;

  for (int s = 0; s < c->job->n; s++) {
    float most = 0;
    int bad = 0;
#pragma omp simd reduction(max : most) reduction(| : bad)
    for (int i = 0; i < width; i++) {
      float d = fabsf((float)(then[s * width + i] - now[s * width + i]));
      most = d > most ? d : most;
      bad |= !(d == d);
    }
    if (bad)
      most = INFINITY;
    change[s] = most > change[s] ? most : change[s];
  }
}

void mho__chunk_squares(const mho_chunk *c, int l, const mho_real *then, float *sum) {
  const mho_real *now = c->now[l];
  int width = c->job->net->layer[l].n;

  for (int s = 0; s < c->job->n; s++) {
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int i = 0; i < width; i++) {
      float d = (float)(then[s * width + i] - now[s * width + i]);
      squares += d * d;
    }
    sum[s] += squares;
  }
}

double mho__smallest_signal(const mho_network *net) {
  double least = 1;
  for (int l = 1; l < mho_hidden_end(net); l++)
    least = fmin(least, mho_network_signal_scale(net, l));
  return least;
}

void mho__chunk_trace(const mho_chunk *c, int step, const float *change) {
  mho_trace *trace = c->job->trace;
  if (!trace)
    return;

  for (int l = 1; l < mho_hidden_end(c->job->net); l++)
    for (int i = 0; i < c->job->net->layer[l].n; i++)
      trace->z[l][i] = (double)c->now[l][i];
  trace->point(trace->user, &(mho_trace_point){.phase = c->clock.phase,
                                               .step = step,
                                               .time = NAN,
                                               .residual = change ? (double)*change : (double)NAN,
                                               .z = trace->z});
}

/* ---------------------------------------------------------------- start and end */

void mho__chunk_start(mho_chunk *c, mho_real *const *rest) {
  const mho_settle_job *job = c->job;

  for (int l = 1; l < mho_hidden_end(job->net); l++) {
    c->zero[l] = !job->start;
    mho_real *zeros = mho__values(job->net, rest, l, job->sample0);
    if (job->start)
      c->now[l] = mho__values(job->net, job->start->z, l, job->sample0);
    else
      c->now[l] = memset(zeros, 0, mho__chunk_count(job, l) * sizeof *zeros);
  }
}

void mho__chunk_finish(const mho_chunk *c) {
  const mho_settle_job *job = c->job;
  for (int l = 1; l < mho_hidden_end(job->net); l++) {
    mho_real *z = mho__values(job->net, job->s->z, l, job->sample0);
    if (c->now[l] != z)
      memcpy(z, c->now[l], mho__chunk_count(job, l) * sizeof *z);
  }
}
