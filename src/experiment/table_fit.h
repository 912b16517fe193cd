/* table_fit.h - what fits to tables share with the command.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXPERIMENT_TABLE_FIT_H
#define MHO_EXPERIMENT_TABLE_FIT_H

#include <jansson.h>

#include "mho/model/device.h"

/** A of one unit of current ("mA"); NULL: 1. @return MHO_OK; MHO_EINVAL for what is no unit of
 *  it. */
mho_err mho__ampere_unit(const char *unit, double *out, mho_errinfo *ei);
/** A parameter as JSON; without an interval where the data do not determine it. */
json_t *mho__fit_value_json(const mho_fit_value *v);

#endif
