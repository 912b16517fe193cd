/* trainer_buffers.c - the memory of a trainer: states, errors and scratch of a batch, and slabs of
 * weights.
 *
 * How samples are cut into chunks and weights into slabs depends on sizes alone, so that results
 * are the same for any number of threads.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/trainer.h"

/* Weights that a task updates: gradient and moments stay in the second-level cache; where every
 * sample is applied to them, so do the devices. */
enum { SLAB_CELLS = 1 << 15, REPLAY_CELLS = 1 << 14 };
/* A slab's rows, and the slabs of a convolution, which has few weights and much to sum. */
enum { SLAB_ROWS_LEAST = 16, CONV_SLABS = 8 };

static mho_err no_memory(const mho_trainer *t, mho_errinfo *ei) {
  return mho_fail(ei, MHO_ENOMEM, "no memory to train %zu weights", t->net->n_weights);
}

void mho__trainer_arrays_free(mho_real **a, int n) {
  for (int i = 0; a && i < n; i++)
    mho_free(a[i]);
  mho_free(a);
}

mho_real **mho__trainer_arrays_new(int n, const size_t *sizes) {
  mho_real **a = mho_alloc((size_t)n, sizeof *a);
  if (!a)
    return NULL;

  for (int i = 0; i < n; i++) {
    a[i] = mho_alloc(sizes[i], sizeof **a);
    if (!a[i]) {
      mho__trainer_arrays_free(a, n);
      return NULL;
    }
  }
  return a;
}

/* ---------------------------------------------------------------- a batch */

/* The rule's states, of which the first has the input, and what the settler remembers of each. */
static mho_err new_states(mho_trainer *t, mho_errinfo *ei) {
  const mho_network *net = t->net;
  const mho_dynamics *dynamics = (const mho_dynamics *)t->e->dynamics.entry;
  const mho_network_array *array = &net->array;
  bool holds = array->model->holds && array->model->holds(array->params);
  int n = mho__rule_states(t);

  for (int k = 0; k < n; k++) {
    int has = k ? 0 : MHO_STATE_INPUT;
    if (k == 0 && t->direct)
      has |= MHO_STATE_KEEP;
    if (k == 0 && holds)
      has |= MHO_STATE_HOLD;
    if (k == 0 && t->rule->parts)
      has |= t->rule->parts(t->e->rule.params);

    mho_err err = mho_state_new(net, t->capacity, has, &t->state[k], ei);
    if (!err && t->settler->memory)
      err = mho_state_remember(t->state[k], t->settler->memory(net, t->e->settler.params), ei);
    if (!err)
      err = mho_state_add_variables(t->state[k], net, dynamics, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* What the rule works in, and its own variables; a second set of them where other images must leave
 * the first one alone. */
static mho_err new_variables(mho_trainer *t, mho_errinfo *ei) {
  const mho_rule *rule = t->rule;
  mho_err err = MHO_OK;
  if (rule->own_new)
    err = rule->own_new(t->net, t->e->rule.params, t->capacity, &t->own, ei);
  if (err || !rule->n_vars)
    return err;

  err = mho_vars_new(t->net, rule->var, rule->n_vars, t->capacity, &t->vars, ei);
  if (err)
    return err;
  return mho_vars_new(t->net, rule->var, rule->n_vars, t->capacity, &t->other_vars, ei);
}

/* What the settler needs on every thread. */
static mho_err new_workspaces(mho_trainer *t, mho_errinfo *ei) {
  int threads = mho_pool_threads(pool_of(t));
  if (!t->settler->workspace_new)
    return MHO_OK;

  t->workspace = mho_alloc((size_t)threads, sizeof *t->workspace);
  if (!t->workspace)
    return mho_fail(ei, MHO_ENOMEM, "no memory to settle on %d threads", threads);

  for (int i = 0; i < threads; i++) {
    mho_err err =
        t->settler->workspace_new(t->net, t->e->settler.params, t->chunk, &t->workspace[i], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* Errors and labels of a batch, the statistics of its chunks, and the order of the samples. */
static mho_err new_batch(mho_trainer *t, mho_errinfo *ei) {
  const mho_network *net = t->net;
  size_t sizes[MHO_LAYERS_MAX] = {0}, images = (size_t)t->data.train.n;
  for (int l = 1; l < net->n_layers; l++)
    sizes[l] = (size_t)t->capacity * (size_t)net->layer[l].n;

  t->error = mho__trainer_arrays_new(net->n_layers, sizes);
  t->label = mho_alloc((size_t)t->capacity, sizeof *t->label);
  if (t->data.values)
    t->value = mho_alloc((size_t)t->capacity * (size_t)t->data.values, sizeof *t->value);
  t->layer_factor = mho_alloc((size_t)net->n_layers, sizeof *t->layer_factor);
  t->chunk_stats = mho_alloc((size_t)ceil_div(t->capacity, t->chunk), sizeof *t->chunk_stats);
  t->order = mho_alloc(images, sizeof *t->order);
  t->cut = mho_alloc(images, sizeof *t->cut);
  t->batches = mho_alloc(images, sizeof *t->batches);

  bool has_targets = t->label && (t->value || !t->data.values);
  bool has_all = t->error && has_targets && t->layer_factor && t->chunk_stats && t->order &&
                 t->cut && t->batches;
  return has_all ? MHO_OK : no_memory(t, ei);
}

/* Meters of an epoch and of the chunks of a batch, where energy is counted. */
static mho_err new_meters(mho_trainer *t, mho_errinfo *ei) {
  int chunks = ceil_div(t->capacity, t->chunk);
  bool is_analog = mho__energy_analog(t->e);
  if (!mho__energy_counts(t->e))
    return MHO_OK;

  mho_err err = mho_meter_new(t->net, is_analog, &t->meter, ei);
  if (err)
    return err;

  t->chunk_meter = mho_alloc((size_t)chunks, sizeof *t->chunk_meter);
  if (!t->chunk_meter)
    return mho_fail(ei, MHO_ENOMEM, "no memory to count reads");

  for (int i = 0; i < chunks; i++) {
    err = mho_meter_new(t->net, is_analog, &t->chunk_meter[i], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- an update */

/* Most rows of a slab of connection c. */
static int slab_rows_of(const mho_trainer *t, int c) {
  const mho_connection *k = &t->net->connection[c];
  int cells = t->scheme->replay ? REPLAY_CELLS : SLAB_CELLS;
  int rows = k->conv.kernel ? ceil_div(k->xb->rows, CONV_SLABS) : cells / k->xb->cols;
  return mho_max(rows, SLAB_ROWS_LEAST);
}

static mho_err new_slabs(mho_trainer *t, mho_errinfo *ei) {
  int n = 0;
  for (int c = 0; c < t->net->n_trained; c++)
    t->n_slabs += ceil_div(crossbar_of(t, c)->rows, slab_rows_of(t, c));

  t->slab = mho_alloc((size_t)t->n_slabs, sizeof *t->slab);
  t->slab_counts = mho_alloc((size_t)t->n_slabs, sizeof *t->slab_counts);
  t->slab_norm = mho_alloc((size_t)t->n_slabs, sizeof *t->slab_norm);
  if (!t->slab || !t->slab_counts || !t->slab_norm)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the update");

  for (int c = 0; c < t->net->n_trained; c++) {
    const mho_crossbar *x = crossbar_of(t, c);
    int most = slab_rows_of(t, c);
    for (int row0 = 0; row0 < x->rows; row0 += most) {
      int rows = mho_min(x->rows - row0, most);
      t->slab[n++] = (mho_slab){c, row0, rows};
      t->slab_cells = mho_max(t->slab_cells, rows * x->cols);
      t->slab_rows = mho_max(t->slab_rows, rows);
    }
  }
  return MHO_OK;
}

/* Arrays as long as the weights: those of the optimizer, of the scheme, and the gradient, where it
 * is clipped. */
static mho_err new_weight_arrays(mho_trainer *t, mho_errinfo *ei) {
  int trained = t->net->n_trained;
  size_t sizes[MHO_EDGES_MAX];
  bool has_all = true;
  for (int c = 0; c < trained; c++)
    sizes[c] = mho_crossbar_cells(crossbar_of(t, c));

  for (int k = 0; k < t->optimizer->n_states; k++) {
    t->moment[k] = mho__trainer_arrays_new(trained, sizes);
    has_all &= t->moment[k] != NULL;
  }
  if (t->scheme->has_state) {
    t->accumulator = mho__trainer_arrays_new(trained, sizes);
    has_all &= t->accumulator != NULL;
  }
  if (t->e->update.clip > 0) {
    t->gradient = mho__trainer_arrays_new(trained, sizes);
    has_all &= t->gradient != NULL;
  }

  return has_all ? MHO_OK : no_memory(t, ei);
}

/* Numbers that every trained connection has. */
static mho_err new_connection_arrays(mho_trainer *t, mho_errinfo *ei) {
  size_t trained = (size_t)t->net->n_trained;
  t->nominal_step = mho_alloc(trained, sizeof *t->nominal_step);
  t->built_range = mho_alloc(trained, sizeof *t->built_range);
  t->connection_pulses = mho_alloc(trained, sizeof *t->connection_pulses);
  t->writes = mho_alloc(trained, sizeof *t->writes);
  bool has_all = t->nominal_step && t->built_range && t->connection_pulses && t->writes;
  return has_all ? MHO_OK : no_memory(t, ei);
}

/* Pulse trains of a batch, for a scheme that draws them. */
static mho_err new_trains(mho_trainer *t, mho_errinfo *ei) {
  int trained = t->net->n_trained;
  if (!t->scheme->draw)
    return MHO_OK;

  for (int c = 0; c < trained; c++) {
    const mho_connection *k = &t->net->connection[c];
    if ((k->conv.kernel || k->bias) && !t->rule->lines)
      return mho_fail(ei, MHO_ECONFIG,
                      "update.scheme: '%s' pulses rows by the states of a layer, and %s has %s: "
                      "use another scheme",
                      t->scheme->entry.id, k->name, k->bias ? "a bias" : "patches of an image");
  }

  int lines = 0;
  for (int c = 0; c < trained; c++)
    lines = mho_max(lines, mho_max(crossbar_of(t, c)->rows, crossbar_of(t, c)->cols));
  t->ones = mho_alloc((size_t)lines, sizeof *t->ones);
  t->trains = mho_alloc((size_t)trained, sizeof *t->trains);
  if (!t->trains || !t->ones)
    return no_memory(t, ei);
  for (int i = 0; i < lines; i++)
    t->ones[i] = 1;

  for (int c = 0; c < trained; c++) {
    const mho_crossbar *x = crossbar_of(t, c);
    mho_err err = mho_pulse_trains_new(x->rows, x->cols, (int)t->e->train.batch, &t->trains[c], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* What every thread works in: to settle, and to update a slab. */
static mho_err new_scratch(mho_trainer *t, mho_errinfo *ei) {
  int threads = mho_pool_threads(pool_of(t));
  size_t *sizes = mho_alloc((size_t)threads, sizeof *sizes);
  if (!sizes)
    return no_memory(t, ei);

  for (int i = 0; i < threads; i++)
    sizes[i] = mho_settle_scratch(t->net, t->chunk);
  t->scratch = mho__trainer_arrays_new(threads, sizes);

  size_t of_change = mho_change_scratch(t->net, t->slab_rows, t->slab_cells);
  for (int i = 0; i < threads; i++)
    sizes[i] = 2 * (size_t)t->slab_cells /* gradient and wanted change */ + of_change;
  t->dw = mho__trainer_arrays_new(threads, sizes);
  mho_free(sizes);
  return t->scratch && t->dw ? MHO_OK : no_memory(t, ei);
}

/* ---------------------------------------------------------------- all of them */

mho_err mho__trainer_buffers_new(mho_trainer *t, mho_errinfo *ei) {
  static mho_err (*const make[])(mho_trainer * t, mho_errinfo * ei) = {
      new_states,        new_variables, new_workspaces, new_slabs, new_batch, new_connection_arrays,
      new_weight_arrays, new_trains,    new_scratch,    new_meters};

  for (int i = 0; i < MHO_COUNT(make); i++) {
    mho_err err = make[i](t, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

void mho__trainer_forget_brought(mho_trainer *t) {
  mho__trainer_arrays_free(t->brought, t->net ? t->net->n_trained : 0);
  t->brought = NULL;
}

static void free_batch(mho_trainer *t, int layers, int threads) {
  for (int k = 0; k < MHO_RULE_STATES; k++)
    mho_state_free(t->state[k]);
  if (t->rule->own_free)
    t->rule->own_free(t->own);
  mho_vars_free(t->vars);
  mho_vars_free(t->other_vars);

  for (int i = 0; t->workspace && i < threads; i++)
    t->settler->workspace_free(t->workspace[i]);
  mho_free(t->workspace);

  mho__trainer_arrays_free(t->error, layers);
  mho__trainer_arrays_free(t->scratch, threads);
  mho_free(t->label);
  mho_free(t->value);
  mho_free(t->layer_factor);
  mho_free(t->chunk_stats);
  mho_free(t->order);
  mho_free(t->cut);
  mho_free(t->batches);
}

static void free_meters(mho_trainer *t) {
  int chunks = ceil_div(t->capacity, t->chunk);
  for (int i = 0; t->chunk_meter && i < chunks; i++)
    mho_meter_free(t->chunk_meter[i]);
  mho_free(t->chunk_meter);
  mho_meter_free(t->meter);
}

static void free_update(mho_trainer *t, int trained, int threads) {
  for (int k = 0; k < MHO_PROGRAM_STATES; k++)
    mho__trainer_arrays_free(t->moment[k], trained);
  mho__trainer_arrays_free(t->accumulator, trained);
  mho__trainer_arrays_free(t->gradient, trained);
  mho__trainer_arrays_free(t->dw, threads);

  for (int c = 0; t->trains && c < trained; c++)
    mho_pulse_trains_free(t->trains[c]);
  mho_free(t->trains);
  mho_free(t->ones);

  mho_free(t->slab);
  mho_free(t->slab_counts);
  mho_free(t->slab_norm);
  mho_free(t->nominal_step);
  mho_free(t->built_range);
  mho_free(t->connection_pulses);
  mho_free(t->writes);
}

void mho__trainer_buffers_free(mho_trainer *t) {
  int trained = t->net ? t->net->n_trained : 0, layers = t->net ? t->net->n_layers : 0;
  int threads = mho_pool_threads(pool_of(t));
  free_batch(t, layers, threads);
  free_meters(t);
  free_update(t, trained, threads);
  mho__trainer_forget_brought(t);
}
