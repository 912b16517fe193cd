/* lanes.h - elementary functions of a block of cells as vector code that gives every cell the same
 * bits.
 *
 * Vector and scalar elementary functions differ in the last bit, so the answer of a cell would
 * depend on its place in a block. Kernels that use them therefore work on aligned local arrays of
 * whole vectors, padded with a copy of the last cell, through functions that leave the compiler
 * neither a head nor a remainder to do otherwise.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_LANES_H
#define MHO_DEVICE_LANES_H

#include <string.h>

#include "base/vmath.h"
#include "mho/model/device.h"

/* fminf and fmaxf as vector code: those must look at NaN. */
static inline float mho__least(float a, float b) {
  return a < b ? a : b;
}

static inline float mho__most(float a, float b) {
  return a > b ? a : b;
}

enum { MHO_LANES = 16 };
#define MHO_VECTOR(name) _Alignas(64) float name[MHO_DEVICE_BLOCK]

/* n rounded up to whole vectors. */
static inline int mho__padded(int n) {
  return (n + MHO_LANES - 1) & ~(MHO_LANES - 1);
}

static inline void mho__pad(int n, float *x) {
  for (int i = n; i < mho__padded(n); i++)
    x[i] = x[n - 1];
}

/* A copy of n values into an MHO_VECTOR, padded. */
static inline void mho__load(int n, const float *from, float *to) {
  for (int i = 0; i < n; i++)
    to[i] = from[i];
  mho__pad(n, to);
}

/* x <- exp(x) of MHO_LANES values on a 64-byte boundary. */
__attribute__((noinline, unused)) static void mho_exp_lanes(float *at) {
  float *x = __builtin_assume_aligned(at, 64);
#pragma omp simd
  for (int i = 0; i < MHO_LANES; i++)
    x[i] = expf(x[i]);
}

/* x <- ln(x) of the same. */
__attribute__((noinline, unused)) static void mho_log_lanes(float *at) {
  float *x = __builtin_assume_aligned(at, 64);
#pragma omp simd
  for (int i = 0; i < MHO_LANES; i++)
    x[i] = logf(x[i]);
}

/* a b + c, in one rounding where the processor has it. */
static inline float mho__multiply_add(float a, float b, float c) {
#ifdef __FMA__
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

/* exp(x) of -87 and above up to 88, and exp(-87) of less, to 2e-7 of itself: 2^k exp(r), r within
 * half of ln 2, ln 2 in two parts, and exp(r) by a polynomial fitted by least squares at Chebyshev
 * nodes. As every operation is written out and correctly rounded, a cell gets the same bits alone
 * and in a vector. */
static inline float mho__exp_of(float x) {
  x = mho__most(x, -87);
  float k = rintf(x * 1.44269504f);
  float r = mho__multiply_add(k, -1.42860677e-6f, mho__multiply_add(k, -0.693145752f, x));

  float z = r * r;
  float high = mho__multiply_add(r, 0.00833383653f, 0.0418988082f);
  float low = mho__multiply_add(r, 0.166668868f, 0.499991409f);
  float y = mho__multiply_add(z, mho__multiply_add(z, high, low), r) + 1;

  int32_t bits = ((int32_t)k + 127) * (1 << 23);
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  return y * scale;
}

/* x <- mho__exp_of(x) of the first n values of an MHO_VECTOR. */
static inline void mho__vexp_of(int n, float *x) {
  mho__pad(n, x);
  for (int j = 0; j < n; j += MHO_LANES) {
#pragma omp simd
    for (int i = j; i < j + MHO_LANES; i++)
      x[i] = mho__exp_of(x[i]);
  }
}

/* x <- exp(x) of the first n values of an MHO_VECTOR. */
static inline void mho__vexp(int n, float *x) {
  mho__pad(n, x);
  for (int j = 0; j < n; j += MHO_LANES)
    mho_exp_lanes(x + j);
}

/* x <- ln(x) of the same. */
static inline void mho__vlog(int n, float *x) {
  mho__pad(n, x);
  for (int j = 0; j < n; j += MHO_LANES)
    mho_log_lanes(x + j);
}

#endif
