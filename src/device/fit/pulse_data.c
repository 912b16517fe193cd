/* pulse_data.c - measured pulses as tracks, and as a table of the mean response.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/fit/fit.h"
#include "device/measurements.h"

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

/* Pulses from the row before: the difference of the numbers, from 0 on when the direction has changed. */
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

static mho_err fill(const mho_csv *t, const char *path, double unit, const row *order,
                    mho_pulse_data *d, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  for (int i = 0; i < t->rows && !err; i++) {
    int at = order[i].at;
    bool new_device = i == 0 || order[i].device != order[i - 1].device,
         new_track = new_device || order[i].cycle != order[i - 1].cycle;
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
    err = count_pulses(t, path, at, new_track ? -1 : order[i - 1].at, d, i, ei);
  }
  d->n = t->rows;
  d->first[d->tracks] = d->n;
  return err;
}

/* Conductances that no device has are a question to the user. A reading may fall below 0 by its noise, but not by as much
 * of what the file spans. */
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
    return mho_fail_at(
        ei, MHO_EDATA, path, t->line[low],
        "a conductance of %g cannot be: are these weights? Map them onto conductances, g = (g_min + "
        "g_max)/2 + w (g_max - g_min)/2 for weights from -1 to 1: steps are relative to the range and "
        "stay what they are",
        g[low]);
  if (unit * g[high] > G_MAX)
    return mho_fail_at(
        ei, MHO_EDATA, path, t->line[high],
        "a conductance of %g S is no device's (%g S at most): which unit is the file in? For "
        "microsiemens add --unit uS",
        unit * g[high], G_MAX);
  return MHO_OK;
}

mho_err mho_pulse_data_read(const char *path, double unit, mho_pulse_data *out, mho_errinfo *ei) {
  mho_csv t;
  *out = (mho_pulse_data){0};
  mho_err err = mho_csv_read(path, columns, COLUMNS, &t, ei);
  if (err)
    return err;
  size_t n = (size_t)t.rows;
  row *order = malloc(n * sizeof *order);
  mho_pulse_data d = {.device = mho_alloc(n, sizeof *d.device),
                      .first = mho_alloc(n + 1, sizeof *d.first),
                      .count = mho_alloc(n, sizeof *d.count),
                      .pulse = mho_alloc(n, sizeof *d.pulse),
                      .direction = mho_alloc(n, 1),
                      .g = mho_alloc(n, sizeof *d.g)};
  if (!order || !d.device || !d.first || !d.count || !d.pulse || !d.direction || !d.g)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for %zu rows", n);
  for (int i = 0; i < t.rows && !err; i++)
    order[i] =
        (row){t.has[DEVICE] ? t.column[DEVICE][i] : 0, t.has[CYCLE] ? t.column[CYCLE][i] : 0, i};
  if (!err)
    err = check_conductances(&t, path, unit, ei);
  if (!err) {
    qsort(order, n, sizeof *order, compare);
    err = fill(&t, path, unit, order, &d, ei);
  }
  if (!err && d.n - d.missing < 3)
    err = mho_fail_at(ei, MHO_EDATA, path, 0, "only %d rows have a conductance", d.n - d.missing);
  free(order);
  mho_csv_free(&t);
  if (err)
    mho_pulse_data_free(&d);
  else
    *out = d;
  return err;
}

/* ---------------------------------------------------------------- mean response as a table */

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Median of g after each pulse number of a direction, [*n]; values: scratch of d->n. */
static void medians(const mho_pulse_data *d, int direction, double *values, double *out, int *n) {
  int most = 0;
  for (int i = 0; i < d->n; i++)
    if (d->direction[i] == direction && d->pulse[i] > most)
      most = d->pulse[i];
  *n = 0;
  for (int p = 0; p <= most && *n < d->n; p++) {
    int k = 0;
    for (int i = 0; i < d->n; i++)
      if (d->direction[i] == direction && d->pulse[i] == p && isfinite(d->g[i]))
        values[k++] = d->g[i];
    if (k == 0 && *n == 0)
      continue; /* the table starts at the first pulse that was read */
    if (k == 0)
      break;
    qsort(values, (size_t)k, sizeof *values, ascending);
    out[(*n)++] = 0.5 * (values[(k - 1) / 2] + values[k / 2]);
  }
}

/* Least-squares rising sequence (pool adjacent violators), then strictly rising by a billionth of its range. */
static void make_rising(double *y, int n) {
  double *level = malloc((size_t)n * sizeof *level);
  int *weight = malloc((size_t)n * sizeof *weight), blocks = 0;
  for (int i = 0; level && weight && i < n; i++) {
    level[blocks] = y[i];
    weight[blocks++] = 1;
    while (blocks > 1 && level[blocks - 2] >= level[blocks - 1]) {
      int a = weight[blocks - 2], b = weight[blocks - 1];
      level[blocks - 2] = (a * level[blocks - 2] + b * level[blocks - 1]) / (a + b);
      weight[blocks - 2] = a + b;
      blocks--;
    }
  }
  /* a pooled block becomes a ramp between the middles of its neighbours' levels, so that no pulse stands still */
  for (int k = 0, i = 0; level && weight && k < blocks; k++) {
    double from = k ? 0.5 * (level[k - 1] + level[k]) : level[k],
           to = k + 1 < blocks ? 0.5 * (level[k] + level[k + 1]) : level[k];
    for (int j = 0; j < weight[k]; j++, i++)
      y[i] = weight[k] == 1 ? level[k] : from + (to - from) * (j + 0.5) / weight[k];
  }
  for (int i = 1; i < n; i++)
    y[i] = fmax(y[i], y[i - 1] + 1e-9 * fabs(y[n - 1] - y[0]));
  free(level);
  free(weight);
}

mho_err mho_pulse_table(const mho_pulse_data *d, double *g_min, double *g_max, char **csv,
                        mho_errinfo *ei) {
  *csv = NULL;
  double *values = malloc((size_t)d->n * sizeof *values), *up = malloc((size_t)d->n * sizeof *up),
         *down = malloc((size_t)d->n * sizeof *down);
  int n_up = 0, n_down = 0;
  mho_err err = values && up && down ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for a table");
  if (!err) {
    medians(d, 1, values, up, &n_up);
    medians(d, -1, values, down, &n_down);
    if (n_up < 3 || n_down < 3)
      err = mho_fail(
          ei, MHO_EDATA,
          "a table needs at least 3 pulses read in each direction: there are %d up, %d down", n_up,
          n_down);
  }
  if (!err) {
    make_rising(up, n_up);
    for (int i = 0; i < n_down; i++)
      down[i] = -down[i];
    make_rising(down, n_down);
    for (int i = 0; i < n_down; i++)
      down[i] = -down[i];
    *g_min = fmin(up[0], down[n_down - 1]);
    *g_max = fmax(up[n_up - 1], down[0]);
    size_t size;
    FILE *f = open_memstream(csv, &size);
    if (!f)
      err = mho_fail(ei, MHO_ENOMEM, "no memory for a table");
    for (int i = 0; f && (i < n_up || i < n_down); i++) {
      fprintf(
          f,
          i ? "%d,"
            : "# conductance (S) after so many pulses: medians, made monotone\npulse,ltp,ltd\n%d,",
          i);
      if (i < n_up)
        fprintf(f, "%.9g", up[i]);
      fputc(',', f);
      if (i < n_down)
        fprintf(f, "%.9g", down[i]);
      fputc('\n', f);
    }
    if (f)
      fclose(f);
  }
  free(values);
  free(up);
  free(down);
  return err;
}
