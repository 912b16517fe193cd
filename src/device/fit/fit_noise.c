/* fit_noise.c - the noise of pulses and readings, from the increments of the data.
 *
 * An increment e over a pulse has the variance add^2 + (relative step)^2 + 2 R. The noise R of a
 * reading enters neighbouring increments with opposite signs, so that their mean product is -R.
 * From there the likelihood of all readings (innovations.c) is maximized over the three, by the
 * simplex method of Nelder and Mead; those that it does not ask for are 0. Meanwhile the model is
 * what it is near the states of the last filter, a slope at each reading.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_multimin.h>
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>

#include "device/fit/fit.h"

/* Increments of one pulse beyond the model's step, the steps, and the variance that readings add to
 * them. */
typedef struct increments {
  int n;
  double *e, *step, more;
} increments;

/* Sum of log likelihoods of the increments with variance add^2 + (relative step)^2 + more. */
static double score(const increments *s, double add2, double relative2) {
  double sum = 0;
  for (int i = 0; i < s->n; i++) {
    double v = add2 + relative2 * s->step[i] * s->step[i] + s->more + 1e-18;
    sum -= 0.5 * (s->e[i] * s->e[i] / v + log(v));
  }
  return sum;
}

/* Sums over the increments of the normal equations of e^2 - more on (1, step^2). */
typedef struct normal_equations {
  double a11, a12, a22, b1, b2;
} normal_equations;

static normal_equations sum_up(const increments *s, double add2, double relative2) {
  normal_equations q = {0};
  for (int i = 0; i < s->n; i++) {
    double s2 = s->step[i] * s->step[i], v = add2 + relative2 * s2 + s->more + 1e-18;
    double w = 1 / (v * v), y = s->e[i] * s->e[i] - s->more;
    q.a11 += w;
    q.a12 += w * s2;
    q.a22 += w * s2 * s2;
    q.b1 += w * y;
    q.b2 += w * s2 * y;
  }
  return q;
}

/* Both variances by iterated weighted least squares of e^2 - more on (1, step^2), neither below 0;
 * of one that is not asked for, 0. */
static void two_variances(const increments *s, bool add, bool relative, double *add2,
                          double *relative2) {
  double ee = 0, ss = 0;
  for (int i = 0; i < s->n; i++) {
    ee += s->e[i] * s->e[i] / s->n;
    ss += s->step[i] * s->step[i] / s->n;
  }

  *add2 = add ? fmax(ee - s->more, 1e-18) : 0;
  *relative2 = relative && ss > 0 ? fmax(ee - s->more, 1e-18) / ss : 0;
  if (add && relative) {
    *add2 *= 0.5;
    *relative2 *= 0.5;
  }

  for (int k = 0; k < 30; k++) {
    normal_equations q = sum_up(s, *add2, *relative2);
    double det = q.a11 * q.a22 - q.a12 * q.a12, a = 0, r = 0;
    bool regular = det > 1e-12 * q.a11 * q.a22;
    if (add && relative && regular) {
      a = (q.a22 * q.b1 - q.a12 * q.b2) / det;
      r = (q.a11 * q.b2 - q.a12 * q.b1) / det;
    }

    /* one variance alone where the other would be negative or cannot be told from it */
    if (!relative || r < 0 || !regular) {
      a = add ? q.b1 / q.a11 : 0;
      r = 0;
    }
    if (!add || a < 0) {
      a = 0;
      r = relative && q.a22 > 0 ? q.b2 / q.a22 : 0;
    }
    *add2 = fmax(a, 0);
    *relative2 = fmax(r, 0);
  }
}

/* Innovations and steps of the data at gain 1: the increments. */
static mho_err find_increments(const mho_fit_cell *c, const mho_pulse_data *d, double *e,
                               double *step, mho_errinfo *ei) {
  double *one = malloc((size_t)d->n * sizeof *one);
  if (!one)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a fit");
  for (int i = 0; i < d->n; i++)
    one[i] = 1;
  mho__fit_filter(c, d, &(mho_fit_gains){one, one}, NULL, e, step);
  free(one);
  return MHO_OK;
}

/* Beyond it an increment is an outlier: 8 standard deviations, by the median. */
static mho_err largest_increment(const mho_pulse_data *d, const double *e, double *most,
                                 mho_errinfo *ei) {
  int m = 0;
  double *sorted = malloc((size_t)d->n * sizeof *sorted);
  if (!sorted)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a fit");
  for (int i = 0; i < d->n; i++)
    if (d->count[i] > 0 && e[i] != 0)
      sorted[m++] = fabs(e[i]);
  gsl_sort(sorted, 1, (size_t)m);
  *most = m ? 8 * 1.4826 * sorted[m / 2] + 1e-12 : 0;
  free(sorted);
  if (m < 3)
    return mho_fail(ei, MHO_EDATA, "there are only %d readings after pulses", m);
  return MHO_OK;
}

/* The variance of a reading from states that were read again; 0 where too few were. */
static double repeated(const mho_pulse_data *d, const double *e, double most) {
  double square = 0;
  int n = 0;
  for (int t = 0; t < d->tracks; t++)
    for (int i = d->first[t] + 1; i < d->first[t + 1]; i++)
      if (d->count[i] == 0 && isfinite(d->g[i]) && isfinite(d->g[i - 1]) && fabs(e[i]) <= most) {
        square += e[i] * e[i];
        n++;
      }
  return n >= 5 ? 0.5 * square / n : 0;
}

/* The increments that count, moved together as those of one pulse, and the variance R of a
 * reading. */
static double compact(const mho_fit_cell *c, const mho_pulse_data *d, double most, increments *s) {
  double *e = s->e, *step = s->step, product = 0, square = 0;
  int pairs = 0, m = 0;
  double again = repeated(d, e, most);

  for (int t = 0; t < d->tracks; t++)
    for (int i = d->first[t] + 1; i < d->first[t + 1]; i++) {
      bool abrupt = c->model->one_way && d->direction[i] < 0;
      if (!isfinite(d->g[i]) || !isfinite(d->g[i - 1]) || d->count[i] < 1 || fabs(e[i]) > most ||
          abrupt)
        continue;
      if (i - 1 > d->first[t] && d->count[i - 1] > 0 && fabs(e[i - 1]) <= most) {
        product += e[i] * e[i - 1];
        pairs++;
      }
      square += e[i] * e[i];
      e[m] = e[i] / sqrt(d->count[i]);
      step[m++] = fabs(step[i]) / d->count[i];
    }
  s->n = m;

  double variance = m > 0 ? square / m : 0;
  double r2 = pairs > 0 ? -product / pairs : 0;
  if (r2 < 2 * variance / sqrt(pairs + 1.0))
    r2 = 0;
  if (again > 0)
    r2 = again;
  return fmin(r2, 0.499 * variance);
}

/* The noise that explains the increments best; both kinds only where they are worth a second
 * parameter. */
static mho_fit_noise choose_noise(const increments *s, int kinds, double r2) {
  double a_only, r_only, none, add2, relative2;
  two_variances(s, true, false, &a_only, &none);
  two_variances(s, false, true, &none, &r_only);
  two_variances(s, true, true, &add2, &relative2);
  mho_fit_noise add = {sqrt(a_only), 0, sqrt(r2)}, relative = {0, sqrt(r_only), sqrt(r2)};
  if (!(kinds & MHO_FIT_RELATIVE))
    return add;

  double of_add = score(s, a_only, 0), of_relative = score(s, 0, r_only);
  if (score(s, add2, relative2) < fmax(of_add, of_relative) + 2)
    return of_add > of_relative ? add : relative;
  return (mho_fit_noise){sqrt(add2), sqrt(relative2), sqrt(r2)};
}

mho_err mho__fit_noise_estimate(const mho_fit_cell *c, const mho_pulse_data *d, int kinds,
                                mho_fit_noise *out, mho_errinfo *ei) {
  size_t n = (size_t)d->n;
  double most = 0;
  increments s = {.e = malloc(n * sizeof(double)), .step = malloc(n * sizeof(double))};
  mho_err err = MHO_OK;

  if (!s.e || !s.step)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a fit");
  if (!err)
    err = find_increments(c, d, s.e, s.step, ei);
  if (!err)
    err = largest_increment(d, s.e, &most, ei);
  if (!err) {
    double r2 = compact(c, d, most, &s);
    s.more = 2 * r2;
    *out = choose_noise(&s, kinds, r2);
  }

  free(s.e);
  free(s.step);
  return err;
}

/* ---------------------------------------------------------------- the likeliest noise */

enum { SEARCHES = 60, READINGS_MAX = 20000 };
static const double LEAST = 1e-7, MOST = 10; /* of the range, or of a step */
static const double WORTH = 0.25;            /* in the logarithm of the likelihood */

/* A search for the noise that makes the data likeliest. */
typedef struct search {
  const mho_fit_cell *c;
  const mho_pulse_data *d;
  const mho_fit_rules *rules;
  mho_fit_line line;
  mho_fit_gains *gains;
  int kinds;
} search;

static double *noise_of(mho_fit_noise *n, int k) {
  double *const part[MHO_FIT_NOISES] = {&n->add, &n->relative, &n->read};
  return part[k];
}

static bool has_kind(const search *s, int k) {
  return s->kinds & 1 << k;
}

/* Noise at a place of the search: logarithms of its kinds. */
static mho_fit_noise noise_at(const search *s, const gsl_vector *x) {
  mho_fit_noise n = {0};
  size_t at = 0;
  for (int k = 0; k < MHO_FIT_NOISES; k++)
    if (has_kind(s, k))
      *noise_of(&n, k) = fmin(fmax(exp(gsl_vector_get(x, at++)), LEAST), MOST);
  return n;
}

static double minus_likelihood(const gsl_vector *x, void *user) {
  search *s = user;
  mho_fit_noise n = noise_at(s, x);
  mho_fit_score score = mho__fit_score_along(s->c, s->d, &n, s->rules, &s->line, s->gains);
  return isfinite(score.likelihood) ? -score.likelihood : 1e300;
}

/* The likeliest noise of the kinds, from *noise; @return its logarithm. Without memory the noise
 * stays. */
static double search_noise(search *s, mho_fit_noise *noise) {
  size_t n = 0;
  for (int k = 0; k < MHO_FIT_NOISES; k++)
    n += has_kind(s, k);
  gsl_vector *x = gsl_vector_alloc(n), *step = gsl_vector_alloc(n);
  gsl_multimin_fminimizer *m = gsl_multimin_fminimizer_alloc(gsl_multimin_fminimizer_nmsimplex2, n);
  double likelihood = -HUGE_VAL;

  if (x && step && m) {
    size_t at = 0;
    for (int k = 0; k < MHO_FIT_NOISES; k++)
      if (has_kind(s, k))
        gsl_vector_set(x, at++, log(fmax(*noise_of(noise, k), 1e-4)));
    gsl_vector_set_all(step, 0.7);

    gsl_multimin_function f = {.f = minus_likelihood, .n = n, .params = s};
    int status = gsl_multimin_fminimizer_set(m, &f, x, step);
    for (int i = 0; i < SEARCHES && !status; i++) {
      status = gsl_multimin_fminimizer_iterate(m);
      if (gsl_multimin_fminimizer_size(m) < 1e-3)
        break;
    }
    *noise = noise_at(s, m->x);
    likelihood = -m->fval;
  }

  if (m)
    gsl_multimin_fminimizer_free(m);
  gsl_vector_free(step);
  gsl_vector_free(x);
  return likelihood;
}

/* Whether one of the kinds makes nothing likelier: it leaves them then. More than that is not asked
 * of it: noise of pulses that is passed over makes intervals too narrow. */
static bool drop_kind(search *s, mho_fit_noise *noise, double *likelihood) {
  int kinds = s->kinds, without = 0;
  double best = -HUGE_VAL;
  mho_fit_noise rest = *noise;

  for (int k = 0; k < MHO_FIT_NOISES; k++) {
    s->kinds = kinds & ~(1 << k);
    if (s->kinds == kinds || !s->kinds)
      continue;
    mho_fit_noise n = *noise;
    double l = search_noise(s, &n);
    if (l > best) {
      best = l;
      rest = n;
      without = s->kinds;
    }
  }

  s->kinds = kinds;
  if (!(best > *likelihood - WORTH))
    return false;
  s->kinds = without;
  *noise = rest;
  *likelihood = best;
  return true;
}

void mho__fit_noise_refine(const mho_fit_cell *c, const mho_pulse_data *d,
                           const mho_fit_rules *rules, mho_fit_gains *scratch, int *kinds,
                           mho_fit_noise *noise) {
  mho_pulse_data some = *d; /* of very many readings, the first tell it */
  while (some.tracks > 1 && some.first[some.tracks] > READINGS_MAX)
    some.tracks--;

  size_t n = (size_t)some.n;
  search s = {.c = c, .d = &some, .rules = rules, .gains = scratch, .kinds = *kinds};
  s.line.from = malloc(3 * n * sizeof *s.line.from);
  if (!s.line.from)
    return;
  s.line.to = s.line.from + n;
  s.line.slope = s.line.to + n;

  mho__fit_line_set(c, &some, noise, rules, scratch, &s.line);
  double likelihood = search_noise(&s, noise);
  bool dropped = isfinite(likelihood);
  while (dropped)
    dropped = drop_kind(&s, noise, &likelihood);
  *kinds = s.kinds;
  free(s.line.from);
}
