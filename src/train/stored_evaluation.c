/* stored_evaluation.c - a stored network, evaluated as it was or under other conditions.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mho/train.h"

/* What an evaluation is about. */
typedef struct subject {
  const mho_context *ctx;
  const mho_registry *r;
  mho_store *store;
  const char *id;
  const mho_evaluate_options *o;
} subject;

/* Sums over the draws. */
typedef struct sums {
  double score, squares; /* of the accuracy, or of the rms of values */
  double loss;
} sums;

/* The assignments of a draw: draw 0 has the run's own noise, draw k the seed k. seed [48] is
 * memory. */
static const char **sets_of_draw(const mho_evaluate_options *o, int draw, char *seed, int *n) {
  const char **set = calloc((size_t)o->n_set + 1, sizeof *set);
  if (!set)
    return NULL;

  *n = o->n_set;
  if (o->n_set)
    memcpy(set, o->set, (size_t)o->n_set * sizeof *set);
  if (draw > 0) {
    snprintf(seed, 48, "train.seeds.noise=%d", draw);
    set[(*n)++] = seed;
  }
  return set;
}

/* The network of the checkpoint, with the noise of a draw. */
static mho_err load(const subject *s, const mho_checkpoint_row *c, int draw, mho_experiment **e,
                    mho_trainer **t, mho_errinfo *ei) {
  const mho_evaluate_options *o = s->o;
  char seed[48];
  int n = 0;
  const char **set = sets_of_draw(o, draw, seed, &n);
  if (!set)
    return mho_fail(ei, MHO_ENOMEM, "no memory for an evaluation");

  mho_err err = mho_train_stored_experiment(s->store, s->r, s->id, n, set, e, ei);
  if (!err && draw == 0 && o->begin)
    err = o->begin(o->user, *e, ei);
  if (!err)
    err = mho_trainer_new(s->ctx, *e, t, ei);
  if (!err)
    err = mho_trainer_load(*t, &c->blob, ei);

  free(set);
  return err;
}

/* A loaded draw at every time, added to its sums. */
static mho_err evaluate(const subject *s, mho_trainer *t, mho_evaluated *out, sums *sum,
                        mho_errinfo *ei) {
  const mho_images *samples = mho_dataset_part(mho_trainer_dataset(t), s->o->part);
  if (!samples->n)
    return mho_fail(ei, MHO_EINVAL,
                    "run %s has no validation images: it was trained with dataset.validation 0",
                    s->id);

  for (int i = 0; i < s->o->n_times; i++) {
    mho_evaluation *v = &out[i].last;
    mho_err err = mho_trainer_age(t, s->o->time[i], ei);
    if (!err)
      err = mho_trainer_evaluate(t, samples, v, ei);
    if (err)
      return err;

    double score = isfinite(v->rms) ? v->rms : v->accuracy;
    sum[i].score += score;
    sum[i].squares += score * score;
    sum[i].loss += v->loss;
  }
  return MHO_OK;
}

static mho_err evaluate_draw(const subject *s, const mho_checkpoint_row *c, int draw,
                             mho_evaluated *out, sums *sum, mho_errinfo *ei) {
  mho_experiment *e = NULL;
  mho_trainer *t = NULL;
  if (mho_stopped(s->ctx))
    return mho_fail(ei, MHO_EINTERRUPTED, "interrupted after %d of %d draws", draw, s->o->draws);

  mho_err err = load(s, c, draw, &e, &t, ei);
  if (!err)
    err = evaluate(s, t, out, sum, ei);

  mho_trainer_free(t);
  mho_experiment_free(e);
  return err;
}

mho_err mho_evaluate(const mho_context *ctx, const mho_registry *r, mho_store *store,
                     const char *id, const mho_evaluate_options *o, mho_evaluated *out, int *epoch,
                     mho_errinfo *ei) {
  subject s = {ctx, r, store, id, o};
  mho_checkpoint_row c = {0};
  if (o->draws < 1 || o->n_times < 1)
    return mho_fail(ei, MHO_EINVAL, "%d draws at %d times: at least 1 of each", o->draws,
                    o->n_times);
  sums *sum = calloc((size_t)o->n_times, sizeof *sum);
  if (!sum)
    return mho_fail(ei, MHO_ENOMEM, "no memory for an evaluation");

  mho_err err = mho_store_checkpoint_get(store, id, o->checkpoint, &c, ei);
  for (int draw = 0; draw < o->draws; draw++) {
    if (err)
      break;
    err = evaluate_draw(&s, &c, draw, out, sum, ei);
  }

  for (int i = 0; i < o->n_times; i++) {
    out[i].score = sum[i].score / o->draws;
    out[i].deviation = mho_deviation(o->draws, sum[i].score, sum[i].squares);
    out[i].loss = sum[i].loss / o->draws;
  }
  *epoch = c.epoch;

  mho_blob_free(&c.blob);
  free(sum);
  return err;
}
