/* Studies: what a file varies becomes the points it should, and the study that is printed is the
 * study again.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/study.h"
#include "test.h"

static mho_registry *registry;

static mho_study *study_of(const char *text) {
  mho_errinfo ei = {0};
  mho_study *s = NULL;
  if (mho_study_text(registry, text, "here/test.yaml", 0, NULL, &s, &ei))
    fail_msg("%s", ei.message);
  return s;
}

static mho_plan plan_of(const char *text) {
  mho_errinfo ei = {0};
  mho_plan p;
  mho_study *s = study_of(text);
  if (mho_study_plan(s, registry, NULL, &p, &ei))
    fail_msg("%s", ei.message);
  mho_study_free(s);
  return p;
}

static void test_grid(void **state) {
  mho_plan p = plan_of("base: {train.epochs: 2}\n"
                       "vary:\n  update.rate: {from: 1e-4, to: 1e-2, steps: 3, scale: log}\n"
                       "  network.hidden: [[8], [8, 4]]\nseeds: [5, 7]\n");
  static const char *const labels[] = {"rate=0.0001 hidden=8", "rate=0.0001 hidden=8,4",
                                       "rate=0.001 hidden=8",  "rate=0.001 hidden=8,4",
                                       "rate=0.01 hidden=8",   "rate=0.01 hidden=8,4"};
  assert_int_equal(p.n_points, 6);
  assert_int_equal(p.n, 12);
  for (int i = 0; i < p.n; i++) {
    assert_string_equal(p.run[i].label, labels[i / 2]);
    assert_int_equal(p.run[i].seed, i % 2 ? 7 : 5);
    assert_int_equal(p.run[i].state, MHO_PLAN_NEW);
    for (int k = 0; k < i; k++)
      assert_string_not_equal(p.run[i].hash, p.run[k].hash);
  }
  mho_plan_free(&p);
}

/* Values that come out the same (whole numbers of a fine range, a value written twice) are
 * trained once. */
static void test_repeated(void **state) {
  mho_plan p =
      plan_of("vary: {train.epochs: {from: 1, to: 3, steps: 9}, update.rate: [0.01, 1e-2]}\n");
  assert_int_equal(p.n, 3);
  assert_int_equal(p.repeated, 15);
  mho_plan_free(&p);
}

static void test_points(void **state) {
  mho_plan p = plan_of("points: [{device: linear, update.scheme: pulses}, {device: ideal}]\n"
                       "vary: {train.epochs: [1, 2]}\n");
  assert_int_equal(p.n, 4);
  assert_string_equal(p.run[0].label, "device=linear scheme=pulses epochs=1");
  assert_string_equal(p.run[3].label, "device=ideal epochs=2");
  mho_plan_free(&p);
}

static double value_in(const char *label, const char *key) {
  const char *at = strstr(label, key);
  assert_non_null(at);
  return strtod(at + strlen(key), NULL);
}

/* Latin hypercube: each of n equal parts of each range is used once. The others stay in their
 * ranges, and the first samples of a longer random or Sobol study are those of a shorter one. */
static void test_samples(void **state) {
  enum { N = 16 };
  mho_plan p =
      plan_of("design: latin\nsamples: 16\nvary:\n  array.read_noise: {from: 0, to: 0.16}\n"
              "  update.rate: {from: 1e-4, to: 1e-2, scale: log}\n");
  bool noise[N] = {0}, rate[N] = {0};
  assert_int_equal(p.n, N);
  for (int i = 0; i < N; i++) {
    int a = (int)(value_in(p.run[i].label, "noise=") / 0.01),
        b = (int)(log10(value_in(p.run[i].label, "rate=") / 1e-4) / 2 * N);
    assert_true(a >= 0 && a < N && b >= 0 && b < N && !noise[a] && !rate[b]);
    noise[a] = rate[b] = true;
  }

  mho_plan_free(&p);
  for (int k = 0; k < 2; k++) {
    char text[2][256];
    for (int j = 0; j < 2; j++)
      snprintf(text[j], sizeof text[j],
               "design: %s\nsamples: %d\nvary:\n  array.read_noise: {from: 0, to: 0.16}\n"
               "  device.model: [linear, soft_bounds]\n",
               k ? "sobol" : "random", j ? 40 : 10);
    mho_plan less = plan_of(text[0]), more = plan_of(text[1]);
    int linear = 0;
    assert_int_equal(less.n, 10);
    assert_int_equal(more.n, 40);
    for (int i = 0; i < less.n; i++)
      assert_string_equal(less.run[i].hash, more.run[i].hash);
    for (int i = 0; i < more.n; i++) {
      double v = value_in(more.run[i].label, "noise=");
      assert_true(v >= 0 && v <= 0.16);
      linear += strstr(more.run[i].label, "linear") != NULL;
    }
    assert_true(linear > 8 && linear < 32);
    mho_plan_free(&less);
    mho_plan_free(&more);
  }
}

/* The printed study needs no other file and is the same study. */
static void test_round_trip(void **state) {
  static const char *const texts[] = {
      "study: \"it's \\\"so\\\"\"\nbase: {network.hidden: [8, 4], dataset.path: 'a b', "
      "device.model: soft_bounds}\nset: {train: {epochs: 2}}\nvary:\n  device.g_max: {from: 20 "
      "uS, to: 80 uS, steps: 3}\n  device.step_up, device.step_down: [0.001, 1e-2]\n  "
      "network.hidden: [[8], [4, 4]]\nseeds: 2\n",
      "design: sobol\nsamples: 8\ndesign_seed: 4\nstop: {rule: median, after: 2, runs: 3, margin: "
      "0.1}\n"
      "points: [{device: linear, update.scheme: pulses}, {device: ideal}]\n"
      "vary: {array.read_noise: {from: 1e-3, to: 1e-1, scale: log}}\n",
      "vary:\n  device: [{model: linear, g_max: 50 uS}, {model: soft_bounds, g_max: 50 uS}, "
      "ideal]\n  device.pulse: [{width: 1 us}]\n"};
  for (int i = 0; i < MHO_COUNT(texts); i++) {
    mho_study *s = study_of(texts[i]);
    char *yaml = mho_study_yaml(s);
    mho_plan a = plan_of(texts[i]), b = plan_of(yaml);
    mho_study *t = study_of(yaml);
    char *again = mho_study_yaml(t);
    assert_string_equal(yaml, again);
    assert_int_equal(a.n, b.n);
    for (int k = 0; k < a.n; k++)
      assert_string_equal(a.run[k].hash, b.run[k].hash);
    char *json = mho_study_json(s);
    assert_true(json && *json == '{');
    free(json);
    free(again);
    free(yaml);
    mho_study_free(t);
    mho_study_free(s);
    mho_plan_free(&a);
    mho_plan_free(&b);
  }
}

/* A value that sets nothing is none. */
static void test_empty_value(void **state) {
  mho_errinfo ei = {0};
  mho_study *s = NULL;
  mho_err err =
      mho_study_text(registry, "vary: {update.rate: [0.1, {}]}\n", "x.yaml", 0, NULL, &s, &ei);
  assert_int_equal(err, MHO_ECONFIG);
  assert_non_null(strstr(ei.message, "update.rate: {} sets nothing"));
}

/* Whatever is in a file, the answer is a study or a sentence. */
static void test_mutations(void **state) {
  static const char seed_text[] = "study: x\nbase: {train: {epochs: 2}}\nset: {network.hidden: "
                                  "[8]}\npoints: [{device: linear}, {device: "
                                  "ideal}]\n"
                                  "vary:\n  array.read_noise: {from: 1e-3, to: 1e-1, steps: 3, "
                                  "scale: log}\n  update.rate: [0.1, 0.2]\n"
                                  "seeds: [1, 2]\nstop: {rule: median, after: 2}\n";
  char text[sizeof seed_text];
  int good = 0;
  for (int i = 0; i < 3000; i++) {
    uint32_t r[8];
    mho_rng_u32(mho_rng_make(3, MHO_RNG_TEST, 0), (uint64_t)i, 0, 8, r);
    memcpy(text, seed_text, sizeof text);
    for (int k = 0; k < 1 + (int)(r[0] % 3); k++)
      text[r[2 * k + 1] % (sizeof text - 1)] = "{}[],: \n-x09.#&*"[r[2 * k + 2] % 16];
    mho_errinfo ei = {0};
    mho_study *s = NULL;
    mho_err err = mho_study_text(registry, text, "m.yaml", 0, NULL, &s, &ei);
    if (err)
      assert_true(mho_err_is_input(err) && *ei.message);
    else
      good++;
    mho_study_free(s);
  }

  assert_true(good > 30 && good < 2900);
}

int main(void) {
  mho_errinfo ei = {0};
  if (mho_registry_new(&registry, &ei))
    return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_grid),       cmocka_unit_test(test_repeated),
      cmocka_unit_test(test_points),     cmocka_unit_test(test_samples),
      cmocka_unit_test(test_round_trip), cmocka_unit_test(test_empty_value),
      cmocka_unit_test(test_mutations),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  mho_registry_free(registry);
  return failed;
}
