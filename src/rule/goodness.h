/* goodness.h - how sure a layer is that a sample is one, from what its neurons remember of their
 * spikes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_GOODNESS_H
#define MHO_RULE_GOODNESS_H

#include "mho/base.h"

/** What a layer's goodness is compared with. */
typedef struct mho_contrast {
  int groups;       /**< of neurons side by side, as equal as can be, each judged by itself */
  double threshold; /**< of the goodness of a group times the number of groups */
} mho_contrast;

/** G, the sum of the squares of traces z [n]. */
double mho__goodness(int n, const mho_real *z);
/** What contrast has a layer change: delta = dL/dz of the loss L that is returned, the mean over
 *  groups of the cross-entropy of P(sample) = sig(groups G - threshold).
 *  @param z      [n] traces.
 *  @param is_sample  it is one: P should be 1, else 0.
 *  @param delta  [n] out; may be z. */
double mho__goodness_contrast(const mho_contrast *c, int n, const mho_real *z, bool is_sample,
                              mho_real *delta);

#endif
