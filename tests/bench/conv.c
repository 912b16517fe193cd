/* Seconds an epoch of a convolutional net, 32x5, pool 2, 64x5, pool 2, 10, batch 128, the floor
 * that the products set, and the ratio; by `meson test --benchmark`, or with a number of samples to
 * be quicker. torch_conv.py times the same net's backpropagation in PyTorch.
 *
 * The data are random bytes of MNIST's size. The floor is the number of multiply-adds the method
 * needs divided by the rate of one product of a patch tile with the second layer's crossbar on as
 * many threads.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bench.h"
#include "mho/model/check.h"

/* Multiply-adds a sample: every forward link once a free sweep (the input's and the read-out's
 * once), every link back once in all later sweeps and in the nudged one, every gradient once. */
static double multiply_adds(const mho_network *net, double sweeps, bool bp) {
  double sum = 0;
  int last = mho_network_output(net);
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    const mho_connection *c = &net->connection[k->connection];
    double size = (double)c->positions * c->xb->rows * c->xb->cols;
    bool once = bp || k->from == 0 || k->to == last || k->from == last;
    sum += k->from < k->to ? size * (1 + (once ? 1 : sweeps)) : size * (once ? 1 : sweeps);
  }
  return sum;
}

static void bench(const mho_registry *r, const mho_context *ctx, int samples, const char *name,
                  const char *rest) {
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "network: {topology: conv, conv: [32x5, pool2, 64x5, pool2], neuron: hard_sigmoid, "
           "biases: true}\n"
           "dataset: {train: %d}\ntrain: {batch: 128}\nupdate: {rate: 2e-4, decay: 1e-6}\n%s\n",
           samples, rest);
  timed x = time_epochs(r, ctx, yaml);
  x.seconds *= (double)TRAIN / samples;
  double products =
      TRAIN * multiply_adds(mho_trainer_network(x.t), x.settle_steps, strstr(rest, "bp"));
  double rate = gemm_rate(ctx->pool, 160, 64, 801);
  printf("%-10s %7.2f s/epoch  %.1f free sweeps  floor %6.2f s (%5.0f GFLOP at %.0f GFLOP/s)  "
         "ratio %.2f\n",
         name, x.seconds, x.settle_steps, products / rate, 2e-9 * products, 2e-9 * rate,
         x.seconds * rate / products);
  fflush(stdout);
  timed_free(&x);
}

int main(int argc, char **argv) {
  int samples = argc > 1 ? atoi(argv[1]) : TRAIN;
  mho_context ctx = {0};
  mho_registry *r = open_bench(&ctx);
  bench(r, &ctx, samples, "conv ep", "rule: {name: ep, nudge: 0.25}");
  bench(r, &ctx, samples, "conv bp", "rule: bp");
  mho_pool_free(ctx.pool);
  mho_registry_free(r);
  return 0;
}
