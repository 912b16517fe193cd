/* config_file.c - YAML to a flat list of keys, with the places they came from.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiment/config_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/whole_file.h"
#include "experiment/sections.h"
#include "experiment/yaml_text.h"

enum { DEPTH_MAX = 8, PATH_LENGTH = 256, NODES_MAX = 10000 };

mho_err mho_config_new(mho_config **out, mho_errinfo *ei) {
  *out = mho_alloc(1, sizeof **out);
  return *out ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for a config");
}

static void clear(mho_config_key *k) {
  free(k->path);
  free(k->text);
  free(k->file);
}

void mho_config_free(mho_config *c) {
  if (!c)
    return;
  for (int i = 0; i < c->n; i++)
    clear(&c->key[i]);
  free(c->key);
  mho_free(c);
}

/* Whether a section has a key "GROUP.kind". */
static bool has_kind(const mho_section *s, const char *group) {
  char name[PATH_LENGTH];
  snprintf(name, sizeof name, "%.200s.kind", group);
  return s->common && mho_params_find(*s->common, name);
}

/* "device: ideal" is short for "device: {model: ideal}", and "q: product" for "q: {kind: product}":
 * both names are one key. */
static void canonical(const char *path, char *out, size_t n) {
  snprintf(out, n, "%s", path);

  for (int i = 0; i < mho__n_sections; i++) {
    const mho_section *s = &mho__sections[i];
    size_t length = strlen(s->name);
    if (!strcmp(path, s->name) && s->selector[0].key)
      snprintf(out, n, "%s.%s", path, s->selector[0].key);
    else if (!strncmp(path, s->name, length) && path[length] == '.' &&
             has_kind(s, path + length + 1))
      snprintf(out, n, "%s.kind", path);
  }
}

static mho_config_key *find(mho_config *c, const char *path) {
  for (int i = 0; i < c->n; i++)
    if (!strcmp(c->key[i].path, path))
      return &c->key[i];
  return NULL;
}

const mho_config_key *mho__config_find(const mho_config *c, const char *path) {
  for (int i = 0; i < c->n; i++)
    if (!strcmp(c->key[i].path, path))
      return &c->key[i];
  return NULL;
}

const mho_config_key *mho__config_find_in(const mho_config *c, const char *section,
                                          const char *name) {
  char path[PATH_LENGTH];
  snprintf(path, sizeof path, "%s.%s", section, name);
  return mho__config_find(c, path);
}

/* Room for one more key. */
static bool grow(mho_config *c) {
  if (c->n < c->capacity)
    return true;

  int more = c->capacity ? 2 * c->capacity : 32;
  mho_config_key *grown = realloc(c->key, (size_t)more * sizeof *grown);
  if (!grown)
    return false;

  c->key = grown;
  c->capacity = more;
  return true;
}

static mho_err put(mho_config *c, const char *path_in, const char *text, bool is_list,
                   const char *file, int line, bool replace, mho_errinfo *ei) {
  char path[PATH_LENGTH];
  canonical(path_in, path, sizeof path);
  if (!mho_text_is_plain(path))
    return mho_fail_at(ei, MHO_ECONFIG, file, line, "a key has line feeds or control characters");
  if (!mho_text_is_plain(text))
    return mho_fail_at(ei, MHO_ECONFIG, file, line,
                       "%s: the value has line feeds or control characters", path);

  mho_config_key *old = find(c, path);
  if (old && !replace)
    return mho_fail_at(ei, MHO_ECONFIG, file, line, "%s is given twice, first in line %d", path,
                       old->line);

  mho_config_key k = {strdup(path), strdup(text), is_list, strdup(file), line, replace, false};
  bool has_room = old || grow(c);
  if (!k.path || !k.text || !k.file || !has_room) {
    clear(&k);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the config");
  }

  if (old) {
    clear(old);
    *old = k;
  } else {
    c->key[c->n++] = k;
  }
  return MHO_OK;
}

mho_err mho__config_put(mho_config *c, const char *path_in, const char *text, bool is_list,
                        const char *file, int line, bool is_override, mho_errinfo *ei) {
  char path[PATH_LENGTH];
  canonical(path_in, path, sizeof path);
  mho_err err = put(c, path, text, is_list, file, line, true, ei);
  if (!err)
    find(c, path)->is_override = is_override;
  return err;
}

mho_err mho__config_bring(mho_config *c, const char *path, const char *text, const char *origin,
                          mho_errinfo *ei) {
  const mho_config_key *old = mho__config_find(c, path);
  if (old && !old->is_brought)
    return MHO_OK;

  mho_err err = mho__config_put(c, path, text, false, origin, 0, false, ei);
  if (!err)
    find(c, path)->is_brought = true;
  return err;
}

mho_err mho_config_assign(mho_config *c, const char *key, const char *text, mho_errinfo *ei) {
  char origin[MHO_TEXT_MAX];
  snprintf(origin, sizeof origin, "--set %.100s", key);
  return mho__config_put(c, key, text, false, origin, 0, true, ei);
}

mho_err mho__config_copy(const mho_config *c, mho_config **out, mho_errinfo *ei) {
  mho_err err = mho_config_new(out, ei);
  if (!err)
    (*out)->resolved = c->resolved;

  for (int i = 0; i < c->n; i++) {
    const mho_config_key *k = &c->key[i];
    if (err)
      break;
    err = put(*out, k->path, k->text, k->is_list, k->file, k->line, k->is_override, ei);
  }

  if (err) {
    mho_config_free(*out);
    *out = NULL;
  }
  return err;
}

/* ---------------------------------------------------------------- YAML */

typedef struct reader {
  mho_config *c;
  yaml_document_t *doc;
  const char *file;
  bool replace, one_line; /* --set: there is no line to name */
  int nodes;              /* read so far, those of aliases each time */
  mho_errinfo *ei;
} reader;

static int line_of(const reader *r, const yaml_node_t *node) {
  return r->one_line ? 0 : (int)node->start_mark.line + 1;
}

/* Behind the words of a list those of one entry, which may be several: "32x5 pool2". */
static void append_words(char *text, size_t size, const char *entry) {
  for (entry += strspn(entry, " "); *entry; entry += strspn(entry, " ")) {
    int n = (int)strcspn(entry, " ");
    mho_text_append(text, size, "%s%.*s", *text ? " " : "", n, entry);
    entry += n;
  }
}

static mho_err read_list(reader *r, const char *path, const yaml_node_t *node) {
  char text[MHO_TEXT_MAX * 4] = "";
  const yaml_node_item_t *end = node->data.sequence.items.top;

  for (const yaml_node_item_t *i = node->data.sequence.items.start; i < end; i++) {
    const yaml_node_t *item = yaml_document_get_node(r->doc, *i);
    const char *entry = item->type == YAML_SCALAR_NODE ? (const char *)item->data.scalar.value : "";
    if (!entry[strspn(entry, " ")])
      return mho_fail_at(r->ei, MHO_ECONFIG, r->file, line_of(r, item),
                         "%s: a list may only have plain values, none of them empty", path);
    append_words(text, sizeof text, entry);
  }

  if (strlen(text) >= sizeof text - 1)
    return mho_fail_at(r->ei, MHO_ECONFIG, r->file, line_of(r, node), "%s: the list is too long",
                       path);
  return put(r->c, path, text, true, r->file, line_of(r, node), r->replace, r->ei);
}

static mho_err read_node(reader *r, const char *path, const yaml_node_t *node, int depth);

/* A key of a mapping, and what is below it. */
static mho_err read_pair(reader *r, const char *path, const yaml_node_pair_t *p, int depth) {
  const yaml_node_t *key = yaml_document_get_node(r->doc, p->key);
  const yaml_node_t *value = yaml_document_get_node(r->doc, p->value);
  char below[PATH_LENGTH];

  if (key->type != YAML_SCALAR_NODE)
    return mho_fail_at(r->ei, MHO_ECONFIG, r->file, line_of(r, key), "a key must be a plain word");

  int n = snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "",
                   (const char *)key->data.scalar.value);
  if (n >= (int)sizeof below)
    return mho_fail_at(r->ei, MHO_ECONFIG, r->file, line_of(r, key),
                       "a key is longer than %d characters", PATH_LENGTH - 1);
  return read_node(r, below, value, depth + 1);
}

/* What YAML calls null: nothing, ~ or null without quotes. */
static bool is_null(const yaml_node_t *node) {
  static const char *const words[] = {"", "~", "null", "Null", "NULL"};
  if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
    return false;
  for (int i = 0; i < MHO_COUNT(words); i++)
    if (!strcmp((const char *)node->data.scalar.value, words[i]))
      return true;
  return false;
}

static mho_err read_node(reader *r, const char *path, const yaml_node_t *node, int depth) {
  r->nodes++;
  if (r->nodes > NODES_MAX)
    return mho_fail_at(r->ei, MHO_ECONFIG, r->file, line_of(r, node),
                       "more than %d keys: this is not a config", NODES_MAX);

  if (is_null(node) && !r->one_line)
    return mho_fail_at(r->ei, MHO_ECONFIG, r->file, line_of(r, node),
                       "%s: has no value: give one, or leave it out (\"\" is an empty text)", path);
  if (node->type == YAML_SCALAR_NODE)
    return put(r->c, path, (const char *)node->data.scalar.value, false, r->file, line_of(r, node),
               r->replace, r->ei);
  if (node->type == YAML_SEQUENCE_NODE)
    return read_list(r, path, node);

  if (depth == DEPTH_MAX)
    return mho_fail_at(r->ei, MHO_ECONFIG, r->file, line_of(r, node), "%s is nested too deeply",
                       path);

  const yaml_node_pair_t *end = node->data.mapping.pairs.top;
  for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < end; p++) {
    mho_err err = read_pair(r, path, p, depth);
    if (err)
      return err;
  }
  return MHO_OK;
}

mho_err mho__config_node(mho_config *c, const char *path, yaml_document_t *doc,
                         const yaml_node_t *node, const char *file, bool replace, mho_errinfo *ei) {
  reader r = {c, doc, file, replace, false, 0, ei};
  return read_node(&r, path, node, 0);
}

/* The keys of a document that was parsed, below `path`. */
static mho_err read_document(reader *r, const char *path) {
  const yaml_node_t *root = yaml_document_get_root_node(r->doc);
  if (!root && !*path)
    return MHO_OK;
  if (!root)
    return put(r->c, path, "", false, r->file, 0, true, r->ei);
  if (!*path && root->type != YAML_MAPPING_NODE)
    return mho_fail_at(r->ei, MHO_ECONFIG, r->file, line_of(r, root),
                       "not a config: expected sections such as 'network:' with keys below them");
  return read_node(r, path, root, 0);
}

/* Parse YAML text below `path`. */
static mho_err read_yaml(mho_config *c, const char *path, const char *text, const char *file,
                         bool is_set, mho_errinfo *ei) {
  yaml_document_t doc;
  mho_err err = mho__yaml_load(text, file, is_set, &doc, ei);
  if (err)
    return err;

  reader r = {c, &doc, file, is_set, is_set, 0, ei};
  err = read_document(&r, path);
  yaml_document_delete(&doc);
  return err;
}

/* ---------------------------------------------------------------- files, texts and assignments */

mho_err mho_config_text(mho_config *c, const char *text, const char *name, mho_errinfo *ei) {
  return read_yaml(c, "", text, name, false, ei);
}

mho_err mho_config_file(mho_config *c, const char *path, mho_errinfo *ei) {
  enum { LIMIT = 1 << 20 };
  FILE *f = fopen(path, "rb");
  if (!f)
    return mho_fail_at(ei, mho__io_error(errno), path, 0, "cannot read the config: %s",
                       strerror(errno));

  char *text = calloc(1, LIMIT + 1);
  size_t n = text ? fread(text, 1, LIMIT + 1, f) : 0;
  mho_err err;

  if (!text)
    err = mho_fail(ei, MHO_ENOMEM, "no memory to read %s", path);
  else if (ferror(f))
    err = mho_fail_at(ei, mho__io_error(errno), path, 0, "cannot read the config: %s",
                      strerror(errno));
  else if (n > LIMIT)
    err = mho_fail_at(ei, MHO_ECONFIG, path, 0, "larger than 1 MiB: this is not a config");
  else if (memchr(text, 0, n))
    err = mho_fail_at(ei, MHO_ECONFIG, path, 0, "not a text file: this is not a config");
  else
    err = mho_config_text(c, text, path, ei);

  free(text);
  fclose(f);
  return err;
}

mho_err mho_config_set(mho_config *c, const char *assignment, mho_errinfo *ei) {
  char path[PATH_LENGTH], origin[MHO_TEXT_MAX];
  size_t n = strcspn(assignment, "=");
  if (!assignment[n] || n == 0 || n >= sizeof path)
    return mho_fail(ei, MHO_ECONFIG,
                    "--set %s: expected a key and a value, for example --set train.epochs=5",
                    assignment);

  memcpy(path, assignment, n);
  path[n] = 0;
  snprintf(origin, sizeof origin, "--set %s", assignment);
  return read_yaml(c, path, assignment + n + 1, origin, true, ei);
}

mho_err mho__config_set_all(mho_config *c, int n, const char *const *set, mho_errinfo *ei) {
  for (int i = 0; i < n; i++) {
    mho_err err = mho_config_set(c, set[i], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

mho_err mho_config_load(const char *path, int n_set, const char *const *set, mho_config **out,
                        mho_errinfo *ei) {
  mho_err err = mho_config_new(out, ei);
  if (!err && path)
    err = mho_config_file(*out, path, ei);

  if (!err)
    err = mho__config_set_all(*out, n_set, set, ei);

  if (err) {
    mho_config_free(*out);
    *out = NULL;
  }
  return err;
}

const char *mho_config_get(const mho_config *c, const char *path) {
  const mho_config_key *key = mho__config_find(c, path);
  return key ? key->text : NULL;
}

void mho_config_forget(mho_config *c, const char *path) {
  size_t length = strlen(path);
  bool below = length && path[length - 1] == '.';
  int kept = 0;

  for (int i = 0; i < c->n; i++) {
    bool goes = below ? !strncmp(c->key[i].path, path, length) : !strcmp(c->key[i].path, path);
    if (goes)
      clear(&c->key[i]);
    else
      c->key[kept++] = c->key[i];
  }

  c->n = kept;
}
