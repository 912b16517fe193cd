/* crossbar_currents.c - what the core expects of a crossbar's circuit: exact solutions of its tiles, summed.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/spice.h"
#include "mho/wire.h"

typedef struct tile {
  int row0, col0, rows, cols;
} tile;

/* Add sign times the currents of one tile's devices, a part of g; cells, line: room for the tile's conductances and for
 * the currents of its sensed lines. */
static mho_err add_tile(const mho_netlist_crossbar *x, mho_wire *w, const tile *t, const double *g,
                        double sign, double *cells, double *line, double *out, mho_errinfo *ei) {
  for (int i = 0; i < t->rows; i++)
    for (int j = 0; j < t->cols; j++)
      cells[i * t->cols + j] = g[(size_t)(t->row0 + i) * (size_t)x->cols + (size_t)(t->col0 + j)];
  mho_wire_read forward = {.n = 1, .v_word = x->v_in + t->row0, .i_bit = line};
  mho_wire_read back = {.n = 1, .v_bit = x->v_in + t->col0, .i_word = line};
  mho_err err = mho_wire_set(w, cells, ei);
  if (!err)
    err = mho_wire_solve(w, x->transposed ? &back : &forward, NULL, ei);
  for (int k = 0; k < (x->transposed ? t->rows : t->cols) && !err; k++)
    out[k + (x->transposed ? t->row0 : t->col0)] += x->transposed ? -sign * line[k] : sign * line[k];
  return err;
}

mho_err mho_netlist_crossbar_currents(const mho_netlist_crossbar *x, double *out, mho_errinfo *ei) {
  int rows = x->tile[0] > 0 && x->tile[0] < x->rows ? x->tile[0] : x->rows;
  int cols = x->tile[1] > 0 && x->tile[1] < x->cols ? x->tile[1] : x->cols;
  double *cells = mho_alloc((size_t)rows * (size_t)cols, sizeof *cells);
  double *line = mho_alloc((size_t)(rows > cols ? rows : cols), sizeof *line);
  mho_err err =
      cells && line ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for a tile of %d x %d", rows, cols);
  for (int k = 0; k < (x->transposed ? x->rows : x->cols); k++)
    out[k] = 0;
  for (int r = 0; r < x->rows && !err; r += rows)
    for (int c = 0; c < x->cols && !err; c += cols) {
      tile t = {r, c, x->rows - r < rows ? x->rows - r : rows, x->cols - c < cols ? x->cols - c : cols};
      mho_wire *w = NULL;
      err = mho_wire_new(
          &(mho_wire_options){.rows = t.rows, .cols = t.cols, .r_word = x->r_word, .r_bit = x->r_bit}, &w,
          ei);
      if (!err)
        err = add_tile(x, w, &t, x->g_pos, 1, cells, line, out, ei);
      if (!err && x->g_neg)
        err = add_tile(x, w, &t, x->g_neg, -1, cells, line, out, ei);
      mho_wire_free(w);
    }
  mho_free(cells);
  mho_free(line);
  return err;
}
