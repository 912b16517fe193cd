/* votes.c - what the neurons of the last hidden layer say of a sample, by what they fire for.
 *
 *   y_c = m_c / sum_k m_k
 *
 *   label        m_c the mean activity of the neurons with label c, 0 without any
 *   proportion   m_c = sum_j p_jc z_j,  p_jc what neuron j answers to class c, over the sum for all
 *
 * The largest is the answer, of equals the first. Labels and proportions are found by
 * src/train/neuron_labels.c.
 *
 * Source: label: P. Diehl, M. Cook, Front. Comput. Neurosci. 9:99 (2015); proportion: H. Hazan et
 * al., Front. Neuroinform. 12:89 (2018), there of the neurons with label c alone, and their mean.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/votes.h"

#include <string.h>

#include "base/nonzero.h"
#include "settle/links.h"

double *mho__votes_labels(const mho_vars *v) {
  return mho_vars_exact(v, mho_vars_find(v, "label"), mho__votes_layer(v->net), 0);
}

double *mho__votes_proportions(const mho_vars *v) {
  return mho_vars_exact(v, mho_vars_find(v, "proportion"), mho__votes_layer(v->net), 0);
}

double *mho__votes_labelled(const mho_vars *v) {
  return mho_vars_exact(v, mho_vars_find(v, "labelled"), 0, 0);
}

/* Neurons that vote. */
typedef struct voters {
  int n, classes;
  const double *label;      /* [n] */
  const double *proportion; /* [n x classes]; NULL: they vote by label */
  int with[UINT8_MAX + 1];  /* [classes] neurons with a label */
} voters;

static voters voters_of(const mho_phase *p) {
  voters v = {.n = p->net->layer[mho__votes_layer(p->net)].n,
              .classes = mho_network_classes(p->net),
              .label = mho__votes_labels(p->s->vars),
              .proportion = mho__votes_proportions(p->s->vars)};
  for (int j = 0; j < v.n; j++)
    if (v.label[j] > 0)
      v.with[(int)v.label[j] - 1]++;
  return v;
}

/* Mean activities of neurons by their labels. */
static void vote_by_label(const voters *v, const mho_real *z, mho_real *y) {
  for (int j = 0; j < v->n; j++)
    if (v->label[j] > 0)
      y[(int)v->label[j] - 1] += z[j];
  for (int c = 0; c < v->classes; c++)
    y[c] = v->with[c] ? y[c] / (mho_real)v->with[c] : 0;
}

/* Activities, each shared among the classes. */
static void vote_by_proportion(const voters *v, const mho_real *z, mho_real *y) {
  mho_nonzero active = {.n = v->n, .v = z};
  for (int j = mho__next_nonzero(&active); j >= 0; j = mho__next_nonzero(&active))
    for (int c = 0; c < v->classes; c++)
      y[c] += (mho_real)v->proportion[j * v->classes + c] * z[j];
}

/* All votes of a sample, over their sum. */
static void vote(const voters *v, const mho_real *z, mho_real *y) {
  mho_real sum = 0;
  memset(y, 0, (size_t)v->classes * sizeof *y);
  if (v->proportion)
    vote_by_proportion(v, z, y);
  else
    vote_by_label(v, z, y);

  for (int c = 0; c < v->classes; c++)
    sum += y[c];
  for (int c = 0; sum > 0 && c < v->classes; c++)
    y[c] /= sum;
}

void mho__votes(const mho_phase *p, mho_real *y) {
  voters v = voters_of(p);
  int layer = mho__votes_layer(p->net);
  for (int s = 0; s < p->n; s++)
    vote(&v, mho__values(p->net, p->s->z, layer, p->row0 + s), y + (size_t)s * (size_t)v.classes);
}
