/* cmd_cosim.c - mho cosim: a trained circuit in ngspice, against the core.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "mho/spice.h"
#include "mho/train.h"

typedef struct options {
  common_options common;
  const char *layer;
  long samples;
} options;

enum { KEY_WHAT = OPTION_VERB, KEY_LAYER, KEY_SAMPLES };
static const struct argp_option option_table[] = {
    OPT_DB,
    {"what", KEY_WHAT, "WHAT", 0, "crossbar (default): one read of a crossbar, both directions", 0},
    {"layer", KEY_LAYER, "NAME", 0,
     "the connection, as 'mho show' names it (default: the one into the read-out)", 0},
    {"samples", KEY_SAMPLES, "N", 0, "random input vectors each way (default 4)", 0},
    OPT_JSON,
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case KEY_WHAT:
    if (strcmp(arg, "crossbar"))
      argp_error(state, "--what: '%s' is not crossbar", arg);
    return 0;
  case KEY_LAYER:
    o->layer = arg;
    return 0;
  case KEY_SAMPLES:
    o->samples = option_number(state, "samples", arg, 1, 1000);
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {option_table,
                                 parse,
                                 "RUN",
                                 "Build a trained circuit as a netlist, run it in ngspice, and compare with "
                                 "the core; the result is stored.\v"
                                 "Example:\n  mho cosim last --layer h2-out",
                                 NULL,
                                 NULL,
                                 NULL};

/* The core's answer is single precision, ngspice's double: they agree to the rounding of a sum of floats. */
static const double TOLERANCE = 1e-5;
static const double READ_VOLTAGE = 0.1; /* V of an input of 1 */

/* One read of the crossbar, in the core and in ngspice; adds up the worst of both into the row. */
static mho_err compare(mho_spice *spice, mho_crossbar *x, const double *g_pos, const double *g_neg,
                       double g_unit, bool transposed, uint64_t sample, char place[MHO_PLACE_MAX],
                       mho_cosim_row *row, mho_errinfo *ei) {
  int in = transposed ? x->cols : x->rows, out = transposed ? x->rows : x->cols;
  float *u = mho_alloc((size_t)in, sizeof *u);
  mho_real *xs = mho_alloc((size_t)in, sizeof *xs), *y = mho_alloc((size_t)out, sizeof *y);
  double *v = mho_alloc((size_t)in, sizeof *v), *core = mho_alloc((size_t)out, sizeof *core);
  mho_err err = u && xs && y && v && core ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for the check");
  if (!err) {
    mho_rng_normal(mho_rng_make(1, MHO_RNG_TEST, transposed), sample, 0, (size_t)in, u);
    for (int i = 0; i < in; i++) {
      xs[i] = (mho_real)u[i];
      v[i] = READ_VOLTAGE * (double)u[i];
    }
    double start = mho_seconds();
    mho_crossbar_read(x, &(mho_read){.transposed = transposed, .n = 1, .x = xs, .y = y, .scale = 1});
    double core_s = mho_seconds() - start;
    for (int j = 0; j < out; j++)
      core[j] = (double)y[j] * g_unit * READ_VOLTAGE;
    mho_netlist_crossbar net = {.rows = x->rows,
                                .cols = x->cols,
                                .g_pos = g_pos,
                                .g_neg = g_neg,
                                .v_in = v,
                                .transposed = transposed};
    err = mho_cosim_crossbar(spice, &net, core, TOLERANCE, place, row, ei);
    row->core_s = core_s;
  }
  mho_free(u);
  mho_free(xs);
  mho_free(y);
  mho_free(v);
  mho_free(core);
  return err;
}

/* The worst of several reads as one row. */
static void merge(mho_cosim_row *all, const mho_cosim_row *one, char place[MHO_PLACE_MAX]) {
  if (!all->n) {
    *all = *one;
    snprintf(place, MHO_PLACE_MAX, "%s", one->place);
  } else {
    double squares = all->rms * all->rms * (double)all->n + one->rms * one->rms * (double)one->n;
    if (one->max_rel > all->max_rel)
      snprintf(place, MHO_PLACE_MAX, "%s", one->place);
    all->max_abs = fmax(all->max_abs, one->max_abs);
    all->max_rel = fmax(all->max_rel, one->max_rel);
    all->n += one->n;
    all->rms = sqrt(squares / (double)all->n);
    all->pass = all->pass && one->pass;
    all->core_s += one->core_s;
    all->spice_s += one->spice_s;
  }
  all->place = place;
}

/* Several reads of a connection in one direction. */
static mho_err check_crossbar(const options *o, const mho_connection *k, const mho_device_config *device,
                              bool transposed, mho_cosim_row *row, char place[MHO_PLACE_MAX],
                              mho_errinfo *ei) {
  mho_crossbar *x = k->xb;
  size_t n = (size_t)x->rows * (size_t)x->cols;
  double *g_pos = mho_alloc(n, sizeof *g_pos), *g_neg = mho_alloc(n, sizeof *g_neg), g_unit;
  mho_spice *spice = NULL;
  mho_err err =
      g_pos && g_neg ? mho_spice_open(&spice, ei) : mho_fail(ei, MHO_ENOMEM, "no memory for the check");
  if (!err)
    mho_crossbar_siemens(x, device, g_pos, g_neg, &g_unit);
  *row = (mho_cosim_row){0};
  for (long s = 0; s < o->samples && !err; s++) {
    char where[MHO_PLACE_MAX];
    mho_cosim_row one = {0};
    err = compare(spice, x, g_pos, g_neg, g_unit, transposed, (uint64_t)s, where, &one, ei);
    if (!err)
      merge(row, &one, place);
  }
  char where[MHO_PLACE_MAX];
  snprintf(where, sizeof where, "%s", place);
  snprintf(place, MHO_PLACE_MAX, "%.20s %s %.20s", k->name, transposed ? "transposed" : "forward", where);
  mho_spice_close(spice);
  mho_free(g_pos);
  mho_free(g_neg);
  return err;
}

static void print_result(const options *o, const char *id, const mho_connection *k, bool transposed,
                         const mho_cosim_row *r) {
  const char *direction = transposed ? "transposed" : "forward";
  if (o->common.json) {
    json_t *j = json_pack("{ss ss ss ss ss ss sI sf sf sf sf sb ss sf sf}", "event", "cosim", "run", id,
                          "what", r->what, "layer", k->name, "direction", direction, "quantity", r->quantity,
                          "n", (json_int_t)r->n, "max_abs", r->max_abs, "max_rel", r->max_rel, "rms", r->rms,
                          "tolerance", r->tolerance, "pass", (int)r->pass, "place", r->place, "core_s",
                          r->core_s, "spice_s", r->spice_s);
    json_dumpf(j, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(j);
    return;
  }
  printf("%-4s  %s %d x %d, %s: %lld currents, largest difference %.2g of the largest current (%s), allowed "
         "%.0g; "
         "core %.3g ms, ngspice %.3g ms\n",
         r->pass ? "pass" : "FAIL", k->name, k->xb->rows, k->xb->cols, direction, (long long)r->n, r->max_rel,
         r->place, r->tolerance, 1e3 * r->core_s, 1e3 * r->spice_s);
}

static const mho_connection *find_layer(const mho_network *net, const char *name, mho_errinfo *ei) {
  char all[MHO_TEXT_MAX] = "";
  for (int c = 0; c < net->n_connections; c++) {
    const mho_connection *k = &net->connection[c];
    if (name ? !strcmp(k->name, name) : k->to == net->n_layers - 1)
      return k;
    mho_text_append(all, sizeof all, "%s%s", c ? ", " : "", k->name);
  }
  mho_fail(ei, MHO_ENOTFOUND, "there is no connection '%s' (there are %s)", name ? name : "", all);
  return NULL;
}

static mho_err cosim(const options *o, session *s, bool *pass, mho_errinfo *ei) {
  mho_store *store = NULL;
  mho_experiment *e = NULL;
  mho_trainer *t = NULL;
  mho_checkpoint_row c = {0};
  const mho_connection *k = NULL;
  char id[MHO_ID_MAX], place[MHO_PLACE_MAX];
  mho_err err = mho_store_open(o->common.db ? o->common.db : DEFAULT_DB, MHO_STORE_WRITE, &store, ei);
  if (!err)
    err = mho_store_find(store, o->common.run, id, ei);
  if (!err)
    err = mho_train_stored_experiment(store, s->registry, id, 0, NULL, &e, ei);
  if (!err)
    err = mho_store_checkpoint_get(store, id, "last", &c, ei);
  if (!err)
    err = mho_trainer_new(&s->ctx, e, &t, ei);
  if (!err)
    err = mho_trainer_load(t, &c.blob, ei);
  if (!err && !(k = find_layer(mho_trainer_network(t), o->layer, ei)))
    err = MHO_ENOTFOUND;
  if (!err) /* the circuit has no read noise: compare with reads that have none */
    k->xb->model = (const mho_array_model *)mho_registry_find(s->registry, MHO_KIND_ARRAY, "ideal");
  for (int transposed = 0; transposed < 2 && !err; transposed++) {
    mho_cosim_row row;
    err = check_crossbar(o, k, &e->device_config, transposed, &row, place, ei);
    if (!err) {
      *pass = *pass && row.pass;
      print_result(o, id, k, transposed, &row);
      err = mho_store_cosim(store, id, &row, ei);
    }
  }
  mho_blob_free(&c.blob);
  mho_trainer_free(t);
  mho_experiment_free(e);
  mho_store_close(store);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.common.verb = "check", .samples = 4};
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  session s;
  mho_errinfo ei = {0};
  bool pass = true;
  mho_err err = session_open(&s, 1, &ei);
  if (!err)
    err = cosim(&o, &s, &pass, &ei);
  session_close(&s);
  return err ? report_error(err, &ei) : pass ? EXIT_DONE : EXIT_FAILED;
}

const verb verb_cosim = {"cosim", "a trained circuit in ngspice, against the core", run};
