/* voltage.h - one rectangular voltage pulse on a model dx/dt = k(V) f(x): what the voltage-driven
 * models share.
 *
 * Under a constant voltage such a model is autonomous: a pulse of width T moves x along dx/dtau =
 * f(x) for tau = k(V) T, the model's `drive`. f is integrated by the classical Runge-Kutta method
 * with a fixed number of time steps, all cells of a block side by side; tests/unit/voltage.c holds
 * the error against GSL. How far x has moved is summed apart from x, so that small pulses keep
 * their digits in single precision.
 *
 * A model includes this file, begins its parameters with an mho_voltage_pulse, and defines
 * `drive_at`.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_VOLTAGE_H
#define MHO_DEVICE_VOLTAGE_H

#include "device/noise.h"

/* ---------------------------------------------------------------- the pulse of a model */

/* The first member, `pulse`, of the parameters of every voltage-driven model. */
typedef struct mho_voltage_pulse {
  mho_cycle_noise noise;
  double set_v, reset_v; /* V, positive and negative */
  double width;          /* s */
} mho_voltage_pulse;

#define MHO_P_PULSE(T, set, reset, duration)                                                       \
  MHO_P_REAL(T, pulse.set_v, "v_set", "V", set, 0, 100, "voltage of a SET pulse"),                 \
      MHO_P_REAL(T, pulse.reset_v, "v_reset", "V", reset, -100, 0, "voltage of a RESET pulse"),    \
      MHO_P_REAL(T, pulse.width, "width", "s", duration, 1e-12, 1e3, "duration of a pulse")
#define MHO_P_PULSE_NOISE(T)                                                                       \
  MHO_P_REAL(T, pulse.noise.sigma, "cycle_to_cycle", "", 0, 0, 100,                                \
             "noise of a pulse, relative to the step")

/* Largest drive times the largest |f|: a pulse that would cross more than half of the range is
 * refused. */
#define MHO_VOLTAGE_DRIVE_MAX 0.5

/* Signed drive of a pulse of v volts; f = 1 moves x by as much. */
typedef double (*mho_voltage_drive)(const void *params, double v);

/* The drive of the model's own SET or RESET pulse. */
static inline double mho__voltage_own_drive(const void *params, mho_voltage_drive drive, bool set) {
  const mho_voltage_pulse *pulse = params;
  return drive(params, set ? pulse->set_v : pulse->reset_v);
}

/* mho_device_model.response from the drive. */
static inline double mho__voltage_response(const void *params, mho_voltage_drive drive, bool set,
                                           double fraction) {
  const mho_voltage_pulse *pulse = params;
  double v = fraction * (set ? pulse->set_v : pulse->reset_v);
  double whole = mho__voltage_own_drive(params, drive, v > 0);
  return copysign(drive(params, v) / whole, fraction);
}

/* MHO_ECONFIG when the pulses leave the device alone or cross too much of the range at once. */
static inline mho_err mho__voltage_check(const void *params, mho_voltage_drive drive,
                                         mho_errinfo *ei) {
  double up = mho__voltage_own_drive(params, drive, true);
  double down = -mho__voltage_own_drive(params, drive, false);
  const char *which = up > MHO_VOLTAGE_DRIVE_MAX ? "SET" : "RESET";
  double most = up > down ? up : down;

  if (!(up > 0) || !(down > 0))
    return mho_fail(ei, MHO_ECONFIG,
                    "device.%s: a pulse of this voltage does not reach the threshold and moves "
                    "nothing",
                    up > 0 ? "v_reset" : "v_set");
  if (!(most <= MHO_VOLTAGE_DRIVE_MAX))
    return mho_fail(ei, MHO_ECONFIG,
                    "device.width: a %s pulse would move the state by up to %.3g of its range: "
                    "shorten or lower it to at most %g",
                    which, most, MHO_VOLTAGE_DRIVE_MAX);
  return MHO_OK;
}

/* What every voltage-driven model registers: its functions of these names, and the noise of its
 * pulses. */
#define MHO_VOLTAGE_FUNCTIONS                                                                      \
  .n_columns = COLUMNS, .check = check, .columns = columns, .pulse = pulse, .response = response,  \
  .noisy = mho__noise_is_on, .spice = spice

/* ---------------------------------------------------------------- a pulse on a block */

enum { MHO_VOLTAGE_STEPS = 8 }; /* time steps of a pulse */

static inline float mho__unit(float x) {
  return mho__most(mho__least(x, 1), 0);
}

/* A block as whole vectors. */
typedef struct mho_voltage {
  int n;
  _Alignas(64) float x[MHO_DEVICE_BLOCK]; /* where the cells are */
  float drive[MHO_DEVICE_BLOCK];          /* how far the pulse drives them, signed */
  float p[3][MHO_DEVICE_BLOCK];           /* columns that f needs */
  float moved[MHO_DEVICE_BLOCK];          /* how far they have moved */
} mho_voltage;

/* Drive of the columns at `up` and after it, and the columns p0, p1, p2 (-1: none). The caller
 * fills x. */
static inline void mho__voltage_load(mho_voltage *v, const mho_device_block *b, int up, int p0,
                                     int p1, int p2) {
  const int from[3] = {p0, p1, p2};
  v->n = b->n;
  for (int i = 0; i < b->n; i++) {
    v->drive[i] = b->dir[i] > 0 ? b->col[up][i] : b->col[up + 1][i];
    v->moved[i] = 0;
  }

  if (b->amplitude)
    for (int i = 0; i < b->n; i++)
      v->drive[i] *= b->amplitude[i];

  mho__pad(b->n, v->drive);
  mho__pad(b->n, v->moved);
  for (int k = 0; k < 3; k++)
    if (from[k] >= 0)
      mho__load(b->n, b->col[from[k]], v->p[k]);
}

/* Speeds f >= 0 of the MHO_LANES cells from `first` on at x, towards the sign of their drives. */
typedef void (*mho_voltage_rate)(const mho_voltage *v, int first, const float *x, float *f);

/* Moves the cells of the block from x: fills `moved`. */
static inline void mho__voltage_integrate(mho_voltage *v, mho_voltage_rate rate) {
  enum { L = MHO_LANES };
  _Alignas(64) float x[L], y[L], k1[L], k2[L], k3[L], k4[L];

  mho__pad(v->n, v->x);
  for (int first = 0; first < v->n; first += L) {
    float *moved = v->moved + first;
    const float *start = v->x + first, *drive = v->drive + first;
    for (int step = 0; step < MHO_VOLTAGE_STEPS; step++) {
      const float h = 1.0f / MHO_VOLTAGE_STEPS;
      for (int i = 0; i < L; i++)
        x[i] = mho__unit(start[i] + moved[i]);
      rate(v, first, x, k1);
      for (int i = 0; i < L; i++)
        y[i] = mho__unit(x[i] + 0.5f * h * drive[i] * k1[i]);
      rate(v, first, y, k2);
      for (int i = 0; i < L; i++)
        y[i] = mho__unit(x[i] + 0.5f * h * drive[i] * k2[i]);
      rate(v, first, y, k3);
      for (int i = 0; i < L; i++)
        y[i] = mho__unit(x[i] + h * drive[i] * k3[i]);
      rate(v, first, y, k4);
      for (int i = 0; i < L; i++)
        moved[i] += h * drive[i] / 6 * (k1[i] + 2 * (k2[i] + k3[i]) + k4[i]);
    }
  }
}

/* The block's answer: steps of g with the noise of its column. */
static inline void mho__voltage_answer(const mho_device_block *b, const float *step, int noise) {
  for (int i = 0; i < b->n; i++)
    b->out[i] = step[i] * (1 + b->col[noise][i] * b->xi[i]);
}

/* ---------------------------------------------------------------- windows */

/* Windows that keep x within 0..1: w = window, p its exponent, the direction that of the drive.
 *   none 1; Joglekar 1 - (2x - 1)^2p; Biolek 1 - x^2p upwards, 1 - (1 - x)^2p downwards */
enum { MHO_WINDOW_NONE, MHO_WINDOW_JOGLEKAR, MHO_WINDOW_BIOLEK };
#define MHO_WINDOWS "none|joglekar|biolek"

/* Where the window of one cell falls to 0: at |distance| = 1. */
static inline float mho__window_distance(float w, float drive, float x) {
  float towards = drive > 0 ? x : 1 - x;
  return w == MHO_WINDOW_JOGLEKAR ? 2 * x - 1 : towards;
}

static inline void mho__window(const float *w, const float *p, const float *drive, const float *x,
                               float *f) {
  for (int i = 0; i < MHO_LANES; i++) {
    float y = mho__window_distance(w[i], drive[i], x[i]);
    f[i] = mho__most(y < 0 ? -y : y, 1e-12f);
  }

  /* f <- f^2p */
  mho_log_lanes(f);
  for (int i = 0; i < MHO_LANES; i++)
    f[i] *= 2 * p[i];
  mho_exp_lanes(f);

  for (int i = 0; i < MHO_LANES; i++)
    f[i] = w[i] == MHO_WINDOW_NONE ? 1 : mho__most(1 - f[i], 0);
}

/* ---------------------------------------------------------------- circuit text */

/* The window of V(x) in one direction; its exponent is the parameter pw. */
static inline const char *mho__window_spice(int window, bool up) {
  if (window == MHO_WINDOW_JOGLEKAR)
    return "(1-pow(abs(2*V(x)-1),2*pw))";
  if (window == MHO_WINDOW_BIOLEK)
    return up ? "(1-pow(abs(V(x)),2*pw))" : "(1-pow(abs(1-V(x)),2*pw))";
  return "1";
}

/* Conductance of a resistance that is linear in x, of the parameter ro = g_max/g_min. */
static inline void mho__voltage_spice_linear_resistance(mho_device_spice *s) {
  strcpy(s->g_of_x, "(ro/(V(x)+ro*(1-V(x)))-1)/(ro-1)");
  strcpy(s->x_of_g, "(ro-ro/(1+(ro-1)*V(g)))/(ro-1)");
}

static inline void mho__voltage_spice_pulse(mho_device_spice *s, const mho_voltage_pulse *pulse) {
  s->v_set = pulse->set_v;
  s->v_reset = pulse->reset_v;
  s->width = pulse->width;
}

#endif
