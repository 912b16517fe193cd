/* ode_network.h - a network in continuous time: the differential equations of a group of
 * samples.
 *
 * Time is counted in tau, so that all numbers are near 1. With a_l the currents into layer l, s
 * = rho(u) and p, q what its neurons put on the forward and the feedback lines,
 *
 *   tau_i du/dt = -u + a,  |du/dt| <= slew_i
 *   a_l = f_in x W_0 + sum_forward alpha p W + sum_feedback beta_i q B - f_err nudge (o - t) B
 *   line:      tau_line dp/dt = s - p                 (else p = s)
 *   amplifier: tau_amp dr/dt = s - r, tau_line dq/dt = r - q   (else q = s, or one of the two)
 *
 * f_in, f_err: how the input and the nudge come on, through their lines. A group is one system
 * for the steppers: they share the step. Everything is in double precision, but arrays that are
 * no plain product are read in mho_real, and with a large error allowed (`coarse`) the products
 * and activities on the way are in mho_real too.
 *
 * A dynamics with rates of its own (nodes between resistors) has these instead, one state a unit,
 *
 *   tau dy/dt = rates(input(z), y)/tau_i,   z = activities(y)
 *
 * with what comes in read in mho_real. It has neither lags nor noise, and no implicit steppers.
 *
 * Pulled back towards the free phase with conductances k = c/(1 - c) (rule.adaptation), tau_i du/dt
 * gains -k (u - u_free), and of the difference -k v.
 *
 * The difference itself (mode `difference`), v = (u_free - u_nudged)/c_l with c_l = nudge
 * beta_i^h max|o - t|, obeys the same equations with rho replaced by (rho(a) - rho(a - c v))/c,
 * a the settled free potential, and links scaled as in sweep.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_ODE_NETWORK_H
#define MHO_SETTLE_ODE_NETWORK_H

#include "mho/model/num.h"
#include "settle/chunk.h"

/* Config keys of the ode settler. Times without a unit are in tau. */
typedef struct ode_params {
  int stepper;
  double tau;
  double tolerance, accuracy;
  int64_t group;
  double free, nudged, limit; /**< the state is read at this time; 0: when settled */
  int shape;
  double shape_time;
  double amplifier, line; /**< s */
  double white, flicker, noise_step, average;
} ode_params;
enum { SHAPE_STEP, SHAPE_RAMP, SHAPE_PULSE };

/* A first-order lag between a neuron's activity and what a link reads. */
typedef struct ode_lag {
  int layer;
  int source;  /**< another lag, or -1: the activity */
  int first;   /**< first state */
  double rate; /**< tau/its time constant */
} ode_lag;

typedef struct ode_network {
  const mho_network *net;
  const ode_params *p;
  int group;                 /**< most samples */
  int n_states;              /**< of a sample */
  int n_neurons;             /**< the first states are the potentials */
  int first[MHO_LAYERS_MAX]; /**< first potential of a layer */
  int n_lags;
  ode_lag lag[3 * MHO_LAYERS_MAX];
  /** The lags that forward and feedback links out of a layer read; -1: they read the activity. */
  int forward[MHO_LAYERS_MAX], feedback[MHO_LAYERS_MAX];

  double *s[MHO_LAYERS_MAX];     /**< [group x n] activities */
  double *input[MHO_LAYERS_MAX]; /**< [group x n] what the input brings; NULL where none comes in */
  double *error[MHO_LAYERS_MAX]; /**< [group x n] what a held error brings, with the nudge */
  double *base[MHO_LAYERS_MAX];  /**< [group x n] difference, or pulled: free potentials, */
  double *settled[MHO_LAYERS_MAX]; /**< and their activities */
  double *z[MHO_LAYERS_MAX];       /**< [group x n] for the moment */
  double **w; /**< [connections] weights of plain products among hidden layers, else NULL */
  mho_real *v[MHO_LAYERS_MAX]; /**< [group x n] activities, of a dynamics with rates of its own */
  mho_real *x, *y;             /**< [group x widest layer] */
  /** [group x classes] o - t that drives the error's lines, held or live. */
  double *present_error;

  /* The phase under way. */
  const mho_phase *phase;
  mho_phase group_phase; /**< the phase of this group alone, for reads and a live error */
  int sample0;           /**< number in the batch of the group's first sample */
  int real_samples;      /**< samples of the phase in the group ... */
  int samples;           /**< ... and copies of the first one behind them, up to this number */
  bool difference, nudged, live;
  /** mho_real serves for products and activities: the error allowed is far above its rounding. */
  bool coarse;
  double *strength;         /**< [group] difference: max|o - t| of a sample */
  double c[MHO_LAYERS_MAX]; /**< difference: nudge beta_i^h */
  double t0;                /**< tau since the input came on, when the phase begins */
  double t_nudge;           /**< the same since the nudge did */
  double pull;              /**< k, of the conductances that pull back; 0: none do */
} ode_network;

/** Number the states and make room for groups of up to `group` samples.
 *  @return MHO_OK; MHO_ECONFIG for convolutions and pooling of neurons, which have no equations
 *          here; MHO_ENOMEM. */
mho_err mho__ode_network_new(const mho_network *net, const ode_params *p, int group,
                             ode_network *out, mho_errinfo *ei);
void mho__ode_network_free(ode_network *o);

/** States of a sample. */
int mho__ode_network_states(const mho_network *net, const ode_params *p);
/** Take the weights as they are now. */
void mho__ode_network_weights(ode_network *o);
/** Begin samples sample0 .. sample0+n-1 of a phase, integrated as `padded` samples: inputs and
 * error, from drives that were read. */
void mho__ode_network_phase(ode_network *o, const mho_phase *phase, int sample0, int n, int padded,
                            bool difference, mho_settle_stats *stats);

/* Whether the dynamics of a network has rates of its own: resistors have. */
static inline bool ode_has_own_rates(const mho_network *net) {
  return net->resistive;
}
/* The sample of the batch that sample s of the group is, or is a copy of. */
static inline int ode_sample(const ode_network *o, int s) {
  return o->sample0 + (s < o->real_samples ? s : 0);
}
/* The states from `first` on in a stepper's vector y, whose blocks are [samples x n] one after
 * the other. */
static inline double *ode_block(const ode_network *o, double *y, int first) {
  return y + (size_t)first * (size_t)o->samples;
}
static inline const double *ode_const_block(const ode_network *o, const double *y, int first) {
  return y + (size_t)first * (size_t)o->samples;
}
/* Numbers of a stepper's vector. */
static inline size_t ode_numbers(const ode_network *o) {
  return (size_t)o->n_states * (size_t)o->samples;
}
/* Values of layer l for the samples of the group. */
static inline size_t ode_values(const ode_network *o, int l) {
  return (size_t)o->samples * (size_t)o->net->layer[l].n;
}

/** The rates, for mho_ode_system; user: an ode_network. */
bool mho__ode_network_rates(void *user, double t, const double *y, double *f);
/** The Jacobian of one sample (a group of 1). */
void mho__ode_network_jacobian(void *user, double t, const double *y, double *dfdy, double *dfdt);
/** Activities of state y into o->s (the scaled differences in mode difference). */
void mho__ode_network_activities(ode_network *o, const double *y);
/** residual[s] = largest |dx/dt| times its time constant, of sample s. */
void mho__ode_network_residual(const ode_network *o, const double *f, double *residual);
/** The samples of the group as they are in o->s, for hooks of a dynamics with rates of its own. */
mho_chunk mho__ode_network_chunk(ode_network *o);
/** How much of the input is on at time t of the phase. */
double mho__ode_network_input_on(const ode_network *o, double t);
/** How much of the nudge is on at time t of the phase. */
double mho__ode_network_nudge_on(const ode_network *o, double t);
/** tau until input and nudge are on to within the tolerance. */
double mho__ode_network_onset(const ode_network *o, double tolerance);
/** Lines that all links drive. */
int mho__ode_network_lines(const mho_network *net);
/** Squares of what drives the lines at time t for sample s, link after link,
 * [mho__ode_network_lines], in units of an activity: activities o->s and lags in y, times the
 * gain of the link's amplifiers. */
void mho__ode_network_squares(const ode_network *o, const double *y, double t, int s, double *out);

#endif
