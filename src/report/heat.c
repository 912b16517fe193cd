/* heat.c - heat maps of an array, drawn by gnuplot into a file of their own.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/report.h"
#include "report/gnuplot.h"

enum { PIXELS_MAX = 512, PANEL = 460 };

typedef struct drawing {
  const mho_heat *h;
  bool svg;
} drawing;

/* Mean of the cells that one pixel stands for. */
static double pixel(const mho_heat *h, const double *v, int y, int x, int side) {
  int i_end = mho_min(h->rows, (y + 1) * side);
  int j_end = mho_min(h->cols, (x + 1) * side);
  double sum = 0;
  int n = 0;

  for (int i = y * side; i < i_end; i++)
    for (int j = x * side; j < j_end; j++) {
      sum += v[(size_t)i * (size_t)h->cols + (size_t)j];
      n++;
    }

  return sum / n;
}

/* One map: its pixels, each a square of side x side cells, and the command that draws them. */
static void print_map(FILE *f, const mho_heat *h, int m, int side) {
  fprintf(f, "$map%d << EOD\n", m);
  for (int y = 0; y * side < h->rows; y++) {
    for (int x = 0; x * side < h->cols; x++)
      fprintf(f, "%.6g ", pixel(h, h->map[m].value, y, x, side));
    fputc('\n', f);
  }
  fprintf(f, "EOD\nset title '%s'\nplot $map%d matrix using ($1*%d):($2*%d):3 with image\n",
          h->map[m].title, m, side, side);
}

static void script(FILE *f, const void *user) {
  const drawing *d = user;
  const mho_heat *h = d->h;
  int side = (mho_max(h->rows, h->cols) + PIXELS_MAX - 1) / PIXELS_MAX;
  int across = h->n > 1 ? 2 : 1, down = (h->n + across - 1) / across;

  fprintf(f, "set terminal %s noenhanced size %d,%d\n", d->svg ? "svg" : "png", PANEL * across,
          PANEL * down);
  fprintf(f, "set multiplot layout %d,%d title '%s'\n", down, across, h->title);
  fputs("set palette defined "
        "(0 '#440154', 1 '#3b528b', 2 '#21918c', 3 '#5ec962', 4 '#fde725')\n"
        "set yrange [] reverse\nset autoscale xfix\nset autoscale yfix\n"
        "set xlabel 'bit line'\nset ylabel 'word line'\n"
        "set format cb '%.3g'\nset tics out nomirror\nunset key\n",
        f);
  for (int m = 0; m < h->n; m++)
    print_map(f, h, m, side);
  fputs("unset multiplot\n", f);
}

mho_err mho_heat_draw(const mho_heat *h, const char *path, mho_errinfo *ei) {
  drawing d = {.h = h};
  mho_err err = mho__gnuplot_ending(path, &d.svg, ei);
  if (err)
    return err;
  return mho__gnuplot_file(script, &d, path, ei);
}
