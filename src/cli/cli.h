/* cli.h - what the verbs share. Only this folder prints to stdout or exits.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_CLI_H
#define MHO_CLI_H

#include <argp.h>

#include "mho/experiment.h"
#include "mho/store.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_BAD_INPUT = 2, EXIT_INTERRUPTED = 130 };
#define DEFAULT_DB "results/runs.db"

typedef struct verb {
  const char *name, *summary;
  int (*run)(int argc, char **argv); /* argv[0] is "mho <verb>"; returns the exit code */
} verb;

/* ---------------------------------------------------------------- options */

enum { MAX_SET = 256 };
typedef struct common_options { /* shared by the verbs; each takes the ones it needs */
  const char *db;
  const char *out; /* NULL: not given */
  bool json;
  int threads;
  const char *set[MAX_SET];
  int n_set;
  int max_words; /* of a verb that takes plain words */
  const char *word[2];
  int n_words;
  const char *verb; /* of a verb that takes one RUN: "show"; NULL for the others */
  const char *run;  /* the RUN given */
} common_options;

enum { OPTION_OUT = 'o', OPTION_DB = 0x100, OPTION_JSON, OPTION_THREADS, OPTION_SET, OPTION_VERB };
#define OPT_DB                                                                                     \
  { "db", OPTION_DB, "FILE", 0, "run database (default " DEFAULT_DB ")", 0 }
#define OPT_JSON                                                                                   \
  { "json", OPTION_JSON, NULL, 0, "print JSON, one object a line", 0 }
#define OPT_THREADS                                                                                \
  { "threads", OPTION_THREADS, "N", 0, "threads (default: one per processor)", 0 }
#define OPT_SET                                                                                    \
  { "set", OPTION_SET, "KEY=VALUE", 0, "override a config key; repeatable", 0 }
#define OPT_OUT(what)                                                                              \
  {"out", OPTION_OUT, "FILE", 0, what, 0}, {                                                       \
    "output", OPTION_OUT, "FILE", OPTION_HIDDEN, NULL, 0                                           \
  }
/** Handle a shared option, and the RUN or the words of a verb that takes some; ARGP_ERR_UNKNOWN for the rest. */
error_t common_option(common_options *o, int key, char *arg, struct argp_state *state);
/** A whole number from an argument, or argp_error with what was expected. */
long option_number(struct argp_state *state, const char *name, const char *text, long low,
                   long high);
/** A time since programming from an argument ("1h", "2 d"), s, or argp_error with what was expected. */
double option_time(struct argp_state *state, const char *name, const char *text);
/** Say on stderr that time changes no conductance, where the device has no law of drift. */
void note_no_drift(const mho_experiment *e);

/* ---------------------------------------------------------------- errors and context */

/** Print "mho: file:line: sentence" to stderr; the exit code that goes with the error. */
int report_error(mho_err err, const mho_errinfo *ei);

typedef struct
    session { /* registry, context with progress bar and Ctrl-C, made at a verb's start */
  mho_context ctx;
  mho_registry *registry;
} session;
/** threads < 0: no pool (verbs that compute nothing). */
mho_err session_open(session *s, int threads, mho_errinfo *ei);
void session_close(session *s);

/* ---------------------------------------------------------------- output */

/* A table for people, columns by name; numbers are right-aligned. */
typedef struct table table;
table *table_new(int n, const char *const *names);
/** Next row: n texts, NULL for an empty cell. */
void table_row(table *t, const char *const *cells);
void table_right(table *t, int column);
void table_print(table *t); /* and free */

/** What is printed goes to a file, or to standard output when path is NULL. close_out hands on err, or says what could not
 * be written (MHO_EIO); f is NULL where opening failed. */
FILE *open_out(const char *path, mho_err *err, mho_errinfo *ei);
mho_err close_out(FILE *f, const char *path, mho_err err, mho_errinfo *ei);
mho_err write_text(const char *path, const char *text, mho_errinfo *ei);

/** Take the runs of other databases or exported files into the database db, which is made if need be, and say of each how
 * many came: what `mho db merge` and `mho import` share. */
typedef mho_err (*take_fn)(mho_store *s, const char *path, mho_merge_result *out, mho_errinfo *ei);
mho_err take_runs(const char *db, take_fn take, int n, const char *const *files, mho_errinfo *ei);

/** A cell of a query as text for people ("" for NULL, 4 significant digits for reals unless exact). */
void cell_text(const mho_cell *c, bool exact, char *buf, size_t capacity);

/** A table from a query with the columns' names as they are; formats: table, csv, json. */
typedef enum output_format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON } output_format;
mho_err print_query(mho_store *s, const char *sql, int n_args, const char *const *args,
                    double timeout_s, output_format format, int *n_rows, mho_errinfo *ei);

/** Parameters of an entry as a table: key, default, range, meaning. prefix: the config section. */
void print_params(const char *prefix, mho_params params);
/** Title, equation, source and parameters. */
void print_entry(const mho_entry *e, const char *section);
const char *kind_section(mho_kind kind);

#endif
