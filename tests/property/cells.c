/* Cells of several devices: what a group of devices holds, how many levels it has and how noisy its
 * reads are, against the sums over its devices; pulses of every way to write against counting them
 * in double precision, in order; the mean of an update of every scheme and way against what was
 * wanted; values that are carried against what the cell held before; one-sided pairs, symmetry
 * points, choppers, faults, wires, drift and circuits of all devices; training through all of it,
 * resumed on other numbers of threads; folders of weights; time and energy of pulses; what is
 * refused, and what is idle.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/groups.h"
#include "array/weights.h"
#include "base/streams.h"
#include "crossbar.h"
#include "mho/model/circuit.h"
#include "mho/spice.h"
#include "program/tiki_taka.h"
#include "train/trainer.h"

#include <unistd.h>

enum { ROWS = 16, COLS = 12, N = ROWS * COLS, DEVICES = 3 };
static const double significance[DEVICES] = {1, 2, 5};
static const char *const ways[] = {"all", "in_turn", "carry"};
#define THREE "cells: {n: 3, significance: [1, 2, 5], write: %s}"

/* A crossbar with its experiment, which is freed after it. */
typedef struct subject {
  mho_experiment *e;
  mho_crossbar *x;
} subject;

static subject make(const char *yaml) {
  subject s = {.e = experiment(yaml)};
  s.x = crossbar(s.e, ROWS, COLS);
  return s;
}

static subject make_way(const char *format, const char *way) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml, format, way);
  return make(yaml);
}

static void drop(subject *s) {
  mho_crossbar_free(s->x);
  mho_experiment_free(s->e);
}

static void spread_out(mho_real *w, double most) {
  for (int i = 0; i < N; i++)
    w[i] = (mho_real)(most * (2.0 * (i * 37 % N) / (N - 1) - 1));
}

/* What bank k of the mapping holds, from its devices. */
static double held(const mho_crossbar *x, int k, size_t cell) {
  double sum = 0, all = 0;
  for (int d = 0; d < DEVICES; d++) {
    sum += significance[d] * (double)x->bank[DEVICES * k + d]->g[cell];
    all += significance[d];
  }
  return sum / all;
}

static double step_of(const subject *s) {
  return mho_crossbar_step(s->x,
                           mho_device_nominal_step((const mho_device_model *)s->e->device.entry,
                                                   s->e->device.params, &s->e->device_config));
}

/* ---------------------------------------------------------------- what a cell holds */

/* The table of banks, and weights that are sums over devices, as they are set and change. */
static void test_holds(void **state) {
  static const char *const titles[] = {"first positive", "second positive", "third positive",
                                       "first negative", "second negative", "third negative"};
  for (int way = 0; way < 3; way++) {
    subject s =
        make_way("device: {model: linear, step_up: 1e-3, step_down: 1e-3, " THREE "}\n", ways[way]);
    mho_real w[N], dw[N];
    assert_int_equal(s.x->n_banks, 2 * DEVICES);
    for (int k = 0; k < s.x->n_banks; k++) {
      assert_string_equal(s.x->role[k].title, titles[k]);
      NEAR(s.x->role[k].gain, (k < DEVICES ? 1 : -1) * significance[k % DEVICES] / 8, 1e-12, 0);
      for (int other = 0; other < k; other++)
        assert_true(s.x->role[k].letter != s.x->role[other].letter);
    }

    spread_out(w, 1.9);
    assert_int_equal(mho_crossbar_set(s.x, 0, N, w), 0);
    for (size_t i = 0; i < N; i++) {
      NEAR(mho__crossbar_programmed(s.x)[i], w[i], 0, 1e-5);
      NEAR(2 * (held(s.x, 0, i) - held(s.x, 1, i)), w[i], 0, 1e-5);
    }
    for (int turn = 1; turn < 30; turn++) {
      for (int i = 0; i < N; i++)
        dw[i] = i % 3 ? (mho_real)(w[i] > 0 ? -0.02 : 0.02) : 0;
      mho_crossbar_add(s.x, 0, N, dw, (uint64_t)turn);
      for (int i = 0; i < N; i++) {
        w[i] += dw[i];
        NEAR(mho__crossbar_programmed(s.x)[i], w[i], 0, 3e-5);
      }
    }
    drop(&s);
  }
}

/* How the devices of a cell share what it holds: alike; by one in turn; by the first, with the
 * others about where they were. */
static void test_shares_of_a_change(void **state) {
  for (int way = 0; way < 3; way++) {
    subject s = make_way("device: {model: linear, " THREE "}\n", ways[way]);
    mho_real w[N] = {0}, dw[N];
    int moved[DEVICES] = {0};
    mho_crossbar_set(s.x, 0, N, w);
    for (int i = 0; i < N; i++)
      dw[i] = (mho_real)0.01;
    mho_crossbar_add(s.x, 0, N, dw, 1);
    for (int d = 0; d < DEVICES; d++)
      for (int i = 0; i < N; i++)
        moved[d] += s.x->bank[d]->g[i] != 0.5f;
    for (int d = 0; d < DEVICES; d++)
      assert_int_equal(moved[d], way == 0 || d == 0 ? N : 0);
    mho_crossbar_add(s.x, 0, N, dw, 2);
    for (int i = 0; i < N; i++)
      assert_int_equal(s.x->bank[1]->g[i] != 0.5f, way < 2);
    drop(&s);
  }
}

static int by_size(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* Values that a cell of n devices of L levels takes when it is written all over its range, and the
 * largest error that is left, of the range. */
static int levels(int n, const char *list, const char *way, int level, double *worst) {
  enum { MANY = 4000 };
  char yaml[512];
  float held[MHO_DEVICE_BLOCK], all[MANY];
  int different = 0, got = 0;
  snprintf(yaml, sizeof yaml,
           "device: {model: linear, mapping: single, levels: %d, cells: {n: %d, significance: %s, "
           "write: %s}}\n",
           level, n, list, way);
  mho_experiment *e = experiment(yaml);
  mho_crossbar *x = crossbar(e, 1, MHO_DEVICE_BLOCK);
  *worst = 0;
  for (int first = 0; first < MANY; first += MHO_DEVICE_BLOCK) {
    mho_real w[MHO_DEVICE_BLOCK];
    for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
      w[i] = (mho_real)(2.0 * mho_min(first + i, MANY - 1) / (MANY - 1));
    mho_crossbar_set(x, 0, MHO_DEVICE_BLOCK, w);
    mho_crossbar_held(x, 0, 0, MHO_DEVICE_BLOCK, held);
    for (int i = 0; i < MHO_DEVICE_BLOCK && got < MANY; i++) {
      *worst = fmax(*worst, fabs((double)held[i] - 0.5 * (double)w[i]));
      all[got++] = held[i];
    }
  }

  qsort(all, (size_t)got, sizeof *all, by_size);
  for (int i = 0; i < got; i++)
    different += i == 0 || all[i] - all[i - 1] > 1e-5f;
  mho_crossbar_free(x);
  mho_experiment_free(e);
  return different;
}

/* n (L - 1) + 1 values of equal devices, L^n of powers of L, evenly: no error above half of what is
 * between two. */
static void test_levels(void **state) {
  double worst;
  static const char *const equal[] = {"1", "[1, 1]", "[1, 1, 1]", "[1, 1, 1, 1]"};
  for (int n = 1; n <= 4; n++)
    for (int way = 0; way < 2; way++) {
      int many = n * (5 - 1) + 1;
      assert_int_equal(levels(n, equal[n - 1], ways[way], 5, &worst), many);
      NEAR(worst, 0.5 / (many - 1), 0.01, 1e-4);
    }
  static const char *const powers[] = {"[1, 4]", "[1, 4, 16]"};
  for (int n = 2; n <= 3; n++)
    for (int way = 0; way < 3; way++) {
      int many = n == 2 ? 16 : 64;
      assert_int_equal(levels(n, powers[n - 2], ways[way], 4, &worst), many);
      NEAR(worst, 0.5 / (many - 1), 0.02, 2e-4);
    }
}

/* ---------------------------------------------------------------- noise */

/* Variance of reads of ones, of all columns, is sum_k s_k^2 var_k/(sum s_k)^2 of each side. */
static void test_noise(void **state) {
  enum { READS = 3000 };
  static const char *const keys[][2] = {
      {"", "array: {read_noise: 0.02}\n"},
      {"", "array: {read_noise: 0.02, noise: {law: proportional}}\n"},
      {", read_noise: {law: proportional, sigma: 0.02}", "array: {model: periphery}\n"}};
  for (int law = 0; law < 3; law++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "device: {model: linear, variation: {g_high: 0.1}, " THREE "%s}\n%s", "all",
             keys[law][0], keys[law][1]);
    subject s = make(yaml);
    mho_real w[N], v[ROWS], quiet[COLS] = {0}, y[COLS];
    mho_real *scratch = mho_alloc(mho_crossbar_scratch(s.x, 1), sizeof *scratch);
    double want = 0, squares = 0;
    spread_out(w, 1.5);
    mho_crossbar_set(s.x, 0, N, w);

    for (size_t i = 0; i < N; i++) {
      quiet[i % COLS] += mho_crossbar_matrix(s.x)[i];
      for (int k = 0; k < 2 * DEVICES; k++) {
        double part = significance[k % DEVICES] / 8;
        double g = law ? mho_cells_siemens(s.x->bank[k], i) / 99e-6 : 1;
        want += pow(part * 2 * 0.02 * g, 2) / COLS;
      }
    }
    for (int i = 0; i < ROWS; i++)
      v[i] = 1;
    for (int r = 0; r < READS; r++) {
      mho_crossbar_read(
          s.x, &(mho_read){
                   .n = 1, .x = v, .y = y, .scale = 1, .clock = {(uint64_t)r}, .scratch = scratch});
      for (int j = 0; j < COLS; j++)
        squares += pow((double)(y[j] - quiet[j]), 2) / (COLS * READS);
    }
    /* 36000 squares of normal deviates: 5 standard deviations are 3.7 % */
    NEAR(squares, want, 0.037, 0);
    mho_free(scratch);
    drop(&s);
  }
}

/* ---------------------------------------------------------------- pulses */

/* Devices of one side, and whose turn it is, counted pulse by pulse. */
typedef struct counted {
  double g[2][DEVICES][N];
  int turn[2][N];
  double pulses;
} counted;

static void count_pulse(counted *c, int way, int side, int cell, int dir) {
  for (int d = 0; d < DEVICES; d++) {
    bool is_its = way == 0 || (way == 1 ? c->turn[side][cell] == d : d == 0);
    if (!is_its)
      continue;
    c->g[side][d][cell] = fmin(fmax(c->g[side][d][cell] + dir * 0.01, 0), 1);
    c->pulses++;
  }
  c->turn[side][cell] = (c->turn[side][cell] + 1) % DEVICES;
}

static void count_all(counted *c, int way, int n, const uint32_t *cell, const int16_t *count) {
  for (int i = 0; i < n; i++)
    for (int k = 0; k < abs(count[i]); k++)
      for (int side = 0; side < 2; side++)
        count_pulse(c, way, side, (int)cell[i], (count[i] > 0) == (side == 0) ? 1 : -1);
}

/* Series of pulses of all cells but some: each of up to 64, both ways. */
static void make_series(uint64_t turn, mho_pulse_series *s) {
  uint32_t word[3 * N];
  mho_rng_u32(mho_rng_make(8, MHO_RNG_TEST, 0), turn, 0, 3 * N, word);
  s->n = 0;
  for (uint32_t i = 0; i < N; i++) {
    int most = word[i] & 64 ? MHO_SERIES_MOST : 5, n = (int)(word[i] >> 8) % (most + 1);
    uint64_t up = (uint64_t)word[N + i] << 32 | word[2 * N + i];
    if (word[i] % 5 == 0)
      continue;
    s->cell[s->n] = i * 5 % N;
    s->count[s->n] = (uint8_t)n;
    s->up[s->n++] = n == MHO_SERIES_MOST ? up : up & (((uint64_t)1 << n) - 1);
  }
}

/* Pulse number k of a series on each of its cells; 0 where there is none. */
static void take_pulse(const mho_pulse_series *s, int k, int16_t *count) {
  for (int i = 0; i < s->n; i++) {
    int16_t sign = s->up[i] >> k & 1 ? 1 : -1;
    count[i] = k < s->count[i] ? sign : 0;
  }
}

/* Every device gets the pulses that counting gives it, on neighbours and scattered, and in
 * series. */
static void test_pulses(void **state) {
  static counted c;
  for (int way = 0; way < 3; way++) {
    subject s =
        make_way("device: {model: linear, step_up: 0.01, step_down: 0.01, " THREE "}\n", ways[way]);
    mho_pulse_counts counts = {0};
    float xi[N];
    uint32_t cell[N], order[N];
    int16_t count[N], some[N];
    memset(&c, 0, sizeof c);
    for (int i = 0; i < 2 * DEVICES * N; i++)
      (&c.g[0][0][0])[i] = 0.5;
    for (uint32_t i = 0; i < N; i++) {
      cell[i] = i;
      order[i] = i * 5 % N;
    }

    for (uint64_t turn = 0; turn < 20; turn++) {
      mho_rng_normal(mho_rng_make(7, MHO_RNG_TEST, 0), turn, 0, N, xi);
      for (int i = 0; i < N; i++)
        count[i] = (int16_t)lrintf(4 * xi[i]);
      count_all(&c, way, N, cell, count);
      mho_crossbar_change(s.x, 0, N, count, 2 * turn, &counts);

      for (int i = 0; i < N; i++)
        some[i] = (int16_t)(i % 4 ? 0 : -count[i]);
      count_all(&c, way, N, order, some);
      mho_crossbar_change_at(s.x, N, order, some, 2 * turn + 1, &counts);

      mho_pulse_series series;
      make_series(turn, &series);
      for (int k = 0; k < MHO_SERIES_MOST; k++) {
        take_pulse(&series, k, some);
        count_all(&c, way, series.n, series.cell, some);
      }
      mho__crossbar_pulse_series(s.x, &series, 1000 + turn, &counts);
    }
    for (int side = 0; side < 2; side++)
      for (int d = 0; d < DEVICES; d++)
        for (int i = 0; i < N; i++)
          NEAR(s.x->bank[DEVICES * side + d]->g[i], c.g[side][d][i], 0, 2e-5);
    NEAR(counts.set + counts.reset, c.pulses, 0, 0);
    assert_int_equal(mho_crossbar_pulsed(s.x), way == 0 ? 2 * DEVICES : 2);
    NEAR(step_of(&s), 2 * 2 * 0.01 * (way == 0 ? 1 : way == 1 ? 1.0 / 3 : 1.0 / 8), 1e-6, 0);
    drop(&s);
  }
}

/* Whatever cells are, without noise a series leaves what its pulses leave one by one, and with
 * noise as much on average, spread as widely: 5 standard deviations of both. */
static void in_series(const char *yaml, bool is_noisy) {
  enum { TURNS = 8 };
  subject one = make(yaml), all = make(yaml);
  mho_pulse_counts counts[2] = {0};
  for (uint64_t turn = 0; turn < TURNS; turn++) {
    mho_pulse_series s;
    make_series(turn, &s);
    mho__crossbar_pulse_series(all.x, &s, turn, &counts[0]);
    for (int k = 0; k < MHO_SERIES_MOST; k++) {
      int16_t count[N];
      take_pulse(&s, k, count);
      mho_crossbar_change_at(one.x, s.n, s.cell, count, 1000 + 64 * turn + (uint64_t)k, &counts[1]);
    }
  }
  NEAR(counts[0].set, counts[1].set, 0, 0);
  NEAR(counts[0].reset, counts[1].reset, 0, 0);

  for (int b = 0; b < one.x->mapping->n_banks; b++) {
    const mho_cells *c = one.x->bank[b], *d = all.x->bank[b];
    double sum[2] = {0}, squares[2] = {0};
    if (one.x->mapping->bank[b].kind != MHO_BANK_DEVICES)
      continue;
    for (int i = 0; i < N; i++) {
      bool same = c->g[i] == d->g[i] && c->state[i] == d->state[i] &&
                  (!c->wear || c->wear[i] == d->wear[i]);
      if (!is_noisy && !same)
        fail_msg("%scell %d is at %a in turn, at %a in series", yaml, i, (double)c->g[i],
                 (double)d->g[i]);
      double v[] = {(double)c->g[i], (double)d->g[i]};
      for (int k = 0; k < 2; k++) {
        sum[k] += v[k] / N;
        squares[k] += v[k] * v[k] / N;
      }
    }
    double var[] = {squares[0] - sum[0] * sum[0], squares[1] - sum[1] * sum[1]};
    NEAR(sum[0], sum[1], 0, 5 * sqrt((var[0] + var[1]) / N));
    NEAR(var[1] / var[0], 1, 0, 5 * sqrt(4.0 / N) * sqrt(1.5));
  }
  drop(&one);
  drop(&all);
}

static void test_series(void **state) {
  static const char *const quiet[] = {
      "device: {model: soft_bounds, step_up: 0.02, step_down: 0.03, mapping: reference}\n",
      "device: {model: soft_bounds, step_up: 0.02, step_down: 0.03, mapping: differential, "
      "variation: {step: 0.2, g_low: 0.1}, stuck: 0.1}\n",
      "device: {model: linear, step_up: 0.03, step_down: 0.03, mapping: one_sided}\n",
      "device: {model: exp_step, step_up: 0.01, step_down: 0.01, mapping: offset, levels: 30}\n",
      "device: {model: exp_step, step_up: 0.01, step_down: 0.02, mapping: differential, variation: "
      "{step: 0.2, g_high: 0.1}}\n",
      "device: {model: pow_step, step_up: 0.02, step_down: 0.01, gamma_up: 2, mapping: "
      "reference}\n",
      "device: {model: linear, step_up: 0.02, step_down: 0.02, slope_up: 0.5, slope_down: 0.9, "
      "mapping: reference, variation: {step: 0.2, g_low: 0.1}, stuck: 0.1}\n"};
  static const char *const noisy[] = {
      "device: {card: gokmen_vlasov, step_up: 0.01, step_down: 0.01}\n",
      "device: {card: reram_es}\n", "device: {card: ecram}\n"};
  for (int i = 0; i < MHO_COUNT(quiet); i++)
    in_series(quiet[i], false);
  for (int i = 0; i < MHO_COUNT(noisy); i++)
    in_series(noisy[i], true);
}

/* ---------------------------------------------------------------- updates of schemes */

/* Updates of one wanted change, of every cell: what the weights moved by in all, mean and deviation
 * over the cells, and pulses. */
static void update(const char *scheme, const char *way, double each, int updates, double *mean,
                   double *deviation) {
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "device: {model: linear, step_up: 2e-3, step_down: 2e-3, cycle_to_cycle: 0.3, cells: "
           "%s}\nupdate: {scheme: %s, optimizer: sgd}\n",
           way, scheme);
  subject s = make(yaml);
  const mho_scheme *of = (const mho_scheme *)s.e->scheme.entry;
  mho_real dw[N], chi[N] = {0};
  mho_pulse_counts counts = {0};
  double sum = 0, squares = 0;
  for (int i = 0; i < N; i++)
    dw[i] = (mho_real)(i % 2 ? each : -each);
  for (int u = 1; u <= updates; u++) {
    mho_program_job job = {.xb = s.x,
                           .params = s.e->scheme.params,
                           .n = N,
                           .dw = dw,
                           .state = chi,
                           .nominal_step = step_of(&s),
                           .update = (uint64_t)u,
                           .rounding = mho_rng_make(4, MHO_RNG_ROUND, 0)};
    of->apply(&job, &counts);
    if (mho_crossbar_carries(s.x) && of->needs_pulses)
      mho_crossbar_carry(s.x, 0, N, mho__step_refresh((uint64_t)u), &counts);
  }

  for (int i = 0; i < N; i++) {
    double v = (double)mho__crossbar_programmed(s.x)[i] * (i % 2 ? 1 : -1);
    sum += v / N;
    squares += v * v / N;
  }

  *mean = sum;
  *deviation = sqrt(fmax(squares - sum * sum, 0));
  drop(&s);
}

/* The mean of many updates is what is wanted, whatever takes the pulses, as it is of one device:
 * within 5 standard errors over the cells, and what accumulators still hold. */
static void test_updates(void **state) {
  static const char *const schemes[] = {"exact", "pulses", "accumulate",
                                        "write_verify, tolerance: 0.5"};
  static const char *const of[] = {"{n: 1}",
                                   "{n: 2}",
                                   "{n: 3, significance: [1, 2, 5]}",
                                   "{n: 2, write: in_turn}",
                                   "{n: 3, significance: [1, 2, 5], write: in_turn}",
                                   "{n: 2, significance: [1, 4], write: carry}",
                                   "{n: 3, significance: [1, 2, 5], write: carry}"};
  enum { UPDATES = 150 };
  for (int k = 0; k < MHO_COUNT(schemes); k++)
    for (int w = 0; w < MHO_COUNT(of); w++) {
      double mean, deviation, each = 0.006, step = 8e-3;
      update(schemes[k], of[w], each, UPDATES, &mean, &deviation);
      double error = 5 * deviation / sqrt(N), left = k == 2 || k == 3 ? step : 0;
      if (!(fabs(mean - UPDATES * each) <= error + left + 1e-4))
        fail_msg("%s, %s: %g +- %g against %g", schemes[k], of[w], mean, error / 5, UPDATES * each);
    }
}

/* One pulse by the sign: as far as pulses go. */
static void test_sign(void **state) {
  double mean, deviation;
  static const char *const of[] = {"{n: 1}", "{n: 2}", "{n: 2, write: in_turn}",
                                   "{n: 2, significance: [1, 4], write: carry}"};
  static const double moves[] = {1, 1, 0.5, 0.2};
  for (int w = 0; w < 4; w++) {
    update("sign, threshold: 0", of[w], 1e-3, 40, &mean, &deviation);
    NEAR(mean, 40 * 2 * 2 * 2e-3 * moves[w], 0, 5 * deviation / sqrt(N) + 1e-6);
  }
}

/* Coincidences of trains: E[dW] = rate x d. */
static void test_coincidences(void **state) {
  enum { SAMPLES = 4000 };
  static const char *const of[] = {"{n: 1}", "{n: 2}", "{n: 2, significance: [1, 3]}",
                                   "{n: 2, write: in_turn}",
                                   "{n: 2, significance: [1, 4], write: carry}"};
  mho_real in[ROWS], out[COLS];
  for (int i = 0; i < ROWS; i++)
    in[i] = (mho_real)(1 - 0.1 * i);
  for (int j = 0; j < COLS; j++)
    out[j] = (mho_real)(0.5 - 0.08 * j);
  for (int w = 0; w < MHO_COUNT(of); w++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "device: {model: linear, step_up: 5e-4, step_down: 5e-4, cells: %s}\n"
             "update: {scheme: stochastic, optimizer: sgd}\n",
             of[w]);
    subject s = make(yaml);
    const mho_scheme *scheme = (const mho_scheme *)s.e->scheme.entry;
    mho_pulse_trains *t;
    mho_pulse_counts counts = {0};
    double rate = 1e-4, step = step_of(&s);
    OK(mho_pulse_trains_new(ROWS, COLS, 1, &t, &ei));
    for (int r = 0; r < SAMPLES; r++) {
      mho_outer_job job = {.xb = s.x,
                           .params = s.e->scheme.params,
                           .samples = 1,
                           .x = in,
                           .e = out,
                           .rate = rate,
                           .nominal_step = step,
                           .first_sample = (uint64_t)r,
                           .rounding = mho_rng_make(4, MHO_RNG_ROUND, 0),
                           .trains = t};
      scheme->draw(&job, 0);
      scheme->replay(&job, 0, ROWS, &counts);
      if (mho_crossbar_carries(s.x) && r % 20 == 0)
        mho_crossbar_carry(s.x, 0, N, mho__step_refresh((uint64_t)r), &counts);
    }
    for (int i = 0; i < N; i++) {
      double want = -SAMPLES * rate * (double)in[i / COLS] * (double)out[i % COLS];
      double pulses = fabs(want) / step, error = step * sqrt(pulses);
      NEAR(mho__crossbar_programmed(s.x)[i], want, 0,
           5 * (w == 2 ? 1.3 : 1) * error + 2 * step + 1e-4);
    }
    assert_true(counts.truncated == 0);
    mho_pulse_trains_free(t);
    drop(&s);
  }
}

/* ---------------------------------------------------------------- carries */

/* A cell whose first device is near a bound holds after a carry what it held before, and the first
 * device is away from its bounds; the others are not touched. */
static void test_carry(void **state) {
  subject s =
      make_way("device: {model: linear, step_up: 0.01, step_down: 0.01, stuck_on: 0.03, " THREE
               "}\nupdate: {scheme: pulses, optimizer: sgd}\n",
               "carry");
  mho_real w[N];
  double before[2][N];
  mho_pulse_counts counts = {0};
  int carried = 0, kept = 0;
  spread_out(w, 1.2);
  mho_crossbar_set(s.x, 0, N, w);
  for (int i = 0; i < N; i++) {
    float g = i % 3 == 0 ? 0.97f : i % 3 == 1 ? 0.02f : 0.6f;
    mho_cells_set(s.x->bank[0], (size_t)i, 1, &g);
    mho_cells_set(s.x->bank[DEVICES], (size_t)i, 1, &g);
    for (int side = 0; side < 2; side++)
      before[side][i] = held(s.x, side, (size_t)i);
  }

  mho_crossbar_carry(s.x, 0, N, mho__step_refresh(1), &counts);
  for (size_t i = 0; i < N; i++) {
    for (int side = 0; side < 2; side++) {
      mho_cells *first = s.x->bank[DEVICES * side];
      bool sound = !first->fault[i] && !s.x->bank[DEVICES * side + 1]->fault[i];
      /* half a step of the first device, of 8 parts of the cell */
      NEAR(held(s.x, side, i), before[side][i], 0, 0.5 * 0.01 / 8 + 1e-5);
      if (i % 3 == 2)
        NEAR(first->g[i], first->fault[i] ? 1 : 0.6, 0, 1e-6);
      else if (sound)
        carried += fabs((double)first->g[i] - 0.5) < 0.2;
      kept += i % 3 == 2 || !sound;
    }
    NEAR(mho__crossbar_programmed(s.x)[i], 2 * (held(s.x, 0, i) - held(s.x, 1, i)), 0, 1e-5);
  }
  /* those whose upper devices are at a bound themselves stay */
  assert_true(carried > 2 * N * 2 / 3 - N / 6 && carried + kept <= 2 * N);
  /* about 22 pulses up and 45 back, with a read after each, for every carry */
  assert_true(counts.reads > counts.set + counts.reset && counts.set + counts.reset > 30 * carried);
  drop(&s);
}

/* Pulses up count through all devices, as digits, to the top of the cell, where they stay. */
static void test_counts_up(void **state) {
  subject s =
      make_way("device: {model: linear, mapping: single, step_up: 0.02, step_down: 0.02, " THREE
               "}\nupdate: {scheme: pulses, optimizer: sgd}\n",
               "carry");
  mho_real none[N] = {0};
  int16_t one[N];
  mho_pulse_counts counts = {0};
  mho_crossbar_set(s.x, 0, N, none);
  for (int i = 0; i < N; i++)
    one[i] = 1;
  for (int pulse = 1; pulse <= 420; pulse++) {
    mho_crossbar_change(s.x, 0, N, one, (uint64_t)pulse, &counts);
    mho_crossbar_carry(s.x, 0, N, mho__step_refresh((uint64_t)pulse), &counts);
    int carries =
        pulse / 19; /* from mid range to an eighth below the bound; each leaves half a step */
    if (pulse <= 360)
      NEAR(held(s.x, 0, 7), pulse * 0.02 / 8, 0, 0.5 * 0.02 / 8 * carries + 1e-5);
    if (pulse > 50)
      assert_true(s.x->bank[0]->g[7] > 0.3f || pulse > 360);
  }
  NEAR(held(s.x, 0, 7), 1, 0, 0.02);
  drop(&s);
}

/* ---------------------------------------------------------------- mappings */

/* One-sided pairs that are full are written anew: all devices of both sides, and the weight stays
 * within a step. */
static void test_one_sided(void **state) {
  for (int way = 0; way < 2; way++) {
    subject s = make_way("device: {model: linear, mapping: one_sided, step_up: 0.01, step_down: "
                         "0.01, refresh: {every: 1, above: 0.75}, " THREE "}\n",
                         ways[way]);
    int16_t up[N], down[N];
    mho_pulse_counts counts = {0}, care = {0};
    for (int i = 0; i < N; i++) {
      up[i] = 240;
      down[i] = -180;
    }
    mho_crossbar_change(s.x, 0, N, up, 1, &counts);
    mho_crossbar_change(s.x, 0, N, down, 2, &counts);
    double before = (double)mho__crossbar_programmed(s.x)[5];
    NEAR(before, way ? 2 * 0.2 : 0, 0, 1e-4); /* all: both sides are full */
    mho_crossbar_tend(s.x, 0, N, 1, &care);
    for (int i = 0; i < N; i++)
      NEAR(mho__crossbar_programmed(s.x)[i], before, 0, 2 * 0.01 * 5 / 8 + 1e-4);
    for (int k = DEVICES; k < 2 * DEVICES; k++)
      for (int i = 0; i < N; i++)
        assert_true(s.x->bank[k]->g[i] < 0.03f);
    assert_true(care.reset > 0 && (way == 0 || care.set > 0));
    drop(&s);
  }
}

/* The zero of a reference, and of a current, is where every device of the cell is at its symmetry
 * point. */
static void test_zero_shift(void **state) {
  static const char *const mappings[] = {"reference", "offset"};
  for (int m = 0; m < 2; m++) {
    subject s =
        make_way("device: {model: soft_bounds, step_up: 0.01, step_down: 0.01, mapping: %s, "
                 "zero_shift: true, variation: {asymmetry: 0.3}, cells: {n: 3, "
                 "significance: [1, 2, 5]}}\n",
                 mappings[m]);
    mho_real at[N], none[N] = {0};
    int off = 0;
    mho__crossbar_symmetry(s.x, at);
    for (int i = 0; i < N; i++) {
      NEAR(at[i], 0, 0, 2e-4);
      off += fabs(held(s.x, 0, (size_t)i) - 0.5) > 0.02;
    }
    mho_crossbar_set(s.x, 0, N, none);
    for (int i = 0; i < N; i++) {
      NEAR(mho__crossbar_programmed(s.x)[i], 0, 0, 1e-5);
      off += fabs(held(s.x, 0, (size_t)i) - 0.5) > 0.02;
    }
    assert_true(off > N / 4);
    assert_int_equal(s.x->n_banks, m ? DEVICES + 1 : 2 * DEVICES);
    drop(&s);
  }
}

/* Each device that a weight is read against has an error of its own, so that that of the sum is
 * smaller: sigma sqrt(sum s^2)/sum s. */
static void test_zero_error(void **state) {
  enum { CHIPS = 40 };
  const double sigma = 0.02, want = sigma * sqrt(1 + 4 + 25) / 8;
  double sum = 0, squares = 0;
  for (int chip = 0; chip < CHIPS; chip++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "device: {model: soft_bounds, mapping: reference, zero_error: %g, cells: {n: 3, "
             "significance: [1, 2, 5]}}\ntrain: {seeds: {chip: %d}}\n",
             sigma, chip + 1);
    subject s = make(yaml);
    for (int i = 0; i < N; i++) {
      double off = held(s.x, 1, (size_t)i) - 0.5;
      sum += off / (CHIPS * N);
      squares += off * off / (CHIPS * N);
    }
    drop(&s);
  }
  NEAR(sum, 0, 0, 5 * want / sqrt(CHIPS * N));
  NEAR(sqrt(squares), want, 5 / sqrt(2.0 * CHIPS * N), 0);
}

/* ---------------------------------------------------------------- circuits */

static void take(void *user, const mho_cosim_row *row, const double *core, const double *spice) {
  if (!row->pass)
    fail_msg("%s: %g at %s", row->quantity, row->max_rel, row->place);
  *(int *)user += 1;
}

/* Reads both ways, with wires, drift, open cells and an I-V law, and whole networks, in ngspice. */
static void test_circuits(void **state) {
  static const char *const cases[][2] = {
      {"", ""},
      {", drift: {law: power, nu: 0.1, nu_spread: 0.02}, open: 0.05",
       "array: {wire: {r_word: 2 ohm, r_bit: 3 ohm, tile: [10, 9]}}\n"},
      {", iv: {law: sinh, b: 3}", "array: {model: periphery}\n"}};
  static const char *const mappings[] = {"differential", "offset"};
  mho_spice *spice;
  if (mho_spice_open(&spice, &ei))
    skip();
  for (int m = 0; m < 2; m++)
    for (int k = 0; k < MHO_COUNT(cases); k++) {
      char yaml[512];
      int done = 0;
      mho_wired *wired = NULL;
      _Alignas(16) unsigned char params[MHO_CHOICE_MAX];
      snprintf(yaml, sizeof yaml, "device: {model: linear, mapping: %s, " THREE "%s}\n%s",
               mappings[m], "all", cases[k][0], cases[k][1]);
      subject s = make(yaml);
      mho_real w[N];
      float xi[N];
      spread_out(w, 1.5);
      mho_crossbar_set(s.x, 0, N, w);
      for (int d = 0; d < DEVICES; d++) { /* every device at another place */
        mho_rng_uniform(mho_rng_make(3, MHO_RNG_TEST, 0), (uint64_t)d, 0, N, xi);
        mho_cells_set(s.x->bank[d], 0, N, xi);
      }
      OK(mho_crossbar_age(s.x, 1000, &ei));
      OK(mho_crossbar_read_ideally(s.x, &s.e->array_config, params, &ei));
      if (s.e->array_config.r_word > 0) {
        OK(mho_wired_new(1, &s.x, &s.e->array_config, &s.e->device_config, NULL, &wired, &ei));
        mho_wired_refresh(wired, 0, true);
      }
      for (int transposed = 0; transposed < 2; transposed++)
        OK(mho_cosim_reads(spice, s.x, &s.e->device_config, &s.e->array_config, transposed, 3, take,
                           &done, &ei));
      assert_int_equal(done, 2);
      mho_wired_free(wired);
      drop(&s);
    }

  mho_spice_close(spice);
}

#define SMALL                                                                                      \
  "dataset: {name: digits, train: 200, test: 50}\nfeedback: {scale: 0.1}\n"                        \
  "rule: {name: ep, nudge: 0.1}\ntrain: {epochs: 1, batch: 50, seed: 3}\n"

static void test_network_circuit(void **state) {
  mho_spice *s;
  int done = 0;
  if (mho_spice_open(&s, &ei))
    skip();
  mho_experiment *e =
      experiment(SMALL "network: {hidden: [8, 6]}\ndevice: {model: linear, cells: {n: 2, "
                       "significance: [1, 3]}}\n");
  mho_trainer *t = trainer(e);
  const mho_dataset *d = mho_trainer_dataset(t);
  mho_real x[2 * 64];
  uint8_t label[2];
  mho_images_batch(d, &d->train, NULL, 0, 2, x, label);
  mho_cosim_network_options o = {
      .net = mho_trainer_network(t),
      .settler = (const mho_settler *)mho_registry_find(registry, MHO_KIND_SETTLER, "sweep"),
      .dynamics = (const mho_dynamics *)e->dynamics.entry,
      .device = &e->device_config,
      .samples = 2,
      .x = x,
      .targets = {.label = label},
      .nudge = 0.1,
      .tolerance = 5e-6,
      .both_inputs = true};
  OK(mho_cosim_network(s, &o, take, &done, &ei));
  assert_true(done > 5);

  char *text;
  mho_trained_netlist n = {.connection = &mho_trainer_network(t)->connection[1], .of = "test"};
  OK(mho_trainer_netlist_crossbar(t, &n, &text, &ei));
  static const char *const lines[] = {
      "a first positive, a second positive, a first negative and a second negative device",
      "let out0 = 0.25*i(Vp0) + 0.75*i(Vc0) - 0.25*i(Vn0) - 0.75*i(Vd0)\n"};
  for (int i = 0; i < MHO_COUNT(lines); i++)
    if (!strstr(text, lines[i]))
      fail_msg("no '%s' in\n%.1500s", lines[i], text);
  mho_free(text);
  mho_trainer_free(t);
  mho_experiment_free(e);
  mho_spice_close(s);
}

/* ---------------------------------------------------------------- training */

static mho_blob train(const mho_experiment *e, int threads, int epochs, const mho_blob *from,
                      mho_epoch_row *row) {
  mho_context ctx = {0};
  mho_trainer *t;
  mho_checkpoint_row c;
  OK(mho_pool_new(threads, &ctx.pool, &ei));
  OK(mho_trainer_new(&ctx, e, &t, &ei));
  if (from)
    OK(mho_trainer_load(t, from, &ei));
  for (int i = 0; i < epochs; i++)
    OK(mho_trainer_epoch(t, row, &ei));
  OK(mho_trainer_save(t, &c, &ei));
  mho_trainer_free(t);
  mho_pool_free(ctx.pool);
  return c.blob;
}

/* Through wires, noise, converters in slices, drift, faults, write noise and half-selected cells,
 * with every scheme that a way of writing has to do with; resumed bit for bit on any number of
 * threads. */
static void test_training(void **state) {
  enum { HEADER = 136 };
  static const char *const schemes[] = {"exact, rate: 0.05",
                                        "pulses, rate: 0.05",
                                        "accumulate, rate: 0.05",
                                        "write_verify, rate: 0.05",
                                        "stochastic, rate: 0.05",
                                        "tiki_taka, variant: chopped",
                                        "tiki_taka, gamma: 0, variant: agad"};
  for (int k = 0; k < MHO_COUNT(schemes); k++)
    for (int way = 0; way < (k < 5 ? 3 : 2); way++) {
      char yaml[1024];
      mho_epoch_row whole, last;
      bool is_exact = k == 0;
      snprintf(
          yaml, sizeof yaml,
          "network: {hidden: [16]}\ndataset: {train: 300, test: 50}\ntrain: {batch: 50}\n"
          "device: {model: soft_bounds, cycle_to_cycle: 0.3, step_up: 0.02, step_down: 0.02,\n"
          "  variation: {step: 0.2}, stuck_on: 0.01, drift: {law: power, nu: 0.05},\n"
          "  write_noise: 0.002, endurance: {pulses: 1e5}, cells: {n: 2, significance: [1, 3], "
          "write: %s}}\n"
          "update: {optimizer: sgd, scheme: %s}\n"
          "array: {model: periphery, read_noise: 0.005, dac_bits: 7, slices: 3, adc_bits: 8%s, "
          "wire: {r_word: 1 ohm, r_bit: 1 ohm, tile: 32, tolerance: 1e-5}}\n",
          ways[way], schemes[k], is_exact ? "" : ", write: {select: half}");
      mho_experiment *e = experiment(yaml);
      mho_blob one = train(e, 1, 3, NULL, &whole), first = train(e, 2, 1, NULL, &last);
      mho_blob resumed = train(e, 2, 2, &first, &last);
      assert_int_equal(one.size, resumed.size);
      assert_memory_equal((char *)one.data + HEADER, (char *)resumed.data + HEADER,
                          one.size - HEADER);
      mho_blob *all[] = {&one, &first, &resumed};
      for (int i = 0; i < 3; i++)
        mho_blob_free(all[i]);
      mho_experiment_free(e);
    }
}

/* Weights that a scheme writes at the start are those that an exact write gives, to half of a step,
 * whatever takes the pulses; of cells that carry the upper devices take their part. */
static void test_initial(void **state) {
  static const char *const schemes[] = {"pulses", "accumulate", "sign, threshold: 0",
                                        "write_verify, tolerance: 0.5"};
  for (int k = 0; k < MHO_COUNT(schemes); k++)
    for (int way = 0; way < 3; way++) {
      char yaml[1024];
      mho_trainer *t[2];
      mho_experiment *e[2];
      for (int by = 0; by < 2; by++) {
        snprintf(
            yaml, sizeof yaml,
            "network: {hidden: [16]}\ndataset: {train: 100, test: 50}\ndevice: {model: linear, "
            "step_up: 4e-3, step_down: 4e-3, mapping: reference, cells: {n: 3, significance: "
            "[1, 2, 5], write: %s}}\nupdate: {optimizer: sgd, scheme: %s}\nprogram: {initial: "
            "%s, rounds: 3000}\n",
            ways[way], schemes[k], by ? "scheme" : "exact");
        e[by] = experiment(yaml);
        t[by] = trainer(e[by]);
      }

      const mho_crossbar *exact = t[0]->net->connection[0].xb, *x = t[1]->net->connection[0].xb;
      double near = 0.5 * t[1]->updater->nominal_step[0] + 1e-5 * x->w_max, upper = 0;
      for (size_t i = 0; i < mho_crossbar_cells(x); i++) {
        NEAR(mho__crossbar_programmed(x)[i], (double)mho__crossbar_programmed(exact)[i], 0, near);
        upper = fmax(upper, fabs((double)x->bank[DEVICES - 1]->g[i] - 0.5));
      }
      assert_true(upper > 0.1);
      for (int by = 0; by < 2; by++) {
        mho_trainer_free(t[by]);
        mho_experiment_free(e[by]);
      }
    }
}

/* A turn of a damaged checkpoint is one of a device. */
static void test_restored_turns(void **state) {
  subject s = make_way("device: {model: linear, " THREE "}\n", "in_turn");
  memset(s.x->groups->group[1].turn, 255, N);
  mho__groups_restored(s.x);
  for (int i = 0; i < N; i++)
    assert_true(s.x->groups->group[1].turn[i] < DEVICES);
  drop(&s);
}

/* Choppers that are turned swap the sides of a weight device by device: what is read is the slow
 * array and gamma times the fast one with its signs. */
static void test_residual(void **state) {
  mho_experiment *e = experiment(
      "network: {hidden: [12]}\ndataset: {train: 300, test: 50}\ntrain: {batch: 50}\n"
      "device: {model: soft_bounds, step_up: 0.01, step_down: 0.01, cells: {n: 3, significance: "
      "[1, 2, 5]}}\nupdate: {scheme: tiki_taka, gamma: 0.3, variant: chopped, chop_in: 0.3}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  int turned = 0;
  OK(mho_trainer_epoch(t, &row, &ei));
  const mho_crossbar *x = t->net->connection[0].xb;
  const mho_tiki *own = t->updater->own[0];
  assert_int_equal(x->n_banks, 4 * DEVICES);
  for (size_t i = 0; i < mho_crossbar_cells(x); i++) {
    int sign = own->row[i / (size_t)x->cols];
    double slow = x->w_max * (held(x, 0, i) - held(x, 1, i));
    double fast = own->fast->w_max * (held(own->fast, 0, i) - held(own->fast, 1, i));
    turned += sign < 0;
    NEAR(mho__crossbar_programmed(x)[i], slow + 0.3 * sign * fast, 0, 1e-5 * x->w_max);
  }
  assert_true(turned > 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- energy */

/* Pulses of all devices add up in energy; those of one weight are given at once, so that all take
 * as long as one. */
static void test_energy(void **state) {
  enum { PULSES = 5 }; /* the term 'set' */
  double seconds[3] = {0}, count[3] = {0};
  for (int way = 0; way < 3; way++) {
    char yaml[512];
    mho_epoch_row row;
    mho_energy_row rows[MHO_ENERGY_TERMS];
    snprintf(yaml, sizeof yaml,
             SMALL "network: {hidden: [8]}\nupdate: {scheme: sign, optimizer: sgd, rate: 1e-3, "
                   "threshold: 0}\ndevice: {model: linear, step_up: 1e-6, step_down: 1e-6, pulse: "
                   "{set_voltage: 1 V, width: 1 us}, cells: %s}\n",
             way == 0   ? "{n: 1}"
             : way == 1 ? "{n: 4}"
                        : "{n: 4, write: in_turn}");
    mho_experiment *e = experiment(yaml);
    mho_trainer *t = trainer(e);
    OK(mho_trainer_epoch(t, &row, &ei));
    OK(mho_trainer_energy(t, rows, &ei));
    assert_string_equal(rows[PULSES].term, "set");
    NEAR(rows[PULSES].count + rows[PULSES + 1].count, row.pulses, 0, 0);
    /* mean conductance, V^2 and 1 us a pulse */
    double g = 0, of_layers = 0;
    for (int c = 0; c < 2; c++) {
      double share = t->at.pulses[c] / row.pulses;
      g += share * mho_crossbar_statistics(t->net->connection[c].xb).g_mean;
      of_layers += share;
    }
    NEAR(of_layers, 1, 1e-12, 0);
    NEAR(rows[PULSES].joule, rows[PULSES].count * g * 1e-6, 1e-6, 0);
    seconds[way] = rows[PULSES].seconds + rows[PULSES + 1].seconds;
    count[way] = row.pulses;
    mho_trainer_free(t);
    mho_experiment_free(e);
  }

  NEAR(count[1], 4 * count[0], 1e-12, 0);
  NEAR(count[2], count[0], 1e-12, 0);
  NEAR(seconds[1], seconds[0], 1e-12, 0);
  NEAR(seconds[2], seconds[0], 1e-12, 0);
}

/* ---------------------------------------------------------------- folders of weights */

static void remove_folder(const char *folder) {
  char command[128];
  snprintf(command, sizeof command, "rm -r %s", folder);
  assert_int_equal(system(command), 0);
}

/* Every device in a file of its own; brought back to the same cells as conductances, to others as
 * weights. */
static void test_folders(void **state) {
  static const char *const names[] = {"w", "g_pos_1", "g_pos_2", "g_neg_1", "g_neg_2"};
  static const char *const cells[] = {"{n: 2, significance: [1, 3]}", "{n: 2}", "{n: 4}", "{n: 1}"};
  char folder[] = "/tmp/mho-cells-XXXXXX", path[256], yaml[512];
  mho_epoch_row row;
  assert_non_null(mkdtemp(folder));
  mho_experiment *e = experiment("network: {hidden: [12]}\ntrain: {batch: 100}\ndevice: {model: "
                                 "linear, cells: {n: 2, significance: [1, 3]}}\nupdate: {scheme: "
                                 "pulses, optimizer: sgd, rate: 0.05}\n");
  mho_trainer *t = trainer(e);
  OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_weights_write(t, folder, false, &ei));
  for (int k = 0; k < MHO_COUNT(names); k++) {
    snprintf(path, sizeof path, "%s/x-h1.%s.npy", folder, names[k]);
    assert_int_equal(access(path, R_OK), 0);
  }

  const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
  for (int k = 0; k < MHO_COUNT(cells); k++) {
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [12]}\ntrain: {batch: 100, from: %s}\ndevice: {model: linear, "
             "cells: %s}\n",
             folder, cells[k]);
    mho_experiment *other = experiment(yaml);
    mho_trainer *back = trainer(other);
    OK(mho_trainer_from(back, NULL, &ei));
    const mho_crossbar *y = mho_trainer_network(back)->connection[0].xb;
    int same = 0;
    for (size_t i = 0; i < mho_crossbar_cells(x); i++) {
      NEAR(mho__crossbar_programmed(y)[i], mho__crossbar_programmed(x)[i], 0,
           2e-6 + 1e-5 * (k > 0));
      same += fabsf(y->bank[0]->g[i] - x->bank[0]->g[i]) < 1e-6f;
    }
    assert_int_equal(same == (int)mho_crossbar_cells(x), k == 0);
    mho_trainer_free(back);
    mho_experiment_free(other);
  }
  remove_folder(folder);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- refused, and idle */

static void test_refused(void **state) {
  static const char *const cases[][2] = {
      {"device: {model: linear, cells: {n: 2, significance: [1, 0]}}", "device.cells.significance"},
      {"device: {model: linear, cells: {n: 2, significance: [1, -2]}}",
       "device.cells.significance"},
      {"device: {model: linear, cells: {n: 2, significance: [1, 2, 3]}}",
       "3 numbers for 2 devices"},
      {"device: {model: linear, cells: {significance: [1, 2]}}", "2 numbers for 1 devices"},
      {"device: {model: linear, cells: {n: 9}}", "device.cells.n"},
      {"device: {model: linear, cells: {write: carry}}", "which has but one"},
      {"device: {model: linear, cells: {n: 2, write: carry}}", "must count more"},
      {"device: {model: linear, cells: {n: 2, significance: [4, 1], write: carry}}",
       "must count more"},
      {"device: {model: linear, step_up: 0.3, step_down: 0.3, cells: {n: 2, significance: [1, 4], "
       "write: carry}}",
       "bring the numbers closer together"},
      {"device: {card: pcm, mapping: one_sided, cells: {n: 2, significance: [1, 2], write: carry}}",
       "are only SET"},
      {"device: {model: linear, mapping: one_sided, cells: {n: 2, significance: [1, 2], write: "
       "carry}}",
       "are only SET"},
      {"device: {model: linear, cells: {n: 2, significance: [1, 2], write: carry}}\nupdate: "
       "{scheme: tiki_taka}",
       "update.scheme: a fast array forgets"},
      {"device: {model: linear, cells: {n: 5}}\nupdate: {scheme: tiki_taka, gamma: 0.3}",
       "20 banks together"},
      {"device: {model: linear, mapping: offset, cells: {n: 2}}\nupdate: {scheme: tiki_taka, gamma:"
       " 0.3, variant: chopped}",
       "against one current"},
      {"device: {model: linear, cells: {n: 2, write: in_turn}}\nrule: {name: perturb, by: pulse, "
       "shape: signs, samples: batch}\nupdate: {scheme: pulses, optimizer: sgd}",
       "which with device.cells.write in_turn another device gets"},
  };
  for (int k = 0; k < MHO_COUNT(cases); k++) {
    mho_experiment *e = NULL;
    mho_err err = mho_experiment_of_yaml(registry, cases[k][0], 0, NULL, &e, &ei);
    if (err != MHO_ECONFIG || !strstr(ei.message, cases[k][1]))
      fail_msg("%s: %d, '%s'", cases[k][0], err, ei.message);
  }
}

static void find_key(void *user, const mho_idle_key *k) {
  const char **key = user;
  if (!strcmp(k->key, key[0]))
    key[1] = "";
}

static bool is_idle(const char *yaml, const char *key) {
  const char *found[2] = {key, NULL};
  mho_config *c;
  mho_experiment *e = experiment(yaml);
  OK(mho_config_new(&c, &ei));
  OK(mho_config_text(c, yaml, "test", &ei));
  OK(mho_experiment_idle(e, c, find_key, found, &ei));
  mho_config_free(c);
  mho_experiment_free(e);
  return found[1] != NULL;
}

static void test_idle(void **state) {
  assert_true(is_idle("device: {model: linear, cells: {significance: [3]}}\n",
                      "device.cells.significance"));
  assert_true(is_idle("device: {model: linear, cells: {write: in_turn}}\n", "device.cells.write"));
  assert_true(is_idle("device: {model: ideal, cells: {n: 2}}\n", "device.cells.n"));
  assert_false(
      is_idle("device: {model: linear, cells: {n: 2, significance: [1, 3], write: in_turn}}\n",
              "device.cells.significance"));
  assert_false(
      is_idle("device: {model: linear, cells: {n: 2, write: in_turn}}\n", "device.cells.write"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_holds),           cmocka_unit_test(test_shares_of_a_change),
      cmocka_unit_test(test_levels),          cmocka_unit_test(test_noise),
      cmocka_unit_test(test_pulses),          cmocka_unit_test(test_series),
      cmocka_unit_test(test_updates),         cmocka_unit_test(test_sign),
      cmocka_unit_test(test_coincidences),    cmocka_unit_test(test_carry),
      cmocka_unit_test(test_counts_up),       cmocka_unit_test(test_one_sided),
      cmocka_unit_test(test_zero_shift),      cmocka_unit_test(test_circuits),
      cmocka_unit_test(test_network_circuit), cmocka_unit_test(test_training),
      cmocka_unit_test(test_restored_turns),  cmocka_unit_test(test_residual),
      cmocka_unit_test(test_energy),          cmocka_unit_test(test_folders),
      cmocka_unit_test(test_refused),         cmocka_unit_test(test_idle),
      cmocka_unit_test(test_zero_error),      cmocka_unit_test(test_initial),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
