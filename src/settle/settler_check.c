/* settler_check.c - what a settler of any kind needs of the others that are chosen.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/settler_check.h"

static mho_err can_run_dynamics(const mho_experiment *e, mho_errinfo *ei) {
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  const mho_dynamics *dynamics = (const mho_dynamics *)e->dynamics.entry;
  bool settles = !((const mho_rule *)e->rule.entry)->feed_forward;
  const char *what = settles ? settler->misses(dynamics, e->settler.params) : NULL;
  if (!what)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "settle.method: '%s' %s, which dynamics.name '%s' has not: set one of them to "
                  "another (mho list settlers, mho list dynamics)",
                  settler->entry.id, what, dynamics->entry.id);
}

/* ---------------------------------------------------------------- the difference */

/* Why what reads and drives the neurons leaves no exact difference, or NULL. */
static const char *measured_by(const mho_experiment *e) {
  const mho_dynamics *dynamics = (const mho_dynamics *)e->dynamics.entry;
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  bool is_noisy = mho_array_is_noisy(array, e->array.params);
  bool is_lossy = mho_array_is_lossy(array, e->array.params);

  if (((const mho_device_model *)e->device.entry)->pulse)
    return "on devices the difference is measured: use device.model ideal";
  if (is_noisy || is_lossy)
    return "through noise, converters or amplifiers the difference is measured: "
           "use array.model ideal";
  if (mho_circuit_limited(&e->circuit) && !dynamics->resistors)
    return "of amplifiers that saturate the difference is measured: use neuron.saturation 0";
  return NULL;
}

const char *mho__settler_subtracts(const mho_experiment *e) {
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  const mho_dynamics *dynamics = (const mho_dynamics *)e->dynamics.entry;

  if (!rule->direct_needs)
    return "the rule has one phase only";
  if (!dynamics->difference)
    return "dynamics.name has no equations of it: use rate";
  if (!settler->difference)
    return "settle.method knows only two states: use sweep";
  if (dynamics->rates && settler->in_time)
    return "of a dynamics with rates of its own two states are settled in time: use sweep";

  const char *why = measured_by(e);
  if (!why && settler->direct_needs)
    why = settler->direct_needs(e->settler.params);
  return why ? why : rule->direct_needs(e->rule.params);
}

static mho_err difference_is_direct(const mho_experiment *e, mho_errinfo *ei) {
  bool is_asked = e->settle.difference == MHO_DIFFERENCE_DIRECT;
  const char *why = is_asked ? mho__settler_subtracts(e) : NULL;
  if (!why)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG, "settle.difference: not direct, because %s", why);
}

/* ---------------------------------------------------------------- all of them */

mho_err mho__settler_check(const mho_experiment *e, mho_errinfo *ei) {
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  mho_err err = can_run_dynamics(e, ei);
  if (!err && settler->check)
    err = settler->check(e->settler.params, ei);
  return err ? err : difference_is_direct(e, ei);
}
