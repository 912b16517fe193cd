/* network.h - layers, the links between them, and the crossbars that the links read.
 *
 * Layer 0 is the input, layers 1 .. n_layers-2 are hidden and have states, the last is the read-out. A
 * forward link carries alpha z W; a feedback link carries beta_i z W^T on the forward link's own crossbar
 * (symmetric) or beta_i z B on a crossbar of fixed random weights (asymmetric). The network is const while it
 * settles; only programming changes its crossbars.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_NETWORK_H
#define MHO_NETWORK_H

#include "mho/array.h"
#include "mho/neuron.h"

typedef struct mho_layer {
  char name[16]; /* "x", "h1" ..., "out" */
  int n;
  const mho_neuron *neuron; /* of hidden layers */
  int forward, n_forward; /* links into this layer that lead forward: link[forward .. forward+n_forward-1] */
  int feedback, n_feedback; /* and those that lead back; from the read-out, the nudge */
  int distance; /* powers of beta_i on the shortest way from the read-out: 0 in its neighbours, -1 when out of reach */
} mho_layer;

typedef struct mho_connection { /* one crossbar and where it lies */
  char name[40];                /* "x-h1" */
  int from, to;                 /* of its forward (or only) direction */
  bool trained;
  mho_crossbar *xb; /* [n of from x n of to] */
} mho_connection;

typedef struct mho_link {
  int from, to; /* layers */
  int connection;
  bool transposed; /* reads the connection against its direction */
  mho_real scale;  /* alpha, beta_i^span, or 1 */
  int span;        /* powers of beta_i, of a feedback link */
} mho_link;

typedef struct mho_network {
  int n_layers;
  mho_layer *layer;             /* [n_layers] */
  int n_connections, n_trained; /* trained ones come first */
  mho_connection *connection;   /* [n_connections] */
  int n_links;
  mho_link *link;        /* [n_links], sorted by target */
  double feedback_scale; /* beta_i */
  double forward_scale;  /* alpha */
  size_t n_weights;      /* trained */
} mho_network;

/* A topology's answer: sizes, and edges between layers. A feedback edge runs from the later to the earlier
 * layer. */
enum { MHO_LAYERS_MAX = MHO_INTS_MAX + 2, MHO_EDGES_MAX = 4096 };
typedef struct mho_edge {
  int from, to;
} mho_edge;
typedef struct mho_graph {
  int n_layers, size[MHO_LAYERS_MAX];
  int n_edges;
  mho_edge edge[MHO_EDGES_MAX]; /* from < to: forward, trained; from > to: feedback */
} mho_graph;

typedef struct mho_network_config {
  mho_ints hidden;
  double forward_scale; /* alpha, of the links between hidden layers */
  int output;           /* softmax */
} mho_network_config;
MHO_API extern const mho_params mho_network_params;

typedef struct mho_feedback_config {
  int mode;     /* symmetric, asymmetric */
  double scale; /* beta_i */
  int per;      /* what beta_i is counted by: link, layer */
} mho_feedback_config;
enum { MHO_FEEDBACK_SYMMETRIC, MHO_FEEDBACK_ASYMMETRIC };
enum { MHO_FEEDBACK_PER_LINK, MHO_FEEDBACK_PER_LAYER };
MHO_API extern const mho_params mho_feedback_params;

typedef struct mho_topology_input {
  const mho_network_config *config;
  const void *params; /* of the topology */
  int features, classes;
  bool symmetric; /* a feedback edge needs its forward one */
  uint64_t seed;  /* of the weights, for topologies drawn by chance */
} mho_topology_input;

typedef struct mho_topology {
  mho_entry entry;
  /* Fill the graph, which comes empty. */
  mho_err (*build)(const mho_topology_input *in, mho_graph *g, mho_errinfo *ei);
} mho_topology;

/* Seeds of everything random, each derived from one unless given. */
typedef struct mho_seeds {
  uint64_t weights, chip, order, noise;
} mho_seeds;

typedef struct mho_network_options {
  const mho_topology *topology;
  const void *topology_params;
  const mho_network_config *config;
  const mho_feedback_config *feedback;
  const mho_neuron *neuron;
  const mho_device_model *device;
  const void *device_params;
  const mho_device_config *device_config;
  const mho_array_model *array;
  const void *array_params;
  const mho_array_config *array_config; /* nullable: defaults */
  mho_seeds seeds;
  int features, classes;
} mho_network_options;

/** Build a network with Glorot-uniform initial weights, +-sqrt(6/(n_in + n_out)), forward and random feedback
 * alike, written as exactly as the devices allow. Options that are pointed to must outlive it.
 *  @return MHO_OK; MHO_ECONFIG when the topology cannot be built (a feedback edge without its forward one in
 *          symmetric mode, no hidden layer); MHO_ENOMEM. */
MHO_API mho_err mho_network_new(const mho_network_options *o, mho_network **out, mho_errinfo *ei);
MHO_API void mho_network_free(mho_network *net);
/** Whether any of its crossbars reads with noise, ... */
MHO_API bool mho_network_noisy(const mho_network *net);
/** ... or anything else than the product. */
MHO_API bool mho_network_lossy(const mho_network *net);
/** How much smaller an error signal of layer l is than the nudge: beta_i^distance (l hidden; 1 for the
 * read-out). */
MHO_API double mho_network_signal_scale(const mho_network *net, int layer);

/** The net that backpropagation is defined on: net's layers, its forward links, as feedback links the
 *  transposes of all of them (whatever net's own are), and the same weights, read without noise. It shares
 *  them, so it follows the training.
 *  @param out  free it with mho_network_feedforward_free, before net; not to be programmed. */
MHO_API mho_err mho_network_feedforward(const mho_network *net, mho_network **out, mho_errinfo *ei);
MHO_API void mho_network_feedforward_free(mho_network *feedforward);

#endif
