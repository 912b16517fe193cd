/* fit.c - a device model fitted to measured pulses.
 *
 * The parameters that a model names as fittable, and the range where its steps tell it, minimize the weighted
 * innovations of fit_filter.c by GSL's trust-region least squares (gsl_multifit_nlinear, Levenberg-Marquardt).
 * Starts come from a random search whose rates are scaled to the observed mean steps. Noise and weights are then
 * estimated from the residuals, and both are repeated until they agree. Devices are afterwards given factors of
 * their own for SET and RESET: their spread, less the uncertainty of each, is the device-to-device spread.
 *
 * Confidence intervals: from the curvature at the minimum; with 5 devices or more from the scatter between devices
 * (cluster-robust, C. Cameron, D. Miller, Journal of Human Resources 50, 317 (2015)), with Student's t.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_blas.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/fit.h"

enum { STARTS = 400, REFINED = 4, ROUNDS = 6, SAMPLE = 1500, CLUSTERS_MIN = 5 };
static const double GATE = 5;

typedef struct job {
  mho_fit *f;
  const mho_pulse_data *d;
  const mho_fit_options *o;
  mho_fit_cell cell;
  mho_fit_gains gains;
  int n;      /* parameters fitted: f->value[0..n-1] */
  bool range; /* g_min and g_max are the last two of them */
  bool is_log[MHO_FIT_MAX];
  double scale[MHO_FIT_MAX], low[MHO_FIT_MAX], high[MHO_FIT_MAX];
  double *residual;
  mho_errinfo *ei;
} job;

/* ---------------------------------------------------------------- parameters */

static bool has_word(const char *words, const char *word) {
  size_t n = strlen(word);
  for (const char *p = words; p && (p = strstr(p, word)); p += n)
    if ((p == words || strchr(" ,", p[-1])) && (!p[n] || strchr(" ,", p[n])))
      return true;
  return false;
}

static double *place(const job *j, int k) {
  return (double *)(void *)((char *)j->f->params + j->f->value[k].param->offset);
}

static double get(const job *j, int k) {
  if (j->range && k >= j->n - 2)
    return k == j->n - 2 ? j->f->config.g_min : j->f->config.g_max;
  return *place(j, k);
}
static void set(job *j, int k, double v) {
  v = fmin(fmax(v, j->low[k]), j->high[k]);
  if (j->range && k == j->n - 2)
    j->f->config.g_min = fmin(v, j->f->config.g_max - 1e-15);
  else if (j->range && k == j->n - 1)
    j->f->config.g_max = fmax(v, j->f->config.g_min + 1e-15);
  else
    *place(j, k) = v;
}
/* Coordinates of the search: logarithms of rates, the others over their scale. */
static double coordinate(const job *j, int k, double v) {
  return j->is_log[k] ? log(v) : v / j->scale[k];
}
static double value_at(const job *j, int k, double x) {
  return j->is_log[k] ? exp(x) : x * j->scale[k];
}
static void update_cell(job *j) {
  mho_fit_cell_set(&j->cell, j->f->params, 1, 1);
}

static mho_err choose_parameters(job *j) {
  char copy[MHO_TEXT_MAX], *save = NULL;
  snprintf(copy, sizeof copy, "%s", j->f->model->fit);
  for (char *name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
    const mho_param *p = mho_params_find(j->f->model->entry.params, name);
    if (!p || has_word(j->o->fixed, name) || j->n == MHO_FIT_MAX - 2)
      continue;
    int k = j->n++;
    j->f->value[k] = (mho_fit_value){.name = p->name, .param = p};
    j->low[k] = p->low;
    j->high[k] = p->high;
    j->is_log[k] = p->low > 0 && p->high / p->low > 1e3;
    j->scale[k] = fmax(fabs(*place(j, k)), 0.1 * (fmin(p->high, 10) - fmax(p->low, -10)));
  }
  return j->n ? MHO_OK
              : mho_fail(j->ei, MHO_EDATA, "nothing of '%s' is left to be fitted", j->f->model->entry.id);
}

static void add_range(job *j) {
  static const char *const names[] = {"g_min", "g_max"};
  double range = j->f->config.g_max - j->f->config.g_min;
  for (int k = 0; k < 2; k++) {
    const mho_param *p = mho_params_find(mho_device_params, names[k]);
    j->f->value[j->n] = (mho_fit_value){.name = p->name, .param = p};
    j->low[j->n] = k ? j->f->config.g_max - 0.5 * range : fmax(j->f->config.g_min - 0.5 * range, 0);
    j->high[j->n] = k ? j->f->config.g_max + range : j->f->config.g_min + 0.5 * range;
    j->is_log[j->n] = false;
    j->scale[j->n++] = range;
  }
  j->range = true;
}

/* ---------------------------------------------------------------- the range in the data */

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* From the extremes of the data, without the few beyond them that are out of all proportion. */
static mho_err range_of_data(job *j) {
  double *g = malloc((size_t)j->d->n * sizeof *g);
  int n = 0;
  if (!g)
    return mho_fail(j->ei, MHO_ENOMEM, "no memory for a fit");
  for (int i = 0; i < j->d->n; i++)
    if (isfinite(j->d->g[i]))
      g[n++] = j->d->g[i];
  qsort(g, (size_t)n, sizeof *g, ascending);
  double q1 = g[n / 100], q9 = g[n - 1 - n / 100], slack = 0.25 * (q9 - q1);
  int low = 0, high = n - 1;
  while (low < high && g[low] < q1 - slack)
    low++;
  while (high > low && g[high] > q9 + slack)
    high--;
  j->f->config.g_min = fmax(g[low], 0);
  j->f->config.g_max = g[high];
  free(g);
  if (!(j->f->config.g_max > j->f->config.g_min * (1 + 1e-9)) || !(j->f->config.g_max > 0))
    return mho_fail(j->ei, MHO_EDATA, "the conductance never changes (%g S): there is nothing to fit",
                    j->f->config.g_max);
  return MHO_OK;
}

/* ---------------------------------------------------------------- starts */

/* A random part of the increments: state, direction, pulses, change. */
typedef struct increments {
  int n, direction[SAMPLE], count[SAMPLE];
  double from[SAMPLE], change[SAMPLE], spread;
} increments;

static void sample_increments(const job *j, increments *s) {
  const mho_pulse_data *d = j->d;
  double range = j->f->config.g_max - j->f->config.g_min, size[SAMPLE];
  long candidates = 0;
  uint32_t w = 1;
  s->n = 0;
  for (int t = 0; t < d->tracks; t++)
    for (int i = d->first[t] + 1; i < d->first[t + 1]; i++) {
      if (!isfinite(d->g[i]) || !isfinite(d->g[i - 1]) || d->count[i] < 1)
        continue;
      int k = s->n;
      if (s->n < SAMPLE) {
        s->n++;
      } else { /* reservoir: each candidate with the same chance */
        w = w * 1664525u + 1013904223u;
        long at = (long)((double)w / 4294967296.0 * (double)(candidates + 1));
        if (at >= SAMPLE) {
          candidates++;
          continue;
        }
        k = (int)at;
      }
      candidates++;
      s->direction[k] = d->direction[i];
      s->count[k] = d->count[i];
      s->from[k] = fmin(fmax((d->g[i - 1] - j->f->config.g_min) / range, 0), 1);
      s->change[k] = (d->g[i] - d->g[i - 1]) / range;
    }
  for (int i = 0; i < s->n; i++)
    size[i] = fabs(s->change[i]);
  qsort(size, (size_t)s->n, sizeof *size, ascending);
  s->spread = s->n ? size[s->n * 3 / 4] + 1e-9 : 1;
}

/* Mean change in each direction, of the model and of the data, and the cost with outliers bounded. */
static double compare(const job *j, const increments *s, double model[2], double data[2]) {
  double cost = 0, to[SAMPLE];
  int n[2] = {0, 0};
  memcpy(to, s->from, (size_t)s->n * sizeof *to);
  for (int i = 0; i < s->n; i += MHO_DEVICE_BLOCK)
    mho_fit_cell_steps(&j->cell, s->n - i < MHO_DEVICE_BLOCK ? s->n - i : MHO_DEVICE_BLOCK, s->direction + i,
                       s->count + i, to + i);
  model[0] = model[1] = data[0] = data[1] = 0;
  for (int i = 0; i < s->n; i++) {
    int side = s->direction[i] > 0;
    double step = to[i] - s->from[i], e = (s->change[i] - step) / s->spread;
    if (fabs(s->change[i]) < 20 * s->spread) {
      model[side] += step;
      data[side] += s->change[i];
      n[side]++;
    }
    cost += e * e / (1 + e * e / 9);
  }
  for (int side = 0; side < 2; side++)
    if (n[side]) {
      model[side] /= n[side];
      data[side] /= n[side];
    }
  return isfinite(cost) ? cost : HUGE_VAL;
}

/* Scale each rate until the mean step of its direction is the observed one. */
static double match_rates(job *j, const increments *s) {
  double model[2], data[2], cost = 0;
  for (int turn = 0; turn < 3; turn++)
    for (int k = 0; k < j->n; k++) {
      if (!j->is_log[k])
        continue;
      double v = get(j, k), more[2];
      update_cell(j);
      cost = compare(j, s, model, data);
      set(j, k, v * 1.2);
      update_cell(j);
      compare(j, s, more, data);
      double up = fabs(more[1] - model[1]), down = fabs(more[0] - model[0]);
      int side = up > down;
      double elasticity = log(fabs(more[side] / model[side])) / log(1.2);
      double wanted = data[side] / model[side];
      set(j, k, v);
      if (isfinite(elasticity) && fabs(elasticity) > 0.05 && wanted > 0)
        set(j, k, v * exp(fmin(fmax(log(wanted) / elasticity, -5), 5)));
    }
  update_cell(j);
  cost = compare(j, s, model, data);
  return cost;
}

static double uniform(uint32_t *w) {
  *w = *w * 1664525u + 1013904223u;
  return (*w >> 8) * (1.0 / 16777216);
}

typedef struct start {
  double cost, value[MHO_FIT_MAX];
} start;

static void search_starts(job *j, const increments *s, start *best) {
  uint32_t w = 12345;
  start initial = {0};
  for (int k = 0; k < j->n; k++)
    initial.value[k] = get(j, k);
  for (int i = 0; i < REFINED; i++)
    best[i].cost = HUGE_VAL;
  for (int trial = 0; trial < STARTS; trial++) {
    for (int k = 0; k < j->n; k++) {
      double low = fmax(j->low[k], -30), high = fmin(j->high[k], 30), v = initial.value[k];
      bool free_form = !j->is_log[k] && !(j->range && k >= j->n - 2);
      set(j, k, free_form && trial ? low + (high - low) * pow(uniform(&w), low < 0 ? 1 : 2) : v);
    }
    start now = {.cost = match_rates(j, s)};
    for (int k = 0; k < j->n; k++)
      now.value[k] = get(j, k);
    for (int i = 0; i < REFINED; i++)
      if (now.cost < best[i].cost) {
        memmove(best + i + 1, best + i, (size_t)(REFINED - 1 - i) * sizeof *best);
        best[i] = now;
        break;
      }
  }
}

/* ---------------------------------------------------------------- least squares */

static int residuals(const gsl_vector *x, void *user, gsl_vector *f) {
  job *j = user;
  for (int k = 0; k < j->n; k++)
    set(j, k, value_at(j, k, gsl_vector_get(x, (size_t)k)));
  update_cell(j);
  mho_fit_filter(&j->cell, j->d, &j->gains, j->residual, NULL, NULL);
  for (int i = 0; i < j->d->n; i++) {
    double r = j->residual[i];
    gsl_vector_set(f, (size_t)i, isfinite(r) ? r : 1e3);
  }
  return GSL_SUCCESS;
}

/* One minimization from the present parameters; jacobian (nullable) [n rows x parameters] in coordinates. */
static mho_err minimize(job *j, int iterations, double *cost, gsl_matrix **jacobian) {
  gsl_multifit_nlinear_parameters p = gsl_multifit_nlinear_default_parameters();
  p.fdtype = GSL_MULTIFIT_NLINEAR_CTRDIFF;
  p.h_df = 5e-3; /* kernels answer in single precision: a smaller step would measure its rounding */
  size_t n = (size_t)j->d->n, m = (size_t)j->n;
  gsl_multifit_nlinear_fdf fdf = {.f = residuals, .n = n, .p = m, .params = j};
  gsl_multifit_nlinear_workspace *w = gsl_multifit_nlinear_alloc(gsl_multifit_nlinear_trust, &p, n, m);
  gsl_vector *x = gsl_vector_alloc(m);
  if (!w || !x)
    return mho_fail(j->ei, MHO_ENOMEM, "no memory to fit %zu rows", n);
  for (int k = 0; k < j->n; k++)
    gsl_vector_set(x, (size_t)k, coordinate(j, k, get(j, k)));
  int info, status = gsl_multifit_nlinear_init(x, &fdf, w);
  if (!status)
    status = gsl_multifit_nlinear_driver((size_t)iterations, 1e-7, 1e-10, 1e-12, NULL, NULL, &info, w);
  residuals(w->x, j, w->f); /* leaves the parameters at the solution */
  gsl_blas_ddot(w->f, w->f, cost);
  if (jacobian) {
    *jacobian = gsl_matrix_alloc(n, m);
    if (*jacobian)
      gsl_matrix_memcpy(*jacobian, gsl_multifit_nlinear_jac(w));
  }
  gsl_vector_free(x);
  gsl_multifit_nlinear_free(w);
  if (status && status != GSL_EMAXITER && status != GSL_ENOPROG)
    return mho_fail(j->ei, MHO_EDATA, "the fit of '%s' fails: %s", j->f->model->entry.id,
                    gsl_strerror(status));
  return MHO_OK;
}

/* Parameters that move nothing keep their values and are named: data in one direction, say. */
static void drop_untold(job *j) {
  for (int k = 0; k < j->n; k++) {
    double v = get(j, k), x = coordinate(j, k, v), effect = 0,
           *before = malloc((size_t)j->d->n * sizeof *before);
    if (!before)
      return;
    update_cell(j);
    mho_fit_filter(&j->cell, j->d, &j->gains, before, NULL, NULL);
    for (int side = -1; side <= 1; side += 2) {
      set(j, k, value_at(j, k, x + side * 0.2));
      update_cell(j);
      mho_fit_filter(&j->cell, j->d, &j->gains, j->residual, NULL, NULL);
      for (int i = 0; i < j->d->n; i++)
        effect = fmax(effect, fabs(j->residual[i] - before[i]));
    }
    free(before);
    set(j, k, v);
    if (effect > 1e-9 || (j->range && k >= j->n - 2))
      continue;
    mho_text_append(j->f->untold, sizeof j->f->untold, "%s%s", *j->f->untold ? " " : "", j->f->value[k].name);
    for (int i = k; i + 1 < j->n; i++) {
      j->f->value[i] = j->f->value[i + 1];
      j->low[i] = j->low[i + 1];
      j->high[i] = j->high[i + 1];
      j->scale[i] = j->scale[i + 1];
      j->is_log[i] = j->is_log[i + 1];
    }
    j->n--;
    k--;
  }
  update_cell(j);
}

/* ---------------------------------------------------------------- confidence */

/* Inverse of J'J, and of the scatter of its scores between devices; false when the data do not determine all. */
static bool covariance(const job *j, const gsl_matrix *jac, int rows_used, gsl_matrix *cov,
                       double *quantile) {
  size_t m = (size_t)j->n;
  gsl_matrix *a = gsl_matrix_calloc(m, m), *b = gsl_matrix_calloc(m, m), *t = gsl_matrix_calloc(m, m);
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
                           gsl_vector_get(score, k) + gsl_matrix_get(jac, (size_t)i, k) * j->residual[i]);
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

static void intervals(job *j, const gsl_matrix *cov, double quantile) {
  for (int k = 0; k < j->n; k++) {
    mho_fit_value *v = &j->f->value[k];
    double x = coordinate(j, k, get(j, k)), se = sqrt(gsl_matrix_get(cov, (size_t)k, (size_t)k));
    v->value = get(j, k);
    v->error = j->is_log[k] ? v->value * se : se * j->scale[k];
    double a = value_at(j, k, x - quantile * se), b = value_at(j, k, x + quantile * se);
    v->low = fmin(a, b);
    v->high = fmax(a, b);
  }
  j->f->n = j->n;
}

/* ---------------------------------------------------------------- spread between devices */

/* Factors of SET and RESET of each device by one Gauss-Newton step, [2 x devices], and their variances. */
static bool device_factors(job *j, double *factor, double *variance) {
  const mho_pulse_data *d = j->d;
  size_t n = (size_t)d->n;
  double *r0 = malloc(n * sizeof *r0), *r[2] = {malloc(n * sizeof **r), malloc(n * sizeof **r)};
  bool ok = r0 && r[0] && r[1];
  const double h = 0.05;
  if (ok) {
    update_cell(j);
    mho_fit_filter(&j->cell, d, &j->gains, r0, NULL, NULL);
    for (int side = 0; side < 2; side++) {
      mho_fit_cell_set(&j->cell, j->f->params, side ? 1 + h : 1, side ? 1 : 1 + h);
      mho_fit_filter(&j->cell, d, &j->gains, r[side], NULL, NULL);
    }
    update_cell(j);
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
    for (int k = 0; k < 2; k++) { /* a direction that is not in the data, or has no steps, has no factor */
      bool both = det > 1e-9 * a[0][0] * a[1][1] && det > 0, alone = !both && a[k][k] > 1e6 * a[1 - k][1 - k];
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
static void spread_of(const double *factor, const double *variance, int devices, int sign, double *out,
                      double *error) {
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

static void fit_spread(job *j) {
  mho_fit *f = j->f;
  int devices = j->d->devices;
  double *factor = malloc(2 * (size_t)devices * sizeof *factor),
         *variance = malloc(2 * (size_t)devices * sizeof *factor);
  f->spread_step = f->spread_step_error = f->spread_asymmetry = f->spread_asymmetry_error = (double)NAN;
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

/* Part of the variance of the mean response, pulse by pulse over all tracks, that the model explains when it runs
 * free from where each track starts. */
static double explained(job *j) {
  const mho_pulse_data *d = j->d;
  int longest = 0;
  for (int t = 0; t < d->tracks; t++)
    longest = d->first[t + 1] - d->first[t] > longest ? d->first[t + 1] - d->first[t] : longest;
  double *sum = calloc(3 * (size_t)longest, sizeof *sum), squares = 0, rest = 0, mean = 0, weight = 0;
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

/* ---------------------------------------------------------------- all of it */

/* Fit, estimate the noise, weigh anew, until the parameters stay. */
static mho_err iterate(job *j, mho_fit_noise *noise, gsl_matrix **jacobian) {
  mho_fit *f = j->f;
  double cost = 0;
  bool additive_only = mho_params_find(f->model->entry.params, "pulse_noise") != NULL;
  bool edges = !j->range;
  mho_err err = MHO_OK;
  for (int round = 0; round < ROUNDS && !err; round++) {
    double before[MHO_FIT_MAX], moved = 0;
    for (int k = 0; k < j->n; k++)
      before[k] = coordinate(j, k, get(j, k));
    update_cell(j);
    err = mho_fit_noise_estimate(&j->cell, j->d, additive_only ? MHO_FIT_NOISE_ADD : MHO_FIT_NOISE_BOTH,
                                 noise, j->ei);
    if (err)
      break;
    f->likelihood = mho_fit_gains_set(&j->cell, j->d, noise, GATE, edges, &j->gains, &f->used, &f->outliers);
    if (f->used < j->n + 3)
      return mho_fail(
          j->ei, MHO_EDATA,
          "only %d of %d readings can be used for %d parameters: the noise of a pulse (%.2g of the range) "
          "is too large, or most readings are outliers",
          f->used, j->d->n, j->n, hypot(noise->add, noise->read));
    err = minimize(j, 60, &cost, NULL);
    for (int k = 0; k < j->n; k++)
      moved = fmax(moved, fabs(coordinate(j, k, get(j, k)) - before[k]));
    if (round > 1 && moved < 1e-4)
      break;
  }
  return err ? err : minimize(j, 20, &cost, jacobian);
}

static mho_err best_start(job *j) {
  increments *s = malloc(sizeof *s);
  start best[REFINED + 1];
  if (!s)
    return mho_fail(j->ei, MHO_ENOMEM, "no memory for a fit");
  sample_increments(j, s);
  if (s->n < 3 || s->n <= j->n) {
    mho_err err = mho_fail(j->ei, MHO_EDATA,
                           "%d changes from one pulse to the next are too few for %d parameters of '%s'",
                           s->n, j->n, j->f->model->entry.id);
    free(s);
    return err;
  }
  search_starts(j, s, best);
  /* plain increments decide between the starts: a first weight for all of them */
  double range = j->f->config.g_max - j->f->config.g_min, lowest = HUGE_VAL;
  start winner = best[0];
  mho_err err = MHO_OK;
  for (int i = 0; i < REFINED && !err && isfinite(best[i].cost); i++) {
    for (int k = 0; k < j->n; k++)
      set(j, k, best[i].value[k]);
    update_cell(j);
    int used, outliers;
    mho_fit_noise flat = {.add = s->spread};
    mho_fit_gains_set(&j->cell, j->d, &flat, 8, false, &j->gains, &used, &outliers);
    (void)range;
    double cost;
    err = minimize(j, 30, &cost, NULL);
    if (!err && cost < lowest) {
      lowest = cost;
      for (int k = 0; k < j->n; k++)
        winner.value[k] = get(j, k);
    }
  }
  for (int k = 0; k < j->n; k++)
    set(j, k, winner.value[k]);
  update_cell(j);
  free(s);
  return isfinite(lowest) ? MHO_OK
         : err            ? err
                          : mho_fail(j->ei, MHO_EDATA, "no parameters of '%s' come near these data",
                                     j->f->model->entry.id);
}

/* Noise into the parameters that the model has for it. */
static void store_noise(job *j, const mho_fit_noise *noise) {
  mho_fit *f = j->f;
  const mho_param *relative = mho_params_find(f->model->entry.params, "cycle_to_cycle"),
                  *kind = mho_params_find(f->model->entry.params, "noise"),
                  *add = mho_params_find(f->model->entry.params, "noise_add"),
                  *pulse = mho_params_find(f->model->entry.params, "pulse_noise");
  char *at = f->params;
  f->pulse_relative = noise->relative;
  f->pulse_add = noise->add;
  f->read = noise->read * (f->config.g_max - f->config.g_min);
  if (relative)
    *(double *)(void *)(at + relative->offset) = fmin(noise->relative, relative->high);
  if (add)
    *(double *)(void *)(at + add->offset) = fmin(noise->add, add->high);
  if (pulse)
    *(double *)(void *)(at + pulse->offset) = fmin(noise->add, pulse->high);
  if (kind && noise->add > 0 && noise->relative == 0) { /* additive: of the nominal step */
    const mho_param *up = mho_params_find(f->model->entry.params, "step_up"),
                    *down = mho_params_find(f->model->entry.params, "step_down");
    double step = 0.5 * (*(double *)(void *)(at + up->offset) + *(double *)(void *)(at + down->offset));
    *(int *)(void *)(at + kind->offset) = 1;
    *(double *)(void *)(at + relative->offset) = fmin(noise->add / step, relative->high);
  }
  if (noise->read > 0) {
    f->config.read_noise.law = MHO_READ_NOISE_CONSTANT;
    f->config.read_noise.sigma = noise->read;
  }
}

static mho_err finish(job *j, const mho_fit_noise *noise, gsl_matrix *jacobian) {
  mho_fit *f = j->f;
  gsl_matrix *cov = gsl_matrix_calloc((size_t)j->n, (size_t)j->n);
  double quantile = 2;
  mho_err err = MHO_OK;
  if (!cov || !jacobian)
    err = mho_fail(j->ei, MHO_ENOMEM, "no memory for a fit");
  else if (!covariance(j, jacobian, f->used, cov, &quantile))
    err = mho_fail(
        j->ei, MHO_EDATA,
        "these data do not determine all of %s%s%s%s%s: fix one of them, or measure more of the range",
        f->value[0].name, j->n > 1 ? ", " : "", j->n > 1 ? f->value[1].name : "", j->n > 2 ? ", " : "",
        j->n > 2 ? f->value[2].name : "");
  else
    intervals(j, cov, quantile);
  gsl_matrix_free(cov);
  if (err)
    return err;
  fit_spread(j);
  store_noise(j, noise);
  f->explained = explained(j);
  if (f->explained < 0.5)
    return mho_fail(j->ei, MHO_EDATA,
                    "'%s' explains only %.0f %% of the mean response: these data are of another kind",
                    f->model->entry.id, 100 * fmax(f->explained, 0));
  return MHO_OK;
}

mho_err mho_device_fit(const mho_device_model *model, const void *params, const mho_device_config *config,
                       const mho_pulse_data *d, const mho_fit_options *o, mho_fit *out, mho_errinfo *ei) {
  *out = (mho_fit){.model = model,
                   .config = *config,
                   .rows = d->n,
                   .missing = d->missing,
                   .devices = d->devices,
                   .tracks = d->tracks};
  if (!model->pulse || !model->fit || !*model->fit)
    return mho_fail(ei, MHO_EINVAL, "'%s' has no parameters to be fitted to pulses", model->entry.id);
  size_t n = (size_t)d->n;
  job j = {.f = out, .d = d, .o = o, .ei = ei};
  j.gains = (mho_fit_gains){malloc(n * sizeof(double)), malloc(n * sizeof(double))};
  j.residual = calloc(n, sizeof(double));
  out->params = mho_alloc(1, model->entry.params.size);
  j.cell = (mho_fit_cell){.model = model, .config = &out->config};
  gsl_matrix *jacobian = NULL;
  mho_fit_noise noise = {0};
  mho_err err = j.gains.gain && j.gains.weight && j.residual && out->params
                    ? MHO_OK
                    : mho_fail(ei, MHO_ENOMEM, "no memory for a fit");
  if (!err) {
    memcpy(out->params, params, model->entry.params.size);
    if (!o->keep_range)
      err = range_of_data(&j);
  }
  if (!err)
    err = choose_parameters(&j);
  if (!err) {
    for (size_t i = 0; i < n; i++) { /* plain increments, of the range */
      j.gains.gain[i] = 1;
      j.gains.weight[i] = 1 / (out->config.g_max - out->config.g_min);
    }
    for (int k = 0; k < d->tracks; k++)
      j.gains.gain[d->first[k]] = -1;
    drop_untold(&j);
    if (!j.n)
      err =
          mho_fail(ei, MHO_EDATA, "no parameter of '%s' changes what these pulses would do", model->entry.id);
  }
  if (!err)
    err = best_start(&j);
  if (!err && model->fit_range && !o->keep_range)
    add_range(&j);
  if (!err)
    err = iterate(&j, &noise, &jacobian);
  if (!err)
    err = finish(&j, &noise, jacobian);
  if (jacobian)
    gsl_matrix_free(jacobian);
  free(j.gains.gain);
  free(j.gains.weight);
  free(j.residual);
  if (err)
    mho_fit_free(out);
  return err;
}

void mho_fit_free(mho_fit *f) {
  mho_free(f->params);
  f->params = NULL;
}
