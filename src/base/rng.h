/* rng.h - random numbers by the four: all that a block of words gives.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_BASE_RNG_H
#define MHO_BASE_RNG_H

#include "mho/base.h"

/** Numbers that are made together, and room for cells of which they are. */
enum { MHO_RNG_FOUR = 4, MHO_RNG_CELLS = 256 };

/** Four standard normal deviates for each of n cells, at most MHO_RNG_CELLS: a cell's out[k][i],
 *  k = 0 .. 3, depend on rng, step and cell[i] alone. They are no deviates of mho_rng_normal, and
 *  take fewer operations. */
void mho__rng_normal_four(mho_rng rng, uint64_t step, int n, const uint32_t *cell,
                          float out[MHO_RNG_FOUR][MHO_RNG_CELLS]);

#endif
