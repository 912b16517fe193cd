/* cosim_network.c - a network settled by the core and by ngspice, and how far apart they are.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mho/num.h"
#include "mho/settle.h"
#include "mho/spice.h"


enum { CORE, OP, TRAN, NORTON, SOLVERS }; /* who settled */
enum { FREE, NUDGED, PHASES };

typedef struct bench {
  const mho_cosim_network_options *o;
  double **z[SOLVERS][PHASES]; /* [n_layers] of [samples x n]: activities, logits last */
  double *error[SOLVERS];      /* [samples x classes] p - y at the free state */
  double **signal; /* [n_layers] of [samples x n]: the core's z_free - z_nudged, up to a factor */
  double seconds[SOLVERS][PHASES];
  mho_cosim_result result;
  void *user;
} bench;

static int last_of(const bench *b) {
  return b->o->net->n_layers - 1;
}

static size_t size_of(const bench *b, int l) {
  return (size_t)b->o->samples * (size_t)b->o->net->layer[l].n;
}

/* ---------------------------------------------------------------- memory */

static double **new_layers(const bench *b) {
  double **z = mho_alloc((size_t)b->o->net->n_layers, sizeof *z);
  for (int l = 1; z && l <= last_of(b); l++)
    if (!(z[l] = mho_alloc(size_of(b, l), sizeof **z))) {
      for (int k = 1; k < l; k++)
        mho_free(z[k]);
      mho_free(z);
      return NULL;
    }
  return z;
}

static void free_layers(const bench *b, double **z) {
  for (int l = 1; z && l <= last_of(b); l++)
    mho_free(z[l]);
  mho_free(z);
}

static void bench_free(bench *b) {
  for (int s = 0; s < SOLVERS; s++) {
    for (int p = 0; p < PHASES; p++)
      free_layers(b, b->z[s][p]);
    mho_free(b->error[s]);
  }
  free_layers(b, b->signal);
}

static bool used(const bench *b, int solver) {
  return solver == TRAN ? b->o->transient : solver == NORTON ? b->o->both_inputs : true;
}

static mho_err bench_new(bench *b, mho_errinfo *ei) {
  bool ok = (b->signal = new_layers(b)) != NULL;
  for (int s = 0; s < SOLVERS && ok; s++) {
    for (int p = 0; p < PHASES && ok && used(b, s); p++)
      ok = (b->z[s][p] = new_layers(b)) != NULL;
    ok = ok && (b->error[s] = mho_alloc(size_of(b, last_of(b)), sizeof(double)));
  }
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
  for (int l = 1; c->e && l <= last_of(b); l++)
    mho_free(c->e[l]);
  mho_free(c->e);
  mho_free(c->error);
  mho_free(c->scratch);
}

static mho_err core_new(const bench *b, core_net *c, mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  mho_params table = mho_settler_reference()->entry.params;
  *c = (core_net){.e = mho_alloc((size_t)net->n_layers, sizeof *c->e)};
  mho_params_init(table, c->params);
  /* as far as rounding lets it: a state that goes on changing by a few units of the last place is unsettled */
  mho_err err = mho_param_parse(mho_params_find(table, "tolerance"),
                                sizeof(mho_real) == 8 ? "1e-14" : "3e-8", true, c->params, ei);
  bool ok = c->e && (c->error = mho_alloc(size_of(b, last_of(b)), sizeof *c->error)) &&
            (c->scratch = mho_alloc(mho_settle_scratch(net, b->o->samples), sizeof *c->scratch));
  for (int l = 1; l <= last_of(b) && ok; l++)
    ok = (c->e[l] = mho_alloc(size_of(b, l), sizeof **c->e)) != NULL;
  if (!ok)
    return mho_fail(ei, MHO_ENOMEM, "no memory to settle %d samples", b->o->samples);
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

/* Logits by themselves: the core's read-out keeps only probabilities. */
static void find_logits(const bench *b, double *const *z, double *logits) {
  const mho_network *net = b->o->net;
  const mho_layer *out = &net->layer[last_of(b)];
  memset(logits, 0, size_of(b, last_of(b)) * sizeof *logits);
  for (int i = 0; i < out->n_forward; i++) {
    const mho_link *k = &net->link[out->forward + i];
    const mho_crossbar *x = net->connection[k->connection].xb;
    for (int s = 0; s < b->o->samples; s++)
      for (int r = 0; r < x->rows; r++)
        for (int c = 0; c < x->cols; c++)
          logits[s * x->cols + c] += (double)k->scale * z[k->from][s * x->rows + r] *
                                     (double)mho_crossbar_matrix(x)[r * x->cols + c];
  }
}

static void settle_core(bench *b, core_net *c) {
  const mho_network *net = b->o->net;
  int n = b->o->samples, last = last_of(b);
  mho_settle_stats stats = {0};
  double loss = 0, start = mho_seconds();
  int64_t correct = 0;
  memcpy(c->state[FREE]->z[0], b->o->x, (size_t)n * (size_t)net->layer[0].n * sizeof(mho_real));
  mho_settle_job job = {.net = net,
                        .params = c->params,
                        .s = c->state[FREE],
                        .input = c->state[FREE],
                        .n = n,
                        .label = b->o->label,
                        .scratch = c->scratch};
  mho_settler_reference()->settle(&job, &stats);
  mho_read_out(&job, c->error, &loss, &correct, &stats);
  b->seconds[CORE][FREE] = mho_seconds() - start;
  take(b, c->state[FREE]->z, b->z[CORE][FREE]);
  find_logits(b, b->z[CORE][FREE], b->z[CORE][FREE][last]);
  for (size_t i = 0; i < size_of(b, last); i++)
    b->error[CORE][i] = (double)c->error[i];
  start = mho_seconds();
  mho_settle_job nudged = job;
  nudged.s = c->state[NUDGED];
  nudged.start = c->state[FREE];
  nudged.nudge = b->o->nudge;
  nudged.error = c->error;
  nudged.clock.phase = 1;
  mho_settler_reference()->settle(&nudged, &stats);
  b->seconds[CORE][NUDGED] = mho_seconds() - start;
  take(b, c->state[NUDGED]->z, b->z[CORE][NUDGED]);
  find_logits(b, b->z[CORE][NUDGED], b->z[CORE][NUDGED][last]);
  /* the learning signal without the cancellation of a subtraction in single precision */
  nudged.s = c->state[FREE];
  mho_settle_stats slow = {.contraction = 1};
  mho_settler_reference()->difference(&nudged, &slow, c->e, &stats);
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

mho_err mho_cosim_core(const mho_cosim_network_options *o, double *const *free,
                       double *const *nudged, double *error, mho_errinfo *ei) {
  bench b = {.o = o};
  mho_err err = mho_netlist_network_check(o->net, ei);
  if (err)
    return err;
  b.z[CORE][FREE] = (double **)free;
  b.z[CORE][NUDGED] = (double **)nudged;
  b.error[CORE] = error;
  b.signal = new_layers(&b);
  err = b.signal ? run_core(&b, ei)
                 : mho_fail(ei, MHO_ENOMEM, "no memory to settle %d samples", o->samples);
  free_layers(&b, b.signal);
  return err;
}

/* ---------------------------------------------------------------- ngspice */

static mho_err settle_sample(bench *b, mho_spice_network *c, int solver, int s, double *x,
                             mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  int features = net->layer[0].n, last = last_of(b), classes = net->layer[last].n;
  double *at[MHO_LAYERS_MAX] = {NULL}, *error = b->error[solver] + s * classes;
  for (int i = 0; i < features; i++)
    x[i] = (double)b->o->x[(size_t)s * (size_t)features + (size_t)i];
  for (int p = 0; p < PHASES; p++) {
    for (int l = 1; l <= last; l++)
      at[l] = b->z[solver][p][l] + s * net->layer[l].n;
    double start = mho_seconds();
    mho_err err = mho_spice_network_settle(c, x, p == NUDGED ? b->o->nudge : 0,
                                           p == NUDGED ? error : NULL, at, ei);
    if (err)
      return err;
    b->seconds[solver][p] += mho_seconds() - start;
    if (p == FREE)
      mho_output_error_double(classes, at[last], b->o->label[s], error);
  }
  return MHO_OK;
}

/* The time that sample s needs in .tran, from where .op found it at rest. */
static mho_err choose_stop(bench *b, mho_spice_network *c, int s, mho_errinfo *ei) {
  double *at[MHO_LAYERS_MAX] = {NULL}, stop;
  for (int l = 1; l <= last_of(b); l++)
    at[l] = b->z[OP][FREE][l] + s * b->o->net->layer[l].n;
  mho_err err = mho_netlist_settling_time(b->o->net, (const double *const *)at, 100e-9, &stop, ei);
  if (!err && !isfinite(stop))
    err =
        mho_fail(ei, MHO_ESPICE, "sample %d has no stable state of rest: lower feedback.scale", s);
  mho_spice_network_stop(c, stop);
  return err;
}

static mho_err run_spice(bench *b, mho_spice *spice, int solver, mho_errinfo *ei) {
  mho_spice_network_options o = {.net = b->o->net,
                                 .device = b->o->device,
                                 .inputs = solver == NORTON ? MHO_NETLIST_NORTON : MHO_NETLIST_FULL,
                                 .transient = solver == TRAN};
  mho_spice_network *c = NULL;
  double *x = mho_alloc((size_t)b->o->net->layer[0].n, sizeof *x);
  mho_err err = x ? mho_spice_network_new(spice, &o, &c, ei)
                  : mho_fail(ei, MHO_ENOMEM, "no memory for a sample");
  for (int s = 0; s < b->o->samples && !err; s++) {
    if (solver == TRAN)
      err = choose_stop(b, c, s, ei);
    if (!err)
      err = settle_sample(b, c, solver, s, x, ei);
  }
  mho_spice_network_free(c);
  mho_free(x);
  return err;
}

/* ---------------------------------------------------------------- results */

static const char *const phase_names[] = {"free", "nudged"};
static const char *const solver_names[] = {"core", ".op", ".tran", ".op, Norton inputs"};

/* Activities of all hidden layers (first .. end - 1), or the logits, of two solvers: one row. */
static mho_err compare_states(bench *b, int against, int solver, int phase, int first, int end,
                              mho_errinfo *ei) {
  size_t n = 0, at = 0;
  for (int l = first; l < end; l++)
    n += size_of(b, l);
  double *core = mho_alloc(n, sizeof *core), *spice = mho_alloc(n, sizeof *spice);
  if (!core || !spice) {
    mho_free(core);
    mho_free(spice);
    return mho_fail(ei, MHO_ENOMEM, "no memory to compare %zu values", n);
  }
  for (int l = first; l < end; l++) {
    memcpy(core + at, b->z[against][phase][l], size_of(b, l) * sizeof *core);
    memcpy(spice + at, b->z[solver][phase][l], size_of(b, l) * sizeof *spice);
    at += size_of(b, l);
  }
  char quantity[64], place[MHO_PLACE_MAX];
  bool logits = first == last_of(b);
  snprintf(quantity, sizeof quantity, "%s %s, %s%s%s", phase_names[phase],
           logits ? "logits" : "activities", solver_names[solver],
           against == CORE ? "" : " against ", against == CORE ? "" : solver_names[against]);
  mho_cosim_row row = {.what = "network",
                       .quantity = quantity,
                       .unit = "1",
                       .place = place,
                       .tolerance = against == OP         ? 1e-9
                                    : b->o->tolerance > 0 ? b->o->tolerance
                                                          : 1e-6,
                       .core_s = b->seconds[against][phase],
                       .spice_s = b->seconds[solver][phase]};
  int worst = mho_cosim_compare((int)n, core, spice, 1, &row), l = first;
  /* of the activity itself, whose scale is 1, and of a logit of its size */
  if (!logits || row.max_rel > row.max_abs)
    row.max_rel = row.max_abs;
  row.pass = row.max_rel <= row.tolerance;
  while ((size_t)worst >= size_of(b, l))
    worst -= (int)size_of(b, l++);
  int width = b->o->net->layer[l].n;
  snprintf(place, sizeof place, "sample %d %s[%d]", worst / width, b->o->net->layer[l].name,
           worst % width);
  b->result(b->user, &row, core, spice);
  mho_free(core);
  mho_free(spice);
  return MHO_OK;
}

/* out = z_from^T e_to over the samples, [rows x cols] */
static void weight_change(const bench *b, const mho_connection *k, const double *z, const double *e,
                          double *out) {
  mho_gemm_double(true, false, k->xb->rows, k->xb->cols, b->o->samples, 1, z, k->xb->rows, e,
                  k->xb->cols, 0, out, k->xb->cols);
}

static double cosine_of(size_t n, const double *a, const double *b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < n; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return aa == 0 && bb == 0 ? 1 : ab / sqrt(aa * bb);
}

/* Weight change of a connection from the states of a solver; its size relative to the core's is not compared,
 * because the core's signal comes divided by beta_f beta_i^h: both are scaled to length 1. */
static mho_err compare_change(bench *b, const mho_connection *k, double *x, double *e,
                              mho_errinfo *ei) {
  int last = last_of(b), l = k->to;
  size_t n = (size_t)k->xb->rows * (size_t)k->xb->cols;
  double *change[2] = {mho_alloc(n, sizeof(double)), mho_alloc(n, sizeof(double))},
         length[2] = {0, 0};
  if (!change[0] || !change[1]) {
    mho_free(change[0]);
    mho_free(change[1]);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the change of %zu weights", n);
  }
  for (int spice = 0; spice < 2; spice++) {
    int solver = spice ? OP : CORE;
    const double *error = l == last ? b->error[solver] : b->signal[l];
    if (spice && l < last) {
      for (size_t i = 0; i < size_of(b, l); i++)
        e[i] = b->z[OP][FREE][l][i] - b->z[OP][NUDGED][l][i];
      error = e;
    }
    weight_change(b, k, k->from ? b->z[solver][FREE][k->from] : x, error, change[spice]);
    for (size_t i = 0; i < n; i++)
      length[spice] += change[spice][i] * change[spice][i];
    for (size_t i = 0; i < n && length[spice] > 0; i++)
      change[spice][i] /= sqrt(length[spice]);
  }
  char quantity[80], place[MHO_PLACE_MAX];
  snprintf(quantity, sizeof quantity, "EP weight change %s (1 - cosine)", k->name);
  mho_cosim_row row = {.what = "network",
                       .quantity = quantity,
                       .unit = "1",
                       .place = place,
                       .tolerance = 1 - (b->o->cosine > 0 ? b->o->cosine : 0.999),
                       .core_s = NAN,
                       .spice_s = NAN};
  int worst = mho_cosim_compare((int)n, change[0], change[1], 1, &row);
  row.max_rel = fmax(1 - cosine_of(n, change[0], change[1]), 0);
  row.pass = row.max_rel <= row.tolerance;
  snprintf(place, sizeof place, "%s[%d][%d]", k->name, worst / k->xb->cols, worst % k->xb->cols);
  b->result(b->user, &row, change[0], change[1]);
  mho_free(change[0]);
  mho_free(change[1]);
  return MHO_OK;
}

static mho_err compare_changes(bench *b, mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  size_t most = 0, inputs = size_of(b, 0);
  for (int l = 1; l <= last_of(b); l++)
    most = size_of(b, l) > most ? size_of(b, l) : most;
  double *x = mho_alloc(inputs, sizeof *x), *e = mho_alloc(most, sizeof *e);
  mho_err err =
      x && e ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for the change of the weights");
  for (size_t i = 0; i < inputs && !err; i++)
    x[i] = (double)b->o->x[i];
  for (int c = 0; c < net->n_trained && !err; c++)
    if (net->connection[c].to == last_of(b) || net->layer[net->connection[c].to].distance >= 0)
      err = compare_change(b, &net->connection[c], x, e, ei);
  mho_free(x);
  mho_free(e);
  return err;
}

mho_err mho_cosim_network(mho_spice *s, const mho_cosim_network_options *o, mho_cosim_result result,
                          void *user, mho_errinfo *ei) {
  if (o->samples < 1 || o->samples > MHO_CHUNK_MAX)
    return mho_fail(ei, MHO_EINVAL, "%d samples to compare: 1 to %d", o->samples, MHO_CHUNK_MAX);
  bench b = {.o = o, .result = result, .user = user};
  mho_err err = mho_netlist_network_check(o->net, ei);
  if (!err)
    err = bench_new(&b, ei);
  if (!err)
    err = run_core(&b, ei);
  for (int solver = OP; solver < SOLVERS && !err; solver++) {
    if (!used(&b, solver))
      continue;
    err = run_spice(&b, s, solver, ei);
    for (int phase = 0; phase < PHASES && !err; phase++)
      err = compare_states(&b, CORE, solver, phase, 1, last_of(&b), ei);
    if (!err)
      err = compare_states(&b, CORE, solver, FREE, last_of(&b), last_of(&b) + 1, ei);
    for (int phase = 0; phase < PHASES && !err && solver == TRAN; phase++)
      err = compare_states(&b, OP, TRAN, phase, 1, last_of(&b), ei);
  }
  if (!err)
    err = compare_changes(&b, ei);
  bench_free(&b);
  return err;
}
