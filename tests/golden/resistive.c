/* Networks of resistors in double precision: the gradient against finite differences of the settled
 * loss, differences settled themselves against two states, Kirchhoff's law and the power balance
 * against plain loops, the fall of the energy, nudges, checkpoints, chunks, and what is refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"

_Static_assert(sizeof(mho_real) == 8, "derivatives to 1e-7 need the double build");

enum { IMAGES = 6, PICKS = 7 };

#define NET(text) "dynamics: resistive\nnetwork: {hidden: " text "}\n"
#define DATA      "dataset: {train: 6, test: 10}\ntrain: {batch: 6}\n"
#define LONG      "settle: {free: 3000, nudged: 3000"
#define DIRECT    LONG ", difference: direct}\n"
#define SUBTRACT  LONG ", difference: subtract}\n"
#define UNIT      "array: {read_voltage: 4 V}\n" /* of voltage: 1 V with a gain of 4 */
#define IDEAL     "resistive: {input_gain: 4}\n"
#define JUNCTION  UNIT "resistive: {input_gain: 4, rectifier: junction, n_vt: 200 mV, i_s: 1e-2}\n"
#define SINGLE                                                                                     \
  "device: {model: linear, mapping: single, g_min: 10 uS, g_max: 100 uS, cycle_to_cycle: 0.1}\n"
#define NONE      "resistive: {input_gain: 4, rectifier: none}\n"
#define AMPLIFIED "resistive: {input_gain: 4, amplifier: {voltage: 4, current: 0.25}}\n"
#define LOPSIDED  "resistive: {input_gain: 4, amplifier: {voltage: 4, current: 1}}\n"
#define BOTH                                                                                       \
  UNIT "resistive: {input_gain: 4, rectifier: junction, n_vt: 200 mV, i_s: 1e-2, amplifier: "      \
       "{voltage: 3, current: 0.5}}\n"

/* A network whose biases are currents of both signs: trained they would be. */
static mho_trainer *subject(const char *yaml, mho_experiment **e) {
  char text[2048];
  snprintf(text, sizeof text, "%s%s", yaml, DATA);
  *e = experiment(text);
  mho_trainer *t = trainer(*e);
  const mho_network *net = mho_trainer_network(t);
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

static double loss_at(mho_trainer *t) {
  mho_images part = mho_trainer_dataset(t)->train;
  mho_evaluation v;
  part.n = IMAGES;
  OK(mho_trainer_evaluate(t, &part, &v, &ei));
  assert_int_equal(v.unsettled, 0);
  return v.loss;
}

static double derivative(mho_trainer *t, mho_crossbar *x, size_t i) {
  double h = 1e-6, w = mho__crossbar_programmed(x)[i], plus = w + h, minus = w - h;
  mho_crossbar_set(x, i, 1, &plus);
  double up = loss_at(t);
  mho_crossbar_set(x, i, 1, &minus);
  double down = loss_at(t);
  mho_crossbar_set(x, i, 1, &w);
  return (up - down) / (2 * h);
}

/* A conductance from cell i on that can become smaller; the biases are the last row. */
static size_t inside(const mho_crossbar *x, size_t i) {
  size_t biases = (size_t)((x->rows - 1) * x->cols);
  while (i < biases && mho__crossbar_programmed(x)[i] < 1e-3)
    i++;
  return i;
}

/* Largest error of the gradient in any connection, relative to its largest derivative. A nudge to
 * one side leaves an error of its own order. */
static double gradient_error(const char *yaml) {
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

#define RULE(text) "rule: {gradient: normalized, " text "}\n"
#define TINY       RULE("phases: centred, nudge: 1e-6")
#define SIDED      RULE("phases: one_sided, nudge: 1e-6")
#define SMALL      RULE("phases: centred, nudge: 1e-4")

static void test_gradient(void **state) {
  static const char *const nets[] = {
      NET("[14]") IDEAL DIRECT TINY,
      NET("[14]") IDEAL SUBTRACT SMALL,
      NET("[12, 10]") IDEAL DIRECT TINY,
      NET("[12, 10, 8]") IDEAL DIRECT TINY,
      NET("[12, 10]") NONE DIRECT TINY,
      NET("[12, 10]") JUNCTION DIRECT TINY,
      NET("[12, 10]") JUNCTION SUBTRACT SMALL,
      NET("[12, 10]") AMPLIFIED DIRECT TINY,
      NET("[12, 10]") LOPSIDED DIRECT TINY,
      NET("[12, 10]") LOPSIDED SUBTRACT SMALL,
      NET("[12, 10]") BOTH DIRECT TINY,
      NET("[12, 10]") IDEAL DIRECT SIDED,
      NET("[12, 10]") BOTH DIRECT SIDED,
      NET("[12, 10]") IDEAL DIRECT RULE("phases: centred, nudge: 1e-6, nudge_by: current"),
      NET("[12, 10]") BOTH SUBTRACT RULE("phases: centred, nudge: 1e-4, nudge_by: current"),
  };
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    double error = gradient_error(nets[i]);
    print_message("  %.1e of the largest derivative: %s", error, nets[i]);
    if (!(error < (strstr(nets[i], "one_sided") ? 1e-5 : 1e-6)))
      fail_msg("the gradient is %g of the largest derivative off", error);
  }
}

/* ---------------------------------------------------------------- differences */

/* The gradient of every connection, [weights]; free it. */
static double *gradient_of(const char *yaml, size_t *n) {
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
static void test_differences(void **state) {
  static const char *const nets[] = {IDEAL, JUNCTION, NONE, LOPSIDED, BOTH};
  static const char *const rules[] = {
      RULE("phases: centred, nudge: 0.2"),
      RULE("phases: one_sided, nudge: 5"),
      RULE("phases: centred, nudge: 20, nudge_by: current"),
  };
  for (int i = 0; i < MHO_COUNT(nets) * MHO_COUNT(rules); i++) {
    const char *net = nets[i / MHO_COUNT(rules)], *rule = rules[i % MHO_COUNT(rules)];
    char direct[1024], subtract[1024];
    size_t n;
    snprintf(direct, sizeof direct, NET("[12, 10]") "%s%s" DIRECT, net, rule);
    snprintf(subtract, sizeof subtract, NET("[12, 10]") "%s%s" SUBTRACT, net, rule);
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

/* ---------------------------------------------------------------- Kirchhoff's law and energy */

/* A settle that is watched: energies of its sweeps, and what its last state comes to. */
typedef struct watched {
  const mho_network *net;
  double x[200];
  double energy;
  int sweeps, rises;
  double kirchhoff, dissipated, supplied; /* as the core says */
  double left, burnt, brought;            /* by plain loops */
} watched;

static double diode_current(const mho_network *net, double v) { /* into a node that it keeps up */
  const mho_resistive_config *c = net->resistive;
  double unit = net->array.read_voltage / c->input_gain;
  return c->i_s * (exp(-v * unit / c->n_vt) - 1);
}

/* The integral of a diode's current over its voltage, which adds to the energy. */
static double co_content(const mho_network *net, double v) {
  const mho_resistive_config *c = net->resistive;
  double unit = net->array.read_voltage / c->input_gain;
  return c->i_s * (c->n_vt / unit * exp(-v * unit / c->n_vt) + v);
}

/* Energy, and currents left over, of all nodes. */
static void look(void *user, const mho_trace_point *p) {
  watched *w = user;
  const mho_network *net = w->net;
  const mho_resistive_config *own = net->resistive;
  int layers = net->n_trained;
  double energy = 0, weight = 1;
  if (p->phase)
    return;

  w->left = w->burnt = w->brought = 0;
  for (int l = 1; l <= layers; l++) {
    const mho_crossbar *x = net->connection[l - 1].xb;
    const double *g = mho__crossbar_programmed(x), *from = l == 1 ? w->x : p->z[l - 1];
    const double *v = p->z[l], gain = l == 1 ? 1 : own->voltage;
    int n = x->cols;

    for (int j = 0; j < n; j++) {
      double bias = g[(x->rows - 1) * n + j], current = bias;
      energy -= weight * bias * v[j];
      w->brought += weight * bias * v[j];
      for (int i = 0; i < x->rows - 1; i++) {
        double across = gain * from[i] - v[j];
        current += g[i * n + j] * across;
        energy += weight * 0.5 * g[i * n + j] * across * across;
        w->burnt += weight * g[i * n + j] * across * across;
        w->brought += l == 1 ? g[i * n + j] * across * from[i] : 0;
      }
      if (l < layers) {
        const mho_crossbar *y = net->connection[l].xb;
        const double *h = mho__crossbar_programmed(y) + j * y->cols;
        for (int k = 0; k < y->cols; k++)
          current += own->current * h[k] * (p->z[l + 1][k] - own->voltage * v[j]);
        int side = j < n / 2 ? 1 : -1;
        if (own->rectifier == MHO_RECTIFIER_JUNCTION) {
          double diode = side * diode_current(net, side * v[j]);
          energy += weight * co_content(net, side * v[j]);
          w->burnt -= weight * diode * v[j];
          current += diode;
        } else if (own->rectifier == MHO_RECTIFIER_IDEAL) {
          assert_true(side * v[j] >= 0);
          current = v[j] == 0 && side * current < 0 ? 0 : current;
        }
      }
      w->left = fmax(w->left, fabs(current));
    }
    weight *= own->current / own->voltage;
  }

  w->rises += w->sweeps > 0 && energy > w->energy * (1 + 1e-14);
  w->sweeps++;
  w->energy = energy;
  w->kirchhoff = *mho_vars_exact(p->vars, 1, 0, 0);
  w->dissipated = *mho_vars_exact(p->vars, 2, 0, 0);
  w->supplied = *mho_vars_exact(p->vars, 3, 0, 0);
}

static watched watch(const char *yaml) {
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

static void test_energy_falls_to_rest(void **state) {
  static const char *const nets[] = {IDEAL, JUNCTION, NONE, AMPLIFIED, LOPSIDED, BOTH};
  static const char *const orders[] = {"alternate", "forward", "backward"};
  for (int i = 0; i < MHO_COUNT(nets) * MHO_COUNT(orders); i++) {
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             NET("[12, 10, 8]") "%s" RULE("nudge: 0.01") "resistive: {order: %s}\n" SUBTRACT,
             nets[i / MHO_COUNT(orders)], orders[i % MHO_COUNT(orders)]);
    watched w = watch(yaml);
    assert_true(w.sweeps > 3000 && w.rises == 0);
    NEAR(w.left, 0, 0, 1e-12);
    NEAR(w.kirchhoff, 0, 0, 1e-12);
    assert_true(w.burnt > 0.1);
    NEAR(w.burnt, w.brought, 1e-11, 0);
    NEAR(w.dissipated, w.burnt, 1e-12, 0);
    NEAR(w.supplied, w.brought, 1e-12, 0);

    /* after two sweeps there is something left over, and the core says as much */
    snprintf(yaml, sizeof yaml,
             NET("[12, 10, 8]") "%s" RULE("nudge: 0.01") "settle: {free: 2, nudged: 1}\n",
             nets[i / MHO_COUNT(orders)]);
    w = watch(yaml);
    assert_true(w.left > 1e-6);
    NEAR(w.kirchhoff, w.left, 1e-9, 0);
    NEAR(w.dissipated, w.burnt, 1e-12, 0);
    assert_true(fabs(w.burnt - w.brought) > 1e-9 * w.burnt);
  }
}

/* Evaluations say the same of test images: the largest current left, powers on average. */
static void test_balance_of_evaluations(void **state) {
  static const char *const nets[] = {IDEAL, JUNCTION, NONE, LOPSIDED, BOTH};
  static const char *const sweeps[] = {"settle: {free: 3, nudged: 1}\n", LONG "}\n"};
  for (int i = 0; i < MHO_COUNT(nets) * MHO_COUNT(sweeps); i++) {
    char yaml[1024];
    snprintf(yaml, sizeof yaml, NET("[12, 10]") "%s" RULE("nudge: 0.01") "%s",
             nets[i / MHO_COUNT(sweeps)], sweeps[i % MHO_COUNT(sweeps)]);
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

static double *weights_of(mho_trainer *t, size_t *n) {
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
  "dynamics: resistive\nnetwork: {hidden: [12]}\ndataset: {train: 22, test: 10}\n"                 \
  "train: {batch: 4, epochs: 3, chunk: %d}\nresistive: {start: %s}\nrule: {nudge: 0.1}\n%s"

/* Two epochs, at `load` from a checkpoint on in another trainer, with evaluations between. */
static double *trained(const char *start, int chunk, bool load, bool evaluate, const char *more,
                       size_t *n) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml, SHORT, chunk, start, more);
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
  for (size_t i = 0; i < (size_t)(128 * 12); i++)
    assert_true(w[i] >= 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
  return w;
}

/* Neither checkpoints nor evaluations nor the size of chunks change a bit; where phases start
 * does. */
static void test_kept_states(void **state) {
  static const char *const starts[] = {"kept", "zero"};
  double *first = NULL;
  for (int i = 0; i < 2; i++) {
    size_t n;
    double *plain = trained(starts[i], 4, false, false, "", &n);
    double *others[] = {trained(starts[i], 4, true, false, "", &n),
                        trained(starts[i], 4, false, true, "", &n),
                        trained(starts[i], 4, true, true, "", &n)};
    for (int k = 0; k < MHO_COUNT(others); k++) {
      assert_memory_equal(plain, others[k], n * sizeof *plain);
      free(others[k]);
    }
    double *cut = trained(starts[i], 1, false, false, "", &n);
    for (size_t k = 0; k < n; k++)
      NEAR(cut[k], plain[k], 0, 1e-14);
    free(cut);
    if (first)
      assert_memory_not_equal(plain, first, n * sizeof *plain);
    free(first);
    first = plain;
  }
  free(first);
}

/* ---------------------------------------------------------------- devices */

/* A network of devices is that of the ideal device whose conductances are theirs, g_min and all:
 * gradients, loss, currents and powers. */
static void test_devices_are_conductances(void **state) {
  static const char *const nets[] = {IDEAL, JUNCTION, LOPSIDED, BOTH};
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    char yaml[2][1024];
    for (int k = 0; k < 2; k++)
      snprintf(yaml[k], sizeof yaml[k], NET("[12, 10], biases: false") DATA "%s%s" LONG "}\n%s",
               nets[i], k ? SINGLE : "", RULE("phases: centred, nudge: 0.2"));
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

/* Conductances of all layers have one unit. Schemes pulse them; a checkpoint goes on with the same
 * bits. */
static void test_devices_learn(void **state) {
  static const char *const schemes[] = {
      "accumulate}",
      "stochastic}",
      "write_verify}",
      "tiki_taka, gamma: 0, fast_mapping: differential}",
  };
  for (int i = 0; i < MHO_COUNT(schemes); i++) {
    char more[512];
    size_t n;
    snprintf(more, sizeof more,
             SINGLE "network: {biases: false}\nupdate: {rate: 0.05, scheme: %s\n", schemes[i]);
    double *plain = trained("kept", 4, false, false, more, &n);
    double *loaded = trained("kept", 4, true, true, more, &n);
    assert_memory_equal(plain, loaded, n * sizeof *plain);
    free(plain);
    free(loaded);
  }
}

/* ---------------------------------------------------------------- the negative nudge */

static void test_negative_nudge(void **state) {
  mho_experiment *e = experiment("dynamics: resistive\nrule: {nudge: 50}\n"
                                 "dataset: {train: 8, test: 8}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  assert_int_equal(mho_trainer_epoch(t, &row, &ei), MHO_EDIVERGED);
  assert_non_null(strstr(ei.message, "rule.nudge: an output whose conductances add up to"));
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* A node that nothing is joined to is at 0, and learns no worse than others. */
static void test_node_alone(void **state) {
  mho_experiment *e = experiment(NET("[6]") "dataset: {train: 8, test: 8}\n");
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);
  mho_evaluation v;
  double zero = 0;
  for (int i = 0; i < 128; i++)
    mho_crossbar_set(net->connection[0].xb, (size_t)(i * 6 + 2), 1, &zero);
  for (int j = 0; j < 10; j++)
    mho_crossbar_set(net->connection[1].xb, (size_t)(2 * 10 + j), 1, &zero);
  OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei));
  assert_true(isfinite(v.loss));
  for (int i = 0; i < 8; i++)
    assert_true(mho_trainer_state(t)->z[1][i * 6 + 2] == 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- what is refused */

static void test_refused(void **state) {
  static const struct {
    const char *yaml, *says;
  } cases[] = {
      {"rule: bp\n", "rule.name: 'bp' does not learn"},
      {"rule: perturb\n", "network.output: rule.name 'perturb'"},
      {"network: {topology: residual}\n", "network.topology: dynamics.name 'resistive'"},
      {"network: {output: softmax}\n", "network.output: with dynamics.name"},
      {"network: {forward_scale: 2}\n", "network.forward_scale: dynamics.name"},
      {"feedback: {scale: 0.5}\n", "feedback.scale: with dynamics.name"},
      {"feedback: {mode: asymmetric}\n", "feedback.mode: with dynamics.name"},
      {"settle: {method: synchronous}\n", "settle.method: dynamics.name 'resistive'"},
      {"settle: {method: ode}\n", "settle.method: "},
      {"device: linear\n", "device.mapping: a conductance between"},
      {SINGLE, "network.biases: currents into nodes"},
      {SINGLE "network: {biases: false}\narray: {wire: {r_bit: 1 ohm}}\n",
       "array.wire.r_word: dyn"},
      {SINGLE "network: {biases: false}\nupdate: {scheme: tiki_taka, gamma: 0.1, fast_mapping: "
              "differential}\n",
       "update.gamma: a fast array holds"},
      {"array: {read_noise: 0.01}\n", "array.model: nodes of"},
      {"array: {wire: {r_word: 1 ohm}}\n", "array.wire.r_word: dynamics.name"},
      {"update: {scheme: tiki_taka, variant: v1}\n", "update.scheme: "},
      {"rule: {phases: points}\n", "rule.phases: points are not"},
      {"rule: {error: live}\n", "rule.error: with dynamics.name"},
      {"rule: {adaptation: 0.1, adaptation_steps: -1}\n", "rule.adaptation: nodes of"},
      {"rule: {importance: local}\n", "rule.importance: nodes of"},
      {"rule: {readout: nudged}\n", "rule.readout: of outputs"},
      {"observe: {cosine: true}\n", "dynamics.name: section observe"},
  };
  for (int i = 0; i < MHO_COUNT(cases); i++) {
    char yaml[512];
    mho_experiment *e = NULL;
    mho_errinfo why = {0};
    snprintf(yaml, sizeof yaml, "dynamics: resistive\n%s", cases[i].yaml);
    mho_err err = mho_experiment_of_yaml(registry, yaml, 0, NULL, &e, &why);
    if (err != MHO_ECONFIG || !strstr(why.message, cases[i].says))
      fail_msg("'%s' says '%s'", cases[i].yaml, why.message);
  }
}

/* ---------------------------------------------------------------- Lambert's function */

static void test_lambert(void **state) {
  for (double z = -60; z < 1e6; z += 0.37 + fabs(z) / 7) {
    double w = mho_lambert_w_exp(z);
    NEAR(w + log(w), z, 4e-16, 4e-16);
  }
  NEAR(mho_lambert_w_exp(0), 0.56714329040978387, 2e-16, 0);
  NEAR(mho_lambert_w_exp(1), 1, 2e-16, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lambert),
      cmocka_unit_test(test_gradient),
      cmocka_unit_test(test_differences),
      cmocka_unit_test(test_energy_falls_to_rest),
      cmocka_unit_test(test_balance_of_evaluations),
      cmocka_unit_test(test_kept_states),
      cmocka_unit_test(test_devices_are_conductances),
      cmocka_unit_test(test_devices_learn),
      cmocka_unit_test(test_negative_nudge),
      cmocka_unit_test(test_node_alone),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
