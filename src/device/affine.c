/* affine.c - many pulses on steps that are affine in the state, by one deviate (affine.h).
 *
 * Pulse number k moves the state g by
 *
 *   d (f(g) + (sigma f(g) + a) xi_k),  f(g) = A + B g,  d = +1 SET, -1 RESET
 *
 * with A, B and a of its direction. What n of them leave has the mean m, the variance V and the
 * third cumulant K of these recursions, h = 1 + d B, b = sigma B, c = sigma f(m) + a:
 *
 *   K <- (h^3 + 3 h b^2) K + 6 h b c V
 *   V <- (h^2 + b^2) V + c^2
 *   m <- m + d f(m)
 *
 * Where steps are the same everywhere (B = 0) it is normal, and one deviate z gives it exactly:
 * m + sqrt(V) z. Else the noise of a pulse depends on the noise of those before, and the third
 * cumulant is that of
 *
 *   m + sqrt(V) (z + s (z^2 - 1)/6),  s = K/V^(3/2)
 *
 * What is left out is of the order of s^2, which is at most 9 n b^2: cells where 3 sqrt(n) |b| is
 * above MOST_SKEW are left to others. So are those for which a mean on the way comes nearer to a
 * bound than REACH standard deviations, as a cell that is clipped there forgets. By the reflection
 * principle a walk of independent steps gets beyond the bound all the same in 3e-12 of the cases.
 *
 * Source: the cumulants follow from the first line; the expansion is that of E. A. Cornish, R. A.
 * Fisher, Revue de l'Institut International de Statistique 5, 307 (1938), to its first order.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/affine.h"

#include <math.h>
#include <string.h>

#include "device/lanes.h"

#define MOST_SKEW 0.05f
#define REACH     7.0f

/* Numbers and masks of some cells, as many a vector as the processor has room for; two vectors are
 * under way together, as each waits for its own pulse before. */
#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif
enum { LANES = VECTOR_BYTES / (int)sizeof(float), PAIR = 2, GROUP = PAIR * LANES };
typedef float lanes __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t masks __attribute__((vector_size(VECTOR_BYTES)));

static inline lanes load(const float *v) {
  lanes out;
  memcpy(&out, v, sizeof out);
  return out;
}

static inline lanes choose(masks which, lanes yes, lanes no) {
  return (lanes)((which & (masks)yes) | (~which & (masks)no));
}

static inline lanes where(masks which, lanes v) {
  return (lanes)(which & (masks)v);
}

static inline lanes least(lanes a, lanes b) {
  return choose(a < b, a, b);
}

static inline lanes most(lanes a, lanes b) {
  return choose(a > b, a, b);
}

/* Steps of some cells; those down have their sign. */
typedef struct steps {
  lanes up, up_g, down, down_g, factor, add_up, add_down;
} steps;

static inline steps load_steps(const mho_device_affine *a, int at) {
  return (steps){.up = load(a->up + at),
                 .up_g = load(a->up_g + at),
                 .down = -load(a->down + at),
                 .down_g = -load(a->down_g + at),
                 .factor = load(a->factor + at),
                 .add_up = load(a->add_up + at),
                 .add_down = -load(a->add_down + at)};
}

/* What pulses leave of the state of some cells: mean, variance and third cumulant, and the range of
 * means on the way. */
typedef struct moments {
  lanes mean, variance, third, lowest, highest;
} moments;

static inline moments moments_at(lanes g) {
  return (moments){.mean = g, .lowest = g, .highest = g};
}

/* One pulse up, one down, or none. Signed, so that d^2 = 1 leaves products as they are. */
static inline void add_pulse(const steps *s, masks up, masks down, moments *m) {
  lanes step = where(up, s->up) + where(down, s->down);
  lanes slope = where(up, s->up_g) + where(down, s->down_g);
  lanes add = where(up, s->add_up) + where(down, s->add_down);

  lanes f = step + slope * m->mean, c = s->factor * f + add, own = s->factor * slope;
  lanes h = 1 + slope, h2 = h * h, own2 = own * own;
  m->third = h * ((h2 + 3 * own2) * m->third + 6 * own * c * m->variance);
  m->variance = (h2 + own2) * m->variance + c * c;
  m->mean += f;
  m->lowest = least(m->lowest, m->mean);
  m->highest = most(m->highest, m->mean);
}

/* The pulses of a group of cells, of which none has more than n. */
static inline void add_pulses(const mho_device_affine *a, int first, int n, const int32_t *count,
                              const uint64_t *up, moments *m) {
  enum { WORD = 32 };
  steps s[PAIR];
  for (int j = 0; j < PAIR; j++)
    s[j] = load_steps(a, first + j * LANES);

  for (int k0 = 0; k0 < n; k0 += WORD) {
    int end = mho_min(n, k0 + WORD);
    int32_t word[GROUP];
    masks next[PAIR], left[PAIR];
    for (int i = 0; i < GROUP; i++)
      word[i] = (int32_t)(uint32_t)(up[i] >> k0);
    memcpy(next, word, sizeof next);
    memcpy(left, count, sizeof left);
    for (int k = k0; k < end; k++) {
      masks bit = (masks){0} + (int32_t)((uint32_t)1 << (k - k0));
#pragma GCC unroll 2
      for (int j = 0; j < PAIR; j++) {
        masks rises = (next[j] & bit) == bit;
        add_pulse(&s[j], rises, (left[j] > k) & ~rises, &m[j]);
      }
    }
  }
}

/* Steps that are the same everywhere: the order of pulses is of no account. */
static inline void add_constant(const mho_device_affine *a, int first, const int32_t *count,
                                const uint64_t *up, moments *m) {
  float ups[GROUP], downs[GROUP];
  for (int i = 0; i < GROUP; i++) {
    int n = __builtin_popcountll(up[i]);
    ups[i] = (float)n;
    downs[i] = (float)(count[i] - n);
  }

  for (int j = 0; j < PAIR; j++) {
    steps s = load_steps(a, first + j * LANES);
    lanes n_up = load(ups + j * LANES), n_down = load(downs + j * LANES);
    lanes c_up = s.factor * s.up + s.add_up, c_down = s.factor * s.down + s.add_down;
    m[j].highest += n_up * s.up;
    m[j].lowest += n_down * s.down;
    m[j].mean += n_up * s.up + n_down * s.down;
    m[j].variance = n_up * c_up * c_up + n_down * c_down * c_down;
  }
}

/* The states by their deviates, and whether these are what they should be. */
static void draw(const mho_device_block *b, const mho_device_affine *a, int first,
                 const int32_t *count, const float *z, const moments *from, float *g,
                 int32_t *is_done) {
  float mean[GROUP], variance[GROUP], third[GROUP], lowest[GROUP], highest[GROUP];
  for (int j = 0; j < PAIR; j++) {
    size_t size = sizeof(lanes);
    memcpy(mean + j * LANES, &from[j].mean, size);
    memcpy(variance + j * LANES, &from[j].variance, size);
    memcpy(third + j * LANES, &from[j].third, size);
    memcpy(lowest + j * LANES, &from[j].lowest, size);
    memcpy(highest + j * LANES, &from[j].highest, size);
  }

#pragma omp simd
  for (int i = 0; i < GROUP; i++) {
    int at = first + i;
    float sd = sqrtf(variance[i]), reach = REACH * sd;
    float skew = third[i] / mho__most(variance[i] * sd, 1e-30f);
    float v = mean[i] + sd * (z[i] + skew * (z[i] * z[i] - 1) * (1.0f / 6));
    float up = a->up_g[at] * a->up_g[at], down = a->down_g[at] * a->down_g[at];
    float own = 9 * (float)count[i] * a->factor[at] * a->factor[at] * mho__most(up, down);
    int32_t is_normal = own <= MOST_SKEW * MOST_SKEW;
    int32_t is_within = (lowest[i] - reach > b->low[at]) & (highest[i] + reach < b->high[at]);
    float before = b->g[at];
    is_done[i] = is_normal & is_within;
    g[at] = is_done[i] ? v : before;
  }
}

static bool is_zero(int n, const float *v) {
  int any = 0;
#pragma omp simd reduction(| : any)
  for (int i = 0; i < n; i++)
    any |= v[i] != 0;
  return !any;
}

bool mho__affine_is_constant(const mho_device_affine *a, int n) {
  return is_zero(n, a->up_g) && is_zero(n, a->down_g);
}

int mho__affine_pulses(const mho_device_block *b, const mho_device_affine *a,
                       const mho_affine_series *s, float *g, int *left) {
  bool is_constant = mho__affine_is_constant(a, s->n);
  int n_left = 0;

  for (int first = 0; first < s->n; first += GROUP) {
    int some = mho_min(s->n - first, GROUP), n = 0;
    int32_t count[GROUP] = {0}, is_done[GROUP];
    uint64_t up[GROUP] = {0};
    float z[GROUP] = {0};
    moments m[PAIR];
    for (int i = 0; i < some; i++)
      count[i] = s->count[first + i];
    for (int i = 0; i < some; i++)
      n = mho_max(n, count[i]);
    memcpy(up, s->up + first, (size_t)some * sizeof *up);
    memcpy(z, s->z + first, (size_t)some * sizeof *z);
    for (int j = 0; j < PAIR; j++)
      m[j] = moments_at(load(b->g + first + j * LANES));

    if (is_constant)
      add_constant(a, first, count, up, m);
    else
      add_pulses(a, first, n, count, up, m);

    draw(b, a, first, count, z, m, g, is_done);
    for (int i = 0; i < some; i++) {
      left[n_left] = first + i;
      n_left += !is_done[i];
    }
  }
  return n_left;
}
