/* soft_bounds.c - steps that shrink towards the bound: an exponential approach.
 *
 *   SET    dg = +s_up (b+ - g)/(b+ - b-)
 *   RESET  dg = -s_dn (g - b-)/(b+ - b-)
 *
 * b+- are the cell's own bounds, so that spread of the bounds moves where the steps vanish.
 *
 * Source: S. Fusi, L. Abbott, Nature Neuroscience 10, 485 (2007); T. Gokmen, W. Haensch, Frontiers
 * in Neuroscience 14:103 (2020).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/noise.h"

typedef struct soft_bounds {
  mho_cycle_noise noise;
  double step_up, step_down;
} soft_bounds;

static const mho_param table[] = {
    MHO_P_REAL(soft_bounds, step_up, "step_up", "", 2e-3, 1e-7, 1,
               "SET step at the low bound, of the range"),
    MHO_P_REAL(soft_bounds, step_down, "step_down", "", 2e-3, 1e-7, 1,
               "RESET step at the high bound, of the range"),
    MHO_P_CYCLE_NOISE(soft_bounds),
};

enum { UP, DOWN, NOISE_UP, NOISE_DOWN, NOISE_FACTOR, COLUMNS };

static void columns(const void *params, const mho_device_draw *d, float *const *col) {
  const soft_bounds *p = params;
  for (int i = 0; i < d->n; i++) {
    col[UP][i] = (float)p->step_up * d->up[i];
    col[DOWN][i] = (float)p->step_down * d->down[i];
    mho__noise_columns(&p->noise, col[UP][i], col[DOWN][i], i, col + NOISE_UP);
  }
}

static inline void answer(const mho_device_block *b, mho_one_pulse p) {
  /* without noise its columns need not be read */
  if (b->quiet) {
#pragma omp simd
    for (int i = 0; i < p.n; i++) {
      int at = p.first + i;
      float range = mho__cell_range(b, at);
      float up = b->col[UP][at] * (b->high[at] - p.g[i]);
      float down = b->col[DOWN][at] * (p.g[i] - b->low[at]);
      p.out[i] = (p.dir[i] > 0 ? up : -down) / range;
    }
    return;
  }

#pragma omp simd
  for (int i = 0; i < p.n; i++) {
    int at = p.first + i;
    float range = mho__cell_range(b, at);
    float up = b->col[UP][at] * (b->high[at] - p.g[i]) / range;
    float down = b->col[DOWN][at] * (p.g[i] - b->low[at]) / range;
    p.out[i] = mho__noisy_step(b, &p, i, up, down, NOISE_UP);
  }
}

static void pulse(const mho_device_block *b) {
  answer(b, mho__pulse_of(b));
}

static void series(const mho_device_block *b, const mho_device_series *s) {
  mho__in_series(b, s, NULL, answer);
}

static void expand(const mho_device_block *b, mho_device_expansion *out) {
#pragma omp simd
  for (int i = 0; i < b->n; i++) {
    float range = mho__cell_range(b, i), up = b->col[UP][i] / range, down = b->col[DOWN][i] / range;
    out->up[0][i] = up * (b->high[i] - b->g[i]);
    out->up[1][i] = -up;
    out->up[2][i] = 0;
    out->down[0][i] = down * (b->g[i] - b->low[i]);
    out->down[1][i] = down;
    out->down[2][i] = 0;
  }
  mho__expand_noise(b, NOISE_UP, out);
}

static mho_err spice(const void *params, const mho_device_config *config, mho_device_spice *s,
                     mho_errinfo *ei) {
  const soft_bounds *p = params;
  mho_device_spice_param(s, "s_up", p->step_up);
  mho_device_spice_param(s, "s_dn", p->step_down);
  strcpy(s->set, "V(g)+s_up*(1-V(g))");
  strcpy(s->reset, "V(g)-s_dn*V(g)");
  return MHO_OK;
}

const mho_device_model mho_device_soft_bounds = {
    .entry = {.abi = MHO_ABI,
              .id = "soft_bounds",
              .title = "steps that shrink towards the bound",
              .equation = "SET dg = s_up (b+ - g)/(b+ - b-), RESET dg = -s_dn (g - b-)/(b+ - b-)",
              .source = "Fusi & Abbott, Nat. Neurosci. 10:485 (2007); Gokmen & Haensch, Front. "
                        "Neurosci. 14:103 (2020)",
              .params = MHO_PARAMS(soft_bounds, table)},
    .n_columns = COLUMNS,
    .columns = columns,
    .pulse = pulse,
    .series = series,
    .expand = expand,
    .noisy = mho__noise_is_on,
    .spice = spice,
    .fit = "step_up step_down",
    .fit_range = true,
};
