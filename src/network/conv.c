/* conv.c - a chain of convolutions, pooling and dense layers, as text: network.conv: [32x5,
 * pool2, 64x5, pool2, 128].
 *
 * "32x5" is a layer of 32 channels behind a convolution of 5 x 5, "32x3s2p1" one with stride 2
 * and a border of one zero; "pool2" pools the activity of the layer before it over 2 x 2; a
 * plain number is a dense layer. The read-out follows by itself. Feedback leads between
 * neighbours, through the transposed convolution and to the winners of the pooling.
 *
 * Source: Ernoult et al., NeurIPS 2019 (the layout); Liu & Chen, arXiv 2508.11659.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "network/chain.h"

typedef struct conv {
  char layers[MHO_TEXT_MAX];
} conv;

static const mho_param table[] = {
    MHO_P_TEXT(conv, layers, "conv", "32x5 pool2 64x5 pool2",
               "layers: 32x5 (channels x kernel; s2: stride, p1: padding), pool2, or the units of "
               "a dense one"),
};

enum { UNITS_MAX = 1 << 24 };

/* Read a whole number from `least` to 65536 at the start of the text.
 * @return the text behind it; NULL when there is none. */
static const char *number(const char *text, int least, int *out) {
  if (*text < '0' || *text > '9')
    return NULL;

  char *end;
  long v = strtol(text, &end, 10);
  *out = (int)v;
  return v >= least && v <= 65536 ? end : NULL;
}

static mho_err not_a_layer(const char *word, mho_errinfo *ei) {
  return mho_fail(ei, MHO_ECONFIG,
                  "network.conv: '%s' is no layer: write 32x5 (channels x kernel), 32x3s2p1 (with "
                  "stride and padding), pool2, or a number of units",
                  word);
}

/* "32x5s2p1": the channels, and the kernel, stride and padding of the edge. @return false when
 * it is not that. */
static bool parse_convolution(const char *word, int *channels, mho_edge *e) {
  const char *at = number(word, 1, channels);
  if (!at || *at != 'x')
    return false;

  at = number(at + 1, 1, &e->kernel);
  while (at && (*at == 's' || *at == 'p'))
    at = *at == 's' ? number(at + 1, 1, &e->stride) : number(at + 1, 0, &e->padding);
  return at && !*at;
}

/* The convolution as the next layer and the edge to it. */
static mho_err add_convolution(const char *word, mho_graph *g, mho_errinfo *ei) {
  int from = g->n_layers - 1, to = g->n_layers, n;
  int side = g->pool[from] ? g->pool[from] : 1;
  mho_edge e = {.from = from, .to = to, .role = MHO_FORWARD, .trained = true, .stride = 1};
  if (!parse_convolution(word, &n, &e))
    return not_a_layer(word, ei);
  if (!g->channels[from])
    return mho_fail(ei, MHO_ECONFIG,
                    "network.conv: '%s' comes after a dense layer, which is no image", word);

  mho_conv c = {.height = g->height[from] / side,
                .width = g->width[from] / side,
                .kernel = e.kernel,
                .stride = e.stride,
                .padding = e.padding};
  if (!mho_conv_fit(&c) || e.padding >= e.kernel)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.conv: '%s' does not fit: it reads %d x %d positions (a padding is "
                    "smaller than its kernel)",
                    word, c.height, c.width);
  if ((double)n * c.out_height * c.out_width > UNITS_MAX)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.conv: '%s' would have %d x %d x %d units, more than %d", word, n,
                    c.out_height, c.out_width, UNITS_MAX);

  g->channels[to] = n;
  g->height[to] = c.out_height;
  g->width[to] = c.out_width;
  g->size[to] = n * c.out_height * c.out_width;
  g->n_layers++;
  g->edge[g->n_edges++] = e;
  return MHO_OK;
}

static mho_err add_pool(const char *word, mho_graph *g, mho_errinfo *ei) {
  int l = g->n_layers - 1, size;
  const char *end = number(word + 4, 2, &size);
  if (!end || *end || size > MHO_POOL_SIZE_MAX)
    return not_a_layer(word, ei);

  if (l == 0 || !g->channels[l] || g->pool[l])
    return mho_fail(ei, MHO_ECONFIG,
                    "network.conv: '%s' must follow a convolution, whose activity it pools", word);
  if (size > g->height[l] || size > g->width[l])
    return mho_fail(ei, MHO_ECONFIG,
                    "network.conv: '%s' does not fit: the layer before it is %d x %d", word,
                    g->height[l], g->width[l]);
  g->pool[l] = size;
  return MHO_OK;
}

/* The next layer, dense. */
static void add_units(int n, mho_graph *g) {
  g->size[g->n_layers] = n;
  mho__graph_add(g, g->n_layers - 1, g->n_layers);
  g->n_layers++;
}

static mho_err add_dense(const char *word, mho_graph *g, mho_errinfo *ei) {
  int n;
  const char *end = number(word, 1, &n);
  if (!end || *end)
    return not_a_layer(word, ei);
  add_units(n, g);
  return MHO_OK;
}

static mho_err add_layer(const char *word, mho_graph *g, mho_errinfo *ei) {
  if (g->n_layers == MHO_LAYERS_MAX - 1)
    return mho_fail(ei, MHO_ECONFIG, "network.conv: more than %d layers", MHO_LAYERS_MAX - 2);
  if (!strncmp(word, "pool", 4))
    return add_pool(word, g, ei);
  if (strchr(word, 'x'))
    return add_convolution(word, g, ei);
  return add_dense(word, g, ei);
}

/* A feedback edge for every forward one but the first: nothing leads back into the input. */
static void add_feedback(mho_graph *g) {
  for (int i = g->n_edges - 1; i > 0; i--) {
    mho_edge back = g->edge[i];
    back.from = g->edge[i].to;
    back.to = g->edge[i].from;
    back.role = MHO_FEEDBACK;
    back.trained = false;
    g->edge[g->n_edges++] = back;
  }
}

static mho_err build(const mho_topology_input *in, mho_graph *g, mho_errinfo *ei) {
  char copy[MHO_TEXT_MAX], *save = NULL;
  strcpy(copy, ((const conv *)in->params)->layers);
  mho__graph_layers(in, g);
  if (!g->channels[0])
    return mho_fail(ei, MHO_ECONFIG,
                    "network.topology: conv needs images, and the dataset says no size of them");

  g->n_layers = 1;
  memset(g->size + 1, 0, sizeof g->size - sizeof *g->size);
  for (char *w = strtok_r(copy, " ,[]", &save); w; w = strtok_r(NULL, " ,[]", &save)) {
    mho_err err = add_layer(w, g, ei);
    if (err)
      return err;
  }
  if (g->n_layers == 1)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.conv is empty: give at least one layer, for example [32x5, pool2]");

  add_units(in->classes, g);
  add_feedback(g);
  return MHO_OK;
}

const mho_topology mho_topology_conv = {
    .entry = {.abi = MHO_ABI,
              .id = "conv",
              .title =
                  "a chain of convolutions, pooling and dense layers, feedback between neighbours",
              .equation = "z_l = rho(conv(P z_{l-1}) + b + beta_i P^T convT(z_{l+1}))",
              .source = "Ernoult et al., NeurIPS 2019; Liu & Chen, arXiv 2508.11659",
              .params = MHO_PARAMS(conv, table)},
    .own_layers = true,
    .build = build,
};
