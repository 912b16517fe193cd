/* place.c - cutting crossbars into physical tiles (see place.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/place.h"
#include "array/weights.h"

static bool holds_both(const mho_array_config *o) {
  return o->wire_negative == MHO_WIRE_NEGATIVE_NEIGHBOUR;
}

void mho__places_size(const mho_array_config *o, int *rows, int *cols) {
  *rows = o->wire_tile.v[0];
  *cols = o->wire_tile.v[o->wire_tile.n - 1];
  if (holds_both(o))
    *cols = mho_max(*cols / 2, 1);
}

int mho__places_cut(const mho_crossbar *x, int c, const mho_array_config *o, mho_place *out) {
  bool both = holds_both(o);
  int first = both ? MHO_BANK_BOTH : MHO_BANK_POS;
  int last = both ? MHO_BANK_BOTH : MHO_BANK_NEG;
  int rows, cols, count = 0;
  mho__places_size(o, &rows, &cols);

  for (int row0 = 0; row0 < x->rows; row0 += rows)
    for (int col0 = 0; col0 < x->cols; col0 += cols)
      for (int bank = first; bank <= last; bank++, count++) {
        int n = mho_min(cols, x->cols - col0);
        if (out)
          out[count] = (mho_place){.crossbar = c,
                                   .bank = bank,
                                   .row0 = row0,
                                   .col0 = col0,
                                   .rows = mho_min(rows, x->rows - row0),
                                   .cols = n,
                                   .width = both ? 2 * n : n};
      }
  return count;
}

/* One row of a bank into every `step`-th number. */
static void gather_row(const mho_place *p, const mho_crossbar *x, int bank, int row, double low,
                       double range, double top, double *out, int step) {
  size_t first = (size_t)(p->row0 + row) * (size_t)x->cols + (size_t)p->col0;
  if (x->pos) {
    const float *g = mho_crossbar_shown(x, bank) + first;
    for (int j = 0; j < p->cols; j++) {
      double v = low + range * (double)g[j];
      out[j * step] = v > 0 ? v : 0; /* an open cell */
    }
    return;
  }

  const mho_real *w = x->weights->programmed + first;
  double half = (bank ? -0.5 : 0.5) / top;
  for (int j = 0; j < p->cols; j++)
    out[j * step] = low + range * (0.5 + half * (double)w[j]);
}

void mho__place_gather(const mho_place *p, const mho_crossbar *x, double g_min, double g_max,
                       double top, double *g) {
  double range = g_max - g_min;
  for (int i = 0; i < p->rows; i++) {
    double *row = g + (size_t)i * (size_t)p->width;
    if (p->bank == MHO_BANK_BOTH) {
      gather_row(p, x, MHO_BANK_POS, i, g_min, range, top, row, 2);
      gather_row(p, x, MHO_BANK_NEG, i, g_min, range, top, row + 1, 2);
    } else {
      gather_row(p, x, p->bank, i, g_min, range, top, row, 1);
    }
  }
}
