/* standing.c - where a training stands, and what it has counted in the epoch under way.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "train/standing.h"

/* Whether hidden layers are joined by wires: analog neurons, clocked or in continuous time. */
static bool is_analog(const mho_experiment *e) {
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  return mho_array_converters_of(array, e->array.params).analog || mho_experiment_in_time(e);
}

/* ---------------------------------------------------------------- memory */

mho_err mho__standing_new(const mho_experiment *e, const mho_network *net, mho_standing *s,
                          mho_errinfo *ei) {
  size_t trained = (size_t)net->n_trained;
  *s = (mho_standing){.n_trained = net->n_trained};
  s->taught = mho_alloc(trained, sizeof *s->taught);
  s->pulses = mho_alloc(trained, sizeof *s->pulses);
  s->writes = mho_alloc(trained, sizeof *s->writes);
  if (!s->taught || !s->pulses || !s->writes)
    return mho_fail(ei, MHO_ENOMEM, "no memory to count pulses");
  return mho_experiment_counts_energy(e) ? mho_meter_new(net, is_analog(e), &s->meter, ei) : MHO_OK;
}

void mho__standing_free(mho_standing *s) {
  mho_free(s->taught);
  mho_free(s->pulses);
  mho_free(s->writes);
  mho_meter_free(s->meter);
}

/* ---------------------------------------------------------------- counts */

void mho__standing_teach_all(mho_standing *s) {
  for (int c = 0; c < s->n_trained; c++)
    s->taught[c] = s->update;
}

void mho__standing_begin_epoch(mho_standing *s) {
  size_t trained = (size_t)s->n_trained;
  s->sums = (mho_epoch_sums){0};
  memset(s->pulses, 0, trained * sizeof *s->pulses);
  memset(s->writes, 0, trained * sizeof *s->writes);
  if (s->meter)
    mho_meter_clear(s->meter);
}

void mho__standing_count(mho_standing *s, int connection, const mho_pulse_counts *c) {
  mho_epoch_sums *sums = &s->sums;
  mho_writes *w = &s->writes[connection];

  sums->set += c->set;
  sums->reset += c->reset;
  sums->clipped += c->clipped;
  sums->truncated += c->truncated;
  sums->verify_reads += c->reads;
  s->pulses[connection] += c->set + c->reset;

  w->reads += c->reads;
  w->slots += c->slots;
  w->coincided += c->coincided;
  w->half += c->half;
}
