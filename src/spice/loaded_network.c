/* loaded_network.c - a network loaded into ngspice, settled for one sample after another.
 *
 * Loading a netlist takes milliseconds and leaves memory behind, so it is done once: inputs and
 * errors are external sources, which ngspice asks for in every Newton iteration, and weights are
 * resistances that are altered where they have changed.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array/weights.h"
#include "mho/model/circuit.h"
#include "mho/spice.h"
#include "spice/subckt.h"

struct mho_spice_network {
  mho_spice *s;
  mho_spice_network_options o;
  mho_device_config device; /* what o.device points to */
  int n_connections, n_layers;
  double v_read;  /* V of an activity of 1, and of a summed input of 1 */
  double *top;    /* [connections] weight at the ends of the range; ideal device only */
  double **g;     /* [connections] of [banks x cells]: conductances in the circuit */
  double *fresh;  /* [banks x most cells] */
  double *g_unit; /* [connections] */
  double *input;  /* [features], V */
  double *current[MHO_LAYERS_MAX]; /* Norton: [n], A, into the layers that inputs reach */
  double *error;                   /* [classes], V */
};

/* ---------------------------------------------------------------- sources */

/* Names as ngspice has them: vx_<i>, ve_<k>, ix_h<l>_<j>, ix_out_<j>. */
static double supply(void *user, const char *name, double t) {
  const mho_spice_network *c = user;
  if (name[0] == 'v')
    return (name[1] == 'x' ? c->input : c->error)[atoi(name + 3)];

  bool hidden = name[3] == 'h';
  char *end;
  long layer = hidden ? strtol(name + 4, &end, 10) : mho_network_output(c->o.net);
  return c->current[layer][atoi((hidden ? end : name + 6) + 1)];
}

/* Norton: find the currents that a link of the inputs drives into the neurons behind it, A. */
static void set_currents(mho_spice_network *c, const mho_link *k) {
  const mho_crossbar *xb = c->o.net->connection[k->connection].xb;
  const double *g = c->g[k->connection];
  double unit = 1 / (MHO_NETLIST_R_MEM * c->g_unit[k->connection]), *current = c->current[k->to];

  for (int col = 0; col < xb->cols; col++)
    current[col] = 0;

  for (int row = 0; row < xb->rows; row++)
    for (int col = 0; col < xb->cols; col++) {
      size_t cell = mho__core_cell(xb, row, col);
      double sum = 0;
      for (int b = 0; b < xb->n_banks; b++)
        sum += xb->role[b].gain * g[(size_t)b * mho_crossbar_cells(xb) + cell];
      current[col] += unit * sum * c->input[row];
    }
}

static void set_sources(mho_spice_network *c, const double *x, double nudge, const double *error) {
  const mho_network *net = c->o.net;

  for (int i = 0; i < net->layer[0].n; i++)
    c->input[i] = c->v_read * x[i];
  for (int k = 0; k < mho_network_classes(net); k++)
    c->error[k] = error ? -nudge * c->v_read * error[k] : 0;

  if (c->o.inputs != MHO_NETLIST_NORTON)
    return;
  for (int i = 0; i < net->n_links; i++)
    if (net->link[i].from == 0)
      set_currents(c, &net->link[i]);
}

/* ---------------------------------------------------------------- conductances */

/* Devices of all banks of a crossbar. */
static size_t devices_of(const mho_crossbar *x) {
  return (size_t)x->n_banks * mho_crossbar_cells(x);
}

static void find_conductances(const mho_spice_network *c, int connection, double *g,
                              double *g_unit) {
  const mho_crossbar *x = c->o.net->connection[connection].xb;
  double *bank[MHO_BANKS_MAX];
  for (int k = 0; k < x->n_banks; k++)
    bank[k] = g + (size_t)k * mho_crossbar_cells(x);
  mho_netlist_siemens(x, c->o.device, c->top[connection], bank, g_unit);
}

/* Leave room above the largest weight of the ideal device, whose conductances have no bounds of
 * their own. */
static void choose_ranges(mho_spice_network *c) {
  for (int k = 0; k < c->o.net->n_connections; k++) {
    const mho_crossbar *x = c->o.net->connection[k].xb;
    double most = x->w_max;
    for (size_t i = 0; i < mho_crossbar_cells(x); i++)
      most = fmax(most, fabs((double)mho__crossbar_programmed(x)[i]));
    c->top[k] = most > x->w_max ? 2 * most : most;
  }
}

static bool outgrown(const mho_spice_network *c) {
  for (int k = 0; k < c->o.net->n_connections; k++) {
    const mho_crossbar *x = c->o.net->connection[k].xb;
    if (mho_crossbar_has_cells(x))
      continue;
    for (size_t i = 0; i < mho_crossbar_cells(x); i++)
      if (!(fabs((double)mho__crossbar_programmed(x)[i]) <= c->top[k]))
        return true;
  }
  return false;
}

static mho_err load(mho_spice_network *c, mho_errinfo *ei) {
  char *text;

  choose_ranges(c);
  for (int k = 0; k < c->o.net->n_connections; k++)
    find_conductances(c, k, c->g[k], &c->g_unit[k]);

  mho_netlist_network netlist = {.net = c->o.net,
                                 .device = c->o.device,
                                 .top = c->top,
                                 .v_read = c->v_read,
                                 .v_unit = c->v_read,
                                 .r_mem = MHO_NETLIST_R_MEM,
                                 .tau = MHO_NETLIST_TAU,
                                 .inputs = c->o.inputs,
                                 .transient = c->o.transient,
                                 .external = true};

  mho_err err = mho_netlist_network_write(&netlist, &text, ei);
  if (!err)
    err = mho_spice_load(c->s, text, ei);
  mho_free(text);
  mho_spice_sources(c->s, supply, c);
  return err;
}

/* Alter the resistors of one link where its connection's conductances differ from those of the
 * circuit. */
static mho_err alter_link(mho_spice_network *c, const mho_link *k, mho_errinfo *ei) {
  const mho_network *net = c->o.net;
  const mho_crossbar *x = net->connection[k->connection].xb;
  const char *from = net->layer[k->from].name, *to = net->layer[k->to].name;
  const double *then = c->g[k->connection];
  size_t n = mho_crossbar_cells(x);

  for (size_t at = 0; at < devices_of(x); at++) {
    if (c->fresh[at] == then[at])
      continue;
    int row = (int)(at % n / (size_t)x->cols), col = (int)(at % n % (size_t)x->cols);

    char name[MHO_NETLIST_NAME];
    int in = k->transposed ? col : row;
    int out = k->transposed ? row : col;
    mho__netlist_resistor(name, x->role[at / n].letter, from, to, in, out);
    mho_err err = mho_spice_alter(c->s, name, "resistance", mho__netlist_ohm(c->fresh[at]), ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* All links of one connection that stand in the circuit as resistors. */
static mho_err alter_connection(mho_spice_network *c, int connection, mho_errinfo *ei) {
  const mho_network *net = c->o.net;
  find_conductances(c, connection, c->fresh, &c->g_unit[connection]);

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (k->connection != connection || (k->from == 0 && c->o.inputs == MHO_NETLIST_NORTON))
      continue;
    mho_err err = alter_link(c, k, ei);
    if (err)
      return err;
  }

  size_t n = devices_of(net->connection[connection].xb);
  memcpy(c->g[connection], c->fresh, n * sizeof *c->fresh);
  return MHO_OK;
}

mho_err mho_spice_network_refresh(mho_spice_network *c, mho_errinfo *ei) {
  if (outgrown(c))
    return load(c, ei);

  for (int k = 0; k < c->o.net->n_connections; k++) {
    mho_err err = alter_connection(c, k, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- new, free, settle */

void mho_spice_network_free(mho_spice_network *c) {
  if (!c)
    return;

  mho_spice_sources(c->s, NULL, NULL);
  if (c->g)
    for (int k = 0; k < c->n_connections; k++)
      mho_free(c->g[k]);
  for (int l = 0; l < c->n_layers; l++)
    mho_free(c->current[l]);
  mho_free(c->g);
  mho_free(c->top);
  mho_free(c->fresh);
  mho_free(c->g_unit);
  mho_free(c->input);
  mho_free(c->error);
  mho_free(c);
}

static bool allocate(mho_spice_network *c) {
  const mho_network *net = c->o.net;
  size_t connections = (size_t)net->n_connections, most = 0;

  c->g = mho_alloc(connections, sizeof *c->g);
  c->top = mho_alloc(connections, sizeof *c->top);
  c->g_unit = mho_alloc(connections, sizeof *c->g_unit);
  c->input = mho_alloc((size_t)net->layer[0].n, sizeof *c->input);
  c->error = mho_alloc((size_t)mho_network_classes(net), sizeof *c->error);
  if (!c->g || !c->top || !c->g_unit || !c->input || !c->error)
    return false;

  bool ok = true;
  for (int k = 0; k < net->n_connections; k++) {
    size_t n = devices_of(net->connection[k].xb);
    if (n > most)
      most = n;
    c->g[k] = mho_alloc(n, sizeof **c->g);
    ok = ok && c->g[k];
  }
  for (int l = 1; l < net->n_layers; l++) {
    c->current[l] = mho_alloc((size_t)net->layer[l].n, sizeof *c->current[l]);
    ok = ok && c->current[l];
  }

  c->fresh = mho_alloc(most, sizeof *c->fresh);
  return ok && c->fresh;
}

mho_err mho_spice_network_new(mho_spice *s, const mho_spice_network_options *o,
                              mho_spice_network **out, mho_errinfo *ei) {
  *out = NULL;
  mho_spice_network *c = mho_alloc(1, sizeof *c);
  if (!c)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the network's circuit");

  c->s = s;
  c->o = *o;
  c->device = *o->device;
  c->o.device = &c->device;
  c->n_connections = o->net->n_connections;
  c->n_layers = o->net->n_layers;
  c->v_read = o->net->array.read_voltage;

  mho_err err =
      allocate(c) ? load(c, ei) : mho_fail(ei, MHO_ENOMEM, "no memory for the network's circuit");
  if (err)
    mho_spice_network_free(c);
  else
    *out = c;
  return err;
}

mho_err mho_spice_network_rebind(mho_spice_network *c, const mho_network *net,
                                 const mho_device_config *device, mho_errinfo *ei) {
  c->o.net = net;
  c->device = *device;
  return mho_spice_network_refresh(c, ei);
}

void mho_spice_network_stop(mho_spice_network *c, double stop) {
  c->o.stop = stop;
}

static mho_err read_states(const mho_spice_network *c, double *const *z, mho_errinfo *ei) {
  const mho_network *net = c->o.net;
  for (int l = 1; l < net->n_layers; l++) {
    bool hidden = net->layer[l].neuron != NULL;
    for (int j = 0; j < net->layer[l].n; j++) {
      char name[48];
      snprintf(name, sizeof name, "v(%c_%s_%d)", hidden ? 'z' : 'u', net->layer[l].name, j);
      mho_err err = mho_spice_last(c->s, name, &z[l][j], ei);
      if (err)
        return err;

      z[l][j] /= c->v_read;
      if (!isfinite(z[l][j]))
        return mho_fail(ei, MHO_ESPICE, "ngspice found %g at %s", z[l][j], name);
    }
  }
  return MHO_OK;
}

mho_err mho_spice_network_settle(mho_spice_network *c, const double *x, double nudge,
                                 const double *error, double *const *z, mho_errinfo *ei) {
  char command[80] = "op";
  if (c->o.transient) {
    double stop = c->o.stop > 0 ? c->o.stop : 50 * MHO_NETLIST_TAU;
    snprintf(command, sizeof command, "tran %.6g %.6g uic", stop / 50, stop);
  }

  set_sources(c, x, nudge, error);
  mho_err err = mho_spice_run(c->s, command, ei);
  return err ? err : read_states(c, z, ei);
}
