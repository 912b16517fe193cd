/* rule.h - learning rules: from a batch of samples to an error signal for every layer.
 *
 * A rule fills error[l], so that the gradient of every trained connection is local,
 *
 *   grad W = z_from^T error_to / B      (minimized)
 *
 * with z the states of the first (free) phase; of a convolution summed over its positions, with z
 * the patch read there.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_H
#define MHO_RULE_H

#include "mho/settle.h"

enum { MHO_RULE_STATES = 3 };

/** Samples sample0 .. sample0+n-1 of a batch, settled and learned from on one thread. */
typedef struct mho_rule_job {
  const mho_network *net;
  const mho_dynamics *dynamics;
  const void *params; /**< of the rule */
  /** As many as the rule asks for; state[0] holds the inputs and free states. */
  mho_state *state[MHO_RULE_STATES];
  /** [n_layers] of [capacity x n], hidden layers and the read-out. */
  mho_real **error;
  const uint8_t *label; /**< [capacity] */
  int sample0, n;
  /** The errors are settled themselves and come divided by the signal's scale. */
  bool direct;
  mho_thread *thread; /**< what it settles with */
  /** Nullable: what is to be known of its phases: the time of the free one, the energy of the last
   *  that is settled. */
  const mho_probe *probe;
} mho_rule_job;

/** What a rule adds up over samples. */
typedef struct mho_rule_stats {
  double loss; /**< summed over samples */
  int64_t correct;
  mho_settle_stats free, nudged;
} mho_rule_stats;

/** A registered learning rule. */
typedef struct mho_rule {
  mho_entry entry;
  int feedback_mode; /**< the mode of feedback it is defined with, or -1: any */
  bool feed_forward; /**< it passes activities forward, as neurons have them at rest, and settles
                      * nothing */
  /** Why mho_rule_job.direct cannot be, with these parameters; NULL: it can. Nullable: it never
   *  can. */
  const char *(*direct_needs)(const void *params);
  /** How many states it needs, at most MHO_RULE_STATES. */
  int (*n_states)(const void *params, bool direct);
  /** Size of layer l's error relative to the true gradient (beta_f beta_i^h for EP; 1 for the
   *  read-out). */
  double (*signal_scale)(const mho_network *net, const void *params, int layer);
  /** Rows of a job: prediction only (state[0] and the read-out), or prediction and error. Adds to
   *  the stats. */
  void (*predict)(const mho_rule_job *job, mho_rule_stats *stats);
  void (*learn)(const mho_rule_job *job, mho_rule_stats *stats);
} mho_rule;

/** What the config says of the gradient of any rule. */
typedef struct mho_gradient_config {
  int scale; /**< auto, physical, normalized */
} mho_gradient_config;
enum { MHO_GRADIENT_AUTO, MHO_GRADIENT_PHYSICAL, MHO_GRADIENT_NORMALIZED };
/** The keys of mho_gradient_config. */
MHO_API extern const mho_params mho_gradient_params;

/** Gradient of connection c from the states and errors of a batch, rows row0 .. row0+n-1 of the
 *  weight matrix.
 *  @param state    of the free phase: z, and what is left of pooled layers.
 *  @param out      [n x cols of the connection].
 *  @param scratch  [mho_rule_gradient_scratch]. */
MHO_API void mho_rule_gradient(const mho_network *net, int c, const mho_state *state,
                               mho_real *const *error, int batch, double scale, int row0, int n,
                               mho_real *out, mho_real *scratch);
/** mho_real's of scratch that gradients of up to `rows` rows need. */
MHO_API size_t mho_rule_gradient_scratch(const mho_network *net, int rows);

#endif
