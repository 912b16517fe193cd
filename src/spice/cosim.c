/* cosim.c - the same circuit in ngspice and in the core, and how far apart they are.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/spice.h"

#include <math.h>
#include <stdio.h>

/* The largest current that could be sensed: every device of an output pulling the same way. It is the scale
 * where all outputs are 0, because positive and negative devices cancel. */
static double largest_sensed(const mho_netlist_crossbar *x, int n, const double *v) {
  double largest = 0;
  int n_in = x->transposed ? x->cols : x->rows, n_out = x->transposed ? x->rows : x->cols;
  for (int read = 0; read < n; read++)
    for (int k = 0; k < n_out; k++) {
      double sum = 0;
      for (int i = 0; i < n_in; i++) {
        size_t cell = x->transposed ? (size_t)k * (size_t)x->cols + (size_t)i
                                    : (size_t)i * (size_t)x->cols + (size_t)k;
        sum += fabs(v[(size_t)read * (size_t)n_in + (size_t)i]) *
               (x->g_pos[cell] + (x->g_neg ? x->g_neg[cell] : 0));
      }
      largest = fmax(largest, sum);
    }
  return largest;
}

int mho_cosim_compare(int n, const double *core, const double *spice, double scale_of_zeros,
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
    scale = scale_of_zeros;
  row->max_rel = row->max_abs == 0 ? 0 : row->max_abs / scale;
  return at;
}

mho_err mho_cosim_crossbar(mho_spice *s, const mho_netlist_crossbar *x, int n, const double *v,
                           const double *core, double tolerance, double *spice,
                           char place[MHO_PLACE_MAX], mho_cosim_row *row, mho_errinfo *ei) {
  int n_out = x->transposed ? x->rows : x->cols;
  double start = mho_seconds();
  for (int k = 0; k < n * n_out; k++)
    if (!isfinite(core[k]))
      return mho_fail(ei, MHO_EINVAL, "the core's current %d is %g", k, core[k]);
  mho_err err = mho_spice_crossbar(s, x, n, v, spice, NULL, NULL, ei);
  if (err)
    return err;
  *row = (mho_cosim_row){.what = "crossbar",
                         .quantity = x->transposed ? "row current" : "column current",
                         .unit = "A",
                         .place = place,
                         .tolerance = tolerance,
                         .core_s = (double)NAN,
                         .spice_s = mho_seconds() - start};
  int at = mho_cosim_compare(n * n_out, core, spice, largest_sensed(x, n, v), row);
  row->pass = row->max_rel <= tolerance;
  snprintf(place, MHO_PLACE_MAX, "%s %d", x->transposed ? "row" : "column", at % n_out);
  if (n > 1)
    mho_text_append(place, MHO_PLACE_MAX, " of read %d", at / n_out);
  return MHO_OK;
}
