/* experiment.c - a config's keys against the sections and the registry: a validated experiment.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/compatible.h"
#include "experiment/config_file.h"
#include "experiment/sections.h"
#include "mho/model/entry.h"
#include "rule/rule_check.h"

/* What is filled in. */
typedef struct builder {
  const mho_registry *registry;
  mho_config *c;
  bool bare;
  mho_experiment *e;
  mho_errinfo *ei;
} builder;

static mho_choice *choice_of(const mho_section *s, int k, mho_experiment *e) {
  return (mho_choice *)((char *)e + s->selector[k].offset);
}

/* ---------------------------------------------------------------- suggestions */

typedef struct nearest {
  const char *word, *best;
  int distance;
} nearest;

/* Keep the candidate if none so far is nearer. */
static void consider(nearest *n, const char *candidate) {
  int d = mho_text_distance(n->word, candidate);
  if (!n->best || d < n->distance) {
    n->best = candidate;
    n->distance = d;
  }
}

static void consider_table(nearest *n, const mho_params *t) {
  int names = t ? t->n : 0;
  for (int i = 0; i < names; i++)
    consider(n, t->p[i].name);
}

static bool is_near(const nearest *n) {
  return n->best && n->distance <= 2 + (int)strlen(n->word) / 3;
}

/* ---------------------------------------------------------------- selectors */

/* The registered thing of kind `kind` that has a key of that name, or NULL. */
static const mho_entry *owner_of(const builder *b, mho_kind kind, const char *name) {
  for (int i = 0; i < mho_registry_count(b->registry, kind); i++) {
    const mho_entry *entry = mho_registry_at(b->registry, kind, i);
    if (mho_params_find(entry->params, name))
      return entry;
  }
  return NULL;
}

static bool is_selector(const mho_section *s, const char *name) {
  int selectors = mho__section_selectors(s);
  for (int k = 0; k < selectors; k++)
    if (!strcmp(name, s->selector[k].key))
      return true;
  return false;
}

/* Whether a key of the section is of what selector number k chooses from, and of nothing else. */
static bool is_left_to(const builder *b, const mho_section *s, int k, const char *name) {
  int selectors = mho__section_selectors(s);
  if (is_selector(s, name) || (s->common && mho_params_find(*s->common, name)))
    return false;
  for (int other = 0; other < selectors; other++)
    if (other != k && owner_of(b, s->selector[other].kind, name))
      return false;
  return true;
}

/* Whether every key of the section that is left to selector number k is one of this entry's. */
static bool fits_keys(const builder *b, const mho_section *s, int k, const mho_entry *e) {
  const mho_config *c = b->c;
  size_t n = strlen(s->name);

  for (int i = 0; i < c->n; i++) {
    const char *path = c->key[i].path;
    if (strncmp(path, s->name, n) || path[n] != '.')
      continue;

    const char *name = path + n + 1;
    if (is_left_to(b, s, k, name) && !mho_params_find(e->params, name))
      return false;
  }
  return true;
}

/* The word of a selector that the config leaves out: the default, or, where the section's keys are
 * not the default's, the one registered thing whose keys they are (array: {read_noise: 0.01} means
 * the periphery). */
static const mho_entry *implied(const builder *b, const mho_section *s, int k) {
  mho_kind kind = s->selector[k].kind;
  const mho_entry *initial = mho_registry_find(b->registry, kind, s->selector[k].initial);
  const mho_entry *other = NULL;

  if (!s->selector[k].implied || fits_keys(b, s, k, initial))
    return initial;

  for (int i = 0; i < mho_registry_count(b->registry, kind); i++) {
    const mho_entry *e = mho_registry_at(b->registry, kind, i);
    if (!fits_keys(b, s, k, e))
      continue;
    if (other)
      return initial; /* more than one: leave the unknown key to be reported */
    other = e;
  }
  return other ? other : initial;
}

static mho_err unknown_word(const builder *b, const mho_section *s, int k,
                            const mho_config_key *key) {
  mho_kind kind = s->selector[k].kind;
  const char *selector = s->selector[k].key;
  nearest n = {.word = key->text};
  char all[MHO_TEXT_MAX] = "", card[2 * MHO_TEXT_MAX];

  if (kind == MHO_KIND_DEVICE && !mho_card_find(key->text, NULL, card, sizeof card, NULL))
    return mho_fail_at(b->ei, MHO_ECONFIG, key->file, key->line,
                       "%s.%s: '%s' is a device card, not a model: write device.card=%s", s->name,
                       selector, key->text, key->text);

  for (int i = 0; i < mho_registry_count(b->registry, kind); i++) {
    const char *id = mho_registry_at(b->registry, kind, i)->id;
    consider(&n, id);
    mho_text_append(all, sizeof all, "%s%s", i ? ", " : "", id);
  }

  if (is_near(&n))
    return mho_fail_at(b->ei, MHO_ECONFIG, key->file, key->line,
                       "%s.%s: '%s' is unknown; did you mean '%s'? (known: %s)", s->name, selector,
                       key->text, n.best, all);
  return mho_fail_at(b->ei, MHO_ECONFIG, key->file, key->line, "%s.%s: '%s' is unknown (known: %s)",
                     s->name, selector, key->text, all);
}

static mho_err choose(const builder *b, const mho_section *s, int k) {
  const mho_config_key *key = mho__config_find_in(b->c, s->name, s->selector[k].key);
  const mho_entry *entry =
      key ? mho_registry_find(b->registry, s->selector[k].kind, key->text) : implied(b, s, k);
  if (!entry)
    return unknown_word(b, s, k, key);

  mho_choice *choice = choice_of(s, k, b->e);
  choice->entry = entry;
  mho_params_init(entry->params, choice->params);
  return MHO_OK;
}

/* The keys that something brings defaults for, as far as the config does not set them. */
static mho_err bring_defaults(const builder *b, const mho_entry *entry) {
  char origin[128];
  snprintf(origin, sizeof origin, "the defaults of '%s'", entry->id);

  for (int i = 0; i < entry->n_defaults; i++) {
    const mho_default *d = &entry->defaults[i];
    mho_err err = mho__config_bring(b->c, d->key, d->text, origin, b->ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* The learning rule's defaults: they may choose all others, and make way for those of the others,
 * which are what hardware needs. */
static mho_err bring_rule(const builder *b) {
  const mho_config_key *key = mho__config_find(b->c, "rule.name");
  const mho_entry *rule = key ? mho_registry_find(b->registry, MHO_KIND_RULE, key->text) : NULL;
  return rule ? bring_defaults(b, rule) : MHO_OK;
}

/* Those of everything else that is chosen. */
static mho_err bring_all(const builder *b) {
  for (int i = 0; i < mho__n_sections; i++) {
    const mho_section *s = &mho__sections[i];
    int selectors = mho__section_selectors(s);
    for (int k = 0; k < selectors; k++) {
      bool is_rule = s->selector[k].kind == MHO_KIND_RULE;
      mho_err err = is_rule ? MHO_OK : bring_defaults(b, choice_of(s, k, b->e)->entry);
      if (err)
        return err;
    }
  }
  return MHO_OK;
}

/* Every section's defaults, and what its selectors choose. */
static mho_err choose_all(const builder *b) {
  for (int i = 0; i < mho__n_sections; i++) {
    const mho_section *s = &mho__sections[i];
    if (s->common)
      mho_params_init(*s->common, (char *)b->e + s->common_offset);

    int selectors = mho__section_selectors(s);
    for (int k = 0; k < selectors; k++) {
      mho_err err = choose(b, s, k);
      if (err)
        return err;
    }
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- keys */

/* A key of another model is the likeliest slip, a misspelled one the next. */
static mho_err unknown_key(const builder *b, const mho_section *s, const mho_config_key *key,
                           const char *name) {
  int selectors = mho__section_selectors(s);
  for (int k = 0; k < selectors; k++) {
    const mho_entry *other = owner_of(b, s->selector[k].kind, name);
    if (other)
      return mho_fail_at(b->ei, MHO_ECONFIG, key->file, key->line,
                         "%s is a key of %s.%s '%s', but that is '%s' here", key->path, s->name,
                         s->selector[k].key, other->id, choice_of(s, k, b->e)->entry->id);
  }

  nearest n = {.word = name};
  consider_table(&n, s->common);
  for (int k = 0; k < selectors; k++) {
    consider(&n, s->selector[k].key);
    consider_table(&n, &choice_of(s, k, b->e)->entry->params);
  }

  if (is_near(&n))
    return mho_fail_at(b->ei, MHO_ECONFIG, key->file, key->line,
                       "unknown key %s; did you mean %s.%s?", key->path, s->name, n.best);
  return mho_fail_at(b->ei, MHO_ECONFIG, key->file, key->line,
                     "unknown key %s; 'mho train --print-config' shows all keys", key->path);
}

/* Whether --set chose another model than the config file, whose key this then is, or the key is a
 * default that something brings for a model that is not chosen: such a key goes with its model, so
 * that one word switches between models. */
static bool belongs_to_replaced(const builder *b, const mho_section *s, const mho_config_key *key,
                                const char *name) {
  int selectors = key->is_override ? 0 : mho__section_selectors(s);
  for (int k = 0; k < selectors; k++) {
    const mho_config_key *word = mho__config_find_in(b->c, s->name, s->selector[k].key);
    bool is_chosen_over = key->is_brought || (word && word->is_override);
    if (is_chosen_over && owner_of(b, s->selector[k].kind, name))
      return true;
  }
  return false;
}

/* Whether the key is a default for the hidden layers that something brings, where the topology has
 * keys of its own for them. */
static bool makes_way(const builder *b, const mho_config_key *key) {
  const mho_topology *topology = (const mho_topology *)b->e->topology.entry;
  return key->is_brought && topology->own_layers && !strcmp(key->path, "network.hidden");
}

static bool takes_list(const mho_param *p) {
  return p->kind == MHO_PARAM_INTS || p->kind == MHO_PARAM_REALS || p->kind == MHO_PARAM_TEXT;
}

/* The parameter that a section's key names, of the section or of what its selectors chose, and the
 * struct that it is in; NULL for none. */
static const mho_param *parameter_of(const builder *b, const mho_section *s, const char *name,
                                     void **at) {
  const mho_param *p = s->common ? mho_params_find(*s->common, name) : NULL;
  *at = (char *)b->e + s->common_offset;

  int selectors = p ? 0 : mho__section_selectors(s);
  for (int k = 0; k < selectors; k++) {
    mho_choice *choice = choice_of(s, k, b->e);
    p = mho_params_find(choice->entry->params, name);
    *at = choice->params;
    if (p)
      return p;
  }
  return p;
}

static mho_err assign(const builder *b, const mho_section *s, const mho_config_key *key) {
  const char *name = key->path + strlen(s->name) + 1;
  void *at;
  if (is_selector(s, name) || makes_way(b, key))
    return MHO_OK; /* chosen already, or listed elsewhere */

  const mho_param *p = parameter_of(b, s, name, &at);
  if (!p && belongs_to_replaced(b, s, key, name))
    return MHO_OK;
  if (!p)
    return unknown_key(b, s, key, name);
  if (key->is_list && !takes_list(p))
    return mho_fail_at(b->ei, MHO_ECONFIG, key->file, key->line,
                       "%s: expected one value, not a list", key->path);

  mho_errinfo why;
  mho_err err = mho_param_parse(p, key->text, b->bare, at, &why);
  if (err)
    return mho_fail_at(b->ei, err, key->file, key->line, "%s: %s", key->path, why.message);

  if (!strcmp(key->path, "device.table"))
    mho__card_beside((char *)at + p->offset, key->file);
  return MHO_OK;
}

/* The section that a key is in. */
static mho_err section_of(const builder *b, const mho_config_key *key, const mho_section **out) {
  char head[64];
  nearest n = {.word = head};
  snprintf(head, sizeof head, "%.*s", (int)strcspn(key->path, "."), key->path);
  *out = NULL;

  for (int s = 0; s < mho__n_sections; s++) {
    consider(&n, mho__sections[s].name);
    if (!strcmp(head, mho__sections[s].name))
      *out = &mho__sections[s];
  }

  if (*out)
    return MHO_OK;
  if (is_near(&n))
    return mho_fail_at(b->ei, MHO_ECONFIG, key->file, key->line,
                       "unknown section '%s'; did you mean '%s'?", head, n.best);
  return mho_fail_at(b->ei, MHO_ECONFIG, key->file, key->line,
                     "unknown section '%s'; 'mho train --print-config' shows all of them", head);
}

static mho_err assign_all(const builder *b) {
  for (int i = 0; i < b->c->n; i++) {
    const mho_config_key *key = &b->c->key[i];
    const mho_section *section;

    mho_err err = section_of(b, key, &section);
    if (!err && !strchr(key->path, '.'))
      err = mho_fail_at(b->ei, MHO_ECONFIG, key->file, key->line, "%s: expected keys below it",
                        key->path);
    if (!err)
      err = assign(b, section, key);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- an experiment */

/* The rule's defaults, then those of everything that is chosen with them; and again while some
 * choose what has defaults of its own, as a dataset chooses a dynamics, and that a rule. */
static mho_err bring_defaults_of_all(const builder *b) {
  mho_err err = MHO_OK;
  for (int before = -1; before != b->c->n;) {
    before = b->c->n;
    err = bring_rule(b);
    if (!err)
      err = choose_all(b);
    if (!err)
      err = bring_all(b);
    if (err)
      break;
  }
  return err;
}

/* Present names, the keys of a card, the choices, all keys, and what must fit together. */
static mho_err build(const mho_registry *r, mho_config *c, bool bare, mho_experiment *e,
                     mho_errinfo *ei) {
  builder b = {.registry = r, .c = c, .bare = bare, .e = e, .ei = ei};
  mho_err err = mho__config_rename(c, bare, ei);

  if (!err)
    err = mho__card_apply(c, bare, ei);
  if (!err)
    err = bring_defaults_of_all(&b);
  if (!err) /* again, since some bring what others are */
    err = choose_all(&b);
  if (!err)
    err = assign_all(&b);
  if (!err)
    err = mho__experiment_fit(c, bare, e, ei);
  return err;
}

mho_err mho_experiment_new(const mho_registry *r, const mho_config *given, bool bare,
                           mho_experiment **out, mho_errinfo *ei) {
  *out = NULL;
  mho_config *c;
  mho_err err = mho__config_copy(given, &c, ei);
  if (err)
    return err;

  mho_experiment *e = mho_alloc(1, sizeof *e);
  if (e)
    err = build(r, c, bare, e, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory for an experiment");

  mho_config_free(c);
  if (err) {
    mho_free(e);
    return err;
  }
  *out = e;
  return MHO_OK;
}

mho_err mho_config_of_experiment(const mho_experiment *e, const char *name, mho_config **out,
                                 mho_errinfo *ei) {
  *out = NULL;
  char *yaml = mho_experiment_yaml(e, true);
  if (!yaml)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the config");

  mho_err err = mho_config_new(out, ei);
  if (!err)
    err = mho_config_text(*out, yaml, name, ei);
  if (!err)
    (*out)->resolved = true;

  free(yaml);
  return err;
}

mho_err mho_experiment_of_json(const mho_registry *r, const char *json, const char *name,
                               mho_experiment **out, mho_errinfo *ei) {
  mho_config *c = NULL;
  *out = NULL;

  mho_err err = mho_config_new(&c, ei);
  if (!err)
    err = mho_config_text(c, json, name, ei); /* JSON is YAML, too */
  if (!err)
    err = mho_experiment_new(r, c, true, out, ei);

  mho_config_free(c);
  return err;
}

mho_err mho_experiment_of_yaml(const mho_registry *r, const char *yaml, int n_set,
                               const char *const *set, mho_experiment **out, mho_errinfo *ei) {
  mho_registry *own = NULL;
  mho_config *c = NULL;
  *out = NULL;

  mho_err err = r ? MHO_OK : mho_registry_new(&own, ei);
  if (!err)
    err = mho_config_new(&c, ei);
  if (!err)
    err = yaml ? mho_config_text(c, yaml, "config", ei) : MHO_OK;
  if (!err)
    err = mho__config_set_all(c, n_set, set, ei);
  if (!err)
    err = mho_experiment_new(r ? r : own, c, false, out, ei);

  mho_config_free(c);
  mho_registry_free(own);
  return err;
}

void mho_experiment_free(mho_experiment *e) {
  mho_free(e);
}

mho_apply mho_experiment_applies(const mho_experiment *e) {
  return mho__rule_applies(e);
}

static uint64_t seed_of(const mho_train_config *t, int64_t own, mho_rng_use use) {
  return own >= 0 ? (uint64_t)own : mho_rng_derive((uint64_t)t->seed, use);
}

mho_seeds mho_experiment_seeds(const mho_experiment *e) {
  const mho_train_config *t = &e->train;
  return (mho_seeds){.weights = seed_of(t, t->seed_weights, MHO_RNG_WEIGHTS),
                     .chip = seed_of(t, t->seed_chip, MHO_RNG_CHIP),
                     .order = seed_of(t, t->seed_order, MHO_RNG_ORDER),
                     .noise = seed_of(t, t->seed_noise, MHO_RNG_READ)};
}
