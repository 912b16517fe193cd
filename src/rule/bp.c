/* bp.c - backpropagation on the same network without its recurrence: the baseline of every table.
 *
 * Source: D. Rumelhart, G. Hinton, R. Williams, Nature 323, 533 (1986).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/backprop.h"

const mho_rule mho_rule_bp = {
    .entry = {.abi = MHO_ABI,
              .id = "bp",
              .title = "backpropagation of the feed-forward net",
              .equation = "delta_l = rho'(a_l) . (delta_{l+1} W^T)",
              .source = "Rumelhart, Hinton & Williams, Nature 323:533 (1986)"},
    .feedback_mode = MHO_FEEDBACK_SYMMETRIC,
    .feed_forward = true,
    .n_states = mho__backprop_states,
    .signal_scale = mho__backprop_signal_scale,
    .predict = mho__backprop_predict,
    .learn = mho__backprop_learn,
};
