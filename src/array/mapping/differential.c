/* differential.c - a pair of devices of which each takes half of a weight, in opposite directions.
 *
 *   W = w_max (g+ - g-),  g+ = start + W/(2 w_max),  g- = start - W/(2 w_max)
 *
 * Pulses SET one device of the pair and RESET the other.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "mho/model/array.h"

static void targets(const mho_crossbar *x, size_t first, int n, const float *d, bool relative,
                    float *const *g) {
  float start = (float)x->bank[0]->config.start;
  for (int i = 0; i < n; i++) {
    g[0][i] = (relative ? g[0][i] : start) + 0.5f * d[i];
    g[1][i] = (relative ? g[1][i] : start) - 0.5f * d[i];
  }
}

static void shares(const mho_crossbar *x, int n, const float *d, float *const *dg) {
  for (int i = 0; i < n; i++) {
    dg[0][i] = 0.5f * d[i];
    dg[1][i] = -0.5f * d[i];
  }
}

static void pulses(const mho_crossbar *x, int n, const int16_t *count, int16_t *const *bank) {
  for (int i = 0; i < n; i++) {
    bank[0][i] = count[i];
    bank[1][i] = (int16_t)-count[i];
  }
}

/* Devices that start near a bound have less way to go in one direction. */
static double reach(const mho_crossbar *x) {
  double start = x->bank[0]->config.start;
  return 2 * fmin(start, 1 - start);
}

const mho_mapping mho_mapping_differential = {
    .entry = {.abi = MHO_ABI,
              .id = "differential",
              .title = "a pair of devices, of which each takes half of a weight",
              .equation = "W = w_max (g+ - g-); up: SET of G+ and RESET of G-"},
    .n_banks = 2,
    .bank = {{.name = "pos", .title = "positive", .letter = 'p', .gain = 1},
             {.name = "neg", .title = "negative", .letter = 'n', .gain = -1}},
    .span = 1,
    .rests = true,
    .targets = targets,
    .shares = shares,
    .pulses = pulses,
    .reach = reach,
};
