/* cmd_program.c - mho program: trained weights onto other chips, evaluated.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "mho/train.h"
#include "version.h"

enum { CHIPS_MAX = 100000 };

typedef struct options {
  common_options common;
  const char *name, *config;
  int64_t seed;
  int chips;
} options;

enum { KEY_CHIPS = OPTION_VERB, KEY_NAME, KEY_SEED, KEY_CONFIG };
static const struct argp_option option_table[] = {
    {"chips", KEY_CHIPS, "N", 0, "onto so many chips, one after another (default 1)", 0},
    OPT_SET,
    OPT_DB,
    {"name", KEY_NAME, "NAME", 0, "name of the new run; of several chips NAME-1, NAME-2, ...", 0},
    {"seed", KEY_SEED, "N", 0,
     "train.seeds.chip of the first chip, the next has N+1 (default: 1, or after the source's)", 0},
    {"config", KEY_CONFIG, "FILE", 0,
     "what network the weights of FOLDER are of (default: its weights.json, of mho export "
     "--weights)",
     0},
    OPT_THREADS,
    OPT_JSON,
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case KEY_CHIPS:
    o->chips = (int)option_number(state, "chips", arg, 1, CHIPS_MAX);
    return 0;
  case KEY_NAME:
    o->name = arg;
    return 0;
  case KEY_SEED:
    o->seed = option_number(state, "seed", arg, 0, 9000000000000000);
    return 0;
  case KEY_CONFIG:
    o->config = arg;
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {
    option_table,
    parse,
    "RUN\nFOLDER",
    "Write the weights of a run, or of a folder of mho export --weights, onto new chips, and "
    "evaluate them.\v"
    "Each chip is a run of kind programmed whose parent is RUN: eval, settle, netlist, cosim, "
    "report, export and "
    "train --from take it. Without --set the weights go onto new chips of the run's own device. "
    "--set "
    "device.card=... or device.model=... begins a new device, of which nothing is the old one's; "
    "any other device "
    "key changes the old one. Weights are written as exactly as the device allows, or by pulses "
    "with --set "
    "update.scheme=.... On another device w_max of a connection is its largest weight, unless "
    "--set device.weight_range=... asks for more.\n\n"
    "Examples:\n"
    "  mho program first --set device.levels=16\n"
    "  mho program first --set device.card=pcm --chips 10 --name pcm\n"
    "  mho program first --set device.card=ecram --set update.scheme=write_verify\n"
    "  mho eval pcm-1 --after 1d,1mo\n\n"
    "Ctrl-C keeps the chips that are done. Exit code 0 done, 1 failed, 2 bad input, 130 "
    "interrupted.",
    NULL,
    NULL,
    NULL};

/* ---------------------------------------------------------------- output */

/* Sums over the chips. */
typedef struct summary {
  const options *o;
  char from[MHO_TEXT_MAX];
  double source; /* accuracy of the run; NaN */
  int chips, n;
  double sum, squares, clipped;
  mho_program_connection *each; /* [n] rms: of squares; names are copies */
} summary;

static void add_connections(summary *s, const mho_programmed *p) {
  if (!s->each) {
    s->each = calloc((size_t)p->n_connections, sizeof *s->each);
    s->n = s->each ? p->n_connections : 0;
  }
  for (int c = 0; c < s->n; c++) {
    const mho_program_connection *k = &p->connection[c];
    mho_program_connection *sum = &s->each[c];
    if (!sum->name)
      sum->name = strdup(k->name);
    sum->rows = k->rows;
    sum->cols = k->cols;
    sum->w_max = k->w_max;
    sum->rms += k->rms * k->rms;
    sum->clipped += k->clipped;
  }
}

static void add(summary *s, const mho_programmed *p) {
  s->chips++;
  s->sum += p->accuracy;
  s->squares += p->accuracy * p->accuracy;
  s->clipped += p->clipped;
  add_connections(s, p);
}

static double deviation(const summary *s) {
  int n = s->chips;
  return n > 1 ? sqrt(fmax(s->squares - s->sum * s->sum / n, 0) / (n - 1)) : (double)NAN;
}

static json_t *connection_json(const mho_program_connection *k, double rms, double clipped) {
  return json_pack("{ss si si sf sf sf}", "name", k->name, "rows", k->rows, "cols", k->cols,
                   "w_max", k->w_max, "rms", rms, "clipped", clipped);
}

static void print_object(json_t *o) {
  json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10));
  putchar('\n');
  fflush(stdout);
  json_decref(o);
}

static void chip_json(const mho_programmed *p) {
  json_t *all = json_array();
  for (int c = 0; c < p->n_connections; c++) {
    const mho_program_connection *k = &p->connection[c];
    json_array_append_new(all, connection_json(k, k->rms, k->clipped));
  }
  print_object(json_pack("{ss si sI ss sf sf sf sf so}", "event", "chip", "chip", p->chip, "seed",
                         (json_int_t)p->seed, "run", p->run, "accuracy", p->accuracy, "loss",
                         p->loss, "clipped", p->clipped, "pulses", p->pulses, "connections", all));
}

static void chip_text(const summary *s, const mho_programmed *p, const mho_experiment *e) {
  bool scheme = e->initial.how == MHO_INITIAL_SCHEME;
  const char *card = e->device_config.card;
  if (s->chips == 1)
    printf("%s onto %s%s%s%s, %d chip%s, written %s%s\n%6s %12s %8s %8s %10s %10s\n", s->from,
           e->device.entry->id, *card ? " (card " : "", card, *card ? ")" : "", s->o->chips,
           s->o->chips > 1 ? "s" : "", scheme ? "by " : "exactly",
           scheme ? e->scheme.entry->id : "", "seed", "run", "test %", "loss", "clipped %",
           "pulses");
  printf("%6lld %12s %8.2f %8.4f %10.2f %10.4g\n", (long long)p->seed, p->run, 100 * p->accuracy,
         p->loss, 100 * p->clipped, p->pulses);
  fflush(stdout);
}

static void take_chip(void *user, const mho_programmed *p, const mho_experiment *e) {
  summary *s = user;
  add(s, p);
  if (s->o->common.json)
    chip_json(p);
  else
    chip_text(s, p, e);
}

static void summary_json(const summary *s) {
  json_t *all = json_array();
  for (int c = 0; c < s->n; c++)
    json_array_append_new(all, connection_json(&s->each[c], sqrt(s->each[c].rms / s->chips),
                                               s->each[c].clipped / s->chips));
  double std = deviation(s);
  print_object(json_pack("{ss ss si sf so so sf so}", "event", "done", "from", s->from, "chips",
                         s->chips, "mean", s->sum / s->chips, "std",
                         isfinite(std) ? json_real(std) : json_null(), "source",
                         isfinite(s->source) ? json_real(s->source) : json_null(), "clipped",
                         s->clipped / s->chips, "connections", all));
}

static void summary_text(const summary *s) {
  static const char *const names[] = {"connection",     "size",       "w_max",
                                      "rms error of w", "of w_max %", "clipped %"};
  char spread[48] = "", source[48] = "";
  if (s->chips > 1)
    snprintf(spread, sizeof spread, " +- %.2f %% over %d chips", 100 * deviation(s), s->chips);
  else
    snprintf(spread, sizeof spread, " %%");
  if (isfinite(s->source))
    snprintf(source, sizeof source, " (%.2f %% where it was trained)", 100 * s->source);
  printf("test accuracy %.2f%s%s, clipped %.2f %% of the weights%s\n\n", 100 * s->sum / s->chips,
         spread, source, 100 * s->clipped / s->chips,
         s->clipped > 0 ? ": raise device.weight_range" : "");
  table *t = table_new(MHO_COUNT(names), names);
  for (int i = 1; i < MHO_COUNT(names); i++)
    table_right(t, i);
  for (int c = 0; c < s->n; c++) {
    const mho_program_connection *k = &s->each[c];
    double rms = sqrt(k->rms / s->chips);
    char size[32], w_max[32], error[32], of_range[32], clipped[32];
    snprintf(size, sizeof size, "%d x %d", k->rows, k->cols);
    snprintf(w_max, sizeof w_max, "%.4g", k->w_max);
    snprintf(error, sizeof error, "%.3g", rms);
    snprintf(of_range, sizeof of_range, "%.3g", 100 * rms / k->w_max);
    snprintf(clipped, sizeof clipped, "%.2f", 100 * k->clipped / s->chips);
    table_row(t, (const char *const[]){k->name, size, w_max, error, of_range, clipped});
  }
  table_print(t);
}

/* ---------------------------------------------------------------- the verb */

/* RUN as its id, FOLDER as its whole path; and the accuracy of the run. */
static mho_err resolve(const options *o, mho_store *store, summary *s, bool *folder,
                       mho_errinfo *ei) {
  struct stat st;
  char id[MHO_ID_MAX];
  s->source = NAN;
  *folder = !stat(o->common.run, &st) && S_ISDIR(st.st_mode);
  if (*folder) {
    char *path = realpath(o->common.run, NULL);
    bool fits = path && strlen(path) < MHO_TEXT_MAX;
    if (fits)
      snprintf(s->from, sizeof s->from, "%s", path);
    free(path);
    return fits ? MHO_OK
                : mho_fail(ei, MHO_EINVAL, "the folder's path is longer than %d characters",
                           MHO_TEXT_MAX - 1);
  }
  if (o->config)
    return mho_fail(ei, MHO_EINVAL,
                    "--config goes with a FOLDER of weights: a run has its own, changed by --set");
  mho_run_row row = {0};
  mho_err err = mho_store_find(store, o->common.run, id, ei);
  if (!err)
    err = mho_store_run_get(store, id, &row, ei);
  if (!err)
    s->source = row.final_test_acc;
  snprintf(s->from, sizeof s->from, "%s", id);
  mho_run_row_free(&row);
  return err;
}

static mho_err program(const options *o, session *s, summary *sum, mho_errinfo *ei) {
  mho_store *store = NULL;
  bool folder = false;
  mho_err err =
      mho_store_open(o->common.db ? o->common.db : DEFAULT_DB, MHO_STORE_WRITE, &store, ei);
  if (!err)
    err = resolve(o, store, sum, &folder, ei);
  mho_program_options p = {.store = store,
                           .from = sum->from,
                           .parent = folder ? NULL : sum->from,
                           .config = o->config,
                           .name = o->name,
                           .code_version = MHO_CODE_VERSION,
                           .n_set = o->common.n_set,
                           .set = o->common.set,
                           .chips = o->chips,
                           .seed = o->seed,
                           .chip = take_chip,
                           .user = sum};
  if (!err)
    err = mho_program(&s->ctx, s->registry, &p, ei);
  mho_store_close(store);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.common.verb = "program", .seed = -1, .chips = 1};
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  session s;
  mho_errinfo ei = {0};
  summary sum = {.o = &o};
  mho_err err = session_open(&s, o.common.threads, &ei);
  if (!err)
    err = program(&o, &s, &sum, &ei);
  if (sum.chips && o.common.json)
    summary_json(&sum);
  else if (sum.chips)
    summary_text(&sum);
  for (int c = 0; c < sum.n; c++)
    free((char *)(uintptr_t)sum.each[c].name);
  free(sum.each);
  session_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_program = {"program", "weights onto other chips or another device, evaluated", run};
