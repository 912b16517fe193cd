/* plot.h - gnuplot's SVG as a figure of a page, and curves against the epoch.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_PLOT_H
#define MHO_REPORT_PLOT_H

#include <stdio.h>

#include "mho/store.h"
#include "report/gnuplot.h"

/* ---------------------------------------------------------------- figures */

/* The page that figures are written into. */
typedef struct mho_figures {
  FILE *out;
  const mho_context *ctx;
  char failure[MHO_MESSAGE_MAX]; /* why there are none: after the first failure no more are tried */
} mho_figures;

/* The colors that the page knows, as its style's classes s1 to s3. */
enum { MHO_COLORS = 3 };
#define MHO_PLOT_COLOR_1 "linecolor rgb '#2e85d9'"
#define MHO_PLOT_COLOR_2 "linecolor rgb '#7d858d'"
#define MHO_PLOT_COLOR_3 "linecolor rgb '#d9772e'"

/** Draw a figure, 480 by `height` units. When gnuplot fails, a sentence stands in its place and the
 *  context's log gets a warning.
 *  @param script       draws it; the terminal is set.
 *  @param description  for those who do not see it; any text.
 *  @param caption      below it; any text. */
void mho__figure(mho_figures *figures, mho_gnuplot_script script, const void *user, int height,
                 const char *description, const char *caption);

/* ---------------------------------------------------------------- curves */

enum { MHO_CURVES_MAX = 6, MHO_POINTS_MAX = 800 };

typedef struct mho_curve {
  const char *title;
  size_t offset;       /* of a double in mho_epoch_row */
  int color, dashed;   /* color: 1 .. MHO_COLORS of the page's style */
  const double *value; /* [epochs] to be drawn in place of what is at the offset; nullable */
} mho_curve;

/* Curves against the epoch. All texts but the description go to gnuplot: plain ASCII without
 * quotes. */
typedef struct mho_plot {
  const char *y_label; /* with its unit */
  double factor;       /* from the stored value to that unit */
  bool logarithmic, from_zero;
  int n_curves;
  mho_curve curve[MHO_CURVES_MAX];
  int ring; /* epoch to mark on the last curve, 0: none */
  const char *ring_title;
  const char *description;
} mho_plot;

/** Draw curves as a figure; nothing when there is no curve. Of more than MHO_POINTS_MAX epochs
 *  every k-th is drawn, and the caption says so.
 *  @param e  [n], n at least 1. */
void mho__plot_curves(mho_figures *figures, const mho_plot *p, const mho_epoch_row *e, int n,
                      const char *caption);

#endif
