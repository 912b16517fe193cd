/* gnuplot.h - the one place that runs gnuplot.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_GNUPLOT_H
#define MHO_REPORT_GNUPLOT_H

#include <stdio.h>

#include "mho/base.h"

/** Write gnuplot's commands, the terminal first; the output is not set. Texts in them are plain
 *  ASCII without quotes: mho__gnuplot_text makes such a text. */
typedef void (*mho_gnuplot_script)(FILE *f, const void *user);

/** Copy a text of any content for use between quotes in a script: control characters, quotes,
 *  characters that gnuplot may interpret, and all that is not ASCII become blanks. Cut to n - 1
 *  characters. */
void mho__gnuplot_text(const char *text, char *out, size_t n);

/** Run gnuplot on a script. Its default settings are used whatever the user's are.
 *  @param out  what it draws, [length] bytes and a 0 behind them; free it with free(). NULL on
 *              failure.
 *  @return MHO_OK; MHO_EUNSUPPORTED when there is no gnuplot; MHO_EIO when it fails or draws
 *          nothing; MHO_ENOMEM. */
mho_err mho__gnuplot(mho_gnuplot_script script, const void *user, char **out, size_t *length,
                     mho_errinfo *ei);

/** Run gnuplot on a script and write what it draws into a file, which is left alone when gnuplot
 *  fails.
 *  @return as mho__gnuplot; MHO_EIO also when the file cannot be written. */
mho_err mho__gnuplot_file(mho_gnuplot_script script, const void *user, const char *path,
                          mho_errinfo *ei);

/** The terminal of a picture in a file, SVG or PNG, so many points wide and high on the screen. */
void mho__gnuplot_terminal(FILE *f, bool svg, int width, int height);

/** Whether a picture is to be SVG or PNG, by the ending of its file's name.
 *  @return MHO_OK; MHO_EINVAL for another ending. */
mho_err mho__gnuplot_ending(const char *path, bool *svg, mho_errinfo *ei);

#endif
