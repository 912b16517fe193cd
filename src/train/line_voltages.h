/* line_voltages.h - test images, and the states that a network's circuit is compared with.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_LINE_VOLTAGES_H
#define MHO_TRAIN_LINE_VOLTAGES_H

#include "mho/model/circuit.h"
#include "train/trainer.h"

/* What the core settles one test image to, [n_layers] of [n]: inputs or activities, logits last.
 * Start with {0}. */
typedef struct mho_rest {
  mho_real *image;
  double *free[MHO_LAYERS_MAX], *nudged[MHO_LAYERS_MAX];
  double *error;       /* [classes] o - t */
  mho_targets targets; /* of the image, in the trainer's memory, until a batch is settled */
} mho_rest;

/* The options of a comparison with ngspice, but for the samples: the core settles by sweep. */
mho_err mho__trainer_comparison(const mho_trainer *t, mho_cosim_network_options *out,
                                mho_errinfo *ei);

/* Settle a test image of a network that has a circuit, both phases, as far as precision goes
 * (mho_cosim_core). Free it after an error too. */
mho_err mho__rest_find(const mho_trainer *t, int image, mho_rest *rest, mho_errinfo *ei);
void mho__rest_free(mho_rest *rest);

/* Test images first .. first+n-1: [n x features] and targets, which lie in the trainer's memory
 * until another batch is settled. MHO_EINVAL when there are not so many. */
mho_err mho__trainer_test_images(const mho_trainer *t, int first, int n, mho_real *images,
                                 mho_targets *targets, mho_errinfo *ei);
/* beta_f of the experiment's rule; 0.1, the usual one, where the rule has none. */
double mho__trainer_nudge(const mho_trainer *t);
/* MHO_EUNSUPPORTED for a network of resistors. */
mho_err mho__trainer_has_crossbars(const mho_trainer *t, mho_errinfo *ei);
/* MHO_EUNSUPPORTED when the rule nudges as the circuit of a network does not: it reads the error
 * anew at every step, or pulls neurons back. */
mho_err mho__trainer_nudge_has_circuit(const mho_trainer *t, mho_errinfo *ei);

#endif
