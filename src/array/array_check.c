/* array_check.c - what an array model of any kind needs of the others that are chosen.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/array_check.h"

static mho_err sense_lines_are_simulated(const mho_experiment *e, mho_errinfo *ei) {
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  const mho_topology *topology = (const mho_topology *)e->topology.entry;
  bool is_special = topology->own_layers || e->network.biases;
  if (!is_special || !array->holds || !array->holds(e->array.params))
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "array.differencing: a held sense line is not simulated "
                  "with convolutions or biases: use digital");
}

mho_err mho__array_check(const mho_experiment *e, mho_errinfo *ei) {
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  mho_err err = array->check ? array->check(e->array.params, ei) : MHO_OK;
  return err ? err : sense_lines_are_simulated(e, ei);
}
