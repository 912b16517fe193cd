/* fa.c - feedback alignment: backpropagation through fixed random feedback weights.
 *
 * Source: T. Lillicrap et al., Nature Communications 7:13276 (2016).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/backprop.h"

const mho_rule mho_rule_fa = {
    .entry = {.abi = MHO_ABI,
              .id = "fa",
              .title = "feedback alignment, fixed random feedback",
              .equation = "delta_l = rho'(a_l) . (delta_{l+1} B)",
              .source = "Lillicrap et al., Nat. Commun. 7:13276 (2016)"},
    .feedback_mode = MHO_FEEDBACK_ASYMMETRIC,
    .feed_forward = true,
    .n_states = mho__backprop_states,
    .signal_scale = mho__backprop_signal_scale,
    .predict = mho__backprop_predict,
    .learn = mho__backprop_learn,
};
