/* rng.c - counter-based random numbers on Random123's Philox4x32-10.
 *
 * The counter is {cell / 4, step low, step high, stream}, the key the seed; a block of four words serves four
 * neighbouring cells. Fills work in groups of blocks, so that the elementary functions run as vectors.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/base.h"

#include <Random123/philox.h>
#include <string.h>

#include "base/vmath.h"

enum { GROUP = 256 }; /* cells a group, a multiple of 4 */

mho_rng mho_rng_make(uint64_t seed, mho_rng_use use, uint32_t index) {
  return (mho_rng){seed, (uint32_t)use << 24 | (index & 0xffffffu)};
}

static void blocks(mho_rng r, uint64_t step, uint64_t block0, int n, uint32_t *out) {
  philox4x32_key_t key = {{(uint32_t)r.seed, (uint32_t)(r.seed >> 32)}};
  for (int i = 0; i < n; i++) {
    philox4x32_ctr_t c = {
        {(uint32_t)(block0 + (uint64_t)i), (uint32_t)step, (uint32_t)(step >> 32), r.stream}};
    c = philox4x32(c, key);
    memcpy(out + 4 * i, c.v, sizeof c.v);
  }
}

uint64_t mho_rng_derive(uint64_t seed, mho_rng_use use) {
  uint32_t w[4];
  blocks((mho_rng){seed, 0xffffffffu}, 0, use, 1, w); /* a stream that no purpose uses */
  return (uint64_t)w[1] << 32 | w[0];
}

/* (0, 1): the top 24 bits and a half, so that both ends are exact floats never reached */
static void to_uniform(const uint32_t *w, float *u) {
  for (int i = 0; i < GROUP; i++)
    u[i] = ((float)(int32_t)(w[i] >> 8) + 0.5f) * 0x1p-24f;
}

/* Box-Muller, both deviates of a pair; sin as a cos of the shifted angle, because gcc fuses sin and cos of
 * one argument into a call that has no vector form. */
static void to_normal(const uint32_t *w, float *z) {
  float u[GROUP], radius[GROUP / 2], angle[GROUP / 2], a[GROUP / 2], b[GROUP / 2];
  to_uniform(w, u);
#pragma omp simd
  for (int i = 0; i < GROUP / 2; i++) {
    radius[i] = sqrtf(-2.0f * logf(u[2 * i]));
    angle[i] = (2.0f * u[2 * i + 1] - 1.0f) * 3.14159265f;
  }
#pragma omp simd
  for (int i = 0; i < GROUP / 2; i++)
    a[i] = cosf(angle[i]);
#pragma omp simd
  for (int i = 0; i < GROUP / 2; i++)
    b[i] = cosf(angle[i] - 1.57079633f);
  for (int i = 0; i < GROUP / 2; i++) {
    z[2 * i] = radius[i] * a[i];
    z[2 * i + 1] = radius[i] * b[i];
  }
}

/* Calls body with whole groups in words/values and copies the part that lies in [cell0, cell0 + n). */
#define FILL(CONVERT, T)                                                                                     \
  for (uint64_t end = cell0 + n, c = cell0 & ~(uint64_t)3; c < end; c += GROUP) {                            \
    uint32_t words[GROUP];                                                                                   \
    T values[GROUP];                                                                                         \
    uint64_t left = (end - c + 3) / 4;                                                                       \
    int n_blocks = left < GROUP / 4 ? (int)left : GROUP / 4;                                                 \
    if (n_blocks < GROUP / 4)                                                                                \
      memset(words, 0, sizeof words);                                                                        \
    blocks(rng, step, c / 4, n_blocks, words);                                                               \
    CONVERT(words, values);                                                                                  \
    uint64_t from = c < cell0 ? cell0 : c, to = c + GROUP < end ? c + GROUP : end;                           \
    memcpy(out + (from - cell0), values + (from - c), (size_t)(to - from) * sizeof(T));                      \
  }

static void to_words(const uint32_t *w, uint32_t *out) {
  memcpy(out, w, GROUP * sizeof *w);
}

void mho_rng_u32(mho_rng rng, uint64_t step, uint64_t cell0, size_t n, uint32_t *out) {
  FILL(to_words, uint32_t)
}

void mho_rng_uniform(mho_rng rng, uint64_t step, uint64_t cell0, size_t n, float *out) {
  FILL(to_uniform, float)
}

void mho_rng_normal(mho_rng rng, uint64_t step, uint64_t cell0, size_t n, float *out) {
  FILL(to_normal, float)
}

void mho_rng_permutation(mho_rng rng, uint64_t step, int n, int *out) {
  for (int i = 0; i < n; i++)
    out[i] = i;
  uint32_t words[GROUP];
  int fetched = -1;
  for (int i = n - 1; i > 0; i--) {
    if (i / GROUP != fetched) {
      fetched = i / GROUP;
      mho_rng_u32(rng, step, (uint64_t)fetched * GROUP, GROUP, words);
    }
    int j = (int)((uint64_t)words[i % GROUP] * (uint64_t)(i + 1) >> 32); /* bias below 2^-32 (i + 1) */
    int t = out[i];
    out[i] = out[j];
    out[j] = t;
  }
}
