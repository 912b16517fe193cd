/* dfc_controller.c - the controller of deep feedback control: its leaks, and what it sees.
 *
 *   u = q + k_p e, tau_u dq/dt = e - alpha u     (leak_on: integral, e - alpha q)
 *   e = r* - v_o, r* = v_o free - step (o - t)   target nudged
 *   e = t - o(v_o)                               target label: t is soft where o is a softmax
 *
 * At rest e = alpha~ u: alpha~ is alpha, alpha/(1 + alpha k_p) where the integral leaks, and one
 * over the gain where that is given.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "mho/model/num.h"
#include "rule/dfc.h"

double mho__dfc_leak(const dfc_params *p) {
  if (p->gain > 0)
    return 1 / p->gain;
  if (p->leak_on == DFC_LEAK_OF_CONTROL)
    return p->leak;
  return p->leak / (1 + p->leak * p->proportional);
}

double mho__dfc_integral_leak(const dfc_params *p) {
  if (p->gain > 0 && p->leak_on == DFC_LEAK_OF_INTEGRAL)
    return 1 / (p->gain - p->proportional);
  return p->gain > 0 ? 1 / p->gain : p->leak;
}

double mho__dfc_tolerance(const dfc_params *p) {
  if (p->tolerance > 0)
    return p->tolerance;
  return sizeof(mho_real) == 8 ? 1e-11 : 1e-3;
}

bool mho__dfc_rounds(const dfc_params *p) {
  return mho_int16_pays() && mho__dfc_tolerance(p) >= DFC_ROUNDING;
}

/* Which sample of the batch row s is of. */
static int sample_of(const dfc_run *r, int s) {
  return r->lesson->sample0 + r->w->order[s];
}

/* What the label is less than certain, of output j. */
static double softness(const dfc_run *r, int s, int j) {
  double q = r->p->label;
  int classes = r->w->classes, label = r->lesson->targets.label[sample_of(r, s)];
  if (j == label)
    return q - 1;
  return (1 - q) / (classes - 1);
}

void mho__dfc_error(const dfc_run *r, int s, const double *v, double *e) {
  int n = r->w->classes;
  if (r->p->target == DFC_NUDGED) {
    const double *reach = r->w->reach + (size_t)s * (size_t)n;
    for (int i = 0; i < n; i++)
      e[i] = reach[i] - v[i];
    return;
  }

  mho_output output = r->lesson->net->output;
  mho_output_error_double(output, n, v, &r->lesson->targets, sample_of(r, s), e);
  for (int i = 0; i < n; i++)
    e[i] = (output == MHO_OUTPUT_SOFTMAX && n > 1 ? softness(r, s, i) : 0) - e[i];
}

bool mho__dfc_has_softmax(const dfc_run *r) {
  return r->p->target == DFC_LABEL && r->lesson->net->output == MHO_OUTPUT_SOFTMAX;
}

void mho__dfc_multiply_slopes(const dfc_run *r, int s, const double *v, int width, double *m) {
  int n = r->w->classes;
  const double *k = r->w->k + (size_t)s * (size_t)(n * n);
  for (int i = 0; i < n; i++)
    memcpy(m + i * width, k + i * n, (size_t)n * sizeof *m);
  if (!mho__dfc_has_softmax(r))
    return;

  /* rows of S JQ: p_i (row i less the mean row under p) */
  double *share = r->w->share, *mean = share + n;
  double top = v[0], all = 0;
  for (int i = 1; i < n; i++)
    top = v[i] > top ? v[i] : top;
  for (int i = 0; i < n; i++) {
    share[i] = exp(v[i] - top);
    all += share[i];
  }

  memset(mean, 0, (size_t)n * sizeof *mean);
  for (int i = 0; i < n; i++) {
    share[i] /= all;
#pragma omp simd
    for (int j = 0; j < n; j++)
      mean[j] += share[i] * k[i * n + j];
  }
  for (int i = 0; i < n; i++) {
    double *row = m + i * width;
#pragma omp simd
    for (int j = 0; j < n; j++)
      row[j] = share[i] * (k[i * n + j] - mean[j]);
  }
}

void mho__dfc_see(const dfc_run *r) {
  dfc_workspace *w = r->w;
  for (int s = 0; s < r->lesson->n; s++) {
    size_t at = (size_t)s * (size_t)w->classes;
    mho__dfc_error(r, s, w->potential + at, w->f + at);
  }
}

double mho__dfc_integral_rate(const dfc_run *r, int i, double integral) {
  bool of_control = r->p->leak_on == DFC_LEAK_OF_CONTROL;
  double leaks = of_control ? r->w->u[i] : integral;
  return r->w->f[i] - mho__dfc_integral_leak(r->p) * leaks;
}

void mho__dfc_controller(const dfc_run *r, double *integral) {
  dfc_workspace *w = r->w;
  mho_real *u = mho__dfc_control(r, mho_network_output(r->lesson->net));
  mho__dfc_see(r);

  for (int i = 0; i < mho__dfc_controls(r); i++) {
    integral[i] += r->p->dt * mho__dfc_integral_rate(r, i, integral[i]);
    w->u[i] = integral[i] + r->p->proportional * w->f[i];
    u[i] = (mho_real)w->u[i];
  }
}
