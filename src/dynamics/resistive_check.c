/* resistive_check.c - what a network of resistors goes with.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "dynamics/dynamics_check.h"

#define REFUSE(...) return mho_fail(ei, MHO_ECONFIG, __VA_ARGS__)

/* Whether the layers of a convolutional network are pooled. */
static bool has_pooling(const mho_experiment *e) {
  const mho_param *p = mho_params_find(e->topology.entry->params, "conv");
  char layers[MHO_TEXT_MAX] = "";
  if (p)
    mho_param_format(p, e->topology.params, true, layers, sizeof layers);
  return strstr(layers, "pool");
}

static mho_err check_network(const mho_experiment *e, mho_errinfo *ei) {
  const char *topology = e->topology.entry->id;
  if (strcmp(topology, "layered") && strcmp(topology, "conv"))
    REFUSE("network.topology: dynamics.name 'resistive' joins layers in a chain: use layered or "
           "conv");
  if (has_pooling(e))
    REFUSE("network.conv: no conductance between nodes of dynamics.name 'resistive' passes the "
           "largest voltage on: use strides (32x3s2p1) in place of pool");
  if (e->network.output != MHO_OUTPUT_STATE)
    REFUSE("network.output: with dynamics.name 'resistive' outputs are nodes, too: use state");
  if (e->network.forward_scale != 1)
    REFUSE("network.forward_scale: dynamics.name 'resistive' has no gain but that of its "
           "amplifiers: leave it at 1, and set resistive.amplifier.voltage");
  if (e->feedback.mode != MHO_FEEDBACK_SYMMETRIC)
    REFUSE("feedback.mode: with dynamics.name 'resistive' conductances lead back what they lead "
           "forward: use symmetric");
  if (e->feedback.scale != 1)
    REFUSE("feedback.scale: with dynamics.name 'resistive' conductances lead both ways alike: "
           "leave it at 1, and set resistive.amplifier.current");
  return MHO_OK;
}

/* What a network whose lines have resistance is made of. */
static mho_err check_wires(const mho_experiment *e, mho_errinfo *ei) {
  if (!mho_experiment_has_cells(e))
    REFUSE("array.wire.r_word: weights of dynamics.name 'resistive' without devices have no "
           "siemens that lines could be compared with: choose a device.model, or leave "
           "array.wire.r_word and array.wire.r_bit at 0");
  if (strcmp(e->topology.entry->id, "layered"))
    REFUSE("array.wire.r_word: a kernel between nodes of dynamics.name 'resistive' stands at every "
           "position, on lines that nothing lays out: use network.topology layered, or leave "
           "array.wire.r_word and array.wire.r_bit at 0");
  if (e->array_config.wire_refresh > 1)
    REFUSE("array.wire.refresh: wires between nodes of dynamics.name 'resistive' are solved after "
           "every update: leave it at 1");
  if (e->array_config.wire_negative != MHO_WIRE_NEGATIVE_OWN)
    REFUSE("array.wire.negative: a conductance of dynamics.name 'resistive' is one device without "
           "a neighbour: use own");
  if (e->circuit.gain > 0 || e->circuit.current > 0)
    REFUSE("neuron.variation.%s: amplifiers that differ and wires between their nodes "
           "(array.wire.r_word) are not for dynamics.name 'resistive' together: set it to 0",
           e->circuit.gain > 0 ? "gain" : "current");
  if (strcmp(e->settler.entry->id, "sweep"))
    REFUSE("settle.method: wires between nodes of dynamics.name 'resistive' (array.wire.r_word) "
           "are not for '%s': use sweep",
           e->settler.entry->id);
  return MHO_OK;
}

static mho_err check_hardware(const mho_experiment *e, mho_errinfo *ei) {
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  if (mho_experiment_has_cells(e) && !((const mho_mapping *)e->mapping.entry)->positive)
    REFUSE("device.mapping: a conductance between two nodes of dynamics.name 'resistive' is one "
           "device, and mapping '%s' has weights of both signs: use single",
           e->mapping.entry->id);
  if (mho_experiment_has_cells(e) && e->device_config.cells.n > 1)
    REFUSE("device.cells.n: a conductance between two nodes of dynamics.name 'resistive' is one "
           "device, and %d would be added outside of it: leave it at 1",
           (int)e->device_config.cells.n);
  if (mho_experiment_has_cells(e) && e->network.biases)
    REFUSE("network.biases: currents into nodes of dynamics.name 'resistive' are of both signs, "
           "which devices of device.model '%s' do not bring: set it to false",
           e->device.entry->id);
  if (!array->exact)
    REFUSE("array.model: nodes of dynamics.name 'resistive' are joined by conductances alone, "
           "without the converters and noise of array.model '%s': use ideal",
           array->entry.id);
  if (e->resistive.adc_bits == 1)
    REFUSE("resistive.adc_bits: a converter of 1 bit has the code 0 alone: use 2 or more, or 0");
  return mho_array_has_wires(&e->array_config) ? check_wires(e, ei) : MHO_OK;
}

/* Whether the network sees part of a scheme's fast array beside the conductances. */
static bool adds_fast_array(const mho_experiment *e) {
  const mho_param *p = mho_params_find(e->scheme.entry->params, "gamma");
  double gamma;
  if (!p || p->kind != MHO_PARAM_REAL)
    return false;
  memcpy(&gamma, e->scheme.params + p->offset, sizeof gamma);
  return gamma != 0;
}

/* By block descent, in continuous time, or as a circuit. */
static bool settles_resistors(const mho_settler *settler) {
  const char *id = settler->entry.id;
  return !strcmp(id, "sweep") || !strcmp(id, "ode") || !strcmp(id, "spice");
}

static mho_err check_learning(const mho_experiment *e, mho_errinfo *ei) {
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  const mho_observe_config *o = &e->observe;
  if (!rule->resistors)
    REFUSE("rule.name: '%s' does not learn the conductances of dynamics.name 'resistive': use ep",
           rule->entry.id);
  if (!settles_resistors((const mho_settler *)e->settler.entry))
    REFUSE("settle.method: dynamics.name 'resistive' comes to rest layer after layer, in time, or "
           "in ngspice: use sweep, ode or spice");
  if (strcmp(e->scheme.entry->id, "exact") && !mho_experiment_has_cells(e))
    REFUSE("update.scheme: without devices the conductances of dynamics.name 'resistive' are set "
           "as wanted, not by scheme '%s': use exact, or another device.model",
           e->scheme.entry->id);
  if (mho_experiment_has_cells(e) && adds_fast_array(e))
    REFUSE(
        "update.gamma: a fast array holds both signs, and no current is subtracted between nodes "
        "of dynamics.name 'resistive': set it to 0");
  if (e->gradient.importance != MHO_IMPORTANCE_NONE)
    REFUSE("rule.importance: nodes of dynamics.name 'resistive' have no weights that count for "
           "them: use none");
  if (o->spectral_radius || o->lyapunov || o->settling || o->cosine || o->control)
    REFUSE("dynamics.name: section observe is of neurons that are no nodes of dynamics.name "
           "'resistive': leave observe out");
  return MHO_OK;
}

mho_err mho__resistive_check(const mho_experiment *e, mho_errinfo *ei) {
  mho_err err = check_network(e, ei);
  if (!err)
    err = check_hardware(e, ei);
  return err ? err : check_learning(e, ei);
}

const char *mho__resistive_idle(const mho_experiment *e, const char *key) {
  const mho_resistive_config *own = &e->resistive;
  bool has_amplifiers = own->voltage != 1 || own->current != 1;
  if (!strcmp(key, "neuron.variation.tau") && mho_experiment_in_time(e))
    return NULL;
  if (!strcmp(key, "neuron.variation.gain") || !strcmp(key, "neuron.variation.current"))
    return has_amplifiers ? NULL : "there are no amplifiers (resistive.amplifier)";
  if (!strcmp(key, "neuron.variation.offset"))
    return own->rectifier == MHO_RECTIFIER_NONE ? "there are no diodes (resistive.rectifier)"
                                                : NULL;

  bool is_neuron = !strcmp(key, "network.neuron") || !strncmp(key, "neuron.", 7);
  return is_neuron ? "nodes between resistors are no neurons (dynamics.name)" : NULL;
}
