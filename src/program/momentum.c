/* momentum.c - gradient descent with momentum, v <- mu v + g, dW = -rate v.
 *
 * Source: B. Polyak, USSR Comput. Math. Math. Phys. 4(5), 1 (1964).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/program.h"

typedef struct momentum {
  double mu;
} momentum;

static const mho_param table[] = {
    MHO_P_REAL(momentum, mu, "momentum", "", 0.9, 0, 0.9999,
               "fraction of the last velocity that is kept"),
};

static void step(const void *params, double rate, int64_t update, size_t n, const mho_real *g,
                 mho_real *const *state, mho_real *dw) {
  mho_real mu = (mho_real)((const momentum *)params)->mu, *restrict v = state[0];
  for (size_t i = 0; i < n; i++) {
    v[i] = mu * v[i] + g[i];
    dw[i] = (mho_real)-rate * v[i];
  }
}

const mho_optimizer mho_optimizer_momentum = {
    .entry = {.abi = MHO_ABI,
              .id = "momentum",
              .title = "gradient descent with momentum",
              .equation = "v = mu v + g, dW = -rate v",
              .source = "Polyak (1964)",
              .params = MHO_PARAMS(momentum, table)},
    .n_states = 1,
    .step = step,
};
