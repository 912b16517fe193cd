/* ranged_read.c - reads whose converters are referred to the largest of the sums.
 *
 *   y_j = s round(most u_j/s)/most,  s = max_k |u_k|,  most = 2^(bits - 1) - 1
 *
 * Drivers, cells and sense amplifiers are those of any read. A converter whose reference is the
 * largest sum divides by it as it converts, so that sums which are only compared with each other
 * need no full scale of their own, however large they are beside those that neurons get. Inputs are
 * given in one read, so that there is one sum to be converted.
 *
 * With the currents of the banks added, which of a pair means to close one more switch, a crossbar
 * shows A = w_max sum_k |gain_k| g_k in place of its weights.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/periphery.h"
#include "array/weights.h"
#include "base/vmath.h"

void mho_crossbar_added(const mho_crossbar *x, mho_real *out) {
  size_t n = mho_crossbar_cells(x);
  memset(out, 0, n * sizeof *out);

  for (int k = 0; k < x->n_banks; k++) {
    const float *g = mho_crossbar_shown(x, k);
    double share = x->w_max * fabs(x->role[k].gain);
    for (size_t i = 0; i < n; i++)
      out[i] += (mho_real)(share * (double)g[i]);
  }
}

/* Convert the sums of a sample, [n]. */
static void convert(int bits, int n, mho_real *y) {
  mho_real most = 0;
  for (int j = 0; j < n; j++) {
    mho_real size = real_abs(y[j]);
    most = size > most ? size : most;
  }
  if (most > 0)
    mho__convert(mho__converter_of(bits), n, 1, &most, 0, y);
}

void mho_crossbar_read_ranged(const mho_crossbar *x, const mho_real *matrix, const mho_read *r,
                              mho_real *room) {
  int bits = mho_array_converters_of(x->model, x->params).adc_bits;
  int out = mho__read_outputs(x, r);
  struct mho_weights shown = *x->weights;
  mho_crossbar read = *x;
  mho_read whole = *r;
  mho_scales scales = {.recording = true, .most = room};

  /* while full scales are recorded, converters are left out */
  if (bits) {
    if (x->scales)
      memcpy(room, x->scales->most, (size_t)x->scales->n * sizeof *room);
    else
      memset(room, 0, (size_t)(x->rows + x->cols) * sizeof *room);
    scales.valid = x->scales && x->scales->valid;
    read.scales = &scales;
  }
  if (matrix) {
    shown = (struct mho_weights){.programmed = (mho_real *)(uintptr_t)matrix};
    read.weights = &shown;
    read.panels = NULL;
    read.perturbation = NULL;
  }

  whole.whole = true;
  mho_crossbar_read(&read, &whole);
  for (int s = 0; bits && s < r->n; s++)
    convert(bits, out, r->y + (size_t)s * (size_t)out);
}
