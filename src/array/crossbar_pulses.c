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

void mho__crossbar_change_column(mho_crossbar *x, size_t first, int n, const int16_t *count,
                                 uint64_t step, mho_pulse_counts *counts) {
  uint32_t cell[MHO_DEVICE_BLOCK];
  for (int i = 0; i < n; i++)
    cell[i] = (uint32_t)first + (uint32_t)(i * x->cols);
  block b;
  divide(x, n, count, &b);
  for (int k = 0; k < x->mapping->n_banks; k++)
    if (mho__mapping_writes(x->mapping, k))
      mho__group_pulse_column(x, k, n, cell, b.count[k], step, counts);
  mho__crossbar_refresh_at(x, n, cell);
}

/* Pulses that one pulse of a weight, up (1) or down (-1), is to every bank of the mapping, 0 where
 * it reaches none; without cells, of all. @return how many banks there are. */
static int one_pulse(const mho_crossbar *x, int16_t way, int16_t *pulse) {
  int16_t *at[MHO_BANKS_MAX];
  for (int k = 0; k < MHO_BANKS_MAX; k++) {
    at[k] = &pulse[k];
    pulse[k] = 0;
  }

  if (!x->mapping)
    return 0;
  x->mapping->pulses(x, 1, &way, at);
  for (int k = 0; k < x->mapping->n_banks; k++)
    pulse[k] = mho__mapping_writes(x->mapping, k) ? pulse[k] : 0;
  return x->mapping->n_banks;
}

static uint64_t ones(int n) {
  return n < 64 ? ((uint64_t)1 << n) - 1 : UINT64_MAX;
}

/* What a series is to a bank to which a pulse up is `up` and one down `down`: 1, 0 or -1. */
static void series_of_bank(const mho_pulse_series *s, int up, int down, mho_pulse_series *own) {
  own->n = s->n;
  for (int i = 0; i < s->n; i++) {
    int rising = __builtin_popcountll(s->up[i]), n = s->count[i];
    own->cell[i] = s->cell[i];
    if (up && down) {
      uint64_t falling = ones(n) & ~s->up[i];
      own->count[i] = s->count[i];
      own->up[i] = (up > 0 ? s->up[i] : 0) | (down > 0 ? falling : 0);
    } else {
      own->count[i] = (uint8_t)(up ? rising : n - rising);
      own->up[i] = up + down > 0 ? ones(own->count[i]) : 0;
    }
  }
}

void mho__crossbar_pulse_series(mho_crossbar *x, const mho_pulse_series *s, uint64_t step,
                                mho_pulse_counts *counts) {
  int16_t up[MHO_BANKS_MAX], down[MHO_BANKS_MAX];
  int banks = one_pulse(x, 1, up);
  one_pulse(x, -1, down);

  for (int k = 0; k < banks; k++) {
    bool as_it_is = up[k] == 1 && down[k] == -1;
    mho_pulse_series own;
    if (!up[k] && !down[k])
      continue;
    if (!as_it_is)
      series_of_bank(s, up[k], down[k], &own);
    mho__group_pulse_series(x, k, as_it_is ? s : &own, step, counts);
  }
}

bool mho__crossbar_likes_rows(const mho_crossbar *x) {
  for (int k = 0; k < x->n_banks; k++)
    if (x->bank[k])
      return mho__cells_like_neighbours(x->bank[k]); /* all devices are alike */
  return false;
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

double mho_crossbar_step(const mho_crossbar *x, double step) {
  int16_t pulse[MHO_BANKS_MAX];
  int banks = one_pulse(x, 1, pulse);
  double sum = 0;
  for (int k = 0; k < banks; k++)
    sum += x->mapping->bank[k].gain * pulse[k];
  return sum * mho__groups_step(x) * step * x->w_max;
}

int mho_crossbar_pulsed(const mho_crossbar *x) {
  int16_t pulse[MHO_BANKS_MAX];
  int banks = one_pulse(x, 1, pulse), n = 0;
  for (int k = 0; k < banks; k++)
    n += pulse[k] != 0;
  return n * mho_crossbar_at_once(x);
}

void mho_crossbar_tend(mho_crossbar *x, size_t first, size_t n, uint64_t update,
                       mho_pulse_counts *counts) {
  if (x->mapping && x->mapping->tend)
    x->mapping->tend(x, first, n, update, counts);
}
