/* idle_keys.c - the keys of a config that have no effect in the experiment which it describes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "experiment/config_file.h"
#include "experiment/sections.h"

/* Whose keys are looked at, and who is told. */
typedef struct search {
  const mho_config *c;
  void (*f)(void *user, const mho_idle_key *k);
  void *user;
} search;

static void look(void *user, const mho_setting *s) {
  const search *all = user;
  if (!s->idle || s->is_default)
    return;
  const mho_config_key *key = mho__config_find_in(all->c, s->section->name, s->name);
  if (!key)
    return;

  mho_idle_key found = {.why = s->idle, .file = key->file, .line = key->line};
  snprintf(found.key, sizeof found.key, "%s.%s", s->section->name, s->name);
  all->f(all->user, &found);
}

mho_err mho_experiment_idle(const mho_experiment *e, const mho_config *given,
                            void (*f)(void *user, const mho_idle_key *k), void *user,
                            mho_errinfo *ei) {
  mho_config *c;
  mho_err err = mho__config_copy(given, &c, ei);
  if (!err)
    err = mho__config_rename(c, false, ei);
  if (!err)
    mho__settings_visit(e, look, &(search){.c = c, .f = f, .user = user});
  mho_config_free(c);
  return err;
}

/* The first one is refused. */
static void refuse(void *user, const mho_idle_key *k) {
  mho_errinfo *ei = user;
  if (!*ei->message)
    mho_fail_at(ei, MHO_ECONFIG, k->file, k->line, "%s has no effect: %s", k->key, k->why);
}

mho_err mho_experiment_strict(const mho_experiment *e, const mho_config *c, mho_errinfo *ei) {
  mho_errinfo why = {0};
  mho_err err = mho_experiment_idle(e, c, refuse, &why, ei);
  if (err || !*why.message)
    return err;
  *ei = why;
  return MHO_ECONFIG;
}
