/* Energy and time of a tiny net against counts by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"

/* 64-6-10 on 40 samples in batches of 20, 4 free and 2 nudged steps at once, nothing random: the
 * input is read in both phases, the read-out once, the error once, and one hidden layer has no
 * neighbours. */
enum { X = 64, H = 6, C = 10, N = 40, FREE = 4, NUDGED = 2 };
static const char net[] =
    "network: {hidden: [6]}\nsettle: {method: synchronous, free: 4, nudged: 2}\ndataset: {train: "
    "40}\ntrain: {batch: 20, chunk: 7, epochs: 2}\ndevice: {model: linear, g_min: 10 uS, g_max: "
    "50 uS, pulse: {set_voltage: 3 V, reset_voltage: 2.5 V, width: 1 us}}\nenergy: {read_time: 50 "
    "ns, cell_capacitance: 2 fF, dac_energy: 1 pJ, adc_step: 10 fJ, adc_time: 2 ns, adc_share: 4, "
    "amplifier: 5 uW, write_parallel: 2}\n";

typedef struct counted {
  mho_experiment *e;
  mho_trainer *t;
  mho_epoch_row row;
  mho_energy_row term[MHO_ENERGY_TERMS];
} counted;

static counted count_of(const char *yaml) {
  counted c;
  c.e = experiment(yaml);
  c.t = trainer(c.e);
  OK(mho_trainer_epoch(c.t, &c.row, &ei));
  OK(mho_trainer_energy(c.t, c.term, &ei));
  return c;
}
static counted count(const char *more) {
  char yaml[2048];
  snprintf(yaml, sizeof yaml, "%s%s", net, more);
  return count_of(yaml);
}
static void counted_free(counted *c) {
  mho_trainer_free(c->t);
  mho_experiment_free(c->e);
}
static const mho_energy_row *term(const counted *c, const char *name) {
  for (int i = 0; i < MHO_ENERGY_TERMS; i++)
    if (!strcmp(c->term[i].term, name))
      return &c->term[i];
  fail_msg("no term %s", name);
  return NULL;
}

static void test_reads(void **state) {
  counted c = count("update: {rate: 0}\narray: {read_voltage: 0.3 V}\n");
  const mho_dataset *d = mho_trainer_dataset(c.t);
  const mho_crossbar *in = mho_trainer_network(c.t)->connection[0].xb;
  double squares = 0, power = 0, scale = d->scale;
  for (int s = 0; s < N; s++)
    for (int i = 0; i < X; i++) {
      double v = scale * (double)d->train.pixel[s * X + i], g = 0;
      for (int j = 0; j < H; j++)
        g += mho_cells_siemens(in->bank[0], (size_t)(i * H + j)) +
             mho_cells_siemens(in->bank[1], (size_t)(i * H + j));
      squares += v * v;
      power += v * v * g;
    }

  /* the cells of the input are most; hidden states and errors are at most 1 on the read-out's,
   * read three ways */
  double least = 0.09 * 50e-9 * 2 * power, reads = 4 * N;
  assert_true(term(&c, "cells")->joule > least);
  assert_true(term(&c, "cells")->joule < least + 0.09 * 50e-9 * N * 2 * (H * C) * 100e-6);
  NEAR(term(&c, "cells")->count, reads, 0, 0);
  NEAR(term(&c, "lines")->count, N * (2 * X + H + C), 0, 0);
  assert_true(term(&c, "lines")->joule > 0.09 * 2e-15 * 2 * H * 2 * squares);
  NEAR(term(&c, "amplifiers")->joule, 5e-6 * 50e-9 * N * (2 * H + C + H), 1e-12, 0);
  assert_true(term(&c, "dac")->count == 0 && term(&c, "adc")->count == 0 &&
              term(&c, "adc")->seconds == 0);
  assert_true(term(&c, "set")->joule == 0 && term(&c, "half-selected")->joule == 0);
  NEAR(term(&c, "cells")->seconds, 50e-9 * N * (FREE + NUDGED + 4), 1e-12, 0);
  NEAR(c.term[0].samples, N, 0, 0);
  counted_free(&c);
}

static void test_converters(void **state) {
  counted c =
      count("update: {rate: 0}\narray: {dac_bits: 6, adc_bits: 7, average: 3, read_noise: 1e-6}\n");
  /* inputs are converted once, outputs three times */
  double inputs = N * (2 * X + H + C), outputs = 3.0 * N * (2 * H + C + H),
         rounds = N * (FREE + NUDGED + 4);
  NEAR(term(&c, "dac")->count, inputs, 0, 0);
  NEAR(term(&c, "dac")->joule, 1e-12 * inputs, 1e-12, 0);
  NEAR(term(&c, "adc")->count, outputs, 0, 0);
  NEAR(term(&c, "adc")->joule, 10e-15 * 128 * outputs, 1e-12, 0);
  /* four lines take turns; no array lies between hidden layers */
  NEAR(term(&c, "adc")->seconds, 3 * 2e-9 * 4 * N * 4.0, 1e-12, 0);
  NEAR(term(&c, "cells")->seconds, 3 * 50e-9 * rounds, 1e-12, 0);
  counted_free(&c);
}

/* A tile of 40 x 8 takes part of the 64 inputs and, transposed, of the 10 errors: two
 * conversions each, or one of the sum. */
static void test_tiles(void **state) {
  for (int analog = 0; analog < 2; analog++) {
    char more[200];
    snprintf(more, sizeof more,
             "update: {rate: 0}\narray: {adc_bits: 7, wire: {tile: [40, 8]}, tiles: %s}\n",
             analog ? "analog" : "digital");
    counted c = count(more);
    double outputs = analog ? N * (2 * H + C + H) : N * (4 * H + C + 2 * H);
    NEAR(term(&c, "adc")->count, outputs, 0, 0);
    NEAR(term(&c, "adc")->joule, 10e-15 * 128 * outputs, 1e-12, 0);
    NEAR(term(&c, "amplifiers")->count, outputs, 0, 0);
    counted_free(&c);
  }
}

/* Joined by wires: converters for the input, the error, the read-out and the states of two
 * phases; input, read-out and error conduct for all steps. */
static void test_analog(void **state) {
  counted c = count("update: {rate: 0}\narray: {dac_bits: 6, adc_bits: 7, coupling: analog}\n"),
          digital = count("update: {rate: 0}\narray: {dac_bits: 6, adc_bits: 7}\n");
  NEAR(term(&c, "dac")->count, N * (X + C), 0, 0);
  NEAR(term(&c, "adc")->count, N * (C + 2 * H), 0, 0);
  NEAR(term(&c, "adc")->seconds, 2e-9 * 4 * N * 3, 1e-12, 0);
  NEAR(term(&c, "cells")->count, N * (2 * (FREE + NUDGED) + NUDGED), 0, 0);
  double ratio =
      term(&c, "cells")->joule / term(&digital, "cells")->joule; /* 6 steps against 2 reads */
  assert_true(ratio > 2.5 && ratio < 3.5);
  NEAR(term(&c, "cells")->seconds, 50e-9 * N * (FREE + NUDGED + 1), 1e-12, 0);
  counted_free(&c);
  counted_free(&digital);
}

/* Neurons that spike: their membranes take power for the chip's time of all phases, in which reads
 * go on beside; a line that resets the others is charged past every neuron whenever one fires. */
static void test_spikes(void **state) {
  static const double scales[] = {1, 1e-3, 1e-6};
  enum { STEPS = 50 };
  for (int i = 0; i < MHO_COUNT(scales); i++) {
    char more[512];
    snprintf(more, sizeof more,
             "network: {hidden: [6]}\ndynamics: spiking\nsettle: {steps: 50, dt: 2 ms, "
             "time_scale: %g, encode: {kind: direct}}\nneuron: {inhibit: line, winners: one, "
             "threshold: {value: 1e-9, law: fixed}}\ndataset: {train: 40}\ntrain: {epochs: 1}\n"
             "energy: {read_time: 50 ns, cell_capacitance: 2 fF, amplifier: 5 uW}\n"
             "array: {read_voltage: 0.3 V}\n",
             scales[i]);
    counted c = count_of(more);
    double seconds = N * STEPS * 2e-3 * scales[i], reads = term(&c, "cells")->seconds;
    NEAR(term(&c, "integrators")->joule, 5e-6 * H * seconds, 1e-9, 0);
    NEAR(term(&c, "integrators")->count, H * N, 0, 0);
    NEAR(term(&c, "integrators")->seconds, fmax(seconds - reads, 0), 1e-9, 0);
    NEAR(reads, 50e-9 * N * STEPS, 1e-9, 0);
    NEAR(term(&c, "inhibition")->count, N * STEPS * H, 0, 0); /* one fires in every step */
    NEAR(term(&c, "inhibition")->joule, 0.09 * 2e-15 * N * STEPS * H, 1e-12, 0);
    counted_free(&c);
  }

  counted c = count("update: {rate: 0}\n"); /* neurons at rest have neither */
  assert_true(term(&c, "integrators")->joule == 0 && term(&c, "inhibition")->count == 0 &&
              term(&c, "integrators")->seconds == 0 && term(&c, "integrators")->count == 0);
  counted_free(&c);
}

static void test_pulses(void **state) {
  counted c = count(
      "update: {scheme: pulses, optimizer: sgd, rate: 0.5}\narray: {write: {select: half}}\n");
  const mho_network *n = mho_trainer_network(c.t);
  double set = c.row.set_pulses, reset = c.row.reset_pulses, g[2];
  assert_true(set > 100 && reset > 100);
  NEAR(term(&c, "set")->count, set, 0, 0);
  NEAR(term(&c, "reset")->count, reset, 0, 0);
  for (int k = 0; k < 2; k++)
    g[k] = mho_crossbar_statistics(n->connection[k].xb).g_mean;
  double low = fmin(g[0], g[1]), high = fmax(g[0], g[1]);
  assert_true(term(&c, "set")->joule >= set * low * 9e-6 * (1 - 1e-9) &&
              term(&c, "set")->joule <= set * high * 9e-6 * (1 + 1e-9));
  NEAR(term(&c, "set")->joule / term(&c, "reset")->joule, set * 9 / (reset * 6.25), 1e-9, 0);

  /* two cells of a row at once: rows - 1 and (cols - 2)/2 others see half of the voltage, a
   * quarter of the energy */
  double half = term(&c, "half-selected")->count;
  assert_true(half >= (set + reset) * (H - 1 + (C - 2) / 2.0) &&
              half <= (set + reset) * (X - 1 + (H - 2) / 2.0));
  assert_true(term(&c, "half-selected")->joule <= half * high * 9e-6 / 4 &&
              term(&c, "half-selected")->joule >= half * low * 6.25e-6 / 4);
  double seconds = term(&c, "set")->seconds + term(&c, "reset")->seconds;
  assert_true(seconds <= 1e-6 * (set + reset) / 4 * (1 + 1e-9) &&
              seconds >= 1e-6 * (set + reset) / 8);
  counted_free(&c);
}

/* Trains of fixed length whose probabilities all saturate, by steps too small to change what
 * follows: every line that has anything to say pulses in every slot, so all is known without a
 * draw. */
static void test_trains(void **state) {
  enum { LENGTH = 7 };
  mho_experiment *e = experiment(
      "network: {hidden: [6]}\nsettle: {method: synchronous, free: 4, nudged: 2}\n"
      "dataset: {train: 40}\ntrain: {batch: 20}\nrule: {nudge: 1}\nfeedback: {scale: 1}\n"
      "device: {model: linear, step_up: 1e-7, step_down: 1e-7, pulse: {set_voltage: 3 V, "
      "reset_voltage: 3 V, width: 1 us}}\narray: {write: {select: half}}\n"
      "update: {scheme: stochastic, rate: 1000, management: false, max_length: 7}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_energy_row term[MHO_ENERGY_TERMS];
  OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_energy(t, term, &ei));
  const mho_dataset *d = mho_trainer_dataset(t);
  double inputs = 0; /* pixels that are not 0 */
  for (int i = 0; i < N * X; i++)
    inputs += d->train.pixel[i] != 0;

  /* of a pair both devices are pulsed; hidden states, and errors of both layers, are never 0 */
  NEAR(row.pulses, 2 * LENGTH * (inputs * H + N * H * C), 0, 0);
  for (int i = 0; i < MHO_ENERGY_TERMS; i++) {
    const mho_energy_row *r = &term[i];
    if (!strcmp(r->term, "set") || !strcmp(r->term, "reset"))
      NEAR(r->seconds, LENGTH * N * 1e-6, 1e-12, 0);
    if (!strcmp(r->term, "half-selected")) { /* cells of a column that pulses on rows that do not */
      const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
      double count = 2 * LENGTH * H * (N * X - inputs);
      NEAR(r->count, count, 1e-12, 0);
      NEAR(r->joule, count * mho_crossbar_statistics(x).g_mean * 9e-6 / 4, 1e-9, 0);
    }
  }

  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* A row of every fast array is read a sample, all of its columns: as many cells, and time for one
 * read and the conversions of the wider row. Nothing is passed on, so that all pulses are of
 * trains, which take a slot at a time. */
static void test_rows_that_are_read(void **state) {
  mho_experiment *e = experiment(
      "network: {hidden: [6]}\nsettle: {method: synchronous, free: 4, nudged: 2}\n"
      "dataset: {train: 40}\ntrain: {batch: 20}\ndevice: {model: linear, pulse: {width: 1 us}}\n"
      "array: {adc_bits: 8, average: 3}\nenergy: {read_time: 50 ns, adc_time: 2 ns, adc_share: 8}\n"
      "update: {scheme: tiki_taka, variant: v1, transfer_rate: 0}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_energy_row term[MHO_ENERGY_TERMS];
  OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_energy(t, term, &ei));

  double cells = 3.0 * N * (H + C), volts = e->array_config.read_voltage, joule = 0;
  for (int c = 0; c < 2; c++) {
    const mho_crossbar *x = mho_trainer_network(t)->connection[c].xb;
    double pair = 2 * mho_crossbar_statistics(x).g_mean * volts * volts * 50e-9;
    joule += 3.0 * N * x->cols * (pair + e->energy.amplifier * 50e-9 + e->energy.adc_step * 256);
  }
  NEAR(row.verify_reads, cells, 0, 0);
  for (int i = 0; i < MHO_ENERGY_TERMS; i++) {
    const mho_energy_row *r = &term[i];
    if (!strcmp(r->term, "verify")) {
      NEAR(r->count, cells, 0, 0);
      NEAR(r->seconds, 3 * N * (50e-9 + 8 * 2e-9), 1e-9, 0);
      NEAR(r->joule, joule, 1e-9, 0);
    }
    if (!strcmp(r->term, "set"))
      assert_true(r->seconds >= N * 1e-6 && r->seconds <= 31 * N * 1e-6);
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* Pulses that all fall on the first connection, 64 x 6, by a rate of its own; cells of one row
 * at once. */
static counted count_first(const char *more) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml, "update: {scheme: pulses, optimizer: sgd, rates: [0.5, 0]}\n%s",
           more);
  return count(yaml);
}

/* The cells that see a part of the voltage are those of the physical tile, by whatever selects a
 * cell. */
static void test_selection(void **state) {
  static const struct {
    const char *array;
    double others, part; /* cells for each pulse, by hand; part of the voltage that they see */
  } cases[] = {
      {"{write: {select: ideal}}", 0, 0},
      {"{write: {select: transistor}}", 0, 0},
      {"{write: {select: half}}", 63 + 4 / 2.0, 0.5},
      {"{write: {select: half}, wire: {tile: [16, 6]}}", 15 + 4 / 2.0, 0.5},
      {"{write: {select: half}, wire: {tile: [16, 3]}}", 15 + 1 / 2.0, 0.5},
      /* 16 rows three times and 16 once more; columns 4 and 2 wide, and 1 cell at once where
       * there is no room for 2 */
      {"{write: {select: half}, wire: {tile: [16, 4]}}", 15 + (4 * 2 / 2.0 + 2 * 0) / 6, 0.5},
      /* G- in the next column: 12 columns in one tile of 16 rows */
      {"{write: {select: half}, wire: {tile: [16, 12], negative: neighbour}}", 15 + 10 / 2.0, 0.5},
      {"{write: {select: third}}", (64 * 6 - 2) / 2.0, 1 / 3.0},
      {"{write: {select: third}, wire: {tile: [16, 6]}}", (16 * 6 - 2) / 2.0, 1 / 3.0},
  };
  for (int i = 0; i < MHO_COUNT(cases); i++) {
    char more[256];
    snprintf(more, sizeof more, "array: %s\n", cases[i].array);
    counted c = count_first(more);
    double pulses = c.row.set_pulses + c.row.reset_pulses;
    assert_true(pulses > 100);
    NEAR(term(&c, "half-selected")->count, pulses * cases[i].others, 1e-9, 0);
    double written = term(&c, "set")->joule + term(&c, "reset")->joule;
    NEAR(term(&c, "half-selected")->joule,
         written * cases[i].others * cases[i].part * cases[i].part, 1e-9, 1e-30);
    counted_free(&c);
  }
}

/* A card's own pulse: Ag:a-Si is written by 3.2 V and -2.8 V for 300 us, TaOx/TiO2 by 3 V for 40
 * and -3 V for 10 ms; a voltage-driven model by what it is integrated with. */
static void test_pulse_of_cards(void **state) {
  static const struct {
    const char *device;
    double volts[2], width[2];
  } cases[] = {{"{card: ag_si}", {3.2, 2.8}, {300e-6, 300e-6}},
               {"{card: taox_tio2}", {3, 3}, {40e-3, 10e-3}},
               {"{card: ag_chalcogenide}", {0.45, 0.45}, {2e-6, 2e-6}},
               {"{card: hp_tio2}", {1, 1}, {20e-6, 20e-6}},
               {"{model: linear}", {2, 2}, {100e-9, 100e-9}},
               {"{model: linear, pulse: {width: 1 us}}", {2, 2}, {1e-6, 1e-6}}};
  for (int i = 0; i < MHO_COUNT(cases); i++) {
    char yaml[512];
    mho_epoch_row row;
    mho_energy_row t[MHO_ENERGY_TERMS];
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [6]}\ndataset: {train: 40}\ntrain: {batch: 20}\ndevice: %s\narray: "
             "{read_voltage: 10 mV}\nupdate: {scheme: pulses, optimizer: sgd, rates: [0.5, 0]}\n",
             cases[i].device);
    mho_experiment *e = experiment(yaml);
    mho_trainer *trained = trainer(e);
    OK(mho_trainer_epoch(trained, &row, &ei));
    OK(mho_trainer_energy(trained, t, &ei));
    double g = mho_crossbar_statistics(mho_trainer_network(trained)->connection[0].xb).g_mean;
    double done[2] = {row.set_pulses, row.reset_pulses};
    for (int k = 0; k < MHO_ENERGY_TERMS; k++)
      for (int way = 0; way < 2; way++) {
        if (strcmp(t[k].term, way ? "reset" : "set"))
          continue;
        double one = g * cases[i].volts[way] * cases[i].volts[way] * cases[i].width[way];
        assert_true(done[way] > 10);
        NEAR(t[k].joule, done[way] * one, 1e-9, 0);
        NEAR(t[k].seconds, done[way] / 2 * cases[i].width[way], 1e-9, 0);
      }
    mho_trainer_free(trained);
    mho_experiment_free(e);
  }
}

/* What a read costs does not depend on whether it is noisy. */
static void test_noise_is_free(void **state) {
  static const char *const coupling[] = {"digital", "analog"};
  for (int k = 0; k < MHO_COUNT(coupling); k++) {
    char more[2][256];
    for (int noisy = 0; noisy < 2; noisy++)
      snprintf(
          more[noisy], sizeof more[noisy],
          "update: {rate: 0}\narray: {dac_bits: 12, adc_bits: 12, coupling: %s, read_noise: %s}\n",
          coupling[k], noisy ? "1e-9" : "0");
    counted without = count(more[0]), with = count(more[1]);
    for (int i = 0; i < MHO_ENERGY_TERMS; i++) {
      NEAR(with.term[i].count, without.term[i].count, 1e-12, 0);
      NEAR(with.term[i].joule, without.term[i].joule, 1e-4, 0);
      NEAR(with.term[i].seconds, without.term[i].seconds, 1e-12, 0);
    }
    counted_free(&without);
    counted_free(&with);
  }
}

/* Two hidden layers from rest: the array between them is read in every step, both ways, also
 * while its inputs are still zeros. */
static void test_zeros(void **state) {
  enum { H2 = 5 };
  mho_experiment *e =
      experiment("network: {hidden: [6, 5]}\nsettle: {method: synchronous, free: 4, nudged: 2}\n"
                 "dataset: {train: 40}\ntrain: {batch: 20}\ndevice: linear\nupdate: {rate: 0}\n"
                 "array: {dac_bits: 8, adc_bits: 8}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_energy_row term[MHO_ENERGY_TERMS];
  OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_energy(t, term, &ei));
  double steps = N * (FREE + NUDGED);
  for (int i = 0; i < MHO_ENERGY_TERMS; i++) {
    if (!strcmp(term[i].term, "adc")) {
      /* every line has a converter of its own turn: 6 or 5 of them, less than the share of 128 */
      NEAR(term[i].count, 2 * N * H + steps * (H2 + H) + N * C + N * H2, 0, 0);
      NEAR(term[i].seconds, 0.78e-9 * (2 * N * H + steps * H + N * C + N * H2), 1e-9, 0);
    }
    if (!strcmp(term[i].term, "dac"))
      NEAR(term[i].count, 2 * N * X + steps * (H + H2) + N * H2 + N * C, 0, 0);
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* Backpropagation makes two passes through the layers: in time, one read of every array each
 * way. */
static void test_passes(void **state) {
  mho_experiment *e = experiment("network: {hidden: [6, 5]}\nrule: bp\ndataset: {train: 40}\n"
                                 "train: {batch: 20}\ndevice: linear\nupdate: {rate: 0}\n"
                                 "energy: {read_time: 50 ns}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_energy_row term[MHO_ENERGY_TERMS];
  OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_energy(t, term, &ei));
  NEAR(term[0].seconds, 50e-9 * N * 5, 1e-12, 0); /* x-h1, h1-h2, h2-out, and the last two back */
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* Credits are read back by sweeps, each through the crossbar of every link of activities, and
 * beside the states of analog neurons they are measured. */
static void test_credits(void **state) {
  counted c = count("update: {rate: 0}\nrule: balance\n");
  NEAR(term(&c, "cells")->count, 3 * N, 0, 0);
  NEAR(term(&c, "lines")->count, N * (X + H + C), 0, 0);
  NEAR(term(&c, "amplifiers")->joule, 5e-6 * 50e-9 * N * (H + C + H), 1e-12, 0);
  NEAR(term(&c, "cells")->seconds, 50e-9 * N * (FREE + 1 + 3), 1e-12, 0);
  counted_free(&c);

  c = count(
      "update: {rate: 0}\nrule: balance\narray: {dac_bits: 6, adc_bits: 7, coupling: analog}\n");
  NEAR(term(&c, "dac")->count, N * (X + C), 0, 0);
  NEAR(term(&c, "adc")->count, N * (C + 2 * H), 0, 0);
  counted_free(&c);
}

/* h1-h2 is read both ways in every step, and in every sweep, of which each reads the error, too. */
static void test_credits_of_loops(void **state) {
  enum { H2 = 5, SWEEPS = 3 };
  mho_experiment *e = experiment(
      "network: {hidden: [6, 5]}\nsettle: {method: synchronous, free: 4}\ndataset: {train: 40}\n"
      "train: {batch: 20}\ndevice: linear\nupdate: {rate: 0}\nenergy: {read_time: 50 ns}\n"
      "rule: {name: balance, credit_sweeps: 3}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_energy_row term[MHO_ENERGY_TERMS];
  OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_energy(t, term, &ei));
  NEAR(term[0].count, N * (2 + 2 * FREE + 3 * SWEEPS), 0, 0);
  NEAR(term[1].count, N * (X + H2 + (H + H2) * FREE + (C + H + H2) * SWEEPS), 0, 0);
  NEAR(term[0].seconds, 50e-9 * N * (FREE + SWEEPS + 2 + SWEEPS), 1e-12, 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- continuous time */

enum { TAU_NS = 80 };
static const double READ_FREE = 6, READ_NUDGED = 3, NUDGE = 0.4;

/* Integral of (b + (a - b) e^-t)^2 over t from 0 to end. */
static double decaying(double a, double b, double end) {
  double d = a - b;
  return b * b * end - 2 * b * d * expm1(-end) - 0.5 * d * d * expm1(-2 * end);
}

/* J that the cells of a linear hidden layer's arrays take in both phases of all samples, in closed
 * form: u relaxes to a in the free phase and from there to a - nudge (p - y) W^T in the nudged one;
 * every line is driven all the time. credits: the integral over time of the square of what drives
 * the error's lines, over p - y, while u stays; 0: the nudge does. */
static double closed_form(const mho_trainer *t, const mho_network *n, double volts,
                          double credits) {
  double of_error = credits > 0 ? credits : NUDGE * NUDGE * READ_NUDGED;
  const mho_crossbar *in = n->connection[0].xb, *out = n->connection[1].xb;
  const mho_real *w0 = mho_crossbar_matrix(in), *w1 = mho_crossbar_matrix(out);
  const mho_dataset *d = mho_trainer_dataset((mho_trainer *)(uintptr_t)t);
  double sum = 0, g0[X] = {0}, g1[H] = {0}, back[C] = {0};
  for (int i = 0; i < X * H; i++)
    g0[i / H] +=
        mho_cells_siemens(in->bank[0], (size_t)i) + mho_cells_siemens(in->bank[1], (size_t)i);
  for (int i = 0; i < H * C; i++) {
    double g =
        mho_cells_siemens(out->bank[0], (size_t)i) + mho_cells_siemens(out->bank[1], (size_t)i);
    g1[i / C] += g;
    back[i % C] += g;
  }

  for (int s = 0; s < N; s++) {
    double a[H] = {0}, u[H], p[C] = {0}, norm = 0;
    for (int i = 0; i < X; i++) {
      double x = (double)d->scale * (double)d->train.pixel[s * X + i];
      sum += x * x * g0[i] * (READ_FREE + READ_NUDGED);
      for (int j = 0; j < H; j++)
        a[j] += x * (double)w0[i * H + j];
    }
    for (int j = 0; j < H; j++) {
      u[j] = -a[j] * expm1(-READ_FREE);
      sum += g1[j] * decaying(0, a[j], READ_FREE);
      for (int k = 0; k < C; k++)
        p[k] += u[j] * (double)w1[j * C + k];
    }
    for (int k = 0; k < C; k++)
      norm += exp(p[k]);
    for (int k = 0; k < C; k++) {
      p[k] = exp(p[k]) / norm - (k == d->train.label[s]);
      sum += p[k] * p[k] * back[k] * of_error;
    }
    for (int j = 0; j < H; j++) {
      double pulled = a[j];
      for (int k = 0; k < C; k++)
        pulled -= NUDGE * p[k] * (double)w1[j * C + k];
      sum += g1[j] * decaying(u[j], credits > 0 ? u[j] : pulled, READ_NUDGED);
    }
  }
  return volts * volts * 1e-9 * TAU_NS * sum;
}

/* Energy and time in continuous time are those of the circuit, whatever integrates it. */
static void test_in_time(void **state) {
  static const char *const steppers[] = {"rk2", "rkf45", "rk8pd", "msadams", "bsimp"};
  for (int i = 0; i < MHO_COUNT(steppers); i++) {
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [6], neuron: linear}\nrule: {nudge: %g}\nsettle: {method: ode, "
             "stepper: %s, tau: %d ns, read_free: %g, read_nudged: %g, accuracy: 1e-7}\ndataset: "
             "{train: 40}\ntrain: {batch: 20}\nupdate: {rate: 0}\ndevice: {model: linear, g_min: "
             "10 uS, g_max: 50 uS}\narray: {read_voltage: 0.3 V}\nenergy: {amplifier: 5 uW, "
             "read_time: 50 ns}\n",
             NUDGE, steppers[i], TAU_NS, READ_FREE, READ_NUDGED);
    mho_experiment *e = experiment(yaml);
    mho_trainer *t = trainer(e);
    mho_epoch_row row;
    mho_energy_row term[MHO_ENERGY_TERMS];
    OK(mho_trainer_epoch(t, &row, &ei));
    OK(mho_trainer_energy(t, term, &ei));
    double want = closed_form(t, mho_trainer_network(t), 0.3, 0), free = READ_FREE * TAU_NS * 1e-9,
           nudged = READ_NUDGED * TAU_NS * 1e-9;
    print_message("  %s: %.6g J, %.6g in closed form\n", steppers[i], term[0].joule, want);
    /* bsimp steps over several tau at once, which Simpson's rule cannot follow as far */
    NEAR(term[0].joule, want, strcmp(steppers[i], "bsimp") ? 5e-5 : 1e-2, 0);
    NEAR(term[0].seconds, N * (free + nudged + 50e-9), 1e-9, 0); /* and one read of the read-out */
    for (int k = 0; k < MHO_ENERGY_TERMS; k++)
      if (!strcmp(term[k].term, "amplifiers"))
        NEAR(term[k].joule, 5e-6 * N * ((H + C) * (free + nudged) + H * nudged), 1e-9, 0);
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
}

/* Credits that relax take what the circuit at rest and their own lines take meanwhile. @return J of
 * the cells, measured and in closed form. */
static void relax(const char *output, double credits, double joule[2]) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml,
           "network: {hidden: [6], neuron: linear}\nrule: {name: balance, output: %s, "
           "credit_tau: 0.5, credit_read: %g, credit_tolerance: 1e-5}\nsettle: {method: ode, tau: "
           "%d ns, read_free: %g, accuracy: 1e-7}\ndataset: {train: 40}\ntrain: {batch: 20}\n"
           "update: {rate: 0}\ndevice: {model: linear, g_min: 10 uS, g_max: 50 uS}\n"
           "array: {read_voltage: 0.3 V}\nenergy: {amplifier: 5 uW, read_time: 50 ns}\n",
           output, READ_NUDGED, TAU_NS, READ_FREE);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_energy_row term[MHO_ENERGY_TERMS];
  OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_energy(t, term, &ei));
  double free = READ_FREE * TAU_NS * 1e-9, back = READ_NUDGED * TAU_NS * 1e-9;
  joule[0] = term[0].joule;
  joule[1] = closed_form(t, mho_trainer_network(t), 0.3, credits);
  NEAR(joule[0], joule[1], 5e-5, 0);
  NEAR(term[0].count, 3 * N, 0, 0); /* x-h1, h1-out, and the latter back */
  NEAR(term[1].count, N * (X + H + C), 0, 0);
  NEAR(term[0].seconds, N * (free + back + 50e-9), 1e-9, 0);
  for (int k = 0; k < MHO_ENERGY_TERMS; k++)
    if (!strcmp(term[k].term, "amplifiers"))
      NEAR(term[k].joule, 5e-6 * N * ((H + C) * (free + back) + H * back), 1e-9, 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* The read-out's credit is its error all the time, or comes to it in half a tau. */
static void test_credits_in_time(void **state) {
  double held[2], rising[2];
  relax("clamp", READ_NUDGED, held);
  relax("inject", 0.5 * decaying(0, 1, 2 * READ_NUDGED), rising);
  print_message("  held %.6g J, %.6g in closed form; rising %.6g, %.6g\n", held[0], held[1],
                rising[0], rising[1]);
  NEAR(held[0] - rising[0], held[1] - rising[1], 0.01, 0);
}

/* The error that is read anew all the time drives its lines, whichever precision follows it:
 * through plain products, and through an array that is asked at every step. */
static void test_live_error(void **state) {
  static const char *const array[] = {
      "ideal", "{model: periphery, coupling: analog, mismatch: {gain: 1e-9}}"};
  double cells[3];
  for (int i = 0; i < 3; i++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [6]}\nrule: {nudge: %g, error: live}\nsettle: {method: ode, "
             "read_free: 6, read_nudged: 3, accuracy: 1e-7}\ndataset: {train: 40}\ntrain: {batch: "
             "20}\nupdate: {rate: 0}\ndevice: linear\narray: %s\n",
             i < 2 ? 1.0 : 1e-6, array[i % 2]);
    mho_experiment *e = experiment(yaml);
    mho_trainer *t = trainer(e);
    mho_epoch_row row;
    mho_energy_row term[MHO_ENERGY_TERMS];
    OK(mho_trainer_epoch(t, &row, &ei));
    OK(mho_trainer_energy(t, term, &ei));
    cells[i] = term[0].joule;
    mho_trainer_free(t);
    mho_experiment_free(e);
  }

  print_message("  %.6g J, %.6g J; without a nudge %.6g J\n", cells[0], cells[1], cells[2]);
  NEAR(cells[0], cells[1], 1e-5, 0);
  assert_true(cells[0] > 1.001 * cells[2]);
}

/* Reads that verify what was written. */
static void test_verify(void **state) {
  counted c = count("update: {scheme: write_verify, optimizer: sgd, rate: 0.5}\n"
                    "array: {adc_bits: 6, dac_bits: 6, read_voltage: 0.3 V}\n");
  double reads = c.row.verify_reads, joule = term(&c, "verify")->joule, g[2];
  assert_true(reads > 100);
  NEAR(term(&c, "verify")->count, reads, 0, 0);
  for (int k = 0; k < 2; k++)
    g[k] = mho_crossbar_statistics(mho_trainer_network(c.t)->connection[k].xb).g_mean;
  double rest = 5e-6 * 50e-9 + 64 * 10e-15, cell = 2 * 0.09 * 50e-9;
  assert_true(joule >= reads * (cell * fmin(g[0], g[1]) + rest) * (1 - 1e-9) &&
              joule <= reads * (cell * fmax(g[0], g[1]) + rest) * (1 + 1e-9));
  double seconds = term(&c, "verify")->seconds; /* two at once, both connections side by side */
  assert_true(seconds >= 52e-9 * reads / 4 && seconds <= 52e-9 * reads / 2);
  counted_free(&c);
}

/* Initial weights through a scheme: within half a step of the exact ones where devices are, and
 * counted. */
static void test_initial(void **state) {
  static const char *const how[] = {"{scheme: pulses, rate: 0}", "{scheme: accumulate, rate: 0}",
                                    "{scheme: sign, rate: 0}",
                                    "{scheme: write_verify, rate: 0, tolerance: 0.5}"};
  static const char *const device[] = {
      "{model: linear, step_up: 0.01, step_down: 0.01}",
      "{model: linear, step_up: 0.01, step_down: 0.01, mapping: reference}"};
  for (int d = 0; d < MHO_COUNT(device); d++)
    for (int i = 0; i < MHO_COUNT(how); i++) {
      char yaml[512];
      mho_epoch_row row;
      snprintf(yaml, sizeof yaml,
               "network: {hidden: [6]}\ndataset: {train: 20}\ntrain: {batch: 20}\ndevice: "
               "%s\nupdate: %s\n"
               "program: {initial: scheme, rounds: 60}\n",
               device[d], how[i]);
      mho_experiment *e = experiment(yaml);
      mho_trainer *t = trainer(e);
      const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
      size_t n = (size_t)x->rows * (size_t)x->cols;
      mho_real *exact = mho_alloc(n, sizeof *exact);
      memcpy(exact, mho__crossbar_programmed(x), n * sizeof *exact);
      OK(mho_trainer_epoch(t, &row, &ei));
      double step = mho_crossbar_step(x, 0.01), farthest = 0;
      for (size_t k = 0; k < n; k++)
        farthest = fmax(farthest, fabs((double)(exact[k] - mho__crossbar_programmed(x)[k])));
      assert_true(farthest > 0.1 * step && farthest < 1.001 * step);
      assert_true(row.pulses > 100 && row.verify_reads >= (double)n && row.clipped >= 0);
      mho_free(exact);
      mho_trainer_free(t);
      mho_experiment_free(e);
    }
}

/* Energy of an epoch on three threads, and of one that is resumed in its middle on one. */
static void resume(const char *more) {
  char yaml[2048];
  snprintf(yaml, sizeof yaml, "%s%s", net, more);
  mho_experiment *e = experiment(yaml);
  mho_context one = {0}, three = {0};
  volatile sig_atomic_t stop = 1;
  OK(mho_pool_new(3, &three.pool, &ei));
  one.stop = &stop;
  mho_trainer *whole, *cut, *rest = trainer(e);
  mho_epoch_row row;
  mho_checkpoint_row saved = {0};
  mho_energy_row a[MHO_ENERGY_TERMS], b[MHO_ENERGY_TERMS];
  OK(mho_trainer_new(&three, e, &whole, &ei));
  OK(mho_trainer_new(&one, e, &cut, &ei));

  OK(mho_trainer_epoch(whole, &row, &ei));
  OK(mho_trainer_energy(whole, a, &ei));
  assert_int_equal(mho_trainer_epoch(cut, &row, &ei), MHO_EINTERRUPTED);
  OK(mho_trainer_save(cut, &saved, &ei));
  OK(mho_trainer_load(rest, &saved.blob, &ei));
  OK(mho_trainer_epoch(rest, &row, &ei));
  OK(mho_trainer_energy(rest, b, &ei));
  for (int i = 0; i < MHO_ENERGY_TERMS; i++)
    assert_true(a[i].joule == b[i].joule && a[i].seconds == b[i].seconds &&
                a[i].count == b[i].count);

  mho_blob_free(&saved.blob);
  mho_trainer_free(whole);
  mho_trainer_free(cut);
  mho_trainer_free(rest);
  mho_pool_free(three.pool);
  mho_experiment_free(e);
}

/* The same for any number of threads and after a resume in mid-epoch, with all that is counted in
 * one; nothing without devices or when not asked for. */
static void test_resume(void **state) {
  resume("update: {scheme: stochastic, rate: 0.5}\n");
  resume("update: {scheme: accumulate}\nrule: {name: perturb}\n");
  resume("update: {scheme: accumulate}\nrule: balance\n");

  mho_experiment *ideal = experiment("device: ideal\n"),
                 *off = experiment("device: linear\nenergy: {count: false}\n");
  mho_trainer *none = trainer(ideal), *silent = trainer(off);
  mho_energy_row a[MHO_ENERGY_TERMS];
  assert_int_equal(mho_trainer_energy(none, a, &ei), MHO_EINVAL);
  assert_int_equal(mho_trainer_energy(silent, a, &ei), MHO_EINVAL);
  mho_trainer_free(none);
  mho_trainer_free(silent);
  mho_experiment_free(ideal);
  mho_experiment_free(off);
}

/* A trial reads every batch twice, once of these with a perturbation at the edge: for that every
 * line has a pair, every array an amplifier and every sense line a driver more. In software it
 * takes nothing but the reads. */
static void test_perturbed(void **state) {
  counted c = count("update: {rate: 0}\nrule: {name: perturb}\narray: {read_voltage: 0.3 V}\n"),
          ideal = count("update: {rate: 0}\nrule: {name: perturb, by: ideal, shape: rank1}\n"
                        "array: {read_voltage: 0.3 V}\n");
  const mho_dataset *d = mho_trainer_dataset(c.t);
  double squares = 0, pair = 60e-6, unit = 0.09 * 50e-9 * pair;
  for (int i = 0; i < N * X; i++)
    squares += pow((double)d->scale * (double)d->train.pixel[i], 2);

  NEAR(term(&c, "cells")->count, 4 * N, 0, 0);
  NEAR(term(&ideal, "cells")->count, 4 * N, 0, 0);
  NEAR(term(&ideal, "amplifiers")->count, 2 * N * (H + C), 0, 0);
  NEAR(term(&c, "amplifiers")->count, 2 * N * (H + C) + N * (1 + H) + N * (1 + C), 0, 0);
  NEAR(term(&c, "amplifiers")->joule, 5e-6 * 50e-9 * term(&c, "amplifiers")->count, 1e-12, 0);

  double more = term(&c, "cells")->joule - term(&ideal, "cells")->joule;
  assert_true(more > unit * squares && more < unit * (squares + N * H));
  more = term(&c, "lines")->joule - term(&ideal, "lines")->joule;
  assert_true(more > 0.09 * 2e-15 * 2 * squares && more < 0.09 * 2e-15 * 2 * (squares + N * H));

  /* both predictions: all steps, the input and the read-out */
  NEAR(term(&c, "cells")->seconds, 50e-9 * N * (2 * FREE + 4), 1e-12, 0);
  NEAR(c.term[0].samples, N, 0, 0);
  counted_free(&ideal);
  counted_free(&c);
}

/* The pulses of a trial by devices are written and counted like any other. */
static void test_perturbed_by_pulses(void **state) {
  counted c = count("update: {rate: 0, scheme: accumulate}\nrule: {name: perturb, by: pulse}\n");
  double cells = X * H + H * C, pulses = 2 * 2 * cells; /* two batches, both devices of a pair */
  NEAR(c.row.set_pulses, pulses, 0, 0);
  NEAR(c.row.reset_pulses, pulses, 0, 0);
  NEAR(term(&c, "set")->count, pulses, 0, 0);
  NEAR(term(&c, "cells")->count, 4 * N, 0, 0);
  counted_free(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads),           cmocka_unit_test(test_converters),
      cmocka_unit_test(test_tiles),           cmocka_unit_test(test_analog),
      cmocka_unit_test(test_spikes),          cmocka_unit_test(test_pulses),
      cmocka_unit_test(test_trains),          cmocka_unit_test(test_rows_that_are_read),
      cmocka_unit_test(test_verify),          cmocka_unit_test(test_initial),
      cmocka_unit_test(test_resume),          cmocka_unit_test(test_selection),
      cmocka_unit_test(test_pulse_of_cards),  cmocka_unit_test(test_noise_is_free),
      cmocka_unit_test(test_zeros),           cmocka_unit_test(test_passes),
      cmocka_unit_test(test_in_time),         cmocka_unit_test(test_live_error),
      cmocka_unit_test(test_perturbed),       cmocka_unit_test(test_perturbed_by_pulses),
      cmocka_unit_test(test_credits),         cmocka_unit_test(test_credits_of_loops),
      cmocka_unit_test(test_credits_in_time),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
