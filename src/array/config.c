/* config.c - what every array is told.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/array.h"

static const mho_param array_table[] = {
    MHO_P_REAL(mho_array_config, read_voltage, "read_voltage", "V", 0.2, 1e-6, 100,
               "of a line that is driven by an activity of 1"),
};
const mho_params mho_array_params = MHO_PARAMS(mho_array_config, array_table);
