/* fit_start.c - where a fit starts: a random search whose rates are scaled to the observed mean
 * steps, on a random sample of the increments. The best few are refined, once by the increments and
 * once by the whole curve, as if all noise were of pulses, or of readings; the best of both go on.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/fit/fit.h"

enum { STARTS_EACH = 100, STARTS_MOST = 400, REFINED = 4, SAMPLE = 1500 };

/* Linear congruential generator; the low bits of its words are poor. Source: Numerical Recipes, 2nd
 * ed., 7.1. */
static uint32_t next_word(uint32_t *w) {
  *w = *w * 1664525u + 1013904223u;
  return *w;
}

static double uniform(uint32_t *w) {
  return (next_word(w) >> 8) * (1.0 / 16777216);
}

/* ---------------------------------------------------------------- a sample of the increments */

/* Reading, state before it, change of each; spread: a measure of their size. */
typedef struct increments {
  int n, reading[SAMPLE];
  double from[SAMPLE], change[SAMPLE], spread;
} increments;

/* Place of the next candidate in the reservoir, each with the same chance; -1: it is left out. */
static int place_in_reservoir(increments *s, long candidates, uint32_t *w) {
  if (s->n < SAMPLE)
    return s->n++;
  long at = (long)((double)next_word(w) / 4294967296.0 * (double)(candidates + 1));
  return at < SAMPLE ? (int)at : -1;
}

static void sample_increments(const mho_fit_job *j, increments *s) {
  const mho_pulse_data *d = j->d;
  double g_min = j->f->config.g_min, range = mho__fit_range(&j->f->config), size[SAMPLE];
  long candidates = 0;
  uint32_t w = 1;
  s->n = 0;
  for (int t = 0; t < d->tracks; t++)
    for (int i = d->first[t] + 1; i < d->first[t + 1]; i++) {
      if (!isfinite(d->g[i]) || !isfinite(d->g[i - 1]) || d->count[i] < 1)
        continue;
      int k = place_in_reservoir(s, candidates, &w);
      candidates++;
      if (k < 0)
        continue;
      s->reading[k] = i;
      s->from[k] = fmin(fmax((d->g[i - 1] - g_min) / range, 0), 1);
      s->change[k] = (d->g[i] - d->g[i - 1]) / range;
    }

  for (int i = 0; i < s->n; i++)
    size[i] = fabs(s->change[i]);
  gsl_sort(size, 1, (size_t)s->n);
  s->spread = s->n ? size[s->n * 3 / 4] + 1e-9 : 1;
}

/* ---------------------------------------------------------------- the model on the sample */

/* Mean change in each direction, of the model and of the data, and the cost with outliers
 * bounded. */
static double compare(const mho_fit_job *j, const increments *s, double model[2], double data[2]) {
  double cost = 0, to[SAMPLE];
  int n[2] = {0, 0};
  memcpy(to, s->from, (size_t)s->n * sizeof *to);
  for (int i = 0; i < s->n; i += MHO_DEVICE_BLOCK)
    mho__fit_cell_steps(&j->cell, j->d, mho_min(s->n - i, MHO_DEVICE_BLOCK), s->reading + i,
                        to + i);

  model[0] = model[1] = data[0] = data[1] = 0;
  for (int i = 0; i < s->n; i++) {
    int side = j->d->direction[s->reading[i]] > 0;
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

/* Scale one rate until the mean step of its direction is about the observed one. */
static void match_rate(mho_fit_job *j, const increments *s, int k) {
  double v = mho__fit_get(j, k), model[2], data[2], more[2];
  mho__fit_update_cell(j);
  compare(j, s, model, data);
  mho__fit_set(j, k, v * 1.2);
  mho__fit_update_cell(j);
  compare(j, s, more, data);

  double up = fabs(more[1] - model[1]), down = fabs(more[0] - model[0]);
  int side = up > down;
  double elasticity = log(fabs(more[side] / model[side])) / log(1.2);
  double wanted = data[side] / model[side];
  mho__fit_set(j, k, v);
  if (isfinite(elasticity) && fabs(elasticity) > 0.05 && wanted > 0)
    mho__fit_set(j, k, v * exp(fmin(fmax(log(wanted) / elasticity, -5), 5)));
}

/* All rates in turn, three times; the cost after that. */
static double match_rates(mho_fit_job *j, const increments *s) {
  double model[2], data[2];
  for (int turn = 0; turn < 3; turn++)
    for (int k = 0; k < j->n; k++)
      if (j->is_log[k])
        match_rate(j, s, k);
  mho__fit_update_cell(j);
  return compare(j, s, model, data);
}

/* ---------------------------------------------------------------- the search */

typedef struct start {
  double cost, value[MHO_FIT_MAX];
} start;

static void get_values(const mho_fit_job *j, start *s) {
  for (int k = 0; k < j->n; k++)
    s->value[k] = mho__fit_get(j, k);
}

static void set_values(mho_fit_job *j, const start *s) {
  for (int k = 0; k < j->n; k++)
    mho__fit_set(j, k, s->value[k]);
}

/* A random number between two limits: as likely near 0 as far from it in half of the cases, when
 * its magnitude is as likely in each decade. */
static double draw(double low, double high, uint32_t *w) {
  double even = uniform(w), magnitude = uniform(w), sign = uniform(w);
  if (uniform(w) < 0.5)
    return low + (high - low) * pow(even, low < 0 ? 1 : 2);
  double most = low < 0 && sign < 0.5 ? low : high;
  return copysign(exp(log(0.02) + magnitude * log(fmax(fabs(most), 0.04) / 0.02)), most);
}

/* The initial values, but random ones of the parameters that are neither rates nor the range. */
static void draw_start(mho_fit_job *j, const start *initial, uint32_t *w) {
  for (int k = 0; k < j->n; k++) {
    double v = initial->value[k];
    if (!j->is_log[k] && !mho__fit_is_range(j, k))
      v = draw(fmax(j->low[k], -30), fmin(j->high[k], 30), w);
    mho__fit_set(j, k, v);
  }
}

/* `now` among the best, which are sorted; best has room for one more than REFINED. */
static void insert(start *best, const start *now) {
  for (int i = 0; i < REFINED; i++)
    if (now->cost < best[i].cost) {
      memmove(best + i + 1, best + i, (size_t)(REFINED - 1 - i) * sizeof *best);
      best[i] = *now;
      return;
    }
}

static void search_starts(mho_fit_job *j, const increments *s, start *best) {
  uint32_t w = 12345;
  start initial = {0};
  int trials = 1; /* rates follow from the data */
  get_values(j, &initial);
  for (int i = 0; i < REFINED; i++)
    best[i].cost = HUGE_VAL;
  for (int k = 0; k < j->n; k++)
    if (!j->is_log[k])
      trials = mho_min(trials + STARTS_EACH, STARTS_MOST);

  for (int trial = 0; trial < trials; trial++) {
    if (trial)
      draw_start(j, &initial, &w);
    else
      set_values(j, &initial);
    start now = {.cost = match_rates(j, s)};
    get_values(j, &now);
    insert(best, &now);
  }
}

/* Whether two starts are one. */
static bool is_same(const mho_fit_job *j, const start *a, const start *b) {
  double apart = 0;
  for (int k = 0; k < j->n; k++)
    apart = fmax(apart, fabs(mho__fit_coordinate(j, k, a->value[k]) -
                             mho__fit_coordinate(j, k, b->value[k])));
  return apart < 1e-2;
}

/* Minimizes from a start as if the noise were this one. */
static mho_err refine_one(mho_fit_job *j, const mho_fit_noise *noise, start *s) {
  mho_fit_rules rules = {.gate = 8, .span = j->rules.span};
  set_values(j, s);
  mho__fit_update_cell(j);
  mho__fit_gains_set(&j->cell, j->d, noise, &rules, &j->gains);
  mho_err err = mho__fit_minimize(j, 30, &s->cost, NULL);
  get_values(j, s);
  return err;
}

/* The best of the refined starts, which differ, behind those that are there, up to `most`. */
static void take_best(const mho_fit_job *j, start *refined, int most, mho_fit_starts *out) {
  while (out->n < most) {
    start *lowest = NULL;
    for (int i = 0; i < REFINED; i++)
      if (isfinite(refined[i].cost) && (!lowest || refined[i].cost < lowest->cost))
        lowest = &refined[i];
    if (!lowest)
      return;

    bool is_new = true;
    for (int i = 0; i < out->n; i++) {
      start other = {0};
      memcpy(other.value, out->value[i], sizeof other.value);
      is_new = is_new && !is_same(j, lowest, &other);
    }
    if (is_new)
      memcpy(out->value[out->n++], lowest->value, sizeof lowest->value);
    lowest->cost = HUGE_VAL;
  }
}

/* Refines each of the best starts in both ways. */
static mho_err refine(mho_fit_job *j, const increments *s, const start *best, mho_fit_starts *out) {
  const mho_fit_noise kinds[] = {{.add = s->spread}, {.read = s->spread}};
  mho_err last = MHO_OK;

  for (int kind = 0; kind < MHO_COUNT(kinds); kind++) {
    start refined[REFINED];
    for (int i = 0; i < REFINED; i++) {
      refined[i] = best[i];
      mho_err err = isfinite(best[i].cost) ? refine_one(j, &kinds[kind], &refined[i]) : MHO_OK;
      if (err)
        refined[i].cost = HUGE_VAL;
      last = err ? err : last;
    }
    take_best(j, refined, (kind + 1) * MHO_FIT_STARTS / MHO_COUNT(kinds), out);
  }

  if (out->n)
    return MHO_OK;
  if (last)
    return last;
  return mho_fail(j->ei, MHO_EDATA, "no parameters of '%s' come near these data",
                  j->f->model->entry.id);
}

mho_err mho__fit_find_starts(mho_fit_job *j, mho_fit_starts *out) {
  start best[REFINED + 1] = {0};
  increments *s = malloc(sizeof *s);
  if (!s)
    return mho_fail(j->ei, MHO_ENOMEM, "no memory for a fit");

  mho_err err;
  out->n = 0;
  sample_increments(j, s);
  if (s->n < 3 || s->n <= j->n) {
    err = mho_fail(j->ei, MHO_EDATA,
                   "%d changes from one pulse to the next are too few for %d parameters of '%s'",
                   s->n, j->n, j->f->model->entry.id);
  } else {
    search_starts(j, s, best);
    err = refine(j, s, best, out);
  }

  free(s);
  return err;
}
