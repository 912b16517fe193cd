/* Programming schemes and mappings: stochastic coincidences have the mean and variance of the
 * closed form, what is cut is counted, slabs replay alike; sign and write_verify do what they say;
 * every mapping writes, moves and shows its weights; one-sided pairs are refreshed; a zero shift
 * stops the walk to the symmetry point.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"

static mho_crossbar *crossbar(const mho_experiment *e, int rows, int cols) {
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
                            .index = 3};
  OK(mho_crossbar_new(rows, cols, &o, &x, &ei));
  return x;
}

static double step_of(const mho_experiment *e, const mho_crossbar *x) {
  return mho_crossbar_step(x, mho_device_nominal_step((const mho_device_model *)e->device.entry,
                                                      e->device.params, &e->device_config));
}

/* ---------------------------------------------------------------- stochastic */

enum { ROWS = 4, COLS = 3, CELLS = ROWS * COLS };
static const mho_real x_of[ROWS] = {1, (mho_real)0.5, 0, (mho_real)-0.7};
static const mho_real e_of[COLS] = {(mho_real)0.4, (mho_real)-0.8, (mho_real)0.1};

static mho_outer_job outer(const mho_experiment *e, mho_crossbar *x, mho_pulse_trains *t,
                           double rate) {
  return (mho_outer_job){.xb = x,
                         .params = e->scheme.params,
                         .samples = 1,
                         .x = x_of,
                         .e = e_of,
                         .rate = rate,
                         .nominal_step = step_of(e, x),
                         .rounding = mho_rng_make(4, MHO_RNG_ROUND, 0),
                         .trains = t};
}

/* Mean over repeats from weight 0 of every cell's change against rate x d, d = -e, corrected by
 * what a pulse does at that state; with a constant step the variance too. */
static void coincidences(const char *device, const char *keys, double noise, bool management) {
  enum { REPEATS = 100000 };
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "device: {model: %s%s}\nupdate: {scheme: stochastic, management: %s}\n", device, keys,
           management ? "true" : "false");
  mho_experiment *e = experiment(yaml);
  const mho_scheme *s = (const mho_scheme *)e->scheme.entry;
  mho_crossbar *x = crossbar(e, ROWS, COLS);
  mho_pulse_trains *t;
  OK(mho_pulse_trains_new(ROWS, COLS, 1, &t, &ei));
  bool constant = !strcmp(device, "linear"); /* the same step in every state */
  double eps = step_of(e, x),
         k = constant                ? 3.5
             : eps < 0.01 * x->w_max ? 0.5
                                     : 0.05,
         rate = k * eps / 0.8, sum[CELLS] = {0}, squares[CELLS] = {0};
  mho_outer_job job = outer(e, x, t, rate);
  mho_pulse_counts counts = {0};
  mho_real zero[CELLS] = {0}, start[CELLS];
  mho_crossbar_set(x, 0, CELLS, zero);
  memcpy(start, mho__crossbar_programmed(x), sizeof start);
  for (int r = 0; r < REPEATS; r++) {
    job.first_sample = (uint64_t)r;
    s->draw(&job, 0);
    s->replay(&job, 0, ROWS, &counts);
    for (int i = 0; i < CELLS; i++) {
      double dw = (double)(mho__crossbar_programmed(x)[i] - start[i]);
      sum[i] += dw;
      squares[i] += dw * dw;
    }
    mho_crossbar_set(x, 0, CELLS, zero);
  }
  float up[CELLS], down[CELLS], ones[CELLS], less[CELLS];
  for (int i = 0; i < CELLS; i++) {
    ones[i] = 1;
    less[i] = -1;
  }
  double slots = management ? ceil(k) : 31, change[2]; /* of a weight by one pulse up and down */
  mho_cells_mean_step(x->bank[0], 0, CELLS, ones, up);
  mho_cells_mean_step(x->bank[1], 0, CELLS, less, down);
  bool pair = mho_crossbar_pulsed(x) == 2;
  change[0] = x->w_max * ((double)up[0] - (pair ? (double)down[0] : 0));
  mho_cells_mean_step(x->bank[0], 0, CELLS, less, down);
  mho_cells_mean_step(x->bank[1], 0, CELLS, ones, up);
  change[1] = pair ? x->w_max * ((double)down[0] - (double)up[0]) : -x->w_max * (double)up[0];
  for (int i = 0; i < CELLS; i++) {
    double wanted = -rate * (double)x_of[i / COLS] * (double)e_of[i % COLS];
    double one = wanted > 0 ? change[0] : -change[1], mean = wanted / eps * one,
           pq = fabs(wanted) / (eps * slots);
    double got = sum[i] / REPEATS, var = squares[i] / REPEATS - got * got;
    double expected = one * one * slots * pq * (1 - pq + noise * noise);

    /* steps that bend change a little within the few pulses of a sample: of large ones there is
     * hardly ever more than one */
    NEAR(got, mean,
         constant  ? 1e-5
         : k > 0.1 ? 0.01
                   : 0.03,
         5 * sqrt(expected * (constant ? 1 : 1.1) / REPEATS) + 1e-9);
    /* The fourth moment of a sum of few pulses is at most that of one, 1/pq above the normal's. */
    if (constant)
      NEAR(var, expected, 5 * sqrt((2 + 3 / fmax(slots * pq, 0.1)) / REPEATS), 1e-12);
  }
  assert_true(counts.truncated == 0);
  double pulses = REPEATS * rate / eps * 2.2 * 1.3 * (pair ? 2 : 1);
  NEAR(counts.set + counts.reset, pulses, 10 / sqrt(pulses), 0);
  mho_pulse_trains_free(t);
  mho_crossbar_free(x);
  mho_experiment_free(e);
}

static double curve(double x) {
  return expm1(-2 * x) / expm1(-2);
}

static void test_coincidences(void **state) {
  static char table_path[] =
      "/tmp/mho-table-XXXXXX"; /* for the model that wants one: 500 pulses each way */
  FILE *f = fdopen(mkstemp(table_path), "w");
  fprintf(f, "# test\npulse,ltp,ltd\n");
  for (int i = 0; i <= 500; i++)
    fprintf(f, "%d,%.12g,%.12g\n", i, 1e-6 + 99e-6 * curve(i / 500.0),
            100e-6 - 99e-6 * curve(i / 500.0));
  fclose(f);
  char table[64];
  snprintf(table, sizeof table, ", table: %s", table_path);
  coincidences("linear", ", mapping: reference", 0, true);
  coincidences("linear", ", mapping: reference, cycle_to_cycle: 0.5", 0.5, true);
  coincidences("linear", ", mapping: offset", 0, false);
  for (int i = 0; i < mho_registry_count(registry, MHO_KIND_DEVICE); i++) {
    const mho_device_model *m =
        (const mho_device_model *)mho_registry_at(registry, MHO_KIND_DEVICE, i);
    bool measured = mho_params_find(m->entry.params, "table");
    if (m->pulse)
      coincidences(m->entry.id,
                   m->one_way ? ", mapping: one_sided"
                   : measured ? table
                              : "",
                   0, true);
  }

  remove(table_path);
}

/* Where a probability saturates the mean falls short, and the cells are counted. */
static void test_truncation(void **state) {
  mho_experiment *e = experiment("device: {model: linear, mapping: reference}\nupdate: {scheme: "
                                 "stochastic, max_length: 10}\n");
  const mho_scheme *s = (const mho_scheme *)e->scheme.entry;
  mho_crossbar *x = crossbar(e, ROWS, COLS);
  mho_pulse_trains *t;
  OK(mho_pulse_trains_new(ROWS, COLS, 1, &t, &ei));
  double eps = step_of(e, x);
  mho_outer_job job =
      outer(e, x, t, 20 * eps / 0.8); /* k = 20: sqrt(2) for the largest row and column */
  mho_pulse_counts counts = {0};
  s->draw(&job, 0);
  assert_int_equal(t->slots[0], 10);
  s->replay(&job, 0, ROWS, &counts);
  NEAR(mho__crossbar_programmed(x)[1], 10 * eps, 1e-4,
       0); /* largest x, largest d: a pulse in every slot, of 20 wanted */
  assert_true(counts.truncated ==
              3 + 3 - 1); /* three active rows and columns, one of each saturated */
  mho_pulse_trains_free(t);
  mho_crossbar_free(x);
  mho_experiment_free(e);
}

/* Slabs replay the same trains: how the rows are cut changes nothing. */
static void test_slabs(void **state) {
  enum { R = 40, C = 30, SAMPLES = 20 };
  mho_experiment *e =
      experiment("device: {model: soft_bounds, cycle_to_cycle: 0.5, variation: {step: 0.3}}\n"
                 "update: {scheme: stochastic}\n");
  const mho_scheme *s = (const mho_scheme *)e->scheme.entry;
  float z[SAMPLES * R];
  mho_real v[SAMPLES * R], w[2][R * C];
  mho_rng_normal(mho_rng_make(5, MHO_RNG_TEST, 0), 0, 0, SAMPLES * R, z);
  for (int i = 0; i < SAMPLES * R; i++)
    v[i] = (mho_real)z[i];
  for (int k = 0; k < 2; k++) {
    mho_crossbar *x = crossbar(e, R, C);
    mho_pulse_trains *t;
    OK(mho_pulse_trains_new(R, C, SAMPLES, &t, &ei));
    mho_outer_job job = outer(e, x, t, step_of(e, x));
    mho_pulse_counts counts = {0};
    job.samples = SAMPLES;
    job.x = v;
    job.e = v;
    for (int i = 0; i < SAMPLES; i++)
      s->draw(&job, k ? SAMPLES - 1 - i : i);
    if (k)
      for (int row0 = R - 7; row0 > -7; row0 -= 7)
        s->replay(&job, row0 < 0 ? 0 : row0, row0 < 0 ? row0 + 7 : 7, &counts);
    else
      s->replay(&job, 0, R, &counts);
    memcpy(w[k], mho__crossbar_programmed(x), sizeof w[k]);
    assert_true(counts.set > 1000);
    mho_pulse_trains_free(t);
    mho_crossbar_free(x);
  }

  assert_memory_equal(w[0], w[1], sizeof w[0]);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- sign and write_verify */

enum { N = 512 };

static mho_pulse_counts apply(const mho_experiment *e, mho_crossbar *x, double dw, int updates,
                              mho_real *chi) {
  mho_pulse_counts counts = {0};
  mho_real wanted[N];
  for (int i = 0; i < N; i++)
    wanted[i] = (mho_real)(i % 2 ? dw : -dw);
  for (int u = 1; u <= updates; u++)
    ((const mho_scheme *)e->scheme.entry)
        ->apply(&(mho_program_job){.xb = x,
                                   .params = e->scheme.params,
                                   .n = N,
                                   .dw = wanted,
                                   .state = chi,
                                   .nominal_step = step_of(e, x),
                                   .update = (uint64_t)u,
                                   .rounding = mho_rng_make(1, MHO_RNG_ROUND, 0)},
                &counts);
  return counts;
}

static void test_sign(void **state) {
  mho_experiment *e =
      experiment("device: {model: linear, mapping: reference}\nupdate: {scheme: sign}\n");
  mho_crossbar *x = crossbar(e, N / 16, 16);
  mho_real chi[N] = {0};
  double step = step_of(e, x);
  mho_pulse_counts c =
      apply(e, x, 0.3 * step, 40, chi); /* a pulse in every fourth update, the rest forgotten */
  assert_true(c.set == 10 * N / 2 && c.reset == 10 * N / 2);
  for (int i = 0; i < N; i++)
    NEAR(mho__crossbar_programmed(x)[i], (i % 2 ? 10 : -10) * step, 1e-4, 0);
  mho_crossbar_free(x);
  mho_experiment_free(e);
}

/* Write noise of twenty steps: what is verified ends within the tolerance, what is not does not. */
static void test_write_verify(void **state) {
  double spread[2];
  for (int k = 0; k < 2; k++) {
    char yaml[256];
    snprintf(yaml, sizeof yaml,
             "device: {model: linear, mapping: reference, write_noise: 0.02, step_up: 1e-3, "
             "step_down: 1e-3}\n"
             "update: {scheme: %s}\n",
             k ? "accumulate" : "write_verify, tries: 60, tolerance: 5");
    mho_experiment *e = experiment(yaml);
    mho_crossbar *x = crossbar(e, N / 16, 16);
    mho_real chi[N] = {0};
    double step = step_of(e, x), squares = 0;
    mho_pulse_counts c = apply(e, x, 30 * step, 1, chi);
    for (int i = 0; i < N; i++) {
      double error = (double)mho__crossbar_programmed(x)[i] - (i % 2 ? 30 : -30) * step;
      squares += error * error / N;
      if (!k && c.clipped == 0)
        assert_true(fabs(error) <= 5.001 * step);
    }
    spread[k] = sqrt(squares) / step;
    if (!k) {
      assert_true(c.reads > 2 * N && c.clipped < 0.01 * N);
      assert_true(c.set + c.reset > N);
    }
    mho_crossbar_free(x);
    mho_experiment_free(e);
  }

  assert_true(spread[0] < 5 && spread[1] > 15);
}

/* ---------------------------------------------------------------- mappings */

/* Published errors of a verified write, standard deviation at G, both in uS. */
static double joshi(double g) {
  return -0.00178767 * g * g + 0.07585724 * g + 0.28638599;
}
static double milo(double g) {
  return -0.009107 * g + 4.782321;
}
static double wan(double g) {
  return 1.536e-4 * g * g * g - 1.167e-2 * g * g + 0.2374 * g + 1.053;
}
#define MILO "g_min: 50 uS, g_max: 225 uS, write_error: {c0: 4.782321 uS, c1: -0.009107}"
static const struct {
  const char *keys;
  double (*sigma)(double g);
  double low, high, at[3]; /* uS */
} published[] = {
    {"g_min: 0 S, g_max: 25 uS, write_error: {c0: 0.28638599 uS, c1: 0.07585724, c2: -1787.67}",
     joshi,
     0,
     25,
     {4, 10, 20}},
    {MILO, milo, 50, 225, {80, 137, 200}},
    {"g_min: 0 S, g_max: 39.26 uS, write_error: {c0: 1.053 uS, c1: 0.2374, c2: -1.167e4, c3: "
     "1.536e8}",
     wan,
     0,
     39.26,
     {12, 20, 28}}};

/* Mean and deviation of v(x, i), [MANY] cells of a crossbar. */
enum { MANY = 8192 };
static void spread_of(const mho_crossbar *x, double (*v)(const mho_crossbar *x, size_t i),
                      double *mean, double *deviation) {
  double squares = 0;
  *mean = 0;
  for (size_t i = 0; i < MANY; i++)
    *mean += v(x, i) / MANY;
  for (size_t i = 0; i < MANY; i++)
    squares += pow(v(x, i) - *mean, 2) / MANY;
  *deviation = sqrt(squares);
}
static double first_of(const mho_crossbar *x, size_t i) {
  return 1e6 * mho_cells_siemens(x->bank[0], i);
}
static double second_of(const mho_crossbar *x, size_t i) {
  return 1e6 * mho_cells_siemens(x->bank[1], i);
}
static mho_crossbar *written(const char *keys, mho_experiment **e) {
  char yaml[320];
  snprintf(yaml, sizeof yaml, "device: {model: linear, %s}\n", keys);
  *e = experiment(yaml);
  return crossbar(*e, MANY / 64, 64);
}
static void set_all(mho_crossbar *x, double w) {
  static mho_real v[MANY];
  for (int i = 0; i < MANY; i++)
    v[i] = (mho_real)w;
  mho_crossbar_set(x, 0, MANY, v);
}

/* So many pulses that lower a weight, in every cell. */
static void lower_all(mho_crossbar *x, int pulses) {
  int16_t down[MHO_DEVICE_BLOCK];
  mho_pulse_counts counts = {0};
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    down[i] = (int16_t)-pulses;
  for (size_t i0 = 0; i0 < MANY; i0 += MHO_DEVICE_BLOCK)
    mho_crossbar_change(x, i0, MHO_DEVICE_BLOCK, down, 1, &counts);
}

/* A population written to a conductance has the published mean and deviation; a second write is
 * another draw, the same write on the same seeds is the same; what stays is not written; what is
 * added is written anew around the sum. */
static void test_write_error(void **state) {
  static mho_real dw[MANY];
  static float before[MANY];
  for (int k = 0; k < MHO_COUNT(published); k++)
    for (int a = 0; a < 3; a++) {
      char keys[256];
      mho_experiment *e, *same_e;
      double at = published[k].at[a], range = published[k].high - published[k].low, mean, deviation;
      snprintf(keys, sizeof keys, "mapping: offset, %s", published[k].keys);
      mho_crossbar *x = written(keys, &e), *same = written(keys, &same_e);
      double w = 4 * ((at - published[k].low) / range - 0.5); /* a single device: w_max is 4 */
      set_all(x, w);
      set_all(same, w);
      assert_memory_equal(x->bank[0]->g, same->bank[0]->g, sizeof before);
      spread_of(x, first_of, &mean, &deviation);
      double sigma = published[k].sigma(at);
      NEAR(mean, at, 0, 5 * sigma / sqrt(MANY));
      NEAR(deviation, sigma, 5 / sqrt(2.0 * MANY), 0);

      double product = 0;
      memcpy(before, x->bank[0]->g, sizeof before);
      set_all(x, w);
      for (int i = 0; i < MANY; i++)
        product +=
            ((double)before[i] - w / 4 - 0.5) * ((double)x->bank[0]->g[i] - w / 4 - 0.5) / MANY;
      NEAR(product / pow(sigma / range, 2), 0, 0, 5 / sqrt(MANY));

      double squares = 0;
      memcpy(before, x->bank[0]->g, sizeof before);
      for (int i = 0; i < MANY; i++)
        dw[i] = i % 2 ? (mho_real)(4 * 0.02) : 0;
      mho_crossbar_add(x, 0, MANY, dw, 1);
      for (int i = 0; i < MANY; i++) {
        double moved = (double)(x->bank[0]->g[i] - before[i]);
        assert_true(i % 2 || moved == 0);
        if (i % 2)
          squares +=
              pow((moved - 0.02) * range /
                      published[k].sigma(published[k].low + range * ((double)before[i] + 0.02)),
                  2);
      }
      NEAR(squares / (MANY / 2), 1, 5 * sqrt(2.0 / (MANY / 2)), 0.01); /* few reach a bound */
      mho_crossbar_free(x);
      mho_crossbar_free(same);
      mho_experiment_free(e);
      mho_experiment_free(same_e);
    }
}

/* The other writes that somebody verifies: references, refreshes, write_verify; pulses alone
 * have no such error, and no conductance is below 0. */
static void test_verified_writes(void **state) {
  mho_experiment *e;
  double mean, deviation;
  mho_crossbar *x = written("mapping: reference, " MILO, &e);
  spread_of(x, second_of, &mean, &deviation);
  NEAR(deviation, milo(137.5), 5 / sqrt(2.0 * MANY), 0);
  mho_crossbar_free(x);
  mho_experiment_free(e);
  x = written("mapping: offset, " MILO, &e); /* a current of a circuit is no device */
  spread_of(x, second_of, &mean, &deviation);
  NEAR(deviation, 0, 0, 1e-9);
  mho_crossbar_free(x);
  mho_experiment_free(e);

  /* half of those that aim at 0 S end there */
  x = written("mapping: one_sided, start: 0, g_min: 0 S, g_max: 25 uS, write_error: {c0: 1 uS}",
              &e);
  set_all(x, 1);
  spread_of(x, second_of, &mean, &deviation);
  NEAR(mean, 1 / sqrt(2 * acos(-1)), 5 * sqrt((0.5 - 0.5 / acos(-1)) / MANY), 0.02);
  for (size_t i = 0; i < MANY; i++)
    assert_true(x->bank[0]->g[i] >= 0 && x->bank[1]->g[i] >= 0);
  mho_crossbar_free(x);
  mho_experiment_free(e);

  /* a refresh of full pairs brings differences back to half a step, and leaves that error */
  x = written("mapping: one_sided, start: 0, step_up: 0.01, step_down: 0.01, " MILO, &e);
  mho_pulse_counts counts = {0};
  static mho_real old[MANY];
  double squares = 0, want = pow(milo(50 + 0.85 * 175), 2) + pow(1.75, 2) / 12;
  set_all(x, 0.9 * 2);
  lower_all(x, 5);
  memcpy(old, mho__crossbar_programmed(x), sizeof old);
  mho_crossbar_tend(x, 0, MANY, 4096, &counts);
  for (int i = 0; i < MANY; i++)
    squares += pow((double)(mho__crossbar_programmed(x)[i] - old[i]) / 2 * 175, 2) / MANY;
  NEAR(squares, want, 0.08, 0);
  mho_crossbar_free(x);
  mho_experiment_free(e);

  /* write_verify and pulses, without an error at first */
  for (int k = 0; k < 2; k++) {
    char yaml[320];
    snprintf(yaml, sizeof yaml,
             "device: {model: linear, mapping: offset, step_up: 1e-3, step_down: 1e-3, " MILO
             "}\nupdate: {scheme: %s, max_pulses: 63}\n",
             k ? "pulses" : "write_verify");
    e = experiment(yaml);
    x = crossbar(e, MANY / 64, 64);
    static mho_real dw[MANY], chi[MANY];
    memset(chi, 0, sizeof chi);
    for (int i = 0; i < MANY; i++) {
      x->bank[0]->g[i] = 0.5f;
      dw[i] = i % 2 ? (mho_real)(4 * 0.05) : 0;
    }
    mho_crossbar_refresh(x, 0, MANY);
    mho_program_job job = {.xb = x,
                           .params = e->scheme.params,
                           .n = MANY,
                           .dw = dw,
                           .state = chi,
                           .nominal_step = step_of(e, x),
                           .update = 7,
                           .rounding = mho_rng_make(4, MHO_RNG_ROUND, 0)};
    ((const mho_scheme *)e->scheme.entry)->apply(&job, &counts);
    for (int i = 0; i < MANY; i++)
      assert_true(i % 2 || x->bank[0]->g[i] == 0.5f);
    squares = 0;
    for (int i = 1; i < MANY; i += 2)
      squares += pow(175 * ((double)x->bank[0]->g[i] - 0.55), 2) / (MANY / 2);
    if (k)
      assert_true(sqrt(squares) < 0.2); /* a step */
    else
      NEAR(sqrt(squares), milo(50 + 0.55 * 175), 0.05, 0);
    mho_crossbar_free(x);
    mho_experiment_free(e);
  }
}

static void mapping(const char *name, double rest) {
  char yaml[256];
  snprintf(yaml, sizeof yaml,
           "device: {model: linear, mapping: %s, step_up: 1e-3, step_down: 1e-3}\narray: "
           "{read_noise: 0.01}\n",
           name);
  mho_experiment *e = experiment(yaml);
  mho_crossbar *x = crossbar(e, N / 16, 16);
  mho_real w[N];
  int16_t count[MHO_DEVICE_BLOCK];
  mho_pulse_counts counts = {0};
  double gp[N], gn[N], unit;
  for (int i = 0; i < N; i++) {
    NEAR(mho__crossbar_programmed(x)[i], 0, 0, 1e-6);
    NEAR(x->bank[0]->g[i], rest, 0, 1e-6);
    w[i] = (mho_real)(3.0 * (i - N / 2) / N); /* within +-1.5 of +-2 */
  }

  int clipped = mho_crossbar_set(x, 0, N, w);
  assert_int_equal(clipped, 0);
  mho_crossbar_siemens(x, &e->device_config, (double *[]){gp, gn}, &unit);
  for (int i = 0; i < N; i++) {
    NEAR(mho__crossbar_programmed(x)[i], w[i], 0, 1e-5);
    NEAR((gp[i] - gn[i]) / unit, w[i], 0, 1e-5);
    assert_true(gp[i] >= 0 && gn[i] >= 0);
  }

  for (int i = 0; i < N; i++)
    w[i] = (mho_real)0.1;
  mho_crossbar_add(x, 0, N, w, 1);
  for (int i = 0; i < N; i++)
    NEAR(mho__crossbar_programmed(x)[i], 3.0 * (i - N / 2) / N + 0.1, 0, 1e-5);

  /* pulses move a weight by the step they are said to, scattered or not */
  double step = step_of(e, x);
  memcpy(w, mho__crossbar_programmed(x), sizeof w);
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    count[i] = (int16_t)(i % 7 - 3);
  mho_crossbar_change(x, 0, MHO_DEVICE_BLOCK, count, 1, &counts);
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    NEAR(mho__crossbar_programmed(x)[i] - w[i], count[i] * step, 1e-3, 1e-6);
  uint32_t cell[MHO_DEVICE_BLOCK];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++) {
    cell[i] = (uint32_t)(i * 5 % MHO_DEVICE_BLOCK);
    count[i] = (int16_t) - ((int)cell[i] % 7 - 3);
  }

  mho_crossbar_change_at(x, MHO_DEVICE_BLOCK, cell, count, 2, &counts);
  mho_crossbar_refresh(x, 0, N);
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    NEAR(mho__crossbar_programmed(x)[i], w[i], 0, 1e-6);
  mho_crossbar_stats s = mho_crossbar_statistics(x);
  assert_true(s.g_mean > 0 && s.w_absmax < 2);
  mho_crossbar_free(x);
  mho_experiment_free(e);
}

static void test_mappings(void **state) {
  mapping("differential", 0.5);
  mapping("reference", 0.5);
  mapping("offset", 0.5);
  mapping("one_sided", 0);
}

/* Read noise of a reference is a device's, a fixed current has none: half the variance. */
static double read_variance(const char *name, const char *law) {
  enum { READS = 4000, ROWS_READ = N / 16 };
  char yaml[256];
  snprintf(yaml, sizeof yaml,
           "device: {model: linear, mapping: %s}\narray: {read_noise: 0.02, noise: {law: %s}}\n",
           name, law);
  mho_experiment *e = experiment(yaml);
  mho_crossbar *x = crossbar(e, ROWS_READ, 16);
  mho_real v[ROWS_READ], y[16], *scratch = mho_alloc(mho_crossbar_scratch(x, 1), sizeof *scratch);
  double squares = 0;
  for (int i = 0; i < ROWS_READ; i++)
    v[i] = 1;
  for (int r = 0; r < READS; r++) {
    mho_crossbar_read(x, &(mho_read){.n = 1,
                                     .x = v,
                                     .y = y,
                                     .scale = 1,
                                     .clock = {.update = (uint64_t)r},
                                     .scratch = scratch});
    for (int j = 0; j < 16; j++)
      squares += (double)y[j] * (double)y[j] / (16 * READS);
  }

  mho_free(scratch);
  mho_crossbar_free(x);
  mho_experiment_free(e);
  return squares;
}

static void test_reference_noise(void **state) {
  static const char *const laws[] = {"constant", "proportional"};
  for (int k = 0; k < 2; k++)
    NEAR(read_variance("reference", laws[k]) / read_variance("offset", laws[k]), 2, 0.05, 0);
}

/* Pairs that were only SET fill up; a refresh brings them down and keeps the weights to a step
 * or so. */
static void test_refresh(void **state) {
  mho_experiment *e =
      experiment("device: {model: soft_bounds, mapping: one_sided, step_up: 0.02, step_down: 0.5, "
                 "refresh: {above: 0.6}}\n");
  mho_crossbar *x = crossbar(e, N / 16, 16);
  mho_pulse_counts counts = {0};
  mho_real w[N];
  int16_t up[MHO_DEVICE_BLOCK], down[MHO_DEVICE_BLOCK];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++) {
    up[i] = (int16_t)(40 + i % 30);
    down[i] = (int16_t) - (40 + i % 25);
  }

  for (size_t i0 = 0; i0 < N; i0 += MHO_DEVICE_BLOCK) {
    mho_crossbar_change(x, i0, MHO_DEVICE_BLOCK, up, 1, &counts);
    mho_crossbar_change(x, i0, MHO_DEVICE_BLOCK, down, 2, &counts);
  }

  assert_true(counts.reset == 0 && counts.reads == 0);
  memcpy(w, mho__crossbar_programmed(x), sizeof w);
  mho_crossbar_tend(x, 0, N, 1000, &counts);
  int high = 0;
  for (int i = 0; i < N; i++) {
    NEAR(mho__crossbar_programmed(x)[i], w[i], 0, 0.03 * x->w_max);
    high += x->bank[0]->g[i] > 0.6f || x->bank[1]->g[i] > 0.6f;
  }

  assert_int_equal(high, 0);
  assert_true(counts.reset > N && counts.reads > N);

  /* what one side holds alone is left there: a RESET would free nothing */
  counts = (mho_pulse_counts){0};
  for (int i = 0; i < N; i++)
    w[i] = (mho_real)((i % 2 ? 0.9 : -0.9) * x->w_max);
  mho_crossbar_set(x, 0, N, w);
  mho_crossbar_tend(x, 0, N, 2000, &counts);
  assert_true(counts.reset == 0 && counts.set == 0 && counts.reads == 0);
  for (int i = 0; i < N; i++)
    NEAR(mho__crossbar_programmed(x)[i], w[i], 0, 1e-6 * x->w_max);
  mho_crossbar_free(x);
  mho_experiment_free(e);
}

/* Up and down in turn, a device of unequal steps walks to its symmetry point; where that is
 * weight zero, the weight stays. */
static void test_zero_shift(void **state) {
  double mean[2];
  for (int k = 0; k < 2; k++) {
    char yaml[256];
    snprintf(yaml, sizeof yaml,
             "device: {model: soft_bounds, mapping: reference, step_up: 0.02, step_down: 0.01, "
             "zero_shift: %s, variation: {step: 0.1, asymmetry: 0.1}}\n",
             k ? "true" : "false");
    mho_experiment *e = experiment(yaml);
    mho_crossbar *x = crossbar(e, N / 16, 16);
    mho_pulse_counts counts = {0};
    int16_t one[MHO_DEVICE_BLOCK];
    for (uint64_t t = 0; t < 400; t++) {
      for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
        one[i] = t % 2 ? 1 : -1;
      for (size_t i0 = 0; i0 < N; i0 += MHO_DEVICE_BLOCK)
        mho_crossbar_change(x, i0, MHO_DEVICE_BLOCK, one, t, &counts);
    }
    mean[k] = 0;
    for (int i = 0; i < N; i++)
      mean[k] += fabs((double)mho__crossbar_programmed(x)[i]) / (N * x->w_max);
    mho_crossbar_free(x);
    mho_experiment_free(e);
  }

  assert_true(mean[0] > 0.14); /* to g = 2/3 */
  assert_true(mean[1] < 0.01);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_write_error),     cmocka_unit_test(test_verified_writes),
      cmocka_unit_test(test_coincidences),    cmocka_unit_test(test_truncation),
      cmocka_unit_test(test_slabs),           cmocka_unit_test(test_sign),
      cmocka_unit_test(test_write_verify),    cmocka_unit_test(test_mappings),
      cmocka_unit_test(test_reference_noise), cmocka_unit_test(test_refresh),
      cmocka_unit_test(test_zero_shift),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
