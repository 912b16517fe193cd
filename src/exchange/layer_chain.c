/* layer_chain.c - the layers of a trained network in memory.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "exchange/layer_chain.h"

#include <stdio.h>

mho_err mho__chain_add(mho_chain *c, const char *file, const char *name, int out, int in,
                       int kernel, mho_chain_layer **layer, mho_errinfo *ei) {
  if (c->n == MHO_CHAIN_LAYERS)
    return mho_fail_at(ei, MHO_EDATA, file, 0, "has more than %d layers", MHO_CHAIN_LAYERS);

  mho_chain_layer *l = &c->layer[c->n];
  *l = (mho_chain_layer){.in = in, .out = out, .kernel = kernel, .stride = 1};
  snprintf(l->name, sizeof l->name, "%s", name);
  l->w = mho_alloc((size_t)out * mho__chain_fan_in(l), sizeof *l->w);
  if (!l->w)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the weights of '%s'", name);

  c->n++;
  *layer = l;
  return MHO_OK;
}

mho_err mho__chain_bias(mho_chain_layer *layer, mho_errinfo *ei) {
  if (!layer->b)
    layer->b = mho_alloc((size_t)layer->out, sizeof *layer->b);
  return layer->b ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for biases");
}

void mho__chain_free(mho_chain *c) {
  for (int l = 0; l < c->n; l++) {
    mho_free(c->layer[l].w);
    mho_free(c->layer[l].b);
  }
  *c = (mho_chain){0};
}
