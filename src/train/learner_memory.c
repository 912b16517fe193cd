/* learner_memory.c - a learner with its memory: states and errors of a batch, what the rule keeps,
 * and what every thread settles with.
 *
 * How samples are cut into chunks depends on the config alone, so that results are the same for any
 * number of threads.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/experiment.h"
#include "train/arrays.h"
#include "train/learner.h"

enum {
  EVALUATION_BATCH = 500,
  EVALUATION_UNITS = 1 << 22, /* most units of all samples of an evaluation batch */
};

/* ---------------------------------------------------------------- sizes */

/* Samples that a task settles. */
static int chunk_samples(const mho_train_config *c) {
  if (c->chunk)
    return (int)c->chunk;
  int samples = (((int)c->batch + 3) / 4 + 7) / 8 * 8;
  return mho_min(samples, MHO_CHUNK_MAX);
}

/* Samples of a state: a training batch, of however many rows a sample takes, or one of evaluation,
 * which is smaller where a sample has very many units. */
static int capacity_of(const mho_network *net, const mho_train_config *c, const mho_rule *rule) {
  int units = 0, evaluation = EVALUATION_BATCH;
  for (int l = 1; l < net->n_layers; l++)
    units += net->layer[l].n;

  if (units > EVALUATION_UNITS / EVALUATION_BATCH)
    evaluation = mho_max(EVALUATION_UNITS / units, 1);
  return mho_max((int)c->batch * mho_max(rule->rows, 1), evaluation);
}

/* States that the rule settles. */
static int n_states(const mho_learner *learner, bool direct) {
  const mho_rule *rule = learner->rule;
  return rule->n_states ? rule->n_states(learner->e->rule.params, direct) : 1;
}

int mho__learner_phases(const mho_learner *learner) {
  const mho_rule *rule = learner->rule;
  if (rule->n_phases)
    return rule->n_phases(learner->e->rule.params);
  return n_states(learner, learner->direct);
}

bool mho__learner_has_nudged(const mho_learner *learner) {
  return n_states(learner, false) <= n_states(learner, learner->direct);
}

/* ---------------------------------------------------------------- a batch */

/* What state k has beside what every state has. */
static int parts_of(const mho_learner *learner, int k) {
  const mho_network_array *array = &learner->net->array;
  bool holds = array->model->holds && array->model->holds(array->params);
  int has = MHO_STATE_INPUT;
  if (k)
    return 0;

  if (learner->direct)
    has |= MHO_STATE_KEEP;
  if (holds)
    has |= MHO_STATE_HOLD;
  if (learner->rule->parts)
    has |= learner->rule->parts(learner->e->rule.params);
  return has;
}

/* The rule's states, of which the first has the input, and what the settler remembers of each. */
static mho_err new_states(mho_learner *learner, mho_errinfo *ei) {
  const mho_network *net = learner->net;
  const mho_settler *settler = learner->settler;
  size_t memory = settler->memory ? settler->memory(net, learner->e->settler.params) : 0;
  int n = n_states(learner, learner->direct);

  for (int k = 0; k < n; k++) {
    mho_state **s = &learner->state[k];
    mho_err err = mho_state_new(net, learner->capacity, parts_of(learner, k), s, ei);
    if (!err && settler->memory)
      err = mho_state_remember(*s, memory, ei);
    if (!err)
      err = mho_state_add_variables(*s, net, learner->dynamics, ei);
    if (err)
      return err;
  }

  learner->state_vars = learner->state[0]->vars;
  if (!learner->state_vars)
    return MHO_OK;
  const mho_dynamics *dynamics = learner->dynamics;
  return mho_vars_new(net, dynamics->vars, dynamics->n_vars, learner->capacity,
                      &learner->other_state_vars, ei);
}

/* What the rule works in, and its own variables, a second set of them where other images must leave
 * the first one alone; what neurons count for. */
static mho_err new_variables(mho_learner *learner, mho_errinfo *ei) {
  const mho_rule *rule = learner->rule;
  const mho_network *net = learner->net;
  int capacity = learner->capacity;
  mho_err err = MHO_OK;

  if (rule->own_new)
    err = rule->own_new(learner->e, net, capacity, &learner->own, ei);
  if (!err && rule->n_vars)
    err = mho_vars_new(net, rule->var, rule->n_vars, capacity, &learner->vars, ei);
  if (!err && rule->n_vars)
    err = mho_vars_new(net, rule->var, rule->n_vars, capacity, &learner->other_vars, ei);
  if (!err && learner->e->gradient.importance != MHO_IMPORTANCE_NONE)
    err = mho__importance_new(net, &learner->e->gradient, &learner->importance, ei);
  return err;
}

/* Errors and targets of a batch, and the sums of its chunks with meters where energy is counted. */
static mho_err new_batch(mho_learner *learner, mho_errinfo *ei) {
  const mho_network *net = learner->net;
  const mho_meter *meter = learner->at->meter;
  int chunks = ceil_div(learner->capacity, learner->chunk_samples);
  size_t sizes[MHO_LAYERS_MAX] = {0}, values = (size_t)learner->data->values;
  for (int l = 1; l < net->n_layers; l++)
    sizes[l] = (size_t)learner->capacity * (size_t)net->layer[l].n;

  learner->error = mho__arrays_new(net->n_layers, sizes);
  learner->label = mho_alloc((size_t)learner->capacity, sizeof *learner->label);
  if (values)
    learner->value = mho_alloc((size_t)learner->capacity * values, sizeof *learner->value);
  learner->factor = mho_alloc((size_t)net->n_layers, sizeof *learner->factor);
  learner->chunk = mho_alloc((size_t)chunks, sizeof *learner->chunk);

  bool has_targets = learner->label && (learner->value || !values);
  if (!learner->error || !has_targets || !learner->factor || !learner->chunk)
    return mho_fail(ei, MHO_ENOMEM, "no memory to train %zu weights", net->n_weights);

  for (int i = 0; meter && i < chunks; i++) {
    mho_err err = mho_meter_new(net, meter->analog, &learner->chunk[i].meter, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* What settler and rule need on a thread. */
static mho_err new_workspaces(const mho_learner *learner, mho_thread *thread, mho_errinfo *ei) {
  const mho_settler *settler = learner->settler;
  const mho_rule *rule = learner->rule;
  int chunk = learner->chunk_samples;
  mho_err err = MHO_OK;

  if (settler->workspace_new)
    err = settler->workspace_new(learner->net, thread->params, chunk, &thread->workspace, ei);
  if (err || !rule->workspace_new)
    return err;
  return rule->workspace_new(learner->net, settler, learner->e->rule.params, chunk,
                             &thread->rule_workspace, ei);
}

/* What every thread settles with. */
static mho_err new_threads(mho_learner *learner, mho_errinfo *ei) {
  const mho_settler *settler = learner->settler;
  const void *params = learner->e->settler.params;
  int threads = mho_pool_threads(learner->pool), chunk = learner->chunk_samples;
  size_t scratch = mho_settle_scratch(learner->net, chunk);

  learner->thread = mho_alloc((size_t)threads, sizeof *learner->thread);
  if (!learner->thread)
    return mho_fail(ei, MHO_ENOMEM, "no memory to settle on %d threads", threads);

  for (int i = 0; i < threads; i++) {
    mho_thread *thread = &learner->thread[i];
    thread->settler = settler;
    thread->params = params;
    thread->dynamics_params = learner->e->dynamics.params;
    thread->encode = &learner->e->settle.encode;
    thread->noise_seed = mho_experiment_seeds(learner->e).noise;
    thread->scratch = mho_alloc(scratch, sizeof *thread->scratch);
    if (!thread->scratch)
      return mho_fail(ei, MHO_ENOMEM, "no memory to settle on %d threads", threads);

    mho_err err = new_workspaces(learner, thread, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- sizes of errors */

/* Factor on a layer's error, whose scale is `signal` times that of the true gradient unless it is
 * direct, for the scale that is asked for: the true gradient's, or as measured. */
static double factor_for(double signal, bool is_direct, bool wants_true) {
  if (wants_true == is_direct)
    return 1;
  if (is_direct)
    return signal;
  return signal > 0 ? 1 / signal : 1;
}

/* Factors that bring a layer's error to the scale that is asked for: as measured, or of the true
 * gradient. rule.gradient and update.layer_rates ask for the same thing in two places, what a rule
 * hands on and what hardware learns with. Settled directly, an error comes at the scale of the true
 * gradient already. */
static void set_factors(mho_learner *learner) {
  const mho_experiment *e = learner->e;
  const mho_rule *rule = learner->rule;
  bool normalize = mho_experiment_normalizes(e);

  mho_lesson lesson = {.net = learner->net, .params = e->rule.params};
  for (int l = 0; l < learner->net->n_layers; l++) {
    double signal = rule->size ? rule->size(&lesson, l) : 1;
    learner->factor[l] = factor_for(signal, learner->direct, normalize);
  }
}

/* ---------------------------------------------------------------- all of it */

mho_err mho__learner_new(const mho_experiment *e, const mho_dataset *data, mho_updater *updater,
                         mho_learner **out, mho_errinfo *ei) {
  static mho_err (*const make[])(mho_learner * learner, mho_errinfo * ei) = {
      new_states, new_variables, new_threads, new_batch};
  mho_learner *learner = mho_alloc(1, sizeof *learner);
  *out = NULL;
  if (!learner)
    return mho_fail(ei, MHO_ENOMEM, "no memory to train");

  learner->e = e;
  learner->data = data;
  learner->net = updater->net;
  learner->pool = updater->pool;
  learner->updater = updater;
  learner->at = updater->at;
  learner->rule = updater->rule;
  learner->settler = (const mho_settler *)e->settler.entry;
  learner->dynamics = (const mho_dynamics *)e->dynamics.entry;
  learner->direct = mho_experiment_direct(e);
  learner->applies = mho_experiment_applies(e);
  learner->capacity = capacity_of(updater->net, &e->train, learner->rule);
  learner->chunk_samples = chunk_samples(&e->train);

  for (int i = 0; i < MHO_COUNT(make); i++) {
    mho_err err = make[i](learner, ei);
    if (err) {
      mho__learner_free(learner);
      return err;
    }
  }
  set_factors(learner);
  *out = learner;
  return MHO_OK;
}

static void free_threads(mho_learner *learner) {
  int threads = mho_pool_threads(learner->pool);
  for (int i = 0; learner->thread && i < threads; i++) {
    mho_free(learner->thread[i].scratch);
    if (learner->settler->workspace_free)
      learner->settler->workspace_free(learner->thread[i].workspace);
    if (learner->rule->workspace_free)
      learner->rule->workspace_free(learner->thread[i].rule_workspace);
  }
  mho_free(learner->thread);
}

static void free_chunks(mho_learner *learner) {
  int chunks = ceil_div(learner->capacity, learner->chunk_samples);
  for (int i = 0; learner->chunk && i < chunks; i++)
    mho_meter_free(learner->chunk[i].meter);
  mho_free(learner->chunk);
}

void mho__learner_free(mho_learner *learner) {
  if (!learner)
    return;

  if (learner->state[0])
    learner->state[0]->vars = learner->state_vars;
  for (int k = 0; k < MHO_RULE_STATES; k++)
    mho_state_free(learner->state[k]);
  mho_vars_free(learner->other_state_vars);
  if (learner->rule->own_free)
    learner->rule->own_free(learner->own);
  mho_vars_free(learner->vars);
  mho_vars_free(learner->other_vars);
  mho__importance_free(learner->importance);

  free_threads(learner);
  free_chunks(learner);
  mho__arrays_free(learner->error, learner->net->n_layers);
  mho_free(learner->label);
  mho_free(learner->value);
  mho_free(learner->factor);
  mho_free(learner);
}
