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

static inline void answer(const mho_device_block *b, mho_one_pulse p) {
  MHO_VECTOR(x);

  /* x = distance to the bound, of the range */
#pragma omp simd
  for (int i = 0; i < p.n; i++) {
    int at = p.first + i;
    float range = mho__cell_range(b, at);
    float distance = p.dir[i] > 0 ? b->high[at] - p.g[i] : p.g[i] - b->low[at];
    x[i] = mho__most(distance / range, 1e-30f);
  }

  /* x <- x^gamma = exp(gamma ln x) */
  mho__vlog(p.n, x);
#pragma omp simd
  for (int i = 0; i < p.n; i++) {
    int at = p.first + i;
    x[i] *= p.dir[i] > 0 ? b->col[GAMMA_UP][at] : b->col[GAMMA_DOWN][at];
  }
  mho__vexp(p.n, x);

#pragma omp simd
  for (int i = 0; i < p.n; i++) {
    int at = p.first + i;
    float step = x[i] * (p.dir[i] > 0 ? b->col[UP][at] : b->col[DOWN][at]);
    p.out[i] = mho__noisy_step(b, &p, i, step, step, NOISE_UP);
  }
}

static void pulse(const mho_device_block *b) {
  answer(b, mho__pulse_of(b));
}

static void series(const mho_device_block *b, const mho_device_series *s) {
  mho__in_series(b, s, NULL, answer);
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
    .series = series,
    .noisy = mho__noise_is_on,
    .spice = spice,
    .fit = "step_up step_down gamma_up gamma_down",
    .fit_range = true,
};
