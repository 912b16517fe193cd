/* trainer_warnings.c - what of an experiment is not simulated, only roughly, or has no effect, as a
 * warning.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "settle/encoder.h"
#include "train/spike_rates.h"
#include "train/trainer.h"

/* The largest input of the training samples where they are numbers of a table; pixels are 0 to 1,
 * unless their spread is taken. */
static double largest_input(const mho_trainer *t) {
  const mho_dataset *d = &t->data;
  double largest = 0;
  if (!d->train.x) /* spikes are 1 */
    return 1;

  for (int i = 0; i < d->train.n; i++)
    for (int k = 0; k < d->features; k++) {
      double v = d->train.x[(size_t)i * (size_t)d->features + (size_t)k];
      if (d->feature_mean)
        v = (v - d->feature_mean[k]) / d->feature_spread[k];
      largest = fmax(largest, fabs(v));
    }
  return largest;
}

static void warn_of_inputs(const mho_trainer *t) {
  const mho_array_model *array = (const mho_array_model *)t->e->array.entry;
  mho_array_converters c = mho_array_converters_of(array, t->e->array.params);
  double largest = largest_input(t);

  if (c.dac_bits && t->data.train.x && largest > c.dac_range)
    mho_log(t->ctx, MHO_LOG_WARNING,
            "inputs of the training samples reach %.3g, and converters cut them at array.dac_range "
            "(%.3g): raise it, or scale the inputs",
            largest, c.dac_range);
}

/* What of the devices an array shows only roughly, or not at all. */
static void warn_of_array(const mho_trainer *t) {
  const mho_experiment *e = t->e;
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  bool pulsed = ((const mho_device_model *)e->device.entry)->pulse != NULL;

  if (array->shows_cells && pulsed && e->device_config.iv.law != MHO_IV_OHMIC && t->net->wired)
    mho_log(t->ctx, MHO_LOG_WARNING,
            "device.iv.law with array.wire: reads bend what goes into the wires' effective matrix, "
            "which is only close where wires take little; 'mho cosim --layer' says how close it is "
            "here");

  if (!strcmp(array->entry.id, "spice") && pulsed && mho_device_reads_noisy(&e->device_config))
    mho_log(t->ctx, MHO_LOG_WARNING,
            "array spice: its devices are resistors, and device.read_noise is not in them: "
            "use array periphery to read with it");
}

/* A device goes from level to level: pulses of less than half of what lies between two move
 * nothing. */
static void warn_of_levels(const mho_trainer *t) {
  const mho_experiment *e = t->e;
  const mho_device_config *d = &e->device_config;
  const mho_device_model *model = (const mho_device_model *)e->device.entry;
  bool pulsed = t->updater->scheme->needs_pulses || e->initial.how == MHO_INITIAL_SCHEME;

  if (!model->pulse || !pulsed || d->levels < 2)
    return;

  double step = mho_device_nominal_step(model, e->device.params, d);
  double apart = 1 / (double)(d->levels - 1);

  if (step < 0.5 * apart)
    mho_log(t->ctx, MHO_LOG_WARNING,
            "device.levels: a pulse moves %s by %.2g of its range, less than half of the %.2g "
            "between two levels, so that without noise no pulse moves anything: "
            "fewer, larger steps, or more levels",
            model->entry.id, step, apart);
}

/* Reads leave devices as they are here; a device that they would move deserves a word. */
static void warn_of_reads(const mho_trainer *t) {
  const mho_experiment *e = t->e;
  const mho_device_model *m = (const mho_device_model *)e->device.entry;
  const mho_neuron *neuron = (const mho_neuron *)e->neuron.entry;
  double volts = e->array_config.read_voltage, seconds = e->energy.read_time;
  double activity = fmax(fabs(neuron->low), fabs(neuron->high));
  activity = fmax(isfinite(activity) ? activity : 1, largest_input(t));

  double v = volts * activity;
  double moved = mho_device_read_disturb(m, e->device.params, &e->device_config, v, seconds);
  double limit = mho_device_read_limit(m, e->device.params, &e->device_config, v);

  if (moved > 0 && limit > 0)
    mho_log(t->ctx, MHO_LOG_WARNING,
            "a read of %.3g V (activity %.3g) for %.3g s (energy.read_time) would move %s by up to "
            "%.2g of its range, which is not simulated: lower array.read_voltage to %.3g V, below "
            "its threshold",
            v, activity, seconds, m->entry.id, moved, limit / activity);
  else if (moved > 0)
    mho_log(t->ctx, MHO_LOG_WARNING,
            "a read of %.3g V (activity %.3g) for %.3g s (energy.read_time) would move %s, which "
            "has no threshold, by up to %.2g of its range, which is not simulated: a lower "
            "array.read_voltage would move it less",
            v, activity, seconds, m->entry.id, moved);
}

/* A table in a wider range than its own: what begins outside of it has no step there. */
static void warn_of_range(const mho_trainer *t) {
  char sentence[MHO_MESSAGE_MAX];
  const mho_experiment *e = t->e;
  if (mho_device_range_is_wider((const mho_device_model *)e->device.entry, e->device.params,
                                &e->device_config, sentence, sizeof sentence))
    mho_log(t->ctx, MHO_LOG_WARNING, "%s", sentence);
}

/* Spikes of a dataset that are not played, or not all. */
typedef struct lost_events {
  int64_t all, late, merged; /* merged: in a step in which the unit has fired already */
} lost_events;

static void count_lost(const mho_images *images, double seconds, double dt, lost_events *lost) {
  for (int s = 0; s < images->n; s++) {
    mho_events e = mho_images_events(images, s);
    lost->all += e.n;
    for (int k = 0; k < e.n; k++) {
      const mho_event *event = &e.event[k];
      double step = dt > 0 ? mho__encode_step(event->time, dt) : 0;
      bool is_late = dt > 0 ? step > rint(seconds / dt) : event->time > seconds;
      bool is_next = k > 0 && event->unit == event[-1].unit;
      lost->late += is_late;
      lost->merged += dt > 0 && is_next && !is_late && step == mho__encode_step(event[-1].time, dt);
    }
  }
}

static void warn_of_events(const mho_trainer *t) {
  mho_timing clock;
  lost_events lost = {0};
  const mho_dataset *d = &t->data;
  if (!d->train.first || !mho__timing_of(t->e, &clock))
    return;

  bool by_clock = clock.dt > 0;
  double seconds = by_clock ? clock.steps * clock.dt : clock.seconds;
  const mho_images *const parts[] = {&d->train, &d->validation, &d->test};
  for (int i = 0; i < MHO_COUNT(parts); i++)
    count_lost(parts[i], seconds, clock.dt, &lost);

  if (lost.late)
    mho_log(t->ctx, MHO_LOG_WARNING,
            "%lld of %lld events come after %g s, when inputs end (%s), and are not played: "
            "raise it to play them",
            (long long)lost.late, (long long)lost.all, seconds,
            by_clock ? "settle.steps" : "settle.time");
  if (lost.merged)
    mho_log(t->ctx, MHO_LOG_WARNING,
            "%lld of %lld events fall into a step in which their unit has fired already, and are "
            "not played: a shorter settle.dt, or settle.method events, would",
            (long long)lost.merged, (long long)lost.all);
}

void mho__trainer_warn(const mho_trainer *t) {
  warn_of_range(t);
  warn_of_reads(t);
  warn_of_array(t);
  warn_of_levels(t);
  warn_of_inputs(t);
  warn_of_events(t);
}
