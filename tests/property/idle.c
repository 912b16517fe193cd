/* Keys without effect: what a parameter's `idle` says, against training with other values of it.
 *
 * Every key of an experiment is set to other values, and a short training with each is compared
 * with that of the experiment as it is: accuracies, losses, steps, pulses, energies, the weights
 * and conductances of every connection, what is observed, an evaluation. Where any of it differs
 * the key acts, and must not be said to be idle; where nothing does it must be. The long test sets
 * all values in all configs; the short one a few, from which only the first follows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiment.h"

#include <stdarg.h>

#include "experiment/sections.h"
#include "lif.h"
#include "three_banks.h"

static bool is_long(void) {
  return getenv("MHO_TEST_SLOW") != NULL;
}

/* ---------------------------------------------------------------- what a training comes to */

typedef struct outcome {
  size_t n, capacity;
  double *v;
} outcome;

static void add(outcome *o, double v) {
  if (o->n == o->capacity) {
    o->capacity = o->capacity ? 2 * o->capacity : 4096;
    o->v = realloc(o->v, o->capacity * sizeof *o->v);
    assert_non_null(o->v);
  }
  o->v[o->n++] = v + 0.0; /* a zero has no sign */
}

static bool is_same(const outcome *a, const outcome *b) {
  return a->n == b->n && !memcmp(a->v, b->v, a->n * sizeof *a->v);
}

static bool add_epoch(void *user, const mho_epoch_row *row) {
  outcome *o = user;
  double v[] = {row->train_acc,    row->test_acc,     row->val_acc,    row->loss,
                row->settle_steps, row->pulses,       row->set_pulses, row->clipped,
                row->truncated,    row->verify_reads, row->reads,      (double)row->unsettled};
  for (int i = 0; i < MHO_COUNT(v); i++)
    add(o, v[i]);
  return false;
}

static void add_connections(outcome *o, const mho_trainer *t) {
  for (int i = 0; i < mho_trainer_connections(t); i++) {
    mho_connection_info k;
    OK(mho_trainer_connection(t, i, &k, &ei));
    size_t n = (size_t)k.rows * (size_t)k.cols;
    mho_real *w = calloc(n, sizeof *w);
    double *g = calloc(n, sizeof *g);

    OK(mho_trainer_effective(t, k.name, w, &ei));
    for (size_t j = 0; j < n; j++)
      add(o, (double)w[j]);
    for (int bank = 0; bank < k.banks; bank++) {
      OK(mho_trainer_conductances(t, k.name, bank, g, &ei));
      for (size_t j = 0; j < n; j++)
        add(o, g[j]);
    }
    free(w);
    free(g);
  }
}

static void add_energy(outcome *o, const mho_trainer *t) {
  mho_energy_row rows[MHO_ENERGY_TERMS];
  mho_errinfo why;
  if (mho_trainer_energy(t, rows, &why))
    return;
  for (int i = 0; i < MHO_ENERGY_TERMS; i++) {
    add(o, rows[i].joule);
    add(o, rows[i].seconds);
    add(o, rows[i].count);
  }
}

static void add_evaluation(outcome *o, mho_trainer *t) {
  mho_evaluation v;
  OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei));
  add(o, v.accuracy);
  add(o, v.loss);
  add(o, v.settle_steps);
  add(o, v.time_s);
}

static void add_observed(outcome *o, mho_trainer *t) {
  mho_settle_row row = {0};
  double cosine[16] = {0};
  OK(mho_trainer_observe(t, &row, cosine, &ei));
  double v[] = {row.spectral_radius, row.lyapunov,     row.steps_mean,
                row.steps_max,       row.residual_max, row.time_s};
  for (int i = 0; i < MHO_COUNT(v); i++)
    add(o, v[i]);
  for (int i = 0; i < MHO_COUNT(cosine); i++)
    add(o, cosine[i]);
}

/* Trains the experiment of a config with an assignment on top (nullable); false where it is
 * refused. */
static bool train(const char *yaml, const char *assignment, outcome *o, mho_experiment **e) {
  mho_errinfo why;
  mho_trainer *t = NULL;
  mho_experiment *mine = NULL;
  o->n = 0;

  if (mho_experiment_of_yaml(registry, yaml, assignment ? 1 : 0, &assignment, &mine, &why) ||
      mho_trainer_new(NULL, mine, &t, &why)) {
    mho_experiment_free(mine);
    return false;
  }

  mho_err err = mho_trainer_train(t, add_epoch, o, &why);
  if (!err) {
    add_connections(o, t);
    add_energy(o, t);
    add_observed(o, t);
    OK(mho_trainer_age(t, 3600, &ei));
    add_evaluation(o, t);
    add_connections(o, t);
  }
  mho_trainer_free(t);

  if (e)
    *e = mine;
  else
    mho_experiment_free(mine);
  return !err;
}

/* ---------------------------------------------------------------- other values of a key */

enum { VALUES = 24, ENOUGH = 2 };
typedef struct values {
  int n;
  char text[VALUES][128];
} values;

static void add_value(values *v, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(v->text[v->n++], sizeof v->text[0], format, args);
  va_end(args);
}

static void add_words(values *v, const char *words, const char *now) {
  char list[MHO_TEXT_MAX], *save;
  snprintf(list, sizeof list, "%s", words);
  for (char *w = strtok_r(list, "|", &save); w; w = strtok_r(NULL, "|", &save))
    if (strcmp(w, now))
      add_value(v, "%s", w);
}

static void add_numbers(values *v, const mho_param *p, double now) {
  double candidate[] = {2 * now, 0.5 * now, 0.3, 0, 1, 3, 0.9, p->low, p->high};
  for (int i = 0; i < MHO_COUNT(candidate); i++) {
    double x = p->kind == MHO_PARAM_INT ? round(candidate[i]) : candidate[i];
    bool is_large = fabs(x) > 100 * fmax(fabs(now), 1);
    if (x != now && x >= p->low && x <= p->high && !is_large)
      add_value(v, "%.9g %s", x, p->unit);
  }
}

/* Values that a general rule would not find. */
static const struct special {
  const char *key, *text;
} special[] = {
    {"network.hidden", "[7, 4]"},  {"update.rates", "[0.1, 0.2, 0.3]"},
    {"array.wire.tile", "[3, 3]"}, {"device.write_error.c3", "1e12"},
    {"update.clip", "1e-6"},       {"device.endurance.pulses", "2"},
};

/* Keys that may be without effect in such a short training, or next to such small weights, and are
 * not said to be idle. */
static const char *const incidental[] = {
    "network.topology",
    "device.bounded",
    "device.start",
    "device.slope_up",
    "device.slope_down",
    "device.bounds",
    "device.alpha_set",
    "device.alpha_reset",
    "observe.settling",
    "observe.spectral_radius",
    "device.zero_shift",
    "update.tries",
    "update.layer_rates",
    "array.read_voltage",
    "array.dac_range",
    "array.tiles",
    "array.ranging",
    "array.model",
    "device.iv.v_max",
    "update.clip",
    "device.refresh.every",
    "device.pulse.reset_voltage",
    "device.pulse.reset_width",
    "device.endurance.pulses",
    "array.wire.negative",
    "device.weight_range",
    "array.average",
    "array.wire.tolerance",
    "array.calibration.every",
    "settle.tolerance",
    "neuron.strict",
};

static bool is_in(const char *key, int n, const char *const *list) {
  for (int i = 0; i < n; i++)
    if (!strcmp(key, list[i]))
      return true;
  return false;
}

/* Keys that such a short training does not judge: they find data, or say what only others ask. */
static const char *const unjudged[] = {"dataset.name", "train.seeds.chip", "train.seeds.noise",
                                       "checkpoint.every", "device.only_written"};

static void other_values(const mho_setting *s, values *v) {
  char key[128], now[MHO_TEXT_MAX];
  v->n = 0;
  snprintf(key, sizeof key, "%s.%s", s->section->name, s->name);
  if (is_in(key, MHO_COUNT(unjudged), unjudged))
    return;
  for (int i = 0; i < MHO_COUNT(special); i++)
    if (!strcmp(key, special[i].key))
      add_value(v, "%s", special[i].text);

  if (!s->param) {
    int k = strcmp(s->name, s->section->selector[0].key) != 0;
    mho_kind kind = s->section->selector[k].kind;
    for (int i = 0; i < mho_registry_count(registry, kind); i++)
      if (strcmp(mho_registry_at(registry, kind, i)->id, s->word))
        add_value(v, "%s", mho_registry_at(registry, kind, i)->id);
    return;
  }

  const void *at = (const char *)s->params + s->param->offset;
  switch (s->param->kind) {
  case MHO_PARAM_REAL:
    add_numbers(v, s->param, *(const double *)at);
    return;
  case MHO_PARAM_INT:
    add_numbers(v, s->param, (double)*(const int64_t *)at);
    return;
  case MHO_PARAM_BOOL:
    add_value(v, "%s", *(const bool *)at ? "false" : "true");
    return;
  case MHO_PARAM_CHOICE:
    mho_param_format(s->param, s->params, true, now, sizeof now);
    add_words(v, s->param->text, now);
    return;
  case MHO_PARAM_TEXT:
  case MHO_PARAM_INTS:
  case MHO_PARAM_REALS:
    return;
  }
}

/* ---------------------------------------------------------------- every key of an experiment */

/* Whether a key says "auto" and the other value that trains is what auto comes to here. */
static bool confirms(const mho_setting *s, int trained) {
  char now[MHO_TEXT_MAX] = "";
  if (s->param)
    mho_param_format(s->param, s->params, true, now, sizeof now);
  return !strcmp(now, "auto") && trained < 2;
}

typedef struct judged {
  const char *name, *yaml;
  const char *only; /* what keys that are judged contain; NULL: all are */
  const outcome *as_is;
  outcome other;
  int wrong;
} judged;

static void judge(void *user, const mho_setting *s) {
  judged *j = user;
  values v;
  int trained = 0, enough = is_long() ? VALUES : ENOUGH;
  char key[128], assignment[512];
  bool acts = false;

  snprintf(key, sizeof key, "%s.%s", s->section->name, s->name);
  if (j->only && !strstr(key, j->only))
    return;

  other_values(s, &v);
  for (int i = 0; i < v.n && trained < enough && !acts; i++) {
    snprintf(assignment, sizeof assignment, "%s=%s", key, v.text[i]);
    if (!train(j->yaml, assignment, &j->other, NULL))
      continue;
    trained++;
    acts = !is_same(&j->other, j->as_is);
  }
  if (!trained || acts == !s->idle)
    return;
  if (!acts && !is_long())
    return;
  if (!acts && (confirms(s, trained) || is_in(key, MHO_COUNT(incidental), incidental)))
    return;

  j->wrong++;
  print_error("%s: %s %s%s\n", j->name, key,
              acts ? "acts, and is said to be idle: " : "has no effect, and is not said to be idle",
              acts ? s->idle : "");
}

/* Two epochs on 30 digits; a config that names layers itself goes without hidden ones. */
static int check_keys(const char *yaml, const char *only) {
  outcome as_is = {0};
  mho_experiment *e;
  char whole[1024];
  bool has_layers = strstr(yaml, "network:") != NULL;
  snprintf(whole, sizeof whole,
           "dataset: {train: 30, test: 20}\ntrain: {epochs: 2, batch: 10}\n%s%s",
           has_layers ? "" : "network: {hidden: [6, 6, 6]}\n", yaml);
  if (!train(whole, NULL, &as_is, &e))
    fail_msg("'%s' does not train", whole);

  judged j = {.name = yaml, .yaml = whole, .only = only, .as_is = &as_is};
  mho__settings_visit(e, judge, &j);
  mho_experiment_free(e);
  free(as_is.v);
  free(j.other.v);
  return j.wrong;
}

static int check(const char *yaml) {
  return check_keys(yaml, NULL);
}

/* All of them, or one in eight, the first among them. */
static void check_all(int n, const char *const *yaml) {
  int wrong = 0, stride = is_long() ? 1 : 8;
  for (int i = 0; i < n; i += stride)
    wrong += check(yaml[i]);
  assert_int_equal(wrong, 0);
}

#define LINEAR     "device: {model: linear, step_up: 0.02, step_down: 0.02}\n"
#define ACCUMULATE "update: {scheme: accumulate, optimizer: sgd, rate: 1}\n"
#define PULSED     LINEAR ACCUMULATE
#define BY(scheme) LINEAR "update: {scheme: " scheme ", optimizer: sgd, rate: 1}\n"
#define SOFT(keys) "device: {model: soft_bounds, " keys "}\n" ACCUMULATE

static void test_floating_point(void **state) {
  static const char *const configs[] = {
      "",
      "network: {hidden: [6, 6, 6, 6], topology: residual}\n",
      "network: {hidden: [6, 6, 6], biases: true}\n",
      "network: {topology: conv, conv: 3x3 pool2 6}\n",
      "feedback: {mode: asymmetric}\n",
      "network: {hidden: [6, 6, 6], output: state}\nfeedback: {scale: 0.5}\n",
      "network: {hidden: [6, 6], output: state}\nrule: {phases: centred, error: live}\n",
      "neuron: {saturation: 0.5, variation: {gain: 0.1}}\n",
      "network: {hidden: [24, 12]}\ndynamics: resistive\nrule: {nudge: 0.05}\n",
      "network: {topology: conv, conv: 4x3s2p1 12}\ndynamics: resistive\nrule: {nudge: 0.05}\n",
      "network: {hidden: [24, 12]}\ndynamics: resistive\n"
      "neuron: {saturation: 0.5, variation: {gain: 0.1}}\n"
      "resistive: {input_gain: 4, rectifier: junction, amplifier: {voltage: 2}}\n"
      "rule: {nudge_by: current}\n",
      "network: {hidden: [24, 12]}\ndynamics: resistive\nrule: {nudge: 0.05}\n"
      "settle: {method: ode, tolerance: 1e-3}\n",
      "settle: {difference: subtract}\n",
      "settle: {method: synchronous}\n",
      "rule: {phases: points}\n",
      "rule: {phases: points, points: 2}\nsettle: {method: synchronous}\n",
      "settle: {method: ode}\n",
      "rule: {adaptation: 0.2, adaptation_steps: 2}\n",
      "rule: {adaptation: 0.2, adaptation_steps: -1}\nsettle: {method: synchronous}\n",
      "rule: {adaptation: 0.2}\nsettle: {method: ode}\n",
      "settle: {method: ode, noise: {white: 0.01}, nudge_shape: ramp,\n"
      "  read_free: 2, read_nudged: 1}\n",
      "rule: {name: bp}\n",
      "rule: {name: bp}\nupdate: {apply: sample}\n",
      "rule: {name: bp, importance: local}\n",
      "rule: {name: fa, importance: propagate, importance_by: probe}\n",
      "rule: {name: fa}\n",
      "rule: {name: perturb}\n",
      "rule: {name: perturb, law: gain}\n",
      "rule: {name: perturb, of: nodes, law: rms}\n",
      "rule: {name: balance}\n",
      "rule: {name: balance, gate: bump, tied: both}\nfeedback: {scale: 0.2}\n",
      "rule: {name: balance, gate: window}\nfeedback: {scale: 0}\n",
      "rule: {name: balance}\nsettle: {method: ode}\n",
      "rule: {name: balance, credit_read: 20}\nsettle: {method: ode, tolerance: 1e-3}\n",
      "rule: {name: balance}\narray: {model: periphery, read_noise: 0.01}\n",
      "rule: dfc\nfeedback: {path: direct}\n",
      "rule: dfc\nfeedback: {path: direct, q: {kind: learned, epochs_before: 1, epochs: 1,\n"
      "  steps: 3}}\n",
      "rule: {name: dfc, control: time, steps: 5}\n"
      "feedback: {path: direct, q: {kind: learned, epochs_before: 0, filter: 1}}\n",
      "rule: {name: dfc}\n",
      "rule: {name: dfc, target: label, gain: 2, control: linear}\n",
      "rule: {name: dfc, control: linear, tolerance: 0.01}\nnetwork: {hidden: [100, 70]}\n",
      "rule: {name: dfc, learn: potential, leak_on: integral, proportional: 1}\n"
      "feedback: {path: direct}\nneuron: {variation: {offset: 0.1}}\n",
      "rule: {name: dfc, control: time, ratio: 0.2, steps: 30, proportional: 1}\n",
      "rule: {name: dfc, target: label, gain: 1, steps: 20}\n"
      "array: {model: periphery, read_noise: 0.01}\n",
      "rule: {name: dfc, control: time, steps: 20, integrate: rkf45}\nnetwork: {output: linear}\n",
      "update: {optimizer: momentum, schedule: cosine, rate: 0.1}\n",
      "update: {optimizer: sgd, schedule: step, rate: 0.1, step_every: 1}\n",
      "dataset: {crop: 1}\n",
      "device: {bounded: true, weight_range: 0.5}\n",
      "array: {model: periphery, read_noise: 0.01}\n",
      "array: {model: periphery, read_noise: 0.01}\nrule: {phases: points}\n"
      "settle: {average: 3}\n",
      "array: {model: periphery, adc_bits: 6, adc_range: fixed}\n",
      "observe: {spectral_radius: true, lyapunov: true, settling: true, cosine: true}\n",
      "observe: {cosine: true}\n",
  };
  check_all(MHO_COUNT(configs), configs);
}

static void test_devices(void **state) {
  static const char *const configs[] = {
      PULSED,
      LINEAR,
      "network: {hidden: [24, 12], biases: false}\ndynamics: resistive\nrule: {nudge: 0.05}\n"
      "device: {model: linear, mapping: single, g_min: 10 uS}\nupdate: {scheme: accumulate}\n",
      BY("pulses"),
      BY("stochastic"),
      BY("tiki_taka, variant: v1"),
      BY("tiki_taka, variant: v2, symmetry: none"),
      BY("tiki_taka, variant: chopped, chop_in: 0.5, chop_out: 0.5, auto_granularity: 10"),
      BY("tiki_taka, variant: chopped, chop_in: 0, auto_scale: false, auto_granularity: 0, "
         "gamma: 0.1"),
      BY("tiki_taka, variant: agad, chop_in: 0.5, auto_granularity: 10"),
      BY("sign"),
      BY("write_verify"),
      SOFT("mapping: one_sided, refresh: {above: 0.52}"),
      SOFT("mapping: reference, zero_shift: true, up_down: 0.3"),
      SOFT("mapping: single"),
      SOFT("mapping: offset, up_down: 0.3"),
      SOFT("mapping: test_three, up_down: 0.3"),
      "device: {model: linear, step_up: 0.02, slope_up: 1, cycle_to_cycle: 0.1, levels: 64,\n"
      "  variation: {step: 0.3, g_low: 0.05}, endurance: {pulses: 10},\n"
      "  leak: {lifetime: 100}}\n" ACCUMULATE,
      SOFT("stuck: 0.1, variation: {step: 0.3, step_law: lognormal, g_high: 0.3, fold: 0.9}"),
      "device: {model: pcm}\nupdate: {scheme: accumulate, optimizer: sgd, rate: 30}\n",
      "device: {model: vteam}\n" ACCUMULATE,
      "device: {model: nl_pulse}\n" ACCUMULATE,
      PULSED "program: {initial: scheme}\n",
      PULSED "energy: {count: false}\n",
      PULSED "settle: {method: ode}\n",
      PULSED "rule: {name: bp}\n",
      "device: {model: soft_bounds, mapping: one_sided}\n" ACCUMULATE
      "rule: {importance: local, importance_by: read}\n",
      PULSED "rule: {name: perturb, by: pulse}\n",
      LINEAR "rule: {name: perturb}\n",
      PULSED "rule: {name: balance}\n",
      PULSED "rule: {name: dfc}\n",
      PULSED "rule: {name: dfc, control: time, steps: 20}\nfeedback: {path: direct}\n",
      PULSED "rule: {name: balance}\nsettle: {method: ode, tolerance: 1e-3}\n",
  };
  check_all(MHO_COUNT(configs), configs);
}

static void test_arrays(void **state) {
  static const char *const configs[] = {
      PULSED "array: {wire: {r_word: 5 ohm, r_bit: 5 ohm, tile: [16, 16]}}\n",
      PULSED "array: {write: {select: half}}\n",
      PULSED "array: {model: periphery, read_noise: 0.01, adc_bits: 6, dac_bits: 6,\n"
             "  wire: {tile: 16}}\n",
      PULSED "array: {model: periphery, adc_bits: 6, differencing: analog}\n",
      PULSED "array: {model: periphery, adc_bits: 6, coupling: analog}\n",
      "device: {model: linear, drift: {law: power}}\n" ACCUMULATE,
      "device: {model: linear, drift: {law: logarithmic, t0: 1 s, shift: -1 uS}}\n" ACCUMULATE,
      "device: {model: linear, read_noise: {law: cmo}}\narray: {model: periphery}\n",
      "device: {model: linear, drift: {law: exponential, tau: 1 h}}\n"
      "array: {model: periphery}\n" ACCUMULATE,
      "device: {model: pcm, drift: {law: pcm}, read_noise: {law: pcm}}\n"
      "array: {model: periphery}\n",
      "device: {model: linear, iv: {law: sinh}, read_noise: {law: constant, sigma: 0.01}}\n"
      "array: {model: periphery}\n",
      "device: {model: linear, iv: {law: polynomial, k2: 0.1}}\n"
      "array: {model: periphery}\n",
  };
  check_all(MHO_COUNT(configs), configs);
}

/* Keys that only some mappings go by, of every mapping that is registered. */
static void test_mappings(void **state) {
  static const char *const only[] = {"device.zero_", "device.refresh"};
  int wrong = 0, n = mho_registry_count(registry, MHO_KIND_MAPPING);
  for (int i = 0; i < n; i++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml, SOFT("mapping: %s, up_down: 0.3, refresh: {above: 0.52}"),
             mho_registry_at(registry, MHO_KIND_MAPPING, i)->id);
    for (int k = 0; k < MHO_COUNT(only); k++)
      wrong += check_keys(yaml, only[k]);
  }
  assert_int_equal(wrong, 0);
}

#define FIRES                                                                                      \
  "network: {hidden: [12]}\ndynamics: {name: test_lif, threshold: 0.05}\n"                         \
  "settle: {method: steps, steps: 20}\nrule: {name: perturb}\n"

/* Keys that a dynamics leaves without effect. */
static void test_neurons_that_fire(void **state) {
  static const char *const only[] = {"network.neuron", "network.forward_scale", "neuron.",
                                     "feedback.", "dynamics."};
  int wrong = 0;
  for (int k = 0; k < (is_long() ? 1 : MHO_COUNT(only)); k++)
    wrong += check_keys(FIRES, is_long() ? NULL : only[k]);
  assert_int_equal(wrong, 0);
}

/* The same of neurons that spike: enough of them must for keys to act. */
#define SPIKE_NET "network: {hidden: [12, 8], lateral: true, back: true}\ndynamics: spiking\n"
#define SPIKE_RUN                                                                                  \
  "settle: {steps: 20, encode: {rate: 700 Hz}}\nfeedback: {scale: 0.5}\n"                          \
  "rule: {name: perturb, size: 0.3}\n"
#define SPIKE_STDP                                                                                 \
  "network: {hidden: [12, 8]}\n"                                                                   \
  "settle: {steps: 40, encode: {rate: 700 Hz}}\n"

#define SPIKE_CSDP "network: {hidden: [12, 8]}\nsettle: {steps: 15}\n"

static void test_neurons_that_spike(void **state) {
  static const char *const configs[] = {
      SPIKE_NET SPIKE_RUN "neuron: {refractory: 1 ms, threshold: {value: 0.1, spread: 0.02}}\n",
      SPIKE_NET SPIKE_RUN
      "neuron: {synapse: current, reset: value, inhibit: line, refractory: 2 ms,"
      " threshold: {value: 0.05, law: layer, least: 0.01}}\n",
      SPIKE_STDP "rule: {name: stdp}\nneuron: {threshold: {value: 8, law: fixed}}\n",
      SPIKE_STDP "rule: {name: stdp, window: exponential}\n"
                 "neuron: {threshold: {value: 8, law: layer, least: 7.99}}\n",
      SPIKE_CSDP "rule: {name: csdp, threshold: 2}\n",
      SPIKE_CSDP "rule: {name: csdp, threshold: 2, negative: blend}\nnetwork: {context: none}\n"
                 "neuron: {trace: {form: add}}\n",
  };
  static const char *const only[] = {"neuron.", "settle.", "network.", "feedback.", "rule."};
  int wrong = 0;
  for (int i = 0; i < MHO_COUNT(configs); i += is_long() ? 1 : 3)
    for (int k = 0; k < MHO_COUNT(only); k++)
      wrong += check_keys(configs[i], only[k]);
  assert_int_equal(wrong, 0);
}

/* ---------------------------------------------------------------- what they are to say */

/* Why a key of an experiment has no effect, as it is said; NULL: it acts. */
static void find(void *user, const mho_setting *s) {
  const char **key = user;
  char path[128];
  snprintf(path, sizeof path, "%s.%s", s->section->name, s->name);
  if (!strcmp(path, key[0]))
    key[1] = s->idle ? s->idle : "acts";
}

static void test_reasons(void **state) {
  static const struct {
    const char *yaml, *key, *why;
  } cases[] = {
      {"", "device.stuck_on", "there are no devices"},
      {"", "device.write_error.c0", "there are no devices"},
      {"device: linear\n", "device.stuck_on", "acts"},
      {"device: linear\n", "device.read_noise.law", "array.model: periphery"},
      {"device: linear\n", "device.step_up", "update.scheme: exact"},
      {PULSED "array: {read_noise: 0.1}\n", "device.read_noise.law", "array.read_noise"},
      {"rule: {name: bp}\n", "settle.method", "nothing settles"},
      {"rule: {name: bp}\n", "feedback.scale", "nothing settles"},
      {"device: linear\n", "device.zero_shift", "no reference is written"},
      {"device: {model: linear, mapping: single}\n", "device.zero_shift", "no reference"},
      {"device: {model: linear, mapping: offset}\n", "device.zero_shift", "acts"},
      {"device: {model: linear, mapping: test_three}\n", "device.zero_shift", "acts"},
      {"device: {model: linear, mapping: test_three}\n", "device.refresh.every", "nothing is"},
      {"device: {model: linear, mapping: one_sided}\n", "device.refresh.every", "acts"},
      {FIRES, "network.neuron", "neurons fire (dynamics.name)"},
      {FIRES, "feedback.scale", "hear the input alone"},
      {FIRES, "neuron.slew", "not in continuous time"},
      {FIRES, "dynamics.tau", "acts"},
      {FIRES, "settle.dt", "acts"},
  };
  for (int i = 0; i < MHO_COUNT(cases); i++) {
    mho_experiment *e = experiment(cases[i].yaml);
    const char *key[2] = {cases[i].key, ""};
    mho__settings_visit(e, find, key);
    if (!strstr(key[1], cases[i].why))
      fail_msg("'%s': %s: '%s', expected '%s'", cases[i].yaml, key[0], key[1], cases[i].why);
    mho_experiment_free(e);
  }
}

static int setup(void **state) {
  if (setup_registry(state))
    return -1;
  OK(mho_registry_add(registry, MHO_KIND_MAPPING, &mho_mapping_three.entry, &ei));
  OK(mho_registry_add(registry, MHO_KIND_DYNAMICS, &dynamics_lif.entry, &ei));
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_floating_point),
      cmocka_unit_test(test_devices),
      cmocka_unit_test(test_arrays),
      cmocka_unit_test(test_mappings),
      cmocka_unit_test(test_neurons_that_fire),
      cmocka_unit_test(test_neurons_that_spike),
      cmocka_unit_test(test_reasons),
  };
  return cmocka_run_group_tests(tests, setup, teardown_registry);
}
