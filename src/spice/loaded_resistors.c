/* loaded_resistors.c - a network of resistors loaded into ngspice, settled for one sample after
 * another.
 *
 * The netlist is loaded once, see loaded_network.c. Inputs and targets are voltages, biases and
 * nudges by current are currents, conductances and nudges by conductance are resistances, and all
 * are altered where they have changed.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "spice/loaded_resistors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mho/spice.h"
#include "settle/links.h"
#include "spice/netlist_resistors.h"

struct mho_loaded_resistors {
  mho_spice *s;
  const mho_network *net;
  mho_resistor_units unit;
  int n_layers;
  /* What is in the circuit: */
  mho_real *w[MHO_LAYERS_MAX]; /* [rows x cols] weights into a layer, biases last */
  double floor[MHO_LAYERS_MAX];
  double *x;                           /* [inputs] V */
  double *target, *current, *resistor; /* [outputs] V, A, ohm */
};

static const mho_connection *connection_into(const mho_network *net, int l) {
  return &net->connection[net->link[net->layer[l].forward].connection];
}

static const mho_crossbar *crossbar_into(const mho_network *net, int l) {
  return connection_into(net, l)->xb;
}

/* ---------------------------------------------------------------- what is altered */

/* Alter a value of the circuit unless it is that already. */
static mho_err alter(mho_loaded_resistors *r, const char *device, const char *parameter,
                     double value, double *now, mho_errinfo *ei) {
  if (value == *now)
    return MHO_OK;
  *now = value;
  return mho_spice_alter(r->s, device, parameter, value, ei);
}

/* Line `row` of the connection into layer l, in column `col`: a conductance at every position, or a
 * bias. */
static mho_err alter_cell(mho_loaded_resistors *r, int l, int row, int col, double w,
                          mho_errinfo *ei) {
  const mho_connection *k = connection_into(r->net, l);
  int cols = k->xb->cols;
  bool is_bias = row == k->xb->rows - k->bias;
  double ohm = mho__resistor_ohm(r->floor[l] + w, &r->unit), value = r->unit.amperes * w;

  for (int j = col; j < r->net->layer[l].n; j += cols) {
    char name[MHO_RESISTOR_NAME];
    if (is_bias)
      snprintf(name, sizeof name, "ib_%s_%d", r->net->layer[l].name, j);
    else
      mho__resistor_name(r->net, l, row, j, name);

    const char *parameter = is_bias ? "dc" : "resistance";
    mho_err err = mho_spice_alter(r->s, name, parameter, is_bias ? value : ohm, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* Conductances and biases of the connection into layer l. */
static mho_err alter_connection(mho_loaded_resistors *r, int l, mho_errinfo *ei) {
  const mho_crossbar *x = crossbar_into(r->net, l);
  const mho_real *w = mho_crossbar_matrix(x);
  double floor = mho_crossbar_floor(x);
  bool all = floor != r->floor[l];
  r->floor[l] = floor;

  for (int i = 0; i < x->rows * x->cols; i++) {
    bool is_same = w[i] == r->w[l][i] && !all;
    if (is_same)
      continue;
    r->w[l][i] = w[i];
    mho_err err = alter_cell(r, l, i / x->cols, i % x->cols, (double)w[i], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

mho_err mho__loaded_resistors_refresh(mho_loaded_resistors *r, const mho_network *net,
                                      mho_errinfo *ei) {
  r->net = net;
  mho_err err = mho_netlist_resistors_check(net, ei);
  for (int l = 1; !err && l < mho_hidden_end(net); l++)
    err = alter_connection(r, l, ei);
  return err;
}

/* ---------------------------------------------------------------- new, free */

void mho__loaded_resistors_free(mho_loaded_resistors *r) {
  if (!r)
    return;
  for (int l = 1; l < r->n_layers; l++)
    mho_free(r->w[l]);
  mho_free(r->x);
  mho_free(r->target);
  mho_free(r->current);
  mho_free(r->resistor);
  mho_free(r);
}

static bool allocate(mho_loaded_resistors *r) {
  const mho_network *net = r->net;
  size_t outputs = (size_t)mho_network_classes(net);
  r->x = mho_alloc((size_t)net->layer[0].n, sizeof *r->x);
  r->target = mho_alloc(outputs, sizeof *r->target);
  r->current = mho_alloc(outputs, sizeof *r->current);
  r->resistor = mho_alloc(outputs, sizeof *r->resistor);
  bool has_all = r->x && r->target && r->current && r->resistor;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    r->w[l] = mho_alloc(mho_crossbar_cells(crossbar_into(net, l)), sizeof *r->w[l]);
    has_all = has_all && r->w[l];
  }
  return has_all;
}

/* Load the netlist, with inputs and targets of 0 and without a nudge. */
static mho_err load(mho_loaded_resistors *r, const mho_device_config *device, mho_errinfo *ei) {
  const mho_network *net = r->net;
  mho_netlist_resistors x = {
      .net = net, .device = device, .x = r->x, .target = r->target, .altered = true};
  char *text;
  mho_err err = mho_netlist_resistors_write(&x, &text, ei);
  if (err)
    return err;

  err = mho_spice_load(r->s, text, ei);
  mho_free(text);
  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_crossbar *from = crossbar_into(net, l);
    memcpy(r->w[l], mho_crossbar_matrix(from), mho_crossbar_cells(from) * sizeof *r->w[l]);
    r->floor[l] = mho_crossbar_floor(from);
  }
  for (int k = 0; k < mho_network_classes(net); k++)
    r->resistor[k] = mho__resistor_ohm(0, &r->unit);
  return err;
}

mho_err mho__loaded_resistors_new(mho_spice *s, const mho_network *net,
                                  const mho_device_config *device, mho_loaded_resistors **out,
                                  mho_errinfo *ei) {
  *out = NULL;
  mho_loaded_resistors *r = mho_alloc(1, sizeof *r);
  if (!r)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the circuit of a network of resistors");

  r->s = s;
  r->net = net;
  r->n_layers = net->n_layers;
  r->unit = mho__resistor_units(net, device);
  mho_err err = MHO_OK;
  if (!allocate(r))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the circuit of a network of resistors");
  if (!err)
    err = load(r, device, ei);
  if (err)
    mho__loaded_resistors_free(r);
  else
    *out = r;
  return err;
}

/* ---------------------------------------------------------------- a sample */

static mho_err set_inputs(mho_loaded_resistors *r, const mho_phase *p, int number,
                          mho_errinfo *ei) {
  const mho_real *x = mho__values(p->net, mho_phase_input(p)->z, 0, number);
  for (int i = 0; i < p->net->layer[0].n; i++) {
    char name[24];
    snprintf(name, sizeof name, "vx_%d", i);
    mho_err err = alter(r, name, "dc", r->unit.volts * (double)x[i], &r->x[i], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* What nudges output k: a conductance to its target, or the current that a held error asks for. */
static mho_err set_nudge(mho_loaded_resistors *r, const mho_phase *p, int number, int k,
                         mho_errinfo *ei) {
  int outputs = mho_network_classes(p->net);
  bool is_live = p->drive.kind == MHO_DRIVE_LIVE, is_held = p->drive.kind == MHO_DRIVE_HELD;
  double target = is_live ? (double)mho_target(&p->drive.targets, outputs, number, k) : 0;
  size_t at = (size_t)number * (size_t)outputs + (size_t)k;
  double error = is_held ? (double)p->drive.error[at] : 0;
  double conductance = is_live ? p->drive.strength : 0;
  char voltage[24], current[24], resistor[24];
  snprintf(voltage, sizeof voltage, "vy_%d", k);
  snprintf(current, sizeof current, "in_%d", k);
  snprintf(resistor, sizeof resistor, "rn_%d", k);

  mho_err err = alter(r, voltage, "dc", r->unit.volts * target, &r->target[k], ei);
  if (!err)
    err = alter(r, current, "dc", -r->unit.amperes * p->drive.strength * error, &r->current[k], ei);
  if (!err)
    err = alter(r, resistor, "resistance", mho__resistor_ohm(conductance, &r->unit),
                &r->resistor[k], ei);
  return err;
}

static mho_err read_voltages(mho_loaded_resistors *r, double *const *z, mho_errinfo *ei) {
  for (int l = 1; l < mho_hidden_end(r->net); l++)
    for (int j = 0; j < r->net->layer[l].n; j++) {
      char name[48];
      snprintf(name, sizeof name, "v(v_%s_%d)", r->net->layer[l].name, j);
      mho_err err = mho_spice_last(r->s, name, &z[l][j], ei);
      if (err)
        return err;

      z[l][j] /= r->unit.volts;
      if (!isfinite(z[l][j]))
        return mho_fail(ei, MHO_ESPICE, "ngspice found %g at %s", z[l][j], name);
    }
  return MHO_OK;
}

mho_err mho__loaded_resistors_settle(mho_loaded_resistors *r, const mho_phase *p, int number,
                                     double *const *z, mho_errinfo *ei) {
  mho_err err = set_inputs(r, p, number, ei);
  for (int k = 0; !err && k < mho_network_classes(p->net); k++)
    err = set_nudge(r, p, number, k, ei);
  if (!err)
    err = mho_spice_run(r->s, "op", ei);
  return err ? err : read_voltages(r, z, ei);
}
