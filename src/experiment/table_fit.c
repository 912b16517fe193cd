/* table_fit.c - device models fitted to a table of measurements: one that is named, or all that can
 * be, compared by Schwarz's criterion.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/table_fit.h"
#include "mho/model/check.h"

/* What is fitted to what. */
typedef struct fitting {
  const mho_context *ctx;
  const mho_registry *r;
  const char *path;
  const mho_fit_table *o;
} fitting;

static const mho_device_model *model_at(const mho_registry *r, int i) {
  return (const mho_device_model *)mho_registry_at(r, MHO_KIND_DEVICE, i);
}

/* ---------------------------------------------------------------- what is asked for */

/* Whether one of the keys is set. */
static bool sets(const mho_fit_table *o, const char *key) {
  for (int i = 0; i < o->n_set; i++)
    if (!strncmp(o->set[i], key, strlen(key)))
      return true;
  return false;
}

/* Whether the range is set, both ends of it or none. */
static mho_err sets_range(const mho_fit_table *o, bool *out, mho_errinfo *ei) {
  bool low = sets(o, "device.g_min="), high = sets(o, "device.g_max=");
  *out = low && high;
  if (low == high)
    return MHO_OK;
  return mho_fail(ei, MHO_EINVAL,
                  "--set device.%s: the range has two ends: set device.%s too, or leave both to "
                  "the data",
                  low ? "g_min" : "g_max", low ? "g_max" : "g_min");
}

/* Whether a model is fitted by parameters of that name. */
static bool is_fitted(const mho_device_model *m, bool iv, const char *name) {
  const char *names = iv ? m->fit_iv : m->fit;
  char copy[MHO_TEXT_MAX], *save = NULL;
  snprintf(copy, sizeof copy, "%s", names ? names : "");
  for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
    if (!strcmp(word, name))
      return true;
  return false;
}

/* Whether the model that is asked for, or one of all, is fitted by parameters of that name. */
static bool is_known(const fitting *f, const char *name) {
  const char *model = f->o->model;
  for (int i = 0; i < mho_registry_count(f->r, MHO_KIND_DEVICE); i++) {
    const mho_device_model *m = model_at(f->r, i);
    bool is_meant = !model || !strcmp(model, m->entry.id);
    if (is_meant && is_fitted(m, f->o->iv, name))
      return true;
  }
  return false;
}

/* Every name that is fixed is a parameter that the model, or one of those compared, is fitted
 * by. */
static mho_err check_fixed(const fitting *f, mho_errinfo *ei) {
  char copy[MHO_TEXT_MAX], *save = NULL;
  snprintf(copy, sizeof copy, "%s", f->o->fixed ? f->o->fixed : "");
  for (char *name = strtok_r(copy, " ,", &save); name; name = strtok_r(NULL, " ,", &save))
    if (!is_known(f, name))
      return mho_fail(ei, MHO_EINVAL, "--fix: '%.60s' is no parameter that a fit of '%s' finds",
                      name, f->o->model ? f->o->model : "all");
  return MHO_OK;
}

/* The experiment of a model, with a few assignments before those of the caller, which hold. */
static mho_err experiment_of(const fitting *f, const char *model, int n_first,
                             const char *const *first, mho_experiment **out, mho_errinfo *ei) {
  const mho_fit_table *o = f->o;
  char name[MHO_TEXT_MAX];
  const char **set = calloc((size_t)(n_first + o->n_set) + 1, sizeof *set);
  *out = NULL;
  if (!set)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the config of a device");

  for (int i = 0; i < n_first; i++)
    set[i] = first[i];
  for (int i = 0; i < o->n_set; i++)
    set[n_first + i] = o->set[i];
  snprintf(name, sizeof name, "model:%s", model);
  mho_err err = mho_experiment_of_device(f->r, name, n_first + o->n_set, set, out, ei);

  free(set);
  return err;
}

/* ---------------------------------------------------------------- the table */

mho_err mho__ampere_unit(const char *unit, double *out, mho_errinfo *ei) {
  char text[64];
  *out = 1;
  if (!unit)
    return MHO_OK;
  snprintf(text, sizeof text, "1 %s", unit);
  if (mho_quantity_parse(text, "A", false, out, NULL))
    return mho_fail(ei, MHO_EINVAL, "--unit %s is no unit of current, which --iv reads: A, mA, uA",
                    unit);
  return MHO_OK;
}

/* I-V sweeps: their law, and how long a reading lasts without times, are those of the device. */
static mho_err read_sweeps(const fitting *f, mho_pulse_data *d, mho_errinfo *ei) {
  const mho_fit_table *o = f->o;
  const char *strange = o->g || o->up || o->down ? "--g, --up and --down are" : NULL;
  if (o->read_voltage != 0)
    strange = "--read-voltage is";
  if (strange)
    return mho_fail(ei, MHO_EINVAL, "%s of pulses, --iv of sweeps", strange);

  mho_sweep_format format;
  mho_experiment *e = NULL;
  mho_err err = mho__ampere_unit(o->unit, &format.ampere, ei);
  if (!err)
    err = experiment_of(f, o->model ? o->model : "vteam", 0, NULL, &e, ei);
  if (!err && e->device_config.iv.law == MHO_IV_HFO2)
    err = mho_fail(ei, MHO_ECONFIG,
                   "device.iv.law: a current of law hfo2 may be that of two conductances, so --iv "
                   "does not know which");
  const mho_param *width = err ? NULL : mho_params_find(e->device.entry->params, "width");
  if (!err && !width)
    err = mho_fail(ei, MHO_EINVAL, "'%s' knows no voltages: --iv is of vteam, yakopcic, linear_ion",
                   o->model);
  if (!err) {
    format.dwell = *(const double *)(const void *)((const char *)e->device.params + width->offset);
    format.config = &e->device_config;
    err = mho_sweep_data_read(f->path, &format, d, ei);
  }

  mho_experiment_free(e);
  return err;
}

/* Pulses, whose currents are read under the law that is set. */
static mho_err read_pulses(const fitting *f, mho_pulse_data *d, mho_errinfo *ei) {
  const mho_fit_table *o = f->o;
  mho_pulse_format format = {o->unit, o->read_voltage, NULL, o->g, o->up, o->down};
  mho_experiment *e = NULL;
  mho_err err = MHO_OK;

  if (sets(o, "device.iv")) {
    err = experiment_of(f, o->model ? o->model : "linear", 0, NULL, &e, ei);
    if (!err)
      format.config = &e->device_config;
  }
  if (!err)
    err = mho_pulse_data_read(f->path, &format, d, ei);

  mho_experiment_free(e);
  return err;
}

static mho_err read_table(const fitting *f, mho_pulse_data *d, mho_errinfo *ei) {
  bool keeps_range;
  mho_err err = sets_range(f->o, &keeps_range, ei);
  if (!err)
    err = check_fixed(f, ei);
  if (err)
    return err;
  return f->o->iv ? read_sweeps(f, d, ei) : read_pulses(f, d, ei);
}

mho_err mho_fit_data(const mho_registry *r, const char *path, const mho_fit_table *o,
                     mho_pulse_data *out, mho_errinfo *ei) {
  return read_table(&(fitting){NULL, r, path, o}, out, ei);
}

/* ---------------------------------------------------------------- fits */

/* The voltages of the table's pulses, for a model that knows them. @return how many assignments. */
static int volts_of(const mho_device_model *m, const mho_pulse_data *d, char text[2][64],
                    const char *set[2]) {
  static const char *const keys[] = {"v_set", "v_reset"};
  int n = 0;
  for (int side = 0; side < 2; side++) {
    bool known = mho_params_find(m->entry.params, keys[side]) && d->volts[side] != 0;
    if (!known)
      continue;
    snprintf(text[n], sizeof text[n], "device.%s=%.9g V", keys[side], d->volts[side]);
    set[n] = text[n];
    n++;
  }
  return n;
}

static mho_err fit_model(const fitting *f, const mho_device_model *m, const mho_pulse_data *d,
                         mho_fit *out, mho_errinfo *ei) {
  mho_fit_options how = {.fixed = f->o->fixed, .ctx = f->ctx};
  char text[2][64];
  const char *volts[2];
  int n = volts_of(m, d, text, volts);

  mho_experiment *e = NULL;
  mho_err err = sets_range(f->o, &how.keep_range, ei);
  if (!err)
    err = experiment_of(f, m->entry.id, n, volts, &e, ei);
  if (!err)
    err = mho_device_fit(m, e->device.params, &e->device_config, d, &how, out, ei);

  mho_experiment_free(e);
  return err;
}

/* Whether a model is one of those that are compared: it can be fitted, and needs no voltages; to
 * sweeps, those that know voltages. */
static bool is_compared(const mho_fit_table *o, const mho_device_model *m) {
  if (o->iv)
    return m->fit_iv != NULL;
  return m->pulse && m->fit && *m->fit && !mho_params_find(m->entry.params, "v_set");
}

/* Whether a fit is better than the best so far. Of models that bend alike, which rounding alone
 * would tell apart, the first is taken, but for one that tells where its bounds are. */
static bool is_better(const mho_fit *f, const mho_fit *best) {
  static const double ALIKE = 0.5;
  double less = mho_fit_criterion(best) - mho_fit_criterion(f);
  bool tells_more = f->model->fit_range && !best->model->fit_range;
  return tells_more ? less > -ALIKE : less > ALIKE;
}

/* Fit every model that can be. */
static mho_err compare(const fitting *f, mho_fitted *out, mho_errinfo *ei) {
  mho_errinfo why = {0};
  int fits = 0;
  for (int i = 0; i < mho_registry_count(f->r, MHO_KIND_DEVICE); i++) {
    const mho_device_model *m = model_at(f->r, i);
    if (!is_compared(f->o, m))
      continue;
    if (mho_stopped(f->ctx))
      return mho_fail(ei, MHO_EINTERRUPTED, "interrupted after %d fits", fits);

    mho_fitted_model *each = &out->each[out->n];
    each->model = m;
    each->fits = !fit_model(f, m, &out->data, &each->fit, &why);
    if (each->fits && (fits == 0 || is_better(&each->fit, &out->each[out->best].fit)))
      out->best = out->n;
    if (!each->fits)
      snprintf(each->why, sizeof each->why, "%s", why.message);
    fits += each->fits;
    out->n++;
  }

  if (mho_stopped(f->ctx))
    return mho_fail(ei, MHO_EINTERRUPTED, "interrupted after %d fits", fits);
  if (fits == 0)
    return mho_fail(ei, MHO_EDATA, "no model fits these data; the last one: %s", why.message);
  return MHO_OK;
}

/* Fit the model that is named. */
static mho_err fit_named(const fitting *f, mho_fitted *out, mho_errinfo *ei) {
  const mho_entry *e = mho_registry_find(f->r, MHO_KIND_DEVICE, f->o->model);
  mho_experiment *x = NULL;
  if (!e) { /* its config says what there is */
    mho_err err = experiment_of(f, f->o->model, 0, NULL, &x, ei);
    mho_experiment_free(x);
    return err ? err : mho_fail(ei, MHO_ECONFIG, "there is no device model '%s'", f->o->model);
  }

  out->n = 1;
  out->each[0].model = (const mho_device_model *)e;
  mho_err err = fit_model(f, out->each[0].model, &out->data, &out->each[0].fit, ei);
  out->each[0].fits = !err;
  return err;
}

static mho_err fit_file(const fitting *f, mho_fitted *out, mho_errinfo *ei) {
  mho_err err = read_table(f, &out->data, ei);
  if (err)
    return err;

  out->compared = !f->o->model;
  return out->compared ? compare(f, out, ei) : fit_named(f, out, ei);
}

mho_err mho_fit_file(const mho_context *ctx, const mho_registry *r, const char *path,
                     const mho_fit_table *o, mho_fitted **out, mho_errinfo *ei) {
  fitting f = {ctx, r, path, o};
  *out = NULL;
  mho_fitted *fitted = calloc(1, sizeof *fitted);
  if (fitted)
    fitted->each = calloc((size_t)mho_registry_count(r, MHO_KIND_DEVICE), sizeof *fitted->each);
  if (!fitted || !fitted->each) {
    free(fitted);
    return mho_fail(ei, MHO_ENOMEM, "no memory for fits");
  }

  mho_err err = fit_file(&f, fitted, ei);
  if (err)
    mho_fitted_free(fitted);
  else
    *out = fitted;
  return err;
}

void mho_fitted_free(mho_fitted *f) {
  if (!f)
    return;
  for (int i = 0; i < f->n; i++)
    if (f->each[i].fits)
      mho_fit_free(&f->each[i].fit);
  mho_pulse_data_free(&f->data);
  free(f->each);
  free(f);
}

/* ---------------------------------------------------------------- as text */

json_t *mho__fit_value_json(const mho_fit_value *v) {
  if (!v->determined)
    return json_pack("{sf sb}", "value", v->value, "determined", 0);
  return json_pack("{sf sf sf sf sb}", "value", v->value, "error", v->error, "low", v->low, "high",
                   v->high, "determined", 1);
}

static json_t *model_json(const mho_fitted_model *each) {
  char undetermined[256], remark[300] = "";
  const mho_fit *f = &each->fit;
  const char *id = each->model->entry.id;
  if (!each->fits)
    return json_pack("{ss ss}", "model", id, "remark", each->why);

  mho_fit_undetermined(f, undetermined, sizeof undetermined);
  if (*undetermined)
    snprintf(remark, sizeof remark, "not determined: %s", undetermined);
  return json_pack("{ss ss si si si si sf sf}", "remark", remark, "model", id, "parameters", f->n,
                   "noises", f->noises, "used", f->used, "outliers", f->outliers, "explained",
                   f->explained, "criterion", mho_fit_criterion(f));
}

static json_t *fit_json(const mho_fit *f) {
  json_t *values = json_object();
  for (int i = 0; i < f->n; i++)
    json_object_set_new(values, f->value[i].name, mho__fit_value_json(&f->value[i]));

  json_t *o = json_pack(
      "{ss so ss sf sf sf sf sf sf si si si si si si si si}", "model", f->model->entry.id,
      "parameters", values, "untold", f->untold, "pulse_noise_relative", f->pulse_relative,
      "pulse_noise_of_range", f->pulse_add, "read_noise", f->read, "explained", f->explained,
      "log_likelihood", f->likelihood, "criterion", mho_fit_criterion(f), "compared", f->compared,
      "rows", f->rows, "used", f->used, "missing", f->missing, "outliers", f->outliers, "followed",
      mho_fit_followed(f), "devices", f->devices, "cycles", f->tracks);
  if (o && f->form)
    json_object_set_new(o, "form", json_string(f->form));
  if (o && isfinite(f->spread_step))
    json_object_set_new(o, "spread_step", json_real(f->spread_step));
  if (o && isfinite(f->spread_asymmetry))
    json_object_set_new(o, "spread_asymmetry", json_real(f->spread_asymmetry));
  return o;
}

char *mho_fitted_json(const mho_fitted *f, int digits) {
  json_t *o = fit_json(&f->each[f->best].fit);
  if (o && f->compared) {
    json_t *models = json_array();
    for (int i = 0; i < f->n; i++)
      json_array_append_new(models, model_json(&f->each[i]));
    json_object_set_new(o, "models", models);
  }

  char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION((size_t)digits)) : NULL;
  json_decref(o);
  return text;
}

char *mho_fitted_card(const mho_fitted *f, const char *source) {
  return mho_fit_card(&f->each[f->best].fit, source);
}
