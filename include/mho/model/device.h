/* device.h - memristive devices: how a conductance answers pulses.
 *
 * Inside mho a cell's conductance is carried normalized, g = (G - g_min) / (g_max - g_min), 0..1 on
 * the nominal range; siemens appear where the user sees them. A bank of cells (one device of every
 * weight of a crossbar) shares one model; what varies from cell to cell lies in columns, one float
 * a cell.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_DEVICE_H
#define MHO_MODEL_DEVICE_H

#include "mho/device.h"
#include "mho/model/entry.h"

enum { MHO_DEVICE_BLOCK = 256, MHO_DEVICE_COLUMNS = 16 };

/* ---------------------------------------------------------------- models */

/** Cells that get one pulse each, gathered side by side. */
typedef struct mho_device_block {
  int n;          /**< at most MHO_DEVICE_BLOCK */
  const float *g; /**< [n] before the pulse */
  /** [n] what g is rounded from, less g; NULL: nothing. See mho_device_model.fine. */
  const float *rest;
  const float *dir; /**< [n] +1 SET (potentiation), -1 RESET (depression) */
  /** [n] standard normal of this pulse; all 0 gives the mean response. */
  const float *xi;
  bool quiet;              /**< xi is all 0: what it multiplies may be left out */
  const float *low, *high; /**< [n] the cells' bounds, to which the caller clips */
  /** [n] strength of the pulse, factor of its drive; NULL: 1. Set for models with a response only:
   *  of the others the caller takes that part of the step. */
  const float *amplitude;
  const float *col[MHO_DEVICE_COLUMNS]; /**< [n] each, the columns the model asked for */
  const void *shared;                   /**< what the model's prepare made; NULL when it has none */
  float *out; /**< [n] the change of g, not yet cut off at the cell's bounds */
} mho_device_block;

/** Pulses one after another on the cells of a block: the first cells get all of them, those behind
 *  fewer and fewer. */
enum { MHO_DEVICE_SERIES = 4 };
typedef struct mho_device_series {
  int n;              /**< pulses, at most MHO_DEVICE_SERIES */
  const int *left;    /**< [n] cells that get the pulse, never more than one pulse before */
  const uint32_t *up; /**< [cells] bit k: pulse number k is a SET */
  /** [cells, up to a multiple of 16] standard normal of every pulse; all 0 where the block is
   *  quiet. */
  const float *xi[MHO_DEVICE_SERIES];
  float *g; /**< [cells, up to a multiple of 16] before the first pulse, and after the last one */
} mho_device_series;

/** Steps near the states g of a block, f(g + x) = f[0] + f[1] x + f[2] x^2/2, and their noise, of
 *  every cell:
 *    SET    dg = +up (1 + factor xi) + add_up xi
 *    RESET  dg = -down (1 + factor xi) - add_down xi */
typedef struct mho_device_expansion {
  float up[3][MHO_DEVICE_BLOCK], down[3][MHO_DEVICE_BLOCK];
  const float *factor, *add_up, *add_down; /**< [n] */
} mho_device_expansion;

typedef struct mho_device_config mho_device_config;

/** Cells whose columns are to be filled: factors on the steps, drawn from the chip seed. */
typedef struct mho_device_draw {
  int n;
  double g_min, g_max; /**< S */
  /** [n] factor of the cell's SET and RESET step; 1 without spread. */
  const float *up, *down;
  const float *low, *high; /**< [n] the cell's own bounds; 0 and 1 without spread */
} mho_device_draw;

/** The mean response as circuit text: of identical pulses (set, reset), or under any voltage
 *  (rate). Expressions are in the language of ngspice's B sources: V(g) is the state, the
 *  normalized conductance as a voltage 0..1 V; the other names are the parameters. `pow` is of a
 *  positive base everywhere, as ngspice takes its magnitude. What the caller adds is the clipping
 *  to the bounds. */
enum { MHO_SPICE_PARAMS = 24, MHO_SPICE_EXPRESSION = 4096 };
/** A device as expressions and parameters of an ngspice subcircuit. */
typedef struct mho_device_spice {
  char set[MHO_SPICE_EXPRESSION];   /**< state after one SET pulse; empty where rate says more */
  char reset[MHO_SPICE_EXPRESSION]; /**< state after one RESET pulse */
  /** dV(x)/dt in 1/s under any voltage V(p,n); x is the model's own variable, 0..1. Empty when the
   *  model knows identical pulses only, and then x is g. */
  char rate[MHO_SPICE_EXPRESSION];
  /** Normalized conductance from V(x); empty when they are the same. */
  char g_of_x[MHO_SPICE_EXPRESSION];
  char x_of_g[MHO_SPICE_EXPRESSION]; /**< and V(x) from V(g), for the initial state */
  /** The pulse: V at the device and s; 0 when the model does not know. */
  double v_set, v_reset, width;
  int n;
  struct {
    char name[24];
    double value;
  } param[MHO_SPICE_PARAMS];
} mho_device_spice;

/** The pulses that program a device, for the energy and the time that writing takes. */
typedef struct mho_device_pulse {
  double volts[2]; /**< of SET and of RESET, V, both positive */
  double width[2]; /**< how long they last, s */
} mho_device_pulse;

/** A registered device: how a cell answers pulses. */
typedef struct mho_device_model {
  mho_entry entry;
  int n_columns;
  /** RESET is abrupt: depression needs a mapping that SETs the other device and refreshes. */
  bool one_way;
  /** Check what the table's ranges cannot; nullable. */
  mho_err (*check)(const void *params, const mho_device_config *config, mho_errinfo *ei);
  /** Fill the columns of n cells, col[k][i]. */
  void (*columns)(const void *params, const mho_device_draw *draw, float *const *col);
  /** One pulse on every cell of a block; NULL: takes any change, knows no pulses. A plain loop
   *  under `#pragma omp simd`, with comparisons for fminf and fmaxf, becomes vector code. */
  void (*pulse)(const mho_device_block *b);
  /** Some pulses on the cells of a block, whose g, rest, dir, xi, amplitude and out are not set: to
   *  the bit what pulse and the caller, who clips to the bounds, do in turn. NULL: they do. */
  void (*series)(const mho_device_block *b, const mho_device_series *s);
  /** Steps near the states of the cells of a block, whose g, low, high and columns are set: many
   *  pulses then take one deviate. A cell gets the same bits wherever it is in the block. Nullable;
   *  a model that has it has `series`, too. */
  void (*expand)(const mho_device_block *b, mho_device_expansion *out);
  /** Drive of a pulse at `fraction` of the voltage of a SET (set) or RESET pulse, as a factor of a
   *  whole pulse's: 1 at 1. A negative fraction is of the other polarity; what it does comes
   *  negative, as a factor of a whole pulse that goes the other way. NULL: the model knows no
   *  voltages (mho_device_response). */
  double (*response)(const void *params, bool set, double fraction);
  /** Whether the answer depends on xi, which is drawn only then. NULL: it does. */
  bool (*noisy)(const void *params);
  /** Whether steps from near 1 are too small for the digits that g has there, so that a second
   *  number is kept with it. NULL: no. */
  bool (*fine)(const void *params, const mho_device_config *config);
  /** Circuit text of the mean response; NULL only where pulse is. MHO_ECONFIG as prepare. */
  mho_err (*spice)(const void *params, const mho_device_config *config, mho_device_spice *out,
                   mho_errinfo *ei);
  /** What a bank of cells shares beyond its columns (a table of measured pulses), freed with
   *  mho_free; nullable. MHO_ECONFIG, MHO_EIO, MHO_EDATA with the place in the user's file. */
  mho_err (*prepare)(const void *params, const mho_device_config *config, void **shared,
                     mho_errinfo *ei);
  /** The conductances that the parameters themselves name (those of a table), S: g_min and g_max
   *  where the config sets neither; nullable. Errors as of prepare. */
  mho_err (*range)(const void *params, double *g_min, double *g_max, mho_errinfo *ei);
  /** Names of the parameters that a fit to pulse data can tell, blanks between; the others keep
   *  their values. */
  const char *fit;
  /** The same of a fit to I-V sweeps; NULL: it knows no voltages. */
  const char *fit_iv;
  /** The same law seen from its other side, as a fit may need it: parameters that are not fitted,
   *  "a=0.5 b=0", tried in place of their defaults. Nullable. */
  const char *fit_form;
  /** Steps shrink towards the bounds: data that stop short of them tell where they are. */
  bool fit_range;
} mho_device_model;

/** Add a named number to circuit text; the library's own names stay below 24 characters. */
MHO_API void mho_device_spice_param(mho_device_spice *s, const char *name, double value);

/* ---------------------------------------------------------------- config of any device */

/** Conductance against time after programming: retention.c. */
typedef struct mho_drift_config {
  int law;
  double t0, nu, nu_spread, tau, tau_spread, rest;
  double shift, spread, spread_growth; /**< S */
} mho_drift_config;
enum {
  MHO_DRIFT_NONE,
  MHO_DRIFT_EXPONENTIAL,
  MHO_DRIFT_POWER,
  MHO_DRIFT_PCM,
  MHO_DRIFT_LOGARITHMIC
};

/** Of the device itself, one read: retention.c. */
typedef struct mho_read_noise_config {
  int law;
  double sigma, t_read;
} mho_read_noise_config;
enum {
  MHO_READ_NOISE_NONE,
  MHO_READ_NOISE_CONSTANT,
  MHO_READ_NOISE_PROPORTIONAL,
  MHO_READ_NOISE_PCM,
  MHO_READ_NOISE_CMO
};

/** Current against voltage of a read: iv.c. */
typedef struct mho_iv_config {
  int law;
  double b, k2, k3, v_max;
} mho_iv_config;
enum { MHO_IV_OHMIC, MHO_IV_SINH, MHO_IV_POLYNOMIAL, MHO_IV_HFO2 };

/** Several devices a cell, whose conductances count by their significance: src/array/groups.c. */
typedef struct mho_cell_config {
  int64_t n;
  mho_reals significance; /**< of each device, or one for all */
  int write;              /**< MHO_CELL_... */
} mho_cell_config;
enum { MHO_CELL_ALL, MHO_CELL_IN_TURN, MHO_CELL_CARRY };
enum { MHO_CELL_DEVICES_MAX = 8 };

struct mho_device_config {
  char card[MHO_TEXT_MAX]; /**< the card whose keys are the defaults; "" for none */
  double g_min, g_max;     /**< S */
  bool zero_shift;         /**< reference: at the symmetry point of each cell's device */
  double zero_error;       /**< of what is held as weight zero, of the range */
  int64_t refresh_every;   /**< one_sided: updates from refresh to refresh */
  double refresh_above;    /**< one_sided: conductance that asks for it, of the range */
  double weight_range;     /**< w_max over the largest drawn weight, see mho_trainer_from */
  double start;            /**< conductance of a new cell, normalized */
  /** Conductances a cell can hold, where every pulse ends; -1: any. */
  int64_t levels;
  /** SET against RESET step: up 1 + min(u, 0), down 1 - max(u, 0). */
  double up_down;
  /** What a pulse leaves on the visible conductance, of the range. */
  double write_noise;
  double error[4];                         /**< of a verified write: sigma = error[k] G^k, S */
  bool only_written;                       /**< what pulses do is not known */
  double stuck_on, stuck_off, stuck, open; /**< fractions of cells */
  double stuck_at, stuck_range;            /**< where cells of `stuck` are, of the range */
  int law;                                 /**< of the spread: normal, lognormal, uniform */
  int step_law;                            /**< of the spread of steps: as law, or of its own */
  double fold;                             /**< bounds lie on either side of it; 0: anywhere */
  /** Device-to-device standard deviations. */
  double spread_step, spread_asymmetry, spread_low, spread_high;
  /** "slope_up 0.05 slope_down 0.05": of the model's own parameters. */
  char spread_of[MHO_TEXT_MAX];
  double endurance, endurance_range; /**< pulses, and what part of the range is left after them */
  /** Lifetime in updates, 0: none; its spread; where it leads. */
  double leak, leak_spread, leak_rest;
  /** V and s of SET and RESET; 0: see mho_device_pulse_of. */
  double pulse_volts[2], pulse_width[2];
  /** Answer to a fraction of a pulse's voltage: mho_device_response. */
  double weak_threshold, weak_slope;
  mho_drift_config drift;
  mho_read_noise_config read_noise;
  mho_iv_config iv;
  mho_cell_config cells;
};
/** Devices of a cell. */
static inline int mho_cell_devices(const mho_device_config *config) {
  return config->cells.n > 1 ? (int)config->cells.n : 1;
}
/** Whether every device of a cell counts more than the one before it. */
MHO_API bool mho_cell_rises(const mho_device_config *config);
/** The keys of mho_device_config. */
MHO_API extern const mho_params mho_device_params;

/** Check a device's description without making cells. */
MHO_API mho_err mho_device_check(const mho_device_model *model, const void *params,
                                 const mho_device_config *config, mho_errinfo *ei);
/** The model's nominal mean step at mid range, mean of SET and RESET, as a fraction of the range;
 *  of a one-way model the mean SET step over the range. */
MHO_API double mho_device_nominal_step(const mho_device_model *model, const void *params,
                                       const mho_device_config *config);
/** The pulses of a device: those of its config (device.pulse, as cards give them), else those that
 *  a voltage-driven model is integrated with, else 2 V and 100 ns, which are an assumption. */
MHO_API mho_device_pulse mho_device_pulse_of(const mho_device_model *model, const void *params,
                                             const mho_device_config *config);
/** What a pulse at a fraction of its voltage does, as a factor of the effect of a whole one: by the
 *  model's own law, or where it knows no voltages by that of ionic hopping beyond a threshold,
 *
 *   f > theta: sinh(k (f - theta))/sinh(k (1 - theta)),  0 <= f <= theta: 0,
 *
 *  theta = device.weak_pulse.threshold, k = device.weak_pulse.slope. Signs as of
 *  mho_device_model.response. Source: D. Strukov, R. S. Williams, Appl. Phys. A 94, 515 (2009). */
MHO_API double mho_device_response(const mho_device_model *model, const void *params,
                                   const mho_device_config *config, bool set, double fraction);
/** What a read does to a device, which reads do not carry out: the largest change of g, normalized,
 *  by v volts of either sign for some seconds, over all states. 0 below the thresholds, and of
 *  models that know no voltages. */
MHO_API double mho_device_read_disturb(const mho_device_model *model, const void *params,
                                       const mho_device_config *config, double v, double seconds);
/** The largest read voltage up to v that moves nothing, V; 0: there is no threshold. */
MHO_API double mho_device_read_limit(const mho_device_model *model, const void *params,
                                     const mho_device_config *config, double v);
/** Current through a device of small-signal conductance g (S) at voltage v (V), A, by the I-V law
 *  of the config; didv (S, nullable) its derivative. Odd and even parts as published: iv.c. */
MHO_API double mho_device_current(const mho_device_config *config, double g, double v,
                                  double *didv);
/** The same law as an ngspice expression of the conductance `g` (a name or "V(g)") and the voltage
 *  `v` ("V(p,n)").
 *  @return whether it fitted. */
MHO_API bool mho_device_spice_current(const mho_device_config *config, const char *g, const char *v,
                                      char *out, size_t capacity);
/** Standard deviation of a verified write that aims at g (normalized), normalized; 0 when the
 *  config has none. */
MHO_API double mho_device_write_error(const mho_device_config *config, double g);
static inline bool mho_device_has_write_error(const mho_device_config *config) {
  const double *e = config->error;
  return e[0] != 0 || e[1] != 0 || e[2] != 0 || e[3] != 0;
}
/** Whether the device itself makes reads random. */
MHO_API bool mho_device_reads_noisy(const mho_device_config *config);
/** Whether nearly all of that noise is slower than a sample: 1/f noise. */
MHO_API bool mho_device_noise_is_slow(const mho_device_config *config);
/** Fraction of cells that do not answer pulses. */
MHO_API double mho_device_faulty(const mho_device_config *config);
/** The config without all that devices have beside their mean response: spread, faults, noise of
 *  writes, levels, wear, leak. */
MHO_API mho_device_config mho_device_mean(const mho_device_config *config);

/* ---------------------------------------------------------------- cells */

/** What is wrong with a cell: nothing, stuck at its high or low end, no conductance at all, stuck
 *  at device.stuck_at. */
typedef enum mho_fault {
  MHO_FAULT_NONE,
  MHO_FAULT_ON,
  MHO_FAULT_OFF,
  MHO_FAULT_OPEN,
  MHO_FAULT_STUCK
} mho_fault;

/** A bank of cells. Bounds and columns are per cell where they vary, else one block of equal
 *  values, which stays in cache. */
typedef struct mho_cells {
  const mho_device_model *model;
  size_t n;
  float *g; /**< [n] what is read */
  /** [n] what pulses move; the same array as g without write noise and levels. */
  float *state;
  /** [n] what state is rounded from, less state; NULL: nothing, see mho_device_model.fine. */
  float *rest;
  uint8_t *fault;                         /**< [n] of mho_fault; NULL when no cell is faulty */
  bool varied;                            /**< low and high are [n], else [MHO_DEVICE_BLOCK] */
  float *low, *high;                      /**< the cell's own bounds, normalized */
  bool column_varies[MHO_DEVICE_COLUMNS]; /**< col[k] is [n], else [MHO_DEVICE_BLOCK] */
  float *col[MHO_DEVICE_COLUMNS];
  void *shared;        /**< of the model's prepare; nullable */
  double g_min, g_max; /**< S */
  bool noisy;          /**< pulses answer at random */
  mho_rng noise;       /**< cycle-to-cycle */
  mho_rng chip;        /**< device-to-device */
  uint32_t *wear;      /**< [n] pulses so far; NULL without endurance */
  /** [n] strength with which SET, RESET pulses arrive; NULL: all of it. Not owned. */
  const float *amplitude[2];
  /** [n] SET, RESET pulses are counted here; NULL: nowhere. Not owned. */
  uint16_t *pulsed[2];
  /** g is not simply the state, or pulses wear: mho_cells_show after them. */
  bool hides;
  mho_device_config config;
} mho_cells;

/** Pulses counted; double, because a run applies more than 2^31. */
typedef struct mho_pulse_counts {
  double set, reset; /**< pulses applied */
  /** Requests cut by a bound, by max_pulses, or given up after all tries. */
  double clipped;
  /** Cells whose probability of a coincidence was cut, in all samples. */
  double truncated;
  double reads;     /**< of single cells, to verify them */
  double slots;     /**< of the pulse trains that samples came as */
  double coincided; /**< those of the pulses that were coincidences of trains */
  /** Cells of an array on a line that pulsed alone, in all slots. */
  double half;
} mho_pulse_counts;

/** Bank of n cells, all at mid range but the faulty ones.
 *  @param params  of the model's own table.
 *  @param chip    stream of device-to-device draws; noise: of cycle-to-cycle noise. One each per
 *                 bank.
 *  @return MHO_OK; MHO_ECONFIG for an impossible device (g_min not below g_max, fault fractions
 *          above 1). */
MHO_API mho_err mho_cells_new(const mho_device_model *model, const void *params,
                              const mho_device_config *config, size_t n, mho_rng chip,
                              mho_rng noise, mho_cells **out, mho_errinfo *ei);
/** Frees a bank; NULL is allowed. */
MHO_API void mho_cells_free(mho_cells *c);
/** Pulses on cells first .. first+n-1 (n at most MHO_DEVICE_BLOCK): count[i] of them, SET when
 *  positive. Stuck cells ignore theirs, which are still counted: the driver applied them.
 *  @param step  number of the programming step: with the cell and the pulse's rank it names the
 *               noise drawn. At most 4096 pulses a cell and step. */
MHO_API void mho_cells_pulse(mho_cells *c, size_t first, int n, const int16_t *count, uint64_t step,
                             mho_pulse_counts *counts);
/** The same for scattered cells: cell[i], each at most once, gets count[i] pulses, [n] (at most
 *  MHO_DEVICE_BLOCK). The noise drawn is the same as in mho_cells_pulse. */
MHO_API void mho_cells_pulse_at(mho_cells *c, int n, const uint32_t *cell, const int16_t *count,
                                uint64_t step, mho_pulse_counts *counts);
/** Weak pulses on cells first .. first+n-1 (n at most MHO_DEVICE_BLOCK) that add up to the effect
 *  of set[i] and reset[i] whole ones: their mean effect, SET and RESET in turn. They are no pulses
 *  of the cells': nothing is counted, wears, or draws noise. Of cells with levels the effect of a
 *  whole pulse, or of a rest, moves to the nearest. */
MHO_API void mho_cells_disturb(mho_cells *c, size_t first, int n, const float *set,
                               const float *reset);
/** Mean change of g by one pulse in direction dir (+1, -1) at the present state, clipped at the
 *  bounds, [n] (at most MHO_DEVICE_BLOCK cells). */
MHO_API void mho_cells_mean_step(const mho_cells *c, size_t first, int n, const float *dir,
                                 float *out);
/** Mean g after that pulse, within the bounds, [n]: where little is left of what was there it has
 *  the digits that the change lacks. */
MHO_API void mho_cells_mean_state(const mho_cells *c, size_t first, int n, const float *dir,
                                  float *out);
/** Set g of cells first .. to the wanted values as far as the cell's bounds and faults let it, [n].
 *  @return how many were clipped. */
MHO_API int mho_cells_set(mho_cells *c, size_t first, int n, const float *g);
/** The same by verified writes: what a cell then has is around its target with the standard
 *  deviation mho_device_write_error of it, within its bounds.
 *  @param step   number of the write: with the cell it names the deviate.
 *  @param again  also write cells that have what is wanted; else they are left alone. */
MHO_API int mho_cells_write(mho_cells *c, size_t first, int n, const float *g, bool again,
                            uint64_t step);
/** After pulses, where cells->hides: what cells first .. show of their state, which is put to a
 *  level, with write noise, and the wear of the pulses. mho_cells_pulse calls it; other code that
 *  moves `state` must too. [n], n at most MHO_DEVICE_BLOCK; count as there, step names the
 *  noise. */
MHO_API void mho_cells_show(mho_cells *c, size_t first, int n, const int16_t *count, uint64_t step);
/** Charge leaks for `updates` updates: the state moves towards config.leak_rest. */
MHO_API void mho_cells_leak(mho_cells *c, size_t first, size_t n, double updates);
/** Conductances of cells first .. a time after programming (s), normalized, [n] (at most
 *  MHO_DEVICE_BLOCK). At config.drift.t0 and before they are what was programmed; g is never below
 *  0 S. The exponent of each cell comes from the chip seed. Source of the laws: retention.c. */
MHO_API void mho_cells_drifted(const mho_cells *c, double after, size_t first, int n, float *out);
/** Standard deviation of one read of cells first .. that show g (drifted) a time after programming
 *  (s), normalized, [n]. What law pcm asks of the programmed conductance it takes from the
 *  cells. */
MHO_API void mho_cells_read_sigma(const mho_cells *c, double after, size_t first, int n,
                                  const float *g, float *sigma);
/** What of the cells changes in training, for a checkpoint: pointers into the bank.
 *  @return how many pieces, at most MHO_CELLS_PIECES. */
enum { MHO_CELLS_PIECES = 5 };
/** An array of a bank that a checkpoint keeps. */
typedef struct mho_cells_piece {
  void *data;
  size_t size;
  size_t scalar; /**< bytes of one of its numbers, all finite; 0: they are counts */
} mho_cells_piece;
MHO_API int mho_cells_pieces(const mho_cells *c, mho_cells_piece *pieces);
/** Conductance of a cell, S; 0 when open. */
MHO_API double mho_cells_siemens(const mho_cells *c, size_t cell);
/** The same at a state g other than the stored one, such as a drifted one; g is a fraction of the
 *  range. */
MHO_API double mho_cells_siemens_at(const mho_cells *c, size_t cell, float g);

/* ---------------------------------------------------------------- measured pulses, fits, curves */

/** Conductances measured after pulses, cut into tracks (one device, one cycle, in the order of the
 *  file). */
typedef struct mho_pulse_data {
  int n, devices, tracks;
  int missing,
      gaps;    /**< rows without a number; of them those that are counts of others, not in n */
  int *device; /**< [tracks] */
  int *first;  /**< [tracks + 1] first row of each track */
  /** [n] pulses since the row before in the track; 0 in its first, and where a state is read again;
   *  -1: nobody knows what came between. */
  int *count;
  int *pulse;             /**< [n] as in the file, or counted */
  signed char *direction; /**< [n] +1 SET, -1 RESET */
  double *g;              /**< [n] S, NaN where missing */
  double volts[2];        /**< of a SET and a RESET pulse; 0: not in the file */
  /** [n] V at each reading of a sweep, and how long, s: then volts are the largest of them; NULL of
   *  identical pulses. */
  double *volts_at, *dwell;
} mho_pulse_data;

/** How a table of pulses is laid out. Names of columns are words between blanks, in which * and ?
 *  stand for any characters. */
typedef struct mho_pulse_format {
  /** Of the readings: of conductance, resistance or current ("uS", "kohm", "nA"); NULL: S, ohm or
   *  A, as the column's name says. */
  const char *unit;
  double read_voltage; /**< V at which currents were read; 0: in a column, or no currents */
  /** The I-V law by which a current is a conductance; NULL: ohmic. */
  const mho_device_config *config;
  const char *g;         /**< columns with readings, one a device; NULL: one, by its name */
  const char *up, *down; /**< columns with the readings of SET, of RESET pulses; nullable */
} mho_pulse_format;

/** Read a table (CSV) of measured pulses. Its columns:
 *   - g or conductance, r or resistance, i or current: the reading; or those that the format names.
 *   - direction: up, down, set, reset, ltp, ltd, 1, -1; or voltage or v: that of the pulse, whose
 *     sign is the direction, 0 for a reading without a pulse. All SET pulses have one voltage, and
 *     so have all RESET pulses. Neither where format.up or format.down is given.
 *   - device, cycle, where there are several: any words. No device where each has its own column.
 *   - pulse: the number of the pulse in its direction, counted from 1 anew at every change of
 *     direction; a row of pulse 0 is the state before; rows of one number are readings of one
 *     state. Without it every row is one pulse after the last.
 *   - read_voltage or v_read, of currents.
 *  Other columns are passed over.
 *  @param format  nullable.
 *  @return MHO_OK; MHO_EIO; MHO_EINVAL for a unit that is none; MHO_EDATA with the line. */
MHO_API mho_err mho_pulse_data_read(const char *path, const mho_pulse_format *format,
                                    mho_pulse_data *out, mho_errinfo *ei);
/** How a table of I-V sweeps is to be read. */
typedef struct mho_sweep_format {
  double ampere;                   /**< A of one unit of i */
  double dwell;                    /**< s that each reading lasts, where there is no column t */
  const mho_device_config *config; /**< its I-V law makes conductances of currents */
} mho_sweep_format;

/** Read a table (CSV) of I-V sweeps with the columns v (V) and i (current, of the sign of its
 *  voltage); device and cycle, where there are several; t, time in s. A row's voltage acts since
 *  the row before, then the current is read. Currents at less than .15 of the largest voltage are
 *  not used.
 *  @return MHO_OK; MHO_EIO; MHO_EDATA with the line. */
MHO_API mho_err mho_sweep_data_read(const char *path, const mho_sweep_format *format,
                                    mho_pulse_data *out, mho_errinfo *ei);
/** An I-V law fitted to reads. */
typedef struct mho_read_law {
  int law; /**< MHO_IV_OHMIC, ... */
  int n;   /**< its parameters: b; k2 and k3 */
  /** Per V, and per V^2; 95 % confidence. The last three are NaN where the readings do not
   *  determine them. */
  double value[2], error[2], low[2], high[2];
  double left;      /**< rms of what is left, in the largest current */
  double criterion; /**< Schwarz's, for the same file */
  int curves, readings;
} mho_read_law;
enum { MHO_READ_LAWS = MHO_IV_POLYNOMIAL + 1 };
/** Fit the I-V laws to sweeps that leave the state alone: a table (CSV) with the columns v (V) and
 *  i, in any unit, and device and cycle where there are several curves, each of its own
 *  conductance.
 *  @param out  of law k, [MHO_READ_LAWS].
 *  @return MHO_OK; MHO_EIO; MHO_EDATA for too few readings, a curve without current or with
 *          currents against their voltages, and where the state moves: no law comes within a tenth
 *          of the largest current. */
MHO_API mho_err mho_read_law_fit(const char *path, mho_read_law out[MHO_READ_LAWS],
                                 mho_errinfo *ei);
/** Frees the measurements and empties the struct. */
MHO_API void mho_pulse_data_free(mho_pulse_data *d);

enum { MHO_FIT_MAX = 12 };
/** A parameter that was fitted. */
typedef struct mho_fit_value {
  const char *name; /**< of the config key, without "device." */
  const mho_param *param;
  double value, error, low, high; /**< estimate, standard error, 95 % confidence interval; SI */
  bool determined; /**< false: the data fit next to any value, and the interval says nothing */
} mho_fit_value;

/** A device model fitted to pulse data. */
typedef struct mho_fit {
  const mho_device_model *model;
  void *params;             /**< of the model, fitted; it and residual freed by mho_fit_free */
  mho_device_config config; /**< g_min, g_max, variation, read_noise fitted */
  int n;
  mho_fit_value value[MHO_FIT_MAX];
  char untold[MHO_TEXT_MAX];             /**< parameters that the data say nothing of */
  double pulse_relative, pulse_add;      /**< noise of a pulse, of its step and of the range */
  double read;                           /**< noise of a reading, S */
  double spread_step, spread_step_error; /**< device-to-device; NaN with fewer than 3 devices */
  double spread_asymmetry, spread_asymmetry_error;
  int rows, used, missing, outliers, devices, tracks;
  double explained;  /**< of the variance of the mean response, 0..1 */
  double likelihood; /**< logarithm, of `compared` readings, in what the data span */
  double *residual;  /**< [rows] S beyond the prediction from the readings before; NaN: none */
  int compared;      /**< readings behind the first of each track: the same for every model */
  int noises;        /**< kinds of noise that were fitted */
  const char *form;  /**< the model's fit_form when it fitted better; NULL: as it was given */
} mho_fit;

/** Schwarz's criterion, (parameters and noises) ln(compared) - 2 likelihood: of models fitted to
 *  the same data the best has the least. It does not change when all data are multiplied by a
 *  constant.
 *  Source: G. Schwarz, The Annals of Statistics 6, 461 (1978). */
MHO_API double mho_fit_criterion(const mho_fit *f);

/** What is fitted, to what, and how. */
typedef struct mho_fit_options {
  /** g_min and g_max are the config's; else they come from the data. */
  bool keep_range;
  /** Names of parameters that keep their values, blanks between; nullable. */
  const char *fixed;
  const mho_context *ctx; /**< nullable: whose stop ends the fit */
} mho_fit_options;

/** Fit a model by nonlinear least squares (GSL) on the innovations of a Kalman filter: pulse noise,
 *  which is remembered, and noise of the readings, which is not, both get the weight they deserve;
 *  outliers and missing readings are passed over. Confidence intervals take devices as clusters
 *  when there are 5 or more.
 *  @param params  config: what is not fitted keeps its value from here.
 *  @return MHO_OK; MHO_EDATA with the reason when these data cannot be fitted by this model;
 *          MHO_EINTERRUPTED. */
MHO_API mho_err mho_device_fit(const mho_device_model *model, const void *params,
                               const mho_device_config *config, const mho_pulse_data *d,
                               const mho_fit_options *o, mho_fit *out, mho_errinfo *ei);
/** Names of the fitted parameters that the data do not determine, ", " between; "" for none. */
MHO_API void mho_fit_undetermined(const mho_fit *f, char *out, size_t capacity);
/** Readings that start a track or may be cut off by a bound: the filter takes them, the fit does
 *  not count them. */
static inline int mho_fit_followed(const mho_fit *f) {
  return f->rows - f->used - f->missing - f->outliers;
}
/** Frees the result and empties the struct. */
MHO_API void mho_fit_free(mho_fit *f);
/** The fit as a device card. source: what it was fitted to. Free with free(). */
MHO_API char *mho_fit_card(const mho_fit *f, const char *source);
/** Mean response as the table of model `measured`: medians over devices and cycles, made monotone,
 *  as CSV text. Free with free(). MHO_EDATA when a direction has fewer than 3 pulses. */
MHO_API mho_err mho_pulse_table(const mho_pulse_data *d, double *g_min, double *g_max, char **csv,
                                mho_errinfo *ei);

/** One model of a comparison. */
typedef struct mho_fitted_model {
  const mho_device_model *model;
  bool fits;                 /**< else why says what kept it from that */
  char why[MHO_MESSAGE_MAX]; /**< "" of one that fits */
  mho_fit fit;
} mho_fitted_model;
/** Models that were fitted to one table (mho_fit_file). */
struct mho_fitted {
  bool compared; /**< all that can be; else one that was named */
  int n, best;
  mho_fitted_model *each; /**< [n] */
  mho_pulse_data data;
};

/** The measurements of a table as mho_fit_file reads them. @return as mho_pulse_data_read, or of
 *  sweeps mho_sweep_data_read; MHO_ECONFIG; MHO_EINVAL. */
MHO_API mho_err mho_fit_data(const mho_registry *r, const char *path, const mho_fit_table *o,
                             mho_pulse_data *out, mho_errinfo *ei);

/** Whether the config's range is wider than that which the model's parameters say (a table), so
 *  that cells may begin where the model knows no steps; `sentence` says what comes of it. */
MHO_API bool mho_device_range_is_wider(const mho_device_model *model, const void *params,
                                       const mho_device_config *config, char *sentence,
                                       size_t capacity);

/** Response of a population to cycles of SET and RESET pulses, from the low bounds or the start
 *  on.
 *  @param points  [cycles (set + reset) + 1]; free with mho_free. */
MHO_API mho_err mho_device_curve(const mho_device_model *model, const void *params,
                                 const mho_device_config *config, const mho_curve_options *o,
                                 mho_curve_point **points, int *n, mho_errinfo *ei);

#endif
