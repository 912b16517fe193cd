/* scatter.c - values of the core against those of ngspice, as the co-simulation stored them.
 *
 * Points on the diagonal agree; what the eye cannot see on it is drawn beside it: the difference
 * against the value.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>

#include "report/html.h"
#include "report/page.h"

enum { POINTS_MAX = 400, SIDE = 200, LEFT = 12, TOP = 12, GAP = 26 };
enum {
  RIGHT = LEFT + SIDE + GAP,
  BOTTOM = TOP + SIDE
}; /* left of the second square, foot of both */

typedef struct points {
  int n;
  double core[POINTS_MAX], spice[POINTS_MAX];
} points;

/* What the points span. */
typedef struct extent {
  double low, high, range; /* of all values; range is 1 where they are all the same */
  double difference;       /* the largest between the two */
} extent;

typedef struct drawing {
  const mho_page *p;
  int n;
} drawing;

/* The next number of a text, behind which *text is left; false at its end. */
static bool next_number(const char **text, double *v) {
  char *end;
  *v = strtod(*text, &end);
  if (end == *text)
    return false;
  *text = end;
  return true;
}

/* "core ngspice" a line. */
static void parse(const char *text, points *out) {
  out->n = 0;
  while (*text && out->n < POINTS_MAX) {
    double core, spice;
    if (!next_number(&text, &core) || !next_number(&text, &spice))
      return;

    if (*text)
      text++;
    if (isfinite(core) && isfinite(spice)) {
      out->core[out->n] = core;
      out->spice[out->n] = spice;
      out->n++;
    }
  }
}

static extent extent_of(const points *v) {
  extent e = {.low = INFINITY, .high = -INFINITY};
  for (int i = 0; i < v->n; i++) {
    e.low = fmin(e.low, fmin(v->core[i], v->spice[i]));
    e.high = fmax(e.high, fmax(v->core[i], v->spice[i]));
    e.difference = fmax(e.difference, fabs(v->spice[i] - v->core[i]));
  }

  e.range = e.high > e.low ? e.high - e.low : 1;
  return e;
}

static void write_frame(FILE *f, int x) {
  fprintf(f,
          "<rect class=\"gridline\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\"/>\n",
          x, TOP, SIDE, SIDE);
}

/* Two frames, the diagonal of the first, and the line of no difference in the second. */
static void write_axes(FILE *f) {
  write_frame(f, LEFT);
  write_frame(f, RIGHT);
  fprintf(f, "<path class=\"gridline\" d=\"M%d %dL%d %dM%d %gH%d\"/>\n", LEFT, BOTTOM, LEFT + SIDE,
          TOP, RIGHT, TOP + SIDE / 2.0, RIGHT + SIDE);
}

static void write_points(FILE *f, const points *v, const extent *e) {
  for (int i = 0; i < v->n; i++) {
    double x = (v->core[i] - e->low) / e->range * SIDE;
    double y = (v->spice[i] - e->low) / e->range * SIDE;
    double d = 0;
    if (e->difference > 0)
      d = (v->spice[i] - v->core[i]) / e->difference * SIDE * 0.48;

    fprintf(f,
            "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.5\"/>"
            "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.5\"/>\n",
            LEFT + x, BOTTOM - y, RIGHT + x, TOP + SIDE / 2.0 - d);
  }
}

static void write_figure(FILE *f, const char *name, const points *v) {
  char low[MHO_NUMBER_MAX], high[MHO_NUMBER_MAX];
  extent e = extent_of(v);

  fprintf(f, "<figure><svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
          2 * SIDE + GAP + 2 * LEFT, BOTTOM + 30);
  mho__html_printf(
      f, "%s: ngspice against the core, %d values from %s to %s, largest difference %.2g", name,
      v->n, mho__number(e.low, 3, low), mho__number(e.high, 3, high), e.difference);
  fputs("\">\n", f);

  write_axes(f);
  fputs("<g class=\"s1\">\n", f);
  write_points(f, v, &e);
  fputs("</g>\n", f);

  fprintf(f, "<text x=\"%d\" y=\"%d\" font-size=\"10\">across: core, %s to %s</text>", LEFT,
          BOTTOM + 14, mho__number(e.low, 2, low), mho__number(e.high, 2, high));
  fprintf(f, "<text x=\"%d\" y=\"%d\" font-size=\"10\">up: ngspice</text>\n", LEFT, BOTTOM + 26);
  fprintf(f, "<text x=\"%d\" y=\"%d\" font-size=\"10\">difference, up to %.2g</text>\n", RIGHT,
          BOTTOM + 14, e.difference);
  fputs("</svg>\n<figcaption>", f);
  mho__html_text(f, name);
  fputs("</figcaption></figure>\n", f);
}

static bool take(void *user, int n, const char *const *names, const mho_cell *c) {
  drawing *d = user;
  if (!c || !c[0].text || !c[1].text)
    return true;

  points *v = malloc(sizeof *v);
  if (!v)
    return false;

  parse(c[1].text, v);
  if (v->n > 0) {
    if (d->n == 0)
      fputs("<div class=\"plots\">\n", d->p->out);
    d->n++;
    write_figure(d->p->out, c[0].text, v);
  }

  free(v);
  return true;
}

mho_err mho__page_scatter(const mho_page *p, mho_errinfo *ei) {
  static const char sql[] =
      "SELECT name, CAST(data AS TEXT) FROM artifact WHERE run_id = ?1 AND kind = 'cosim' "
      "ORDER BY id DESC LIMIT 12";
  drawing d = {.p = p};
  const char *id = p->d.run.id;
  mho_err err = mho_store_query(p->store, sql, 1, &id, 0, take, &d, ei);

  if (d.n)
    fputs("</div>\n", p->out);
  return err;
}
