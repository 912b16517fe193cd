/* neuron.h - neurons: how a hidden unit's activity follows from its summed input.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_NEURON_H
#define MHO_MODEL_NEURON_H

#include "mho/model/entry.h"

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

/** What the read-out answers. */
typedef enum mho_output {
  MHO_OUTPUT_SOFTMAX, /**< probabilities of classes */
  MHO_OUTPUT_LINEAR,  /**< its summed inputs as they are */
  /** What the last layer of neurons does, which settles with the hidden ones. */
  MHO_OUTPUT_STATE,
  /** What classes the neurons of the last hidden layer vote for, by their labels. */
  MHO_OUTPUT_VOTES,
  /* Of neurons that spike: a layer of them behind the hidden ones. */
  MHO_OUTPUT_COUNTS,   /**< spikes over steps */
  MHO_OUTPUT_MEMBRANE, /**< mean potentials of such that do not fire */
  /** How sure hidden layers are of a sample under each label: the sum of their goodness. */
  MHO_OUTPUT_GOODNESS,
} mho_output;
/** Whether outputs are a layer of neurons whose activities the read-out has. */
static inline bool mho_output_has_neurons(mho_output o) {
  return o == MHO_OUTPUT_STATE || o == MHO_OUTPUT_COUNTS || o == MHO_OUTPUT_MEMBRANE;
}
/** Whether the read-out reads no weights: it looks at hidden neurons. */
static inline bool mho_output_looks_on(mho_output o) {
  return o == MHO_OUTPUT_VOTES || o == MHO_OUTPUT_GOODNESS;
}
/** What a neuron that votes says when it is active. */
typedef enum mho_votes {
  MHO_VOTES_LABEL,      /**< the class that it answers most */
  MHO_VOTES_PROPORTION, /**< every class, in proportion to how it answers them */
} mho_votes;
/** What training minimizes. */
typedef enum mho_loss {
  MHO_LOSS_CROSS_ENTROPY, /**< -ln of the probability of the label */
  MHO_LOSS_SQUARED,       /**< half the sum of squares of the error */
} mho_loss;

/** What samples should be answered with: one of the two is set. */
typedef struct mho_targets {
  const uint8_t *label;  /**< [n] classes */
  const mho_real *value; /**< [n x outputs] values */
} mho_targets;

/** The targets from sample `first` on. */
static inline mho_targets mho_targets_from(const mho_targets *t, int outputs, int first) {
  return (mho_targets){.label = t->label ? t->label + first : NULL,
                       .value = t->value ? t->value + (size_t)first * (size_t)outputs : NULL};
}
/** What output j of a sample should be: of a class 1 for the label and 0 elsewhere. */
static inline mho_real mho_target(const mho_targets *t, int outputs, int sample, int j) {
  if (t->value)
    return t->value[(size_t)sample * (size_t)outputs + (size_t)j];
  return (mho_real)(j == t->label[sample]);
}

/** What a read-out answers, in place of its summed inputs, and how far that is from the targets.
 *  @param y        [n x outputs], in: summed inputs, or activities (state); out: probabilities
 *                  (softmax), or as they were.
 *  @param targets  [n], of softmax classes.
 *  @param loss     summed over samples, added to: cross-entropy of softmax, half the squared error
 *                  of linear and of states.
 *  @param correct  added to: samples whose largest output is the label's, with ties for the first;
 *                  none where targets are values. */
MHO_API void mho_output_judge(mho_output output, int n, int outputs, mho_real *y,
                              const mho_targets *targets, double *loss, int64_t *correct);
/** The error o - t, which is the slope of a read-out's loss in its summed inputs, or in activities.
 *  @param y        [n x outputs], what the read-out answers.
 *  @param targets  [n].
 *  @param error    [n x outputs], may be y. */
MHO_API void mho_output_error(int n, int outputs, const mho_real *y, const mho_targets *targets,
                              mho_real *error);
/** The same of one sample of the targets from its summed inputs, in double precision.
 *  @param sums   [outputs].
 *  @param error  [outputs], may be sums. */
MHO_API void mho_output_error_double(mho_output output, int outputs, const double *sums,
                                     const mho_targets *targets, int sample, double *error);

#endif
