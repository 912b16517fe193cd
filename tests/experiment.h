/* experiment.h - for tests that train: a registry for the test program, and experiments from YAML.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TEST_EXPERIMENT_H
#define MHO_TEST_EXPERIMENT_H

#include "mho/train.h"
#include "test.h"

static mho_errinfo ei;
static mho_registry *registry;

static int setup_registry(void **state) {
  return mho_registry_new(&registry, NULL);
}
static int teardown_registry(void **state) {
  mho_registry_free(registry);
  return 0;
}

static inline mho_experiment *experiment(const char *yaml) {
  mho_config *c;
  mho_experiment *e;
  OK(mho_config_new(&c, &ei));
  OK(mho_config_text(c, yaml, "test", &ei));
  OK(mho_experiment_new(registry, c, false, &e, &ei));
  mho_config_free(c);
  return e;
}

/* Its experiment must be freed after it. */
static inline mho_trainer *trainer(const mho_experiment *e) {
  mho_trainer *t;
  OK(mho_trainer_new(NULL, e, &t, &ei));
  return t;
}

/* Cosine of two gradients; NaN when one is 0. */
static inline double cosine(size_t n, const mho_real *a, const mho_real *b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < n; i++) {
    ab += (double)a[i] * (double)b[i];
    aa += (double)a[i] * (double)a[i];
    bb += (double)b[i] * (double)b[i];
  }
  return ab / sqrt(aa * bb);
}

#endif
