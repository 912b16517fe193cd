/* netlist_controller.c - a controller at the read-out as a circuit, and the neurons' second
 * activities.
 *
 *   C dq/dt = g (e - leak u), C = g tau_u      an integrator: a capacitor, and a B source into it
 *   u = on (q + proportional e)                node w_<k>, 1 V a control of 1
 *
 * Without control (on: 0 V) the capacitor empties, so that an .op has one answer. See
 * mho_netlist_network for the nodes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "spice/netlist_controller.h"

#include <math.h>

#define add    mho__spice_text_add
#define number mho__spice_number

static int classes_of(const mho_netlist_network *x) {
  return mho_network_classes(x->net);
}

void mho__controller_parameters(mho_spice_text *t, const mho_netlist_network *x) {
  const mho_netlist_controller *c = x->controller;
  mho__netlist_parameter(t, "leak", c->leak, "of the controllers' integrals");
  mho__netlist_parameter(t, "proportional", c->proportional, "their part without memory");
  mho__netlist_parameter(t, "tau_u", x->tau / c->ratio, "s, their time constant");
  mho__netlist_parameter(t, "g_int", 1e-3, "S, of an integrator's input");
}

void mho__controller_copy(mho_spice_text *t, const mho_layer *layer, int j) {
  const char *name = layer->name;
  add(t, "Xa_%s_%d a_%s_%d u_%s_%d y_%s_%d copy_%s r_mem={r_mem} v_unit={v_unit} v_read={v_read}\n",
      name, j, name, j, name, j, name, j, layer->neuron->entry.id);
}

/* e of a controller that drives the summed input to a number. */
static void add_reach(mho_spice_text *t, const mho_netlist_network *x, int k) {
  add(t, "Vr_%d r_%d 0 %s\nBe_%d e_%d 0 V=(V(r_%d)-V(u_out_%d))/{v_unit}\n", k, k,
      number(x->v_unit * x->controller->reach[k]), k, k, k, k);
}

/* e of one that drives a probability: those of all outputs are exponentials over their sum, of
 * inputs less the first one's, as far as Newton's steps may go. */
static void add_label(mho_spice_text *t, const mho_netlist_network *x, int k) {
  add(t, "Vr_%d r_%d 0 %s\n", k, k, number(x->controller->label[k]));
  add(t,
      "Bs_%d s_%d 0 V=exp(min(max((V(u_out_%d)-V(u_out_0))/{v_unit},-60),60))\n"
      "Be_%d e_%d 0 V=V(r_%d)-V(s_%d)/V(sum)\n",
      k, k, k, k, k, k, k);
}

static void add_sum(mho_spice_text *t, const mho_netlist_network *x) {
  add(t, "Bsum sum 0 V=V(s_0)");
  for (int k = 1; k < classes_of(x); k++)
    add(t, "+V(s_%d)", k);
  add(t, "\n");
}

static void add_controller(mho_spice_text *t, const mho_netlist_network *x, int k) {
  char leaks = x->controller->leak_on_integral ? 'q' : 'w';
  add(t,
      "Cq_%d q_%d 0 {g_int*tau_u}\n"
      "Bq_%d 0 q_%d I={g_int}*(V(on)*(V(e_%d)-{leak}*V(%c_%d))-(1-V(on))*V(q_%d))\n"
      "Bw_%d w_%d 0 V=V(on)*(V(q_%d)+{proportional}*V(e_%d))\n"
      "Ec_%d c_%d 0 w_%d 0 {v_read}\n"
      "Gc_%d 0 u_out_%d w_%d 0 {v_unit/r_mem}\n",
      k, k, k, k, k, leaks, k, k, k, k, k, k, k, k, k, k, k, k);
}

void mho__controller_write(mho_spice_text *t, const mho_netlist_network *x) {
  add(t, "\n* controllers: e_<k> what they see (V), q_<k> the integral, w_<k> the control (V of a "
         "control of 1),\n"
         "* c_<k> the lines that it drives; node on: 1 V closes the loop\n"
         "Von on 0 0\n");
  for (int k = 0; k < classes_of(x); k++) {
    if (x->controller->reach)
      add_reach(t, x, k);
    else
      add_label(t, x, k);
    add_controller(t, x, k);
  }
  if (!x->controller->reach)
    add_sum(t, x);
}

/* ---------------------------------------------------------------- what is printed */

/* Part of the largest control that single precision leaves uncertain. */
static double margin_of(const mho_netlist_network *x) {
  return sizeof(mho_real) == 8 ? x->tolerance : 1e-3;
}

void mho__controller_saves(mho_spice_text *t, const mho_netlist_network *x) {
  for (int l = 1; l < mho_hidden_end(x->net); l++)
    for (int j = 0; j < x->net->layer[l].n; j++)
      add(t, ".save v(y_%s_%d) v(a_%s_%d) v(u_%s_%d)\n", x->net->layer[l].name, j,
          x->net->layer[l].name, j, x->net->layer[l].name, j);
  for (int k = 0; k < classes_of(x); k++)
    add(t, ".save v(w_%d)\n", k);
}

void mho__controller_prints(mho_spice_text *t, const mho_netlist_network *x) {
  for (int k = 0; k < classes_of(x); k++)
    add(t, "let control_%d = v(w_%d)\nprint control_%d\n", k, k, k);
}

void mho__controller_expect(mho_spice_text *t, const mho_netlist_network *x) {
  const double *u = x->controller->u;
  double most = 0;
  if (!u)
    return;

  for (int k = 0; k < classes_of(x); k++)
    most = fmax(most, fabs(u[k]));
  for (int k = 0; k < classes_of(x); k++)
    mho__netlist_expect(t, "control_", k, u[k], margin_of(x) * most, "V");
}
