/* ideal.c - takes any change that is asked of it: the reference that every non-ideality is measured
 * against.
 *
 * With it a connection is a plain floating-point matrix. `bounded` keeps weights within +-w_max, as
 * a pair of devices would.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/ideal.h"

#include "mho/model/check.h"

static const mho_param table[] = {
    MHO_P_BOOL(mho_ideal_params, bounded, "bounded", 0, "keep weights within +-w_max",
               .idle = mho_idle_never),
};

const mho_device_model mho_device_ideal = {
    .entry = {.abi = MHO_ABI,
              .id = "ideal",
              .title = "any requested change, a plain floating-point matrix",
              .equation = "dg = as asked",
              .params = MHO_PARAMS(mho_ideal_params, table)},
};
