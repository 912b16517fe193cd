/* difference.c - the keys in which two experiments differ.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/sections.h"
#include "mho/model/entry.h"

enum { SETTINGS_MAX = 512 };

typedef struct listing {
  int n;
  mho_setting setting[SETTINGS_MAX];
} listing;

static void add(void *user, const mho_setting *s) {
  listing *l = user;
  if (l->n < SETTINGS_MAX)
    l->setting[l->n++] = *s;
}

static void value_of(const mho_setting *s, bool bare, char *out, size_t capacity) {
  if (s->param)
    mho_param_format(s->param, s->params, bare, out, capacity);
  else
    snprintf(out, capacity, "%s", s->word);
}

static const mho_setting *same_key(const listing *l, const mho_setting *of) {
  for (int i = 0; i < l->n; i++)
    if (l->setting[i].section == of->section && !strcmp(l->setting[i].name, of->name))
      return &l->setting[i];
  return NULL;
}

/* Whether a key is of a registered thing ("step_up" of a device model), not of the section
 * itself. */
static bool is_own(const mho_setting *s, const mho_experiment *e) {
  return s->param && s->params != mho__section_common(s->section, e);
}

/* Whether two values are one; a number that was written with its unit and read again may have moved
 * in its last digit. */
static bool is_equal(const mho_setting *a, const mho_setting *b) {
  char text[2][MHO_TEXT_MAX * 4];
  if (a->param && a->param->kind == MHO_PARAM_REAL) {
    double x = *(const double *)(const void *)((const char *)a->params + a->param->offset);
    double y = *(const double *)(const void *)((const char *)b->params + b->param->offset);
    return fabs(x - y) <= 1e-12 * fmax(fabs(x), fabs(y));
  }

  value_of(a, true, text[0], sizeof text[0]);
  value_of(b, true, text[1], sizeof text[1]);
  return !strcmp(text[0], text[1]);
}

int mho_experiment_differences(const mho_experiment *a, const mho_experiment *b, int max,
                               mho_difference *out) {
  static _Thread_local listing of[2];
  char text[2][MHO_TEXT_MAX * 4];
  int n = 0;

  of[0].n = of[1].n = 0;
  mho__settings_visit(a, add, &of[0]);
  mho__settings_visit(b, add, &of[1]);

  for (int i = 0; i < of[1].n && n < max; i++) {
    const mho_setting *s = &of[1].setting[i];
    const mho_setting *was = same_key(&of[0], s);
    bool is_changed = was && !is_equal(was, s);
    if (!is_changed)
      continue;

    mho_difference *d = &out[n++];
    *d = (mho_difference){.section = s->section->name, .name = s->name, .is_own = is_own(s, b)};
    value_of(was, false, text[0], sizeof text[0]);
    value_of(s, false, text[1], sizeof text[1]);
    snprintf(d->a, sizeof d->a, "%.*s", (int)sizeof d->a - 1, text[0]);
    snprintf(d->b, sizeof d->b, "%.*s", (int)sizeof d->b - 1, text[1]);
  }
  return n;
}
