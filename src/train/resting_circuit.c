/* resting_circuit.c - one sample's free phase in a network of resistors, and its tables.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/resting_circuit.h"

#include <math.h>
#include <string.h>

#include "train/trainer.h"

/* The last moment of the free phase stays: later ones are of nudged phases. */
static void take_point(void *user, const mho_trace_point *p) {
  mho_resting_circuit *c = user;
  if (p->phase != 0)
    return;
  for (int l = 1; l < mho_hidden_end(c->net); l++)
    memcpy(c->v[l], p->z[l], (size_t)c->net->layer[l].n * sizeof *c->v[l]);
}

/* What a settler that shows no way to rest has left: nudged phases have states of their own. */
static void take_state(mho_resting_circuit *c, const mho_state *free_state) {
  for (int l = 1; l < mho_hidden_end(c->net); l++)
    for (int i = 0; i < c->net->layer[l].n; i++)
      c->v[l][i] = (double)free_state->z[l][i];
}

static mho_err room_new(mho_resting_circuit *c, mho_errinfo *ei) {
  bool has_all = true;
  for (int l = 0; l < mho_hidden_end(c->net); l++) {
    size_t n = (size_t)c->net->layer[l].n;
    c->v[l] = mho_alloc(n, sizeof *c->v[l]);
    c->node[l] = mho_alloc(n, sizeof *c->node[l]);
    has_all = has_all && c->v[l] && c->node[l];
  }
  return has_all ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for the voltages of a sample");
}

mho_err mho__resting_circuit_new(mho_trainer *t, const mho_images *images, int sample, bool learn,
                                 mho_resting_circuit *out, mho_errinfo *ei) {
  *out = (mho_resting_circuit){.net = t->net, .sample = sample};
  if (!t->net->resistive)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "only a network of resistors is a circuit of nodes: --set dynamics=resistive");

  if (t->net->wired)
    return mho_fail(
        ei, MHO_EUNSUPPORTED,
        "--circuit: with wires (array.wire.r_word) conductances are between inner nodes "
        "of lines, which are not shown: leave it out");

  mho_err err = room_new(out, ei);
  if (!err)
    err = mho__trainer_watch(t, images, sample, learn, take_point, out, &out->watched, ei);
  if (err) {
    mho__resting_circuit_free(out);
    return err;
  }

  const mho_settler *settler = t->learner->settler;
  if (!settler->in_turn && !settler->in_time)
    take_state(out, t->learner->state[0]);
  for (int i = 0; i < t->net->layer[0].n; i++)
    out->v[0][i] = (double)t->learner->state[0]->z[0][i];
  mho__node_currents(t->net, (const double *const *)out->v, out->node);
  return MHO_OK;
}

void mho__resting_circuit_free(mho_resting_circuit *c) {
  for (int l = 0; l < MHO_LAYERS_MAX; l++) {
    mho_free(c->v[l]);
    mho_free(c->node[l]);
  }
  *c = (mho_resting_circuit){0};
}

/* ---------------------------------------------------------------- tables */

void mho__resting_circuit_print_nodes(const mho_resting_circuit *c, FILE *out) {
  const mho_network *net = c->net;
  fputs("node,voltage,front,behind,bias,rectifier,left\n", out);
  for (int i = 0; i < net->layer[0].n; i++)
    fprintf(out, "%s.%d,%.10g,,,,,\n", net->layer[0].name, i, c->v[0][i]);

  for (int l = 1; l < mho_hidden_end(net); l++)
    for (int j = 0; j < net->layer[l].n; j++) {
      const mho_node_currents *of = &c->node[l][j];
      fprintf(out, "%s.%d,%.10g,%.10g,%.10g,%.10g,", net->layer[l].name, j, c->v[l][j], of->front,
              of->behind, of->bias);
      if (isfinite(of->rectifier))
        fprintf(out, "%.10g", of->rectifier);
      fprintf(out, ",%.10g\n", mho__node_current_left(of));
    }
}

/* A table under way. */
typedef struct table {
  const mho_network *net;
  FILE *out;
} table;

static void print_branch(void *user, const mho_branch *b) {
  const table *t = user;
  const char *from = t->net->layer[b->layer - 1].name, *to = t->net->layer[b->layer].name;
  if (b->from < 0)
    fprintf(t->out, "ground,");
  else
    fprintf(t->out, "%s.%d,", from, b->from);
  fprintf(t->out, "%s.%d,%.10g,%.10g,%.10g\n", to, b->to, b->g, b->current / b->g, b->current);
}

void mho__resting_circuit_print_branches(const mho_resting_circuit *c, FILE *out) {
  table t = {c->net, out};
  fputs("from,to,conductance,voltage,current\n", out);
  mho__branches_visit(c->net, (const double *const *)c->v, print_branch, &t);
}
