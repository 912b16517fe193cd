/* study.h - many trainings that answer one question: what is varied, planned, trained by worker
 * processes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_STUDY_H
#define MHO_STUDY_H

#include "mho/experiment.h"
#include "mho/store.h"

/* ---------------------------------------------------------------- what is varied */

/** A study file read: a base config, the keys that are varied over it, seeds. */
typedef struct mho_study mho_study;

/** Read a study file (YAML; docs/guide.md and `mho sweep --help` describe it).
 *  @param set  overrides of the base config as of --set, [n_set].
 *  @return MHO_OK; MHO_EIO when it or its base cannot be read; MHO_ECONFIG with file, line and
 *          cure. */
MHO_API mho_err mho_study_read(const mho_registry *r, const char *path, int n_set,
                               const char *const *set, mho_study **out, mho_errinfo *ei);
/** The same of text; `name` stands for the file in messages and, less its ending, for the study. */
MHO_API mho_err mho_study_text(const mho_registry *r, const char *text, const char *name, int n_set,
                               const char *const *set, mho_study **out, mho_errinfo *ei);
/** Frees a study; NULL is allowed. */
MHO_API void mho_study_free(mho_study *s);
/** The name that the study file gives. */
MHO_API const char *mho_study_name(const mho_study *s);
/** The study as one YAML file that needs no other, its base written out; NULL: no memory. Free with
 *  free(). */
MHO_API char *mho_study_yaml(const mho_study *s);
/** What the database keeps of it (table study): JSON with the keys, their values or ranges, the
 *  seeds, and the YAML; NULL: no memory. Free with free(). */
MHO_API char *mho_study_json(const mho_study *s);

/* ---------------------------------------------------------------- the runs it needs */

/** How far a planned run is. */
typedef enum mho_plan_state {
  MHO_PLAN_NEW,    /**< to be trained */
  MHO_PLAN_RESUME, /**< was cut off: goes on from its checkpoint */
  MHO_PLAN_DONE,   /**< completed, here or in an earlier session */
  MHO_PLAN_DIVERGED,
  MHO_PLAN_STOPPED, /**< ended early because it was hopeless */
  MHO_PLAN_FAILED,
  MHO_PLAN_STATES
} mho_plan_state;
/** "new", "resume", "done", ... */
MHO_API const char *mho_plan_state_word(mho_plan_state state);

/** A run of a plan. */
typedef struct mho_plan_run {
  int point; /**< of the design, from 0 */
  int64_t seed;
  char *label; /**< "read_noise=0.01 step_up=0.002", the seed left out */
  char hash[65], data_checksum[65];
  char id[MHO_ID_MAX]; /**< "" until the database has it */
  mho_plan_state state;
  double predicted_s; /**< by stored wall times; NaN: nothing is known */
} mho_plan_run;

/** A key that a study sets and that has no effect in some of its runs. */
typedef struct mho_plan_idle {
  char key[128]; /**< with its section */
  char why[256]; /**< in the first of them */
  int runs;      /**< how many */
} mho_plan_idle;

/** All runs of a study, and how far each is. */
typedef struct mho_plan {
  int n, n_points;
  /** [n], point after point; configs that come out the same are in it once. */
  mho_plan_run *run;
  int repeated; /**< those left out for that */
  int n_idle;
  mho_plan_idle *idle; /**< [n_idle], in the order in which runs and configs have them */
} mho_plan;

/** Every run of a study, each config checked.
 *  @param store  where to look for runs that are there already, and for wall times; nullable: none.
 *  @return MHO_OK; MHO_ECONFIG with the place for a value that does not fit; errors of data and
 *          store. */
MHO_API mho_err mho_study_plan(const mho_study *s, const mho_registry *r, mho_store *store,
                               mho_plan *out, mho_errinfo *ei);
/** Frees the runs and empties the plan. */
MHO_API void mho_plan_free(mho_plan *p);

/* ---------------------------------------------------------------- training them */

/** What happened to a run of a study. */
typedef enum mho_study_what {
  MHO_STUDY_PLANNED, /**< before all others: the plan is there */
  MHO_STUDY_STARTED,
  MHO_STUDY_EPOCH,
  MHO_STUDY_ENDED,
  MHO_STUDY_TICK
} mho_study_what;
/** What happened, and to which run. */
typedef struct mho_study_event {
  mho_study_what what;
  const mho_plan *plan;
  /** NULL when it is planned, and in a tick, which comes a few times a second. */
  const mho_plan_run *run;
  int index;                                   /**< of the run in the plan */
  int epoch, epochs;                           /**< had and wanted */
  double train_acc, test_acc, val_acc, wall_s; /**< NaN: not known */
  double test_loss, test_rms;                  /**< where targets are values, else NaN */
  const char *error;                           /**< of a failed or stopped run, else NULL */
  /** Of the whole: */
  int total, ended, running, failed;
  double left_s; /**< NaN: not known yet */
} mho_study_event;

/** How the runs of a study are distributed over processes. */
typedef struct mho_study_options {
  const char *db;
  /** Processes, and threads of each; 0: one per processor, and 1. */
  int jobs, threads;
  const char *const *only; /**< config hashes, sorted: train no others, [n_only]; nullable */
  int n_only;
  /** Train only every shards-th run, from shard (0-based); shards 0: all. */
  int shard, shards;
  /** Runs that failed or were stopped early, too: they go on from their checkpoint. */
  bool retry;
  bool again;                                          /**< everything once more, as new runs */
  const char *code_version;                            /**< what to record, nullable */
  void (*event)(void *user, const mho_study_event *e); /**< nullable */
  void *user;
} mho_study_options;

/** How the runs of a study ended. */
typedef struct mho_study_result {
  int total, present; /**< present: ended in an earlier session */
  /** Of this one; cut: interrupted, to be resumed. */
  int completed, diverged, stopped, failed, cut;
  double wall_s;
} mho_study_result;

/** Train what a study lacks. Each run has a process of its own, made by fork, that dies with this
 *  one; a run that fails is recorded as such while the rest goes on. What was killed at any moment,
 *  also together with this process, goes on where it was when the function is called again. Several
 *  sweeps may share a database: none trains what another has.
 *
 *  The calling process must not have other threads (fork keeps only one) nor a store open (SQLite's
 *  locks do not survive a fork). ctx->stop ends the runs under way after their batch, saved.
 *
 *  @return MHO_OK, also when runs failed (result says how many); MHO_EINTERRUPTED; errors of config
 *          and store. */
MHO_API mho_err mho_study_train(const mho_context *ctx, const mho_study *s, const mho_registry *r,
                                const mho_study_options *o, mho_study_result *result,
                                mho_errinfo *ei);

/* ---------------------------------------------------------------- on a cluster */

/** Jobs of a study on a cluster. */
typedef struct mho_slurm_options {
  const char *db;    /**< what it has is not trained again; tasks do not touch it */
  int tasks;         /**< of the array job, at most */
  int jobs, threads; /**< of each task, at least 1 */
  bool wait;         /**< until the job is done, then merge */
  const char *mho;   /**< command of the tasks; NULL: this program's file */
  int n_sbatch;
  const char *const *sbatch; /**< more words for sbatch: "--partition=long" */
} mho_slurm_options;

/** What was written for the cluster. */
typedef struct mho_slurm_result {
  /** NAME.slurm beside the database: study.yaml, todo.txt, job.sh, shards and logs. */
  char dir[4096];
  char job[64]; /**< Slurm's number of it; "" when nothing is left to train */
  int runs, tasks, merged;
} mho_slurm_result;

/** Write and submit an array job that trains what a study lacks, after merging what earlier ones
 *  have left.
 *  @return MHO_OK; MHO_EUNSUPPORTED without sbatch (the job is written, then); MHO_EIO when it
 *          refuses the job or the folder cannot be written; errors of config and store. */
MHO_API mho_err mho_slurm_launch(const mho_study *s, const mho_registry *r,
                                 const mho_slurm_options *o, mho_slurm_result *result,
                                 mho_errinfo *ei);
/** Take a job's shards into the database; may be repeated. merged: runs that were new or had
 *  grown. */
MHO_API mho_err mho_slurm_merge(const char *db, const char *dir, int *merged, mho_errinfo *ei);

#endif
