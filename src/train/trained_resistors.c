/* trained_resistors.c - a trainer's network of resistors as a circuit, and in ngspice against the
 * core.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/trained_resistors.h"

#include <stdio.h>
#include <string.h>

#include "train/learner.h"
#include "train/line_voltages.h"

/* ---------------------------------------------------------------- what is compared */

static mho_err check_analysis(bool transient, bool norton, mho_errinfo *ei) {
  if (!transient && !norton)
    return MHO_OK;
  return mho_fail(ei, MHO_EUNSUPPORTED,
                  "a network of resistors (dynamics.name) is a circuit at rest, with all its "
                  "inputs: leave --transient and --norton out");
}

static bool nudges_by_current(const mho_trainer *t) {
  const mho_param *p = mho_params_find(t->e->rule.entry->params, "nudge_by");
  char word[MHO_TEXT_MAX] = "";
  if (p)
    mho_param_format(p, t->e->rule.params, true, word, sizeof word);
  return !strcmp(word, "current");
}

/* Inputs of n test images from number `first` on, [n x inputs], and what they are compared by. */
static mho_err find_images(const mho_trainer *t, int first, int n, mho_real *x,
                           mho_cosim_network_options *o, mho_errinfo *ei) {
  mho_err err = mho__trainer_comparison(t, o, ei);
  if (!err)
    err = mho__trainer_test_images(t, first, n, x, &o->targets, ei);
  if (err)
    return err;

  mho__double_inputs(n, (size_t)t->data.features, t->net->resistive->input_gain, x);
  o->samples = n;
  o->x = x;
  o->by_current = nudges_by_current(t);
  return MHO_OK;
}

mho_err mho__trainer_cosim_resistors(mho_trainer *t, mho_spice *s, int n, bool transient,
                                     bool norton, mho_cosim_result result, void *user,
                                     mho_errinfo *ei) {
  mho_cosim_network_options o;
  mho_err err = check_analysis(transient, norton, ei);
  if (err)
    return err;

  mho_real *x = mho_alloc((size_t)n * (size_t)t->net->layer[0].n, sizeof *x);
  if (!x)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d samples", n);

  err = find_images(t, 0, n, x, &o, ei);
  if (!err)
    err = mho_cosim_resistors(s, &o, result, user, ei);
  mho_free(x);
  return err;
}

/* ---------------------------------------------------------------- a netlist */

/* What one test image settles to. */
typedef struct rest {
  mho_real *image;
  double *x, *target;
  double *free[MHO_LAYERS_MAX], *nudged[MHO_LAYERS_MAX];
} rest;

static void rest_free(rest *r) {
  mho_free(r->image);
  mho_free(r->x);
  mho_free(r->target);
  for (int l = 1; l < MHO_LAYERS_MAX; l++) {
    mho_free(r->free[l]);
    mho_free(r->nudged[l]);
  }
}

static mho_err rest_new(const mho_network *net, rest *r, mho_errinfo *ei) {
  size_t inputs = (size_t)net->layer[0].n;
  r->image = mho_alloc(inputs, sizeof *r->image);
  r->x = mho_alloc(inputs, sizeof *r->x);
  r->target = mho_alloc((size_t)mho_network_classes(net), sizeof *r->target);
  bool has_all = r->image && r->x && r->target;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    r->free[l] = mho_alloc((size_t)net->layer[l].n, sizeof *r->free[l]);
    r->nudged[l] = mho_alloc((size_t)net->layer[l].n, sizeof *r->nudged[l]);
    has_all = has_all && r->free[l] && r->nudged[l];
  }
  return has_all ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for a sample");
}

static mho_err settle_image(const mho_trainer *t, int image, rest *r, mho_cosim_network_options *o,
                            mho_errinfo *ei) {
  const mho_network *net = t->net;
  int outputs = mho_network_classes(net);
  mho_err err = find_images(t, image, 1, r->image, o, ei);
  if (!err)
    err = mho_cosim_resistors_core(o, r->free, r->nudged, NULL, ei);
  if (err)
    return err;

  for (int i = 0; i < net->layer[0].n; i++)
    r->x[i] = (double)r->image[i];
  for (int k = 0; k < outputs; k++)
    r->target[k] = (double)mho_target(&o->targets, outputs, 0, k);
  return MHO_OK;
}

static mho_err write_resistors(const mho_trainer *t, const mho_trained_netlist *o, rest *r,
                               char **out, mho_errinfo *ei) {
  mho_cosim_network_options core;
  char title[256];
  mho_err err = rest_new(t->net, r, ei);
  if (!err)
    err = settle_image(t, o->image, r, &core, ei);
  if (err)
    return err;

  snprintf(title, sizeof title, "network of %s, test image %d", o->of, o->image);
  if (core.targets.label)
    mho_text_append(title, sizeof title, " (class %d)", core.targets.label[0]);
  mho_netlist_resistors x = {.net = t->net,
                             .device = &t->e->device_config,
                             .x = r->x,
                             .target = r->target,
                             .nudge = core.nudge,
                             .by_current = core.by_current,
                             .control = true,
                             .free = (const double *const *)r->free,
                             .nudged = (const double *const *)r->nudged,
                             .tolerance = sizeof(mho_real) == 8 ? 1e-6 : 1e-5,
                             .title = title};
  return mho_netlist_resistors_write(&x, out, ei);
}

mho_err mho__trainer_netlist_resistors(mho_trainer *t, const mho_trained_netlist *o, char **out,
                                       mho_errinfo *ei) {
  rest r = {NULL};
  mho_err err = check_analysis(o->transient, o->norton, ei);
  if (!err)
    err = write_resistors(t, o, &r, out, ei);
  rest_free(&r);
  return err;
}
