/* spike_circuit.h - the netlist of neurons that spike under way, and its parts.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_SPIKE_CIRCUIT_H
#define MHO_SPICE_SPIKE_CIRCUIT_H

#include <stdio.h>

#include "spice/netlist_spikes.h"
#include "spice/netlist_text.h"
#include "spice/subckt.h"

#define MHO_SPIKE_EDGE 0.02 /* of a pulse */

/* A netlist under way. */
typedef struct mho_spike_circuit {
  mho_spice_text t;
  const mho_netlist_spikes *x;
  const mho_spiking_config *c;
  double v_unit;   /* V of a potential of 1 */
  double p, hold;  /* s: a pulse, and how long a latch is set */
  double held;     /* s, for which a potential is held */
  bool has_line;   /* neurons of a layer share one, neuron.inhibit: ... */
  double quiet;    /* ... s, for which it holds others */
  bool is_strobed; /* neurons compare when what comes in has ended, */
  bool has_winner; /* and one of a layer alone fires */
  bool *fires;     /* [inputs] */
} mho_spike_circuit;

/* The last hidden layer. */
static inline int mho__spike_last(const mho_network *net) {
  return mho_hidden_end(net) - 1;
}

/* Neurons of a layer that are in the circuit. */
static inline int mho__spike_count(const mho_spike_circuit *w, int l) {
  bool is_cut = w->x->neurons > 0 && l == mho__spike_last(w->x->net);
  return is_cut ? w->x->neurons : w->x->net->layer[l].n;
}

/* The word line of unit i of a layer: "x_3" of an input, "z_h1_3" of a neuron. */
static inline void mho__spike_line(const mho_spike_circuit *w, int l, int i,
                                   char name[MHO_NETLIST_NAME]) {
  if (l == 0)
    snprintf(name, MHO_NETLIST_NAME, "x_%d", i);
  else
    snprintf(name, MHO_NETLIST_NAME, "z_%s_%d", w->x->net->layer[l].name, i);
}

/* How far spike i of the list, of a neuron, may be from the core's, s: every layer and every
 * earlier spike of the neuron, or of all that share its line, makes it later. */
double mho__spike_late(const mho_spike_circuit *w, int i);

/* ---------------------------------------------------------------- what lines remember */

/* The shortest time in which a trace decays; INFINITY without. */
double mho__spike_traces_shortest(const mho_netlist_spikes *x);
/* What there is of them, as comments, and the subcircuits. Nothing without traces. */
void mho__spike_traces_head(mho_spike_circuit *w);
void mho__spike_traces_subcircuits(mho_spike_circuit *w);
/* A trace at every line that has one. */
void mho__spike_traces_add(mho_spike_circuit *w);
/* The commands that print them, or what they expect. */
void mho__spike_traces_results(mho_spike_circuit *w, bool expects);

#endif
