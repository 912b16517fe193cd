/* linear.c - identity: the closed-form test case.
 *
 *   z = a, slope 1
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#define RHO(a)       (a)
#define SCALED(z, d) (d)
#include "neuron/law.h"

/* The activity is the input: nothing needs to be kept. */
static void activate_keep(int n, mho_real *a, mho_real *keep) {}

/* The change of the activity is the change of the input. */
static void difference(int n, mho_real c, const mho_real *z, const mho_real *keep, mho_real *e) {}

const mho_neuron mho_neuron_linear = {
    .entry = {.abi = MHO_ABI,
              .id = "linear",
              .title = "identity: the closed-form test case",
              .equation = "z = a, slope 1"},
    .activate_keep = activate_keep,
    NEURON_LOOPS,
    .low = -INFINITY,
    .high = INFINITY,
    .spice = "@",
};
