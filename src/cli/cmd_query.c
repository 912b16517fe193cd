/* cmd_query.c - mho query: read-only SQL on the run database.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct options {
  common_options common;
  const char *sql, *study;
  bool list;
  double timeout;
} options;

enum { KEY_TIMEOUT = OPTION_VERB, KEY_LIST };
static const struct argp_option option_table[] = {
    OPT_DB,
    OPT_JSON,
    OPT_CSV,
    {"timeout", KEY_TIMEOUT, "S", 0, "give up after so many seconds (default 60)", 0},
    {"list", KEY_LIST, NULL, 0, "list the named questions", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case KEY_TIMEOUT:
    o->timeout = (double)option_number(state, "timeout", arg, 1, 1000000);
    return 0;
  case KEY_LIST:
    o->list = true;
    return 0;

  case ARGP_KEY_ARG:
    if (!o->sql)
      o->sql = arg;
    else if (mho_store_named_find(o->sql) && !o->study)
      o->study = arg;
    else
      argp_error(state, "one statement, in quotes: did the shell cut it at '%s'?", arg);
    return 0;
  case ARGP_KEY_END:
    if (!o->sql && !o->list)
      argp_error(state, "which statement? for example "
                        "\"SELECT device, avg(best_test_acc) FROM v_run GROUP BY device\"");
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

VERB_ARGP("\"SQL\"\nNAME [STUDY]",
          "Run one read-only SQL statement on the run database, or a named question about a study "
          "(default: the newest one; mho query --list lists them).\v"
          "Tables: run, epoch, layer_epoch, settle, checkpoint, cosim, study, artifact; views: "
          "v_run (a run and its config's main keys), v_study (mean and spread over seeds).\n\n"
          "Examples:\n"
          "  mho query pareto\n"
          "  mho query sensitivity noise --csv\n"
          "  mho query \"SELECT device, scheme, max(best_test_acc) FROM v_run GROUP BY 1, 2\"");

static int list_named(void) {
  table *t = table_new(2, (const char *[]){"NAME", "ANSWERS"});
  for (int i = 0; i < mho_store_named_count(); i++)
    table_row(t, (const char *[]){mho_store_named_at(i)->name, mho_store_named_at(i)->title});
  table_print(t);
  return EXIT_DONE;
}

/* A plain word that is no question: a slip, rather than SQL. */
static bool is_plain_word(const char *sql) {
  return *sql && !strpbrk(sql, " \t\n(;");
}

static mho_err unknown_name(const char *word, mho_errinfo *ei) {
  const char *best = mho_store_named_at(0)->name;
  for (int i = 1; i < mho_store_named_count(); i++)
    if (mho_text_distance(word, mho_store_named_at(i)->name) < mho_text_distance(word, best))
      best = mho_store_named_at(i)->name;
  return mho_fail(ei, MHO_EINVAL,
                  "there is no question '%s'; did you mean '%s'? (mho query --list)", word, best);
}

/* A question has no rows where no run has completed, or none has what is asked for. */
static void say_why_empty(const mho_named_query *named, const char *study) {
  if (!strcmp(named->name, "failures"))
    printf("study %s has no run that did not complete\n", study);
  else
    printf("study %s has no rows for this: none of its runs has completed, or none that has tells "
           "of it (mho query failures %s)\n",
           study, study);
}

/* A named question, about the study that is meant. */
static mho_err ask_named(const options *o, const mho_named_query *named, mho_store *s,
                         mho_errinfo *ei) {
  char study[MHO_STUDY_NAME_MAX];
  const char *arg = study;
  output_format format = format_of(&o->common);
  int rows = 0;

  const char *sql = NULL;
  mho_err err = mho_store_study_find(s, o->study, study, ei);
  if (!err)
    err = mho_store_named_sql(s, named, study, &sql, ei);
  if (!err)
    err = print_query(s, sql, 1, &arg, o->timeout, format, &rows, ei);
  if (!err && !rows && format == FORMAT_TABLE)
    say_why_empty(named, study);
  return err;
}

static mho_err ask(const options *o, mho_store *s, mho_errinfo *ei) {
  const mho_named_query *named = mho_store_named_find(o->sql);
  if (named)
    return ask_named(o, named, s, ei);
  if (is_plain_word(o->sql))
    return unknown_name(o->sql, ei);
  return print_query(s, o->sql, 0, NULL, o->timeout, format_of(&o->common), NULL, ei);
}

static int run(int argc, char **argv) {
  options o = {.timeout = 60};
  parse_options(&argp, argc, argv, &o);
  if (o.list)
    return list_named();

  mho_errinfo ei = {0};
  mho_store *s = NULL;
  mho_err err = open_database(&o.common, MHO_STORE_READ, &s, &ei);
  if (!err)
    err = ask(&o, s, &ei);

  mho_store_close(s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_query = {"query", "read-only SQL on the run database", &argp, run};
