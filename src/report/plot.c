/* plot.c - gnuplot's SVG made fit for a page, and curves against the epoch.
 *
 * gnuplot writes a document of fixed colors and fonts, with ids that would clash between two plots
 * of a page. What it writes is turned into an element of the page: colors become classes of the
 * page's style (so light, dark and print work), fonts are inherited, ids and name spaces go.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/report_data.h"

enum { WIDTH = 480, HEIGHT = 320, CIRCLES_MAX = 60 };

/* What gnuplot is told to draw the page's colors in. Readable on white and on black, should a later
 * gnuplot write them in a way that is not recognized below. */
static const int color_rgb[MHO_COLORS + 1][3] = {
    {0, 0, 0}, {46, 133, 217}, {125, 133, 141}, {217, 119, 46}};

/* ---------------------------------------------------------------- from a document to an element */

typedef struct swap {
  char from[64], to[56];
} swap;

enum { SWAPS_MAX = 48 };

/* What is replaced in a line of gnuplot's. Returns how many there are. */
static int make_swaps(swap *s) {
  static const char *const attribute[] = {"stroke", "color", "fill"};
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
      /* SVG's own defaults */
      {" stroke-linecap=\"butt\"", ""},
      {" stroke-linejoin=\"miter\"", ""},
  };
  int n = MHO_COUNT(fixed);
  memcpy(s, fixed, sizeof fixed);

  for (int k = 1; k <= MHO_COLORS; k++) {
    const int *c = color_rgb[k];
    for (int a = 0; a < MHO_COUNT(attribute); a++) {
      snprintf(s[n].from, sizeof s[n].from, " %s='rgb(%3d, %3d, %3d)'", attribute[a], c[0], c[1],
               c[2]);
      snprintf(s[n].to, sizeof s[n].to, " class='s%d'", k);
      n++;
    }
  }

  return n;
}

static void print_line(FILE *out, const char *line, size_t length, const swap *s, int n) {
  size_t i = 0;
  while (i < length) {
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

/* A line that opens a group which the next line closes. */
static bool is_empty_group(const char *line, size_t length) {
  return !strncmp(line, "<g ", 3) && length > 0 && line[length - 1] == '>' &&
         !strncmp(line + length, "\n</g>\n", 6);
}

/* The inside of the element, from gnuplot's canvas on. Groups with nothing in them, most of the
 * document, are left out. */
static bool print_inside(FILE *out, const char *svg) {
  const char *at = strstr(svg, "</defs>");
  const char *end = at ? strstr(at, "\n</g>\n</svg>") : NULL;
  if (!end)
    return false;

  swap swaps[SWAPS_MAX];
  int n = make_swaps(swaps);
  at += strcspn(at, "\n");
  while (at < end) {
    at++;
    size_t length = strcspn(at, "\n");
    const char *id = strstr(at, "<g id=\"");
    if (is_empty_group(at, length))
      length += strlen("\n</g>");
    else if (id && id < at + length) /* <g id="gnuplot_plot_1" ><title>test</title> */
      fputs("<g>\n", out);
    else
      print_line(out, at, length, swaps, n);
    at += length;
  }

  return true;
}

/* ---------------------------------------------------------------- figures */

/* A script for a page's terminal. */
typedef struct drawing {
  mho_gnuplot_script script;
  const void *user;
  int height;
} drawing;

static void print_drawing(FILE *f, const void *user) {
  const drawing *d = user;
  fprintf(f,
          "set terminal svg dynamic noenhanced size %d,%d font 'sans-serif,16'\n"
          "set datafile missing 'NaN'\nset border 3\nset tics nomirror scale 0.5\n",
          WIDTH, d->height);
  d->script(f, d->user);
}

/* Draw into the page. Nothing is written to it on failure. */
static mho_err draw(const drawing *d, const char *description, FILE *out, mho_errinfo *ei) {
  char *svg = NULL, *inside = NULL;
  size_t size, length;
  mho_err err = mho__gnuplot(print_drawing, d, &svg, &length, ei);
  if (err)
    return err;

  FILE *f = open_memstream(&inside, &size);
  if (!f) {
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a plot");
  } else {
    bool good = print_inside(f, svg);
    bool whole = fclose(f) == 0;
    if (!good)
      err = mho_fail(ei, MHO_EIO, "gnuplot wrote no plot");
    else if (!whole)
      err = mho_fail(ei, MHO_ENOMEM, "no memory for a plot");
  }

  if (!err) {
    fprintf(out, "<svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH,
            d->height);
    mho__html_text(out, description);
    fprintf(out, "\">\n%s</svg>\n", inside);
  }

  free(inside);
  free(svg);
  return err;
}

void mho__figure(mho_figures *figures, mho_gnuplot_script script, const void *user, int height,
                 const char *description, const char *caption) {
  drawing d = {script, user, height};
  mho_errinfo why = {0};
  FILE *out = figures->out;
  if (*figures->failure)
    return;

  fputs("<figure>\n", out);
  if (draw(&d, description, out, &why)) {
    snprintf(figures->failure, sizeof figures->failure, "%s", why.message);
    mho_log(figures->ctx, MHO_LOG_WARNING, "the report has no plots: %s", why.message);
    fputs("<p class=\"alert\">No plots: ", out);
    mho__html_text(out, why.message);
    fputs(". Install gnuplot and write the report again.</p>\n", out);
  }
  fputs("<figcaption>", out);
  mho__html_text(out, caption);
  fputs("</figcaption>\n</figure>\n", out);
}

/* ---------------------------------------------------------------- curves */

/* What a plot of curves is drawn from. */
typedef struct curves {
  const mho_plot *p;
  const mho_epoch_row *e; /* [n] */
  int n;
} curves;

/* How many epochs one point of a plot of n stands for: 1 until there are too many. */
static int stride_of(int n) {
  return (n + MHO_POINTS_MAX - 1) / MHO_POINTS_MAX;
}

/* Epochs between ticks: 1, 2 or 5 times a power of ten, at most nine of them. */
static long tick_distance(long span) {
  static const int multiple[] = {1, 2, 5};
  for (long decade = 1;; decade *= 10)
    for (int i = 0; i < MHO_COUNT(multiple); i++) {
      long distance = decade * multiple[i];
      if (span / distance < 9)
        return distance;
    }
}

/* What curve k has in the i-th epoch, in the unit that is drawn. */
static double value_of(const curves *c, int k, int i) {
  const mho_curve *curve = &c->p->curve[k];
  double stored = curve->value ? curve->value[i] : mho__epoch_value(&c->e[i], curve->offset);
  return stored * c->p->factor;
}

/* "epoch value value ..." of one epoch; values that cannot be drawn are NaN. */
static void print_epoch(FILE *f, const curves *c, int i) {
  fprintf(f, "%d", c->e[i].epoch);
  for (int k = 0; k < c->p->n_curves; k++) {
    double v = value_of(c, k, i);
    if (isfinite(v) && !(c->p->logarithmic && v <= 0))
      fprintf(f, " %.7g", v);
    else
      fputs(" NaN", f);
  }
  fputc('\n', f);
}

/* Every stride-th epoch, and always the last. */
static void print_data(FILE *f, const curves *c) {
  int stride = stride_of(c->n);
  fputs("$data << EOD\n", f);
  for (int i = 0; i < c->n - stride; i += stride)
    print_epoch(f, c, i);
  print_epoch(f, c, c->n - 1);
  fputs("EOD\n", f);
}

/* The marked epoch as a point of its own; false when it has no value there. */
static bool print_ring(FILE *f, const curves *c) {
  if (c->p->ring <= 0)
    return false;

  for (int i = 0; i < c->n; i++) {
    double v = value_of(c, c->p->n_curves - 1, i);
    if (c->e[i].epoch == c->p->ring && isfinite(v)) {
      fprintf(f, "$ring << EOD\n%d %.7g\nEOD\n", c->e[i].epoch, v);
      return true;
    }
  }

  return false;
}

static void print_axes(FILE *f, const curves *c) {
  const mho_plot *p = c->p;
  long first = c->e[0].epoch, last = c->e[c->n - 1].epoch;
  long margin = first < last ? 0 : 1; /* a single epoch stands in the middle */

  fprintf(f,
          "set grid y\n"
          "set key outside top center horizontal maxrows %d samplen 2\n"
          "set xlabel 'epoch'\nset ylabel '%s'\n"
          "set xrange [%ld:%ld]\nset xtics %ld\nset format x '%%.0f'\n",
          p->n_curves > 4 ? 2 : 1, p->y_label, first - margin, last + margin,
          tick_distance(last - first));
  if (p->logarithmic)
    fputs("set logscale y\n", f);
  else if (p->from_zero)
    fputs("set yrange [0:*]\n", f);
}

static void print_curve(FILE *f, const curves *c, int k) {
  const mho_curve *curve = &c->p->curve[k];
  const int *rgb = color_rgb[curve->color];
  const char *style = c->n <= CIRCLES_MAX ? "linespoints pointtype 7 pointsize 0.5" : "lines";
  const char *width = curve->dashed ? "linewidth 1.5 dashtype 2" : "linewidth 2 dashtype 1";

  fprintf(f, "%s$data using 1:%d with %s linecolor rgb '#%02x%02x%02x' %s title '%s'",
          k ? ", " : "", k + 2, style, rgb[0], rgb[1], rgb[2], width, curve->title);
}

static void script_curves(FILE *f, const void *user) {
  const curves *c = user;
  const mho_plot *p = c->p;

  print_data(f, c);
  bool ring = print_ring(f, c);
  print_axes(f, c);
  fputs("plot ", f);
  for (int k = 0; k < p->n_curves; k++)
    print_curve(f, c, k);

  if (ring) {
    const int *rgb = color_rgb[p->curve[p->n_curves - 1].color];
    fprintf(f,
            ", $ring using 1:2 with points pointtype 6 pointsize 1.3 linewidth 2 linecolor rgb "
            "'#%02x%02x%02x' title '%s'",
            rgb[0], rgb[1], rgb[2], p->ring_title);
  }
  fputc('\n', f);
}

void mho__plot_curves(mho_figures *figures, const mho_plot *p, const mho_epoch_row *e, int n,
                      const char *caption) {
  curves c = {p, e, n};
  char text[512];
  if (p->n_curves == 0)
    return;

  snprintf(text, sizeof text, "%s", caption);
  if (stride_of(n) > 1)
    mho_text_append(text, sizeof text, " One of every %d epochs is drawn.", stride_of(n));
  mho__figure(figures, script_curves, &c, HEIGHT, p->description, text);
}
