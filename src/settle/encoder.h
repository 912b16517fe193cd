/* encoder.h - inputs as spikes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_ENCODER_H
#define MHO_SETTLE_ENCODER_H

#include "mho/model/settle.h"

/** What is known of a sample's spikes from step to step of a phase, [inputs]. */
typedef struct mho_encoder {
  mho_real *spike; /**< what is fired in a step, 1 or 0 */
  uint64_t *fired; /**< the same, bit by bit: bit i of word i/64 */
  mho_real *phase; /**< of inputs that fire regularly, 0 to 1 */
  mho_real *line;  /**< the inputs that are still to fire, in order, ... */
  mho_real *due;   /**< ... and the steps in which they do next */
  double *awaited; /**< how many those are */
} mho_encoder;

/** What the inputs of a sample fire in a step; nothing with MHO_ENCODE_DIRECT and where inputs are
 *  off. The steps of a phase are taken one after another, from 1.
 *  @param s  the sample. */
void mho__encode(const mho_phase *p, int s, const mho_tick *tick, const mho_encoder *own);

/** The step, from 1, in which an event of the dataset is played that is `time` s after the samples
 *  are presented. */
double mho__encode_step(double time, double dt);

/** Between events: when input i of a sample fires next, s since the phase began.
 *  @param number  of that spike, from 1.
 *  @param then    when the one before it was; 0 without. @return INFINITY: it never does. */
double mho__encode_next(const mho_phase *p, int sample, int i, int number, double then);

#endif
