/* resistive.c - nodes between resistors: Kirchhoff's law, with diodes and amplifiers.
 *
 * A conductance g_ij >= 0 joins node i of layer l-1 with node j of layer l. Layer 0 is held at
 * A [x; -x]. A bias is a current b_j into node j, and outputs are nodes, too. With the amplifiers'
 * gains a of voltage and c of current (both 1: none), no amplifier being behind the inputs,
 *
 *   s_j = sum_i g^l_ij + a c sum_k g^(l+1)_jk       what loads node j
 *   N_j = a sum_i g^l_ij v_i + c sum_k g^(l+1)_jk v_k + b_j
 *
 * and a node is at rest at u = N/s, or where its rectifier lets it be: a diode from ground keeps
 * the first half of a hidden layer at v >= 0 and one to ground the others at v <= 0. Of a junction
 * I = I_s (e^(V/V_T) - 1), V_T = n V_T of section resistive,
 *
 *   s v - N = I_s (e^(-v/V_T) - 1),   v = d + V_T W0(I_s/(s V_T) e^(-d/V_T)),  d = (N - I_s)/s
 *
 * for the first half, and mirrored for the others. Nodes of a layer are not joined with each other,
 * so that one layer at rest under the others is the exact minimum over its voltages of
 *
 *   E = sum_l (c/a)^(l-1) [ 1/2 sum_ij g^l_ij (a v_i - v_j)^2 - sum_j b_j v_j ]
 *
 * (half the power without amplifiers, and without the co-content of junctions, which is convex,
 * too): sweeps over the layers are block coordinate descent, and E falls in each.
 *
 * Circuits are not alike (neuron.variation): behind node j the gains are a x_j of voltage and c y_j
 * of current, and its rectifier keeps v_j at or above (below) t_j, of a source of that voltage in
 * series with it. Thresholds move the minimum of E. In N_j and s_j the currents that are drawn from
 * behind node j count y_j times: for E, in which nodes k behind j and j' would have to weigh
 * c y_j/(a x_j) and c y_j'/(a x_j') times what these do, y/x must be the same in all of a layer.
 * Else currents no longer are slopes of one E: nodes come to rest as before, but what a nudge
 * changes is not the gradient.
 *
 * A convolution joins the nodes of every position with those of its patch by conductances of its
 * own, which are equal at all positions: one kernel, that learns once. Beyond the image (padding)
 * is ground. Of the channels of a position the first half is kept at v >= 0.
 *
 * Devices conduct g_min beside their weight, which all of the above has in g: reads add what that
 * brings, and the sums of lines have it.
 *
 * Where lines have resistance (array.wire) a crossbar is one of conductances between all nodes at
 * its ends (src/array/wired_nodes.h), so that nodes of a layer are joined, too, by symmetric m_jk:
 *
 *   s_j += sum_k m_jk     N_j += sum_k m_jk v_k     E += 1/2 sum_(j<k) m_jk (v_j - v_k)^2
 *
 * A turn then moves all nodes of a layer at once, each to its rest under where the others were. The
 * matrix of a layer, D - M with D = diag(s), has nonnegative M, so that 2 D - (D - M) = D + M is
 * diagonally dominant and E falls all the same, with diodes, too: a step d by which each node comes
 * to rest changes E by at most -1/2 d (D + M) d. Conductances learn from the voltages of nodes,
 * which are all that is measured: dE/dg has those across the devices themselves.
 *
 * A nudge b of the outputs towards targets y is a conductance to them, N + b y over s + b, or a
 * current b (y - v) with v of the free phase. The difference (v_free - v_nudged)/b obeys
 *
 *   s e = a sum_i g e_i + c sum_k g e_k,   outputs: + (v - y), over s + b with a conductance
 *
 * as long as no diode switches; where one does e ends there, at v/b. Junctions follow
 * s d = dN + I_s e^(-v/V_T) expm1(-d/V_T), d = -b e. Nothing cancels at any nudge or depth.
 *
 * In continuous time a node has a capacitance C_j, tau C_j units of conductance, and
 *
 *   tau C_j dv/dt = N_j - s_j v_j + what its junction brings
 *
 * An ideal diode brings what keeps the node from going beyond its threshold: v is held there while
 * N - s v would lead beyond, the law of complementarity of a diode without voltage or charge of its
 * own. The state of a node may be beyond the threshold by the error of a step, and v is at it.
 *
 * Source: J. Kendall et al., arXiv 2006.01981; block coordinate descent: B. Scellier, ICML 2024,
 * arXiv 2402.11674. Amplifiers in E, junctions and differences: derived.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/line_sums.h"
#include "dynamics/dynamics_check.h"
#include "settle/links.h"

enum { POTENTIAL, KIRCHHOFF, DISSIPATED, SUPPLIED }; /* variables */
static const mho_var variables[] = {
    {"potential", MHO_PER_HIDDEN, false, true}, /* where the last free phase of training ended */
    /* Of the free phase, for those who watch: */
    {"kirchhoff", MHO_PER_SAMPLE, true, false},  /* largest current that a node has too much of */
    {"dissipated", MHO_PER_SAMPLE, true, false}, /* power in conductances and junctions */
    {"supplied", MHO_PER_SAMPLE, true, false},   /* power of inputs and biases */
};

/* ---------------------------------------------------------------- a layer's surroundings */

static bool is_output(const mho_network *net, int l) {
  return mho_layer_takes_error(net, l);
}

/* Gain of the amplifiers between layer l - 1 and layer l: none is behind the inputs. */
static double voltage_into(const mho_network *net, int l) {
  return l == 1 ? 1 : net->resistive->voltage;
}

/* The link that joins a layer with the one before it, from there or back. */
static const mho_link *link_into(const mho_network *net, int l) {
  return &net->link[net->layer[l].forward];
}
static const mho_link *link_back_into(const mho_network *net, int l) {
  return &net->link[net->layer[l].feedback];
}

/* The conductances that the two have between them. */
static const mho_connection *connection_into(const mho_network *net, int l) {
  return &net->connection[link_into(net, l)->connection];
}

static int inputs_of(const mho_connection *k) {
  return k->xb->rows - k->bias;
}

/* The strength of a conductance from every output to its target; 0: there is none. */
static double nudge_conductance(const mho_phase *p, int l) {
  bool has = is_output(p->net, l) && p->drive.kind == MHO_DRIVE_LIVE;
  return has ? p->drive.strength : 0;
}

/* What the conductances of a connection load the nodes in front of it with, [n of its source]: the
 * sums of its lines, of every position that reads a node. */
static void find_loads_behind(const mho_network *net, const mho_connection *k, mho_real *out) {
  const mho_real *sum = mho_crossbar_line_sums(k->xb, true);
  size_t n = (size_t)net->layer[k->from].n;
  if (!k->conv.kernel) {
    memcpy(out, sum, n * sizeof *out);
    return;
  }

  memset(out, 0, n * sizeof *out);
  mho_conv_scatter(&k->conv, sum, 0, 0, k->positions, out);
}

/* What loads the nodes of a layer, [n], nudge and all. It lies in the thread's scratch, until the
 * next read. */
static const mho_real *loads_of(const mho_phase *p, int l) {
  const mho_network *net = p->net;
  const mho_connection *k = connection_into(net, l);
  const mho_real *sum = mho_crossbar_line_sums(k->xb, false);
  mho_real gains = (mho_real)(net->resistive->voltage * net->resistive->current);
  mho_real nudge = (mho_real)nudge_conductance(p, l), *out = p->thread->scratch;
  int n = net->layer[l].n, cols = k->xb->cols;
  bool is_last = is_output(net, l);
  const mho_real *own = mho_resistive_gains(net, l), *currents = mho_resistive_currents(net, l);
  if (!is_last)
    find_loads_behind(net, connection_into(net, l + 1), out);
  for (int j = 0; own && j < n; j++)
    out[j] *= own[j];
  for (int j = 0; currents && j < n; j++)
    out[j] *= currents[j];

  for (int first = 0; first < n; first += cols)
    for (int j = 0; j < cols; j++) {
      mho_real behind = is_last ? 0 : gains * out[first + j];
      out[first + j] = sum[j] + behind + nudge;
    }
  return out;
}

static double floor_into(const mho_network *net, int l) {
  return mho_crossbar_floor(connection_into(net, l)->xb);
}

static mho_real sum_of(const mho_real *v, int n) {
  double sum = 0;
  for (int i = 0; i < n; i++)
    sum += (double)v[i];
  return (mho_real)sum;
}

/* to += factor sum_i v_i in every node of layer l, over what it reads of the layer before it: what
 * cells conduct at g_min. A patch lies in the thread's scratch. */
static void add_floor_forward(const mho_phase *p, int l, double factor, const mho_real *from,
                              mho_real *to) {
  const mho_connection *k = connection_into(p->net, l);
  int inputs = inputs_of(k), cols = k->xb->cols, all = p->n * k->positions;

  for (int i = 0; factor > 0 && i < all; i++) {
    const mho_real *patch = from + (size_t)i * (size_t)inputs;
    if (k->conv.kernel) {
      mho_conv_gather(&k->conv, from, i, 1, 0, inputs, p->thread->scratch, inputs);
      patch = p->thread->scratch;
    }
    mho_real brought = (mho_real)factor * sum_of(patch, inputs);
    for (int j = 0; j < cols; j++)
      to[(size_t)i * (size_t)cols + (size_t)j] += brought;
  }
}

/* The same back: to += factor sum_k v_k in every node of layer l, over what reads it. */
static void add_floor_back(const mho_phase *p, int l, double factor, const mho_real *from,
                           mho_real *to) {
  const mho_connection *k = connection_into(p->net, l + 1);
  int inputs = inputs_of(k), cols = k->xb->cols, all = p->n * k->positions;

  for (int i = 0; factor > 0 && i < all; i++) {
    mho_real brought = (mho_real)factor * sum_of(from + (size_t)i * (size_t)cols, cols);
    mho_real *patch = k->conv.kernel ? p->thread->scratch : to + (size_t)i * (size_t)inputs;
    for (int j = 0; j < inputs; j++)
      patch[j] = k->conv.kernel ? brought : patch[j] + brought;
    if (k->conv.kernel)
      mho_conv_scatter(&k->conv, patch, inputs, i, 1, to);
  }
}

/* What the nodes of layer l drive those behind them with, but for the gain a of all: v, or in the
 * thread's scratch behind what reads use. */
static const mho_real *driven_by(const mho_phase *p, int l, const mho_real *v) {
  const mho_real *gains = mho_resistive_gains(p->net, l);
  mho_real *out = mho__settle_room(p);
  size_t n = (size_t)p->net->layer[l].n;
  if (!gains)
    return v;

  for (size_t i = 0; i < (size_t)p->n; i++)
    for (size_t j = 0; j < n; j++)
      out[i * n + j] = gains[j] * v[i * n + j];
  return out;
}

/* to = or += a sum_i g v_i + b, of v of the layer before: biases are no part of what amplifiers
 * amplify. */
static void read_forward(const mho_phase *p, int l, const mho_real *from, mho_real *to,
                         mho_settle_stats *stats) {
  double a = voltage_into(p->net, l);
  const mho_real *driven = driven_by(p, l - 1, from);
  p->thread->bias_off = (mho_real)(1 - 1 / a);
  mho__link_read(p, link_into(p->net, l), driven, to, (mho_real)a, false, stats);
  p->thread->bias_off = 0;
  add_floor_forward(p, l, a * floor_into(p->net, l), driven, to);
}

/* to += c sum_k g v_k, of v of the layer behind, as if all amplifiers were alike. */
static void read_back_alike(const mho_phase *p, int l, const mho_real *from, mho_real *to,
                            mho_settle_stats *stats) {
  mho_real c = (mho_real)p->net->resistive->current;
  mho__link_read(p, link_back_into(p->net, l), from, to, c, true, stats);
  add_floor_back(p, l, (double)c * floor_into(p->net, l + 1), from, to);
}

/* The same with what amplifiers are, by way of the room behind what reads use. */
static void read_back(const mho_phase *p, int l, const mho_real *from, mho_real *to,
                      mho_settle_stats *stats) {
  const mho_real *currents = mho_resistive_currents(p->net, l);
  mho_real *brought = mho__settle_room(p);
  size_t n = (size_t)p->net->layer[l].n;
  if (!currents) {
    read_back_alike(p, l, from, to, stats);
    return;
  }

  memset(brought, 0, (size_t)p->n * n * sizeof *brought);
  read_back_alike(p, l, from, brought, stats);
  for (size_t i = 0; i < (size_t)p->n; i++)
    for (size_t j = 0; j < n; j++)
      to[i * n + j] += currents[j] * brought[i * n + j];
}

/* a += what the wires bring to the nodes of layer l from others of their own layer, at v. */
static void read_beside(const mho_phase *p, int l, const mho_real *v, mho_real *a) {
  const mho_network *net = p->net;
  int n = net->layer[l].n;
  const mho_real *front = mho__line_sums_joints(connection_into(net, l)->xb, false);
  mho_real gains = (mho_real)(net->resistive->voltage * net->resistive->current);
  if (!front)
    return;

  mho_gemm(false, false, p->n, n, n, 1, v, n, front, n, 1, a, n);
  if (is_output(net, l))
    return;
  const mho_real *behind = mho__line_sums_joints(connection_into(net, l + 1)->xb, true);
  mho_gemm(false, false, p->n, n, n, gains, driven_by(p, l, v), n, behind, n, 1, a, n);
}

/* ---------------------------------------------------------------- rectifiers */

/* The rectifiers of a layer, MHO_RECTIFIER_...: outputs have none. */
static int rectifier_of(const mho_network *net, int l) {
  return is_output(net, l) ? MHO_RECTIFIER_NONE : net->resistive->rectifier;
}

/* A junction in units of the network. */
typedef struct junction {
  double i_s, v_t;
} junction;

static junction junction_of(const mho_network *net) {
  return (junction){.i_s = net->resistive->i_s, .v_t = mho_resistive_n_vt(net)};
}

/* v of a node that a junction from ground keeps up: loads of conductance s, currents n. */
static double node_voltage(const junction *d, double s, double n) {
  double alone = (n - d->i_s) / s;
  double w = mho_lambert_w_exp(log(d->i_s / (s * d->v_t)) - alone / d->v_t);
  return alone + d->v_t * w;
}

/* Its change by a change dn of the currents from where it is v: the same closed form, and two steps
 * of Newton, which make small changes exact. */
static double node_change(const junction *d, double s, double v, double dn) {
  double k = d->i_s * exp(-v / d->v_t), alone = (dn - k) / s;
  double w = k > 0 ? mho_lambert_w_exp(log(k / (s * d->v_t)) - alone / d->v_t) : 0;
  double change = alone + d->v_t * w;

  for (int i = 0; i < 2; i++) {
    double grown = expm1(-change / d->v_t);
    change -= (s * change - dn - k * grown) / (s + k / d->v_t * (grown + 1));
  }
  return change;
}

/* ---------------------------------------------------------------- Kirchhoff's law, watched */

/* A node that is at v under loads s: the current n - s v that is left over. Where a diode brings or
 * takes it there is none too much. The diode then dissipates that current times what v is from the
 * threshold, and the source of the threshold supplies the rest. */
static double current_left(const mho_network *net, int l, int j, double n, double s, double v,
                           double weight, mho_balance *b) {
  mho_node_circuit c = mho_resistive_node(net, l, j);
  double left = n - s * v;
  if (c.side && net->resistive->rectifier == MHO_RECTIFIER_JUNCTION) {
    double from_diode = mho_resistive_junction(net, &c, v);
    b->dissipated -= weight * (v - c.threshold) * from_diode;
    b->supplied += weight * c.threshold * from_diode;
    return left + from_diode;
  }

  bool conducts = c.side && v == c.threshold && c.side * left < 0;
  b->supplied -= conducts ? weight * c.threshold * left : 0;
  return conducts ? 0 : left;
}

/* Currents into the nodes of a layer and what loads them, [n] each, in the thread's scratch. */
typedef struct nodes {
  double *current, *load;
} nodes;

static nodes nodes_of(const mho_phase *p, int l) {
  size_t n = (size_t)p->net->layer[l].n;
  double *room = (double *)(void *)p->thread->scratch;
  memset(room, 0, 2 * n * sizeof *room);
  return (nodes){.current = room, .load = room + n};
}

/* What the conductances in front of layer l bring to its nodes and dissipate; v: voltages. */
static void add_in_front(const mho_chunk *c, int l, double weight, const nodes *to,
                         mho_balance *b) {
  const mho_phase *p = c->phase;
  const mho_connection *k = connection_into(p->net, l);
  const mho_real *w = mho_crossbar_matrix(k->xb), *v = c->now[l];
  const mho_real *from = l == 1 ? mho__values(p->net, p->s->z, 0, p->row0) : c->now[l - 1];
  int cols = k->xb->cols, inputs = inputs_of(k);
  double gain = voltage_into(p->net, l), floor = floor_into(p->net, l);

  for (int position = 0; position < k->positions; position++)
    for (int j = 0; j < cols; j++) {
      int node = position * cols + j;
      double bias = k->bias ? (double)w[inputs * cols + j] : 0, vj = (double)v[node];
      to->current[node] = bias;
      b->supplied += weight * bias * vj;
      for (int i = 0; i < inputs; i++) {
        int unit = mho_connection_unit(k, position, i);
        double g = floor + (double)w[i * cols + j], source = unit < 0 ? 0 : (double)from[unit];
        source *= unit < 0 ? gain : gain * mho_resistive_node(p->net, l - 1, unit).gain;
        to->current[node] += g * source;
        to->load[node] += g;
        b->dissipated += weight * g * (source - vj) * (source - vj);
        b->supplied += l == 1 ? g * source * (source - vj) : 0;
      }
    }
}

/* What the conductances behind layer l bring to its nodes. An amplifier whose gains are x and y
 * times those of all supplies (x - y)/y times the power that it draws from its node beside what
 * those would. */
static void add_behind(const mho_chunk *c, int l, double weight, const nodes *to, mho_balance *b) {
  const mho_network *net = c->phase->net;
  const mho_connection *k = connection_into(net, l + 1);
  const mho_real *w = mho_crossbar_matrix(k->xb), *v = c->now[l + 1], *own = c->now[l];
  int cols = k->xb->cols, inputs = inputs_of(k);
  double a = net->resistive->voltage, back = net->resistive->current;
  double floor = floor_into(net, l + 1);

  for (int position = 0; position < k->positions; position++)
    for (int i = 0; i < inputs; i++) {
      int unit = mho_connection_unit(k, position, i);
      if (unit < 0)
        continue;

      mho_node_circuit circuit = mho_resistive_node(net, l, unit);
      for (int j = 0; j < cols; j++) {
        double g = floor + (double)w[i * cols + j], at = (double)own[unit];
        double brought = back * g * (double)v[position * cols + j],
               load = back * a * circuit.gain * g;
        to->current[unit] += circuit.current * brought;
        to->load[unit] += circuit.current * load;
        b->supplied += weight * (circuit.gain - circuit.current) * at * (load * at - brought);
      }
    }
}

/* The power in conductances that wires bring about between n ends at gain v. */
static double power_between(const mho_real *joints, int n, double gain, const mho_real *v) {
  double power = 0;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < i; k++) {
      double across = gain * ((double)v[i] - (double)v[k]);
      power += (double)joints[i * n + k] * across * across;
    }
  return power;
}

/* What these bring to n nodes at v and load them with, `gains` times. */
static void add_between(const mho_real *joints, int n, double gains, const mho_real *v,
                        const nodes *to) {
  for (int i = 0; i < n; i++)
    for (int k = 0; k < n; k++) {
      double g = gains * (double)joints[i * n + k];
      to->current[i] += g * (double)v[k];
      to->load[i] += g;
    }
}

/* The wires of the crossbars in front of layer l and behind it. */
static void add_wires(const mho_chunk *c, int l, double weight, const nodes *to, mho_balance *b) {
  const mho_phase *p = c->phase;
  const mho_network *net = p->net;
  const mho_crossbar *x = connection_into(net, l)->xb;
  const mho_real *front = mho__line_sums_joints(x, false), *rows = mho__line_sums_joints(x, true);
  const mho_real *from = l == 1 ? mho__values(net, p->s->z, 0, p->row0) : c->now[l - 1];
  double both = net->resistive->voltage * net->resistive->current;
  if (!front)
    return;

  double in_rows = power_between(rows, net->layer[l - 1].n, voltage_into(net, l), from);
  b->dissipated += weight * (in_rows + power_between(front, net->layer[l].n, 1, c->now[l]));
  b->supplied += l == 1 ? in_rows : 0;
  add_between(front, net->layer[l].n, 1, c->now[l], to);
  if (!is_output(net, l))
    add_between(mho__line_sums_joints(connection_into(net, l + 1)->xb, true), net->layer[l].n, both,
                c->now[l], to);
}

/* Currents and powers of the nodes of layer l, of the one sample that is watched. In the balance a
 * layer has the weight (c/a)^(l - 1), 1 without amplifiers. */
static void add_layer(const mho_chunk *c, int l, double weight, mho_balance *b) {
  const mho_network *net = c->phase->net;
  nodes all = nodes_of(c->phase, l);
  add_in_front(c, l, weight, &all, b);
  if (!is_output(net, l))
    add_behind(c, l, weight, &all, b);
  add_wires(c, l, weight, &all, b);

  for (int j = 0; j < net->layer[l].n; j++) {
    double v = (double)c->now[l][j];
    double left = current_left(net, l, j, all.current[j], all.load[j], v, weight, b);
    b->kirchhoff = fmax(b->kirchhoff, fabs(left));
  }
}

static void watched(const mho_chunk *c) {
  const mho_phase *p = c->phase;
  const mho_resistive_config *own = p->net->resistive;
  mho_balance b = {0};
  double weight = 1;
  if (mho_phase_is_nudged(p))
    return;

  for (int l = 1; l < mho_hidden_end(p->net); l++) {
    add_layer(c, l, weight, &b);
    weight *= own->current / own->voltage;
  }
  *mho_vars_exact(p->s->vars, KIRCHHOFF, 0, p->row0) = b.kirchhoff;
  *mho_vars_exact(p->s->vars, DISSIPATED, 0, p->row0) = b.dissipated;
  *mho_vars_exact(p->s->vars, SUPPLIED, 0, p->row0) = b.supplied;
}

/* ---------------------------------------------------------------- a phase */

static bool is_kept(const mho_phase *p) {
  bool is_free = !mho_phase_is_nudged(p);
  return is_free && p->s->vars && p->net->resistive->start == MHO_START_KEPT;
}

/* The samples in a layer of the kept potentials. */
static mho_real *kept_potentials(const mho_phase *p, int l) {
  return mho_vars_real(p->s->vars, POTENTIAL, l, p->row0);
}

static void begin(const mho_phase *p, mho_settle_stats *stats) {
  const mho_network *net = p->net;
  if (is_kept(p) && !p->start && p->thread->step == 0)
    for (int l = 1; l < mho_hidden_end(net); l++)
      memcpy(mho__values(net, p->s->z, l, p->row0), kept_potentials(p, l),
             mho__phase_count(p, l) * sizeof(mho_real));

  if (!mho_phase_is_nudged(p))
    read_forward(p, 1, mho__values(net, p->s->z, 0, p->row0),
                 mho__values(net, p->s->drive, 1, p->row0), stats);
}

/* a += b y, of a conductance b to the targets y. */
static void add_targets(const mho_phase *p, double b, mho_real *a) {
  int outputs = mho_network_classes(p->net);
  mho_targets targets = mho_targets_from(&p->drive.targets, outputs, p->row0);
  for (int s = 0; s < p->n; s++)
    for (int j = 0; j < outputs; j++)
      a[s * outputs + j] += (mho_real)b * mho_target(&targets, outputs, s, j);
}

static bool input(const mho_chunk *c, int l, const mho_real *error, mho_real *a,
                  mho_settle_stats *stats) {
  const mho_phase *p = c->phase;
  const mho_network *net = p->net;

  if (l == 1)
    memcpy(a, mho__values(net, mho_phase_input(p)->drive, 1, p->row0),
           mho__phase_count(p, 1) * sizeof *a);
  else
    read_forward(p, l, c->now[l - 1], a, stats);

  read_beside(p, l, c->now[l], a);
  if (!is_output(net, l))
    read_back(p, l, c->now[l + 1], a, stats);
  else if (p->drive.kind == MHO_DRIVE_HELD)
    mho__add_error(p, l, (mho_real)-p->drive.strength, mho__held_error(p), true, a);
  else if (p->drive.kind == MHO_DRIVE_LIVE)
    add_targets(p, p->drive.strength, a);
  return true;
}

/* n nodes of a layer, from currents to voltages, each as its junction lets it be. A node that
 * nothing is joined to is at 0. */
static void rest_sample(const mho_network *net, int l, const mho_real *loads, mho_real *a) {
  int n = net->layer[l].n;
  junction d = junction_of(net);
  if (rectifier_of(net, l) != MHO_RECTIFIER_JUNCTION) {
    for (int j = 0; j < n; j++)
      a[j] = loads[j] > 0 ? a[j] / loads[j] : 0;
    return;
  }

  for (int j = 0; j < n; j++) {
    mho_node_circuit c = mho_resistive_node(net, l, j);
    double s = (double)loads[j], in = c.side * ((double)a[j] - s * c.threshold);
    a[j] = s > 0 ? (mho_real)(c.threshold + c.side * node_voltage(&d, s, in)) : 0;
  }
}

/* u of a layer becomes v, with ideal diodes that conduct at thresholds of their own. */
static void rectify_at(const mho_network *net, int l, const mho_real *thresholds, mho_real *a) {
  for (int j = 0; j < net->layer[l].n; j++) {
    mho_real side = (mho_real)mho_resistive_side(net, l, j), beyond = side * (a[j] - thresholds[j]);
    a[j] = beyond > 0 ? a[j] : thresholds[j];
  }
}

/* u of a layer becomes v, with ideal diodes. */
static void rectify(const mho_network *net, int l, mho_real *a) {
  int n = net->layer[l].n, channels = net->layer[l].channels, above = channels / 2;
  const mho_real *thresholds = mho_resistive_thresholds(net, l);
  if (thresholds) {
    rectify_at(net, l, thresholds, a);
    return;
  }

  for (mho_real *at = a; at < a + n; at += channels) {
    for (int j = 0; j < above; j++)
      at[j] = at[j] > 0 ? at[j] : 0;
    for (int j = above; j < channels; j++)
      at[j] = at[j] < 0 ? at[j] : 0;
  }
}

/* From the input on layer 1, 3, .. and then the others, or one after another. */
static int turn(const mho_phase *p, int i) {
  int hidden = mho_network_hidden(p->net), odd = (hidden + 1) / 2;
  switch (p->net->resistive->order) {
  case MHO_ORDER_FORWARD:
    return i;
  case MHO_ORDER_BACKWARD:
    return hidden + 1 - i;
  default:
    return i <= odd ? 2 * i - 1 : 2 * (i - odd);
  }
}

/* Keep how far the diodes of layer l are from switching, where the difference finds it: u, of nodes
 * without diodes, less the threshold. */
static void keep_distances(const mho_phase *p, int l, const mho_real *u) {
  mho_real *keep = mho__values(p->net, p->s->keep, l, p->row0);
  const mho_real *thresholds = mho_resistive_thresholds(p->net, l);
  size_t n = (size_t)p->net->layer[l].n, all = mho__phase_count(p, l);
  memcpy(keep, u, all * sizeof *keep);
  for (size_t i = 0; thresholds && i < all; i++)
    keep[i] -= thresholds[i % n];
}

static bool relax(const mho_chunk *c, int l, bool any, mho_real *a) {
  const mho_phase *p = c->phase;
  const mho_network *net = p->net;
  size_t n = (size_t)net->layer[l].n;
  bool is_ideal = rectifier_of(net, l) == MHO_RECTIFIER_IDEAL;
  const mho_real *loads = loads_of(p, l);

  for (int i = 0; i < p->n; i++)
    rest_sample(net, l, loads, a + (size_t)i * n);
  if (p->s->keep)
    keep_distances(p, l, a);
  for (int i = 0; is_ideal && i < p->n; i++)
    rectify(net, l, a + (size_t)i * n);
  return false;
}

static void ended(const mho_phase *p) {
  if (!is_kept(p))
    return;
  for (int l = 1; l < mho_hidden_end(p->net); l++)
    memcpy(kept_potentials(p, l), mho__values(p->net, p->s->z, l, p->row0),
           mho__phase_count(p, l) * sizeof(mho_real));
}

/* ---------------------------------------------------------------- in time */

/* What a step has taken a node beyond the threshold of an ideal diode is within the error that it
 * is allowed: the node is at the threshold. */
static void activities(const mho_phase *p, int l, const double *y, double *z) {
  const mho_network *net = p->net;
  bool is_ideal = rectifier_of(net, l) == MHO_RECTIFIER_IDEAL;
  size_t all = mho__phase_count(p, l);
  int n = net->layer[l].n;

  for (size_t i = 0; i < all; i++) {
    mho_node_circuit c = mho_resistive_node(net, l, (int)(i % (size_t)n));
    bool is_beyond = is_ideal && !(c.side * (y[i] - c.threshold) > 0);
    z[i] = is_beyond ? c.threshold : y[i];
  }
}

/* The current that charges node j, of state y, under loads s and currents n. An ideal diode takes
 * what would lead beyond its threshold. */
static double charging_current(const mho_network *net, int l, int j, double s, double n, double y) {
  mho_node_circuit c = mho_resistive_node(net, l, j);
  double at_threshold = n - s * c.threshold;
  if (net->resistive->rectifier == MHO_RECTIFIER_JUNCTION)
    return n - s * y + mho_resistive_junction(net, &c, y);
  if (c.side == 0 || c.side * (y - c.threshold) > 0)
    return n - s * y;
  return c.side * at_threshold > 0 ? at_threshold : 0;
}

static void rates(const mho_phase *p, int l, const mho_real *a, const double *y, double *f) {
  const mho_real *loads = loads_of(p, l);
  size_t n = (size_t)p->net->layer[l].n, all = mho__phase_count(p, l);
  for (size_t i = 0; i < all; i++) {
    double s = (double)loads[i % n];
    f[i] = s > 0 ? charging_current(p->net, l, (int)(i % n), s, (double)a[i], y[i]) : 0;
  }
}

/* ---------------------------------------------------------------- the same of all samples */

/* The current of a bias into node j of a layer. */
static double bias_into(const mho_network *net, int l, int j) {
  const mho_connection *k = connection_into(net, l);
  int cols = k->xb->cols;
  return k->bias ? (double)mho_crossbar_matrix(k->xb)[inputs_of(k) * cols + j % cols] : 0;
}

/* What the inputs of a sample supply, sum_i x_i^2 sum_j g_ij - sum_j v_j sum_i g_ij x_i.
 * x: [inputs]; loads: their sums of conductances; in: [n] currents into layer 1, with biases. */
static double power_of_inputs(const mho_network *net, const mho_real *loads, const mho_real *x,
                              const mho_real *in, const mho_real *v) {
  const mho_real *rows = mho__line_sums_joints(connection_into(net, 1)->xb, true);
  int inputs = net->layer[0].n;
  double power = 0;
  for (int i = 0; i < inputs; i++)
    power += (double)loads[i] * (double)x[i] * (double)x[i];
  for (int k = 0; rows && k < inputs * inputs; k++)
    power -= (double)rows[k] * (double)x[k / inputs] * (double)x[k % inputs];
  for (int j = 0; j < net->layer[1].n; j++)
    power -= (double)v[j] * ((double)in[j] - bias_into(net, 1, j));
  return power;
}

/* One sample in a layer: currents n into its nodes, which are at v. What conductances dissipate is
 * the sum over their ends of a voltage times the current that leaves it into them. */
static void balance_sample(const mho_network *net, int l, const mho_real *loads, double weight,
                           const mho_real *n, const mho_real *v, mho_balance *b) {
  for (int j = 0; j < net->layer[l].n; j++) {
    double vj = (double)v[j], in = (double)n[j], total = (double)loads[j];
    double brought = bias_into(net, l, j) * vj;
    double left = current_left(net, l, j, in, total, vj, weight, b);
    b->kirchhoff = fmax(b->kirchhoff, fabs(left));
    b->supplied += weight * brought;
    b->dissipated += weight * (vj * (total * vj - in) + brought);
  }
}

/* What the amplifiers of layer l add to both powers where their gains differ, see add_behind. c: of
 * the phase. */
static void balance_amplifiers(const mho_chunk *c, int l, double weight, mho_balance *out,
                               mho_settle_stats *stats) {
  const mho_phase *p = c->phase;
  const mho_network *net = p->net;
  bool are_alike = !mho_resistive_gains(net, l) && !mho_resistive_currents(net, l);
  double both = net->resistive->voltage * net->resistive->current;
  size_t n = (size_t)net->layer[l].n;
  mho_real *brought = mho__settle_room(p), *behind = p->thread->scratch;
  if (are_alike)
    return;

  memset(brought, 0, (size_t)p->n * n * sizeof *brought);
  read_back_alike(p, l, c->now[l + 1], brought, stats);
  find_loads_behind(net, connection_into(net, l + 1), behind);
  for (size_t i = 0; i < (size_t)p->n; i++)
    for (size_t j = 0; j < n; j++) {
      mho_node_circuit own = mho_resistive_node(net, l, (int)j);
      double v = (double)c->now[l][i * n + j];
      double drawn = both * own.gain * (double)behind[j] * v - (double)brought[i * n + j];
      double power = weight * (own.gain - own.current) * v * drawn;
      out[i].supplied += power;
      out[i].dissipated += power;
    }
}

static void balance(const mho_phase *p, mho_balance *out, mho_settle_stats *stats) {
  const mho_network *net = p->net;
  const mho_resistive_config *own = net->resistive;
  const mho_real *x = mho__values(net, p->s->z, 0, p->row0);
  const mho_real *drive = mho__values(net, p->s->drive, 1, p->row0);
  size_t inputs = (size_t)net->layer[0].n, first = (size_t)net->layer[1].n;
  mho_chunk c = {.phase = p};
  double weight = 1;
  for (int l = 1; l < mho_hidden_end(net); l++)
    c.now[l] = mho__values(net, p->s->z, l, p->row0);

  find_loads_behind(net, connection_into(net, 1), p->thread->scratch);
  for (int i = 0; i < p->n; i++) {
    size_t at = (size_t)i;
    double power = power_of_inputs(net, p->thread->scratch, x + at * inputs, drive + at * first,
                                   c.now[1] + at * first);
    out[i] = (mho_balance){.dissipated = power, .supplied = power};
  }

  for (int l = 1; l < mho_hidden_end(net); l++) {
    size_t n = (size_t)net->layer[l].n;
    mho_real *in = mho__values(net, p->s->next, l, p->row0);
    input(&c, l, NULL, in, stats);
    const mho_real *loads = loads_of(p, l);
    for (int i = 0; i < p->n; i++)
      balance_sample(net, l, loads, weight, in + (size_t)i * n, c.now[l] + (size_t)i * n, &out[i]);
    balance_amplifiers(&c, l, weight, out, stats);
    weight *= own->current / own->voltage;
  }
}

/* ---------------------------------------------------------------- the difference */

/* e of n nodes with ideal diodes that keep them at or above 0 (side 1) or at or below (-1), from
 * the currents that changes around them bring. Of u, that they would be at without diodes, in the
 * free phase, and e without, e ends where the diode begins to conduct, or begins where it ceases
 * to. */
static void change_rectified(int n, double side, double nudge, const mho_real *loads,
                             const mho_real *u, mho_real *e) {
#pragma omp simd
  for (int j = 0; j < n; j++) {
    double load = (double)loads[j], free = side * (double)e[j] / load, up = side * (double)u[j];
    double end = up / nudge; /* e at v = 0 */
    double beyond = up > 0 ? 0 : end, limit = up > 0 ? end : 0, moved = free - beyond;
    double least = moved < limit ? moved : limit, most = moved > limit ? moved : limit;
    double changed = side * (nudge > 0 ? least : most);
    e[j] = (mho_real)(load > 0 ? changed : 0);
  }
}

/* The same with junctions, of a layer that is at v. */
static void change_junctions(const mho_network *net, int l, double nudge, const mho_real *loads,
                             const mho_real *v, mho_real *e) {
  junction d = junction_of(net);
  for (int j = 0; j < net->layer[l].n; j++) {
    mho_node_circuit c = mho_resistive_node(net, l, j);
    double load = (double)loads[j], in = -nudge * c.side * (double)e[j];
    double beyond = c.side * ((double)v[j] - c.threshold);
    double change = load > 0 ? node_change(&d, load, beyond, in) : 0;
    e[j] = (mho_real)(c.side * change / -nudge);
  }
}

/* e of a sample in a layer, from the currents that changes around it bring. u, v: [n] of its keep
 * and its state. */
static void change_sample(const mho_phase *p, int l, const mho_real *loads, const mho_real *u,
                          const mho_real *v, mho_real *e) {
  const mho_layer *layer = &p->net->layer[l];
  int channels = layer->channels, above = channels / 2, below = channels - above;
  double nudge = p->drive.strength;

  switch (rectifier_of(p->net, l)) {
  case MHO_RECTIFIER_JUNCTION:
    change_junctions(p->net, l, nudge, loads, v, e);
    break;
  case MHO_RECTIFIER_IDEAL:
    for (int i = 0; i < layer->n; i += channels) {
      int half = i + above;
      change_rectified(above, 1, nudge, loads + i, u + i, e + i);
      change_rectified(below, -1, nudge, loads + half, u + half, e + half);
    }
    break;
  default:
    for (int j = 0; j < layer->n; j++)
      e[j] = loads[j] > 0 ? (mho_real)((double)e[j] / (double)loads[j]) : 0;
  }
}

static bool difference(const mho_phase *p, int l, const bool *fresh, mho_real *const *e,
                       mho_settle_stats *stats) {
  const mho_network *net = p->net;
  size_t n = (size_t)net->layer[l].n;
  mho_real *el = mho__values(net, e, l, p->row0);
  const mho_real *u = mho__values(net, p->s->keep, l, p->row0);
  const mho_real *v = mho__values(net, p->s->z, l, p->row0);

  if (l > 1 && fresh[l - 1])
    read_forward(p, l, mho__values(net, e, l - 1, p->row0), el, stats);
  else
    memset(el, 0, mho__phase_count(p, l) * sizeof *el);
  if (is_output(net, l))
    mho__add_error(p, l, 1, mho__held_error(p), true, el);
  else if (fresh[l + 1])
    read_back(p, l, mho__values(net, e, l + 1, p->row0), el, stats);

  const mho_real *loads = loads_of(p, l);
  for (int i = 0; i < p->n; i++)
    change_sample(p, l, loads, u + (size_t)i * n, v + (size_t)i * n, el + (size_t)i * n);
  return true;
}

/* ---------------------------------------------------------------- the entry */

/* The network XS of Scellier's table 1; of a convolutional one, strides in place of pooling. */
static const mho_default defaults[] = {
    {"network.hidden", "100"},
    {"network.conv", "32x3s2p1 64x3s2p1"},
    {"network.output", "state"},
    {"network.biases", "true"},
    {"network.init", "fan_in"},
    {"feedback.scale", "1"},
    {"settle.free", "4"},
    {"settle.nudged", "4"},
    {"rule.nudge", "1"},
    {"rule.phases", "centred"},
    {"rule.gradient", "normalized"},
    {"update.optimizer", "sgd"},
    {"update.rate", "0.006"},
    {"update.schedule", "step"},
    {"update.step_every", "1"},
    {"update.step_factor", "0.99"},
    {"train.batch", "4"},
    {"train.epochs", "10"},
};

const mho_dynamics mho_dynamics_resistive = {
    .entry = {.abi = MHO_ABI,
              .id = "resistive",
              .title = "nodes between conductances: Kirchhoff's law, with diodes and amplifiers",
              .equation = "sum_i g_ij (a v_i - v_j) + sum_k g_jk c (v_k - a v_j) + b_j = 0, or "
                          "less or more where a diode conducts",
              .source = "Kendall et al., arXiv 2006.01981; Scellier, arXiv 2402.11674",
              MHO_DEFAULTS(defaults),
              .check = mho__resistive_check,
              .idle = mho__resistive_idle},
    .vars = variables,
    .n_vars = MHO_COUNT(variables),
    .begin = begin,
    .input = input,
    .relax = relax,
    .difference = difference,
    .turn = turn,
    .balance = balance,
    .watched = watched,
    .ended = ended,
    .activities = activities,
    .rates = rates,
    .outputs_states = true,
    .resistors = true,
};
