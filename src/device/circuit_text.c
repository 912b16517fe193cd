/* circuit_text.c - parameters in the circuit text that models write.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "mho/model/device.h"

void mho_device_spice_param(mho_device_spice *s, const char *name, double value) {
  if (s->n == MHO_SPICE_PARAMS)
    return;

  snprintf(s->param[s->n].name, sizeof s->param[s->n].name, "%s", name);
  s->param[s->n++].value = value;
}
