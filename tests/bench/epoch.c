/* Seconds an epoch, the floor that the matrix products set, and the ratio; run by `meson test
 * --benchmark`.
 *
 * The data are random bytes of MNIST's size: the time does not depend on what they show. The floor
 * is the number of multiply-adds the method needs divided by the rate of one product of the same
 * shape on as many threads.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bench.h"
#include "mho/model/check.h"

/* Multiply-adds a sample: input, read-out and its feedback and the gradient once; a hidden link
 * `sweeps` times less the times that the signal has not come that far, and `nudged` times in the
 * nudged phase. */
static double multiply_adds(const mho_network *net, bool synchronous, double sweeps,
                            double nudged) {
  double sum = (double)net->n_weights;
  int last = mho_network_output(net);
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

static void bench(const mho_registry *r, const mho_context *ctx, const char *name,
                  const char *hidden, const char *rest) {
  char yaml[512];
  bool synchronous = strstr(rest, "synchronous"), bp = strstr(rest, "bp");
  int free_steps = 0, nudged_steps = 1;
  if (synchronous)
    sscanf(strstr(rest, "free:"), "free: %d, nudged: %d", &free_steps, &nudged_steps);
  snprintf(yaml, sizeof yaml, "network: {hidden: %s}\ntrain: {batch: 500}\n%s\n", hidden, rest);
  timed x = time_epochs(r, ctx, yaml);
  const mho_network *net = mho_trainer_network(x.t);
  int width = net->layer[1].n;
  /* backpropagation: one pass forward along the forward links, one back along the others */
  double each = multiply_adds(net, synchronous,
                              synchronous ? free_steps
                              : bp        ? 1
                                          : x.settle_steps,
                              nudged_steps);
  double products = TRAIN * each, rate = gemm_rate(ctx->pool, 128, width, width);
  printf("%-22s %7.3f s/epoch  floor %6.3f s (%4.0f GFLOP at %.0f GFLOP/s)  ratio %.2f\n", name,
         x.seconds, products / rate, 2e-9 * products, 2e-9 * rate, x.seconds * rate / products);
  fflush(stdout);
  timed_free(&x);
}

int main(void) {
  mho_context ctx = {0};
  mho_registry *r = open_bench(&ctx);
  static const char sweep[] = "settle: sweep", bp[] = "rule: bp";
  bench(r, &ctx, "2x512 paper's 10/5", "[512, 512]",
        "settle: {method: synchronous, free: 10, nudged: 5}");
  bench(r, &ctx, "2x512 sweeps", "[512, 512]", sweep);
  bench(r, &ctx, "2x512 bp", "[512, 512]", bp);
  bench(r, &ctx, "3x512 sweeps", "[512, 512, 512]", sweep);
  bench(r, &ctx, "5x64 paper's 50/25", "[64, 64, 64, 64, 64]",
        "settle: {method: synchronous, free: 50, nudged: 25}");
  bench(r, &ctx, "5x64 sweeps", "[64, 64, 64, 64, 64]", sweep);
  bench(r, &ctx, "10x64 sweeps", "[64, 64, 64, 64, 64, 64, 64, 64, 64, 64]", sweep);
  mho_pool_free(ctx.pool);
  mho_registry_free(r);
  return 0;
}
