/* least_squares.c - the parameters of a fit as coordinates, and one minimization over them.
 *
 * The weighted innovations of innovations.c are minimized by GSL's trust-region least squares
 * (gsl_multifit_nlinear, Levenberg-Marquardt).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_blas.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <math.h>

#include "device/fit/fit.h"

/* ---------------------------------------------------------------- coordinates */

/* Where the model's parameter k lies. */
static double *place(const mho_fit_job *j, int k) {
  return (double *)(void *)((char *)j->f->params + j->f->value[k].param->offset);
}

bool mho__fit_is_range(const mho_fit_job *j, int k) {
  return j->range && k >= j->n - 2;
}

double mho__fit_get(const mho_fit_job *j, int k) {
  if (mho__fit_is_range(j, k))
    return k == j->n - 2 ? j->f->config.g_min : j->f->config.g_max;
  return *place(j, k);
}

void mho__fit_set(mho_fit_job *j, int k, double v) {
  v = fmin(fmax(v, j->low[k]), j->high[k]);
  if (!mho__fit_is_range(j, k))
    *place(j, k) = v;
  else if (k == j->n - 2)
    j->f->config.g_min = fmin(v, j->f->config.g_max - 1e-15);
  else
    j->f->config.g_max = fmax(v, j->f->config.g_min + 1e-15);
}

double mho__fit_coordinate(const mho_fit_job *j, int k, double v) {
  return j->is_log[k] ? log(v) : v / j->scale[k];
}

double mho__fit_value_at(const mho_fit_job *j, int k, double x) {
  return j->is_log[k] ? exp(x) : x * j->scale[k];
}

/* How strong each reading of a sweep is: the drive of its voltage for as long as it lasts against
 * that of a whole pulse. */
static void set_amplitudes(mho_fit_job *j) {
  const mho_device_model *m = j->f->model;
  const mho_pulse_data *d = j->d;
  const mho_param *p = mho_params_find(m->entry.params, "width");
  double width = *(const double *)(const void *)((const char *)j->f->params + p->offset);

  for (int i = 0; i < d->n; i++) {
    double v = d->volts_at[i];
    double a = m->response(j->f->params, v > 0, v / d->volts[v < 0]) * d->dwell[i] / width;
    j->cell.amplitude[i] = isfinite(a) ? fabs(a) : 0;
  }
}

void mho__fit_update_cell(mho_fit_job *j) {
  mho__fit_cell_set(&j->cell, j->f->params, 1, 1);
  if (j->cell.amplitude)
    set_amplitudes(j);
}

/* ---------------------------------------------------------------- minimization */

/* Number of the i-th parameter that is free: all but the one that is held. */
static int free_one(const mho_fit_job *j, size_t i) {
  int k = (int)i;
  return k + (j->held && k >= j->held - 1);
}

static int residuals(const gsl_vector *x, void *user, gsl_vector *f) {
  mho_fit_job *j = user;
  if (mho_stopped(j->o->ctx))
    return GSL_EFAILED;
  for (size_t i = 0; i < x->size; i++) {
    int k = free_one(j, i);
    mho__fit_set(j, k, mho__fit_value_at(j, k, gsl_vector_get(x, i)));
  }

  mho__fit_update_cell(j);
  mho__fit_filter(&j->cell, j->d, &j->gains, j->residual, NULL, NULL);
  for (int i = 0; i < j->d->n; i++) {
    double r = j->residual[i];
    gsl_vector_set(f, (size_t)i, isfinite(r) ? r : 1e3);
  }
  return GSL_SUCCESS;
}

/* Central differences, as wide as single precision asks for; at a limit, one-sided ones. */
static int slopes(const gsl_vector *x, void *user, gsl_matrix *out) {
  static const double WIDTH = 5e-3;
  mho_fit_job *j = user;
  gsl_vector *at = gsl_vector_alloc(x->size);
  gsl_vector *side[2] = {gsl_vector_alloc(out->size1), gsl_vector_alloc(out->size1)};
  int status = at && side[0] && side[1] ? GSL_SUCCESS : GSL_ENOMEM;

  for (size_t i = 0; i < x->size && !status; i++) {
    int k = free_one(j, i);
    double place[2];
    for (int s = 0; s < 2; s++) {
      gsl_vector_memcpy(at, x);
      gsl_vector_set(at, i, gsl_vector_get(x, i) + (s ? WIDTH : -WIDTH));
      residuals(at, j, side[s]);
      place[s] = mho__fit_coordinate(j, k, mho__fit_get(j, k));
    }

    double apart = place[1] - place[0];
    for (size_t row = 0; row < out->size1; row++) {
      double rise = gsl_vector_get(side[1], row) - gsl_vector_get(side[0], row);
      gsl_matrix_set(out, row, i, apart > 0 ? rise / apart : 0);
    }
  }

  gsl_vector_free(at);
  gsl_vector_free(side[0]);
  gsl_vector_free(side[1]);
  return status;
}

/* The Jacobian at the solution, or NULL without memory for it. */
static gsl_matrix *copy_jacobian(gsl_multifit_nlinear_workspace *w, size_t n, size_t m) {
  gsl_matrix *copy = gsl_matrix_alloc(n, m);
  if (copy)
    gsl_matrix_memcpy(copy, gsl_multifit_nlinear_jac(w));
  return copy;
}

mho_err mho__fit_minimize(mho_fit_job *j, int iterations, double *cost, gsl_matrix **jacobian) {
  size_t n = (size_t)j->d->n, m = (size_t)j->n - (j->held > 0);
  gsl_multifit_nlinear_parameters p = gsl_multifit_nlinear_default_parameters();
  gsl_multifit_nlinear_fdf fdf = {.f = residuals, .df = slopes, .n = n, .p = m, .params = j};
  gsl_multifit_nlinear_workspace *w =
      gsl_multifit_nlinear_alloc(gsl_multifit_nlinear_trust, &p, n, m);
  gsl_vector *x = gsl_vector_alloc(m);
  if (!w || !x)
    return mho_fail(j->ei, MHO_ENOMEM, "no memory to fit %zu rows", n);

  for (size_t i = 0; i < m; i++) {
    int k = free_one(j, i);
    gsl_vector_set(x, i, mho__fit_coordinate(j, k, mho__fit_get(j, k)));
  }
  int info, status = gsl_multifit_nlinear_init(x, &fdf, w);
  if (!status)
    status =
        gsl_multifit_nlinear_driver((size_t)iterations, 1e-7, 1e-10, 1e-12, NULL, NULL, &info, w);
  residuals(w->x, j, w->f); /* leaves the parameters at the solution */
  gsl_blas_ddot(w->f, w->f, cost);
  if (jacobian)
    *jacobian = copy_jacobian(w, n, m);

  gsl_vector_free(x);
  gsl_multifit_nlinear_free(w);
  if (status && status != GSL_EMAXITER && status != GSL_ENOPROG)
    return mho_fail(j->ei, MHO_EDATA, "the fit of '%s' fails: %s", j->f->model->entry.id,
                    gsl_strerror(status));
  return MHO_OK;
}
