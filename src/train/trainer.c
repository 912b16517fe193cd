/* trainer.c - building a trainer, and its epoch loop.
 *
 * A batch is two parallel regions: chunks of samples settle (and leave states and errors), then slabs of
 * weights turn them into gradient, wanted change and pulses. How both are cut depends on sizes alone, so that
 * results are the same for any number of threads.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "array/weights.h"

enum {
  EVAL_BATCH = 500,
  EVAL_UNITS = 1 << 22,
  SLAB_CELLS =
      1 << 15, /* weights a task updates: gradient and moments stay in the second-level cache */
  CONV_SLABS = 8,
  PACK_SAMPLES = 16, /* in a batch from which on it pays to lay weights out for their products */
  REPLAY_CELLS = 1 << 14, /* where every sample is applied to them: devices and all stay there */
};
static const uint64_t RESTORATION = (uint64_t)1
                                    << 44; /* programming steps of a refresh, apart from the rest */
static const uint64_t EVALUATION =
    (uint64_t)1 << 43; /* numbers the noise of evaluations apart from training's */

/* Samples a task settles: from the config alone, so that results do not depend on the threads. */
static int chunk_rows(const mho_train_config *c) {
  if (c->chunk)
    return (int)c->chunk;
  int rows = (((int)c->batch + 3) / 4 + 7) / 8 * 8;
  return rows > MHO_CHUNK_MAX ? MHO_CHUNK_MAX : rows;
}

/* Samples of a state: a training batch, or one of evaluation, which is smaller where a sample has very many units. */
static int capacity_of(const mho_trainer *t) {
  int units = 0, batch = (int)t->e->train.batch, eval = EVAL_BATCH;
  for (int l = 1; l < t->net->n_layers; l++)
    units += t->net->layer[l].n;
  if (units > EVAL_UNITS / EVAL_BATCH)
    eval = EVAL_UNITS / units < 1 ? 1 : EVAL_UNITS / units;
  return batch > eval ? batch : eval;
}

static int ceil_div(int a, int b) {
  return (a + b - 1) / b;
}

/* ---------------------------------------------------------------- construction */

static void free_arrays(mho_real **a, int n) {
  for (int i = 0; a && i < n; i++)
    mho_free(a[i]);
  mho_free(a);
}

void mho_trainer_free(mho_trainer *t) {
  if (!t)
    return;
  int trained = t->net ? t->net->n_trained : 0, layers = t->net ? t->net->n_layers : 0;
  int threads = mho_pool_threads(t->ctx ? t->ctx->pool : NULL);
  for (int k = 0; k < MHO_RULE_STATES; k++)
    mho_state_free(t->state[k]);
  for (int k = 0; k < MHO_PROGRAM_STATES; k++)
    free_arrays(t->moment[k], trained);
  free_arrays(t->accumulator, trained);
  mho_trainer_settled_in(t);
  mho_free(t->built_range);
  for (int c = 0; t->trains && c < trained; c++)
    mho_pulse_trains_free(t->trains[c]);
  mho_free(t->trains);
  free_arrays(t->gradient, trained);
  free_arrays(t->error, layers);
  free_arrays(t->scratch, threads);
  mho_trainer_workspaces_free(t);
  free_arrays(t->dw, threads);
  for (int i = 0; t->chunk_meter && i < ceil_div(t->capacity, t->chunk); i++)
    mho_meter_free(t->chunk_meter[i]);
  mho_free(t->chunk_meter);
  mho_meter_free(t->meter);
  mho_free(t->label);
  mho_free(t->layer_factor);
  mho_free(t->nominal_step);
  mho_free(t->slab);
  mho_free(t->slab_counts);
  mho_free(t->slab_norm);
  mho_free(t->connection_pulses);
  mho_free(t->writes);
  mho_free(t->chunk_stats);
  mho_free(t->order);
  mho_free(t->cut);
  mho_free(t->batches);
  mho_network_free(t->net);
  mho_dataset_free(&t->data);
  mho_free(t);
}

/* n arrays of sizes[i] scalars, or NULL */
static mho_real **new_arrays(int n, const size_t *sizes) {
  mho_real **a = mho_alloc((size_t)n, sizeof *a);
  for (int i = 0; a && i < n; i++)
    if (!(a[i] = mho_alloc(sizes[i], sizeof **a))) {
      free_arrays(a, n);
      return NULL;
    }
  return a;
}

static mho_err make_network(mho_trainer *t, mho_errinfo *ei) {
  const mho_experiment *e = t->e;
  mho_network_options o = {.topology = (const mho_topology *)e->topology.entry,
                           .topology_params = e->topology.params,
                           .config = &e->network,
                           .feedback = &e->feedback,
                           .neuron = (const mho_neuron *)e->neuron.entry,
                           .circuit = &e->circuit,
                           .device = (const mho_device_model *)e->device.entry,
                           .device_params = e->device.params,
                           .device_config = &e->device_config,
                           .array = (const mho_array_model *)e->array.entry,
                           .array_params = e->array.params,
                           .array_config = &e->array_config,
                           .pulsed =
                               t->scheme->needs_pulses || e->initial.how == MHO_INITIAL_SCHEME,
                           .pool = t->ctx ? t->ctx->pool : NULL,
                           .seeds = t->seeds,
                           .features = t->data.features,
                           .classes = t->data.classes,
                           .channels = t->data.channels,
                           .height = t->data.height,
                           .width = t->data.width};
  return mho_network_new(&o, &t->net, ei);
}

/* Factors that bring a layer's error to the scale that is asked for: as measured, or of the true gradient.
 * rule.gradient and update.layer_rates ask for the same thing in two places, what a rule hands on and what
 * hardware learns with. Settled directly, an error comes at the scale of the true gradient already. */
static void set_layer_factors(mho_trainer *t) {
  const mho_experiment *e = t->e;
  bool equal = e->update.layer_rates == MHO_LAYER_RATES_EQUAL ||
               (e->update.layer_rates == MHO_LAYER_RATES_AUTO && t->scheme->needs_pulses);
  bool normalize = equal || e->gradient.scale == MHO_GRADIENT_NORMALIZED ||
                   (e->gradient.scale == MHO_GRADIENT_AUTO && t->direct);
  for (int l = 0; l < t->net->n_layers; l++) {
    double signal = t->rule->signal_scale(t->net, e->rule.params, l);
    t->layer_factor[l] = normalize == t->direct ? 1
                         : t->direct            ? signal
                         : signal > 0           ? 1 / signal
                                                : 1;
  }
}

static mho_err make_slabs(mho_trainer *t, mho_errinfo *ei) {
  for (int pass = 0; pass < 2; pass++) {
    int n = 0;
    for (int c = 0; c < t->net->n_trained; c++) {
      const mho_crossbar *xb = t->net->connection[c].xb;
      int cells = t->scheme->replay ? REPLAY_CELLS : SLAB_CELLS;
      int rows = cells / xb->cols < 16 ? 16 : cells / xb->cols;
      if (t->net->connection[c].conv.kernel) /* few weights and much to sum: more tasks */
        rows = ceil_div(xb->rows, CONV_SLABS) < 16 ? 16 : ceil_div(xb->rows, CONV_SLABS);
      for (int row0 = 0; row0 < xb->rows; row0 += rows, n++)
        if (pass) {
          int m = xb->rows - row0 < rows ? xb->rows - row0 : rows;
          t->slab[n] = (mho_slab){c, row0, m};
          t->slab_cells = m * xb->cols > t->slab_cells ? m * xb->cols : t->slab_cells;
          t->slab_rows = m > t->slab_rows ? m : t->slab_rows;
        }
    }
    t->n_slabs = n;
    if (!pass && (!(t->slab = mho_alloc((size_t)n, sizeof *t->slab)) ||
                  !(t->slab_counts = mho_alloc((size_t)n, sizeof *t->slab_counts)) ||
                  !(t->slab_norm = mho_alloc((size_t)n, sizeof *t->slab_norm))))
      return mho_fail(ei, MHO_ENOMEM, "no memory for the update");
  }
  return MHO_OK;
}

static mho_err make_meters(mho_trainer *t, mho_errinfo *ei) {
  int chunks = ceil_div(t->capacity, t->chunk);
  if (!mho_energy_counts(t->e))
    return MHO_OK;
  bool analog = mho_energy_analog(t->e);
  mho_err err = mho_meter_new(t->net, analog, &t->meter, ei);
  if (!err && !(t->chunk_meter = mho_alloc((size_t)chunks, sizeof *t->chunk_meter)))
    err = mho_fail(ei, MHO_ENOMEM, "no memory to count reads");
  for (int i = 0; i < chunks && !err; i++)
    err = mho_meter_new(t->net, analog, &t->chunk_meter[i], ei);
  return err;
}

static mho_err make_buffers(mho_trainer *t, mho_errinfo *ei) {
  const mho_network *net = t->net;
  int threads = mho_pool_threads(t->ctx ? t->ctx->pool : NULL), trained = net->n_trained;
  size_t sizes[MHO_EDGES_MAX];
  mho_err err = MHO_OK;
  for (int k = 0; k < t->rule->n_states(t->e->rule.params, t->direct) && !err; k++) {
    int parts = k ? 0 : t->direct ? MHO_STATE_INPUT | MHO_STATE_KEEP : MHO_STATE_INPUT;
    const mho_crossbar *x = net->connection[0].xb;
    if (!k && x->model->holds && x->model->holds(x->params))
      parts |= MHO_STATE_HOLD;
    err = mho_state_new(net, t->capacity, parts, &t->state[k], ei);
    if (!err && t->settler->memory)
      err = mho_state_remember(t->state[k], t->settler->memory(net, t->e->settler.params), ei);
  }
  if (!err)
    err = mho_trainer_workspaces_new(t, ei);
  if (!err)
    err = make_slabs(t, ei);
  if (err)
    return err;
  for (int l = 0; l < net->n_layers; l++)
    sizes[l] = l ? (size_t)t->capacity * (size_t)net->layer[l].n : 0;
  bool ok =
      (t->error = new_arrays(net->n_layers, sizes)) &&
      (t->label = mho_alloc((size_t)t->capacity, 1)) &&
      (t->layer_factor = mho_alloc((size_t)net->n_layers, sizeof(double))) &&
      (t->nominal_step = mho_alloc((size_t)trained, sizeof(double))) &&
      (t->built_range = mho_alloc((size_t)trained, sizeof(double))) &&
      (t->connection_pulses = mho_alloc((size_t)trained, sizeof(double))) &&
      (t->writes = mho_alloc((size_t)trained, sizeof *t->writes)) &&
      (t->order = mho_alloc((size_t)t->data.train.n, sizeof(int))) &&
      (t->cut = mho_alloc((size_t)t->data.train.n, sizeof(int))) &&
      (t->batches = mho_alloc((size_t)t->data.train.n, sizeof(int))) &&
      (t->chunk_stats = mho_alloc((size_t)ceil_div(t->capacity, t->chunk), sizeof *t->chunk_stats));
  for (int c = 0; c < trained; c++)
    sizes[c] = (size_t)net->connection[c].xb->rows * (size_t)net->connection[c].xb->cols;
  for (int k = 0; ok && k < t->optimizer->n_states; k++)
    ok = (t->moment[k] = new_arrays(trained, sizes)) != NULL;
  if (ok && t->scheme->has_state)
    ok = (t->accumulator = new_arrays(trained, sizes)) != NULL;
  if (ok && t->e->update.clip > 0)
    ok = (t->gradient = new_arrays(trained, sizes)) != NULL;
  for (int c = 0; c < trained && t->scheme->draw; c++)
    if (net->connection[c].conv.kernel || net->connection[c].bias)
      return mho_fail(
          ei, MHO_ECONFIG,
          "update.scheme: '%s' pulses rows by the states of a layer, and %s has %s: use another scheme",
          t->scheme->entry.id, net->connection[c].name,
          net->connection[c].bias ? "a bias" : "patches of an image");
  if (ok && t->scheme->draw) {
    ok = (t->trains = mho_alloc((size_t)trained, sizeof *t->trains)) != NULL;
    for (int c = 0; c < trained && ok && !err; c++)
      err = mho_pulse_trains_new(net->connection[c].xb->rows, net->connection[c].xb->cols,
                           (int)t->e->train.batch, &t->trains[c], ei);
    if (err)
      return err;
  }
  size_t *each = mho_alloc((size_t)threads, sizeof *each);
  for (int i = 0; each && i < threads; i++)
    each[i] = mho_settle_scratch(net, t->chunk);
  ok = ok && each && (t->scratch = new_arrays(threads, each));
  for (int i = 0; each && i < threads; i++)
    each[i] = 2 * (size_t)t->slab_cells /* gradient and wanted change */ +
              mho_rule_gradient_scratch(net, t->slab_rows);
  ok = ok && (t->dw = new_arrays(threads, each));
  mho_free(each);
  return ok ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory to train %zu weights", net->n_weights);
}

/* What a pulse changes a weight by, which w_max is part of. */
static void set_nominal_steps(mho_trainer *t) {
  const mho_experiment *e = t->e;
  const mho_device_model *model = (const mho_device_model *)e->device.entry;
  double step = mho_device_nominal_step(model, e->device.params, &e->device_config);
  for (int c = 0; c < t->net->n_trained; c++)
    t->nominal_step[c] = mho_crossbar_step(t->net->connection[c].xb, step);
}

/* What of the devices an array shows only roughly, or not at all. */
static void warn_of_array(const mho_trainer *t) {
  const mho_experiment *e = t->e;
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  bool pulsed = ((const mho_device_model *)e->device.entry)->pulse != NULL;
  if (array->shows_cells && pulsed && e->device_config.iv.law != MHO_IV_OHMIC && t->net->wired)
    mho_log(
        t->ctx, MHO_LOG_WARNING,
        "device.iv.law with array.wire: reads bend what goes into the wires' effective matrix, which "
        "is only close where wires take little; 'mho cosim --layer' says how close it is here");
  if (!strcmp(array->entry.id, "spice") && pulsed && mho_device_reads_noisy(&e->device_config))
    mho_log(
        t->ctx, MHO_LOG_WARNING,
        "array spice: its devices are resistors, and device.read_noise is not in them: use array "
        "periphery to read with it");
}

/* A device goes from level to level: pulses of less than half of what lies between two move nothing. */
static void warn_of_levels(const mho_trainer *t) {
  const mho_experiment *e = t->e;
  const mho_device_config *d = &e->device_config;
  const mho_device_model *model = (const mho_device_model *)e->device.entry;
  bool pulsed = t->scheme->needs_pulses || e->initial.how == MHO_INITIAL_SCHEME;
  if (!model->pulse || !pulsed || d->levels < 2)
    return;

  double step = mho_device_nominal_step(model, e->device.params, d),
         apart = 1 / (double)(d->levels - 1);
  if (step < 0.5 * apart)
    mho_log(
        t->ctx, MHO_LOG_WARNING,
        "device.levels: a pulse moves %s by %.2g of its range, less than half of the %.2g between two "
        "levels, so that without noise no pulse moves anything: fewer, larger steps, or more levels",
        model->entry.id, step, apart);
}

/* Reads leave devices as they are here; a device that they would move deserves a word. */
static void warn_of_reads(const mho_trainer *t) {
  const mho_experiment *e = t->e;
  const mho_device_model *m = (const mho_device_model *)e->device.entry;
  const mho_neuron *neuron = (const mho_neuron *)e->neuron.entry;
  double volts = e->array_config.read_voltage,
         activity = fmax(fabs(neuron->low), fabs(neuron->high));
  activity = isfinite(activity) ? fmax(activity, 1) : 1;

  double v = volts * activity, seconds = e->energy.read_time;
  double moved = mho_device_read_disturb(m, e->device.params, &e->device_config, v, seconds);
  double limit = mho_device_read_limit(m, e->device.params, &e->device_config, v);
  if (moved > 0 && limit > 0)
    mho_log(
        t->ctx, MHO_LOG_WARNING,
        "a read of %.3g V (activity %.3g) for %.3g s (energy.read_time) would move %s by up to %.2g of its "
        "range, which is not simulated: lower array.read_voltage to %.3g V, below its threshold",
        v, activity, seconds, m->entry.id, moved, limit / activity);
  else if (moved > 0)
    mho_log(
        t->ctx, MHO_LOG_WARNING,
        "a read of %.3g V (activity %.3g) for %.3g s (energy.read_time) would move %s, which has no "
        "threshold, by up to %.2g of its range, which is not simulated: a lower array.read_voltage would "
        "move it less",
        v, activity, seconds, m->entry.id, moved);
}

mho_err mho_trainer_new(const mho_context *ctx, const mho_experiment *e, mho_trainer **out,
                        mho_errinfo *ei) {
  *out = NULL;
  mho_trainer *t = mho_alloc(1, sizeof *t);
  if (!t)
    return mho_fail(ei, MHO_ENOMEM, "no memory to train");
  t->ctx = ctx;
  t->e = e;
  t->rule = (const mho_rule *)e->rule.entry;
  t->settler = (const mho_settler *)e->settler.entry;
  t->optimizer = (const mho_optimizer *)e->optimizer.entry;
  t->scheme = (const mho_scheme *)e->scheme.entry;
  t->seeds = mho_experiment_seeds(e);
  t->direct = mho_experiment_direct(e);
  t->chunk = chunk_rows(&e->train);
  mho_err err = mho_dataset_load((const mho_dataset_kind *)e->dataset.entry, &e->dataset_config,
                                 &t->data, ei);
  if (!err && e->train.batch > t->data.train.n)
    err = mho_fail(ei, MHO_ECONFIG,
                   "train.batch: %lld samples, but there are only %d training images",
                   (long long)e->train.batch, t->data.train.n);
  if (!err)
    err = make_network(t, ei);
  if (!err && e->update.rates.n && e->update.rates.n != t->net->n_trained)
    err = mho_fail(ei, MHO_ECONFIG,
                   "update.rates: %d rates, but the network has %d trained connections",
                   e->update.rates.n, t->net->n_trained);
  if (!err)
    t->capacity = capacity_of(t);
  if (!err)
    err = make_buffers(t, ei);
  if (!err)
    err = make_meters(t, ei);
  if (err) {
    mho_trainer_free(t);
    return err;
  }
  set_layer_factors(t);
  mho_rng_permutation(mho_rng_make(t->seeds.order, MHO_RNG_ORDER, 1), 0, t->data.train.n, t->cut);
  for (int c = 0; c < t->net->n_trained; c++)
    t->built_range[c] = mho_crossbar_w_max(t->net->connection[c].xb);
  set_nominal_steps(t);
  warn_of_reads(t);
  warn_of_array(t);
  warn_of_levels(t);
  *out = t;
  return MHO_OK;
}

void mho_trainer_range(mho_trainer *t, const double *w_max) {
  t->ranged = w_max != NULL;
  for (int c = 0; c < t->net->n_trained; c++)
    mho_crossbar_range(t->net->connection[c].xb, w_max ? w_max[c] : t->built_range[c]);
  set_nominal_steps(t);
}

void mho_trainer_settled_in(mho_trainer *t) {
  free_arrays(t->brought, t->net ? t->net->n_trained : 0);
  t->brought = NULL;
}

mho_network *mho_trainer_network(mho_trainer *t) {
  return t->net;
}
mho_state *mho_trainer_state(mho_trainer *t) {
  return t->state[0];
}
const mho_dataset *mho_trainer_dataset(const mho_trainer *t) {
  return &t->data;
}

/* ---------------------------------------------------------------- one batch */

typedef struct batch_job {
  mho_trainer *t;
  const mho_images *part;
  const int *index; /* nullable */
  int first, n;
  bool learn, metered;
  bool augment; /* the images, which index names */
  uint64_t update;
} batch_job;

static void settle_chunk(void *arg, int i, int thread) {
  const batch_job *b = arg;
  mho_trainer *t = b->t;
  int row0 = i * t->chunk, n = b->n - row0 < t->chunk ? b->n - row0 : t->chunk;
  mho_real *x = t->state[0]->z[0] + (size_t)row0 * (size_t)t->data.features;
  if (b->augment)
    mho_images_augmented(&t->data, b->part, b->index + row0, n, &t->e->dataset_config,
                         mho_rng_make(t->seeds.order, MHO_RNG_ORDER, 2), t->epoch, x,
                         t->label + row0);
  else
    mho_images_batch(&t->data, b->part, b->index ? b->index + row0 : NULL, b->first + row0, n, x,
                     t->label + row0);
  mho_rule_job job = {.net = t->net,
                      .settler = t->settler,
                      .settler_params = t->e->settler.params,
                      .params = t->e->rule.params,
                      .error = t->error,
                      .label = t->label,
                      .row0 = row0,
                      .n = n,
                      .direct = t->direct,
                      .update = b->update,
                      .scratch = t->scratch[thread],
                      .meter = b->metered && t->meter ? t->chunk_meter[i] : NULL,
                      .workspace = t->workspace ? t->workspace[thread] : NULL,
                      .time = t->watch.time,
                      .energy = t->watch.energy,
                      .power = t->watch.power,
                      .trace = t->watch.trace};
  if (job.meter)
    mho_meter_clear(job.meter);
  memcpy(job.state, t->state, sizeof job.state);
  t->chunk_stats[i] = (mho_rule_stats){0};
  (b->learn ? t->rule->learn : t->rule->predict)(&job, &t->chunk_stats[i]);
  if (b->learn)
    mho_state_pool(t->net, t->state[0], row0, n);
  if (job.meter) {
    job.meter->steps[0] = t->chunk_stats[i].free.steps;
    job.meter->steps[1] = t->chunk_stats[i].nudged.steps;
    job.meter->samples = n;
  }
}

/* Settle a batch; the sum of its chunks' statistics, in a fixed order. */
static mho_rule_stats run_batch(batch_job *b) {
  int chunks = ceil_div(b->n, b->t->chunk);
  mho_rule_stats s = {0};
  mho_pool *pool = b->t->ctx ? b->t->ctx->pool : NULL;
  mho_network_pack(b->t->net, b->n >= PACK_SAMPLES, pool);
  mho_pool_run(pool, chunks, settle_chunk, b);
  for (int i = 0; i < chunks; i++) {
    const mho_rule_stats *c = &b->t->chunk_stats[i];
    s.loss += c->loss;
    s.correct += c->correct;
    s.free.steps += c->free.steps;
    s.free.unsettled += c->free.unsettled;
    s.free.reads += c->free.reads;
    s.free.time += c->free.time;
    s.free.timed += c->free.timed;
    s.free.residual = fmax(s.free.residual, c->free.residual);
    s.nudged.steps += c->nudged.steps;
    s.nudged.unsettled += c->nudged.unsettled;
    s.nudged.reads += c->nudged.reads;
    if (b->metered && b->t->meter)
      mho_meter_add(b->t->meter, b->t->chunk_meter[i]);
  }
  return s;
}

/* ---------------------------------------------------------------- full scales from data */

static void record(mho_trainer *t, bool on) {
  for (int c = 0; c < t->net->n_connections; c++)
    mho_crossbar_record(t->net->connection[c].xb, on);
}

/* Whether full scales are due before update number `update` (they are the same for all crossbars). */
static bool calibration_due(const mho_trainer *t, int64_t update) {
  const mho_scales *s = t->net->connection[0].xb->scales;
  return s && (!s->valid || (s->every && update >= 0 && update % s->every == 0));
}

/* Settle a batch of training images as in learning, with the converters' full scales growing to what they see. */
/* Whoever watches waits for images of their own: these are not seen. */
static void calibrate(mho_trainer *t, const batch_job *b) {
  int chunks = ceil_div(b->n, t->chunk);
  mho_watch watch = t->watch;
  t->watch = (mho_watch){0};
  batch_job learn = *b;
  learn.learn = true;
  learn.metered = false;
  record(t, true);
  for (int i = 0; i < chunks; i++) /* one after another: they write the same full scales */
    settle_chunk(&learn, i, 0);
  record(t, false);
  t->watch = watch;
}

typedef struct update_job {
  mho_trainer *t;
  int batch;
  mho_real shrink; /* of the gradient, when it is clipped */
} update_job;

static void slab_gradient(const update_job *u, const mho_slab *s, int thread, mho_real *g) {
  const mho_trainer *t = u->t;
  mho_rule_gradient(t->net, s->connection, t->state[0], t->error, u->batch,
                    t->layer_factor[t->net->connection[s->connection].to], s->row0, s->rows, g,
                    t->dw[thread] + 2 * (size_t)t->slab_cells);
}

/* A slab's share of the whole gradient and its norm, which must be known before anything is clipped. */
static void find_gradient(void *arg, int i, int thread) {
  const update_job *u = arg;
  const mho_slab *s = &u->t->slab[i];
  size_t cols = (size_t)u->t->net->connection[s->connection].xb->cols, n = (size_t)s->rows * cols;
  mho_real *g = u->t->gradient[s->connection] + (size_t)s->row0 * cols;
  double sum = 0;
  slab_gradient(u, s, thread, g);
  for (size_t k = 0; k < n; k++)
    sum += (double)g[k] * (double)g[k];
  u->t->slab_norm[i] = sum;
}

/* The gradient of a slab, computed here or taken from the clipped whole. */
static void take_gradient(const update_job *u, const mho_slab *s, int thread, size_t first,
                          size_t n, mho_real *g) {
  if (!u->t->gradient) {
    slab_gradient(u, s, thread, g);
    return;
  }
  const mho_real *whole = u->t->gradient[s->connection] + first;
  for (size_t k = 0; k < n; k++)
    g[k] = u->shrink * whole[k];
}

static void update_slab(void *arg, int i, int thread) {
  const update_job *u = arg;
  mho_trainer *t = u->t;
  const mho_slab *s = &t->slab[i];
  const mho_connection *k = &t->net->connection[s->connection];
  size_t first = (size_t)s->row0 * (size_t)k->xb->cols, n = (size_t)s->rows * (size_t)k->xb->cols;
  mho_real *g = t->dw[thread], *dw = g + t->slab_cells, *moment[MHO_PROGRAM_STATES] = {NULL};
  take_gradient(u, s, thread, first, n, g);
  for (int m = 0; m < t->optimizer->n_states; m++)
    moment[m] = t->moment[m][s->connection] + first;
  const mho_update_config *config = &t->e->update;
  double rate = mho_update_rate(config, s->connection, t->epoch, t->e->train.epochs);
  t->optimizer->step(t->e->optimizer.params, rate, t->update + 1, n, g, moment, dw);
  mho_real decay = (mho_real)(rate * config->decay);
  for (size_t j = 0; j < n && decay > 0; j++)
    dw[j] -= decay * mho_crossbar_programmed(k->xb)[first + j];
  mho_program_job job = {
      .xb = k->xb,
      .params = t->e->scheme.params,
      .first = first,
      .n = n,
      .dw = dw,
      .state = t->accumulator ? t->accumulator[s->connection] + first : NULL,
      .nominal_step = t->nominal_step[s->connection],
      .update = (uint64_t)t->update + 1,
      .rounding = mho_rng_make(t->seeds.noise, MHO_RNG_ROUND, 2 * (uint32_t)s->connection)};
  t->slab_counts[i] = (mho_pulse_counts){0};
  t->scheme->apply(&job, &t->slab_counts[i]);
  mho_crossbar_leak(k->xb, first, n);
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
                         .rate = mho_update_rate(&t->e->update, c, t->epoch, t->e->train.epochs) *
                                 t->layer_factor[k->to] / u->batch,
                         .nominal_step = t->nominal_step[c],
                         .first_sample = (uint64_t)t->update * (uint64_t)t->e->train.batch,
                         .rounding = mho_rng_make(t->seeds.noise, MHO_RNG_ROUND, 2 * (uint32_t)c),
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
  mho_outer_job job = outer_job(u, s->connection);
  u->t->slab_counts[i] = (mho_pulse_counts){0};
  u->t->scheme->replay(&job, s->row0, s->rows, &u->t->slab_counts[i]);
  mho_crossbar_leak(job.xb, (size_t)s->row0 * (size_t)job.xb->cols,
                    (size_t)s->rows * (size_t)job.xb->cols);
}

/* One-sided pairs fill up. */
static void restore_slab(void *arg, int i, int thread) {
  const update_job *u = arg;
  mho_trainer *t = u->t;
  const mho_device_config *d = &t->e->device_config;
  const mho_slab *s = &t->slab[i];
  mho_crossbar *x = t->net->connection[s->connection].xb;
  size_t first = (size_t)s->row0 * (size_t)x->cols, n = (size_t)s->rows * (size_t)x->cols;
  uint64_t update = (uint64_t)t->update + 1;
  if (update % (uint64_t)d->refresh_every == 0)
    mho_crossbar_restore(x, first, n, RESTORATION | update << 12, &t->slab_counts[i]);
}

void mho_trainer_count(mho_trainer *t, int connection, const mho_pulse_counts *c) {
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

static void update_weights(mho_trainer *t, int batch) {
  update_job u = {t, batch, 1};
  mho_pool *pool = t->ctx ? t->ctx->pool : NULL;
  if (t->gradient) {
    double sum = 0;
    mho_pool_run(pool, t->n_slabs, find_gradient, &u);
    for (int i = 0; i < t->n_slabs; i++)
      sum += t->slab_norm[i];
    u.shrink = (mho_real)fmin(1, t->e->update.clip / fmax(sqrt(sum), 1e-300));
  }
  if (t->scheme->replay) {
    mho_pool_run(pool, batch, draw_sample, &u);
    mho_pool_run(pool, t->n_slabs, replay_slab, &u);
  } else {
    mho_pool_run(pool, t->n_slabs, update_slab, &u);
  }
  mho_network_disturb(t->net);
  if (((const mho_device_model *)t->e->device.entry)->pulse &&
      t->e->device_config.mapping == MHO_MAPPING_ONE_SIDED) {
    mho_pool_run(pool, t->n_slabs, restore_slab, &u);
    mho_network_disturb(t->net);
  }
  for (int i = 0; i < t->n_slabs; i++)
    mho_trainer_count(t, t->slab[i].connection, &t->slab_counts[i]);
  t->update++;
  mho_network_refresh(t->net, t->update, false);
}

/* ---------------------------------------------------------------- epoch */

static void fill_row(const mho_trainer *t, mho_epoch_row *row) {
  const mho_epoch_sums *s = &t->sums;
  double n = s->samples > 0 ? (double)s->samples : 1;
  *row = (mho_epoch_row){.epoch = t->epoch + 1,
                         .train_acc = (double)s->correct / n,
                         .test_acc = NAN,
                         .val_acc = NAN,
                         .loss = s->loss / n,
                         .settle_steps = s->steps / n,
                         .unsettled = s->unsettled,
                         .pulses = s->set + s->reset,
                         .set_pulses = s->set,
                         .reset_pulses = s->reset,
                         .clipped = s->clipped,
                         .truncated = s->truncated,
                         .verify_reads = s->verify_reads,
                         .reads = s->reads,
                         .energy_j = NAN,
                         .wall_s = s->wall_s};
}

/* The samples in this epoch's order: cut into batches once, after a shuffle (files are sorted by writer), and
 * the batches shuffled; or all samples shuffled. A last, smaller batch stays last. */
static void draw_order(mho_trainer *t, int size) {
  int n = t->data.train.n, whole = n / size;
  mho_rng rng = mho_rng_make(t->seeds.order, MHO_RNG_ORDER, 0);
  if (t->e->train.shuffle == MHO_SHUFFLE_SAMPLES) {
    mho_rng_permutation(rng, (uint64_t)t->epoch, n, t->order);
    return;
  }
  mho_rng_permutation(rng, (uint64_t)t->epoch, whole, t->batches);
  for (int i = 0; i < whole; i++)
    memcpy(t->order + i * size, t->cut + t->batches[i] * size, (size_t)size * sizeof *t->cut);
  memcpy(t->order + whole * size, t->cut + whole * size,
         (size_t)(n - whole * size) * sizeof *t->cut);
}

mho_err mho_trainer_epoch(mho_trainer *t, mho_epoch_row *row, mho_errinfo *ei) {
  int size = (int)t->e->train.batch, all = t->data.train.n, batches = ceil_div(all, size);
  draw_order(t, size);
  if (t->batch == 0) {
    t->sums = (mho_epoch_sums){0};
    if (t->meter)
      mho_meter_clear(t->meter);
    memset(t->connection_pulses, 0, (size_t)t->net->n_trained * sizeof *t->connection_pulses);
    memset(t->writes, 0, (size_t)t->net->n_trained * sizeof *t->writes);
    mho_err err = t->update == 0 ? mho_trainer_initial(t, ei) : MHO_OK;
    if (err)
      return err;
    mho_trainer_settled_in(t);
  }
  double start = mho_seconds(), before = t->sums.wall_s;
  while (t->batch < batches) {
    int first = (int)t->batch * size;
    batch_job b = {.t = t,
                   .part = &t->data.train,
                   .index = t->order + first,
                   .augment = t->e->dataset_config.crop > 0 || t->e->dataset_config.flip,
                   .n = all - first < size ? all - first : size,
                   .learn = true,
                   .metered = true,
                   .update = (uint64_t)t->update};
    if (calibration_due(t, t->update))
      calibrate(t, &b);
    mho_rule_stats s = run_batch(&b);
    t->sums.loss += s.loss;
    t->sums.correct += s.correct;
    t->sums.samples += b.n;
    t->sums.steps += s.free.steps;
    t->sums.unsettled += s.free.unsettled;
    t->sums.reads += s.free.reads + s.nudged.reads;
    if (!isfinite(s.loss)) {
      t->sums.wall_s = before + mho_seconds() - start;
      fill_row(t, row);
      return mho_fail(
          ei, MHO_EDIVERGED,
          "the loss is no longer finite in epoch %d, batch %lld: lower update.rate, or settle longer",
          t->epoch + 1, (long long)t->batch + 1);
    }
    update_weights(t, b.n);
    t->batch++;
    char note[64];
    snprintf(note, sizeof note, "loss %.4f", t->sums.loss / (double)t->sums.samples);
    mho_progress(t->ctx, "train", (long)t->batch, batches, note);
    if (mho_stopped(t->ctx) && t->batch < batches) {
      t->sums.wall_s = before + mho_seconds() - start;
      fill_row(t, row);
      return mho_fail(ei, MHO_EINTERRUPTED, "interrupted in epoch %d after batch %lld of %d",
                      t->epoch + 1, (long long)t->batch, batches);
    }
  }
  t->sums.wall_s = before + mho_seconds() - start;
  fill_row(t, row);
  t->epoch++;
  t->batch = 0;
  return MHO_OK;
}

/* An evaluation or a gradient before the first update. */
static void calibrate_at_rest(mho_trainer *t) {
  int n = (int)t->e->train.batch;
  if (calibration_due(t, -1))
    calibrate(t,
              &(batch_job){.t = t, .part = &t->data.train, .n = n, .update = (uint64_t)t->update});
}

mho_err mho_trainer_evaluate(mho_trainer *t, const mho_images *part, mho_evaluation *out,
                             mho_errinfo *ei) {
  if (part->n < 1)
    return mho_fail(ei, MHO_EINVAL, "there are no images to evaluate");
  mho_rule_stats sum = {0};
  double start = mho_seconds();
  calibrate_at_rest(t);
  uint64_t which = part == &t->data.test ? 0 : 1;
  for (int first = 0, i = 0; first < part->n; first += t->capacity, i++) {
    batch_job b = {.t = t,
                   .part = part,
                   .first = first,
                   .n = part->n - first < t->capacity ? part->n - first : t->capacity,
                   .update = EVALUATION | (uint64_t)t->epoch << 22 | which << 21 | (uint64_t)i};
    mho_rule_stats s = run_batch(&b);
    sum.loss += s.loss;
    sum.correct += s.correct;
    sum.free.steps += s.free.steps;
    sum.free.unsettled += s.free.unsettled;
    sum.free.time += s.free.time;
    sum.free.timed += s.free.timed;
  }
  *out = (mho_evaluation){.accuracy = (double)sum.correct / part->n,
                          .loss = sum.loss / part->n,
                          .settle_steps = sum.free.steps / part->n,
                          .time_s =
                              sum.free.timed ? sum.free.time / (double)sum.free.timed : (double)NAN,
                          .unsettled = sum.free.unsettled,
                          .seconds = mho_seconds() - start};
  return MHO_OK;
}

mho_rule_stats mho_trainer_settle(mho_trainer *t, const mho_images *part, int first, int n,
                                  bool learn) {
  uint64_t number =
      ((uint64_t)1 << 22) - 1; /* the last of its epoch's: no evaluation has so many batches */
  batch_job b = {.t = t,
                 .part = part,
                 .first = first,
                 .n = n,
                 .learn = learn,
                 .update = EVALUATION | (uint64_t)t->epoch << 22 | number};
  calibrate_at_rest(t);
  return run_batch(&b);
}

mho_err mho_trainer_age(mho_trainer *t, double after, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  for (int c = 0; c < t->net->n_connections && !err; c++)
    err = mho_crossbar_age(t->net->connection[c].xb, after, ei);
  mho_network_refresh(t->net, t->update, true);
  return err;
}

mho_err mho_trainer_gradient(mho_trainer *t, int first, int n, int c, mho_real *out,
                             mho_errinfo *ei) {
  if (first < 0 || n < 1 || n > t->capacity || first + n > t->data.train.n || c < 0 ||
      c >= t->net->n_trained)
    return mho_fail(ei, MHO_EINVAL, "no gradient of connection %d on images %d to %d", c, first,
                    first + n - 1);
  batch_job b = {.t = t,
                 .part = &t->data.train,
                 .first = first,
                 .n = n,
                 .learn = true,
                 .update = (uint64_t)t->update};
  calibrate_at_rest(t);
  run_batch(&b);
  const mho_connection *k = &t->net->connection[c];
  for (int row0 = 0; row0 < k->xb->rows; row0 += t->slab_rows) {
    int rows = k->xb->rows - row0 < t->slab_rows ? k->xb->rows - row0 : t->slab_rows;
    mho_rule_gradient(t->net, c, t->state[0], t->error, n, t->layer_factor[k->to], row0, rows,
                      out + (size_t)row0 * (size_t)k->xb->cols,
                      t->dw[0] + 2 * (size_t)t->slab_cells);
  }
  return MHO_OK;
}
