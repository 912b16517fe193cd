/* drive.h - what a crossbar's lines are driven with while one test image is settled.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_CLI_DRIVE_H
#define MHO_CLI_DRIVE_H

#include "cli/subject.h"

/* What the core settles to for one sample, [n_layers] of [n]: inputs or activities, logits last. Start with {0}. */
typedef struct subject_states {
  mho_real *image;
  double *free[MHO_LAYERS_MAX], *nudged[MHO_LAYERS_MAX], *error; /* error: [classes] p - y */
  uint8_t label[1];
} subject_states;

/** Settle a test image of a network that has a circuit, both phases, as far as precision goes (mho_cosim_core). */
mho_err subject_settle(const subject *of_run, int number, subject_states *s, mho_errinfo *ei);
void subject_states_free(subject_states *s);

/** Settle a test image (a network without a circuit: as the experiment says) and give what drives a connection's crossbar in the free phase, as activities:
 *  the source's (pooled; the patch that a convolution reads at the middle of its target; 1 for the bias), or transposed
 *  the target's at that place; of the read-out, its error p - y.
 *  @param v      [rows], transposed [cols].
 *  @param place  which patch it is; "" for a dense connection. */
mho_err subject_drive(const subject *x, const mho_connection *k, bool transposed, int sample,
                      double *v, char place[96], mho_errinfo *ei);

#endif
