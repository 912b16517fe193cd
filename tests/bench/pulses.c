/* Nanoseconds a pulse on one thread, a 512x784 array: every cell pulsed once, and one cell in
 * twenty, with and without cycle-to-cycle noise, of equal cells and of cells with device-to-device
 * spread of step and bounds.
 *
 * "bank" is one device a cell; "pair" is a crossbar whose G+ is pulsed one way and G- the other,
 * with the effective weights refreshed. The ratio is to the same without noise.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "mho/experiment.h"
#include "mho/model/check.h"

enum { ROWS = 512, COLS = 784, CELLS = ROWS * COLS, REPEATS = 150 };

static void die(const mho_errinfo *ei) {
  fprintf(stderr, "%s\n", ei->message);
  exit(1);
}

static int16_t count[CELLS], inverse[CELLS];

static mho_experiment *experiment(const mho_registry *r, const char *keys) {
  mho_errinfo ei = {0};
  mho_config *c;
  mho_experiment *e;
  if (mho_config_new(&c, &ei) || mho_config_text(c, keys, "bench", &ei) ||
      mho_experiment_new(r, c, false, &e, &ei))
    die(&ei);
  mho_config_free(c);
  return e;
}

/* Which cells get a pulse, up and down alike; returns how many. */
static int choose(double density) {
  static float u[CELLS];
  int n = 0;
  mho_rng_uniform(mho_rng_make(3, MHO_RNG_TEST, 0), 0, 0, CELLS, u);
  for (int i = 0; i < CELLS; i++) {
    bool pulsed = (double)u[i] <= density;
    count[i] = (int16_t)(pulsed ? i % 2 ? 1 : -1 : 0);
    inverse[i] = (int16_t)-count[i];
    n += pulsed;
  }
  return n;
}

static double pulse_bank(mho_cells *c, int pulses) {
  double best = 1e9;
  mho_pulse_counts counts = {0};
  for (uint64_t k = 0; k < REPEATS; k++) {
    double start = mho_seconds();
    for (size_t i = 0; i < CELLS; i += MHO_DEVICE_BLOCK)
      mho_cells_pulse(c, i, MHO_DEVICE_BLOCK, count + i, k, &counts);
    double took = mho_seconds() - start;
    best = took < best ? took : best;
  }
  return 1e9 * best / pulses;
}

static double pulse_pair(mho_crossbar *x, int pulses) {
  double best = 1e9;
  mho_pulse_counts counts = {0};
  for (uint64_t k = 0; k < REPEATS; k++) {
    double start = mho_seconds();
    for (size_t i = 0; i < CELLS; i += MHO_DEVICE_BLOCK)
      mho_crossbar_pulse(x, i, MHO_DEVICE_BLOCK, (int16_t *[]){count + i, inverse + i}, k, &counts);
    double took = mho_seconds() - start;
    best = took < best ? took : best;
  }
  return 1e9 * best / (2 * pulses);
}

static void bench(const mho_registry *r, const char *model, const char *noise, const char *spread) {
  double quiet[4] = {0};
  for (int noisy = 0; noisy < 2; noisy++) {
    char keys[256];
    mho_errinfo ei = {0};
    mho_cells *c;
    mho_crossbar *x;
    snprintf(keys, sizeof keys, "device: {model: %s%s%s}\n", model, noisy ? noise : "", spread);
    mho_experiment *e = experiment(r, keys);
    const mho_device_model *m = (const mho_device_model *)e->device.entry;
    mho_crossbar_options o = {.device = m,
                              .device_params = e->device.params,
                              .device_config = &e->device_config,
                              .mapping = (const mho_mapping *)e->mapping.entry,
                              .mapping_params = e->mapping.params,
                              .array = (const mho_array_model *)e->array.entry,
                              .array_params = e->array.params,
                              .w_max = 1,
                              .chip_seed = 1,
                              .noise_seed = 2};
    if (mho_cells_new(m, e->device.params, &e->device_config, CELLS,
                      mho_rng_make(1, MHO_RNG_CHIP, 0), mho_rng_make(1, MHO_RNG_PULSE, 0), &c,
                      &ei) ||
        mho_crossbar_new(ROWS, COLS, &o, &x, &ei))
      die(&ei);
    for (int sparse = 0; sparse < 2; sparse++) {
      int pulses = choose(sparse ? 0.05 : 1);
      double bank = pulse_bank(c, pulses), pair = pulse_pair(x, pulses);
      printf("%-12s %-8s %-6s %3d %%  bank %6.2f ns  pair %6.2f ns", model,
             *spread ? "spread" : "equal", noisy ? "noise" : "quiet", sparse ? 5 : 100, bank, pair);
      if (noisy)
        printf("  ratio %5.2f %5.2f", bank / quiet[2 * sparse], pair / quiet[2 * sparse + 1]);
      printf("\n");
      quiet[2 * sparse] = bank;
      quiet[2 * sparse + 1] = pair;
    }
    mho_crossbar_free(x);
    mho_cells_free(c);
    mho_experiment_free(e);
  }
}

int main(void) {
  mho_registry *r;
  mho_errinfo ei = {0};
  if (mho_registry_new(&r, &ei))
    die(&ei);
  static const char c2c[] = ", cycle_to_cycle: 0.3",
                    spread[] = ", variation: {step: 0.3, g_low: 0.15, g_high: 0.15}";
  bench(r, "linear", c2c, "");
  bench(r, "linear", c2c, spread);
  bench(r, "soft_bounds", c2c, spread);
  bench(r, "nl_pulse", ", pulse_noise: 0.001", spread);
  mho_registry_free(r);
  return 0;
}
