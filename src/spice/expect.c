/* expect.c - what a netlist printed against what its comments expect.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mho/spice.h"

enum { NAME = 80 };

/* "* expect NAME = VALUE +- MARGIN UNIT" */
typedef struct expectation {
  char name[NAME], unit[16];
  double value, margin;
  int line;
} expectation;

static mho_err parse(const char *line, int number, expectation *e, bool *found, mho_errinfo *ei) {
  *e = (expectation){.unit = ""};
  int got =
      sscanf(line, "* expect %79s = %lf +- %lf %15s", e->name, &e->value, &e->margin, e->unit);
  *found = got >= 3;
  if (got == 1 && !strstr(line, " = ")) /* prose */
    return MHO_OK;
  if (got == 1 || got == 2)
    return mho_fail_at(ei, MHO_EDATA, NULL, number,
                       "what is expected of %s is not readable: write '* expect %s = VALUE +- "
                       "MARGIN'",
                       e->name, e->name);
  if (*found && !(isfinite(e->value) && isfinite(e->margin) && e->margin >= 0))
    return mho_fail_at(ei, MHO_EDATA, NULL, number,
                       "%s = %g +- %g cannot be expected: both must be finite, and the margin 0 "
                       "or more",
                       e->name, e->value, e->margin);
  return MHO_OK;
}

/* The last value printed as "name = value", in either case of letters. */
static bool find_printed(const char *printed, const char *name, double *out) {
  size_t n = strlen(name);
  bool found = false;

  for (const char *p = printed; *p;) {
    const char *end = p + strcspn(p, "\n"), *start = p + strspn(p, " \t");
    if (!strncasecmp(start, name, n) && !strncmp(start + n, " = ", 3)) {
      *out = strtod(start + n + 3, NULL);
      found = true;
    }
    p = *end ? end + 1 : end;
  }
  return found;
}

/* Take a printed value into the row; worst: the largest difference over its margin so far. */
static void compare(const expectation *e, double value, double *worst, double *squares,
                    mho_cosim_row *row, char place[MHO_PLACE_MAX], mho_netlist_values *values) {
  double d = fabs(value - e->value), ratio = d == 0 ? 0 : d / e->margin;
  row->n++;
  *squares += d * d;

  if (ratio <= *worst && row->n > 1)
    return;

  *worst = isnan(ratio) ? (double)INFINITY : ratio;
  row->max_abs = d;
  snprintf(place, MHO_PLACE_MAX, "%.60s", e->name);
  if (values)
    *values = (mho_netlist_values){.expected = e->value, .margin = e->margin, .printed = value};
}

mho_err mho_netlist_compare(const char *netlist, const char *printed, mho_cosim_row *row,
                            char place[MHO_PLACE_MAX], mho_netlist_values *values,
                            mho_errinfo *ei) {
  double squares = 0, worst = 0, value;
  int line = 0;

  *row = (mho_cosim_row){.what = "netlist",
                         .quantity = "printed values",
                         .unit = "",
                         .place = place,
                         .tolerance = 1,
                         .core_s = (double)NAN,
                         .spice_s = (double)NAN};
  place[0] = 0;

  for (const char *p = netlist; *p;) {
    char copy[256];
    expectation e;
    const char *end = p + strcspn(p, "\n");
    snprintf(copy, sizeof copy, "%.*s", (int)(end - p), p);
    p = *end ? end + 1 : end;
    line++;

    bool is_expected;
    mho_err err = parse(copy, line, &e, &is_expected, ei);
    if (err)
      return err;
    if (!is_expected)
      continue;
    if (!find_printed(printed, e.name, &value))
      return mho_fail_at(ei, MHO_ESPICE, NULL, line,
                         "ngspice printed no %s: the .control block needs 'print %s'", e.name,
                         e.name);
    compare(&e, value, &worst, &squares, row, place, values);
  }

  if (!row->n)
    return mho_fail(ei, MHO_EINVAL,
                    "the netlist has no comment '* expect NAME = VALUE +- MARGIN', beside a "
                    "'print NAME' in a .control block");

  row->rms = sqrt(squares / (double)row->n);
  row->max_rel = worst;
  row->pass = worst <= 1;
  return MHO_OK;
}
