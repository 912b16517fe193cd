/* phase.h - what the rules share: the samples of a job as a phase that settles or is read.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_PHASE_H
#define MHO_RULE_PHASE_H

#include "mho/rule.h"
#include "settle/links.h"

/* The free phase of a rule's job: state[0], from its own inputs. */
static inline mho_phase mho__rule_phase(const mho_rule_job *job) {
  return (mho_phase){.net = job->net,
                     .dyn = job->dynamics,
                     .s = job->state[0],
                     .row0 = job->sample0,
                     .n = job->n,
                     .drive = {.label = job->label},
                     .thread = job->thread,
                     .probe = job->probe};
}

/* Values of layer l for the samples of the job. */
static inline size_t mho__rule_count(const mho_rule_job *job, int l) {
  return (size_t)job->n * (size_t)job->net->layer[l].n;
}

#endif
