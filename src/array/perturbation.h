/* perturbation.h - what a trial adds to a read.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_PERTURBATION_H
#define MHO_ARRAY_PERTURBATION_H

#include "mho/model/array.h"

/** Numbers first .. first+n-1 of a step: normal deviates for MHO_SHAPE_NORMAL, else signs, [n]. */
void mho__perturbation_numbers(int shape, mho_rng rng, uint64_t step, uint64_t first, size_t n,
                               mho_real *out);
/** u += factor v op(P) for the samples of a read, P the crossbar's perturbation, which it has;
 *  through inputs first .. first+n-1 alone, those of a tile.
 *  @param v  [samples x inputs] what drives the lines.
 *  @param u  [samples x outputs]. */
void mho__perturbation_add(const mho_crossbar *x, const mho_read *r, const mho_real *v, int first,
                           int n, mho_real factor, mho_real *u);

#endif
