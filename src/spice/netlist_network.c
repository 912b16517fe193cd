/* netlist_network.c - a whole settling network as a circuit.
 *
 * Every value that varies is a plain number on an element, read back as the same double; a B source
 * holds only parameters (ngspice 39 keeps 11 digits of a literal there).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "array/weights.h"
#include "mho/model/circuit.h"
#include "mho/spice.h"
#include "spice/netlist_controller.h"

#define add    mho__spice_text_add
#define number mho__spice_number

/* ---------------------------------------------------------------- what is asked for */

static mho_netlist_network with_defaults(const mho_netlist_network *x) {
  mho_netlist_network d = *x;
  d.v_read = d.v_read > 0 ? d.v_read : x->net->array.read_voltage;
  d.v_unit = d.v_unit > 0 ? d.v_unit : d.v_read;
  d.r_mem = d.r_mem > 0 ? d.r_mem : MHO_NETLIST_R_MEM;
  d.tau = d.tau > 0 ? d.tau : MHO_NETLIST_TAU;
  return d;
}

static int last_of(const mho_netlist_network *x) {
  return mho_network_output(x->net);
}

static const char *name_of(const mho_netlist_network *x, int layer) {
  return x->net->layer[layer].name;
}

/* Whether there is a nudge in the circuit: errors that come from outside, or are given. */
static bool has_error(const mho_netlist_network *x) {
  return !x->controller && (x->external || x->error);
}

/* Whether a link is read at all: a controller's network has no feedback but its own. */
static bool is_read(const mho_network *net, bool controlled, const mho_link *k) {
  return !controlled || k->role == MHO_FORWARD || mho_link_has_control(net, k);
}

/* Links whose source is not in the circuit: inputs reduced to currents, an error that is not
 * there. */
static bool is_drawn(const mho_netlist_network *x, const mho_link *k) {
  if (!is_read(x->net, x->controller, k))
    return false;
  if (mho_link_has_control(x->net, k))
    return true;
  if (k->from == 0)
    return x->inputs == MHO_NETLIST_FULL;
  return k->from != last_of(x) || has_error(x);
}

static mho_err check_neurons(const mho_network *net, mho_errinfo *ei) {
  for (int l = 1; l < mho_hidden_end(net); l++)
    if (!net->layer[l].neuron->spice)
      return mho_fail(ei, MHO_EUNSUPPORTED, "the neuron '%s' has no circuit",
                      net->layer[l].neuron->entry.id);

  for (int l = 1; l < mho_hidden_end(net); l++)
    if (net->layer[l].circuit)
      return mho_fail(ei, MHO_EUNSUPPORTED,
                      "neurons are ideal in the netlist of a whole network: set neuron.saturation, "
                      "neuron.slew and neuron.variation to 0, or take one of its crossbars, "
                      "for example %s",
                      net->connection[0].name);
  return MHO_OK;
}

/* Links of roles that have a circuit, with nothing but a crossbar between their layers. */
static mho_err check_links(const mho_network *net, bool controlled, mho_errinfo *ei) {
  const char *example = net->connection[0].name;

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    bool has_controller = controlled && mho_link_has_control(net, k);
    if (k->role != MHO_FORWARD && k->role != MHO_FEEDBACK && !has_controller)
      return mho_fail(ei, MHO_EUNSUPPORTED,
                      "a network with lateral, control or context links (connection %s) has no "
                      "netlist as a whole: take one of its crossbars, for example %s",
                      net->connection[k->connection].name, example);
  }

  /* patches, pooling and biases have no circuit here */
  for (int i = 0; i < net->n_links; i++)
    if (is_read(net, controlled, &net->link[i]) && !net->link[i].plain)
      return mho_fail(ei, MHO_EUNSUPPORTED,
                      "a network with convolutions or biases has no netlist as a whole: take one "
                      "of its crossbars, for example %s",
                      example);
  return MHO_OK;
}

static mho_err check_network(const mho_network *net, bool controlled, mho_errinfo *ei) {
  mho_err err = check_neurons(net, ei);
  if (err)
    return err;
  if (net->output == MHO_OUTPUT_STATE)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "network.output: a network whose outputs hold states has no netlist as a "
                    "whole: take one of its crossbars, for example %s",
                    net->connection[0].name);

  for (int c = 0; c < net->n_connections; c++)
    if (mho_crossbar_law(net->connection[c].xb))
      return mho_fail(ei, MHO_EUNSUPPORTED,
                      "device.iv.law is in the netlist of a crossbar, not in that of a whole "
                      "network: take one of its crossbars, for example %s, or set array.model to "
                      "ideal, whose reads do not show it",
                      net->connection[0].name);
  return check_links(net, controlled, ei);
}

mho_err mho_netlist_network_check(const mho_network *net, mho_errinfo *ei) {
  return check_network(net, false, ei);
}

mho_err mho_netlist_control_check(const mho_network *net, mho_errinfo *ei) {
  if (net->path != MHO_PATH_DIRECT)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "feedback.path: controls of the chain are multiplied with slopes, for which "
                    "there is no circuit: take one of its crossbars, for example %s, or train with "
                    "direct",
                    net->connection[0].name);
  return check_network(net, true, ei);
}

/* Refuse values that are not finite; v: nullable. */
static mho_err check_values(const char *what, const double *v, int n, mho_errinfo *ei) {
  if (!v)
    return MHO_OK;
  for (int i = 0; i < n; i++)
    if (!isfinite(v[i]))
      return mho_fail(ei, MHO_EINVAL, "%s %d is %g", what, i, v[i]);
  return MHO_OK;
}

static mho_err check(const mho_netlist_network *x, mho_errinfo *ei) {
  const mho_network *net = x->net;
  mho_err err =
      x->controller ? mho_netlist_control_check(net, ei) : mho_netlist_network_check(net, ei);
  if (err)
    return err;

  for (int c = 0; c < net->n_connections; c++)
    if (mho__crossbar_is_wired(net->connection[c].xb))
      return mho_fail(ei, MHO_EUNSUPPORTED,
                      "wires are in the netlist of a crossbar, not in that of a whole network: "
                      "take one of its crossbars, for example %s, or set array.wire.r_word and "
                      "r_bit to 0",
                      net->connection[0].name);

  err = check_values("input", x->x, net->layer[0].n, ei);
  return err ? err : check_values("error", x->error, net->layer[last_of(x)].n, ei);
}

void mho_netlist_siemens(const mho_crossbar *x, const mho_device_config *device, double top,
                         double *const *g, double *g_unit) {
  mho_crossbar_siemens(x, device, g, g_unit);
  if (mho_crossbar_has_cells(x) || top == 0)
    return;

  mho__crossbar_lay_on_pairs(x, device, top, g);
  *g_unit = (device->g_max - device->g_min) / top;
}

/* ---------------------------------------------------------------- layers and sources */

/* Whether the first two banks of a crossbar are a pair, whose currents one amplifier subtracts. */
static bool begins_with_pair(const mho_crossbar *x) {
  if (x->n_banks < 2 || x->role[0].letter != 'p' || x->role[1].letter != 'n')
    return false;
  return x->role[0].gain == 1 && x->role[1].gain == -1;
}

/* The first bank of a crossbar whose current has an amplifier of its own. */
static int first_alone(const mho_crossbar *x) {
  return begins_with_pair(x) ? 2 : 0;
}

/* Whether a crossbar of the network has such a bank: all are of one mapping. */
static bool has_banks_alone(const mho_network *net) {
  const mho_crossbar *x = net->array.crossbar;
  return first_alone(x) < x->n_banks;
}

static void add_other_banks_head(mho_spice_text *t, const mho_network *net) {
  const mho_crossbar *x = net->array.crossbar;
  for (int k = first_alone(x); k < x->n_banks; k++)
    add(t, "* %c_<link>_<j> ends the lines of the %s devices, whose currents count %s times\n",
        x->role[k].letter, x->role[k].title, number(x->role[k].gain));
}

static void add_head(mho_spice_text *t, const mho_netlist_network *x) {
  const mho_network *net = x->net;
  add(t, "*\n* layers:");
  for (int l = 0; l < net->n_layers; l++)
    add(t, " %s (%d)", name_of(x, l), net->layer[l].n);
  add(t, "\n* V(x_<i>) = v_read x_i; V(u_<layer>_<j>) = v_unit a_j, the summed input; "
         "V(z_<layer>_<j>) = v_read rho(a_j)\n"
         "* <link> is <from>_<to>: p_<link>_<j>, n_<link>_<j> end the lines of its positive and "
         "negative devices\n"
         "* in virtual grounds, W = (G+ - G-)/g_<link>\n");
  add_other_banks_head(t, net);
  if (!x->controller)
    add(t, "* feedback that reads a crossbar transposed has a copy of its devices here: a line "
           "cannot be driven and\n"
           "* sensed at once\n");
  if (has_error(x))
    add(t, "* node nudge: 0 V in the free phase, 1 V in the nudged one\n");

  add(t, "\n* parameters\n");
  mho__netlist_parameter(t, "v_read", x->v_read, "V of an activity of 1");
  mho__netlist_parameter(t, "v_unit", x->v_unit, "V of a summed input of 1");
  mho__netlist_parameter(t, "r_mem", x->r_mem, "ohm, membrane of a neuron");
  mho__netlist_parameter(t, "tau", x->tau, "s, its time constant");
  if (x->controller)
    mho__controller_parameters(t, x);
  if (x->transient)
    mho__netlist_parameter(t, "stop", x->stop > 0 ? x->stop : 50 * x->tau, "s, time to settle");
}

/* Whether a hidden layer below l has the same neurons. */
static bool neuron_is_below(const mho_netlist_network *x, int l) {
  for (int below = 1; below < l; below++)
    if (x->net->layer[below].neuron == x->net->layer[l].neuron)
      return true;
  return false;
}

static void add_subcircuits(mho_spice_text *t, const mho_netlist_network *x) {
  const mho_network *net = x->net;
  add(t, "\n* subcircuits, those of models/neuron_%s.lib\n", net->layer[1].neuron->entry.id);
  mho__subckt_sense(t);
  if (has_banks_alone(net))
    mho__subckt_sense_alone(t);
  for (int l = 1; l < last_of(x); l++)
    if (!neuron_is_below(x, l)) {
      mho__subckt_neuron(t, net->layer[l].neuron);
      if (x->controller)
        mho__subckt_copy(t, net->layer[l].neuron);
    }
  mho__subckt_readout(t);
}

static void add_source(mho_spice_text *t, const mho_netlist_network *x, double v) {
  add(t, "%s\n", x->external ? "external" : number(v));
}

static void add_inputs(mho_spice_text *t, const mho_netlist_network *x) {
  if (x->inputs != MHO_NETLIST_FULL)
    return;

  add(t, "\n* inputs (V)\n");
  for (int i = 0; i < x->net->layer[0].n; i++) {
    add(t, "Vx_%d x_%d 0 ", i, i);
    add_source(t, x, x->x ? x->v_read * x->x[i] : 0);
  }
}

static void add_errors(mho_spice_text *t, const mho_netlist_network *x) {
  if (!has_error(x))
    return;

  add(t, "\n* error of the free phase (V), times the voltage at nudge\n%s",
      x->external ? "" : "Vnudge nudge 0 0\n");
  for (int k = 0; k < x->net->layer[last_of(x)].n; k++) {
    if (x->external) {
      add(t, "Ve_%d e_%d 0 external\n", k, k);
    } else {
      add(t, "Ee_%d e_%d 0 nudge 0 %s\n", k, k, number(-x->nudge * x->v_read * x->error[k]));
    }
  }
}

static void add_neuron(mho_spice_text *t, const mho_layer *layer, int j) {
  const char *name = layer->name;
  if (layer->neuron)
    add(t,
        "X%s_%d u_%s_%d z_%s_%d neuron_%s r_mem={r_mem} tau={tau} v_unit={v_unit} "
        "v_read={v_read}\n",
        name, j, name, j, name, j, layer->neuron->entry.id);
  else
    add(t, "X%s_%d u_%s_%d readout r_mem={r_mem} tau={tau}\n", name, j, name, j);
}

static void add_neurons(mho_spice_text *t, const mho_netlist_network *x) {
  for (int l = 1; l <= last_of(x); l++) {
    const mho_layer *layer = &x->net->layer[l];
    add(t, "\n* %s %s\n", layer->neuron ? "neurons" : "read-out", layer->name);
    for (int j = 0; j < layer->n; j++) {
      add_neuron(t, layer, j);
      if (x->controller && layer->neuron)
        mho__controller_copy(t, layer, j);
    }
  }
}

/* ---------------------------------------------------------------- links */

/* The first letter of the node that drives a link: x inputs, e errors, c controls, z neurons, and
 * amplified f, a. */
static char driver_of(const mho_netlist_network *x, const mho_link *k) {
  if (mho_link_has_control(x->net, k))
    return 'c';
  if (k->from == 0)
    return 'x';
  if (k->from == last_of(x))
    return 'e';
  if (k->scale == 1)
    return 'z';
  return k->role == MHO_FEEDBACK ? 'f' : 'a';
}

static void add_driver(mho_spice_text *t, const mho_netlist_network *x, const mho_link *k, int i) {
  char driver = driver_of(x, k);
  if (driver == 'x' || driver == 'e' || driver == 'c')
    add(t, "%c_%d ", driver, i);
  else if (driver == 'z')
    add(t, "z_%s_%d ", name_of(x, k->from), i);
  else
    add(t, "%c_%s_%s_%d ", driver, name_of(x, k->from), name_of(x, k->to), i);
}

/* Write the amplifiers between the neurons and the lines they drive, where the gain is not 1. */
static void add_amplifiers(mho_spice_text *t, const mho_netlist_network *x, const mho_link *k) {
  char driver = driver_of(x, k);
  if (driver != 'f' && driver != 'a')
    return;

  const char *from = name_of(x, k->from), *to = name_of(x, k->to);
  add(t, "* %s amplifiers of its lines, of this gain\n.param gain_%s_%s=%s\n",
      driver == 'f' ? "feedback" : "forward", from, to, number((double)k->scale));

  for (int j = 0; j < x->net->layer[k->from].n; j++) {
    add(t, "E%c_%s_%s_%d ", driver, from, to, j);
    add_driver(t, x, k, j);
    add(t, "0 z_%s_%d 0 {gain_%s_%s}\n", from, j, from, to);
  }
}

/* The first letter of the node that a link's currents flow into: u of a neuron, or a, from where
 * they go on into u. */
static char target_of(const mho_netlist_network *x, const mho_link *k) {
  return x->controller && k->role == MHO_FORWARD && x->net->layer[k->to].neuron ? 'a' : 'u';
}

/* A link that is being written. */
typedef struct link_text {
  const mho_link *k;
  char target;
  const mho_crossbar *xb;
  const char *from, *to;
  double *g[MHO_BANKS_MAX]; /* [rows x cols], S: room for the largest crossbar */
  double g_unit;
} link_text;

static void begin_link(const mho_netlist_network *x, const mho_link *k, link_text *l) {
  l->k = k;
  l->target = target_of(x, k);
  l->xb = x->net->connection[k->connection].xb;
  l->from = name_of(x, k->from);
  l->to = name_of(x, k->to);
  double top = x->top ? x->top[k->connection] : 0;
  mho_netlist_siemens(l->xb, x->device, top, l->g, &l->g_unit);
}

/* The device of the bank with letter `sign` from line i to line j; one that does not conduct is
 * left out, unless it may be altered later. */
static void add_resistor(mho_spice_text *t, const mho_netlist_network *x, const link_text *l,
                         char sign, double g, int i, int j) {
  char name[MHO_NETLIST_NAME];
  if (!(g > 0) && !x->external)
    return;

  mho__netlist_resistor(name, sign, l->from, l->to, i, j);
  add(t, "R%s ", name + 1);
  add_driver(t, x, l->k, i);
  add(t, "%c_%s_%s_%d %s\n", sign, l->from, l->to, j, number(mho__netlist_ohm(g)));
}

/* The sense amplifiers at the ends of line j: of the pair, and of every other bank. */
static void add_amplifier(mho_spice_text *t, const link_text *l, int j) {
  int alone = first_alone(l->xb);
  if (alone)
    add(t, "X%s_%s_%d p_%s_%s_%d n_%s_%s_%d %c_%s_%d sense gain={v_unit/(v_read*r_mem*g_%s_%s)}\n",
        l->from, l->to, j, l->from, l->to, j, l->from, l->to, j, l->target, l->to, j, l->from,
        l->to);

  for (int k = alone; k < l->xb->n_banks; k++) {
    char sign = l->xb->role[k].letter;
    add(t,
        "X%c_%s_%s_%d %c_%s_%s_%d %c_%s_%d sense_alone gain={%s*v_unit/(v_read*r_mem*g_%s_%s)}\n",
        sign, l->from, l->to, j, sign, l->from, l->to, j, l->target, l->to, j,
        number(l->xb->role[k].gain), l->from, l->to);
  }
}

/* Write a resistor for every device, and the sense amplifiers at the ends of the lines. */
static void add_link(mho_spice_text *t, const mho_netlist_network *x, const link_text *l) {
  bool transposed = l->k->transposed;
  int in = mho_link_inputs(x->net, l->k), out = mho_link_outputs(x->net, l->k);

  add(t, "\n* crossbar %s -> %s%s (S of a weight of 1; ohm)\n.param g_%s_%s=%s\n", l->from, l->to,
      transposed ? ", the transposed one" : "", l->from, l->to, number(l->g_unit));
  add_amplifiers(t, x, l->k);

  for (int i = 0; i < in; i++)
    for (int j = 0; j < out; j++) {
      int row = transposed ? j : i;
      int col = transposed ? i : j;
      size_t cell = mho__core_cell(l->xb, row, col);
      for (int k = 0; k < l->xb->n_banks; k++)
        add_resistor(t, x, l, l->xb->role[k].letter, l->g[k][cell], i, j);
    }

  for (int j = 0; j < out; j++)
    add_amplifier(t, l, j);
}

/* The sum of the inputs through column j, in S for activities of 1; 0 where they come from
 * outside. */
static double sum_of_inputs(const mho_netlist_network *x, const link_text *l, int j) {
  double sum = 0;

  if (!x->x)
    return 0;

  for (int i = 0; i < l->xb->rows; i++) {
    size_t cell = mho__core_cell(l->xb, i, j);
    double g = 0;
    for (int k = 0; k < l->xb->n_banks; k++)
      g += l->xb->role[k].gain * l->g[k][cell];
    sum += g * x->x[i];
  }
  return sum;
}

/* Write the currents that the crossbar of a clamped input makes flow into the neurons. */
static void add_norton(mho_spice_text *t, const mho_netlist_network *x, const link_text *l) {
  add(t, "\n* what the clamped inputs drive into %s through their crossbar (A)\n", l->to);
  for (int j = 0; j < l->xb->cols; j++) {
    add(t, "Ix_%s_%d 0 %c_%s_%d ", l->to, j, l->target, l->to, j);
    add_source(t, x, x->v_unit / (x->r_mem * l->g_unit) * sum_of_inputs(x, l, j));
  }
}

static size_t largest_crossbar(const mho_network *net) {
  size_t most = 0;
  for (int c = 0; c < net->n_connections; c++) {
    size_t cells = mho_crossbar_cells(net->connection[c].xb);
    if (cells > most)
      most = cells;
  }
  return most;
}

static void add_drawn_links(mho_spice_text *t, const mho_netlist_network *x, link_text *l) {
  for (int i = 0; i < x->net->n_links; i++) {
    const mho_link *k = &x->net->link[i];
    bool drawn = is_drawn(x, k), reduced = k->from == 0 && is_read(x->net, x->controller, k);
    if (!drawn && !reduced)
      continue;

    begin_link(x, k, l);
    if (drawn)
      add_link(t, x, l);
    else
      add_norton(t, x, l);
  }
}

static mho_err add_links(mho_spice_text *t, const mho_netlist_network *x, mho_errinfo *ei) {
  size_t cells = largest_crossbar(x->net);
  link_text l = {0};
  bool ok = true;
  for (int k = 0; k < MHO_BANKS_MAX; k++) {
    l.g[k] = mho_alloc(cells, sizeof *l.g[k]);
    ok = ok && l.g[k];
  }

  if (ok)
    add_drawn_links(t, x, &l);

  for (int k = 0; k < MHO_BANKS_MAX; k++)
    mho_free(l.g[k]);
  return ok ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for conductances");
}

/* ---------------------------------------------------------------- what is printed */

/* The node whose voltage is a layer's state: activities, logits. */
static char state_of(const mho_netlist_network *x, int l) {
  return l == last_of(x) ? 'u' : 'z';
}

/* Have all states saved, eight a line. */
static void add_saves(mho_spice_text *t, const mho_netlist_network *x) {
  for (int l = 1; l <= last_of(x); l++) {
    int n = x->net->layer[l].n;
    for (int j = 0; j < n; j++) {
      bool first = j % 8 == 0, last = j % 8 == 7 || j + 1 == n;
      add(t, "%sv(%c_%s_%d)%s", first ? ".save " : " ", state_of(x, l), name_of(x, l), j,
          last ? "\n" : "");
    }
  }
  if (x->controller)
    mho__controller_saves(t, x);
}

/* The scale of n states: 1 of activities, of logits the largest where it is more. */
static double scale_of(const double *z, int n) {
  double most = 1;
  for (int j = 0; j < n; j++)
    most = fmax(most, fabs(z[j]));
  return most;
}

static void add_expected(mho_spice_text *t, const mho_netlist_network *x, const char *phase,
                         const double *const *z) {
  if (!z)
    return;

  for (int l = 1; l <= last_of(x); l++) {
    char name[48];
    double unit = l == last_of(x) ? x->v_unit : x->v_read;
    double margin = unit * x->tolerance * scale_of(z[l], x->net->layer[l].n);
    snprintf(name, sizeof name, "%s_%s_", phase, name_of(x, l));

    for (int j = 0; j < x->net->layer[l].n; j++)
      mho__netlist_expect(t, name, j, unit * z[l][j], margin, "V");
  }
}

static void add_prints(mho_spice_text *t, const mho_netlist_network *x, const char *phase) {
  const char *point = x->transient ? "[last]" : "";
  add(t, "%s", x->transient ? "run\nlet last = length(time) - 1\n" : "op\n");

  for (int l = 1; l <= last_of(x); l++) {
    const char *name = name_of(x, l);
    for (int j = 0; j < x->net->layer[l].n; j++)
      add(t, "let %s_%s_%d = v(%c_%s_%d)%s\nprint %s_%s_%d\n", phase, name, j, state_of(x, l), name,
          j, point, phase, name, j);
  }
}

/* With "quit", because `ngspice -b` otherwise ends in exit code 1 for want of a .print line. */
static void add_control(mho_spice_text *t, const mho_netlist_network *x) {
  if (x->transient)
    add(t, "\n.tran {stop/50} {stop} uic\n");
  add(t, "\n.control\nset numdgt=15\n");
  add_prints(t, x, "free");
  if (has_error(x)) {
    add(t, "alter vnudge dc = 1\n");
    add_prints(t, x, "nudged");
  }
  if (x->controller) {
    add(t, "alter von dc = 1\n");
    add_prints(t, x, "controlled");
    mho__controller_prints(t, x);
  }
  add(t, "quit\n.endc\n");
}

static mho_err add_all(mho_spice_text *t, const mho_netlist_network *x, mho_errinfo *ei) {
  mho__netlist_title(t, x->title ? x->title : "settling network");
  add_head(t, x);

  /* ngspice's own reltol of 1e-3 leaves states wrong in the third digit */
  add(t, "\n.options reltol=%s vntol=1e-12 abstol=1e-15 itl1=1000\n",
      x->transient ? "1e-4" : "1e-9");

  add_subcircuits(t, x);
  add_inputs(t, x);
  add_errors(t, x);
  add_neurons(t, x);
  if (x->controller)
    mho__controller_write(t, x);
  mho_err err = add_links(t, x, ei);
  if (err)
    return err;

  add(t, "\n* states (V), and what mho expects of them\n");
  add_expected(t, x, "free", x->free);
  add_expected(t, x, x->controller ? "controlled" : "nudged", x->nudged);
  if (x->controller)
    mho__controller_expect(t, x);
  add_saves(t, x);
  if (x->control)
    add_control(t, x);
  add(t, "\n.end\n");
  return t->failed ? mho_fail(ei, MHO_ENOMEM, "no memory for the netlist of a network") : MHO_OK;
}

mho_err mho_netlist_network_write(const mho_netlist_network *asked, char **out, mho_errinfo *ei) {
  mho_spice_text t = {0};
  *out = NULL;

  mho_err err = check(asked, ei);
  if (err)
    return err;

  mho_netlist_network x = with_defaults(asked);
  err = add_all(&t, &x, ei);
  if (err)
    mho_free(t.p);
  else
    *out = t.p;
  return err;
}
