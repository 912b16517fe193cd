/* settle.h - states of a network and how they come to rest.
 *
 * What neurons make of what comes in is a dynamics; a settler brings it to rest, or runs it in
 * time, and knows nothing of it but hooks. Both work on a phase: a few rows (samples) of a state
 * and what drives them, on the calling thread. Samples do not depend on each other, so a batch is
 * cut into fixed chunks of rows and the chunks run in parallel.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_SETTLE_H
#define MHO_MODEL_SETTLE_H

#include "mho/data.h"
#include "mho/model/network.h"
#include "mho/model/variables.h"

enum { MHO_CHUNK_MAX = 256 }; /* most samples of one settle: beyond that a product gains nothing */

typedef struct mho_dynamics mho_dynamics;
typedef struct mho_settler mho_settler;
typedef struct mho_phase mho_phase;

/** Everything that a settle changes, for a batch of samples. */
typedef struct mho_state {
  int capacity; /**< samples */
  int n_layers;
  /** [n_layers] of [capacity x n]: inputs, hidden activities, read-out probabilities. */
  mho_real **z;
  /** [capacity] spikes of the inputs, which lie in the dataset, where inputs are some
   *  (MHO_ENCODE_EVENTS); NULL without MHO_STATE_INPUT, and where no neurons spike. */
  mho_events *events;
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
  /** [n_layers] of [capacity x n] for hidden layers: the summed inputs that z follows from; NULL
   *  without MHO_STATE_SUMS. */
  mho_real **sums;
  /** [n_layers] of [capacity x n]: what a trial adds to the summed inputs of neurons and of the
   *  read-out, from when a phase begins; NULL without MHO_STATE_PUSH, and for the input. */
  mho_real **push;
  /** [capacity x memory_size]: what a settler carries of every sample from phase to phase; NULL
   *  where it carries nothing but z. */
  double *memory;
  size_t memory_size;
  mho_vars *vars; /**< the variables of the dynamics; NULL where it has none */
} mho_state;

enum {
  MHO_STATE_INPUT = 1, /**< own z[0] and z[n_layers-1]; a nudged state borrows both */
  MHO_STATE_KEEP = 2,  /**< room for what the difference dynamics needs */
  MHO_STATE_HOLD = 4,  /**< room for what analog differencing holds */
  MHO_STATE_PUSH = 8,  /**< room for what a trial adds to summed inputs */
  MHO_STATE_SUMS = 16, /**< room for the summed inputs themselves */
};
/** State for up to `capacity` samples; parts: MHO_STATE_... */
MHO_API mho_err mho_state_new(const mho_network *net, int capacity, int parts, mho_state **out,
                              mho_errinfo *ei);
/** Room for the variables of a dynamics, which a state needs that settles with it. */
MHO_API mho_err mho_state_add_variables(mho_state *s, const mho_network *net,
                                        const mho_dynamics *dyn, mho_errinfo *ei);
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

/** What nodes between resistors come to at rest, in units of a network of resistors: a power is one
 *  of units of conductance times squares of units of voltage. With amplifiers the conductances into
 *  layer l, and their sources, count (c/a)^(l - 1) times. */
typedef struct mho_balance {
  double kirchhoff;            /**< largest current that a node has too much of */
  double dissipated, supplied; /**< in conductances and junctions; by inputs and biases */
} mho_balance;

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
  /** Of samples that were looked at: the largest current left, powers summed. */
  mho_balance balance;
  int64_t balanced; /**< how many were; 0 without resistors, and in training */
} mho_settle_stats;

/** Reads of a link to which a trial added a perturbation of rank one. */
typedef struct mho_edge_reads {
  double reads;
  double squares; /**< of what drove all lines */
  double driven;  /**< s: the same integrated over time, in continuous time; else 0 */
} mho_edge_reads;

/** What the reads of every link add up to, for energy. Lines are driven by activities of digital
 *  neurons as they are, whose sums are scaled as numbers; analog neurons drive them through their
 *  amplifiers, so that a feedback line carries beta_i times the activity and an error line the
 *  nudge times the error. Reads of the input are those of the free phase. */
typedef struct mho_meter {
  int n_links;
  bool analog;   /**< hidden layers are joined by wires and amplifiers */
  double *reads; /**< [n_links] input vectors read */
  /** [n_links] of [inputs]: sum of the squares of what drove each line at a read, in all slices of
   *  its input. */
  double **squares;
  /** [n_links] of [inputs] s: the same integrated over time, in continuous time; else 0. */
  double **driven;
  mho_edge_reads *edge; /**< [n_links] */
  double steps[2];      /**< of free and nudged phases, summed over samples */
  /** s of free and nudged phases, summed over samples, in continuous time; else 0. */
  double time[2];
  /** s that neurons which spike have integrated for, summed over samples, in time of the settler; 0
   *  where none do. */
  double integrated;
  /** Neurons that lines of inhibition have reached, summed over the times that one was pulled. */
  double inhibited;
  double samples;
  int *inputs; /**< [n_links] */
  const mho_network *net;
  mho_array_converters converters; /**< of its arrays: they say what drives a line */
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
  int phase; /**< 0 free; nudged: 1, 3, .. up, 2, 4, .. down, see mho_phase.number */
  int step;  /**< step or sweep of the phase; 0: its start */
  /** s since the start of the free phase; NaN where a settler knows no time. */
  double time;
  double residual;      /**< largest change of the step, or largest |du/dt| tau */
  double *const *z;     /**< [n_layers] of [n of the layer]: hidden activities */
  const mho_vars *vars; /**< of the dynamics, all samples; NULL where it has none */
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

/** What drives a phase beside its inputs. */
typedef enum mho_drive_kind {
  MHO_DRIVE_NONE, /**< the free phase */
  MHO_DRIVE_HELD, /**< an error that is the same through the phase */
  MHO_DRIVE_LIVE, /**< the error of the present states, read at every step */
} mho_drive_kind;
typedef struct mho_drive {
  mho_drive_kind kind;
  double strength;       /**< signed beta_f */
  const mho_real *error; /**< [capacity x classes] held o - t */
  mho_targets targets;   /**< [capacity], for a live error and the read-out */
  /** [capacity x classes] what the units that stand for the label fire in every step, in neurons
   *  that spike; NULL: nothing. */
  const mho_real *context;
  /** The state of the free phase of the same samples, whose inputs, reads of them and held sense
   *  lines this phase goes on with; NULL: this is the free phase. */
  const mho_state *free;
  /** c, towards the activities of the free phase: z <- (1 - c) z + c z_free after every step, or a
   *  conductance of c/(1 - c) at every neuron in continuous time; 0: none. */
  double pull;
  /** It is on for so many steps, or tau, once the phase has come to its end, which these put off;
   *  -1: from the start of the phase, which ends as without. */
  int64_t pull_steps;
} mho_drive;

/** How inputs become spikes, of the config (settle.encode): src/settle/encoder.c. */
typedef struct mho_encode_config {
  int kind;            /**< MHO_ENCODE_... */
  double rate;         /**< 1/s, of an input of 1 */
  double silent_below; /**< inputs below it do not spike */
  double tau;          /**< s, of a neuron that fires once */
  double threshold;    /**< where it does */
} mho_encode_config;
enum {
  MHO_ENCODE_POISSON,
  MHO_ENCODE_REGULAR,
  MHO_ENCODE_LATENCY,
  MHO_ENCODE_DIRECT,
  MHO_ENCODE_EVENTS
};

/** What the config says of any settler. */
typedef struct mho_settle_config {
  int difference; /**< auto, subtract, direct */
  mho_encode_config encode;
  /** s of the chip in one of a settler that neurons spike in: what it takes, and waveforms. */
  double time_scale;
} mho_settle_config;
enum { MHO_DIFFERENCE_AUTO, MHO_DIFFERENCE_SUBTRACT, MHO_DIFFERENCE_DIRECT };
/** The keys of mho_settle_config. */
MHO_API extern const mho_params mho_settle_params;

/** A step of a clock, or an event. */
typedef struct mho_tick {
  int number;  /**< of the phase, from 1 */
  double dt;   /**< s */
  double time; /**< s since the phase began, at its end */
  /** It is an event of the one sample that the phase has, dt s after the last one. */
  bool event;
  bool resting; /**< inputs are off */
  bool last;    /**< of the phase: its activities are read */
  bool layered; /**< layers one after another, each hears this step's spikes of those before */
  bool euler;   /**< forward Euler in place of what is exact over the step */
} mho_tick;

/** What a thread settles with, phase after phase. */
typedef struct mho_thread {
  const mho_settler *settler;
  const void *params;              /**< of the settler */
  const void *dynamics_params;     /**< of the dynamics */
  void *workspace;                 /**< the settler's, for this thread; NULL where it has none */
  void *rule_workspace;            /**< the rule's */
  mho_real *scratch;               /**< [mho_settle_scratch] */
  const mho_encode_config *encode; /**< of dynamics that spike */
  uint64_t noise_seed;             /**< of their inputs */
  /** The samples are learned from: what neurons adapt from sample to sample goes on. */
  bool adapts;
  uint64_t update; /**< names the noise of this batch */
  int step;        /**< of the settle under way, see mho_clock */
  bool changes;    /**< what is read are changes of activities: they meet no bias */
  /** Part of the biases that has not come on yet, 0 once they are. */
  mho_real bias_off;
} mho_thread;

/** What is to be known of a phase beside the states it ends in; everything is nullable. */
typedef struct mho_probe {
  mho_meter *meter; /**< reads are counted there, on one thread */
  mho_trace *trace; /**< of a phase with n = 1 */
  /** For a settler that `subtracts`: z_free - z goes there, [n_layers] of [capacity x n]. */
  mho_real *const *moved;
  /** For settlers in continuous time: */
  double *time; /**< [capacity] s a sample took to settle; NaN when it did not */
  /** [capacity] J that the cells took of the lines in this phase. */
  double *energy;
  const mho_power *power; /**< with energy */
  double *loss;           /**< [capacity] of the read-out, of every sample */
} mho_probe;

/** One phase of some samples. */
struct mho_phase {
  const mho_network *net;
  const mho_dynamics *dyn;
  mho_state *s;           /**< its samples row0 .. row0+n-1 are settled */
  const mho_state *start; /**< the state that they start from, not s itself; NULL: rest */
  int row0, n;            /**< n at most MHO_CHUNK_MAX */
  /** 0 free, 1 nudged (or nudged the positive way), 2 nudged the negative way; where a rule nudges
   *  by several strengths, 3, 4, .. go on with further pairs. Below MHO_STREAM_PHASES. */
  int number;
  mho_drive drive;
  mho_thread *thread;
  const mho_probe *probe; /**< nullable */
  /** Nullable: called with `of` after every step of a clock, and after every event of a sample, in
   *  a phase of that sample alone. */
  void (*ticked)(const mho_phase *p, const mho_tick *tick, void *of);
  void *of;
};

/** Whether an error drives a phase. */
static inline bool mho_phase_is_nudged(const mho_phase *p) {
  return p->drive.kind != MHO_DRIVE_NONE;
}
/** Whether a phase is pulled back from its start on, ... */
static inline bool mho_phase_is_pulled(const mho_phase *p) {
  return p->drive.pull > 0 && p->drive.pull_steps < 0;
}
/** ... or for so many steps at its end; else 0. */
static inline int mho_phase_pulled_steps(const mho_phase *p) {
  bool is_late = p->drive.pull > 0 && p->drive.pull_steps > 0;
  return is_late ? (int)p->drive.pull_steps : 0;
}
/** The state that has a phase's inputs. */
static inline const mho_state *mho_phase_input(const mho_phase *p) {
  return p->drive.free ? p->drive.free : p->s;
}

/** A phase under way: what settlers and dynamics hand each other. */
typedef struct mho_chunk {
  const mho_phase *phase;
  /** Hidden activities at present, the phase's first sample first. */
  const mho_real *now[MHO_LAYERS_MAX];
  bool zero[MHO_LAYERS_MAX]; /**< now[l] is all 0: it need not be multiplied */
  bool hold_winners;         /**< of pooled layers: feedback goes where it went */
  bool pulled;               /**< towards the free activities, in this step: mho_drive.pull */
} mho_chunk;

/** A registered dynamics: the physics of the neurons. Its state is mho_state's activities z and the
 *  variables of its table, mho_state.vars. Which hooks it has says which settlers can run it; those
 *  that are there work on the samples of a phase, on the calling thread. */
struct mho_dynamics {
  mho_entry entry;
  const mho_var *vars; /**< [n_vars], nullable */
  int n_vars;
  /** Nullable. Parameters that do not go together: MHO_ECONFIG with a sentence. */
  mho_err (*check)(const void *params, mho_errinfo *ei);
  /** A phase begins: read what stays the same through it. Without p->start the variables are 0;
   *  else they are those of p->start already. Called again in the middle of a phase, at a
   *  thread->step above 0, it reads that again, with the noise of the step, and leaves all else. */
  void (*begin)(const mho_phase *p, mho_settle_stats *stats);

  /* At rest, layer by layer. All of them, or none. */

  /** What comes into layer l from the present activities, into a, [n x layer].
   *  @param error  live o - t, [n x classes]; nullable.
   *  @return false, with a untouched, when nothing comes in. */
  bool (*input)(const mho_chunk *c, int l, const mho_real *error, mho_real *a,
                mho_settle_stats *stats);
  /** The activities of layer l at rest under what comes in, in place (`any`: something does).
   *  @return whether they are all 0. */
  bool (*relax)(const mho_chunk *c, int l, bool any, mho_real *a);
  /** Nullable: the exact difference of two states at rest, see mho_settler.difference: e[l] of a
   *  layer from those of the layers around it that are `fresh`.
   *  @return whether an error reaches it. */
  bool (*difference)(const mho_phase *p, int l, const bool *fresh, mho_real *const *e,
                     mho_settle_stats *stats);

  /** Nullable: number i (1 .. hidden layers) of the layers that a sweep takes one after another;
   *  without, from the input on in the free phase and from the outputs back in nudged ones. */
  int (*turn)(const mho_phase *p, int i);

  /** Nullable: what Kirchhoff's law leaves of a free phase that has come to its end, and its
   *  powers: out [n], of the phase's samples. It uses s->next. */
  void (*balance)(const mho_phase *p, mho_balance *out, mho_settle_stats *stats);
  /** Nullable: the one sample of a phase that somebody watches is at c->now: variables of the
   *  table that nobody else wants. */
  void (*watched)(const mho_chunk *c);
  /** Nullable: a phase has ended, in the activities s->z. */
  void (*ended)(const mho_phase *p);

  /* In continuous time, by equations of its own, of nodes that conductances join (resistors): with
   * input, both or none. They work on layer l of the phase's samples in double precision, [n x
   * layer]; every unit has one state. */

  /** z = the activities that states y are; z may be y. A phase without a start begins with y =
   *  s->z, as begin leaves them. */
  void (*activities)(const mho_phase *p, int l, const double *y, double *z);
  /** f = tau dy/dt, tau of the settler (a unit's own factor of it is the settler's, too); a: what
   *  `input` found to come in. */
  void (*rates)(const mho_phase *p, int l, const mho_real *a, const double *y, double *f);

  /* In time. */

  /** An error enters the neurons of outputs that hold states (mho_layer_takes_error). */
  bool outputs_states;
  /** Its neurons are nodes that conductances join: the network is one of section resistive. */
  bool resistors;
  /** Its neurons are circuits, tau du/dt = -u + a with z = rho(u), which is what ode integrates and
   *  ngspice solves. */
  bool is_circuit;
  /** Its neurons spike: layers send 0 or 1, links carry what has fired alone, and the config has
   *  their keys (mho_spiking_config). */
  bool spikes;
  /** Nullable: all samples take a step of a clock, and leave their activities in s->z. */
  void (*step)(const mho_phase *p, const mho_tick *tick, mho_settle_stats *stats);
  /** Nullable, with event: seconds from the start of the phase to the next event of a sample;
   *  INFINITY: none. */
  double (*next)(const mho_phase *p, int sample);
  /** Bring a sample to time t, no later than its next event, which happens if it is due then. */
  void (*event)(const mho_phase *p, int sample, double t, mho_settle_stats *stats);
};

/** A registered settler: how a phase runs. Of the neurons it knows the hooks of the dynamics. */
struct mho_settler {
  mho_entry entry;
  bool in_turn; /**< a step reads one layer after another, not all at once */
  /** Settle the rows of a phase; adds to the stats. */
  void (*settle)(const mho_phase *p, mho_settle_stats *stats);
  /** Nullable, with n_steps, of a settler with a clock: step t, from 1, of a phase that has begun
   *  (mho_settle_begin); settle takes all n_steps of them. */
  void (*step)(const mho_phase *p, int t, mho_settle_stats *stats);
  int (*n_steps)(const void *params);
  /** Settle the difference itself, without subtracting two states: e[l] = (z_free -
   *  z_nudged)/(nudge beta_i^h) on the rows of a phase whose s is the free state (with
   *  MHO_STATE_KEEP) and whose error is held. free: the stats of its free phase. e: [n_layers] of
   *  [capacity x n], hidden layers written. Nullable: the settler knows only two states. */
  void (*difference)(const mho_phase *p, const mho_settle_stats *free, mho_real *const *e,
                     mho_settle_stats *stats);
  /** Why it cannot run a dynamics, as the end of a sentence ("needs ..."); NULL: it can. */
  const char *(*misses)(const mho_dynamics *dyn, const void *params);
  /** All that follows is nullable. Parameters that do not go together: MHO_ECONFIG with a
   *  sentence. */
  mho_err (*check)(const void *params, mho_errinfo *ei);
  /** Why `difference` cannot be used with these parameters; NULL: it can. */
  const char *(*direct_needs)(const void *params);
  /** Why mho_drive.pull cannot be, with these parameters; NULL: it can. Nullable: it never can. */
  const char *(*pull_needs)(const void *params);
  /** Doubles that it carries of every sample: mho_state.memory must have that room in every
   *  state. */
  size_t (*memory)(const mho_network *net, const void *params);
  /** What it needs on every thread for phases of up to n samples, so that settling allocates
   *  nothing. */
  mho_err (*workspace_new)(const mho_network *net, const void *params, int n, void **out,
                           mho_errinfo *ei);
  void (*workspace_free)(void *workspace);
  /** s, the time constant of its neurons; it knows time. */
  double (*tau)(const void *params);
  bool subtracts; /**< it fills mho_probe.moved, more precisely than z tells */
  /** It knows seconds; the second nudged phase goes on from where the first one ended. */
  bool in_time;
  /** It does not read crossbars itself, so that nothing counts its reads for energy. */
  bool unmetered;
  /** What went wrong since this was last asked: states that a settle could not find are NaN. */
  mho_err (*failure)(mho_errinfo *ei);
};

/** Settle a phase with the thread's settler: s->z of its rows, and the variables of its dynamics.
 *  Adds to the stats. */
MHO_API void mho_settle(const mho_phase *p, mho_settle_stats *stats);
/** Begin a phase that is settled step by step, see mho_settler.step. */
MHO_API void mho_settle_begin(const mho_phase *p, mho_settle_stats *stats);
/** Settle the difference itself, see mho_settler.difference. */
MHO_API void mho_settle_difference(const mho_phase *p, const mho_settle_stats *free,
                                   mho_real *const *e, mho_settle_stats *stats);

/** One pass through the layers in order, along forward links only: the feed-forward net of
 *  backpropagation. */
MHO_API void mho_forward_pass(const mho_phase *p, mho_settle_stats *stats);
/** The read-out: z[last] = what it answers to the summed links into it; error = o - t where given.
 *  @param error  [capacity x classes]; nullable with a state that has z[last]. */
MHO_API void mho_read_out(const mho_phase *p, mho_real *error, double *loss, int64_t *correct,
                          mho_settle_stats *stats);

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
  bool spectral_radius, lyapunov, settling, cosine, control;
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
