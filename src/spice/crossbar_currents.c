/* crossbar_currents.c - currents that the core expects of a crossbar's circuit, tile by tile.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/circuit.h"
#include "mho/wire.h"
#include "spice/netlist_crossbar.h"

/* A tile, and room for its conductances and for the currents of its sensed lines. */
typedef struct tile {
  int row0, col0, rows, cols;
  double *cells, *line; /* [rows x cols] S, [rows or cols] A */
} tile;

/* Copy the tile's conductances out of g. */
static void take_cells(const mho_netlist_crossbar *x, const tile *t, const double *g) {
  for (int i = 0; i < t->rows; i++)
    for (int j = 0; j < t->cols; j++)
      t->cells[i * t->cols + j] = g[mho__netlist_cell(x, t->row0 + i, t->col0 + j)];
}

/* Add gain times the currents of the tile's sensed lines. */
static void add_lines(const mho_netlist_crossbar *x, const tile *t, double gain, double *out) {
  int n = x->transposed ? t->rows : t->cols;
  int first = x->transposed ? t->row0 : t->col0;
  for (int k = 0; k < n; k++)
    out[first + k] += gain * t->line[k];
}

/* ---------------------------------------------------------------- resistors */

/* Add gain times the currents of one tile's devices, whose conductances are in g. The solver counts
 * a word line's current into its left end, so that of a transposed read has the other sign. */
static mho_err add_tile(const mho_netlist_crossbar *x, mho_wire *w, const tile *t, const double *g,
                        double gain, double *out, mho_errinfo *ei) {
  mho_wire_read read = {.n = 1, .v_word = x->v_in + t->row0, .i_bit = t->line};
  if (x->transposed)
    read = (mho_wire_read){.n = 1, .v_bit = x->v_in + t->col0, .i_word = t->line};

  take_cells(x, t, g);
  mho_err err = mho_wire_set(w, t->cells, ei);
  if (!err)
    err = mho_wire_solve(w, &read, NULL, ei);
  if (!err)
    add_lines(x, t, x->transposed ? -gain : gain, out);
  return err;
}

static mho_err add_linear_tile(const mho_netlist_crossbar *x, const mho_wire_options *o,
                               const tile *t, double *out, mho_errinfo *ei) {
  mho_wire *w = NULL;
  mho_err err = mho_wire_new(o, &w, ei);
  for (int k = 0; k < x->n_banks; k++)
    if (!err)
      err = add_tile(x, w, t, x->g[k], mho__netlist_role(x, k)->gain, out, ei);
  mho_wire_free(w);
  return err;
}

/* ---------------------------------------------------------------- devices with an I-V law */

/* The law as the solver of wires knows it. */
static mho_err find_law(const mho_device_config *d, mho_wire_law *out, mho_errinfo *ei) {
  switch (d->iv.law) {
  case MHO_IV_OHMIC:
    *out = (mho_wire_law){.kind = MHO_WIRE_OHMIC};
    return MHO_OK;
  case MHO_IV_SINH:
    *out = (mho_wire_law){.kind = MHO_WIRE_SINH, .v_0 = 1 / d->iv.b};
    return MHO_OK;
  case MHO_IV_POLYNOMIAL:
    *out = (mho_wire_law){.kind = MHO_WIRE_POLYNOMIAL, .c_2 = d->iv.k2, .c_3 = d->iv.k3};
    return MHO_OK;
  default:
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "device.iv.law: hfo2 between wires has no solution to compare with (its curve "
                    "is another one for every cell): use sinh or polynomial, or set "
                    "array.wire.r_word and r_bit to 0");
  }
}

/* As add_tile. A transposed read drives the bit lines the other way round, so that the voltage of a
 * device is that of the driven line against the sensed one. */
static mho_err add_bent_tile(const mho_netlist_crossbar *x, const mho_wire_options *o,
                             const tile *t, const double *g, double gain, double *out,
                             mho_errinfo *ei) {
  mho_wire_law law;
  mho_wire_read read = {.n = 1, .v_word = x->v_in + t->row0, .i_bit = t->line};
  mho_err err = find_law(x->iv, &law, ei);
  if (err)
    return err;

  double *back = mho_alloc((size_t)t->cols, sizeof *back);
  if (!back)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the voltages of %d lines", t->cols);

  if (x->transposed) {
    for (int j = 0; j < t->cols; j++)
      back[j] = -x->v_in[t->col0 + j];
    read = (mho_wire_read){.n = 1, .v_bit = back, .i_word = t->line};
  }

  take_cells(x, t, g);
  err = mho_wire_newton(o, t->cells, &law, &read, NULL, ei);
  if (!err)
    add_lines(x, t, gain, out);
  mho_free(back);
  return err;
}

/* Lines without resistance: every device has the voltage of its driven line. */
static void add_devices(const mho_netlist_crossbar *x, const double *g, double gain, double *out) {
  for (int i = 0; i < x->rows; i++)
    for (int j = 0; j < x->cols; j++) {
      double v = x->v_in[x->transposed ? j : i];
      double cell = g[mho__netlist_cell(x, i, j)];
      out[x->transposed ? i : j] += gain * mho_device_current(x->iv, cell, v, NULL);
    }
}

/* ---------------------------------------------------------------- all tiles */

static mho_err add_currents(const mho_netlist_crossbar *x, const tile *t, double *out,
                            mho_errinfo *ei) {
  mho_wire_options o = {.rows = t->rows,
                        .cols = t->cols,
                        .r_word = x->r_word,
                        .r_bit = x->r_bit,
                        .word_end = x->word_end,
                        .bit_end = x->bit_end};

  if (!x->iv)
    return add_linear_tile(x, &o, t, out, ei);

  mho_err err = MHO_OK;
  for (int k = 0; k < x->n_banks; k++)
    if (!err)
      err = add_bent_tile(x, &o, t, x->g[k], mho__netlist_role(x, k)->gain, out, ei);
  return err;
}

static mho_err add_tiles(const mho_netlist_crossbar *x, double *out, mho_errinfo *ei) {
  int rows = mho__netlist_tile_rows(x), cols = mho__netlist_tile_cols(x);
  double *cells = mho_alloc((size_t)rows * (size_t)cols, sizeof *cells);
  double *line = mho_alloc((size_t)mho_max(rows, cols), sizeof *line);

  mho_err err = MHO_OK;
  if (!cells || !line)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a tile of %d x %d", rows, cols);

  for (int r = 0; r < x->rows; r += rows)
    for (int c = 0; c < x->cols; c += cols) {
      if (err)
        break;
      tile t = {.row0 = r,
                .col0 = c,
                .rows = mho_min(rows, x->rows - r),
                .cols = mho_min(cols, x->cols - c),
                .cells = cells,
                .line = line};
      err = add_currents(x, &t, out, ei);
    }

  mho_free(cells);
  mho_free(line);
  return err;
}

mho_err mho_netlist_crossbar_currents(const mho_netlist_crossbar *x, double *out, mho_errinfo *ei) {
  for (int k = 0; k < mho__netlist_sensed(x); k++)
    out[k] = 0;

  bool has_ends = x->word_end > 0 || x->bit_end > 0;
  if (!x->iv || mho__netlist_has_wires(x) || has_ends)
    return add_tiles(x, out, ei);

  for (int k = 0; k < x->n_banks; k++)
    add_devices(x, x->g[k], mho__netlist_role(x, k)->gain, out);
  return MHO_OK;
}
