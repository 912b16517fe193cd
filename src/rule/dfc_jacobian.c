/* dfc_jacobian.c - the Jacobian of the read-out under deep feedback control.
 *
 *   J_o = 1,  J_l = sum over links out of l of (J_to W^T) . rho'(v_l)     C rows a sample
 *   JQ = 1 + sum over hidden layers of J_l Q_l^T,  Q_l = J_l of the chain
 *
 * JQ says what a change of u does to the read-out, to first order.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "mho/model/num.h"
#include "rule/dfc.h"

/* ---------------------------------------------------------------- rows */

/* Numbers of the rows of a sample in layer l. */
static size_t rows_size(const dfc_run *r, int l) {
  return (size_t)r->w->classes * (size_t)r->lesson->net->layer[l].n;
}

/* Reads of n vectors that are no samples. */
static mho_phase phase_of(const dfc_run *r, int n, mho_thread *thread) {
  mho_phase rows = r->phase;
  *thread = *r->lesson->thread;
  thread->scratch = r->w->scratch;
  rows.thread = thread;
  rows.n = n;
  return rows;
}

/* J of link k's target += J of its source W^T, or J = that unless `add`, where rows go to the
 * winners of a pooling, which are known of the samples: row after row of all of them. */
static void read_to_winners(const dfc_run *r, const mho_link *k, const mho_real *from, mho_real *to,
                            bool add) {
  const mho_network *net = r->lesson->net;
  int classes = r->w->classes, samples = r->lesson->n;
  size_t in = (size_t)net->layer[k->from].n, out = (size_t)net->layer[k->to].n;
  bool from_output = k->from == mho_network_output(net);
  mho_real *row = from_output ? r->w->product : r->w->other[k->from], *read = r->w->miss[k->to];
  mho_thread thread;
  mho_phase rows = phase_of(r, samples, &thread);

  for (int c = 0; c < classes; c++) {
    for (int s = 0; s < samples; s++)
      memcpy(row + (size_t)s * in, from + (size_t)(s * classes + c) * in, in * sizeof *row);
    mho__link_read(&rows, k, row, read, k->scale, false, r->stats);

    for (int s = 0; s < samples; s++) {
      const mho_real *of_sample = read + (size_t)s * out;
      mho_real *target = to + (size_t)(s * classes + c) * out;
      for (size_t i = 0; i < out; i++)
        target[i] = add ? target[i] + of_sample[i] : of_sample[i];
    }
  }
}

/* The same of any link. */
static void read_rows(const dfc_run *r, const mho_link *k, const mho_real *from, mho_real *to,
                      bool add) {
  mho_thread thread;
  mho_phase rows = phase_of(r, r->w->classes * r->lesson->n, &thread);
  if (r->lesson->net->layer[k->to].pool.size > 0)
    read_to_winners(r, k, from, to, add);
  else
    mho__link_read(&rows, k, from, to, k->scale, add, r->stats);
}

/* The same by products of rounded numbers, where that is asked for and the link is nothing but a
 * product. @return whether J has been found. */
static bool read_rounded(const dfc_run *r, const mho_link *k, mho_real *to, bool add) {
  const mho_network *net = r->lesson->net;
  const mho_crossbar *x = net->connection[k->connection].xb;
  const int16_t *rows = r->w->rounded[k->from];
  const mho_real *panels = mho_crossbar_panel(x, k->transposed);
  bool pooled = net->layer[k->to].pool.size > 0;
  if (!rows || !panels || k->scale != 1 || pooled || !k->plain)
    return false;

  mho_panels_gemm_int16(r->w->classes * r->lesson->n, net->layer[k->to].n, net->layer[k->from].n,
                        rows, r->w->unit[k->from], panels, add, to, net->layer[k->to].n);
  return true;
}

/* J without slopes of a layer that leads to the read-out alone, whose J is 1: C rows that all
 * samples share. NULL: they do not. */
static const mho_real *shared_rows(const dfc_run *r, int l) {
  const mho_network *net = r->lesson->net;
  const dfc_workspace *w = r->w;
  const mho_link *k = &w->back[w->first_back[l]];
  int classes = w->classes;
  mho_real *one = w->product;
  mho_phase rows = r->phase;
  rows.n = classes;
  if (w->first_back[l + 1] - w->first_back[l] != 1 || k->from != mho_network_output(net) ||
      net->layer[l].pool.size > 0 || r->lesson->n < classes)
    return NULL;

  memset(one, 0, (size_t)(classes * classes) * sizeof *one);
  for (int c = 0; c < classes; c++)
    one[c * classes + c] = 1;
  mho__link_read(&rows, k, one, w->miss[l], k->scale, false, r->stats);
  return w->miss[l];
}

/* J of layer l without its slopes, every sample's own. */
static void read_own_rows(const dfc_run *r, int l) {
  const dfc_workspace *w = r->w;
  int first = w->first_back[l], end = w->first_back[l + 1];

  for (int i = first; i < end; i++) {
    const mho_link *k = &w->back[i];
    bool from_output = k->from == mho_network_output(r->lesson->net);
    if (!read_rounded(r, k, w->jacobian[l], i > first))
      read_rows(r, k, from_output ? w->units : w->jacobian[k->from], w->jacobian[l], i > first);
  }
  if (first == end)
    memset(w->jacobian[l], 0, (size_t)r->lesson->n * rows_size(r, l) * sizeof(mho_real));
}

/* k of every sample += J_l Q^T, of the array that link q reads. */
static void add_product(const dfc_run *r, int l, const mho_link *q) {
  const dfc_workspace *w = r->w;
  const mho_crossbar *x = r->lesson->net->connection[q->connection].xb;
  int classes = w->classes, samples = r->lesson->n, n = r->lesson->net->layer[l].n;

  mho_gemm(false, true, classes * samples, classes, n, q->scale, w->jacobian[l], n,
           mho_crossbar_matrix(x), x->cols, 0, w->product, classes);
  for (int i = 0; i < samples * classes * classes; i++)
    w->k[i] += (double)w->product[i];
}

/* JQ += the share of layer l, directly. */
static void add_products(const dfc_run *r, int l) {
  const mho_network *net = r->lesson->net;
  const mho_layer *layer = &net->layer[l];
  for (int i = layer->other; i < layer->other + layer->n_other; i++)
    if (mho_link_has_control(net, &net->link[i]))
      add_product(r, l, &net->link[i]);
}

/* The rows of sample s in layer l get their slopes [n], from rows without, and are rounded. */
static void finish_rows(const dfc_run *r, int l, int s, const mho_real *from,
                        const mho_real *slopes) {
  const dfc_workspace *w = r->w;
  int classes = w->classes, n = r->lesson->net->layer[l].n;
  mho_real *row = w->jacobian[l] + (size_t)s * rows_size(r, l);

  for (int c = s * classes; c < (s + 1) * classes; c++, from += n, row += n) {
    for (int i = 0; i < n; i++)
      row[i] = from[i] * slopes[i];
    if (w->rounded[l])
      w->unit[l][c] = mho_int16_from(n, row, w->rounded[l] + (size_t)c * (size_t)n);
  }
}

/* J of layer l, and its share of JQ: a sample's rows are multiplied with one another while they are
 * at hand. */
static void add_layer(const dfc_run *r, int l) {
  const dfc_workspace *w = r->w;
  const mho_real *shared = shared_rows(r, l), *slopes = w->other[l];
  int classes = w->classes, n = r->lesson->net->layer[l].n;
  bool direct = r->lesson->net->path == MHO_PATH_DIRECT;
  if (!shared)
    read_own_rows(r, l);
  mho__dfc_find_slopes(r, l, w->other[l]);

  for (int s = 0; s < r->lesson->n; s++, slopes += n) {
    mho_real *rows = w->jacobian[l] + (size_t)s * rows_size(r, l);
    finish_rows(r, l, s, shared ? shared : rows, slopes);
    if (!direct)
      mho_add_gram(classes, n, rows, w->k + (size_t)s * (size_t)(classes * classes));
  }
  if (direct)
    add_products(r, l);
}

/* k = 1 and rows of units of every sample: the read-out's own. */
static void begin_jacobian(const dfc_run *r) {
  const dfc_workspace *w = r->w;
  size_t classes = (size_t)w->classes, numbers = (size_t)r->lesson->n * classes * classes;
  memset(w->k, 0, numbers * sizeof *w->k);
  memset(w->units, 0, numbers * sizeof *w->units);

  for (size_t i = 0; i < numbers; i += classes * classes)
    for (size_t c = 0; c < classes; c++) {
      w->k[i + c * classes + c] = 1;
      w->units[i + c * classes + c] = 1;
    }
}

void mho__dfc_jacobian(const dfc_run *r) {
  begin_jacobian(r);
  for (int l = mho_hidden_end(r->lesson->net) - 1; l >= 1; l--)
    add_layer(r, l);
}

void mho__dfc_lead_by_rows(const dfc_run *r) {
  const mho_network *net = r->lesson->net;
  int classes = r->w->classes;
  const mho_real *u = mho__dfc_control(r, mho_network_output(net));

  for (int l = mho_hidden_end(net) - 1; l >= 1; l--) {
    int n = net->layer[l].n;
    const mho_real *row = r->w->jacobian[l];
    mho_real *f = mho__dfc_control(r, l);
    memset(f, 0, mho__rule_count(r->lesson, l) * sizeof *f);

    for (int s = 0; s < r->lesson->n; s++, f += n)
      for (int c = 0; c < classes; c++, row += n) {
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
    if (r->lesson->net->path == MHO_PATH_DIRECT)
      add_products(&mean, l);
    else
      mho_add_gram(r->w->classes, r->lesson->net->layer[l].n, r->w->jacobian[l], r->w->k);
  }
  for (int s = 1; s < r->lesson->n; s++)
    memcpy(r->w->k + (size_t)s * squares, r->w->k, squares * sizeof *r->w->k);
}
