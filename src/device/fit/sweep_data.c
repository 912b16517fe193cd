/* sweep_data.c - measured I-V sweeps as tracks: a reading is the conductance that the current says,
 * and what comes before it is its own voltage, for as long as it lasts.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/fit/fit.h"
#include "device/measurements.h"

enum { DEVICE, CYCLE, VOLTAGE, CURRENT, TIME, COLUMNS };
static const mho_csv_column columns[COLUMNS] = {{"device", MHO_CSV_LABEL, false},
                                                {"cycle", MHO_CSV_LABEL, false},
                                                {"v", MHO_CSV_NUMBER, true},
                                                {"i", MHO_CSV_NUMBER, true},
                                                {"t", MHO_CSV_NUMBER, false}};

/* Below this part of the largest voltage a current says little of the conductance. */
static const double LEAST_PART = 0.15;

/* A table under way to tracks. */
typedef struct maker {
  const char *path;
  const mho_csv *t;
  const mho_sweep_format *format;
  mho_pulse_data *d;
  mho_errinfo *ei;
} maker;

static double label(const mho_csv *t, int column, int row) {
  return t->has[column] ? t->column[column][row] : 0;
}

static bool is_same_track(const mho_csv *t, int a, int b) {
  return label(t, DEVICE, a) == label(t, DEVICE, b) && label(t, CYCLE, a) == label(t, CYCLE, b);
}

/* The largest voltages of either sign: what the model's pulses are. */
static mho_err find_voltages(const maker *m) {
  const mho_csv *t = m->t;
  double *volts = m->d->volts;
  for (int i = 0; i < t->rows; i++) {
    double v = t->column[VOLTAGE][i];
    if (!isfinite(v))
      return mho_fail_at(m->ei, MHO_EDATA, m->path, t->line[i], "the voltage is missing");
    volts[0] = fmax(volts[0], v);
    volts[1] = fmin(volts[1], v);
  }

  if (!(volts[0] > 0) || !(volts[1] < 0))
    return mho_fail_at(m->ei, MHO_EDATA, m->path, 0,
                       "sweeps from %g to %g V: a model of SET and RESET needs voltages of both "
                       "signs",
                       volts[1], volts[0]);
  return MHO_OK;
}

/* How long the voltage of row i lasts. */
static mho_err find_dwell(const maker *m, int i, bool is_first, double *out) {
  const mho_csv *t = m->t;
  *out = m->format->dwell;
  if (!t->has[TIME])
    return MHO_OK;

  *out = is_first ? 0 : t->column[TIME][i] - t->column[TIME][i - 1];
  if (!(*out > 0) && !is_first)
    return mho_fail_at(m->ei, MHO_EDATA, m->path, t->line[i],
                       "time must rise from row to row; a sweep that begins anew has a 'cycle' of "
                       "its own");
  return MHO_OK;
}

/* The conductance that a current says, NaN where the voltage is too small for it. */
static double conductance_of(const maker *m, int i) {
  double v = m->t->column[VOLTAGE][i], current = m->t->column[CURRENT][i];
  double most = fmax(m->d->volts[0], -m->d->volts[1]);
  if (fabs(v) < LEAST_PART * most)
    return (double)NAN;
  return current * m->format->ampere / mho_device_current(m->format->config, 1, v, NULL);
}

static mho_err check_readings(const maker *m) {
  int read = 0;
  for (int i = 0; i < m->d->n; i++)
    read += isfinite(m->d->g[i]);
  if (read >= 3)
    return MHO_OK;
  return mho_fail_at(m->ei, MHO_EDATA, m->path, 0,
                     "%d current%s at %g of the largest voltage or more: a fit needs three at "
                     "least (empty cells, NA and nan are none)",
                     read, read == 1 ? "" : "s", LEAST_PART);
}

static mho_err fill(const maker *m) {
  const mho_csv *t = m->t;
  mho_pulse_data *d = m->d;
  d->n = t->rows;

  for (int i = 0; i < t->rows; i++) {
    bool is_first = i == 0 || !is_same_track(t, i, i - 1);
    if (is_first) {
      d->devices += i == 0 || label(t, DEVICE, i) != label(t, DEVICE, i - 1);
      d->device[d->tracks] = d->devices - 1;
      d->first[d->tracks++] = i;
    }

    double v = t->column[VOLTAGE][i];
    d->volts_at[i] = v;
    d->direction[i] = v < 0 ? -1 : 1;
    d->count[i] = !is_first;
    d->pulse[i] = is_first ? 0 : d->pulse[i - 1] + 1;
    d->g[i] = conductance_of(m, i);
    d->missing += !isfinite(t->column[CURRENT][i]);
    mho_err err = find_dwell(m, i, is_first, &d->dwell[i]);
    if (err)
      return err;
    if (d->g[i] > 1 || d->g[i] < 0)
      return mho_fail_at(m->ei, MHO_EDATA, m->path, t->line[i],
                         "a current of %g at %g V is that of %g S, which no device has: which unit "
                         "is it in (--unit uA), and has it the sign of its voltage?",
                         t->column[CURRENT][i], v, d->g[i]);
  }

  d->first[d->tracks] = d->n;
  return check_readings(m);
}

static mho_err to_tracks(const maker *m) {
  size_t n = (size_t)m->t->rows;
  mho_pulse_data *d = m->d;
  *d = (mho_pulse_data){.device = mho_alloc(n, sizeof *d->device),
                        .first = mho_alloc(n + 1, sizeof *d->first),
                        .count = mho_alloc(n, sizeof *d->count),
                        .pulse = mho_alloc(n, sizeof *d->pulse),
                        .direction = mho_alloc(n, 1),
                        .g = mho_alloc(n, sizeof *d->g),
                        .volts_at = mho_alloc(n, sizeof *d->volts_at),
                        .dwell = mho_alloc(n, sizeof *d->dwell)};
  if (!d->device || !d->first || !d->count || !d->pulse || !d->direction || !d->g || !d->volts_at ||
      !d->dwell)
    return mho_fail(m->ei, MHO_ENOMEM, "no memory for %zu readings", n);

  mho_err err = find_voltages(m);
  return err ? err : fill(m);
}

mho_err mho_sweep_data_read(const char *path, const mho_sweep_format *format, mho_pulse_data *out,
                            mho_errinfo *ei) {
  mho_csv t;
  *out = (mho_pulse_data){0};
  mho_err err = mho__csv_read(path, columns, COLUMNS, &t, ei);
  if (err)
    return err;

  err = to_tracks(&(maker){path, &t, format, out, ei});
  mho__csv_free(&t);
  if (err)
    mho_pulse_data_free(out);
  return err;
}
