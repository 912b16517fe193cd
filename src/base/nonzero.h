/* nonzero.h - whether anything is there, and where: most spikes, traces, pulses and pixels are 0.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_BASE_NONZERO_H
#define MHO_BASE_NONZERO_H

#include "mho/base.h"

/** Whether any of n numbers is not 0. All are looked at, some at a time. */
static inline bool mho__any_nonzero(size_t n, const mho_real *v) {
  int any = 0;
#pragma omp simd reduction(| : any)
  for (size_t i = 0; i < n; i++)
    any |= v[i] != 0;
  return any;
}

/** Numbers that are looked at together: whether any is not 0, and then where. */
enum { MHO_NONZERO_MANY = 128, MHO_NONZERO_BITS = 32 };

/** Bit i of the result: v[i] is not 0; n up to MHO_NONZERO_BITS. */
static inline uint32_t mho__nonzero_bits(int n, const mho_real *v) {
  uint32_t bits = 0;
  if (n == MHO_NONZERO_BITS) {
#pragma omp simd reduction(| : bits)
    for (int i = 0; i < MHO_NONZERO_BITS; i++)
      bits |= (uint32_t)(v[i] != 0) << i;
    return bits;
  }

  for (int i = 0; i < n; i++)
    bits |= (uint32_t)(v[i] != 0) << i;
  return bits;
}

/** A way through what is not 0 of n numbers, in order: start with {.n = n, .v = v}. */
typedef struct mho_nonzero {
  int n;
  const mho_real *v;
  int next;      /**< the first that has not been looked at */
  int first;     /**< of those that bits are of */
  uint32_t bits; /**< that are left */
} mho_nonzero;

/** The next number that is not 0; -1: there is none. */
static inline int mho__next_nonzero(mho_nonzero *w) {
  while (!w->bits) {
    int left = w->n - w->next;
    bool is_many = w->next % MHO_NONZERO_MANY == 0;
    if (left <= 0)
      return -1;
    if (is_many && !mho__any_nonzero((size_t)mho_min(left, MHO_NONZERO_MANY), w->v + w->next)) {
      w->next += MHO_NONZERO_MANY;
      continue;
    }
    w->first = w->next;
    w->bits = mho__nonzero_bits(mho_min(left, MHO_NONZERO_BITS), w->v + w->next);
    w->next += MHO_NONZERO_BITS;
  }

  int i = w->first + __builtin_ctz(w->bits);
  w->bits &= w->bits - 1;
  return i;
}

#endif
