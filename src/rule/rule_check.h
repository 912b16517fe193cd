/* rule_check.h - what a rule of any kind needs of the others.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_RULE_CHECK_H
#define MHO_RULE_RULE_CHECK_H

#include "mho/model/check.h"

/** Whether an experiment's rule can run its dynamics and apply its changes when it is asked to.
 *  MHO_ECONFIG with a sentence as of mho_entry.check. */
mho_err mho__rule_check(const mho_experiment *e, mho_errinfo *ei);
/** When changes are applied: see mho_experiment_applies. */
mho_apply mho__rule_applies(const mho_experiment *e);

#endif
