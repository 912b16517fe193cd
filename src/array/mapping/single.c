/* single.c - one device for a weight that is never negative.
 *
 *   W = w_max (g - 0)
 *
 * The current that every device has at g_min is subtracted, by a circuit: it is no device. Weights
 * that are drawn are positive, and those below 0 that are asked for are clipped.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/mapping/one_device.h"

const mho_mapping mho_mapping_single = {
    .entry = {.abi = MHO_ABI,
              .id = "single",
              .title = "one device, for weights of 0 and above",
              .equation = "W = w_max g, 0 at g_min; up: SET, down: RESET"},
    .n_banks = 2,
    .bank = {{.name = "pos", .title = "positive", .letter = 'p', .gain = 1},
             {.name = "neg",
              .title = "negative",
              .letter = 'n',
              .gain = -1,
              .kind = MHO_BANK_CURRENTS,
              .lowest = true}},
    .span = 1,
    .from_bottom = true,
    .positive = true,
    .targets = one_device_targets,
    .shares = one_device_shares,
    .pulses = one_device_pulses,
};
