/* pow_step.c - steps that fall with a power of the distance to the bound.
 *
 *   SET    dg = +s_up ((b+ - g)/(b+ - b-))^gamma_up
 *   RESET  dg = -s_dn ((g - b-)/(b+ - b-))^gamma_down
 *
 * b+- the cell's own bounds; exponent 0 is the constant step, 1 soft bounds.
 *
 * Source: J. Frascaroli et al., Scientific Reports 8:7178 (2018).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/noise.h"

typedef struct pow_step {
  mho_cycle_noise noise;
  double step_up, step_down, gamma_up, gamma_down;
} pow_step;

static const mho_param table[] = {
    MHO_P_REAL(pow_step, step_up, "step_up", "", 1e-2, 1e-7, 1,
               "SET step at the low bound, of the range"),
    MHO_P_REAL(pow_step, step_down, "step_down", "", 1e-2, 1e-7, 1,
               "RESET step at the high bound, of the range"),
    MHO_P_REAL(pow_step, gamma_up, "gamma_up", "", 1.5, 0, 20, "exponent of SET"),
    MHO_P_REAL(pow_step, gamma_down, "gamma_down", "", 1.5, 0, 20, "exponent of RESET"),
    MHO_P_CYCLE_NOISE(pow_step),
};

enum { UP, DOWN, GAMMA_UP, GAMMA_DOWN, NOISE_UP, NOISE_DOWN, NOISE_FACTOR, COLUMNS };

static void columns(const void *params, const mho_device_draw *d, float *const *col) {
  const pow_step *p = params;
  for (int i = 0; i < d->n; i++) {
    col[UP][i] = (float)p->step_up * d->up[i];
    col[DOWN][i] = (float)p->step_down * d->down[i];
    col[GAMMA_UP][i] = (float)p->gamma_up;
    col[GAMMA_DOWN][i] = (float)p->gamma_down;
    mho__noise_columns(&p->noise, col[UP][i], col[DOWN][i], i, col + NOISE_UP);
  }
}

static void pulse(const mho_device_block *b) {
  MHO_VECTOR(x);

  /* x = distance to the bound, of the range */
#pragma omp simd
  for (int i = 0; i < b->n; i++) {
    float range = mho__cell_range(b, i);
    x[i] = mho__most((b->dir[i] > 0 ? b->high[i] - b->g[i] : b->g[i] - b->low[i]) / range, 1e-30f);
  }

  /* x <- x^gamma = exp(gamma ln x) */
  mho__vlog(b->n, x);
#pragma omp simd
  for (int i = 0; i < b->n; i++)
    x[i] *= b->dir[i] > 0 ? b->col[GAMMA_UP][i] : b->col[GAMMA_DOWN][i];
  mho__vexp(b->n, x);

#pragma omp simd
  for (int i = 0; i < b->n; i++) {
    float step = x[i] * (b->dir[i] > 0 ? b->col[UP][i] : b->col[DOWN][i]);
    b->out[i] = mho__noisy_step(b, i, step, step, NOISE_UP);
  }
}

static mho_err spice(const void *params, const mho_device_config *config, mho_device_spice *s,
                     mho_errinfo *ei) {
  const pow_step *p = params;
  mho_device_spice_param(s, "s_up", p->step_up);
  mho_device_spice_param(s, "s_dn", p->step_down);
  mho_device_spice_param(s, "p_up", p->gamma_up);
  mho_device_spice_param(s, "p_dn", p->gamma_down);
  strcpy(s->set, "V(g)+s_up*pow(max(1-V(g),1e-30),p_up)");
  strcpy(s->reset, "V(g)-s_dn*pow(max(V(g),1e-30),p_dn)");
  return MHO_OK;
}

const mho_device_model mho_device_pow_step = {
    .entry = {.abi = MHO_ABI,
              .id = "pow_step",
              .title = "steps that fall with a power of the distance to the bound",
              .equation = "SET dg = s (1 - g)^gamma_up, RESET dg = -s g^gamma_down",
              .source = "Frascaroli et al., Sci. Rep. 8:7178 (2018)",
              .params = MHO_PARAMS(pow_step, table)},
    .n_columns = COLUMNS,
    .columns = columns,
    .pulse = pulse,
    .noisy = mho__noise_is_on,
    .spice = spice,
    .fit = "step_up step_down gamma_up gamma_down",
    .fit_range = true,
};
