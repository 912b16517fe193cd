/* Fits recover what synthetic pulse data were made with, and stand noise, outliers, gaps and
 * nonsense.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <unistd.h>

#include "experiment.h"
#include "mho/model/check.h"
#include "mho/model/num.h"

static char path[] = "/tmp/mho-pulses-XXXXXX";

static int setup(void **state) {
  mho_blas_init();
  close(mkstemp(path));
  return setup_registry(state);
}
static int teardown(void **state) {
  remove(path);
  return teardown_registry(state);
}

typedef struct recipe {
  const char *yaml;  /* the true device */
  const char *check; /* parameters to be recovered, blanks between; "" for none but the noise */
  int devices, cycles, up, down;
  double read; /* noise of a reading, of the range */
  bool keep_range;
} recipe;

static double real_of(const mho_experiment *e, const char *name) {
  const mho_param *p = mho_params_find(e->device.entry->params, name);
  if (p)
    return *(const double *)(const void *)(e->device.params + p->offset);
  p = mho_params_find(mho_device_params, name);
  assert_non_null(p);
  return *(const double *)(const void *)((const char *)&e->device_config + p->offset);
}

/* Pulse data as an instrument would write them; spoiled: NaN, outliers, tracks of unequal
 * lengths. */
static void measure(const mho_experiment *e, const recipe *r, uint64_t seed, bool spoiled) {
  FILE *f = fopen(path, "w");
  mho_cells *c;
  OK(mho_cells_new((const mho_device_model *)e->device.entry, e->device.params, &e->device_config,
                   (size_t)r->devices, mho_rng_make(seed, MHO_RNG_CHIP, 0),
                   mho_rng_make(seed, MHO_RNG_PULSE, 0), &c, &ei));
  double range = c->g_max - c->g_min;
  mho_pulse_counts counts = {0};
  float *xi = malloc((size_t)r->devices * sizeof *xi), *u = malloc((size_t)r->devices * sizeof *u);
  int16_t *one = malloc((size_t)r->devices * sizeof *one);
  float *low = malloc((size_t)r->devices * sizeof *low);
  fprintf(f, "# synthetic\ndevice,cycle,pulse,direction,g\n");
  uint64_t step = 0;
  for (int cycle = 0; cycle < r->cycles; cycle++) {
    for (int i = 0; i < r->devices; i++)
      low[i] = c->low[c->varied ? i : 0];
    mho_cells_set(c, 0, r->devices, low);
    for (int k = 0; k <= r->up + r->down; k++, step++) {
      int dir = k <= r->up ? 1 : -1, number = k <= r->up ? k : k - r->up;
      for (int i = 0; i < r->devices; i++)
        one[i] = (int16_t)(k ? dir : 0);
      mho_cells_pulse(c, 0, r->devices, one, step, &counts);
      mho_rng_normal(mho_rng_make(seed, MHO_RNG_READ, 0), step, 0, (size_t)r->devices, xi);
      mho_rng_uniform(mho_rng_make(seed, MHO_RNG_TEST, 0), step, 0, (size_t)r->devices, u);
      for (int i = 0; i < r->devices; i++) {
        double g = mho_cells_siemens(c, (size_t)i) + range * r->read * (double)xi[i];
        if (spoiled && k > r->up + r->down - 7 * i)
          continue;
        if (spoiled && u[i] < 0.02f)
          fprintf(f, "d%d,%d,%d,%s,nan\n", i, cycle, number, dir > 0 ? "up" : "down");
        else
          fprintf(f, "d%d,%d,%d,%s,%.9g\n", i, cycle, number, dir > 0 ? "up" : "down",
                  spoiled && u[i] > 0.99f ? 5 * c->g_max : g);
      }
    }
  }

  fclose(f);
  free(xi);
  free(u);
  free(one);
  free(low);
  mho_cells_free(c);
}

static mho_err fit(const mho_experiment *e, const recipe *r, mho_fit *out) {
  mho_pulse_data d;
  OK(mho_pulse_data_read(path, NULL, &d, &ei));
  const mho_device_model *model = (const mho_device_model *)e->device.entry;
  /* what is fitted starts from the model's defaults, the rest is known */
  unsigned char params[MHO_CHOICE_MAX];
  memcpy(params, e->device.params, sizeof params);
  for (int i = 0; i < model->entry.params.n; i++) {
    const mho_param *p = &model->entry.params.p[i];
    if (p->kind == MHO_PARAM_REAL && strstr(model->fit, p->name))
      *(double *)(void *)(params + p->offset) = p->initial;
  }
  mho_device_config config;
  mho_params_init(mho_device_params, &config);
  config.g_min = e->device_config.g_min;
  config.g_max = e->device_config.g_max;
  mho_err err = mho_device_fit(model, params, &config, &d,
                               &(mho_fit_options){.keep_range = r->keep_range}, out, &ei);
  mho_pulse_data_free(&d);
  return err;
}

static const recipe recipes[] = {
    {"device: {model: linear, step_up: 0.01, step_down: 0.008, slope_up: 0.4, slope_down: 0.6, "
     "cycle_to_cycle: 0.5, variation: {step: 0.1}}",
     "step_up step_down slope_up slope_down", 8, 2, 70, 70, 0, true},
    {"device: {model: soft_bounds, step_up: 0.03, step_down: 0.04, cycle_to_cycle: 0.3, variation: "
     "{step: 0.1, asymmetry: 0.05}}",
     "step_up step_down g_min g_max", 8, 2, 120, 120, 0.002, false},
    {"device: {model: exp_step, step_up: 0.004, step_down: 0.003, a_up: -2, a_down: -1, gamma_up: "
     "3, gamma_down: 4, cycle_to_cycle: 0.5}",
     "step_up step_down a_up a_down gamma_up gamma_down", 8, 3, 100, 120, 0, true},
    {"device: {model: nl_pulse, nl_up: 2.4, nl_down: -3, pulses_up: 97, pulses_down: 100, "
     "pulse_noise: 0.005}",
     "nl_up nl_down pulses_up pulses_down", 8, 2, 90, 90, 0, true},
    {"device: {model: nl_pulse, nl_up: 1.5, nl_down: -1, pulses_up: 97, pulses_down: 100}",
     "nl_up nl_down pulses_up pulses_down", 6, 2, 90, 90, 0.01, true},
    {"device: {model: pow_step, step_up: 0.03, step_down: 0.02, gamma_up: 1.6, gamma_down: 1.3, "
     "cycle_to_cycle: 0.3}",
     "step_up step_down gamma_up gamma_down", 8, 2, 100, 120, 0.001, true},
    {"device: {model: pcm, cycle_to_cycle: 0.2, noise_add: 0.002, variation: {step: 0.1}, reset: "
     "0.01}",
     "step_up a_up k", 12, 6, 40, 1, 0, true},
    {"device: {model: linear_ion, p: 2, cycle_to_cycle: 0.3, g_min: 10 uS, g_max: 100 uS, width: 1 "
     "ms}",
     "speed p", 6, 2, 50, 50, 0.001, true},
    {"device: {model: vteam, k_set: 20, k_reset: 15, p: 1.5, cycle_to_cycle: 0.3}",
     "k_set k_reset p", 6, 2, 50, 50, 0.001, true},
    {"device: {model: yakopcic, width: 10 us, cycle_to_cycle: 0.3}", "a_p a_n alpha_p alpha_n", 6,
     2, 70, 80, 0.001, true},
};

static void test_recovery(void **state) {
  int inside = 0, all = 0;
  for (int k = 0; k < MHO_COUNT(recipes); k++)
    for (uint64_t seed = 1; seed <= (getenv("MHO_TEST_SLOW") ? 4 : 1); seed++) {
      if (getenv("MHO_FIT_ONLY") && !strstr(recipes[k].yaml, getenv("MHO_FIT_ONLY")))
        continue;
      const recipe *r = &recipes[k];
      mho_experiment *e = experiment(r->yaml);
      mho_fit f;
      measure(e, r, seed, false);
      mho_err err = fit(e, r, &f);
      if (err)
        fail_msg("%s: %s", r->yaml, ei.message);
      int found = 0;
      for (int i = 0; i < f.n; i++) {
        const mho_fit_value *v = &f.value[i];
        if (!strstr(r->check, v->name))
          continue;
        double truth = real_of(e, v->name);
        found++;
        all++;
        inside += truth >= v->low && truth <= v->high;
        if (getenv("MHO_FIT_SHOW"))
          printf("%-12s %-12s true %-12g fit %-12g +- %-10.3g %s\n", e->device.entry->id, v->name,
                 truth, v->value, v->error, truth >= v->low && truth <= v->high ? "" : "OUT");
        if (fabs(v->value - truth) > 4.5 * v->error + 1e-4 * fabs(truth))
          fail_msg("%s, seed %d: %s is %g +- %g, true %g", e->device.entry->id, (int)seed, v->name,
                   v->value, v->error, truth);
        assert_true(v->error < 0.7 * fabs(truth) + 0.1); /* the intervals say something */
      }
      int words = 1;
      for (const char *p = r->check; (p = strchr(p, ' ')); p++)
        words++;
      assert_int_equal(found, words);
      assert_true(f.explained > 0.9);
      if (getenv("MHO_FIT_SHOW"))
        printf("   noise: relative %g add %g read %g; spread %g +- %g, asymmetry %g +- %g; "
               "explained %g\n",
               f.pulse_relative, f.pulse_add, f.read / (f.config.g_max - f.config.g_min),
               f.spread_step, f.spread_step_error, f.spread_asymmetry, f.spread_asymmetry_error,
               f.explained);
      mho_fit_free(&f);
      mho_experiment_free(e);
    }

  if (getenv("MHO_FIT_SHOW"))
    printf("%d of %d within their 95 %% interval\n", inside, all);
  assert_true(inside >= 0.85 * all);
}

/* Noise, NaN, outliers, tracks of unequal lengths: close to the truth all the same. */
static void test_spoiled(void **state) {
  const recipe r = {"device: {model: soft_bounds, step_up: 0.03, step_down: 0.04, cycle_to_cycle: "
                    "0.3, variation: {step: 0.15}}",
                    "",
                    8,
                    2,
                    100,
                    100,
                    0.005,
                    true};
  mho_experiment *e = experiment(r.yaml);
  mho_fit f;
  measure(e, &r, 3, true);
  OK(fit(e, &r, &f));
  assert_true(f.missing > 20 && f.outliers > 5 && f.outliers < 200 && f.devices == 8 &&
              f.tracks == 16);
  for (int i = 0; i < f.n; i++)
    NEAR(f.value[i].value, real_of(e, f.value[i].name), 0.15, 0);
  NEAR(f.read / (f.config.g_max - f.config.g_min), 0.005, 0.4, 0);
  NEAR(f.spread_step, 0.15, 0.7, 0);
  assert_true(f.explained > 0.95);

  /* the card of the fit is a device that trains with these values */
  char *card = mho_fit_card(&f, "pulses \"of\" mine: 1"), card_path[64], yaml[96];
  snprintf(card_path, sizeof card_path, "%s.yaml", path);
  FILE *out = fopen(card_path, "w");
  fputs(card, out);
  fclose(out);
  snprintf(yaml, sizeof yaml, "device: {card: %s}", card_path);
  mho_experiment *again = experiment(yaml);
  NEAR(real_of(again, "step_up"), f.value[0].value, 1e-5, 0);
  NEAR(again->device_config.spread_step, f.spread_step, 1e-4, 0);
  mho_experiment_free(again);
  remove(card_path);
  free(card);
  mho_fit_free(&f);
  mho_experiment_free(e);
}

/* The table model: the curve of the data within their noise, rising and falling strictly. */
static void test_table(void **state) {
  const recipe r = {"device: {model: nl_pulse, nl_up: 2, nl_down: -2, pulses_up: 60, pulses_down: "
                    "60, pulse_noise: 0.004}",
                    "",
                    9,
                    3,
                    60,
                    60,
                    0.005,
                    true};
  mho_experiment *e = experiment(r.yaml);
  measure(e, &r, 4, false);
  mho_pulse_data d;
  double g_min, g_max;
  char *csv, *line, *save = NULL;
  OK(mho_pulse_data_read(path, NULL, &d, &ei));
  OK(mho_pulse_table(&d, &g_min, &g_max, &csv, &ei));
  mho_cells *c;
  OK(mho_cells_new((const mho_device_model *)e->device.entry, e->device.params, &e->device_config,
                   1, (mho_rng){0}, (mho_rng){0}, &c, &ei));
  double before = -1, x, up, down, range = c->g_max - c->g_min;
  float g = 0, step;
  int n = 0;
  for (line = strtok_r(csv, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
    if (sscanf(line, "%lf,%lf,%lf", &x, &up, &down) < 2)
      continue;
    mho_cells_set(c, 0, 1, &g);
    NEAR((up - c->g_min) / range, (double)g, 0, 0.03);
    assert_true(up > before);
    before = up;
    mho_cells_mean_step(c, 0, 1, &(float){1}, &step);
    g += step;
    n++;
  }

  assert_int_equal(n, 61);
  free(csv);
  mho_pulse_data_free(&d);
  mho_cells_free(c);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- data that cannot be fitted */

static void refused(const char *text, const char *says) {
  FILE *f = fopen(path, "w");
  fputs(text, f);
  fclose(f);
  mho_pulse_data d;
  mho_fit out = {0};
  ei = (mho_errinfo){0};
  mho_err err = mho_pulse_data_read(path, &(mho_pulse_format){.unit = "uS"}, &d, &ei);
  if (!err) {
    mho_experiment *e = experiment("device: {model: linear}");
    err = mho_device_fit((const mho_device_model *)e->device.entry, e->device.params,
                         &e->device_config, &d, &(mho_fit_options){0}, &out, &ei);
    if (!err)
      mho_fit_free(&out);
    mho_experiment_free(e);
    mho_pulse_data_free(&d);
  }
  if (!err || !mho_err_is_input(err) || !strstr(ei.message, says))
    fail_msg("'%.40s' gave '%s', expected '%s'", text, err ? ei.message : "a fit", says);
}

static void test_refused(void **state) {
  refused("", "no rows");
  refused("g\n1\n2\n", "direction");
  refused("pulse,direction\n1,up\n", "'g'");
  refused("direction,g\nup,1\nsideways,2\n", "sideways");
  refused("direction,g\nup,nan\nup,NA\nup,\n", "0 readings");
  refused("direction,g\nup,1\nup,x\nup,2\n", "'x' in column 'g' is no number");
  refused("direction,g\nup,5\nup,5\nup,5\nup,5\n", "never changes");
  refused("direction,g\nup,1\nup,2\nup,3\n", "too few");
  refused("pulse,direction,g\n2,up,1\n1,up,2\n2,up,3\n", "cycle");
  refused("pulse,direction,g\n-1,up,1\n1,up,2\n2,up,3\n", "whole number");

  /* a conductance that knows nothing of the pulses */
  char text[40000] = "direction,g\n";
  uint32_t w[400];
  mho_rng_u32(mho_rng_make(1, MHO_RNG_TEST, 0), 0, 0, 400, w);
  for (int i = 0; i < 400; i++)
    mho_text_append(text, sizeof text, "%s,%g\n", i % 2 ? "up" : "down", 10 + (w[i] >> 8) / 1e7);
  FILE *f = fopen(path, "w");
  fputs(text, f);
  fclose(f);
  mho_pulse_data d;
  mho_fit out;
  OK(mho_pulse_data_read(path, &(mho_pulse_format){.unit = "uS"}, &d, &ei));
  mho_experiment *e = experiment("device: {model: soft_bounds}");
  mho_err err = mho_device_fit((const mho_device_model *)e->device.entry, e->device.params,
                               &e->device_config, &d, &(mho_fit_options){0}, &out, &ei);
  assert_int_equal(err, MHO_EDATA);
  mho_experiment_free(e);
  mho_pulse_data_free(&d);
}

/* Mutations of a good file: a fit or a sentence, never a crash. */
static void test_fuzz(void **state) {
  static const char good[] =
      "device,cycle,pulse,direction,g\na,1,0,up,1\na,1,1,up,2\na,1,2,up,2.8\na,1,3,up,3.5\n"
      "a,1,1,down,3\na,1,2,down,2.5\nb,1,0,up,1\nb,1,1,up,2.1\nb,1,2,up,2.9\n";
  enum { N = sizeof good - 1 };
  uint32_t w[8];
  for (int trial = 0; trial < 1500; trial++) {
    char text[N + 1];
    memcpy(text, good, N);
    mho_rng_u32(mho_rng_make(5, MHO_RNG_TEST, 0), (uint64_t)trial, 0, 8, w);
    for (int k = 0; k < 1 + trial % 4; k++)
      text[w[k] % N] = (char)(w[k + 4] % 7 ? good[(w[k] >> 9) % N] : (char)(w[k + 4] >> 8));
    FILE *f = fopen(path, "w");
    fwrite(text, 1, N - (trial % 5 ? 0 : w[7] % N), f);
    fclose(f);
    mho_pulse_data d;
    if (mho_pulse_data_read(path, &(mho_pulse_format){.unit = "uS"}, &d, &ei))
      continue;
    for (int i = 0; i < d.n; i++)
      assert_true(d.count[i] >= 0 && (d.direction[i] == 1 || d.direction[i] == -1));
    mho_pulse_data_free(&d);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_recovery),
                                     cmocka_unit_test(test_spoiled), cmocka_unit_test(test_table),
                                     cmocka_unit_test(test_refused), cmocka_unit_test(test_fuzz)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
