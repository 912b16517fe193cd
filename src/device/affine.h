/* affine.h - many pulses on steps that are affine in the state, by one deviate.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_AFFINE_H
#define MHO_DEVICE_AFFINE_H

#include "device/series.h"

/** Pulses one after another on the n cells of a block, [n] each. */
typedef struct mho_affine_series {
  int n;
  const uint8_t *count; /**< pulses; fastest where cells with alike many are neighbours */
  const uint64_t *up;   /**< bit k: pulse number k is a SET; none is set beyond them */
  const float *z;       /**< standard normal */
} mho_affine_series;

/** Cells are looked at in groups of which this is a multiple. */
enum { MHO_AFFINE_GROUP = 32 };
/** Whether the steps of n cells are the same everywhere. */
bool mho__affine_is_constant(const mho_device_affine *a, int n);
/** The states that the pulses leave, into g, of cells that stay far from their bounds and whose
 *  noise is small enough for one deviate.
 *  @param b     with g, low and high, from which xi, dir and out are not read.
 *  @param g     [n, up to a multiple of 32] may be b->g.
 *  @param left  [n] cells that are left as they were.
 *  @return how many these are. */
int mho__affine_pulses(const mho_device_block *b, const mho_device_affine *a,
                       const mho_affine_series *s, float *g, int *left);

#endif
