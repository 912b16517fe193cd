/* experiment.c - a config's keys against the sections and the registry: a validated experiment.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "experiment/config.h"

static const mho_param train_table[] = {
    MHO_P_INT(mho_train_config, epochs, "epochs", 10, 1, 1e6, "passes through the training images"),
    MHO_P_INT(mho_train_config, batch, "batch", 100, 1, 65536, "samples an update"),
    MHO_P_INT(
        mho_train_config, chunk, "chunk", 0, 0, MHO_CHUNK_MAX,
        "samples a thread settles at once; 0: a quarter of the batch. Fewer tasks pack fewer matrices"),
    MHO_P_CHOICE(mho_train_config, shuffle, "shuffle", "batches|samples", MHO_SHUFFLE_BATCHES,
                 "batches are cut once and their order is shuffled, or samples are"),
    MHO_P_INT(mho_train_config, seed, "seed", 1, 0, 9e15,
              "of everything random that has no seed of its own"),
    MHO_P_INT(mho_train_config, seed_chip, "seeds.chip", -1, -1, 9e15,
              "device-to-device spread; -1: from seed"),
    MHO_P_INT(mho_train_config, seed_weights, "seeds.weights", -1, -1, 9e15,
              "initial weights; -1: from seed"),
    MHO_P_INT(mho_train_config, seed_order, "seeds.order", -1, -1, 9e15,
              "order of the data; -1: from seed"),
    MHO_P_INT(mho_train_config, seed_noise, "seeds.noise", -1, -1, 9e15,
              "read and pulse noise; -1: from seed"),
    MHO_P_TEXT(
        mho_train_config, from, "from", "",
        "start from the weights of a run (id or name) or of a folder that mho export --weights wrote"),
};
static const mho_params train_params = MHO_PARAMS(mho_train_config, train_table);

static const mho_param checkpoint_table[] = {
    MHO_P_INT(
        mho_checkpoint_config, every, "every", 1, 0, 1e6,
        "epochs between checkpoints; 0: none, so that a run cut off starts anew and none can be evaluated"),
};
static const mho_params checkpoint_params = MHO_PARAMS(mho_checkpoint_config, checkpoint_table);

static const mho_param program_table[] = {
    MHO_P_CHOICE(
        mho_initial_config, how, "initial", "exact|scheme", MHO_INITIAL_EXACT,
        "initial weights set exactly, or written with update.scheme from devices at weight zero"),
    MHO_P_INT(mho_initial_config, rounds, "rounds", 30, 1, 10000,
              "initial scheme: most times that a weight is read and what it lacks is asked for"),
};
static const mho_params program_params = MHO_PARAMS(mho_initial_config, program_table);

/* Defaults. Converters: A. Shafiee et al., "ISAAC", ISCA 2016, table 1 (8-bit ADC of 1.28 GS/s at 2 mW, so 1.6 pJ a
 * conversion and 6 fJ a code; one of them for 128 columns; DACs of 4 uW at a read of 100 ns, so 0.4 pJ). Assumptions, to be
 * replaced by those of a process: 1 fF a cell of a line, 10 uW an amplifier. */
static const mho_param energy_table[] = {
    MHO_P_BOOL(mho_energy_config, count, "count", 1,
               "count the energy and the time that training would take on hardware"),
    MHO_P_REAL(mho_energy_config, read_time, "read_time", "s", 100e-9, 1e-12, 1,
               "that lines are driven for a read; with analog neurons, for a step of the settle"),
    MHO_P_REAL(mho_energy_config, cell_capacitance, "cell_capacitance", "F", 1e-15, 0, 1e-9,
               "of a driven line, per cell on it: a read charges it once"),
    MHO_P_REAL(mho_energy_config, dac_energy, "dac_energy", "J", 0.4e-12, 0, 1,
               "of a conversion for a driven line"),
    MHO_P_REAL(mho_energy_config, adc_step, "adc_step", "J", 6e-15, 0, 1,
               "of a conversion of a sense line, per code: adc_step 2^bits"),
    MHO_P_REAL(mho_energy_config, adc_time, "adc_time", "s", 0.78e-9, 0, 1,
               "of a conversion of a sense line"),
    MHO_P_INT(mho_energy_config, adc_share, "adc_share", 128, 1, 1e6,
              "sense lines that take turns at a converter"),
    MHO_P_REAL(mho_energy_config, amplifier, "amplifier", "W", 10e-6, 0, 1e3,
               "power of a sense amplifier while it reads"),
    MHO_P_INT(mho_energy_config, write_parallel, "write_parallel", 1, 1, 65536,
              "cells of a row that are pulsed at once, where a scheme addresses cells"),
};
static const mho_params energy_params = MHO_PARAMS(mho_energy_config, energy_table);

#define AT(member) offsetof(mho_experiment, member)
const mho_section mho_sections[] = {
    {"dataset",
     &mho_dataset_params,
     AT(dataset_config),
     {{"name", MHO_KIND_DATASET, "digits", AT(dataset)}}},
    {"network",
     &mho_network_params,
     AT(network),
     {{"topology", MHO_KIND_TOPOLOGY, "layered", AT(topology)},
      {"neuron", MHO_KIND_NEURON, "tanh", AT(neuron)}}},
    {"feedback", &mho_feedback_params, AT(feedback), {{NULL}}},
    {"neuron", &mho_circuit_params, AT(circuit), {{NULL}}},
    {"settle",
     &mho_settle_params,
     AT(settle),
     {{"method", MHO_KIND_SETTLER, "sweep", AT(settler)}}},
    {"rule", &mho_gradient_params, AT(gradient), {{"name", MHO_KIND_RULE, "ep", AT(rule)}}},
    {"update",
     &mho_update_params,
     AT(update),
     {{"optimizer", MHO_KIND_OPTIMIZER, "adam", AT(optimizer)},
      {"scheme", MHO_KIND_SCHEME, "exact", AT(scheme)}}},
    {"device",
     &mho_device_params,
     AT(device_config),
     {{"model", MHO_KIND_DEVICE, "ideal", AT(device)}}},
    {"array", &mho_array_params, AT(array_config), {{"model", MHO_KIND_ARRAY, "ideal", AT(array)}}},
    {"train", &train_params, AT(train), {{NULL}}},
    {"checkpoint", &checkpoint_params, AT(checkpoint), {{NULL}}},
    {"program", &program_params, AT(initial), {{NULL}}},
    {"energy", &energy_params, AT(energy), {{NULL}}},
    {"observe", &mho_observe_params, AT(observe), {{NULL}}},
};
const int mho_n_sections = MHO_COUNT(mho_sections);

static mho_choice *choice_of(const mho_section *s, int k, mho_experiment *e) {
  return (mho_choice *)((char *)e + s->selector[k].offset);
}

static const mho_config_key *find_key(const mho_config *c, const char *section, const char *name) {
  char path[256];
  snprintf(path, sizeof path, "%s.%s", section, name);
  for (int i = 0; i < c->n; i++)
    if (!strcmp(c->key[i].path, path))
      return &c->key[i];
  return NULL;
}

/* ---------------------------------------------------------------- suggestions */

typedef struct nearest {
  const char *word, *best;
  int distance;
} nearest;

static void consider(nearest *n, const char *candidate) {
  int d = mho_text_distance(n->word, candidate);
  if (!n->best || d < n->distance) {
    n->best = candidate;
    n->distance = d;
  }
}

static void consider_table(nearest *n, const mho_params *t) {
  for (int i = 0; t && i < t->n; i++)
    consider(n, t->p[i].name);
}

static bool is_near(const nearest *n) {
  return n->best && n->distance <= 2 + (int)strlen(n->word) / 3;
}

/* ---------------------------------------------------------------- selectors */

/* Whether every key of the section that the common table lacks is one of this entry's. */
static bool fits_keys(const mho_config *c, const mho_section *s, const mho_entry *e) {
  size_t n = strlen(s->name);
  for (int i = 0; i < c->n; i++) {
    const char *path = c->key[i].path;
    if (strncmp(path, s->name, n) || path[n] != '.' || !strcmp(path + n + 1, s->selector[0].key))
      continue;
    if (!(s->common && mho_params_find(*s->common, path + n + 1)) &&
        !mho_params_find(e->params, path + n + 1))
      return false;
  }
  return true;
}

/* The word of a selector that the config leaves out: the default, or, where the section's keys are not the
 * default's, the one registered thing whose keys they are (array: {read_noise: 0.01} means the periphery). */
static const mho_entry *implied(const mho_registry *r, const mho_config *c, const mho_section *s,
                                int k) {
  const mho_entry *initial = mho_registry_find(r, s->selector[k].kind, s->selector[k].initial),
                  *other = NULL;
  if (s->selector[1].key || fits_keys(c, s, initial))
    return initial;
  for (int i = 0; i < mho_registry_count(r, s->selector[k].kind); i++) {
    const mho_entry *e = mho_registry_at(r, s->selector[k].kind, i);
    if (!fits_keys(c, s, e))
      continue;
    if (other)
      return initial; /* more than one: leave the unknown key to be reported */
    other = e;
  }
  return other ? other : initial;
}

static mho_err choose(const mho_registry *r, const mho_config *c, const mho_section *s, int k,
                      mho_experiment *e, mho_errinfo *ei) {
  mho_kind kind = s->selector[k].kind;
  const mho_config_key *key = find_key(c, s->name, s->selector[k].key);
  const mho_entry *entry = key ? mho_registry_find(r, kind, key->text) : implied(r, c, s, k);
  if (!entry) {
    nearest n = {.word = key->text};
    char all[MHO_TEXT_MAX] = "";
    for (int i = 0; i < mho_registry_count(r, kind); i++) {
      const char *id = mho_registry_at(r, kind, i)->id;
      consider(&n, id);
      mho_text_append(all, sizeof all, "%s%s", i ? ", " : "", id);
    }
    if (is_near(&n))
      return mho_fail_at(ei, MHO_ECONFIG, key->file, key->line,
                         "%s.%s: '%s' is unknown; did you mean '%s'? (known: %s)", s->name,
                         s->selector[k].key, key->text, n.best, all);
    return mho_fail_at(ei, MHO_ECONFIG, key->file, key->line, "%s.%s: '%s' is unknown (known: %s)",
                       s->name, s->selector[k].key, key->text, all);
  }
  mho_choice *choice = choice_of(s, k, e);
  choice->entry = entry;
  mho_params_init(entry->params, choice->params);
  return MHO_OK;
}

/* ---------------------------------------------------------------- keys */

static mho_err unknown_key(const mho_registry *r, const mho_section *s, const mho_config_key *key,
                           const char *name, mho_experiment *e, mho_errinfo *ei) {
  for (int k = 0; k < SELECTORS && s->selector[k].key;
       k++) /* a key of another model is the likeliest slip */
    for (int i = 0; i < mho_registry_count(r, s->selector[k].kind); i++) {
      const mho_entry *other = mho_registry_at(r, s->selector[k].kind, i);
      if (mho_params_find(other->params, name))
        return mho_fail_at(ei, MHO_ECONFIG, key->file, key->line,
                           "%s is a key of %s.%s '%s', but that is '%s' here", key->path, s->name,
                           s->selector[k].key, other->id, choice_of(s, k, e)->entry->id);
    }
  nearest n = {.word = name};
  consider_table(&n, s->common);
  for (int k = 0; k < SELECTORS && s->selector[k].key; k++) {
    consider(&n, s->selector[k].key);
    consider_table(&n, &choice_of(s, k, e)->entry->params);
  }
  if (is_near(&n))
    return mho_fail_at(ei, MHO_ECONFIG, key->file, key->line, "unknown key %s; did you mean %s.%s?",
                       key->path, s->name, n.best);
  return mho_fail_at(ei, MHO_ECONFIG, key->file, key->line,
                     "unknown key %s; 'mho train --print-config' shows all keys", key->path);
}

/* Whether --set chose another model than the config file, whose key this then is: such a key goes with its
 * model, so that one word switches between models. */
static bool belongs_to_replaced(const mho_registry *r, const mho_config *c, const mho_section *s,
                                const mho_config_key *key, const char *name) {
  for (int k = 0; k < SELECTORS && s->selector[k].key && !key->is_override; k++) {
    const mho_config_key *word = find_key(c, s->name, s->selector[k].key);
    for (int i = 0; word && word->is_override && i < mho_registry_count(r, s->selector[k].kind);
         i++)
      if (mho_params_find(mho_registry_at(r, s->selector[k].kind, i)->params, name))
        return true;
  }
  return false;
}

static mho_err assign(const mho_registry *r, const mho_config *c, const mho_section *s,
                      const mho_config_key *key, bool bare, mho_experiment *e, mho_errinfo *ei) {
  const char *name = key->path + strlen(s->name) + 1;
  const mho_param *p = s->common ? mho_params_find(*s->common, name) : NULL;
  void *at = (char *)e + s->common_offset;
  for (int k = 0; k < SELECTORS && s->selector[k].key; k++) {
    if (!strcmp(name, s->selector[k].key))
      return MHO_OK; /* chosen already */
    const mho_param *own = mho_params_find(choice_of(s, k, e)->entry->params, name);
    if (!p && own) {
      p = own;
      at = choice_of(s, k, e)->params;
    }
  }
  if (!p && belongs_to_replaced(r, c, s, key, name))
    return MHO_OK;
  if (!p)
    return unknown_key(r, s, key, name, e, ei);
  if (key->is_list && p->kind != MHO_PARAM_INTS && p->kind != MHO_PARAM_REALS &&
      p->kind != MHO_PARAM_TEXT)
    return mho_fail_at(ei, MHO_ECONFIG, key->file, key->line, "%s: expected one value, not a list",
                       key->path);
  mho_errinfo why;
  mho_err err = mho_param_parse(p, key->text, bare, at, &why);
  if (!err && !strcmp(key->path, "device.table"))
    mho_card_beside((char *)at + p->offset, key->file);
  return err ? mho_fail_at(ei, err, key->file, key->line, "%s: %s", key->path, why.message)
             : MHO_OK;
}

static mho_err assign_all(const mho_registry *r, const mho_config *c, bool bare, mho_experiment *e,
                          mho_errinfo *ei) {
  for (int i = 0; i < c->n; i++) {
    const mho_config_key *key = &c->key[i];
    const mho_section *section = NULL;
    nearest n;
    char head[64];
    snprintf(head, sizeof head, "%.*s", (int)strcspn(key->path, "."), key->path);
    n = (nearest){.word = head};
    for (int s = 0; s < mho_n_sections; s++) {
      consider(&n, mho_sections[s].name);
      if (!strcmp(head, mho_sections[s].name))
        section = &mho_sections[s];
    }
    if (!section && is_near(&n))
      return mho_fail_at(ei, MHO_ECONFIG, key->file, key->line,
                         "unknown section '%s'; did you mean '%s'?", head, n.best);
    if (!section)
      return mho_fail_at(ei, MHO_ECONFIG, key->file, key->line,
                         "unknown section '%s'; 'mho train --print-config' shows all of them",
                         head);
    if (!strchr(key->path, '.'))
      return mho_fail_at(ei, MHO_ECONFIG, key->file, key->line, "%s: expected keys below it",
                         key->path);
    mho_err err = assign(r, c, section, key, bare, e, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- what must fit together */

/* Why the difference cannot be settled itself, or NULL. */
static const char *not_direct(const mho_experiment *e) {
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  if (!rule->direct_needs)
    return "the rule has one phase only";
  if (!((const mho_settler *)e->settler.entry)->difference)
    return "settle.method knows only two states: use sweep";
  if (((const mho_device_model *)e->device.entry)->pulse)
    return "on devices the difference is measured: use device.model ideal";
  if ((array->noisy && array->noisy(e->array.params)) ||
      (array->lossy && array->lossy(e->array.params)))
    return "through noise, converters or amplifiers the difference is measured: use array.model ideal";
  if (mho_circuit_limited(&e->circuit))
    return "of amplifiers that saturate the difference is measured: use neuron.saturation 0";
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  const char *why = settler->direct_needs ? settler->direct_needs(e->settler.params) : NULL;
  if (why)
    return why;
  return rule->direct_needs(e->rule.params);
}

bool mho_experiment_direct(const mho_experiment *e) {
  return e->settle.difference != MHO_DIFFERENCE_SUBTRACT && !not_direct(e);
}

static mho_err at_key(const mho_config *c, const char *section, const char *name, mho_errinfo *ei,
                      const char *message) {
  const mho_config_key *key = find_key(c, section, name);
  return mho_fail_at(ei, MHO_ECONFIG, key ? key->file : NULL, key ? key->line : 0, "%s", message);
}

/* What a model says of its parameters, at the first key of the sentence that was set; else at the model. */
static mho_err at_named_key(const mho_config *c, const char *section, const char *model,
                            mho_errinfo *ei, const char *message) {
  char prefix[64], name[128];
  snprintf(prefix, sizeof prefix, "%s.", section);
  for (const char *at = message; (at = strstr(at, prefix)); at++) {
    const char *key = at + strlen(prefix);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(key, ":;, ("), key);
    if (find_key(c, section, name))
      return at_key(c, section, name, ei, message);
  }
  return at_key(c, section, model, ei, message);
}

/* Converters between hidden layers belong to a clock. */
static mho_err check_time(const mho_config *c, const mho_experiment *e, mho_errinfo *ei) {
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  mho_array_converters circuits = {0};
  if (array->converters)
    array->converters(e->array.params, &circuits);
  if (!settler->in_time || circuits.analog || !(circuits.dac_bits || circuits.adc_bits))
    return MHO_OK;

  return at_key(
      c, "array", circuits.adc_bits ? "adc_bits" : "dac_bits", ei,
      "array.coupling: digital neurons behind converters are clocked, and settle.method ode has no "
      "clock: use array.coupling analog, or leave dac_bits and adc_bits at 0");
}

static mho_err fit_together(const mho_registry *r, const mho_config *c, mho_experiment *e,
                            mho_errinfo *ei) {
  char message[MHO_MESSAGE_MAX];
  mho_errinfo why = {0};
  const mho_device_model *device = (const mho_device_model *)e->device.entry;
  const mho_scheme *scheme = (const mho_scheme *)e->scheme.entry;
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  mho_err bad = mho_device_check(device, e->device.params, &e->device_config, &why);
  if (bad && *why.file) /* in a table of the user's */
    return mho_fail_at(ei, bad, why.file, why.line, "%s", why.message);
  if (bad)
    return at_named_key(c, "device", "model", ei, why.message);
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  if (array->check && array->check(e->array.params, &why))
    return at_named_key(c, "array", "model", ei, why.message);
  if (scheme->needs_pulses && !device->pulse) {
    snprintf(
        message, sizeof message,
        "update.scheme: '%s' needs a device that answers pulses, and '%s' knows none: use scheme exact, "
        "or set "
        "device.model (mho list devices)",
        scheme->entry.id, device->entry.id);
    return at_key(c, "update", "scheme", ei, message);
  }
  if (e->initial.how == MHO_INITIAL_SCHEME && !scheme->apply) {
    snprintf(
        message, sizeof message,
        "program.initial: scheme '%s' writes outer products of samples, not any matrix: use exact, or "
        "another "
        "update.scheme",
        scheme->entry.id);
    return at_key(c, "program", "initial", ei, message);
  }
  bool shared = e->array_config.write_select == MHO_WRITE_HALF ||
                e->array_config.write_select == MHO_WRITE_THIRD;
  if (shared && !scheme->needs_pulses) {
    snprintf(
        message, sizeof message,
        "array.write.select: scheme '%s' writes without pulses, so other cells see none: leave it out, "
        "or use a scheme that pulses (mho list programs)",
        scheme->entry.id);
    return at_key(c, "array", "write.select", ei, message);
  }
  if (e->array_config.write_select == MHO_WRITE_THIRD && scheme->draw) {
    snprintf(
        message, sizeof message,
        "array.write.select: scheme '%s' pulses many lines at once, by half of the voltage each: use half or "
        "transistor",
        scheme->entry.id);
    return at_key(c, "array", "write.select", ei, message);
  }
  const mho_topology *shape = (const mho_topology *)e->topology.entry;
  if (scheme->draw && (shape->own_layers || e->network.biases)) {
    snprintf(
        message, sizeof message,
        "update.scheme: '%s' applies samples one after another, which is not simulated with convolutions or "
        "biases: use pulses or accumulate",
        scheme->entry.id);
    return at_key(c, "update", "scheme", ei, message);
  }
  if (scheme->draw) { /* samples go straight to the array: no optimizer stands between */
    const mho_entry *sgd = mho_registry_find(r, MHO_KIND_OPTIMIZER, "sgd");
    if (e->optimizer.entry != sgd && find_key(c, "update", "optimizer")) {
      snprintf(message, sizeof message,
               "update.optimizer: scheme '%s' applies every sample by itself: use sgd",
               scheme->entry.id);
      return at_key(c, "update", "optimizer", ei, message);
    }
    e->optimizer.entry = sgd;
    mho_params_init(sgd->params, e->optimizer.params);
    if (e->update.clip > 0 || e->update.decay > 0) {
      snprintf(message, sizeof message,
               "update.%s: scheme '%s' never holds a whole gradient: leave it at 0",
               e->update.clip > 0 ? "clip" : "decay", scheme->entry.id);
      return at_key(c, "update", e->update.clip > 0 ? "clip" : "decay", ei, message);
    }
  }
  if (rule->feedback_mode >= 0 && e->feedback.mode != rule->feedback_mode) {
    if (find_key(c, "feedback", "mode")) {
      snprintf(message, sizeof message, "feedback.mode: rule '%s' is defined with %s feedback",
               rule->entry.id,
               rule->feedback_mode == MHO_FEEDBACK_SYMMETRIC ? "symmetric" : "asymmetric");
      return at_key(c, "feedback", "mode", ei, message);
    }
    e->feedback.mode = rule->feedback_mode;
  }
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  if (settler->check && settler->check(e->settler.params, &why))
    return at_named_key(c, "settle", "method", ei, why.message);
  if (e->settle.difference == MHO_DIFFERENCE_DIRECT && not_direct(e)) {
    snprintf(message, sizeof message, "settle.difference: not direct, because %s", not_direct(e));
    return at_key(c, "settle", "difference", ei, message);
  }
  if (e->dataset_config.train > 0 && e->train.batch > e->dataset_config.train) {
    snprintf(message, sizeof message, "train.batch: %lld samples, but dataset.train uses only %lld",
             (long long)e->train.batch, (long long)e->dataset_config.train);
    return at_key(c, "train", "batch", ei, message);
  }
  const mho_topology *topology = (const mho_topology *)e->topology.entry;
  if (topology->own_layers &&
      !mho_param_is_default(mho_params_find(mho_network_params, "hidden"), &e->network)) {
    snprintf(message, sizeof message,
             "network.hidden: topology %s takes all layers from network.%s: put them there",
             topology->entry.id, topology->entry.params.p[0].name);
    return at_key(c, "network", "hidden", ei, message);
  }
  if ((topology->own_layers || e->network.biases) && array->holds && array->holds(e->array.params))
    return at_key(
        c, "array", "differencing", ei,
        "array.differencing: a held sense line is not simulated with convolutions or biases: use digital");
  if (topology->own_layers &&
      (e->observe.spectral_radius || e->observe.lyapunov || e->observe.settling)) {
    const char *key = e->observe.spectral_radius ? "spectral_radius"
                      : e->observe.lyapunov      ? "lyapunov"
                                                 : "settling";
    snprintf(message, sizeof message,
             "observe.%s: not for topology %s: only the cosine is observed there", key,
             topology->entry.id);
    return at_key(c, "observe", key, ei, message);
  }
  if (e->array_config.wire_tile.n < 1 || e->array_config.wire_tile.n > 2)
    return at_key(c, "array", "wire.tile", ei,
                  "array.wire.tile: expected rows and columns, for example [128, 128]");
  if (e->network.hidden.n < 1)
    return at_key(c, "network", "hidden", ei,
                  "network.hidden: give at least one hidden layer, for example [128]");
  return MHO_OK;
}

mho_err mho_experiment_new(const mho_registry *r, const mho_config *given, bool bare,
                           mho_experiment **out, mho_errinfo *ei) {
  *out = NULL;
  mho_config *c;
  mho_err err = mho_config_copy(given, &c, ei);
  if (err)
    return err;
  mho_experiment *e = mho_alloc(1, sizeof *e);
  err =
      e ? mho_config_rename(c, bare, ei) : mho_fail(ei, MHO_ENOMEM, "no memory for an experiment");
  if (!err)
    err = mho_card_apply(c, bare, ei);
  for (int s = 0; s < mho_n_sections && !err; s++) {
    if (mho_sections[s].common)
      mho_params_init(*mho_sections[s].common, (char *)e + mho_sections[s].common_offset);
    for (int k = 0; k < SELECTORS && mho_sections[s].selector[k].key && !err; k++)
      err = choose(r, c, &mho_sections[s], k, e, ei);
  }
  if (!err)
    err = assign_all(r, c, bare, e, ei);
  if (!err)
    err = fit_together(r, c, e, ei);
  if (!err && !bare) /* what is stored opens */
    err = check_time(c, e, ei);
  mho_config_free(c);
  if (err) {
    mho_free(e);
    return err;
  }
  *out = e;
  return MHO_OK;
}

void mho_experiment_free(mho_experiment *e) {
  mho_free(e);
}

mho_seeds mho_experiment_seeds(const mho_experiment *e) {
  const mho_train_config *t = &e->train;
  uint64_t seed = (uint64_t)t->seed;
#define SEED(own, use) (own) >= 0 ? (uint64_t)(own) : mho_rng_derive(seed, use)
  return (mho_seeds){.weights = SEED(t->seed_weights, MHO_RNG_WEIGHTS),
                     .chip = SEED(t->seed_chip, MHO_RNG_CHIP),
                     .order = SEED(t->seed_order, MHO_RNG_ORDER),
                     .noise = SEED(t->seed_noise, MHO_RNG_READ)};
#undef SEED
}

void mho_settings_visit(const mho_experiment *e, void (*f)(void *, const mho_setting *),
                        void *user) {
  for (int i = 0; i < mho_n_sections; i++) {
    const mho_section *s = &mho_sections[i];
    for (int k = 0; k < SELECTORS && s->selector[k].key; k++) {
      const char *id = mho_section_choice(s, k, e)->entry->id;
      f(user, &(mho_setting){.section = s,
                             .name = s->selector[k].key,
                             .word = id,
                             .is_default = !strcmp(id, s->selector[k].initial)});
    }
    for (int k = -1; k < SELECTORS; k++) {
      if (k < 0 ? !s->common : !s->selector[k].key)
        continue;
      mho_params t = k < 0 ? *s->common : mho_section_choice(s, k, e)->entry->params;
      const void *at = k < 0 ? mho_section_common(s, e) : mho_section_choice(s, k, e)->params;
      for (int j = 0; j < t.n; j++)
        f(user, &(mho_setting){.section = s,
                               .name = t.p[j].name,
                               .is_default = mho_param_is_default(&t.p[j], at),
                               .param = &t.p[j],
                               .params = at});
    }
  }
}
