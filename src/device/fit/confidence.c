/* confidence.c - what data say of a fit: confidence of the parameters, and how much the model
 * explains.
 *
 * Confidence intervals: from the curvature at the minimum; with 5 devices or more from the scatter
 * between devices (cluster-robust, C. Cameron, D. Miller, Journal of Human Resources 50, 317
 * (2015)), with Student's t.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_blas.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdlib.h>

#include "device/fit/fit.h"

enum { CLUSTERS_MIN = 5 };

/* ---------------------------------------------------------------- covariance */

int mho__fit_next_device(const mho_pulse_data *d, int t0) {
  int t = t0;
  while (t < d->tracks && d->device[t] == d->device[t0])
    t++;
  return t;
}

/* a[k][l] / (scale[k] scale[l]) in place. */
static void divide_by_scales(gsl_matrix *a, const double *scale) {
  for (size_t k = 0; k < a->size1; k++)
    for (size_t l = 0; l < a->size2; l++)
      gsl_matrix_set(a, k, l, gsl_matrix_get(a, k, l) / (scale[k] * scale[l]));
}

/* a <- (J' J)^-1 [m x m]; false when a parameter has no effect or is a combination of the
 * others. */
static bool inverse_curvature(const gsl_matrix *jac, gsl_matrix *a) {
  size_t m = a->size1;
  double scale[MHO_FIT_MAX];
  gsl_blas_dsyrk(CblasLower, CblasTrans, 1, jac, 0, a);
  gsl_blas_dsyrk(CblasUpper, CblasTrans, 1, jac, 0, a);
  for (size_t k = 0; k < m; k++) {
    scale[k] = sqrt(gsl_matrix_get(a, k, k));
    if (!(scale[k] > 0))
      return false;
  }

  divide_by_scales(a, scale);
  if (gsl_linalg_cholesky_decomp1(a))
    return false;
  for (size_t k = 0; k < m; k++)
    if (!(gsl_matrix_get(a, k, k) > 1e-5))
      return false;
  gsl_linalg_cholesky_invert(a);
  divide_by_scales(a, scale);
  return true;
}

/* b [m x m] += s s' over devices, s = sum of J' r over the readings of one; score: scratch [m]. */
static void add_scores(const mho_fit_job *j, const gsl_matrix *jac, gsl_vector *score,
                       gsl_matrix *b) {
  const mho_pulse_data *d = j->d;
  size_t m = score->size;
  int next;

  for (int t0 = 0; t0 < d->tracks; t0 = next) {
    next = mho__fit_next_device(d, t0);
    gsl_vector_set_zero(score);
    for (int i = d->first[t0]; i < d->first[next]; i++)
      for (size_t k = 0; k < m; k++) {
        double more = gsl_matrix_get(jac, (size_t)i, k) * j->residual[i];
        gsl_vector_set(score, k, gsl_vector_get(score, k) + more);
      }
    gsl_blas_dsyr(CblasLower, 1, score, b);
  }

  for (size_t k = 0; k < m; k++)
    for (size_t l = k + 1; l < m; l++)
      gsl_matrix_set(b, k, l, gsl_matrix_get(b, l, k));
}

/* Widens the variances to those from the scatter between devices, a b a c/(c - 1) with c devices:
 * never tighter than without clusters. b [m x m] is 0 and t scratch. */
static void widen_by_clusters(const mho_fit_job *j, const gsl_matrix *jac, const gsl_matrix *a,
                              gsl_matrix *b, gsl_matrix *t, gsl_vector *score, gsl_matrix *cov) {
  double c = j->d->devices, correction = c / (c - 1);
  add_scores(j, jac, score, b);
  gsl_blas_dgemm(CblasNoTrans, CblasNoTrans, correction, a, b, 0, t);
  gsl_blas_dgemm(CblasNoTrans, CblasNoTrans, 1, t, a, 0, b);
  for (size_t k = 0; k < cov->size1; k++)
    if (gsl_matrix_get(b, k, k) > gsl_matrix_get(cov, k, k))
      gsl_matrix_set(cov, k, k, gsl_matrix_get(b, k, k));
}

bool mho__fit_covariance(const mho_fit_job *j, const gsl_matrix *jac, int used, gsl_matrix *cov,
                         double *quantile) {
  size_t m = (size_t)j->n;
  gsl_matrix *a = gsl_matrix_calloc(m, m), *b = gsl_matrix_calloc(m, m);
  gsl_matrix *t = gsl_matrix_calloc(m, m);
  gsl_vector *score = gsl_vector_calloc(m);
  double freedom = fmax(used - j->n, 1), sum = 0;

  bool ok = inverse_curvature(jac, a);
  if (ok) {
    for (int i = 0; i < j->d->n; i++)
      sum += j->residual[i] * j->residual[i];
    gsl_matrix_memcpy(cov, a);
    gsl_matrix_scale(cov, fmax(sum / freedom, 1e-30));
    *quantile = gsl_cdf_tdist_Pinv(0.975, freedom);
  }

  if (ok && j->d->devices >= CLUSTERS_MIN) {
    widen_by_clusters(j, jac, a, b, t, score, cov);
    *quantile = gsl_cdf_tdist_Pinv(0.975, j->d->devices - 1.0);
  }

  gsl_matrix_free(a);
  gsl_matrix_free(b);
  gsl_matrix_free(t);
  gsl_vector_free(score);
  return ok;
}

/* ---------------------------------------------------------------- intervals */

void mho__fit_intervals(mho_fit_job *j, const gsl_matrix *cov, double quantile) {
  for (int k = 0; k < j->n; k++) {
    mho_fit_value *v = &j->f->value[k];
    double x = mho__fit_coordinate(j, k, mho__fit_get(j, k));
    double error = sqrt(gsl_matrix_get(cov, (size_t)k, (size_t)k));
    v->value = mho__fit_get(j, k);
    v->error = j->is_log[k] ? v->value * error : error * j->scale[k];

    double a = mho__fit_value_at(j, k, x - quantile * error);
    double b = mho__fit_value_at(j, k, x + quantile * error);
    v->low = fmin(a, b);
    v->high = fmax(a, b);
  }
  j->f->n = j->n;
}

/* ---------------------------------------------------------------- how well */

/* Sums over tracks at one place in them: readings, the model's states, and their number. */
typedef struct place_sums {
  double y, g, n;
} place_sums;

/* Adds track t, over which the model runs free from the first reading. */
static void add_track(const mho_fit_job *j, int t, place_sums *sum) {
  const mho_pulse_data *d = j->d;
  double g = (double)NAN, g_min = j->f->config.g_min, range = mho__fit_range(&j->f->config);

  for (int i = d->first[t]; i < d->first[t + 1]; i++) {
    double y = (d->g[i] - g_min) / range;
    bool goes_on = isfinite(g) && d->count[i] >= 0;
    g = goes_on ? mho__fit_cell_step(&j->cell, d->direction[i], d->count[i], g, NULL) : y;
    if (!isfinite(y) || !isfinite(g) || y < -0.5 || y > 1.5)
      continue;
    place_sums *s = &sum[i - d->first[t]];
    s->y += y;
    s->g += g;
    s->n++;
  }
}

/* Fraction of the variance of the mean readings over n places that the mean states explain. */
static double explained(const place_sums *sum, int n) {
  double squares = 0, rest = 0, mean = 0, weight = 0;
  for (int i = 0; i < n; i++) {
    mean += sum[i].y;
    weight += sum[i].n;
  }
  mean /= weight;

  for (int i = 0; i < n; i++) {
    if (!(sum[i].n > 0))
      continue;
    double y = sum[i].y / sum[i].n, g = sum[i].g / sum[i].n;
    squares += sum[i].n * (y - mean) * (y - mean);
    rest += sum[i].n * (y - g) * (y - g);
  }
  return squares > 0 ? 1 - rest / squares : 0;
}

double mho__fit_explained(mho_fit_job *j) {
  const mho_pulse_data *d = j->d;
  int longest = 0;
  for (int t = 0; t < d->tracks; t++)
    longest = mho_max(longest, d->first[t + 1] - d->first[t]);

  place_sums *sum = calloc((size_t)longest, sizeof *sum);
  if (!sum)
    return 0;

  for (int t = 0; t < d->tracks; t++)
    add_track(j, t, sum);

  double r2 = explained(sum, longest);
  free(sum);
  return r2;
}
