/* dfc_feedback.h - how the arrays that lead controls into hidden layers learn.
 *
 * Noise of the neurons' own controls moves the read-out, and what the controller makes of that says
 * how each neuron reaches it:
 *
 *   f_l = u Q_l + noise,  dQ_l ~ -u^T f_l - decay Q_l
 *
 * averaged over steps and samples, in passes of their own towards the answer without control, or in
 * every lesson (feedback.q.filter), from what of u passes a high-pass.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_DFC_FEEDBACK_H
#define MHO_RULE_DFC_FEEDBACK_H

#include "mho/model/check.h"
#include "rule/dfc.h"

/** What the arrays of a batch learn from: mho_lesson.own of a rule whose arrays learn. */
typedef struct dfc_feedback dfc_feedback;

/** Whether a network's arrays learn, and whether they do in every lesson. */
bool mho__dfc_learns_arrays(const mho_network *net);
bool mho__dfc_learns_in_lessons(const mho_network *net);

/** See mho_rule.own_new: *out stays NULL where no arrays learn. */
mho_err mho__dfc_feedback_new(const mho_experiment *e, const mho_network *net, int batch,
                              void **out, mho_errinfo *ei);
void mho__dfc_feedback_free(void *own);

/** See mho_rule.feedback_passes and mho_rule.learn_feedback. */
int mho__dfc_feedback_passes(const mho_network *net, int epoch);
void mho__dfc_learn_feedback(const mho_lesson *lesson, mho_rule_stats *stats);
/** The part of mho_rule.change that is of a connection of role control. */
void mho__dfc_change_array(const mho_lesson *lesson, mho_change *out);

/* In every lesson, where arrays learn there: */

/** A lesson begins. */
void mho__dfc_hear_begin(const dfc_run *r);
/** New controls u, before they are led back: what they say about the present f of hidden layers. */
void mho__dfc_hear(const dfc_run *r);
/** Noise on the f of hidden layers, which have just been led back. @return that of the read-out,
 *  [n x C]; NULL without noise. */
const mho_real *mho__dfc_disturb(const dfc_run *r);

/** What of the arrays an experiment cannot do. @param in_time  the controller goes by steps. */
mho_err mho__dfc_feedback_check(const mho_experiment *e, bool in_time, mho_errinfo *ei);

/** The part of Q, [classes x n], that lies in the row space of J, [classes x n]: ||Q P||/||Q|| with
 *  P = J^T (J J^T)^-1 J. 1: controls through Q move the read-out at the least cost; of a random Q
 *  sqrt(classes/n). NaN where J is not of full rank, or without memory. arXiv 2106.07887, condition
 *  2. */
double mho__dfc_ratio(int classes, int n, const double *j, const double *q);

#endif
