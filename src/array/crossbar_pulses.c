/* crossbar_pulses.c - programming with pulses: changes of weights as pulses on banks.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/groups.h"
#include "array/weights.h"
#include "base/streams.h"

/* Pulses on the banks of a block, whose weights are not refreshed. */
static void pulse_banks(mho_crossbar *x, size_t first, int n, int16_t *const *bank, uint64_t step,
                        mho_pulse_counts *counts) {
  for (int k = 0; k < x->mapping->n_banks; k++)
    if (mho__mapping_writes(x->mapping, k))
      mho_crossbar_pulse_bank(x, k, first, n, bank[k], step, counts);
}

void mho_crossbar_pulse(mho_crossbar *x, size_t first, int n, int16_t *const *bank, uint64_t step,
                        mho_pulse_counts *counts) {
  pulse_banks(x, first, n, bank, step, counts);
  mho_crossbar_refresh(x, first, (size_t)n);
}

/* Pulses on a block, one array a bank. */
typedef struct block {
  int16_t of[MHO_BANKS_MAX][MHO_DEVICE_BLOCK];
  int16_t *count[MHO_BANKS_MAX];
} block;

/* What changes of weights are to the banks. */
static void divide(const mho_crossbar *x, int n, const int16_t *count, block *b) {
  for (int k = 0; k < MHO_BANKS_MAX; k++)
    b->count[k] = b->of[k];
  x->mapping->pulses(x, n, count, b->count);
}

void mho_crossbar_change(mho_crossbar *x, size_t first, int n, const int16_t *count, uint64_t step,
                         mho_pulse_counts *counts) {
  block b;
  divide(x, n, count, &b);
  mho_crossbar_pulse(x, first, n, b.count, step, counts);
}

void mho__crossbar_change_some(mho_crossbar *x, size_t first, int n, const int16_t *count,
                               uint64_t step, mho_pulse_counts *counts) {
  block b;
  divide(x, n, count, &b);
  pulse_banks(x, first, n, b.count, step, counts);
}

void mho_crossbar_change_at(mho_crossbar *x, int n, const uint32_t *cell, const int16_t *count,
                            uint64_t step, mho_pulse_counts *counts) {
  block b;
  divide(x, n, count, &b);
  for (int k = 0; k < x->mapping->n_banks; k++)
    if (mho__mapping_writes(x->mapping, k))
      mho__group_pulse_at(x, k, n, cell, b.count[k], step, counts);
}

void mho_crossbar_shares(const mho_crossbar *x, int n, const mho_real *dw, float *const *dg) {
  float unit = (float)(1 / x->w_max), d[MHO_DEVICE_BLOCK];
  for (int i = 0; i < n; i++)
    d[i] = unit * (float)dw[i];
  x->mapping->shares(x, n, d, dg);
}

void mho_crossbar_verified(mho_crossbar *x, size_t first, int n, const mho_real *dw,
                           uint64_t step) {
  float share[MHO_BANKS_MAX][MHO_DEVICE_BLOCK], *of[MHO_BANKS_MAX];
  if (!mho_device_has_write_error(&x->bank[0]->config))
    return;

  for (int k = 0; k < MHO_BANKS_MAX; k++)
    of[k] = share[k];
  mho_crossbar_shares(x, n, dw, of);

  for (int k = 0; k < x->mapping->n_banks; k++)
    for (int i = 0; i < n; i++)
      if (mho__mapping_writes(x->mapping, k) && share[k][i] != 0)
        mho__group_accept(x, k, first + (size_t)i, step);
  mho_crossbar_refresh(x, first, (size_t)n);
}

/* Pulses that one pulse up of a weight is to every bank of the mapping, 0 where it reaches none;
 * without cells, of all. @return how many banks there are. */
static int pulse_up(const mho_crossbar *x, int16_t *pulse) {
  int16_t up = 1, *at[MHO_BANKS_MAX];
  for (int k = 0; k < MHO_BANKS_MAX; k++) {
    at[k] = &pulse[k];
    pulse[k] = 0;
  }

  if (!x->mapping)
    return 0;
  x->mapping->pulses(x, 1, &up, at);
  for (int k = 0; k < x->mapping->n_banks; k++)
    pulse[k] = mho__mapping_writes(x->mapping, k) ? pulse[k] : 0;
  return x->mapping->n_banks;
}

double mho_crossbar_step(const mho_crossbar *x, double step) {
  int16_t pulse[MHO_BANKS_MAX];
  int banks = pulse_up(x, pulse);
  double sum = 0;
  for (int k = 0; k < banks; k++)
    sum += x->mapping->bank[k].gain * pulse[k];
  return sum * mho__groups_step(x) * step * x->w_max;
}

int mho_crossbar_pulsed(const mho_crossbar *x) {
  int16_t pulse[MHO_BANKS_MAX];
  int banks = pulse_up(x, pulse), n = 0;
  for (int k = 0; k < banks; k++)
    n += pulse[k] != 0;
  return n * mho_crossbar_at_once(x);
}

void mho_crossbar_tend(mho_crossbar *x, size_t first, size_t n, uint64_t update,
                       mho_pulse_counts *counts) {
  if (x->mapping && x->mapping->tend)
    x->mapping->tend(x, first, n, update, counts);
}
