/* cmd_compare.c - mho compare: runs side by side, with the config keys in which they differ.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "report/config_table.h"

enum { RUNS_MAX = 12 };

typedef struct options {
  common_options common;
  bool all;
} options;

enum { KEY_ALL = OPTION_VERB };
static const struct argp_option option_table[] = {
    OPT_DB, OPT_JSON, {"all", KEY_ALL, NULL, 0, "every config key, also those that agree", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case KEY_ALL:
    o->all = true;
    return 0;

  case ARGP_KEY_END:
    if (o->common.n_words > RUNS_MAX)
      argp_error(state, "at most %d runs at a time", RUNS_MAX);
    if (o->common.n_words < 2)
      argp_error(state, "compare which runs? two or more");
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

VERB_ARGP("RUN RUN...", "Runs side by side: results, and the config keys in which they differ.\v"
                        "RUN is an id, a name, a unique id prefix, or last.\n\n"
                        "Example:\n  mho compare quickstart-float quickstart");

/* ---------------------------------------------------------------- the runs */

typedef struct compared {
  mho_run_row record;
  mho_report_config config;
} compared;

/* The numbers of a run that are compared, with how people read them. */
static const struct {
  const char *json, *title, *format;
  double factor;
  size_t offset;
} results[] = {
    {"final_test_acc", "last test %", "%.2f", 100, offsetof(mho_run_row, final_test_acc)},
    {"best_test_acc", "best test %", "%.2f", 100, offsetof(mho_run_row, best_test_acc)},
    {"train_acc", "training %", "%.2f", 100, offsetof(mho_run_row, train_acc)},
    {"val_acc", "validation %", "%.2f", 100, offsetof(mho_run_row, val_acc)},
    {"final_test_rms", "last test rms", "%.4g", 1, offsetof(mho_run_row, final_test_rms)},
    {"best_test_rms", "best test rms", "%.4g", 1, offsetof(mho_run_row, best_test_rms)},
    {"final_test_loss", "last test loss", "%.4g", 1, offsetof(mho_run_row, final_test_loss)},
    {"val_loss", "validation loss", "%.4g", 1, offsetof(mho_run_row, val_loss)},
    {"pulses", "pulses", "%.4g", 1, offsetof(mho_run_row, pulses)},
    {"energy_j", "energy J", "%.4g", 1, offsetof(mho_run_row, energy_j)},
    {"wall_s", "time s", "%.1f", 1, offsetof(mho_run_row, wall_s)},
};

/* The k-th of the results of a run; NaN where it has none. */
static double result_of(const compared *c, int k) {
  return *(const double *)(const void *)((const char *)&c->record + results[k].offset);
}

static const char *value_of(const compared *c, const mho_report_key *key) {
  return mho__report_config_value(&c->config, key->section, key->name);
}

/* Whether one of the first n runs has the key. */
static bool has_key(const compared *c, int n, const mho_report_key *key) {
  for (int i = 0; i < n; i++)
    if (*value_of(&c[i], key))
      return true;
  return false;
}

/* The values of a key in all n runs; @return whether they agree. */
static bool values_of(const compared *c, int n, const mho_report_key *key, const char **values) {
  bool same = true;
  for (int i = 0; i < n; i++) {
    values[i] = value_of(&c[i], key);
    same = same && !strcmp(values[i], values[0]);
  }
  return same;
}

typedef void (*key_fn)(void *user, const mho_report_key *k, const char *const *values);

/* The keys of all the runs, in the order of the first; each once, and only where the values differ
 * unless all are wanted. */
static void each_key(const compared *c, int n, bool all, key_fn f, void *user) {
  const char *values[RUNS_MAX];
  for (int i = 0; i < n; i++)
    for (int k = 0; k < c[i].config.n; k++) {
      const mho_report_key *key = &c[i].config.key[k];
      bool same = values_of(c, n, key, values);
      if (!has_key(c, i, key) && (all || !same))
        f(user, key, values);
    }
}

/* ---------------------------------------------------------------- output */

typedef struct printer {
  table *t;
  json_t *json;
  int n;
} printer;

static void key_row(void *user, const mho_report_key *k, const char *const *values) {
  printer *p = user;
  char name[256];
  const char *cells[RUNS_MAX + 1] = {name};
  snprintf(name, sizeof name, "%s.%s", k->section, k->name);
  for (int i = 0; i < p->n; i++)
    cells[i + 1] = values[i];
  table_row(p->t, cells);
}

static void key_json(void *user, const mho_report_key *k, const char *const *values) {
  printer *p = user;
  char name[256];
  json_t *list = json_array();
  snprintf(name, sizeof name, "%s.%s", k->section, k->name);
  for (int i = 0; i < p->n; i++)
    json_array_append_new(list, *values[i] ? json_string(values[i]) : json_null());
  json_object_set_new(p->json, name, list);
}

/* One of the results, unless no run has it. */
static void result_row(table *t, const compared *c, int n, int k) {
  char text[RUNS_MAX][32];
  const char *cells[RUNS_MAX + 1] = {results[k].title};
  bool any = false;

  for (int i = 0; i < n; i++) {
    double v = result_of(&c[i], k);
    *text[i] = 0;
    if (isfinite(v)) {
      snprintf(text[i], sizeof text[i], results[k].format, results[k].factor * v);
      any = true;
    }
    cells[i + 1] = text[i];
  }
  if (any)
    table_row(t, cells);
}

static void print_table(const options *o, const compared *c) {
  int n = o->common.n_words;
  const char *names[RUNS_MAX + 1] = {""}, *ids[RUNS_MAX + 1] = {"run"};
  const char *status[RUNS_MAX + 1] = {"status"}, *version[RUNS_MAX + 1] = {"mho"};
  bool same_version = true;

  for (int i = 0; i < n; i++) {
    const mho_run_row *r = &c[i].record;
    names[i + 1] = r->name && *r->name ? r->name : r->id;
    ids[i + 1] = r->id;
    status[i + 1] = r->status;
    version[i + 1] = r->code_version;
    same_version = same_version && !strcmp(r->code_version, c[0].record.code_version);
  }

  table *t = table_new(n + 1, names);
  table_row(t, ids);
  table_row(t, status);
  if (!same_version)
    table_row(t, version);
  for (int k = 0; k < MHO_COUNT(results); k++)
    result_row(t, c, n, k);
  each_key(c, n, o->all, key_row, &(printer){.t = t, .n = n});
  table_print(t);
}

static void print_json(const options *o, const compared *c) {
  int n = o->common.n_words;
  json_t *root = json_object(), *runs = json_array(), *keys = json_object();

  for (int i = 0; i < n; i++) {
    const mho_run_row *r = &c[i].record;
    json_t *run = json_pack("{ss ss so* sI}", "id", r->id, "status", r->status, "name",
                            text_json(r->name), "seed", (json_int_t)r->seed);
    for (int k = 0; k < MHO_COUNT(results); k++)
      json_object_set_new(run, results[k].json, number_or_null(result_of(&c[i], k)));
    json_array_append_new(runs, run);
  }
  each_key(c, n, o->all, key_json, &(printer){.json = keys, .n = n});

  json_object_set_new(root, "runs", runs);
  json_object_set_new(root, "config", keys);
  print_json_line(root, JSON_DIGITS);
}

/* ---------------------------------------------------------------- the verb */

static mho_err read_run(mho_store *s, const char *word, compared *c, mho_errinfo *ei) {
  char id[MHO_ID_MAX];
  mho_err err = mho_store_find(s, word, id, ei);
  if (!err)
    err = mho_store_run_get(s, id, &c->record, ei);
  if (!err)
    err = mho__report_config_read(&c->record, &c->config, ei);
  return err;
}

static mho_err compare(const options *o, compared *c, mho_errinfo *ei) {
  mho_store *s = NULL;
  mho_err err = open_database(&o->common, MHO_STORE_READ, &s, ei);
  for (int i = 0; i < o->common.n_words; i++) {
    if (err)
      break;
    err = read_run(s, o->common.word[i], &c[i], ei);
  }
  if (!err && o->common.json)
    print_json(o, c);
  else if (!err)
    print_table(o, c);

  mho_store_close(s);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.common.max_words = INT_MAX};
  parse_options(&argp, argc, argv, &o);

  mho_errinfo ei = {0};
  compared c[RUNS_MAX] = {0};
  mho_err err = compare(&o, c, &ei);
  for (int i = 0; i < o.common.n_words; i++) {
    mho__report_config_free(&c[i].config);
    mho_run_row_free(&c[i].record);
  }
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_compare = {"compare", "runs side by side, with what differs in their configs",
                           &argp, run};
