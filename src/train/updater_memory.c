/* updater_memory.c - an updater with its memory: slabs of weights, what optimizer and scheme keep,
 * and scratch.
 *
 * How weights are cut into slabs depends on sizes alone, so that results are the same for any
 * number of threads.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/experiment.h"
#include "train/arrays.h"
#include "train/updater.h"

/* Weights that a task updates: gradient and moments stay in the second-level cache; where every
 * sample is applied to them, so do the devices. */
enum { SLAB_CELLS = 1 << 15, REPLAY_CELLS = 1 << 14 };
/* A slab's rows, and the slabs of a convolution, which has few weights and much to sum. */
enum { SLAB_ROWS_LEAST = 16, CONV_SLABS = 8 };

static mho_err no_memory(const mho_updater *u, mho_errinfo *ei) {
  return mho_fail(ei, MHO_ENOMEM, "no memory to train %zu weights", u->net->n_weights);
}

/* ---------------------------------------------------------------- slabs */

/* Most rows of a slab of connection c. */
static int slab_rows_of(const mho_updater *u, int c) {
  const mho_connection *k = &u->net->connection[c];
  int cells = u->scheme->replay ? REPLAY_CELLS : SLAB_CELLS;
  int rows = k->conv.kernel ? ceil_div(k->xb->rows, CONV_SLABS) : cells / k->xb->cols;
  return mho_max(rows, SLAB_ROWS_LEAST);
}

static mho_err new_slabs(mho_updater *u, mho_errinfo *ei) {
  int n = 0;
  for (int c = 0; c < u->net->n_trained; c++)
    u->n_slabs += ceil_div(crossbar_of(u->net, c)->rows, slab_rows_of(u, c));

  u->slab = mho_alloc((size_t)u->n_slabs, sizeof *u->slab);
  if (!u->slab)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the update");

  for (int c = 0; c < u->net->n_trained; c++) {
    const mho_crossbar *x = crossbar_of(u->net, c);
    int most = slab_rows_of(u, c);
    for (int row0 = 0; row0 < x->rows; row0 += most) {
      int rows = mho_min(x->rows - row0, most);
      u->slab[n++] = (mho_slab){.connection = c, .row0 = row0, .rows = rows};
      u->slab_cells = mho_max(u->slab_cells, rows * x->cols);
      u->slab_rows = mho_max(u->slab_rows, rows);
    }
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- arrays of connections */

/* Arrays as long as the weights: those of the optimizer, of the scheme, and the gradient, where it
 * is clipped; and the steps of pulses. */
static mho_err new_weight_arrays(mho_updater *u, mho_errinfo *ei) {
  int trained = u->net->n_trained;
  size_t sizes[MHO_EDGES_MAX];
  for (int c = 0; c < trained; c++)
    sizes[c] = mho_crossbar_cells(crossbar_of(u->net, c));

  u->nominal_step = mho_alloc((size_t)trained, sizeof *u->nominal_step);
  bool has_all = u->nominal_step != NULL;
  for (int k = 0; k < u->optimizer->n_states; k++) {
    u->moment[k] = mho__arrays_new(trained, sizes);
    has_all &= u->moment[k] != NULL;
  }
  if (u->scheme->has_state) {
    u->accumulator = mho__arrays_new(trained, sizes);
    has_all &= u->accumulator != NULL;
  }
  if (u->e->update.clip > 0) {
    u->gradient = mho__arrays_new(trained, sizes);
    has_all &= u->gradient != NULL;
  }

  return has_all ? MHO_OK : no_memory(u, ei);
}

/* Rows are pulsed by the states of a layer, unless the rule knows what lines do. */
static mho_err check_lines(const mho_updater *u, mho_errinfo *ei) {
  for (int c = 0; c < u->net->n_trained; c++) {
    const mho_connection *k = &u->net->connection[c];
    if ((k->conv.kernel || k->bias) && !u->rule->lines)
      return mho_fail(ei, MHO_ECONFIG,
                      "update.scheme: '%s' pulses rows by the states of a layer, and %s has %s: "
                      "use another scheme",
                      u->scheme->entry.id, k->name, k->bias ? "a bias" : "patches of an image");
  }
  return MHO_OK;
}

/* Pulse trains of a batch, for a scheme that draws them. */
static mho_err new_trains(mho_updater *u, mho_errinfo *ei) {
  int trained = u->net->n_trained, lines = 0;
  mho_err err = u->scheme->draw ? check_lines(u, ei) : MHO_OK;
  if (err || !u->scheme->draw)
    return err;

  for (int c = 0; c < trained; c++) {
    const mho_crossbar *x = crossbar_of(u->net, c);
    lines = mho_max(lines, mho_max(x->rows, x->cols));
  }
  u->ones = mho_alloc((size_t)lines, sizeof *u->ones);
  u->trains = mho_alloc((size_t)trained, sizeof *u->trains);
  if (!u->trains || !u->ones)
    return no_memory(u, ei);
  for (int i = 0; i < lines; i++)
    u->ones[i] = 1;

  for (int c = 0; c < trained; c++) {
    const mho_crossbar *x = crossbar_of(u->net, c);
    err = mho_pulse_trains_new(x->rows, x->cols, (int)u->e->train.batch, &u->trains[c], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* What every thread works in. */
static mho_err new_scratch(mho_updater *u, mho_errinfo *ei) {
  int threads = mho_pool_threads(u->pool);
  size_t of_change = mho_change_scratch(u->net, u->slab_rows, u->slab_cells);
  size_t *sizes = mho_alloc((size_t)threads, sizeof *sizes);
  if (!sizes)
    return no_memory(u, ei);

  for (int i = 0; i < threads; i++)
    sizes[i] = 2 * (size_t)u->slab_cells /* gradient and wanted change */ + of_change;
  u->scratch = mho__arrays_new(threads, sizes);
  mho_free(sizes);
  return u->scratch ? MHO_OK : no_memory(u, ei);
}

/* ---------------------------------------------------------------- all of it */

mho_err mho__updater_new(const mho_experiment *e, mho_network *net, mho_pool *pool,
                         mho_standing *at, mho_updater **out, mho_errinfo *ei) {
  static mho_err (*const make[])(mho_updater * u, mho_errinfo * ei) = {new_slabs, new_weight_arrays,
                                                                       new_trains, new_scratch};
  mho_updater *u = mho_alloc(1, sizeof *u);
  *out = NULL;
  if (!u)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the update");

  u->e = e;
  u->net = net;
  u->pool = pool;
  u->rule = (const mho_rule *)e->rule.entry;
  u->optimizer = (const mho_optimizer *)e->optimizer.entry;
  u->scheme = (const mho_scheme *)e->scheme.entry;
  u->at = at;
  u->seeds = mho_experiment_seeds(e);

  for (int i = 0; i < MHO_COUNT(make); i++) {
    mho_err err = make[i](u, ei);
    if (err) {
      mho__updater_free(u);
      return err;
    }
  }
  mho__updater_rescale(u);
  *out = u;
  return MHO_OK;
}

void mho__updater_rescale(mho_updater *u) {
  const mho_experiment *e = u->e;
  const mho_device_model *model = (const mho_device_model *)e->device.entry;
  double step = mho_device_nominal_step(model, e->device.params, &e->device_config);
  for (int c = 0; c < u->net->n_trained; c++)
    u->nominal_step[c] = mho_crossbar_step(crossbar_of(u->net, c), step);
}

void mho__updater_free(mho_updater *u) {
  if (!u)
    return;

  int trained = u->net->n_trained;
  for (int k = 0; k < MHO_PROGRAM_STATES; k++)
    mho__arrays_free(u->moment[k], trained);
  mho__arrays_free(u->accumulator, trained);
  mho__arrays_free(u->gradient, trained);
  mho__arrays_free(u->scratch, mho_pool_threads(u->pool));

  for (int c = 0; u->trains && c < trained; c++)
    mho_pulse_trains_free(u->trains[c]);
  mho_free(u->trains);
  mho_free(u->ones);
  mho_free(u->slab);
  mho_free(u->nominal_step);
  mho_free(u);
}
