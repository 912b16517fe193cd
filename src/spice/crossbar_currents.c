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
    out[k + (x->transposed ? t->row0 : t->col0)] +=
        x->transposed ? -sign * line[k] : sign * line[k];
  return err;
}

/* The law as the solver of wires knows it. */
static mho_err find_law(const mho_device_config *d, mho_wire_law *out, mho_errinfo *ei) {
  *out = (mho_wire_law){.kind = MHO_WIRE_OHMIC};
  if (d->iv.law == MHO_IV_SINH)
    *out = (mho_wire_law){.kind = MHO_WIRE_SINH, .v_0 = 1 / d->iv.b};
  else if (d->iv.law == MHO_IV_POLYNOMIAL)
    *out = (mho_wire_law){.kind = MHO_WIRE_POLYNOMIAL, .c_2 = d->iv.k2, .c_3 = d->iv.k3};
  else if (d->iv.law != MHO_IV_OHMIC)
    return mho_fail(
        ei, MHO_EUNSUPPORTED,
        "device.iv.law: hfo2 between wires has no solution to compare with (its curve is another one for "
        "every cell): use sinh or polynomial, or set array.wire.r_word and r_bit to 0");
  return MHO_OK;
}

/* As add_tile, of devices with an I-V law. A transposed read drives the bit lines the other way round, so that the
 * voltage of a device is that of the driven line against the sensed one. */
static mho_err add_bent_tile(const mho_netlist_crossbar *x, const mho_wire_options *o,
                             const tile *t, const double *g, double sign, double *cells,
                             double *line, double *out, mho_errinfo *ei) {
  mho_wire_law law;
  mho_err err = find_law(x->iv, &law, ei);
  int n = x->transposed ? t->rows : t->cols;
  double *back = mho_alloc((size_t)t->cols, sizeof *back);
  if (!err && !back)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the voltages of %d lines", t->cols);
  for (int j = 0; !err && j < t->cols && x->transposed; j++)
    back[j] = -x->v_in[t->col0 + j];

  for (int i = 0; i < t->rows; i++)
    for (int j = 0; j < t->cols; j++)
      cells[i * t->cols + j] = g[(size_t)(t->row0 + i) * (size_t)x->cols + (size_t)(t->col0 + j)];
  mho_wire_read read = {.n = 1, .v_word = x->v_in + t->row0, .i_bit = line};
  if (x->transposed)
    read = (mho_wire_read){.n = 1, .v_bit = back, .i_word = line};
  if (!err)
    err = mho_wire_newton(o, cells, &law, &read, NULL, ei);

  for (int k = 0; !err && k < n; k++)
    out[k + (x->transposed ? t->row0 : t->col0)] += sign * line[k];
  mho_free(back);
  return err;
}

/* Lines without resistance: every device has the voltage of its driven line. */
static void add_devices(const mho_netlist_crossbar *x, const double *g, double sign, double *out) {
  for (int i = 0; i < x->rows; i++)
    for (int j = 0; j < x->cols; j++) {
      double v = x->v_in[x->transposed ? j : i];
      double cell = g[(size_t)i * (size_t)x->cols + (size_t)j];
      out[x->transposed ? i : j] += sign * mho_device_current(x->iv, cell, v, NULL);
    }
}

mho_err mho_netlist_crossbar_currents(const mho_netlist_crossbar *x, double *out, mho_errinfo *ei) {
  int rows = x->tile[0] > 0 && x->tile[0] < x->rows ? x->tile[0] : x->rows;
  int cols = x->tile[1] > 0 && x->tile[1] < x->cols ? x->tile[1] : x->cols;
  double *cells = mho_alloc((size_t)rows * (size_t)cols, sizeof *cells);
  double *line = mho_alloc((size_t)(rows > cols ? rows : cols), sizeof *line);
  mho_err err = cells && line
                    ? MHO_OK
                    : mho_fail(ei, MHO_ENOMEM, "no memory for a tile of %d x %d", rows, cols);
  for (int k = 0; k < (x->transposed ? x->rows : x->cols); k++)
    out[k] = 0;
  bool wires = x->r_word > 0 || x->r_bit > 0;
  if (!err && x->iv && !wires) {
    add_devices(x, x->g_pos, 1, out);
    if (x->g_neg)
      add_devices(x, x->g_neg, -1, out);
    mho_free(cells);
    mho_free(line);
    return MHO_OK;
  }
  for (int r = 0; r < x->rows && !err; r += rows)
    for (int c = 0; c < x->cols && !err; c += cols) {
      tile t = {r, c, x->rows - r < rows ? x->rows - r : rows,
                x->cols - c < cols ? x->cols - c : cols};
      mho_wire *w = NULL;
      mho_wire_options o = {.rows = t.rows, .cols = t.cols, .r_word = x->r_word, .r_bit = x->r_bit};
      if (x->iv) {
        err = add_bent_tile(x, &o, &t, x->g_pos, 1, cells, line, out, ei);
        if (!err && x->g_neg)
          err = add_bent_tile(x, &o, &t, x->g_neg, -1, cells, line, out, ei);
        continue;
      }
      err = mho_wire_new(&o, &w, ei);
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
