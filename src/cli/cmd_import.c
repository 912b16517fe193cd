/* cmd_import.c - mho import: runs of files into a database, and networks of other programs as runs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/chip_table.h"
#include "cli/version.h"

enum { NUMBERS_MAX = 256 }; /* of --mean and --std */

typedef struct options {
  common_options common;
  const char *network; /* file of a network; NULL: files of runs */
  mho_network_file_options file;
  double mean[NUMBERS_MAX], std[NUMBERS_MAX];
  const char *config, *name;
  int64_t seed;
  bool about_network; /* an option was given that files of runs have not */
} options;

enum {
  KEY_NPZ = OPTION_VERB,
  KEY_SAFETENSORS,
  KEY_ONNX,
  KEY_LAYERS,
  KEY_MEAN,
  KEY_STD,
  KEY_CONFIG,
  KEY_NAME,
  KEY_SEED
};
static const struct argp_option option_table[] = {
    OPT_DB,
    {"onnx", KEY_ONNX, "FILE", 0, "a network of another program, in place of runs: an ONNX model",
     0},
    {"npz", KEY_NPZ, "FILE", 0, "the same: weights and biases as numpy.savez writes them", 0},
    {"safetensors", KEY_SAFETENSORS, "FILE", 0, "the same: weights and biases as safetensors", 0},
    {"layers", KEY_LAYERS, "NAME,...", 0,
     "of --npz and --safetensors: the order of the layers (default: convolutions first, in the "
     "order of the file, or of the names)",
     0},
    {"mean", KEY_MEAN, "X,...", 0,
     "the network was trained on (x - mean)/std of mho's inputs: one for all, or one a channel; "
     "becomes part of its first layer",
     0},
    {"std", KEY_STD, "X,...", 0, "see --mean", 0},
    {"config", KEY_CONFIG, "FILE", 0, "of a network: data, device and whatever it does not say", 0},
    OPT_SET,
    OPT_STRICT,
    {"name", KEY_NAME, "NAME", 0, "of a network: name of the run", 0},
    {"seed", KEY_SEED, "N", 0, "of a network: train.seeds.chip (default 1)", 0},
    OPT_THREADS,
    OPT_JSON,
    {0}};

static void take_numbers(struct argp_state *state, const char *name, const char *text,
                         double out[NUMBERS_MAX], int *n) {
  *n = 0;
  for (const char *at = text; *at;) {
    char *end;
    double v = strtod(at, &end);
    bool ends = *end == ',' || !*end;
    if (end == at || !ends || !isfinite(v) || *n == NUMBERS_MAX)
      argp_error(state, "--%s: '%s' is no list of numbers: expected for example 0.5 or 0.5,0.4,0.4",
                 name, text);
    out[(*n)++] = v;
    at = *end ? end + 1 : end;
  }
  if (!*n)
    argp_error(state, "--%s: expected a number", name);
}

static void take_network(options *o, struct argp_state *state, const char *format,
                         const char *path) {
  if (o->network)
    argp_error(state, "one network at a time, not also '%s'", path);
  o->network = path;
  o->file.format = format;
}

static void check_options(const options *o, struct argp_state *state) {
  const common_options *c = &o->common;
  bool about_network = o->about_network || c->n_set || c->strict || c->json;
  if (o->network && c->n_words)
    argp_error(state, "either a network or files of runs, not also '%s'", c->word[0]);
  if (!o->network && about_network)
    argp_error(state, "--layers, --mean, --std, --config, --set, --strict, --name, --seed and "
                      "--json go with a network (--onnx, --npz, --safetensors)");
  if (!o->network && !c->n_words)
    argp_error(state,
               "import which file? 'mho export' writes them; or --onnx, --npz, --safetensors");
}

/* Options of networks alone; whether the key is one. */
static bool take_option(options *o, int key, char *arg, struct argp_state *state) {
  switch (key) {
  case KEY_LAYERS:
    o->file.layers = arg;
    break;
  case KEY_MEAN:
    take_numbers(state, "mean", arg, o->mean, &o->file.n_mean);
    break;
  case KEY_STD:
    take_numbers(state, "std", arg, o->std, &o->file.n_std);
    break;
  case KEY_CONFIG:
    o->config = arg;
    break;
  case KEY_NAME:
    o->name = arg;
    break;
  case KEY_SEED:
    o->seed = option_number(state, "seed", arg, 0, 9000000000000000);
    break;
  default:
    return false;
  }
  o->about_network = true;
  return true;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  if (take_option(o, key, arg, state))
    return 0;

  switch (key) {
  case KEY_NPZ:
    take_network(o, state, "npz", arg);
    return 0;
  case KEY_SAFETENSORS:
    take_network(o, state, "safetensors", arg);
    return 0;
  case KEY_ONNX:
    take_network(o, state, "onnx", arg);
    return 0;
  case ARGP_KEY_END:
    check_options(o, state);
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

VERB_ARGP(
    "FILE...\n--onnx FILE\n--npz FILE\n--safetensors FILE",
    "Take the runs of files that 'mho export' wrote into a run database, or a network that another "
    "program has trained onto arrays.\v"
    "A run that is there already is not taken twice (it is brought up to date when the file "
    "has more of it), so this may be repeated. Nothing is taken from a file that has an "
    "error.\n\n"
    "A network becomes a run of kind programmed: eval, program, settle, netlist, report, export "
    "and train --from take it. Its weights are written onto the device as exactly as that allows, "
    "and evaluated on the data of dataset. An ONNX model says its layers, neurons and strides "
    "itself; weights alone (NAME.weight, NAME.bias, as PyTorch's state_dict has them) say the "
    "sizes of dense layers, and --set network.neuron=... and network.conv=... the rest. "
    "Activities are passed forward (rule bp) unless another rule is set. The network answers what "
    "it was trained on: inputs of mho are pixels from 0 to 1, normalized by dataset.normalize or "
    "by --mean and --std.\n\n"
    "Examples:\n"
    "  mho import results/nonidealities/runs.jsonl.gz --db results/nonidealities.db\n"
    "  mho import --onnx lenet.onnx --set dataset=mnist --mean 0.1307 --std 0.3081 --name lenet\n"
    "  mho program lenet --set device.card=pcm --chips 5 --name pcm\n"
    "  mho import --npz mlp.npz --set network.neuron=relu --set device.card=ecram");

/* ---------------------------------------------------------------- a network */

/* The whole path of a file, as a config keeps it. */
static mho_err whole_path(const char *file, char path[MHO_TEXT_MAX], mho_errinfo *ei) {
  char *whole = realpath(file, NULL);
  bool fits = whole && strlen(whole) < MHO_TEXT_MAX;
  mho_err err = MHO_OK;
  if (fits)
    strcpy(path, whole);
  else if (whole)
    err = mho_fail(ei, MHO_EINVAL, "'%s': its whole path is longer than %d bytes", file,
                   MHO_TEXT_MAX - 1);
  else
    err = mho_fail_at(ei, MHO_EIO, file, 0, "%s", strerror(errno));
  free(whole);
  return err;
}

static mho_err write_network(const options *o, environment *s, const mho_network_file *f,
                             chip_table *chips, mho_errinfo *ei) {
  mho_store *store = NULL;
  mho_err err = open_database(&o->common, MHO_STORE_WRITE, &store, ei);
  mho_program_options p = {.store = store,
                           .from = chips->from,
                           .file = f,
                           .config = o->config,
                           .name = o->name,
                           .code_version = MHO_CODE_VERSION,
                           .n_set = o->common.n_set,
                           .set = o->common.set,
                           .chips = 1,
                           .seed = o->seed,
                           .begin = chip_table_begin,
                           .chip = chip_table_take,
                           .user = chips};
  if (!err)
    err = mho_program(&s->ctx, s->registry, &p, ei);
  mho_store_close(store);
  return err;
}

static mho_err import_network(options *o, mho_errinfo *ei) {
  environment s;
  mho_network_file *f = NULL;
  chip_table chips = {.o = &o->common, .source = NAN, .wanted = 1};
  o->file.mean = o->mean;
  o->file.std = o->std;

  mho_err err = environment_open(&s, o->common.threads, ei);
  if (!err && o->name)
    err = mho_name_check("--name:", o->name, ei);
  if (!err)
    err = whole_path(o->network, chips.from, ei);
  if (!err)
    err = mho_network_file_read(o->network, &o->file, &f, ei);
  if (!err)
    err = write_network(o, &s, f, &chips, ei);

  chip_table_end(&chips);
  mho_network_file_free(f);
  environment_close(&s);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.common.max_words = INT_MAX, .seed = -1};
  parse_options(&argp, argc, argv, &o);
  mho_errinfo ei = {0};
  mho_err err = o.network ? import_network(&o, &ei)
                          : take_runs(database_path(&o.common), mho_store_import, o.common.n_words,
                                      o.common.word, &ei);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_import = {"import", "take exported runs, or a network, into a database", &argp,
                          run};
