/* settler_check.h - what a settler of any kind needs of the others.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_SETTLER_CHECK_H
#define MHO_SETTLE_SETTLER_CHECK_H

#include "mho/model/check.h"

/** Whether an experiment's settler has parameters that go together, and can run its dynamics and
 *  the difference that is asked for. MHO_ECONFIG with a sentence as of mho_entry.check. */
mho_err mho__settler_check(const mho_experiment *e, mho_errinfo *ei);
/** Why the difference cannot be settled itself, as the end of a sentence; NULL: it can. */
const char *mho__settler_subtracts(const mho_experiment *e);

#endif
