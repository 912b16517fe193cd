/* topology_check.h - what a topology of any kind needs of the others.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_NETWORK_TOPOLOGY_CHECK_H
#define MHO_NETWORK_TOPOLOGY_CHECK_H

#include "mho/model/check.h"

/** Whether an experiment's topology fits the layers and the observables that are asked for.
 *  MHO_ECONFIG with a sentence as of mho_entry.check. */
mho_err mho__topology_check(const mho_experiment *e, mho_errinfo *ei);

#endif
