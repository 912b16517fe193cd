/* Networks under a controller in ngspice, against the core in double precision: rest and update.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/network.h"
#include "network_rows.h"

/* The largest number of a row is larger: something was compared. */
static const double least = 1e-3;

/* Two samples of a network after one epoch. */
static void check(const char *yaml, int hidden) {
  char text[1024];
  mho_epoch_row row;
  snprintf(text, sizeof text, "train: {epochs: 1, batch: 50}\ndataset: {train: 300}\n%s", yaml);
  mho_experiment *e = experiment(text);
  mho_trainer *t = trainer(e);
  OK(mho_trainer_epoch(t, &row, &ei));
  rows = 0;
  OK(mho_trainer_cosim_network(t, spice, 2, false, false, take_row, (void *)&least, &ei));
  int changes = 0;
  const mho_network *net = mho_trainer_network(t);
  for (int c = 0; c < net->n_trained; c++)
    changes += net->connection[c].role == MHO_FORWARD;
  assert_int_equal(rows, 2 * hidden + 2 + changes);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

#define DFC "rule: {name: dfc}\nfeedback: {path: direct}\n"

static void test_nudged(void **state) {
  check(DFC "network: {hidden: [64, 32, 32]}\n", 3);
  check("rule: {name: dfc, learn: potential, leak: 0.3, proportional: 2, leak_on: integral}\n"
        "feedback: {path: direct}\nnetwork: {hidden: [12, 10], neuron: hard_sigmoid}\n",
        2);
}

static void test_label(void **state) {
  check("rule: {name: dfc, target: label, gain: 2.5}\nfeedback: {path: direct}\n"
        "network: {hidden: [20, 15]}\n",
        2);
  check("rule: {name: dfc, target: label, gain: 5}\nfeedback: {path: direct}\n"
        "network: {hidden: [12], output: linear}\n",
        1);
}

#define PULSED "update: {scheme: accumulate, optimizer: sgd, rate: 1}\n"

/* Devices, other ways through the network, arrays that are drawn or have learned. */
static void test_devices(void **state) {
  check("rule: {name: dfc, gain: 5}\nfeedback: {path: direct}\n"
        "network: {topology: residual, hidden: [8, 8, 8, 8]}\ndevice: linear\n" PULSED,
        4);
  check("rule: {name: dfc, gain: 1}\nfeedback: {path: direct, q: random}\n"
        "network: {hidden: [12, 10]}\ndevice: {model: linear, mapping: reference}\n" PULSED,
        2);
  check("rule: {name: dfc, gain: 2}\nfeedback: {path: direct, q: {kind: learned,\n"
        "  epochs_before: 1, epochs: 1, steps: 5}}\nnetwork: {hidden: [12, 10]}\n",
        2);
}

/* In time the integrators take the network from the free state to the same rest. */
static void test_in_time(void **state) {
  mho_experiment *e = experiment("rule: {name: dfc, gain: 2, proportional: 1, ratio: 0.5}\n"
                                 "feedback: {path: direct}\nnetwork: {hidden: [8, 6]}\n");
  mho_trainer *t = trainer(e);
  mho_trained_netlist o = {.of = "a test", .image = 3};
  char *text, name[24];
  double rest[10], last[10], first[10];
  OK(mho_trainer_netlist_network(t, &o, &text, &ei));
  OK(mho_spice_load(spice, text, &ei));
  OK(mho_spice_alter(spice, "von", "dc", 1, &ei));

  static const char *const runs[] = {"op", "tran 20n 20n uic", "tran 100n 10u uic"};
  double *const out[] = {rest, first, last};
  for (int i = 0; i < 3; i++) {
    OK(mho_spice_run(spice, runs[i], &ei));
    for (int k = 0; k < 10; k++) {
      snprintf(name, sizeof name, "v(w_%d)", k);
      OK(mho_spice_last(spice, name, &out[i][k], &ei));
    }
  }

  double size = 0, moved = 0;
  for (int k = 0; k < 10; k++) {
    size = fmax(size, fabs(rest[k]));
    moved = fmax(moved, fabs(rest[k] - first[k]));
  }
  assert_true(moved > 0.1 * size);
  for (int k = 0; k < 10; k++)
    NEAR(last[k], rest[k], 0, 1e-4 * size);
  mho_free(text);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void refused(const char *yaml, const char *sentence) {
  mho_errinfo why = {0};
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_err err =
      mho_trainer_cosim_network(t, spice, 1, false, false, take_row, (void *)&least, &why);
  if (err != MHO_EUNSUPPORTED || !strstr(why.message, sentence))
    fail_msg("'%s': %d '%s', expected '%s'", yaml, err, why.message, sentence);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void test_refusals(void **state) {
  refused("rule: dfc\n", "slopes, for which there is no circuit");
  refused(DFC "network: {biases: true}\n", "convolutions or biases");
  refused(DFC "neuron: {saturation: 0.9}\n", "neurons are ideal");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nudged),   cmocka_unit_test(test_label),
      cmocka_unit_test(test_devices),  cmocka_unit_test(test_in_time),
      cmocka_unit_test(test_refusals),
  };
  if (!has_ngspice())
    return SKIPPED;
  return cmocka_run_group_tests(tests, open_session, close_session);
}
