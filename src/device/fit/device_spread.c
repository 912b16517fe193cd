/* device_spread.c - how the devices of a fit differ: factors of SET and RESET of each, and their
 * spread.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>

#include "device/fit/fit.h"

/* Factors of RESET and SET of one device, and their variances; NaN for a direction that is not in
 * its data. */
typedef struct factors {
  double factor[2], variance[2];
} factors;

/* Normal equations A x = b of the two factors. */
typedef struct normal_equations {
  double a[2][2], b[2];
} normal_equations;

/* Residuals with the parameters as they are and with each of the factors enlarged by `step`,
 * [readings]. */
typedef struct responses {
  double step, *base, *enlarged[2];
} responses;

static void respond(mho_fit_job *j, const responses *r) {
  mho__fit_update_cell(j);
  mho__fit_filter(&j->cell, j->d, &j->gains, r->base, NULL, NULL);
  for (int side = 0; side < 2; side++) {
    double down = side == 0 ? 1 + r->step : 1;
    double up = side == 1 ? 1 + r->step : 1;
    mho__fit_cell_set(&j->cell, j->f->params, up, down);
    mho__fit_filter(&j->cell, j->d, &j->gains, r->enlarged[side], NULL, NULL);
  }
  mho__fit_update_cell(j);
}

/* Normal equations of readings first .. end-1. */
static normal_equations sum_up(const responses *r, int first, int end) {
  normal_equations q = {0};
  for (int i = first; i < end; i++) {
    double g[2] = {(r->enlarged[0][i] - r->base[i]) / r->step,
                   (r->enlarged[1][i] - r->base[i]) / r->step};
    for (int k = 0; k < 2; k++) {
      q.b[k] -= g[k] * r->base[i];
      for (int l = 0; l < 2; l++)
        q.a[k][l] += g[k] * g[l];
    }
  }
  return q;
}

/* One Gauss-Newton step; a direction that is not in the data, or has no steps, has no factor. */
static factors solve(const normal_equations *q) {
  factors f;
  double det = q->a[0][0] * q->a[1][1] - q->a[0][1] * q->a[0][1];
  bool both = det > 1e-9 * q->a[0][0] * q->a[1][1] && det > 0;

  for (int k = 0; k < 2; k++) {
    double own = q->a[k][k], other = q->a[1 - k][1 - k];
    f.factor[k] = f.variance[k] = (double)NAN;
    if (both) {
      f.factor[k] = (other * q->b[k] - q->a[0][1] * q->b[1 - k]) / det;
      f.variance[k] = other / det;
    } else if (own > 1e6 * other) {
      f.factor[k] = q->b[k] / own;
      f.variance[k] = 1 / own;
    }
  }
  return f;
}

/* Factors of all devices, [devices]. */
static bool device_factors(mho_fit_job *j, factors *out) {
  const mho_pulse_data *d = j->d;
  size_t size = (size_t)d->n * sizeof(double);
  responses r = {.step = 0.05, .base = malloc(size), .enlarged = {malloc(size), malloc(size)}};
  bool ok = r.base && r.enlarged[0] && r.enlarged[1];

  if (ok) {
    respond(j, &r);
    int next;
    for (int t0 = 0; t0 < d->tracks; t0 = next) {
      next = mho__fit_next_device(d, t0);
      normal_equations q = sum_up(&r, d->first[t0], d->first[next]);
      out[d->device[t0]] = solve(&q);
    }
  }

  free(r.base);
  free(r.enlarged[0]);
  free(r.enlarged[1]);
  return ok;
}

/* Standard deviation of (up + sign down)/2 over devices beyond their own uncertainty, and its
 * error; with one direction only, of that, and no asymmetry. */
static void spread_of(const factors *device, int devices, int sign, double *out, double *error) {
  double sum = 0, squares = 0, own = 0;
  int n = 0;

  for (int i = 0; i < devices; i++) {
    const factors *f = &device[i];
    double down = f->factor[0], up = f->factor[1], x = 0.5 * (up + sign * down);
    double v = 0.25 * (f->variance[0] + f->variance[1]);
    if (!isfinite(x) && sign > 0 && (isfinite(up) || isfinite(down))) {
      x = isfinite(up) ? up : down;
      v = isfinite(up) ? f->variance[1] : f->variance[0];
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

void mho__fit_spread(mho_fit_job *j) {
  mho_fit *f = j->f;
  int devices = j->d->devices;
  f->spread_step = f->spread_step_error = (double)NAN;
  f->spread_asymmetry = f->spread_asymmetry_error = (double)NAN;

  factors *device = malloc((size_t)devices * sizeof *device);
  if (device && devices >= 3 && device_factors(j, device)) {
    spread_of(device, devices, 1, &f->spread_step, &f->spread_step_error);
    spread_of(device, devices, -1, &f->spread_asymmetry, &f->spread_asymmetry_error);
  }
  free(device);

  if (isfinite(f->spread_step))
    f->config.spread_step = fmin(f->spread_step, 5);
  if (isfinite(f->spread_asymmetry))
    f->config.spread_asymmetry = fmin(f->spread_asymmetry, 5);
}
