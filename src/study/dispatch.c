/* dispatch.c - the runs of a study, handed to worker processes.
 *
 * Between two forks the database is opened only for a moment: SQLite's locks do not survive a fork.
 * What has been done is known from the database alone, so nothing is lost with this process.
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

#include "mho/model/num.h"
#include "study/study_impl.h"

_Static_assert(sizeof(study_message) < 4096, "a message must fit into a pipe in one piece");

enum { TICK_MS = 200, ELSEWHERE_S = 1 };

/* A worker under way. */
typedef struct slot {
  pid_t pid; /* 0: free */
  int pipe, index;
  double since;
  bool ended; /* its last message has come */
  study_message last;
} slot;

typedef struct dispatcher {
  const mho_context *ctx;
  const mho_study *s;
  const mho_registry *r;
  const mho_study_options *o;
  mho_plan plan;
  double *samples;
  bool *waiting;      /* [plan.n] to be trained by this process */
  double *not_before; /* [plan.n] trained by another process: look again then */
  double *expected;   /* [points] s, by the runs of this process; 0: none yet */
  slot *slot;         /* [jobs] */
  struct pollfd *fds; /* [jobs] of the workers under way, and whose they are */
  int *of;
  int jobs, mine, ended, failed;
  double start;
  bool told_to_stop;
  mho_study_result *result;
} dispatcher;

/* ---------------------------------------------------------------- the database, for a moment */

/* A study with a mistake in it must not make a database. */
static mho_err check_first(const dispatcher *d, mho_errinfo *ei) {
  mho_plan first;
  if (!access(d->o->db, F_OK))
    return MHO_OK;
  mho_err err = mho_study_plan(d->s, d->r, NULL, &first, ei);
  if (!err)
    mho_plan_free(&first);
  return err;
}

/* Plan the study, record it, and take runs of it that are there into it. One with a mistake in it
 * leaves what the database knows of a study of that name. */
static mho_err adopt_into(dispatcher *d, mho_store *store, const char *json, mho_errinfo *ei) {
  mho_err err = mho_study_plan(d->s, d->r, store, &d->plan, ei);
  if (!err)
    err = mho_store_study(store, d->s->name, json, ei);
  if (err)
    return err;

  for (int i = 0; i < d->plan.n; i++) {
    const char *id = d->plan.run[i].id;
    if (!*id)
      continue;
    err = mho_store_study_add(store, d->s->name, id, ei);
    if (err)
      return err;
  }

  return MHO_OK;
}

static mho_err adopt(dispatcher *d, mho_errinfo *ei) {
  mho_store *store = NULL;
  mho_err err = check_first(d, ei);
  if (err)
    return err;

  char *json = mho_study_json(d->s);
  if (!json)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the study");

  err = mho_store_open(d->o->db, MHO_STORE_WRITE, &store, ei);
  if (!err)
    err = adopt_into(d, store, json, ei);
  mho_store_close(store);
  free(json);
  return err;
}

static void name_of(const dispatcher *d, const mho_plan_run *run, size_t capacity, char *name) {
  snprintf(name, capacity, "%s %s s%lld", d->s->name, run->label, (long long)run->seed);
}

/* The config of a run that is to be made. */
static mho_err config_of(const dispatcher *d, const mho_plan_run *run, mho_config **out,
                         mho_errinfo *ei) {
  int64_t seed = d->s->n_seeds ? run->seed : -1;
  return mho__study_point_config(d->s, d->samples, run->point, seed, out, NULL, 0, ei);
}

/* The JSON of a run's config; free with free(). */
static mho_err json_of(const dispatcher *d, const mho_plan_run *run, char **out, mho_errinfo *ei) {
  mho_config *c = NULL;
  mho_experiment *e = NULL;
  mho_err err = config_of(d, run, &c, ei);
  if (!err)
    err = mho_experiment_new(d->r, c, false, &e, ei);
  if (!err) {
    *out = mho_experiment_json(e);
    if (!*out)
      err = mho_fail(ei, MHO_ENOMEM, "no memory for a config");
  }

  mho_experiment_free(e);
  mho_config_free(c);
  return err;
}

/* Mark a run of the database as failed. */
static mho_err write_failure(mho_store *store, const char *id, mho_run_row row, const char *why,
                             mho_errinfo *ei) {
  char failed[] = "failed";
  row.status = failed;
  row.error = (char *)(uintptr_t)why;
  row.ended = NULL;
  return mho_store_write(store, id, &(mho_store_update){.run = &row}, ei);
}

/* A run that never began is recorded as its process would have done, so that it can be resumed. */
static mho_err record_unborn(const dispatcher *d, mho_store *store, mho_plan_run *run,
                             const char *why, mho_errinfo *ei) {
  const char *version = d->o->code_version ? d->o->code_version : MHO_VERSION;
  char *json = NULL, host[64] = "", name[sizeof((study_job *)0)->name], there[MHO_ID_MAX];
  mho_err err = json_of(d, run, &json, ei);
  if (err)
    return err;

  name_of(d, run, sizeof name, name);
  gethostname(host, sizeof host - 1);
  mho_run_row row = {.name = name,
                     .config = json,
                     .config_hash = run->hash,
                     .defaults_version = MHO_DEFAULTS_VERSION,
                     .seed = run->seed,
                     .data_checksum = run->data_checksum,
                     .code_version = (char *)(uintptr_t)version,
                     .blas = (char *)(uintptr_t)mho_blas_kernel(),
                     .host = host,
                     .final_test_acc = NAN,
                     .best_test_acc = NAN,
                     .train_acc = NAN,
                     .val_acc = NAN,
                     .final_test_loss = NAN,
                     .best_test_loss = NAN,
                     .val_loss = NAN,
                     .final_test_rms = NAN,
                     .best_test_rms = NAN,
                     .energy_j = NAN};
  mho_store_new_id(row.id);
  err = mho_store_run_claim(store, &row, d->s->name, d->o->again, there, ei);
  if (!err) {
    snprintf(run->id, sizeof run->id, "%s", *there ? there : row.id);
    err = write_failure(store, run->id, row, why, ei);
  }
  free(json);
  return err;
}

static mho_err record_dead(mho_store *store, const char *id, const char *why, mho_errinfo *ei) {
  mho_run_row row;
  mho_err err = mho_store_run_get(store, id, &row, ei);
  if (err)
    return err;
  err = write_failure(store, id, row, why, ei);
  mho_run_row_free(&row);
  return err;
}

/* A run whose process died or never got to begin it: say so where it will be looked for. */
static mho_err record_failure(const dispatcher *d, mho_plan_run *run, const char *why,
                              mho_errinfo *ei) {
  mho_store *store;
  mho_err err = mho_store_open(d->o->db, MHO_STORE_WRITE, &store, ei);
  if (err)
    return err;
  if (*run->id)
    err = record_dead(store, run->id, why, ei);
  else
    err = record_unborn(d, store, run, why, ei);
  mho_store_close(store);
  return err;
}

/* ---------------------------------------------------------------- events */

/* Seconds of a run by what this process has seen of its point, else by the database. */
static double predicted(const dispatcher *d, int i) {
  const mho_plan_run *r = &d->plan.run[i];
  return d->expected[r->point] > 0 ? d->expected[r->point] : r->predicted_s;
}

/* The mean over all runs that something is known of; NaN when there is none. */
static double mean_time(const dispatcher *d) {
  double known = 0;
  int n = 0;

  for (int i = 0; i < d->plan.n; i++) {
    double p = predicted(d, i);
    if (isfinite(p)) {
      known += p;
      n++;
    }
  }

  return n ? known / n : (double)NAN;
}

/* Seconds until all is done, by what is known of each run's time, or of their mean. */
static double time_left(const dispatcher *d) {
  double sum = 0, mean = mean_time(d);
  int unknown = 0;

  for (int i = 0; i < d->plan.n; i++) {
    double p = predicted(d, i);
    if (d->waiting[i] && isfinite(p))
      sum += p;
    else if (d->waiting[i])
      unknown++;
  }

  if (unknown)
    sum += unknown * mean;

  for (int k = 0; k < d->jobs; k++) {
    const slot *t = &d->slot[k];
    if (!t->pid)
      continue;
    double p = predicted(d, t->index);
    sum += fmax((isfinite(p) ? p : mean) - (mho_seconds() - t->since), 0);
  }

  return sum / d->jobs;
}

static int running(const dispatcher *d) {
  int n = 0;
  for (int k = 0; k < d->jobs; k++)
    n += d->slot[k].pid != 0;
  return n;
}

/* Tell the caller of a run; index below 0: a tick. m and error are nullable. */
static void emit(const dispatcher *d, mho_study_what what, int index, const study_message *m,
                 const char *error) {
  mho_study_event e = {.what = what,
                       .index = index,
                       .plan = &d->plan,
                       .run = index < 0 ? NULL : &d->plan.run[index],
                       .train_acc = NAN,
                       .test_acc = NAN,
                       .val_acc = NAN,
                       .test_loss = NAN,
                       .test_rms = NAN,
                       .wall_s = NAN,
                       .error = error,
                       .total = d->mine,
                       .ended = d->ended,
                       .failed = d->failed};
  if (!d->o->event)
    return;

  e.running = running(d);
  e.left_s = time_left(d);
  if (m && what == MHO_STUDY_EPOCH) {
    e.epoch = m->epoch.epoch;
    e.train_acc = m->epoch.train_acc;
    e.test_acc = m->epoch.test_acc;
    e.val_acc = m->epoch.val_acc;
    e.test_loss = m->epoch.test_loss;
    e.test_rms = m->epoch.test_rms;
    e.wall_s = m->epoch.wall_s;
  } else if (m) {
    e.epoch = m->result.epochs;
    e.train_acc = m->result.train_acc;
    e.test_acc = m->result.final_test_acc;
    e.val_acc = m->result.val_acc;
    e.test_loss = m->result.final_test_loss;
    e.test_rms = m->result.final_test_rms;
    e.wall_s = m->result.wall_s;
  }
  d->o->event(d->o->user, &e);
}

/* ---------------------------------------------------------------- workers */

/* In the new process: train, and never come back. */
static _Noreturn void work(const dispatcher *d, const study_job *job, int parent, int ends[2]) {
  close(ends[0]);
  for (int i = 0; i < d->jobs; i++)
    if (d->slot[i].pid)
      close(d->slot[i].pipe);
  mho__study_worker(job, parent, ends[1]);
}

/* A worker for a run, in a free slot. */
static mho_err start(dispatcher *d, slot *t, int index, mho_errinfo *ei) {
  mho_plan_run *run = &d->plan.run[index];
  study_job job = {.s = d->s, .r = d->r, .o = d->o};
  int ends[2];

  if (*run->id && !d->o->again)
    job.resume = run->id;
  mho_err err = config_of(d, run, &job.config, ei);
  if (err)
    return err;

  name_of(d, run, sizeof job.name, job.name);
  if (pipe2(ends, O_CLOEXEC)) {
    mho_config_free(job.config);
    return mho_fail(ei, MHO_EIO, "cannot start a worker: %s", strerror(errno));
  }

  pid_t parent = getpid(), pid = fork();
  if (pid == 0)
    work(d, &job, parent, ends);
  int why = errno;
  close(ends[1]);
  mho_config_free(job.config);
  if (pid < 0) {
    close(ends[0]);
    return mho_fail(ei, MHO_EIO, "cannot start a worker: %s", strerror(why));
  }

  *t = (slot){.pid = pid, .pipe = ends[0], .index = index, .since = mho_seconds()};
  d->waiting[index] = false;
  emit(d, MHO_STUDY_STARTED, index, NULL, NULL);
  return MHO_OK;
}

/* Whether a word of the database means that a run has ended, and how. */
static bool is_final(const char *status, mho_plan_state *state) {
  static const mho_plan_state final[] = {MHO_PLAN_DONE, MHO_PLAN_DIVERGED, MHO_PLAN_FAILED};
  static const char *const words[] = {"completed", "diverged", "failed"};
  for (int i = 0; i < MHO_COUNT(words); i++)
    if (!strcmp(status, words[i])) {
      *state = final[i];
      return true;
    }
  return false;
}

/* A run that another process has trained. Where that has not ended it, or was cut off, this one
 * tries to go on with it, later. */
static void ended_elsewhere(dispatcher *d, const slot *t, const study_message *m) {
  mho_plan_run *run = &d->plan.run[t->index];
  if (!is_final(m->result.status, &run->state)) {
    run->state = MHO_PLAN_RESUME;
    d->waiting[t->index] = true;
    d->not_before[t->index] = mho_seconds() + ELSEWHERE_S;
    return;
  }

  d->ended++;
  d->result->present++;
  emit(d, MHO_STUDY_ENDED, t->index, m, NULL);
}

static void ended_well(dispatcher *d, const slot *t, const study_message *m) {
  mho_plan_run *run = &d->plan.run[t->index];
  double *known = &d->expected[run->point];

  if (m->stopped) {
    run->state = MHO_PLAN_STOPPED;
    d->result->stopped++;
  } else if (m->err == MHO_EDIVERGED) {
    run->state = MHO_PLAN_DIVERGED;
    d->result->diverged++;
  } else {
    run->state = MHO_PLAN_DONE;
    d->result->completed++;
    *known = *known > 0 ? (*known + m->result.wall_s) / 2 : m->result.wall_s;
  }

  d->ended++;
  emit(d, MHO_STUDY_ENDED, t->index, m, m->err ? m->ei.message : NULL);
}

/* Why a worker failed: what it said, or how its process ended. */
static void failure_text(const slot *t, int status, char *why, size_t capacity) {
  if (t->ended)
    snprintf(why, capacity, "%s", t->last.ei.message);
  else if (WIFSIGNALED(status))
    snprintf(why, capacity, "its process was killed by signal %d (%s)%s", WTERMSIG(status),
             strsignal(WTERMSIG(status)), WTERMSIG(status) == SIGKILL ? ": out of memory?" : "");
  else
    snprintf(why, capacity, "its process ended with exit code %d and no word", WEXITSTATUS(status));
}

static mho_err ended_badly(dispatcher *d, const slot *t, int status, mho_errinfo *ei) {
  mho_plan_run *run = &d->plan.run[t->index];
  const study_message *m = &t->last;
  if (m->err == MHO_ESTORE ||
      m->err == MHO_EDISK) { /* nothing can be recorded, and the next run would fare no better */
    if (ei)
      *ei = m->ei;
    return MHO_ESTORE;
  }

  char why[MHO_MESSAGE_MAX];
  failure_text(t, status, why, sizeof why);
  run->state = MHO_PLAN_FAILED;
  d->failed++;
  d->ended++;
  d->result->failed++;
  mho_err err = record_failure(d, run, why, ei);
  emit(d, MHO_STUDY_ENDED, t->index, m, why);
  return err;
}

/* A run that was interrupted, saved, and can be resumed. */
static void ended_early(dispatcher *d, const slot *t, const study_message *m) {
  d->plan.run[t->index].state = MHO_PLAN_RESUME;
  d->result->cut++;
  emit(d, MHO_STUDY_ENDED, t->index, m, "interrupted");
}

/* A worker is gone: what came of its run. */
static mho_err finish(dispatcher *d, slot *t, mho_errinfo *ei) {
  const study_message *m = &t->last;
  int status = 0;

  close(t->pipe);
  while (waitpid(t->pid, &status, 0) < 0 && errno == EINTR)
    ;
  t->pid = 0;
  if (*m->result.run)
    snprintf(d->plan.run[t->index].id, MHO_ID_MAX, "%s", m->result.run);

  if (!t->ended)
    return ended_badly(d, t, status, ei);

  if (m->result.present)
    ended_elsewhere(d, t, m);
  else if (m->err == MHO_EINTERRUPTED && !m->stopped)
    ended_early(d, t, m);
  else if (!m->err || m->stopped || m->err == MHO_EDIVERGED)
    ended_well(d, t, m);
  else
    return ended_badly(d, t, status, ei);

  return MHO_OK;
}

/* One message of a worker, or its end. */
static mho_err hear(dispatcher *d, slot *t, mho_errinfo *ei) {
  study_message m;
  ssize_t got = read(t->pipe, &m, sizeof m);
  if (got < 0 && errno == EINTR)
    return MHO_OK;
  if (got != (ssize_t)sizeof m)
    return finish(d, t, ei);

  if (m.kind == STUDY_LOG) {
    mho_log(d->ctx, m.level, "%s", m.ei.message);
    return MHO_OK;
  }

  if (*m.result.run)
    snprintf(d->plan.run[t->index].id, MHO_ID_MAX, "%s", m.result.run);
  if (m.kind == STUDY_EPOCH) {
    emit(d, MHO_STUDY_EPOCH, t->index, &m, NULL);
    return MHO_OK;
  }

  t->ended = true;
  t->last = m;
  return MHO_OK;
}

/* The pipes of the workers under way, to be waited for. Returns how many there are. */
static int list_pipes(dispatcher *d) {
  int n = 0;
  for (int k = 0; k < d->jobs; k++)
    if (d->slot[k].pid) {
      d->of[n] = k;
      d->fds[n] = (struct pollfd){.fd = d->slot[k].pipe, .events = POLLIN};
      n++;
    }
  return n;
}

/* Wait for a word of the workers, a tick at most. */
static mho_err listen_once(dispatcher *d, mho_errinfo *ei) {
  int n = list_pipes(d);
  int ready = poll(d->fds, (nfds_t)n, TICK_MS);

  if (ready == 0)
    emit(d, MHO_STUDY_TICK, -1, NULL, NULL);
  if (ready <= 0)
    return MHO_OK;

  for (int i = 0; i < n; i++) {
    if (!d->fds[i].revents)
      continue;
    mho_err err = hear(d, &d->slot[d->of[i]], ei);
    if (err)
      return err;
  }

  return MHO_OK;
}

static void tell_all(const dispatcher *d, int sig) {
  for (int k = 0; k < d->jobs; k++)
    if (d->slot[k].pid)
      kill(d->slot[k].pid, sig);
}

/* ---------------------------------------------------------------- order */

/* The next run: those cut off come first, then the longest, so that no long one is left alone at
 * the end. */
static int next_run(const dispatcher *d) {
  int best = -1;
  double longest = -1, now = mho_seconds();

  for (int i = 0; i < d->plan.n; i++) {
    if (!d->waiting[i] || d->not_before[i] > now)
      continue;
    double p = predicted(d, i);
    if (d->plan.run[i].state == MHO_PLAN_RESUME)
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
static bool is_wanted(const dispatcher *d, int i, int *n) {
  const mho_study_options *o = d->o;
  mho_plan_state state = d->plan.run[i].state;
  const char *hash = d->plan.run[i].hash;
  if (o->only && !bsearch(&hash, o->only, (size_t)o->n_only, sizeof *o->only, by_text))
    return false;

  int at = (*n)++;
  if (o->shards > 1 && at % o->shards != o->shard)
    return false;

  if (o->again || state == MHO_PLAN_NEW || state == MHO_PLAN_RESUME)
    return true;
  return o->retry && (state == MHO_PLAN_FAILED || state == MHO_PLAN_STOPPED);
}

static bool any_waiting(const dispatcher *d) {
  for (int i = 0; i < d->plan.n; i++)
    if (d->waiting[i])
      return true;
  return false;
}

/* A worker in every free slot, while runs wait. */
static mho_err start_next(dispatcher *d, mho_errinfo *ei) {
  for (int k = 0; k < d->jobs; k++) {
    int next = d->slot[k].pid ? -1 : next_run(d);
    if (next < 0)
      continue;
    mho_err err = start(d, &d->slot[k], next, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* After the first error, or when it is asked to stop, no run is started any more; those under way
 * save and end. */
static mho_err train_all(dispatcher *d, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  mho_errinfo later = {0}; /* of errors after the first */
  bool may_start = any_waiting(d);

  while (running(d) || may_start) {
    if (may_start)
      err = start_next(d, ei);
    mho_err heard = listen_once(d, err ? &later : ei);
    if (!err)
      err = heard;
    if (!d->told_to_stop && (err || mho_stopped(d->ctx))) {
      tell_all(d, SIGINT);
      d->told_to_stop = true;
    }
    may_start = !d->told_to_stop && any_waiting(d);
  }

  if (!err && d->told_to_stop)
    err = mho_fail(ei, MHO_EINTERRUPTED,
                   "interrupted: %d of %d runs are done, %d saved; the same command goes on",
                   d->ended, d->mine, d->result->cut);

  return err;
}

/* ---------------------------------------------------------------- from the beginning to the end */

static mho_err prepare(dispatcher *d, mho_errinfo *ei) {
  mho_err err = adopt(d, ei);
  if (!err)
    err = mho__study_samples(d->s, &d->samples, ei);
  if (err)
    return err;

  size_t n = (size_t)mho_max(d->plan.n, 1), points = (size_t)mho_max(d->plan.n_points, 1);
  d->jobs = d->o->jobs > 0 ? d->o->jobs : mho_processors();
  d->waiting = calloc(n, sizeof *d->waiting);
  d->not_before = calloc(n, sizeof *d->not_before);
  d->expected = calloc(points, sizeof *d->expected);
  d->slot = calloc((size_t)d->jobs, sizeof *d->slot);
  d->fds = calloc((size_t)d->jobs, sizeof *d->fds);
  d->of = calloc((size_t)d->jobs, sizeof *d->of);
  if (!d->waiting || !d->not_before || !d->expected || !d->slot || !d->fds || !d->of)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d runs", d->plan.n);

  int named = 0;
  for (int i = 0; i < d->plan.n; i++) {
    d->waiting[i] = is_wanted(d, i, &named);
    d->mine += d->waiting[i];
    d->result->present += !d->waiting[i] && *d->plan.run[i].id;
  }

  d->result->total = d->plan.n;
  emit(d, MHO_STUDY_PLANNED, -1, NULL, NULL);
  return MHO_OK;
}

mho_err mho_study_train(const mho_context *ctx, const mho_study *s, const mho_registry *r,
                        const mho_study_options *o, mho_study_result *result, mho_errinfo *ei) {
  *result = (mho_study_result){0};
  dispatcher d = {.ctx = ctx, .s = s, .r = r, .o = o, .result = result, .start = mho_seconds()};
  mho_err err = prepare(&d, ei);
  if (!err)
    err = train_all(&d, ei);
  result->wall_s = mho_seconds() - d.start;

  free(d.of);
  free(d.fds);
  free(d.slot);
  free(d.expected);
  free(d.not_before);
  free(d.waiting);
  free(d.samples);
  mho_plan_free(&d.plan);
  return err;
}
