/* descent.c - conductances that take a plain step, in one pass.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/descent.h"

#include <string.h>

#include "array/weights.h"

enum { PRODUCTS = 32, AT_ONCE = 4 };

/* ---------------------------------------------------------------- where it can be */

static bool is_product(const mho_outer *o) {
  return o->pre && o->post;
}

/* Outer products of single samples in a change. */
static int count_products(const mho_change *change) {
  int n = 0;
  for (int i = 0; i < change->n; i++)
    n += is_product(&change->term[i]) ? change->term[i].n : 0;
  return n;
}

static bool is_plain_sum(const mho_change *change) {
  for (int i = 0; i < change->n; i++)
    if (change->term[i].lines)
      return false;
  bool is_rated =
      !mho_change_has(change, MHO_CHANGE_PLAIN) && !mho_change_has(change, MHO_CHANGE_ABSOLUTE);
  return is_rated && !change->dense && !change->gain && !change->skip && !change->soft;
}

bool mho__descends(const mho_experiment *e, const mho_connection *k, const mho_change *change) {
  const mho_update_config *c = &e->update;
  bool is_step = !strcmp(e->optimizer.entry->id, "sgd") && !strcmp(e->scheme.entry->id, "exact");
  bool is_free = !k->xb->bounded && !mho__crossbar_is_wired(k->xb) && !k->conv.kernel;
  bool is_whole = c->decay == 0 && c->clip == 0;
  return k->xb->n_positive > 0 && is_step && is_free && is_whole && is_plain_sum(change) &&
         count_products(change) <= PRODUCTS;
}

/* ---------------------------------------------------------------- the step */

/* What is added to a row i of conductances: level_i + shift + sum_k scale_k pre_k[i] post_k. */
typedef struct step {
  int n, inputs, cols;
  const mho_real *pre[PRODUCTS], *post[PRODUCTS]; /* of one sample each, [inputs] and [cols] */
  mho_real scale[PRODUCTS];
  const mho_change *change;
  double rate;
  mho_real *shift, *bias; /* [cols]; bias: of the row of a bias */
} step;

/* to += factor times the sum of the term's samples. */
static void sum_samples(const mho_outer *o, int cols, double factor, mho_real *to) {
  for (int s = 0; s < o->n; s++)
    for (int j = 0; j < cols; j++)
      to[j] += (mho_real)factor * o->post[(size_t)s * (size_t)cols + (size_t)j];
}

static void add_products(step *d, const mho_outer *o, double factor) {
  for (int s = 0; s < o->n; s++) {
    d->pre[d->n] = o->pre + (size_t)s * (size_t)d->inputs;
    d->post[d->n] = o->post + (size_t)s * (size_t)d->cols;
    d->scale[d->n++] = (mho_real)factor;
  }
}

static step step_of(const mho_connection *k, const mho_change *change, double rate,
                    double bias_rate, mho_real *scratch) {
  size_t cols = (size_t)k->xb->cols;
  step d = {.inputs = k->xb->rows - k->bias,
            .cols = k->xb->cols,
            .change = change,
            .rate = rate,
            .shift = memset(scratch, 0, cols * sizeof *scratch),
            .bias = memset(scratch + cols, 0, cols * sizeof *scratch)};

  for (int i = 0; i < change->n; i++) {
    const mho_outer *o = &change->term[i];
    double factor = -rate * o->scale;
    if (is_product(o))
      add_products(&d, o, factor);
    else if (o->post)
      sum_samples(o, d.cols, factor, d.shift);
    if (o->post && !o->unbiased)
      sum_samples(o, d.cols, -bias_rate * o->scale, d.bias);
  }
  return d;
}

/* The same for all of a row: terms of ones behind. */
static mho_real level_of(const step *d, int row) {
  double level = 0;
  for (int i = 0; i < d->change->n; i++) {
    const mho_outer *o = &d->change->term[i];
    for (int s = 0; !o->post && s < o->n; s++)
      level -= d->rate * o->scale * (double)o->pre[(size_t)s * (size_t)d->inputs + (size_t)row];
  }
  return (mho_real)level;
}

/* Up to AT_ONCE products that are not 0 in a row, from number *k on. */
typedef struct taken {
  mho_real factor[AT_ONCE];
  const mho_real *post[AT_ONCE];
} taken;

static taken take(const step *d, int row, int *k) {
  taken t;
  int n = 0;
  for (; *k < d->n && n < AT_ONCE; ++*k) {
    mho_real factor = d->scale[*k] * d->pre[*k][row];
    if (factor == 0)
      continue;
    t.factor[n] = factor;
    t.post[n++] = d->post[*k];
  }
  for (; n < AT_ONCE; n++) {
    t.factor[n] = 0;
    t.post[n] = d->shift; /* any numbers */
  }
  return t;
}

/* w = max(w + what a row gets, 0). @return how many were below 0. */
static int descend_row(const step *d, int row, mho_real *w) {
  const mho_real *shift = d->shift, level = level_of(d, row);
  int cols = d->cols, k = 0, clipped = 0;
  taken t = take(d, row, &k);
#pragma omp simd
  for (int j = 0; j < cols; j++)
    w[j] += level + shift[j] + (t.factor[0] * t.post[0][j] + t.factor[1] * t.post[1][j]) +
            (t.factor[2] * t.post[2][j] + t.factor[3] * t.post[3][j]);

  while (k < d->n) {
    t = take(d, row, &k);
#pragma omp simd
    for (int j = 0; j < cols; j++)
      w[j] += (t.factor[0] * t.post[0][j] + t.factor[1] * t.post[1][j]) +
              (t.factor[2] * t.post[2][j] + t.factor[3] * t.post[3][j]);
  }

#pragma omp simd reduction(+ : clipped)
  for (int j = 0; j < cols; j++) {
    clipped += w[j] < 0;
    w[j] = w[j] < 0 ? 0 : w[j];
  }
  return clipped;
}

int mho__descend(const mho_connection *k, const mho_change *change, double rate, double bias_rate,
                 int row0, int rows, mho_real *scratch) {
  mho_crossbar *x = k->xb;
  size_t cols = (size_t)x->cols, first = (size_t)row0 * cols;
  step d = step_of(k, change, rate, bias_rate, scratch);
  int clipped = 0;

  for (int i = 0; i < rows; i++) {
    mho_real *w = mho__crossbar_programmed(x) + first + (size_t)i * cols;
    if (row0 + i < d.inputs)
      clipped += descend_row(&d, row0 + i, w);
    else
      for (size_t j = 0; j < cols; j++)
        w[j] += d.bias[j];
  }
  mho_crossbar_refresh(x, first, (size_t)rows * cols);
  return clipped;
}
