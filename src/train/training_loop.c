/* training_loop.c - a trainer trained by a program: on its own data, epoch after epoch, without a
 * database.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/training_run.h"

/* Whether weights that the config names have not been taken. */
static bool lacks_weights(const mho_trainer *t) {
  return *t->e->train.from && !t->brought.ranged && t->at.update == 0;
}

mho_err mho_trainer_train(mho_trainer *t, mho_epoch_done done, void *user, mho_errinfo *ei) {
  if (lacks_weights(t))
    return mho_fail(ei, MHO_EINVAL,
                    "train.from: the weights of '%s' have not been taken: call mho_trainer_from "
                    "before mho_trainer_train",
                    t->e->train.from);

  while (t->at.epoch < t->e->train.epochs) {
    mho_epoch_row row;
    if (mho_stopped(t->ctx))
      return mho_fail(ei, MHO_EINTERRUPTED, "interrupted after epoch %d", t->at.epoch);

    mho_err err = mho__training_epoch(t, &row, ei);
    if (err)
      return err;
    if (done && done(user, &row))
      return MHO_OK;
  }
  return MHO_OK;
}
