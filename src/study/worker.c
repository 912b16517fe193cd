/* worker.c - one run of a study, in a process of its own.
 *
 * The process is made by fork, without exec, so that models which a program added to its registry
 * are there, too. It is killed when its parent dies (PR_SET_PDEATHSIG), however that happens; what
 * it had stored is whole.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "mho/model/check.h"
#include "study/study_impl.h"

typedef struct worker {
  const study_job *job;
  int pipe;
  bool by_validation, stopped;
} worker;

/* Of this process, which has nothing else to do; a handler cannot have it anywhere else. */
static volatile sig_atomic_t interrupted;

static void on_signal(int sig) {
  interrupted = 1;
}

/* ---------------------------------------------------------------- messages */

static void send_message(const worker *w, const study_message *m) {
  while (write(w->pipe, m, sizeof *m) < 0 && errno == EINTR)
    ;
}

static void send_epoch(void *user, const char *run, const mho_epoch_row *row) {
  study_message m = {.kind = STUDY_EPOCH, .epoch = *row};
  snprintf(m.result.run, sizeof m.result.run, "%s", run);
  send_message(user, &m);
}

static void send_log(void *user, mho_log_level level, const char *message) {
  study_message m = {.kind = STUDY_LOG, .level = level};
  snprintf(m.ei.message, sizeof m.ei.message, "%s", message);
  send_message(user, &m);
}

/* ---------------------------------------------------------------- the median rule */

/* Golovin et al., "Google Vizier", KDD 2017, 3.2.2, in short: a run that is worse than the median
 * of the others after as many epochs will hardly win. Compared is what may choose: accuracy, or the
 * negative loss where targets are values, on validation samples, or else in training; never the
 * test set. */
enum { MORE_ACCURACIES = 256 };

typedef struct accuracies {
  int n, capacity;
  double *v;
} accuracies;

static bool take_accuracy(void *user, int n, const char *const *names, const mho_cell *c) {
  accuracies *a = user;
  if (!c || c[0].type != MHO_CELL_REAL)
    return true;

  if (a->n == a->capacity) {
    double *grown = realloc(a->v, (size_t)(a->capacity + MORE_ACCURACIES) * sizeof *grown);
    if (!grown)
      return false;
    a->v = grown;
    a->capacity += MORE_ACCURACIES;
  }

  a->v[a->n++] = c[0].d;
  return true;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(accuracies *a) {
  int half = a->n / 2;
  qsort(a->v, (size_t)a->n, sizeof *a->v, by_value);
  return a->n % 2 ? a->v[half] : (a->v[half - 1] + a->v[half]) / 2;
}

#define ACCURACIES_OF(column)                                                                      \
  "SELECT " column " FROM study_run JOIN epoch USING (run_id) "                                    \
  "WHERE study = ?1 AND epoch = CAST(?2 AS INTEGER) AND run_id <> ?3"

/* What the study's other runs had after an epoch. */
static void read_others(const worker *w, const char *run, int epoch, accuracies *out) {
  mho_store *store;
  char text[16];

  snprintf(text, sizeof text, "%d", epoch);
  const char *args[] = {w->job->s->name, text, run};
  const char *sql = ACCURACIES_OF("coalesce(train_acc, -loss)");
  if (w->by_validation)
    sql = ACCURACIES_OF("coalesce(val_acc, -val_loss)");

  if (mho_store_open(w->job->o->db, MHO_STORE_READ, &store, NULL))
    return; /* whatever is wrong, the training itself will say */

  mho_store_query(store, sql, 3, args, 0, take_accuracy, out, NULL);
  mho_store_close(store);
}

static bool is_hopeless(void *user, const char *run, const mho_epoch_row *row, char *why,
                        size_t capacity) {
  worker *w = user;
  const study_stop *stop = &w->job->s->stop;
  bool has_values = isnan(row->train_acc);
  double own = w->by_validation ? row->val_acc : row->train_acc;
  if (has_values)
    own = -(w->by_validation ? row->val_loss : row->loss);
  if (row->epoch < stop->after)
    return false;

  accuracies others = {0};
  read_others(w, run, row->epoch, &others);
  double middle = others.n >= stop->runs ? median(&others) : (double)NAN;
  free(others.v);

  w->stopped = own < middle - stop->margin;
  if (w->stopped)
    snprintf(why, capacity,
             "stopped early: after epoch %d its %s %s %.4f is %s the median %.4f of %d other runs "
             "of the study",
             row->epoch, w->by_validation ? "validation" : "training",
             has_values ? "loss" : "accuracy", fabs(own), has_values ? "above" : "below",
             fabs(middle), others.n);
  return w->stopped;
}

/* ---------------------------------------------------------------- the run */

/* What the database has of a run that this process does not train. */
static mho_err report_present(mho_store *store, const char *id, mho_train_result *result,
                              mho_errinfo *ei) {
  mho_run_row row;
  mho_err err = mho_store_run_get(store, id, &row, ei);
  if (err)
    return err;

  *result = (mho_train_result){.present = true,
                               .epochs = row.epochs_done,
                               .final_test_acc = row.final_test_acc,
                               .train_acc = row.train_acc,
                               .val_acc = row.val_acc,
                               .final_test_loss = row.final_test_loss,
                               .final_test_rms = row.final_test_rms,
                               .wall_s = row.wall_s};
  snprintf(result->run, sizeof result->run, "%s", row.id);
  snprintf(result->status, sizeof result->status, "%s", row.status);
  mho_run_row_free(&row);
  return MHO_OK;
}

/* The experiment of the run that is gone on with, or of a new one. */
static mho_err make_experiment(const study_job *job, mho_store *store, mho_experiment **out,
                               mho_errinfo *ei) {
  if (job->resume)
    return mho_train_stored_experiment(store, job->r, job->resume, 0, NULL, out, ei);
  return mho_experiment_new(job->r, job->config, false, out, ei);
}

static mho_err train(worker *w, const mho_context *ctx, study_message *end, mho_errinfo *ei) {
  const study_job *job = w->job;
  mho_store *store = NULL;
  mho_experiment *e = NULL;
  mho_err err = mho_store_open(job->o->db, MHO_STORE_WRITE, &store, ei);
  if (!err)
    err = make_experiment(job, store, &e, ei);

  if (!err) {
    mho_train_options t = {.name = job->name,
                           .code_version = job->o->code_version,
                           .epoch = send_epoch,
                           .stop = job->s->stop.median ? is_hopeless : NULL,
                           .user = w,
                           .study = job->s->name,
                           .again = job->o->again,
                           .store = store};
    w->by_validation = e->dataset_config.validation > 0;
    if (job->resume)
      err = mho_train_resume(ctx, job->r, job->resume, &t, &end->result, ei);
    else
      err = mho_train(ctx, e, &t, &end->result, ei);
  }

  if (err == MHO_EINVAL && job->resume) /* another process has it, or has ended it meanwhile */
    err = report_present(store, job->resume, &end->result, ei);
  mho_experiment_free(e);
  mho_store_close(store);
  return err;
}

void mho__study_worker(const study_job *job, int parent, int pipe) {
  worker w = {.job = job, .pipe = pipe};
  struct sigaction act = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};

  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) /* it died before it could be asked for */
    _exit(1);

  setpgid(0, 0); /* Ctrl-C goes to the parent, who says it to each worker once */
  sigaction(SIGINT, &act, NULL);
  sigaction(SIGTERM, &act, NULL);
  sigaction(SIGPIPE, &ignore, NULL);

  study_message end = {.kind = STUDY_END};
  mho_context ctx = {.log = send_log, .stop = &interrupted, .user = &w};
  end.err = mho_pool_new(mho_max(job->o->threads, 1), &ctx.pool, &end.ei);
  if (!end.err)
    end.err = train(&w, &ctx, &end, &end.ei);
  end.stopped = w.stopped;
  send_message(&w, &end);
  mho_pool_free(ctx.pool);
  _exit(end.err != MHO_OK);
}
