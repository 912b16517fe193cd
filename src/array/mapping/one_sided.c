/* one_sided.c - a pair of devices that are only SET: one raises the weight, the other lowers it.
 *
 *   W = w_max (g+ - g-)
 *
 * A written weight lies on one device of the pair and the other is at its low end. Pulses go to G+
 * to raise a weight and to G- to lower it, which devices need whose RESET is abrupt, such as phase
 * change memory. Pairs fill up: every device.refresh.every updates those that have a device above
 * device.refresh.above, and none of whose sides is low, are RESET, and their difference is brought
 * back by SET pulses, with a read after each.
 *
 * Source: M. Suri et al., IEDM 2011, 4.4.1; G. Burr et al., IEEE T-ED 62, 3498 (2015).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/groups.h"
#include "array/weights.h"
#include "base/streams.h"

static void targets(const mho_crossbar *x, size_t first, int n, const float *d, bool relative,
                    float *const *g) {
  for (int i = 0; i < n; i++) {
    float v = d[i] + (relative ? g[0][i] - g[1][i] : 0);
    g[0][i] = v > 0 ? v : 0;
    g[1][i] = v < 0 ? -v : 0;
  }
}

static void shares(const mho_crossbar *x, int n, const float *d, float *const *dg) {
  for (int i = 0; i < n; i++) {
    dg[0][i] = d[i] > 0 ? d[i] : 0;
    dg[1][i] = d[i] < 0 ? -d[i] : 0;
  }
}

static void pulses(const mho_crossbar *x, int n, const int16_t *count, int16_t *const *bank) {
  for (int i = 0; i < n; i++) {
    int16_t v = count[i];
    bank[0][i] = v > 0 ? v : 0;
    bank[1][i] = (int16_t)(v < 0 ? -v : 0);
  }
}

/* ---------------------------------------------------------------- refresh */

static bool is_faulty(const mho_cells *c, size_t cell) {
  return c->fault && c->fault[cell];
}

/* Whether a device is near its low end. */
static bool is_low(const mho_cells *c, size_t cell) {
  size_t k = c->varied ? cell : 0;
  return c->state[cell] <= c->low[k] + 0.02f * (c->high[k] - c->low[k]);
}

/* Whether all devices on that side of a pair are so. */
static bool all_are(bool (*so)(const mho_cells *, size_t), const mho_crossbar *x, int bank,
                    size_t cell) {
  int first, devices = mho_crossbar_devices(x, bank, &first);
  for (int d = 0; d < devices; d++)
    if (!so(x->bank[first + d], cell))
      return false;
  return true;
}

/* SET pulses on one bank, one at a time, until its cells are above those of the other by what is
 * wanted (0: leave them low). */
static void climb(mho_crossbar *x, int bank, size_t first, int n, const float *want, uint64_t step,
                  mho_pulse_counts *counts) {
  enum { TRIES = 200 };
  float up[MHO_DEVICE_BLOCK], ones[MHO_DEVICE_BLOCK];
  float own[MHO_DEVICE_BLOCK], other[MHO_DEVICE_BLOCK];

  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    ones[i] = 1;
  mho_crossbar_held(x, 1 - bank, first, n, other);

  for (int turn = 0; turn < TRIES; turn++) {
    int16_t one[MHO_DEVICE_BLOCK];
    int some = 0;
    mho_crossbar_mean_step(x, bank, first, n, ones, up);
    mho_crossbar_held(x, bank, first, n, own);
    for (int i = 0; i < n; i++) {
      float lack = want[i] - (own[i] - other[i]);
      counts->reads += want[i] > 0;
      /* the next pulse must bring it closer, on average */
      bool helps = want[i] > 0 && up[i] > 0 && lack > 0.5f * up[i];
      one[i] = helps && !all_are(is_faulty, x, bank, first + (size_t)i);
      some += one[i];
    }
    if (!some)
      return;
    mho_crossbar_pulse_bank(x, bank, first, n, one, step + (uint64_t)turn, counts);
  }
}

/* RESET pulses on the chosen cells of one bank of devices, one at least, until all are near their
 * low ends. */
static void reset_low(mho_cells *c, size_t first, int n, const int16_t *chosen, uint64_t step,
                      mho_pulse_counts *counts) {
  enum { TRIES = 1000 }; /* one abrupt pulse, or as many as a gradual device needs */
  int16_t one[MHO_DEVICE_BLOCK];

  for (int turn = 0; turn < TRIES; turn++) {
    int some = 0;
    for (int i = 0; i < n; i++) {
      size_t cell = first + (size_t)i;
      bool pulse = chosen[i] && !(turn && is_low(c, cell)) && !is_faulty(c, cell);
      one[i] = pulse ? -1 : 0;
      some += pulse;
    }
    if (!some)
      return;
    mho_cells_pulse(c, first, n, one, step + (uint64_t)turn, counts);
  }
}

/* Whether a device of a cell's is above a conductance. */
static bool is_above(const mho_crossbar *x, size_t cell, float g) {
  for (int k = 0; k < x->n_banks; k++)
    if (mho_crossbar_writes(x, k) && x->bank[k]->g[cell] > g)
      return true;
  return false;
}

/* Whether a pair is full: a RESET of both sides frees something, as neither is low. */
static bool is_full(const mho_crossbar *x, size_t cell, float above) {
  return is_above(x, cell, above) && !all_are(is_low, x, 0, cell) && !all_are(is_low, x, 1, cell);
}

/* The pairs of a block that are full, and how far one side of each must be above the other: p of G+
 * over G-, q of G- over G+. @return how many pairs. */
static int choose(const mho_crossbar *x, size_t first, int n, int16_t *chosen, float *p, float *q) {
  float above = (float)x->bank[0]->config.refresh_above;
  float a[MHO_DEVICE_BLOCK], b[MHO_DEVICE_BLOCK];
  int some = 0;

  mho_crossbar_held(x, 0, first, n, a);
  mho_crossbar_held(x, 1, first, n, b);
  for (int i = 0; i < n; i++) {
    chosen[i] = is_full(x, first + (size_t)i, above);
    p[i] = chosen[i] && a[i] > b[i] ? a[i] - b[i] : 0;
    q[i] = chosen[i] && b[i] > a[i] ? b[i] - a[i] : 0;
    some += chosen[i];
  }
  return some;
}

/* After every refresh.every updates the pairs that ask for it are written anew: all of their
 * devices. */
static void tend(mho_crossbar *x, size_t first, size_t n, uint64_t update,
                 mho_pulse_counts *counts) {
  uint64_t step = mho__step_refresh(update), set = mho__step_refresh_set(step);
  if (update % (uint64_t)x->bank[0]->config.refresh_every)
    return;

  int devices = 0;
  for (int k = 0; k < x->n_banks; k++)
    devices += mho_crossbar_writes(x, k);

  for (size_t i0 = 0; i0 < n; i0 += MHO_DEVICE_BLOCK) {
    int m = mho__block_cells(n, i0);
    size_t at = first + i0;
    float p[MHO_DEVICE_BLOCK], q[MHO_DEVICE_BLOCK];
    int16_t chosen[MHO_DEVICE_BLOCK];
    int some = choose(x, at, m, chosen, p, q);
    counts->reads += devices * some;
    if (!some)
      continue;

    for (int k = 0; k < x->n_banks; k++)
      if (mho_crossbar_writes(x, k))
        reset_low(x->bank[k], at, m, chosen, step, counts);
    climb(x, 0, at, m, p, set, counts);
    climb(x, 1, at, m, q, set, counts);
    for (int i = 0; i < m; i++) {
      if (p[i] > 0)
        mho__group_accept(x, 0, at + (size_t)i, set);
      if (q[i] > 0)
        mho__group_accept(x, 1, at + (size_t)i, set);
    }
    mho_crossbar_refresh(x, at, (size_t)m);
  }
}

const mho_mapping mho_mapping_one_sided = {
    .entry = {.abi = MHO_ABI,
              .id = "one_sided",
              .title = "a pair of devices that are only SET, and written anew when they are full",
              .equation = "W = w_max (g+ - g-); up: SET of G+, down: SET of G-",
              .source = "Suri et al., IEDM 2011, 4.4.1; Burr et al., IEEE T-ED 62:3498 (2015)"},
    .n_banks = 2,
    .bank = {{.name = "pos", .title = "positive", .letter = 'p', .gain = 1},
             {.name = "neg", .title = "negative", .letter = 'n', .gain = -1}},
    .span = 1,
    .from_bottom = true,
    .refreshes = true,
    .many = true,
    .targets = targets,
    .shares = shares,
    .pulses = pulses,
    .tend = tend,
};
