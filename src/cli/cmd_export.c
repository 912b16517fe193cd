/* cmd_export.c - mho export: runs as a file that other databases import.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/subject.h"
#include "mho/model/check.h"
#include "mho/model/rule.h"

typedef struct options {
  common_options common;
  const char *csv, *weights, *format;
  bool best;
  mho_export_options export;
} options;

enum {
  KEY_CSV = OPTION_VERB,
  KEY_ALL,
  KEY_CHECKPOINTS,
  KEY_TABLES,
  KEY_WEIGHTS,
  KEY_FORMAT,
  KEY_BEST
};
static const struct argp_option option_table[] = {
    OPT_DB,
    OPT_OUT("the file to write (default: the terminal); compressed when it ends in .gz"),
    {"all", KEY_ALL, NULL, 0, "every run of the database", 0},
    {"checkpoints", KEY_CHECKPOINTS, NULL, 0,
     "checkpoints and kept files, too, and runs that are not finished: they go on elsewhere", 0},
    {"tables", KEY_TABLES, "NAME,...", 0,
     "of what belongs to a run only these tables, or none (default: all but settle_sample "
     "and prediction)",
     0},
    {"csv", KEY_CSV, "TABLE", 0,
     "a table of these runs as CSV instead: run, epoch, layer_epoch, ...", 0},
    {"weights", KEY_WEIGHTS, "FOLDER|FILE", 0,
     "of one run the weights and the conductances (S) of every cell, a file a matrix, instead; or "
     "the network for other programs, as FILE.npz, FILE.safetensors or FILE.onnx",
     0},
    {"format", KEY_FORMAT, "npy|csv", 0, "of these files (default npy)", 0},
    {"best", KEY_BEST, NULL, 0, "of the best epoch instead of the last", 0},
    {0}};

static void check_options(const options *o, struct argp_state *state) {
  if (!o->common.n_words && !o->export.all)
    argp_error(state, "export which runs? ids, names, a study, or --all");
  if (o->common.n_words && o->export.all)
    argp_error(state, "either --all or '%s'", o->common.word[0]);
  if (o->weights && o->common.n_words != 1)
    argp_error(state, "--weights: of one RUN");
  if (o->weights && o->format && mho_network_file_is(o->weights))
    argp_error(state, "--format: the name '%s' says it", o->weights);

  bool runs = !o->weights && !o->csv;
  option_use use[] = {
      {"csv", o->csv, !o->weights, "runs, and not with --weights"},
      {"out", o->common.out, !o->weights, "runs (--weights says where itself)"},
      {"tables", o->export.tables, runs, "runs as a file for other databases"},
      {"checkpoints", o->export.checkpoints, runs, "runs as a file for other databases"},
      {"best", o->best, o->weights, "--weights"},
      {"format", o->format, o->weights, "--weights"}};
  check_uses(MHO_COUNT(use), use, state);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
  static const char *const formats[] = {"npy", "csv"};
  options *o = state->input;

  switch (key) {
  case KEY_ALL:
    o->export.all = true;
    return 0;
  case KEY_CHECKPOINTS:
    o->export.checkpoints = true;
    return 0;
  case KEY_TABLES:
    o->export.tables = arg;
    return 0;
  case KEY_CSV:
    o->csv = arg;
    return 0;
  case KEY_WEIGHTS:
    o->weights = arg;
    return 0;
  case KEY_FORMAT:
    o->format = option_choice(state, "format", arg, MHO_COUNT(formats), formats);
    return 0;
  case KEY_BEST:
    o->best = true;
    return 0;

  case ARGP_KEY_END:
    check_options(o, state);
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

VERB_ARGP(
    "RUN...\nSTUDY",
    "Write runs into a file: config, epochs, results, circuit checks and the studies they "
    "belong to.\v"
    "'mho import' takes such a file into another database, as often as one likes: a run that "
    "is there is not taken twice, a sweep or script that finds its runs there does not train "
    "them again. JSON Lines, small enough for version control. A name that both a study and "
    "a run have means the study. Unfinished runs are left out unless --checkpoints.\n\n"
    "Examples:\n"
    "  mho export noise -o noise.jsonl.gz\n"
    "  mho export --all --tables none -o results.jsonl\n"
    "  mho export first second --csv epoch -o curves.csv\n"
    "  mho export first --weights first.weights      "
    "# numpy.load('first.weights/h1-out.g_pos.npy')\n"
    "  mho export first --weights first.onnx         # what reads multiply with, for PyTorch\n"
    "  mho train --from first.weights");

/* ---------------------------------------------------------------- what is exported */

/* What the words name. */
typedef struct chosen {
  char (*id)[MHO_ID_MAX]; /**< of the runs, [n] */
  const char **ids;       /**< the same, as the store takes them */
  int n;
  char study[MHO_STUDY_NAME_MAX]; /**< "": none */
} chosen;

static bool chosen_new(chosen *c, int n_words) {
  *c = (chosen){.id = calloc((size_t)n_words + 1, sizeof *c->id),
                .ids = calloc((size_t)n_words + 1, sizeof *c->ids)};
  return c->id && c->ids;
}

static void chosen_free(chosen *c) {
  free(c->id);
  free(c->ids);
}

/* A word is a study before it is a run; one study at most. */
static mho_err choose(mho_store *s, const char *word, chosen *c, mho_errinfo *ei) {
  char study[MHO_STUDY_NAME_MAX];
  if (!mho_store_study_find(s, word, study, NULL)) {
    if (*c->study)
      return mho_fail(ei, MHO_EINVAL, "one study at a time, not also '%s'", study);
    strcpy(c->study, study);
    return MHO_OK;
  }

  mho_err err = mho_store_find(s, word, c->id[c->n], ei);
  if (!err) {
    c->ids[c->n] = c->id[c->n];
    c->n++;
  }
  return err;
}

static mho_err choose_all(const options *o, mho_store *s, chosen *c, mho_errinfo *ei) {
  for (int i = 0; i < o->common.n_words; i++) {
    mho_err err = choose(s, o->common.word[i], c, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- as CSV */

static mho_err check_table(const char *name, mho_errinfo *ei) {
  static const char *const tables[] = {"run",           "epoch",        "layer_epoch",
                                       "settle",        "energy_epoch", "control",
                                       "settle_sample", "prediction",   "cosim"};
  char known[256] = "";

  for (int i = 0; i < MHO_COUNT(tables); i++) {
    if (!strcmp(name, tables[i]))
      return MHO_OK;
    mho_text_append(known, sizeof known, "%s%s", i ? ", " : "", tables[i]);
  }
  return mho_fail(ei, MHO_EINVAL, "--csv: there is no table '%s'; there are %s", name, known);
}

/* The records of the chosen runs in a table; ?1 is the study. Free with free(). */
static char *table_sql(const options *o, const chosen *c) {
  bool run = !strcmp(o->csv, "run");
  const char *key = run ? "id" : "run_id";
  size_t size = 512 + (size_t)c->n * (MHO_ID_MAX + 16) + 2 * strlen(c->study);
  char *sql = malloc(size);
  if (!sql)
    return NULL;

  snprintf(sql, size, "SELECT * FROM %s WHERE ?1 = ?1", run ? "v_run" : o->csv);
  if (!o->export.all) {
    mho_text_append(sql, size, " AND (%s IN (SELECT run_id FROM study_run WHERE study = ?1)", key);
    for (int i = 0; i < c->n; i++) /* ids are letters and digits */
      mho_text_append(sql, size, " OR %s = '%s'", key, c->ids[i]);
    mho_text_append(sql, size, ")");
  }
  mho_text_append(sql, size, " ORDER BY %s", key);
  return sql;
}

/* A table of the chosen runs as CSV, to the terminal or into the file. */
static mho_err export_csv(const options *o, mho_store *s, const chosen *c, mho_errinfo *ei) {
  const char *out = o->common.out, *study = c->study;
  mho_err err = check_table(o->csv, ei);
  if (err)
    return err;
  char *sql = table_sql(o, c);
  if (!sql)
    return mho_fail(ei, MHO_ENOMEM, "no memory to export");

  /* a query prints to standard output, which is the file from here on */
  out_file file = {.f = NULL};
  if (out)
    file = open_out(out, &err, ei);
  if (!err && out && dup2(mho__whole_descriptor(&file.file), STDOUT_FILENO) < 0)
    err = mho_fail_at(ei, MHO_EIO, out, 0, "cannot be written: %s", strerror(errno));
  if (!err)
    err = print_query(s, sql, 1, &study, 0, FORMAT_CSV, NULL, ei);

  err = close_out(&(out_file){.f = stdout}, err, ei);
  err = close_out(&file, err, ei);

  free(sql);
  return err;
}

/* ---------------------------------------------------------------- as weights, as JSON Lines */

/* Say where a file that passes forward does not answer as the run does. */
static void note_what_is_left_out(const mho_experiment *e) {
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  const mho_dynamics *dynamics = (const mho_dynamics *)e->dynamics.entry;
  if (dynamics->resistors)
    fprintf(stderr,
            "note: the weights are conductances of a network of resistors, which answers as "
            "no network that passes forward does\n");
  else if (!rule->feed_forward)
    fprintf(stderr,
            "note: the file has no feedback: rule %s settles with feedback.scale %.3g, so that "
            "the run's own answers may differ a little\n",
            rule->entry.id, e->feedback.scale);
}

static mho_err export_weights(const options *o, mho_errinfo *ei) {
  environment s;
  subject x = {0};
  const char *checkpoint = o->best ? "best" : "last";

  mho_err err = environment_open(&s, -1, ei);
  if (err)
    return err;

  err = subject_load_run(&s, &o->common, o->common.word[0], MHO_STORE_READ, checkpoint, &x, ei);
  bool is_file = mho_network_file_is(o->weights);
  if (!err && is_file)
    err = mho_trainer_network_write(x.t, o->weights, ei);
  else if (!err)
    err = mho_trainer_weights_write(x.t, o->weights, o->format && !strcmp(o->format, "csv"), ei);
  if (!err && is_file)
    note_what_is_left_out(x.e);
  if (!err)
    printf("wrote the weights of run %s after epoch %d into %s\n", x.id, x.epoch, o->weights);

  subject_close(&x);
  environment_close(&s);
  return err;
}

static mho_err export_lines(options *o, mho_store *s, const chosen *c, mho_errinfo *ei) {
  const char *out = o->common.out;
  mho_export_result r = {0};

  o->export.study = *c->study ? c->study : NULL;
  mho_err err = mho_store_export(s, c->n, c->ids, &o->export, out ? out : "/dev/stdout", &r, ei);
  if (err)
    return err;

  if (r.unfinished)
    fprintf(stderr,
            "note: %d unfinished run%s left out; --checkpoints takes them with their state\n",
            r.unfinished, r.unfinished == 1 ? " was" : "s were");
  if (r.escaped)
    fprintf(stderr, "note: %d text%s no UTF-8; those bytes are written as \\xNN\n", r.escaped,
            r.escaped == 1 ? " is" : "s are");
  if (out)
    printf("wrote %d run%s into %s\n", r.runs, r.runs == 1 ? "" : "s", out);
  return MHO_OK;
}

static mho_err export_runs(options *o, mho_errinfo *ei) {
  chosen c;
  mho_store *s = NULL;
  mho_err err = MHO_OK;
  if (!chosen_new(&c, o->common.n_words))
    err = mho_fail(ei, MHO_ENOMEM, "no memory to export");
  if (!err)
    err = open_database(&o->common, MHO_STORE_READ, &s, ei);
  if (!err)
    err = choose_all(o, s, &c, ei);
  if (!err)
    err = o->csv ? export_csv(o, s, &c, ei) : export_lines(o, s, &c, ei);

  mho_store_close(s);
  chosen_free(&c);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.common.max_words = INT_MAX};
  parse_options(&argp, argc, argv, &o);
  mho_errinfo ei = {0};
  mho_err err = o.weights ? export_weights(&o, &ei) : export_runs(&o, &ei);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_export = {"export", "runs as a file for other databases, or as CSV", &argp, run};
