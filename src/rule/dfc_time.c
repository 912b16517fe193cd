/* dfc_time.c - control in time, in units of tau_u, the controller's time constant:
 *
 *   e = r* - v_o, or a label less the present answer
 *   tau_u dq/dt = e - alpha u       (leak_on: control; of the integral, e - alpha q)
 *   u = q + k_p e
 *   tau_v dv/dt = -v + a + f        hidden layers, and the read-out with f = u
 *
 * from the free state and q = 0, for so many steps of dt. Euler's go as in the published program:
 * the controller first, then f of all layers from the new u, then layer after layer, each from the
 * new activities of the one before. All of it is by reads: each forward link and each link of
 * controls once a step, at moments of their own, so that neurons average their noise over ratio.
 * GSL's steppers take the equations as they are, all layers at once, over the same time with steps
 * of their own: dfc_steppers.c.
 *
 * A rest of it obeys e = alpha~ u: alpha~ = alpha, and alpha/(1 + alpha k_p) where the integral
 * leaks.
 *
 * Source: A. Meulemans et al., NeurIPS 2021, arXiv 2106.07887, and its program.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "rule/dfc_feedback.h"

/* The controller misses so many times more than without control: it has run away. */
static const double RUNAWAY = 2;

/* ---------------------------------------------------------------- a step */

/* Potentials of a hidden layer, and its activities. */
static void follow(const dfc_run *r, int l, double rate) {
  const mho_real *a = r->w->sums[l], *f = mho__dfc_control(r, l);
  double *v = r->w->v[l];
  mho_real *z = mho__dfc_z(r, l);
  size_t n = mho__rule_count(r->lesson, l);

  for (size_t i = 0; i < n; i++) {
    v[i] += rate * ((double)a[i] + (double)f[i] - v[i]);
    z[i] = (mho_real)v[i];
  }
  mho_layer_activate(&r->lesson->net->layer[l], r->lesson->n, z, z);
}

/* Those of the read-out. noise: on its controls, nullable. */
static void follow_output(const dfc_run *r, double rate, const mho_real *noise) {
  const dfc_workspace *w = r->w;
  const mho_real *a = w->sums[mho_network_output(r->lesson->net)];
  for (int i = 0; i < mho__dfc_controls(r); i++) {
    double f = w->u[i] + (noise ? (double)noise[i] : 0);
    w->potential[i] += rate * ((double)a[i] + f - w->potential[i]);
  }
}

/* Hardware makes and pays every read, and no noisy one repeats. */
static bool input_repeats(const dfc_run *r) {
  return !mho__meter_of(&r->phase) && !mho_network_noisy(r->lesson->net);
}

static void step(const dfc_run *r, int number) {
  int last = mho_network_output(r->lesson->net);
  double rate = r->p->dt / r->p->ratio;
  bool repeats = input_repeats(r);
  r->lesson->thread->step = number;

  mho__dfc_controller(r, r->w->integral);
  mho__dfc_hear(r);
  mho__dfc_lead_back(r);
  const mho_real *noise = mho__dfc_disturb(r);
  for (int l = 1; l <= last; l++) {
    if (!repeats)
      mho__dfc_read_input(r, l);
    mho__dfc_sum(r, l);
    if (l < last)
      follow(r, l, rate);
    else
      follow_output(r, rate, noise);
  }
}

/* ---------------------------------------------------------------- the whole way */

static void begin(const dfc_run *r) {
  dfc_workspace *w = r->w;
  size_t controls = (size_t)mho__dfc_controls(r);
  memset(w->u, 0, controls * sizeof *w->u);
  memset(w->integral, 0, controls * sizeof *w->integral);

  for (int l = 1; l <= mho_network_output(r->lesson->net); l++) {
    size_t n = mho__rule_count(r->lesson, l);
    for (size_t i = 0; w->v[l] && i < n; i++)
      w->v[l][i] = (double)w->sums[l][i];
    if (w->mean_e[l])
      memset(w->mean_e[l], 0, n * sizeof *w->mean_e[l]);
    if (w->mean_z[l])
      memset(w->mean_z[l], 0, n * sizeof *w->mean_z[l]);
  }
}

/* What is learned from are the means. */
static void take_means(const dfc_run *r) {
  int last = mho_network_output(r->lesson->net);
  for (int l = 1; l <= last; l++) {
    size_t bytes = mho__rule_count(r->lesson, l) * sizeof(mho_real);
    memcpy(mho__dfc_error_of(r, l), r->w->mean_e[l], bytes);
    if (l < last)
      memcpy(mho__dfc_z(r, l), r->w->mean_z[l], bytes);
  }
}

static double norm(int n, const double *v) {
  double squares = 0;
  for (int i = 0; i < n; i++)
    squares += v[i] * v[i];
  return sqrt(squares);
}

/* How far the samples' controllers have come: those on their way are counted, those that have run
 * away are lost. */
static void judge(const dfc_run *r) {
  dfc_workspace *w = r->w;
  int n = w->classes;
  double tolerance = r->p->tolerance > 0 ? r->p->tolerance : 0.05;

  for (int s = 0; s < r->lesson->n; s++) {
    size_t at = (size_t)s * (size_t)n;
    double *f = w->f + at, first = norm(n, w->first + at);
    mho__dfc_error(r, s, w->potential + at, f);
    for (int i = 0; i < n; i++)
      f[i] -= r->leak * w->u[at + (size_t)i];

    double miss = norm(n, f);
    w->lost[s] = !(miss <= RUNAWAY * fmax(first, mho__dfc_unit(r->p)));
    r->stats->unsettled += w->lost[s] || miss > tolerance * fmax(first, 0.1 * mho__dfc_unit(r->p));
  }
}

/* Euler's steps. */
static void take_steps(const dfc_run *r) {
  mho__dfc_hear_begin(r);
  for (int k = 0; k < r->p->steps; k++) {
    step(r, k);
    if (r->p->read == DFC_MEAN)
      mho__dfc_add_to_means(r, 1 / (double)r->p->steps);
  }
  r->stats->steps += (double)r->p->steps * r->lesson->n;
}

void mho__dfc_run(const dfc_run *r) {
  begin(r);
  if (r->p->integrate == DFC_EULER)
    take_steps(r);
  else
    mho__dfc_integrate(r);

  judge(r);
  if (r->p->read == DFC_MEAN)
    take_means(r);
}
