/* line_power.c - what the lines of every crossbar load their drivers with, in siemens.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/trainer.h"

void mho__power_free(const mho_network *net, mho_power *p) {
  for (int c = 0; c < net->n_connections; c++) {
    mho_free(p->rows ? p->rows[c] : NULL);
    mho_free(p->cols ? p->cols[c] : NULL);
  }
  mho_free(p->rows);
  mho_free(p->cols);
}

/* Sums along the rows and columns of a crossbar without wires. */
static mho_err sum_lines(const mho_trainer *t, int c, mho_power *p, mho_errinfo *ei) {
  const mho_crossbar *x = crossbar_of(t->net, c);
  size_t cells = mho_crossbar_cells(x), cols = (size_t)x->cols;
  double *all = mho_alloc((size_t)x->n_banks * cells, sizeof *all), *g[MHO_BANKS_MAX], unit;
  if (!all)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the conductances of %d x %d cells", x->rows,
                    x->cols);

  for (int k = 0; k < x->n_banks; k++)
    g[k] = all + (size_t)k * cells;
  mho_crossbar_siemens(x, &t->e->device_config, g, &unit);

  for (size_t i = 0; i < cells; i++) {
    double sum = g[0][i];
    for (int k = 1; k < x->n_banks; k++)
      sum += g[k][i];
    p->rows[c][i / cols] += sum;
    p->cols[c][i % cols] += sum;
  }

  mho_free(all);
  return MHO_OK;
}

static bool make_room(const mho_trainer *t, mho_power *p) {
  size_t n = (size_t)t->net->n_connections;
  p->rows = mho_alloc(n, sizeof *p->rows);
  p->cols = mho_alloc(n, sizeof *p->cols);
  if (!p->rows || !p->cols)
    return false;

  for (int c = 0; c < t->net->n_connections; c++) {
    p->rows[c] = mho_alloc((size_t)crossbar_of(t->net, c)->rows, sizeof *p->rows[c]);
    p->cols[c] = mho_alloc((size_t)crossbar_of(t->net, c)->cols, sizeof *p->cols[c]);
    if (!p->rows[c] || !p->cols[c])
      return false;
  }
  return true;
}

/* The sums, with wires by their solver. */
static mho_err fill(const mho_trainer *t, mho_power *p, mho_errinfo *ei) {
  const mho_network *net = t->net;
  if (net->wired)
    return mho_wired_loads(net->wired, p->rows, p->cols, ei);

  for (int c = 0; c < net->n_connections; c++) {
    mho_err err = sum_lines(t, c, p, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

mho_err mho__power_new(const mho_trainer *t, mho_power *p, mho_errinfo *ei) {
  mho_err err;
  *p = (mho_power){.volts = t->e->array_config.read_voltage};

  if (make_room(t, p))
    err = fill(t, p, ei);
  else
    err =
        mho_fail(ei, MHO_ENOMEM, "no memory for the energy of %d crossbars", t->net->n_connections);

  if (err)
    mho__power_free(t->net, p);
  return err;
}
