/* crossbar_read.c - what a crossbar shows: reads through its array model, siemens, statistics.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/perturbation.h"
#include "array/weights.h"

bool mho_crossbar_noisy(const mho_crossbar *x) {
  bool shown = x->model->shows_cells && mho_crossbar_has_cells(x);
  bool cells = shown && mho_device_reads_noisy(&x->bank[0]->config);
  return cells || mho_array_is_noisy(x->model, x->params);
}

const mho_device_config *mho_crossbar_law(const mho_crossbar *x) {
  bool shown = x->model->shows_cells && mho_crossbar_has_cells(x);
  bool bent = shown && x->bank[0]->config.iv.law != MHO_IV_OHMIC;
  return bent ? &x->bank[0]->config : NULL;
}

bool mho_crossbar_lossy(const mho_crossbar *x) {
  return mho_crossbar_law(x) || mho_crossbar_noisy(x) || mho_array_is_lossy(x->model, x->params);
}

int mho_crossbar_conversions(const mho_crossbar *x, bool transposed) {
  return x->model->conversions ? x->model->conversions(x, transposed) : 1;
}

size_t mho_crossbar_scratch(const mho_crossbar *x, int n) {
  return x->model->scratch ? x->model->scratch(x, n) : 0;
}

void mho_crossbar_read(const mho_crossbar *x, const mho_read *r) {
  x->model->read(x, r);
  if (x->perturbation && !x->model->perturbs)
    mho__perturbation_add(x, r, r->x, 0, r->transposed ? x->cols : x->rows, r->scale, r->y);
}

void mho_crossbar_read_row(const mho_crossbar *x, int row, const mho_real *weights, mho_clock clock,
                           mho_real *y, mho_real *scratch) {
  if (x->model->read_row)
    x->model->read_row(x, row, weights, clock, y, scratch);
  else
    memcpy(y, weights, (size_t)x->cols * sizeof *y);
}

void mho_crossbar_siemens(const mho_crossbar *x, const mho_device_config *config, double *const *g,
                          double *g_unit) {
  size_t n = mho_crossbar_cells(x);
  double range = config->g_max - config->g_min, top = x->w_max;

  if (mho_crossbar_has_cells(x)) {
    for (int k = 0; k < x->n_banks; k++)
      for (size_t i = 0; i < n; i++)
        g[k][i] = mho_cells_siemens_at(x->bank[k], i, mho_crossbar_shown(x, k)[i]);
    *g_unit = range / top;
    return;
  }

  for (size_t i = 0; i < n; i++)
    top = fmax(top, fabs((double)x->weights->programmed[i]));
  mho__crossbar_lay_on_pairs(x, config, top, g);
  *g_unit = range / top;
}

void mho__crossbar_lay_on_pairs(const mho_crossbar *x, const mho_device_config *config, double top,
                                double *const *g) {
  const mho_real *w = x->weights->programmed;
  double range = config->g_max - config->g_min;
  for (int k = 0; k < x->n_banks; k++)
    for (size_t i = 0; i < mho_crossbar_cells(x); i++) {
      double half = 0.5 * (double)w[i] / top;
      g[k][i] = config->g_min + range * (0.5 + x->role[k].gain * half);
    }
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
  if (!mho_crossbar_has_cells(x))
    return s;

  bank_sums banks = {0};
  for (int k = 0; k < x->n_banks; k++)
    if (mho_crossbar_writes(x, k))
      add_cells(x->bank[k], &banks, s.g_hist);
  s.g_mean = banks.g / banks.cells;
  s.g_std = deviation(banks.squares, banks.cells, s.g_mean);
  s.saturated = banks.saturated / banks.cells;
  s.stuck = banks.stuck / banks.cells;
  return s;
}
