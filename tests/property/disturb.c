/* Writing through the lines of an array: pulses arrive weakened as the whole circuit says, and
 * other cells of the tile feel what the circuit puts on them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"
#include "mho/wire.h"

enum { ROWS = 30, COLS = 22, TILE_R = 18, TILE_C = 12, CELLS = ROWS * COLS };

typedef struct subject {
  mho_experiment *e;
  mho_crossbar *x;
  mho_disturb *d;
} subject;

static subject make(const char *yaml, mho_pool *pool) {
  char text[1024];
  snprintf(text, sizeof text, "update: {scheme: %s}\n%s",
           strstr(yaml, "#stochastic") ? "stochastic" : "pulses", yaml);
  subject s = {.e = experiment(text)};
  mho_crossbar_options o = {.device = (const mho_device_model *)s.e->device.entry,
                            .device_params = s.e->device.params,
                            .device_config = &s.e->device_config,
                            .mapping = (const mho_mapping *)s.e->mapping.entry,
                            .mapping_params = s.e->mapping.params,
                            .array = (const mho_array_model *)s.e->array.entry,
                            .array_params = s.e->array.params,
                            .w_max = 2,
                            .chip_seed = 1,
                            .noise_seed = 2};
  float z[CELLS];
  mho_real w[CELLS];
  OK(mho_crossbar_new(ROWS, COLS, &o, &s.x, &ei));
  mho_rng_uniform(mho_rng_make(5, MHO_RNG_TEST, 0), 0, 0, CELLS, z);
  for (int k = 0; k < CELLS; k++)
    w[k] = (mho_real)(2.8f * (z[k] - 0.5f));
  mho_crossbar_set(s.x, 0, CELLS, w);
  OK(mho_disturb_new(1, &s.x, &s.e->array_config, o.device, o.device_params, o.device_config, pool,
                     &s.d, &ei));
  mho_disturb_refresh(s.d);
  return s;
}

static void drop(subject *s) {
  mho_disturb_free(s->d);
  mho_crossbar_free(s->x);
  mho_experiment_free(s->e);
}

/* Voltages across all devices of the tile at row0, col0 while its cell (row, col) is written
 * with 1 V: the whole circuit. */
static void circuit(const subject *s, int bank, int row0, int col0, int m, int n, int row, int col,
                    double *v) {
  double g[TILE_R * TILE_C], word[TILE_R], bit[TILE_C], a[TILE_R * TILE_C], b[TILE_R * TILE_C],
      pos[CELLS], neg[CELLS], unit;
  mho_wire *w;
  mho_crossbar_siemens(s->x, &s->e->device_config, (double *[]){pos, neg}, &unit);
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++)
      g[i * n + j] = (bank ? neg : pos)[(row0 + i) * COLS + col0 + j];
  mho_wire_select(m, n, row, col, 1,
                  s->e->array_config.write_select == MHO_WRITE_THIRD ? MHO_WIRE_THIRD
                                                                     : MHO_WIRE_HALF,
                  word, bit);
  OK(mho_wire_new(&(mho_wire_options){.rows = m,
                                      .cols = n,
                                      .r_word = s->e->array_config.r_word,
                                      .r_bit = s->e->array_config.r_bit},
                  &w, &ei));
  OK(mho_wire_set(w, g, &ei));
  OK(mho_wire_solve(
      w, &(mho_wire_read){.n = 1, .v_word = word, .v_bit = bit, .node_word = a, .node_bit = b},
      NULL, &ei));
  mho_wire_free(w);
  for (int k = 0; k < m * n; k++)
    v[k] = a[k] - b[k];
}

/* Linear ion drift answers a part of the voltage by that part of its drive, so amplitudes are
 * voltages. */
#define ION              "device: {model: linear_ion, g_max: 100 uS, window: none, width: 1 us}\n"
#define LINES(select, r) ION "array: {write: {select: " select "}, wire: {" r ", tile: [18, 12]}}\n"

static void test_written_cells(void **state) {
  static const struct {
    const char *yaml;
    double within;
  } kind[] = {{LINES("half", "r_word: 2 ohm, r_bit: 3 ohm"), 2e-4},
              {LINES("half", "r_word: 20 ohm, r_bit: 0 ohm"), 1e-6},
              {LINES("half", "r_word: 0 ohm, r_bit: 20 ohm"), 1e-6},
              {LINES("half", "r_word: 20 ohm, r_bit: 20 ohm"), 3e-3},
              {LINES("third", "r_word: 2 ohm, r_bit: 3 ohm"), 2e-4},
              {LINES("third", "r_word: 20 ohm, r_bit: 20 ohm"), 3e-3}};
  for (int k = 0; k < MHO_COUNT(kind); k++) {
    subject s = make(kind[k].yaml, NULL);
    double lowest = 1, worst = 0, v[TILE_R * TILE_C];
    for (int q = 0; q < 24; q++) { /* cells of all tiles of both banks */
      int row = q * 11 % ROWS, col = q * 7 % COLS, row0 = row / TILE_R * TILE_R,
          col0 = col / TILE_C * TILE_C;
      int m = ROWS - row0 < TILE_R ? ROWS - row0 : TILE_R,
          n = COLS - col0 < TILE_C ? COLS - col0 : TILE_C;
      circuit(&s, q % 2, row0, col0, m, n, row - row0, col - col0, v);
      const mho_cells *c = s.x->bank[q % 2];
      double expected = v[(row - row0) * n + col - col0];
      for (int way = 0; way < 2; way++)
        worst = fmax(worst, fabs((double)c->amplitude[way][row * COLS + col] - expected));
      lowest = fmin(lowest, expected);
    }
    if (!(worst < kind[k].within))
      fail_msg("%s differs by %g, of pulses from %g on", kind[k].yaml, worst, lowest);
    assert_true(1 - lowest > 10 * kind[k].within); /* which the wires move by much more */
    drop(&s);
  }
}

static void test_transistors(void **state) {
  subject s = make(LINES("transistor", "r_word: 20 ohm, r_bit: 50 ohm"), NULL);
  double pos[CELLS], neg[CELLS], unit;
  mho_crossbar_siemens(s.x, &s.e->device_config, (double *[]){pos, neg}, &unit);
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < COLS; j++) {
      int below = (i < TILE_R ? TILE_R : ROWS) - i, segments = j % TILE_C + 1;
      NEAR(s.x->bank[0]->amplitude[0][i * COLS + j],
           1 / (1 + pos[i * COLS + j] * (20 * segments + 50 * below)), 1e-6, 0);
    }
  assert_null(s.x->bank[0]->pulsed[0]); /* and nobody else feels it */
  drop(&s);
}

/* One pulse: every cell of the tile moves as the circuit's voltage says, every other stays. */
static void check_one_pulse(const char *yaml, bool set, double within) {
  subject s = make(yaml, NULL);
  enum { ROW = 20, COL = 5, M = ROWS - TILE_R, N = TILE_C };
  double v[M * N];
  float before[2][CELLS];
  mho_pulse_counts counts = {0};
  int16_t pos = set ? 1 : -1, none = 0;
  circuit(&s, 0, TILE_R, 0, M, N, ROW - TILE_R, COL, v);
  memcpy(before[0], s.x->bank[0]->g, sizeof before[0]);
  memcpy(before[1], s.x->bank[1]->g, sizeof before[1]);
  mho_crossbar_pulse(s.x, ROW * COLS + COL, 1, (int16_t *[]){&pos, &none}, 1, &counts);
  mho_disturb_apply(s.d);
  const mho_device_model *model = (const mho_device_model *)s.e->device.entry;
  double step = mho_device_nominal_step(model, s.e->device.params, &s.e->device_config), most = 0;
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < COLS; j++) {
      double moved = (double)s.x->bank[0]->g[i * COLS + j] - (double)before[0][i * COLS + j];
      bool tile = i >= TILE_R && j < TILE_C;
      double f = tile ? v[(i - TILE_R) * N + j] : 0;
      double factor = mho_device_response(model, s.e->device.params, &s.e->device_config, set, f);
      NEAR(moved, (set ? 1 : -1) * factor * step, 0, within * step);
      most = fmax(most, i == ROW && j == COL ? 0 : fabs(factor));
    }

  assert_memory_equal(before[1], s.x->bank[1]->g, sizeof before[1]); /* an array of its own */
  assert_true(most > 10 * within);
  assert_true(counts.set + counts.reset == 1);
  for (int k = 0; k < CELLS; k++) /* weights are fresh, counts forgotten */
    NEAR(mho__crossbar_programmed(s.x)[k],
         2 * ((double)s.x->bank[0]->g[k] - (double)s.x->bank[1]->g[k]), 0, 1e-6);
  memcpy(before[0], s.x->bank[0]->g, sizeof before[0]);
  mho_disturb_apply(s.d);
  assert_memory_equal(before[0], s.x->bank[0]->g, sizeof before[0]);
  drop(&s);
}

#define STEPS "device: {model: linear, step_up: 0.01, step_down: 0.01, weak_pulse: {slope: 3}}\n"
static void test_one_pulse(void **state) {
  for (int set = 0; set < 2; set++) {
    check_one_pulse(STEPS "array: {write: {select: half}, wire: {tile: [18, 12]}}\n", set, 1e-3);
    check_one_pulse(STEPS "array: {write: {select: third}, wire: {tile: [18, 12]}}\n", set, 1e-3);
    check_one_pulse(
        STEPS
        "array: {write: {select: half}, wire: {r_word: 20 ohm, r_bit: 5 ohm, tile: [18, 12]}}\n",
        set, 5e-3);
    check_one_pulse(
        STEPS
        "array: {write: {select: third}, wire: {r_word: 20 ohm, r_bit: 5 ohm, tile: [18, 12]}}\n",
        set, 5e-3);
  }
}

/* G- in the next column shares its word line with G+. */
static void test_neighbour(void **state) {
  subject s = make(
      STEPS "array: {write: {select: half}, wire: {tile: [18, 12], negative: neighbour}}\n", NULL);
  float before[CELLS];
  mho_pulse_counts counts = {0};
  int16_t one = 1, none = 0;
  memcpy(before, s.x->bank[1]->g, sizeof before);
  mho_crossbar_pulse(s.x, 3 * COLS + 2, 1, (int16_t *[]){&one, &none}, 1, &counts);
  mho_disturb_apply(s.d);
  for (int k = 0; k < CELLS; k++) {
    bool row = k / COLS == 3 && k % COLS < 6;
    NEAR((double)s.x->bank[1]->g[k] - (double)before[k], row ? 0.01 * sinh(1.5) / sinh(3) : 0, 0,
         1e-6);
  }
  drop(&s);
}

/* A reference is never pulsed and feels nothing. */
static void test_reference(void **state) {
  subject s = make("device: {model: linear, mapping: reference, weak_pulse: {slope: 1}}\narray: "
                   "{write: {select: half}}\n",
                   NULL);
  float before[CELLS];
  mho_pulse_counts counts = {0};
  int16_t one[2] = {3, -3};
  memcpy(before, s.x->bank[1]->g, sizeof before);
  mho_crossbar_change(s.x, 5, 2, one, 1, &counts);
  mho_disturb_apply(s.d);
  assert_memory_equal(before, s.x->bank[1]->g, sizeof before);
  assert_true(s.x->bank[0]->g[8] != 0.5f);
  drop(&s);
}

/* Coincidences: lines pulse at V/2 in both directions in every slot, whether they meet or not. */
static void test_lines(void **state) {
  subject s = make("#stochastic\ndevice: {model: linear, step_up: 0.01, step_down: 0.004, "
                   "weak_pulse: {slope: 3}}\n"
                   "array: {write: {select: half}, wire: {tile: 64}}\n",
                   NULL);
  const mho_scheme *scheme = (const mho_scheme *)s.e->scheme.entry;
  mho_real x[ROWS] = {0}, e[COLS] = {0};
  mho_pulse_trains *trains;
  mho_pulse_counts counts = {0};
  float before[CELLS];
  memcpy(before, s.x->bank[0]->g, sizeof before);
  x[4] = 1;
  x[9] = -1;
  e[2] = -1; /* row 4 up, row 9 down */
  OK(mho_pulse_trains_new(ROWS, COLS, 1, &trains, &ei));
  mho_outer_job job = {.xb = s.x,
                       .params = s.e->scheme.params,
                       .samples = 1,
                       .x = x,
                       .e = e,
                       .rate = 0.05, /* five slots, every line in each */
                       .nominal_step = 0.01,
                       .trains = trains};
  scheme->draw(&job, 0);
  int slots = trains->slots[0];
  assert_in_range(slots, 5, 6);
  int rows = 0, cols = 0;
  for (int i = 0; i < trains->n_rows[0]; i++)
    rows += (trains->row[i].line & ~MHO_TRAIN_NEGATIVE) == 4
                ? __builtin_popcount(trains->row[i].mask)
                : 0;

  for (int j = 0; j < trains->n_cols[0]; j++)
    cols += __builtin_popcount(trains->col[j].mask);
  scheme->replay(&job, 0, ROWS / 2, &counts); /* two slabs */
  scheme->replay(&job, ROWS / 2, ROWS - ROWS / 2, &counts);
  mho_disturb_apply(s.d);
  double half = sinh(1.5) / sinh(3), net = half * (0.01 - 0.004), up = rows < cols ? rows : cols;
  assert_true(rows > 0 && cols > 0);
  for (int k = 0; k < CELLS; k++) {
    int i = k / COLS, j = k % COLS;
    double moved = (double)s.x->bank[0]->g[k] - (double)before[k];
    if (i == 4 && j == 2) /* those that met are whole pulses, and no half ones */
      NEAR(moved, up * 0.01 + (rows + cols) * net - 2 * up * half * 0.01, 0, 2e-3 * 0.01);
    else if (i != 9)
      NEAR(moved, (i == 4) * rows * net + (j == 2) * cols * net, 0, 1e-6);
  }

  mho_pulse_trains_free(trains);
  drop(&s);
}

/* ---------------------------------------------------------------- devices */

/* A weak pulse of a model that knows voltages is the pulse of that voltage. */
static void test_weak_is_lower_voltage(void **state) {
  static const char *const models[][2] = {
      {"vteam, threshold_set: 0.3 V, threshold_reset: -0.4 V, width: 20 us, resistance: r_linear",
       "1"},
      {"vteam, threshold_set: 0.3 V, threshold_reset: -0.4 V, width: 20 us", "1"},
      {"yakopcic", "0.45"},
      {"linear_ion", "1"},
      {"linear_ion, window: none", "1"}};
  for (int k = 0; k < MHO_COUNT(models); k++)
    for (int part = 1; part <= 9; part += 2) {
      char yaml[512];
      double f = 0.5 + 0.05 * part, v = atof(models[k][1]);
      float strength[2][8];
      mho_cells *weak, *low;
      mho_pulse_counts counts = {0};
      snprintf(yaml, sizeof yaml, "device: {model: %s}\n", models[k][0]);
      mho_experiment *e = experiment(yaml);
      snprintf(yaml, sizeof yaml, "device: {model: %s, v_set: %.17g V, v_reset: %.17g V}\n",
               models[k][0], f * v, -f * v);
      mho_experiment *lower = experiment(yaml);
      const mho_device_model *m = (const mho_device_model *)e->device.entry;
      OK(mho_cells_new(m, e->device.params, &e->device_config, 8, (mho_rng){0}, (mho_rng){0}, &weak,
                       &ei));
      OK(mho_cells_new(m, lower->device.params, &lower->device_config, 8, (mho_rng){0},
                       (mho_rng){0}, &low, &ei));
      int16_t count[8];
      for (int i = 0; i < 8; i++) {
        weak->g[i] = low->g[i] = 0.1f + 0.1f * (float)i;
        count[i] = i % 2 ? 2 : -2;
        for (int way = 0; way < 2; way++)
          strength[way][i] =
              (float)mho_device_response(m, e->device.params, &e->device_config, way == 0, f);
      }
      weak->amplitude[0] = strength[0];
      weak->amplitude[1] = strength[1];
      mho_cells_pulse(weak, 0, 8, count, 1, &counts);
      mho_cells_pulse(low, 0, 8, count, 1, &counts);
      for (int i = 0; i < 8; i++)
        NEAR(weak->g[i], low->g[i], 0, 2e-7);
      assert_true(fabsf(low->g[3] - 0.4f) > 1e-5f);
      mho_cells_free(weak);
      mho_cells_free(low);
      mho_experiment_free(e);
      mho_experiment_free(lower);
    }
}

/* Of every model: nothing at 0, a whole pulse at 1, rising between, and of the other sign beyond
 * 0. */
static void test_response(void **state) {
  static const char *const models[] = {
      "linear",   "soft_bounds", "vteam",
      "yakopcic", "linear_ion",  "linear, weak_pulse: {threshold: 0.6, slope: 5}"};
  for (int k = 0; k < MHO_COUNT(models); k++) {
    char yaml[128];
    snprintf(yaml, sizeof yaml, "device: {model: %s}\n", models[k]);
    mho_experiment *e = experiment(yaml);
    const mho_device_model *m = (const mho_device_model *)e->device.entry;
    for (int set = 0; set < 2; set++) {
      double before = 0;
      for (int f = 0; f <= 20; f++) {
        double s = mho_device_response(m, e->device.params, &e->device_config, set, 0.05 * f);
        assert_true(s >= before && mho_device_response(m, e->device.params, &e->device_config, set,
                                                       -0.05 * f) <= 0);
        before = s;
      }
      NEAR(before, 1, 1e-12, 0);
      NEAR(mho_device_response(m, e->device.params, &e->device_config, set, 0), 0, 0, 0);
    }
    mho_experiment_free(e);
  }
}

/* What weak pulses add up to is what a model does by as many whole ones in the mean. */
static void test_sums(void **state) {
  mho_experiment *e =
      experiment("device: {model: soft_bounds, cycle_to_cycle: 0.3, write_noise: 0.01}\n");
  mho_cells *c, *plain;
  const mho_device_model *m = (const mho_device_model *)e->device.entry;
  enum { N = 6, TIMES = 40 };
  float set[N] = {TIMES, 0, 0.25f, 0, TIMES, 0}, reset[N] = {0, TIMES, 0, 0, TIMES, 0}, before[N],
        shown[N];
  OK(mho_cells_new(m, e->device.params, &e->device_config, N, (mho_rng){0}, (mho_rng){0}, &c, &ei));
  OK(mho_cells_new(m, e->device.params, &e->device_config, N, (mho_rng){0}, (mho_rng){0}, &plain,
                   &ei));
  for (int i = 0; i < N; i++)
    plain->state[i] = before[i] = c->state[i];
  memcpy(shown, c->g, sizeof shown);
  mho_cells_disturb(c, 0, N, set, reset);
  double step = 2e-3, up = 0.5, down = 0.5;
  for (int k = 0; k < TIMES; k++) {
    up += step * (1 - up);
    down -= step * down;
  }

  NEAR(c->state[0], up, 1e-5, 0);
  NEAR(c->state[1], down, 1e-5, 0);
  NEAR(c->state[2], (double)before[2] + 0.25 * step * 0.5, 0, 1e-6);
  assert_true(c->state[3] == before[3] && c->g[3] == shown[3] && c->state[5] == before[5]);
  NEAR(c->state[4], 0.5, 0, 1e-4);
  NEAR(c->g[0] - shown[0], c->state[0] - before[0], 0, 1e-5); /* write noise stays */
  mho_cells_free(c);
  mho_cells_free(plain);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- training */

static mho_trainer *trained(const char *yaml, mho_experiment **e, const mho_context *ctx) {
  mho_trainer *t;
  mho_epoch_row row;
  *e = experiment(yaml);
  OK(mho_trainer_new(ctx, *e, &t, &ei));
  OK(mho_trainer_epoch(t, &row, &ei));
  return t;
}

#define TRAIN                                                                                      \
  "network: {hidden: [24]}\ndataset: {train: 400}\ntrain: {batch: 50, epochs: 3}\nupdate: "        \
  "{scheme: "                                                                                      \
  "accumulate}\n"
static bool same_weights(mho_trainer *a, mho_trainer *b) {
  const mho_crossbar *x = mho_trainer_network(a)->connection[0].xb,
                     *y = mho_trainer_network(b)->connection[0].xb;
  return !memcmp(mho__crossbar_programmed(x), mho__crossbar_programmed(y),
                 (size_t)x->rows * (size_t)x->cols * sizeof *mho__crossbar_programmed(x));
}

/* Thresholds above V/2 keep cells from harm, to the last bit; lower ones do not. */
static void test_thresholds(void **state) {
  static const struct {
    const char *device, *select;
    bool same;
  } kind[] = {
      {"vteam, k_set: 1, k_reset: 1", "half", true},
      {"vteam, k_set: 1, k_reset: 1", "third", true},
      {"vteam, k_set: 1, k_reset: 1, threshold_set: 0.4 V", "half", false},
      {"vteam, k_set: 1, k_reset: 1, threshold_set: 0.4 V", "third", true},
      {"linear, step_up: 0.001, step_down: 0.001, weak_pulse: {threshold: 0.5}", "half", true},
      {"linear, step_up: 0.001, step_down: 0.001", "half", false},
      {"linear, step_up: 0.001, step_down: 0.001", "transistor", true}};
  for (int k = 0; k < MHO_COUNT(kind); k++) {
    char yaml[512];
    mho_experiment *e, *f;
    snprintf(yaml, sizeof yaml, TRAIN "device: {model: %s}\n", kind[k].device);
    mho_trainer *a = trained(yaml, &e, NULL);
    snprintf(yaml, sizeof yaml, TRAIN "device: {model: %s}\narray: {write: {select: %s}}\n",
             kind[k].device, kind[k].select);
    mho_trainer *b = trained(yaml, &f, NULL);
    if (same_weights(a, b) != kind[k].same)
      fail_msg("%s, %s", kind[k].device, kind[k].select);
    mho_trainer_free(a);
    mho_trainer_free(b);
    mho_experiment_free(e);
    mho_experiment_free(f);
  }
}

/* The same for any number of threads, and after a resume. */
static void test_threads_and_resume(void **state) {
  static const char *const schemes[] = {"accumulate", "pulses", "stochastic", "write_verify"};
  for (int k = 0; k < MHO_COUNT(schemes); k++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [24]}\ndataset: {train: 400}\ntrain: {batch: 50, epochs: 3}\n"
             "update: {scheme: %s}\ndevice: {model: soft_bounds, cycle_to_cycle: 0.2, weak_pulse: "
             "{slope: 8}}\narray: {write: {select: half}, wire: {r_word: 5 ohm, r_bit: 2 ohm, "
             "tile: [40, 16], refresh: 3}}\n",
             schemes[k]);
    mho_pool *pool;
    OK(mho_pool_new(3, &pool, &ei));
    mho_experiment *e, *f;
    mho_trainer *a = trained(yaml, &e, NULL), *b = trained(yaml, &f, &(mho_context){.pool = pool}),
                *c = trainer(e);
    assert_true(same_weights(a, b));
    mho_checkpoint_row row;
    mho_epoch_row epoch_row;
    OK(mho_trainer_save(a, &row, &ei));
    OK(mho_trainer_load(c, &row.blob, &ei));
    OK(mho_trainer_epoch(a, &epoch_row, &ei));
    OK(mho_trainer_epoch(c, &epoch_row, &ei));
    assert_true(same_weights(a, c) && !same_weights(a, b));
    mho_blob_free(&row.blob);
    mho_trainer_free(a);
    mho_trainer_free(b);
    mho_trainer_free(c);
    mho_experiment_free(e);
    mho_experiment_free(f);
    mho_pool_free(pool);
  }
}

static void refused(const char *yaml, const char *says) {
  mho_experiment *e;
  mho_config *c;
  OK(mho_config_new(&c, &ei));
  OK(mho_config_text(c, yaml, "test.yaml", &ei));
  assert_int_equal(mho_experiment_new(registry, c, false, &e, &ei), MHO_ECONFIG);
  if (!strstr(ei.message, says))
    fail_msg("'%s' instead of '%s'", ei.message, says);
  mho_config_free(c);
}

static void test_refusals(void **state) {
  refused("array: {write: {select: half}}\n",
          "array.write.select: scheme 'exact' writes without pulses");
  refused("device: linear\nupdate: {scheme: stochastic}\narray: {write: {select: third}}\n",
          "many lines at once");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_written_cells),
      cmocka_unit_test(test_transistors),
      cmocka_unit_test(test_one_pulse),
      cmocka_unit_test(test_neighbour),
      cmocka_unit_test(test_reference),
      cmocka_unit_test(test_lines),
      cmocka_unit_test(test_weak_is_lower_voltage),
      cmocka_unit_test(test_response),
      cmocka_unit_test(test_sums),
      cmocka_unit_test(test_thresholds),
      cmocka_unit_test(test_threads_and_resume),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
