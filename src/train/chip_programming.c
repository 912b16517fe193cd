/* chip_programming.c - weights of a run, a folder or a network's file written onto other chips, and
 * evaluated there.
 *
 * Every chip is a run of its own of kind `programmed`: its config is that of the source with what
 * was asked on top, train.from says where the weights are from, train.seeds.chip which chip it is;
 * the noise of writing and reading has the same number, so that chips are independent. A card or a
 * model that is asked for begins a new device: nothing else of the source's device carries over.
 * Weights are written exactly (mho_crossbar_set), or from devices at weight zero by the pulses of a
 * scheme (initial_weights.c). Nothing more is learned there, so that on another device w_max is the
 * largest weight unless device.weight_range asks for more; where they are written exactly, nothing
 * is left of how the source was trained.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "array/weights.h"
#include "train/network_file.h"
#include "train/resting_circuit.h"
#include "train/run_record.h"
#include "train/spike_portrait.h"

static const int64_t SEED_MAX = 9000000000000000; /* of train.seeds.chip */

/* A programming under way. */
typedef struct programming {
  const mho_context *ctx;
  const mho_registry *registry;
  const mho_program_options *o;
  mho_config *base; /* of every chip, but for its seeds */
  int64_t seed;     /* of the first chip */
  bool own_noise;   /* train.seeds.noise was asked for */
  bool headroom;    /* so was device.weight_range */
} programming;

/* ---------------------------------------------------------------- the config */

/* The keys of an experiment that are set, as text with units, which overrides can be put on. */
static mho_err config_from_json(const mho_registry *r, const char *json, const char *name,
                                mho_config **out, mho_errinfo *ei) {
  mho_experiment *e = NULL;
  mho_err err = mho_experiment_of_json(r, json, name, &e, ei);
  if (!err)
    err = mho_config_of_experiment(e, name, out, ei);
  mho_experiment_free(e);
  return err;
}

static mho_err config_of_run(const programming *p, mho_config **out, mho_errinfo *ei) {
  mho_run_row row;
  char name[64];
  mho_err err = mho_store_run_get(p->o->store, p->o->from, &row, ei);
  if (err)
    return err;

  snprintf(name, sizeof name, "the config of run %s", p->o->from);
  err = config_from_json(p->registry, row.config, name, out, ei);
  mho_run_row_free(&row);
  return err;
}

static mho_err config_of_folder(const programming *p, mho_config **out, mho_errinfo *ei) {
  char *json = NULL, name[MHO_TEXT_MAX + 32];
  snprintf(name, sizeof name, "%s/weights.json", p->o->from);

  mho_err err = mho_weights_config(p->o->from, &json, ei);
  if (!err && !json)
    err = mho_fail(ei, MHO_ENOTFOUND,
                   "'%s' has no weights.json that says what network its weights are of: add "
                   "--config FILE",
                   p->o->from);
  if (!err)
    err = config_from_json(p->registry, json, name, out, ei);

  free(json);
  return err;
}

/* What the user says of a network's file, and what the file says of itself. */
static mho_err config_of_file(const programming *p, const mho_config *asked, mho_config **out,
                              mho_errinfo *ei) {
  mho_err err = mho_config_load(p->o->config, 0, NULL, out, ei);
  return err ? err : mho__network_file_config(p->o->file, *out, asked, ei);
}

static mho_err base_config(const programming *p, const mho_config *asked, mho_config **out,
                           mho_errinfo *ei) {
  struct stat s;
  if (p->o->file)
    return config_of_file(p, asked, out, ei);
  bool folder = !stat(p->o->from, &s) && S_ISDIR(s.st_mode);
  if (p->o->config)
    return mho_config_load(p->o->config, 0, NULL, out, ei);
  return folder ? config_of_folder(p, out, ei) : config_of_run(p, out, ei);
}

/* What the source says and the new chip must not inherit. */
static void leave_behind(mho_config *base, const mho_config *asked) {
  if (mho_config_get(asked, "device.card") || mho_config_get(asked, "device.model"))
    mho_config_forget(base, "device.");
  mho_config_forget(base, "train.from");
  mho_config_forget(base, "train.seeds.chip");
  mho_config_forget(base, "train.seeds.noise");
}

/* How weights come onto the chip: by update.scheme where that or program.initial asks for it, else
 * exactly. */
static mho_err choose_writing(mho_config *base, const mho_config *asked, mho_errinfo *ei) {
  const char *scheme = mho_config_get(asked, "update.scheme");
  const char *how = mho_config_get(asked, "program.initial");
  const char *was = mho_config_get(base, "program.initial");
  bool pulses = scheme && strcmp(scheme, "exact");

  if (pulses && how && !strcmp(how, "exact"))
    return mho_fail(ei, MHO_ECONFIG,
                    "update.scheme: '%s' has nothing to write with program.initial exact: leave "
                    "one of them out",
                    scheme);

  if (scheme && !how)
    return mho_config_set(base, pulses ? "program.initial=scheme" : "program.initial=exact", ei);

  if (!how)
    how = was ? was : "exact";
  if (!strcmp(how, "scheme"))
    return MHO_OK;

  /* Written exactly, nothing is left of how the source was trained. */
  mho_config_forget(base, "update.");
  mho_config_forget(base, "array.write.");
  mho_err err = mho_config_set(base, "update.scheme=exact", ei);
  return err ? err : mho_config_set(base, "update.optimizer=sgd", ei);
}

/* The seed of the first chip: asked for in one of two ways, or a chip that the source is not on.
 * source: the text of its train.seeds.chip, nullable. */
static mho_err first_seed(programming *p, const mho_config *asked, const char *source,
                          mho_errinfo *ei) {
  const char *said = mho_config_get(asked, "train.seeds.chip");
  p->seed = p->o->seed;
  if (p->seed >= 0 && said)
    return mho_fail(ei, MHO_ECONFIG,
                    "--seed and train.seeds.chip both say which chip: leave one of them out");

  if (p->seed < 0 && said)
    p->seed = strtoll(said, NULL, 10);
  if (p->seed < 0)
    p->seed = source ? strtoll(source, NULL, 10) + 1 : 1;

  if (p->seed > SEED_MAX - p->o->chips + 1)
    return mho_fail(ei, MHO_ECONFIG, "--seed: the seeds of %d chips from %lld on go beyond %lld",
                    p->o->chips, (long long)p->seed, (long long)SEED_MAX);
  return MHO_OK;
}

/* The config of every chip, from that of the source and what was asked. */
static mho_err prepare_base(programming *p, const mho_config *asked, mho_errinfo *ei) {
  mho_err err = first_seed(p, asked, mho_config_get(p->base, "train.seeds.chip"), ei);
  if (err)
    return err;

  leave_behind(p->base, asked);
  err = choose_writing(p->base, asked, ei);
  for (int i = 0; i < p->o->n_set; i++) {
    if (err)
      break;
    err = mho_config_set(p->base, p->o->set[i], ei);
  }
  if (!err)
    err = mho_config_assign(p->base, "train.from", p->o->from, ei);

  p->own_noise = mho_config_get(asked, "train.seeds.noise") != NULL;
  p->headroom = mho_config_get(asked, "device.weight_range") != NULL;
  return err;
}

static mho_err prepare(programming *p, mho_errinfo *ei) {
  mho_config *asked = NULL;
  mho_err err = mho_config_load(NULL, p->o->n_set, p->o->set, &asked, ei);
  if (!err)
    err = base_config(p, asked, &p->base, ei);
  if (!err)
    err = prepare_base(p, asked, ei);

  mho_config_free(asked);
  return err;
}

static mho_err chip_experiment(const programming *p, int64_t seed, mho_experiment **out,
                               mho_errinfo *ei) {
  char text[64];
  snprintf(text, sizeof text, "train.seeds.chip=%lld", (long long)seed);
  mho_err err = mho_config_set(p->base, text, ei);
  snprintf(text, sizeof text, "train.seeds.noise=%lld", (long long)seed);
  if (!err && !p->own_noise)
    err = mho_config_set(p->base, text, ei);
  return err ? err : mho_experiment_new(p->registry, p->base, false, out, ei);
}

/* ---------------------------------------------------------------- one chip */

/* Root mean square of what was written less what was wanted. */
static double rms_error(size_t n, const mho_real *written, const mho_real *wanted) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    double d = (double)written[i] - (double)wanted[i];
    sum += d * d;
  }
  return sqrt(sum / (double)n);
}

/* What came onto the chip instead of what was to be written. */
static void compare(const mho_trainer *t, mho_programmed *out, mho_program_connection *each) {
  double beyond = 0, weights = 0;

  for (int c = 0; c < t->net->n_trained; c++) {
    const mho_connection *k = &t->net->connection[c];
    size_t n = mho_crossbar_cells(k->xb),
           clipped = mho_crossbar_beyond(k->xb, 0, n, t->brought.weights[c]);
    each[c] = (mho_program_connection){
        .name = k->name,
        .rows = k->xb->rows,
        .cols = k->xb->cols,
        .w_max = mho_crossbar_w_max(k->xb),
        .rms = rms_error(n, mho__crossbar_programmed(k->xb), t->brought.weights[c]),
        .clipped = (double)clipped / (double)n};
    beyond += (double)clipped;
    weights += (double)n;
  }

  out->clipped = beyond / weights;
  out->connection = each;
  out->n_connections = t->net->n_trained;
}

/* Insert the run and write what it came to. layers and all that `u` has: of the chip. */
static mho_err write_run(const programming *p, mho_run_row *row, mho_layer_row *layers,
                         mho_store_update *u, const mho_programmed *out, mho_errinfo *ei) {
  for (int c = 0; c < out->n_connections; c++) {
    layers[c].w_error = out->connection[c].rms;
    layers[c].clipped = out->connection[c].clipped;
  }

  mho_err err = mho_store_run_begin(p->o->store, row, ei);
  if (err)
    return err;

  row->status = (char *)(uintptr_t) "completed";
  u->layers = layers;
  u->n_layers = out->n_connections;
  u->last_is_best = true;
  u->run = row;
  return mho_store_write(p->o->store, row->id, u, ei);
}

/* Store a chip as a run; validation: what was found on those images, NaN without. */
static mho_err store_chip(const programming *p, mho_trainer *t, const mho_evaluation *validation,
                          mho_programmed *out, double seconds, mho_errinfo *ei) {
  const mho_program_options *o = p->o;
  mho_run_texts texts;
  mho_run_row row;
  char name[MHO_TEXT_MAX];
  mho_checkpoint_row checkpoint = {0};
  mho_prediction_row *predictions = NULL;
  mho_store_update u = {.last = &checkpoint};

  mho_err err = mho__run_record(t, o->code_version, "programmed", &texts, &row, ei);
  if (err)
    return err;

  snprintf(name, sizeof name, o->chips > 1 ? "%s-%d" : "%s", o->name ? o->name : "", out->chip);
  row.name = o->name ? name : NULL;
  row.parent = (char *)(uintptr_t)o->parent;
  row.final_test_acc = row.best_test_acc = out->accuracy;
  row.val_acc = validation->accuracy;
  if (t->data.values) {
    row.final_test_loss = row.best_test_loss = out->loss;
    row.final_test_rms = row.best_test_rms = out->rms;
    row.val_loss = validation->loss;
  }
  row.wall_s = seconds;
  row.pulses = out->pulses;

  int n_layers;
  mho_layer_row *layers = mho__trainer_layers(t, &n_layers);
  if (layers)
    err = mho_trainer_save(t, &checkpoint, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory to store a programmed chip");
  if (!err)
    err = mho__trainer_predictions(t, &predictions, &u.n_predictions, ei);
  u.predictions = predictions;
  if (!err)
    err = write_run(p, &row, layers, &u, out, ei);
  if (!err)
    err = mho__mistakes_store(&t->mistakes, &t->data, o->store, row.id, ei);
  if (!err)
    err = mho__spike_portrait_store(t, o->store, row.id, ei);
  if (!err)
    err = mho__circuit_picture_store(t, o->store, row.id, ei);
  snprintf(out->run, sizeof out->run, "%s", row.id);

  mho_blob_free(&checkpoint.blob);
  mho_free(predictions);
  mho_free(layers);
  mho__run_texts_free(&texts);
  return err;
}

/* On the test images, and on the validation images, NaN without. */
static mho_err evaluate_chip(mho_trainer *t, mho_programmed *out, mho_evaluation *validation,
                             mho_errinfo *ei) {
  mho_evaluation v;
  *validation = (mho_evaluation){.accuracy = NAN, .loss = NAN, .rms = NAN};

  mho_err err = mho__trainer_evaluate(t, &t->data.test, &v, ei);
  if (err)
    return err;

  out->accuracy = v.accuracy;
  out->loss = v.loss;
  out->rms = v.rms;
  out->pulses = t->at.sums.set + t->at.sums.reset;

  if (t->data.validation.n > 0)
    err = mho__trainer_evaluate(t, &t->data.validation, validation, ei);
  return err;
}

/* Bring the weights onto the chip. */
static mho_err write_weights(const programming *p, mho_trainer *t, mho_errinfo *ei) {
  mho_err err = p->o->file ? mho_trainer_write_network(t, p->o->file, p->headroom, ei)
                           : mho_trainer_write(t, p->o->store, p->headroom, ei);
  if (!err)
    err = mho__updater_initial(t->updater, t->brought.weights, ei);
  if (!err && t->at.sums.clipped > 0)
    mho_log(p->ctx, MHO_LOG_WARNING,
            "%.3g %% of the weights were still off by half a step or more after program.rounds "
            "(%lld)",
            100 * t->at.sums.clipped / (double)t->net->n_weights, (long long)t->e->initial.rounds);
  return err;
}

static mho_err write_chip(const programming *p, mho_trainer *t, mho_programmed *out,
                          mho_errinfo *ei) {
  double start = mho_seconds();
  mho_evaluation validation;
  mho_program_connection *each = mho_alloc((size_t)t->net->n_trained, sizeof *each);
  if (!each)
    return mho_fail(ei, MHO_ENOMEM, "no memory to program a chip");

  mho_err err = write_weights(p, t, ei);
  if (!err)
    err = evaluate_chip(t, out, &validation, ei);
  if (!err)
    compare(t, out, each);
  if (!err && p->o->store)
    err = store_chip(p, t, &validation, out, mho_seconds() - start, ei);
  if (!err && p->o->chip)
    p->o->chip(p->o->user, out, t->e);

  mho_free(each);
  return err;
}

/* Make, write, evaluate and store one chip, from 1 on. */
static mho_err program_chip(const programming *p, int chip, mho_errinfo *ei) {
  mho_programmed out = {.chip = chip, .seed = p->seed + chip - 1};
  mho_experiment *e = NULL;
  mho_trainer *t = NULL;

  mho_progress(p->ctx, "program", chip - 1, p->o->chips, "chips");
  mho_err err = chip_experiment(p, out.seed, &e, ei);
  if (!err && chip == 1 && p->o->begin)
    err = p->o->begin(p->o->user, e, ei);
  if (!err)
    err = mho_trainer_new(p->ctx, e, &t, ei);
  if (!err)
    err = write_chip(p, t, &out, ei);

  mho_trainer_free(t);
  mho_experiment_free(e);
  return err;
}

mho_err mho_program(const mho_context *ctx, const mho_registry *r, const mho_program_options *o,
                    mho_errinfo *ei) {
  programming p = {.ctx = ctx, .registry = r, .o = o};
  mho_err err = prepare(&p, ei);

  for (int chip = 1; chip <= o->chips; chip++) {
    if (!err && chip > 1 && mho_stopped(ctx))
      err = mho_fail(ei, MHO_EINTERRUPTED, "interrupted after chip %d of %d: those are kept",
                     chip - 1, o->chips);
    if (err)
      break;
    err = program_chip(&p, chip, ei);
  }

  mho_progress(ctx, "program", o->chips, o->chips, NULL);
  mho_config_free(p.base);
  return err;
}
