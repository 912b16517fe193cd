/* under_way.h - spikes under way between events, on links with delays.
 *
 * Links of a role share a delay, so that what they carry arrives in the order in which it was
 * fired: a lane for each role.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_UNDER_WAY_H
#define MHO_SETTLE_UNDER_WAY_H

#include "mho/model/settle.h"

/** Forward links and those of context; between neurons of a layer; back. */
typedef enum mho_lane_kind { MHO_LANE_FORWARD, MHO_LANE_LATERAL, MHO_LANE_BACK } mho_lane_kind;
enum { MHO_LANES = 3 };

typedef struct mho_spike {
  double due; /**< s, when it arrives */
  int layer, unit;
} mho_spike;

/** A ring. */
typedef struct mho_lane {
  mho_spike *spike; /**< [capacity of mho_under_way] */
  int first, n;
} mho_lane;

typedef struct mho_under_way {
  mho_lane lane[MHO_LANES];
  int capacity;
  bool is_full; /**< a spike found no room since they were cleared: it is lost */
} mho_under_way;

/** Room for a few spikes of every neuron of a network. @return MHO_OK; MHO_ENOMEM. */
mho_err mho__under_way_new(const mho_network *net, mho_under_way **out, mho_errinfo *ei);
/** NULL is allowed. */
void mho__under_way_free(mho_under_way *w);
/** None is under way any more. */
void mho__under_way_clear(mho_under_way *w);
/** Send one, no earlier than any other of its lane. */
void mho__under_way_send(mho_under_way *w, mho_lane_kind lane, mho_spike spike);
/** How many of a lane have arrived by time t: the first ones. */
int mho__under_way_arrived(const mho_under_way *w, mho_lane_kind lane, double t);
/** The first n of a lane are taken off. */
void mho__under_way_take(mho_under_way *w, mho_lane_kind lane, int n);
/** When the next one arrives; INFINITY: none does. */
double mho__under_way_next(const mho_under_way *w);

/** Number i of a lane. */
static inline mho_spike mho__under_way_spike(const mho_under_way *w, mho_lane_kind lane, int i) {
  return w->lane[lane].spike[(w->lane[lane].first + i) % w->capacity];
}

/** Those of the settler of a phase, which goes from event to event. */
static inline mho_under_way *mho__under_way_of(const mho_phase *p) {
  return p->thread->workspace;
}

#endif
