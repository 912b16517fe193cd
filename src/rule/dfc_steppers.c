/* dfc_steppers.c - deep feedback control in time by GSL's steppers.
 *
 *   dv/dt = (-v + a + f)/ratio    hidden layers and, with f = u, the read-out
 *   dq/dt = e - alpha u,  u = q + k_p e         (e - alpha q where the integral leaks)
 *
 * in units of tau_u, from a and f of the present potentials: all layers at once. The samples of a
 * lesson are one system; those that are missing in a smaller one stay 0. All reads of a lesson have
 * the same noise, and count as one of every link.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "rule/dfc.h"

enum { STEPS_EACH = 64 }; /* of a stepper's for one of Euler's: more are given up */

/* The error allowed a step, over the tolerance, and a step to begin with, over ratio. */
static const double ERROR = 0.01, FIRST_STEP = 0.1;

/* ---------------------------------------------------------------- the equations */

/* The potentials y as states of the network. */
static void take_potentials(const dfc_run *r, const double *y) {
  dfc_workspace *w = r->w;
  int last = mho_network_output(r->lesson->net);
  memcpy(w->potential, y + w->at[last], (size_t)mho__dfc_controls(r) * sizeof *y);
  memcpy(w->integral, y + w->at_q, (size_t)mho__dfc_controls(r) * sizeof *y);

  for (int l = 1; l < last; l++) {
    mho_real *z = mho__dfc_z(r, l);
    size_t n = mho__rule_count(r->lesson, l);
    memcpy(w->v[l], y + w->at[l], n * sizeof *y);
    for (size_t i = 0; i < n; i++)
      z[i] = (mho_real)w->v[l][i];
    mho_layer_activate(&r->lesson->net->layer[l], r->lesson->n, z, z);
  }
}

/* u from the read-out and the integral, into the network, and dq/dt. */
static void control(const dfc_run *r, double *rate) {
  dfc_workspace *w = r->w;
  mho_real *u = mho__dfc_control(r, mho_network_output(r->lesson->net));
  mho__dfc_see(r);

  for (int i = 0; i < mho__dfc_controls(r); i++) {
    w->u[i] = w->integral[i] + r->p->proportional * w->f[i];
    u[i] = (mho_real)w->u[i];
    rate[w->at_q + i] = mho__dfc_integral_rate(r, i, w->integral[i]);
  }
}

/* The states at y, and dy/dt where it is asked for; whether all is finite. */
static bool look(const dfc_run *r, const double *y, double *rate) {
  dfc_workspace *w = r->w;
  int last = mho_network_output(r->lesson->net);
  bool is_finite = true;

  take_potentials(r, y);
  control(r, rate);
  mho__dfc_lead_back(r);
  for (int l = 1; l <= last; l++) {
    const mho_real *f = mho__dfc_control(r, l);
    size_t n = mho__rule_count(r->lesson, l);
    mho__dfc_sum(r, l);
    for (size_t i = 0; i < n; i++) {
      size_t at = (size_t)w->at[l] + i;
      double in = (double)w->sums[l][i] + (l < last ? (double)f[i] : w->u[i]);
      rate[at] = (in - y[at]) / r->p->ratio;
      is_finite &= isfinite(rate[at]);
    }
  }
  return is_finite;
}

static bool rates(void *user, double t, const double *y, double *dydt) {
  const dfc_workspace *w = user;
  memset(dydt, 0, (size_t)w->numbers * sizeof *dydt);
  return look(w->run, y, dydt);
}

mho_err mho__dfc_stepper_new(const mho_network *net, const dfc_params *p, dfc_workspace *w,
                             mho_errinfo *ei) {
  for (int l = 1; l < net->n_layers; l++) {
    w->at[l] = w->numbers;
    w->numbers += w->n * net->layer[l].n;
  }
  w->at_q = w->numbers;
  w->numbers += w->n * w->classes;

  w->y = mho_alloc(2 * (size_t)w->numbers, sizeof *w->y);
  if (!w->y)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the control of %d samples", w->n);
  mho_ode_system system = {.n = w->numbers, .rates = rates};
  return mho_ode_new((mho_ode_method)(p->integrate - 1), &system, &w->ode, ei);
}

/* ---------------------------------------------------------------- the way */

static void begin(const dfc_run *r) {
  dfc_workspace *w = r->w;
  int last = mho_network_output(r->lesson->net);
  memset(w->y, 0, (size_t)w->numbers * sizeof *w->y);
  for (int l = 1; l < last; l++)
    memcpy(w->y + w->at[l], w->v[l], mho__rule_count(r->lesson, l) * sizeof *w->y);
  memcpy(w->y + w->at[last], w->potential, (size_t)mho__dfc_controls(r) * sizeof *w->y);
}

static double tolerance_of(const dfc_run *r) {
  if (r->p->tolerance > 0)
    return r->p->tolerance;
  return sizeof(mho_real) == 8 ? 1e-8 : 1e-3;
}

void mho__dfc_integrate(const dfc_run *r) {
  mho_settle_stats unused = {0};
  dfc_run quiet = mho__dfc_uncounted(r, &unused);
  dfc_workspace *w = r->w;
  double end = r->p->dt * (double)r->p->steps, t = 0, error = ERROR * tolerance_of(r);
  double *rate = w->y + w->numbers;

  r->lesson->thread->step = 0;
  w->run = &quiet;
  begin(r);
  mho_ode_start(w->ode, w, fmin(FIRST_STEP * r->p->ratio, end), error * mho__dfc_unit(r->p), error);
  for (int64_t k = 0; t < end && k < STEPS_EACH * r->p->steps; k++) {
    double before = t;
    if (mho_ode_step(w->ode, &t, end, w->y, NULL)) /* it ran away, which is judged from here */
      break;
    if (r->p->read == DFC_MEAN) {
      look(&quiet, w->y, rate);
      mho__dfc_add_to_means(&quiet, (t - before) / end);
    }
  }

  look(r, w->y, rate); /* the one read that counts */
  r->stats->steps += r->lesson->n;
}
