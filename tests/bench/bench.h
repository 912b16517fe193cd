/* bench.h - what the benchmarks share: random images of MNIST's size, and the time of an epoch.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_BENCH_H
#define MHO_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mho/num.h"
#include "mho/train.h"

enum { TRAIN = 60000, TEST = 1000, FEATURES = 784, CLASSES = 10 };

static mho_err load_random(const mho_dataset_kind *kind, const char *folder, mho_dataset *out,
                           mho_errinfo *ei) {
  size_t n = TRAIN + TEST;
  uint8_t *bytes = mho_alloc(n * FEATURES + n, 1);
  if (!bytes)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the images");
  uint8_t *label = bytes + n * FEATURES;
  mho_rng_u32(mho_rng_make(1, MHO_RNG_TEST, 0), 0, 0, n * FEATURES / 4, (uint32_t *)bytes);
  for (size_t i = 0; i < n; i++)
    label[i] = (uint8_t)(i % CLASSES);
  *out = (mho_dataset){.train = {TRAIN, bytes, label},
                       .test = {TEST, bytes + (size_t)TRAIN * FEATURES, label + TRAIN},
                       .features = FEATURES,
                       .classes = CLASSES,
                       .width = 28,
                       .height = 28,
                       .channels = 1,
                       .scale = 1.0 / 255,
                       .checksum = "random",
                       .memory = bytes};
  return MHO_OK;
}

static const mho_dataset_kind random_images = {
    .entry = {.abi = MHO_ABI, .id = "random", .title = "random bytes of MNIST's size"}, .load = load_random};

static void die(const mho_errinfo *ei) {
  fprintf(stderr, "%s\n", ei->message);
  exit(1);
}

typedef struct timed { /* best of three epochs */
  double seconds, settle_steps;
  mho_experiment *e;
  mho_trainer *t;
} timed;

/* Train three epochs of a config on the random images; free with timed_free. */
static inline timed time_epochs(const mho_registry *r, const mho_context *ctx, const char *yaml) {
  mho_errinfo ei = {0};
  mho_config *c;
  timed x = {.seconds = 1e9};
  if (mho_config_new(&c, &ei) || mho_config_text(c, "dataset: random\n", "bench", &ei) ||
      mho_config_text(c, yaml, "bench", &ei) || mho_experiment_new(r, c, false, &x.e, &ei) ||
      mho_trainer_new(ctx, x.e, &x.t, &ei))
    die(&ei);
  for (int i = 0; i < 3; i++) {
    mho_epoch_row row;
    if (mho_trainer_epoch(x.t, &row, &ei))
      die(&ei);
    x.seconds = row.wall_s < x.seconds ? row.wall_s : x.seconds;
    x.settle_steps = row.settle_steps;
  }
  mho_config_free(c);
  return x;
}

static inline void timed_free(timed *x) {
  mho_trainer_free(x->t);
  mho_experiment_free(x->e);
}

/* Registry with the random images, and a context with a thread a processor. */
static inline mho_registry *open_bench(mho_context *ctx) {
  mho_registry *r;
  mho_errinfo ei = {0};
  mho_blas_init();
  if (mho_registry_new(&r, &ei) || mho_registry_add(r, MHO_KIND_DATASET, &random_images.entry, &ei) ||
      mho_pool_new(0, &ctx->pool, &ei))
    die(&ei);
  printf("OpenBLAS kernels %s%s, %d threads, best of 3 epochs of %d samples, batch 500\n", mho_blas_kernel(),
         mho_blas_better_kernel() ? " (slow: set OPENBLAS_CORETYPE)" : "", mho_pool_threads(ctx->pool),
         TRAIN);
  return r;
}

#endif
