/* fit_start.c - where a fit starts: a random search whose rates are scaled to the observed mean steps, on a random part
 * of the increments; the best few are refined, and the best of those is kept.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/fit/fit.h"

enum { STARTS = 400, REFINED = 4, SAMPLE = 1500 };

/* A random part of the increments: state, direction, pulses, change. */
typedef struct increments {
  int n, direction[SAMPLE], count[SAMPLE];
  double from[SAMPLE], change[SAMPLE], spread;
} increments;

static void sample_increments(const mho_fit_job *j, increments *s) {
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
  gsl_sort(size, 1, (size_t)s->n);
  s->spread = s->n ? size[s->n * 3 / 4] + 1e-9 : 1;
}

/* Mean change in each direction, of the model and of the data, and the cost with outliers bounded. */
static double compare(const mho_fit_job *j, const increments *s, double model[2], double data[2]) {
  double cost = 0, to[SAMPLE];
  int n[2] = {0, 0};
  memcpy(to, s->from, (size_t)s->n * sizeof *to);
  for (int i = 0; i < s->n; i += MHO_DEVICE_BLOCK)
    mho_fit_cell_steps(&j->cell, s->n - i < MHO_DEVICE_BLOCK ? s->n - i : MHO_DEVICE_BLOCK,
                       s->direction + i, s->count + i, to + i);
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
static double match_rates(mho_fit_job *j, const increments *s) {
  double model[2], data[2], cost = 0;
  for (int turn = 0; turn < 3; turn++)
    for (int k = 0; k < j->n; k++) {
      if (!j->is_log[k])
        continue;
      double v = mho_fit_get(j, k), more[2];
      mho_fit_update_cell(j);
      cost = compare(j, s, model, data);
      mho_fit_set(j, k, v * 1.2);
      mho_fit_update_cell(j);
      compare(j, s, more, data);
      double up = fabs(more[1] - model[1]), down = fabs(more[0] - model[0]);
      int side = up > down;
      double elasticity = log(fabs(more[side] / model[side])) / log(1.2);
      double wanted = data[side] / model[side];
      mho_fit_set(j, k, v);
      if (isfinite(elasticity) && fabs(elasticity) > 0.05 && wanted > 0)
        mho_fit_set(j, k, v * exp(fmin(fmax(log(wanted) / elasticity, -5), 5)));
    }
  mho_fit_update_cell(j);
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

static void search_starts(mho_fit_job *j, const increments *s, start *best) {
  uint32_t w = 12345;
  start initial = {0};
  for (int k = 0; k < j->n; k++)
    initial.value[k] = mho_fit_get(j, k);
  for (int i = 0; i < REFINED; i++)
    best[i].cost = HUGE_VAL;
  for (int trial = 0; trial < STARTS; trial++) {
    for (int k = 0; k < j->n; k++) {
      double low = fmax(j->low[k], -30), high = fmin(j->high[k], 30), v = initial.value[k];
      bool free_form = !j->is_log[k] && !(j->range && k >= j->n - 2);
      mho_fit_set(j, k,
                  free_form && trial ? low + (high - low) * pow(uniform(&w), low < 0 ? 1 : 2) : v);
    }
    start now = {.cost = match_rates(j, s)};
    for (int k = 0; k < j->n; k++)
      now.value[k] = mho_fit_get(j, k);
    for (int i = 0; i < REFINED; i++)
      if (now.cost < best[i].cost) {
        memmove(best + i + 1, best + i, (size_t)(REFINED - 1 - i) * sizeof *best);
        best[i] = now;
        break;
      }
  }
}

mho_err mho_fit_best_start(mho_fit_job *j) {
  increments *s = malloc(sizeof *s);
  start best[REFINED + 1];
  if (!s)
    return mho_fail(j->ei, MHO_ENOMEM, "no memory for a fit");
  sample_increments(j, s);
  if (s->n < 3 || s->n <= j->n) {
    mho_err err =
        mho_fail(j->ei, MHO_EDATA,
                 "%d changes from one pulse to the next are too few for %d parameters of '%s'",
                 s->n, j->n, j->f->model->entry.id);
    free(s);
    return err;
  }
  search_starts(j, s, best);
  /* plain increments decide between the starts: a first weight for all of them */
  double lowest = HUGE_VAL;
  start winner = best[0];
  mho_err err = MHO_OK;
  for (int i = 0; i < REFINED && !err && isfinite(best[i].cost); i++) {
    for (int k = 0; k < j->n; k++)
      mho_fit_set(j, k, best[i].value[k]);
    mho_fit_update_cell(j);
    int used, outliers;
    mho_fit_noise flat = {.add = s->spread};
    mho_fit_gains_set(&j->cell, j->d, &flat, 8, false, &j->gains, &used, &outliers);
    double cost;
    err = mho_fit_minimize(j, 30, &cost, NULL);
    if (!err && cost < lowest) {
      lowest = cost;
      for (int k = 0; k < j->n; k++)
        winner.value[k] = mho_fit_get(j, k);
    }
  }
  for (int k = 0; k < j->n; k++)
    mho_fit_set(j, k, winner.value[k]);
  mho_fit_update_cell(j);
  free(s);
  return isfinite(lowest) ? MHO_OK
         : err            ? err
                          : mho_fail(j->ei, MHO_EDATA, "no parameters of '%s' come near these data",
                                     j->f->model->entry.id);
}
