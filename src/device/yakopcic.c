/* yakopcic.c - Yakopcic's generalized memristor: exponential in the voltage beyond thresholds, and
 * motion that slows down near the ends.
 *
 *   dx/dt = G(V) F(x)
 *   G(V) = a_p (exp(V) - exp(v_p))     V > v_p, in volts
 *        = -a_n (exp(-V) - exp(v_n))   V < -v_n
 *        = 0                           between the thresholds
 *   upwards    F(x) = exp(-alpha_p (x - x_p)) ((x_p - x)/(1 - x_p) + 1)   x >= x_p, else 1
 *   downwards  F(x) = exp(alpha_n (x + x_n - 1)) x/(1 - x_n)              x <= 1 - x_n, else 1
 *
 * Conductance is linear in x from g_min to g_max; the sinh of the source's current is iv.law sinh,
 * iv.b. The source's sign eta is 1: positive voltages SET.
 *
 * Source: C. Yakopcic et al., IEEE Electron Device Letters 32, 1436 (2011).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/voltage.h"

#include <stdio.h>

typedef struct yakopcic {
  mho_voltage_pulse pulse;
  double a_p, a_n, v_p, v_n, alpha_p, alpha_n, x_p, x_n;
} yakopcic;

static const mho_param table[] = {
    MHO_P_REAL(yakopcic, a_p, "a_p", "", 4000, 1e-12, 1e15, "rate of SET, 1/s"),
    MHO_P_REAL(yakopcic, a_n, "a_n", "", 4000, 1e-12, 1e15, "rate of RESET, 1/s"),
    MHO_P_REAL(yakopcic, v_p, "v_p", "V", 0.16, 0, 100, "threshold of SET"),
    MHO_P_REAL(yakopcic, v_n, "v_n", "V", 0.15, 0, 100, "threshold of RESET, its magnitude"),
    MHO_P_REAL(yakopcic, alpha_p, "alpha_p", "", 1, 0, 50, "how SET slows down beyond x_p"),
    MHO_P_REAL(yakopcic, alpha_n, "alpha_n", "", 5, 0, 50, "how RESET slows down below 1 - x_n"),
    MHO_P_REAL(yakopcic, x_p, "x_p", "", 0.3, 0, 0.99, "state from which SET slows down"),
    MHO_P_REAL(yakopcic, x_n, "x_n", "", 0.5, 0, 0.99, "RESET slows down below 1 - x_n"),
    MHO_P_PULSE(yakopcic, 0.45, -0.45, 2e-6),
    MHO_P_PULSE_NOISE(yakopcic),
};

enum { UP, DOWN, ALPHA_P, ALPHA_N, X_P, X_N, NOISE, COLUMNS };

/* Distance that a pulse of v volts would move x where F = 1, signed. */
static double drive_at(const void *params, double v) {
  const yakopcic *p = params;
  return v > 0 ? p->a_p * fmax(exp(v) - exp(p->v_p), 0) * p->pulse.width
               : -p->a_n * fmax(exp(-v) - exp(p->v_n), 0) * p->pulse.width;
}

static double response(const void *params, bool set, double fraction) {
  return mho__voltage_response(params, drive_at, set, fraction);
}

static mho_err check(const void *params, const mho_device_config *d, mho_errinfo *ei) {
  return mho__voltage_check(params, drive_at, ei);
}

static void columns(const void *params, const mho_device_draw *d, float *const *col) {
  const yakopcic *p = params;
  float up = (float)drive_at(p, p->pulse.set_v), down = (float)drive_at(p, p->pulse.reset_v);

  for (int i = 0; i < d->n; i++) {
    col[UP][i] = up * d->up[i];
    col[DOWN][i] = down * d->down[i];
    col[ALPHA_P][i] = (float)p->alpha_p;
    col[ALPHA_N][i] = (float)p->alpha_n;
    col[X_P][i] = (float)p->x_p;
    col[X_N][i] = (float)p->x_n;
    col[NOISE][i] = (float)p->pulse.noise.sigma;
  }
}

/* RESET is SET seen from the other end: with y = 1 - x it slows down from y = x_n in the same
 * way. */
static void rate(const mho_voltage *v, int first, const float *x, float *f) {
  const float *alpha = v->p[0] + first, *from = v->p[1] + first, *drive = v->drive + first;
  float rest[MHO_LANES];

  for (int i = 0; i < MHO_LANES; i++) {
    float y = drive[i] > 0 ? x[i] : 1 - x[i], beyond = mho__most(y - from[i], 0);
    f[i] = -alpha[i] * beyond;
    rest[i] = 1 - beyond / (1 - from[i]);
  }
  mho_exp_lanes(f);
  for (int i = 0; i < MHO_LANES; i++)
    f[i] *= rest[i];
}

static void pulse(const mho_device_block *b) {
  mho_voltage v;
  mho__voltage_load(&v, b, UP, ALPHA_P, X_P, -1);
  for (int i = 0; i < b->n; i++) {
    bool set = b->dir[i] > 0;
    v.x[i] = mho__unit(b->g[i]);
    v.p[0][i] = set ? b->col[ALPHA_P][i] : b->col[ALPHA_N][i];
    v.p[1][i] = set ? b->col[X_P][i] : b->col[X_N][i];
  }

  mho__pad(b->n, v.p[0]);
  mho__pad(b->n, v.p[1]);

  mho__voltage_integrate(&v, rate);
  mho__voltage_answer(b, v.moved, NOISE);
}

static mho_err spice(const void *params, const mho_device_config *config, mho_device_spice *s,
                     mho_errinfo *ei) {
  const yakopcic *p = params;
  mho_device_spice_param(s, "a_up", p->a_p);
  mho_device_spice_param(s, "a_dn", p->a_n);
  mho_device_spice_param(s, "v_up", p->v_p);
  mho_device_spice_param(s, "v_dn", p->v_n);
  mho_device_spice_param(s, "al_up", p->alpha_p);
  mho_device_spice_param(s, "al_dn", p->alpha_n);
  mho_device_spice_param(s, "x_up", p->x_p);
  mho_device_spice_param(s, "x_dn", p->x_n);

  snprintf(s->rate, sizeof s->rate,
           "a_up*max(exp(V(p,n))-exp(v_up),0)"
           "*exp(-al_up*max(V(x)-x_up,0))*(1-max(V(x)-x_up,0)/(1-x_up))"
           "-a_dn*max(exp(-V(p,n))-exp(v_dn),0)"
           "*exp(-al_dn*max(1-V(x)-x_dn,0))*(1-max(1-V(x)-x_dn,0)/(1-x_dn))");
  mho__voltage_spice_pulse(s, &p->pulse);
  return MHO_OK;
}

const mho_device_model mho_device_yakopcic = {
    .entry = {.abi = MHO_ABI,
              .id = "yakopcic",
              .title = "Yakopcic's memristor: exponential beyond thresholds, slower near the ends",
              .equation = "dx/dt = a (exp(V) - exp(v_p)) F(x) beyond the thresholds",
              .source = "Yakopcic et al., IEEE Electron Device Lett. 32:1436 (2011)",
              .params = MHO_PARAMS(yakopcic, table)},
    MHO_VOLTAGE_FUNCTIONS,
    .fit = "a_p a_n alpha_p alpha_n",
    .fit_iv = "a_p a_n v_p v_n alpha_p alpha_n",
};
