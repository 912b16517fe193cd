/* Every device model through the same checks: bounds, monotone mean response, noise and spread as its config
 * says, faults, and the published laws.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/nl_pulse.h"
#include "mho/experiment.h"
#include "test.h"

static mho_registry *registry;
static mho_errinfo ei;

static int setup(void **state) {
  return mho_registry_new(&registry, NULL);
}
static int teardown(void **state) {
  mho_registry_free(registry);
  return 0;
}

static mho_experiment *with(const char *device, const char *keys) {
  mho_config *c;
  mho_experiment *e;
  char yaml[512];
  snprintf(yaml, sizeof yaml, "device: {model: %s%s%s}\n", device, *keys ? ", " : "", keys);
  OK(mho_config_new(&c, &ei));
  OK(mho_config_text(c, yaml, device, &ei));
  OK(mho_experiment_new(registry, c, false, &e, &ei));
  mho_config_free(c);
  return e;
}

static mho_cells *cells(const mho_experiment *e, size_t n) {
  mho_cells *c;
  OK(mho_cells_new((const mho_device_model *)e->device.entry, e->device.params, &e->device_config, n,
                   mho_rng_make(1, MHO_RNG_CHIP, 0), mho_rng_make(1, MHO_RNG_PULSE, 0), &c, &ei));
  return c;
}

/* The same with noise of a pulse: relative to the step, or, where a model has it so, of the range. */
static bool noise_of_range(const char *id) {
  return mho_params_find(mho_registry_find(registry, MHO_KIND_DEVICE, id)->params, "pulse_noise") != NULL;
}
static mho_experiment *with_noise(const char *id, double relative, const char *more) {
  char keys[256];
  if (noise_of_range(id))
    snprintf(keys, sizeof keys, "pulse_noise: %g%s", relative / 250, more);
  else
    snprintf(keys, sizeof keys, "cycle_to_cycle: %g%s", relative, more);
  return with(id, keys);
}

/* Every model that answers pulses. */
static void each(void (*f)(const char *id)) {
  for (int i = 0; i < mho_registry_count(registry, MHO_KIND_DEVICE); i++) {
    const mho_device_model *m = (const mho_device_model *)mho_registry_at(registry, MHO_KIND_DEVICE, i);
    if (m->pulse)
      f(m->entry.id);
  }
}

static void bounds(const char *id) {
  enum { N = 1024, STEPS = 250 }; /* a million pulses in all, four a cell and step */
  mho_experiment *e = with_noise(id, 0.3,
                                 ", variation: {step: 0.3, g_low: 0.1, g_high: 0.1}, stuck_on: 0.02, "
                                 "stuck_off: 0.02, open: 0.02");
  mho_cells *c = cells(e, N);
  float *start = malloc(N * sizeof *start);
  uint32_t w[N];
  mho_pulse_counts counts = {0};
  memcpy(start, c->g, N * sizeof *start);
  for (uint64_t s = 0; s < STEPS; s++) {
    int16_t n[N];
    mho_rng_u32(mho_rng_make(2, MHO_RNG_TEST, 0), s, 0, N, w);
    for (int i = 0; i < N; i++)
      n[i] = (int16_t)((int)(w[i] % 9) - 4);
    for (size_t i = 0; i < N; i += MHO_DEVICE_BLOCK)
      mho_cells_pulse(c, i, MHO_DEVICE_BLOCK, n + i, s, &counts);
  }
  int faulty = 0;
  for (size_t i = 0; i < N; i++) {
    bool fault = c->fault[i] != MHO_FAULT_NONE;
    faulty += fault;
    if (fault)
      assert_true(c->g[i] == start[i]);
    else
      assert_true(c->g[i] >= c->low[i] && c->g[i] <= c->high[i]);
    assert_true(mho_cells_siemens(c, i) >= 0);
    if (c->fault[i] == MHO_FAULT_OPEN)
      assert_true(mho_cells_siemens(c, i) == 0);
  }
  NEAR(counts.set + counts.reset, N * STEPS * 20.0 / 9, 0.01, 0);
  NEAR(faulty, 0.06 * N, 0, 5 * sqrt(0.06 * 0.94 * N));
  free(start);
  mho_cells_free(c);
  mho_experiment_free(e);
}

static void monotone(const char *id) {
  mho_experiment *e = with(id, "");
  mho_cells *c = cells(e, 1);
  mho_pulse_counts counts = {0};
  for (int dir = 1; dir >= -1; dir -= 2) {
    float before = c->g[0], mean;
    int16_t one = (int16_t)dir;
    for (uint64_t s = 0; s < 3000; s++) {
      mho_cells_mean_step(c, 0, 1, &(float){(float)dir}, &mean);
      mho_cells_pulse(c, 0, 1, &one, s, &counts);
      assert_true((float)dir * (c->g[0] - before) >= 0);
      if (c->g[0] > 0 && c->g[0] < 1)
        NEAR(c->g[0] - before, mean, 1e-3, 1e-7);
      before = c->g[0];
    }
    /* 3000 default pulses lead to the bound, or nearly */
    NEAR(c->g[0], dir > 0 ? 1 : 0, 0, 0.01);
  }
  mho_cells_free(c);
  mho_experiment_free(e);
}

/* Mean and spread of the answer to one pulse over many cells, against the config. */
static void statistics(const char *id) {
  enum { N = 1 << 16 };
  mho_experiment *quiet = with(id, ""), *noisy = with_noise(id, 0.5, ""),
                 *spread = with(id, "variation: {step: 0.2}");
  mho_cells *q = cells(quiet, 1), *c = cells(noisy, N), *d = cells(spread, N);
  float mean;
  mho_cells_mean_step(q, 0, 1, &(float){1}, &mean);
  double m = (double)mean, sigma = noise_of_range(id) ? 0.5 / 250 : 0.5 * m;
  mho_pulse_counts counts = {0};
  for (int k = 0; k < 2; k++) {
    mho_cells *x = k ? d : c;
    double sum = 0, squares = 0, want = k ? 0.2 * m : sigma;
    int16_t ones[MHO_DEVICE_BLOCK];
    for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
      ones[i] = 1;
    for (size_t i = 0; i < N; i += MHO_DEVICE_BLOCK)
      mho_cells_pulse(x, i, MHO_DEVICE_BLOCK, ones, 0, &counts);
    for (size_t i = 0; i < N; i++) {
      double step = (double)x->g[i] - 0.5;
      sum += step / N;
      squares += step * step / N;
    }
    NEAR(sum, m, 0, 5 * want / sqrt(N) + 1e-6 * m);
    NEAR(sqrt(squares - sum * sum), want, 0.02, 0); /* 2 %: seven standard errors of a deviation */
  }
  mho_cells_free(q);
  mho_cells_free(c);
  mho_cells_free(d);
  mho_experiment_free(quiet);
  mho_experiment_free(noisy);
  mho_experiment_free(spread);
}

/* Noise belongs to (step, cell, pulse): the same whether cells are pulsed together or one by one. */
static void independence(const char *id) {
  enum { N = 200 };
  mho_experiment *e = with_noise(id, 0.1, "");
  mho_cells *a = cells(e, N), *b = cells(e, N);
  mho_pulse_counts counts = {0};
  int16_t n[N];
  for (int i = 0; i < N; i++)
    n[i] = (int16_t)(i % 7 - 3);
  mho_cells_pulse(a, 0, N, n, 5, &counts);
  for (int i = 0; i < N; i++)
    mho_cells_pulse(b, (size_t)i, 1, n + i, 5, &counts);
  assert_memory_equal(a->g, b->g, N * sizeof *a->g);
  mho_cells_free(a);
  mho_cells_free(b);
  mho_experiment_free(e);
}

static void test_bounds(void **state) {
  each(bounds);
}
static void test_monotone(void **state) {
  each(monotone);
}
static void test_statistics(void **state) {
  each(statistics);
}
static void test_independence(void **state) {
  each(independence);
}

/* Soft bounds approach their bound as (1 - s)^n exactly. */
static void test_soft_bounds_closed_form(void **state) {
  mho_experiment *e = with("soft_bounds", "step_up: 0.01, step_down: 0.02");
  mho_cells *c = cells(e, 1);
  mho_pulse_counts counts = {0};
  mho_cells_pulse(c, 0, 1, &(int16_t){150}, 0, &counts);
  NEAR(c->g[0], 1 - 0.5 * pow(0.99, 150), 1e-5, 0);
  float g = c->g[0];
  mho_cells_pulse(c, 0, 1, &(int16_t){-40}, 1, &counts);
  NEAR(c->g[0], (double)g * pow(0.98, 40), 1e-5, 0);
  mho_cells_free(c);
  mho_experiment_free(e);
}

/* The published law of NeuroSim's labels: the normalized curve lies at most 0.07 NL from the diagonal, and a
 * = A/P has the values that follow from it. */
static void test_nonlinearity_labels(void **state) {
  static const struct {
    double label, a;
  } known[] = {{1, 1.25165}, {2.4, 0.49918}, {4.88, 0.20030}, {6, 0.13562}};
  for (int i = 0; i < MHO_COUNT(known); i++)
    for (int sign = 1; sign >= -1; sign -= 2) {
      double a = mho_nl_pulse_a(sign * known[i].label), farthest = 0;
      NEAR(a, sign * known[i].a, 1e-4, 0);
      for (int k = 0; k <= 200000; k++) {
        double x = k / 200000.0, y = expm1(-x / a) / expm1(-1 / a);
        farthest = fmax(farthest, fabs(y - x) / sqrt(2));
      }
      NEAR(farthest, 0.07 * known[i].label, 0, 1e-6);
    }
  assert_true(isinf(mho_nl_pulse_a(0)));
  /* and pulse by pulse, from end to end in P pulses */
  mho_experiment *e = with("nl_pulse", "nl_up: 2.4, nl_down: -4.88, pulses_up: 97, pulses_down: 100");
  mho_cells *c = cells(e, 1);
  mho_pulse_counts counts = {0};
  double a = mho_nl_pulse_a(2.4);
  c->g[0] = 0;
  for (int p = 1; p <= 97; p++) {
    mho_cells_pulse(c, 0, 1, &(int16_t){1}, (uint64_t)p, &counts);
    NEAR(c->g[0], expm1(-p / (97 * a)) / expm1(-1 / a), 0, 1e-5);
  }
  a = mho_nl_pulse_a(-4.88);
  c->g[0] = 1;
  for (int p = 99; p >= 0; p--) {
    mho_cells_pulse(c, 0, 1, &(int16_t){-1}, (uint64_t)(200 - p), &counts);
    NEAR(c->g[0], expm1(-p / (100 * a)) / expm1(-1 / a), 0, 1e-5);
  }
  mho_cells_free(c);
  mho_experiment_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bounds),
      cmocka_unit_test(test_monotone),
      cmocka_unit_test(test_statistics),
      cmocka_unit_test(test_independence),
      cmocka_unit_test(test_soft_bounds_closed_form),
      cmocka_unit_test(test_nonlinearity_labels),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
