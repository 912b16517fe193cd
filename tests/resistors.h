/* resistors.h - networks of resistors in double precision: gradients by finite differences of the
 * settled loss, and currents, powers and energies of a settle by plain loops over the conductances.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TEST_RESISTORS_H
#define MHO_TEST_RESISTORS_H

#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"

_Static_assert(sizeof(mho_real) == 8, "derivatives to 1e-7 need the double build");

/* Sweeps that bring a network to rest, as far as rounding goes, and derivatives of a connection
 * that are taken; a test may say others before this file. */
#ifndef REST
#define REST 3000
#endif
#ifndef PICKS
#define PICKS 7
#endif
enum { IMAGES = 6 };

#define TEXT(x)   #x
#define NUMBER(x) TEXT(x)

#define NET(text)  "dynamics: resistive\nnetwork: {hidden: " text "}\n"
#define CONV(text) "dynamics: resistive\nnetwork: {topology: conv, conv: " text "}\n"
#define DATA       "dataset: {train: 6, test: 10}\ntrain: {batch: 6}\n"
#define LONG       "settle: {free: " NUMBER(REST) ", nudged: " NUMBER(REST)
#define DIRECT     LONG ", difference: direct}\n"
#define SUBTRACT   LONG ", difference: subtract}\n"
#define UNIT       "array: {read_voltage: 4 V}\n" /* of voltage: 1 V with a gain of 4 */
#define IDEAL      "resistive: {input_gain: 4}\n"
#define JUNCTION   UNIT "resistive: {input_gain: 4, rectifier: junction, n_vt: 200 mV, i_s: 1e-2}\n"
#define SINGLE                                                                                     \
  "device: {model: linear, mapping: single, g_min: 10 uS, g_max: 100 uS, cycle_to_cycle: 0.1}\n"
#define NONE      "resistive: {input_gain: 4, rectifier: none}\n"
#define AMPLIFIED "resistive: {input_gain: 4, amplifier: {voltage: 4, current: 0.25}}\n"
#define LOPSIDED  "resistive: {input_gain: 4, amplifier: {voltage: 4, current: 1}}\n"
#define BOTH                                                                                       \
  UNIT "resistive: {input_gain: 4, rectifier: junction, n_vt: 200 mV, i_s: 1e-2, amplifier: "      \
       "{voltage: 3, current: 0.5}}\n"

#define IN_STEP "# gains of current are in step with those of voltage\n"

/* Every node draws x times the current that others do where it drives x times the voltage. */
static inline void bring_in_step(const mho_network *net) {
  for (int l = 1; l < net->n_trained; l++) {
    const mho_circuit *c = net->layer[l].circuit;
    memcpy(c->current, c->gain, (size_t)net->layer[l].n * sizeof *c->gain);
  }
}

/* A network whose biases are currents of both signs: trained they would be. */
static inline mho_trainer *subject(const char *yaml, mho_experiment **e) {
  char text[2048];
  snprintf(text, sizeof text, "%s%s", yaml, DATA);
  *e = experiment(text);
  mho_trainer *t = trainer(*e);
  const mho_network *net = mho_trainer_network(t);
  if (strstr(yaml, IN_STEP))
    bring_in_step(net);
  for (int c = 0; c < net->n_trained; c++) {
    mho_crossbar *x = net->connection[c].xb;
    for (int j = 0; j < x->cols; j++) {
      double b = 0.05 * sin(7 * j + c);
      mho_crossbar_set(x, (size_t)((x->rows - 1) * x->cols + j), 1, &b);
    }
  }
  return t;
}

/* ---------------------------------------------------------------- the gradient */

static inline double loss_at(mho_trainer *t) {
  mho_images part = mho_trainer_dataset(t)->train;
  mho_evaluation v;
  part.n = IMAGES;
  OK(mho_trainer_evaluate(t, &part, &v, &ei));
  assert_int_equal(v.unsettled, 0);
  return v.loss;
}

static inline double derivative(mho_trainer *t, mho_crossbar *x, size_t i) {
  double h = 1e-6, w = mho__crossbar_programmed(x)[i], plus = w + h, minus = w - h;
  mho_crossbar_set(x, i, 1, &plus);
  double up = loss_at(t);
  mho_crossbar_set(x, i, 1, &minus);
  double down = loss_at(t);
  mho_crossbar_set(x, i, 1, &w);
  return (up - down) / (2 * h);
}

/* A conductance from cell i on that can become smaller; the biases are the last row. */
static inline size_t inside(const mho_crossbar *x, size_t i) {
  size_t biases = (size_t)((x->rows - 1) * x->cols);
  while (i < biases && mho__crossbar_programmed(x)[i] < 1e-3)
    i++;
  return i;
}

/* Largest error of the gradient in any connection, relative to its largest derivative. A nudge to
 * one side leaves an error of its own order. */
static inline double gradient_error(const char *yaml) {
  mho_experiment *e;
  mho_trainer *t = subject(yaml, &e);
  const mho_network *net = mho_trainer_network(t);
  double worst = 0;

  for (int c = 0; c < net->n_trained; c++) {
    mho_crossbar *x = net->connection[c].xb;
    size_t n = (size_t)x->rows * (size_t)x->cols;
    double *g = malloc(n * sizeof *g), error = 0, largest = 0;
    OK(mho_trainer_gradient(t, 0, IMAGES, c, g, &ei));
    for (size_t k = 0; k <= PICKS; k++) {
      size_t i = inside(x, k * (n - 1) / PICKS);
      double d = derivative(t, x, i);
      error = fmax(error, fabs(g[i] - d));
      largest = fmax(largest, fabs(d));
    }
    free(g);
    assert_true(largest > 1e-4);
    worst = fmax(worst, error / largest);
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
  return worst;
}

#define THRESHOLDS "neuron: {variation: {offset: 0.1}}\n"
#define GAINS      "neuron: {variation: {gain: 0.2, offset: 0.1}}\n"
#define CURRENTS   "neuron: {variation: {current: 0.3, gain: 0.2}}\n"
#define DRAWN      "neuron: {variation: {current: 0.3}}\n"

#define RULE(text) "rule: {gradient: normalized, " text "}\n"
#define TINY       RULE("phases: centred, nudge: 1e-6")
#define SIDED      RULE("phases: one_sided, nudge: 1e-6")
#define SMALL      RULE("phases: centred, nudge: 1e-4")

/* A nudge to one side leaves an error of its own order. */
static inline void check_gradient(const char *yaml) {
  double error = gradient_error(yaml);
  print_message("  %.1e of the largest derivative: %s", error, yaml);
  if (!(error < (strstr(yaml, "one_sided") ? 1e-5 : 1e-6)))
    fail_msg("the gradient is %g of the largest derivative off", error);
}

/* The gradient of every connection, [weights]; free it. */
static inline double *gradient_of(const char *yaml, size_t *n) {
  mho_experiment *e;
  mho_trainer *t = subject(yaml, &e);
  const mho_network *net = mho_trainer_network(t);
  double *g = malloc(net->n_weights * sizeof *g);
  *n = 0;
  for (int c = 0; c < net->n_trained; c++) {
    OK(mho_trainer_gradient(t, 0, IMAGES, c, g + *n, &ei));
    *n += mho_crossbar_cells(net->connection[c].xb);
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
  return g;
}

/* What is settled itself is what two states differ by, at any nudge, clamps and all. */
static inline void check_differences(const char *shape) {
  static const char *const nets[] = {IDEAL, JUNCTION,         NONE,       LOPSIDED,
                                     BOTH,  IDEAL THRESHOLDS, BOTH GAINS, LOPSIDED GAINS};
  static const char *const rules[] = {
      RULE("phases: centred, nudge: 0.2"),
      RULE("phases: one_sided, nudge: 5"),
      RULE("phases: centred, nudge: 20, nudge_by: current"),
  };
  for (int i = 0; i < MHO_COUNT(nets) * MHO_COUNT(rules); i++) {
    const char *net = nets[i / MHO_COUNT(rules)], *rule = rules[i % MHO_COUNT(rules)];
    char direct[1024], subtract[1024];
    size_t n;
    snprintf(direct, sizeof direct, "%s%s%s" DIRECT, shape, net, rule);
    snprintf(subtract, sizeof subtract, "%s%s%s" SUBTRACT, shape, net, rule);
    double *a = gradient_of(direct, &n), *b = gradient_of(subtract, &n), largest = 0;
    for (size_t k = 0; k < n; k++)
      largest = fmax(largest, fabs(b[k]));
    assert_true(largest > 1e-3);
    for (size_t k = 0; k < n; k++)
      NEAR(a[k], b[k], 0, 1e-10 * largest);
    free(a);
    free(b);
  }
}

/* ---------------------------------------------------------------- a settle that is watched */

/* A settle that is watched: energies of its sweeps, and what its last state comes to. */
typedef struct watched {
  const mho_network *net;
  double x[200];
  double energy;
  int sweeps, rises;
  double kirchhoff, dissipated, supplied; /* as the core says */
  double left, burnt, brought;            /* by plain loops */
} watched;

static inline double diode_current(const mho_network *net,
                                   double v) { /* into a node that it keeps up */
  const mho_resistive_config *c = net->resistive;
  double unit = net->array.read_voltage / c->input_gain;
  return c->i_s * (exp(-v * unit / c->n_vt) - 1);
}

/* The integral of a diode's current over its voltage, which adds to the energy. */
static inline double co_content(const mho_network *net, double v) {
  const mho_resistive_config *c = net->resistive;
  double unit = net->array.read_voltage / c->input_gain;
  return c->i_s * (c->n_vt / unit * exp(-v * unit / c->n_vt) + v);
}

/* The gains behind node j of a layer, over those of all, and the voltage of its threshold. */
static inline double gain_of(const mho_network *net, int l, int j) {
  const mho_circuit *c = net->layer[l].circuit;
  return l > 0 && c && c->gain ? c->gain[j] : 1;
}
static inline double current_gain_of(const mho_network *net, int l, int j) {
  const mho_circuit *c = net->layer[l].circuit;
  return l > 0 && c && c->current ? c->current[j] : 1;
}
static inline double threshold_of(const mho_network *net, int l, int j) {
  const mho_circuit *c = net->layer[l].circuit;
  return c && c->offset ? c->offset[j] : 0;
}

/* The unit that row `row` of a connection reads at a position; -1: ground beyond the image. */
static inline int unit_of(const mho_connection *k, int position, int row) {
  const mho_conv *g = &k->conv;
  if (!g->kernel)
    return row;

  int per_tap = g->planar ? 1 : g->channels, square = g->kernel * g->kernel;
  int tap = row / per_tap % square, channel = g->planar ? row / square : row % g->channels;
  int y = position / g->out_width * g->stride + tap / g->kernel - g->padding;
  int x = position % g->out_width * g->stride + tap % g->kernel - g->padding;
  if (y < 0 || x < 0 || y >= g->height || x >= g->width)
    return -1;
  int pixel = y * g->width + x, pixels = g->height * g->width;
  return g->planar ? channel * pixels + pixel : pixel * g->channels + channel;
}

/* Currents into all nodes, one layer after the other. */
typedef struct currents {
  double in[MHO_LAYERS_MAX][512];
} currents;

/* What every conductance and bias in front of layer l carries, brings and dissipates. */
static inline void look_in_front(watched *w, const mho_trace_point *p, int l, double weight,
                                 currents *c, double *energy) {
  const mho_resistive_config *own = w->net->resistive;
  const mho_connection *k = &w->net->connection[l - 1];
  const double *g = mho__crossbar_programmed(k->xb), *from = l == 1 ? w->x : p->z[l - 1];
  const double *v = p->z[l], gain = l == 1 ? 1 : own->voltage;
  int cols = k->xb->cols;

  for (int j = 0; j < w->net->layer[l].n; j++) {
    double bias = k->bias ? g[(k->xb->rows - 1) * cols + j % cols] : 0;
    c->in[l][j] += bias;
    *energy -= weight * bias * v[j];
    w->brought += weight * bias * v[j];

    for (int i = 0; i < k->xb->rows - k->bias; i++) {
      int unit = unit_of(k, j / cols, i);
      double at = unit < 0 ? 0 : from[unit], x = unit < 0 ? 1 : gain_of(w->net, l - 1, unit);
      double across = gain * x * at - v[j], h = g[i * cols + j % cols];
      c->in[l][j] += h * across;
      *energy += weight * 0.5 * h * across * across;
      w->burnt += weight * h * across * across;
      w->brought += l == 1 ? h * across * at : 0;
      if (l > 1 && unit >= 0) {
        double before = weight * own->voltage / own->current; /* of layer l - 1 */
        double y = current_gain_of(w->net, l - 1, unit), back = own->current * h * across;
        c->in[l - 1][unit] -= y * back;
        w->brought += before * (x - y) * at * back;
      }
    }
  }
}

/* What is left over at the nodes of layer l beside their rectifiers. */
static inline void look_at_nodes(watched *w, const mho_trace_point *p, int l, double weight,
                                 const currents *c, double *energy) {
  const mho_resistive_config *own = w->net->resistive;
  const mho_layer *layer = &w->net->layer[l];
  const double *v = p->z[l];

  for (int j = 0; j < layer->n; j++) {
    int side = j % layer->channels < layer->channels / 2 ? 1 : -1;
    double current = c->in[l][j];
    if (l == w->net->n_trained || own->rectifier == MHO_RECTIFIER_NONE) {
      w->left = fmax(w->left, fabs(current));
      continue;
    }
    double threshold = threshold_of(w->net, l, j), beyond = v[j] - threshold;
    if (own->rectifier == MHO_RECTIFIER_JUNCTION) {
      double diode = side * diode_current(w->net, side * beyond);
      *energy += weight * co_content(w->net, side * beyond);
      w->burnt -= weight * diode * beyond;
      w->brought += weight * diode * threshold;
      current += diode;
    } else {
      assert_true(side * beyond >= 0 || w->sweeps == 0); /* phases start at 0 */
      bool conducts = beyond == 0 && side * current < 0;
      w->brought -= conducts ? weight * threshold * current : 0;
      current = conducts ? 0 : current;
    }
    w->left = fmax(w->left, fabs(current));
  }
}

/* Energy, and currents left over, of all nodes. */
static inline void look(void *user, const mho_trace_point *p) {
  watched *w = user;
  const mho_network *net = w->net;
  double energy = 0, weight = 1;
  currents c = {{{0}}};
  if (p->phase)
    return;

  w->left = w->burnt = w->brought = 0;
  for (int l = 1; l <= net->n_trained; l++) {
    look_in_front(w, p, l, weight, &c, &energy);
    weight *= net->resistive->current / net->resistive->voltage;
  }
  weight = 1;
  for (int l = 1; l <= net->n_trained; l++) {
    look_at_nodes(w, p, l, weight, &c, &energy);
    weight *= net->resistive->current / net->resistive->voltage;
  }

  bool starts_inside = !net->layer[1].circuit; /* else thresholds are not kept at the start */
  w->rises += w->sweeps > !starts_inside && energy > w->energy * (1 + 1e-14);
  w->sweeps++;
  w->energy = energy;
  w->kirchhoff = *mho_vars_exact(p->vars, 1, 0, 0);
  w->dissipated = *mho_vars_exact(p->vars, 2, 0, 0);
  w->supplied = *mho_vars_exact(p->vars, 3, 0, 0);
}

static inline watched watch(const char *yaml) {
  mho_experiment *e;
  mho_trainer *t = subject(yaml, &e);
  const mho_dataset *d = mho_trainer_dataset(t);
  watched w = {.net = mho_trainer_network(t)};
  mho_watched out;
  uint8_t label;
  mho_images_batch(d, &d->test, NULL, 3, 1, w.x, &label);
  for (int i = 0; i < d->features; i++) {
    w.x[i] *= w.net->resistive->input_gain;
    w.x[d->features + i] = -w.x[i];
  }
  assert_int_equal(w.net->layer[0].n, 2 * d->features);
  OK(mho_trainer_watch(t, &d->test, 3, look, &w, &out, &ei));
  mho_trainer_free(t);
  mho_experiment_free(e);
  return w;
}

/* The energy falls in every sweep, and at rest Kirchhoff's law and the balance of powers hold. */
static inline void check_rest(const char *shape) {
  static const char *const nets[] = {IDEAL,
                                     JUNCTION,
                                     NONE,
                                     AMPLIFIED,
                                     LOPSIDED,
                                     BOTH,
                                     IDEAL THRESHOLDS,
                                     JUNCTION THRESHOLDS,
                                     BOTH GAINS,
                                     LOPSIDED GAINS,
                                     LOPSIDED CURRENTS,
                                     BOTH DRAWN};
  static const char *const orders[] = {"alternate", "forward", "backward"};
  for (int i = 0; i < MHO_COUNT(nets) * MHO_COUNT(orders); i++) {
    char yaml[1024];
    snprintf(yaml, sizeof yaml, "%s%s" RULE("nudge: 0.01") "resistive: {order: %s}\n" SUBTRACT,
             shape, nets[i / MHO_COUNT(orders)], orders[i % MHO_COUNT(orders)]);
    watched w = watch(yaml);
    bool has_energy = !strstr(yaml, "gain: 0.2") && !strstr(yaml, "current: 0.3");
    assert_true(w.sweeps > REST && (w.rises == 0 || !has_energy));
    NEAR(w.left, 0, 0, 1e-12);
    NEAR(w.kirchhoff, 0, 0, 1e-12);
    assert_true(w.burnt > 0.1);
    NEAR(w.burnt, w.brought, 1e-11, 0);
    NEAR(w.dissipated, w.burnt, 1e-12, 0);
    NEAR(w.supplied, w.brought, 1e-12, 0);

    /* after two sweeps there is something left over, and the core says as much */
    snprintf(yaml, sizeof yaml, "%s%s" RULE("nudge: 0.01") "settle: {free: 2, nudged: 1}\n", shape,
             nets[i / MHO_COUNT(orders)]);
    w = watch(yaml);
    assert_true(w.left > 1e-6);
    NEAR(w.kirchhoff, w.left, 1e-9, 0);
    NEAR(w.dissipated, w.burnt, 1e-12, 0);
    assert_true(fabs(w.burnt - w.brought) > 1e-9 * w.burnt);
  }
}

/* Evaluations say the same of test images: the largest current left, powers on average. */
static inline void check_balance(const char *shape) {
  static const char *const nets[] = {IDEAL,      JUNCTION,   NONE,
                                     LOPSIDED,   BOTH,       IDEAL THRESHOLDS,
                                     BOTH GAINS, BOTH DRAWN, LOPSIDED CURRENTS};
  static const char *const sweeps[] = {"settle: {free: 3, nudged: 1}\n", LONG "}\n"};
  for (int i = 0; i < MHO_COUNT(nets) * MHO_COUNT(sweeps); i++) {
    char yaml[1024];
    snprintf(yaml, sizeof yaml, "%s%s" RULE("nudge: 0.01") "%s", shape, nets[i / MHO_COUNT(sweeps)],
             sweeps[i % MHO_COUNT(sweeps)]);
    mho_experiment *e;
    mho_trainer *t = subject(yaml, &e);
    mho_images test = mho_trainer_dataset(t)->test, three = test;
    mho_evaluation all, few;
    three.n = 3;
    test.n = 4;
    OK(mho_trainer_evaluate(t, &three, &few, &ei));
    OK(mho_trainer_evaluate(t, &test, &all, &ei));

    watched w = watch(yaml); /* of image 3 */
    NEAR(4 * all.dissipated - 3 * few.dissipated, w.burnt, 1e-9, 0);
    NEAR(4 * all.supplied - 3 * few.supplied, w.brought, 1e-9, 0);
    NEAR(all.kirchhoff, fmax(few.kirchhoff, w.left), 1e-9, 1e-12);
    if (i % MHO_COUNT(sweeps)) {
      NEAR(all.dissipated, all.supplied, 1e-11, 0);
      assert_true(all.kirchhoff < 1e-11);
    } else {
      assert_true(all.kirchhoff > 1e-6 && all.dissipated != all.supplied);
    }
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
}

/* ---------------------------------------------------------------- training goes on */

static inline double *weights_of(mho_trainer *t, size_t *n) {
  const mho_network *net = mho_trainer_network(t);
  double *w = malloc(net->n_weights * sizeof *w);
  *n = 0;
  for (int c = 0; c < net->n_trained; c++) {
    mho_crossbar *x = net->connection[c].xb;
    memcpy(w + *n, mho__crossbar_programmed(x), mho_crossbar_cells(x) * sizeof *w);
    *n += mho_crossbar_cells(x);
  }
  return w;
}

#define SHORT                                                                                      \
  "dynamics: resistive\nnetwork: {%s}\ndataset: {train: 22, test: 10}\n"                           \
  "train: {batch: 4, epochs: 3, chunk: %d}\nresistive: {start: %s}\nrule: {nudge: 0.1}\n%s"

/* Two epochs, at `load` from a checkpoint on in another trainer, with evaluations between. */
static inline double *trained(const char *shape, const char *start, int chunk, bool load,
                              bool evaluate, const char *more, size_t *n) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml, SHORT, shape, chunk, start, more);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_evaluation v;
  OK(mho_trainer_epoch(t, &row, &ei));
  if (load) {
    mho_checkpoint_row c;
    OK(mho_trainer_save(t, &c, &ei));
    mho_trainer_free(t);
    t = trainer(e);
    OK(mho_trainer_load(t, &c.blob, &ei));
    mho_blob_free(&c.blob);
  }
  if (evaluate)
    OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei));
  OK(mho_trainer_epoch(t, &row, &ei));
  double *w = weights_of(t, n);
  const mho_crossbar *first = mho_trainer_network(t)->connection[0].xb;
  for (int i = 0; i < (first->rows - 1) * first->cols; i++)
    assert_true(w[i] >= 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
  return w;
}

/* ---------------------------------------------------------------- devices */

/* A network of devices is that of the ideal device whose conductances are theirs, g_min and all:
 * gradients, loss, currents and powers. */
static inline void check_devices(const char *shape) {
  static const char *const nets[] = {IDEAL, JUNCTION, LOPSIDED, BOTH};
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    char yaml[2][1024];
    for (int k = 0; k < 2; k++)
      snprintf(yaml[k], sizeof yaml[k], "%s" DATA "%s%s" LONG "}\n%s", shape, nets[i],
               k ? SINGLE : "", RULE("phases: centred, nudge: 0.2"));
    mho_experiment *e[2] = {experiment(yaml[0]), experiment(yaml[1])};
    mho_trainer *t[2] = {trainer(e[0]), trainer(e[1])};
    const mho_network *net[2] = {mho_trainer_network(t[0]), mho_trainer_network(t[1])};
    mho_images test = mho_trainer_dataset(t[0])->test;
    mho_evaluation v[2];

    double unit = mho_crossbar_w_max(net[1]->connection[0].xb) / 90e-6;
    for (int c = 0; c < net[0]->n_trained; c++) {
      const mho_crossbar *x = net[1]->connection[c].xb;
      size_t n = mho_crossbar_cells(x);
      double *g = malloc(n * sizeof *g);
      OK(mho_trainer_conductances(t[1], net[1]->connection[c].name, 0, g, &ei));
      for (size_t j = 0; j < n; j++)
        g[j] *= unit;
      mho_crossbar_set(net[0]->connection[c].xb, 0, n, g);
      free(g);
    }

    for (int k = 0; k < 2; k++)
      OK(mho_trainer_evaluate(t[k], &test, &v[k], &ei));
    NEAR(v[1].loss, v[0].loss, 1e-6, 0);
    NEAR(v[1].dissipated, v[0].dissipated, 1e-6, 0);
    NEAR(v[1].supplied, v[1].dissipated, 1e-11, 0);
    for (int c = 0; c < net[0]->n_trained; c++) {
      size_t n = mho_crossbar_cells(net[0]->connection[c].xb);
      double *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b), largest = 0;
      OK(mho_trainer_gradient(t[0], 0, IMAGES, c, a, &ei));
      OK(mho_trainer_gradient(t[1], 0, IMAGES, c, b, &ei));
      for (size_t j = 0; j < n; j++)
        largest = fmax(largest, fabs(a[j]));
      assert_true(largest > 1e-6);
      for (size_t j = 0; j < n; j++)
        NEAR(b[j], a[j], 0, 2e-6 * largest);
      free(a);
      free(b);
    }
    for (int k = 0; k < 2; k++) {
      mho_trainer_free(t[k]);
      mho_experiment_free(e[k]);
    }
  }
}

/* A config of resistors is refused with a sentence that holds these words. */
static inline void check_refused(const char *more, const char *says) {
  char yaml[512];
  mho_experiment *e = NULL;
  mho_errinfo why = {0};
  snprintf(yaml, sizeof yaml, "dynamics: resistive\n%s", more);

  mho_err err = mho_experiment_of_yaml(registry, yaml, 0, NULL, &e, &why);
  if (err != MHO_ECONFIG || !strstr(why.message, says))
    fail_msg("'%s' says '%s'", more, why.message);
}

#endif
