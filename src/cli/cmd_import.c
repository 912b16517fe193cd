/* cmd_import.c - mho import: runs of files into a database.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

static const struct argp_option option_table[] = {OPT_DB, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  common_options *o = state->input;
  if (key == ARGP_KEY_END && !o->n_words)
    argp_error(state, "import which file? 'mho export' writes them");
  return common_option(o, key, arg, state);
}

VERB_ARGP("FILE...",
          "Take the runs of files that 'mho export' wrote into a run database.\v"
          "A run that is there already is not taken twice (it is brought up to date when the file "
          "has more of it), so this may be repeated. Nothing is taken from a file that has an "
          "error.\n\n"
          "Example:\n"
          "  mho import results/nonidealities/runs.jsonl.gz --db results/nonidealities.db");

static int run(int argc, char **argv) {
  common_options o = {.max_words = INT_MAX};
  parse_options(&argp, argc, argv, &o);
  mho_errinfo ei = {0};
  mho_err err = take_runs(database_path(&o), mho_store_import, o.n_words, o.word, &ei);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_import = {"import", "take exported runs into a database", &argp, run};
