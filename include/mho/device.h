/* device.h - devices by themselves: what pulses do to them, and models fitted to measurements.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_H
#define MHO_DEVICE_H

#include "mho/base.h"

typedef struct mho_experiment mho_experiment;
typedef struct mho_registry mho_registry;

/** Whether a name means a card rather than a model, by its "card:" or "model:", which it loses, or
 *  else by what there is: a card before a model.
 *  @param name  in and out. */
MHO_API bool mho_device_is_card(const mho_registry *r, const char **name);
/** The experiment of a device, every other key at its default, with n_set assignments (as of
 *  mho_config_set) on top.
 *  @param name  of a model or a card (a name, or a file), see mho_device_is_card.
 *  @return MHO_OK; MHO_ENOTFOUND; MHO_ECONFIG. */
MHO_API mho_err mho_experiment_of_device(const mho_registry *r, const char *name, int n_set,
                                         const char *const *set, mho_experiment **out,
                                         mho_errinfo *ei);

/* ---------------------------------------------------------------- curves */

/** Cells, cycles and pulses of a curve. */
typedef struct mho_curve_options {
  int cells, set, reset, cycles; /**< pulses a cycle in each direction */
  uint64_t seed;
  bool from_start;        /**< begin at device.start instead of the low bounds */
  const mho_context *ctx; /**< nullable: whose stop ends the curve, with MHO_EINTERRUPTED */
} mho_curve_options;
/** Conductances of all cells after one pulse, S. */
typedef struct mho_curve_point {
  int cycle, direction, pulse; /**< 1-based; pulse 0 and direction +1: before the first */
  double mean, deviation, q05, q25, q50, q75, q95; /**< over the cells, S */
} mho_curve_point;
/** Response of a population of an experiment's devices to cycles of SET and RESET pulses.
 *  @param o       set 0: about from end to end; reset -1: as many, or one of a device that moves
 *                 one way only.
 *  @param points  [n]; free with mho_free.
 *  @return MHO_OK; MHO_EINVAL; MHO_ENOMEM; MHO_EINTERRUPTED. */
MHO_API mho_err mho_experiment_curve(const mho_experiment *e, const mho_curve_options *o,
                                     mho_curve_point **points, int *n, mho_errinfo *ei);

/** What two spikes, one of each line at a device, do to it. */
typedef struct mho_overlap_point {
  double difference;    /**< s from the spike of the row to that of the column */
  double before, after; /**< conductance, S */
} mho_overlap_point;
/** The change of an experiment's device, from device.start on and without spread, noise and faults,
 *  by the waveforms of a YAML file: `row`, `column` (src/device/waveform.h has their language), and
 *  where they are to begin and end other than where the waveforms meet, `from`, `to` and the number
 *  of `points` in between.
 *  @param points  [n]; free with mho_free.
 *  @return MHO_OK; MHO_EIO; MHO_ECONFIG with file and line; MHO_EINVAL of a device that knows no
 *          pulses; MHO_ENOMEM; MHO_EUNSUPPORTED where the voltage turns too often. */
MHO_API mho_err mho_experiment_overlaps(const mho_experiment *e, const char *path,
                                        mho_overlap_point **points, int *n, mho_errinfo *ei);

/* ---------------------------------------------------------------- fits */

/** A table of measurements, and what is fitted to it: `mho device fit --help` says what the table's
 *  columns are. Set the members by name: the rest is zero, and a default. */
typedef struct mho_fit_table {
  const char *model; /**< NULL: all that can be, compared by Schwarz's criterion */
  bool iv;           /**< the table has I-V sweeps, for models that know voltages */
  /** Of the readings ("uS", "kohm", "nA"); NULL: S, ohm or A, as the column's name says. */
  const char *unit;
  double read_voltage;   /**< V at which currents were read; 0: in a column, or no currents */
  const char *g;         /**< columns with readings, one a device; nullable */
  const char *up, *down; /**< columns with the readings of SET, of RESET pulses; nullable */
  const char *fixed;     /**< names of parameters that keep their values; nullable */
  int n_set;
  const char *const *set; /**< [n_set] keys of the device as of --set */
} mho_fit_table;
/** Models that were fitted to a table, and which is the best (mho/model/device.h). */
typedef struct mho_fitted mho_fitted;
/** Fit device models to measured pulses or sweeps: mho_device_fit.
 *  @param ctx  nullable: whose stop ends it.
 *  @return MHO_OK; MHO_EINVAL; MHO_ECONFIG; MHO_EDATA for a table that cannot be read, or that no
 *          model fits; MHO_EIO; MHO_ENOMEM; MHO_EINTERRUPTED. */
MHO_API mho_err mho_fit_file(const mho_context *ctx, const mho_registry *r, const char *path,
                             const mho_fit_table *o, mho_fitted **out, mho_errinfo *ei);
/** Frees fits; NULL is allowed. */
MHO_API void mho_fitted_free(mho_fitted *f);
/** The best fit as JSON: parameters with their errors and 95 % confidence intervals, noises,
 *  spread, and where several were compared all of them; quantities in SI units.
 *  @param digits  of its real numbers, at most 17.
 *  @return free it with mho_free; NULL: no memory. */
MHO_API char *mho_fitted_json(const mho_fitted *f, int digits);
/** The best fit as a device card, YAML. source: what it was fitted to. Free with mho_free. */
MHO_API char *mho_fitted_card(const mho_fitted *f, const char *source);

#endif
