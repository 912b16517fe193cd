/* Networks of resistors in ngspice, against the core in double precision: voltages at rest, what a
 * nudge changes, and the power of the sources; as netlists they run by themselves.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "mho/model/network.h"
#include "network_rows.h"

/* The largest number of a row is larger: something was compared. */
static const double least = 1e-8;

/* Two samples of a network after an epoch. */
static void check(const char *yaml, int layers) {
  char text[1024];
  mho_epoch_row row;
  snprintf(text, sizeof text, "dynamics: resistive\ndataset: {train: 200}\n%s", yaml);
  mho_experiment *e = experiment(text);
  mho_trainer *t = trainer(e);
  OK(mho_trainer_epoch(t, &row, &ei));
  rows = 0;
  OK(mho_trainer_cosim_network(t, spice, 2, false, false, take_row, (void *)&least, &ei));
  assert_int_equal(rows, 3 * layers + 1);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

#define DEEP     "network: {hidden: [64, 32, 32]}\nupdate: {rate: 0.002}\nrule: {nudge: 0.1}\n"
#define TWO      "network: {hidden: [20, 12]}\nrule: {nudge: 0.1}\nupdate: {rate: 1e-7}\n"
#define JUNCTION "array: {read_voltage: 10 V}\n"

static void test_diodes(void **state) {
  check(DEEP, 4);
  check(DEEP JUNCTION "resistive: {rectifier: junction, n_vt: 26 mV, i_s: 1e-6}\n", 4);
  check(DEEP "resistive: {rectifier: junction, n_vt: 2 mV, i_s: 1e-2}\n", 4);
  check("network: {hidden: [16]}\nrule: {nudge: 0.1}\nresistive: {rectifier: none}\n", 2);
}

static void test_amplifiers(void **state) {
  check(TWO "resistive: {amplifier: {voltage: 4, current: 0.25}}\n", 3);
  check(TWO "resistive: {amplifier: {voltage: 0.5, current: 3}}\n", 3);
  check(TWO JUNCTION "resistive: {rectifier: junction, amplifier: {voltage: 4, current: 1}}\n", 3);
}

#define SPREAD   "neuron: {variation: {gain: 0.2, offset: 0.3}}\n"
#define CURRENTS "neuron: {variation: {current: 0.3, gain: 0.2}}\n"

/* Rectifiers with thresholds of their own, and amplifiers with gains. */
static void test_circuits_that_differ(void **state) {
  check("network: {hidden: [20, 12]}\nrule: {nudge: 0.1}\n" SPREAD, 3);
  check(TWO "resistive: {amplifier: {voltage: 4, current: 1}}\n" SPREAD, 3);
  check(TWO JUNCTION
        "resistive: {rectifier: junction, n_vt: 26 mV, i_s: 1e-6, amplifier: {voltage: 2, "
        "current: 0.5}}\n" SPREAD,
        3);
  check("network: {topology: conv, conv: [4x3s2p1, 8]}\nrule: {nudge: 0.1}\nupdate: {rate: 1e-7}\n"
        "resistive: {amplifier: {voltage: 2, current: 1}}\n" SPREAD,
        3);
}

#define ON(wires)                                                                                  \
  "device: {model: linear, mapping: single, g_min: 10 uS, g_max: 100 uS}\narray: {wire: {" wires   \
  ", tolerance: 1e-12}}\nsettle: {free: 2000, nudged: 2000}\n"
#define BARE "network: {hidden: [10, 6], biases: false}\nrule: {nudge: 0.1}\nupdate: {rate: 1e-6}\n"

/* Lines with resistance, on one side or both, in tiles, with junctions and amplifiers. */
static void test_wires(void **state) {
  check(BARE ON("r_word: 20 ohm, r_bit: 10 ohm"), 3);
  check(BARE ON("r_word: 20 ohm, r_bit: 10 ohm, tile: [40, 4]"), 3);
  check(BARE ON("r_word: 50 ohm") "resistive: {amplifier: {voltage: 4, current: 0.25}}\n", 3);
  check(BARE ON("r_bit: 50 ohm") JUNCTION
        "resistive: {rectifier: junction, n_vt: 26 mV, i_s: 1e-6}\n",
        3);
}

#define IMAGE(layers) "network: {topology: conv, conv: " layers "}\n"

/* Amplifiers that draw currents of their own. */
static void test_currents_that_differ(void **state) {
  check(TWO "resistive: {amplifier: {voltage: 4, current: 0.25}}\n"
            "neuron: {variation: {current: 0.3}}\n",
        3);
  check(TWO "resistive: {amplifier: {voltage: 4, current: 1}}\n" CURRENTS, 3);
  check(TWO JUNCTION
        "resistive: {rectifier: junction, n_vt: 26 mV, i_s: 1e-6, amplifier: {voltage: 2, "
        "current: 0.5}}\n" CURRENTS,
        3);
  check("network: {topology: conv, conv: [4x3s2p1, 8]}\nrule: {nudge: 0.1}\nupdate: {rate: 1e-7}\n"
        "resistive: {amplifier: {voltage: 2, current: 1}}\n" CURRENTS,
        3);
}

/* A border of ground, strides, a dense layer behind. */
static void test_convolutions(void **state) {
  check(IMAGE("[4x3s2p1, 6x2]") "rule: {nudge: 0.1}\n", 3);
  check(IMAGE("[4x3s2p1, 8]") "rule: {nudge: 0.1}\n" JUNCTION
                              "resistive: {rectifier: junction, n_vt: 26 mV, i_s: 1e-6}\n",
        3);
  check(IMAGE("[2x4s2, 6x3p1]") "rule: {nudge: 0.1}\nupdate: {rate: 1e-7}\n"
                                "resistive: {amplifier: {voltage: 2, current: 1}}\n",
        3);
}

static void test_nudges(void **state) {
  check("network: {hidden: [20, 12], biases: false}\nrule: {nudge: 0.05, nudge_by: current}\n", 3);
  check("network: {hidden: [20, 12]}\nrule: {nudge: 3, phases: one_sided}\n", 3);
}

/* Devices, g_min and all, in units of S. */
static void test_devices(void **state) {
  check("network: {hidden: [20, 12], biases: false}\nrule: {nudge: 0.1}\n"
        "device: {model: linear, mapping: single, g_min: 20 uS}\n"
        "update: {scheme: accumulate, rate: 0.05}\n",
        3);
}

/* The diode of ngspice is Shockley's below -3 n V_T but for .004 of its saturation current, of
 * which the core is to differ by no more. */
static void test_diode_of_ngspice(void **state) {
  mho_experiment *e = experiment("dynamics: resistive\ndataset: {train: 20, test: 4}\n"
                                 "array: {read_voltage: 10 V}\nnetwork: {hidden: [8]}\n"
                                 "resistive: {rectifier: junction, n_vt: 26 mV, i_s: 1e-4}\n");
  mho_trainer *t = trainer(e);
  mho_trained_netlist o = {.of = "a test", .image = 2};
  char *text;
  OK(mho_trainer_netlist_network(t, &o, &text, &ei));

  /* the same circuit, its rectifiers written as diodes */
  char *end = strstr(text, ".control"), *circuit = malloc(strlen(text) + 256);
  *end = 0;
  const char *i_s = strstr(text, ".param i_s=") + 11, *body = strstr(text, ".options");
  char *rest = strstr(text, ".ends\n\n* inputs") + 6;
  double n = 26e-3 / (1.380649e-23 * 300.15 / 1.602176634e-19);
  sprintf(circuit,
          "diodes\n%.*s\n.model d d(is=%.17g n=%.17g)\n"
          ".subckt rectifier_from v\nD1 0 v d\n.ends\n"
          ".subckt rectifier_to v\nD1 v 0 d\n.ends\n%s\n.end\n",
          (int)strcspn(body, "\n"), body, atof(i_s), n, rest);

  double v[2][18], largest = 0, apart = 0;
  const char *const netlists[] = {text, circuit};
  for (int i = 0; i < 2; i++) {
    OK(mho_spice_load(spice, netlists[i], &ei));
    OK(mho_spice_run(spice, "op", &ei));
    for (int j = 0; j < 18; j++) {
      char name[24];
      snprintf(name, sizeof name, "v(v_%s_%d)", j < 8 ? "h1" : "out", j < 8 ? j : j - 8);
      OK(mho_spice_last(spice, name, &v[i][j], &ei));
      largest = fmax(largest, fabs(v[i][j]));
      apart = fmax(apart, fabs(v[i][j] - v[0][j]));
    }
  }
  print_message("  diodes of ngspice: %.1e of the largest voltage apart\n", apart / largest);
  assert_true(apart > 0 && apart < 1e-6 * largest);
  free(circuit);
  mho_free(text);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void refused(const char *yaml, bool transient, mho_err expected, const char *sentence) {
  mho_errinfo why = {0};
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  if (expected == MHO_EUNSUPPORTED && !transient) {
    const mho_network *net = mho_trainer_network(t);
    double zero = 0;
    for (int i = 0; i < net->connection[0].xb->rows - 1; i++)
      mho_crossbar_set(net->connection[0].xb, (size_t)i * 8, 1, &zero);
    for (int j = 0; j < 10; j++)
      mho_crossbar_set(net->connection[1].xb, (size_t)j, 1, &zero);
  }
  mho_err err =
      mho_trainer_cosim_network(t, spice, 1, transient, false, take_row, (void *)&least, &why);
  if (err != expected || !strstr(why.message, sentence))
    fail_msg("'%s': %d '%s', expected '%s'", yaml, err, why.message, sentence);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void test_refusals(void **state) {
  refused("dynamics: resistive\nnetwork: {hidden: [8]}\n", true, MHO_EUNSUPPORTED,
          "leave --transient");
  refused("dynamics: resistive\nnetwork: {hidden: [8]}\n", false, MHO_EUNSUPPORTED,
          "node 0 of layer h1 is joined with no input");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_diodes),
      cmocka_unit_test(test_amplifiers),
      cmocka_unit_test(test_circuits_that_differ),
      cmocka_unit_test(test_currents_that_differ),
      cmocka_unit_test(test_wires),
      cmocka_unit_test(test_convolutions),
      cmocka_unit_test(test_nudges),
      cmocka_unit_test(test_devices),
      cmocka_unit_test(test_diode_of_ngspice),
      cmocka_unit_test(test_refusals),
  };
  if (!has_ngspice())
    return SKIPPED;
  return cmocka_run_group_tests(tests, open_session, close_session);
}
