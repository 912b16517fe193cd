/* ideal.h - the parameters of the ideal device, which the crossbar reads.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_IDEAL_H
#define MHO_DEVICE_IDEAL_H

#include "mho/model/device.h"

typedef struct mho_ideal_params {
  bool bounded;
} mho_ideal_params;

#endif
