/* experiment_print.c - an experiment as YAML for people, as JSON for the database, and as a hash.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/sections.h"
#include "mho/model/check.h"

/* ---------------------------------------------------------------- YAML */

typedef struct yaml_printer {
  FILE *out;
  bool changed_only, card;
  const mho_section *section;
  char group[64]; /* "variation" while its keys are printed */
} yaml_printer;

static bool needs_quotes(const mho_param *p, const char *text) {
  return p && p->kind == MHO_PARAM_TEXT &&
         (!*text || strpbrk(text, ":#{}[],&*!|>'\"%@`\n ") || strchr("-?", *text));
}

/* The line of a section or of a group of keys that begins here. */
static void print_heads(yaml_printer *y, const mho_setting *s, const char *dot) {
  if (s->section != y->section) {
    fprintf(y->out, "%s%s:\n", y->section ? "\n" : "", s->section->name);
    y->section = s->section;
    *y->group = 0;
  }

  size_t n = dot ? (size_t)(dot - s->name) : 0;
  if (dot && (strlen(y->group) != n || strncmp(y->group, s->name, n))) {
    snprintf(y->group, sizeof y->group, "%.*s", (int)n, s->name);
    fprintf(y->out, "  %s:\n", y->group);
  }
}

/* What follows a key: what it says and may be; of a selector, where its words are listed. */
static void print_comment(FILE *out, const mho_setting *s) {
  const mho_section *section = s->section;
  char range[256] = "";

  if (!s->param) {
    int k = strcmp(s->name, section->selector[0].key) != 0;
    fprintf(out, "mho list %s", mho_kind_word(section->selector[k].kind));
    return;
  }

  if (s->param->kind != MHO_PARAM_TEXT)
    mho_param_range(s->param, range, sizeof range);
  fprintf(out, "%s%s%s%s", s->param->doc, *range ? " (" : "", range, *range ? ")" : "");
}

static void print_yaml(void *user, const mho_setting *s) {
  yaml_printer *y = user;
  char value[MHO_TEXT_MAX * 4], line[MHO_TEXT_MAX * 5];
  bool is_choice = y->card && !strcmp(s->section->name, "device"); /* of a default against a card */

  if (y->changed_only && s->is_default && !s->is_brought && !is_choice)
    return;

  const char *dot = strchr(s->name, '.');
  print_heads(y, s, dot);
  if (s->param)
    mho_param_format(s->param, s->params, false, value, sizeof value);
  else
    snprintf(value, sizeof value, "%s", s->word);

  const char *quote = needs_quotes(s->param, value) ? "\"" : "";
  snprintf(line, sizeof line, "%s%s: %s%s%s", dot ? "    " : "  ", dot ? dot + 1 : s->name, quote,
           value, quote);
  fprintf(y->out, "%-32s # ", line);
  print_comment(y->out, s);
  if (s->idle)
    fprintf(y->out, " [no effect: %s]", s->idle);
  fputc('\n', y->out);
}

char *mho_experiment_yaml(const mho_experiment *e, bool changed_only) {
  char *text = NULL;
  size_t n;
  yaml_printer y = {.out = open_memstream(&text, &n),
                    .changed_only = changed_only,
                    .card = *e->device_config.card};
  if (!y.out)
    return NULL;

  mho__settings_visit(e, print_yaml, &y);
  bool is_whole = !ferror(y.out);
  if (fclose(y.out) || !is_whole) {
    free(text);
    return NULL;
  }
  return text;
}

/* ---------------------------------------------------------------- JSON */

/* An object that grows; incomplete where there was no memory for all of it. */
typedef struct json_printer {
  json_t *root;
  bool incomplete;
} json_printer;

static void add_member(json_printer *j, json_t *object, const char *name, json_t *value) {
  if (json_object_set_new(object, name, value))
    j->incomplete = true;
}

/* A list, or NULL where one of its n entries is missing. */
static json_t *whole_list(json_t *a, int n) {
  if ((int)json_array_size(a) == n)
    return a;
  json_decref(a);
  return NULL;
}

static json_t *json_ints(const mho_ints *list) {
  json_t *a = json_array();
  for (int i = 0; i < list->n; i++)
    json_array_append_new(a, json_integer(list->v[i]));
  return whole_list(a, list->n);
}

static json_t *json_reals(const mho_reals *list) {
  json_t *a = json_array();
  for (int i = 0; i < list->n; i++)
    json_array_append_new(a, json_real(list->v[i]));
  return whole_list(a, list->n);
}

static json_t *json_value(const mho_setting *s) {
  if (!s->param)
    return json_string(s->word);

  const void *at = (const char *)s->params + s->param->offset;
  char text[MHO_TEXT_MAX * 4];
  switch (s->param->kind) {
  case MHO_PARAM_REAL:
    return json_real(*(const double *)at);
  case MHO_PARAM_INT:
    return json_integer(*(const int64_t *)at);
  case MHO_PARAM_BOOL:
    return json_boolean(*(const bool *)at);
  case MHO_PARAM_INTS:
    return json_ints(at);
  case MHO_PARAM_REALS:
    return json_reals(at);
  case MHO_PARAM_TEXT:
  case MHO_PARAM_CHOICE:
    break;
  }

  mho_param_format(s->param, s->params, true, text, sizeof text);
  return json_string(text);
}

static json_t *member(json_printer *j, json_t *object, const char *name, size_t length) {
  char key[64];
  snprintf(key, sizeof key, "%.*s", (int)length, name);
  json_t *m = json_object_get(object, key);
  if (m)
    return m;

  add_member(j, object, key, json_object());
  return json_object_get(object, key);
}

static void add_json(void *user, const mho_setting *s) {
  json_printer *j = user;
  json_t *at = member(j, j->root, s->section->name, strlen(s->section->name));
  const char *name = s->name;
  for (const char *dot = strchr(name, '.'); dot; dot = strchr(name, '.')) {
    at = member(j, at, name, (size_t)(dot - name));
    name = dot + 1;
  }
  add_member(j, at, name, json_value(s));
}

char *mho_experiment_json(const mho_experiment *e) {
  json_printer j = {.root = json_object()};
  mho__settings_visit(e, add_json, &j);
  char *text = j.incomplete ? NULL : json_dumps(j.root, JSON_COMPACT | JSON_REAL_PRECISION(17));
  json_decref(j.root);
  return text;
}

/* ---------------------------------------------------------------- hash */

/* Whether a key can change a result: paths and what is observed do not, and of a card its keys
 * do. */
static bool changes_results(const mho_setting *s) {
  bool is_text = s->param && s->param->kind == MHO_PARAM_TEXT;
  if (is_text && (!strcmp(s->name, "path") || !strcmp(s->name, "card")))
    return false;
  return strcmp(s->section->name, "observe") != 0;
}

static void add_changed(void *user, const mho_setting *s) {
  json_printer *j = user;
  char path[128];
  if (s->is_default || !changes_results(s))
    return;
  snprintf(path, sizeof path, "%s.%s", s->section->name, s->name);
  add_member(j, j->root, path, json_value(s));
}

mho_err mho_experiment_hash(const mho_experiment *e, const char *data_checksum, char hex[65],
                            mho_errinfo *ei) {
  json_printer keys = {.root = json_object()}, all = {.root = json_object()};
  mho_seeds seeds = mho_experiment_seeds(e);
  mho__settings_visit(e, add_changed, &keys);

  add_member(&all, all.root, "keys", keys.root);
  add_member(&all, all.root, "defaults", json_integer(MHO_DEFAULTS_VERSION));
  add_member(&all, all.root, "data", json_string(data_checksum));
  add_member(&all, all.root, "seeds",
             json_pack("[I,I,I,I]", (json_int_t)seeds.weights, (json_int_t)seeds.chip,
                       (json_int_t)seeds.order, (json_int_t)seeds.noise));

  bool is_whole = !keys.incomplete && !all.incomplete;
  size_t flags = JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17);
  char *text = is_whole ? json_dumps(all.root, flags) : NULL;
  if (text)
    SHA256Data((const uint8_t *)text, strlen(text), hex);
  mho_err err = text ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory to hash the config");

  free(text);
  json_decref(all.root);
  return err;
}
