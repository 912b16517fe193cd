/* Voltage-driven models against GSL's integrator, and the circuit text of every model against its
 * kernel.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_odeiv2.h>

#include "experiment.h"
#include "mho/model/check.h"

static mho_cells *cells_of(const mho_experiment *e, size_t n) {
  mho_cells *c;
  OK(mho_cells_new((const mho_device_model *)e->device.entry, e->device.params, &e->device_config,
                   n, mho_rng_make(1, MHO_RNG_CHIP, 0), mho_rng_make(1, MHO_RNG_PULSE, 0), &c,
                   &ei));
  return c;
}

static double real_param(const mho_experiment *e, const char *name) {
  const mho_param *p = mho_params_find(e->device.entry->params, name);
  assert_non_null(p);
  return *(const double *)(const void *)(e->device.params + p->offset);
}

/* dx/dt of the published equations, written anew. */
typedef struct ode {
  const mho_experiment *e;
  double v;
} ode;

static double window(const char *kind, double p, double x, bool up) {
  return !strcmp(kind, "none")       ? 1
         : !strcmp(kind, "joglekar") ? 1 - pow(2 * x - 1, 2 * p)
                                     : 1 - pow(up ? x : x - 1, 2 * p);
}

static int derivative(double t, const double *y, double *dy, void *user) {
  const ode *o = user;
  const char *id = o->e->device.entry->id;
  double x = fmin(fmax(y[0], 0), 1), v = o->v;
  char kind[32] = "";
  const mho_param *w = mho_params_find(o->e->device.entry->params, "window");
  if (w)
    mho_param_format(w, o->e->device.params, true, kind, sizeof kind);
  if (!strcmp(id, "linear_ion")) {
    double r = o->e->device_config.g_max / o->e->device_config.g_min;
    dy[0] = real_param(o->e, "speed") * v / (x + r * (1 - x)) *
            window(kind, real_param(o->e, "p"), x, v > 0);
  } else if (!strcmp(id, "vteam")) {
    double up = v / real_param(o->e, "threshold_set") - 1,
           down = v / real_param(o->e, "threshold_reset") - 1;
    dy[0] = (up > 0     ? real_param(o->e, "k_set") * pow(up, real_param(o->e, "alpha_set"))
             : down > 0 ? -real_param(o->e, "k_reset") * pow(down, real_param(o->e, "alpha_reset"))
                        : 0) *
            window(kind, real_param(o->e, "p"), x, v > 0);
  } else {
    double xp = real_param(o->e, "x_p"), xn = real_param(o->e, "x_n");
    if (v > real_param(o->e, "v_p"))
      dy[0] =
          real_param(o->e, "a_p") * (exp(v) - exp(real_param(o->e, "v_p"))) *
          (x >= xp ? exp(-real_param(o->e, "alpha_p") * (x - xp)) * ((xp - x) / (1 - xp) + 1) : 1);
    else
      dy[0] = -real_param(o->e, "a_n") * (exp(-v) - exp(real_param(o->e, "v_n"))) *
              (x <= 1 - xn ? exp(real_param(o->e, "alpha_n") * (x + xn - 1)) * x / (1 - xn) : 1);
  }

  return 0;
}

static double conductance(const mho_experiment *e, double x) {
  double r = e->device_config.g_max / e->device_config.g_min;
  char law[32] = "g_linear";
  const mho_param *p = mho_params_find(e->device.entry->params, "resistance");
  if (p)
    mho_param_format(p, e->device.params, true, law, sizeof law);
  if (!strcmp(e->device.entry->id, "linear_ion") || !strcmp(law, "r_linear"))
    return (r / (x + r * (1 - x)) - 1) / (r - 1);
  return !strcmp(law, "r_exponential") ? (pow(r, x) - 1) / (r - 1) : x;
}

static double integrate(const mho_experiment *e, double x, int dir) {
  ode o = {e, real_param(e, dir > 0 ? "v_set" : "v_reset")};
  gsl_odeiv2_system system = {derivative, NULL, 1, &o};
  double width = real_param(e, "width"), t = 0;
  gsl_odeiv2_driver *d =
      gsl_odeiv2_driver_alloc_y_new(&system, gsl_odeiv2_step_rk8pd, width / 100, 1e-12, 1e-12);
  assert_int_equal(gsl_odeiv2_driver_apply(d, &t, width, &x), 0);
  gsl_odeiv2_driver_free(d);
  return fmin(fmax(x, 0), 1);
}

static void test_against_gsl(void **state) {
  static const struct {
    const char *yaml;
    double tolerance; /* of the range */
  } cases[] = {
      {"device: {model: linear_ion}", 5e-7},
      {"device: {model: linear_ion, window: none}", 5e-7},
      {"device: {model: linear_ion, window: joglekar, p: 3}", 5e-7},
      {"device: {card: hp_tio2}", 1e-5},
      {"device: {model: vteam}", 1e-6},
      {"device: {model: vteam, width: 40 ms, p: 2}",
       1e-5}, /* up to 0.4 of the range in one pulse */
      {"device: {model: vteam, resistance: r_linear, window: joglekar}", 1e-6},
      {"device: {model: vteam, resistance: r_exponential, window: none}", 1e-6},
      {"device: {model: yakopcic}", 1e-6},
      {"device: {model: yakopcic, width: 250 us, alpha_n: 9}",
       5e-4}, /* 0.4 of the range, across a kink */
  };
  for (int k = 0; k < MHO_COUNT(cases); k++) {
    mho_experiment *e = experiment(cases[k].yaml);
    mho_cells *c = cells_of(e, 1);
    for (int i = 1; i < 40; i++)
      for (int dir = -1; dir <= 1; dir += 2) {
        double x = i / 40.0;
        float g = (float)conductance(e, x), step;
        mho_cells_set(c, 0, 1, &g);
        mho_cells_mean_step(c, 0, 1, &(float){(float)dir}, &step);
        double want = conductance(e, integrate(e, x, dir)) - conductance(e, x);
        if (fabs((double)step - want) > cases[k].tolerance)
          fail_msg("%s at x = %g, direction %d: step %.9g, GSL %.9g", cases[k].yaml, x, dir,
                   (double)step, want);
      }
    mho_cells_free(c);
    mho_experiment_free(e);
  }
}

/* What a read would move, against the laws: Yakopcic's and VTEAM's fastest state has F = 1;
 * linear ion drift in closed form, u' = sqrt(u^2 - 2 (r - 1) mu V t/D^2), g = (r/u - 1)/(r - 1),
 * r = 100. */
static double moved_by(const char *yaml, double v, double seconds, double *limit) {
  mho_experiment *e = experiment(yaml);
  const mho_device_model *m = (const mho_device_model *)e->device.entry;
  double moved = mho_device_read_disturb(m, e->device.params, &e->device_config, v, seconds);
  *limit = mho_device_read_limit(m, e->device.params, &e->device_config, v);
  mho_experiment_free(e);
  return moved;
}
static void test_reads(void **state) {
  double limit, want = 0;
  NEAR(moved_by("device: {model: yakopcic, v_n: 0.16 V}", 0.2, 100e-9, &limit),
       4000 * (exp(0.2) - exp(0.16)) * 100e-9, 1e-3, 0); /* 1.9e-5 */
  NEAR(limit, 0.16, 1e-6, 0);
  NEAR(moved_by("device: {model: yakopcic}", 0.2, 100e-9, &limit),
       4000 * (exp(0.2) - exp(0.15)) * 100e-9, 1e-3, 0);
  NEAR(limit, 0.15, 1e-6, 0);
  assert_true(moved_by("device: {model: yakopcic}", 0.149, 100e-9, &limit) == 0 && limit == 0.149);
  NEAR(moved_by("device: {model: vteam}", 0.6, 100e-9, &limit), 10 * pow(0.2, 3) * 100e-9, 1e-3, 0);
  NEAR(limit, 0.5, 1e-6, 0);
  double moved = moved_by("device: {model: linear_ion, window: none}", 0.2, 100e-9, &limit);
  for (int i = 0; i <= 1000; i++)
    for (int dir = -1; dir <= 1; dir += 2) {
      double g = i / 1000.0, u = 100 / (1 + 99 * g);
      double u2 = fmin(fmax(u * u - dir * 2 * 99 * 100 * 0.2 * 100e-9, 1), 1e4);
      want = fmax(want, fabs((100 / sqrt(u2) - 1) / 99 - g));
    }
  NEAR(moved, want, 0.01, 0);
  assert_true(limit == 0);
  assert_true(moved_by("device: {model: soft_bounds}", 0.2, 1, &limit) == 0 && limit == 0.2);
}

/* Pulses that do nothing, or too much at once, are refused with the key. */
static void test_refused(void **state) {
  static const struct {
    const char *yaml, *says;
  } bad[] = {{"device: {model: vteam, v_set: 0.4 V}", "device.v_set"},
             {"device: {model: vteam, v_reset: -0.4 V}", "device.v_reset"},
             {"device: {model: vteam, width: 1 s}", "device.width"},
             {"device: {model: yakopcic, v_set: 0.1 V}", "device.v_set"},
             {"device: {model: linear_ion, g_min: 0 S}", "device.g_min"},
             {"device: {model: linear_ion, width: 1 s}", "device.width"},
             {"device: {model: measured}", "device.table"},
             {"device: {model: measured, table: /nonexistent/t.csv}", "/nonexistent/t.csv"}};
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    mho_config *c;
    mho_experiment *e = NULL;
    OK(mho_config_new(&c, &ei));
    OK(mho_config_text(c, bad[i].yaml, "test", &ei));
    ei = (mho_errinfo){0};
    mho_err err = mho_experiment_new(registry, c, false, &e, &ei);
    if (!err || !mho_err_is_input(err) ||
        (!strstr(ei.message, bad[i].says) && !strstr(ei.file, bad[i].says)))
      fail_msg("%s: %s (%s)", bad[i].yaml, ei.message, ei.file);
    mho_config_free(c);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads),
                                     cmocka_unit_test(test_against_gsl),
                                     cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
