/* netlist_waves.c - spikes that put waveforms on the lines of crossbars, as a circuit whose devices
 * move.
 *
 * Every line that has spiked has a source V(since_<layer>_<i>), the time since its last spike in
 * t_wave, below 0 before the first one. It drives the line's waveforms: as a row
 * V(row_<layer>_<i>), as a column V(col_<layer>_<j>), of a hidden layer both. A cell is the
 * subcircuit of its device between two lines, whose state moves under their difference.
 *
 * The source has corners a little before and behind every moment at which a piece of a waveform
 * begins or ends. ngspice takes a step from corner to corner, so that the jump in the middle counts
 * half before and half after it, as it is. When neurons fire is the core's: between waveforms that
 * move the devices nothing is read here.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "spice/netlist_waves.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mho/spice.h"
#include "spice/netlist_text.h"
#include "spice/subckt.h"

#define add    mho__spice_text_add
#define number mho__spice_number

#define STEPS 50   /* of ngspice in the shortest piece, at least */
#define EDGE  1e-4 /* of the shortest piece, from corner to corner */

static const double OF_CHANGE = 1e-3; /* margin */
static const double OF_RANGE = 1e-6;  /* the core's cells are in single precision */
static const double LEAK = 1e-6;      /* 1/s, of the states of subcircuits */

/* A netlist under way. */
typedef struct writer {
  mho_spice_text t;
  const mho_netlist_waves *x;
  double t_wave, edge; /* s: the longer waveform, and from corner to corner */
  double step;         /* s, of ngspice at most */
  double lead;         /* s, before the first step of the core */
} writer;

/* ---------------------------------------------------------------- what has a circuit */

#define REFUSE(...) return mho_fail(ei, MHO_EUNSUPPORTED, __VA_ARGS__)

mho_err mho__netlist_waves_check(const mho_device_model *model, const void *params,
                                 const mho_device_config *d, mho_errinfo *ei) {
  mho_device_spice s = {.n = 0};
  bool varies = d->spread_step > 0 || d->spread_asymmetry > 0 || d->spread_low > 0 ||
                d->spread_high > 0 || d->spread_of[0] || d->up_down != 0;
  bool is_stuck = d->stuck_on > 0 || d->stuck_off > 0 || d->stuck > 0 || d->open > 0;
  if (varies || is_stuck)
    REFUSE("device.variation, device.stuck: cells under waveforms (rule.window) are of one kind in "
           "a circuit: leave what tells them apart out");
  if (d->levels > 1 || d->endurance > 0 || d->leak > 0)
    REFUSE("device.levels, endurance and volatile: states under waveforms (rule.window) move by "
           "their law alone in a circuit: leave them out");

  mho_err err = model->spice ? model->spice(params, d, &s, ei) : MHO_OK;
  if (err || *s.rate)
    return err;
  REFUSE("device.model: '%s' answers pulses, and no circuit of it any voltage, as waveforms "
         "(rule.window) are: use vteam, yakopcic or linear_ion",
         model->entry.id);
}

/* ---------------------------------------------------------------- lines */

static int last_layer(const writer *w) {
  return mho_hidden_end(w->x->net) - 1;
}

static int count_of(const writer *w, int l) {
  bool is_cut = w->x->neurons > 0 && l == last_layer(w);
  return is_cut ? w->x->neurons : w->x->net->layer[l].n;
}

/* The next spike of a line after number k of the list; -1: there is none. */
static int next_spike(const writer *w, int l, int i, int after) {
  for (int k = after + 1; k < w->x->n; k++)
    if (w->x->spike[k].layer == l && w->x->spike[k].unit == i)
      return k;
  return -1;
}

static void find_times(writer *w) {
  const mho_wave *const wave[] = {w->x->row, w->x->column};
  double shortest = INFINITY;
  w->t_wave = fmax(mho__wave_end(w->x->row), mho__wave_end(w->x->column));
  for (int k = 0; k < MHO_COUNT(wave); k++)
    for (int i = 0; i < wave[k]->n; i++)
      shortest = fmin(shortest, wave[k]->piece[i].end - wave[k]->piece[i].start);
  w->step = shortest / STEPS;
  w->edge = shortest * EDGE;
  w->lead = w->edge;
}

/* When pieces of either waveform end, s since a spike, in order. */
typedef struct ends {
  int n;
  double at[2 * MHO_WAVE_PIECES];
} ends;

static void add_ends(ends *e, const mho_wave *wave) {
  for (int i = 0; i < wave->n; i++) {
    double end = wave->piece[i].end;
    int k = e->n++;
    for (; k > 0 && e->at[k - 1] > end; k--)
      e->at[k] = e->at[k - 1];
    e->at[k] = end;
  }
}

/* A corner of a line's source: at a time of ngspice, so long after its spike. */
static void add_corner(writer *w, double time, double since) {
  add(&w->t, "\n+ %s %s", number(time), number(since / w->t_wave));
}

/* Corners from behind a spike to the next one, about the ends that do not coincide with others. */
static void add_course(writer *w, const ends *e, double spike, double next) {
  double h = w->edge / 2, last = 0;
  for (int i = 0; i < e->n; i++) {
    bool is_apart = e->at[i] - last > 2 * w->edge && spike + e->at[i] + 2 * w->edge < next;
    if (!is_apart)
      continue;
    last = e->at[i];
    add_corner(w, spike + last - h, last - h);
    add_corner(w, spike + last + h, last + h);
  }
}

/* Whether a layer is the rows (row), or the columns, of any crossbar that learns. */
static bool is_part(const writer *w, int l, bool row) {
  for (int c = 0; c < w->x->net->n_trained; c++) {
    const mho_connection *k = &w->x->net->connection[c];
    if ((row ? k->from : k->to) == l)
      return true;
  }
  return false;
}

/* The time since a spike that a line's source shows: it stays behind the end of both waveforms. */
static double shown(const writer *w, double since) {
  return fmin(since, w->t_wave + w->edge);
}

static void add_source(writer *w, int l, int i) {
  const char *name = w->x->net->layer[l].name;
  double h = w->edge / 2, before = NAN;
  ends e = {.n = 0};
  add_ends(&e, w->x->row);
  add_ends(&e, w->x->column);

  add(&w->t, "Vsince_%s_%d since_%s_%d 0 PWL(0 -1", name, i, name, i);
  for (int k = next_spike(w, l, i, -1), after; k >= 0; k = after) {
    after = next_spike(w, l, i, k);
    double spike = w->lead + w->x->spike[k].time, over = spike + w->t_wave + w->edge;
    double next = after >= 0 ? w->lead + w->x->spike[after].time : (double)INFINITY;
    add_corner(w, spike - h, isnan(before) ? -w->t_wave : shown(w, spike - h - before));
    add_corner(w, spike + h, h);
    add_course(w, &e, spike, next);
    if (over + w->edge < next)
      add_corner(w, over, w->t_wave + w->edge);
    before = spike;
  }
  add(&w->t, ")\n");
}

static void add_line(writer *w, int l, int i) {
  const char *name = w->x->net->layer[l].name;
  add_source(w, l, i);
  if (is_part(w, l, true))
    add(&w->t, "Xrow_%s_%d since_%s_%d row_%s_%d row\n", name, i, name, i, name, i);
  if (is_part(w, l, false))
    add(&w->t, "Xcol_%s_%d since_%s_%d col_%s_%d col\n", name, i, name, i, name, i);
}

static bool is_quiet(const writer *w, int l, int i) {
  return next_spike(w, l, i, -1) < 0;
}

static void add_lines(writer *w) {
  add(&w->t, "\n* time since the last spike of a line, in t_wave, and its waveforms (V)\n");
  for (int l = 0; l <= last_layer(w); l++)
    for (int i = 0; i < count_of(w, l); i++)
      if (!is_quiet(w, l, i))
        add_line(w, l, i);
}

/* ---------------------------------------------------------------- subcircuits */

/* Of the time since a spike s, in t_wave, the voltage v. */
static void add_wave(writer *w, const char *name, const mho_wave *wave) {
  mho_spice_text *t = &w->t;
  add(t, ".subckt %s s v\nBv v 0 V=V(s) < 0 ? 0 : ", name);
  for (int i = 0; i < wave->n; i++) {
    const mho_wave_piece *p = &wave->piece[i];
    add(t, "\n+ V(s)*t_wave < %s ? %s+(V(s)*t_wave-%s)*(%s)", number(p->end), number(p->a),
        number(p->start), number(p->b));
    if (p->c != 0)
      add(t, "+(%s)*exp(-(V(s)*t_wave-%s)/(%s))", number(p->c), number(p->start), number(p->tau));
    add(t, " :");
  }
  add(t, " 0\n.ends\n");
}

static mho_err add_subcircuits(writer *w, mho_errinfo *ei) {
  char *lib = NULL;
  mho_netlist_device device = {
      .model = w->x->model, .params = w->x->params, .config = w->x->device};
  mho_err err = mho_netlist_device_lib(&device, &lib, ei);
  if (err)
    return err;

  add(&w->t,
      "\n* what spikes put on rows and columns: V(s) t_wave is the time since the last one\n");
  add_wave(w, "row", w->x->row);
  add_wave(w, "col", w->x->column);
  add(&w->t, "\n%s", lib);
  mho_free(lib);
  return MHO_OK;
}

/* ---------------------------------------------------------------- cells */

typedef void (*visit)(writer *w, int c, int i, int j);

/* Every cell that either line of moves, or may. */
static void for_cells(writer *w, visit f) {
  const mho_network *net = w->x->net;
  for (int c = 0; c < net->n_trained; c++) {
    const mho_connection *k = &net->connection[c];
    for (int i = 0; i < count_of(w, k->from); i++)
      for (int j = 0; j < count_of(w, k->to); j++)
        if (!is_quiet(w, k->from, i) || !is_quiet(w, k->to, j))
          f(w, c, i, j);
  }
}

/* "x_h1_3_4" of the cell between line 3 of x and line 4 of h1. */
static void name_of(const writer *w, int c, int i, int j, char name[MHO_NETLIST_NAME]) {
  const mho_network *net = w->x->net;
  const mho_connection *k = &net->connection[c];
  snprintf(name, MHO_NETLIST_NAME, "%s_%s_%d_%d", net->layer[k->from].name, net->layer[k->to].name,
           i, j);
}

static size_t at(const writer *w, int c, int i, int j) {
  return mho__core_cell(w->x->net->connection[c].xb, i, j);
}

/* A line's node; ground where it never spikes. */
static void add_node(writer *w, const char *kind, int l, int i) {
  if (is_quiet(w, l, i))
    add(&w->t, " 0");
  else
    add(&w->t, " %s_%s_%d", kind, w->x->net->layer[l].name, i);
}

static void add_cell(writer *w, int c, int i, int j) {
  const mho_device_config *d = w->x->device;
  const mho_connection *k = &w->x->net->connection[c];
  char name[MHO_NETLIST_NAME];
  name_of(w, c, i, j, name);
  add(&w->t, "X%s", name);
  add_node(w, "row", k->from, i);
  add_node(w, "col", k->to, j);
  add(&w->t, " mem_%s g0=%s\n", w->x->model->entry.id,
      number((w->x->before[c][at(w, c, i, j)] - d->g_min) / (d->g_max - d->g_min)));
}

static void add_save(writer *w, int c, int i, int j) {
  char name[MHO_NETLIST_NAME];
  name_of(w, c, i, j, name);
  add(&w->t, ".save v(x%s.gs)\n", name);
}

/* ---------------------------------------------------------------- what is printed */

static void expect_cell(writer *w, int c, int i, int j) {
  char name[MHO_NETLIST_NAME], value[MHO_NETLIST_NAME + 4];
  double change = w->x->after[c][at(w, c, i, j)] - w->x->before[c][at(w, c, i, j)];
  double range = w->x->device->g_max - w->x->device->g_min;
  double margin = OF_CHANGE * fabs(change) + range * (OF_RANGE + LEAK * w->x->stop);
  name_of(w, c, i, j, name);
  snprintf(value, sizeof value, "dg_%s", name);
  mho__netlist_expect(&w->t, value, -1, change, margin, "S");
}

static void print_cell(writer *w, int c, int i, int j) {
  char name[MHO_NETLIST_NAME];
  name_of(w, c, i, j, name);
  add(&w->t, "let dg_%s=v(x%s.gs)[length(v(x%s.gs))-1]-v(x%s.gs)[0]\nprint dg_%s\n", name, name,
      name, name, name);
}

static void add_control(writer *w) {
  mho_spice_text *t = &w->t;
  add(t, "\n.options method=trap reltol=1e-6 abstol=1e-15 chgtol=1e-20\n\n"
         "* the core, by its clock: S, the change of conductances\n");
  for_cells(w, expect_cell);
  add(t, "\n");
  for_cells(w, add_save);
  mho__netlist_transient(t, w->step, w->lead + w->x->stop, w->step);
  for_cells(w, print_cell);
  add(t, "quit\n.endc\n.end\n");
}

mho_err mho__netlist_waves_write(const mho_netlist_waves *x, char **out, mho_errinfo *ei) {
  *out = NULL;
  writer w = {.x = x};
  const mho_layer *last = &x->net->layer[last_layer(&w)];
  mho_err err = mho__netlist_waves_check(x->model, x->params, x->device, ei);
  if (err)
    return err;
  if (x->neurons > last->n)
    return mho_fail(ei, MHO_EINVAL, "--neurons: layer %s has only %d", last->name, last->n);

  find_times(&w);
  mho__netlist_title(&w.t, x->title);
  add(&w.t, "*\n* V(row_<layer>_<i>), V(col_<layer>_<j>): what spikes put on the lines of "
            "crossbars;\n* those that never spike are at 0 V\n\n* parameters\n");
  mho__netlist_parameter(&w.t, "t_wave", w.t_wave, "s, the longer waveform");
  err = add_subcircuits(&w, ei);
  add_lines(&w);
  add(&w.t, "\n* cells, from row to column\n");
  for_cells(&w, add_cell);
  add_control(&w);

  if (!err && w.t.failed)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a netlist");
  if (err)
    mho_free(w.t.p);
  else
    *out = w.t.p;
  return err;
}
