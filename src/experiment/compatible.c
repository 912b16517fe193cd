/* compatible.c - what the sections of a config must fit together in.
 *
 * Every registered thing that is chosen is asked: its kind for what all of the kind need of the
 * others (rule_check.c, settler_check.c, ..., in the kind's folder), then its own mho_entry.check.
 * Here is what no kind can say. The first error is the one that is reported, with its place in the
 * config.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiment/compatible.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "array/array_check.h"
#include "array/mapping_check.h"
#include "dynamics/dynamics_check.h"
#include "experiment/config_file.h"
#include "experiment/sections.h"
#include "network/topology_check.h"
#include "rule/rule_check.h"
#include "settle/settler_check.h"

/* What the checks look at. */
typedef struct subject {
  const mho_config *c;
  mho_experiment *e;
  mho_errinfo *ei;
} subject;

/* ---------------------------------------------------------------- errors and their places */

/* An error at a key of the config, or without a place where the key is not set. */
static mho_err at_key(const subject *s, const char *section, const char *name, const char *format,
                      ...) MHO_PRINTF(4, 5);
static mho_err at_key(const subject *s, const char *section, const char *name, const char *format,
                      ...) {
  const mho_config_key *key = mho__config_find_in(s->c, section, name);
  char message[MHO_MESSAGE_MAX];
  va_list args;

  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);

  return mho_fail_at(s->ei, MHO_ECONFIG, key ? key->file : NULL, key ? key->line : 0, "%s",
                     message);
}

/* The first key of a section that a sentence names and that is set; NULL: none. */
static const mho_config_key *key_in(const subject *s, const char *section, const char *message) {
  char prefix[64], name[128];
  snprintf(prefix, sizeof prefix, "%s.", section);

  for (const char *at = strstr(message, prefix); at; at = strstr(at + 1, prefix)) {
    const char *name_at = at + strlen(prefix);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(name_at, ":;, ("), name_at);
    const mho_config_key *key = mho__config_find_in(s->c, section, name);
    if (key)
      return key;
  }
  return NULL;
}

/* The key that a sentence begins with; NULL: it is not set. */
static const mho_config_key *key_of(const subject *s, const char *message) {
  char path[128];
  snprintf(path, sizeof path, "%.*s", (int)strcspn(message, ":"), message);
  return mho__config_find(s->c, path);
}

/* What a registered thing says: where it says itself, else at the key that the sentence begins
 * with, else at the first one of its section or of any that it names, whichever is set; else at the
 * word that chose the thing. */
static mho_err at_named_key(const subject *s, const char *section, const char *word, mho_err err,
                            const mho_errinfo *why) {
  const char *message = why->message;
  if (*why->file) /* a table of the user's */
    return mho_fail_at(s->ei, err, why->file, why->line, "%s", message);

  const mho_config_key *key = key_of(s, message);
  if (!key)
    key = key_in(s, section, message);
  for (int i = 0; i < mho__n_sections; i++)
    if (!key)
      key = key_in(s, mho__sections[i].name, message);
  if (!key)
    key = mho__config_find_in(s->c, section, word);
  return mho_fail_at(s->ei, MHO_ECONFIG, key ? key->file : NULL, key ? key->line : 0, "%s",
                     message);
}

/* ---------------------------------------------------------------- what follows from other keys */

static bool is_set(const subject *s, const char *section, const char *name) {
  return mho__config_find_in(s->c, section, name) != NULL;
}

/* A device whose parameters name its conductances has their range, unless the config says another
 * one. */
static mho_err range_follows(const subject *s) {
  const mho_device_model *device = (const mho_device_model *)s->e->device.entry;
  mho_device_config *c = &s->e->device_config;
  mho_errinfo why = {0};
  if (!device->range || is_set(s, "device", "g_min") || is_set(s, "device", "g_max"))
    return MHO_OK;

  mho_err err = device->range(s->e->device.params, &c->g_min, &c->g_max, &why);
  return err ? at_named_key(s, "device", "model", err, &why) : MHO_OK;
}

/* Where output and loss are not set they follow: linear from values and from the squared error, and
 * the loss from the output. */
static mho_err read_out_follows(const subject *s) {
  const mho_dataset_kind *data = (const mho_dataset_kind *)s->e->dataset.entry;
  bool has_values = data->has_values && data->has_values(s->e->dataset.params);
  mho_network_config *c = &s->e->network;

  if (!is_set(s, "network", "output") && (has_values || c->loss == MHO_LOSS_SQUARED))
    c->output = MHO_OUTPUT_LINEAR;
  if (!is_set(s, "network", "loss"))
    c->loss = c->output == MHO_OUTPUT_SOFTMAX ? MHO_LOSS_CROSS_ENTROPY : MHO_LOSS_SQUARED;
  return MHO_OK;
}

static mho_err loss_fits_output(const subject *s) {
  static const char *const words[] = {"softmax", "linear",   "state",   "votes",
                                      "counts",  "membrane", "goodness"};
  const mho_network_config *c = &s->e->network;
  bool is_softmax = c->output == MHO_OUTPUT_SOFTMAX, is_squared = c->loss == MHO_LOSS_SQUARED;
  if (is_softmax != is_squared)
    return MHO_OK;
  if (!is_softmax)
    return at_key(s, "network", "loss",
                  "network.loss: cross_entropy is of probabilities, which network.output %s "
                  "does not answer: use squared, or network.output softmax",
                  words[c->output]);
  return at_key(s, "network", "loss",
                "network.loss: squared is of numbers, and network.output softmax answers "
                "probabilities: use cross_entropy, or network.output linear");
}

/* ---------------------------------------------------------------- what no kind says */

static mho_err batch_has_samples(const subject *s) {
  int64_t batch = s->e->train.batch, used = s->e->dataset_config.train;
  if (used <= 0 || batch <= used)
    return MHO_OK;
  return at_key(s, "train", "batch", "train.batch: %lld samples, but dataset.train uses only %lld",
                (long long)batch, (long long)used);
}

static mho_err tile_has_two_sides(const subject *s) {
  int n = s->e->array_config.wire_tile.n;
  if (n == 1 || n == 2)
    return MHO_OK;
  return at_key(s, "array", "wire.tile",
                "array.wire.tile: expected rows and columns, for example [128, 128]");
}

static mho_err network_has_a_hidden_layer(const subject *s) {
  if (s->e->network.hidden.n >= 1)
    return MHO_OK;
  return at_key(s, "network", "hidden",
                "network.hidden: give at least one hidden layer, for example [128]");
}

/* Converters between hidden layers belong to a clock. Earlier releases have stored configs without,
 * which must open: so no settler says this. */
static mho_err converters_have_a_clock(const subject *s) {
  const mho_array_model *array = (const mho_array_model *)s->e->array.entry;
  const mho_settler *settler = (const mho_settler *)s->e->settler.entry;
  mho_array_converters converters = mho_array_converters_of(array, s->e->array.params);

  if (!settler->in_time || converters.analog || !(converters.dac_bits || converters.adc_bits))
    return MHO_OK;

  return at_key(s, "array", converters.adc_bits ? "adc_bits" : "dac_bits",
                "array.coupling: digital neurons behind converters are clocked, "
                "and settle.method ode has no clock: use array.coupling analog, "
                "or leave dac_bits and adc_bits at 0");
}

/* ---------------------------------------------------------------- what registered things say */

static mho_err check_device(const mho_experiment *e, mho_errinfo *ei) {
  const mho_device_model *model = (const mho_device_model *)e->device.entry;
  return mho_device_check(model, e->device.params, &e->device_config, ei);
}

/* What every thing of a kind is checked for, before its own mho_entry.check. */
static mho_err (*const of_kind[MHO_KIND_COUNT])(const mho_experiment *e, mho_errinfo *ei) = {
    [MHO_KIND_ARRAY] = mho__array_check,       [MHO_KIND_DEVICE] = check_device,
    [MHO_KIND_SCHEME] = mho_scheme_check,      [MHO_KIND_RULE] = mho__rule_check,
    [MHO_KIND_SETTLER] = mho__settler_check,   [MHO_KIND_DYNAMICS] = mho__dynamics_check,
    [MHO_KIND_TOPOLOGY] = mho__topology_check, [MHO_KIND_MAPPING] = mho__mapping_check,
};

/* What a thing that a section chooses is checked for. */
static mho_err check_chosen(const subject *s, const mho_section *section, int selector) {
  mho_kind kind = section->selector[selector].kind;
  const mho_entry *entry = mho__section_choice(section, selector, s->e)->entry;
  mho_errinfo why = {0};

  mho_err err = of_kind[kind] ? of_kind[kind](s->e, &why) : MHO_OK;
  if (!err && entry->check)
    err = entry->check(s->e, &why);
  return err ? at_named_key(s, section->name, section->selector[selector].key, err, &why) : MHO_OK;
}

/* Every registered thing that is chosen, from the hardware up to the data. */
static mho_err chosen_things_fit(const subject *s) {
  for (int kind = MHO_KIND_COUNT - 1; kind >= 0; kind--)
    for (int i = 0; i < mho__n_sections; i++) {
      const mho_section *section = &mho__sections[i];
      int selectors = mho__section_selectors(section);
      for (int k = 0; k < selectors; k++) {
        bool is_its = (int)section->selector[k].kind == kind;
        mho_err err = is_its ? check_chosen(s, section, k) : MHO_OK;
        if (err)
          return err;
      }
    }
  return MHO_OK;
}

/* ---------------------------------------------------------------- all of them */

static const struct check {
  mho_err (*check)(const subject *s);
  bool of_new; /* only of configs that are not stored: earlier releases have stored others */
} checks[] = {
    {range_follows},
    {read_out_follows},
    {chosen_things_fit},
    {loss_fits_output},
    {batch_has_samples},
    {tile_has_two_sides},
    {network_has_a_hidden_layer},
    {converters_have_a_clock, .of_new = true},
};

mho_err mho__experiment_fit(const mho_config *c, bool bare, mho_experiment *e, mho_errinfo *ei) {
  subject s = {.c = c, .e = e, .ei = ei};

  for (int i = 0; i < MHO_COUNT(checks); i++) {
    if (bare && checks[i].of_new)
      continue;
    mho_err err = checks[i].check(&s);
    if (err)
      return err;
  }
  return MHO_OK;
}
