/* slurm.c - a study as an array job: each task trains its part into a database of its own.
 *
 * SQLite's locks cannot be trusted on a network file system, so no two tasks share a file: task I writes
 * shard-I.db, and merging them into the study's database is a second step, which may be repeated. What the
 * database has already is left out of the job (todo.txt names the rest by their config hashes).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "study/study_impl.h"

extern char **environ;

/* Shards of earlier jobs into the database; none is fine. */
mho_err mho_slurm_merge(const char *db, const char *dir, int *merged, mho_errinfo *ei) {
  char pattern[PATH_MAX + 32];
  glob_t found;
  mho_store *s = NULL;
  mho_err err = MHO_OK;
  *merged = 0;
  snprintf(pattern, sizeof pattern, "%s/shard-*.db", dir);
  if (glob(pattern, 0, NULL, &found))
    return MHO_OK;
  err = mho_store_open(db, MHO_STORE_WRITE, &s, ei);
  for (size_t i = 0; i < found.gl_pathc && !err; i++) {
    mho_merge_result r;
    err = mho_store_merge(s, found.gl_pathv[i], &r, ei);
    *merged += r.added + r.replaced;
  }
  mho_store_close(s);
  globfree(&found);
  return err;
}

/* A word of a shell command. */
static void print_word(FILE *f, const char *word) {
  fputc('\'', f);
  for (; *word; word++)
    if (*word == '\'')
      fputs("'\\''", f);
    else
      fputc(*word, f);
  fputc('\'', f);
}

static mho_err open_file(const char *dir, const char *name, FILE **out, mho_errinfo *ei) {
  char path[PATH_MAX + 32];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  *out = fopen(path, "w");
  return *out ? MHO_OK
              : mho_fail_at(ei, MHO_EIO, path, 0, "cannot be written: %s", strerror(errno));
}

static mho_err close_file(FILE *f, const char *dir, mho_errinfo *ei) {
  bool bad = ferror(f);
  return fclose(f) || bad ? mho_fail(ei, MHO_EIO, "cannot write in '%s': %s", dir, strerror(errno))
                          : MHO_OK;
}

static mho_err write_study(const mho_study *s, const char *dir, mho_errinfo *ei) {
  FILE *f;
  char *yaml = mho_study_yaml(s);
  mho_err err = yaml ? open_file(dir, "study.yaml", &f, ei)
                     : mho_fail(ei, MHO_ENOMEM, "no memory for the study");
  if (!err) {
    fputs(yaml, f);
    err = close_file(f, dir, ei);
  }
  free(yaml);
  return err;
}

static mho_err write_todo(const mho_study *s, const mho_registry *r, const mho_slurm_options *o,
                          const char *dir, int *todo, mho_errinfo *ei) {
  mho_store *store = NULL;
  mho_plan plan;
  FILE *f;
  mho_err err = access(o->db, F_OK) ? MHO_OK : mho_store_open(o->db, MHO_STORE_READ, &store, ei);
  if (!err)
    err = mho_study_plan(s, r, store, &plan, ei);
  mho_store_close(err ? NULL : store);
  if (err)
    return err;
  *todo = 0;
  err = open_file(dir, "todo.txt", &f, ei);
  for (int i = 0; i < plan.n && !err; i++)
    if (plan.run[i].state == MHO_PLAN_NEW || plan.run[i].state == MHO_PLAN_RESUME) {
      fprintf(f, "%s\n", plan.run[i].hash);
      ++*todo;
    }
  if (!err)
    err = close_file(f, dir, ei);
  mho_plan_free(&plan);
  return err;
}

static mho_err write_script(const mho_study *s, const mho_slurm_options *o, const char *dir,
                            int tasks, mho_errinfo *ei) {
  char exe[PATH_MAX] = "mho";
  FILE *f;
  ssize_t n = o->mho ? -1 : readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n > 0)
    exe[n] = 0;
  mho_err err = open_file(dir, "job.sh", &f, ei);
  if (err)
    return err;
  fprintf(
      f,
      "#!/bin/sh\n#SBATCH --job-name=mho\n#SBATCH --array=0-%d\n#SBATCH --cpus-per-task=%d\n#SBATCH "
      "--output=\"%s",
      tasks - 1, o->jobs * o->threads, dir);
  fputs("/task-%a.log\"\n", f);
  fprintf(
      f,
      "# study %s: each task trains every %d-th run of todo.txt into a database of its own\ndir=",
      s->name, tasks);
  print_word(f, dir);
  fputs("\nexec ", f);
  print_word(f, o->mho ? o->mho : exe);
  fprintf(
      f,
      " sweep \"$dir/study.yaml\" --only \"$dir/todo.txt\" --shard \"$SLURM_ARRAY_TASK_ID/%d\" \\\n"
      "  --db \"$dir/shard-$SLURM_ARRAY_TASK_ID.db\" --jobs %d --threads %d\n",
      tasks, o->jobs, o->threads);
  return close_file(f, dir, ei);
}

/* Run sbatch; its answer is the job's number, and ";cluster" on some sites. */
static mho_err submit(const mho_slurm_options *o, const char *dir, char *job, size_t capacity,
                      mho_errinfo *ei) {
  char script[PATH_MAX + 16];
  char *argv[64] = {"sbatch", "--parsable"};
  int n = 2, ends[2], status = 0;
  snprintf(script, sizeof script, "%s/job.sh", dir);
  if (o->wait)
    argv[n++] = "--wait";
  for (int i = 0; i < o->n_sbatch && n < 61; i++)
    argv[n++] = (char *)(uintptr_t)o->sbatch[i];
  argv[n++] = script;
  argv[n] = NULL;
  posix_spawn_file_actions_t actions;
  pid_t pid;
  if (pipe2(ends, O_CLOEXEC) || posix_spawn_file_actions_init(&actions))
    return mho_fail(ei, MHO_EIO, "cannot start sbatch: %s", strerror(errno));
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  int rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  size_t at = 0;
  for (ssize_t got; !rc && at < capacity - 1 &&
                    ((got = read(ends[0], job + at, capacity - 1 - at)) > 0 || errno == EINTR);)
    at += got > 0 ? (size_t)got : 0;
  close(ends[0]);
  job[at] = 0;
  job[strcspn(job, "\n;")] = 0;
  if (rc == ENOENT)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "sbatch is not here: run this where Slurm's commands are; '%s' is ready",
                    script);
  if (rc)
    return mho_fail(ei, MHO_EIO, "cannot start sbatch: %s", strerror(rc));
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  /* with --wait sbatch's exit code is that of the tasks: failed runs are in the shards */
  if (!*job || (!o->wait && status))
    return mho_fail(ei, MHO_EIO, "sbatch refused the job '%s': it says why above", script);
  return MHO_OK;
}

mho_err mho_slurm_launch(const mho_study *s, const mho_registry *r, const mho_slurm_options *o,
                         mho_slurm_result *result, mho_errinfo *ei) {
  *result = (mho_slurm_result){0};
  char wanted[PATH_MAX];
  const char *slash = strrchr(o->db, '/');
  snprintf(wanted, sizeof wanted, "%.*s%s.slurm", slash ? (int)(slash - o->db + 1) : 0, o->db,
           s->name);
  for (char *c = strchr(wanted + 1, '/'); c; c = strchr(c + 1, '/')) {
    *c = 0;
    mkdir(wanted, 0777);
    *c = '/';
  }
  if (mkdir(wanted, 0777) && errno != EEXIST)
    return mho_fail_at(ei, MHO_EIO, wanted, 0, "the folder cannot be made: %s", strerror(errno));
  if (!realpath(wanted, result->dir))
    return mho_fail_at(ei, MHO_EIO, wanted, 0, "the folder cannot be found: %s", strerror(errno));
  int merged;
  mho_err err = mho_slurm_merge(o->db, result->dir, &merged, ei);
  if (!err)
    err = write_todo(s, r, o, result->dir, &result->runs, ei);
  if (!err)
    err = write_study(s, result->dir, ei);
  if (err || !result->runs)
    return err;
  result->tasks = o->tasks < result->runs ? o->tasks : result->runs;
  err = write_script(s, o, result->dir, result->tasks, ei);
  if (!err)
    err = submit(o, result->dir, result->job, sizeof result->job, ei);
  if (!err && o->wait)
    err = mho_slurm_merge(o->db, result->dir, &result->merged, ei);
  return err;
}
