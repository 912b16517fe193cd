/* study_file.c - a study file: a base config, the keys that are varied over it, seeds.
 *
 *   study: noise                      # its name; default: the file's
 *   base: quickstart.yaml             # a config, beside this file, or its sections right here
 *   set: {train.epochs: 10}           # on top of the base
 *   points: [{device: linear}, {device: soft_bounds, update.scheme: accumulate}]
 *   vary:
 *     array.read_noise: {from: 1e-4, to: 1e-2, steps: 5, scale: log}
 *     device.step_up, device.step_down: [0.001, 0.002]      # set together
 *   design: grid                      # grid, or of samples: random, latin, sobol
 *   samples: 32
 *   design_seed: 1
 *   seeds: 3                          # 1, 2, 3; or a list
 *   stop: {rule: median, after: 5, runs: 5, margin: 0}
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "study/study_impl.h"

const char *const study_design_words[STUDY_DESIGNS] = {"grid", "random", "latin", "sobol"};

typedef struct reader {
  mho_study *s;
  const mho_registry *r;
  yaml_document_t *doc;
  mho_errinfo *ei;
  int depth;
} reader;

static int line_of(const yaml_node_t *n) {
  return (int)n->start_mark.line + 1;
}

#define FAIL(r, node, ...)                                                                         \
  mho_fail_at((r)->ei, MHO_ECONFIG, (r)->s->file, line_of(node), __VA_ARGS__)

static mho_err no_memory(const reader *r) {
  return mho_fail(r->ei, MHO_ENOMEM, "no memory for the study");
}

static const char *scalar(const yaml_node_t *n) {
  return n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

static yaml_node_t *node_at(const reader *r, int index) {
  return yaml_document_get_node(r->doc, index);
}

/* ---------------------------------------------------------------- numbers */

static mho_err read_number(const reader *r, const yaml_node_t *n, const char *what, double low,
                           double high, bool whole, double *out) {
  const char *text = scalar(n);
  char *end = NULL;
  double v = text ? strtod(text, &end) : (double)NAN;
  if (!text || end == text || *end || !(v >= low && v <= high) || (whole && v != nearbyint(v)))
    return FAIL(r, n, "%s: expected a %snumber from %g to %g", what, whole ? "whole " : "", low,
                high);
  *out = v;
  return MHO_OK;
}

static mho_err read_seeds(const reader *r, const yaml_node_t *n) {
  mho_study *s = r->s;
  double v;
  bool list = n->type == YAML_SEQUENCE_NODE;
  mho_err err = MHO_OK;
  if (list)
    s->n_seeds = (int)(n->data.sequence.items.top - n->data.sequence.items.start);
  else if ((err = read_number(r, n, "seeds", 1, 100000, true, &v)))
    return err;
  else
    s->n_seeds = (int)v;
  if (s->n_seeds < 1)
    return FAIL(r, n, "seeds: how many, or a list of them: [1, 2, 3]");
  free(s->seed);
  s->seed = calloc((size_t)s->n_seeds, sizeof *s->seed);
  if (!s->seed)
    return no_memory(r);
  for (int i = 0; i < s->n_seeds && !err; i++) {
    v = i + 1;
    if (list)
      err = read_number(r, node_at(r, n->data.sequence.items.start[i]), "seeds", 0, 9e15, true, &v);
    s->seed[i] = (int64_t)v;
  }
  return err;
}

static mho_err read_stop(const reader *r, const yaml_node_t *n) {
  study_stop *stop = &r->s->stop;
  if (scalar(n) && !strcmp(scalar(n), "median")) {
    stop->median = true;
    return MHO_OK;
  }
  if (n->type != YAML_MAPPING_NODE)
    return FAIL(r, n, "stop: expected median, or {rule: median, after: 5, runs: 5, margin: 0}");
  stop->median = true;
  for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
    const yaml_node_t *key = node_at(r, p->key), *value = node_at(r, p->value);
    const char *word = scalar(key) ? scalar(key) : "";
    double v = 0;
    mho_err err = MHO_OK;
    if (!strcmp(word, "rule")) {
      if (!scalar(value) || strcmp(scalar(value), "median"))
        return FAIL(r, value, "stop.rule: the only rule is median");
    } else if (!strcmp(word, "after") &&
               !(err = read_number(r, value, "stop.after", 1, 1e6, true, &v)))
      stop->after = (int)v;
    else if (!strcmp(word, "runs") && !(err = read_number(r, value, "stop.runs", 1, 1e6, true, &v)))
      stop->runs = (int)v;
    else if (!strcmp(word, "margin") &&
             !(err = read_number(r, value, "stop.margin", 0, 1, false, &v)))
      stop->margin = v;
    else if (!err)
      return FAIL(r, key, "stop: '%s' is unknown (known: rule, after, runs, margin)", word);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- values */

static void free_value(study_value *v) {
  for (int i = 0; i < v->n; i++) {
    free(v->set[i].key);
    free(v->set[i].text);
  }
  free(v->set);
}

static mho_err add_set(const reader *r, study_value *v, const char *key, const mho_config_key *k,
                       int line) {
  study_set *grown = realloc(v->set, (size_t)(v->n + 1) * sizeof *grown);
  if (!grown)
    return no_memory(r);
  v->set = grown;
  v->set[v->n] = (study_set){strdup(key), strdup(k->text), k->is_list, line};
  v->n++;
  return v->set[v->n - 1].key && v->set[v->n - 1].text ? MHO_OK : no_memory(r);
}

/* What a node sets below `key` ("": a map of keys), read as config. */
static mho_err read_value(const reader *r, const char *key, const yaml_node_t *node,
                          study_value *v) {
  mho_config *c = NULL;
  mho_err err = mho_config_new(&c, r->ei);
  if (!err)
    err = mho_config_node(c, key, r->doc, node, r->s->file, true, r->ei);
  for (int i = 0; !err && i < c->n; i++)
    err = add_set(r, v, c->key[i].path, &c->key[i], c->key[i].line);
  mho_config_free(c);
  return err;
}

static study_axis *add_axis(const reader *r, const yaml_node_t *node, int n_values) {
  mho_study *s = r->s;
  if (s->n_axes == s->capacity) {
    int more = s->capacity ? 2 * s->capacity : 8;
    study_axis *grown = realloc(s->axis, (size_t)more * sizeof *grown);
    if (!grown)
      return NULL;
    s->axis = grown;
    s->capacity = more;
  }
  study_value *values = calloc((size_t)(n_values > 0 ? n_values : 1), sizeof *values);
  if (!values)
    return NULL;
  s->axis[s->n_axes] = (study_axis){.line = line_of(node), .n = n_values, .value = values};
  return &s->axis[s->n_axes++];
}

static mho_err read_points(const reader *r, const yaml_node_t *node) {
  if (node->type != YAML_SEQUENCE_NODE ||
      node->data.sequence.items.start == node->data.sequence.items.top)
    return FAIL(
        r, node,
        "points: expected a list of what each sets, for example [{device: linear}, {device: ideal}]");
  int n = (int)(node->data.sequence.items.top - node->data.sequence.items.start);
  study_axis *a = add_axis(r, node, n);
  if (!a)
    return no_memory(r);
  for (int i = 0; i < n; i++) {
    const yaml_node_t *item = node_at(r, node->data.sequence.items.start[i]);
    if (item->type != YAML_MAPPING_NODE)
      return FAIL(r, item, "points: each is a map of keys, for example {device: linear}");
    mho_err err = read_value(r, "", item, &a->value[i]);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- keys */

static const mho_section *section_of(const char *key) {
  size_t n = strcspn(key, ".");
  for (int i = 0; i < mho_n_sections; i++)
    if (strlen(mho_sections[i].name) == n && !strncmp(mho_sections[i].name, key, n))
      return &mho_sections[i];
  return NULL;
}

/* The parameter of a key, whichever model of its section it belongs to. */
static const mho_param *param_of(const mho_registry *r, const char *key) {
  const mho_section *s = section_of(key);
  const char *dot = strchr(key, '.');
  if (!s || !dot)
    return NULL;
  const mho_param *p = s->common ? mho_params_find(*s->common, dot + 1) : NULL;
  for (int k = 0; k < SELECTORS && s->selector[k].key && !p; k++)
    for (int i = 0; i < mho_registry_count(r, s->selector[k].kind) && !p; i++)
      p = mho_params_find(mho_registry_at(r, s->selector[k].kind, i)->params, dot + 1);
  return p;
}

static mho_err split_keys(const reader *r, const yaml_node_t *node, study_axis *a) {
  char text[MHO_TEXT_MAX], *save = NULL;
  snprintf(text, sizeof text, "%s", scalar(node) ? scalar(node) : "");
  for (char *word = strtok_r(text, ", \t\n", &save); word; word = strtok_r(NULL, ", \t\n", &save)) {
    if (!section_of(word))
      return FAIL(r, node,
                  "vary: '%s' is no key of a config; 'mho train --print-config' shows all of them",
                  word);
    if (a->n_keys == STUDY_KEYS_MAX)
      return FAIL(r, node, "vary: more than %d keys are set together", STUDY_KEYS_MAX);
    if (!(a->key[a->n_keys] = strdup(mho_config_present_name(word))))
      return no_memory(r);
    a->n_keys++;
  }
  return a->n_keys
             ? MHO_OK
             : FAIL(r, node, "vary: expected keys such as array.read_noise, and their values");
}

static mho_err range_end(const reader *r, const study_axis *a, const yaml_node_t *n, double *out) {
  mho_errinfo why = {0};
  if (!scalar(n))
    return FAIL(r, n, "%s: expected a number with its unit", a->key[0]);
  mho_err err = mho_quantity_parse(scalar(n), a->range->unit, false, out, &why);
  if (err)
    return FAIL(r, n, "%s: %s", a->key[0], why.message);
  if (*out < a->range->low || *out > a->range->high) {
    char range[256];
    mho_param_range(a->range, range, sizeof range);
    return FAIL(r, n, "%s: '%s' is out of range: expected %s", a->key[0], scalar(n), range);
  }
  return MHO_OK;
}

static mho_err read_range(const reader *r, const yaml_node_t *node, study_axis *a) {
  a->range = param_of(r->r, a->key[0]);
  if (!a->range || (a->range->kind != MHO_PARAM_REAL && a->range->kind != MHO_PARAM_INT))
    return FAIL(r, node, "%s: only a number has a range; give a list of values", a->key[0]);
  a->from = a->to = NAN;
  for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
       p++) {
    const yaml_node_t *key = node_at(r, p->key), *value = node_at(r, p->value);
    const char *word = scalar(key) ? scalar(key) : "", *text = scalar(value) ? scalar(value) : "";
    mho_err err = MHO_OK;
    double v;
    if (!strcmp(word, "from"))
      err = range_end(r, a, value, &a->from);
    else if (!strcmp(word, "to"))
      err = range_end(r, a, value, &a->to);
    else if (!strcmp(word, "steps")) {
      if (!(err = read_number(r, value, "steps", 2, 10000, true, &v)))
        a->n = (int)v;
    } else if (!strcmp(word, "scale") && (!strcmp(text, "log") || !strcmp(text, "linear")))
      a->logarithmic = !strcmp(text, "log");
    else if (!strcmp(word, "scale"))
      err = FAIL(r, value, "scale: expected linear or log");
    else
      err = FAIL(r, key, "%s: '%s' is unknown (known: from, to, steps, scale)", a->key[0], word);
    if (err)
      return err;
  }
  if (isnan(a->from) || isnan(a->to))
    return FAIL(r, node, "%s: a range needs from and to", a->key[0]);
  if (a->logarithmic && !(a->from > 0 && a->to > 0))
    return FAIL(r, node, "%s: on a log scale both ends must be above 0", a->key[0]);
  return MHO_OK;
}

static mho_err read_axis(const reader *r, const yaml_node_t *key, const yaml_node_t *node) {
  bool list = node->type == YAML_SEQUENCE_NODE;
  int n = list ? (int)(node->data.sequence.items.top - node->data.sequence.items.start) : 0;
  study_axis *a = add_axis(r, key, n);
  if (!a)
    return no_memory(r);
  mho_err err = split_keys(r, key, a);
  if (err)
    return err;
  if (node->type == YAML_MAPPING_NODE)
    return read_range(r, node, a);
  if (!list || !n)
    return FAIL(r, node,
                "%s: expected a list of values, or {from: .., to: .., steps: .., scale: log}",
                a->key[0]);
  for (int i = 0; i < n; i++)
    for (int k = 0; k < a->n_keys && !err; k++)
      err = read_value(r, a->key[k], node_at(r, node->data.sequence.items.start[i]), &a->value[i]);
  return err;
}

static mho_err read_vary(const reader *r, const yaml_node_t *node) {
  if (node->type != YAML_MAPPING_NODE)
    return FAIL(
        r, node,
        "vary: expected keys and their values, for example vary: {array.read_noise: [0, 0.01]}");
  for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
       p++) {
    mho_err err = read_axis(r, node_at(r, p->key), node_at(r, p->value));
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- the file */

/* A path in a study file is meant from the file's folder. */
static void beside(const char *file, const char *path, char *out, size_t n) {
  const char *slash = strrchr(file, '/');
  if (*path == '/' || !slash)
    snprintf(out, n, "%s", path);
  else
    snprintf(out, n, "%.*s/%s", (int)(slash - file), file, path);
}

static mho_err read_base(const reader *r, const yaml_node_t *node) {
  char path[MHO_TEXT_MAX];
  if (node->type == YAML_MAPPING_NODE)
    return mho_config_node(r->s->base, "", r->doc, node, r->s->file, false, r->ei);
  if (!scalar(node) || !*scalar(node))
    return FAIL(r, node, "base: expected a config's file, or its sections");
  beside(r->s->file, scalar(node), path, sizeof path);
  mho_errinfo why = {0};
  mho_err err = mho_config_file(r->s->base, path, &why);
  if (err == MHO_EIO)
    return FAIL(r, node, "base: cannot read '%s': it is looked for beside the study", path);
  if (err && r->ei)
    *r->ei = why;
  return err;
}

static mho_err read_design(const reader *r, const yaml_node_t *node) {
  for (int i = 0; i < STUDY_DESIGNS; i++)
    if (scalar(node) && !strcmp(scalar(node), study_design_words[i])) {
      r->s->design = (study_design)i;
      return MHO_OK;
    }
  return FAIL(r, node, "design: expected grid, random, latin or sobol");
}

static mho_err read_entry(const reader *r, const char *word, const yaml_node_t *key,
                          const yaml_node_t *value) {
  mho_study *s = r->s;
  double v = 0;
  mho_err err;
  if (!strcmp(word, "study")) {
    if (!scalar(value) || !*scalar(value) || strlen(scalar(value)) >= sizeof s->name ||
        strchr(scalar(value), '/'))
      return FAIL(r, value, "study: expected a name of up to %zu characters, without /",
                  sizeof s->name - 1);
    strcpy(s->name, scalar(value));
    return MHO_OK;
  }
  if (!strcmp(word, "base"))
    return MHO_OK; /* read before all others, wherever it stands */
  if (!strcmp(word, "set"))
    return value->type == YAML_MAPPING_NODE
               ? mho_config_node(s->base, "", r->doc, value, s->file, true, r->ei)
               : FAIL(r, value,
                      "set: expected keys and values, for example set: {train.epochs: 5}");
  if (!strcmp(word, "points"))
    return read_points(r, value);
  if (!strcmp(word, "vary"))
    return read_vary(r, value);
  if (!strcmp(word, "design"))
    return read_design(r, value);
  if (!strcmp(word, "samples")) {
    err = read_number(r, value, "samples", 1, STUDY_RUNS_MAX, true, &v);
    s->samples = (int)v;
    return err;
  }
  if (!strcmp(word, "design_seed")) {
    err = read_number(r, value, "design_seed", 0, 9e15, true, &v);
    s->design_seed = (int64_t)v;
    return err;
  }
  if (!strcmp(word, "seeds"))
    return read_seeds(r, value);
  if (!strcmp(word, "stop"))
    return read_stop(r, value);
  return FAIL(
      r, key,
      "'%s' is unknown in a study (known: study, base, set, points, vary, design, samples, design_seed, "
      "seeds, stop); keys of the config go below base or set",
      word);
}

static mho_err check_whole(const reader *r, const yaml_node_t *root) {
  mho_study *s = r->s;
  if (s->design == STUDY_GRID && s->samples)
    return FAIL(r, root, "samples: a grid has none; add design: random, latin or sobol");
  if (s->design != STUDY_GRID && !s->samples)
    return FAIL(r, root, "design %s needs samples: how many", study_design_words[s->design]);
  for (int i = 0; i < s->n_axes; i++) {
    const study_axis *a = &s->axis[i];
    if (a->range && s->design == STUDY_GRID && !a->n)
      return mho_fail_at(r->ei, MHO_ECONFIG, s->file, a->line,
                         "%s: in a grid a range needs steps: how many values", a->key[0]);
  }
  if (study_points(s) * s->n_seeds > STUDY_RUNS_MAX)
    return FAIL(r, root, "the study has more than %d runs", STUDY_RUNS_MAX);
  return MHO_OK;
}

static mho_err read_root(const reader *r, const yaml_node_t *root) {
  if (!root || root->type != YAML_MAPPING_NODE)
    return mho_fail_at(r->ei, MHO_ECONFIG, r->s->file, 1,
                       "not a study: expected base, vary, seeds, ...");
  mho_err err = MHO_OK;
  for (int pass = 0; pass < 2; pass++)
    for (yaml_node_pair_t *p = root->data.mapping.pairs.start;
         p < root->data.mapping.pairs.top && !err; p++) {
      const yaml_node_t *key = node_at(r, p->key), *value = node_at(r, p->value);
      const char *word = scalar(key) ? scalar(key) : "";
      if (pass)
        err = read_entry(r, word, key, value);
      else if (!strcmp(word, "base"))
        err = read_base(r, value);
    }
  return err ? err : check_whole(r, root);
}

/* "studies/noise.yaml" is called noise. */
static void default_name(mho_study *s) {
  const char *slash = strrchr(s->file, '/'), *name = slash ? slash + 1 : s->file;
  const char *dot = strrchr(name, '.');
  int n = dot && dot > name ? (int)(dot - name) : (int)strlen(name);
  snprintf(s->name, sizeof s->name, "%.*s", n, name);
}

static mho_err parse(const mho_registry *registry, mho_study *s, const char *text,
                     mho_errinfo *ei) {
  yaml_parser_t parser;
  yaml_document_t doc;
  if (!yaml_parser_initialize(&parser))
    return mho_fail(ei, MHO_ENOMEM, "no memory to parse %s", s->file);
  yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
  mho_err err;
  if (!yaml_parser_load(&parser, &doc)) {
    err = mho_fail_at(ei, MHO_ECONFIG, s->file, (int)parser.problem_mark.line + 1,
                      "not valid YAML: %s", parser.problem ? parser.problem : "unreadable");
  } else {
    reader r = {.s = s, .r = registry, .doc = &doc, .ei = ei};
    err = read_root(&r, yaml_document_get_root_node(&doc));
    yaml_document_delete(&doc);
  }
  yaml_parser_delete(&parser);
  return err;
}

mho_err mho_study_text(const mho_registry *r, const char *text, const char *name, int n_set,
                       const char *const *set, mho_study **out, mho_errinfo *ei) {
  *out = NULL;
  mho_study *s = calloc(1, sizeof *s);
  if (!s || !(s->file = strdup(name))) {
    free(s);
    return mho_fail(ei, MHO_ENOMEM, "no memory for a study");
  }
  s->stop = (study_stop){.after = 5, .runs = 5};
  s->design_seed = 1;
  default_name(s);
  mho_err err = mho_config_new(&s->base, ei);
  if (!err)
    err = parse(r, s, text, ei);
  for (int i = 0; i < n_set && !err; i++)
    err = mho_config_set(s->base, set[i], ei);
  if (!err && !*s->name)
    err = mho_fail_at(ei, MHO_ECONFIG, name, 0, "the study has no name: add study: NAME");
  if (err) {
    mho_study_free(s);
    return err;
  }
  *out = s;
  return MHO_OK;
}

mho_err mho_study_read(const mho_registry *r, const char *path, int n_set, const char *const *set,
                       mho_study **out, mho_errinfo *ei) {
  enum { LIMIT = 1 << 20 };
  *out = NULL;
  FILE *f = fopen(path, "rb");
  if (!f)
    return mho_fail_at(ei, MHO_EIO, path, 0, "cannot read the study: %s", strerror(errno));
  char *text = calloc(1, LIMIT + 1);
  size_t n = text ? fread(text, 1, LIMIT + 1, f) : 0;
  mho_err err;
  if (!text)
    err = mho_fail(ei, MHO_ENOMEM, "no memory to read %s", path);
  else if (ferror(f))
    err = mho_fail_at(ei, MHO_EIO, path, 0, "cannot read the study: %s", strerror(errno));
  else if (n > LIMIT || memchr(text, 0, n))
    err = mho_fail_at(ei, MHO_ECONFIG, path, 0,
                      "not a text file of at most 1 MiB: this is not a study");
  else
    err = mho_study_text(r, text, path, n_set, set, out, ei);
  free(text);
  fclose(f);
  return err;
}

void mho_study_free(mho_study *s) {
  if (!s)
    return;
  for (int i = 0; i < s->n_axes; i++) {
    study_axis *a = &s->axis[i];
    for (int k = 0; k < a->n_keys; k++)
      free(a->key[k]);
    for (int v = 0; v < a->n && !a->range; v++)
      free_value(&a->value[v]);
    free(a->value);
  }
  free(s->axis);
  free(s->seed);
  mho_config_free(s->base);
  free(s->file);
  free(s);
}

const char *mho_study_name(const mho_study *s) {
  return s->name;
}
