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

/* One direction: medians after those pulses that were read. */
typedef struct branch {
  int n, *pulse;
  double *g;
} branch;

static int compare(const void *a, const void *b) {
  const int *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

/* The pulse numbers of a direction that were read, each once, sorted. */
static void find_pulses(const mho_pulse_data *d, int direction, branch *b) {
  int n = 0, *p = b->pulse;
  for (int i = 0; i < d->n; i++)
    if (d->direction[i] == direction && isfinite(d->g[i]))
      p[n++] = d->pulse[i];
  qsort(p, (size_t)n, sizeof *p, compare);

  b->n = 0;
  for (int i = 0; i < n; i++)
    if (!b->n || p[i] != p[b->n - 1])
      p[b->n++] = p[i];
}

/* A noisy reading may lie below 0 S, a state does not. */
static void medians(const mho_pulse_data *d, int direction, double *values, branch *b) {
  find_pulses(d, direction, b);
  for (int k = 0; k < b->n; k++)
    b->g[k] = fmax(median_after(d, direction, b->pulse[k], values), 0);
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

/* A number of the table, nothing where the branch has none after pulse p; *k moves on. */
static void print_state(FILE *f, const branch *b, int p, int *k) {
  fputc(',', f);
  if (*k >= b->n || b->pulse[*k] != p)
    return;
  fprintf(f, "%.12g", b->g[*k]);
  (*k)++;
}

/* The table as CSV text, NULL without memory: a row for each pulse that one of the branches has. */
static char *print_table(const branch *up, const branch *down) {
  char *text = NULL;
  size_t size;
  FILE *f = open_memstream(&text, &size);
  if (!f)
    return NULL;

  fputs("# conductance (S) after so many pulses: medians, made monotone\npulse,ltp,ltd\n", f);
  int i = 0, j = 0;
  while (i < up->n || j < down->n) {
    int p = i < up->n ? up->pulse[i] : down->pulse[j];
    if (j < down->n)
      p = mho_min(p, down->pulse[j]);
    fprintf(f, "%d", p);
    print_state(f, up, p, &i);
    print_state(f, down, p, &j);
    fputc('\n', f);
  }

  fclose(f);
  return text;
}

/* The medians of both directions, the first rising, the second falling. */
static mho_err find_branches(const mho_pulse_data *d, double *values, branch *up, branch *down,
                             mho_errinfo *ei) {
  medians(d, 1, values, up);
  medians(d, -1, values, down);
  if (up->n < 3 || down->n < 3)
    return mho_fail(ei, MHO_EDATA,
                    "a table needs the states after at least 3 different pulses in each direction: "
                    "there are %d up, %d down",
                    up->n, down->n);

  make_rising(up->g, up->n);
  turn(down->g, down->n);
  make_rising(down->g, down->n);
  turn(down->g, down->n);
  if (!(up->g[up->n - 1] > up->g[0]) || !(down->g[0] > down->g[down->n - 1]))
    return mho_fail(ei, MHO_EDATA,
                    "SET pulses do not raise the conductance, or RESET pulses do not lower it (up "
                    "%g to %g S, down %g to %g S): there is no table of that",
                    up->g[0], up->g[up->n - 1], down->g[0], down->g[down->n - 1]);
  return MHO_OK;
}

mho_err mho_pulse_table(const mho_pulse_data *d, double *g_min, double *g_max, char **csv,
                        mho_errinfo *ei) {
  size_t n = (size_t)d->n, size = n * sizeof(double);
  double *values = malloc(size);
  branch up = {.pulse = malloc(n * sizeof(int)), .g = malloc(size)};
  branch down = {.pulse = malloc(n * sizeof(int)), .g = malloc(size)};
  mho_err err = MHO_OK;
  *csv = NULL;

  if (values && up.pulse && up.g && down.pulse && down.g)
    err = find_branches(d, values, &up, &down, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a table");

  if (!err) {
    *g_min = fmin(up.g[0], down.g[down.n - 1]);
    *g_max = fmax(up.g[up.n - 1], down.g[0]);
    *csv = print_table(&up, &down);
    if (!*csv)
      err = mho_fail(ei, MHO_ENOMEM, "no memory for a table");
  }

  free(values);
  free(up.pulse);
  free(up.g);
  free(down.pulse);
  free(down.g);
  return err;
}
