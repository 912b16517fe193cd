/* crossbar_pulses.c - programming with pulses: changes of weights as pulses on both banks.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/crossbar_impl.h"
#include "base/streams.h"

void mho_crossbar_pulse(mho_crossbar *x, size_t first, int n, const int16_t *pos,
                        const int16_t *neg, uint64_t step, mho_pulse_counts *counts) {
  mho_cells_pulse(x->pos, first, n, pos, step, counts);
  if (!mho__crossbar_has_reference(x))
    mho_cells_pulse(x->neg, first, n, neg, step, counts);
  mho_crossbar_refresh(x, first, (size_t)n);
}

/* What a loop of pulses and reads has brought a cell to is what its write aimed at. */
static void write_again(mho_cells *c, size_t cell, uint64_t step) {
  float accepted = c->g[cell];
  if (mho_device_has_write_error(&c->config))
    mho_cells_write(c, cell, 1, &accepted, true, step);
}

/* What changes of weights are to the banks; pos may be where count is. */
static void split(int mapping, int n, const int16_t *count, int16_t *pos, int16_t *neg) {
  if (mapping == MHO_MAPPING_ONE_SIDED) {
    for (int i = 0; i < n; i++) {
      int16_t v = count[i];
      pos[i] = v > 0 ? v : 0;
      neg[i] = (int16_t)(v < 0 ? -v : 0);
    }
  } else {
    for (int i = 0; i < n; i++) {
      pos[i] = count[i];
      neg[i] = (int16_t)-count[i];
    }
  }
}

void mho_crossbar_change(mho_crossbar *x, size_t first, int n, const int16_t *count, uint64_t step,
                         mho_pulse_counts *counts) {
  int16_t pos[MHO_DEVICE_BLOCK], neg[MHO_DEVICE_BLOCK];
  split(x->mapping, n, count, pos, neg);
  mho_crossbar_pulse(x, first, n, pos, neg, step, counts);
}

void mho_crossbar_change_at(mho_crossbar *x, int n, const uint32_t *cell, const int16_t *count,
                            uint64_t step, mho_pulse_counts *counts) {
  int16_t pos[MHO_DEVICE_BLOCK], neg[MHO_DEVICE_BLOCK];
  split(x->mapping, n, count, pos, neg);
  mho_cells_pulse_at(x->pos, n, cell, pos, step, counts);
  if (!mho__crossbar_has_reference(x))
    mho_cells_pulse_at(x->neg, n, cell, neg, step, counts);
}

void mho_crossbar_shares(const mho_crossbar *x, int bank, int n, const mho_real *dw, float *dg) {
  float unit = (float)(1 / x->w_max), sign = bank ? -1 : 1;
  for (int i = 0; i < n; i++) {
    float d = sign * unit * (float)dw[i];
    switch (x->mapping) {
    case MHO_MAPPING_DIFFERENTIAL:
      dg[i] = 0.5f * d;
      break;
    case MHO_MAPPING_ONE_SIDED:
      dg[i] = d > 0 ? d : 0;
      break;
    default: /* nothing of a reference */
      dg[i] = bank ? 0 : d;
    }
  }
}

void mho_crossbar_verified(mho_crossbar *x, size_t first, int n, const mho_real *dw,
                           uint64_t step) {
  if (!mho_device_has_write_error(&x->pos->config))
    return;

  for (int k = 0; k < 2; k++) {
    mho_cells *c = k ? x->neg : x->pos;
    float share[MHO_DEVICE_BLOCK];
    mho_crossbar_shares(x, k, n, dw, share);
    for (int i = 0; i < n; i++)
      if (share[i] != 0)
        write_again(c, first + (size_t)i, step);
  }
  mho_crossbar_refresh(x, first, (size_t)n);
}

double mho_crossbar_step(const mho_crossbar *x, double step) {
  return (x->mapping == MHO_MAPPING_DIFFERENTIAL ? 2 : 1) * step * x->w_max;
}

/* ---------------------------------------------------------------- one-sided pairs */

static bool is_faulty(const mho_cells *c, size_t cell) {
  return c->fault && c->fault[cell];
}

/* SET pulses on one bank, one at a time, until its cells are above those of the other by what is
 * wanted (0: leave them low). */
static void climb(mho_cells *c, const mho_cells *other, size_t first, int n, const float *want,
                  uint64_t step, mho_pulse_counts *counts) {
  enum { TRIES = 200 };
  float up[MHO_DEVICE_BLOCK], ones[MHO_DEVICE_BLOCK];

  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    ones[i] = 1;

  for (int turn = 0; turn < TRIES; turn++) {
    int16_t one[MHO_DEVICE_BLOCK];
    int some = 0;
    mho_cells_mean_step(c, first, n, ones, up);
    for (int i = 0; i < n; i++) {
      size_t cell = first + (size_t)i;
      float lack = want[i] - (c->g[cell] - other->g[cell]);
      counts->reads += want[i] > 0;
      /* the next pulse must bring it closer, on average */
      one[i] = want[i] > 0 && up[i] > 0 && lack > 0.5f * up[i] && !is_faulty(c, cell);
      some += one[i];
    }
    if (!some)
      return;
    mho_cells_pulse(c, first, n, one, step + (uint64_t)turn, counts);
  }
}

/* RESET pulses on the chosen cells of one bank, one at least, until all are near their low ends. */
static void reset_low(mho_cells *c, size_t first, int n, const int16_t *chosen, uint64_t step,
                      mho_pulse_counts *counts) {
  enum { TRIES = 1000 }; /* one abrupt pulse, or as many as a gradual device needs */
  int16_t one[MHO_DEVICE_BLOCK];

  for (int turn = 0; turn < TRIES; turn++) {
    int some = 0;
    for (int i = 0; i < n; i++) {
      size_t cell = first + (size_t)i, k = c->varied ? cell : 0;
      bool down = c->state[cell] <= c->low[k] + 0.02f * (c->high[k] - c->low[k]);
      bool pulse = chosen[i] && !(turn && down) && !is_faulty(c, cell);
      one[i] = pulse ? -1 : 0;
      some += pulse;
    }
    if (!some)
      return;
    mho_cells_pulse(c, first, n, one, step + (uint64_t)turn, counts);
  }
}

/* The pairs of a block that have a device above refresh_above, and how far one device of each must
 * be above the other: p of G+ over G-, q of G- over G+. @return how many pairs. */
static int choose(const mho_crossbar *x, size_t first, int n, int16_t *chosen, float *p, float *q) {
  float above = (float)x->refresh_above;
  int some = 0;

  for (int i = 0; i < n; i++) {
    float a = x->pos->g[first + (size_t)i], b = x->neg->g[first + (size_t)i];
    chosen[i] = a > above || b > above;
    p[i] = chosen[i] && a > b ? a - b : 0;
    q[i] = chosen[i] && b > a ? b - a : 0;
    some += chosen[i];
  }
  return some;
}

void mho_crossbar_restore(mho_crossbar *x, size_t first, size_t n, uint64_t step,
                          mho_pulse_counts *counts) {
  for (size_t i0 = 0; i0 < n; i0 += MHO_DEVICE_BLOCK) {
    int m = mho__block_cells(n, i0);
    size_t at = first + i0;
    float p[MHO_DEVICE_BLOCK], q[MHO_DEVICE_BLOCK];
    int16_t chosen[MHO_DEVICE_BLOCK];
    int some = choose(x, at, m, chosen, p, q);
    counts->reads += 2 * some;
    if (!some)
      continue;

    reset_low(x->pos, at, m, chosen, step, counts);
    reset_low(x->neg, at, m, chosen, step, counts);
    climb(x->pos, x->neg, at, m, p, mho__step_refresh_set(step), counts);
    climb(x->neg, x->pos, at, m, q, mho__step_refresh_set(step), counts);
    for (int i = 0; i < m; i++) {
      if (p[i] > 0)
        write_again(x->pos, at + (size_t)i, mho__step_refresh_set(step));
      if (q[i] > 0)
        write_again(x->neg, at + (size_t)i, mho__step_refresh_set(step));
    }
    mho_crossbar_refresh(x, at, (size_t)m);
  }
}
