/* cosim_layers.h - what comparisons of whole networks hold: values of all layers, of all samples.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_COSIM_LAYERS_H
#define MHO_SPICE_COSIM_LAYERS_H

#include "mho/model/network.h"

/* Frees what mho__cosim_layers_new made; NULL is allowed. */
static inline void mho__cosim_layers_free(const mho_network *net, double **z) {
  if (!z)
    return;
  for (int l = 1; l <= mho_network_output(net); l++)
    mho_free(z[l]);
  mho_free(z);
}

/* [n_layers] of [samples x n] zeros, hidden layers and the read-out; NULL: no memory. */
static inline double **mho__cosim_layers_new(const mho_network *net, int samples) {
  double **z = mho_alloc((size_t)net->n_layers, sizeof *z);
  if (!z)
    return NULL;

  for (int l = 1; l <= mho_network_output(net); l++) {
    z[l] = mho_alloc((size_t)samples * (size_t)net->layer[l].n, sizeof **z);
    if (!z[l]) {
      mho__cosim_layers_free(net, z);
      return NULL;
    }
  }
  return z;
}

#endif
