/* study_axes.c - what a study file varies: points by name, lists of values, ranges.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "study/study_axes.h"
#include "mho/model/entry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- values */

static mho_err add_set(const study_reader *r, study_value *v, const mho_config_key *k) {
  study_set *grown = realloc(v->set, (size_t)(v->n + 1) * sizeof *grown);
  if (!grown)
    return mho__study_no_memory(r);
  v->set = grown;

  study_set *added = &v->set[v->n++];
  *added = (study_set){strdup(k->path), strdup(k->text), k->is_list, k->line};
  return added->key && added->text ? MHO_OK : mho__study_no_memory(r);
}

/* What a node sets below `key` ("": a map of keys), read as config. */
static mho_err read_value(const study_reader *r, const char *key, const yaml_node_t *node,
                          study_value *v) {
  mho_config *c = NULL;
  mho_err err = mho_config_new(&c, r->ei);
  if (err)
    return err;

  err = mho__config_node(c, key, r->doc, node, r->s->file, false, r->ei);
  for (int i = 0; i < c->n; i++) {
    if (err)
      break;
    err = add_set(r, v, &c->key[i]);
  }
  mho_config_free(c);
  return err;
}

/* An axis at the end, of values that are still empty; NULL without memory. */
static study_axis *add_axis(const study_reader *r, const yaml_node_t *node, int n_values) {
  mho_study *s = r->s;
  if (s->n_axes == s->capacity) {
    int more = s->capacity ? 2 * s->capacity : 8;
    study_axis *grown = realloc(s->axis, (size_t)more * sizeof *grown);
    if (!grown)
      return NULL;
    s->axis = grown;
    s->capacity = more;
  }

  study_value *values = calloc((size_t)mho_max(n_values, 1), sizeof *values);
  if (!values)
    return NULL;

  study_axis *added = &s->axis[s->n_axes++];
  *added = (study_axis){.line = mho__study_line(node), .n = n_values, .value = values};
  return added;
}

mho_err mho__study_read_points(const study_reader *r, const yaml_node_t *node) {
  int n = mho__study_list_length(node);
  if (!n)
    return STUDY_FAIL(r, node,
                      "points: expected a list of what each sets, for example "
                      "[{device: linear}, {device: ideal}]");

  study_axis *a = add_axis(r, node, n);
  if (!a)
    return mho__study_no_memory(r);

  for (int i = 0; i < n; i++) {
    const yaml_node_t *item = mho__study_list_at(r, node, i);
    if (item->type != YAML_MAPPING_NODE)
      return STUDY_FAIL(r, item, "points: each is a map of keys, for example {device: linear}");
    mho_err err = read_value(r, "", item, &a->value[i]);
    if (err)
      return err;
  }

  return MHO_OK;
}

/* ---------------------------------------------------------------- keys */

static const mho_section *section_of(const char *key) {
  size_t n = strcspn(key, ".");
  for (int i = 0; i < mho__n_sections; i++)
    if (strlen(mho__sections[i].name) == n && !strncmp(mho__sections[i].name, key, n))
      return &mho__sections[i];
  return NULL;
}

/* A parameter of that name, of any model of a kind. */
static const mho_param *param_of_kind(const mho_registry *r, mho_kind kind, const char *name) {
  for (int i = 0; i < mho_registry_count(r, kind); i++) {
    const mho_param *p = mho_params_find(mho_registry_at(r, kind, i)->params, name);
    if (p)
      return p;
  }
  return NULL;
}

/* The parameter of a key, whichever model of its section it belongs to. */
static const mho_param *param_of(const mho_registry *r, const char *key) {
  const mho_section *s = section_of(key);
  const char *dot = strchr(key, '.');
  if (!s || !dot)
    return NULL;

  const mho_param *p = s->common ? mho_params_find(*s->common, dot + 1) : NULL;
  for (int k = 0; k < SELECTORS; k++) {
    if (p || !s->selector[k].key)
      break;
    p = param_of_kind(r, s->selector[k].kind, dot + 1);
  }

  return p;
}

static mho_err add_key(const study_reader *r, const yaml_node_t *node, study_axis *a,
                       const char *word) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
  if (!section_of(word) || word[strspn(word, letters)])
    return STUDY_FAIL(
        r, node, "vary: '%s' is no key of a config; 'mho train --print-config' shows all of them",
        word);
  if (a->n_keys == STUDY_KEYS_MAX)
    return STUDY_FAIL(r, node, "vary: more than %d keys are set together", STUDY_KEYS_MAX);

  char *key = strdup(mho__config_present_name(word));
  if (!key)
    return mho__study_no_memory(r);
  a->key[a->n_keys++] = key;
  return MHO_OK;
}

/* "device.step_up, device.step_down" */
static mho_err split_keys(const study_reader *r, const yaml_node_t *node, study_axis *a) {
  static const char between[] = ", \t\n";
  char text[MHO_TEXT_MAX], *save = NULL;
  const char *keys = mho__study_scalar(node);
  snprintf(text, sizeof text, "%s", keys ? keys : "");

  char *word = strtok_r(text, between, &save);
  if (!word)
    return STUDY_FAIL(r, node, "vary: expected keys such as array.read_noise, and their values");

  while (word) {
    mho_err err = add_key(r, node, a, word);
    if (err)
      return err;
    word = strtok_r(NULL, between, &save);
  }

  return MHO_OK;
}

/* ---------------------------------------------------------------- ranges */

static mho_err range_end(const study_reader *r, const study_axis *a, const yaml_node_t *n,
                         double *out) {
  mho_errinfo why = {0};
  const char *text = mho__study_scalar(n);
  if (!text)
    return STUDY_FAIL(r, n, "%s: expected a number with its unit", a->key[0]);
  mho_err err = mho_quantity_parse(text, a->range->unit, false, out, &why);
  if (err)
    return STUDY_FAIL(r, n, "%s: %s", a->key[0], why.message);

  if (*out < a->range->low || *out > a->range->high) {
    char range[256];
    mho_param_range(a->range, range, sizeof range);
    return STUDY_FAIL(r, n, "%s: '%s' is out of range: expected %s", a->key[0], text, range);
  }
  return MHO_OK;
}

static mho_err read_scale(const study_reader *r, study_axis *a, const yaml_node_t *value) {
  a->logarithmic = mho__study_is_word(value, "log");
  if (!a->logarithmic && !mho__study_is_word(value, "linear"))
    return STUDY_FAIL(r, value, "scale: expected linear or log");
  return MHO_OK;
}

static mho_err read_steps(const study_reader *r, study_axis *a, const yaml_node_t *value) {
  int64_t steps = 0;
  mho_err err = mho__study_whole(r, value, "steps", 2, 10000, &steps);
  if (!err)
    a->n = (int)steps;
  return err;
}

static mho_err read_range_entry(const study_reader *r, void *user, const char *word,
                                const yaml_node_t *key, const yaml_node_t *value) {
  study_axis *a = user;
  if (!strcmp(word, "from"))
    return range_end(r, a, value, &a->from);
  if (!strcmp(word, "to"))
    return range_end(r, a, value, &a->to);
  if (!strcmp(word, "steps"))
    return read_steps(r, a, value);
  if (!strcmp(word, "scale"))
    return read_scale(r, a, value);
  return STUDY_FAIL(r, key, "%s: '%s' is unknown (known: from, to, steps, scale)", a->key[0], word);
}

static mho_err read_range(const study_reader *r, const yaml_node_t *node, study_axis *a) {
  a->range = param_of(r->r, a->key[0]);
  if (!a->range || (a->range->kind != MHO_PARAM_REAL && a->range->kind != MHO_PARAM_INT))
    return STUDY_FAIL(r, node, "%s: only a number has a range; give a list of values", a->key[0]);

  a->from = a->to = NAN;
  mho_err err = mho__study_each(r, node, read_range_entry, a);
  if (err)
    return err;

  if (isnan(a->from) || isnan(a->to))
    return STUDY_FAIL(r, node, "%s: a range needs from and to", a->key[0]);
  if (a->logarithmic && !(a->from > 0 && a->to > 0))
    return STUDY_FAIL(r, node, "%s: on a log scale both ends must be above 0", a->key[0]);
  return MHO_OK;
}

/* ---------------------------------------------------------------- vary */

/* The i-th value of an axis: what a node sets each of the keys to. */
static mho_err read_keys(const study_reader *r, study_axis *a, const yaml_node_t *node, int i) {
  for (int k = 0; k < a->n_keys; k++) {
    mho_err err = read_value(r, a->key[k], node, &a->value[i]);
    if (err)
      return err;
  }

  if (!a->value[i].n)
    return STUDY_FAIL(r, node, "%s: {} sets nothing: give a value", a->key[0]);
  return MHO_OK;
}

static mho_err read_axis(const study_reader *r, void *user, const char *word,
                         const yaml_node_t *key, const yaml_node_t *node) {
  int n = mho__study_list_length(node);
  study_axis *a = add_axis(r, key, n);
  if (!a)
    return mho__study_no_memory(r);

  mho_err err = split_keys(r, key, a);
  if (err)
    return err;

  if (node->type == YAML_MAPPING_NODE)
    return read_range(r, node, a);
  if (!n)
    return STUDY_FAIL(r, node,
                      "%s: expected a list of values, or {from: .., to: .., steps: .., scale: log}",
                      a->key[0]);

  for (int i = 0; i < n; i++) {
    err = read_keys(r, a, mho__study_list_at(r, node, i), i);
    if (err)
      return err;
  }
  return MHO_OK;
}

mho_err mho__study_read_vary(const study_reader *r, const yaml_node_t *node) {
  if (node->type != YAML_MAPPING_NODE)
    return STUDY_FAIL(r, node,
                      "vary: expected keys and their values, for example "
                      "vary: {array.read_noise: [0, 0.01]}");
  return mho__study_each(r, node, read_axis, NULL);
}

/* ---------------------------------------------------------------- the end */

static void free_value(study_value *v) {
  for (int i = 0; i < v->n; i++) {
    free(v->set[i].key);
    free(v->set[i].text);
  }
  free(v->set);
}

void mho__study_axis_free(study_axis *a) {
  for (int k = 0; k < a->n_keys; k++)
    free(a->key[k]);
  if (!a->range) /* the steps of a range have no values */
    for (int v = 0; v < a->n; v++)
      free_value(&a->value[v]);
  free(a->value);
}
