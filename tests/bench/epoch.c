/* Seconds an epoch, the floor that the matrix products set, and the ratio; run by `meson test --benchmark`.
 *
 * The data are random bytes of MNIST's size: the time does not depend on what they show. The floor is the
 * number of multiply-adds the method needs divided by the rate of one product of the same shape on as many
 * threads.
 * SPDX-License-Identifier: GPL-3.0-or-later */
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

typedef struct rate_job {
  int m, n, k, repeats;
  mho_real **a, **b, **c;
} rate_job;

static void multiply(void *arg, int index, int thread) {
  const rate_job *j = arg;
  for (int i = 0; i < j->repeats; i++)
    mho_gemm(false, false, j->m, j->n, j->k, 1, j->a[index], j->k, j->b[index], j->n, 0, j->c[index], j->n);
}

/* Multiply-adds a second of products [m x k][k x n] on all threads of the pool, best of three. */
static double gemm_rate(mho_pool *pool, int m, int n, int k) {
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

/* Multiply-adds a sample: input, read-out and its feedback and the gradient once; a hidden link `sweeps` times less the
 * times that the signal has not come that far, and `nudged` times in the nudged phase. */
static double multiply_adds(const mho_network *net, bool synchronous, double sweeps, double nudged) {
  double sum = (double)net->n_weights;
  int last = net->n_layers - 1;
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    double size = (double)net->layer[k->from].n * net->layer[k->to].n;
    if (k->from == 0 || k->to == last || k->from == last)
      sum += size;
    else if (synchronous)
      sum += size * (sweeps - k->from + nudged); /* h_l is 0 for its first l steps */
    else if (k->from < k->to)
      sum += size * (sweeps + nudged - 1); /* nothing comes from below in the first nudged sweep */
    else
      sum += size * (sweeps - 1 + nudged); /* nor from above in the first free one */
  }
  return sum;
}

static void bench(const mho_registry *r, mho_pool *pool, const char *name, const char *hidden,
                  const char *rest) {
  char yaml[512];
  mho_errinfo ei = {0};
  mho_config *c;
  mho_experiment *e;
  mho_trainer *t;
  mho_epoch_row row = {0};
  mho_context ctx = {.pool = pool};
  bool synchronous = strstr(rest, "synchronous"), bp = strstr(rest, "bp");
  int free_steps = 0, nudged_steps = 1;
  if (synchronous)
    sscanf(strstr(rest, "free:"), "free: %d, nudged: %d", &free_steps, &nudged_steps);
  snprintf(yaml, sizeof yaml, "dataset: random\nnetwork: {hidden: %s}\ntrain: {batch: 500}\n%s\n", hidden,
           rest);
  if (mho_config_new(&c, &ei) || mho_config_text(c, yaml, name, &ei) ||
      mho_experiment_new(r, c, false, &e, &ei) || mho_trainer_new(&ctx, e, &t, &ei))
    die(&ei);
  double best = 1e9;
  for (int i = 0; i < 3; i++) {
    if (mho_trainer_epoch(t, &row, &ei))
      die(&ei);
    best = row.wall_s < best ? row.wall_s : best;
  }
  const mho_network *net = mho_trainer_network(t);
  int width = net->layer[1].n;
  /* backpropagation: one pass forward along the forward links, one back along the others */
  double each = multiply_adds(net, synchronous,
                              synchronous ? free_steps
                              : bp        ? 1
                                          : row.settle_steps,
                              nudged_steps);
  double products = TRAIN * each, rate = gemm_rate(pool, 128, width, width);
  printf("%-22s %7.3f s/epoch  floor %6.3f s (%4.0f GFLOP at %.0f GFLOP/s)  ratio %.2f\n", name, best,
         products / rate, 2e-9 * products, 2e-9 * rate, best * rate / products);
  fflush(stdout);
  mho_trainer_free(t);
  mho_experiment_free(e);
  mho_config_free(c);
}

int main(void) {
  mho_registry *r;
  mho_pool *pool;
  mho_errinfo ei = {0};
  mho_blas_init();
  if (mho_registry_new(&r, &ei) || mho_registry_add(r, MHO_KIND_DATASET, &random_images.entry, &ei) ||
      mho_pool_new(0, &pool, &ei))
    die(&ei);
  printf("OpenBLAS kernels %s%s, %d threads, best of 3 epochs of 60000 samples\n", mho_blas_kernel(),
         mho_blas_better_kernel() ? " (slow: set OPENBLAS_CORETYPE)" : "", mho_pool_threads(pool));
  static const char sweep[] = "settle: sweep", bp[] = "rule: bp";
  bench(r, pool, "2x512 paper's 10/5", "[512, 512]", "settle: {method: synchronous, free: 10, nudged: 5}");
  bench(r, pool, "2x512 sweeps", "[512, 512]", sweep);
  bench(r, pool, "2x512 bp", "[512, 512]", bp);
  bench(r, pool, "3x512 sweeps", "[512, 512, 512]", sweep);
  bench(r, pool, "5x64 paper's 50/25", "[64, 64, 64, 64, 64]",
        "settle: {method: synchronous, free: 50, nudged: 25}");
  bench(r, pool, "5x64 sweeps", "[64, 64, 64, 64, 64]", sweep);
  bench(r, pool, "10x64 sweeps", "[64, 64, 64, 64, 64, 64, 64, 64, 64, 64]", sweep);
  mho_pool_free(pool);
  mho_registry_free(r);
  return 0;
}
