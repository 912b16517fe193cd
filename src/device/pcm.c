/* pcm.c - phase change memory: SET pulses crystallize step by step and saturate, RESET melts at
 * once.
 *
 *   SET    dg = s max(1 - A exp(-k (g - b-)/(b+ - b-)), 0) + (sigma |dg| + sigma_0 + sigma_1 g) xi
 *   RESET  g <- g_r + sigma_r xi, whatever it was
 *
 * g normalized, b+- the cell's own bounds. A is negative: the first steps are the largest.
 * Depression needs a mapping that SETs the other device of a pair and RESETs both now and then.
 * Drift and 1/f noise: drift.law pcm, read_noise.law pcm; the error of a verified write:
 * write_error.
 *
 * Source: S. R. Nandakumar et al., Journal of Applied Physics 124, 152135 (2018), Frontiers in
 * Neuroscience 14:406 (2020), in the form that IBM's analog hardware kit fits to it (PCMPreset,
 * ExpStepDevice).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/noise.h"

typedef struct pcm {
  double step, a, k, c2c, noise_add, noise_slope, reset, reset_noise;
} pcm;

static const mho_param table[] = {
    MHO_P_REAL(pcm, step, "step_up", "", 5e-3, 1e-7, 1, "unit of the SET step, of the range"),
    MHO_P_REAL(pcm, a, "a_up", "", -27, -1e4, 1,
               "weight A of the exponential: the first step is s (1 - A)"),
    MHO_P_REAL(pcm, k, "k", "", 5, 0, 100, "fall of the step from bound to bound, exp(-k)"),
    MHO_P_REAL(pcm, c2c, "cycle_to_cycle", "", 0, 0, 100,
               "noise of a SET pulse, relative to its step"),
    MHO_P_REAL(pcm, noise_add, "noise_add", "", 0, 0, 1, "noise of a SET pulse, of the range"),
    MHO_P_REAL(
        pcm, noise_slope, "noise_slope", "", 0, 0, 1,
        "noise of a SET pulse that grows with the conductance, of the range at the high bound"),
    MHO_P_REAL(pcm, reset, "reset", "", 5e-3, 0, 1,
               "conductance that RESET leads to, of the range"),
    MHO_P_REAL(pcm, reset_noise, "reset_noise", "", 0, 0, 1,
               "noise of a RESET pulse, of the range"),
};

enum { UP, SCALE, K, MULTIPLICATIVE, ADD, SLOPE, RESET, RESET_NOISE, COLUMNS };

static void columns(const void *params, const mho_device_draw *d, float *const *col) {
  const pcm *p = params;
  for (int i = 0; i < d->n; i++) {
    col[UP][i] = (float)p->step * d->up[i];
    col[SCALE][i] = (float)p->a;
    col[K][i] = (float)p->k;
    col[MULTIPLICATIVE][i] = (float)p->c2c;
    col[ADD][i] = (float)p->noise_add;
    col[SLOPE][i] = (float)p->noise_slope;
    col[RESET][i] = (float)p->reset;
    col[RESET_NOISE][i] = (float)p->reset_noise;
  }
}

static bool noisy(const void *params) {
  const pcm *p = params;
  return p->c2c > 0 || p->noise_add > 0 || p->noise_slope > 0 || p->reset_noise > 0;
}

static void pulse(const mho_device_block *b) {
  MHO_VECTOR(e);

  /* e = exp(-k (g - b-)/(b+ - b-)) */
#pragma omp simd
  for (int i = 0; i < b->n; i++)
    e[i] = mho__least(-b->col[K][i] * (b->g[i] - b->low[i]) / mho__cell_range(b, i), 60);
  mho__vexp(b->n, e);

#pragma omp simd
  for (int i = 0; i < b->n; i++) {
    float step = b->col[UP][i] * mho__most(1 - b->col[SCALE][i] * e[i], 0);
    float slope = b->col[SLOPE][i] * mho__most(b->g[i], 0);
    float sigma = b->col[MULTIPLICATIVE][i] * step + b->col[ADD][i] + slope;
    float set = step + sigma * b->xi[i];
    float reset = b->col[RESET][i] + b->col[RESET_NOISE][i] * b->xi[i] - b->g[i];
    b->out[i] = b->dir[i] > 0 ? set : reset;
  }
}

static mho_err spice(const void *params, const mho_device_config *config, mho_device_spice *s,
                     mho_errinfo *ei) {
  const pcm *p = params;
  mho_device_spice_param(s, "s_up", p->step);
  mho_device_spice_param(s, "a_up", p->a);
  mho_device_spice_param(s, "k_up", p->k);
  mho_device_spice_param(s, "r", p->reset);
  strcpy(s->set, "V(g)+s_up*max(1-a_up*exp(-k_up*V(g)),0)");
  strcpy(s->reset, "r");
  return MHO_OK;
}

const mho_device_model mho_device_pcm = {
    .entry =
        {.abi = MHO_ABI,
         .id = "pcm",
         .title = "phase change memory: saturating SET steps, abrupt RESET",
         .equation = "SET dg = s max(1 - A exp(-k g), 0), RESET g = reset",
         .source =
             "Nandakumar et al., J. Appl. Phys. 124:152135 (2018), Front. Neurosci. 14:406 (2020)",
         .params = MHO_PARAMS(pcm, table)},
    .one_way = true,
    .n_columns = COLUMNS,
    .columns = columns,
    .pulse = pulse,
    .noisy = noisy,
    .spice = spice,
    .fit = "step_up a_up k reset",
};
