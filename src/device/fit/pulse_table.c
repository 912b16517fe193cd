/* pulse_table.c - measured pulses as the table of model `measured`: the mean response, made
 * monotone.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "device/fit/fit.h"

/* Median of g after pulse p of a direction, NaN where it was never read; values: scratch of
 * d->n. */
static double median_after(const mho_pulse_data *d, int direction, int p, double *values) {
  int k = 0;
  for (int i = 0; i < d->n; i++)
    if (d->direction[i] == direction && d->pulse[i] == p && isfinite(d->g[i]))
      values[k++] = d->g[i];
  if (!k)
    return (double)NAN;
  gsl_sort(values, 1, (size_t)k);
  return 0.5 * (values[(k - 1) / 2] + values[k / 2]);
}

/* Medians after each pulse number of a direction into out, from the first that was read to the last
 * without a gap; how many. */
static int medians(const mho_pulse_data *d, int direction, double *values, double *out) {
  int most = 0, n = 0;
  for (int i = 0; i < d->n; i++)
    if (d->direction[i] == direction)
      most = mho_max(most, d->pulse[i]);

  for (int p = 0; p <= most; p++) {
    double median = median_after(d, direction, p, values);
    if (isfinite(median))
      out[n++] = median;
    else if (n > 0)
      break;
  }
  return n;
}

/* Runs of equal level: the least-squares rising sequence to y [n] (pool adjacent violators); how
 * many runs. */
static int pool(const double *y, int n, double *level, int *weight) {
  int runs = 0;
  for (int i = 0; i < n; i++) {
    level[runs] = y[i];
    weight[runs++] = 1;
    while (runs > 1 && level[runs - 2] >= level[runs - 1]) {
      int a = weight[runs - 2], b = weight[runs - 1];
      level[runs - 2] = (a * level[runs - 2] + b * level[runs - 1]) / (a + b);
      weight[runs - 2] = a + b;
      runs--;
    }
  }
  return runs;
}

/* Runs of more than one become ramps between the middles of the neighbouring levels, so that no
 * pulse stands still. */
static void ramps(const double *level, const int *weight, int runs, double *y) {
  int i = 0;
  for (int k = 0; k < runs; k++) {
    double from = k ? 0.5 * (level[k - 1] + level[k]) : level[k];
    double to = k + 1 < runs ? 0.5 * (level[k] + level[k + 1]) : level[k];
    for (int j = 0; j < weight[k]; j++)
      y[i++] = weight[k] == 1 ? level[k] : from + (to - from) * (j + 0.5) / weight[k];
  }
}

/* The nearest rising sequence in place, then strictly rising by a billionth of its range. */
static void make_rising(double *y, int n) {
  double *level = malloc((size_t)n * sizeof *level);
  int *weight = malloc((size_t)n * sizeof *weight);

  if (level && weight) {
    int runs = pool(y, n, level, weight);
    ramps(level, weight, runs, y);
  }
  for (int i = 1; i < n; i++)
    y[i] = fmax(y[i], y[i - 1] + 1e-9 * fabs(y[n - 1] - y[0]));
  free(level);
  free(weight);
}

static void turn(double *y, int n) {
  for (int i = 0; i < n; i++)
    y[i] = -y[i];
}

/* The table as CSV text, NULL without memory. */
static char *print_table(const double *up, int n_up, const double *down, int n_down) {
  char *text = NULL;
  size_t size;
  FILE *f = open_memstream(&text, &size);
  if (!f)
    return NULL;

  fputs("# conductance (S) after so many pulses: medians, made monotone\npulse,ltp,ltd\n", f);
  for (int i = 0; i < mho_max(n_up, n_down); i++) {
    fprintf(f, "%d,", i);
    if (i < n_up)
      fprintf(f, "%.9g", up[i]);
    fputc(',', f);
    if (i < n_down)
      fprintf(f, "%.9g", down[i]);
    fputc('\n', f);
  }

  fclose(f);
  return text;
}

mho_err mho_pulse_table(const mho_pulse_data *d, double *g_min, double *g_max, char **csv,
                        mho_errinfo *ei) {
  size_t size = (size_t)d->n * sizeof(double);
  double *values = malloc(size), *up = malloc(size), *down = malloc(size);
  int n_up = 0, n_down = 0;
  mho_err err = MHO_OK;
  *csv = NULL;
  if (values && up && down) {
    n_up = medians(d, 1, values, up);
    n_down = medians(d, -1, values, down);
    if (n_up < 3 || n_down < 3)
      err = mho_fail(ei, MHO_EDATA,
                     "a table needs at least 3 pulses read in each direction: there are %d up, %d "
                     "down",
                     n_up, n_down);
  } else {
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a table");
  }

  if (!err) {
    make_rising(up, n_up);
    turn(down, n_down);
    make_rising(down, n_down);
    turn(down, n_down);
    *g_min = fmin(up[0], down[n_down - 1]);
    *g_max = fmax(up[n_up - 1], down[0]);
    *csv = print_table(up, n_up, down, n_down);
    if (!*csv)
      err = mho_fail(ei, MHO_ENOMEM, "no memory for a table");
  }

  free(values);
  free(up);
  free(down);
  return err;
}
