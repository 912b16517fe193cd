/* cmd_runs.c - mho runs: list, filter and sort runs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

typedef struct options {
  common_options common;
  const char *where, *sort;
  long limit;
  bool csv;
} options;

enum { KEY_WHERE = OPTION_VERB, KEY_SORT, KEY_LIMIT, KEY_CSV };
static const struct argp_option option_table[] = {
    OPT_DB,
    {"where", KEY_WHERE, "SQL", 0, "condition on the columns of v_run", 0},
    {"sort", KEY_SORT, "COLUMN", 0,
     "sort by a column, largest first; -COLUMN smallest first (default started)", 0},
    {"limit", KEY_LIMIT, "N", 0, "at most N runs (default 50; 0: all)", 0},
    OPT_JSON,
    {"csv", KEY_CSV, NULL, 0, "print CSV with a header line", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case KEY_WHERE:
    o->where = arg;
    return 0;
  case KEY_SORT:
    o->sort = arg;
    return 0;
  case KEY_LIMIT:
    o->limit = option_number(state, "limit", arg, 0, 1000000000);
    return 0;
  case KEY_CSV:
    o->csv = true;
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "unexpected '%s': conditions go into --where", arg);
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {option_table,
                                 parse,
                                 NULL,
                                 "List runs.\v"
                                 "Examples:\n"
                                 "  mho runs --where \"test_acc > 0.97 and device = 'soft_bounds'\"\n"
                                 "  mho runs --sort best_test_acc --limit 10\n\n"
                                 "Columns for conditions and sorting: those of the view v_run (mho query "
                                 "\"SELECT * FROM v_run LIMIT 1\" --json).",
                                 NULL,
                                 NULL,
                                 NULL};

#define COLUMNS_FOR_PEOPLE                                                                                   \
  "id, coalesce(name, '') AS name, status, dataset, hidden, rule, device, scheme, seed, "                    \
  "epochs_done || '/' || epochs AS epochs, printf('%.2f', 100*final_test_acc) AS \"last %\", "               \
  "printf('%.2f', 100*best_test_acc) AS \"best %\", printf('%.1f', wall_s) AS \"time s\", started"

static int run(int argc, char **argv) {
  options o = {.limit = 50};
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  mho_errinfo ei = {0};
  mho_store *s = NULL;
  char sql[4096];
  bool people = !o.common.json && !o.csv, ascending = o.sort && *o.sort == '-';
  const char *column = !o.sort ? "started" : o.sort + ascending;
  int n = snprintf(sql, sizeof sql, "SELECT %s FROM v_run %s%s%s ORDER BY %s %s, id DESC LIMIT %ld",
                   people ? COLUMNS_FOR_PEOPLE : "*", o.where ? "WHERE (" : "", o.where ? o.where : "",
                   o.where ? ")" : "", column, ascending ? "ASC" : "DESC", o.limit ? o.limit : -1);
  mho_err err = n >= (int)sizeof sql
                    ? mho_fail(&ei, MHO_EINVAL, "the condition is too long")
                    : mho_store_open(o.common.db ? o.common.db : DEFAULT_DB, MHO_STORE_READ, &s, &ei);
  int rows = 0;
  if (!err)
    err = print_query(s, sql, 0, NULL, 0,
                      o.common.json ? FORMAT_JSON
                      : o.csv       ? FORMAT_CSV
                                    : FORMAT_TABLE,
                      &rows, &ei);
  if (!err && people && !rows)
    printf("no runs%s\n", o.where ? " that match" : "");
  if (!err && people && o.limit && rows == o.limit)
    printf("the first %ld; --limit 0 lists all\n", o.limit);
  mho_store_close(s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_runs = {"runs", "list, filter and sort runs", run};
