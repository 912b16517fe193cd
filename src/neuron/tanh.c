/* tanh.c - hyperbolic tangent, the neuron of the layered FRE-RNN.
 *
 *   z = tanh(a), rho' = 1 - z^2
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/vmath.h"
#include "mho/neuron.h"

static void activate(int n, const mho_real *a, mho_real *z) {
#pragma omp simd
  for (int i = 0; i < n; i++)
    z[i] = real_tanh(a[i]);
}

static void scale_by_slope(int n, const mho_real *restrict z, mho_real *restrict d) {
  for (int i = 0; i < n; i++)
    d[i] *= 1 - z[i] * z[i];
}

const mho_neuron mho_neuron_tanh = {
    .entry = {.abi = MHO_ABI,
              .id = "tanh",
              .title = "hyperbolic tangent",
              .equation = "z = tanh(a)",
              .source = "Liu & Chen, arXiv 2508.11659"},
    .activate = activate,
    .scale_by_slope = scale_by_slope,
    .low = -1,
    .high = 1,
};
