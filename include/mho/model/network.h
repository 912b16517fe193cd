/* network.h - layers, the links between them, and the crossbars that the links read.
 *
 * Layer 0 is the input, the last one the read-out, and those between are hidden and hold states.
 * Where outputs are neurons (mho_output_has_neurons), the last of those between is theirs, and the
 * read-out behind it has its activities, without a link or crossbar; an error enters those that
 * hold states (MHO_OUTPUT_STATE) as it is. A forward link carries alpha z W; a feedback link beta_i
 * z W^T on the forward link's own crossbar (symmetric) or beta_i z B on one of its own, of fixed
 * random weights (asymmetric) or trained. Lateral, control and context links carry z W on crossbars
 * of their own: a dynamics reads the lateral ones and, where neurons spike, those of context, from
 * the read-out, whose units then stand for the label; the others belong to the rule that has
 * planned them. With feedback.path direct a control link leads from the read-out into every hidden
 * layer: it carries u Q of the controls u, one a unit of the read-out.
 * The network is const while it settles; only programming changes its crossbars.
 *
 * A layer of images has channels x height x width units; its activity may be pooled, and then the
 * links out of it read the largest of every window and the links back into it reach those winners.
 * A convolution is one crossbar of kernel^2 channels_in rows by channels_out columns, read once for
 * every position of its target, and transposed for every position in the feedback, where the
 * results overlap and add up. A bias is one more row of the crossbar whose input is always 1.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_NETWORK_H
#define MHO_MODEL_NETWORK_H

#include "mho/model/array.h"
#include "mho/model/neuron.h"
#include "mho/model/num.h"

/** What the amplifiers of a layer make of its neurons, drawn with the chip: the activity is
 *  clip(rho(gain (a + offset)), +-limit). NULL: all 1, all 0, no limit. */
typedef struct mho_circuit {
  mho_real *gain, *offset, *limit; /**< [n of the layer] */
  /** [n] relative to the nominal tau; largest |du/dt| tau, NULL: unlimited. */
  double *tau, *slew;
  double *threshold; /**< [n] added to that of all neurons; NULL: none */
  /** [n] gains of current of amplifiers between resistors, over that of all; NULL: all 1. */
  mho_real *current;
} mho_circuit;

/** What a layer is for. */
typedef enum mho_layer_kind { MHO_LAYER_INPUT, MHO_LAYER_HIDDEN, MHO_LAYER_OUTPUT } mho_layer_kind;

/** What a connection, and each link through it, is for. */
typedef enum mho_role {
  MHO_FORWARD,  /**< from the input towards the read-out */
  MHO_FEEDBACK, /**< from a layer back to an earlier one; from the read-out, the error's way in */
  MHO_CONTROL,  /**< from a controller at the read-out into a layer */
  MHO_LATERAL,  /**< between neurons of a layer, or of layers side by side */
  MHO_CONTEXT,  /**< from the label into a layer */
  MHO_CREDIT,   /**< against another link and through its crossbar, for what a unit is worth */
} mho_role;

/** A layer: its size and neurons, and where its links are. */
typedef struct mho_layer {
  char name[16]; /**< "x", "h1" ..., "out"; "answer" behind outputs that hold states */
  mho_layer_kind kind;
  bool has_state; /**< its activities are a state that settles */
  /** Units: channels x height x width; position after position, the channels of one side by side,
   *  but for the input, which is planar as the dataset is. */
  int n;
  int channels, height, width; /**< n, 1, 1 when they make no image */
  mho_pool_window pool;        /**< size 0: none */
  int outputs;                 /**< numbers that links out of it read: n, or the pooled ones */
  const mho_neuron *neuron;    /**< of hidden layers */
  /** Links into this layer that lead forward: link[forward .. forward+n_forward-1]. */
  int forward, n_forward;
  int feedback, n_feedback;   /**< those that lead back; from the read-out, the nudge, */
  int other, n_other;         /**< those of the other roles, */
  int credit, n_credit;       /**< and those that lead credits into this layer */
  const mho_circuit *circuit; /**< of hidden layers; NULL: ideal ones */
  /** A second circuit for every neuron, drawn apart; NULL where the first one is ideal. */
  const mho_circuit *copy;
  /** Powers of beta_i on the shortest way from the read-out: 0 in its neighbours, -1 when out of
   *  reach. */
  int distance;
} mho_layer;

/** One crossbar and where it lies. */
typedef struct mho_connection {
  char name[40]; /**< "x-h1" */
  int from, to;  /**< of its forward (or only) direction */
  mho_role role;
  bool trained;
  int sign;      /**< 1; -1: what it brings is subtracted */
  mho_conv conv; /**< kernel 0: dense */
  bool bias;     /**< its last row is the bias of the target */
  int positions; /**< of the target at which it is read: 1 when dense */
  /** [outputs of from (+ 1) x n of to], or [patch (+ 1) x channels of to]. */
  mho_crossbar *xb;
} mho_connection;

/** How a layer reads another one through a crossbar, in one of its directions. */
typedef struct mho_link {
  int from, to; /**< layers */
  mho_role role;
  int connection;
  bool transposed; /**< reads the connection against its direction */
  mho_real scale;  /**< alpha, beta_i^span, or 1, times the connection's sign */
  int span;        /**< powers of beta_i, of a feedback link */
  /** Nothing but the crossbar lies between the two layers: no patches, pooling or bias. */
  bool plain;
} mho_link;

/** What the crossbars of a network have in common. */
typedef struct mho_network_array {
  const mho_array_model *model;
  const void *params;  /**< of the model */
  double read_voltage; /**< V of a line that is driven by an activity of 1 */
  /** One of the crossbars: what can only be asked of a crossbar, but is the same in all. */
  const mho_crossbar *crossbar;
} mho_network_array;

/** The arrays Q that lead controls of the read-out straight into hidden layers. */
typedef struct mho_control_config {
  int kind; /**< product, random, learned */
  /* Those that are learned, from what noise of the neurons' controls brings back: */
  double rate, decay;
  int64_t epochs_before, epochs; /**< passes of their own, before the first epoch and every one */
  double noise;                  /**< standard deviation, over a root of tau_u */
  /** tau_u; 0: they learn in passes of their own, else from every lesson, with noise of a time
   *  constant, which passes a high-pass with this one. */
  double filter;
  double noise_tau; /**< tau_u */
  /* A pass of their own, see rule.dt and the others of rule dfc, and the lag of the controls: */
  double dt, leak, proportional, ratio, lag;
  int64_t steps;
} mho_control_config;
enum { MHO_CONTROL_PRODUCT, MHO_CONTROL_RANDOM, MHO_CONTROL_LEARNED };

/** Section resistive of the config: a network of resistors (dynamics resistive). A unit of voltage
 *  is array.read_voltage over the input gain. */
typedef struct mho_resistive_config {
  double input_gain;       /**< A, of the voltages that inputs are held at */
  int rectifier;           /**< MHO_RECTIFIER_... */
  double i_s;              /**< saturation current, of a weight of 1 at one unit of voltage */
  double n_vt;             /**< V, emission coefficient times thermal voltage */
  double voltage, current; /**< gains of the amplifiers behind hidden nodes: forward, back */
  int order;               /**< MHO_ORDER_... */
  int start;               /**< MHO_START_... */
  double noise;            /**< V, standard deviation of one measurement of a node */
  int64_t measurements;    /**< of a node at the end of a phase, which are averaged */
  int64_t adc_bits;        /**< of the converter that the average goes through; 0: none */
  double adc_range;        /**< V, its full scale; 0: array.read_voltage */
} mho_resistive_config;
enum { MHO_RECTIFIER_IDEAL, MHO_RECTIFIER_JUNCTION, MHO_RECTIFIER_NONE };
enum { MHO_ORDER_ALTERNATE, MHO_ORDER_FORWARD, MHO_ORDER_BACKWARD };
enum { MHO_START_KEPT, MHO_START_ZERO };
/** The keys of mho_resistive_config. */
MHO_API extern const mho_params mho_resistive_params;

/** Neurons that integrate and fire (dynamics spiking), keys of section neuron. Potentials and
 *  thresholds are in units of what a weight of 1 brings. */
typedef struct mho_spiking_config {
  double tau;                    /**< s, of the membrane */
  int synapse;                   /**< MHO_SYNAPSE_... */
  double tau_syn, tau_inh;       /**< s, of currents or conductances; of inhibitory ones */
  double excitatory, inhibitory; /**< reversal potentials of conductances */
  double rest;                   /**< what potentials decay to */
  int reset;                     /**< MHO_RESET_... */
  double reset_to;               /**< with MHO_RESET_VALUE */
  double refractory;             /**< s */
  bool strict;                   /**< fires above the threshold, else at it, too */
  double threshold, spread;      /**< and its uniform half width between neurons */
  int law;                       /**< of the threshold: MHO_THRESHOLD_... */
  double rate;                   /**< layer: change for a spike, and without one, in a step */
  double least;                  /**< layer, target: lowest threshold */
  double plus, decay;            /**< spike: what one adds, and s in which that decays */
  double target, gain;           /**< target: rate in 1/s, and what a spike adds */
  int inhibit;                   /**< MHO_INHIBIT_... */
  double inhibit_time;           /**< s, line: for which the others are held */
  double inhibit_strength;       /**< max, threshold: how far potentials of the others fall */
  int winners;                   /**< MHO_WINNERS_...: neurons of a layer that fire in a step */
  double forward_gain;           /**< of forward links, and of those from the label */
  double lateral_gain;           /**< of lateral links */
  double output_gain;            /**< of links into output neurons */
  double trace_tau;              /**< s, of what a neuron remembers of its spikes */
  int trace_form;                /**< MHO_TRACE_FORM_... */
  double trace_gain;             /**< what a spike adds */
  double forward_delay;          /**< s beyond that of the clock, by role of the link */
  double lateral_delay, back_delay;
} mho_spiking_config;
enum { MHO_SYNAPSE_DELTA, MHO_SYNAPSE_CURRENT, MHO_SYNAPSE_CONDUCTANCE };
enum { MHO_RESET_SUBTRACT, MHO_RESET_VALUE };
enum { MHO_THRESHOLD_FIXED, MHO_THRESHOLD_LAYER, MHO_THRESHOLD_SPIKE, MHO_THRESHOLD_TARGET };
enum { MHO_INHIBIT_NONE, MHO_INHIBIT_LINE, MHO_INHIBIT_MAX, MHO_INHIBIT_THRESHOLD };
enum { MHO_WINNERS_ALL, MHO_WINNERS_ONE };
enum { MHO_TRACE_FORM_SET, MHO_TRACE_FORM_ADD };
/** Steps that a spike can be under way beyond the clock's own. */
enum { MHO_DELAY_STEPS = 51 };

/** Layers, crossbars and links. */
typedef struct mho_network {
  int n_layers;
  mho_layer *layer;             /**< [n_layers] */
  int n_connections, n_trained; /**< the builder puts those that are trained first */
  mho_connection *connection;   /**< [n_connections] */
  mho_network_array array;
  int n_links;
  /** Behind the others, for a rule with credits (mho_rule): against every link that a dynamics
   *  reads and that leads out of a hidden layer, one of role MHO_CREDIT and of the same scale. */
  int n_credits;
  mho_link *link;        /**< [n_links + n_credits], each part sorted by target */
  mho_output output;     /**< what the read-out answers */
  mho_votes votes;       /**< of output MHO_OUTPUT_VOTES */
  double feedback_scale; /**< beta_i */
  int path;              /**< MHO_PATH_...: how controls come to hidden layers */
  mho_control_config q;  /**< of the arrays of control links, with MHO_PATH_DIRECT */
  double forward_scale;  /**< alpha */
  /** Weights are conductances that lead both ways, and inputs come twice, as A x and as -A x; NULL:
   *  weights are signed, and inputs come as they are. */
  const mho_resistive_config *resistive;
  /** Neurons integrate and fire; NULL: they do not. */
  const mho_spiking_config *spiking;
  size_t n_weights;    /**< trained */
  mho_rng state_noise; /**< of the neurons in continuous time */
  mho_wired *wired;    /**< the connections' wires; NULL without resistance */
  /** Of the trained connections; NULL: pulses reach their cells whole and alone. */
  mho_disturb *disturb;
} mho_network;

/** Standard deviation of a node that is measured (resistive.noise, resistive.measurements), in
 *  units of the network; 0: it is measured exactly. */
MHO_API double mho_resistive_noise(const mho_network *net);
/** Full scale of the converters that measured nodes go through (resistive.adc_bits), in units of
 *  the network. */
MHO_API double mho_resistive_adc_range(const mho_network *net);
/** Gains of the amplifiers behind the nodes of a layer, [n], over resistive.amplifier.voltage.
 *  NULL: there are none, or they are alike (neuron.variation.gain). */
MHO_API const mho_real *mho_resistive_gains(const mho_network *net, int layer);
/** The same of their gains of current. */
MHO_API const mho_real *mho_resistive_currents(const mho_network *net, int layer);
/** 1 for a node that a rectifier keeps at or above the voltage at which it conducts, -1 for one at
 *  or below, 0 where there is none, as of outputs. Half of the nodes (channels of a position)
 *  each. */
MHO_API int mho_resistive_side(const mho_network *net, int layer, int node);
/** Voltages at which the rectifiers of a layer conduct, [n], in units of the network. NULL: at 0
 *  (neuron.variation.offset). */
MHO_API const mho_real *mho_resistive_thresholds(const mho_network *net, int layer);
/** All of that for one node. */
typedef struct mho_node_circuit {
  double gain, current; /**< over those of all amplifiers */
  double threshold;     /**< at which its rectifier conducts, in units of the network */
  int side;             /**< see mho_resistive_side */
} mho_node_circuit;
MHO_API mho_node_circuit mho_resistive_node(const mho_network *net, int layer, int node);
/** n V_T of the junctions in units of the network. */
MHO_API double mho_resistive_n_vt(const mho_network *net);
/** What the junction of a node at v brings to it, I = I_s (e^(V/V_T) - 1) of the diode equation
 *  (resistive.i_s, n_vt), in units of the network; 0 where side is 0.
 *  @param c  of the node. */
MHO_API double mho_resistive_junction(const mho_network *net, const mho_node_circuit *c, double v);

/** A topology's answer: sizes, and edges between layers. */
enum { MHO_LAYERS_MAX = MHO_INTS_MAX + 2, MHO_EDGES_MAX = 4096 };
/** A connection that a topology asks for. */
typedef struct mho_edge {
  int from, to;
  mho_role role;
  /** Forward edges always are; a feedback edge that is has a crossbar of its own, in any mode. */
  bool trained;
  int sign; /**< -1: what it brings is subtracted; else it is added */
  /** Of a convolution; a feedback edge is as its forward one. kernel 0: dense. */
  int kernel, stride, padding;
} mho_edge;
/** What a topology builds: layers with their sizes, and edges between them. */
typedef struct mho_graph {
  int n_layers, size[MHO_LAYERS_MAX];
  /** Of images; else 0. */
  int channels[MHO_LAYERS_MAX], height[MHO_LAYERS_MAX], width[MHO_LAYERS_MAX];
  int pool[MHO_LAYERS_MAX]; /**< side of the windows; 0: none */
  /** The layer of output neurons, which is not the topology's to set; 0: there is none. */
  int outputs;
  int n_edges;
  mho_edge edge[MHO_EDGES_MAX];
} mho_graph;

/** Section network of the config, for any topology. */
typedef struct mho_network_config {
  mho_ints hidden;
  double forward_scale; /**< alpha, of the links between hidden layers */
  int output;           /**< mho_output */
  int votes;            /**< mho_votes */
  int loss;             /**< mho_loss */
  bool biases;
  bool lateral, back; /**< links that neurons which spike have beside the forward ones */
  int context;        /**< MHO_CONTEXT_...: links from the label into hidden layers */
  int init;           /**< glorot, fan_in, he */
  double w_max;       /**< of trained crossbars; 0: device.weight_range times the initial ones */
  double w_start;     /**< largest initial weight over w_max */
} mho_network_config;
enum { MHO_INIT_GLOROT, MHO_INIT_FAN_IN, MHO_INIT_HE };
enum { MHO_CONTEXT_NONE, MHO_CONTEXT_LABEL };
/** The keys of mho_network_config. */
MHO_API extern const mho_params mho_network_params;

/** Section feedback of the config. */
typedef struct mho_feedback_config {
  int mode;             /**< symmetric, asymmetric */
  double scale;         /**< beta_i */
  int per;              /**< what beta_i is counted by: link, layer */
  int path;             /**< how what leads back comes to hidden layers: links, direct, chain */
  mho_control_config q; /**< with the path direct */
} mho_feedback_config;
enum { MHO_FEEDBACK_SYMMETRIC, MHO_FEEDBACK_ASYMMETRIC };
enum { MHO_FEEDBACK_PER_LINK, MHO_FEEDBACK_PER_LAYER };
enum { MHO_PATH_LINKS, MHO_PATH_DIRECT, MHO_PATH_CHAIN };
/** The keys of mho_feedback_config. */
MHO_API extern const mho_params mho_feedback_params;

/** Neurons as circuits: limits of the amplifiers, and how their makers missed. */
typedef struct mho_circuit_config {
  double saturation, slew;
  /** Standard deviations between neurons. */
  double tau, gain, current, offset, saturation_spread, slew_spread;
  mho_spiking_config spiking;
} mho_circuit_config;
/** The keys of mho_circuit_config. */
MHO_API extern const mho_params mho_circuit_params;

/** What a topology is told. */
typedef struct mho_topology_input {
  const mho_network_config *config;
  const void *params; /**< of the topology */
  int features, classes;
  int channels, height, width; /**< of the images; features when they make none */
  bool symmetric;              /**< a feedback edge needs its forward one */
  uint64_t seed;               /**< of the weights, for topologies drawn by chance */
} mho_topology_input;

/** A registered topology. */
typedef struct mho_topology {
  mho_entry entry;
  /** Its own keys say what the hidden layers are, not network.hidden. */
  bool own_layers;
  /** Fill the graph, which comes empty. */
  mho_err (*build)(const mho_topology_input *in, mho_graph *g, mho_errinfo *ei);
} mho_topology;

/** Seeds of everything random, each derived from one unless given. */
typedef struct mho_seeds {
  uint64_t weights, chip, order, noise;
} mho_seeds;

/** What a network is made of. */
typedef struct mho_network_options {
  const mho_topology *topology;
  const void *topology_params;
  /** Links on top of the topology's, which a learning rule adds; nullable. */
  mho_err (*plan)(const void *params, mho_graph *g, mho_errinfo *ei);
  const void *plan_params;
  bool credits; /**< links by which credits are led back, too */
  const mho_network_config *config;
  const mho_feedback_config *feedback;
  const mho_resistive_config *resistive; /**< nullable, see mho_network */
  const mho_spiking_config *spiking;     /**< the same */
  const mho_neuron *neuron;
  const mho_circuit_config *circuit; /**< nullable: ideal */
  const mho_device_model *device;
  const void *device_params;
  const mho_device_config *device_config;
  const mho_mapping *mapping; /**< as of mho_crossbar_options */
  const void *mapping_params;
  const mho_array_model *array;
  const void *array_params;
  const mho_array_config *array_config; /**< nullable: defaults */
  /** Trained devices are written by pulses, which array_config.write_select is about. */
  bool pulsed;
  mho_pool *pool; /**< nullable; for mho_network_refresh */
  mho_seeds seeds;
  int features, classes;
  int channels, height, width; /**< of the images */
} mho_network_options;

/** Build a network with uniform initial weights, forward and random feedback alike, written as
 *  exactly as the devices allow: +-sqrt(6/(n_in + n_out)) (glorot), +-1/sqrt(n_in) (fan_in) or
 *  +-sqrt(6/n_in) (he: He et al., ICCV 2015), with n the kernel^2 channels of a convolution; biases
 *  0 with glorot and he, as the weights with fan_in. With feedback.path direct and q product, the
 *  arrays Q of the control links get the product of the forward weights on the way to the read-out.
 *  Options that are pointed to must outlive it.
 *  @return MHO_OK; MHO_ECONFIG when the topology cannot be built (a feedback edge without its
 *          forward one in symmetric mode, no hidden layer, a product through patches);
 *          MHO_ENOMEM. */
MHO_API mho_err mho_network_new(const mho_network_options *o, mho_network **out, mho_errinfo *ei);
/** Frees a network with its crossbars; NULL is allowed. */
MHO_API void mho_network_free(mho_network *net);
/** Whether a layer is hidden: it has neurons. */
static inline bool mho_layer_is_hidden(const mho_layer *layer) {
  return layer->kind == MHO_LAYER_HIDDEN;
}
/** Number of the read-out. */
static inline int mho_network_output(const mho_network *net) {
  return net->n_layers - 1;
}
/** Whether layer l is one of output neurons, whose activities the read-out has. */
static inline bool mho_layer_answers(const mho_network *net, int l) {
  return mho_output_has_neurons(net->output) && l == mho_network_output(net) - 1;
}
/** Whether an error enters the neurons of layer l as it is: outputs that hold states. */
static inline bool mho_layer_takes_error(const mho_network *net, int l) {
  return net->output == MHO_OUTPUT_STATE && mho_layer_answers(net, l);
}
/** Numbers that the read-out gives: one a class, or a value. */
static inline int mho_network_classes(const mho_network *net) {
  return net->layer[mho_network_output(net)].n;
}
/** Hidden layers are 1 .. mho_hidden_end(net) - 1, ... */
static inline int mho_hidden_end(const mho_network *net) {
  return mho_network_output(net);
}
/** ... that is so many. */
static inline int mho_network_hidden(const mho_network *net) {
  return mho_hidden_end(net) - 1;
}
/** Links of all roles, credits among them. */
static inline int mho_network_links(const mho_network *net) {
  return net->n_links + net->n_credits;
}
/** Whether a link is one that any dynamics reads: links of control and credit are their rule's,
 *  links of context are read by neurons that spike. */
static inline bool mho_link_settles(const mho_link *k) {
  return k->role == MHO_FORWARD || k->role == MHO_FEEDBACK || k->role == MHO_LATERAL;
}
/** Whether a link couples the states of hidden layers. */
static inline bool mho_link_is_hidden(const mho_network *net, const mho_link *k) {
  return mho_link_settles(k) && mho_layer_is_hidden(&net->layer[k->from]) &&
         mho_layer_is_hidden(&net->layer[k->to]);
}
/** Whether a link leads the read-out's error into a hidden layer. */
static inline bool mho_link_has_error(const mho_network *net, const mho_link *k) {
  return k->role == MHO_FEEDBACK && k->from == mho_network_output(net);
}
/** Whether a link leads controls of the read-out straight into a hidden layer. */
static inline bool mho_link_has_control(const mho_network *net, const mho_link *k) {
  return k->role == MHO_CONTROL && k->from == mho_network_output(net);
}
/** What neurons that spike multiply with what a link brings, beside its scale. */
static inline double mho_spiking_gain(const mho_network *net, const mho_link *k) {
  const mho_spiking_config *c = net->spiking;
  if (k->role == MHO_FORWARD && mho_layer_answers(net, k->to))
    return c->output_gain;
  if (k->role == MHO_FORWARD || k->role == MHO_CONTEXT)
    return c->forward_gain;
  return k->role == MHO_LATERAL ? c->lateral_gain : 1;
}

/** The unit of a connection's source that its row `row` reads at a position; -1 in the border of a
 *  convolution. Not of layers that are pooled. */
static inline int mho_connection_unit(const mho_connection *k, int position, int row) {
  return k->conv.kernel ? mho_conv_unit(&k->conv, position, row) : row;
}
/** Lines that a link drives on its crossbar, and lines that it senses. */
static inline int mho_link_inputs(const mho_network *net, const mho_link *k) {
  const mho_crossbar *x = net->connection[k->connection].xb;
  return k->transposed ? x->cols : x->rows;
}
static inline int mho_link_outputs(const mho_network *net, const mho_link *k) {
  const mho_crossbar *x = net->connection[k->connection].xb;
  return k->transposed ? x->rows : x->cols;
}
/** After the pulses of an update: what they have done to other cells (mho_disturb_apply). Does
 *  nothing where they do nothing. */
MHO_API void mho_network_disturb(mho_network *net);
/** The effective matrices of crossbars with wires, after weights have been programmed, see
 *  mho_wired_refresh, and the voltages of the next pulses (mho_disturb_refresh). Does nothing
 *  without either. */
MHO_API void mho_network_refresh(mho_network *net, int64_t update, bool full);
/** Lay matrices out for reads of many samples where their links gain from it (mho_crossbar_pack),
 *  or forget what is laid out, so that what reads give to the last digit does not depend on what
 *  was read before.
 *  @param pool  nullable. */
MHO_API void mho_network_pack(mho_network *net, bool many, mho_pool *pool);
/** From here on every crossbar is read through ideal circuits, see mho_crossbar_read_ideally.
 *  @param params  room for the parameters of the array model, which outlives the network. */
MHO_API mho_err mho_network_read_ideally(mho_network *net, const mho_array_config *config,
                                         void *params, mho_errinfo *ei);
/** Whether any of its crossbars reads with noise, ... */
MHO_API bool mho_network_noisy(const mho_network *net);
/** ... or anything else than the product. */
MHO_API bool mho_network_lossy(const mho_network *net);
/** How much smaller an error signal of layer l is than the nudge: beta_i^distance (l hidden; 1 for
 *  the read-out). */
MHO_API double mho_network_signal_scale(const mho_network *net, int layer);

/** A layer's neurons on `samples` samples, with their circuit: see the hooks of mho_neuron. */
MHO_API void mho_layer_activate(const mho_layer *layer, int samples, const mho_real *a,
                                mho_real *z);
/** d *= rho'(a) of the layer, given z = rho(a), [rows x n]. */
MHO_API void mho_layer_scale_by_slope(const mho_layer *layer, int samples, const mho_real *z,
                                      mho_real *d);
/** Not with a limited activity (see mho_circuit_limited). */
MHO_API void mho_layer_activate_keep(const mho_layer *layer, int samples, mho_real *a,
                                     mho_real *keep);
/** The scaled answer to a scaled change of input, in place of e, [rows x n]. */
MHO_API void mho_layer_difference(const mho_layer *layer, int samples, mho_real c,
                                  const mho_real *z, const mho_real *keep, mho_real *e);
/** mho_layer_activate in double precision. */
MHO_API void mho_layer_activate_double(const mho_layer *layer, int samples, const double *a,
                                       double *z);
/** mho_layer_scale_by_slope in double precision. */
MHO_API void mho_layer_scale_by_slope_double(const mho_layer *layer, int samples, const double *z,
                                             double *d);
/** Whether amplifiers saturate, so that a difference is only known from two states. */
static inline bool mho_circuit_limited(const mho_circuit_config *c) {
  return c && c->saturation > 0;
}

/** The net that backpropagation is defined on: net's layers, its forward links, as feedback links
 *  the transposes of all of them (whatever net's own are), and the same weights, read without
 *  noise. It shares them, so it follows the training.
 *  @param out  free it with mho_network_feedforward_free, before net; not to be programmed. */
MHO_API mho_err mho_network_feedforward(const mho_network *net, mho_network **out, mho_errinfo *ei);
/** Frees what mho_network_feedforward made, but for the weights, which are net's; NULL is
 *  allowed. */
MHO_API void mho_network_feedforward_free(mho_network *feedforward);

#endif
