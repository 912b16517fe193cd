/* energy_of_epoch.c - what an epoch of training would take on hardware, in energy and in time, term
 * by term: docs/energy.md has every formula with its source.
 *
 * Counted while training are the reads of every link with the squares of what drove its lines
 * (mho_meter), the time that phases last in continuous time, steps and pulses; conductances are
 * those at the end of the epoch.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/place.h"
#include "rule/stdp_waves.h"
#include "train/trainer.h"

enum { CELLS, LINES, DAC, ADC, AMPLIFIERS, SET, RESET, HALF, VERIFY, INTEGRATORS, INHIBITION };
static const char *const names[MHO_ENERGY_TERMS] = {
    "cells", "lines",         "dac",    "adc",         "amplifiers", "set",
    "reset", "half-selected", "verify", "integrators", "inhibition"};

/* An epoch of a training, with what follows from the config. */
typedef struct epoch {
  const mho_trainer *t;
  const mho_energy_config *c;
  mho_array_converters converters;
  bool analog;  /* hidden layers joined by wires */
  bool in_time; /* continuous */
  bool settles; /* phases settle; else the rule makes passes */
  double voltage, phases;
  double slices; /* reads that an input is given in, of which the meter has the squares of all */
  /* numbers of an analog neuron that are converted: phases' states, a credit, a second activity */
  double measured;
  double importance_reads; /* one after another, for what neurons count for, ... */
  double importance_turns; /* ... and conversions of them at a converter */
  mho_power power;
  mho_energy_row *row;
} epoch;

static bool is_read_out(const mho_network *net, const mho_link *k) {
  return k->to == mho_network_output(net);
}

static bool is_error(const mho_network *net, const mho_link *k) {
  return k->from == mho_network_output(net);
}

static bool is_input(const mho_network *net, const mho_link *k) {
  return k->from == 0;
}

/* The number of a link in the network. */
static int number_of(const epoch *e, const mho_link *k) {
  return (int)(k - e->t->net->link);
}

/* How often what the meter saw of a link happens. Digital neurons have the input read anew in every
 * phase, of which the meter saw the free one; for analog ones it stays on the lines. */
static double phases_of(const epoch *e, const mho_link *k) {
  return is_input(e->t->net, k) && !e->analog ? e->phases : 1;
}

/* Steps, or s in continuous time, in which a link's lines are driven. */
static double driven(const epoch *e, const mho_link *k, const double *of_phases) {
  bool waits = is_error(e->t->net, k) || k->role == MHO_CREDIT;
  return waits ? of_phases[1] : of_phases[0] + of_phases[1];
}

/* How often a link conducts for a vector that is read once: lines at the border of analog neurons
 * do in all steps. */
static double conducts(const epoch *e, const mho_link *k) {
  const mho_meter *m = e->t->at.meter;
  const mho_network *net = e->t->net;
  double reads = m->reads[number_of(e, k)];
  bool hidden = net->layer[k->to].neuron && net->layer[k->from].neuron;
  if (!e->analog || hidden || !(reads > 0))
    return 1;

  return fmax(driven(e, k, m->steps) * net->connection[k->connection].positions / reads, 1);
}

/* What a perturbation of rank one takes, see src/array/perturbation.c: a pair at opposite ends on
 * every line, an amplifier that holds what they read, and a driver at every sense line; all of it
 * again in every tile that converts for itself. */
static void count_edge(const epoch *e, const mho_link *k, double sensed) {
  const mho_meter *m = e->t->at.meter;
  const mho_device_config *d = &e->t->e->device_config;
  const mho_edge_reads *edge = &m->edge[number_of(e, k)];
  double v2 = e->voltage * e->voltage, pair = d->g_min + d->g_max, r = e->converters.average;
  double tiles = sensed / mho_link_outputs(e->t->net, k), circuits = tiles + sensed;
  if (!(edge->reads > 0))
    return;

  double share = edge->reads / m->reads[number_of(e, k)], times = r * conducts(e, k);
  double turns = times * e->slices;
  double held = e->in_time ? share * driven(e, k, m->time) : turns * e->c->read_time * edge->reads;
  double squares = e->in_time ? edge->driven : times * e->c->read_time * edge->squares;
  double charged = e->in_time ? 1 : r;

  e->row[CELLS].joule += v2 * squares * pair;
  e->row[AMPLIFIERS].joule += e->c->amplifier * held * circuits;
  e->row[AMPLIFIERS].count += (e->in_time ? 1 : turns) * edge->reads * circuits;
  e->row[LINES].joule += charged * v2 * e->c->cell_capacitance * 2 * edge->squares;
}

/* What a link's cells take of its lines, and its amplifiers while they hold the sense lines. */
static void count_cells(const epoch *e, const mho_link *k, double sensed) {
  const mho_meter *m = e->t->at.meter;
  int i = number_of(e, k);
  double v2 = e->voltage * e->voltage, r = e->converters.average;
  double reads = m->reads[i] * phases_of(e, k), power = 0;
  const double *squares = e->in_time ? m->driven[i] : m->squares[i];
  const double *sums = (k->transposed ? e->power.cols : e->power.rows)[k->connection];

  for (int j = 0; j < m->inputs[i]; j++)
    power += squares[j] * sums[j];

  if (e->in_time) {
    e->row[CELLS].joule += v2 * power;
    e->row[CELLS].count += reads;
    e->row[AMPLIFIERS].joule += e->c->amplifier * driven(e, k, m->time) * sensed;
    e->row[AMPLIFIERS].count += reads * sensed;
    return;
  }

  double times = r * conducts(e, k), turns = times * e->slices;
  e->row[CELLS].joule += times * v2 * e->c->read_time * power * phases_of(e, k);
  e->row[CELLS].count += turns * reads;
  e->row[AMPLIFIERS].joule += turns * e->c->amplifier * e->c->read_time * reads * sensed;
  e->row[AMPLIFIERS].count += turns * reads * sensed;
}

/* Cells that a line has for every weight: of a pair, and of each of several devices. */
static double cells_of_line(const mho_crossbar *x) {
  int first;
  return 2 * mho_crossbar_devices(x, 0, &first);
}

static void count_link(const epoch *e, const mho_link *k) {
  const mho_network *net = e->t->net;
  const mho_meter *m = e->t->at.meter;
  const mho_crossbar *x = net->connection[k->connection].xb;
  int i = number_of(e, k);
  bool converted = e->converters.adc_bits && !(e->analog && net->layer[k->to].neuron);
  double in = m->inputs[i], out = mho_link_outputs(net, k), r = e->converters.average;
  double sensed = converted ? out * mho_crossbar_conversions(x, k->transposed) : out;
  double reads = m->reads[i] * phases_of(e, k), squares = 0;

  if (e->t->learner->rule->credits && mho_link_has_error(net, k)) /* nothing is nudged */
    return;
  count_cells(e, k, sensed);
  count_edge(e, k, sensed);

  /* Lines are charged. */
  for (int j = 0; j < m->inputs[i]; j++)
    squares += m->squares[i][j] * phases_of(e, k);
  double charged = e->in_time ? 1 : r;
  e->row[LINES].joule +=
      charged * e->voltage * e->voltage * e->c->cell_capacitance * cells_of_line(x) * out * squares;
  e->row[LINES].count += charged * e->slices * reads * in;

  /* Converters at both ends. */
  if (e->converters.dac_bits && !(e->analog && net->layer[k->from].neuron))
    e->row[DAC].count += e->slices * reads * in;
  if (converted)
    e->row[ADC].count += r * e->slices * reads * sensed;
}

static void count_reads(const epoch *e) {
  const mho_network *net = e->t->net;
  for (int i = 0; i < mho_network_links(net); i++)
    count_link(e, &net->link[i]);
}

/* ---------------------------------------------------------------- importance of neurons */

/* Reads of a crossbar whose rows all are at the read voltage, or at minus it, so that no converter
 * drives them: see src/rule/importance.c. */
static void count_columns(const epoch *e, const mho_connection *k, double reads) {
  double v2 = e->voltage * e->voltage, r = e->converters.average, power = 0;
  const double *rows = e->power.rows[k - e->t->net->connection];
  double driven = k->xb->rows - k->bias, cols = k->xb->cols;
  for (int i = 0; i < k->xb->rows - k->bias; i++)
    power += rows[i];

  e->row[CELLS].joule += r * reads * v2 * e->c->read_time * power;
  e->row[CELLS].count += r * reads;
  e->row[AMPLIFIERS].joule += r * reads * e->c->amplifier * e->c->read_time * cols;
  e->row[AMPLIFIERS].count += r * reads * cols;
  e->row[LINES].joule +=
      r * reads * v2 * e->c->cell_capacitance * cells_of_line(k->xb) * cols * driven;
  e->row[LINES].count += r * reads * driven;
  if (e->converters.adc_bits)
    e->row[ADC].count += r * reads * cols;
}

/* All of them are read side by side, one vector after another. */
static void count_importance(epoch *e) {
  const mho_importance *p = e->t->learner->importance;
  const mho_network *net = e->t->net;
  double reads = p ? p->reads : 0;

  for (int c = 0; c < net->n_connections; c++) {
    const mho_connection *k = &net->connection[c];
    if (!(reads > 0) || !mho__importance_counts(net, k))
      continue;
    count_columns(e, k, reads);
    e->importance_turns =
        fmax(e->importance_turns, reads * fmin((double)e->c->adc_share, k->xb->cols));
  }
  e->importance_reads = reads;
}

/* ---------------------------------------------------------------- time of reads */

static double once(const epoch *e, const mho_link *k) {
  return 1;
}

/* Links that are read in the same phases: links first .. end-1. */
typedef struct links {
  int first, end;
} links;

/* What a layer's reads of its neighbours take in one step, each `of` so much, position by position
 * where it is a convolution: [0] from layers below, [1] from layers above, each side by side. */
static void reads_of_layer(const epoch *e, links some, int l,
                           double (*of)(const epoch *e, const mho_link *k), double most[2]) {
  const mho_network *net = e->t->net;
  most[0] = most[1] = 0;

  for (int i = some.first; i < some.end; i++) {
    const mho_link *k = &net->link[i];
    double positions = net->connection[k->connection].positions;
    if (k->to == l && net->layer[k->from].neuron)
      most[k->from > l] = fmax(most[k->from > l], positions * of(e, k));
  }
}

/* What passes through the layers take that settle nothing: forward once to predict, and once more
 * in every step of a controller; back once, or once in each of these. */
static double time_of_passes(const epoch *e, double forward, double back) {
  const mho_meter *m = e->t->at.meter;
  double steps = m->steps[1];
  return forward * (m->samples + steps) + back * fmax(steps, m->samples);
}

/* What so many steps' reads of some links into hidden layers take one after another, each `of` so
 * much: in a step a convolution is read position by position, layers side by side or in turn; a
 * rule that makes passes goes through the layers forward, then back. */
static double time_of_steps(const epoch *e, links some, double steps,
                            double (*of)(const epoch *e, const mho_link *k)) {
  const mho_trainer *t = e->t;
  double sum = 0, widest = 0, way[2] = {0};
  double least = of == once ? 1 : 0; /* a step passes, also in a layer that reads nothing in it */

  for (int l = 1; l < mho_hidden_end(t->net); l++) {
    double most[2];
    reads_of_layer(e, some, l, of, most);
    double step = fmax(fmax(most[0], most[1]), least);
    widest = fmax(widest, step);
    sum += step;
    way[0] += most[0];
    way[1] += most[1];
  }

  if (!e->settles)
    return time_of_passes(e, way[0], way[1]);
  return steps * (t->learner->settler->in_turn ? sum : widest);
}

/* The same of all phases: steps read all links, but those in which credits are led back theirs. */
static double one_after_another(const epoch *e, double (*of)(const epoch *e, const mho_link *k)) {
  const mho_network *net = e->t->net;
  const double *steps = e->t->at.meter->steps;
  links activities = {0, net->n_links}, credits = {net->n_links, mho_network_links(net)};
  if (!e->t->learner->rule->credits)
    return time_of_steps(e, activities, steps[0] + steps[1], of);
  return time_of_steps(e, activities, steps[0], of) + time_of_steps(e, credits, steps[1], of);
}

/* What the reads of a kind of link take, each `of` so much: those of one kind are side by side. */
static double side_by_side(const epoch *e, bool (*is)(const mho_network *net, const mho_link *k),
                           double (*of)(const epoch *e, const mho_link *k)) {
  const mho_network *net = e->t->net;
  double most = 0;

  for (int i = 0; i < mho_network_links(net); i++) {
    const mho_link *k = &net->link[i];
    if (is(net, k))
      most = fmax(most, e->t->at.meter->reads[i] * phases_of(e, k) * of(e, k));
  }
  return most;
}

/* The read-out, and between digital neurons the input and the error, which analog ones have all the
 * time. */
static double at_border(const epoch *e, double (*of)(const epoch *e, const mho_link *k)) {
  double sum = side_by_side(e, is_read_out, of);
  if (!e->analog)
    sum += side_by_side(e, is_input, of) + side_by_side(e, is_error, of);
  return sum;
}

/* Reads of spikes, one after another: in every step those of all links, side by side. */
static double reads_of_spikes(const epoch *e) {
  const mho_network *net = e->t->net;
  const double *steps = e->t->at.meter->steps;
  double widest = 1;
  for (int i = 0; i < net->n_links; i++)
    if (net->link[i].to < mho_hidden_end(net))
      widest = fmax(widest, net->connection[net->link[i].connection].positions);
  return (steps[0] + steps[1]) * widest + side_by_side(e, is_read_out, once);
}

/* Sense lines that take turns at a converter in a read of a link. */
static double turns(const epoch *e, const mho_link *k) {
  return fmin((double)e->c->adc_share, mho_link_outputs(e->t->net, k));
}

/* The same for the states of hidden layers that are measured, all layers side by side. */
static double turns_of_states(const epoch *e) {
  const mho_network *net = e->t->net;
  double widest = 0;
  for (int l = 1; l < mho_hidden_end(net); l++)
    widest = fmax(widest, fmin((double)e->c->adc_share, net->layer[l].n));
  return widest;
}

static void count_conversions(const epoch *e) {
  const mho_trainer *t = e->t;
  const mho_meter *m = t->at.meter;
  double r = e->converters.average;

  if (e->analog && e->converters.adc_bits)
    for (int l = 1; l < mho_hidden_end(t->net); l++)
      e->row[ADC].count += r * m->samples * e->measured * t->net->layer[l].n;

  e->row[DAC].joule = e->c->dac_energy * e->row[DAC].count;
  e->row[ADC].joule = e->c->adc_step * ldexp(1, e->converters.adc_bits) * e->row[ADC].count;

  double reads = at_border(e, once) + (e->in_time ? 0 : one_after_another(e, once));
  if (t->net->spiking)
    reads = reads_of_spikes(e);
  reads = e->slices * reads + e->importance_reads;
  e->row[CELLS].seconds = r * e->c->read_time * reads + m->time[0] + m->time[1];

  double hidden =
      e->analog ? m->samples * e->measured * turns_of_states(e) : one_after_another(e, turns);
  double converted = e->slices * (at_border(e, turns) + hidden) + e->importance_turns;
  if (e->converters.adc_bits)
    e->row[ADC].seconds = r * e->c->adc_time * converted;
}

/* ---------------------------------------------------------------- neurons that spike */

/* Membranes integrate for as long as samples are shown, on the chip's own time, which goes on
 * beside the reads; a line that neurons share is charged along all of them. */
static void count_spiking(const epoch *e) {
  const mho_network *net = e->t->net;
  const mho_meter *m = e->t->at.meter;
  double seconds = m->integrated * e->t->e->settle.time_scale, neurons = 0;
  for (int l = 1; net->spiking && l < mho_hidden_end(net); l++)
    neurons += net->layer[l].n;

  e->row[INTEGRATORS].count = neurons * m->samples;
  e->row[INTEGRATORS].joule = e->c->amplifier * neurons * seconds;
  e->row[INTEGRATORS].seconds = fmax(seconds - e->row[CELLS].seconds, 0);
  e->row[INHIBITION].count = m->inhibited;
  e->row[INHIBITION].joule = e->voltage * e->voltage * e->c->cell_capacitance * m->inhibited;
}

/* ---------------------------------------------------------------- pulses */

/* Other cells of a tile that see a fraction of the voltage while `at_once` cells of a row are
 * written, for each of these; the mean over the tiles of a matrix. */
static double others_selected(const epoch *e, const mho_crossbar *x, mho_place *place) {
  const mho_array_config *a = &e->t->e->array_config;
  int n = mho__places_cut(x, 0, a, place);
  double cells = 0, sum = 0;

  for (int i = 0; i < n; i++) {
    double rows = place[i].rows, width = place[i].width, here = rows * width;
    double at_once = fmin((double)e->c->write_parallel, width);
    double others = a->write_select == MHO_WRITE_THIRD ? (here - at_once) / at_once
                                                       : rows - 1 + (width - at_once) / at_once;
    cells += here;
    sum += here * others;
  }
  return sum / cells;
}

/* Fraction of the voltage that such cells see; 0 where none see any. */
static double fraction_of_voltage(const mho_array_config *a) {
  switch (a->write_select) {
  case MHO_WRITE_HALF:
    return 0.5;
  case MHO_WRITE_THIRD:
    return 1 / 3.0;
  default:
    return 0;
  }
}

/* What the pulses of an epoch add up to. SET and RESET are counted over all connections, so a
 * connection's share is that of all. */
typedef struct pulses {
  mho_device_pulse pulse;
  double share[2];              /* of SET, of RESET */
  double longest, slots, reads; /* of the connection that takes longest */
  double turns;                 /* of sense lines at a converter that verifies */
  double fraction;              /* of the voltage on other cells */
  double converted;             /* J of a conversion */
} pulses;

static void count_writes(const epoch *e, int connection, mho_place *place, pulses *p) {
  const mho_trainer *t = e->t;
  const mho_energy_config *c = e->c;
  const mho_crossbar *x = crossbar_of(t->net, connection);
  const mho_writes *w = &t->at.writes[connection];
  bool has_waves = mho__stdp_has_waves(t->e); /* which take no time of their own */
  double count = t->at.pulses[connection], addressed = has_waves ? 0 : count - w->coincided;
  double g = mho_crossbar_statistics(x).g_mean, at_once = fmin((double)c->write_parallel, x->cols);

  double pulsed = 2 * mho_crossbar_at_once(x); /* devices of a weight, at once */
  p->longest = fmax(p->longest, addressed / (pulsed * at_once));
  p->slots = fmax(p->slots, w->slots);
  bool by_rows = t->updater->scheme->reads_rows;
  double turns = by_rows && e->converters.adc_bits ? fmin((double)c->adc_share, x->cols) : 1;
  p->reads = fmax(p->reads, w->reads / (by_rows ? x->cols : at_once));
  p->turns = fmax(p->turns, turns);

  /* Reads that verify. */
  int devices = 0;
  for (int k = 0; k < x->n_banks; k++)
    devices += x->role[k].kind == MHO_BANK_DEVICES || x->role[k].kind == MHO_BANK_REFERENCE;
  double cell = devices * g * e->voltage * e->voltage * c->read_time;
  e->row[VERIFY].count += w->reads;
  e->row[VERIFY].joule += w->reads * (cell + c->amplifier * c->read_time + p->converted);

  /* Waveforms: all that cells take of their lines, in whole SET pulses. */
  if (has_waves) {
    e->row[HALF].joule += w->half * g * p->pulse.volts[0] * p->pulse.volts[0] * p->pulse.width[0];
    e->row[HALF].count += w->half;
    return;
  }

  /* Pulses, and what other cells see of them. */
  double half = 0;
  if (p->fraction > 0)
    half = addressed * others_selected(e, x, place) + mho_crossbar_pulsed(x) * w->half;

  /* Set and reset pulses weigh by their share of all. */
  for (int way = 0; way < 2; way++) {
    double one = g * p->pulse.volts[way] * p->pulse.volts[way] * p->pulse.width[way];
    e->row[way ? RESET : SET].joule += p->share[way] * count * one;
    e->row[HALF].joule += p->share[way] * half * one * p->fraction * p->fraction;
    e->row[HALF].count += p->share[way] * half;
  }
}

/* Writes of all connections. */
static mho_err count_all_writes(const epoch *e, pulses *p, mho_errinfo *ei) {
  const mho_trainer *t = e->t;
  int most = 1;
  for (int c = 0; c < t->net->n_trained; c++)
    most = mho_max(most, mho__places_cut(crossbar_of(t->net, c), 0, &t->e->array_config, NULL));

  mho_place *place = mho_alloc((size_t)most, sizeof *place);
  if (!place)
    return mho_fail(ei, MHO_ENOMEM, "no memory to count energy");

  for (int c = 0; c < t->net->n_trained; c++)
    count_writes(e, c, place, p);

  mho_free(place);
  return MHO_OK;
}

static mho_err count_pulses(const epoch *e, mho_errinfo *ei) {
  const mho_trainer *t = e->t;
  const mho_energy_config *c = e->c;
  const mho_experiment *x = t->e;
  double done[2] = {t->at.sums.set, t->at.sums.reset}, all = done[0] + done[1];
  pulses p = {.pulse = mho_device_pulse_of((const mho_device_model *)x->device.entry,
                                           x->device.params, &x->device_config),
              .fraction = fraction_of_voltage(&x->array_config),
              .converted =
                  e->converters.adc_bits ? c->adc_step * ldexp(1, e->converters.adc_bits) : 0};

  if (all > 0)
    for (int way = 0; way < 2; way++)
      p.share[way] = done[way] / all;

  mho_err err = count_all_writes(e, &p, ei);
  if (err)
    return err;

  for (int way = 0; way < 2; way++) {
    mho_energy_row *row = &e->row[way ? RESET : SET];
    row->count = done[way];
    row->seconds = p.pulse.width[way] * (p.slots + p.longest * p.share[way]);
  }
  double converted = e->converters.adc_bits ? p.turns * c->adc_time : 0;
  e->row[VERIFY].seconds = (c->read_time + converted) * p.reads;
  return MHO_OK;
}

/* ---------------------------------------------------------------- networks of resistors */

/* A phase lasts a read, or in continuous time as long as it takes, and takes what the network
 * dissipates at rest, on average at the test images. */
static void count_resistors(const epoch *e) {
  const mho_trainer *t = e->t;
  const mho_device_config *d = &t->e->device_config;
  double volts = e->voltage / t->net->resistive->input_gain;
  double siemens = (d->g_max - d->g_min) / mho_crossbar_w_max(crossbar_of(t->net, 0));
  double watts = t->balance.dissipated * volts * volts * siemens;
  const mho_meter *m = t->at.meter;
  mho_energy_row *cells = &e->row[CELLS];

  cells->count = e->phases * m->samples;
  cells->seconds = e->in_time ? m->time[0] + m->time[1] : cells->count * e->c->read_time;
  cells->joule = watts * cells->seconds;
}

/* ---------------------------------------------------------------- an epoch */

/* Whether learning takes the states of hidden neurons: a rule of lines does not, unless it perturbs
 * the neurons themselves. */
static bool measures_states(const mho_trainer *t) {
  const mho_rule *rule = t->learner->rule;
  return !rule->lines || (rule->parts && rule->parts(t->e->rule.params) & MHO_STATE_PUSH);
}

mho_err mho_trainer_energy(const mho_trainer *t, mho_energy_row *rows, mho_errinfo *ei) {
  const mho_array_model *array = (const mho_array_model *)t->e->array.entry;
  epoch e = {.t = t,
             .c = &t->e->energy,
             .converters = mho_array_converters_of(array, t->e->array.params),
             .in_time = mho_experiment_in_time(t->e),
             .voltage = t->e->array_config.read_voltage,
             .phases = mho__learner_phases(t->learner),
             .row = rows};

  if (!t->at.meter)
    return mho_fail(ei, MHO_EINVAL, "energy is counted on devices only, with energy.count");

  e.slices = e.converters.slices;
  e.analog = t->at.meter->analog;
  e.settles = e.phases > 1 || t->learner->rule->trial || t->learner->rule->credits;
  e.measured =
      (measures_states(t) ? e.phases : 0) + t->learner->rule->credits + t->learner->rule->controls;
  mho_err err = mho__power_new(t, &e.power, ei);
  if (err)
    return err;

  for (int i = 0; i < MHO_ENERGY_TERMS; i++)
    rows[i] =
        (mho_energy_row){.epoch = t->at.epoch, .term = names[i], .samples = t->at.meter->samples};

  if (t->net->resistive) {
    count_resistors(&e);
  } else {
    count_reads(&e);
    count_importance(&e);
    count_conversions(&e);
    count_spiking(&e);
  }
  mho__power_free(t->net, &e.power);
  return count_pulses(&e, ei);
}
