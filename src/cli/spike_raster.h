/* spike_raster.h - neurons that spike, step by step: a table, and a raster with potentials.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_CLI_SPIKE_RASTER_H
#define MHO_CLI_SPIKE_RASTER_H

#include <stdio.h>

#include "settle/trace.h"

typedef struct spike_raster {
  const mho_network *net;
  const mho_trace_neuron *neuron; /**< [n] that are shown. */
  int n;
  double *spike; /**< [2 spikes] time in ms, and which of the neurons fired. */
  int spikes, capacity;
  double *way; /**< [1 + 2 drawn of a moment]: time in ms, potentials and thresholds. */
  int moments, room;
  bool by_events; /**< Lines begin with the time in s in place of a step. */
  int step;       /**< The last one; a phase that is run again, as trials do, is not shown. */
  bool over;      /**< The first phase is. */
  bool full;      /**< There was no memory for the picture. */
} spike_raster;

/** A moment of a dynamics with the variables u, theta and spike: its lines on stdout, step (or
 *  time), layer, neuron, u, theta, spike, after a header if it is the first; kept for the
 *  picture. */
void spike_raster_take(spike_raster *r, const mho_trace_point *p, bool is_first);
/** gnuplot's commands for what has been taken: spikes above, below the potentials of the first
 *  neurons of each layer with their thresholds. `user` is the spike_raster. */
void spike_raster_print(FILE *f, const void *user);
void spike_raster_free(spike_raster *r);

#endif
