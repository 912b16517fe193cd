/* stored_experiment.c - the experiment of a stored run, and what may be changed in it without
 * misreading the state that is stored.
 *
 * A checkpoint holds normalized conductances, or weights. What they mean is in the config of their
 * run: read under another model, mapping, range, number of levels, devices of a cell or network
 * they would be something else. What only changes how they are read (noise, I-V law, drift,
 * converters, wires, settling) is free.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mho/model/check.h"
#include "mho/train.h"

enum { DIFFERENCES_MAX = 256, SETS_MAX = 512 };

/* What a changed key does to a stored state. */
typedef enum effect {
  READS,   /* nothing: it says how the state is read */
  MEANS,   /* makes it another state */
  WRITES,  /* acts while cells are made or written, which is over */
  LEARNS,  /* acts while weights are learned */
  NETWORK, /* makes it another network */
  CHIP     /* makes it another chip */
} effect;

static bool is_one_of(const char *name, const char *const *words, int n) {
  for (int i = 0; i < n; i++)
    if (!strcmp(name, words[i]))
      return true;
  return false;
}

static bool begins_with(const char *name, const char *head) {
  return !strncmp(name, head, strlen(head));
}

static effect effect_in_device(const mho_difference *d) {
  static const char *const meaning[] = {"model", "card",  "mapping", "weight_range", "g_min",
                                        "g_max", "start", "levels",  "zero_shift"};
  if (begins_with(d->name, "cells."))
    return MEANS;
  if (begins_with(d->name, "read_noise.") || begins_with(d->name, "iv.") ||
      begins_with(d->name, "drift."))
    return READS;
  return is_one_of(d->name, meaning, MHO_COUNT(meaning)) ? MEANS : WRITES;
}

static effect effect_of(const mho_difference *d) {
  static const char *const reading[] = {"neuron", "output", "loss", "forward_scale"};
  static const char *const seeds[] = {"seed", "seeds.weights", "seeds.chip"};
  static const char *const learning[] = {"optimizer", "scheme",       "variant",
                                         "gamma",     "fast_mapping", "chop_in",
                                         "chop_out",  "symmetry",     "symmetry_error"};

  if (!strcmp(d->section, "device"))
    return effect_in_device(d);
  if (!strcmp(d->section, "network"))
    return is_one_of(d->name, reading, MHO_COUNT(reading)) ? READS : NETWORK;
  if (!strcmp(d->section, "train"))
    return is_one_of(d->name, seeds, MHO_COUNT(seeds)) ? CHIP : READS;
  if (!strcmp(d->section, "update"))
    return is_one_of(d->name, learning, MHO_COUNT(learning)) ? LEARNS : READS;
  return READS;
}

static bool is_of_device(const mho_difference *d, const char *name) {
  return !strcmp(d->section, "device") && !strcmp(d->name, name);
}

/* " --set KEY=VALUE" of the key, which names a whole device; "" where it is not among the
 * differences. */
static void cure_by(const char *name, const mho_difference *d, int n, char *out, size_t capacity) {
  *out = 0;
  for (int i = 0; i < n; i++)
    if (is_of_device(&d[i], name) && *d[i].b)
      mho_text_append(out, capacity, " --set device.%s=%s", name, d[i].b);
}

/* " --set KEY=VALUE" of all differences that need the weights to be written anew; a new card or
 * model brings the others, and without devices there must be one.
 * @param devices  whether the experiment that was asked for has some. */
static void cure(const mho_difference *d, int n, bool devices, char *out, size_t capacity) {
  cure_by("card", d, n, out, capacity);
  if (!*out)
    cure_by("model", d, n, out, capacity);
  if (*out)
    return;

  if (!devices)
    mho_text_append(out, capacity, " --set device.model=linear");
  for (int i = 0; i < n; i++) {
    effect e = effect_of(&d[i]);
    const char *quote = strchr(d[i].b, ' ') ? "'" : "";
    if (e == MEANS || e == WRITES)
      mho_text_append(out, capacity, " --set %s%s.%s=%s%s", quote, d[i].section, d[i].name, d[i].b,
                      quote);
  }
}

/* Whether a difference leaves the state of a run what it is; sets: what would write its weights
 * anew. */
static mho_err check(const mho_difference *d, const char *run, const char *sets, mho_errinfo *ei) {
  switch (effect_of(d)) {
  case READS:
    break;

  case MEANS:
    return mho_fail(ei, MHO_ECONFIG,
                    "device.%s: what is stored of run %s is the state of its own device (%s), no "
                    "other reads the same weights from it; mho program %s%s writes them onto that "
                    "one and evaluates it",
                    d->name, run, *d->a ? d->a : "none", run, sets);

  case WRITES:
    return mho_fail(ei, MHO_ECONFIG,
                    "device.%s: acts while cells are made or written, and those of run %s are "
                    "stored as they are; mho program %s%s writes its weights onto such a chip and "
                    "evaluates it",
                    d->name, run, run, sets);

  case LEARNS:
    return mho_fail(ei, MHO_ECONFIG,
                    "update.%s: weights are learned with it ('%s' in run %s), and a stored "
                    "network stays as it learned: leave it out, or mho train --from %s --set "
                    "update.%s=%s",
                    d->name, d->a, run, run, d->name, d->b);

  case NETWORK:
    return mho_fail(ei, MHO_ECONFIG,
                    "network.%s: run %s is of another network (%s): leave it out, or train one "
                    "with mho train --set 'network.%s=%s'",
                    d->name, run, d->a, d->name, d->b);

  case CHIP:
    return mho_fail(ei, MHO_ECONFIG,
                    "train.%s: run %s is on its own chip: mho program %s puts its weights onto "
                    "new ones; other noise of reads comes with train.seeds.noise",
                    d->name, run, run);
  }
  return MHO_OK;
}

mho_err mho_train_state_fits(const char *run, const mho_experiment *stored,
                             const mho_experiment *asked, mho_errinfo *ei) {
  char sets[SETS_MAX];
  mho_err err = MHO_OK;
  mho_difference *d = mho_alloc(DIFFERENCES_MAX, sizeof *d);
  if (!d)
    return mho_fail(ei, MHO_ENOMEM, "no memory to compare configs");

  int n = mho_experiment_differences(stored, asked, DIFFERENCES_MAX, d);
  const mho_device_model *model = (const mho_device_model *)asked->device.entry;
  cure(d, n, model->pulse != NULL, sets, sizeof sets);
  for (int i = 0; i < n; i++) {
    err = check(&d[i], run, sets, ei);
    if (err)
      break;
  }

  mho_free(d);
  return err;
}

/* The config of a stored run with overrides on top, which are written as users write, with
 * units. */
static mho_err with_overrides(const mho_registry *r, const mho_experiment *stored, const char *from,
                              int n, const char *const *overrides, mho_experiment **out,
                              mho_errinfo *ei) {
  mho_config *c = NULL;
  mho_err err = mho_config_of_experiment(stored, from, &c, ei);
  for (int i = 0; i < n; i++) {
    if (err)
      break;
    err = mho_config_set(c, overrides[i], ei);
  }
  if (!err)
    err = mho_experiment_new(r, c, false, out, ei);

  mho_config_free(c);
  return err;
}

/* The experiment as it was trained; origin [64]: what stands for the file in messages. */
static mho_err read_stored(mho_store *s, const mho_registry *r, const char *run_id, char *origin,
                           mho_experiment **out, mho_errinfo *ei) {
  mho_run_row row;
  mho_err err = mho_store_run_get(s, run_id, &row, ei);
  if (err)
    return err;

  snprintf(origin, 64, "the config of run %s", run_id);
  err = mho_experiment_of_json(r, row.config, origin, out, ei);
  mho_run_row_free(&row);
  return err;
}

/* state: the overrides must leave the stored state what it is. */
static mho_err stored_experiment(mho_store *s, const mho_registry *r, const char *run_id, int n,
                                 const char *const *overrides, bool state, mho_experiment **out,
                                 mho_errinfo *ei) {
  mho_experiment *stored = NULL;
  char origin[64];
  *out = NULL;

  mho_err err = read_stored(s, r, run_id, origin, &stored, ei);
  if (err || n == 0) {
    *out = stored;
    return err;
  }

  err = with_overrides(r, stored, origin, n, overrides, out, ei);
  if (!err && state)
    err = mho_train_state_fits(run_id, stored, *out, ei);
  if (err) {
    mho_experiment_free(*out);
    *out = NULL;
  }

  mho_experiment_free(stored);
  return err;
}

mho_err mho_train_stored_experiment(mho_store *s, const mho_registry *r, const char *run_id, int n,
                                    const char *const *overrides, mho_experiment **out,
                                    mho_errinfo *ei) {
  return stored_experiment(s, r, run_id, n, overrides, true, out, ei);
}

mho_err mho_train_stored_variant(mho_store *s, const mho_registry *r, const char *run_id, int n,
                                 const char *const *overrides, mho_experiment **out,
                                 mho_errinfo *ei) {
  return stored_experiment(s, r, run_id, n, overrides, false, out, ei);
}
