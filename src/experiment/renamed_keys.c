/* renamed_keys.c - keys under the names that they had in earlier releases.
 *
 * A config that a person wrote may use either name. A config that an earlier release printed or
 * stored has every key, so that it has both names wherever two keys have become one: there the
 * earlier one counts where it says something, which is when it is not what it was by default.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "experiment/config_file.h"

typedef struct renamed {
  const char *before, *now;
  const char *unit;    /* of a quantity; NULL: a word */
  const char *initial; /* what `before` was by default */
  const char *other;   /* what `now` was by default, where the two have become one; else NULL */
  const char *own;     /* a key of the model that says the same; nullable */
} renamed;

static const renamed keys[] = {
    {"energy.set_voltage", "device.pulse.set_voltage", "V", "0", NULL, "device.v_set"},
    {"energy.reset_voltage", "device.pulse.reset_voltage", "V", "0", NULL, "device.v_reset"},
    {"energy.pulse_width", "device.pulse.width", "s", "0", NULL, "device.width"},
    {"energy.select", "array.write.select", NULL, "half", NULL, NULL},
    {"settle.noise.average", "settle.average", NULL, "0", NULL, NULL},
    {"settle.v_read", "array.read_voltage", "V", "0.2", "0.2", NULL},
};

const char *mho__config_present_name(const char *key) {
  for (int i = 0; i < MHO_COUNT(keys); i++)
    if (!strcmp(key, keys[i].before))
      return keys[i].now;
  return key;
}

/* Whether a key says what was the default, which is written without a unit here. */
static bool says(const mho_config_key *key, const char *initial, const char *unit) {
  double given, usual;
  if (!unit)
    return !strcmp(key->text, initial);
  return !mho_quantity_parse(key->text, unit, true, &given, NULL) &&
         !mho_quantity_parse(initial, unit, true, &usual, NULL) && given == usual;
}

/* Whether pulses are what writes, as far as the config says so. */
static bool pulses(const mho_config *c) {
  const mho_config_key *scheme = mho__config_find(c, "update.scheme");
  return scheme && strcmp(scheme->text, "exact");
}

/* Whether the earlier name says nothing: it is a default beside the present name, or there is
 * nothing left for it to say. How cells are picked changes what is written, so that a stored config
 * keeps what it has under the present name. */
static bool is_silent(const mho_config *c, const renamed *r, bool bare) {
  const mho_config_key *before = mho__config_find(c, r->before);
  const mho_config_key *now = mho__config_find(c, r->now);
  if ((now || bare) && !before->is_override && says(before, r->initial, r->unit))
    return true;
  if (bare && r->own && mho__config_find(c, r->own))
    return true;
  return !strcmp(r->now, "array.write.select") && (bare || !pulses(c));
}

/* Whether the present name says what was its default beside the earlier one. */
static bool now_is_silent(const mho_config *c, const renamed *r) {
  return r->other && says(mho__config_find(c, r->now), r->other, r->unit);
}

/* Whether the earlier name counts where both say something. */
static mho_err choose(const mho_config *c, const renamed *r, bool bare, bool *earlier,
                      mho_errinfo *ei) {
  const mho_config_key *before = mho__config_find(c, r->before);
  const mho_config_key *now = mho__config_find(c, r->now);

  if (bare) {
    *earlier = now_is_silent(c, r);
    return MHO_OK;
  }

  *earlier = before->is_override && !now->is_override;
  if (before->is_override != now->is_override || !strcmp(before->text, now->text))
    return MHO_OK;

  if (now_is_silent(c, r)) {
    *earlier = true;
    return MHO_OK;
  }
  return mho_fail_at(ei, MHO_ECONFIG, before->file, before->line,
                     "%s is an earlier name of %s, which is set too: leave one of them out",
                     r->before, r->now);
}

/* Give the key its present name. */
static mho_err change_path(mho_config *c, const renamed *r, mho_errinfo *ei) {
  char *path = strdup(r->now);
  if (!path)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a config");

  for (int i = 0; i < c->n; i++)
    if (!strcmp(c->key[i].path, r->before)) {
      free(c->key[i].path);
      c->key[i].path = path;
      return MHO_OK;
    }

  free(path);
  return MHO_OK;
}

static mho_err rename_key(mho_config *c, const renamed *r, bool bare, mho_errinfo *ei) {
  bool earlier = true;
  if (is_silent(c, r, bare)) {
    mho_config_forget(c, r->before);
    return MHO_OK;
  }

  mho_err err = mho__config_find(c, r->now) ? choose(c, r, bare, &earlier, ei) : MHO_OK;
  if (err)
    return err;

  mho_config_forget(c, earlier ? r->now : r->before);
  return earlier ? change_path(c, r, ei) : MHO_OK;
}

mho_err mho__config_rename(mho_config *c, bool bare, mho_errinfo *ei) {
  for (int i = 0; i < MHO_COUNT(keys); i++) {
    if (!mho__config_find(c, keys[i].before))
      continue;

    mho_err err = rename_key(c, &keys[i], bare, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}
