/* mean_steps.c - the mean response of cells to a pulse, at their states and in general.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/block.h"

void mho_cells_mean_step(const mho_cells *c, size_t first, int n, const float *dir, float *out) {
  mho_device_block b;
  mho__block_in_place(c, first, n, dir, out, &b);
  c->model->pulse(&b);

  for (int i = 0; i < n; i++) {
    bool at_bound = dir[i] > 0 ? b.g[i] >= b.high[i] : b.g[i] <= b.low[i];
    out[i] = at_bound ? 0 : out[i];
  }
}

void mho_cells_mean_state(const mho_cells *c, size_t first, int n, const float *dir, float *out) {
  mho_device_block b;
  mho__block_in_place(c, first, n, dir, out, &b);
  c->model->pulse(&b);

  for (int i = 0; i < n; i++)
    out[i] = clipped(b.g[i] + out[i], b.low[i], b.high[i]);
}

/* Mean steps of n cells in one direction. */
static void all_steps(const mho_cells *c, float direction, float *out) {
  float dir[MHO_DEVICE_BLOCK];
  int n = (int)c->n;
  for (int i = 0; i < n; i++)
    dir[i] = direction;
  mho_cells_mean_step(c, 0, n, dir, out);
}

double mho_device_nominal_step(const mho_device_model *model, const void *params,
                               const mho_device_config *config) {
  enum { POINTS = 21 }; /* states over the range, for one-way models */
  if (!model->pulse)
    return 0;

  mho_device_config plain = mho_device_mean(config);
  mho_cells *c;
  if (mho_cells_new(model, params, &plain, POINTS, (mho_rng){0}, (mho_rng){0}, &c, NULL))
    return 0;

  float up[POINTS], down[POINTS];
  for (int i = 0; i < POINTS; i++)
    c->state[i] = model->one_way ? ((float)i + 0.5f) / POINTS : 0.5f;
  all_steps(c, 1, up);
  all_steps(c, -1, down);
  mho_cells_free(c);
  if (!model->one_way)
    return 0.5 * (double)(up[0] - down[0]);

  /* their steps depend on the state most */
  double sum = 0;
  for (int i = 0; i < POINTS; i++)
    sum += (double)up[i];
  return sum / POINTS;
}
