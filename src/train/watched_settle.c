/* watched_settle.c - settling for its own sake: times and energies of samples, and one sample
 * watched.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "train/trainer.h"

/* ---------------------------------------------------------------- samples in continuous time */

/* Records of samples first .. first+n-1, whose times and energies are given; the sum of the
 * energies. */
static double record_samples(int epoch, int first, int n, const double *time, const double *energy,
                             mho_settle_sample *samples, double joules) {
  for (int i = 0; i < n; i++) {
    samples[first + i] = (mho_settle_sample){.epoch = epoch,
                                             .phase = "free",
                                             .sample = first + i,
                                             .settled = isfinite(time[i]),
                                             .time_s = time[i],
                                             .energy_j = energy[i]};
    joules += energy[i];
  }
  return joules;
}

/* Settle the first n images with the watch that the trainer has. */
static mho_err settle_samples(mho_trainer *t, const mho_images *images, int n, mho_settle_row *row,
                              mho_settle_sample *samples, mho_errinfo *ei) {
  const mho_learner *learner = t->learner;
  mho_rule_stats sum = {0};
  double joules = 0;

  for (int first = 0; first < n; first += learner->capacity) {
    if (mho_stopped(t->ctx))
      return mho_fail(ei, MHO_EINTERRUPTED, "interrupted after %d of %d images", first, n);
    int m = mho_min(n - first, learner->capacity);
    mho_rule_stats s;
    mho_err err = mho__trainer_settle(t, images, first, m, false, &s, ei);
    if (err)
      return err;
    mho__rule_stats_add(&sum, &s);
    joules = record_samples(row->epoch, first, m, learner->watch.time, learner->watch.energy,
                            samples, joules);
  }

  row->steps_mean = sum.free.steps / n;
  row->steps_max = NAN; /* the samples of a group share their steps */
  row->residual_max = sum.free.residual;
  row->time_s = sum.free.timed ? sum.free.time / (double)sum.free.timed : (double)NAN;
  row->energy_j = joules / n;
  row->unsettled = sum.free.unsettled;
  return MHO_OK;
}

mho_err mho_trainer_observe_circuit(mho_trainer *t, const mho_images *images, int n,
                                    mho_settle_row *row, mho_settle_sample *samples,
                                    mho_errinfo *ei) {
  mho_power power = {0};
  size_t capacity = (size_t)t->learner->capacity;
  double *time = mho_alloc(capacity, sizeof *time), *energy = mho_alloc(capacity, sizeof *energy);
  mho_err err;

  if (time && energy)
    err = mho__power_new(t, &power, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory for settling times");

  if (!err) {
    t->learner->watch = (mho_probe){.time = time, .energy = energy, .power = &power};
    err = settle_samples(t, images, n, row, samples, ei);
    t->learner->watch = (mho_probe){0};
    mho__power_free(t->net, &power);
  }

  mho_free(time);
  mho_free(energy);
  return err;
}

/* ---------------------------------------------------------------- one sample */

static void trace_free(const mho_network *net, mho_trace *trace) {
  for (int l = 0; trace->z && l < net->n_layers; l++)
    mho_free(trace->z[l]);
  mho_free(trace->z);
}

/* Room for the states of the hidden layers. */
static mho_err trace_new(const mho_network *net, mho_trace *trace, mho_errinfo *ei) {
  trace->z = mho_alloc((size_t)net->n_layers, sizeof *trace->z);
  bool has_all = trace->z != NULL;
  int hidden_end = has_all ? mho_hidden_end(net) : 1;

  for (int l = 1; l < hidden_end; l++) {
    trace->z[l] = mho_alloc((size_t)net->layer[l].n, sizeof *trace->z[l]);
    has_all &= trace->z[l] != NULL;
  }
  return has_all ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory to watch a settle");
}

/* Settle one sample with its trace. Two states are watched, not their difference; where there is no
 * room for two, the nudged one stays unseen. A rule that contrasts predicts, without a label, and
 * so does one that tries, whose trials are of other weights. */
static mho_err watch_sample(mho_trainer *t, const mho_images *images, int sample, bool learn,
                            const mho_power *power, mho_trace *trace, mho_watched *out,
                            mho_errinfo *ei) {
  double time = NAN, energy = NAN;
  mho_learner *learner = t->learner;
  bool predicts = learner->rule->contrasts || learner->rule->trial;
  bool direct = learner->direct, learns = learn && !predicts;

  learner->direct = direct && !mho__learner_has_nudged(learner);
  learner->watch = (mho_probe){.time = &time, .energy = &energy, .power = power, .trace = trace};
  mho_rule_stats s;
  mho_err err = mho__trainer_settle(t, images, sample, 1, learns, &s, ei);
  learner->watch = (mho_probe){0};
  learner->direct = direct;

  *out = (mho_watched){.label = learner->value ? -1 : learner->label[0],
                       .loss = s.loss,
                       .correct = s.correct > 0,
                       .steps = s.free.steps,
                       .unsettled = s.free.unsettled > 0 || s.nudged.unsettled > 0,
                       .time_s = time,
                       .energy_j = energy};
  return err;
}

mho_err mho__trainer_watch(mho_trainer *t, const mho_images *images, int sample, bool learn,
                           void (*point)(void *user, const mho_trace_point *p), void *user,
                           mho_watched *out, mho_errinfo *ei) {
  if (sample < 0 || sample >= images->n)
    return mho_fail(ei, MHO_EINVAL, "there is no sample %d: there are %d, from 0", sample,
                    images->n);

  mho_trace trace = {.point = point, .user = user};
  mho_power power = {0};
  mho_err err = trace_new(t->net, &trace, ei);
  if (!err)
    err = mho__power_new(t, &power, ei);
  if (!err) {
    err = watch_sample(t, images, sample, learn, &power, &trace, out, ei);
    mho__power_free(t->net, &power);
  }

  trace_free(t->net, &trace);
  return err;
}

mho_err mho_trainer_watch(mho_trainer *t, const mho_images *images, int sample,
                          void (*point)(void *user, const mho_trace_point *p), void *user,
                          mho_watched *out, mho_errinfo *ei) {
  return mho__trainer_watch(t, images, sample, true, point, user, out, ei);
}

mho_err mho__trainer_watch_training(mho_trainer *t, const mho_images *images, int sample,
                                    void (*point)(void *user, const mho_trace_point *p), void *user,
                                    mho_errinfo *ei) {
  if (sample < 0 || sample >= images->n)
    return mho_fail(ei, MHO_EINVAL, "there is no sample %d: there are %d, from 0", sample,
                    images->n);

  mho_trace trace = {.point = point, .user = user};
  mho_batch b = {.images = images,
                 .first = sample,
                 .n = 1,
                 .learn = true,
                 .trains = true,
                 .update = (uint64_t)t->at.update};
  mho_rule_stats unused;
  mho_err err = trace_new(t->net, &trace, ei);
  if (!err) {
    mho__calibrate_at_rest(t);
    t->learner->watch = (mho_probe){.trace = &trace};
    err = mho__learner_run(t->learner, &b, &unused, ei);
    t->learner->watch = (mho_probe){0};
  }
  trace_free(t->net, &trace);
  return err;
}
