/* neuron.h - neurons: how a hidden unit's activity follows from its summed input.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_NEURON_H
#define MHO_NEURON_H

#include "mho/base.h"

/** A registered neuron: its activation function rho in every form that mho needs. */
typedef struct mho_neuron {
  mho_entry entry;
  /** z[i] = rho(a[i]), [n]; z may be a. */
  void (*activate)(int n, const mho_real *a, mho_real *z);
  /** d[i] *= rho'(a[i]), given z = rho(a), [n]. */
  void (*scale_by_slope)(int n, const mho_real *z, mho_real *d);
  /** z = rho(a) in place, keeping of every a what `difference` needs, [n]. */
  void (*activate_keep)(int n, mho_real *a, mho_real *keep);
  /** The scaled answer e' = -(rho(a - c e'_in) - rho(a))/c to a scaled change of input, in place,
   *  [n]: without cancellation, and as c goes to 0 its limit rho'(a) e'_in. c may be negative, or 0
   *  (the limit). */
  void (*difference)(int n, mho_real c, const mho_real *z, const mho_real *keep, mho_real *e);
  /** Activate and scale_by_slope in double precision, for circuits in continuous time; z may be
   *  a. */
  void (*activate_double)(int n, const double *a, double *z);
  void (*scale_by_slope_double)(int n, const double *z, double *d);
  double low, high;  /**< range of z, for circuits and checks; may be infinite */
  const char *spice; /**< rho of @ as an ngspice expression, for circuits; nullable */
} mho_neuron;

/** Softmax read-out with cross-entropy, in place of a row's logits.
 *  @param logits [n x classes], in; becomes the probabilities.
 *  @param label  [n].
 *  @param loss   summed cross-entropy of the rows, added to; correct: rows whose largest
 *                probability is the
 *  label, added to. Ties go to the first class. */
MHO_API void mho_softmax(int n, int classes, mho_real *logits, const uint8_t *label, double *loss,
                         int64_t *correct);
/** The error p - y that the cross-entropy has at the read-out, y being 1 for the label and 0
 *  elsewhere.
 *  @param p      [n x classes], probabilities.
 *  @param label  [n].
 *  @param error  [n x classes], may be p. */
MHO_API void mho_output_error(int n, int classes, const mho_real *p, const uint8_t *label,
                              mho_real *error);
/** The same of one sample from its logits, in double precision.
 *  @param error  [classes], may be logits. */
MHO_API void mho_output_error_double(int classes, const double *logits, int label, double *error);

#endif
