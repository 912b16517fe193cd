/* design.c - the points of a study: every combination of a grid, or samples.
 *
 * Points given by name are crossed with the rest, whatever the design is. A sampled axis maps u in 0..1 onto
 * its range, or onto its list in equal parts. Latin hypercube: each axis is cut into as many parts as there are
 * samples, and each part is used once (McKay, Beckman and Conover, Technometrics 21, 239, 1979). Sobol: GSL's
 * sequence, which fills up evenly, so that a study may be ended at any number of samples.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_qrng.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/streams.h"
#include "study/study_impl.h"

enum { SOBOL_AXES = 40 }; /* of gsl_qrng_sobol */

static bool is_sampled(const mho_study *s, const study_axis *a) {
  return s->design != STUDY_GRID && a->n_keys > 0;
}

static int sampled_axes(const mho_study *s) {
  int n = 0;
  for (int i = 0; i < s->n_axes; i++)
    n += is_sampled(s, &s->axis[i]);
  return n;
}

int64_t study_points(const mho_study *s) {
  int64_t n = s->design == STUDY_GRID ? 1 : s->samples;
  for (int i = 0; i < s->n_axes && n <= STUDY_RUNS_MAX; i++)
    if (!is_sampled(s, &s->axis[i]))
      n *= s->axis[i].n;
  return n;
}

/* ---------------------------------------------------------------- samples */

static void sample_latin(const mho_study *s, int axes, double *u) {
  int n = s->samples;
  int *order = calloc((size_t)n, sizeof *order);
  float *jitter = calloc((size_t)n, sizeof *jitter);
  for (int k = 0; order && jitter && k < axes; k++) {
    mho_rng rng = mho_stream_axis((uint64_t)s->design_seed, k);
    mho_rng_permutation(rng, MHO_DESIGN_ORDER, n, order);
    mho_rng_uniform(rng, MHO_DESIGN_JITTER, 0, (size_t)n, jitter);
    for (int i = 0; i < n; i++)
      u[i * axes + k] = (order[i] + (double)jitter[i]) / n;
  }
  free(order);
  free(jitter);
}

static void sample_random(const mho_study *s, int axes, double *u) {
  for (int i = 0; i < s->samples;
       i++) /* the first n of a longer study are those of a shorter one */
    for (int k = 0; k < axes; k++) {
      float v;
      mho_rng_uniform(mho_stream_axis((uint64_t)s->design_seed, k), MHO_DESIGN_VALUE, (uint64_t)i,
                      1, &v);
      u[i * axes + k] = (double)v;
    }
}

static mho_err sample_sobol(const mho_study *s, int axes, double *u, mho_errinfo *ei) {
  if (axes > SOBOL_AXES)
    return mho_fail_at(ei, MHO_ECONFIG, s->file, 0,
                       "design sobol: %d keys are varied, at most %d can be", axes, SOBOL_AXES);
  gsl_qrng *q = gsl_qrng_alloc(gsl_qrng_sobol, (unsigned)axes);
  if (!q)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the samples");
  for (int i = 0; i < s->samples; i++)
    gsl_qrng_get(q, u + (size_t)i * (size_t)axes);
  gsl_qrng_free(q);
  return MHO_OK;
}

mho_err study_samples(const mho_study *s, double **out, mho_errinfo *ei) {
  int axes = sampled_axes(s);
  double *u =
      calloc((size_t)(s->samples > 0 ? s->samples : 1) * (size_t)(axes > 0 ? axes : 1), sizeof *u);
  mho_err err = u ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for the samples");
  if (!err && axes && s->design == STUDY_LATIN)
    sample_latin(s, axes, u);
  else if (!err && axes && s->design == STUDY_RANDOM)
    sample_random(s, axes, u);
  else if (!err && axes && s->design == STUDY_SOBOL)
    err = sample_sobol(s, axes, u, ei);
  *out = u;
  if (err) {
    free(u);
    *out = NULL;
  }
  return err;
}

/* ---------------------------------------------------------------- one point */

void study_range_text(const study_axis *a, double u, char *buf, size_t n) {
  double v = a->logarithmic ? a->from * pow(a->to / a->from, u) : a->from + (a->to - a->from) * u;
  v = u >= 1 ? a->to : u <= 0 ? a->from : v;
  if (a->range->kind == MHO_PARAM_INT) {
    snprintf(buf, n, "%.0f", v);
    return;
  }
  /* six digits: what people can read, and enough; but never over the ends */
  char text[64];
  snprintf(text, sizeof text, "%.6g", v);
  double low = fmin(a->from, a->to), high = fmax(a->from, a->to), round = strtod(text, NULL);
  struct {
    double v;
  } held = {fmin(fmax(round, low), high)};
  mho_param one = *a->range;
  one.offset = 0;
  mho_param_format(&one, &held, false, buf, n);
}

/* "device.variation.step" is "variation.step" in a label; "device.model" stays, as "device". */
static const char *short_key(const char *key) {
  const char *dot = strchr(key, '.');
  return dot ? dot + 1 : key;
}

static void add_label(char *label, size_t capacity, const char *key, const char *text) {
  char word[64];
  snprintf(word, sizeof word, "%s", short_key(key));
  if (!strcmp(word, "model") || !strcmp(word, "name")) /* device.model=linear reads device=linear */
    snprintf(word, sizeof word, "%.*s", (int)strcspn(key, "."), key);
  mho_text_append(label, capacity, "%s%s=", *label ? " " : "", word);
  for (const char *c = text; *c; c++)
    if (*c != ' ')
      mho_text_append(label, capacity, "%c", *c);
    else if (c[1] >= '0' && c[1] <= '9')
      mho_text_append(label, capacity, ","); /* a list */
}

static mho_err set_range(const mho_study *s, const study_axis *a, double u, mho_config *c,
                         char *label, size_t capacity, mho_errinfo *ei) {
  char text[96];
  mho_err err = MHO_OK;
  study_range_text(a, u, text, sizeof text);
  for (int k = 0; k < a->n_keys && !err; k++)
    err = mho_config_put(c, a->key[k], text, false, s->file, a->line, true, ei);
  if (label)
    add_label(label, capacity, a->key[0], text);
  return err;
}

static mho_err set_value(const mho_study *s, const study_axis *a, int v, mho_config *c, char *label,
                         size_t capacity, mho_errinfo *ei) {
  const study_value *value = &a->value[v];
  mho_err err = MHO_OK;
  for (int i = 0; i < value->n && !err; i++) {
    const study_set *k = &value->set[i];
    err = mho_config_put(c, k->key, k->text, k->is_list, s->file, k->line, true, ei);
    if (label && (i == 0 || !a->n_keys))
      add_label(label, capacity, k->key, k->text);
  }
  return err;
}

static mho_err set_axis(const mho_study *s, const study_axis *a, int64_t i, double u, mho_config *c,
                        char *label, size_t capacity, mho_errinfo *ei) {
  if (is_sampled(s, a) && a->range)
    return set_range(s, a, u, c, label, capacity, ei);
  if (is_sampled(s, a))
    i = (int64_t)fmin(floor(u * a->n), a->n - 1);
  else if (a->range)
    return set_range(s, a, a->n > 1 ? (double)i / (a->n - 1) : 0, c, label, capacity, ei);
  return set_value(s, a, (int)i, c, label, capacity, ei);
}

mho_err study_point_config(const mho_study *s, const double *samples, int64_t point, int64_t seed,
                           mho_config **out, char *label, size_t capacity, mho_errinfo *ei) {
  char text[32];
  int axes = sampled_axes(s);
  int64_t rest = point, part[64] = {0}, sample;
  mho_err err = mho_config_copy(s->base, out, ei);
  if (err)
    return err;
  if (label)
    *label = 0;
  sample = s->design == STUDY_GRID ? 0 : rest % s->samples;
  if (s->design != STUDY_GRID)
    rest /= s->samples;
  if (s->n_axes > MHO_COUNT(part))
    err = mho_fail_at(ei, MHO_ECONFIG, s->file, 0, "more than %d keys are varied", MHO_COUNT(part));
  for (int i = s->n_axes - 1; i >= 0 && !err; i--)
    if (!is_sampled(s, &s->axis[i])) { /* the first axis is the slowest */
      part[i] = rest % s->axis[i].n;
      rest /= s->axis[i].n;
    }
  for (int i = 0, k = 0; i < s->n_axes && !err; i++) {
    double u = is_sampled(s, &s->axis[i]) ? samples[sample * axes + k++] : 0;
    err = set_axis(s, &s->axis[i], part[i], u, *out, label, capacity, ei);
  }
  if (!err && seed >= 0) {
    snprintf(text, sizeof text, "%lld", (long long)seed);
    err = mho_config_put(*out, "train.seed", text, false, s->file, 0, true, ei);
  }
  if (err) {
    mho_config_free(*out);
    *out = NULL;
  }
  return err;
}
