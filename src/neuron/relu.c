/* relu.c - rectifier, a diode.
 *
 *   z = max(a, 0), slope 1 where z > 0
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#define RHO(a)       MOST(a, 0)
#define SCALED(z, d) ((z) > 0 ? (d) : 0)
#include "neuron/law.h"

/* rho(a + x) - rho(a) by cases, so that nothing cancels. */
static void difference(int n, mho_real c, const mho_real *restrict z, const mho_real *restrict a,
                       mho_real *restrict e) {
  if (c == 0) {
    scale_by_slope(n, z, e);
    return;
  }

  for (int i = 0; i < n; i++) {
    mho_real x = -c * e[i];
    mho_real change = a[i] > 0 ? x : x + a[i]; /* beyond the edge where it starts */
    mho_real low = a[i] > 0 ? -a[i] : 0;
    e[i] = (change < low ? low : change) / -c;
  }
}

const mho_neuron mho_neuron_relu = {
    .entry = {.abi = MHO_ABI,
              .id = "relu",
              .title = "rectifier, a diode",
              .equation = "z = max(a, 0), slope 1 where z > 0",
              .source = "Nair & Hinton, ICML 2010"},
    .activate_keep = activate_keep_input,
    NEURON_LOOPS,
    .low = 0,
    .high = INFINITY,
    .spice = "max(@,0)",
};
