/* study_text.c - a study as YAML that needs no other file, and as what the database has of it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mho/model/check.h"
#include "study/study_impl.h"

/* ---------------------------------------------------------------- YAML */

/* Names, keys and values have no control characters. */
static void print_quoted(FILE *f, const char *text) {
  fputc('"', f);
  for (const char *c = text; *c; c++)
    if (*c == '"' || *c == '\\')
      fprintf(f, "\\%c", *c);
    else
      fputc(*c, f);
  fputc('"', f);
}

/* What is the same word without quotes; null is none. */
static bool is_plain(const char *text) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-/";
  return *text && !text[strspn(text, plain)] && *text != '-' && *text != '.' &&
         strcasecmp(text, "null") != 0;
}

/* A plain word stays plain, all else goes between quotes. */
static void print_scalar(FILE *f, const char *text) {
  if (is_plain(text))
    fputs(text, f);
  else
    print_quoted(f, text);
}

/* The entries of a list are words and numbers, with blanks between them. */
static void print_list(FILE *f, const char *text) {
  char entry[4 * MHO_TEXT_MAX];
  fputc('[', f);
  for (const char *c = text; *c;) {
    int n = (int)strcspn(c, " ");
    snprintf(entry, sizeof entry, "%.*s", n, c);
    fputs(c == text ? "" : ", ", f);
    print_scalar(f, entry);
    c += n + (c[n] == ' ');
  }
  fputc(']', f);
}

static void print_value(FILE *f, const char *text, bool is_list) {
  if (is_list)
    print_list(f, text);
  else
    print_scalar(f, text);
}

static void print_key(FILE *f, const char *before, const char *key) {
  fputs(before, f);
  print_scalar(f, key);
  fputs(": ", f);
}

static void print_range(FILE *f, const study_axis *a) {
  char from[96], to[96];
  mho__study_range_text(a, 0, from, sizeof from);
  mho__study_range_text(a, 1, to, sizeof to);
  fputs("{from: ", f);
  print_scalar(f, from);
  fputs(", to: ", f);
  print_scalar(f, to);
  if (a->n)
    fprintf(f, ", steps: %d", a->n);
  fprintf(f, "%s}\n", a->logarithmic ? ", scale: log" : "");
}

/* What a map sets below the key of its axis. Keys that are set together have the same map, one
 * after another. */
static void print_map(FILE *f, const study_axis *a, const study_value *v) {
  size_t above = strlen(a->key[0]) + 1;
  fputc('{', f);
  for (int i = 0; i < v->n / a->n_keys; i++) {
    print_key(f, i ? ", " : "", v->set[i].key + above);
    print_value(f, v->set[i].text, v->set[i].is_list);
  }
  fputc('}', f);
}

static void print_axis(FILE *f, const study_axis *a) {
  for (int k = 0; k < a->n_keys; k++)
    fprintf(f, "%s%s", k ? ", " : "  ", a->key[k]);
  fputs(": ", f);
  if (a->range) {
    print_range(f, a);
    return;
  }

  fputc('[', f);
  for (int v = 0; v < a->n; v++) {
    const study_set *set = &a->value[v].set[0];
    fputs(v ? ", " : "", f);
    if (strcmp(set->key, a->key[0]))
      print_map(f, a, &a->value[v]);
    else
      print_value(f, set->text, set->is_list);
  }
  fputs("]\n", f);
}

static void print_point(FILE *f, const study_value *v) {
  fputs("  - {", f);
  for (int i = 0; i < v->n; i++) {
    print_key(f, i ? ", " : "", v->set[i].key);
    print_value(f, v->set[i].text, v->set[i].is_list);
  }
  fputs("}\n", f);
}

static void print_base(FILE *f, const mho_config *base) {
  fputs("base:\n", f);
  for (int i = 0; i < base->n; i++) {
    print_key(f, "  ", base->key[i].path);
    print_value(f, base->key[i].text, base->key[i].is_list);
    fputc('\n', f);
  }
  if (!base->n)
    fputs("  {}\n", f);
}

/* Points stand before vary, whatever the order in the file was. */
static void print_axes(FILE *f, const mho_study *s) {
  for (int i = 0; i < s->n_axes; i++) {
    const study_axis *a = &s->axis[i];
    if (a->n_keys)
      continue;
    fputs("points:\n", f);
    for (int v = 0; v < a->n; v++)
      print_point(f, &a->value[v]);
  }

  bool any = false;
  for (int i = 0; i < s->n_axes; i++) {
    if (!s->axis[i].n_keys)
      continue;
    if (!any)
      fputs("vary:\n", f);
    any = true;
    print_axis(f, &s->axis[i]);
  }
}

char *mho_study_yaml(const mho_study *s) {
  char *text = NULL;
  size_t n;
  FILE *f = open_memstream(&text, &n);
  if (!f)
    return NULL;

  fputs("study: ", f);
  print_quoted(f, s->name);
  fputc('\n', f);
  print_base(f, s->base);
  print_axes(f, s);
  if (s->design != STUDY_GRID)
    fprintf(f, "design: %s\nsamples: %d\ndesign_seed: %lld\n", mho__study_design_words[s->design],
            s->samples, (long long)s->design_seed);

  for (int i = 0; i < s->n_seeds; i++)
    fprintf(f, "%s%lld", i ? ", " : "seeds: [", (long long)s->seed[i]);
  if (s->n_seeds)
    fputs("]\n", f);
  if (s->stop.median)
    fprintf(f, "stop: {rule: median, after: %d, runs: %d, margin: %.17g}\n", s->stop.after,
            s->stop.runs, s->stop.margin);

  fclose(f);
  return text;
}

/* ---------------------------------------------------------------- JSON */

/* The values of an axis as text: those of a list, or the steps of a range. */
static json_t *json_of_values(const study_axis *a) {
  json_t *values = json_array();
  for (int v = 0; v < a->n; v++) {
    char step[96];
    const char *text = step;
    if (a->range)
      mho__study_step_text(a, v, step, sizeof step);
    else
      text = a->value[v].set[0].text;
    json_array_append_new(values, json_string(text));
  }

  return values;
}

static json_t *json_of_axis(const study_axis *a) {
  json_t *o = json_object(), *keys = json_array();
  for (int k = 0; k < a->n_keys; k++)
    json_array_append_new(keys, json_string(a->key[k]));
  json_object_set_new(o, "keys", keys);
  json_object_set_new(o, "values", json_of_values(a));

  if (a->range) {
    json_object_set_new(o, "from", json_real(a->from));
    json_object_set_new(o, "to", json_real(a->to));
    json_object_set_new(o, "log", json_boolean(a->logarithmic));
    json_object_set_new(o, "unit", json_string(a->range->unit));
  }

  return o;
}

/* The keys that named points set, each once, at the end of a list. */
static void add_points(json_t *keys, const study_axis *a) {
  json_t *seen = json_object();
  for (int v = 0; v < a->n; v++)
    for (int i = 0; i < a->value[v].n; i++) {
      const char *key = a->value[v].set[i].key;
      if (!json_object_get(seen, key))
        json_array_append_new(keys, json_string(key));
      json_object_set_new(seen, key, json_true());
    }
  json_decref(seen);
}

char *mho_study_json(const mho_study *s) {
  json_t *o = json_object(), *axes = json_array(), *seeds = json_array(), *points = json_array();
  for (int i = 0; i < s->n_axes; i++)
    if (s->axis[i].n_keys)
      json_array_append_new(axes, json_of_axis(&s->axis[i]));
    else
      add_points(points, &s->axis[i]);

  for (int i = 0; i < s->n_seeds; i++)
    json_array_append_new(seeds, json_integer(s->seed[i]));

  char *yaml = mho_study_yaml(s);
  json_object_set_new(o, "design", json_string(mho__study_design_words[s->design]));
  json_object_set_new(o, "vary", axes);
  json_object_set_new(o, "points", points);
  json_object_set_new(o, "seeds", seeds);
  if (s->samples)
    json_object_set_new(o, "samples", json_integer(s->samples));
  json_object_set_new(o, "yaml", json_string(yaml ? yaml : ""));
  free(yaml);

  char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));
  json_decref(o);
  return text;
}
