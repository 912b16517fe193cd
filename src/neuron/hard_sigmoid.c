/* hard_sigmoid.c - clipped line between 0 and 1.
 *
 *   z = min(max(a, 0), 1), slope 1 inside and 0 outside
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "mho/neuron.h"

static void activate(int n, const mho_real *a, mho_real *z) {
  for (int i = 0; i < n; i++) {
    mho_real v = a[i] > 0 ? a[i] : 0;
    z[i] = v < 1 ? v : 1;
  }
}

static void scale_by_slope(int n, const mho_real *restrict z, mho_real *restrict d) {
  for (int i = 0; i < n; i++)
    d[i] = z[i] > 0 && z[i] < 1 ? d[i] : 0;
}

static void activate_keep(int n, mho_real *a, mho_real *keep) {
  for (int i = 0; i < n; i++)
    keep[i] = a[i];
  activate(n, a, a);
}

/* rho(a + x) - rho(a) by cases, so that nothing cancels: inside, the change itself, up to the edges; outside,
 * only what crosses the edge. */
static void difference(int n, mho_real c, const mho_real *restrict z, const mho_real *restrict a,
                       mho_real *restrict e) {
  if (c == 0) {
    scale_by_slope(n, z, e);
    return;
  }
  for (int i = 0; i < n; i++) {
    mho_real x = -c * e[i], base = a[i] < 0 ? 0 : a[i] > 1 ? 1 : a[i];
    mho_real over = a[i] < 0   ? x + a[i]
                    : a[i] > 1 ? x + (a[i] - 1)
                               : x; /* change beyond the edge it starts at */
    mho_real low = -base, high = 1 - base;
    e[i] = (over < low ? low : over > high ? high : over) / -c;
  }
}

static void activate_double(int n, const double *a, double *z) {
  for (int i = 0; i < n; i++) {
    double v = a[i] > 0 ? a[i] : 0;
    z[i] = v < 1 ? v : 1;
  }
}

static void scale_by_slope_double(int n, const double *restrict z, double *restrict d) {
  for (int i = 0; i < n; i++)
    d[i] = z[i] > 0 && z[i] < 1 ? d[i] : 0;
}

const mho_neuron mho_neuron_hard_sigmoid = {
    .entry = {.abi = MHO_ABI,
              .id = "hard_sigmoid",
              .title = "clipped line between 0 and 1",
              .equation = "z = min(max(a, 0), 1), slope 1 inside and 0 outside",
              .source = "Ernoult et al., NeurIPS 2019"},
    .activate = activate,
    .scale_by_slope = scale_by_slope,
    .activate_keep = activate_keep,
    .difference = difference,
    .activate_double = activate_double,
    .scale_by_slope_double = scale_by_slope_double,
    .low = 0,
    .high = 1,
    .spice = "min(max(@,0),1)",
};
