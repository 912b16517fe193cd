/* chunk.c - a chunk of samples under way, for settlers that go from layer to layer.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/chunk.h"

#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------- the present error */

const mho_real *mho__chunk_live_error(const mho_chunk *c, mho_settle_stats *stats) {
  const mho_phase *p = c->phase;
  int classes = mho_network_classes(p->net);
  mho_targets targets = mho_targets_from(&p->drive.targets, classes, p->row0);
  mho_real *y = p->thread->scratch + mho_settle_read_scratch(p->net, p->n);
  double loss = 0;
  int64_t correct = 0;

  mho__logits(p, c->now, 0, y, stats);
  mho_output_judge(p->net->output, p->n, classes, y, &targets, &loss, &correct);
  mho_output_error(p->n, classes, y, &targets, y);
  return y;
}

/* ---------------------------------------------------------------- pulled back */

const char *mho__pull_needs_nothing(const void *params) {
  (void)params;
  return NULL;
}

void mho__chunk_pull(mho_chunk *c, int l, mho_real *a) {
  const mho_phase *p = c->phase;
  const mho_real *free = mho__values(p->net, p->drive.free->z, l, p->row0);
  mho_real share = (mho_real)p->drive.pull, own = (mho_real)(1 - p->drive.pull);
  size_t n = mho__phase_count(p, l);

  for (size_t i = 0; i < n; i++)
    a[i] = own * a[i] + share * free[i];
  if (!c->hold_winners)
    mho__choose_winners(p, l, a);
}

/* ---------------------------------------------------------------- what a step changed */

void mho__chunk_change(const mho_chunk *c, int l, const mho_real *then, float *change) {
  const mho_real *now = c->now[l];
  int width = c->phase->net->layer[l].n;

  for (int s = 0; s < c->phase->n; s++) {
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
  int width = c->phase->net->layer[l].n;

  for (int s = 0; s < c->phase->n; s++) {
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
  mho_trace *trace = mho__trace_of(c->phase);
  if (!trace)
    return;

  if (c->phase->dyn->watched)
    c->phase->dyn->watched(c);
  for (int l = 1; l < mho_hidden_end(c->phase->net); l++)
    for (int i = 0; i < c->phase->net->layer[l].n; i++)
      trace->z[l][i] = (double)c->now[l][i];
  trace->point(trace->user, &(mho_trace_point){.phase = c->phase->number,
                                               .step = step,
                                               .time = NAN,
                                               .residual = change ? (double)*change : (double)NAN,
                                               .z = trace->z,
                                               .vars = c->phase->s->vars});
}

/* ---------------------------------------------------------------- start and end */

void mho__chunk_start(mho_chunk *c, mho_real *const *rest) {
  const mho_phase *p = c->phase;

  for (int l = 1; l < mho_hidden_end(p->net); l++) {
    c->zero[l] = !p->start;
    mho_real *zeros = mho__values(p->net, rest, l, p->row0);
    if (p->start)
      c->now[l] = mho__values(p->net, p->start->z, l, p->row0);
    else
      c->now[l] = memset(zeros, 0, mho__phase_count(p, l) * sizeof *zeros);
  }
}

void mho__chunk_finish(const mho_chunk *c) {
  const mho_phase *p = c->phase;
  for (int l = 1; l < mho_hidden_end(p->net); l++) {
    mho_real *z = mho__values(p->net, p->s->z, l, p->row0);
    if (c->now[l] != z)
      memcpy(z, c->now[l], mho__phase_count(p, l) * sizeof *z);
  }
}
