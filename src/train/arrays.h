/* arrays.h - several arrays of scalars, made and freed together.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_ARRAYS_H
#define MHO_TRAIN_ARRAYS_H

#include "mho/base.h"

/** n arrays of sizes[i] scalars, or NULL. */
mho_real **mho__arrays_new(int n, const size_t *sizes);
/** Frees n arrays; NULL is allowed. */
void mho__arrays_free(mho_real **a, int n);

/** n/each, rounded up. */
static inline int ceil_div(int n, int each) {
  return (n + each - 1) / each;
}

#endif
