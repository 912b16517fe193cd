/* program.c - weights of a run or folder written onto other chips, and evaluated there.
 *
 * Every chip is a run of its own of kind `programmed`: its config is that of the source with what
 * was asked on top, train.from says where the weights are from, train.seeds.chip which chip it is;
 * the noise of writing and reading has the same number, so that chips are independent. A card or a
 * model that is asked for begins a new device: nothing else of the source's device carries over.
 * Weights are written exactly (mho_crossbar_set), or from devices at weight zero by the pulses of a
 * scheme (initial.c). Nothing more is learned there, so that on another device w_max is the largest
 * weight unless device.weight_range asks for more; where they are written exactly, nothing is left
 * of how the source was trained.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array/weights.h"
#include "mho/num.h"
#include "train/trainer.h"

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
  mho_config *bare = NULL;
  mho_experiment *e = NULL;
  mho_err err = mho_config_new(&bare, ei);
  if (!err)
    err = mho_config_text(bare, json, name, ei);
  if (!err)
    err = mho_experiment_new(r, bare, true, &e, ei);
  if (!err)
    err = mho_config_of_experiment(e, name, out, ei);
  mho_experiment_free(e);
  mho_config_free(bare);
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
    err = mho_fail(
        ei, MHO_ENOTFOUND,
        "'%s' has no weights.json that says what network its weights are of: add --config FILE",
        p->o->from);
  if (!err)
    err = config_from_json(p->registry, json, name, out, ei);
  free(json);
  return err;
}

static mho_err base_config(const programming *p, mho_config **out, mho_errinfo *ei) {
  struct stat s;
  bool folder = !stat(p->o->from, &s) && S_ISDIR(s.st_mode);
  if (!p->o->config)
    return folder ? config_of_folder(p, out, ei) : config_of_run(p, out, ei);
  mho_err err = mho_config_new(out, ei);
  return err ? err : mho_config_file(*out, p->o->config, ei);
}

/* What the source says and the new chip must not inherit. */
static void leave_behind(mho_config *base, const mho_config *asked) {
  const char *card = mho_config_get(asked, "device.card"),
             *model = mho_config_get(asked, "device.model");
  if (card || model)
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
  if (scheme && how && !strcmp(how, "exact") && strcmp(scheme, "exact"))
    return mho_fail(ei, MHO_ECONFIG,
                    "update.scheme: '%s' has nothing to write with program.initial exact: leave "
                    "one of them out",
                    scheme);
  if (scheme && !how)
    return mho_config_set(
        base, strcmp(scheme, "exact") ? "program.initial=scheme" : "program.initial=exact", ei);
  if (!how)
    how = was ? was : "exact";
  if (!strcmp(how, "scheme"))
    return MHO_OK;
  mho_config_forget(base, "update.");
  mho_config_forget(base, "array.write.");
  mho_err err = mho_config_set(base, "update.scheme=exact", ei);
  return err ? err : mho_config_set(base, "update.optimizer=sgd", ei);
}

static mho_err first_seed(programming *p, const mho_config *asked, const char *parents,
                          mho_errinfo *ei) {
  const char *said = mho_config_get(asked, "train.seeds.chip");
  p->seed = p->o->seed;
  if (p->seed >= 0 && said)
    return mho_fail(ei, MHO_ECONFIG,
                    "--seed and train.seeds.chip both say which chip: leave one of them out");
  if (p->seed < 0 && said)
    p->seed = strtoll(said, NULL, 10);
  if (p->seed < 0) /* a chip that the source is not on */
    p->seed = parents ? strtoll(parents, NULL, 10) + 1 : 1;
  if (p->seed > SEED_MAX - p->o->chips + 1)
    return mho_fail(ei, MHO_ECONFIG, "--seed: the seeds of %d chips from %lld on go beyond %lld",
                    p->o->chips, (long long)p->seed, (long long)SEED_MAX);
  return MHO_OK;
}

static mho_err prepare(programming *p, mho_errinfo *ei) {
  mho_config *asked = NULL;
  char *parents = NULL;
  mho_err err = base_config(p, &p->base, ei);
  if (!err)
    err = mho_config_new(&asked, ei);
  for (int i = 0; i < p->o->n_set && !err; i++)
    err = mho_config_set(asked, p->o->set[i], ei);
  if (!err && mho_config_get(p->base, "train.seeds.chip"))
    parents = strdup(mho_config_get(p->base, "train.seeds.chip"));
  if (!err)
    err = first_seed(p, asked, parents, ei);
  if (!err)
    leave_behind(p->base, asked);
  if (!err)
    err = choose_writing(p->base, asked, ei);
  for (int i = 0; i < p->o->n_set && !err; i++)
    err = mho_config_set(p->base, p->o->set[i], ei);
  if (!err)
    err = mho_config_assign(p->base, "train.from", p->o->from, ei);
  p->own_noise = !err && mho_config_get(asked, "train.seeds.noise");
  p->headroom = !err && mho_config_get(asked, "device.weight_range");
  free(parents);
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

/* What came onto the chip instead of what was to be written. */
static void compare(const mho_trainer *t, mho_programmed *out, mho_program_connection *each) {
  double beyond = 0, weights = 0;
  for (int c = 0; c < t->net->n_trained; c++) {
    const mho_connection *k = &t->net->connection[c];
    const mho_real *written = mho_crossbar_programmed(k->xb), *wanted = t->brought[c];
    size_t n = (size_t)k->xb->rows * (size_t)k->xb->cols,
           clipped = mho_crossbar_beyond(k->xb, 0, n, wanted);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
      double d = (double)written[i] - (double)wanted[i];
      sum += d * d;
    }
    each[c] = (mho_program_connection){.name = k->name,
                                       .rows = k->xb->rows,
                                       .cols = k->xb->cols,
                                       .w_max = mho_crossbar_w_max(k->xb),
                                       .rms = sqrt(sum / (double)n),
                                       .clipped = (double)clipped / (double)n};
    beyond += (double)clipped;
    weights += (double)n;
  }
  out->clipped = beyond / weights;
  out->connection = each;
  out->n_connections = t->net->n_trained;
}

static mho_err store_chip(const programming *p, const mho_trainer *t,
                          const mho_evaluation *validation, mho_programmed *out, double seconds,
                          mho_errinfo *ei) {
  const mho_experiment *e = t->e;
  char hash[65], host[64] = "", mixed[160], name[MHO_TEXT_MAX], *json = mho_experiment_json(e);
  mho_checkpoint_row checkpoint = {0};
  mho_layer_row *layers = mho_trainer_layers(t);
  mho_err err = json && layers ? mho_trainer_save(t, &checkpoint, ei)
                               : mho_fail(ei, MHO_ENOMEM, "no memory to store a programmed chip");
  /* never the hash of a training of the same config */
  snprintf(mixed, sizeof mixed, "%s programmed", t->data.checksum);
  mho_experiment_hash(e, mixed, hash);
  gethostname(host, sizeof host - 1);
  snprintf(name, sizeof name, p->o->chips > 1 ? "%s-%d" : "%s", p->o->name ? p->o->name : "",
           out->chip);
  const char *code = p->o->code_version ? p->o->code_version : MHO_VERSION;
  mho_run_row row = {.name = p->o->name ? name : NULL,
                     .config = json,
                     .config_hash = hash,
                     .defaults_version = MHO_DEFAULTS_VERSION,
                     .seed = e->train.seed,
                     .data_checksum = (char *)(uintptr_t)t->data.checksum,
                     .code_version = (char *)(uintptr_t)code,
                     .blas = (char *)(uintptr_t)mho_blas_kernel(),
                     .host = host,
                     .pid = getpid(),
                     .final_test_acc = out->accuracy,
                     .best_test_acc = out->accuracy,
                     .train_acc = NAN,
                     .val_acc = validation ? validation->accuracy : (double)NAN,
                     .wall_s = seconds,
                     .pulses = out->pulses,
                     .energy_j = NAN,
                     .kind = (char *)(uintptr_t) "programmed",
                     .parent = (char *)(uintptr_t)p->o->parent};
  mho_store_new_id(row.id);
  for (int c = 0; c < out->n_connections && layers; c++) {
    layers[c].w_error = out->connection[c].rms;
    layers[c].clipped = out->connection[c].clipped;
  }
  if (!err)
    err = mho_store_run_begin(p->o->store, &row, ei);
  row.status = (char *)(uintptr_t) "completed";
  mho_store_update u = {.layers = layers,
                        .n_layers = out->n_connections,
                        .last = &checkpoint,
                        .last_is_best = true,
                        .run = &row};
  if (!err)
    err = mho_store_write(p->o->store, row.id, &u, ei);
  snprintf(out->run, sizeof out->run, "%s", row.id);
  mho_blob_free(&checkpoint.blob);
  mho_free(layers);
  free(json);
  return err;
}

static mho_err write_chip(const programming *p, mho_trainer *t, mho_programmed *out,
                          mho_errinfo *ei) {
  double start = mho_seconds();
  mho_evaluation test, validation;
  bool held_out = t->data.validation.n > 0;
  mho_program_connection *each = mho_alloc((size_t)t->net->n_trained, sizeof *each);
  mho_err err = each ? mho_trainer_write(t, p->o->store, p->headroom, ei)
                     : mho_fail(ei, MHO_ENOMEM, "no memory to program a chip");
  if (!err)
    err = mho_trainer_initial(t, ei);
  if (!err && t->sums.clipped > 0)
    mho_log(
        p->ctx, MHO_LOG_WARNING,
        "%.3g %% of the weights were still off by half a step or more after program.rounds (%lld)",
        100 * t->sums.clipped / (double)t->net->n_weights, (long long)t->e->initial.rounds);
  if (!err)
    err = mho_trainer_evaluate(t, &t->data.test, &test, ei);
  if (!err && held_out)
    err = mho_trainer_evaluate(t, &t->data.validation, &validation, ei);
  if (!err) {
    out->accuracy = test.accuracy;
    out->loss = test.loss;
    out->pulses = t->sums.set + t->sums.reset;
    compare(t, out, each);
  }
  if (!err && p->o->store)
    err = store_chip(p, t, held_out ? &validation : NULL, out, mho_seconds() - start, ei);
  if (!err && p->o->chip)
    p->o->chip(p->o->user, out, t->e);
  mho_free(each);
  return err;
}

mho_err mho_program(const mho_context *ctx, const mho_registry *r, const mho_program_options *o,
                    mho_errinfo *ei) {
  programming p = {.ctx = ctx, .registry = r, .o = o};
  mho_err err = prepare(&p, ei);
  for (int chip = 1; chip <= o->chips && !err; chip++) {
    mho_programmed out = {.chip = chip, .seed = p.seed + chip - 1};
    mho_experiment *e = NULL;
    mho_trainer *t = NULL;
    mho_progress(ctx, "program", chip - 1, o->chips, "chips");
    err = chip_experiment(&p, out.seed, &e, ei);
    if (!err)
      err = mho_trainer_new(ctx, e, &t, ei);
    if (!err)
      err = write_chip(&p, t, &out, ei);
    mho_trainer_free(t);
    mho_experiment_free(e);
    if (!err && mho_stopped(ctx) && chip < o->chips)
      err = mho_fail(ei, MHO_EINTERRUPTED, "interrupted after chip %d of %d: those are kept", chip,
                     o->chips);
  }
  mho_progress(ctx, "program", o->chips, o->chips, NULL);
  mho_config_free(p.base);
  return err;
}
