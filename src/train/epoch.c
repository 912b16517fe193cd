/* epoch.c - one pass through the training images.
 *
 * A batch is two parallel regions: chunks of samples settle and leave states and errors
 * (learner.c), then slabs of weights turn them into gradient, wanted change and pulses
 * (updater.c).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include "base/streams.h"
#include "train/arrays.h"
#include "train/trainer.h"

static void fill_row(const mho_trainer *t, mho_epoch_row *row) {
  const mho_epoch_sums *s = &t->at.sums;
  double n = s->samples > 0 ? (double)s->samples : 1;

  *row = (mho_epoch_row){.epoch = t->at.epoch + 1,
                         .train_acc = t->data.values ? (double)NAN : (double)s->correct / n,
                         .test_acc = NAN,
                         .val_acc = NAN,
                         .test_loss = NAN,
                         .val_loss = NAN,
                         .test_rms = NAN,
                         .loss = s->loss / n,
                         .settle_steps = s->steps / n,
                         .unsettled = s->unsettled,
                         .pulses = s->set + s->reset,
                         .set_pulses = s->set,
                         .reset_pulses = s->reset,
                         .clipped = s->clipped,
                         .truncated = s->truncated,
                         .verify_reads = s->verify_reads,
                         .reads = s->reads,
                         .energy_j = NAN,
                         .wall_s = s->wall_s};
}

/* Begin to sum up, and write the initial weights before the first update. */
static mho_err begin_epoch(mho_trainer *t, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  mho__standing_begin_epoch(&t->at);
  t->loose = (mho_loose_credits){0};
  if (t->learner->importance)
    t->learner->importance->reads = 0;
  t->loose_controls = (mho_loose_controls){0};
  t->rates = (mho_spike_rates){0};
  if (t->at.update == 0)
    err = mho__updater_initial(t->updater, t->brought.weights, ei);
  if (!err)
    mho__brought_forget(&t->brought);
  return err;
}

static void add_up(mho_trainer *t, const mho_rule_stats *s, int samples) {
  t->at.sums.loss += s->loss;
  t->at.sums.correct += s->correct;
  t->at.sums.samples += samples;
  t->at.sums.steps += s->free.steps;
  t->at.sums.unsettled += s->free.unsettled;
  t->at.sums.reads += s->free.reads + s->nudged.reads;
  if (t->learner->rule->controls) {
    t->at.sums.unsettled += s->nudged.unsettled;
    t->loose_controls.samples += s->nudged.unsettled;
    t->loose_controls.lost += s->lost;
    t->loose_controls.unstable += s->unstable;
  }
  if (!t->learner->rule->credits)
    return;

  t->at.sums.unsettled += s->nudged.unsettled;
  t->loose.samples += s->nudged.unsettled;
  t->loose.growth = fmax(t->loose.growth, s->nudged.contraction);
}

/* Say that credits have not settled. */
static void warn_of_credits(const mho_trainer *t) {
  const mho_loose_credits *loose = &t->loose;
  if (loose->samples == 0)
    return;

  bool grow = loose->growth > 1;
  mho_log(
      t->ctx, MHO_LOG_WARNING,
      "rule.name: epoch %d: credits of %lld samples did not settle, and changed by up to %.3g "
      "times their last change: %s",
      t->at.epoch + 1, (long long)loose->samples, loose->growth,
      grow ? "the credit map has a spectral radius above 1, and hidden layers learn nothing from "
             "those that grow: lower feedback.scale, or the weights"
           : "they were used as they were: let them settle longer");
}

/* Say that controllers have not come to rest, or not to one that is of use. */
static void warn_of_controls(const mho_trainer *t) {
  const mho_loose_controls *loose = &t->loose_controls;
  long long lost = loose->lost, unstable = loose->unstable;

  if (lost > 0)
    mho_log(t->ctx, MHO_LOG_WARNING,
            "rule.name: epoch %d: controls of %lld samples ran away or were not found, and of %lld "
            "would not stay at rest: these samples taught nothing: lower the gain (rule.gain, or a "
            "larger rule.leak) or rule.dt, or lead controls back otherwise (feedback.path, "
            "feedback.q)",
            t->at.epoch + 1, lost - unstable, unstable);
  if (loose->samples > lost)
    mho_log(t->ctx, MHO_LOG_WARNING,
            "rule.name: epoch %d: controls of %lld samples were learned from on their way, before "
            "they had settled (rule.tolerance): more rule.steps let them",
            t->at.epoch + 1, (long long)loose->samples - lost);
}

/* Learn from the samples of a batch, or from one of them; then change the weights, unless the rule
 * has done so on the way. */
static mho_err learn_from(mho_trainer *t, mho_batch *b, mho_errinfo *ei) {
  mho_rule_stats s;
  b->update = (uint64_t)t->at.update;
  mho_err err = mho__learner_run(t->learner, b, &s, ei);
  if (b->feedback)
    t->at.sums.reads += s.free.reads + s.nudged.reads;
  else
    add_up(t, &s, b->n);
  if (err)
    return err;
  if (!b->feedback)
    mho__spike_rates_add(t, b->n);

  bool is_brought = *t->e->train.from && t->at.update == 0;
  if (!isfinite(s.loss) && is_brought)
    return mho_fail(
        ei, MHO_EDIVERGED,
        "the loss is not finite before anything is learned: the weights that train.from "
        "brings ('%s') are too large for this network",
        t->e->train.from);
  if (!isfinite(s.loss))
    return mho_fail(ei, MHO_EDIVERGED,
                    "the loss is no longer finite in epoch %d, batch %lld: lower update.rate, or "
                    "settle longer",
                    t->at.epoch + 1, (long long)t->at.batch + 1);

  mho_lesson lesson = mho__learner_lesson(t->learner, b->n);
  lesson.feedback = b->feedback;
  if (t->learner->applies & (MHO_APPLY_BATCH | MHO_APPLY_SAMPLE))
    mho__updater_apply(t->updater, &lesson);
  return MHO_OK;
}

/* Samples of a batch one after another, each with its own update. */
static mho_err learn_one_by_one(mho_trainer *t, const mho_batch *batch, mho_errinfo *ei) {
  mho_batch one = *batch;
  one.n = 1;

  for (int i = 0; i < batch->n; i++) {
    one.index = batch->index + i;
    mho_err err = learn_from(t, &one, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* Passes that come before the epoch's own. */
static int passes_before(const mho_trainer *t) {
  const mho_rule *rule = t->learner->rule;
  return rule->feedback_passes ? rule->feedback_passes(t->net, t->at.epoch) : 0;
}

static void show_progress(const mho_trainer *t, int batches) {
  const mho_epoch_sums *sums = &t->at.sums;
  char note[64] = "";
  if (sums->samples)
    snprintf(note, sizeof note, "loss %.4f", sums->loss / (double)sums->samples);
  mho_progress(t->ctx, sums->samples ? "train" : "feedback", (long)t->at.batch, batches, note);
}

/* The next of `batches` batches of at most `size` samples: settle, then update. */
static mho_err train_batch(mho_trainer *t, int size, int batches, mho_errinfo *ei) {
  const mho_images *images = &t->data.train;
  const mho_dataset_config *data = &t->e->dataset_config;
  mho_rng rng = mho__stream_augmented(t->order.seed);
  int first = (int)t->at.batch * size;
  mho_batch b = {.images = images,
                 .index = t->order.sample + first,
                 .augment = data->crop > 0 || data->flip ? &rng : NULL,
                 .n = mho_min(images->n - first, size),
                 .learn = true,
                 .feedback = t->at.pass < passes_before(t),
                 .metered = true,
                 .trains = true,
                 .update = (uint64_t)t->at.update};

  if (mho__learner_calibration_due(t->learner, t->at.update))
    mho__learner_calibrate(t->learner, &b);

  mho_err err =
      t->learner->applies == MHO_APPLY_SAMPLE ? learn_one_by_one(t, &b, ei) : learn_from(t, &b, ei);
  if (err)
    return err;
  t->at.batch++;
  mho__spike_rates_warn(t, t->at.batch == batches);

  show_progress(t, batches);
  if (mho_stopped(t->ctx) && t->at.batch < batches)
    return mho_fail(ei, MHO_EINTERRUPTED, "interrupted in epoch %d after batch %lld of %d",
                    t->at.epoch + 1, (long long)t->at.batch, batches);
  return MHO_OK;
}

/* The rest of a pass. */
static mho_err finish_pass(mho_trainer *t, int size, int batches, mho_errinfo *ei) {
  while (t->at.batch < batches) {
    mho_err err = train_batch(t, size, batches, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* The rest of all passes of an epoch. */
static mho_err finish_epoch(mho_trainer *t, int size, int batches, mho_errinfo *ei) {
  int before = passes_before(t);
  while (t->at.pass < before) {
    mho_err err = finish_pass(t, size, batches, ei);
    if (err)
      return err;
    t->at.pass++;
    t->at.batch = 0;
  }
  return finish_pass(t, size, batches, ei);
}

mho_err mho_trainer_epoch(mho_trainer *t, mho_epoch_row *row, mho_errinfo *ei) {
  int size = (int)t->e->train.batch, batches = ceil_div(t->data.train.n, size);
  mho_err err = MHO_OK;
  bool is_beyond = t->at.batch > 0 && t->at.batch >= batches;
  if (is_beyond || t->at.pass > passes_before(t))
    return mho_fail(ei, MHO_EDATA,
                    "the checkpoint stands after batch %lld of an epoch that has %d: it is "
                    "damaged, or belongs to another config",
                    (long long)t->at.batch, batches);

  mho__order_draw(&t->order, t->at.epoch);
  if (t->at.batch == 0 && t->at.pass == 0)
    err = begin_epoch(t, ei);
  if (err)
    return err;

  double start = mho_seconds(), before = t->at.sums.wall_s;
  err = finish_epoch(t, size, batches, ei);
  if (!err)
    mho__updater_rest(t->updater);
  t->at.sums.wall_s = before + mho_seconds() - start;
  fill_row(t, row);
  if (err != MHO_EINTERRUPTED) {
    warn_of_credits(t);
    warn_of_controls(t);
  }
  if (err)
    return err;

  t->at.epoch++;
  t->at.batch = t->at.pass = 0;
  return MHO_OK;
}
