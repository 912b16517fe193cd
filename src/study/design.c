/* design.c - the points of a study: every combination of a grid, or samples.
 *
 * Points given by name are crossed with the rest, whatever the design is. A sampled axis maps u in
 * 0..1 onto its range, or onto its list in equal shares. Latin hypercube: each axis is cut into as
 * many intervals as there are samples, and each interval is used once (McKay, Beckman and Conover,
 * Technometrics 21, 239, 1979). Sobol: GSL's sequence, which fills up evenly, so that a study may
 * be ended at any number of samples.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_qrng.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/streams.h"
#include "mho/model/entry.h"
#include "study/study_impl.h"

enum { SOBOL_AXES = 40 }; /* of gsl_qrng_sobol */
enum { AXES_MAX = 64 };

static bool is_sampled(const mho_study *s, const study_axis *a) {
  return s->design != STUDY_GRID && a->n_keys > 0;
}

static int sampled_axes(const mho_study *s) {
  int n = 0;
  for (int i = 0; i < s->n_axes; i++)
    n += is_sampled(s, &s->axis[i]);
  return n;
}

int64_t mho__study_points(const mho_study *s) {
  int64_t n = s->design == STUDY_GRID ? 1 : s->samples;
  for (int i = 0; i < s->n_axes; i++) {
    if (n > STUDY_RUNS_MAX)
      break; /* too many in any case: the product must not overflow */
    if (!is_sampled(s, &s->axis[i]))
      n *= s->axis[i].n;
  }
  return n;
}

/* ---------------------------------------------------------------- samples */

static mho_err no_memory(mho_errinfo *ei) {
  return mho_fail(ei, MHO_ENOMEM, "no memory for the samples");
}

static mho_err sample_latin(const mho_study *s, int axes, double *u, mho_errinfo *ei) {
  int n = s->samples;
  int *order = calloc((size_t)n, sizeof *order);
  float *jitter = calloc((size_t)n, sizeof *jitter);
  if (!order || !jitter) {
    free(order);
    free(jitter);
    return no_memory(ei);
  }

  for (int k = 0; k < axes; k++) {
    mho_rng rng = mho__stream_axis((uint64_t)s->design_seed, k);
    mho_rng_permutation(rng, MHO_DESIGN_ORDER, n, order);
    mho_rng_uniform(rng, MHO_DESIGN_JITTER, 0, (size_t)n, jitter);
    for (int i = 0; i < n; i++)
      u[i * axes + k] = (order[i] + (double)jitter[i]) / n;
  }

  free(order);
  free(jitter);
  return MHO_OK;
}

/* The first n samples of a longer study are those of a shorter one. */
static mho_err sample_random(const mho_study *s, int axes, double *u) {
  for (int i = 0; i < s->samples; i++)
    for (int k = 0; k < axes; k++) {
      float v;
      mho_rng_uniform(mho__stream_axis((uint64_t)s->design_seed, k), MHO_DESIGN_VALUE, (uint64_t)i,
                      1, &v);
      u[i * axes + k] = (double)v;
    }
  return MHO_OK;
}

static mho_err sample_sobol(const mho_study *s, int axes, double *u, mho_errinfo *ei) {
  if (axes > SOBOL_AXES)
    return mho_fail_at(ei, MHO_ECONFIG, s->file, 0,
                       "design sobol: %d keys are varied, at most %d can be", axes, SOBOL_AXES);

  gsl_qrng *q = gsl_qrng_alloc(gsl_qrng_sobol, (unsigned)axes);
  if (!q)
    return no_memory(ei);

  for (int i = 0; i < s->samples; i++)
    gsl_qrng_get(q, u + (size_t)i * (size_t)axes);
  gsl_qrng_free(q);
  return MHO_OK;
}

static mho_err sample(const mho_study *s, int axes, double *u, mho_errinfo *ei) {
  switch (s->design) {
  case STUDY_LATIN:
    return sample_latin(s, axes, u, ei);
  case STUDY_RANDOM:
    return sample_random(s, axes, u);
  case STUDY_SOBOL:
    return sample_sobol(s, axes, u, ei);
  default:
    return MHO_OK;
  }
}

mho_err mho__study_samples(const mho_study *s, double **out, mho_errinfo *ei) {
  int axes = sampled_axes(s);
  size_t n = (size_t)mho_max(s->samples, 1) * (size_t)mho_max(axes, 1);

  *out = NULL;
  double *u = calloc(n, sizeof *u);
  if (!u)
    return no_memory(ei);

  mho_err err = axes ? sample(s, axes, u, ei) : MHO_OK;
  if (err) {
    free(u);
    return err;
  }

  *out = u;
  return MHO_OK;
}

/* ---------------------------------------------------------------- ranges */

static double range_value(const study_axis *a, double u) {
  if (u >= 1)
    return a->to;
  if (u <= 0)
    return a->from;
  if (a->logarithmic)
    return a->from * pow(a->to / a->from, u);
  return a->from + (a->to - a->from) * u;
}

void mho__study_range_text(const study_axis *a, double u, char *buf, size_t n) {
  double v = range_value(a, u);
  if (a->range->kind == MHO_PARAM_INT) {
    snprintf(buf, n, "%.0f", v);
    return;
  }

  /* six digits: what people can read, and enough; but never beyond the ends */
  char text[64];
  snprintf(text, sizeof text, "%.6g", v);
  double low = fmin(a->from, a->to), high = fmax(a->from, a->to);
  double rounded = fmin(fmax(strtod(text, NULL), low), high);
  mho_param param = *a->range;
  param.offset = 0;
  mho_param_format(&param, &rounded, false, buf, n);
}

void mho__study_step_text(const study_axis *a, int64_t i, char *buf, size_t n) {
  mho__study_range_text(a, a->n > 1 ? (double)i / (a->n - 1) : 0, buf, n);
}

/* ---------------------------------------------------------------- one point */

/* The config of a point while it is made. */
typedef struct point {
  const mho_study *s;
  mho_config *config;
  char *label; /* nullable, [capacity] */
  size_t capacity;
  mho_errinfo *ei;
} point;

/* "device.variation.step" is "variation.step" in a label, and "device.model" is "device":
 * device.model=linear reads device=linear. */
static void label_key(const char *key, char *word, size_t n) {
  const char *dot = strchr(key, '.');
  snprintf(word, n, "%s", dot ? dot + 1 : key);
  if (!strcmp(word, "model") || !strcmp(word, "name"))
    snprintf(word, n, "%.*s", (int)strcspn(key, "."), key);
}

/* "key=value" behind what the label has; a list has commas between its entries. */
static void add_label(point *p, const char *key, const char *text) {
  char word[64];
  if (!p->label)
    return;

  label_key(key, word, sizeof word);
  mho_text_append(p->label, p->capacity, "%s%s=", *p->label ? " " : "", word);
  for (const char *c = text; *c; c++)
    if (*c != ' ')
      mho_text_append(p->label, p->capacity, "%c", *c);
    else if (c[1] >= '0' && c[1] <= '9')
      mho_text_append(p->label, p->capacity, ",");
}

/* All keys of an axis to the value of its range. */
static mho_err set_range(point *p, const study_axis *a, const char *text) {
  for (int k = 0; k < a->n_keys; k++) {
    mho_err err =
        mho__config_put(p->config, a->key[k], text, false, p->s->file, a->line, true, p->ei);
    if (err)
      return err;
  }
  add_label(p, a->key[0], text);
  return MHO_OK;
}

/* All that a value sets. Keys that are set together have one label. */
static mho_err set_value(point *p, const study_axis *a, const study_value *v) {
  for (int i = 0; i < v->n; i++) {
    const study_set *k = &v->set[i];
    mho_err err =
        mho__config_put(p->config, k->key, k->text, k->is_list, p->s->file, k->line, true, p->ei);
    if (err)
      return err;
    if (i == 0 || !a->n_keys)
      add_label(p, k->key, k->text);
  }

  return MHO_OK;
}

/* An axis at a sample u in 0..1. */
static mho_err set_sample(point *p, const study_axis *a, double u) {
  if (a->range) {
    char text[96];
    mho__study_range_text(a, u, text, sizeof text);
    return set_range(p, a, text);
  }
  return set_value(p, a, &a->value[(int)fmin(floor(u * a->n), a->n - 1)]);
}

/* An axis at its i-th step or value. */
static mho_err set_step(point *p, const study_axis *a, int64_t i) {
  if (a->range) {
    char text[96];
    mho__study_step_text(a, i, text, sizeof text);
    return set_range(p, a, text);
  }
  return set_value(p, a, &a->value[i]);
}

/* Which sample a point has, and which step of each axis that is not sampled: the digits of its
 * number. The samples change fastest, the first axis slowest. */
static void split_point(const mho_study *s, int64_t number, int64_t *sample_index, int64_t *step) {
  *sample_index = 0;
  if (s->design != STUDY_GRID) {
    *sample_index = number % s->samples;
    number /= s->samples;
  }

  for (int i = s->n_axes - 1; i >= 0; i--)
    if (!is_sampled(s, &s->axis[i])) {
      step[i] = number % s->axis[i].n;
      number /= s->axis[i].n;
    }
}

static mho_err set_axes(point *p, const double *samples, int64_t number) {
  const mho_study *s = p->s;
  int64_t sample_index, step[AXES_MAX] = {0};
  if (s->n_axes > AXES_MAX)
    return mho_fail_at(p->ei, MHO_ECONFIG, s->file, 0, "more than %d keys are varied", AXES_MAX);
  split_point(s, number, &sample_index, step);

  const double *u = samples + sample_index * sampled_axes(s);
  for (int i = 0; i < s->n_axes; i++) {
    const study_axis *a = &s->axis[i];
    mho_err err = is_sampled(s, a) ? set_sample(p, a, *u++) : set_step(p, a, step[i]);
    if (err)
      return err;
  }

  return MHO_OK;
}

static mho_err set_seed(point *p, int64_t seed) {
  char text[32];
  snprintf(text, sizeof text, "%lld", (long long)seed);
  return mho__config_put(p->config, "train.seed", text, false, p->s->file, 0, true, p->ei);
}

mho_err mho__study_point_config(const mho_study *s, const double *samples, int64_t number,
                                int64_t seed, mho_config **out, char *label, size_t capacity,
                                mho_errinfo *ei) {
  mho_err err = mho__config_copy(s->base, out, ei);
  if (err)
    return err;
  if (label)
    *label = 0;

  point p = {.s = s, .config = *out, .label = label, .capacity = capacity, .ei = ei};
  err = set_axes(&p, samples, number);
  if (!err && seed >= 0)
    err = set_seed(&p, seed);
  if (err) {
    mho_config_free(*out);
    *out = NULL;
  }
  return err;
}
