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

/* Outputs that hold states take the error as it is. */
static mho_err knows_outputs(const mho_experiment *e, mho_errinfo *ei) {
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  if (e->network.output != MHO_OUTPUT_STATE || rule->outputs_states)
    return MHO_OK;
  return mho_fail(
      ei, MHO_ECONFIG,
      "network.output: rule.name '%s' does not learn with outputs that hold states: use "
      "rule ep, or network.output linear",
      rule->entry.id);
}

/* Votes are counted of neurons that find out by themselves what to fire for. */
static mho_err knows_votes(const mho_experiment *e, mho_errinfo *ei) {
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  bool votes = e->network.output == MHO_OUTPUT_VOTES;
  if (votes && !rule->spikes)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.output: votes are of neurons that learn from their own spikes, and "
                    "rule.name '%s' teaches a read-out: use rule stdp, or network.output softmax",
                    rule->entry.id);
  return MHO_OK;
}

/* Labels that are shown, and goodness, are of a rule that contrasts. */
static mho_err knows_labels(const mho_experiment *e, mho_errinfo *ei) {
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  if (rule->contrasts)
    return MHO_OK;
  if (e->network.output == MHO_OUTPUT_GOODNESS)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.output: rule.name '%s' gives layers no goodness: use rule csdp, or "
                    "another output",
                    rule->entry.id);
  if (e->network.context != MHO_CONTEXT_NONE)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.context: rule.name '%s' shows no labels to the network: use rule "
                    "csdp, or context none",
                    rule->entry.id);
  return MHO_OK;
}

/* What leads back is what the rule goes by: links, or the controls of a controller. */
static mho_err takes_path(const mho_experiment *e, mho_errinfo *ei) {
  static const char *const words[] = {"links", "direct", "chain"};
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  const mho_feedback_config *f = &e->feedback;
  bool has_links = f->path == MHO_PATH_LINKS;

  if (rule->controls && has_links)
    return mho_fail(ei, MHO_ECONFIG,
                    "feedback.path: rule.name '%s' has a controller, and links couple layers "
                    "without one: use chain or direct",
                    rule->entry.id);
  if (!rule->controls && !has_links)
    return mho_fail(ei, MHO_ECONFIG,
                    "feedback.path: %s leads the controls of a controller back, and rule.name '%s' "
                    "has none: use links, or another rule",
                    words[f->path], rule->entry.id);
  if (f->path == MHO_PATH_DIRECT && f->mode == MHO_FEEDBACK_ASYMMETRIC)
    return mho_fail(ei, MHO_ECONFIG,
                    "feedback.mode: asymmetric gives every layer's feedback a crossbar, which none "
                    "reads with feedback.path direct: use symmetric, and feedback.q random for "
                    "drawn weights");
  return MHO_OK;
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

/* ---------------------------------------------------------------- what neurons count for */

#define REFUSE(...) return mho_fail(ei, MHO_ECONFIG, __VA_ARGS__)

/* What adds the currents of both devices of a pair needs pairs of which one is at g_min, in arrays
 * whose currents are known. */
static mho_err can_add_currents(const mho_experiment *e, mho_errinfo *ei) {
  const mho_mapping *mapping = (const mho_mapping *)e->mapping.entry;
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  if (!mho_experiment_has_cells(e))
    REFUSE("rule.importance_by: read adds the currents of devices, and device.model '%s' has none: "
           "use weights or probe",
           e->device.entry->id);
  if (!mapping->from_bottom)
    REFUSE("rule.importance_by: read takes the currents of a column for the sum of its |weights|, "
           "which device.mapping '%s' does not make them: use probe, or mapping one_sided",
           mapping->entry.id);
  if (!array->exact && !array->shows_cells)
    REFUSE("rule.importance_by: array.model '%s' does not add the currents of two devices: use "
           "weights or probe",
           array->entry.id);
  if (mho_array_has_wires(&e->array_config))
    REFUSE("rule.importance_by: what wires make of added currents is not simulated: use weights or "
           "probe, or leave array.wire.r_word and array.wire.r_bit at 0");
  if (e->device_config.iv.law == MHO_IV_HFO2)
    REFUSE("rule.importance_by: added currents of devices that bend each in its own way "
           "(device.iv.law hfo2) are not simulated: use weights or probe");
  return MHO_OK;
}

static mho_err importance_fits(const mho_experiment *e, mho_errinfo *ei) {
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  const mho_gradient_config *c = &e->gradient;
  if (c->importance == MHO_IMPORTANCE_NONE)
    return MHO_OK;
  if (c->importance == MHO_IMPORTANCE_PROPAGATE && !rule->leads_back)
    REFUSE("rule.importance: factors propagate with errors that are led back layer after layer, as "
           "in bp and fa, and rule.name '%s' leads none back so: use local",
           rule->entry.id);
  if (c->importance_low > c->importance_high)
    REFUSE("rule.importance_low: %g is above rule.importance_high, %g", c->importance_low,
           c->importance_high);
  return c->importance_by == MHO_IMPORTANCE_BY_READ ? can_add_currents(e, ei) : MHO_OK;
}

mho_err mho__rule_check(const mho_experiment *e, mho_errinfo *ei) {
  mho_err err = neurons_rest(e, ei);
  if (!err)
    err = knows_outputs(e, ei);
  if (!err)
    err = knows_votes(e, ei);
  if (!err)
    err = knows_labels(e, ei);
  if (!err)
    err = takes_path(e, ei);
  if (!err)
    err = can_apply(e, ei);
  return err ? err : importance_fits(e, ei);
}
