/* hard_sigmoid.c - clipped line between 0 and 1.
 *
 *   z = min(max(a, 0), 1), slope 1 inside and 0 outside
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#define RHO(a)       LEAST(MOST(a, 0), 1)
#define SCALED(z, d) ((z) > 0 && (z) < 1 ? (d) : 0)
#include "neuron/law.h"

static inline mho_real clip(mho_real v, mho_real low, mho_real high) {
  if (v < low)
    return low;
  return v > high ? high : v;
}

/* Change x of the summed input a beyond the edge where it starts. */
static inline mho_real beyond_edge(mho_real a, mho_real x) {
  if (a < 0)
    return x + a;
  return a > 1 ? x + (a - 1) : x;
}

/* rho(a + x) - rho(a) by cases, so that nothing cancels: inside, the change itself, up to the
 * edges; outside, only what crosses the edge. */
static void difference(int n, mho_real c, const mho_real *restrict z, const mho_real *restrict a,
                       mho_real *restrict e) {
  if (c == 0) {
    scale_by_slope(n, z, e);
    return;
  }

  for (int i = 0; i < n; i++) {
    mho_real base = clip(a[i], 0, 1), change = beyond_edge(a[i], -c * e[i]);
    e[i] = clip(change, -base, 1 - base) / -c;
  }
}

const mho_neuron mho_neuron_hard_sigmoid = {
    .entry = {.abi = MHO_ABI,
              .id = "hard_sigmoid",
              .title = "clipped line between 0 and 1",
              .equation = "z = min(max(a, 0), 1), slope 1 inside and 0 outside",
              .source = "Ernoult et al., NeurIPS 2019"},
    .activate_keep = activate_keep_input,
    NEURON_LOOPS,
    .low = 0,
    .high = 1,
    .spice = "min(max(@,0),1)",
};
