/* trainer.h - the state of a training.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_TRAINER_H
#define MHO_TRAIN_TRAINER_H

#include "mho/train.h"

/* What an epoch has summed up so far; part of a mid-epoch checkpoint. */
typedef struct mho_epoch_sums {
  double loss, steps, reads, set, reset, clipped, truncated, verify_reads, wall_s;
  int64_t samples, correct, unsettled;
} mho_epoch_sums;

/* A few rows of one connection's weights: gradient, optimizer and programming pass over them in one task. */
typedef struct mho_slab {
  int connection, row0, rows;
} mho_slab;

/* What was done to one connection's devices in this epoch, for its energy and time; see mho_pulse_counts. */
typedef struct mho_writes {
  double reads, slots, coincided, half;
} mho_writes;

/* What a settle shows besides its states, to those who ask; all nullable. */
typedef struct mho_watch {
  double *time, *energy; /* [capacity] */
  const mho_power *power;
  mho_trace *trace;
} mho_watch;

struct mho_trainer {
  const mho_context *ctx;
  const mho_experiment *e;
  mho_dataset data;
  mho_network *net;
  const mho_rule *rule;
  const mho_settler *settler;
  const mho_optimizer *optimizer;
  const mho_scheme *scheme;
  mho_seeds seeds;
  bool direct;  /* the difference is settled itself */
  int capacity; /* samples of a state: a training or evaluation batch */
  int chunk;    /* samples a task settles */
  mho_state *state[MHO_RULE_STATES];
  mho_real **error;     /* [n_layers] of [capacity x n] */
  uint8_t *label;       /* [capacity] */
  double *layer_factor; /* [n_layers] on the gradient */
  double *built_range;  /* [n_trained] w_max as the config says, of drawn weights */
  bool ranged;          /* w_max is that of weights that were brought: it is stored */
  mho_real **brought;   /* [n_trained] of [weights] to be written; NULL but at the start */
  double *nominal_step; /* [n_trained] mean weight change of a nominal pulse */
  mho_real **moment[MHO_PROGRAM_STATES]; /* [n_trained] of [weights]: the optimizer's */
  mho_real **accumulator;                /* [n_trained] of [weights]: the scheme's; NULL without */
  mho_pulse_trains **trains;                   /* [n_trained] of a scheme that draws them; NULL without */
  mho_real **gradient; /* [n_trained] of [weights]: the batch's; NULL unless clipped */
  mho_slab *slab;      /* [n_slabs] */
  int n_slabs, slab_cells, slab_rows; /* most cells and rows of a slab */
  mho_pulse_counts *slab_counts;      /* [n_slabs] of the update under way */
  double *slab_norm;         /* [n_slabs] squared norm of the gradient, when it is clipped */
  double *connection_pulses; /* [n_trained] of this epoch */
  mho_writes *writes;        /* [n_trained] of this epoch */
  mho_real **scratch, **dw;  /* [threads]; dw: a slab's gradient, its wanted change, scratch */
  void **workspace;          /* [threads] of the settler; NULL where it needs none */
  mho_watch watch;
  mho_rule_stats *chunk_stats; /* [chunks] */
  int *cut;                    /* [training images] as they were cut into batches, once */
  int *batches; /* [training images] order of the batches in this epoch, only the first used */
  int *order;   /* [training images] in the order of this epoch */
  /* where the training stands */
  int epoch;               /* completed */
  int64_t batch;           /* done of the epoch under way */
  int64_t update;          /* done in all */
  mho_epoch_sums sums;     /* of the epoch under way */
  mho_meter *meter;        /* the same of reads; NULL when energy is not counted */
  mho_meter **chunk_meter; /* [chunks] of the batch under way */
};

/* What the lines of every crossbar load their drivers with now, wires and all. */
mho_err mho_power_new(const mho_trainer *t, mho_power *out, mho_errinfo *ei);
void mho_power_free(const mho_network *net, mho_power *p);
/* Whether training counts energy: on devices, unless told not to, and where the settler's reads are counted. */
bool mho_energy_counts(const mho_experiment *e);
/* Whether hidden layers are joined by wires: analog neurons, clocked or in continuous time. */
bool mho_energy_analog(const mho_experiment *e);

/* The rule's states (and errors, to learn) on images first .. first+n-1 of a part (n at most the capacity), into
 * state[0] and error; with noise of its own, apart from training's and evaluation's. What the watch asks for is
 * filled in. */
mho_rule_stats mho_trainer_settle(mho_trainer *t, const mho_images *part, int first, int n,
                                  bool learn);

/* What the settler needs on every thread. */
mho_err mho_trainer_workspaces_new(mho_trainer *t, mho_errinfo *ei);
void mho_trainer_workspaces_free(mho_trainer *t);

/* Add to the counts of this epoch. */
void mho_trainer_count(mho_trainer *t, int connection, const mho_pulse_counts *c);
/* Every trained connection's w_max (as given to mho_crossbar_new), [n_trained]; NULL: as the
 * config says. */
void mho_trainer_range(mho_trainer *t, const double *w_max);
/* Forget the weights that were to be written. */
void mho_trainer_settled_in(mho_trainer *t);
/* Rows for the database, [n_trained] of the connections as they are now; free with mho_free. NULL:
 * no memory. */
mho_layer_row *mho_trainer_layers(const mho_trainer *t);
/* Initial weights through the programming scheme, where program.initial says so; once, before the first update. */
mho_err mho_trainer_initial(mho_trainer *t, mho_errinfo *ei);

#endif
