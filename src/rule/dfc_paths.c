/* dfc_paths.c - the ways of deep feedback control: forward under control, and controls back.
 *
 *   direct  f_l = u Q_l                                      arrays of their own
 *   chain   f_l = rho'(v_l) . sum over links of f_to W^T     f_o = u; f_l = u J_l at that state
 *
 * Where a layer is pooled, the chain leads back to the winners of the free state, so that f does
 * not jump on the way to rest.
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
