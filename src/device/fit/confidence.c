/* confidence.c - what data say of a fit: confidence of the parameters, spread between devices, and how much it explains.
 *
 * Confidence intervals: from the curvature at the minimum; with 5 devices or more from the scatter between devices
 * (cluster-robust, C. Cameron, D. Miller, Journal of Human Resources 50, 317 (2015)), with Student's t.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_blas.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdlib.h>

#include "device/fit/fit.h"

enum { CLUSTERS_MIN = 5 };

/* ---------------------------------------------------------------- confidence */

bool mho_fit_covariance(const mho_fit_job *j, const gsl_matrix *jac, int rows_used, gsl_matrix *cov,
                        double *quantile) {
  size_t m = (size_t)j->n;
  gsl_matrix *a = gsl_matrix_calloc(m, m), *b = gsl_matrix_calloc(m, m),
             *t = gsl_matrix_calloc(m, m);
  gsl_vector *score = gsl_vector_calloc(m);
  double sum = 0, scale[MHO_FIT_MAX];
  gsl_blas_dsyrk(CblasLower, CblasTrans, 1, jac, 0, a);
  gsl_blas_dsyrk(CblasUpper, CblasTrans, 1, jac, 0, a);
  bool ok = true;
  for (size_t k = 0; k < m; k++) {
    scale[k] = sqrt(gsl_matrix_get(a, k, k));
    ok = ok && scale[k] > 0;
  }
  for (size_t k = 0; ok && k < m; k++)
    for (size_t l = 0; l < m; l++)
      gsl_matrix_set(a, k, l, gsl_matrix_get(a, k, l) / (scale[k] * scale[l]));
  ok = ok && !gsl_linalg_cholesky_decomp1(a);
  for (size_t k = 0; ok && k < m; k++)
    ok = gsl_matrix_get(a, k, k) > 1e-5; /* else one parameter is a combination of the others */
  if (ok) {
    gsl_linalg_cholesky_invert(a);
    for (size_t k = 0; k < m; k++)
      for (size_t l = 0; l < m; l++)
        gsl_matrix_set(a, k, l, gsl_matrix_get(a, k, l) / (scale[k] * scale[l]));
    for (int i = 0; i < j->d->n; i++)
      sum += j->residual[i] * j->residual[i];
    double plain = sum / fmax(rows_used - j->n, 1);
    *quantile = gsl_cdf_tdist_Pinv(0.975, fmax(rows_used - j->n, 1));
    gsl_matrix_memcpy(cov, a);
    gsl_matrix_scale(cov, fmax(plain, 1e-30));
    if (j->d->devices >= CLUSTERS_MIN) {
      for (int t0 = 0; t0 < j->d->tracks;) {
        int t1 = t0;
        while (t1 < j->d->tracks && j->d->device[t1] == j->d->device[t0])
          t1++;
        gsl_vector_set_zero(score);
        for (int i = j->d->first[t0]; i < j->d->first[t1]; i++)
          for (size_t k = 0; k < m; k++)
            gsl_vector_set(score, k,
                           gsl_vector_get(score, k) +
                               gsl_matrix_get(jac, (size_t)i, k) * j->residual[i]);
        gsl_blas_dsyr(CblasLower, 1, score, b);
        t0 = t1;
      }
      for (size_t k = 0; k < m; k++)
        for (size_t l = k + 1; l < m; l++)
          gsl_matrix_set(b, k, l, gsl_matrix_get(b, l, k));
      double c = j->d->devices, correction = c / (c - 1);
      gsl_blas_dgemm(CblasNoTrans, CblasNoTrans, correction, a, b, 0, t);
      gsl_blas_dgemm(CblasNoTrans, CblasNoTrans, 1, t, a, 0, b);
      for (size_t k = 0; k < m; k++) /* never tighter than without clusters */
        if (gsl_matrix_get(b, k, k) > gsl_matrix_get(cov, k, k))
          gsl_matrix_set(cov, k, k, gsl_matrix_get(b, k, k));
      *quantile = gsl_cdf_tdist_Pinv(0.975, c - 1);
    }
  }
  gsl_matrix_free(a);
  gsl_matrix_free(b);
  gsl_matrix_free(t);
  gsl_vector_free(score);
  return ok;
}

void mho_fit_intervals(mho_fit_job *j, const gsl_matrix *cov, double quantile) {
  for (int k = 0; k < j->n; k++) {
    mho_fit_value *v = &j->f->value[k];
    double x = mho_fit_coordinate(j, k, mho_fit_get(j, k)),
           se = sqrt(gsl_matrix_get(cov, (size_t)k, (size_t)k));
    v->value = mho_fit_get(j, k);
    v->error = j->is_log[k] ? v->value * se : se * j->scale[k];
    double a = mho_fit_value_at(j, k, x - quantile * se),
           b = mho_fit_value_at(j, k, x + quantile * se);
    v->low = fmin(a, b);
    v->high = fmax(a, b);
  }
  j->f->n = j->n;
}

/* ---------------------------------------------------------------- spread between devices */

/* Factors of SET and RESET of each device by one Gauss-Newton step, [2 x devices], and their variances. */
static bool device_factors(mho_fit_job *j, double *factor, double *variance) {
  const mho_pulse_data *d = j->d;
  size_t n = (size_t)d->n;
  double *r0 = malloc(n * sizeof *r0), *r[2] = {malloc(n * sizeof **r), malloc(n * sizeof **r)};
  bool ok = r0 && r[0] && r[1];
  const double h = 0.05;
  if (ok) {
    mho_fit_update_cell(j);
    mho_fit_filter(&j->cell, d, &j->gains, r0, NULL, NULL);
    for (int side = 0; side < 2; side++) {
      mho_fit_cell_set(&j->cell, j->f->params, side ? 1 + h : 1, side ? 1 : 1 + h);
      mho_fit_filter(&j->cell, d, &j->gains, r[side], NULL, NULL);
    }
    mho_fit_update_cell(j);
  }
  for (int t0 = 0; ok && t0 < d->tracks;) {
    int t1 = t0, device = d->device[t0];
    while (t1 < d->tracks && d->device[t1] == device)
      t1++;
    double a[2][2] = {{0}}, b[2] = {0};
    for (int i = d->first[t0]; i < d->first[t1]; i++) {
      double g[2] = {(r[0][i] - r0[i]) / h, (r[1][i] - r0[i]) / h};
      for (int k = 0; k < 2; k++) {
        b[k] -= g[k] * r0[i];
        for (int l = 0; l < 2; l++)
          a[k][l] += g[k] * g[l];
      }
    }
    double det = a[0][0] * a[1][1] - a[0][1] * a[0][1];
    for (int k = 0; k < 2;
         k++) { /* a direction that is not in the data, or has no steps, has no factor */
      bool both = det > 1e-9 * a[0][0] * a[1][1] && det > 0,
           alone = !both && a[k][k] > 1e6 * a[1 - k][1 - k];
      factor[2 * device + k] = both    ? (a[1 - k][1 - k] * b[k] - a[0][1] * b[1 - k]) / det
                               : alone ? b[k] / a[k][k]
                                       : (double)NAN;
      variance[2 * device + k] = both ? a[1 - k][1 - k] / det : alone ? 1 / a[k][k] : (double)NAN;
    }
    t0 = t1;
  }
  free(r0);
  free(r[0]);
  free(r[1]);
  return ok;
}

/* Standard deviation of (up + sign down)/2 over devices beyond their own uncertainty, and its error; with one
 * direction only, of that, and no asymmetry. */
static void spread_of(const double *factor, const double *variance, int devices, int sign,
                      double *out, double *error) {
  double sum = 0, squares = 0, own = 0;
  int n = 0;
  for (int i = 0; i < devices; i++) {
    double down = factor[2 * i], up = factor[2 * i + 1], x = 0.5 * (up + sign * down);
    double v = 0.25 * (variance[2 * i] + variance[2 * i + 1]);
    if (!isfinite(x) && sign > 0 && (isfinite(up) || isfinite(down))) {
      x = isfinite(up) ? up : down;
      v = isfinite(up) ? variance[2 * i + 1] : variance[2 * i];
    }
    if (!isfinite(x))
      continue;
    sum += x;
    squares += x * x;
    own += v;
    n++;
  }
  *out = *error = (double)NAN;
  if (n < 3)
    return;
  double total = (squares - sum * sum / n) / (n - 1), between = fmax(total - own / n, 0);
  *out = sqrt(between);
  *error = total * sqrt(2.0 / (n - 1)) / (2 * fmax(sqrt(between), 0.5 * sqrt(total) + 1e-12));
}

void mho_fit_spread(mho_fit_job *j) {
  mho_fit *f = j->f;
  int devices = j->d->devices;
  double *factor = malloc(2 * (size_t)devices * sizeof *factor),
         *variance = malloc(2 * (size_t)devices * sizeof *factor);
  f->spread_step = f->spread_step_error = f->spread_asymmetry = f->spread_asymmetry_error =
      (double)NAN;
  if (factor && variance && devices >= 3 && device_factors(j, factor, variance)) {
    spread_of(factor, variance, devices, 1, &f->spread_step, &f->spread_step_error);
    spread_of(factor, variance, devices, -1, &f->spread_asymmetry, &f->spread_asymmetry_error);
  }
  free(factor);
  free(variance);
  if (isfinite(f->spread_step))
    f->config.spread_step = fmin(f->spread_step, 5);
  if (isfinite(f->spread_asymmetry))
    f->config.spread_asymmetry = fmin(f->spread_asymmetry, 5);
}

/* ---------------------------------------------------------------- how well */

double mho_fit_explained(mho_fit_job *j) {
  const mho_pulse_data *d = j->d;
  int longest = 0;
  for (int t = 0; t < d->tracks; t++)
    longest = d->first[t + 1] - d->first[t] > longest ? d->first[t + 1] - d->first[t] : longest;
  double *sum = calloc(3 * (size_t)longest, sizeof *sum), squares = 0, rest = 0, mean = 0,
         weight = 0;
  if (!sum)
    return 0;
  double range = j->f->config.g_max - j->f->config.g_min;
  for (int t = 0; t < d->tracks; t++) {
    double g = (double)NAN;
    for (int i = d->first[t]; i < d->first[t + 1]; i++) {
      double y = (d->g[i] - j->f->config.g_min) / range;
      int at = i - d->first[t];
      g = isfinite(g) ? mho_fit_cell_step(&j->cell, d->direction[i], d->count[i], g, NULL) : y;
      if (!isfinite(y) || !isfinite(g) || y < -0.5 || y > 1.5)
        continue;
      sum[3 * at] += y;
      sum[3 * at + 1] += g;
      sum[3 * at + 2]++;
    }
  }
  for (int at = 0; at < longest; at++) {
    mean += sum[3 * at];
    weight += sum[3 * at + 2];
  }
  mean /= weight;
  for (int at = 0; at < longest; at++)
    if (sum[3 * at + 2] > 0) {
      double n = sum[3 * at + 2], y = sum[3 * at] / n, g = sum[3 * at + 1] / n;
      squares += n * (y - mean) * (y - mean);
      rest += n * (y - g) * (y - g);
    }
  free(sum);
  return squares > 0 ? 1 - rest / squares : 0;
}
