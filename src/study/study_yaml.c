/* study_yaml.c - the nodes of a study file: scalars, numbers, lists, maps.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "study/study_yaml.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 10000 };

int mho__study_line(const yaml_node_t *n) {
  return (int)n->start_mark.line + 1;
}

const char *mho__study_scalar(const yaml_node_t *n) {
  return n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

bool mho__study_is_word(const yaml_node_t *n, const char *word) {
  const char *text = mho__study_scalar(n);
  return text && !strcmp(text, word);
}

int mho__study_list_length(const yaml_node_t *n) {
  if (n->type != YAML_SEQUENCE_NODE)
    return 0;
  return (int)(n->data.sequence.items.top - n->data.sequence.items.start);
}

yaml_node_t *mho__study_list_at(const study_reader *r, const yaml_node_t *list, int i) {
  return yaml_document_get_node(r->doc, list->data.sequence.items.start[i]);
}

mho_err mho__study_no_memory(const study_reader *r) {
  return mho_fail(r->ei, MHO_ENOMEM, "no memory for the study");
}

/* ---------------------------------------------------------------- numbers */

/* Whether all of a text is a number from low to high. */
static bool parse_number(const char *text, double low, double high, double *out) {
  char *end;
  if (!text)
    return false;
  *out = strtod(text, &end);
  return end != text && !*end && *out >= low && *out <= high;
}

mho_err mho__study_number(const study_reader *r, const yaml_node_t *n, const char *what, double low,
                          double high, double *out) {
  double v;
  if (!parse_number(mho__study_scalar(n), low, high, &v))
    return STUDY_FAIL(r, n, "%s: expected a number from %g to %g", what, low, high);
  *out = v;
  return MHO_OK;
}

mho_err mho__study_whole(const study_reader *r, const yaml_node_t *n, const char *what, double low,
                         double high, int64_t *out) {
  double v;
  if (!parse_number(mho__study_scalar(n), low, high, &v) || v != nearbyint(v))
    return STUDY_FAIL(r, n, "%s: expected a whole number from %g to %g", what, low, high);
  *out = (int64_t)v;
  return MHO_OK;
}

/* ---------------------------------------------------------------- maps */

/* The entry before p whose key is the same word; NULL: none. */
static const yaml_node_t *earlier(const study_reader *r, const yaml_node_t *map,
                                  const yaml_node_pair_t *p) {
  const char *word = mho__study_scalar(yaml_document_get_node(r->doc, p->key));
  for (const yaml_node_pair_t *e = map->data.mapping.pairs.start; word && e < p; e++) {
    const yaml_node_t *key = yaml_document_get_node(r->doc, e->key);
    if (mho__study_is_word(key, word))
      return key;
  }
  return NULL;
}

/* MHO_ECONFIG where a key is in a map twice, of which one would be taken in silence. */
static mho_err check_once(const study_reader *r, const yaml_node_t *map) {
  const yaml_node_pair_t *start = map->data.mapping.pairs.start, *end = map->data.mapping.pairs.top;
  if (end - start > ENTRIES_MAX)
    return STUDY_FAIL(r, map, "more than %d keys: this is not a study", ENTRIES_MAX);

  for (const yaml_node_pair_t *p = start; p < end; p++) {
    const yaml_node_t *key = yaml_document_get_node(r->doc, p->key), *first = earlier(r, map, p);
    if (first)
      return STUDY_FAIL(r, key, "'%s' is given twice, first in line %d", mho__study_scalar(key),
                        mho__study_line(first));
  }
  return MHO_OK;
}

mho_err mho__study_each(const study_reader *r, const yaml_node_t *map, study_entry entry,
                        void *user) {
  const yaml_node_pair_t *end = map->data.mapping.pairs.top;
  mho_err once = check_once(r, map);
  if (once)
    return once;

  for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < end; p++) {
    const yaml_node_t *key = yaml_document_get_node(r->doc, p->key);
    const yaml_node_t *value = yaml_document_get_node(r->doc, p->value);
    const char *word = mho__study_scalar(key);
    mho_err err = entry(r, user, word ? word : "", key, value);
    if (err)
      return err;
  }

  return MHO_OK;
}
