/* Networks of resistors whose lines have resistance, in double precision: voltages and power at
 * rest against dense algebra on all inner nodes of all lines, the fall of the energy, and what is
 * learned against finite differences.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "resistors.h"

#define BARE(text)  "dynamics: resistive\nnetwork: {hidden: " text ", biases: false}\n"
#define WIRES(more) "array: {wire: {r_word: 150 ohm, r_bit: 90 ohm, tolerance: 1e-12" more "}}\n"

/* ---------------------------------------------------------------- all nodes, densely */

/* Equations of all nodes of lines and layers. */
typedef struct circuit {
  const mho_network *net;
  int n;         /* nodes */
  double *a, *b; /* [n x n] currents out of the nodes by their voltages, [n] and into them */
  int first[MHO_LAYERS_MAX];
  int tile_rows, tile_cols;
  double r_word, r_bit, unit; /* unit: S of a conductance of 1 */
} circuit;

/* An end: a node times a gain, or a source (node -1) of so many volts. */
typedef struct end {
  int node;
  double gain;  /* of the node's voltage */
  double back;  /* of the current that is drawn from the node */
  double volts; /* of a source */
} end;

static void join(circuit *c, double g, end p, end q) {
  const end both[2] = {p, q};
  for (int k = 0; k < 2; k++) {
    const end *at = &both[k], *other = &both[1 - k];
    if (at->node < 0)
      continue;
    double *row = c->a + (size_t)at->node * (size_t)c->n;
    row[at->node] += at->back * g * at->gain;
    if (other->node >= 0)
      row[other->node] -= at->back * g * other->gain;
    else
      c->b[at->node] += at->back * g * other->volts;
  }
}

static end node_of(int node) {
  return (end){.node = node, .gain = 1, .back = 1};
}

/* What a row of the crossbar into layer l is driven by. */
static end driver(const circuit *c, int l, int i, const double *x) {
  if (l == 1)
    return (end){.node = -1, .volts = x[i]};
  return (end){.node = c->first[l - 1] + i,
               .gain = c->net->resistive->voltage,
               .back = c->net->resistive->current};
}

/* The lines and devices into layer l; *next: the first node that is free. */
static void add_crossbar(circuit *c, int l, const double *x, int *next) {
  const mho_crossbar *xb = c->net->connection[l - 1].xb;
  double range = xb->bank[0]->config.g_max - xb->bank[0]->config.g_min;
  for (int i0 = 0; i0 < xb->rows; i0 += c->tile_rows)
    for (int j0 = 0; j0 < xb->cols; j0 += c->tile_cols) {
      int rows = mho_min(c->tile_rows, xb->rows - i0), cols = mho_min(c->tile_cols, xb->cols - j0);
      int word = *next, bit = *next + rows * cols;
      *next += 2 * rows * cols;
      for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++) {
          int k = i * cols + j, cell = (i0 + i) * xb->cols + j0 + j;
          double g = xb->bank[0]->config.g_min + range * (double)mho_crossbar_shown(xb, 0)[cell];
          end left = j ? node_of(word + k - 1) : driver(c, l, i0 + i, x);
          end below = node_of(i + 1 < rows ? bit + k + cols : c->first[l] + j0 + j);
          join(c, 1 / (c->r_word * c->unit), left, node_of(word + k));
          join(c, 1 / (c->r_bit * c->unit), node_of(bit + k), below);
          join(c, g / c->unit, node_of(word + k), node_of(bit + k));
        }
    }
}

/* Gauss: a is lost, b becomes the solution. Rows are in an order that needs no pivots: currents of
 * resistors. */
static void solve(size_t n, double *a, double *b) {
  for (size_t k = 0; k < n; k++)
    for (size_t i = k + 1; i < n; i++) {
      double f = a[i * n + k] / a[k * n + k];
      if (f == 0)
        continue;
      for (size_t j = k; j < n; j++)
        a[i * n + j] -= f * a[k * n + j];
      b[i] -= f * b[k];
    }
  for (size_t k = n; k-- > 0;) {
    for (size_t j = k + 1; j < n; j++)
      b[k] -= a[k * n + j] * b[j];
    b[k] /= a[k * n + k];
  }
}

/* ---------------------------------------------------------------- what the core settles to */

typedef struct rest {
  const mho_network *net;
  double v[MHO_LAYERS_MAX][64], dissipated, supplied, kirchhoff, last;
  bool falls;
} rest;

static void take_rest(void *user, const mho_trace_point *p) {
  rest *r = user;
  if (p->phase != 0)
    return;
  for (int l = 1; l < mho_hidden_end(r->net); l++)
    memcpy(r->v[l], p->z[l], (size_t)r->net->layer[l].n * sizeof(double));
  if (p->step == 0)
    return;

  r->kirchhoff = mho_vars_exact(p->vars, mho_vars_find(p->vars, "kirchhoff"), 0, 0)[0];
  r->dissipated = mho_vars_exact(p->vars, mho_vars_find(p->vars, "dissipated"), 0, 0)[0];
  r->supplied = mho_vars_exact(p->vars, mho_vars_find(p->vars, "supplied"), 0, 0)[0];
  r->falls = r->falls && r->dissipated <= r->last * (1 + 1e-12);
  r->last = r->dissipated;
}

/* Nodes that the core has at 0 by their diodes are held there; the current that this takes must be
 * one that a diode brings. */
static void check(const char *yaml, int tile_rows, int tile_cols, bool falls) {
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  rest r = {.net = mho_trainer_network(t), .last = INFINITY, .falls = true};
  mho_watched w;
  OK(mho_trainer_watch(t, &mho_trainer_dataset(t)->train, 0, take_rest, &r, &w, &ei));
  circuit c = {.net = r.net, .tile_rows = tile_rows, .tile_cols = tile_cols};
  const mho_device_config *d = &r.net->connection[0].xb->bank[0]->config;
  c.unit = (d->g_max - d->g_min) / mho_crossbar_w_max(r.net->connection[0].xb);
  c.r_word = 150;
  c.r_bit = 90;

  int next = 0, layers = mho_hidden_end(r.net), held = 0;
  for (int l = 1; l < layers; l++)
    c.n += 2 * r.net->connection[l - 1].xb->rows * r.net->connection[l - 1].xb->cols;
  for (int l = 1; l < layers; l++) {
    c.first[l] = c.n;
    c.n += r.net->layer[l].n;
  }
  size_t n = (size_t)c.n;
  c.a = calloc(n * n, sizeof *c.a);
  c.b = calloc(n, sizeof *c.b);
  for (int l = 1; l < layers; l++)
    add_crossbar(&c, l, mho_trainer_state(t)->z[0], &next);

  double *all = malloc(n * n * sizeof *all), *into = malloc(n * sizeof *into);
  memcpy(all, c.a, n * n * sizeof *all);
  memcpy(into, c.b, n * sizeof *into);
  for (int l = 1; l < layers - 1; l++)
    for (int j = 0; j < r.net->layer[l].n; j++)
      if (r.v[l][j] == 0) {
        size_t k = (size_t)(c.first[l] + j);
        memset(c.a + k * n, 0, n * sizeof *c.a);
        c.a[k * n + k] = 1;
        c.b[k] = 0;
        held++;
      }
  solve(n, c.a, c.b);

  double worst = 0, most = 0;
  for (int l = 1; l < layers; l++)
    for (int j = 0; j < r.net->layer[l].n; j++) {
      size_t k = (size_t)(c.first[l] + j);
      double left = into[k];
      for (size_t i = 0; i < n; i++)
        left -= all[k * n + i] * c.b[i];
      worst = fmax(worst, fabs(c.b[k] - r.v[l][j]));
      most = fmax(most, fabs(r.v[l][j]));
      if (l < layers - 1 && r.v[l][j] == 0)
        assert_true(j < r.net->layer[l].n / 2 ? left <= 0 : left >= 0);
    }

  print_message("  %d nodes, %d held by diodes: off by %.1e of %.3g, Kirchhoff %.1e, power %.12g, "
                "supplied %.12g\n",
                c.n, held, worst, most, r.kirchhoff, r.dissipated, r.supplied);
  assert_true(worst < 1e-9 * most && most > 0.01);
  NEAR(r.dissipated, r.supplied, 1e-8, 0);
  assert_true(r.falls || !falls);

  /* What is dissipated is what sources and diodes bring: diodes at 0 V bring nothing. */
  mho_images one = mho_trainer_dataset(t)->train;
  mho_evaluation v;
  one.n = 1;
  OK(mho_trainer_evaluate(t, &one, &v, &ei));
  NEAR(v.dissipated, r.dissipated, 1e-8, 0);
  NEAR(v.supplied, r.supplied, 1e-8, 0);
  if (r.net->resistive->voltage == 1 && r.net->resistive->current == 1) {
    double power = 0;
    const double *x = mho_trainer_state(t)->z[0];
    int rows = r.net->connection[0].xb->rows, cols = r.net->connection[0].xb->cols, at = 0;
    for (int i0 = 0; i0 < rows; i0 += tile_rows)
      for (int j0 = 0; j0 < cols; j0 += tile_cols) {
        int m = mho_min(tile_rows, rows - i0), width = mho_min(tile_cols, cols - j0);
        for (int i = 0; i < m; i++)
          power += x[i0 + i] * (x[i0 + i] - c.b[at + i * width]) / (c.r_word * c.unit);
        at += 2 * m * width;
      }
    NEAR(r.supplied, power, 1e-8, 0);
  }

  free(c.a);
  free(c.b);
  free(all);
  free(into);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void test_rest(void **state) {
  check(BARE("[4]") SINGLE DATA SUBTRACT NONE WIRES(""), 128, 128, true);
  check(BARE("[4]") SINGLE DATA SUBTRACT IDEAL WIRES(""), 128, 128, true);
  check(BARE("[4, 4]") SINGLE DATA SUBTRACT IDEAL WIRES(", tile: [50, 3]"), 50, 3, true);
  check(BARE("[4, 4]") SINGLE DATA SUBTRACT LOPSIDED WIRES(""), 128, 128, false);
}

/* ---------------------------------------------------------------- what is learned */

/* Largest difference between what devices learn and the derivative of the loss by their
 * conductances, over the largest of all. */
static double error_of_gradient(double ohm) {
  char yaml[2048];
  snprintf(yaml, sizeof yaml,
           "%sarray: {wire: {r_word: %g ohm, r_bit: %g ohm, tolerance: 1e-12}}\n",
           BARE("[6]") SINGLE DATA NONE SUBTRACT SMALL, ohm, ohm);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_network *net = (mho_network *)(uintptr_t)mho_trainer_network(t);
  double worst = 0, largest = 0;
  for (int c = 0; c < net->n_trained; c++) {
    mho_crossbar *x = net->connection[c].xb;
    double *g = malloc(mho_crossbar_cells(x) * sizeof *g);
    OK(mho_trainer_gradient(t, 0, IMAGES, c, g, &ei));
    for (size_t i = 5; i < mho_crossbar_cells(x); i += mho_crossbar_cells(x) / 5) {
      double w = mho__crossbar_programmed(x)[i], loss[2];
      for (int k = 0; k < 2; k++) {
        double moved = w + (k ? 1e-3 : -1e-3);
        mho_crossbar_set(x, i, 1, &moved);
        mho_network_refresh(net, 0, true);
        loss[k] = loss_at(t);
      }
      mho_crossbar_set(x, i, 1, &w);
      mho_network_refresh(net, 0, true);
      worst = fmax(worst, fabs(g[i] - (loss[1] - loss[0]) / 2e-3));
    }
    for (size_t i = 0; i < mho_crossbar_cells(x); i++)
      largest = fmax(largest, fabs(g[i]));
    free(g);
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
  return worst / largest;
}

/* Learned is from voltages of nodes, not of devices: the error goes with the resistance. */
static void test_gradient(void **state) {
  double one = error_of_gradient(0.1), ten = error_of_gradient(1), more = error_of_gradient(100);
  print_message("  %.2e, %.2e and %.2e of the largest derivative, 0.1, 1 and 100 ohm\n", one, ten,
                more);
  assert_true(one < 1e-2 && ten > 5 * one && ten < 15 * one);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rest),
      cmocka_unit_test(test_gradient),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
