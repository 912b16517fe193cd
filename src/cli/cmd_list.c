/* cmd_list.c - mho list: what is registered.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "mho/report.h"

typedef struct options {
  common_options common;
} options;

static const struct argp_option option_table[] = {OPT_JSON, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  return common_option(&((options *)state->input)->common, key, arg, state);
}

static const struct argp argp = {
    option_table,
    parse,
    "[KIND [ID]]",
    "List what is registered, with parameters, units, ranges and sources.\v"
    "KIND: datasets, topologies, neurons, settlers, rules, optimizers, "
    "programs, devices, arrays or reports.\n\n"
    "Examples:\n  mho list devices\n  mho list rules ep",
    NULL,
    NULL,
    NULL};

static void print_json(const char *kind, const char *section, const mho_entry *e) {
  json_t *keys = json_array();
  for (int i = 0; i < e->params.n; i++) {
    const mho_param *p = &e->params.p[i];
    char key[128], range[256];
    snprintf(key, sizeof key, "%s.%s", section, p->name);
    mho_param_range(p, range, sizeof range);
    json_array_append_new(keys, json_pack("{ss ss ss ss}", "key", key, "unit", p->unit, "range",
                                          range, "doc", p->doc));
  }
  json_t *o = json_pack("{ss ss ss ss* ss* so}", "kind", kind, "id", e->id, "title", e->title,
                        "equation", e->equation, "source", e->source, "parameters", keys);
  json_dumpf(o, stdout, JSON_COMPACT);
  putchar('\n');
  json_decref(o);
}

static void print_one(const options *o, const char *kind, const char *section, const mho_entry *e) {
  if (o->common.json)
    print_json(kind, section, e);
  else
    print_entry(e, section);
}

/* Entries of a kind that match the options; how many were printed. */
static int print_kind(const options *o, const mho_registry *r, int kind) {
  bool reports = kind == MHO_KIND_COUNT;
  const char *word = reports ? "reports" : mho_kind_word((mho_kind)kind);
  int n = reports ? mho_report_count() : mho_registry_count(r, (mho_kind)kind), printed = 0;
  if (o->common.word[0] && strcmp(o->common.word[0], word))
    return 0;
  if (!o->common.word[0] && !o->common.json)
    printf("%s:", word);
  for (int i = 0; i < n; i++) {
    const mho_entry *e = reports ? &mho_report_at(i)->entry : mho_registry_at(r, (mho_kind)kind, i);
    if (o->common.word[1] && strcmp(o->common.word[1], e->id))
      continue;
    if (!o->common.word[0] && !o->common.json)
      printf(" %s", e->id);
    else
      print_one(o, word, reports ? "report" : kind_section((mho_kind)kind), e);
    printed++;
  }
  if (!o->common.word[0] && !o->common.json)
    printf("\n");
  return printed;
}

static int run(int argc, char **argv) {
  options o = {.common.max_words = 2};
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  session s;
  mho_errinfo ei = {0};
  mho_err err = session_open(&s, -1, &ei);
  int printed = 0;
  for (int kind = 0; kind <= MHO_KIND_COUNT && !err; kind++)
    printed += print_kind(&o, s.registry, kind);
  if (!err && !o.common.word[0] && !o.common.json)
    printf("\n'mho list KIND' shows each with its parameters.\n");
  if (!err && !printed && o.common.word[1])
    err = mho_fail(&ei, MHO_ENOTFOUND, "there is no '%s' among the %s; 'mho list %s' shows them",
                   o.common.word[1], o.common.word[0], o.common.word[0]);
  else if (!err && !printed)
    err = mho_fail(&ei, MHO_ENOTFOUND, "there are no '%s'; 'mho list' shows the kinds",
                   o.common.word[0]);
  session_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_list = {"list", "what is registered: devices, rules, settlers, ...", run};
