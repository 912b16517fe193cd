/* key_list.c - config keys as people and programs list them: mho list keys.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/key_list.h"

#include <stdio.h>
#include <string.h>

#include "experiment/known_keys.h"

/* ---------------------------------------------------------------- what is said of a key */

/* A key in words. */
typedef struct key_words {
  char key[128], value[256], range[256], doc[256];
} key_words;

static key_words words_of(const mho_known_key *k) {
  key_words w;
  snprintf(w.key, sizeof w.key, "%s.%s", k->section, k->name);
  if (k->param) {
    default_text(k->table, k->param, w.value, sizeof w.value);
    mho_param_range(k->param, w.range, sizeof w.range);
    snprintf(w.doc, sizeof w.doc, "%s", k->param->doc);
    return w;
  }

  snprintf(w.value, sizeof w.value, "%s", k->initial);
  snprintf(w.range, sizeof w.range, "mho list %s", mho_kind_word(k->kind));
  snprintf(w.doc, sizeof w.doc, "one of the %s", mho_kind_word(k->kind));
  return w;
}

/* ---------------------------------------------------------------- tables and JSON */

typedef struct printer {
  const char *section; /* only this one; nullable */
  bool json;
  table *t;           /* of the section under way; NULL: none */
  const char *titled; /* that section */
  int n;
} printer;

static void end_table(printer *p) {
  if (p->t)
    table_print(p->t);
  p->t = NULL;
}

static void print_row(printer *p, const mho_known_key *k) {
  static const char *names[] = {"KEY", "OF", "DEFAULT", "RANGE", "MEANING"};
  key_words w = words_of(k);
  if (!p->titled || strcmp(p->titled, k->section)) {
    end_table(p);
    printf("%s%s\n", p->titled ? "\n" : "", k->section);
    p->titled = k->section;
    p->t = table_new(MHO_COUNT(names), names);
  }
  table_row(p->t, (const char *[]){w.key, k->owner ? k->owner->id : "", w.value, w.range, w.doc});
}

/* "of" is the registered thing whose key it is and "kind" what kind of thing that is; "chooses" is
 * the kind of what the key chooses. */
static void print_object(const mho_known_key *k) {
  key_words w = words_of(k);
  const char *kind = k->kind < MHO_KIND_COUNT ? mho_kind_word(k->kind) : NULL;
  print_json_line(json_pack("{ss ss s:s? s:s? s:s? ss ss ss ss}", "key", w.key, "section",
                            k->section, "of", k->owner ? k->owner->id : NULL, "kind",
                            k->owner ? kind : NULL, "chooses", k->param ? NULL : kind, "default",
                            w.value, "unit", k->param ? k->param->unit : "", "range", w.range,
                            "doc", w.doc),
                  0);
}

static void print_key(void *user, const mho_known_key *k) {
  printer *p = user;
  if (p->section && strcmp(p->section, k->section))
    return;
  p->n++;
  if (p->json)
    print_object(k);
  else
    print_row(p, k);
}

int print_keys(const mho_registry *r, const char *section, bool json) {
  printer p = {.section = section, .json = json};
  mho__known_keys_visit(r, print_key, &p);
  end_table(&p);
  return p.n;
}

/* ---------------------------------------------------------------- sections */

static void print_section(void *user, const mho_known_key *k) {
  const char **last = user;
  if (!*last || strcmp(*last, k->section))
    printf(" %s", k->section);
  *last = k->section;
}

void print_sections(const mho_registry *r) {
  const char *last = NULL;
  printf("keys:");
  mho__known_keys_visit(r, print_section, &last);
  printf("\n");
}
