/* dynamics_check.c - what a dynamics of any kind needs of the others that are chosen.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "dynamics/dynamics_check.h"

/* Observables are those of the map of neurons at rest. */
static mho_err can_be_observed(const mho_experiment *e, mho_errinfo *ei) {
  const mho_dynamics *dynamics = (const mho_dynamics *)e->dynamics.entry;
  const mho_observe_config *o = &e->observe;
  bool any = o->spectral_radius || o->lyapunov || o->settling || o->cosine;
  if (!any || dynamics->relax)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "dynamics.name: the neurons of '%s' do not rest, and what section observe asks "
                  "for is of neurons that do: leave observe out, or use dynamics rate",
                  dynamics->entry.id);
}

/* Outputs that hold states are neurons that an error enters. */
static mho_err knows_outputs(const mho_experiment *e, mho_errinfo *ei) {
  const mho_dynamics *dynamics = (const mho_dynamics *)e->dynamics.entry;
  if (e->network.output != MHO_OUTPUT_STATE || dynamics->outputs_states)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "network.output: no error enters the neurons of dynamics.name '%s', as it does "
                  "where outputs hold states: use dynamics rate, or network.output linear",
                  dynamics->entry.id);
}

/* Neurons that are counted, or looked into, are such that spike. */
static mho_err has_spikes(const mho_experiment *e, mho_errinfo *ei) {
  const mho_dynamics *dynamics = (const mho_dynamics *)e->dynamics.entry;
  bool is_asked = e->network.output >= MHO_OUTPUT_COUNTS;
  bool is_shown = e->network.context != MHO_CONTEXT_NONE;
  if (dynamics->spikes || !(is_asked || is_shown))
    return MHO_OK;
  if (is_asked)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.output: counts, membrane and goodness are of neurons that spike, and "
                    "those of dynamics.name '%s' do not: use dynamics spiking, or another output",
                    dynamics->entry.id);
  return mho_fail(ei, MHO_ECONFIG,
                  "network.context: no neuron of dynamics.name '%s' hears a label: use dynamics "
                  "spiking, or context none",
                  dynamics->entry.id);
}

mho_err mho__dynamics_check(const mho_experiment *e, mho_errinfo *ei) {
  const mho_dynamics *dynamics = (const mho_dynamics *)e->dynamics.entry;
  mho_err err = dynamics->check ? dynamics->check(e->dynamics.params, ei) : MHO_OK;
  if (!err)
    err = knows_outputs(e, ei);
  if (!err)
    err = has_spikes(e, ei);
  return err ? err : can_be_observed(e, ei);
}
