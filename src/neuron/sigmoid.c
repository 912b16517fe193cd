/* sigmoid.c - logistic function, the neuron of many networks that other programs have trained.
 *
 *   z = 1/(1 + exp(-a)), rho' = z (1 - z)
 *
 * The difference: z = (1 + y)/2 with y = tanh(a/2), so that with t = tanh(dh/2) it is
 * 2 t rho'/(1 + y t), in full relative precision when rho' is taken as q/(1 + q)^2, q = exp(-|a|).
 * That is what is kept; z = 1/(1 + q), or q/(1 + q) below 0, comes from the same q.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/vmath.h"

#define RHO(a)       (1 / (1 + _Generic((a), float : expf, double : exp)(-(a))))
#define SCALED(z, d) ((d) * (z) * (1 - (z)))
#include "neuron/law.h"

static void activate_keep(int n, mho_real *restrict a, mho_real *restrict keep) {
#pragma omp simd
  for (int i = 0; i < n; i++) {
    mho_real q = real_exp(-real_abs(a[i])), r = 1 / (1 + q);
    keep[i] = q * r * r;
    a[i] = a[i] < 0 ? q * r : r;
  }
}

static void difference(int n, mho_real c, const mho_real *restrict z, const mho_real *restrict keep,
                       mho_real *restrict e) {
  /* here the limit is exact to rounding, and 1/c would overflow */
  if (real_abs(c) < (mho_real)1e-20) {
    for (int i = 0; i < n; i++)
      e[i] *= keep[i];
    return;
  }

  mho_real inverse = 2 / c;
#pragma omp simd
  for (int i = 0; i < n; i++) {
    mho_real t = real_tanh(c * e[i] / 2), y = 2 * z[i] - 1;
    e[i] = t * inverse * keep[i] / (1 - y * t);
  }
}

const mho_neuron mho_neuron_sigmoid = {
    .entry = {.abi = MHO_ABI,
              .id = "sigmoid",
              .title = "logistic function",
              .equation = "z = 1/(1 + exp(-a))",
              .source = "Rumelhart, Hinton & Williams, Nature 323:533 (1986)"},
    .activate_keep = activate_keep,
    NEURON_LOOPS,
    .low = 0,
    .high = 1,
    .spice = "(0.5+0.5*tanh(0.5*@))",
};
