/* batch.c - a batch of samples settled by the rule, chunk by chunk side by side.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/batch.h"
#include "base/streams.h"
#include "train/arrays.h"

#include <math.h>
#include <string.h>

enum {
  PACK_SAMPLES = 16
}; /* in a batch from which on it pays to lay weights out for their products */

/* ---------------------------------------------------------------- samples */

/* Inputs and targets of samples sample0 .. sample0+n-1 of the batch. */
static void load_images(const mho_batch *b, int sample0, int n) {
  mho_trainer *t = b->t;
  mho_real *x = t->state[0]->z[0] + (size_t)sample0 * (size_t)t->data.features;
  uint8_t *label = t->label + sample0;
  mho_real *value = t->value ? t->value + (size_t)sample0 * (size_t)t->data.values : NULL;

  if (b->x) {
    size_t features = (size_t)t->data.features;
    memcpy(x, b->x + (size_t)sample0 * features, (size_t)n * features * sizeof *x);
    memset(label, 0, (size_t)n);
    if (value)
      memset(value, 0, (size_t)n * (size_t)t->data.values * sizeof *value);
    return;
  }

  const int *index = b->index ? b->index + sample0 : NULL;
  uint8_t *label_out = value ? NULL : label;
  if (b->augment)
    mho_images_augmented(&t->data, b->images, index, n, &t->e->dataset_config,
                         mho__stream_augmented(t->seeds.order), t->at.epoch, x, label_out);
  else
    mho_images_batch(&t->data, b->images, index, b->first + sample0, n, x, label_out);
  if (value)
    mho_images_values(&t->data, b->images, index, b->first + sample0, n, value);
}

/* ---------------------------------------------------------------- lessons */

/* What a lesson asks of the training that it is part of; its owner is the batch. */
static void repeat(const mho_lesson *l, const mho_repetition *r, mho_rule_stats *stats);
static void apply(const mho_lesson *l) {
  const mho_batch *b = l->owner;
  mho__updater_apply(b->t->updater, l);
}
static mho_crossbar *crossbar(const mho_lesson *l, int connection) {
  return l->net->connection[connection].xb;
}
static void wrote(const mho_lesson *l, const mho_pulse_counts *counts) {
  const mho_batch *b = l->owner;
  mho__updater_wrote(b->t->updater, counts);
}
static const mho_host host = {
    .predict = repeat, .apply = apply, .crossbar = crossbar, .wrote = wrote};

mho_lesson mho__trainer_lesson(const mho_trainer *t, int n) {
  mho_lesson l = {.net = t->net,
                  .dynamics = (const mho_dynamics *)t->e->dynamics.entry,
                  .params = t->e->rule.params,
                  .error = t->error,
                  .vars = t->vars,
                  .own = t->own,
                  .nominal_step = t->updater->nominal_step,
                  .targets = mho__trainer_targets(t),
                  .n = n,
                  .batch = n,
                  .direct = t->direct,
                  .factor = t->layer_factor,
                  .applies = MHO_APPLY_BATCH};
  memcpy(l.state, t->state, sizeof l.state);
  return l;
}

/* What a thread settles a batch with. */
static mho_thread thread_of(const mho_batch *b, int thread) {
  const mho_trainer *t = b->t;
  return (mho_thread){.settler = t->settler,
                      .params = t->e->settler.params,
                      .dynamics_params = t->e->dynamics.params,
                      .workspace = t->workspace ? t->workspace[thread] : NULL,
                      .scratch = t->scratch[thread],
                      .update = b->update};
}

/* What those who watch the training want to know of its phases. */
static mho_probe probe_of(const mho_trainer *t) {
  return (mho_probe){.trace = t->watch.trace,
                     .time = t->watch.time,
                     .energy = t->watch.energy,
                     .power = t->watch.power};
}

/* The lesson of samples sample0 .. sample0+n-1 of a batch. */
static mho_lesson lesson_of(mho_batch *b, int sample0, int n, mho_thread *thread,
                            const mho_probe *probe) {
  const mho_trainer *t = b->t;
  mho_lesson l = mho__trainer_lesson(t, b->n);

  l.sample0 = sample0;
  l.n = n;
  l.vars = b->trains ? t->vars : t->other_vars;
  l.applies = b->trains ? t->applies : MHO_APPLY_BATCH;
  l.thread = thread;
  l.probe = probe;
  l.host = &host;
  l.owner = b;
  return l;
}

/* ---------------------------------------------------------------- chunks */

/* One pass over all chunks of a batch. */
typedef struct pass {
  mho_batch *b;
  const mho_repetition *repetition; /* NULL: the batch itself */
} pass;

/* Where samples begin: their images, and variables that start at 0. */
static void begin_samples(const mho_batch *b, const mho_lesson *l) {
  load_images(b, l->sample0, l->n);
  if (l->vars)
    mho_vars_clear(l->vars, l->sample0, l->n, !b->trains || b->n < (int)b->t->e->train.batch);
}

static void settle_chunk(void *arg, int i, int thread) {
  const pass *p = arg;
  mho_batch *b = p->b;
  mho_trainer *t = b->t;
  int sample0 = i * t->chunk;
  mho_rule_stats *stats = &t->chunk_stats[i];
  mho_thread settling = thread_of(b, thread);
  mho_probe probe = probe_of(t);
  mho_lesson lesson = lesson_of(b, sample0, mho_min(b->n - sample0, t->chunk), &settling, &probe);

  probe.meter = b->metered && t->at.meter ? t->chunk_meter[i] : NULL;
  if (probe.meter)
    mho_meter_clear(probe.meter);

  if (p->repetition) {
    probe.loss = p->repetition->loss;
    if (p->repetition->number)
      settling.update = mho__update_repeated(b->update, p->repetition->number);
  } else {
    begin_samples(b, &lesson);
  }

  *stats = (mho_rule_stats){0};
  if (b->learn && t->rule->learn && !p->repetition)
    t->rule->learn(&lesson, stats);
  else
    t->rule->predict(&lesson, stats);
  if (b->learn)
    mho_state_pool(t->net, t->state[0], sample0, lesson.n);

  if (probe.meter) {
    probe.meter->steps[0] = stats->free.steps;
    probe.meter->steps[1] = stats->nudged.steps;
    probe.meter->samples = p->repetition ? 0 : lesson.n;
  }
}

/* ---------------------------------------------------------------- a batch */

static void add_phase(mho_settle_stats *sum, const mho_settle_stats *s) {
  sum->steps += s->steps;
  sum->unsettled += s->unsettled;
  sum->reads += s->reads;
  sum->time += s->time;
  sum->timed += s->timed;
  sum->residual = fmax(sum->residual, s->residual);
}

void mho__rule_stats_add(mho_rule_stats *sum, const mho_rule_stats *s) {
  sum->loss += s->loss;
  sum->correct += s->correct;
  add_phase(&sum->free, &s->free);
  add_phase(&sum->nudged, &s->nudged);
}

/* All chunks of a batch: side by side, or one after another where each may change the weights. */
static void run_chunks(pass *p, mho_rule_stats *sum) {
  const mho_batch *b = p->b;
  mho_trainer *t = b->t;
  int chunks = ceil_div(b->n, t->chunk);

  if (b->trains && t->applies & (MHO_APPLY_STEP | MHO_APPLY_SPIKE))
    for (int i = 0; i < chunks; i++)
      settle_chunk(p, i, 0);
  else
    mho_pool_run(pool_of(t), chunks, settle_chunk, p);

  for (int i = 0; i < chunks; i++) {
    mho__rule_stats_add(sum, &t->chunk_stats[i]);
    if (b->metered && t->at.meter)
      mho_meter_add(t->at.meter, t->chunk_meter[i]);
  }
}

static void repeat(const mho_lesson *l, const mho_repetition *r, mho_rule_stats *stats) {
  pass p = {.b = l->owner, .repetition = r};
  run_chunks(&p, stats);
}

/* A rule that has only trials learns from nothing else: its samples are loaded, not settled. */
static bool has_only_trials(const mho_batch *b) {
  return b->learn && b->t->rule->trial && !b->t->rule->learn;
}

/* What the settler could not do since this was last asked. */
static mho_err failure(const mho_trainer *t, mho_errinfo *ei) {
  return t->settler->failure ? t->settler->failure(ei) : MHO_OK;
}

mho_err mho__batch_run(const mho_batch *b, mho_rule_stats *sum, mho_errinfo *ei) {
  mho_trainer *t = b->t;
  mho_batch batch = *b;
  pass p = {.b = &batch};
  mho_thread settling = thread_of(b, 0);
  mho_probe probe = probe_of(t);
  mho_lesson all = lesson_of(&batch, 0, b->n, &settling, &probe);

  *sum = (mho_rule_stats){0};
  mho_network_pack(t->net, b->n >= PACK_SAMPLES, pool_of(t));
  if (has_only_trials(b)) {
    begin_samples(&batch, &all);
    if (b->metered && t->at.meter)
      t->at.meter->samples += b->n;
  } else {
    run_chunks(&p, sum);
  }

  mho_err err = b->learn && t->rule->trial ? t->rule->trial(&all, sum, ei) : MHO_OK;
  return err ? err : failure(t, ei);
}

/* ---------------------------------------------------------------- full scales from data */

static void record(mho_trainer *t, bool on) {
  for (int c = 0; c < t->net->n_connections; c++)
    mho_crossbar_record(crossbar_of(t->net, c), on);
}

bool mho__calibration_due(const mho_trainer *t, int64_t update) {
  const mho_scales *s = t->net->array.crossbar->scales;
  if (!s)
    return false;
  return !s->valid || (s->every && update >= 0 && update % s->every == 0);
}

void mho__batch_calibrate(const mho_batch *b) {
  mho_trainer *t = b->t;
  int chunks = ceil_div(b->n, t->chunk);
  mho_batch learn = *b;
  pass p = {.b = &learn};
  learn.learn = true;
  learn.metered = learn.trains = false;

  /* Whoever watches waits for other images: these are not shown. */
  mho_watch watch = t->watch;
  t->watch = (mho_watch){0};
  record(t, true);
  for (int i = 0; i < chunks; i++) /* one after another: they write the same full scales */
    settle_chunk(&p, i, 0);
  record(t, false);
  t->watch = watch;
}
