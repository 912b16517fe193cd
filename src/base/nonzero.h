/* nonzero.h - whether anything is there: most spikes, traces, pulses and pixels are 0.
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

#endif
