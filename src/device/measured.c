/* measured.c - a device given by a table: its conductance after n SET pulses and after n RESET
 * pulses.
 *
 *   SET    g' = C_up(C_up^-1(g) + 1),  RESET  g' = C_dn(C_dn^-1(g) + 1)
 *
 * C the curve through the table's points, monotone between them (Steffen's cubic interpolation);
 * beyond an end of the table the cell stays. The step g' - g is tabulated over g once for a bank of
 * cells, so that a pulse is one look-up; a cell's own spread scales the step.
 *
 * The table is a CSV with the columns pulse, ltp, ltd: numbers of pulses from 0, conductances in
 * siemens after them, rising in ltp, falling in ltd. A shorter one of the two has empty fields. The
 * range of the device is the table's where the config sets neither g_min nor g_max.
 * `mho device fit` writes one.
 *
 * Source: M. Steffen, Astronomy and Astrophysics 239, 443 (1990), for the interpolation.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_errno.h>
#include <gsl/gsl_interp.h>
#include <stdio.h>
#include <stdlib.h>

#include "device/measurements.h"
#include "device/noise.h"

typedef struct measured {
  mho_cycle_noise noise;
  char table[MHO_TEXT_MAX];
} measured;

static const mho_param table[] = {
    MHO_P_TEXT(measured, table, "table", "",
               "CSV file with the columns pulse, ltp, ltd (S after so many pulses)"),
    MHO_P_STEP_NOISE(measured),
};

enum { GRID = 4096 };
/* Steps of a SET and of a RESET pulse from g = i/GRID. */
typedef struct steps {
  float up[GRID + 2], down[GRID + 2];
} steps;

/* One branch: conductances after 0, 1, ... pulses, normalized and turned so that they rise. */
typedef struct branch {
  int n;
  double *x, *y;
} branch;

static mho_err read_branch(const char *path, const mho_csv *t, int column, int sign,
                           const mho_device_config *d, branch *b, mho_errinfo *ei) {
  const double slack = 1e-6;
  const char *name = sign > 0 ? "ltp" : "ltd";
  b->n = 0;
  b->x = malloc((size_t)t->rows * sizeof(double));
  b->y = malloc((size_t)t->rows * sizeof(double));
  if (!b->x || !b->y)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the table %s", path);

  for (int i = 0; i < t->rows; i++) {
    double x = t->column[0][i], g = (t->column[column][i] - d->g_min) / (d->g_max - d->g_min);
    if (isnan(g))
      continue;
    if (isnan(x) || g < -slack || g > 1 + slack)
      return mho_fail_at(ei, MHO_EDATA, path, t->line[i],
                         "%s: expected a pulse number and a conductance within "
                         "device.g_min..g_max (%g..%g S)",
                         name, d->g_min, d->g_max);

    double y = sign > 0 ? g : 1 - g;
    if (b->n > 0 && !(x > b->x[b->n - 1] && y > b->y[b->n - 1]))
      return mho_fail_at(ei, MHO_EDATA, path, t->line[i],
                         "%s: pulses must count up and the conductance must %s at every one; "
                         "'mho device fit' with model measured smooths measured cycles into such "
                         "a table",
                         name, sign > 0 ? "rise" : "fall");
    b->x[b->n] = x;
    b->y[b->n++] = y;
  }

  if (b->n < 3)
    return mho_fail_at(ei, MHO_EDATA, path, 0, "%s: expected at least 3 points, found %d", name,
                       b->n);
  return MHO_OK;
}

static void free_branch(branch *b) {
  free(b->x);
  free(b->y);
}

/* Pulse number at which the branch has y, by bisection on the interpolated curve. */
static double inverse(const gsl_interp *curve, const branch *b, gsl_interp_accel *acc, double y) {
  double low = b->x[0], high = b->x[b->n - 1];
  for (int i = 0; i < 60; i++) {
    double mid = 0.5 * (low + high);
    if (gsl_interp_eval(curve, b->x, b->y, mid, acc) < y)
      low = mid;
    else
      high = mid;
  }
  return 0.5 * (low + high);
}

/* Change of y, which rises along the branch, by a pulse that begins at y. */
static double step_from(const gsl_interp *curve, const branch *b, gsl_interp_accel *acc, double y) {
  double first = b->x[0], last = b->x[b->n - 1], lowest = b->y[0];
  if (!(y < b->y[b->n - 1]))
    return 0;
  double x = y <= lowest ? first : inverse(curve, b, acc, fmax(y, lowest));
  return gsl_interp_eval(curve, b->x, b->y, fmin(x + 1, last), acc) - y;
}

/* The steps of one direction over g, [GRID + 2]. */
static mho_err tabulate(const branch *b, bool up, float *out, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  gsl_interp *curve = gsl_interp_alloc(gsl_interp_steffen, (size_t)b->n);
  gsl_interp_accel *acc = gsl_interp_accel_alloc();

  if (!curve || !acc)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a table of %d points", b->n);
  else if (gsl_interp_init(curve, b->x, b->y, (size_t)b->n))
    err = mho_fail(ei, MHO_EDATA, "the table cannot be interpolated");

  if (!err)
    for (int i = 0; i <= GRID + 1; i++) {
      double g = fmin((double)i / GRID, 1);
      out[i] = (float)step_from(curve, b, acc, up ? g : 1 - g);
    }

  if (acc)
    gsl_interp_accel_free(acc);
  if (curve)
    gsl_interp_free(curve);
  return err;
}

/* Both directions of a table that was read. */
static mho_err tabulate_both(const char *path, const mho_csv *t, const mho_device_config *config,
                             steps *s, mho_errinfo *ei) {
  branch up = {0}, down = {0};
  mho_err err = read_branch(path, t, 1, 1, config, &up, ei);

  if (!err)
    err = read_branch(path, t, 2, -1, config, &down, ei);
  if (!err)
    err = tabulate(&up, true, s->up, ei);
  if (!err)
    err = tabulate(&down, false, s->down, ei);
  free_branch(&up);
  free_branch(&down);
  return err;
}

/* The table that the parameters name: pulse, ltp, ltd. */
static mho_err read_table(const measured *p, mho_csv *t, mho_errinfo *ei) {
  static const mho_csv_column columns[] = {{"pulse", MHO_CSV_NUMBER, true},
                                           {"ltp", MHO_CSV_NUMBER, true},
                                           {"ltd", MHO_CSV_NUMBER, true}};
  if (!*p->table)
    return mho_fail(ei, MHO_ECONFIG, "device.table: name the CSV file with the measured pulses");
  return mho__csv_read(p->table, columns, MHO_COUNT(columns), t, ei);
}

/* The lowest and the highest conductance of the table: no cell can be beyond them. */
static mho_err range(const void *params, double *g_min, double *g_max, mho_errinfo *ei) {
  mho_csv t;
  mho_err err = read_table(params, &t, ei);
  if (err)
    return err;

  double low = INFINITY, high = -INFINITY;
  for (int i = 0; i < t.rows; i++) {
    low = fmin(low, fmin(t.column[1][i], t.column[2][i]));
    high = fmax(high, fmax(t.column[1][i], t.column[2][i]));
  }
  mho__csv_free(&t);

  if (!(low >= 0 && low < high && high <= 1))
    return mho_fail_at(ei, MHO_EDATA, ((const measured *)params)->table, 0,
                       "expected conductances in S, from 0 to 1 and not all alike");
  *g_min = low;
  *g_max = high;
  return MHO_OK;
}

static mho_err prepare(const void *params, const mho_device_config *config, void **shared,
                       mho_errinfo *ei) {
  const char *path = ((const measured *)params)->table;
  mho_csv t;
  mho_err err = read_table(params, &t, ei);
  if (err)
    return err;

  steps *s = mho_alloc(1, sizeof *s);
  err = s ? tabulate_both(path, &t, config, s, ei)
          : mho_fail(ei, MHO_ENOMEM, "no memory for a table");
  mho__csv_free(&t);
  if (err)
    mho_free(s);
  else
    *shared = s;
  return err;
}

enum { UP, DOWN, NOISE, COLUMNS };

static void columns(const void *params, const mho_device_draw *d, float *const *col) {
  const measured *p = params;
  for (int i = 0; i < d->n; i++) {
    col[UP][i] = d->up[i];
    col[DOWN][i] = d->down[i];
    col[NOISE][i] = (float)p->noise.sigma;
  }
}

static void pulse(const mho_device_block *b) {
  const steps *s = b->shared;
  const float *up = s->up, *down = s->down;

#pragma omp simd
  for (int i = 0; i < b->n; i++) {
    float at = mho__most(mho__least(b->g[i], 1), 0) * GRID;
    int k = (int)at;
    float part = at - (float)k;
    float rise = up[k] + part * (up[k + 1] - up[k]);
    float fall = down[k] + part * (down[k + 1] - down[k]);
    float step = b->dir[i] > 0 ? rise * b->col[UP][i] : -fall * b->col[DOWN][i];
    b->out[i] = step * (1 + b->col[NOISE][i] * b->xi[i]);
  }
}

/* The tabulated step at 65 points: ngspice's pwl in an expression interpolates linearly. */
static mho_err spice(const void *params, const mho_device_config *config, mho_device_spice *out,
                     mho_errinfo *ei) {
  void *shared = NULL;
  mho_err err = prepare(params, config, &shared, ei);
  if (err)
    return err;

  const steps *s = shared;
  for (int dir = 0; dir < 2; dir++) {
    char *text = dir ? out->reset : out->set;
    snprintf(text, MHO_SPICE_EXPRESSION, "V(g)%spwl(V(g)", dir ? "-" : "+");
    for (int i = 0; i <= GRID; i += GRID / 64)
      mho_text_append(text, MHO_SPICE_EXPRESSION, ",%.7g,%.7g", (double)i / GRID,
                      (double)(dir ? s->down[i] : s->up[i]));
    mho_text_append(text, MHO_SPICE_EXPRESSION, ")");
  }

  mho_free(shared);
  return MHO_OK;
}

const mho_device_model mho_device_measured = {
    .entry = {.abi = MHO_ABI,
              .id = "measured",
              .title = "a table of conductances after pulses, interpolated",
              .equation = "SET g' = C_up(C_up^-1(g) + 1), RESET g' = C_dn(C_dn^-1(g) + 1)",
              .source =
                  "the user's measurement; interpolation: Steffen, Astron. Astrophys. 239:443 "
                  "(1990)",
              .params = MHO_PARAMS(measured, table)},
    .n_columns = COLUMNS,
    .columns = columns,
    .pulse = pulse,
    .noisy = mho__noise_is_on,
    .spice = spice,
    .prepare = prepare,
    .range = range,
    .fit = "",
};
