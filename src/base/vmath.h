/* vmath.h - vector elementary functions.
 *
 * glibc ships vector variants (libmvec) but declares them only under -ffast-math. Redeclaring the
 * functions as simd and const lets gcc use them in `#pragma omp simd` loops without any
 * value-changing flag. Worst error 4 ulp by glibc's promise, about 1 ulp for tanhf as measured.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_VMATH_H
#define MHO_VMATH_H

#include <math.h>

#include "mho/base.h"

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"
#pragma omp declare simd notinbranch
extern float tanhf(float) __attribute__((const));
#pragma omp declare simd notinbranch
extern float expf(float) __attribute__((const));
#pragma omp declare simd notinbranch
extern float logf(float) __attribute__((const));
#pragma omp declare simd notinbranch
extern float cosf(float) __attribute__((const));
#pragma omp declare simd notinbranch
extern double tanh(double) __attribute__((const));
#pragma omp declare simd notinbranch
extern double exp(double) __attribute__((const));
#pragma GCC diagnostic pop
#endif

/* in the scalar of this build */
#ifdef MHO_DOUBLE
#define real_tanh tanh
#define real_exp  exp
#define real_log  log
#define real_sqrt sqrt
#define real_abs  fabs
#define real_rint rint
#else
#define real_tanh tanhf
#define real_exp  expf
#define real_log  logf
#define real_sqrt sqrtf
#define real_abs  fabsf
#define real_rint rintf
#endif

#endif
