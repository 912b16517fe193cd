/* cmd_runs.c - mho runs: list, filter and sort runs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

typedef struct options {
  common_options common;
  const char *where, *sort, *study, *group;
  long limit;
  bool csv;
} options;

enum { KEY_WHERE = OPTION_VERB, KEY_SORT, KEY_LIMIT, KEY_CSV, KEY_STUDY, KEY_GROUP };
static const struct argp_option option_table[] = {
    OPT_DB,
    {"where", KEY_WHERE, "SQL", 0,
     "condition on the columns of v_run and on config keys (device.step_up)", 0},
    {"study", KEY_STUDY, "NAME", 0, "only the runs of a study", 0},
    {"group-by", KEY_GROUP, "KEY,...", 0,
     "one line for each combination of these columns or config keys: mean and standard deviation of the "
     "completed runs",
     0},
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
  case KEY_STUDY:
    o->study = arg;
    return 0;
  case KEY_GROUP:
    o->group = arg;
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

static const struct argp argp = {
    option_table,
    parse,
    NULL,
    "List runs.\v"
    "Examples:\n"
    "  mho runs --where \"test_acc > 0.97 and device = 'soft_bounds'\"\n"
    "  mho runs --sort best_test_acc --limit 10\n"
    "  mho runs --study noise --group-by device,array.read_noise\n\n"
    "Columns for conditions and sorting: those of the view v_run (mho query "
    "\"SELECT * FROM v_run LIMIT 1\" --json).",
    NULL,
    NULL,
    NULL};

#define COLUMNS_FOR_PEOPLE                                                                         \
  "id, coalesce(name, '') AS name, status, dataset, hidden, rule, device, scheme, seed, "          \
  "iif(kind = 'programmed', kind, epochs_done || '/' || epochs) AS epochs, "                       \
  "printf('%.2f', 100*final_test_acc) AS \"last %\", "                                             \
  "printf('%.2f', 100*best_test_acc) AS \"best %\", printf('%.1f', wall_s) AS \"time s\", started"

/* ---------------------------------------------------------------- config keys in SQL */

static bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.';
}

/* "device.step_up > 0.01" -> "json_extract(config, '$.device.step_up') > 0.01": a word with a dot that begins with
 * a letter, outside quotes. */
static void expand_keys(const char *text, char *out, size_t n) {
  char quote = 0;
  *out = 0;
  for (const char *c = text; *c;) {
    int length = 0;
    while (!quote && is_word(c[length]))
      length++;
    if (length && memchr(c, '.', (size_t)length) && !(*c >= '0' && *c <= '9') && *c != '.') {
      mho_text_append(out, n, "json_extract(config, '$.%.*s')", length, c);
      c += length;
    } else if (length) {
      mho_text_append(out, n, "%.*s", length, c);
      c += length;
    } else {
      quote = !quote && (*c == '\'' || *c == '"') ? *c : quote == *c ? 0 : quote;
      mho_text_append(out, n, "%c", *c++);
    }
  }
}

/* One line a group; n counts the completed runs, the others are counted beside them. */
static void group_sql(const options *o, const char *from, char *sql, size_t n) {
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
#define DONE "FILTER (WHERE status = 'completed')"
#define STD(c)                                                                                     \
  "sqrt(max(0, avg(" c " * " c ") " DONE " - avg(" c ") " DONE " * avg(" c ") " DONE               \
  ") * count(*) " DONE " / nullif(count(*) " DONE " - 1, 0))"
  if (o->csv || o->common.json)
    mho_text_append(sql, n,
                    "count(*) " DONE
                    " AS n, count(*) FILTER (WHERE status <> 'completed') AS other, "
                    "avg(test_acc) " DONE " AS test_acc_mean, " STD(
                        "test_acc") " AS test_acc_std, "
                                    "avg(best_test_acc) " DONE " AS best_test_acc_mean, " STD(
                                        "best_test_acc") " AS best_test_acc_std, avg(pulses) " DONE
                                                         " AS pulses_mean, avg(energy_j) " DONE
                                                         " AS energy_j_mean, avg(wall_s) " DONE
                                                         " AS wall_s_mean");
  else
    mho_text_append(
        sql, n,
        "count(*) " DONE " AS n, count(*) FILTER (WHERE status <> 'completed') AS other, "
        "printf('%%.2f', 100*avg(test_acc) " DONE ") AS \"last %%\", printf('%%.2f', 100*" STD(
            "test_acc") ") AS \"std %%\", printf('%%.2f', 100*avg(best_test_acc) " DONE
                        ") AS \"best %%\", avg(pulses) " DONE " AS pulses, avg(energy_j) " DONE
                        " AS \"energy J\", printf('%%.1f', avg(wall_s) " DONE ") AS \"time s\"");
  mho_text_append(sql, n, " FROM %s GROUP BY %s", from, expanded);
}

static void make_sql(const options *o, bool people, char *sql, size_t n) {
  char where[4096] = "", sort[512] = "", from[8192], order[640], limit[32];
  bool ascending = o->sort && *o->sort == '-';
  if (o->where)
    expand_keys(o->where, where, sizeof where);
  if (o->sort)
    expand_keys(o->sort + ascending, sort, sizeof sort);
  snprintf(from, sizeof from, "v_run%s%s%s%s%s", o->study || *where ? " WHERE " : "",
           o->study ? "id IN (SELECT run_id FROM study_run WHERE study = ?1)" : "",
           o->study && *where ? " AND " : "", *where ? "(" : "", where);
  if (*where)
    mho_text_append(from, sizeof from, ")");
  if (*sort)
    snprintf(order, sizeof order, " ORDER BY %s %s", sort, ascending ? "ASC" : "DESC");
  else
    snprintf(order, sizeof order, " ORDER BY %s DESC",
             o->group ? "avg(test_acc) FILTER (WHERE status = 'completed')" : "started");
  mho_text_append(order, sizeof order, "%s", o->group ? "" : ", id DESC");
  snprintf(limit, sizeof limit, " LIMIT %ld", o->limit ? o->limit : -1);
  if (o->group)
    group_sql(o, from, sql, n);
  else if (people)
    snprintf(sql, n, "SELECT %s FROM %s", COLUMNS_FOR_PEOPLE, from);
  else /* found first, by an index that has all but the config, then read */
    snprintf(sql, n, "SELECT * FROM v_run WHERE id IN (SELECT id FROM %s%s%s)", from, order, limit);
  mho_text_append(sql, n, "%s%s", order, limit);
}

static int run(int argc, char **argv) {
  options o = {.limit = 50};
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  mho_errinfo ei = {0};
  mho_store *s = NULL;
  char sql[16384], study[MHO_STUDY_NAME_MAX];
  const char *arg = study;
  bool people = !o.common.json && !o.csv;
  make_sql(&o, people, sql, sizeof sql);
  mho_err err =
      strlen(sql) >= sizeof sql - 1 || (o.where && strlen(o.where) > 2000)
          ? mho_fail(&ei, MHO_EINVAL, "the condition is too long")
          : mho_store_open(o.common.db ? o.common.db : DEFAULT_DB, MHO_STORE_READ, &s, &ei);
  if (!err && o.study)
    err = mho_store_study_find(s, o.study, study, &ei);
  int rows = 0;
  if (!err)
    err = print_query(s, sql, o.study != NULL, &arg, 0,
                      o.common.json ? FORMAT_JSON
                      : o.csv       ? FORMAT_CSV
                                    : FORMAT_TABLE,
                      &rows, &ei);
  if (!err && people && !rows)
    printf("no runs%s\n", o.where || o.study ? " that match" : "");
  if (!err && people && o.limit && rows == o.limit)
    printf("the first %ld; --limit 0 lists all\n", o.limit);
  mho_store_close(s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_runs = {"runs", "list, filter and sort runs", run};
