/* netlist_resistors.c - a whole network of resistors as a circuit.
 *
 * Every conductance is a resistor, every input a voltage source, every bias a current source; a
 * rectifier is a source of current that follows the node's voltage. An ideal diode becomes one that
 * conducts RECTIFIER_ON times the largest conductance of the network below 0. A junction has
 * Shockley's law as it is, of which the diode of ngspice keeps to the forward part: below
 * -3 n V_T it lets its current go to -I_s by a cube, up to .004 I_s beside it.
 *
 * A convolution has the resistors of its kernel at every position; those that lead beyond the image
 * lead to ground.
 *
 * Where lines have resistance a device is a resistor between a node of its word line and one of its
 * bit line; segments lead from what drives the row to the word line's first device of a tile, and
 * from device to device on to the last one, and likewise to the node at the bottom.
 *
 * An amplifier is a source of voltage behind the node, and one of current that draws from the node
 * what a meter of 0 V sees. The nudge is a resistor to the target's voltage, or a current.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "array/place.h"
#include "array/weights.h"
#include "array/wired_nodes.h"
#include "mho/model/circuit.h"
#include "mho/spice.h"
#include "spice/netlist_crossbar.h"
#include "spice/netlist_resistors.h"

#define add    mho__spice_text_add
#define number mho__spice_number

#define RECTIFIER_ON 1e11

/* ---------------------------------------------------------------- the network */

static const mho_network *net_of(const mho_netlist_resistors *x) {
  return x->net;
}

static int outputs_of(const mho_network *net) {
  return mho_hidden_end(net) - 1;
}

static const mho_connection *connection_into(const mho_network *net, int l) {
  return &net->connection[net->link[net->layer[l].forward].connection];
}

static int inputs_of(const mho_connection *k) {
  return k->xb->rows - k->bias;
}

/* The unit that line i leads to node j from; -1: ground, beyond the image. */
static int unit_before(const mho_connection *k, int i, int j) {
  return mho_connection_unit(k, j / k->xb->cols, i);
}

/* Of the device from line i to node j, in units of the network: wires are apart from it. */
static double conductance(const mho_connection *k, int i, int j) {
  const mho_crossbar *x = k->xb;
  return mho_crossbar_floor(x) + (double)mho__crossbar_programmed(x)[i * x->cols + j % x->cols];
}

static bool has_amplifiers(const mho_network *net) {
  return net->resistive->voltage != 1 || net->resistive->current != 1;
}

/* What lines are like; NULL: they have no resistance. */
static const mho_array_config *wires_of(const mho_network *net) {
  return net->wired ? mho__wired_config(net->wired) : NULL;
}

static double largest_conductance(const mho_network *net) {
  double most = 0;
  for (int l = 1; l <= outputs_of(net); l++) {
    const mho_connection *k = connection_into(net, l);
    for (int i = 0; i < inputs_of(k); i++)
      for (int j = 0; j < k->xb->cols; j++)
        most = fmax(most, conductance(k, i, j));
  }
  return most;
}

mho_resistor_units mho__resistor_units(const mho_network *net, const mho_device_config *device) {
  const mho_crossbar *first = connection_into(net, 1)->xb;
  double most = largest_conductance(net);
  double volts = net->array.read_voltage / net->resistive->input_gain;
  double siemens = most > 0 ? device->g_max / most : device->g_max;
  if (mho_crossbar_has_cells(first)) /* all crossbars have one unit */
    siemens = (device->g_max - device->g_min) / mho_crossbar_w_max(first);
  return (mho_resistor_units){.volts = volts, .siemens = siemens, .amperes = volts * siemens};
}

/* Whether every node of a layer is joined with the layer before it by nodes that a source holds, or
 * that are joined themselves: [n] of layer l from [n] of layer l - 1. */
static void reach_forward(const mho_network *net, int l, const bool *before, bool *here) {
  const mho_connection *k = connection_into(net, l);
  int inputs = inputs_of(k);
  for (int i = 0; i < inputs; i++)
    for (int j = 0; j < net->layer[l].n; j++) {
      int unit = unit_before(k, i, j);
      bool is_held = unit < 0 || before[unit];
      here[j] = here[j] || (is_held && conductance(k, i, j) > 0);
    }
}

/* The same back: of layer l - 1 from layer l. */
static void reach_back(const mho_network *net, int l, bool *before, const bool *here) {
  const mho_connection *k = connection_into(net, l);
  int inputs = inputs_of(k);
  for (int i = 0; i < inputs; i++)
    for (int j = 0; j < net->layer[l].n; j++) {
      int unit = unit_before(k, i, j);
      if (unit >= 0 && here[j] && conductance(k, i, j) > 0)
        before[unit] = true;
    }
}

/* The first node that no way of conductances leads to from an input. */
static mho_err find_open_node(const mho_network *net, bool *const *held, mho_errinfo *ei) {
  int last = outputs_of(net);
  memset(held[0], true, (size_t)net->layer[0].n);

  for (int round = 1; round <= last; round++) {
    for (int l = 1; l <= last; l++)
      reach_forward(net, l, held[l - 1], held[l]);
    for (int l = last; l > 1; l--)
      reach_back(net, l, held[l - 1], held[l]);
  }

  for (int l = 1; l <= last; l++)
    for (int j = 0; j < net->layer[l].n; j++)
      if (!held[l][j])
        return mho_fail(ei, MHO_EUNSUPPORTED,
                        "node %d of layer %s is joined with no input by conductances, so that "
                        "nothing says its voltage: train on, or draw the network by another "
                        "train.seed",
                        j, net->layer[l].name);
  return MHO_OK;
}

mho_err mho_netlist_resistors_check(const mho_network *net, mho_errinfo *ei) {
  bool *held[MHO_LAYERS_MAX] = {NULL}, has_all = true;
  if (!net->resistive)
    return mho_fail(ei, MHO_EINVAL, "the network has neurons (dynamics.name), not nodes");

  for (int l = 0; l <= outputs_of(net); l++) {
    held[l] = mho_alloc((size_t)net->layer[l].n, sizeof *held[l]);
    has_all = has_all && held[l];
  }
  mho_err err = has_all ? find_open_node(net, held, ei)
                        : mho_fail(ei, MHO_ENOMEM, "no memory for the nodes of a network");
  for (int l = 0; l <= outputs_of(net); l++)
    mho_free(held[l]);
  return err;
}

/* ---------------------------------------------------------------- head */

/* Whether kernels reach beyond their images. */
static bool has_ground(const mho_network *net) {
  for (int l = 1; l <= outputs_of(net); l++)
    if (connection_into(net, l)->conv.padding)
      return true;
  return false;
}

static void add_head(mho_spice_text *t, const mho_netlist_resistors *x) {
  const mho_network *net = net_of(x);
  const mho_resistive_config *own = net->resistive;
  mho_resistor_units unit = mho__resistor_units(net, x->device);

  add(t, "*\n* layers:");
  for (int l = 0; l <= outputs_of(net); l++)
    add(t, " %s (%d)", net->layer[l].name, net->layer[l].n);
  add(t, "\n* V(x_<i>): the inputs, A x and -A x; V(v_<layer>_<j>): nodes; ");
  if (has_amplifiers(net))
    add(t, "V(a_<layer>_<j>): behind their amplifiers; ");
  add(t, "1 in the network is v_unit\n"
         "* r_<from>_<to>_<i>_<j>: conductances, 1 in the network is g_unit\n");
  if (has_ground(net))
    add(t, "* r_<from>_<to>_g<line>_<j>: those of a kernel that lead beyond the image\n");
  if (wires_of(net))
    add(t, "* w_<to>_<i>_<j>, b_<to>_<i>_<j>: a conductance's nodes on its word and its bit line; "
           "rw_ and rb_:\n* segments of lines (ohm)\n");
  add(t, "\n* parameters\n");
  mho__netlist_parameter(t, "v_unit", unit.volts, "V, a unit of voltage");
  mho__netlist_parameter(t, "g_unit", unit.siemens, "S, a unit of conductance");

  if (has_amplifiers(net)) {
    mho__netlist_parameter(t, "gain_voltage", own->voltage, "of the amplifiers, forward");
    mho__netlist_parameter(t, "gain_current", own->current, "of the current back");
  }
  if (own->rectifier == MHO_RECTIFIER_IDEAL)
    mho__netlist_parameter(t, "g_on", RECTIFIER_ON * x->device->g_max, "S, of a diode that is on");
  if (own->rectifier == MHO_RECTIFIER_JUNCTION) {
    mho__netlist_parameter(t, "i_s", own->i_s * unit.amperes, "A, saturation current");
    mho__netlist_parameter(t, "n_vt", own->n_vt, "V, emission coefficient times kT/q");
  }
}

/* Rectifiers: from ground, which keeps a node at or above 0, and to ground. */
static void add_subcircuits(mho_spice_text *t, const mho_network *net) {
  switch (net->resistive->rectifier) {
  case MHO_RECTIFIER_IDEAL:
    add(t, "\n.subckt rectifier_from v\nB1 0 v I=g_on*uramp(-V(v))\n.ends\n"
           ".subckt rectifier_to v\nB1 v 0 I=g_on*uramp(V(v))\n.ends\n");
    break;
  case MHO_RECTIFIER_JUNCTION:
    add(t, "\n.subckt rectifier_from v\nB1 0 v I=i_s*(exp(-V(v)/n_vt)-1)\n.ends\n"
           ".subckt rectifier_to v\nB1 v 0 I=i_s*(exp(V(v)/n_vt)-1)\n.ends\n");
    break;
  default:
    break;
  }
}

/* ---------------------------------------------------------------- elements */

static void add_inputs(mho_spice_text *t, const mho_netlist_resistors *x,
                       const mho_resistor_units *unit) {
  add(t, "\n* inputs (V)\n");
  for (int i = 0; i < x->net->layer[0].n; i++) {
    add(t, "Vx_%d x_%d 0 %s\n", i, i, number(unit->volts * x->x[i]));
  }
}

/* The node that drives the conductances out of unit i of layer l. */
static void add_driver(mho_spice_text *t, const mho_network *net, int l, int i) {
  char letter = has_amplifiers(net) ? 'a' : 'v';
  if (l == 0)
    add(t, "x_%d ", i);
  else
    add(t, "%c_%s_%d ", letter, net->layer[l].name, i);
}

void mho__resistor_name(const mho_network *net, int l, int i, int j, char name[MHO_RESISTOR_NAME]) {
  int unit = unit_before(connection_into(net, l), i, j);
  snprintf(name, MHO_RESISTOR_NAME, "r_%s_%s_%s%d_%d", net->layer[l - 1].name, net->layer[l].name,
           unit < 0 ? "g" : "", unit < 0 ? i : unit, j);
}

double mho__resistor_ohm(double g, const mho_resistor_units *unit) {
  return g != 0 ? 1 / (g * unit->siemens) : 1e30;
}

/* A device's node on its word line, and on its bit line. */
static void add_word_node(mho_spice_text *t, const mho_network *net, int l, int i, int j) {
  if (wires_of(net)->r_word > 0)
    add(t, "w_%s_%d_%d ", net->layer[l].name, i, j);
  else
    add_driver(t, net, l - 1, i);
}
static void add_bit_node(mho_spice_text *t, const mho_network *net, int l, int i, int j) {
  if (wires_of(net)->r_bit > 0)
    add(t, "b_%s_%d_%d ", net->layer[l].name, i, j);
  else
    add(t, "v_%s_%d ", net->layer[l].name, j);
}

/* The segments that lead to a device: of its word line from the left, of its bit line from
 * below. */
static void add_segments(mho_spice_text *t, const mho_network *net, int l, int i, int j) {
  const mho_array_config *wires = wires_of(net);
  const mho_crossbar *x = connection_into(net, l)->xb;
  const char *to = net->layer[l].name;
  int rows, cols;
  mho__places_size(x, wires, &rows, &cols);

  if (wires->r_word > 0) {
    add(t, "Rw_%s_%d_%d ", to, i, j);
    if (j % cols > 0)
      add_word_node(t, net, l, i, j - 1);
    else
      add_driver(t, net, l - 1, i);
    add_word_node(t, net, l, i, j);
    add(t, "%s\n", number(wires->r_word));
  }

  bool is_last = (i + 1) % rows == 0 || i + 1 == x->rows;
  if (wires->r_bit > 0) {
    add(t, "Rb_%s_%d_%d ", to, i, j);
    add_bit_node(t, net, l, i, j);
    if (is_last)
      add(t, "v_%s_%d ", to, j);
    else
      add_bit_node(t, net, l, i + 1, j);
    add(t, "%s\n", number(wires->r_bit));
  }
}

/* The conductances into layer l between lines that have a resistance. */
static void add_lines(mho_spice_text *t, const mho_network *net, int l,
                      const mho_resistor_units *units) {
  const mho_connection *k = connection_into(net, l);
  const char *from = net->layer[l - 1].name, *to = net->layer[l].name;
  add(t, "\n* conductances %s to %s, and their lines (ohm)\n", from, to);
  for (int i = 0; i < k->xb->rows; i++)
    for (int j = 0; j < k->xb->cols; j++) {
      double g = conductance(k, i, j);
      add_segments(t, net, l, i, j);
      if (!(g > 0))
        continue;
      add(t, "R_%s_%s_%d_%d ", from, to, i, j);
      add_word_node(t, net, l, i, j);
      add_bit_node(t, net, l, i, j);
      add(t, "%s\n", number(1 / (g * units->siemens)));
    }
}

/* The conductance of line i into node j of layer l. */
static void add_conductance(mho_spice_text *t, const mho_netlist_resistors *x, int l, int i, int j,
                            const mho_resistor_units *units) {
  const mho_network *net = net_of(x);
  const mho_connection *k = connection_into(net, l);
  int unit = unit_before(k, i, j);
  double g = conductance(k, i, j);
  char name[MHO_RESISTOR_NAME];
  if (!(g > 0) && !x->altered)
    return;

  mho__resistor_name(net, l, i, j, name);
  add(t, "R%s ", name + 1);
  if (unit < 0)
    add(t, "0 ");
  else
    add_driver(t, net, l - 1, unit);
  add(t, "v_%s_%d %s\n", net->layer[l].name, j, number(mho__resistor_ohm(g, units)));
}

static void add_conductances(mho_spice_text *t, const mho_netlist_resistors *x, int l,
                             const mho_resistor_units *units) {
  const mho_network *net = net_of(x);
  const mho_connection *k = connection_into(net, l);
  const char *from = net->layer[l - 1].name, *to = net->layer[l].name;
  const mho_real *bias = mho_crossbar_matrix(k->xb) + inputs_of(k) * k->xb->cols;
  if (wires_of(net)) {
    add_lines(t, net, l, units);
    return;
  }

  add(t, "\n* conductances %s to %s (ohm)\n", from, to);
  for (int i = 0; i < inputs_of(k); i++)
    for (int j = 0; j < net->layer[l].n; j++)
      add_conductance(t, x, l, i, j, units);

  if (!k->bias)
    return;
  add(t, "* biases of %s (A)\n", to);
  for (int j = 0; j < net->layer[l].n; j++) {
    add(t, "Ib_%s_%d 0 v_%s_%d %s\n", to, j, to, j,
        number(units->amperes * (double)bias[j % k->xb->cols]));
  }
}

/* The rectifier of a node, which a source of its threshold lies before: what it sees stays near 0,
 * where an ideal one has to tell voltages apart. */
static void add_rectifier(mho_spice_text *t, const mho_network *net, int l, int j, double volts) {
  const char *name = net->layer[l].name;
  const mho_real *thresholds = mho_resistive_thresholds(net, l);
  const char *way = mho_resistive_side(net, l, j) > 0 ? "from" : "to";
  if (!thresholds) {
    add(t, "Xd_%s_%d v_%s_%d rectifier_%s\n", name, j, name, j, way);
    return;
  }

  add(t, "Xd_%s_%d d_%s_%d rectifier_%s\nVt_%s_%d v_%s_%d d_%s_%d %s\n", name, j, name, j, way,
      name, j, name, j, name, j, number(volts * (double)thresholds[j]));
}

/* The amplifier behind a node. */
static void add_amplifier(mho_spice_text *t, const mho_network *net, int l, int j) {
  const char *name = net->layer[l].name;
  const mho_real *gains = mho_resistive_gains(net, l);
  const mho_real *currents = mho_resistive_currents(net, l);
  add(t, "Ea_%s_%d m_%s_%d 0 v_%s_%d 0 %s\n", name, j, name, j, name, j,
      gains ? number((double)gains[j] * net->resistive->voltage) : "{gain_voltage}");
  add(t, "Vm_%s_%d m_%s_%d a_%s_%d 0\nFa_%s_%d v_%s_%d 0 Vm_%s_%d %s", name, j, name, j, name, j,
      name, j, name, j, name, j,
      currents ? number((double)currents[j] * net->resistive->current) : "{gain_current}");
  add(t, "\n");
}

static void add_node(mho_spice_text *t, const mho_network *net, int l, int j, double volts) {
  if (net->resistive->rectifier != MHO_RECTIFIER_NONE)
    add_rectifier(t, net, l, j, volts);
  if (has_amplifiers(net))
    add_amplifier(t, net, l, j);
}

static void add_nodes(mho_spice_text *t, const mho_network *net, double volts) {
  bool any = net->resistive->rectifier != MHO_RECTIFIER_NONE || has_amplifiers(net);
  for (int l = 1; any && l < outputs_of(net); l++) {
    add(t, "\n* nodes %s\n", net->layer[l].name);
    for (int j = 0; j < net->layer[l].n; j++)
      add_node(t, net, l, j, volts);
  }
}

/* What nudges: conductances to the targets' voltages, or currents, which the free phase is
 * without. */
static void add_nudge(mho_spice_text *t, const mho_netlist_resistors *x,
                      const mho_resistor_units *unit) {
  const mho_network *net = net_of(x);
  const char *name = net->layer[outputs_of(net)].name;
  if (!x->target)
    return;

  add(t, "\n* nudge, off\n");
  for (int k = 0; k < mho_network_classes(net); k++) {
    if (x->by_current || x->altered)
      add(t, "In_%d 0 v_%s_%d 0\n", k, name, k);
    if (x->by_current && !x->altered)
      continue;
    add(t, "Vy_%d y_%d 0 %s\nRn_%d v_%s_%d y_%d 1e30\n", k, k, number(unit->volts * x->target[k]),
        k, name, k, k);
  }
}

/* ---------------------------------------------------------------- what is printed */

static void add_expected(mho_spice_text *t, const mho_netlist_resistors *x, const char *phase,
                         const double *const *v, const mho_resistor_units *unit) {
  const mho_network *net = net_of(x);
  double before = 0;
  if (!v)
    return;

  for (int l = 1; l <= outputs_of(net); l++) {
    char name[48];
    double most = 0;
    for (int j = 0; j < net->layer[l].n; j++)
      most = fmax(most, fabs(v[l][j]));
    most = most > 0 ? most : before; /* a layer whose diodes all conduct */
    before = most;
    snprintf(name, sizeof name, "%s_%s_", phase, net->layer[l].name);
    for (int j = 0; j < net->layer[l].n; j++)
      mho__netlist_expect(t, name, j, unit->volts * v[l][j], unit->volts * x->tolerance * most,
                          "V");
  }
}

static void add_prints(mho_spice_text *t, const mho_network *net, const char *phase) {
  add(t, "op\n");
  for (int l = 1; l <= outputs_of(net); l++) {
    const char *name = net->layer[l].name;
    for (int j = 0; j < net->layer[l].n; j++)
      add(t, "let %s_%s_%d = v(v_%s_%d)\nprint %s_%s_%d\n", phase, name, j, name, j, phase, name,
          j);
  }
}

/* The commands that switch the nudge on. */
static void add_alters(mho_spice_text *t, const mho_netlist_resistors *x) {
  for (int k = 0; k < mho_network_classes(x->net); k++) {
    mho_resistor_alter a = mho__resistor_nudge(x, k);
    add(t, "alter %s %s = %s\n", a.device, a.parameter, number(a.value));
  }
}

/* With "quit", because `ngspice -b` otherwise ends in exit code 1 for want of a .print line. */
static void add_control(mho_spice_text *t, const mho_netlist_resistors *x) {
  add(t, "\n.control\nset numdgt=15\n");
  add_prints(t, x->net, "free");
  if (x->target) {
    add_alters(t, x);
    add_prints(t, x->net, "nudged");
  }
  add(t, "quit\n.endc\n");
}

mho_resistor_alter mho__resistor_nudge(const mho_netlist_resistors *x, int k) {
  mho_resistor_units unit = mho__resistor_units(x->net, x->device);
  mho_resistor_alter a = {.parameter = x->by_current ? "dc" : "resistance"};
  snprintf(a.device, sizeof a.device, "%s_%d", x->by_current ? "in" : "rn", k);
  if (x->by_current)
    a.value = unit.amperes * x->nudge * (x->target[k] - x->free[outputs_of(x->net)][k]);
  else
    a.value = 1 / (unit.siemens * x->nudge);
  return a;
}

mho_err mho_netlist_resistors_write(const mho_netlist_resistors *x, char **out, mho_errinfo *ei) {
  mho_spice_text t = {0};
  *out = NULL;
  mho_err err = mho_netlist_resistors_check(x->net, ei);
  if (err)
    return err;

  const mho_network *net = net_of(x);
  mho_resistor_units unit = mho__resistor_units(net, x->device);
  mho__netlist_title(&t, x->title ? x->title : "network of resistors");
  add_head(&t, x);

  /* ngspice's own reltol of 1e-3 leaves voltages wrong in the third digit */
  add(&t, "\n.options reltol=1e-9 vntol=1e-15 abstol=1e-18 gmin=1e-18 itl1=1000\n");
  add_subcircuits(&t, net);
  add_inputs(&t, x, &unit);
  for (int l = 1; l <= outputs_of(net); l++)
    add_conductances(&t, x, l, &unit);
  add_nodes(&t, net, unit.volts);
  add_nudge(&t, x, &unit);

  add(&t, "\n* voltages (V), and what mho expects of them\n");
  add_expected(&t, x, "free", x->free, &unit);
  add_expected(&t, x, "nudged", x->nudged, &unit);
  if (x->control)
    add_control(&t, x);
  add(&t, "\n.end\n");

  if (t.failed) {
    mho_free(t.p);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the netlist of a network");
  }
  *out = t.p;
  return MHO_OK;
}
