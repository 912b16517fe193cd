/* trained_spikes.c - the netlist of a trainer's neurons that spike, with the core's own spikes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "spice/netlist_spikes.h"
#include "train/spike_rates.h"
#include "train/trainer.h"

/* What a test image has made the neurons do. */
typedef struct seen {
  const mho_network *net;
  int spike, theta; /* variables of the dynamics */
  mho_spike_time *at;
  int n, capacity, step;
  double **threshold; /* [n_layers] of [n], hidden layers */
  bool is_over;       /* a phase that is run again is not shown */
  bool failed;
} seen;

static void keep(seen *s, double time, int layer, int unit) {
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
  s->at[s->n++] = (mho_spike_time){time, layer, unit};
}

static void take_point(void *user, const mho_trace_point *point) {
  seen *s = user;
  s->is_over = s->is_over || point->step <= s->step;
  s->step = point->step;
  if (s->is_over)
    return;

  for (int l = 0; l < mho_hidden_end(s->net); l++) {
    const mho_real *spike = mho_vars_real(point->vars, s->spike, l, 0);
    for (int i = 0; i < s->net->layer[l].n; i++)
      if (spike[i] > 0)
        keep(s, point->time, l, i);
  }
  for (int l = 1; l < mho_hidden_end(s->net); l++) {
    const double *theta = mho_vars_exact(point->vars, s->theta, l, 0);
    for (int i = 0; i < s->net->layer[l].n; i++)
      s->threshold[l][i] = theta[i];
  }
}

/* ---------------------------------------------------------------- what has a circuit */

static mho_err check(const mho_trainer *t, mho_errinfo *ei) {
  mho_err err = mho__netlist_spikes_check(t->net, ei);
  if (err)
    return err;
  if (((const mho_settler *)t->e->settler.entry)->step)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "settle.method: neurons of a circuit have no clock: use events (--set "
                    "settle.method=events)");
  if (!mho_experiment_reads_exactly(t->e))
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "array: noise, converters and device.iv.law of reads are not in the circuit of "
                    "neurons that spike: leave them out");
  return MHO_OK;
}

/* ---------------------------------------------------------------- the netlist */

/* What drives the lines as it is, [inputs]; NULL without memory. */
static double *direct_inputs(const mho_trainer *t) {
  int n = t->net->layer[0].n;
  double *x = mho_alloc((size_t)n, sizeof *x);
  for (int i = 0; x && i < n; i++)
    x[i] = (double)t->learner->state[0]->z[0][i];
  return x;
}

static mho_err write_seen(mho_trainer *t, const mho_trained_netlist *o, seen *s, char **out,
                          mho_errinfo *ei) {
  mho_watched w;
  mho_timing clock;
  mho_stdp_lines lines;
  char title[256];
  mho_err err = mho__trainer_watch(t, &t->data.test, o->image, false, take_point, s, &w, ei);
  if (err)
    return err;
  if (s->failed || !mho__timing_of(t->e, &clock))
    return mho_fail(ei, MHO_ENOMEM, "no memory for the spikes of an image");

  bool is_direct = t->e->settle.encode.kind == MHO_ENCODE_DIRECT;
  double *x = is_direct ? direct_inputs(t) : NULL;
  if (is_direct && !x)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the inputs of an image");

  snprintf(title, sizeof title, "spiking neurons of %s, test image %d", o->of, o->image);
  mho_netlist_spikes n = {.net = t->net,
                          .device = &t->e->device_config,
                          .n = s->n,
                          .spike = s->at,
                          .x = x,
                          .theta = s->threshold,
                          .lines = mho__stdp_lines(t->e, &lines) ? &lines : NULL,
                          .stop = clock.seconds,
                          .neurons = o->neurons,
                          .title = title};
  err = mho__netlist_spikes_write(&n, out, ei);
  mho_free(x);
  return err;
}

/* A number for every neuron of the hidden layers. */
static mho_err thresholds_new(seen *s, mho_errinfo *ei) {
  s->threshold = mho_alloc((size_t)s->net->n_layers, sizeof *s->threshold);
  bool has_all = s->threshold;
  for (int l = 1; has_all && l < mho_hidden_end(s->net); l++) {
    s->threshold[l] = mho_alloc((size_t)s->net->layer[l].n, sizeof **s->threshold);
    has_all = s->threshold[l];
  }
  return has_all ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for thresholds");
}

mho_err mho_trainer_netlist_spikes(mho_trainer *t, const mho_trained_netlist *o, char **out,
                                   mho_errinfo *ei) {
  seen s = {.net = t->net, .step = -1};
  *out = NULL;
  mho_err err = check(t, ei);
  if (err)
    return err;

  const mho_vars *v = t->learner->state_vars;
  s.spike = mho_vars_find(v, "spike");
  s.theta = mho_vars_find(v, "theta");
  err = thresholds_new(&s, ei);
  if (!err)
    err = write_seen(t, o, &s, out, ei);

  for (int l = 0; s.threshold && l < t->net->n_layers; l++)
    mho_free(s.threshold[l]);
  mho_free(s.threshold);
  free(s.at);
  return err;
}
