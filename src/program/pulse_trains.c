/* pulse_trains.c - room for the pulse trains of a batch.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/program.h"

static bool has_room(const mho_pulse_trains *t) {
  return t->row && t->col && t->slots && t->n_rows && t->n_cols && t->truncated && t->reached &&
         t->x_max && t->d_max;
}

mho_err mho_pulse_trains_new(int rows, int cols, int samples, mho_pulse_trains **out,
                             mho_errinfo *ei) {
  size_t n = (size_t)samples;
  mho_pulse_trains *t = mho_alloc(1, sizeof *t);
  *out = NULL;
  if (t) {
    t->row = mho_alloc(n * (size_t)rows, sizeof *t->row);
    t->col = mho_alloc(n * (size_t)cols, sizeof *t->col);
    t->slots = mho_alloc(n, sizeof *t->slots);
    t->n_rows = mho_alloc(n, sizeof *t->n_rows);
    t->n_cols = mho_alloc(n, sizeof *t->n_cols);
    t->truncated = mho_alloc(n, sizeof *t->truncated);
    t->reached = mho_alloc(n, sizeof *t->reached);
    t->x_max = mho_alloc(n, sizeof *t->x_max);
    t->d_max = mho_alloc(n, sizeof *t->d_max);
  }

  if (!t || !has_room(t)) {
    mho_pulse_trains_free(t);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the pulse trains of %d samples on %d x %d",
                    samples, rows, cols);
  }
  *out = t;
  return MHO_OK;
}

void mho_pulse_trains_free(mho_pulse_trains *t) {
  if (!t)
    return;

  mho_free(t->row);
  mho_free(t->col);
  mho_free(t->slots);
  mho_free(t->n_rows);
  mho_free(t->n_cols);
  mho_free(t->truncated);
  mho_free(t->reached);
  mho_free(t->x_max);
  mho_free(t->d_max);
  mho_free(t);
}
