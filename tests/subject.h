/* subject.h - for tests of observables: a network with its trainer, crossbars with weights to
 * choose.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TEST_SUBJECT_H
#define MHO_TEST_SUBJECT_H

#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"

typedef struct subject { /* a network with its trainer */
  mho_experiment *e;
  mho_trainer *t;
  mho_network *net;
} subject;

static inline subject net_new(const char *yaml) {
  subject n = {.e = experiment(yaml)};
  n.t = trainer(n.e);
  n.net = mho_trainer_network(n.t);
  return n;
}
static inline void net_free(subject *n) {
  mho_trainer_free(n->t);
  mho_experiment_free(n->e);
}

/* The crossbar between two layers, in that direction. */
static inline mho_crossbar *crossbar(const subject *n, int from, int to) {
  for (int c = 0; c < n->net->n_connections; c++)
    if (n->net->connection[c].from == from && n->net->connection[c].to == to)
      return n->net->connection[c].xb;
  fail_msg("no connection %d-%d", from, to);
  return NULL;
}

static inline double radius_of(const subject *n) {
  double radius;
  OK(mho_observe_spectral_radius(n->net, &radius, NULL, &ei));
  return radius;
}

static inline void outer_product(mho_crossbar *x, const double *u, const double *v) {
  for (int r = 0; r < x->rows; r++)
    for (int c = 0; c < x->cols; c++)
      mho__crossbar_programmed(x)[r * x->cols + c] = (mho_real)(u[r] * v[c]);
}

static inline double dot(int n, const double *a, const double *b) {
  double sum = 0;
  for (int i = 0; i < n; i++)
    sum += a[i] * b[i];
  return sum;
}

#endif
