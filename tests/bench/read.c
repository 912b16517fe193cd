/* What a noisy read costs over the plain product, on one core: 500 samples through a crossbar of
 * 784 x 512. The goal is at most 2.5 with noise of the cells.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "bench.h"
#include "mho/model/check.h"

enum { SAMPLES = 500, ROWS = 784, COLS = 512, ROUNDS = 15 };

static void fill(mho_real *v, size_t n, uint32_t stream, double scale) {
  float z[256];
  for (size_t i = 0; i < n; i += 256) {
    mho_rng_normal(mho_rng_make(5, MHO_RNG_TEST, stream), i, 0, 256, z);
    for (size_t k = 0; k < 256 && i + k < n; k++)
      v[i + k] = (mho_real)(scale * (double)z[k]);
  }
}

/* Best seconds of a read in one direction and of the product it contains, taken in turns. */
static void time_read(const mho_registry *r, const char *name, const char *array) {
  char yaml[256];
  mho_config *c;
  mho_experiment *e;
  mho_crossbar *x;
  mho_errinfo ei = {0};
  snprintf(yaml, sizeof yaml, "device: linear\narray: {%s}\n", array);
  if (mho_config_new(&c, &ei) || mho_config_text(c, yaml, "bench", &ei) ||
      mho_experiment_new(r, c, false, &e, &ei))
    die(&ei);
  mho_crossbar_options o = {.device = (const mho_device_model *)e->device.entry,
                            .device_params = e->device.params,
                            .device_config = &e->device_config,
                            .mapping = (const mho_mapping *)e->mapping.entry,
                            .mapping_params = e->mapping.params,
                            .array = (const mho_array_model *)e->array.entry,
                            .array_params = e->array.params,
                            .w_max = 1,
                            .chip_seed = 1,
                            .noise_seed = 2};
  if (mho_crossbar_new(ROWS, COLS, &o, &x, &ei))
    die(&ei);
  size_t most = (size_t)SAMPLES * ROWS, cells = (size_t)ROWS * COLS;
  mho_real *w = mho_alloc(cells, sizeof *w), *v = mho_alloc(most, sizeof *v),
           *y = mho_alloc(most, sizeof *y);
  mho_real *scratch = mho_alloc(mho_crossbar_scratch(x, SAMPLES) + 1, sizeof *scratch);
  fill(w, cells, 1, 0.1);
  fill(v, most, 2, 0.5);
  mho_crossbar_set(x, 0, cells, w);
  for (int transposed = 0; transposed < 2; transposed++) {
    double read = 1e9, plain = 1e9;
    int in = transposed ? COLS : ROWS, out = transposed ? ROWS : COLS;
    for (int i = 0; i < ROUNDS; i++) {
      double start = mho_seconds();
      mho_gemm(false, transposed, SAMPLES, out, in, 1, v, in, mho__crossbar_programmed(x), COLS, 0,
               y, out);
      double middle = mho_seconds();
      mho_crossbar_read(x, &(mho_read){.transposed = transposed,
                                       .n = SAMPLES,
                                       .x = v,
                                       .y = y,
                                       .scale = 1,
                                       .clock = {.update = (uint64_t)i},
                                       .scratch = scratch});
      double end = mho_seconds();
      plain = middle - start < plain ? middle - start : plain;
      read = end - middle < read ? end - middle : read;
    }
    printf("%-34s %-10s %6.2f ms  product %6.2f ms  ratio %.2f\n", name,
           transposed ? "transposed" : "forward", 1e3 * read, 1e3 * plain, read / plain);
  }

  mho_free(w);
  mho_free(v);
  mho_free(y);
  mho_free(scratch);
  mho_crossbar_free(x);
  mho_experiment_free(e);
  mho_config_free(c);
}

int main(void) {
  mho_registry *r;
  mho_errinfo ei = {0};
  mho_blas_init();
  if (mho_registry_new(&r, &ei))
    die(&ei);
  printf("kernels %s%s, one thread, best of %d reads of %d samples, %d x %d\n", mho_blas_kernel(),
         mho_blas_better_kernel() ? " (slow: set OPENBLAS_CORETYPE)" : "", ROUNDS, SAMPLES, ROWS,
         COLS);
  time_read(r, "cells, constant", "read_noise: 0.01");
  time_read(r, "cells, proportional", "read_noise: 0.01, noise: {law: proportional}");
  time_read(r, "8-bit converters", "dac_bits: 8, adc_bits: 8");
  time_read(
      r, "converters, all noise, mismatch",
      "dac_bits: 8, adc_bits: 8, read_noise: 0.01, noise: {law: proportional}, input_noise: 0.01, "
      "output_noise: 0.01, mismatch: {gain: 0.01, offset: 0.01}");
  mho_registry_free(r);
  return 0;
}
