/* mapping_check.h - what a mapping of any kind needs of the others.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_MAPPING_CHECK_H
#define MHO_ARRAY_MAPPING_CHECK_H

#include "mho/model/check.h"

/** Whether the cells of an experiment's mapping may be as many devices as device.cells says, and
 *  can be written as it says. MHO_ECONFIG with a sentence as of mho_entry.check. */
mho_err mho__mapping_check(const mho_experiment *e, mho_errinfo *ei);

#endif
