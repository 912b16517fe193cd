/* cli.h - what the verbs share. Only this folder prints to stdout or exits.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_CLI_H
#define MHO_CLI_H

#include <argp.h>
#include <jansson.h>

#include "base/whole_file.h"
#include "mho/experiment.h"
#include "mho/model/entry.h"
#include "mho/store.h"
#include "mho/study.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_BAD_INPUT = 2, EXIT_INTERRUPTED = 130 };
#define DEFAULT_DB "results/runs.db"

typedef struct verb {
  const char *name, *summary;
  const struct argp *argp;           /**< its words, options and help */
  int (*run)(int argc, char **argv); /**< argv[0] is "mho <verb>"; returns the exit code */
} verb;

/* ---------------------------------------------------------------- options (options.c) */

enum { MAX_SET = 256 };

/* Options and words that several verbs have; each verb takes the ones that it needs. */
typedef struct common_options {
  const char *db;  /**< NULL: not given */
  const char *out; /**< NULL: not given */
  bool json, csv;
  bool strict; /**< keys without effect are refused */
  int threads;
  const char *set[MAX_SET];
  int n_set;
  const char *verb; /**< of a verb that takes one RUN: "show"; NULL for the others */
  const char *run;  /**< the RUN given */
  int max_words;    /**< of a verb that takes plain words, none of which is an option */
  char **word;      /**< [n_words], in argv */
  int n_words;
} common_options;

enum {
  OPTION_OUT = 'o',
  OPTION_DB = 0x100,
  OPTION_JSON,
  OPTION_CSV,
  OPTION_THREADS,
  OPTION_SET,
  OPTION_STRICT,
  OPTION_VERB
};
#define OPT_DB                                                                                     \
  { "db", OPTION_DB, "FILE", 0, "run database (default " DEFAULT_DB ")", 0 }
#define OPT_JSON                                                                                   \
  { "json", OPTION_JSON, NULL, 0, "print JSON, one object a line", 0 }
#define OPT_CSV                                                                                    \
  { "csv", OPTION_CSV, NULL, 0, "print CSV with a header line", 0 }
#define OPT_THREADS                                                                                \
  { "threads", OPTION_THREADS, "N", 0, "threads (default: one per processor)", 0 }
#define OPT_SET                                                                                    \
  { "set", OPTION_SET, "KEY=VALUE", 0, "override a config key; repeatable", 0 }
#define OPT_STRICT                                                                                 \
  { "strict", OPTION_STRICT, NULL, 0, "refuse keys that have no effect", 0 }
#define OPT_OUT(what)                                                                              \
  {"out", OPTION_OUT, "FILE", 0, what, 0}, {                                                       \
    "output", OPTION_OUT, "FILE", OPTION_HIDDEN, NULL, 0                                           \
  }
/* The head of a verb's command line: what it takes and what --help says around its options. */
#define VERB_ARGP(args, text)                                                                      \
  static const struct argp argp = {                                                                \
      .options = option_table, .parser = parse, .args_doc = args, .doc = text}

/** Take a verb's words and options into its own struct; ends the process, with a message, where
 * that is not possible. */
void parse_options(const struct argp *argp, int argc, char **argv, void *options);
/** Handle a shared option, and the RUN or the words of a verb that takes some; ARGP_ERR_UNKNOWN for
 * the rest. */
error_t common_option(common_options *o, int key, char *arg, struct argp_state *state);
/** The i-th plain word, or NULL where fewer were given. */
const char *option_word(const common_options *o, int i);
/** A whole number from an argument, or argp_error with what was expected. */
long option_number(struct argp_state *state, const char *name, const char *text, long low,
                   long high);
/** A time since programming from an argument ("1h", "2 d"), s, or argp_error with what was
 * expected. */
double option_time(struct argp_state *state, const char *name, const char *text);
/* An option, whether it was given, whether it goes with what else was, and what it goes with. */
typedef struct option_use {
  const char *name;
  bool given, goes;
  const char *with;
} option_use;
/** An error for the first of n options that was given without effect. */
void check_uses(int n, const option_use *use, struct argp_state *state);
/** The argument, where it is one of n words, or argp_error with all of them. */
const char *option_choice(struct argp_state *state, const char *name, const char *text, int n,
                          const char *const *words);

/* ---------------------------------------------------------------- words (options.c) */

/** Whether a word of the command line is a CONFIG rather than a RUN: it ends in .yaml or .yml, or
 *  has a slash in it and is the path of a readable file. Any other word is a run's, even where a
 *  file in this folder has the same name (the run "quickstart" and the script). */
bool names_config(const char *word);
/** Whether a word of the command line is a FOLDER rather than a RUN, and if so its whole path.
 *  @param option  what an error begins with: "--from: ", or "" for the word of the verb.
 *  @return MHO_OK; MHO_EINVAL where the path does not fit into a config. */
mho_err find_folder(const char *word, const char *option, char path[MHO_TEXT_MAX], bool *is_folder,
                    mho_errinfo *ei);
/** Whether two paths are of one file that is kept, no device and no pipe. */
bool is_same_file(const char *a, const char *b);
/** The database of --db, or the default one. */
const char *database_path(const common_options *o);
/** Open the database of --db, or the default one. */
mho_err open_database(const common_options *o, mho_store_mode mode, mho_store **out,
                      mho_errinfo *ei);
/** The same for a stored run, to which something is added: a database that is missing is not made.
 */
mho_err open_stored(const common_options *o, mho_store_mode mode, mho_store **out, mho_errinfo *ei);
/** The experiment of mho_config_load with n assignments, with defaults for every other key. */
mho_err read_experiment(const mho_registry *r, const char *file, int n, const char *const *set,
                        mho_experiment **out, mho_errinfo *ei);

/* ---------------------------------------------------------------- context, errors (progress.c) */

/* What a verb works with: the registry, and a context with threads, progress bar and Ctrl-C. */
typedef struct environment {
  mho_context ctx;
  mho_registry *registry;
} environment;
/** Made at a verb's start. threads < 0: no pool (verbs that compute nothing). */
mho_err environment_open(environment *s, int threads, mho_errinfo *ei);
void environment_close(environment *s);
/** Of a verb that stores nothing: the first Ctrl-C (SIGINT, SIGTERM) ends it within a second, also
 *  within a library that cannot be asked to stop. */
void environment_keeps_nothing(void);

/** Print "mho: file:line: sentence" to stderr; the exit code that goes with the error. */
int report_error(mho_err err, const mho_errinfo *ei);
/** Say on stderr, in one line, which keys of a config have no effect in its experiment; or,
 * strictly, refuse the first of them. */
mho_err name_idle(const mho_experiment *e, const mho_config *c, bool strict, mho_errinfo *ei);
/* What a verb does with the experiment that --set changes, in which keys of other uses are idle. */
typedef enum idle_use {
  USE_EVALUATION,    /**< of a stored network */
  USE_PROGRAM,       /**< its weights are written by pulses, and evaluated */
  USE_EXACT_PROGRAM, /**< or exactly */
  USE_PHASES,        /**< free and nudged phase, settled or as a circuit */
  USE_CURVE,         /**< cells of a device are pulsed, alone */
  USE_WAVES,         /**< waveforms are across the mean device, alone */
  USE_FIT            /**< its model is fitted */
} idle_use;
/** The same of what --set changes in a use; e is NULL where a device is alone. */
mho_err name_idle_sets(const mho_experiment *e, idle_use use, int n, const char *const *set,
                       bool strict, mho_errinfo *ei);
/** The same of the keys that a study sets, a line each with the number of runs. */
void name_idle_of_plan(const mho_plan *p);
/** Say on stderr that time changes no conductance, where the device has no law of drift. */
void note_no_drift(const mho_experiment *e);
/** Warn where OpenBLAS runs slower kernels than this processor could. */
void warn_slow_kernels(const environment *s);

/** Text of a progress bar, full to done of total; width is capacity - 1. */
void bar_text(long done, long total, size_t capacity, char *bar);

/* ---------------------------------------------------------------- files and JSON (output.c) */

/* What is printed: into a file, which takes its name when it is whole, or to standard output. */
typedef struct out_file {
  FILE *f; /**< NULL: it could not be opened */
  mho_whole_file file;
} out_file;
/** path NULL: standard output. *err is set where it cannot be opened. */
out_file open_out(const char *path, mho_err *err, mho_errinfo *ei);
/** Hands on err, with which nothing is left of the file, or says what could not be written. */
mho_err close_out(out_file *out, mho_err err, mho_errinfo *ei);
/** Write a text to a file, or to standard output when path is NULL. */
mho_err write_text(const char *path, const char *text, mho_errinfo *ei);

/** Print a text that others may have written, control characters and what is no UTF-8 as \xNN. */
void print_plain(FILE *f, const char *text);
/** End the line of a suggested command, with the --db that was given, if any. */
void end_command(const common_options *o);
/** Print an object on a line of its own, at once, and free it.
 *  @param digits  of its real numbers. */
void print_json_line(json_t *o, int digits);
/** A text that others may have written, its bytes that are no UTF-8 as \xNN; NULL for NULL. */
json_t *text_json(const char *text);
/** A JSON number, or null where v is not finite. */
json_t *number_or_null(double v);
enum { JSON_DIGITS = 10 }; /* of results; 17 where a number must come back as it was */

/* ---------------------------------------------------------------- tables (text_table.c) */

/* A table for people, columns by name. */
typedef struct table table;
table *table_new(int n, const char *const *names);
/** Next row: n texts, NULL for an empty cell. */
void table_row(table *t, const char *const *cells);
/** Align a column to the right, as numbers are. */
void table_right(table *t, int column);
/** Print the table and free it. */
void table_print(table *t);
/** Free a table that is not printed. */
void table_free(table *t);

/** A cell of a query as text for people: "" for NULL, reals with 6 significant digits, or all 17
 * where exact. */
void cell_text(const mho_cell *c, bool exact, char *buf, size_t capacity);

typedef enum output_format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON } output_format;
/** What --json and --csv ask for. */
output_format format_of(const common_options *o);
/** Print the answer to a query, with the columns' names as they are.
 *  @param args       [n_args] bound to ?1, ?2, ...
 *  @param timeout_s  0: none.
 *  @param n_rows     nullable: how many rows were printed. */
mho_err print_query(mho_store *s, const char *sql, int n_args, const char *const *args,
                    double timeout_s, output_format format, int *n_rows, mho_errinfo *ei);

/** The default of a parameter of a table, as text. */
void default_text(mho_params table, const mho_param *p, char *buf, size_t capacity);
/** Parameters of an entry as a table: key, default, range, meaning. prefix: the config section. */
void print_params(const char *prefix, mho_params params);
/** Title, equation, source and parameters. */
void print_entry(const mho_entry *e, const char *section);
/** The config section that a kind's parameters are in: "device". */
const char *kind_section(mho_kind kind);

/* ---------------------------------------------------------------- other databases (intake.c) */

/** Takes the runs of one other database or exported file. */
typedef mho_err (*take_fn)(mho_store *s, const char *path, mho_merge_result *out, mho_errinfo *ei);
/** Take the runs of n files into the database db, which is made if need be, and say of each how
 * many came: what `mho db merge` and `mho import` share. */
mho_err take_runs(const char *db, take_fn take, int n, char *const *files, mho_errinfo *ei);

#endif
