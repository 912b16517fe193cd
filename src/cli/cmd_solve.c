/* cmd_solve.c - mho solve: one array with wire resistance, from CSV or NumPy files to CSV.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "mho/model/circuit.h"
#include "mho/model/num.h"
#include "mho/report.h"
#include "mho/spice.h"
#include "mho/wire.h"

enum { METHOD_NGSPICE = MHO_WIRE_LADDER + 1 }; /* beside those of mho_wire_method */

typedef struct options {
  common_options common;
  const char *g, *r, *w; /**< conductances, resistances or weights: one of them is given */
  const char *v, *nodes, *devices, *plot;
  double r_word, r_bit, r_source, r_load;
  double w_max, g_min, g_max; /**< of --w; w_max 0, the others below 0: not given */
  int method;
  bool transposed;
} options;

enum {
  KEY_G = OPTION_VERB,
  KEY_R,
  KEY_W,
  KEY_W_MAX,
  KEY_G_MIN,
  KEY_G_MAX,
  KEY_V,
  KEY_R_WORD,
  KEY_R_BIT,
  KEY_R_SOURCE,
  KEY_R_LOAD,
  KEY_METHOD,
  KEY_TRANSPOSED,
  KEY_NODES,
  KEY_DEVICES,
  KEY_PLOT
};
static const struct argp_option option_table[] = {
    {"g", KEY_G, "FILE", 0,
     "conductances in siemens, a line for each word line; like every FILE here, text or NumPy's "
     ".npy (- is standard input)",
     0},
    {"r", KEY_R, "FILE", 0, "resistances in ohm in place of conductances", 0},
    {"w", KEY_W, "FILE", 0,
     "weights of either sign in their place: two arrays, G+ - G- = w/w_max (g_max - g_min), and "
     "the difference of their currents",
     0},
    {"w-max", KEY_W_MAX, "X", 0, "w_max of --w (default: the largest weight)", 0},
    {"g-min", KEY_G_MIN, "S", 0, "lowest conductance of --w (default 1 uS)", 0},
    {"g-max", KEY_G_MAX, "S", 0, "highest conductance of --w (default 100 uS)", 0},
    {"v", KEY_V, "FILE", 0,
     "input voltages, a line of as many numbers as word lines for each vector", 0},
    {"r-word", KEY_R_WORD, "OHM", 0,
     "resistance of a segment of the word lines (\"2.5\", \"10 mohm\"; default 0)", 0},
    {"r-bit", KEY_R_BIT, "OHM", 0, "the same of the bit lines", 0},
    {"r-source", KEY_R_SOURCE, "OHM", 0,
     "output resistance of the drivers, in series with the first segment (default 0)", 0},
    {"r-load", KEY_R_LOAD, "OHM", 0,
     "resistance between the last segment of a sensed line and virtual ground (default 0)", 0},
    {"method", KEY_METHOD, "auto|direct|iterative|ngspice", 0,
     "auto (default), direct (sparse Cholesky), iterative, or ngspice (up to about 64 x 64)", 0},
    {"transposed", KEY_TRANSPOSED, NULL, 0,
     "drive the bit lines' ends and sense the word lines': vectors of as many numbers as bit lines",
     0},
    {"nodes", KEY_NODES, "FILE", 0, "node voltages too: vector,i,j,v_word,v_bit", 0},
    {"devices", KEY_DEVICES, "FILE", 0, "voltage and current of each device: vector,i,j,v,i_device",
     0},
    {"plot", KEY_PLOT, "FILE", 0,
     "heat maps of the first vector's node voltages and devices (.png or .svg)", 0},
    OPT_OUT("currents into a file rather than to standard output"),
    OPT_THREADS,
    OPT_JSON,
    {0}};

static const double CONDUCTANCE_MAX = 1; /* S, as of device.g_max */

static double quantity(struct argp_state *state, const char *name, const char *text,
                       const char *unit, double most, const char *range) {
  double v = 0;
  mho_errinfo ei;
  if (mho_quantity_parse(text, unit, true, &v, &ei))
    argp_error(state, "--%s: %s", name, ei.message);
  if (!(v >= 0 && v <= most))
    argp_error(state, "--%s: '%s' is out of range: expected %s", name, text, range);
  return v;
}

/* What does not show in double precision is 0 for every method, as in mho_wire_new. */
static double ohm(struct argp_state *state, const char *name, const char *text) {
  static const double SHOWN = 1e-30;
  double r = quantity(state, name, text, "ohm", 1e12, "0 to 1e12 ohm");
  return r < SHOWN ? 0 : r;
}

static double siemens(struct argp_state *state, const char *name, const char *text) {
  return quantity(state, name, text, "S", CONDUCTANCE_MAX, "0 to 1 S");
}

static double positive(struct argp_state *state, const char *name, const char *text) {
  char *end;
  double v = strtod(text, &end);
  if (end == text || *end || !(v > 0) || !isfinite(v))
    argp_error(state, "--%s: '%s' is not a positive number", name, text);
  return v;
}

static int method_of(struct argp_state *state, const char *word) {
  static const struct {
    const char *word;
    int method;
  } all[] = {{"auto", MHO_WIRE_AUTO},
             {"direct", MHO_WIRE_DIRECT},
             {"iterative", MHO_WIRE_ITERATIVE},
             {"ngspice", METHOD_NGSPICE}};

  for (int i = 0; i < MHO_COUNT(all); i++)
    if (!strcmp(word, all[i].word))
      return all[i].method;
  argp_error(state, "--method: '%s' is not one of auto, direct, iterative, ngspice", word);
  return 0;
}

/* The file of the array, whichever option gave it. */
static const char *array_file(const options *o) {
  if (o->g)
    return o->g;
  return o->r ? o->r : o->w;
}

/* What must be given, and what does not go together. */
static void check_options(const options *o, struct argp_state *state) {
  int arrays = (o->g != NULL) + (o->r != NULL) + (o->w != NULL);
  bool ranged = o->w_max > 0 || o->g_min >= 0 || o->g_max >= 0;

  if (arrays != 1 || !o->v)
    argp_error(state, "give the array with one of --g FILE, --r FILE and --w FILE, and the inputs "
                      "with --v FILE");
  if (ranged && !o->w)
    argp_error(state, "--w-max, --g-min and --g-max are of weights: give them with --w FILE");
  if (o->w && (o->nodes || o->devices || o->plot))
    argp_error(state, "--nodes, --devices and --plot are of one array, --w makes two of them: give "
                      "one with --g FILE");
}

/* Results must not be written over what is read. */
static void check_files(const options *o, struct argp_state *state) {
  const char *out[] = {o->common.out, o->nodes, o->devices, o->plot};
  const char *in[] = {array_file(o), o->v};
  for (int i = 0; i < MHO_COUNT(out); i++)
    for (int k = 0; k < MHO_COUNT(in); k++)
      if (out[i] && in[k] && is_same_file(out[i], in[k]))
        argp_error(state, "%s is read: give the results a file of their own", in[k]);

  for (int i = 0; i < MHO_COUNT(out); i++)
    for (int k = 0; k < i; k++)
      if (out[i] && out[k] && !strcmp(out[i], out[k]))
        argp_error(state, "two results into '%s': give each a file of its own", out[i]);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case KEY_G:
    o->g = arg;
    return 0;
  case KEY_R:
    o->r = arg;
    return 0;
  case KEY_W:
    o->w = arg;
    return 0;
  case KEY_W_MAX:
    o->w_max = positive(state, "w-max", arg);
    return 0;
  case KEY_G_MIN:
    o->g_min = siemens(state, "g-min", arg);
    return 0;
  case KEY_G_MAX:
    o->g_max = siemens(state, "g-max", arg);
    return 0;
  case KEY_V:
    o->v = arg;
    return 0;
  case KEY_R_WORD:
    o->r_word = ohm(state, "r-word", arg);
    return 0;
  case KEY_R_BIT:
    o->r_bit = ohm(state, "r-bit", arg);
    return 0;
  case KEY_R_SOURCE:
    o->r_source = ohm(state, "r-source", arg);
    return 0;
  case KEY_R_LOAD:
    o->r_load = ohm(state, "r-load", arg);
    return 0;
  case KEY_METHOD:
    o->method = method_of(state, arg);
    return 0;
  case KEY_TRANSPOSED:
    o->transposed = true;
    return 0;
  case KEY_NODES:
    o->nodes = arg;
    return 0;
  case KEY_DEVICES:
    o->devices = arg;
    return 0;
  case KEY_PLOT:
    o->plot = arg;
    return 0;

  case ARGP_KEY_END:
    check_options(o, state);
    check_files(o, state);
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

VERB_ARGP(
    NULL,
    "Currents of a crossbar with wire resistance. Word line i is driven at its left end by "
    "V[i]; bit lines end in virtual ground at the bottom; a segment lies between neighbouring "
    "devices, between driver and first device, and between last device and ground. Prints a "
    "line of currents (A, into ground) for each input vector.\v"
    "Examples:\n  mho solve --g G.csv --v V.csv --r-word 1 --r-bit 1\n"
    "  mho solve --r R.npy --v V.npy --r-source 500 --r-load 50\n"
    "  mho solve --w W.npy --v V.npy --g-max '50 uS' --r-word 2\n"
    "  mho solve --g G.csv --v V.csv --r-word 2.5 --r-bit 2.5 --out I.csv --json "
    "--plot drop.png");

/* ---------------------------------------------------------------- the circuit */

typedef struct solution {
  int rows, cols, n;
  int in, out;                  /**< lines that are driven and sensed */
  double *current;              /**< [n x out] */
  double *node_word, *node_bit; /**< [cells] of one vector; NULL when not wanted */
  double *drop, *device;        /**< the same, of each device */
  double solve_s;
  mho_wire_stats stats;
  const char *method;
} solution;

static size_t cells_of(const solution *s) {
  return (size_t)s->rows * (size_t)s->cols;
}

/* Currents of the vectors from a first one on. */
static double *currents_of(const solution *s, int first) {
  return s->current + (size_t)first * (size_t)s->out;
}

/* Resistances at the ends of the word lines and of the bit lines. */
static double word_end(const options *o) {
  return o->transposed ? o->r_load : o->r_source;
}

static double bit_end(const options *o) {
  return o->transposed ? o->r_source : o->r_load;
}

static mho_err by_ngspice(const options *o, const double *g, const double *v, int n, solution *s,
                          double *current, mho_errinfo *ei) {
  mho_spice *spice;
  mho_err err = mho_spice_open(&spice, ei);
  if (err)
    return err;

  mho_netlist_crossbar x = {.rows = s->rows,
                            .cols = s->cols,
                            .n_banks = 1,
                            .g = {g},
                            .transposed = o->transposed,
                            .r_word = o->r_word,
                            .r_bit = o->r_bit,
                            .word_end = word_end(o),
                            .bit_end = bit_end(o),
                            .save_nodes = s->node_word != NULL};
  s->method = "ngspice";
  s->stats.residual = s->stats.error = s->stats.power_in = s->stats.power_lost = NAN;
  err = mho_spice_crossbar(spice, &x, n, v, current, s->node_word, s->node_bit, ei);

  mho_spice_close(spice);
  return err;
}

/* The worst of all vectors, and the sum of their powers. */
static void add_stats(mho_wire_stats *all, const mho_wire_stats *s) {
  all->method = s->method;
  all->iterations = mho_max(s->iterations, all->iterations);
  all->residual = fmax(s->residual, all->residual);
  all->error = fmax(s->error, all->error);
  all->power_in += s->power_in;
  all->power_lost += s->power_lost;
}

static mho_err by_solver(const options *o, mho_wire *w, const double *v, int n, solution *s,
                         double *current, mho_errinfo *ei) {
  mho_wire_stats stats;
  mho_wire_read r = {.n = n, .node_word = s->node_word, .node_bit = s->node_bit};

  if (o->transposed) {
    r.v_bit = v;
    r.i_word = current;
  } else {
    r.v_word = v;
    r.i_bit = current;
  }
  mho_err err = mho_wire_solve(w, &r, &stats, ei);
  if (err)
    return err;

  size_t values = (size_t)n * (size_t)s->out;
  if (o->transposed) /* currents into ground */
    for (size_t k = 0; k < values; k++)
      current[k] = -current[k];
  s->method = mho_wire_method_name(stats.method);
  add_stats(&s->stats, &stats);
  return MHO_OK;
}

/* ---------------------------------------------------------------- files */

/* A table beside the currents; path NULL: not wanted. */
static out_file open_table(const char *path, const char *header, mho_err *err, mho_errinfo *ei) {
  out_file out = {.f = NULL};
  if (path && !*err)
    out = open_out(path, err, ei);
  if (out.f)
    fputs(header, out.f);
  return out;
}

/* Two values of each cell; f NULL: not wanted. */
static void write_cells(FILE *f, const solution *s, int vector, const double *a, const double *b) {
  if (!f)
    return;
  for (int i = 0; i < s->rows; i++)
    for (int j = 0; j < s->cols; j++) {
      size_t k = (size_t)i * (size_t)s->cols + (size_t)j;
      fprintf(f, "%d,%d,%d,%.17g,%.17g\n", vector, i, j, a[k], b[k]);
    }
}

static void write_currents(FILE *f, const solution *s) {
  for (int v = 0; v < s->n; v++)
    for (int k = 0; k < s->out; k++)
      fprintf(f, "%.17g%c", currents_of(s, v)[k], k + 1 < s->out ? ',' : '\n');
}

static json_t *currents_json(const solution *s) {
  json_t *all = json_array();
  for (int v = 0; v < s->n; v++) {
    json_t *line = json_array();
    for (int k = 0; k < s->out; k++)
      json_array_append_new(line, json_real(currents_of(s, v)[k]));
    json_array_append_new(all, line);
  }
  return all;
}

static void print_json(const options *o, const solution *s) {
  json_t *j = json_pack(
      "{ss si si si sf si so so so so}", "method", s->method, "rows", s->rows, "cols", s->cols,
      "vectors", s->n, "solve_s", s->solve_s, "iterations", s->stats.iterations, "residual",
      number_or_null(s->stats.residual), "error", number_or_null(s->stats.error), "power_in",
      number_or_null(s->stats.power_in), "power_lost", number_or_null(s->stats.power_lost));
  if (!o->common.out)
    json_object_set_new(j, "currents", currents_json(s));

  print_json_line(j, 17);
}

static mho_err plot(const options *o, const solution *s, mho_errinfo *ei) {
  char title[128];
  snprintf(title, sizeof title, "%d x %d, wire segments %.4g and %.4g ohm", s->rows, s->cols,
           o->r_word, o->r_bit);

  mho_heat h = {.title = title,
                .rows = s->rows,
                .cols = s->cols,
                .n = 4,
                .map = {{"word-line node, V", s->node_word},
                        {"bit-line node, V", s->node_bit},
                        {"device voltage, V", s->drop},
                        {"device current, A", s->device}}};
  return mho_heat_draw(&h, o->plot, ei);
}

/* ---------------------------------------------------------------- all vectors */

static bool allocate(const options *o, const mho_matrix *g, const mho_matrix *v, solution *s) {
  *s = (solution){.rows = g->rows, .cols = g->cols, .n = v->rows};
  s->in = o->transposed ? g->cols : g->rows;
  s->out = o->transposed ? g->rows : g->cols;
  s->current = mho_alloc((size_t)s->n * (size_t)s->out, sizeof(double));
  if (!o->nodes && !o->devices && !o->plot)
    return s->current;

  s->node_word = mho_alloc(cells_of(s), sizeof(double));
  s->node_bit = mho_alloc(cells_of(s), sizeof(double));
  s->drop = mho_alloc(cells_of(s), sizeof(double));
  s->device = mho_alloc(cells_of(s), sizeof(double));
  return s->current && s->node_word && s->node_bit && s->drop && s->device;
}

static void solution_free(solution *s) {
  mho_free(s->current);
  mho_free(s->node_word);
  mho_free(s->node_bit);
  mho_free(s->drop);
  mho_free(s->device);
}

/* The solver of the wires; none where ngspice solves. */
static mho_err open_solver(const options *o, environment *env, const mho_matrix *g, mho_wire **w,
                           mho_errinfo *ei) {
  *w = NULL;

  if (o->method == METHOD_NGSPICE)
    return MHO_OK;

  mho_err err = mho_wire_new(&(mho_wire_options){.rows = g->rows,
                                                 .cols = g->cols,
                                                 .r_word = o->r_word,
                                                 .r_bit = o->r_bit,
                                                 .word_end = word_end(o),
                                                 .bit_end = bit_end(o),
                                                 .method = (mho_wire_method)o->method,
                                                 .pool = env->ctx.pool,
                                                 .ctx = &env->ctx},
                             w, ei);
  if (!err)
    err = mho_wire_set(*w, g->v, ei);
  return err;
}

/* Vectors first .. first+n-1 into their currents, and of a single one the node voltages. */
static mho_err solve_vectors(const options *o, mho_wire *w, const mho_matrix *g,
                             const mho_matrix *v, int first, int n, solution *s, mho_errinfo *ei) {
  const double *in = v->v + (size_t)first * (size_t)s->in;
  double *current = currents_of(s, first), start = mho_seconds();
  mho_err err =
      w ? by_solver(o, w, in, n, s, current, ei) : by_ngspice(o, g->v, in, n, s, current, ei);
  s->solve_s += mho_seconds() - start;
  if (!err && s->node_word)
    mho_wire_devices(cells_of(s), g->v, s->node_word, s->node_bit, s->drop, s->device);
  return err;
}

/* All vectors at once; one after another when their nodes are wanted, which take the memory of an
 * array. */
static mho_err solve_all(const options *o, environment *env, const mho_matrix *g,
                         const mho_matrix *v, solution *s, mho_errinfo *ei) {
  mho_wire *w;
  double start = mho_seconds();

  mho_err err = open_solver(o, env, g, &w, ei);
  s->solve_s = mho_seconds() - start;
  out_file nodes = open_table(o->nodes, "vector,i,j,v_word,v_bit\n", &err, ei);
  out_file devices = open_table(o->devices, "vector,i,j,v,i_device\n", &err, ei);

  int step = s->node_word ? 1 : s->n;
  for (int first = 0; first < s->n; first += step) {
    if (!err)
      err = solve_vectors(o, w, g, v, first, step, s, ei);
    if (err)
      break;
    if (!s->node_word)
      continue;
    write_cells(nodes.f, s, first, s->node_word, s->node_bit);
    write_cells(devices.f, s, first, s->drop, s->device);
    if (o->plot && first == 0)
      err = plot(o, s, ei);
    if (mho_stopped(&env->ctx))
      err = mho_fail(ei, MHO_EINTERRUPTED, "interrupted after vector %d of %d", first + 1, s->n);
  }

  err = close_out(&nodes, err, ei);
  err = close_out(&devices, err, ei);

  mho_wire_free(w);
  return err;
}

/* ---------------------------------------------------------------- the array */

/* Rows and columns of a file are counted from 1. */
static mho_err bad_number(const char *file, const mho_matrix *m, size_t k, const char *what,
                          const char *unit, const char *cure, mho_errinfo *ei) {
  return mho_fail_at(ei, MHO_EDATA, file, 0, "the %s is %g%s at row %zu, column %zu: %s", what,
                     m->v[k], unit, k / (size_t)m->cols + 1, k % (size_t)m->cols + 1, cure);
}

static mho_err bad_cell(const options *o, const mho_matrix *m, size_t k, const char *what,
                        const char *unit, const char *cure, mho_errinfo *ei) {
  return bad_number(array_file(o), m, k, what, unit, cure, ei);
}

static size_t cells_in(const mho_matrix *m) {
  return (size_t)m->rows * (size_t)m->cols;
}

/* The same range for every method. */
static mho_err check_conductances(const options *o, const mho_matrix *g, mho_errinfo *ei) {
  for (size_t k = 0; k < cells_in(g); k++) {
    if (g->v[k] < 0)
      return bad_cell(o, g, k, "conductance", " S",
                      "expected 0 to 1 S; weights of either sign go into --w FILE", ei);
    if (g->v[k] > CONDUCTANCE_MAX)
      return bad_cell(o, g, k, "conductance", " S",
                      "expected 0 to 1 S; resistances go into --r FILE, in ohm", ei);
  }
  return MHO_OK;
}

static mho_err invert(const options *o, mho_matrix *r, mho_errinfo *ei) {
  for (size_t k = 0; k < cells_in(r); k++) {
    if (!(r->v[k] * CONDUCTANCE_MAX >= 1))
      return bad_cell(o, r, k, "resistance", " ohm",
                      "expected at least 1 ohm (1e30 for an open device)", ei);
    r->v[k] = 1 / r->v[k];
  }
  return MHO_OK;
}

/* Weights into two arrays: the differential pair G+ = g_min + max(w, 0)/w_max (g_max - g_min), G-
 * with -w. */
static mho_err split(const options *o, mho_matrix *w, mho_matrix *negative, mho_errinfo *ei) {
  static const double DEFAULT_MIN = 1e-6, DEFAULT_MAX = 100e-6; /* S, as of device.g_min, g_max */
  double low = o->g_min >= 0 ? o->g_min : DEFAULT_MIN;
  double high = o->g_max >= 0 ? o->g_max : DEFAULT_MAX, largest = 0;
  if (!(low < high))
    return mho_fail(ei, MHO_EINVAL, "--g-min is %g S, not below --g-max, %g S", low, high);

  for (size_t k = 0; k < cells_in(w); k++) {
    largest = fmax(largest, fabs(w->v[k]));
    if (o->w_max > 0 && fabs(w->v[k]) > o->w_max)
      return bad_cell(o, w, k, "weight", "", "beyond --w-max", ei);
  }
  double most = o->w_max > 0 ? o->w_max : fmax(largest, 1e-300);

  *negative = (mho_matrix){w->rows, w->cols, malloc(cells_in(w) * sizeof *w->v)};
  if (!negative->v)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d x %d conductances", w->rows, w->cols);

  for (size_t k = 0; k < cells_in(w); k++) {
    double share = w->v[k] / most;
    w->v[k] = low + fmax(share, 0) * (high - low);
    negative->v[k] = low + fmax(-share, 0) * (high - low);
  }
  return MHO_OK;
}

/* The conductances; negative->v is NULL where there is one array. */
static mho_err read_array(const options *o, mho_matrix *g, mho_matrix *negative, mho_errinfo *ei) {
  *negative = (mho_matrix){0};
  mho_err err = mho_matrix_read(array_file(o), g, ei);
  if (err)
    return err;

  if (o->g)
    return check_conductances(o, g, ei);
  return o->r ? invert(o, g, ei) : split(o, g, negative, ei);
}

/* ---------------------------------------------------------------- the verb */

/* The same range for every method: what is not 0 must not get lost in a product. */
static mho_err check_voltages(const options *o, const mho_matrix *v, mho_errinfo *ei) {
  static const double MOST = 1e9, LEAST = 1e-100;
  size_t cols = (size_t)v->cols;
  for (size_t first = 0; first < cells_in(v); first += cols) {
    size_t largest = first;
    for (size_t k = first; k < first + cols; k++)
      if (fabs(v->v[k]) > fabs(v->v[largest]))
        largest = k;

    double most = fabs(v->v[largest]);
    if (most > MOST || (most > 0 && most < LEAST))
      return bad_number(o->v, v, largest, "largest voltage of a vector", " V",
                        "expected 0, or 1e-100 to 1e9 V of either sign", ei);
  }
  return MHO_OK;
}

static mho_err check_inputs(const options *o, const mho_matrix *g, const mho_matrix *v,
                            mho_errinfo *ei) {
  int lines = o->transposed ? g->cols : g->rows;
  if (v->cols == lines)
    return check_voltages(o, v, ei);
  return mho_fail_at(ei, MHO_EDATA, o->v, 0,
                     "its lines have %d numbers, but the array in %s has %d %s lines", v->cols,
                     array_file(o), lines, o->transposed ? "bit" : "word");
}

static mho_err write_results(const options *o, const solution *s, mho_errinfo *ei) {
  mho_err err = MHO_OK;

  if (!o->common.json || o->common.out) {
    out_file out = open_out(o->common.out, &err, ei);
    if (out.f)
      write_currents(out.f, s);
    err = close_out(&out, err, ei);
  }
  if (!err && o->common.json) {
    print_json(o, s);
    err = close_out(&(out_file){.f = stdout}, err, ei);
  }
  return err;
}

/* The currents of a second array, less from those of the first. */
static mho_err subtract(const options *o, environment *env, const mho_matrix *g,
                        const mho_matrix *v, solution *s, mho_errinfo *ei) {
  size_t n = (size_t)s->n * (size_t)s->out;
  double *first = s->current, solve_s = s->solve_s;
  s->current = mho_alloc(n, sizeof *s->current);

  mho_err err = MHO_ENOMEM;
  if (s->current)
    err = solve_all(o, env, g, v, s, ei);
  else
    mho_fail(ei, err, "no memory for the results of %d vectors", v->rows);
  for (size_t k = 0; k < n; k++)
    if (!err)
      first[k] -= s->current[k];

  mho_free(s->current);
  s->current = first;
  s->solve_s += solve_s;
  return err;
}

static mho_err solve(const options *o, environment *env, mho_errinfo *ei) {
  mho_matrix g, negative, v = {0};
  solution s = {0};
  mho_err err = read_array(o, &g, &negative, ei);
  if (!err)
    err = mho_matrix_read(o->v, &v, ei);
  if (!err)
    err = check_inputs(o, &g, &v, ei);

  if (!err && !allocate(o, &g, &v, &s))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the results of %d vectors", v.rows);
  if (!err)
    err = solve_all(o, env, &g, &v, &s, ei);
  if (!err && negative.v)
    err = subtract(o, env, &negative, &v, &s, ei);
  /* an error at a cell that no circuit can have is one of the file */
  if (err == MHO_EINVAL && ei->row >= 0 && !*ei->file)
    snprintf(ei->file, sizeof ei->file, "%s", array_file(o));
  if (!err)
    err = write_results(o, &s, ei);

  mho_matrix_free(&g);
  mho_matrix_free(&negative);
  mho_matrix_free(&v);
  solution_free(&s);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.method = MHO_WIRE_AUTO, .g_min = -1, .g_max = -1};
  parse_options(&argp, argc, argv, &o);

  environment s;
  mho_errinfo ei = {0};
  mho_err err = environment_open(&s, o.common.threads, &ei);
  environment_keeps_nothing();
  if (!err)
    err = solve(&o, &s, &ei);

  environment_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_solve = {"solve", "currents and node voltages of one array with wire resistance",
                         &argp, run};
