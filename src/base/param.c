/* param.c - parameter tables: defaults, parsing with units and ranges, printing.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/base.h"
#include "mho/model/entry.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void *field(const mho_param *p, void *params) {
  return (char *)params + p->offset;
}
static const void *cfield(const mho_param *p, const void *params) {
  return (const char *)params + p->offset;
}

const mho_param *mho_params_find(mho_params table, const char *name) {
  for (int i = 0; i < table.n; i++)
    if (!strcmp(table.p[i].name, name))
      return &table.p[i];
  return NULL;
}

/* ---------------------------------------------------------------- quantities */

static const struct {
  const char *text;
  double factor;
} prefixes[] = {{"f", 1e-15},       {"p", 1e-12}, {"n", 1e-9}, {"u", 1e-6},
                {"\xc2\xb5", 1e-6}, {"m", 1e-3},  {"", 1},     {"k", 1e3},
                {"meg", 1e6},       {"M", 1e6},   {"G", 1e9}};

static const struct {
  const char *text, *unit;
  double factor;
} other_units[] = {{"\xce\xa9", "ohm", 1}, {"min", "s", 60},     {"h", "s", 3600},
                   {"d", "s", 86400},      {"mo", "s", 2629800}, {"y", "s", 31557600},
                   {"%", "", 0.01}};

/* Factor of a unit text for the SI unit wanted, or 0 when it is not one of it. */
static double unit_factor(const char *text, const char *unit) {
  for (int i = 0; i < MHO_COUNT(other_units); i++)
    if (!strcmp(other_units[i].unit, unit) && !strcmp(other_units[i].text, text))
      return other_units[i].factor;

  if (!*unit)
    return *text ? 0 : 1;

  for (int i = 0; i < MHO_COUNT(prefixes); i++) {
    size_t n = strlen(prefixes[i].text);
    if (strncmp(text, prefixes[i].text, n))
      continue;
    if (!strcmp(text + n, unit) || (!strcmp(unit, "ohm") && !strcmp(text + n, "\xce\xa9")))
      return prefixes[i].factor;
  }
  return 0;
}

mho_err mho_quantity_parse(const char *text, const char *unit, bool bare, double *out,
                           mho_errinfo *ei) {
  char *end;
  double v = strtod(text, &end);
  if (end == text || !isfinite(v))
    return mho_fail(ei, MHO_ECONFIG, "'%s' is not a number%s%s", text,
                    *unit ? " with the unit " : "", unit);

  while (*end == ' ')
    end++;
  if (*unit && !*end && !bare && v != 0)
    return mho_fail(ei, MHO_ECONFIG, "'%s' has no unit: write for example '%s %s'", text, text,
                    unit);

  double f = *end ? unit_factor(end, unit) : 1;
  if (f == 0)
    return mho_fail(ei, MHO_ECONFIG, "'%s' has the unit '%s': expected %s%s", text, end,
                    *unit ? unit : "a plain number",
                    *unit ? ", with a prefix f p n u m k M G if you like" : "");

  *out = v * f;
  return MHO_OK;
}

/* The shortest decimal, of at most so many digits, whose product with factor is v exactly. */
static bool format_scaled(double v, double factor, int most, char *buf, size_t n) {
  for (int digits = 6; digits <= most; digits++) {
    snprintf(buf, n, "%.*g", digits, v / factor);
    if (strtod(buf, NULL) * factor == v)
      return true;
  }
  return false;
}

/* With the prefix that suits the size; with a larger one where only that gives the number without a
 * rounding tail: 1e-4 S is 0.1 mS, since 100 times 1e-6 is not quite 1e-4. */
static bool format_prefixed(double v, const char *unit, int most, char *buf, size_t n) {
  static const struct {
    const char *text;
    double factor;
  } scale[] = {{"f", 1e-15}, {"p", 1e-12}, {"n", 1e-9}, {"u", 1e-6}, {"m", 1e-3},
               {"", 1},      {"k", 1e3},   {"M", 1e6},  {"G", 1e9}};

  int first = MHO_COUNT(scale) - 1;
  while (first > 0 && fabs(v) < scale[first].factor)
    first--;

  for (int i = first; i < MHO_COUNT(scale); i++) {
    if (!format_scaled(v, scale[i].factor, most, buf, n))
      continue;
    mho_text_append(buf, n, " %s%s", scale[i].text, unit);
    return true;
  }
  return false;
}

static void format_quantity(double v, const char *unit, bool bare, char *buf, size_t n) {
  enum { NO_TAIL = 12, ALL = 17 }; /* digits */
  bool named = *unit && !bare;

  if (named && v != 0) {
    bool done = format_prefixed(v, unit, NO_TAIL, buf, n) || format_prefixed(v, unit, ALL, buf, n);
    if (done)
      return;
  }

  format_scaled(v, 1, ALL, buf, n);
  if (named)
    mho_text_append(buf, n, " %s", unit);
}

/* ---------------------------------------------------------------- choices and lists */

/* The i-th word of "a|b|c" and its length, or NULL past the end. */
static const char *word_at(const char *words, int i, int *length) {
  for (; i > 0; i--) {
    words = strchr(words, '|');
    if (!words)
      return NULL;
    words++;
  }

  *length = (int)strcspn(words, "|");
  return words;
}

/* Which of "a|b|c" a text is; -1: none. */
static int find_word(const char *words, const char *text) {
  for (int i = 0;; i++) {
    int n;
    const char *w = word_at(words, i, &n);
    if (!w)
      return -1;
    if (strlen(text) == (size_t)n && !strncmp(w, text, (size_t)n))
      return i;
  }
}

static bool parse_bool(const char *t, bool *out) {
  static const char *yes[] = {"true", "yes", "on", "1"}, *no[] = {"false", "no", "off", "0"};

  for (int i = 0; i < 4; i++) {
    if (!strcasecmp(t, yes[i]) || !strcasecmp(t, no[i])) {
      *out = !strcasecmp(t, yes[i]);
      return true;
    }
  }
  return false;
}

static mho_err out_of_range(const mho_param *p, const char *text, mho_errinfo *ei) {
  char range[256];
  mho_param_range(p, range, sizeof range);
  return mho_fail(ei, MHO_ECONFIG, "'%s' is out of range: expected %s", text, range);
}

static mho_err parse_int(const mho_param *p, const char *text, int64_t *out, mho_errinfo *ei) {
  char *end;
  double v = strtod(text, &end); /* so that 1e3 is an integer too */
  if (end == text || *end || !isfinite(v) || v != nearbyint(v) || fabs(v) > 9e15)
    return mho_fail(ei, MHO_ECONFIG, "'%s' is not a whole number", text);
  if (v < p->low || v > p->high)
    return out_of_range(p, text, ei);

  *out = (int64_t)v;
  return MHO_OK;
}

static bool is_bare_number(const char *text, double *v) {
  char *end;
  *v = strtod(text, &end);
  return end != text && !*end && isfinite(*v);
}

/* The example has the prefix that puts the number closest to the default (of a default of 0: the
 * plain unit) within the range; where none does, it is the default. */
static mho_err without_unit(const mho_param *p, const char *text, double v, mho_errinfo *ei) {
  char example[80];
  double closest = INFINITY;
  format_quantity(p->initial, p->unit, false, example, sizeof example);

  for (int i = 0; i < MHO_COUNT(prefixes); i++) {
    double with = v * prefixes[i].factor;
    double target = p->initial != 0 ? p->initial : v;
    double distance = fabs(log(fabs(with / target)));
    if (with < p->low || with > p->high || distance >= closest)
      continue;
    closest = distance;
    snprintf(example, sizeof example, "%s %s%s", text, prefixes[i].text, p->unit);
  }

  return mho_fail(ei, MHO_ECONFIG, "'%s' has no unit: write for example '%s'", text, example);
}

static mho_err parse_real(const mho_param *p, const char *text, bool bare, double *out,
                          mho_errinfo *ei) {
  double v;
  if (!bare && *p->unit && is_bare_number(text, &v) && v != 0)
    return without_unit(p, text, v, ei);

  mho_err err = mho_quantity_parse(text, p->unit, bare, &v, ei);
  if (err)
    return err;

  if (v < p->low || v > p->high)
    return out_of_range(p, text, ei);
  *out = v;
  return MHO_OK;
}

/* A list of whole numbers, or of plain ones: into whichever of the two is given. */
static mho_err parse_list(const mho_param *p, const char *text, mho_ints *ints, mho_reals *reals,
                          mho_errinfo *ei) {
  int64_t v[MHO_INTS_MAX];
  double real[MHO_INTS_MAX];
  int n = 0;
  char copy[MHO_TEXT_MAX * 4], *save = NULL;

  if (strlen(text) >= sizeof copy)
    return mho_fail(ei, MHO_ECONFIG, "the list is too long");

  strcpy(copy, text);
  for (char *t = strtok_r(copy, " ,[]", &save); t; t = strtok_r(NULL, " ,[]", &save), n++) {
    if (n == MHO_INTS_MAX)
      return mho_fail(ei, MHO_ECONFIG, "the list has more than %d entries", MHO_INTS_MAX);
    mho_err err = ints ? parse_int(p, t, &v[n], ei) : parse_real(p, t, false, &real[n], ei);
    if (err)
      return err;
  }

  if (ints)
    *ints = (mho_ints){.n = n};
  else
    *reals = (mho_reals){.n = n};

  for (int i = 0; i < n; i++)
    if (ints)
      ints->v[i] = (int)v[i];
    else
      reals->v[i] = real[i];
  return MHO_OK;
}

mho_err mho_param_parse(const mho_param *p, const char *text, bool bare, void *params,
                        mho_errinfo *ei) {
  void *at = field(p, params);

  switch (p->kind) {
  case MHO_PARAM_REAL:
    return parse_real(p, text, bare, at, ei);
  case MHO_PARAM_INT:
    return parse_int(p, text, at, ei);
  case MHO_PARAM_BOOL:
    if (!parse_bool(text, at))
      return mho_fail(ei, MHO_ECONFIG, "'%s' is neither true nor false", text);
    return MHO_OK;
  case MHO_PARAM_CHOICE: {
    int i = find_word(p->text, text);
    if (i < 0)
      return mho_fail(ei, MHO_ECONFIG, "'%s' is not one of %s", text, p->text);
    *(int *)at = i;
    return MHO_OK;
  }
  case MHO_PARAM_TEXT:
    if (strlen(text) >= MHO_TEXT_MAX)
      return mho_fail(ei, MHO_ECONFIG, "the text is longer than %d characters", MHO_TEXT_MAX - 1);
    strcpy(at, text);
    return MHO_OK;
  case MHO_PARAM_INTS:
    return parse_list(p, text, at, NULL, ei);
  case MHO_PARAM_REALS:
    return parse_list(p, text, NULL, at, ei);
  }
  return mho_fail(ei, MHO_EINVAL, "parameter %s has an unknown kind", p->name);
}

static void format_ints(const mho_ints *list, char *buf, size_t n) {
  snprintf(buf, n, "[");
  for (int i = 0; i < list->n; i++)
    mho_text_append(buf, n, "%s%d", i ? ", " : "", list->v[i]);
  mho_text_append(buf, n, "]");
}

static void format_reals(const mho_reals *list, char *buf, size_t n) {
  char number[64];
  snprintf(buf, n, "[");
  for (int i = 0; i < list->n; i++) {
    format_quantity(list->v[i], "", false, number, sizeof number);
    mho_text_append(buf, n, "%s%s", i ? ", " : "", number);
  }
  mho_text_append(buf, n, "]");
}

void mho_param_format(const mho_param *p, const void *params, bool bare, char *buf, size_t n) {
  const void *at = cfield(p, params);

  switch (p->kind) {
  case MHO_PARAM_REAL:
    format_quantity(*(const double *)at, p->unit, bare, buf, n);
    break;
  case MHO_PARAM_INT:
    snprintf(buf, n, "%lld", (long long)*(const int64_t *)at);
    break;
  case MHO_PARAM_BOOL:
    snprintf(buf, n, "%s", *(const bool *)at ? "true" : "false");
    break;
  case MHO_PARAM_CHOICE: {
    int length = 0;
    const char *w = word_at(p->text, *(const int *)at, &length);
    snprintf(buf, n, "%.*s", length, w ? w : "");
    break;
  }
  case MHO_PARAM_TEXT:
    snprintf(buf, n, "%s", (const char *)at);
    break;
  case MHO_PARAM_INTS:
    format_ints(at, buf, n);
    break;
  case MHO_PARAM_REALS:
    format_reals(at, buf, n);
    break;
  }
}

/* ---------------------------------------------------------------- defaults and ranges */

static void set_default(const mho_param *p, void *params) {
  void *at = field(p, params);

  switch (p->kind) {
  case MHO_PARAM_REAL:
    *(double *)at = p->initial;
    break;
  case MHO_PARAM_INT:
    *(int64_t *)at = (int64_t)p->initial;
    break;
  case MHO_PARAM_BOOL:
    *(bool *)at = p->initial != 0;
    break;
  case MHO_PARAM_CHOICE:
    *(int *)at = (int)p->initial;
    break;
  case MHO_PARAM_TEXT:
    snprintf(at, MHO_TEXT_MAX, "%s", p->text);
    break;
  case MHO_PARAM_INTS:
    parse_list(p, p->text, at, NULL, NULL);
    break;
  case MHO_PARAM_REALS:
    parse_list(p, p->text, NULL, at, NULL);
    break;
  }
}

void mho_params_init(mho_params table, void *out) {
  if (table.size)
    memset(out, 0, table.size);
  for (int i = 0; i < table.n; i++)
    set_default(&table.p[i], out);
}

bool mho_param_is_default(const mho_param *p, const void *params) {
  const void *at = cfield(p, params);

  switch (p->kind) {
  case MHO_PARAM_REAL:
    return *(const double *)at == p->initial;
  case MHO_PARAM_INT:
    return *(const int64_t *)at == (int64_t)p->initial;
  case MHO_PARAM_BOOL:
    return *(const bool *)at == (p->initial != 0);
  case MHO_PARAM_CHOICE:
    return *(const int *)at == (int)p->initial;
  case MHO_PARAM_TEXT:
    return !strcmp(at, p->text);
  case MHO_PARAM_INTS: {
    mho_ints list = {0};
    const mho_ints *have = at;
    parse_list(p, p->text, &list, NULL, NULL);
    return list.n == have->n && !memcmp(list.v, have->v, (size_t)list.n * sizeof *list.v);
  }
  case MHO_PARAM_REALS: {
    mho_reals list = {0};
    const mho_reals *have = at;
    parse_list(p, p->text, NULL, &list, NULL);
    return list.n == have->n && !memcmp(list.v, have->v, (size_t)list.n * sizeof *list.v);
  }
  }
  return false;
}

static void format_range(const mho_param *p, char *buf, size_t n) {
  char low[64], high[64];
  if (p->kind == MHO_PARAM_REAL || p->kind == MHO_PARAM_REALS) {
    format_quantity(p->low, p->unit, false, low, sizeof low);
    format_quantity(p->high, p->unit, false, high, sizeof high);
  } else {
    snprintf(low, sizeof low, "%.0f", p->low);
    snprintf(high, sizeof high, "%.0f", p->high);
  }

  if (p->high >= 1e15)
    snprintf(buf, n, "at least %s", low);
  else
    snprintf(buf, n, "%s to %s", low, high);
}

void mho_param_range(const mho_param *p, char *buf, size_t n) {
  switch (p->kind) {
  case MHO_PARAM_REAL:
  case MHO_PARAM_INT:
  case MHO_PARAM_INTS:
  case MHO_PARAM_REALS:
    format_range(p, buf, n);
    break;
  case MHO_PARAM_BOOL:
    snprintf(buf, n, "true|false");
    break;
  case MHO_PARAM_CHOICE:
    snprintf(buf, n, "%s", p->text);
    break;
  case MHO_PARAM_TEXT:
    snprintf(buf, n, "text");
    break;
  }
}
