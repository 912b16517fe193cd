/* device_config.c - what the config says of any device, and what of it is impossible.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "device/cells.h"
#include "device/ideal.h"
#include "mho/model/check.h"

#define SPREAD "device-to-device"

/* ---------------------------------------------------------------- without effect */

/* What is written once is at the point where steps are equal, unless it is at the low end. */
static const char *without_reference(const mho_experiment *e) {
  const mho_mapping *mapping = (const mho_mapping *)e->mapping.entry;
  const char *why = mho_idle_without_cells(e);
  if (why)
    return why;

  for (int k = 0; k < mapping->n_banks; k++)
    if (mapping->bank[k].kind != MHO_BANK_DEVICES && !mapping->bank[k].lowest)
      return NULL;
  return "no reference is written (device.mapping)";
}

static const char *without_refresh(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  if (why || ((const mho_mapping *)e->mapping.entry)->refreshes)
    return why;
  return "nothing is refreshed (device.mapping)";
}

/* The largest weight: of devices, and of what refers to it without any. */
static const char *without_range(const mho_experiment *e) {
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  bool has_limits = strcmp(array->entry.id, "ideal") != 0;
  bool is_perturbed = ((const mho_rule *)e->rule.entry)->trial != NULL;
  const mho_ideal_params *ideal = (const mho_ideal_params *)(const void *)e->device.params;
  if (mho_experiment_has_cells(e) || ideal->bounded || has_limits || is_perturbed)
    return NULL;
  return "nothing limits weights (device.model: ideal, device.bounded: false)";
}

static bool has_spread(const mho_device_config *d) {
  bool of_bounds = d->spread_low > 0 || d->spread_high > 0;
  return of_bounds || d->spread_step > 0 || d->spread_asymmetry > 0 || *d->spread_of;
}

static const char *without_spread(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  if (why || has_spread(&e->device_config))
    return why;
  return "devices are alike (device.variation)";
}

static const char *without_spread_steps(const mho_experiment *e) {
  const char *why = mho_idle_without_pulses(e);
  if (why || e->device_config.spread_step > 0)
    return why;
  return "steps are alike (device.variation.step)";
}

static const char *without_spread_bounds(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  if (why || e->device_config.spread_low > 0 || e->device_config.spread_high > 0)
    return why;
  return "bounds are alike (device.variation.g_low, device.variation.g_high)";
}

static const char *without_stuck(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  if (why || e->device_config.stuck > 0)
    return why;
  return "nothing is stuck there (device.stuck)";
}

static const char *without_wear(const mho_experiment *e) {
  const char *why = mho_idle_without_pulses(e);
  if (why || e->device_config.endurance > 0)
    return why;
  return "nothing wears (device.endurance.pulses)";
}

static const char *without_leak(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  if (why || e->device_config.leak > 0)
    return why;
  return "nothing leaks (device.leak.lifetime)";
}

/* A law of what a model without voltages does under a part of its pulse. */
static const char *without_weak_pulses(const mho_experiment *e) {
  const char *why = mho_idle_without_pulses(e);
  const mho_array_config *array = &e->array_config;
  if (why)
    return why;
  if (((const mho_device_model *)e->device.entry)->response)
    return "device.model knows voltages itself";
  if (mho_array_has_wires(array) || mho_array_half_selects(array))
    return NULL;
  return "every pulse arrives whole (array.wire.r_word, array.write.select)";
}

static const char *without_drift(const mho_experiment *e, bool has_law) {
  const char *why = mho_idle_without_cells(e);
  return why || has_law ? why : "device.drift.law is another";
}

static const char *without_power(const mho_experiment *e) {
  return without_drift(e, e->device_config.drift.law == MHO_DRIFT_POWER);
}

static const char *without_any_drift(const mho_experiment *e) {
  return without_drift(e, e->device_config.drift.law != MHO_DRIFT_NONE);
}

static const char *without_exponential(const mho_experiment *e) {
  return without_drift(e, e->device_config.drift.law == MHO_DRIFT_EXPONENTIAL);
}

static const char *without_logarithmic(const mho_experiment *e) {
  return without_drift(e, e->device_config.drift.law == MHO_DRIFT_LOGARITHMIC);
}

static const char *without_many(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  if (why || mho_cell_devices(&e->device_config) > 1)
    return why;
  return "a cell is one device (device.cells.n)";
}

/* Weights are written where a mapping lays them, whatever cells start from. */
static const char *without_start(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  const mho_mapping *mapping = (const mho_mapping *)e->mapping.entry;
  if (why || !mapping->from_bottom)
    return why;
  return "weights are laid from g_min on (device.mapping)";
}

/* Voltage and width of a pulse are of its energy. */
static const char *without_pulse_energy(const mho_experiment *e) {
  const char *why = mho_idle_without_pulses(e);
  if (why || mho_experiment_counts_energy(e))
    return why;
  return "no energy is counted (energy.count)";
}

/* What of cells only the periphery's reads show. */
static const char *not_shown(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  if (why || ((const mho_array_model *)e->array.entry)->shows_cells)
    return why;
  return "reads do not show it (array.model: periphery does)";
}

static const char *without_own_noise(const mho_experiment *e) {
  const char *why = not_shown(e);
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  if (why || !array->replaces_noise || !array->replaces_noise(e->array.params))
    return why;
  return "array.read_noise takes its place";
}

static const char *without_sigma(const mho_experiment *e) {
  const char *why = without_own_noise(e);
  int law = e->device_config.read_noise.law;
  if (why || law == MHO_READ_NOISE_CONSTANT || law == MHO_READ_NOISE_PROPORTIONAL)
    return why;
  return "device.read_noise.law is another";
}

static const char *without_t_read(const mho_experiment *e) {
  const char *why = without_own_noise(e);
  if (why || mho_device_noise_is_slow(&e->device_config))
    return why;
  return "device.read_noise.law is another";
}

static const char *without_sinh(const mho_experiment *e) {
  const char *why = not_shown(e);
  if (why || e->device_config.iv.law == MHO_IV_SINH)
    return why;
  return "device.iv.law is another";
}

static const char *without_polynomial(const mho_experiment *e) {
  const char *why = not_shown(e);
  if (why || e->device_config.iv.law == MHO_IV_POLYNOMIAL)
    return why;
  return "device.iv.law is another";
}

/* ---------------------------------------------------------------- keys */

static const mho_param device_table[] = {
    /* the device and its conductances */
    MHO_P_TEXT(mho_device_config, card, "card", "",
               "published device whose keys are the defaults here: its name, or a file "
               "('mho device list')"),
    MHO_P_REAL(mho_device_config, g_min, "g_min", "S", 1e-6, 0, 1, "lowest conductance"),
    MHO_P_REAL(mho_device_config, g_max, "g_max", "S", 100e-6, 1e-12, 1, "highest conductance"),
    MHO_P_BOOL(
        mho_device_config, zero_shift, "zero_shift", 0,
        "mappings reference and offset: weight zero where a device's SET and RESET steps are equal",
        .idle = without_reference),
    MHO_P_REAL(mho_device_config, zero_error, "zero_error", "", 0, 0, 1,
               "mappings reference and offset: standard deviation of what is held as weight zero "
               "from where it is meant, of the range",
               .idle = without_reference),
    MHO_P_INT(mho_device_config, refresh_every, "refresh.every", 1, 1, 1e9,
              "mapping one_sided: updates from refresh to refresh", .idle = without_refresh),
    MHO_P_REAL(
        mho_device_config, refresh_above, "refresh.above", "", 0.75, 0.01, 1,
        "mapping one_sided: a device above it has its pair written anew, of the range, unless "
        "one side of it is low already",
        .idle = without_refresh),
    MHO_P_REAL(mho_device_config, weight_range, "weight_range", "", 3, 0.01, 1000,
               "w_max of a connection over its largest drawn weight, and no less than holds "
               "weights that are brought (train.from); g_unit = (g_max - g_min)/w_max",
               .idle = without_range),
    MHO_P_REAL(mho_device_config, start, "start", "", 0.5, 0, 1,
               "conductance of a new cell, of the range", .idle = without_start),
    MHO_P_INT(mho_device_config, levels, "levels", -1, -1, 1e6,
              "conductances a cell can hold, from bound to bound: every pulse ends at the nearest; "
              "-1: any"),

    /* several devices a cell */
    MHO_P_INT(mho_device_config, cells.n, "cells.n", 1, 1, MHO_CELL_DEVICES_MAX,
              "devices of a cell, in every bank of the mapping: g = sum s_k g_k / sum s_k"),
    MHO_P_REALS(mho_device_config, cells.significance, "cells.significance", "1", 1e-3, 1e3,
                "s_k of each device of a cell, or one for all", .idle = without_many),
    MHO_P_CHOICE(mho_device_config, cells.write, "cells.write", "all|in_turn|carry", MHO_CELL_ALL,
                 "which devices of a cell a pulse is given to: each, one after the other, or the "
                 "first, whose value verified writes move up to those after it when it nears a "
                 "bound",
                 .idle = without_many),

    /* pulses and writes */
    MHO_P_REAL(mho_device_config, up_down, "up_down", "", 0, -1, 1,
               "asymmetry u: SET steps times 1 + min(u, 0), RESET steps times 1 - max(u, 0)",
               .idle = mho_idle_without_pulses),
    MHO_P_REAL(mho_device_config, write_noise, "write_noise", "", 0, 0, 10,
               "what every pulse leaves on the visible conductance, standard deviation, of the "
               "range",
               .idle = mho_idle_without_pulses),
    MHO_P_REAL(mho_device_config, error[0], "write_error.c0", "S", 0, -1, 1,
               "standard deviation of a verified write, c0 + c1 G + c2 G^2 + c3 G^3, never below "
               "0: of weights set at the start or by scheme exact, of what write_verify and a "
               "refresh of one_sided accept, and of references; pulses that nobody verifies have "
               "none"),
    MHO_P_REAL(mho_device_config, error[1], "write_error.c1", "", 0, -1e3, 1e3,
               "the same, linear in G"),
    MHO_P_REAL(mho_device_config, error[2], "write_error.c2", "", 0, -1e9, 1e9, "the same, per S"),
    MHO_P_REAL(mho_device_config, error[3], "write_error.c3", "", 0, -1e14, 1e14,
               "the same, per S^2"),

    MHO_P_BOOL(mho_device_config, only_written, "only_written", 0,
               "what pulses do is not known: schemes and mappings that pulse are refused, and "
               "weights are written (update.scheme: exact)"),

    /* faults and device-to-device spread */
    MHO_P_REAL(mho_device_config, stuck_on, "stuck_on", "", 0, 0, 1,
               "fraction of cells stuck at their high bound"),
    MHO_P_REAL(mho_device_config, stuck_off, "stuck_off", "", 0, 0, 1,
               "fraction of cells stuck at their low bound"),
    MHO_P_REAL(mho_device_config, stuck, "stuck", "", 0, 0, 1,
               "fraction of cells stuck around stuck_at, within their bounds"),
    MHO_P_REAL(mho_device_config, stuck_at, "stuck_at", "", 0.5, 0, 1,
               "middle of the conductances of cells that device.stuck counts, of the range",
               .idle = without_stuck),
    MHO_P_REAL(mho_device_config, stuck_range, "stuck_range", "", 0, 0, 1,
               "how far from it they are at most (uniform), of the range", .idle = without_stuck),
    MHO_P_REAL(mho_device_config, open, "open", "", 0, 0, 1,
               "fraction of dead cells, which conduct nothing"),
    MHO_P_CHOICE(mho_device_config, law, "variation.law", "normal|lognormal|uniform", 0,
                 "law of the " SPREAD " spread", .idle = without_spread),
    MHO_P_CHOICE(mho_device_config, step_law, "variation.step_law", "same|normal|lognormal|uniform",
                 STEP_LAW_SAME,
                 "law of the spread of the step, where it is another than variation.law: lognormal "
                 "is exp(spread xi)",
                 .idle = without_spread_steps),
    MHO_P_REAL(mho_device_config, spread_step, "variation.step", "", 0, 0, 5,
               SPREAD " spread of the step, SET and RESET alike, relative",
               .idle = mho_idle_without_pulses),
    MHO_P_REAL(mho_device_config, spread_asymmetry, "variation.asymmetry", "", 0, 0, 5,
               SPREAD " spread of SET against RESET step, relative",
               .idle = mho_idle_without_pulses),
    MHO_P_REAL(mho_device_config, spread_low, "variation.g_low", "", 0, 0, 1,
               SPREAD " spread of the lower bound, of the range; lognormal: its distance from "
                      "g_max is the range times exp(spread xi)"),
    MHO_P_REAL(mho_device_config, spread_high, "variation.g_high", "", 0, 0, 1,
               SPREAD " spread of the upper bound, of the range; lognormal: its distance from "
                      "g_min is the range times exp(spread xi)"),
    MHO_P_REAL(mho_device_config, fold, "variation.fold", "", 0, 0, 1,
               "conductance that the bounds of every cell are on either side of, of the range: a "
               "bound that spread takes past it is reflected there; 0: bounds lie anywhere",
               .idle = without_spread_bounds),
    MHO_P_TEXT(mho_device_config, spread_of, "variation.of", "",
               SPREAD " spread of the model's own parameters, relative: 'slope_up 0.05 "
                      "slope_down 0.05'"),

    /* wear and leak */
    MHO_P_REAL(mho_device_config, endurance, "endurance.pulses", "", 0, 0, 4e9,
               "pulses after which the range has closed to endurance.range; 0: no wear",
               .idle = mho_idle_without_pulses),
    MHO_P_REAL(mho_device_config, endurance_range, "endurance.range", "", 0.5, 0, 1,
               "part of the range that is left then, around its middle", .idle = without_wear),
    MHO_P_REAL(mho_device_config, leak, "leak.lifetime", "", 0, 0, 1e15,
               "updates in which a stored charge falls by 1/e; 0: no leak"),
    MHO_P_REAL(mho_device_config, leak_spread, "leak.spread", "", 0, 0, 5,
               SPREAD " spread of the lifetime, relative (normal, whatever variation.law is)",
               .idle = without_leak),
    MHO_P_REAL(mho_device_config, leak_rest, "leak.rest", "", 0.5, 0, 1,
               "conductance it leads to, of the range", .idle = without_leak),

    /* voltage and width of pulses */
    MHO_P_REAL(mho_device_config, pulse_volts[0], "pulse.set_voltage", "V", 0, 0, 1e3,
               "of a SET pulse, for its energy; 0: the model's own, else 2 V",
               .idle = without_pulse_energy),
    MHO_P_REAL(mho_device_config, pulse_volts[1], "pulse.reset_voltage", "V", 0, 0, 1e3,
               "of a RESET pulse, its magnitude; 0: as above", .idle = without_pulse_energy),
    MHO_P_REAL(mho_device_config, pulse_width[0], "pulse.width", "s", 0, 0, 1e3,
               "how long a pulse lasts, for energy and time; 0: the model's own, else 100 ns",
               .idle = without_pulse_energy),
    MHO_P_REAL(mho_device_config, pulse_width[1], "pulse.reset_width", "s", 0, 0, 1e3,
               "the same of RESET, where it differs; 0: as SET", .idle = without_pulse_energy),
    MHO_P_REAL(mho_device_config, weak_threshold, "weak_pulse.threshold", "", 0, 0, 0.99,
               "of models without voltages: part of a pulse's voltage below which nothing moves",
               .idle = without_weak_pulses),
    MHO_P_REAL(mho_device_config, weak_slope, "weak_pulse.slope", "", 20, 0.01, 200,
               "of models without voltages: a pulse of a part f of the voltage moves as "
               "sinh(slope f)",
               .idle = without_weak_pulses),

    /* between pulses, and at reads */
    MHO_P_CHOICE(mho_device_config, drift.law, "drift.law",
                 "none|exponential|power|pcm|logarithmic", 0,
                 "after programming: towards drift.rest, G (t/t0)^-nu, that with nu of phase "
                 "change memory, or a shift and a spread that grow with ln t/t0"),
    MHO_P_REAL(mho_device_config, drift.t0, "drift.t0", "s", 20, 1e-9, 1e9,
               "time after programming at which the programmed conductance holds",
               .idle = without_any_drift),
    MHO_P_REAL(mho_device_config, drift.nu, "drift.nu", "", 0.05, -1, 1, "exponent of law power",
               .idle = without_power),
    MHO_P_REAL(mho_device_config, drift.nu_spread, "drift.nu_spread", "", 0, 0, 1,
               SPREAD " standard deviation of the exponent", .idle = without_power),
    MHO_P_REAL(mho_device_config, drift.tau, "drift.tau", "s", 1e6, 1e-9, 1e15,
               "time constant of law exponential", .idle = without_exponential),
    MHO_P_REAL(mho_device_config, drift.tau_spread, "drift.tau_spread", "", 0, 0, 5,
               SPREAD " spread of tau, relative (log-normal)", .idle = without_exponential),
    MHO_P_REAL(mho_device_config, drift.rest, "drift.rest", "", 0, 0, 1,
               "conductance that law exponential leads to, of the range",
               .idle = without_exponential),
    MHO_P_REAL(mho_device_config, drift.shift, "drift.shift", "S", 0, -1, 1,
               "law logarithmic: change of the mean when time grows by a factor e",
               .idle = without_logarithmic),
    MHO_P_REAL(mho_device_config, drift.spread, "drift.spread", "S", 0, 0, 1,
               "law logarithmic: " SPREAD " standard deviation just after t0",
               .idle = without_logarithmic),
    MHO_P_REAL(mho_device_config, drift.spread_growth, "drift.spread_growth", "S", 0, 0, 1,
               "law logarithmic: what it gains when time grows by a factor e",
               .idle = without_logarithmic),
    MHO_P_CHOICE(mho_device_config, read_noise.law, "read_noise.law",
                 "none|constant|proportional|pcm|cmo", 0,
                 "of the device at every read: of the range, of its conductance, or 1/f of phase "
                 "change memory or of CMO/HfOx",
                 .idle = without_own_noise),
    MHO_P_REAL(mho_device_config, read_noise.sigma, "read_noise.sigma", "", 0, 0, 10,
               "standard deviation of laws constant and proportional", .idle = without_sigma),
    MHO_P_REAL(mho_device_config, read_noise.t_read, "read_noise.t_read", "s", 250e-9, 1e-15, 1e6,
               "duration of a read, from which 1/f noise is counted", .idle = without_t_read),
    MHO_P_CHOICE(mho_device_config, iv.law, "iv.law", "ohmic|sinh|polynomial|hfo2", 0,
                 "current of a read: G V, G sinh(b V)/b, G (V + k2 V^2 + k3 V^3), or the fit of "
                 "HfO2 cells",
                 .idle = not_shown),
    MHO_P_REAL(mho_device_config, iv.b, "iv.b", "", 1, 1e-6, 100, "of law sinh, per V",
               .idle = without_sinh),
    MHO_P_REAL(mho_device_config, iv.k2, "iv.k2", "", 0, -1e3, 1e3, "of law polynomial, per V",
               .idle = without_polynomial),
    MHO_P_REAL(mho_device_config, iv.k3, "iv.k3", "", 0, -1e4, 1e4, "of law polynomial, per V^2",
               .idle = without_polynomial),
    MHO_P_REAL(mho_device_config, iv.v_max, "iv.v_max", "V", 0.5, 1e-6, 100,
               "largest read voltage for which the law was fitted", .idle = without_polynomial),
};
const mho_params mho_device_params = MHO_PARAMS(mho_device_config, device_table);

/* ---------------------------------------------------------------- spread of own parameters */

/* The spread of the parameter `name` from the word behind it (nullable). */
static mho_err parse_one(const mho_device_model *model, const char *name, const char *number,
                         mho_spread *out, mho_errinfo *ei) {
  const mho_param *p = mho_params_find(model->entry.params, name);
  double sigma;
  if (!p || p->kind != MHO_PARAM_REAL)
    return mho_fail(ei, MHO_ECONFIG,
                    "device.variation.of: '%s' is not a number that '%s' has ('mho device show "
                    "%s')",
                    name, model->entry.id, model->entry.id);
  if (model->prepare)
    return mho_fail(ei, MHO_ECONFIG, "device.variation.of: the cells of '%s' share one table",
                    model->entry.id);
  if (!number || mho_quantity_parse(number, "", true, &sigma, NULL) || sigma < 0 || sigma > 5)
    return mho_fail(ei, MHO_ECONFIG,
                    "device.variation.of: '%s' needs its spread after it, 0 to 5, for example '%s "
                    "0.05'",
                    name, name);
  if (out->n == MHO_SPREAD_MAX)
    return mho_fail(ei, MHO_ECONFIG, "device.variation.of: at most %d parameters", MHO_SPREAD_MAX);

  out->param[out->n] = p;
  out->sigma[out->n++] = sigma;
  return MHO_OK;
}

mho_err mho__spread_parse(const mho_device_model *model, const mho_device_config *d,
                          mho_spread *out, mho_errinfo *ei) {
  static const char separators[] = " ,;:=";
  char copy[MHO_TEXT_MAX], *save = NULL;
  out->n = 0;
  strcpy(copy, d->spread_of);

  char *name = strtok_r(copy, separators, &save);
  while (name) {
    const char *number = strtok_r(NULL, separators, &save);
    mho_err err = parse_one(model, name, number, out, ei);
    if (err)
      return err;
    name = strtok_r(NULL, separators, &save);
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- pulses */

mho_device_pulse mho_device_pulse_of(const mho_device_model *model, const void *params,
                                     const mho_device_config *config) {
  mho_device_pulse p = {.volts = {2, 2}, .width = {100e-9, 100e-9}};
  mho_device_spice own = {0};

  if (model->spice && !model->spice(params, config, &own, NULL) && own.width > 0)
    p = (mho_device_pulse){{fabs(own.v_set), fabs(own.v_reset)}, {own.width, own.width}};

  for (int way = 0; way < 2; way++)
    if (config->pulse_volts[way] > 0)
      p.volts[way] = config->pulse_volts[way];
  if (config->pulse_width[0] > 0)
    p.width[0] = p.width[1] = config->pulse_width[0];
  if (config->pulse_width[1] > 0)
    p.width[1] = config->pulse_width[1];
  return p;
}

double mho_device_response(const mho_device_model *model, const void *params,
                           const mho_device_config *config, bool set, double fraction) {
  if (model->response)
    return model->response(params, set, fraction);

  double k = config->weak_slope, theta = config->weak_threshold, over = fabs(fraction) - theta;
  return over > 0 ? copysign(sinh(k * over) / sinh(k * (1 - theta)), fraction) : 0;
}

/* ---------------------------------------------------------------- parts of a config */

double mho_device_faulty(const mho_device_config *d) {
  return d->stuck_on + d->stuck_off + d->open + d->stuck;
}

mho_device_config mho_device_mean(const mho_device_config *config) {
  mho_device_config d = *config;
  d.spread_step = d.spread_asymmetry = d.spread_low = d.spread_high = d.spread_of[0] = 0;
  d.stuck_on = d.stuck_off = d.open = d.stuck = 0;
  d.write_noise = d.endurance = d.leak = 0;
  d.levels = -1;
  return d;
}

/* ---------------------------------------------------------------- check */

/* A model that is driven by voltages has its pulse among its own parameters, which also say what
 * the pulse does. */
static mho_err check_pulse(const mho_device_model *model, const mho_device_config *d,
                           mho_errinfo *ei) {
  const struct {
    const char *common, *own;
    double given;
  } keys[] = {{"set_voltage", "v_set", d->pulse_volts[0]},
              {"reset_voltage", "v_reset", d->pulse_volts[1]},
              {"width", "width", d->pulse_width[0]},
              {"reset_width", "reset_width", d->pulse_width[1]}};

  for (int k = 0; k < MHO_COUNT(keys); k++)
    if (keys[k].given > 0 && mho_params_find(model->entry.params, keys[k].own))
      return mho_fail(ei, MHO_ECONFIG,
                      "device.pulse.%s: the pulse of '%s' is device.%s, which moves the state too: "
                      "set that one",
                      keys[k].common, model->entry.id, keys[k].own);
  return MHO_OK;
}

bool mho_cell_rises(const mho_device_config *config) {
  const mho_reals *s = &config->cells.significance;
  for (int k = 1; k < mho_cell_devices(config); k++)
    if (s->n < 2 || s->v[k] <= s->v[k - 1])
      return false;
  return true;
}

/* Several devices a cell, which the ideal device does not have. */
static mho_err check_cells(const mho_device_model *model, const mho_device_config *d,
                           mho_errinfo *ei) {
  int n = mho_cell_devices(d), given = d->cells.significance.n;
  bool carries = d->cells.write == MHO_CELL_CARRY;
  if (!model->pulse)
    return MHO_OK;
  if (given > 1 && given != n)
    return mho_fail(ei, MHO_ECONFIG,
                    "device.cells.significance: %d numbers for %d devices (device.cells.n): give "
                    "each device one, or one for all",
                    given, n);
  if (carries && n == 1)
    return mho_fail(ei, MHO_ECONFIG,
                    "device.cells.write: carry moves values from device to device of a cell, which "
                    "has but one (device.cells.n): raise n, or use all");
  if (carries && !mho_cell_rises(d))
    return mho_fail(ei, MHO_ECONFIG,
                    "device.cells.significance: with write carry every device must count more than "
                    "the one before it, as in [1, 4]");
  return MHO_OK;
}

/* What contradicts itself among the keys of any device. */
static mho_err check_common(const mho_device_model *model, const mho_device_config *d,
                            mho_errinfo *ei) {
  if (d->g_min >= d->g_max)
    return mho_fail(ei, MHO_ECONFIG, "device.g_min (%g S) must be below device.g_max (%g S)",
                    d->g_min, d->g_max);
  if (d->levels == 0 || d->levels == 1)
    return mho_fail(ei, MHO_ECONFIG,
                    "device.levels: %lld leaves nothing to choose from: at least 2, or -1 for any "
                    "conductance",
                    (long long)d->levels);
  if (mho_device_faulty(d) > 1)
    return mho_fail(ei, MHO_ECONFIG,
                    "device.stuck_on, stuck_off, open and stuck add up to %g: at most 1",
                    mho_device_faulty(d));
  if (!model->pulse && mho_device_has_write_error(d))
    return mho_fail(ei, MHO_ECONFIG,
                    "device.write_error: device.model %s has no conductances that could be off: "
                    "choose another model, or leave write_error out",
                    model->entry.id);
  return MHO_OK;
}

mho_err mho_device_check(const mho_device_model *model, const void *params,
                         const mho_device_config *d, mho_errinfo *ei) {
  mho_spread spread;
  mho_err err = check_common(model, d, ei);

  if (!err)
    err = check_cells(model, d, ei);
  if (!err)
    err = mho__spread_parse(model, d, &spread, ei);
  if (!err)
    err = check_pulse(model, d, ei);
  if (!err)
    err = mho__iv_check(d, ei);
  if (!err && model->check)
    err = model->check(params, d, ei);

  /* a config with a bad table is refused before anything starts */
  void *shared = NULL;
  if (!err && model->prepare)
    err = model->prepare(params, d, &shared, ei);
  mho_free(shared);
  return err;
}

bool mho_device_range_is_wider(const mho_device_model *model, const void *params,
                               const mho_device_config *config, char *sentence, size_t capacity) {
  static const double SLACK = 1e-6;
  double low, high;
  if (!model->range || model->range(params, &low, &high, NULL))
    return false;

  double slack = SLACK * (high - low);
  if (config->g_min >= low - slack && config->g_max <= high + slack)
    return false;
  snprintf(
      sentence, capacity,
      "the range device.g_min..g_max, %g to %g S, is wider than that of the table, %g to %g S: "
      "a cell outside of the table jumps onto it with its first pulse; leave out device.g_min "
      "and device.g_max to have the table's",
      config->g_min, config->g_max, low, high);
  return true;
}
