/* scheme_check.c - what a scheme of any kind needs of the others that an experiment has chosen.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/check.h"

static const mho_scheme *scheme_of(const mho_experiment *e) {
  return (const mho_scheme *)e->scheme.entry;
}

/* ---------------------------------------------------------------- schemes that write */

static mho_err scheme_finds_pulses(const mho_experiment *e, mho_errinfo *ei) {
  bool is_met = ((const mho_device_model *)e->device.entry)->pulse || scheme_of(e)->ideal;
  if (!scheme_of(e)->needs_pulses || is_met)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "update.scheme: '%s' needs a device that answers pulses, and '%s' knows none: "
                  "use scheme exact, or set device.model (mho list devices)",
                  e->scheme.entry->id, e->device.entry->id);
}

/* Of some devices only verified writes are published. */
static mho_err scheme_pulses_known_devices(const mho_experiment *e, mho_errinfo *ei) {
  if (!mho_experiment_only_writes(e))
    return MHO_OK;
  if (scheme_of(e)->needs_pulses)
    return mho_fail(ei, MHO_ECONFIG,
                    "update.scheme: '%s' pulses devices, and what pulses do to these is not known "
                    "(device.only_written): use scheme exact, or another device (mho device list)",
                    e->scheme.entry->id);
  if (((const mho_mapping *)e->mapping.entry)->refreshes)
    return mho_fail(ei, MHO_ECONFIG,
                    "device.mapping: '%s' refreshes devices by pulses, and what pulses do to these "
                    "is not known (device.only_written): use another mapping, or another device "
                    "(mho device list)",
                    e->mapping.entry->id);
  return MHO_OK;
}

static mho_err scheme_writes_initial_weights(const mho_experiment *e, mho_errinfo *ei) {
  if (e->initial.how != MHO_INITIAL_SCHEME || scheme_of(e)->apply)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "program.initial: scheme '%s' writes outer products of samples, not any matrix: "
                  "use exact, or another update.scheme",
                  e->scheme.entry->id);
}

static mho_err selection_has_pulses(const mho_experiment *e, mho_errinfo *ei) {
  if (!mho_array_half_selects(&e->array_config) || scheme_of(e)->needs_pulses)
    return MHO_OK;

  return mho_fail(ei, MHO_ECONFIG,
                  "array.write.select: scheme '%s' writes without pulses, so other cells see none: "
                  "leave it out, or use a scheme that pulses (mho list schemes)",
                  e->scheme.entry->id);
}

static mho_err selection_of_many_lines(const mho_experiment *e, mho_errinfo *ei) {
  if (e->array_config.write_select != MHO_WRITE_THIRD || !scheme_of(e)->draw)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "array.write.select: scheme '%s' pulses many lines at once, "
                  "by half of the voltage each: use half or transistor",
                  e->scheme.entry->id);
}

/* ---------------------------------------------------------------- schemes that take samples */

static mho_err samples_have_no_gradient(const mho_experiment *e, mho_errinfo *ei) {
  const mho_update_config *u = &e->update;
  if (!scheme_of(e)->draw || !(u->clip > 0 || u->decay > 0))
    return MHO_OK;
  const char *key = u->clip > 0 ? "clip" : "decay";
  return mho_fail(ei, MHO_ECONFIG,
                  "update.%s: scheme '%s' never holds a whole gradient: leave it at 0", key,
                  e->scheme.entry->id);
}

/* ---------------------------------------------------------------- all of them */

mho_err mho_scheme_check(const mho_experiment *e, mho_errinfo *ei) {
  static mho_err (*const checks[])(const mho_experiment *e, mho_errinfo *ei) = {
      scheme_finds_pulses,  scheme_pulses_known_devices, scheme_writes_initial_weights,
      selection_has_pulses, selection_of_many_lines,     samples_have_no_gradient};

  for (int i = 0; i < MHO_COUNT(checks); i++) {
    mho_err err = checks[i](e, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}
