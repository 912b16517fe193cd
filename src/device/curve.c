/* curve.c - how a population of a device answers cycles of SET and RESET pulses.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>

#include "base/streams.h"
#include "device/cells.h"

/* Quantile q of sorted values, linear between them. */
static double quantile(const double *sorted, int n, double q) {
  double at = q * (n - 1);
  int k = (int)at;
  return k + 1 < n ? sorted[k] + (at - k) * (sorted[k + 1] - sorted[k]) : sorted[n - 1];
}

/* The statistics of a point; g is scratch of [c->n]. */
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

  gsl_sort(g, 1, (size_t)n);
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
    mho_cells_pulse(c, i, block_cells(c->n, i), count, step, &counts);
}

/* All cells to where the curve begins: their low bounds, or the start as far as bounds let them. */
static void put_first(mho_cells *c, bool from_start) {
  float first[MHO_DEVICE_BLOCK], start = (float)c->config.start;
  for (size_t i = 0; i < c->n; i += MHO_DEVICE_BLOCK) {
    int n = block_cells(c->n, i);
    for (int k = 0; k < n; k++)
      first[k] = from_start ? start : c->low[bounds_at(c, i) + (size_t)k];
    mho_cells_set(c, i, n, first);
  }
}

/* All points of the curve, from the state before any pulse on, or those until the caller wants an
 * end; how many they are. */
static int trace(mho_cells *c, const mho_curve_options *o, double *g, mho_curve_point *p) {
  int k = 0;
  put_first(c, o->from_start);
  p[0] = (mho_curve_point){.cycle = 1, .direction = 1};
  summarize(c, g, &p[0]);

  for (int cycle = 1; cycle <= o->cycles; cycle++)
    for (int side = 1; side >= -1; side -= 2) {
      int pulses = side > 0 ? o->set : o->reset;
      for (int i = 1; i <= pulses; i++) {
        if (mho_stopped(o->ctx))
          return k + 1;
        k++;
        pulse_all(c, side, (uint64_t)k);
        p[k] = (mho_curve_point){.cycle = cycle, .direction = side, .pulse = i};
        summarize(c, g, &p[k]);
      }
    }
  return k + 1;
}

mho_err mho_device_curve(const mho_device_model *model, const void *params,
                         const mho_device_config *config, const mho_curve_options *o,
                         mho_curve_point **points, int *n, mho_errinfo *ei) {
  *points = NULL;
  *n = 0;
  if (!model->pulse)
    return mho_fail(ei, MHO_EINVAL, "'%s' knows no pulses: there is no curve", model->entry.id);
  if (config->only_written)
    return mho_fail(ei, MHO_EINVAL,
                    "what pulses do to this device is not known (device.only_written): there is no "
                    "curve");

  mho_cells *c = NULL;
  mho_err err =
      mho_cells_new(model, params, config, (size_t)o->cells, mho__stream_chip(o->seed, 0, 0),
                    mho__stream_pulse(o->seed, 0, 0), &c, ei);
  if (err)
    return err;

  size_t total = (size_t)o->cycles * ((size_t)o->set + (size_t)o->reset) + 1;
  mho_curve_point *p = mho_alloc(total, sizeof *p);
  double *g = malloc((size_t)o->cells * sizeof *g);
  if (p && g) {
    *n = trace(c, o, g, p);
  } else {
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a curve of %zu points", total);
  }
  if (!err && mho_stopped(o->ctx))
    err = mho_fail(ei, MHO_EINTERRUPTED, "interrupted after %d of %zu pulses", *n - 1, total - 1);

  if (err)
    mho_free(p);
  else
    *points = p;
  free(g);
  mho_cells_free(c);
  return err;
}
