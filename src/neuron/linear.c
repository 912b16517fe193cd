/* linear.c - identity: the closed-form test case.
 *
 *   z = a, slope 1
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "mho/neuron.h"

static void activate(int n, const mho_real *a, mho_real *z) {
  if (z != a)
    for (int i = 0; i < n; i++)
      z[i] = a[i];
}

static void scale_by_slope(int n, const mho_real *restrict z, mho_real *restrict d) {
  (void)n, (void)z, (void)d; /* slope 1 */
}

static void activate_keep(int n, mho_real *a, mho_real *keep) {
  (void)n, (void)a, (void)keep;
}

static void difference(int n, mho_real c, const mho_real *z, const mho_real *keep, mho_real *e) {
  (void)n, (void)c, (void)z, (void)keep, (void)e; /* the answer is the input */
}

static void activate_double(int n, const double *a, double *z) {
  if (z != a)
    for (int i = 0; i < n; i++)
      z[i] = a[i];
}

static void scale_by_slope_double(int n, const double *z, double *d) {
  (void)n, (void)z, (void)d; /* slope 1 */
}

const mho_neuron mho_neuron_linear = {
    .entry = {.abi = MHO_ABI,
              .id = "linear",
              .title = "identity: the closed-form test case",
              .equation = "z = a, slope 1"},
    .activate = activate,
    .scale_by_slope = scale_by_slope,
    .activate_keep = activate_keep,
    .difference = difference,
    .activate_double = activate_double,
    .scale_by_slope_double = scale_by_slope_double,
    .low = -INFINITY,
    .high = INFINITY,
    .spice = "@",
};
