/* pulse_plot.c - pulse responses drawn by gnuplot into a file: bands of a population, and measured
 * points.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include "mho/model/check.h"
#include "mho/report.h"
#include "report/gnuplot.h"

enum { POINTS_MAX = 4000 };

typedef struct drawing {
  const mho_pulse_plot *p; /* [n] */
  int n;
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

/* Measured points, RESET pulses behind all SET pulses: conductance, or residual. */
static void print_points(FILE *f, const char *name, const mho_pulse_data *d, const double *y,
                         double unit) {
  int set = longest(d, 1), stride = d->n / POINTS_MAX + 1;
  fprintf(f, "$%s << EOD\n", name);
  for (int i = 0; i < d->n; i += stride) {
    if (!isfinite(y[i]))
      continue;
    int pulse = d->direction[i] > 0 ? d->pulse[i] : set + d->pulse[i];
    fprintf(f, "%d %.7g\n", pulse, y[i] / unit);
  }
  fputs("EOD\n", f);
}

static bool has_residuals(const drawing *d) {
  for (int i = 0; i < d->n; i++)
    if (d->p[i].residual)
      return true;
  return false;
}

/* The bands, the mean, and what was measured. */
static void draw_curve(FILE *f, const mho_pulse_plot *p, const char *unit) {
  fprintf(f,
          "set title \"%s\"\nset ylabel 'conductance (%s)'\nset key on\n"
          "plot $curve using 1:3:6 with filledcurves linecolor rgb '#d6e6f5' title '5 to 95 %%', "
          "$curve using 1:4:5 with filledcurves linecolor rgb '#9cc3e6' title 'half of the cells'",
          p->title, unit);
  if (p->data)
    fputs(", $data using 1:2 with points pointtype 7 pointsize 0.25 "
          "linecolor rgb '#d97727' title 'measured'",
          f);
  fputs(", $curve using 1:2 with lines linewidth 2 linecolor rgb '#1f5f99' title 'mean'\n", f);
}

/* What each reading says beyond its prediction from the readings before it. */
static void draw_residuals(FILE *f, const char *unit) {
  fprintf(f,
          "set title 'residuals'\nset ylabel 'beyond the prediction (%s)'\nset key off\n"
          "plot 0 with lines linecolor rgb '#888888', $residual using 1:2 with points pointtype 7 "
          "pointsize 0.25 linecolor rgb '#d97727'\n",
          unit);
}

static void script(FILE *f, const void *user) {
  const drawing *d = user;
  bool residuals = has_residuals(d);
  int columns = residuals ? 2 : 1, width = 720 * columns, height = d->n > 1 ? 320 : 480;

  mho__gnuplot_terminal(f, d->svg, width, height * d->n);
  fputs("set border 3\nset tics nomirror\nset grid\nset key top center horizontal outside\n"
        "set xlabel 'pulse (SET, then RESET)'\nset style fill solid noborder\n",
        f);
  if (d->n * columns > 1)
    fprintf(f, "set multiplot layout %d,%d\n", d->n, columns);

  for (int i = 0; i < d->n; i++) {
    const mho_pulse_plot *p = &d->p[i];
    const char *name;
    double unit = factor_of(p, &name);
    print_curve(f, p, unit);
    if (p->data)
      print_points(f, "data", p->data, p->data->g, unit);
    draw_curve(f, p, name);

    if (p->residual)
      print_points(f, "residual", p->data, p->residual, unit);
    if (p->residual)
      draw_residuals(f, name);
    else if (residuals)
      fputs("set multiplot next\n", f);
  }
}

mho_err mho_pulse_plot_draw(const mho_pulse_plot *p, int n, const char *path, mho_errinfo *ei) {
  drawing d = {.p = p, .n = mho_min(n, MHO_PULSE_PLOTS_MAX)};
  mho_err err = mho__gnuplot_ending(path, &d.svg, ei);
  if (err)
    return err;
  return mho__gnuplot_file(script, &d, path, ei);
}
