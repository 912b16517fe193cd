/* cmd_cosim.c - mho cosim: circuits of a network in ngspice, against the core.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/subject.h"
#include "mho/model/check.h"

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
    {"what", KEY_WHAT, "crossbar|network|device", 0,
     "crossbar (default): reads of a crossbar, both directions; "
     "network: the whole network, free and nudged; device: its device under 200 pulses",
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

static void check_options(const options *o, struct argp_state *state) {
  static const char crossbar[] = "--what crossbar", network[] = "--what network";
  bool lines = !strcmp(o->what, "crossbar"), whole = !strcmp(o->what, "network");
  option_use use[] = {{"layer", o->layer, lines, crossbar},
                      {"samples", o->samples > 0, lines || whole, "--what crossbar or network"},
                      {"after", o->after > 0, lines || whole, "--what crossbar or network"},
                      {"transient", o->transient, whole, network},
                      {"norton", o->norton, whole, network}};
  check_uses(MHO_COUNT(use), use, state);
}

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
  case ARGP_KEY_END:
    check_options(o, state);
    return common_option(&o->common, key, arg, state);
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {
    option_table,
    parse,
    "RUN|CONFIG",
    "Build a circuit of a run, or of a config's initial weights, run it in ngspice, and compare "
    "with the core. The result of a run is stored. Exit code 1 when something differs by more "
    "than its tolerance.\v"
    "Examples:\n"
    "  mho cosim last --layer h2-out\n"
    "  mho cosim last --what network --samples 5 --transient",
    NULL,
    NULL,
    NULL};

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

/* Store the values side by side, for a plot: at most POINTS of them, "core ngspice" a line. */
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
  if (r->layer)
    snprintf(name, sizeof name, "%s %s %s", row->what, r->layer, row->quantity);
  else
    snprintf(name, sizeof name, "%s %s", row->what, row->quantity);

  mho_err err = mho_store_artifact(r->x.store, r->x.id, "cosim", name, text, used, r->ei);
  free(text);
  return err;
}

static void take(void *user, const mho_cosim_row *found, const double *core, const double *spice) {
  results *r = user;
  mho_cosim_row row = *found;
  char quantity[160], place[MHO_PLACE_MAX];

  if (r->layer) {
    snprintf(place, sizeof place, "%.16s %s %.30s", r->layer, r->direction, found->place);
    row.place = place;
  }
  if (r->o->after > 0) {
    snprintf(quantity, sizeof quantity, "%.100s, %.4g s after programming", found->quantity,
             r->o->after);
    row.quantity = quantity;
  }

  r->pass = r->pass && row.pass;
  if (r->o->common.json)
    print_json(r, &row);
  else
    print_text(r, &row);
  fflush(stdout);

  bool stored = *r->x.id != 0;
  if (!r->err && stored)
    r->err = mho_store_cosim(r->x.store, r->x.id, &row, r->ei);
  if (!r->err && stored)
    r->err = store_points(r, &row, core, spice);
}

/* ---------------------------------------------------------------- what is compared */

static mho_err check_crossbar(results *r) {
  static const char *const directions[] = {"forward", "transposed"};
  int n = r->o->samples ? (int)r->o->samples : 4;
  const mho_connection *k;
  mho_err err = mho_trainer_find(r->x.t, r->o->layer, &k, r->ei);
  if (err)
    return err;

  r->layer = k->name;
  for (int transposed = 0; transposed < 2; transposed++) {
    r->direction = directions[transposed];
    err = mho_trainer_cosim_crossbar(r->x.t, r->spice, k, transposed, n, take, r, r->ei);
    if (err)
      return err;
    if (r->err)
      return r->err;
  }
  return MHO_OK;
}

static mho_err check(results *r) {
  const options *o = r->o;
  mho_err err;
  if (!strcmp(o->what, "crossbar"))
    return check_crossbar(r);

  if (!strcmp(o->what, "device"))
    err = mho_trainer_cosim_device(r->x.t, r->spice, take, r, r->ei);
  else
    err = mho_trainer_cosim_network(r->x.t, r->spice, o->samples ? (int)o->samples : 3,
                                    o->transient, o->norton, take, r, r->ei);
  return err ? err : r->err;
}

static mho_err cosim(const options *o, environment *s, bool *pass, mho_errinfo *ei) {
  results r = {.o = o, .pass = true, .ei = ei};
  bool cells = strcmp(o->what, "device") != 0;
  mho_err err = subject_open(s, &o->common, MHO_STORE_WRITE, cells, o->after, &r.x, ei);
  if (!err)
    err = mho_spice_open(&r.spice, ei);
  if (!err)
    err = check(&r);
  *pass = r.pass;
  mho_spice_close(r.spice);
  subject_close(&r.x);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.common.verb = "check", .what = "crossbar"};
  parse_options(&argp, argc, argv, &o);

  environment s;
  mho_errinfo ei = {0};
  bool pass = true;
  mho_err err = environment_open(&s, 1, &ei);
  if (!err)
    err = cosim(&o, &s, &pass, &ei);
  environment_close(&s);

  if (err)
    return report_error(err, &ei);
  return pass ? EXIT_DONE : EXIT_FAILED;
}

const verb verb_cosim = {"cosim", "circuits of a network in ngspice, against the core", &argp, run};
