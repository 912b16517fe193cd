/* Networks of resistors in continuous time, in double precision: nodes that charge against closed
 * forms and plain integration, the rest against block descent, what is left over against plain
 * loops, gradients, checkpoints, energy, and what is refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define REST 3000
#include "resistors.h"

#define TIME   "settle: {method: ode, tolerance: 1e-10, accuracy: 1e-12, limit: 5000}\n"
#define BORDER CONV("[4x3s2p1, 6x2]")

/* ---------------------------------------------------------------- one node */

enum { POINTS = 20000 };

/* A node of a watched settle, over the time constants of all. */
typedef struct course {
  int layer, node, n;
  double tau, t[POINTS], v[POINTS];
  int phase[POINTS];
} course;

static void take_point(void *user, const mho_trace_point *p) {
  course *c = user;
  assert_true(c->n < POINTS);
  c->t[c->n] = p->time / c->tau;
  c->v[c->n] = p->z[c->layer][c->node];
  c->phase[c->n++] = p->phase;
}

#define LONE                                                                                       \
  NET("[4]")                                                                                       \
  "train: {batch: 1}\ndataset: {train: 4, test: 4}\n"                                              \
  "settle: {method: ode, tau: 20 ns, tolerance: 1e-9, accuracy: 1e-10}\n"

/* Of the first two nodes, which are kept at or above 0, one is pulled up and one down, and so are
 * the others. */
static double bias_of(int node) {
  return node % 2 ? -8 : 8;
}

/* The course of a node of a network whose outputs are joined with nothing but their targets, so
 * that every hidden node charges by itself: loads s, currents in of sample 0. */
static void watch_alone(const char *more, course *c, double *s, double *in, double *target) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml, LONE "%s", more);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);
  const mho_dataset *d = mho_trainer_dataset(t);
  const mho_crossbar *x = net->connection[0].xb;
  double pixels[64], zero = 0;
  uint8_t label;
  mho_watched out;
  for (size_t i = 0; i < 40; i++)
    mho_crossbar_set(net->connection[1].xb, i, 1, &zero);
  for (int j = 0; j < 4; j++) {
    double bias = bias_of(j);
    mho_crossbar_set(net->connection[0].xb, (size_t)(128 * 4 + j), 1, &bias);
  }
  mho_images_batch(d, &d->train, NULL, 0, 1, pixels, &label);

  const double *g = mho__crossbar_programmed(x);
  *s = 0;
  *in = bias_of(c->node);
  for (int i = 0; i < 128; i++) {
    double at = net->resistive->input_gain * (i < 64 ? pixels[i] : -pixels[i - 64]);
    *s += g[i * 4 + c->node];
    *in += g[i * 4 + c->node] * at;
  }
  *target = c->node == label;
  const mho_circuit *k = net->layer[1].circuit;
  c->tau = 20e-9 * (c->layer == 1 && k && k->tau ? k->tau[c->node] : 1);
  OK(mho_trainer_watch(t, &d->train, 0, take_point, c, &out, &ei));
  assert_true(c->n > 10 && !out.unsettled);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* C dv/dt = N - s v from 0 is v = N/s (1 - e^(-s t/C)), where no diode holds the node at 0. */
static void test_charges(void **state) {
  static const char *const spreads[] = {"", "neuron: {variation: {tau: 0.3}}\n"};
  for (int i = 0; i < 8; i++) {
    course c = {.layer = 1, .node = i % 4};
    char more[256];
    double s, in, target;
    snprintf(more, sizeof more, IDEAL RULE("phases: one_sided") "%s", spreads[i / 4]);
    watch_alone(more, &c, &s, &in, &target);
    bool is_held = c.node < 2 ? in < 0 : in > 0;
    assert_true(is_held == (c.node == 1 || c.node == 2));
    for (int k = 0; k < c.n; k++)
      if (c.phase[k] == 0)
        NEAR(c.v[k], is_held ? 0 : -in / s * expm1(-s * c.t[k]), 0, 1e-8 * fabs(in / s));
    print_message("  node %d of loads %.3g: %s\n", c.node, s, is_held ? "held" : "charged");
  }
}

/* The same with a junction, by a plain Runge-Kutta method of steps of its own. */
static void test_charges_beside_a_junction(void **state) {
  double v_t = 0.2, i_s = 0.01; /* with a unit of 1 V */
  for (int node = 0; node < 4; node++) {
    course c = {.layer = 1, .node = node};
    double s, in, target, v = 0, t = 0, side = node < 2 ? 1 : -1;
    watch_alone(JUNCTION RULE("phases: one_sided"), &c, &s, &in, &target);
    for (int k = 0; k < c.n && c.phase[k] == 0; k++) {
      int steps = 1 + (int)((c.t[k] - t) * s * 2000);
      double h = (c.t[k] - t) / steps, rate[4], at = v;
      for (int i = 0; i < steps; i++) {
        for (int j = 0; j < 4; j++) {
          double u = j == 0 ? at : at + h * rate[j - 1] * (j == 3 ? 1 : 0.5);
          rate[j] = in - s * u + side * i_s * (exp(-side * u / v_t) - 1);
        }
        at += h / 6 * (rate[0] + 2 * rate[1] + 2 * rate[2] + rate[3]);
      }
      v = at;
      t = c.t[k];
      NEAR(c.v[k], v, 0, 1e-7 * fabs(in / s));
    }
  }
}

/* An output that is joined with its target alone, by a conductance that is there at once, or
 * comes on within T: v = y (1 - e^(-b t)), y (1 - e^(-b t^2/2T)). */
static void test_nudge_comes_on(void **state) {
  const double nudge = 0.5, T = 3;
  for (int i = 0; i < 20; i++) {
    course c = {.layer = 2, .node = i % 10};
    char more[512];
    bool is_ramp = i >= 10;
    double s, in, target, start = -1;
    snprintf(more, sizeof more, IDEAL "%s%s", RULE("phases: one_sided, nudge: 0.5"),
             is_ramp ? "settle: {nudge_shape: ramp, nudge_time: 3}\n" : "");
    watch_alone(more, &c, &s, &in, &target);
    for (int k = 0; k < c.n; k++) {
      if (c.phase[k] == 0)
        assert_true(c.v[k] == 0);
      start = c.phase[k] && start < 0 ? c.t[k] : start;
      double t = c.t[k] - start, grown = t < T ? t * t / (2 * T) : t - T / 2;
      if (c.phase[k])
        NEAR(c.v[k], -target * expm1(-nudge * (is_ramp ? grown : t)), 0, 1e-7);
    }
  }
}

/* ---------------------------------------------------------------- rest */

static const char *const nets[] = {
    NET("[12, 10, 8]") IDEAL,
    NET("[12, 10]") JUNCTION,
    NET("[12, 10]") NONE,
    NET("[12, 10]") AMPLIFIED,
    NET("[12, 10]") LOPSIDED,
    NET("[12, 10]") BOTH,
    NET("[12, 10]") IDEAL THRESHOLDS,
    NET("[12, 10]") BOTH GAINS,
    BORDER IDEAL,
    BORDER JUNCTION,
    BORDER LOPSIDED GAINS,
    NET("[12, 10]") BOTH CURRENTS,
    NET("[12, 10]") IDEAL "neuron: {variation: {tau: 0.5}}\n",
};

#define DEVICES NET("[12, 10], biases: false") IDEAL SINGLE DATA

/* The last state of every phase. */
typedef struct ends {
  const mho_network *net;
  double v[3][MHO_LAYERS_MAX][512];
} ends;

static void take_end(void *user, const mho_trace_point *p) {
  ends *to = user;
  assert_true(p->phase < 3);
  for (int l = 1; l < mho_hidden_end(to->net); l++)
    memcpy(to->v[p->phase][l], p->z[l], (size_t)to->net->layer[l].n * sizeof(double));
}

static void find_ends(const char *yaml, ends *to, mho_watched *out, int *widths) {
  mho_experiment *e;
  mho_trainer *t = NULL;
  if (strstr(yaml, "biases: false")) {
    e = experiment(yaml);
    t = trainer(e);
  } else {
    t = subject(yaml, &e);
  }
  to->net = mho_trainer_network(t);
  OK(mho_trainer_watch(t, &mho_trainer_dataset(t)->train, 2, take_end, to, out, &ei));
  memset(widths, 0, MHO_LAYERS_MAX * sizeof *widths);
  for (int l = 1; l < mho_hidden_end(to->net); l++)
    widths[l] = to->net->layer[l].n;
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* Free and nudged states are those that block descent ends in. */
static void check_ends(const char *net, const char *rule) {
  char yaml[1024];
  ends of[2] = {{NULL}};
  int widths[MHO_LAYERS_MAX];
  double worst = 0;
  for (int k = 0; k < 2; k++) {
    mho_watched out;
    const char *own = strstr(net, "settle: ");
    int length = own && !k ? (int)(own - net) : (int)strlen(net);
    snprintf(yaml, sizeof yaml, "%.*s%s%s", length, net, rule, k ? TIME : SUBTRACT);
    find_ends(yaml, &of[k], &out, widths);
    if (k && (out.unsettled || !(out.time_s > 0)))
      fail_msg("%s%s: %d unsettled after %g s", net, rule, out.unsettled, out.time_s);
  }
  for (int phase = 0; phase < 3; phase++)
    for (int l = 1; widths[l]; l++) {
      double largest = 0, apart = 0;
      for (int j = 0; j < widths[l]; j++) {
        largest = fmax(largest, fabs(of[0].v[phase][l][j]));
        apart = fmax(apart, fabs(of[1].v[phase][l][j] - of[0].v[phase][l][j]));
      }
      worst = fmax(worst, apart / largest);
      assert_true(largest > 0);
    }
  print_message("  %.1e of the largest voltage: %s", worst, net);
  if (!(worst < 1e-6))
    fail_msg("%s%s ends %.1e from block descent", net, rule, worst);
}

static void test_ends_at_rest(void **state) {
  static const char *const rules[] = {
      RULE("phases: centred, nudge: 0.2"),
      RULE("phases: centred, nudge: 0.2, nudge_by: current"),
  };
  for (int i = 0; i < MHO_COUNT(nets); i++)
    check_ends(nets[i], rules[i % 2]);
  check_ends(nets[0], RULE("phases: centred, nudge: 0.2, nudge_by: current"));
  check_ends(DEVICES, rules[0]);
}

/* Steppers that know nothing of diodes step over where they switch, and end at the same rest. */
static void test_steppers(void **state) {
  static const char *const steppers[] = {"rk4", "rkck", "rk8pd", "msadams"};
  for (int i = 0; i < MHO_COUNT(steppers); i++) {
    char net[512];
    snprintf(net, sizeof net, NET("[12, 10]") IDEAL THRESHOLDS "settle: {stepper: %s}\n",
             steppers[i]);
    check_ends(net, RULE("phases: centred, nudge: 0.2"));
  }
}

/* What an evaluation says of the rest it ends in: what is left over is below the tolerance, and
 * powers are those of plain loops. */
static void test_currents(void **state) {
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    char yaml[1024];
    snprintf(yaml, sizeof yaml, "%s" RULE("nudge: 0.01") TIME, nets[i]);
    watched w = watch(yaml);
    assert_true(w.left < 1e-9);
    NEAR(w.kirchhoff, w.left, 1e-3, 1e-12);
    NEAR(w.dissipated, w.burnt, 1e-11, 0);
    NEAR(w.supplied, w.brought, 1e-11, 0);
    NEAR(w.burnt, w.brought, 1e-8, 0);

    /* long before */
    snprintf(yaml, sizeof yaml, "%s" RULE("nudge: 0.01") "settle: {method: ode, read_free: 0.2}\n",
             nets[i]);
    w = watch(yaml);
    assert_true(w.left > 1e-6);
    NEAR(w.kirchhoff, w.left, 1e-9, 0);
    NEAR(w.dissipated, w.burnt, 1e-11, 0);
    NEAR(w.supplied, w.brought, 1e-11, 0);
  }
}

/* ---------------------------------------------------------------- learning */

/* The gradient against finite differences of the loss of swept networks. */
static void check_against_differences(const char *net) {
  char yaml[2][1024];
  mho_experiment *e[2];
  mho_trainer *t[2];
  double worst = 0;
  for (int k = 0; k < 2; k++) {
    snprintf(yaml[k], sizeof yaml[k], "%s" SMALL "%s", net,
             k ? "settle: {method: ode, tolerance: 1e-12, accuracy: 1e-13}\n" : SUBTRACT);
    t[k] = subject(yaml[k], &e[k]);
  }
  for (int c = 0; c < mho_trainer_network(t[0])->n_trained; c++) {
    mho_crossbar *x = mho_trainer_network(t[0])->connection[c].xb;
    size_t n = mho_crossbar_cells(x);
    double *g = malloc(n * sizeof *g), error = 0, largest = 0;
    OK(mho_trainer_gradient(t[1], 0, IMAGES, c, g, &ei));
    for (size_t k = 0; k <= PICKS; k++) {
      size_t i = inside(x, k * (n - 1) / PICKS);
      double d = derivative(t[0], x, i);
      error = fmax(error, fabs(g[i] - d));
      largest = fmax(largest, fabs(d));
    }
    free(g);
    assert_true(largest > 1e-4);
    worst = fmax(worst, error / largest);
  }
  print_message("  %.1e of the largest derivative: %s", worst, net);
  if (!(worst < 1e-6))
    fail_msg("the gradient is %g of the largest derivative off", worst);
  for (int k = 0; k < 2; k++) {
    mho_trainer_free(t[k]);
    mho_experiment_free(e[k]);
  }
}

/* That, and the gradient of sweeps. */
static void test_gradient(void **state) {
  static const char *const rules[] = {
      RULE("phases: centred, nudge: 0.05"),
      RULE("phases: one_sided, nudge: 0.05"),
      RULE("phases: centred, nudge: 0.05, nudge_by: current"),
  };
  check_against_differences(NET("[12, 10]") IDEAL);
  check_against_differences(NET("[12, 10]") BOTH);
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    double *g[2], largest = 0;
    size_t n;
    for (int k = 0; k < 2; k++) {
      char yaml[1024];
      snprintf(yaml, sizeof yaml, "%s%s%s", nets[i], rules[i % 3], k ? TIME : SUBTRACT);
      g[k] = gradient_of(yaml, &n);
    }
    for (size_t k = 0; k < n; k++)
      largest = fmax(largest, fabs(g[0][k]));
    for (size_t k = 0; k < n; k++)
      NEAR(g[1][k], g[0][k], 0, 1e-6 * largest);
    free(g[0]);
    free(g[1]);
  }
}

/* Kept states go through a checkpoint, and evaluations leave them alone. */
static void test_kept_states(void **state) {
  static const char *const starts[] = {"kept", "zero"};
  double *of[2];
  size_t n;
  for (int i = 0; i < 2; i++) {
    of[i] = trained("hidden: [12]", starts[i], 4, false, false, "settle: {method: ode}\n", &n);
    double *loaded =
        trained("hidden: [12]", starts[i], 4, true, true, "settle: {method: ode}\n", &n);
    assert_memory_equal(of[i], loaded, n * sizeof *loaded);
    free(loaded);
  }
  assert_memory_not_equal(of[0], of[1], n * sizeof *of[0]);
  free(of[0]);
  free(of[1]);
}

#define ONCE RULE("phases: one_sided, nudge: 0.1")

/* Cells take their power for as long as the phases last. */
static void test_energy(void **state) {
  double seconds[2];
  for (int i = 0; i < 2; i++) {
    char yaml[1024];
    mho_epoch_row row;
    mho_evaluation v;
    mho_energy_row rows[MHO_ENERGY_TERMS];
    snprintf(yaml, sizeof yaml, DEVICES ONCE "settle: {method: ode, %s, tau: %d ns}\n",
             "read_free: 7, read_nudged: 3", i ? 20 : 10);
    mho_experiment *e = experiment(yaml);
    mho_trainer *t = trainer(e);
    OK(mho_trainer_epoch(t, &row, &ei));
    OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei));
    OK(mho_trainer_energy(t, rows, &ei));
    seconds[i] = NAN;
    for (int k = 0; k < MHO_ENERGY_TERMS; k++)
      if (!strcmp(rows[k].term, "cells"))
        seconds[i] = rows[k].seconds;
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
  NEAR(seconds[0], 6 * (7 + 3) * 10e-9, 1e-9, 0);
  NEAR(seconds[1], 2 * seconds[0], 1e-9, 0);
}

/* ---------------------------------------------------------------- what is refused */

static void test_refused(void **state) {
  static const struct {
    const char *yaml, *says;
  } cases[] = {
      {"settle: {method: ode, stepper: bsimp}\n", "needs for an implicit settle.stepper"},
      {"settle: {method: ode, noise: {white: 0.1}, read_free: 9, read_nudged: 9}\n",
       "needs for settle.noise"},
      {"settle: {method: ode, line: 1 ns}\n", "needs for settle.line and settle.amplifier"},
      {"settle: {method: ode, amplifier: 1 ns}\n", "needs for settle.line and settle.amplifier"},
      {"settle: {method: ode, difference: direct}\n",
       "settle.difference: not direct, because of a dynamics with rates of its own"},
      {"settle: {method: synchronous}\n", "settle.method: dynamics.name 'resistive'"},
  };
  for (int i = 0; i < MHO_COUNT(cases); i++)
    check_refused(cases[i].yaml, cases[i].says);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_charges),        cmocka_unit_test(test_charges_beside_a_junction),
      cmocka_unit_test(test_nudge_comes_on), cmocka_unit_test(test_ends_at_rest),
      cmocka_unit_test(test_steppers),       cmocka_unit_test(test_currents),
      cmocka_unit_test(test_gradient),       cmocka_unit_test(test_kept_states),
      cmocka_unit_test(test_energy),         cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
