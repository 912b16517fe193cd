/* prediction.c - the network on inputs of the caller's: what it answers, and where it settles.
 *
 * Samples settle in batches as test images do, with the noise of the reads of test images of the
 * same numbers. Nothing that training uses later is touched.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "base/streams.h"
#include "train/arrays.h"
#include "train/trainer.h"

int mho_trainer_layers(const mho_trainer *t) {
  return t->net->n_layers;
}

const char *mho_trainer_layer(const mho_trainer *t, int l, int *units) {
  if (l < 0 || l >= t->net->n_layers)
    return NULL;
  *units = t->net->layer[l].n;
  return t->net->layer[l].name;
}

static mho_err check(const mho_trainer *t, int n, const mho_real *x, mho_errinfo *ei) {
  size_t features = (size_t)t->data.features;
  if (t->data.train.first)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "inputs of this network are spikes (dataset.name), and numbers are none: "
                    "evaluate it on a part of its dataset");
  if (n < 1)
    return mho_fail(ei, MHO_EINVAL, "%d samples to settle: at least 1 is needed", n);

  for (size_t i = 0; i < (size_t)n * features; i++) {
    if (isfinite(x[i]))
      continue;

    mho_err err = mho_fail(ei, MHO_EINVAL, "input %zu of sample %zu is no finite number",
                           i % features, i / features);
    if (ei) {
      ei->row = (long)(i / features);
      ei->col = (long)(i % features);
    }
    return err;
  }
  return MHO_OK;
}

/* The states of a batch that has settled into the caller's, from sample `first` on. */
static void copy_states(const mho_trainer *t, int first, int n, mho_real *const *z) {
  const mho_state *s = t->learner->state[0];
  for (int l = 1; l < t->net->n_layers; l++) {
    size_t units = (size_t)t->net->layer[l].n;
    if (z[l])
      memcpy(z[l] + (size_t)first * units, s->z[l], (size_t)n * units * sizeof **z);
  }
}

mho_err mho_trainer_settle(mho_trainer *t, int n, const mho_real *x, mho_real *const *z,
                           int64_t *unsettled, mho_errinfo *ei) {
  mho_err err = check(t, n, x, ei);
  if (err)
    return err;

  int capacity = t->learner->capacity, batches = ceil_div(n, capacity);
  int64_t missed = 0;
  mho__calibrate_at_rest(t);

  for (int i = 0; i < batches; i++) {
    int first = i * capacity;
    mho_batch b = {.x = x + (size_t)first * (size_t)t->data.features,
                   .n = mho_min(n - first, capacity),
                   .update = mho__update_evaluation(t->at.epoch, false, i)};
    mho_rule_stats s;
    err = mho__learner_run(t->learner, &b, &s, ei);
    if (err)
      return err;
    missed += s.free.unsettled;
    copy_states(t, first, b.n, z);
  }

  if (unsettled)
    *unsettled = missed;
  return MHO_OK;
}

mho_err mho_trainer_predict(mho_trainer *t, int n, const mho_real *x, mho_real *y,
                            mho_errinfo *ei) {
  mho_real *z[MHO_LAYERS_MAX] = {NULL};
  z[mho_network_output(t->net)] = y;
  return mho_trainer_settle(t, n, x, z, NULL, ei);
}
