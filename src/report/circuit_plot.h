/* circuit_plot.h - a network of resistors at rest, drawn as a circuit.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_CIRCUIT_PLOT_H
#define MHO_REPORT_CIRCUIT_PLOT_H

#include <stdio.h>

#include "train/resting_circuit.h"

typedef struct mho_circuit_drawing {
  const mho_circuit_picture *p;
  bool is_page; /**< Drawn into a page, whose style colors it, or into a file. */
} mho_circuit_drawing;

/** The height that a drawing wants, where it is 480 wide. */
int mho__circuit_height(const mho_circuit_picture *p);
/** gnuplot's commands, but for the terminal: a column a layer, a resistor a conductance, as wide as
 *  its current, nodes with their voltages, diodes, currents of biases. `user` is the
 *  mho_circuit_drawing. */
void mho__circuit_plot(FILE *f, const void *user);

#endif
