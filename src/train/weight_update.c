/* weight_update.c - states and errors of a batch turned into gradient, wanted change and pulses,
 * slab by slab.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "array/weights.h"
#include "base/streams.h"
#include "train/trainer.h"

typedef struct update_job {
  mho_trainer *t;
  int batch;       /* samples */
  mho_real shrink; /* of the gradient, when it is clipped */
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

static void slab_gradient(const update_job *u, const mho_slab *s, int thread, mho_real *g) {
  const mho_trainer *t = u->t;
  double factor = t->layer_factor[t->net->connection[s->connection].to];
  mho_rule_gradient(t->net, s->connection, t->state[0], t->error, u->batch, factor, s->row0,
                    s->rows, g, t->dw[thread] + 2 * (size_t)t->slab_cells);
}

/* A slab of the whole gradient, and its norm, which must be known before anything is clipped. */
static void find_gradient(void *arg, int i, int thread) {
  const update_job *u = arg;
  const mho_slab *s = &u->t->slab[i];
  span cells = span_of(u->t, s);
  mho_real *g = u->t->gradient[s->connection] + cells.first;
  double sum = 0;

  slab_gradient(u, s, thread, g);
  for (size_t k = 0; k < cells.n; k++)
    sum += (double)g[k] * (double)g[k];
  u->t->slab_norm[i] = sum;
}

/* The gradient of a slab, computed here or taken from the clipped whole. */
static void take_gradient(const update_job *u, const mho_slab *s, int thread, span cells,
                          mho_real *g) {
  if (!u->t->gradient) {
    slab_gradient(u, s, thread, g);
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
  take_gradient(u, s, thread, cells, g);

  /* The optimizer says what change is wanted. */
  double rate = rate_of(t, s->connection);
  for (int m = 0; m < t->optimizer->n_states; m++)
    moment[m] = t->moment[m][s->connection] + cells.first;
  t->optimizer->step(t->e->optimizer.params, rate, t->update + 1, cells.n, g, moment, dw);

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

/* A batch on connection c, for schemes that apply samples one after another. */
static mho_outer_job outer_job(const update_job *u, int c) {
  const mho_trainer *t = u->t;
  const mho_connection *k = &t->net->connection[c];

  return (mho_outer_job){.xb = k->xb,
                         .params = t->e->scheme.params,
                         .samples = u->batch,
                         .x = t->state[0]->z[k->from],
                         .e = t->error[k->to],
                         .rate = rate_of(t, c) * t->layer_factor[k->to] / u->batch,
                         .nominal_step = t->nominal_step[c],
                         .first_sample = (uint64_t)t->update * (uint64_t)t->e->train.batch,
                         .rounding = rounding_of(t, c),
                         .trains = t->trains[c]};
}

static void draw_sample(void *arg, int sample, int thread) {
  const update_job *u = arg;
  for (int c = 0; c < u->t->net->n_trained; c++) {
    mho_outer_job job = outer_job(u, c);
    u->t->scheme->draw(&job, sample);
  }
}

static void replay_slab(void *arg, int i, int thread) {
  const update_job *u = arg;
  const mho_slab *s = &u->t->slab[i];
  span cells = span_of(u->t, s);
  mho_outer_job job = outer_job(u, s->connection);

  u->t->slab_counts[i] = (mho_pulse_counts){0};
  u->t->scheme->replay(&job, s->row0, s->rows, &u->t->slab_counts[i]);
  mho_crossbar_leak(cells.x, cells.first, cells.n);
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

void mho__trainer_update(mho_trainer *t, int n) {
  update_job u = {.t = t, .batch = n, .shrink = 1};
  mho_pool *pool = pool_of(t);

  if (t->gradient) {
    mho_pool_run(pool, t->n_slabs, find_gradient, &u);
    u.shrink = shrink_of(t);
  }

  if (t->scheme->replay) {
    mho_pool_run(pool, n, draw_sample, &u);
    mho_pool_run(pool, t->n_slabs, replay_slab, &u);
  } else {
    mho_pool_run(pool, t->n_slabs, update_slab, &u);
  }

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
