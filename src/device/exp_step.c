/* exp_step.c - bounded steps with an exponential dependence on the state, of separate shape for SET
 * and RESET.
 *
 *   z = 2 a (g - c)/(b+ - b-) + b,  b+- the cell's own bounds, c the conductance of weight zero
 *   SET    dg = +s_up max(1 - A_up exp(+gamma_up z), 0)
 *   RESET  dg = -s_dn max(1 - A_dn exp(-gamma_dn z), 0)
 *
 * with multiplicative or additive noise. A negative A adds to the step where its exponential is
 * large.
 *
 * Source: N. Gong et al., Nature Communications 9:2102 (2018); in this form ExpStepDevice of IBM's
 * analog hardware kit, w = (g - c) (w_max - w_min).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/noise.h"

typedef struct exp_step {
  mho_cycle_noise noise;
  double step_up, step_down, a_up, a_down, gamma_up, gamma_down, a, b, center;
} exp_step;

static const mho_param table[] = {
    MHO_P_REAL(exp_step, step_up, "step_up", "", 1e-3, 1e-7, 1,
               "unit of the SET step, of the range"),
    MHO_P_REAL(exp_step, step_down, "step_down", "", 1e-3, 1e-7, 1,
               "unit of the RESET step, of the range"),
    MHO_P_REAL(exp_step, a_up, "a_up", "", -1, -1e4, 1e4, "weight A of the exponential of SET"),
    MHO_P_REAL(exp_step, a_down, "a_down", "", -1, -1e4, 1e4,
               "weight A of the exponential of RESET"),
    MHO_P_REAL(exp_step, gamma_up, "gamma_up", "", 2, 0, 50, "rate of the exponential of SET"),
    MHO_P_REAL(exp_step, gamma_down, "gamma_down", "", 2, 0, 50,
               "rate of the exponential of RESET"),
    MHO_P_REAL(exp_step, a, "a", "", -0.5, -10, 10, "scale of the state in z"),
    MHO_P_REAL(exp_step, b, "b", "", -0.5, -10, 10, "shift of z"),
    MHO_P_REAL(exp_step, center, "center", "", 0.5, 0, 1, "where z = b, of the range"),
    MHO_P_CYCLE_NOISE(exp_step),
};

/* Columns; the exponential is A exp(K (g - CENTER)/(b+ - b-)). */
enum { UP, DOWN, A_UP, A_DOWN, K_UP, K_DOWN, CENTER, NOISE_UP, NOISE_DOWN, NOISE_FACTOR, COLUMNS };

static void columns(const void *params, const mho_device_draw *d, float *const *col) {
  const exp_step *p = params;
  for (int i = 0; i < d->n; i++) {
    col[UP][i] = (float)p->step_up * d->up[i];
    col[DOWN][i] = (float)p->step_down * d->down[i];
    col[A_UP][i] = (float)(p->a_up * exp(p->gamma_up * p->b));
    col[A_DOWN][i] = (float)(p->a_down * exp(-p->gamma_down * p->b));
    col[K_UP][i] = (float)(2 * p->a * p->gamma_up);
    col[K_DOWN][i] = (float)(-2 * p->a * p->gamma_down);
    col[CENTER][i] = (float)p->center;
    mho__noise_columns(&p->noise, col[UP][i], col[DOWN][i], i, col + NOISE_UP);
  }
}

/* One over the ranges of n cells, which quotients of all their pulses share. */
static void find_inverse(const mho_device_block *b, int n, float *inverse) {
#pragma omp simd
  for (int i = 0; i < n; i++)
    inverse[i] = 1 / mho__cell_range(b, i);
}

/* p.known: one over the ranges. */
static inline void answer(const mho_device_block *b, mho_one_pulse p) {
  MHO_VECTOR(e);

  /* e = exp(+-gamma z); beyond e^60 a cell of next to no range jumps from bound to bound anyway.
   * Both ways are looked up, so that the choice is vector code. */
#pragma omp simd
  for (int i = 0; i < p.n; i++) {
    int at = p.first + i;
    float part = (p.g[i] - b->col[CENTER][at]) * p.known[i];
    float k_up = b->col[K_UP][at], k_down = b->col[K_DOWN][at];
    e[i] = mho__least((p.dir[i] > 0 ? k_up : k_down) * part, 60);
  }
  mho__vexp_of(p.n, e);

#pragma omp simd
  for (int i = 0; i < p.n; i++) {
    int at = p.first + i;
    float up = b->col[UP][at] * mho__most(1 - b->col[A_UP][at] * e[i], 0);
    float down = b->col[DOWN][at] * mho__most(1 - b->col[A_DOWN][at] * e[i], 0);
    p.out[i] = mho__noisy_step(b, &p, i, up, down, NOISE_UP);
  }
}

static void pulse(const mho_device_block *b) {
  MHO_VECTOR(inverse);
  mho_one_pulse p = mho__pulse_of(b);
  find_inverse(b, b->n, inverse);
  p.known = inverse;
  answer(b, p);
}

static void series(const mho_device_block *b, const mho_device_series *s) {
  MHO_VECTOR(inverse);
  find_inverse(b, mho__padded(s->left[0]), inverse);
  mho__in_series(b, s, inverse, answer);
}

/* Where a step has come down to 0 its slope goes on below it, so that the expansion is seen not to
 * hold. */
static void expand(const mho_device_block *b, mho_device_expansion *out) {
  MHO_VECTOR(e_up);
  MHO_VECTOR(e_down);
  MHO_VECTOR(inverse);
  int n = b->n;
  find_inverse(b, n, inverse);

#pragma omp simd
  for (int i = 0; i < n; i++) {
    float part = (b->g[i] - b->col[CENTER][i]) * inverse[i];
    e_up[i] = mho__least(b->col[K_UP][i] * part, 60);
    e_down[i] = mho__least(b->col[K_DOWN][i] * part, 60);
  }
  mho__vexp_of(n, e_up);
  mho__vexp_of(n, e_down);

#pragma omp simd
  for (int i = 0; i < n; i++) {
    float k_up = b->col[K_UP][i] * inverse[i], k_down = b->col[K_DOWN][i] * inverse[i];
    float up = -b->col[A_UP][i] * e_up[i], down = -b->col[A_DOWN][i] * e_down[i];
    out->up[0][i] = b->col[UP][i] * mho__most(1 + up, 0);
    out->up[1][i] = b->col[UP][i] * up * k_up;
    out->up[2][i] = b->col[UP][i] * up * k_up * k_up;
    out->down[0][i] = b->col[DOWN][i] * mho__most(1 + down, 0);
    out->down[1][i] = b->col[DOWN][i] * down * k_down;
    out->down[2][i] = b->col[DOWN][i] * down * k_down * k_down;
  }
  mho__expand_noise(b, NOISE_UP, out);
}

static mho_err spice(const void *params, const mho_device_config *config, mho_device_spice *s,
                     mho_errinfo *ei) {
  const exp_step *p = params;
  mho_device_spice_param(s, "s_up", p->step_up);
  mho_device_spice_param(s, "s_dn", p->step_down);
  mho_device_spice_param(s, "a_up", p->a_up * exp(p->gamma_up * p->b));
  mho_device_spice_param(s, "a_dn", p->a_down * exp(-p->gamma_down * p->b));
  mho_device_spice_param(s, "k_up", 2 * p->a * p->gamma_up);
  mho_device_spice_param(s, "k_dn", -2 * p->a * p->gamma_down);
  mho_device_spice_param(s, "c", p->center);
  strcpy(s->set, "V(g)+s_up*max(1-a_up*exp(k_up*(V(g)-c)),0)");
  strcpy(s->reset, "V(g)-s_dn*max(1-a_dn*exp(k_dn*(V(g)-c)),0)");
  return MHO_OK;
}

const mho_device_model mho_device_exp_step = {
    .entry =
        {.abi = MHO_ABI,
         .id = "exp_step",
         .title = "steps exponential in the state",
         .equation =
             "SET dg = s max(1 - A exp(gamma z), 0), RESET dg = -s max(1 - A exp(-gamma z), 0), "
             "z = 2 a (g - c)/(b+ - b-) + b",
         .source = "Gong et al., Nat. Commun. 9:2102 (2018)",
         .params = MHO_PARAMS(exp_step, table)},
    .n_columns = COLUMNS,
    .columns = columns,
    .pulse = pulse,
    .series = series,
    .expand = expand,
    .noisy = mho__noise_is_on,
    .spice = spice,
    .fit = "step_up step_down a_up a_down gamma_up gamma_down",
    .fit_form = "a=0.5 b=0",
};
