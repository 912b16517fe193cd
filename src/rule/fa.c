/* fa.c - feedback alignment: backpropagation through fixed random feedback weights.
 *
 * Source: T. Lillicrap et al., Nature Communications 7:13276 (2016).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/check.h"
#include "rule/backprop.h"

static const mho_default defaults[] = {{"feedback.mode", "asymmetric"}};

static mho_err check(const mho_experiment *e, mho_errinfo *ei) {
  if (e->feedback.mode == MHO_FEEDBACK_ASYMMETRIC)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG, "feedback.mode: rule 'fa' is defined with asymmetric feedback");
}

const mho_rule mho_rule_fa = {
    .entry = {.abi = MHO_ABI,
              .id = "fa",
              .title = "feedback alignment, fixed random feedback",
              .equation = "delta_l = rho'(a_l) . (delta_{l+1} B)",
              .source = "Lillicrap et al., Nat. Commun. 7:13276 (2016)",
              MHO_DEFAULTS(defaults),
              .check = check},
    .feed_forward = true,
    .leads_back = true,
    .outputs_states = true,
    .predict = mho__backprop_predict,
    .learn = mho__backprop_learn,
    .change = mho_change_by_error,
    .also_applies = MHO_APPLY_SAMPLE,
};
