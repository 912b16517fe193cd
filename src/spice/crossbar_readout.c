/* crossbar.c - a crossbar read in ngspice for many inputs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include "mho/spice.h"

/* Voltages of the lines at every device of the positive array, [rows x cols]. */
static mho_err read_nodes(mho_spice *s, const mho_netlist_crossbar *x, double *v, bool word,
                          mho_errinfo *ei) {
  bool wired = (word ? x->r_word : x->r_bit) > 0;
  for (int i = 0; i < x->rows; i++)
    for (int j = 0; j < x->cols; j++) {
      char name[48];
      int line = word ? i : j;
      if (wired)
        snprintf(name, sizeof name, "v(%cp_%d_%d)", word ? 'w' : 'b', i, j);
      else
        snprintf(name, sizeof name, "v(%c%d)",
                 word == x->transposed ? 'p'
                 : word                ? 'w'
                                       : 'b',
                 line);
      mho_err err = mho_spice_vector(s, name, &v[(size_t)i * (size_t)x->cols + (size_t)j], 1, ei);
      if (err)
        return err;
    }
  return MHO_OK;
}

static mho_err read_currents(mho_spice *s, const mho_netlist_crossbar *x, int n_out, double *out,
                             mho_errinfo *ei) {
  for (int k = 0; k < n_out; k++) {
    char name[32];
    double pos, neg = 0;
    snprintf(name, sizeof name, "i(vp%d)", k);
    mho_err err = mho_spice_vector(s, name, &pos, 1, ei);
    snprintf(name, sizeof name, "i(vn%d)", k);
    if (!err && x->g_neg)
      err = mho_spice_vector(s, name, &neg, 1, ei);
    if (err)
      return err;
    out[k] = pos - neg;
    if (!isfinite(out[k]))
      return mho_fail(ei, MHO_ESPICE, "ngspice found a current of %g A at output %d", out[k], k);
  }
  return MHO_OK;
}

static mho_err load(mho_spice *s, const mho_netlist_crossbar *x, const double *v, bool nodes,
                    mho_errinfo *ei) {
  mho_netlist_crossbar plain = *x;
  plain.v_in = v;
  plain.save_nodes = nodes;
  plain.expected = NULL;
  plain.control = false;
  char *netlist;
  mho_err err = mho_netlist_crossbar_write(&plain, &netlist, ei);
  if (!err)
    err = mho_spice_load(s, netlist, ei);
  mho_free(netlist);
  return err;
}

mho_err mho_spice_crossbar(mho_spice *s, const mho_netlist_crossbar *x, int n, const double *v,
                           double *i_out, double *v_word, double *v_bit, mho_errinfo *ei) {
  int n_in = x->transposed ? x->cols : x->rows, n_out = x->transposed ? x->rows : x->cols;
  size_t cells = (size_t)x->rows * (size_t)x->cols;
  if (n < 1)
    return mho_fail(ei, MHO_EINVAL, "there are no input vectors");
  mho_err err = load(s, x, v, v_word != NULL, ei);
  for (int k = 0; k < n && !err; k++) {
    for (int i = 0; k && i < n_in && !err; i++) {
      char name[24];
      snprintf(name, sizeof name, "vin%d", i);
      err = mho_spice_alter(s, name, "dc", v[(size_t)k * (size_t)n_in + (size_t)i], ei);
    }
    if (!err)
      err = mho_spice_run(s, "op", ei);
    if (!err)
      err = read_currents(s, x, n_out, i_out + (size_t)k * (size_t)n_out, ei);
    if (!err && v_word)
      err = read_nodes(s, x, v_word + (size_t)k * cells, true, ei);
    if (!err && v_bit)
      err = read_nodes(s, x, v_bit + (size_t)k * cells, false, ei);
  }
  return err;
}
