/* circuit_picture.c - what a picture of a network of resistors draws of it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/resting_circuit.h"
#include "train/trainer.h"

/* A layer while it is chosen what is drawn. Beside its units there is one more behind them, at
 * place n: all that is at 0 V. */
typedef struct column {
  int n;
  double *through; /* [n + 1] sum of |current| */
  double *sorted;  /* [n] the same of units, the largest first */
  int *node;       /* [n + 1] number in the picture, -1: left out */
  int first;       /* number of its first node */
} column;

typedef struct choice {
  const mho_resting_circuit *c;
  mho_circuit_picture *p;
  column column[MHO_LAYERS_MAX];
  double conductances, current; /* of all: how many, and the sum of |current| */
  mho_drawn_branch *candidate;  /* [MHO_DRAWN_NODES x MHO_DRAWN_NODES] between two layers */
  int layer;                    /* that these lead into */
} choice;

/* ---------------------------------------------------------------- nodes */

/* Where the source of a conductance stands in its layer's column. */
static int place_of(const choice *s, const mho_branch *b) {
  const column *from = &s->column[b->layer - 1];
  bool is_grounded = b->from < 0 || (b->layer == 1 && s->c->v[0][b->from] == 0);
  return is_grounded ? from->n : b->from;
}

static void note_branch(void *user, const mho_branch *b) {
  choice *s = user;
  double current = fabs(b->current);
  s->column[b->layer - 1].through[place_of(s, b)] += current;
  s->column[b->layer].through[b->to] += current;
  s->conductances++;
  s->current += current;
}

/* Add the node at a place of layer l to the picture. */
static void add_node(choice *s, int l, int place) {
  mho_circuit_picture *p = s->p;
  const mho_layer *layer = &s->c->net->layer[l];
  bool is_ground = place == layer->n, is_input = l == 0;
  mho_drawn_node node = {.layer = l, .unit = is_ground ? -1 : place, .rectifier = NAN};
  if (!is_ground)
    node.v = s->c->v[l][place];
  if (!is_ground && !is_input) {
    node.bias = s->c->node[l][place].bias;
    node.rectifier = s->c->node[l][place].rectifier;
    node.is_below = mho_resistive_side(s->c->net, l, place) < 0;
  }

  node.row = p->n_nodes - s->column[l].first;
  s->column[l].node[place] = p->n_nodes;
  p->node[p->n_nodes++] = node;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x < y) - (x > y);
}

/* The least of the `most` largest currents, and how many of these are larger than that. */
static double find_limit(const column *x, int most, int *larger) {
  int n = mho_min(most, x->n);
  memcpy(x->sorted, x->through, (size_t)x->n * sizeof *x->sorted);
  qsort(x->sorted, (size_t)x->n, sizeof *x->sorted, by_value);
  *larger = 0;
  while (*larger < n && x->sorted[*larger] > x->sorted[n - 1])
    ++*larger;
  return x->sorted[n - 1];
}

static void choose_nodes(choice *s, int l) {
  column *x = &s->column[l];
  bool has_ground = x->through[x->n] > 0;
  int room = MHO_DRAWN_NODES - has_ground, larger, drawn = 0;
  double limit = find_limit(x, room, &larger);
  int as_large = room - larger; /* that are drawn of those at the limit */
  x->first = s->p->n_nodes;
  for (int i = 0; i <= x->n; i++)
    x->node[i] = -1;

  for (int i = 0; i < x->n; i++) {
    bool is_grounded = l == 0 && s->c->v[0][i] == 0, is_at = x->through[i] == limit;
    bool has_place = x->through[i] > limit || (is_at && as_large > 0);
    if (is_grounded || !has_place)
      continue;
    as_large -= is_at;
    add_node(s, l, i);
    drawn++;
  }
  if (has_ground)
    add_node(s, l, x->n);
  s->p->layer[l].drawn = drawn;
}

/* ---------------------------------------------------------------- conductances */

static void collect(void *user, const mho_branch *b) {
  choice *s = user;
  if (b->layer != s->layer)
    return;
  const column *from = &s->column[b->layer - 1], *to = &s->column[b->layer];
  int a = from->node[place_of(s, b)], z = to->node[b->to];
  if (a < 0 || z < 0)
    return;

  mho_drawn_branch *sum = &s->candidate[(a - from->first) * MHO_DRAWN_NODES + z - to->first];
  sum->from = a;
  sum->to = z;
  sum->g += b->g;
  sum->current += b->current;
}

static int by_strength(const void *a, const void *b) {
  const mho_drawn_branch *x = a, *y = b;
  double p = fabs(x->current), q = fabs(y->current);
  return (p > q) - (p < q);
}

static void choose_branches(choice *s, int l) {
  enum { CANDIDATES = MHO_DRAWN_NODES * MHO_DRAWN_NODES };
  mho_circuit_picture *p = s->p;
  memset(s->candidate, 0, CANDIDATES * sizeof *s->candidate);
  s->layer = l;
  mho__branches_visit(s->c->net, (const double *const *)s->c->v, collect, s);
  qsort(s->candidate, CANDIDATES, sizeof *s->candidate, by_strength);

  for (int i = CANDIDATES - MHO_DRAWN_BRANCHES; i < CANDIDATES; i++) {
    if (!(s->candidate[i].g > 0))
      continue;
    p->branch[p->n_branches++] = s->candidate[i];
    p->share += fabs(s->candidate[i].current) / s->current;
  }
}

/* ---------------------------------------------------------------- the picture */

static bool room_new(choice *s) {
  mho_circuit_picture *p = s->p;
  size_t layers = (size_t)p->n_layers;
  bool has_all = true;
  p->node = mho_alloc(layers * MHO_DRAWN_NODES, sizeof *p->node);
  p->branch = mho_alloc(layers * MHO_DRAWN_BRANCHES, sizeof *p->branch);
  s->candidate = mho_alloc((size_t)MHO_DRAWN_NODES * MHO_DRAWN_NODES, sizeof *s->candidate);

  for (int l = 0; l < p->n_layers; l++) {
    column *x = &s->column[l];
    x->n = s->c->net->layer[l].n;
    x->through = mho_alloc((size_t)x->n + 1, sizeof *x->through);
    x->sorted = mho_alloc((size_t)x->n, sizeof *x->sorted);
    x->node = mho_alloc((size_t)x->n + 1, sizeof *x->node);
    has_all = has_all && x->through && x->sorted && x->node;
  }
  return has_all && p->node && p->branch && s->candidate;
}

static void fill(choice *s) {
  mho_circuit_picture *p = s->p;
  mho__branches_visit(s->c->net, (const double *const *)s->c->v, note_branch, s);
  s->current = s->current > 0 ? s->current : 1;
  p->conductances = s->conductances;
  for (int l = 0; l < p->n_layers; l++)
    choose_nodes(s, l);
  for (int l = 1; l < p->n_layers; l++)
    choose_branches(s, l);
}

mho_err mho__circuit_picture_new(const mho_resting_circuit *c, mho_circuit_picture *out,
                                 mho_errinfo *ei) {
  const mho_network *net = c->net;
  const mho_resistive_config *own = net->resistive;
  choice s = {.c = c, .p = out};
  *out = (mho_circuit_picture){.sample = c->sample,
                               .label = c->watched.label,
                               .volts = net->array.read_voltage / own->input_gain,
                               .amplifiers = own->voltage != 1 || own->current != 1,
                               .n_layers = mho_hidden_end(net)};
  for (int l = 0; l < out->n_layers; l++) {
    snprintf(out->layer[l].name, sizeof out->layer[l].name, "%s", net->layer[l].name);
    out->layer[l].units = net->layer[l].n;
  }

  bool has_room = room_new(&s);
  if (has_room)
    fill(&s);
  for (int l = 0; l < out->n_layers; l++) {
    mho_free(s.column[l].through);
    mho_free(s.column[l].sorted);
    mho_free(s.column[l].node);
  }
  mho_free(s.candidate);
  if (has_room)
    return MHO_OK;
  mho__circuit_picture_free(out);
  return mho_fail(ei, MHO_ENOMEM, "no memory for the picture of a circuit");
}

void mho__circuit_picture_free(mho_circuit_picture *p) {
  mho_free(p->node);
  mho_free(p->branch);
  *p = (mho_circuit_picture){0};
}

void mho__circuit_picture_describe(const mho_circuit_picture *p, char *out, size_t n) {
  bool has_ground = false, is_whole = true;
  snprintf(out, n, "Sample %d", p->sample);
  if (p->label >= 0)
    mho_text_append(out, n, " (class %d)", p->label);
  mho_text_append(out, n,
                  " at rest: voltages and currents in units of the network (of voltage %.4g V). "
                  "Currents toward the outputs are orange, back from them blue, the wider the "
                  "larger, and numbers stand at the strongest; arrows are currents of biases, and "
                  "diodes that conduct are orange.",
                  p->volts);
  if (p->amplifiers)
    mho_text_append(out, n, " What leads out of a node is driven by its amplifier.");

  for (int i = 0; i < p->n_nodes; i++)
    has_ground = has_ground || p->node[i].unit < 0;
  for (int l = 1; l < p->n_layers; l++)
    is_whole = is_whole && p->layer[l].drawn == p->layer[l].units;
  if (has_ground)
    mho_text_append(out, n, " All that is at 0 V in front of a layer is drawn as one ground.");
  if (is_whole && p->share > 1 - 1e-9) {
    mho_text_append(out, n, " Nothing that carries current is left out.");
    return;
  }

  mho_text_append(out, n, " Drawn are the nodes with the largest currents:");
  for (int l = 0; l < p->n_layers; l++)
    mho_text_append(out, n, "%s %d of %d %s%s", l ? "," : "", p->layer[l].drawn, p->layer[l].units,
                    l ? "in " : "inputs", l ? p->layer[l].name : "");
  mho_text_append(out, n,
                  ", and the strongest lines between them, %d, of a circuit of %.0f conductances; "
                  "they carry %.3g %% of all current.",
                  p->n_branches, p->conductances, 100 * p->share);
}

/* ---------------------------------------------------------------- what is kept */

static void print_number(FILE *out, double v) {
  if (isfinite(v))
    fprintf(out, "%.7g", v);
  else
    fputs("null", out);
}

static void print_picture(const mho_circuit_picture *p, FILE *out) {
  fprintf(out, "{\"sample\":%d,\"volts\":%.7g,\"amplifiers\":%d,\"conductances\":%.0f,", p->sample,
          p->volts, p->amplifiers, p->conductances);
  if (p->label >= 0)
    fprintf(out, "\"label\":%d,", p->label);
  fprintf(out, "\"share\":%.7g,\"layer\":[", p->share);
  for (int l = 0; l < p->n_layers; l++)
    fprintf(out, "%s{\"name\":\"%s\",\"units\":%d,\"drawn\":%d}", l ? "," : "", p->layer[l].name,
            p->layer[l].units, p->layer[l].drawn);

  fputs("],\"node\":[", out);
  for (int i = 0; i < p->n_nodes; i++) {
    const mho_drawn_node *x = &p->node[i];
    fprintf(out, "%s[%d,%d,%d,%.7g,%.7g,", i ? "," : "", x->layer, x->unit, x->row, x->v, x->bias);
    print_number(out, x->rectifier);
    fprintf(out, ",%d]", x->is_below);
  }

  fputs("],\"branch\":[", out);
  for (int i = 0; i < p->n_branches; i++) {
    const mho_drawn_branch *b = &p->branch[i];
    fprintf(out, "%s[%d,%d,%.7g,%.7g]", i ? "," : "", b->from, b->to, b->g, b->current);
  }
  fputs("]}\n", out);
}

static mho_err write_picture(const mho_circuit_picture *p, mho_store *s, const char *run_id,
                             mho_errinfo *ei) {
  char *text = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&text, &n);
  if (!out)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the picture of a circuit");

  print_picture(p, out);
  bool is_whole = !ferror(out);
  is_whole = !fclose(out) && is_whole;
  mho_err err = MHO_OK;
  if (is_whole)
    err = mho_store_artifact(s, run_id, "circuit", "test", text, n, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the picture of a circuit");
  free(text);
  return err;
}

mho_err mho__circuit_picture_store(mho_trainer *t, mho_store *s, const char *run_id,
                                   mho_errinfo *ei) {
  mho_resting_circuit c;
  mho_circuit_picture p;
  if (!t->net->resistive || t->net->wired)
    return MHO_OK;

  mho_err err = mho__resting_circuit_new(t, &t->data.test, 0, false, &c, ei);
  if (err)
    return err;
  err = mho__circuit_picture_new(&c, &p, ei);
  if (!err)
    err = write_picture(&p, s, run_id, ei);
  mho__circuit_picture_free(&p);
  mho__resting_circuit_free(&c);
  return err;
}
