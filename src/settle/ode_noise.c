/* ode_noise.c - state noise: Euler-Maruyama with a step of its own.
 *
 *   tau_i du = (-u + a + n) dt + sigma sqrt(2 tau_i) dB
 *
 * White: an isolated linear neuron has variance sigma^2 in theory, and sigma^2/(1 - h/2) with steps of h tau_i: 0.5 %
 * more at the default of 0.01. 1/f: n is the sum of ODE_FLICKER relaxations (Ornstein-Uhlenbeck) with time constants
 * 1, 10, .. 1e4 tau and equal variances, whose spectrum is 1/f between them; each is advanced exactly, drawn from its
 * stationary distribution when the free phase begins and carried on into the nudged phases, so that what is slow
 * is common to both.
 *
 * Source: P. Kloeden, E. Platen, Numerical Solution of Stochastic Differential Equations, Springer (1992), 10.2; the
 * sum of relaxations: A. van der Ziel, Physica 16:359 (1950).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "settle/ode.h"

/* What row r draws in a step: neurons x (white, then the relaxations). Steps are numbered within update and phase; a
 * phase has fewer than ODE_NOISE_STEPS. */
static void draw(ode_workspace *w, int r, int step) {
  const ode_circuit *c = &w->circuit;
  size_t n = (size_t)c->n_neurons * (c->p->flicker > 0 ? 1 + ODE_FLICKER : 1);
  const mho_clock *clock = &c->job->clock;
  uint64_t number = mho_step_states(clock->update, clock->phase, step);
  mho_rng_normal(c->net->state_noise, number, (uint64_t)(c->row0 + r) * ((n + 3) / 4 * 4), n,
                 w->normal);
}

/* A row's relaxations: behind the states in its memory. */
static double *relaxations(const ode_circuit *c, int r) {
  const mho_state *s = c->job->s;
  return s->memory + (size_t)(c->row0 + r) * s->memory_size + c->n_states;
}

static void begin_flicker(ode_workspace *w) {
  ode_circuit *c = &w->circuit;
  const mho_state *start = c->job->start;
  size_t n = (size_t)c->n_neurons * ODE_FLICKER;
  double each = c->p->flicker / sqrt(ODE_FLICKER);
  for (int r = 0; r < c->real_rows; r++) {
    double *x = relaxations(c, r);
    if (start) {
      memcpy(x, start->memory + (size_t)(c->row0 + r) * start->memory_size + c->n_states,
             n * sizeof *x);
      continue;
    }
    draw(w, r, 0);
    for (size_t i = 0; i < n; i++)
      x[i] = each * (double)w->normal[(size_t)c->n_neurons + i];
  }
}

/* Advance row r's relaxations by h and return their sum for neuron i. */
static double flicker(const ode_circuit *c, const float *normal, double *x, int i,
                      const double *keep, double each) {
  double sum = 0;
  for (int k = 0; k < ODE_FLICKER; k++) {
    double *v = &x[k * c->n_neurons + i];
    sum += *v;
    *v = keep[k] * *v +
         each * sqrt(1 - keep[k] * keep[k]) * (double)normal[(1 + k) * c->n_neurons + i];
  }
  return sum;
}

static void add_noise(ode_workspace *w, int r, double h, const double *keep) {
  ode_circuit *c = &w->circuit;
  double each = c->p->flicker / sqrt(ODE_FLICKER);
  for (int l = 1; l < c->net->n_layers - 1; l++) {
    const mho_circuit *k = c->net->layer[l].circuit;
    int n = c->net->layer[l].n;
    double *u = ode_block(c, w->y, c->first[l]) + (size_t)r * (size_t)n;
    for (int i = 0; i < n; i++) {
      double part = h / (k && k->tau ? k->tau[i] : 1);
      u[i] += c->p->white * sqrt(2 * part) * (double)w->normal[c->first[l] + i];
      if (c->p->flicker > 0)
        u[i] += part * flicker(c, w->normal, relaxations(c, r), c->first[l] + i, keep, each);
    }
  }
}

double ode_noise_integrate(ode_workspace *w, double until) {
  ode_circuit *c = &w->circuit;
  int steps = (int)ceil(until / c->p->noise_step - 1e-9), averaged = 0;
  double h = until / steps, keep[ODE_FLICKER];
  for (int k = 0; k < ODE_FLICKER; k++)
    keep[k] = exp(-h / pow(10, k));
  if (c->p->flicker > 0)
    begin_flicker(w);
  for (int l = 1; l < c->net->n_layers - 1; l++)
    memset(c->z[l], 0, (size_t)c->rows * (size_t)c->net->layer[l].n * sizeof(double));
  for (int step = 1; step <= steps; step++) {
    double t = h * (step - 1);
    bool fine = ode_circuit_rates(c, t, w->y, w->f);
    if (step == 1) {
      ode_dose(w, NULL, 0, 0);
      ode_watch(w, 0, 0, NAN);
    }
    for (size_t i = 0, n = (size_t)c->n_states * (size_t)c->rows; i < n && fine; i++)
      w->y[i] += h * w->f[i];
    for (int r = 0; r < c->real_rows && fine; r++) {
      draw(w, r, step);
      add_noise(w, r, h, keep);
    }
    ode_dose(w, NULL, t, h * step);
    ode_watch(w, step, h * step, NAN);
    if (h * step <= until - c->p->average + 1e-9 * until || !(c->p->average > 0))
      continue;
    ode_circuit_activities(c, w->y);
    averaged++;
    for (int l = 1; l < c->net->n_layers - 1; l++)
      for (int i = 0, n = c->rows * c->net->layer[l].n; i < n; i++)
        c->z[l][i] += c->s[l][i];
  }
  w->evaluations = steps;
  ode_circuit_activities(c, w->y);
  for (int l = 1; l < c->net->n_layers - 1 && averaged; l++)
    for (int i = 0, n = c->rows * c->net->layer[l].n; i < n; i++)
      c->s[l][i] = c->z[l][i] / averaged;
  return until;
}
