/* check.h - what an experiment has chosen, as those see it who check whether they fit the others.
 *
 * Every registered thing may refuse what others an experiment has chosen (mho_entry.check): it says
 * so in one sentence that names its own key and the other's, and what to do.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_CHECK_H
#define MHO_MODEL_CHECK_H

#include "mho/experiment.h"
#include "mho/model/dataset.h"
#include "mho/model/network.h"
#include "mho/model/program.h"
#include "mho/model/rule.h"
#include "mho/model/settle.h"

enum { MHO_CHOICE_MAX = 1536 };

/** A registered thing and its parameters. */
typedef struct mho_choice {
  const mho_entry *entry;
  MHO_ALIGNAS(16) unsigned char params[MHO_CHOICE_MAX];
} mho_choice;

/** Section train of the config. */
typedef struct mho_train_config {
  int64_t epochs, batch, chunk;
  int shuffle; /**< batches, samples */
  int64_t seed;
  int64_t seed_chip, seed_weights, seed_order, seed_noise; /**< -1: derived from seed */
  /** Run or folder that the weights are of at the start; "": drawn. */
  char from[MHO_TEXT_MAX];
} mho_train_config;
enum { MHO_SHUFFLE_BATCHES, MHO_SHUFFLE_SAMPLES };

/** Circuits and pulses, as far as their energy and time go: src/train/energy_of_epoch.c says how
 *  they enter. */
typedef struct mho_energy_config {
  bool count;
  double read_time, cell_capacitance, dac_energy, adc_step, adc_time, amplifier;
  int64_t adc_share, write_parallel;
} mho_energy_config;

/** How the initial weights of trained connections come into their devices:
 * src/train/initial_weights.c. */
typedef struct mho_initial_config {
  int how; /**< exact, scheme */
  int64_t rounds;
} mho_initial_config;
enum { MHO_INITIAL_EXACT, MHO_INITIAL_SCHEME };

/** Section checkpoint of the config. */
typedef struct mho_checkpoint_config {
  int64_t every; /**< epochs */
} mho_checkpoint_config;

/** A validated config: what is chosen of every kind, with its parameters, and the common keys. */
typedef struct mho_experiment {
  mho_choice dataset, topology, neuron, dynamics, settler, rule, optimizer, scheme, device, mapping;
  mho_choice array;
  mho_dataset_config dataset_config;
  mho_network_config network;
  mho_feedback_config feedback;
  mho_circuit_config circuit;
  mho_resistive_config resistive;
  mho_settle_config settle;
  mho_gradient_config gradient;
  mho_update_config update;
  mho_device_config device_config;
  mho_array_config array_config;
  mho_train_config train;
  mho_checkpoint_config checkpoint;
  mho_energy_config energy;
  mho_initial_config initial;
  mho_observe_config observe;
} mho_experiment;

/* ---------------------------------------------------------------- what follows from the choices */

/** Whether weights lie on devices: any but ideal ones. */
MHO_API bool mho_experiment_has_cells(const mho_experiment *e);
/** Whether of these devices nothing is known but verified writes (device.only_written). */
MHO_API bool mho_experiment_only_writes(const mho_experiment *e);
/** Whether training pulses them. */
MHO_API bool mho_experiment_has_pulses(const mho_experiment *e);
/** Whether training counts energy: on devices, unless told not to, and where the settler's reads
 *  are counted. */
MHO_API bool mho_experiment_counts_energy(const mho_experiment *e);
/** Whether phases run in seconds: a rule that settles, by a settler in continuous time. */
MHO_API bool mho_experiment_in_time(const mho_experiment *e);
/** Whether reads are products with the effective matrices: no noise, no converters, no I-V law. */
MHO_API bool mho_experiment_reads_exactly(const mho_experiment *e);
/** Whether the learning signal is settled itself rather than measured as a difference of two
 *  states: what settle.difference says, and where it says auto, whether everything is floating
 *  point and able to. */
MHO_API bool mho_experiment_direct(const mho_experiment *e);
/** Whether every layer's error comes divided by the signal's size, so that all layers learn alike:
 *  what rule.gradient and update.layer_rates say. */
MHO_API bool mho_experiment_normalizes(const mho_experiment *e);

/** When changes are applied: what update.apply says, and where it says auto, as the rule is
 *  defined. */
MHO_API mho_apply mho_experiment_applies(const mho_experiment *e);
/** Every seed, derived where it is not given. */
MHO_API mho_seeds mho_experiment_seeds(const mho_experiment *e);

/* Why keys of several tables have no effect, see mho_idle. */

/** Nothing is in the way: of a key that acts where those around it do not. */
MHO_API const char *mho_idle_never(const mho_experiment *e);
/** What is of devices, where there are none. */
MHO_API const char *mho_idle_without_cells(const mho_experiment *e);
/** What is of pulses, where none are given. */
MHO_API const char *mho_idle_without_pulses(const mho_experiment *e);
/** What is of settling, where the rule settles nothing. */
MHO_API const char *mho_idle_without_settling(const mho_experiment *e);
/** What is of a nudged phase, where the rule has none. */
MHO_API const char *mho_idle_without_nudge(const mho_experiment *e);
/** What is of networks of resistors, where there are none. */
MHO_API const char *mho_idle_without_resistors(const mho_experiment *e);
/** What is of neurons that spike, where they do not. */
MHO_API const char *mho_idle_without_spikes(const mho_experiment *e);
/** What is of neurons in continuous time. */
MHO_API const char *mho_idle_without_time(const mho_experiment *e);

#endif
