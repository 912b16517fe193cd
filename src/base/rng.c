/* rng.c - counter-based random numbers: Philox4x32-10.
 *
 * The counter is {cell / 4, step low, step high, stream}, the key the seed; a block of four words
 * serves four neighbouring cells. Blocks are made side by side in vectors, and every operation on
 * the way to a deviate is written out and correctly rounded (no library function), so a deviate is
 * the same number however it is asked for: in a long fill, a short one, or among scattered cells.
 *
 * Deviates by the four (rng.h), of which there are by far the most, take the seven rounds from
 * which on Philox4x32 passes all tests of its source; the others ten.
 *
 * Source: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "base/rng.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

enum { BLOCKS = 64, GROUP = 4 * BLOCKS }; /* blocks and cells a group */

/* A vector of 64-bit lanes whose low halves count; products of low halves are what Philox consists
 * of. */
#if defined(__AVX512F__)
typedef uint64_t wide __attribute__((vector_size(64)));
#define PRODUCT(a, b) ((wide)_mm512_mul_epu32((__m512i)(a), (__m512i)(b)))
#elif defined(__AVX2__)
typedef uint64_t wide __attribute__((vector_size(32)));
#define PRODUCT(a, b) ((wide)_mm256_mul_epu32((__m256i)(a), (__m256i)(b)))
#elif defined(__SSE2__)
typedef uint64_t wide __attribute__((vector_size(16)));
#define PRODUCT(a, b) ((wide)_mm_mul_epu32((__m128i)(a), (__m128i)(b)))
#else
typedef uint64_t wide __attribute__((vector_size(16)));
#define PRODUCT(a, b) (((a)&0xffffffffu) * ((b)&0xffffffffu))
#endif
enum { PAIR = 2 * (int)(sizeof(wide) / sizeof(uint64_t)) }; /* blocks of two vectors, 4 to 16 */

typedef struct group {
  uint32_t block[BLOCKS];   /* in: numbers of the blocks */
  uint32_t word[4][BLOCKS]; /* out: their words */
} group;

mho_rng mho_rng_make(uint64_t seed, mho_rng_use use, uint32_t index) {
  return (mho_rng){seed, (uint32_t)use << 24 | (index & 0xffffffu)};
}

/* Words of the group's first n blocks, and of some behind them, after some rounds. Two vectors hold
 * the even and the odd blocks of a run, so that their low halves join into words in order. */
static inline __attribute__((always_inline)) void rounds_of_philox(mho_rng r, uint64_t step, int n,
                                                                   int rounds, group *g) {
  const uint64_t low = 0xffffffffu;
  const wide none = {0}, m0 = none + 0xd2511f53u, m1 = none + 0xcd9e8d57u;
  for (int i = 0; i < n; i += PAIR) {
    wide c[2][4];
    memcpy(&c[0][0], g->block + i, sizeof(wide));
    c[1][0] = c[0][0] >> 32;

    for (int h = 0; h < 2; h++) {
      c[h][1] = none + (step & low);
      c[h][2] = none + (step >> 32);
      c[h][3] = none + r.stream;
    }

    uint32_t k0 = (uint32_t)r.seed, k1 = (uint32_t)(r.seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < rounds; round++) {
      for (int h = 0; h < 2; h++) {
        wide p0 = PRODUCT(c[h][0], m0), p1 = PRODUCT(c[h][2], m1);
        c[h][0] = (p1 >> 32) ^ c[h][1] ^ (none + k0);
        c[h][2] = (p0 >> 32) ^ c[h][3] ^ (none + k1);
        c[h][1] = p1;
        c[h][3] = p0;
      }
      k0 += 0x9e3779b9u;
      k1 += 0xbb67ae85u;
    }

    for (int j = 0; j < 4; j++) {
      wide words = (c[0][j] & low) | c[1][j] << 32;
      memcpy(g->word[j] + i, &words, sizeof words);
    }
  }
}

static void philox(mho_rng r, uint64_t step, int n, group *g) {
  rounds_of_philox(r, step, n, 10, g);
}

static void philox_of_seven(mho_rng r, uint64_t step, int n, group *g) {
  rounds_of_philox(r, step, n, 7, g);
}

uint64_t mho_rng_derive(uint64_t seed, mho_rng_use use) {
  group g = {.block = {use}};
  philox((mho_rng){seed, 0xffffffffu}, 0, 1, &g); /* a stream that no purpose uses */
  return (uint64_t)g.word[1][0] << 32 | g.word[0][0];
}

/* In (0, 1): the top 23 bits and a half, exact, so that neither end is reached. */
static inline float uniform_of(uint32_t w) {
  return ((float)(int32_t)(w >> 9) + 0.5f) * 0x1p-23f;
}

/* a b + c, in one rounding where the processor has it. */
static inline float multiply_add(float a, float b, float c) {
#ifdef __FMA__
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

/* ln u for normal u > 0: u = m 2^e with m in [sqrt(1/2), sqrt(2)); a polynomial in m - 1, fitted by
 * least squares at Chebyshev nodes to 7e-8, summed as a tree to shorten the chain of roundings. */
static inline float log_of(float u) {
  int32_t bits;
  memcpy(&bits, &u, sizeof bits);
  int32_t e = (bits - 0x3f3504f3) >> 23;
  bits -= (int32_t)((uint32_t)e << 23);

  float m;
  memcpy(&m, &bits, sizeof m);
  float x = m - 1, z = x * x;
  float a = multiply_add(-0.24979884f, x, 0.33334757f),
        b = multiply_add(-0.17179911f, x, 0.19910368f);
  float c = multiply_add(-0.10157189f, x, 0.16132502f);
  float y = multiply_add(x, multiply_add(z, multiply_add(z, c, b), a), -0.5f); /* (ln m - x)/x^2 */
  return multiply_add(0.69314718f, (float)e, multiply_add(z, y, x));
}

static inline float with_sign(float v, uint32_t sign) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  bits ^= sign & 0x80000000u;
  memcpy(&v, &bits, sizeof v);
  return v;
}

/* Box-Muller: two deviates of two words. The radius takes 31 bits, which reach 6.7 standard
 * deviations; the angle is cut into quarter turns k and a rest within an eighth, where short series
 * do: sine to 1.4e-6 of itself, cosine to 3e-8. */
static inline void normal_pair(uint32_t first, uint32_t second, float *a, float *b) {
  float radius =
      sqrtf(-2.0f * log_of(multiply_add((float)(int32_t)(first >> 1), 0x1p-31f, 0x1p-32f)));
  float turns = (float)(int32_t)second * 0x1p-30f, k = rintf(turns), f = (turns - k) * 1.57079633f,
        s = f * f;

  float sine = f * multiply_add(s, multiply_add(s, 0.00815157f, -0.16662476f), 0.99999857f);
  float cosine = multiply_add(
      s, multiply_add(s, multiply_add(s, -0.00135858f, 0.04165502f), -0.49999857f), 1.0f);

  uint32_t quarter = (uint32_t)(int32_t)k;
  bool odd = quarter & 1;
  sine *= radius;
  cosine *= radius;

  *a = with_sign(odd ? sine : cosine, (quarter + 1) << 30);
  *b = with_sign(odd ? cosine : sine, quarter << 30);
}

static int rounded_up(int blocks) {
  return (blocks + PAIR - 1) / PAIR * PAIR;
}

/* Words to values of the group's first n blocks, in the order of the cells. */
static void to_words(const group *g, int n, uint32_t *out) {
  for (int i = 0; i < n; i++)
    for (int j = 0; j < 4; j++)
      out[4 * i + j] = g->word[j][i];
}
static void to_uniform(const group *g, int n, float *out) {
  for (int i = 0; i < n; i++)
    for (int j = 0; j < 4; j++)
      out[4 * i + j] = uniform_of(g->word[j][i]);
}
static void to_normal(const group *g, int n, float *out) {
#pragma omp simd
  for (int i = 0; i < n; i++) {
    float z[4];
    normal_pair(g->word[0][i], g->word[1][i], &z[0], &z[1]);
    normal_pair(g->word[2][i], g->word[3][i], &z[2], &z[3]);

    out[4 * i] = z[0];
    out[4 * i + 1] = z[1];
    out[4 * i + 2] = z[2];
    out[4 * i + 3] = z[3];
  }
}

/* Calls CONVERT with groups and copies the part that lies in [cell0, cell0 + n). */
#define FILL(CONVERT, T)                                                                           \
  for (uint64_t end = cell0 + n, c = cell0 & ~(uint64_t)3; c < end; c += GROUP) {                  \
    group g;                                                                                       \
    T values[GROUP];                                                                               \
    uint64_t left = (end - c + 3) / 4;                                                             \
    int blocks = rounded_up(left < BLOCKS ? (int)left : BLOCKS);                                   \
    for (int i = 0; i < blocks; i++)                                                               \
      g.block[i] = (uint32_t)(c / 4) + (uint32_t)i;                                                \
    philox(rng, step, blocks, &g);                                                                 \
    uint64_t from = c < cell0 ? cell0 : c, to = c + GROUP < end ? c + GROUP : end;                 \
    if (to - from == GROUP) {                                                                      \
      CONVERT(&g, BLOCKS, out + (from - cell0));                                                   \
    } else {                                                                                       \
      CONVERT(&g, blocks, values);                                                                 \
      memcpy(out + (from - cell0), values + (from - c), (size_t)(to - from) * sizeof(T));          \
    }                                                                                              \
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

void mho_rng_normal_at(mho_rng rng, uint64_t step, size_t n, const uint32_t *cell, float *out) {
  group g;
  for (size_t i0 = 0; i0 < n; i0 += BLOCKS) {
    int m = n - i0 < BLOCKS ? (int)(n - i0) : BLOCKS, blocks = rounded_up(m);

    uint32_t first[BLOCKS], second[BLOCKS];
    float a[BLOCKS], b[BLOCKS];
    for (int i = 0; i < m; i++)
      g.block[i] = cell[i0 + (size_t)i] / 4;
    for (int i = m; i < blocks; i++)
      g.block[i] = 0;
    philox(rng, step, blocks, &g);

    for (int i = 0; i < m; i++) {
      bool upper = cell[i0 + (size_t)i] & 2;
      first[i] = upper ? g.word[2][i] : g.word[0][i];
      second[i] = upper ? g.word[3][i] : g.word[1][i];
    }
    for (int i = m; i < blocks; i++)
      first[i] = second[i] = 0;

#pragma omp simd
    for (int i = 0; i < blocks; i++)
      normal_pair(first[i], second[i], &a[i], &b[i]);

    for (int i = 0; i < m; i++)
      out[i0 + (size_t)i] = cell[i0 + (size_t)i] & 1 ? b[i] : a[i];
  }
}

void mho__rng_normal_four(mho_rng rng, uint64_t step, int n, const uint32_t *cell,
                          float out[MHO_RNG_FOUR][MHO_RNG_CELLS]) {
  group g;
  for (int i0 = 0; i0 < n; i0 += BLOCKS) {
    int m = mho_min(n - i0, BLOCKS), blocks = rounded_up(m);
    for (int i = 0; i < blocks; i++)
      g.block[i] = i < m ? cell[i0 + i] : 0;
    philox_of_seven(rng, step, blocks, &g);

#pragma omp simd
    for (int i = 0; i < blocks; i++) {
      normal_pair(g.word[0][i], g.word[1][i], &out[0][i0 + i], &out[1][i0 + i]);
      normal_pair(g.word[2][i], g.word[3][i], &out[2][i0 + i], &out[3][i0 + i]);
    }
  }
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

    /* bias below 2^-32 (i + 1) */
    int j = (int)((uint64_t)words[i % GROUP] * (uint64_t)(i + 1) >> 32);
    int t = out[i];
    out[i] = out[j];
    out[j] = t;
  }
}
