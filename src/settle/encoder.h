/* encoder.h - inputs as spikes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_ENCODER_H
#define MHO_SETTLE_ENCODER_H

#include "mho/model/settle.h"

/** What the inputs of a phase's samples fire in a step, 1 or 0; all 0 with MHO_ENCODE_DIRECT and
 * where inputs are off.
 *  @param spike  [n x inputs]. */
void mho__encode(const mho_phase *p, const mho_tick *tick, mho_real *spike);

#endif
