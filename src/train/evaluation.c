/* evaluation.c - the network as it is now: accuracy on images, and states and gradients of the
 * rule.
 *
 * Nothing that training uses later is touched: states and errors are written anew by every batch.
 * Noise of evaluations has numbers of its own; a gradient is shown with that of the next update.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "base/streams.h"
#include "train/arrays.h"
#include "train/neuron_labels.h"

void mho__calibrate_at_rest(mho_trainer *t) {
  mho_batch b = {
      .images = &t->data.train, .n = (int)t->e->train.batch, .update = (uint64_t)t->at.update};
  if (mho__learner_calibration_due(t->learner, -1))
    mho__learner_calibrate(t->learner, &b);
}

/* Sum of the squared errors of the batch that has settled, in the values' own units; 0 where
 * targets are classes. */
static double sum_squares(const mho_trainer *t, int n) {
  const mho_learner *learner = t->learner;
  const mho_real *y = learner->state[0]->z[mho_network_output(t->net)];
  int values = t->data.values;
  double sum = 0;

  for (int i = 0; i < n * values; i++) {
    double spread = t->data.value_spread ? t->data.value_spread[i % values] : 1;
    double e = (double)(y[i] - learner->value[i]) * spread;
    sum += e * e;
  }
  return sum;
}

static void take_balance(const mho_settle_stats *free, mho_evaluation *out) {
  if (!free->balanced)
    return;
  out->kirchhoff = free->balance.kirchhoff;
  out->dissipated = free->balance.dissipated / (double)free->balanced;
  out->supplied = free->balance.supplied / (double)free->balanced;
}

/* may_stop: the caller may want an end before the last batch. */
static mho_err evaluate(mho_trainer *t, const mho_images *images, bool may_stop,
                        mho_evaluation *out, mho_errinfo *ei) {
  if (images->n < 1)
    return mho_fail(ei, MHO_EINVAL, "there are no images to evaluate");

  mho_rule_stats sum = {0};
  double start = mho_seconds(), squares = 0;
  int capacity = t->learner->capacity, batches = ceil_div(images->n, capacity);
  mho__calibrate_at_rest(t);
  mho_err labelled = mho__neuron_labels(t, ei);
  if (labelled)
    return labelled;

  for (int i = 0; i < batches; i++) {
    if (may_stop && mho_stopped(t->ctx))
      return mho_fail(ei, MHO_EINTERRUPTED, "interrupted after %d of %d images", i * capacity,
                      images->n);
    int first = i * capacity;
    mho_batch b = {.images = images,
                   .first = first,
                   .n = mho_min(images->n - first, capacity),
                   .update = mho__update_evaluation(t->at.epoch, images != &t->data.test, i)};
    mho_rule_stats s;
    mho_err err = mho__learner_run(t->learner, &b, &s, ei);
    if (err)
      return err;
    mho__rule_stats_add(&sum, &s);
    squares += sum_squares(t, b.n);
    if (images == &t->data.test)
      mho__mistakes_note(&t->mistakes, &t->data, first, b.n,
                         t->learner->state[0]->z[mho_network_output(t->net)]);
  }
  if (isnan(sum.loss))
    return mho_fail(ei, MHO_EDIVERGED,
                    "the network cannot be evaluated: its weights or states are not finite "
                    "numbers, as after a training that diverged, or from weights that are too "
                    "large (train.from)");

  int values = t->data.values;
  *out = (mho_evaluation){.accuracy = values ? (double)NAN : (double)sum.correct / images->n,
                          .rms = values ? sqrt(squares / values / images->n) : (double)NAN,
                          .loss = sum.loss / images->n,
                          .settle_steps = sum.free.steps / images->n,
                          .time_s = NAN,
                          .kirchhoff = NAN,
                          .dissipated = NAN,
                          .supplied = NAN,
                          .unsettled = sum.free.unsettled,
                          .seconds = mho_seconds() - start};
  if (sum.free.timed)
    out->time_s = sum.free.time / (double)sum.free.timed;
  take_balance(&sum.free, out);
  if (images == &t->data.test)
    t->balance = (mho_balance){out->kirchhoff, out->dissipated, out->supplied};
  return MHO_OK;
}

mho_err mho_trainer_evaluate(mho_trainer *t, const mho_images *images, mho_evaluation *out,
                             mho_errinfo *ei) {
  return evaluate(t, images, true, out, ei);
}

mho_err mho__trainer_evaluate(mho_trainer *t, const mho_images *images, mho_evaluation *out,
                              mho_errinfo *ei) {
  return evaluate(t, images, false, out, ei);
}

mho_err mho__trainer_settle(mho_trainer *t, const mho_images *images, int first, int n, bool learn,
                            mho_rule_stats *stats, mho_errinfo *ei) {
  mho_batch b = {.images = images,
                 .first = first,
                 .n = n,
                 .learn = learn,
                 .update = mho__update_look(t->at.epoch)};

  mho__calibrate_at_rest(t);
  return mho__learner_run(t->learner, &b, stats, ei);
}

mho_err mho_trainer_gradient(mho_trainer *t, int first, int n, int c, mho_real *out,
                             mho_errinfo *ei) {
  bool fits = n >= 1 && n <= t->learner->capacity;
  bool has_images = fits && first >= 0 && first + n <= t->data.train.n;
  if (!has_images || c < 0 || c >= t->net->n_trained)
    return mho_fail(ei, MHO_EINVAL, "no gradient of connection %d on images %d to %d", c, first,
                    first + n - 1);

  mho_batch b = {.images = &t->data.train,
                 .first = first,
                 .n = n,
                 .learn = true,
                 .update = (uint64_t)t->at.update};

  mho__calibrate_at_rest(t);
  mho_rule_stats unused;
  mho_err err = mho__learner_run(t->learner, &b, &unused, ei);
  if (err)
    return err;

  mho_lesson lesson = mho__learner_lesson(t->learner, n);
  lesson.vars = t->learner->other_vars;
  mho__updater_gradient(t->updater, &lesson, c, out);
  return MHO_OK;
}
