/* tanh.c - hyperbolic tangent, the neuron of the layered FRE-RNN.
 *
 *   z = tanh(a), rho' = 1 - z^2
 *
 * The difference: with t = tanh(dh), tanh(a + dh) - tanh(a) = t (1 - z^2)/(1 + z t), in full
 * relative precision when 1 - z^2 is taken as 4 q/(1 + q)^2, q = exp(-2|a|). That is what is kept;
 * z = (1 - q)/(1 + q) comes from the same q.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/vmath.h"

#define RHO(a)       _Generic((a), float : tanhf, double : tanh)(a)
#define SCALED(z, d) ((d) * (1 - (z) * (z)))
#include "neuron/law.h"

static void activate_keep(int n, mho_real *restrict a, mho_real *restrict keep) {
#pragma omp simd
  for (int i = 0; i < n; i++) {
    mho_real q = real_exp(-2 * real_abs(a[i])), r = 1 / (1 + q);
    mho_real z = (1 - q) * r;
    keep[i] = 4 * q * r * r;
    a[i] = a[i] < 0 ? -z : z;
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

  mho_real inverse = 1 / c;
#pragma omp simd
  for (int i = 0; i < n; i++) {
    mho_real t = real_tanh(c * e[i]);
    e[i] = t * inverse * keep[i] / (1 - z[i] * t);
  }
}

const mho_neuron mho_neuron_tanh = {
    .entry = {.abi = MHO_ABI,
              .id = "tanh",
              .title = "hyperbolic tangent",
              .equation = "z = tanh(a)",
              .source = "Liu & Chen, arXiv 2508.11659"},
    .activate_keep = activate_keep,
    NEURON_LOOPS,
    .low = -1,
    .high = 1,
    .spice = "tanh(@)",
};
