/* conv.c - patches of images (im2col), their adjoint (col2im), pooling and its adjoint.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "mho/num.h"

bool mho_conv_fit(mho_conv *g) {
  int high = g->height + 2 * g->padding - g->kernel, wide = g->width + 2 * g->padding - g->kernel;
  g->out_height = high / g->stride + 1;
  g->out_width = wide / g->stride + 1;
  return high >= 0 && wide >= 0;
}

/* A patch is made of runs: `length` neighbouring numbers of one row of the source, one for each ky (and, where the
 * source is planar, each channel). */
typedef struct runs {
  int n, length;
  int pixel; /* numbers from one pixel to the next */
} runs;

static runs runs_of(const mho_conv *g) {
  int pixel = g->planar ? 1 : g->channels;
  return (runs){
      .n = g->planar ? g->channels * g->kernel : g->kernel, .length = g->kernel * pixel, .pixel = pixel};
}

/* Where a run of the patch at (oy, ox) starts in a sample, how much of its beginning lies before the source's row, and
 * where its part within the source ends. */
typedef struct span {
  ptrdiff_t start;
  int low, high;
} span;

static span span_of(const mho_conv *g, const runs *r, int run, int oy, int ox) {
  int ky = run % g->kernel, plane = run / g->kernel;
  int y = oy * g->stride - g->padding + ky, x = ox * g->stride - g->padding;
  if (y < 0 || y >= g->height)
    return (span){0, r->length, r->length};
  int low = x < 0 ? -x : 0, high = x + g->kernel > g->width ? g->width - x : g->kernel;
  low = low > g->kernel ? g->kernel : low;
  ptrdiff_t at = ((ptrdiff_t)plane * g->height + y) * g->width + x;
  return (span){at * r->pixel, low * r->pixel, (high < low ? low : high) * r->pixel};
}

/* memcpy of a few numbers is mostly its call */
static inline void copy(mho_real *restrict to, const mho_real *restrict from, int n) {
  switch (n) {
  case 3:
    memcpy(to, from, 3 * sizeof *to);
    return;
  case 5:
    memcpy(to, from, 5 * sizeof *to);
    return;
  default:
    memcpy(to, from, (size_t)n * sizeof *to);
  }
}

static inline void clear(mho_real *to, int n) {
  if (n > 0)
    memset(to, 0, (size_t)n * sizeof *to);
}

/* One patch, rows row0 .. row0+rows-1. */
static void gather_patch(const mho_conv *g, const runs *r, const mho_real *sample, int oy, int ox, int row0,
                         int rows, mho_real *out) {
  for (int run = row0 / r->length; run < r->n && run * r->length < row0 + rows; run++) {
    int base = run * r->length, from = row0 > base ? row0 - base : 0;
    int to = row0 + rows < base + r->length ? row0 + rows - base : r->length;
    span s = span_of(g, r, run, oy, ox);
    int low = s.low < from ? from : s.low > to ? to : s.low;
    int high = s.high > to ? to : s.high < low ? low : s.high;
    mho_real *at = out + base - row0;
    clear(at + from, low - from);
    if (high > low)
      copy(at + low, sample + s.start + low, high - low);
    clear(at + high, to - high);
  }
}

void mho_conv_gather(const mho_conv *g, const mho_real *x, int first, int n, int row0, int rows,
                     mho_real *out, int ld) {
  runs r = runs_of(g);
  int positions = mho_conv_positions(g), q = first % positions;
  size_t source = (size_t)g->channels * (size_t)g->height * (size_t)g->width;
  const mho_real *sample = x + (size_t)(first / positions) * source;
  for (int i = 0; i < n; i++) {
    gather_patch(g, &r, sample, q / g->out_width, q % g->out_width, row0, rows, out + (size_t)i * (size_t)ld);
    if (++q == positions) {
      q = 0;
      sample += source;
    }
  }
}

void mho_conv_scatter(const mho_conv *g, const mho_real *patches, int ld, int first, int n, mho_real *x) {
  runs r = runs_of(g);
  int positions = mho_conv_positions(g), q = first % positions;
  size_t source = (size_t)g->channels * (size_t)g->height * (size_t)g->width;
  mho_real *sample = x + (size_t)(first / positions) * source;
  for (int i = 0; i < n; i++) {
    const mho_real *patch = patches + (size_t)i * (size_t)ld;
    for (int run = 0; run < r.n; run++) {
      span s = span_of(g, &r, run, q / g->out_width, q % g->out_width);
      const mho_real *restrict from = patch + run * r.length;
      mho_real *restrict to = sample + s.start;
#pragma omp simd
      for (int k = s.low; k < s.high; k++)
        to[k] += from[k];
    }
    if (++q == positions) {
      q = 0;
      sample += source;
    }
  }
}

/* ---------------------------------------------------------------- pooling */

/* Where a window starts in a sample. */
static size_t window_at(const mho_pool_window *p, int i) {
  int wide = p->width / p->size;
  return ((size_t)(i / wide * p->size) * (size_t)p->width + (size_t)(i % wide * p->size)) *
         (size_t)p->channels;
}
/* Where the k-th unit of a window lies, in scan order. */
static size_t unit_at(const mho_pool_window *p, int k) {
  return ((size_t)(k / p->size) * (size_t)p->width + (size_t)(k % p->size)) * (size_t)p->channels;
}
static size_t units_of(const mho_pool_window *p) {
  return (size_t)p->channels * (size_t)p->height * (size_t)p->width;
}

void mho_pool_max(const mho_pool_window *p, int n, const mho_real *z, mho_real *out) {
  int windows = mho_pool_outputs(p) / p->channels, m = p->channels;
  for (int s = 0; s < n; s++, z += units_of(p))
    for (int i = 0; i < windows; i++, out += m) {
      const mho_real *first = z + window_at(p, i);
      mho_real *restrict best = out;
      for (int c = 0; c < m; c++)
        best[c] = first[c];
      for (int k = 1; k < p->size * p->size; k++) {
        const mho_real *restrict a = first + unit_at(p, k);
        for (int c = 0; c < m; c++)
          best[c] = a[c] > best[c] ? a[c] : best[c];
      }
    }
}

void mho_pool_winners(const mho_pool_window *p, int n, const mho_real *z, uint8_t *winner) {
  enum { BLOCK = 64 };
  int windows = mho_pool_outputs(p) / p->channels;
  for (int s = 0; s < n; s++, z += units_of(p))
    for (int i = 0; i < windows; i++, winner += p->channels)
      for (int c0 = 0; c0 < p->channels; c0 += BLOCK) {
        int m = p->channels - c0 < BLOCK ? p->channels - c0 : BLOCK;
        const mho_real *first = z + window_at(p, i) + c0;
        mho_real best[BLOCK];
        int32_t which[BLOCK] = {0};
        memcpy(best, first, (size_t)m * sizeof *best);
        for (int k = 1; k < p->size * p->size; k++) {
          const mho_real *restrict a = first + unit_at(p, k);
          for (int c = 0; c < m; c++) {
            which[c] = a[c] > best[c] ? k : which[c];
            best[c] = a[c] > best[c] ? a[c] : best[c];
          }
        }
        for (int c = 0; c < m; c++)
          winner[c0 + c] = (uint8_t)which[c];
      }
}

void mho_pool_take(const mho_pool_window *p, int n, const mho_real *v, const mho_real *z, mho_real *out) {
  enum { BLOCK = 64 };
  int windows = mho_pool_outputs(p) / p->channels;
  for (int s = 0; s < n; s++, v += units_of(p), z += units_of(p))
    for (int i = 0; i < windows; i++, out += p->channels)
      for (int c0 = 0; c0 < p->channels; c0 += BLOCK) {
        int m = p->channels - c0 < BLOCK ? p->channels - c0 : BLOCK;
        size_t at = window_at(p, i) + (size_t)c0;
        mho_real best[BLOCK], *restrict to = out + c0;
        memcpy(best, z + at, (size_t)m * sizeof *best);
        memcpy(to, v + at, (size_t)m * sizeof *to);
        for (int k = 1; k < p->size * p->size; k++) {
          const mho_real *restrict a = z + at + unit_at(p, k), *restrict w = v + at + unit_at(p, k);
          for (int c = 0; c < m; c++) {
            to[c] = a[c] > best[c] ? w[c] : to[c];
            best[c] = a[c] > best[c] ? a[c] : best[c];
          }
        }
      }
}

void mho_pool_give(const mho_pool_window *p, int n, const mho_real *v, const uint8_t *winner, bool add,
                   mho_real *out) {
  int windows = mho_pool_outputs(p) / p->channels, m = p->channels;
  if (!add) /* also the border that belongs to no window */
    memset(out, 0, (size_t)n * units_of(p) * sizeof *out);
  for (int s = 0; s < n; s++, out += units_of(p))
    for (int i = 0; i < windows; i++, v += m, winner += m) {
      mho_real *first = out + window_at(p, i);
      for (int k = 0; k < p->size * p->size; k++) {
        mho_real *restrict to = first + unit_at(p, k);
        for (int c = 0; c < m; c++)
          to[c] += winner[c] == k ? v[c] : 0;
      }
    }
}
