/* Cost against depth and width: seconds an epoch, and the memory of a training, for chains of 2 to
 * 50 layers of 64 and for two layers of 64 to 2048; run by `meson test --benchmark`.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bench.h"
#include "mho/model/check.h"

/* Bytes that grow with the network: weights, moments, states, errors. */
static double megabytes(const mho_network *net) {
  double units = 0;
  for (int l = 0; l < net->n_layers; l++)
    units += net->layer[l].n;
  return 1e-6 * sizeof(mho_real) * (3.0 * (double)net->n_weights + 500 * 5 * units);
}

static void measure(const mho_registry *r, const mho_context *ctx, int depth, int width) {
  char yaml[1024] = "train: {batch: 500}\nfeedback: {scale: 0.01}\nsettle: {free: 2, nudged: "
                    "1}\nnetwork: {hidden: [";
  for (int l = 0; l < depth; l++)
    mho_text_append(yaml, sizeof yaml, "%s%d", l ? "," : "", width);
  mho_text_append(yaml, sizeof yaml, "]}\n");
  timed x = time_epochs(r, ctx, yaml);
  const mho_network *net = mho_trainer_network(x.t);
  double blocks = (double)(depth - 1) * width * width + (FEATURES + CLASSES) * (double)width;
  printf("%5d x %-5d %8.3f s/epoch  %6.2f ns a weight and batch  %7.1f MB\n", depth, width,
         x.seconds, 1e9 * x.seconds / (blocks * 120), megabytes(net));
  fflush(stdout);
  timed_free(&x);
}

int main(void) {
  static const int depths[] = {2, 5, 10, 20, 50}, widths[] = {64, 128, 256, 512, 1024, 2048};
  mho_context ctx = {0};
  mho_registry *r = open_bench(&ctx);
  for (int i = 0; i < MHO_COUNT(depths); i++)
    measure(r, &ctx, depths[i], 64);
  for (int i = 0; i < MHO_COUNT(widths); i++)
    measure(r, &ctx, 2, widths[i]);
  mho_pool_free(ctx.pool);
  mho_registry_free(r);
  return 0;
}
