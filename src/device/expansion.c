/* expansion.c - many pulses by one deviate, on steps that are known near a state (expansion.h).
 *
 * Pulse number k moves a state that has come x away from where the series began by
 *
 *   s(x) + c(x) xi_k,  s = f up and -f down,  c = sigma f + a,  f(x) = f0 + f1 x + f2 x^2/2
 *
 * with f, and the additive noise a, of its direction. With p pulses up and q down, n together, what
 * is linear in the slopes takes the pairs of pulses of which one comes before the other: p (p-1)/2
 * up and up, q (q-1)/2 down and down, and, as they are in this series, some up and down and the
 * rest of p q down and up. What is quadratic takes the pulses as evenly mixed. Sums over pulses are
 *
 *   S = sum s0, S' = sum s1, S'' = sum s2, C = sum c0^2, D = sum c0 c1, F = sum c1^2 + c0 c2
 *
 * and the mean m, the variance V and the third cumulant K of x are
 *
 *   m = S + (pairs) s0 s1 + S S'^2/6 w w2 + S S'^3/24 w w2 w3 + S''/2 (S^2/3 + C/2) w
 *   V = C + (pairs) 2 (c0^2 s1 + s0 c0 c1)
 *         + w (2 C S'^2/3 + D S S' + F (S^2/3 + C/2) + 2 S'' S C/3)
 *   K = (pairs) 6 c0^2 c0 c1 + w (5 C D S' + 2 D^2 S + 2 C F S + S'' C^2)
 *
 * where w = 1 - 1/n, w2 = 1 - 2/n, w3 = 1 - 3/n. One standard normal deviate z then gives
 *
 *   x = m + sqrt(V) ((1 - t^2/36) z + t (z^2 - 1)/6 + w F (z^3 - 3 z)/6),  t = K/V^(3/2)
 *
 * Where steps are the same everywhere that is the law of the pulses one by one, as their sum is
 * normal. Else something is left out: of V the third order of the slopes, 3e-3 of it where those of
 * all pulses come to MOST_SLOPES; of K their second order, a tenth of it there; of m what hangs on
 * the order of pulses beyond pairs, at most MOST_ORDER standard deviations; and of the law the
 * third order of t. Cells beyond these bounds are left to others. So are those whose steps may come
 * down to 0, and those that may meet a bound on their way, as a cell that is clipped there forgets:
 * whose mean comes nearer to it than REACH standard deviations, beyond which a walk of independent
 * steps gets in 4 of 1e8 cases.
 *
 * Source: the moments follow from the first line, pulse by pulse; the law is the expansion of E. A.
 * Cornish, R. A. Fisher, Revue de l'Institut International de Statistique 5, 307 (1938), with the
 * fourth cumulant of a diffusion whose noise is c(x).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/expansion.h"

#include <math.h>
#include <string.h>

#include "device/lanes.h"

#define REACH       5.5f
#define MOST_SKEW   0.5f
#define MOST_BEND   0.05f
#define MOST_SLOPES 0.12f
#define MOST_ORDER  0.02f

/* ---------------------------------------------------------------- the pulses of a cell */

#define BY_ONE     0x5555555555555555u
#define BY_TWO     0x3333333333333333u
#define BY_FOUR    0x0f0f0f0f0f0f0f0fu
#define BY_EIGHT   0x00ff00ff00ff00ffu
#define BY_SIXTEEN 0x0000ffff0000ffffu

/* How many pulses go up, of many cells: sums of two bits, of four, and so on, side by side in a
 * word. */
static void count_ups(int n, const uint64_t *up, float *ups) {
#pragma omp simd
  for (int i = 0; i < n; i++) {
    uint64_t count = up[i] - (up[i] >> 1 & BY_ONE);
    count = (count & BY_TWO) + (count >> 2 & BY_TWO);
    count = (count + (count >> 4)) & BY_FOUR;
    count += count >> 8;
    count += count >> 16;
    ups[i] = (float)(int32_t)(uint32_t)((count + (count >> 32)) & 0x7f);
  }
}

/* The same, and the sum of their numbers in the series. */
static void place_ups(int n, const uint64_t *up, float *ups, float *places) {
#pragma omp simd
  for (int i = 0; i < n; i++) {
    uint64_t upper = up[i] >> 1 & BY_ONE, count = (up[i] & BY_ONE) + upper, place = upper;

    upper = count >> 2 & BY_TWO;
    place = (place & BY_TWO) + (place >> 2 & BY_TWO) + (upper << 1);
    count = (count & BY_TWO) + upper;

    upper = count >> 4 & BY_FOUR;
    place = (place & BY_FOUR) + (place >> 4 & BY_FOUR) + (upper << 2);
    count = (count & BY_FOUR) + upper;

    upper = count >> 8 & BY_EIGHT;
    place = (place & BY_EIGHT) + (place >> 8 & BY_EIGHT) + (upper << 3);
    count = (count & BY_EIGHT) + upper;

    upper = count >> 16 & BY_SIXTEEN;
    place = (place & BY_SIXTEEN) + (place >> 16 & BY_SIXTEEN) + (upper << 4);
    count = (count & BY_SIXTEEN) + upper;

    upper = count >> 32;
    ups[i] = (float)(int32_t)(uint32_t)(count + upper);
    places[i] = (float)(int32_t)(uint32_t)(place + (place >> 32) + (upper << 5));
  }
}

/* ---------------------------------------------------------------- their law */

/* Pulses of a cell in pairs, one before the other: both up, both down, up and down, down and up. */
typedef struct pairs {
  float both_up, both_down, falls, rises;
} pairs;

static inline pairs pairs_of(float n, float p, float q, float places) {
  float falls = p * (n - 1) - places - p * (p - 1) / 2;
  return (pairs){p * (p - 1) / 2, q * (q - 1) / 2, falls, p * q - falls};
}

/* Sum over pairs of what the first has times what the second has, each of an up or a down. */
static inline float over(pairs of, float up, float down, float next_up, float next_down) {
  return (of.both_up * up + of.rises * down) * next_up +
         (of.both_down * down + of.falls * up) * next_down;
}

static inline float size_of(float v) {
  return v < 0 ? -v : v;
}

static inline float within_bounds(const mho_device_block *b, int i, float g) {
  return mho__least(mho__most(g, b->low[i]), b->high[i]);
}

/* The state of cell i after p pulses up and q down, where the numbers in the series of those up
 * come to `places`, by its deviate z; *holds: whether the law is theirs. */
static inline float draw(const mho_device_block *b, const mho_device_expansion *e, int i, float p,
                         float q, float places, float z, int32_t *holds) {
  float up = e->up[0][i], up1 = e->up[1][i], up2 = e->up[2][i];
  float down = e->down[0][i], down1 = e->down[1][i], down2 = e->down[2][i];
  float c_up = e->factor[i] * up + e->add_up[i], c_down = e->factor[i] * down + e->add_down[i];
  float c1_up = e->factor[i] * up1, c1_down = e->factor[i] * down1;
  float c2_up = e->factor[i] * up2, c2_down = e->factor[i] * down2;
  float n = p + q, one = 1 / mho__most(n, 1), w = 1 - one, w2 = 1 - 2 * one, w3 = 1 - 3 * one;
  pairs of = pairs_of(n, p, q, places);

  float s = p * up - q * down, s1 = p * up1 - q * down1, s2 = p * up2 - q * down2;
  float var_up = c_up * c_up, var_down = c_down * c_down;
  float turn_up = c_up * c1_up, turn_down = c_down * c1_down;
  float c = p * var_up + q * var_down, d = p * turn_up + q * turn_down;
  float f = w * (p * (c1_up * c1_up + c_up * c2_up) + q * (c1_down * c1_down + c_down * c2_down));
  float square = s * s * (1.0f / 3) + c * 0.5f; /* mean of x^2 on the way */

  float mean = s + over(of, up, -down, up1, -down1) +
               w * (s * s1 * s1 * w2 * (1.0f / 6 + s1 * w3 * (1.0f / 24)) + s2 * square * 0.5f);
  float variance =
      c + 2 * (over(of, var_up, var_down, up1, -down1) + over(of, up, -down, turn_up, turn_down)) +
      w * s1 * (c * s1 * (2.0f / 3) + d * s) + f * square + w * s2 * s * c * (2.0f / 3);
  float third = 6 * over(of, var_up, var_down, turn_up, turn_down) +
                w * (5 * c * d * s1 + 2 * d * d * s + s2 * c * c) + 2 * c * f * s;

  float sd = sqrtf(mho__most(variance, 0)), t = third / mho__most(variance * sd, 1e-30f);
  float bend = f * (1.0f / 6);
  float change = mean + sd * (z * (1 - t * t * (1.0f / 36)) + t * (z * z - 1) * (1.0f / 6) +
                              bend * z * (z * z - 3));

  float slopes = p * size_of(up1) + q * size_of(down1), way = p * up + q * down;
  float bends = p * size_of(up2) + q * size_of(down2);
  float mixed = 4 * p * q * one * one; /* 0 of pulses one way, at most 1 */
  float by_order = mixed * (way * slopes * slopes * (1.0f / 6) +
                            bends * (way * way * (1.0f / 3) + c * 0.5f) * 0.5f);
  float reach = REACH * sd * (1 + size_of(t));
  float lowest = b->g[i] - q * down * (1 + slopes) - reach;
  float highest = b->g[i] + p * up * (1 + slopes) + reach;
  int32_t is_regular = (size_of(t) <= MOST_SKEW) & (bend <= MOST_BEND) & (-bend <= MOST_BEND) &
                       (slopes <= MOST_SLOPES) & (by_order <= MOST_ORDER * sd);
  int32_t is_positive = (size_of(up1) * reach <= up) & (size_of(down1) * reach <= down);
  int32_t is_apart = (lowest > b->low[i]) & (highest < b->high[i]);
  *holds = (is_regular & is_positive & is_apart) | (n == 0);
  return within_bounds(b, i, b->g[i] + change);
}

/* The cells for which it does not hold; returns how many these are. */
static int find_left(int n, const int32_t *holds, int *left) {
  enum { SOME = 8 };
  int n_left = 0;
  for (int first = 0; first < n; first += SOME) {
    int end = mho_min(first + SOME, n), all = 1;
    for (int i = first; i < end; i++)
      all &= holds[i];
    for (int i = first; i < end && !all; i++) {
      left[n_left] = i;
      n_left += !holds[i];
    }
  }
  return n_left;
}

/* The same to the same bits of steps that are the same everywhere. */
static inline float draw_constant(const mho_device_block *b, const mho_device_expansion *e, int i,
                                  float p, float q, float z, int32_t *holds) {
  float up = e->up[0][i], down = e->down[0][i];
  float c_up = e->factor[i] * up + e->add_up[i], c_down = e->factor[i] * down + e->add_down[i];
  float sd = sqrtf(p * (c_up * c_up) + q * (c_down * c_down)), reach = REACH * sd;
  float lowest = b->g[i] - q * down - reach, highest = b->g[i] + p * up + reach;
  int32_t is_apart = (lowest > b->low[i]) & (highest < b->high[i]);
  *holds = ((up >= 0) & (down >= 0) & is_apart) | (p + q == 0);
  return within_bounds(b, i, b->g[i] + (p * up - q * down + sd * z));
}

int mho__expanded_pulses(const mho_device_block *b, const mho_device_expansion *e, bool constant,
                         const mho_expanded_series *s, float *g, int *left) {
  float ups[MHO_DEVICE_BLOCK], places[MHO_DEVICE_BLOCK], downs[MHO_DEVICE_BLOCK];
  int32_t holds[MHO_DEVICE_BLOCK];
  if (constant)
    count_ups(s->n, s->up, ups);
  else
    place_ups(s->n, s->up, ups, places);
  for (int i = 0; i < s->n; i++)
    downs[i] = (float)s->count[i] - ups[i];

  if (constant) {
#pragma omp simd
    for (int i = 0; i < s->n; i++) {
      float v = draw_constant(b, e, i, ups[i], downs[i], s->z[i], &holds[i]), before = b->g[i];
      g[i] = holds[i] ? v : before;
    }
  } else {
#pragma omp simd
    for (int i = 0; i < s->n; i++) {
      float v = draw(b, e, i, ups[i], downs[i], places[i], s->z[i], &holds[i]), before = b->g[i];
      g[i] = holds[i] ? v : before;
    }
  }
  return find_left(s->n, holds, left);
}

/* Whether the slopes of n cells are 0. */
static bool are_flat(const mho_device_expansion *e, int n) {
  float most = 0;
#pragma omp simd reduction(max : most)
  for (int i = 0; i < n; i++) {
    float up = size_of(e->up[1][i]) + size_of(e->up[2][i]);
    most = mho__most(most, up + size_of(e->down[1][i]) + size_of(e->down[2][i]));
  }
  return most == 0;
}

bool mho__steps_are_constant(const mho_device_expansion *e, int n) {
  enum { FEW = 16 };
  return are_flat(e, mho_min(n, FEW)) && are_flat(e, n);
}

bool mho__steps_hardly_turn(const mho_device_expansion *e, int n) {
  const float *factor = e->factor, *add_up = e->add_up, *add_down = e->add_down;
  const float sigma = 0.3f * 1.001f;
  float most = 0;
#pragma omp simd reduction(max : most)
  for (int i = 0; i < n; i++) {
    float up = (factor[i] - sigma) * e->up[0][i] + add_up[i];
    float down = (factor[i] - sigma) * e->down[0][i] + add_down[i];
    most = mho__most(most, mho__most(up, down));
  }
  return most == 0;
}
