/* backprop.h - what backpropagation and feedback alignment share: a feed-forward pass, and an
 * error carried back along the feedback links.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_BACKPROP_H
#define MHO_RULE_BACKPROP_H

#include "mho/model/rule.h"

/** The members of mho_rule of these names: see there. One state, an error of the true gradient's
 * size. */
void mho__backprop_predict(const mho_lesson *lesson, mho_rule_stats *stats);
void mho__backprop_learn(const mho_lesson *lesson, mho_rule_stats *stats);

/** Errors at the hidden states that are in lesson->state[0], without a forward pass: lesson->error
 * of the read-out and then of the hidden layers, for the lesson's samples. */
void mho__backprop_at_state(const mho_lesson *lesson, mho_rule_stats *stats);
/** The same from an error of the read-out that is in lesson->error already. */
void mho__backprop_back(const mho_lesson *lesson, mho_rule_stats *stats);

#endif
