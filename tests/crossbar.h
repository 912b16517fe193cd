/* crossbar.h - for tests of crossbars: one alone, made by an experiment's device and array.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TEST_CROSSBAR_H
#define MHO_TEST_CROSSBAR_H

#include "experiment.h"
#include "mho/model/check.h"

/* Its experiment must be freed after it. */
static inline mho_crossbar *crossbar(const mho_experiment *e, int rows, int cols) {
  mho_crossbar *x;
  mho_crossbar_options o = {.device = (const mho_device_model *)e->device.entry,
                            .device_params = e->device.params,
                            .device_config = &e->device_config,
                            .mapping = (const mho_mapping *)e->mapping.entry,
                            .mapping_params = e->mapping.params,
                            .array = (const mho_array_model *)e->array.entry,
                            .array_params = e->array.params,
                            .array_config = &e->array_config,
                            .w_max = 2,
                            .chip_seed = 1,
                            .noise_seed = 2,
                            .index = 3};
  OK(mho_crossbar_new(rows, cols, &o, &x, &ei));
  return x;
}

static inline void fill(mho_real *v, size_t n, uint32_t stream, double scale) {
  float z[4096];
  assert_true(n <= 4096);
  mho_rng_normal(mho_rng_make(5, MHO_RNG_TEST, stream), 0, 0, n, z);
  for (size_t i = 0; i < n; i++)
    v[i] = (mho_real)(scale * (double)z[i]);
}

#endif
