/* in_series.h - pulses one after another on the same cells, by what a model answers to one of them.
 *
 * The next vector of cells does not wait for the states that the pulse before leaves, and no pulse
 * for a call.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_IN_SERIES_H
#define MHO_DEVICE_IN_SERIES_H

#include <string.h>

#include "device/lanes.h"

/* One pulse on n cells of a block from `first` on, and what differs from pulse to pulse: as in the
 * block, [n] each. */
typedef struct mho_one_pulse {
  int first, n;
  const float *g, *dir, *xi;
  float *out;
  const float *known; /* what the model has found of the cells for all pulses; NULL: nothing */
} mho_one_pulse;

/* The pulse of a block that its caller describes. */
static inline mho_one_pulse mho__pulse_of(const mho_device_block *b) {
  return (mho_one_pulse){.n = b->n, .g = b->g, .dir = b->dir, .xi = b->xi, .out = b->out};
}

/* mho_device_model.series of a model that answers one pulse by `answer`, which gets `known` (of the
 * cells of the block, up to a multiple of 16; nullable). Every pulse looks at as many cells as the
 * first, so that the processor can foresee where loops end. */
static inline __attribute__((always_inline)) void
mho__in_series(const mho_device_block *b, const mho_device_series *s, const float *known,
               void (*answer)(const mho_device_block *b, mho_one_pulse p)) {
  int n = s->left[0];
  for (int k = 0; k < s->n; k++) {
    for (int first = 0; first < n; first += MHO_LANES) {
      _Alignas(64) float dir[MHO_LANES], out[MHO_LANES];
      const float *low = b->low + first, *high = b->high + first;
      const uint32_t *up = s->up + first;
      float *g = s->g + first;
      int left = s->left[k] - first;

#pragma omp simd
      for (int i = 0; i < MHO_LANES; i++)
        dir[i] = up[i] >> k & 1 ? 1.0f : -1.0f;
      answer(b, (mho_one_pulse){.first = first,
                                .n = MHO_LANES,
                                .g = g,
                                .dir = dir,
                                .xi = s->xi[k] + first,
                                .out = out,
                                .known = known ? known + first : NULL});
#pragma omp simd
      for (int i = 0; i < MHO_LANES; i++) {
        float v = g[i] + out[i];
        v = v > low[i] ? v : low[i];
        v = v < high[i] ? v : high[i];
        g[i] = i < left ? v : g[i];
      }
    }
  }
}

#endif
