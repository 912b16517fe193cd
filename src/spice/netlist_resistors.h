/* netlist_resistors.h - units of a network of resistors as a circuit, and how it is nudged.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_NETLIST_RESISTORS_H
#define MHO_SPICE_NETLIST_RESISTORS_H

#include "mho/model/circuit.h"

/* What 1 is in the circuit: its largest conductance is device.g_max, array.read_voltage drives an
 * input of 1. */
typedef struct mho_resistor_units {
  double volts, siemens, amperes;
} mho_resistor_units;
mho_resistor_units mho__resistor_units(const mho_network *net, const mho_device_config *device);

/* The resistor of line i into node j of layer l, as ngspice calls it, ... */
enum { MHO_RESISTOR_NAME = 96 };
void mho__resistor_name(const mho_network *net, int l, int i, int j, char name[MHO_RESISTOR_NAME]);
/* ... and its value (ohm) for conductance g, in units of the network; 0: none. */
double mho__resistor_ohm(double g, const mho_resistor_units *unit);

/* "alter DEVICE PARAMETER = VALUE": what brings the nudge of output k on, of a netlist with a
 * target; by current its free voltages are known. */
typedef struct mho_resistor_alter {
  char device[24];
  const char *parameter;
  double value;
} mho_resistor_alter;
mho_resistor_alter mho__resistor_nudge(const mho_netlist_resistors *x, int k);

#endif
