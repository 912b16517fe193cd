/* dfc_learned.c - what neurons learn from under control, see dfc.c: at one moment, in the mean over
 * a way, and as converters measure it.
 *
 * Over a way the published program takes the mean of the products z^T e, here it is the product of
 * the means of z and e, which one outer product makes and in which noise of both averages out.
 * Weights from the input learn the same, as the input stands still; others miss the covariance of
 * z and e, a share of the gradient that falls with the nudge (.05 % at a step of .1, half a per
 * cent towards the label, in the networks of tests/golden/dfc.c).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/dfc.h"

/* rho(a) of the circuit that a neuron has beside the one whose activity it sends. */
static void activate_copy(const dfc_run *r, int l, const mho_real *a, mho_real *z) {
  mho_layer layer = r->lesson->net->layer[l];
  if (r->p->copies == DFC_TWO)
    layer.circuit = layer.copy;
  mho_layer_activate(&layer, r->lesson->n, a, z);
}

/* a of a layer as the circuit has it that the other activity is taken by. */
static const mho_real *sums_of(const dfc_run *r, int l) {
  return r->w->again[l] ? r->w->again[l] : r->w->sums[l];
}

/* Potentials of a layer under control less a, negative. */
static void learn_potentials(const dfc_run *r, int l, mho_real *e) {
  const mho_real *a = sums_of(r, l), *f = mho__dfc_control(r, l);
  const double *v = r->w->v[l];
  size_t n = mho__rule_count(r->lesson, l);
  for (size_t i = 0; i < n; i++)
    e[i] = v ? (mho_real)((double)a[i] - v[i]) : -f[i];
}

void mho__dfc_learn_layer(const dfc_run *r, int l) {
  mho_real *e = mho__dfc_error_of(r, l);
  size_t n = mho__rule_count(r->lesson, l);
  if (l == mho_network_output(r->lesson->net)) {
    const mho_real *u = mho__dfc_control(r, l);
    for (size_t i = 0; i < n; i++)
      e[i] = -u[i];
    return;
  }
  if (r->p->learn == DFC_POTENTIAL) {
    learn_potentials(r, l, e);
    return;
  }

  const mho_real *z = mho__dfc_z(r, l);
  activate_copy(r, l, sums_of(r, l), e);
  for (size_t i = 0; i < n; i++)
    e[i] -= z[i];
}

void mho__dfc_measure(const dfc_run *r, int l) {
  const mho_network_array *array = &r->lesson->net->array;
  mho_real *e = mho__dfc_error_of(r, l), *other = r->w->other[l];
  const mho_real *z = mho__dfc_z(r, l);
  size_t n = mho__rule_count(r->lesson, l);
  mho_measure m = {.n = r->lesson->n,
                   .width = r->lesson->net->layer[l].n,
                   .layer = l,
                   .a = mho__dfc_z(r, l),
                   .b = other,
                   .e = e,
                   .phase_a = 1,
                   .phase_b = 2,
                   .update = r->lesson->thread->update,
                   .sample0 = r->lesson->sample0,
                   .scratch = r->lesson->thread->scratch};

  if (r->p->learn == DFC_POTENTIAL) { /* which come out beside the activities */
    m.b = NULL;
    array->model->measure(array->crossbar, &m);
    m.a = e;
    m.phase_a = 2;
    array->model->measure(array->crossbar, &m);
    return;
  }

  for (size_t i = 0; i < n; i++)
    other[i] = z[i] + e[i];
  array->model->measure(array->crossbar, &m);
  for (size_t i = 0; i < n; i++)
    e[i] = -e[i];
}

void mho__dfc_add_to_means(const dfc_run *r, double share) {
  int last = mho_network_output(r->lesson->net);
  mho_real part = (mho_real)share;
  mho__dfc_sum_again(r);

  for (int l = 1; l <= last; l++) {
    size_t n = mho__rule_count(r->lesson, l);
    const mho_real *e = mho__dfc_error_of(r, l), *z = l < last ? mho__dfc_z(r, l) : NULL;
    mho__dfc_learn_layer(r, l);
    for (size_t i = 0; i < n; i++)
      r->w->mean_e[l][i] += part * e[i];
    for (size_t i = 0; z && i < n; i++)
      r->w->mean_z[l][i] += part * z[i];
  }
}
