/* pulse_plot.c - pulse responses drawn by gnuplot into a file: bands of a population, and measured
 * points.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include "mho/report.h"
#include "report/gnuplot.h"

enum { POINTS_MAX = 4000 };

typedef struct drawing {
  const mho_pulse_plot *p;
  bool svg;
} drawing;

/* SI prefix that suits the largest conductance. */
static double factor_of(const mho_pulse_plot *p, const char **unit) {
  static const struct {
    double factor;
    const char *unit;
  } scale[] = {{1, "S"}, {1e-3, "mS"}, {1e-6, "uS"}, {1e-9, "nS"}, {1e-12, "pS"}};
  double most = 0;

  for (int i = 0; i < p->n; i++)
    most = fmax(most, p->curve[i].q95);

  int k = 0;
  while (k < MHO_COUNT(scale) - 1 && most < scale[k].factor)
    k++;
  *unit = scale[k].unit;
  return scale[k].factor;
}

/* The largest number that a measured pulse of this direction has. */
static int longest(const mho_pulse_data *d, int direction) {
  int most = 0;
  for (int i = 0; i < d->n; i++)
    if (d->direction[i] == direction)
      most = mho_max(most, d->pulse[i]);
  return most;
}

/* The bands: mean and quantiles after every pulse. */
static void print_curve(FILE *f, const mho_pulse_plot *p, double unit) {
  fputs("$curve << EOD\n", f);
  for (int i = 0; i < p->n; i++) {
    const mho_curve_point *c = &p->curve[i];
    fprintf(f, "%d %.7g %.7g %.7g %.7g %.7g\n", i, c->mean / unit, c->q05 / unit, c->q25 / unit,
            c->q75 / unit, c->q95 / unit);
  }
  fputs("EOD\n", f);
}

/* Measured points, RESET pulses behind all SET pulses. */
static void print_data(FILE *f, const mho_pulse_data *d, double unit) {
  int set = longest(d, 1), stride = d->n / POINTS_MAX + 1;
  fputs("$data << EOD\n", f);
  for (int i = 0; i < d->n; i += stride) {
    if (!isfinite(d->g[i]))
      continue;
    int pulse = d->direction[i] > 0 ? d->pulse[i] : set + d->pulse[i];
    fprintf(f, "%d %.7g\n", pulse, d->g[i] / unit);
  }
  fputs("EOD\n", f);
}

static void script(FILE *f, const void *user) {
  const drawing *d = user;
  const mho_pulse_plot *p = d->p;
  const char *name;
  double unit = factor_of(p, &name);

  if (d->svg)
    fputs("set terminal svg size 720,480 font 'sans-serif,14' background rgb 'white' noenhanced\n",
          f);
  else
    fputs("set terminal pngcairo size 1080,720 font 'sans-serif,13' noenhanced\n", f);

  print_curve(f, p, unit);
  if (p->data)
    print_data(f, p->data, unit);

  fprintf(f,
          "set border 3\nset tics nomirror\nset grid\nset key top center horizontal outside\n"
          "set title \"%s\"\n"
          "set xlabel 'pulse (SET, then RESET)'\nset ylabel 'conductance (%s)'\n"
          "set style fill solid noborder\n"
          "plot $curve using 1:3:6 with filledcurves linecolor rgb '#d6e6f5' title '5 to 95 %%', "
          "$curve using 1:4:5 with filledcurves linecolor rgb '#9cc3e6' title 'half of the cells'",
          p->title, name);
  if (p->data)
    fputs(", $data using 1:2 with points pointtype 7 pointsize 0.25 "
          "linecolor rgb '#d97727' title 'measured'",
          f);
  fputs(", $curve using 1:2 with lines linewidth 2 linecolor rgb '#1f5f99' title 'mean'\n", f);
}

mho_err mho_pulse_plot_draw(const mho_pulse_plot *p, const char *path, mho_errinfo *ei) {
  drawing d = {.p = p};
  mho_err err = mho__gnuplot_ending(path, &d.svg, ei);
  if (err)
    return err;
  return mho__gnuplot_file(script, &d, path, ei);
}
