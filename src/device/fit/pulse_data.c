/* pulse_data.c - measured pulses of a file as tracks.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/fit/fit.h"
#include "device/measurements.h"

/* Columns of the file. */
enum { DEVICE, CYCLE, PULSE, DIRECTION, G, COLUMNS };
static const mho_csv_column columns[COLUMNS] = {{"device", MHO_CSV_LABEL, false},
                                                {"cycle", MHO_CSV_LABEL, false},
                                                {"pulse", MHO_CSV_NUMBER, false},
                                                {"direction", MHO_CSV_DIRECTION, true},
                                                {"g", MHO_CSV_NUMBER, true}};

static const double G_MAX = 1;            /* S, as of device.g_max */
static const double NOISE_BELOW_0 = 0.05; /* of the range */

void mho_pulse_data_free(mho_pulse_data *d) {
  mho_free(d->device);
  mho_free(d->first);
  mho_free(d->count);
  mho_free(d->pulse);
  mho_free(d->direction);
  mho_free(d->g);
  *d = (mho_pulse_data){0};
}

/* A row of the file, and what it is sorted by. */
typedef struct row {
  double device, cycle;
  int at;
} row;

/* By device, cycle, and place in the file. */
static int compare(const void *a, const void *b) {
  const row *x = a, *y = b;
  if (x->device != y->device)
    return x->device < y->device ? -1 : 1;
  if (x->cycle != y->cycle)
    return x->cycle < y->cycle ? -1 : 1;
  return (x->at > y->at) - (x->at < y->at);
}

/* Pulses from the row before: the difference of the numbers, from 0 on when the direction has
 * changed. */
static mho_err count_pulses(const mho_csv *t, const char *path, int at, int before,
                            mho_pulse_data *d, int i, mho_errinfo *ei) {
  double number = t->has[PULSE] ? t->column[PULSE][at] : (double)NAN;
  bool turned = before < 0 || d->direction[i - 1] != d->direction[i];
  int last = turned ? 0 : d->pulse[i - 1];

  if (!t->has[PULSE])
    number = last + 1;
  if (!(number >= 0) || number > 1e8 || number != floor(number))
    return mho_fail_at(ei, MHO_EDATA, path, t->line[at],
                       "the pulse number is not a whole number from 0");

  d->pulse[i] = (int)number;
  d->count[i] = before < 0 ? 0 : d->pulse[i] - last;
  if (d->count[i] < 0)
    return mho_fail_at(
        ei, MHO_EDATA, path, t->line[at],
        "pulse %d after pulse %d of the same direction: a new cycle needs a 'cycle' of its own",
        d->pulse[i], last);
  return MHO_OK;
}

/* A fit steps through every pulse, whether or not it was read. */
static mho_err check_pulses(const mho_pulse_data *d, const char *path, mho_errinfo *ei) {
  static const double ALWAYS = 1e6, A_READING = 10;
  double all = 0;
  for (int i = 0; i < d->n; i++)
    all += d->count[i];

  if (all <= ALWAYS + A_READING * d->n)
    return MHO_OK;
  return mho_fail_at(ei, MHO_EDATA, path, 0,
                     "%.3g pulses for %d readings, each of which a fit steps through: give "
                     "readings with at most %.3g pulses in all",
                     all, d->n, ALWAYS + A_READING * d->n);
}

/* The sorted rows into d; `order` says where they stand in the file. */
static mho_err fill(const mho_csv *t, const char *path, double unit, const row *order,
                    mho_pulse_data *d, mho_errinfo *ei) {
  for (int i = 0; i < t->rows; i++) {
    int at = order[i].at;
    bool new_device = i == 0 || order[i].device != order[i - 1].device;
    bool new_track = new_device || order[i].cycle != order[i - 1].cycle;
    d->devices += new_device;
    if (new_track) {
      d->device[d->tracks] = d->devices - 1;
      d->first[d->tracks++] = i;
    }

    d->direction[i] = (signed char)t->column[DIRECTION][at];
    d->g[i] = t->column[G][at] * unit;
    if (!isfinite(d->g[i])) {
      d->g[i] = (double)NAN;
      d->missing++;
    }
    mho_err err = count_pulses(t, path, at, new_track ? -1 : order[i - 1].at, d, i, ei);
    if (err)
      return err;
  }

  d->n = t->rows;
  d->first[d->tracks] = d->n;
  return MHO_OK;
}

/* Conductances that no device has are a question to the user. A reading may fall below 0 by its
 * noise, but not by as much of what the file spans. */
static mho_err check_conductances(const mho_csv *t, const char *path, double unit,
                                  mho_errinfo *ei) {
  int low = -1, high = -1;
  const double *g = t->column[G];

  for (int i = 0; i < t->rows; i++) {
    if (!isfinite(g[i]))
      continue;
    if (low < 0 || g[i] < g[low])
      low = i;
    if (high < 0 || g[i] > g[high])
      high = i;
  }

  if (low < 0)
    return MHO_OK;

  if (g[low] < -NOISE_BELOW_0 * (g[high] - g[low]))
    return mho_fail_at(ei, MHO_EDATA, path, t->line[low],
                       "a conductance of %g cannot be: are these weights? Map them onto "
                       "conductances, g = (g_min + g_max)/2 + w (g_max - g_min)/2 for weights from "
                       "-1 to 1: steps are relative to the range and stay what they are",
                       g[low]);
  if (unit * g[high] > G_MAX)
    return mho_fail_at(ei, MHO_EDATA, path, t->line[high],
                       "a conductance of %g S is no device's (%g S at most): which unit is the "
                       "file in? For microsiemens add --unit uS",
                       unit * g[high], G_MAX);
  return MHO_OK;
}

/* The rows by device, cycle, and place in the file. */
static void sort_rows(const mho_csv *t, row *order) {
  for (int i = 0; i < t->rows; i++) {
    double device = t->has[DEVICE] ? t->column[DEVICE][i] : 0;
    double cycle = t->has[CYCLE] ? t->column[CYCLE][i] : 0;
    order[i] = (row){device, cycle, i};
  }
  qsort(order, (size_t)t->rows, sizeof *order, compare);
}

/* A table as tracks, into d, which is empty. */
static mho_err to_tracks(const mho_csv *t, const char *path, double unit, mho_pulse_data *d,
                         mho_errinfo *ei) {
  size_t n = (size_t)t->rows;
  mho_err err = check_conductances(t, path, unit, ei);
  if (err)
    return err;

  row *order = malloc(n * sizeof *order);
  *d = (mho_pulse_data){.device = mho_alloc(n, sizeof *d->device),
                        .first = mho_alloc(n + 1, sizeof *d->first),
                        .count = mho_alloc(n, sizeof *d->count),
                        .pulse = mho_alloc(n, sizeof *d->pulse),
                        .direction = mho_alloc(n, 1),
                        .g = mho_alloc(n, sizeof *d->g)};
  if (order && d->device && d->first && d->count && d->pulse && d->direction && d->g) {
    sort_rows(t, order);
    err = fill(t, path, unit, order, d, ei);
    if (!err)
      err = check_pulses(d, path, ei);
  } else {
    err = mho_fail(ei, MHO_ENOMEM, "no memory for %zu rows", n);
  }

  free(order);
  return err;
}

mho_err mho_pulse_data_read(const char *path, double unit, mho_pulse_data *out, mho_errinfo *ei) {
  mho_csv t;
  *out = (mho_pulse_data){0};
  mho_err err = mho__csv_read(path, columns, COLUMNS, &t, ei);
  if (err)
    return err;

  err = to_tracks(&t, path, unit, out, ei);
  mho__csv_free(&t);
  int read = out->n - out->missing;
  if (!err && read < 3)
    err = mho_fail_at(ei, MHO_EDATA, path, 0, "only %d rows have a conductance", read);
  if (err)
    mho_pulse_data_free(out);
  return err;
}
