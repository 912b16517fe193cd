/* cells.h - what the files of this folder share about a bank of cells.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_CELLS_H
#define MHO_DEVICE_CELLS_H

#include <math.h>

#include "base/streams.h"
#include "mho/model/device.h"

enum { LAW_NORMAL, LAW_LOGNORMAL, LAW_UNIFORM };
enum { STEP_LAW_SAME }; /* and, from 1 on, those */

/* Parameters of a model that vary from cell to cell (variation.of). */
enum { MHO_SPREAD_MAX = MHO_DRAW_STUCK - MHO_DRAW_PARAMETER };
typedef struct mho_spread {
  int n;
  const mho_param *param[MHO_SPREAD_MAX];
  double sigma[MHO_SPREAD_MAX]; /* relative */
} mho_spread;

/* variation.of as parameters of the model; MHO_ECONFIG for what is none of them. */
mho_err mho__spread_parse(const mho_device_model *model, const mho_device_config *d,
                          mho_spread *out, mho_errinfo *ei);
/* MHO_ECONFIG for a law that would give energy within +-v_max. */
mho_err mho__iv_check(const mho_device_config *d, mho_errinfo *ei);

/* Normalized conductance of 0 S. */
static inline float zero_siemens(double g_min, double g_max) {
  return (float)(-g_min / (g_max - g_min));
}

/* Cells in the block that begins at `first` of n cells. */
static inline int block_cells(size_t n, size_t first) {
  return (int)mho_min_size(n - first, MHO_DEVICE_BLOCK);
}

/* Where a cell's bounds lie: of its own, or of a block that serves all. */
static inline size_t bounds_at(const mho_cells *c, size_t cell) {
  return c->varied ? cell : 0;
}

static inline bool is_faulty(const mho_cells *c, size_t cell) {
  return c->fault && c->fault[cell];
}

/* v between bounds that do not cross; NaN is the lower one. */
static inline float within(float v, float low, float high) {
  float raised = v > low ? v : low;
  return raised < high ? raised : high;
}

/* The nearest of steps + 1 levels from bound to bound. */
static inline float mho__nearest_level(float steps, float low, float high, float v) {
  float range = high - low;
  return range > 0 ? low + range * roundf((v - low) / range * steps) / steps : v;
}

/* The state nearest to v that a cell can have: itself, or one of its levels; k as bounds_at. */
static inline float mho__cells_level(const mho_cells *c, size_t k, float v) {
  if (c->config.levels < 2)
    return v;
  return mho__nearest_level((float)(c->config.levels - 1), c->low[k], c->high[k], v);
}

/** Cells 0, every, 2 every, ... of a new bank, `n` of them, are not there: they are open.
 *  @return MHO_OK; MHO_ENOMEM. */
mho_err mho__cells_take_out(mho_cells *c, size_t n, size_t every, mho_errinfo *ei);

#endif
