/* follows.c - what follows from what an experiment has chosen, and why keys have no effect then.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/check.h"
#include "settle/settler_check.h"

bool mho_experiment_has_cells(const mho_experiment *e) {
  return ((const mho_device_model *)e->device.entry)->pulse != NULL;
}

bool mho_experiment_only_writes(const mho_experiment *e) {
  return mho_experiment_has_cells(e) && e->device_config.only_written;
}

bool mho_experiment_has_pulses(const mho_experiment *e) {
  return mho_experiment_has_cells(e) && ((const mho_scheme *)e->scheme.entry)->needs_pulses;
}

static bool settles(const mho_experiment *e) {
  return !((const mho_rule *)e->rule.entry)->feed_forward;
}

bool mho_experiment_counts_energy(const mho_experiment *e) {
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  bool is_metered = !settler->unmetered || !settles(e);
  return e->energy.count && mho_experiment_has_cells(e) && is_metered;
}

bool mho_experiment_in_time(const mho_experiment *e) {
  return settles(e) && ((const mho_settler *)e->settler.entry)->in_time;
}

bool mho_experiment_direct(const mho_experiment *e) {
  return e->settle.difference != MHO_DIFFERENCE_SUBTRACT && !mho__settler_subtracts(e);
}

bool mho_experiment_reads_exactly(const mho_experiment *e) {
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  const mho_device_config *device = &e->device_config;
  bool is_noisy = mho_array_is_noisy(array, e->array.params);
  bool is_lossy = mho_array_is_lossy(array, e->array.params);
  bool is_bent = device->iv.law != MHO_IV_OHMIC || mho_device_reads_noisy(device);
  return !is_noisy && !is_lossy && !(array->shows_cells && mho_experiment_has_cells(e) && is_bent);
}

bool mho_experiment_normalizes(const mho_experiment *e) {
  bool has_pulses = ((const mho_scheme *)e->scheme.entry)->needs_pulses;
  int rates = e->update.layer_rates, scale = e->gradient.scale;

  if (rates == MHO_LAYER_RATES_EQUAL || (rates == MHO_LAYER_RATES_AUTO && has_pulses))
    return true;
  return scale == MHO_GRADIENT_NORMALIZED ||
         (scale == MHO_GRADIENT_AUTO && mho_experiment_direct(e));
}

/* ---------------------------------------------------------------- without effect */

const char *mho_idle_never(const mho_experiment *e) {
  (void)e;
  return NULL;
}

const char *mho_idle_without_cells(const mho_experiment *e) {
  return mho_experiment_has_cells(e) ? NULL : "there are no devices (device.model: ideal)";
}

const char *mho_idle_without_pulses(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  if (why || mho_experiment_has_pulses(e))
    return why;
  return "weights are set without pulses (update.scheme: exact)";
}

const char *mho_idle_without_settling(const mho_experiment *e) {
  return settles(e) ? NULL : "nothing settles (rule.name: activities are passed forward)";
}

const char *mho_idle_without_nudge(const mho_experiment *e) {
  const char *why = mho_idle_without_settling(e);
  if (why || ((const mho_rule *)e->rule.entry)->n_states)
    return why;
  return "there is one phase only (rule.name)";
}

const char *mho_idle_without_resistors(const mho_experiment *e) {
  bool has = ((const mho_dynamics *)e->dynamics.entry)->resistors;
  return has ? NULL : "neurons are no nodes between resistors (dynamics.name)";
}

const char *mho_idle_without_spikes(const mho_experiment *e) {
  bool has = ((const mho_dynamics *)e->dynamics.entry)->spikes;
  return has ? NULL : "neurons do not spike (dynamics.name)";
}

const char *mho_idle_without_time(const mho_experiment *e) {
  const char *why = mho_idle_without_settling(e);
  if (why || mho_experiment_in_time(e))
    return why;
  return "neurons are not in continuous time (settle.method: ode)";
}
