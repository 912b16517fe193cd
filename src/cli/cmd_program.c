/* cmd_program.c - mho program: trained weights onto other chips, evaluated.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/version.h"
#include "mho/model/check.h"
#include "mho/train.h"

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
    OPT_STRICT,
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

VERB_ARGP(
    "RUN\nFOLDER",
    "Write the weights of a run, or of a folder of mho export --weights, onto new chips, and "
    "evaluate them.\v"
    "Each chip is a run of kind programmed whose parent is RUN: eval, settle, netlist, cosim, "
    "report, export and train --from take it. Without --set the weights go onto new chips of "
    "the run's own device. --set device.card=... or device.model=... begins a new device, of "
    "which nothing is the old one's; any other device key changes the old one. Weights are "
    "written as exactly as the device allows, or by pulses with --set update.scheme=.... On "
    "another device w_max of a connection is its largest weight, unless "
    "--set device.weight_range=... asks for more.\n\n"
    "Examples:\n"
    "  mho program first --set device.levels=16\n"
    "  mho program first --set device.card=pcm --chips 10 --name pcm\n"
    "  mho program first --set device.card=ecram --set update.scheme=write_verify\n"
    "  mho eval pcm-1 --after 1d,1mo\n\n"
    "Ctrl-C keeps the chips that are done. Exit code 0 done, 1 failed, 2 bad input, 130 "
    "interrupted.");

/* ---------------------------------------------------------------- output */

/* Sums over the chips. */
typedef struct summary {
  const options *o;
  char from[MHO_TEXT_MAX]; /**< id of the run, or path of the folder */
  double source;           /**< accuracy of the run, or rms; NaN for a folder */
  bool has_values;         /**< there is an rms, and no accuracy */
  int chips;
  double sum, squares; /**< of the accuracy, or of the rms */
  double clipped;
  int n;
  mho_program_connection *each; /**< [n] sums; rms: of the squares; names are copies */
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
  double score = isfinite(p->rms) ? p->rms : p->accuracy;
  s->has_values = isfinite(p->rms);
  s->sum += score;
  s->squares += score * score;
  s->clipped += p->clipped;
  add_connections(s, p);
}

static json_t *connection_json(const mho_program_connection *k, double rms, double clipped) {
  return json_pack("{ss si si sf sf sf}", "name", k->name, "rows", k->rows, "cols", k->cols,
                   "w_max", k->w_max, "rms", rms, "clipped", clipped);
}

static void chip_json(const mho_programmed *p) {
  json_t *all = json_array();
  for (int c = 0; c < p->n_connections; c++) {
    const mho_program_connection *k = &p->connection[c];
    json_array_append_new(all, connection_json(k, k->rms, k->clipped));
  }
  json_t *o =
      json_pack("{ss si sI ss so sf sf sf so}", "event", "chip", "chip", p->chip, "seed",
                (json_int_t)p->seed, "run", p->run, "accuracy", number_or_null(p->accuracy), "loss",
                p->loss, "clipped", p->clipped, "pulses", p->pulses, "connections", all);
  if (isfinite(p->rms))
    json_object_set_new(o, "rms", json_real(p->rms));
  print_json_line(o, JSON_DIGITS);
}

/* An accuracy in percent, or an rms. */
static void score_text(const summary *s, double score, char *buf, size_t n) {
  snprintf(buf, n, s->has_values ? "%.4g" : "%.2f", s->has_values ? score : 100 * score);
}

/* The head of the table of chips: what is written onto what. */
static void print_head(const summary *s, const mho_experiment *e) {
  const char *card = e->device_config.card;
  int chips = s->o->chips;

  printf("%s onto %s", s->from, e->device.entry->id);
  if (*card)
    printf(" (card %s)", card);
  printf(", %d chip%s, written ", chips, chips > 1 ? "s" : "");
  if (e->initial.how == MHO_INITIAL_SCHEME)
    printf("by %s\n", e->scheme.entry->id);
  else
    printf("exactly\n");
  printf("%6s %12s %8s %8s %10s %10s\n", "seed", "run", s->has_values ? "test rms" : "test %",
         "loss", "clipped %", "pulses");
}

static void chip_text(const summary *s, const mho_programmed *p, const mho_experiment *e) {
  if (s->chips == 1)
    print_head(s, e);
  char score[16];
  score_text(s, isfinite(p->rms) ? p->rms : p->accuracy, score, sizeof score);
  printf("%6lld %12s %8s %8.4f %10.2f %10.4g\n", (long long)p->seed, p->run, score, p->loss,
         100 * p->clipped, p->pulses);
  fflush(stdout);
}

static mho_err name_idle_keys(void *user, const mho_experiment *e, mho_errinfo *ei) {
  const common_options *o = &((const summary *)user)->o->common;
  bool pulses = e->initial.how == MHO_INITIAL_SCHEME;
  return name_idle_sets(e, pulses ? USE_PROGRAM : USE_EXACT_PROGRAM, o->n_set, o->set, o->strict,
                        ei);
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
  double std = deviation_of(s->chips, s->sum, s->squares);
  print_json_line(json_pack("{ss ss si sf so so sf so}", "event", "done", "from", s->from, "chips",
                            s->chips, "mean", s->sum / s->chips, "std", number_or_null(std),
                            "source", number_or_null(s->source), "clipped", s->clipped / s->chips,
                            "connections", all),
                  JSON_DIGITS);
}

/* What is written of each connection, mean over the chips. */
static void print_connections(const summary *s) {
  static const char *const names[] = {"connection",     "size",       "w_max",
                                      "rms error of w", "of w_max %", "clipped %"};
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

static void summary_text(const summary *s) {
  const char *unit = s->has_values ? "" : " %";
  char mean[16], std[16], trained[16], spread[64], source[64] = "";
  score_text(s, s->sum / s->chips, mean, sizeof mean);
  score_text(s, deviation_of(s->chips, s->sum, s->squares), std, sizeof std);
  score_text(s, s->source, trained, sizeof trained);

  snprintf(spread, sizeof spread, "%s", unit);
  if (s->chips > 1)
    snprintf(spread, sizeof spread, " +- %s%s over %d chips", std, unit, s->chips);
  if (isfinite(s->source))
    snprintf(source, sizeof source, " (%s%s where it was trained)", trained, unit);

  printf("test %s %s%s%s, clipped %.2f %% of the weights%s\n\n", s->has_values ? "rms" : "accuracy",
         mean, spread, source, 100 * s->clipped / s->chips,
         s->clipped > 0 ? ": raise device.weight_range" : "");
  print_connections(s);
}

static void summary_free(summary *s) {
  for (int c = 0; c < s->n; c++)
    free((char *)(uintptr_t)s->each[c].name);
  free(s->each);
}

/* ---------------------------------------------------------------- the verb */

/* RUN as its id, FOLDER as its whole path; and the accuracy or rms of the run. */
static mho_err find_source(const options *o, mho_store *store, summary *s, bool *folder,
                           mho_errinfo *ei) {
  char id[MHO_ID_MAX];
  mho_run_row record = {0};

  s->source = NAN;
  mho_err err = find_folder(o->common.run, "", s->from, folder, ei);
  if (err || *folder)
    return err;
  if (o->config)
    return mho_fail(ei, MHO_EINVAL,
                    "--config goes with a FOLDER of weights: a run has its own, changed by --set");

  err = mho_store_find(store, o->common.run, id, ei);
  if (!err)
    err = mho_store_run_get(store, id, &record, ei);
  if (!err) {
    s->source = isfinite(record.final_test_rms) ? record.final_test_rms : record.final_test_acc;
    snprintf(s->from, sizeof s->from, "%s", id);
  }

  mho_run_row_free(&record);
  return err;
}

static mho_err program(const options *o, environment *s, summary *sum, mho_errinfo *ei) {
  mho_store *store = NULL;
  bool folder = false;
  char path[MHO_TEXT_MAX];

  mho_err err = o->name ? mho_name_check("--name:", o->name, ei) : MHO_OK;
  if (!err)
    err = find_folder(o->common.run, "", path, &folder, ei);
  if (!err && folder)
    err = open_database(&o->common, MHO_STORE_WRITE, &store, ei);
  else if (!err)
    err = open_stored(&o->common, MHO_STORE_WRITE, &store, ei);
  if (!err)
    err = find_source(o, store, sum, &folder, ei);

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
                           .begin = name_idle_keys,
                           .chip = take_chip,
                           .user = sum};
  if (!err)
    err = mho_program(&s->ctx, s->registry, &p, ei);

  mho_store_close(store);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.common.verb = "program", .seed = -1, .chips = 1};
  parse_options(&argp, argc, argv, &o);

  environment s;
  mho_errinfo ei = {0};
  summary sum = {.o = &o};
  mho_err err = environment_open(&s, o.common.threads, &ei);
  if (!err)
    err = program(&o, &s, &sum, &ei);
  if (sum.chips && o.common.json)
    summary_json(&sum);
  else if (sum.chips)
    summary_text(&sum);

  summary_free(&sum);
  environment_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_program = {"program", "weights onto other chips or another device, evaluated",
                           &argp, run};
