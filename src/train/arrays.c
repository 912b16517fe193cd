/* arrays.c - several arrays of scalars, made and freed together.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/arrays.h"

void mho__arrays_free(mho_real **a, int n) {
  for (int i = 0; a && i < n; i++)
    mho_free(a[i]);
  mho_free(a);
}

mho_real **mho__arrays_new(int n, const size_t *sizes) {
  mho_real **a = mho_alloc((size_t)n, sizeof *a);
  if (!a)
    return NULL;

  for (int i = 0; i < n; i++) {
    a[i] = mho_alloc(sizes[i], sizeof **a);
    if (!a[i]) {
      mho__arrays_free(a, n);
      return NULL;
    }
  }
  return a;
}
