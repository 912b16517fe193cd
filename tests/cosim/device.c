/* The subcircuit of every device model under 200 random pulses, against the core.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/check.h"
#include "mho/model/circuit.h"
#include "mho/spice.h"

#include "experiment.h"

enum { SKIPPED = 77, PULSES = 200 };

static int pulses; /* 200 in the slow suite */

/* Keys that bring a model away from its defaults, so that every parameter plays a part. */
static const char *const devices[] = {
    "{model: linear, slope_up: 0.6, slope_down: 0.3, step_up: 0.02, step_down: 0.015}",
    "{model: soft_bounds, step_up: 0.03, step_down: 0.02}",
    "{model: nl_pulse, nl_up: 2.4, nl_down: -4.88, pulses_up: 97, pulses_down: 100}",
    "{model: nl_pulse, nl_up: 0, nl_down: 1, pulses_up: 60, pulses_down: 50}",
};

/* Conductances of a cell as a training pulses it: by mho_cells_pulse, without noise and spread. */
static void pulse_bank(const mho_netlist_device *x, double *out) {
  mho_cells *c;
  mho_pulse_counts counts = {0};
  float start = (float)x->start;
  OK(mho_cells_new(x->model, x->params, x->config, 1, (mho_rng){0}, (mho_rng){0}, &c, &ei));
  mho_cells_set(c, 0, 1, &start);
  for (int k = 0; k < x->n; k++) {
    int16_t one = x->pulse[k];
    mho_cells_pulse(c, 0, 1, &one, (uint64_t)k, &counts);
    out[k] = mho_cells_siemens(c, 0);
  }
  mho_cells_free(c);
}

static void check(mho_spice *s, const mho_device_model *model, const void *params,
                  const mho_device_config *config, const char *name) {
  int8_t pulse[PULSES];
  double core[PULSES], spice[PULSES], bank[PULSES], least = INFINITY, most = 0, worst = 0;
  int at = 0;
  mho_netlist_random_pulses(3, pulses, pulse);
  mho_netlist_device x = {.model = model,
                          .params = params,
                          .config = config,
                          .n = pulses,
                          .pulse = pulse,
                          .start = 0.25};
  OK(mho_cosim_device_core(&x, core, &ei));
  pulse_bank(&x, bank);
  OK(mho_spice_device(s, &x, spice, &ei));
  for (int k = 0; k < pulses; k++) {
    double d = fabs(spice[k] - core[k]) / core[k];
    /* a bank's state is in single precision: half a unit of its last place a pulse, which may
     * add up */
    double rounding = (k + 1) * 0x1p-25 * (config->g_max - config->g_min);
    NEAR(bank[k], core[k], 1e-6, rounding);
    if (!(d <= 1e-6))
      fail_msg("%s: %.3g relative after pulse %d (%.9g S, the core has %.9g S)", name, d, k + 1,
               spice[k], core[k]);
    if (!(d <= worst)) {
      worst = d;
      at = k;
    }
    least = fmin(least, core[k]);
    most = fmax(most, core[k]);
  }

  if (getenv("MHO_TEST_SHOW"))
    print_message("%-12s %.3g .. %.3g S, largest relative difference %.2e after pulse %d\n", name,
                  least, most, worst, at + 1);
  assert_true(most > 1.02 * least); /* it moved */
}

static void test_every_model(void **state) {
  mho_device_config config;
  int n = 0;
  for (int i = 0; i < mho_registry_count(registry, MHO_KIND_DEVICE); i++) {
    const mho_device_model *m =
        (const mho_device_model *)mho_registry_at(registry, MHO_KIND_DEVICE, i);
    mho_choice c = {.entry = &m->entry};
    mho_params_init(mho_device_params, &config);
    mho_params_init(m->entry.params, c.params);
    if (!m->pulse) {
      char *text;
      mho_netlist_device x = {
          .model = m, .params = c.params, .config = &config, .n = 1, .pulse = &(int8_t){1}};
      assert_int_equal(mho_netlist_device_write(&x, &text, &ei), MHO_EUNSUPPORTED);
      continue;
    }
    if (mho_device_check(m, c.params, &config, &ei)) /* needs a file of the user's */
      continue;
    check(*state, m, c.params, &config, m->entry.id);
    n++;
  }
  assert_true(n >= 4);
}

static void test_other_parameters(void **state) {
  for (int i = 0; i < MHO_COUNT(devices); i++) {
    char yaml[256];
    snprintf(yaml, sizeof yaml, "device: %s\n", devices[i]);
    mho_experiment *e = experiment(yaml);
    check(*state, (const mho_device_model *)e->device.entry, e->device.params, &e->device_config,
          e->device.entry->id);
    mho_experiment_free(e);
  }
}

static int open_session(void **state) {
  return mho_spice_open((mho_spice **)state, &ei) ? -1 : setup_registry(NULL);
}

static int close_session(void **state) {
  mho_spice_close(*state);
  return teardown_registry(NULL);
}

int main(void) {
  mho_spice *s;
  pulses = getenv("MHO_TEST_SLOW") ? PULSES : 40;
  if (mho_spice_open(&s, &ei) == MHO_EUNSUPPORTED) {
    printf("skipped: %s\n", ei.message);
    return SKIPPED;
  }
  mho_spice_close(s);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_model),
      cmocka_unit_test(test_other_parameters),
  };
  return cmocka_run_group_tests(tests, open_session, close_session);
}
