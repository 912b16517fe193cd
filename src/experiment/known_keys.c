/* known_keys.c - the keys that a config may have at all, whatever it chooses.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "experiment/sections.h"

enum { FAR = 3 }; /* edits from which on a word is no slip */

/* A key that is looked for among all. */
typedef struct search {
  const char *key;
  bool found;
  int distance; /* of the nearest so far */
  char near[128];
} search;

static void consider(search *s, const char *section, const char *name) {
  char key[128];
  snprintf(key, sizeof key, "%s.%s", section, name);
  int distance = mho_text_distance(s->key, key);
  s->found = s->found || !strcmp(s->key, key);
  if (distance >= s->distance)
    return;
  s->distance = distance;
  memcpy(s->near, key, sizeof key);
}

static void consider_table(search *s, const char *section, mho_params table) {
  for (int i = 0; i < table.n; i++)
    consider(s, section, table.p[i].name);
}

bool mho_config_key_known(const mho_registry *r, const char *key, char *near, size_t n) {
  search s = {.key = key, .distance = FAR};
  for (int i = 0; i < mho__n_sections; i++) {
    const mho_section *section = &mho__sections[i];
    int selectors = mho__section_selectors(section);
    if (section->common)
      consider_table(&s, section->name, *section->common);

    for (int k = 0; k < selectors; k++) {
      mho_kind kind = section->selector[k].kind;
      consider(&s, section->name, section->selector[k].key);
      for (int e = 0; e < mho_registry_count(r, kind); e++)
        consider_table(&s, section->name, mho_registry_at(r, kind, e)->params);
    }
  }

  snprintf(near, n, "%s", s.near);
  return s.found;
}
