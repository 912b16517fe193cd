/* cmd_program.c - mho program: trained weights onto other chips, evaluated.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/chip_table.h"
#include "cli/version.h"

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

/* ---------------------------------------------------------------- the verb */

/* RUN as its id, FOLDER as its whole path; and the accuracy or rms of the run. */
static mho_err find_source(const options *o, mho_store *store, chip_table *s, bool *folder,
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

static mho_err program(const options *o, environment *s, chip_table *sum, mho_errinfo *ei) {
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
                           .begin = chip_table_begin,
                           .chip = chip_table_take,
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
  chip_table sum = {.o = &o.common, .wanted = o.chips};
  mho_err err = environment_open(&s, o.common.threads, &ei);
  if (!err)
    err = program(&o, &s, &sum, &ei);
  chip_table_end(&sum);
  environment_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_program = {"program", "weights onto other chips or another device, evaluated",
                           &argp, run};
