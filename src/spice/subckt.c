/* subckt.c - the subcircuits of sense amplifiers, neurons and read-out.
 *
 * Blocks and their values follow what is known to settle in ngspice: a virtual ground is a 0 V
 * source, a sum of currents a node, an activity a B source, and every neuron is a state on a
 * capacitor, so that recurrent nets have an .op and come to rest in .tran.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "spice/subckt.h"

#include <stdio.h>

#include "mho/model/circuit.h"
#include "mho/spice.h"

#define add mho__spice_text_add

void mho__subckt_sense(mho_spice_text *t) {
  add(t, "* sense amplifiers of a column: the lines p (positive devices) and n (negative ones) "
         "end in virtual\n"
         "* grounds; gain times the difference of their currents flows into u\n"
         ".subckt sense p n u gain=1\n"
         "Vp p 0 0\n"
         "Vn n 0 0\n"
         "Fp 0 u Vp {gain}\n"
         "Fn 0 u Vn {-gain}\n"
         ".ends sense\n");
}

void mho__subckt_sense_alone(mho_spice_text *t) {
  add(t, "* sense amplifiers of a line of its own, whose current is not that of a pair\n"
         ".subckt sense_alone p u gain=1\n"
         "Vp p 0 0\n"
         "Fp 0 u Vp {gain}\n"
         ".ends sense_alone\n");
}

/* The membrane: u = v_unit times the neuron's summed input at rest. */
static void add_membrane(mho_spice_text *t) {
  add(t, "Rm u 0 {r_mem}\n"
         "Cm u 0 {tau/r_mem}\n");
}

/* An activity as a B source at node `out`, of the voltage at node `in`. */
static void add_activity(mho_spice_text *t, const char *rho, char in, char out) {
  add(t, "B%c %c 0 V={v_read}*", out, out);
  for (; *rho; rho++) {
    if (*rho == '@')
      add(t, "(V(%c)/{v_unit})", in);
    else
      add(t, "%c", *rho);
  }
  add(t, "\n");
}

bool mho__subckt_neuron(mho_spice_text *t, const mho_neuron *neuron) {
  const char *rho = neuron->spice;
  if (!rho)
    return false;

  add(t,
      "* neuron: membrane C dv/dt = -v/R + currents into u, activity V(z) = v_read rho(v/v_unit)\n"
      ".subckt neuron_%s u z r_mem=10k tau=100n v_unit=0.2 v_read=0.2\n",
      neuron->entry.id);
  add_membrane(t);
  add_activity(t, rho, 'u', 'z');
  add(t, ".ends neuron_%s\n", neuron->entry.id);
  return true;
}

void mho__subckt_copy(mho_spice_text *t, const mho_neuron *neuron) {
  add(t,
      "* copy: the currents into a make V(a) = v_unit times the summed input, flow on into u, and "
      "V(y) is\n"
      "* v_read times the activity that they alone would make\n"
      ".subckt copy_%s a u y r_mem=10k v_unit=0.2 v_read=0.2\n"
      "Ra a 0 {r_mem}\n"
      "Ga 0 u a 0 {1/r_mem}\n",
      neuron->entry.id);
  add_activity(t, neuron->spice, 'a', 'y');
  add(t, ".ends copy_%s\n", neuron->entry.id);
}

void mho__subckt_readout(mho_spice_text *t) {
  add(t, "* read-out: a membrane whose voltage is v_unit times the logit\n"
         ".subckt readout u r_mem=10k tau=100n\n");
  add_membrane(t);
  add(t, ".ends readout\n");
}

mho_err mho_netlist_neuron_lib(const mho_neuron *neuron, char **out, mho_errinfo *ei) {
  mho_spice_text t = {0};
  *out = NULL;

  add(&t, "* models/neuron_%s.lib - written by 'mho netlist --models'\n", neuron->entry.id);
  mho__subckt_sense(&t);
  if (!mho__subckt_neuron(&t, neuron)) {
    mho_free(t.p);
    return mho_fail(ei, MHO_EUNSUPPORTED, "the neuron '%s' has no circuit", neuron->entry.id);
  }

  mho__subckt_readout(&t);
  if (t.failed) {
    mho_free(t.p);
    return mho_fail(ei, MHO_ENOMEM, "no memory for a subcircuit");
  }
  *out = t.p;
  return MHO_OK;
}

void mho__netlist_resistor(char name[MHO_NETLIST_NAME], char sign, const char *from, const char *to,
                           int i, int j) {
  snprintf(name, MHO_NETLIST_NAME, "r%c_%s_%s_%d_%d", sign, from, to, i, j);
}
