/* noise.h - cycle-to-cycle noise as the step models share it.
 *
 *   multiplicative  dg = step(g) (1 + sigma xi)
 *   additive        dg = step(g) + s sigma xi,  s the cell's nominal step
 *
 * One form serves both: dg = step (1 + m xi) + a xi with (m, a) = (sigma, 0) or (0, s sigma).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_NOISE_H
#define MHO_DEVICE_NOISE_H

#include <string.h>

#include "base/vmath.h"
#include "mho/device.h"

enum { MHO_NOISE_MULTIPLICATIVE, MHO_NOISE_ADDITIVE };

#define MHO_P_CYCLE_NOISE(T)                                                                       \
  MHO_P_REAL(T, c2c, "cycle_to_cycle", "", 0, 0, 100, "noise of a pulse, relative to the step"),   \
      MHO_P_CHOICE(T, noise, "noise", "multiplicative|additive", 0,                                \
                   "noise scales with the step at the state, or with the nominal step")

/* fminf and fmaxf as vector code: theirs must look at NaN. */
static inline float mho_least(float a, float b) {
  return a < b ? a : b;
}
static inline float mho_most(float a, float b) {
  return a > b ? a : b;
}

/* Vector and scalar elementary functions differ in the last bit, so the answer of a cell would depend on its
 * place in a block: kernels that use them work on aligned local arrays of whole vectors, padded with a copy, by
 * functions that leave the compiler neither a head nor a remainder to do otherwise. */
enum { MHO_LANES = 16 };
#define MHO_VECTOR(name) _Alignas(64) float name[MHO_DEVICE_BLOCK]

static inline int mho_padded(int n) {
  return (n + MHO_LANES - 1) & ~(MHO_LANES - 1);
}
static inline void mho_pad(int n, float *x) {
  for (int i = n; i < mho_padded(n); i++)
    x[i] = x[n - 1];
}
static inline void mho_load(int n, const float *from, float *to) {
  for (int i = 0; i < n; i++)
    to[i] = from[i];
  mho_pad(n, to);
}
/* x <- exp(x), x <- ln(x) of MHO_LANES values on a 64-byte boundary */
__attribute__((noinline, unused)) static void mho_exp_lanes(float *at) {
  float *x = __builtin_assume_aligned(at, 64);
#pragma omp simd
  for (int i = 0; i < MHO_LANES; i++)
    x[i] = expf(x[i]);
}
__attribute__((noinline, unused)) static void mho_log_lanes(float *at) {
  float *x = __builtin_assume_aligned(at, 64);
#pragma omp simd
  for (int i = 0; i < MHO_LANES; i++)
    x[i] = logf(x[i]);
}
/* The same of the n first values of an MHO_VECTOR. */
static inline void mho_vexp(int n, float *x) {
  mho_pad(n, x);
  for (int j = 0; j < n; j += MHO_LANES)
    mho_exp_lanes(x + j);
}
static inline void mho_vlog(int n, float *x) {
  mho_pad(n, x);
  for (int j = 0; j < n; j += MHO_LANES)
    mho_log_lanes(x + j);
}

/* Three columns: additive part for SET, for RESET, and the multiplicative part. */
static inline void mho_noise_columns(float sigma, int kind, float s_up, float s_down, int i,
                                     float *const *col) {
  bool additive = kind == MHO_NOISE_ADDITIVE;
  col[0][i] = additive ? sigma * s_up : 0;
  col[1][i] = additive ? sigma * s_down : 0;
  col[2][i] = additive ? 0 : sigma;
}

/* Signed change of cell i by its pulse, from the mean steps and the three columns at `first`. */
static inline float mho_noisy_step(const mho_device_block *b, int i, float up, float down,
                                   int first) {
  float a_up = b->col[first][i], a_down = b->col[first + 1][i], dir = b->dir[i];
  float step = dir > 0 ? up : down, a = dir > 0 ? a_up : a_down;
  return dir * (step + (step * b->col[first + 2][i] + a) * b->xi[i]);
}

#endif
