/* fit.c - a device model fitted to measured pulses.
 *
 * The parameters that a model names as fittable, and the range where its steps tell it, minimize
 * the weighted innovations of innovations.c (least_squares.c), from each of the starts that
 * fit_start.c finds, in each of the model's forms. Noise (fit_noise.c) and weights are then
 * estimated from the residuals, and both are repeated until they agree; of all that come out so,
 * the likeliest is the fit. confidence.c says how sure it is and device_spread.c how devices
 * differ.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/fit/fit.h"

enum { ROUNDS = 5 };
static const double GATE = 5;
static const double WITHIN = 0.98; /* of the largest voltage */

/* ---------------------------------------------------------------- parameters */

static bool is_separator(char c) {
  return c == ' ' || c == ',' || c == '=' || c == 0;
}

/* Whether one of the words (nullable, between blanks or commas) is `word`. */
static bool has_word(const char *words, const char *word) {
  size_t n = strlen(word);
  const char *p = words ? strstr(words, word) : NULL;
  while (p) {
    if ((p == words || is_separator(p[-1])) && is_separator(p[n]))
      return true;
    p = strstr(p + n, word);
  }
  return false;
}

static void add_parameter(mho_fit_job *j, const mho_param *p) {
  int k = j->n++;
  double value = *(const double *)(const void *)((const char *)j->f->params + p->offset);
  j->f->value[k] = (mho_fit_value){.name = p->name, .param = p};
  j->low[k] = p->low;
  j->high[k] = p->high;
  bool is_voltage = !strcmp(p->unit, "V");
  if (is_voltage) { /* a threshold lies within what is swept */
    j->low[k] = fmax(p->low, p->low < 0 ? WITHIN * j->d->volts[1] : 0);
    j->high[k] = fmin(p->high, WITHIN * fmin(j->d->volts[0], -j->d->volts[1]));
  }
  j->is_log[k] = p->low > 0 && p->high / p->low > 1e3 && !is_voltage;
  j->scale[k] = fmax(fabs(value), 0.1 * (fmin(p->high, 10) - fmax(p->low, -10)));
}

/* The parameters that the model names, without those that keep their values. */
static mho_err choose_parameters(mho_fit_job *j) {
  char copy[MHO_TEXT_MAX], *save = NULL;
  snprintf(copy, sizeof copy, "%s", j->d->volts_at ? j->f->model->fit_iv : j->f->model->fit);
  for (char *name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
    const mho_param *p = mho_params_find(j->f->model->entry.params, name);
    if (p && !has_word(j->o->fixed, name) && j->n < MHO_FIT_MAX - 2)
      add_parameter(j, p);
  }
  if (!j->n)
    return mho_fail(j->ei, MHO_EDATA, "nothing of '%s' is left to be fitted",
                    j->f->model->entry.id);
  return MHO_OK;
}

/* g_min and g_max behind the parameters of the model. */
static void add_range(mho_fit_job *j) {
  const char *names[] = {"g_min", "g_max"};
  double low = j->f->config.g_min, high = j->f->config.g_max, range = high - low;
  double from[] = {fmax(low - 0.5 * range, 0), high - 0.5 * range};
  double to[] = {low + 0.5 * range, high + range};

  for (int k = 0; k < 2; k++) {
    const mho_param *p = mho_params_find(mho_device_params, names[k]);
    j->f->value[j->n] = (mho_fit_value){.name = p->name, .param = p};
    j->low[j->n] = from[k];
    j->high[j->n] = to[k];
    j->is_log[j->n] = false;
    j->scale[j->n++] = range;
  }
  j->range = true;
}

/* Parameter k leaves the fit. */
static void drop_parameter(mho_fit_job *j, int k) {
  for (int i = k; i + 1 < j->n; i++) {
    j->f->value[i] = j->f->value[i + 1];
    j->low[i] = j->low[i + 1];
    j->high[i] = j->high[i + 1];
    j->scale[i] = j->scale[i + 1];
    j->is_log[i] = j->is_log[i + 1];
  }
  j->n--;
}

/* The largest change of a residual when parameter k moves either way; `before` is scratch
 * [readings]. */
static double effect_of(mho_fit_job *j, int k, double *before) {
  double v = mho__fit_get(j, k), x = mho__fit_coordinate(j, k, v), effect = 0;
  mho__fit_update_cell(j);
  mho__fit_filter(&j->cell, j->d, &j->gains, before, NULL, NULL);
  for (int side = -1; side <= 1; side += 2) {
    mho__fit_set(j, k, mho__fit_value_at(j, k, x + side * 0.2));
    mho__fit_update_cell(j);
    mho__fit_filter(&j->cell, j->d, &j->gains, j->residual, NULL, NULL);
    for (int i = 0; i < j->d->n; i++)
      effect = fmax(effect, fabs(j->residual[i] - before[i]));
  }
  mho__fit_set(j, k, v);
  return effect;
}

/* Parameters that move nothing keep their values and are named: those of one direction in data of
 * the other, say. */
static void drop_untold(mho_fit_job *j) {
  char *untold = j->f->untold;
  double *before = malloc((size_t)j->d->n * sizeof *before);
  if (!before)
    return;

  int k = 0;
  while (k < j->n) {
    if (effect_of(j, k, before) > 1e-9 || mho__fit_is_range(j, k)) {
      k++;
      continue;
    }
    mho_text_append(untold, sizeof j->f->untold, "%s%s", *untold ? " " : "", j->f->value[k].name);
    drop_parameter(j, k);
  }

  mho__fit_update_cell(j);
  free(before);
}

/* ---------------------------------------------------------------- the range in the data */

/* From the extremes of the n sorted conductances, without the few beyond them that are out of all
 * proportion. */
static void find_range(const double *g, int n, double *g_min, double *g_max) {
  double q1 = g[n / 100], q9 = g[n - 1 - n / 100], slack = 0.25 * (q9 - q1);
  int low = 0, high = n - 1;
  while (low < high && g[low] < q1 - slack)
    low++;
  while (high > low && g[high] > q9 + slack)
    high--;
  *g_min = fmax(g[low], 0);
  *g_max = g[high];
}

/* The range in the data, which is what likelihoods are counted in; it is the device's too, unless
 * that one is to be kept. */
static mho_err range_of_data(mho_fit_job *j) {
  mho_device_config *config = &j->f->config;
  int n = 0;
  double low, high, *g = malloc((size_t)j->d->n * sizeof *g);
  if (!g)
    return mho_fail(j->ei, MHO_ENOMEM, "no memory for a fit");

  for (int i = 0; i < j->d->n; i++)
    if (isfinite(j->d->g[i]))
      g[n++] = j->d->g[i];
  if (!n) {
    free(g);
    return mho_fail(j->ei, MHO_EDATA, "there are no readings to be fitted");
  }
  gsl_sort(g, 1, (size_t)n);
  find_range(g, n, &low, &high);
  free(g);

  if (!(high > low * (1 + 1e-9)) || !(high > 0))
    return mho_fail(j->ei, MHO_EDATA,
                    "the conductance never changes (%g S): there is nothing to fit", high);

  j->rules = (mho_fit_rules){.gate = GATE, .span = high - low};
  if (!j->o->keep_range) {
    config->g_min = low;
    config->g_max = high;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- fit and noise */

/* A fit from one start: what came out. */
typedef struct outcome {
  double value[MHO_FIT_MAX], g_min, g_max;
  const char *form;
  mho_fit_noise noise;
  int kinds;
  mho_fit_score score;
} outcome;

/* The kinds of noise that the model may have. */
static int kinds_of(const mho_fit_job *j) {
  bool additive_only = mho_params_find(j->f->model->entry.params, "pulse_noise") != NULL;
  return MHO_FIT_READ | MHO_FIT_ADD | (additive_only ? 0 : MHO_FIT_RELATIVE);
}

/* Noise and weights at the present parameters: roughly at first, from the increments. */
static mho_err weigh(mho_fit_job *j, int round, outcome *out) {
  j->rules.edges = !j->range;
  mho_err err = MHO_OK;
  if (round == 0)
    err = mho__fit_noise_estimate(&j->cell, j->d, kinds_of(j), &out->noise, j->ei);
  if (err)
    return err;

  if (round == 1)
    out->kinds = kinds_of(j);
  if (round > 0)
    mho__fit_noise_refine(&j->cell, j->d, &j->rules, &j->gains, &out->kinds, &out->noise);
  out->score = mho__fit_gains_set(&j->cell, j->d, &out->noise, &j->rules, &j->gains);
  if (out->score.used < j->n + 3)
    return mho_fail(j->ei, MHO_EDATA,
                    "only %d of %d readings can be used for %d parameters: the noise of a pulse "
                    "(%.2g of the range) is too large, or most readings are outliers",
                    out->score.used, j->d->n, j->n, hypot(out->noise.add, out->noise.read));
  return MHO_OK;
}

static void keep_values(const mho_fit_job *j, outcome *out) {
  for (int k = 0; k < j->n; k++)
    out->value[k] = mho__fit_get(j, k);
  out->g_min = j->f->config.g_min;
  out->g_max = j->f->config.g_max;
}

/* How far the parameters are from others, in coordinates. */
static double distance(const mho_fit_job *j, const double *value) {
  double most = 0;
  for (int k = 0; k < j->n; k++)
    most = fmax(most, fabs(mho__fit_coordinate(j, k, mho__fit_get(j, k)) -
                           mho__fit_coordinate(j, k, value[k])));
  return most;
}

/* Fit, estimate the noise, weigh anew, until the parameters stay, or are on the way to those of
 * `other` (nullable): then it is not finished. */
static mho_err iterate(mho_fit_job *j, const outcome *other, bool *finished, outcome *out) {
  double cost = 0;
  for (int round = 0; round < ROUNDS; round++) {
    double before[MHO_FIT_MAX];
    for (int k = 0; k < j->n; k++)
      before[k] = mho__fit_get(j, k);

    mho__fit_update_cell(j);
    mho_err err = weigh(j, round, out);
    if (!err)
      err = mho__fit_minimize(j, 60, &cost, NULL);
    if (err)
      return err;

    if (round > 0 && other && distance(j, other->value) < 0.02)
      return MHO_OK;
    if (round > 1 && distance(j, before) < 1e-4)
      break;
  }

  *finished = true;
  out->score = mho__fit_gains_set(&j->cell, j->d, &out->noise, &j->rules, &j->gains);
  keep_values(j, out);
  return MHO_OK;
}

/* ---------------------------------------------------------------- from several starts */

/* Parameters of a form ("a=0.5 b=0"), which are not fitted. */
static void set_form(const mho_fit_job *j, const char *form) {
  char copy[MHO_TEXT_MAX], *save = NULL;
  snprintf(copy, sizeof copy, "%s", form);
  for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
    char *value = strchr(word, '=');
    *value++ = 0;
    const mho_param *p = mho_params_find(j->f->model->entry.params, word);
    *(double *)(void *)((char *)j->f->params + p->offset) = strtod(value, NULL);
  }
}

/* They go back to their defaults. */
static void reset_form(const mho_fit_job *j, const char *form) {
  const mho_params table = j->f->model->entry.params;
  for (int i = 0; i < table.n; i++)
    if (has_word(form, table.p[i].name))
      *(double *)(void *)((char *)j->f->params + table.p[i].offset) = table.p[i].initial;
}

/* Whether the parameters of a form are at their defaults, so that nobody has chosen them. */
static bool is_form_open(const mho_fit_job *j, const char *form) {
  const mho_params table = j->f->model->entry.params;
  for (int i = 0; i < table.n; i++) {
    const mho_param *p = &table.p[i];
    double v = p->kind == MHO_PARAM_REAL
                   ? *(const double *)(const void *)((const char *)j->f->params + p->offset)
                   : 0;
    if (has_word(form, p->name) && v != p->initial)
      return false;
  }
  return true;
}

/* The fit from each start of the present form; *best is the likeliest so far, if any. The last
 * error is that of the whole when there is none. */
static mho_err fit_form(mho_fit_job *j, const char *form, outcome *best, bool *found) {
  mho_fit_starts starts;
  double g_min = j->f->config.g_min, g_max = j->f->config.g_max;
  mho_err err = mho__fit_find_starts(j, &starts);
  if (err)
    return err;

  int own = j->n;
  for (int i = 0; i < starts.n; i++) {
    if (mho_stopped(j->o->ctx))
      break;
    outcome now = {.form = form};
    j->f->config.g_min = g_min;
    j->f->config.g_max = g_max;
    for (int k = 0; k < own; k++)
      mho__fit_set(j, k, starts.value[i][k]);
    if (j->f->model->fit_range && !j->o->keep_range)
      add_range(j);

    bool finished = false, is_rival = *found && best->form == form;
    mho_err failed = iterate(j, is_rival ? best : NULL, &finished, &now);
    if (!failed && finished && (!*found || now.score.likelihood > best->score.likelihood)) {
      *best = now;
      *found = true;
    }
    err = failed ? failed : err;
    j->n = own;
    j->range = false;
  }

  j->f->config.g_min = g_min;
  j->f->config.g_max = g_max;
  return *found ? MHO_OK : err;
}

/* The likeliest of all starts, its cost, and the Jacobian. */
static mho_err fit_best(mho_fit_job *j, outcome *best, double *cost, gsl_matrix **jacobian) {
  const char *other = j->f->model->fit_form;
  bool is_open = other && is_form_open(j, other), found = false;

  mho_err err = fit_form(j, NULL, best, &found);
  if (is_open) {
    set_form(j, other);
    mho_err failed = fit_form(j, other, best, &found);
    err = found ? MHO_OK : failed;
    if (found && !best->form)
      reset_form(j, other);
  }
  if (err)
    return err;

  if (j->f->model->fit_range && !j->o->keep_range)
    add_range(j);
  j->f->config.g_min = best->g_min;
  j->f->config.g_max = best->g_max;
  for (int k = 0; k < j->n; k++)
    mho__fit_set(j, k, best->value[k]);
  mho__fit_update_cell(j);
  j->rules.edges = !j->range;
  best->score = mho__fit_gains_set(&j->cell, j->d, &best->noise, &j->rules, &j->gains);
  return mho__fit_minimize(j, 20, cost, jacobian);
}

/* ---------------------------------------------------------------- the result */

static double *real_at(const mho_fit *f, const mho_param *p) {
  return (double *)(void *)((char *)f->params + p->offset);
}

/* A parameter of the model, where it has it (p not NULL), within its limits. */
static void store(const mho_fit *f, const mho_param *p, double v) {
  if (p)
    *real_at(f, p) = fmin(v, p->high);
}

/* Noise into the parameters that the model has for it. */
static void store_noise(mho_fit_job *j, const mho_fit_noise *noise) {
  mho_fit *f = j->f;
  mho_params params = f->model->entry.params;
  const mho_param *relative = mho_params_find(params, "cycle_to_cycle");
  const mho_param *kind = mho_params_find(params, "noise");
  f->pulse_relative = noise->relative;
  f->pulse_add = noise->add;
  f->read = noise->read * mho__fit_range(&f->config);

  store(f, relative, noise->relative);
  store(f, mho_params_find(params, "noise_add"), noise->add);
  store(f, mho_params_find(params, "pulse_noise"), noise->add);

  /* additive noise is given as a fraction of the nominal step */
  if (kind && noise->add > 0 && noise->relative == 0) {
    const mho_param *up = mho_params_find(params, "step_up");
    const mho_param *down = mho_params_find(params, "step_down");
    double step = 0.5 * (*real_at(f, up) + *real_at(f, down));
    *(int *)(void *)((char *)f->params + kind->offset) = 1;
    store(f, relative, noise->add / step);
  }

  if (noise->read > 0) {
    f->config.read_noise.law = MHO_READ_NOISE_CONSTANT;
    f->config.read_noise.sigma = noise->read;
  }
}

static mho_err find_intervals(mho_fit_job *j, double cost, const gsl_matrix *jacobian) {
  double quantile = 2;
  size_t n = (size_t)j->n;
  gsl_matrix *cov = gsl_matrix_calloc(n, n);
  j->curvature = gsl_matrix_calloc(n, n);
  bool ok = cov && j->curvature && jacobian &&
            mho__fit_covariance(j, jacobian, j->f->used, cov, &quantile);
  if (ok)
    mho__fit_intervals(j, cov, quantile, cost);
  gsl_matrix_free(cov);
  gsl_matrix_free(j->curvature);
  return ok ? MHO_OK : mho_fail(j->ei, MHO_ENOMEM, "no memory for a fit");
}

/* What each reading says beyond its prediction. */
static mho_err keep_residuals(mho_fit_job *j) {
  const mho_pulse_data *d = j->d;
  double *e = mho_alloc((size_t)d->n, sizeof *e);
  if (!e)
    return mho_fail(j->ei, MHO_ENOMEM, "no memory for a fit");

  mho__fit_filter(&j->cell, d, &j->gains, NULL, e, NULL);
  double range = mho__fit_range(&j->f->config);
  for (int i = 0; i < d->n; i++)
    e[i] = isfinite(d->g[i]) && j->gains.gain[i] >= 0 ? e[i] * range : (double)NAN;
  j->f->residual = e;
  return MHO_OK;
}

static mho_err finish(mho_fit_job *j, const outcome *best, double cost,
                      const gsl_matrix *jacobian) {
  mho_fit *f = j->f;
  f->used = best->score.used;
  f->outliers = best->score.outliers;
  f->compared = best->score.readings;
  f->likelihood = best->score.likelihood;
  for (int k = 0; k < MHO_FIT_NOISES; k++)
    f->noises += (best->kinds & 1 << k) != 0;

  f->form = best->form;
  j->read = best->noise.read;

  mho_err err = find_intervals(j, cost, jacobian);
  if (err)
    return err;

  err = keep_residuals(j);
  if (err)
    return err;

  mho__fit_spread(j);
  store_noise(j, &best->noise);
  f->explained = mho__fit_explained(j);
  if (f->explained < 0.5)
    return mho_fail(j->ei, MHO_EDATA,
                    "'%s' explains only %.0f %% of the mean response: these data are of another "
                    "kind",
                    f->model->entry.id, 100 * fmax(f->explained, 0));
  return MHO_OK;
}

double mho_fit_criterion(const mho_fit *f) {
  return (f->n + f->noises) * log(f->compared) - 2 * f->likelihood;
}

/* ---------------------------------------------------------------- all of it */

static mho_err allocate(mho_fit_job *j, const void *params) {
  size_t n = (size_t)j->d->n, size = j->f->model->entry.params.size;
  j->gains = (mho_fit_gains){malloc(n * sizeof(double)), malloc(n * sizeof(double))};
  j->residual = calloc(n, sizeof(double));
  j->f->params = mho_alloc(1, size);
  if (j->d->volts_at)
    j->cell.amplitude = calloc(n, sizeof(double));
  bool has_room = j->cell.amplitude || !j->d->volts_at;
  if (!has_room || !j->gains.gain || !j->gains.weight || !j->residual || !j->f->params)
    return mho_fail(j->ei, MHO_ENOMEM, "no memory for a fit");

  memcpy(j->f->params, params, size);
  return MHO_OK;
}

/* The parameters that these data tell, by plain increments of the range. */
static mho_err find_parameters(mho_fit_job *j) {
  mho_err err = choose_parameters(j);
  if (err)
    return err;

  for (int i = 0; i < j->d->n; i++) {
    j->gains.gain[i] = 1;
    j->gains.weight[i] = 1 / mho__fit_range(&j->f->config);
  }

  for (int k = 0; k < j->d->tracks; k++)
    j->gains.gain[j->d->first[k]] = -1;
  drop_untold(j);
  if (!j->n)
    return mho_fail(j->ei, MHO_EDATA, "no parameter of '%s' changes what these pulses would do",
                    j->f->model->entry.id);
  return MHO_OK;
}

mho_err mho_device_fit(const mho_device_model *model, const void *params,
                       const mho_device_config *config, const mho_pulse_data *d,
                       const mho_fit_options *o, mho_fit *out, mho_errinfo *ei) {
  *out = (mho_fit){.model = model,
                   .config = *config,
                   .rows = d->n + d->gaps,
                   .missing = d->missing,
                   .devices = d->devices,
                   .tracks = d->tracks};
  const char *names = d->volts_at ? model->fit_iv : model->fit;
  if (!model->pulse || !names || !*names)
    return mho_fail(ei, MHO_EINVAL, "'%s' has no parameters to be fitted to %s", model->entry.id,
                    d->volts_at ? "I-V sweeps: it knows no voltages" : "pulses");

  mho_fit_job j = {.f = out, .d = d, .o = o, .ei = ei};
  j.cell = (mho_fit_cell){.model = model, .config = &out->config};
  gsl_matrix *jacobian = NULL;
  outcome best = {0};
  double cost = 0;
  mho_err err = allocate(&j, params);
  if (!err)
    err = range_of_data(&j);
  if (!err)
    err = find_parameters(&j);
  if (!err)
    err = fit_best(&j, &best, &cost, &jacobian);
  if (!err)
    err = finish(&j, &best, cost, jacobian);
  if (mho_stopped(o->ctx)) /* whatever was found until then */
    err = mho_fail(ei, MHO_EINTERRUPTED, "interrupted while '%s' was fitted", model->entry.id);

  if (jacobian)
    gsl_matrix_free(jacobian);
  free(j.gains.gain);
  free(j.gains.weight);
  free(j.cell.amplitude);
  free(j.residual);
  if (err)
    mho_fit_free(out);
  return err;
}

void mho_fit_free(mho_fit *f) {
  mho_free(f->params);
  mho_free(f->residual);
  f->params = NULL;
  f->residual = NULL;
}

void mho_fit_undetermined(const mho_fit *f, char *out, size_t capacity) {
  *out = 0;
  for (int k = 0; k < f->n; k++)
    if (!f->value[k].determined)
      mho_text_append(out, capacity, "%s%s", *out ? ", " : "", f->value[k].name);
}
