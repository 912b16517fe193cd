/* sign.c - one pulse by the sign of the accumulated change (the Manhattan rule).
 *
 *   chi += dW;  |chi| >= theta: one pulse of its sign, chi = 0
 *
 * How far a change goes beyond theta is forgotten, as in a circuit that only compares. theta is
 * `threshold` times the change of a weight by one nominal pulse.
 *
 * Source: E. Zamanidoost et al., "Manhattan rule training for memristive crossbar circuit pattern
 * classifiers", IEEE WISP 2015; M. Prezioso et al., Nature 521, 61 (2015).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/program.h"

typedef struct sign_rule {
  double threshold;
} sign_rule;

static const mho_param table[] = {
    MHO_P_REAL(sign_rule, threshold, "threshold", "", 1, 0, 1e6,
               "accumulated change that gives the pulse, in nominal steps of a weight; 0: any"),
};

/* The pulse that an accumulated change gives: 1, -1 or none. */
static int16_t pulse_for(mho_real chi, mho_real theta) {
  if (chi > 0 && chi >= theta)
    return 1;
  return chi < 0 && -chi >= theta ? -1 : 0;
}

static void apply(const mho_program_job *job, mho_pulse_counts *counts) {
  mho_real theta = (mho_real)(((const sign_rule *)job->params)->threshold * job->nominal_step);
  for (size_t i0 = 0; i0 < job->n; i0 += MHO_DEVICE_BLOCK) {
    int n = (int)mho_min_size(job->n - i0, MHO_DEVICE_BLOCK);
    int16_t count[MHO_DEVICE_BLOCK];
    bool any = false;

    for (int i = 0; i < n; i++) {
      mho_real *chi = &job->state[i0 + (size_t)i];
      *chi += job->dw[i0 + (size_t)i];
      count[i] = pulse_for(*chi, theta);
      *chi = count[i] ? 0 : *chi;
      any |= count[i] != 0;
    }

    if (any)
      mho_crossbar_change(job->xb, job->first + i0, n, count, job->update, counts);
  }
}

const mho_scheme mho_scheme_sign = {
    .entry = {.abi = MHO_ABI,
              .id = "sign",
              .title = "one pulse by the sign of the accumulated change",
              .equation = "chi += dW; |chi| >= theta: pulse sign(chi), chi = 0",
              .source =
                  "Zamanidoost et al., IEEE WISP (2015); Prezioso et al., Nature 521:61 (2015)",
              .params = MHO_PARAMS(sign_rule, table)},
    .needs_pulses = true,
    .has_state = true,
    .apply = apply,
};
