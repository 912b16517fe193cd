/* gradient.c - the local product that every rule ends in.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/num.h"
#include "mho/rule.h"

static const mho_param gradient_table[] = {
    MHO_P_CHOICE(mho_gradient_config, scale, "gradient", "auto|physical|normalized", MHO_GRADIENT_AUTO,
                 "the error signal as measured, or divided by beta_f beta_i^h; auto: normalized where the "
                 "difference is settled directly"),
};
const mho_params mho_gradient_params = MHO_PARAMS(mho_gradient_config, gradient_table);

void mho_rule_gradient(const mho_network *net, int c, const mho_state *state, mho_real *const *error,
                       int batch, double scale, int row0, int n, mho_real *out) {
  const mho_connection *k = &net->connection[c];
  int rows = net->layer[k->from].n, cols = net->layer[k->to].n;
  mho_gemm(true, false, n, cols, batch, (mho_real)(scale / batch), state->z[k->from] + row0, rows,
           error[k->to], cols, 0, out, cols);
}
