/* The fast array beside the slow one, in a training: reads of a row through noise, converters and
 * wires; residual learning shows both arrays, with choppers, drift, noise and wires; what a scheme
 * keeps goes through checkpoints; what is not set goes by the states of the devices; what does not
 * fit is refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"
#include "program/tiki_taka.h"
#include "train/trainer.h"

#define NET "dataset: {train: 150}\nnetwork: {hidden: [12]}\ntrain: {batch: 50, epochs: 3}\n"
#define SOFT                                                                                       \
  "device: {model: soft_bounds, step_up: 0.01, step_down: 0.02, mapping: %s, "                     \
  "variation: {step: 0.2, g_low: 0.05}}\n"

#define SOFT_NOISY                                                                                 \
  "device: {model: soft_bounds, step_up: 0.01, step_down: 0.02, cycle_to_cycle: 0.3}\n"            \
  "update: {scheme: tiki_taka, variant: chopped, transfer_every: 5}\n"

typedef struct training {
  mho_experiment *e;
  mho_trainer *t;
  mho_network *net;
} training;

static training training_new(const char *yaml) {
  training n = {.e = experiment(yaml)};
  n.t = trainer(n.e);
  n.net = mho_trainer_network(n.t);
  return n;
}

static void training_free(training *n) {
  mho_trainer_free(n->t);
  mho_experiment_free(n->e);
}

static mho_tiki *own_of(const training *n, int c) {
  return n->t->updater->own[c];
}

/* ---------------------------------------------------------------- residual learning */

/* The weight that the first `banks` banks of a crossbar have, as they are or after a time. */
static double weight_of(const mho_crossbar *x, int banks, size_t cell, double after) {
  double sum = 0;
  for (int k = 0; k < banks; k++) {
    float g = x->bank[k]->g[cell];
    if (after > 0)
      mho_cells_drifted(x->bank[k], after, cell, 1, &g);
    sum += x->w_max * x->role[k].gain * (double)g;
  }
  return sum;
}

static void shows_both(const training *n, double gamma, double after) {
  for (int c = 0; c < n->net->n_trained; c++) {
    const mho_crossbar *x = n->net->connection[c].xb;
    const mho_tiki *own = own_of(n, c);
    size_t cols = (size_t)x->cols;
    double largest = 0;

    assert_int_equal(x->n_banks, 4);
    for (size_t i = 0; i < mho_crossbar_cells(x); i++) {
      int sign = own->row ? own->row[i / cols] : 1;
      sign *= own->col ? own->col[i % cols] : 1;
      double fast = weight_of(own->fast, 2, i, after);
      largest = fmax(largest, fabs(fast));
      NEAR(mho__crossbar_programmed(x)[i], weight_of(x, 2, i, after) + gamma * sign * fast, 0,
           1e-5 * (1 + gamma) * x->w_max);
    }
    assert_true(largest > 0.02 * mho_crossbar_w_max(own->fast));
  }
}

static void test_residual(void **state) {
  static const char *const mappings[] = {"differential", "reference", "offset"};
  static const char *const variants[] = {
      "v1", "v2, granularity: 0.1", "chopped, chop_in: 0.3, chop_out: 0.3, auto_granularity: 0",
      "agad, chop_in: 0.4, auto_granularity: 0"};
  for (int m = 0; m < 3; m++)
    for (int v = 0; v < 4; v++) {
      char yaml[1024];
      snprintf(yaml, sizeof yaml,
               NET SOFT "update: {scheme: tiki_taka, gamma: 0.3, fast_mapping: %s, variant: %s}\n",
               mappings[m], mappings[(m + v) % 3], variants[v]);
      training n = training_new(yaml);
      mho_epoch_row row;
      for (int epoch = 0; epoch < 2; epoch++)
        OK(mho_trainer_epoch(n.t, &row, &ei));
      shows_both(&n, 0.3, 0);
      int turned = 0;
      for (int i = 0; own_of(&n, 0)->row && i < 64; i++)
        turned += own_of(&n, 0)->row[i] < 0;
      assert_true(v < 2 ? !turned : turned > 0);
      training_free(&n);
    }
}

/* Users read the borrowed banks by their names, and do not write them. */
static void test_borrowed_by_name(void **state) {
  training n = training_new(NET "device: linear\nupdate: {scheme: tiki_taka, gamma: 0.3}\n");
  double gain, *g = calloc(64 * 12, sizeof *g);
  assert_string_equal(mho_trainer_bank(n.t, 0, 2, &gain), "fast_pos");
  NEAR(gain, 0.3, 1e-12, 0);
  OK(mho_trainer_conductances(n.t, "x-h1", 3, g, &ei));
  assert_int_equal(mho_trainer_set_conductances(n.t, "x-h1", 3, g, NULL, &ei), MHO_EINVAL);
  assert_non_null(strstr(ei.message, "fast_neg"));
  OK(mho_trainer_conductances(n.t, "x-h1", 1, g, &ei));
  OK(mho_trainer_set_conductances(n.t, "x-h1", 1, g, NULL, &ei));
  free(g);
  training_free(&n);
}

/* Time leaves both arrays what it leaves of their cells. */
static void test_residual_drifts(void **state) {
  training n = training_new(
      NET "device: {model: soft_bounds, step_up: 0.01, step_down: 0.01, drift: {law: power, nu: "
          "0.1, nu_spread: 0.05}}\nupdate: {scheme: tiki_taka, gamma: 0.5, variant: chopped, "
          "chop_in: 0.3, auto_granularity: 0}\n");
  mho_epoch_row row;
  OK(mho_trainer_epoch(n.t, &row, &ei));
  OK(mho_trainer_age(n.t, 1e4, &ei));
  shows_both(&n, 0.5, 1e4);
  training_free(&n);
}

/* Variance of a read of ones is that of the devices of both: 2 of a pair and 2 gamma^2. */
static void test_residual_noise(void **state) {
  enum { READS = 6000 };
  training n = training_new(NET "device: {model: linear}\narray: {read_noise: 0.02}\n"
                                "update: {scheme: tiki_taka, gamma: 0.8, variant: v1}\n");
  const mho_crossbar *x = n.net->connection[1].xb;
  mho_real in[12], out[10], *scratch = mho_alloc(mho_crossbar_scratch(x, 1), sizeof *scratch);
  double sum = 0, squares = 0;
  for (int i = 0; i < 12; i++)
    in[i] = 1;
  for (int r = 0; r < READS; r++) {
    mho_crossbar_read(x, &(mho_read){.n = 1,
                                     .x = in,
                                     .y = out,
                                     .scale = 1,
                                     .clock = {.update = (uint64_t)r},
                                     .scratch = scratch});
    for (int j = 0; j < 10; j++) {
      double exact = 0;
      for (int i = 0; i < 12; i++)
        exact += (double)mho_crossbar_matrix(x)[i * 10 + j];
      sum += ((double)out[j] - exact) / (10 * READS);
      squares += pow((double)out[j] - exact, 2) / (10 * READS);
    }
  }

  double sigma = 0.02 * x->w_max, want = 12 * sigma * sigma * (2 + 2 * 0.8 * 0.8);
  NEAR(sum, 0, 0, 5 * sqrt(want / (10 * READS)));
  NEAR(squares, want, 5 * sqrt(2.0 / (10 * READS)), 0);
  mho_free(scratch);
  training_free(&n);
}

/* Wires see four banks: the effective matrix is that of the slow array alone, in its own wires, and
 * gamma times that of the fast one in its. */
static void test_residual_wires(void **state) {
  training n =
      training_new(NET "device: {model: soft_bounds, step_up: 0.01, step_down: 0.01}\n"
                       "array: {wire: {r_word: 30 ohm, r_bit: 20 ohm}}\n"
                       "update: {scheme: tiki_taka, gamma: 0.5, variant: chopped, chop_in: 0.3, "
                       "auto_granularity: 0}\n");
  mho_epoch_row row;
  OK(mho_trainer_epoch(n.t, &row, &ei));
  const mho_experiment *e = n.e;
  mho_crossbar *x = n.net->connection[0].xb, *slow, *fast;
  const mho_tiki *own = own_of(&n, 0);
  mho_crossbar_options o = {.device = (const mho_device_model *)e->device.entry,
                            .device_params = e->device.params,
                            .device_config = &e->device_config,
                            .mapping = (const mho_mapping *)e->mapping.entry,
                            .array = (const mho_array_model *)e->array.entry,
                            .array_params = e->array.params,
                            .array_config = &e->array_config,
                            .w_max = mho_crossbar_w_max(x)};
  OK(mho_crossbar_new(x->rows, x->cols, &o, &slow, &ei));
  OK(mho_crossbar_new(x->rows, x->cols, &o, &fast, &ei));
  size_t cells = mho_crossbar_cells(x), cols = (size_t)x->cols;
  for (int k = 0; k < 2; k++)
    for (size_t i = 0; i < cells; i++) {
      slow->bank[k]->g[i] = x->bank[k]->g[i];
      int other = own->row[i / cols] < 0 ? 1 - k : k;
      fast->bank[k]->g[i] = own->fast->bank[other]->g[i];
    }
  mho_crossbar_refresh(slow, 0, cells);
  mho_crossbar_refresh(fast, 0, cells);
  mho_wired *wired;
  OK(mho_wired_new(2, (mho_crossbar *[]){slow, fast}, &e->array_config, &e->device_config, NULL,
                   &wired, &ei));
  mho_wired_refresh(wired, 0, true);

  double weakened = 0;
  for (size_t i = 0; i < cells; i++) {
    double want = (double)mho_crossbar_matrix(slow)[i] + 0.5 * (double)mho_crossbar_matrix(fast)[i];
    NEAR(mho_crossbar_matrix(x)[i], want, 0, 2e-5 * x->w_max);
    weakened = fmax(weakened, fabs(want - (double)mho__crossbar_programmed(x)[i]));
  }
  assert_true(weakened > 0.01 * x->w_max);
  mho_wired_free(wired);
  mho_crossbar_free(slow);
  mho_crossbar_free(fast);
  training_free(&n);
}

/* ---------------------------------------------------------------- reads of a row */

/* A row is what a read of its line alone gives, through mismatch, law and wires. */
static void test_row_is_a_read(void **state) {
  training n = training_new(
      NET "device: {model: soft_bounds, step_up: 0.01, step_down: 0.01, iv: {law: hfo2}}\n"
          "array: {model: periphery, mismatch: {gain: 0.1, input_gain: 0.1}, "
          "saturation: 0.1, adc_range: fixed, adc_full_scale: 8}\n"
          "update: {scheme: tiki_taka, variant: v1}\n");
  mho_epoch_row epoch;
  OK(mho_trainer_epoch(n.t, &epoch, &ei));
  mho_crossbar *x = own_of(&n, 0)->fast;
  mho_real in[64], out[12], shown[12];
  mho_real *scratch = mho_alloc(mho_crossbar_scratch(x, 1), sizeof *scratch);

  for (int row = 0; row < 64; row += 9) {
    memset(in, 0, sizeof in);
    in[row] = 1;
    mho_crossbar_read(x, &(mho_read){.n = 1, .x = in, .y = out, .scale = 1, .scratch = scratch});
    mho_crossbar_read_row(x, row, mho_crossbar_matrix(x) + row * 12, (mho_clock){0}, shown,
                          scratch);
    for (int j = 0; j < 12; j++)
      NEAR(shown[j], (double)out[j], 1e-5, 1e-7);
  }
  mho_free(scratch);
  training_free(&n);
}

/* Noise of a row is that of a pair, and a converter of 5 bits has steps of w_max/15 over the gain
 * of its amplifier, a power of 2 that the row just fits. */
static void test_row_noise_and_steps(void **state) {
  enum { READS = 4000 };
  training n = training_new(NET "device: {model: linear}\n"
                                "array: {read_noise: 0.03}\n"
                                "update: {scheme: tiki_taka, variant: v1}\n");
  mho_crossbar *x = own_of(&n, 0)->fast;
  mho_real out[12], weights[12] = {0};
  mho_real *scratch = mho_alloc(mho_crossbar_scratch(x, 1), sizeof *scratch);
  double squares = 0;
  for (int r = 0; r < READS; r++) {
    mho_crossbar_read_row(x, 3, weights, (mho_clock){.update = (uint64_t)r}, out, scratch);
    for (int j = 0; j < 12; j++)
      squares += (double)out[j] * (double)out[j] / (12 * READS);
  }
  NEAR(squares, 2 * pow(0.03 * x->w_max, 2), 5 * sqrt(2.0 / (12 * READS)), 0);
  mho_free(scratch);
  training_free(&n);

  n = training_new(NET "device: {model: linear}\narray: {adc_bits: 5}\n"
                       "update: {scheme: tiki_taka, variant: v1}\n");
  x = own_of(&n, 0)->fast;
  scratch = mho_alloc(mho_crossbar_scratch(x, 1), sizeof *scratch);
  for (int j = 0; j < 12; j++)
    weights[j] = (mho_real)(x->w_max * 0.22 * (j - 5.3) / 6.7);
  mho_crossbar_read_row(x, 3, weights, (mho_clock){0}, out, scratch);
  double step = x->w_max / 15 / 4; /* 4 times .22 is below 1, 8 times is not */
  for (int j = 0; j < 12; j++)
    NEAR(out[j], step * round((double)weights[j] / step), 1e-5, 1e-6);
  mho_free(scratch);
  training_free(&n);
}

/* With wires a transfer sees what wires make of the row. */
static void test_row_in_wires(void **state) {
  training n = training_new(NET "device: {model: soft_bounds, step_up: 0.01, step_down: 0.01}\n"
                                "array: {wire: {r_word: 30 ohm, r_bit: 20 ohm}}\n"
                                "update: {scheme: tiki_taka, variant: v1}\n");
  mho_epoch_row row;
  OK(mho_trainer_epoch(n.t, &row, &ei));
  const mho_tiki *own = own_of(&n, 0);
  double most = 0;
  for (size_t i = 0; i < mho_crossbar_cells(own->fast); i++) {
    double sum = (double)(mho__crossbar_programmed(own->fast)[i] + own->wired[i]);
    NEAR(sum, (double)mho_crossbar_matrix(own->fast)[i], 0, 1e-6);
    most = fmax(most, fabs((double)own->wired[i]));
  }
  assert_true(most > 1e-3);
  training_free(&n);
}

/* ---------------------------------------------------------------- symmetry */

/* The shift is the weight where steps up and down are of one size; the array begins there, off by
 * the error that is asked for. */
static void test_shift(void **state) {
  static const char *const mappings[] = {"differential", "reference"};
  for (int m = 0; m < 2; m++)
    for (int with_error = 0; with_error < 2; with_error++) {
      char yaml[1024];
      snprintf(yaml, sizeof yaml,
               NET SOFT "update: {scheme: tiki_taka, variant: v2, symmetry_error: %g}\n",
               mappings[m], with_error ? 0.1 : 0.0);
      training n = training_new(yaml);
      const mho_tiki *own = own_of(&n, 0);
      const mho_crossbar *x = own->fast;
      float up[1], down[1], set[1] = {1}, reset[1] = {-1};
      double squares = 0;
      size_t cells = mho_crossbar_cells(x);

      for (size_t i = 0; i < cells; i++) {
        double w = 0;
        for (int k = 0; k < 2; k++) {
          const mho_cells *c = x->bank[k];
          size_t at = c->varied ? i : 0; /* what is fixed is alike */
          double low = (double)c->low[at], high = (double)c->high[at], g = (double)c->g[i];
          if (mho_crossbar_writes(x, k)) /* s_up (high - g) = s_down (g - low), as of soft bounds */
            g = ((double)c->col[0][i] * high + (double)c->col[1][i] * low) /
                ((double)c->col[0][i] + (double)c->col[1][i]);
          w += x->w_max * x->role[k].gain * g;
        }
        double off = (double)own->shift[i] - w / x->w_max;
        squares += off * off / (double)cells;
        if (!with_error)
          NEAR(off, 0, 0, 1e-4);
      }
      mho_cells_mean_step(x->bank[0], 5, 1, set, up);
      mho_cells_mean_step(x->bank[0], 5, 1, reset, down);
      if (!with_error && m == 1)
        NEAR(up[0], -down[0], 0.05, 0);
      double sigma = 0.1 * mho_crossbar_w_max(x) / x->w_max;
      if (with_error)
        NEAR(sqrt(squares), sigma, 5 / sqrt(2.0 * (double)cells), 0);
      training_free(&n);
    }
}

/* ---------------------------------------------------------------- coarse devices */

/* What gamma and fast_rate are by themselves: 0.2 and 3, times sqrt(n/500) of n < 500 states. */
static void test_defaults_go_by_states(void **state) {
  static const struct {
    const char *device;
    double states; /* 1 over the mean step in the middle, a device; more where devices take turns */
  } cases[] = {
      {"{model: linear, step_up: 0.05, step_down: 0.05}", 20},
      {"{model: linear, mapping: reference, step_up: 0.25, step_down: 0.25}", 4},
      {"{model: soft_bounds, step_up: 0.01, step_down: 0.03}", 100},
      {"{model: linear, step_up: 0.05, step_down: 0.05, cells: {n: 2}}", 20},
      {"{model: linear, step_up: 0.05, step_down: 0.05, cells: {n: 2, write: in_turn}}", 40},
      {"{model: linear, step_up: 0.002, step_down: 0.002}", 500},
      {"{model: linear, step_up: 1e-4, step_down: 1e-4}", 500},
  };
  for (int i = 0; i < MHO_COUNT(cases); i++)
    for (int is_set = 0; is_set < 2; is_set++) {
      char yaml[512];
      snprintf(yaml, sizeof yaml, NET "device: %s\nupdate: {scheme: tiki_taka%s}\n",
               cases[i].device, is_set ? ", gamma: 0.3, fast_rate: 7" : ", gamma: -1");
      training n = training_new(yaml);
      double gain, factor = sqrt(cases[i].states / 500);
      const mho_crossbar *x = n.net->connection[0].xb;
      int devices = mho_cell_devices(&n.e->device_config);
      mho_trainer_bank(n.t, 0, x->n_banks - 2 * devices, &gain);
      NEAR(gain * devices, is_set ? 0.3 : 0.2 * factor, 1e-6, 0);
      NEAR(own_of(&n, 0)->fast_rate, is_set ? 7 : 3 * factor, 1e-6, 0);
      training_free(&n);
    }
}

/* Why they do: pulses of random signs leave weights of soft bounds with a variance of
 * (range/2)^2/(n - 1), however many they are. */
static void test_noise_of_states(void **state) {
  enum { N = 48, PULSES = 400, FEWER = 200 };
  static const double states[] = {5, 20, 80};
  for (int i = 0; i < MHO_COUNT(states); i++) {
    char yaml[512];
    snprintf(
        yaml, sizeof yaml,
        "dataset: {train: 150}\nnetwork: {hidden: [%d]}\ndevice: {model: soft_bounds, mapping: "
        "reference, step_up: %g, step_down: %g}\nupdate: {scheme: tiki_taka}\n",
        N, 2 / states[i], 2 / states[i]);
    training n = training_new(yaml);
    mho_crossbar *x = own_of(&n, 0)->fast;
    size_t cells = mho_crossbar_cells(x);
    mho_pulse_counts counts = {0};

    for (uint64_t pulse = 1; pulse <= PULSES; pulse++) {
      double squares = 0;
      for (size_t first = 0; first < cells; first += MHO_DEVICE_BLOCK) {
        int m = mho__block_cells(cells, first);
        int16_t count[MHO_DEVICE_BLOCK];
        uint32_t word[MHO_DEVICE_BLOCK];
        mho_rng_u32(mho_rng_make(9, MHO_RNG_TEST, 0), pulse, first, (size_t)m, word);
        for (int j = 0; j < m; j++)
          count[j] = word[j] >> 31 ? 1 : -1;
        mho_crossbar_change(x, first, m, count, pulse, &counts);
      }
      for (size_t k = 0; k < cells; k++)
        squares += pow((double)mho__crossbar_programmed(x)[k] / (0.5 * x->w_max), 2);
      if (pulse % FEWER == 0)
        NEAR(squares / (double)cells, 1 / (states[i] - 1), 5 * sqrt(2 / (double)cells), 0);
    }
    training_free(&n);
  }
}

/* ---------------------------------------------------------------- whatever it meets */

/* Every rule, topology, settler and mapping brings its outer products into fast arrays, from which
 * every trained connection learns. */
static void test_meetings(void **state) {
  static const char *const others[] = {
      "rule: ep\n",
      "rule: {phases: points, error: live}\n",
      "rule: bp\nnetwork: {biases: true}\n",
      "rule: fa\nfeedback: {mode: asymmetric}\n",
      "rule: balance\n",
      "rule: {name: balance, tied: both}\nfeedback: {scale: 0.2}\n",
      "rule: perturb\nnetwork: {biases: true}\n",
      "rule: {name: perturb, of: nodes}\nnetwork: {biases: true}\n",
      "rule: dfc\nfeedback: {path: direct}\n",
      "rule: {name: dfc, control: time, steps: 10}\nfeedback: {path: direct, q: random}\n",
      "rule: {importance: local}\n",
      "network: {topology: residual}\nsettle: synchronous\n",
      "network: {topology: agt}\nfeedback: {mode: asymmetric}\n",
      "network: {output: state}\n",
      "network: {output: linear}\nsettle: {method: ode, tolerance: 1e-3}\n",
      "rule: {name: perturb, of: nodes}\nnetwork: {topology: conv, conv: [4x3 pool2], biases: "
      "true}\n",
      "rule: ep\nnetwork: {topology: conv, conv: [4x3 pool2 6], biases: true}\n",
      "array: {read_noise: 0.01, adc_bits: 8, dac_bits: 8, wire: {r_word: 1 ohm, tile: 16}}\n",
      "array: {write: {select: half}}\n",
  };
  static const char *const variants[] = {"v1", "v2", "chopped, gamma: 0.1, chop_out: 0.1",
                                         "agad, chop_in: 0.5, auto_granularity: 10"};
  for (int i = 0; i < MHO_COUNT(others); i++)
    for (int applies = 0; applies < 2; applies++) {
      char yaml[1024];
      bool is_conv = strstr(others[i], "conv") != NULL, is_by_trials = strstr(others[i], "pert");
      snprintf(yaml, sizeof yaml,
               "dataset: {train: 100}\n%strain: {batch: 50, epochs: 2}\ndevice: {model: "
               "soft_bounds, mapping: %s}\nupdate: {scheme: tiki_taka, optimizer: sgd, rate: 1, "
               "variant: %s, apply: %s}\n%s",
               is_conv || strstr(others[i], "network") ? "" : "network: {hidden: [9, 8]}\n",
               i % 2 ? "reference" : "differential", variants[i % 4],
               applies && !is_by_trials && !strstr(others[i], "dfc") ? "sample" : "auto",
               others[i]);
      training n = training_new(yaml);
      mho_epoch_row row;
      for (int epoch = 0; epoch < 2; epoch++)
        OK(mho_trainer_epoch(n.t, &row, &ei));
      assert_true(isfinite(row.loss));
      assert_true(row.verify_reads > 0);
      for (int c = 0; c < n.net->n_trained; c++) {
        const mho_tiki *own = own_of(&n, c);
        size_t moved = 0, cells = mho_crossbar_cells(own->fast);
        for (size_t k = 0; k < cells; k++)
          moved += fabs((double)mho__crossbar_programmed(own->fast)[k]) > 1e-4 * own->fast->w_max;
        if (!(moved > cells / 10) || !(own->at.turn > 0))
          fail_msg("%s: %zu of %zu cells of connection %d", yaml, moved, cells, c);
      }
      training_free(&n);
    }
}

/* ---------------------------------------------------------------- pulses that wait */

/* Two epochs in which pulses wait from batch to batch, or are given with each. */
static training train_waiting(const char *yaml, bool waits, mho_epoch_row *row) {
  training n = training_new(yaml);
  for (int c = 0; c < n.net->n_trained; c++) {
    assert_true(own_of(&n, c)->is_apart);
    own_of(&n, c)->is_apart = waits;
  }
  for (int epoch = 0; epoch < 2; epoch++)
    OK(mho_trainer_epoch(n.t, &row[epoch], &ei));
  return n;
}

static void same_banks(const mho_crossbar *a, const mho_crossbar *b) {
  for (int k = 0; k < a->n_banks; k++)
    if (a->bank[k])
      assert_memory_equal(a->bank[k]->g, b->bank[k]->g, mho_crossbar_cells(a) * sizeof(float));
}

/* Devices without noise do not know when they get pulses: both arrays hold the same, and as much
 * was counted in every epoch. */
static void test_waiting_is_giving(void **state) {
  static const char *const cases[] = {
      "network: {hidden: [40]}\nrule: bp\nupdate: {scheme: tiki_taka, variant: chopped}\n",
      "network: {hidden: [40], biases: true}\nupdate: {scheme: tiki_taka, variant: chopped, "
      "chop_in: 0.2, chop_out: 0.2, auto_granularity: 0, fast_mapping: reference}\n",
      "network: {topology: conv, conv: [4x3 pool2, 5x3], biases: true}\nrule: bp\n"
      "update: {scheme: tiki_taka, variant: agad, chop_in: 0.5, transfer_every: 4, reset: 0.1}\n",
      "network: {hidden: [70]}\nrule: bp\nupdate: {scheme: tiki_taka, variant: v1, fast_rate: 20, "
      "transfer_every: 7, transfer_reads: 3}\n",
      "network: {hidden: [30, 20]}\nrule: balance\nupdate: {scheme: tiki_taka, variant: v2, "
      "transfer_every: 20, apply: sample}\n",
  };
  for (int i = 0; i < MHO_COUNT(cases); i++) {
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "dataset: {train: 200}\ntrain: {batch: 50, epochs: 2}\ndevice: {model: soft_bounds, "
             "step_up: 0.01, step_down: 0.02, variation: {step: 0.2, g_low: 0.05}}\n%s",
             cases[i]);
    mho_epoch_row late[2], soon[2];
    training a = train_waiting(yaml, true, late), b = train_waiting(yaml, false, soon);
    for (int c = 0; c < a.net->n_trained; c++) {
      same_banks(own_of(&a, c)->fast, own_of(&b, c)->fast);
      same_banks(a.net->connection[c].xb, b.net->connection[c].xb);
      for (int row = 0; row < own_of(&a, c)->waiting.rows; row++)
        assert_int_equal(own_of(&a, c)->waiting.most[row], 0);
    }
    for (int epoch = 0; epoch < 2; epoch++) {
      assert_true(late[epoch].set_pulses == soon[epoch].set_pulses);
      assert_true(late[epoch].reset_pulses == soon[epoch].reset_pulses);
      assert_true(late[epoch].verify_reads == soon[epoch].verify_reads);
      assert_true(late[epoch].loss == soon[epoch].loss && late[epoch].set_pulses > 1000);
    }
    mho_energy_row spent[2][MHO_ENERGY_TERMS];
    OK(mho_trainer_energy(a.t, spent[0], &ei));
    OK(mho_trainer_energy(b.t, spent[1], &ei));
    for (int k = 0; k < MHO_ENERGY_TERMS; k++)
      assert_true(spent[0][k].joule == spent[1][k].joule && spent[0][k].count == spent[1][k].count);
    training_free(&a);
    training_free(&b);
  }
}

/* In an epoch much waits; what waits is part of a checkpoint, and a wrong one is put right. */
static void test_waiting_is_saved(void **state) {
  const volatile sig_atomic_t stop = 1;
  mho_context ctx = {.stop = &stop};
  mho_epoch_row row;
  mho_checkpoint_row saved;
  training n = training_new(NET SOFT_NOISY), other = training_new(NET SOFT_NOISY);
  mho_trainer_free(n.t);
  OK(mho_trainer_new(&ctx, n.e, &n.t, &ei));
  assert_int_equal(mho_trainer_epoch(n.t, &row, &ei), MHO_EINTERRUPTED);
  OK(mho_trainer_save(n.t, &saved, &ei));
  OK(mho_trainer_load(other.t, &saved.blob, &ei));

  mho_waiting *a = &own_of(&n, 0)->waiting, *b = &own_of(&other, 0)->waiting;
  size_t cells = (size_t)a->rows * (size_t)a->cols;
  int most = 0;
  for (int i = 0; i < a->rows; i++)
    most = mho_max(most, a->most[i]);
  assert_true(most > 2);
  assert_memory_equal(a->count, b->count, cells * sizeof *a->count);
  assert_memory_equal(a->up, b->up, cells * sizeof *a->up);
  assert_memory_equal(a->most, b->most, (size_t)a->rows * sizeof *a->most);

  memset(b->count, 0xff, cells * sizeof *b->count);
  b->count[3] = 2;
  memset(b->up, 0xff, cells * sizeof *b->up);
  mho__waiting_restored(b);
  assert_true(b->count[0] == MHO_SERIES_MOST && b->most[0] == MHO_SERIES_MOST && b->up[3] == 3);
  mho_blob_free(&saved.blob);
  training_free(&n);
  training_free(&other);
}

/* Where somebody else looks at the fast array, or changes it, nothing waits. */
static void test_who_looks(void **state) {
  static const struct {
    const char *more;
    bool waits;
  } cases[] = {
      {"device: linear\nupdate: {scheme: tiki_taka}\n", true},
      {"device: linear\nupdate: {scheme: tiki_taka, gamma: 0.1}\n", false},
      {"device: {model: linear, leak: {lifetime: 1e4}}\nupdate: {scheme: tiki_taka}\n", false},
      {"device: {model: linear, mapping: one_sided}\n"
       "update: {scheme: tiki_taka, symmetry: none}\n",
       false},
      {"device: linear\nupdate: {scheme: tiki_taka}\narray: {wire: {r_word: 1 ohm}}\n", false},
      {"device: linear\nupdate: {scheme: tiki_taka}\narray: {write: {select: half}}\n", false},
      {"update: {scheme: tiki_taka, variant: v1}\n", false},
  };
  for (int i = 0; i < MHO_COUNT(cases); i++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml, NET "%s", cases[i].more);
    training n = training_new(yaml);
    assert_int_equal(mho__tiki_waits(own_of(&n, 0)), cases[i].waits);
    training_free(&n);
  }
}

/* ---------------------------------------------------------------- refused */

static void refused(const char *yaml, const char *sentence) {
  mho_config *c;
  mho_experiment *e;
  OK(mho_config_new(&c, &ei));
  OK(mho_config_text(c, yaml, "test", &ei));
  mho_err err = mho_experiment_new(registry, c, false, &e, &ei);
  if (err != MHO_ECONFIG || !strstr(ei.message, sentence))
    fail_msg("%s: %s", yaml, err ? ei.message : "taken");
  mho_config_free(c);
}

#define TIKI(keys) "update: {scheme: tiki_taka, " keys "}\n"
static void test_refused(void **state) {
  refused(TIKI("variant: agad"), "the buffer gives pulses");
  refused("device: {model: pcm, mapping: one_sided}\n" TIKI("variant: v2"),
          "devices that are only SET");
  refused("device: {model: pcm}\n" TIKI("fast_mapping: reference"), "use one_sided");
  refused("device: {model: linear, mapping: one_sided}\n" TIKI("variant: chopped"),
          "devices that are only SET");
  refused("device: {model: linear, mapping: single}\n" TIKI("variant: v1"), "of both signs");
  refused("device: linear\n" TIKI("optimizer: adam"), "use sgd");
  refused("device: linear\n" TIKI("gamma: -0.5"), "update.gamma: -0.5 is no share");
  refused("device: linear\n" TIKI("clip: 1"), "never holds a whole gradient");
  refused("device: linear\nprogram: {initial: scheme}\n" TIKI("variant: v1"),
          "writes outer products");
  refused("device: linear\narray: {model: spice}\n" TIKI("variant: v1"), "single rows");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_residual),
      cmocka_unit_test(test_borrowed_by_name),
      cmocka_unit_test(test_residual_drifts),
      cmocka_unit_test(test_residual_noise),
      cmocka_unit_test(test_residual_wires),
      cmocka_unit_test(test_row_is_a_read),
      cmocka_unit_test(test_row_noise_and_steps),
      cmocka_unit_test(test_row_in_wires),
      cmocka_unit_test(test_shift),
      cmocka_unit_test(test_defaults_go_by_states),
      cmocka_unit_test(test_noise_of_states),
      cmocka_unit_test(test_meetings),
      cmocka_unit_test(test_waiting_is_giving),
      cmocka_unit_test(test_waiting_is_saved),
      cmocka_unit_test(test_who_looks),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
