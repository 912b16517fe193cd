/* spike_raster.c - neurons that spike, step by step: a table, and a raster with potentials.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/spike_raster.h"

#include <stdlib.h>

enum { DRAWN_A_LAYER = 2, DRAWN_MAX = 8 }; /* neurons whose potentials are drawn */

static const char *const colors[] = {"#2e85d9", "#d9772e", "#3a9d5d", "#8a5cc7", "#7d858d"};

static const char *color_of(int layer) {
  return colors[(layer - 1) % MHO_COUNT(colors)];
}

/* ---------------------------------------------------------------- which are drawn */

/* The first neurons of each layer: their places in the list. @return how many. */
static int find_drawn(const spike_raster *r, int *drawn) {
  int n = 0, of_layer = 0, layer = 0;
  for (int i = 0; i < r->n; i++) {
    if (r->neuron[i].layer != layer)
      of_layer = 0;
    layer = r->neuron[i].layer;
    if (of_layer++ < DRAWN_A_LAYER && n < DRAWN_MAX)
      drawn[n++] = i;
  }
  return n;
}

/* ---------------------------------------------------------------- moments */

/* Room for one more of `width` numbers behind n of them; false without memory. */
static bool make_room(double **v, int n, int *room, int width) {
  if (n < *room)
    return true;
  int more = *room ? 2 * *room : 256;
  double *grown = realloc(*v, (size_t)more * (size_t)width * sizeof *grown);
  if (!grown)
    return false;
  *v = grown;
  *room = more;
  return true;
}

static void keep_spike(spike_raster *r, double ms, int i) {
  if (!make_room(&r->spike, r->spikes, &r->capacity, 2)) {
    r->full = true;
    return;
  }
  double *to = r->spike + 2 * (size_t)r->spikes++;
  to[0] = ms;
  to[1] = i;
}

static double exact_of(const mho_vars *v, int variable, mho_trace_neuron at) {
  return mho_vars_exact(v, variable, at.layer, 0)[at.index];
}

/* Potentials and thresholds of those that are drawn. */
static void keep_way(spike_raster *r, const mho_vars *v, double ms, int u, int theta) {
  int drawn[DRAWN_MAX], n = find_drawn(r, drawn), width = 1 + 2 * n;
  if (!make_room(&r->way, r->moments, &r->room, width)) {
    r->full = true;
    return;
  }

  double *to = r->way + (size_t)r->moments++ * (size_t)width;
  *to++ = ms;
  for (int i = 0; i < n; i++) {
    *to++ = exact_of(v, u, r->neuron[drawn[i]]);
    *to++ = exact_of(v, theta, r->neuron[drawn[i]]);
  }
}

static void print_moment(const spike_raster *r, const mho_trace_point *p) {
  if (r->by_events)
    printf("%.12g", p->time);
  else
    printf("%d", p->step);
}

void spike_raster_take(spike_raster *r, const mho_trace_point *p, bool is_first) {
  int u = mho_vars_find(p->vars, "u"), theta = mho_vars_find(p->vars, "theta");
  int spike = mho_vars_find(p->vars, "spike");
  double ms = 1e3 * p->time;
  r->over |= p->step <= r->step;
  r->step = p->step;
  if (r->over)
    return;
  if (is_first)
    printf("%s,layer,neuron,u,theta,spike\n", r->by_events ? "time" : "step");

  for (int i = 0; i < r->n; i++) {
    mho_trace_neuron at = r->neuron[i];
    bool fired = mho_vars_real(p->vars, spike, at.layer, 0)[at.index] > 0;
    print_moment(r, p);
    printf(",%s,%d,%.10g,%.10g,%d\n", r->net->layer[at.layer].name, at.index,
           exact_of(p->vars, u, at), exact_of(p->vars, theta, at), fired);
    if (fired)
      keep_spike(r, ms, i);
  }
  keep_way(r, p->vars, ms, u, theta);
}

void spike_raster_free(spike_raster *r) {
  free(r->spike);
  free(r->way);
}

/* ---------------------------------------------------------------- the picture */

/* A row of points for every layer, of which the first ones name it. */
static void print_raster(FILE *f, const spike_raster *r, double end) {
  const char *comma = "plot ";
  fprintf(f,
          "set size 1, 0.55\nset origin 0, 0.45\nset ylabel 'neuron'\nset xrange [0:%.8g]\n"
          "set yrange [-1:%d]\nset key outside right\n",
          end, r->n);
  for (int l = 1; l < mho_hidden_end(r->net); l++) {
    fprintf(f,
            "%s$spikes using ($3 == %d ? $1 : NaN):2 with points pointtype 7 pointsize 0.25 "
            "linecolor rgb '%s' title '%s'",
            comma, l, color_of(l), r->net->layer[l].name);
    comma = ", ";
  }
  fputc('\n', f);
}

/* Potentials, and dashed their thresholds. */
static void print_ways(FILE *f, const spike_raster *r, const int *drawn, int n) {
  const char *comma = "plot ";
  fputs("set size 1, 0.45\nset origin 0, 0\nset ylabel 'potential'\nset xlabel 'time (ms)'\n"
        "set autoscale y\n",
        f);
  for (int i = 0; i < n; i++) {
    mho_trace_neuron at = r->neuron[drawn[i]];
    const char *color = color_of(at.layer);
    fprintf(f, "%s$way using 1:%d with lines linecolor rgb '%s' title '%s.%d', ", comma, 2 + 2 * i,
            color, r->net->layer[at.layer].name, at.index);
    fprintf(f, "$way using 1:%d with lines dashtype 2 linecolor rgb '%s' notitle", 3 + 2 * i,
            color);
    comma = ", ";
  }
  fputc('\n', f);
}

void spike_raster_print(FILE *f, const void *user) {
  const spike_raster *r = user;
  int drawn[DRAWN_MAX], n = find_drawn(r, drawn), width = 1 + 2 * n;
  double end = r->moments ? r->way[(size_t)(r->moments - 1) * (size_t)width] : 1;

  fputs("$spikes << EOD\n-1 0 0\n", f); /* a line that is drawn nowhere: a block is never empty */
  for (int i = 0; i < r->spikes; i++) {
    int which = (int)r->spike[2 * i + 1];
    fprintf(f, "%.8g %d %d\n", r->spike[2 * i], which, r->neuron[which].layer);
  }
  fputs("EOD\n$way << EOD\n", f);
  for (int p = 0; p < r->moments; p++) {
    for (int i = 0; i < width; i++)
      fprintf(f, "%.8g ", r->way[(size_t)p * (size_t)width + (size_t)i]);
    fputc('\n', f);
  }
  fputs("EOD\nset multiplot\n", f);

  print_raster(f, r, end);
  print_ways(f, r, drawn, n);
  fputs("unset multiplot\n", f);
}
