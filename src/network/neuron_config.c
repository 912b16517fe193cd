/* neuron_config.c - the keys of section neuron: of amplifiers, and of neurons that spike.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/check.h"

/* ---------------------------------------------------------------- where keys have no effect */

/* What is of a limit that there is not. */
static const char *without_saturation(const mho_experiment *e) {
  return e->circuit.saturation > 0 ? NULL : "activities have no limit (neuron.saturation)";
}

static const char *without_slew(const mho_experiment *e) {
  const char *why = mho_idle_without_time(e);
  if (why || e->circuit.slew > 0)
    return why;
  return "potentials have no limit (neuron.slew)";
}

/* Time constants are of neurons in continuous time, and of those that spike. */
static const char *without_tau(const mho_experiment *e) {
  return mho_idle_without_spikes(e) ? mho_idle_without_time(e) : NULL;
}

/* Why a key that is of one value of another has no effect. */
static const char *unless(const mho_experiment *e, bool acts, const char *otherwise) {
  const char *why = mho_idle_without_spikes(e);
  return why || acts ? why : otherwise;
}

static const char *without_currents(const mho_experiment *e) {
  return unless(e, e->circuit.spiking.synapse != MHO_SYNAPSE_DELTA,
                "a spike acts at once (neuron.synapse)");
}

static const char *without_conductances(const mho_experiment *e) {
  return unless(e, e->circuit.spiking.synapse == MHO_SYNAPSE_CONDUCTANCE,
                "synapses are no conductances (neuron.synapse)");
}

/* Conductances that inhibit are those of lateral links. */
static const char *without_inhibition(const mho_experiment *e) {
  const char *why = without_conductances(e);
  if (why || e->network.lateral)
    return why;
  return "there are no lateral links (network.lateral)";
}

static const char *without_reset_value(const mho_experiment *e) {
  return unless(e, e->circuit.spiking.reset == MHO_RESET_VALUE,
                "spikes subtract the threshold (neuron.reset)");
}

static const char *without_layer_law(const mho_experiment *e) {
  return unless(e, e->circuit.spiking.law == MHO_THRESHOLD_LAYER,
                "thresholds do not follow their layer (neuron.threshold.law)");
}

static const char *without_spike_law(const mho_experiment *e) {
  return unless(e, e->circuit.spiking.law == MHO_THRESHOLD_SPIKE,
                "spikes do not raise thresholds (neuron.threshold.law)");
}

static const char *without_target_law(const mho_experiment *e) {
  return unless(e, e->circuit.spiking.law == MHO_THRESHOLD_TARGET,
                "thresholds aim at no rate (neuron.threshold.law)");
}

static const char *without_least(const mho_experiment *e) {
  int law = e->circuit.spiking.law;
  return unless(e, law == MHO_THRESHOLD_LAYER || law == MHO_THRESHOLD_TARGET,
                "thresholds do not fall (neuron.threshold.law)");
}

static const char *without_line(const mho_experiment *e) {
  return unless(e, e->circuit.spiking.inhibit == MHO_INHIBIT_LINE,
                "no line inhibits (neuron.inhibit)");
}

static const char *without_strength(const mho_experiment *e) {
  int inhibit = e->circuit.spiking.inhibit;
  return unless(e, inhibit == MHO_INHIBIT_MAX || inhibit == MHO_INHIBIT_THRESHOLD,
                "no potentials are lowered (neuron.inhibit)");
}

/* Output neurons. */
static const char *without_outputs(const mho_experiment *e) {
  return unless(e, mho_output_has_neurons((mho_output)e->network.output),
                "outputs are no neurons (network.output)");
}

/* What neurons remember of their spikes, for a rule. */
static const char *without_trace(const mho_experiment *e) {
  return unless(e, ((const mho_rule *)e->rule.entry)->contrasts,
                "no rule asks for traces of neurons (rule.name)");
}

static const char *without_trace_gain(const mho_experiment *e) {
  const char *why = without_trace(e);
  if (why || e->circuit.spiking.trace_form == MHO_TRACE_FORM_ADD)
    return why;
  return "a spike sets the trace to 1 (neuron.trace.form)";
}

static const char *without_lateral(const mho_experiment *e) {
  return unless(e, e->network.lateral, "there are no lateral links (network.lateral)");
}

static const char *without_back(const mho_experiment *e) {
  return unless(e, e->network.back, "no links lead back (network.back)");
}

/* ---------------------------------------------------------------- keys */

#define P_SPIKING(field, name, unit, initial, low, high, ...)                                      \
  MHO_P_REAL(mho_circuit_config, spiking.field, name, unit, initial, low, high, __VA_ARGS__)
#define P_WORD(field, name, words, initial, ...)                                                   \
  MHO_P_CHOICE(mho_circuit_config, spiking.field, name, words, initial, __VA_ARGS__)

static const mho_param table[] = {
    MHO_P_REAL(mho_circuit_config, saturation, "saturation", "", 0, 0, 1e6,
               "largest |activity| the amplifiers deliver; 0: unlimited"),
    MHO_P_REAL(mho_circuit_config, slew, "slew", "", 0, 0, 1e9,
               "largest change of a neuron's potential per tau (settle.method ode); 0: unlimited",
               .idle = mho_idle_without_time),
    MHO_P_REAL(mho_circuit_config, tau, "variation.tau", "", 0, 0, 2,
               "spread of ln tau between neurons (settle.method ode, dynamics.name spiking)",
               .idle = without_tau),
    MHO_P_REAL(
        mho_circuit_config, gain, "variation.gain", "", 0, 0, 1,
        "spread of the gain around 1; dynamics resistive: of the amplifiers' gains of voltage, "
        "relative"),
    MHO_P_REAL(mho_circuit_config, current, "variation.current", "", 0, 0, 1,
               "dynamics resistive: spread of the amplifiers' gains of current, relative",
               .idle = mho_idle_without_resistors),
    MHO_P_REAL(
        mho_circuit_config, offset, "variation.offset", "", 0, 0, 10,
        "spread of the input offset, in units of a neuron's input; dynamics resistive: of the "
        "voltages that diodes keep nodes at, in units of the network"),
    MHO_P_REAL(mho_circuit_config, saturation_spread, "variation.saturation", "", 0, 0, 1,
               "relative spread of the saturation", .idle = without_saturation),
    MHO_P_REAL(mho_circuit_config, slew_spread, "variation.slew", "", 0, 0, 2, "spread of ln slew",
               .idle = without_slew),

    P_SPIKING(tau, "tau", "s", 20e-3, 1e-15, 1e6, "dynamics spiking: time constant of membranes",
              .idle = mho_idle_without_spikes),
    P_WORD(synapse, "synapse", "delta|current|conductance", MHO_SYNAPSE_DELTA,
           "a spike moves the potential at once by its weight; or it brings a current, or a "
           "conductance to a reversal potential, of that size, which decays",
           .idle = mho_idle_without_spikes),
    P_SPIKING(tau_syn, "tau_syn", "s", 5e-3, 0, 1e6,
              "time constant of these currents or conductances; 0: they last a step",
              .idle = without_currents),
    P_SPIKING(tau_inh, "tau_inh", "s", 10e-3, 0, 1e6,
              "the same of conductances that lateral links bring", .idle = without_inhibition),
    P_SPIKING(excitatory, "reversal.excitatory", "", 5, -1e6, 1e6,
              "potential that conductances pull to, ...", .idle = without_conductances),
    P_SPIKING(inhibitory, "reversal.inhibitory", "", -2.7, -1e6, 1e6,
              "... and those of lateral links", .idle = without_inhibition),
    P_SPIKING(rest, "rest", "", 0, -1e6, 1e6,
              "potential that membranes decay to, in units of what a weight of 1 brings",
              .idle = mho_idle_without_spikes),
    P_WORD(reset, "reset", "subtract|value", MHO_RESET_SUBTRACT,
           "a spike subtracts the threshold from the potential, or sets it",
           .idle = mho_idle_without_spikes),
    P_SPIKING(reset_to, "reset_to", "", 0, -1e6, 1e6, "reset value: to which",
              .idle = without_reset_value),
    P_SPIKING(refractory, "refractory", "s", 0, 0, 1e6,
              "for which a neuron that has fired holds its potential, in whole steps",
              .idle = mho_idle_without_spikes),
    MHO_P_BOOL(mho_circuit_config, spiking.strict, "strict", false,
               "neurons fire above their threshold, not at it", .idle = mho_idle_without_spikes),
    P_SPIKING(threshold, "threshold.value", "", 1, -1e6, 1e6, "potential at which a neuron fires",
              .idle = mho_idle_without_spikes),
    P_SPIKING(spread, "threshold.spread", "", 0, 0, 1e6,
              "thresholds differ between neurons by up to this, evenly",
              .idle = mho_idle_without_spikes),
    P_WORD(
        law, "threshold.law", "fixed|layer|spike|target", MHO_THRESHOLD_FIXED,
        "thresholds stay; or all of a layer rise with its spikes in a sample; or each rises with "
        "its own, and decays, from sample to sample of a training; or each aims at a rate there",
        .idle = mho_idle_without_spikes),
    P_SPIKING(rate, "threshold.rate", "", 0.001, 0, 1e6,
              "law layer: change in a step, times the layer's spikes less one",
              .idle = without_layer_law),
    P_SPIKING(least, "threshold.least", "", 0, -1e6, 1e6,
              "laws layer and target: below which no threshold falls", .idle = without_least),
    P_SPIKING(plus, "threshold.plus", "", 0.05, 0, 1e6, "law spike: what a spike adds",
              .idle = without_spike_law),
    P_SPIKING(decay, "threshold.tau", "s", 1e4, 1e-15, 1e12,
              "law spike: time constant in which that decays", .idle = without_spike_law),
    P_SPIKING(target, "threshold.target", "Hz", 1, 0, 1e15, "law target: the rate of a neuron",
              .idle = without_target_law),
    P_SPIKING(gain, "threshold.gain", "", 0.01, 0, 1e6,
              "law target: what a spike adds; as much is taken off in 1/target",
              .idle = without_target_law),
    P_WORD(inhibit, "inhibit", "none|line|max|threshold", MHO_INHIBIT_NONE,
           "when neurons of a layer fire, a line that all share resets the others; or lowers their "
           "potentials by the largest input of the layer then, or each by its own threshold, times "
           "inhibit_strength",
           .idle = mho_idle_without_spikes),
    P_SPIKING(inhibit_time, "inhibit_time", "s", 0, 0, 1e6,
              "inhibit line: for which they are held there, in whole steps", .idle = without_line),
    P_SPIKING(inhibit_strength, "inhibit_strength", "", 1, 0, 1e6,
              "inhibit max and threshold: by how many of these potentials fall",
              .idle = without_strength),
    P_WORD(winners, "winners", "all|one", MHO_WINNERS_ALL,
           "one: of the neurons of a layer that would fire in a step, that furthest above its "
           "threshold does, and among equals one at random",
           .idle = mho_idle_without_spikes),
    P_SPIKING(forward_gain, "gain.forward", "", 1, -1e6, 1e6,
              "what weights of forward links, and of those from the label, are multiplied with",
              .idle = mho_idle_without_spikes),
    P_SPIKING(lateral_gain, "gain.lateral", "", 1, 0, 1e6, "what those of lateral links are",
              .idle = without_lateral),
    P_SPIKING(output_gain, "gain.output", "", 1, -1e6, 1e6,
              "what those of links into output neurons are (network.output counts, membrane)",
              .idle = without_outputs),
    P_SPIKING(trace_tau, "trace.tau", "s", 13e-3, 1e-15, 1e6,
              "rule csdp: in which what a neuron remembers of its spikes decays",
              .idle = without_trace),
    P_WORD(trace_form, "trace.form", "set|add", MHO_TRACE_FORM_SET,
           "rule csdp: a spike sets what is remembered to 1, or adds to it", .idle = without_trace),
    P_SPIKING(trace_gain, "trace.gain", "", 1, 1e-6, 1e6, "form add: what a spike adds",
              .idle = without_trace_gain),
    P_SPIKING(forward_delay, "delay.forward", "s", 0, 0, 1e6,
              "for which spikes are under way on forward links beyond the step of the clock, in "
              "whole steps, at most 51",
              .idle = mho_idle_without_spikes),
    P_SPIKING(lateral_delay, "delay.lateral", "s", 0, 0, 1e6, "the same on lateral links",
              .idle = without_lateral),
    P_SPIKING(back_delay, "delay.back", "s", 0, 0, 1e6, "the same on links that lead back",
              .idle = without_back),
};
const mho_params mho_circuit_params = MHO_PARAMS(mho_circuit_config, table);
