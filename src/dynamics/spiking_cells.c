/* spiking_cells.c - neurons of one layer of one sample: what fires, and what comes of it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "dynamics/spiking_cells.h"

#include "base/nonzero.h"
#include "base/streams.h"

double mho__spiking_delay(const mho_spiking_config *c, mho_role role) {
  if (role == MHO_FORWARD || role == MHO_CONTEXT)
    return c->forward_delay;
  return role == MHO_LATERAL ? c->lateral_delay : c->back_delay;
}

mho_lif mho__lif_of(const mho_phase *p, int l, int s, const mho_tick *tick) {
  const mho_vars *v = p->s->vars;
  const mho_circuit *circuit = p->net->layer[l].circuit;
  bool has_drive = mho__spiking_is_direct(p) && p->s->drive[l] && !tick->resting;
  return (mho_lif){.c = mho__spiking_config(p),
                   .tick = tick,
                   .n = p->net->layer[l].n,
                   .tau = circuit ? circuit->tau : NULL,
                   .drive = has_drive ? mho__values(p->net, p->s->drive, l, s) : NULL,
                   .arrived = mho_vars_real(v, ARRIVED, l, s),
                   .synapse = mho_vars_exact(v, SYNAPSE, l, s),
                   .inhibition = mho_vars_exact(v, INHIBITION, l, s),
                   .u = mho_vars_exact(v, POTENTIAL, l, s),
                   .theta = mho_vars_exact(v, THRESHOLD, l, s),
                   .spike = mho_vars_real(v, SPIKE, l, s),
                   .held = mho_vars_real(v, HELD, l, s),
                   .count = mho_vars_real(v, COUNT, l, s)};
}

/* ---------------------------------------------------------------- spikes */

/* Of the neurons that would fire the one that is furthest above its threshold; among equals the
 * one of a random number. */
static void choose_winner(const mho_lif *k, const mho_phase *p, int l, int s) {
  double most = -INFINITY;
  int equals = 0;
  for (int i = 0; i < k->n; i++) {
    double above = k->u[i] - k->theta[i];
    if (k->spike[i] == 0 || above < most)
      continue;
    equals = above > most ? 1 : equals + 1;
    most = above;
  }

  float u;
  uint64_t step = mho__step_read(p->thread->update, p->number, k->tick->number);
  mho_rng_uniform(mho__stream_spikes(p->thread->noise_seed, l), step, (uint64_t)s, 1, &u);
  int left = mho_min((int)(u * (float)equals), equals - 1);
  for (int i = 0; i < k->n; i++) {
    bool is_equal = k->spike[i] > 0 && k->u[i] - k->theta[i] == most;
    k->spike[i] = is_equal && left == 0;
    left -= is_equal;
  }
}

int mho__lif_fire(const mho_lif *k, const mho_phase *p, int l, int s) {
  const double *u = k->u, *theta = k->theta;
  const mho_real *held = k->held;
  mho_real *spike = k->spike;
  bool strict = k->c->strict;
  int fired = 0;

#pragma omp simd
  for (int i = 0; i < k->n; i++) {
    mho_real ready = held[i] == 0 ? 1 : 0;
    spike[i] = (strict ? u[i] > theta[i] : u[i] >= theta[i]) ? ready : 0;
  }
  mho_nonzero spikes = {.n = k->n, .v = spike};
  while (mho__next_nonzero(&spikes) >= 0)
    fired++;
  if (fired < 2 || k->c->winners == MHO_WINNERS_ALL)
    return fired;

  choose_winner(k, p, l, s);
  return 1;
}

/* Where a potential is set to, by its own spike or by those of others. */
static double reset_value(const mho_spiking_config *c) {
  return c->reset == MHO_RESET_VALUE ? c->reset_to : c->rest;
}

/* For how long neurons are held: steps of a clock, or until a time. */
typedef struct holding {
  mho_real steps;
  double until;
} holding;

static holding holding_of(const mho_lif *k, double time) {
  if (k->until)
    return (holding){.until = time > 0 ? k->tick->time + time : 0};
  return (holding){.steps = (mho_real)mho__spiking_steps(time, k->tick->dt)};
}

/* A neuron is held, unless it already is for longer. */
static void hold(const mho_lif *k, int i, holding p) {
  if (k->until)
    k->until[i] = fmax(k->until[i], p.until);
  else
    k->held[i] = k->held[i] > p.steps ? k->held[i] : p.steps;
}

void mho__lif_reset(const mho_lif *k) {
  holding refractory = holding_of(k, k->c->refractory);
  bool subtracts = k->c->reset == MHO_RESET_SUBTRACT;
  mho_nonzero fired = {.n = k->n, .v = k->spike};

  for (int i = mho__next_nonzero(&fired); i >= 0; i = mho__next_nonzero(&fired)) {
    k->u[i] = subtracts ? k->u[i] - k->theta[i] : k->c->reset_to;
    hold(k, i, refractory);
    k->count[i]++;
  }
}

/* ---------------------------------------------------------------- inhibition */

/* The others are reset and held. */
static void reset_others(const mho_lif *k) {
  holding time = holding_of(k, k->c->inhibit_time);
  double to = reset_value(k->c);
  for (int i = 0; i < k->n; i++) {
    if (k->spike[i] > 0)
      continue;
    k->u[i] = to;
    hold(k, i, time);
  }
}

/* The largest of what comes into a neuron of the layer in this step, at least 0. */
static double largest_input(const mho_lif *k) {
  double most = 0;
  for (int i = 0; i < k->n; i++) {
    double in = k->c->synapse == MHO_SYNAPSE_DELTA ? (double)k->arrived[i] : k->synapse[i];
    most = fmax(most, in + (k->drive ? (double)k->drive[i] : 0));
  }
  return most;
}

/* Potentials of the others fall, but of those that are held. */
static void lower_others(const mho_lif *k) {
  bool by_threshold = k->c->inhibit == MHO_INHIBIT_THRESHOLD;
  double strength = k->c->inhibit_strength, most = by_threshold ? 0 : largest_input(k);
  for (int i = 0; i < k->n; i++) {
    double by = by_threshold ? k->theta[i] : most;
    if (k->spike[i] == 0 && k->held[i] == 0)
      k->u[i] -= strength * by;
  }
}

void mho__lif_inhibit(const mho_lif *k, mho_meter *meter) {
  if (k->c->inhibit == MHO_INHIBIT_NONE)
    return;
  if (meter)
    meter->inhibited += k->n;

  if (k->c->inhibit == MHO_INHIBIT_LINE)
    reset_others(k);
  else
    lower_others(k);
}

/* ---------------------------------------------------------------- thresholds */

void mho__lif_follow_layer(const mho_lif *k, int fired) {
  double change = k->c->rate * (fired - 1);
  double least = k->c->least;
  for (int i = 0; i < k->n; i++) {
    double next = k->theta[i] + change;
    k->theta[i] = next > least ? next : least;
  }
}

void mho__lif_adapt(const mho_lif *k, const mho_phase *p, int l) {
  const mho_spiking_config *c = k->c;
  const mho_circuit *circuit = p->net->layer[l].circuit;
  const mho_real *spike = k->spike;
  double *adapted = mho_vars_exact(p->s->vars, ADAPTED, l, 0), *theta = k->theta;
  double kept = exp(-k->tick->dt / c->decay), expected = c->target * k->tick->dt;
  double plus = c->plus, gain = c->gain, least = c->least, nominal = c->threshold;
  const double *spread = circuit ? circuit->threshold : NULL;
  bool decays = c->law == MHO_THRESHOLD_SPIKE;

#pragma omp simd
  for (int i = 0; i < k->n; i++) {
    double own = nominal + (spread ? spread[i] : 0), s = (double)spike[i];
    double raised = decays ? adapted[i] * kept + plus * s : adapted[i] + gain * (s - expected);
    adapted[i] = decays || raised > least - own ? raised : least - own;
    theta[i] = own + adapted[i];
  }
}
