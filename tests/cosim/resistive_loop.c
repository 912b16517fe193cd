/* Networks of resistors trained with ngspice in the loop, against block descent in the core, in
 * double precision: gradients, what evaluations say, weights along an epoch, and what is refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/spice.h"
#include "resistors.h"

enum { SKIPPED = 77 };

#define SPICE "settle: {method: spice}\n"

static void test_gradients(void **state) {
  static const char *const nets[] = {
      NET("[12, 10]") IDEAL RULE("phases: centred, nudge: 0.05"),
      NET("[12, 10]") JUNCTION RULE("phases: centred, nudge: 0.05"),
      NET("[12, 10]") JUNCTION RULE("phases: one_sided, nudge: 0.05"),
      NET("[12, 10]") IDEAL RULE("phases: one_sided, nudge: 0.2, nudge_by: current"),
      NET("[12, 10]") BOTH RULE("phases: centred, nudge: 0.1, nudge_by: current"),
      NET("[12, 10]") LOPSIDED GAINS RULE("phases: centred, nudge: 0.05"),
      NET("[12, 10]") LOPSIDED CURRENTS RULE("phases: centred, nudge: 0.05"),
      NET("[12, 10]") NONE RULE("phases: one_sided, nudge: 0.05"),
      CONV("[4x3s2p1, 6x2]") JUNCTION RULE("phases: centred, nudge: 0.05"),
  };
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    double *g[2], largest = 0, apart = 0;
    size_t n;
    for (int k = 0; k < 2; k++) {
      char yaml[1024];
      snprintf(yaml, sizeof yaml, "%s%s", nets[i], k ? SPICE : SUBTRACT);
      g[k] = gradient_of(yaml, &n);
    }
    for (size_t k = 0; k < n; k++) {
      largest = fmax(largest, fabs(g[0][k]));
      apart = fmax(apart, fabs(g[1][k] - g[0][k]));
    }
    print_message("  %.1e of the largest gradient: %s", apart / largest, nets[i]);
    assert_true(largest > 1e-4);
    if (!(apart > 0 && apart < 1e-6 * largest))
      fail_msg("%s is %.1e off", nets[i], apart / largest);
    free(g[0]);
    free(g[1]);
  }
}

/* Loss, and what Kirchhoff's law leaves of ngspice's voltages by the conductances of the core. */
static void test_evaluations(void **state) {
  static const char *const nets[] = {
      NET("[12, 10]") IDEAL,
      NET("[12, 10]") JUNCTION,
      NET("[12, 10], biases: false") IDEAL SINGLE,
      CONV("[4x3s2p1, 6x2]") LOPSIDED,
  };
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    mho_evaluation v[2];
    for (int k = 0; k < 2; k++) {
      char yaml[1024];
      snprintf(yaml, sizeof yaml, "%s" DATA "%s", nets[i], k ? SPICE : SUBTRACT);
      mho_experiment *e = experiment(yaml);
      mho_trainer *t = trainer(e);
      OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v[k], &ei));
      mho_trainer_free(t);
      mho_experiment_free(e);
    }
    NEAR(v[1].loss, v[0].loss, 1e-6, 0);
    NEAR(v[1].supplied, v[0].supplied, 1e-6, 0);
    NEAR(v[1].dissipated, v[1].supplied, 1e-6, 0);
    assert_true(v[1].kirchhoff < 1e-6);
    assert_int_equal(v[1].unsettled, 0);
    print_message("  largest current left %.1e, power %.4g\n", v[1].kirchhoff, v[1].supplied);
  }
}

/* Conductances that begin at 0, and others that are clipped there, are altered on the way; so are
 * those of devices, and two networks may take turns. */
static void test_epochs(void **state) {
  static const char *const nets[] = {
      "hidden: [12]",
      "hidden: [10, 8], biases: false",
      "topology: conv, conv: [4x3s2p1, 6x2], biases: false",
  };
  static const char *const more[] = {
      JUNCTION "rule: {nudge: 0.1}\nupdate: {rate: 0.05}\n",
      IDEAL SINGLE "rule: {nudge: 0.1}\nupdate: {rate: 0.05, scheme: exact}\n",
      IDEAL "rule: {nudge: 0.1, phases: one_sided}\nupdate: {rate: 0.05}\n",
  };
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    double *w[2], largest = 0, apart = 0, moved = 0;
    mho_experiment *e[2];
    mho_trainer *t[2];
    size_t n, zeros = 0;
    for (int k = 0; k < 2; k++) {
      char yaml[1024];
      snprintf(yaml, sizeof yaml,
               "dynamics: resistive\nnetwork: {%s}\n%sdataset: {train: 12, test: 4}\n"
               "train: {batch: 4}\n%s",
               nets[i], more[i], k ? SPICE : SUBTRACT);
      e[k] = experiment(yaml);
      t[k] = trainer(e[k]);
    }
    double *start = weights_of(t[0], &n);
    for (int epoch = 0; epoch < 2; epoch++)
      for (int k = 0; k < 2; k++) {
        mho_epoch_row row;
        mho_evaluation v;
        OK(mho_trainer_epoch(t[k], &row, &ei));
        OK(mho_trainer_evaluate(t[k], &mho_trainer_dataset(t[k])->test, &v, &ei));
        assert_int_equal(row.unsettled, 0);
      }
    for (int k = 0; k < 2; k++)
      w[k] = weights_of(t[k], &n);
    for (size_t j = 0; j < n; j++) {
      zeros += start[j] == 0 && w[0][j] != 0;
      largest = fmax(largest, fabs(w[0][j]));
      moved = fmax(moved, fabs(w[0][j] - start[j]));
      apart = fmax(apart, fabs(w[1][j] - w[0][j]));
    }
    print_message("  %.1e of the largest change, %.1e; %d grew from 0: %s\n", apart / moved, moved,
                  (int)zeros, nets[i]);
    assert_true((zeros > 10 || strstr(more[i], "single")) && moved > 1e-3 * largest);
    if (!(apart < 1e-5 * moved))
      fail_msg("%s: weights are %.1e of the largest change apart", nets[i], apart / moved);
    free(start);
    for (int k = 0; k < 2; k++) {
      free(w[k]);
      mho_trainer_free(t[k]);
      mho_experiment_free(e[k]);
    }
  }
}

static void test_refused(void **state) {
  static const struct {
    const char *yaml, *says;
  } cases[] = {
      {"settle: {method: spice, analysis: tran}\n", "needs for settle.analysis tran"},
      {"settle: {method: spice, inputs: norton}\n", "needs for settle.inputs norton"},
      {"settle: {method: spice, difference: direct}\n", "settle.difference: not direct"},
  };
  for (int i = 0; i < MHO_COUNT(cases); i++)
    check_refused(cases[i].yaml, cases[i].says);
}

/* A node that is joined with nothing has no voltage. */
static void test_open_node(void **state) {
  mho_experiment *e = experiment(NET("[6]") SPICE "dataset: {train: 4, test: 4}\n");
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);
  mho_evaluation v;
  double zero = 0;
  for (size_t i = 0; i < 128; i++)
    mho_crossbar_set(net->connection[0].xb, i * 6 + 2, 1, &zero);
  for (size_t j = 0; j < 10; j++)
    mho_crossbar_set(net->connection[1].xb, 2 * 10 + j, 1, &zero);
  assert_int_equal(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei),
                   MHO_EUNSUPPORTED);
  assert_non_null(strstr(ei.message, "node 2 of layer h1 is joined with no input"));
  mho_trainer_free(t);
  mho_experiment_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gradients), cmocka_unit_test(test_evaluations),
      cmocka_unit_test(test_epochs),    cmocka_unit_test(test_refused),
      cmocka_unit_test(test_open_node),
  };
  mho_spice *s;
  if (mho_spice_open(&s, NULL))
    return SKIPPED;
  mho_spice_close(s);
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
