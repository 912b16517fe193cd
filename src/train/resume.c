/* resume.c - a stored run that goes on from its last checkpoint.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mho/model/num.h"
#include "train/training_run.h"

/* ---------------------------------------------------------------- processes */

/* What this process is called. */
static bool own_name(char name[64]) {
  FILE *f = fopen("/proc/self/comm", "r");
  if (!f)
    return false;
  bool got = fscanf(f, "%63[^\n]", name) == 1;
  fclose(f);
  return got;
}

/* Whether a process has the shared library, as a program of somebody's that trains. */
static bool has_library(pid_t pid) {
  char path[64], line[512];
  bool found = false;
  snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
  FILE *f = fopen(path, "r");
  while (f && !found && fgets(line, sizeof line, f))
    found = strstr(line, "/libmho.so") != NULL;
  if (f)
    fclose(f);
  return found;
}

/* Whether a process is there and does something: one that has ended and that nobody waits for is
 * not. What another program does under the number of one that died is not a training either. */
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
  return !own_name(own) || !strcmp(name, own) || !strcmp(name, "mho") || has_library(pid);
}

/* A run says "running" after a crash too; only a live process of this host really is. */
static bool still_running(const mho_run_row *row, const char *host) {
  if (row->pid <= 0 || row->pid == getpid() || strcmp(row->status, "running"))
    return false;
  return !strcmp(row->host, host) && is_alive((pid_t)row->pid);
}

/* ---------------------------------------------------------------- what may go on */

static mho_err check(const mho_run_row *row, const char *run_id, const char *host,
                     mho_errinfo *ei) {
  if (!strcmp(row->status, "completed"))
    return mho_fail(ei, MHO_EINVAL, "run %s is complete (%d epochs): there is nothing to resume",
                    run_id, row->epochs_done);
  if (still_running(row, host))
    return mho_fail(ei, MHO_EINVAL, "run %s is being trained by process %lld: stop that one first",
                    run_id, (long long)row->pid);
  return MHO_OK;
}

/* What will not be as it was without the interruption. */
static void warn(const mho_context *ctx, const mho_run_row *row, const char *run_id) {
  if (row->defaults_version < MHO_DEFAULTS_VERSION && isfinite(row->energy_j))
    mho_log(ctx, MHO_LOG_WARNING,
            "run %s was begun by an earlier mho, which counted energy otherwise (docs/energy.md): "
            "its sum will add both kinds",
            run_id);

  if (strcmp(row->blas, mho_blas_kernel()))
    mho_log(ctx, MHO_LOG_WARNING,
            "run %s was trained with the %s kernels, this machine runs %s: results will agree to "
            "rounding, not bit for bit",
            run_id, row->blas, mho_blas_kernel());
}

/* ---------------------------------------------------------------- going on */

/* Load the last checkpoint (none: killed before the first one, so from the start) and bring the
 * database back to it: epochs logged since are trained again. */
static mho_err restore(mho_trainer *t, mho_store *s, const mho_run_row *row, const char *run_id,
                       mho_errinfo *ei) {
  mho_checkpoint_row c = {0};
  mho_err err = mho_store_checkpoint_get(s, run_id, "last", &c, ei);
  if (!err)
    err = mho_trainer_load(t, &c.blob, ei);
  if (!err && t->at.epoch > row->epochs_done)
    err = mho_fail(ei, MHO_EDATA,
                   "the last checkpoint of run %s stands after epoch %d, the run after epoch %d: "
                   "one of them is damaged",
                   run_id, t->at.epoch, row->epochs_done);

  bool is_untrained = err == MHO_ENOTFOUND || (!err && t->at.update == 0);
  if (is_untrained) /* no checkpoint has what was to be written of weights that are brought */
    err = mho_trainer_from(t, s, ei);
  mho_blob_free(&c.blob);
  return err ? err : mho_store_rewind(s, run_id, t->at.epoch, ei);
}

static bool take_score(void *user, int n, const char *const *names, const mho_cell *cells) {
  if (cells && cells[0].type == MHO_CELL_REAL)
    *(double *)user = cells[0].d;
  return true;
}

/* Go on with a restored trainer. */
static mho_err go_on(const mho_context *ctx, mho_trainer *t, const mho_train_options *o,
                     const char *run_id, mho_train_result *result, mho_errinfo *ei) {
  mho_run_row row;
  mho_err err = mho_store_run_get(o->store, run_id, &row, ei);
  if (err)
    return err;

  mho_training_run g = mho__training_run_of(ctx, o, t, &row);
  g.row.ended = g.row.error = NULL;
  err = mho_store_query(o->store,
                        "SELECT max(coalesce(val_acc, test_acc, -val_loss, -test_loss)) FROM epoch "
                        "WHERE run_id = ?1",
                        1, &run_id, 0, take_score, &g.best, ei);
  if (!err)
    err = mho__training_run_to_end(&g, result, ei);

  mho_run_row_free(&row);
  return err;
}

/* A trainer of the run's experiment, on the same data. */
static mho_err make_trainer(const mho_context *ctx, const mho_experiment *e, const mho_run_row *row,
                            const char *run_id, mho_trainer **out, mho_errinfo *ei) {
  mho_err err = mho_trainer_new(ctx, e, out, ei);
  if (!err && strcmp(row->data_checksum, (*out)->data.checksum))
    err =
        mho_fail(ei, MHO_EDATA,
                 "the dataset is not the one run %s was trained on (its checksum differs)", run_id);
  return err;
}

mho_err mho_train_resume(const mho_context *ctx, const mho_registry *r, const char *run_id,
                         const mho_train_options *o, mho_train_result *result, mho_errinfo *ei) {
  mho_run_row row;
  mho_experiment *e = NULL;
  mho_trainer *t = NULL;
  char host[64] = "";
  *result = (mho_train_result){.status = "failed"};
  gethostname(host, sizeof host - 1);

  mho_err err = mho_store_run_get(o->store, run_id, &row, ei);
  if (err)
    return err;

  err = check(&row, run_id, host, ei);
  if (!err) {
    warn(ctx, &row, run_id);
    err = mho_train_stored_experiment(o->store, r, run_id, 0, NULL, &e, ei);
  }
  if (!err)
    err = make_trainer(ctx, e, &row, run_id, &t, ei);
  if (!err) /* the process that trains it, for whoever else would resume it */
    err = mho_store_run_take(o->store, &row, getpid(), host, ei);
  if (!err)
    err = restore(t, o->store, &row, run_id, ei);
  if (!err)
    err = go_on(ctx, t, o, run_id, result, ei);

  mho_trainer_free(t);
  mho_experiment_free(e);
  mho_run_row_free(&row);
  return err;
}
