/* spiking_cells.h - neurons of one layer of one sample that spike: what fires, and what comes of
 * it, by a clock and between events alike.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DYNAMICS_SPIKING_CELLS_H
#define MHO_DYNAMICS_SPIKING_CELLS_H

#include <math.h>

#include "settle/links.h"

/** Variables of the dynamics, as its table lists them. */
enum {
  POTENTIAL,
  THRESHOLD,
  SPIKE,
  ARRIVED,
  SYNAPSE,
  INHIBITION,
  HELD,
  COUNT,
  PAST,
  DELAYED,
  STEPS,
  PHASE,
  DUE,
  LINE,
  AWAITED,
  FIRED,
  ADAPTED,
  TIME,
  NEXT,
  UNTIL,
};

static inline const mho_spiking_config *mho__spiking_config(const mho_phase *p) {
  return p->net->spiking;
}

/** Whether inputs are read as they are. */
static inline bool mho__spiking_is_direct(const mho_phase *p) {
  return p->thread->encode->kind == MHO_ENCODE_DIRECT;
}

/** Whole steps of a time, as many as a float counts. */
static inline int mho__spiking_steps(double time, double dt) {
  return (int)fmin(round(time / dt), 1 << 24);
}

/** Whether thresholds go on from sample to sample of a training. */
static inline bool mho__spiking_adapts(const mho_spiking_config *c) {
  return c->law == MHO_THRESHOLD_SPIKE || c->law == MHO_THRESHOLD_TARGET;
}

/** Whether the dynamics hears a link in every step, or with every spike. */
static inline bool mho__spiking_hears(const mho_phase *p, const mho_link *k) {
  bool is_held = k->from == 0 && mho__spiking_is_direct(p);
  return !is_held && (mho_link_settles(k) || k->role == MHO_CONTEXT);
}

/** s for which spikes are under way on a link, beyond a step of the clock. */
double mho__spiking_delay(const mho_spiking_config *c, mho_role role);

/** One layer of one sample. */
typedef struct mho_lif {
  const mho_spiking_config *c;
  const mho_tick *tick;
  int n;
  const double *tau;     /**< [n] over the nominal one; NULL: all 1 */
  const mho_real *drive; /**< [n] of direct inputs; NULL: there are none now */
  const mho_real *arrived;
  const double *synapse, *inhibition;
  double *u, *theta;
  mho_real *spike, *held, *count;
  double *until; /**< [n] of events: s until which they are held; NULL by a clock */
} mho_lif;

mho_lif mho__lif_of(const mho_phase *p, int l, int s, const mho_tick *tick);

/** What a current of 1, which decays with tau_s = ratio tau, adds to a potential in pace tau. */
static inline double mho__lif_share(double ratio, double pace) {
  if (fabs(ratio - 1) < 1e-9)
    return pace * exp(-pace);
  return ratio / (ratio - 1) * (exp(-pace / ratio) - exp(-pace));
}

/** Neurons at their threshold fire, but those that are held; of several one alone, where the config
 *  has it so. @return how many. */
int mho__lif_fire(const mho_lif *k, const mho_phase *p, int l, int s);
/** Neurons that have fired start anew, and are held. */
void mho__lif_reset(const mho_lif *k);
/** The line that all neurons of the layer share, after some have fired: what it does to the others.
 *  Nothing without one. */
void mho__lif_inhibit(const mho_lif *k, mho_meter *meter);
/** The threshold of the layer follows how many have fired. */
void mho__lif_follow_layer(const mho_lif *k, int fired);
/** Thresholds that go on from sample to sample, where the samples are learned from. */
void mho__lif_adapt(const mho_lif *k, const mho_phase *p, int l);

#endif
