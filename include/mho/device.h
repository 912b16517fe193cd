/* device.h - memristive devices: how a conductance answers pulses.
 *
 * Inside mho a cell's conductance is carried normalized, g = (G - g_min) / (g_max - g_min), 0..1 on the
 * nominal range; siemens appear where the user sees them. A bank of cells (one device of each pair of a
 * crossbar) shares one model; what varies from cell to cell lies in columns, one float a cell.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_H
#define MHO_DEVICE_H

#include "mho/base.h"

enum { MHO_DEVICE_BLOCK = 256, MHO_DEVICE_COLUMNS = 8 };

/* Cells that get one pulse each, gathered side by side. */
typedef struct mho_device_block {
  int n;                                /* at most MHO_DEVICE_BLOCK */
  const float *g;                       /* [n] before the pulse */
  const float *dir;                     /* [n] +1 SET (potentiation), -1 RESET (depression) */
  const float *xi;                      /* [n] standard normal of this pulse; all 0 gives the mean response */
  const float *low, *high;              /* [n] the cells' bounds, to which the caller clips */
  const float *col[MHO_DEVICE_COLUMNS]; /* [n] each, the columns the model asked for */
  float *out;                           /* [n] after the pulse, not yet clipped to the cell's bounds */
} mho_device_block;

/* Cells whose columns are to be filled: factors on the steps, drawn from the chip seed. */
typedef struct mho_device_draw {
  int n;
  const float *up, *down; /* [n] factor of the cell's SET and RESET step; 1 without spread */
} mho_device_draw;

typedef struct mho_device_model {
  mho_entry entry;
  int n_columns;
  /* Check what the table's ranges cannot; nullable. */
  mho_err (*check)(const void *params, mho_errinfo *ei);
  /* Fill the columns of n cells, col[k][i]. */
  void (*columns)(const void *params, const mho_device_draw *draw, float *const *col);
  /* One pulse on every cell of a block; NULL: takes any change, knows no pulses. */
  void (*pulse)(const mho_device_block *b);
} mho_device_model;

/* What the config says of any device. */
typedef struct mho_device_config {
  double g_min, g_max;              /* S */
  int mapping;                      /* differential */
  double weight_range;              /* w_max of a connection over its largest initial weight */
  double stuck_on, stuck_off, open; /* fractions of cells */
  int law;                          /* of the spread: normal, lognormal, uniform */
  double spread_step, spread_asymmetry, spread_low, spread_high; /* device-to-device standard deviations */
} mho_device_config;
MHO_API extern const mho_params mho_device_params;

typedef enum mho_fault { MHO_FAULT_NONE, MHO_FAULT_ON, MHO_FAULT_OFF, MHO_FAULT_OPEN } mho_fault;

/* A bank of cells. Columns and bounds are per cell when something varies, else one block of equal values. */
typedef struct mho_cells {
  const mho_device_model *model;
  size_t n;
  float *g;          /* [n] */
  uint8_t *fault;    /* [n] of mho_fault; NULL when no cell is faulty */
  bool varied;       /* columns and bounds are [n], else [MHO_DEVICE_BLOCK] */
  float *low, *high; /* the cell's own bounds, normalized */
  float *col[MHO_DEVICE_COLUMNS];
  double g_min, g_max; /* S */
  mho_rng noise;       /* cycle-to-cycle */
} mho_cells;

/* Pulses counted; double, because a run applies more than 2^31. */
typedef struct mho_pulse_counts {
  double set, reset; /* pulses applied */
  double clipped;    /* requests cut by a bound or by max_pulses */
} mho_pulse_counts;

/** Bank of n cells, all at mid range but the faulty ones.
 *  @param params  of the model's own table.
 *  @param chip    stream of device-to-device draws; noise: of cycle-to-cycle noise. One each per bank.
 *  @return MHO_OK; MHO_ECONFIG for an impossible device (g_min not below g_max, fault fractions above 1). */
MHO_API mho_err mho_cells_new(const mho_device_model *model, const void *params,
                              const mho_device_config *config, size_t n, mho_rng chip, mho_rng noise,
                              mho_cells **out, mho_errinfo *ei);
MHO_API void mho_cells_free(mho_cells *c);
/** Check a device's description without making cells. */
MHO_API mho_err mho_device_check(const mho_device_model *model, const void *params,
                                 const mho_device_config *config, mho_errinfo *ei);
/** Pulses on cells first .. first+n-1 (n at most MHO_DEVICE_BLOCK): count[i] of them, SET when positive.
 * Stuck cells ignore theirs, which are still counted: the driver applied them.
 *  @param step  number of the programming step: with the cell and the pulse's rank it names the noise drawn.
 *               At most 4096 pulses a cell and step. */
MHO_API void mho_cells_pulse(mho_cells *c, size_t first, int n, const int16_t *count, uint64_t step,
                             mho_pulse_counts *counts);
/** Mean change of g by one pulse in direction dir (+1, -1) at the present state, clipped at the bounds, [n]
 * (at most MHO_DEVICE_BLOCK cells). */
MHO_API void mho_cells_mean_step(const mho_cells *c, size_t first, int n, const float *dir, float *out);
/** Set g of cells first .. to the wanted values as far as the cell's bounds and faults let it, [n].
 *  @return how many were clipped. */
MHO_API int mho_cells_set(mho_cells *c, size_t first, int n, const float *g);
/** The model's nominal mean step at mid range, mean of SET and RESET, as a fraction of the range. */
MHO_API double mho_device_nominal_step(const mho_device_model *model, const void *params);
/** Conductance of a cell, S; 0 when open. */
MHO_API double mho_cells_siemens(const mho_cells *c, size_t cell);

#endif
