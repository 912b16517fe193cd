/* nonzero.h - whether anything is there, and where: most spikes, traces, pulses and pixels are 0.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_BASE_NONZERO_H
#define MHO_BASE_NONZERO_H

#include "mho/base.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

/** Whether any of n numbers is not 0. All are looked at, some at a time. */
static inline bool mho__any_nonzero(size_t n, const mho_real *v) {
  int any = 0;
#pragma omp simd reduction(| : any)
  for (size_t i = 0; i < n; i++)
    any |= v[i] != 0;
  return any;
}

/** Numbers that are looked at together for where they are not 0. */
enum { MHO_NONZERO_BITS = 64 };

/** Words of n bits. */
static inline size_t mho__nonzero_words(int n) {
  return ((size_t)n + MHO_NONZERO_BITS - 1) / MHO_NONZERO_BITS;
}

/* So many numbers beside each other: bit i of the result says that v[i] is not 0. */
#if defined(__AVX512F__) && defined(MHO_DOUBLE)
enum { MHO_NONZERO_LANES = 8 };
static inline uint64_t mho__nonzero_lanes(const mho_real *v) {
  return _mm512_cmp_pd_mask(_mm512_loadu_pd(v), _mm512_setzero_pd(), _CMP_NEQ_UQ);
}
#elif defined(__AVX512F__)
enum { MHO_NONZERO_LANES = 16 };
static inline uint64_t mho__nonzero_lanes(const mho_real *v) {
  return _mm512_cmp_ps_mask(_mm512_loadu_ps(v), _mm512_setzero_ps(), _CMP_NEQ_UQ);
}
#elif defined(__AVX__) && !defined(MHO_DOUBLE)
enum { MHO_NONZERO_LANES = 8 };
static inline uint64_t mho__nonzero_lanes(const mho_real *v) {
  __m256 differs = _mm256_cmp_ps(_mm256_loadu_ps(v), _mm256_setzero_ps(), _CMP_NEQ_UQ);
  return (uint64_t)(uint32_t)_mm256_movemask_ps(differs);
}
#elif defined(__SSE2__) && !defined(MHO_DOUBLE)
enum { MHO_NONZERO_LANES = 4 };
static inline uint64_t mho__nonzero_lanes(const mho_real *v) {
  __m128 differs = _mm_cmpneq_ps(_mm_loadu_ps(v), _mm_setzero_ps());
  return (uint64_t)(uint32_t)_mm_movemask_ps(differs);
}
#else
enum { MHO_NONZERO_LANES = 1 };
static inline uint64_t mho__nonzero_lanes(const mho_real *v) {
  return *v != 0;
}
#endif

/* Whether MHO_NONZERO_BITS numbers may be other than 0: false only where all of them are. */
#if defined(__AVX512F__) && !defined(MHO_DOUBLE)
static inline bool mho__may_be_nonzero(const mho_real *v) {
  __m512i low = _mm512_or_si512(_mm512_loadu_si512(v), _mm512_loadu_si512(v + 16));
  __m512i high = _mm512_or_si512(_mm512_loadu_si512(v + 32), _mm512_loadu_si512(v + 48));
  __m512i all = _mm512_or_si512(low, high);
  return _mm512_test_epi32_mask(all, all) != 0;
}
#elif defined(__AVX2__) && !defined(MHO_DOUBLE)
static inline bool mho__may_be_nonzero(const mho_real *v) {
  __m256 all = _mm256_loadu_ps(v);
  for (int i = 8; i < MHO_NONZERO_BITS; i += 8)
    all = _mm256_or_ps(all, _mm256_loadu_ps(v + i));
  return !_mm256_testz_si256(_mm256_castps_si256(all), _mm256_castps_si256(all));
}
#else
static inline bool mho__may_be_nonzero(const mho_real *v) {
  return true;
}
#endif

/** Bit i of the result: v[i] is not 0; n up to MHO_NONZERO_BITS. */
static inline uint64_t mho__nonzero_bits(int n, const mho_real *v) {
  int whole = n - n % MHO_NONZERO_LANES;
  uint64_t bits = 0;
  for (int i = 0; i < whole; i += MHO_NONZERO_LANES)
    bits |= mho__nonzero_lanes(v + i) << i;
  for (int i = whole; i < n; i++)
    bits |= (uint64_t)(v[i] != 0) << i;
  return bits;
}

/** A way through what is not 0 of n numbers, in order: start with {.n = n, .v = v}. */
typedef struct mho_nonzero {
  int n;
  const mho_real *v;
  const uint64_t *known; /**< [(n + 63)/64] bit by bit, whether v is not 0; NULL: v is looked at */
  int next;              /**< the first that has not been looked at */
  uint64_t bits;         /**< of those before it, what is left */
} mho_nonzero;

/** The next number that is not 0; -1: there is none. */
static inline int mho__next_nonzero(mho_nonzero *w) {
  while (!w->bits && w->known) {
    if (w->next >= w->n)
      return -1;
    w->bits = w->known[w->next / MHO_NONZERO_BITS];
    w->next += MHO_NONZERO_BITS;
  }
  while (!w->bits) {
    while (w->n - w->next >= MHO_NONZERO_BITS && !mho__may_be_nonzero(w->v + w->next))
      w->next += MHO_NONZERO_BITS;
    int left = w->n - w->next;
    if (left <= 0)
      return -1;
    if (left >= MHO_NONZERO_BITS)
      w->bits = mho__nonzero_bits(MHO_NONZERO_BITS, w->v + w->next);
    else
      w->bits = mho__nonzero_bits(left, w->v + w->next);
    w->next += MHO_NONZERO_BITS;
  }

  int i = w->next - MHO_NONZERO_BITS + __builtin_ctzll(w->bits);
  w->bits &= w->bits - 1;
  return i;
}

#endif
