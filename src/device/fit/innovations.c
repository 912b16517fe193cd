/* innovations.c - what pulse data say beyond a model's prediction: a scalar extended Kalman filter over each track.
 *
 *   predict  g- = F(g+),  P- = F'^2 P + Q,  Q the noise of the pulses
 *   correct  e = y - g-,  S = P- + R,  K = P-/S,  g+ = g- + K e,  P = (1 - K) P-,  R the noise of a reading
 *
 * With R = 0 the gain is 1 and the innovations are the increments against the step at the last reading; with Q = 0
 * it falls to 0 and they are the distances from one curve. Between the two each reading counts for what it knows.
 *
 * Source: A. H. Jazwinski, Stochastic Processes and Filtering Theory (1970), chapter 8.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>

#include "device/fit/fit.h"

/* ---------------------------------------------------------------- a model on one cell */

void mho_fit_cell_set(mho_fit_cell *c, const void *params, double up, double down) {
  enum { N = MHO_DEVICE_BLOCK };
  float u[N], d[N], zero[N], one[N], *col[MHO_DEVICE_COLUMNS];
  for (int k = 0; k < MHO_DEVICE_COLUMNS; k++)
    col[k] = c->column[k];
  for (int i = 0; i < N; i++) {
    u[i] = (float)up;
    d[i] = (float)down;
    zero[i] = 0;
    one[i] = 1;
  }
  c->model->columns(
      params, &(mho_device_draw){N, c->config->g_min, c->config->g_max, u, d, zero, one}, col);
}

/* n pulses side by side on g within 0..1, in place; count may differ. */
static void pulse_many(const mho_fit_cell *c, int n, const float *dir, const int *count, float *g) {
  enum { N = MHO_DEVICE_BLOCK };
  static const float low[N], xi[N];
  float high[N], out[N], some_g[N], some_dir[N];
  int at[N], most = 0;
  for (int i = 0; i < n; i++)
    most = count[i] > most ? count[i] : most;
  for (int i = 0; i < n; i++)
    high[i] = 1;
  for (int k = 0; k < most; k++) {
    int m = 0;
    for (int i = 0; i < n; i++)
      if (count[i] > k) {
        at[m] = i;
        some_g[m] = g[i];
        some_dir[m++] = dir[i];
      }
    mho_device_block b = {.n = m,
                          .g = some_g,
                          .dir = some_dir,
                          .xi = xi,
                          .low = low,
                          .high = high,
                          .shared = c->shared,
                          .out = out};
    for (int j = 0; j < c->model->n_columns; j++)
      b.col[j] = c->column[j];
    c->model->pulse(&b);
    for (int i = 0; i < m; i++)
      g[at[i]] = fminf(fmaxf(some_g[i] + out[i], 0), 1);
  }
}

/* A reading beyond a bound is taken as at the bound, and what it was beyond stays on top unless the pulse leads
 * back. */
static double beyond(double g) {
  return g > 1 ? g - 1 : g < 0 ? g : 0;
}

void mho_fit_cell_steps(const mho_fit_cell *c, int n, const int *dir, const int *count, double *g) {
  float at[MHO_DEVICE_BLOCK], direction[MHO_DEVICE_BLOCK] = {0};
  for (int i = 0; i < n; i++) {
    at[i] = fminf(fmaxf((float)g[i], 0), 1);
    direction[i] = (float)dir[i];
  }
  pulse_many(c, n, direction, count, at);
  for (int i = 0; i < n; i++) {
    double over = beyond(g[i]);
    g[i] = (double)at[i] + (over * dir[i] > 0 ? 0 : over);
  }
}

double mho_fit_cell_step(const mho_fit_cell *c, int dir, int count, double g, double *slope) {
  const float h = g > 0.5 ? -1e-3f : 1e-3f;
  float at[2] = {fminf(fmaxf((float)g, 0), 1)}, direction[2] = {(float)dir, (float)dir};
  int counts[2] = {count, count};
  at[1] = at[0] + h;
  float from = at[0], other = at[1];
  pulse_many(c, slope ? 2 : 1, direction, counts, at);
  if (slope)
    *slope = (double)(at[1] - at[0]) / (double)(other - from);
  double over = beyond(g);
  return (double)at[0] + (over * dir > 0 ? 0 : over);
}

/* ---------------------------------------------------------------- the filter */

static double normalized(const mho_fit_cell *c, double siemens) {
  return (siemens - c->config->g_min) / (c->config->g_max - c->config->g_min);
}

/* Tracks t0 .. t0+n-1 side by side, n at most MHO_DEVICE_BLOCK. */
static void filter_block(const mho_fit_cell *c, const mho_pulse_data *d, const mho_fit_gains *gains,
                         int t0, int n, double *residual, double *innovation, double *step) {
  enum { N = MHO_DEVICE_BLOCK };
  double range = c->config->g_max - c->config->g_min, state[N], g[N];
  int track[N], dir[N], count[N], longest = 0;
  for (int t = 0; t < n; t++) {
    int length = d->first[t0 + t + 1] - d->first[t0 + t];
    longest = length > longest ? length : longest;
    state[t] = (double)NAN;
  }
  for (int k = 0; k < longest; k++) {
    int m = 0;
    for (int t = 0; t < n; t++) {
      int i = d->first[t0 + t] + k;
      if (i >= d->first[t0 + t + 1] || !isfinite(state[t]))
        continue;
      track[m] = t;
      dir[m] = d->direction[i];
      count[m] = d->count[i];
      g[m++] = state[t];
    }
    if (m)
      mho_fit_cell_steps(c, m, dir, count, g);
    for (int t = 0, at = 0; t < n; t++) {
      int i = d->first[t0 + t] + k;
      if (i >= d->first[t0 + t + 1])
        continue;
      bool running = at < m && track[at] == t;
      double y = normalized(c, d->g[i]), e = 0, predicted = running ? g[at++] : (double)NAN;
      if (step)
        step[i] = running ? predicted - state[t] : 0;
      state[t] = predicted;
      if (isfinite(y) && (!running || gains->gain[i] < 0)) {
        state[t] = y;
      } else if (isfinite(y)) {
        e = y - predicted;
        state[t] += gains->gain[i] * e;
      }
      if (innovation)
        innovation[i] = e;
      if (residual)
        residual[i] = gains->weight[i] > 0 ? e * range * gains->weight[i] : 0;
    }
  }
}

void mho_fit_filter(const mho_fit_cell *c, const mho_pulse_data *d, const mho_fit_gains *gains,
                    double *residual, double *innovation, double *step) {
  for (int t0 = 0; t0 < d->tracks; t0 += MHO_DEVICE_BLOCK) {
    int n = d->tracks - t0 < MHO_DEVICE_BLOCK ? d->tracks - t0 : MHO_DEVICE_BLOCK;
    filter_block(c, d, gains, t0, n, residual, innovation, step);
  }
}

double mho_fit_gains_set(const mho_fit_cell *c, const mho_pulse_data *d, const mho_fit_noise *noise,
                         double gate, bool edges, mho_fit_gains *gains, int *used, int *outliers) {
  double range = c->config->g_max - c->config->g_min, likelihood = 0,
         r2 = noise->read * noise->read;
  *used = *outliers = 0;
  for (int t = 0; t < d->tracks; t++) {
    double g = (double)NAN, p = 0;
    bool off = false; /* the reading before was an outlier */
    for (int i = d->first[t]; i < d->first[t + 1]; i++) {
      double y = normalized(c, d->g[i]);
      gains->gain[i] = gains->weight[i] = 0;
      if (!isfinite(g)) {
        if (isfinite(y)) {
          g = y;
          p = r2;
          gains->gain[i] = -1;
        }
        continue;
      }
      double slope, before = g;
      g = mho_fit_cell_step(c, d->direction[i], d->count[i], g, &slope);
      double step = d->count[i] > 0 ? fabs(g - before) / sqrt(d->count[i])
                                    : 0; /* n steps, each with its noise */
      bool abrupt =
          c->model->one_way && d->direction[i] < 0; /* its noise does not grow with the way down */
      double relative = abrupt ? 0 : noise->relative;
      double q = d->count[i] * noise->add * noise->add + relative * relative * step * step;
      p = fmin(slope * slope, 1) * p + q;
      double s = p + r2 + 1e-15, e = y - g;
      if (!isfinite(y))
        continue;
      if (fabs(e) > gate * sqrt(s)) {
        (*outliers)++;
        if (off) { /* two in a row: the cell itself has moved */
          g = y;
          p = r2;
          gains->gain[i] = -1;
        }
        off = !off;
        continue;
      }
      off = false;
      double k = p > 0 ? p / s : 0, margin = 3 * sqrt(q);
      gains->gain[i] = k;
      bool clipped = edges && !abrupt && (g - margin < 0 || g + margin > 1);
      if (d->count[i] > 0 && !clipped) {
        gains->weight[i] = 1 / (range * sqrt(s));
        likelihood -= 0.5 * (e * e / s + log(s) + 1.8378770664093453); /* ln 2 pi */
        (*used)++;
      }
      g += k * e;
      p *= 1 - k;
    }
  }
  return likelihood - *used * log(range);
}

/* ---------------------------------------------------------------- noise */

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Sum of log likelihoods of increments e with variance add^2 + (relative step)^2 + more. */
static double score(const double *e, const double *step, int n, double add2, double relative2,
                    double more) {
  double sum = 0;
  for (int i = 0; i < n; i++) {
    double v = add2 + relative2 * step[i] * step[i] + more + 1e-18;
    sum -= 0.5 * (e[i] * e[i] / v + log(v));
  }
  return sum;
}

/* Both variances by iterated weighted least squares of e^2 - more on (1, step^2), neither below 0. */
static void two_variances(const double *e, const double *step, int n, double more, bool add,
                          bool relative, double *add2, double *relative2) {
  double ee = 0, ss = 0;
  for (int i = 0; i < n; i++) {
    ee += e[i] * e[i] / n;
    ss += step[i] * step[i] / n;
  }
  *add2 = add ? fmax(ee - more, 1e-18) : 0;
  *relative2 = relative && ss > 0 ? fmax(ee - more, 1e-18) / ss : 0;
  if (add && relative) {
    *add2 *= 0.5;
    *relative2 *= 0.5;
  }
  for (int k = 0; k < 30; k++) {
    double a11 = 0, a12 = 0, a22 = 0, b1 = 0, b2 = 0;
    for (int i = 0; i < n; i++) {
      double s2 = step[i] * step[i], v = *add2 + *relative2 * s2 + more + 1e-18, w = 1 / (v * v);
      double y = e[i] * e[i] - more;
      a11 += w;
      a12 += w * s2;
      a22 += w * s2 * s2;
      b1 += w * y;
      b2 += w * s2 * y;
    }
    double det = a11 * a22 - a12 * a12, a = 0, r = 0;
    if (add && relative && det > 1e-12 * a11 * a22) {
      a = (a22 * b1 - a12 * b2) / det;
      r = (a11 * b2 - a12 * b1) / det;
    }
    if (!relative || r < 0 || !(det > 1e-12 * a11 * a22)) {
      a = add ? b1 / a11 : 0;
      r = 0;
    }
    if (!add || a < 0) {
      a = 0;
      r = relative && a22 > 0 ? b2 / a22 : 0;
    }
    *add2 = fmax(a, 0);
    *relative2 = fmax(r, 0);
  }
}

mho_err mho_fit_noise_estimate(const mho_fit_cell *c, const mho_pulse_data *d, int kind,
                               mho_fit_noise *out, mho_errinfo *ei) {
  size_t n = (size_t)d->n;
  double *e = malloc(n * sizeof *e), *step = malloc(n * sizeof *step),
         *sorted = malloc(n * sizeof *sorted), *one = malloc(n * sizeof *one);
  mho_err err =
      e && step && sorted && one ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for a fit");
  int m = 0;
  if (!err) {
    for (int i = 0; i < d->n; i++)
      one[i] = 1;
    mho_fit_filter(c, d, &(mho_fit_gains){one, one}, NULL, e, step);
    for (int i = 0; i < d->n; i++)
      if (d->count[i] > 0 && e[i] != 0)
        sorted[m++] = fabs(e[i]);
    if (m < 3)
      err = mho_fail(ei, MHO_EDATA, "there are only %d readings after pulses", m);
  }
  if (!err) {
    qsort(sorted, (size_t)m, sizeof *sorted, ascending);
    double most = 8 * 1.4826 * sorted[m / 2] + 1e-12, product = 0, square = 0;
    int pairs = 0;
    m = 0;
    for (int t = 0; t < d->tracks; t++)
      for (int i = d->first[t] + 1; i < d->first[t + 1]; i++) {
        if (!isfinite(d->g[i]) || !isfinite(d->g[i - 1]) || d->count[i] < 1 || fabs(e[i]) > most ||
            (c->model->one_way && d->direction[i] < 0))
          continue;
        if (i - 1 > d->first[t] && d->count[i - 1] > 0 && fabs(e[i - 1]) <= most) {
          product += e[i] * e[i - 1];
          pairs++;
        }
        square += e[i] * e[i];
        e[m] = e[i] / sqrt(d->count[i]); /* noise of one pulse; compacts what was read already */
        step[m++] = fabs(step[i]) / d->count[i];
      }
    /* readings enter neighbouring increments with opposite signs */
    double variance = m > 0 ? square / m : 0, r2 = pairs > 0 ? -product / pairs : 0;
    if (r2 < 2 * variance / sqrt(pairs + 1.0))
      r2 = 0;
    r2 = fmin(r2, 0.499 * variance);
    double a_only, r_only, none, add2, relative2;
    two_variances(e, step, m, 2 * r2, true, false, &a_only, &none);
    two_variances(e, step, m, 2 * r2, false, true, &none, &r_only);
    two_variances(e, step, m, 2 * r2, true, true, &add2, &relative2);
    if (kind == MHO_FIT_NOISE_ADD) {
      add2 = a_only;
      relative2 = 0;
    }
    *out = (mho_fit_noise){sqrt(add2), sqrt(relative2), sqrt(r2)};
    /* both only where they are worth it: the model's file says which of the two it can have */
    if (kind == MHO_FIT_NOISE_BOTH &&
        score(e, step, m, add2, relative2, 2 * r2) <
            fmax(score(e, step, m, a_only, 0, 2 * r2), score(e, step, m, 0, r_only, 2 * r2)) + 2)
      *out = score(e, step, m, a_only, 0, 2 * r2) > score(e, step, m, 0, r_only, 2 * r2)
                 ? (mho_fit_noise){sqrt(a_only), 0, sqrt(r2)}
                 : (mho_fit_noise){0, sqrt(r_only), sqrt(r2)};
  }
  free(e);
  free(step);
  free(sorted);
  free(one);
  return err;
}
