/* trained_netlist.c - netlists of a trainer's network, with what the core expects as comments.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include "mho/model/circuit.h"
#include "train/line_voltages.h"
#include "train/trained_control.h"
#include "train/trained_resistors.h"

/* ---------------------------------------------------------------- one read of a crossbar */

typedef struct crossbar_values {
  double *g[MHO_BANKS_MAX]; /* [rows x cols], S */
  double *v;                /* [driven lines], V */
  double *expected;         /* [sensed lines], A */
} crossbar_values;

static mho_err values_new(const mho_crossbar *x, crossbar_values *c, mho_errinfo *ei) {
  size_t cells = mho_crossbar_cells(x), lines = (size_t)mho_max(x->rows, x->cols);

  c->v = mho_alloc(lines, sizeof *c->v);
  c->expected = mho_alloc(lines, sizeof *c->expected);
  bool ok = c->v && c->expected;
  for (int k = 0; k < x->n_banks; k++) {
    c->g[k] = mho_alloc(cells, sizeof *c->g[k]);
    ok = ok && c->g[k];
  }

  if (ok)
    return MHO_OK;
  return mho_fail(ei, MHO_ENOMEM, "no memory for a crossbar");
}

static void values_free(crossbar_values *c) {
  for (int k = 0; k < MHO_BANKS_MAX; k++)
    mho_free(c->g[k]);
  mho_free(c->v);
  mho_free(c->expected);
}

/* Wires and tiles: those that the connection was trained with, unless others are given. */
static mho_err choose_wires(const mho_trainer *t, const mho_trained_netlist *o,
                            mho_netlist_crossbar *x, mho_errinfo *ei) {
  mho_err err = mho_netlist_crossbar_wires(x, o->connection->xb, &t->e->array_config, ei);
  if (err)
    return err;

  if (o->r_word)
    x->r_word = *o->r_word;
  if (o->r_bit)
    x->r_bit = *o->r_bit;
  if (o->tile) {
    x->tile[0] = o->tile[0];
    x->tile[1] = o->tile[1];
  }
  return MHO_OK;
}

static mho_err write_crossbar(mho_trainer *t, const mho_trained_netlist *o, crossbar_values *c,
                              char **out, mho_errinfo *ei) {
  const mho_connection *k = o->connection;
  char title[400], patch[MHO_PATCH_MAX];
  double g_unit;

  mho_err err = mho_trainer_line_voltages(t, k, o->transposed, o->image, c->v, patch, ei);
  if (err)
    return err;

  snprintf(title, sizeof title, "crossbar %s of %s, read of test image %d%s", k->name, o->of,
           o->image, patch);
  mho_netlist_siemens(k->xb, &t->e->device_config, 0, c->g, &g_unit);

  mho_netlist_crossbar x = {.rows = k->xb->rows,
                            .cols = k->xb->cols,
                            .n_banks = k->xb->n_banks,
                            .role = k->xb->role,
                            .v_in = c->v,
                            .transposed = o->transposed,
                            .control = true,
                            .expected = c->expected,
                            .tolerance = 1e-9,
                            .title = title};

  for (int b = 0; b < x.n_banks; b++)
    x.g[b] = c->g[b];
  err = choose_wires(t, o, &x, ei);
  if (!err)
    err = mho_netlist_crossbar_currents(&x, c->expected, ei);
  return err ? err : mho_netlist_crossbar_write(&x, out, ei);
}

mho_err mho_trainer_netlist_crossbar(mho_trainer *t, const mho_trained_netlist *o, char **out,
                                     mho_errinfo *ei) {
  crossbar_values c = {0};
  *out = NULL;
  mho_err err = mho__trainer_has_crossbars(t, ei);
  if (!err)
    err = values_new(o->connection->xb, &c, ei);
  if (!err)
    err = write_crossbar(t, o, &c, out, ei);
  values_free(&c);
  return err;
}

/* ---------------------------------------------------------------- the whole network */

/* How long .tran is to run for the image to come to rest, s. */
static mho_err find_stop(const mho_trainer *t, const mho_trained_netlist *o, const mho_rest *rest,
                         double *stop, mho_errinfo *ei) {
  mho_err err = mho_netlist_settling_time(t->net, (const double *const *)rest->free,
                                          MHO_NETLIST_TAU, stop, ei);
  if (!err && !isfinite(*stop))
    err = mho_fail(ei, MHO_EDIVERGED,
                   "test image %d has no stable state of rest: lower feedback.scale", o->image);
  return err;
}

static mho_err write_network(const mho_trainer *t, const mho_trained_netlist *o,
                             const mho_rest *rest, char **out, mho_errinfo *ei) {
  char title[256];
  double stop = 0;
  mho_err err = mho__trainer_nudge_has_circuit(t, ei);
  if (!err && o->transient)
    err = find_stop(t, o, rest, &stop, ei);
  if (err)
    return err;

  snprintf(title, sizeof title, "network of %s, test image %d", o->of, o->image);
  if (rest->targets.label)
    mho_text_append(title, sizeof title, " (class %d)", rest->targets.label[0]);
  mho_netlist_network x = {.net = t->net,
                           .device = &t->e->device_config,
                           .x = rest->free[0],
                           .error = rest->error,
                           .nudge = mho__trainer_nudge(t),
                           .inputs = o->norton ? MHO_NETLIST_NORTON : MHO_NETLIST_FULL,
                           .transient = o->transient,
                           .stop = stop,
                           .control = true,
                           .free = (const double *const *)rest->free,
                           .nudged = (const double *const *)rest->nudged,
                           .tolerance = 1e-6,
                           .title = title};
  return mho_netlist_network_write(&x, out, ei);
}

mho_err mho_trainer_netlist_network(mho_trainer *t, const mho_trained_netlist *o, char **out,
                                    mho_errinfo *ei) {
  mho_rest rest;
  *out = NULL;
  if (t->learner->rule->controls)
    return mho__trainer_netlist_control(t, o, out, ei);
  if (t->net->resistive)
    return mho__trainer_netlist_resistors(t, o, out, ei);

  mho_err err = mho__rest_find(t, o->image, &rest, ei);
  if (!err)
    err = write_network(t, o, &rest, out, ei);
  mho__rest_free(&rest);
  return err;
}

/* ---------------------------------------------------------------- a device */

static mho_err write_device(const mho_trainer *t, const mho_trained_netlist *o, int8_t *pulse,
                            double *expected, char **out, mho_errinfo *ei) {
  const mho_experiment *e = t->e;
  char title[256];

  snprintf(title, sizeof title, "device %s of %s under %d pulses", e->device.entry->id, o->of,
           o->pulses);
  mho_netlist_random_pulses(o->seed, o->pulses, pulse);
  mho_netlist_device x = {.model = (const mho_device_model *)e->device.entry,
                          .params = e->device.params,
                          .config = &e->device_config,
                          .n = o->pulses,
                          .pulse = pulse,
                          .start = 0.5,
                          .expected = expected,
                          .tolerance = 1e-6,
                          .control = true,
                          .title = title};

  mho_err err = mho_cosim_device_core(&x, expected, ei);
  return err ? err : mho_netlist_device_write(&x, out, ei);
}

mho_err mho_trainer_netlist_device(mho_trainer *t, const mho_trained_netlist *o, char **out,
                                   mho_errinfo *ei) {
  *out = NULL;
  int8_t *pulse = mho_alloc((size_t)o->pulses, 1);
  double *expected = mho_alloc((size_t)o->pulses, sizeof *expected);
  mho_err err = MHO_OK;

  if (pulse && expected)
    err = write_device(t, o, pulse, expected, out, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory for %d pulses", o->pulses);

  mho_free(pulse);
  mho_free(expected);
  return err;
}
