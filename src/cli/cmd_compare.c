/* cmd_compare.c - mho compare: runs side by side, with the config keys in which they differ.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "report/config_table.h"

enum { RUNS_MAX = 12 };

typedef struct options {
  common_options common;
  const char *run[RUNS_MAX];
  int n;
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
  case ARGP_KEY_ARG:
    if (o->n == RUNS_MAX)
      argp_error(state, "at most %d runs at a time", RUNS_MAX);
    o->run[o->n++] = arg;
    return 0;
  case ARGP_KEY_END:
    if (o->n < 2)
      argp_error(state, "compare which runs? two or more");
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {
    option_table,
    parse,
    "RUN RUN...",
    "Runs side by side: results, and the config keys in which they differ.\v"
    "RUN is an id, a name, a unique id prefix, or last.\n\n"
    "Example:\n  mho compare quickstart-float quickstart",
    NULL,
    NULL,
    NULL};

typedef struct compared {
  mho_run_row row;
  mho_report_config config;
} compared;

static const char *value_of(const compared *c, const char *section, const char *name) {
  return mho_report_config_value(&c->config, section, name);
}

static void number_text(double v, const char *format, double factor, char buf[32]) {
  if (isfinite(v))
    snprintf(buf, 32, format, factor * v);
  else
    strcpy(buf, "");
}

static void result_row(table *t, const compared *c, int n, const char *name, size_t offset,
                       const char *format, double factor) {
  char text[RUNS_MAX][32];
  const char *cells[RUNS_MAX + 1] = {name};
  bool any = false;
  for (int i = 0; i < n; i++) {
    number_text(*(const double *)((const char *)&c[i].row + offset), format, factor, text[i]);
    any |= *text[i] != 0;
    cells[i + 1] = text[i];
  }
  if (any)
    table_row(t, cells);
}

/* The keys of all the runs, in the order of the first; each once. f: section, name, values, whether they agree. */
static void each_key(const compared *c, int n,
                     void (*f)(void *user, const mho_report_key *k, const char *const *values,
                               bool same),
                     void *user) {
  for (int i = 0; i < n; i++)
    for (int k = 0; k < c[i].config.n; k++) {
      const mho_report_key *key = &c[i].config.key[k];
      const char *values[RUNS_MAX];
      bool earlier = false, same = true;
      for (int j = 0; j < i && !earlier; j++)
        earlier = *value_of(&c[j], key->section, key->name) != 0;
      for (int j = 0; j < n; j++) {
        values[j] = value_of(&c[j], key->section, key->name);
        same = same && !strcmp(values[j], values[0]);
      }
      if (!earlier)
        f(user, key, values, same);
    }
}

typedef struct printer {
  table *t;
  json_t *json;
  int n;
  bool all;
} printer;

static void print_key(void *user, const mho_report_key *k, const char *const *values, bool same) {
  printer *p = user;
  char name[256];
  const char *cells[RUNS_MAX + 1] = {name};
  snprintf(name, sizeof name, "%s.%s", k->section, k->name);
  if (same && !p->all)
    return;
  json_t *list = p->json ? json_array() : NULL;
  for (int i = 0; i < p->n; i++) {
    cells[i + 1] = values[i];
    if (list)
      json_array_append_new(list, *values[i] ? json_string(values[i]) : json_null());
  }
  if (p->t)
    table_row(p->t, cells);
  else
    json_object_set_new(p->json, name, list);
}

static void print_table(const options *o, const compared *c) {
  const char *names[RUNS_MAX + 1] = {""};
  for (int i = 0; i < o->n; i++)
    names[i + 1] = c[i].row.name && *c[i].row.name ? c[i].row.name : c[i].row.id;
  table *t = table_new(o->n + 1, names);
  const char *cells[RUNS_MAX + 1] = {"run"}, *status[RUNS_MAX + 1] = {"status"},
                               *version[RUNS_MAX + 1] = {"mho"};
  bool same = true;
  for (int i = 0; i < o->n; i++) {
    cells[i + 1] = c[i].row.id;
    status[i + 1] = c[i].row.status;
    version[i + 1] = c[i].row.code_version;
    same = same && !strcmp(c[i].row.code_version, c[0].row.code_version);
  }
  table_row(t, cells);
  table_row(t, status);
  if (!same)
    table_row(t, version);
#define ROW(name, field, format, factor)                                                           \
  result_row(t, c, o->n, name, offsetof(mho_run_row, field), format, factor)
  ROW("last test %", final_test_acc, "%.2f", 100);
  ROW("best test %", best_test_acc, "%.2f", 100);
  ROW("training %", train_acc, "%.2f", 100);
  ROW("validation %", val_acc, "%.2f", 100);
  ROW("pulses", pulses, "%.4g", 1);
  ROW("energy J", energy_j, "%.4g", 1);
  ROW("time s", wall_s, "%.1f", 1);
#undef ROW
  printer p = {.t = t, .n = o->n, .all = o->all};
  each_key(c, o->n, print_key, &p);
  table_print(t);
}

static void print_json(const options *o, const compared *c) {
  json_t *root = json_object(), *runs = json_array(), *keys = json_object();
  for (int i = 0; i < o->n; i++) {
    const mho_run_row *r = &c[i].row;
    json_t *run = json_pack("{ss ss ss* sI}", "id", r->id, "status", r->status, "name", r->name,
                            "seed", (json_int_t)r->seed);
    const struct {
      const char *name;
      double v;
    } numbers[] = {{"final_test_acc", r->final_test_acc},
                   {"best_test_acc", r->best_test_acc},
                   {"train_acc", r->train_acc},
                   {"val_acc", r->val_acc},
                   {"pulses", r->pulses},
                   {"energy_j", r->energy_j},
                   {"wall_s", r->wall_s}};
    for (int k = 0; k < MHO_COUNT(numbers); k++)
      json_object_set_new(run, numbers[k].name,
                          isfinite(numbers[k].v) ? json_real(numbers[k].v) : json_null());
    json_array_append_new(runs, run);
  }
  printer p = {.json = keys, .n = o->n, .all = o->all};
  each_key(c, o->n, print_key, &p);
  json_object_set_new(root, "runs", runs);
  json_object_set_new(root, "config", keys);
  json_dumpf(root, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10));
  putchar('\n');
  json_decref(root);
}

static int run(int argc, char **argv) {
  options o = {0};
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  mho_errinfo ei = {0};
  mho_store *s = NULL;
  compared c[RUNS_MAX] = {0};
  char id[MHO_ID_MAX];
  mho_err err = mho_store_open(o.common.db ? o.common.db : DEFAULT_DB, MHO_STORE_READ, &s, &ei);
  for (int i = 0; i < o.n && !err; i++) {
    err = mho_store_find(s, o.run[i], id, &ei);
    if (!err)
      err = mho_store_run_get(s, id, &c[i].row, &ei);
    if (!err)
      err = mho_report_config_read(&c[i].row, &c[i].config, &ei);
  }
  if (!err && o.common.json)
    print_json(&o, c);
  else if (!err)
    print_table(&o, c);
  for (int i = 0; i < o.n; i++) {
    mho_report_config_free(&c[i].config);
    mho_run_row_free(&c[i].row);
  }
  mho_store_close(s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_compare = {"compare", "runs side by side, with what differs in their configs", run};
