/* resistor_branches.c - a network of resistors at its voltages: currents of conductances and nodes
 * (Kirchhoff's law: src/dynamics/resistive.c).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "network/resistor_branches.h"

#include <math.h>
#include <string.h>

static const mho_connection *connection_into(const mho_network *net, int l) {
  return &net->connection[net->link[net->layer[l].forward].connection];
}

/* ---------------------------------------------------------------- conductances */

/* What unit i of a layer drives the conductances behind it with; -1 is ground. */
static double driven_by(const mho_network *net, int l, int i, const double *v) {
  double gain = l > 0 ? net->resistive->voltage : 1;
  return i < 0 ? 0 : gain * mho_resistive_node(net, l, i).gain * v[i];
}

void mho__branches_visit(const mho_network *net, const double *const *v,
                         void (*seen)(void *user, const mho_branch *b), void *user) {
  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_connection *k = connection_into(net, l);
    const mho_real *w = mho_crossbar_matrix(k->xb);
    double floor = mho_crossbar_floor(k->xb);
    int cols = k->xb->cols, inputs = k->xb->rows - k->bias;

    for (int to = 0; to < net->layer[l].n; to++)
      for (int i = 0; i < inputs; i++) {
        mho_branch b = {.layer = l, .to = to, .from = mho_connection_unit(k, to / cols, i)};
        b.g = floor + (double)w[i * cols + to % cols];
        b.current = b.g * (driven_by(net, l - 1, b.from, v[l - 1]) - v[l][to]);
        if (b.g > 0)
          seen(user, &b);
      }
  }
}

/* ---------------------------------------------------------------- nodes */

/* Nodes whose currents are summed up. */
typedef struct sums {
  const mho_network *net;
  mho_node_currents *const *node;
} sums;

/* How much of the current behind its amplifier a node gives. */
static double given_by(const mho_network *net, int l, int i) {
  return net->resistive->current * mho_resistive_node(net, l, i).current;
}

static void add_branch(void *user, const mho_branch *b) {
  const sums *s = user;
  int before = b->layer - 1;
  s->node[b->layer][b->to].front += b->current;
  if (before > 0 && b->from >= 0)
    s->node[before][b->from].behind -= given_by(s->net, before, b->from) * b->current;
}

/* What the diode of a node at v brings, where all else brings `others`. */
static double rectifier_current(const mho_network *net, int l, int j, double v, double others) {
  mho_node_circuit c = mho_resistive_node(net, l, j);
  if (!c.side)
    return NAN;
  if (net->resistive->rectifier == MHO_RECTIFIER_JUNCTION)
    return mho_resistive_junction(net, &c, v);

  bool conducts = v == c.threshold && c.side * others < 0;
  return conducts ? -others : 0;
}

void mho__node_currents(const mho_network *net, const double *const *v,
                        mho_node_currents *const *out) {
  sums s = {net, out};
  for (int l = 1; l < mho_hidden_end(net); l++)
    memset(out[l], 0, (size_t)net->layer[l].n * sizeof **out);
  mho__branches_visit(net, v, add_branch, &s);

  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_connection *k = connection_into(net, l);
    int cols = k->xb->cols, inputs = k->xb->rows - k->bias;
    const mho_real *bias = mho_crossbar_matrix(k->xb) + (size_t)inputs * (size_t)cols;
    for (int j = 0; j < net->layer[l].n; j++) {
      mho_node_currents *c = &out[l][j];
      c->bias = k->bias ? (double)bias[j % cols] : 0;
      c->rectifier = rectifier_current(net, l, j, v[l][j], c->front + c->behind + c->bias);
    }
  }
}

double mho__node_current_left(const mho_node_currents *c) {
  double rectifier = isfinite(c->rectifier) ? c->rectifier : 0;
  return c->front + c->behind + c->bias + rectifier;
}
