/* bench.h - what the benchmarks share: random images of MNIST's size, and the time of an epoch.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_BENCH_H
#define MHO_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mho/model/dataset.h"
#include "mho/model/num.h"
#include "mho/train.h"

enum { TRAIN = 60000, TEST = 1000, FEATURES = 784, CLASSES = 10 };

static mho_err load_random(const mho_dataset_kind *kind, const void *params, const char *folder,
                           mho_dataset *out, mho_errinfo *ei) {
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
    .entry = {.abi = MHO_ABI, .id = "random", .title = "random bytes of MNIST's size"},
    .load = load_random};

static void die(const mho_errinfo *ei) {
  fprintf(stderr, "%s\n", ei->message);
  exit(1);
}

/* Whether there are MNIST's images, not only random ones. */
static inline bool has_mnist(const mho_registry *r) {
  const mho_entry *mnist = mho_registry_find(r, MHO_KIND_DATASET, "mnist");
  char where[4096];
  mho_dataset_locate((const mho_dataset_kind *)mnist, "", where, sizeof where);
  return *where;
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

typedef struct rate_job {
  int m, n, k, repeats;
  mho_real **a, **b, **c;
} rate_job;

static inline void multiply(void *arg, int index, int thread) {
  const rate_job *j = arg;
  bool panels = mho_panels_pay(j->n, j->k); /* as a read does it; the packing is not of the floor */
  for (int i = 0; i < j->repeats && panels; i++)
    mho_panels_gemm(j->m, j->n, j->k, 1, j->a[index], j->k, j->b[index], 0, j->c[index], j->n);
  for (int i = 0; i < j->repeats && !panels; i++)
    mho_gemm(false, false, j->m, j->n, j->k, 1, j->a[index], j->k, j->b[index], j->n, 0,
             j->c[index], j->n);
}

/* Multiply-adds a second of products [m x k][k x n] on all threads of the pool, best of three. */
static inline double gemm_rate(mho_pool *pool, int m, int n, int k) {
  int threads = mho_pool_threads(pool);
  rate_job j = {m,
                n,
                k,
                (int)(4e9 / ((double)m * n * k)),
                calloc((size_t)threads, sizeof(mho_real *)),
                calloc((size_t)threads, sizeof(mho_real *)),
                calloc((size_t)threads, sizeof(mho_real *))};
  for (int t = 0; t < threads; t++) {
    j.a[t] = mho_alloc((size_t)(m * k), sizeof(mho_real));
    j.b[t] = mho_alloc((size_t)(n * k), sizeof(mho_real));
    j.c[t] = mho_alloc((size_t)(m * n), sizeof(mho_real));
  }

  double best = 0;
  for (int i = 0; i < 3; i++) {
    double start = mho_seconds();
    mho_pool_run(pool, threads, multiply, &j);
    double rate = (double)threads * j.repeats * m * n * k / (mho_seconds() - start);
    best = rate > best ? rate : best;
  }

  for (int t = 0; t < threads; t++) {
    mho_free(j.a[t]);
    mho_free(j.b[t]);
    mho_free(j.c[t]);
  }

  free(j.a);
  free(j.b);
  free(j.c);
  return best;
}

/* Registry with the random images, and a context with a thread a processor. */
static inline mho_registry *open_bench(mho_context *ctx) {
  mho_registry *r;
  mho_errinfo ei = {0};
  mho_blas_init();
  if (mho_registry_new(&r, &ei) ||
      mho_registry_add(r, MHO_KIND_DATASET, &random_images.entry, &ei) ||
      mho_pool_new(0, &ctx->pool, &ei))
    die(&ei);
  printf("kernels %s%s, %d threads, best of 3 epochs of %d samples\n", mho_blas_kernel(),
         mho_blas_better_kernel() ? " (slow: set OPENBLAS_CORETYPE)" : "",
         mho_pool_threads(ctx->pool), TRAIN);
  return r;
}

#endif
