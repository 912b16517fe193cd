/* sgd.c - plain gradient descent, dW = -rate g.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/program.h"

static void step(const void *params, double rate, int64_t update, size_t n, const mho_real *g,
                 mho_real *const *state, mho_real *dw) {
  for (size_t i = 0; i < n; i++)
    dw[i] = (mho_real)-rate * g[i];
}

const mho_optimizer mho_optimizer_sgd = {
    .entry = {.abi = MHO_ABI, .id = "sgd", .title = "gradient descent", .equation = "dW = -rate g"},
    .step = step,
};
