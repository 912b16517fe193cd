/* place.c - cutting crossbars into physical tiles (see place.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/place.h"
#include "array/weights.h"

/* Banks that lie in neighbouring columns of a tile. */
static int banks_together(const mho_crossbar *x, const mho_array_config *o) {
  return o->wire_negative == MHO_WIRE_NEGATIVE_NEIGHBOUR ? x->n_banks : 1;
}

void mho__places_size(const mho_crossbar *x, const mho_array_config *o, int *rows, int *cols) {
  *rows = o->wire_tile.v[0];
  *cols = mho_max(o->wire_tile.v[o->wire_tile.n - 1] / banks_together(x, o), 1);
}

int mho__places_cut(const mho_crossbar *x, int c, const mho_array_config *o, mho_place *out) {
  int together = banks_together(x, o), rows, cols, count = 0;
  mho__places_size(x, o, &rows, &cols);

  for (int row0 = 0; row0 < x->rows; row0 += rows)
    for (int col0 = 0; col0 < x->cols; col0 += cols)
      for (int bank = 0; bank < x->n_banks; bank += together, count++) {
        int n = mho_min(cols, x->cols - col0);
        if (out)
          out[count] = (mho_place){.crossbar = c,
                                   .bank = bank,
                                   .n_banks = together,
                                   .row0 = row0,
                                   .col0 = col0,
                                   .rows = mho_min(rows, x->rows - row0),
                                   .cols = n,
                                   .width = together * n};
      }
  return count;
}

/* One row of a bank into every `step`-th number. */
static void gather_row(const mho_place *p, const mho_crossbar *x, int bank, int row, double low,
                       double range, double top, double *out, int step) {
  size_t first = (size_t)(p->row0 + row) * (size_t)x->cols + (size_t)p->col0;
  if (mho_crossbar_has_cells(x)) {
    const float *g = mho_crossbar_shown(x, bank) + first;
    for (int j = 0; j < p->cols; j++) {
      double v = low + range * (double)g[j];
      out[j * step] = v > 0 ? v : 0; /* an open cell */
    }
    return;
  }

  const mho_real *w = x->weights->programmed + first;
  double half = 0.5 * x->role[bank].gain / top;
  for (int j = 0; j < p->cols; j++)
    out[j * step] = low + range * (0.5 + half * (double)w[j]);
}

void mho__place_gather(const mho_place *p, const mho_crossbar *x, double g_min, double g_max,
                       double top, double *g) {
  double range = g_max - g_min;
  for (int i = 0; i < p->rows; i++) {
    double *row = g + (size_t)i * (size_t)p->width;
    for (int k = 0; k < p->n_banks; k++)
      gather_row(p, x, p->bank + k, i, g_min, range, top, row + k, p->n_banks);
  }
}
