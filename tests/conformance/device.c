/* Every device model through the same checks: bounds under a million pulses, monotone mean
 * response, noise and spread as its config says, faults, passivity, checkpoints, and the published
 * laws.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/lanes.h"
#include "device/nl_pulse.h"
#include "device/series.h"
#include "mho/experiment.h"
#include "mho/model/check.h"
#include "test.h"

#include <unistd.h>

static mho_registry *registry;
static mho_errinfo ei;

/* A table for the model that wants one: 500 pulses each way, steep at the start. */
static char table_path[] = "/tmp/mho-table-XXXXXX";
static double curve(double x) {
  return expm1(-2 * x) / expm1(-2);
}
static int setup(void **state) {
  FILE *f = fdopen(mkstemp(table_path), "w");
  fprintf(f, "# test\npulse,ltp,ltd\n");
  for (int i = 0; i <= 500; i++)
    fprintf(f, "%d,%.12g,%.12g\n", i, 1e-6 + 99e-6 * curve(i / 500.0),
            100e-6 - 99e-6 * curve(i / 500.0));
  fclose(f);
  return mho_registry_new(&registry, NULL);
}
static int teardown(void **state) {
  remove(table_path);
  mho_registry_free(registry);
  return 0;
}

static mho_experiment *with(const char *device, const char *keys) {
  mho_config *c;
  mho_experiment *e;
  char yaml[512], table[64] = "";
  if (!strcmp(device, "measured"))
    snprintf(table, sizeof table, ", table: %s", table_path);
  snprintf(yaml, sizeof yaml, "device: {model: %s%s%s%s}\n", device, table, *keys ? ", " : "",
           keys);
  OK(mho_config_new(&c, &ei));
  OK(mho_config_text(c, yaml, device, &ei));
  OK(mho_experiment_new(registry, c, false, &e, &ei));
  mho_config_free(c);
  return e;
}

static mho_cells *cells(const mho_experiment *e, size_t n) {
  mho_cells *c;
  OK(mho_cells_new((const mho_device_model *)e->device.entry, e->device.params, &e->device_config,
                   n, mho_rng_make(1, MHO_RNG_CHIP, 0), mho_rng_make(1, MHO_RNG_PULSE, 0), &c,
                   &ei));
  return c;
}

/* The same with noise of a pulse: relative to the step, or, where a model has it so, of the
 * range. */
static bool noise_of_range(const char *id) {
  return mho_params_find(mho_registry_find(registry, MHO_KIND_DEVICE, id)->params, "pulse_noise") !=
         NULL;
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
    const mho_device_model *m =
        (const mho_device_model *)mho_registry_at(registry, MHO_KIND_DEVICE, i);
    if (m->pulse)
      f(m->entry.id);
  }
}

static void bounds(const char *id) {
  enum { N = 1024, STEPS = 250 }; /* a million pulses in all, four a cell and step */
  mho_experiment *e =
      with_noise(id, 0.3,
                 ", variation: {step: 0.3, g_low: 0.1, g_high: 0.1}, stuck_on: 0.02, "
                 "stuck_off: 0.02, open: 0.02, stuck: 0.02, stuck_at: 0.4, stuck_range: 0.1");
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
  NEAR(faulty, 0.08 * N, 0, 5 * sqrt(0.08 * 0.92 * N));
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
    for (uint64_t s = 0; s < 200000 && (dir > 0 ? c->g[0] < 0.995f : c->g[0] > 0.005f); s++) {
      mho_cells_mean_step(c, 0, 1, &(float){(float)dir}, &mean);
      mho_cells_pulse(c, 0, 1, &one, s, &counts);
      assert_true((float)dir * (c->g[0] - before) >= 0);
      if (c->g[0] > 0 && c->g[0] < 1)
        NEAR(c->g[0] - before, mean, 1e-3, 1e-7);
      before = c->g[0];
    }
    /* default pulses lead to the bound, or nearly */
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

/* Noise belongs to (step, cell, pulse): the same whether cells are pulsed together or one by
 * one. */
static void independence_of(const char *id, const char *keys) {
  enum { N = 200 };
  mho_experiment *e = with_noise(id, *keys ? 0.1 : 0, keys);
  mho_cells *a = cells(e, N), *b = cells(e, N);
  mho_pulse_counts counts = {0};
  int16_t n[N];
  for (int i = 0; i < N; i++)
    n[i] = (int16_t)(i % 7 - 3);
  mho_cells_pulse(a, 0, N, n, 5, &counts);
  for (int i = 0; i < N; i++)
    mho_cells_pulse(b, (size_t)i, 1, n + i, 5, &counts);
  for (int i = 0; i < N; i++)
    if (a->g[i] != b->g[i])
      fail_msg("%s: cell %d depends on its neighbours: %a, alone %a", id, i, (double)a->g[i],
               (double)b->g[i]);

  /* few among many, a list of them in any order, and every cell once */
  uint32_t cell[N];
  int16_t few[N], all[N], listed[N];
  mho_pulse_counts other = {0};
  for (int i = 0; i < N; i++) {
    few[i] = (int16_t)(i % 11 ? 0 : i % 5 - 2);
    all[i] = i % 3 ? 1 : -1;
    cell[i] = (uint32_t)(i * 7 % N);
    listed[i] = (int16_t)((int)cell[i] % 11 ? 0 : (int)cell[i] % 5 - 2);
  }

  counts = (mho_pulse_counts){0};
  mho_cells_pulse(a, 0, N, few, 6, &counts);
  mho_cells_pulse_at(b, N, cell, listed, 6, &other);
  assert_memory_equal(a->g, b->g, N * sizeof *a->g);
  assert_true(counts.set == other.set && counts.reset == other.reset && counts.set > 0);
  mho_cells_pulse(a, 0, N, all, 7, &counts);
  for (int i = N - 1; i >= 0; i--)
    mho_cells_pulse(b, (size_t)i, 1, all + i, 7, &other);
  assert_memory_equal(a->g, b->g, N * sizeof *a->g);
  mho_cells_free(a);
  mho_cells_free(b);
  mho_experiment_free(e);
}

/* Cells below each other, whose constants lie by columns, get what scattered cells get, to the bit
 * but for the signs of zeros: rows without a pulse among them, from any row on, and what has more
 * than a pulse at once. */
static void columns_with(const char *id, double noise, const char *keys) {
  enum { ROWS = 150, COLUMNS = 7, N = ROWS * COLUMNS, FIRST = 3, LAID = 140, ROUNDS = 40 };
  mho_experiment *e = with_noise(id, noise, keys);
  mho_cells *a = cells(e, N), *b = cells(e, N);
  mho_pulse_counts of_a = {0}, of_b = {0};
  mho_rng rng = mho_rng_make(6, MHO_RNG_TEST, 0);
  mho__cells_lay_by_column(a, COLUMNS);

  for (int k = 0; k < ROUNDS; k++) {
    uint32_t cell[LAID], word[LAID];
    int16_t count[LAID];
    mho_rng_u32(rng, (uint64_t)k, 0, LAID, word);
    for (int i = 0; i < LAID; i++) {
      bool is_silent = k % 2 && word[i] % 16 == 0;
      cell[i] = (uint32_t)((FIRST + i) * COLUMNS + k % COLUMNS);
      count[i] = (int16_t)(word[i] >> 31 ? 1 : -1);
      count[i] = (int16_t)(is_silent ? 0 : count[i] * (k % 5 == 4 ? 2 : 1));
    }
    mho__cells_pulse_column(a, COLUMNS, LAID, cell, count, (uint64_t)k, &of_a);
    mho_cells_pulse_at(b, LAID, cell, count, (uint64_t)k, &of_b);
  }

  assert_true(of_a.set == of_b.set && of_a.reset == of_b.reset && of_a.set > 0);
  for (int i = 0; i < N; i++)
    if (a->g[i] != b->g[i] || a->state[i] != b->state[i])
      fail_msg("%s%s: row %d, column %d: %a, scattered %a", id, keys, i / COLUMNS, i % COLUMNS,
               (double)a->g[i], (double)b->g[i]);
  mho_cells_free(a);
  mho_cells_free(b);
  mho_experiment_free(e);
}

static void columns_of(const char *id) {
  static const char *const more[] = {
      "",
      ", variation: {step: 0.2}",
      ", variation: {step: 0.2, g_low: 0.1, g_high: 0.1}",
      ", variation: {g_low: 0.1}, write_noise: 0.01",
      ", variation: {step: 0.2, g_low: 0.1}, levels: 50",
      ", variation: {step: 0.2}, stuck_off: 0.1, open: 0.05",
      ", variation: {step: 0.2, g_high: 0.1}, endurance: {pulses: 100, range: 0.4}",
  };
  for (int i = 0; i < MHO_COUNT(more); i++) {
    columns_with(id, 0, more[i]);
    columns_with(id, 0.1, more[i]);
  }
}

static void test_columns(void **state) {
  each(columns_of);
}

/* Pulses in series leave what pulses in turn leave, each clipped to the bounds, to the bit: of
 * cells that get all of them, some, or none, with noise and without. */
static void series_with(const char *id, double noise) {
  enum { N = 80, PULSES = 3 };
  static const int left[PULSES] = {75, 32, 17};
  mho_experiment *e = with_noise(id, noise, ", variation: {step: 0.2, g_low: 0.1, g_high: 0.1}");
  const mho_device_model *m = (const mho_device_model *)e->device.entry;
  mho_cells *c = cells(e, N);
  float start[N], turn[N], in_series[N], xi[PULSES][N] = {{0}};
  uint32_t up[N];
  mho_device_block b = {.n = N, .quiet = !(noise > 0), .low = c->low, .high = c->high};
  mho_device_series s = {.n = PULSES, .left = left, .up = up, .g = in_series};
  for (int k = 0; k < m->n_columns; k++)
    b.col[k] = c->col[k];

  mho_rng rng = mho_rng_make(5, MHO_RNG_TEST, 0);
  mho_rng_uniform(rng, 0, 0, N, start);
  mho_rng_u32(rng, 1, 0, N, up);
  for (int k = 0; k < PULSES; k++) {
    if (noise > 0)
      mho_rng_normal(rng, 2 + (uint64_t)k, 0, N, xi[k]);
    s.xi[k] = xi[k];
  }
  memcpy(turn, start, sizeof turn);
  memcpy(in_series, start, sizeof in_series);

  for (int k = 0; k < PULSES; k++) {
    float dir[N], out[N];
    for (int i = 0; i < N; i++)
      dir[i] = up[i] >> k & 1 ? 1 : -1;
    b.g = turn;
    b.dir = dir;
    b.xi = xi[k];
    b.out = out;
    m->pulse(&b);
    for (int i = 0; i < left[k]; i++)
      turn[i] = fminf(fmaxf(turn[i] + out[i], c->low[i]), c->high[i]);
  }
  m->series(&b, &s);
  int moved = 0;
  for (int i = 0; i < N; i++) {
    moved += in_series[i] != start[i];
    if (turn[i] != in_series[i])
      fail_msg("%s: cell %d is at %a in series, at %a in turn", id, i, (double)in_series[i],
               (double)turn[i]);
  }
  assert_in_range(moved, left[0] / 2, left[0]);
  mho_cells_free(c);
  mho_experiment_free(e);
}

/* The exponential that kernels write out. */
static void test_exponential(void **state) {
  for (double x = -87; x <= 88; x += 1e-3)
    NEAR(mho__exp_of((float)x), exp((double)(float)x), 2e-7, 0);
  NEAR(mho__exp_of(-1000), exp(-87), 2e-7, 0);
}

static int of_series; /* models that know them */
static void series_of(const char *id) {
  const mho_entry *of = mho_registry_find(registry, MHO_KIND_DEVICE, id);
  if (!((const mho_device_model *)of)->series)
    return;
  series_with(id, 0);
  series_with(id, 0.3);
  of_series++;
}

/* No cell gives energy, its current is 0 at 0 V, and di/dv is the slope of i, whatever the I-V
 * law. */
static void passive(const char *id) {
  static const char *const laws[] = {"ohmic", "sinh, b: 4", "polynomial, k2: 0.5, k3: 2", "hfo2"};
  for (int k = 0; k < MHO_COUNT(laws); k++) {
    char keys[96];
    snprintf(keys, sizeof keys, "iv: {law: %s}", laws[k]);
    mho_experiment *e = with(id, keys);
    mho_cells *c = cells(e, 101);
    const mho_device_config *d = &c->config;
    for (int i = 0; i <= 100; i++) {
      c->g[i] = (float)i / 100;
      double g = mho_cells_siemens(c, (size_t)i), didv, h = 1e-5;
      assert_true(mho_device_current(d, g, 0, &didv) == 0);
      NEAR(didv, g, 1e-12, 0);
      for (double v = -0.5; v <= 0.5; v += 0.01) {
        double current = mho_device_current(d, g, v, &didv);
        assert_true(current * v >= 0);
        double slope =
            (mho_device_current(d, g, v + h, NULL) - mho_device_current(d, g, v - h, NULL)) /
            (2 * h);
        NEAR(didv, slope, 1e-6, 1e-12);
      }
    }
    mho_cells_free(c);
    mho_experiment_free(e);
  }
}

/* What a checkpoint keeps is all that pulses change: restored into a new bank, the rest is
 * bit-identical. */
static void checkpoint(const char *id) {
  enum { N = 300 };
  mho_experiment *e = with(id, "write_noise: 0.01, levels: 200, endurance: {pulses: 100, range: "
                               "0.5}, variation: {step: 0.2}");
  mho_cells *a = cells(e, N), *b = cells(e, N);
  mho_pulse_counts counts = {0};
  mho_cells_piece from[MHO_CELLS_PIECES], to[MHO_CELLS_PIECES];
  int16_t n[N];
  for (int i = 0; i < N; i++)
    n[i] = (int16_t)(i % 11 - 4);
  for (uint64_t s = 0; s < 30; s++) {
    if (s == 15) {
      int pieces = mho_cells_pieces(a, from);
      assert_int_equal(pieces, mho_cells_pieces(b, to));
      assert_true(pieces <= MHO_CELLS_PIECES);
      for (int k = 0; k < pieces; k++)
        memcpy(to[k].data, from[k].data, from[k].size);
    }
    for (int first = 0; first < N; first += MHO_DEVICE_BLOCK) {
      int m = N - first < MHO_DEVICE_BLOCK ? N - first : MHO_DEVICE_BLOCK;
      mho_cells_pulse(a, (size_t)first, m, n + first, s, &counts);
      if (s >= 15)
        mho_cells_pulse(b, (size_t)first, m, n + first, s, &counts);
    }
  }

  assert_memory_equal(a->g, b->g, N * sizeof *a->g);
  assert_memory_equal(a->state, b->state, N * sizeof *a->g);
  assert_memory_equal(a->wear, b->wear, N * sizeof *a->wear);
  assert_memory_equal(a->high, b->high, N * sizeof *a->high);
  mho_cells_free(a);
  mho_cells_free(b);
  mho_experiment_free(e);
}

static void independence(const char *id) {
  independence_of(id, "");
  independence_of(id, ", variation: {step: 0.2, g_low: 0.1}");
  independence_of(id, ", stuck_on: 0.1");
}

static void test_bounds(void **state) {
  each(bounds);
}
static void test_passive(void **state) {
  each(passive);
}
static void test_checkpoint(void **state) {
  each(checkpoint);
}

static void pulse_all(mho_cells *c, int count, uint64_t step, mho_pulse_counts *counts) {
  int16_t n[MHO_DEVICE_BLOCK];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    n[i] = (int16_t)count;
  for (size_t i = 0; i < c->n; i += MHO_DEVICE_BLOCK)
    mho_cells_pulse(c, i, c->n - i < MHO_DEVICE_BLOCK ? (int)(c->n - i) : MHO_DEVICE_BLOCK, n, step,
                    counts);
}

/* Levels hold: a pulse of less than half of one never moves a cell, be it one of many in a
 * train, one of larger steps moves it by whole ones, and weak pulses are lost as whole ones are. */
static void test_levels(void **state) {
  static const struct {
    double step;
    int moves;
  } way[] = {{0.01, 0}, {0.124, 0}, {0.126, 1}, {0.25, 1}, {0.374, 1}, {0.376, 2}};
  for (int k = 0; k < MHO_COUNT(way); k++) {
    char keys[96];
    snprintf(keys, sizeof keys, "levels: 5, start: 0, step_up: %g, step_down: 0.25", way[k].step);
    mho_experiment *e = with("linear", keys);
    mho_cells *c = cells(e, 300);
    mho_pulse_counts counts = {0};
    for (int pulse = 1; pulse <= 6;
         pulse++) { /* neighbours, and two scattered cells with a train */
      pulse_all(c, 1, (uint64_t)pulse, &counts);
      for (int i = 0; i < 300; i += 37)
        assert_true(c->g[i] == fminf(0.25f * (float)(way[k].moves * pulse), 1) &&
                    c->state[i] == c->g[i]);
    }
    pulse_all(c, -4, 7, &counts);
    assert_true(c->g[0] == 0 && c->g[299] == 0);
    mho_cells_pulse_at(c, 2, (uint32_t[]){3, 290}, (int16_t[]){2, 3}, 8, &counts);
    assert_true(c->g[3] == fminf(0.5f * (float)way[k].moves, 1));
    assert_true(c->g[290] == fminf(0.75f * (float)way[k].moves, 1) && c->g[4] == 0);
    float set[] = {3, 0.4f}, none[] = {0, 0};
    mho_cells_disturb(c, 0, 2, set, none);
    assert_true(c->g[0] == fminf(0.75f * (float)way[k].moves, 1) &&
                c->g[1] == (way[k].step > 0.3125 ? 0.25f : 0));
    mho_cells_free(c);
    mho_experiment_free(e);
  }
}

/* With noise a pulse of s (1 + sigma xi) moves a cell by m levels of width l as often as the
 * normal distribution says: P(xi > ((m - 1/2) l/s - 1)/sigma) by m or more; so small pulses move
 * some cells. */
static void test_noisy_levels(void **state) {
  enum { N = 100000 };
  mho_experiment *e = with("linear", "levels: 11, step_up: 0.03, cycle_to_cycle: 1.5");
  mho_cells *c = cells(e, N);
  mho_pulse_counts counts = {0};
  pulse_all(c, 1, 1, &counts);
  for (int m = -1; m <= 2; m++) {
    double reached = 0, want = 0.5 * erfc((((double)m - 0.5) * 0.1 / 0.03 - 1) / 1.5 / sqrt(2));
    for (size_t i = 0; i < N; i++)
      reached += (double)c->g[i] > 0.5 + 0.1 * ((double)m - 0.5);
    NEAR(reached / N, want, 0, 5 * sqrt(want * (1 - want) / N));
  }
  mho_cells_free(c);
  mho_experiment_free(e);
}

/* Endurance: the range closes to half of it after 1000 pulses, linearly, and no further. */
static void test_endurance(void **state) {
  mho_experiment *e = with("soft_bounds", "endurance: {pulses: 1000, range: 0.4}");
  mho_cells *c = cells(e, 1);
  mho_pulse_counts counts = {0};
  for (int k = 1; k <= 150; k++) {
    mho_cells_pulse(c, 0, 1, &(int16_t){k % 2 ? 10 : -10}, (uint64_t)k, &counts);
    NEAR(c->high[0] - c->low[0], 1 - 0.6 * fmin(k / 100.0, 1), 1e-4, 0);
    NEAR(c->high[0] + c->low[0], 1, 1e-4, 0);
  }
  assert_int_equal(c->wear[0], 1500);
  mho_cells_free(c);
  mho_experiment_free(e);
}

/* Spread of a model's own parameter: relative, clipped to its range, of the law asked for. */
static void test_parameter_spread(void **state) {
  enum { N = 20000 };
  static const char *const laws[] = {"normal", "lognormal", "uniform"};
  for (int k = 0; k < 3; k++) {
    char keys[128];
    snprintf(keys, sizeof keys,
             "step_up: 0.01, variation: {law: %s, of: 'step_up 0.1, step_down = 0'}", laws[k]);
    mho_experiment *e = with("linear", keys);
    mho_cells *c = cells(e, N);
    double sum = 0, squares = 0, most = 0;
    for (size_t i = 0; i < N; i += MHO_DEVICE_BLOCK) {
      float dir[MHO_DEVICE_BLOCK], step[MHO_DEVICE_BLOCK];
      int m = N - i < MHO_DEVICE_BLOCK ? (int)(N - i) : MHO_DEVICE_BLOCK;
      for (int j = 0; j < m; j++)
        dir[j] = 1;
      mho_cells_mean_step(c, i, m, dir, step);
      for (int j = 0; j < m; j++) {
        double x = k == 1 ? log((double)step[j] / 0.01) : (double)step[j] / 0.01 - 1;
        sum += x / N;
        squares += x * x / N;
        most = fmax(most, fabs(x));
      }
    }
    NEAR(sum, 0, 0, 0.004);
    NEAR(sqrt(squares - sum * sum), 0.1, 0.02, 0);
    if (k == 2)
      assert_true(most < 0.1 * sqrt(3) + 1e-4);
    mho_cells_free(c);
    mho_experiment_free(e);
  }
}

/* Every label from both ends in both directions against the published curves in double
 * precision: pulse k of P is at G(k/P), whatever the slope there is, and the other way round
 * from the far end. */
static void test_every_label(void **state) {
  enum { P = 200, CELLS = 300 };
  for (int label = -18; label <= 18; label++)
    for (int dir = -1; dir <= 1; dir += 2)
      for (int one = 0; one < 2; one++) {
        char keys[128];
        snprintf(keys, sizeof keys, "nl_up: %g, nl_down: %g, pulses_up: %d, pulses_down: %d",
                 label / 2.0, label / 2.0, P, P);
        mho_experiment *e = with("nl_pulse", keys);
        mho_cells *c = cells(e, CELLS);
        mho_pulse_counts counts = {0};
        double a = mho__nl_pulse_a(label / 2.0);
        static float start[MHO_DEVICE_BLOCK];
        for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
          start[i] = dir > 0 ? 0 : 1;
        mho_cells_set(c, 0, MHO_DEVICE_BLOCK, start);
        for (int k = 1; k <= P; k++) {
          if (one) /* scattered */
            mho_cells_pulse_at(c, 1, &(uint32_t){7}, &(int16_t){(int16_t)dir}, (uint64_t)k,
                               &counts);
          else
            pulse_all(c, dir, (uint64_t)k, &counts);
          double x = (dir > 0 ? k : P - k) / (double)P;
          double want = label ? expm1(-x / a) / expm1(-1 / a) : x;
          NEAR(c->g[7], want, 0, 1e-4);
        }
        mho_cells_free(c);
        mho_experiment_free(e);
      }
}

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* Quantiles of the bounds against the closed forms of the three laws; log-normal is the distance
 * from the other end. */
static void test_bounds_spread(void **state) {
  enum { N = 40000 };
  static const double q[] = {0.05, 0.5, 0.95}, normal[] = {-1.6448536, 0, 1.6448536};
  static const char *const laws[] = {"normal", "lognormal", "uniform"};
  static float low[N], high[N];
  for (int law = 0; law < 3; law++) {
    char keys[160];
    snprintf(keys, sizeof keys,
             "g_min: 100 uS, g_max: 200 uS, variation: {law: %s, g_low: 0.1, g_high: 0.25}",
             laws[law]);
    mho_experiment *e = with("linear", keys);
    mho_cells *c = cells(e, N);
    memcpy(low, c->low, sizeof low);
    memcpy(high, c->high, sizeof high);
    qsort(low, N, sizeof *low, ascending);
    qsort(high, N, sizeof *high, ascending);
    for (int k = 0; k < 3; k++) {
      double xi = law == 2 ? (q[k] - 0.5) * sqrt(12) : normal[k];
      double want_low = law == 1 ? 1 - exp(-0.1 * xi) : 0.1 * xi;
      double want_high = law == 1 ? exp(0.25 * xi) : 1 + 0.25 * xi;
      NEAR(low[(int)(q[k] * N)], want_low, 0, 0.006);
      NEAR(high[(int)(q[k] * N)], want_high, 0, 0.015);
    }
    mho_cells_free(c);
    mho_experiment_free(e);
  }
}

/* Drift of phase change memory: the published mean exponent, its spread, and 1/f noise, at both
 * ends of the range; the general laws in closed form. */
static void test_drift(void **state) {
  enum { N = 20000 };
  mho_experiment *e =
      with("pcm", "g_min: 0 S, g_max: 25 uS, drift: {law: pcm}, read_noise: {law: pcm}");
  mho_cells *c = cells(e, N);
  static float g[N], out[MHO_DEVICE_BLOCK];
  for (int at = 0; at < 2; at++) {
    double level = at ? 0.9 : 0.1, sum = 0, squares = 0;
    double mu = fmin(fmax(-0.0155 * log(level) + 0.0244, 0.049), 0.1),
           sigma = fmin(fmax(-0.0125 * log(level) - 0.0059, 0.008), 0.045);
    for (size_t i = 0; i < N; i++)
      g[i] = (float)level;
    for (size_t i = 0; i < N; i += MHO_DEVICE_BLOCK) {
      int m = N - i < MHO_DEVICE_BLOCK ? (int)(N - i) : MHO_DEVICE_BLOCK;
      mho_cells_set(c, i, m, g + i);
      mho_cells_drifted(c, 86400, i, m, out);
      for (int j = 0; j < m; j++) {
        double nu = -log((double)out[j] / level) / log(86400 / 20.0);
        sum += nu / N;
        squares += nu * nu / N;
      }
    }
    NEAR(sum, mu, 0.02, 0); /* |N(mu, sigma)| with mu several sigma from 0 */
    NEAR(sqrt(squares - sum * sum), sigma, 0.03, 0);
    /* 1/f noise multiplies what is left of the conductance, and grows with what was programmed */
    float read;
    mho_cells_read_sigma(c, 86400, 0, 1, &(float){(float)(0.5 * level)}, &read);
    NEAR(read,
         0.5 * level * fmin(0.0088 / pow(level, 0.65), 0.2) * sqrt(log((86400 + 250e-9) / 500e-9)),
         1e-5, 0);
  }

  mho_cells_drifted(c, 20, 0, 1, out); /* at t0: as programmed */
  assert_true(out[0] == c->g[0]);
  mho_cells_free(c);
  mho_experiment_free(e);
  e = with("linear", "g_min: 10 uS, g_max: 110 uS, drift: {law: power, nu: 0.1, t0: 1 s}");
  c = cells(e, 1);
  mho_cells_drifted(c, 1000, 0, 1, out);
  NEAR(out[0], 60 * pow(1000, -0.1) / 100 - 0.1, 1e-5, 0);
  mho_cells_free(c);
  mho_experiment_free(e);
  e = with("linear", "drift: {law: exponential, tau: 1000 s, t0: 1 s, rest: 0.2}");
  c = cells(e, 1);
  mho_cells_drifted(c, 2001, 0, 1, out);
  NEAR(out[0], 0.2 + 0.3 * exp(-2), 1e-5, 0);
  mho_cells_free(c);
  mho_experiment_free(e);
}

/* Nothing leads a cell that is open to a conductance. */
static void test_open_cells_drift_nowhere(void **state) {
  static const char *const laws[] = {"exponential, rest: 0.5", "power, nu: 0.1",
                                     "logarithmic, t0: 1 s, shift: 1 uS, spread: 1 uS"};
  float out[MHO_DEVICE_BLOCK];
  for (int k = 0; k < MHO_COUNT(laws); k++) {
    char keys[120];
    snprintf(keys, sizeof keys, "open: 1, drift: {law: %s}", laws[k]);
    mho_experiment *e = with("linear", keys);
    mho_cells *c = cells(e, MHO_DEVICE_BLOCK);
    mho_cells_drifted(c, 1e7, 0, MHO_DEVICE_BLOCK, out);
    for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
      assert_true(out[i] == c->g[i] && mho_cells_siemens_at(c, (size_t)i, out[i]) == 0);
    mho_cells_free(c);
    mho_experiment_free(e);
  }
}

/* The error of a verified write in the published units (uS): PCM, HfO2, and a filamentary RRAM. */
static void test_write_error(void **state) {
  mho_experiment *e = with(
      "linear",
      "g_min: 0 S, g_max: 25 uS, write_error: {c0: 0.28638599 uS, c1: 0.07585724, c2: -1787.67}");
  NEAR(mho_device_write_error(&e->device_config, 0.4) * 25,
       -0.00178767 * 100 + 0.7585724 + 0.28638599, 1e-9, 0);
  mho_experiment_free(e);
  e = with("linear", "g_min: 50 uS, g_max: 225 uS, write_error: {c0: 4.782321 uS, c1: -0.009107}");
  NEAR(mho_device_write_error(&e->device_config, 1) * 175, -0.009107 * 225 + 4.782321, 1e-9, 0);
  mho_experiment_free(e);
}

/* A table of the user's is followed, and a bad one is refused with its line. */
static void test_measured(void **state) {
  mho_experiment *e = with("measured", "start: 0");
  mho_cells *c = cells(e, 1);
  mho_pulse_counts counts = {0};
  for (int i = 1; i <= 500; i++) {
    mho_cells_pulse(c, 0, 1, &(int16_t){1}, (uint64_t)i, &counts);
    NEAR(c->g[0], curve(i / 500.0), 0, 1e-4);
  }

  for (int i = 1; i <= 500; i++) {
    mho_cells_pulse(c, 0, 1, &(int16_t){-1}, (uint64_t)i, &counts);
    NEAR(c->g[0], 1 - curve(i / 500.0), 0, 1e-4);
  }

  static const struct {
    const char *text, *says;
    int line;
  } bad[] = {{"pulse,ltp\n0,1e-6\n", "ltd", 1},
             {"pulse,ltp,ltd\n0,1e-6,9e-5\n1,2e-6,8e-5\n2,1e-6,7e-5\n", "rise", 4},
             {"pulse,ltp,ltd\n0,1e-6,9e-5\n1,2e-6,8e-5\n2,1,7e-5\n", "g_max", 4},
             {"pulse,ltp,ltd\n0,1e-6,9e-5\n", "at least 3", 0},
             {"pulse,ltp,ltd\n", "no rows", 0},
             {"", "no rows", 0}};
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    FILE *f = fopen(table_path, "r+");
    assert_int_equal(ftruncate(fileno(f), 0), 0);
    fputs(bad[i].text, f);
    fclose(f);
    mho_cells *none;
    mho_err err = mho_cells_new(c->model, e->device.params, &e->device_config, 1, (mho_rng){0},
                                (mho_rng){0}, &none, &ei);
    if (!err || !strstr(ei.message, bad[i].says) || ei.line != bad[i].line)
      fail_msg("table %d: %s (line %d)", i, ei.message, ei.line);
  }

  mho_cells_free(c);
  mho_experiment_free(e);
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
static void test_in_series(void **state) {
  of_series = 0;
  each(series_of);
  assert_int_equal(of_series, 4); /* linear, soft_bounds, exp_step, pow_step */
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

/* The published law of NeuroSim's labels: the normalized curve lies at most 0.07 NL from the
 * diagonal, and a = A/P has the values that follow from it. */
static void test_nonlinearity_labels(void **state) {
  static const struct {
    double label, a;
  } known[] = {{0.5, 2.51988}, {1, 1.25165}, {2.4, 0.49918}, {4.88, 0.20030}, {6, 0.13562}};
  for (int i = 0; i < MHO_COUNT(known); i++)
    for (int sign = 1; sign >= -1; sign -= 2) {
      double a = mho__nl_pulse_a(sign * known[i].label), farthest = 0;
      NEAR(a, sign * known[i].a, 1e-4, 0);
      for (int k = 0; k <= 200000; k++) {
        double x = k / 200000.0, y = expm1(-x / a) / expm1(-1 / a);
        farthest = fmax(farthest, fabs(y - x) / sqrt(2));
      }
      NEAR(farthest, 0.07 * known[i].label, 0, 1e-6);
    }

  assert_true(isinf(mho__nl_pulse_a(0)));
  /* and pulse by pulse, from end to end in P pulses */
  mho_experiment *e =
      with("nl_pulse", "nl_up: 2.4, nl_down: -4.88, pulses_up: 97, pulses_down: 100");
  mho_cells *c = cells(e, 1);
  mho_pulse_counts counts = {0};
  double a = mho__nl_pulse_a(2.4);
  c->g[0] = 0;
  for (int p = 1; p <= 97; p++) {
    mho_cells_pulse(c, 0, 1, &(int16_t){1}, (uint64_t)p, &counts);
    NEAR(c->g[0], expm1(-p / (97 * a)) / expm1(-1 / a), 0, 1e-5);
  }

  a = mho__nl_pulse_a(-4.88);
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
      cmocka_unit_test(test_in_series),
      cmocka_unit_test(test_exponential),
      cmocka_unit_test(test_soft_bounds_closed_form),
      cmocka_unit_test(test_nonlinearity_labels),
      cmocka_unit_test(test_every_label),
      cmocka_unit_test(test_passive),
      cmocka_unit_test(test_checkpoint),
      cmocka_unit_test(test_levels),
      cmocka_unit_test(test_noisy_levels),
      cmocka_unit_test(test_endurance),
      cmocka_unit_test(test_columns),
      cmocka_unit_test(test_bounds_spread),
      cmocka_unit_test(test_parameter_spread),
      cmocka_unit_test(test_drift),
      cmocka_unit_test(test_open_cells_drift_nowhere),
      cmocka_unit_test(test_write_error),
      cmocka_unit_test(test_measured), /* spoils the table: last */
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
