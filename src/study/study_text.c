/* study_text.c - a study as YAML that needs no other file, and as what the database keeps of it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "study/study_impl.h"

/* ---------------------------------------------------------------- YAML */

static void print_quoted(FILE *f, const char *text) {
  fputc('"', f);
  for (const char *c = text; *c; c++)
    if (*c == '"' || *c == '\\')
      fprintf(f, "\\%c", *c);
    else if ((unsigned char)*c < ' ')
      fprintf(f, "\\x%02x", (unsigned)*c);
    else
      fputc(*c, f);
  fputc('"', f);
}

/* A plain word stays plain, all else goes between quotes; a list's entries are words and numbers. */
static void print_text(FILE *f, const char *text, bool is_list) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-/";
  if (is_list) {
    fputc('[', f);
    for (const char *c = text; *c; c++)
      if (*c == ' ')
        fputs(", ", f);
      else
        fputc(*c, f);
    fputc(']', f);
  } else if (*text && !text[strspn(text, plain)] && *text != '-' && *text != '.') {
    fputs(text, f);
  } else {
    print_quoted(f, text);
  }
}

static void print_range(FILE *f, const study_axis *a) {
  char text[2][96];
  study_range_text(a, 0, text[0], sizeof text[0]);
  study_range_text(a, 1, text[1], sizeof text[1]);
  fputs("{from: ", f);
  print_text(f, text[0], false);
  fputs(", to: ", f);
  print_text(f, text[1], false);
  if (a->n)
    fprintf(f, ", steps: %d", a->n);
  fprintf(f, "%s}\n", a->logarithmic ? ", scale: log" : "");
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
    fputs(v ? ", " : "", f);
    print_text(f, a->value[v].set[0].text, a->value[v].set[0].is_list);
  }
  fputs("]\n", f);
}

static void print_points(FILE *f, const study_axis *a) {
  fputs("points:\n", f);
  for (int v = 0; v < a->n; v++) {
    fputs("  - {", f);
    for (int i = 0; i < a->value[v].n; i++) {
      fprintf(f, "%s%s: ", i ? ", " : "", a->value[v].set[i].key);
      print_text(f, a->value[v].set[i].text, a->value[v].set[i].is_list);
    }
    fputs("}\n", f);
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
  fputs("\nbase:\n", f);
  for (int i = 0; i < s->base->n; i++) {
    fprintf(f, "  %s: ", s->base->key[i].path);
    print_text(f, s->base->key[i].text, s->base->key[i].is_list);
    fputc('\n', f);
  }
  if (!s->base->n)
    fputs("  {}\n", f);
  bool vary = false;
  for (int i = 0; i < s->n_axes; i++)
    if (!s->axis[i].n_keys)
      print_points(f, &s->axis[i]);
    else
      vary = true;
  if (vary)
    fputs("vary:\n", f);
  for (int i = 0; i < s->n_axes; i++)
    if (s->axis[i].n_keys)
      print_axis(f, &s->axis[i]);
  if (s->design != STUDY_GRID)
    fprintf(f, "design: %s\nsamples: %d\ndesign_seed: %lld\n", study_design_words[s->design],
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

static json_t *json_of(const study_axis *a) {
  json_t *o = json_object(), *keys = json_array(), *values = json_array();
  char text[96];
  for (int k = 0; k < a->n_keys; k++)
    json_array_append_new(keys, json_string(a->key[k]));
  for (int v = 0; v < a->n && !a->range; v++)
    json_array_append_new(values, json_string(a->value[v].set[0].text));
  for (int v = 0; v < a->n && a->range; v++) {
    study_range_text(a, a->n > 1 ? (double)v / (a->n - 1) : 0, text, sizeof text);
    json_array_append_new(values, json_string(text));
  }
  json_object_set_new(o, "keys", keys);
  json_object_set_new(o, "values", values);
  if (a->range) {
    json_object_set_new(o, "from", json_real(a->from));
    json_object_set_new(o, "to", json_real(a->to));
    json_object_set_new(o, "log", json_boolean(a->logarithmic));
    json_object_set_new(o, "unit", json_string(a->range->unit));
  }
  return o;
}

/* The keys that named points set, each once. */
static json_t *json_of_points(const study_axis *a) {
  json_t *keys = json_array(), *seen = json_object();
  for (int v = 0; v < a->n; v++)
    for (int i = 0; i < a->value[v].n; i++) {
      const char *key = a->value[v].set[i].key;
      if (!json_object_get(seen, key))
        json_array_append_new(keys, json_string(key));
      json_object_set_new(seen, key, json_true());
    }
  json_decref(seen);
  return keys;
}

char *mho_study_json(const mho_study *s) {
  json_t *o = json_object(), *axes = json_array(), *seeds = json_array(), *points = json_array();
  char *yaml = mho_study_yaml(s);
  for (int i = 0; i < s->n_axes; i++)
    if (s->axis[i].n_keys)
      json_array_append_new(axes, json_of(&s->axis[i]));
    else {
      json_t *keys = json_of_points(&s->axis[i]);
      json_array_extend(points, keys);
      json_decref(keys);
    }
  for (int i = 0; i < s->n_seeds; i++)
    json_array_append_new(seeds, json_integer(s->seed[i]));
  json_object_set_new(o, "design", json_string(study_design_words[s->design]));
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
