/* cosim.c - the same circuit in ngspice and in the core, and how far apart they are.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/spice.h"

#include <math.h>
#include <stdio.h>

/* The currents of the outputs, [n], and the largest current that is sensed (A). */
static mho_err read_currents(mho_spice *s, const mho_netlist_crossbar *x, int n, double *out, double *largest,
                             mho_errinfo *ei) {
  *largest = 0;
  for (int k = 0; k < n; k++) {
    char name[32];
    double pos, neg = 0;
    snprintf(name, sizeof name, "i(vp%d)", k);
    mho_err err = mho_spice_vector(s, name, &pos, 1, ei);
    snprintf(name, sizeof name, "i(vn%d)", k);
    if (!err && x->g_neg)
      err = mho_spice_vector(s, name, &neg, 1, ei);
    if (err)
      return err;
    if (!isfinite(pos) || !isfinite(neg))
      return mho_fail(ei, MHO_ESPICE, "ngspice found a current of %g A at output %d",
                      isfinite(pos) ? neg : pos, k);
    out[k] = pos - neg;
    *largest = fmax(*largest, fmax(fabs(pos), fabs(neg)));
  }
  return MHO_OK;
}

static mho_err run(mho_spice *s, const mho_netlist_crossbar *x, int n, double *out, double *largest,
                   mho_errinfo *ei) {
  char *netlist;
  mho_err err = mho_netlist_crossbar_write(x, &netlist, ei);
  if (err)
    return err;
  err = mho_spice_load(s, netlist, ei);
  mho_free(netlist);
  if (!err)
    err = mho_spice_run(s, "op", ei);
  if (!err)
    err = read_currents(s, x, n, out, largest, ei);
  return err;
}

/* Fills the row's n, differences and place: the index of the largest difference. */
static int compare(int n, const double *core, const double *spice, double largest_sensed,
                   mho_cosim_row *row) {
  double scale = 0, squares = 0;
  int at = 0;
  row->n = n;
  row->max_abs = 0;
  for (int k = 0; k < n; k++) {
    double d = fabs(core[k] - spice[k]);
    scale = fmax(scale, fabs(core[k]));
    squares += d * d;
    if (d > row->max_abs) {
      row->max_abs = d;
      at = k;
    }
  }
  row->rms = sqrt(squares / n);
  if (scale == 0)
    scale = largest_sensed;
  row->max_rel = row->max_abs == 0 ? 0 : row->max_abs / scale;
  return at;
}

mho_err mho_cosim_crossbar(mho_spice *s, const mho_netlist_crossbar *x, const double *core, double tolerance,
                           char place[MHO_PLACE_MAX], mho_cosim_row *row, mho_errinfo *ei) {
  int n = x->transposed ? x->rows : x->cols;
  double start = mho_seconds(), largest;
  for (int k = 0; k < n; k++)
    if (!isfinite(core[k]))
      return mho_fail(ei, MHO_EINVAL, "the core's current %d is %g", k, core[k]);
  double *spice = mho_alloc(n > 0 ? (size_t)n : 1, sizeof *spice);
  if (!spice)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d currents", n);
  mho_err err = run(s, x, n, spice, &largest, ei);
  if (!err) {
    *row = (mho_cosim_row){.what = "crossbar",
                           .quantity = x->transposed ? "row current" : "column current",
                           .unit = "A",
                           .place = place,
                           .tolerance = tolerance,
                           .core_s = (double)NAN,
                           .spice_s = mho_seconds() - start};
    int at = compare(n, core, spice, largest, row);
    row->pass = row->max_rel <= tolerance;
    snprintf(place, MHO_PLACE_MAX, "%s %d", x->transposed ? "row" : "column", at);
  }
  mho_free(spice);
  return err;
}
