/* adam.c - Adam with bias correction.
 *
 *   m <- b1 m + (1-b1) g, v <- b2 v + (1-b2) g^2, dW = -rate m^/(sqrt(v^) + eps)
 *
 * Source: D. Kingma, J. Ba, ICLR 2015, Algorithm 1.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "base/vmath.h"
#include "mho/model/program.h"

typedef struct adam {
  double beta1, beta2, epsilon;
} adam;

static const mho_param table[] = {
    MHO_P_REAL(adam, beta1, "beta1", "", 0.9, 0, 0.99999, "decay of the mean gradient"),
    MHO_P_REAL(adam, beta2, "beta2", "", 0.999, 0, 0.9999999, "decay of the mean square"),
    MHO_P_REAL(adam, epsilon, "epsilon", "", 1e-8, 0, 1, "added to the root mean square"),
};

static void step(const void *params, double rate, int64_t update, size_t n,
                 const mho_real *restrict g, mho_real *const *state, mho_real *restrict dw) {
  const adam *p = params;
  mho_real b1 = (mho_real)p->beta1, b2 = (mho_real)p->beta2, eps = (mho_real)p->epsilon;
  mho_real c1 = (mho_real)(1 - p->beta1), c2 = (mho_real)(1 - p->beta2);
  mho_real a = (mho_real)(-rate / (1 - pow(p->beta1, (double)update)));
  mho_real root = (mho_real)(1 / sqrt(1 - pow(p->beta2, (double)update)));

  mho_real *restrict m = state[0], *restrict v = state[1];
  for (size_t i = 0; i < n; i++) {
    m[i] = b1 * m[i] + c1 * g[i];
    v[i] = b2 * v[i] + c2 * g[i] * g[i];
    dw[i] = a * m[i] / (real_sqrt(v[i]) * root + eps);
  }
}

const mho_optimizer mho_optimizer_adam = {
    .entry = {.abi = MHO_ABI,
              .id = "adam",
              .title = "Adam",
              .equation = "dW = -rate m^/(sqrt(v^) + eps)",
              .source = "Kingma & Ba, ICLR 2015",
              .params = MHO_PARAMS(adam, table)},
    .n_states = 2,
    .step = step,
};
