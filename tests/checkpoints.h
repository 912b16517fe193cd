/* checkpoints.h - trainings as the checkpoints that they end with, and what two of them share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TEST_CHECKPOINTS_H
#define MHO_TEST_CHECKPOINTS_H

#include "experiment.h"

/* A checkpoint after so many epochs, from another one or from the beginning. */
static mho_blob train(const mho_experiment *e, int threads, int epochs, const mho_blob *from) {
  mho_context ctx = {0};
  mho_trainer *t;
  mho_epoch_row row;
  mho_checkpoint_row c;
  OK(mho_pool_new(threads, &ctx.pool, &ei));
  OK(mho_trainer_new(&ctx, e, &t, &ei));
  if (from)
    OK(mho_trainer_load(t, from, &ei));
  for (int i = 0; i < epochs; i++)
    OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_save(t, &c, &ei));
  mho_trainer_free(t);
  mho_pool_free(ctx.pool);
  return c.blob;
}

/* The part of a checkpoint that is not a clock: all but the header's last numbers (wall_s). */
static void same_weights(const mho_blob *a, const mho_blob *b) {
  enum { HEADER = 136 };
  assert_int_equal(a->size, b->size);
  assert_memory_equal((char *)a->data + HEADER, (char *)b->data + HEADER, a->size - HEADER);
}

#endif
