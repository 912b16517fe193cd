/* stochastic.c - coincidences of pulse trains: every sample's outer product, applied in the array
 * itself.
 *
 * Trains and their coincidences are those of trains.h. E[dW] = lr x d until a probability saturates
 * (k above max_length), which is counted. With a constant step, Var[dW] = eps^2 BL p q (1 - p q +
 * sigma^2), sigma the noise of a pulse.
 *
 * Source: T. Gokmen, Y. Vlasov, Frontiers in Neuroscience 10:333 (2016); update management: T.
 * Gokmen, M. Onen, W. Haensch, Frontiers in Neuroscience 11:538 (2017).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/check.h"
#include "program/trains.h"

typedef struct stochastic {
  mho_train_manner trains;
} stochastic;

static const mho_param table[] = {MHO_P_TRAINS(stochastic, trains)};

static void draw(const mho_outer_job *job, int sample) {
  const stochastic *p = job->params;
  mho__trains_draw(job, &p->trains, job->rate, job->nominal_step, sample);
}

static void replay(const mho_outer_job *job, int row0, int rows, mho_pulse_counts *counts) {
  for (int s = 0; s < job->samples; s++)
    mho__trains_replay(job, job->xb, s, row0, rows, counts);

  counts->coincided += counts->set + counts->reset;
  mho__trains_refresh(job, job->xb, row0, rows);
}

/* Samples go straight to the array, so that no optimizer stands between. */
static const mho_default defaults[] = {{"update.optimizer", "sgd"}, {"update.rate", "0.1"}};

static mho_err check(const mho_experiment *e, mho_errinfo *ei) {
  if (((const mho_optimizer *)e->optimizer.entry)->n_states == 0)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "update.optimizer: scheme '%s' applies every sample by itself: use sgd",
                  e->scheme.entry->id);
}

const mho_scheme mho_scheme_stochastic = {
    .entry = {.abi = MHO_ABI,
              .id = "stochastic",
              .title = "coincidences of pulse trains, every sample's outer product in the array",
              .equation = "P(pulse) = min(A |x_i|, 1) min(B |d_j|, 1) a slot, E[dW] = rate x d",
              .source = "Gokmen & Vlasov, Front. Neurosci. 10:333 (2016); "
                        "Gokmen, Onen & Haensch, Front. Neurosci. 11:538 (2017)",
              .params = MHO_PARAMS(stochastic, table),
              MHO_DEFAULTS(defaults),
              .check = check},
    .needs_pulses = true,
    .draw = draw,
    .replay = replay,
};
