/* crossbar_readout.c - a crossbar read in ngspice for many inputs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include "mho/model/circuit.h"
#include "spice/netlist_crossbar.h"

/* Name of the voltage of the word or bit line at device (i, j) of the first array: a node of its
 * own where the line has resistance, else the whole line, which is the sensed one or the driven
 * one, or the node behind the resistance of its end. */
static void name_node(const mho_netlist_crossbar *x, bool word, int i, int j, char name[48]) {
  char line = word ? 'w' : 'b';
  char sign = mho__netlist_role(x, 0)->letter, end = word == x->transposed ? sign : line;
  bool wired = (word ? x->r_word : x->r_bit) > 0, behind = (word ? x->word_end : x->bit_end) > 0;

  if (wired)
    snprintf(name, 48, "v(%c%c_%d_%d)", line, sign, i, j);
  else if (behind)
    snprintf(name, 48, "v(%ce%c_%d)", line, sign, word ? i : j);
  else
    snprintf(name, 48, "v(%c%d)", end, word ? i : j);
}

/* Voltages of the lines at every device of the first array, [rows x cols]. */
static mho_err read_nodes(mho_spice *s, const mho_netlist_crossbar *x, double *v, bool word,
                          mho_errinfo *ei) {
  for (int i = 0; i < x->rows; i++)
    for (int j = 0; j < x->cols; j++) {
      char name[48];
      name_node(x, word, i, j, name);
      mho_err err = mho_spice_vector(s, name, &v[mho__netlist_cell(x, i, j)], 1, ei);
      if (err)
        return err;
    }
  return MHO_OK;
}

static mho_err read_currents(mho_spice *s, const mho_netlist_crossbar *x, double *out,
                             mho_errinfo *ei) {
  for (int k = 0; k < mho__netlist_sensed(x); k++) {
    out[k] = 0;
    for (int b = 0; b < x->n_banks; b++) {
      const mho_bank *role = mho__netlist_role(x, b);
      char name[32];
      double current;
      snprintf(name, sizeof name, "i(v%c%d)", role->letter, k);
      mho_err err = mho_spice_vector(s, name, &current, 1, ei);
      if (err)
        return err;
      out[k] += role->gain * current;
    }

    if (!isfinite(out[k]))
      return mho_fail(ei, MHO_ESPICE, "ngspice found a current of %g A at output %d", out[k], k);
  }
  return MHO_OK;
}

static mho_err load(mho_spice *s, const mho_netlist_crossbar *x, const double *v, bool nodes,
                    mho_errinfo *ei) {
  char *netlist;
  mho_netlist_crossbar plain = *x;
  plain.v_in = v;
  plain.save_nodes = nodes;
  plain.expected = NULL;
  plain.control = false;

  mho_err err = mho_netlist_crossbar_write(&plain, &netlist, ei);
  if (!err)
    err = mho_spice_load(s, netlist, ei);
  mho_free(netlist);
  return err;
}

static mho_err alter_inputs(mho_spice *s, const mho_netlist_crossbar *x, const double *v,
                            mho_errinfo *ei) {
  for (int i = 0; i < mho__netlist_driven(x); i++) {
    char name[24];
    snprintf(name, sizeof name, "vin%d", i);
    mho_err err = mho_spice_alter(s, name, "dc", v[i], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

mho_err mho_spice_crossbar(mho_spice *s, const mho_netlist_crossbar *x, int n, const double *v,
                           double *i_out, double *v_word, double *v_bit, mho_errinfo *ei) {
  size_t n_in = (size_t)mho__netlist_driven(x), n_out = (size_t)mho__netlist_sensed(x);
  size_t cells = (size_t)x->rows * (size_t)x->cols;

  if (n < 1)
    return mho_fail(ei, MHO_EINVAL, "there are no input vectors");

  mho_err err = load(s, x, v, v_word != NULL, ei); /* with the first vector */
  for (size_t k = 0; k < (size_t)n; k++) {
    if (!err && k > 0)
      err = alter_inputs(s, x, v + k * n_in, ei);
    if (!err)
      err = mho_spice_run(s, "op", ei);
    if (!err)
      err = read_currents(s, x, i_out + k * n_out, ei);
    if (!err && v_word)
      err = read_nodes(s, x, v_word + k * cells, true, ei);
    if (!err && v_bit)
      err = read_nodes(s, x, v_bit + k * cells, false, ei);
  }
  return err;
}
