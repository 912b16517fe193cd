/* vteam.c - VTEAM: a state that moves only beyond voltage thresholds.
 *
 *   dx/dt = k_set (V/v_th_set - 1)^alpha_set f(x)          V > v_th_set > 0
 *         = -k_reset (V/v_th_reset - 1)^alpha_reset f(x)   V < v_th_reset < 0
 *         = 0                                              between the thresholds
 *
 * x in 0..1, 1 the conducting end (the source counts the other way and names the ends on and off).
 * Resistance as in the source: R linear in x, or R exponential in it; or G linear in x. f a window
 * (none, Joglekar, Biolek); the source's own example takes none but the bounds.
 *
 * Source: S. Kvatinsky et al., IEEE Trans. Circuits Syst. II 62, 786 (2015).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/voltage.h"

#include <stdio.h>

typedef struct vteam {
  mho_voltage_pulse pulse;
  double k_set, k_reset, th_set, th_reset, alpha_set, alpha_reset, p;
  int window, resistance;
} vteam;

enum { R_LINEAR, R_EXPONENTIAL, G_LINEAR };

static const mho_param table[] = {
    MHO_P_REAL(vteam, k_set, "k_set", "", 10, 1e-15, 1e18,
               "rate of SET at twice the threshold, 1/s"),
    MHO_P_REAL(vteam, k_reset, "k_reset", "", 10, 1e-15, 1e18,
               "rate of RESET at twice the threshold, 1/s"),
    MHO_P_REAL(vteam, th_set, "threshold_set", "V", 0.5, 1e-6, 100,
               "voltage above which SET begins"),
    MHO_P_REAL(vteam, th_reset, "threshold_reset", "V", -0.5, -100, -1e-6,
               "voltage below which RESET begins"),
    MHO_P_REAL(vteam, alpha_set, "alpha_set", "", 3, 0.1, 50, "exponent of the overdrive, SET"),
    MHO_P_REAL(vteam, alpha_reset, "alpha_reset", "", 3, 0.1, 50,
               "exponent of the overdrive, RESET"),
    MHO_P_PULSE(vteam, 1, -1, 1e-3),
    MHO_P_CHOICE(vteam, window, "window", MHO_WINDOWS, MHO_WINDOW_BIOLEK,
                 "what keeps the state within 0..1"),
    MHO_P_REAL(vteam, p, "p", "", 1, 0.1, 20, "exponent of the window"),
    MHO_P_CHOICE(vteam, resistance, "resistance", "r_linear|r_exponential|g_linear", G_LINEAR,
                 "resistance linear or exponential in the state, or conductance linear in it"),
    MHO_P_PULSE_NOISE(vteam),
};

enum { UP, DOWN, RATIO, LAW, WINDOW, EXPONENT, NOISE, COLUMNS };

/* g_max/g_min; a conductance that is linear in the state may begin at 0 and does not use it. */
static double ratio(double g_min, double g_max) {
  return g_min > 0 ? g_max / g_min : 1e6;
}

/* Distance that a pulse of v volts would move x where f = 1, signed. */
static double drive_at(const void *params, double v) {
  const vteam *p = params;
  double over = v > 0 ? v / p->th_set : v / p->th_reset;
  if (!(over > 1))
    return 0;
  return v > 0 ? p->k_set * pow(over - 1, p->alpha_set) * p->pulse.width
               : -p->k_reset * pow(over - 1, p->alpha_reset) * p->pulse.width;
}

static double response(const void *params, bool set, double fraction) {
  return mho__voltage_response(params, drive_at, set, fraction);
}

static mho_err check(const void *params, const mho_device_config *d, mho_errinfo *ei) {
  const vteam *p = params;
  if (!(d->g_min > 0) && p->resistance != G_LINEAR)
    return mho_fail(ei, MHO_ECONFIG, "device.g_min: a resistance law needs a conductance above 0");
  return mho__voltage_check(params, drive_at, ei);
}

static void columns(const void *params, const mho_device_draw *d, float *const *col) {
  const vteam *p = params;
  float up = (float)drive_at(p, p->pulse.set_v), down = (float)drive_at(p, p->pulse.reset_v);

  for (int i = 0; i < d->n; i++) {
    col[UP][i] = up * d->up[i];
    col[DOWN][i] = down * d->down[i];
    col[RATIO][i] = (float)ratio(d->g_min, d->g_max);
    col[LAW][i] = (float)p->resistance;
    col[WINDOW][i] = (float)p->window;
    col[EXPONENT][i] = (float)p->p;
    col[NOISE][i] = (float)p->pulse.noise.sigma;
  }
}

static void rate(const mho_voltage *v, int first, const float *x, float *f) {
  mho__window(v->p[0] + first, v->p[1] + first, v->drive + first, x, f);
}

/* Normalized conductance of x under a resistance law, with r = g_max/g_min; in whole vectors, as
 * exp and ln are. */
static void g_of_x(const mho_device_block *b, const float *x, float *g) {
  MHO_VECTOR(e);
  float law = b->col[LAW][0]; /* the same for all cells of a model */

  /* e = r^x */
  mho__load(b->n, b->col[RATIO], e);
  mho__vlog(b->n, e);
  for (int i = 0; i < b->n; i++)
    e[i] *= x[i];
  mho__vexp(b->n, e);

  for (int i = 0; i < b->n; i++) {
    float r = b->col[RATIO][i], linear = (r / (x[i] + r * (1 - x[i])) - 1) / (r - 1);
    g[i] = law == R_LINEAR ? linear : (e[i] - 1) / (r - 1);
  }
}

/* x of the block's g; x is an MHO_VECTOR. */
static void x_of_g(const mho_device_block *b, float *x) {
  MHO_VECTOR(l);
  float q[MHO_DEVICE_BLOCK], law = b->col[LAW][0];

  /* q = G/g_min, x = ln q, l = ln r */
  for (int i = 0; i < b->n; i++)
    x[i] = q[i] = mho__most(1 + (b->col[RATIO][i] - 1) * b->g[i], 1);
  mho__vlog(b->n, x);
  mho__load(b->n, b->col[RATIO], l);
  mho__vlog(b->n, l);

  for (int i = 0; i < b->n; i++) {
    float r = b->col[RATIO][i];
    x[i] = mho__unit(law == R_LINEAR ? (r - r / q[i]) / (r - 1) : x[i] / l[i]);
  }
}

/* A pulse on cells whose conductance is linear in x. */
static void pulse_linear(const mho_device_block *b, mho_voltage *v) {
  for (int i = 0; i < b->n; i++)
    v->x[i] = mho__unit(b->g[i]);
  mho__voltage_integrate(v, rate);
  mho__voltage_answer(b, v->moved, NOISE);
}

/* A pulse on cells with a resistance law: by the conductances of x before and after it. */
static void pulse_resistance(const mho_device_block *b, mho_voltage *v) {
  float before[MHO_DEVICE_BLOCK], after[MHO_DEVICE_BLOCK];
  x_of_g(b, v->x);
  mho__voltage_integrate(v, rate);

  g_of_x(b, v->x, before);
  for (int i = 0; i < b->n; i++)
    v->x[i] = mho__unit(v->x[i] + v->moved[i]);
  g_of_x(b, v->x, after);

  for (int i = 0; i < b->n; i++)
    after[i] -= before[i];
  mho__voltage_answer(b, after, NOISE);
}

static void pulse(const mho_device_block *b) {
  mho_voltage v;
  mho__voltage_load(&v, b, UP, WINDOW, EXPONENT, -1);
  if (b->col[LAW][0] == G_LINEAR)
    pulse_linear(b, &v);
  else
    pulse_resistance(b, &v);
}

static mho_err spice(const void *params, const mho_device_config *config, mho_device_spice *s,
                     mho_errinfo *ei) {
  const vteam *p = params;
  mho_device_spice_param(s, "k_up", p->k_set);
  mho_device_spice_param(s, "k_dn", p->k_reset);
  mho_device_spice_param(s, "v_up", p->th_set);
  mho_device_spice_param(s, "v_dn", p->th_reset);
  mho_device_spice_param(s, "al_up", p->alpha_set);
  mho_device_spice_param(s, "al_dn", p->alpha_reset);
  mho_device_spice_param(s, "pw", p->p);
  mho_device_spice_param(s, "ro", ratio(config->g_min, config->g_max));

  snprintf(s->rate, sizeof s->rate,
           "k_up*pow(max(V(p,n)/v_up-1,0),al_up)*%s-k_dn*pow(max(V(p,n)/v_dn-1,0),al_dn)*%s",
           mho__window_spice(p->window, true), mho__window_spice(p->window, false));
  if (p->resistance == R_LINEAR) {
    mho__voltage_spice_linear_resistance(s);
  } else if (p->resistance == R_EXPONENTIAL) {
    strcpy(s->g_of_x, "(exp(V(x)*ln(ro))-1)/(ro-1)");
    strcpy(s->x_of_g, "ln(1+(ro-1)*V(g))/ln(ro)");
  }

  mho__voltage_spice_pulse(s, &p->pulse);
  return MHO_OK;
}

const mho_device_model mho_device_vteam = {
    .entry = {.abi = MHO_ABI,
              .id = "vteam",
              .title = "VTEAM: motion beyond voltage thresholds",
              .equation = "dx/dt = k (V/v_th - 1)^alpha f(x) beyond the thresholds",
              .source = "Kvatinsky et al., IEEE Trans. Circuits Syst. II 62:786 (2015)",
              .params = MHO_PARAMS(vteam, table)},
    MHO_VOLTAGE_FUNCTIONS,
    .fit = "k_set k_reset p",
    .fit_iv = "k_set k_reset threshold_set threshold_reset alpha_set alpha_reset p",
};
