/* pulses.c - every update turned into a number of identical pulses at once.
 *
 *   n = round(dG / dG_mean(G)), stochastically, so that small changes are not lost: E[n] = dG/dG_mean
 *
 * Each device is asked for its share of the change, half of it in a pair, with its own mean step at its present state.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "base/streams.h"
#include "mho/program.h"

typedef struct pulses {
  int64_t max_pulses;
} pulses;

static const mho_param table[] = {
    MHO_P_INT(pulses, max_pulses, "max_pulses", 100, 1, 4095,
              "most pulses a device gets in one update"),
};

/* Pulse counts of a bank, 0 for G+, 1 for G-, for n cells. */
static void count_pulses(const mho_program_job *job, int bank, size_t i0, int n, int16_t *count,
                         mho_pulse_counts *counts) {
  const mho_cells *c = bank ? job->xb->neg : job->xb->pos;
  float want[MHO_DEVICE_BLOCK], dir[MHO_DEVICE_BLOCK] = {0}, mean[MHO_DEVICE_BLOCK],
                                u[MHO_DEVICE_BLOCK];
  float most = (float)((const pulses *)job->params)->max_pulses;
  mho_crossbar_shares(job->xb, bank, n, job->dw + i0, want);
  for (int i = 0; i < n; i++)
    dir[i] = want[i] >= 0 ? 1.0f : -1.0f;
  mho_cells_mean_step(c, job->first + i0, n, dir, mean);
  mho_rng rng = mho_stream_round_of(job->rounding, bank);
  mho_rng_uniform(rng, job->update, job->first + i0, (size_t)n, u);
  for (int i = 0; i < n; i++) {
    float pulses_wanted = want[i] / mean[i];
    count[i] = 0;
    if (want[i] == 0)
      continue;
    if (!(mean[i] * dir[i] > 0) || pulses_wanted > most) { /* at the bound the mean step is 0 */
      counts->clipped++;
      pulses_wanted = mean[i] * dir[i] > 0 ? most : 0;
    }
    count[i] = (int16_t)(dir[i] * floorf(pulses_wanted + (pulses_wanted < most ? u[i] : 0)));
  }
}

static void apply(const mho_program_job *job, mho_pulse_counts *counts) {
  for (size_t i0 = 0; i0 < job->n; i0 += MHO_DEVICE_BLOCK) {
    int n = job->n - i0 < MHO_DEVICE_BLOCK ? (int)(job->n - i0) : MHO_DEVICE_BLOCK;
    int16_t pos[MHO_DEVICE_BLOCK], neg[MHO_DEVICE_BLOCK];
    count_pulses(job, 0, i0, n, pos, counts);
    count_pulses(job, 1, i0, n, neg, counts);
    mho_crossbar_pulse(job->xb, job->first + i0, n, pos, neg, job->update, counts);
  }
}

const mho_scheme mho_scheme_pulses = {
    .entry = {.abi = MHO_ABI,
              .id = "pulses",
              .title = "a number of identical pulses for every update",
              .equation = "n = round(dG/dG_mean(G)), stochastic",
              .params = MHO_PARAMS(pulses, table)},
    .needs_pulses = true,
    .apply = apply,
};
