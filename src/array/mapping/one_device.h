/* one_device.h - what mappings of one device against something fixed have in common.
 *
 *   W = w_max (g - g_0),  g = g_0 + W/w_max
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_MAPPING_ONE_DEVICE_H
#define MHO_ARRAY_MAPPING_ONE_DEVICE_H

#include <math.h>

#include "mho/model/array.h"

static void one_device_targets(const mho_crossbar *x, size_t first, int n, const float *d,
                               bool relative, float *const *g) {
  for (int i = 0; i < n; i++)
    g[0][i] = (relative ? g[0][i] : g[1][i]) + d[i];
}

static void one_device_shares(const mho_crossbar *x, int n, const float *d, float *const *dg) {
  for (int i = 0; i < n; i++)
    dg[0][i] = d[i];
}

static void one_device_pulses(const mho_crossbar *x, int n, const int16_t *count,
                              int16_t *const *bank) {
  for (int i = 0; i < n; i++)
    bank[0][i] = count[i];
}

/* Of what is fixed near a bound the device has less way to go in one direction. */
static inline double one_device_reach(const mho_crossbar *x) {
  size_t n = mho_crossbar_cells(x);
  double room = 0;
  for (size_t i = 0; i < n; i++) {
    float fixed;
    mho_crossbar_held(x, 1, i, 1, &fixed);
    room += fmax(fmin((double)fixed, 1 - (double)fixed), 0);
  }
  return 2 * room / (double)n;
}

#endif
