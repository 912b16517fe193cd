/* under_way.c - spikes under way between events, on links with delays.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/under_way.h"

#include <math.h>

/* Spikes of a neuron that a lane has room for, and more that all share. */
enum { EACH = 4, SHARED = 256 };

mho_err mho__under_way_new(const mho_network *net, mho_under_way **out, mho_errinfo *ei) {
  mho_under_way *w = mho_alloc(1, sizeof *w);
  bool ok = w != NULL;
  for (int l = 0; ok && l < net->n_layers; l++)
    w->capacity += EACH * net->layer[l].n;
  if (ok)
    w->capacity += SHARED;
  for (int i = 0; ok && i < MHO_LANES; i++) {
    w->lane[i].spike = mho_alloc((size_t)w->capacity, sizeof *w->lane[i].spike);
    ok = w->lane[i].spike != NULL;
  }

  if (!ok) {
    mho__under_way_free(w);
    w = NULL;
  }
  *out = w;
  return ok ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for spikes under way");
}

void mho__under_way_free(mho_under_way *w) {
  if (!w)
    return;
  for (int i = 0; i < MHO_LANES; i++)
    mho_free(w->lane[i].spike);
  mho_free(w);
}

void mho__under_way_clear(mho_under_way *w) {
  w->is_full = false;
  for (int i = 0; i < MHO_LANES; i++)
    w->lane[i].first = w->lane[i].n = 0;
}

void mho__under_way_send(mho_under_way *w, mho_lane_kind lane, mho_spike spike) {
  mho_lane *to = &w->lane[lane];
  w->is_full |= to->n == w->capacity;
  if (to->n < w->capacity)
    to->spike[(to->first + to->n++) % w->capacity] = spike;
}

int mho__under_way_arrived(const mho_under_way *w, mho_lane_kind lane, double t) {
  int n = w->lane[lane].n;
  for (int i = 0; i < n; i++)
    if (mho__under_way_spike(w, lane, i).due > t)
      return i;
  return n;
}

void mho__under_way_take(mho_under_way *w, mho_lane_kind lane, int n) {
  w->lane[lane].first = (w->lane[lane].first + n) % w->capacity;
  w->lane[lane].n -= n;
}

double mho__under_way_next(const mho_under_way *w) {
  double soonest = INFINITY;
  for (int i = 0; i < MHO_LANES; i++)
    if (w->lane[i].n > 0)
      soonest = fmin(soonest, mho__under_way_spike(w, (mho_lane_kind)i, 0).due);
  return soonest;
}
