/* neuron_labels.c - which classes each neuron votes for: the one whose training images it answers
 * most on average, or all of them in proportion to its answers.
 *
 *   label_j = arg max_c r_jc,  p_jc = r_jc / sum_k r_jk
 *   r_jc the mean activity of neuron j over the images of class c
 *
 * of equals the first class; no label and p = 0 where a neuron is never active. The images are the
 * last 10,000 that are trained on, shown with learning off; test images play no part. What is found
 * is part of a checkpoint, so that a network that is evaluated under other conditions keeps it.
 *
 * Source: P. Diehl, M. Cook, Front. Comput. Neurosci. 9:99 (2015); proportions: H. Hazan et al.,
 * Front. Neuroinform. 12:89 (2018).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/neuron_labels.h"

#include "base/streams.h"
#include "settle/votes.h"

enum { IMAGES = 10000 };

/* Activities summed over images. */
typedef struct answers {
  int n, classes;
  double *sum;  /* [n x classes] */
  double *seen; /* [classes] images */
} answers;

static void add_batch(const mho_learner *learner, int images, answers *a) {
  const mho_real *z = learner->state[0]->z[mho__votes_layer(learner->net)];
  for (int s = 0; s < images; s++) {
    int c = learner->label[s];
    a->seen[c]++;
    for (int j = 0; j < a->n; j++)
      a->sum[j * a->classes + c] += (double)z[s * a->n + j];
  }
}

static mho_err show_images(mho_trainer *t, answers *a, mho_errinfo *ei) {
  const mho_images *images = &t->data.train;
  int first = mho_max(images->n - IMAGES, 0), capacity = t->learner->capacity;

  for (int i = 0; first + i * capacity < images->n; i++) {
    mho_batch b = {.images = images,
                   .first = first + i * capacity,
                   .n = mho_min(images->n - first - i * capacity, capacity),
                   .update = mho__update_repeated(mho__update_evaluation(t->at.epoch, true, i), 1)};
    mho_rule_stats unused;
    mho_err err = mho__learner_run(t->learner, &b, &unused, ei);
    if (err)
      return err;
    add_batch(t->learner, b.n, a);
  }
  return MHO_OK;
}

/* r_jc */
static double mean_of(const answers *a, int j, int c) {
  return a->seen[c] > 0 ? a->sum[j * a->classes + c] / a->seen[c] : 0;
}

/* The class that a neuron answers most, plus 1; 0: none. */
static double label_of(const answers *a, int j) {
  double most = 0;
  int label = 0;
  for (int c = 0; c < a->classes; c++) {
    double mean = mean_of(a, j, c);
    label = mean > most ? c + 1 : label;
    most = mean > most ? mean : most;
  }
  return label;
}

/* p_jc of a neuron, [classes]. */
static void find_proportions(const answers *a, int j, double *p) {
  double sum = 0;
  for (int c = 0; c < a->classes; c++)
    sum += mean_of(a, j, c);
  for (int c = 0; c < a->classes; c++)
    p[c] = sum > 0 ? mean_of(a, j, c) / sum : 0;
}

mho_err mho__neuron_labels(mho_trainer *t, mho_errinfo *ei) {
  const mho_vars *v = t->learner->state_vars;
  if (t->net->output != MHO_OUTPUT_VOTES)
    return MHO_OK;
  double *labelled = mho__votes_labelled(v), *label = mho__votes_labels(v);
  double *proportion = mho__votes_proportions(v);
  if (*labelled == (double)(t->at.update + 1))
    return MHO_OK;

  answers a = {.n = t->net->layer[mho__votes_layer(t->net)].n,
               .classes = mho_network_classes(t->net)};
  a.sum = mho_alloc((size_t)a.n * (size_t)a.classes, sizeof *a.sum);
  a.seen = mho_alloc((size_t)a.classes, sizeof *a.seen);
  mho_err err = MHO_OK;
  if (a.sum && a.seen)
    err = show_images(t, &a, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the labels of %d neurons", a.n);

  for (int j = 0; !err && j < a.n; j++) {
    label[j] = label_of(&a, j);
    if (proportion)
      find_proportions(&a, j, proportion + j * a.classes);
  }
  if (!err)
    *labelled = (double)(t->at.update + 1);
  mho_free(a.sum);
  mho_free(a.seen);
  return err;
}
