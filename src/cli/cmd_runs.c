/* cmd_runs.c - mho runs: list, filter and sort runs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

typedef struct options {
  common_options common;
  const char *where, *sort, *study, *group;
  long limit;
  double timeout; /**< s */
} options;

enum { KEY_WHERE = OPTION_VERB, KEY_SORT, KEY_LIMIT, KEY_STUDY, KEY_GROUP, KEY_TIMEOUT };
static const struct argp_option option_table[] = {
    OPT_DB,
    {"where", KEY_WHERE, "SQL", 0,
     "condition on the columns of v_run and on config keys (device.step_up)", 0},
    {"study", KEY_STUDY, "NAME", 0, "only the runs of a study", 0},
    {"group-by", KEY_GROUP, "KEY,...", 0,
     "one line for each combination of these columns or config keys: mean and standard deviation "
     "of the completed runs",
     0},
    {"sort", KEY_SORT, "COLUMN", 0,
     "sort by a column, largest first; -COLUMN smallest first (default started)", 0},
    {"limit", KEY_LIMIT, "N", 0, "at most N runs (default 50; 0: all)", 0},
    {"timeout", KEY_TIMEOUT, "S", 0, "give up after so many seconds (default 60)", 0},
    OPT_JSON,
    OPT_CSV,
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
  case KEY_TIMEOUT:
    o->timeout = (double)option_number(state, "timeout", arg, 1, 1000000);
    return 0;
  case KEY_STUDY:
    o->study = arg;
    return 0;
  case KEY_GROUP:
    o->group = arg;
    return 0;

  case ARGP_KEY_ARG:
    argp_error(state, "unexpected '%s': conditions go into --where", arg);
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

VERB_ARGP(NULL, "List runs.\v"
                "Examples:\n"
                "  mho runs --where \"test_acc > 0.97 and device = 'soft_bounds'\"\n"
                "  mho runs --sort best_test_acc --limit 10\n"
                "  mho runs --study noise --group-by device,array.read_noise\n\n"
                "Columns for conditions and sorting: those of the view v_run (mho query "
                "\"SELECT * FROM v_run LIMIT 1\" --json).");

#define COLUMNS_FOR_PEOPLE                                                                         \
  "id, coalesce(name, '') AS name, status, dataset, hidden, rule, device, scheme, seed, "          \
  "iif(kind = 'programmed', kind, epochs_done || '/' || epochs) AS epochs, "                       \
  "iif(final_test_rms IS NULL, printf('%.2f', 100*final_test_acc), "                               \
  "printf('rms %.4g', final_test_rms)) AS \"last %\", "                                            \
  "iif(best_test_rms IS NULL, printf('%.2f', 100*best_test_acc), "                                 \
  "printf('rms %.4g', best_test_rms)) AS \"best %\", printf('%.1f', wall_s) AS \"time s\", started"

/* ---------------------------------------------------------------- config keys in SQL */

static bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.';
}

/* A config key: a word with a dot in it that begins with a letter. */
static bool is_key(const char *word, int length) {
  bool number = (*word >= '0' && *word <= '9') || *word == '.';
  return memchr(word, '.', (size_t)length) && !number;
}

/* The quote that is open after c; 0: none. */
static char quote_after(char quote, char c) {
  if (!quote && (c == '\'' || c == '"'))
    return c;
  return quote == c ? 0 : quote;
}

/* "device.step_up > 0.01" -> "json_extract(config, '$.device.step_up') > 0.01", outside quotes. */
static void expand_keys(const char *text, char *out, size_t n) {
  char quote = 0;
  *out = 0;
  for (const char *c = text; *c;) {
    int length = 0;
    while (!quote && is_word(c[length]))
      length++;

    if (length == 0) {
      quote = quote_after(quote, *c);
      mho_text_append(out, n, "%c", *c++);
      continue;
    }
    mho_text_append(out, n, is_key(c, length) ? "json_extract(config, '$.%.*s')" : "%.*s", length,
                    c);
    c += length;
  }
}

/* Where a word begins and how long it is, behind `at` and outside of quotes; false at the end. */
static bool next_word(const char **at, int *length) {
  char quote = 0;
  for (const char *c = *at; *c; c++) {
    *length = 0;
    while (!quote && is_word(c[*length]))
      ++*length;
    *at = c;
    if (*length)
      return true;
    quote = quote_after(quote, *c);
  }
  return false;
}

/* Whether a stored run has a key that this mho does not know. */
static bool stop_at_row(void *user, int n, const char *const *names, const mho_cell *cells) {
  bool *found = user;
  *found = *found || cells;
  return !*found;
}

static mho_err find_stored(mho_store *s, const char *key, bool *found, mho_errinfo *ei) {
  char path[160];
  const char *arg = path;
  snprintf(path, sizeof path, "$.%.150s", key);
  *found = false;
  return mho_store_query(s, "SELECT 1 FROM run WHERE json_type(config, ?1) IS NOT NULL LIMIT 1", 1,
                         &arg, 0, stop_at_row, found, ei);
}

/* Every key in the text of an option is one that a config can have, or that a stored one has. */
static mho_err check_keys(const mho_registry *r, mho_store *s, const char *option, const char *text,
                          mho_errinfo *ei) {
  int length = 0;
  for (const char *c = text; c && next_word(&c, &length); c += length) {
    char key[128], near[128];
    bool found = !is_key(c, length);
    snprintf(key, sizeof key, "%.*s", length, c);
    if (found || mho_config_key_known(r, key, near, sizeof near))
      continue;

    mho_err err = find_stored(s, key, &found, ei);
    if (!err && !found)
      err = mho_fail(ei, MHO_EINVAL, "--%s: unknown key %s%s%s%s", option, key,
                     *near ? "; did you mean " : "", near,
                     *near ? "?" : "; 'mho train --print-config' shows all keys");
    if (err)
      return err;
  }
  return MHO_OK;
}

static mho_err check_options(const options *o, mho_store *s, mho_errinfo *ei) {
  mho_registry *r;
  mho_err err = mho_registry_new(&r, ei);
  if (!err)
    err = check_keys(r, s, "where", o->where, ei);
  if (!err)
    err = check_keys(r, s, "group-by", o->group, ei);
  if (!err)
    err = check_keys(r, s, "sort", o->sort, ei);
  mho_registry_free(r);
  return err;
}

/* ---------------------------------------------------------------- the statement */

/* Means over the completed runs of a group; the others are counted beside them. */
#define DONE    "FILTER (WHERE status = 'completed')"
#define COUNTS  "count(*) " DONE " AS n, count(*) FILTER (WHERE status <> 'completed') AS other, "
#define MEAN(c) "avg(" c ") " DONE
#define STD(c)                                                                                     \
  "sqrt(max(0, avg(" c " * " c ") " DONE                                                           \
  " - " MEAN(c) " * " MEAN(c) ") * count(*) " DONE " / nullif(count(*) " DONE " - 1, 0))"
#define AS(x, name) x " AS " name ", "
/* A percentage, or where targets are values an rms. */
#define SCORE(x, rms, name)                                                                        \
  "iif(" MEAN("test_rms") " IS NULL, printf('%.2f', 100*" x "), printf('rms %.4g', " rms           \
                          ")) AS \"" name "\", "
static const char group_columns[] = COUNTS AS(MEAN("test_acc"), "test_acc_mean")
    AS(STD("test_acc"), "test_acc_std") AS(MEAN("best_test_acc"), "best_test_acc_mean")
        AS(STD("best_test_acc"), "best_test_acc_std") AS(MEAN("pulses"), "pulses_mean")
            AS(MEAN("energy_j"), "energy_j_mean")
                MEAN("wall_s") " AS wall_s_mean, " AS(MEAN("test_loss"), "test_loss_mean")
                    AS(MEAN("test_rms"), "test_rms_mean") STD("test_rms") " AS test_rms_std";
static const char group_columns_for_people[] = COUNTS SCORE(
    MEAN("test_acc"), MEAN("test_rms"), "last %") SCORE(STD("test_acc"), STD("test_rms"), "std %")
    SCORE(MEAN("best_test_acc"), MEAN("best_test_rms"), "best %") AS(MEAN("pulses"), "pulses")
        AS(MEAN("energy_j"), "\"energy J\"") "printf('%.1f', " MEAN("wall_s") ") AS \"time s\"";

/* One line a group. */
static void group_sql(const options *o, bool people, const char *from, char *sql, size_t n) {
  char keys[1024], text[4096], expanded[4096] = "";
  snprintf(keys, sizeof keys, "%s", o->group);
  *sql = 0;
  mho_text_append(sql, n, "SELECT ");

  char *save = NULL;
  for (char *key = strtok_r(keys, ", ", &save); key; key = strtok_r(NULL, ", ", &save)) {
    expand_keys(key, text, sizeof text);
    mho_text_append(sql, n, "%s AS \"%s\", ", text, key);
    mho_text_append(expanded, sizeof expanded, "%s%s", *expanded ? ", " : "", text);
  }
  mho_text_append(sql, n, "%s FROM %s GROUP BY %s",
                  people ? group_columns_for_people : group_columns, from, expanded);
}

/* The runs that are meant: "v_run WHERE id IN (...) AND (...)"; ?1 is the study. */
static void from_sql(const options *o, char *sql, size_t n) {
  char where[4096] = "";
  if (o->where)
    expand_keys(o->where, where, sizeof where);

  snprintf(sql, n, "v_run");
  if (o->study)
    mho_text_append(sql, n, " WHERE id IN (SELECT run_id FROM study_run WHERE study = ?1)");
  if (*where)
    mho_text_append(sql, n, " %s (%s)", o->study ? "AND" : "WHERE", where);
}

/* " ORDER BY ...": the newest or the best first, unless --sort says otherwise. */
static void order_sql(const options *o, char *sql, size_t n) {
  char sort[512] = "";
  bool ascending = o->sort && *o->sort == '-';

  if (o->sort)
    expand_keys(o->sort + ascending, sort, sizeof sort);

  if (*sort)
    snprintf(sql, n, " ORDER BY %s %s", sort, ascending ? "ASC" : "DESC");
  else
    snprintf(sql, n, " ORDER BY %s DESC",
             o->group ? "coalesce(" MEAN("test_acc") ", -" MEAN("test_rms") ")" : "started");
  if (!o->group)
    mho_text_append(sql, n, ", id DESC");
}

static void make_sql(const options *o, bool people, char *sql, size_t n) {
  char from[8192], order[640], limit[32];
  from_sql(o, from, sizeof from);
  order_sql(o, order, sizeof order);
  snprintf(limit, sizeof limit, " LIMIT %ld", o->limit ? o->limit : -1);

  if (o->group)
    group_sql(o, people, from, sql, n);
  else if (people)
    snprintf(sql, n, "SELECT %s FROM %s", COLUMNS_FOR_PEOPLE, from);
  else /* found first, by an index that has all but the config, then read */
    snprintf(sql, n, "SELECT * FROM v_run WHERE id IN (SELECT id FROM %s%s%s)", from, order, limit);
  mho_text_append(sql, n, "%s%s", order, limit);
}

/* ---------------------------------------------------------------- the verb */

static mho_err list_runs(const options *o, mho_errinfo *ei) {
  char sql[16384], study[MHO_STUDY_NAME_MAX];
  const char *arg = study;
  output_format format = format_of(&o->common);
  bool people = format == FORMAT_TABLE;
  mho_store *s = NULL;
  int printed = 0;

  make_sql(o, people, sql, sizeof sql);
  if (strlen(sql) >= sizeof sql - 1 || (o->where && strlen(o->where) > 2000))
    return mho_fail(ei, MHO_EINVAL, "the condition is too long");
  mho_err err = open_database(&o->common, MHO_STORE_READ, &s, ei);
  if (!err && o->study)
    err = mho_store_study_find(s, o->study, study, ei);
  if (!err)
    err = check_options(o, s, ei);
  if (!err)
    err = print_query(s, sql, o->study != NULL, &arg, o->timeout, format, &printed, ei);

  if (!err && people && !printed)
    printf("no runs%s\n", o->where || o->study ? " that match" : "");
  if (!err && people && o->limit && printed == o->limit)
    printf("the first %ld; --limit 0 lists all\n", o->limit);

  mho_store_close(s);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.limit = 50, .timeout = 60};
  parse_options(&argp, argc, argv, &o);
  mho_errinfo ei = {0};
  mho_err err = list_runs(&o, &ei);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_runs = {"runs", "list, filter and sort runs", &argp, run};
