/* pulse_plot.c - pulse responses drawn by gnuplot into a file: bands of a population, and measured points.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mho/report.h"

extern char **environ;

enum { POINTS_MAX = 4000 };

/* SI prefix that suits the largest conductance. */
static double factor_of(const mho_pulse_plot *p, const char **unit) {
  static const struct {
    double factor;
    const char *unit;
  } scale[] = {{1, "S"}, {1e-3, "mS"}, {1e-6, "uS"}, {1e-9, "nS"}, {1e-12, "pS"}};
  double most = 0;
  int k = 0;
  for (int i = 0; i < p->n; i++)
    most = fmax(most, p->curve[i].q95);
  while (k < MHO_COUNT(scale) - 1 && most < scale[k].factor)
    k++;
  *unit = scale[k].unit;
  return scale[k].factor;
}

static int longest(const mho_pulse_data *d, int direction) {
  int most = 0;
  for (int i = 0; i < d->n; i++)
    if (d->direction[i] == direction && d->pulse[i] > most)
      most = d->pulse[i];
  return most;
}

static void print_data(FILE *f, const mho_pulse_plot *p, double unit) {
  const mho_pulse_data *d = p->data;
  int set = longest(d, 1), stride = d->n / POINTS_MAX + 1;
  fputs("$data << EOD\n", f);
  for (int i = 0; i < d->n; i += stride)
    if (isfinite(d->g[i]))
      fprintf(f, "%d %.7g\n", d->direction[i] > 0 ? d->pulse[i] : set + d->pulse[i],
              d->g[i] / unit);
  fputs("EOD\n", f);
}

static void print_script(FILE *f, const mho_pulse_plot *p, const char *path, bool svg) {
  const char *name;
  double unit = factor_of(p, &name);
  fprintf(
      f, svg ? "set terminal svg size 720,480 font 'sans-serif,14' background rgb 'white' "
               "noenhanced\nset output '"
             : "set terminal pngcairo size 1080,720 font 'sans-serif,13' noenhanced\nset output '");
  for (; *path; path++)
    fprintf(f, *path == '\'' ? "''" : "%c", *path);
  fputs("'\n$curve << EOD\n", f);
  for (int i = 0; i < p->n; i++) {
    const mho_curve_point *c = &p->curve[i];
    fprintf(f, "%d %.7g %.7g %.7g %.7g %.7g\n", i, c->mean / unit, c->q05 / unit, c->q25 / unit,
            c->q75 / unit, c->q95 / unit);
  }
  fputs("EOD\n", f);
  if (p->data)
    print_data(f, p, unit);
  fprintf(
      f,
      "set border 3\nset tics nomirror\nset grid\nset key top center horizontal outside\nset title \"%s\"\n"
      "set xlabel 'pulse (SET, then RESET)'\nset ylabel 'conductance (%s)'\nset style fill solid noborder\n"
      "plot $curve using 1:3:6 with filledcurves linecolor rgb '#d6e6f5' title '5 to 95 %%', "
      "$curve using 1:4:5 with filledcurves linecolor rgb '#9cc3e6' title 'half of the cells'",
      p->title, name);
  if (p->data)
    fputs(
        ", $data using 1:2 with points pointtype 7 pointsize 0.25 linecolor rgb '#d97727' title 'measured'",
        f);
  fputs(", $curve using 1:2 with lines linewidth 2 linecolor rgb '#1f5f99' title 'mean'\n", f);
}

static mho_err run(const char *script, mho_errinfo *ei) {
  char *const argv[] = {"gnuplot", "-d", (char *)(uintptr_t)script, NULL};
  posix_spawn_file_actions_t actions;
  pid_t pid;
  int status = 0;
  if (posix_spawn_file_actions_init(&actions))
    return mho_fail(ei, MHO_ENOMEM, "no memory to start gnuplot");
  int rc = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  if (!rc)
    rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (rc == ENOENT)
    return mho_fail(ei, MHO_EUNSUPPORTED, "plots need gnuplot, which is not installed");
  if (rc)
    return mho_fail(ei, MHO_EIO, "gnuplot cannot be started: %s", strerror(rc));
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0
             ? MHO_OK
             : mho_fail(ei, MHO_EIO, "gnuplot drew no plot");
}

mho_err mho_pulse_plot_draw(const mho_pulse_plot *p, const char *path, mho_errinfo *ei) {
  size_t n = strlen(path);
  bool svg = n > 4 && !strcmp(path + n - 4, ".svg");
  if (!svg && !(n > 4 && !strcmp(path + n - 4, ".png")))
    return mho_fail(ei, MHO_EINVAL,
                    "a plot is drawn into a file that ends in .svg or .png, not '%s'", path);
  FILE *probe = fopen(path, "a"); /* gnuplot's own words would be lost */
  if (!probe)
    return mho_fail_at(ei, MHO_EIO, path, 0, "cannot write the plot: %s", strerror(errno));
  fclose(probe);
  char script[] = "/tmp/mho-plot-XXXXXX";
  int fd = mkstemp(script);
  FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
  if (!f)
    return mho_fail(ei, MHO_EIO, "no temporary file for gnuplot: %s", strerror(errno));
  print_script(f, p, path, svg);
  mho_err err = fclose(f)
                    ? mho_fail(ei, MHO_EIO, "no room for gnuplot's script: %s", strerror(errno))
                    : run(script, ei);
  unlink(script);
  return err;
}
