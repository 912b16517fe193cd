/* cosim_network.c - a network settled by the core and by ngspice, and how far apart they are.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mho/model/circuit.h"
#include "mho/model/num.h"
#include "mho/model/settle.h"
#include "mho/spice.h"
#include "spice/cosim_layers.h"
#include "spice/netlist_crossbar.h"

enum { CORE, OP, TRAN, NORTON, SOLVERS }; /* who settled */
enum { FREE, NUDGED, PHASES };

typedef struct bench {
  const mho_cosim_network_options *o;
  double **z[SOLVERS][PHASES]; /* [n_layers] of [samples x n]: activities, logits last */
  double *error[SOLVERS];      /* [samples x classes] o - t at the free state */

  /* [n_layers] of [samples x n]: the core's z_free - z_nudged, up to a factor */
  double **signal;

  double seconds[SOLVERS][PHASES];
  mho_cosim_result result;
  void *user;
} bench;

static int last_of(const bench *b) {
  return mho_network_output(b->o->net);
}

/* Values of a layer over all samples. */
static size_t size_of(const bench *b, int l) {
  return (size_t)b->o->samples * (size_t)b->o->net->layer[l].n;
}

/* ---------------------------------------------------------------- memory */

static void bench_free(bench *b) {
  for (int s = 0; s < SOLVERS; s++) {
    for (int p = 0; p < PHASES; p++)
      mho__cosim_layers_free(b->o->net, b->z[s][p]);
    mho_free(b->error[s]);
  }
  mho__cosim_layers_free(b->o->net, b->signal);
}

static bool is_used(const bench *b, int solver) {
  if (solver == TRAN)
    return b->o->transient;
  return solver != NORTON || b->o->both_inputs;
}

static bool solver_new(bench *b, int solver) {
  b->error[solver] = mho_alloc(size_of(b, last_of(b)), sizeof(double));
  if (!b->error[solver])
    return false;
  if (!is_used(b, solver))
    return true;

  for (int p = 0; p < PHASES; p++) {
    b->z[solver][p] = mho__cosim_layers_new(b->o->net, b->o->samples);
    if (!b->z[solver][p])
      return false;
  }
  return true;
}

static mho_err bench_new(bench *b, mho_errinfo *ei) {
  b->signal = mho__cosim_layers_new(b->o->net, b->o->samples);
  bool ok = b->signal != NULL;
  for (int s = 0; s < SOLVERS; s++)
    ok = ok && solver_new(b, s);
  return ok ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory to compare %d samples", b->o->samples);
}

/* ---------------------------------------------------------------- the core */

typedef struct core_net {
  mho_state *state[PHASES];
  mho_real **e; /* [n_layers] of [samples x n]: what the difference dynamics settles */
  mho_real *error, *scratch;
  _Alignas(16) unsigned char params[1536];
} core_net;

static void core_free(const bench *b, core_net *c) {
  for (int p = 0; p < PHASES; p++)
    mho_state_free(c->state[p]);
  if (c->e)
    for (int l = 1; l <= last_of(b); l++)
      mho_free(c->e[l]);
  mho_free(c->e);
  mho_free(c->error);
  mho_free(c->scratch);
}

static bool core_arrays(const bench *b, core_net *c) {
  const mho_network *net = b->o->net;
  c->e = mho_alloc((size_t)net->n_layers, sizeof *c->e);
  c->error = mho_alloc(size_of(b, last_of(b)), sizeof *c->error);
  c->scratch = mho_alloc(mho_settle_scratch(net, b->o->samples), sizeof *c->scratch);
  if (!c->e || !c->error || !c->scratch)
    return false;

  for (int l = 1; l <= last_of(b); l++) {
    c->e[l] = mho_alloc(size_of(b, l), sizeof **c->e);
    if (!c->e[l])
      return false;
  }
  return true;
}

static mho_err core_new(const bench *b, core_net *c, mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  mho_params table = b->o->settler->entry.params;
  *c = (core_net){0};

  if (!core_arrays(b, c))
    return mho_fail(ei, MHO_ENOMEM, "no memory to settle %d samples", b->o->samples);

  /* As far as rounding lets it: a state that goes on changing by a few units of the last place is
   * unsettled. What a small nudge changes in its first sweep does not say how much is to come, so
   * that all the sweeps are made that there may be. */
  const char *tolerance = sizeof(mho_real) == 8 ? "1e-14" : "3e-8";
  mho_params_init(table, c->params);
  mho_err err =
      mho_param_parse(mho_params_find(table, "tolerance"), tolerance, true, c->params, ei);
  if (!err)
    err = mho_param_parse(mho_params_find(table, "nudged"), "100", true, c->params, ei);
  if (!err)
    err = mho_state_new(net, b->o->samples, MHO_STATE_INPUT | MHO_STATE_KEEP, &c->state[FREE], ei);
  if (!err)
    err = mho_state_new(net, b->o->samples, 0, &c->state[NUDGED], ei);
  return err;
}

static void take(const bench *b, mho_real *const *from, double *const *to) {
  for (int l = 1; l < last_of(b); l++)
    for (size_t i = 0; i < size_of(b, l); i++)
      to[l][i] = (double)from[l][i];
}

/* logits [samples x classes] += what a link brings */
static void add_logits(const bench *b, const mho_link *k, const double *z, double *logits) {
  const mho_crossbar *x = b->o->net->connection[k->connection].xb;
  const mho_real *w = mho_crossbar_matrix(x);

  for (int s = 0; s < b->o->samples; s++)
    for (int r = 0; r < x->rows; r++)
      for (int c = 0; c < x->cols; c++)
        logits[s * x->cols + c] +=
            (double)k->scale * z[s * x->rows + r] * (double)w[r * x->cols + c];
}

/* The core's read-out keeps only probabilities, so its logits are computed from the states z, in
 * double. */
static void find_logits(const bench *b, double *const *z) {
  const mho_network *net = b->o->net;
  const mho_layer *out = &net->layer[last_of(b)];
  double *logits = z[last_of(b)];
  memset(logits, 0, size_of(b, last_of(b)) * sizeof *logits);

  for (int i = 0; i < out->n_forward; i++) {
    const mho_link *k = &net->link[out->forward + i];
    add_logits(b, k, z[k->from], logits);
  }
}

static void settle_free(bench *b, core_net *c, const mho_phase *p) {
  int last = last_of(b);
  mho_settle_stats stats = {0};
  double loss = 0, start = mho_seconds();
  int64_t correct = 0;

  mho_settle(p, &stats);
  mho_read_out(p, c->error, &loss, &correct, &stats);
  b->seconds[CORE][FREE] = mho_seconds() - start;

  take(b, c->state[FREE]->z, b->z[CORE][FREE]);
  find_logits(b, b->z[CORE][FREE]);
  for (size_t i = 0; i < size_of(b, last); i++)
    b->error[CORE][i] = (double)c->error[i];
}

static void settle_nudged(bench *b, core_net *c, const mho_phase *p) {
  mho_settle_stats stats = {0};
  double start = mho_seconds();
  mho_settle(p, &stats);
  b->seconds[CORE][NUDGED] = mho_seconds() - start;

  take(b, c->state[NUDGED]->z, b->z[CORE][NUDGED]);
  find_logits(b, b->z[CORE][NUDGED]);
}

static void settle_core(bench *b, core_net *c) {
  const mho_network *net = b->o->net;
  int n = b->o->samples;

  memcpy(c->state[FREE]->z[0], b->o->x, size_of(b, 0) * sizeof(mho_real));
  mho_thread thread = {.settler = b->o->settler, .params = c->params, .scratch = c->scratch};
  mho_phase p = {.net = net,
                 .dyn = b->o->dynamics,
                 .s = c->state[FREE],
                 .n = n,
                 .drive = {.targets = b->o->targets},
                 .thread = &thread};
  settle_free(b, c, &p);

  p.s = c->state[NUDGED];
  p.start = c->state[FREE];
  p.number = 1;
  p.drive = (mho_drive){.kind = MHO_DRIVE_HELD,
                        .strength = b->o->nudge,
                        .error = c->error,
                        .targets = b->o->targets,
                        .free = c->state[FREE]};
  settle_nudged(b, c, &p);

  /* the learning signal without the cancellation of a subtraction in single precision */
  mho_settle_stats stats = {0}, slow = {.contraction = 1};
  p.s = c->state[FREE];
  p.drive.free = NULL;
  mho_settle_difference(&p, &slow, c->e, &stats);
  take(b, c->e, b->signal);
}

static mho_err run_core(bench *b, mho_errinfo *ei) {
  core_net c;
  mho_err err = core_new(b, &c, ei);
  if (!err)
    settle_core(b, &c);
  core_free(b, &c);
  return err;
}

static mho_err check(const mho_cosim_network_options *o, mho_errinfo *ei) {
  if (!o->dynamics->is_circuit)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "dynamics.name: the neurons of '%s' have no netlist as a whole network: take "
                    "one of its crossbars, for example %s",
                    o->dynamics->entry.id, o->net->connection->name);
  return mho_netlist_network_check(o->net, ei);
}

mho_err mho_cosim_core(const mho_cosim_network_options *o, double *const *free,
                       double *const *nudged, double *error, mho_errinfo *ei) {
  bench b = {.o = o};
  mho_err err = check(o, ei);
  if (err)
    return err;

  b.z[CORE][FREE] = (double **)free;
  b.z[CORE][NUDGED] = (double **)nudged;
  b.error[CORE] = error;
  b.signal = mho__cosim_layers_new(b.o->net, b.o->samples);
  err = b.signal ? run_core(&b, ei)
                 : mho_fail(ei, MHO_ENOMEM, "no memory to settle %d samples", o->samples);
  mho__cosim_layers_free(b.o->net, b.signal);
  return err;
}

/* ---------------------------------------------------------------- ngspice */

/* Where the states of one sample lie, [n_layers] of [n]. */
static void point_at_sample(const bench *b, double *const *z, int s, double **at) {
  for (int l = 1; l <= last_of(b); l++)
    at[l] = z[l] + s * b->o->net->layer[l].n;
}

/* Settle both phases of a sample; x: room for its inputs. */
static mho_err settle_sample(bench *b, mho_spice_network *c, int solver, int s, double *x,
                             mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  int features = net->layer[0].n, last = last_of(b), classes = net->layer[last].n;
  double *at[MHO_LAYERS_MAX] = {NULL}, *error = b->error[solver] + s * classes;

  for (int i = 0; i < features; i++)
    x[i] = (double)b->o->x[(size_t)s * (size_t)features + (size_t)i];

  for (int p = 0; p < PHASES; p++) {
    point_at_sample(b, b->z[solver][p], s, at);
    double nudge = p == NUDGED ? b->o->nudge : 0, start = mho_seconds();
    mho_err err = mho_spice_network_settle(c, x, nudge, p == NUDGED ? error : NULL, at, ei);
    if (err)
      return err;
    b->seconds[solver][p] += mho_seconds() - start;
    if (p == FREE)
      mho_output_error_double(net->output, classes, at[last], &b->o->targets, s, error);
  }
  return MHO_OK;
}

/* Set the time that .tran needs for sample s, by the slopes at the states that .op found. */
static mho_err choose_stop(bench *b, mho_spice_network *c, int s, mho_errinfo *ei) {
  double *at[MHO_LAYERS_MAX] = {NULL}, stop;
  point_at_sample(b, b->z[OP][FREE], s, at);

  mho_err err =
      mho_netlist_settling_time(b->o->net, (const double *const *)at, MHO_NETLIST_TAU, &stop, ei);
  if (err)
    return err;

  mho_spice_network_stop(c, stop);
  if (!isfinite(stop))
    err =
        mho_fail(ei, MHO_ESPICE, "sample %d has no stable state of rest: lower feedback.scale", s);
  return err;
}

static mho_err settle_samples(bench *b, mho_spice_network *c, int solver, mho_errinfo *ei) {
  double *x = mho_alloc((size_t)b->o->net->layer[0].n, sizeof *x);
  if (!x)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a sample");

  mho_err err = MHO_OK;
  for (int s = 0; s < b->o->samples; s++) {
    if (solver == TRAN)
      err = choose_stop(b, c, s, ei);
    if (!err)
      err = settle_sample(b, c, solver, s, x, ei);
    if (err)
      break;
  }
  mho_free(x);
  return err;
}

static mho_err run_spice(bench *b, mho_spice *spice, int solver, mho_errinfo *ei) {
  mho_spice_network_options o = {.net = b->o->net,
                                 .device = b->o->device,
                                 .inputs = solver == NORTON ? MHO_NETLIST_NORTON : MHO_NETLIST_FULL,
                                 .transient = solver == TRAN};
  mho_spice_network *c = NULL;
  mho_err err = mho_spice_network_new(spice, &o, &c, ei);
  if (!err)
    err = settle_samples(b, c, solver, ei);
  mho_spice_network_free(c);
  return err;
}

/* ---------------------------------------------------------------- states */

static const char *const phase_names[] = {"free", "nudged"};
static const char *const solver_names[] = {"core", ".op", ".tran", ".op, Norton inputs"};

/* A range of layers, its values one layer after another. */
typedef struct layers {
  int first, end; /* first .. end - 1 */
  size_t n;
} layers;

static void copy_layers(const bench *b, const layers *span, double *const *z, double *out) {
  for (int l = span->first; l < span->end; l++) {
    memcpy(out, z[l], size_of(b, l) * sizeof *out);
    out += size_of(b, l);
  }
}

/* "sample 3 h1[2]": value number `at` of the layers. */
static void name_place(const bench *b, const layers *span, size_t at, char place[MHO_PLACE_MAX]) {
  int l = span->first;
  while (at >= size_of(b, l)) {
    at -= size_of(b, l);
    l++;
  }

  const mho_layer *layer = &b->o->net->layer[l];
  snprintf(place, MHO_PLACE_MAX, "sample %d %s[%d]", (int)at / layer->n, layer->name,
           (int)at % layer->n);
}

static double tolerance_of(const bench *b, int against) {
  if (against == OP)
    return 1e-9;
  return b->o->tolerance > 0 ? b->o->tolerance : 1e-6;
}

static void report_states(bench *b, int against, int solver, int phase, const layers *span,
                          const double *expected, const double *found) {
  char quantity[64], place[MHO_PLACE_MAX];
  bool logits = span->first == last_of(b);

  snprintf(quantity, sizeof quantity, "%s %s, %s", phase_names[phase],
           logits ? "logits" : "activities", solver_names[solver]);
  if (against != CORE)
    mho_text_append(quantity, sizeof quantity, " against %s", solver_names[against]);
  mho_cosim_row row = {.what = "network",
                       .quantity = quantity,
                       .unit = "1",
                       .place = place,
                       .tolerance = tolerance_of(b, against),
                       .core_s = b->seconds[against][phase],
                       .spice_s = b->seconds[solver][phase]};

  int worst = mho_cosim_compare((int)span->n, expected, found, 1, &row);

  /* of the activity itself, whose scale is 1, and of a logit of its size */
  if (!logits || row.max_rel > row.max_abs)
    row.max_rel = row.max_abs;
  row.pass = row.max_rel <= row.tolerance;
  name_place(b, span, (size_t)worst, place);
  b->result(b->user, &row, expected, found);
}

/* Compare the activities of hidden layers (first .. end - 1), or the logits, of two solvers. */
static mho_err compare_states(bench *b, int against, int solver, int phase, int first, int end,
                              mho_errinfo *ei) {
  layers span = {.first = first, .end = end};
  for (int l = first; l < end; l++)
    span.n += size_of(b, l);

  double *expected = mho_alloc(span.n, sizeof *expected);
  double *found = mho_alloc(span.n, sizeof *found);
  bool ok = expected && found;

  if (ok) {
    copy_layers(b, &span, b->z[against][phase], expected);
    copy_layers(b, &span, b->z[solver][phase], found);
    report_states(b, against, solver, phase, &span, expected, found);
  }

  mho_free(expected);
  mho_free(found);
  return ok ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory to compare %zu values", span.n);
}

/* ---------------------------------------------------------------- changes of weights */

static double cosine_of(size_t n, const double *a, const double *b) {
  double ab = 0, aa = 0, bb = 0;

  for (size_t i = 0; i < n; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }

  return aa == 0 && bb == 0 ? 1 : ab / sqrt(aa * bb);
}

/* The error of layer l as a solver has it, [samples x n]; e: room for it. */
static const double *error_of(const bench *b, int solver, int l, double *e) {
  if (l == last_of(b))
    return b->error[solver];
  if (solver == CORE)
    return b->signal[l];
  for (size_t i = 0; i < size_of(b, l); i++)
    e[i] = b->z[solver][FREE][l][i] - b->z[solver][NUDGED][l][i];
  return e;
}

/* out = z_from^T e_to over the samples, [rows x cols], scaled to length 1: the core's signal comes
 * divided by beta_f beta_i^h, so that sizes are not compared. x: the inputs in double; e: room for
 * the error. */
static void weight_change(const bench *b, const mho_connection *k, int solver, const double *x,
                          double *e, double *out) {
  int rows = k->xb->rows, cols = k->xb->cols;
  size_t n = mho_crossbar_cells(k->xb);
  const double *z = k->from ? b->z[solver][FREE][k->from] : x;
  const double *error = error_of(b, solver, k->to, e);

  mho_gemm_double(true, false, rows, cols, b->o->samples, 1, z, rows, error, cols, 0, out, cols);

  double length = 0;
  for (size_t i = 0; i < n; i++)
    length += out[i] * out[i];
  if (length > 0)
    for (size_t i = 0; i < n; i++)
      out[i] /= sqrt(length);
}

static void report_change(bench *b, const mho_connection *k, const double *core,
                          const double *spice) {
  char quantity[80], place[MHO_PLACE_MAX];
  int n = k->xb->rows * k->xb->cols;

  snprintf(quantity, sizeof quantity, "EP weight change %s (1 - cosine)", k->name);
  mho_cosim_row row = {.what = "network",
                       .quantity = quantity,
                       .unit = "1",
                       .place = place,
                       .tolerance = 1 - (b->o->cosine > 0 ? b->o->cosine : 0.999),
                       .core_s = NAN,
                       .spice_s = NAN};

  int worst = mho_cosim_compare(n, core, spice, 1, &row);
  row.max_rel = fmax(1 - cosine_of((size_t)n, core, spice), 0);
  row.pass = row.max_rel <= row.tolerance;
  snprintf(place, sizeof place, "%s[%d][%d]", k->name, worst / k->xb->cols, worst % k->xb->cols);
  b->result(b->user, &row, core, spice);
}

static mho_err compare_change(bench *b, const mho_connection *k, const double *x, double *e,
                              mho_errinfo *ei) {
  size_t n = mho_crossbar_cells(k->xb);
  double *core = mho_alloc(n, sizeof *core), *spice = mho_alloc(n, sizeof *spice);
  bool ok = core && spice;

  if (ok) {
    weight_change(b, k, CORE, x, e, core);
    weight_change(b, k, OP, x, e, spice);
    report_change(b, k, core, spice);
  }

  mho_free(core);
  mho_free(spice);
  return ok ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for the change of %zu weights", n);
}

/* Compare the changes of all trained connections that an error reaches; x, e: room for inputs and
 * for an error. */
static mho_err compare_reached(bench *b, double *x, double *e, mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  for (size_t i = 0; i < size_of(b, 0); i++)
    x[i] = (double)b->o->x[i];

  for (int c = 0; c < net->n_trained; c++) {
    const mho_connection *k = &net->connection[c];
    if (k->to != last_of(b) && net->layer[k->to].distance < 0)
      continue;

    mho_err err = compare_change(b, k, x, e, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

static mho_err compare_changes(bench *b, mho_errinfo *ei) {
  size_t most = 0;
  for (int l = 1; l <= last_of(b); l++)
    if (size_of(b, l) > most)
      most = size_of(b, l);
  double *x = mho_alloc(size_of(b, 0), sizeof *x), *e = mho_alloc(most, sizeof *e);

  mho_err err;
  if (x && e)
    err = compare_reached(b, x, e, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the change of the weights");

  mho_free(x);
  mho_free(e);
  return err;
}

/* ---------------------------------------------------------------- all of it */

/* Compare the activities of hidden layers in both phases. */
static mho_err compare_phases(bench *b, int against, int solver, mho_errinfo *ei) {
  for (int phase = 0; phase < PHASES; phase++) {
    mho_err err = compare_states(b, against, solver, phase, 1, last_of(b), ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* Settle in ngspice in one way, and compare the states with the core's, and those of .tran with
 * those of .op. */
static mho_err compare_solver(bench *b, mho_spice *s, int solver, mho_errinfo *ei) {
  int last = last_of(b);
  mho_err err = run_spice(b, s, solver, ei);
  if (!err)
    err = compare_phases(b, CORE, solver, ei);
  if (!err)
    err = compare_states(b, CORE, solver, FREE, last, last + 1, ei);
  if (!err && solver == TRAN)
    err = compare_phases(b, OP, TRAN, ei);
  return err;
}

mho_err mho_cosim_network(mho_spice *s, const mho_cosim_network_options *o, mho_cosim_result result,
                          void *user, mho_errinfo *ei) {
  bench b = {.o = o, .result = result, .user = user};

  if (o->samples < 1 || o->samples > MHO_CHUNK_MAX)
    return mho_fail(ei, MHO_EINVAL, "%d samples to compare: 1 to %d", o->samples, MHO_CHUNK_MAX);
  mho_err err = check(o, ei);
  if (err)
    return err;

  err = bench_new(&b, ei);
  if (!err)
    err = run_core(&b, ei);

  for (int solver = OP; solver < SOLVERS; solver++) {
    if (!err && is_used(&b, solver))
      err = compare_solver(&b, s, solver, ei);
  }
  if (!err)
    err = compare_changes(&b, ei);
  bench_free(&b);
  return err;
}
