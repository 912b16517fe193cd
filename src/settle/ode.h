/* ode.h - what the files of the ode settler share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_ODE_H
#define MHO_SETTLE_ODE_H

#include "base/streams.h"
#include "settle/ode_network.h"

enum {
  ODE_SIZES = 9,         /**< group sizes 1, 2, 4 .. 256 */
  ODE_SAMPLE_VALUES = 3, /**< values that the settler keeps of every sample of a group */
  ODE_FLICKER = 5,       /**< relaxations that make 1/f noise: a decade each */
  ODE_NOISE_STEPS = MHO_STREAM_ODE_STEPS, /**< most steps of a noisy phase */
};

/* What a thread settles with. */
typedef struct ode_workspace {
  ode_network network;
  mho_ode *ode[ODE_SIZES];     /**< by size of the group; NULL with noise */
  double *y, *f;               /**< [states x group] */
  double *value;               /**< [ODE_SAMPLE_VALUES x group] */
  float *normal;               /**< [neurons x (1 + ODE_FLICKER)] */
  int64_t evaluations;         /**< of the rates in this phase */
  int n_lines;                 /**< that all links drive */
  double *squares;             /**< [group x lines] squares of what drives the lines now */
  double *dose;                /**< [group x lines] their integral over time, s */
  double *half_way;            /**< [lines] squares in the middle of a step, of one sample */
  double *y_before, *f_before; /**< [states x group] the state and its rates before a step */
  double *y_half;              /**< [states x group] the state half way */
} ode_workspace;

/** Whether the neurons have state noise. */
bool mho__ode_noisy(const ode_params *p);
/** Doubles that a sample carries from phase to phase in a state: its states, then its
 * relaxations of 1/f noise. */
static inline double *ode_memory(const mho_state *s, int sample) {
  return s->memory + (size_t)sample * s->memory_size;
}
/** Add to the doses what drove the lines from time t0 to t; t0 = t begins. Does nothing where
 * neither energy nor a meter is asked for. Leaves the activities of w->y in network.s.
 *  @param f  rates at t: Simpson's rule, with the state half way from a cubic through both ends;
 *          NULL: trapezoidal rule. */
void mho__ode_dose(ode_workspace *w, const double *f, double t0, double t);
/** Show the one sample's state at time t of the phase to the job's trace, if it has one. */
void mho__ode_watch(ode_workspace *w, int step, double t, double residual);
/** Euler-Maruyama to time `until` from state w->y; the activities to be read are left in
 * network.s. @return until. */
double mho__ode_noise_integrate(ode_workspace *w, double until);

#endif
