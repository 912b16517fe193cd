/* chunk.c - drives, summed inputs and activities of a chunk of rows, for every settler.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/chunk.h"

#include <math.h>
#include <string.h>

/* A line that a free phase does not read holds nothing. */
static void release_lines(const mho_settle_job *job) {
  for (int i = 0; i < job->s->n_hold; i++) {
    size_t n = mho_link_held(job->net, &job->net->link[i / 2]);
    if (job->s->hold[i])
      memset(job->s->hold[i] + (size_t)job->row0 * n, 0, (size_t)job->n * n * sizeof(mho_real));
  }
}

/* Winners at the start of a phase: those of the activities it starts from; all the first ones at rest. */
static void begin_winners(const mho_settle_job *job, int l) {
  size_t n = (size_t)job->net->layer[l].outputs, at = (size_t)job->row0 * n,
         count = (size_t)job->n * n;
  if (job->start)
    memcpy(job->s->winner[l] + at, job->start->winner[l] + at, count);
  else
    memset(job->s->winner[l] + at, 0, count);
}

void mho_chunk_drives(const mho_settle_job *job, mho_settle_stats *stats) {
  const mho_network *net = job->net;
  int last = net->n_layers - 1;
  release_lines(job);
  for (int l = 1; l < last; l++)
    if (job->s->winner[l])
      begin_winners(job, l);
  for (int l = 1; l < last; l++) {
    if (!job->s->drive[l])
      continue;
    const mho_layer *layer = &net->layer[l];
    mho_real *d = mho_rows(net, job->s->drive, l, job->row0);
    bool add = false;
    if (job->drive) {
      memcpy(d, mho_rows(net, job->drive->drive, l, job->row0),
             mho_chunk_count(job, l) * sizeof *d);
      add = true;
    }
    for (int i = 0; i < layer->n_forward && !job->drive; i++) {
      const mho_link *k = &net->link[layer->forward + i];
      if (k->from == 0) {
        mho_settle_job read = *job;
        read.meter =
            job->nudge == 0 ? job->meter : NULL; /* see mho_meter: the free phase stands for all */
        mho_link_read(&read, k, mho_rows(net, job->input->z, 0, job->row0), d, k->scale, add,
                      stats);
        add = true;
      }
    }
    for (int i = 0; i < layer->n_feedback && job->error && job->nudge != 0; i++) {
      const mho_link *k = &net->link[layer->feedback + i];
      if (mho_link_holds_error(net, k)) {
        const mho_real *e = job->error + (size_t)job->row0 * (size_t)net->layer[last].n;
        mho_link_read(job, k, e, d, (mho_real)-job->nudge * k->scale, add, stats);
        add = true;
      }
    }
    if (!add)
      memset(d, 0, mho_chunk_count(job, l) * sizeof *d);
  }
}

const mho_real *mho_chunk_live_error(const mho_chunk *c, mho_settle_stats *stats) {
  mho_settle_job job = *c->job;
  const mho_network *net = job.net;
  int classes = net->layer[net->n_layers - 1].n;
  mho_real *p = job.scratch + mho_settle_read_scratch(net, job.n);
  double loss = 0;
  int64_t correct = 0;
  job.clock = c->clock;
  mho_logits(&job, c->now, 0, p, stats);
  mho_softmax(job.n, classes, p, job.label + job.row0, &loss, &correct);
  mho_error_rows(job.n, classes, p, job.label + job.row0, p);
  return p;
}

bool mho_chunk_input(const mho_chunk *c, int l, const mho_real *error, mho_real *a,
                     mho_settle_stats *stats) {
  mho_settle_job job = *c->job;
  const mho_network *net = job.net;
  const mho_layer *layer = &net->layer[l];
  int last = net->n_layers - 1;
  bool any = false;
  job.clock = c->clock;
  if (job.s->drive[l]) {
    memcpy(a, mho_rows(net, job.s->drive, l, job.row0), mho_chunk_count(&job, l) * sizeof *a);
    any = true;
  }
  for (int back = 0; back < 2; back++) {
    int first = back ? layer->feedback : layer->forward,
        count = back ? layer->n_feedback : layer->n_forward;
    for (int i = first; i < first + count; i++) {
      const mho_link *k = &net->link[i];
      const mho_real *from = k->from == last ? error : c->now[k->from];
      if (k->from == last && !error && job.error && job.nudge != 0 && !mho_link_holds_error(net, k))
        from = job.error + (size_t)job.row0 * (size_t)net->layer[last].n;
      bool biased = net->connection[k->connection].bias && !k->transposed;
      if (k->from == 0 || !from)
        continue;
      if (k->from < last && c->zero[k->from] && !biased) {
        if (job.meter) /* hardware does not know that they are zeros */
          mho_meter_read(job.meter, (int)(k - net->link),
                         job.n * net->connection[k->connection].positions, NULL, 1);
        continue;
      }
      mho_real scale = k->from == last ? (mho_real)-job.nudge * k->scale : k->scale;
      mho_link_read(&job, k, from, a, scale, any, stats);
      any = true;
    }
  }
  return any;
}

bool mho_chunk_activate(const mho_chunk *c, int l, bool any, mho_real *a) {
  const mho_settle_job *job = c->job;
  const mho_layer *layer = &job->net->layer[l];
  size_t n = mho_chunk_count(job, l);
  mho_real zero = 0, rest = 1;
  if (!layer->circuit) /* offsets move a neuron that nothing comes into */
    layer->neuron->activate(1, &zero, &rest);
  if (!any)
    memset(a, 0, n * sizeof *a);
  if (job->s->keep && job->s->keep[l])
    mho_layer_activate_keep(layer, job->n, a, mho_rows(job->net, job->s->keep, l, job->row0));
  else if (any || rest != 0)
    mho_layer_activate(layer, job->n, a, a);
  if (!c->hold_winners)
    mho_choose_winners(job, l, a);
  return !any && rest == 0;
}

void mho_chunk_change(const mho_chunk *c, int l, const mho_real *then, float *change) {
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

void mho_chunk_squares(const mho_chunk *c, int l, const mho_real *then, float *sum) {
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

void mho_chunk_finish(const mho_chunk *c) {
  const mho_settle_job *job = c->job;
  for (int l = 1; l < job->net->n_layers - 1; l++) {
    mho_real *z = mho_rows(job->net, job->s->z, l, job->row0);
    if (c->now[l] != z)
      memcpy(z, c->now[l], mho_chunk_count(job, l) * sizeof *z);
  }
}

double mho_smallest_signal(const mho_network *net) {
  double least = 1;
  for (int l = 1; l < net->n_layers - 1; l++)
    least = fmin(least, mho_network_signal_scale(net, l));
  return least;
}

void mho_chunk_trace(const mho_chunk *c, int step, const float *change) {
  mho_trace *trace = c->job->trace;
  if (!trace)
    return;
  for (int l = 1; l < c->job->net->n_layers - 1; l++)
    for (int i = 0; i < c->job->net->layer[l].n; i++)
      trace->z[l][i] = (double)c->now[l][i];
  trace->point(trace->user, &(mho_trace_point){.phase = c->clock.phase,
                                               .step = step,
                                               .time = NAN,
                                               .residual = change ? (double)*change : (double)NAN,
                                               .z = trace->z});
}
