/* ode.h - what the files of the ode settler share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_ODE_H
#define MHO_SETTLE_ODE_H

#include "base/streams.h"
#include "settle/ode_circuit.h"

enum {
  ODE_SIZES = 9, /* 1, 2, 4 .. 256 samples */
  ODE_ROW_VALUES = 3,
  ODE_FLICKER = 5,                        /* relaxations that make 1/f noise: a decade each */
  ODE_NOISE_STEPS = MHO_STREAM_ODE_STEPS, /* most steps of a noisy phase */
};

/* What a thread settles with. */
typedef struct ode_workspace {
  ode_circuit circuit;
  mho_ode *ode[ODE_SIZES]; /* by size of the group; NULL with noise */
  double *y, *f;           /* [states x group] */
  double *row;             /* [ODE_ROW_VALUES x group] */
  float *normal;           /* [neurons x (1 + ODE_FLICKER)] */
  int64_t evaluations;     /* of the rates in this phase */
  int n_lines;             /* that all links drive */
  double *squares,
      *dose;        /* [group x lines] what drives the lines now, and its integral over time, s */
  double *half_way; /* [lines] the same in the middle of a step, of one row */
  double *y_before, *f_before,
      *y_half; /* [states x group] the state and its rates before a step; half way */
} ode_workspace;

bool ode_noisy(const ode_params *p);
/** Add to the doses what drove the lines from time t0 to t; t0 = t begins. Does nothing where neither energy nor a meter
 *  is asked for. Leaves the activities of w->y in circuit.s.
 *  @param f  rates at t: Simpson's rule, with the state half way from a cubic through both ends; NULL: trapezoidal rule. */
void ode_dose(ode_workspace *w, const double *f, double t0, double t);
/** Show the one row's state at time t of the phase to whoever watches. */
void ode_watch(ode_workspace *w, int step, double t, double residual);
/** Euler-Maruyama to time `until` from state w->y; activities to be read into circuit.s. @return until. */
double ode_noise_integrate(ode_workspace *w, double until);

#endif
