/* array_check.h - what an array model of any kind needs of the others.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_ARRAY_CHECK_H
#define MHO_ARRAY_ARRAY_CHECK_H

#include "mho/model/check.h"

/** Whether an experiment's array model has parameters that go together, and fits the network.
 *  MHO_ECONFIG with a sentence as of mho_entry.check. */
mho_err mho__array_check(const mho_experiment *e, mho_errinfo *ei);

#endif
