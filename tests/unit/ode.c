/* The wrapper of GSL's steppers: closed forms, orders of convergence, what diverges.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_errno.h>

#include "mho/model/num.h"
#include "test.h"

static mho_errinfo ei;
static const char *const names[] = {"rk2",    "rk4",    "rkf45",  "rkck",  "rk8pd", "msadams",
                                    "rk1imp", "rk2imp", "rk4imp", "bsimp", "msbdf"};

/* A damped oscillator driven by time: y0' = y1, y1' = -y0 - 0.4 y1 + cos t, and a nonlinear one
 * beside it, y2' = -y2^2, so that no method is exact. */
static bool rates(void *user, double t, const double *y, double *f) {
  f[0] = y[1];
  f[1] = -y[0] - 0.4 * y[1] + cos(t);
  f[2] = -y[2] * y[2];
  return true;
}

static void jacobian(void *user, double t, const double *y, double *dfdy, double *dfdt) {
  const double j[9] = {0, 1, 0, -1, -0.4, 0, 0, 0, -2 * y[2]};
  memcpy(dfdy, j, sizeof j);
  dfdt[0] = dfdt[2] = 0;
  dfdt[1] = -sin(t);
}

static const mho_ode_system oscillator = {3, rates, jacobian};

/* From rest: y0 = (sin t - e^{-t/5} sin(w t)/w)/0.4, w^2 = 1 - 0.2^2; y2 = 1/(1 + t). */
static void exact(double t, double *y) {
  double w = sqrt(0.96), d = exp(-0.2 * t);
  y[0] = (sin(t) - d * sin(w * t) / w) / 0.4;
  y[1] = (cos(t) - d * (cos(w * t) - 0.2 * sin(w * t) / w)) / 0.4;
  y[2] = 1 / (1 + t);
}

static double error_at(double t, const double *y) {
  double want[3], worst = 0;
  exact(t, want);
  for (int i = 0; i < 3; i++)
    worst = fmax(worst, fabs(y[i] - want[i]));
  return worst;
}

static void test_adaptive(void **state) {
  for (int m = 0; m < MHO_ODE_METHODS; m++) {
    /* a first-order method needs a step of the tolerance's size: less is asked of it */
    double tolerance = m == MHO_ODE_RK1IMP ? 1e-5 : 1e-8, t = 0, y[3] = {0, 0, 1}, f[3];
    const double *rate;
    mho_ode *o;
    int steps = 0;
    OK(mho_ode_new((mho_ode_method)m, &oscillator, &o, &ei));
    mho_ode_start(o, NULL, 1e-3, tolerance, 0);
    while (t < 10) {
      OK(mho_ode_step(o, &t, 10, y, &rate));
      rates(NULL, t, y, f);
      for (int i = 0; i < 3; i++)
        NEAR(rate[i], f[i], 0, 100 * tolerance);
      steps++;
    }
    print_message("  %s: %d steps, %lld evaluations, error %.1e\n", names[m], steps,
                  (long long)mho_ode_evaluations(o), error_at(t, y));
    assert_true(t == 10 && error_at(t, y) < 1000 * tolerance);
    assert_true(mho_ode_evaluations(o) >= steps);
    mho_ode_free(o);
  }
}

/* Error after t = 2 with steps of 2/n. */
static double fixed_error(int m, int n) {
  mho_ode *o;
  double t = 0, y[3] = {0, 0, 1};
  OK(mho_ode_new((mho_ode_method)m, &oscillator, &o, &ei));
  mho_ode_start(o, NULL, 1, 1e-12, 0);
  for (int i = 0; i < n; i++)
    OK(mho_ode_fixed_step(o, &t, 2.0 / n, y));
  mho_ode_free(o);
  return error_at(2, y);
}

/* The order with which steps of a fixed length converge. GSL goes on with the third-order result
 * of its (2,3) pair; bsimp extrapolates and the multistep methods choose their order, so they
 * have no fixed one. */
static void test_order(void **state) {
  static const struct {
    int method;
    double order;
    int n;
  } cases[] = {{MHO_ODE_RK2, 3, 64},    {MHO_ODE_RK4, 4, 32},   {MHO_ODE_RKF45, 5, 16},
               {MHO_ODE_RKCK, 5, 16},   {MHO_ODE_RK8PD, 8, 6},  {MHO_ODE_RK1IMP, 1, 256},
               {MHO_ODE_RK2IMP, 2, 64}, {MHO_ODE_RK4IMP, 4, 16}};
  for (int i = 0; i < MHO_COUNT(cases); i++) {
    double coarse = fixed_error(cases[i].method, cases[i].n),
           fine = fixed_error(cases[i].method, 2 * cases[i].n);
    double order = log2(coarse / fine);
    print_message("  %s: order %.2f (%.1e, %.1e)\n", names[cases[i].method], order, coarse, fine);
    NEAR(order, cases[i].order, 0, 0.5);
  }
}

/* y' = y^2 from 1 is infinite at t = 1; a right-hand side that refuses. */
static bool explode(void *user, double t, const double *y, double *f) {
  f[0] = y[0] * y[0];
  return isfinite(f[0]) && fabs(y[0]) < 1e100;
}
static void explode_jacobian(void *user, double t, const double *y, double *dfdy, double *dfdt) {
  dfdy[0] = 2 * y[0];
  dfdt[0] = 0;
}

static void test_diverging(void **state) {
  mho_ode_system s = {1, explode, explode_jacobian};
  for (int m = 0; m < MHO_ODE_METHODS; m++) {
    mho_ode *o;
    double t = 0, y = 1;
    mho_err err = MHO_OK;
    OK(mho_ode_new((mho_ode_method)m, &s, &o, &ei));
    mho_ode_start(o, NULL, 0.01, 1e-6, 1e-6);
    for (int i = 0; i < 100000 && !err && t < 1.5; i++)
      err = mho_ode_step(o, &t, 1.5, &y, NULL);
    assert_int_equal(err, MHO_EDIVERGED);
    assert_true(t < 1.01);
    mho_ode_free(o);
  }
  mho_ode *o;
  assert_int_equal(mho_ode_new(MHO_ODE_MSBDF, &(mho_ode_system){1, explode, NULL}, &o, &ei),
                   MHO_EINVAL);
  assert_int_equal(mho_ode_new(MHO_ODE_RK4, &(mho_ode_system){0, explode, NULL}, &o, &ei),
                   MHO_EINVAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_adaptive),
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_diverging),
  };
  gsl_set_error_handler_off();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
