/* relu.c - rectifier, a diode.
 *
 *   z = max(a, 0), slope 1 where z > 0
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "mho/neuron.h"

static void activate(int n, const mho_real *a, mho_real *z) {
  for (int i = 0; i < n; i++)
    z[i] = a[i] > 0 ? a[i] : 0;
}

static void scale_by_slope(int n, const mho_real *restrict z, mho_real *restrict d) {
  for (int i = 0; i < n; i++)
    d[i] = z[i] > 0 ? d[i] : 0;
}

static void activate_keep(int n, mho_real *a, mho_real *keep) {
  for (int i = 0; i < n; i++)
    keep[i] = a[i];
  activate(n, a, a);
}

/* rho(a + x) - rho(a) by cases, so that nothing cancels. */
static void difference(int n, mho_real c, const mho_real *restrict z, const mho_real *restrict a,
                       mho_real *restrict e) {
  if (c == 0) {
    scale_by_slope(n, z, e);
    return;
  }
  for (int i = 0; i < n; i++) {
    mho_real x = -c * e[i], over = a[i] > 0 ? x : x + a[i], low = a[i] > 0 ? -a[i] : 0;
    e[i] = (over < low ? low : over) / -c;
  }
}

static void activate_double(int n, const double *a, double *z) {
  for (int i = 0; i < n; i++)
    z[i] = a[i] > 0 ? a[i] : 0;
}

static void scale_by_slope_double(int n, const double *restrict z, double *restrict d) {
  for (int i = 0; i < n; i++)
    d[i] = z[i] > 0 ? d[i] : 0;
}

const mho_neuron mho_neuron_relu = {
    .entry = {.abi = MHO_ABI,
              .id = "relu",
              .title = "rectifier, a diode",
              .equation = "z = max(a, 0), slope 1 where z > 0",
              .source = "Nair & Hinton, ICML 2010"},
    .activate = activate,
    .scale_by_slope = scale_by_slope,
    .activate_keep = activate_keep,
    .difference = difference,
    .activate_double = activate_double,
    .scale_by_slope_double = scale_by_slope_double,
    .low = 0,
    .high = INFINITY,
    .spice = "max(@,0)",
};
