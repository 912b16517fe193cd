/* encoder.h - inputs as spikes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_ENCODER_H
#define MHO_SETTLE_ENCODER_H

#include "mho/model/settle.h"

/** What is known of the inputs' next spikes from step to step of a phase, [n x inputs]. */
typedef struct mho_encoder {
  mho_real *phase; /**< of inputs that fire regularly, 0 to 1 */
  mho_real *due;   /**< the step in which they fire next; INFINITY: never */
} mho_encoder;

/** What the inputs of a phase's samples fire in a step, 1 or 0; all 0 with MHO_ENCODE_DIRECT and
 *  where inputs are off. The steps of a phase are taken one after another, from 1.
 *  @param spike  [n x inputs]. */
void mho__encode(const mho_phase *p, const mho_tick *tick, mho_encoder own, mho_real *spike);

/** The step, from 1, in which an event of the dataset is played that is `time` s after the samples
 *  are presented. */
double mho__encode_step(double time, double dt);

/** Between events: when input i of a sample fires next, s since the phase began.
 *  @param number  of that spike, from 1.
 *  @param then    when the one before it was; 0 without. @return INFINITY: it never does. */
double mho__encode_next(const mho_phase *p, int sample, int i, int number, double then);

#endif
