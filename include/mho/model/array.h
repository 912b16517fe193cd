/* array.h - crossbars: signed weights on conductances, and how they are read.
 *
 * A crossbar holds one connection's weights. Its effective matrix w [rows x cols] is what a settle
 * multiplies with (row-vector convention, y = x W; rows are inputs); it is a cache of the
 * conductances, refreshed when they change. With the ideal device there are no conductances: the
 * weights themselves are kept.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_ARRAY_H
#define MHO_MODEL_ARRAY_H

#include "mho/model/device.h"

typedef struct mho_crossbar mho_crossbar;

/** What the config says of any array. */
typedef struct mho_array_config {
  double read_voltage;   /**< V */
  double r_word, r_bit;  /**< ohm a segment */
  mho_ints wire_tile;    /**< rows and columns of a physical tile */
  double wire_tolerance; /**< of the effective matrix */
  int64_t wire_refresh;  /**< updates from one exact solution to the next */
  int wire_negative;     /**< MHO_WIRE_NEGATIVE_... */
  int write_select;      /**< MHO_WRITE_... */
} mho_array_config;
enum { MHO_WIRE_NEGATIVE_OWN, MHO_WIRE_NEGATIVE_NEIGHBOUR };
enum { MHO_WRITE_IDEAL, MHO_WRITE_TRANSISTOR, MHO_WRITE_HALF, MHO_WRITE_THIRD };
/** Whether an array's lines have a resistance. */
static inline bool mho_array_has_wires(const mho_array_config *c) {
  return c->r_word > 0 || c->r_bit > 0;
}
/** Whether a pulse reaches cells that share a line with the one that is meant. */
static inline bool mho_array_half_selects(const mho_array_config *c) {
  return c->write_select == MHO_WRITE_HALF || c->write_select == MHO_WRITE_THIRD;
}
/** Whether pulses arrive weakened, or reach other cells, too. */
static inline bool mho_array_disturbs(const mho_array_config *c) {
  bool behind_transistors = c->write_select == MHO_WRITE_TRANSISTOR;
  return c->write_select != MHO_WRITE_IDEAL && (!behind_transistors || mho_array_has_wires(c));
}
/** The keys of mho_array_config. */
MHO_API extern const mho_params mho_array_params;

/** When a read happens; with the array's noise.redraw it names the noise that is drawn. */
typedef struct mho_clock {
  uint64_t update; /**< training batches and evaluation batches, counted apart */
  /** 0 free, 1 nudged (or nudged the positive way), 2 nudged the negative way. */
  int phase;
  int step; /**< of the settle, below 65536 */
} mho_clock;

/** What a sense line has held since the free phase, for converters that see only the change since
 *  then. */
typedef struct mho_hold {
  /** [n x conversions x outputs] what came to the converters, conversions as of
   * mho_crossbar_conversions. */
  mho_real *analog;
  mho_real *digital; /**< [n x conversions x outputs] what the converters made of it */
  /** Convert the difference from what is held; else hold this read. */
  bool subtract;
} mho_hold;

/** y = keep y + scale (x op(W) + noise) for n samples. */
typedef struct mho_read {
  bool transposed;   /**< columns driven, rows sensed: op(W) = W^T */
  int n;             /**< samples */
  const mho_real *x; /**< [n x rows], or [n x cols] transposed */
  mho_real *y;       /**< [n x cols], or [n x rows] transposed */
  mho_real scale, keep;
  mho_clock clock;
  int sample0; /**< number in the batch of the first sample */
  /** Hidden neurons drive, or sense: analog ones need no converter there. */
  bool neurons_in, neurons_out;
  bool sparse; /**< spikes: most inputs are 0, and rows that are not driven are left out */
  /** Of spikes of a single sample, [(rows + 63)/64]: bit by bit, whether x is not 0; NULL: that is
   *  not known. */
  const uint64_t *driven;
  bool whole;        /**< inputs are given in one read, whatever slices they come in else */
  mho_hold hold;     /**< analog NULL: nothing is held */
  mho_real *scratch; /**< [mho_crossbar_scratch], nullable where that is 0 */
} mho_read;

/** States of a layer of analog neurons as they are measured for learning, n samples of `width`
 *  neurons. */
typedef struct mho_measure {
  int n, width, layer;
  /** [n x width] states of a phase; the measured ones take their place. */
  mho_real *a;
  /** [n x width] states of another phase; NULL: only a is measured. */
  const mho_real *b;
  mho_real *e; /**< [n x width] measured a - b */
  int phase_a, phase_b;
  uint64_t update;
  int sample0;       /**< number in the batch of the first sample */
  mho_real *scratch; /**< [4 x width] */
} mho_measure;

/** The converters that a read passes through, as far as energy and time go. */
typedef struct mho_array_converters {
  int dac_bits, adc_bits; /**< 0: no converter */
  int average;            /**< reads for one */
  /** Hidden layers are joined by wires: converters at the border only, and for the states. */
  bool analog;
  double dac_range; /**< activity at a driver's full scale */
  int slices;       /**< reads that an input is given in, see mho_array_driven */
} mho_array_converters;

/** What a trial adds to the weights where a crossbar is read: see src/array/perturbation.c. Its
 *  arrays are the caller's. */
typedef struct mho_perturbation {
  int shape;   /**< MHO_SHAPE_... */
  double size; /**< of a weight; negative: the other way round */
  bool ideal;  /**< no hardware does it: what it takes is not counted */
  int rows, cols;
  int samples;   /**< of the batch with a perturbation of their own; 1: one for all */
  int positions; /**< reads of a sample: many of a convolution */
  /** Of rank one: [samples x rows], [samples x cols] signs. */
  mho_real *row, *col;
  /** Of full rank and one for all samples: [rows x cols]. NULL: drawn as it is read. */
  mho_real *cell;
  uint64_t seed, step; /**< the address of its numbers, ... */
  int connection;      /**< ... see src/base/streams.h */
} mho_perturbation;
/** Signs of rows times signs of columns; a sign, or a normal deviate, for every cell. */
enum { MHO_SHAPE_RANK1, MHO_SHAPE_SIGNS, MHO_SHAPE_NORMAL };

/* ---------------------------------------------------------------- mappings */

enum { MHO_BANKS_MAX = 16 };

/** What a bank holds. */
typedef enum mho_bank_kind {
  MHO_BANK_DEVICES,   /**< devices that weights are written to */
  MHO_BANK_REFERENCE, /**< devices of their kind that are written once: no pulse reaches them */
  /** Currents of a circuit: nothing of them is random, and they neither drift nor draw noise. */
  MHO_BANK_CURRENTS,
  /** Devices of another crossbar, read beside a crossbar's own; of no mapping. */
  MHO_BANK_BORROWED
} mho_bank_kind;

/** A bank of a mapping, one cell for every weight. */
typedef struct mho_bank {
  const char *name;  /**< of its conductances in exported files: g_<name> */
  const char *title; /**< what netlists call its devices: "positive" */
  /** Of its elements and nodes in netlists: 'p', 'n', or another of c d g h j k l m o q r s t y. */
  char letter;
  double gain; /**< of its conductance in a weight, see mho_mapping */
  mho_bank_kind kind;
  /** Of what is written once: at g_min, rather than at device.start or the symmetry point. */
  bool lowest;
} mho_bank;

/** A registered way to lay a signed weight on the cells of up to MHO_BANKS_MAX banks:
 *
 *    W = w_max sum_k gain_k g_k
 *
 *  with normalized conductances g. Reads add the currents of the banks with these gains, so wires,
 *  drift, noise, circuits and files follow from the table of banks; what a mapping decides is how a
 *  wanted weight is divided. The gains add up to 0, so that equal conductances are weight 0
 *  whatever g_min is, and the first bank is one of devices. None of the functions is called for the
 *  ideal device, which has no cells. */
typedef struct mho_mapping {
  mho_entry entry;
  int n_banks;
  mho_bank bank[MHO_BANKS_MAX];
  /** The crossbar's w_max over that of mho_crossbar_options: 2 where one device, which has half of
   *  a pair's range, is to hold the same weights. */
  double span;
  bool rests; /**< new cells are at weight 0: nothing is written to them at the start */
  /** Every weight is laid on cells at the bottom of their range, so that device.start is of no
   *  consequence. */
  bool from_bottom;
  bool positive;  /**< no weight is below 0: those that are drawn are not, others are clipped */
  bool refreshes; /**< tend goes by device.refresh */
  /** tend asks mho_crossbar_devices which banks of the crossbar one of the mapping is, and so may
   *  cells be several devices. Of no consequence without tend. */
  bool many;
  /** Conductances that weights ask of n neighbouring cells (at most MHO_DEVICE_BLOCK), from cell
   *  `first` on. d: [n] weights over w_max, or changes of them (relative). g[k]: [n] of bank k,
   *  what it has, in place of which comes what it is to have. Only banks of devices are written.
   *  Banks here and below are those of this table, of however many devices their cells are. */
  void (*targets)(const mho_crossbar *x, size_t first, int n, const float *d, bool relative,
                  float *const *g);
  /** What small changes d ask of the conductances of each bank of devices, dg[k], [n]. */
  void (*shares)(const mho_crossbar *x, int n, const float *d, float *const *dg);
  /** What pulses that raise (count[i] > 0) or lower weights are to each bank of devices, [n]: SET
   *  where positive. A pulse up gives every bank at most one. */
  void (*pulses)(const mho_crossbar *x, int n, const int16_t *count, int16_t *const *bank);
  /** See mho_crossbar_reach. Nullable: 1. */
  double (*reach)(const mho_crossbar *x);
  /** See mho_crossbar_tend. Nullable: cells need no care. */
  void (*tend)(mho_crossbar *x, size_t first, size_t n, uint64_t update, mho_pulse_counts *counts);
} mho_mapping;

/* ---------------------------------------------------------------- array models */

typedef struct mho_crossbar_options mho_crossbar_options;
/** A registered way to read a crossbar: what is between the digital numbers and the devices. */
typedef struct mho_array_model {
  mho_entry entry;
  mho_err (*check)(const void *params, mho_errinfo *ei);
  /** A read is the product with the effective matrix and nothing else: callers may multiply. */
  bool exact;
  /** Reads show the noise and the I-V law that the devices themselves have. */
  bool shows_cells;
  /** Its read adds mho_crossbar.perturbation where it belongs; else it is added to its numbers. */
  bool perturbs;
  /** Whether reads are random, whatever the devices. Nullable: they are not. */
  bool (*noisy)(const void *params);
  /** Whether reads have noise of the array's in place of that of the devices. Nullable: they have
   *  not. */
  bool (*replaces_noise)(const void *params);
  /** Whether a read is anything but the product with the matrix: noisy, converted, distorted.
   *  Nullable: it is not. */
  bool (*lossy)(const void *params);
  /** Sums that are converted apart for one output and added as numbers. Nullable: 1. */
  int (*conversions)(const mho_crossbar *x, bool transposed);
  /** Whether converters see the change since the free phase, and mho_read.hold is needed.
   *  Nullable. */
  bool (*holds)(const void *params);
  /** Make and free what the model keeps in x->own. Nullable. */
  mho_err (*attach)(mho_crossbar *x, const mho_crossbar_options *o, mho_errinfo *ei);
  void (*detach)(mho_crossbar *x);
  /** Conductances of cells first..first+n-1 have changed: refresh what a read needs (the weights
   *  are fresh already). Nullable. */
  void (*refresh)(mho_crossbar *x, size_t first, size_t n);
  /** mho_real's of scratch for a read of n samples. Nullable: none. */
  size_t (*scratch)(const mho_crossbar *x, int n);
  /** How states are measured, and whether they are with these parameters; else they are known as
   *  they are. Nullable, both. */
  bool (*measures)(const void *params);
  void (*measure)(const mho_crossbar *x, const mho_measure *m);
  /** Nullable: none. */
  void (*converters)(const void *params, mho_array_converters *out);
  /** Read; mho_crossbar_matrix(x) is the effective matrix. */
  void (*read)(const mho_crossbar *x, const mho_read *r);
  /** See mho_crossbar_read_row. Nullable: an exact model shows the weights, another cannot. */
  void (*read_row)(const mho_crossbar *x, int row, const mho_real *weights, mho_clock clock,
                   mho_real *y, mho_real *scratch);
} mho_array_model;

/** The converters of an array model; none, and one read, where it says nothing of them. */
static inline mho_array_converters mho_array_converters_of(const mho_array_model *array,
                                                           const void *params) {
  mho_array_converters converters = {
      .dac_bits = 0, .adc_bits = 0, .average = 1, .analog = false, .dac_range = 0, .slices = 1};
  if (array->converters)
    array->converters(params, &converters);
  return converters;
}
/** Sum over the slices of a read of the square of what an activity drives its line with, in
 *  activities: its own square where it is given in one read. */
MHO_API double mho_array_driven(const mho_array_converters *c, double activity);
/** Whether reads are random, whatever the devices. */
static inline bool mho_array_is_noisy(const mho_array_model *array, const void *params) {
  return array->noisy && array->noisy(params);
}
/** Whether a read is anything but the product with the matrix, whatever the devices. */
static inline bool mho_array_is_lossy(const mho_array_model *array, const void *params) {
  return array->lossy && array->lossy(params);
}

/** Full scales of converters that are set from data. Recording, a read leaves the converters out
 *  and widens them; one thread at a time. Sums of a percentile below 100 are counted by size: of
 *  the bins of a line number 0 is for 0, and the others divide every factor of 2 from 2^-24 to 2^16
 *  in MHO_SCALE_PER_OCTAVE. */
typedef struct mho_scales {
  bool valid, recording;
  /** Updates from one calibration to the next; 0: there is only one. */
  int64_t every;
  double percentile; /**< of the |sum| that the full scale is */
  bool shared;       /**< one for all lines of a direction */
  int n, cols;       /**< cols + rows; cols */
  /** [n] largest |sum| that came to a converter of the columns, then, transposed, of the rows; or
   *  its percentile, the same for all lines of a direction where it is shared */
  mho_real *most;
  uint32_t *seen; /**< [n x MHO_SCALE_BINS] sums by size; NULL for percentile 100 */
} mho_scales;
enum { MHO_SCALE_PER_OCTAVE = 64, MHO_SCALE_LOWEST = -24, MHO_SCALE_OCTAVES = 40 };
enum { MHO_SCALE_BINS = MHO_SCALE_PER_OCTAVE * MHO_SCALE_OCTAVES + 1 };

/** Pulses of whole lines in an update, whatever cells they met on. */
typedef struct mho_line_pulses {
  uint32_t *row, *col; /**< [rows], [cols] */
  bool used;
} mho_line_pulses;

/** The effective matrix laid out for products. */
typedef struct mho_crossbar_panels mho_crossbar_panels;
/** Banks of another crossbar that are read beside a crossbar's own. */
typedef struct mho_borrowed mho_borrowed;
/** The banks that each bank of a mapping is where cells are several devices. */
typedef struct mho_groups mho_groups;

struct mho_crossbar {
  int rows, cols;
  /** Programmed ones, and what wires make of them: src/array/weights.h. */
  struct mho_weights *weights;
  double read_voltage; /**< V of a line that is driven by an activity of 1 */
  /** Weight of a sum of 1, see mho_mapping; g_unit = (g_max - g_min)/w_max. */
  double w_max;
  const mho_mapping *mapping; /**< NULL with the ideal device */
  const void *mapping_params; /**< outlives the crossbar */
  /** [n_banks] of the mapping, one for every device of a cell; of the ideal device those of the
   *  pairs that its weights are laid on in circuits and between wires. */
  const mho_bank *role;
  int n_banks;
  mho_groups *groups; /**< NULL: a cell is one device, a bank of the mapping one of the crossbar */
  /** Of the ideal device: the first so many cells hold conductances, which are not below 0. */
  size_t n_positive;
  mho_cells *bank[MHO_BANKS_MAX]; /**< [rows x cols] each; NULL with the ideal device */
  double after;                   /**< time since programming, s */
  /** Conductances of the banks at that time; NULL: as programmed, see mho_crossbar_shown. Of
   *  borrowed banks as choppers turn them, always. */
  float *drifted[MHO_BANKS_MAX];
  mho_borrowed *borrowed; /**< NULL without, see mho_crossbar_borrow */
  bool bounded;           /**< ideal device: clip to +-w_max */
  bool hollow;            /**< see mho_crossbar_options */
  const mho_array_model *model;
  const void *params;          /**< of the array model; outlives the crossbar */
  void *own;                   /**< what the array model keeps, see attach */
  mho_scales *scales;          /**< NULL: none are set from data */
  mho_crossbar_panels *panels; /**< NULL where they are of no use; see mho_crossbar_pack */
  struct mho_line_sums *sums;  /**< NULL unless weights are conductances */
  /** Schemes that pulse lines count here; NULL: nowhere. See mho_disturb_new. */
  mho_line_pulses *lines;
  /** Added to the weights where they are read; NULL: nothing is. */
  const mho_perturbation *perturbation;
  mho_rng read_noise;
  uint64_t sets; /**< calls of mho_crossbar_set so far */
};

/** What a crossbar is made of. */
struct mho_crossbar_options {
  const mho_device_model *device;
  const void *device_params;
  const mho_device_config *device_config;
  const mho_mapping *mapping; /**< nullable with the ideal device */
  const void *mapping_params; /**< nullable where the mapping has no parameters */
  const mho_array_model *array;
  const void *array_params;
  const mho_array_config *array_config; /**< nullable: defaults */
  double w_max;                         /**< > 0 */
  /** The first so many rows hold conductances, which are not below 0 and of which the lines' sums
   *  are known; 0: all weights are signed. */
  int positive_rows;
  /** No cell joins a row with the column of its number: there are no devices on the diagonal, or
   *  weights of 0. */
  bool hollow;
  uint64_t chip_seed, noise_seed;
  uint32_t index; /**< of the connection: keeps its random streams apart */
};

/** The effective matrix, [rows x cols], wires and drift and all: the one matrix that a read
 *  multiplies with, and the only one that anything that settles may know. */
MHO_API const mho_real *mho_crossbar_matrix(const mho_crossbar *x);
/** Crossbar with all weights 0. */
MHO_API mho_err mho_crossbar_new(int rows, int cols, const mho_crossbar_options *o,
                                 mho_crossbar **out, mho_errinfo *ei);
/** Frees a crossbar with its devices; NULL is allowed. */
MHO_API void mho_crossbar_free(mho_crossbar *x);
/** Write weights as exactly as bounds, faults and the error of a verified write
 *  (device.write_error) allow, divided between the banks as the mapping says.
 *  @param w  [n], weights of cells first .. first+n-1. @return how many were clipped. */
MHO_API int mho_crossbar_set(mho_crossbar *x, size_t first, size_t n, const mho_real *w);
/** Add to the weights as exactly as possible (scheme exact); a device whose conductance stays is
 *  not written. `step` numbers the programming step. @return how many were clipped. */
MHO_API int mho_crossbar_add(mho_crossbar *x, size_t first, size_t n, const mho_real *dw,
                             uint64_t step);
/** Fetch what a write of cells first .. first+n-1 will look at, on the way to the processor. */
MHO_API void mho_crossbar_fetch(const mho_crossbar *x, size_t first, int n);
/** Banks of a crossbar of this mapping and device: MHO_BANKS_MAX at most. */
MHO_API int mho_mapping_banks(const mho_mapping *m, const mho_device_config *config);
/** The banks of a crossbar that bank k of its mapping is, one for every device of a cell: how many,
 *  and the number of the first of them. */
MHO_API int mho_crossbar_devices(const mho_crossbar *x, int k, int *first);
/** What bank k of the mapping holds, its devices by their significance, normalized, [n]. */
MHO_API void mho_crossbar_held(const mho_crossbar *x, int k, size_t first, int n, float *out);
/** Mean change of that by one pulse in direction dir (+1, -1) on the devices whose it is
 *  (device.cells.write), over their turns where they take turns; [n], at most MHO_DEVICE_BLOCK. */
MHO_API void mho_crossbar_mean_step(const mho_crossbar *x, int k, size_t first, int n,
                                    const float *dir, float *out);
/** Pulses on bank k of the mapping, as device.cells.write divides them between its devices. The
 *  effective matrix is not refreshed. */
MHO_API void mho_crossbar_pulse_bank(mho_crossbar *x, int k, size_t first, int n,
                                     const int16_t *count, uint64_t step, mho_pulse_counts *counts);
/** Pulses on at most MHO_DEVICE_BLOCK neighbouring cells, bank[k][i] on those of bank k of the
 *  mapping (SET when positive; only banks of devices are looked at). `step` numbers the programming
 *  step. The effective matrix is refreshed. */
MHO_API void mho_crossbar_pulse(mho_crossbar *x, size_t first, int n, int16_t *const *bank,
                                uint64_t step, mho_pulse_counts *counts);
/** Pulses that raise (count[i] > 0) or lower the weights of at most MHO_DEVICE_BLOCK cells, on the
 *  banks that the mapping pulses for it. */
MHO_API void mho_crossbar_change(mho_crossbar *x, size_t first, int n, const int16_t *count,
                                 uint64_t step, mho_pulse_counts *counts);
/** The same on scattered cells, each at most once. The effective matrix is not refreshed. */
MHO_API void mho_crossbar_change_at(mho_crossbar *x, int n, const uint32_t *cell,
                                    const int16_t *count, uint64_t step, mho_pulse_counts *counts);
/** Weights of at most MHO_DEVICE_BLOCK cells were brought by dw (0: not written) with pulses and
 *  reads: the devices that took part get the error of a verified write around what was accepted.
 *  `step` numbers the programming step. */
MHO_API void mho_crossbar_verified(mho_crossbar *x, size_t first, int n, const mho_real *dw,
                                   uint64_t step);
/** What wanted changes of weights ask of the mapping's banks of devices, dg[k] of bank k,
 *  normalized, [n] (at most MHO_DEVICE_BLOCK). */
MHO_API void mho_crossbar_shares(const mho_crossbar *x, int n, const mho_real *dw,
                                 float *const *dg);
/** Change of a weight by one pulse up on every device that takes part, for devices of mean step
 *  `step` (of the range), over the turns of devices that take turns; 0 for the ideal device. */
MHO_API double mho_crossbar_step(const mho_crossbar *x, double step);
/** Devices of a cell that get a pulse at once: one, or all of them (device.cells.write). */
MHO_API int mho_crossbar_at_once(const mho_crossbar *x);
/** How many devices of a weight take part in a pulse that raises it; 0 for the ideal device. */
MHO_API int mho_crossbar_pulsed(const mho_crossbar *x);
/** How many of the weights w, [n], the bounds of cells first .. first+n-1 cannot hold: what
 *  mho_crossbar_set clips by more than rounding. Faulty cells play no part. */
MHO_API size_t mho_crossbar_beyond(const mho_crossbar *x, size_t first, size_t n,
                                   const mho_real *w);
/** Another w_max (of mho_crossbar_options: the mapping's span is taken care of). Conductances
 *  stay, so all weights scale with it; whoever brings weights calls it before they are written. */
MHO_API void mho_crossbar_range(mho_crossbar *x, double w_max);
/** The w_max that it has, as given in mho_crossbar_options. */
MHO_API double mho_crossbar_w_max(const mho_crossbar *x);
/** Largest |weight| that can be written exactly, over w_max: 1, or less where devices start off mid
 *  range (2 min(start, 1 - start) of a differential pair, the same of the mean reference). */
MHO_API double mho_crossbar_reach(const mho_crossbar *x);
/** The care that cells first .. first+n-1 need after update number `update`, where their mapping
 *  has any: pairs that are only SET are written anew. Counts pulses and reads. */
MHO_API void mho_crossbar_tend(mho_crossbar *x, size_t first, size_t n, uint64_t update,
                               mho_pulse_counts *counts);
/** Of cells of several devices that carry (device.cells.write), the values of those near a bound
 *  move up to the next more significant ones, by verified writes: src/array/carry.c. `step` numbers
 *  the programming step, as of mho__step_refresh. Counts pulses and reads. */
MHO_API void mho_crossbar_carry(mho_crossbar *x, size_t first, size_t n, uint64_t step,
                                mho_pulse_counts *counts);
/** Whether cells carry. */
MHO_API bool mho_crossbar_carries(const mho_crossbar *x);
/** Read the banks of another crossbar of as many rows and columns beside those of x from now on,
 *
 *    W = W of x + gamma row_i col_j W_ij of the other
 *
 *  through wires, drift, noise and circuits. Nothing is written to them through x, and whoever
 *  writes them, or turns a sign, refreshes x. Both crossbars have cells.
 *  @param row, col  [rows], [cols] signs that outlive x; NULL: 1. Where there are some the other
 *                   has as many devices on both sides of a weight, which change places.
 *  @return MHO_OK; MHO_ENOMEM; MHO_ECONFIG where there are more than MHO_BANKS_MAX banks. */
MHO_API mho_err mho_crossbar_borrow(mho_crossbar *x, const mho_crossbar *other, double gamma,
                                    const int8_t *row, const int8_t *col, mho_errinfo *ei);
/** Recompute the effective weights of cells first .. first+n-1 from the conductances. */
MHO_API void mho_crossbar_refresh(mho_crossbar *x, size_t first, size_t n);
/** Let time pass: reads are those of the cells a time after programming (s, by their law of drift),
 *  until the next call. Programming goes on from the programmed conductances. @return MHO_OK;
 *  MHO_ENOMEM. */
MHO_API mho_err mho_crossbar_age(mho_crossbar *x, double after, mho_errinfo *ei);
/** Charge leaks from cells first .. first+n-1 for one update (device.leak). */
MHO_API void mho_crossbar_leak(mho_crossbar *x, size_t first, size_t n);
/** Whether there are cells; the ideal device keeps the weights themselves. */
static inline bool mho_crossbar_has_cells(const mho_crossbar *x) {
  return x->bank[0] != NULL;
}
/** Whether bank k has cells that weights are written to. */
static inline bool mho_crossbar_writes(const mho_crossbar *x, int k) {
  return x->bank[k] && x->role[k].kind == MHO_BANK_DEVICES;
}
/** Normalized conductances of bank k as reads find them, [rows x cols]. */
static inline const float *mho_crossbar_shown(const mho_crossbar *x, int k) {
  return x->drifted[k] ? x->drifted[k] : x->bank[k]->g;
}
/** Cells of each of its banks, or weights: rows x cols. */
static inline size_t mho_crossbar_cells(const mho_crossbar *x) {
  return (size_t)x->rows * (size_t)x->cols;
}
/** Begin to lay the effective matrix or its transpose out in panels, which makes reads of many
 *  samples faster until it changes: all slabs must be filled (mho_crossbar_pack_slab, by any
 *  threads), and mho_crossbar_packed ends it.
 *  @return whether there is anything to do: an exact array, a wide matrix without wires, not packed
 *          yet. */
MHO_API bool mho_crossbar_pack(const mho_crossbar *x, bool transposed);
/** Fill slab `slab` of `slabs` of the panels that mho_crossbar_pack began; slabs may be filled
 *  side by side. */
MHO_API void mho_crossbar_pack_slab(const mho_crossbar *x, bool transposed, int slab, int slabs);
/** All slices are filled: reads multiply with the panels from now on. */
MHO_API void mho_crossbar_packed(const mho_crossbar *x);
/** Forget panels: a change of weights does, and whoever wants reads not to depend on what was
 *  packed before. */
MHO_API void mho_crossbar_unpack(const mho_crossbar *x);
/** The panels; NULL when there are none of the matrix as it is. */
MHO_API const mho_real *mho_crossbar_panel(const mho_crossbar *x, bool transposed);
/** Begin to find full scales from the reads that follow, or end it. Nothing, where none are set
 *  from data. */
MHO_API void mho_crossbar_record(mho_crossbar *x, bool on);
/** What a cell conducts in a crossbar of conductances (mho_crossbar_options.positive_rows) beside
 *  its weight: w_max g_min/(g_max - g_min), 0 of the ideal device, of which weights are all. */
MHO_API double mho_crossbar_floor(const mho_crossbar *x);
/** What the lines of a crossbar of conductances load the nodes at their ends with: sums of the
 *  effective matrix, floor and all, over its rows of conductances, [cols], or, transposed, sums of
 *  each of these rows, [positive_rows]. Summed where they are asked for first after a change, by
 *  any thread, in the same order. */
MHO_API const mho_real *mho_crossbar_line_sums(const mho_crossbar *x, bool transposed);
/** Read a few samples (on the calling thread). */
MHO_API void mho_crossbar_read(const mho_crossbar *x, const mho_read *r);
/** What one row shows while its line alone is driven, by an activity of 1; converters have the
 *  largest weight as their full scale, behind amplifiers with a gain of a power of 2.
 *  @param weights  [cols] of the row, in place of those of the effective matrix.
 *  @param y        [cols].
 *  @param scratch  [mho_crossbar_scratch of one sample]. */
MHO_API void mho_crossbar_read_row(const mho_crossbar *x, int row, const mho_real *weights,
                                   mho_clock clock, mho_real *y, mho_real *scratch);
/** What the banks of a crossbar with cells conduct, added: w_max sum_k |gain_k| g_k in normalized
 *  conductances, which is |W| where one device of every pair is at g_min. No wires.
 *  @param out  [rows x cols]. */
MHO_API void mho_crossbar_added(const mho_crossbar *x, mho_real *out);
/** mho_crossbar_read whose converters have the largest sum of each sample as their full scale: of
 *  sums that are compared with each other and with nothing else.
 *  @param matrix  [rows x cols] what is read in place of the effective matrix; NULL: that.
 *  @param room    [rows + cols]. */
MHO_API void mho_crossbar_read_ranged(const mho_crossbar *x, const mho_real *matrix,
                                      const mho_read *r, mho_real *room);
/** A perturbation for a crossbar, the same for all samples and of size 0. Room for its numbers is
 *  the caller's to give, before they are drawn. */
MHO_API mho_perturbation mho_crossbar_perturbation(const mho_crossbar *x, int shape);
/** Draw it anew, as number `trial` (below 1024) of an update. */
MHO_API void mho_perturbation_draw(mho_perturbation *p, uint64_t update, int trial);
/** Of full rank: the numbers, without the size, of cells first .. first+n-1 in a sample's matrix,
 *  [n]. */
MHO_API void mho_perturbation_cells(const mho_perturbation *p, int sample, size_t first, size_t n,
                                    mho_real *out);
/** What it adds to one weight of a sample, size and all. */
MHO_API double mho_perturbation_weight(const mho_perturbation *p, int sample, int row, int col);
/** Add a perturbation to all reads from now on: W + size a b^T, or W + size xi; in both directions.
 *  No device notices. It must not change while anything is read.
 *  @param p  outlives its use; NULL: reads are unperturbed again. */
MHO_API void mho_crossbar_perturb(mho_crossbar *x, const mho_perturbation *p);
/** u += v op(P), P the perturbation of a crossbar that has one, for the samples of a read: for
 *  those who multiply with mho_crossbar_matrix themselves. Of r counts which way and which samples.
 *  @param v  [samples x inputs].
 *  @param u  [samples x outputs]. */
MHO_API void mho_crossbar_add_perturbation(const mho_crossbar *x, const mho_read *r,
                                           const mho_real *v, mho_real *u);
/** The device's config where reads show its I-V law and that is no straight line; else NULL. */
MHO_API const mho_device_config *mho_crossbar_law(const mho_crossbar *x);
/** Read without noise, converters and amplifiers from here on, as a circuit of the crossbar does,
 * but with the law of mho_crossbar_law where there is one.
 *  @param params  MHO_CHOICE_MAX bytes that outlive the crossbar: parameters of the array model
 *                 that it has then.
 *  @return MHO_OK; errors of the model's attach. */
MHO_API mho_err mho_crossbar_read_ideally(mho_crossbar *x, const mho_array_config *config,
                                          void *params, mho_errinfo *ei);
/** Whether reads are random, ... */
MHO_API bool mho_crossbar_noisy(const mho_crossbar *x);
/** ... or differ from the product in any way. */
MHO_API bool mho_crossbar_lossy(const mho_crossbar *x);
/** Sums that are converted apart for one output of a read and added as numbers: tiles with
 *  converters of their own; else 1. */
MHO_API int mho_crossbar_conversions(const mho_crossbar *x, bool transposed);
/** mho_real's of scratch that a read of n samples needs. */
MHO_API size_t mho_crossbar_scratch(const mho_crossbar *x, int n);
/** Conductances of the banks in siemens as reads find them (see mho_crossbar_age), [n_banks] of
 *  [rows x cols]; for the ideal device those of a pair with mid-range rest state and w_max, or the
 *  largest |weight|, at their ends (g_min, g_max of `config`). */
MHO_API void mho_crossbar_siemens(const mho_crossbar *x, const mho_device_config *config,
                                  double *const *g, double *g_unit);

/* ---------------------------------------------------------------- wires */

/** Crossbars whose lines have resistance, cut into tiles. */
typedef struct mho_wired mho_wired;

/** Give crossbars wires; call mho_wired_refresh before they are read. All that is pointed to must
 *  outlive it.
 *  @param x       [n].
 *  @param device  g_min and g_max, also of the pairs on which weights of the ideal device are laid.
 *  @param pool    nullable. */
MHO_API mho_err mho_wired_new(int n, mho_crossbar *const *x, const mho_array_config *config,
                              const mho_device_config *device, mho_pool *pool, mho_wired **out,
                              mho_errinfo *ei);
/** Frees the wires; NULL is allowed. */
MHO_API void mho_wired_free(mho_wired *w);
/** The effective matrices anew from the conductances as they are now. Programming does not call it:
 *  that is for whoever programs, once after all of it.
 *  @param update  number of the update: the solution is exact when array.wire.refresh divides it
 *                 ...
 *  @param full    ... or when this is set. */
MHO_API void mho_wired_refresh(mho_wired *w, int64_t update, bool full);
/** What every line loads its driver with through the wires when all other lines are at 0 V, S,
 *  summed over tiles and banks: the power of lines whose voltages are not
 *  correlated is the sum of V^2 times it. A line's way through its own devices and their other
 *  lines is followed, ways that go around through a third line are not.
 *  @param rows  [n] of [rows]: word lines, driven at their left ends.
 *  @param cols  [n] of [cols]: bit lines, driven at the bottom.
 *  @return MHO_OK; MHO_ENOMEM. */
MHO_API mho_err mho_wired_loads(const mho_wired *w, double *const *rows, double *const *cols,
                                mho_errinfo *ei);

/* ---------------------------------------------------------------- writing through lines */

/** Crossbars whose pulses arrive through their lines. */
typedef struct mho_disturb mho_disturb;

/** Have the pulses of crossbars weakened by wires and felt by the other cells of their tiles, as
 *  array.write.select and device say (disturb.c has the circuit and its source). Until it is freed
 *  the cells' `amplitude` and `pulsed` and the crossbars' `lines` are its. Call mho_disturb_refresh
 *  before anything is pulsed.
 *  @param x       [n], of devices that answer pulses.
 *  @param params  of the device model.
 *  @param pool    nullable. */
MHO_API mho_err mho_disturb_new(int n, mho_crossbar *const *x, const mho_array_config *config,
                                const mho_device_model *model, const void *params,
                                const mho_device_config *device, mho_pool *pool, mho_disturb **out,
                                mho_errinfo *ei);
/** Frees it and takes it out of its crossbars; NULL is allowed. */
MHO_API void mho_disturb_free(mho_disturb *d);
/** The voltages of writing anew, from the conductances as they are now. */
MHO_API void mho_disturb_refresh(mho_disturb *d);
/** What the pulses since the last call have done to the other cells of their tiles; weights are
 *  fresh then. */
MHO_API void mho_disturb_apply(mho_disturb *d);

enum { MHO_G_BINS = 20 };
/** What is stored of a crossbar after an epoch. */
typedef struct mho_crossbar_stats {
  double w_mean, w_std, w_absmax;
  /** S, of the devices that are written, no reference; NaN without devices. */
  double g_mean, g_std;
  /** Cells in equal parts of the range, those outside in the outermost; 0 without devices. */
  int64_t g_hist[MHO_G_BINS];
  /** Fraction of cells within 1 % of a bound; faulty; NaN without devices. */
  double saturated, stuck;
} mho_crossbar_stats;
/** Statistics of the programmed weights and of the conductances behind them. */
MHO_API mho_crossbar_stats mho_crossbar_statistics(const mho_crossbar *x);

#endif
