/* circuit_plot.c - a network of resistors at rest, drawn as a circuit by gnuplot, of points and
 * lines in units of the picture.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/circuit_plot.h"

#include <math.h>

#include "report/plot.h"

enum { WIDTH = 480, LEFT = 86, RIGHT = 402, TOP = 30, FOOT = 26, ROW = 28 };
enum { ZIGZAGS_MAX = 16 }; /* between two layers: more resistors are lines */
enum { CURRENTS_MAX = 3 }; /* between two layers that numbers stand at: the strongest */

#define FORWARD MHO_PLOT_COLOR_3
#define BACK    MHO_PLOT_COLOR_1
#define GRAY    MHO_PLOT_COLOR_2

/* Numbers, in points: a page is 480 wide, a file 900. */
static double font_of(const mho_circuit_drawing *d) {
  return d->is_page ? 9 : 12;
}

/* What lies behind numbers in a file; in a page its style draws around them. */
static const char *box_of(const mho_circuit_drawing *d) {
  return d->is_page ? "" : " boxed";
}

typedef struct point {
  double x, y;
} point;

static int rows_of(const mho_circuit_picture *p) {
  int most = 1;
  for (int i = 0; i < p->n_nodes; i++)
    most = mho_max(most, p->node[i].row + 1);
  return most;
}

int mho__circuit_height(const mho_circuit_picture *p) {
  return TOP + FOOT + ROW * rows_of(p);
}

/* Nodes in a layer's column. */
static int drawn_in(const mho_circuit_picture *p, int layer) {
  int n = 0;
  for (int i = 0; i < p->n_nodes; i++)
    n += p->node[i].layer == layer;
  return n;
}

static double x_of(const mho_circuit_picture *p, int layer) {
  return LEFT + (double)(RIGHT - LEFT) * layer / (p->n_layers - 1);
}

/* Columns are centred. */
static point place_of(const mho_circuit_picture *p, int node) {
  const mho_drawn_node *x = &p->node[node];
  double above = (rows_of(p) - drawn_in(p, x->layer)) / 2.0;
  double top = mho__circuit_height(p) - TOP - ROW / 2.0;
  return (point){x_of(p, x->layer), top - ROW * (above + x->row)};
}

/* ---------------------------------------------------------------- lines */

static void line(FILE *f, point a, point b, double width, const char *color) {
  fprintf(f, "set arrow from %.1f,%.1f to %.1f,%.1f nohead back linewidth %.2f %s\n", a.x, a.y, b.x,
          b.y, width, color);
}

/* The point at a share t of the way, and so far beside it. */
static point along(point a, point b, double t, double beside) {
  double dx = b.x - a.x, dy = b.y - a.y, length = hypot(dx, dy);
  return (point){a.x + t * dx - beside * dy / length, a.y + t * dy + beside * dx / length};
}

/* A resistor at a share of the way: four teeth of 3, each 5 long. */
static void zigzag(FILE *f, point a, point b, double at, double width, const char *color) {
  enum { TEETH = 4 };
  double tooth = 5 / hypot(b.x - a.x, b.y - a.y), start = at - TEETH / 2.0 * tooth;
  point last = along(a, b, start, 0);
  line(f, a, last, width, color);
  for (int i = 0; i < TEETH; i++) {
    point tip = along(a, b, start + (i + 0.5) * tooth, i % 2 ? -3 : 3);
    line(f, last, tip, width, color);
    last = tip;
  }

  point end = along(a, b, start + TEETH * tooth, 0);
  line(f, last, end, width, color);
  line(f, end, b, width, color);
}

static double largest_current(const mho_circuit_picture *p) {
  double most = 0;
  for (int i = 0; i < p->n_branches; i++)
    most = fmax(most, fabs(p->branch[i].current));
  return most > 0 ? most : 1;
}

/* How many lines lead into a layer. */
static int lines_into(const mho_circuit_picture *p, int layer) {
  int n = 0;
  for (int i = 0; i < p->n_branches; i++)
    n += p->node[p->branch[i].to].layer == layer;
  return n;
}

/* Resistors stand at a place of their own along the way, where many would lie on one another. */
static void draw_branches(FILE *f, const mho_circuit_picture *p) {
  static const double places[] = {0.5, 0.38, 0.62};
  double most = largest_current(p);
  for (int i = 0; i < p->n_branches; i++) {
    const mho_drawn_branch *b = &p->branch[i];
    const char *color = b->current < 0 ? BACK : FORWARD;
    double width = 0.4 + 2.6 * sqrt(fabs(b->current) / most);
    point from = place_of(p, b->from), to = place_of(p, b->to);
    if (lines_into(p, p->node[b->to].layer) > ZIGZAGS_MAX)
      line(f, from, to, width, b->current == 0 ? GRAY : color);
    else
      zigzag(f, from, to, places[p->node[b->from].row % (int)MHO_COUNT(places)], width,
             b->current == 0 ? GRAY : color);
  }
}

/* How many conductances into the same layer come after one in the picture: stronger ones. */
static int stronger_than(const mho_circuit_picture *p, int branch) {
  int n = 0, layer = p->node[p->branch[branch].to].layer;
  for (int i = branch + 1; i < p->n_branches; i++)
    n += p->node[p->branch[i].to].layer == layer;
  return n;
}

static void label_currents(FILE *f, const mho_circuit_drawing *d) {
  const mho_circuit_picture *p = d->p;
  for (int i = 0; i < p->n_branches; i++) {
    const mho_drawn_branch *b = &p->branch[i];
    int rank = stronger_than(p, i);
    point at = along(place_of(p, b->from), place_of(p, b->to), 0.28 + 0.22 * rank, 0);
    if (rank < CURRENTS_MAX && b->current != 0)
      fprintf(f, "set label at %.1f,%.1f center font ',%.3g' front%s '%.3g'\n", at.x, at.y,
              font_of(d), box_of(d), fabs(b->current));
  }
}

/* ---------------------------------------------------------------- nodes */

/* Three lines, the widest above. */
static void draw_ground(FILE *f, point at) {
  for (int i = 0; i < 3; i++) {
    double half = 6 - 2 * i, y = at.y - 3 * i;
    line(f, (point){at.x - half, y}, (point){at.x + half, y}, 1, GRAY);
  }
}

/* Between a node and ground below it; it points to where its current flows. */
static void draw_diode(FILE *f, point at, const mho_drawn_node *x) {
  const char *color = x->rectifier == 0 ? GRAY : FORWARD;
  double width = x->rectifier == 0 ? 0.6 : 1.4, foot = at.y - 11, head = at.y - 5;
  double tip = x->is_below ? foot : head, base = x->is_below ? head : foot;
  line(f, at, (point){at.x, at.y - 13}, width, color);
  line(f, (point){at.x - 3, base}, (point){at.x + 3, base}, width, color);
  line(f, (point){at.x - 3, base}, (point){at.x, tip}, width, color);
  line(f, (point){at.x + 3, base}, (point){at.x, tip}, width, color);
  line(f, (point){at.x - 3, tip}, (point){at.x + 3, tip}, width, color);
  line(f, (point){at.x - 3, at.y - 13}, (point){at.x + 3, at.y - 13}, width, GRAY);
}

/* The current of a bias: an arrow to the node or away from it. */
static void draw_bias(FILE *f, point at, const mho_drawn_node *x) {
  point a = {at.x - 14, at.y - 9}, b = {at.x - 4, at.y - 3};
  bool is_in = x->bias > 0;
  point from = is_in ? a : b, to = is_in ? b : a;
  fprintf(f, "set arrow from %.1f,%.1f to %.1f,%.1f head size 4,25 back linewidth 1 %s\n", from.x,
          from.y, to.x, to.y, is_in ? FORWARD : BACK);
}

static void label(FILE *f, const mho_circuit_drawing *d, int node, point at) {
  const mho_drawn_node *x = &d->p->node[node];
  bool is_first = x->layer == 0, is_last = x->layer == d->p->n_layers - 1;
  const char *align = "center";
  point to = {at.x, at.y + 8};
  if (is_first || is_last) {
    align = is_first ? "right" : "left";
    to = (point){at.x + (is_first ? -9 : 9), at.y};
  }

  fprintf(f, "set label at %.1f,%.1f %s font ',%.3g' front%s '", to.x, to.y, align, font_of(d),
          box_of(d));
  if (x->unit < 0)
    fputs("0'\n", f);
  else
    fprintf(f, "%d: %.3g'\n", x->unit, x->v);
}

static void draw_nodes(FILE *f, const mho_circuit_drawing *d) {
  const mho_circuit_picture *p = d->p;
  for (int i = 0; i < p->n_nodes; i++) {
    const mho_drawn_node *x = &p->node[i];
    point at = place_of(p, i);
    label(f, d, i, at);
    if (x->unit < 0)
      draw_ground(f, at);
    if (isfinite(x->rectifier))
      draw_diode(f, at, x);
    if (x->bias != 0)
      draw_bias(f, at, x);
  }
}

static void draw_heads(FILE *f, const mho_circuit_drawing *d) {
  const mho_circuit_picture *p = d->p;
  double y = mho__circuit_height(p) - 12;
  for (int l = 0; l < p->n_layers; l++)
    fprintf(f, "set label at %.1f,%.1f center font ',%.3g' '%s (%d of %d)'\n", x_of(p, l), y,
            font_of(d), l ? p->layer[l].name : "inputs", p->layer[l].drawn, p->layer[l].units);
}

/* The scale of widths: the largest current. */
static void draw_scale(FILE *f, const mho_circuit_drawing *d) {
  const mho_circuit_picture *p = d->p;
  line(f, (point){6, 8}, (point){30, 8}, 3, GRAY);
  fprintf(f, "set label at 36,8 left font ',%.3g' 'a current of %.3g'\n", font_of(d),
          largest_current(p));
}

/* ---------------------------------------------------------------- the picture */

/* Whether a node is drawn among those of a kind: sources, or nodes above, below and at 0. */
static bool is_of(const mho_drawn_node *x, int kind) {
  int sign = (x->v > 0) - (x->v < 0);
  if (x->unit < 0)
    return false;
  return x->layer == 0 ? kind == 0 : kind == 2 + sign;
}

void mho__circuit_plot(FILE *f, const void *user) {
  static const char *const kinds[] = {"pointtype 6 " GRAY, "pointtype 7 " BACK, "pointtype 7 " GRAY,
                                      "pointtype 7 " FORWARD};
  const mho_circuit_drawing *d = user;
  const mho_circuit_picture *p = d->p;

  fprintf(f,
          "unset border\nunset tics\nunset key\nset grid noxtics noytics\n"
          "set lmargin at screen 0\nset rmargin at screen 1\nset bmargin at screen 0\n"
          "set tmargin at screen 1\nset xrange [0:%d]\nset yrange [0:%d]\nset pointsize %.2g\n"
          "set style textbox opaque noborder margins 0.4,0.2\n",
          WIDTH, mho__circuit_height(p), d->is_page ? 0.32 : 0.8);
  draw_heads(f, d);
  draw_scale(f, d);
  draw_branches(f, p);
  label_currents(f, d);
  draw_nodes(f, d);

  for (int kind = 0; kind < MHO_COUNT(kinds); kind++) {
    fprintf(f, "$kind%d << EOD\n-9 -9\n", kind); /* drawn nowhere: a block is never empty */
    for (int i = 0; i < p->n_nodes; i++)
      if (is_of(&p->node[i], kind))
        fprintf(f, "%.1f %.1f\n", place_of(p, i).x, place_of(p, i).y);
    fputs("EOD\n", f);
  }
  for (int kind = 0; kind < MHO_COUNT(kinds); kind++)
    fprintf(f, "%s$kind%d using 1:2 with points %s", kind ? ", " : "plot ", kind, kinds[kind]);
  fputc('\n', f);
}
