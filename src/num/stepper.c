/* stepper.c - GSL's steppers with its driver, one step at a time.
 *
 * The driver (gsl_odeiv2_driver) holds stepper, control and evolution, which the multistep methods
 * need to know of each other; its own loop is not used, because a settle looks at the state after
 * every step.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_errno.h>
#include <gsl/gsl_odeiv2.h>
#include <math.h>

#include "mho/model/num.h"

struct mho_ode {
  mho_ode_system system;
  gsl_odeiv2_system gsl;
  gsl_odeiv2_driver *driver;
  void *user;
  double step; /* to try next */
  int64_t evaluations;
};

static const gsl_odeiv2_step_type *type_of(mho_ode_method m) {
  static const gsl_odeiv2_step_type *const *const type[MHO_ODE_METHODS] = {
      [MHO_ODE_RK2] = &gsl_odeiv2_step_rk2,       [MHO_ODE_RK4] = &gsl_odeiv2_step_rk4,
      [MHO_ODE_RKF45] = &gsl_odeiv2_step_rkf45,   [MHO_ODE_RKCK] = &gsl_odeiv2_step_rkck,
      [MHO_ODE_RK8PD] = &gsl_odeiv2_step_rk8pd,   [MHO_ODE_MSADAMS] = &gsl_odeiv2_step_msadams,
      [MHO_ODE_RK1IMP] = &gsl_odeiv2_step_rk1imp, [MHO_ODE_RK2IMP] = &gsl_odeiv2_step_rk2imp,
      [MHO_ODE_RK4IMP] = &gsl_odeiv2_step_rk4imp, [MHO_ODE_BSIMP] = &gsl_odeiv2_step_bsimp,
      [MHO_ODE_MSBDF] = &gsl_odeiv2_step_msbdf,
  };

  return (unsigned)m < MHO_ODE_METHODS ? *type[m] : NULL;
}

bool mho_ode_implicit(mho_ode_method method) {
  return method >= MHO_ODE_RK1IMP;
}

static int rates(double t, const double *y, double *dydt, void *params) {
  mho_ode *o = params;
  o->evaluations++;
  return o->system.rates(o->user, t, y, dydt) ? GSL_SUCCESS : GSL_EBADFUNC;
}

static int jacobian(double t, const double *y, double *dfdy, double *dfdt, void *params) {
  mho_ode *o = params;
  o->system.jacobian(o->user, t, y, dfdy, dfdt);
  return GSL_SUCCESS;
}

mho_err mho_ode_new(mho_ode_method method, const mho_ode_system *system, mho_ode **out,
                    mho_errinfo *ei) {
  *out = NULL;
  const gsl_odeiv2_step_type *type = type_of(method);
  if (!type || system->n < 1 || !system->rates || (mho_ode_implicit(method) && !system->jacobian))
    return mho_fail(ei, MHO_EINVAL, "no system of %d differential equations for stepper %d",
                    system->n, (int)method);

  mho_ode *o = mho_alloc(1, sizeof *o);
  if (!o)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d differential equations", system->n);

  o->system = *system;
  o->gsl = (gsl_odeiv2_system){rates, system->jacobian ? jacobian : NULL, (size_t)system->n, o};
  o->driver = gsl_odeiv2_driver_alloc_y_new(&o->gsl, type, 1, 1, 0);
  if (!o->driver) {
    mho_ode_free(o);
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d differential equations", system->n);
  }

  *out = o;
  return MHO_OK;
}

void mho_ode_free(mho_ode *o) {
  if (!o)
    return;
  if (o->driver)
    gsl_odeiv2_driver_free(o->driver);
  mho_free(o);
}

void mho_ode_start(mho_ode *o, void *user, double step, double absolute, double relative) {
  o->user = user;
  o->step = step;
  o->evaluations = 0;
  gsl_odeiv2_control_init(o->driver->c, absolute, relative, 1, 0);
  gsl_odeiv2_driver_reset(o->driver);
}

/* dy/dt at the present state, where the stepper has not left it behind. */
static mho_err find_rate(mho_ode *o, double t, const double *y, const double **rate) {
  gsl_odeiv2_evolve *e = o->driver->e;
  if (!o->driver->s->type->gives_exact_dydt_out && rates(t, y, e->dydt_out, o) != GSL_SUCCESS)
    return MHO_EDIVERGED;
  *rate = e->dydt_out;
  return MHO_OK;
}

mho_err mho_ode_step(mho_ode *o, double *t, double end, double *y, const double **rate) {
  gsl_odeiv2_driver *d = o->driver;
  double step = o->step;
  int status = gsl_odeiv2_evolve_apply(d->e, d->c, d->s, &o->gsl, t, end, &step, y);
  if (status != GSL_SUCCESS || !isfinite(step) || !(step > 0))
    return MHO_EDIVERGED;

  /* the last step of a stretch is cut short, and says nothing about the next */
  if (*t < end || step > o->step)
    o->step = step;
  return rate ? find_rate(o, *t, y, rate) : MHO_OK;
}

mho_err mho_ode_fixed_step(mho_ode *o, double *t, double step, double *y) {
  gsl_odeiv2_driver *d = o->driver;
  if (rates(*t, y, d->e->dydt_in, o) != GSL_SUCCESS)
    return MHO_EDIVERGED;

  const double *in = d->s->type->can_use_dydt_in ? d->e->dydt_in : NULL;
  int status = gsl_odeiv2_step_apply(d->s, *t, step, y, d->e->yerr, in, d->e->dydt_out, &o->gsl);
  *t += step;
  return status == GSL_SUCCESS ? MHO_OK : MHO_EDIVERGED;
}

int64_t mho_ode_evaluations(const mho_ode *o) {
  return o->evaluations;
}
