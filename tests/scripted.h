/* scripted.h - for tests of what learns from spikes: neurons that fire when a script says so.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TEST_SCRIPTED_H
#define MHO_TEST_SCRIPTED_H

#include "experiment.h"
#include "mho/model/check.h"
#include "settle/links.h"
#include "settle/votes.h"

/* Whether unit i of a layer fires in step t. */
static bool (*script)(const mho_phase *p, int layer, int i, int t);

static const mho_var scripted_vars[] = {
    {"spike", MHO_PER_NEURON, false, false},
    MHO_VOTES_VARIABLES,
};

static void scripted_begin(const mho_phase *p, mho_settle_stats *stats) {
  for (int s = p->row0; s < p->row0 + p->n; s++)
    memset(mho__values(p->net, p->s->z, 1, s), 0, (size_t)p->net->layer[1].n * sizeof(mho_real));
}

static void scripted_step(const mho_phase *p, const mho_tick *tick, mho_settle_stats *stats) {
  for (int l = 0; l < 2; l++)
    for (int s = p->row0; s < p->row0 + p->n; s++)
      for (int i = 0; i < p->net->layer[l].n; i++) {
        bool fires = script(p, l, i, tick->number);
        mho_vars_real(p->s->vars, 0, l, s)[i] = fires;
        if (l == 1 && fires)
          mho__values(p->net, p->s->z, 1, s)[i] += 1;
      }
}

/* The same between events: what fires at which time, one after another. */
static struct {
  double t;
  int layer, i;
} script_at[16];
static int script_events, script_done;

static double scripted_next(const mho_phase *p, int sample) {
  return script_done < script_events ? script_at[script_done].t : (double)INFINITY;
}

static void scripted_event(const mho_phase *p, int sample, double t, mho_settle_stats *stats) {
  for (int l = 0; l < 2; l++)
    memset(mho_vars_real(p->s->vars, 0, l, sample), 0,
           (size_t)p->net->layer[l].n * sizeof(mho_real));
  if (script_done == script_events || script_at[script_done].t != t)
    return;
  mho_vars_real(p->s->vars, 0, script_at[script_done].layer, sample)[script_at[script_done].i] = 1;
  script_done++;
}

static const mho_dynamics scripted = {
    .entry = {.abi = MHO_ABI, .id = "test_script", .title = "neurons that follow a script"},
    .vars = scripted_vars,
    .n_vars = MHO_COUNT(scripted_vars),
    .begin = scripted_begin,
    .spikes = true,
    .step = scripted_step,
    .next = scripted_next,
    .event = scripted_event,
};

static inline int setup_scripted(void **state) {
  if (setup_registry(state))
    return -1;
  OK(mho_registry_add(registry, MHO_KIND_DYNAMICS, &scripted.entry, &ei));
  return 0;
}

#endif
