/* mapping_check.c - what a mapping of any kind needs of the others: of cells of several devices.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/mapping_check.h"

static const mho_mapping *mapping_of(const mho_experiment *e) {
  return (const mho_mapping *)e->mapping.entry;
}

static mho_err devices_have_banks(const mho_experiment *e, mho_errinfo *ei) {
  const mho_mapping *m = mapping_of(e);
  int banks = mho_mapping_banks(m, &e->device_config);
  if (banks <= MHO_BANKS_MAX)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "device.cells.n: %d devices a cell make %d banks with device.mapping '%s', and "
                  "there are at most %d: lower it",
                  mho_cell_devices(&e->device_config), banks, m->entry.id, MHO_BANKS_MAX);
}

static mho_err mapping_knows_devices(const mho_experiment *e, mho_errinfo *ei) {
  const mho_mapping *m = mapping_of(e);
  if (!m->tend || m->many)
    return MHO_OK;
  return mho_fail(
      ei, MHO_ECONFIG,
      "device.cells.n: device.mapping '%s' takes care of cells that are one device: use "
      "1, or another mapping",
      m->entry.id);
}

/* A value that moves up leaves the device below at mid range, wherever it was. */
static mho_err devices_go_both_ways(const mho_experiment *e, mho_errinfo *ei) {
  const mho_device_model *device = (const mho_device_model *)e->device.entry;
  const mho_mapping *m = mapping_of(e);
  if (!device->one_way && !m->refreshes)
    return MHO_OK;
  const char *key = device->one_way ? "model" : "mapping";
  return mho_fail(ei, MHO_ECONFIG,
                  "device.cells.write: carry writes devices up and down, and those of device.%s "
                  "'%s' are only SET: use all or in_turn",
                  key, device->one_way ? device->entry.id : m->entry.id);
}

/* The largest s_{k+1}/s_k. */
static double largest_ratio(const mho_device_config *d) {
  double most = 1;
  for (int k = 1; k < mho_cell_devices(d); k++) {
    double ratio = d->cells.significance.v[k] / d->cells.significance.v[k - 1];
    most = ratio > most ? ratio : most;
  }
  return most;
}

/* The least value that moves up is three eighths of the range of the device below, and a pulse must
 * lead closer to it: it moves less than twice as much. */
static mho_err pulses_reach_values(const mho_experiment *e, mho_errinfo *ei) {
  const mho_device_model *device = (const mho_device_model *)e->device.entry;
  const double most = 0.75;
  double ratio = largest_ratio(&e->device_config);
  double step = mho_device_nominal_step(device, e->device.params, &e->device_config);
  if (ratio * step < most)
    return MHO_OK;
  return mho_fail(
      ei, MHO_ECONFIG,
      "device.cells.significance: a pulse of %.3g of the range, on a device that counts "
      "%.3g times the one below, is worth %.3g of what that one holds, and carry needs "
      "less than %g: bring the numbers closer together",
      step, ratio, ratio * step, most);
}

mho_err mho__mapping_check(const mho_experiment *e, mho_errinfo *ei) {
  bool carries = e->device_config.cells.write == MHO_CELL_CARRY;
  if (!mho_experiment_has_cells(e) || mho_cell_devices(&e->device_config) == 1)
    return MHO_OK;

  mho_err err = devices_have_banks(e, ei);
  if (!err)
    err = mapping_knows_devices(e, ei);
  if (!err && carries)
    err = devices_go_both_ways(e, ei);
  if (!err && carries)
    err = pulses_reach_values(e, ei);
  return err;
}
