/* Waveforms on the lines of a crossbar: every cell against the integral of the voltage between its
 * lines, with spikes that a script fires; half-selected cells, pulses and energy among them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "scripted.h"

enum { INPUTS = 64, HIDDEN = 6, STEPS = 60, FINE = 400 };

#define K_SET   20.0
#define K_RESET 30.0
#define DEVICE                                                                                     \
  "device: {model: vteam, window: none, alpha_set: 2, alpha_reset: 1, k_set: 20, k_reset: 30, "    \
  "width: 5 ms}\n"

/* Rows fire every few steps, some never; neurons one after another, the last one twice in a row. */
static bool fires(const mho_phase *p, int layer, int i, int t) {
  if (layer == 0)
    return i % 5 > 0 && t % (7 + i) == i % 5;
  return i == HIDDEN - 1 ? t == 50 || t == 51 : i < 4 && t == 11 + 9 * i;
}

/* ---------------------------------------------------------------- what should come of it */

typedef struct shape {
  const char *row, *column;
  double (*v_row)(double t), (*v_column)(double t); /* at t ms since the spike */
} shape;

/* When the line that fires in these steps has fired last, ms; below 0: not yet. A spike of step t
 * is on the line from t - 1 on. */
static double last_spike(int layer, int i, int step) {
  for (int t = step; t >= 1; t--)
    if (fires(NULL, layer, i, t))
      return t - 1;
  return -1;
}

/* What cell (i, j) feels in all steps: change by SET, by RESET, and the integral of V^2 (s). */
static void integrate(const shape *s, int i, int j, double out[3]) {
  out[0] = out[1] = out[2] = 0;
  for (int step = 1; step <= STEPS; step++) {
    double row = last_spike(0, i, step), column = last_spike(1, j, step);
    for (int k = 0; k < FINE; k++) {
      double t = step - 1 + (k + 0.5) / FINE, dt = 1e-3 / FINE;
      double v = (row >= 0 ? s->v_row(t - row) : 0) - (column >= 0 ? s->v_column(t - column) : 0);
      out[0] += v > 0.5 ? K_SET * (v / 0.5 - 1) * (v / 0.5 - 1) * dt : 0;
      out[1] += v < -0.5 ? K_RESET * (-v / 0.5 - 1) * dt : 0;
      out[2] += v * v * dt;
    }
  }
}

static double rect_row(double t) {
  return t < 6 ? 0.3 : 0;
}
static double rect_column(double t) {
  if (t < 1)
    return -0.4;
  return t < 3 ? 0.7 : 0;
}
static double tail_row(double t) {
  return t < 12 ? 0.6 * exp(-t / 4) : 0; /* alone beyond the threshold for a while */
}
static double ramp_column(double t) {
  return t < 2.5 ? -0.45 + 0.3 * t / 2.5 : 0;
}

/* ---------------------------------------------------------------- a training of one sample */

static double energy_of(mho_trainer *t, const char *term) {
  mho_energy_row rows[MHO_ENERGY_TERMS];
  OK(mho_trainer_energy(t, rows, &ei));
  for (int i = 0; i < MHO_ENERGY_TERMS; i++)
    if (!strcmp(rows[i].term, term))
      return rows[i].joule;
  fail_msg("there is no term %s", term);
  return 0;
}

static void compare(const shape *s, const char *clock, bool row_moves) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml,
           "dynamics: test_script\nrule: {name: stdp, window: waveform, row: [%s], column: [%s]}\n"
           "neuron: {threshold: {law: fixed}}\nnetwork: {hidden: [6]}\n"
           "settle: {steps: 60, %s}\ndataset: {train: 1, test: 1}\n" DEVICE,
           s->row, s->column, clock);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
  static mho_real before[INPUTS * HIDDEN];
  for (int i = 0; i < INPUTS * HIDDEN; i++)
    before[i] = mho__crossbar_programmed(x)[i];
  script = fires;
  mho_epoch_row row;
  OK(mho_trainer_epoch(t, &row, &ei));

  double set = 0, reset = 0, squares = 0, largest = 0, others = 0;
  for (int i = 0; i < INPUTS; i++)
    for (int j = 0; j < HIDDEN; j++) {
      double felt[3], w = (double)before[i * HIDDEN + j];
      integrate(s, i, j, felt);
      double change = (double)mho__crossbar_programmed(x)[i * HIDDEN + j] - w;
      if (w + felt[0] - felt[1] > 0.02 && w + felt[0] - felt[1] < 0.98 && w - felt[1] > 0)
        NEAR(change, felt[0] - felt[1], 2e-3, 3e-6);
      largest = fmax(largest, fabs(change));
      others = fmax(others, j == 4 ? fabs(change) : 0); /* a neuron that never fires */
      set += felt[0] / (K_SET * 1 * 5e-3);
      reset += felt[1] / (K_RESET * 1 * 5e-3);
      squares += felt[2];
    }
  assert_true(largest > 0.005);
  assert_true((others > 1e-3) == row_moves);
  NEAR(row.set_pulses, set, 2e-3, 0);
  NEAR(row.reset_pulses, reset, 2e-3, 1e-9);

  double g = mho_crossbar_statistics(x).g_mean;
  NEAR(energy_of(t, "half-selected"), squares * g, 1e-2, 0);
  assert_true(energy_of(t, "set") == 0 && energy_of(t, "reset") == 0); /* all of it is above */
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void test_cells(void **state) {
  static const shape rect = {"0.3 V for 6 ms", "-0.4 V for 1 ms, 0.7 V for 2 ms", rect_row,
                             rect_column},
                     tail = {"0.6 V tau 4 ms for 12 ms", "-0.45 V to -0.15 V in 2.5 ms", tail_row,
                             ramp_column};
  compare(&rect, "dt: 1 ms", false);
  compare(&tail, "dt: 1 ms", true);
}

/* Waveforms are in seconds of the chip: the same steps of 1 ms there, in a slower network. */
static void test_time_scale(void **state) {
  static const shape rect = {"0.3 V for 6 ms", "-0.4 V for 1 ms, 0.7 V for 2 ms", rect_row,
                             rect_column};
  compare(&rect, "dt: 20 ms, time_scale: 0.05", false);
}

/* ---------------------------------------------------------------- what is refused */

static void refused_with(const char *keys, const char *says) {
  char yaml[1024];
  mho_experiment *e;
  snprintf(yaml, sizeof yaml,
           "dynamics: spiking\nrule: {name: stdp, window: waveform, row: 0.3 V for 6 ms, "
           "column: -0.4 V for 1 ms}\n%s%s",
           strstr(keys, "device") ? "" : DEVICE, keys);
  if (!mho_experiment_of_yaml(registry, yaml, 0, NULL, &e, &ei))
    fail_msg("'%s' is not refused", keys);
  if (!strstr(ei.message, says))
    fail_msg("'%s' says '%s', expected '%s'", keys, ei.message, says);
}

static void test_refused(void **state) {
  refused_with("device: {model: vteam, mapping: differential}\n", "device.mapping: waveforms");
  refused_with("device: {model: vteam, cells: {n: 2}}\n", "device.cells.n: waveforms");
  refused_with("array: {wire: {r_word: 1 ohm, r_bit: 1 ohm}}\n", "array.wire");
  refused_with("settle: {dt: 1 us, steps: 100}\n", "rule.row: waveforms of 6000 and 1000 steps");
  refused_with("settle: {time_scale: 1e-3}\n", "1e-06 s of the chip (settle.time_scale)");
}

static void test_refused_texts(void **state) {
  static const char *const texts[][2] = {
      {"row: 0.3 V for 6 ms", "rule.column: rule.window 'waveform' has none here"},
      {"row: 0.3 V for, column: 0.3 V for 1 ms", "rule.row: piece 1: the end"},
      {"row: 0.3 V for 1 ms, column: 0.3 V in 1 ms", "rule.column: piece 1: 'in'"}};
  for (int i = 0; i < MHO_COUNT(texts); i++) {
    char yaml[512];
    mho_experiment *e;
    snprintf(yaml, sizeof yaml, "rule: {name: stdp, window: waveform, %s}\n" DEVICE, texts[i][0]);
    assert_int_equal(mho_experiment_of_yaml(registry, yaml, 0, NULL, &e, &ei), MHO_ECONFIG);
    if (!strstr(ei.message, texts[i][1]))
      fail_msg("'%s' says '%s'", texts[i][0], ei.message);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cells),
      cmocka_unit_test(test_time_scale),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_refused_texts),
  };
  return cmocka_run_group_tests(tests, setup_scripted, teardown_registry);
}
