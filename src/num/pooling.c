/* pooling.c - the largest unit of every window of an image, and the adjoint.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "mho/model/num.h"

/* What is the same for all windows: how far it is to the next one, and where units lie from the
 * first one on, in scan order. (Divisions in their place cost as much as the channels of a
 * window.) */
typedef struct windows {
  int high, wide, units;
  size_t sample, down, right;
  size_t unit[MHO_POOL_SIZE_MAX * MHO_POOL_SIZE_MAX];
} windows;

static windows windows_of(const mho_pool_window *p) {
  size_t pixel = (size_t)p->channels, line = (size_t)p->width * pixel, size = (size_t)p->size;
  windows w = {.high = p->height / p->size,
               .wide = p->width / p->size,
               .sample = (size_t)p->height * line,
               .down = size * line,
               .right = size * pixel};

  for (size_t y = 0; y < size; y++)
    for (size_t x = 0; x < size; x++)
      w.unit[w.units++] = y * line + x * pixel;
  return w;
}

/* What is done to m channels of one window whose first unit is at z; v is another image's same
 * place. A constant m is vector code without ends. */
enum { LANES = 16 };

static inline void largest(const windows *w, int m, const mho_real *z, mho_real *restrict out) {
  mho_real best[LANES];
  for (int c = 0; c < m; c++)
    best[c] = z[c];

  for (int k = 1; k < w->units; k++)
    for (int c = 0; c < m; c++)
      best[c] = z[w->unit[k] + (size_t)c] > best[c] ? z[w->unit[k] + (size_t)c] : best[c];

  for (int c = 0; c < m; c++)
    out[c] = best[c];
}

static inline void winner_of(const windows *w, int m, const mho_real *z, uint8_t *restrict out) {
  mho_real best[LANES];
  int32_t which[LANES] = {0};
  for (int c = 0; c < m; c++)
    best[c] = z[c];

  for (int k = 1; k < w->units; k++)
    for (int c = 0; c < m; c++) {
      mho_real a = z[w->unit[k] + (size_t)c];
      which[c] = a > best[c] ? k : which[c];
      best[c] = a > best[c] ? a : best[c];
    }

  for (int c = 0; c < m; c++)
    out[c] = (uint8_t)which[c];
}

static inline void at_largest(const windows *w, int m, const mho_real *v, const mho_real *z,
                              mho_real *restrict out) {
  mho_real best[LANES], there[LANES];
  for (int c = 0; c < m; c++) {
    best[c] = z[c];
    there[c] = v[c];
  }

  for (int k = 1; k < w->units; k++)
    for (int c = 0; c < m; c++) {
      mho_real a = z[w->unit[k] + (size_t)c];
      there[c] = a > best[c] ? v[w->unit[k] + (size_t)c] : there[c];
      best[c] = a > best[c] ? a : best[c];
    }

  for (int c = 0; c < m; c++)
    out[c] = there[c];
}

static inline void to_winner(const windows *w, int m, const mho_real *v, const uint8_t *winner,
                             mho_real *restrict out) {
  for (int k = 0; k < w->units; k++) {
    mho_real *restrict to = out + w->unit[k];
#pragma omp simd
    for (int c = 0; c < m; c++)
      to[c] += winner[c] == k ? v[c] : 0;
  }
}

static inline void at_winner(const windows *w, int m, const mho_real *v, const uint8_t *winner,
                             mho_real *restrict out) {
  for (int c = 0; c < m; c++)
    out[c] = v[w->unit[winner[c]] + (size_t)c];
}

static inline void to_largest(const windows *w, int m, const mho_real *v, const mho_real *z,
                              mho_real *restrict out) {
  uint8_t winner[LANES];
  winner_of(w, m, z, winner);
  to_winner(w, m, v, winner, out);
}

/* f for every window of n samples, its channels LANES at a time: `at` is the place of the first one
 * in the image, `i` in what has one number a window. */
#define EACH_WINDOW(p, w, n, f, ...)                                                               \
  do {                                                                                             \
    size_t i = 0;                                                                                  \
    for (int s = 0; s < (n); s++)                                                                  \
      for (int y = 0; y < (w).high; y++)                                                           \
        for (int x = 0; x < (w).wide; x++) {                                                       \
          size_t at = (size_t)s * (w).sample + (size_t)y * (w).down + (size_t)x * (w).right;       \
          int m = (p)->channels;                                                                   \
          for (; m >= LANES; m -= LANES, at += LANES, i += LANES)                                  \
            f(&(w), LANES, __VA_ARGS__);                                                           \
          if (m)                                                                                   \
            f(&(w), m, __VA_ARGS__);                                                               \
          i += (size_t)m;                                                                          \
        }                                                                                          \
  } while (0)

void mho_pool_max(const mho_pool_window *p, int n, const mho_real *z, mho_real *out) {
  windows w = windows_of(p);
  EACH_WINDOW(p, w, n, largest, z + at, out + i);
}

void mho_pool_winners(const mho_pool_window *p, int n, const mho_real *z, uint8_t *winner) {
  windows w = windows_of(p);
  EACH_WINDOW(p, w, n, winner_of, z + at, winner + i);
}

void mho_pool_take(const mho_pool_window *p, int n, const mho_real *v, const mho_real *z,
                   mho_real *out) {
  windows w = windows_of(p);
  EACH_WINDOW(p, w, n, at_largest, v + at, z + at, out + i);
}

void mho_pool_give(const mho_pool_window *p, int n, const mho_real *v, const uint8_t *winner,
                   bool add, mho_real *out) {
  windows w = windows_of(p);
  if (!add) /* also the border that belongs to no window */
    memset(out, 0, (size_t)n * w.sample * sizeof *out);
  EACH_WINDOW(p, w, n, to_winner, v + i, winner + i, out + at);
}

void mho_pool_pick(const mho_pool_window *p, int n, const mho_real *v, const uint8_t *winner,
                   mho_real *out) {
  windows w = windows_of(p);
  EACH_WINDOW(p, w, n, at_winner, v + at, winner + i, out + i);
}

void mho_pool_put(const mho_pool_window *p, int n, const mho_real *v, const mho_real *z, bool add,
                  mho_real *out) {
  windows w = windows_of(p);
  if (!add)
    memset(out, 0, (size_t)n * w.sample * sizeof *out);
  EACH_WINDOW(p, w, n, to_largest, v + i, z + at, out + at);
}
