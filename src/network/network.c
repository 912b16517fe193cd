/* network.c - from a graph of layers to crossbars and links.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "network/circuit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/streams.h"

static const mho_param network_table[] = {
    MHO_P_INTS(mho_network_config, hidden, "hidden", "128 128", 1, 65536,
               "neurons of each hidden layer"),
    MHO_P_REAL(mho_network_config, forward_scale, "forward_scale", "", 1, 0, 100,
               "alpha, the scale of forward weights between hidden layers"),
    MHO_P_CHOICE(mho_network_config, output, "output", "softmax", 0,
                 "read-out: softmax with cross-entropy"),
    MHO_P_BOOL(
        mho_network_config, biases, "biases", false,
        "every layer learns biases: one more row of the crossbar that leads to it, whose input is always 1"),
    MHO_P_CHOICE(
        mho_network_config, init, "init", "glorot|fan_in", MHO_INIT_GLOROT,
        "initial weights uniform in +-sqrt(6/(n_in + n_out)), biases 0; or all in +-1/sqrt(n_in)"),
};
const mho_params mho_network_params = MHO_PARAMS(mho_network_config, network_table);

static const mho_param feedback_table[] = {
    MHO_P_CHOICE(mho_feedback_config, mode, "mode", "symmetric|asymmetric", 0,
                 "the same crossbar read transposed, or a crossbar of fixed random weights"),
    MHO_P_REAL(mho_feedback_config, scale, "scale", "", 0.01, 0, 100,
               "beta_i, gain of the feedback paths"),
    MHO_P_CHOICE(
        mho_feedback_config, per, "per", "link|layer", MHO_FEEDBACK_PER_LINK,
        "beta_i once a feedback link, as in the paper, or once for every layer it leads back over: then "
        "the nudge leaves the gradient in any graph, not in chains alone"),
};
const mho_params mho_feedback_params = MHO_PARAMS(mho_feedback_config, feedback_table);

static bool is_forward(mho_edge e) {
  return e.from < e.to;
}

/* Uniform weights of connection `index`, written to its crossbar; the first n_weights, the others are 0. */
static mho_err initialize(mho_crossbar *xb, uint64_t seed, int index, double bound,
                          size_t n_weights, mho_errinfo *ei) {
  size_t n = (size_t)xb->rows * (size_t)xb->cols;
  float *u = mho_alloc(n, sizeof *u);
  mho_real *w = mho_alloc(n, sizeof *w);
  if (!u || !w) {
    mho_free(u);
    mho_free(w);
    return mho_fail(ei, MHO_ENOMEM, "no memory for %zu initial weights", n);
  }
  mho_rng_uniform(mho_stream_weights(seed, index), 0, 0, n, u);
  for (size_t i = 0; i < n; i++)
    w[i] = i < n_weights ? (mho_real)(bound * (2 * (double)u[i] - 1)) : 0;
  mho_crossbar_set(xb, 0, n, w);
  mho_free(u);
  mho_free(w);
  return MHO_OK;
}

static bool is_pooled(const mho_layer *l) {
  return l->pool.size > 0;
}

/* Whether a feedback edge of fixed random weights has a crossbar that lies as that of its forward edge and is read
 * transposed: always where patches or pooling are between the layers. */
static bool is_mirrored(const mho_network *net, mho_edge e) {
  return !is_forward(e) && (e.kernel || is_pooled(&net->layer[e.to]));
}

static mho_conv conv_of(const mho_network *net, mho_edge e) {
  const mho_layer *a = &net->layer[e.from], *b = &net->layer[e.to];
  int side = is_pooled(a) ? a->pool.size : 1;
  mho_conv g = {.channels = a->channels,
                .height = a->height / side,
                .width = a->width / side,
                .planar = e.from == 0,
                .kernel = e.kernel,
                .stride = e.stride,
                .padding = e.padding,
                .out_channels = b->channels};
  mho_conv_fit(&g);
  return g;
}

static mho_err add_connection(mho_network *net, const mho_network_options *o, mho_edge e, bool bias,
                              mho_errinfo *ei) {
  int index = net->n_connections;
  mho_connection *c = &net->connection[index];
  bool trained = is_forward(e);
  snprintf(c->name, sizeof c->name, "%s-%s", net->layer[e.from].name, net->layer[e.to].name);
  if (is_mirrored(net, e))
    e = (mho_edge){e.to, e.from, e.kernel, e.stride, e.padding};
  const mho_layer *a = &net->layer[e.from], *b = &net->layer[e.to];
  c->from = e.from;
  c->to = e.to;
  c->trained = trained;
  c->bias = bias;
  c->positions = 1;
  int in = a->outputs, out = b->n, columns = b->n;
  if (e.kernel) {
    c->conv = conv_of(net, e);
    c->positions = mho_conv_positions(&c->conv);
    in = mho_conv_rows(&c->conv);
    out = e.kernel * e.kernel * b->channels;
    columns = b->channels;
  }
  bool glorot = o->config->init == MHO_INIT_GLOROT;
  double bound = glorot ? sqrt(6.0 / (in + out)) : 1 / sqrt(in);
  mho_crossbar_options x = {.device = o->device,
                            .device_params = o->device_params,
                            .device_config = o->device_config,
                            .array = o->array,
                            .array_params = o->array_params,
                            .array_config = o->array_config,
                            .w_max = bound * o->device_config->weight_range,
                            .chip_seed = o->seeds.chip,
                            .noise_seed = o->seeds.noise,
                            .index = (uint32_t)index};
  mho_err err = mho_crossbar_new(in + bias, columns, &x, &c->xb, ei);
  if (err)
    return err;
  net->n_connections++;
  if (c->trained)
    net->n_weights += (size_t)(in + bias) * (size_t)columns;
  return initialize(c->xb, o->seeds.weights, index, bound,
                    (size_t)(in + (bias && !glorot)) * (size_t)columns, ei);
}

/* The connection of an edge; mirror: of the forward edge whose crossbar a feedback edge reads transposed. */
static int find_connection(const mho_network *net, mho_edge e, bool mirror) {
  bool turned = mirror || is_mirrored(net, e), trained = mirror || is_forward(e);
  int from = turned ? e.to : e.from, to = turned ? e.from : e.to;
  for (int c = 0; c < net->n_connections; c++)
    if (net->connection[c].from == from && net->connection[c].to == to &&
        net->connection[c].trained == trained)
      return c;
  return -1;
}

static mho_err add_connections(mho_network *net, const mho_network_options *o, const mho_graph *g,
                               mho_errinfo *ei) {
  bool symmetric = o->feedback->mode == MHO_FEEDBACK_SYMMETRIC, biased[MHO_LAYERS_MAX] = {false};
  for (int pass = 0; pass < 2; pass++) { /* trained ones first */
    for (int i = 0; i < g->n_edges; i++) {
      if (is_forward(g->edge[i]) != (pass == 0) || (pass == 1 && symmetric))
        continue;
      bool bias =
          o->config->biases && pass == 0 && !biased[g->edge[i].to]; /* the first that leads there */
      biased[g->edge[i].to] |= bias;
      mho_err err = add_connection(net, o, g->edge[i], bias, ei);
      if (err)
        return err;
    }
    if (pass == 0)
      net->n_trained = net->n_connections;
  }
  return MHO_OK;
}

static mho_err add_links(mho_network *net, const mho_network_options *o, const mho_graph *g,
                         mho_errinfo *ei) {
  bool symmetric = o->feedback->mode == MHO_FEEDBACK_SYMMETRIC;
  int last = net->n_layers - 1;
  for (int l = 1; l < net->n_layers; l++)
    for (int forward = 1; forward >= 0; forward--) {
      *(forward ? &net->layer[l].forward : &net->layer[l].feedback) = net->n_links;
      for (int i = 0; i < g->n_edges; i++) {
        mho_edge e = g->edge[i];
        if (e.to != l || is_forward(e) != (forward == 1))
          continue;
        bool transposed = !forward && symmetric,
             hidden = e.from > 0 && e.from < last && e.to < last;
        int c = find_connection(net, e, transposed);
        if (c < 0)
          return mho_fail(ei, MHO_ECONFIG,
                          "symmetric feedback from %s to %s has no forward connection to mirror",
                          net->layer[e.from].name, net->layer[e.to].name);
        /* the error's own way into a neighbour carries the nudge, not beta_i */
        int span = forward                                     ? 0
                   : o->feedback->per == MHO_FEEDBACK_PER_LINK ? hidden
                                                               : e.from - e.to - !hidden;
        double scale = !forward ? pow(o->feedback->scale, span)
                       : hidden ? o->config->forward_scale
                                : 1;
        const mho_connection *k = &net->connection[c];
        net->link[net->n_links++] =
            (mho_link){.from = e.from,
                       .to = e.to,
                       .connection = c,
                       .transposed = transposed || is_mirrored(net, e),
                       .scale = (mho_real)scale,
                       .span = span,
                       .plain = !k->conv.kernel && !k->bias && !is_pooled(&net->layer[k->from])};
        *(forward ? &net->layer[l].n_forward : &net->layer[l].n_feedback) += 1;
      }
    }
  return MHO_OK;
}

/* Shortest ways back from the read-out, in powers of beta_i (Bellman and Ford). */
static void find_distances(mho_network *net) {
  for (int l = 0; l < net->n_layers; l++)
    net->layer[l].distance = -1;
  for (int round = 0; round < net->n_layers; round++)
    for (int i = 0; i < net->n_links; i++) {
      const mho_link *k = &net->link[i];
      int *to = &net->layer[k->to].distance, from = net->layer[k->from].distance;
      bool read_out = k->from == net->n_layers - 1;
      int way = k->span + (read_out ? 0 : from);
      if (k->from > k->to && (read_out || from >= 0) && (*to < 0 || way < *to))
        *to = way;
    }
}

static mho_err fill(mho_network *net, const mho_network_options *o, const mho_graph *g,
                    mho_errinfo *ei) {
  net->n_layers = g->n_layers;
  net->feedback_scale = o->feedback->scale;
  net->forward_scale = o->config->forward_scale;
  net->layer = mho_alloc((size_t)g->n_layers, sizeof *net->layer);
  net->connection = mho_alloc((size_t)g->n_edges, sizeof *net->connection);
  net->link = mho_alloc((size_t)g->n_edges, sizeof *net->link);
  if (!net->layer || !net->connection || !net->link)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a network of %d layers", g->n_layers);
  for (int l = 0; l < g->n_layers; l++) {
    mho_layer *layer = &net->layer[l];
    layer->n = layer->outputs = g->size[l];
    layer->channels = g->channels[l] ? g->channels[l] : layer->n;
    layer->height = g->channels[l] ? g->height[l] : 1;
    layer->width = g->channels[l] ? g->width[l] : 1;
    if (g->pool[l]) {
      layer->pool = (mho_pool_window){layer->channels, layer->height, layer->width, g->pool[l]};
      layer->outputs = mho_pool_outputs(&layer->pool);
    }
    layer->neuron = l == 0 || l == g->n_layers - 1 ? NULL : o->neuron;
    if (layer->neuron)
      snprintf(layer->name, sizeof layer->name, "h%d", l);
    else
      snprintf(layer->name, sizeof layer->name, "%s", l ? "out" : "x");
  }
  net->state_noise = mho_stream_states(o->seeds.noise);
  mho_err err = mho_circuits_new(net, o->circuit, o->seeds.chip, ei);
  if (!err)
    err = add_connections(net, o, g, ei);
  if (!err)
    err = add_links(net, o, g, ei);
  find_distances(net);
  return err;
}

/* Wires of all connections together, so that small crossbars share the threads with large ones. */
static mho_err add_wires(mho_network *net, const mho_network_options *o, mho_errinfo *ei) {
  const mho_array_config *a = o->array_config;
  if (!a || (a->r_word == 0 && a->r_bit == 0))
    return MHO_OK;
  mho_crossbar **x = mho_alloc((size_t)net->n_connections, sizeof(mho_crossbar *));
  if (!x)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the wires of a network");
  for (int c = 0; c < net->n_connections; c++)
    x[c] = net->connection[c].xb;
  mho_err err = mho_wired_new(net->n_connections, x, a, o->device_config, o->pool, &net->wired, ei);
  mho_free(x);
  return err;
}

/* Pulses go through the lines of the trained connections. */
static mho_err add_disturb(mho_network *net, const mho_network_options *o, mho_errinfo *ei) {
  const mho_array_config *a = o->array_config;
  if (!a || a->write_select == MHO_WRITE_IDEAL || !o->device->pulse || !o->pulsed)
    return MHO_OK;
  if (a->write_select == MHO_WRITE_TRANSISTOR && a->r_word == 0 && a->r_bit == 0)
    return MHO_OK; /* all of a pulse arrives, and nothing elsewhere */
  mho_crossbar **x = mho_alloc((size_t)net->n_trained, sizeof(mho_crossbar *));
  if (!x)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the write voltages of a network");
  for (int c = 0; c < net->n_trained; c++)
    x[c] = net->connection[c].xb;
  mho_err err = mho_disturb_new(net->n_trained, x, a, o->device, o->device_params, o->device_config,
                                o->pool, &net->disturb, ei);
  mho_free(x);
  return err;
}

void mho_network_disturb(mho_network *net) {
  if (net->disturb)
    mho_disturb_apply(net->disturb);
}

void mho_network_refresh(mho_network *net, int64_t update, bool full) {
  if (net->wired)
    mho_wired_refresh(net->wired, update, full);
  if (net->disturb)
    mho_disturb_refresh(net->disturb);
}

enum { PACK_PARTS = 4 }; /* tasks that fill the panels of one matrix */

static void pack_part(void *arg, int i, int thread) {
  const mho_network *net = arg;
  int part = i % PACK_PARTS, c = i / PACK_PARTS / 2;
  mho_crossbar_pack_slab(net->connection[c].xb, i / PACK_PARTS % 2, part, PACK_PARTS);
}

void mho_network_pack(mho_network *net, bool many, mho_pool *pool) {
  bool any = false;
  for (int c = 0; c < net->n_connections && !many; c++)
    mho_crossbar_unpack(net->connection[c].xb);
  for (int i = 0; i < net->n_links && many; i++)
    any |= mho_crossbar_pack(net->connection[net->link[i].connection].xb, net->link[i].transposed);
  if (!any)
    return;
  mho_pool_run(pool, 2 * PACK_PARTS * net->n_connections, pack_part, net);
  for (int c = 0; c < net->n_connections; c++)
    mho_crossbar_packed(net->connection[c].xb);
}

mho_err mho_network_new(const mho_network_options *o, mho_network **out, mho_errinfo *ei) {
  *out = NULL;
  if (o->config->hidden.n < 1 && !o->topology->own_layers)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.hidden is empty: give at least one hidden layer, for example [128]");
  mho_graph *g = mho_alloc(1, sizeof *g);
  mho_network *net = mho_alloc(1, sizeof *net);
  mho_topology_input in = {.config = o->config,
                           .params = o->topology_params,
                           .features = o->features,
                           .classes = o->classes,
                           .channels = o->channels,
                           .height = o->height,
                           .width = o->width,
                           .symmetric = o->feedback->mode == MHO_FEEDBACK_SYMMETRIC,
                           .seed = o->seeds.weights};
  mho_err err = g && net ? o->topology->build(&in, g, ei)
                         : mho_fail(ei, MHO_ENOMEM, "no memory for a network");
  if (!err)
    err = fill(net, o, g, ei);
  if (!err)
    err = add_wires(net, o, ei);
  if (!err)
    err = add_disturb(net, o, ei);
  if (!err)
    mho_network_refresh(net, 0, true);
  mho_free(g);
  if (err) {
    mho_network_free(net);
    return err;
  }
  *out = net;
  return MHO_OK;
}

void mho_network_free(mho_network *net) {
  if (!net)
    return;
  mho_wired_free(net->wired);
  mho_disturb_free(net->disturb);
  for (int c = 0; c < net->n_connections; c++)
    mho_crossbar_free(net->connection[c].xb);
  mho_free(net->connection);
  mho_circuits_free(net);
  mho_free(net->layer);
  mho_free(net->link);
  mho_free(net);
}

bool mho_network_noisy(const mho_network *net) {
  for (int c = 0; c < net->n_connections; c++)
    if (mho_crossbar_noisy(net->connection[c].xb))
      return true;
  return false;
}

bool mho_network_lossy(const mho_network *net) {
  for (int c = 0; c < net->n_connections; c++)
    if (mho_crossbar_lossy(net->connection[c].xb))
      return true;
  return false;
}

double mho_network_signal_scale(const mho_network *net, int layer) {
  int h = net->layer[layer].distance;
  return h > 0 ? pow(net->feedback_scale, h) : 1;
}
