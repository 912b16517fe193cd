/* cmd_sweep.c - mho sweep: many runs that answer one question.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/version.h"
#include "mho/model/num.h"
#include "mho/study.h"

typedef struct options {
  common_options common;
  mho_study_options sweep;
  const char *study, *only;
  bool plan, slurm;
  mho_slurm_options cluster;
  const char *sbatch[32]; /**< [cluster.n_sbatch] */
} options;

enum {
  KEY_JOBS = 'j',
  KEY_PLAN = OPTION_VERB,
  KEY_RESUME,
  KEY_RETRY,
  KEY_AGAIN,
  KEY_SHARD,
  KEY_ONLY,
  KEY_LAUNCHER,
  KEY_TASKS,
  KEY_WAIT,
  KEY_SBATCH
};

static const struct argp_option option_table[] = {
    {"jobs", KEY_JOBS, "N", 0, "runs at a time, each a process (default: one per processor)", 0},
    OPT_SET,
    OPT_DB,
    {"threads", OPTION_THREADS, "N", 0, "threads of each run (default 1)", 0},
    {"plan", KEY_PLAN, NULL, 0, "print the runs and train nothing", 0},
    {"resume", KEY_RESUME, NULL, 0, "go on where a study was cut off; it does so by itself, too",
     0},
    {"retry", KEY_RETRY, NULL, 0, "go on with runs that failed or were stopped early, too", 0},
    {"again", KEY_AGAIN, NULL, 0, "train everything once more, as new runs", 0},
    {"shard", KEY_SHARD, "I/N", 0, "only every N-th run, from the I-th (0 to N-1)", 0},
    {"only", KEY_ONLY, "FILE", 0, "only the runs whose config hashes FILE lists", 0},
    {"launcher", KEY_LAUNCHER, "local|slurm", 0, "local, or slurm: write and submit an array job",
     0},
    {"tasks", KEY_TASKS, "N", 0, "slurm: tasks of the job (default 16, never more than runs)", 0},
    {"wait", KEY_WAIT, NULL, 0, "slurm: wait for the job and merge its shards", 0},
    {"sbatch", KEY_SBATCH, "WORD", 0,
     "slurm: a word more for sbatch, such as --partition=long; repeatable", 0},
    OPT_JSON,
    {0}};

/* "I/N", which is cut in two. */
static void take_shard(mho_study_options *o, char *text, struct argp_state *state) {
  char *slash = strchr(text, '/');
  if (!slash)
    argp_error(state, "--shard: '%s' is not I/N, for example 0/8", text);
  o->shards = (int)option_number(state, "shard", slash + 1, 1, 1000000);
  *slash = 0;
  o->shard = (int)option_number(state, "shard", text, 0, o->shards - 1);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
  static const char *const launchers[] = {"local", "slurm"};
  options *o = state->input;

  switch (key) {
  case KEY_JOBS:
    o->sweep.jobs = (int)option_number(state, "jobs", arg, 1, 4096);
    return 0;
  case KEY_PLAN:
    o->plan = true;
    return 0;
  case KEY_RESUME: /* it does so by itself */
    return 0;
  case KEY_RETRY:
    o->sweep.retry = true;
    return 0;
  case KEY_AGAIN:
    o->sweep.again = true;
    return 0;
  case KEY_SHARD:
    take_shard(&o->sweep, arg, state);
    return 0;
  case KEY_ONLY:
    o->only = arg;
    return 0;

  case KEY_LAUNCHER:
    option_choice(state, "launcher", arg, MHO_COUNT(launchers), launchers);
    o->slurm = !strcmp(arg, "slurm");
    return 0;
  case KEY_TASKS:
    o->cluster.tasks = (int)option_number(state, "tasks", arg, 1, 100000);
    return 0;
  case KEY_WAIT:
    o->cluster.wait = true;
    return 0;
  case KEY_SBATCH:
    if (o->cluster.n_sbatch == MHO_COUNT(o->sbatch))
      argp_error(state, "more than %d words for sbatch", MHO_COUNT(o->sbatch));
    o->sbatch[o->cluster.n_sbatch++] = arg;
    return 0;

  case ARGP_KEY_ARG:
    if (o->study)
      argp_error(state, "one STUDY, not also '%s'", arg);
    o->study = arg;
    return 0;
  case ARGP_KEY_END:
    if (!o->study)
      argp_error(state, "which study? a YAML file");
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

VERB_ARGP(
    "STUDY",
    "Train what a study lacks: a grid, a list or samples over config keys, times seeds.\v"
    "A study is a YAML file:\n"
    "  study: noise                      # its name; default: the file's\n"
    "  base: quickstart.yaml             # a config beside it, or its sections right here\n"
    "  set: {train.epochs: 10}           # on top of the base\n"
    "  points:                           # what each of a list sets; crossed with vary\n"
    "    - {device: linear}\n"
    "    - {device: soft_bounds, update.scheme: accumulate}\n"
    "  vary:\n"
    "    network.hidden: [[64], [64, 16]]\n"
    "    array.read_noise: {from: 1e-4, to: 1e-2, steps: 5, scale: log}\n"
    "    device.step_up, device.step_down: [0.001, 0.002]    # set together\n"
    "  design: grid                      "
    "# or random, latin, sobol, with samples: N (and design_seed)\n"
    "  seeds: 3                          # 1, 2, 3; or a list\n"
    "  stop: {rule: median, after: 5, runs: 5, margin: 0}    "
    "# end runs early that are below the median of the others by validation (else training) "
    "accuracy, or loss where targets are values\n\n"
    "Examples:\n"
    "  mho sweep noise.yaml --plan\n"
    "  mho sweep noise.yaml --jobs 2\n\n"
    "  mho sweep noise.yaml --launcher slurm --tasks 32 --wait\n\n"
    "On a cluster each task of the job writes a database of its own beside --db, in NAME.slurm "
    "(SQLite files are not shared over a network file system); --wait, or the same command "
    "once more, or 'mho db merge' joins them.\n\n"
    "Killed at any moment, the same command goes on; a config that the database has is not "
    "trained again. Exit code 0 done, 1 some runs failed (recorded; the rest went on), 2 bad "
    "input, 130 interrupted (saved).");

/* ---------------------------------------------------------------- the plan */

static void duration(double s, char *buf, size_t n) {
  if (!isfinite(s))
    snprintf(buf, n, "?");
  else if (s < 60)
    snprintf(buf, n, "%.*f s", s < 10 ? 1 : 0, s);
  else if (s < 3600)
    snprintf(buf, n, "%d min %d s", (int)s / 60, (int)s % 60);
  else
    snprintf(buf, n, "%d h %d min", (int)(s / 3600), (int)s / 60 % 60);
}

/* Whether a run of the plan is still to be trained. */
static bool is_open(const mho_plan_run *r) {
  return r->state == MHO_PLAN_NEW || r->state == MHO_PLAN_RESUME;
}

static void plan_row(table *t, int number, const mho_plan_run *r) {
  char n[16], seed[32], time[32] = "";
  snprintf(n, sizeof n, "%d", number);
  snprintf(seed, sizeof seed, "%lld", (long long)r->seed);
  if (is_open(r) && isfinite(r->predicted_s))
    duration(r->predicted_s, time, sizeof time);
  table_row(t, (const char *[]){n, mho_plan_state_word(r->state), r->label, seed, time, r->id});
}

/* "4 points, 12 runs, 3 done, 9 new; about 2 min 10 s to go" */
static void plan_summary(const options *o, const mho_plan *p) {
  int count[MHO_PLAN_STATES] = {0};
  double left = 0;

  for (int i = 0; i < p->n; i++) {
    count[p->run[i].state]++;
    if (is_open(&p->run[i]))
      left += p->run[i].predicted_s;
  }

  printf("%d points, %d runs", p->n_points, p->n);
  for (int s = 0; s < MHO_PLAN_STATES; s++)
    if (count[s])
      printf(", %d %s", count[s], mho_plan_state_word((mho_plan_state)s));
  if (p->repeated)
    printf("; %d configs came out twice and are in it once", p->repeated);

  char text[32];
  duration(left / (o->sweep.jobs ? o->sweep.jobs : mho_processors()), text, sizeof text);
  if (isfinite(left) && count[MHO_PLAN_NEW] + count[MHO_PLAN_RESUME])
    printf("; about %s to go", text);
  putchar('\n');
}

static void plan_table(const options *o, const mho_plan *p) {
  static const char *const names[] = {"RUN", "STATE", "SETS", "SEED", "TIME", "ID"};
  table *t = table_new(6, names);

  table_right(t, 0);
  table_right(t, 3);
  table_right(t, 4);
  for (int i = 0; i < p->n; i++)
    plan_row(t, i + 1, &p->run[i]);
  table_print(t);
  plan_summary(o, p);
}

static void plan_json(const mho_plan *p) {
  for (int i = 0; i < p->n; i++) {
    const mho_plan_run *r = &p->run[i];
    print_json_line(json_pack("{ss si ss ss sI ss so ss}", "event", "plan", "point", r->point,
                              "state", mho_plan_state_word(r->state), "sets", r->label, "seed",
                              (json_int_t)r->seed, "config_hash", r->hash, "predicted_s",
                              number_or_null(r->predicted_s), "run", r->id),
                    JSON_DIGITS);
  }
}

static mho_err print_plan(const options *o, const mho_study *study, const environment *s,
                          mho_errinfo *ei) {
  mho_store *store = NULL;
  mho_plan p;
  mho_err err = MHO_OK;
  if (!access(o->sweep.db, F_OK))
    err = mho_store_open(o->sweep.db, MHO_STORE_READ, &store, ei);
  if (!err)
    err = mho_study_plan(study, s->registry, store, &p, ei);
  if (!err) {
    if (o->common.json)
      plan_json(&p);
    else
      plan_table(o, &p);
    name_idle_of_plan(&p);
    mho_plan_free(&p);
  }

  mho_store_close(store);
  return err;
}

/* ---------------------------------------------------------------- progress */

static void event_json(void *user, const mho_study_event *e) {
  static const char *const words[] = {
      [MHO_STUDY_STARTED] = "started", [MHO_STUDY_EPOCH] = "epoch", [MHO_STUDY_ENDED] = "ended"};
  if (e->what == MHO_STUDY_PLANNED)
    name_idle_of_plan(e->plan);
  if (!e->run)
    return;

  json_t *o = json_pack("{ss ss ss sI ss si si si so}", "event", words[e->what], "run", e->run->id,
                        "sets", e->run->label, "seed", (json_int_t)e->run->seed, "config_hash",
                        e->run->hash, "ended", e->ended, "failed", e->failed, "total", e->total,
                        "left_s", number_or_null(e->left_s));

  if (e->what != MHO_STUDY_STARTED) {
    json_object_set_new(o, "epoch", json_integer(e->epoch));
    json_object_set_new(o, "train_acc", number_or_null(e->train_acc));
    json_object_set_new(o, "test_acc", number_or_null(e->test_acc));
    if (isfinite(e->test_loss))
      json_object_set_new(o, "test_loss", json_real(e->test_loss));
    json_object_set_new(o, "wall_s", number_or_null(e->wall_s));
  }
  if (e->what == MHO_STUDY_ENDED)
    json_object_set_new(o, "state", json_string(mho_plan_state_word(e->run->state)));
  if (e->error)
    json_object_set_new(o, "error", json_string(e->error));
  print_json_line(o, JSON_DIGITS);
}

/* One line that is written over on a terminal. */
static void show_line(const mho_study_event *e) {
  char bar[25], left[32];
  bar_text(e->ended, e->total, sizeof bar, bar);
  duration(e->left_s, left, sizeof left);
  fprintf(stderr, "\r[%s] %d/%d, %d running%s", bar, e->ended, e->total, e->running,
          e->failed ? "" : ", ");
  if (e->failed)
    fprintf(stderr, ", %d failed, ", e->failed);
  fprintf(stderr, "%s left\033[K", left);
  fflush(stderr);
}

static void print_ended(const mho_study_event *e) {
  char accuracy[32] = "", time[32] = "";
  if (isfinite(e->test_acc))
    snprintf(accuracy, sizeof accuracy, "%6.2f %%", 100 * e->test_acc);
  else if (isfinite(e->test_rms))
    snprintf(accuracy, sizeof accuracy, "rms %.4g", e->test_rms);
  if (isfinite(e->wall_s))
    duration(e->wall_s, time, sizeof time);

  printf("%5d/%d %-9s %s seed %lld  %s %s  %s", e->ended, e->total,
         mho_plan_state_word(e->run->state), e->run->label, (long long)e->run->seed, accuracy, time,
         e->run->id);
  if (e->error)
    printf("  %s", e->error);
  putchar('\n');
  fflush(stdout);
}

static void event_text(void *user, const mho_study_event *e) {
  bool terminal = isatty(STDERR_FILENO);
  if (e->what == MHO_STUDY_PLANNED) {
    name_idle_of_plan(e->plan);
    return;
  }

  if (e->what == MHO_STUDY_ENDED) {
    if (terminal)
      fprintf(stderr, "\r\033[K");
    print_ended(e);
  }
  if (terminal)
    show_line(e);
}

/* ---------------------------------------------------------------- the result */

static void summary_json(const mho_study *study, const mho_study_result *r) {
  print_json_line(json_pack("{ss ss si si si si si si si sf}", "event", "done", "study",
                            mho_study_name(study), "total", r->total, "present", r->present,
                            "completed", r->completed, "diverged", r->diverged, "stopped",
                            r->stopped, "failed", r->failed, "interrupted", r->cut, "wall_s",
                            r->wall_s),
                  JSON_DIGITS);
}

static void summary_text(const options *o, const mho_study *study, const mho_study_result *r) {
  const struct {
    int n;
    const char *word;
  } counts[] = {{r->completed, "completed"},   {r->diverged, "diverged"},
                {r->stopped, "stopped early"}, {r->failed, "failed"},
                {r->cut, "interrupted"},       {r->present, "there already"}};
  const char *name = mho_study_name(study);
  char time[32];
  bool any = false;

  duration(r->wall_s, time, sizeof time);

  printf("study %s, %d runs: ", name, r->total);
  for (int i = 0; i < MHO_COUNT(counts); i++) {
    if (!counts[i].n)
      continue;
    printf("%s%d %s", any ? ", " : "", counts[i].n, counts[i].word);
    any = true;
  }
  printf("%s; %s\n", any ? "" : "nothing to do", time);
  printf("see it with: mho query \"SELECT * FROM v_study WHERE study = '%s'\"", name);
  end_command(&o->common);
}

static void print_summary(const options *o, const mho_study *study, const mho_study_result *r) {
  if (o->common.json) {
    summary_json(study, r);
    return;
  }
  if (isatty(STDERR_FILENO))
    fprintf(stderr, "\r\033[K");
  summary_text(o, study, r);
}

/* ---------------------------------------------------------------- where */

/* What became of a job of the cluster. */
static void print_launched(const options *o, const mho_study *study, const mho_slurm_result *r) {
  const char *name = mho_study_name(study);
  if (o->common.json)
    print_json_line(json_pack("{ss ss ss ss si si si}", "event", "submitted", "study", name, "job",
                              r->job, "folder", r->dir, "runs", r->runs, "tasks", r->tasks,
                              "merged", r->merged),
                    JSON_DIGITS);
  else if (!r->runs)
    printf("study %s: nothing is left to train\n", name);
  else if (o->cluster.wait)
    printf("job %s trained %d of %d runs in %d tasks; merged into %s\n", r->job, r->merged, r->runs,
           r->tasks, o->sweep.db);
  else
    printf("job %s: %d runs in %d tasks, in %s\nwhen it is done: mho db merge %s %s/shard-*.db\n",
           r->job, r->runs, r->tasks, r->dir, o->sweep.db, r->dir);
}

static mho_err launch(options *o, const mho_study *study, const environment *s, mho_errinfo *ei) {
  mho_slurm_result r;

  o->cluster.db = o->sweep.db;
  o->cluster.jobs = o->sweep.jobs ? o->sweep.jobs : 1;
  o->cluster.threads = o->sweep.threads;
  o->cluster.sbatch = o->sbatch;
  if (!o->cluster.tasks)
    o->cluster.tasks = 16;

  mho_err err = mho_slurm_launch(study, s->registry, &o->cluster, &r, ei);
  if (!err)
    print_launched(o, study, &r);
  return err;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The words of a text, which is cut into them; NULL where there are none, or with err without
 * memory. */
static const char **split(char *text, int *n, mho_err *err, mho_errinfo *ei) {
  const char **list = NULL;
  char *save = NULL;

  *n = 0;
  for (char *word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
    const char **grown = realloc(list, ((size_t)*n + 1) * sizeof *grown);
    if (!grown) {
      free(list);
      *err = mho_fail(ei, MHO_ENOMEM, "no memory for the list of runs");
      return NULL;
    }
    list = grown;
    list[(*n)++] = word;
  }
  return list;
}

/* The hashes of a file, sorted, into o->only; free that and the text. */
static mho_err read_hashes(const char *path, mho_study_options *o, char **text, mho_errinfo *ei) {
  size_t capacity = 0;
  mho_err err = MHO_OK;
  int n = 0;
  FILE *f = fopen(path, "r");
  if (!f)
    return mho_fail_at(ei, MHO_EIO, path, 0, "cannot read the list of runs");
  ssize_t length = getdelim(text, &capacity, 0, f);
  fclose(f);

  const char **list = length < 0 ? NULL : split(*text, &n, &err, ei);
  if (!err && !list)
    err = mho_fail_at(ei, MHO_EINVAL, path, 0, "lists no runs");
  if (err)
    return err;
  qsort(list, (size_t)n, sizeof *list, by_text);
  o->only = list;
  o->n_only = n;
  return MHO_OK;
}

/* Train what the study lacks on this machine. */
static mho_err train(options *o, const mho_study *study, const environment *s,
                     mho_study_result *result, mho_errinfo *ei) {
  char *text = NULL;
  mho_err err = o->only ? read_hashes(o->only, &o->sweep, &text, ei) : MHO_OK;
  if (!err) {
    warn_slow_kernels(s);
    o->sweep.event = o->common.json ? event_json : event_text;
    err = mho_study_train(&s->ctx, study, s->registry, &o->sweep, result, ei);
  }
  if (result->total)
    print_summary(o, study, result);

  free((void *)(uintptr_t)o->sweep.only);
  free(text);
  return err;
}

static mho_err sweep(options *o, const environment *s, mho_study_result *result, mho_errinfo *ei) {
  mho_study *study = NULL;
  mho_err err = mho_study_read(s->registry, o->study, o->common.n_set, o->common.set, &study, ei);
  if (!err && o->plan)
    err = print_plan(o, study, s, ei);
  else if (!err && o->slurm)
    err = launch(o, study, s, ei);
  else if (!err)
    err = train(o, study, s, result, ei);

  mho_study_free(study);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.sweep = {.threads = 1, .code_version = MHO_CODE_VERSION}};
  parse_options(&argp, argc, argv, &o);
  o.sweep.db = database_path(&o.common);
  if (o.common.threads)
    o.sweep.threads = o.common.threads;

  environment s;
  mho_errinfo ei = {0};
  mho_study_result result = {0};
  mho_err err = environment_open(&s, -1, &ei); /* no threads: workers are made by fork */
  if (!err)
    err = sweep(&o, &s, &result, &ei);
  environment_close(&s);
  if (err)
    return report_error(err, &ei);
  return result.failed ? EXIT_FAILED : EXIT_DONE;
}

const verb verb_sweep = {"sweep", "train what a study lacks: grids, lists, samples, times seeds",
                         &argp, run};
