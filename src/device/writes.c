/* writes.c - conductances written to cells: exactly, or by verified writes with their error.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/cells.h"

/* A write that ends at v, which lies within the bounds at k. */
static void put(mho_cells *c, size_t cell, size_t k, float v) {
  c->state[cell] = c->g[cell] = mho__cells_level(c, k, v);
  if (c->rest)
    c->rest[cell] = 0;
}

/* The same of neighbours of which none fails, forgets or has levels. */
static int put_plain(mho_cells *c, size_t first, int n, const float *g) {
  const float *low = c->low + bounds_at(c, first), *high = c->high + bounds_at(c, first);
  float *state = c->state + first, *shown = c->g + first;
  int beyond = 0;
#pragma omp simd reduction(+ : beyond)
  for (int i = 0; i < n; i++) {
    float target = within(g[i], low[i], high[i]);
    beyond += target != g[i];
    state[i] = target;
    shown[i] = target;
  }
  return beyond;
}

int mho_cells_set(mho_cells *c, size_t first, int n, const float *g) {
  bool is_plain = !c->fault && !c->rest && c->config.levels < 2;
  if (is_plain)
    return put_plain(c, first, n, g);

  int beyond = 0;
  for (int i = 0; i < n; i++) {
    size_t cell = first + (size_t)i, k = bounds_at(c, first) + (size_t)i;
    float target = within(g[i], c->low[k], c->high[k]);
    beyond += target != g[i];
    if (!is_faulty(c, cell))
      put(c, cell, k, target);
  }
  return beyond;
}

int mho_cells_write(mho_cells *c, size_t first, int n, const float *g, bool again, uint64_t step) {
  if (!mho_device_has_write_error(&c->config))
    return mho_cells_set(c, first, n, g);

  mho_rng rng = mho__stream_write(c->noise);
  float xi[MHO_DEVICE_BLOCK];
  int beyond = 0;
  mho_rng_normal(rng, step, first, (size_t)n, xi);
  for (int i = 0; i < n; i++) {
    size_t cell = first + (size_t)i, k = bounds_at(c, first) + (size_t)i;
    float target = within(g[i], c->low[k], c->high[k]);
    beyond += target != g[i];
    if (is_faulty(c, cell) || (!again && c->g[cell] == target))
      continue;

    float error = (float)mho_device_write_error(&c->config, (double)target) * xi[i];
    put(c, cell, k, within(target + error, c->low[k], c->high[k]));
  }
  return beyond;
}
