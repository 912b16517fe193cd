/* gradient.c - the local product that every rule ends in.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "mho/num.h"
#include "mho/rule.h"

static const mho_param gradient_table[] = {
    MHO_P_CHOICE(mho_gradient_config, scale, "gradient", "auto|physical|normalized",
                 MHO_GRADIENT_AUTO,
                 "the error signal as measured, or divided by beta_f beta_i^h; auto: normalized "
                 "where the difference is settled directly"),
};
const mho_params mho_gradient_params = MHO_PARAMS(mho_gradient_config, gradient_table);

/* Numbers of the patches that are copied at a time, which stay in the second-level cache. */
enum { SLAB = 1 << 17, PATCHES_MIN = 64, PATCHES_MAX = 4096 };

/* Patches of so many rows that are copied at a time. */
static int patches_at_once(int rows) {
  return mho_max(PATCHES_MIN, mho_min(SLAB / rows, PATCHES_MAX));
}

size_t mho_rule_gradient_scratch(const mho_network *net, int rows) {
  for (int c = 0; c < net->n_connections; c++)
    if (net->connection[c].conv.kernel)
      return (size_t)mho_max(SLAB, PATCHES_MIN * rows);
  return 0;
}

/* Rows row0 .. row0+n-1 of a convolution's gradient: over all positions of all samples, without
 * patches, or with the patches of some positions at a time. */
static void add_positions(const mho_connection *k, const mho_real *source, const mho_real *error,
                          int batch, int row0, int n, mho_real *out, mho_real *scratch) {
  int cols = k->xb->cols, all = batch * k->positions, at_once = patches_at_once(n);

  if (mho_conv_is_direct(&k->conv)) {
    memset(out, 0, (size_t)n * (size_t)cols * sizeof *out);
    mho_conv_gradient(&k->conv, batch, source, error, row0, n, out);
    return;
  }

  for (int first = 0; first < all; first += at_once) {
    int m = mho_min(all - first, at_once);
    mho_conv_gather(&k->conv, source, first, m, row0, n, scratch, n);
    mho_gemm(true, false, n, cols, m, 1, scratch, n, error + (size_t)first * (size_t)cols, cols,
             first > 0, out, cols);
  }
}

/* The row of the bias: the error itself, summed. */
static void sum_errors(const mho_connection *k, const mho_real *error, int batch, mho_real *out) {
  int cols = k->xb->cols;
  for (int j = 0; j < cols; j++)
    out[j] = 0;
  for (int i = 0; i < batch * k->positions; i++)
    for (int j = 0; j < cols; j++)
      out[j] += error[(size_t)i * (size_t)cols + (size_t)j];
}

void mho_rule_gradient(const mho_network *net, int c, const mho_state *state,
                       mho_real *const *error, int batch, double scale, int row0, int n,
                       mho_real *out, mho_real *scratch) {
  const mho_connection *k = &net->connection[c];
  int cols = k->xb->cols, inputs = k->xb->rows - k->bias, m = mho_min(n, inputs - row0);
  bool pooled = net->layer[k->from].pool.size;
  const mho_real *source = pooled ? state->pooled[k->from] : state->z[k->from];
  mho_real factor = (mho_real)(k->sign * scale / batch);

  if (k->conv.kernel && m > 0)
    add_positions(k, source, error[k->to], batch, row0, m, out, scratch);
  else if (m > 0)
    mho_gemm(true, false, m, cols, batch, 1, source + row0, inputs, error[k->to], cols, 0, out,
             cols);
  if (m < n)
    sum_errors(k, error[k->to], batch, out + (size_t)m * (size_t)cols);

  for (int i = 0; i < n * cols; i++)
    out[i] *= factor;
}
