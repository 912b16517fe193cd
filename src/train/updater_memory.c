/* updater_memory.c - an updater with its memory: slabs of weights, what optimizer and scheme keep,
 * and scratch.
 *
 * How weights are cut into slabs depends on sizes alone, so that results are the same for any
 * number of threads.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/streams.h"
#include "mho/experiment.h"
#include "network/lines.h"
#include "program/coincidences.h"
#include "train/arrays.h"
#include "train/updater.h"

/* Weights that a task updates: gradient and moments stay in the second-level cache; where every
 * sample is applied to them, so do the devices; smaller slabs also keep threads busy alike. */
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
  int slabs = ceil_div(k->xb->rows, mho_max(rows, SLAB_ROWS_LEAST));
  return mho_max(ceil_div(k->xb->rows, slabs), SLAB_ROWS_LEAST);
}

static mho_err new_slabs(mho_updater *u, mho_errinfo *ei) {
  int n = 0;
  for (int c = 0; c < u->net->n_trained; c++)
    u->n_slabs += ceil_div(crossbar_of(u->net, c)->rows, slab_rows_of(u, c));

  u->slab = mho_alloc((size_t)u->n_slabs, sizeof *u->slab);
  if (!u->slab)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the update");

  /* Pulses of the last connections come first: most of their lines are active, those of an image's
   * border are not, and what is long is not begun last. */
  for (int i = 0; i < u->net->n_trained; i++) {
    int c = u->scheme->replay ? u->net->n_trained - 1 - i : i;
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

/* ---------------------------------------------------------------- trains */

/* Lines that trains are drawn for at a time. */
enum { LINES_AT_ONCE = 1 << 22, DRAWN_LEAST = 64 };

static int positions_of(const mho_updater *u, int c) {
  const mho_connection *k = &u->net->connection[c];
  return k->conv.kernel ? k->positions : 1;
}

/* Outer products of a connection in a term. */
static int products_of(const mho_updater *u, int c) {
  return (int)u->e->train.batch * positions_of(u, c);
}

/* Those for which there is room: all, or as many as fit. */
static int drawn_of(const mho_updater *u, int c) {
  const mho_crossbar *x = crossbar_of(u->net, c);
  int fit = mho_max(LINES_AT_ONCE / (x->rows + x->cols), DRAWN_LEAST);
  return mho_min(products_of(u, c), fit);
}

/* Ones for every line, and for every unit. */
static mho_err new_ones(mho_updater *u, mho_errinfo *ei) {
  int n = 0;
  for (int c = 0; c < u->net->n_trained; c++) {
    const mho_crossbar *x = crossbar_of(u->net, c);
    n = mho_max(n, mho_max(x->rows, x->cols));
  }
  for (int l = 0; l < u->net->n_layers; l++)
    n = mho_max(n, mho_max(u->net->layer[l].n, u->net->layer[l].outputs));

  u->ones = mho_alloc((size_t)n, sizeof *u->ones);
  if (!u->ones)
    return no_memory(u, ei);
  for (int i = 0; i < n; i++)
    u->ones[i] = 1;
  return MHO_OK;
}

/* Trains of few samples pulse cells here and there, and spikes, one sample after another, whole
 * columns. Arrays of the scheme's own see to it themselves. */
static void prepare_cells(const mho_updater *u, const mho_crossbar *x) {
  bool has_columns = u->rule->spikes && u->e->train.batch == 1;
  for (int k = 0; !u->scheme->own_new && k < x->n_banks; k++)
    if (x->bank[k]) {
      mho__cells_lay_beside(x->bank[k]);
      if (has_columns)
        mho__cells_lay_by_column(x->bank[k], x->cols);
    }
}

/* Pulse trains of a batch, for a scheme that draws them, and lines for them. */
static mho_err new_trains(mho_updater *u, mho_errinfo *ei) {
  size_t trained = (size_t)u->net->n_trained;
  if (!u->scheme->draw)
    return MHO_OK;

  mho_err err = new_ones(u, ei);
  u->trains = mho_alloc(trained, sizeof(mho_pulse_trains *));
  u->drawn = mho_alloc(trained, sizeof *u->drawn);
  u->lines = mho_alloc(trained, sizeof(mho_real *));
  u->products = mho_alloc(trained, sizeof *u->products);
  if (!err && (!u->trains || !u->drawn || !u->lines || !u->products))
    return no_memory(u, ei);

  for (int c = 0; c < u->net->n_trained; c++) {
    if (err)
      break;
    const mho_connection *k = &u->net->connection[c];
    u->drawn[c] = drawn_of(u, c);
    prepare_cells(u, k->xb);
    err = mho_pulse_trains_new(k->xb->rows, k->xb->cols, u->drawn[c], &u->trains[c], ei);
    if (err || !(k->conv.kernel || k->bias))
      continue;
    u->lines[c] = mho_alloc((size_t)u->drawn[c] * (size_t)k->xb->rows, sizeof *u->lines[c]);
    err = u->lines[c] ? MHO_OK : no_memory(u, ei);
  }
  return err;
}

/* ---------------------------------------------------------------- arrays of the scheme */

/* The scheme's arrays are numbered as connections, behind those that there are. */
static mho_err new_own(mho_updater *u, mho_errinfo *ei) {
  size_t trained = (size_t)u->net->n_trained;
  if (!u->scheme->own_new)
    return MHO_OK;
  if (u->net->n_connections + u->net->n_trained > MHO_STREAM_CONNECTIONS)
    return mho_fail(ei, MHO_ECONFIG,
                    "update.scheme: '%s' has an array for each of %d connections, and there can be "
                    "%d arrays in all",
                    u->scheme->entry.id, u->net->n_trained, MHO_STREAM_CONNECTIONS);

  u->own = mho_alloc(trained, sizeof *u->own);
  u->fast_step = mho_alloc(trained, sizeof *u->fast_step);
  if (!u->own || !u->fast_step)
    return no_memory(u, ei);

  for (int c = 0; c < u->net->n_trained; c++) {
    mho_own_site site = {.e = u->e,
                         .slow = crossbar_of(u->net, c),
                         .index = u->net->n_connections + c,
                         .products = products_of(u, c),
                         .chip_seed = u->seeds.chip,
                         .noise_seed = u->seeds.noise};
    mho_err err = u->scheme->own_new(&site, &u->own[c], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* Lines of these arrays, as of the network's crossbars. */
static mho_err new_fast_lines(mho_updater *u, mho_errinfo *ei) {
  const mho_experiment *e = u->e;
  const mho_array_config *a = &e->array_config;
  const mho_device_model *device = (const mho_device_model *)e->device.entry;
  int n = u->net->n_trained;
  mho_err err = MHO_OK;
  if (!u->own)
    return MHO_OK;

  mho_crossbar **x = mho_alloc((size_t)n, sizeof(mho_crossbar *));
  if (!x)
    return no_memory(u, ei);
  for (int c = 0; c < n; c++)
    x[c] = fast_of(u, c);
  if (mho_array_has_wires(a))
    err = mho_wired_new(n, x, a, &e->device_config, u->pool, &u->fast_wired, ei);
  if (!err && device->pulse && mho_array_disturbs(a))
    err = mho_disturb_new(n, x, a, device, e->device.params, &e->device_config, u->pool,
                          &u->fast_disturb, ei);
  mho_free(x);

  if (!err)
    mho__updater_refresh(u, true);
  return err;
}

/* Lines of crossbars that have borrowed banks of these arrays, which lie on them, too. */
static mho_err renew_lines(mho_updater *u, mho_errinfo *ei) {
  const mho_experiment *e = u->e;
  mho_network_options o = {.device = (const mho_device_model *)e->device.entry,
                           .device_params = e->device.params,
                           .device_config = &e->device_config,
                           .array_config = &e->array_config,
                           .pulsed = true,
                           .pool = u->pool};
  if (!crossbar_of(u->net, 0)->borrowed)
    return MHO_OK;

  mho_err err = mho__network_lines(u->net, &o, ei);
  if (!err)
    mho_network_refresh(u->net, u->at->update, true);
  return err;
}

/* Scratch of a replay with arrays of the scheme's own, see mho_scheme.fast. */
static size_t fast_scratch(const mho_updater *u) {
  size_t most = 0;
  for (int c = 0; u->own && c < u->net->n_trained; c++) {
    const mho_crossbar *x = fast_of(u, c);
    size_t pulses = mho__slab_room(mho_min(x->rows, slab_rows_of(u, c)), x->cols);
    most = mho_max_size(most, 3 * (size_t)x->cols + mho_crossbar_scratch(x, 1) + pulses);
  }
  return most;
}

/* What every thread works in. */
static mho_err new_scratch(mho_updater *u, mho_errinfo *ei) {
  int threads = mho_pool_threads(u->pool);
  size_t of_change = mho_change_scratch(u->net, u->slab_rows, u->slab_cells);
  size_t *sizes = mho_alloc((size_t)threads, sizeof *sizes);
  if (!sizes)
    return no_memory(u, ei);

  for (int i = 0; i < threads; i++)
    sizes[i] = mho_max_size(2 * (size_t)u->slab_cells /* gradient and wanted change */ + of_change,
                            fast_scratch(u));
  u->scratch = mho__arrays_new(threads, sizes);
  mho_free(sizes);
  return u->scratch ? MHO_OK : no_memory(u, ei);
}

/* ---------------------------------------------------------------- all of it */

mho_err mho__updater_new(const mho_experiment *e, mho_network *net, mho_pool *pool,
                         mho_standing *at, mho_updater **out, mho_errinfo *ei) {
  static mho_err (*const make[])(mho_updater * u, mho_errinfo * ei) = {
      new_slabs, new_weight_arrays, new_trains, new_own, new_fast_lines, renew_lines, new_scratch};
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

  for (int c = 0; u->own && c < u->net->n_trained; c++) {
    mho_crossbar *fast = fast_of(u, c);
    mho_crossbar_range(fast, mho_crossbar_w_max(crossbar_of(u->net, c)));
    u->fast_step[c] = mho_crossbar_step(fast, step);
  }
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
  mho__arrays_free(u->lines, trained);
  mho_wired_free(u->fast_wired);
  mho_disturb_free(u->fast_disturb);
  for (int c = 0; u->own && c < trained; c++)
    u->scheme->own_free(u->own[c]);
  mho_free(u->own);
  mho_free(u->fast_step);
  mho_free(u->drawn);
  mho_free(u->products);
  mho_free(u->trains);
  mho_free(u->ones);
  mho_free(u->slab);
  mho_free(u->nominal_step);
  mho_free(u);
}
