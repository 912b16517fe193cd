/* energy.c - what an epoch of training would take on hardware, in energy and in time, term by term.
 *
 * Counted while training are the reads of every link with the squares of what drove its lines (mho_meter), steps and
 * pulses; conductances are those at the end of the epoch. With V the read voltage of an activity of 1, t the read time, r
 * the reads that are averaged, k a link, x_i what drove its line i, G_i the sum of the conductances on that line (both
 * devices of the pairs), N_k the vectors read, C the capacitance of a line per cell:
 *
 *   cells       r V^2 t sum_k sum_i <x_i^2> G_i             what the cells take of the drivers
 *   lines       r V^2 C sum_k sum_i <x_i^2> 2 outputs_k     charging the lines of both arrays
 *   dac         dac_energy sum_k N_k inputs_k               where there is a converter
 *   adc         adc_step 2^bits r (sum_k N_k T_k outputs_k + measured states)
 *   amplifiers  amplifier t r sum_k N_k T_k outputs_k       T_k the tiles along a line with a converter each, else 1
 *   set, reset  pulses V_p^2 t_p <G>                        <G> the mean of the connection
 *   half        half-selected cells (V_p/2)^2 t_p <G>       rows - 1 a pulse, and (cols - P)/P where P cells of a row are
 *                                                           pulsed at once; of pulse trains, in every slot, the cells
 *                                                           on a line that pulses alone, in both arrays of pairs; none
 *                                                           with select transistors
 *   verify      R (V^2 t 2 <G> + amplifier t + adc_step 2^bits)   R the cells read to verify what was written: both
 *                                                           devices, a sense amplifier, a converter where there is one
 *
 * <..> sums over the reads of the epoch. With analog neurons the lines of the input and of the error conduct through all
 * steps of a phase, though they are read once. Amplifiers are counted for every read of a digital network and every step
 * of an analog one.
 *
 * Time is that of one sample after another, layers side by side unless the settler takes them in turn, all arrays at once:
 *
 *   cells   t r (steps, times the layers where they are in turn, and one for the input, the error, the read-out each);
 *           a convolution is read position by position
 *   adc     adc_time adc_share r for each of these; with analog neurons only for the read-out and the states of a phase
 *   set,    t_p pulses/(2 P) of the connection that gets most, divided between them by their numbers: the two devices of a
 *   reset   pair lie in arrays of their own. Trains take t_p a slot for SET and t_p for RESET, however many cells pulse
 *   verify  (t + adc_time) R/P of the connection that is read most
 *
 * Not in it: digital arithmetic and memory, control, leakage, evaluation; I-V laws other than Ohm's.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "train/trainer.h"

enum { CELLS, LINES, DAC, ADC, AMPLIFIERS, SET, RESET, HALF, VERIFY };
static const char *const names[MHO_ENERGY_TERMS] = {"cells", "lines", "dac",           "adc",   "amplifiers",
                                                    "set",   "reset", "half-selected", "verify"};

/* Sums of siemens along the lines that a link drives, [inputs]. */
static void line_sums(const mho_crossbar *x, bool transposed, double *sum) {
  int in = transposed ? x->cols : x->rows;
  memset(sum, 0, (size_t)in * sizeof *sum);
  for (int i = 0; i < x->rows; i++)
    for (int j = 0; j < x->cols; j++) {
      size_t cell = (size_t)i * (size_t)x->cols + (size_t)j;
      sum[transposed ? j : i] += mho_cells_siemens(x->pos, cell) + mho_cells_siemens(x->neg, cell);
    }
}

typedef struct epoch { /* of a training, with what follows from the config */
  const mho_trainer *t;
  const mho_energy_config *c;
  mho_array_circuits circuits;
  double voltage, layers; /* layers one after another in a step */
  mho_energy_row *row;
} epoch;

/* How often a link conducts for a vector that is read once. */
static double conducts(const epoch *e, const mho_link *k) {
  const mho_meter *m = e->t->meter;
  const mho_network *net = e->t->net;
  double reads = m->reads[k - net->link];
  if (!e->circuits.analog || !net->layer[k->to].neuron || net->layer[k->from].neuron || !(reads > 0))
    return 1;
  double steps = k->from == 0 ? m->steps[0] + m->steps[1] : m->steps[1];
  return fmax(steps * net->connection[k->connection].positions / reads, 1);
}

static void count_reads(const epoch *e, double *sums) {
  const mho_network *net = e->t->net;
  const mho_meter *m = e->t->meter;
  double v2 = e->voltage * e->voltage, r = e->circuits.average;
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    const mho_crossbar *x = net->connection[k->connection].xb;
    double in = m->inputs[i], out = mho_link_outputs(net, k), squares = 0, power = 0, times = conducts(e, k);
    bool neurons_in = net->layer[k->from].neuron, neurons_out = net->layer[k->to].neuron;
    line_sums(x, k->transposed, sums);
    for (int j = 0; j < m->inputs[i]; j++) {
      squares += m->squares[i][j];
      power += m->squares[i][j] * sums[j];
    }
    e->row[CELLS].joule += r * v2 * e->c->read_time * times * power;
    e->row[CELLS].count += r * times * m->reads[i];
    e->row[LINES].joule += r * v2 * e->c->cell_capacitance * 2 * out * squares;
    e->row[LINES].count += r * m->reads[i] * in;
    bool converted = e->circuits.adc_bits && !(e->circuits.analog && neurons_out);
    double sensed = converted ? out * mho_crossbar_parts(x, k->transposed) : out;
    e->row[AMPLIFIERS].joule += r * e->c->amplifier * e->c->read_time * times * m->reads[i] * sensed;
    e->row[AMPLIFIERS].count += r * times * m->reads[i] * sensed;
    if (e->circuits.dac_bits && !(e->circuits.analog && neurons_in))
      e->row[DAC].count += m->reads[i] * in;
    if (converted)
      e->row[ADC].count += r * m->reads[i] * sensed;
  }
}

static void count_conversions(const epoch *e) {
  const mho_trainer *t = e->t;
  const mho_meter *m = t->meter;
  int phases = t->rule->n_states(t->e->rule.params, t->direct);
  for (int l = 1; l < t->net->n_layers - 1 && e->circuits.analog && e->circuits.adc_bits; l++)
    e->row[ADC].count += e->circuits.average * m->samples * phases * t->net->layer[l].n;
  e->row[DAC].joule = e->c->dac_energy * e->row[DAC].count;
  e->row[ADC].joule = e->c->adc_step * ldexp(1, e->circuits.adc_bits) * e->row[ADC].count;
  double rounds = e->layers * (m->steps[0] + m->steps[1]) + 3 * m->samples;
  double converted = e->circuits.analog ? (1 + phases) * m->samples : rounds;
  e->row[CELLS].seconds = e->circuits.average * e->c->read_time * rounds;
  if (e->circuits.adc_bits)
    e->row[ADC].seconds = e->circuits.average * e->c->adc_time * (double)e->c->adc_share * converted;
}

/* Pulses of the epoch; SET and RESET are counted over all connections, so a connection's share is that of all. */
static void count_pulses(const epoch *e) {
  const mho_trainer *t = e->t;
  const mho_energy_config *c = e->c;
  mho_device_spice own = {0};
  const mho_device_model *model = (const mho_device_model *)t->e->device.entry;
  if (model->spice && model->spice(t->e->device.params, &t->e->device_config, &own, NULL))
    own = (mho_device_spice){0};
  double width = c->pulse_width > 0 ? c->pulse_width : own.width > 0 ? own.width : 100e-9;
  double v[2] = {c->set_voltage > 0 ? c->set_voltage
                 : own.v_set > 0    ? own.v_set
                                    : 2,
                 c->reset_voltage > 0 ? c->reset_voltage
                 : own.v_reset != 0   ? fabs(own.v_reset)
                                      : 2};
  double all = t->sums.set + t->sums.reset, longest = 0, slots = 0, reads = 0;
  double arrays = t->e->device_config.mapping == MHO_MAPPING_DIFFERENTIAL ? 2 : 1;
  double converted = e->circuits.adc_bits ? c->adc_step * ldexp(1, e->circuits.adc_bits) : 0;
  for (int i = 0; i < t->net->n_trained; i++) {
    const mho_crossbar *x = t->net->connection[i].xb;
    const mho_writes *w = &t->writes[i];
    double pulses = t->connection_pulses[i], addressed = pulses - w->coincided;
    double g = mho_crossbar_statistics(x).g_mean;
    double at_once = fmin((double)c->write_parallel, x->cols);
    double half = addressed * (x->rows - 1 + (x->cols - at_once) / at_once) + arrays * w->half;
    if (c->select != MHO_SELECT_HALF)
      half = 0;
    longest = fmax(longest, addressed / (2 * at_once));
    slots = fmax(slots, w->slots);
    reads = fmax(reads, w->reads / at_once);
    e->row[VERIFY].count += w->reads;
    e->row[VERIFY].joule +=
        w->reads * ((2 * g * e->voltage * e->voltage + c->amplifier) * c->read_time + converted);
    for (int k = 0; k < 2 && all > 0; k++) {
      double part = (k ? t->sums.reset : t->sums.set) / all, one = g * v[k] * v[k] * width;
      e->row[k ? RESET : SET].joule += part * pulses * one;
      e->row[HALF].joule += part * half * one / 4;
      e->row[HALF].count += part * half;
    }
  }
  e->row[SET].count = t->sums.set;
  e->row[RESET].count = t->sums.reset;
  e->row[SET].seconds = width * (slots + (all > 0 ? longest * t->sums.set / all : 0));
  e->row[RESET].seconds = width * (slots + (all > 0 ? longest * t->sums.reset / all : 0));
  e->row[VERIFY].seconds = (c->read_time + (e->circuits.adc_bits ? c->adc_time : 0)) * reads;
}

/* Reads one after another in a step: a convolution is read position by position, layers side by side or in turn. */
static double reads_of_a_step(const mho_trainer *t) {
  double sum = 0, most = 1;
  for (int l = 1; l < t->net->n_layers - 1; l++) {
    double positions = 1;
    for (int i = 0; i < t->net->n_links; i++)
      if (t->net->link[i].to == l)
        positions = fmax(positions, t->net->connection[t->net->link[i].connection].positions);
    sum += positions;
    most = fmax(most, positions);
  }
  return t->settler->in_turn ? sum : most;
}

bool mho_energy_counts(const mho_experiment *e) {
  return e->energy.count && ((const mho_device_model *)e->device.entry)->pulse;
}

mho_err mho_trainer_energy(const mho_trainer *t, mho_energy_row *rows, mho_errinfo *ei) {
  const mho_array_model *array = (const mho_array_model *)t->e->array.entry;
  epoch e = {.t = t,
             .c = &t->e->energy,
             .circuits = {.average = 1},
             .voltage = t->e->array_config.read_voltage,
             .layers = reads_of_a_step(t),
             .row = rows};
  int widest = 1;
  if (!t->meter)
    return mho_fail(ei, MHO_EINVAL, "energy is counted on devices only, with energy.count");
  for (int i = 0; i < t->net->n_links; i++)
    widest = t->meter->inputs[i] > widest ? t->meter->inputs[i] : widest;
  double *sums = mho_alloc((size_t)widest, sizeof *sums);
  if (!sums)
    return mho_fail(ei, MHO_ENOMEM, "no memory to count energy");
  for (int i = 0; i < MHO_ENERGY_TERMS; i++)
    rows[i] = (mho_energy_row){.epoch = t->epoch, .term = names[i], .samples = t->meter->samples};
  if (array->circuits)
    array->circuits(t->e->array.params, &e.circuits);
  count_reads(&e, sums);
  count_conversions(&e);
  count_pulses(&e);
  mho_free(sums);
  return MHO_OK;
}
