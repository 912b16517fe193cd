/* softmax.c - the read-out: softmax probabilities and cross-entropy.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/vmath.h"
#include "mho/neuron.h"

void mho_softmax(int n, int classes, mho_real *logits, const uint8_t *label, double *loss,
                 int64_t *correct) {
  for (int s = 0; s < n; s++) {
    mho_real *row = logits + (size_t)s * (size_t)classes, top = row[0], sum = 0;
    int best = 0;
    for (int j = 1; j < classes; j++)
      if (row[j] > top) {
        top = row[j];
        best = j;
      }
    mho_real own = row[label[s]] - top;
    for (int j = 0; j < classes; j++) {
      row[j] = real_exp(row[j] - top);
      sum += row[j];
    }
    for (int j = 0; j < classes; j++)
      row[j] /= sum;
    *loss += (double)(real_log(sum) - own);
    *correct += best == label[s];
  }
}
