/* importance.c - learning rates of neurons by their importance (GRAPES).
 *
 *   I_j = sum_i |w_ij| over all weights that lead into neuron j, without its bias
 *   m_j = clip(high I_j/max_k I_k, low, high), k the neurons of its layer
 *
 * m_j multiplies the wanted change of the weights into j (local), or the error of j on its way
 * back, so that the factors of all layers behind it come together (propagate). The read-out has
 * none. In a convolution a channel is what a neuron is elsewhere.
 *
 * Hardware has no |w|. Where one device of every pair rests at g_min, one read with all rows at one
 * voltage has it as the sum of both currents of a column (read). Elsewhere rows of random signs are
 * read (probe): the mean square of k such sums estimates sum_i w_ij^2 to sqrt(2/k), and its root
 * takes the place of I_j.
 *
 * Source: G. Dellaferrera, S. Wozniak, G. Indiveri, A. Pantazi, E. Eleftheriou, "Introducing
 * principles of synaptic integration in the optimization of deep neural networks", Nat. Commun. 13,
 * 1885 (2022), arXiv 2104.11604; low = 1 and high = 2 there (feedback alignment: low = 0).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/importance.h"

#include <math.h>
#include <string.h>

#include "array/perturbation.h"
#include "base/streams.h"

enum { TOGETHER = 64 }; /* vectors read at a time */

/* ---------------------------------------------------------------- which weights count */

bool mho__importance_counts(const mho_network *net, const mho_connection *k) {
  return k->role == MHO_FORWARD && mho_layer_is_hidden(&net->layer[k->to]);
}

/* Neurons of a layer that differ: units, or the channels of an image that a convolution makes. */
static int columns_of(const mho_network *net, int l) {
  for (int c = 0; c < net->n_connections; c++) {
    const mho_connection *k = &net->connection[c];
    if (k->to == l && k->conv.kernel && mho__importance_counts(net, k))
      return net->layer[l].channels;
  }
  return net->layer[l].n;
}

/* ---------------------------------------------------------------- memory */

static bool add_layers(mho_importance *p) {
  const mho_network *net = p->net;
  size_t layers = (size_t)net->n_layers;
  p->factor = mho_alloc(layers, sizeof *p->factor);
  p->sum = mho_alloc(layers, sizeof *p->sum);
  bool ok = p->factor && p->sum;

  for (int l = 1; ok && l < mho_hidden_end(net); l++) {
    size_t n = (size_t)net->layer[l].n;
    p->factor[l] = mho_alloc(n, sizeof **p->factor);
    p->sum[l] = mho_alloc(n, sizeof **p->sum);
    ok = p->factor[l] && p->sum[l];
  }
  return ok;
}

static void widen(size_t *most, size_t n) {
  *most = n > *most ? n : *most;
}

/* Room for reads of the crossbars that count. */
static bool add_reads(mho_importance *p) {
  const mho_network *net = p->net;
  size_t cells = 1, rows = 1, cols = 1, scratch = 1;

  for (int c = 0; c < net->n_connections; c++) {
    const mho_crossbar *x = net->connection[c].xb;
    if (!mho__importance_counts(net, &net->connection[c]))
      continue;
    widen(&cells, mho_crossbar_cells(x));
    widen(&rows, (size_t)x->rows);
    widen(&cols, (size_t)x->cols);
    widen(&scratch, mho_crossbar_scratch(x, TOGETHER));
  }

  if (p->config->importance_by == MHO_IMPORTANCE_BY_READ)
    p->added = mho_alloc(cells, sizeof *p->added);
  p->x = mho_alloc(TOGETHER * rows, sizeof *p->x);
  p->y = mho_alloc(TOGETHER * cols, sizeof *p->y);
  p->room = mho_alloc(rows + cols, sizeof *p->room);
  p->scratch = mho_alloc(scratch, sizeof *p->scratch);
  bool has_added = p->added || p->config->importance_by != MHO_IMPORTANCE_BY_READ;
  return has_added && p->x && p->y && p->room && p->scratch;
}

mho_err mho__importance_new(const mho_network *net, const mho_gradient_config *config,
                            mho_importance **out, mho_errinfo *ei) {
  mho_importance *p = mho_alloc(1, sizeof *p);
  bool ok = p != NULL;

  if (ok) {
    p->net = net;
    p->config = config;
    ok = add_layers(p) && (mho__importance_reads(config) == 0 || add_reads(p));
  }
  if (!ok) {
    mho__importance_free(p);
    p = NULL;
  }

  *out = p;
  return ok ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for the importance of neurons");
}

void mho__importance_free(mho_importance *p) {
  if (!p)
    return;

  for (int l = 0; l < p->net->n_layers; l++) {
    mho_free(p->factor ? p->factor[l] : NULL);
    mho_free(p->sum ? p->sum[l] : NULL);
  }
  mho_free(p->factor);
  mho_free(p->sum);
  mho_free(p->added);
  mho_free(p->x);
  mho_free(p->y);
  mho_free(p->room);
  mho_free(p->scratch);
  mho_free(p);
}

int mho__importance_reads(const mho_gradient_config *config) {
  switch (config->importance_by) {
  case MHO_IMPORTANCE_BY_READ:
    return 1;
  case MHO_IMPORTANCE_BY_PROBE:
    return (int)config->importance_probes;
  default:
    return 0;
  }
}

/* ---------------------------------------------------------------- sums of columns */

/* Rows of a crossbar whose weights are not biases. */
static int inputs_of(const mho_connection *k) {
  return k->xb->rows - k->bias;
}

/* sum[j] += |w_ij|, of the effective matrix. */
static void add_weights(const mho_connection *k, int columns, double *sum) {
  const mho_real *w = mho_crossbar_matrix(k->xb);
  int cols = k->xb->cols;

  for (int i = 0; i < inputs_of(k); i++)
    for (int j = 0; j < cols; j += columns)
      for (int c = 0; c < columns; c++)
        sum[c] += fabs((double)w[(size_t)i * (size_t)cols + (size_t)(j + c)]);
}

/* n vectors from p->x through a crossbar, from number `first` on, into p->y. */
static void read_columns(mho_importance *p, const mho_connection *k, const mho_real *matrix,
                         int first, int n, uint64_t update) {
  mho_read r = {.n = n,
                .x = p->x,
                .y = p->y,
                .scale = 1,
                .clock = {.update = mho__update_importance(update)},
                .sample0 = first,
                .neurons_in = p->net->layer[k->from].neuron != NULL,
                .neurons_out = true,
                .scratch = p->scratch};
  mho_crossbar_read_ranged(k->xb, matrix, &r, p->room);
}

/* sum[j] += what both devices of every weight in a column conduct. */
static void add_currents(mho_importance *p, const mho_connection *k, int columns, uint64_t update,
                         double *sum) {
  for (int i = 0; i < k->xb->rows; i++)
    p->x[i] = i < inputs_of(k);
  mho_crossbar_added(k->xb, p->added);
  read_columns(p, k, p->added, 0, 1, update);
  for (int j = 0; j < k->xb->cols; j++)
    sum[j % columns] += (double)p->y[j];
}

/* Rows of signs, from number `first` on, into p->x; the bias gets nothing. */
static void draw_probes(mho_importance *p, const mho_connection *k, int first, int n,
                        uint64_t update) {
  size_t rows = (size_t)k->xb->rows;
  int c = (int)(k - p->net->connection);
  mho_rng rng = mho__stream_perturbed(p->net->state_noise.seed, c, MHO_PERTURB_ROWS);
  mho__perturbation_numbers(MHO_SHAPE_SIGNS, rng, mho__step_perturb(update, 0),
                            (uint64_t)first * rows, (size_t)n * rows, p->x);
  for (int s = 0; s < n && k->bias; s++)
    p->x[(size_t)(s + 1) * rows - 1] = 0;
}

/* sum[j] += the mean square of a column's sums. */
static void add_squares(mho_importance *p, const mho_connection *k, int columns, uint64_t update,
                        double *sum) {
  int probes = (int)p->config->importance_probes, cols = k->xb->cols;

  for (int first = 0; first < probes; first += TOGETHER) {
    int n = mho_min(probes - first, TOGETHER);
    draw_probes(p, k, first, n, update);
    read_columns(p, k, NULL, first, n, update);
    for (int i = 0; i < n * cols; i++)
      sum[i % cols % columns] += (double)p->y[i] * (double)p->y[i] / probes;
  }
}

/* ---------------------------------------------------------------- factors */

/* Where all are worth nothing, all are worth the same. */
static double factor_of(const mho_gradient_config *c, double own, double most) {
  double share = most > 0 ? own / most : 1;
  return fmin(fmax(c->importance_high * share, c->importance_low), c->importance_high);
}

/* Factors of layer l from its sums, the same at all positions of an image. */
static void find_factors(mho_importance *p, int l, int columns) {
  double *sum = p->sum[l], most = 0;

  for (int j = 0; j < columns; j++) {
    if (p->config->importance_by == MHO_IMPORTANCE_BY_PROBE)
      sum[j] = sqrt(sum[j]);
    most = fmax(most, sum[j]);
  }
  for (int j = 0; j < p->net->layer[l].n; j++)
    p->factor[l][j] = (mho_real)factor_of(p->config, sum[j % columns], most);
}

void mho__importance_find(mho_importance *p, uint64_t update) {
  const mho_network *net = p->net;
  int by = p->config->importance_by;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    int columns = columns_of(net, l);
    memset(p->sum[l], 0, (size_t)columns * sizeof **p->sum);

    for (int c = 0; c < net->n_connections; c++) {
      const mho_connection *k = &net->connection[c];
      if (k->to != l || !mho__importance_counts(net, k))
        continue;
      if (by == MHO_IMPORTANCE_BY_READ)
        add_currents(p, k, columns, update, p->sum[l]);
      else if (by == MHO_IMPORTANCE_BY_PROBE)
        add_squares(p, k, columns, update, p->sum[l]);
      else
        add_weights(k, columns, p->sum[l]);
    }
    find_factors(p, l, columns);
  }

  p->reads += mho__importance_reads(p->config);
  p->valid = true;
}
