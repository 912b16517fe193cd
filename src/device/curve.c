/* curve.c - how a population of a device answers cycles of SET and RESET pulses.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>

#include "base/streams.h"
#include "mho/device.h"

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double quantile(const double *sorted, int n, double q) {
  double at = q * (n - 1);
  int k = (int)at;
  return k + 1 < n ? sorted[k] + (at - k) * (sorted[k + 1] - sorted[k]) : sorted[n - 1];
}

static void summarize(const mho_cells *c, double *g, mho_curve_point *p) {
  int n = (int)c->n;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; i++) {
    g[i] = mho_cells_siemens(c, (size_t)i);
    sum += g[i];
  }
  p->mean = sum / n;
  for (int i = 0; i < n; i++)
    squares += (g[i] - p->mean) * (g[i] - p->mean);
  p->deviation = sqrt(squares / n);
  qsort(g, (size_t)n, sizeof *g, ascending);
  p->q05 = quantile(g, n, 0.05);
  p->q25 = quantile(g, n, 0.25);
  p->q50 = quantile(g, n, 0.5);
  p->q75 = quantile(g, n, 0.75);
  p->q95 = quantile(g, n, 0.95);
}

static void pulse_all(mho_cells *c, int direction, uint64_t step) {
  int16_t count[MHO_DEVICE_BLOCK];
  mho_pulse_counts counts = {0};
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    count[i] = (int16_t)direction;
  for (size_t i = 0; i < c->n; i += MHO_DEVICE_BLOCK)
    mho_cells_pulse(c, i, c->n - i < MHO_DEVICE_BLOCK ? (int)(c->n - i) : MHO_DEVICE_BLOCK, count,
                    step, &counts);
}

static void put_low(mho_cells *c) {
  float low[MHO_DEVICE_BLOCK];
  for (size_t i = 0; i < c->n; i += MHO_DEVICE_BLOCK) {
    int n = c->n - i < MHO_DEVICE_BLOCK ? (int)(c->n - i) : MHO_DEVICE_BLOCK;
    for (int k = 0; k < n; k++)
      low[k] = c->low[(c->varied ? i : 0) + (size_t)k];
    mho_cells_set(c, i, n, low);
  }
}

mho_err mho_device_curve(const mho_device_model *model, const void *params,
                         const mho_device_config *config, const mho_curve_options *o,
                         mho_curve_point **points, int *n, mho_errinfo *ei) {
  *points = NULL;
  *n = 0;
  if (!model->pulse)
    return mho_fail(ei, MHO_EINVAL, "'%s' knows no pulses: there is no curve", model->entry.id);
  size_t total = (size_t)o->cycles * ((size_t)o->set + (size_t)o->reset) + 1;
  mho_cells *c = NULL;
  mho_err err =
      mho_cells_new(model, params, config, (size_t)o->cells, mho_stream_chip(o->seed, 0, 0),
                    mho_stream_pulse(o->seed, 0, 0), &c, ei);
  mho_curve_point *p = err ? NULL : mho_alloc(total, sizeof *p);
  double *g = err ? NULL : malloc((size_t)o->cells * sizeof *g);
  if (!err && (!p || !g))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a curve of %zu points", total);
  if (!err) {
    put_low(c);
    p[0] = (mho_curve_point){.cycle = 1, .direction = 1};
    summarize(c, g, &p[0]);
    int k = 1;
    for (int cycle = 1; cycle <= o->cycles; cycle++)
      for (int side = 1; side >= -1; side -= 2)
        for (int i = 1; i <= (side > 0 ? o->set : o->reset); i++, k++) {
          pulse_all(c, side, (uint64_t)k);
          p[k] = (mho_curve_point){.cycle = cycle, .direction = side, .pulse = i};
          summarize(c, g, &p[k]);
        }
    *points = p;
    *n = (int)total;
  } else {
    mho_free(p);
  }
  free(g);
  mho_cells_free(c);
  return err;
}
