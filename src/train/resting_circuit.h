/* resting_circuit.h - one sample's free phase in a network of resistors, as a circuit: tables, and
 * what a picture of it draws.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_RESTING_CIRCUIT_H
#define MHO_TRAIN_RESTING_CIRCUIT_H

#include <stdio.h>

#include "mho/store.h"
#include "mho/train.h"
#include "network/resistor_branches.h"

/* ---------------------------------------------------------------- at rest */

typedef struct mho_resting_circuit {
  const mho_network *net;
  int sample;
  mho_watched watched;                     /**< How it settled. */
  double *v[MHO_LAYERS_MAX];               /**< [n of the layer], in units of the network. */
  mho_node_currents *node[MHO_LAYERS_MAX]; /**< [n of the layer]; inputs have none. */
} mho_resting_circuit;

/** Settle a sample as mho_trainer_watch does, and keep where its free phase ends.
 *  @param learn  settle what the rule settles to learn, or what it predicts.
 *  @return MHO_OK; MHO_EUNSUPPORTED where no resistors join neurons; MHO_EINVAL when there is no
 *          such sample; MHO_ENOMEM. */
mho_err mho__resting_circuit_new(mho_trainer *t, const mho_images *images, int sample, bool learn,
                                 mho_resting_circuit *out, mho_errinfo *ei);
void mho__resting_circuit_free(mho_resting_circuit *c);
/** A line a node, inputs first: node, voltage, and the currents into it from the layer before
 *  (front), from the one behind, of its bias and its diode, and what is left over. */
void mho__resting_circuit_print_nodes(const mho_resting_circuit *c, FILE *out);
/** A line a conductance: from, to, conductance, voltage across it, current through it. */
void mho__resting_circuit_print_branches(const mho_resting_circuit *c, FILE *out);

/* ---------------------------------------------------------------- a picture */

/* At most so many nodes of a layer are drawn, and conductances between two layers. */
enum { MHO_DRAWN_NODES = 12, MHO_DRAWN_BRANCHES = 36 };

typedef struct mho_drawn_node {
  int layer, unit;  /**< unit -1: all that is at 0 V, inputs and what lies beyond an image. */
  int row;          /**< From the top of its layer's column. */
  double v;         /**< In units of the network. */
  double bias;      /**< The current that it brings. */
  double rectifier; /**< The same of the node's diode; NaN: it has none. */
  bool is_below;    /**< The diode keeps it at or below a voltage, not above. */
} mho_drawn_node;

typedef struct mho_drawn_branch {
  int from, to; /**< Numbers of nodes. */
  double g, current;
} mho_drawn_branch;

typedef struct mho_circuit_picture {
  int sample, label; /**< label -1: there is none. */
  double volts;      /**< A unit of voltage. */
  bool amplifiers;
  int n_layers, n_nodes, n_branches;
  struct mho_drawn_layer {
    char name[16];
    int units, drawn;
  } layer[MHO_LAYERS_MAX];
  mho_drawn_node *node;     /**< [n_nodes], layer after layer. */
  mho_drawn_branch *branch; /**< [n_branches], the weakest first. */
  double conductances;      /**< All that there are. */
  double share;             /**< Of their summed |current|, what is drawn. */
} mho_circuit_picture;

/** The nodes with the largest currents, and of the conductances between them the strongest. Those
 *  that are joined with one node at 0 V are drawn as one. MHO_ENOMEM. */
mho_err mho__circuit_picture_new(const mho_resting_circuit *c, mho_circuit_picture *out,
                                 mho_errinfo *ei);
void mho__circuit_picture_free(mho_circuit_picture *p);
/** What is drawn and what is left out, in sentences. */
void mho__circuit_picture_describe(const mho_circuit_picture *p, char *out, size_t n);

/** Keep a picture of the first test sample with a run, as an artifact of kind "circuit", in JSON:
 *
 *    {"sample": 0, "label": 7, "volts": V, "amplifiers": 0, "conductances": n, "share": 0.4,
 *     "layer": [{"name": "h1", "units": n, "drawn": n}],
 *     "node": [[layer, unit, row, v, bias, rectifier or null, is_below]],
 *     "branch": [[from, to, g, current]]}
 *
 *  Nothing where no resistors join neurons.
 *  @return MHO_OK; MHO_ENOMEM; errors of the settle and of the store. */
mho_err mho__circuit_picture_store(mho_trainer *t, mho_store *s, const char *run_id,
                                   mho_errinfo *ei);

#endif
