/* scatter.c - values of the core against those of ngspice, as the co-simulation kept them.
 *
 * Points on the diagonal agree; what the eye cannot see on it is drawn beside it: the difference against the value.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/page.h"

enum { POINTS_MAX = 400, SIDE = 200, LEFT = 12, TOP = 12, GAP = 26 };

typedef struct points {
  int n;
  double core[POINTS_MAX], spice[POINTS_MAX];
} points;

typedef struct drawing {
  const mho_page *p;
  int n;
} drawing;

/* "core ngspice" a line. */
static void parse(const char *text, points *out) {
  out->n = 0;
  for (const char *p = text; *p && out->n < POINTS_MAX;) {
    char *end;
    double core = strtod(p, &end), spice;
    if (end == p)
      break;
    p = end;
    spice = strtod(p, &end);
    if (end == p)
      break;
    p = *end ? end + 1 : end;
    if (isfinite(core) && isfinite(spice)) {
      out->core[out->n] = core;
      out->spice[out->n++] = spice;
    }
  }
}

static void frame(FILE *f, double x) {
  fprintf(f,
          "<rect class=\"gridline\" x=\"%g\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\"/>\n",
          x, TOP, SIDE, SIDE);
}

static void draw(FILE *f, const char *name, const points *v) {
  double low = INFINITY, high = -INFINITY, most = 0;
  char a[MHO_NUMBER_MAX], b[MHO_NUMBER_MAX];
  for (int i = 0; i < v->n; i++) {
    low = fmin(low, fmin(v->core[i], v->spice[i]));
    high = fmax(high, fmax(v->core[i], v->spice[i]));
    most = fmax(most, fabs(v->spice[i] - v->core[i]));
  }
  double range = high > low ? high - low : 1, right = LEFT + SIDE + GAP;
  fprintf(f, "<figure><svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
          2 * SIDE + GAP + 2 * LEFT, SIDE + TOP + 30);
  mho_html_printf(f,
                  "%s: ngspice against the core, %d values from %s to %s, largest difference %.2g",
                  name, v->n, mho_number(low, 3, a), mho_number(high, 3, b), most);
  fputs("\">\n", f);
  frame(f, LEFT);
  frame(f, right);
  fprintf(f, "<path class=\"gridline\" d=\"M%d %dL%d %dM%g %gH%g\"/>\n<g class=\"s1\">\n", LEFT,
          TOP + SIDE, LEFT + SIDE, TOP, right, TOP + SIDE / 2.0, right + SIDE);
  for (int i = 0; i < v->n; i++) {
    double x = (v->core[i] - low) / range * SIDE, y = (v->spice[i] - low) / range * SIDE;
    double d = most > 0 ? (v->spice[i] - v->core[i]) / most * SIDE * 0.48 : 0;
    fprintf(
        f,
        "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.5\"/><circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.5\"/>\n",
        LEFT + x, TOP + SIDE - y, right + x, TOP + SIDE / 2.0 - d);
  }
  fprintf(
      f,
      "</g>\n<text x=\"%d\" y=\"%d\" font-size=\"10\">across: core, %s to %s</text><text x=\"%d\" "
      "y=\"%d\" font-size=\"10\">up: ngspice</text>\n"
      "<text x=\"%g\" y=\"%d\" font-size=\"10\">difference, up to %.2g</text>\n</svg>\n<figcaption>",
      LEFT, TOP + SIDE + 14, mho_number(low, 2, a), mho_number(high, 2, b), LEFT, TOP + SIDE + 26,
      right, TOP + SIDE + 14, most);
  mho_html_text(f, name);
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
    if (d->n++ == 0)
      fputs("<div class=\"plots\">\n", d->p->out);
    draw(d->p->out, c[0].text, v);
  }
  free(v);
  return true;
}

mho_err mho_page_scatter(const mho_page *p, mho_errinfo *ei) {
  drawing d = {.p = p};
  const char *id = p->d.run.id;
  mho_err err = mho_store_query(
      p->store,
      "SELECT name, CAST(data AS TEXT) FROM artifact WHERE run_id = ?1 AND kind = 'cosim' "
      "ORDER BY id DESC LIMIT 12",
      1, &id, 0, take, &d, ei);
  if (d.n)
    fputs("</div>\n", p->out);
  return err;
}
