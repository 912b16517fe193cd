/* updater.c - what a rule wants to change, turned into gradient, wanted change and pulses, slab by
 * slab.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "array/weights.h"
#include "base/streams.h"
#include "train/updater.h"

typedef struct update_job {
  mho_updater *u;
  const mho_lesson *lesson; /* whose samples are learned from */
  mho_real shrink;          /* of the gradient, when it is clipped */
  int term;                 /* of the changes, for schemes that apply samples one after another */
} update_job;

/* The cells of a slab. */
typedef struct span {
  mho_crossbar *x;
  size_t first, n;
} span;

static span span_of(const mho_updater *u, const mho_slab *s) {
  mho_crossbar *x = crossbar_of(u->net, s->connection);
  size_t cols = (size_t)x->cols;
  return (span){.x = x, .first = (size_t)s->row0 * cols, .n = (size_t)s->rows * cols};
}

/* Learning rate of a connection in this epoch: arrays that lead controls back have their own. */
static double rate_of(const mho_updater *u, int connection) {
  const mho_experiment *e = u->e;
  if (u->net->connection[connection].role != MHO_CONTROL || e->update.rates.n)
    return mho_update_rate(&e->update, connection, u->at->epoch, e->train.epochs);

  mho_update_config control = e->update;
  control.rate = e->feedback.q.rate;
  return mho_update_rate(&control, connection, u->at->epoch, e->train.epochs);
}

/* Stream of what is rounded at random in a connection. */
static mho_rng rounding_of(const mho_updater *u, int connection) {
  return mho__stream_round(u->seeds.noise, connection);
}

/* ---------------------------------------------------------------- gradient */

/* What the rule wants of a connection. */
static mho_change change_of(const update_job *job, int connection) {
  return mho_change_of(job->u->rule, job->lesson, connection);
}

/* A part of the change of a slab. */
static void sum_slab(const update_job *job, const mho_slab *s, const mho_change *change,
                     mho_change_part part, int thread, mho_real *out) {
  const mho_updater *u = job->u;
  mho_real *scratch = u->scratch[thread] + 2 * (size_t)u->slab_cells;
  mho_change_sum(u->net, s->connection, change, part, s->row0, s->rows, out, scratch);
}

/* A slab of the whole gradient, and its norm, which must be known before anything is clipped. */
static void find_gradient(void *arg, int i, int thread) {
  const update_job *job = arg;
  mho_slab *s = &job->u->slab[i];
  span cells = span_of(job->u, s);
  mho_real *g = job->u->gradient[s->connection] + cells.first;
  mho_change change = change_of(job, s->connection);
  double sum = 0;
  s->norm = 0;
  if (change.skip)
    return;

  sum_slab(job, s, &change, MHO_CHANGE_GRADIENT, thread, g);
  for (size_t k = 0; k < cells.n; k++)
    sum += (double)g[k] * (double)g[k];
  s->norm = sum;
}

/* The gradient of a slab, computed here or taken from the clipped whole. */
static void take_gradient(const update_job *job, const mho_slab *s, const mho_change *change,
                          int thread, span cells, mho_real *g) {
  if (!job->u->gradient) {
    sum_slab(job, s, change, MHO_CHANGE_GRADIENT, thread, g);
    return;
  }

  const mho_real *whole = job->u->gradient[s->connection] + cells.first;
  for (size_t k = 0; k < cells.n; k++)
    g[k] = job->shrink * whole[k];
}

/* Factor that brings the whole gradient, found before, to the norm that it is clipped at. */
static mho_real shrink_of(const mho_updater *u) {
  double sum = 0;
  for (int i = 0; i < u->n_slabs; i++)
    sum += u->slab[i].norm;
  return (mho_real)fmin(1, u->e->update.clip / fmax(sqrt(sum), 1e-300));
}

/* ---------------------------------------------------------------- slabs */

static void update_slab(void *arg, int i, int thread) {
  const update_job *job = arg;
  mho_updater *u = job->u;
  mho_slab *s = &u->slab[i];
  span cells = span_of(u, s);
  mho_real *g = u->scratch[thread], *dw = g + u->slab_cells, *moment[MHO_PROGRAM_STATES] = {NULL};
  mho_change change = change_of(job, s->connection);
  s->counts = (mho_pulse_counts){0};
  if (change.skip) {
    mho_crossbar_leak(cells.x, cells.first, cells.n);
    return;
  }
  take_gradient(job, s, &change, thread, cells, g);

  /* The optimizer says what change is wanted. */
  double rate = rate_of(u, s->connection);
  for (int m = 0; m < u->optimizer->n_states; m++)
    moment[m] = u->moment[m][s->connection] + cells.first;
  int64_t number = u->at->taught[s->connection] + 1;
  u->optimizer->step(u->e->optimizer.params, rate, number, cells.n, g, moment, dw);

  /* What goes past it. */
  if (mho_change_is_plain(&change)) {
    sum_slab(job, s, &change, MHO_CHANGE_PLAIN, thread, g);
    for (size_t j = 0; j < cells.n; j++)
      dw[j] -= (mho_real)rate * g[j];
  }

  /* Decay takes a share of each weight. */
  mho_real decay = (mho_real)(rate * u->e->update.decay);
  if (decay > 0)
    for (size_t j = 0; j < cells.n; j++)
      dw[j] -= decay * mho__crossbar_programmed(cells.x)[cells.first + j];

  /* The scheme brings it onto the devices. */
  mho_program_job write = {.xb = cells.x,
                           .params = u->e->scheme.params,
                           .first = cells.first,
                           .n = cells.n,
                           .dw = dw,
                           .state =
                               u->accumulator ? u->accumulator[s->connection] + cells.first : NULL,
                           .nominal_step = u->nominal_step[s->connection],
                           .update = (uint64_t)u->at->update + 1,
                           .rounding = rounding_of(u, s->connection)};

  u->scheme->apply(&write, &s->counts);
  mho_crossbar_leak(cells.x, cells.first, cells.n);
}

/* ---------------------------------------------------------------- samples one after another */

/* The present term of connection c; without samples where the connection has fewer. */
static mho_outer_job outer_job(const update_job *job, int c) {
  const mho_updater *u = job->u;
  mho_change change = change_of(job, c);
  mho_outer none = {0}, *term = job->term < change.n ? &change.term[job->term] : &none;
  uint64_t first = (uint64_t)u->at->update * (uint64_t)u->e->train.batch;

  return (mho_outer_job){.xb = crossbar_of(u->net, c),
                         .params = u->e->scheme.params,
                         .samples = term->n,
                         .x = term->pre,
                         .e = term->post,
                         .gain = term->plain ? NULL : change.gain,
                         .ones = u->ones,
                         .rate = rate_of(u, c) * term->scale,
                         .nominal_step = u->nominal_step[c],
                         .first_sample = mho__sample_of_term(first, job->term),
                         .rounding = rounding_of(u, c),
                         .trains = u->trains[c]};
}

static void draw_sample(void *arg, int sample, int thread) {
  const update_job *job = arg;
  for (int c = 0; c < job->u->net->n_trained; c++) {
    mho_outer_job o = outer_job(job, c);
    if (sample < o.samples)
      job->u->scheme->draw(&o, sample);
  }
}

static void replay_slab(void *arg, int i, int thread) {
  const update_job *job = arg;
  mho_slab *s = &job->u->slab[i];
  mho_outer_job o = outer_job(job, s->connection);
  job->u->scheme->replay(&o, s->row0, s->rows, &s->counts);
}

static void leak_slab(void *arg, int i, int thread) {
  const update_job *job = arg;
  span cells = span_of(job->u, &job->u->slab[i]);
  mho_crossbar_leak(cells.x, cells.first, cells.n);
}

/* Term after term: the trains of all its samples, then their pulses. */
static void pulse_terms(update_job *job) {
  mho_updater *u = job->u;
  int terms = 0, samples = 0;

  for (int c = 0; c < u->net->n_trained; c++) {
    mho_change change = change_of(job, c);
    terms = mho_max(terms, change.n);
    for (int k = 0; k < change.n; k++)
      samples = mho_max(samples, change.term[k].n);
  }
  for (int i = 0; i < u->n_slabs; i++)
    u->slab[i].counts = (mho_pulse_counts){0};

  for (job->term = 0; job->term < terms; job->term++) {
    mho_pool_run(u->pool, samples, draw_sample, job);
    mho_pool_run(u->pool, u->n_slabs, replay_slab, job);
  }
  mho_pool_run(u->pool, u->n_slabs, leak_slab, job);
}

/* The care that the cells of a mapping need after an update. */
static void tend_slab(void *arg, int i, int thread) {
  const update_job *job = arg;
  mho_updater *u = job->u;
  span cells = span_of(u, &u->slab[i]);
  mho_crossbar_tend(cells.x, cells.first, cells.n, (uint64_t)u->at->update + 1, &u->slab[i].counts);
}

static bool needs_care(const mho_updater *u) {
  const mho_mapping *mapping = crossbar_of(u->net, 0)->mapping;
  return mapping && mapping->tend;
}

/* ---------------------------------------------------------------- an update */

void mho__updater_apply(mho_updater *u, const mho_lesson *l) {
  update_job job = {.u = u, .lesson = l, .shrink = 1};

  if (u->gradient) {
    mho_pool_run(u->pool, u->n_slabs, find_gradient, &job);
    job.shrink = shrink_of(u);
  }

  if (u->scheme->replay)
    pulse_terms(&job);
  else
    mho_pool_run(u->pool, u->n_slabs, update_slab, &job);

  mho_network_disturb(u->net);
  if (needs_care(u)) {
    mho_pool_run(u->pool, u->n_slabs, tend_slab, &job);
    mho_network_disturb(u->net);
  }

  for (int i = 0; i < u->n_slabs; i++)
    mho__standing_count(u->at, u->slab[i].connection, &u->slab[i].counts);
  for (int c = 0; c < u->net->n_trained; c++)
    u->at->taught[c] += !change_of(&job, c).skip;
  u->at->update++;
  mho_network_refresh(u->net, u->at->update, false);
}

void mho__updater_wrote(mho_updater *u, const mho_pulse_counts *counts) {
  for (int c = 0; c < u->net->n_trained; c++)
    mho__standing_count(u->at, c, &counts[c]);
  mho_network_disturb(u->net);
  mho_network_refresh(u->net, u->at->update, false);
}

void mho__updater_gradient(mho_updater *u, const mho_lesson *l, int connection, mho_real *out) {
  update_job job = {.u = u, .lesson = l};
  const mho_crossbar *x = crossbar_of(u->net, connection);
  mho_change change = change_of(&job, connection);

  for (int row0 = 0; row0 < x->rows; row0 += u->slab_rows) {
    mho_slab s = {connection, row0, mho_min(x->rows - row0, u->slab_rows)};
    size_t first = (size_t)row0 * (size_t)x->cols;
    sum_slab(&job, &s, &change, MHO_CHANGE_GRADIENT, 0, out + first);
  }
}
