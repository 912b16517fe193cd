/* Crossbars with wires: what they read is what single solves of their tiles give, in both
 * directions.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"
#include "mho/wire.h"
#include "nodal.h"

enum { ROWS = 45, COLS = 26, TILE_R = 20, TILE_C = 16 };

typedef struct subject {
  mho_experiment *e;
  mho_crossbar *x;
  mho_wired *wired;
} subject;

static subject make(const char *yaml, mho_pool *pool) {
  subject s = {.e = experiment(yaml)};
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
  float z[ROWS * COLS];
  mho_real w[ROWS * COLS];
  OK(mho_crossbar_new(ROWS, COLS, &o, &s.x, &ei));
  mho_rng_normal(mho_rng_make(5, MHO_RNG_TEST, 0), 0, 0, ROWS * COLS, z);
  for (int k = 0; k < ROWS * COLS; k++)
    w[k] = (mho_real)(0.5f * z[k]);
  mho_crossbar_set(s.x, 0, ROWS * COLS, w);
  OK(mho_wired_new(1, &s.x, &s.e->array_config, &s.e->device_config, pool, &s.wired, &ei));
  mho_wired_refresh(s.wired, 0, false);
  return s;
}

static void drop(subject *s) {
  mho_wired_free(s->wired);
  mho_crossbar_free(s->x);
  mho_experiment_free(s->e);
}

/* What reading tile by tile gives, with every tile solved as a circuit: out += sign (sense
 * currents)/g_unit. */
static void read_tile(const subject *s, const double *g, int row0, int col0, int m, int n,
                      bool transposed, const double *in, double sign, double *out) {
  double tile[TILE_R * TILE_C], current[TILE_R + TILE_C];
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++)
      tile[i * n + j] = g[(row0 + i) * COLS + col0 + j];
  mho_wire *w;
  OK(mho_wire_new(&(mho_wire_options){.rows = m,
                                      .cols = n,
                                      .r_word = s->e->array_config.r_word,
                                      .r_bit = s->e->array_config.r_bit,
                                      .method = MHO_WIRE_DIRECT},
                  &w, &ei));
  OK(mho_wire_set(w, tile, &ei));
  mho_wire_read r = {.n = 1};
  if (transposed) {
    r.v_bit = in + col0;
    r.i_word = current;
  } else {
    r.v_word = in + row0;
    r.i_bit = current;
  }

  OK(mho_wire_solve(w, &r, NULL, &ei));
  for (int k = 0; k < (transposed ? m : n); k++)
    out[(transposed ? row0 : col0) + k] += sign * (transposed ? -current[k] : current[k]);
  mho_wire_free(w);
}

static void check_reads(const char *yaml, double tolerance) {
  subject s = make(yaml, NULL);
  double *g_pos = mho_alloc(ROWS * COLS, sizeof(double)),
         *g_neg = mho_alloc(ROWS * COLS, sizeof(double)), unit;
  mho_crossbar_siemens(s.x, &s.e->device_config, (double *[]){g_pos, g_neg}, &unit);
  double plain = 0, far = 0;
  for (int transposed = 0; transposed < 2; transposed++) {
    int n_in = transposed ? COLS : ROWS, n_out = transposed ? ROWS : COLS;
    float z[ROWS];
    double in[ROWS], out[ROWS] = {0}, most = 0;
    mho_real x[ROWS], y[ROWS], without[ROWS] = {0};
    mho_rng_normal(mho_rng_make(6, MHO_RNG_TEST, 0), 0, 0, ROWS, z);
    for (int k = 0; k < n_in; k++) {
      x[k] = (mho_real)z[k];
      in[k] = (double)z[k];
    }
    for (int row0 = 0; row0 < ROWS; row0 += TILE_R)
      for (int col0 = 0; col0 < COLS; col0 += TILE_C) {
        int m = ROWS - row0 < TILE_R ? ROWS - row0 : TILE_R,
            n = COLS - col0 < TILE_C ? COLS - col0 : TILE_C;
        read_tile(&s, g_pos, row0, col0, m, n, transposed, in, 1 / unit, out);
        read_tile(&s, g_neg, row0, col0, m, n, transposed, in, -1 / unit, out);
      }
    mho_crossbar_read(s.x,
                      &(mho_read){.transposed = transposed, .n = 1, .x = x, .y = y, .scale = 1});
    for (int i = 0; i < ROWS; i++)
      for (int j = 0; j < COLS; j++)
        without[transposed ? i : j] +=
            x[transposed ? j : i] * mho__crossbar_programmed(s.x)[i * COLS + j];
    for (int k = 0; k < n_out; k++)
      most = fmax(most, fabs(out[k]));
    for (int k = 0; k < n_out; k++) {
      NEAR(y[k], out[k], 0, tolerance * most);
      plain = fmax(plain, fabs((double)without[k] - out[k]) / most);
      far = most;
    }
  }

  assert_true(plain > 100 * tolerance || far == 0); /* the wires do matter here */
  mho_free(g_pos);
  mho_free(g_neg);
  drop(&s);
}

#define TILES "tile: [20, 16]"
static void test_reads(void **state) {
  check_reads(
      "device: {model: linear, g_max: 100 uS}\narray: {wire: {r_word: 5 ohm, r_bit: 3 ohm, " TILES
      "}}\n",
      1e-5);
  check_reads("device: ideal\narray: {wire: {r_word: 5 ohm, r_bit: 3 ohm, " TILES "}}\n", 1e-5);
  check_reads("device: {model: linear, g_max: 1 mS, open: 0.1}\narray: {wire: {r_word: 50 ohm, "
              "r_bit: 0 ohm, " TILES "}}\n",
              1e-5);
  check_reads(
      "device: {model: linear, g_max: 1 mS}\narray: {wire: {r_word: 0 ohm, r_bit: 50 ohm, " TILES
      "}}\n",
      1e-5);
  check_reads(
      "device: {model: linear, g_max: 100 uS}\narray: {wire: {r_word: 50 ohm, r_bit: 50 ohm, "
      "tolerance: 1e-4, " TILES "}}\n",
      1e-3);
}

/* G- in the next column: a pair's conductances side by side in one array. */
static void test_neighbour(void **state) {
  subject s =
      make("device: {model: linear, g_max: 1 mS}\n"
           "array: {wire: {r_word: 5 ohm, r_bit: 3 ohm, tile: [64, 64], negative: neighbour}}\n",
           NULL);
  double *g_pos = mho_alloc(ROWS * COLS, sizeof(double)),
         *g_neg = mho_alloc(ROWS * COLS, sizeof(double)), unit;
  double *g = mho_alloc(2 * ROWS * COLS, sizeof(double)),
         *eff = mho_alloc(2 * ROWS * COLS, sizeof(double));
  mho_crossbar_siemens(s.x, &s.e->device_config, (double *[]){g_pos, g_neg}, &unit);
  for (int k = 0; k < ROWS * COLS; k++) {
    g[2 * k] = g_pos[k];
    g[2 * k + 1] = g_neg[k];
  }
  OK(mho_wire_effective(
      &(mho_wire_options){.rows = ROWS, .cols = 2 * COLS, .r_word = 5, .r_bit = 3}, g, eff, &ei));
  for (int k = 0; k < ROWS * COLS; k++)
    NEAR(mho_crossbar_matrix(s.x)[k], (eff[2 * k] - eff[2 * k + 1]) / unit, 0, 1e-6);
  mho_free(g_pos);
  mho_free(g_neg);
  mho_free(g);
  mho_free(eff);
  drop(&s);
}

/* What a line draws from its driver while all others are at 0 V: against the whole circuit, of
 * which the way around through a third line is left out here. */
static void check_loads(const char *array, double r_word, double r_bit, int tile_rows,
                        double tolerance) {
  char yaml[256];
  snprintf(yaml, sizeof yaml, "device: {model: linear, g_max: 1 mS}\narray: {wire: {%s}}\n", array);
  subject s = make(yaml, NULL);
  double rows[ROWS], cols[COLS], want_rows[ROWS] = {0}, want_cols[COLS] = {0}, most = 0;
  OK(mho_wired_loads(s.wired, (double *const[]){rows}, (double *const[]){cols}, &ei));

  for (int bank = 0; bank < 2; bank++)
    for (int row0 = 0; row0 < ROWS; row0 += tile_rows) {
      int high = ROWS - row0 < tile_rows ? ROWS - row0 : tile_rows;
      double *g = calloc((size_t)high * COLS, sizeof *g),
             *turned = calloc((size_t)high * COLS, sizeof *g);
      double *current = calloc((size_t)high * COLS, sizeof *g), load[ROWS > COLS ? ROWS : COLS];
      for (int i = 0; i < high; i++)
        for (int j = 0; j < COLS; j++) {
          g[i * COLS + j] = mho_cells_siemens(s.x->bank[bank], (size_t)((row0 + i) * COLS + j));
          turned[(COLS - 1 - j) * high + high - 1 - i] = g[i * COLS + j];
        }
      nodal(high, COLS, g, r_word, r_bit, current, load);
      for (int i = 0; i < high; i++)
        want_rows[row0 + i] += load[i];
      nodal(COLS, high, turned, r_bit, r_word, current, load);
      for (int j = 0; j < COLS; j++)
        want_cols[j] += load[COLS - 1 - j];
      free(g);
      free(turned);
      free(current);
    }

  for (int i = 0; i < ROWS; i++)
    most = fmax(most, fabs(rows[i] / want_rows[i] - 1));
  for (int j = 0; j < COLS; j++)
    most = fmax(most, fabs(cols[j] / want_cols[j] - 1));
  print_message("  %s: loads within %.1e of the circuit's\n", array, most);
  assert_true(most < tolerance);
  drop(&s);
}

static void test_loads(void **state) {
  check_loads("r_word: 2 ohm, r_bit: 2 ohm", 2, 2, ROWS, 3e-3);
  check_loads("r_word: 20 ohm, r_bit: 1e-6 ohm", 20, 1e-6, ROWS, 1e-5); /* nothing goes around */
  check_loads("r_word: 5 ohm, r_bit: 3 ohm, tile: [8, 64]", 5, 3, 8, 1e-3);
}

static void test_threads(void **state) {
  static const char *const yaml[] = {
      "device: linear\narray: {wire: {r_word: 5 ohm, r_bit: 5 ohm, " TILES "}}\n",
      "device: linear\narray: {wire: {r_word: 5 ohm, r_bit: 5 ohm, tolerance: 1e-4, refresh: "
      "2, " TILES "}}\n"};
  for (int k = 0; k < 2; k++) {
    mho_pool *pool;
    OK(mho_pool_new(3, &pool, &ei));
    subject one = make(yaml[k], NULL), three = make(yaml[k], pool);
    for (int update = 0; update < 2; update++) {
      assert_memory_equal(one.x->weights->wired, three.x->weights->wired,
                          ROWS * COLS * sizeof(mho_real));
      mho_wired_refresh(one.wired, 1, false);
      mho_wired_refresh(three.wired, 1, false);
    }
    drop(&one);
    drop(&three);
    mho_pool_free(pool);
  }
}

/* Between two exact solutions the matrix follows the weights: much closer than it would by
 * staying as it was. */
static void test_refresh(void **state) {
  subject s = make("device: {model: linear, g_max: 1 mS}\narray: {wire: {r_word: 5 ohm, r_bit: 5 "
                   "ohm, refresh: 10, " TILES "}}\n",
                   NULL);
  mho_real dw[ROWS * COLS];
  float z[ROWS * COLS];
  double most = 0, behind = 0, change = 0;
  mho_rng_normal(mho_rng_make(7, MHO_RNG_TEST, 0), 0, 0, ROWS * COLS, z);
  for (int k = 0; k < ROWS * COLS; k++)
    dw[k] = (mho_real)(0.02f * z[k]);
  mho_real *before = mho_alloc(ROWS * COLS, sizeof *before),
           *after = mho_alloc(ROWS * COLS, sizeof *after);
  memcpy(before, s.x->weights->wired, ROWS * COLS * sizeof *before);
  mho_crossbar_add(s.x, 0, ROWS * COLS, dw, 1);
  mho_wired_refresh(s.wired, 3, false);
  memcpy(after, s.x->weights->wired, ROWS * COLS * sizeof *after);
  mho_wired_refresh(s.wired, 10, false);
  for (int k = 0; k < ROWS * COLS; k++) {
    double exact = (double)s.x->weights->wired[k];
    most = fmax(most, fabs(exact));
    change = fmax(change, fabs((double)before[k] - exact));
    behind = fmax(behind, fabs((double)after[k] - exact));
  }

  assert_true(change > 0.02 * most);
  if (!(behind < 0.02 * change))
    fail_msg("the matrix is behind by %g after a change of %g", behind, change);
  mho_free(before);
  mho_free(after);
  drop(&s);
}

/* A checkpoint between two exact solutions goes on as if nothing had happened, bit for bit. */
static void test_resume(void **state) {
  mho_experiment *e =
      experiment("network: {hidden: [24]}\ndataset: {train: 500}\ndevice: soft_bounds\n"
                 "train: {batch: 50, epochs: 2}\n"
                 "array: {wire: {r_word: 5 ohm, r_bit: 5 ohm, tile: [40, 16], refresh: 4}}\n");
  mho_trainer *a = trainer(e), *b = trainer(e);
  mho_epoch_row row;
  mho_checkpoint_row c;
  OK(mho_trainer_epoch(a, &row, &ei)); /* ten updates: two after an exact one */
  OK(mho_trainer_save(a, &c, &ei));
  OK(mho_trainer_load(b, &c.blob, &ei));
  OK(mho_trainer_epoch(a, &row, &ei));
  OK(mho_trainer_epoch(b, &row, &ei));
  for (int k = 0; k < 2; k++) {
    const mho_crossbar *x = mho_trainer_network(a)->connection[k].xb,
                       *y = mho_trainer_network(b)->connection[k].xb;
    size_t size = (size_t)x->rows * (size_t)x->cols * sizeof(mho_real);
    assert_memory_equal(mho__crossbar_programmed(x), mho__crossbar_programmed(y), size);
    assert_memory_equal(x->weights->wired, y->weights->wired, size);
    assert_memory_not_equal(mho__crossbar_programmed(x), x->weights->wired, size);
  }

  mho_blob_free(&c.blob);
  mho_trainer_free(a);
  mho_trainer_free(b);
  mho_experiment_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads),   cmocka_unit_test(test_neighbour),
      cmocka_unit_test(test_loads),   cmocka_unit_test(test_threads),
      cmocka_unit_test(test_refresh), cmocka_unit_test(test_resume),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
