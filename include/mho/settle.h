/* settle.h - states of a network and how they come to rest.
 *
 * A settle works on a few rows (samples) of a state, on the calling thread: samples do not depend
 * on each other, so a batch is cut into fixed chunks of rows and the chunks run in parallel.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_H
#define MHO_SETTLE_H

#include "mho/network.h"

enum { MHO_CHUNK_MAX = 256 }; /* most samples of one settle: beyond that a product gains nothing */

/** Everything that a settle changes, for a batch of samples. */
typedef struct mho_state {
  int capacity; /**< samples */
  int n_layers;
  /** [n_layers] of [capacity x n]: inputs, hidden activities, read-out probabilities. */
  mho_real **z;
  /** [n_layers] of [capacity x n] for hidden layers: the other half of a double buffer. */
  mho_real **next;
  /** [n_layers] of [capacity x n]: what is constant during a phase; NULL where nothing is. */
  mho_real **drive;
  /** [n_layers] of [capacity x outputs] for pooled layers: which unit of a window feedback
   *  reaches. */
  uint8_t **winner;
  /** [n_layers] of [capacity x outputs] for pooled layers: see mho_state_pool; NULL without
   *  MHO_STATE_INPUT. */
  mho_real **pooled;
  /** [n_layers] of [capacity x n] for hidden layers: what the difference dynamics needs of them;
   *  NULL  without MHO_STATE_KEEP. */
  mho_real **keep;
  /** [2 n_links] of [capacity x conversions x n of to], conversions as of
   *  mho_crossbar_conversions: what the sense lines of links into hidden layers held last, and
   *  the numbers made of it; NULL without MHO_STATE_HOLD. */
  mho_real **hold;
  int n_hold;
  /** [capacity x memory_size]: what a settler carries of every sample from phase to phase; NULL
   *  where it carries nothing but z. */
  double *memory;
  size_t memory_size;
} mho_state;

enum {
  MHO_STATE_INPUT = 1, /**< own z[0] and z[n_layers-1]; a nudged state borrows both */
  MHO_STATE_KEEP = 2,  /**< room for what the difference dynamics needs */
  MHO_STATE_HOLD = 4,  /**< room for what analog differencing holds */
};
/** State for up to `capacity` samples; parts: MHO_STATE_... */
MHO_API mho_err mho_state_new(const mho_network *net, int capacity, int parts, mho_state **out,
                              mho_errinfo *ei);
/** Frees a state; NULL is allowed. */
MHO_API void mho_state_free(mho_state *s);
/** s->pooled of samples sample0 .. sample0+n-1 from s->z, for gradients; s has MHO_STATE_INPUT. */
MHO_API void mho_state_pool(const mho_network *net, mho_state *s, int sample0, int n);
/** Room for what a settler carries of every sample (mho_settler.memory), in double precision. */
MHO_API mho_err mho_state_remember(mho_state *s, size_t per_sample, mho_errinfo *ei);
/** mho_real's of scratch that reading links needs for chunks of n samples, ... */
MHO_API size_t mho_settle_read_scratch(const mho_network *net, int n);
/** ... and that a whole settle needs, on one thread. */
MHO_API size_t mho_settle_scratch(const mho_network *net, int n);

/** What a settler adds up over samples. */
typedef struct mho_settle_stats {
  /** Steps, sweeps or evaluations of the rates, summed over samples. */
  double steps;
  int64_t unsettled; /**< samples that missed the tolerance */
  /** Largest ratio of the last two changes, where it was looked at; else 0. */
  double contraction;
  /** Input vectors read through a crossbar; one a link and phase in continuous time. */
  double reads;
  /** s of the circuit's time, summed over the samples that settled. */
  double time;
  double time_max; /**< s, of the slowest that did */
  int64_t timed;   /**< how many did; 0 where a settler knows no time */
  /** Largest |du/dt| tau that was left of a sample, in continuous time. */
  double residual;
} mho_settle_stats;

/** What the reads of every link add up to, for energy. Lines are driven by activities of digital
 *  neurons as they are, whose sums are scaled as numbers; analog neurons drive them through their
 *  amplifiers, so that a feedback line carries beta_i times the activity and an error line the
 *  nudge times the error. Reads of the input are those of the free phase. */
typedef struct mho_meter {
  int n_links;
  bool analog;   /**< hidden layers are joined by wires and amplifiers */
  double *reads; /**< [n_links] input vectors read */
  /** [n_links] of [inputs]: sum of the squares of what drove each line at a read. */
  double **squares;
  /** [n_links] of [inputs] s: the same integrated over time, in continuous time; else 0. */
  double **driven;
  double steps[2]; /**< of free and nudged phases, summed over samples */
  /** s of free and nudged phases, summed over samples, in continuous time; else 0. */
  double time[2];
  double samples;
  int *inputs; /**< [n_links] */
} mho_meter;
/** @param analog  see mho_meter. @return MHO_OK; MHO_ENOMEM. */
MHO_API mho_err mho_meter_new(const mho_network *net, bool analog, mho_meter **out,
                              mho_errinfo *ei);
/** Frees a meter; NULL is allowed. */
MHO_API void mho_meter_free(mho_meter *m);
/** Every count to 0. */
MHO_API void mho_meter_clear(mho_meter *m);
/** a += b. */
MHO_API void mho_meter_add(mho_meter *a, const mho_meter *b);
/** One moment of a settle, for those who watch. */
typedef struct mho_trace_point {
  int phase; /**< 0 free, 1 nudged, 2 nudged the other way */
  int step;  /**< step or sweep of the phase; 0: its start */
  /** s since the start of the free phase; NaN where a settler knows no time. */
  double time;
  double residual;  /**< largest change of the step, or largest |du/dt| tau */
  double *const *z; /**< [n_layers] of [n of the layer]: hidden activities */
} mho_trace_point;

/** Watches a settle of one sample. */
typedef struct mho_trace {
  void (*point)(void *user, const mho_trace_point *p);
  void *user;
  /** [n_layers] of [n of the layer], hidden layers: room for a point's activities. */
  double **z;
  double time_0; /**< s, when the phase begins: the settler moves it on */
} mho_trace;

/** What the crossbars load their drivers with, for the energy of a settle. */
typedef struct mho_power {
  double volts; /**< of an activity of 1 on a line, V */
  /** [n_connections] of [rows]: sum of a row's conductances, both devices, in S. */
  double **rows;
  double **cols; /**< [n_connections] of [cols] */
} mho_power;

/** One phase of some samples. */
typedef struct mho_settle_job {
  const mho_network *net;
  const void *params;     /**< of the settler */
  mho_state *s;           /**< its samples sample0 .. sample0+n-1 are settled */
  const mho_state *input; /**< z[0] of these rows: the inputs */
  const mho_state *start; /**< hidden activities at the start, not s itself; NULL: all 0 */
  /** s->drive may be taken from this phase of the same samples; NULL: read the inputs anew. */
  const mho_state *drive;
  /** The free state whose sense lines a nudged phase is converted against; NULL: none. */
  const mho_state *held;
  int sample0, n;
  double nudge; /**< signed beta_f; 0: free phase */
  /** [capacity x classes] held p - y; NULL with a nudge: live, re-read at every step. */
  const mho_real *error;
  const uint8_t *label; /**< [capacity], for a live error */
  bool changes;         /**< what is read are changes of activities: they meet no bias */
  /** Part of the biases that has not come on yet, 0 once they are. */
  mho_real bias_off;
  mho_clock clock;
  mho_real *scratch;
  mho_meter *meter; /**< nullable: reads are counted there, on one thread */
  void *workspace;  /**< of the settler, for this thread; NULL where it has none */
  /** For a settler that `subtracts`, both nullable: z_free - z goes into moved, [n_layers] of
   *  [capacity x n], and free is the state of the free phase. */
  const mho_state *free;
  mho_real *const *moved;
  /** Nullable, for settlers in continuous time: */
  double *time; /**< [capacity] s a sample took to settle; NaN when it did not */
  /** [capacity] J that the cells took of the lines in this phase. */
  double *energy;
  const mho_power *power; /**< with energy */
  mho_trace *trace;       /**< of a job with n = 1 */
} mho_settle_job;

/** What the config says of any settler. */
typedef struct mho_settle_config {
  int difference; /**< auto, subtract, direct */
} mho_settle_config;
enum { MHO_DIFFERENCE_AUTO, MHO_DIFFERENCE_SUBTRACT, MHO_DIFFERENCE_DIRECT };
/** The keys of mho_settle_config. */
MHO_API extern const mho_params mho_settle_params;

/** A registered settler: how equilibrium is reached. */
typedef struct mho_settler {
  mho_entry entry;
  bool in_turn; /**< a step reads one layer after another, not all at once */
  /** Settle the rows of a job (n at most MHO_CHUNK_MAX); adds to the stats. */
  void (*settle)(const mho_settle_job *job, mho_settle_stats *stats);
  /** Settle the difference itself, without subtracting two states: e[l] = (z_free -
   *  z_nudged)/(nudge beta_i^h) on the rows of a job whose s is the free state (with
   *  MHO_STATE_KEEP) and whose error is held. free: the stats of its free phase. e: [n_layers] of
   *  [capacity x n], hidden layers written. Nullable: the settler knows only two states. */
  void (*difference)(const mho_settle_job *job, const mho_settle_stats *free, mho_real *const *e,
                     mho_settle_stats *stats);
  /** All that follows is nullable. Parameters that do not go together: MHO_ECONFIG with a
   *  sentence. */
  mho_err (*check)(const void *params, mho_errinfo *ei);
  /** Why `difference` cannot be used with these parameters; NULL: it can. */
  const char *(*direct_needs)(const void *params);
  /** Doubles that it carries of every sample: mho_state.memory must have that room in every
   *  state. */
  size_t (*memory)(const mho_network *net, const void *params);
  /** What it needs on every thread for jobs of up to n samples, so that settling allocates
   *  nothing. */
  mho_err (*workspace_new)(const mho_network *net, const void *params, int n, void **out,
                           mho_errinfo *ei);
  void (*workspace_free)(void *workspace);
  bool subtracts; /**< it fills job->moved, more precisely than z tells */
  /** It knows seconds; the second nudged phase goes on from where the first one ended. */
  bool in_time;
  /** It does not read crossbars itself, so that nothing counts its reads for energy. */
  bool unmetered;
} mho_settler;

/** The settler that others are compared with: it comes as close to the equilibrium as rounding lets
 *  it (its parameter `tolerance` says how close) and settles the difference itself. It is `sweep`
 *  of the registry. */
MHO_API const mho_settler *mho_settler_reference(void);

/** One pass through the layers in order, along forward links only: the feed-forward net of
 *  backpropagation. Uses s->z[0] as input. */
MHO_API void mho_forward_pass(const mho_settle_job *job, mho_settle_stats *stats);
/** The read-out: z[last] = softmax of the summed links into it; error = p - y where given.
 *  @param error  [capacity x classes]; nullable with a state that has z[last]. */
MHO_API void mho_read_out(const mho_settle_job *job, mho_real *error, double *loss,
                          int64_t *correct, mho_settle_stats *stats);

/* ---------------------------------------------------------------- observables */

/* How the recurrence behaves, as in Liu & Chen, arXiv 2508.11659. All of it is of the synchronous
 * map
 *
 *   z <- rho(z M + x W_0)
 *
 * with M all hidden layers side by side, blocks alpha W forward and beta_i B back, of the free
 * phase, read without noise, whatever settler the training uses. Nothing here changes a network or
 * draws from a random stream of the training. */

/** What is to be observed after an epoch; the cosine is the trainer's. */
typedef struct mho_observe_config {
  bool spectral_radius, lyapunov, settling, cosine;
  int cosine_at;   /**< MHO_COSINE_... */
  int64_t samples; /**< test images */
} mho_observe_config;
/** The states at which backpropagation is taken. */
enum { MHO_COSINE_FORWARD, MHO_COSINE_SETTLED };
/** The keys of mho_observe_config. */
MHO_API extern const mho_params mho_observe_params;

enum {
  /** Most neurons whose spectrum is computed from the dense matrix. */
  MHO_OBSERVE_DENSE = 400,
  MHO_OBSERVE_STEPS = 1000, /**< after which a sample counts as unsettled */
};

/** Spectral radius max |eig(M)|; 0 where no link leads back (M is nilpotent then).
 *
 *  The layers are balanced first (scaled so that every link's two directions are as strong: the
 *  eigenvalues stay, and a chain with symmetric feedback becomes a symmetric matrix). Up to
 *  MHO_OBSERVE_DENSE hidden neurons in a loop: all eigenvalues of the dense matrix (GSL), good to
 *  about 1e-12. Beyond: Arnoldi on products with the effective matrices, M is never formed; within
 *  1e-8 of the dense result for random nets of up to 1024 neurons, symmetric, asymmetric, residual
 *  and arbitrary, in well under a second. The residual says how far it has converged.
 *
 *  @param residual  nullable: of the eigenvalue, see mho_eigen_radius; 0 for a dense matrix.
 *  @return MHO_OK; MHO_ENOMEM; MHO_ESINGULAR, MHO_EDIVERGED when weights are not finite. */
MHO_API mho_err mho_observe_spectral_radius(const mho_network *net, double *radius,
                                            double *residual, mho_errinfo *ei);

/** The largest Lyapunov exponent over samples. */
typedef struct mho_lyapunov {
  /** 1/step, over samples; -INFINITY when every perturbation dies out. */
  double mean;
  int steps; /**< T */
  /** Samples whose perturbation dies out wholly: no loop of links, or every neuron of one
   *  saturated; not in the mean. */
  int64_t extinct;
} mho_lyapunov;
/** Finite-time maximal Lyapunov exponent: mean of ln |d_t| / |d_{t-1}| over the first T steps from
 *  rest,
 *
 *    d_t = (d_{t-1} M) . rho'(h_t),  h_t the summed input that makes z_t
 *
 *  d_0 random (the same in every call) and d renormalized at every step; |.| over all hidden
 *  layers. T = 10 a hidden layer, at most 100. d_0's own way into the fastest direction is part of
 *  the mean, a difference of order 1/T.
 *
 *  @param input  z[0]: [at least n x features], the samples' inputs.
 *  @param pool   nullable.
 *  @return MHO_OK; MHO_EINVAL for n < 1; MHO_ENOMEM. */
MHO_API mho_err mho_observe_lyapunov(const mho_network *net, const mho_state *input, int n,
                                     mho_pool *pool, mho_lyapunov *out, mho_errinfo *ei);

/** Steps of the map until it settles, over samples. */
typedef struct mho_settling {
  double mean, max; /**< steps, of the samples that settle; NaN when none does */
  /** Largest change of a state in a sample's last step; infinite when one is not a number. */
  double residual;
  int64_t unsettled; /**< samples that do not within MHO_OBSERVE_STEPS */
} mho_settling;
/** Settling time: the first step of the synchronous map from rest by which the largest |z_t -
 *  z_{t-1}| has been below 1e-6 three times running.
 *
 *  @param input  z[0]: [at least n x features], the samples' inputs.
 *  @param pool   nullable.
 *  @return MHO_OK; MHO_EINVAL for n < 1; MHO_ENOMEM. */
MHO_API mho_err mho_observe_settling(const mho_network *net, const mho_state *input, int n,
                                     mho_pool *pool, mho_settling *out, mho_errinfo *ei);

#endif
