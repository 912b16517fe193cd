/* training_run.c - a training as a run of the database: begin, log every epoch with a checkpoint,
 * end.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/training_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "train/resting_circuit.h"
#include "train/run_record.h"
#include "train/spike_portrait.h"

static void utc(char *buf, size_t n) {
  time_t now = time(NULL);
  struct tm tm;
  gmtime_r(&now, &tm);
  strftime(buf, n, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static mho_err write_update(mho_training_run *g, mho_store_update *u, mho_errinfo *ei) {
  u->run = &g->row;
  return g->o->store ? mho_store_write(g->o->store, g->row.id, u, ei) : MHO_OK;
}

/* ---------------------------------------------------------------- what is observed */

/* Settling times and energies of the first test images, where there is physical time. u->samples:
 * to be freed. */
static mho_err observe_circuit(mho_trainer *t, mho_store_update *u, mho_settle_row *settle,
                               mho_errinfo *ei) {
  int64_t asked = t->e->observe.samples;
  int n = asked < t->data.test.n ? (int)asked : t->data.test.n;
  mho_settle_sample *samples = mho_alloc((size_t)n, sizeof *samples);
  if (!samples)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the settling of %d samples", n);

  u->samples = samples;
  u->n_samples = n;
  return mho_trainer_observe_circuit(t, &t->data.test, n, settle, samples, ei);
}

/* What a controller makes neurons do. u->controls: to be freed. */
static mho_err observe_control(mho_trainer *t, mho_store_update *u, mho_errinfo *ei) {
  int n = t->net->n_layers - 1;
  mho_control_row *rows = mho_alloc((size_t)n, sizeof *rows);
  if (!rows)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the controls of %d layers", n);

  u->controls = rows;
  u->n_controls = n;
  return mho__trainer_observe_control(t, rows, ei);
}

/* The records of the free phase and of the connections; cosines go from an array into the
 * latter. */
static mho_err observe(mho_training_run *g, mho_store_update *u, mho_settle_row *settle,
                       mho_layer_row *layers, mho_errinfo *ei) {
  mho_trainer *t = g->t;
  double start = mho_seconds(), *cosine = mho_alloc((size_t)t->net->n_trained, sizeof *cosine);
  if (!layers || !cosine) {
    mho_free(cosine);
    return mho_fail(ei, MHO_ENOMEM, "no memory for layer statistics");
  }

  mho_err err = mho_trainer_observe(t, settle, cosine, ei);
  if (!err && t->e->observe.settling && mho_trainer_in_time(t))
    err = observe_circuit(t, u, settle, ei);
  if (!err && t->e->observe.control && t->learner->rule->observe)
    err = observe_control(t, u, ei);
  if (!err && t->e->observe.cosine)
    for (int c = 0; c < t->net->n_trained; c++)
      layers[c].cosine = cosine[c];

  mho_free(cosine);
  g->row.wall_s += mho_seconds() - start;
  return err;
}

/* What the epoch would have taken on hardware; the sum goes into its record and into the run's. */
static mho_err count_energy(mho_training_run *g, mho_epoch_row *epoch, mho_energy_row *energies,
                            mho_errinfo *ei) {
  if (!g->t->at.meter)
    return MHO_OK;

  mho_err err = mho_trainer_energy(g->t, energies, ei);
  epoch->energy_j = 0;
  if (!err)
    for (int i = 0; i < MHO_ENERGY_TERMS; i++)
      epoch->energy_j += energies[i].joule;

  if (isfinite(epoch->energy_j))
    g->row.energy_j = epoch->energy_j + (isfinite(g->row.energy_j) ? g->row.energy_j : 0);
  return err;
}

/* ---------------------------------------------------------------- an epoch, logged */

/* Add an epoch to the run's record; whether it is the best so far. */
static bool add_epoch(mho_training_run *g, const mho_epoch_row *epoch) {
  double score = g->by_validation ? epoch->val_acc : epoch->test_acc;
  if (g->t->data.values)
    score = -(g->by_validation ? epoch->val_loss : epoch->test_loss);
  bool best = !(score <= g->best);
  if (best) {
    g->best = score;
    g->row.best_test_acc = epoch->test_acc;
    g->row.best_test_loss = epoch->test_loss;
    g->row.best_test_rms = epoch->test_rms;
    g->row.best_epoch = epoch->epoch;
  }

  g->row.epochs_done = epoch->epoch;
  g->row.final_test_acc = epoch->test_acc;
  g->row.val_acc = epoch->val_acc;
  g->row.final_test_loss = epoch->test_loss;
  g->row.val_loss = epoch->val_loss;
  g->row.final_test_rms = epoch->test_rms;
  g->row.train_acc = epoch->train_acc;
  g->row.wall_s += epoch->wall_s + epoch->eval_s;
  g->row.pulses += epoch->pulses;
  return best;
}

/* Whether a checkpoint is due; the best epoch is kept too, so it is due whenever it comes. */
static bool checkpoint_due(const mho_trainer *t, bool best) {
  int64_t every = t->e->checkpoint.every;
  bool last = t->at.epoch == t->e->train.epochs;
  return every && (best || last || t->at.epoch % every == 0);
}

/* Write what the update has, with what is observed and a checkpoint where one is due. */
static mho_err write_epoch(mho_training_run *g, mho_store_update *u, mho_settle_row *settle,
                           mho_layer_row *layers, mho_errinfo *ei) {
  mho_checkpoint_row checkpoint = {0};
  mho_err err = observe(g, u, settle, layers, ei);

  if (!err && checkpoint_due(g->t, u->last_is_best)) {
    err = mho_trainer_save(g->t, &checkpoint, ei);
    u->last = &checkpoint;
  }

  u->run = &g->row;
  if (!err && g->writer)
    err = mho__writer_put(g->writer, u, &checkpoint.blob, ei);
  else if (!err)
    err = write_update(g, u, ei);

  mho_blob_free(&checkpoint.blob);
  return err;
}

static mho_err log_epoch(mho_training_run *g, mho_epoch_row *epoch, mho_errinfo *ei) {
  mho_energy_row energies[MHO_ENERGY_TERMS];
  bool best = add_epoch(g, epoch);
  mho_err err = count_energy(g, epoch, energies, ei);
  if (err || !g->o->store)
    return err;

  mho_settle_row settle = {.epoch = epoch->epoch,
                           .phase = "free",
                           .steps_mean = epoch->settle_steps,
                           .steps_max = NAN,
                           .residual_max = NAN,
                           .time_s = NAN,
                           .energy_j = NAN,
                           .spectral_radius = NAN,
                           .lyapunov = NAN,
                           .kirchhoff = g->t->balance.kirchhoff,
                           .dissipated = g->t->balance.dissipated,
                           .supplied = g->t->balance.supplied,
                           .unsettled = epoch->unsettled};

  int n_layers;
  mho_layer_row *layers = mho__trainer_layers(g->t, &n_layers);
  mho_store_update u = {.epoch = epoch,
                        .layers = layers,
                        .n_layers = n_layers,
                        .layers_epoch = epoch->epoch,
                        .settles = &settle,
                        .n_settles = 1,
                        .energies = isfinite(epoch->energy_j) ? energies : NULL,
                        .n_energies = MHO_ENERGY_TERMS,
                        .last_is_best = best};
  err = write_epoch(g, &u, &settle, layers, ei);

  mho_free(layers);
  mho_free((mho_settle_sample *)(uintptr_t)u.samples);
  mho_free((mho_control_row *)(uintptr_t)u.controls);
  return err;
}

static mho_err evaluate(mho_trainer *t, const mho_images *images, mho_epoch_row *row,
                        mho_errinfo *ei) {
  bool is_test = images == &t->data.test;
  mho_evaluation v;
  mho_err err = mho__trainer_evaluate(t, images, &v, ei);
  if (err)
    return err;

  row->eval_s += v.seconds;
  *(is_test ? &row->test_acc : &row->val_acc) = v.accuracy;
  if (t->data.values)
    *(is_test ? &row->test_loss : &row->val_loss) = v.loss;
  if (is_test)
    row->test_rms = v.rms;
  return MHO_OK;
}

mho_err mho__training_epoch(mho_trainer *t, mho_epoch_row *row, mho_errinfo *ei) {
  mho_err err = mho_trainer_epoch(t, row, ei);
  if (!err && t->data.validation.n)
    err = evaluate(t, &t->data.validation, row, ei);
  if (!err)
    err = evaluate(t, &t->data.test, row, ei);
  return err;
}

/* ---------------------------------------------------------------- to the end */

/* Train, log and report one more epoch. stopped: the caller ends the run after it, for the reason
 * in why. */
static mho_err next_epoch(mho_training_run *g, bool *stopped, mho_errinfo *why) {
  const mho_train_options *o = g->o;
  mho_epoch_row row = {0};
  if (mho_stopped(g->ctx))
    return mho_fail(why, MHO_EINTERRUPTED, "interrupted after epoch %d", g->t->at.epoch);

  mho_err err = mho__training_epoch(g->t, &row, why);
  if (!err)
    err = log_epoch(g, &row, why);
  if (err)
    return err;

  if (o->epoch)
    o->epoch(o->user, g->row.id, &row);
  if (o->stop && g->t->at.epoch < g->t->e->train.epochs)
    *stopped = o->stop(o->user, g->row.id, &row, why->message, sizeof why->message);
  return *stopped ? MHO_EINTERRUPTED : MHO_OK;
}

/* Wait until all epochs are written; the store is this thread's again. An error of the database
 * takes the place of what came before. */
static mho_err end_writer(mho_training_run *g, mho_err err, mho_errinfo *why) {
  mho_errinfo late = {0};
  if (!g->writer)
    return err;

  mho_err written = mho__writer_drain(g->writer, &late);
  mho__writer_free(g->writer);
  g->writer = NULL;

  if (written)
    *why = late;
  return written ? written : err;
}

static const char *status_of(mho_err err) {
  switch (err) {
  case MHO_OK:
    return "completed";
  case MHO_EINTERRUPTED:
    return "interrupted";
  case MHO_EDIVERGED:
    return "diverged";
  default:
    return "failed";
  }
}

/* Store how a run ended; a checkpoint within the epoch when it can be resumed from there. */
static mho_err log_end(mho_training_run *g, const char *status, const char *error, bool checkpoint,
                       mho_errinfo *ei) {
  mho_checkpoint_row saved = {0};
  mho_store_update u = {0};
  mho_err err = MHO_OK;

  utc(g->ended, sizeof g->ended);
  g->row.ended = g->ended;
  g->row.status = (char *)(uintptr_t)status;
  g->row.error = (char *)(uintptr_t)error;

  if (checkpoint && g->o->store && g->t->e->checkpoint.every) {
    err = mho_trainer_save(g->t, &saved, ei);
    u.last = &saved;
  }
  mho_prediction_row *predictions = NULL;
  bool is_kept = g->o->store && !strcmp(status, "completed");
  if (!err && is_kept)
    err = mho__trainer_predictions(g->t, &predictions, &u.n_predictions, ei);
  u.predictions = predictions;
  if (!err)
    err = write_update(g, &u, ei);
  if (!err && is_kept && g->t->e->checkpoint.every)
    err = mho__mistakes_store(&g->t->mistakes, &g->t->data, g->o->store, g->row.id, ei);
  if (!err && is_kept && g->t->e->checkpoint.every)
    err = mho__spike_portrait_store(g->t, g->o->store, g->row.id, ei);
  if (!err && is_kept && g->t->e->checkpoint.every)
    err = mho__circuit_picture_store(g->t, g->o->store, g->row.id, ei);

  mho_free(predictions);
  mho_blob_free(&saved.blob);
  return err;
}

static void take_result(const mho_run_row *row, const char *status, mho_train_result *result) {
  *result = (mho_train_result){.epochs = row->epochs_done,
                               .best_epoch = row->best_epoch,
                               .final_test_acc = row->final_test_acc,
                               .best_test_acc = row->best_test_acc,
                               .train_acc = row->train_acc,
                               .val_acc = row->val_acc,
                               .final_test_loss = row->final_test_loss,
                               .best_test_loss = row->best_test_loss,
                               .val_loss = row->val_loss,
                               .final_test_rms = row->final_test_rms,
                               .best_test_rms = row->best_test_rms,
                               .wall_s = row->wall_s};

  snprintf(result->run, sizeof result->run, "%s", row->id);
  snprintf(result->status, sizeof result->status, "%s", status);
}

mho_err mho__training_run_to_end(mho_training_run *g, mho_train_result *result, mho_errinfo *ei) {
  mho_err err = MHO_OK, ended = MHO_OK;
  mho_errinfo why = {0};
  bool stopped = false;

  if (g->o->store)
    err = mho__writer_new(g->o->store, &g->writer, &why);
  while (!err && g->t->at.epoch < g->t->e->train.epochs)
    err = next_epoch(g, &stopped, &why);
  err = end_writer(g, err, &why);

  /* When the database is what failed, nothing more can be written there. */
  const char *status = status_of(err);
  if (err != MHO_ESTORE && err != MHO_EDISK) {
    bool has_reason = stopped || (err && err != MHO_EINTERRUPTED);
    ended = log_end(g, status, has_reason ? why.message : NULL, err == MHO_EINTERRUPTED,
                    err ? NULL : &why);
  }

  take_result(&g->row, status, result);
  if ((err || ended) && ei)
    *ei = why;
  return err ? err : ended;
}

/* ---------------------------------------------------------------- a new run */

mho_training_run mho__training_run_of(const mho_context *ctx, const mho_train_options *o,
                                      mho_trainer *t, const mho_run_row *row) {
  mho_training_run g = {.ctx = ctx,
                        .o = o,
                        .t = t,
                        .row = *row,
                        .by_validation = t->data.validation.n > 0,
                        .best = -INFINITY};

  g.row.pid = getpid();
  g.row.status = (char *)(uintptr_t) "running";
  return g;
}

/* The result of a run that is in the database already. */
static mho_err present(mho_store *s, const char *run_id, mho_train_result *result,
                       mho_errinfo *ei) {
  mho_run_row row;
  mho_err err = mho_store_run_get(s, run_id, &row, ei);
  if (err)
    return err;

  take_result(&row, row.status, result);
  result->present = true;
  mho_run_row_free(&row);
  return MHO_OK;
}

/* Put the run into the database, unless a run of a study is there already: `there` is that one,
 * else "". */
static mho_err begin(mho_training_run *g, char there[MHO_ID_MAX], mho_errinfo *ei) {
  const mho_train_options *o = g->o;
  *there = 0;
  if (!o->store)
    return MHO_OK;
  if (o->study)
    return mho_store_run_claim(o->store, &g->row, o->study, o->again, there, ei);
  return mho_store_run_begin(o->store, &g->row, ei);
}

/* Train a trainer at its initial weights, as a new run. */
static mho_err train_new(const mho_context *ctx, mho_trainer *t, const mho_train_options *o,
                         mho_train_result *result, mho_errinfo *ei) {
  mho_run_texts texts;
  mho_run_row row;
  char there[MHO_ID_MAX];
  mho_err err = mho__run_record(t, o->code_version, NULL, &texts, &row, ei);
  if (err)
    return err;

  mho_training_run g = mho__training_run_of(ctx, o, t, &row);
  utc(g.started, sizeof g.started);
  g.row.started = g.started;
  g.row.name = (char *)(uintptr_t)o->name;

  err = begin(&g, there, ei);
  if (!err && *there)
    err = present(o->store, there, result, ei);
  else if (!err)
    err = mho__training_run_to_end(&g, result, ei);

  mho__run_texts_free(&texts);
  return err;
}

mho_err mho_train(const mho_context *ctx, const mho_experiment *e, const mho_train_options *o,
                  mho_train_result *result, mho_errinfo *ei) {
  mho_trainer *t = NULL;
  *result = (mho_train_result){.status = "failed"};

  mho_err err = mho_trainer_new(ctx, e, &t, ei);
  if (!err)
    err = mho_trainer_from(t, o->store, ei);
  if (!err)
    err = train_new(ctx, t, o, result, ei);

  mho_trainer_free(t);
  return err;
}
