/* overlap_plot.c - the change of a device by two spikes, drawn by gnuplot into a file.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include "mho/report.h"
#include "report/gnuplot.h"

typedef struct drawing {
  const char *title;
  const mho_overlap_point *p; /* [n] */
  int n;
  bool svg;
} drawing;

/* A power of a thousand that suits the largest number, and its prefix. */
static double prefix_of(double most, const char **prefix) {
  static const struct {
    double factor;
    const char *prefix;
  } scale[] = {{1, ""}, {1e-3, "m"}, {1e-6, "u"}, {1e-9, "n"}, {1e-12, "p"}};
  int k = 0;
  while (k < MHO_COUNT(scale) - 1 && most < scale[k].factor)
    k++;
  *prefix = scale[k].prefix;
  return scale[k].factor;
}

static double change_of(const mho_overlap_point *p) {
  return p->after - p->before;
}

static void script(FILE *f, const void *user) {
  const drawing *d = user;
  double longest = 0, largest = 0;
  const char *seconds, *siemens;
  for (int i = 0; i < d->n; i++) {
    longest = fmax(longest, fabs(d->p[i].difference));
    largest = fmax(largest, fabs(change_of(&d->p[i])));
  }
  double s = prefix_of(longest, &seconds), g = prefix_of(largest, &siemens);

  mho__gnuplot_terminal(f, d->svg, 720, 480);
  fputs("$curve << EOD\n", f);
  for (int i = 0; i < d->n; i++)
    fprintf(f, "%.9g %.7g\n", d->p[i].difference / s, change_of(&d->p[i]) / g);
  fprintf(f,
          "EOD\nset title \"%s\"\nset border 3\nset tics nomirror\nset grid\nunset key\n"
          "set xlabel 'spike of the column after that of the row (%ss)'\n"
          "set ylabel 'change of conductance (%sS)'\n"
          "plot 0 with lines linecolor rgb '#888888', "
          "$curve using 1:2 with lines linewidth 2 linecolor rgb '#1f5f99'\n",
          d->title, seconds, siemens);
}

mho_err mho_overlap_plot_draw(const char *title, const mho_overlap_point *p, int n,
                              const char *path, mho_errinfo *ei) {
  drawing d = {.title = title, .p = p, .n = n};
  mho_err err = mho__gnuplot_ending(path, &d.svg, ei);
  if (err)
    return err;
  return mho__gnuplot_file(script, &d, path, ei);
}
