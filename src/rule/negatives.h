/* negatives.h - what a rule that contrasts shows as samples that are none.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_NEGATIVES_H
#define MHO_RULE_NEGATIVES_H

#include "mho/model/network.h"

/** A label other than `label` of so many classes (2 or more), by u, uniform in 0..1. */
int mho__wrong_label(int classes, int label, double u);
/** Another one of n samples for each: partner [n], a cycle through all of them, of u [n], uniform
 *  in 0..1. A single one is its own. */
void mho__partners(int n, const float *u, int *partner);
/** An image turned by `angle` (radians) around its middle, between pixels linearly, 0 from outside:
 *  [channels x height x width] of the layer. */
void mho__image_turned(const mho_layer *layer, double angle, const mho_real *x, mho_real *out);

#endif
