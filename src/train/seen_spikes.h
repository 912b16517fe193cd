/* seen_spikes.h - the spikes of a sample that is watched.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_SEEN_SPIKES_H
#define MHO_TRAIN_SEEN_SPIKES_H

#include "spice/netlist_spikes.h"
#include "train/trainer.h"

/** What a sample has made the inputs and neurons do. */
typedef struct mho_seen_spikes {
  const mho_network *net;
  int spike, theta;   /**< Variables of the dynamics. */
  mho_spike_time *at; /**< [n] in the order of time. */
  int n, capacity, step;
  double **threshold; /**< [n_layers] of [n], hidden layers. */
  bool is_over;       /**< A phase that is run again is not shown. */
  bool failed;        /**< There was no memory for more. */
} mho_seen_spikes;

/** None yet. @return MHO_OK; MHO_ENOMEM, and nothing is to be freed. */
mho_err mho__seen_spikes_new(const mho_trainer *t, mho_seen_spikes *out, mho_errinfo *ei);
void mho__seen_spikes_free(mho_seen_spikes *s);
/** mho_trace.point of them. */
void mho__seen_spikes_take(void *user, const mho_trace_point *point);

#endif
