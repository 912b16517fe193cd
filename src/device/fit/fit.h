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
  void *shared;                                       /* nullable */
  float column[MHO_DEVICE_COLUMNS][MHO_DEVICE_BLOCK]; /* of equal cells */
} mho_fit_cell;

/* Parameters and the factors of a cell's SET and RESET steps. */
void mho__fit_cell_set(mho_fit_cell *c, const void *params, double up, double down);
/* g after `count` pulses in direction dir, and its slope d g'/d g (nullable). */
double mho__fit_cell_step(const mho_fit_cell *c, int dir, int count, double g, double *slope);
/* The same for n states at once (at most MHO_DEVICE_BLOCK), without slopes: g[i] in place. */
void mho__fit_cell_steps(const mho_fit_cell *c, int n, const int *dir, const int *count, double *g);

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
/* New gains from the noise: an extended Kalman filter over each track. Readings more than `gate`
 * standard deviations off are passed over; two of them in succession start the track over. With
 * `edges`, readings whose prediction lies within 3 standard deviations of a bound are passed over
 * too, as the clipping would bias them.
 *  @return log likelihood of the readings that count. */
double mho__fit_gains_set(const mho_fit_cell *c, const mho_pulse_data *d,
                          const mho_fit_noise *noise, double gate, bool edges, mho_fit_gains *gains,
                          int *used, int *outliers);

/* What the noise of a pulse may be. */
enum { MHO_FIT_NOISE_BOTH, MHO_FIT_NOISE_ADD };
/* Noise from the increments of the data at the present parameters. MHO_EDATA for fewer than 3 of
 * them. */
mho_err mho__fit_noise_estimate(const mho_fit_cell *c, const mho_pulse_data *d, int kind,
                                mho_fit_noise *out, mho_errinfo *ei);

/* ---------------------------------------------------------------- the search */

/* A fit under way: what is searched for, and in which coordinates. */
typedef struct mho_fit_job {
  mho_fit *f;
  const mho_pulse_data *d;
  const mho_fit_options *o;
  mho_fit_cell cell;
  mho_fit_gains gains;
  int n;      /* parameters fitted: f->value[0..n-1] */
  bool range; /* g_min and g_max are the last two of them */
  bool is_log[MHO_FIT_MAX];
  double scale[MHO_FIT_MAX], low[MHO_FIT_MAX], high[MHO_FIT_MAX];
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
/* Parameters to start from. MHO_EDATA when there are too few data, or no parameters come near
 * them. */
mho_err mho__fit_best_start(mho_fit_job *j);

/* ---------------------------------------------------------------- the result */

/* Covariance of the coordinates [parameters x parameters] from the Jacobian at the minimum and the
 * scatter of its scores between devices, and the quantile of Student's t for 95 %. @return false
 * when the data do not determine all. */
bool mho__fit_covariance(const mho_fit_job *j, const gsl_matrix *jac, int used, gsl_matrix *cov,
                         double *quantile);
/* Values, errors and confidence intervals into the fit. */
void mho__fit_intervals(mho_fit_job *j, const gsl_matrix *cov, double quantile);
/* Devices get factors of their own for SET and RESET: their spread, less the uncertainty of each,
 * is the device-to-device spread. */
void mho__fit_spread(mho_fit_job *j);
/* Fraction of the variance of the mean response, pulse by pulse over all tracks, that the model
 * explains when it runs free from where each track starts. */
double mho__fit_explained(mho_fit_job *j);
/* First track after those of the device of track t0. */
int mho__fit_next_device(const mho_pulse_data *d, int t0);

#endif
