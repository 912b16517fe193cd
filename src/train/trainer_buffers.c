/* trainer_buffers.c - the memory of a trainer: states, errors and scratch of a batch.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/arrays.h"
#include "train/trainer.h"

static mho_err no_memory(const mho_trainer *t, mho_errinfo *ei) {
  return mho_fail(ei, MHO_ENOMEM, "no memory to train %zu weights", t->net->n_weights);
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

/* Errors and labels of a batch, the statistics of its chunks, the order of the samples, and what
 * drawn weights are within. */
static mho_err new_batch(mho_trainer *t, mho_errinfo *ei) {
  const mho_network *net = t->net;
  size_t sizes[MHO_LAYERS_MAX] = {0}, images = (size_t)t->data.train.n;
  for (int l = 1; l < net->n_layers; l++)
    sizes[l] = (size_t)t->capacity * (size_t)net->layer[l].n;

  t->error = mho__arrays_new(net->n_layers, sizes);
  t->label = mho_alloc((size_t)t->capacity, sizeof *t->label);
  if (t->data.values)
    t->value = mho_alloc((size_t)t->capacity * (size_t)t->data.values, sizeof *t->value);
  t->layer_factor = mho_alloc((size_t)net->n_layers, sizeof *t->layer_factor);
  t->chunk_stats = mho_alloc((size_t)ceil_div(t->capacity, t->chunk), sizeof *t->chunk_stats);
  t->order = mho_alloc(images, sizeof *t->order);
  t->cut = mho_alloc(images, sizeof *t->cut);
  t->batches = mho_alloc(images, sizeof *t->batches);
  t->built_range = mho_alloc((size_t)net->n_trained, sizeof *t->built_range);

  bool has_targets = t->label && (t->value || !t->data.values);
  bool has_all = t->error && has_targets && t->layer_factor && t->chunk_stats;
  has_all = has_all && t->order && t->cut && t->batches && t->built_range;
  return has_all ? MHO_OK : no_memory(t, ei);
}

/* Meters of the chunks of a batch, where energy is counted. */
static mho_err new_meters(mho_trainer *t, mho_errinfo *ei) {
  int chunks = ceil_div(t->capacity, t->chunk);
  if (!t->at.meter)
    return MHO_OK;

  t->chunk_meter = mho_alloc((size_t)chunks, sizeof *t->chunk_meter);
  if (!t->chunk_meter)
    return mho_fail(ei, MHO_ENOMEM, "no memory to count reads");

  for (int i = 0; i < chunks; i++) {
    mho_err err = mho_meter_new(t->net, t->at.meter->analog, &t->chunk_meter[i], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* What every thread settles in. */
static mho_err new_scratch(mho_trainer *t, mho_errinfo *ei) {
  int threads = mho_pool_threads(pool_of(t));
  size_t *sizes = mho_alloc((size_t)threads, sizeof *sizes);
  if (!sizes)
    return no_memory(t, ei);

  for (int i = 0; i < threads; i++)
    sizes[i] = mho_settle_scratch(t->net, t->chunk);
  t->scratch = mho__arrays_new(threads, sizes);
  mho_free(sizes);
  return t->scratch ? MHO_OK : no_memory(t, ei);
}

/* ---------------------------------------------------------------- all of them */

mho_err mho__trainer_buffers_new(mho_trainer *t, mho_errinfo *ei) {
  static mho_err (*const make[])(mho_trainer * t, mho_errinfo * ei) = {
      new_states, new_variables, new_workspaces, new_batch, new_scratch, new_meters};

  for (int i = 0; i < MHO_COUNT(make); i++) {
    mho_err err = make[i](t, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

void mho__trainer_forget_brought(mho_trainer *t) {
  mho__arrays_free(t->brought, t->net ? t->net->n_trained : 0);
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

  mho__arrays_free(t->error, layers);
  mho__arrays_free(t->scratch, threads);
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
}

void mho__trainer_buffers_free(mho_trainer *t) {
  int layers = t->net ? t->net->n_layers : 0;
  int threads = mho_pool_threads(pool_of(t));
  free_batch(t, layers, threads);
  free_meters(t);
  mho_free(t->built_range);
  mho__trainer_forget_brought(t);
}
