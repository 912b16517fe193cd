/* patches.c - patches of images (im2col) and their adjoint (col2im).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "mho/model/num.h"

bool mho_conv_fit(mho_conv *g) {
  int high = g->height + 2 * g->padding - g->kernel, wide = g->width + 2 * g->padding - g->kernel;
  g->out_height = high / g->stride + 1;
  g->out_width = wide / g->stride + 1;
  return high >= 0 && wide >= 0;
}

/* A patch is made of runs: `length` neighbouring numbers of one row of the source, one for each ky
 * (and, where the source is planar, each channel). */
typedef struct runs {
  int n, length;
  int pixel; /* numbers from one pixel to the next */
} runs;

static runs runs_of(const mho_conv *g) {
  int pixel = g->planar ? 1 : g->channels;
  return (runs){.n = g->planar ? g->channels * g->kernel : g->kernel,
                .length = g->kernel * pixel,
                .pixel = pixel};
}

/* Where run (plane, ky) of the patch at (oy, ox) starts in a sample, how much of its beginning lies
 * before the source's row, and where its part within the source ends. */
typedef struct span {
  ptrdiff_t start;
  int low, high;
} span;

static inline span span_of(const mho_conv *g, const runs *r, int plane, int ky, int oy, int ox) {
  int y = oy * g->stride - g->padding + ky, x = ox * g->stride - g->padding;
  if (y < 0 || y >= g->height)
    return (span){0, r->length, r->length};

  int low = mho_min(g->kernel, x < 0 ? -x : 0), high = mho_min(g->kernel, g->width - x);
  ptrdiff_t at = ((ptrdiff_t)plane * g->height + y) * g->width + x;
  return (span){at * r->pixel, low * r->pixel, mho_max(low, high) * r->pixel};
}

/* A memcpy of a known size is a few moves; of an unknown one most of its time is the call. */
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

/* A whole patch that lies within the source, its corner at pixel (y, x). */
static void gather_inner(const mho_conv *g, const runs *r, const mho_real *sample, int y, int x,
                         mho_real *out) {
  const mho_real *plane = sample + ((ptrdiff_t)y * g->width + x) * r->pixel;
  ptrdiff_t line = (ptrdiff_t)g->width * r->pixel;
  for (int run = 0; run < r->n; run += g->kernel, plane += g->height * line)
    for (int ky = 0; ky < g->kernel; ky++, out += r->length)
      copy(out, plane + ky * line, r->length);
}

/* One patch, rows row0 .. row0+rows-1. */
static void gather_patch(const mho_conv *g, const runs *r, const mho_real *sample, int oy, int ox,
                         int row0, int rows, mho_real *out) {
  int y = oy * g->stride - g->padding, x = ox * g->stride - g->padding;
  if (rows == r->n * r->length && y >= 0 && y + g->kernel <= g->height && x >= 0 &&
      x + g->kernel <= g->width) {
    gather_inner(g, r, sample, y, x, out);
    return;
  }

  int run = row0 / r->length, last = mho_min(r->n, (row0 + rows + r->length - 1) / r->length);
  int plane = run / g->kernel, ky = run % g->kernel;
  for (; run < last; run++, ky++) {
    if (ky == g->kernel) {
      ky = 0;
      plane++;
    }

    int base = run * r->length, from = row0 > base ? row0 - base : 0;
    int to = row0 + rows < base + r->length ? row0 + rows - base : r->length;
    span s = span_of(g, r, plane, ky, oy, ox);
    int low = mho_max(from, mho_min(to, s.low));
    int high = mho_min(to, mho_max(low, s.high));

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
  size_t source = mho_conv_source(g);
  const mho_real *sample = x + (size_t)(first / positions) * source;

  for (int i = 0; i < n; i++) {
    gather_patch(g, &r, sample, q / g->out_width, q % g->out_width, row0, rows,
                 out + (size_t)i * (size_t)ld);
    if (++q == positions) {
      q = 0;
      sample += source;
    }
  }
}

void mho_conv_scatter(const mho_conv *g, const mho_real *patches, int ld, int first, int n,
                      mho_real *x) {
  runs r = runs_of(g);
  int positions = mho_conv_positions(g), q = first % positions;
  size_t source = mho_conv_source(g);
  mho_real *sample = x + (size_t)(first / positions) * source;

  for (int i = 0; i < n; i++) {
    const mho_real *patch = patches + (size_t)i * (size_t)ld;
    for (int run = 0; run < r.n; run++) {
      span s = span_of(g, &r, run / g->kernel, run % g->kernel, q / g->out_width, q % g->out_width);
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

int mho_conv_unit(const mho_conv *g, int position, int row) {
  int square = g->kernel * g->kernel;
  int channel = g->planar ? row / square : row % g->channels;
  int tap = g->planar ? row % square : row / g->channels;
  int y = position / g->out_width * g->stride - g->padding + tap / g->kernel;
  int x = position % g->out_width * g->stride - g->padding + tap % g->kernel;
  if (y < 0 || y >= g->height || x < 0 || x >= g->width)
    return -1;
  return g->planar ? (channel * g->height + y) * g->width + x
                   : (y * g->width + x) * g->channels + channel;
}
