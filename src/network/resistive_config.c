/* resistive_config.c - the keys of a network of resistors.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "array/periphery.h"
#include "mho/model/check.h"

static const char *without_junctions(const mho_experiment *e) {
  const char *why = mho_idle_without_resistors(e);
  if (why || e->resistive.rectifier == MHO_RECTIFIER_JUNCTION)
    return why;
  return "there are no junctions (resistive.rectifier)";
}

static const char *without_noise(const mho_experiment *e) {
  const char *why = mho_idle_without_resistors(e);
  if (why || e->resistive.noise > 0)
    return why;
  return "nodes are measured exactly (resistive.noise)";
}

static const mho_settler *settler_of(const mho_experiment *e) {
  return (const mho_settler *)e->settler.entry;
}

static const char *without_turns(const mho_experiment *e) {
  const char *why = mho_idle_without_resistors(e);
  if (why || settler_of(e)->in_turn)
    return why;
  return "layers do not come to rest in turn (settle.method)";
}

static const char *without_start(const mho_experiment *e) {
  const char *why = mho_idle_without_resistors(e);
  if (why || settler_of(e)->in_turn || settler_of(e)->in_time)
    return why;
  return "ngspice looks for the rest of every sample anew (settle.method)";
}

static const char *without_converters(const mho_experiment *e) {
  const char *why = mho_idle_without_resistors(e);
  if (why || e->resistive.adc_bits > 0)
    return why;
  return "measured nodes go through no converters (resistive.adc_bits)";
}

static const mho_param table[] = {
    MHO_P_REAL(mho_resistive_config, input_gain, "input_gain", "", 100, 1e-9, 1e9,
               "A: every input x is held twice, at A x and -A x; a unit of voltage is "
               "array.read_voltage over A"),
    MHO_P_CHOICE(mho_resistive_config, rectifier, "rectifier", "ideal|junction|none",
                 MHO_RECTIFIER_IDEAL,
                 "diodes from ground that keep the first half of every hidden layer at or above 0 "
                 "and the others at or below: ideal ones, junctions, or none"),
    MHO_P_REAL(mho_resistive_config, i_s, "i_s", "", 1, 1e-30, 1e6,
               "rectifier junction: saturation current, over that of a weight of 1 at one unit of "
               "voltage",
               .idle = without_junctions),
    MHO_P_REAL(mho_resistive_config, n_vt, "n_vt", "V", 25.85e-3, 1e-9, 1e3,
               "rectifier junction: emission coefficient times thermal voltage",
               .idle = without_junctions),
    MHO_P_REAL(mho_resistive_config, voltage, "amplifier.voltage", "", 1, 1e-6, 1e6,
               "behind every hidden node: its voltage times this drives the next layer, ..."),
    MHO_P_REAL(mho_resistive_config, current, "amplifier.current", "", 1, 1e-6, 1e6,
               "... and the current that this draws times this is drawn from the node"),
    MHO_P_CHOICE(mho_resistive_config, order, "order", "alternate|forward|backward",
                 MHO_ORDER_ALTERNATE,
                 "of the layers in a sweep: the first, third, .. and then the others, or one after "
                 "another from the input on, or back to it",
                 .idle = without_turns),
    MHO_P_CHOICE(mho_resistive_config, start, "start", "kept|zero", MHO_START_KEPT,
                 "a free phase of training starts from where the last batch has come to rest, or, "
                 "as in every evaluation, from 0",
                 .idle = without_start),
    MHO_P_REAL(mho_resistive_config, noise, "noise", "V", 0, 0, 1e3,
               "what conductances learn from are voltages that were measured at the end of each "
               "phase, with noise of this standard deviation"),
    MHO_P_INT(mho_resistive_config, measurements, "measurements", 1, 1, 1000000000,
              "of every node at the end of a phase, each with noise of its own, that are averaged",
              .idle = without_noise),
    MHO_P_INT(mho_resistive_config, adc_bits, "adc_bits", 0, 0, MHO_CONVERTER_BITS,
              "of the converters that what is measured goes through, behind its noise and its "
              "average; 0: exact"),
    MHO_P_REAL(mho_resistive_config, adc_range, "adc_range", "V", 0, 0, 1e6,
               "full scale of these converters, to both sides of 0; 0: array.read_voltage",
               .idle = without_converters),
};
const mho_params mho_resistive_params = MHO_PARAMS(mho_resistive_config, table);

/* The mean of N numbers that are normal, each with deviation sigma, is normal with sigma/sqrt N. */
double mho_resistive_noise(const mho_network *net) {
  const mho_resistive_config *c = net->resistive;
  double unit = net->array.read_voltage / c->input_gain;
  return c->noise / unit / sqrt((double)c->measurements);
}

/* In units of array.read_voltage over the input gain. */
double mho_resistive_adc_range(const mho_network *net) {
  const mho_resistive_config *c = net->resistive;
  double read_voltage = net->array.read_voltage;
  double volts = c->adc_range > 0 ? c->adc_range : read_voltage;
  return volts / read_voltage * c->input_gain;
}

/* The circuits of a layer's nodes; outputs have neither amplifiers nor rectifiers. */
static const mho_circuit *circuits_of(const mho_network *net, int layer) {
  return layer == 0 || mho_layer_takes_error(net, layer) ? NULL : net->layer[layer].circuit;
}

static bool has_amplifiers(const mho_network *net) {
  return net->resistive->voltage != 1 || net->resistive->current != 1;
}

const mho_real *mho_resistive_gains(const mho_network *net, int layer) {
  const mho_circuit *c = circuits_of(net, layer);
  return c && has_amplifiers(net) ? c->gain : NULL;
}

const mho_real *mho_resistive_currents(const mho_network *net, int layer) {
  const mho_circuit *c = circuits_of(net, layer);
  return c && has_amplifiers(net) ? c->current : NULL;
}

const mho_real *mho_resistive_thresholds(const mho_network *net, int layer) {
  const mho_circuit *c = circuits_of(net, layer);
  return c && net->resistive->rectifier != MHO_RECTIFIER_NONE ? c->offset : NULL;
}

int mho_resistive_side(const mho_network *net, int layer, int node) {
  int channels = net->layer[layer].channels;
  bool has_none = net->resistive->rectifier == MHO_RECTIFIER_NONE;
  if (has_none || mho_layer_takes_error(net, layer))
    return 0;
  return node % channels < channels / 2 ? 1 : -1;
}

static double value_at(const mho_real *values, int i, double without) {
  return values ? (double)values[i] : without;
}

mho_node_circuit mho_resistive_node(const mho_network *net, int layer, int node) {
  return (mho_node_circuit){.gain = value_at(mho_resistive_gains(net, layer), node, 1),
                            .current = value_at(mho_resistive_currents(net, layer), node, 1),
                            .threshold = value_at(mho_resistive_thresholds(net, layer), node, 0),
                            .side = mho_resistive_side(net, layer, node)};
}

double mho_resistive_n_vt(const mho_network *net) {
  const mho_resistive_config *c = net->resistive;
  return c->n_vt * c->input_gain / net->array.read_voltage;
}

double mho_resistive_junction(const mho_network *net, const mho_node_circuit *c, double v) {
  double across = -c->side * (v - c->threshold);
  return c->side ? c->side * net->resistive->i_s * expm1(across / mho_resistive_n_vt(net)) : 0;
}
