/* batch.c - a batch of samples settled by the rule, chunk by chunk side by side.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/batch.h"
#include "base/streams.h"

#include <math.h>
#include <string.h>

enum {
  PACK_SAMPLES = 16
}; /* in a batch from which on it pays to lay weights out for their products */

/* Inputs and labels of samples sample0 .. sample0+n-1 of the batch. */
static void load_images(const mho_batch *b, int sample0, int n) {
  mho_trainer *t = b->t;
  mho_real *x = t->state[0]->z[0] + (size_t)sample0 * (size_t)t->data.features;
  uint8_t *label = t->label + sample0;

  if (b->x) {
    size_t features = (size_t)t->data.features;
    memcpy(x, b->x + (size_t)sample0 * features, (size_t)n * features * sizeof *x);
    memset(label, 0, (size_t)n);
    return;
  }
  if (b->augment) {
    mho_rng rng = mho__stream_augmented(t->seeds.order);
    mho_images_augmented(&t->data, b->images, b->index + sample0, n, &t->e->dataset_config, rng,
                         t->epoch, x, label);
    return;
  }

  const int *index = b->index ? b->index + sample0 : NULL;
  mho_images_batch(&t->data, b->images, index, b->first + sample0, n, x, label);
}

static void settle_chunk(void *arg, int i, int thread) {
  const mho_batch *b = arg;
  mho_trainer *t = b->t;
  int sample0 = i * t->chunk, n = mho_min(b->n - sample0, t->chunk);
  mho_meter *meter = b->metered && t->meter ? t->chunk_meter[i] : NULL;
  mho_rule_stats *stats = &t->chunk_stats[i];
  load_images(b, sample0, n);

  mho_thread settling = {.settler = t->settler,
                         .params = t->e->settler.params,
                         .dynamics_params = t->e->dynamics.params,
                         .workspace = t->workspace ? t->workspace[thread] : NULL,
                         .scratch = t->scratch[thread],
                         .update = b->update};
  mho_probe probe = {.meter = meter,
                     .trace = t->watch.trace,
                     .time = t->watch.time,
                     .energy = t->watch.energy,
                     .power = t->watch.power};
  mho_rule_job job = {.net = t->net,
                      .dynamics = (const mho_dynamics *)t->e->dynamics.entry,
                      .params = t->e->rule.params,
                      .error = t->error,
                      .label = t->label,
                      .sample0 = sample0,
                      .n = n,
                      .direct = t->direct,
                      .thread = &settling,
                      .probe = &probe};
  memcpy(job.state, t->state, sizeof job.state);
  if (meter)
    mho_meter_clear(meter);

  *stats = (mho_rule_stats){0};
  if (b->learn) {
    t->rule->learn(&job, stats);
    mho_state_pool(t->net, t->state[0], sample0, n);
  } else {
    t->rule->predict(&job, stats);
  }

  if (meter) {
    meter->steps[0] = stats->free.steps;
    meter->steps[1] = stats->nudged.steps;
    meter->samples = n;
  }
}

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

mho_rule_stats mho__batch_run(const mho_batch *b) {
  mho_trainer *t = b->t;
  mho_pool *pool = pool_of(t);
  mho_rule_stats sum = {0};
  int chunks = ceil_div(b->n, t->chunk);
  mho_batch job = *b;

  mho_network_pack(t->net, b->n >= PACK_SAMPLES, pool);
  mho_pool_run(pool, chunks, settle_chunk, &job);

  for (int i = 0; i < chunks; i++) {
    mho__rule_stats_add(&sum, &t->chunk_stats[i]);
    if (b->metered && t->meter)
      mho_meter_add(t->meter, t->chunk_meter[i]);
  }
  return sum;
}

/* ---------------------------------------------------------------- full scales from data */

static void record(mho_trainer *t, bool on) {
  for (int c = 0; c < t->net->n_connections; c++)
    mho_crossbar_record(crossbar_of(t, c), on);
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
  learn.learn = true;
  learn.metered = false;

  /* Whoever watches waits for other images: these are not shown. */
  mho_watch watch = t->watch;
  t->watch = (mho_watch){0};
  record(t, true);
  for (int i = 0; i < chunks; i++) /* one after another: they write the same full scales */
    settle_chunk(&learn, i, 0);
  record(t, false);
  t->watch = watch;
}
