/* three_banks.h - a mapping that is not in the tree: a coarse and a fine device against one
 * reference.
 *
 *   W = w_max (g_c + g_f/4 - 5/4 g_ref)
 *
 * A weight that is written lies on eighths of the range of the coarse device, and the rest of it on
 * the fine one. Pulses reach the fine device alone; when it comes near a bound, its part is carried
 * over to the coarse one.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TEST_THREE_BANKS_H
#define MHO_TEST_THREE_BANKS_H

#include "mho/model/array.h"

enum { COARSE, FINE, FIXED };

static void three_divide(float d, float fixed, float *coarse, float *fine) {
  float whole = roundf(8 * d) / 8;
  *coarse = fixed + whole;
  *fine = fixed + 4 * (d - whole);
}

static float three_sum(const mho_crossbar *x, const float *coarse, const float *fine,
                       const float *fixed) {
  return *coarse + 0.25f * *fine - 1.25f * *fixed;
}

static void three_targets(const mho_crossbar *x, size_t first, int n, const float *d, bool relative,
                          float *const *g) {
  for (int i = 0; i < n; i++) {
    float now = three_sum(x, &g[COARSE][i], &g[FINE][i], &g[FIXED][i]);
    float fine = g[FINE][i] + 4 * d[i];
    if (relative && fine > 0 && fine < 1)
      g[FINE][i] = fine;
    else
      three_divide(d[i] + (relative ? now : 0), g[FIXED][i], &g[COARSE][i], &g[FINE][i]);
  }
}

static void three_shares(const mho_crossbar *x, int n, const float *d, float *const *dg) {
  for (int i = 0; i < n; i++) {
    dg[COARSE][i] = 0;
    dg[FINE][i] = 4 * d[i];
  }
}

static void three_pulses(const mho_crossbar *x, int n, const int16_t *count, int16_t *const *bank) {
  for (int i = 0; i < n; i++) {
    bank[COARSE][i] = 0;
    bank[FINE][i] = count[i];
  }
}

/* Carry the part of one cell over; it costs a read of both devices. */
static void three_carry(mho_crossbar *x, size_t cell, mho_pulse_counts *counts) {
  mho_cells *coarse = x->bank[COARSE], *fine = x->bank[FINE];
  float g[2], d = three_sum(x, &coarse->g[cell], &fine->g[cell], &x->bank[FIXED]->g[cell]);
  three_divide(d, x->bank[FIXED]->g[cell], &g[0], &g[1]);
  mho_cells_set(coarse, cell, 1, &g[0]);
  mho_cells_set(fine, cell, 1, &g[1]);
  counts->reads += 2;
}

static void three_tend(mho_crossbar *x, size_t first, size_t n, uint64_t update,
                       mho_pulse_counts *counts) {
  for (size_t i = first; i < first + n; i++)
    if (x->bank[FINE]->g[i] < 0.05f || x->bank[FINE]->g[i] > 0.95f)
      three_carry(x, i, counts);
  mho_crossbar_refresh(x, first, n);
}

static const mho_mapping mho_mapping_three = {
    .entry = {.abi = MHO_ABI,
              .id = "test_three",
              .title = "a coarse and a fine device against a reference",
              .equation = "W = w_max (g_c + g_f/4 - 5/4 g_ref)"},
    .n_banks = 3,
    .bank = {{.name = "coarse", .title = "coarse", .letter = 'c', .gain = 1},
             {.name = "fine", .title = "fine", .letter = 'h', .gain = 0.25},
             {.name = "fixed",
              .title = "fixed",
              .letter = 'r',
              .gain = -1.25,
              .kind = MHO_BANK_REFERENCE}},
    .span = 2,
    .targets = three_targets,
    .shares = three_shares,
    .pulses = three_pulses,
    .tend = three_tend,
};

#endif
