/* netlist_crossbar.h - a crossbar's elements inside another netlist.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_NETLIST_CROSSBAR_H
#define MHO_SPICE_NETLIST_CROSSBAR_H

#include "mho/model/circuit.h"
#include "mho/spice.h"
#include "spice/netlist_text.h"

/* Sources, devices, wires and virtual grounds, without title and results. As
 * mho_netlist_crossbar_write. */
mho_err mho__netlist_crossbar_body(mho_spice_text *t, const mho_netlist_crossbar *x,
                                   mho_errinfo *ei);

/* Lines that are driven and lines that are sensed. */
static inline int mho__netlist_driven(const mho_netlist_crossbar *x) {
  return x->transposed ? x->cols : x->rows;
}
static inline int mho__netlist_sensed(const mho_netlist_crossbar *x) {
  return x->transposed ? x->rows : x->cols;
}

/* Where the device at a row and a column lies in [rows x cols]. */
static inline size_t mho__netlist_cell(const mho_netlist_crossbar *x, int row, int col) {
  return (size_t)row * (size_t)x->cols + (size_t)col;
}

/* The same of a crossbar of the core: the number of its cells, and where one lies among them. */
static inline size_t mho__core_cell(const mho_crossbar *x, int row, int col) {
  return (size_t)row * (size_t)x->cols + (size_t)col;
}

/* What a bank of the netlist is. */
const mho_bank *mho__netlist_role(const mho_netlist_crossbar *x, int bank);

static inline bool mho__netlist_has_wires(const mho_netlist_crossbar *x) {
  return x->r_word > 0 || x->r_bit > 0;
}

/* Rows and columns of a physical tile: those of the array where it is not cut, or is smaller. */
static inline int mho__netlist_tile_rows(const mho_netlist_crossbar *x) {
  return x->tile[0] > 0 ? mho_min(x->tile[0], x->rows) : x->rows;
}
static inline int mho__netlist_tile_cols(const mho_netlist_crossbar *x) {
  return x->tile[1] > 0 ? mho_min(x->tile[1], x->cols) : x->cols;
}

/* Resistance of a device that is there even when it does not conduct, because it may later. */
static inline double mho__netlist_ohm(double g) {
  return 1 / (g > 1e-21 ? g : 1e-21);
}

#endif
