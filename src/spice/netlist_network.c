/* netlist_network.c - a whole settling network as a circuit.
 *
 * Every value that varies is a plain number on an element, read back as the same double; a B source holds only
 * parameters (ngspice 39 keeps 11 digits of a literal there).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "array/weights.h"
#include "mho/num.h"
#include "mho/spice.h"
#include "spice/subckt.h"

#define add        mho_spice_text_add
#define add_number mho_spice_text_add_number

/* ---------------------------------------------------------------- what is asked for */

static mho_netlist_network with_defaults(const mho_netlist_network *x) {
  mho_netlist_network d = *x;
  d.v_read = d.v_read > 0 ? d.v_read : mho_network_array(x->net)->read_voltage;
  d.v_unit = d.v_unit > 0 ? d.v_unit : d.v_read;
  d.r_mem = d.r_mem > 0 ? d.r_mem : 10e3;
  d.tau = d.tau > 0 ? d.tau : 100e-9;
  return d;
}

static int last_of(const mho_netlist_network *x) {
  return x->net->n_layers - 1;
}

static const char *name_of(const mho_netlist_network *x, int layer) {
  return x->net->layer[layer].name;
}

/* Whether there is a nudge in the circuit: errors that come from outside, or are given. */
static bool has_error(const mho_netlist_network *x) {
  return x->external || x->error;
}

/* Links whose source is not in the circuit: inputs reduced to currents, an error that is not there. */
static bool is_drawn(const mho_netlist_network *x, const mho_link *k) {
  if (k->from == 0)
    return x->inputs == MHO_NETLIST_FULL;
  return k->from != last_of(x) || has_error(x);
}

mho_err mho_netlist_network_check(const mho_network *net, mho_errinfo *ei) {
  for (int l = 1; l < net->n_layers - 1; l++)
    if (!net->layer[l].neuron->spice)
      return mho_fail(ei, MHO_EUNSUPPORTED, "the neuron '%s' has no circuit",
                      net->layer[l].neuron->entry.id);
  for (int l = 1; l < net->n_layers - 1; l++)
    if (net->layer[l].circuit)
      return mho_fail(
          ei, MHO_EUNSUPPORTED,
          "neurons are ideal in the netlist of a whole network: set neuron.saturation, neuron.slew and "
          "neuron.variation to 0, or take one of its crossbars, for example %s",
          net->connection[0].name);
  for (int c = 0; c < net->n_connections; c++)
    if (mho_crossbar_law(net->connection[c].xb))
      return mho_fail(
          ei, MHO_EUNSUPPORTED,
          "device.iv.law is in the netlist of a crossbar, not in that of a whole network: take one of its "
          "crossbars, for example %s, or set array.model to ideal, whose reads do not show it",
          net->connection[0].name);
  for (int i = 0; i < net->n_links; i++) /* patches, pooling and biases have no circuit here */
    if (!net->link[i].plain)
      return mho_fail(
          ei, MHO_EUNSUPPORTED,
          "a network with convolutions or biases has no netlist as a whole: take one of its crossbars, for "
          "example %s",
          net->connection[0].name);
  return MHO_OK;
}

static mho_err check(const mho_netlist_network *x, mho_errinfo *ei) {
  const mho_network *net = x->net;
  mho_err err = mho_netlist_network_check(net, ei);
  if (err)
    return err;
  for (int c = 0; c < net->n_connections; c++)
    if (mho_crossbar_is_wired(net->connection[c].xb))
      return mho_fail(
          ei, MHO_EUNSUPPORTED,
          "wires are in the netlist of a crossbar, not in that of a whole network: take one of its "
          "crossbars, for example %s, or set array.wire.r_word and r_bit to 0",
          net->connection[0].name);
  for (int i = 0; i < net->layer[0].n; i++)
    if (x->x && !isfinite(x->x[i]))
      return mho_fail(ei, MHO_EINVAL, "input %d is %g", i, x->x[i]);
  for (int k = 0; k < net->layer[last_of(x)].n && x->error; k++)
    if (!isfinite(x->error[k]))
      return mho_fail(ei, MHO_EINVAL, "error %d is %g", k, x->error[k]);
  return MHO_OK;
}

void mho_netlist_siemens(const mho_crossbar *x, const mho_device_config *device, double top,
                         double *g_pos, double *g_neg, double *g_unit) {
  size_t n = (size_t)x->rows * (size_t)x->cols;
  mho_crossbar_siemens(x, device, g_pos, g_neg, g_unit);
  if (x->pos || top == 0)
    return;
  double range = device->g_max - device->g_min;
  for (size_t i = 0; i < n; i++) {
    double half = 0.5 * (double)mho_crossbar_programmed(x)[i] / top;
    g_pos[i] = device->g_min + range * (0.5 + half);
    g_neg[i] = device->g_min + range * (0.5 - half);
  }
  *g_unit = range / top;
}

/* ---------------------------------------------------------------- parts of the netlist */

static void add_parameter(mho_spice_text *t, const char *name, double v, const char *what) {
  add(t, ".param %s=", name);
  add_number(t, v);
  add(t, " ; %s\n", what);
}

static void add_head(mho_spice_text *t, const mho_netlist_network *x) {
  const mho_network *net = x->net;
  add(t, "*\n* layers:");
  for (int l = 0; l < net->n_layers; l++)
    add(t, " %s (%d)", name_of(x, l), net->layer[l].n);
  add(t,
      "\n* V(x_<i>) = v_read x_i; V(u_<layer>_<j>) = v_unit a_j, the summed input; V(z_<layer>_<j>) = v_read "
      "rho(a_j)\n"
      "* <link> is <from>_<to>: p_<link>_<j>, n_<link>_<j> end the lines of its positive and negative "
      "devices\n"
      "* in virtual grounds, W = (G+ - G-)/g_<link>\n"
      "* feedback that reads a crossbar transposed has a copy of its devices here: a line cannot be driven "
      "and\n"
      "* sensed at once\n");
  if (has_error(x))
    add(t, "* node nudge: 0 V in the free phase, 1 V in the nudged one\n");
  add(t, "\n* parameters\n");
  add_parameter(t, "v_read", x->v_read, "V of an activity of 1");
  add_parameter(t, "v_unit", x->v_unit, "V of a summed input of 1");
  add_parameter(t, "r_mem", x->r_mem, "ohm, membrane of a neuron");
  add_parameter(t, "tau", x->tau, "s, its time constant");
  if (x->transient)
    add_parameter(t, "stop", x->stop > 0 ? x->stop : 50 * x->tau, "s, time to settle");
}

static void add_subcircuits(mho_spice_text *t, const mho_netlist_network *x) {
  const mho_network *net = x->net;
  add(t, "\n* subcircuits, those of models/neuron_%s.lib\n", net->layer[1].neuron->entry.id);
  mho_subckt_sense(t);
  for (int l = 1; l < last_of(x); l++) {
    bool again = false;
    for (int before = 1; before < l; before++)
      again = again || net->layer[before].neuron == net->layer[l].neuron;
    if (!again)
      mho_subckt_neuron(t, net->layer[l].neuron);
  }
  mho_subckt_readout(t);
}

static void add_source(mho_spice_text *t, const mho_netlist_network *x, double v) {
  if (x->external)
    add(t, "external");
  else
    add_number(t, v);
  add(t, "\n");
}

static void add_inputs(mho_spice_text *t, const mho_netlist_network *x) {
  if (x->inputs == MHO_NETLIST_FULL) {
    add(t, "\n* inputs (V)\n");
    for (int i = 0; i < x->net->layer[0].n; i++) {
      add(t, "Vx_%d x_%d 0 ", i, i);
      add_source(t, x, x->x ? x->v_read * x->x[i] : 0);
    }
  }
  if (!has_error(x))
    return;
  add(t, "\n* softmax error of the free phase (V), times the voltage at nudge\n%s",
      x->external ? "" : "Vnudge nudge 0 0\n");
  for (int k = 0; k < x->net->layer[last_of(x)].n; k++)
    if (x->external) {
      add(t, "Ve_%d e_%d 0 external\n", k, k);
    } else {
      add(t, "Ee_%d e_%d 0 nudge 0 ", k, k);
      add_number(t, -x->nudge * x->v_read * x->error[k]);
      add(t, "\n");
    }
}

static void add_neurons(mho_spice_text *t, const mho_netlist_network *x) {
  for (int l = 1; l <= last_of(x); l++) {
    const mho_layer *layer = &x->net->layer[l];
    add(t, "\n* %s %s\n", layer->neuron ? "neurons" : "read-out", layer->name);
    for (int j = 0; j < layer->n; j++)
      if (layer->neuron)
        add(t,
            "X%s_%d u_%s_%d z_%s_%d neuron_%s r_mem={r_mem} tau={tau} v_unit={v_unit} v_read={v_read}\n",
            layer->name, j, layer->name, j, layer->name, j, layer->neuron->entry.id);
      else
        add(t, "X%s_%d u_%s_%d readout r_mem={r_mem} tau={tau}\n", layer->name, j, layer->name, j);
  }
}

/* The first letter of the node that drives a link: x inputs, e errors, z neurons, and amplified f, a. */
static char driver_of(const mho_netlist_network *x, const mho_link *k) {
  if (k->from == 0)
    return 'x';
  if (k->from == last_of(x))
    return 'e';
  return k->scale == 1 ? 'z' : k->from > k->to ? 'f' : 'a';
}

static void add_driver(mho_spice_text *t, const mho_netlist_network *x, const mho_link *k, int i) {
  char driver = driver_of(x, k);
  if (driver == 'x' || driver == 'e')
    add(t, "%c_%d ", driver, i);
  else if (driver == 'z')
    add(t, "z_%s_%d ", name_of(x, k->from), i);
  else
    add(t, "%c_%s_%s_%d ", driver, name_of(x, k->from), name_of(x, k->to), i);
}

/* Amplifiers between the neurons and the lines they drive, where the gain is not 1. */
static void add_amplifiers(mho_spice_text *t, const mho_netlist_network *x, const mho_link *k) {
  char driver = driver_of(x, k);
  if (driver != 'f' && driver != 'a')
    return;
  const char *from = name_of(x, k->from), *to = name_of(x, k->to);
  add(t, "* %s amplifiers of its lines, of this gain\n.param gain_%s_%s=",
      driver == 'f' ? "feedback" : "forward", from, to);
  add_number(t, (double)k->scale);
  add(t, "\n");
  for (int j = 0; j < x->net->layer[k->from].n; j++) {
    add(t, "E%c_%s_%s_%d ", driver, from, to, j);
    add_driver(t, x, k, j);
    add(t, "0 z_%s_%d 0 {gain_%s_%s}\n", from, j, from, to);
  }
}

/* One link: a resistor for every device, and the sense amplifiers at the ends of its lines. */
static void add_link(mho_spice_text *t, const mho_netlist_network *x, const mho_link *k,
                     double *g_pos, double *g_neg) {
  const mho_crossbar *xb = x->net->connection[k->connection].xb;
  const char *from = name_of(x, k->from), *to = name_of(x, k->to);
  double g_unit;
  mho_netlist_siemens(xb, x->device, x->top ? x->top[k->connection] : 0, g_pos, g_neg, &g_unit);
  int in = k->transposed ? xb->cols : xb->rows, out = k->transposed ? xb->rows : xb->cols;
  add(t, "\n* crossbar %s -> %s%s (S of a weight of 1; ohm)\n.param g_%s_%s=", from, to,
      k->transposed ? ", the transposed one" : "", from, to);
  add_number(t, g_unit);
  add(t, "\n");
  add_amplifiers(t, x, k);
  for (int i = 0; i < in; i++)
    for (int j = 0; j < out; j++) {
      size_t cell = k->transposed ? (size_t)j * (size_t)xb->cols + (size_t)i
                                  : (size_t)i * (size_t)xb->cols + (size_t)j;
      for (int s = 0; s < 2; s++) {
        double g = s ? g_neg[cell] : g_pos[cell];
        if (!(g > 0) && !x->external)
          continue;
        char name[MHO_NETLIST_NAME];
        mho_netlist_resistor(name, s ? 'n' : 'p', from, to, i, j);
        add(t, "R%s ", name + 1);
        add_driver(t, x, k, i);
        add(t, "%c_%s_%s_%d ", s ? 'n' : 'p', from, to, j);
        add_number(t, mho_netlist_ohm(g));
        add(t, "\n");
      }
    }
  for (int j = 0; j < out; j++)
    add(t, "X%s_%s_%d p_%s_%s_%d n_%s_%s_%d u_%s_%d sense gain={v_unit/(v_read*r_mem*g_%s_%s)}\n",
        from, to, j, from, to, j, from, to, j, to, j, from, to);
}

/* What the crossbar of a clamped input makes flow into the neurons. */
static void add_norton(mho_spice_text *t, const mho_netlist_network *x, const mho_link *k,
                       double *g_pos, double *g_neg) {
  const mho_crossbar *xb = x->net->connection[k->connection].xb;
  const char *to = name_of(x, k->to);
  double g_unit;
  mho_netlist_siemens(xb, x->device, x->top ? x->top[k->connection] : 0, g_pos, g_neg, &g_unit);
  add(t, "\n* what the clamped inputs drive into %s through their crossbar (A)\n", to);
  for (int j = 0; j < xb->cols; j++) {
    double sum = 0;
    for (int i = 0; i < xb->rows && x->x; i++) {
      size_t cell = (size_t)i * (size_t)xb->cols + (size_t)j;
      sum += (g_pos[cell] - g_neg[cell]) * x->x[i];
    }
    add(t, "Ix_%s_%d 0 u_%s_%d ", to, j, to, j);
    add_source(t, x, x->v_unit / (x->r_mem * g_unit) * sum);
  }
}

static mho_err add_links(mho_spice_text *t, const mho_netlist_network *x, mho_errinfo *ei) {
  const mho_network *net = x->net;
  size_t most = 0;
  for (int c = 0; c < net->n_connections; c++) {
    const mho_crossbar *xb = net->connection[c].xb;
    size_t n = (size_t)xb->rows * (size_t)xb->cols;
    most = n > most ? n : most;
  }
  double *g_pos = mho_alloc(most, sizeof *g_pos), *g_neg = mho_alloc(most, sizeof *g_neg);
  mho_err err = g_pos && g_neg ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for conductances");
  for (int i = 0; i < net->n_links && !err; i++)
    if (is_drawn(x, &net->link[i]))
      add_link(t, x, &net->link[i], g_pos, g_neg);
    else if (net->link[i].from == 0)
      add_norton(t, x, &net->link[i], g_pos, g_neg);
  mho_free(g_pos);
  mho_free(g_neg);
  return err;
}

/* ---------------------------------------------------------------- what is printed */

/* The node whose voltage is a layer's state: activities, logits. */
static char state_of(const mho_netlist_network *x, int l) {
  return l == last_of(x) ? 'u' : 'z';
}

static void add_saves(mho_spice_text *t, const mho_netlist_network *x) {
  for (int l = 1; l <= last_of(x); l++)
    for (int j = 0; j < x->net->layer[l].n; j++)
      add(t, "%sv(%c_%s_%d)%s", j % 8 ? " " : ".save ", state_of(x, l), name_of(x, l), j,
          j % 8 == 7 || j + 1 == x->net->layer[l].n ? "\n" : "");
}

static void add_expected(mho_spice_text *t, const mho_netlist_network *x, const char *phase,
                         const double *const *z) {
  for (int l = 1; l <= last_of(x) && z; l++) {
    char name[48];
    double unit = l == last_of(x) ? x->v_unit : x->v_read;
    snprintf(name, sizeof name, "%s_%s_", phase, name_of(x, l));
    for (int j = 0; j < x->net->layer[l].n; j++)
      mho_netlist_expect(t, name, j, unit * z[l][j], unit * x->tolerance, "V");
  }
}

static void add_prints(mho_spice_text *t, const mho_netlist_network *x, const char *phase) {
  add(t, "%s", x->transient ? "run\nlet last = length(time) - 1\n" : "op\n");
  for (int l = 1; l <= last_of(x); l++)
    for (int j = 0; j < x->net->layer[l].n; j++) {
      const char *name = name_of(x, l);
      add(t, "let %s_%s_%d = v(%c_%s_%d)%s\nprint %s_%s_%d\n", phase, name, j, state_of(x, l), name,
          j, x->transient ? "[last]" : "", phase, name, j);
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
  add(t, "quit\n.endc\n");
}

mho_err mho_netlist_network_write(const mho_netlist_network *asked, char **out, mho_errinfo *ei) {
  *out = NULL;
  mho_err err = check(asked, ei);
  if (err)
    return err;
  mho_netlist_network given = with_defaults(asked), *x = &given;
  mho_spice_text t = {0};
  mho_netlist_title(&t, x->title ? x->title : "settling network");
  add_head(&t, x);
  /* ngspice's own reltol of 1e-3 leaves states wrong in the third digit */
  add(&t, "\n.options reltol=%s vntol=1e-12 abstol=1e-15 itl1=1000\n",
      x->transient ? "1e-4" : "1e-9");
  add_subcircuits(&t, x);
  add_inputs(&t, x);
  add_neurons(&t, x);
  err = add_links(&t, x, ei);
  add(&t, "\n* states (V), and what mho expects of them\n");
  add_expected(&t, x, "free", x->free);
  add_expected(&t, x, "nudged", x->nudged);
  add_saves(&t, x);
  if (x->control)
    add_control(&t, x);
  add(&t, "\n.end\n");
  if (!err && t.failed)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the netlist of a network");
  if (err) {
    mho_free(t.p);
    return err;
  }
  *out = t.p;
  return MHO_OK;
}

/* ---------------------------------------------------------------- settling time */

/* d(input of row)/d(input of column) at the activities z, [n x n] over all hidden neurons. */
static mho_err jacobian(const mho_network *net, const double *const *z, int n, const int *first,
                        double *m, mho_errinfo *ei) {
  mho_real *slope = mho_alloc((size_t)n, sizeof *slope), *at = mho_alloc((size_t)n, sizeof *at);
  if (!slope || !at) {
    mho_free(slope);
    mho_free(at);
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d neurons", n);
  }
  for (int l = 1; l < net->n_layers - 1; l++) {
    for (int j = 0; j < net->layer[l].n; j++) {
      at[first[l] + j] = (mho_real)z[l][j];
      slope[first[l] + j] = 1;
    }
    net->layer[l].neuron->scale_by_slope(net->layer[l].n, at + first[l], slope + first[l]);
  }
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (!net->layer[k->from].neuron || !net->layer[k->to].neuron)
      continue;
    const mho_crossbar *xb = net->connection[k->connection].xb;
    for (int a = 0; a < net->layer[k->from].n; a++)
      for (int b = 0; b < net->layer[k->to].n; b++) {
        size_t cell = k->transposed ? (size_t)b * (size_t)xb->cols + (size_t)a
                                    : (size_t)a * (size_t)xb->cols + (size_t)b;
        m[(size_t)(first[k->to] + b) * (size_t)n + (size_t)(first[k->from] + a)] +=
            (double)k->scale * (double)mho_crossbar_matrix(xb)[cell] *
            (double)slope[first[k->from] + a];
      }
  }
  mho_free(slope);
  mho_free(at);
  return MHO_OK;
}

mho_err mho_netlist_settling_time(const mho_network *net, const double *const *z, double tau,
                                  double *out, mho_errinfo *ei) {
  int n = 0, first[MHO_LAYERS_MAX];
  mho_err plain = mho_netlist_network_check(net, ei);
  if (plain)
    return plain;
  for (int l = 1; l < net->n_layers - 1; l++) {
    first[l] = n;
    n += net->layer[l].n;
  }
  double *m = mho_alloc((size_t)n * (size_t)n, sizeof *m), *re = mho_alloc((size_t)n, sizeof *re),
         *im = mho_alloc((size_t)n, sizeof *im), most = -INFINITY;
  mho_err err = m && re && im ? jacobian(net, z, n, first, m, ei)
                              : mho_fail(ei, MHO_ENOMEM, "no memory for %d neurons", n);
  if (!err)
    err = mho_eigen_dense(n, m, re, im, ei);
  for (int i = 0; i < n && !err; i++)
    most = fmax(most, re[i]);
  *out = most < 1 ? 24 * tau / (1 - most) : (double)INFINITY;
  mho_free(m);
  mho_free(re);
  mho_free(im);
  return err;
}
