/* train.h - training and evaluation of an experiment, logged to a run database.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_H
#define MHO_TRAIN_H

#include "mho/experiment.h"
#include "mho/spice.h"
#include "mho/store.h"

typedef struct mho_trainer mho_trainer;
/* Of authors of models, mho/model/. */
typedef struct mho_network mho_network;
typedef struct mho_connection mho_connection;
typedef struct mho_state mho_state;
typedef struct mho_trace_point mho_trace_point;

/* ---------------------------------------------------------------- a run, logged */

/** How a run is recorded and shown. */
typedef struct mho_train_options {
  mho_store *store;         /**< nullable: nothing is logged */
  const char *name;         /**< of a new run, nullable */
  const char *code_version; /**< what to record, nullable */
  /** After every epoch; run is its id ("" without a store). */
  void (*epoch)(void *user, const char *run, const mho_epoch_row *row);
  /** After epoch; true ends the run there, stored as interrupted with the sentence in why.
   *  Nullable. */
  bool (*stop)(void *user, const char *run, const mho_epoch_row *row, char *why, size_t capacity);
  void *user;
  /** Nullable. mho_train counts the run to this study, and trains nothing when the database has a
   *  run of the same config already, unless again: then result->present is true, and result->run is
   *  that one */
  const char *study;
  bool again;
} mho_train_options;

/** How a run ended. */
typedef struct mho_train_result {
  char run[MHO_ID_MAX];
  /** Completed, interrupted, diverged, failed; running: present and not ended. */
  char status[16];
  bool present; /**< nothing was trained, see mho_train_options.study */
  int epochs, best_epoch;
  double final_test_acc, best_test_acc, train_acc, val_acc, wall_s;
  /** In place of accuracies where targets are values, else NaN: see mho_run_row. */
  double final_test_loss, best_test_loss, val_loss, final_test_rms, best_test_rms;
} mho_train_result;

/** Train an experiment from the start. Stops early when the context says so: the run is then stored
 *  as interrupted with a mid-epoch checkpoint, and the result is MHO_EINTERRUPTED.
 *  @return MHO_OK; MHO_EINTERRUPTED; MHO_EDIVERGED when the loss is no longer finite (stored as
 *          diverged);
 *  errors of the data and the store. */
MHO_API mho_err mho_train(const mho_context *ctx, const mho_experiment *e,
                          const mho_train_options *o, mho_train_result *result, mho_errinfo *ei);
/** Continue a stored run from its last checkpoint (from the start when it has none): the same final
 *  weights, bit for bit, as an uninterrupted run. o->store must be open for writing. */
MHO_API mho_err mho_train_resume(const mho_context *ctx, const mho_registry *r, const char *run_id,
                                 const mho_train_options *o, mho_train_result *result,
                                 mho_errinfo *ei);
/** Whether a checkpoint of the run's experiment says the same under another one: MHO_ECONFIG, with
 *  the key and what to do instead, where the key says what the state is (device, network, seeds of
 *  chip and weights) or cannot act on one that is stored; what says how it is read is free. Every
 *  load under changed keys asks it, through the next function. */
MHO_API mho_err mho_train_state_fits(const char *run, const mho_experiment *stored,
                                     const mho_experiment *asked, mho_errinfo *ei);
/** The experiment of a stored run; overrides (as of --set) on top, [n], which must leave its state
 *  readable (mho_train_state_fits). */
MHO_API mho_err mho_train_stored_experiment(mho_store *s, const mho_registry *r, const char *run_id,
                                            int n, const char *const *overrides,
                                            mho_experiment **out, mho_errinfo *ei);
/** The same for those who take nothing of the run's state: any override is taken. */
MHO_API mho_err mho_train_stored_variant(mho_store *s, const mho_registry *r, const char *run_id,
                                         int n, const char *const *overrides, mho_experiment **out,
                                         mho_errinfo *ei);

/* ---------------------------------------------------------------- a stored network, evaluated */

/** What an evaluation found, means over its samples. */
typedef struct mho_evaluation {
  double accuracy, loss, settle_steps; /**< accuracy NaN where targets are values */
  /** Root of the mean squared error of all values, in their own units; NaN of classes. */
  double rms;
  /** Mean of the samples that settle, in continuous time; else NaN. */
  double time_s;
  /** Of nodes between resistors, in units of the network: the largest current that a node has too
   *  much of, and the mean powers of samples, as mho_balance says; NaN without resistors. */
  double kirchhoff, dissipated, supplied;
  int64_t unsettled;
  double seconds;
} mho_evaluation;

/** Of a stored run, under what conditions, and how often. */
typedef struct mho_evaluate_options {
  const char *checkpoint; /**< "last" or "best" */
  mho_part part;
  int n_times;
  const double *time; /**< [n_times] s since programming, see mho_trainer_age */
  /** Draws of the noise of reads, at least 1: the first has the run's own noise, the others
   *  train.seeds.noise = 1, 2, ... */
  int draws;
  int n_set;
  const char *const *set; /**< [n_set] as of --set, see mho_train_stored_experiment */
  /** With the experiment of the first draw, before it is evaluated; an error ends the call.
   *  Nullable. */
  mho_err (*begin)(void *user, const mho_experiment *e, mho_errinfo *ei);
  void *user;
} mho_evaluate_options;
/** A stored network at one time, over the draws. */
typedef struct mho_evaluated {
  mho_evaluation last;     /**< of the last draw */
  double score, deviation; /**< mean and standard deviation of the accuracy, or of the rms */
  double loss;             /**< mean */
} mho_evaluated;
/** Evaluate a stored run. Stops between two draws and within one when the context says so.
 *  @param id     of the run.
 *  @param out    [n_times].
 *  @param epoch  out: of the checkpoint; 0 of a programmed chip.
 *  @return MHO_OK; MHO_EINVAL for a part without samples; MHO_ECONFIG for a key that would make
 *          another state of it; MHO_EINTERRUPTED; errors of the store and the data. */
MHO_API mho_err mho_evaluate(const mho_context *ctx, const mho_registry *r, mho_store *store,
                             const char *id, const mho_evaluate_options *o, mho_evaluated *out,
                             int *epoch, mho_errinfo *ei);

/* ---------------------------------------------------------------- weights onto other chips */

/** How well the weights of a connection were written. */
typedef struct mho_program_connection {
  const char *name;
  int rows, cols;
  double w_max;
  double rms; /**< of what was written less what was to be written */
  /** Fraction of weights that the bounds of their cells cannot hold. */
  double clipped;
} mho_program_connection;

/** One chip. */
typedef struct mho_programmed {
  char run[MHO_ID_MAX];  /**< "" without a store */
  int chip;              /**< from 1 */
  int64_t seed;          /**< train.seeds.chip */
  double accuracy, loss; /**< on the test images; accuracy NaN where targets are values */
  double rms;            /**< of values, in their own unit, else NaN */
  double clipped, pulses;
  int n_connections; /**< trained ones */
  const mho_program_connection *connection;
} mho_programmed;

/** A network that another program has trained, out of a file. */
typedef struct mho_network_file mho_network_file;
/** How such a file is read. Set the members by name: the rest is zero, and not there. */
typedef struct mho_network_file_options {
  const char *format; /**< "npz", "safetensors", "onnx"; NULL: by what the file begins with */
  /** Of files of weights alone: their layers in order, "conv1,fc1,fc2"; NULL: convolutions first,
   *  in the order of the file (npz) or of the names (safetensors). */
  const char *layers;
  /** The network was trained on (x - mean)/std of mho's inputs x: that becomes part of its first
   *  layer. One number for all, or one a channel. */
  int n_mean, n_std;
  const double *mean, *std; /**< [n_mean], [n_std] */
} mho_network_file_options;
/** Read the layers of a network: weights and biases by their names in a .npz or safetensors file
 *  ("fc1.weight" [out x in], "conv1.weight" [out x in x k x k], "fc1.bias" [out]), or the operators
 *  of an ONNX model, of which normalizations of a batch and means over windows become weights.
 *  @param o    nullable.
 *  @param out  free it with mho_network_file_free.
 *  @return MHO_OK; MHO_EIO; MHO_EDATA for what is no such network; MHO_EINVAL for options that are
 *          not exact with it; MHO_ENOTFOUND for a layer that there is not; MHO_ENOMEM. */
MHO_API mho_err mho_network_file_read(const char *path, const mho_network_file_options *o,
                                      mho_network_file **out, mho_errinfo *ei);
/** NULL is allowed. */
MHO_API void mho_network_file_free(mho_network_file *f);
/** Whether a file's name ends as those that mho_trainer_network_write writes. */
MHO_API bool mho_network_file_is(const char *path);

/** Which weights are written, and onto how many chips. */
typedef struct mho_program_options {
  /** Open for writing; NULL: nothing is stored, and `from` is a folder. */
  mho_store *store;
  const char *from; /**< id of a run, or path of a folder, or of file */
  /** The network that is written in place of a run's or folder's; nullable. What it says (layers,
   *  neurons, biases, read-out) are the keys of its config that neither config nor set say; they
   *  must say the same. Without a word of the rule it is bp, which passes forward. */
  const mho_network_file *file;
  const char *parent; /**< id of the run that the new ones name, nullable */
  /** File: the network of a folder's weights, or what is to be said beside a network's file; NULL:
   *  the folder's weights.json, or nothing. */
  const char *config;
  /** Nullable; of several chips NAME-1, ... */
  const char *name;
  const char *code_version; /**< what to record, nullable */
  int n_set;
  const char *const *set; /**< [n_set] as of --set */
  int chips;
  /** Of the first chip; -1: train.seeds.chip of set, or one after the source's, or 1. */
  int64_t seed;
  /** With the experiment of the first chip, before anything is written; an error ends the call.
   *  Nullable. */
  mho_err (*begin)(void *user, const mho_experiment *e, mho_errinfo *ei);
  /** After each; nullable. */
  void (*chip)(void *user, const mho_programmed *p, const mho_experiment *e);
  void *user;
} mho_program_options;
/** Write weights onto new chips, evaluate each on the test images and store it as a run of kind
 *  programmed: chip_programming.c says with what config. Stops between two chips when the context
 *  says so.
 *  @return MHO_OK; MHO_EINTERRUPTED; MHO_ENOTFOUND for a folder without a config; MHO_EDATA for
 *          weights of another network; errors of the config, the data and the store. */
MHO_API mho_err mho_program(const mho_context *ctx, const mho_registry *r,
                            const mho_program_options *o, mho_errinfo *ei);

/* ---------------------------------------------------------------- a trainer, piece by piece */

/** Dataset, network, states and optimizer of an experiment, at its initial weights. e and the pool
 *  of ctx must outlive it. The first trainer of a process puts OpenBLAS on one thread and turns off
 *  GSL's error handler, which would end the process. Several trainers may work at the same time,
 *  each on one thread and with a pool of its own; of those on ngspice a process has one.
 *  @return MHO_OK; MHO_ECONFIG for what does not fit the data; MHO_ENOMEM; errors of the data. */
MHO_API mho_err mho_trainer_new(const mho_context *ctx, const mho_experiment *e, mho_trainer **out,
                                mho_errinfo *ei);
/** The same on data that the program has, whatever dataset.name says; the keys that find and cut
 *  data (dataset.path, train, test, validation, normalize) are refused.
 *  @param data  must outlive it; NULL: as mho_trainer_new. */
MHO_API mho_err mho_trainer_new_on(const mho_context *ctx, const mho_experiment *e,
                                   const mho_dataset *data, mho_trainer **out, mho_errinfo *ei);
/** Frees a trainer with its network and the data that it loaded; NULL is allowed. */
MHO_API void mho_trainer_free(mho_trainer *t);
/** The network that is trained; the trainer owns it. */
MHO_API mho_network *mho_trainer_network(mho_trainer *t);
/** The data; the trainer owns them. */
MHO_API const mho_dataset *mho_trainer_dataset(const mho_trainer *t);
/** The free states of the last batch that was settled. */
MHO_API mho_state *mho_trainer_state(mho_trainer *t);

/** Program the weights that the experiment's train.from names: of a run's last checkpoint, or of a
 *  folder. Where both networks are on the same device (model, card, mapping, g_min, g_max, start,
 *  weight_range) every conductance is taken as it is, within the bounds of the cell, and so is
 *  w_max; anywhere else weights are written exactly, with a w_max that holds the largest of them:
 *  max(weight_range times the largest drawn weight, largest brought weight / mho_crossbar_reach). A
 *  checkpoint keeps it. What is clipped all the same is logged in one line. Nothing else of the
 *  other training is taken. "" changes nothing.
 *  @param store  where the run is; nullable.
 *  @return MHO_OK; MHO_ENOTFOUND for what is neither; MHO_EDATA for weights of another network;
 *  errors of the store. */
MHO_API mho_err mho_trainer_from(mho_trainer *t, mho_store *store, mho_errinfo *ei);
/** The same for another chip: weights are always written anew. The device that they are from keeps
 *  its w_max; on another one it is what holds the largest weight, with headroom also what drawn
 *  weights would have. What is clipped is not logged. */
MHO_API mho_err mho_trainer_write(mho_trainer *t, mho_store *store, bool headroom, mho_errinfo *ei);
/** The same with the weights of a file's network, which must be that of the trainer.
 *  @return MHO_OK; MHO_ECONFIG with the key that says another network; MHO_ENOMEM. */
MHO_API mho_err mho_trainer_write_network(mho_trainer *t, const mho_network_file *f, bool headroom,
                                          mho_errinfo *ei);
/** The config that a folder's weights.json has, as JSON; NULL where it has none. Free with free().
 *  @return MHO_OK; MHO_EDATA for a file of something else. */
MHO_API mho_err mho_weights_config(const char *folder, char **json, mho_errinfo *ei);
/** Every trained connection's effective weights [rows x cols], and conductances in S, as files of a
 *  folder, which is made: NAME.w.npy, NAME.g_pos.npy, NAME.g_neg.npy (float64), or .csv; and
 *  weights.json, which says of what device. @return MHO_OK; MHO_EIO; MHO_ENOMEM. */
MHO_API mho_err mho_trainer_weights_write(const mho_trainer *t, const char *folder, bool csv,
                                          mho_errinfo *ei);

/** The layers of a chain of them (no residual, agt or graph) as a file of another program, by the
 *  ending of its name: .npz and .safetensors have "h1.weight" [out x in] (of a convolution [out x
 *  in x k x k]) and "h1.bias" in float32, .onnx the network, which takes the inputs of mho's input
 *  layer. Weights are those of mho_trainer_effective; what leads back is left out.
 *  @return MHO_OK; MHO_EINVAL for another ending or topology, or a neuron that ONNX has not;
 *          MHO_EIO; MHO_ENOMEM. */
MHO_API mho_err mho_trainer_network_write(const mho_trainer *t, const char *path, mho_errinfo *ei);

/** One training pass. Fills all but what evaluations find and eval_s. MHO_EINTERRUPTED
 *  after the batch under way when the context says stop. */
MHO_API mho_err mho_trainer_epoch(mho_trainer *t, mho_epoch_row *row, mho_errinfo *ei);

/** Accuracy on a part of the dataset (&dataset->test, ...). @return MHO_OK; MHO_EINVAL for no
 *  images; MHO_EINTERRUPTED; MHO_EDIVERGED for a network that is not finite. */
MHO_API mho_err mho_trainer_evaluate(mho_trainer *t, const mho_images *part, mho_evaluation *out,
                                     mho_errinfo *ei);

/** Let time pass (s, since programming): evaluations from here on find the conductances that the
 *  devices' law of drift leaves, and the noise of such reads; 0 brings back what was programmed.
 *  @return MHO_OK; MHO_ENOMEM. */
MHO_API mho_err mho_trainer_age(mho_trainer *t, double after, mho_errinfo *ei);

/** Gradient of connection c (trained) by the experiment's rule on the training images first ..
 *  first+n-1 (n at most the batch), unscaled by the optimizer. @param out [rows x cols]. */
MHO_API mho_err mho_trainer_gradient(mho_trainer *t, int first, int n, int c, mho_real *out,
                                     mho_errinfo *ei);

/** What the experiment's section observe asks for, at the present weights. Nothing that training
 *  uses later is touched, and what is not asked for is left as it is.
 *
 *  @param row     over the first observe.samples test images, see mho/model/settle.h:
 *                 spectral_radius; lyapunov (NaN where every perturbation dies out); of the
 *                 settling steps_mean and steps_max (NaN when no sample settles), residual_max and
 *                 unsettled.
 *  @param cosine  [trained connections] cosine of the rule's gradient with backpropagation's
 *                 through the same network without its recurrence, on the first train.batch
 *                 training images, biases included; with observe.cosine_at settled, backpropagation
 *                 at the settled free states, so that what the recurrence does to the states is on
 *                 both sides. NaN where one of them is 0. May be NULL when observe.cosine is
 *                 off. */
MHO_API mho_err mho_trainer_observe(mho_trainer *t, mho_settle_row *row, double *cosine,
                                    mho_errinfo *ei);

/** What the epoch that has just ended would have taken on hardware, [MHO_ENERGY_TERMS]: the
 *  model is in src/train/energy_of_epoch.c. @return MHO_OK; MHO_EINVAL without devices or with
 *  energy.count off; MHO_ENOMEM. */
MHO_API mho_err mho_trainer_energy(const mho_trainer *t, mho_energy_row *rows, mho_errinfo *ei);
/** Whether the experiment's settler knows physical time. */
MHO_API bool mho_trainer_in_time(const mho_trainer *t);
/** Settling of the first n images of a part by the experiment's settler in continuous time: of the
 *  row steps_mean (evaluations), residual_max, time_s (mean of those that settled), energy_j (mean)
 *  and unsettled; and every sample.
 *  @param samples  [n]. */
MHO_API mho_err mho_trainer_observe_circuit(mho_trainer *t, const mho_images *part, int n,
                                            mho_settle_row *row, mho_settle_sample *samples,
                                            mho_errinfo *ei);

/** How a watched sample settled. */
typedef struct mho_watched {
  int label;               /**< -1 where targets are values */
  double loss;             /**< of the free phase */
  bool correct, unsettled; /**< unsettled in any phase */
  double steps;            /**< of the free phase */
  /** Of the free phase; NaN where the settler knows no time (not settled: NaN too). */
  double time_s, energy_j;
} mho_watched;
/** Settle one image, free and nudged, two states, as the experiment says; `point` gets every step.
 *  @return MHO_OK; MHO_EINVAL when there is no such sample; MHO_ENOMEM. */
MHO_API mho_err mho_trainer_watch(mho_trainer *t, const mho_images *part, int sample,
                                  void (*point)(void *user, const mho_trace_point *p), void *user,
                                  mho_watched *out, mho_errinfo *ei);

/* ---------------------------------------------------------------- the caller's arrays */

/** Called after an epoch with what it was (energy_j NaN: mho_trainer_energy tells); true ends the
 *  training. */
typedef bool (*mho_epoch_done)(void *user, const mho_epoch_row *row);
/** Train from where the trainer stands to the last epoch of the experiment, each evaluated as in
 *  mho_train, with the same weights bit for bit; nothing is logged.
 *  @param done  nullable.
 *  @return MHO_OK, also when done ended it; MHO_EINVAL for weights of train.from that have not been
 *          taken; MHO_EINTERRUPTED; MHO_EDIVERGED; MHO_ENOMEM. */
MHO_API mho_err mho_trainer_train(mho_trainer *t, mho_epoch_done done, void *user, mho_errinfo *ei);

/** How many layers there are: the input, hidden ones, the read-out. */
MHO_API int mho_trainer_layers(const mho_trainer *t);
/** Name of layer l ("x", "h1", ..., "out") and how many units it has; NULL where there is none. */
MHO_API const char *mho_trainer_layer(const mho_trainer *t, int l, int *units);
/** Settle samples without an error, as in an evaluation. Noise of reads is that of test images of
 *  the same numbers in the present epoch.
 *  @param x          [n x features] what the input layer is driven with: of images pixel * scale,
 *                    of a table (number - feature_mean)/feature_spread.
 *  @param z          out, [layers] of [n x units]: activities of hidden layers, probabilities (or
 *                    values) of the read-out; NULL where they are not wanted, and of the input.
 *  @param unsettled  nullable: samples that missed the settler's tolerance.
 *  @return MHO_OK; MHO_EINVAL for no samples, or an input that is not finite, with sample and input
 *          in ei->row and ei->col. */
MHO_API mho_err mho_trainer_settle(mho_trainer *t, int n, const mho_real *x, mho_real *const *z,
                                   int64_t *unsettled, mho_errinfo *ei);
/** The read-out alone.
 *  @param y  [n x classes], or [n x values]: mho_dataset_value gives one in its own unit. */
MHO_API mho_err mho_trainer_predict(mho_trainer *t, int n, const mho_real *x, mho_real *y,
                                    mho_errinfo *ei);

/** A connection, and the crossbar that it lies on. */
typedef struct mho_connection_info {
  const char *name;      /**< "x-h1"; this and the next two live as long as the trainer */
  const char *from, *to; /**< its layers */
  const char *role;      /**< "forward", "feedback", "control", "lateral", "context" */
  int rows, cols;        /**< of its matrix: inputs (with the bias as the last), outputs */
  int banks;             /**< of devices, [rows x cols] each; 0: ideal ones, weights are kept */
  bool trained;          /**< else its weights follow from train.seeds.weights */
  bool bias;             /**< the last row is the bias of the target */
  double w_max;          /**< weight of a sum of 1, see mho_trainer_bank */
} mho_connection_info;
/** How many connections there are. */
MHO_API int mho_trainer_connections(const mho_trainer *t);
/** Connection i, trained ones first. @return MHO_OK; MHO_EINVAL where there is none. */
MHO_API mho_err mho_trainer_connection(const mho_trainer *t, int i, mho_connection_info *out,
                                       mho_errinfo *ei);

/** The connection of that name, for netlists and co-simulations; it lives as long as the trainer.
 *  @param name  NULL: the first that leads into what answers, the read-out or outputs that hold
 *               states.
 *  @return MHO_OK; MHO_ENOTFOUND with the names that there are. */
MHO_API mho_err mho_trainer_find(mho_trainer *t, const char *name, const mho_connection **out,
                                 mho_errinfo *ei);
/** Name of a bank of connection i's devices ("pos"), and the gain of its conductance in a weight,
 *  w = w_max sum over banks of gain g, with g normalized to the device's range; NULL where there is
 *  none. */
MHO_API const char *mho_trainer_bank(const mho_trainer *t, int i, int bank, double *gain);
/** Weights of a connection as they are programmed: w [rows x cols]. @return MHO_OK; MHO_ENOTFOUND
 *  with the names that there are. */
MHO_API mho_err mho_trainer_weights(const mho_trainer *t, const char *connection, mho_real *w,
                                    mho_errinfo *ei);
/** What reads multiply with, wires, drift and all: w [rows x cols]. */
MHO_API mho_err mho_trainer_effective(const mho_trainer *t, const char *connection, mho_real *w,
                                      mho_errinfo *ei);
/** Write weights, w [rows x cols], as exactly as the devices allow; w_max stays. What training has
 *  stored beside the weights (moments of the optimizer, sums of the scheme) stays, too.
 *  @param clipped  nullable: how many the bounds of their cells cannot hold.
 *  @return MHO_OK; MHO_ENOTFOUND; MHO_EINVAL for a fixed connection, or a weight that is not
 *          finite, with its place in ei->row and ei->col. */
MHO_API mho_err mho_trainer_set_weights(mho_trainer *t, const char *connection, const mho_real *w,
                                        size_t *clipped, mho_errinfo *ei);
/** Conductances of a bank of a connection's devices, as programmed: g [rows x cols], S; 0 of an
 *  open cell. mho_trainer_bank names the banks.
 *  @return MHO_OK; MHO_ENOTFOUND; MHO_EINVAL for ideal devices, or a bank that there is not. */
MHO_API mho_err mho_trainer_conductances(const mho_trainer *t, const char *connection, int bank,
                                         double *g, mho_errinfo *ei);
/** Set conductances, g [rows x cols], S, within the bounds of each cell; faulty cells stay as they
 *  are, and for an open one 0 is right.
 *  @param clipped  nullable: how many cells could not take theirs.
 *  @return MHO_OK; MHO_ENOTFOUND; MHO_EINVAL as above, and for a fixed connection or a number that
 *          is negative or not finite, with its place in ei->row and ei->col. */
MHO_API mho_err mho_trainer_set_conductances(mho_trainer *t, const char *connection, int bank,
                                             const double *g, size_t *clipped, mho_errinfo *ei);

/* ---------------------------------------------------------------- its network in ngspice */

/** Read without noise, converters and amplifiers from here on, as circuits of the crossbars do, but
 *  with the devices' I-V law where reads have shown it until now (mho_crossbar_law). @return
 *  MHO_OK; MHO_ENOMEM. */
MHO_API mho_err mho_trainer_read_ideally(mho_trainer *t, mho_errinfo *ei);

enum { MHO_PATCH_MAX = 96 };
/** What drives the lines of a connection's crossbar in the free phase while a test image is
 *  settled: of its source the activities (pooled; the patch that a convolution reads at the middle
 *  of its target; 1 for the bias); transposed those of its target at that place, of the read-out
 *  its error o - t. A network that has a circuit (mho_netlist_network_check) is settled as far as
 *  precision goes, another one as the experiment says.
 *  @param v      [rows], transposed [cols]: V, with the crossbar's read voltage for an activity of
 *                1.
 *  @param patch  out: ", patch at row 3, column 3 of h1"; "" for a dense connection.
 *  @return MHO_OK; MHO_EINVAL when there is no such image; MHO_ENOMEM. */
MHO_API mho_err mho_trainer_line_voltages(mho_trainer *t, const mho_connection *k, bool transposed,
                                          int image, double *v, char patch[MHO_PATCH_MAX],
                                          mho_errinfo *ei);

/** What a netlist of the network is written of. Set the members by name: the rest is zero, and a
 * default. */
typedef struct mho_trained_netlist {
  const char *of; /**< whose network it is, for the title: "run 01JX...", a config's name */
  int image;      /**< number of the test image that is settled */

  /** The connection of a crossbar's netlist, as `transposed`, `r_word`, `r_bit` and `tile` are. */
  const mho_connection *connection;
  bool transposed;
  const double *r_word, *r_bit; /**< ohm a wire segment; NULL: as the connection was trained */
  const int *tile;              /**< rows and columns of a physical tile; NULL: the same */

  /** Of a whole network's netlist: clamped inputs reduced to currents, MHO_NETLIST_NORTON. */
  bool norton;
  bool transient; /**< settled by .tran, until mho_netlist_settling_time, instead of .op */

  /** Of a device's netlist: how many pulses, at random. */
  int pulses;
  uint64_t seed; /**< of the pulses */

  /** Of a netlist of neurons that spike: only so many of the last hidden layer; 0: all. */
  int neurons;
} mho_trained_netlist;

/** One read of a crossbar with the line voltages of mho_trainer_line_voltages, and the currents
 * that the core expects.
 *  @param out  the text; free it with mho_free.
 *  @return MHO_OK; as mho_trainer_line_voltages, mho_netlist_crossbar_wires,
 *          mho_netlist_crossbar_currents and mho_netlist_crossbar_write. */
MHO_API mho_err mho_trainer_netlist_crossbar(mho_trainer *t, const mho_trained_netlist *o,
                                             char **out, mho_errinfo *ei);
/** The whole network, free and nudged phase, and the states that the core expects.
 *  @return MHO_OK; MHO_EUNSUPPORTED for a rule whose error is read anew in every step (rule.error:
 *          live); MHO_EDIVERGED when a transient would not come to rest; as
 *          mho_netlist_network_write. */
MHO_API mho_err mho_trainer_netlist_network(mho_trainer *t, const mho_trained_netlist *o,
                                            char **out, mho_errinfo *ei);
/** The spiking neurons of a network under the spikes of a test image, in time, and when the core's
 *  fire. Under rule.window waveform instead its devices under what spikes put on their lines, and
 *  by how much the core has changed their conductances: the trainer has trained on the image then.
 *  @return MHO_OK; MHO_EUNSUPPORTED for what has no circuit, such as a clock, links that lead back
 *          or delays; MHO_EINVAL for an image or neurons that there are not; errors of
 *          settling; MHO_ENOMEM. */
MHO_API mho_err mho_trainer_netlist_spikes(mho_trainer *t, const mho_trained_netlist *o, char **out,
                                           mho_errinfo *ei);
/** Its device under pulses at random, and the conductances that the core expects. @return as
 * mho_netlist_device_write. */
MHO_API mho_err mho_trainer_netlist_device(mho_trainer *t, const mho_trained_netlist *o, char **out,
                                           mho_errinfo *ei);

/** Compare a connection's reads of n random vectors in the core with those of its circuit, see
 * mho_cosim_reads. */
MHO_API mho_err mho_trainer_cosim_crossbar(mho_trainer *t, mho_spice *s, const mho_connection *k,
                                           bool transposed, int n, mho_cosim_result result,
                                           void *user, mho_errinfo *ei);
/** Settle the first n test images in the core and in ngspice, and compare, see mho_cosim_network.
 *  @param transient  norton: as transient and both_inputs of mho_cosim_network_options.
 *  @return as mho_cosim_network; MHO_EINVAL when there are not so many images; MHO_EUNSUPPORTED for
 *          rule.error: live. */
MHO_API mho_err mho_trainer_cosim_network(mho_trainer *t, mho_spice *s, int n, bool transient,
                                          bool norton, mho_cosim_result result, void *user,
                                          mho_errinfo *ei);
/** Compare the experiment's device under pulses in the core with its circuit, see
 * mho_cosim_device. */
MHO_API mho_err mho_trainer_cosim_device(mho_trainer *t, mho_spice *s, mho_cosim_result result,
                                         void *user, mho_errinfo *ei);

/* ---------------------------------------------------------------- as bytes */

/** Everything that changes while training, as bytes. Free with mho_blob_free. */
MHO_API mho_err mho_trainer_save(const mho_trainer *t, mho_checkpoint_row *out, mho_errinfo *ei);
/** Take a checkpoint, all of it or nothing. MHO_EDATA when the bytes are none of this experiment,
 * their checksum says that they were changed (release 0.1 wrote none), or one of their numbers
 * cannot be: not finite, or beyond what a training reaches. */
MHO_API mho_err mho_trainer_load(mho_trainer *t, const mho_blob *blob, mho_errinfo *ei);

#endif
