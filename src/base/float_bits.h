/* float_bits.h - numbers from the bytes of files, lowest byte first.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_BASE_FLOAT_BITS_H
#define MHO_BASE_FLOAT_BITS_H

#include <math.h>
#include <string.h>

#include "mho/base.h"

/** The word of n bytes (at most 8), lowest first. */
static inline uint64_t mho__word(const unsigned char *at, int n) {
  uint64_t v = 0;
  for (int k = 0; k < n; k++)
    v |= (uint64_t)at[k] << 8 * k;
  return v;
}

/** binary32 of IEEE 754. */
static inline double mho__single(uint64_t word) {
  uint32_t low = (uint32_t)word;
  float v;
  memcpy(&v, &low, sizeof v);
  return (double)v;
}

/** binary64. */
static inline double mho__double(uint64_t word) {
  double v;
  memcpy(&v, &word, sizeof v);
  return v;
}

/** binary16: a sign, 5 bits of exponent, 10 of fraction. */
static inline double mho__half(uint64_t word) {
  int exponent = (int)(word >> 10 & 31), fraction = (int)(word & 1023);
  double v = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
  if (exponent == 31)
    v = fraction ? (double)NAN : (double)INFINITY;
  return word >> 15 & 1 ? -v : v;
}

/** bfloat16: the upper half of a binary32. */
static inline double mho__bfloat(uint64_t word) {
  return mho__single(word << 16);
}

#endif
