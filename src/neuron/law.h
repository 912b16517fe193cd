/* law.h - the loops over units that follow from a neuron's law, in mho_real and in double.
 *
 * A neuron defines two expressions, of a float or a double, before it includes this file:
 *   RHO(a)        the activity rho(a)
 *   SCALED(z, d)  d rho'(a), given z = rho(a)
 *
 * The members of mho_neuron say what each loop is for; arrays are [n].
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/neuron.h"

#define LEAST(a, b) ((a) < (b) ? (a) : (b))
#define MOST(a, b)  ((a) > (b) ? (a) : (b))

static void activate(int n, const mho_real *a, mho_real *z) {
#pragma omp simd
  for (int i = 0; i < n; i++)
    z[i] = RHO(a[i]);
}

static void activate_double(int n, const double *a, double *z) {
#pragma omp simd
  for (int i = 0; i < n; i++)
    z[i] = RHO(a[i]);
}

static void scale_by_slope(int n, const mho_real *restrict z, mho_real *restrict d) {
  for (int i = 0; i < n; i++)
    d[i] = SCALED(z[i], d[i]);
}

static void scale_by_slope_double(int n, const double *restrict z, double *restrict d) {
  for (int i = 0; i < n; i++)
    d[i] = SCALED(z[i], d[i]);
}

/* activate_keep of the neurons whose difference needs the summed input itself. */
static inline void activate_keep_input(int n, mho_real *a, mho_real *keep) {
  for (int i = 0; i < n; i++)
    keep[i] = a[i];
  activate(n, a, a);
}

/* What every neuron registers: the loops above, and its function `difference`. */
#define NEURON_LOOPS                                                                               \
  .activate = activate, .scale_by_slope = scale_by_slope, .difference = difference,                \
  .activate_double = activate_double, .scale_by_slope_double = scale_by_slope_double
