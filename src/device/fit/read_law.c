/* read_law.c - the I-V law of a read from sweeps that leave the state alone.
 *
 *   I = G f(V) + e,   f = V (ohmic), sinh(b V)/b, V + k2 V^2 + k3 V^3
 *
 * Every curve has a conductance of its own, the least-squares one G = sum I f / sum f^2; what is
 * left, against the largest current of its curve, is minimized over the law's parameters by the
 * simplex method of Nelder and Mead. Laws are compared by Schwarz's criterion,
 * n ln(squares/n) + parameters ln n; errors are from the curvature at the minimum.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_multimin.h>
#include <math.h>
#include <stdlib.h>

#include "device/fit/fit.h"
#include "device/measurements.h"

enum { DEVICE, CYCLE, VOLTAGE, CURRENT, COLUMNS };
static const mho_csv_column columns[COLUMNS] = {{"device", MHO_CSV_LABEL, false},
                                                {"cycle", MHO_CSV_LABEL, false},
                                                {"v", MHO_CSV_NUMBER, true},
                                                {"i", MHO_CSV_NUMBER, true}};
static const double MOVED = 0.1; /* of the largest current, left by the best law */

/* Curves: rows first[k] .. first[k+1]-1 of a table. */
typedef struct curves {
  const mho_csv *t;
  int n, *first, readings;
} curves;

static bool is_same_curve(const mho_csv *t, int a, int b) {
  bool device = !t->has[DEVICE] || t->column[DEVICE][a] == t->column[DEVICE][b];
  return device && (!t->has[CYCLE] || t->column[CYCLE][a] == t->column[CYCLE][b]);
}

static bool is_there(const mho_csv *t, int i) {
  return isfinite(t->column[VOLTAGE][i]) && isfinite(t->column[CURRENT][i]);
}

/* f of the law with its parameters x, nullable for an ohmic one. */
static double shape(int law, const double *x, double v) {
  mho_device_config config = {.iv = {.law = law}};
  if (law == MHO_IV_SINH)
    config.iv.b = exp(x[0]);
  if (law == MHO_IV_POLYNOMIAL) {
    config.iv.k2 = x[0];
    config.iv.k3 = x[1];
  }
  return mho_device_current(&config, 1, v, NULL);
}

/* G of one curve, 0 where the law has no current. *most: its largest current. */
static double conductance_of(const curves *c, int k, int law, const double *x, double *most) {
  const mho_csv *t = c->t;
  double ff = 0, fi = 0;
  *most = 0;
  for (int i = c->first[k]; i < c->first[k + 1]; i++) {
    if (!is_there(t, i))
      continue;
    double f = shape(law, x, t->column[VOLTAGE][i]), current = t->column[CURRENT][i];
    ff += f * f;
    fi += f * current;
    *most = fmax(*most, fabs(current));
  }
  return ff > 0 ? fi / ff : 0;
}

/* Squares that the law leaves of one curve, in its largest current. They are summed one by one:
 * sum I^2 - G^2 sum f^2 would leave more by its rounding than an exact law does. */
static double squares_of(const curves *c, int k, int law, const double *x) {
  const mho_csv *t = c->t;
  double most, g = conductance_of(c, k, law, x, &most), sum = 0;
  for (int i = c->first[k]; i < c->first[k + 1]; i++) {
    if (!is_there(t, i))
      continue;
    double left = (t->column[CURRENT][i] - g * shape(law, x, t->column[VOLTAGE][i])) / most;
    sum += left * left;
  }
  return sum;
}

static double squares(const curves *c, int law, const double *x) {
  double sum = 0;
  for (int k = 0; k < c->n; k++)
    sum += squares_of(c, k, law, x);
  return isfinite(sum) ? sum : 1e300;
}

/* ---------------------------------------------------------------- one law */

typedef struct search {
  const curves *c;
  int law;
} search;

static double cost(const gsl_vector *x, void *user) {
  const search *s = user;
  return squares(s->c, s->law, x->data);
}

/* The parameters x [n] that leave least. MHO_ENOMEM. */
static mho_err minimize(const search *s, size_t n, double *x, mho_errinfo *ei) {
  enum { ROUNDS = 400 };
  gsl_vector_view start = gsl_vector_view_array(x, n);
  gsl_vector *step = gsl_vector_alloc(n);
  gsl_multimin_fminimizer *m = gsl_multimin_fminimizer_alloc(gsl_multimin_fminimizer_nmsimplex2, n);
  if (!step || !m)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a fit");

  gsl_vector_set_all(step, 0.5);
  gsl_multimin_function f = {.f = cost, .n = n, .params = (void *)(uintptr_t)s};
  int status = gsl_multimin_fminimizer_set(m, &f, &start.vector, step);
  for (int i = 0; i < ROUNDS && !status; i++) {
    status = gsl_multimin_fminimizer_iterate(m);
    if (gsl_multimin_fminimizer_size(m) < 1e-7)
      break;
  }
  for (size_t k = 0; k < n; k++)
    x[k] = gsl_vector_get(m->x, k);

  gsl_multimin_fminimizer_free(m);
  gsl_vector_free(step);
  return MHO_OK;
}

/* Squares at x moved by so many widths in either parameter. */
static double near(const search *s, const double *x, double width, int first, int second) {
  double at[2] = {x[0] + first * width, x[1] + second * width};
  return squares(s->c, s->law, at);
}

/* Variances of the parameters from the curvature of the squares, whose noise is `variance`; NaN
 * where there is no minimum, or noise, by which they are told. */
static void variances(const search *s, int n, const double *x, double variance, double *out) {
  static const double WIDTH = 1e-3;
  double here = near(s, x, WIDTH, 0, 0), second = WIDTH * WIDTH;
  double a = (near(s, x, WIDTH, 1, 0) - 2 * here + near(s, x, WIDTH, -1, 0)) / second;
  out[0] = 2 * variance / a;
  if (n < 2)
    return;

  double d = (near(s, x, WIDTH, 0, 1) - 2 * here + near(s, x, WIDTH, 0, -1)) / second;
  double b = (near(s, x, WIDTH, 1, 1) - near(s, x, WIDTH, 1, -1) - near(s, x, WIDTH, -1, 1) +
              near(s, x, WIDTH, -1, -1)) /
             (4 * second);
  double det = a * d - b * b;
  out[0] = 2 * variance * d / det;
  out[1] = 2 * variance * a / det;
}

static mho_err fit_law(const curves *c, int law, mho_read_law *out, mho_errinfo *ei) {
  static const int counts[] = {[MHO_IV_OHMIC] = 0, [MHO_IV_SINH] = 1, [MHO_IV_POLYNOMIAL] = 2};
  search s = {c, law};
  int n = counts[law];
  double x[2] = {0}, variance[2] = {0};
  if (n) {
    mho_err err = minimize(&s, (size_t)n, x, ei);
    if (err)
      return err;
  }

  double left = squares(c, law, x), readings = c->readings;
  double freedom = fmax(readings - n - c->n, 1);
  *out = (mho_read_law){.law = law, .n = n, .curves = c->n, .readings = c->readings};
  out->left = sqrt(left / readings);
  out->criterion = readings * log(fmax(left, 1e-20) / readings) + (n + c->n) * log(readings);

  if (n)
    variances(&s, n, x, left / freedom, variance);
  double quantile = gsl_cdf_tdist_Pinv(0.975, freedom);
  for (int k = 0; k < n; k++) {
    double error = variance[k] > 0 ? sqrt(variance[k]) : (double)NAN;
    double low = x[k] - quantile * error, high = x[k] + quantile * error;
    bool is_log = law == MHO_IV_SINH;
    out->value[k] = is_log ? exp(x[k]) : x[k];
    out->error[k] = is_log ? error * exp(x[k]) : error;
    out->low[k] = is_log ? exp(low) : low;
    out->high[k] = is_log ? exp(high) : high;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- the file */

static mho_err find_curves(const mho_csv *t, const char *path, curves *c, mho_errinfo *ei) {
  for (int i = 0; i < t->rows; i++) {
    if (i == 0 || !is_same_curve(t, i, i - 1))
      c->first[c->n++] = i;
    c->readings += is_there(t, i);
  }
  c->first[c->n] = t->rows;
  if (c->readings < 3 * c->n + 3)
    return mho_fail_at(ei, MHO_EDATA, path, 0,
                       "%d currents of %d curve%s are too few to tell a law of a read: each needs "
                       "three at least, and three more in all",
                       c->readings, c->n, c->n == 1 ? "" : "s");
  return MHO_OK;
}

/* Every curve conducts, from plus to minus. */
static mho_err check_curves(const curves *c, const char *path, mho_errinfo *ei) {
  for (int k = 0; k < c->n; k++) {
    double most, g = conductance_of(c, k, MHO_IV_OHMIC, NULL, &most);
    int line = c->t->line[c->first[k]];
    if (!(most > 0) || g == 0)
      return mho_fail_at(ei, MHO_EDATA, path, line,
                         "the curve that begins here has no current, which tells nothing of a law: "
                         "leave it out");
    if (g < 0)
      return mho_fail_at(ei, MHO_EDATA, path, line,
                         "the currents of the curve that begins here flow against their voltages: "
                         "turn the sign of the column 'i'");
  }
  return MHO_OK;
}

mho_err mho_read_law_fit(const char *path, mho_read_law out[MHO_READ_LAWS], mho_errinfo *ei) {
  mho_csv t;
  mho_err err = mho__csv_read(path, columns, COLUMNS, &t, ei);
  if (err)
    return err;

  curves c = {.t = &t, .first = malloc(((size_t)t.rows + 1) * sizeof *c.first)};
  if (c.first)
    err = find_curves(&t, path, &c, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a fit");

  if (!err)
    err = check_curves(&c, path, ei);
  double least = HUGE_VAL;
  for (int law = 0; law < MHO_READ_LAWS && !err; law++) {
    err = fit_law(&c, law, &out[law], ei);
    least = fmin(least, out[law].left);
  }
  if (!err && least > MOVED)
    err =
        mho_fail_at(ei, MHO_EDATA, path, 0,
                    "the best law leaves %.0f %% of the largest current: the state moves in these "
                    "sweeps; read below the voltages that switch it, or fit a model (--model)",
                    100 * least);
  free(c.first);
  mho__csv_free(&t);
  return err;
}
