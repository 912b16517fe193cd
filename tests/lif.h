/* lif.h - a dynamics that is not in the tree: leaky neurons that integrate and fire.
 *
 *   tau du/dt = -u + x W, and where u reaches the threshold the neuron fires and begins at 0 again
 *
 * Its activity is tau times its rate. Between spikes u is I + (u_0 - I) e^(-t/tau). It hears the
 * inputs alone: no other layer, and no error.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TEST_LIF_H
#define MHO_TEST_LIF_H

#include "mho/model/check.h"
#include "settle/links.h"

typedef struct lif {
  double tau, threshold;
} lif;
static const mho_param lif_table[] = {
    MHO_P_REAL(lif, tau, "tau", "s", 20e-3, 1e-6, 10, "time constant of the membrane"),
    MHO_P_REAL(lif, threshold, "threshold", "", 0.1, 1e-6, 10, "where it fires"),
};
enum { CURRENT, MEMBRANE, SPIKES, TIME };
static const mho_var lif_vars[] = {
    {"current", MHO_PER_HIDDEN, false, false},
    {"membrane", MHO_PER_HIDDEN, true, false},
    {"spikes", MHO_PER_HIDDEN, false, false},
    {"time", MHO_PER_SAMPLE, true, false},
};

static void lif_begin(const mho_phase *p, mho_settle_stats *stats) {
  for (int i = 0; i < p->net->n_links; i++) {
    const mho_link *k = &p->net->link[i];
    if (k->from == 0)
      mho__link_read(p, k, mho__values(p->net, mho_phase_input(p)->z, 0, p->row0),
                     mho_vars_real(p->s->vars, CURRENT, k->to, p->row0), k->scale, false, stats);
  }
}

/* u of n neurons after a time without spikes. */
static void relax_membranes(const lif *own, int n, const mho_real *current, double dt, double *u) {
  for (int i = 0; i < n; i++)
    u[i] = (double)current[i] + (u[i] - (double)current[i]) * exp(-dt / own->tau);
}

/* One sample to a time, its membranes and its activities; those at the threshold fire. */
static void move_sample(const mho_phase *p, int s, double t) {
  const lif *own = p->thread->dynamics_params;
  double *time = mho_vars_exact(p->s->vars, TIME, 0, s);

  for (int l = 1; l < mho_hidden_end(p->net); l++) {
    int n = p->net->layer[l].n;
    double *u = mho_vars_exact(p->s->vars, MEMBRANE, l, s);
    mho_real *spikes = mho_vars_real(p->s->vars, SPIKES, l, s);
    mho_real *z = mho__values(p->net, p->s->z, l, s);
    relax_membranes(own, n, mho_vars_real(p->s->vars, CURRENT, l, s), t - *time, u);
    for (int i = 0; i < n; i++) {
      if (u[i] >= own->threshold * (1 - 1e-12)) {
        u[i] = 0;
        spikes[i]++;
      }
      z[i] = (mho_real)(own->tau * (double)spikes[i] / t);
    }
  }
  *time = t;
}

static void lif_step(const mho_phase *p, const mho_tick *tick, mho_settle_stats *stats) {
  for (int s = p->row0; s < p->row0 + p->n; s++)
    move_sample(p, s, *mho_vars_exact(p->s->vars, TIME, 0, s) + tick->dt);
}

static double lif_next(const mho_phase *p, int s) {
  const lif *own = p->thread->dynamics_params;
  double soonest = INFINITY;
  for (int l = 1; l < mho_hidden_end(p->net); l++) {
    const mho_real *current = mho_vars_real(p->s->vars, CURRENT, l, s);
    const double *u = mho_vars_exact(p->s->vars, MEMBRANE, l, s);
    for (int i = 0; i < p->net->layer[l].n; i++) {
      double I = (double)current[i];
      if (I > own->threshold)
        soonest = fmin(soonest, own->tau * log((I - u[i]) / (I - own->threshold)));
    }
  }
  return *mho_vars_exact(p->s->vars, TIME, 0, s) + soonest;
}

static void lif_event(const mho_phase *p, int s, double t, mho_settle_stats *stats) {
  move_sample(p, s, t);
}

/* One layer, next to the input; and what learns from an error learns at the read-out alone. */
static mho_err lif_check(const mho_experiment *e, mho_errinfo *why) {
  const mho_reals *rates = &e->update.rates;
  bool is_chain = !((const mho_topology *)e->topology.entry)->own_layers;
  bool tries = ((const mho_rule *)e->rule.entry)->trial != NULL;

  if (!is_chain || e->network.hidden.n != 1)
    return mho_fail(
        why, MHO_ECONFIG,
        "dynamics.name: neurons of '%s' hear the input alone: set network.hidden to one "
        "layer, of topology layered",
        e->dynamics.entry->id);
  if (!tries && (rates->n != 2 || rates->v[0] != 0))
    return mho_fail(
        why, MHO_ECONFIG,
        "dynamics.name: no error reaches the neurons of '%s', from which rule.name '%s' "
        "would learn: set update.rates to [0, RATE], or use rule perturb",
        e->dynamics.entry->id, e->rule.entry->id);
  return MHO_OK;
}

static const char *lif_idle(const mho_experiment *e, const char *key) {
  static const char *const of_links[] = {"feedback.scale", "feedback.per", "network.forward_scale"};
  if (!strncmp(key, "neuron.", 7) || !strcmp(key, "network.neuron"))
    return "neurons fire (dynamics.name)";

  for (int i = 0; i < MHO_COUNT(of_links); i++)
    if (!strcmp(key, of_links[i]))
      return "neurons hear the input alone (dynamics.name)";
  return NULL;
}

static const mho_dynamics dynamics_lif = {
    .entry = {.abi = MHO_ABI,
              .id = "test_lif",
              .title = "neurons that integrate and fire",
              .params = MHO_PARAMS(lif, lif_table),
              .check = lif_check,
              .idle = lif_idle},
    .vars = lif_vars,
    .n_vars = MHO_COUNT(lif_vars),
    .begin = lif_begin,
    .step = lif_step,
    .next = lif_next,
    .event = lif_event,
};

#endif
