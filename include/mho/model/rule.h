/* rule.h - learning rules: from samples to the outer products that weights are to change by.
 *
 * Everything local is a short sum of outer products of what the two layers of a connection do. A
 * rule hands on that sum for every trained connection,
 *
 *   G = sum over terms of scale pre^T post    (minimized: the gradient, or what stands for it)
 *
 * summed over samples, of a convolution over its positions too. Optimizers and schemes
 * (mho/model/program.h) make of it what is written.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_RULE_H
#define MHO_MODEL_RULE_H

#include <string.h>

#include "mho/model/settle.h"
#include "mho/model/variables.h"

enum { MHO_RULE_STATES = 3, MHO_TERMS_MAX = 8 };

/* ---------------------------------------------------------------- what a rule hands on */

/** One outer product, of n samples. */
typedef struct mho_outer {
  /** [n x outputs of the connection's source] and [n x units of its target]: a convolution reads
   *  patches of pre, a bias is the product with 1. With `lines` [n x rows] and [n x cols] of the
   *  crossbar itself. NULL: ones, which lines of the border of an image have, too. */
  const mho_real *pre, *post;
  int n;
  double scale; /**< such as 1/samples */
  bool lines;   /**< of the crossbar's lines, bias row included, not of units */
  /** Past the optimizer: -rate times this is added to what the optimizer wants, as a decay is. */
  bool plain;
  bool absolute;       /**< past the rate, too: -1 times this is added */
  bool unbiased;       /**< its row of a bias is 0 */
  bool sparse;         /**< most of pre, or of `but`, is 0, as of spikes: zeros are passed over */
  const mho_real *but; /**< [as pre] of a sparse term whose pre is 1 - but; NULL: pre is sparse */
} mho_outer;

/** Which terms of a change are summed. */
typedef enum mho_change_part {
  MHO_CHANGE_GRADIENT, /**< what passes the optimizer */
  MHO_CHANGE_PLAIN,    /**< what goes past it */
  MHO_CHANGE_ABSOLUTE, /**< what goes past the rate, too */
} mho_change_part;

/** What a connection's weights are to change by: the sum of the terms, and of `dense`. */
typedef struct mho_change {
  int n;
  mho_outer term[MHO_TERMS_MAX];
  /** Nullable, for what is no short sum: adds rows row0 .. row0+rows-1 of a [rows x cols] matrix to
   *  out [rows x cols], the gradient; called for slabs side by side. */
  void (*dense)(const void *of, int connection, int row0, int rows, mho_real *out);
  /** Nullable: the same of what goes past optimizer and rate. */
  void (*dense_absolute)(const void *of, int connection, int row0, int rows, mho_real *out);
  const void *of;
  /** [cols of the crossbar] what the columns of the gradient are multiplied with; NULL: 1. Not the
   *  rule's to set, see mho_change_of. */
  const mho_real *gain;
  /** This lesson does not teach the connection: neither optimizer nor scheme touches it. */
  bool skip;
  /** The gradient is multiplied by 1 - |w|/w_max, weight by weight. Of no effect in schemes that
   *  pulse samples, where devices bound themselves. */
  bool soft;
} mho_change;

/** One term more, which is returned to be filled; all of it is 0. */
static inline mho_outer *mho_change_add(mho_change *c) {
  mho_outer *o = &c->term[c->n++];
  memset(o, 0, sizeof *o);
  return o;
}

/** Rows row0 .. row0+n-1 of the sum of a part of a change of connection c.
 *  @param out      [n x cols of the connection]; 0 where the part has no term.
 *  @param scratch  [mho_change_scratch]. */
MHO_API void mho_change_sum(const mho_network *net, int c, const mho_change *change,
                            mho_change_part part, int row0, int n, mho_real *out,
                            mho_real *scratch);
/** mho_real's of scratch that sums of up to `rows` rows and `cells` weights need. */
MHO_API size_t mho_change_scratch(const mho_network *net, int rows, int cells);
/** Whether a change may have anything in a part. */
MHO_API bool mho_change_has(const mho_change *c, mho_change_part part);

/* ---------------------------------------------------------------- a lesson */

typedef struct mho_lesson mho_lesson;

/** What a rule adds up over samples. */
typedef struct mho_rule_stats {
  double loss; /**< summed over samples */
  int64_t correct;
  mho_settle_stats free, nudged;
  /** Samples that a controller has lost or could not hold, which teach nothing; they are among the
   *  unsettled ones of nudged. */
  int64_t lost, unstable;
} mho_rule_stats;

/** When a rule's changes are applied. */
typedef enum mho_apply {
  MHO_APPLY_BATCH = 1,  /**< after the batch */
  MHO_APPLY_SAMPLE = 2, /**< after every sample: those of a batch learn one after another */
  MHO_APPLY_STEP = 4,   /**< when the rule says so in the middle of learning, mho_lesson_apply */
  MHO_APPLY_SPIKE = 8,  /**< the same, at events */
} mho_apply;

/** A repetition of a batch, which a trial asks for. */
typedef struct mho_repetition {
  /** 0: the noise of the batch itself, so that repetitions differ by what the trial has changed
   *  alone; 1 .. MHO_REPETITIONS-1: noise of its own. */
  int number;
  double *loss; /**< [batch] of every sample; nullable */
} mho_repetition;
enum { MHO_REPETITIONS = 1 << 10 };

/** What a lesson can ask of the training that it is part of. */
typedef struct mho_host {
  void (*predict)(const mho_lesson *l, const mho_repetition *r, mho_rule_stats *stats);
  void (*settle)(const mho_lesson *l, const mho_phase *p, void (*stepped)(const mho_lesson *l),
                 mho_settle_stats *stats);
  void (*apply)(const mho_lesson *l);
  mho_crossbar *(*crossbar)(const mho_lesson *l, int connection);
  void (*wrote)(const mho_lesson *l, const mho_pulse_counts *counts);
} mho_host;

/** Samples sample0 .. sample0+n-1 of a batch, settled and learned from on one thread. */
struct mho_lesson {
  const mho_network *net;
  const mho_dynamics *dynamics;
  const void *params; /**< of the rule */
  /** As many as the rule asks for; state[0] holds the inputs and free states. */
  mho_state *state[MHO_RULE_STATES];
  /** [n_layers] of [capacity x n], hidden layers and the read-out. */
  mho_real **error;
  mho_vars *vars;      /**< of the rule's table; NULL when that is empty */
  void *own;           /**< what the rule works in, one for all lessons: see mho_rule.own_new */
  mho_targets targets; /**< [capacity] */
  int sample0, n;
  int batch; /**< samples that are learned from before the next change, these among them */
  /** The errors are settled themselves and come divided by the signal's size. */
  bool direct;
  const double *nominal_step; /**< [n_trained] of a weight by a pulse, see mho_program_job */
  /** [n_layers] what brings a layer's error to the size that the config asks for. */
  const double *factor;
  /** What hidden neurons count for (rule.importance), [n_layers] of [n of the layer], NULL for
   *  input and read-out: factors on errors as they are led back, or else on columns of gradients.
   *  NULL: all count alike. */
  mho_real *const *importance;
  bool propagates;    /**< the former */
  mho_apply applies;  /**< when changes are applied in this run */
  bool feedback;      /**< of a pass of mho_rule.learn_feedback */
  mho_thread *thread; /**< what it settles with */
  /** Nullable: what is to be known of its phases: the time of the free one, the energy of the last
   *  that is settled. */
  const mho_probe *probe;
  const mho_host *host;
  void *owner; /**< the host's */
};

/** Apply what rule.change says of the lesson's samples now, in the middle of learning: `when` says
 *  what has just passed. Nothing happens unless changes are applied then in this run, so that a
 *  rule may say it at every step and every event. Chunks then learn one after another. */
static inline void mho_lesson_apply(const mho_lesson *l, mho_apply when) {
  if (l->applies == when)
    l->host->apply(l);
}
/** In a trial: settle and read out the whole batch again. The samples and their inputs are those of
 *  the batch, states start as in any batch, and what they come to is in l->state[0]: the last
 *  repetition's states are those that stay. Adds to the stats. */
static inline void mho_lesson_predict(const mho_lesson *l, const mho_repetition *r,
                                      mho_rule_stats *stats) {
  l->host->predict(l, r, stats);
}
/** In a trial: all rows of a phase take steps of the clock side by side, on all threads; after each
 *  step, when all have taken it, `stepped` is called once, which may change weights
 *  (mho_lesson_apply). ticked of the phase is called for a few rows at a time.
 *  @param p  of any number of rows that states have room for. */
static inline void mho_lesson_settle(const mho_lesson *l, const mho_phase *p,
                                     void (*stepped)(const mho_lesson *l),
                                     mho_settle_stats *stats) {
  l->host->settle(l, p, stepped, stats);
}
/** In a trial: a connection's crossbar, to be perturbed. What it was must be back before the trial
 *  ends. */
static inline mho_crossbar *mho_lesson_crossbar(const mho_lesson *l, int connection) {
  return l->host->crossbar(l, connection);
}

/** In a trial: devices of trained connections have been pulsed, which is counted, [n_trained], and
 *  felt by other cells and by reads from here on. */
static inline void mho_lesson_wrote(const mho_lesson *l, const mho_pulse_counts *counts) {
  l->host->wrote(l, counts);
}

/** What is to be known of the controls of a lesson's samples; NaN: it is not known. */
typedef struct mho_control_view {
  /* Of every layer of neurons and the read-out: */
  double size[MHO_LAYERS_MAX];   /**< rms of the controls over that of the summed inputs */
  double cosine[MHO_LAYERS_MAX]; /**< of what is learned from with backpropagation's error */
  /** Of the controls with the least ones that move the read-out as far. */
  double least[MHO_LAYERS_MAX];
  /** Part of what leads controls back that lies where the network can move the read-out from, 0 to
   *  1: arXiv 2106.07887, condition 2. */
  double condition;
  /** Largest real part of the eigenvalues of the controlled network, over the controller's time
   *  constant: below 0 it comes back to its rest. Of the first two samples. */
  double growth;
  /** Mean of what the controller misses of its rest, over its error without control. */
  double residual;
} mho_control_view;

/* ---------------------------------------------------------------- rules */

/** A registered learning rule. What is nullable may be left out. */
typedef struct mho_rule {
  mho_entry entry;
  /** Links that it adds to a topology's, and which of them are trained; nullable. */
  mho_err (*plan)(const void *params, mho_graph *g, mho_errinfo *ei);
  const mho_var *var; /**< [n_vars] its own state; kept ones are part of a checkpoint */
  int n_vars;
  /** It passes activities forward, as neurons have them at rest, and settles nothing. */
  bool feed_forward;
  /** It leads errors back layer after layer, once, and multiplies them with mho_lesson.importance
   *  on the way where they propagate. */
  bool leads_back;
  /** It leads credits back from the read-out: the network has links for them (mho_layer.credit),
   *  the nudged statistics are those of credits, and samples whose credits miss the tolerance are
   *  said to be unsettled. */
  bool credits;
  bool spikes; /**< it learns from spikes */
  /** Nullable: whether spikes put waveforms on lines, in seconds of the chip, with these
   *  parameters. */
  bool (*puts_waves)(const void *params);
  /** It contrasts samples with such that are none: it shows labels to the network
   *  (network.context), asks for traces of neurons, and knows their goodness as a read-out. */
  bool contrasts;
  int rows;            /**< of a state that a sample of a batch takes in training; 0: 1 */
  bool resistors;      /**< it learns conductances of a network of resistors, too */
  bool outputs_states; /**< it learns with outputs that hold states, too (MHO_OUTPUT_STATE) */
  /** A controller at the read-out drives the hidden layers: it takes the feedback.path direct or
   *  chain, where others take links; the nudged statistics are those of control, and samples that
   *  miss the tolerance are said to be unsettled. */
  bool controls;
  /** Nullable, of a rule with a controller: what is to be known of a lesson that has been learned
   *  from, all of a batch, for observe.control. @return MHO_OK; MHO_ENOMEM. */
  mho_err (*observe)(const mho_lesson *l, mho_control_view *out, mho_errinfo *ei);
  /** Memory that it works in, of no consequence for results: for batches of up to `batch` samples
   *  of the network of an experiment; nullable, both. */
  mho_err (*own_new)(const struct mho_experiment *e, const mho_network *net, int batch, void **own,
                     mho_errinfo *ei);
  void (*own_free)(void *own);
  /** The same for every thread, mho_thread.rule_workspace: for lessons of up to n samples that
   *  this settler settles; nullable, both. *out may stay NULL. */
  mho_err (*workspace_new)(const mho_network *net, const mho_settler *settler, const void *params,
                           int n, void **out, mho_errinfo *ei);
  void (*workspace_free)(void *workspace);
  /** What state[0] must have room for beside what any rule needs, MHO_STATE_...; nullable: 0. */
  int (*parts)(const void *params);
  /** Why mho_lesson.direct cannot be, with these parameters; NULL: it can. Nullable: it never
   *  can. */
  const char *(*direct_needs)(const void *params);
  /** How many states it needs, at most MHO_RULE_STATES; nullable: 1. */
  int (*n_states)(const void *params, bool direct);
  /** How many phases it settles, the free one among them, which may use a state one after the
   *  other; at most 16, the number of phases that reads have noise of their own in. Nullable: as
   *  many as states. */
  int (*n_phases)(const void *params);
  /** Size of layer l's error relative to the true gradient (beta_f beta_i^h for EP; 1 for the
   *  read-out), of a lesson that has a network and parameters; nullable: 1. */
  double (*size)(const mho_lesson *l, int layer);
  /** Nullable: whether the weights are such that it can learn from another batch, which it is asked
   *  before each. @return MHO_OK; MHO_EDIVERGED with a sentence. */
  mho_err (*can_learn)(const mho_network *net, const void *params, mho_errinfo *ei);
  /** Rows of a lesson: prediction only (state[0] and the read-out), or prediction and what `change`
   *  takes. Adds to the stats. learn is nullable with a trial. */
  void (*predict)(const mho_lesson *l, mho_rule_stats *stats);
  void (*learn)(const mho_lesson *l, mho_rule_stats *stats);
  /** Nullable, with learn_feedback: how many passes through the training samples come before that
   *  of an epoch (0: the first), in which what leads back is taught alone. */
  int (*feedback_passes)(const mho_network *net, int epoch);
  /** Rows of a lesson of such a pass, in place of learn; `change` then says of which connections it
   *  is (mho_change.skip). Only reads and steps are counted. */
  void (*learn_feedback)(const mho_lesson *l, mho_rule_stats *stats);
  /** Nullable: after learn, once for a whole batch (sample0 0, n all of it) and on one thread, with
   *  repetitions of it (mho_lesson_predict) under crossbars that it perturbs, or with phases whose
   *  rows go through them in step (mho_lesson_settle). */
  mho_err (*trial)(const mho_lesson *l, mho_rule_stats *stats, mho_errinfo *ei);
  /** What connection c (trained) is to change by, of samples that have been learned from: sample0
   *  .. sample0+n-1 of the lesson, usually all of a batch. `out` comes empty, and what it points at
   *  must last until the next lesson. Called often, side by side: it only points. A scheme that
   *  pulses samples takes terms of at most train.batch samples. */
  void (*change)(const mho_lesson *l, int connection, mho_change *out);
  bool lines;        /**< all its terms are of lines, so that no patch and no bias is in the way */
  mho_apply applies; /**< when changes are applied, unless the config says otherwise; 0: batch */
  int also_applies;  /**< what else the config may say: MHO_APPLY_... */
} mho_rule;

/** The change of every rule that leaves errors of layers: one term (z of the free phase, error),
 *  with factor/n. */
MHO_API void mho_change_by_error(const mho_lesson *l, int connection, mho_change *out);

/** What a rule wants of connection c, with the factors that columns get. */
MHO_API mho_change mho_change_of(const mho_rule *rule, const mho_lesson *l, int connection);

/** What the config says of the gradient of any rule. */
typedef struct mho_gradient_config {
  int scale;         /**< auto, physical, normalized */
  int importance;    /**< none, local, propagate */
  int importance_by; /**< weights, read, probe */
  double importance_low, importance_high;
  int64_t importance_every;  /**< updates */
  int64_t importance_probes; /**< vectors */
} mho_gradient_config;
enum { MHO_IMPORTANCE_NONE, MHO_IMPORTANCE_LOCAL, MHO_IMPORTANCE_PROPAGATE };
enum { MHO_IMPORTANCE_BY_WEIGHTS, MHO_IMPORTANCE_BY_READ, MHO_IMPORTANCE_BY_PROBE };
enum { MHO_GRADIENT_AUTO, MHO_GRADIENT_PHYSICAL, MHO_GRADIENT_NORMALIZED };
/** The keys of mho_gradient_config. */
MHO_API extern const mho_params mho_gradient_params;

#endif
