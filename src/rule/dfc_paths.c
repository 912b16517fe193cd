/* dfc_paths.c - the ways of deep feedback control: forward under control, controls back, and the
 * Jacobian of the read-out.
 *
 *   direct  f_l = u Q_l                                      arrays of their own
 *   chain   f_l = rho'(v_l) . sum over links of f_to W^T     f_o = u; f_l = u J_l at that state
 *
 *   J_o = 1,  J_l = sum over links out of l of (J_to W^T) . rho'(v_l)     C rows a sample
 *   JQ = 1 + sum over hidden layers of J_l Q_l^T,  Q_l = J_l of the chain
 *
 * JQ says what a change of u does to the read-out, to first order. Where a layer is pooled, the
 * chain leads back to the winners of the free state, so that f does not jump on the way to rest.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "mho/model/num.h"
#include "rule/dfc.h"

dfc_run mho__dfc_uncounted(const dfc_run *r, mho_settle_stats *stats) {
  dfc_run quiet = *r;
  quiet.phase.probe = NULL;
  quiet.stats = stats;
  return quiet;
}

/* ---------------------------------------------------------------- forward */

static void read_link(const dfc_run *r, const mho_link *k, mho_real *to, bool add) {
  mho__link_read(&r->phase, k, mho__dfc_z(r, k->from), to, k->scale, add, r->stats);
}

void mho__dfc_read_input(const dfc_run *r, int l) {
  const mho_layer *layer = &r->lesson->net->layer[l];
  bool any = false;

  for (int i = layer->forward; i < layer->forward + layer->n_forward; i++) {
    const mho_link *k = &r->lesson->net->link[i];
    if (k->from == 0) {
      read_link(r, k, r->w->input[l], any);
      any = true;
    }
  }
}

void mho__dfc_sum(const dfc_run *r, int l) {
  const mho_layer *layer = &r->lesson->net->layer[l];
  mho_real *sums = r->w->sums[l], *input = r->w->input[l];
  bool any = input != NULL;
  if (sums == input)
    return;

  if (input)
    memcpy(sums, input, mho__rule_count(r->lesson, l) * sizeof *sums);
  for (int i = layer->forward; i < layer->forward + layer->n_forward; i++) {
    const mho_link *k = &r->lesson->net->link[i];
    if (k->from == 0)
      continue;
    read_link(r, k, sums, any);
    any = true;
  }
}

void mho__dfc_sum_again(const dfc_run *r) {
  const mho_network *net = r->lesson->net;
  dfc_run after = *r;
  after.phase.number = 2;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_layer *layer = &net->layer[l];
    if (!r->w->again[l])
      continue;
    for (int i = 0; i < layer->n_forward; i++)
      read_link(&after, &net->link[layer->forward + i], r->w->again[l], i > 0);
  }
}

/* z = rho(a + f) of a hidden layer, or rho(a). */
static void activate(const dfc_run *r, int l, bool controlled) {
  const mho_real *a = r->w->sums[l], *f = mho__dfc_control(r, l);
  mho_real *z = mho__dfc_z(r, l);
  size_t n = mho__rule_count(r->lesson, l);

  for (size_t i = 0; i < n; i++)
    z[i] = controlled ? a[i] + f[i] : a[i];
  mho_layer_activate(&r->lesson->net->layer[l], r->lesson->n, z, z);
  if (!controlled)
    mho__choose_winners(&r->phase, l, z);
}

void mho__dfc_pass(const dfc_run *r, bool controlled) {
  int last = mho_network_output(r->lesson->net);

  for (int l = 1; l <= last; l++) {
    if (!controlled) { /* its reads are those of any forward pass */
      r->lesson->thread->step = l < last ? l : MHO_STEP_READ_OUT;
      mho__dfc_read_input(r, l);
    }
    mho__dfc_sum(r, l);
    if (l < last)
      activate(r, l, controlled);
  }
}

/* ---------------------------------------------------------------- controls back */

/* f of layer l through arrays of their own. */
static void lead_directly(const dfc_run *r, int l, mho_real *f) {
  const mho_network *net = r->lesson->net;
  const mho_layer *layer = &net->layer[l];
  const mho_real *u = mho__dfc_control(r, mho_network_output(net));
  bool any = false;

  for (int i = layer->other; i < layer->other + layer->n_other; i++) {
    const mho_link *k = &net->link[i];
    if (!mho_link_has_control(net, k))
      continue;
    mho__link_read(&r->phase, k, u, f, k->scale, any, r->stats);
    any = true;
  }
  if (!any)
    memset(f, 0, mho__rule_count(r->lesson, l) * sizeof *f);
}

/* The gain of a link that leads back: of its forward one, and no beta_i, as nothing recurs. */
static mho_real gain_back(const mho_network *net, const mho_link *k) {
  double alpha = mho_link_has_error(net, k) ? 1 : net->forward_scale;
  return (mho_real)(net->connection[k->connection].sign * alpha);
}

/* f of layer l from those of the layers that it leads to. */
static void lead_through(const dfc_run *r, int l, mho_real *f) {
  const mho_network *net = r->lesson->net;
  const mho_layer *layer = &net->layer[l];

  for (int i = 0; i < layer->n_feedback; i++) {
    const mho_link *k = &net->link[layer->feedback + i];
    mho__link_read(&r->phase, k, mho__dfc_control(r, k->from), f, gain_back(net, k), i > 0,
                   r->stats);
  }
  if (!layer->n_feedback)
    memset(f, 0, mho__rule_count(r->lesson, l) * sizeof *f);
  mho_layer_scale_by_slope(layer, r->lesson->n, mho__dfc_z(r, l), f);
}

void mho__dfc_lead_back(const dfc_run *r) {
  const mho_network *net = r->lesson->net;
  for (int l = mho_hidden_end(net) - 1; l >= 1; l--) {
    mho_real *f = mho__dfc_control(r, l);
    if (net->path == MHO_PATH_DIRECT)
      lead_directly(r, l, f);
    else
      lead_through(r, l, f);
  }
}

/* Vectors of a sample that a read of link k is. */
static int vectors_of(const mho_network *net, const mho_link *k) {
  return k->plain ? 1 : net->connection[k->connection].positions;
}

double mho__dfc_reads(const dfc_run *r) {
  const mho_network *net = r->lesson->net;
  int last = mho_network_output(net), vectors = 0;

  for (int l = 1; l <= last; l++) {
    const mho_layer *layer = &net->layer[l];
    const mho_link *forward = &net->link[layer->forward], *feedback = &net->link[layer->feedback];
    const mho_link *other = &net->link[layer->other];
    for (int i = 0; i < layer->n_forward; i++)
      vectors += forward[i].from != 0 ? vectors_of(net, &forward[i]) : 0;
    for (int i = 0; l < last && net->path != MHO_PATH_DIRECT && i < layer->n_feedback; i++)
      vectors += vectors_of(net, &feedback[i]);
    for (int i = 0; l < last && net->path == MHO_PATH_DIRECT && i < layer->n_other; i++)
      vectors += mho_link_has_control(net, &other[i]) ? vectors_of(net, &other[i]) : 0;
  }
  return (double)vectors * r->lesson->n;
}

/* ---------------------------------------------------------------- the Jacobian */

/* What lies between a row c of J in a layer and the next row: the samples' values. */
static size_t row_size(const dfc_run *r, int l) {
  return mho__rule_count(r->lesson, l);
}

/* J of link k's target += J of its source W^T, or J = that unless `add`: all rows at once, but row
 * by row where they go to the winners of a pooling, which are known of the samples. */
static void read_rows(const dfc_run *r, const mho_link *k, const mho_real *from, mho_real *to,
                      bool add) {
  int classes = r->w->classes;
  bool pooled = r->lesson->net->layer[k->to].pool.size > 0;
  mho_thread thread = *r->lesson->thread;
  mho_phase rows = r->phase;
  thread.scratch = r->w->scratch;
  rows.thread = &thread;

  if (!pooled) {
    rows.n = classes * r->lesson->n;
    mho__link_read(&rows, k, from, to, k->scale, add, r->stats);
    return;
  }
  for (int c = 0; c < classes; c++)
    mho__link_read(&rows, k, from + (size_t)c * row_size(r, k->from),
                   to + (size_t)c * row_size(r, k->to), k->scale, add, r->stats);
}

/* J of link k's target, which leads to the read-out, whose J is 1: C rows that all samples share.
 * false: they do not. */
static bool copy_rows(const dfc_run *r, const mho_link *k, mho_real *to) {
  const mho_layer *layer = &r->lesson->net->layer[k->to];
  int n = layer->n, classes = r->w->classes, samples = r->lesson->n;
  mho_real *one = r->w->product, *room = r->w->miss[k->to];
  mho_phase rows = r->phase;
  if (layer->pool.size > 0 || samples < classes)
    return false;

  memset(one, 0, (size_t)(classes * classes) * sizeof *one);
  for (int c = 0; c < classes; c++)
    one[c * classes + c] = 1;
  rows.n = classes;
  mho__link_read(&rows, k, one, room, k->scale, false, r->stats);

  for (int c = 0; c < classes; c++)
    for (int s = 0; s < samples; s++, to += n)
      memcpy(to, room + c * n, (size_t)n * sizeof *to);
  return true;
}

static void find_rows(const dfc_run *r, int l) {
  const mho_network *net = r->lesson->net;
  dfc_workspace *w = r->w;
  mho_real *rows = w->jacobian[l];
  int first = w->first_back[l], end = w->first_back[l + 1];

  for (int i = first; i < end; i++) {
    const mho_link *k = &w->back[i];
    bool from_output = k->from == mho_network_output(net);
    if (from_output && i == first && copy_rows(r, k, rows))
      continue;
    read_rows(r, k, from_output ? w->units : w->jacobian[k->from], rows, i > first);
  }
  if (first == end)
    memset(rows, 0, (size_t)w->classes * row_size(r, l) * sizeof *rows);
  for (int c = 0; c < w->classes; c++)
    mho_layer_scale_by_slope(&net->layer[l], r->lesson->n, mho__dfc_z(r, l),
                             rows + (size_t)c * row_size(r, l));
}

/* p = products of two rows with two others: a c, a d, b c, b d. Side by side they need not wait for
 * one another. */
static void multiply_rows(int n, const mho_real *a, const mho_real *b, const mho_real *c,
                          const mho_real *d, double *p) {
  mho_real ac = 0, ad = 0, bc = 0, bd = 0;
#pragma omp simd reduction(+ : ac, ad, bc, bd)
  for (int i = 0; i < n; i++) {
    ac += a[i] * c[i];
    ad += a[i] * d[i];
    bc += b[i] * c[i];
    bd += b[i] * d[i];
  }
  p[0] = (double)ac;
  p[1] = (double)ad;
  p[2] = (double)bc;
  p[3] = (double)bd;
}

/* Elements (i, j) and (j, i) of a symmetric matrix += v. */
static void add_pair(double *k, int classes, int i, int j, double v) {
  k[i * classes + j] += v;
  if (i != j)
    k[j * classes + i] += v;
}

/* k of every sample += J_l J_l^T: two rows with two rows, of the lower triangle. */
static void add_squares(const dfc_run *r, int l) {
  const dfc_workspace *w = r->w;
  int classes = w->classes, n = r->lesson->net->layer[l].n;
  size_t apart = row_size(r, l);

  for (int s = 0; s < r->lesson->n; s++) {
    const mho_real *rows = w->jacobian[l] + (size_t)s * (size_t)n;
    double *k = w->k + (size_t)s * (size_t)(classes * classes), p[4];
    for (int i = 0; i < classes; i += 2)
      for (int j = 0; j <= i; j += 2) {
        bool has_i = i + 1 < classes, has_j = j + 1 < classes;
        const mho_real *a = rows + (size_t)i * apart, *c = rows + (size_t)j * apart;
        multiply_rows(n, a, has_i ? a + apart : a, c, has_j ? c + apart : c, p);

        add_pair(k, classes, i, j, p[0]);
        if (j < i)
          add_pair(k, classes, i, j + 1, p[1]);
        if (has_i)
          add_pair(k, classes, i + 1, j, p[2]);
        if (has_i && has_j)
          add_pair(k, classes, i + 1, j + 1, p[3]);
      }
  }
}

/* k of every sample += J_l Q^T, of the array that link q reads. */
static void add_product(const dfc_run *r, int l, const mho_link *q) {
  const dfc_workspace *w = r->w;
  const mho_crossbar *x = r->lesson->net->connection[q->connection].xb;
  int classes = w->classes, samples = r->lesson->n, n = r->lesson->net->layer[l].n;

  mho_gemm(false, true, classes * samples, classes, n, q->scale, w->jacobian[l], n,
           mho_crossbar_matrix(x), x->cols, 0, w->product, classes);
  for (int c = 0; c < classes; c++)
    for (int s = 0; s < samples; s++)
      for (int d = 0; d < classes; d++)
        w->k[((size_t)s * (size_t)classes + (size_t)c) * (size_t)classes + (size_t)d] +=
            (double)
                w->product[((size_t)c * (size_t)samples + (size_t)s) * (size_t)classes + (size_t)d];
}

static void add_layer(const dfc_run *r, int l) {
  const mho_network *net = r->lesson->net;
  const mho_layer *layer = &net->layer[l];
  if (net->path != MHO_PATH_DIRECT) {
    add_squares(r, l);
    return;
  }

  for (int i = layer->other; i < layer->other + layer->n_other; i++)
    if (mho_link_has_control(net, &net->link[i]))
      add_product(r, l, &net->link[i]);
}

/* k = 1 and rows of units of every sample: the read-out's own. */
static void begin_jacobian(const dfc_run *r) {
  const dfc_workspace *w = r->w;
  size_t classes = (size_t)w->classes, n = (size_t)r->lesson->n;
  memset(w->k, 0, n * classes * classes * sizeof *w->k);
  memset(w->units, 0, n * classes * classes * sizeof *w->units);

  for (size_t s = 0; s < n; s++)
    for (size_t c = 0; c < classes; c++) {
      w->k[(s * classes + c) * classes + c] = 1;
      w->units[(c * n + s) * classes + c] = 1;
    }
}

void mho__dfc_jacobian(const dfc_run *r) {
  begin_jacobian(r);
  for (int l = mho_hidden_end(r->lesson->net) - 1; l >= 1; l--) {
    find_rows(r, l);
    add_layer(r, l);
  }
}

void mho__dfc_lead_by_rows(const dfc_run *r) {
  const mho_network *net = r->lesson->net;
  int classes = r->w->classes;
  const mho_real *u = mho__dfc_control(r, mho_network_output(net));

  for (int l = mho_hidden_end(net) - 1; l >= 1; l--) {
    int n = net->layer[l].n;
    mho_real *f = mho__dfc_control(r, l);
    memset(f, 0, mho__rule_count(r->lesson, l) * sizeof *f);
    for (int s = 0; s < r->lesson->n; s++, f += n)
      for (int c = 0; c < classes; c++) {
        const mho_real *row = r->w->jacobian[l] + (size_t)c * row_size(r, l) + (size_t)(s * n);
        mho_real by = u[s * classes + c];
        for (int i = 0; i < n; i++)
          f[i] += by * row[i];
      }
  }
}

/* ---------------------------------------------------------------- that of the mean slopes */

void mho__dfc_find_slopes(const dfc_run *r, int l, mho_real *slopes) {
  size_t n = mho__rule_count(r->lesson, l);
  for (size_t i = 0; i < n; i++)
    slopes[i] = 1;
  mho_layer_scale_by_slope(&r->lesson->net->layer[l], r->lesson->n, mho__dfc_z(r, l), slopes);
}

/* Mean slopes of layer l over the samples, [n], by way of `room` [samples x n]. */
static void find_mean_slopes(const dfc_run *r, int l, mho_real *room, mho_real *mean) {
  int n = r->lesson->net->layer[l].n, samples = r->lesson->n;
  mho__dfc_find_slopes(r, l, room);

  memcpy(mean, room, (size_t)n * sizeof *mean);
  for (int s = 1; s < samples; s++)
    for (int i = 0; i < n; i++)
      mean[i] += room[s * n + i];
  for (int i = 0; i < n; i++)
    mean[i] /= (mho_real)samples;
}

/* w->forms of layer l, from rows of J without its slopes. */
static void find_forms(const dfc_run *r, int l, const mho_real *rows) {
  const mho_network *net = r->lesson->net;
  const mho_layer *layer = &net->layer[l];
  int n = layer->n, classes = r->w->classes;
  memset(r->w->forms[l], 0, (size_t)(mho__dfc_pairs(classes) * n) * sizeof(mho_real));

  for (int k = layer->other; k < layer->other + layer->n_other; k++) {
    const mho_link *link = &net->link[k];
    if (!mho_link_has_control(net, link))
      continue;

    const mho_crossbar *x = net->connection[link->connection].xb;
    const mho_real *q = mho_crossbar_matrix(x);
    mho_real half = link->scale / 2, *form = r->w->forms[l];
    for (int c = 0; c < classes; c++)
      for (int d = 0; d <= c; d++, form += n) {
        const mho_real *row_c = rows + c * n, *row_d = rows + d * n;
        const mho_real *q_c = q + c * x->cols, *q_d = q + d * x->cols;
        for (int i = 0; i < n; i++)
          form[i] += half * (row_c[i] * q_d[i] + row_d[i] * q_c[i]);
      }
  }
}

/* Rows of J as if one sample had the mean slopes. */
static void find_mean_rows(const dfc_run *r, int l) {
  const dfc_workspace *w = r->w;
  int last = mho_network_output(r->lesson->net), n = r->lesson->net->layer[l].n;
  mho_real *rows = w->jacobian[l], *mean = w->miss[l];
  mho_phase phase = r->phase;
  phase.n = w->classes;

  for (int i = w->first_back[l]; i < w->first_back[l + 1]; i++) {
    const mho_link *k = &w->back[i];
    mho__link_read(&phase, k, k->from == last ? w->units : w->jacobian[k->from], rows, k->scale,
                   i > w->first_back[l], r->stats);
  }
  if (w->first_back[l] == w->first_back[l + 1])
    memset(rows, 0, (size_t)(w->classes * n) * sizeof *rows);
  if (w->forms[l])
    find_forms(r, l, rows);

  find_mean_slopes(r, l, w->other[l], mean);
  for (int c = 0; c < w->classes; c++)
    for (int i = 0; i < n; i++)
      rows[c * n + i] *= mean[i];
}

void mho__dfc_mean_jacobian(const dfc_run *r) {
  size_t squares = (size_t)(r->w->classes * r->w->classes);
  mho_lesson one = *r->lesson;
  dfc_run mean = *r;
  one.n = 1;
  mean.lesson = &one;

  begin_jacobian(&mean);
  for (int l = mho_hidden_end(r->lesson->net) - 1; l >= 1; l--) {
    find_mean_rows(r, l);
    add_layer(&mean, l);
  }
  for (int s = 1; s < r->lesson->n; s++)
    memcpy(r->w->k + (size_t)s * squares, r->w->k, squares * sizeof *r->w->k);
}
