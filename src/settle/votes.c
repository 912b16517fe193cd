/* votes.c - what the neurons of the last hidden layer say of a sample, by their labels.
 *
 *   y_c = m_c / sum_k m_k,  m_c the mean activity of the neurons with label c, 0 without any
 *
 * The largest is the answer, of equals the first. Labels are found by src/train/neuron_labels.c.
 *
 * Source: P. Diehl, M. Cook, Front. Comput. Neurosci. 9:99 (2015).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/votes.h"

#include <string.h>

#include "settle/links.h"

double *mho__votes_labels(const mho_vars *v) {
  return mho_vars_exact(v, mho_vars_find(v, "label"), mho__votes_layer(v->net), 0);
}

double *mho__votes_labelled(const mho_vars *v) {
  return mho_vars_exact(v, mho_vars_find(v, "labelled"), 0, 0);
}

/* Means of a sample, and over their sum. */
static void vote(int n, int classes, const double *label, const int *voters, const mho_real *z,
                 mho_real *y) {
  mho_real sum = 0;
  for (int i = 0; i < n; i++)
    if (label[i] > 0)
      y[(int)label[i] - 1] += z[i];

  for (int c = 0; c < classes; c++) {
    y[c] = voters[c] ? y[c] / (mho_real)voters[c] : 0;
    sum += y[c];
  }
  for (int c = 0; sum > 0 && c < classes; c++)
    y[c] /= sum;
}

void mho__votes(const mho_phase *p, mho_real *y) {
  int layer = mho__votes_layer(p->net), n = p->net->layer[layer].n;
  int classes = mho_network_classes(p->net), voters[UINT8_MAX + 1] = {0};
  const double *label = mho__votes_labels(p->s->vars);
  for (int i = 0; i < n; i++)
    if (label[i] > 0)
      voters[(int)label[i] - 1]++;

  memset(y, 0, (size_t)p->n * (size_t)classes * sizeof *y);
  for (int s = 0; s < p->n; s++)
    vote(n, classes, label, voters, mho__values(p->net, p->s->z, layer, p->row0 + s),
         y + (size_t)s * (size_t)classes);
}
