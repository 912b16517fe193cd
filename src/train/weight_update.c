/* weight_update.c - what a rule wants to change, turned into gradient, wanted change and pulses,
 * slab by slab.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "array/weights.h"
#include "base/streams.h"
#include "train/trainer.h"

typedef struct update_job {
  mho_trainer *t;
  const mho_lesson *lesson; /* whose samples are learned from */
  mho_real shrink;          /* of the gradient, when it is clipped */
  int term;                 /* of the changes, for schemes that apply samples one after another */
} update_job;

/* The cells of a slab. */
typedef struct span {
  mho_crossbar *x;
  size_t first, n;
} span;

static span span_of(const mho_trainer *t, const mho_slab *s) {
  mho_crossbar *x = crossbar_of(t, s->connection);
  size_t cols = (size_t)x->cols;
  return (span){.x = x, .first = (size_t)s->row0 * cols, .n = (size_t)s->rows * cols};
}

/* Learning rate of a connection in this epoch. */
static double rate_of(const mho_trainer *t, int connection) {
  return mho_update_rate(&t->e->update, connection, t->epoch, t->e->train.epochs);
}

/* Stream of what is rounded at random in a connection. */
static mho_rng rounding_of(const mho_trainer *t, int connection) {
  return mho__stream_round(t->seeds.noise, connection);
}

/* ---------------------------------------------------------------- gradient */

/* What the rule wants of a connection. */
static mho_change change_of(const update_job *u, int connection) {
  mho_change change = {0};
  u->t->rule->change(u->lesson, connection, &change);
  return change;
}

/* A part of the change of a slab. */
static void sum_slab(const update_job *u, const mho_slab *s, const mho_change *change,
                     mho_change_part part, int thread, mho_real *out) {
  const mho_trainer *t = u->t;
  mho_real *scratch = t->dw[thread] + 2 * (size_t)t->slab_cells;
  mho_change_sum(t->net, s->connection, change, part, s->row0, s->rows, out, scratch);
}

/* A slab of the whole gradient, and its norm, which must be known before anything is clipped. */
static void find_gradient(void *arg, int i, int thread) {
  const update_job *u = arg;
  const mho_slab *s = &u->t->slab[i];
  span cells = span_of(u->t, s);
  mho_real *g = u->t->gradient[s->connection] + cells.first;
  mho_change change = change_of(u, s->connection);
  double sum = 0;

  sum_slab(u, s, &change, MHO_CHANGE_GRADIENT, thread, g);
  for (size_t k = 0; k < cells.n; k++)
    sum += (double)g[k] * (double)g[k];
  u->t->slab_norm[i] = sum;
}

/* The gradient of a slab, computed here or taken from the clipped whole. */
static void take_gradient(const update_job *u, const mho_slab *s, const mho_change *change,
                          int thread, span cells, mho_real *g) {
  if (!u->t->gradient) {
    sum_slab(u, s, change, MHO_CHANGE_GRADIENT, thread, g);
    return;
  }

  const mho_real *whole = u->t->gradient[s->connection] + cells.first;
  for (size_t k = 0; k < cells.n; k++)
    g[k] = u->shrink * whole[k];
}

/* Factor that brings the whole gradient, found before, to the norm that it is clipped at. */
static mho_real shrink_of(const mho_trainer *t) {
  double sum = 0;
  for (int i = 0; i < t->n_slabs; i++)
    sum += t->slab_norm[i];
  return (mho_real)fmin(1, t->e->update.clip / fmax(sqrt(sum), 1e-300));
}

/* ---------------------------------------------------------------- slabs */

static void update_slab(void *arg, int i, int thread) {
  const update_job *u = arg;
  mho_trainer *t = u->t;
  const mho_slab *s = &t->slab[i];
  span cells = span_of(t, s);
  mho_real *g = t->dw[thread], *dw = g + t->slab_cells, *moment[MHO_PROGRAM_STATES] = {NULL};
  mho_change change = change_of(u, s->connection);
  take_gradient(u, s, &change, thread, cells, g);

  /* The optimizer says what change is wanted. */
  double rate = rate_of(t, s->connection);
  for (int m = 0; m < t->optimizer->n_states; m++)
    moment[m] = t->moment[m][s->connection] + cells.first;
  t->optimizer->step(t->e->optimizer.params, rate, t->update + 1, cells.n, g, moment, dw);

  /* What goes past it. */
  if (mho_change_is_plain(&change)) {
    sum_slab(u, s, &change, MHO_CHANGE_PLAIN, thread, g);
    for (size_t j = 0; j < cells.n; j++)
      dw[j] -= (mho_real)rate * g[j];
  }

  /* Decay takes a share of each weight. */
  mho_real decay = (mho_real)(rate * t->e->update.decay);
  if (decay > 0)
    for (size_t j = 0; j < cells.n; j++)
      dw[j] -= decay * mho__crossbar_programmed(cells.x)[cells.first + j];

  /* The scheme brings it onto the devices. */
  mho_program_job job = {.xb = cells.x,
                         .params = t->e->scheme.params,
                         .first = cells.first,
                         .n = cells.n,
                         .dw = dw,
                         .state =
                             t->accumulator ? t->accumulator[s->connection] + cells.first : NULL,
                         .nominal_step = t->nominal_step[s->connection],
                         .update = (uint64_t)t->update + 1,
                         .rounding = rounding_of(t, s->connection)};

  t->slab_counts[i] = (mho_pulse_counts){0};
  t->scheme->apply(&job, &t->slab_counts[i]);
  mho_crossbar_leak(cells.x, cells.first, cells.n);
}

/* ---------------------------------------------------------------- samples one after another */

/* The present term of connection c; without samples where the connection has fewer. */
static mho_outer_job outer_job(const update_job *u, int c) {
  const mho_trainer *t = u->t;
  mho_change change = change_of(u, c);
  mho_outer none = {0}, *term = u->term < change.n ? &change.term[u->term] : &none;
  uint64_t first = (uint64_t)t->update * (uint64_t)t->e->train.batch;

  return (mho_outer_job){.xb = crossbar_of(t, c),
                         .params = t->e->scheme.params,
                         .samples = term->n,
                         .x = term->pre,
                         .e = term->post,
                         .ones = t->ones,
                         .rate = rate_of(t, c) * term->scale,
                         .nominal_step = t->nominal_step[c],
                         .first_sample = mho__sample_of_term(first, u->term),
                         .rounding = rounding_of(t, c),
                         .trains = t->trains[c]};
}

static void draw_sample(void *arg, int sample, int thread) {
  const update_job *u = arg;
  for (int c = 0; c < u->t->net->n_trained; c++) {
    mho_outer_job job = outer_job(u, c);
    if (sample < job.samples)
      u->t->scheme->draw(&job, sample);
  }
}

static void replay_slab(void *arg, int i, int thread) {
  const update_job *u = arg;
  const mho_slab *s = &u->t->slab[i];
  mho_outer_job job = outer_job(u, s->connection);
  u->t->scheme->replay(&job, s->row0, s->rows, &u->t->slab_counts[i]);
}

static void leak_slab(void *arg, int i, int thread) {
  const update_job *u = arg;
  span cells = span_of(u->t, &u->t->slab[i]);
  mho_crossbar_leak(cells.x, cells.first, cells.n);
}

/* Term after term: the trains of all its samples, then their pulses. */
static void pulse_terms(update_job *u) {
  mho_trainer *t = u->t;
  int terms = 0, samples = 0;

  for (int c = 0; c < t->net->n_trained; c++) {
    mho_change change = change_of(u, c);
    terms = mho_max(terms, change.n);
    for (int k = 0; k < change.n; k++)
      samples = mho_max(samples, change.term[k].n);
  }
  for (int i = 0; i < t->n_slabs; i++)
    t->slab_counts[i] = (mho_pulse_counts){0};

  for (u->term = 0; u->term < terms; u->term++) {
    mho_pool_run(pool_of(t), samples, draw_sample, u);
    mho_pool_run(pool_of(t), t->n_slabs, replay_slab, u);
  }
  mho_pool_run(pool_of(t), t->n_slabs, leak_slab, u);
}

/* The care that the cells of a mapping need after an update. */
static void tend_slab(void *arg, int i, int thread) {
  const update_job *u = arg;
  mho_trainer *t = u->t;
  span cells = span_of(t, &t->slab[i]);
  mho_crossbar_tend(cells.x, cells.first, cells.n, (uint64_t)t->update + 1, &t->slab_counts[i]);
}

static bool needs_care(const mho_trainer *t) {
  const mho_mapping *mapping = crossbar_of(t, 0)->mapping;
  return mapping && mapping->tend;
}

/* ---------------------------------------------------------------- an update */

void mho__trainer_count(mho_trainer *t, int connection, const mho_pulse_counts *c) {
  mho_writes *w = &t->writes[connection];

  t->sums.set += c->set;
  t->sums.reset += c->reset;
  t->sums.clipped += c->clipped;
  t->sums.truncated += c->truncated;
  t->sums.verify_reads += c->reads;
  t->connection_pulses[connection] += c->set + c->reset;

  w->reads += c->reads;
  w->slots += c->slots;
  w->coincided += c->coincided;
  w->half += c->half;
}

void mho__trainer_update(mho_trainer *t, const mho_lesson *l) {
  update_job u = {.t = t, .lesson = l, .shrink = 1};
  mho_pool *pool = pool_of(t);

  if (t->gradient) {
    mho_pool_run(pool, t->n_slabs, find_gradient, &u);
    u.shrink = shrink_of(t);
  }

  if (t->scheme->replay)
    pulse_terms(&u);
  else
    mho_pool_run(pool, t->n_slabs, update_slab, &u);

  mho_network_disturb(t->net);
  if (needs_care(t)) {
    mho_pool_run(pool, t->n_slabs, tend_slab, &u);
    mho_network_disturb(t->net);
  }

  for (int i = 0; i < t->n_slabs; i++)
    mho__trainer_count(t, t->slab[i].connection, &t->slab_counts[i]);
  t->update++;
  mho_network_refresh(t->net, t->update, false);
}
