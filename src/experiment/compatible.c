/* compatible.c - what the sections of a config must fit together in.
 *
 * Every check is a function of its own; they run in the order of the table, and the first error is
 * the one that is reported. A few of them also fill in what follows from other keys and was not
 * set.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiment/compatible.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "experiment/config_file.h"
#include "experiment/sections.h"

/* What the checks look at. */
typedef struct subject {
  const mho_registry *registry;
  const mho_config *c;
  mho_experiment *e;
  const mho_device_model *device;
  const mho_array_model *array;
  const mho_topology *topology;
  const mho_dynamics *dynamics;
  const mho_settler *settler;
  const mho_rule *rule;
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

/* What a registered thing says: at the key that the sentence begins with, else at the first one of
 * its section or of any that it names, whichever is set; else at the word that chose the thing. */
static mho_err at_named_key(const subject *s, const char *section, const char *word,
                            const char *message) {
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

/* ---------------------------------------------------------------- devices and arrays */

static mho_err device_parameters(const subject *s) {
  mho_errinfo why = {0};
  mho_err err = mho_device_check(s->device, s->e->device.params, &s->e->device_config, &why);
  if (!err)
    return MHO_OK;
  if (*why.file) /* a table of the user's */
    return mho_fail_at(s->ei, err, why.file, why.line, "%s", why.message);
  return at_named_key(s, "device", "model", why.message);
}

static mho_err array_parameters(const subject *s) {
  mho_errinfo why = {0};
  if (s->array->check && s->array->check(s->e->array.params, &why))
    return at_named_key(s, "array", "model", why.message);
  return MHO_OK;
}

/* ---------------------------------------------------------------- rules and settlers */

/* When changes are applied is up to the rule, as far as the config may say. */
static mho_err rule_applies(const subject *s) {
  static const char *const words[] = {"batch", "sample", "step", "spike"};
  int applies = (int)mho_experiment_applies(s->e);
  int own = s->rule->applies ? (int)s->rule->applies : MHO_APPLY_BATCH;
  int can = own | s->rule->also_applies;
  char list[64] = "";
  if (applies & can)
    return MHO_OK;

  for (int i = 0; i < MHO_COUNT(words); i++)
    if (can & 1 << i)
      mho_text_append(list, sizeof list, "%s%s", *list ? " or " : "", words[i]);
  return at_key(s, "update", "apply",
                "update.apply: rule.name '%s' cannot apply changes then: use %s", s->rule->entry.id,
                list);
}

static mho_err dynamics_parameters(const subject *s) {
  mho_errinfo why = {0};
  if (s->dynamics->check && s->dynamics->check(s->e->dynamics.params, &why))
    return at_named_key(s, "dynamics", "name", why.message);
  return MHO_OK;
}

/* A rule that settles nothing passes activities forward as they are at rest. */
static mho_err rule_finds_rest(const subject *s) {
  if (!s->rule->feed_forward || s->dynamics->relax)
    return MHO_OK;
  return at_key(s, "rule", "name",
                "rule.name: '%s' passes activities forward as they are at rest, and the neurons of "
                "dynamics.name '%s' do not rest: use dynamics rate, or another rule",
                s->rule->entry.id, s->dynamics->entry.id);
}

static mho_err settler_finds_dynamics(const subject *s) {
  const char *what =
      s->rule->feed_forward ? NULL : s->settler->misses(s->dynamics, s->e->settler.params);
  if (!what)
    return MHO_OK;
  return at_key(s, "settle", "method",
                "settle.method: '%s' %s, which dynamics.name '%s' has not: set one of them to "
                "another (mho list settlers, mho list dynamics)",
                s->settler->entry.id, what, s->dynamics->entry.id);
}

static mho_err settler_parameters(const subject *s) {
  mho_errinfo why = {0};
  if (s->settler->check && s->settler->check(s->e->settler.params, &why))
    return at_named_key(s, "settle", "method", why.message);
  return MHO_OK;
}

/* Why the difference cannot be settled itself, or NULL. */
static const char *not_direct(const mho_experiment *e) {
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  const mho_dynamics *dynamics = (const mho_dynamics *)e->dynamics.entry;

  if (!rule->direct_needs)
    return "the rule has one phase only";
  if (!dynamics->difference)
    return "dynamics.name has no equations of it: use rate";
  if (!settler->difference)
    return "settle.method knows only two states: use sweep";
  if (((const mho_device_model *)e->device.entry)->pulse)
    return "on devices the difference is measured: use device.model ideal";

  bool is_noisy = array->noisy && array->noisy(e->array.params);
  bool is_lossy = array->lossy && array->lossy(e->array.params);
  if (is_noisy || is_lossy)
    return "through noise, converters or amplifiers the difference is measured: "
           "use array.model ideal";

  if (mho_circuit_limited(&e->circuit))
    return "of amplifiers that saturate the difference is measured: use neuron.saturation 0";

  const char *why = settler->direct_needs ? settler->direct_needs(e->settler.params) : NULL;
  return why ? why : rule->direct_needs(e->rule.params);
}

bool mho_experiment_direct(const mho_experiment *e) {
  return e->settle.difference != MHO_DIFFERENCE_SUBTRACT && !not_direct(e);
}

static mho_err difference_is_direct(const subject *s) {
  bool is_asked = s->e->settle.difference == MHO_DIFFERENCE_DIRECT;
  const char *why = is_asked ? not_direct(s->e) : NULL;
  if (!why)
    return MHO_OK;
  return at_key(s, "settle", "difference", "settle.difference: not direct, because %s", why);
}

/* ---------------------------------------------------------------- the read-out */

static bool is_set(const subject *s, const char *section, const char *name) {
  return mho__config_find_in(s->c, section, name) != NULL;
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
    c->loss = c->output == MHO_OUTPUT_LINEAR ? MHO_LOSS_SQUARED : MHO_LOSS_CROSS_ENTROPY;
  return MHO_OK;
}

static mho_err loss_fits_output(const subject *s) {
  const mho_network_config *c = &s->e->network;
  bool is_linear = c->output == MHO_OUTPUT_LINEAR, is_squared = c->loss == MHO_LOSS_SQUARED;
  if (is_linear == is_squared)
    return MHO_OK;
  if (is_linear)
    return at_key(s, "network", "loss",
                  "network.loss: cross_entropy is of probabilities, which network.output linear "
                  "does not answer: use squared, or network.output softmax");
  return at_key(s, "network", "loss",
                "network.loss: squared is of numbers, and network.output softmax answers "
                "probabilities: use cross_entropy, or network.output linear");
}

/* ---------------------------------------------------------------- data and layers */

static mho_err batch_has_samples(const subject *s) {
  int64_t batch = s->e->train.batch, used = s->e->dataset_config.train;
  if (used <= 0 || batch <= used)
    return MHO_OK;
  return at_key(s, "train", "batch", "train.batch: %lld samples, but dataset.train uses only %lld",
                (long long)batch, (long long)used);
}

static mho_err topology_takes_hidden(const subject *s) {
  const mho_param *hidden = mho_params_find(mho_network_params, "hidden");
  if (!s->topology->own_layers || mho_param_is_default(hidden, &s->e->network))
    return MHO_OK;
  return at_key(s, "network", "hidden",
                "network.hidden: topology %s takes all layers from network.%s: put them there",
                s->topology->entry.id, s->topology->entry.params.p[0].name);
}

static mho_err sense_lines_are_simulated(const subject *s) {
  bool is_special = s->topology->own_layers || s->e->network.biases;
  if (!is_special || !s->array->holds || !s->array->holds(s->e->array.params))
    return MHO_OK;
  return at_key(s, "array", "differencing",
                "array.differencing: a held sense line is not simulated "
                "with convolutions or biases: use digital");
}

static mho_err observables_fit_topology(const subject *s) {
  const mho_observe_config *o = &s->e->observe;
  const char *key = NULL;

  if (o->spectral_radius)
    key = "spectral_radius";
  else if (o->lyapunov)
    key = "lyapunov";
  else if (o->settling)
    key = "settling";

  if (!s->topology->own_layers || !key)
    return MHO_OK;
  return at_key(s, "observe", key,
                "observe.%s: not for topology %s: only the cosine is observed there", key,
                s->topology->entry.id);
}

/* Observables are those of the map of neurons at rest. */
static mho_err observables_fit_dynamics(const subject *s) {
  const mho_observe_config *o = &s->e->observe;
  bool any = o->spectral_radius || o->lyapunov || o->settling || o->cosine;
  if (!any || s->dynamics->relax)
    return MHO_OK;
  return at_key(s, "dynamics", "name",
                "dynamics.name: the neurons of '%s' do not rest, and what section observe asks "
                "for is of neurons that do: leave observe out, or use dynamics rate",
                s->dynamics->entry.id);
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

/* Converters between hidden layers belong to a clock. */
static mho_err converters_have_a_clock(const subject *s) {
  mho_array_converters converters = {0};
  if (s->array->converters)
    s->array->converters(s->e->array.params, &converters);

  if (!s->settler->in_time || converters.analog || !(converters.dac_bits || converters.adc_bits))
    return MHO_OK;

  return at_key(s, "array", converters.adc_bits ? "adc_bits" : "dac_bits",
                "array.coupling: digital neurons behind converters are clocked, "
                "and settle.method ode has no clock: use array.coupling analog, "
                "or leave dac_bits and adc_bits at 0");
}

/* ---------------------------------------------------------------- what registered things say */

/* Every registered thing that is chosen, from the hardware up to the data. */
static mho_err chosen_things_fit(const subject *s) {
  for (int kind = MHO_KIND_COUNT - 1; kind >= 0; kind--)
    for (int i = 0; i < mho__n_sections; i++) {
      const mho_section *section = &mho__sections[i];
      int selectors = mho__section_selectors(section);
      for (int k = 0; k < selectors; k++) {
        const mho_entry *entry = mho__section_choice(section, k, s->e)->entry;
        mho_errinfo why = {0};
        if ((int)section->selector[k].kind != kind || !entry->check)
          continue;
        if (entry->check(s->e, &why))
          return at_named_key(s, section->name, section->selector[k].key, why.message);
      }
    }
  return MHO_OK;
}

/* ---------------------------------------------------------------- all of them */

static const struct check {
  mho_err (*check)(const subject *s);
  bool of_new; /* only of configs that are not stored: earlier releases have stored others */
} checks[] = {
    {read_out_follows},
    {device_parameters},
    {array_parameters},
    {chosen_things_fit},
    {dynamics_parameters},
    {rule_finds_rest},
    {settler_finds_dynamics},
    {settler_parameters},
    {rule_applies},
    {difference_is_direct},
    {loss_fits_output},
    {batch_has_samples},
    {topology_takes_hidden},
    {sense_lines_are_simulated},
    {observables_fit_topology},
    {observables_fit_dynamics},
    {tile_has_two_sides},
    {network_has_a_hidden_layer},
    {converters_have_a_clock, .of_new = true},
};

mho_err mho__experiment_fit(const mho_registry *r, const mho_config *c, bool bare,
                            mho_experiment *e, mho_errinfo *ei) {
  subject s = {.registry = r,
               .c = c,
               .e = e,
               .device = (const mho_device_model *)e->device.entry,
               .array = (const mho_array_model *)e->array.entry,
               .topology = (const mho_topology *)e->topology.entry,
               .dynamics = (const mho_dynamics *)e->dynamics.entry,
               .settler = (const mho_settler *)e->settler.entry,
               .rule = (const mho_rule *)e->rule.entry,
               .ei = ei};

  for (int i = 0; i < MHO_COUNT(checks); i++) {
    if (bare && checks[i].of_new)
      continue;
    mho_err err = checks[i].check(&s);
    if (err)
      return err;
  }
  return MHO_OK;
}
