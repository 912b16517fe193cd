/* output_error.c - the error o - t that every read-out has with the loss that goes with it: softmax
 * with the cross-entropy, linear and states with the squared error.
 *
 * Apart from read_out.c, whose exponential may be a vector one of another last digit.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "mho/model/neuron.h"

void mho_output_error(int n, int outputs, const mho_real *y, const mho_targets *targets,
                      mho_real *error) {
  for (int s = 0; s < n; s++)
    for (int j = 0; j < outputs; j++)
      error[s * outputs + j] = y[s * outputs + j] - mho_target(targets, outputs, s, j);
}

/* Probabilities of the summed inputs. */
static void softmax(int classes, const double *sums, double *p) {
  double most = sums[0], sum = 0;
  for (int j = 1; j < classes; j++)
    most = fmax(most, sums[j]);

  for (int j = 0; j < classes; j++) {
    p[j] = exp(sums[j] - most);
    sum += p[j];
  }
  for (int j = 0; j < classes; j++)
    p[j] /= sum;
}

void mho_output_error_double(mho_output output, int outputs, const double *sums,
                             const mho_targets *targets, int sample, double *error) {
  if (output == MHO_OUTPUT_SOFTMAX)
    softmax(outputs, sums, error);
  else if (error != sums)
    memcpy(error, sums, (size_t)outputs * sizeof *error);

  for (int j = 0; j < outputs; j++)
    error[j] -= (double)mho_target(targets, outputs, sample, j);
}
