/* pulses.c - every update turned into a number of identical pulses at once.
 *
 *   n = round(dG/dG_mean(G)), rounded at random so that E[n] = dG/dG_mean(G)
 *
 * Small changes are not lost. Each device is asked for its share of the change, half of it in a
 * pair, with its own mean step at its present state.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "base/streams.h"
#include "mho/model/program.h"

typedef struct pulses {
  int64_t max_pulses;
} pulses;

static const mho_param table[] = {
    MHO_P_INT(pulses, max_pulses, "max_pulses", 100, 1, 4095,
              "most pulses a device gets in one update"),
};

/* Pulses for a wanted change `want` whose mean step is `mean` in direction dir, rounded up with
 * probability u. At a bound the mean step is 0: such a cell gets none. */
static int16_t pulses_for(float want, float mean, float dir, float most, float u,
                          mho_pulse_counts *counts) {
  float wanted = want / mean;
  if (!(mean * dir > 0) || wanted > most) {
    counts->clipped++;
    wanted = mean * dir > 0 ? most : 0;
  }
  return (int16_t)(dir * floorf(wanted + (wanted < most ? u : 0)));
}

/* Pulse counts of a bank of the mapping for n cells, of whose conductances changes are wanted. */
static void count_pulses(const mho_program_job *job, int bank, size_t i0, int n, const float *want,
                         int16_t *count, mho_pulse_counts *counts) {
  float dir[MHO_DEVICE_BLOCK] = {0};
  float mean[MHO_DEVICE_BLOCK], u[MHO_DEVICE_BLOCK];
  float most = (float)((const pulses *)job->params)->max_pulses;

  for (int i = 0; i < n; i++)
    dir[i] = want[i] >= 0 ? 1.0f : -1.0f;
  mho_crossbar_mean_step(job->xb, bank, job->first + i0, n, dir, mean);

  mho_rng rng = mho__stream_round_of(job->rounding, bank);
  mho_rng_uniform(rng, job->update, job->first + i0, (size_t)n, u);

  for (int i = 0; i < n; i++)
    count[i] = want[i] == 0 ? 0 : pulses_for(want[i], mean[i], dir[i], most, u[i], counts);
}

static void apply(const mho_program_job *job, mho_pulse_counts *counts) {
  for (size_t i0 = 0; i0 < job->n; i0 += MHO_DEVICE_BLOCK) {
    int n = (int)mho_min_size(job->n - i0, MHO_DEVICE_BLOCK);
    float share[MHO_BANKS_MAX][MHO_DEVICE_BLOCK], *want[MHO_BANKS_MAX];
    int16_t number[MHO_BANKS_MAX][MHO_DEVICE_BLOCK], *count[MHO_BANKS_MAX];
    for (int k = 0; k < MHO_BANKS_MAX; k++) {
      want[k] = share[k];
      count[k] = number[k];
    }

    mho_crossbar_shares(job->xb, n, job->dw + i0, want);
    for (int k = 0; k < job->xb->mapping->n_banks; k++)
      if (job->xb->mapping->bank[k].kind == MHO_BANK_DEVICES)
        count_pulses(job, k, i0, n, want[k], count[k], counts);
    mho_crossbar_pulse(job->xb, job->first + i0, n, count, job->update, counts);
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
