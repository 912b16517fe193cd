/* trainer.c - making a trainer: the data, the network at its initial weights, and what follows from
 * both.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/trainer.h"

#include <gsl/gsl_errno.h>
#include <math.h>
#include <pthread.h>

#include "mho/model/num.h"

static mho_pool *pool_of(const mho_trainer *t) {
  return t->ctx ? t->ctx->pool : NULL;
}

static mho_err make_network(mho_trainer *t, mho_errinfo *ei) {
  const mho_experiment *e = t->e;
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  const mho_dynamics *dynamics = (const mho_dynamics *)e->dynamics.entry;
  const mho_scheme *scheme = (const mho_scheme *)e->scheme.entry;
  bool is_pulsed = scheme->needs_pulses || e->initial.how == MHO_INITIAL_SCHEME;

  mho_network_options o = {.topology = (const mho_topology *)e->topology.entry,
                           .topology_params = e->topology.params,
                           .plan = rule->plan,
                           .plan_params = e->rule.params,
                           .credits = rule->credits,
                           .config = &e->network,
                           .feedback = &e->feedback,
                           .resistive = dynamics->resistors ? &e->resistive : NULL,
                           .spiking = dynamics->spikes ? &e->circuit.spiking : NULL,
                           .neuron = (const mho_neuron *)e->neuron.entry,
                           .circuit = &e->circuit,
                           .device = (const mho_device_model *)e->device.entry,
                           .device_params = e->device.params,
                           .device_config = &e->device_config,
                           .mapping = (const mho_mapping *)e->mapping.entry,
                           .mapping_params = e->mapping.params,
                           .array = (const mho_array_model *)e->array.entry,
                           .array_params = e->array.params,
                           .array_config = &e->array_config,
                           .pulsed = is_pulsed,
                           .pool = pool_of(t),
                           .seeds = mho_experiment_seeds(e),
                           .features = t->data.features,
                           .classes = mho_dataset_outputs(&t->data),
                           .channels = t->data.channels,
                           .height = t->data.height,
                           .width = t->data.width};

  return mho_network_new(&o, &t->net, ei);
}

/* Data that the program has made: what the config says of finding and cutting some has no
 * meaning. */
static mho_err borrow_data(mho_trainer *t, const mho_dataset *data, mho_errinfo *ei) {
  static const char *const of_files[] = {"path", "train", "test", "validation"};
  for (int i = 0; i < MHO_COUNT(of_files); i++) {
    const mho_param *p = mho_params_find(mho_dataset_params, of_files[i]);
    if (!mho_param_is_default(p, &t->e->dataset_config))
      return mho_fail(ei, MHO_ECONFIG,
                      "dataset.%s: the data are the program's own, and cut already: leave the key "
                      "out",
                      of_files[i]);
  }

  t->data = *data;
  t->data.memory = t->data.scales = NULL; /* which the program frees */
  if (t->e->dataset_config.normalize == MHO_NORMALIZE_COLUMNS)
    return mho_dataset_normalize_columns(&t->data, ei);
  if (t->e->dataset_config.normalize == MHO_NORMALIZE_CHANNELS)
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.normalize: the data are the program's own: say in the dataset whether "
                    "they are normalized, and leave the key out");
  return MHO_OK;
}

/* Data (NULL: those of the config) and network, with what of the config depends on their sizes. */
static mho_err make_subject(mho_trainer *t, const mho_dataset *data, mho_errinfo *ei) {
  const mho_experiment *e = t->e;
  mho_err err = MHO_OK;
  if (data)
    err = borrow_data(t, data, ei);
  else
    err = mho_dataset_load((const mho_dataset_kind *)e->dataset.entry, e->dataset.params,
                           &e->dataset_config, &t->data, ei);
  if (err)
    return err;

  if (e->train.batch > t->data.train.n)
    return mho_fail(ei, MHO_ECONFIG,
                    "train.batch: %lld samples, but there are only %d training images",
                    (long long)e->train.batch, t->data.train.n);

  if (t->data.values && e->network.output == MHO_OUTPUT_SOFTMAX)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.output: softmax answers classes, and the targets are values: use "
                    "linear");
  if (t->data.values && e->network.output == MHO_OUTPUT_VOTES)
    return mho_fail(
        ei, MHO_ECONFIG,
        "network.output: votes are for classes, and the targets are values: use linear");
  if (t->data.values && ((const mho_rule *)e->rule.entry)->contrasts)
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.name: '%s' contrasts classes, and the targets are values: use another "
                    "rule",
                    e->rule.entry->id);
  if (t->data.values ? !t->data.train.target : !t->data.train.label)
    return mho_fail(ei, MHO_EINVAL, "the samples have no targets: %s",
                    t->data.values ? "mho_images.target is NULL" : "mho_images.label is NULL");

  if ((t->data.train.first != NULL) != ((const mho_dataset_kind *)e->dataset.entry)->events)
    return mho_fail(ei, MHO_ECONFIG, "dataset.name: '%s', but the samples are %s",
                    e->dataset.entry->id,
                    t->data.train.first ? "spikes: use events" : "no spikes: use another one");

  err = make_network(t, ei);
  if (err)
    return err;

  if (e->update.rates.n && e->update.rates.n != t->net->n_trained)
    return mho_fail(ei, MHO_ECONFIG,
                    "update.rates: %d rates, but the network has %d trained connections",
                    e->update.rates.n, t->net->n_trained);
  return MHO_OK;
}

/* What a process has one of, for programs that do not set it up themselves. */
static void set_up_process(void) {
  mho_blas_init();
  gsl_set_error_handler_off();
}

mho_err mho_trainer_new(const mho_context *ctx, const mho_experiment *e, mho_trainer **out,
                        mho_errinfo *ei) {
  return mho_trainer_new_on(ctx, e, NULL, out, ei);
}

/* What works on the data and the network. */
static mho_err make_parts(mho_trainer *t, mho_errinfo *ei) {
  const mho_experiment *e = t->e;
  uint64_t order = mho_experiment_seeds(e).order;

  mho_err err = mho__standing_new(e, t->net, &t->at, ei);
  if (!err)
    err = mho__updater_new(e, t->net, pool_of(t), &t->at, &t->updater, ei);
  if (!err)
    err = mho__learner_new(e, &t->data, t->updater, &t->learner, ei);
  if (!err)
    err = mho__order_new(&e->train, t->data.train.n, order, &t->order, ei);
  if (!err)
    err = mho__brought_new(t->net, &t->brought, ei);
  return err;
}

mho_err mho_trainer_new_on(const mho_context *ctx, const mho_experiment *e, const mho_dataset *data,
                           mho_trainer **out, mho_errinfo *ei) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, set_up_process);
  *out = NULL;
  mho_trainer *t = mho_alloc(1, sizeof *t);
  if (!t)
    return mho_fail(ei, MHO_ENOMEM, "no memory to train");

  t->ctx = ctx;
  t->e = e;
  t->balance = (mho_balance){NAN, NAN, NAN};
  mho_err err = make_subject(t, data, ei);
  if (!err)
    err = make_parts(t, ei);
  if (err) {
    mho_trainer_free(t);
    return err;
  }

  mho__trainer_warn(t);
  *out = t;
  return MHO_OK;
}

void mho_trainer_free(mho_trainer *t) {
  if (!t)
    return;
  mho__brought_free(&t->brought);
  mho__order_free(&t->order);
  mho__learner_free(t->learner);
  mho__updater_free(t->updater);
  mho__standing_free(&t->at);
  mho_network_free(t->net);
  mho_free(t->ideal_reads);
  mho_dataset_free(&t->data);
  mho_free(t);
}

/* Resistors of all layers have one unit of conductance. */
static double range_of(const mho_trainer *t, const double *w_max, int c) {
  double most = 0;
  for (int k = 0; t->net->resistive && k < t->net->n_trained; k++)
    most = fmax(most, w_max[k]);
  return fmax(most, w_max[c]);
}

void mho__trainer_range(mho_trainer *t, const double *w_max) {
  const double *ranges = w_max ? w_max : t->brought.drawn_range;
  t->brought.ranged = w_max != NULL;
  for (int c = 0; c < t->net->n_trained; c++)
    mho_crossbar_range(crossbar_of(t->net, c), range_of(t, ranges, c));
  mho__updater_rescale(t->updater);
}

mho_network *mho_trainer_network(mho_trainer *t) {
  return t->net;
}

mho_state *mho_trainer_state(mho_trainer *t) {
  return t->learner->state[0];
}

const mho_dataset *mho_trainer_dataset(const mho_trainer *t) {
  return &t->data;
}

bool mho_trainer_in_time(const mho_trainer *t) {
  return mho_experiment_in_time(t->e);
}

mho_err mho_trainer_age(mho_trainer *t, double after, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  for (int c = 0; c < t->net->n_connections; c++) {
    err = mho_crossbar_age(crossbar_of(t->net, c), after, ei);
    if (err)
      break;
  }

  mho_network_refresh(t->net, t->at.update, true);
  return err;
}
