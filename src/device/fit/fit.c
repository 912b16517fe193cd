/* fit.c - a device model fitted to measured pulses.
 *
 * The parameters that a model names as fittable, and the range where its steps tell it, minimize the weighted
 * innovations of fit_filter.c by GSL's trust-region least squares (gsl_multifit_nlinear, Levenberg-Marquardt).
 * They start from what fit_start.c finds. Noise and weights are then estimated from the residuals, and both are
 * repeated until they agree; fit_spread.c says how sure the result is and how devices differ.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_blas.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/fit/fit.h"

enum { ROUNDS = 6 };
static const double GATE = 5;

/* ---------------------------------------------------------------- parameters */

static bool has_word(const char *words, const char *word) {
  size_t n = strlen(word);
  for (const char *p = words; p && (p = strstr(p, word)); p += n)
    if ((p == words || strchr(" ,", p[-1])) && (!p[n] || strchr(" ,", p[n])))
      return true;
  return false;
}

static double *place(const mho_fit_job *j, int k) {
  return (double *)(void *)((char *)j->f->params + j->f->value[k].param->offset);
}

double mho_fit_get(const mho_fit_job *j, int k) {
  if (j->range && k >= j->n - 2)
    return k == j->n - 2 ? j->f->config.g_min : j->f->config.g_max;
  return *place(j, k);
}
void mho_fit_set(mho_fit_job *j, int k, double v) {
  v = fmin(fmax(v, j->low[k]), j->high[k]);
  if (j->range && k == j->n - 2)
    j->f->config.g_min = fmin(v, j->f->config.g_max - 1e-15);
  else if (j->range && k == j->n - 1)
    j->f->config.g_max = fmax(v, j->f->config.g_min + 1e-15);
  else
    *place(j, k) = v;
}
double mho_fit_coordinate(const mho_fit_job *j, int k, double v) {
  return j->is_log[k] ? log(v) : v / j->scale[k];
}
double mho_fit_value_at(const mho_fit_job *j, int k, double x) {
  return j->is_log[k] ? exp(x) : x * j->scale[k];
}
void mho_fit_update_cell(mho_fit_job *j) {
  mho_fit_cell_set(&j->cell, j->f->params, 1, 1);
}

static mho_err choose_parameters(mho_fit_job *j) {
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
              : mho_fail(j->ei, MHO_EDATA, "nothing of '%s' is left to be fitted",
                         j->f->model->entry.id);
}

static void add_range(mho_fit_job *j) {
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

/* From the extremes of the data, without the few beyond them that are out of all proportion. */
static mho_err range_of_data(mho_fit_job *j) {
  double *g = malloc((size_t)j->d->n * sizeof *g);
  int n = 0;
  if (!g)
    return mho_fail(j->ei, MHO_ENOMEM, "no memory for a fit");
  for (int i = 0; i < j->d->n; i++)
    if (isfinite(j->d->g[i]))
      g[n++] = j->d->g[i];
  gsl_sort(g, 1, (size_t)n);
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
    return mho_fail(j->ei, MHO_EDATA,
                    "the conductance never changes (%g S): there is nothing to fit",
                    j->f->config.g_max);
  return MHO_OK;
}

/* ---------------------------------------------------------------- least squares */

static int residuals(const gsl_vector *x, void *user, gsl_vector *f) {
  mho_fit_job *j = user;
  for (int k = 0; k < j->n; k++)
    mho_fit_set(j, k, mho_fit_value_at(j, k, gsl_vector_get(x, (size_t)k)));
  mho_fit_update_cell(j);
  mho_fit_filter(&j->cell, j->d, &j->gains, j->residual, NULL, NULL);
  for (int i = 0; i < j->d->n; i++) {
    double r = j->residual[i];
    gsl_vector_set(f, (size_t)i, isfinite(r) ? r : 1e3);
  }
  return GSL_SUCCESS;
}

mho_err mho_fit_minimize(mho_fit_job *j, int iterations, double *cost, gsl_matrix **jacobian) {
  gsl_multifit_nlinear_parameters p = gsl_multifit_nlinear_default_parameters();
  p.fdtype = GSL_MULTIFIT_NLINEAR_CTRDIFF;
  p.h_df = 5e-3; /* kernels answer in single precision: a smaller step would measure its rounding */
  size_t n = (size_t)j->d->n, m = (size_t)j->n;
  gsl_multifit_nlinear_fdf fdf = {.f = residuals, .n = n, .p = m, .params = j};
  gsl_multifit_nlinear_workspace *w =
      gsl_multifit_nlinear_alloc(gsl_multifit_nlinear_trust, &p, n, m);
  gsl_vector *x = gsl_vector_alloc(m);
  if (!w || !x)
    return mho_fail(j->ei, MHO_ENOMEM, "no memory to fit %zu rows", n);
  for (int k = 0; k < j->n; k++)
    gsl_vector_set(x, (size_t)k, mho_fit_coordinate(j, k, mho_fit_get(j, k)));
  int info, status = gsl_multifit_nlinear_init(x, &fdf, w);
  if (!status)
    status =
        gsl_multifit_nlinear_driver((size_t)iterations, 1e-7, 1e-10, 1e-12, NULL, NULL, &info, w);
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
static void drop_untold(mho_fit_job *j) {
  for (int k = 0; k < j->n; k++) {
    double v = mho_fit_get(j, k), x = mho_fit_coordinate(j, k, v), effect = 0,
           *before = malloc((size_t)j->d->n * sizeof *before);
    if (!before)
      return;
    mho_fit_update_cell(j);
    mho_fit_filter(&j->cell, j->d, &j->gains, before, NULL, NULL);
    for (int side = -1; side <= 1; side += 2) {
      mho_fit_set(j, k, mho_fit_value_at(j, k, x + side * 0.2));
      mho_fit_update_cell(j);
      mho_fit_filter(&j->cell, j->d, &j->gains, j->residual, NULL, NULL);
      for (int i = 0; i < j->d->n; i++)
        effect = fmax(effect, fabs(j->residual[i] - before[i]));
    }
    free(before);
    mho_fit_set(j, k, v);
    if (effect > 1e-9 || (j->range && k >= j->n - 2))
      continue;
    mho_text_append(j->f->untold, sizeof j->f->untold, "%s%s", *j->f->untold ? " " : "",
                    j->f->value[k].name);
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
  mho_fit_update_cell(j);
}

/* ---------------------------------------------------------------- all of it */

/* Fit, estimate the noise, weigh anew, until the parameters stay. */
static mho_err iterate(mho_fit_job *j, mho_fit_noise *noise, gsl_matrix **jacobian) {
  mho_fit *f = j->f;
  double cost = 0;
  bool additive_only = mho_params_find(f->model->entry.params, "pulse_noise") != NULL;
  bool edges = !j->range;
  mho_err err = MHO_OK;
  for (int round = 0; round < ROUNDS && !err; round++) {
    double before[MHO_FIT_MAX], moved = 0;
    for (int k = 0; k < j->n; k++)
      before[k] = mho_fit_coordinate(j, k, mho_fit_get(j, k));
    mho_fit_update_cell(j);
    err = mho_fit_noise_estimate(
        &j->cell, j->d, additive_only ? MHO_FIT_NOISE_ADD : MHO_FIT_NOISE_BOTH, noise, j->ei);
    if (err)
      break;
    f->likelihood =
        mho_fit_gains_set(&j->cell, j->d, noise, GATE, edges, &j->gains, &f->used, &f->outliers);
    if (f->used < j->n + 3)
      return mho_fail(
          j->ei, MHO_EDATA,
          "only %d of %d readings can be used for %d parameters: the noise of a pulse (%.2g of the range) "
          "is too large, or most readings are outliers",
          f->used, j->d->n, j->n, hypot(noise->add, noise->read));
    err = mho_fit_minimize(j, 60, &cost, NULL);
    for (int k = 0; k < j->n; k++)
      moved = fmax(moved, fabs(mho_fit_coordinate(j, k, mho_fit_get(j, k)) - before[k]));
    if (round > 1 && moved < 1e-4)
      break;
  }
  return err ? err : mho_fit_minimize(j, 20, &cost, jacobian);
}

/* Noise into the parameters that the model has for it. */
static void store_noise(mho_fit_job *j, const mho_fit_noise *noise) {
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
    double step =
        0.5 * (*(double *)(void *)(at + up->offset) + *(double *)(void *)(at + down->offset));
    *(int *)(void *)(at + kind->offset) = 1;
    *(double *)(void *)(at + relative->offset) = fmin(noise->add / step, relative->high);
  }
  if (noise->read > 0) {
    f->config.read_noise.law = MHO_READ_NOISE_CONSTANT;
    f->config.read_noise.sigma = noise->read;
  }
}

static mho_err finish(mho_fit_job *j, const mho_fit_noise *noise, gsl_matrix *jacobian) {
  mho_fit *f = j->f;
  gsl_matrix *cov = gsl_matrix_calloc((size_t)j->n, (size_t)j->n);
  double quantile = 2;
  mho_err err = MHO_OK;
  if (!cov || !jacobian)
    err = mho_fail(j->ei, MHO_ENOMEM, "no memory for a fit");
  else if (!mho_fit_covariance(j, jacobian, f->used, cov, &quantile))
    err = mho_fail(
        j->ei, MHO_EDATA,
        "these data do not determine all of %s%s%s%s%s: fix one of them, or measure more of the range",
        f->value[0].name, j->n > 1 ? ", " : "", j->n > 1 ? f->value[1].name : "",
        j->n > 2 ? ", " : "", j->n > 2 ? f->value[2].name : "");
  else
    mho_fit_intervals(j, cov, quantile);
  gsl_matrix_free(cov);
  if (err)
    return err;
  mho_fit_spread(j);
  store_noise(j, noise);
  f->explained = mho_fit_explained(j);
  if (f->explained < 0.5)
    return mho_fail(
        j->ei, MHO_EDATA,
        "'%s' explains only %.0f %% of the mean response: these data are of another kind",
        f->model->entry.id, 100 * fmax(f->explained, 0));
  return MHO_OK;
}

mho_err mho_device_fit(const mho_device_model *model, const void *params,
                       const mho_device_config *config, const mho_pulse_data *d,
                       const mho_fit_options *o, mho_fit *out, mho_errinfo *ei) {
  *out = (mho_fit){.model = model,
                   .config = *config,
                   .rows = d->n,
                   .missing = d->missing,
                   .devices = d->devices,
                   .tracks = d->tracks};
  if (!model->pulse || !model->fit || !*model->fit)
    return mho_fail(ei, MHO_EINVAL, "'%s' has no parameters to be fitted to pulses",
                    model->entry.id);
  size_t n = (size_t)d->n;
  mho_fit_job j = {.f = out, .d = d, .o = o, .ei = ei};
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
      err = mho_fail(ei, MHO_EDATA, "no parameter of '%s' changes what these pulses would do",
                     model->entry.id);
  }
  if (!err)
    err = mho_fit_best_start(&j);
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
