/* cmd_export.c - mho export: runs as a file that other databases import.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "mho/train.h"

typedef struct options {
  common_options common;
  const char **word; /* [n_words] */
  int n_words;
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
     "of what belongs to a run only these tables, or none (default: all but settle_sample)", 0},
    {"csv", KEY_CSV, "TABLE", 0,
     "a table of these runs as CSV instead: run, epoch, layer_epoch, ...", 0},
    {"weights", KEY_WEIGHTS, "FOLDER", 0,
     "of one run the weights and the conductances (S) of every cell, a file a matrix, instead", 0},
    {"format", KEY_FORMAT, "npy|csv", 0, "of these files (default npy)", 0},
    {"best", KEY_BEST, NULL, 0, "of the best epoch instead of the last", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
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
    if (strcmp(arg, "npy") && strcmp(arg, "csv"))
      argp_error(state, "--format: '%s' is not npy or csv", arg);
    o->format = arg;
    return 0;
  case KEY_BEST:
    o->best = true;
    return 0;
  case ARGP_KEY_ARG: {
    const char **more = realloc(o->word, (size_t)(o->n_words + 1) * sizeof *more);
    if (!more)
      argp_failure(state, EXIT_FAILED, 0, "out of memory");
    o->word = more;
    o->word[o->n_words++] = arg;
    return 0;
  }
  case ARGP_KEY_END:
    if (!o->n_words && !o->export.all)
      argp_error(state, "export which runs? ids, names, a study, or --all");
    if (o->n_words && o->export.all)
      argp_error(state, "either --all or '%s'", o->word[0]);
    if (o->weights && o->n_words != 1)
      argp_error(state, "--weights: of one RUN");
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {
    option_table,
    parse,
    "RUN...\nSTUDY",
    "Write runs into a file: config, epochs, results, circuit checks and the studies they belong to.\v"
    "'mho import' takes such a file into another database, as often as one likes: a run that is there is not "
    "taken "
    "twice, a sweep or script that finds its runs there does not train them again. JSON Lines, small enough "
    "for "
    "version control. A name that both a study and a run have means the study. Unfinished runs are left out "
    "unless --checkpoints.\n\n"
    "Examples:\n"
    "  mho export noise -o noise.jsonl.gz\n"
    "  mho export --all --tables none -o results.jsonl\n"
    "  mho export first second --csv epoch -o curves.csv\n"
    "  mho export first --weights first.weights      # numpy.load('first.weights/h1-out.g_pos.npy')\n"
    "  mho train --from first.weights",
    NULL,
    NULL,
    NULL};

/* What the words name: ids of runs, [n], and at most one study. */
static mho_err resolve(options *o, mho_store *s, char (*id)[MHO_ID_MAX], const char **ids, int *n,
                       char *study, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  *n = 0;
  for (int i = 0; i < o->n_words && !err; i++) {
    char name[MHO_STUDY_NAME_MAX];
    if (mho_store_study_find(s, o->word[i], name, NULL)) {
      if (!(err = mho_store_find(s, o->word[i], id[*n], ei))) {
        ids[*n] = id[*n];
        ++*n;
      }
    } else if (o->export.study) {
      err = mho_fail(ei, MHO_EINVAL, "one study at a time, not also '%s'", name);
    } else
      o->export.study = strcpy(study, name);
  }
  return err;
}

/* A table of the chosen runs as CSV, to the terminal or into the file. */
static mho_err export_csv(const options *o, mho_store *s, int n, const char *const *ids,
                          mho_errinfo *ei) {
  static const char *const tables[] = {"run",          "epoch",         "layer_epoch", "settle",
                                       "energy_epoch", "settle_sample", "cosim"};
  char known[256] = "";
  bool found = false;
  for (int i = 0; i < MHO_COUNT(tables); i++) {
    found |= !strcmp(o->csv, tables[i]);
    mho_text_append(known, sizeof known, "%s%s", i ? ", " : "", tables[i]);
  }
  if (!found)
    return mho_fail(ei, MHO_EINVAL, "--csv: there is no table '%s'; there are %s", o->csv, known);
  bool run = !strcmp(o->csv, "run");
  const char *key = run ? "id" : "run_id";
  size_t size =
      512 + (size_t)n * (MHO_ID_MAX + 16) + (o->export.study ? 2 * strlen(o->export.study) : 0);
  char *sql = malloc(size);
  if (!sql)
    return mho_fail(ei, MHO_ENOMEM, "no memory to export");
  snprintf(sql, size, "SELECT * FROM %s WHERE ?1 = ?1", run ? "v_run" : o->csv);
  if (!o->export.all) {
    mho_text_append(sql, size, " AND (%s IN (SELECT run_id FROM study_run WHERE study = ?1)", key);
    for (int i = 0; i < n; i++) /* ids are letters and digits */
      mho_text_append(sql, size, " OR %s = '%s'", key, ids[i]);
    mho_text_append(sql, size, ")");
  }
  mho_text_append(sql, size, " ORDER BY %s", key);
  mho_err err = MHO_OK;
  if (o->common.out && !freopen(o->common.out, "w", stdout))
    err = mho_fail_at(ei, MHO_EIO, o->common.out, 0, "cannot be written");
  const char *arg = o->export.study ? o->export.study : "";
  if (!err)
    err = print_query(s, sql, 1, &arg, 0, FORMAT_CSV, NULL, ei);
  if (!err && (fflush(stdout) || ferror(stdout)))
    err =
        mho_fail_at(ei, MHO_EIO, o->common.out ? o->common.out : "stdout", 0, "cannot be written");
  free(sql);
  return err;
}

/* A run's network as files. */
static mho_err export_weights(const options *o, mho_store *s, mho_errinfo *ei) {
  session ses;
  char id[MHO_ID_MAX];
  mho_checkpoint_row c = {0};
  mho_experiment *e = NULL;
  mho_trainer *t = NULL;
  mho_err err = session_open(&ses, -1, ei);
  if (!err)
    err = mho_store_find(s, o->word[0], id, ei);
  if (!err)
    err = mho_store_checkpoint_get(s, id, o->best ? "best" : "last", &c, ei);
  if (!err)
    err = mho_train_stored_experiment(s, ses.registry, id, 0, NULL, &e, ei);
  if (!err)
    err = mho_trainer_new(&ses.ctx, e, &t, ei);
  if (!err)
    err = mho_trainer_load(t, &c.blob, ei);
  if (!err)
    err = mho_trainer_weights_write(t, o->weights, o->format && !strcmp(o->format, "csv"), ei);
  if (!err)
    printf("wrote the weights of run %s after epoch %d into %s\n", id, c.epoch, o->weights);
  mho_trainer_free(t);
  mho_experiment_free(e);
  mho_blob_free(&c.blob);
  session_close(&ses);
  return err;
}

static int run(int argc, char **argv) {
  options o = {0};
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  mho_errinfo ei = {0};
  mho_store *s = NULL;
  mho_export_result r = {0};
  int n = 0;
  char study[MHO_STUDY_NAME_MAX], (*id)[MHO_ID_MAX] = calloc((size_t)o.n_words + 1, sizeof *id);
  const char **ids = calloc((size_t)o.n_words + 1, sizeof *ids);
  mho_err err =
      id && ids ? mho_store_open(o.common.db ? o.common.db : DEFAULT_DB, MHO_STORE_READ, &s, &ei)
                : mho_fail(&ei, MHO_ENOMEM, "no memory to export");
  if (!err && !o.weights)
    err = resolve(&o, s, id, ids, &n, study, &ei);
  if (!err && o.weights)
    err = export_weights(&o, s, &ei);
  else if (!err && o.csv)
    err = export_csv(&o, s, n, ids, &ei);
  else if (!err)
    err = mho_store_export(s, n, ids, &o.export, o.common.out ? o.common.out : "/dev/stdout", &r,
                           &ei);
  if (!err && r.unfinished)
    fprintf(stderr,
            "note: %d unfinished run%s left out; --checkpoints takes them with their state\n",
            r.unfinished, r.unfinished == 1 ? " was" : "s were");
  if (!err && o.common.out && !o.csv && !o.weights)
    printf("wrote %d run%s into %s\n", r.runs, r.runs == 1 ? "" : "s", o.common.out);
  mho_store_close(s);
  free(id);
  free(ids);
  free(o.word);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_export = {"export", "runs as a file for other databases, or as CSV", run};
