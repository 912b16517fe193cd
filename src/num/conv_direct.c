/* conv_direct.c - convolutions without patches.
 *
 * What a row of positions reads through one (ky, kx) of the kernel lies evenly spaced in the
 * source, a position's channels side by side: a small matrix that needs no copying. The products of
 * such matrices with [channels x out_channels] blocks of the weights are added up by kernels that
 * are made for their sizes (libxsmm; batch-reduce: E. Georganas et al., arXiv 1906.06440).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "mho/model/num.h"
#include "mho_config.h"

#if defined(MHO_HAVE_XSMM) && !defined(MHO_DOUBLE)
#include <libxsmm.h>

enum { CHANNELS_MIN = 16, KERNEL_MAX = 16 };

typedef libxsmm_smmfunction_reducebatch_addr kernel;

/* C [m x n] += sum of A [m x k] B [k x n], in columns as libxsmm counts; trans_b: B is [n x k]. */
static kernel kernel_of(int m, int n, int k, int lda, int ldb, int ldc, bool trans_b) {
  float one = 1;
  int flags = trans_b ? LIBXSMM_GEMM_FLAG_TRANS_B : 0;
  return libxsmm_smmdispatch_reducebatch_addr(m, n, k, &lda, &ldb, &ldc, &one, &one, &flags, NULL);
}

bool mho_conv_is_direct(const mho_conv *g) {
  return g->kernel && g->kernel <= KERNEL_MAX && !g->planar && g->channels >= CHANNELS_MIN &&
         g->out_channels >= CHANNELS_MIN && g->stride <= g->kernel &&
         kernel_of(g->out_channels, 1, g->channels, g->out_channels, g->stride * g->channels,
                   g->out_channels, false) &&
         kernel_of(g->out_channels, g->channels, 1, g->out_channels, g->stride * g->channels,
                   g->out_channels, true);
}

/* Positions of a row that read within the source through column kx of the kernel: ox0 ..
 * ox0+n-1. */
typedef struct span {
  int ox0, n;
} span;

static span span_of(const mho_conv *g, int kx) {
  int before = g->padding - kx, ox0 = before > 0 ? (before + g->stride - 1) / g->stride : 0;
  int room = g->width - 1 + before, last = room < 0 ? -1 : room / g->stride;
  last = last < g->out_width ? last : g->out_width - 1;
  return (span){ox0, last < ox0 ? 0 : last - ox0 + 1};
}

/* Where position ox0 of a row reads row y of a sample through column kx, in pixels. */
static ptrdiff_t pixel_of(const mho_conv *g, int y, int ox0, int kx) {
  return (ptrdiff_t)y * g->width + ox0 * g->stride - g->padding + kx;
}

static size_t target_of(const mho_conv *g) {
  return (size_t)g->out_channels * (size_t)mho_conv_positions(g);
}

/* Row oy of a target, through columns kx0 .. kx1-1, which have the same span. */
static void add_row(const mho_conv *g, kernel f, const float *sample, const float *w, int oy,
                    span s, int kx0, int kx1, float *row) {
  const float *a[KERNEL_MAX * KERNEL_MAX], *b[KERNEL_MAX * KERNEL_MAX];
  unsigned long long count = 0;
  size_t block = (size_t)g->channels * (size_t)g->out_channels;

  for (int ky = 0; ky < g->kernel; ky++) {
    int y = oy * g->stride - g->padding + ky;
    if (y < 0 || y >= g->height)
      continue;
    for (int kx = kx0; kx < kx1; kx++) {
      a[count] = w + (size_t)(ky * g->kernel + kx) * block;
      b[count++] = sample + pixel_of(g, y, s.ox0, kx) * g->channels;
    }
  }

  if (count)
    f(a, b, row + (size_t)s.ox0 * (size_t)g->out_channels, &count);
}

void mho_conv_forward(const mho_conv *g, int n, const mho_real *x, const mho_real *w,
                      mho_real *out) {
  for (int kx0 = 0, kx1; kx0 < g->kernel; kx0 = kx1) {
    span s = span_of(g, kx0);
    for (kx1 = kx0 + 1; kx1 < g->kernel; kx1++) {
      span next = span_of(g, kx1);
      if (next.ox0 != s.ox0 || next.n != s.n)
        break;
    }
    if (!s.n)
      continue;

    kernel f = kernel_of(g->out_channels, s.n, g->channels, g->out_channels,
                         g->stride * g->channels, g->out_channels, false);
    for (int i = 0; i < n * g->out_height; i++)
      add_row(g, f, x + (size_t)(i / g->out_height) * mho_conv_source(g), w, i % g->out_height, s,
              kx0, kx1, out + (size_t)i * (size_t)g->out_width * (size_t)g->out_channels);
  }
}

/* Row y of a source, from all rows of the target that read it through column kx. */
static void add_source_row(const mho_conv *g, kernel f, const float *target, const float *w, int y,
                           span s, int kx, float *sample) {
  const float *a[KERNEL_MAX], *b[KERNEL_MAX];
  unsigned long long count = 0;
  size_t block = (size_t)g->channels * (size_t)g->out_channels;

  for (int ky = 0; ky < g->kernel; ky++) {
    int at = y + g->padding - ky, oy = at / g->stride;
    if (at < 0 || at % g->stride || oy >= g->out_height)
      continue;
    a[count] = w + (size_t)(ky * g->kernel + kx) * block;
    b[count++] =
        target + ((size_t)oy * (size_t)g->out_width + (size_t)s.ox0) * (size_t)g->out_channels;
  }

  if (count)
    f(a, b, sample + pixel_of(g, y, s.ox0, kx) * g->channels, &count);
}

void mho_conv_back(const mho_conv *g, int n, const mho_real *v, const mho_real *w, mho_real scale,
                   mho_real *x, mho_real *scratch) {
  int m = g->out_channels, c = g->channels;

  /* blocks of the weights transposed, [out_channels x channels] */
  for (int b = 0; b < g->kernel * g->kernel; b++)
    for (int i = 0; i < m; i++)
      for (int j = 0; j < c; j++)
        scratch[((size_t)b * (size_t)m + (size_t)i) * (size_t)c + (size_t)j] =
            scale * w[((size_t)b * (size_t)c + (size_t)j) * (size_t)m + (size_t)i];

  for (int kx = 0; kx < g->kernel; kx++) {
    span s = span_of(g, kx);
    if (!s.n)
      continue;

    kernel f = kernel_of(c, s.n, m, c, m, g->stride * c, false);
    for (int i = 0; i < n * g->height; i++)
      add_source_row(g, f, v + (size_t)(i / g->height) * target_of(g), scratch, i % g->height, s,
                     kx, x + (size_t)(i / g->height) * mho_conv_source(g));
  }
}

/* Rows of the gradient that belong to `end - row` channels of one (ky, kx), from one sample. */
static void add_gradient(const mho_conv *g, const float *sample, const float *target, int row,
                         int end, float *out) {
  enum { AT_ONCE = 64 };
  int m = g->out_channels, c = g->channels, ky = row / c / g->kernel, kx = row / c % g->kernel;
  span s = span_of(g, kx);
  if (!s.n)
    return;

  const float *a[AT_ONCE], *b[AT_ONCE];
  unsigned long long count = 0;
  for (int oy = 0; oy < g->out_height; oy++) {
    int y = oy * g->stride - g->padding + ky;
    if (y >= 0 && y < g->height) {
      a[count] = target + ((size_t)oy * (size_t)g->out_width + (size_t)s.ox0) * (size_t)m;
      b[count++] = sample + row % c + pixel_of(g, y, s.ox0, kx) * c;
    }

    if (count == AT_ONCE || (count > 0 && oy == g->out_height - 1)) {
      kernel f = kernel_of(m, end - row, s.n, m, g->stride * c, m, true);
      f(a, b, out, &count);
      count = 0;
    }
  }
}

void mho_conv_gradient(const mho_conv *g, int n, const mho_real *x, const mho_real *v, int row0,
                       int rows, mho_real *out) {
  int c = g->channels;
  for (int i = 0; i < n; i++)
    for (int row = row0, end; row < row0 + rows; row = end) {
      end = mho_min((row / c + 1) * c, row0 + rows);
      add_gradient(g, x + (size_t)i * mho_conv_source(g), v + (size_t)i * target_of(g), row, end,
                   out + (size_t)(row - row0) * (size_t)g->out_channels);
    }
}

#else

bool mho_conv_is_direct(const mho_conv *g) {
  return false;
}
void mho_conv_forward(const mho_conv *g, int n, const mho_real *x, const mho_real *w,
                      mho_real *out) {}
void mho_conv_back(const mho_conv *g, int n, const mho_real *v, const mho_real *w, mho_real scale,
                   mho_real *x, mho_real *scratch) {}
void mho_conv_gradient(const mho_conv *g, int n, const mho_real *x, const mho_real *v, int row0,
                       int rows, mho_real *out) {}

#endif
