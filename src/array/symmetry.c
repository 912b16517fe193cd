/* symmetry.c - conductances at which steps up and down are of one size: alternating pulses lead
 * devices there.
 *
 * Steps of SET fall and those of RESET grow with g, so an interval is halved towards that point.
 * Source: H. Kim et al., arXiv:1907.10228 (2019).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "array/weights.h"

/* The search for the conductances of a block where steps up and down are of one size. */
typedef struct bisection {
  float low[MHO_DEVICE_BLOCK], high[MHO_DEVICE_BLOCK]; /* the interval that is halved */
  float up[MHO_DEVICE_BLOCK], down[MHO_DEVICE_BLOCK];  /* mean steps at its middle */
} bisection;

/* Halve the intervals of a block; g: its conductances, which become the middles. */
static void halve(mho_cells *c, size_t first, int n, float *g, bisection *b) {
  float set[MHO_DEVICE_BLOCK], reset[MHO_DEVICE_BLOCK];
  for (int i = 0; i < n; i++) {
    set[i] = 1;
    reset[i] = -1;
    g[i] = 0.5f * (b->low[i] + b->high[i]);
  }

  mho_cells_mean_step(c, first, n, set, b->up);
  mho_cells_mean_step(c, first, n, reset, b->down);

  for (int i = 0; i < n; i++) {
    float excess = b->up[i] + b->down[i], tiny = 1e-5f * (b->up[i] - b->down[i]);
    b->low[i] = excess > tiny ? g[i] : b->low[i];
    b->high[i] = excess < -tiny ? g[i] : b->high[i];
  }
}

void mho__symmetry_points(mho_cells *c, size_t first, int n, float start, float *out) {
  enum { TURNS = 24 };
  bisection b;
  float before[MHO_DEVICE_BLOCK], *g = c->state + first;

  for (int i = 0; i < n; i++) {
    size_t k = c->varied ? first + (size_t)i : 0;
    float inside = 1e-4f * (c->high[k] - c->low[k]); /* at a bound itself a step may be 0 */
    b.low[i] = c->low[k] + inside;
    b.high[i] = c->high[k] - inside;
    before[i] = g[i];
  }

  for (int turn = 0; turn < TURNS; turn++)
    halve(c, first, n, g, &b);

  for (int i = 0; i < n; i++) {
    float excess = b.up[i] + b.down[i], mid = 0.5f * (b.low[i] + b.high[i]);
    bool flat =
        b.low[i] < start && start < b.high[i] && fabsf(excess) <= 1e-5f * (b.up[i] - b.down[i]);
    out[i] = flat ? start : mid; /* steps equal everywhere: any point is one */
    g[i] = before[i];
  }
}

void mho__crossbar_symmetry(const mho_crossbar *x, mho_real *out) {
  size_t n = mho_crossbar_cells(x);
  float at[MHO_DEVICE_BLOCK];
  for (size_t i = 0; i < n; i++)
    out[i] = 0;

  for (int k = 0; k < x->n_banks; k++) {
    double gain = x->w_max * x->role[k].gain;
    for (size_t i = 0; i < n; i += MHO_DEVICE_BLOCK) {
      int m = mho__block_cells(n, i);
      const float *g = x->bank[k]->g + i;
      if (mho_crossbar_writes(x, k)) {
        mho__symmetry_points(x->bank[k], i, m, (float)x->bank[k]->config.start, at);
        g = at;
      }
      for (int j = 0; j < m; j++)
        out[i + (size_t)j] += (mho_real)(gain * (double)g[j]);
    }
  }
}
