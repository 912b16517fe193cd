/* ode_circuit.h - a network as a circuit: the differential equations of a group of samples.
 *
 * Time is counted in tau, so that all numbers are near 1. With a_l the currents into layer l, s = rho(u) and p, q what
 * its neurons put on the forward and the feedback lines,
 *
 *   tau_i du/dt = -u + a,  |du/dt| <= slew_i
 *   a_l = f_in x W_0 + sum_forward alpha p W + sum_feedback beta_i q B - f_err nudge (p - y) B
 *   line:      tau_line dp/dt = s - p                 (else p = s)
 *   amplifier: tau_amp dr/dt = s - r, tau_line dq/dt = r - q   (else q = s, or one of the two)
 *
 * f_in, f_err: how the input and the nudge come on, through their lines. A group is one system for the steppers: they
 * share the step. Everything is in double precision, but arrays that are no plain product are read in mho_real, and with
 * a large error allowed (`coarse`) the products and activities on the way are in mho_real too.
 *
 * The difference itself (mode `difference`), v = (u_free - u_nudged)/c_l with c_l = nudge beta_i^h max|p - y|, obeys
 * the same equations with rho replaced by (rho(a) - rho(a - c v))/c, a the settled free potential, and links scaled as
 * in sweep.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_ODE_CIRCUIT_H
#define MHO_SETTLE_ODE_CIRCUIT_H

#include "mho/num.h"
#include "settle/chunk.h"

/* Config keys of the ode settler. Times without a unit are in tau. */
typedef struct ode_params {
  int stepper;
  double tau;
  double tolerance, accuracy;
  int64_t group;
  double free, nudged, limit; /* read at this time; 0: when settled */
  int shape;
  double shape_time;
  double amplifier, line; /* s */
  double white, flicker, noise_step, average;
} ode_params;
enum { SHAPE_STEP, SHAPE_RAMP, SHAPE_PULSE };

/* First-order lags between a neuron's activity and what a link reads. */
typedef struct ode_lag {
  int layer, source; /* source: another lag, or -1: the activity */
  int first;         /* first state */
  double rate;       /* tau/its time constant */
} ode_lag;

typedef struct ode_circuit {
  const mho_network *net;
  const ode_params *p;
  int group;                 /* most samples */
  int n_states;              /* of a sample */
  int n_neurons;             /* the first states: the potentials */
  int first[MHO_LAYERS_MAX]; /* first potential of a layer */
  int n_lags;
  ode_lag lag[3 * MHO_LAYERS_MAX];
  int forward[MHO_LAYERS_MAX],
      feedback[MHO_LAYERS_MAX];    /* lag that such links read; -1: the activity */
  double *s[MHO_LAYERS_MAX];       /* [group x n] activities */
  double *input[MHO_LAYERS_MAX];   /* [group x n] what the input brings; NULL where none comes in */
  double *error[MHO_LAYERS_MAX];   /* [group x n] what a held error brings, with the nudge */
  double *base[MHO_LAYERS_MAX];    /* [group x n] difference: free potentials, */
  double *settled[MHO_LAYERS_MAX]; /* and their activities */
  double *z[MHO_LAYERS_MAX];       /* [group x n] for the moment */
  double **w;      /* [connections] weights of plain products among hidden layers, else NULL */
  mho_real *x, *y; /* [group x widest layer] */
  uint8_t *label;  /* [group] */
  double *present_error; /* [group x classes] p - y that drives the error's lines, held or live */
  /* of the phase under way */
  const mho_settle_job *job;
  mho_settle_job part;       /* the job of this group alone, for reads and a live error */
  int row0, real_rows, rows; /* real_rows of the job, and copies of the first up to `rows` */
  bool difference, nudged, live;
  bool
      coarse; /* mho_real serves for products and activities: the error allowed is far above its rounding */
  double *strength;         /* [group] difference: max|p - y| of a row */
  double c[MHO_LAYERS_MAX]; /* difference: nudge beta_i^h */
  double t0;                /* tau since the input came on, when the phase begins */
} ode_circuit;

mho_err ode_circuit_new(const mho_network *net, const ode_params *p, int group, ode_circuit *out,
                        mho_errinfo *ei);
void ode_circuit_free(ode_circuit *c);

/** States of a sample. */
int ode_circuit_states(const mho_network *net, const ode_params *p);
/** Take the weights as they are now. */
void ode_circuit_weights(ode_circuit *c);
/** Rows row0 .. row0+rows-1 of a job, as `padded` rows: inputs and error, from drives that were read. */
void ode_circuit_phase(ode_circuit *c, const mho_settle_job *job, int row0, int rows, int padded,
                       bool difference, mho_settle_stats *stats);
/* State b of row r in a stepper's vector y, whose blocks are [rows x n] one after the other. */
static inline double *ode_block(const ode_circuit *c, double *y, int first) {
  return y + (size_t)first * (size_t)c->rows;
}
/** The rates, for mho_ode_system; user: an ode_circuit. */
bool ode_circuit_rates(void *user, double t, const double *y, double *f);
/** The Jacobian of one row (a group of 1). */
void ode_circuit_jacobian(void *user, double t, const double *y, double *dfdy, double *dfdt);
/** Activities of state y into c->s (the scaled differences in mode difference). */
void ode_circuit_activities(ode_circuit *c, const double *y);
/** residual[r] = largest |dx/dt| times its time constant, of row r. */
void ode_circuit_residual(const ode_circuit *c, const double *f, double *residual);
/** How much of the input is on at time t of the phase; of the nudge. */
double ode_circuit_input_on(const ode_circuit *c, double t);
double ode_circuit_nudge_on(const ode_circuit *c, double t);
/** tau until input and nudge are on to within the tolerance. */
double ode_circuit_onset(const ode_circuit *c, double tolerance);
/** Lines that all links drive. */
int ode_circuit_lines(const mho_network *net);
/** Squares of what drives the lines at time t for row r, link after link, [ode_circuit_lines], in units of an activity:
 *  activities c->s and lags in y, times the gain of the link's amplifiers. */
void ode_circuit_squares(const ode_circuit *c, const double *y, double t, int r, double *out);

#endif
