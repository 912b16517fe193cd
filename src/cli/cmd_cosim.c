/* cmd_cosim.c - mho cosim: circuits of a network in ngspice, against the core.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/streams.h"
#include "cli/subject.h"

typedef struct options {
  common_options common;
  const char *what, *layer;
  long samples; /* 0: by what is asked for */
  double after; /* s since programming */
  bool transient, norton;
} options;

enum { KEY_WHAT = OPTION_VERB, KEY_LAYER, KEY_SAMPLES, KEY_TRANSIENT, KEY_NORTON, KEY_AFTER };
static const struct argp_option option_table[] = {
    OPT_DB,
    OPT_SET,
    {"what", KEY_WHAT, "WHAT", 0,
     "crossbar (default): reads of a crossbar, both directions; network: the whole network, free and nudged; "
     "device: its device under 200 pulses",
     0},
    {"layer", KEY_LAYER, "NAME", 0,
     "crossbar: the connection, as 'mho show' names it (default: the one into the read-out)", 0},
    {"samples", KEY_SAMPLES, "N", 0,
     "crossbar: random input vectors each way (default 4); network: test images (default 3)", 0},
    {"transient", KEY_TRANSIENT, NULL, 0, "network: settle it by .tran as well as by .op", 0},
    {"norton", KEY_NORTON, NULL, 0, "network: also with its clamped inputs reduced to currents", 0},
    {"after", KEY_AFTER, "TIME", 0,
     "with conductances as they are a time after programming: 1h, 1d, 1mo", 0},
    OPT_JSON,
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case KEY_WHAT:
    if (strcmp(arg, "device") && strcmp(arg, "crossbar") && strcmp(arg, "network"))
      argp_error(state, "--what: '%s' is not device, crossbar or network", arg);
    o->what = arg;
    return 0;
  case KEY_LAYER:
    o->layer = arg;
    return 0;
  case KEY_SAMPLES:
    o->samples = option_number(state, "samples", arg, 1, MHO_CHUNK_MAX);
    return 0;
  case KEY_TRANSIENT:
    o->transient = true;
    return 0;
  case KEY_NORTON:
    o->norton = true;
    return 0;
  case KEY_AFTER:
    o->after = option_time(state, "after", arg);
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {
    option_table,
    parse,
    "RUN|CONFIG",
    "Build a circuit of a run, or of a config's initial weights, run it in ngspice, and compare with the "
    "core. The "
    "result of a run is stored. Exit code 1 when something differs by more than its tolerance.\v"
    "Examples:\n"
    "  mho cosim last --layer h2-out\n"
    "  mho cosim last --what network --samples 5 --transient",
    NULL,
    NULL,
    NULL};

/* The core's answer is single precision, ngspice's double: they agree to the rounding of a sum of floats. */
static const double TOLERANCE = 1e-5;
static const double DEVICE_TOLERANCE = 1e-6; /* its steps are added up in double */
/* With an I-V law and wires the core bends the inputs and multiplies with the linear array's effective matrix: that the
 * wires' voltages fall with the bent currents is left out, and this much of it is let pass. */
static const double BENT_WIRES_TOLERANCE = 0.01;

/* ---------------------------------------------------------------- results */

typedef struct results {
  const options *o;
  subject x;
  mho_spice *spice;
  const char *layer, *direction; /* of a crossbar */
  bool pass;
  mho_err err; /* of the store */
  mho_errinfo *ei;
} results;

static json_t *number(double v) {
  return isfinite(v) ? json_real(v) : json_null();
}

static void print_json(const results *r, const mho_cosim_row *row) {
  json_t *j =
      json_pack("{ss ss ss ss sI so so so so sb ss so so}", "event", "cosim", "run", r->x.id,
                "what", row->what, "quantity", row->quantity, "n", (json_int_t)row->n, "max_abs",
                number(row->max_abs), "max_rel", number(row->max_rel), "rms", number(row->rms),
                "tolerance", number(row->tolerance), "pass", (int)row->pass, "place", row->place,
                "core_s", number(row->core_s), "spice_s", number(row->spice_s));
  if (r->layer) {
    json_object_set_new(j, "layer", json_string(r->layer));
    json_object_set_new(j, "direction", json_string(r->direction));
  }
  json_dumpf(j, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
  putchar('\n');
  json_decref(j);
}

static void print_text(const results *r, const mho_cosim_row *row) {
  printf("%-4s  ", row->pass ? "pass" : "FAIL");
  if (r->layer)
    printf("%s %s, ", r->layer, r->direction);
  printf("%s: %lld values, largest difference %.2g (%s), allowed %.0g", row->quantity,
         (long long)row->n, row->max_rel, row->place, row->tolerance);
  if (isfinite(row->core_s))
    printf("; core %.3g ms, ngspice %.3g ms", 1e3 * row->core_s, 1e3 * row->spice_s);
  putchar('\n');
}

/* The values side by side, for a plot: at most POINTS of them, "core ngspice" a line. */
static mho_err store_points(const results *r, const mho_cosim_row *row, const double *core,
                            const double *spice) {
  enum { POINTS = 400, LINE = 52 };
  char name[160];
  int64_t stride = (row->n + POINTS - 1) / POINTS;
  char *text = malloc(POINTS * LINE + 1);
  size_t used = 0;
  if (!text)
    return mho_fail(r->ei, MHO_ENOMEM, "no memory for the values compared");
  for (int64_t i = 0; i < row->n; i += stride)
    used += (size_t)snprintf(text + used, LINE, "%.9g %.9g\n", core[i], spice[i]);
  snprintf(name, sizeof name, "%s %s%s%s", row->what, r->layer ? r->layer : "", r->layer ? " " : "",
           row->quantity);
  mho_err err = mho_store_artifact(r->x.store, r->x.id, "cosim", name, text, used, r->ei);
  free(text);
  return err;
}

static void take(void *user, const mho_cosim_row *found, const double *core, const double *spice) {
  results *r = user;
  mho_cosim_row aged = *found, *row = &aged;
  char quantity[160];
  snprintf(quantity, sizeof quantity, "%.100s, %.4g s after programming", found->quantity,
           r->o->after);
  if (r->o->after > 0)
    row->quantity = quantity;
  r->pass = r->pass && row->pass;
  if (r->o->common.json)
    print_json(r, row);
  else
    print_text(r, row);
  fflush(stdout);
  if (!r->err && *r->x.id)
    r->err = mho_store_cosim(r->x.store, r->x.id, row, r->ei);
  if (!r->err && *r->x.id)
    r->err = store_points(r, row, core, spice);
}

/* ---------------------------------------------------------------- a crossbar */

/* Random inputs through a connection in one direction. */
static mho_err check_direction(results *r, const mho_connection *k, const double *g_pos,
                               const double *g_neg, double g_unit, bool transposed, int n) {
  const mho_crossbar *x = k->xb;
  int in = transposed ? x->cols : x->rows, out = transposed ? x->rows : x->cols;
  size_t n_in = (size_t)n * (size_t)in, n_out = (size_t)n * (size_t)out;
  float *u = mho_alloc(n_in, sizeof *u);
  mho_real *xs = mho_alloc(n_in, sizeof *xs), *y = mho_alloc(n_out, sizeof *y),
           *scratch = mho_alloc(mho_crossbar_scratch(x, n), sizeof *scratch);
  double *v = mho_alloc(n_in, sizeof *v), *core = mho_alloc(n_out, sizeof *core),
         *spice = mho_alloc(n_out, sizeof *spice);
  char at[MHO_PLACE_MAX], place[MHO_PLACE_MAX];
  mho_cosim_row row;
  mho_err err = u && xs && y && scratch && v && core && spice
                    ? MHO_OK
                    : mho_fail(r->ei, MHO_ENOMEM, "no memory for the check");
  if (!err) {
    mho_rng_normal(mho_stream_stimulus(transposed), 0, 0, n_in, u);
    bool bent = mho_crossbar_law(x) != NULL; /* laws hold for activities, which are within +-1 */
    for (size_t i = 0; i < n_in; i++) {
      if (bent)
        u[i] = fminf(fmaxf(u[i], -1), 1);
      xs[i] = (mho_real)u[i];
      v[i] = x->read_voltage * (double)u[i];
    }
    mho_read read = {
        .transposed = transposed, .n = n, .x = xs, .y = y, .scale = 1, .scratch = scratch};
    mho_crossbar_read(x,
                      &read); /* the first product of a size makes its kernel, which is not timed */
    double start = mho_seconds();
    mho_crossbar_read(x, &read);
    double core_s = mho_seconds() - start;
    for (size_t j = 0; j < n_out; j++)
      core[j] = (double)y[j] * g_unit * x->read_voltage;
    mho_netlist_crossbar net = {
        .rows = x->rows, .cols = x->cols, .g_pos = g_pos, .g_neg = g_neg, .transposed = transposed};
    err = subject_wires(&r->x, k, &net, r->ei);
    bool wires = net.r_word > 0 || net.r_bit > 0;
    double tolerance = net.iv && wires ? BENT_WIRES_TOLERANCE : TOLERANCE;
    if (!err)
      err = mho_cosim_crossbar(r->spice, &net, n, v, core, tolerance, spice, at, &row, r->ei);
    row.core_s = core_s;
  }
  if (!err) {
    r->layer = k->name;
    r->direction = transposed ? "transposed" : "forward";
    snprintf(place, sizeof place, "%.16s %s %.30s", k->name, r->direction, at);
    row.place = place;
    take(r, &row, core, spice);
    err = r->err;
  }
  mho_free(u);
  mho_free(xs);
  mho_free(y);
  mho_free(scratch);
  mho_free(v);
  mho_free(core);
  mho_free(spice);
  return err;
}

static mho_err check_crossbar(results *r) {
  const mho_connection *k = subject_connection(&r->x, r->o->layer, r->ei);
  if (!k)
    return MHO_ENOTFOUND;
  size_t n = (size_t)k->xb->rows * (size_t)k->xb->cols;
  double *g_pos = mho_alloc(n, sizeof *g_pos), *g_neg = mho_alloc(n, sizeof *g_neg), g_unit;
  mho_err err = g_pos && g_neg ? MHO_OK : mho_fail(r->ei, MHO_ENOMEM, "no memory for the check");
  if (!err)
    mho_netlist_siemens(k->xb, &r->x.e->device_config, 0, g_pos, g_neg, &g_unit);
  for (int transposed = 0; transposed < 2 && !err; transposed++)
    err = check_direction(r, k, g_pos, g_neg, g_unit, transposed,
                          r->o->samples ? (int)r->o->samples : 4);
  mho_free(g_pos);
  mho_free(g_neg);
  return err;
}

/* ---------------------------------------------------------------- a device */

static mho_err check_device(results *r) {
  enum { PULSES = 200 };
  int8_t pulse[PULSES];
  double core[PULSES], spice[PULSES], start;
  char place[MHO_PLACE_MAX];
  const mho_experiment *e = r->x.e;
  mho_netlist_random_pulses(1, PULSES, pulse);
  mho_netlist_device x = {.model = (const mho_device_model *)e->device.entry,
                          .params = e->device.params,
                          .config = &e->device_config,
                          .n = PULSES,
                          .pulse = pulse,
                          .start = 0.5};
  mho_cosim_row row = {.what = "device",
                       .quantity = "conductance after each pulse",
                       .unit = "S",
                       .place = place,
                       .tolerance = DEVICE_TOLERANCE};
  start = mho_seconds();
  mho_err err = mho_cosim_device_core(&x, core, r->ei);
  row.core_s = mho_seconds() - start;
  start = mho_seconds();
  if (!err)
    err = mho_spice_device(r->spice, &x, spice, r->ei);
  row.spice_s = mho_seconds() - start;
  if (err)
    return err;
  int at = mho_cosim_compare(PULSES, core, spice, 1, &row);
  row.pass = row.max_rel <= row.tolerance;
  snprintf(place, sizeof place, "%.40s pulse %d", x.model->entry.id, at + 1);
  take(r, &row, core, spice);
  return r->err;
}

/* ---------------------------------------------------------------- the network */

static mho_err check_network(results *r) {
  const mho_network *net = mho_trainer_network(r->x.t);
  int n = r->o->samples ? (int)r->o->samples : 3;
  mho_real *images = mho_alloc((size_t)n * (size_t)net->layer[0].n, sizeof *images);
  uint8_t label[MHO_CHUNK_MAX];
  mho_err err = images ? subject_samples(&r->x, 0, n, images, label, r->ei)
                       : mho_fail(r->ei, MHO_ENOMEM, "no memory for %d samples", n);
  if (!err)
    err = subject_error_held(&r->x, r->ei);
  if (!err)
    err = mho_cosim_network(r->spice,
                            &(mho_cosim_network_options){.net = net,
                                                         .device = &r->x.e->device_config,
                                                         .samples = n,
                                                         .x = images,
                                                         .label = label,
                                                         .nudge = subject_nudge(&r->x),
                                                         .transient = r->o->transient,
                                                         .both_inputs = r->o->norton},
                            take, r, r->ei);
  mho_free(images);
  return err ? err : r->err;
}

static mho_err cosim(const options *o, session *s, bool *pass, mho_errinfo *ei) {
  results r = {.o = o, .pass = true, .ei = ei};
  mho_err err =
      subject_open(s, &o->common, MHO_STORE_WRITE, strcmp(o->what, "device"), o->after, &r.x, ei);
  if (!err)
    err = mho_spice_open(&r.spice, ei);
  if (!err)
    err = !strcmp(o->what, "network")  ? check_network(&r)
          : !strcmp(o->what, "device") ? check_device(&r)
                                       : check_crossbar(&r);
  *pass = r.pass;
  mho_spice_close(r.spice);
  subject_close(&r.x);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.common.verb = "check", .what = "crossbar"};
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

const verb verb_cosim = {"cosim", "circuits of a network in ngspice, against the core", run};
