/* cosim_crossbar.c - a crossbar read in the core and in ngspice, and how far apart they are.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include "base/streams.h"
#include "mho/model/circuit.h"
#include "spice/netlist_crossbar.h"

/* The largest difference, relative to the largest current, that the rounding of a sum of floats
 * accounts for. */
static const double TOLERANCE = 1e-5;
static const double TOLERANCE_BENT_WIRES = 0.01; /* see mho_cosim_reads */

/* ---------------------------------------------------------------- two answers */

int mho_cosim_compare(int n, const double *core, const double *spice, double scale_of_zeros,
                      mho_cosim_row *row) {
  double scale = 0, squares = 0;
  int worst = 0;
  row->n = n;
  row->max_abs = 0;

  for (int k = 0; k < n; k++) {
    double d = fabs(core[k] - spice[k]);
    scale = fmax(scale, fabs(core[k]));
    squares += d * d;
    if (d > row->max_abs) {
      row->max_abs = d;
      worst = k;
    }
  }

  row->rms = sqrt(squares / n);
  if (scale == 0)
    scale = scale_of_zeros;
  row->max_rel = row->max_abs == 0 ? 0 : row->max_abs / scale;
  return worst;
}

/* ---------------------------------------------------------------- a netlist's currents */

/* The largest current that could be sensed: every device of an output pulling the same way. It is
 * the scale where all outputs are 0, because the banks cancel. */
static double largest_sensed(const mho_netlist_crossbar *x, int n, const double *v) {
  double largest = 0;
  int n_in = mho__netlist_driven(x), n_out = mho__netlist_sensed(x);

  for (int read = 0; read < n; read++)
    for (int k = 0; k < n_out; k++) {
      double sum = 0;
      for (int i = 0; i < n_in; i++) {
        size_t cell = x->transposed ? mho__netlist_cell(x, k, i) : mho__netlist_cell(x, i, k);
        double g = 0;
        for (int b = 0; b < x->n_banks; b++)
          g += fabs(mho__netlist_role(x, b)->gain) * x->g[b][cell];
        sum += fabs(v[(size_t)read * (size_t)n_in + (size_t)i]) * g;
      }
      largest = fmax(largest, sum);
    }
  return largest;
}

mho_err mho_cosim_crossbar(mho_spice *s, const mho_netlist_crossbar *x, int n, const double *v,
                           const double *core, double tolerance, double *spice,
                           char place[MHO_PLACE_MAX], mho_cosim_row *row, mho_errinfo *ei) {
  int n_out = mho__netlist_sensed(x);
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
  int worst = mho_cosim_compare(n * n_out, core, spice, largest_sensed(x, n, v), row);

  row->pass = row->max_rel <= tolerance;
  snprintf(place, MHO_PLACE_MAX, "%s %d", x->transposed ? "row" : "column", worst % n_out);
  if (n > 1)
    mho_text_append(place, MHO_PLACE_MAX, " of read %d", worst / n_out);
  return MHO_OK;
}

/* ---------------------------------------------------------------- random reads of a crossbar */

typedef struct reads {
  const mho_crossbar *x;
  bool transposed;
  int n;                            /* vectors */
  size_t n_in, n_out;               /* values of all of them */
  float *normal;                    /* [n_in] */
  mho_real *in, *out, *scratch;     /* [n_in] activities, [n_out] sums of weights */
  double *v, *core, *spice;         /* [n_in] V, [n_out] A, [n_out] A */
  double *g[MHO_BANKS_MAX], g_unit; /* [rows x cols] S */
} reads;

static mho_err reads_new(reads *r, mho_errinfo *ei) {
  size_t n = (size_t)r->n, rows = (size_t)r->x->rows, cols = (size_t)r->x->cols;
  r->n_in = n * (r->transposed ? cols : rows);
  r->n_out = n * (r->transposed ? rows : cols);

  r->normal = mho_alloc(r->n_in, sizeof *r->normal);
  r->in = mho_alloc(r->n_in, sizeof *r->in);
  r->out = mho_alloc(r->n_out, sizeof *r->out);
  r->scratch = mho_alloc(mho_crossbar_scratch(r->x, r->n), sizeof *r->scratch);
  r->v = mho_alloc(r->n_in, sizeof *r->v);
  r->core = mho_alloc(r->n_out, sizeof *r->core);
  r->spice = mho_alloc(r->n_out, sizeof *r->spice);
  bool ok = r->normal && r->in && r->out && r->scratch && r->v && r->core && r->spice;
  for (int k = 0; k < r->x->n_banks; k++) {
    r->g[k] = mho_alloc(rows * cols, sizeof *r->g[k]);
    ok = ok && r->g[k];
  }

  if (ok)
    return MHO_OK;
  return mho_fail(ei, MHO_ENOMEM, "no memory for the check");
}

static void reads_free(reads *r) {
  mho_free(r->normal);
  mho_free(r->in);
  mho_free(r->out);
  mho_free(r->scratch);
  mho_free(r->v);
  mho_free(r->core);
  mho_free(r->spice);
  for (int k = 0; k < MHO_BANKS_MAX; k++)
    mho_free(r->g[k]);
}

/* Draw inputs of the core and of the circuit; laws hold for activities, which are within +-1. */
static void draw_inputs(reads *r) {
  bool bent = mho_crossbar_law(r->x) != NULL;
  mho_rng_normal(mho__stream_stimulus(r->transposed), 0, 0, r->n_in, r->normal);

  for (size_t i = 0; i < r->n_in; i++) {
    float u = r->normal[i];
    if (bent)
      u = fminf(fmaxf(u, -1), 1);
    r->in[i] = (mho_real)u;
    r->v[i] = r->x->read_voltage * (double)u;
  }
}

/* Read the crossbar in the core. @return the seconds that it takes. */
static double read_core(reads *r) {
  mho_read read = {.transposed = r->transposed,
                   .n = r->n,
                   .x = r->in,
                   .y = r->out,
                   .scale = 1,
                   .scratch = r->scratch};

  /* the first product of a size makes its kernel: it is not timed */
  mho_crossbar_read(r->x, &read);
  double start = mho_seconds();
  mho_crossbar_read(r->x, &read);
  double seconds = mho_seconds() - start;

  for (size_t j = 0; j < r->n_out; j++)
    r->core[j] = (double)r->out[j] * r->g_unit * r->x->read_voltage;
  return seconds;
}

static mho_err compare_reads(mho_spice *s, reads *r, const mho_device_config *device,
                             const mho_array_config *wires, mho_cosim_result result, void *user,
                             mho_errinfo *ei) {
  char place[MHO_PLACE_MAX];
  mho_cosim_row row;
  mho_netlist_crossbar netlist = {.rows = r->x->rows,
                                  .cols = r->x->cols,
                                  .n_banks = r->x->n_banks,
                                  .role = r->x->role,
                                  .transposed = r->transposed};

  for (int k = 0; k < r->x->n_banks; k++)
    netlist.g[k] = r->g[k];
  mho_netlist_siemens(r->x, device, 0, r->g, &r->g_unit);
  draw_inputs(r);
  double core_s = read_core(r);

  mho_err err = mho_netlist_crossbar_wires(&netlist, r->x, wires, ei);
  if (err)
    return err;

  bool wired = netlist.r_word > 0 || netlist.r_bit > 0;
  double tolerance = netlist.iv && wired ? TOLERANCE_BENT_WIRES : TOLERANCE;
  err = mho_cosim_crossbar(s, &netlist, r->n, r->v, r->core, tolerance, r->spice, place, &row, ei);
  if (err)
    return err;

  row.core_s = core_s;
  result(user, &row, r->core, r->spice);
  return MHO_OK;
}

mho_err mho_cosim_reads(mho_spice *s, const mho_crossbar *x, const mho_device_config *device,
                        const mho_array_config *wires, bool transposed, int n,
                        mho_cosim_result result, void *user, mho_errinfo *ei) {
  reads r = {.x = x, .transposed = transposed, .n = n};
  mho_err err = reads_new(&r, ei);
  if (!err)
    err = compare_reads(s, &r, device, wires, result, user, ei);
  reads_free(&r);
  return err;
}
