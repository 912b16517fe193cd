/* accumulate.c - a digital accumulator for every weight, which gives pulses when it passes the
 * threshold (mixed precision).
 *
 *   chi += dW,  n = trunc(chi/theta),  n pulses up or down,  chi -= n theta
 *
 * theta is `threshold` times the mean change of a weight by one nominal pulse.
 *
 * Source: S. R. Nandakumar et al., Frontiers in Neuroscience 14:406 (2020).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "mho/model/program.h"

typedef struct accumulate {
  double threshold;
  int64_t max_pulses;
} accumulate;

static const mho_param table[] = {
    MHO_P_REAL(accumulate, threshold, "threshold", "", 1, 1e-3, 1e6,
               "of a pulse, in nominal steps of a weight"),
    MHO_P_INT(accumulate, max_pulses, "max_pulses", 100, 1, 4095,
              "most pulses a device gets in one update"),
};

static void apply(const mho_program_job *job, mho_pulse_counts *counts) {
  const accumulate *p = job->params;
  mho_real theta = (mho_real)(p->threshold * job->nominal_step), most = (mho_real)p->max_pulses;
  for (size_t i0 = 0; i0 < job->n; i0 += MHO_DEVICE_BLOCK) {
    int n = (int)mho_min_size(job->n - i0, MHO_DEVICE_BLOCK);
    int16_t count[MHO_DEVICE_BLOCK];
    bool any = false;

    for (int i = 0; i < n; i++) {
      mho_real *chi = &job->state[i0 + (size_t)i];
      *chi += job->dw[i0 + (size_t)i];

      mho_real k = *chi / theta;
      if (k > most || k < -most) {
        counts->clipped++; /* what is left stays in the accumulator */
        k = k > 0 ? most : -most;
      }
      count[i] = (int16_t)k;
      *chi -= (mho_real)count[i] * theta;
      any |= count[i] != 0;
    }

    if (any)
      mho_crossbar_change(job->xb, job->first + i0, n, count, job->update, counts);
  }
}

const mho_scheme mho_scheme_accumulate = {
    .entry = {.abi = MHO_ABI,
              .id = "accumulate",
              .title = "digital accumulators that pulse at a threshold",
              .equation = "chi += dW; n = trunc(chi/theta) pulses; chi -= n theta",
              .source = "Nandakumar et al., Front. Neurosci. 14:406 (2020)",
              .params = MHO_PARAMS(accumulate, table)},
    .needs_pulses = true,
    .has_state = true,
    .apply = apply,
};
