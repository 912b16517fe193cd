/* heat.c - heat maps of an array, drawn by gnuplot into a file of their own.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mho/report.h"
#include "report/plot.h"

enum { PIXELS_MAX = 512, PANEL = 460 };

typedef struct drawing {
  const mho_heat *h;
  bool svg;
} drawing;

/* Mean of the cells that one pixel stands for. */
static double pixel(const mho_heat *h, const double *v, int y, int x, int step) {
  double sum = 0;
  int n = 0;
  for (int i = y * step; i < h->rows && i < (y + 1) * step; i++)
    for (int j = x * step; j < h->cols && j < (x + 1) * step; j++, n++)
      sum += v[(size_t)i * (size_t)h->cols + (size_t)j];
  return sum / n;
}

static void script(FILE *f, const void *what) {
  const drawing *d = what;
  const mho_heat *h = d->h;
  int longest = h->rows > h->cols ? h->rows : h->cols,
      step = (longest + PIXELS_MAX - 1) / PIXELS_MAX;
  int across = h->n > 1 ? 2 : 1, down = (h->n + across - 1) / across;
  fprintf(f, "set terminal %s noenhanced size %d,%d\n", d->svg ? "svg" : "png", PANEL * across,
          PANEL * down);
  fprintf(f, "set multiplot layout %d,%d title '%s'\n", down, across, h->title);
  fputs(
      "set palette defined (0 '#440154', 1 '#3b528b', 2 '#21918c', 3 '#5ec962', 4 '#fde725')\n"
      "set yrange [] reverse\nset autoscale xfix\nset autoscale yfix\nset xlabel 'bit line'\nset ylabel "
      "'word line'\n"
      "set format cb '%.3g'\nset tics out nomirror\nunset key\n",
      f);
  for (int m = 0; m < h->n; m++) {
    fprintf(f, "$map%d << EOD\n", m);
    for (int y = 0; y * step < h->rows; y++, fputc('\n', f))
      for (int x = 0; x * step < h->cols; x++)
        fprintf(f, "%.6g ", pixel(h, h->map[m].value, y, x, step));
    fprintf(f, "EOD\nset title '%s'\nplot $map%d matrix using ($1*%d):($2*%d):3 with image\n",
            h->map[m].title, m, step, step);
  }
  fputs("unset multiplot\n", f);
}

mho_err mho_heat_draw(const mho_heat *h, const char *path, mho_errinfo *ei) {
  const char *dot = strrchr(path, '.');
  drawing d = {h, dot && !strcmp(dot, ".svg")};
  if (!dot || (strcmp(dot, ".svg") && strcmp(dot, ".png")))
    return mho_fail_at(ei, MHO_EINVAL, path, 0, "a plot's name must end in .png or .svg");
  char *picture = NULL;
  size_t length;
  mho_err err = mho_gnuplot(script, &d, &picture, &length, ei);
  if (err)
    return err;
  FILE *f = fopen(path, "wb");
  bool ok = f && fwrite(picture, 1, length, f) == length;
  int why = errno;
  if (f && fclose(f))
    ok = false;
  free(picture);
  return ok ? MHO_OK : mho_fail_at(ei, MHO_EIO, path, 0, "%s", strerror(why ? why : errno));
}
