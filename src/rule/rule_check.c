/* rule_check.c - what a rule of any kind needs of the others that are chosen.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/rule_check.h"

/* A rule that settles nothing passes activities forward as they are at rest. */
static mho_err neurons_rest(const mho_experiment *e, mho_errinfo *ei) {
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  const mho_dynamics *dynamics = (const mho_dynamics *)e->dynamics.entry;
  if (!rule->feed_forward || dynamics->relax)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "rule.name: '%s' passes activities forward as they are at rest, and the neurons "
                  "of dynamics.name '%s' do not rest: use dynamics rate, or another rule",
                  rule->entry.id, dynamics->entry.id);
}

/* ---------------------------------------------------------------- when changes are applied */

/* When a rule applies changes unless the config says otherwise. */
static mho_apply own_apply(const mho_rule *rule) {
  return rule->applies ? rule->applies : MHO_APPLY_BATCH;
}

mho_apply mho__rule_applies(const mho_experiment *e) {
  if (e->update.apply != MHO_APPLIES_AUTO)
    return (mho_apply)(1 << (e->update.apply - 1));
  return own_apply((const mho_rule *)e->rule.entry);
}

/* That is up to the rule, as far as the config may say. */
static mho_err can_apply(const mho_experiment *e, mho_errinfo *ei) {
  static const char *const words[] = {"batch", "sample", "step", "spike"};
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  int can = (int)own_apply(rule) | rule->also_applies;
  char list[64] = "";
  if ((int)mho__rule_applies(e) & can)
    return MHO_OK;

  for (int i = 0; i < MHO_COUNT(words); i++)
    if (can & 1 << i)
      mho_text_append(list, sizeof list, "%s%s", *list ? " or " : "", words[i]);
  return mho_fail(ei, MHO_ECONFIG, "update.apply: rule.name '%s' cannot apply changes then: use %s",
                  rule->entry.id, list);
}

mho_err mho__rule_check(const mho_experiment *e, mho_errinfo *ei) {
  mho_err err = neurons_rest(e, ei);
  return err ? err : can_apply(e, ei);
}
