/* What storing costs a training: the epoch's rows, the copy of a checkpoint that the training waits
 * for, and the writing beside it, each as a share of an epoch. 2x512 on images of MNIST's size, and
 * the digits of the quickstart.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <unistd.h>

#include "bench.h"
#include "mho/store.h"

enum { REPEATS = 5 };

static mho_errinfo ei;

static void begin(mho_store *s, const char *id) {
  mho_run_row run = {.config = (char[]){"{}"}, .config_hash = (char[]){"h"}, .started = NULL};
  snprintf(run.id, sizeof run.id, "%s", id);
  if (mho_store_run_begin(s, &run, &ei))
    die(&ei);
}

/* Best of a few writes of an epoch, with a checkpoint or without. */
static double time_write(mho_store *s, const char *id, const mho_checkpoint_row *c, bool best) {
  double least = 1e9;
  mho_layer_row layers[3] = {
      {.layer = 0, .name = "a"}, {.layer = 1, .name = "b"}, {.layer = 2, .name = "c"}};
  mho_settle_row settle = {.phase = "free"};
  mho_run_row row = {.wall_s = 1};
  for (int i = 1; i <= REPEATS; i++) {
    mho_epoch_row epoch = {.epoch = i};
    mho_store_update u = {.epoch = &epoch,
                          .layers = layers,
                          .n_layers = 3,
                          .layers_epoch = i,
                          .settles = &settle,
                          .n_settles = 1,
                          .last = c,
                          .last_is_best = best,
                          .run = &row};
    double start = mho_seconds();
    if (mho_store_write(s, id, &u, &ei))
      die(&ei);
    least = fmin(least, mho_seconds() - start);
  }
  return least;
}

static void measure(const mho_registry *r, const mho_context *ctx, const char *label,
                    const char *yaml) {
  char path[] = "/tmp/mho-bench-log-XXXXXX";
  mho_store *s;
  mho_config *c;
  mho_experiment *e;
  mho_trainer *t;
  double epoch = 1e9, copy = 1e9;
  close(mkstemp(path));
  unlink(path);
  if (mho_store_open(path, MHO_STORE_WRITE, &s, &ei) || mho_config_new(&c, &ei) ||
      mho_config_text(c, yaml, "bench", &ei) || mho_experiment_new(r, c, false, &e, &ei) ||
      mho_trainer_new(ctx, e, &t, &ei))
    die(&ei);

  mho_checkpoint_row checkpoint = {0};
  for (int i = 0; i < 3; i++) {
    mho_epoch_row row;
    mho_evaluation v;
    double start = mho_seconds();
    if (mho_trainer_epoch(t, &row, &ei) ||
        mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei))
      die(&ei);
    epoch = fmin(epoch, mho_seconds() - start);
  }

  for (int i = 0; i < REPEATS; i++) {
    mho_blob_free(&checkpoint.blob);
    double start = mho_seconds();
    if (mho_trainer_save(t, &checkpoint, &ei))
      die(&ei);
    copy = fmin(copy, mho_seconds() - start);
  }

  begin(s, "rows");
  begin(s, "both");
  double rows = time_write(s, "rows", NULL, false), both = time_write(s, "both", &checkpoint, true);
  printf("%-28s epoch %9.2f ms | rows %7.3f ms = %5.2f %% | copy of %5.2f MB %7.3f ms = %5.2f %% | "
         "writing last and best beside it %7.2f ms = %5.2f %%\n",
         label, 1e3 * epoch, 1e3 * rows, 100 * rows / epoch, 1e-6 * (double)checkpoint.blob.size,
         1e3 * copy, 100 * copy / epoch, 1e3 * both, 100 * both / epoch);
  mho_blob_free(&checkpoint.blob);
  mho_trainer_free(t);
  mho_experiment_free(e);
  mho_config_free(c);
  mho_store_close(s);
  unlink(path);
}

int main(void) {
  mho_context ctx = {0};
  mho_registry *r = open_bench(&ctx);
  measure(r, &ctx, "2x512, sweeps",
          "{dataset: random, network: {hidden: [512, 512]}, train: {batch: 500}}");
  measure(r, &ctx, "digits, the quickstart's",
          "{network: {hidden: [64, 16]}, feedback: {scale: 0.01}, settle: {method: synchronous, "
          "free: 10, nudged: 5}, update: {rate: 2e-3, scheme: pulses}, device: {model: "
          "soft_bounds, cycle_to_cycle: 0.3, variation: {step: 0.2}}, array: {read_noise: 0.001}, "
          "train: {batch: 20}}");
  mho_registry_free(r);
  return 0;
}
