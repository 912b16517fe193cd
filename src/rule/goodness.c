/* goodness.c - the contrast of samples and of what are none, layer by layer.
 *
 *   G = sum_i z_i^2,  q = k G - threshold in each of k groups,  P(sample) = sig(q)
 *   L = mean over groups of  max(q, 0) - q y + ln(1 + exp(-|q|)),  y = 1 of a sample, else 0
 *   dL/dz_i = 2 z_i (sig(q) - y)
 *
 * The factor sig(q) - y is one number a group: on hardware a line that all its neurons share.
 *
 * Source: A. Ororbia, "Contrastive-signal-dependent plasticity", Sci. Adv. 10:eadn6076 (2024), and
 * its published program (github.com/ago109/contrastive-signal-dependent-plasticity), of one group;
 * groups: derived.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/goodness.h"

#include <math.h>

double mho__goodness(int n, const mho_real *z) {
  double sum = 0;
  for (int i = 0; i < n; i++)
    sum += (double)z[i] * (double)z[i];
  return sum;
}

static double logistic(double q) {
  return 1 / (1 + exp(-q));
}

double mho__goodness_contrast(const mho_contrast *c, int n, const mho_real *z, bool is_sample,
                              mho_real *delta) {
  double loss = 0;
  for (int g = 0; g < c->groups; g++) {
    int first = (int)((int64_t)n * g / c->groups), end = (int)((int64_t)n * (g + 1) / c->groups);
    double q = c->groups * mho__goodness(end - first, z + first) - c->threshold;
    mho_real m = (mho_real)(2 * (logistic(q) - is_sample));

    for (int i = first; i < end; i++)
      delta[i] = m * z[i];
    loss += fmax(q, 0) - q * is_sample + log1p(exp(-fabs(q)));
  }
  return loss / c->groups;
}
