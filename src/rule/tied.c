/* tied.c - what weights learn whose crossbar feedback reads as well.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/tied.h"

mho_err mho__tied_new(const mho_network *net, int batch, void **own, mho_errinfo *ei) {
  size_t layers = (size_t)net->n_layers;
  mho_real **pooled = mho_alloc(layers + 1, sizeof *pooled); /* NULL behind them */
  bool ok = pooled != NULL;
  *own = pooled;
  for (size_t l = 0; l < layers; l++) {
    size_t outputs = net->layer[l].pool.size ? (size_t)net->layer[l].outputs : 0;
    if (ok)
      pooled[l] = mho_alloc((size_t)batch * outputs, sizeof **pooled);
    ok = ok && pooled[l];
  }
  return ok ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for the errors of %d samples", batch);
}

void mho__tied_free(void *own) {
  mho_real **pooled = own;
  if (!pooled)
    return;
  for (int l = 0; pooled[l]; l++)
    mho_free(pooled[l]);
  mho_free(pooled);
}

void mho__tied_pool(const mho_lesson *lesson) {
  const mho_network *net = lesson->net;
  mho_real **pooled = lesson->own;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_layer *layer = &net->layer[l];
    if (layer->pool.size)
      mho_pool_pick(&layer->pool, lesson->n, mho__values(net, lesson->error, l, lesson->sample0),
                    lesson->state[0]->winner[l] + (size_t)lesson->sample0 * (size_t)layer->outputs,
                    pooled[l] + (size_t)lesson->sample0 * (size_t)layer->outputs);
  }
}

mho_outer *mho__tied_add(const mho_lesson *l, const mho_link *k, mho_change *out) {
  const mho_layer *to = &l->net->layer[k->to];
  mho_real *const *error = to->pool.size ? l->own : l->error;
  mho_outer *o = mho_change_add(out);

  o->pre = error[k->to] + (size_t)l->sample0 * (size_t)to->outputs;
  o->post = mho__values(l->net, l->state[0]->z, k->from, l->sample0);
  o->n = l->n;
  o->unbiased = true;
  return o;
}
