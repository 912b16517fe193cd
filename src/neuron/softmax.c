/* softmax.c - the read-out: softmax probabilities and cross-entropy.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/vmath.h"
#include "mho/neuron.h"

/* The first of the largest values of v [n]. */
static int largest(int n, const mho_real *v) {
  int best = 0;
  for (int j = 1; j < n; j++)
    if (v[j] > v[best])
      best = j;
  return best;
}

void mho_softmax(int n, int classes, mho_real *logits, const uint8_t *label, double *loss,
                 int64_t *correct) {
  for (int s = 0; s < n; s++) {
    mho_real *p = logits + (size_t)s * (size_t)classes;
    int best = largest(classes, p);
    mho_real top = p[best], own = p[label[s]] - top, sum = 0;

    for (int j = 0; j < classes; j++) {
      p[j] = real_exp(p[j] - top);
      sum += p[j];
    }
    for (int j = 0; j < classes; j++)
      p[j] /= sum;

    *loss += (double)(real_log(sum) - own);
    *correct += best == label[s];
  }
}
