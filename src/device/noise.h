/* noise.h - cycle-to-cycle noise as the models share it.
 *
 *   multiplicative  dg = step(g) (1 + sigma xi)
 *   additive        dg = step(g) + s sigma xi,  s the cell's nominal step
 *
 * One form serves both: dg = step (1 + m xi) + a xi with (m, a) = (sigma, 0) or (0, s sigma).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_NOISE_H
#define MHO_DEVICE_NOISE_H

#include <string.h>

#include "device/in_series.h"
#include "mho/model/check.h"

enum { MHO_NOISE_MULTIPLICATIVE, MHO_NOISE_ADDITIVE };

/* The parameters of a step model begin with its noise. */
typedef struct mho_cycle_noise {
  double sigma;
  int kind;
} mho_cycle_noise;

/* The keys of `noise`, the first member of the parameters T; of models that know the multiplicative
 * kind only. */
#define MHO_P_STEP_NOISE(T)                                                                        \
  MHO_P_REAL(T, noise.sigma, "cycle_to_cycle", "", 0, 0, 100,                                      \
             "noise of a pulse, relative to the step")
/* The same of models that know both kinds. */
#define MHO_P_CYCLE_NOISE(T)                                                                       \
  MHO_P_STEP_NOISE(T),                                                                             \
      MHO_P_CHOICE(T, noise.kind, "noise", "multiplicative|additive", 0,                           \
                   "noise scales with the step at the state, or with the nominal step",            \
                   .idle = mho__noise_is_idle)

/* Why the kind of noise has no effect, see mho_idle, of a model whose parameters begin with its
 * noise. */
static inline const char *mho__noise_is_idle(const mho_experiment *e) {
  const char *why = mho_idle_without_pulses(e);
  const mho_cycle_noise *noise = (const mho_cycle_noise *)(const void *)e->device.params;
  if (why || noise->sigma > 0)
    return why;
  return "pulses have no noise (device.cycle_to_cycle)";
}

/* mho_device_model.noisy of a model whose parameters begin with its noise. */
static inline bool mho__noise_is_on(const void *params) {
  const mho_cycle_noise *noise = params;
  return noise->sigma > 0;
}

/* Three columns of cell i: additive noise for SET and for RESET of these nominal steps, and the
 * multiplicative one. */
static inline void mho__noise_columns(const mho_cycle_noise *noise, float s_up, float s_down, int i,
                                      float *const *col) {
  float sigma = (float)noise->sigma;
  bool additive = noise->kind == MHO_NOISE_ADDITIVE;
  col[0][i] = additive ? sigma * s_up : 0;
  col[1][i] = additive ? sigma * s_down : 0;
  col[2][i] = additive ? 0 : sigma;
}

/* Signed change of the pulse's cell i, from the mean steps and the three columns from `first`
 * on. */
static inline float mho__noisy_step(const mho_device_block *b, const mho_one_pulse *p, int i,
                                    float up, float down, int first) {
  int at = p->first + i;
  float a_up = b->col[first][at], a_down = b->col[first + 1][at], dir = p->dir[i];
  float step = dir > 0 ? up : down;
  float a = dir > 0 ? a_up : a_down;
  return dir * (step + (step * b->col[first + 2][at] + a) * p->xi[i]);
}

/* The noise of an expansion, from the three columns from `first` on. */
static inline void mho__expand_noise(const mho_device_block *b, int first,
                                     mho_device_expansion *out) {
  out->add_up = b->col[first];
  out->add_down = b->col[first + 1];
  out->factor = b->col[first + 2];
}

/* Distance of the bounds of cell i; next to nothing, but not 0, of a cell whose bounds coincide. */
static inline float mho__cell_range(const mho_device_block *b, int i) {
  return mho__most(b->high[i] - b->low[i], 1e-6f);
}

#endif
