/* backprop.h - what backpropagation and feedback alignment share: a feed-forward pass, and an error carried
 * back along the feedback links.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_BACKPROP_H
#define MHO_RULE_BACKPROP_H

#include "mho/rule.h"

int mho_backprop_states(const void *params, bool direct);
double mho_backprop_signal_scale(const mho_network *net, const void *params, int layer);
void mho_backprop_predict(const mho_rule_job *job, mho_rule_stats *stats);
void mho_backprop_learn(const mho_rule_job *job, mho_rule_stats *stats);
/** Errors at the hidden states that are in job->state[0]: no forward pass, ... */
MHO_API void mho_backprop_at_state(const mho_rule_job *job, mho_rule_stats *stats);
/** ... and of a read-out's error that is in job->error already. */
MHO_API void mho_backprop_back(const mho_rule_job *job, mho_rule_stats *stats);

#endif
