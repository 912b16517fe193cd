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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/whole_file.h"
#include "experiment/yaml_text.h"
#include "study/study_axes.h"

const char *const mho__study_design_words[STUDY_DESIGNS] = {"grid", "random", "latin", "sobol"};

/* ---------------------------------------------------------------- the base */

/* A path in a study file is meant from the file's folder. */
static void beside(const char *file, const char *path, char *out, size_t n) {
  const char *slash = strrchr(file, '/');
  if (*path == '/' || !slash)
    snprintf(out, n, "%s", path);
  else
    snprintf(out, n, "%.*s/%s", (int)(slash - file), file, path);
}

static mho_err read_base(const study_reader *r, const yaml_node_t *node) {
  if (node->type == YAML_MAPPING_NODE)
    return mho__config_node(r->s->base, "", r->doc, node, r->s->file, false, r->ei);

  const char *name = mho__study_scalar(node);
  if (!name || !*name)
    return STUDY_FAIL(r, node, "base: expected a config's file, or its sections");

  char path[MHO_TEXT_MAX];
  mho_errinfo why = {0};
  beside(r->s->file, name, path, sizeof path);
  mho_err err = mho_config_file(r->s->base, path, &why);
  if (err == MHO_EIO)
    return STUDY_FAIL(r, node, "base: cannot read '%s': it is looked for beside the study", path);

  if (err && r->ei)
    *r->ei = why;
  return err;
}

/* The base is read before all else, wherever it stands. */
static mho_err read_if_base(const study_reader *r, void *user, const char *word,
                            const yaml_node_t *key, const yaml_node_t *value) {
  return strcmp(word, "base") ? MHO_OK : read_base(r, value);
}

/* ---------------------------------------------------------------- entries */

static mho_err read_name(const study_reader *r, const yaml_node_t *node) {
  mho_study *s = r->s;
  const char *name = mho__study_scalar(node);
  if (!name || !*name || strlen(name) >= sizeof s->name || strchr(name, '/'))
    return STUDY_FAIL(r, node, "study: expected a name of up to %zu characters, without /",
                      sizeof s->name - 1);
  if (!mho_text_is_plain(name))
    return STUDY_FAIL(r, node,
                      "study: a name is UTF-8 without line feeds and other control "
                      "characters");
  strcpy(s->name, name);
  return MHO_OK;
}

static mho_err read_set(const study_reader *r, const yaml_node_t *node) {
  if (node->type != YAML_MAPPING_NODE)
    return STUDY_FAIL(r, node, "set: expected keys and values, for example set: {train.epochs: 5}");

  /* alone, where a key that is there twice is an error; then over what the base says */
  mho_config *alone = NULL;
  mho_err err = mho_config_new(&alone, r->ei);
  if (!err)
    err = mho__config_node(alone, "", r->doc, node, r->s->file, false, r->ei);
  if (!err)
    err = mho__config_node(r->s->base, "", r->doc, node, r->s->file, true, r->ei);
  mho_config_free(alone);
  return err;
}

static mho_err read_design(const study_reader *r, const yaml_node_t *node) {
  for (int i = 0; i < STUDY_DESIGNS; i++)
    if (mho__study_is_word(node, mho__study_design_words[i])) {
      r->s->design = (study_design)i;
      return MHO_OK;
    }
  return STUDY_FAIL(r, node, "design: expected grid, random, latin or sobol");
}

static mho_err read_samples(const study_reader *r, const yaml_node_t *node) {
  int64_t samples = 0;
  mho_err err = mho__study_whole(r, node, "samples", 1, STUDY_RUNS_MAX, &samples);
  r->s->samples = (int)samples;
  return err;
}

/* How many seeds there are: as many as the list has, or the number that is given. */
static mho_err count_seeds(const study_reader *r, const yaml_node_t *node, int *n) {
  int64_t given = 0;
  if (node->type == YAML_SEQUENCE_NODE) {
    *n = mho__study_list_length(node);
    if (*n < 1)
      return STUDY_FAIL(r, node, "seeds: how many, or a list of them: [1, 2, 3]");
    return MHO_OK;
  }

  mho_err err = mho__study_whole(r, node, "seeds", 1, 100000, &given);
  *n = (int)given;
  return err;
}

static mho_err read_seeds(const study_reader *r, const yaml_node_t *node) {
  mho_study *s = r->s;
  int n;
  mho_err err = count_seeds(r, node, &n);
  if (err)
    return err;

  free(s->seed);
  s->n_seeds = n;
  s->seed = calloc((size_t)n, sizeof *s->seed);
  if (!s->seed)
    return mho__study_no_memory(r);

  for (int i = 0; i < n; i++)
    s->seed[i] = i + 1;

  for (int i = 0; i < mho__study_list_length(node); i++) {
    err = mho__study_whole(r, mho__study_list_at(r, node, i), "seeds", 0, 9e15, &s->seed[i]);
    if (err)
      return err;
  }

  return MHO_OK;
}

static mho_err read_stop_entry(const study_reader *r, void *user, const char *word,
                               const yaml_node_t *key, const yaml_node_t *value) {
  study_stop *stop = user;
  int64_t n = 0;

  if (!strcmp(word, "rule")) {
    if (!mho__study_is_word(value, "median"))
      return STUDY_FAIL(r, value, "stop.rule: the only rule is median");
    return MHO_OK;
  }
  if (!strcmp(word, "after")) {
    mho_err err = mho__study_whole(r, value, "stop.after", 1, 1e6, &n);
    stop->after = (int)n;
    return err;
  }
  if (!strcmp(word, "runs")) {
    mho_err err = mho__study_whole(r, value, "stop.runs", 1, 1e6, &n);
    stop->runs = (int)n;
    return err;
  }
  if (!strcmp(word, "margin"))
    return mho__study_number(r, value, "stop.margin", 0, 1, &stop->margin);
  return STUDY_FAIL(r, key, "stop: '%s' is unknown (known: rule, after, runs, margin)", word);
}

static mho_err read_stop(const study_reader *r, const yaml_node_t *node) {
  study_stop *stop = &r->s->stop;
  stop->median = true;
  if (mho__study_is_word(node, "median"))
    return MHO_OK;
  if (node->type != YAML_MAPPING_NODE)
    return STUDY_FAIL(r, node,
                      "stop: expected median, or {rule: median, after: 5, runs: 5, margin: 0}");
  return mho__study_each(r, node, read_stop_entry, stop);
}

static mho_err read_entry(const study_reader *r, void *user, const char *word,
                          const yaml_node_t *key, const yaml_node_t *value) {
  if (!strcmp(word, "study"))
    return read_name(r, value);
  if (!strcmp(word, "base"))
    return MHO_OK; /* it has been read before */
  if (!strcmp(word, "set"))
    return read_set(r, value);
  if (!strcmp(word, "points"))
    return mho__study_read_points(r, value);
  if (!strcmp(word, "vary"))
    return mho__study_read_vary(r, value);
  if (!strcmp(word, "design"))
    return read_design(r, value);
  if (!strcmp(word, "samples"))
    return read_samples(r, value);
  if (!strcmp(word, "design_seed"))
    return mho__study_whole(r, value, "design_seed", 0, 9e15, &r->s->design_seed);
  if (!strcmp(word, "seeds"))
    return read_seeds(r, value);
  if (!strcmp(word, "stop"))
    return read_stop(r, value);
  return STUDY_FAIL(r, key,
                    "'%s' is unknown in a study (known: study, base, set, points, vary, design, "
                    "samples, design_seed, seeds, stop); keys of the config go below base or set",
                    word);
}

/* ---------------------------------------------------------------- the file */

/* Whether an axis sets a key; values of a list, and points, name keys of their own. */
static bool sets_key(const study_axis *a, const char *key) {
  for (int k = 0; k < a->n_keys; k++)
    if (!strcmp(a->key[k], key))
      return true;

  int values = a->range ? 0 : a->n;
  for (int v = 0; v < values; v++)
    for (int i = 0; i < a->value[v].n; i++)
      if (!strcmp(a->value[v].set[i].key, key))
        return true;
  return false;
}

/* A key that both axes set; NULL: none. */
static const char *shared_key(const study_axis *a, const study_axis *b) {
  for (int k = 0; k < a->n_keys; k++)
    if (sets_key(b, a->key[k]))
      return a->key[k];

  int values = a->range ? 0 : a->n;
  for (int v = 0; v < values; v++)
    for (int i = 0; i < a->value[v].n; i++)
      if (sets_key(b, a->value[v].set[i].key))
        return a->value[v].set[i].key;
  return NULL;
}

/* The axis before the i-th that sets one of its keys, too; NULL: none. */
static const study_axis *earlier_axis(const mho_study *s, int i, const char **key) {
  for (int j = 0; j < i; j++) {
    *key = shared_key(&s->axis[i], &s->axis[j]);
    if (*key)
      return &s->axis[j];
  }
  return NULL;
}

static mho_err check_axes(const study_reader *r) {
  const mho_study *s = r->s;
  for (int i = 0; i < s->n_axes; i++) {
    const study_axis *a = &s->axis[i];
    const char *key;
    const study_axis *first = earlier_axis(s, i, &key);
    if (first)
      return mho_fail_at(r->ei, MHO_ECONFIG, s->file, a->line,
                         "%s is varied twice, first in line %d", key, first->line);
    if (a->range && s->design == STUDY_GRID && !a->n)
      return mho_fail_at(r->ei, MHO_ECONFIG, s->file, a->line,
                         "%s: in a grid a range needs steps: how many values", a->key[0]);
  }
  return MHO_OK;
}

static mho_err check_whole(const study_reader *r, const yaml_node_t *root) {
  mho_study *s = r->s;
  if (s->design == STUDY_GRID && s->samples)
    return STUDY_FAIL(r, root, "samples: a grid has none; add design: random, latin or sobol");
  if (s->design != STUDY_GRID && !s->samples)
    return STUDY_FAIL(r, root, "design %s needs samples: how many",
                      mho__study_design_words[s->design]);

  mho_err err = check_axes(r);
  if (err)
    return err;
  if (mho__study_points(s) * s->n_seeds > STUDY_RUNS_MAX)
    return STUDY_FAIL(r, root, "the study has more than %d runs", STUDY_RUNS_MAX);
  return MHO_OK;
}

static mho_err read_root(const study_reader *r, const yaml_node_t *root) {
  if (!root || root->type != YAML_MAPPING_NODE)
    return mho_fail_at(r->ei, MHO_ECONFIG, r->s->file, 1,
                       "not a study: expected base, vary, seeds, ...");

  mho_err err = mho__study_each(r, root, read_if_base, NULL);
  if (!err)
    err = mho__study_each(r, root, read_entry, NULL);
  if (!err)
    err = check_whole(r, root);
  return err;
}

/* "studies/noise.yaml" is called noise. */
static void default_name(mho_study *s) {
  const char *slash = strrchr(s->file, '/');
  const char *name = slash ? slash + 1 : s->file;
  const char *dot = strrchr(name, '.');
  int n = dot && dot > name ? (int)(dot - name) : (int)strlen(name);
  snprintf(s->name, sizeof s->name, "%.*s", n, name);
}

static mho_err parse(const mho_registry *registry, mho_study *s, const char *text,
                     mho_errinfo *ei) {
  yaml_document_t doc;
  mho_err err = mho__yaml_load(text, s->file, false, &doc, ei);
  if (err)
    return err;

  study_reader r = {.s = s, .r = registry, .doc = &doc, .ei = ei};
  err = read_root(&r, yaml_document_get_root_node(&doc));
  yaml_document_delete(&doc);
  return err;
}

/* ---------------------------------------------------------------- a study's life */

/* A study of this file with what holds unless the file says otherwise. */
static mho_err new_study(const char *file, mho_study **out, mho_errinfo *ei) {
  mho_study *s = calloc(1, sizeof *s);
  char *copy = strdup(file);
  if (!s || !copy) {
    free(s);
    free(copy);
    return mho_fail(ei, MHO_ENOMEM, "no memory for a study");
  }

  s->file = copy;
  s->stop = (study_stop){.after = 5, .runs = 5};
  s->design_seed = 1;
  default_name(s);
  *out = s;
  return mho_config_new(&s->base, ei);
}

mho_err mho_study_text(const mho_registry *r, const char *text, const char *name, int n_set,
                       const char *const *set, mho_study **out, mho_errinfo *ei) {
  mho_study *s = NULL;
  *out = NULL;
  mho_err err = new_study(name, &s, ei);
  if (!err)
    err = parse(r, s, text, ei);
  for (int i = 0; i < n_set; i++) {
    if (err)
      break;
    err = mho_config_set(s->base, set[i], ei);
  }
  if (!err)
    err = mho_name_check("the study's name, after its file:", s->name, ei);
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
    return mho_fail_at(ei, mho__io_error(errno), path, 0, "cannot read the study: %s",
                       strerror(errno));

  char *text = calloc(1, LIMIT + 1);
  size_t n = text ? fread(text, 1, LIMIT + 1, f) : 0;
  mho_err err;
  if (!text)
    err = mho_fail(ei, MHO_ENOMEM, "no memory to read %s", path);
  else if (ferror(f))
    err = mho_fail_at(ei, mho__io_error(errno), path, 0, "cannot read the study: %s",
                      strerror(errno));
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

  for (int i = 0; i < s->n_axes; i++)
    mho__study_axis_free(&s->axis[i]);
  free(s->axis);
  free(s->seed);
  mho_config_free(s->base);
  free(s->file);
  free(s);
}

const char *mho_study_name(const mho_study *s) {
  return s->name;
}
