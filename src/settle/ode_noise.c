/* ode_noise.c - state noise: Euler-Maruyama with a step of its own.
 *
 *   tau_i du = (-u + a + n) dt + sigma sqrt(2 tau_i) dB
 *
 * White: an isolated linear neuron has variance sigma^2 in theory, and sigma^2/(1 - h/2) with
 * steps of h tau_i: 0.5 % more at the default of 0.01. 1/f: n is the sum of ODE_FLICKER
 * relaxations (Ornstein-Uhlenbeck) with time constants 1, 10, .. 1e4 tau and equal variances,
 * whose spectrum is 1/f between them; each is advanced exactly, drawn from its stationary
 * distribution when the free phase begins and carried on into the nudged phases, so that what is
 * slow is common to both.
 *
 * Source: P. Kloeden, E. Platen, Numerical Solution of Stochastic Differential Equations,
 * Springer (1992), 10.2; the sum of relaxations: A. van der Ziel, Physica 16:359 (1950).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "settle/ode.h"

/* Draw the numbers of sample s in a step: neurons x (white, then the relaxations). Steps are
 * numbered within update and phase; a phase has fewer than ODE_NOISE_STEPS. */
static void draw(ode_workspace *w, int s, int step) {
  const ode_network *o = &w->network;
  size_t n = (size_t)o->n_neurons * (o->p->flicker > 0 ? 1 + ODE_FLICKER : 1);
  const mho_phase *p = o->phase;
  uint64_t number = mho__step_states(p->thread->update, p->number, step);
  mho_rng rng = mho__stream_states_in(o->net->state_noise, p->number);
  mho_rng_normal(rng, number, (uint64_t)(o->sample0 + s) * ((n + 3) / 4 * 4), n, w->normal);
}

/* The relaxations of sample s in a state: behind the other states in its memory. */
static double *relaxations(const ode_network *o, const mho_state *state, int s) {
  return ode_memory(state, o->sample0 + s) + o->n_states;
}

static void begin_flicker(ode_workspace *w) {
  ode_network *o = &w->network;
  const mho_state *start = o->phase->start;
  size_t n = (size_t)o->n_neurons * ODE_FLICKER;
  double each = o->p->flicker / sqrt(ODE_FLICKER);

  for (int s = 0; s < o->real_samples; s++) {
    double *x = relaxations(o, o->phase->s, s);
    if (start) {
      memcpy(x, relaxations(o, start, s), n * sizeof *x);
      continue;
    }
    draw(w, s, 0);
    for (size_t i = 0; i < n; i++)
      x[i] = each * (double)w->normal[(size_t)o->n_neurons + i];
  }
}

/* Advance a sample's relaxations x and return their sum for neuron i. keep: what a step leaves
 * of each. */
static double flicker(const ode_network *o, const float *normal, double *x, int i,
                      const double *keep, double each) {
  double sum = 0;
  for (int k = 0; k < ODE_FLICKER; k++) {
    double *v = &x[k * o->n_neurons + i];
    sum += *v;
    *v = keep[k] * *v +
         each * sqrt(1 - keep[k] * keep[k]) * (double)normal[(1 + k) * o->n_neurons + i];
  }
  return sum;
}

static void add_noise(ode_workspace *w, int s, double h, const double *keep) {
  ode_network *o = &w->network;
  double each = o->p->flicker / sqrt(ODE_FLICKER);

  for (int l = 1; l < mho_hidden_end(o->net); l++) {
    const mho_circuit *k = o->net->layer[l].circuit;
    int n = o->net->layer[l].n, first = o->first[l];
    double *u = ode_block(o, w->y, first) + (size_t)s * (size_t)n;
    for (int i = 0; i < n; i++) {
      double share = h / (k && k->tau ? k->tau[i] : 1); /* of the neuron's time constant */
      u[i] += o->p->white * sqrt(2 * share) * (double)w->normal[first + i];
      if (o->p->flicker > 0)
        u[i] +=
            share * flicker(o, w->normal, relaxations(o, o->phase->s, s), first + i, keep, each);
    }
  }
}

/* One step of length h from time t, w->y += h rates + noise; the state stays where the rates are
 * not finite. */
static void take_step(ode_workspace *w, int step, double t, double h, const double *keep) {
  ode_network *o = &w->network;
  size_t n = ode_numbers(o);
  bool fine = mho__ode_network_rates(o, t, w->y, w->f);
  if (step == 1) {
    mho__ode_dose(w, NULL, 0, 0);
    mho__ode_watch(w, 0, 0, NAN);
  }
  if (!fine)
    return;

  for (size_t i = 0; i < n; i++)
    w->y[i] += h * w->f[i];
  for (int s = 0; s < o->real_samples; s++) {
    draw(w, s, step);
    add_noise(w, s, h, keep);
  }
}

/* o->z += the activities of the state. */
static void add_to_mean(ode_workspace *w) {
  ode_network *o = &w->network;
  mho__ode_network_activities(o, w->y);
  for (int l = 1; l < mho_hidden_end(o->net); l++) {
    size_t n = ode_values(o, l);
    for (size_t i = 0; i < n; i++)
      o->z[l][i] += o->s[l][i];
  }
}

/* o->s = the mean over so many states. */
static void read_mean(ode_network *o, int averaged) {
  for (int l = 1; l < mho_hidden_end(o->net); l++) {
    size_t n = ode_values(o, l);
    for (size_t i = 0; i < n; i++)
      o->s[l][i] = o->z[l][i] / averaged;
  }
}

double mho__ode_noise_integrate(ode_workspace *w, double until) {
  ode_network *o = &w->network;
  int steps = (int)ceil(until / o->p->noise_step - 1e-9), averaged = 0;
  double h = until / steps, keep[ODE_FLICKER], average = o->p->average;
  for (int k = 0; k < ODE_FLICKER; k++)
    keep[k] = exp(-h / pow(10, k));
  if (o->p->flicker > 0)
    begin_flicker(w);
  for (int l = 1; l < mho_hidden_end(o->net); l++)
    memset(o->z[l], 0, ode_values(o, l) * sizeof *o->z[l]);

  for (int step = 1; step <= steps; step++) {
    double t = h * (step - 1);
    take_step(w, step, t, h, keep);
    mho__ode_dose(w, NULL, t, h * step);
    mho__ode_watch(w, step, h * step, NAN);
    if (average > 0 && h * step > until - average + 1e-9 * until) {
      add_to_mean(w);
      averaged++;
    }
  }

  w->evaluations = steps;
  mho__ode_network_activities(o, w->y);
  if (averaged)
    read_mean(o, averaged);
  return until;
}
