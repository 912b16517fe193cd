/* trained_waves.c - the netlist of a trainer's devices under the waveforms of spikes, with the
 * core's own conductances.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/trained_waves.h"

#include <stdio.h>

#include "rule/stdp_waves.h"
#include "spice/netlist_waves.h"
#include "train/seen_spikes.h"
#include "train/spike_rates.h"

/* Conductances of the connections that learn, before a sample and after it. */
typedef struct moved {
  int n;
  double **before, **after; /* [n] of [rows x cols], S */
} moved;

static bool arrays_new(const mho_network *net, double ***out) {
  double **a = mho_alloc((size_t)net->n_trained, sizeof *a);
  bool has_all = a;
  for (int c = 0; has_all && c < net->n_trained; c++) {
    a[c] = mho_alloc(mho_crossbar_cells(net->connection[c].xb), sizeof **a);
    has_all = a[c];
  }
  *out = a;
  return has_all;
}

static void arrays_free(int n, double **a) {
  for (int c = 0; a && c < n; c++)
    mho_free(a[c]);
  mho_free(a);
}

/* The devices that waveforms move: under them there is one a weight. */
static void read_all(const mho_trainer *t, double **out) {
  for (int c = 0; c < t->net->n_trained; c++) {
    const mho_crossbar *x = t->net->connection[c].xb;
    int bank = 0;
    while (bank < x->n_banks - 1 && !mho_crossbar_writes(x, bank))
      bank++;
    for (size_t i = 0; i < mho_crossbar_cells(x); i++)
      out[c][i] = mho_cells_siemens(x->bank[bank], i);
  }
}

static mho_err write_moved(mho_trainer *t, const mho_trained_netlist *o, mho_seen_spikes *s,
                           moved *m, char **out, mho_errinfo *ei) {
  mho_wave row, column;
  mho_timing clock;
  char title[256];
  mho_err err = mho__stdp_waves_of(t->e, &row, &column, ei);
  if (!err && !mho__timing_of(t->e, &clock))
    err = mho_fail(ei, MHO_ENOMEM, "no clock of the steps of an image");
  if (err)
    return err;

  double scale = t->e->settle.time_scale;
  for (int i = 0; i < s->n; i++) /* a waveform begins with the step of its spike */
    s->at[i].time = (s->at[i].step - 1) * clock.dt * scale;

  snprintf(title, sizeof title, "devices of %s under waveforms, test image %d", o->of, o->image);
  mho_netlist_waves n = {.net = t->net,
                         .model = (const mho_device_model *)t->e->device.entry,
                         .params = t->e->device.params,
                         .device = &t->e->device_config,
                         .row = &row,
                         .column = &column,
                         .n = s->n,
                         .spike = s->at,
                         .before = m->before,
                         .after = m->after,
                         .stop = clock.seconds * scale,
                         .neurons = o->neurons,
                         .title = title};
  return mho__netlist_waves_write(&n, out, ei);
}

static mho_err check(const mho_trainer *t, mho_errinfo *ei) {
  if (mho__stdp_normalizes(t->e) > 0)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "rule.normalize: weights that are written before a sample have no circuit of "
                    "waveforms (rule.window): leave it out");
  return mho__netlist_waves_check((const mho_device_model *)t->e->device.entry, t->e->device.params,
                                  &t->e->device_config, ei);
}

mho_err mho__trainer_netlist_waves(mho_trainer *t, const mho_trained_netlist *o, char **out,
                                   mho_errinfo *ei) {
  mho_seen_spikes s;
  moved m = {.n = t->net->n_trained};
  *out = NULL;
  mho_err err = check(t, ei);
  if (!err)
    err = mho__seen_spikes_new(t, &s, ei);
  if (err)
    return err;

  bool has_room = arrays_new(t->net, &m.before) && arrays_new(t->net, &m.after);
  if (!has_room)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the conductances of a network");
  if (!err) {
    read_all(t, m.before);
    err = mho__trainer_watch_training(t, &t->data.test, o->image, mho__seen_spikes_take, &s, ei);
  }
  if (!err && s.failed)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the spikes of an image");
  if (!err) {
    read_all(t, m.after);
    err = write_moved(t, o, &s, &m, out, ei);
  }

  arrays_free(m.n, m.before);
  arrays_free(m.n, m.after);
  mho__seen_spikes_free(&s);
  return err;
}
