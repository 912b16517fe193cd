/* streams.h - the address of every random number of the library and the command, in one place.
 *
 * A random number is a function of (seed, stream, step, cell), see mho_rng_use in mho/base.h:
 *
 *   seed    64 bits  of a run: weights, chip, order or noise (mho_seeds); of a study: design_seed
 *   stream  32 bits  use << 24 | index
 *   step    64 bits  when the number is drawn, or which quantity it is
 *   cell    34 bits  of which cell, sample, line or image it is
 *
 *   use      index                           step                    cell            drawn in
 *   --------------------------------------------------------------------------------------------
 *   WEIGHTS  connection                      0                       weight          network
 *   WEIGHTS  0xfffffe                        0                       2 x layer pair  agt
 *   CHIP     bank n                          MHO_DRAW_...            cell            device
 *   CHIP     1 << 20 | connection << 3 | kind
 *                                            0                       line            array
 *                                            1                       cell            program
 *   CHIP     0xf00000 + 5 layer + quantity   0                       neuron          network
 *   CHIP     0xf00000 + 5 layer              MHO_DRAW_THRESHOLD       neuron          network
 *   CHIP     0xf01000 + 5 layer + quantity   0                       neuron          network
 *   ORDER    0                               epoch                   batch, image    train
 *   ORDER    1                               0                       image           train
 *   ORDER    2                               epoch                   3 x image       data
 *   ORDER    3, of seed 0                    0                       row             data
 *   ORDER    axis of a study                 MHO_DESIGN_...          sample          study
 *   PULSE    bank n                          mho__step_pulse          cell            device
 *   PULSE    bank n                          mho__step_pulse,         4 cell + rank   device
 *                                            rank / 4                 modulo 4        (series)
 *   ROUND    bank n                          programming             cell            pulses
 *   ROUND    2 connection                    programming             cell            write_verify
 *   ROUND    2 connection + side             programming             active line     stochastic
 *   ROUND    2 fast array                    mho__step_transfer      column          tiki_taka
 *   WRITE    bank n                          programming, or a tag   cell            device
 *   READ     repeat << 15 | kind << 13 | n   mho__step_read           sample, line    array
 *            n: 2 connection + transposed; of measured states: layer
 *   bank n: 2 connection + n of the first two banks of a crossbar, 1 << 21 above them of others
 *   READ     0xffffff - phase / 4            mho__step_states         sample, neuron  settle
 *   READ     511 << 15 | layer               mho__step_read           sample, neuron  rule
 *   READ     511 << 15 | 1 << 8 | layer      mho__step_read           sample, neuron  rule
 *   READ     511 << 15 | 2 << 8 | layer      mho__step_read           sample, node    rule
 *   SPIKE    layer                           mho__step_read           sample, unit    settle
 *   SPIKE    1 << 8 | what                   update                   sample          rule
 *   PERTURB  connection << 2 | kind          mho__step_perturb        sample, line    array
 *   PERTURB  connection << 2 | cells         mho__step_perturb        sample, weight  array
 *   PERTURB  layer << 2 | neurons            mho__step_perturb        sample, neuron  rule
 *   TEST     the functions at the end say what, with seeds that are no run's
 *
 * `programming` numbers what moves devices. The schemes of which a run has one:
 *
 *   pulses, sign, accumulate, exact           update
 *   write_verify                              update << 6 | round
 *   stochastic, fast array of tiki_taka       term << 40 | sample of the run << 5 | slot
 *     of the fast array: the last sample before, slot 31 where the row is then read, else 0
 *   slow array of tiki_taka, in series        number of the row's read
 *
 * and beside them, in every run:
 *
 *   initial weights by the scheme             update = 1 << 40 | round
 *   refresh of one-sided pairs, and values
 *   that move up in cells of several devices  1 << 44 | update << 12 | turn
 *   the same while initial weights are written
 *                                             1 << 45 | round << 12 | turn
 *   pulses of a trial                         1 << 50 | update << 12 | trial << 2 | stage
 *   exact changes, use WRITE                  1 << 62 + programming
 *   exact weights, use WRITE                  1 << 63 + how many before
 *
 * tests/unit/streams.c holds these ranges against each other and against what a config may ask for.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_BASE_STREAMS_H
#define MHO_BASE_STREAMS_H

#include "mho/base.h"

/* ---------------------------------------------------------------- widths of fields */

enum {
  MHO_STREAM_CONNECTIONS = 1 << 12, /**< Numbers of connections are below it. */
  MHO_STREAM_LAYERS = 1 << 8,       /**< Numbers of layers are below it. */
  MHO_STREAM_REPEATS = 511,         /**< Averaged reads; the 512th index is that of state noise. */
  MHO_STREAM_RANKS = (1 << 12) - 1, /**< Pulses on a cell in a step of programming. */
  MHO_STREAM_ROUNDS = 1 << 6,       /**< Rounds of a verified write, and the last read. */
  MHO_STREAM_SLOTS = 1 << 5,        /**< Slots of a pulse train. */
  MHO_STREAM_TURNS = 1 << 11,       /**< RESET pulses, and SET pulses, of a refresh. */
  MHO_STREAM_PHASES = 1 << 4,       /**< Phases of an update. */
  MHO_STREAM_STEPS = 1 << 16,       /**< Steps of a phase; the last one is MHO_STEP_READ_OUT. */
  MHO_STREAM_ODE_STEPS = 1 << 18,   /**< Steps of a noisy phase in continuous time. */
  MHO_STREAM_EPOCHS = 1 << 20,      /**< Epochs that evaluations are numbered by. */
  MHO_STREAM_BATCHES = 1 << 21,     /**< Batches of an evaluation; the last is mho__update_look. */
  MHO_STREAM_TRIALS = 1 << 10,      /**< Trials of an update; number 0 is what they compare with. */
};

/** Quantities of a cell that are drawn from the chip's seed: the step of their addresses. */
enum {
  MHO_DRAW_STEP,
  MHO_DRAW_ASYMMETRY,
  MHO_DRAW_LOW,
  MHO_DRAW_HIGH,
  MHO_DRAW_FAULT,
  MHO_DRAW_DRIFT,
  MHO_DRAW_LEAK,
  MHO_DRAW_PARAMETER,                      /**< And those after it, one for each of variation.of. */
  MHO_DRAW_STUCK = MHO_DRAW_PARAMETER + 8, /**< Where a cell of device.stuck is. */
  MHO_DRAW_ZERO                            /**< Error of what is held as weight zero. */
};

/** What a read draws: noise of cells (with that of output circuits, where both are redrawn alike),
 *  of input circuits, of measured states, and of output circuits that are redrawn apart. */
enum { MHO_NOISE_CELLS, MHO_NOISE_INPUT, MHO_NOISE_STATE, MHO_NOISE_OUTPUT };

/* ---------------------------------------------------------------- seed of the weights */

/** WEIGHTS, index = connection[12]: initial weights and fixed feedback. */
static inline mho_rng mho__stream_weights(uint64_t weight_seed, int connection) {
  return mho_rng_make(weight_seed, MHO_RNG_WEIGHTS, (uint32_t)connection);
}

/** WEIGHTS, index = 0xfffffe, which no connection has: pairs of layers that are linked. */
static inline mho_rng mho__stream_graph(uint64_t weight_seed) {
  return mho_rng_make(weight_seed, MHO_RNG_WEIGHTS, 0xfffffe);
}

/* ---------------------------------------------------------------- seed of the chip */

/** high(bank)[3] << 21 | connection[12] << 1 | low(bank)[1]: the cells of a bank, of at most
 *  sixteen. */
static inline uint32_t mho__stream_of_bank(uint32_t connection, uint32_t bank) {
  return (bank >> 1) << 21 | connection << 1 | (bank & 1);
}

/** CHIP, index = mho__stream_of_bank; step = MHO_DRAW_...: spread and faults of cells. */
static inline mho_rng mho__stream_chip(uint64_t chip_seed, uint32_t connection, uint32_t bank) {
  return mho_rng_make(chip_seed, MHO_RNG_CHIP, mho__stream_of_bank(connection, bank));
}

/** CHIP, index = 1 << 20 | connection[12] << 3 | kind[3]: mismatch of a crossbar's circuits; kind =
 *  transposed << 2 | (gain 0, offset 1, input gain 2, input offset 3). */
static inline mho_rng mho__stream_mismatch(uint64_t chip_seed, uint32_t connection, int kind) {
  return mho_rng_make(chip_seed, MHO_RNG_CHIP, 1u << 20 | connection << 3 | (uint32_t)kind);
}

/** The step of errors of symmetry points, of the stream of a mismatch of kind 0. */
enum { MHO_DRAW_SYMMETRY = 1 };

/** CHIP, index = 0xf00000 + quantities layer + quantity: mismatch of neurons. */
static inline mho_rng mho__stream_neurons(uint64_t chip_seed, int layer, int quantities,
                                          int quantity) {
  return mho_rng_make(chip_seed, MHO_RNG_CHIP,
                      (uint32_t)(0xf00000 + quantities * layer + quantity));
}

/** The step of thresholds of neurons, of the stream of a neuron's quantity 0. */
enum { MHO_DRAW_THRESHOLD = 1 };

/** CHIP, index = 0xf01000 + quantities layer + quantity: mismatch of neurons' second circuits. */
static inline mho_rng mho__stream_copies(uint64_t chip_seed, int layer, int quantities,
                                         int quantity) {
  return mho_rng_make(chip_seed, MHO_RNG_CHIP,
                      (uint32_t)(0xf01000 + quantities * layer + quantity));
}

/* ---------------------------------------------------------------- seed of the order */

/** ORDER, index = 0; step = epoch: order of the batches, or of the samples. */
static inline mho_rng mho__stream_shuffle(uint64_t order_seed) {
  return mho_rng_make(order_seed, MHO_RNG_ORDER, 0);
}

/** ORDER, index = 1: how samples are cut into batches. */
static inline mho_rng mho__stream_cut(uint64_t order_seed) {
  return mho_rng_make(order_seed, MHO_RNG_ORDER, 1);
}

/** ORDER, index = 2; step = epoch, cell = 3 image + (dy 0, dx 1, mirrored 2): moved images. */
static inline mho_rng mho__stream_augmented(uint64_t order_seed) {
  return mho_rng_make(order_seed, MHO_RNG_ORDER, 2);
}

/** ORDER, index = 3: how a table is cut into training and test rows, which are the same in every
 *  run. */
static inline mho_rng mho__stream_split(void) {
  return mho_rng_make(0, MHO_RNG_ORDER, 3);
}

/** ORDER, index = axis; step = MHO_DESIGN_...: samples of a study. */
static inline mho_rng mho__stream_axis(uint64_t design_seed, int axis) {
  return mho_rng_make(design_seed, MHO_RNG_ORDER, (uint32_t)axis);
}
enum { MHO_DESIGN_ORDER, MHO_DESIGN_JITTER, MHO_DESIGN_VALUE };

/* ---------------------------------------------------------------- seed of the noise: pulses */

/** PULSE, index = mho__stream_of_bank; step = mho__step_pulse: noise of pulses. */
static inline mho_rng mho__stream_pulse(uint64_t noise_seed, uint32_t connection, uint32_t bank) {
  return mho_rng_make(noise_seed, MHO_RNG_PULSE, mho__stream_of_bank(connection, bank));
}

/** WRITE, index as of the cells' pulses: errors of verified writes. */
static inline mho_rng mho__stream_write(mho_rng pulse) {
  return mho_rng_make(pulse.seed, MHO_RNG_WRITE, pulse.stream);
}

/** ROUND, index = connection[12] << 1: stochastic rounding of the first bank, verifying
 *  reads, pulse trains of the rows. */
static inline mho_rng mho__stream_round(uint64_t noise_seed, int connection) {
  return mho_rng_make(noise_seed, MHO_RNG_ROUND, 2 * (uint32_t)connection);
}

/** ROUND, index = mho__stream_of_bank: stochastic rounding of another bank; of the second: pulse
 *  trains of the columns. */
static inline mho_rng mho__stream_round_of(mho_rng round, int bank) {
  round.stream += mho__stream_of_bank(0, (uint32_t)bank);
  return round;
}

/** programming[52] << 12 | rank[12]: the pulse of that rank on each cell. */
static inline uint64_t mho__step_pulse(uint64_t programming, int rank) {
  return programming << 12 | (uint64_t)rank;
}

/** programming[52] << 12 | 4095: write noise that is left when all pulses have been given. */
static inline uint64_t mho__step_show(uint64_t programming) {
  return mho__step_pulse(programming, MHO_STREAM_RANKS);
}

/** update[58] << 6 | round[6], with the first round: the others follow one by one. */
static inline uint64_t mho__step_verify(uint64_t update) {
  return update * MHO_STREAM_ROUNDS;
}

/** term[3] << 35 | sample[35]: a sample of the run in one of the outer products of its change. */
static inline uint64_t mho__sample_of_term(uint64_t sample, int term) {
  return (uint64_t)term << 35 | sample;
}

/** sample[59] << 5 | slot[5]: a slot of a sample's pulse trains; sample: of the run. */
static inline uint64_t mho__step_slot(uint64_t sample, int slot) {
  return sample * MHO_STREAM_SLOTS | (uint64_t)slot;
}

/** event[38] << 6 | what[6]: of the read of a row of a fast array, or of a pass over its rows;
 *  what: a slot of a pulse train, or MHO_TRANSFER_... Fast arrays are numbered as connections,
 *  behind those that there are. */
static inline uint64_t mho__step_transfer(uint64_t event, int what) {
  return event << 6 | (uint64_t)what;
}
enum {
  MHO_TRANSFER_CHOP_ROW = MHO_STREAM_SLOTS,
  MHO_TRANSFER_CHOP_COL,
  MHO_TRANSFER_RESET,
};

/** 1 << 40 | round: update by which the scheme writes initial weights. */
static inline uint64_t mho__update_initial(uint64_t round) {
  return ((uint64_t)1 << 40) + round;
}

/** 1 << 44 | update[32] << 12 | turn[11]: RESET pulses of a refresh, from the first on. */
static inline uint64_t mho__step_refresh(uint64_t update) {
  return (uint64_t)1 << 44 | update << 12;
}

/** 1 << 44 | update[32] << 12 | 1 << 11 | turn[11]: its SET pulses, from the first on. */
static inline uint64_t mho__step_refresh_set(uint64_t refresh) {
  return refresh + MHO_STREAM_TURNS;
}

/** 1 << 45 | round << 12 | turn[11], and 1 << 11 above: pulses of cells that carry while initial
 *  weights are written, as a refresh. */
static inline uint64_t mho__step_carry_initial(uint64_t round) {
  return (uint64_t)1 << 45 | round << 12;
}

/** 1 << 50 | update[32] << 12 | trial[10] << 2 | stage[2]: pulses that perturb one way (stage 0)
 *  and undo it (1), or the other way (2, 3). */
static inline uint64_t mho__step_trial(uint64_t update, int trial, int stage) {
  return (uint64_t)1 << 50 | update << 12 | (uint64_t)trial << 2 | (uint64_t)stage;
}

/** 1 << 62 + programming: changes that are written exactly. */
static inline uint64_t mho__step_add(uint64_t programming) {
  return ((uint64_t)1 << 62) + programming;
}

/** 1 << 63 + sets: weights that are written exactly; the reference is written with sets = 0. */
static inline uint64_t mho__step_set(uint64_t sets) {
  return ((uint64_t)1 << 63) + sets;
}

/* ---------------------------------------------------------------- seed of the noise: reads */

/** READ, index = connection[12] << 1: what mho__stream_read completes. */
static inline mho_rng mho__stream_reads(uint64_t noise_seed, uint32_t connection) {
  return mho_rng_make(noise_seed, MHO_RNG_READ, 2 * connection);
}

/** READ, index = repeat[9] << 15 | kind[2] << 13 | connection[12] << 1 | transposed[1], kind
 *  as in MHO_NOISE_... */
static inline mho_rng mho__stream_read(mho_rng reads, bool transposed, int kind, int repeat) {
  reads.stream += (uint32_t)transposed | (uint32_t)kind << 13 | (uint32_t)repeat << 15;
  return reads;
}

/** READ, index = repeat[9] << 15 | MHO_NOISE_STATE << 13 | layer[13]: measured states. */
static inline mho_rng mho__stream_measured(mho_rng reads, int layer, int repeat) {
  mho_rng rng = {reads.seed, (reads.stream & 0xff000000u) | (uint32_t)layer};
  return mho__stream_read(rng, false, MHO_NOISE_STATE, repeat);
}

/** Another seed for each tile of a line, since no bits of the stream are left; tile 0 keeps it. */
static inline mho_rng mho__stream_tile(mho_rng read, int tile) {
  read.seed += (uint64_t)tile * 0x9e3779b97f4a7c15u;
  return read;
}

/** update[44] << 20 | phase[4] << 16 | step[16] of a read. */
static inline uint64_t mho__step_read(uint64_t update, int phase, int step) {
  return update << 20 | (uint64_t)phase << 16 | ((uint64_t)step & 0xffff);
}
enum { MHO_STEP_READ_OUT = 0xffff }; /**< The step of the read-out and of measured states. */

/** 1 << 43 | epoch[20] << 22 | validation[1] << 21 | batch[21]: update of an evaluated batch. */
static inline uint64_t mho__update_evaluation(int epoch, bool validation, int batch) {
  return (uint64_t)1 << 43 | (uint64_t)epoch << 22 | (uint64_t)validation << 21 | (uint64_t)batch;
}

/** The last of the epoch's evaluations: samples that are settled to be looked at. */
static inline uint64_t mho__update_look(int epoch) {
  return mho__update_evaluation(epoch, true, MHO_STREAM_BATCHES - 1);
}

/** 1 << 42 | number[10] << 32 | update[32]: the update that a repetition of a batch reads with; of
 *  samples that are looked at, theirs + 1 << 42 - number. */
static inline uint64_t mho__update_repeated(uint64_t update, int number) {
  uint64_t tag = (uint64_t)1 << 42;
  if (update >> 43)
    return (update | tag) - (uint64_t)number;
  return tag | (uint64_t)number << 32 | update;
}

/** 1 << 42 | update[32]: the update that reads of neurons' importance read with, number 0 of those
 *  of repetitions, which is none. */
static inline uint64_t mho__update_importance(uint64_t update) {
  return mho__update_repeated(update, 0);
}

/** READ, index = 0xffffff: noise of neurons' states in continuous time, in phases 0 to 3. */
static inline mho_rng mho__stream_states(uint64_t noise_seed) {
  return mho_rng_make(noise_seed, MHO_RNG_READ, 0xffffff);
}

/** READ, index = 0xffffff - phase[4] / 4: the same in any phase. */
static inline mho_rng mho__stream_states_in(mho_rng states, int phase) {
  states.stream -= (uint32_t)phase / 4;
  return states;
}

/** READ, index = 511 << 15 | layer[8]: noise of held credits. */
static inline mho_rng mho__stream_credits(uint64_t noise_seed, int layer) {
  return mho_rng_make(noise_seed, MHO_RNG_READ, MHO_STREAM_REPEATS << 15 | (uint32_t)layer);
}

/** READ, index = 511 << 15 | 1 << 8 | layer[8]: noise of neurons' controls. */
static inline mho_rng mho__stream_controls(uint64_t noise_seed, int layer) {
  return mho_rng_make(noise_seed, MHO_RNG_READ,
                      MHO_STREAM_REPEATS << 15 | 1 << 8 | (uint32_t)layer);
}

/** READ, index = 511 << 15 | 2 << 8 | layer[8]: noise of measured nodes between resistors. */
static inline mho_rng mho__stream_nodes(uint64_t noise_seed, int layer) {
  return mho_rng_make(noise_seed, MHO_RNG_READ,
                      MHO_STREAM_REPEATS << 15 | 2 << 8 | (uint32_t)layer);
}

/** update[44] << 20 | phase mod 4[2] << 18 | step[18] of an integration with state noise. */
static inline uint64_t mho__step_states(uint64_t update, int phase, int step) {
  return (update << 2 | (uint64_t)phase % 4) * MHO_STREAM_ODE_STEPS + (uint64_t)step;
}

/** SPIKE, index = layer[8]: spikes of the inputs (layer 0), ties between neurons of a layer; step =
 *  mho__step_read, 0 for what is the same through a phase. */
static inline mho_rng mho__stream_spikes(uint64_t noise_seed, int layer) {
  return mho_rng_make(noise_seed, MHO_RNG_SPIKE, (uint32_t)layer);
}

/** SPIKE, index = 1 << 8 | what[2]: what is shown as no sample; step = update. */
static inline mho_rng mho__stream_contrast(uint64_t noise_seed, int what) {
  return mho_rng_make(noise_seed, MHO_RNG_SPIKE, MHO_STREAM_LAYERS | (uint32_t)what);
}
/** A wrong label, a partner to be blended with, and how far that is turned. */
enum { MHO_CONTRAST_LABEL, MHO_CONTRAST_PARTNER, MHO_CONTRAST_ANGLE };

/* ---------------------------------------------------------------- seed of the noise: trials */

/** What a trial perturbs: lines of a crossbar, its cells, or the neurons of a layer. */
enum { MHO_PERTURB_ROWS, MHO_PERTURB_COLS, MHO_PERTURB_CELLS, MHO_PERTURB_NEURONS };

/** PERTURB, index = connection[12] << 2 | kind[2], kind one of rows, columns, cells. */
static inline mho_rng mho__stream_perturbed(uint64_t noise_seed, int connection, int kind) {
  return mho_rng_make(noise_seed, MHO_RNG_PERTURB, (uint32_t)connection << 2 | (uint32_t)kind);
}

/** PERTURB, index = layer[8] << 2 | MHO_PERTURB_NEURONS: summed inputs of neurons. */
static inline mho_rng mho__stream_perturbed_neurons(uint64_t noise_seed, int layer) {
  return mho__stream_perturbed(noise_seed, layer, MHO_PERTURB_NEURONS);
}

/** update[44] << 10 | trial[10]: perturbations of a trial; number 0: rows of signs that are read
 *  for the importance of neurons. */
static inline uint64_t mho__step_perturb(uint64_t update, int trial) {
  return update * MHO_STREAM_TRIALS | (uint64_t)trial;
}

/* ---------------------------------------------------------------- apart from the seeds of a run */

/** TEST of seed 1, index = 0: the vector that a Krylov space begins with. */
static inline mho_rng mho__stream_krylov(void) {
  return mho_rng_make(1, MHO_RNG_TEST, 0);
}

/** TEST of seed 0, index = hidden layer, from 1; step = sample: perturbations of an orbit. */
static inline mho_rng mho__stream_perturbation(int layer) {
  return mho_rng_make(0, MHO_RNG_TEST, (uint32_t)layer);
}

/** TEST of seed 0, index = 0: cells without spread and noise, which use no random number. */
static inline mho_rng mho__stream_unused(void) {
  return mho_rng_make(0, MHO_RNG_TEST, 0);
}

/** TEST of seed 1, index = transposed[1]: inputs of a crossbar that ngspice checks. */
static inline mho_rng mho__stream_stimulus(bool transposed) {
  return mho_rng_make(1, MHO_RNG_TEST, transposed);
}

/** TEST, index = 0: directions of the pulses of a device that ngspice checks. */
static inline mho_rng mho__stream_directions(uint64_t seed) {
  return mho_rng_make(seed, MHO_RNG_TEST, 0);
}

#endif
