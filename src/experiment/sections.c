/* sections.c - the sections of a config, with the keys that are of no other folder, and every key
 * in turn.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiment/sections.h"
#include "mho/model/check.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const mho_param train_table[] = {
    MHO_P_INT(mho_train_config, epochs, "epochs", 10, 1, 1e6, "passes through the training images"),
    MHO_P_INT(mho_train_config, batch, "batch", 100, 1, 65536, "samples an update"),
    MHO_P_INT(mho_train_config, chunk, "chunk", 0, 0, MHO_CHUNK_MAX,
              "samples a thread settles at once; 0: a quarter of the batch. "
              "Fewer tasks pack fewer matrices"),
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
    MHO_P_TEXT(mho_train_config, from, "from", "",
               "start from the weights of a run (id or name) or of a "
               "folder that mho export --weights wrote"),
};
static const mho_params train_params = MHO_PARAMS(mho_train_config, train_table);

static const mho_param checkpoint_table[] = {
    MHO_P_INT(mho_checkpoint_config, every, "every", 1, 0, 1e6,
              "epochs between checkpoints; 0: none, so that a run cut "
              "off starts anew and none can be evaluated"),
};
static const mho_params checkpoint_params = MHO_PARAMS(mho_checkpoint_config, checkpoint_table);

static const char *set_exactly(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  if (why || e->initial.how != MHO_INITIAL_EXACT)
    return why;
  return "initial weights are set exactly (program.initial)";
}

static const mho_param program_table[] = {
    MHO_P_CHOICE(
        mho_initial_config, how, "initial", "exact|scheme", MHO_INITIAL_EXACT,
        "initial weights set exactly, or written with update.scheme from devices at weight zero"),
    MHO_P_INT(mho_initial_config, rounds, "rounds", 30, 1, 10000,
              "initial scheme: most times that a weight is read and what it lacks is asked for",
              .idle = set_exactly),
};
static const mho_params program_params = MHO_PARAMS(mho_initial_config, program_table);

static const char *without_energy(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  if (why || mho_experiment_counts_energy(e))
    return why;
  return e->energy.count ? "reads are not counted (settle.method)"
                         : "no energy is counted (energy.count: false)";
}

/* Of what resistors join, the power that they dissipate is all that is counted. */
static const char *without_lines(const mho_experiment *e) {
  const char *why = without_energy(e);
  if (why || mho_idle_without_resistors(e))
    return why;
  return "nodes between resistors have no lines that are driven and sensed (dynamics.name)";
}

/* Whether an array has converters of drivers, or of sense lines. */
static bool has_converter(const mho_experiment *e, bool of_drivers) {
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  mho_array_converters converters = mho_array_converters_of(array, e->array.params);
  return of_drivers ? converters.dac_bits > 0 : converters.adc_bits > 0;
}

static const char *without_dac(const mho_experiment *e) {
  const char *why = without_energy(e);
  if (why || has_converter(e, true))
    return why;
  return "drivers have no converters (array.dac_bits)";
}

static const char *without_adc(const mho_experiment *e) {
  const char *why = without_energy(e);
  if (why || has_converter(e, false))
    return why;
  return "sense lines have no converters (array.adc_bits)";
}

static const char *without_addresses(const mho_experiment *e) {
  const char *why = without_energy(e);
  if (why)
    return why;
  why = mho_idle_without_pulses(e);
  if (why || !((const mho_scheme *)e->scheme.entry)->draw)
    return why;
  return "lines are pulsed, not cells (update.scheme)";
}

/* Defaults. Converters: A. Shafiee et al., "ISAAC", ISCA 2016, table 1 (8-bit ADC of 1.28 GS/s at 2
 * mW, so 1.6 pJ a conversion and 6 fJ a code; one of them for 128 columns; DACs of 4 uW at a read
 * of 100 ns, so 0.4 pJ). Assumptions, to be replaced by those of a process: 1 fF a cell of a line,
 * 10 uW an amplifier. */
static const mho_param energy_table[] = {
    MHO_P_BOOL(mho_energy_config, count, "count", 1,
               "count the energy and the time that training would take on hardware",
               .idle = mho_idle_without_cells),
    MHO_P_REAL(
        mho_energy_config, read_time, "read_time", "s", 100e-9, 1e-12, 1,
        "that lines are driven for a read; with analog neurons, for a step of the settle; of a "
        "network of resistors for a phase"),
    MHO_P_REAL(mho_energy_config, cell_capacitance, "cell_capacitance", "F", 1e-15, 0, 1e-9,
               "of a driven line, per cell on it: a read charges it once", .idle = without_lines),
    MHO_P_REAL(mho_energy_config, dac_energy, "dac_energy", "J", 0.4e-12, 0, 1,
               "of a conversion for a driven line", .idle = without_dac),
    MHO_P_REAL(mho_energy_config, adc_step, "adc_step", "J", 6e-15, 0, 1,
               "of a conversion of a sense line, per code: adc_step 2^bits", .idle = without_adc),
    MHO_P_REAL(mho_energy_config, adc_time, "adc_time", "s", 0.78e-9, 0, 1,
               "of a conversion of a sense line", .idle = without_adc),
    MHO_P_INT(mho_energy_config, adc_share, "adc_share", 128, 1, 1e6,
              "sense lines that take turns at a converter", .idle = without_adc),
    MHO_P_REAL(
        mho_energy_config, amplifier, "amplifier", "W", 10e-6, 0, 1e3,
        "power of a sense amplifier while it reads, and of the membrane of a neuron that spikes as "
        "long as samples last (settle.time_scale)",
        .idle = without_lines),
    MHO_P_INT(mho_energy_config, write_parallel, "write_parallel", 1, 1, 65536,
              "cells of a row that are pulsed at once, where a scheme addresses cells",
              .idle = without_addresses),
};
static const mho_params energy_params = MHO_PARAMS(mho_energy_config, energy_table);

#define AT(member) offsetof(mho_experiment, member)
const mho_section mho__sections[] = {
    {"dataset",
     &mho_dataset_params,
     AT(dataset_config),
     {{"name", MHO_KIND_DATASET, "digits", AT(dataset), .implied = true}}},
    {"network",
     &mho_network_params,
     AT(network),
     {{"topology", MHO_KIND_TOPOLOGY, "layered", AT(topology)},
      {"neuron", MHO_KIND_NEURON, "tanh", AT(neuron)}}},
    {"feedback", &mho_feedback_params, AT(feedback), {{NULL}}, .idle = mho_idle_without_settling},
    {"neuron", &mho_circuit_params, AT(circuit), {{NULL}}},
    {"dynamics", NULL, 0, {{"name", MHO_KIND_DYNAMICS, "rate", AT(dynamics)}}},
    {"resistive",
     &mho_resistive_params,
     AT(resistive),
     {{NULL}},
     .idle = mho_idle_without_resistors},
    {"settle",
     &mho_settle_params,
     AT(settle),
     {{"method", MHO_KIND_SETTLER, "sweep", AT(settler), .implied = true,
       .idle = mho_idle_without_settling, .keys_idle = mho_idle_without_settling}}},
    {"rule",
     &mho_gradient_params,
     AT(gradient),
     {{"name", MHO_KIND_RULE, "ep", AT(rule), .implied = true}}},
    {"update",
     &mho_update_params,
     AT(update),
     {{"optimizer", MHO_KIND_OPTIMIZER, "adam", AT(optimizer)},
      {"scheme", MHO_KIND_SCHEME, "exact", AT(scheme)}}},
    {"device",
     &mho_device_params,
     AT(device_config),
     {{"model", MHO_KIND_DEVICE, "ideal", AT(device), .implied = true,
       .keys_idle = mho_idle_without_pulses},
      {"mapping", MHO_KIND_MAPPING, "differential", AT(mapping), .idle = mho_idle_without_cells,
       .keys_idle = mho_idle_without_cells}},
     .idle = mho_idle_without_cells},
    {"array",
     &mho_array_params,
     AT(array_config),
     {{"model", MHO_KIND_ARRAY, "ideal", AT(array), .implied = true}}},
    {"train", &train_params, AT(train), {{NULL}}},
    {"checkpoint", &checkpoint_params, AT(checkpoint), {{NULL}}},
    {"program", &program_params, AT(initial), {{NULL}}, .idle = mho_idle_without_cells},
    {"energy", &energy_params, AT(energy), {{NULL}}, .idle = without_energy},
    {"observe", &mho_observe_params, AT(observe), {{NULL}}},
};
const int mho__n_sections = MHO_COUNT(mho__sections);

/* Why a key has no effect, as the first of the things chosen has it that says so. */
static const char *said_by_choices(const mho_experiment *e, const char *section, const char *name) {
  char key[128];
  snprintf(key, sizeof key, "%s.%s", section, name);

  for (int i = 0; i < mho__n_sections; i++) {
    const mho_section *s = &mho__sections[i];
    int selectors = mho__section_selectors(s);
    for (int k = 0; k < selectors; k++) {
      const mho_entry *entry = mho__section_choice(s, k, e)->entry;
      const char *why = entry->idle ? entry->idle(e, key) : NULL;
      if (why)
        return why;
    }
  }
  return NULL;
}

/* Whether an entry brings a default for a key. */
static bool brings(const mho_entry *e, const char *section, const char *name) {
  size_t n = strlen(section);
  for (int i = 0; i < e->n_defaults; i++) {
    const char *key = e->defaults[i].key;
    if (!strncmp(key, section, n) && key[n] == '.' && !strcmp(key + n + 1, name))
      return true;
  }
  return false;
}

/* Whether anything that an experiment has chosen does. */
static bool is_brought(const mho_experiment *e, const mho_section *section, const char *name) {
  for (int i = 0; i < mho__n_sections; i++) {
    const mho_section *s = &mho__sections[i];
    int selectors = mho__section_selectors(s);
    for (int k = 0; k < selectors; k++)
      if (brings(mho__section_choice(s, k, e)->entry, section->name, name))
        return true;
  }
  return false;
}

/* Why a key has no effect: what it says itself, else what is said of the keys around it; else what
 * the things that are chosen say of it. */
static const char *idle_by(const mho_experiment *e, const mho_section *section, const char *name,
                           mho_idle own, mho_idle others) {
  mho_idle idle = own ? own : others;
  const char *why = idle ? idle(e) : NULL;
  return why ? why : said_by_choices(e, section->name, name);
}

/* Every parameter of a table. */
static void visit_table(const mho_experiment *e, const mho_section *section, mho_params table,
                        const void *params, mho_idle idle, void (*f)(void *, const mho_setting *),
                        void *user) {
  for (int i = 0; i < table.n; i++) {
    mho_setting setting = {.section = section,
                           .name = table.p[i].name,
                           .is_brought = is_brought(e, section, table.p[i].name),
                           .is_default = mho_param_is_default(&table.p[i], params),
                           .idle = idle_by(e, section, table.p[i].name, table.p[i].idle, idle),
                           .param = &table.p[i],
                           .params = params};
    f(user, &setting);
  }
}

/* The selectors of a section, its own keys, and those of what the selectors have chosen. */
static void visit_section(const mho_experiment *e, const mho_section *s,
                          void (*f)(void *, const mho_setting *), void *user) {
  int selectors = mho__section_selectors(s);

  for (int k = 0; k < selectors; k++) {
    const char *id = mho__section_choice(s, k, e)->entry->id;
    mho_setting setting = {.section = s,
                           .name = s->selector[k].key,
                           .word = id,
                           .is_brought = is_brought(e, s, s->selector[k].key),
                           .is_default = !strcmp(id, s->selector[k].initial),
                           .idle = idle_by(e, s, s->selector[k].key, s->selector[k].idle, NULL)};
    f(user, &setting);
  }

  if (s->common)
    visit_table(e, s, *s->common, mho__section_common(s, e), s->idle, f, user);
  for (int k = 0; k < selectors; k++) {
    const mho_choice *choice = mho__section_choice(s, k, e);
    visit_table(e, s, choice->entry->params, choice->params, s->selector[k].keys_idle, f, user);
  }
}

void mho__settings_visit(const mho_experiment *e, void (*f)(void *, const mho_setting *),
                         void *user) {
  for (int i = 0; i < mho__n_sections; i++)
    visit_section(e, &mho__sections[i], f, user);
}
