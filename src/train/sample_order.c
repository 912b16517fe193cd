/* sample_order.c - in which order the training samples come.
 *
 * They are cut into batches once, after a shuffle (files are sorted by writer), and every epoch
 * shuffles the batches; or it shuffles all samples. A last, smaller batch stays last.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "base/streams.h"
#include "train/sample_order.h"

mho_err mho__order_new(const mho_train_config *c, int n, uint64_t seed, mho_order *o,
                       mho_errinfo *ei) {
  size_t samples = (size_t)n;
  *o = (mho_order){.n = n, .size = (int)c->batch, .shuffle = c->shuffle, .seed = seed};
  o->cut = mho_alloc(samples, sizeof *o->cut);
  o->batches = mho_alloc(samples, sizeof *o->batches);
  o->sample = mho_alloc(samples, sizeof *o->sample);
  if (!o->cut || !o->batches || !o->sample)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the order of %d samples", n);

  mho_rng_permutation(mho__stream_cut(seed), 0, n, o->cut);
  return MHO_OK;
}

void mho__order_free(mho_order *o) {
  mho_free(o->cut);
  mho_free(o->batches);
  mho_free(o->sample);
}

void mho__order_draw(mho_order *o, int epoch) {
  mho_rng rng = mho__stream_shuffle(o->seed);
  int whole = o->n / o->size, cut_off = whole * o->size;

  if (o->shuffle == MHO_SHUFFLE_SAMPLES) {
    mho_rng_permutation(rng, (uint64_t)epoch, o->n, o->sample);
    return;
  }

  mho_rng_permutation(rng, (uint64_t)epoch, whole, o->batches);
  for (int i = 0; i < whole; i++)
    memcpy(o->sample + i * o->size, o->cut + o->batches[i] * o->size,
           (size_t)o->size * sizeof *o->cut);
  memcpy(o->sample + cut_off, o->cut + cut_off, (size_t)(o->n - cut_off) * sizeof *o->cut);
}
