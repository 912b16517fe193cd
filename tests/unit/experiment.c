/* Configs: what is accepted, what is refused and how it is said; printing, hashing, storing and
 * reading back.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/experiment.h"
#include "mho/model/check.h"
#include "test.h"

static mho_registry *registry;

static int setup(void **state) {
  return mho_registry_new(&registry, NULL);
}
static int teardown(void **state) {
  mho_registry_free(registry);
  return 0;
}

static mho_err load(const char *yaml, const char *set, bool bare, mho_experiment **e,
                    mho_errinfo *ei) {
  mho_config *c;
  *e = NULL;
  mho_err err = mho_config_new(&c, ei);
  if (!err)
    err = mho_config_text(c, yaml, "f.yaml", ei);
  if (!err && set)
    err = mho_config_set(c, set, ei);
  if (!err)
    err = mho_experiment_new(registry, c, bare, e, ei);
  mho_config_free(c);
  return err;
}

static void test_refusals(void **state) {
  static const struct {
    const char *yaml, *set, *says;
    int line;
  } bad[] = {
      {"network:\n  hiden: [3]\n", NULL, "network.hidden", 2},
      {"netwrok: {hidden: [3]}\n", NULL, "did you mean 'network'", 1},
      {"train:\n  epochs: many\n", NULL, "'many' is not a whole number", 2},
      {"train:\n  epochs: [1, 2]\n", NULL, "not a list", 2},
      {"train:\n\n  epochs: 0\n", NULL, "1 to 1000000", 3},
      {"device:\n  model: linear\n  g_max: 5\n", NULL, "no unit", 3},
      {"device:\n  model: linear\n  g_max: 5 ohm\n", NULL, "expected S", 3},
      {"device: {model: linear, g_max: 1 uS, g_min: 2 uS}\n", NULL, "below device.g_max", 1},
      {"device: {model: soft_bound}\n", NULL, "did you mean 'soft_bounds'", 1},
      {"device:\n  model: linear\n  nl_up: 3\n", NULL, "'nl_pulse', but that is 'linear'", 3},
      {"device: {model: linear, stuck_on: 0.6, stuck_off: 0.6}\n", NULL, "at most 1", 1},
      {"update: {scheme: pulses}\n", NULL, "needs a device that answers pulses", 1},
      {"rule: fa\nfeedback:\n  mode: symmetric\n", NULL, "asymmetric", 3},
      {"train: {epochs: 1}\ntrain: {epochs: 2}\n", NULL, "twice", 2},
      {"train: {epochs: 1, epochs: 2}\n", NULL, "twice", 1},
      {"network: {hidden: []}\n", NULL, "at least one hidden layer", 1},
      {"network: {topology: conv, hidden: [5]}\n", NULL, "put them there", 1},
      {"network: {topology: conv}\nobserve:\n  lyapunov: true\n", NULL, "only the cosine", 3},
      {"[1, 2]\n", NULL, "not a config", 1},
      {"a: b: c\n", NULL, "not valid YAML", 1},
      {"train: {epochs: {a: 1}}\n", NULL, "train.epochs.a", 1},
      {"train: 3\n", NULL, "expected keys below", 1},
      {"", "train.epochs", "expected a key and a value", 0},
      {"", "train.epochs=x", "not a whole number", 0},
      {"", "train.epoch=3", "train.epochs", 0},
      {"dataset: {train: 50}\ntrain:\n  batch: 100\n", NULL, "dataset.train uses only 50", 3},
      {"feedback: {scale: nan}\n", NULL, "not a number", 1},
      {"array: {model: ideal, read_noise: 0.1}\n", NULL, "'periphery', but that is 'ideal'", 1},
      {"device: vteam\ndevice:\n  pulse: {width: 1 us}\n", NULL,
       "device.width, which moves the state", 3},
      {"device: linear\narray:\n  write: {select: half}\n", NULL, "writes without pulses", 3},
      {"rule:\n  name: perturb\n  of: nodes\n  by: line\n", NULL, "rule.of is nodes", 4},
      {"rule:\n  name: perturb\n  of: nodes\n  shape: rank1\n", NULL, "rule.of is nodes", 4},
      {"rule:\n  name: perturb\n  of: nodes\n  samples: batch\n", NULL, "with rule.of nodes", 4},
      {"rule: {name: perturb, of: nodes}\nsettle: {method: ode}\n", NULL, "settle.method ode", 1},
      {"rule:\n  name: perturb\n  shape: signs\n", NULL, "lines cannot add another number", 3},
      {"device: linear\nnetwork: {biases: true}\nrule: perturb\n"
       "update: {scheme: stochastic, bias_rate: 0.5}\n",
       NULL, "pulses lines as they are perturbed", 4},
      {"rule: {name: perturb, shape: rank1, by: cell}\n", NULL, "needs no element", 1},
      {"rule:\n  name: perturb\n  by: pulse\n", NULL, "'ideal' knows none", 3},
      {"device: linear\nrule: {name: perturb, by: pulse, shape: normal}\n", NULL, "up or down", 2},
      {"device: linear\nrule: {name: perturb, by: pair, samples: each}\n", NULL, "once for all", 2},
      {"device: {model: linear, mapping: reference}\nrule:\n  name: perturb\n  by: pair\n", NULL,
       "device.mapping gives a weight no two", 4},
      {"device: linear\nupdate: {scheme: stochastic}\nrule:\n  name: perturb\n  trials: 2\n", NULL,
       "one perturbation a sample", 5},
      {"device: linear\nupdate: {scheme: stochastic}\nrule: {name: perturb, by: cell}\n", NULL,
       "writes outer products", 2},
      {"rule: perturb\nsettle:\n  method: spice\n", NULL, "settle.method spice reads none", 1},
      {"rule: balance\nsettle:\n  method: spice\n", NULL, "settle.method spice makes none", 1},
      {"rule:\n  name: balance\n  credit: relax\n", NULL, "settle.method sweep has a clock", 3},
      {"settle: ode\nrule:\n  name: balance\n  credit: sweep\n", NULL, "settle.method ode runs", 4},
      {"feedback: {mode: asymmetric}\nrule:\n  name: balance\n  tied: both\n", NULL,
       "feedback.mode asymmetric", 4},
      {"network: {forward_scale: 0}\nrule:\n  name: balance\n  tied: both\n", NULL,
       "network.forward_scale is 0", 4},
      {"rule: balance\narray:\n  adc_bits: 8\n  differencing: analog\n", NULL,
       "rule.name balance subtracts", 4},
  };
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    mho_errinfo ei = {0};
    mho_experiment *e;
    if (load(bad[i].yaml, bad[i].set, false, &e, &ei) != MHO_ECONFIG ||
        !strstr(ei.message, bad[i].says) || ei.line != bad[i].line)
      fail_msg("%s%s: got '%s' in line %d, expected '%s' in line %d", bad[i].yaml,
               bad[i].set ? bad[i].set : "", ei.message, ei.line, bad[i].says, bad[i].line);
    if (ei.line)
      assert_string_equal(ei.file, "f.yaml");
  }
}

static void test_shorthand_and_overrides(void **state) {
  mho_errinfo ei;
  mho_experiment *e;
  OK(load("device: soft_bounds\nupdate: {scheme: accumulate}\ntrain: {epochs: 7}\n",
          "train.epochs=3", false, &e, &ei));
  assert_string_equal(e->device.entry->id, "soft_bounds");
  assert_int_equal(e->train.epochs, 3);
  mho_experiment_free(e);
  OK(load("device: {model: linear}\n", "device=nl_pulse", false, &e, &ei));
  assert_string_equal(e->device.entry->id, "nl_pulse");
  mho_experiment_free(e);
  OK(load("device: {model: linear, step_up: 0.1, g_max: 5 uS}\n", "device=ideal", false, &e, &ei));
  assert_string_equal(e->device.entry->id,
                      "ideal"); /* its keys go with the replaced model, the common ones stay */
  NEAR(e->device_config.g_max, 5e-6, 1e-12, 0);
  mho_experiment_free(e);
  OK(load("array: {read_noise: 0.02}\n", NULL, false, &e,
          &ei)); /* the model follows from its key */
  assert_string_equal(e->array.entry->id, "periphery");
  mho_experiment_free(e);
  OK(load("rule: fa\n", NULL, false, &e, &ei)); /* and the feedback from the rule */
  assert_int_equal(e->feedback.mode, MHO_FEEDBACK_ASYMMETRIC);
  mho_experiment_free(e);
  OK(load("network: {hidden: 64}\n", "network.hidden=[5, 6]", false, &e, &ei));
  assert_int_equal(e->network.hidden.v[1], 6);
  mho_experiment_free(e);
}

static const char *full =
    "dataset: {path: 'a b/c: d'}\nnetwork: {hidden: [7, 9]}\n"
    "device: {model: soft_bounds, g_max: 33.3 uS, g_min: 0.1 nS, variation: {step: 0.1}}\n"
    "array: {read_noise: 0.013}\nupdate: {scheme: pulses, rate: 0.1}\nobserve: {cosine: true}\n";

/* What is printed, as YAML for people and JSON for the database, says the same experiment. */
static void test_round_trips(void **state) {
  mho_errinfo ei;
  mho_experiment *e, *f;
  OK(load(full, NULL, false, &e, &ei));
  char *json = mho_experiment_json(e), *yaml = mho_experiment_yaml(e, false),
       *changed = mho_experiment_yaml(e, true);
  const struct {
    const char *text;
    bool bare;
  } forms[] = {{json, true}, {yaml, false}, {changed, false}};
  for (int i = 0; i < 3; i++) {
    OK(load(forms[i].text, NULL, forms[i].bare, &f, &ei));
    assert_memory_equal(e, f, sizeof *e);
    mho_experiment_free(f);
  }
  free(json);
  free(yaml);
  free(changed);
  mho_experiment_free(e);
}

static void hash_of(const char *yaml, const char *set, char hex[65]) {
  mho_errinfo ei;
  mho_experiment *e;
  OK(load(yaml, set, false, &e, &ei));
  OK(mho_experiment_hash(e, "data", hex, &ei));
  mho_experiment_free(e);
}

static void test_hash(void **state) {
  char a[65], b[65];
  hash_of(full, NULL, a);
  hash_of(full, "dataset.path=elsewhere", b);
  assert_string_equal(a, b);
  hash_of(full, "train.epochs=10", b); /* the default, said aloud */
  assert_string_equal(a, b);
  hash_of(full, "observe.samples=50", b); /* to look changes nothing */
  assert_string_equal(a, b);
  hash_of(full, "train.seed=2", b);
  assert_string_not_equal(a, b);
  hash_of(full, "update.rate=0.2", b);
  assert_string_not_equal(a, b);
}

/* Every prefix of a config and every single-byte change is accepted or refused, and leaks
 * nothing (ASan looks). */
static void test_mangled(void **state) {
  char text[1024];
  size_t n = strlen(full);
  mho_errinfo ei;
  mho_experiment *e;
  for (size_t i = 0; i < n; i++) {
    snprintf(text, sizeof text, "%.*s", (int)i, full);
    load(text, NULL, false, &e, &ei);
    mho_experiment_free(e);
    for (const char *c = "\x01{[:\"-&*#\n\t 9\xff"; *c; c++) {
      strcpy(text, full);
      text[i] = *c;
      mho_err err = load(text, NULL, false, &e, &ei);
      assert_true(err == MHO_OK || err == MHO_ECONFIG);
      mho_experiment_free(e);
    }
  }
}

static void test_foreign_entries(void **state) {
  static const mho_device_model old = {.entry = {.abi = MHO_ABI + 1, .id = "old", .title = "t"}};
  static const mho_device_model taken = {.entry = {.abi = MHO_ABI, .id = "linear", .title = "t"}};
  static const mho_device_model fine = {.entry = {.abi = MHO_ABI, .id = "mine", .title = "t"}};
  mho_errinfo ei;
  assert_int_equal(mho_registry_add(registry, MHO_KIND_DEVICE, &old.entry, &ei), MHO_EINVAL);
  assert_int_equal(mho_registry_add(registry, MHO_KIND_DEVICE, &taken.entry, &ei), MHO_EINVAL);
  OK(mho_registry_add(registry, MHO_KIND_DEVICE, &fine.entry, &ei));
  assert_ptr_equal(mho_registry_find(registry, MHO_KIND_DEVICE, "mine"), &fine);
}

#define PULSED "device: linear\nupdate: {scheme: pulses}\n"

/* Keys of earlier releases mean what they are called now. */
static void test_renamed_keys(void **state) {
  static const struct {
    const char *yaml, *set;
    bool bare;
    int select;
    double read, set_volts, width;
  } cases[] = {
      {"device: linear\nenergy: {set_voltage: 3 V, pulse_width: 1 us}\nsettle: {v_read: 0.3 V}\n",
       NULL, false, MHO_WRITE_TRANSISTOR, 0.3, 3, 1e-6},
      {PULSED "energy: {select: half}\n", NULL, false, MHO_WRITE_HALF, 0.2, 0, 0},
      /* where nothing is pulsed it never said anything */
      {"device: linear\nenergy: {select: half}\n", NULL, false, MHO_WRITE_TRANSISTOR, 0.2, 0, 0},
      /* --set goes before the file */
      {PULSED "array: {write: {select: third}}\n", "energy.select=half", false, MHO_WRITE_HALF, 0.2,
       0, 0},
      {PULSED "energy: {select: half}\n", "array.write.select=third", false, MHO_WRITE_THIRD, 0.2,
       0, 0},
      /* a config that an earlier release printed has all keys, and one that it stored */
      {PULSED "array: {read_voltage: 200 mV, write: {select: ideal}}\nenergy: {select: half, "
              "set_voltage: 0 V}\n"
              "settle: {v_read: 0.2 V}\n",
       NULL, false, MHO_WRITE_IDEAL, 0.2, 0, 0},
      {PULSED "array: {read_voltage: 0.2, write: {select: ideal}}\nenergy: {select: transistor}\n"
              "settle: {v_read: 0.3}\n",
       NULL, true, MHO_WRITE_IDEAL, 0.3, 0, 0},
      {PULSED "array: {read_voltage: 0.1}\nsettle: {v_read: 0.2}\nenergy: {set_voltage: 3}\n", NULL,
       true, MHO_WRITE_TRANSISTOR, 0.1, 3, 0},
      /* a model with a pulse of its own, which an energy of before did not know of */
      {"device: {model: vteam, v_set: 1}\nenergy: {set_voltage: 3}\n", NULL, true,
       MHO_WRITE_TRANSISTOR, 0.2, 0, 0},
  };
  mho_errinfo ei = {0};
  mho_experiment *e;
  for (int i = 0; i < MHO_COUNT(cases); i++) {
    OK(load(cases[i].yaml, cases[i].set, cases[i].bare, &e, &ei));
    if (e->array_config.write_select != cases[i].select ||
        e->array_config.read_voltage != cases[i].read ||
        e->device_config.pulse_volts[0] != cases[i].set_volts ||
        e->device_config.pulse_width[0] != cases[i].width)
      fail_msg("case %d: select %d, %g V, %g V, %g s", i, e->array_config.write_select,
               e->array_config.read_voltage, e->device_config.pulse_volts[0],
               e->device_config.pulse_width[0]);
    mho_experiment_free(e);
  }

  /* under both names, differently: a person is asked */
  assert_int_equal(load(PULSED "array: {write: {select: half}}\nenergy:\n  select: transistor\n",
                        NULL, false, &e, &ei),
                   MHO_ECONFIG);
  assert_true(strstr(ei.message, "energy.select") && strstr(ei.message, "array.write.select") &&
              ei.line == 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refusals),     cmocka_unit_test(test_shorthand_and_overrides),
      cmocka_unit_test(test_round_trips),  cmocka_unit_test(test_hash),
      cmocka_unit_test(test_mangled),      cmocka_unit_test(test_foreign_entries),
      cmocka_unit_test(test_renamed_keys),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
