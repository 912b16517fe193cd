/* plot.h - curves against the epoch, drawn by gnuplot as SVG that lives in a page.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_PLOT_H
#define MHO_REPORT_PLOT_H

#include <stdio.h>

#include "mho/store.h"

typedef struct mho_curve {
  const char *title;
  size_t offset;       /* of a double in mho_epoch_row */
  int color, dashed;   /* color: 1 .. MHO_COLORS of the page's style */
  const double *value; /* [epochs] to be drawn in place of what is at the offset; nullable */
} mho_curve;

enum { MHO_CURVES_MAX = 6, MHO_COLORS = 3, MHO_POINTS_MAX = 800 };

typedef struct
    mho_plot { /* all texts are plain ASCII without quotes: they go to gnuplot as they are */
  const char *y_label; /* with its unit */
  double factor;       /* from the stored value to that unit */
  bool logarithmic, from_zero;
  int n_curves;
  mho_curve curve[MHO_CURVES_MAX];
  int ring; /* epoch to mark on the last curve, 0: none */
  const char *ring_title;
  const char *description; /* for those who do not see it; any text */
} mho_plot;

/** How many epochs one point of a plot of n stands for: 1 until there are too many. */
int mho_plot_stride(int n);
/** Draw. gnuplot's default settings are used whatever the user's are.
 *  @param e  [n], n at least 1.
 *  @return MHO_OK; MHO_EUNSUPPORTED when there is no gnuplot; MHO_EIO when it fails; MHO_ENOMEM. Nothing is
 *          written to out on failure. */
mho_err mho_plot_svg(const mho_plot *p, const mho_epoch_row *e, int n, FILE *out, mho_errinfo *ei);

/* Writes gnuplot's commands; the terminal is set. Texts in them are plain ASCII without quotes. */
typedef void (*mho_plot_script)(FILE *f, const void *user);
/** Any other plot, as wide as those of curves. The colors that the page knows are MHO_PLOT_COLOR 1 to 3. */
mho_err mho_plot_draw(mho_plot_script script, const void *user, int height, const char *description,
                      FILE *out, mho_errinfo *ei);
#define MHO_PLOT_COLOR_1 "linecolor rgb '#2e85d9'"
#define MHO_PLOT_COLOR_2 "linecolor rgb '#7d858d'"
#define MHO_PLOT_COLOR_3 "linecolor rgb '#d9772e'"

/** Run gnuplot on a script that sets its own terminal; what it draws is *out, [length] and a 0 behind; free it with
 *  free().
 *  @return MHO_OK; MHO_EUNSUPPORTED when there is no gnuplot; MHO_EIO when it fails; MHO_ENOMEM. */
mho_err mho_gnuplot(mho_plot_script script, const void *user, char **out, size_t *length,
                    mho_errinfo *ei);

#endif
