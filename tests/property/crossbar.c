/* Crossbars: reads are linear and reciprocal, writes reach their targets, read noise has the exact
 * variance of the column sum, and schemes move weights by what was asked, on average.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "crossbar.h"
#include "array/weights.h"
#include "mho/model/check.h"

enum { ROWS = 23, COLS = 17 };

static void read_one(mho_crossbar *x, bool transposed, const mho_real *in, mho_real *out) {
  mho_crossbar_read(x,
                    &(mho_read){.transposed = transposed, .n = 1, .x = in, .y = out, .scale = 1});
}

static void test_read(void **state) {
  mho_experiment *e = experiment("device: linear\n");
  mho_crossbar *x = crossbar(e, ROWS, COLS);
  mho_real w[ROWS * COLS], a[ROWS], b[ROWS], ab[ROWS], ya[COLS], yb[COLS], yab[COLS], u[COLS],
      back[ROWS];
  fill(w, ROWS * COLS, 1, 0.5);
  int clipped = mho_crossbar_set(x, 0, ROWS * COLS, w);
  assert_int_equal(clipped, 0);
  for (int i = 0; i < ROWS * COLS; i++) {
    NEAR(mho__crossbar_programmed(x)[i], w[i], 0, 1e-6);
    /* W = (G+ - G-)/g_unit in siemens too */
    double unit = (e->device_config.g_max - e->device_config.g_min) / x->w_max;
    NEAR((mho_cells_siemens(x->bank[0], (size_t)i) - mho_cells_siemens(x->bank[1], (size_t)i)) /
             unit,
         w[i], 0, 1e-6);
  }

  fill(a, ROWS, 2, 1);
  fill(b, ROWS, 3, 1);
  fill(u, COLS, 4, 1);
  for (int i = 0; i < ROWS; i++)
    ab[i] = a[i] + 2 * b[i];
  read_one(x, false, a, ya);
  read_one(x, false, b, yb);
  read_one(x, false, ab, yab);
  read_one(x, true, u, back);
  double forward = 0, backward = 0;
  for (int j = 0; j < COLS; j++) {
    double direct = 0;
    for (int i = 0; i < ROWS; i++)
      direct += (double)a[i] * (double)w[i * COLS + j];
    NEAR(ya[j], direct, 0, 1e-5);
    NEAR(yab[j], ya[j] + 2 * yb[j], 0, 1e-5); /* superposition */
    forward += (double)ya[j] * (double)u[j];
  }

  for (int i = 0; i < ROWS; i++)
    backward += (double)back[i] * (double)a[i];
  NEAR(forward, backward, 0, 1e-4); /* reciprocity: the transposed read is the adjoint */
  mho_crossbar_free(x);
  mho_experiment_free(e);
}

static void pack(const mho_crossbar *x) {
  enum { PARTS = 3 };
  bool due = mho_crossbar_pack(x, false) | mho_crossbar_pack(x, true);
  for (int part = 0; part < PARTS && due; part++) {
    mho_crossbar_pack_slab(x, true, part, PARTS);
    mho_crossbar_pack_slab(x, false, part, PARTS);
  }
  mho_crossbar_packed(x);
}

/* Reads through panels are those without, and no change of weights leaves old ones in use. */
static void test_panels(void **state) {
  enum { WIDE = 130, OTHER = 100, SAMPLES = 20, CELLS = WIDE * OTHER };
  static const char *device[] = {"device: ideal\n",
                                 "device: {model: linear, leak: {lifetime: 100}}\n"};
  static mho_real w[CELLS], in[SAMPLES * WIDE], plain[SAMPLES * WIDE], packed[SAMPLES * WIDE];
  int16_t one[MHO_DEVICE_BLOCK];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    one[i] = 1;
  for (uint32_t i = 0; i < WIDE; i++)
    fill(w + i * OTHER, OTHER, i, 0.5);
  fill(in, SAMPLES * WIDE, WIDE, 1);
  for (int d = 0; d < MHO_COUNT(device); d++) {
    mho_experiment *e = experiment(device[d]);
    mho_crossbar *x = crossbar(e, WIDE, OTHER);
    for (int change = 0; change < 4; change++) {
      mho_pulse_counts counts = {0};
      if (change == 0)
        mho_crossbar_set(x, 0, CELLS, w);
      else if (change == 1)
        mho_crossbar_add(x, 3 * OTHER, OTHER, w, 1);
      else if (x->bank[0] && change == 2)
        mho_crossbar_change(x, 40, 100, one, 1, &counts);
      else if (x->bank[0])
        mho_crossbar_leak(x, 0, CELLS);
      else
        continue;
      assert_null(mho_crossbar_panel(x, false));
      assert_null(mho_crossbar_panel(x, true));
      for (int way = 0; way < 2; way++) {
        mho_read r = {.transposed = way, .n = SAMPLES, .x = in, .y = plain, .scale = (mho_real)0.3};
        mho_crossbar_unpack(x);
        mho_crossbar_read(x, &r);
        pack(x);
        /* where libxsmm is not, panels are of no use */
        assert_int_equal(mho_crossbar_panel(x, way) != NULL,
                         mho_panels_pay(way ? WIDE : OTHER, way ? OTHER : WIDE));
        r.y = packed;
        mho_crossbar_read(x, &r);
        for (int i = 0; i < SAMPLES * (way ? WIDE : OTHER); i++)
          NEAR(packed[i], (double)plain[i], 0, 1e-5);
      }
    }
    mho_crossbar_free(x);
    mho_experiment_free(e);
  }
}

/* Sample variance of reads against sum_i x_i^2 (sigma+^2 + sigma-^2)/g_unit^2, from the
 * conductances in siemens. */
static void read_noise(const char *law, bool transposed) {
  enum { READS = 20000 };
  char yaml[256];
  snprintf(yaml, sizeof yaml,
           "device: {model: linear, g_min: 10 uS, g_max: 50 uS}\narray: {read_noise: 0.03, noise: "
           "{law: %s}}\n",
           law);
  mho_experiment *e = experiment(yaml);
  mho_crossbar *x = crossbar(e, ROWS, COLS);
  int in = transposed ? COLS : ROWS, out = transposed ? ROWS : COLS;
  mho_real w[ROWS * COLS], v[ROWS], mean[ROWS], y[ROWS], scratch[4 * ROWS * COLS];
  double sum[ROWS] = {0}, squares[ROWS] = {0};
  fill(w, ROWS * COLS, 1, 0.5);
  fill(v, (size_t)in, 2, 1);
  mho_crossbar_set(x, 0, ROWS * COLS, w);
  for (int r = 0; r < READS; r++) {
    mho_crossbar_read(x, &(mho_read){.transposed = transposed,
                                     .n = 1,
                                     .x = v,
                                     .y = y,
                                     .scale = 1,
                                     .clock = {.update = (uint64_t)r},
                                     .scratch = scratch});
    for (int j = 0; j < out; j++) {
      sum[j] += (double)y[j];
      squares[j] += (double)y[j] * (double)y[j];
    }
  }

  const mho_array_model *noisy = x->model;
  x->model = (const mho_array_model *)mho_registry_find(registry, MHO_KIND_ARRAY, "ideal");
  read_one(x, transposed, v, mean);
  x->model = noisy; /* which frees what it has attached */
  double unit = (e->device_config.g_max - e->device_config.g_min) / x->w_max, chi = 0;
  for (int j = 0; j < out; j++) {
    double var = 0, m = sum[j] / READS;
    for (int i = 0; i < in; i++) {
      size_t cell = transposed ? (size_t)(j * COLS + i) : (size_t)(i * COLS + j);
      double range = e->device_config.g_max - e->device_config.g_min;
      double sp = 0.03 * (*law == 'c' ? range : mho_cells_siemens(x->bank[0], cell));
      double sn = 0.03 * (*law == 'c' ? range : mho_cells_siemens(x->bank[1], cell));
      var += (double)v[i] * (double)v[i] * (sp * sp + sn * sn) / (unit * unit);
    }
    NEAR(m, mean[j], 0, 5 * sqrt(var / READS));
    NEAR(squares[j] / READS - m * m, var, 5 * sqrt(2.0 / READS), 0);
    chi += (squares[j] / READS - m * m) / var / out;
  }

  NEAR(chi, 1, 0, 5 * sqrt(2.0 / READS / out));
  mho_crossbar_free(x);
  mho_experiment_free(e);
}

static void test_read_noise(void **state) {
  for (int transposed = 0; transposed < 2; transposed++) {
    read_noise("constant", transposed);
    read_noise("proportional", transposed);
  }
}

/* When noise is drawn anew: at every product, once a phase, once a sample. */
static void test_redraw(void **state) {
  static const char *kinds[] = {"read", "phase", "sample"};
  for (int k = 0; k < 3; k++) {
    char yaml[128];
    snprintf(yaml, sizeof yaml, "device: linear\narray: {read_noise: 0.1, noise: {redraw: %s}}\n",
             kinds[k]);
    mho_experiment *e = experiment(yaml);
    mho_crossbar *x = crossbar(e, 4, 1);
    mho_real v[] = {1, 2, 3, 4}, y[4], scratch[64];
    const mho_clock clocks[] = {{1, 0, 1}, {1, 0, 2}, {1, 1, 1}, {2, 0, 1}};
    for (int i = 0; i < 4; i++)
      mho_crossbar_read(
          x, &(mho_read){
                 .n = 1, .x = v, .y = &y[i], .scale = 1, .clock = clocks[i], .scratch = scratch});
    assert_int_equal(y[0] == y[1], k >= 1); /* another step */
    assert_int_equal(y[0] == y[2], k == 2); /* another phase */
    assert_false(y[0] == y[3]);             /* another batch */
    mho_crossbar_free(x);
    mho_experiment_free(e);
  }
}

/* What a scheme brings about, summed over many small wanted changes, is what was asked for. */
static void scheme_mean(const char *scheme, const char *device) {
  enum { N = 2048, STEPS = 40 };
  char yaml[256];
  snprintf(yaml, sizeof yaml, "device: {model: %s, %s}\nupdate: {scheme: %s}\n", device,
           strcmp(device, "nl_pulse") ? "cycle_to_cycle: 0.3" : "pulse_noise: 0.0003", scheme);
  mho_experiment *e = experiment(yaml);
  const mho_scheme *s = (const mho_scheme *)e->scheme.entry;
  mho_crossbar *x = crossbar(e, N / 16, 16);
  double step = 2 * x->w_max *
                mho_device_nominal_step((const mho_device_model *)e->device.entry, e->device.params,
                                        &e->device_config);
  mho_real dw[N], chi[N] = {0};
  for (int i = 0; i < N; i++)
    dw[i] = (mho_real)(0.3 * step * (i % 2 ? 1 : -1));
  mho_pulse_counts counts = {0};
  for (uint64_t t = 0; t < STEPS; t++)
    s->apply(&(mho_program_job){.xb = x,
                                .params = e->scheme.params,
                                .n = N,
                                .dw = dw,
                                .state = chi,
                                .nominal_step = step,
                                .update = t,
                                .rounding = mho_rng_make(1, MHO_RNG_ROUND, 0)},
             &counts);

  double moved = 0;
  for (int i = 0; i < N; i++)
    moved += (double)(mho__crossbar_programmed(x)[i] + chi[i]) * (i % 2 ? 1 : -1) /
             N; /* what waits in an accumulator is not lost */

  /* noise of the mean: STEPS * 0.3 pulses of 30 % on N pairs, and rounding; small steps around
   * mid range are even */
  NEAR(moved, STEPS * 0.3 * step, 0.02, 0);
  if (strcmp(scheme, "exact"))
    assert_true(counts.set > 0 && counts.reset > 0);
  mho_crossbar_free(x);
  mho_experiment_free(e);
}

static void test_schemes(void **state) {
  static const char *devices[] = {"linear", "soft_bounds", "nl_pulse"};
  for (int i = 0; i < mho_registry_count(registry, MHO_KIND_SCHEME); i++)
    for (int d = 0; d < 3; d++) {
      const mho_scheme *s = (const mho_scheme *)mho_registry_at(registry, MHO_KIND_SCHEME, i);
      if (s->apply &&
          strcmp(s->entry.id, "sign")) /* which forgets; tests/property/program.c has the others */
        scheme_mean(s->entry.id, devices[d]);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_read),       cmocka_unit_test(test_panels),
      cmocka_unit_test(test_read_noise), cmocka_unit_test(test_redraw),
      cmocka_unit_test(test_schemes),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
