/* cmd_solve.c - mho solve: one array with wire resistance, from CSV to CSV.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "mho/num.h"
#include "mho/report.h"
#include "mho/spice.h"
#include "mho/wire.h"

enum { METHOD_NGSPICE = MHO_WIRE_LADDER + 1 }; /* beside those of mho_wire_method */

typedef struct options {
  common_options common;
  const char *g, *v, *nodes, *devices, *plot;
  double r_word, r_bit;
  int method;
  bool transposed;
} options;

enum {
  KEY_G = OPTION_VERB,
  KEY_V,
  KEY_R_WORD,
  KEY_R_BIT,
  KEY_METHOD,
  KEY_TRANSPOSED,
  KEY_NODES,
  KEY_DEVICES,
  KEY_PLOT
};
static const struct argp_option option_table[] = {
    {"g", KEY_G, "FILE", 0,
     "conductances in siemens, a line for each word line (- is standard input)", 0},
    {"v", KEY_V, "FILE", 0,
     "input voltages, a line of as many numbers as word lines for each vector", 0},
    {"r-word", KEY_R_WORD, "OHM", 0,
     "resistance of a segment of the word lines (\"2.5\", \"10 mohm\"; default 0)", 0},
    {"r-bit", KEY_R_BIT, "OHM", 0, "the same of the bit lines", 0},
    {"method", KEY_METHOD, "NAME", 0,
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

static double ohm(struct argp_state *state, const char *name, const char *text) {
  double r;
  mho_errinfo ei;
  if (mho_quantity_parse(text, "ohm", true, &r, &ei))
    argp_error(state, "--%s: %s", name, ei.message);
  if (!(r >= 0 && r <= 1e12))
    argp_error(state, "--%s: '%s' is out of range: expected 0 to 1e12 ohm", name, text);
  return r;
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

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case KEY_G:
    o->g = arg;
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
    if (!o->g || !o->v)
      argp_error(state, "give the conductances with --g FILE and the inputs with --v FILE");
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
static FILE *open_table(const char *path, const char *header, mho_err *err, mho_errinfo *ei) {
  FILE *f = path ? open_out(path, err, ei) : NULL;
  if (f)
    fputs(header, f);
  return f;
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
                                                 .method = (mho_wire_method)o->method,
                                                 .pool = env->ctx.pool},
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
  FILE *nodes = err ? NULL : open_table(o->nodes, "vector,i,j,v_word,v_bit\n", &err, ei);
  FILE *devices = err ? NULL : open_table(o->devices, "vector,i,j,v,i_device\n", &err, ei);

  int step = s->node_word ? 1 : s->n;
  for (int first = 0; first < s->n; first += step) {
    if (!err)
      err = solve_vectors(o, w, g, v, first, step, s, ei);
    if (err)
      break;
    if (!s->node_word)
      continue;
    write_cells(nodes, s, first, s->node_word, s->node_bit);
    write_cells(devices, s, first, s->drop, s->device);
    if (o->plot && first == 0)
      err = plot(o, s, ei);
    if (mho_stopped(&env->ctx))
      err = mho_fail(ei, MHO_EINTERRUPTED, "interrupted after vector %d of %d", first + 1, s->n);
  }

  err = close_out(nodes, o->nodes, err, ei);
  err = close_out(devices, o->devices, err, ei);

  mho_wire_free(w);
  return err;
}

/* ---------------------------------------------------------------- the verb */

/* The same range for every method. */
static mho_err check_conductances(const options *o, const mho_matrix *g, mho_errinfo *ei) {
  static const double G_MAX = 1; /* S, as of device.g_max */

  for (int i = 0; i < g->rows; i++)
    for (int j = 0; j < g->cols; j++) {
      double v = g->v[(size_t)i * (size_t)g->cols + (size_t)j];
      if (v >= 0 && v <= G_MAX)
        continue;
      const char *question =
          v > G_MAX ? ": are these resistances? Give their inverses, in siemens" : "";
      return mho_fail_at(ei, MHO_EDATA, o->g, 0,
                         "the conductance is %g S at row %d, column %d: expected 0 to %g S%s", v, i,
                         j, G_MAX, question);
    }
  return MHO_OK;
}

static mho_err check_inputs(const options *o, const mho_matrix *g, const mho_matrix *v,
                            mho_errinfo *ei) {
  int lines = o->transposed ? g->cols : g->rows;
  if (v->cols == lines)
    return MHO_OK;
  return mho_fail_at(ei, MHO_EDATA, o->v, 0,
                     "its lines have %d numbers, but the array in %s has %d %s lines", v->cols,
                     o->g, lines, o->transposed ? "bit" : "word");
}

static mho_err write_results(const options *o, const solution *s, mho_errinfo *ei) {
  mho_err err = MHO_OK;

  if (!o->common.json || o->common.out) {
    FILE *out = open_out(o->common.out, &err, ei);
    if (out)
      write_currents(out, s);
    err = close_out(out, o->common.out, err, ei);
  }
  if (!err && o->common.json) {
    print_json(o, s);
    err = close_out(stdout, NULL, err, ei);
  }
  return err;
}

static mho_err solve(const options *o, environment *env, mho_errinfo *ei) {
  mho_matrix g, v = {0};
  solution s = {0};
  mho_err err = mho_matrix_read(o->g, &g, ei);
  if (!err)
    err = check_conductances(o, &g, ei);
  if (!err)
    err = mho_matrix_read(o->v, &v, ei);
  if (!err)
    err = check_inputs(o, &g, &v, ei);

  if (!err && !allocate(o, &g, &v, &s))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the results of %d vectors", v.rows);
  if (!err)
    err = solve_all(o, env, &g, &v, &s, ei);
  /* an error at a cell that no circuit can have is one of the file */
  if (err == MHO_EINVAL && ei->row >= 0 && !*ei->file)
    snprintf(ei->file, sizeof ei->file, "%s", o->g);
  if (!err)
    err = write_results(o, &s, ei);

  mho_matrix_free(&g);
  mho_matrix_free(&v);
  solution_free(&s);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.method = MHO_WIRE_AUTO};
  argp_parse(&argp, argc, argv, 0, NULL, &o);

  environment s;
  mho_errinfo ei = {0};
  mho_err err = environment_open(&s, o.common.threads, &ei);
  if (!err)
    err = solve(&o, &s, &ei);

  environment_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_solve = {"solve", "currents and node voltages of one array with wire resistance",
                         run};
