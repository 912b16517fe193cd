/* line_voltages.c - what drives the lines of a crossbar while one test image is settled.
 *
 * There are four ways to the activities that drive them. Inputs are known without settling. A
 * network under a controller passes them forward, without control. Any other one that has a circuit
 * is settled as far as precision goes, so that the circuit can be compared with it, and one that
 * has none as its experiment says: the states of its free phase are taken from the trace. Controls
 * are those of a controller of gain 1 at the free state, t - o.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/line_voltages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mho/model/circuit.h"
#include "mho/model/num.h"

/* ---------------------------------------------------------------- what the experiment says */

mho_err mho__trainer_test_images(const mho_trainer *t, int first, int n, mho_real *images,
                                 mho_targets *targets, mho_errinfo *ei) {
  const mho_images *test = &t->data.test;
  if (first < 0 || n > test->n - first)
    return mho_fail(ei, MHO_EINVAL, "there is no test image %d: the dataset has %d", first + n - 1,
                    test->n);

  const mho_learner *learner = t->learner;
  if (n > learner->capacity)
    return mho_fail(ei, MHO_EINVAL, "%d samples at once: at most %d", n, learner->capacity);

  uint8_t *label = learner->value ? NULL : learner->label;
  *targets = mho__learner_targets(learner);
  mho_images_batch(&t->data, test, NULL, first, n, images, label);
  if (learner->value)
    mho_images_values(&t->data, test, NULL, first, n, learner->value);
  return MHO_OK;
}

double mho__trainer_nudge(const mho_trainer *t) {
  const mho_param *p = mho_params_find(t->e->rule.entry->params, "nudge");
  if (!p || p->kind != MHO_PARAM_REAL)
    return 0.1;

  return *(const double *)(const void *)(t->e->rule.params + p->offset);
}

/* The value of a key of the rule, as text; "" where the rule has none of that name. */
static void rule_key(const mho_trainer *t, const char *name, char *word, size_t capacity) {
  const mho_param *p = mho_params_find(t->e->rule.entry->params, name);
  *word = 0;
  if (p)
    mho_param_format(p, t->e->rule.params, true, word, capacity);
}

mho_err mho__trainer_has_crossbars(const mho_trainer *t, mho_errinfo *ei) {
  if (!t->net->resistive)
    return MHO_OK;
  return mho_fail(ei, MHO_EUNSUPPORTED,
                  "dynamics.name: in a network of resistors no crossbar is read by itself: take "
                  "the whole network, mho netlist --network or mho cosim --what network");
}

mho_err mho__trainer_nudge_has_circuit(const mho_trainer *t, mho_errinfo *ei) {
  char error[MHO_TEXT_MAX], pull[MHO_TEXT_MAX], steps[MHO_TEXT_MAX];
  rule_key(t, "error", error, sizeof error);
  rule_key(t, "adaptation", pull, sizeof pull);
  rule_key(t, "adaptation_steps", steps, sizeof steps);

  if (!strcmp(error, "live"))
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "rule.error: live is not in the circuit of a whole network, whose error is "
                    "held: --set rule.error=held, or see the states with it by mho settle");
  if (atof(pull) > 0 && atoi(steps) != 0)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "rule.adaptation: nothing pulls neurons back in the circuit of a whole "
                    "network: --set rule.adaptation_steps=0, or see the states with it by mho "
                    "settle");
  return MHO_OK;
}

mho_err mho_trainer_read_ideally(mho_trainer *t, mho_errinfo *ei) {
  if (!t->ideal_reads)
    t->ideal_reads = mho_alloc(1, sizeof *t->ideal_reads);
  if (!t->ideal_reads)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the parameters of an array model");

  return mho_network_read_ideally(t->net, &t->e->array_config, t->ideal_reads->params, ei);
}

/* ---------------------------------------------------------------- states at rest */

void mho__rest_free(mho_rest *rest) {
  for (int l = 0; l < MHO_LAYERS_MAX; l++) {
    mho_free(rest->free[l]);
    mho_free(rest->nudged[l]);
  }
  mho_free(rest->image);
  mho_free(rest->error);
}

static bool rest_new(const mho_network *net, mho_rest *rest) {
  *rest = (mho_rest){0};
  rest->image = mho_alloc((size_t)net->layer[0].n, sizeof *rest->image);
  rest->error = mho_alloc((size_t)mho_network_classes(net), sizeof *rest->error);
  if (!rest->image || !rest->error)
    return false;

  for (int l = 0; l < net->n_layers; l++) {
    rest->free[l] = mho_alloc((size_t)net->layer[l].n, sizeof(double));
    rest->nudged[l] = mho_alloc((size_t)net->layer[l].n, sizeof(double));
    if (!rest->free[l] || !rest->nudged[l])
      return false;
  }
  return true;
}

mho_err mho__trainer_comparison(const mho_trainer *t, mho_cosim_network_options *out,
                                mho_errinfo *ei) {
  mho_registry *r;
  mho_err err = mho_registry_new(&r, ei);
  if (err)
    return err;

  const mho_entry *sweep = mho_registry_find(r, MHO_KIND_SETTLER, "sweep");
  *out = (mho_cosim_network_options){.net = t->net,
                                     .settler = (const mho_settler *)sweep,
                                     .dynamics = (const mho_dynamics *)t->e->dynamics.entry,
                                     .device = &t->e->device_config,
                                     .nudge = mho__trainer_nudge(t)};
  mho_registry_free(r); /* what it lists is built in */
  return MHO_OK;
}

mho_err mho__rest_find(const mho_trainer *t, int image, mho_rest *rest, mho_errinfo *ei) {
  const mho_network *net = t->net;
  if (!rest_new(net, rest))
    return mho_fail(ei, MHO_ENOMEM, "no memory for a sample");

  mho_err err = mho__trainer_test_images(t, image, 1, rest->image, &rest->targets, ei);
  if (err)
    return err;

  mho_cosim_network_options o;
  err = mho__trainer_comparison(t, &o, ei);
  o.samples = 1;
  o.x = rest->image;
  o.targets = rest->targets;
  if (!err)
    err = mho_cosim_core(&o, rest->free, rest->nudged, rest->error, ei);
  if (err)
    return err;

  for (int i = 0; i < net->layer[0].n; i++)
    rest->free[0][i] = (double)rest->image[i];
  return MHO_OK;
}

/* ---------------------------------------------------------------- states of the free phase */

/* Inputs and activities of the free phase, [n_layers] of [n]; those of the read-out are not
 * known. */
typedef struct free_states {
  const mho_network *net;
  mho_real *z[MHO_LAYERS_MAX];
  mho_targets targets; /* of the one sample, in the trainer's memory */
} free_states;

static void free_states_free(free_states *s) {
  for (int l = 0; l < s->net->n_layers; l++)
    mho_free(s->z[l]);
}

static void take_trace(void *user, const mho_trace_point *p) {
  free_states *s = user;
  if (p->phase != 0)
    return;
  for (int l = 1; l < mho_hidden_end(s->net); l++)
    for (int i = 0; i < s->net->layer[l].n; i++)
      s->z[l][i] = (mho_real)p->z[l][i];
}

static mho_err take_rest(const mho_trainer *t, int image, free_states *s, mho_errinfo *ei) {
  mho_rest rest;
  mho_err err = mho__rest_find(t, image, &rest, ei);
  if (!err)
    for (int l = 1; l < mho_hidden_end(s->net); l++)
      for (int i = 0; i < s->net->layer[l].n; i++)
        s->z[l][i] = (mho_real)rest.free[l][i];

  mho__rest_free(&rest);
  return err;
}

/* What the rule's prediction leaves. */
static mho_err take_prediction(mho_trainer *t, int image, free_states *s, mho_errinfo *ei) {
  mho_rule_stats stats;
  mho_err err = mho__trainer_settle(t, &t->data.test, image, 1, false, &stats, ei);
  if (err)
    return err;
  for (int l = 1; l < mho_hidden_end(s->net); l++)
    memcpy(s->z[l], t->learner->state[0]->z[l], (size_t)s->net->layer[l].n * sizeof *s->z[l]);
  return MHO_OK;
}

/* Find the inputs, and the activities too where `settled` asks for them. */
static mho_err find_states(mho_trainer *t, int image, bool settled, free_states *s,
                           mho_errinfo *ei) {
  for (int l = 0; l < s->net->n_layers; l++) {
    s->z[l] = mho_alloc((size_t)s->net->layer[l].n, sizeof *s->z[l]);
    if (!s->z[l])
      return mho_fail(ei, MHO_ENOMEM, "no memory for a sample");
  }

  mho_err err = mho__trainer_test_images(t, image, 1, s->z[0], &s->targets, ei);
  if (err)
    return err;
  bool is_spiking = s->net->spiking != NULL; /* then lines carry the mean of their spikes */
  if (t->learner->rule->controls || is_spiking)
    return settled ? take_prediction(t, image, s, ei) : MHO_OK;
  if (mho_netlist_network_check(s->net, NULL) == MHO_OK)
    return take_rest(t, image, s, ei);
  if (!settled)
    return MHO_OK;

  mho_watched watched;
  return mho_trainer_watch(t, &t->data.test, image, take_trace, s, &watched, ei);
}

/* ---------------------------------------------------------------- the lines of a crossbar */

/* Find what the rows of a connection see, from activities of its source: [rows]. */
static mho_err find_source(const free_states *s, const mho_connection *k, mho_real *v,
                           mho_errinfo *ei) {
  const mho_layer *from = &s->net->layer[k->from];
  int rows = k->xb->rows - k->bias;
  mho_real *pooled = mho_alloc((size_t)from->outputs, sizeof *pooled);
  if (!pooled)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a layer of %d", from->n);

  if (from->pool.size)
    mho_pool_max(&from->pool, 1, s->z[k->from], pooled);
  else
    memcpy(pooled, s->z[k->from], (size_t)from->n * sizeof *pooled);

  if (k->conv.kernel) {
    int middle = k->conv.out_height / 2 * k->conv.out_width + k->conv.out_width / 2;
    mho_conv_gather(&k->conv, pooled, middle, 1, 0, rows, v, rows);
  } else {
    memcpy(v, pooled, (size_t)rows * sizeof *v);
  }
  if (k->bias)
    v[rows] = 1;

  mho_free(pooled);
  return MHO_OK;
}

/* sums += the connection's output */
static mho_err add_sums(const free_states *s, const mho_connection *k, int outputs, mho_real *sums,
                        mho_errinfo *ei) {
  mho_real *v = mho_alloc((size_t)k->xb->rows, sizeof *v);
  if (!v)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a crossbar's inputs");

  mho_err err = find_source(s, k, v, ei);
  if (!err)
    mho_gemm(false, false, 1, outputs, k->xb->rows, 1, v, k->xb->rows, mho_crossbar_matrix(k->xb),
             outputs, 1, sums, outputs);

  mho_free(v);
  return err;
}

/* Find o - t at the read-out, [outputs]: what comes in is summed over the connections that lead
 * there. */
static mho_err find_error(const free_states *s, mho_real *e, mho_errinfo *ei) {
  const mho_network *net = s->net;
  int last = mho_network_output(net), outputs = net->layer[last].n;
  double *error = mho_alloc((size_t)outputs, sizeof *error);
  if (!error)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a read-out of %d", outputs);

  mho_err err = MHO_OK;
  memset(e, 0, (size_t)outputs * sizeof *e);
  for (int c = 0; c < net->n_trained; c++) {
    const mho_connection *k = &net->connection[c];
    if (!err && k->to == last)
      err = add_sums(s, k, outputs, e, ei);
  }

  for (int k = 0; k < outputs; k++)
    error[k] = (double)e[k];
  mho_output_error_double(net->output, outputs, error, &s->targets, 0, error);
  for (int k = 0; k < outputs; k++)
    e[k] = (mho_real)error[k];

  mho_free(error);
  return err;
}

/* Find the controls of gain 1, [outputs]. */
static mho_err find_controls(const free_states *s, mho_real *u, mho_errinfo *ei) {
  mho_err err = find_error(s, u, ei);
  for (int k = 0; k < mho_network_classes(s->net); k++)
    u[k] = -u[k];
  return err;
}

/* Find what drives the lines, as activities: [rows], transposed [cols]. */
static mho_err find_lines(const free_states *s, const mho_connection *k, bool transposed,
                          mho_real *v, mho_errinfo *ei) {
  if (!transposed && k->role == MHO_CONTROL)
    return find_controls(s, v, ei);
  if (!transposed)
    return find_source(s, k, v, ei);
  if (k->to == mho_network_output(s->net))
    return find_error(s, v, ei);

  /* channels of a position lie together, position after position */
  int first = 0;
  if (k->conv.kernel)
    first = (k->conv.out_height / 2 * k->conv.out_width + k->conv.out_width / 2) * k->xb->cols;

  memcpy(v, s->z[k->to] + first, (size_t)k->xb->cols * sizeof *v);
  return MHO_OK;
}

mho_err mho_trainer_line_voltages(mho_trainer *t, const mho_connection *k, bool transposed,
                                  int image, double *v, char patch[MHO_PATCH_MAX],
                                  mho_errinfo *ei) {
  free_states s = {.net = t->net};
  int n = transposed ? k->xb->cols : k->xb->rows;
  patch[0] = 0;

  if (k->conv.kernel)
    snprintf(patch, MHO_PATCH_MAX, ", patch at row %d, column %d of %s", k->conv.out_height / 2,
             k->conv.out_width / 2, t->net->layer[k->to].name);

  mho_real *driven = mho_alloc((size_t)n, sizeof *driven);
  if (!driven)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a sample");

  mho_err err = find_states(t, image, k->from > 0 || transposed, &s, ei);
  if (!err)
    err = find_lines(&s, k, transposed, driven, ei);
  if (!err)
    for (int i = 0; i < n; i++)
      v[i] = (double)driven[i] * k->xb->read_voltage;

  free_states_free(&s);
  mho_free(driven);
  return err;
}
