/* bp.c - backpropagation on the same network without its recurrence: the baseline of every table.
 *
 * Source: D. Rumelhart, G. Hinton, R. Williams, Nature 323, 533 (1986).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/check.h"
#include "rule/backprop.h"

static mho_err check(const mho_experiment *e, mho_errinfo *ei) {
  if (e->feedback.mode == MHO_FEEDBACK_SYMMETRIC)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG, "feedback.mode: rule 'bp' is defined with symmetric feedback");
}

const mho_rule mho_rule_bp = {
    .entry = {.abi = MHO_ABI,
              .id = "bp",
              .title = "backpropagation of the feed-forward net",
              .equation = "delta_l = rho'(a_l) . (delta_{l+1} W^T)",
              .source = "Rumelhart, Hinton & Williams, Nature 323:533 (1986)",
              .check = check},
    .feed_forward = true,
    .leads_back = true,
    .outputs_states = true,
    .predict = mho__backprop_predict,
    .learn = mho__backprop_learn,
    .change = mho_change_by_error,
    .also_applies = MHO_APPLY_SAMPLE,
};
