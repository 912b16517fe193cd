/* cmd_list.c - mho list: what is registered.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/key_list.h"
#include "mho/report.h"

static const struct argp_option option_table[] = {OPT_JSON, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  return common_option(state->input, key, arg, state);
}

VERB_ARGP("[KIND [ID]]",
          "List what is registered, with parameters, units, ranges and sources.\v"
          "KIND: datasets, topologies, neurons, dynamics, settlers, rules, "
          "optimizers, schemes (or programs), devices, mappings, arrays or reports; and keys, "
          "every key that a config may have, where ID is a section.\n\n"
          "Examples:\n  mho list devices\n  mho list rules ep\n  mho list keys array");

/* What of a kind is registered, under the word that the user knows it by. Reports are not in the
 * registry: their kind is MHO_KIND_COUNT. */
static const char *word_of(int kind) {
  return kind == MHO_KIND_COUNT ? "reports" : mho_kind_word((mho_kind)kind);
}

static const char *section_of(int kind) {
  return kind == MHO_KIND_COUNT ? "report" : kind_section((mho_kind)kind);
}

static int count_of(const mho_registry *r, int kind) {
  return kind == MHO_KIND_COUNT ? mho_report_count() : mho_registry_count(r, (mho_kind)kind);
}

static const mho_entry *entry_of(const mho_registry *r, int kind, int i) {
  return kind == MHO_KIND_COUNT ? mho_report_entry(mho_report_at(i))
                                : mho_registry_at(r, (mho_kind)kind, i);
}

static void print_json(int kind, const mho_entry *e) {
  json_t *keys = json_array(), *defaults = json_object();

  for (int i = 0; i < e->params.n; i++) {
    const mho_param *p = &e->params.p[i];
    char key[128], value[256], range[256];
    snprintf(key, sizeof key, "%s.%s", section_of(kind), p->name);
    default_text(e->params, p, value, sizeof value);
    mho_param_range(p, range, sizeof range);
    json_array_append_new(keys, json_pack("{ss ss ss ss ss}", "key", key, "default", value, "unit",
                                          p->unit, "range", range, "doc", p->doc));
  }

  /* what it brings for keys of other sections */
  for (int i = 0; i < e->n_defaults; i++)
    json_object_set_new(defaults, e->defaults[i].key, json_string(e->defaults[i].text));

  print_json_line(json_pack("{ss ss ss ss* ss* so so}", "kind", word_of(kind), "id", e->id, "title",
                            e->title, "equation", e->equation, "source", e->source, "parameters",
                            keys, "defaults", defaults),
                  0);
}

/* All entries of a kind on one line. */
static int print_names(const mho_registry *r, int kind) {
  int n = count_of(r, kind);
  printf("%s:", word_of(kind));
  for (int i = 0; i < n; i++)
    printf(" %s", entry_of(r, kind, i)->id);
  printf("\n");
  return n;
}

/* Entries of a kind in full; id NULL: all. How many were printed. */
static int print_entries(const mho_registry *r, int kind, const char *id, bool json) {
  int printed = 0;
  for (int i = 0; i < count_of(r, kind); i++) {
    const mho_entry *e = entry_of(r, kind, i);
    if (id && strcmp(id, e->id))
      continue;

    if (json)
      print_json(kind, e);
    else
      print_entry(e, section_of(kind));
    printed++;
  }
  return printed;
}

/* The word of a kind (nullable): schemes have an older one. */
static const char *kind_word(const char *word) {
  return word && !strcmp(word, "programs") ? mho_kind_word(MHO_KIND_SCHEME) : word;
}

static mho_err list(const common_options *o, const mho_registry *r, mho_errinfo *ei) {
  const char *word = kind_word(option_word(o, 0)), *id = option_word(o, 1);
  bool of_keys = word && !strcmp(word, "keys");
  int printed = of_keys ? print_keys(r, id, o->json) : 0;

  for (int kind = 0; !of_keys && kind <= MHO_KIND_COUNT; kind++) {
    if (word && strcmp(word, word_of(kind)))
      continue;
    if (!word && !o->json)
      printed += print_names(r, kind);
    else
      printed += print_entries(r, kind, id, o->json);
  }

  if (!word && !o->json) {
    print_sections(r);
    printf("\n'mho list KIND' shows each with its parameters.\n");
  }
  if (!printed && id)
    return mho_fail(ei, MHO_ENOTFOUND, "there is no '%s' among the %s; 'mho list %s' shows them",
                    id, word, word);
  if (!printed)
    return mho_fail(ei, MHO_ENOTFOUND, "there are no '%s'; 'mho list' shows the kinds", word);
  return MHO_OK;
}

static int run(int argc, char **argv) {
  common_options o = {.max_words = 2};
  parse_options(&argp, argc, argv, &o);

  environment s;
  mho_errinfo ei = {0};
  mho_err err = environment_open(&s, -1, &ei);
  if (!err)
    err = list(&o, s.registry, &ei);

  environment_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_list = {"list", "what is registered: devices, rules, settlers, ...", &argp, run};
