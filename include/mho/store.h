/* store.h - the run database: one SQLite file.
 *
 * Written in one transaction an epoch, so a crash loses at most the epoch under way. The schema,
 * its views and what each column means are in src/store/schema.sql. A handle is used by one thread
 * at a time and not across a fork; several processes may read and write one file.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_STORE_H
#define MHO_STORE_H

#include "mho/base.h"

typedef struct mho_store mho_store;

#define MHO_ID_MAX 32 /* a run's id: letters and digits, with the final 0 */

/** What a database is opened for. */
typedef enum mho_store_mode {
  /** Must exist; no content is ever changed, safe on a read-only medium. */
  MHO_STORE_READ,
  MHO_STORE_WRITE, /**< made when missing, with its folders; migrated when older */
} mho_store_mode;

/** Open a run database.
 *  @return MHO_OK; MHO_ESTORE with a sentence of its own for: a missing file (read), a folder that
 *          cannot be written, a read-only file, a file that is not an SQLite database, an SQLite
 *          database that is not
 *  ours (application_id), one written by a newer mho (user_version), a locked one, a full disk, a
 *  damaged
 *          file. Nothing stored is changed on failure. */
MHO_API mho_err mho_store_open(const char *path, mho_store_mode mode, mho_store **out,
                               mho_errinfo *ei);
/** Closes a database; NULL is allowed. */
MHO_API void mho_store_close(mho_store *s);

/** One run. Texts are owned by the row when it came from mho_store_run_get (free with
 *  mho_run_row_free). */
typedef struct mho_run_row {
  char id[MHO_ID_MAX];
  char *name;   /**< nullable */
  char *status; /**< running, completed, interrupted, failed, diverged */
  /** JSON object by section, every key resolved; schema.sql copies the main ones. */
  char *config;
  char *config_hash; /**< SHA-256, hex */
  int defaults_version;
  int64_t seed;
  char *data_checksum; /**< of the dataset */
  char *code_version, *blas, *host;
  int64_t pid;   /**< of the process that trains it */
  char *started; /**< ISO 8601 UTC; NULL in run_begin: now */
  /** Nullable; filled in by a write with a status other than running. */
  char *ended;
  double wall_s;
  int epochs_done;
  /** NaN: not known (yet). */
  double final_test_acc, best_test_acc, train_acc, val_acc;
  /** In place of accuracies where targets are values. */
  double final_test_loss, best_test_loss, val_loss, final_test_rms, best_test_rms;
  int best_epoch; /**< 0: none */
  double pulses, energy_j;
  char *error; /**< nullable: why it failed */
  char *kind;  /**< trained (NULL in run_begin) or programmed */
  /** Nullable: id of the run that a programmed one has its weights from. */
  char *parent;
} mho_run_row;
/** Frees the texts of a row. */
MHO_API void mho_run_row_free(mho_run_row *r);

/** A run after an epoch; NaN: not known. */
typedef struct mho_epoch_row {
  int epoch;                                 /**< 1-based */
  double train_acc, test_acc, val_acc, loss; /**< val_acc NaN without a validation part */
  double settle_steps; /**< mean steps (or sweeps) of a free phase, per sample */
  int64_t unsettled;   /**< samples of the epoch that missed the tolerance */
  double pulses, set_pulses, reset_pulses; /**< of this epoch */
  double clipped;                          /**< requests that ran into a bound or max_pulses */
  /** Array reads (one input vector through one array) of this epoch. */
  double reads;
  double energy_j; /**< NaN: not modelled */
  double wall_s, eval_s;
  /** Cells whose probability of a coincidence was cut, in all samples. */
  double truncated;
  double verify_reads; /**< of single cells, to verify what was written */
  /** Of targets that are values, in place of accuracies. */
  double test_loss, val_loss;
  double test_rms; /**< in the targets' own unit */
} mho_epoch_row;

/** One connection after an epoch. */
typedef struct mho_layer_row {
  int layer;        /**< 0-based, in the order of the network */
  const char *name; /**< "x-h1", "h1-h2", "h2-out" */
  int rows, cols;
  double w_mean, w_std, w_absmax; /**< effective weights */
  double g_mean, g_std;           /**< S; NaN without devices */
  double saturated, stuck;        /**< fractions of cells; NaN without devices */
  double pulses;                  /**< of this epoch */
  double cosine;                  /**< gradient against backpropagation's; NaN when not asked for */
  double w_range;                 /**< weight of a pair at opposite ends */
  double w_error, clipped;        /**< of a programmed run, else NaN: rms; fraction */
  /** Factors of the neurons that it leads into (rule.importance); NaN without. */
  double importance_mean, importance_std;
  /** JSON list of cells in equal parts of the range of conductance; "": NULL. */
  char g_hist[192];
} mho_layer_row;

/** Observables of an epoch, NaN where not asked for. steps_mean and unsettled are the training's
 *  own free phase, as in the epoch's row; with observe.settling (residual_max is known then) they
 *  are of the synchronous map on the test images observed, whatever settles in training; but where
 *  training settles in continuous time they are of its circuit, with the mean time and energy of a
 *  sample. Kirchhoff's law and powers are of the test images, as mho_evaluation has them. */
typedef struct mho_settle_row {
  int epoch;
  const char *phase; /**< free, nudged */
  double steps_mean, steps_max, residual_max, time_s, energy_j, spectral_radius, lyapunov;
  int64_t unsettled;
  double kirchhoff, dissipated, supplied;
} mho_settle_row;

/** One term of what an epoch of training would take on hardware. */
typedef struct mho_energy_row {
  int epoch;
  /** Cells, lines, dac, adc, amplifiers, set, reset, half-selected, verify, integrators,
   *  inhibition. */
  const char *term;
  /** Of the epoch; seconds 0 where a term goes on beside the others. */
  double joule, seconds;
  double count;   /**< of reads, lines, conversions, pulses, cells */
  double samples; /**< that were trained on */
} mho_energy_row;
enum { MHO_ENERGY_TERMS = 11 };
/** One sample's settling in continuous time. */
typedef struct mho_settle_sample {
  int epoch;
  const char *phase;
  int sample; /**< of the test images */
  bool settled;
  double time_s;   /**< NaN when it did not settle */
  double energy_j; /**< NaN: not modelled */
} mho_settle_sample;

/** Bytes in memory. */
typedef struct mho_blob {
  void *data;
  size_t size;
} mho_blob;

/** An answer to a test sample whose targets are values, in the value's own unit. */
typedef struct mho_prediction_row {
  int sample; /**< of the test samples */
  int value;  /**< of the sample's targets */
  double target, answer;
} mho_prediction_row;
/** Most of them that a run keeps. */
enum { MHO_PREDICTIONS_MAX = 1000 };

/** The controls of a layer of neurons, or of the read-out, after an epoch (observe.control), NaN
 *  where they are not known: see mho_control_view in mho/model/rule.h. */
typedef struct mho_control_row {
  int epoch;
  int layer;        /**< from 1; the read-out is the last */
  const char *name; /**< "h1", "out" */
  double size, cosine, cosine_least;
  /** Of all layers together, in the row of the read-out. */
  double condition, growth, residual;
  double unsettled; /**< fraction of the samples whose control had not settled; there, too */
} mho_control_row;

/** A stored checkpoint. */
typedef struct mho_checkpoint_row {
  int epoch;     /**< epochs completed */
  int64_t batch; /**< batches done of the epoch under way; 0 at an epoch's end */
  mho_blob blob;
} mho_checkpoint_row;

/** Everything that one transaction adds. Null members are left out. */
typedef struct mho_store_update {
  const mho_epoch_row *epoch;
  const mho_layer_row *layers;
  int n_layers;
  int layers_epoch;
  const mho_settle_row *settles;
  int n_settles;
  const mho_settle_sample *samples;
  int n_samples;
  const mho_checkpoint_row *last; /**< replaces the checkpoint of kind "last" */
  /** It is the "best" one, too, until a later one is; stored once. */
  bool last_is_best;
  /** status (NULL: as it was), ended, wall_s, epochs_done, accuracies, best_epoch, pulses, energy,
   *  error, pid: each replaced, so that a resumed run loses its ended and error */
  const mho_run_row *run;
  const mho_energy_row *energies;
  int n_energies;
  const mho_control_row *controls;
  int n_controls;
  const mho_prediction_row *predictions; /**< replace those that there are */
  int n_predictions;
} mho_store_update;

/** A new run id: 12 letters and digits, sortable by time of creation. */
MHO_API void mho_store_new_id(char id[MHO_ID_MAX]);
/** Insert a run (status running). MHO_EINVAL when the id is taken or the config is not a JSON
 *  object. */
MHO_API mho_err mho_store_run_begin(mho_store *s, const mho_run_row *run, mho_errinfo *ei);
/** mho_store_run_begin for a run of a study, unless the database has one with its config_hash: then
 *  `there` is that one's id (else "") and nothing is inserted. Either way the run is counted to the
 *  study. In one transaction, so that of several processes one begins it. */
MHO_API mho_err mho_store_run_claim(mho_store *s, const mho_run_row *run, const char *study,
                                    bool again, char there[MHO_ID_MAX], mho_errinfo *ei);
/** Make this process the one that trains a run, if it still has the status and the process that row
 *  says: MHO_EINVAL when another was faster. row's status, pid and host become the new ones in the
 *  database. */
MHO_API mho_err mho_store_run_take(mho_store *s, const mho_run_row *row, int64_t pid,
                                   const char *host, mho_errinfo *ei);
/** One transaction; all or nothing. Rows of the same epoch (a run resumed from an older checkpoint)
 *  are replaced. MHO_ENOTFOUND when there is no such run. */
MHO_API mho_err mho_store_write(mho_store *s, const char *run_id, const mho_store_update *u,
                                mho_errinfo *ei);
/** Forget the epochs after `epoch` (a resume trains them again) and make the run's totals and
 *  accuracies those of the epochs that are left. */
MHO_API mho_err mho_store_rewind(mho_store *s, const char *run_id, int epoch, mho_errinfo *ei);
/** Resolve a reference: an exact id, else an exact name (the newest), else a unique id prefix, or
 *  "last". "last" is always the newest run. MHO_ENOTFOUND (with the nearest names) or MHO_EINVAL
 *  when a prefix is ambiguous (with the candidates). */
MHO_API mho_err mho_store_find(mho_store *s, const char *ref, char id[MHO_ID_MAX], mho_errinfo *ei);
/** A run by its id. Free with mho_run_row_free. @return MHO_OK; MHO_ENOTFOUND; MHO_ESTORE. */
MHO_API mho_err mho_store_run_get(mho_store *s, const char *id, mho_run_row *out, mho_errinfo *ei);
/** kind: "last" or "best". The blob is owned by the caller (mho_blob_free). MHO_ENOTFOUND when
 *  there is none. */
MHO_API mho_err mho_store_checkpoint_get(mho_store *s, const char *id, const char *kind,
                                         mho_checkpoint_row *out, mho_errinfo *ei);
/** Frees the bytes and empties the struct. */
MHO_API void mho_blob_free(mho_blob *b);

/** A co-simulation's result, one quantity. */
typedef struct mho_cosim_row {
  const char *what;     /**< device, crossbar, network */
  const char *quantity; /**< "column current" */
  const char *unit;
  const char *place; /**< where the largest difference is: "column 3" */
  int64_t n;
  double max_abs, max_rel, rms, tolerance;
  bool pass;
  double core_s, spice_s;
} mho_cosim_row;
/** Store a comparison with ngspice. @return MHO_OK; MHO_ESTORE. */
MHO_API mho_err mho_store_cosim(mho_store *s, const char *run_id, const mho_cosim_row *row,
                                mho_errinfo *ei);
/** Keep a generated file (netlist, report) with its run; replaces one of the same kind and name. */
MHO_API mho_err mho_store_artifact(mho_store *s, const char *run_id, const char *kind,
                                   const char *name, const void *data, size_t size,
                                   mho_errinfo *ei);

/** A study and what it sweeps (JSON); replaces the config of one with that name. */
MHO_API mho_err mho_store_study(mho_store *s, const char *name, const char *config,
                                mho_errinfo *ei);
/** Count a run to a study; it may belong to several. MHO_ENOTFOUND when there is no such run or
 *  study. */
MHO_API mho_err mho_store_study_add(mho_store *s, const char *name, const char *run_id,
                                    mho_errinfo *ei);

/* ---------------------------------------------------------------- queries */

/** Type of a value in an answer. */
typedef enum mho_cell_type {
  MHO_CELL_NULL,
  MHO_CELL_INT,
  MHO_CELL_REAL,
  MHO_CELL_TEXT,
  MHO_CELL_BLOB
} mho_cell_type;
/** A value in an answer. */
typedef struct mho_cell {
  mho_cell_type type;
  int64_t i;
  double d;
  const char *text; /**< valid during the callback; NULL unless TEXT */
  size_t size;      /**< of a text or blob */
} mho_cell;
/** Must not end the store it is called from, but may read from it. Called once before the rows
 *  (cells NULL), then once a row. Return false to stop. */
typedef bool (*mho_row_fn)(void *user, int n, const char *const *names, const mho_cell *cells);
/** Run one read-only statement (anything that would write is refused, and so is a second
 *  statement): a wrong one is MHO_EINVAL, one that takes too long MHO_ESTORE.
 *  @param args  values for ?1, ?2 ... as text, [n_args], nullable.
 *  @param timeout_s  0: none. */
MHO_API mho_err mho_store_query(mho_store *s, const char *sql, int n_args, const char *const *args,
                                double timeout_s, mho_row_fn row, void *user, mho_errinfo *ei);
/** A question that design studies ask: one SELECT about the study ?1. */
typedef struct mho_named_query {
  const char *name, *title, *sql;
} mho_named_query;
/** How many named queries there are. */
MHO_API int mho_store_named_count(void);
/** The i-th, or the one of that name; NULL when there is none. */
MHO_API const mho_named_query *mho_store_named_at(int i);
/** The named query of that name, or NULL. */
MHO_API const mho_named_query *mho_store_named_find(const char *name);
/** Whether a study's runs have values as targets, so that it is judged by the rms. */
MHO_API mho_err mho_store_study_has_values(mho_store *s, const char *study, bool *out,
                                           mho_errinfo *ei);
/** What a question is about a study: sql of the named query, or the same by the rms of values. */
MHO_API mho_err mho_store_named_sql(mho_store *s, const mho_named_query *q, const char *study,
                                    const char **sql, mho_errinfo *ei);

enum { MHO_STUDY_NAME_MAX = 512 };
/** The study of that name; NULL: the newest. MHO_ENOTFOUND with those that there are. */
MHO_API mho_err mho_store_study_find(mho_store *s, const char *ref, char name[MHO_STUDY_NAME_MAX],
                                     mho_errinfo *ei);

/** PRAGMA integrity_check and foreign_key_check. */
MHO_API mho_err mho_store_check(mho_store *s, mho_errinfo *ei);
/** What a merge did. */
typedef struct mho_merge_result {
  int runs, added, replaced; /**< of the other database: all, new here, here but older */
  /** Configs that this one now has more than one completed run of. */
  int twice;
} mho_merge_result;
/** Take the runs of another database, with all that belongs to them, into this one; in one
 *  transaction. A run is known by its id: merging again changes nothing. */
MHO_API mho_err mho_store_merge(mho_store *s, const char *path, mho_merge_result *out,
                                mho_errinfo *ei);

/** What is exported, and where to. */
typedef struct mho_export_options {
  /** Nullable: with it, and its runs beside those that are named. */
  const char *study;
  /** Of what belongs to a run, words; NULL: all but checkpoint, artifact, settle_sample,
   *  prediction. */
  const char *tables;
  /** These two as well, and runs that are not finished; else such runs are left out. */
  bool checkpoints;
  bool all; /**< every run and study */
} mho_export_options;
/** What an export wrote. */
typedef struct mho_export_result {
  int runs, unfinished; /**< written; left out */
  int escaped;          /**< texts that are no UTF-8: their bytes are written as \xNN */
} mho_export_result;
/** Write runs with what belongs to them, and the studies they belong to, into a file that
 *  mho_store_import reads: JSON Lines, for version control and for a database elsewhere (export.c
 *  says what is in them). Written beside the target and renamed, so that a failure leaves an older
 *  file as it was.
 *  @param ids   exact, [n].
 *  @param path  compressed (gzip) when its name ends in .gz.
 *  @return MHO_OK; MHO_EIO; MHO_ENOTFOUND for an unknown run or study; MHO_EINVAL for an unknown
 *          table; errors of the store. */
MHO_API mho_err mho_store_export(mho_store *s, int n, const char *const *ids,
                                 const mho_export_options *o, const char *path,
                                 mho_export_result *out, mho_errinfo *ei);
/** Take the runs of such a file in, as mho_store_merge does those of a database: importing again
 *  changes nothing.
 *  @return MHO_OK; MHO_EIO; MHO_EDATA with the line for what is no such file, cut short or of a
 *          newer mho; errors of the store. Nothing is taken from a file that has an error. */
MHO_API mho_err mho_store_import(mho_store *s, const char *path, mho_merge_result *out,
                                 mho_errinfo *ei);
/** Give back the room of what was deleted, and renew the statistics of the indices. Sizes in
 *  bytes. */
MHO_API mho_err mho_store_vacuum(mho_store *s, int64_t *before, int64_t *after, mho_errinfo *ei);
/** The schema as SQL text. */
MHO_API const char *mho_store_schema(void);
/** Version of the schema that this build reads and writes. */
MHO_API int mho_store_schema_version(void);

#endif
