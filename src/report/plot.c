/* plot.c - gnuplot as a child process, and its SVG made fit for a page.
 *
 * gnuplot writes a document of fixed colors and fonts, with ids that would clash between two plots of a page.
 * What it writes is turned into an element of the page: colors become classes of the page's style (so light,
 * dark and print work), fonts are inherited, ids and name spaces go.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report/html.h"
#include "report/report_data.h"

extern char **environ;

enum { WIDTH = 480, HEIGHT = 320, CIRCLES_MAX = 60 };

/* What gnuplot is told to draw the page's colors in. Readable on white and on black, should a later gnuplot
 * write them in a way that is not recognized below. */
static const int color_rgb[MHO_COLORS + 1][3] = {
    {0, 0, 0}, {46, 133, 217}, {125, 133, 141}, {217, 119, 46}};

/* ---------------------------------------------------------------- script */

int mho_plot_stride(int n) {
  return (n + MHO_POINTS_MAX - 1) / MHO_POINTS_MAX;
}

/* Epochs between ticks: 1, 2 or 5 times a power of ten, at most nine of them. */
static long tick_step(long span) {
  for (long decade = 1;; decade *= 10)
    for (int i = 0; i < 3; i++) {
      long step = decade * (i == 0 ? 1 : i == 1 ? 2 : 5);
      if (span / step < 9)
        return step;
    }
}

/* What curve k has in the i-th epoch, in the unit that is drawn. */
static double value_of(const mho_plot *p, int k, const mho_epoch_row *e, int i) {
  const mho_curve *c = &p->curve[k];
  return (c->value ? c->value[i] : mho_epoch_value(&e[i], c->offset)) * p->factor;
}

static void print_data(FILE *f, const mho_plot *p, const mho_epoch_row *e, int n) {
  fputs("$data << EOD\n", f);
  for (int i = 0, stride = mho_plot_stride(n); i < n; i += stride) {
    if (i + stride >= n)
      i = n - 1; /* the last epoch is always there */
    fprintf(f, "%d", e[i].epoch);
    for (int k = 0; k < p->n_curves; k++) {
      double v = value_of(p, k, e, i);
      if (isfinite(v) && !(p->logarithmic && v <= 0))
        fprintf(f, " %.7g", v);
      else
        fputs(" NaN", f);
    }
    fputc('\n', f);
  }
  fputs("EOD\n", f);
}

/* The marked epoch as a point of its own; false when it has no value there. */
static bool print_ring(FILE *f, const mho_plot *p, const mho_epoch_row *e, int n) {
  for (int i = 0; p->ring > 0 && i < n; i++) {
    double v = value_of(p, p->n_curves - 1, e, i);
    if (e[i].epoch == p->ring && isfinite(v)) {
      fprintf(f, "$ring << EOD\n%d %.7g\nEOD\n", e[i].epoch, v);
      return true;
    }
  }
  return false;
}

static void print_terminal(FILE *f, int height) {
  fprintf(f,
          "set terminal svg dynamic noenhanced size %d,%d font 'sans-serif,16'\n"
          "set datafile missing 'NaN'\nset border 3\nset tics nomirror scale 0.5\n",
          WIDTH, height);
}

static void print_script(FILE *f, const mho_plot *p, const mho_epoch_row *e, int n) {
  long first = e[0].epoch, last = e[n - 1].epoch;
  print_data(f, p, e, n);
  bool ring = print_ring(f, p, e, n);
  fprintf(f,
          "set grid y\n"
          "set key outside top center horizontal maxrows %d samplen 2\nset xlabel 'epoch'\nset "
          "ylabel '%s'\n"
          "set xrange [%ld:%ld]\nset xtics %ld\nset format x '%%.0f'\n",
          p->n_curves > 4 ? 2 : 1, p->y_label, first < last ? first : first - 1,
          first < last ? last : last + 1, tick_step(last - first));
  if (p->logarithmic)
    fputs("set logscale y\n", f);
  else if (p->from_zero)
    fputs("set yrange [0:*]\n", f);
  fputs("plot ", f);
  for (int k = 0; k < p->n_curves; k++) {
    const mho_curve *c = &p->curve[k];
    const int *rgb = color_rgb[c->color];
    fprintf(
        f,
        "%s$data using 1:%d with %s linecolor rgb '#%02x%02x%02x' linewidth %s dashtype %d title '%s'",
        k ? ", " : "", k + 2, n <= CIRCLES_MAX ? "linespoints pointtype 7 pointsize 0.5" : "lines",
        rgb[0], rgb[1], rgb[2], c->dashed ? "1.5" : "2", c->dashed ? 2 : 1, c->title);
  }
  if (ring) {
    const int *rgb = color_rgb[p->curve[p->n_curves - 1].color];
    fprintf(f,
            ", $ring using 1:2 with points pointtype 6 pointsize 1.3 linewidth 2 linecolor rgb "
            "'#%02x%02x%02x' title '%s'",
            rgb[0], rgb[1], rgb[2], p->ring_title);
  }
  fputc('\n', f);
}

/* ---------------------------------------------------------------- child */

/* Run gnuplot with both its ends in memory files, so that nothing can block on a full pipe or raise SIGPIPE.
 */
static mho_err spawn(int in, int out, mho_errinfo *ei) {
  static char program[] = "gnuplot", defaults[] = "-d", from_stdin[] = "-";
  char *const argv[] = {program, defaults, from_stdin, NULL};
  posix_spawn_file_actions_t actions;
  if (posix_spawn_file_actions_init(&actions))
    return mho_fail(ei, MHO_ENOMEM, "no memory to start gnuplot");
  pid_t pid;
  int status = 0, rc = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  if (!rc)
    rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  if (!rc) /* its warnings (an empty range it widened) are nothing to the user */
    rc = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  if (!rc)
    rc = posix_spawnp(&pid, program, &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (rc == ENOENT)
    return mho_fail(ei, MHO_EUNSUPPORTED, "gnuplot is not installed");
  if (rc)
    return mho_fail(ei, MHO_EIO, "gnuplot cannot be started: %s", strerror(rc));
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  if (!WIFEXITED(status) || WEXITSTATUS(status))
    return mho_fail(ei, MHO_EIO, "gnuplot failed (%s %d)",
                    WIFEXITED(status) ? "exit code" : "signal",
                    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
  return MHO_OK;
}

static char *read_all(int fd, size_t *length) {
  off_t size = lseek(fd, 0, SEEK_END);
  char *text = size < 0 ? NULL : calloc(1, (size_t)size + 1);
  *length = size < 0 ? 0 : (size_t)size;
  for (off_t at = 0; text && at < size;) {
    ssize_t got = pread(fd, text + at, (size_t)(size - at), at);
    if (got > 0) {
      at += got;
    } else if (got == 0 || errno != EINTR) {
      free(text);
      return NULL;
    }
  }
  return text;
}

typedef struct epochs { /* what a plot of curves is drawn from */
  const mho_plot *p;
  const mho_epoch_row *e;
  int n;
} epochs;

static void print_curves(FILE *f, const void *user) {
  const epochs *c = user;
  print_script(f, c->p, c->e, c->n);
}

mho_err mho_gnuplot(mho_plot_script script, const void *user, char **out, size_t *length,
                    mho_errinfo *ei) {
  int in = memfd_create("script", MFD_CLOEXEC), plot = memfd_create("plot", MFD_CLOEXEC);
  FILE *f = in < 0 ? NULL : fdopen(dup(in), "w");
  mho_err err = MHO_OK;
  if (!f || plot < 0)
    err = mho_fail(ei, MHO_EIO, "no files in memory for gnuplot: %s", strerror(errno));
  if (f && !err)
    script(f, user);
  if (f && fclose(f) && !err)
    err = mho_fail(ei, MHO_EIO, "no memory for gnuplot's script: %s", strerror(errno));
  if (!err) {
    lseek(in, 0, SEEK_SET); /* the child shares the offset */
    err = spawn(in, plot, ei);
  }
  if (!err && !(*out = read_all(plot, length)))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a plot");
  if (in >= 0)
    close(in);
  if (plot >= 0)
    close(plot);
  return err;
}

typedef struct terminal { /* a script for a page's terminal */
  mho_plot_script script;
  const void *user;
  int height;
} terminal;

static void print_with_terminal(FILE *f, const void *user) {
  const terminal *t = user;
  print_terminal(f, t->height);
  t->script(f, t->user);
}

/* ---------------------------------------------------------------- from a document to an element */

typedef struct swap {
  char from[64], to[56];
} swap;

enum { SWAPS_MAX = 48 };
static int make_swaps(swap *s) {
  static const swap fixed[] = {
      /* the definitions of the symbols go: what uses the disk and the ring is drawn as such */
      {"<use xlink:href='#gpPt6'", "<circle r='1'"},
      {"<use xlink:href='#gpPt5'", "<circle r='1' fill='none' stroke-width='.3'"},
      {" color=\"black\"", ""},
      {" color=\"white\"", ""},
      {" color=\"gray\"", ""},
      {"stroke='black'", "stroke='currentColor'"},
      {"stroke=\"black\"", "stroke='currentColor'"},
      {"fill=\"black\"", "fill=\"currentColor\""},
      {" font-family=\"sans-serif\" ", " "},
      {"<tspan font-family=\"sans-serif\" >", ""},
      {"</tspan>", ""},
      {" stroke-linecap=\"butt\"", ""}, /* what SVG does anyway */
      {" stroke-linejoin=\"miter\"", ""},
  };
  int n = MHO_COUNT(fixed);
  memcpy(s, fixed, sizeof fixed);
  for (int k = 1; k <= MHO_COLORS; k++) {
    static const char *const attribute[] = {"stroke", "color", "fill"};
    const int *c = color_rgb[k];
    for (int a = 0; a < MHO_COUNT(attribute); a++, n++) {
      snprintf(s[n].from, sizeof s[n].from, " %s='rgb(%3d, %3d, %3d)'", attribute[a], c[0], c[1],
               c[2]);
      snprintf(s[n].to, sizeof s[n].to, " class='s%d'", k);
    }
  }
  return n;
}

static void print_line(FILE *out, const char *line, size_t length, const swap *s, int n) {
  for (size_t i = 0; i < length;) {
    int k = 0;
    while (k < n && strncmp(line + i, s[k].from, strlen(s[k].from)))
      k++;
    if (k < n) {
      fputs(s[k].to, out);
      i += strlen(s[k].from);
    } else {
      fputc(line[i++], out);
    }
  }
  fputc('\n', out);
}

/* The inside of the element, from gnuplot's canvas on. Groups with nothing in them, most of the document, are
 * left out. */
static bool print_inside(FILE *out, const char *svg) {
  swap swaps[SWAPS_MAX];
  int n = make_swaps(swaps);
  const char *at = strstr(svg, "</defs>"), *end = at ? strstr(at, "\n</g>\n</svg>") : NULL;
  if (!end)
    return false;
  for (at += strcspn(at, "\n"); at < end;) {
    at++;
    size_t length = strcspn(at, "\n");
    bool empty = !strncmp(at, "<g ", 3) && length > 0 && at[length - 1] == '>' &&
                 !strncmp(at + length, "\n</g>\n", 6);
    const char *id = strstr(at, "<g id=\"");
    if (empty)
      length += 5;
    else if (id && id < at + length) /* "<g id="gnuplot_plot_1" ><title>test</title>" */
      fputs("<g>\n", out);
    else
      print_line(out, at, length, swaps, n);
    at += length;
  }
  return true;
}

mho_err mho_plot_draw(mho_plot_script script, const void *user, int height, const char *description,
                      FILE *out, mho_errinfo *ei) {
  char *svg = NULL, *inside = NULL;
  size_t size, length;
  mho_err err =
      mho_gnuplot(print_with_terminal, &(terminal){script, user, height}, &svg, &length, ei);
  FILE *f = err ? NULL : open_memstream(&inside, &size);
  if (!err && !f)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a plot");
  if (!err && !print_inside(f, svg))
    err = mho_fail(ei, MHO_EIO, "gnuplot wrote no plot");
  if (f && fclose(f) && !err)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a plot");
  if (!err) {
    fprintf(out, "<svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH,
            height);
    mho_html_text(out, description);
    fprintf(out, "\">\n%s</svg>\n", inside);
  }
  free(inside);
  free(svg);
  return err;
}

mho_err mho_plot_svg(const mho_plot *p, const mho_epoch_row *e, int n, FILE *out, mho_errinfo *ei) {
  epochs c = {p, e, n};
  return mho_plot_draw(print_curves, &c, HEIGHT, p->description, out, ei);
}
