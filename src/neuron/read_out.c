/* read_out.c - what the read-out answers to its summed inputs, or to activities, and its loss
 * against the targets.
 *
 *   softmax  p = exp(a)/sum exp(a), loss the cross-entropy -ln p_label
 *   linear   o = a,                 loss the squared error  (1/2) sum_k (o_k - t_k)^2
 *   state    o = z, the activities, with the same loss
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/vmath.h"
#include "mho/model/neuron.h"

/* The first of the largest values of v [n]. */
static int largest(int n, const mho_real *v) {
  int best = 0;
  for (int j = 1; j < n; j++)
    if (v[j] > v[best])
      best = j;
  return best;
}

/* Probabilities in place of the summed inputs, [n x classes]. */
static void judge_softmax(int n, int classes, mho_real *logits, const uint8_t *label, double *loss,
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

static void judge_linear(int n, int outputs, const mho_real *y, const mho_targets *targets,
                         double *loss, int64_t *correct) {
  for (int s = 0; s < n; s++) {
    const mho_real *o = y + (size_t)s * (size_t)outputs;
    double squares = 0;
    for (int j = 0; j < outputs; j++) {
      double e = (double)(o[j] - mho_target(targets, outputs, s, j));
      squares += e * e;
    }

    *loss += 0.5 * squares;
    if (targets->label)
      *correct += largest(outputs, o) == targets->label[s];
  }
}

void mho_output_judge(mho_output output, int n, int outputs, mho_real *y,
                      const mho_targets *targets, double *loss, int64_t *correct) {
  if (output == MHO_OUTPUT_SOFTMAX)
    judge_softmax(n, outputs, y, targets->label, loss, correct);
  else
    judge_linear(n, outputs, y, targets, loss, correct);
}
