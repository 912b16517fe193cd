/* graph.c - any graph of layers, as text: network.links: [x>1, 1-2, 2-3, 1-3, 3>1, 3-out].
 *
 * Layers are x, 1 .. L, out. "a>b" is one link, forward (trained) where b comes after a and
 * feedback where it comes before; "a-b" is both. The read-out's error enters where a link leads
 * back from out.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "network/chain.h"

typedef struct graph {
  char links[MHO_TEXT_MAX];
} graph;

static const mho_param table[] = {
    MHO_P_TEXT(graph, links, "links", "x>1 1-2 2-out",
               "links between layers x, 1, 2, ..., out: a>b one way, a-b both"),
};

/* Layer number of a name, or -1. */
static int layer_of(const char *name, size_t n, int hidden) {
  char *end, copy[8];
  if (n == 1 && *name == 'x')
    return 0;
  if (n == 3 && !strncmp(name, "out", 3))
    return hidden + 1;
  if (n == 0 || n >= sizeof copy || *name < '1' || *name > '9')
    return -1;

  memcpy(copy, name, n);
  copy[n] = 0;
  long v = strtol(copy, &end, 10);
  return !*end && v <= hidden ? (int)v : -1;
}

static mho_err add_link(const char *word, int hidden, mho_graph *g, mho_errinfo *ei) {
  size_t n = strcspn(word, ">-");
  int a = layer_of(word, n, hidden), b = -1;
  if (word[n])
    b = layer_of(word + n + 1, strlen(word + n + 1), hidden);
  if (a < 0 || b < 0 || a == b)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.links: '%s' is not a link between two of the layers x, 1 .. %d, out "
                    "(a>b, or a-b both ways)",
                    word, hidden);

  bool both = word[n] == '-';
  if (b == 0 || (both && a == 0))
    return mho_fail(ei, MHO_ECONFIG, "network.links: '%s' leads back into the input: write x>%d",
                    word, a ? a : b);
  if (!mho__graph_add(g, a, b) || (both && !mho__graph_add(g, b, a)))
    return mho_fail(ei, MHO_ECONFIG,
                    "network.links: '%s' is there already, or there are more than %d links", word,
                    MHO_EDGES_MAX);
  return MHO_OK;
}

/* Every layer must be reached from the input, and the read-out must be. */
static mho_err check_reach(const mho_graph *g, mho_errinfo *ei) {
  bool reached[MHO_LAYERS_MAX] = {true};
  for (int round = 0; round < g->n_layers; round++)
    for (int i = 0; i < g->n_edges; i++)
      if (reached[g->edge[i].from] && g->edge[i].role == MHO_FORWARD)
        reached[g->edge[i].to] = true;

  for (int l = 1; l < g->n_layers - 1; l++)
    if (!reached[l])
      return mho_fail(ei, MHO_ECONFIG,
                      "network.links: no chain of forward links leads from x to layer %d", l);
  if (!reached[g->n_layers - 1])
    return mho_fail(ei, MHO_ECONFIG,
                    "network.links: no chain of forward links leads from x to out");
  return MHO_OK;
}

static mho_err build(const mho_topology_input *in, mho_graph *g, mho_errinfo *ei) {
  char copy[MHO_TEXT_MAX], *save = NULL;
  mho__graph_layers(in, g);
  strcpy(copy, ((const graph *)in->params)->links);

  for (char *w = strtok_r(copy, " ,[]", &save); w; w = strtok_r(NULL, " ,[]", &save)) {
    mho_err err = add_link(w, in->config->hidden.n, g, ei);
    if (err)
      return err;
  }
  return check_reach(g, ei);
}

const mho_topology mho_topology_graph = {
    .entry = {.abi = MHO_ABI,
              .id = "graph",
              .title = "any graph of layers, as text",
              .params = MHO_PARAMS(graph, table)},
    .build = build,
};
