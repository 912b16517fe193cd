/* offset.c - one device against a fixed current, which is no device: nothing of it is random, and
 * it does not drift.
 *
 *   W = w_max (g - g_0),  g_0 = start, or with device.zero_shift where the SET and RESET steps
 *                         are equal
 *
 * A device has half of a pair's range, so w_max is twice what a pair's would be.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/mapping/one_device.h"

const mho_mapping mho_mapping_offset = {
    .entry = {.abi = MHO_ABI,
              .id = "offset",
              .title = "one device against a fixed current",
              .equation =
                  "W = w_max (g - g_0), g_0 = start or the symmetry point; up: SET, down: RESET"},
    .n_banks = 2,
    .bank = {{.name = "pos", .title = "positive", .letter = 'p', .gain = 1},
             {.name = "neg",
              .title = "negative",
              .letter = 'n',
              .gain = -1,
              .kind = MHO_BANK_CURRENTS}},
    .span = 2,
    .targets = one_device_targets,
    .shares = one_device_shares,
    .pulses = one_device_pulses,
    .reach = one_device_reach,
};
