/* pulse_readings.c - tables of measured pulses as people keep them: which columns have what, and
 * readings of them in siemens.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/fit/pulse_readings.h"

#include <fnmatch.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "device/measurements.h"

/* Columns that are not readings; those of readings stand behind them. */
enum { DEVICE, CYCLE, PULSE, DIRECTION, VOLTAGE, READ_VOLTAGE, READINGS };

static const struct role {
  const char *name, *other; /* nullable */
  mho_csv_kind kind;
} roles[READINGS] = {{"device", NULL, MHO_CSV_LABEL},  {"cycle", NULL, MHO_CSV_LABEL},
                     {"pulse", NULL, MHO_CSV_NUMBER},  {"direction", NULL, MHO_CSV_DIRECTION},
                     {"voltage", "v", MHO_CSV_NUMBER}, {"read_voltage", "v_read", MHO_CSV_NUMBER}};

typedef enum quantity { CONDUCTANCE, RESISTANCE, CURRENT, QUANTITIES } quantity;
static const struct {
  const char *unit, *name, *other;
} quantities[QUANTITIES] = {
    {"S", "g", "conductance"}, {"ohm", "r", "resistance"}, {"A", "i", "current"}};

/* What the first line and the format say. */
typedef struct layout {
  const mho_pulse_format *format;
  quantity quantity;
  double factor;                 /* SI units of one of the file's */
  int n;                         /* columns of readings */
  int direction[MHO_CSV_FIELDS]; /* of each: 1, -1, 0: as the row says */
  int number[MHO_CSV_FIELDS];    /* of each: the device that it is of, where they are several */
  bool several, apart;           /* columns of readings; see mho_pulse_readings */
} layout;

/* ---------------------------------------------------------------- units */

static mho_err read_unit(layout *l, mho_errinfo *ei) {
  char text[64];
  l->factor = 1;
  if (!l->format->unit)
    return MHO_OK;

  snprintf(text, sizeof text, "1 %s", l->format->unit);
  for (int q = 0; q < QUANTITIES; q++)
    if (!mho_quantity_parse(text, quantities[q].unit, false, &l->factor, NULL)) {
      l->quantity = (quantity)q;
      return MHO_OK;
    }
  return mho_fail(ei, MHO_EINVAL,
                  "--unit %s is no unit of conductance, resistance or current: S, mS, uS, nS, ohm, "
                  "kohm, A, uA, nA",
                  l->format->unit);
}

/* ---------------------------------------------------------------- columns */

static mho_err no_column(int n, char *const *field, const char *what, mho_errinfo *ei) {
  char have[MHO_TEXT_MAX] = "";
  for (int i = 0; i < n; i++)
    mho_text_append(have, sizeof have, "%s%.40s", i ? ", " : "", field[i]);
  return mho_fail(ei, MHO_EDATA, "no column %s: the first line must name it (it has: %.300s)", what,
                  have);
}

/* Place of the field of that name (or the other one, nullable), -1: there is none. MHO_EDATA when
 * there are two. */
static mho_err find_field(int n, char *const *field, const char *name, const char *other, int *at,
                          mho_errinfo *ei) {
  *at = -1;
  for (int i = 0; i < n; i++) {
    bool same = !strcasecmp(field[i], name) || (other && !strcasecmp(field[i], other));
    if (same && *at >= 0)
      return mho_fail(ei, MHO_EDATA, "two columns could be '%s': %.40s and %.40s", name, field[*at],
                      field[i]);
    if (same)
      *at = i;
  }
  return MHO_OK;
}

/* The column of readings that the format does not name: of the unit's quantity, or of any without a
 * unit. In a column g stands what the unit says. */
static mho_err find_reading(layout *l, int n, char *const *field, int *at, mho_errinfo *ei) {
  bool has_unit = l->format->unit;
  mho_err err = MHO_OK;
  *at = -1;

  for (int q = 0; q < QUANTITIES && *at < 0; q++) {
    if (has_unit && q != (int)l->quantity)
      continue;
    err = find_field(n, field, quantities[q].name, quantities[q].other, at, ei);
    if (err)
      return err;
    l->quantity = (quantity)q;
  }

  if (*at < 0 && has_unit)
    err = find_field(n, field, "g", NULL, at, ei);
  if (err || *at >= 0)
    return err;

  if (has_unit)
    for (int q = 0; q < QUANTITIES; q++) {
      int other;
      if (!find_field(n, field, quantities[q].name, quantities[q].other, &other, NULL) &&
          other >= 0)
        return mho_fail(ei, MHO_EDATA,
                        "--unit %s is no unit of the column '%.40s', whose unit is one of %s",
                        l->format->unit, field[other], quantities[q].unit);
    }
  return no_column(n, field, "'g' (or 'r', 'i', or those that --g, --up or --down name)", ei);
}

/* The fields that the words stand for, as columns of readings of one direction; devices are counted
 * from 0. */
static mho_err add_readings(layout *l, int n, char *const *field, const char *option,
                            const char *words, int direction, int *at, mho_errinfo *ei) {
  char copy[MHO_TEXT_MAX], *save = NULL;
  int device = 0;
  if (!words)
    return MHO_OK;

  if (strlen(words) >= sizeof copy)
    return mho_fail(ei, MHO_EINVAL, "--%s names too many columns", option);
  strcpy(copy, words);
  for (char *word = strtok_r(copy, " ,", &save); word; word = strtok_r(NULL, " ,", &save)) {
    int before = l->n;
    for (int i = 0; i < n; i++)
      if (!fnmatch(word, field[i], FNM_CASEFOLD) && l->n < MHO_CSV_FIELDS) {
        l->direction[l->n] = direction;
        l->number[l->n] = device++;
        at[l->n++] = i;
      }
    if (l->n == before) {
      char what[128];
      snprintf(what, sizeof what, "'%.60s' (--%s)", word, option);
      return no_column(n, field, what, ei);
    }
  }
  return MHO_OK;
}

/* Columns that only one side could mean; up and down are how many each option names. */
static mho_err check_layout(const layout *l, int up, int down, const int *at, char *const *field,
                            mho_errinfo *ei) {
  const mho_pulse_format *f = l->format;
  for (int i = 0; i < l->n; i++)
    for (int j = 0; j < i; j++)
      if (at[READINGS + i] == at[READINGS + j])
        return mho_fail(ei, MHO_EDATA, "column '%.60s' is named twice by --g, --up and --down",
                        field[at[READINGS + i]]);

  if (l->apart && f->g)
    return mho_fail(ei, MHO_EDATA, "--g is of tables with a direction, --up and --down of others");
  if (f->up && f->down && up != down)
    return mho_fail(ei, MHO_EDATA,
                    "--up names %d columns and --down %d: one a device is needed in both", up,
                    down);
  if (l->apart && (at[DIRECTION] >= 0 || at[VOLTAGE] >= 0))
    return mho_fail(ei, MHO_EDATA,
                    "--%s says which columns are of SET and RESET pulses, but there is a column "
                    "'%s' too: leave out one of them",
                    f->up ? "up" : "down", at[DIRECTION] >= 0 ? "direction" : "voltage");
  if (l->several && at[DEVICE] >= 0)
    return mho_fail(ei, MHO_EDATA,
                    "each of %d columns is a device (--%s), but there is a column 'device' too",
                    l->n, f->g ? "g" : "up");
  return MHO_OK;
}

static mho_err check_current(const layout *l, bool has_column, mho_errinfo *ei) {
  if (l->quantity == CURRENT && !has_column && !(l->format->read_voltage != 0))
    return mho_fail(ei, MHO_EDATA,
                    "these are currents: say at which voltage they were read, with --read-voltage "
                    "or a column 'read_voltage'");
  if (l->quantity != CURRENT && l->format->read_voltage != 0)
    return mho_fail(ei, MHO_EDATA,
                    "--read-voltage is of currents: these are %s; say --unit A, mA, uA, nA",
                    l->quantity == RESISTANCE ? "resistances" : "conductances");
  if (l->quantity == CURRENT && l->format->config && l->format->config->iv.law == MHO_IV_HFO2)
    return mho_fail(ei, MHO_EDATA,
                    "device.iv.law: a current of law hfo2 may be that of two conductances: give "
                    "conductances");
  return MHO_OK;
}

/* mho_csv_choose of a layout. */
static mho_err choose(void *user, int n, char *const *field, mho_csv_column *column, int *at,
                      int *columns, mho_errinfo *ei) {
  layout *l = user;
  const mho_pulse_format *f = l->format;
  int *readings = at + READINGS;
  mho_err err = MHO_OK;
  *columns = 0;

  for (int k = 0; k < READINGS && !err; k++) {
    column[k] = (mho_csv_column){roles[k].name, roles[k].kind, false};
    err = find_field(n, field, roles[k].name, roles[k].other, &at[k], ei);
  }
  if (err)
    return err;

  if (f->g || f->up || f->down) {
    err = add_readings(l, n, field, "g", f->g, 0, readings, ei);
    if (!err)
      err = add_readings(l, n, field, "up", f->up, 1, readings, ei);
    int up = l->n;
    if (!err)
      err = add_readings(l, n, field, "down", f->down, -1, readings, ei);
    l->apart = f->up || f->down;
    l->several = (f->up ? up : l->n) > 1;
    if (!err)
      err = check_layout(l, up, l->n - up, at, field, ei);
  } else {
    err = find_reading(l, n, field, readings, ei);
    l->n = 1;
  }
  if (err)
    return err;

  for (int k = 0; k < l->n; k++)
    column[READINGS + k] = (mho_csv_column){quantities[l->quantity].name, MHO_CSV_NUMBER, true};
  *columns = READINGS + l->n;
  if (!l->apart && at[DIRECTION] < 0 && at[VOLTAGE] < 0)
    return no_column(n, field, "'direction' or 'voltage' (or --up and --down)", ei);
  return check_current(l, at[READ_VOLTAGE] >= 0, ei);
}

/* ---------------------------------------------------------------- readings */

/* A table under way to readings. */
typedef struct reader {
  const char *path;
  const layout *l;
  const mho_csv *t;
  mho_pulse_readings *out;
  mho_errinfo *ei;
} reader;

/* Siemens of a number of the file, NaN of one that is missing. */
static mho_err to_siemens(const reader *r, int row, double value, double *g) {
  const layout *l = r->l;
  double x = value * l->factor, v = l->format->read_voltage, unit = 1;
  *g = x;

  if (l->quantity == RESISTANCE) {
    if (x <= 0)
      return mho_fail_at(r->ei, MHO_EDATA, r->path, r->t->line[row],
                         "a resistance of %g ohm cannot be", x);
    *g = 1 / x;
  }

  if (l->quantity == CURRENT) {
    if (r->t->has[READ_VOLTAGE])
      v = r->t->column[READ_VOLTAGE][row];
    if (!(v != 0) || !isfinite(v))
      return mho_fail_at(r->ei, MHO_EDATA, r->path, r->t->line[row],
                         "the voltage of this reading is missing or 0");
    if (l->format->config)
      unit = mho_device_current(l->format->config, 1, v, NULL) / v;
    *g = x / (v * unit);
  }
  return MHO_OK;
}

/* The direction of a row by its columns; 0: no pulse. Pulses of one direction have one voltage. */
static mho_err direction_of(const reader *r, int row, int *out) {
  const mho_csv *t = r->t;
  double v = t->has[VOLTAGE] ? t->column[VOLTAGE][row] : 0;
  if (t->has[VOLTAGE] && !isfinite(v))
    return mho_fail_at(r->ei, MHO_EDATA, r->path, t->line[row],
                       "the voltage of the pulse is missing");

  *out = v < 0 ? -1 : v > 0;
  if (t->has[DIRECTION])
    *out = (int)t->column[DIRECTION][row];
  if (!v)
    return MHO_OK;

  double *own = &r->out->volts[*out < 0];
  if (*own && fabs(v - *own) > 1e-6 * fabs(*own))
    return mho_fail_at(
        r->ei, MHO_EDATA, r->path, t->line[row],
        "a %s pulse of %g V, others have %g V: a fit is of identical pulses, so give "
        "those of one voltage",
        *out < 0 ? "RESET" : "SET", v, *own);
  *own = v;
  return MHO_OK;
}

static mho_err read_row(const reader *r, int k, int row, double number) {
  const layout *l = r->l;
  const mho_csv *t = r->t;
  double value = t->column[READINGS + k][row];
  if (l->apart && !isfinite(value))
    return MHO_OK; /* the column is shorter than others */

  int n = r->out->n;
  mho_pulse_reading *p = &r->out->reading[n];
  *p = (mho_pulse_reading){.device = t->has[DEVICE] ? t->column[DEVICE][row] : l->number[k],
                           .cycle = t->has[CYCLE] ? t->column[CYCLE][row] : 0,
                           .pulse = number,
                           .direction = l->direction[k],
                           .line = t->line[row],
                           .place = n,
                           .g = (double)NAN};
  r->out->n++;

  mho_err err = l->apart ? MHO_OK : direction_of(r, row, &p->direction);
  if (!err && isfinite(value))
    err = to_siemens(r, row, value, &p->g);
  return err;
}

/* Column after column. In those of SET and RESET without numbers, rows are counted from 0 in every
 * cycle. */
static mho_err read_rows(const reader *r) {
  const mho_csv *t = r->t;
  for (int k = 0; k < r->l->n; k++) {
    double number = -1;
    for (int i = 0; i < t->rows; i++) {
      bool same = i > 0 && (!t->has[CYCLE] || t->column[CYCLE][i - 1] == t->column[CYCLE][i]);
      number = same ? number + 1 : 0;
      double own = t->has[PULSE] ? t->column[PULSE][i] : (double)NAN;
      if (t->has[PULSE] && !isfinite(own))
        own = -1; /* no number is refused, not counted on */
      mho_err err = read_row(r, k, i, r->l->apart && !t->has[PULSE] ? number : own);
      if (err)
        return err;
    }
  }
  return MHO_OK;
}

mho_err mho__pulse_readings(const char *path, const mho_pulse_format *format,
                            mho_pulse_readings *out, mho_errinfo *ei) {
  static const mho_pulse_format plain;
  layout l = {.format = format ? format : &plain};
  mho_csv t;
  *out = (mho_pulse_readings){0};
  mho_err err = read_unit(&l, ei);
  if (!err)
    err = mho__csv_read_chosen(path, choose, &l, &t, ei);
  if (err)
    return err;

  out->apart = l.apart;
  size_t most = (size_t)t.rows * (size_t)l.n;
  if (most <= INT_MAX)
    out->reading = malloc(most * sizeof *out->reading);
  if (!out->reading)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for %zu readings", most);
  if (!err)
    err = read_rows(&(reader){path, &l, &t, out, ei});

  mho__csv_free(&t);
  if (err) {
    free(out->reading);
    *out = (mho_pulse_readings){0};
  }
  return err;
}
