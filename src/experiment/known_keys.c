/* known_keys.c - the keys that a config may have at all, whatever it chooses.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiment/known_keys.h"

#include <stdio.h>
#include <string.h>

#include "experiment/sections.h"

/* ---------------------------------------------------------------- every key */

/* Who is told of each. */
typedef struct visitor {
  void (*f)(void *user, const mho_known_key *k);
  void *user;
} visitor;

/* The keys of a table; of: what is the same for all of them. */
static void visit_table(const visitor *v, mho_known_key of, mho_params table) {
  of.table = table;
  for (int i = 0; i < table.n; i++) {
    of.param = &table.p[i];
    of.name = table.p[i].name;
    v->f(v->user, &of);
  }
}

static void visit_selectors(const visitor *v, const mho_section *section) {
  int selectors = mho__section_selectors(section);
  for (int k = 0; k < selectors; k++)
    v->f(v->user, &(mho_known_key){.section = section->name,
                                   .name = section->selector[k].key,
                                   .kind = section->selector[k].kind,
                                   .initial = section->selector[k].initial,
                                   .implied = section->selector[k].implied});
}

/* The keys of everything registered that a section can choose. */
static void visit_choices(const visitor *v, const mho_registry *r, const mho_section *section) {
  int selectors = mho__section_selectors(section);
  for (int k = 0; k < selectors; k++) {
    mho_kind kind = section->selector[k].kind;
    for (int i = 0; i < mho_registry_count(r, kind); i++) {
      const mho_entry *owner = mho_registry_at(r, kind, i);
      visit_table(v, (mho_known_key){.section = section->name, .kind = kind, .owner = owner},
                  owner->params);
    }
  }
}

void mho__known_keys_visit(const mho_registry *r, void (*f)(void *user, const mho_known_key *k),
                           void *user) {
  visitor v = {f, user};
  for (int i = 0; i < mho__n_sections; i++) {
    const mho_section *section = &mho__sections[i];
    visit_selectors(&v, section);
    if (section->common)
      visit_table(&v, (mho_known_key){.section = section->name, .kind = MHO_KIND_COUNT},
                  *section->common);
    visit_choices(&v, r, section);
  }
}

/* ---------------------------------------------------------------- one key */

enum { FAR = 3 }; /* edits from which on a word is no slip */

/* A key that is looked for among all. */
typedef struct search {
  const char *key;
  bool found;
  int distance; /* of the nearest so far */
  char near[128];
} search;

static void consider(void *user, const mho_known_key *k) {
  search *s = user;
  char key[128];
  snprintf(key, sizeof key, "%s.%s", k->section, k->name);
  int distance = mho_text_distance(s->key, key);
  s->found = s->found || !strcmp(s->key, key);
  if (distance >= s->distance)
    return;
  s->distance = distance;
  memcpy(s->near, key, sizeof key);
}

bool mho_config_key_known(const mho_registry *r, const char *key, char *near, size_t n) {
  search s = {.key = key, .distance = FAR};
  mho__known_keys_visit(r, consider, &s);
  snprintf(near, n, "%s", s.near);
  return s.found;
}
