/* fit.h - what the files of the fit share: data as tracks, a model on one cell, the filter.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_FIT_H
#define MHO_DEVICE_FIT_H

#include "device/cells.h"

/* A model with parameters on one cell whose range is 0..1, without noise: the mean response. */
typedef struct mho_fit_cell {
  const mho_device_model *model;
  const mho_device_config *config;
  void *shared;                                       /* nullable */
  float column[MHO_DEVICE_COLUMNS][MHO_DEVICE_BLOCK]; /* the same for all */
} mho_fit_cell;
/* Parameters and the factors of a cell's steps. */
void mho_fit_cell_set(mho_fit_cell *c, const void *params, double up, double down);
/* g after `count` pulses in direction dir, and its slope d g'/d g (nullable). */
double mho_fit_cell_step(const mho_fit_cell *c, int dir, int count, double g, double *slope);

/* The same for n states at once (at most MHO_DEVICE_BLOCK), without slopes: g[i] in place. */
void mho_fit_cell_steps(const mho_fit_cell *c, int n, const int *dir, const int *count, double *g);

/* Noise of the data, normalized: of a pulse sqrt(add^2 + (relative step)^2), of a reading `read`. */
typedef struct mho_fit_noise {
  double add, relative, read;
} mho_fit_noise;

/* Gain and weight of every row, held fixed while the parameters are fitted. */
typedef struct mho_fit_gains {
  double *gain;   /* [n] of the filter; -1: start over at this row */
  double *weight; /* [n] one over the standard deviation of the innovation, 1/S; 0: the row is passed over */
} mho_fit_gains;

/* Innovations over the data with the given gains: what each reading says beyond its prediction.
 *  @param residual  [n] innovation in S times weight; innovation, step: nullable, [n], normalized. */
void mho_fit_filter(const mho_fit_cell *c, const mho_pulse_data *d, const mho_fit_gains *gains,
                    double *residual, double *innovation, double *step);
/* New gains from the noise: an extended Kalman filter over each track. Readings more than `gate` standard
 * deviations off are passed over; two of them in a row start the track over. With `edges`, rows whose prediction
 * lies within 3 standard deviations of a bound too, where the clipping would bias them.
 *  @return log likelihood of the rows that count. */
double mho_fit_gains_set(const mho_fit_cell *c, const mho_pulse_data *d, const mho_fit_noise *noise,
                         double gate, bool edges, mho_fit_gains *gains, int *used, int *outliers);
/* Noise from the increments of the data at the present parameters. kind: what a pulse's noise may be. */
enum { MHO_FIT_NOISE_BOTH, MHO_FIT_NOISE_ADD };
mho_err mho_fit_noise_estimate(const mho_fit_cell *c, const mho_pulse_data *d, int kind, mho_fit_noise *out,
                               mho_errinfo *ei);

#endif
