/* topology_check.c - what a topology of any kind needs of the others that are chosen.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "network/topology_check.h"

/* Layers are listed in one place. */
static mho_err takes_hidden(const mho_experiment *e, mho_errinfo *ei) {
  const mho_topology *topology = (const mho_topology *)e->topology.entry;
  const mho_param *hidden = mho_params_find(mho_network_params, "hidden");
  if (!topology->own_layers || mho_param_is_default(hidden, &e->network))
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "network.hidden: topology %s takes all layers from network.%s: put them there",
                  topology->entry.id, topology->entry.params.p[0].name);
}

/* Observables are those of a chain or a graph of layers. */
static mho_err can_be_observed(const mho_experiment *e, mho_errinfo *ei) {
  const mho_topology *topology = (const mho_topology *)e->topology.entry;
  const mho_observe_config *o = &e->observe;
  const char *key = NULL;

  if (o->spectral_radius)
    key = "spectral_radius";
  else if (o->lyapunov)
    key = "lyapunov";
  else if (o->settling)
    key = "settling";

  if (!topology->own_layers || !key)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "observe.%s: not for topology %s: only the cosine is observed there", key,
                  topology->entry.id);
}

mho_err mho__topology_check(const mho_experiment *e, mho_errinfo *ei) {
  mho_err err = takes_hidden(e, ei);
  return err ? err : can_be_observed(e, ei);
}
