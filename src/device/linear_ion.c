/* linear_ion.c - linear ion drift: the boundary between a doped and an undoped part of a film moves
 * with the current.
 *
 *   dx/dt = (mu R_on/D^2) I f(x),  I = V/R,  R = R_on x + R_off (1 - x),
 *   R_on = 1/g_max,  R_off = 1/g_min
 *
 * f a window (none, Joglekar, Biolek). With r = R_off/R_on and u = R/R_on = x + r (1 - x), a pulse
 * moves x along dx/dtau = f(x)/u for tau = (mu/D^2) V T. Without a window that has a closed form,
 * u' = sqrt(u^2 - 2 (r - 1) tau), and g moves by r (u - u')/((r - 1) u u') in either case.
 * Joglekar's window holds a cell that has reached a bound for ever: Biolek's looks at the direction
 * instead.
 *
 * Source: D. Strukov et al., Nature 453, 80 (2008); Y. Joglekar, S. Wolf, Eur. J. Phys. 30, 661
 * (2009); Z. Biolek et al., Radioengineering 18, 210 (2009).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/voltage.h"

#include <stdio.h>

typedef struct linear_ion {
  mho_voltage_pulse pulse;
  double speed, p;
  int window;
} linear_ion;

static const mho_param table[] = {
    MHO_P_REAL(linear_ion, speed, "speed", "", 100, 1e-12, 1e15,
               "mu/D^2, mobility over the square of the film's thickness, per V and s"),
    MHO_P_PULSE(linear_ion, 1, -1, 1e-4),
    MHO_P_CHOICE(linear_ion, window, "window", MHO_WINDOWS, MHO_WINDOW_BIOLEK,
                 "what keeps the boundary within the film"),
    MHO_P_REAL(linear_ion, p, "p", "", 1, 0.1, 20, "exponent of the window"),
    MHO_P_PULSE_NOISE(linear_ion),
};

enum { UP, DOWN, RATIO, WINDOW, EXPONENT, NOISE, COLUMNS };

/* tau above, of a pulse of v volts. */
static double drive_at(const void *params, double v) {
  const linear_ion *p = params;
  return p->speed * v * p->pulse.width;
}

static double response(const void *params, bool set, double fraction) {
  return mho__voltage_response(params, drive_at, set, fraction);
}

static mho_err check(const void *params, const mho_device_config *d, mho_errinfo *ei) {
  if (!(d->g_min > 0))
    return mho_fail(ei, MHO_ECONFIG,
                    "device.g_min: linear_ion needs a conductance above 0, as R_off is 1/g_min");
  return mho__voltage_check(params, drive_at, ei);
}

static void columns(const void *params, const mho_device_draw *d, float *const *col) {
  const linear_ion *p = params;
  float up = (float)drive_at(p, p->pulse.set_v), down = (float)drive_at(p, p->pulse.reset_v);

  for (int i = 0; i < d->n; i++) {
    col[UP][i] = up * d->up[i];
    col[DOWN][i] = down * d->down[i];
    col[RATIO][i] = (float)(d->g_max / d->g_min);
    col[WINDOW][i] = (float)p->window;
    col[EXPONENT][i] = (float)p->p;
    col[NOISE][i] = (float)p->pulse.noise.sigma;
  }
}

/* R/R_on of normalized conductance g: G/g_max = 1/r + (1 - 1/r) g = 1/u. */
static inline float u_of_g(float g, float r) {
  return r / (1 + (r - 1) * g);
}

/* By how much g grows where u falls to `end`: g = (r/u - 1)/(r - 1) of either would be a small
 * difference of large numbers. */
static inline float growth(float u, float end, float falls, float r) {
  return r * falls / ((r - 1) * u * end);
}

static void rate(const mho_voltage *v, int first, const float *x, float *f) {
  const float *r = v->p[0] + first;
  mho__window(v->p[1] + first, v->p[2] + first, v->drive + first, x, f);
  for (int i = 0; i < MHO_LANES; i++)
    f[i] /= x[i] + r[i] * (1 - x[i]);
}

static void pulse(const mho_device_block *b) {
  mho_voltage v;
  float step[MHO_DEVICE_BLOCK];

  mho__voltage_load(&v, b, UP, RATIO, WINDOW, EXPONENT);
  for (int i = 0; i < b->n; i++)
    v.x[i] = mho__unit((v.p[0][i] - u_of_g(b->g[i], v.p[0][i])) / (v.p[0][i] - 1));

  bool closed = v.p[1][0] == MHO_WINDOW_NONE; /* the same for all cells of a model */
  if (!closed)
    mho__voltage_integrate(&v, rate);

#pragma omp simd
  for (int i = 0; i < b->n; i++) {
    float r = v.p[0][i], u = u_of_g(b->g[i], r), squares = 2 * (r - 1) * v.drive[i];
    float to = closed ? sqrtf(mho__most(u * u - squares, 1)) : u - (r - 1) * v.moved[i];
    float falls = closed ? squares / (u + to) : (r - 1) * v.moved[i];
    float end = mho__most(mho__least(to, r), 1);
    bool is_within = to > 1 && to < r;
    step[i] = growth(u, end, is_within ? falls : u - end, r);
  }
  mho__voltage_answer(b, step, NOISE);
}

static mho_err spice(const void *params, const mho_device_config *config, mho_device_spice *s,
                     mho_errinfo *ei) {
  const linear_ion *p = params;
  mho_device_spice_param(s, "sp", p->speed);
  mho_device_spice_param(s, "ro", config->g_max / config->g_min);
  mho_device_spice_param(s, "pw", p->p);

  snprintf(s->rate, sizeof s->rate, "sp*V(p,n)*(V(p,n)>0 ? %s : %s)/(V(x)+ro*(1-V(x)))",
           mho__window_spice(p->window, true), mho__window_spice(p->window, false));
  mho__voltage_spice_linear_resistance(s);
  mho__voltage_spice_pulse(s, &p->pulse);
  return MHO_OK;
}

const mho_device_model mho_device_linear_ion = {
    .entry = {.abi = MHO_ABI,
              .id = "linear_ion",
              .title = "linear ion drift under voltage pulses, with a window",
              .equation = "dx/dt = (mu R_on/D^2) (V/R) f(x), R = R_on x + R_off (1 - x)",
              .source = "Strukov et al., Nature 453:80 (2008); windows: Joglekar & Wolf (2009), "
                        "Biolek et al. (2009)",
              .params = MHO_PARAMS(linear_ion, table)},
    MHO_VOLTAGE_FUNCTIONS,
    .fit = "speed p",
    .fit_iv = "speed p",
};
