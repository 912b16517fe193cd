/* cmd_query.c - mho query: read-only SQL on the run database.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>

#include "cli/cli.h"

typedef struct options {
  common_options common;
  const char *sql;
  bool csv;
  double timeout;
} options;

enum { KEY_CSV = OPTION_VERB, KEY_TIMEOUT };
static const struct argp_option option_table[] = {
    OPT_DB,
    OPT_JSON,
    {"csv", KEY_CSV, NULL, 0, "print CSV with a header line", 0},
    {"timeout", KEY_TIMEOUT, "S", 0, "give up after so many seconds (default: never)", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case KEY_CSV:
    o->csv = true;
    return 0;
  case KEY_TIMEOUT:
    o->timeout = (double)option_number(state, "timeout", arg, 1, 1000000);
    return 0;
  case ARGP_KEY_ARG:
    if (o->sql)
      argp_error(state, "one statement, in quotes: did the shell cut it at '%s'?", arg);
    o->sql = arg;
    return 0;
  case ARGP_KEY_END:
    if (!o->sql)
      argp_error(
          state,
          "which statement? for example \"SELECT device, avg(best_test_acc) FROM v_run GROUP BY device\"");
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {
    option_table,
    parse,
    "\"SQL\"",
    "Run one read-only SQL statement on the run database.\v"
    "Tables: run, epoch, layer_epoch, settle, checkpoint, cosim, study, artifact; views: v_run (a run and "
    "its "
    "config's main keys), v_study (mean and spread over seeds).\n\n"
    "Example:\n  mho query \"SELECT device, scheme, max(best_test_acc) FROM v_run GROUP BY 1, 2\"",
    NULL,
    NULL,
    NULL};

static int run(int argc, char **argv) {
  options o = {0};
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  mho_errinfo ei = {0};
  mho_store *s = NULL;
  mho_err err = mho_store_open(o.common.db ? o.common.db : DEFAULT_DB, MHO_STORE_READ, &s, &ei);
  output_format format = o.common.json ? FORMAT_JSON : o.csv ? FORMAT_CSV : FORMAT_TABLE;
  if (!err)
    err = print_query(s, o.sql, 0, NULL, o.timeout, format, NULL, &ei);
  mho_store_close(s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_query = {"query", "read-only SQL on the run database", run};
