/* run.c - a training as a run of the database: begin, log every epoch, checkpoint, resume, end.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mho/num.h"
#include "train/trainer.h"
#include "train/writer.h"

/* A run under way. */
typedef struct logger {
  const mho_context *ctx;
  const mho_train_options *o;
  mho_trainer *t;
  writer *writer;  /* of the epochs; NULL without a store, and when it cannot be had */
  mho_run_row row; /* what is written; its texts are not owned */
  char started[32], ended[32], host[64];
  bool by_validation; /* best by validation instead of test accuracy */
  double best;        /* the accuracy that best_epoch is best by */
} logger;

static void utc(char *buf, size_t n) {
  time_t now = time(NULL);
  struct tm tm;
  gmtime_r(&now, &tm);
  strftime(buf, n, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static mho_err write_update(logger *g, mho_store_update *u, mho_errinfo *ei) {
  u->run = &g->row;
  return g->o->store ? mho_store_write(g->o->store, g->row.id, u, ei) : MHO_OK;
}

mho_layer_row *mho_trainer_layers(const mho_trainer *t) {
  mho_layer_row *rows = mho_alloc((size_t)t->net->n_trained, sizeof *rows);
  for (int c = 0; rows && c < t->net->n_trained; c++) {
    const mho_connection *k = &t->net->connection[c];
    mho_crossbar_stats s = mho_crossbar_statistics(k->xb);
    rows[c] = (mho_layer_row){.layer = c,
                              .name = k->name,
                              .rows = k->xb->rows,
                              .cols = k->xb->cols,
                              .w_mean = s.w_mean,
                              .w_std = s.w_std,
                              .w_absmax = s.w_absmax,
                              .g_mean = s.g_mean,
                              .g_std = s.g_std,
                              .saturated = s.saturated,
                              .stuck = s.stuck,
                              .pulses = t->connection_pulses[c],
                              .cosine = NAN,
                              .w_range = mho_crossbar_w_max(k->xb),
                              .w_error = NAN,
                              .clipped = NAN};
    for (int b = 0; k->xb->pos && b < MHO_G_BINS; b++)
      mho_text_append(rows[c].g_hist, sizeof rows[c].g_hist, "%c%lld", b ? ',' : '[',
                      (long long)s.g_hist[b]);
    if (k->xb->pos)
      mho_text_append(rows[c].g_hist, sizeof rows[c].g_hist, "]");
  }
  return rows;
}

/* Settling times and energies of the first test images, where there is physical time. u->samples: to be freed. */
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

/* The rows of the free phase and of the connections; cosines go from an array into the latter. */
static mho_err observe(logger *g, mho_store_update *u, mho_settle_row *settle,
                       mho_layer_row *layers, mho_errinfo *ei) {
  mho_trainer *t = g->t;
  double start = mho_seconds(), *cosine = mho_alloc((size_t)t->net->n_trained, sizeof *cosine);
  mho_err err =
      layers && cosine ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for layer statistics");
  if (!err)
    err = mho_trainer_observe(t, settle, cosine, ei);
  if (!err && t->e->observe.settling && mho_trainer_in_time(t))
    err = observe_circuit(t, u, settle, ei);
  for (int c = 0; c < t->net->n_trained && !err && t->e->observe.cosine; c++)
    layers[c].cosine = cosine[c];
  mho_free(cosine);
  g->row.wall_s += mho_seconds() - start;
  return err;
}

/* What the epoch would have taken on hardware; the sum goes into its row. */
static mho_err count_energy(logger *g, mho_epoch_row *epoch, mho_energy_row *rows,
                            mho_errinfo *ei) {
  if (!mho_energy_counts(g->t->e))
    return MHO_OK;
  mho_err err = mho_trainer_energy(g->t, rows, ei);
  epoch->energy_j = 0;
  for (int i = 0; i < MHO_ENERGY_TERMS && !err; i++)
    epoch->energy_j += rows[i].joule;
  return err;
}

/* Log a finished epoch, with a checkpoint where one is due. */
static mho_err log_epoch(logger *g, mho_epoch_row *epoch, mho_errinfo *ei) {
  mho_trainer *t = g->t;
  double score = g->by_validation ? epoch->val_acc : epoch->test_acc;
  bool best = !(score <= g->best), last = t->epoch == t->e->train.epochs;
  if (best) {
    g->best = score;
    g->row.best_test_acc = epoch->test_acc;
    g->row.best_epoch = epoch->epoch;
  }
  g->row.epochs_done = epoch->epoch;
  g->row.final_test_acc = epoch->test_acc;
  g->row.val_acc = epoch->val_acc;
  g->row.train_acc = epoch->train_acc;
  g->row.wall_s += epoch->wall_s + epoch->eval_s;
  g->row.pulses += epoch->pulses;
  mho_energy_row energies[MHO_ENERGY_TERMS];
  mho_err err = count_energy(g, epoch, energies, ei);
  if (isfinite(epoch->energy_j))
    g->row.energy_j = epoch->energy_j + (isfinite(g->row.energy_j) ? g->row.energy_j : 0);
  if (err || !g->o->store)
    return err;
  mho_checkpoint_row checkpoint = {0};
  mho_settle_row settle = {.epoch = epoch->epoch,
                           .phase = "free",
                           .steps_mean = epoch->settle_steps,
                           .steps_max = NAN,
                           .residual_max = NAN,
                           .time_s = NAN,
                           .energy_j = NAN,
                           .spectral_radius = NAN,
                           .lyapunov = NAN,
                           .unsettled = epoch->unsettled};
  mho_layer_row *layers = mho_trainer_layers(t);
  mho_store_update u = {.epoch = epoch,
                        .layers = layers,
                        .n_layers = t->net->n_trained,
                        .layers_epoch = epoch->epoch,
                        .settles = &settle,
                        .n_settles = 1,
                        .energies = isfinite(epoch->energy_j) ? energies : NULL,
                        .n_energies = MHO_ENERGY_TERMS,
                        .last_is_best = best};
  err = observe(g, &u, &settle, layers, ei);
  /* the best epoch is kept too, so it is due whenever it comes */
  int64_t every = t->e->checkpoint.every;
  if (!err && every && (best || last || t->epoch % every == 0)) {
    err = mho_trainer_save(t, &checkpoint, ei);
    u.last = &checkpoint;
  }
  u.run = &g->row;
  if (!err && g->writer)
    err = writer_put(g->writer, &u, &checkpoint.blob, ei);
  else if (!err)
    err = write_update(g, &u, ei);
  mho_free(layers);
  mho_free((mho_settle_sample *)(uintptr_t)u.samples);
  mho_blob_free(&checkpoint.blob);
  return err;
}

/* Store how a run ended; a mid-epoch checkpoint when it can be resumed from there. */
static mho_err log_end(logger *g, const char *status, const char *error, bool checkpoint,
                       mho_errinfo *ei) {
  mho_checkpoint_row saved = {0};
  mho_store_update u = {0};
  utc(g->ended, sizeof g->ended);
  g->row.ended = g->ended;
  g->row.status = (char *)(uintptr_t)status;
  g->row.error = (char *)(uintptr_t)error;
  mho_err err = MHO_OK;
  if (checkpoint && g->o->store && g->t->e->checkpoint.every &&
      !(err = mho_trainer_save(g->t, &saved, ei)))
    u.last = &saved;
  if (!err)
    err = write_update(g, &u, ei);
  mho_blob_free(&saved.blob);
  return err;
}

static mho_err one_epoch(logger *g, mho_epoch_row *row, mho_errinfo *ei) {
  mho_trainer *t = g->t;
  mho_evaluation v;
  mho_err err = mho_trainer_epoch(t, row, ei);
  if (!err && t->data.validation.n &&
      !(err = mho_trainer_evaluate(t, &t->data.validation, &v, ei))) {
    row->val_acc = v.accuracy;
    row->eval_s += v.seconds;
  }
  if (!err && !(err = mho_trainer_evaluate(t, &t->data.test, &v, ei))) {
    row->test_acc = v.accuracy;
    row->eval_s += v.seconds;
  }
  return err;
}

static void take_result(const mho_run_row *row, const char *status, mho_train_result *result) {
  *result = (mho_train_result){.epochs = row->epochs_done,
                               .best_epoch = row->best_epoch,
                               .final_test_acc = row->final_test_acc,
                               .best_test_acc = row->best_test_acc,
                               .train_acc = row->train_acc,
                               .val_acc = row->val_acc,
                               .wall_s = row->wall_s};
  snprintf(result->run, sizeof result->run, "%s", row->id);
  snprintf(result->status, sizeof result->status, "%s", status);
}

/* Train from where the trainer stands to the last epoch, and store how it ended. */
static mho_err run_to_end(logger *g, mho_train_result *result, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  mho_errinfo why = {0};
  bool stopped = false;
  const char *status = "completed";
  if (g->o->store)
    err = writer_new(g->o->store, &g->writer, &why);
  while (!err && g->t->epoch < g->t->e->train.epochs) {
    mho_epoch_row row = {0};
    err = mho_stopped(g->ctx)
              ? mho_fail(&why, MHO_EINTERRUPTED, "interrupted after epoch %d", g->t->epoch)
              : one_epoch(g, &row, &why);
    if (!err)
      err = log_epoch(g, &row, &why);
    if (!err && g->o->epoch)
      g->o->epoch(g->o->user, g->row.id, &row);
    if (!err && g->o->stop && g->t->epoch < g->t->e->train.epochs &&
        g->o->stop(g->o->user, g->row.id, &row, why.message, sizeof why.message)) {
      stopped = true;
      err = MHO_EINTERRUPTED;
    }
  }
  if (g->writer) { /* the rest is for this thread again */
    mho_errinfo late = {0};
    mho_err written = writer_drain(g->writer, &late);
    writer_free(g->writer);
    g->writer = NULL;
    if (written) {
      err = written;
      why = late;
    }
  }
  if (err)
    status = err == MHO_EINTERRUPTED ? "interrupted" : err == MHO_EDIVERGED ? "diverged" : "failed";
  mho_err ended =
      err == MHO_ESTORE
          ? MHO_OK /* the database is what failed: nothing more can be written there */
          : log_end(g, status, stopped || (err && err != MHO_EINTERRUPTED) ? why.message : NULL,
                    err == MHO_EINTERRUPTED, err ? NULL : &why);
  take_result(&g->row, status, result);
  if ((err || ended) && ei)
    *ei = why;
  return err ? err : ended;
}

static void logger_init(logger *g, const mho_context *ctx, const mho_train_options *o,
                        mho_trainer *t) {
  *g = (logger){.ctx = ctx, .o = o, .t = t, .best = -1, .by_validation = t->data.validation.n > 0};
  g->row.final_test_acc = g->row.best_test_acc = g->row.train_acc = g->row.val_acc =
      g->row.energy_j = NAN;
  g->row.pid = getpid();
  g->row.status = (char *)(uintptr_t) "running";
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

mho_err mho_train(const mho_context *ctx, const mho_experiment *e, const mho_train_options *o,
                  mho_train_result *result, mho_errinfo *ei) {
  *result = (mho_train_result){.status = "failed"};
  mho_trainer *t;
  mho_err err = mho_trainer_new(ctx, e, &t, ei);
  if (err)
    return err;
  if ((err = mho_trainer_from(t, o->store, ei))) {
    mho_trainer_free(t);
    return err;
  }
  logger g;
  logger_init(&g, ctx, o, t);
  char hash[65], there[MHO_ID_MAX] = "", *json = mho_experiment_json(e);
  mho_experiment_hash(e, t->data.checksum, hash);
  mho_store_new_id(g.row.id);
  utc(g.started, sizeof g.started);
  gethostname(g.host, sizeof g.host - 1);
  g.row.name = (char *)(uintptr_t)o->name;
  g.row.config = json;
  g.row.config_hash = hash;
  g.row.defaults_version = MHO_DEFAULTS_VERSION;
  g.row.seed = e->train.seed;
  g.row.data_checksum = t->data.checksum;
  g.row.code_version = (char *)(uintptr_t)(o->code_version ? o->code_version : MHO_VERSION);
  g.row.blas = (char *)(uintptr_t)mho_blas_kernel();
  g.row.host = g.host;
  g.row.started = g.started;
  if (!json)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the config");
  if (!err && o->store && o->study)
    err = mho_store_run_claim(o->store, &g.row, o->study, o->again, there, ei);
  else if (!err && o->store)
    err = mho_store_run_begin(o->store, &g.row, ei);
  if (!err && *there)
    err = present(o->store, there, result, ei);
  else if (!err)
    err = run_to_end(&g, result, ei);
  free(json);
  mho_trainer_free(t);
  return err;
}

/* Whether a process is there and does something: one that has ended and that nobody waits for is not. What
 * another program does under the number of one that died is not a training either. */
static bool is_alive(pid_t pid) {
  char path[64], line[256] = "", own[64] = "", name[64] = "";
  if (kill(pid, 0) && errno != EPERM)
    return false;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *f = fopen(path, "r");
  if (!f) /* no /proc to look at */
    return true;
  bool got = fgets(line, sizeof line, f) != NULL;
  fclose(f);
  const char *end = got ? strrchr(line, ')') : NULL;
  if (!end || end[1] != ' ' || end[2] == 'Z' || end[2] == 'X')
    return false;
  sscanf(line, "%*d (%63[^)])", name);
  f = fopen("/proc/self/comm", "r");
  got = f && fscanf(f, "%63[^\n]", own) == 1;
  if (f)
    fclose(f);
  return !got || !strcmp(name, own) || !strcmp(name, "mho");
}

/* A run says "running" after a crash too; only a live process of this host really is. */
static bool still_running(const mho_run_row *row, const char *host) {
  return row->pid > 0 && row->pid != getpid() && !strcmp(row->status, "running") &&
         !strcmp(row->host, host) && is_alive((pid_t)row->pid);
}

/* Load the last checkpoint (none: killed before the first one, so from the start) and bring the database back
 * to it: epochs logged since are trained again. */
static mho_err restore(mho_trainer *t, mho_store *s, const char *run_id, mho_errinfo *ei) {
  mho_checkpoint_row c = {0};
  mho_err err = mho_store_checkpoint_get(s, run_id, "last", &c, ei);
  if (!err)
    err = mho_trainer_load(t, &c.blob, ei);
  bool nothing_yet = err == MHO_ENOTFOUND || (!err && t->update == 0);
  if (nothing_yet) /* what the weights that are brought were, no checkpoint has */
    err = mho_trainer_from(t, s, ei);
  mho_blob_free(&c.blob);
  return err ? err : mho_store_rewind(s, run_id, t->epoch, ei);
}

static bool take_score(void *user, int n, const char *const *names, const mho_cell *cells) {
  if (cells && cells[0].type == MHO_CELL_REAL)
    *(double *)user = cells[0].d;
  return true;
}

/* Go on with a restored trainer. */
static mho_err continue_run(const mho_context *ctx, mho_trainer *t, const mho_train_options *o,
                            const char *run_id, mho_train_result *result, mho_errinfo *ei) {
  mho_run_row row;
  mho_err err = mho_store_run_get(o->store, run_id, &row, ei);
  if (err)
    return err;
  logger g;
  logger_init(&g, ctx, o, t);
  char *status = g.row.status;
  int64_t pid = g.row.pid;
  g.row = row;
  g.row.status = status;
  g.row.pid = pid;
  g.row.ended = g.row.error = NULL;
  err = mho_store_query(o->store,
                        "SELECT max(coalesce(val_acc, test_acc)) FROM epoch WHERE run_id = ?1", 1,
                        &run_id, 0, take_score, &g.best, ei);
  if (!err)
    err = run_to_end(&g, result, ei);
  mho_run_row_free(&row);
  return err;
}

mho_err mho_train_resume(const mho_context *ctx, const mho_registry *r, const char *run_id,
                         const mho_train_options *o, mho_train_result *result, mho_errinfo *ei) {
  *result = (mho_train_result){.status = "failed"};
  mho_run_row row;
  mho_experiment *e = NULL;
  mho_trainer *t = NULL;
  char host[64] = "";
  gethostname(host, sizeof host - 1);
  mho_err err = mho_store_run_get(o->store, run_id, &row, ei);
  if (err)
    return err;
  if (!strcmp(row.status, "completed"))
    err = mho_fail(ei, MHO_EINVAL, "run %s is complete (%d epochs): there is nothing to resume",
                   run_id, row.epochs_done);
  else if (still_running(&row, host))
    err = mho_fail(ei, MHO_EINVAL, "run %s is being trained by process %lld: stop that one first",
                   run_id, (long long)row.pid);
  if (!err && row.defaults_version < MHO_DEFAULTS_VERSION && isfinite(row.energy_j))
    mho_log(
        ctx, MHO_LOG_WARNING,
        "run %s was begun by an earlier mho, which counted energy otherwise (docs/energy.md): its sum "
        "will add both kinds",
        run_id);
  if (!err && strcmp(row.blas, mho_blas_kernel()))
    mho_log(
        ctx, MHO_LOG_WARNING,
        "run %s was trained with the %s kernels, this machine runs %s: results will agree to rounding, "
        "not bit for "
        "bit",
        run_id, row.blas, mho_blas_kernel());
  if (!err)
    err = mho_train_stored_experiment(o->store, r, run_id, 0, NULL, &e, ei);
  if (!err)
    err = mho_trainer_new(ctx, e, &t, ei);
  if (!err && strcmp(row.data_checksum, t->data.checksum))
    err =
        mho_fail(ei, MHO_EDATA,
                 "the dataset is not the one run %s was trained on (its checksum differs)", run_id);
  if (!err) /* the process that trains it, for whoever else would resume it */
    err = mho_store_run_take(o->store, &row, getpid(), host, ei);
  if (!err)
    err = restore(t, o->store, run_id, ei);
  if (!err)
    err = continue_run(ctx, t, o, run_id, result, ei);
  mho_trainer_free(t);
  mho_experiment_free(e);
  mho_run_row_free(&row);
  return err;
}
