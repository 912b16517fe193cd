/* resistor_branches.h - a network of resistors at its voltages: the current through every
 * conductance, and what all of them bring to the nodes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_NETWORK_RESISTOR_BRANCHES_H
#define MHO_NETWORK_RESISTOR_BRANCHES_H

#include "mho/model/network.h"

/* A conductance between two nodes, in units of the network. */
typedef struct mho_branch {
  int layer;      /**< That it leads into, from the layer before. */
  int from, to;   /**< Units of both layers; from -1: ground, beyond an image. */
  double g;       /**< Above 0. */
  double current; /**< g (a v_from - v_to), with the gain a of the amplifier behind `from`. */
} mho_branch;

/** Show every conductance above 0, those of a kernel at every position.
 *  @param v  [n_layers] of [n of the layer], voltages of inputs and nodes. */
void mho__branches_visit(const mho_network *net, const double *const *v,
                         void (*seen)(void *user, const mho_branch *b), void *user);

/* Currents into a node, in units of the network. At rest their sum is 0. */
typedef struct mho_node_currents {
  double front, behind; /**< Through conductances from the layer before, and from the one behind. */
  double bias;
  double rectifier; /**< Of its diode; NaN where it has none. */
} mho_node_currents;

/** Currents into all nodes of a free phase. An ideal diode that conducts brings what Kirchhoff's
 *  law wants of it, a junction what its own law says.
 *  @param v    as above.
 *  @param out  [n_layers] of [n of the layer], layers with nodes (not the inputs). */
void mho__node_currents(const mho_network *net, const double *const *v,
                        mho_node_currents *const *out);
/** What is left over at a node, 0 at rest. */
double mho__node_current_left(const mho_node_currents *c);

#endif
