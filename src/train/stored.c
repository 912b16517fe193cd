/* stored.c - the experiment of a stored run, and what may be changed in it without misreading the
 * state that is stored.
 *
 * A checkpoint holds normalized conductances, or weights. What they mean is in the config of their
 * run: read under another model, mapping, range, number of levels or network they would be
 * something else. What only changes how they are read (noise, I-V law, drift, converters, wires,
 * settling) is free.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
  if (begins_with(d->name, "read_noise.") || begins_with(d->name, "iv.") ||
      begins_with(d->name, "drift."))
    return READS;
  return is_one_of(d->name, meaning, MHO_COUNT(meaning)) ? MEANS : WRITES;
}

static effect effect_of(const mho_difference *d) {
  static const char *const reading[] = {"neuron", "output", "forward_scale"};
  static const char *const seeds[] = {"seed", "seeds.weights", "seeds.chip"};
  static const char *const learning[] = {"optimizer", "scheme"};
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

/* " --set KEY=VALUE" of all differences that need the weights to be written anew; a new card or
 * model brings the others. */
static void cure(const mho_difference *d, int n, char *out, size_t capacity) {
  static const char *const whole[] = {"card", "model"};
  *out = 0;
  for (int k = 0; k < MHO_COUNT(whole) && !*out; k++)
    for (int i = 0; i < n; i++)
      if (!strcmp(d[i].section, "device") && !strcmp(d[i].name, whole[k]) && *d[i].b)
        mho_text_append(out, capacity, " --set device.%s=%s", d[i].name, d[i].b);
  if (*out)
    return;
  for (int i = 0; i < n; i++) {
    effect e = effect_of(&d[i]);
    const char *quote = strchr(d[i].b, ' ') ? "'" : "";
    if (e == MEANS || e == WRITES)
      mho_text_append(out, capacity, " --set %s%s.%s=%s%s", quote, d[i].section, d[i].name, d[i].b,
                      quote);
  }
}

mho_err mho_train_state_fits(const char *run, const mho_experiment *stored,
                             const mho_experiment *asked, mho_errinfo *ei) {
  mho_difference *d = mho_alloc(DIFFERENCES_MAX, sizeof *d);
  if (!d)
    return mho_fail(ei, MHO_ENOMEM, "no memory to compare configs");
  int n = mho_experiment_differences(stored, asked, DIFFERENCES_MAX, d);
  mho_err err = MHO_OK;
  char sets[SETS_MAX];
  cure(d, n, sets, sizeof sets);
  for (int i = 0; i < n && !err; i++) {
    switch (effect_of(&d[i])) {
    case READS:
      break;
    case MEANS:
      err = mho_fail(ei, MHO_ECONFIG,
                     "device.%s: what is stored of run %s is the state of its own device (%s), no "
                     "other reads the same "
                     "weights from it; mho program %s%s writes them onto that one and evaluates it",
                     d[i].name, run, *d[i].a ? d[i].a : "none", run, sets);
      break;
    case WRITES:
      err = mho_fail(ei, MHO_ECONFIG,
                     "device.%s: acts while cells are made or written, and those of run %s are "
                     "stored as they are; mho "
                     "program %s%s writes its weights onto such a chip and evaluates it",
                     d[i].name, run, run, sets);
      break;
    case LEARNS:
      err = mho_fail(ei, MHO_ECONFIG,
                     "update.%s: acts while weights are learned ('%s' in run %s) and changes "
                     "nothing of a stored network: "
                     "leave it out, or mho train --from %s --set update.%s=%s",
                     d[i].name, d[i].a, run, run, d[i].name, d[i].b);
      break;
    case NETWORK:
      err = mho_fail(ei, MHO_ECONFIG,
                     "network.%s: run %s is of another network (%s): leave it out, or train one "
                     "with mho train --set "
                     "'network.%s=%s'",
                     d[i].name, run, d[i].a, d[i].name, d[i].b);
      break;
    case CHIP:
      err = mho_fail(ei, MHO_ECONFIG,
                     "train.%s: run %s is on its own chip: mho program %s puts its weights onto "
                     "new ones; other noise of "
                     "reads comes with train.seeds.noise",
                     d[i].name, run, run);
      break;
    }
  }
  mho_free(d);
  return err;
}

/* The config of a stored run with overrides on top, which are written as users write, with units.
 */
static mho_err with_overrides(const mho_registry *r, const mho_experiment *stored, const char *from,
                              int n, const char *const *overrides, mho_experiment **out,
                              mho_errinfo *ei) {
  mho_config *c = NULL;
  mho_err err = mho_config_of_experiment(stored, from, &c, ei);
  for (int i = 0; i < n && !err; i++)
    err = mho_config_set(c, overrides[i], ei);
  if (!err)
    err = mho_experiment_new(r, c, false, out, ei);
  mho_config_free(c);
  return err;
}

/* state: the overrides must leave the stored state what it is. */
static mho_err stored_experiment(mho_store *s, const mho_registry *r, const char *run_id, int n,
                                 const char *const *overrides, bool state, mho_experiment **out,
                                 mho_errinfo *ei) {
  mho_run_row row;
  mho_config *c = NULL;
  mho_experiment *stored = NULL;
  char origin[64];
  *out = NULL;
  mho_err err = mho_store_run_get(s, run_id, &row, ei);
  if (err)
    return err;
  snprintf(origin, sizeof origin, "the config of run %s", run_id);
  err = mho_config_new(&c, ei);
  if (!err)
    err = mho_config_text(c, row.config, origin, ei);
  if (!err)
    err = mho_experiment_new(r, c, true, &stored, ei);
  if (!err && n > 0)
    err = with_overrides(r, stored, origin, n, overrides, out, ei);
  if (!err && n > 0 && state)
    err = mho_train_state_fits(run_id, stored, *out, ei);
  if (!err && n == 0) {
    *out = stored;
    stored = NULL;
  }
  if (err) {
    mho_experiment_free(*out);
    *out = NULL;
  }
  mho_experiment_free(stored);
  mho_config_free(c);
  mho_run_row_free(&row);
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
