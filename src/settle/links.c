/* links.c - reading a link: a crossbar, and what may lie between it and the layers.
 *
 * Forward, the source's activity is pooled, cut into patches (of a dense connection the one patch is all of it) with a
 * 1 for the bias behind them, and the crossbar reads patch after patch. Back, the crossbar is read transposed for
 * every position, the patches it gives are added up where they overlap, and the sums go to the winners of the pooling.
 * Patches are handled in tiles that stay in the second-level cache. Where the array is an exact product and the
 * convolution has channels enough, it is done without patches (src/num/conv_direct.c).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/links.h"

#include <string.h>

enum {
  TILE = 1 << 17 /* numbers in a tile of patches */,
  TILE_ROWS_MIN = 64,
  TILE_ROWS_MAX = 4096
};

/* Patches a tile holds. */
static int tile_rows(const mho_connection *c) {
  int rows = TILE / c->xb->rows;
  return rows < TILE_ROWS_MIN ? TILE_ROWS_MIN : rows > TILE_ROWS_MAX ? TILE_ROWS_MAX : rows;
}

static bool is_tiled(const mho_connection *c) {
  return c->conv.kernel || c->bias;
}

/* Patches read at once, for n samples. */
static int patches_at_once(const mho_connection *c, int n) {
  int all = n * c->positions, rows = tile_rows(c);
  return is_tiled(c) && rows < all ? rows : all;
}

/* Numbers in a tile: of patches, or of the transposed weights of a direct convolution. */
static size_t tile_size(const mho_connection *c, int patches) {
  int lines = patches > c->xb->cols ? patches : c->xb->cols;
  return is_tiled(c) ? (size_t)lines * (size_t)c->xb->rows : 0;
}

static size_t link_scratch(const mho_network *net, const mho_connection *c, int n) {
  int m = patches_at_once(c, n);
  size_t need = mho_crossbar_scratch(c->xb, m) + tile_size(c, m);
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
  for (int l = 1; l < net->n_layers; l++) { /* states are measured there too, see mho_measure */
    size_t need = 4 * (size_t)net->layer[l].n;
    most = need > most ? need : most;
  }
  return most;
}

/* A read under way: what all its parts are told. */
typedef struct reading {
  const mho_settle_job *job;
  const mho_link *k;
  const mho_connection *c;
  const mho_layer *lower; /* the layer whose activity may be pooled: the connection's source */
  mho_real *tile, *pooled;
  mho_read r;
} reading;

static reading reading_of(const mho_settle_job *job, const mho_link *k, mho_real scale) {
  const mho_connection *c = &job->net->connection[k->connection];
  int m = patches_at_once(c, job->n);
  reading x = {.job = job, .k = k, .c = c, .lower = &job->net->layer[c->from]};
  x.tile = job->scratch + mho_crossbar_scratch(c->xb, m);
  x.pooled = x.tile + tile_size(c, m);
  x.r = (mho_read){.transposed = k->transposed,
                   .scale = scale,
                   .clock = job->clock,
                   .neurons_in = job->net->layer[k->from].neuron,
                   .neurons_out = job->net->layer[k->to].neuron,
                   .scratch = job->scratch};
  return x;
}

static const uint8_t *winners_of(const reading *x) {
  return x->job->s->winner[x->c->from] + (size_t)x->job->row0 * (size_t)x->lower->outputs;
}

/* `n` patches from `first` on, and behind each what drives the bias: 1 once it is on, 0 when changes are read. */
static void gather(const reading *x, const mho_real *source, int first, int n) {
  int rows = x->c->xb->rows, in = rows - x->c->bias;
  if (x->c->conv.kernel)
    mho_conv_gather(&x->c->conv, source, first, n, 0, in, x->tile, rows);
  else
    for (int i = 0; i < n; i++)
      memcpy(x->tile + (size_t)i * (size_t)rows, source + (size_t)(first + i) * (size_t)in,
             (size_t)in * sizeof *source);
  mho_real bias = x->job->changes ? 0 : 1 - x->job->bias_off;
  for (int i = 0; i < n && x->c->bias; i++)
    x->tile[(size_t)i * (size_t)rows + (size_t)in] = bias;
}

static void read_patches(const reading *x) {
  mho_crossbar_read(x->c->xb, &x->r);
  if (x->job->meter)
    mho_meter_read(x->job->meter, (int)(x->k - x->job->net->link), x->r.n, x->r.x,
                   (double)x->r.scale);
}

/* Whether nothing but a product happens to patches, so that none need be made. */
static bool is_direct(const reading *x) {
  return x->c->xb->model->exact && !x->job->meter && mho_conv_is_direct(&x->c->conv);
}

static void read_direct(const reading *x, const mho_real *from, mho_real *to, bool add) {
  int all = x->job->n * x->c->positions, cols = x->c->xb->cols, in = x->c->xb->rows - x->c->bias;
  const mho_real *w = mho_crossbar_matrix(x->c->xb), *bias = w + (size_t)in * (size_t)cols;
  bool biased = x->c->bias && !x->job->changes;
  if (!add && !biased)
    memset(to, 0, (size_t)all * (size_t)cols * sizeof *to);
  for (int i = 0; i < all && biased; i++) {
    mho_real *at = to + (size_t)i * (size_t)cols;
    for (int j = 0; j < cols; j++)
      at[j] = (add ? at[j] : 0) + bias[j];
  }
  mho_conv_forward(&x->c->conv, x->job->n, from, w, to);
}

static void read_forward(reading *x, const mho_real *from, mho_real *to, bool add) {
  int all = x->job->n * x->c->positions, at_once = patches_at_once(x->c, x->job->n),
      cols = x->c->xb->cols;
  if (x->lower->pool.size) {
    if (x->job->changes)
      mho_pool_take(&x->lower->pool, x->job->n, from,
                    mho_rows(x->job->net, x->job->s->z, x->c->from, x->job->row0), x->pooled);
    else
      mho_pool_max(&x->lower->pool, x->job->n, from, x->pooled);
    from = x->pooled;
  }
  if (x->r.scale == 1 && is_direct(x)) {
    read_direct(x, from, to, add);
    return;
  }
  x->r.keep = add;
  for (int first = 0; first < all; first += at_once) {
    x->r.n = all - first < at_once ? all - first : at_once;
    x->r.sample0 = x->job->row0 * x->c->positions + first;
    x->r.x = from; /* then it is all of them */
    if (is_tiled(x->c)) {
      gather(x, from, first, x->r.n);
      x->r.x = x->tile;
    }
    x->r.y = to + (size_t)first * (size_t)cols;
    read_patches(x);
  }
}

/* Add `n` patches from `first` on to the source of the connection. */
static void scatter(const reading *x, int first, int n, mho_real *sum) {
  int rows = x->c->xb->rows, in = rows - x->c->bias;
  if (x->c->conv.kernel) {
    mho_conv_scatter(&x->c->conv, x->tile, rows, first, n, sum);
    return;
  }
  for (int i = 0; i < n; i++)
    for (int k = 0; k < in; k++)
      sum[(size_t)(first + i) * (size_t)in + (size_t)k] +=
          x->tile[(size_t)i * (size_t)rows + (size_t)k];
}

static void read_back(reading *x, const mho_real *from, mho_real *to, bool add) {
  int all = x->job->n * x->c->positions, at_once = patches_at_once(x->c, x->job->n),
      cols = x->c->xb->cols;
  bool pooled = x->lower->pool.size, tiled = is_tiled(x->c);
  mho_real *sum = pooled ? x->pooled : to;
  x->r.keep = add && !pooled && !tiled;
  if (tiled && (pooled || !add))
    memset(sum, 0, (size_t)x->job->n * (size_t)x->lower->outputs * sizeof *sum);
  if (is_direct(x))
    mho_conv_back(&x->c->conv, x->job->n, from, mho_crossbar_matrix(x->c->xb), x->r.scale, sum,
                  x->tile);
  else
    for (int first = 0; first < all; first += at_once) {
      x->r.n = all - first < at_once ? all - first : at_once;
      x->r.sample0 = x->job->row0 * x->c->positions + first;
      x->r.x = from + (size_t)first * (size_t)cols;
      x->r.y = tiled ? x->tile : sum;
      read_patches(x);
      if (tiled)
        scatter(x, first, x->r.n, sum);
    }
  if (pooled)
    mho_pool_give(&x->lower->pool, x->job->n, sum, winners_of(x), add, to);
}

void mho_link_read_shaped(const mho_settle_job *job, const mho_link *k, const mho_real *from,
                          mho_real *to, mho_real scale, bool add, mho_settle_stats *stats) {
  reading x = reading_of(job, k, scale);
  if (k->transposed)
    read_back(&x, from, to, add);
  else
    read_forward(&x, from, to, add);
  stats->reads += (double)job->n * x.c->positions;
}
