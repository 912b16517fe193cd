/* credits.h - what a unit's activity is worth: credits, led back along the links against the way
 * that activities take.
 *
 *   c_l = sum over links out of l of scale (b_to . c_to) W^T
 *
 * c_l is kept in one variable of the rule, b_l (the gate) in another; lesson->error has b . c,
 * which is what drives the lines and what the weights into a layer learn from. The read-out's is
 * there before.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_CREDITS_H
#define MHO_RULE_CREDITS_H

#include "rule/phase.h"

/* The first variables of a rule with credits. */
enum { MHO_VAR_CREDIT, MHO_VAR_GATE };

/** How credits are led back. */
typedef struct mho_credits_way {
  int64_t sweeps;   /**< that are made in any case; 0: until the tolerance is met */
  double tolerance; /**< change that is small, over the credits of a layer */
  double noise;     /**< standard deviation of a held credit */
  /* In continuous time: */
  double tau;  /**< of a held credit, in time constants of the neurons */
  double read; /**< tau of the neurons after which credits are read; 0: when they have settled */
  bool clamps; /**< the read-out's credit is held at its error; else it relaxes there */
} mho_credits_way;

/** A lesson's credits under way. */
typedef struct mho_credits {
  const mho_lesson *lesson;
  const mho_credits_way *way;
  mho_phase phase; /**< in which links are read */
} mho_credits;

/** The values of variable `var` of layer l, the lesson's first sample first. */
static inline mho_real *mho__credits_of(const mho_credits *c, int var, int l) {
  return mho_vars_real(c->lesson->vars, var, l, c->lesson->sample0);
}

/** The errors of layer l, the lesson's first sample first. */
static inline mho_real *mho__credits_error(const mho_credits *c, int l) {
  return mho__values(c->lesson->net, c->lesson->error, l, c->lesson->sample0);
}

/** Read what comes back into layer l from the present errors into its credits, and add their noise,
 * the same in every step of a lesson. */
void mho__credits_read(const mho_credits *c, int l, mho_rule_stats *stats);

/** Credits by sweeps from the read-out's error, layer after layer where the settler goes in turn,
 * else all at once, until no sample's change by more than the tolerance, which without loops of
 * links takes no more sweeps than there are hidden layers. Errors from credits that go on growing
 * become 0. */
void mho__credits_sweep(const mho_credits *c, mho_rule_stats *stats);

/** The same in continuous time, with a workspace: mho_thread.rule_workspace. */
void mho__credits_relax(const mho_credits *c, mho_rule_stats *stats);
/** See mho_rule.workspace_new. */
mho_err mho__credits_workspace_new(const mho_network *net, int n, void **out, mho_errinfo *ei);
void mho__credits_workspace_free(void *workspace);

/** Credits of sample s that go on growing say nothing: errors of its hidden layers become 0. */
void mho__credits_drop(const mho_credits *c, int s);

#endif
