/* output_error.c - the error p - y that softmax with cross-entropy has at the read-out.
 *
 * Apart from softmax.c, whose exponential may be a vector one of another last digit.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "mho/neuron.h"

void mho_output_error(int n, int classes, const mho_real *p, const uint8_t *label,
                      mho_real *error) {
  for (int s = 0; s < n; s++)
    for (int j = 0; j < classes; j++)
      error[s * classes + j] = p[s * classes + j] - (mho_real)(j == label[s]);
}

void mho_output_error_double(int classes, const double *logits, int label, double *error) {
  double most = logits[0], sum = 0;
  for (int j = 1; j < classes; j++)
    most = fmax(most, logits[j]);

  for (int j = 0; j < classes; j++) {
    error[j] = exp(logits[j] - most);
    sum += error[j];
  }
  for (int j = 0; j < classes; j++)
    error[j] = error[j] / sum - (j == label);
}
