/* seen_spikes.c - the spikes of a sample that is watched.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/seen_spikes.h"

#include <stdlib.h>

static void keep(mho_seen_spikes *s, mho_spike_time spike) {
  if (s->n == s->capacity) {
    int more = s->capacity ? 2 * s->capacity : 256;
    mho_spike_time *grown = realloc(s->at, (size_t)more * sizeof *grown);
    if (!grown) {
      s->failed = true;
      return;
    }
    s->at = grown;
    s->capacity = more;
  }
  s->at[s->n++] = spike;
}

void mho__seen_spikes_take(void *user, const mho_trace_point *point) {
  mho_seen_spikes *s = user;
  s->is_over = s->is_over || point->step <= s->step;
  s->step = point->step;
  if (s->is_over || point->step == 0)
    return;

  for (int l = 0; l < mho_hidden_end(s->net); l++) {
    const mho_real *spike = mho_vars_real(point->vars, s->spike, l, 0);
    for (int i = 0; i < s->net->layer[l].n; i++)
      if (spike[i] > 0)
        keep(s, (mho_spike_time){point->time, l, i, point->step});
  }
  for (int l = 1; l < mho_hidden_end(s->net); l++) {
    const double *theta = mho_vars_exact(point->vars, s->theta, l, 0);
    for (int i = 0; i < s->net->layer[l].n; i++)
      s->threshold[l][i] = theta[i];
  }
}

/* A number for every neuron of the hidden layers. */
static bool thresholds_new(mho_seen_spikes *s) {
  s->threshold = mho_alloc((size_t)s->net->n_layers, sizeof *s->threshold);
  bool has_all = s->threshold;
  for (int l = 1; has_all && l < mho_hidden_end(s->net); l++) {
    s->threshold[l] = mho_alloc((size_t)s->net->layer[l].n, sizeof **s->threshold);
    has_all = s->threshold[l];
  }
  return has_all;
}

mho_err mho__seen_spikes_new(const mho_trainer *t, mho_seen_spikes *out, mho_errinfo *ei) {
  const mho_vars *v = t->learner->state_vars;
  *out = (mho_seen_spikes){.net = t->net,
                           .spike = mho_vars_find(v, "spike"),
                           .theta = mho_vars_find(v, "theta"),
                           .step = -1};
  if (thresholds_new(out))
    return MHO_OK;
  mho__seen_spikes_free(out);
  return mho_fail(ei, MHO_ENOMEM, "no memory for thresholds");
}

void mho__seen_spikes_free(mho_seen_spikes *s) {
  for (int l = 0; s->threshold && l < s->net->n_layers; l++)
    mho_free(s->threshold[l]);
  mho_free(s->threshold);
  free(s->at);
}
