/* config_table.c - the config of a run: the table of its keys, and the command that makes it again.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/config_table.h"
#include "mho/model/entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/real_text.h"
#include "experiment/sections.h"
#include "report/html.h"

/* ---------------------------------------------------------------- keys */

static bool grow(mho_report_config *c) {
  int more = c->capacity ? 2 * c->capacity : 64;
  mho_report_key *grown = realloc(c->key, (size_t)more * sizeof *grown);
  if (!grown)
    return false;
  c->key = grown;
  c->capacity = more;
  return true;
}

/* A key at the end, which owns the value. NULL without memory, also when the value is NULL. */
static mho_report_key *add_key(mho_report_config *c, const char *section, const char *name,
                               char *value) {
  if (!value)
    return NULL;
  if (c->n == c->capacity && !grow(c)) {
    free(value);
    return NULL;
  }

  mho_report_key *k = &c->key[c->n++];
  *k = (mho_report_key){.value = value};
  snprintf(k->section, sizeof k->section, "%.63s", section);
  snprintf(k->name, sizeof k->name, "%.127s", name);
  return k;
}

/* Whether a key is section.name. */
static bool is_key(const mho_report_key *k, const char *section, const char *name) {
  return !strcmp(k->section, section) && !strcmp(k->name, name);
}

static mho_report_key *find_key(const mho_report_config *c, const char *section, const char *name) {
  for (int i = 0; i < c->n; i++)
    if (is_key(&c->key[i], section, name))
      return &c->key[i];
  return NULL;
}

const char *mho__report_config_value(const mho_report_config *c, const char *section,
                                     const char *name) {
  const mho_report_key *k = find_key(c, section, name);
  return k ? k->value : "";
}

void mho__report_config_free(mho_report_config *c) {
  for (int i = 0; i < c->n; i++) {
    free(c->key[i].value);
    free(c->key[i].initial);
  }
  free(c->key);
  *c = (mho_report_config){0};
}

/* ---------------------------------------------------------------- of an experiment */

typedef struct visitor {
  mho_report_config *c;
  const mho_registry *registry;
  mho_config *selectors; /* those of the experiment, as a config of their own */
  mho_err err;
  mho_errinfo *ei;
} visitor;

static char *setting_text(const mho_setting *s) {
  char text[MHO_TEXT_MAX * 4];
  if (!s->param)
    return strdup(s->word);
  mho_param_format(s->param, s->params, false, text, sizeof text);
  return strdup(text);
}

/* Which of its section's two selectors a setting is. */
static int selector_of(const mho_setting *s) {
  return strcmp(s->name, s->section->selector[0].key) != 0;
}

/* A setting that chooses a model: its meaning is the model's title. */
static void take_selector(visitor *v, mho_report_key *k, const mho_setting *s) {
  int i = selector_of(s);
  const mho_entry *entry = mho_registry_find(v->registry, s->section->selector[i].kind, s->word);

  k->doc = entry ? entry->title : NULL;
  k->initial = strdup(s->section->selector[i].initial);

  char assignment[256];
  snprintf(assignment, sizeof assignment, "%s.%s=%s", s->section->name, s->name, s->word);
  if (!v->err)
    v->err = mho_config_set(v->selectors, assignment, v->ei);
}

static void take_setting(void *user, const mho_setting *s) {
  visitor *v = user;
  mho_report_key *k = add_key(v->c, s->section->name, s->name, setting_text(s));
  if (!k) {
    v->err = MHO_ENOMEM;
    return;
  }

  k->changed = !s->is_default;
  if (s->param) {
    k->doc = s->param->doc;
    k->is_text = s->param->kind == MHO_PARAM_TEXT;
  } else {
    take_selector(v, k, s);
  }
}

/* Defaults are those of the chosen models. They come from an experiment with the same selectors and
 * nothing else, because a choice can move another key's default (a rule its feedback.mode). */
static void take_default(void *user, const mho_setting *s) {
  visitor *v = user;
  mho_report_key *k = s->param ? find_key(v->c, s->section->name, s->name) : NULL;
  if (!k)
    return;
  k->initial = setting_text(s);
  k->changed = k->initial && strcmp(k->initial, k->value) != 0;
}

static mho_err visit_experiment(const mho_registry *registry, const mho_experiment *e,
                                mho_config *selectors, mho_report_config *out, mho_errinfo *ei) {
  visitor v = {.c = out, .registry = registry, .selectors = selectors, .ei = ei};
  mho__settings_visit(e, take_setting, &v);
  if (v.err)
    return v.err;

  /* where there is no such experiment, defaults stay unknown */
  mho_experiment *plain = NULL;
  if (!mho_experiment_new(registry, selectors, true, &plain, NULL))
    mho__settings_visit(plain, take_default, &v);
  mho_experiment_free(plain);
  return MHO_OK;
}

static mho_err read_experiment(const mho_run_row *run, mho_report_config *out, mho_errinfo *ei) {
  mho_registry *registry = NULL;
  mho_config *selectors = NULL;
  mho_experiment *e = NULL;
  mho_err err = mho_registry_new(&registry, ei);
  if (!err)
    err = mho_config_new(&selectors, ei);
  if (!err)
    err = mho_experiment_of_json(registry, run->config, "the stored config", &e, ei);
  if (!err)
    err = visit_experiment(registry, e, selectors, out, ei);

  mho_experiment_free(e);
  mho_config_free(selectors);
  mho_registry_free(registry);
  return err;
}

/* ---------------------------------------------------------------- of bare JSON */

/* The shortest number that reads back the same. */
static char *json_text(const json_t *v) {
  if (json_is_string(v))
    return strdup(json_string_value(v));
  if (json_is_real(v)) {
    char number[MHO_REAL_TEXT];
    mho__real_text(json_real_value(v), number);
    return strdup(number);
  }
  return json_dumps(v, JSON_ENCODE_ANY);
}

/* The keys below an object; section NULL: it is the root, whose objects are the sections. */
static mho_err flatten(mho_report_config *out, const char *section, const char *path,
                       json_t *object, mho_errinfo *ei) {
  const char *key;
  json_t *value;
  json_object_foreach (object, key, value) {
    char name[256];
    snprintf(name, sizeof name, "%s%s%s", path, *path ? "." : "", key);

    mho_err err = MHO_OK;
    if (json_is_object(value) && !section)
      err = flatten(out, key, "", value, ei);
    else if (json_is_object(value))
      err = flatten(out, section, name, value, ei);
    else if (!add_key(out, section ? section : "", name, json_text(value)))
      err = mho_fail(ei, MHO_ENOMEM, "no memory for the config");
    if (err)
      return err;
  }
  return MHO_OK;
}

static mho_err read_json(const mho_run_row *run, mho_report_config *out, mho_errinfo *ei) {
  json_t *root = mho__json_of_text(run->config, NULL);
  mho_err err;
  if (json_is_object(root)) /* jansson's limit on nesting (2048) bounds the recursion of flatten */
    err = flatten(out, NULL, "", root, ei);
  else
    err = mho_fail(ei, MHO_EDATA, "the stored config of run %s is not a JSON object", run->id);
  json_decref(root);
  return err;
}

mho_err mho__report_config_read(const mho_run_row *run, mho_report_config *out, mho_errinfo *ei) {
  *out = (mho_report_config){.known = true};
  mho_errinfo why = {0};
  mho_err err = read_experiment(run, out, &why);
  if (!err)
    return MHO_OK;

  mho__report_config_free(out);
  if (err == MHO_ENOMEM)
    return mho_fail(ei, err, "no memory for the config");

  /* another version's config */
  snprintf(out->why, sizeof out->why, "%s", why.message);
  err = read_json(run, out, ei);
  if (err)
    mho__report_config_free(out);
  return err;
}

/* ---------------------------------------------------------------- the table */

/* What the column of defaults says of a key. */
static const char *default_text(const mho_report_key *k) {
  if (!k->changed)
    return "";
  if (!k->initial)
    return "another";
  return *k->initial ? k->initial : "(empty)";
}

static void write_key(FILE *out, const mho_report_key *k, bool known) {
  fprintf(out, "<tr%s><th scope=\"row\">", k->changed ? " class=\"changed\"" : "");
  mho__html_text(out, k->name);
  fputs("</th>", out);
  mho__html_cell(out, "%s", k->is_text && !*k->value ? "(empty)" : k->value);
  if (known) {
    mho__html_cell(out, "%s", default_text(k));
    mho__html_cell(out, "%s", k->doc ? k->doc : "");
  }
  fputs("</tr>\n", out);
}

/* Each section is a body of the table, headed by its name. */
void mho__report_config_table(FILE *out, const mho_report_config *c) {
  const char *section = NULL;
  mho__html_table_begin(out, "config", "Config",
                        c->known ? "key|value|default|meaning" : "key|value, SI units");
  for (int i = 0; i < c->n; i++) {
    const mho_report_key *k = &c->key[i];
    if (!section || strcmp(section, k->section)) {
      fputs(section ? "</tbody>\n" : "", out);
      fprintf(out, "<tbody>\n<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"%d\">",
              c->known ? 4 : 2);
      mho__html_text(out, k->section);
      fputs("</th></tr>\n", out);
    }
    section = k->section;
    write_key(out, k, c->known);
  }

  if (section)
    fputs("</tbody>\n", out);
  mho__html_table_end(out);
}

/* ---------------------------------------------------------------- the command */

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Whether a text has characters, and none but these. */
static bool is_made_of(const char *text, const char *plain) {
  return *text && !text[strspn(text, plain)];
}

/* A word of a shell command; quoted only when it has to be. */
static void print_word(FILE *out, const char *word) {
  if (is_made_of(word, LETTERS_AND_DIGITS "_@%+=:,./-")) {
    fputs(word, out);
    return;
  }

  fputc('\'', out);
  for (; *word; word++)
    if (*word == '\'')
      fputs("'\\''", out);
    else
      fputc(*word, out);
  fputc('\'', out);
}

/* The value of --set is YAML: a text that could be anything else goes between double quotes. */
static void print_yaml(FILE *out, const mho_report_key *k) {
  if (!k->is_text || is_made_of(k->value, LETTERS_AND_DIGITS "_./")) {
    fputs(k->value, out);
    return;
  }

  fputc('"', out);
  for (const char *t = k->value; *t; t++)
    if (*t == '"' || *t == '\\')
      fprintf(out, "\\%c", *t);
    else if ((unsigned char)*t < ' ')
      fprintf(out, "\\x%02x", (unsigned)*t);
    else
      fputc(*t, out);
  fputc('"', out);
}

static mho_err print_set(FILE *out, const mho_report_key *k, mho_errinfo *ei) {
  char *word = NULL;
  size_t n;
  FILE *f = open_memstream(&word, &n);
  if (!f)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the command");

  fprintf(f, "%s.%s=", k->section, k->name);
  print_yaml(f, k);
  fclose(f);
  fputs(" \\\n  --set ", out);
  print_word(out, word);
  free(word);
  return MHO_OK;
}

/* A --set for every changed key that belongs into the command. */
static mho_err print_sets(FILE *out, const mho_report_config *c,
                          bool (*belongs)(const mho_report_key *k), mho_errinfo *ei) {
  for (int i = 0; i < c->n; i++) {
    const mho_report_key *k = &c->key[i];
    if (!k->changed || !belongs(k))
      continue;
    mho_err err = print_set(out, k, ei);
    if (err)
      return err;
  }
  fputc('\n', out);
  return MHO_OK;
}

/* A chip is given by all keys of these sections but the optimizer, which it has no use for. */
static bool is_of_chip(const mho_report_key *k) {
  static const char *const sections[] = {"device", "array", "program", "update"};
  if (is_key(k, "update", "optimizer"))
    return false;
  for (int i = 0; i < MHO_COUNT(sections); i++)
    if (!strcmp(k->section, sections[i]))
      return true;
  return false;
}

/* The seed is given by --seed. */
static bool is_of_training(const mho_report_key *k) {
  return !is_key(k, "train", "seed");
}

mho_err mho__report_program_command(FILE *out, const mho_report_config *c, const char *parent,
                                    mho_errinfo *ei) {
  const char *chip = mho__report_config_value(c, "train", "seeds.chip");
  fputs("mho program ", out);
  print_word(out, parent ? parent : mho__report_config_value(c, "train", "from"));
  fprintf(out, " --seed %s", *chip ? chip : "1");
  return print_sets(out, c, is_of_chip, ei);
}

mho_err mho__report_config_command(FILE *out, const mho_report_config *c, int64_t seed,
                                   mho_errinfo *ei) {
  fprintf(out, "mho train --seed %lld", (long long)seed);
  return print_sets(out, c, is_of_training, ei);
}
