/* links.c - reading a link: a crossbar, and what may lie between it and the layers.
 *
 * Forward, the source's activity is pooled and cut into patches (a dense connection has one
 * patch a sample) with a 1 for the bias behind them, and the crossbar reads patch after patch.
 * Back, the crossbar is read transposed for every position, the patches it gives are added up
 * where they overlap, and the sums go to the winners of the pooling. Patches are handled in
 * slabs that stay in the second-level cache. Where the array is an exact product and the
 * convolution has channels enough, it is done without patches (src/num/conv_direct.c).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/links.h"

#include <string.h>

enum {
  SLAB = 1 << 17, /* numbers in a slab of patches */
  SLAB_PATCHES_MIN = 64,
  SLAB_PATCHES_MAX = 4096
};

/* ---------------------------------------------------------------- sizes */

/* Numbers of a patch, without the bias. */
static int patch_inputs(const mho_connection *c) {
  return c->xb->rows - c->bias;
}

/* Whether patches are copied into slabs; else the crossbar reads the activities where they lie. */
static bool is_copied(const mho_connection *c) {
  return c->conv.kernel || c->bias;
}

/* Patches that a slab holds. */
static int slab_patches(const mho_connection *c) {
  return mho_max(SLAB_PATCHES_MIN, mho_min(SLAB / c->xb->rows, SLAB_PATCHES_MAX));
}

/* Patches read at once, for n samples. */
static int patches_at_once(const mho_connection *c, int n) {
  int all = n * c->positions;
  return is_copied(c) ? mho_min(slab_patches(c), all) : all;
}

/* Numbers in a slab: of patches, or of the transposed weights of a direct convolution. */
static size_t slab_size(const mho_connection *c, int patches) {
  return is_copied(c) ? (size_t)mho_max(patches, c->xb->cols) * (size_t)c->xb->rows : 0;
}

static size_t link_scratch(const mho_network *net, const mho_connection *c, int n) {
  int m = patches_at_once(c, n);
  size_t need = mho_crossbar_scratch(c->xb, m) + slab_size(c, m);
  if (net->layer[c->from].pool.size)
    need += (size_t)n * (size_t)net->layer[c->from].outputs;
  return need;
}

size_t mho_settle_read_scratch(const mho_network *net, int n) {
  size_t most = 0;

  for (int c = 0; c < net->n_connections; c++) {
    size_t need = link_scratch(net, &net->connection[c], n);
    most = need > most ? need : most;
  }
  for (int l = 0; l < net->n_layers; l++) { /* states are measured there too, see mho_measure */
    size_t need = 4 * (size_t)net->layer[l].n;
    most = need > most ? need : most;
  }
  return most;
}

/* ---------------------------------------------------------------- a read under way */

typedef struct reading {
  const mho_phase *p;
  const mho_link *k;
  const mho_connection *c;
  const mho_layer *lower; /**< the layer whose activity may be pooled: the connection's source */
  mho_real *slab, *pooled;
  mho_read r;
} reading;

static reading reading_of(const mho_phase *p, const mho_link *k, mho_real scale) {
  const mho_connection *c = &p->net->connection[k->connection];
  int m = patches_at_once(c, p->n);
  reading x = {.p = p, .k = k, .c = c, .lower = &p->net->layer[c->from]};

  x.slab = p->thread->scratch + mho_crossbar_scratch(c->xb, m);
  x.pooled = x.slab + slab_size(c, m);
  x.r = (mho_read){.transposed = k->transposed,
                   .scale = scale,
                   .clock = mho__clock_of(p),
                   .neurons_in = p->net->layer[k->from].neuron,
                   .neurons_out = p->net->layer[k->to].neuron,
                   .sparse = p->dyn && p->dyn->spikes,
                   .scratch = p->thread->scratch};
  return x;
}

static const uint8_t *winners_of(const reading *x) {
  return x->p->s->winner[x->c->from] + (size_t)x->p->row0 * (size_t)x->lower->outputs;
}

/* Read the r.n patches from `first` on. */
static void read_patches(reading *x, int first) {
  x->r.sample0 = x->p->row0 * x->c->positions + first;
  mho_crossbar_read(x->c->xb, &x->r);
  if (mho__meter_of(x->p))
    mho__meter_read(mho__meter_of(x->p), (int)(x->k - x->p->net->link), x->r.n, x->r.x, NULL,
                    (double)x->r.scale);
}

/* Whether nothing but a product happens to patches, so that none need be made. */
static bool is_direct(const reading *x) {
  const mho_crossbar *xb = x->c->xb;
  bool plain = xb->model->exact && !xb->perturbation;
  return plain && !mho__meter_of(x->p) && mho_conv_is_direct(&x->c->conv);
}

/* ---------------------------------------------------------------- forward */

/* Copy `n` patches from `first` on into the slab, and behind each what drives the bias: 1 once
 * it is on, 0 when changes are read. */
static void gather(const reading *x, const mho_real *source, int first, int n) {
  int in = patch_inputs(x->c);
  size_t rows = (size_t)x->c->xb->rows;
  if (x->c->conv.kernel)
    mho_conv_gather(&x->c->conv, source, first, n, 0, in, x->slab, x->c->xb->rows);
  else
    for (int i = 0; i < n; i++)
      memcpy(x->slab + (size_t)i * rows, source + (size_t)(first + i) * (size_t)in,
             (size_t)in * sizeof *source);

  if (x->c->bias) {
    mho_real bias = x->p->thread->changes ? 0 : 1 - x->p->thread->bias_off;
    for (int i = 0; i < n; i++)
      x->slab[(size_t)i * rows + (size_t)in] = bias;
  }
}

/* to = bias at every position, or to += when `add`. */
static void put_bias(const reading *x, const mho_real *bias, mho_real *to, bool add) {
  int all = x->p->n * x->c->positions, cols = x->c->xb->cols;
  for (int i = 0; i < all; i++) {
    mho_real *at = to + (size_t)i * (size_t)cols;
    for (int j = 0; j < cols; j++)
      at[j] = (add ? at[j] : 0) + bias[j];
  }
}

static void read_direct(const reading *x, const mho_real *from, mho_real *to, bool add) {
  size_t all = (size_t)(x->p->n * x->c->positions), cols = (size_t)x->c->xb->cols;
  const mho_real *w = mho_crossbar_matrix(x->c->xb);
  bool biased = x->c->bias && !x->p->thread->changes;

  if (biased)
    put_bias(x, w + (size_t)patch_inputs(x->c) * cols, to, add);
  else if (!add)
    memset(to, 0, all * cols * sizeof *to);
  mho_conv_forward(&x->c->conv, x->p->n, from, w, to);
}

/* The activities of the layer that may be pooled. */
static const mho_real *activities_of(const reading *x) {
  return mho__values(x->p->net, x->p->s->z, x->c->from, x->p->row0);
}

/* The pooled activities, or pooled changes of them; credits that go against feedback come from the
 * winners that it reaches. */
static const mho_real *pool(const reading *x, const mho_real *from) {
  const mho_phase *p = x->p;
  if (x->k->role == MHO_CREDIT)
    mho_pool_pick(&x->lower->pool, p->n, from, winners_of(x), x->pooled);
  else if (p->thread->changes)
    mho_pool_take(&x->lower->pool, p->n, from, activities_of(x), x->pooled);
  else
    mho_pool_max(&x->lower->pool, p->n, from, x->pooled);
  return x->pooled;
}

static void read_forward(reading *x, const mho_real *from, mho_real *to, bool add) {
  int all = x->p->n * x->c->positions, at_once = patches_at_once(x->c, x->p->n);
  bool copied = is_copied(x->c);
  if (x->lower->pool.size)
    from = pool(x, from);
  if (x->r.scale == 1 && is_direct(x)) {
    read_direct(x, from, to, add);
    return;
  }

  /* activities that are not copied are read in one piece: at_once is all then */
  x->r.keep = add;
  x->r.x = copied ? x->slab : from;
  for (int first = 0; first < all; first += at_once) {
    x->r.n = mho_min(all - first, at_once);
    x->r.y = to + (size_t)first * (size_t)x->c->xb->cols;
    if (copied)
      gather(x, from, first, x->r.n);
    read_patches(x, first);
  }
}

/* ---------------------------------------------------------------- back */

/* Add the `n` patches from `first` on, which lie in the slab, to the source of the connection. */
static void scatter(const reading *x, int first, int n, mho_real *sum) {
  size_t rows = (size_t)x->c->xb->rows, in = (size_t)patch_inputs(x->c);
  if (x->c->conv.kernel) {
    mho_conv_scatter(&x->c->conv, x->slab, x->c->xb->rows, first, n, sum);
    return;
  }

  for (int i = 0; i < n; i++)
    for (size_t k = 0; k < in; k++)
      sum[(size_t)(first + i) * in + k] += x->slab[(size_t)i * rows + k];
}

/* sum += the patches that the crossbar gives for every position, or sum = them where they are
 * not copied. */
static void read_positions(reading *x, const mho_real *from, mho_real *sum) {
  int all = x->p->n * x->c->positions, at_once = patches_at_once(x->c, x->p->n);
  bool copied = is_copied(x->c);

  x->r.y = copied ? x->slab : sum;
  for (int first = 0; first < all; first += at_once) {
    x->r.n = mho_min(all - first, at_once);
    x->r.x = from + (size_t)first * (size_t)x->c->xb->cols;
    read_patches(x, first);
    if (copied)
      scatter(x, first, x->r.n, sum);
  }
}

static void read_back(reading *x, const mho_real *from, mho_real *to, bool add) {
  int n = x->p->n;
  bool pooled = x->lower->pool.size, copied = is_copied(x->c);
  mho_real *sum = pooled ? x->pooled : to;
  x->r.keep = add && !pooled && !copied;
  if (copied && (pooled || !add))
    memset(sum, 0, (size_t)n * (size_t)x->lower->outputs * sizeof *sum);

  if (is_direct(x))
    mho_conv_back(&x->c->conv, n, from, mho_crossbar_matrix(x->c->xb), x->r.scale, sum, x->slab);
  else
    read_positions(x, from, sum);
  if (pooled && x->k->role == MHO_CREDIT) /* they go against what the largest lead on */
    mho_pool_put(&x->lower->pool, n, sum, activities_of(x), add, to);
  else if (pooled)
    mho_pool_give(&x->lower->pool, n, sum, winners_of(x), add, to);
}

void mho__link_read_shaped(const mho_phase *p, const mho_link *k, const mho_real *from,
                           mho_real *to, mho_real scale, bool add, mho_settle_stats *stats) {
  reading x = reading_of(p, k, scale);
  if (k->transposed)
    read_back(&x, from, to, add);
  else
    read_forward(&x, from, to, add);
  stats->reads += (double)p->n * x.c->positions;
}
