/* Every array model through the same checks: without errors it is the product with the effective
 * matrix, its transposed read is the adjoint, and a read depends on nothing but its own sample,
 * whatever it is read together with.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "crossbar.h"
#include "mho/model/entry.h"
#include "mho/spice.h"

enum { ROWS = 19, COLS = 13, SAMPLES = 21 };

/* Options that each model is tried with beside its defaults. */
static const char *const settings[][2] = {
    {"periphery", "read_noise: 0.02"},
    {"periphery", "read_noise: 0.02, noise: {law: proportional, redraw: phase}, average: 3"},
    {"periphery", "dac_bits: 6, adc_bits: 7"},
    {"periphery", "dac_bits: 6, adc_bits: 7, adc_range: fixed, adc_full_scale: 3, ranging: both"},
    {"periphery", "input_noise: 0.02, output_noise: 0.01, adc_bits: 8, average: 2"},
    {"spice", "reads: each"},
    {"periphery",
     "saturation: 2, mismatch: {gain: 0.1, offset: 0.1, input_gain: 0.1, input_offset: 0.1}"},
};

static mho_experiment *with(const char *model, const char *keys) {
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "device: {model: linear, g_min: 10 uS, g_max: 50 uS}\narray: {model: %s%s%s}\n", model,
           *keys ? ", " : "", keys);
  return experiment(yaml);
}

/* Whether there is the library that the array model spice needs. */
static bool ngspice(void) {
  mho_spice *s;
  bool found = !mho_spice_open(&s, &ei);
  if (found)
    mho_spice_close(s);
  return found;
}

static void each(void (*f)(const char *model, const char *keys)) {
  for (int i = 0; i < mho_registry_count(registry, MHO_KIND_ARRAY); i++)
    if (strcmp(mho_registry_at(registry, MHO_KIND_ARRAY, i)->id, "spice") || ngspice())
      f(mho_registry_at(registry, MHO_KIND_ARRAY, i)->id, "");
  for (int i = 0; i < MHO_COUNT(settings); i++)
    if (strcmp(settings[i][0], "spice") || ngspice())
      f(settings[i][0], settings[i][1]);
}

static mho_crossbar *weighted(const mho_experiment *e) {
  mho_real w[ROWS * COLS];
  mho_crossbar *x = crossbar(e, ROWS, COLS);
  fill(w, ROWS * COLS, 1, 0.5);
  mho_crossbar_set(x, 0, ROWS * COLS, w);
  return x;
}

/* Read samples first .. first+n-1 of v. */
static void read_some(const mho_crossbar *x, bool transposed, int first, int n, mho_clock clock,
                      const mho_real *v, mho_real *y) {
  int in = transposed ? COLS : ROWS, out = transposed ? ROWS : COLS;
  mho_real *scratch = mho_alloc(mho_crossbar_scratch(x, n) + 1, sizeof *scratch);
  mho_crossbar_read(x, &(mho_read){.transposed = transposed,
                                   .n = n,
                                   .x = v + first * in,
                                   .y = y + first * out,
                                   .scale = (mho_real)0.7,
                                   .clock = clock,
                                   .sample0 = first,
                                   .scratch = scratch});
  mho_free(scratch);
}

/* Defaults only: the exact product, bit for bit what the ideal model gives (ngspice: to
 * rounding), and its adjoint. */
static void exact(const char *model, const char *keys) {
  if (*keys)
    return;
  mho_experiment *e = with(model, keys), *ideal = with("ideal", "");
  mho_crossbar *x = weighted(e), *reference = weighted(ideal);
  mho_real a[SAMPLES * ROWS], b[SAMPLES * COLS], y[SAMPLES * COLS], back[SAMPLES * ROWS],
      want[SAMPLES * COLS];
  fill(a, SAMPLES * ROWS, 2, 0.5);
  fill(b, SAMPLES * COLS, 3, 0.5);
  bool spice = !strcmp(model, "spice");
  assert_false(mho_crossbar_noisy(x) || (mho_crossbar_lossy(x) && !spice));
  read_some(x, false, 0, SAMPLES, (mho_clock){1}, a, y);
  read_some(x, true, 0, SAMPLES, (mho_clock){1}, b, back);
  read_some(reference, false, 0, SAMPLES, (mho_clock){1}, a, want);
  for (int i = 0; i < SAMPLES * COLS && spice; i++)
    NEAR(y[i], want[i], 1e-6, 1e-6);
  if (!spice)
    assert_memory_equal(y, want, sizeof y);
  double forward = 0, backward = 0;
  for (int i = 0; i < SAMPLES * COLS; i++)
    forward += (double)y[i] * (double)b[i];
  for (int i = 0; i < SAMPLES * ROWS; i++)
    backward += (double)back[i] * (double)a[i];
  NEAR(forward, backward, 1e-5, 1e-5);
  mho_crossbar_free(x);
  mho_crossbar_free(reference);
  mho_experiment_free(e);
  mho_experiment_free(ideal);
}

/* A batch may be cut in any way: results do not depend on the number of threads. (A product of
 * other shape may round otherwise, which can move a number to the next code of a converter: then
 * by no more than a step.) */
static void independence(const char *model, const char *keys) {
  mho_experiment *e = with(model, keys);
  mho_crossbar *x = weighted(e);
  mho_real a[SAMPLES * ROWS], whole[SAMPLES * ROWS], again[SAMPLES * ROWS], parts[SAMPLES * ROWS];
  for (int transposed = 0; transposed < 2; transposed++) {
    int out = transposed ? ROWS : COLS;
    mho_clock clock = {7, 1, 3};
    fill(a, SAMPLES * ROWS, 4, 0.4);
    read_some(x, transposed, 0, SAMPLES, clock, a, whole);
    read_some(x, transposed, 0, SAMPLES, clock, a, again);
    assert_memory_equal(whole, again, (size_t)(SAMPLES * out) * sizeof *whole);
    for (int first = 0; first < SAMPLES; first += 4)
      read_some(x, transposed, first, SAMPLES - first < 4 ? SAMPLES - first : 4, clock, a, parts);
    int apart = 0;
    for (int i = 0; i < SAMPLES * out; i++)
      apart += fabs((double)(whole[i] - parts[i])) > 1e-5;
    if (apart > 2)
      fail_msg("%s {%s}: %d of %d numbers depend on what is read together", model, keys, apart,
               SAMPLES * out);
  }
  mho_crossbar_free(x);
  mho_experiment_free(e);
}

/* y = keep y + scale read, for every model. */
static void accumulation(const char *model, const char *keys) {
  mho_experiment *e = with(model, keys);
  mho_crossbar *x = weighted(e);
  mho_real a[ROWS], once[COLS], y[COLS], scratch[4096];
  fill(a, ROWS, 5, 0.4);
  assert_true(mho_crossbar_scratch(x, 1) <= 4096);
  for (int j = 0; j < COLS; j++)
    y[j] = (mho_real)j;
  mho_read r = {.n = 1, .x = a, .y = once, .scale = 1, .scratch = scratch};
  mho_crossbar_read(x, &r);
  r.y = y;
  r.keep = (mho_real)0.5;
  r.scale = 2;
  mho_crossbar_read(x, &r);
  for (int j = 0; j < COLS; j++)
    NEAR(y[j], 0.5 * j + 2 * (double)once[j], 1e-5, 1e-5);
  mho_crossbar_free(x);
  mho_experiment_free(e);
}

/* What a trial adds is in every model's reads, both ways: defaults give size (v a) b exactly. */
static void perturbed(const char *model, const char *keys) {
  if (*keys)
    return;
  mho_experiment *e = with(model, keys);
  mho_crossbar *x = weighted(e);
  mho_real row[SAMPLES * ROWS], col[SAMPLES * COLS], v[SAMPLES * ROWS], plain[SAMPLES * ROWS],
      y[SAMPLES * ROWS];
  mho_perturbation p = mho_crossbar_perturbation(x, MHO_SHAPE_RANK1);
  p.size = 0.1;
  p.samples = SAMPLES;
  p.row = row;
  p.col = col;
  mho_perturbation_draw(&p, 1, 1);
  fill(v, SAMPLES * ROWS, 6, 0.4);

  for (int transposed = 0; transposed < 2; transposed++) {
    int in = transposed ? COLS : ROWS, out = transposed ? ROWS : COLS;
    const mho_real *a = transposed ? col : row, *b = transposed ? row : col;
    mho_crossbar_perturb(x, NULL);
    read_some(x, transposed, 0, SAMPLES, (mho_clock){1}, v, plain);
    mho_crossbar_perturb(x, &p);
    read_some(x, transposed, 0, SAMPLES, (mho_clock){1}, v, y);
    for (int s = 0; s < SAMPLES; s++) {
      double q = 0;
      for (int i = 0; i < in; i++)
        q += (double)v[s * in + i] * (double)a[s * in + i];
      for (int j = 0; j < out; j++)
        NEAR((double)y[s * out + j] - (double)plain[s * out + j],
             0.7 * 0.1 * q * (double)b[s * out + j], 1e-5, 1e-6);
    }
  }
  mho_crossbar_free(x);
  mho_experiment_free(e);
}

static void test_exact(void **state) {
  each(exact);
}
static void test_independence(void **state) {
  each(independence);
}
static void test_accumulation(void **state) {
  each(accumulation);
}

static void test_perturbed(void **state) {
  each(perturbed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exact),
      cmocka_unit_test(test_independence),
      cmocka_unit_test(test_accumulation),
      cmocka_unit_test(test_perturbed),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
