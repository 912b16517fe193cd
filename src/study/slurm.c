/* slurm.c - a study as an array job: each task trains its share into a database of its own.
 *
 * SQLite's locks cannot be trusted on a network file system, so no two tasks share a file: task I
 * writes shard-I.db, and merging them into the study's database comes second and may be repeated.
 * What the database has already is left out of the job (todo.txt names the rest by their config
 * hashes).
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

#include "base/whole_file.h"
#include "study/study_impl.h"

extern char **environ;

enum { WORDS_MAX = 64 }; /* of sbatch's command */

/* ---------------------------------------------------------------- shards */

/* Shards of earlier jobs into the database; none is fine. */
mho_err mho_slurm_merge(const char *db, const char *dir, int *merged, mho_errinfo *ei) {
  char pattern[PATH_MAX + 32];
  glob_t found;
  mho_store *s = NULL;

  *merged = 0;
  snprintf(pattern, sizeof pattern, "%s/shard-*.db", dir);
  if (glob(pattern, 0, NULL, &found))
    return MHO_OK;

  mho_err err = mho_store_open(db, MHO_STORE_WRITE, &s, ei);
  for (size_t i = 0; i < found.gl_pathc; i++) {
    mho_merge_result r;
    if (err)
      break;
    err = mho_store_merge(s, found.gl_pathv[i], &r, ei);
    *merged += r.added + r.replaced;
  }

  mho_store_close(s);
  globfree(&found);
  return err;
}

/* ---------------------------------------------------------------- the job's files */

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
  if (!*out)
    return mho_fail_at(ei, mho__io_error(errno), path, 0, "cannot be written: %s", strerror(errno));
  return MHO_OK;
}

static mho_err close_file(FILE *f, const char *dir, mho_errinfo *ei) {
  bool bad = ferror(f);
  if (fclose(f) || bad)
    return mho_fail(ei, mho__io_error(errno), "cannot write in '%s': %s", dir, strerror(errno));
  return MHO_OK;
}

static mho_err write_study(const mho_study *s, const char *dir, mho_errinfo *ei) {
  char *yaml = mho_study_yaml(s);
  if (!yaml)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the study");

  FILE *f;
  mho_err err = open_file(dir, "study.yaml", &f, ei);
  if (!err) {
    fputs(yaml, f);
    err = close_file(f, dir, ei);
  }

  free(yaml);
  return err;
}

/* The plan by what the database has; there may be none yet. */
static mho_err make_plan(const mho_study *s, const mho_registry *r, const char *db, mho_plan *plan,
                         mho_errinfo *ei) {
  mho_store *store = NULL;
  mho_err err = MHO_OK;
  if (!access(db, F_OK))
    err = mho_store_open(db, MHO_STORE_READ, &store, ei);
  if (err)
    return err;

  err = mho_study_plan(s, r, store, plan, ei);
  mho_store_close(store);
  return err;
}

/* The hashes of the runs that are left to train, a line each. */
static mho_err write_todo(const mho_plan *plan, const char *dir, int *todo, mho_errinfo *ei) {
  FILE *f;
  *todo = 0;
  mho_err err = open_file(dir, "todo.txt", &f, ei);
  if (err)
    return err;

  for (int i = 0; i < plan->n; i++) {
    mho_plan_state state = plan->run[i].state;
    if (state == MHO_PLAN_NEW || state == MHO_PLAN_RESUME) {
      fprintf(f, "%s\n", plan->run[i].hash);
      ++*todo;
    }
  }

  return close_file(f, dir, ei);
}

/* The command of the tasks. */
static void print_program(FILE *f, const mho_slurm_options *o) {
  char exe[PATH_MAX] = "mho";
  if (o->mho) {
    print_word(f, o->mho);
    return;
  }

  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n > 0)
    exe[n] = 0;
  print_word(f, exe);
}

static mho_err write_script(const mho_study *s, const mho_slurm_options *o, const char *dir,
                            int tasks, mho_errinfo *ei) {
  FILE *f;
  mho_err err = open_file(dir, "job.sh", &f, ei);
  if (err)
    return err;

  fprintf(f, "#!/bin/sh\n#SBATCH --job-name=mho\n#SBATCH --array=0-%d\n", tasks - 1);
  fprintf(f, "#SBATCH --cpus-per-task=%d\n#SBATCH --output=\"%s/task-%%a.log\"\n",
          o->jobs * o->threads, dir);
  fprintf(f,
          "# study %s: each task trains every %d-th run of todo.txt into a database of its own\n"
          "dir=",
          s->name, tasks);
  print_word(f, dir);
  fputs("\nexec ", f);
  print_program(f, o);
  fprintf(f,
          " sweep \"$dir/study.yaml\" --only \"$dir/todo.txt\" "
          "--shard \"$SLURM_ARRAY_TASK_ID/%d\" \\\n"
          "  --db \"$dir/shard-$SLURM_ARRAY_TASK_ID.db\" --jobs %d --threads %d\n",
          tasks, o->jobs, o->threads);
  return close_file(f, dir, ei);
}

/* ---------------------------------------------------------------- sbatch */

/* sbatch's words; what does not fit is left out. */
static void make_command(const mho_slurm_options *o, char *script, char *argv[WORDS_MAX]) {
  static char program[] = "sbatch", parsable[] = "--parsable", wait[] = "--wait";
  int n = 0;

  argv[n++] = program;
  argv[n++] = parsable;
  if (o->wait)
    argv[n++] = wait;
  for (int i = 0; i < mho_min(o->n_sbatch, WORDS_MAX - 5); i++)
    argv[n++] = (char *)(uintptr_t)o->sbatch[i];
  argv[n++] = script;
  argv[n] = NULL;
}

/* All that a pipe brings, as text of at most capacity - 1 bytes. */
static void read_pipe(int fd, char *out, size_t capacity) {
  size_t at = 0;
  while (at < capacity - 1) {
    ssize_t got = read(fd, out + at, capacity - 1 - at);
    if (got > 0)
      at += (size_t)got;
    else if (got == 0 || errno != EINTR)
      break;
  }
  out[at] = 0;
}

/* Start a command with its standard output in a pipe. Returns an errno, 0 for success. */
static int start(char *const argv[], pid_t *pid, int *out) {
  posix_spawn_file_actions_t actions;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC))
    return errno;

  int rc = posix_spawn_file_actions_init(&actions);
  if (!rc) {
    rc = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    if (!rc)
      rc = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
  }

  close(ends[1]);
  if (rc)
    close(ends[0]);
  *out = ends[0];
  return rc;
}

/* Run sbatch; its answer is the job's number, and ";cluster" on some sites. */
static mho_err submit(const mho_slurm_options *o, const char *dir, char *job, size_t capacity,
                      mho_errinfo *ei) {
  char script[PATH_MAX + 16], *argv[WORDS_MAX];
  pid_t pid = 0;
  int out = -1, status = 0;
  snprintf(script, sizeof script, "%s/job.sh", dir);
  make_command(o, script, argv);
  int rc = start(argv, &pid, &out);
  if (rc == ENOENT)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "sbatch is not here: run this where Slurm's commands are; '%s' is ready",
                    script);
  if (rc)
    return mho_fail(ei, MHO_EIO, "cannot start sbatch: %s", strerror(rc));

  read_pipe(out, job, capacity);
  close(out);
  job[strcspn(job, "\n;")] = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  /* with --wait sbatch's exit code is that of the tasks: failed runs are in the shards */
  if (!*job || (!o->wait && status))
    return mho_fail(ei, MHO_EIO, "sbatch refused the job '%s': it says why above", script);
  return MHO_OK;
}

/* ---------------------------------------------------------------- the job */

/* The folder of the job, NAME.slurm beside the database, made with all folders above it. */
static mho_err make_folder(const mho_study *s, const char *db, char dir[PATH_MAX],
                           mho_errinfo *ei) {
  char wanted[PATH_MAX];
  const char *slash = strrchr(db, '/');
  int before = slash ? (int)(slash - db + 1) : 0;
  snprintf(wanted, sizeof wanted, "%.*s%s.slurm", before, db, s->name);
  for (char *c = strchr(wanted + 1, '/'); c; c = strchr(c + 1, '/')) {
    *c = 0;
    mkdir(wanted, 0777);
    *c = '/';
  }

  if (mkdir(wanted, 0777) && errno != EEXIST)
    return mho_fail_at(ei, MHO_EIO, wanted, 0, "the folder cannot be made: %s", strerror(errno));
  if (!realpath(wanted, dir))
    return mho_fail_at(ei, MHO_EIO, wanted, 0, "the folder cannot be found: %s", strerror(errno));
  /* it stands in a comment of the script, which a line feed would end */
  return mho_text_is_plain(dir) ? MHO_OK : mho_name_check("the job's folder", dir, ei);
}

/* The list of runs and the study, by what is known after merging the shards of earlier jobs. */
static mho_err prepare(const mho_study *s, const mho_registry *r, const char *db, const char *dir,
                       int *runs, mho_errinfo *ei) {
  mho_plan plan = {0};
  int merged;
  mho_err err = mho_slurm_merge(db, dir, &merged, ei);
  if (!err)
    err = make_plan(s, r, db, &plan, ei);
  if (!err)
    err = write_todo(&plan, dir, runs, ei);
  if (!err)
    err = write_study(s, dir, ei);
  mho_plan_free(&plan);
  return err;
}

mho_err mho_slurm_launch(const mho_study *s, const mho_registry *r, const mho_slurm_options *o,
                         mho_slurm_result *result, mho_errinfo *ei) {
  *result = (mho_slurm_result){0};
  mho_err err = make_folder(s, o->db, result->dir, ei);
  if (!err)
    err = prepare(s, r, o->db, result->dir, &result->runs, ei);
  if (err || !result->runs)
    return err;

  result->tasks = mho_min(o->tasks, result->runs);
  err = write_script(s, o, result->dir, result->tasks, ei);
  if (!err)
    err = submit(o, result->dir, result->job, sizeof result->job, ei);
  if (!err && o->wait)
    err = mho_slurm_merge(o->db, result->dir, &result->merged, ei);
  return err;
}
