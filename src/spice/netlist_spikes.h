/* netlist_spikes.h - neurons that integrate and fire as a circuit, under the spikes of a sample.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_NETLIST_SPIKES_H
#define MHO_SPICE_NETLIST_SPIKES_H

#include "mho/model/circuit.h"
#include "rule/stdp_lines.h"

/* A spike of an input (layer 0) or of a neuron. */
typedef struct mho_spike_time {
  double time; /* s */
  int layer, unit;
  int step; /* of the clock, or number of the event, from 1 */
} mho_spike_time;

/* Set the members by name: the rest is zero. */
typedef struct mho_netlist_spikes {
  const mho_network *net;
  const mho_device_config *device; /* conductances of the ideal device */
  int n;
  const mho_spike_time *spike; /* [n] in the order of time: those of neurons are expected */
  const double *x;             /* [inputs] that drive lines as they are; NULL: they spike */
  double *const *theta;        /* [n_layers] of [n], hidden layers: thresholds */
  const mho_stdp_lines *lines; /* what lines remember; NULL: nothing */
  double stop;                 /* s, of the phase */
  int neurons;                 /* of the last hidden layer, the first ones; 0: all */
  const char *title;
} mho_netlist_spikes;

/* Whether neurons of a network that spikes have a circuit: MHO_EUNSUPPORTED with a sentence. */
mho_err mho__netlist_spikes_check(const mho_network *net, mho_errinfo *ei);
/* The netlist as text: ngspice -b prints "count_<layer>_<j>" and "t_<layer>_<j>_<k>", s, of every
 * spike; of lines that remember, "<kind>_<layer>_<j>_1" and "_2", a trace at two times,
 * "decay_<kind>_<layer>_<j>", s, and of windows "off_<layer>_<j>", s, when a row first stops being
 * active. Kinds are pre, post and slow.
 *  out: free it with mho_free.
 *  MHO_OK; as mho__netlist_spikes_check; MHO_EUNSUPPORTED for spikes of a unit that are too close
 *  for pulses; MHO_EINVAL for more neurons than there are; MHO_ENOMEM. */
mho_err mho__netlist_spikes_write(const mho_netlist_spikes *x, char **out, mho_errinfo *ei);

#endif
