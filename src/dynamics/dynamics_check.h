/* dynamics_check.h - what a dynamics of any kind needs of the others.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DYNAMICS_DYNAMICS_CHECK_H
#define MHO_DYNAMICS_DYNAMICS_CHECK_H

#include "mho/model/check.h"

/** Whether an experiment's dynamics has parameters that go together, and what is asked of it.
 *  MHO_ECONFIG with a sentence as of mho_entry.check. */
mho_err mho__dynamics_check(const mho_experiment *e, mho_errinfo *ei);

/** Of a network of resistors: hooks check and idle of its entry. */
mho_err mho__resistive_check(const mho_experiment *e, mho_errinfo *ei);
const char *mho__resistive_idle(const mho_experiment *e, const char *key);

#endif
