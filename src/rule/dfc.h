/* dfc.h - what the parts of deep feedback control share: its keys, and a lesson under control.
 *
 *   a_l = sum of z W into layer l    from activities under control
 *   v_l = a_l + f_l, z_l = rho(v_l)  the potentials of a hidden layer
 *   v_o = a_o + u                    those of the read-out
 *
 * u are the controls, one a unit of the read-out; f_l is what comes of them into a hidden layer,
 * its control.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_DFC_H
#define MHO_RULE_DFC_H

#include "mho/model/num.h"
#include "rule/phase.h"

/** The config keys of the rule. */
typedef struct dfc_params {
  int target, control, learn, read, copies, leak_on, integrate;
  double step, label, gain, leak, proportional, ratio, dt, tolerance;
  int64_t steps;
} dfc_params;

enum { DFC_NUDGED, DFC_LABEL };
enum { DFC_AUTO, DFC_LINEAR, DFC_SOLVE, DFC_TIME };
enum { DFC_RATE, DFC_POTENTIAL };
enum { DFC_END, DFC_MEAN };
enum { DFC_SHARED, DFC_TWO };
enum { DFC_LEAK_OF_CONTROL, DFC_LEAK_OF_INTEGRAL };
enum { DFC_EULER }; /* and behind it the explicit steppers in the order of MHO_ODE_WORDS */

/** What the closed form misses of the first error, and of a control, at most, if the rows of the
 *  Jacobian are products of rounded numbers: results/control has what was measured. */
#define DFC_ROUNDING 1e-3

/** The first variables of the rule. DFC_CONTROL: u at the read-out, f of hidden layers. */
enum { DFC_CONTROL };

/** What a thread works in, for lessons of up to n samples. */
typedef struct dfc_workspace {
  int n, classes;
  int control; /**< DFC_LINEAR, DFC_SOLVE or DFC_TIME */
  /** [n_layers] of [n x layer]: what the input brings; NULL where no link leads from it. */
  mho_real *input[MHO_LAYERS_MAX];
  /** [n_layers] of [n x layer]: a, the summed inputs; the input's where only that leads there. */
  mho_real *sums[MHO_LAYERS_MAX];
  /** [n_layers] of [n x layer]: a read once more, where reads are random and the two activities of
   *  a neuron are taken one after the other; else NULL. */
  mho_real *again[MHO_LAYERS_MAX];
  mho_real *other[MHO_LAYERS_MAX]; /**< [n_layers] of [n x layer]: activities of before, or of a */
  double *reach;                   /**< [n x C] r*, what the read-out is to reach (target nudged) */
  double *first;                   /**< [n x C] the controller's error without control */
  double *potential;               /**< [n x C] v_o */
  double *u, *f, *u_best;          /**< [n x C] controls, what they miss, the best ones so far, */
  double *u_last, *v_last;         /**< [n x C] those of the last iteration, and v_o with them */
  double *way;                     /**< [n x C] from there to the next ones */
  bool *lost;                      /**< [n] samples that nothing is learned from */
  int *order;                      /**< [n] which sample a row is of, while rows change places */
  int unstable;                    /**< those of them that would not stay at rest */
  /** Looks at a control so far, summed over samples: a pass back and one forward each. */
  int64_t looks;

  /* Of a control at rest: */
  mho_real *jacobian[MHO_LAYERS_MAX]; /**< [n x C x layer] J_l = d v_o/d v_l */
  /** J_l rounded, in units of every row [n x C]; NULL where no layer reads rounded rows. */
  int16_t *rounded[MHO_LAYERS_MAX];
  mho_real *unit[MHO_LAYERS_MAX];
  mho_real *miss[MHO_LAYERS_MAX]; /**< [n x layer]: by how much f was off */
  /** [n_layers], by the chain, of [n x layer]: controls of before, and of [4 x n x layer]: what
   *  the last two looks made of them and by how much they were off. */
  mho_real *before[MHO_LAYERS_MAX], *history[MHO_LAYERS_MAX];
  /** [n_layers], of a root directly, of [C (C + 1)/2 x layer]: what slopes make of JQ, and of
   *  [C (C + 1)/2 x n]: estimates of its symmetric part (dfc_stability.c). */
  mho_real *forms[MHO_LAYERS_MAX], *estimate;
  mho_real *units;             /**< [n] unit matrices [C x C] */
  mho_real *product;           /**< [n] of [C x C]: J Q^T of a layer */
  double *k;                   /**< [n] of [C x C]: JQ, summed over layers */
  double *matrix, *eigenvalue; /**< [C x (C + 1)] a system of equations; [2 C] */
  double *trial;               /**< [4 x C] for a step to be found */
  double *share;               /**< [2 x C] a softmax, and means under it */
  mho_real *scratch;           /**< for reads of C n samples */
  mho_link *back;              /**< forward links turned, sorted by target */
  int first_back[MHO_LAYERS_MAX + 1];

  /* In time: */
  double *v[MHO_LAYERS_MAX];        /**< [n x layer] potentials of hidden layers */
  double *integral;                 /**< [n x C] */
  mho_real *mean_z[MHO_LAYERS_MAX]; /**< [n x layer], read: mean */
  mho_real *mean_e[MHO_LAYERS_MAX];
  /* With a stepper: */
  mho_ode *ode;
  double *y;                    /**< [numbers] */
  int at[MHO_LAYERS_MAX], at_q; /**< where potentials of a layer begin in y, and integrals */
  int numbers;
  const struct dfc_run *run; /**< the lesson under way */
} dfc_workspace;

/** A lesson under way. */
typedef struct dfc_run {
  const mho_lesson *lesson;
  const dfc_params *p;
  dfc_workspace *w;
  mho_phase phase; /**< in which links are read */
  mho_settle_stats *stats;
  double leak; /**< alpha~: at rest the controller's error is so much of u */
} dfc_run;

/* ---------------------------------------------------------------- what the controller does */

/** What a control that is looked for may miss of the first error. */
double mho__dfc_tolerance(const dfc_params *p);
/** Whether numbers are rounded for the closed form: it may miss so much, and it pays here. */
bool mho__dfc_rounds(const dfc_params *p);
/** alpha~ of the keys: e = alpha~ u at rest. */
double mho__dfc_leak(const dfc_params *p);
/** The leak of the integral itself, alpha. */
double mho__dfc_integral_leak(const dfc_params *p);
/** The size of what the controller sees of a sample that is answered wrongly. */
static inline double mho__dfc_unit(const dfc_params *p) {
  return p->target == DFC_NUDGED ? p->step : 1;
}
/** What the controller sees of sample s at potentials v [C] of the read-out: e [C]. */
void mho__dfc_error(const dfc_run *r, int s, const double *v, double *e);
/** Whether e is a label less a softmax, whose slope is not 1. */
bool mho__dfc_has_softmax(const dfc_run *r);
/** m [C rows of `width`] = S JQ of sample s at potentials v of the read-out, S = -de/dv_o; JQ is in
 *  w->k. */
void mho__dfc_multiply_slopes(const dfc_run *r, int s, const double *v, int width, double *m);
/** What the controller sees of all samples at the potentials of the read-out: w->f. */
void mho__dfc_see(const dfc_run *r);
/** tau_u dq/dt of control i, whose integral q is, from w->f and the present w->u. */
double mho__dfc_integral_rate(const dfc_run *r, int i, double integral);
/** A step of it: u from what the read-out has come to, w->potential. integral: q, [n x C]. */
void mho__dfc_controller(const dfc_run *r, double *integral);

/** Values of layer l, the lesson's first sample first: activities, ... */
static inline mho_real *mho__dfc_z(const dfc_run *r, int l) {
  return mho__values(r->lesson->net, r->lesson->state[0]->z, l, r->lesson->sample0);
}
/** ... errors, ... */
static inline mho_real *mho__dfc_error_of(const dfc_run *r, int l) {
  return mho__values(r->lesson->net, r->lesson->error, l, r->lesson->sample0);
}
/** ... and controls: f of a hidden layer, u of the read-out. */
static inline mho_real *mho__dfc_control(const dfc_run *r, int l) {
  return mho_vars_real(r->lesson->vars, DFC_CONTROL, l, r->lesson->sample0);
}
/** Numbers of all controls of the lesson. */
static inline int mho__dfc_controls(const dfc_run *r) {
  return r->lesson->n * r->w->classes;
}

/* ---------------------------------------------------------------- its ways (dfc_paths.c) */

/** What the input brings into layer l, which it does through the whole lesson. */
void mho__dfc_read_input(const dfc_run *r, int l);
/** a of layer l from the present activities. */
void mho__dfc_sum(const dfc_run *r, int l);
/** The same of all hidden layers by reads of all links anew, where they are taken again. */
void mho__dfc_sum_again(const dfc_run *r);
/** One pass through the layers in order, under the present f where `controlled`, to the activities
 *  and to a of the read-out. */
void mho__dfc_pass(const dfc_run *r, bool controlled);
/** f of all hidden layers from u, by way of feedback.path, at the present activities. */
void mho__dfc_lead_back(const dfc_run *r);
/** Reads that a pass back and one forward under control are. */
double mho__dfc_reads(const dfc_run *r);
/** The same run with reads that nobody counts: a rest is one read of every link, however often it
 *  is looked for. @param stats  room for what they add up. */
dfc_run mho__dfc_uncounted(const dfc_run *r, mho_settle_stats *stats);

/* ---------------------------------------------------------------- the Jacobian (dfc_jacobian.c) */

/** J of all layers at the present activities, and JQ of every sample. */
void mho__dfc_jacobian(const dfc_run *r);
/** f of all hidden layers from u by the chain, f_l = u J_l, by the rows that mho__dfc_jacobian has
 *  found at the present activities. */
void mho__dfc_lead_by_rows(const dfc_run *r);
/** JQ of all samples alike, as that of their mean slopes, for a fraction of the products, and
 *  w->forms: where no patches and poolings are. */
void mho__dfc_mean_jacobian(const dfc_run *r);
/** Slopes of layer l at the present activities, [samples x layer]. */
void mho__dfc_find_slopes(const dfc_run *r, int l, mho_real *slopes);
/** Elements of a triangle of C rows with its diagonal. */
static inline int mho__dfc_pairs(int classes) {
  return classes * (classes + 1) / 2;
}

/* ---------------------------------------------------------------- to rest, and what is learned */

/** The error of layer l from what it does now: what its inputs say, less what it does. */
void mho__dfc_learn_layer(const dfc_run *r, int l);
/** The same of a hidden layer as converters measure it, with the activities under control. */
void mho__dfc_measure(const dfc_run *r, int l);

/** Control in closed form: one step of Newton's from the free state (dfc_rest.c). */
void mho__dfc_close(const dfc_run *r);
/** Control at rest: directly by a damped Newton iteration, by the chain mixed (dfc_rest.c). */
void mho__dfc_solve(const dfc_run *r);
/** Control in time, by Euler's steps or by a stepper (dfc_time.c). */
void mho__dfc_run(const dfc_run *r);
/** The way in time by a stepper, from what it has begun with (dfc_steppers.c). */
void mho__dfc_integrate(const dfc_run *r);
/** The means over the trajectory go on by the present moment, whose share of it that is. */
void mho__dfc_add_to_means(const dfc_run *r, double share);

/** Memory for it, in a workspace. @return MHO_OK; MHO_ENOMEM. */
mho_err mho__dfc_stepper_new(const mho_network *net, const dfc_params *p, dfc_workspace *w,
                             mho_errinfo *ei);
/** Memory for all of it. @return MHO_OK; MHO_ENOMEM. */
mho_err mho__dfc_workspace_new(const mho_network *net, const dfc_params *p, int n,
                               dfc_workspace **out, mho_errinfo *ei);
/** Frees a workspace; NULL is allowed. */
void mho__dfc_workspace_free(dfc_workspace *w);

#endif
