/* config.c - what every update is told.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/program.h"

static const mho_param update_table[] = {
    MHO_P_REAL(mho_update_config, rate, "rate", "", 1e-3, 0, 1000, "learning rate"),
    MHO_P_CHOICE(
        mho_update_config, layer_rates, "layer_rates", "auto|plain|equal", MHO_LAYER_RATES_AUTO,
        "one rate, or divided by beta_f beta_i^h so that every layer learns; auto: equal with pulses"),
};
const mho_params mho_update_params = MHO_PARAMS(mho_update_config, update_table);
