/* learner.c - a batch of samples settled by the rule, chunk by chunk side by side.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/learner.h"

#include <math.h>
#include <string.h>

#include "base/streams.h"
#include "train/arrays.h"

enum {
  PACK_SAMPLES = 16
}; /* in a batch from which on it pays to lay weights out for their products */

/* One pass over all chunks of a batch. */
typedef struct pass {
  mho_learner *learner;
  const mho_batch *b;
  const mho_repetition *repetition; /* NULL: the batch itself */
} pass;

/* ---------------------------------------------------------------- samples */

void mho__double_inputs(int n, size_t features, double gain, mho_real *x) {
  for (int s = n - 1; s >= 0; s--) {
    const mho_real *from = x + (size_t)s * features;
    mho_real *plus = x + 2 * (size_t)s * features, *minus = plus + features;
    memmove(plus, from, features * sizeof *x);
    for (size_t i = 0; i < features; i++) {
      plus[i] *= (mho_real)gain;
      minus[i] = -plus[i];
    }
  }
}

/* Spikes of the inputs of samples sample0 .. sample0+n-1 of the batch, where neurons spike. */
static void load_events(const pass *p, int sample0, int n) {
  const mho_batch *b = p->b;
  mho_events *events = p->learner->state[0]->events;
  if (!events)
    return;

  for (int s = sample0; s < sample0 + n; s++) {
    int sample = b->index ? b->index[s] : b->first + s;
    events[s] = b->x ? (mho_events){0, NULL} : mho_images_events(b->images, sample);
  }
}

/* Inputs and targets of samples sample0 .. sample0+n-1 of the batch, as the data have them. */
static void load_rows(const pass *p, int sample0, int n, mho_real *x) {
  const mho_learner *learner = p->learner;
  const mho_batch *b = p->b;
  size_t features = (size_t)learner->data->features;
  size_t values = (size_t)learner->data->values;
  uint8_t *label = learner->value ? NULL : learner->label + sample0;
  mho_real *value = learner->value ? learner->value + (size_t)sample0 * values : NULL;

  if (b->x) {
    memcpy(x, b->x + (size_t)sample0 * features, (size_t)n * features * sizeof *x);
    memset(learner->label + sample0, 0, (size_t)n);
    if (value)
      memset(value, 0, (size_t)n * values * sizeof *value);
    return;
  }

  const int *index = b->index ? b->index + sample0 : NULL;
  int first = b->first + sample0;
  if (b->augment)
    mho_images_augmented(learner->data, b->images, index, n, &learner->e->dataset_config,
                         *b->augment, learner->at->epoch, x, label);
  else
    mho_images_batch(learner->data, b->images, index, first, n, x, label);
  if (value)
    mho_images_values(learner->data, b->images, index, first, n, value);
}

/* The same, with inputs as the network takes them. */
static void load_images(const pass *p, int sample0, int n) {
  const mho_learner *learner = p->learner;
  const mho_resistive_config *resistive = learner->net->resistive;
  size_t inputs = (size_t)learner->net->layer[0].n;
  mho_real *x = learner->state[0]->z[0] + (size_t)sample0 * inputs;

  load_rows(p, sample0, n, x);
  load_events(p, sample0, n);
  if (resistive)
    mho__double_inputs(n, (size_t)learner->data->features, resistive->input_gain, x);
}

/* ---------------------------------------------------------------- lessons */

/* What a lesson asks of the training that it is part of; its owner is the pass. */
static void repeat(const mho_lesson *l, const mho_repetition *r, mho_rule_stats *stats);
static void march(const mho_lesson *l, const mho_phase *p, void (*stepped)(const mho_lesson *l),
                  mho_settle_stats *stats);
static void apply(const mho_lesson *l) {
  const pass *p = l->owner;
  mho__updater_apply(p->learner->updater, l);
}
static mho_crossbar *crossbar(const mho_lesson *l, int connection) {
  return crossbar_of(l->net, connection);
}
static void wrote(const mho_lesson *l, const mho_pulse_counts *counts) {
  const pass *p = l->owner;
  mho__updater_wrote(p->learner->updater, counts);
}
static const mho_host host = {
    .predict = repeat, .settle = march, .apply = apply, .crossbar = crossbar, .wrote = wrote};

mho_targets mho__learner_targets(const mho_learner *learner) {
  return (mho_targets){.label = learner->value ? NULL : learner->label, .value = learner->value};
}

mho_lesson mho__learner_lesson(const mho_learner *learner, int n) {
  mho_lesson l = {.net = learner->net,
                  .dynamics = learner->dynamics,
                  .params = learner->e->rule.params,
                  .error = learner->error,
                  .vars = learner->vars,
                  .own = learner->own,
                  .nominal_step = learner->updater->nominal_step,
                  .targets = mho__learner_targets(learner),
                  .n = n,
                  .batch = n,
                  .direct = learner->direct,
                  .factor = learner->factor,
                  .applies = MHO_APPLY_BATCH};
  memcpy(l.state, learner->state, sizeof l.state);
  if (learner->importance) {
    l.importance = learner->importance->factor;
    l.propagates = learner->e->gradient.importance == MHO_IMPORTANCE_PROPAGATE;
  }
  return l;
}

/* What a thread settles the pass with. */
static mho_thread thread_of(const pass *p, int thread) {
  mho_thread settling = p->learner->thread[thread];
  settling.update = p->b->update;
  settling.adapts = p->b->trains;
  return settling;
}

/* The lesson of samples sample0 .. sample0+n-1 of a batch. */
static mho_lesson lesson_of(pass *p, int sample0, int n, mho_thread *thread,
                            const mho_probe *probe) {
  const mho_learner *learner = p->learner;
  mho_lesson l = mho__learner_lesson(learner, p->b->n);

  l.sample0 = sample0;
  l.n = n;
  l.vars = p->b->trains ? learner->vars : learner->other_vars;
  l.applies = p->b->trains ? learner->applies : MHO_APPLY_BATCH;
  l.feedback = p->b->feedback;
  l.thread = thread;
  l.probe = probe;
  l.host = &host;
  l.owner = p;
  return l;
}

/* ---------------------------------------------------------------- chunks */

/* Where samples begin: their images, and variables that start at 0. */
static void begin_samples(const pass *p, const mho_lesson *l) {
  const mho_batch *b = p->b;
  load_images(p, l->sample0, l->n);
  if (l->vars)
    mho_vars_clear(l->vars, l->sample0, l->n, !b->trains || b->n < (int)p->learner->e->train.batch);
}

static void settle_chunk(void *arg, int i, int thread) {
  pass *p = arg;
  const mho_batch *b = p->b;
  mho_learner *learner = p->learner;
  int sample0 = i * learner->chunk_samples;
  int n = mho_min(b->n - sample0, learner->chunk_samples);
  mho_chunk_sums *sums = &learner->chunk[i];
  mho_rule_stats *stats = &sums->stats;
  mho_thread settling = thread_of(p, thread);
  mho_probe probe = learner->watch;
  mho_lesson lesson = lesson_of(p, sample0, n, &settling, &probe);

  probe.meter = b->metered ? sums->meter : NULL;
  if (probe.meter)
    mho_meter_clear(probe.meter);

  if (p->repetition) {
    probe.loss = p->repetition->loss;
    if (p->repetition->number)
      settling.update = mho__update_repeated(b->update, p->repetition->number);
  } else {
    begin_samples(p, &lesson);
  }

  *stats = (mho_rule_stats){0};
  if (b->feedback)
    learner->rule->learn_feedback(&lesson, stats);
  else if (b->learn && learner->rule->learn && !p->repetition)
    learner->rule->learn(&lesson, stats);
  else
    learner->rule->predict(&lesson, stats);
  if (b->learn)
    mho_state_pool(learner->net, learner->state[0], sample0, n);

  if (probe.meter) {
    probe.meter->steps[0] = stats->free.steps;
    probe.meter->steps[1] = stats->nudged.steps;
    probe.meter->samples = p->repetition ? 0 : n;
  }
}

/* ---------------------------------------------------------------- a batch */

static void add_phase(mho_settle_stats *sum, const mho_settle_stats *s) {
  sum->steps += s->steps;
  sum->unsettled += s->unsettled;
  sum->reads += s->reads;
  sum->time += s->time;
  sum->timed += s->timed;
  sum->contraction = fmax(sum->contraction, s->contraction);
  sum->residual = fmax(sum->residual, s->residual);
  sum->balance.kirchhoff = fmax(sum->balance.kirchhoff, s->balance.kirchhoff);
  sum->balance.dissipated += s->balance.dissipated;
  sum->balance.supplied += s->balance.supplied;
  sum->balanced += s->balanced;
}

void mho__rule_stats_add(mho_rule_stats *sum, const mho_rule_stats *s) {
  sum->loss += s->loss;
  sum->correct += s->correct;
  add_phase(&sum->free, &s->free);
  add_phase(&sum->nudged, &s->nudged);
  sum->lost += s->lost;
  sum->unstable += s->unstable;
}

/* All chunks of a batch: side by side, or one after another where each may change the weights. */
static void run_chunks(pass *p, mho_rule_stats *sum) {
  const mho_batch *b = p->b;
  mho_learner *learner = p->learner;
  int chunks = ceil_div(b->n, learner->chunk_samples);

  if (b->trains && learner->applies & (MHO_APPLY_STEP | MHO_APPLY_SPIKE))
    for (int i = 0; i < chunks; i++)
      settle_chunk(p, i, 0);
  else
    mho_pool_run(learner->pool, chunks, settle_chunk, p);

  for (int i = 0; i < chunks; i++) {
    mho__rule_stats_add(sum, &learner->chunk[i].stats);
    if (b->metered && learner->at->meter)
      mho_meter_add(learner->at->meter, learner->chunk[i].meter);
  }
}

static void repeat(const mho_lesson *l, const mho_repetition *r, mho_rule_stats *stats) {
  pass p = *(const pass *)l->owner;
  p.repetition = r;
  run_chunks(&p, stats);
}

/* ---------------------------------------------------------------- rows in step */

/* Rows of a phase that take steps of the clock side by side. */
typedef struct marching {
  pass *of;
  const mho_phase *whole;
  int t; /* the step; 0: the phase begins */
} marching;

static void step_chunk(void *arg, int i, int thread) {
  const marching *m = arg;
  mho_learner *learner = m->of->learner;
  mho_chunk_sums *sums = &learner->chunk[i];
  mho_thread settling = thread_of(m->of, thread);
  mho_probe probe = {.meter = m->of->b->metered ? sums->meter : NULL};
  mho_phase p = *m->whole;
  int before = i * learner->chunk_samples;

  p.row0 += before;
  p.n = mho_min(m->whole->n - before, learner->chunk_samples);
  p.thread = &settling;
  p.probe = &probe;
  if (m->t > 0) {
    learner->settler->step(&p, m->t, &sums->stats.free);
    return;
  }

  if (probe.meter)
    mho_meter_clear(probe.meter);
  sums->stats = (mho_rule_stats){0};
  mho_settle_begin(&p, &sums->stats.free);
}

/* Statistics and reads of rows that have come to the end of a phase. */
static void halt(const marching *m, int chunks, mho_settle_stats *stats) {
  mho_learner *learner = m->of->learner;
  for (int i = 0; i < chunks; i++) {
    mho_chunk_sums *sums = &learner->chunk[i];
    add_phase(stats, &sums->stats.free);
    if (!m->of->b->metered || !learner->at->meter)
      continue;
    sums->meter->steps[0] = sums->stats.free.steps;
    mho_meter_add(learner->at->meter, sums->meter);
  }
}

static void march(const mho_lesson *l, const mho_phase *p, void (*stepped)(const mho_lesson *l),
                  mho_settle_stats *stats) {
  marching m = {.of = l->owner, .whole = p};
  mho_learner *learner = m.of->learner;
  int chunks = ceil_div(p->n, learner->chunk_samples);
  int steps = learner->settler->n_steps(learner->e->settler.params);

  mho_pool_run(learner->pool, chunks, step_chunk, &m);
  for (m.t = 1; m.t <= steps; m.t++) {
    mho_pool_run(learner->pool, chunks, step_chunk, &m);
    stepped(l);
  }
  halt(&m, chunks, stats);
}

/* What the dynamics keeps from batch to batch is that of batches that train; a smaller one starts
 * it at 0. What all samples share others see as training has left it. */
static void begin_states(mho_learner *learner, bool trains, int n) {
  mho_state *s = learner->state[0];
  if (!s->vars)
    return;

  s->vars = trains ? learner->state_vars : learner->other_state_vars;
  if (!trains || n < (int)learner->e->train.batch)
    mho_vars_clear(s->vars, 0, n, true);
  if (!trains)
    mho_vars_share(s->vars, learner->state_vars);
}

/* What neurons count for, where that is due: in training every few updates. @return vectors that
 * were read for it. */
static double weigh(mho_learner *learner, bool trains) {
  mho_importance *p = learner->importance;
  double before = p ? p->reads : 0;
  if (!p)
    return 0;

  bool is_due = trains && learner->at->update % learner->e->gradient.importance_every == 0;
  if (is_due || !p->valid)
    mho__importance_find(p, (uint64_t)learner->at->update);
  if (!trains) /* only looked at, or for full scales: not counted, as none of its reads are */
    p->reads = before;

  double crossbars = 0;
  for (int c = 0; c < learner->net->n_connections; c++)
    crossbars += mho__importance_counts(learner->net, &learner->net->connection[c]);
  return (p->reads - before) * crossbars;
}

/* A rule that has only trials learns from nothing else: its samples are loaded, not settled. */
static bool has_only_trials(const pass *p) {
  const mho_rule *rule = p->learner->rule;
  return p->b->learn && rule->trial && !rule->learn;
}

/* What the settler could not do since this was last asked. */
static mho_err failure(const mho_learner *learner, mho_errinfo *ei) {
  return learner->settler->failure ? learner->settler->failure(ei) : MHO_OK;
}

mho_err mho__learner_run(mho_learner *learner, const mho_batch *b, mho_rule_stats *sum,
                         mho_errinfo *ei) {
  pass p = {.learner = learner, .b = b};
  mho_thread settling = thread_of(&p, 0);
  mho_lesson all = lesson_of(&p, 0, b->n, &settling, &learner->watch);
  mho_err err = MHO_OK;

  *sum = (mho_rule_stats){0};
  if (b->learn && learner->rule->can_learn)
    err = learner->rule->can_learn(learner->net, learner->e->rule.params, ei);
  if (err)
    return err;

  begin_states(learner, b->trains, b->n);
  if (b->learn)
    sum->free.reads += weigh(learner, b->trains);
  mho_network_pack(learner->net, b->n >= PACK_SAMPLES, learner->pool);
  if (has_only_trials(&p)) {
    begin_samples(&p, &all);
    if (b->metered && learner->at->meter)
      learner->at->meter->samples += b->n;
  } else {
    run_chunks(&p, sum);
  }

  if (b->learn && learner->rule->trial)
    err = learner->rule->trial(&all, sum, ei);
  return err ? err : failure(learner, ei);
}

/* ---------------------------------------------------------------- full scales from data */

static void record(const mho_learner *learner, bool on) {
  for (int c = 0; c < learner->net->n_connections; c++)
    mho_crossbar_record(crossbar_of(learner->net, c), on);
}

bool mho__learner_calibration_due(const mho_learner *learner, int64_t update) {
  const mho_scales *s = learner->net->array.crossbar->scales;
  if (!s)
    return false;
  return !s->valid || (s->every && update >= 0 && update % s->every == 0);
}

void mho__learner_calibrate(mho_learner *learner, const mho_batch *b) {
  int chunks = ceil_div(b->n, learner->chunk_samples);
  mho_batch learn = *b;
  pass p = {.learner = learner, .b = &learn};
  learn.learn = true;
  learn.feedback = learn.metered = learn.trains = false;

  /* Whoever watches waits for other images: these are not shown. */
  mho_probe watch = learner->watch;
  learner->watch = (mho_probe){0};
  weigh(learner, false);
  begin_states(learner, false, b->n);
  record(learner, true);
  for (int i = 0; i < chunks; i++) /* one after another: they write the same full scales */
    settle_chunk(&p, i, 0);
  record(learner, false);
  learner->watch = watch;
}
