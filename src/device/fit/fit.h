/* fit.h - what the files of the fit share: data as tracks, a model on one cell, the filter.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_FIT_FIT_H
#define MHO_DEVICE_FIT_FIT_H

#include <gsl/gsl_matrix.h>

#include "device/cells.h"

/* ---------------------------------------------------------------- a model on one cell */

/* A model with parameters on one cell whose range is 0..1, without noise: the mean response. */
typedef struct mho_fit_cell {
  const mho_device_model *model;
  const mho_device_config *config;
  void *shared; /* nullable */
  double
      *amplitude; /* [readings] drive of each reading of a sweep, in whole pulses; NULL: pulses */
  float column[MHO_DEVICE_COLUMNS][MHO_DEVICE_BLOCK]; /* of equal cells */
} mho_fit_cell;

/* Parameters and the factors of a cell's SET and RESET steps. */
void mho__fit_cell_set(mho_fit_cell *c, const void *params, double up, double down);
/* g at reading i from the one before, g, and its slope d g'/d g (nullable). */
double mho__fit_cell_step(const mho_fit_cell *c, const mho_pulse_data *d, int i, double g,
                          double *slope);
/* The same for n states at once (at most MHO_DEVICE_BLOCK), without slopes: g[k] of reading[k], in
 * place. */
void mho__fit_cell_steps(const mho_fit_cell *c, const mho_pulse_data *d, int n, const int *reading,
                         double *g);

static inline double mho__fit_range(const mho_device_config *d) {
  return d->g_max - d->g_min;
}

/* ---------------------------------------------------------------- innovations */

/* Noise of the data, normalized: of a pulse sqrt(add^2 + (relative step)^2), of a reading
 * `read`. */
typedef struct mho_fit_noise {
  double add, relative, read;
} mho_fit_noise;

/* Gain and weight of every reading, which stay while the parameters are fitted. */
typedef struct mho_fit_gains {
  /** [n] of the filter; -1: start over at this reading. */
  double *gain;
  /** [n] one over the standard deviation of the innovation, 1/S; 0: the reading is passed over. */
  double *weight;
} mho_fit_gains;

/* Innovations over the data with the given gains: what each reading says beyond its prediction.
 *  @param residual [n] innovation in S times weight; innovation, step: nullable, [n],
 *           normalized. */
void mho__fit_filter(const mho_fit_cell *c, const mho_pulse_data *d, const mho_fit_gains *gains,
                     double *residual, double *innovation, double *step);
/* Which readings are passed over, and in what likelihoods are counted. */
typedef struct mho_fit_rules {
  double gate; /* standard deviations; two readings beyond it in succession start the track over */
  bool edges;  /* readings whose prediction lies within 3 standard deviations of a bound are passed
                * over too, as the clipping would bias them */
  double span; /* of the data, S */
} mho_fit_rules;

/* What a model makes of the data. */
typedef struct mho_fit_score {
  double likelihood;            /* logarithm, of all readings but the first of each track */
  int readings, used, outliers; /* of the likelihood; with a weight; beyond the gate */
} mho_fit_score;

/* New gains from the noise: an extended Kalman filter over each track. */
mho_fit_score mho__fit_gains_set(const mho_fit_cell *c, const mho_pulse_data *d,
                                 const mho_fit_noise *noise, const mho_fit_rules *rules,
                                 mho_fit_gains *gains);

/* The model along the states of one filter: predictions of other states that are near follow from
 * the slopes, without the model. */
typedef struct mho_fit_line {
  double *from, *to, *slope; /* [readings] state before, prediction, its slope */
} mho_fit_line;

void mho__fit_line_set(const mho_fit_cell *c, const mho_pulse_data *d, const mho_fit_noise *noise,
                       const mho_fit_rules *rules, mho_fit_gains *scratch, mho_fit_line *line);
/* The score of other noise, along the line. */
mho_fit_score mho__fit_score_along(const mho_fit_cell *c, const mho_pulse_data *d,
                                   const mho_fit_noise *noise, const mho_fit_rules *rules,
                                   mho_fit_line *line, mho_fit_gains *scratch);

/* What the noise may be: of pulses in all, of pulses relative to their steps, of readings. */
enum { MHO_FIT_ADD = 1, MHO_FIT_RELATIVE = 2, MHO_FIT_READ = 4, MHO_FIT_NOISES = 3 };
/* Noise from the increments of the data at the present parameters, of the kinds in a set. MHO_EDATA
 * for fewer than 3 of them. */
mho_err mho__fit_noise_estimate(const mho_fit_cell *c, const mho_pulse_data *d, int kinds,
                                mho_fit_noise *out, mho_errinfo *ei);
/* The likeliest noise at the present parameters, from what it is: kinds that make nothing likelier
 * leave the set and become 0. */
void mho__fit_noise_refine(const mho_fit_cell *c, const mho_pulse_data *d,
                           const mho_fit_rules *rules, mho_fit_gains *scratch, int *kinds,
                           mho_fit_noise *noise);

/* ---------------------------------------------------------------- the search */

/* A fit under way: what is searched for, and in which coordinates. */
typedef struct mho_fit_job {
  mho_fit *f;
  const mho_pulse_data *d;
  const mho_fit_options *o;
  mho_fit_cell cell;
  mho_fit_gains gains;
  int n;      /* parameters fitted: f->value[0..n-1] */
  int held;   /* 1 + the one that keeps its value in a minimization; 0: none does */
  bool range; /* g_min and g_max are the last two of them */
  bool is_log[MHO_FIT_MAX];
  double scale[MHO_FIT_MAX], low[MHO_FIT_MAX], high[MHO_FIT_MAX];
  mho_fit_rules rules;
  double read;           /* noise of a reading, normalized, when it is known */
  gsl_matrix *curvature; /* [n x n] (J' J)^-1 at the minimum */
  double *residual;
  mho_errinfo *ei;
} mho_fit_job;

/* Value of parameter k. */
double mho__fit_get(const mho_fit_job *j, int k);
/* The same set, cut off at its limits. */
void mho__fit_set(mho_fit_job *j, int k, double v);
/* All parameters into the cell. */
void mho__fit_update_cell(mho_fit_job *j);
/* Coordinate of a value in the search: the logarithm of a rate, the others over their scale. */
double mho__fit_coordinate(const mho_fit_job *j, int k, double v);
/* The value at a coordinate. */
double mho__fit_value_at(const mho_fit_job *j, int k, double x);
/* Whether parameter k is an end of the range. */
bool mho__fit_is_range(const mho_fit_job *j, int k);

/* One minimization from the present parameters.
 *  @param jacobian  nullable; [readings x parameters] in coordinates, freed by the caller. */
mho_err mho__fit_minimize(mho_fit_job *j, int iterations, double *cost, gsl_matrix **jacobian);
/* Parameters to start from, the best first. */
enum { MHO_FIT_STARTS = 4 };
typedef struct mho_fit_starts {
  int n;
  double value[MHO_FIT_STARTS][MHO_FIT_MAX];
} mho_fit_starts;

/* MHO_EDATA when there are too few data, or no parameters come near them. */
mho_err mho__fit_find_starts(mho_fit_job *j, mho_fit_starts *out);

/* ---------------------------------------------------------------- the result */

/* Covariance of the coordinates [parameters x parameters] from the Jacobian at the minimum and the
 * scatter of its scores between devices or tracks, and the quantile of Student's t for 95 %. What
 * the data do not determine has a variance that is next to infinite. @return false without memory.
 * */
bool mho__fit_covariance(const mho_fit_job *j, const gsl_matrix *jac, int used, gsl_matrix *cov,
                         double *quantile);
/* Values, errors and confidence intervals into the fit; cost: the minimum. Where the cost does not
 * grow with the square of the distance, the ends are where it has grown as much (profile
 * likelihood). Leaves the parameters at the minimum. */
void mho__fit_intervals(mho_fit_job *j, const gsl_matrix *cov, double quantile, double cost);
/* Devices get factors of their own for SET and RESET: their spread, less the uncertainty of each,
 * is the device-to-device spread. */
void mho__fit_spread(mho_fit_job *j);
/* Fraction of the variance of the mean response, pulse by pulse over all tracks, that the model
 * explains when it runs free from where each track starts. */
double mho__fit_explained(mho_fit_job *j);
/* First track after those of the device of track t0. */
int mho__fit_next_device(const mho_pulse_data *d, int t0);

#endif
