/* fit_start.c - where a fit starts: a random search whose rates are scaled to the observed mean
 * steps, on a random sample of the increments; the best few are refined, and the best of those is
 * taken.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/fit/fit.h"

enum { STARTS = 400, REFINED = 4, SAMPLE = 1500 };

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

/* State, direction, pulses, change of each; spread: a measure of their size. */
typedef struct increments {
  int n, direction[SAMPLE], count[SAMPLE];
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
      s->direction[k] = d->direction[i];
      s->count[k] = d->count[i];
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
    mho__fit_cell_steps(&j->cell, mho_min(s->n - i, MHO_DEVICE_BLOCK), s->direction + i,
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

/* The initial values, but random ones of the parameters that are neither rates nor the range. */
static void draw_start(mho_fit_job *j, const start *initial, uint32_t *w) {
  for (int k = 0; k < j->n; k++) {
    double low = fmax(j->low[k], -30), high = fmin(j->high[k], 30), v = initial->value[k];
    if (!j->is_log[k] && !mho__fit_is_range(j, k))
      v = low + (high - low) * pow(uniform(w), low < 0 ? 1 : 2);
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
  get_values(j, &initial);
  for (int i = 0; i < REFINED; i++)
    best[i].cost = HUGE_VAL;

  for (int trial = 0; trial < STARTS; trial++) {
    if (trial)
      draw_start(j, &initial, &w);
    else
      set_values(j, &initial);
    start now = {.cost = match_rates(j, s)};
    get_values(j, &now);
    insert(best, &now);
  }
}

/* Minimizes from each of the best starts and leaves the parameters at the best result; plain
 * increments, with one weight for all of them, decide. */
static mho_err refine(mho_fit_job *j, const increments *s, const start *best) {
  double lowest = HUGE_VAL;
  start winner = best[0];
  mho_err err = MHO_OK;

  for (int i = 0; i < REFINED; i++) {
    if (err || !isfinite(best[i].cost))
      break;
    set_values(j, &best[i]);
    mho__fit_update_cell(j);
    int used, outliers;
    mho_fit_noise flat = {.add = s->spread};
    mho__fit_gains_set(&j->cell, j->d, &flat, 8, false, &j->gains, &used, &outliers);

    double cost;
    err = mho__fit_minimize(j, 30, &cost, NULL);
    if (!err && cost < lowest) {
      lowest = cost;
      get_values(j, &winner);
    }
  }

  set_values(j, &winner);
  mho__fit_update_cell(j);

  if (isfinite(lowest))
    return MHO_OK;
  if (err)
    return err;
  return mho_fail(j->ei, MHO_EDATA, "no parameters of '%s' come near these data",
                  j->f->model->entry.id);
}

mho_err mho__fit_best_start(mho_fit_job *j) {
  start best[REFINED + 1] = {0};
  increments *s = malloc(sizeof *s);
  if (!s)
    return mho_fail(j->ei, MHO_ENOMEM, "no memory for a fit");

  mho_err err;
  sample_increments(j, s);
  if (s->n < 3 || s->n <= j->n) {
    err = mho_fail(j->ei, MHO_EDATA,
                   "%d changes from one pulse to the next are too few for %d parameters of '%s'",
                   s->n, j->n, j->f->model->entry.id);
  } else {
    search_starts(j, s, best);
    err = refine(j, s, best);
  }

  free(s);
  return err;
}
