/* confidence.c - what data say of a fit: confidence of the parameters, and how much the model
 * explains.
 *
 * Confidence intervals: from the curvature at the minimum, widened to the scatter between devices,
 * between tracks where devices are few, or between parts of tracks where these are few too
 * (cluster-robust, C. Cameron, D. Miller, Journal of Human Resources 50, 317 (2015)), with
 * Student's t. An end at which the cost has not grown as the curvature says is moved to where it
 * has, the other parameters at their best (D. Bates, D. Watts, Nonlinear Regression Analysis and
 * Its Applications (1988), chapter 6).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_blas.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_eigen.h>
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

/* The inverse of a symmetric matrix with ones on its diagonal, in place; directions in which next
 * to nothing is known get a variance that is next to infinite. */
static bool invert_known(gsl_matrix *a) {
  static const double KNOWN = 1e-12; /* of the largest eigenvalue */
  size_t m = a->size1;
  gsl_vector *value = gsl_vector_alloc(m);
  gsl_matrix *vector = gsl_matrix_alloc(m, m);
  gsl_eigen_symmv_workspace *w = gsl_eigen_symmv_alloc(m);
  bool ok = value && vector && w && !gsl_eigen_symmv(a, value, vector, w);

  if (ok) {
    double least = KNOWN * gsl_vector_max(value);
    gsl_matrix_set_zero(a);
    for (size_t k = 0; k < m; k++) {
      gsl_vector_view v = gsl_matrix_column(vector, k);
      double known = fmax(gsl_vector_get(value, k), least);
      gsl_blas_dger(1 / known, &v.vector, &v.vector, a);
    }
  }

  if (w)
    gsl_eigen_symmv_free(w);
  if (vector)
    gsl_matrix_free(vector);
  if (value)
    gsl_vector_free(value);
  return ok;
}

/* a <- (J' J)^-1 [m x m]; false without memory. A parameter without effect has scale 0. */
static bool inverse_curvature(const gsl_matrix *jac, double scale[MHO_FIT_MAX], gsl_matrix *a) {
  size_t m = a->size1;
  double divisor[MHO_FIT_MAX];
  gsl_blas_dsyrk(CblasLower, CblasTrans, 1, jac, 0, a);
  gsl_blas_dsyrk(CblasUpper, CblasTrans, 1, jac, 0, a);
  for (size_t k = 0; k < m; k++) {
    scale[k] = sqrt(gsl_matrix_get(a, k, k));
    divisor[k] = scale[k] > 0 ? scale[k] : 1;
  }

  divide_by_scales(a, divisor);
  for (size_t k = 0; k < m; k++)
    gsl_matrix_set(a, k, k, 1);
  bool ok = invert_known(a);
  divide_by_scales(a, divisor);
  return ok;
}

/* What is independent, as a number of every reading: of its device where there are enough, else of
 * its track, else of its place in a track: pulses of one direction, and no more than a dozenth of
 * the readings. How many there are. */
static int find_clusters(const mho_pulse_data *d, int *cluster) {
  enum { PARTS = 12, LENGTH_MIN = 5 };
  bool by_device = d->devices >= CLUSTERS_MIN, by_track = d->tracks >= CLUSTERS_MIN;
  int longest = mho_max(d->n / PARTS, LENGTH_MIN), clusters = 0, length = 0;

  for (int t = 0; t < d->tracks; t++)
    for (int i = d->first[t]; i < d->first[t + 1]; i++) {
      bool is_first = i == d->first[t];
      bool begins = is_first && !(by_device && t > 0 && d->device[t] == d->device[t - 1]);
      if (!by_device && !by_track && !is_first)
        begins = d->direction[i] != d->direction[i - 1] || length >= longest;
      length = begins ? 1 : length + 1;
      clusters += begins;
      cluster[i] = clusters - 1;
    }
  return clusters;
}

/* b [m x m] += s s' over clusters, s = sum of J' r over the readings of one; score: scratch [m]. */
static void add_scores(const mho_fit_job *j, const gsl_matrix *jac, const int *cluster,
                       gsl_vector *score, gsl_matrix *b) {
  size_t m = score->size;
  gsl_vector_set_zero(score);
  for (int i = 0; i < j->d->n; i++) {
    for (size_t k = 0; k < m; k++) {
      double more = gsl_matrix_get(jac, (size_t)i, k) * j->residual[i];
      gsl_vector_set(score, k, gsl_vector_get(score, k) + more);
    }

    if (i + 1 == j->d->n || cluster[i + 1] != cluster[i]) {
      gsl_blas_dsyr(CblasLower, 1, score, b);
      gsl_vector_set_zero(score);
    }
  }

  for (size_t k = 0; k < m; k++)
    for (size_t l = k + 1; l < m; l++)
      gsl_matrix_set(b, k, l, gsl_matrix_get(b, l, k));
}

/* Widens the variances to those from the scatter between clusters, a b a c/(c - 1) with c of them:
 * never tighter than without clusters. b [m x m] is 0 and t scratch. */
static void widen_by_clusters(const mho_fit_job *j, const gsl_matrix *jac, const gsl_matrix *a,
                              const int *cluster, int clusters, gsl_matrix *b, gsl_matrix *t,
                              gsl_vector *score, gsl_matrix *cov) {
  double c = clusters, correction = c / (c - 1);
  add_scores(j, jac, cluster, score, b);
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

  double scale[MHO_FIT_MAX];
  bool ok = inverse_curvature(jac, scale, a);
  if (ok) {
    for (int i = 0; i < j->d->n; i++)
      sum += j->residual[i] * j->residual[i];
    gsl_matrix_memcpy(j->curvature, a);
    gsl_matrix_memcpy(cov, a);
    gsl_matrix_scale(cov, fmax(sum / freedom, 1e-30));
    *quantile = gsl_cdf_tdist_Pinv(0.975, freedom);
  }

  int *cluster = malloc((size_t)j->d->n * sizeof *cluster);
  int clusters = cluster ? find_clusters(j->d, cluster) : 0;
  if (ok && clusters >= CLUSTERS_MIN) {
    widen_by_clusters(j, jac, a, cluster, clusters, b, t, score, cov);
    *quantile = gsl_cdf_tdist_Pinv(0.975, clusters - 1.0);
  }
  free(cluster);
  for (size_t k = 0; ok && k < m; k++)
    if (!(scale[k] > 0))
      gsl_matrix_set(cov, k, k, HUGE_VAL);

  gsl_matrix_free(a);
  gsl_matrix_free(b);
  gsl_matrix_free(t);
  gsl_vector_free(score);
  return ok;
}

/* ---------------------------------------------------------------- intervals */

/* Whether the interval of a parameter says where it is, rather than naming next to all that it may
 * be: no three decades of a rate, not half of a narrow range, not ten times what it is. */
static bool is_determined(const mho_fit_job *j, int k) {
  static const double DECADES = 1e3, NARROW = 1000, TIMES = 10;
  const mho_fit_value *v = &j->f->value[k];
  double half = 0.5 * (v->high - v->low), width = v->param->high - v->param->low;
  if (!isfinite(v->error) || !isfinite(v->low) || !isfinite(v->high))
    return false;
  if (j->is_log[k])
    return v->high < DECADES * v->low;
  if (mho__fit_is_range(j, k))
    return half < j->scale[k];
  return half < (width < NARROW ? 0.5 * width : TIMES * fmax(fabs(v->value), j->scale[k]));
}

/* A minimum whose surroundings are looked at. */
typedef struct minimum {
  double x[MHO_FIT_MAX], cost; /* coordinates */
} minimum;

static void go_to(mho_fit_job *j, const minimum *m, int k, double away) {
  const gsl_matrix *c = j->curvature;
  double own = gsl_matrix_get(c, (size_t)k, (size_t)k);
  for (int l = 0; l < j->n; l++) {
    double with = away * gsl_matrix_get(c, (size_t)l, (size_t)k) / own;
    mho__fit_set(j, l, mho__fit_value_at(j, l, m->x[l] + with));
  }
  mho__fit_update_cell(j);
}

/* The minimum with parameter k held at a distance from the whole minimum, the others from where the
 * curvature has them then. */
static double cost_at(mho_fit_job *j, const minimum *m, int k, double away) {
  double cost;
  go_to(j, m, k, away);
  j->held = k + 1;
  mho_err err = mho__fit_minimize(j, 15, &cost, NULL);
  j->held = 0;
  return err ? HUGE_VAL : cost;
}

/* How far the parameter goes, in `apart`, until the root of the growth of the cost is `wanted`; 1
 * if the growth is that of a square. Not closer than a half, as a minimization may stop short. */
static double find_end(mho_fit_job *j, const minimum *m, int k, double apart, double wanted) {
  enum { STEPS = 7 };
  static const double CLOSE = 0.1, FAR = 20, NEAR_BY = 0.5;
  double inside = 0, outside = HUGE_VAL, at = 1;

  for (int i = 0; i < STEPS; i++) {
    double grown = sqrt(fmax(cost_at(j, m, k, at * apart) - m->cost, 0)) / wanted;
    if (fabs(grown - 1) < CLOSE)
      break;
    if (grown > 1)
      outside = at;
    else
      inside = at;
    if (inside >= FAR || outside <= NEAR_BY)
      break;

    /* further out as far as the growth so far tells, or between the two */
    at = isfinite(outside) ? 0.5 * (inside + outside)
                           : fmin(at * fmin(1 / fmax(grown, 0.3), 3), FAR);
  }
  return fmax(at, NEAR_BY);
}

void mho__fit_intervals(mho_fit_job *j, const gsl_matrix *cov, double quantile, double cost) {
  minimum m = {.cost = cost};
  for (int k = 0; k < j->n; k++)
    m.x[k] = mho__fit_coordinate(j, k, mho__fit_get(j, k));

  j->f->n = j->n;
  for (int k = 0; k < j->n; k++) {
    mho_fit_value *v = &j->f->value[k];
    double error = sqrt(gsl_matrix_get(cov, (size_t)k, (size_t)k)), apart = quantile * error;
    double own = sqrt(gsl_matrix_get(j->curvature, (size_t)k, (size_t)k)), ends[2];
    v->value = mho__fit_value_at(j, k, m.x[k]);
    v->error = j->is_log[k] ? v->value * error : error * j->scale[k];

    for (int side = 0; side < 2; side++) {
      double away = side ? apart : -apart;
      bool looks = j->n > 1 && isfinite(away) && apart < 30;
      away *= looks ? find_end(j, &m, k, away, apart / own) : 1;
      ends[side] = mho__fit_value_at(j, k, m.x[k] + away);
    }
    v->low = fmin(ends[0], ends[1]);
    v->high = fmax(ends[0], ends[1]);
    v->determined = is_determined(j, k);
    go_to(j, &m, k, 0);
  }
}

/* ---------------------------------------------------------------- how well */

/* Sums over tracks at one place in them: readings, the model's states, and their number. */
typedef struct place_sums {
  double y, g, n;
} place_sums;

/* Readings first .. end-1 of a track, over which the model runs free from state g. */
typedef struct stretch {
  const mho_fit_job *j;
  int first, end;
} stretch;

static double reading_at(const mho_fit_job *j, int i) {
  return (j->d->g[i] - j->f->config.g_min) / mho__fit_range(&j->f->config);
}

/* Whether a reading counts: it is there, and no outlier by far. */
static bool counts(double y) {
  return isfinite(y) && y >= -0.5 && y <= 1.5;
}

/* Sum of the squares between readings and states; sums: where they are added up by their place in
 * the track, nullable. */
static double run_free(const stretch *s, double g, place_sums *sums) {
  const mho_pulse_data *d = s->j->d;
  double squares = 0;
  for (int i = s->first; i < s->end; i++) {
    double y = reading_at(s->j, i);
    if (i > s->first)
      g = mho__fit_cell_step(&s->j->cell, d, i, g, NULL);
    if (!counts(y) || !isfinite(g))
      continue;
    squares += (y - g) * (y - g);
    if (sums) {
      sums[i].y += y;
      sums[i].g += g;
      sums[i].n++;
    }
  }
  return squares;
}

/* The state that a stretch begins in: that of its first reading, within what the noise of a reading
 * leaves open, so that the readings behind it are met best (golden section). */
static double best_start(const stretch *s) {
  enum { STEPS = 14 };
  static const double GOLDEN = 0.6180339887498949;
  double y = reading_at(s->j, s->first), off = 3 * s->j->read;
  double low = y - off, high = y + off;
  if (!(off > 0))
    return y;

  double a = high - GOLDEN * (high - low), b = low + GOLDEN * (high - low);
  double at_a = run_free(s, a, NULL), at_b = run_free(s, b, NULL);
  for (int i = 0; i < STEPS; i++) {
    if (at_a < at_b) {
      high = b;
      b = a;
      at_b = at_a;
      a = high - GOLDEN * (high - low);
      at_a = run_free(s, a, NULL);
    } else {
      low = a;
      a = b;
      at_a = at_b;
      b = low + GOLDEN * (high - low);
      at_b = run_free(s, b, NULL);
    }
  }
  return 0.5 * (low + high);
}

/* Adds track t, stretch by stretch: a new one begins where nobody knows what came before. */
static void add_track(const mho_fit_job *j, int t, place_sums *sum) {
  const mho_pulse_data *d = j->d;
  int i = d->first[t], last = d->first[t + 1];
  while (i < last) {
    while (i < last && !counts(reading_at(j, i)))
      i++;
    stretch s = {j, i, i + 1};
    while (s.end < last && d->count[s.end] >= 0)
      s.end++;
    if (i < last)
      run_free(&s, best_start(&s), sum - d->first[t]);
    i = s.end;
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
