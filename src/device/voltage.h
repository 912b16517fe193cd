/* voltage.h - one rectangular voltage pulse on a model dx/dt = k(V) f(x): what the voltage-driven models share.
 *
 * Under a constant voltage such a model is autonomous: a pulse of width T moves x along dx/dtau = f(x) for
 * tau = k(V) T, the model's `drive`. f is integrated by the classical Runge-Kutta method with a fixed number of
 * steps, all cells of a block side by side; tests/unit/voltage.c holds the error against GSL. How far x has moved
 * is summed apart from x, so that small pulses keep their digits in single precision.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_VOLTAGE_H
#define MHO_DEVICE_VOLTAGE_H

#include "device/noise.h"

enum { MHO_VOLTAGE_STEPS = 8 };
/* Largest drive times the largest |f|: a pulse that would cross more than half of the range is refused. */
#define MHO_VOLTAGE_DRIVE_MAX 0.5

static inline float mho_unit(float x) {
  return mho_most(mho_least(x, 1), 0);
}

/* A block as whole vectors: where its cells are, how far the pulse drives them (signed), up to three columns that
 * f needs, and how far they have moved. */
typedef struct mho_voltage {
  int n;
  _Alignas(64) float x[MHO_DEVICE_BLOCK];
  float drive[MHO_DEVICE_BLOCK], p[3][MHO_DEVICE_BLOCK], moved[MHO_DEVICE_BLOCK];
} mho_voltage;

/* Drive of the columns at `up` and after it, and the columns p0, p1, p2 (-1: none). x is the caller's. */
static inline void mho_voltage_load(mho_voltage *v, const mho_device_block *b, int up, int p0,
                                    int p1, int p2) {
  const int from[3] = {p0, p1, p2};
  v->n = b->n;
  for (int i = 0; i < b->n; i++) {
    v->drive[i] = b->dir[i] > 0 ? b->col[up][i] : b->col[up + 1][i];
    v->moved[i] = 0;
  }
  for (int i = 0; b->amplitude && i < b->n; i++)
    v->drive[i] *= b->amplitude[i];
  mho_pad(b->n, v->drive);
  mho_pad(b->n, v->moved);
  for (int k = 0; k < 3; k++)
    if (from[k] >= 0)
      mho_load(b->n, b->col[from[k]], v->p[k]);
}

/* Speeds f >= 0 of the MHO_LANES cells from `first` at x, towards the sign of their drives. */
typedef void (*mho_voltage_rate)(const mho_voltage *v, int first, const float *x, float *f);

static inline void mho_voltage_integrate(mho_voltage *v, mho_voltage_rate rate) {
  enum { L = MHO_LANES };
  _Alignas(64) float x[L], y[L], k1[L], k2[L], k3[L], k4[L];
  mho_pad(v->n, v->x);
  for (int first = 0; first < v->n; first += L) {
    float *moved = v->moved + first;
    const float *start = v->x + first, *drive = v->drive + first;
    for (int step = 0; step < MHO_VOLTAGE_STEPS; step++) {
      const float h = 1.0f / MHO_VOLTAGE_STEPS;
      for (int i = 0; i < L; i++)
        x[i] = mho_unit(start[i] + moved[i]);
      rate(v, first, x, k1);
      for (int i = 0; i < L; i++)
        y[i] = mho_unit(x[i] + 0.5f * h * drive[i] * k1[i]);
      rate(v, first, y, k2);
      for (int i = 0; i < L; i++)
        y[i] = mho_unit(x[i] + 0.5f * h * drive[i] * k2[i]);
      rate(v, first, y, k3);
      for (int i = 0; i < L; i++)
        y[i] = mho_unit(x[i] + h * drive[i] * k3[i]);
      rate(v, first, y, k4);
      for (int i = 0; i < L; i++)
        moved[i] += h * drive[i] / 6 * (k1[i] + 2 * (k2[i] + k3[i]) + k4[i]);
    }
  }
}

/* Windows that keep x within 0..1: w = window, p its exponent, the direction that of the drive.
 *   none 1; Joglekar 1 - (2x - 1)^2p; Biolek 1 - x^2p upwards, 1 - (1 - x)^2p downwards */
enum { MHO_WINDOW_NONE, MHO_WINDOW_JOGLEKAR, MHO_WINDOW_BIOLEK };
#define MHO_WINDOWS "none|joglekar|biolek"
static inline void mho_window(const float *w, const float *p, const float *drive, const float *x,
                              float *f) {
  for (int i = 0; i < MHO_LANES; i++) {
    float y = w[i] == MHO_WINDOW_JOGLEKAR ? 2 * x[i] - 1 : drive[i] > 0 ? x[i] : 1 - x[i];
    f[i] = mho_most(y < 0 ? -y : y, 1e-12f);
  }
  mho_log_lanes(f);
  for (int i = 0; i < MHO_LANES; i++)
    f[i] *= 2 * p[i];
  mho_exp_lanes(f);
  for (int i = 0; i < MHO_LANES; i++)
    f[i] = w[i] == MHO_WINDOW_NONE ? 1 : mho_most(1 - f[i], 0);
}

/* The window as text for a circuit, of V(x), in one direction. */
static inline const char *mho_window_spice(int window, bool up) {
  return window == MHO_WINDOW_JOGLEKAR ? "(1-pow(abs(2*V(x)-1),2*pw))"
         : window == MHO_WINDOW_BIOLEK
             ? (up ? "(1-pow(abs(V(x)),2*pw))" : "(1-pow(abs(1-V(x)),2*pw))")
             : "1";
}

#define MHO_P_PULSE(T, set, reset, duration)                                                       \
  MHO_P_REAL(T, set_v, "v_set", "V", set, 0, 100, "voltage of a SET pulse"),                       \
      MHO_P_REAL(T, reset_v, "v_reset", "V", reset, -100, 0, "voltage of a RESET pulse"),          \
      MHO_P_REAL(T, width, "width", "s", duration, 1e-12, 1e3, "duration of a pulse")

/* A model's response from its signed drive at a voltage. */
#define MHO_VOLTAGE_RESPONSE(T)                                                                    \
  static double response(const void *params, bool set, double fraction) {                          \
    const T *p = params;                                                                           \
    double v = fraction * (set ? p->set_v : p->reset_v), d = drive_at(p, v);                       \
    double whole = drive_at(p, v > 0 ? p->set_v : p->reset_v);                                     \
    return copysign(d / whole, fraction);                                                          \
  }

/* MHO_ECONFIG when the pulses leave the device alone or cross too much of the range at once. */
static inline mho_err mho_voltage_check(double up, double down, mho_errinfo *ei) {
  const char *which = up > MHO_VOLTAGE_DRIVE_MAX ? "SET" : "RESET";
  double most = up > down ? up : down;
  if (!(up > 0) || !(down > 0))
    return mho_fail(
        ei, MHO_ECONFIG,
        "device.%s: a pulse of this voltage does not reach the threshold and moves nothing",
        up > 0 ? "v_reset" : "v_set");
  if (!(most <= MHO_VOLTAGE_DRIVE_MAX))
    return mho_fail(
        ei, MHO_ECONFIG,
        "device.width: a %s pulse would move the state by up to %.3g of its range: shorten or lower it "
        "to at most %g",
        which, most, MHO_VOLTAGE_DRIVE_MAX);
  return MHO_OK;
}

#endif
