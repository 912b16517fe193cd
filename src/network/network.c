/* network.c - from a graph of layers to crossbars and links.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/wired_nodes.h"
#include "base/streams.h"
#include "mho/model/check.h"
#include "network/control.h"
#include "network/lines.h"
#include "network/neuron_circuit.h"
#include "network/spiking_edges.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Initial weights follow from the size of layers, or from w_max. */
static const char *without_rule_of_thumb(const mho_experiment *e) {
  return e->network.w_max > 0 ? "initial weights go by network.w_max" : NULL;
}

static const char *without_w_max(const mho_experiment *e) {
  return e->network.w_max > 0 ? NULL : "initial weights go by network.init (network.w_max)";
}

static const char *without_votes(const mho_experiment *e) {
  return e->network.output == MHO_OUTPUT_VOTES ? NULL : "no neurons vote (network.output)";
}

static const mho_param network_table[] = {
    MHO_P_INTS(mho_network_config, hidden, "hidden", "128 128", 1, 65536,
               "neurons of each hidden layer"),
    MHO_P_REAL(mho_network_config, forward_scale, "forward_scale", "", 1, 0, 100,
               "alpha, the scale of forward weights between hidden layers"),
    MHO_P_CHOICE(mho_network_config, output, "output",
                 "softmax|linear|state|votes|counts|membrane|goodness", MHO_OUTPUT_SOFTMAX,
                 "read-out: probabilities of classes, the summed inputs as they are, neurons that "
                 "settle with the hidden ones, fed back to as those are, or, without weights, what "
                 "neurons of the last hidden layer vote for, each for the class that it fires most "
                 "for on training images; of neurons that spike also how often output neurons "
                 "fire, the mean potential of such that do not, or under which label hidden layers "
                 "are surest (rule csdp)"),
    MHO_P_CHOICE(mho_network_config, votes, "votes", "label|proportion", MHO_VOTES_LABEL,
                 "output votes: a neuron votes for the class that it fires most for, or for every "
                 "class in proportion to how it fires for them on average",
                 .idle = without_votes),
    MHO_P_CHOICE(
        mho_network_config, loss, "loss", "cross_entropy|squared", MHO_LOSS_CROSS_ENTROPY,
        "of the read-out: cross-entropy of softmax, or half the squared error of all others, "
        "against values or 1 for the label and 0 elsewhere"),
    MHO_P_BOOL(mho_network_config, biases, "biases", false,
               "every layer learns biases: one more row of the crossbar that leads to it, whose "
               "input is always 1"),
    MHO_P_BOOL(mho_network_config, lateral, "lateral", false,
               "dynamics spiking: the neurons of a hidden layer inhibit each other, through a "
               "crossbar of their own with weights of 1 (rule csdp: that learns)",
               .idle = mho_idle_without_spikes),
    MHO_P_BOOL(mho_network_config, back, "back", false,
               "dynamics spiking: hidden layers hear those behind them, through the feedback "
               "links of the topology (rule csdp: through crossbars of their own that learn)",
               .idle = mho_idle_without_spikes),
    MHO_P_CHOICE(mho_network_config, context, "context", "none|label", MHO_CONTEXT_NONE,
                 "dynamics spiking: a unit for every class leads into all hidden layers, through "
                 "crossbars that learn, and spikes in every step while its label is shown (rule "
                 "csdp)",
                 .idle = mho_idle_without_spikes),
    MHO_P_CHOICE(
        mho_network_config, init, "init", "glorot|fan_in|he", MHO_INIT_GLOROT,
        "initial weights uniform in +-sqrt(6/(n_in + n_out)), biases 0; or all in "
        "+-1/sqrt(n_in); or in +-sqrt(6/n_in), biases 0; with device.mapping single from 0 "
        "on",
        .idle = without_rule_of_thumb),
    MHO_P_REAL(mho_network_config, w_max, "w_max", "", 0, 0, 1e6,
               "largest weight that devices hold, of every crossbar that is trained; 0: "
               "device.weight_range times the largest initial one"),
    MHO_P_REAL(mho_network_config, w_start, "w_start", "", 1, 0, 1,
               "w_max above 0: the largest initial weight, over it", .idle = without_w_max),
};
const mho_params mho_network_params = MHO_PARAMS(mho_network_config, network_table);

/* Links of a chain lead back over one layer each. */
static const char *one_layer_each(const mho_experiment *e) {
  const char *why = mho_idle_without_settling(e), *topology = e->topology.entry->id;
  bool is_chain = !strcmp(topology, "layered") || !strcmp(topology, "conv");
  if (why || !is_chain)
    return why;
  return "every feedback link leads back over one layer (network.topology)";
}

static const char *without_arrays(const mho_experiment *e) {
  if (e->feedback.path == MHO_PATH_DIRECT)
    return NULL;
  return "no controls come straight into hidden layers (feedback.path)";
}

static const char *without_learning(const mho_experiment *e) {
  const char *why = without_arrays(e);
  if (why || e->feedback.q.kind == MHO_CONTROL_LEARNED)
    return why;
  return "the arrays of the controls do not learn (feedback.q)";
}

static const char *rated_one_by_one(const mho_experiment *e) {
  const char *why = without_learning(e);
  if (why || !e->update.rates.n)
    return why;
  return "every trained connection has a rate (update.rates)";
}

/* Arrays that learn from every lesson have no passes of their own but before the first epoch. */
static const char *in_every_lesson(const mho_experiment *e) {
  const char *why = without_learning(e);
  if (why || e->feedback.q.filter == 0)
    return why;
  return "the arrays of the controls learn from every lesson (feedback.q.filter)";
}

static const char *in_own_passes(const mho_experiment *e) {
  const char *why = without_learning(e);
  if (why || e->feedback.q.filter > 0)
    return why;
  return "the arrays of the controls learn in passes of their own (feedback.q.filter)";
}

static const char *without_passes(const mho_experiment *e) {
  const mho_control_config *q = &e->feedback.q;
  const char *why = without_learning(e);
  if (why || q->epochs_before > 0 || (q->epochs > 0 && q->filter == 0))
    return why;
  return "the arrays of the controls have no passes of their own (feedback.q.epochs_before)";
}

#define P_Q(field, initial, low, high, ...)                                                        \
  MHO_P_REAL(mho_feedback_config, q.field, "q." #field, "", initial, low, high, __VA_ARGS__)
static const mho_param feedback_table[] = {
    MHO_P_CHOICE(mho_feedback_config, mode, "mode", "symmetric|asymmetric", 0,
                 "the same crossbar read transposed, or a crossbar of fixed random weights"),
    MHO_P_REAL(mho_feedback_config, scale, "scale", "", 0.01, 0, 100,
               "beta_i, gain of the feedback paths"),
    MHO_P_CHOICE(mho_feedback_config, per, "per", "link|layer", MHO_FEEDBACK_PER_LINK,
                 "beta_i once a feedback link, as in the paper, or once for every layer it leads "
                 "back over: then the nudge leaves the gradient in any graph, not in chains alone",
                 .idle = one_layer_each),
    MHO_P_CHOICE(mho_feedback_config, path, "path", "links|direct|chain", MHO_PATH_LINKS,
                 "what leads back: links between layers; for rules with a controller, its controls "
                 "straight into every hidden layer, or from layer to layer through the crossbars "
                 "transposed",
                 .idle = mho_idle_never),
    MHO_P_CHOICE(mho_feedback_config, q.kind, "q.kind", "product|random|learned",
                 MHO_CONTROL_PRODUCT,
                 "path direct: the arrays Q of the controls are the product of the initial forward "
                 "weights on the way to the read-out, drawn, or drawn and learned",
                 .idle = without_arrays),
    P_Q(rate, 5.265e-4, 0, 1000, "q learned: learning rate of the arrays",
        .idle = rated_one_by_one),
    P_Q(decay, 1e-3, 0, 1000,
        "q learned: part of the arrays that is added to their gradient, so that it also passes the "
        "optimizer",
        .idle = without_learning),
    MHO_P_INT(mho_feedback_config, q.epochs_before, "q.epochs_before", 10, 0, 1e6,
              "q learned: passes in which the arrays learn alone, before the first epoch",
              .idle = without_learning),
    MHO_P_INT(mho_feedback_config, q.epochs, "q.epochs", 3, 0, 1e6,
              "q learned: the same before every epoch", .idle = in_every_lesson),
    P_Q(noise, 1.524e-3, 1e-9, 100,
        "q learned: noise on the controls of neurons, standard deviation over a root of tau_u",
        .idle = without_learning),
    P_Q(filter, 0, 0, 1e6,
        "q learned: 0: in passes of their own; else in every lesson, under noise that is always "
        "on, from controls behind a high-pass of that time constant, in tau_u",
        .idle = without_learning),
    P_Q(noise_tau, 0.07, 1e-6, 1e6, "q.filter: time constant of the noise in lessons, in tau_u",
        .idle = in_own_passes),
    P_Q(dt, 2.03e-3, 1e-9, 1e3, "passes of their own: step, in tau_u", .idle = without_passes),
    MHO_P_INT(mho_feedback_config, q.steps, "q.steps", 48, 1, 60000,
              "passes of their own: steps of a lesson", .idle = without_passes),
    P_Q(leak, 0.6134, 0, 1e6, "passes of their own: leak of the controller, of its control",
        .idle = without_passes),
    P_Q(proportional, 0.1565, 0, 1e6, "passes of their own: proportional gain of the controller",
        .idle = without_passes),
    P_Q(ratio, 6.3e-3, 1e-9, 1e3, "passes of their own: time constant of the neurons, in tau_u",
        .idle = without_passes),
    P_Q(lag, 0.3247, 1e-9, 1e6,
        "passes of their own: time constant by which the controls of neurons lag, in tau_u",
        .idle = without_passes),
};
const mho_params mho_feedback_params = MHO_PARAMS(mho_feedback_config, feedback_table);

static bool is_forward(mho_edge e) {
  return e.role == MHO_FORWARD;
}

static mho_edge turned(mho_edge e) {
  int from = e.from;
  e.from = e.to;
  e.to = from;
  return e;
}

static int sign_of(mho_edge e) {
  return e.sign < 0 ? -1 : 1;
}

/* Whether an edge has no crossbar of its own: it reads the forward edge's, transposed. */
static bool is_shared(const mho_network_options *o, mho_edge e) {
  return e.role == MHO_FEEDBACK && !e.trained && o->feedback->mode == MHO_FEEDBACK_SYMMETRIC;
}

/* ---------------------------------------------------------------- connections */

/* Uniform weights of connection `index`, written to its crossbar; the first n_weights, the
 * others are 0. Where the mapping holds positive weights alone, the upper half of the range. What
 * is drawn below 0 of conductances of the ideal device is clipped as it is written. */
static mho_err initialize(mho_crossbar *xb, uint64_t seed, int index, double bound,
                          size_t n_weights, mho_errinfo *ei) {
  size_t n = mho_crossbar_cells(xb);
  float *u = mho_alloc(n, sizeof *u);
  mho_real *w = mho_alloc(n, sizeof *w);
  if (!u || !w) {
    mho_free(u);
    mho_free(w);
    return mho_fail(ei, MHO_ENOMEM, "no memory for %zu initial weights", n);
  }

  mho_rng_uniform(mho__stream_weights(seed, index), 0, 0, n, u);
  bool is_positive = xb->mapping && xb->mapping->positive;
  for (size_t i = 0; i < n; i++) {
    double drawn = is_positive ? (double)u[i] : 2 * (double)u[i] - 1;
    w[i] = i < n_weights ? (mho_real)(bound * drawn) : 0;
  }
  mho_crossbar_set(xb, 0, n, w);
  mho_free(u);
  mho_free(w);
  return MHO_OK;
}

static bool is_pooled(const mho_layer *l) {
  return l->pool.size > 0;
}

/* Whether a feedback edge with weights of its own has a crossbar that lies as that of its forward
 * edge and is read transposed: always where patches or pooling are between the layers. */
static bool is_mirrored(const mho_network *net, mho_edge e) {
  return e.role == MHO_FEEDBACK && (e.kernel || is_pooled(&net->layer[e.to]));
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

/* The weights of a connection: inputs and columns of its crossbar, and how far the initial ones
 * may go. */
typedef struct weights {
  int inputs, columns;
  double bound;
} weights;

/* How far the initial weights from `inputs` to `outputs` neurons go. */
static double bound_of(int init, int inputs, int outputs) {
  switch (init) {
  case MHO_INIT_FAN_IN:
    return 1 / sqrt(inputs);
  case MHO_INIT_HE:
    return sqrt(6.0 / inputs);
  default:
    return sqrt(6.0 / (inputs + outputs));
  }
}

/* Whether an edge has the weights by which neurons inhibit each other: no rule trains them. */
static bool inhibits(const mho_network_options *o, mho_edge e) {
  return o->spiking && e.role == MHO_LATERAL && !e.trained;
}

/* Whether an edge has weights that learn by how much neurons of a layer inhibit each other: not
 * themselves, and not by less than nothing. */
static bool learns_to_inhibit(const mho_network_options *o, mho_edge e) {
  return o->spiking && e.role == MHO_LATERAL && e.trained && e.from == e.to;
}

static weights weights_of(const mho_network *net, mho_edge e, int init) {
  const mho_layer *a = &net->layer[e.from], *b = &net->layer[e.to];
  weights w = {.inputs = a->outputs, .columns = b->n};
  int outputs = b->n;

  if (e.kernel) {
    mho_conv conv = conv_of(net, e);
    w.inputs = mho_conv_rows(&conv);
    w.columns = b->channels;
    outputs = e.kernel * e.kernel * b->channels;
  }
  w.bound = bound_of(init, w.inputs, outputs);
  return w;
}

/* Resistors of different layers meet at nodes, so that all have one unit of conductance, that of
 * the layer whose weights go furthest. */
static double common_bound(const mho_network *net, const mho_graph *g, int init) {
  double most = 0;
  for (int i = 0; i < g->n_edges; i++)
    if (is_forward(g->edge[i]))
      most = fmax(most, weights_of(net, g->edge[i], init).bound);
  return most;
}

static mho_err add_connection(mho_network *net, const mho_network_options *o, const mho_graph *g,
                              mho_edge e, bool bias, mho_errinfo *ei) {
  int index = net->n_connections;
  mho_connection *c = &net->connection[index];
  snprintf(c->name, sizeof c->name, "%s-%s", net->layer[e.from].name, net->layer[e.to].name);
  c->role = e.role;
  c->trained = is_forward(e) || e.trained;
  c->sign = sign_of(e);
  c->bias = bias;
  c->positions = 1;
  if (is_mirrored(net, e))
    e = turned(e);
  c->from = e.from;
  c->to = e.to;
  if (e.kernel) {
    c->conv = conv_of(net, e);
    c->positions = mho_conv_positions(&c->conv);
  }

  /* biases of glorot and he weights begin at 0 */
  weights w = weights_of(net, e, o->config->init);
  if (inhibits(o, e))
    w.bound = 1;
  double widest = o->resistive ? common_bound(net, g, o->config->init) : w.bound;
  double range = widest * o->device_config->weight_range;
  if (c->trained && o->config->w_max > 0) {
    range = o->config->w_max;
    w.bound = range * o->config->w_start;
  }
  bool biases_drawn = bias && o->config->init == MHO_INIT_FAN_IN && !o->resistive;
  size_t columns = (size_t)w.columns, drawn = (size_t)(w.inputs + biases_drawn) * columns;
  mho_crossbar_options x = {.device = o->device,
                            .device_params = o->device_params,
                            .device_config = o->device_config,
                            .mapping = o->mapping,
                            .mapping_params = o->mapping_params,
                            .array = o->array,
                            .array_params = o->array_params,
                            .array_config = o->array_config,
                            .w_max = range,
                            .positive_rows = o->resistive || learns_to_inhibit(o, e) ? w.inputs : 0,
                            .hollow = learns_to_inhibit(o, e),
                            .chip_seed = o->seeds.chip,
                            .noise_seed = o->seeds.noise,
                            .index = (uint32_t)index};
  mho_err err = mho_crossbar_new(w.inputs + bias, w.columns, &x, &c->xb, ei);
  if (err)
    return err;

  if (index == 0)
    net->array = (mho_network_array){.model = o->array,
                                     .params = o->array_params,
                                     .read_voltage = c->xb->read_voltage,
                                     .crossbar = c->xb};
  net->n_connections++;
  if (inhibits(o, e))
    return mho__lateral_weights(c->xb, ei);
  if (c->trained)
    net->n_weights += (size_t)(w.inputs + bias) * columns;
  return initialize(c->xb, o->seeds.weights, index, w.bound, drawn, ei);
}

/* The connection of an edge; shared: of the forward edge whose crossbar a feedback edge reads
 * transposed. */
static int find_connection(const mho_network *net, mho_edge e, bool shared) {
  mho_role role = shared ? MHO_FORWARD : e.role;
  if (shared || is_mirrored(net, e))
    e = turned(e);

  for (int i = 0; i < net->n_connections; i++) {
    const mho_connection *c = &net->connection[i];
    if (c->from == e.from && c->to == e.to && c->role == role)
      return i;
  }
  return -1;
}

/* Connections of all forward edges. The first one that leads to a layer carries its biases. */
static mho_err add_forward(mho_network *net, const mho_network_options *o, const mho_graph *g,
                           mho_errinfo *ei) {
  bool biased[MHO_LAYERS_MAX] = {false};

  for (int i = 0; i < g->n_edges; i++) {
    mho_edge e = g->edge[i];
    if (!is_forward(e))
      continue;
    bool bias = o->config->biases && !biased[e.to];
    biased[e.to] |= bias;
    mho_err err = add_connection(net, o, g, e, bias, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* Connections of the other edges: of those that are trained, or of those with fixed random
 * weights. */
static mho_err add_others(mho_network *net, const mho_network_options *o, const mho_graph *g,
                          bool trained, mho_errinfo *ei) {
  for (int i = 0; i < g->n_edges; i++) {
    mho_edge e = g->edge[i];
    if (is_forward(e) || is_shared(o, e) || e.trained != trained)
      continue;
    mho_err err = add_connection(net, o, g, e, false, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* Those that are trained come first. */
static mho_err add_connections(mho_network *net, const mho_network_options *o, const mho_graph *g,
                               mho_errinfo *ei) {
  mho_err err = add_forward(net, o, g, ei);
  if (!err)
    err = add_others(net, o, g, true, ei);
  net->n_trained = net->n_connections;
  if (!err)
    err = add_others(net, o, g, false, ei);
  return err;
}

/* ---------------------------------------------------------------- links */

/* Powers of beta_i that a feedback edge carries. The error's own way into a neighbour carries
 * the nudge in place of one. */
static int span_of(const mho_network_options *o, mho_edge e, bool hidden) {
  if (o->feedback->per == MHO_FEEDBACK_PER_LINK)
    return hidden;
  return e.from - e.to - !hidden;
}

static mho_err add_link(mho_network *net, const mho_network_options *o, mho_edge e,
                        mho_errinfo *ei) {
  bool hidden = mho_layer_is_hidden(&net->layer[e.from]) && mho_layer_is_hidden(&net->layer[e.to]);
  bool shared = is_shared(o, e), back = e.role == MHO_FEEDBACK;
  int c = find_connection(net, e, shared), span = back ? span_of(o, e, hidden) : 0;
  double scale = 1;
  if (c < 0)
    return mho_fail(ei, MHO_ECONFIG,
                    "symmetric feedback from %s to %s has no forward connection to mirror",
                    net->layer[e.from].name, net->layer[e.to].name);

  if (back)
    scale = pow(o->feedback->scale, span);
  else if (is_forward(e) && hidden)
    scale = o->config->forward_scale;

  const mho_connection *k = &net->connection[c];
  net->link[net->n_links++] =
      (mho_link){.from = e.from,
                 .to = e.to,
                 .role = e.role,
                 .connection = c,
                 .transposed = shared || is_mirrored(net, e),
                 .scale = (mho_real)(sign_of(e) * scale),
                 .span = span,
                 .plain = !k->conv.kernel && !k->bias && !is_pooled(&net->layer[k->from])};
  return MHO_OK;
}

/* The links of the edges into layer l with roles from `first` to `last`; number of the first link
 * and how many there are. */
static mho_err add_links_into(mho_network *net, const mho_network_options *o, const mho_graph *g,
                              int l, mho_role first, mho_role last, int *link, int *n,
                              mho_errinfo *ei) {
  *link = net->n_links;
  for (int i = 0; i < g->n_edges; i++) {
    mho_edge e = g->edge[i];
    if (e.to != l || e.role < first || e.role > last)
      continue;
    mho_err err = add_link(net, o, e, ei);
    if (err)
      return err;
  }
  *n = net->n_links - *link;
  return MHO_OK;
}

static mho_err add_links(mho_network *net, const mho_network_options *o, const mho_graph *g,
                         mho_errinfo *ei) {
  for (int l = 1; l < net->n_layers; l++) {
    mho_layer *to = &net->layer[l];
    mho_err err =
        add_links_into(net, o, g, l, MHO_FORWARD, MHO_FORWARD, &to->forward, &to->n_forward, ei);
    if (!err)
      err = add_links_into(net, o, g, l, MHO_FEEDBACK, MHO_FEEDBACK, &to->feedback, &to->n_feedback,
                           ei);
    if (!err)
      err = add_links_into(net, o, g, l, MHO_CONTROL, MHO_CONTEXT, &to->other, &to->n_other, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* Against every link that couples activities, one that leads credits the other way. */
static void add_credits(mho_network *net) {
  for (int l = 1; l < mho_hidden_end(net); l++) {
    mho_layer *to = &net->layer[l];
    to->credit = mho_network_links(net);

    for (int i = 0; i < net->n_links; i++) {
      const mho_link *k = &net->link[i];
      if (k->from != l || !mho_link_settles(k))
        continue;
      net->link[mho_network_links(net)] = (mho_link){.from = k->to,
                                                     .to = l,
                                                     .role = MHO_CREDIT,
                                                     .connection = k->connection,
                                                     .transposed = !k->transposed,
                                                     .scale = k->scale,
                                                     .plain = k->plain};
      net->n_credits++;
    }
    to->n_credit = mho_network_links(net) - to->credit;
  }
}

/* Shortest ways back from the read-out, in powers of beta_i (Bellman and Ford). */
static void find_distances(mho_network *net) {
  for (int l = 0; l < net->n_layers; l++)
    net->layer[l].distance = mho_layer_takes_error(net, l) ? 0 : -1;

  for (int round = 0; round < net->n_layers; round++)
    for (int i = 0; i < net->n_links; i++) {
      const mho_link *k = &net->link[i];
      int *to = &net->layer[k->to].distance, from = net->layer[k->from].distance;
      bool read_out = k->from == mho_network_output(net);
      int way = k->span + (read_out ? 0 : from);
      if (k->role == MHO_FEEDBACK && (read_out || from >= 0) && (*to < 0 || way < *to))
        *to = way;
    }
}

/* ---------------------------------------------------------------- construction */

static mho_layer_kind kind_of(const mho_graph *g, int l) {
  if (l == 0)
    return MHO_LAYER_INPUT;
  return l == g->n_layers - 1 ? MHO_LAYER_OUTPUT : MHO_LAYER_HIDDEN;
}

static void fill_layer(mho_layer *layer, const mho_graph *g, int l, const mho_neuron *neuron) {
  bool image = g->channels[l], hidden = kind_of(g, l) == MHO_LAYER_HIDDEN;
  layer->kind = kind_of(g, l);
  layer->has_state = hidden;
  layer->n = layer->outputs = g->size[l];
  layer->channels = image ? g->channels[l] : layer->n;
  layer->height = image ? g->height[l] : 1;
  layer->width = image ? g->width[l] : 1;
  if (g->pool[l]) {
    layer->pool = (mho_pool_window){layer->channels, layer->height, layer->width, g->pool[l]};
    layer->outputs = mho_pool_outputs(&layer->pool);
  }

  layer->neuron = hidden ? neuron : NULL;
}

static void name_layer(const mho_network *net, int l) {
  mho_layer *layer = &net->layer[l];
  bool is_behind = mho_output_has_neurons(net->output) && layer->kind == MHO_LAYER_OUTPUT;
  if (mho_layer_is_hidden(layer) && !mho_layer_answers(net, l))
    snprintf(layer->name, sizeof layer->name, "h%d", l);
  else if (is_behind)
    snprintf(layer->name, sizeof layer->name, "answer");
  else
    snprintf(layer->name, sizeof layer->name, "%s", l ? "out" : "x");
}

static mho_err fill(mho_network *net, const mho_network_options *o, const mho_graph *g,
                    mho_errinfo *ei) {
  net->n_layers = g->n_layers;
  net->output = (mho_output)o->config->output;
  net->votes = (mho_votes)o->config->votes;
  net->feedback_scale = o->feedback->scale;
  net->path = o->feedback->path;
  net->resistive = o->resistive;
  net->spiking = o->spiking;
  net->q = o->feedback->q;
  net->forward_scale = o->config->forward_scale;
  net->layer = mho_alloc((size_t)g->n_layers, sizeof *net->layer);
  net->connection = mho_alloc((size_t)g->n_edges, sizeof *net->connection);
  net->link = mho_alloc((o->credits ? 2 : 1) * (size_t)g->n_edges, sizeof *net->link);
  if (!net->layer || !net->connection || !net->link)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a network of %d layers", g->n_layers);

  for (int l = 0; l < g->n_layers; l++) {
    fill_layer(&net->layer[l], g, l, o->neuron);
    name_layer(net, l);
  }
  net->state_noise = mho__stream_states(o->seeds.noise);

  mho_err err = mho__neuron_circuits_new(net, o->circuit, o->seeds.chip, ei);
  if (!err)
    err = add_connections(net, o, g, ei);
  if (!err)
    err = add_links(net, o, g, ei);
  if (!err && mho__control_is_product(net))
    err = mho__control_write_products(net, o->device_config->weight_range, ei);
  if (!err && o->credits)
    add_credits(net);
  find_distances(net);
  return err;
}

/* The crossbars of the first n connections; free the list with mho_free. NULL without memory. */
static mho_crossbar **crossbars_of(const mho_network *net, int n) {
  mho_crossbar **x = mho_alloc((size_t)n, sizeof(mho_crossbar *));
  if (x)
    for (int c = 0; c < n; c++)
      x[c] = net->connection[c].xb;
  return x;
}

/* Wires of all connections together, so that small crossbars share the threads with large ones. */
static mho_err add_wires(mho_network *net, const mho_network_options *o, mho_errinfo *ei) {
  const mho_array_config *a = o->array_config;
  if (!a || (a->r_word == 0 && a->r_bit == 0))
    return MHO_OK;

  mho_crossbar **x = crossbars_of(net, net->n_connections);
  if (!x)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the wires of a network");
  mho_err err = mho_wired_new(net->n_connections, x, a, o->device_config, o->pool, &net->wired, ei);
  if (!err && net->resistive)
    err = mho__wired_join(net->wired, ei);
  mho_free(x);
  return err;
}

/* Pulses go through the lines of the trained connections. */
static mho_err add_disturb(mho_network *net, const mho_network_options *o, mho_errinfo *ei) {
  const mho_array_config *a = o->array_config;
  if (!a || !mho_array_disturbs(a) || !o->device->pulse || !o->pulsed)
    return MHO_OK;

  mho_crossbar **x = crossbars_of(net, net->n_trained);
  if (!x)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the write voltages of a network");
  mho_err err = mho_disturb_new(net->n_trained, x, a, o->device, o->device_params, o->device_config,
                                o->pool, &net->disturb, ei);
  mho_free(x);
  return err;
}

mho_err mho__network_lines(mho_network *net, const mho_network_options *o, mho_errinfo *ei) {
  mho_wired_free(net->wired);
  mho_disturb_free(net->disturb);
  net->wired = NULL;
  net->disturb = NULL;

  mho_err err = add_wires(net, o, ei);
  return err ? err : add_disturb(net, o, ei);
}

/* Behind outputs that are neurons, which a topology takes for the read-out, the layer that has
 * their activities. */
static mho_err add_answer(mho_graph *g, mho_errinfo *ei) {
  if (g->n_layers == MHO_LAYERS_MAX)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.output: neurons need one layer more, and there are %d already: use "
                    "fewer hidden layers, or network.output linear",
                    g->n_layers);
  g->outputs = g->n_layers - 1;
  g->size[g->n_layers] = g->size[g->n_layers - 1];
  g->n_layers++;
  return MHO_OK;
}

/* Who looks on needs no weights: no edge leads into the read-out, or out of it. */
static void take_off_read_out(mho_graph *g) {
  int kept = 0, last = g->n_layers - 1;
  for (int i = 0; i < g->n_edges; i++)
    if (g->edge[i].from != last && g->edge[i].to != last)
      g->edge[kept++] = g->edge[i];
  g->n_edges = kept;
}

/* A network of resistors has every input twice, the second time with the other sign: images are
 * planar, so that they have twice as many channels. */
static void double_inputs(mho_graph *g) {
  g->size[0] *= 2;
  g->channels[0] *= 2;
}

/* Layers, connections, links and lines, from the graph that the topology answers. */
static mho_err build(mho_network *net, const mho_network_options *o, mho_errinfo *ei) {
  mho_topology_input in = {.config = o->config,
                           .params = o->topology_params,
                           .features = o->features,
                           .classes = o->classes,
                           .channels = o->channels,
                           .height = o->height,
                           .width = o->width,
                           .symmetric = o->feedback->mode == MHO_FEEDBACK_SYMMETRIC,
                           .seed = o->seeds.weights};
  mho_graph *g = mho_alloc(1, sizeof *g);
  if (!g)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a network");

  mho_err err = o->topology->build(&in, g, ei);
  if (!err && o->resistive)
    double_inputs(g);
  if (!err && o->spiking)
    err = mho__spiking_edges(o->config, g, ei);
  if (mho_output_looks_on((mho_output)o->config->output))
    take_off_read_out(g);
  if (!err && mho_output_has_neurons((mho_output)o->config->output))
    err = add_answer(g, ei);
  if (!err && o->spiking && o->config->context == MHO_CONTEXT_LABEL)
    err = mho__context_edges(g, ei);
  if (!err && o->plan)
    err = o->plan(o->plan_params, g, ei);
  if (!err && o->feedback->path == MHO_PATH_DIRECT)
    err = mho__control_plan(&o->feedback->q, g, ei);
  if (!err)
    err = fill(net, o, g, ei);
  if (!err)
    err = mho__network_lines(net, o, ei);
  mho_free(g);
  return err;
}

mho_err mho_network_new(const mho_network_options *o, mho_network **out, mho_errinfo *ei) {
  *out = NULL;
  if (o->config->hidden.n < 1 && !o->topology->own_layers)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.hidden is empty: give at least one hidden layer, for example [128]");

  mho_network *net = mho_alloc(1, sizeof *net);
  if (!net)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a network");
  mho_err err = build(net, o, ei);
  if (err) {
    mho_network_free(net);
    return err;
  }

  mho_network_refresh(net, 0, true);
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
  mho__neuron_circuits_free(net);
  mho_free(net->layer);
  mho_free(net->link);
  mho_free(net);
}

/* ---------------------------------------------------------------- crossbars, all of them */

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

enum { PACK_TASKS = 4 }; /* tasks that fill the panels of one matrix */

/* Matrices are counted connection after connection, each as it is and then transposed. */
static void pack(void *arg, int task, int thread) {
  const mho_network *net = arg;
  int matrix = task / PACK_TASKS;
  mho_crossbar_pack_slab(net->connection[matrix / 2].xb, matrix % 2, task % PACK_TASKS, PACK_TASKS);
}

void mho_network_pack(mho_network *net, bool many, mho_pool *pool) {
  bool any = false;
  if (!many) {
    for (int c = 0; c < net->n_connections; c++)
      mho_crossbar_unpack(net->connection[c].xb);
    return;
  }

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    any |= mho_crossbar_pack(net->connection[k->connection].xb, k->transposed);
  }
  if (!any)
    return;
  mho_pool_run(pool, 2 * PACK_TASKS * net->n_connections, pack, net);
  for (int c = 0; c < net->n_connections; c++)
    mho_crossbar_packed(net->connection[c].xb);
}

mho_err mho_network_read_ideally(mho_network *net, const mho_array_config *config, void *params,
                                 mho_errinfo *ei) {
  for (int c = 0; c < net->n_connections; c++) {
    mho_err err = mho_crossbar_read_ideally(net->connection[c].xb, config, params, ei);
    if (err)
      return err;
  }

  net->array.model = net->array.crossbar->model;
  net->array.params = net->array.crossbar->params;
  return MHO_OK;
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
