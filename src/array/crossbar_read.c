/* crossbar_read.c - what a crossbar shows: reads through its array model, siemens, statistics.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "array/crossbar_impl.h"

bool mho_crossbar_noisy(const mho_crossbar *x) {
  bool cells = x->model->shows_cells && x->pos && mho_device_reads_noisy(&x->pos->config);
  return cells || (x->model->noisy && x->model->noisy(x->params));
}

const mho_device_config *mho_crossbar_law(const mho_crossbar *x) {
  bool bent = x->model->shows_cells && x->pos && x->pos->config.iv.law != MHO_IV_OHMIC;
  return bent ? &x->pos->config : NULL;
}

bool mho_crossbar_lossy(const mho_crossbar *x) {
  return mho_crossbar_law(x) || mho_crossbar_noisy(x) ||
         (x->model->lossy && x->model->lossy(x->params));
}

int mho_crossbar_conversions(const mho_crossbar *x, bool transposed) {
  return x->model->conversions ? x->model->conversions(x, transposed) : 1;
}

size_t mho_crossbar_scratch(const mho_crossbar *x, int n) {
  return x->model->scratch ? x->model->scratch(x, n) : 0;
}

void mho_crossbar_read(const mho_crossbar *x, const mho_read *r) {
  x->model->read(x, r);
}

void mho_crossbar_siemens(const mho_crossbar *x, const mho_device_config *config, double *g_pos,
                          double *g_neg, double *g_unit) {
  size_t n = mho_crossbar_cells(x);
  double range = config->g_max - config->g_min, top = x->w_max;

  if (x->pos) {
    for (size_t i = 0; i < n; i++) {
      g_pos[i] = mho_cells_siemens_at(x->pos, i, mho_crossbar_shown(x, 0)[i]);
      g_neg[i] = mho_cells_siemens_at(x->neg, i, mho_crossbar_shown(x, 1)[i]);
    }
    *g_unit = range / top;
    return;
  }

  const mho_real *w = x->weights->programmed;
  for (size_t i = 0; i < n; i++)
    top = fmax(top, fabs((double)w[i]));
  for (size_t i = 0; i < n; i++) {
    double half = 0.5 * (double)w[i] / top;
    g_pos[i] = config->g_min + range * (0.5 + half);
    g_neg[i] = config->g_min + range * (0.5 - half);
  }
  *g_unit = range / top;
}

/* Sums over the cells of banks. */
typedef struct bank_sums {
  double cells, g, squares, saturated, stuck;
} bank_sums;

static void add_cells(const mho_cells *c, bank_sums *sums, int64_t *hist) {
  sums->cells += (double)c->n;
  for (size_t i = 0; i < c->n; i++) {
    size_t k = c->varied ? i : 0;
    double g = mho_cells_siemens(c, i);
    float margin = 0.01f * (c->high[k] - c->low[k]);
    sums->g += g;
    sums->squares += g * g;
    sums->saturated += c->g[i] <= c->low[k] + margin || c->g[i] >= c->high[k] - margin;
    sums->stuck += c->fault && c->fault[i];
    int bin = (int)floorf(c->g[i] * MHO_G_BINS);
    hist[mho_max(mho_min(bin, MHO_G_BINS - 1), 0)]++;
  }
}

static double deviation(double squares, double n, double mean) {
  return sqrt(fmax(squares / n - mean * mean, 0));
}

mho_crossbar_stats mho_crossbar_statistics(const mho_crossbar *x) {
  size_t n = mho_crossbar_cells(x);
  double sum = 0, squares = 0;
  mho_crossbar_stats s = {.g_mean = NAN, .g_std = NAN, .saturated = NAN, .stuck = NAN};

  for (size_t i = 0; i < n; i++) {
    double w = (double)x->weights->programmed[i];
    sum += w;
    squares += w * w;
    s.w_absmax = fmax(s.w_absmax, fabs(w));
  }

  s.w_mean = sum / (double)n;
  s.w_std = deviation(squares, (double)n, s.w_mean);
  if (!x->pos)
    return s;

  bank_sums banks = {0};
  add_cells(x->pos, &banks, s.g_hist);
  if (!mho__crossbar_has_reference(x)) /* a reference is never written */
    add_cells(x->neg, &banks, s.g_hist);
  s.g_mean = banks.g / banks.cells;
  s.g_std = deviation(banks.squares, banks.cells, s.g_mean);
  s.saturated = banks.saturated / banks.cells;
  s.stuck = banks.stuck / banks.cells;
  return s;
}
