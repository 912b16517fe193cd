/* phase.h - what the rules share: the samples of a lesson as a phase that settles or is read.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_PHASE_H
#define MHO_RULE_PHASE_H

#include "base/streams.h"
#include "mho/model/rule.h"
#include "settle/links.h"

/* The free phase of a rule's lesson: state[0], from its own inputs. */
static inline mho_phase mho__rule_phase(const mho_lesson *lesson) {
  return (mho_phase){.net = lesson->net,
                     .dyn = lesson->dynamics,
                     .s = lesson->state[0],
                     .row0 = lesson->sample0,
                     .n = lesson->n,
                     .drive = {.targets = lesson->targets},
                     .thread = lesson->thread,
                     .probe = lesson->probe};
}

/* The free phase settles and is read out, into `error` (nullable) as mho_read_out says. */
static inline void mho__rule_settle(const mho_lesson *lesson, mho_real *error,
                                    mho_rule_stats *stats) {
  mho_phase free = mho__rule_phase(lesson);
  mho_settle(&free, &stats->free);
  free.thread->step = MHO_STEP_READ_OUT; /* the read-out's own */
  mho_read_out(&free, error, &stats->loss, &stats->correct, &stats->free);
}

/* What Kirchhoff's law leaves of the free phase, and its powers, where there are resistors. */
void mho__rule_balance(const mho_lesson *lesson, mho_settle_stats *stats);

/* mho_rule.predict of rules whose network settles. */
static inline void mho__rule_predict(const mho_lesson *lesson, mho_rule_stats *stats) {
  mho__rule_settle(lesson, NULL, stats);
  if (lesson->dynamics->balance)
    mho__rule_balance(lesson, &stats->free);
}

/* Values of layer l for the samples of the lesson. */
static inline size_t mho__rule_count(const mho_lesson *lesson, int l) {
  return (size_t)lesson->n * (size_t)lesson->net->layer[l].n;
}

#endif
