/* yaml_text.c - YAML of unknown origin, bounded before anything is made of it.
 *
 * libyaml takes time that grows with the square of the depth of a flow list and of the number of
 * anchors, and an alias costs nothing until it is followed: 400 bytes can stand for 10^7 keys. So
 * the text is read twice, first as events, up to the first that goes too far; what is left cannot
 * cost much to load. Then what the aliases stand for is counted, each node once.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiment/yaml_text.h"

#include <math.h>
#include <string.h>

enum { DEPTH = 32, ANCHORS = 256, NODES = 1000000 };

typedef struct reader {
  const char *name;
  bool is_line;
  yaml_parser_t parser;
  mho_errinfo *ei;
} reader;

static mho_err fail_at(const reader *r, yaml_mark_t mark, const char *why) {
  return mho_fail_at(r->ei, MHO_ECONFIG, r->name, r->is_line ? 0 : (int)mark.line + 1, "%s", why);
}

static bool open_parser(reader *r, const char *text) {
  if (!yaml_parser_initialize(&r->parser))
    return false;
  yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, strlen(text));
  return true;
}

static mho_err invalid(const reader *r) {
  const yaml_parser_t *p = &r->parser;
  return mho_fail_at(r->ei, MHO_ECONFIG, r->name, r->is_line ? 0 : (int)p->problem_mark.line + 1,
                     "not valid YAML: %s%s%s", p->problem ? p->problem : "unreadable",
                     p->context ? ", " : "", p->context ? p->context : "");
}

/* ---------------------------------------------------------------- events */

/* What has been seen of a text. */
typedef struct seen {
  int depth, anchors, documents;
} seen;

static bool has_anchor(const yaml_event_t *e) {
  switch (e->type) {
  case YAML_ALIAS_EVENT:
    return true;
  case YAML_SCALAR_EVENT:
    return e->data.scalar.anchor != NULL;
  case YAML_SEQUENCE_START_EVENT:
    return e->data.sequence_start.anchor != NULL;
  case YAML_MAPPING_START_EVENT:
    return e->data.mapping_start.anchor != NULL;
  default:
    return false;
  }
}

static mho_err take_event(const reader *r, const yaml_event_t *e, seen *s) {
  bool opens = e->type == YAML_SEQUENCE_START_EVENT || e->type == YAML_MAPPING_START_EVENT;
  bool closes = e->type == YAML_SEQUENCE_END_EVENT || e->type == YAML_MAPPING_END_EVENT;
  s->depth += opens - closes;
  s->anchors += has_anchor(e);
  s->documents += e->type == YAML_DOCUMENT_START_EVENT;

  if (s->depth > DEPTH)
    return fail_at(r, e->start_mark, "lists and maps are nested too deeply");
  if (s->anchors > ANCHORS)
    return fail_at(r, e->start_mark, "too many anchors and aliases: write the values out");
  if (s->documents > 1)
    return fail_at(r, e->start_mark,
                   "a second document begins here: give each a file of its own, without ---");
  return MHO_OK;
}

static mho_err check_events(reader *r) {
  seen s = {0};
  mho_err err = MHO_OK;

  for (bool ended = false; !ended && !err;) {
    yaml_event_t e;
    if (!yaml_parser_parse(&r->parser, &e))
      return invalid(r);
    ended = e.type == YAML_STREAM_END_EVENT;
    err = take_event(r, &e, &s);
    yaml_event_delete(&e);
  }
  return err;
}

/* ---------------------------------------------------------------- what aliases stand for */

typedef struct counter {
  yaml_document_t *doc;
  double
      *nodes; /* [n] that a node stands for, itself among them; 0: not known, below 0: under way */
} counter;

static double count(const counter *c, int node);

static double count_list(const counter *c, const yaml_node_t *n) {
  double sum = 1;
  const yaml_node_item_t *end = n->data.sequence.items.top;
  for (const yaml_node_item_t *i = n->data.sequence.items.start; i < end; i++)
    sum += count(c, *i);
  return sum;
}

static double count_map(const counter *c, const yaml_node_t *n) {
  double sum = 1;
  const yaml_node_pair_t *end = n->data.mapping.pairs.top;
  for (const yaml_node_pair_t *p = n->data.mapping.pairs.start; p < end; p++)
    sum += count(c, p->key) + count(c, p->value);
  return sum;
}

/* Nodes that a node stands for; infinitely many where it contains itself. */
static double count(const counter *c, int node) {
  double *known = &c->nodes[node - 1];
  if (*known < 0)
    return INFINITY;
  if (*known > 0)
    return *known;

  *known = -1;
  const yaml_node_t *n = yaml_document_get_node(c->doc, node);
  double sum = 1;
  if (n->type == YAML_SEQUENCE_NODE)
    sum = count_list(c, n);
  else if (n->type == YAML_MAPPING_NODE)
    sum = count_map(c, n);
  *known = sum;
  return sum;
}

static mho_err check_size(const reader *r, yaml_document_t *doc) {
  if (!yaml_document_get_root_node(doc))
    return MHO_OK;

  size_t n = (size_t)(doc->nodes.top - doc->nodes.start);
  counter c = {doc, mho_alloc(n, sizeof *c.nodes)};
  if (!c.nodes)
    return mho_fail(r->ei, MHO_ENOMEM, "no memory to parse %s", r->name);
  double all = count(&c, 1);
  mho_free(c.nodes);

  if (all <= NODES)
    return MHO_OK;
  return mho_fail_at(r->ei, MHO_ECONFIG, r->name, 0,
                     "its aliases stand for more than %d values: write out what is meant", NODES);
}

/* ---------------------------------------------------------------- both */

mho_err mho__yaml_load(const char *text, const char *name, bool is_line, yaml_document_t *out,
                       mho_errinfo *ei) {
  reader r = {.name = name, .is_line = is_line, .ei = ei};
  if (!open_parser(&r, text))
    return mho_fail(ei, MHO_ENOMEM, "no memory to parse %s", name);
  mho_err err = check_events(&r);
  yaml_parser_delete(&r.parser);
  if (err)
    return err;

  if (!open_parser(&r, text))
    return mho_fail(ei, MHO_ENOMEM, "no memory to parse %s", name);
  if (!yaml_parser_load(&r.parser, out))
    err = invalid(&r);
  yaml_parser_delete(&r.parser);
  if (err)
    return err;

  err = check_size(&r, out);
  if (err)
    yaml_document_delete(out);
  return err;
}
