/* netlist_waves.h - spikes that put waveforms on the lines of crossbars, as a circuit whose devices
 * move.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_NETLIST_WAVES_H
#define MHO_SPICE_NETLIST_WAVES_H

#include "device/waveform.h"
#include "spice/netlist_spikes.h"

/* Set the members by name: the rest is zero. */
typedef struct mho_netlist_waves {
  const mho_network *net;
  const mho_device_model *model;
  const void *params; /* of the model */
  const mho_device_config *device;
  const mho_wave *row, *column; /* since a spike, s of the chip */
  int n;
  const mho_spike_time *spike; /* [n] in the order of time, s of the chip: when waveforms begin */
  /* [n_trained] of [rows x cols], S: conductances before the spikes, and what the core has made of
   * them. */
  double *const *before, *const *after;
  double stop; /* s of the chip, of the presentation */
  int neurons; /* of the last hidden layer, the first ones; 0: all */
  const char *title;
} mho_netlist_waves;

/* Whether cells of a device have a circuit that answers any voltage: MHO_EUNSUPPORTED with a
 * sentence; errors of the model's own. */
mho_err mho__netlist_waves_check(const mho_device_model *model, const void *params,
                                 const mho_device_config *device, mho_errinfo *ei);
/* The netlist as text: ngspice -b prints "dg_<from>_<to>_<i>_<j>", S, by how much the conductance
 * of a cell has changed.
 *  out: free it with mho_free.
 *  MHO_OK; as mho__netlist_waves_check; MHO_EINVAL for more neurons than there are; MHO_ENOMEM. */
mho_err mho__netlist_waves_write(const mho_netlist_waves *x, char **out, mho_errinfo *ei);

#endif
