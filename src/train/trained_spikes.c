/* trained_spikes.c - the netlist of a trainer's neurons that spike, with the core's own spikes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "rule/stdp_waves.h"
#include "train/seen_spikes.h"
#include "train/spike_rates.h"
#include "train/trained_waves.h"

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

static mho_err write_seen(mho_trainer *t, const mho_trained_netlist *o, mho_seen_spikes *s,
                          char **out, mho_errinfo *ei) {
  mho_watched w;
  mho_timing clock;
  mho_stdp_lines lines;
  char title[256];
  mho_err err =
      mho__trainer_watch(t, &t->data.test, o->image, false, mho__seen_spikes_take, s, &w, ei);
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

mho_err mho_trainer_netlist_spikes(mho_trainer *t, const mho_trained_netlist *o, char **out,
                                   mho_errinfo *ei) {
  mho_seen_spikes s;
  *out = NULL;
  if (mho__stdp_has_waves(t->e))
    return mho__trainer_netlist_waves(t, o, out, ei);

  mho_err err = check(t, ei);
  if (!err)
    err = mho__seen_spikes_new(t, &s, ei);
  if (err)
    return err;
  err = write_seen(t, o, &s, out, ei);
  mho__seen_spikes_free(&s);
  return err;
}
