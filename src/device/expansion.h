/* expansion.h - many pulses by one deviate, on steps that are known near a state.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_EXPANSION_H
#define MHO_DEVICE_EXPANSION_H

#include "device/series.h"

/** Pulses one after another on the n cells of a block, [n] each. */
typedef struct mho_expanded_series {
  int n;
  const uint8_t *count; /**< pulses */
  const uint64_t *up;   /**< bit k: pulse number k is a SET; none is set beyond them */
  const float *z;       /**< standard normal */
} mho_expanded_series;

/** The states that the pulses leave, into g, of cells that stay far from their bounds and for which
 *  one deviate will do.
 *  @param constant  see mho__steps_are_constant.
 *  @param b     with g, low and high, from which xi, dir and out are not read.
 *  @param g     [n] may be b->g.
 *  @param left  [n] cells that are left as they were.
 *  @return how many these are. */
int mho__expanded_pulses(const mho_device_block *b, const mho_device_expansion *e, bool constant,
                         const mho_expanded_series *s, float *g, int *left);
/** Whether the steps of n cells are the same everywhere. */
bool mho__steps_are_constant(const mho_device_expansion *e, int n);
/** Whether the noise of these is at most .3 of them, so that it turns 4.3e-4 of them around. */
bool mho__steps_hardly_turn(const mho_device_expansion *e, int n);

#endif
