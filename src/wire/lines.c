/* lines.c - single lines of an array: chains of wire segments with a load at every node.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire/wire_impl.h"

void mho__wire_chain(int n, ptrdiff_t stride, const double *a, double share, double *c) {
  double s = 0; /* load behind the segment to the node before */
  for (int k = 0; k < n; k++, a += stride, c += stride) {
    s = *a + s / (1 + s);
    *c = 1 / ((k + 1 < n ? 1 : share) + s);
  }
}

void mho__wire_word_line(const mho_wire *w, int i, double v_word, const double *x, int lanes,
                         const double *source, double *v) {
  int cols = w->o.cols;
  size_t row = (size_t)i * (size_t)cols;
  const double *a = w->aw + row, *c = w->cw + row;

  if (w->o.r_word == 0) {
    for (int j = 0; j < cols; j++)
      v[j] = v_word;
    return;
  }

  /* from the open end on the right to the driver on the left, and back */
  double y = 0, r_word = w->o.r_word;
  for (int j = cols - 1; j >= 0; j--) {
    double f = x ? a[j] * x[(size_t)j * (size_t)lanes] : 0;
    if (source)
      f -= r_word * source[j];
    v[j] = y = c[j] * (f + y);
  }

  y = w->word_share * v_word;
  for (int j = 0; j < cols; j++)
    v[j] = y = v[j] + c[j] * y;
}
