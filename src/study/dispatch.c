/* dispatch.c - the runs of a study, handed to worker processes.
 *
 * Between two forks the database is opened only for a moment: SQLite's locks do not survive a fork. What has
 * been done is known from the database alone, so nothing is lost with this process.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "study/study_impl.h"

_Static_assert(sizeof(study_message) < 4096, "a message must fit into a pipe in one piece");

enum { TICK_MS = 200, ELSEWHERE_S = 1 };

typedef struct slot { /* a worker under way */
  pid_t pid;          /* 0: free */
  int pipe, index;
  double since;
  bool ended; /* its last message has come */
  study_message last;
} slot;

typedef struct sweep {
  const mho_context *ctx;
  const mho_study *s;
  const mho_registry *r;
  const mho_study_options *o;
  mho_plan plan;
  double *samples;
  bool *waiting;      /* [plan.n] to be trained by this sweep */
  double *not_before; /* [plan.n] trained by another process: look again then */
  double *expected;   /* [points] s, by the runs of this sweep; 0: none yet */
  slot *slot;
  int jobs, mine, ended, failed;
  double start;
  bool told_to_stop;
  mho_study_result *result;
} sweep;

/* ---------------------------------------------------------------- the database, for a moment */

static mho_err adopt(sweep *w, mho_errinfo *ei) {
  mho_store *store;
  if (access(w->o->db, F_OK)) { /* a study with a mistake in it must not make a database */
    mho_plan first;
    mho_err bad = mho_study_plan(w->s, w->r, NULL, &first, ei);
    if (bad)
      return bad;
    mho_plan_free(&first);
  }
  char *json = mho_study_json(w->s);
  mho_err err = json ? mho_store_open(w->o->db, MHO_STORE_WRITE, &store, ei)
                     : mho_fail(ei, MHO_ENOMEM, "no memory for the study");
  if (err) {
    free(json);
    return err;
  }
  err = mho_store_study(store, w->s->name, json, ei);
  if (!err)
    err = mho_study_plan(w->s, w->r, store, &w->plan, ei);
  for (int i = 0; i < w->plan.n && !err; i++)
    if (*w->plan.run[i].id)
      err = mho_store_study_add(store, w->s->name, w->plan.run[i].id, ei);
  mho_store_close(store);
  free(json);
  return err;
}

static void name_of(const sweep *w, const mho_plan_run *run, size_t capacity, char *name) {
  snprintf(name, capacity, "%s %s s%lld", w->s->name, run->label, (long long)run->seed);
}

/* A run whose process died or never got to begin it: say so where it will be looked for. One that never began is
 * recorded as its process would have done, so that it can be resumed. */
static mho_err record_failure(sweep *w, mho_plan_run *run, const char *why, mho_errinfo *ei) {
  mho_store *store;
  mho_err err = mho_store_open(w->o->db, MHO_STORE_WRITE, &store, ei);
  if (err)
    return err;
  mho_run_row row = {0};
  mho_config *c = NULL;
  mho_experiment *e = NULL;
  char *json = NULL, host[64] = "";
  char failed[] = "failed", name[sizeof((study_job *)0)->name];
  if (*run->id) {
    err = mho_store_run_get(store, run->id, &row, ei);
  } else {
    err = study_point_config(w->s, w->samples, run->point, w->s->n_seeds ? run->seed : -1, &c, NULL,
                             0, ei);
    if (!err)
      err = mho_experiment_new(w->r, c, false, &e, ei);
    if (!err && !(json = mho_experiment_json(e)))
      err = mho_fail(ei, MHO_ENOMEM, "no memory for a config");
    name_of(w, run, sizeof name, name);
    gethostname(host, sizeof host - 1);
    mho_store_new_id(row.id);
    row.name = name;
    row.config = json;
    row.config_hash = run->hash;
    row.defaults_version = MHO_DEFAULTS_VERSION;
    row.seed = run->seed;
    row.data_checksum = run->data_checksum;
    row.code_version = (char *)(uintptr_t)(w->o->code_version ? w->o->code_version : MHO_VERSION);
    row.blas = (char *)(uintptr_t)mho_blas_kernel();
    row.host = host;
    row.final_test_acc = row.best_test_acc = row.train_acc = row.val_acc = row.energy_j = NAN;
    char there[MHO_ID_MAX];
    if (!err)
      err = mho_store_run_claim(store, &row, w->s->name, w->o->again, there, ei);
    if (!err)
      snprintf(run->id, sizeof run->id, "%s", *there ? there : row.id);
  }
  if (!err) {
    mho_run_row update = row;
    update.status = failed;
    update.error = (char *)(uintptr_t)why;
    update.ended = NULL;
    err = mho_store_write(store, run->id, &(mho_store_update){.run = &update}, ei);
  }
  if (!e)
    mho_run_row_free(&row);
  mho_experiment_free(e);
  mho_config_free(c);
  free(json);
  mho_store_close(store);
  return err;
}

/* ---------------------------------------------------------------- events */

static double predicted(const sweep *w, int i) {
  const mho_plan_run *r = &w->plan.run[i];
  return w->expected[r->point] > 0 ? w->expected[r->point] : r->predicted_s;
}

/* Seconds until all is done, by what is known of each run's time, or of their mean. */
static double time_left(const sweep *w) {
  double sum = 0, known = 0, mean;
  int n_known = 0, unknown = 0;
  for (int i = 0; i < w->plan.n; i++) {
    double p = predicted(w, i);
    if (isfinite(p)) {
      known += p;
      n_known++;
    }
    if (w->waiting[i] && isfinite(p))
      sum += p;
    else if (w->waiting[i])
      unknown++;
  }
  mean = n_known ? known / n_known : (double)NAN;
  if (unknown)
    sum += unknown * mean;
  for (int k = 0; k < w->jobs; k++)
    if (w->slot[k].pid) {
      double p = predicted(w, w->slot[k].index);
      sum += fmax((isfinite(p) ? p : mean) - (mho_seconds() - w->slot[k].since), 0);
    }
  return sum / w->jobs;
}

static void emit(const sweep *w, mho_study_what what, int index, const study_message *m,
                 const char *error) {
  mho_study_event e = {.what = what,
                       .index = index,
                       .run = index < 0 ? NULL : &w->plan.run[index],
                       .train_acc = NAN,
                       .test_acc = NAN,
                       .val_acc = NAN,
                       .wall_s = NAN,
                       .error = error,
                       .total = w->mine,
                       .ended = w->ended,
                       .failed = w->failed};
  if (!w->o->event)
    return;
  for (int k = 0; k < w->jobs; k++)
    e.running += w->slot[k].pid != 0;
  e.left_s = time_left(w);
  if (m && what == MHO_STUDY_EPOCH) {
    e.epoch = m->epoch.epoch;
    e.train_acc = m->epoch.train_acc;
    e.test_acc = m->epoch.test_acc;
    e.val_acc = m->epoch.val_acc;
    e.wall_s = m->epoch.wall_s;
  } else if (m) {
    e.epoch = m->result.epochs;
    e.train_acc = m->result.train_acc;
    e.test_acc = m->result.final_test_acc;
    e.val_acc = m->result.val_acc;
    e.wall_s = m->result.wall_s;
  }
  w->o->event(w->o->user, &e);
}

/* ---------------------------------------------------------------- workers */

static mho_err start(sweep *w, int k, int index, mho_errinfo *ei) {
  mho_plan_run *run = &w->plan.run[index];
  study_job job = {
      .s = w->s, .r = w->r, .o = w->o, .resume = *run->id && !w->o->again ? run->id : NULL};
  int ends[2];
  mho_err err = study_point_config(w->s, w->samples, run->point, w->s->n_seeds ? run->seed : -1,
                                   &job.config, NULL, 0, ei);
  if (err)
    return err;
  name_of(w, run, sizeof job.name, job.name);
  if (pipe2(ends, O_CLOEXEC)) {
    mho_config_free(job.config);
    return mho_fail(ei, MHO_EIO, "cannot start a worker: %s", strerror(errno));
  }
  pid_t parent = getpid(), pid = fork();
  if (pid == 0) {
    close(ends[0]);
    for (int i = 0; i < w->jobs; i++)
      if (w->slot[i].pid)
        close(w->slot[i].pipe);
    study_worker(&job, parent, ends[1]);
  }
  int why = errno;
  close(ends[1]);
  mho_config_free(job.config);
  if (pid < 0) {
    close(ends[0]);
    return mho_fail(ei, MHO_EIO, "cannot start a worker: %s", strerror(why));
  }
  w->slot[k] = (slot){.pid = pid, .pipe = ends[0], .index = index, .since = mho_seconds()};
  w->waiting[index] = false;
  emit(w, MHO_STUDY_STARTED, index, NULL, NULL);
  return MHO_OK;
}

/* A run that this sweep did not train, or not to its end. */
static void settle_other(sweep *w, slot *t, const study_message *m) {
  mho_plan_run *run = &w->plan.run[t->index];
  const char *status = m->result.status;
  if (m->result.present && !strcmp(status, "completed"))
    run->state = MHO_PLAN_DONE;
  else if (m->result.present && !strcmp(status, "diverged"))
    run->state = MHO_PLAN_DIVERGED;
  else if (m->result.present && !strcmp(status, "failed"))
    run->state = MHO_PLAN_FAILED;
  else { /* another process has it, or it was cut off meanwhile: try to go on with it, later */
    run->state = MHO_PLAN_RESUME;
    w->waiting[t->index] = true;
    w->not_before[t->index] = mho_seconds() + ELSEWHERE_S;
    return;
  }
  w->ended++;
  w->result->present++;
  emit(w, MHO_STUDY_ENDED, t->index, m, NULL);
}

static void ended_well(sweep *w, slot *t, const study_message *m) {
  mho_plan_run *run = &w->plan.run[t->index];
  double *known = &w->expected[run->point];
  if (m->stopped) {
    run->state = MHO_PLAN_STOPPED;
    w->result->stopped++;
  } else if (m->err == MHO_EDIVERGED) {
    run->state = MHO_PLAN_DIVERGED;
    w->result->diverged++;
  } else {
    run->state = MHO_PLAN_DONE;
    w->result->completed++;
    *known = *known > 0 ? (*known + m->result.wall_s) / 2 : m->result.wall_s;
  }
  w->ended++;
  emit(w, MHO_STUDY_ENDED, t->index, m, m->err ? m->ei.message : NULL);
}

static mho_err ended_badly(sweep *w, slot *t, const study_message *m, int status, mho_errinfo *ei) {
  mho_plan_run *run = &w->plan.run[t->index];
  char why[MHO_MESSAGE_MAX];
  if (t->ended)
    snprintf(why, sizeof why, "%s", m->ei.message);
  else if (WIFSIGNALED(status))
    snprintf(why, sizeof why, "its process was killed by signal %d (%s)%s", WTERMSIG(status),
             strsignal(WTERMSIG(status)), WTERMSIG(status) == SIGKILL ? ": out of memory?" : "");
  else
    snprintf(why, sizeof why, "its process ended with exit code %d and no word",
             WEXITSTATUS(status));
  if (m->err ==
      MHO_ESTORE) { /* nothing can be recorded there, and the next run would fare no better */
    if (ei)
      *ei = m->ei;
    return MHO_ESTORE;
  }
  run->state = MHO_PLAN_FAILED;
  w->failed++;
  w->ended++;
  w->result->failed++;
  mho_err err = record_failure(w, run, why, ei);
  emit(w, MHO_STUDY_ENDED, t->index, m, why);
  return err;
}

/* A worker is gone: what came of its run. */
static mho_err finish(sweep *w, slot *t, mho_errinfo *ei) {
  int status = 0;
  close(t->pipe);
  while (waitpid(t->pid, &status, 0) < 0 && errno == EINTR)
    ;
  t->pid = 0;
  mho_plan_run *run = &w->plan.run[t->index];
  const study_message *m = &t->last;
  if (*m->result.run)
    snprintf(run->id, sizeof run->id, "%s", m->result.run);
  if (t->ended && m->result.present)
    settle_other(w, t, m);
  else if (t->ended && m->err == MHO_EINTERRUPTED && !m->stopped) {
    run->state = MHO_PLAN_RESUME;
    w->result->cut++;
    emit(w, MHO_STUDY_ENDED, t->index, m, "interrupted");
  } else if (t->ended && (!m->err || m->stopped || m->err == MHO_EDIVERGED))
    ended_well(w, t, m);
  else
    return ended_badly(w, t, m, status, ei);
  return MHO_OK;
}

/* One message of a worker, or its end. */
static mho_err hear(sweep *w, slot *t, mho_errinfo *ei) {
  study_message m;
  ssize_t got = read(t->pipe, &m, sizeof m);
  if (got < 0 && errno == EINTR)
    return MHO_OK;
  if (got != (ssize_t)sizeof m)
    return finish(w, t, ei);
  if (m.kind == STUDY_LOG) {
    mho_log(w->ctx, m.level, "%s", m.ei.message);
    return MHO_OK;
  }
  if (*m.result.run)
    snprintf(w->plan.run[t->index].id, MHO_ID_MAX, "%s", m.result.run);
  if (m.kind == STUDY_EPOCH) {
    emit(w, MHO_STUDY_EPOCH, t->index, &m, NULL);
    return MHO_OK;
  }
  t->ended = true;
  t->last = m;
  return MHO_OK;
}

/* ---------------------------------------------------------------- order */

/* The next run: those cut off come first, then the longest, so that no long one is left alone at the end. */
static int next_run(const sweep *w) {
  int best = -1;
  double longest = -1, now = mho_seconds();
  for (int i = 0; i < w->plan.n; i++) {
    if (!w->waiting[i] || w->not_before[i] > now)
      continue;
    double p = predicted(w, i);
    if (w->plan.run[i].state == MHO_PLAN_RESUME)
      p = 1e300;
    else if (!isfinite(p))
      p = 0;
    if (p > longest) {
      best = i;
      longest = p;
    }
  }
  return best;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* i-th run of the plan; n counts those that only names, and the shards are dealt by that. */
static bool wanted(const sweep *w, int i, int *n) {
  const mho_study_options *o = w->o;
  mho_plan_state state = w->plan.run[i].state;
  const char *hash = w->plan.run[i].hash;
  if (o->only && !bsearch(&hash, o->only, (size_t)o->n_only, sizeof *o->only, by_text))
    return false;
  int at = (*n)++;
  if (o->shards > 1 && at % o->shards != o->shard)
    return false;
  return o->again || state == MHO_PLAN_NEW || state == MHO_PLAN_RESUME ||
         (o->retry && (state == MHO_PLAN_FAILED || state == MHO_PLAN_STOPPED));
}

static int running(const sweep *w) {
  int n = 0;
  for (int k = 0; k < w->jobs; k++)
    n += w->slot[k].pid != 0;
  return n;
}

static bool any_waiting(const sweep *w) {
  for (int i = 0; i < w->plan.n; i++)
    if (w->waiting[i])
      return true;
  return false;
}

/* Wait for a word of the workers, a tick at most. */
static mho_err listen_once(sweep *w, mho_errinfo *ei) {
  struct pollfd *fds = calloc((size_t)w->jobs, sizeof *fds);
  int *of = calloc((size_t)w->jobs, sizeof *of), n = 0;
  mho_err err = fds && of ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory to hear the workers");
  for (int k = 0; k < w->jobs && !err; k++)
    if (w->slot[k].pid) {
      of[n] = k;
      fds[n++] = (struct pollfd){.fd = w->slot[k].pipe, .events = POLLIN};
    }
  int ready = err ? 0 : poll(fds, (nfds_t)n, TICK_MS);
  for (int i = 0; i < n && ready > 0 && !err; i++)
    if (fds[i].revents)
      err = hear(w, &w->slot[of[i]], ei);
  if (!err && ready == 0)
    emit(w, MHO_STUDY_TICK, -1, NULL, NULL);
  free(fds);
  free(of);
  return err;
}

static void tell_all(const sweep *w, int sig) {
  for (int k = 0; k < w->jobs; k++)
    if (w->slot[k].pid)
      kill(w->slot[k].pid, sig);
}

static mho_err train_all(sweep *w, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  mho_errinfo later = {0};
  while (running(w) || (!err && !w->told_to_stop && any_waiting(w))) {
    for (int k = 0; k < w->jobs && !err && !w->told_to_stop; k++) {
      int next = w->slot[k].pid ? -1 : next_run(w);
      if (next >= 0)
        err = start(w, k, next, ei);
    }
    mho_err heard = listen_once(w, err ? &later : ei);
    err = err ? err : heard;
    if (!w->told_to_stop && (err || mho_stopped(w->ctx))) { /* once; they save and end */
      tell_all(w, SIGINT);
      w->told_to_stop = true;
    }
  }
  if (!err && w->told_to_stop)
    err = mho_fail(ei, MHO_EINTERRUPTED,
                   "interrupted: %d of %d runs are done, %d saved; the same command goes on",
                   w->ended, w->mine, w->result->cut);
  return err;
}

static mho_err prepare(sweep *w, mho_errinfo *ei) {
  mho_err err = adopt(w, ei);
  if (!err)
    err = study_samples(w->s, &w->samples, ei);
  if (err)
    return err;
  size_t n = (size_t)(w->plan.n ? w->plan.n : 1),
         points = (size_t)(w->plan.n_points ? w->plan.n_points : 1);
  w->jobs = w->o->jobs > 0 ? w->o->jobs : mho_processors();
  w->waiting = calloc(n, sizeof *w->waiting);
  w->not_before = calloc(n, sizeof *w->not_before);
  w->expected = calloc(points, sizeof *w->expected);
  w->slot = calloc((size_t)w->jobs, sizeof *w->slot);
  if (!w->waiting || !w->not_before || !w->expected || !w->slot)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d runs", w->plan.n);
  for (int i = 0, named = 0; i < w->plan.n; i++) {
    w->waiting[i] = wanted(w, i, &named);
    w->mine += w->waiting[i];
    w->result->present += !w->waiting[i] && *w->plan.run[i].id;
  }
  w->result->total = w->plan.n;
  return MHO_OK;
}

mho_err mho_study_train(const mho_context *ctx, const mho_study *s, const mho_registry *r,
                        const mho_study_options *o, mho_study_result *result, mho_errinfo *ei) {
  *result = (mho_study_result){0};
  sweep w = {.ctx = ctx, .s = s, .r = r, .o = o, .result = result, .start = mho_seconds()};
  mho_err err = prepare(&w, ei);
  if (!err)
    err = train_all(&w, ei);
  result->wall_s = mho_seconds() - w.start;
  free(w.slot);
  free(w.expected);
  free(w.not_before);
  free(w.waiting);
  free(w.samples);
  mho_plan_free(&w.plan);
  return err;
}
