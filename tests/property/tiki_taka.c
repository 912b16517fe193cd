/* Scheme tiki_taka: outer products reach the fast array as trains of pulses reach any, turned by
 * choppers; what is passed on is that of a plain reference, pulse by pulse; with ideal arrays and a
 * reset v1 is gradient descent, late by a pass; means of soft bounds follow their recursion.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "program/tiki_taka.h"
#include "array/weights.h"
#include "base/streams.h"
#include "experiment.h"
#include "mho/model/check.h"

enum { ROWS = 5, COLS = 4, CELLS = ROWS * COLS, LINES_MAX = 64, SAMPLES_MOST = 60 };

/* A connection with its fast array, and samples on their way to it. */
typedef struct bench {
  mho_experiment *e, *slow_e;
  const mho_scheme *scheme;
  mho_crossbar *slow;
  mho_tiki *own;
  mho_outer_job job;
  mho_pulse_counts counts;
  mho_real x[LINES_MAX], d[LINES_MAX]; /* the sample: -d is the error */
  int rows, cols;
} bench;

static double step_of(const mho_experiment *e, const mho_crossbar *x) {
  return mho_crossbar_step(x, mho_device_nominal_step((const mho_device_model *)e->device.entry,
                                                      e->device.params, &e->device_config));
}

static mho_crossbar *crossbar(const mho_experiment *e, int rows, int cols, uint32_t index) {
  mho_crossbar *x;
  mho_crossbar_options o = {.device = (const mho_device_model *)e->device.entry,
                            .device_params = e->device.params,
                            .device_config = &e->device_config,
                            .mapping = (const mho_mapping *)e->mapping.entry,
                            .mapping_params = e->mapping.params,
                            .array = (const mho_array_model *)e->array.entry,
                            .array_params = e->array.params,
                            .w_max = 2,
                            .chip_seed = 1,
                            .noise_seed = 2,
                            .index = index};
  OK(mho_crossbar_new(rows, cols, &o, &x, &ei));
  return x;
}

/* slow: of the slow array's device; NULL: the same as the fast one's. */
static void bench_new(bench *b, const char *yaml, const char *slow, int rows, int cols) {
  void *own;
  memset(b, 0, sizeof *b);
  b->e = experiment(yaml);
  b->slow_e = experiment(slow ? slow : yaml);
  b->scheme = (const mho_scheme *)b->e->scheme.entry;
  b->rows = rows;
  b->cols = cols;
  b->slow = crossbar(b->slow_e, rows, cols, 3);
  mho_own_site site = {.e = b->e,
                       .slow = b->slow,
                       .index = 7,
                       .products = SAMPLES_MOST,
                       .chip_seed = 1,
                       .noise_seed = 2};
  OK(b->scheme->own_new(&site, &own, &ei));
  b->own = own;

  size_t room = mho__tiki_scratch(b->own->fast) + LINES_MAX + mho__slab_room(rows, cols);
  b->job = (mho_outer_job){.xb = b->slow,
                           .params = b->e->scheme.params,
                           .own = own,
                           .samples = 1,
                           .last = true,
                           .x = b->x,
                           .e = b->d,
                           .learning_rate = b->e->update.rate,
                           .nominal_step = step_of(b->slow_e, b->slow),
                           .fast_step = step_of(b->e, b->own->fast),
                           .rounding = mho_rng_make(4, MHO_RNG_ROUND, 0),
                           .scratch = mho_alloc(room, sizeof(mho_real))};
  OK(mho_pulse_trains_new(rows, cols, 1, &b->job.trains, &ei));
}

static void bench_free(bench *b) {
  mho_pulse_trains_free(b->job.trains);
  mho_free(b->job.scratch);
  b->scheme->own_free(b->own);
  mho_crossbar_free(b->slow);
  mho_experiment_free(b->e);
  mho_experiment_free(b->slow_e);
}

/* The sample in x and d, number k. */
static void take(bench *b, uint64_t k, double scale) {
  b->job.first_sample = k;
  b->job.scale = -scale; /* d is what is wanted, not the error */
  b->job.rate = b->job.learning_rate * b->job.scale;
  b->scheme->begin(&b->job);
  b->scheme->draw(&b->job, 0);
  b->scheme->replay(&b->job, 0, b->rows, &b->counts);
  b->scheme->end(&b->job);
}

/* What waits for the fast array's cells is given to them. */
static void give(bench *b, uint64_t next) {
  b->job.first_sample = next;
  b->scheme->rest(&b->job, 0, b->rows, &b->counts);
}

/* Normal deviates for a sample, some of its rows silent. */
static void fill(bench *b, uint64_t k) {
  float z[2 * LINES_MAX];
  mho_rng_normal(mho_rng_make(9, MHO_RNG_TEST, 0), k, 0, 2 * LINES_MAX, z);
  for (int i = 0; i < b->rows; i++)
    b->x[i] = z[i] > -0.5f ? (mho_real)z[i] : 0;
  for (int j = 0; j < b->cols; j++)
    b->d[j] = (mho_real)(0.1f * z[LINES_MAX + j] + 0.02f);
}

/* ---------------------------------------------------------------- a plain reference */

/* What the scheme keeps, as the papers have it: one loop after the other, no threads, no slabs. */
typedef struct plain {
  mho_real h[CELLS], mean[CELLS], past[CELLS];
  int in[ROWS], out[COLS]; /* choppers */
  double pulses[CELLS];
  double x_max, d_max;
} plain;

static float uniform(const bench *b, uint64_t event, int what, int cell) {
  float u;
  mho_rng_uniform(b->own->rng, mho__step_transfer(event, what), (uint64_t)cell, 1, &u);
  return u;
}

static int near_threshold;

/* Pulses of a buffer; what is next to a threshold may go either way and takes the scheme's. */
static int empty(const mho_tiki_keys *k, mho_real *h, mho_real theirs) {
  double v = (double)*h, nearest = round(v);
  int n = (int)v, most = (int)k->max_pulses;
  if (nearest != 0 && fabs(v - nearest) < 1e-6) {
    near_threshold++;
    n = *h == theirs ? (int)(nearest - copysign(1, v)) : (int)nearest;
  }
  n = n > most ? most : n;
  n = n < -most ? -most : n;
  if (n && k->forget)
    *h *= (mho_real)k->momentum;
  else if (n)
    *h -= (1 - (mho_real)k->momentum) * (mho_real)n;
  return n;
}

/* Variant v1: as many slots as the largest of a row asks for, in each a pulse by chance. */
static void pulse_at_once(const bench *b, plain *p, uint64_t event, double lr, const mho_real *a) {
  double most = 0, step = b->job.nominal_step;
  for (int j = 0; j < COLS; j++)
    most = fmax(most, fabs((double)a[j]));
  int slots = (int)fmin(ceil(lr * most / step), (double)b->own->keys->trains.max_length);
  for (int s = 0; s < slots; s++)
    for (int j = 0; j < COLS; j++) {
      uint32_t word;
      double q = lr / (step * slots) * fabs((double)a[j]);
      mho_rng_u32(b->own->rng, mho__step_transfer(event, s), (uint64_t)j, 1, &word);
      bool pulses = word < (q >= 1 ? UINT32_MAX : (uint32_t)(q * 0x1p32));
      p->pulses[event % ROWS * COLS + (uint64_t)j] += pulses * (a[j] < 0 ? -1 : 1);
    }
}

/* One row of the fast array, a, is passed on. */
static void reference(const bench *b, plain *p, uint64_t event, const mho_real *a) {
  const mho_tiki_keys *k = b->own->keys;
  int row = (int)(event % ROWS);
  double share = k->auto_granularity > 0 ? k->auto_granularity * (double)k->transfer_reads /
                                               (ROWS * (double)k->transfer_every)
                                         : 1;
  uint64_t pass = event / ROWS, period = (uint64_t)fmax(ceil(share / k->chop_in), 2);
  bool agad = k->variant == MHO_TIKI_AGAD, chopped = k->variant == MHO_TIKI_CHOPPED;
  double lr = k->transfer_rate * (k->auto_scale ? b->job.learning_rate : 1), unit;
  if (k->variant == MHO_TIKI_V1) {
    pulse_at_once(b, p, event, lr, a);
    return;
  }
  unit = k->granularity * (k->variant == MHO_TIKI_V2 ? b->job.nominal_step : b->job.fast_step);
  unit *= share;

  for (int j = 0; j < COLS; j++) {
    int c = row * COLS + j;
    mho_real gain = (mho_real)(lr / unit);
    if (agad) {
      double m = (double)(pass % period + 1);
      p->mean[c] += (mho_real)fmin(k->tail / m, 1) * (a[j] - p->mean[c]);
      if (pass >= period)
        p->h[c] += (mho_real)p->in[row] * gain * (a[j] - p->past[c]);
      if (pass % period + 1 == period)
        p->past[c] = p->mean[c];
    } else {
      p->h[c] += (mho_real)(chopped ? p->in[row] * p->out[j] : 1) * gain * a[j];
    }
    p->pulses[c] += empty(k, &p->h[c], b->own->buffer[c]);
  }

  bool turns = agad || !k->chop_random
                   ? (pass + 1) % period == 0
                   : (double)uniform(b, event, MHO_TRANSFER_CHOP_ROW, 0) < k->chop_in / share;
  if ((agad || chopped) && turns)
    p->in[row] = -p->in[row];
  if (chopped && row == ROWS - 1)
    for (int j = 0; j < COLS; j++)
      if ((double)uniform(b, pass, MHO_TRANSFER_CHOP_COL, j) < k->chop_out / share)
        p->out[j] = -p->out[j];
}

/* The rate that auto_scale gives a sample of one batch each. */
static double scaled_rate(const bench *b, plain *p, double scale) {
  const mho_tiki_keys *k = b->own->keys;
  double x = 0, d = 0, keep = k->scale_momentum;
  for (int i = 0; i < ROWS; i++)
    x = fmax(x, fabs((double)b->x[i]));
  for (int j = 0; j < COLS; j++)
    d = fmax(d, scale * fabs((double)b->d[j]));
  bool known = p->x_max > 0;
  double rate = b->own->fast_rate * b->job.fast_step / (known ? p->x_max * p->d_max : x * d);
  p->x_max = known ? keep * p->x_max + (1 - keep) * x : x;
  p->d_max = known ? keep * p->d_max + (1 - keep) * d : d;
  return rate * scale;
}

/* Ten thousand samples: the fast array takes the coincidences that scheme stochastic gives an array
 * of its own, times the choppers, whenever it is looked at; the slow one the pulses of the
 * reference. cells: devices of a cell, in both. Steps are a power of 2, so that conductances add
 * them without a rest. */
static void arithmetic(const char *cells, const char *update) {
  enum { SAMPLES = 10000, LOOK = 50 };
  char yaml[512], one_yaml[512];
  const char *device = "device: {model: linear, mapping: reference, step_up: 7.62939453125e-06, "
                       "step_down: 7.62939453125e-06";
  snprintf(yaml, sizeof yaml, "%s%s}\nupdate: {scheme: tiki_taka, gamma: 0, %s}\n", device, cells,
           update);
  snprintf(one_yaml, sizeof one_yaml, "%s%s}\nupdate: {scheme: stochastic}\n", device, cells);
  bench b;
  bench_new(&b, yaml, NULL, ROWS, COLS);
  const mho_tiki_keys *k = b.own->keys;
  mho_experiment *plain_e = experiment(one_yaml);
  const mho_scheme *stochastic = (const mho_scheme *)plain_e->scheme.entry;
  mho_crossbar *one = crossbar(plain_e, ROWS, COLS, 7);
  plain p = {.x_max = 0};
  double fast[CELLS] = {0}, step = b.job.nominal_step, most = 0;
  mho_real zeros[CELLS] = {0};
  mho_pulse_counts counts = {0};
  near_threshold = 0;
  for (int i = 0; i < ROWS; i++)
    p.in[i] = 1;
  for (int j = 0; j < COLS; j++)
    p.out[j] = 1;

  for (uint64_t s = 0; s < SAMPLES; s++) {
    double scale = s % 2 ? 1 : 0.5;
    fill(&b, s);
    mho_outer_job other = b.job;
    other.xb = one;
    other.params = plain_e->scheme.params;
    other.first_sample = s;
    other.rate = k->auto_scale ? -scaled_rate(&b, &p, scale)
                               : -scale * b.job.learning_rate * b.own->fast_rate;
    other.nominal_step = b.job.fast_step;
    stochastic->draw(&other, 0);
    mho_crossbar_set(one, 0, CELLS, zeros);
    stochastic->replay(&other, 0, ROWS, &counts);
    for (int c = 0; c < CELLS; c++) {
      int sign = p.in[c / COLS] * (k->variant == MHO_TIKI_CHOPPED ? p.out[c % COLS] : 1);
      fast[c] += sign * round((double)mho__crossbar_programmed(one)[c] / step);
    }

    take(&b, s, scale);
    if ((s + 1) % LOOK == 0)
      give(&b, s + 1);
    for (int c = 0; c < CELLS && (s + 1) % LOOK == 0; c++)
      NEAR((double)mho__crossbar_programmed(b.own->fast)[c] / step, fast[c], 0, 0.05);
    if ((s + 1) % (uint64_t)k->transfer_every == 0) {
      uint64_t n = (uint64_t)k->transfer_reads, event = s / (uint64_t)k->transfer_every * n;
      for (uint64_t r = event; r < event + n; r++)
        reference(&b, &p, r, mho__crossbar_programmed(b.own->fast) + r % ROWS * COLS);
    }
    for (int c = 0; c < CELLS; c++) {
      if (b.own->buffer && b.own->buffer[c] != p.h[c])
        fail_msg("sample %d, cell %d: buffer %.9g, reference %.9g", (int)s, c,
                 (double)b.own->buffer[c], (double)p.h[c]);
      most = fmax(most, fabs(p.pulses[c]));
    }
  }

  for (int c = 0; c < CELLS; c++)
    NEAR((double)mho__crossbar_programmed(b.slow)[c] / step, p.pulses[c], 0, 0.05);
  assert_true(most > 20);
  if (near_threshold > 1e-3 * b.counts.reads)
    fail_msg("%s: %d are next to a threshold", update, near_threshold);
  assert_true(b.counts.reads == (double)(SAMPLES / k->transfer_every * k->transfer_reads * COLS));
  assert_true(b.counts.coincided == b.counts.set + b.counts.reset);
  mho_crossbar_free(one);
  mho_experiment_free(plain_e);
  bench_free(&b);
}

static void test_arithmetic(void **state) {
  arithmetic("", "variant: v1, rate: 0.02");
  arithmetic("",
             "variant: v1, rate: 1e-3, auto_scale: false, transfer_rate: 0.05, transfer_every: 2");
  arithmetic("",
             "variant: v2, rate: 1e-3, auto_scale: false, transfer_rate: 0.05137, forget: true, "
             "max_pulses: 1, auto_granularity: 0");
  arithmetic("", "variant: v2, rate: 0.010137, transfer_every: 3, forget: false, momentum: 0.3, "
                 "max_pulses: 4, granularity: 0.5, auto_granularity: 40");
  arithmetic("",
             "variant: chopped, rate: 1.0137, chop_in: 0.05, chop_out: 0.1, auto_granularity: 0, "
             "forget: true, max_pulses: 1, momentum: 0.25");
  arithmetic(
      "", "variant: chopped, rate: 0.30419, chop_in: 0.03, chop_random: false, transfer_every: 2, "
          "auto_granularity: 40, forget: false, max_pulses: 3");
  arithmetic("", "variant: chopped, rate: 0.137153, momentum: 0.3, chop_in: 0.1, chop_out: 0.1, "
                 "transfer_every: 2, transfer_reads: 7, auto_granularity: 0");
  arithmetic(
      "",
      "variant: agad, rate: 0.50471, chop_in: 0.9, tail: 3, auto_granularity: 60, forget: true");
  arithmetic("",
             "variant: chopped, rate: 0.10137, chop_in: 0.3, chop_out: 0.2, auto_granularity: 20, "
             "forget: false");
  arithmetic("",
             "variant: agad, rate: 1e-3, auto_scale: false, transfer_rate: 0.03317, chop_in: 0.03, "
             "auto_granularity: 0, forget: false");

  const char *in_turn = ", cells: {n: 2, write: in_turn}";
  arithmetic(in_turn, "variant: v1, rate: 0.02");
  arithmetic(in_turn, "variant: v2, rate: 0.010137, momentum: 0.3, auto_granularity: 40");
  arithmetic(in_turn, "variant: agad, rate: 0.50471, chop_in: 0.9, auto_granularity: 60");
  arithmetic(", cells: {n: 3, significance: [1, 2, 5]}",
             "variant: chopped, rate: 0.10137, chop_in: 0.3, chop_out: 0.2, auto_granularity: 20");
}

/* ---------------------------------------------------------------- many samples at once */

/* What the samples of a job leave behind, on slabs of so many rows. */
static void take_many(bench *b, int samples, int slab, uint64_t first, const mho_real *x,
                      const mho_real *d) {
  b->job.samples = samples;
  b->job.first_sample = first;
  b->job.x = x;
  b->job.e = d;
  b->job.scale = -1;
  b->job.rate = -b->job.learning_rate;
  b->scheme->begin(&b->job);
  for (int s = 0; s < samples; s++)
    b->scheme->draw(&b->job, s);
  for (int row0 = 0; row0 < b->rows; row0 += slab)
    b->scheme->replay(&b->job, row0, mho_min(b->rows - row0, slab), &b->counts);
  b->scheme->end(&b->job);
}

/* A bench whose jobs hold many samples. */
static void wide_new(bench *b, const char *yaml, int rows, int cols, int samples) {
  bench_new(b, yaml, NULL, rows, cols);
  mho_pulse_trains_free(b->job.trains);
  OK(mho_pulse_trains_new(rows, cols, samples, &b->job.trains, &ei));
}

/* Without noise samples together leave what they leave one by one, in any slabs: rows are read in
 * between, some columns pulse all the time and most hardly ever, trains are short and long, and the
 * columns are more than a block. more: of the device. */
static void together(const char *more, const char *update, int rows, int cols) {
  enum { MANY = SAMPLES_MOST, ROUNDS = 2 };
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "device: {model: soft_bounds, step_up: 0.01, step_down: 0.02%s}\n"
           "update: {scheme: tiki_taka, gamma: 0, auto_scale: false, rate: 0.3, %s}\n",
           more, update);
  static bench all, each;
  size_t cells = (size_t)rows * (size_t)cols, n_x = (size_t)(MANY * rows);
  size_t n_d = (size_t)(MANY * cols);
  mho_real *x = mho_alloc(n_x, sizeof *x), *d = mho_alloc(n_d, sizeof *d);
  float *z = mho_alloc(n_x + n_d, sizeof *z);
  wide_new(&all, yaml, rows, cols, MANY);
  wide_new(&each, yaml, rows, cols, MANY);

  for (uint64_t round = 0; round < ROUNDS; round++) {
    mho_rng_normal(mho_rng_make(9, MHO_RNG_TEST, 1), round, 0, n_x + n_d, z);
    for (size_t i = 0; i < n_x; i++)
      x[i] = z[i] > -0.5f ? (mho_real)z[i] : 0;
    for (size_t i = 0; i < n_d; i++) {
      bool is_hot = i % (size_t)cols % 29 == 3, is_long = i / (size_t)cols % 3 == 0;
      mho_real size = is_hot ? (mho_real)0.6 : (mho_real)0.02;
      d[i] = (is_long ? size : size / 8) * (mho_real)z[n_x + i];
    }
    take_many(&all, MANY, (rows + 1) / 2, MANY * round, x, d);
    for (int s = 0; s < MANY; s++)
      take_many(&each, 1, rows, MANY * round + (uint64_t)s, x + s * rows, d + s * cols);
  }
  give(&all, MANY * ROUNDS);
  give(&each, MANY * ROUNDS);

  for (size_t i = 0; i < cells; i++) {
    assert_true(mho__crossbar_programmed(all.own->fast)[i] ==
                mho__crossbar_programmed(each.own->fast)[i]);
    assert_true(mho__crossbar_programmed(all.slow)[i] == mho__crossbar_programmed(each.slow)[i]);
    assert_true(all.own->buffer[i] == each.own->buffer[i]);
  }
  assert_memory_equal(&all.counts, &each.counts, sizeof all.counts);
  assert_true(all.counts.coincided > 10.0 * (double)cells);
  assert_true(all.counts.half > 0);
  bench_free(&all);
  bench_free(&each);
  mho_free(x);
  mho_free(d);
  mho_free(z);
}

static void test_together(void **state) {
  const char *chopped = "variant: chopped, chop_in: 0.5, chop_out: 0.5, auto_granularity: 0";
  together("", chopped, 24, 70);
  together(", mapping: reference, levels: 40, cells: {n: 2, write: in_turn}", chopped, 24, 70);
  together("", "variant: v2, fast_rate: 300", 7, 300); /* all cells in all slots */
  together(", mapping: one_sided", "variant: agad, transfer_every: 2, transfer_reads: 3", 7, 300);
  together(", stuck: 0.1, variation: {g_low: 0.1, step: 0.2}",
           "variant: v2, symmetry: none, fast_mapping: offset, max_length: 5", 40, 10);
}

/* Where every line pulses in every slot, a linear cell moves by all of them: a step up or down a
 * slot, over all samples, in rows that are read and rows that are not. */
static void test_saturated(void **state) {
  enum { N_ROWS = 3, N_COLS = 256, MANY = SAMPLES_MOST };
  static bench b;
  static mho_real x[MANY * N_ROWS], d[MANY * N_COLS];
  wide_new(&b,
           "device: {model: linear, mapping: reference, step_up: 1e-4, step_down: 1e-4}\n"
           "update: {scheme: tiki_taka, gamma: 0, auto_scale: false, rate: 30, transfer_rate: 0}\n",
           N_ROWS, N_COLS, MANY);
  for (int i = 0; i < MANY * N_ROWS; i++)
    x[i] = 1;
  for (int i = 0; i < MANY * N_COLS; i++)
    d[i] = i % 7 < 3 || i % N_COLS < 20 ? 1 : -1;
  take_many(&b, MANY, N_ROWS, 0, x, d);
  give(&b, MANY);

  double slots = (double)b.counts.slots / MANY, step = b.job.fast_step;
  assert_true(slots > 16 && b.counts.coincided == slots * MANY * N_ROWS * N_COLS);
  for (int c = 0; c < N_ROWS * N_COLS; c++) {
    double rises = 0;
    for (int s = 0; s < MANY; s++)
      rises += (double)d[s * N_COLS + c % N_COLS];
    NEAR(mho__crossbar_programmed(b.own->fast)[c], rises * slots * step, 0, 0.5 * step);
  }
  bench_free(&b);
}

/* ---------------------------------------------------------------- ideal arrays */

/* Whatever row was read has had all its products passed on. */
static void test_ideal_v1_is_late_descent(void **state) {
  enum { SAMPLES = 500 };
  bench b;
  bench_new(&b,
            "update: {scheme: tiki_taka, variant: v1, rate: 0.5, fast_rate: 0.4, "
            "transfer_rate: 0.25, reset: 1, transfer_every: 2}\n",
            NULL, ROWS, COLS);
  double waiting[CELLS] = {0}, w[CELLS] = {0};

  for (uint64_t s = 0; s < SAMPLES; s++) {
    fill(&b, s);
    take(&b, s, 0.7);
    for (int c = 0; c < CELLS; c++)
      waiting[c] += 0.5 * 0.4 * 0.25 * 0.7 * (double)b.x[c / COLS] * (double)b.d[c % COLS];
    if (s % 2 == 0)
      continue;
    for (int j = 0; j < COLS; j++) {
      size_t c = s / 2 % ROWS * COLS + (size_t)j;
      w[c] += waiting[c];
      waiting[c] = 0;
    }
    for (int c = 0; c < CELLS; c++)
      NEAR(mho__crossbar_programmed(b.slow)[c], w[c], 0, 1e-6);
  }
  bench_free(&b);
}

/* ---------------------------------------------------------------- resets */

/* A row that is brought to zero counts as the nominal pulses that it takes, on every device of a
 * pair and of a cell; its farthest weight says how many slots. */
static void test_resets_are_counted(void **state) {
  static const struct {
    const char *more;
    double up[2], down[2]; /* SET and RESET pulses by which a weight rises, and falls, by a step */
  } cases[] = {{"mapping: reference", {1, 0}, {0, 1}},
               {"mapping: differential", {1, 1}, {1, 1}},
               {"mapping: reference, cells: {n: 3, significance: [1, 2, 5]}", {3, 0}, {0, 3}},
               {"mapping: reference, cells: {n: 2, write: in_turn}", {1, 0}, {0, 1}}};
  for (int i = 0; i < MHO_COUNT(cases); i++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "device: {model: linear, step_up: 1e-3, step_down: 1e-3, %s}\n"
             "update: {scheme: tiki_taka, gamma: 0, variant: v1, transfer_rate: 0, reset: 1}\n",
             cases[i].more);
    bench b;
    bench_new(&b, yaml, NULL, ROWS, COLS);
    mho_real w[CELLS];
    double set = 0, reset = 0, slots = 0;
    for (int c = 0; c < CELLS; c++) {
      double steps = (c * 7 % CELLS) - 8, size = fabs(steps);
      w[c] = (mho_real)(steps * b.job.fast_step);
      set += size * (steps < 0 ? cases[i].up[0] : cases[i].down[0]);
      reset += size * (steps < 0 ? cases[i].up[1] : cases[i].down[1]);
    }
    for (int row = 0; row < ROWS; row++) {
      double most = 0;
      for (int j = 0; j < COLS; j++)
        most = fmax(most, fabs((double)w[row * COLS + j]) / b.job.fast_step);
      slots += most;
    }

    mho_crossbar_set(b.own->fast, 0, CELLS, w);
    for (uint64_t s = 0; s < ROWS; s++)
      take(&b, s, 1); /* of a sample of zeros */
    for (int c = 0; c < CELLS; c++)
      NEAR(mho__crossbar_programmed(b.own->fast)[c], 0, 0, 1e-6);
    NEAR(b.counts.set, set, 0, 0);
    NEAR(b.counts.reset, reset, 0, 0);
    NEAR(b.counts.slots, slots, 1e-5, 0);
    bench_free(&b);
  }
}

/* ---------------------------------------------------------------- means */

/* Soft bounds against a reference in the middle, a = 2 w_max (g - 1/2): a pulse up is
 * a += q (1 - a), one down a -= q (1 + a) in units of half the range, q the step. Samples of n
 * pulses up on average, every third of n down: a <- (1 - q n) a +- q n, C <- C + r a. The slow
 * array's steps are a power of 2, so that floats add them without a rest. */
static void means(const char *update, double r) {
  enum { N = 64, SAMPLES = 40000 };
  const double q = 2e-3, n = 0.98;
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "device: {model: soft_bounds, mapping: reference, step_up: %g, step_down: %g}\n"
           "update: {scheme: tiki_taka, gamma: 0, auto_scale: false, %s}\n",
           q, q, update);
  static bench b;
  bench_new(&b, yaml,
            "device: {model: linear, mapping: reference, step_up: 1.52587890625e-5, "
            "step_down: 1.52587890625e-5}\n",
            N, N);
  const mho_tiki_keys *k = b.own->keys;
  double range = b.own->fast->w_max / 2, sum[N] = {0}, mean[N] = {0}, past[N] = {0};
  uint64_t period = (uint64_t)fmax(ceil(1 / k->chop_in), 2);
  bool agad = k->variant == MHO_TIKI_AGAD, chops = agad || k->variant == MHO_TIKI_CHOPPED;
  double sign[N], fast[N] = {0}, in_pulses = b.job.fast_step;
  for (int i = 0; i < N; i++)
    sign[i] = b.x[i] = 1;

  for (uint64_t s = 0; s < SAMPLES; s++) {
    double way = s % 3 == 2 ? -1 : 1;
    for (int j = 0; j < N; j++)
      b.d[j] = (mho_real)(way * n * in_pulses / (b.job.learning_rate * b.own->fast_rate));
    take(&b, s, 1);

    for (int i = 0; i < N; i++)
      fast[i] += q * n * (way * sign[i] - fast[i]);
    int row = (int)(s % N);
    uint64_t pass = s / N, m = pass % period + 1;
    double shown = range * fast[row];
    if (agad) {
      mean[row] += fmin(k->tail / (double)m, 1) * (shown - mean[row]);
      sum[row] += pass >= period ? sign[row] * (shown - past[row]) : 0;
      past[row] = m == period ? mean[row] : past[row];
    } else {
      sum[row] += sign[row] * shown;
    }
    if (chops && m == period)
      sign[row] = -sign[row];
  }

  /* choppers count in steps of the fast array, and give one of the slow */
  double got = 0, want = 0, steps = chops ? b.job.nominal_step / b.job.fast_step : 1;
  for (int i = 0; i < N; i++) {
    want += r * steps * sum[i] / N;
    for (int j = 0; j < N; j++)
      got += (double)mho__crossbar_programmed(b.slow)[i * N + j] / (N * N);
  }
  if (b.own->buffer) /* what has not become pulses yet */
    for (int c = 0; c < N * N; c++)
      got += (double)b.own->buffer[c] * b.job.nominal_step / (N * N);
  NEAR(got, want, 1e-3, 0);
  bench_free(&b);
}

static void test_means(void **state) {
  means("variant: v1, rate: 0.01, transfer_rate: 1e-3", 1e-3);
  means("variant: v2, rate: 0.01, transfer_rate: 1e-3, forget: false, max_pulses: 9, "
        "auto_granularity: 0",
        1e-3);
  means("variant: chopped, rate: 0.01, transfer_rate: 1e-3, forget: false, max_pulses: 9, chop_in: "
        "0.05, chop_random: false, auto_granularity: 0",
        1e-3);
  means("variant: agad, rate: 0.01, transfer_rate: 2e-3, forget: false, max_pulses: 9, chop_in: "
        "0.05, auto_granularity: 0",
        2e-3);
}

/* ---------------------------------------------------------------- lines of patches and biases */

/* Mean change of every weight over seeds of the noise against that of exact descent, which sums
 * products of patches by other code: biases and convolutions have lines of ones and of patches. */
static void lines(const char *network, const char *rates, const char *scheme) {
  enum { SEEDS = 400 };
  double *sum = NULL, *squares = NULL;
  mho_real *start = NULL, *exact = NULL;
  bool *is_bias = NULL;
  size_t n = 0;

  for (int s = -1; s < SEEDS; s++) {
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "dataset: {train: 12}\nrule: bp\ndevice: {model: linear, step_up: 1e-3, step_down: "
             "1e-3}\n%s\ntrain: {batch: 12, epochs: 1, seeds: {noise: %d}}\n"
             "update: {optimizer: sgd, layer_rates: plain, %s, scheme: %s}\n",
             network, s + 1, rates, s < 0 ? "exact" : scheme);
    mho_experiment *e = experiment(yaml);
    mho_trainer *t = trainer(e);
    const mho_network *net = mho_trainer_network(t);
    mho_epoch_row row;
    if (s < 0) {
      n = net->n_weights;
      sum = calloc(n, sizeof *sum);
      squares = calloc(n, sizeof *squares);
      start = calloc(n, sizeof *start);
      exact = calloc(n, sizeof *exact);
      is_bias = calloc(n, sizeof *is_bias);
    }

    size_t at = 0;
    for (int c = 0; s < 0 && c < net->n_trained; c++) {
      size_t cells = mho_crossbar_cells(net->connection[c].xb);
      memcpy(start + at, mho__crossbar_programmed(net->connection[c].xb), cells * sizeof *start);
      at += cells;
      for (int j = 1; j <= net->connection[c].xb->cols; j++)
        is_bias[at - (size_t)j] = true;
    }
    OK(mho_trainer_epoch(t, &row, &ei));
    at = 0;
    for (int c = 0; c < net->n_trained; c++) {
      size_t cells = mho_crossbar_cells(net->connection[c].xb);
      const mho_real *w = mho__crossbar_programmed(net->connection[c].xb);
      for (size_t i = 0; i < cells; i++) {
        double d = (double)(w[i] - start[at + i]);
        if (s < 0)
          exact[at + i] = (mho_real)d;
        else {
          sum[at + i] += d / SEEDS;
          squares[at + i] += d * d / SEEDS;
        }
      }
      at += cells;
    }
    mho_trainer_free(t);
    mho_experiment_free(e);
  }

  double product[2] = {0}, square[2] = {0}, error = 0, expected = 0; /* [of biases] */
  for (size_t i = 0; i < n; i++) {
    double d = sum[i] - (double)exact[i];
    product[is_bias[i]] += sum[i] * (double)exact[i];
    square[is_bias[i]] += (double)exact[i] * (double)exact[i];
    error += d * d;
    expected += (squares[i] - sum[i] * sum[i]) / (SEEDS - 1);
  }
  NEAR(product[0] / square[0], 1, 0, 0.02);
  NEAR(product[1] / square[1], 1, 0, 0.1);
  NEAR(error / expected, 1, 0.3, 0); /* nothing but noise is between them */
  free(sum);
  free(squares);
  free(start);
  free(exact);
  free(is_bias);
}

static void test_lines(void **state) {
  static const char *dense = "network: {hidden: [7], biases: true}";
  static const char *conv = "network: {topology: conv, conv: [3x3p1s2 pool2 6], biases: true}";
  lines(dense, "rate: 0.5", "stochastic");
  lines(conv, "rate: 0.5", "stochastic");
  lines(dense, "rate: 0.5, bias_rate: 0.2", "stochastic");
  lines(conv, "rate: 0.5, bias_rate: 0.2", "stochastic");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_arithmetic),
      cmocka_unit_test(test_together),
      cmocka_unit_test(test_saturated),
      cmocka_unit_test(test_ideal_v1_is_late_descent),
      cmocka_unit_test(test_resets_are_counted),
      cmocka_unit_test(test_means),
      cmocka_unit_test(test_lines),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
