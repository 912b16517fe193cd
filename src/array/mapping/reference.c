/* reference.c - one device against a reference of its kind, which is written once and then read.
 *
 *   W = w_max (g - g_ref),  g_ref = start, or with device.zero_shift where the SET and RESET steps
 *   of the device are equal
 *
 * A device has half of a pair's range, so w_max is twice what a pair's would be.
 *
 * Source of the zero shift: H. Kim et al., arXiv:1907.10228 (2019).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/mapping/one_device.h"

const mho_mapping mho_mapping_reference = {
    .entry = {.abi = MHO_ABI,
              .id = "reference",
              .title = "one device against a fixed device",
              .equation = "W = w_max (g - g_ref), g_ref = start or the symmetry point; "
                          "up: SET, down: RESET",
              .source = "Kim et al., arXiv:1907.10228 (2019)"},
    .n_banks = 2,
    .bank = {{.name = "pos", .title = "positive", .letter = 'p', .gain = 1},
             {.name = "neg",
              .title = "negative",
              .letter = 'n',
              .gain = -1,
              .kind = MHO_BANK_REFERENCE}},
    .span = 2,
    .targets = one_device_targets,
    .shares = one_device_shares,
    .pulses = one_device_pulses,
    .reach = one_device_reach,
};
