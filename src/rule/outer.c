/* outer.c - sums of outer products: the local product that every rule ends in.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "array/sparse_product.h"
#include "mho/model/num.h"
#include "rule/phase.h"

/* Numbers of the patches that are copied at a time, which stay in the second-level cache. */
enum { SLAB = 1 << 17, PATCHES_MIN = 64, PATCHES_MAX = 4096 };

/* ---------------------------------------------------------------- scratch */

/* Patches of so many rows that are copied at a time. */
static int patches_at_once(int rows) {
  return mho_max(PATCHES_MIN, mho_min(SLAB / rows, PATCHES_MAX));
}

static size_t patches_scratch(const mho_network *net, int rows) {
  for (int c = 0; c < net->n_connections; c++)
    if (net->connection[c].conv.kernel)
      return (size_t)mho_max(SLAB, PATCHES_MIN * rows);
  return 0;
}

/* Ones of a sample, for the units of the largest layer. */
static size_t ones_scratch(const mho_network *net) {
  int most = 0;
  for (int c = 0; c < net->n_connections; c++) {
    const mho_connection *k = &net->connection[c];
    most = mho_max(most, mho_max(net->layer[k->from].outputs, net->layer[k->to].n));
    most = mho_max(most, mho_max(k->xb->rows, k->xb->cols));
  }
  return (size_t)most;
}

/* Behind each other: a term's product, ones, patches. */
size_t mho_change_scratch(const mho_network *net, int rows, int cells) {
  return (size_t)cells + ones_scratch(net) + patches_scratch(net, rows);
}

/* ---------------------------------------------------------------- products of one term */

/* One term of a connection, and where its product goes. */
typedef struct product {
  const mho_connection *k;
  const mho_outer *term;
  const mho_real *ones; /* of a sample, where the term has some */
  mho_real *patches;
  int row0, n; /* rows */
} product;

/* What a line gets whose input is always 1: post itself, summed. */
static void sum_post(const product *p, mho_real *out) {
  int cols = p->k->xb->cols, positions = p->k->positions;
  for (int j = 0; j < cols; j++)
    out[j] = 0;

  for (int i = 0; i < p->term->n * positions; i++) {
    const mho_real *e = p->term->post ? p->term->post + (size_t)i * (size_t)cols : p->ones;
    for (int j = 0; j < cols; j++)
      out[j] += e[j];
  }
}

/* The same in every row: of ones in front, which lines of a patch in the border have, too. */
static void repeat_post(const product *p, int m, mho_real *out) {
  size_t cols = (size_t)p->k->xb->cols;
  sum_post(p, out);
  for (int i = 1; i < m; i++)
    memcpy(out + (size_t)i * cols, out, cols * sizeof *out);
}

/* What row i does in n samples from s0 on. */
static void take_row(const mho_real *pre, int width, int i, int s0, int n, mho_real *row) {
  const mho_real *from = pre + (size_t)s0 * (size_t)width + i;
  for (int s = 0; s < n; s++)
    row[s] = from[(size_t)s * (size_t)width];
}

/* out = keep out + sign pre^T post of rows that are 0 in most samples. */
static void add_spikes(const product *p, const mho_real *pre, int width, int m, mho_real sign,
                       mho_real keep, mho_real *out) {
  enum { SAMPLES = 512 }; /* at a time */
  mho_real row[SAMPLES];
  int cols = p->k->xb->cols, n = p->term->n;

  for (int s0 = 0; s0 < n; s0 += SAMPLES) {
    int some = mho_min(n - s0, SAMPLES);
    const mho_real *post = p->term->post + (size_t)s0 * (size_t)cols;
    for (int i = 0; i < m; i++) {
      take_row(pre, width, p->row0 + i, s0, some, row);
      mho__sparse_product(1, some, cols, sign, row, NULL, post, s0 ? 1 : keep,
                          out + (size_t)i * (size_t)cols);
    }
  }
}

/* multiply of spikes, or of what is 1 but for spikes. */
static void multiply_sparse(const product *p, int width, int m, mho_real *out) {
  const mho_outer *t = p->term;
  if (!t->but) {
    add_spikes(p, t->pre, width, m, 1, 0, out);
    return;
  }

  repeat_post(p, m, out);
  add_spikes(p, t->but, width, m, -1, 1, out);
}

/* out = pre^T post of m of the `width` lines of a crossbar without patches. */
static void multiply(const product *p, int width, int m, mho_real *out) {
  const mho_outer *t = p->term;
  int cols = p->k->xb->cols;

  if (t->pre && t->post && t->sparse) {
    multiply_sparse(p, width, m, out);
    return;
  }
  if (t->pre && t->post) {
    mho_gemm(true, false, m, cols, t->n, 1, t->pre + p->row0, width, t->post, cols, 0, out, cols);
    return;
  }

  /* Ones of one sample stand for those of all of them. */
  for (int s = 0; s < t->n; s++) {
    const mho_real *x = t->pre ? t->pre + (size_t)s * (size_t)width : p->ones;
    const mho_real *e = t->post ? t->post + (size_t)s * (size_t)cols : p->ones;
    mho_gemm(true, false, m, cols, 1, 1, x + p->row0, width, e, cols, s > 0, out, cols);
  }
}

/* The rows of a convolution: over all positions, without patches, or with the patches of some
 * positions at a time. */
static void convolve(const product *p, int m, mho_real *out) {
  const mho_connection *k = p->k;
  const mho_outer *t = p->term;
  int cols = k->xb->cols, all = t->n * k->positions, at_once = patches_at_once(m);

  if (mho_conv_is_direct(&k->conv)) {
    memset(out, 0, (size_t)m * (size_t)cols * sizeof *out);
    mho_conv_gradient(&k->conv, t->n, t->pre, t->post, p->row0, m, out);
    return;
  }

  for (int first = 0; first < all; first += at_once) {
    int some = mho_min(all - first, at_once);
    mho_conv_gather(&k->conv, t->pre, first, some, p->row0, m, p->patches, m);
    mho_gemm(true, false, m, cols, some, 1, p->patches, m, t->post + (size_t)first * (size_t)cols,
             cols, first > 0, out, cols);
  }
}

/* The same of ones behind: every column is the sum of the patches. */
static void sum_patches(const product *p, int m, mho_real *out) {
  const mho_connection *k = p->k;
  int cols = k->xb->cols, all = p->term->n * k->positions, at_once = patches_at_once(m);
  memset(out, 0, (size_t)m * (size_t)cols * sizeof *out);

  for (int first = 0; first < all; first += at_once) {
    int some = mho_min(all - first, at_once);
    mho_conv_gather(&k->conv, p->term->pre, first, some, p->row0, m, p->patches, m);
    for (int q = 1; q < some; q++)
      for (int i = 0; i < m; i++)
        p->patches[i] += p->patches[(size_t)q * (size_t)m + (size_t)i];
    for (int i = 0; i < m; i++)
      for (int j = 0; j < cols; j++)
        out[(size_t)i * (size_t)cols + (size_t)j] += p->patches[i];
  }
}

static void find_rows_of_patches(const product *p, int m, mho_real *out) {
  if (!p->term->pre)
    repeat_post(p, m, out);
  else if (!p->term->post)
    sum_patches(p, m, out);
  else
    convolve(p, m, out);
}

/* out = scale pre^T post, rows of the crossbar. */
static void find_product(const product *p, mho_real *out) {
  const mho_connection *k = p->k;
  int cols = k->xb->cols;
  int inputs = p->term->lines ? k->xb->rows : k->xb->rows - k->bias;
  int m = mho_min(p->n, inputs - p->row0);

  if (m > 0 && k->conv.kernel && !p->term->lines)
    find_rows_of_patches(p, m, out);
  else if (m > 0)
    multiply(p, inputs, m, out);
  if (m < p->n && p->term->unbiased)
    memset(out + (size_t)m * (size_t)cols, 0, (size_t)cols * sizeof *out);
  else if (m < p->n)
    sum_post(p, out + (size_t)m * (size_t)cols);

  mho_real factor = (mho_real)p->term->scale;
  for (int i = 0; i < p->n * cols; i++)
    out[i] *= factor;
}

/* ---------------------------------------------------------------- sums of terms */

static bool needs_ones(const mho_outer *t) {
  return !t->pre || !t->post;
}

/* Which part of a change a term is of. */
static mho_change_part part_of(const mho_outer *t) {
  if (t->absolute)
    return MHO_CHANGE_ABSOLUTE;
  return t->plain ? MHO_CHANGE_PLAIN : MHO_CHANGE_GRADIENT;
}

static void multiply_columns(int rows, int cols, const mho_real *gain, mho_real *out) {
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols; j++)
      out[(size_t)i * (size_t)cols + (size_t)j] *= gain[j];
}

void mho_change_sum(const mho_network *net, int c, const mho_change *change, mho_change_part part,
                    int row0, int n, mho_real *out, mho_real *scratch) {
  const mho_connection *k = &net->connection[c];
  size_t cells = (size_t)n * (size_t)k->xb->cols, all_ones = ones_scratch(net);
  mho_real *ones = scratch + cells;
  bool any = false;

  for (int i = 0; i < change->n; i++) {
    const mho_outer *t = &change->term[i];
    if (part_of(t) != part || t->n == 0)
      continue;

    product p = {.k = k, .term = t, .ones = ones, .patches = ones + all_ones, row0, n};
    for (size_t j = 0; needs_ones(t) && j < all_ones; j++)
      ones[j] = 1;
    find_product(&p, any ? scratch : out);
    for (size_t j = 0; any && j < cells; j++)
      out[j] += scratch[j];
    any = true;
  }

  if (!any)
    memset(out, 0, cells * sizeof *out);
  if (change->dense && part == MHO_CHANGE_GRADIENT)
    change->dense(change->of, c, row0, n, out);
  if (change->dense_absolute && part == MHO_CHANGE_ABSOLUTE)
    change->dense_absolute(change->of, c, row0, n, out);
  if (change->gain && part == MHO_CHANGE_GRADIENT)
    multiply_columns(n, k->xb->cols, change->gain, out);
}

bool mho_change_has(const mho_change *c, mho_change_part part) {
  for (int i = 0; i < c->n; i++)
    if (part_of(&c->term[i]) == part)
      return true;
  return part == MHO_CHANGE_ABSOLUTE && c->dense_absolute;
}

/* ---------------------------------------------------------------- errors of layers */

void mho_change_by_error(const mho_lesson *l, int connection, mho_change *out) {
  const mho_connection *k = &l->net->connection[connection];
  const mho_layer *from = &l->net->layer[k->from];
  mho_real *const *z = from->pool.size ? l->state[0]->pooled : l->state[0]->z;
  mho_outer *o = mho_change_add(out);

  o->pre = z[k->from] + (size_t)l->sample0 * (size_t)from->outputs;
  o->post = mho__values(l->net, l->error, k->to, l->sample0);
  o->n = l->n;
  o->scale = k->sign * l->factor[k->to] / l->n;
}

/* ---------------------------------------------------------------- what neurons count for */

/* An image's units are channels side by side, so that its first ones are the columns of a
 * convolution. */
mho_change mho_change_of(const mho_rule *rule, const mho_lesson *l, int connection) {
  const mho_connection *k = &l->net->connection[connection];
  mho_change change = {0};
  rule->change(l, connection, &change);
  if (l->importance && !l->propagates && k->role == MHO_FORWARD)
    change.gain = l->importance[k->to];
  return change;
}
