/* array_config.c - what every array is told.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/check.h"

static const char *without_wires(const mho_experiment *e) {
  return mho_array_has_wires(&e->array_config)
             ? NULL
             : "there are no wires (array.wire.r_word, array.wire.r_bit)";
}

/* Tiles are of wires, of what shares lines with a cell, and of converters. */
static const char *without_tiles(const mho_experiment *e) {
  const mho_array_config *c = &e->array_config;
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  bool is_shared = mho_array_half_selects(c) && mho_experiment_has_pulses(e);
  if (mho_array_has_wires(c) || is_shared ||
      mho_array_converters_of(array, e->array.params).adc_bits)
    return NULL;
  return "there are no wires, neighbours or converters (array.wire.r_word, array.write.select, "
         "array.adc_bits)";
}

/* Which cells share a tile. */
static const char *without_neighbours(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  return why ? why : without_tiles(e);
}

/* Volts are of devices, of the junctions between resistors and of the noise of nodes. */
static const char *without_volts(const mho_experiment *e) {
  bool has_junctions = e->resistive.rectifier == MHO_RECTIFIER_JUNCTION;
  bool has_volts = has_junctions || e->resistive.noise > 0;
  bool acts = has_volts && !mho_idle_without_resistors(e);
  return acts ? NULL : mho_idle_without_cells(e);
}

static const mho_param array_table[] = {
    MHO_P_REAL(mho_array_config, read_voltage, "read_voltage", "V", 0.2, 1e-6, 100,
               "of a line that is driven by an activity of 1", .idle = without_volts),
    MHO_P_REAL(mho_array_config, r_word, "wire.r_word", "ohm", 0, 0, 1e9,
               "resistance of a word line from device to device; 0 with r_bit 0: no wires"),
    MHO_P_REAL(mho_array_config, r_bit, "wire.r_bit", "ohm", 0, 0, 1e9,
               "the same of the bit lines"),
    MHO_P_INTS(mho_array_config, wire_tile, "wire.tile", "128 128", 1, 65536,
               "rows and columns of a physical tile (wires, write.select, ADCs of array.tiles), or "
               "one number for both",
               .idle = without_tiles),
    MHO_P_REAL(mho_array_config, wire_tolerance, "wire.tolerance", "", 1e-9, 1e-12, 0.1,
               "error of the effective matrix, of its largest entry", .idle = without_wires),
    MHO_P_INT(mho_array_config, wire_refresh, "wire.refresh", 1, 1, 1e9,
              "updates from one exact solution to the next; between them only a device's own lines "
              "are followed",
              .idle = without_wires),
    MHO_P_CHOICE(mho_array_config, wire_negative, "wire.negative", "own|neighbour",
                 MHO_WIRE_NEGATIVE_OWN,
                 "where G- lies: in a tile of its own, or in the next column of the same",
                 .idle = without_neighbours),
    MHO_P_CHOICE(mho_array_config, write_select, "write.select", "ideal|transistor|half|third",
                 MHO_WRITE_TRANSISTOR,
                 "how a cell is picked for a pulse: all of the voltage and no other cell's "
                 "business; what wires leave, behind transistors; the same, and V/2 or at most V/3 "
                 "on other cells of a tile, which take energy",
                 .idle = mho_idle_without_pulses),
};
const mho_params mho_array_params = MHO_PARAMS(mho_array_config, array_table);
