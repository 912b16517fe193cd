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

/* Of the block's g, with r = g_max/g_min: q = G/g_min, l = ln r, and x under a resistance law. In
 * whole vectors, as ln is. */
static void x_of_g(const mho_device_block *b, float *q, float *l, float *x) {
  for (int i = 0; i < b->n; i++)
    x[i] = q[i] = mho__most(1 + (b->col[RATIO][i] - 1) * b->g[i], 1);
  mho__vlog(b->n, x);
  mho__load(b->n, b->col[RATIO], l);
  mho__vlog(b->n, l);

  for (int i = 0; i < b->n; i++) {
    float r = b->col[RATIO][i], linear = (r - r / q[i]) / (r - 1);
    x[i] = mho__unit(b->col[LAW][i] == R_LINEAR ? linear : x[i] / l[i]);
  }
}

/* By how much g grows where x does by dx, from q = G/g_min and r, if R is linear in x: with
 * u = R g_max = r/q it falls by (r - 1) dx, and g = (r/u - 1)/(r - 1) grows by r dx/(u u'). */
static inline float growth_linear(float q, float r, float dx) {
  float u = r / q, end = mho__most(u - (r - 1) * dx, 1);
  return r * dx / (u * end);
}

/* e^y - 1 by e = e^y, or, where that has lost its digits, by its series. */
static inline float exp_less_one(float y, float e) {
  float series = y * (1 + y / 2 * (1 + y / 3 * (1 + y / 4 * (1 + y / 5))));
  return fabsf(y) < 0.1f ? series : e - 1;
}

/* A pulse on cells whose conductance is linear in x. */
static void pulse_linear(const mho_device_block *b, mho_voltage *v) {
  for (int i = 0; i < b->n; i++)
    v->x[i] = mho__unit(b->g[i]);
  mho__voltage_integrate(v, rate);
  mho__voltage_answer(b, v->moved, NOISE);
}

/* A pulse on cells with a resistance law. Conductances before and after it would be a small
 * difference of large numbers. */
static void pulse_resistance(const mho_device_block *b, mho_voltage *v) {
  MHO_VECTOR(l);
  MHO_VECTOR(e);
  float q[MHO_DEVICE_BLOCK], step[MHO_DEVICE_BLOCK];
  x_of_g(b, q, l, v->x);
  mho__voltage_integrate(v, rate);

  /* x ends at its bounds; if R is exponential in it, q grows by e^(l dx) */
  for (int i = 0; i < b->n; i++) {
    v->moved[i] = mho__least(mho__most(v->moved[i], -v->x[i]), 1 - v->x[i]);
    e[i] = l[i] * v->moved[i];
  }
  mho__vexp(b->n, e);

  for (int i = 0; i < b->n; i++) {
    float r = b->col[RATIO][i], dx = v->moved[i];
    float exponential = q[i] * exp_less_one(l[i] * dx, e[i]) / (r - 1);
    step[i] = b->col[LAW][i] == R_LINEAR ? growth_linear(q[i], r, dx) : exponential;
  }
  mho__voltage_answer(b, step, NOISE);
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
