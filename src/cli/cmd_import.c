/* cmd_import.c - mho import: runs of files into a database.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

enum { FILES_MAX = 4096 };
typedef struct options {
  common_options common;
  const char *file[FILES_MAX];
  int n;
} options;

static const struct argp_option option_table[] = {OPT_DB, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case ARGP_KEY_ARG:
    if (o->n == FILES_MAX)
      argp_error(state, "more than %d files", FILES_MAX);
    o->file[o->n++] = arg;
    return 0;
  case ARGP_KEY_END:
    if (!o->n)
      argp_error(state, "import which file? 'mho export' writes them");
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {
    option_table,
    parse,
    "FILE...",
    "Take the runs of files that 'mho export' wrote into a run database.\v"
    "A run that is there already is not taken twice (it is brought up to date when the file has more of it), "
    "so this "
    "may be repeated. Nothing is taken from a file that has an error.\n\n"
    "Example:\n  mho import results/nonidealities/runs.jsonl.gz --db results/nonidealities.db",
    NULL,
    NULL,
    NULL};

static int run(int argc, char **argv) {
  static options o;
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  mho_errinfo ei = {0};
  mho_err err =
      take_runs(o.common.db ? o.common.db : DEFAULT_DB, mho_store_import, o.n, o.file, &ei);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_import = {"import", "take exported runs into a database", run};
