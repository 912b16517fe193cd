/* cmd_netlist.c - mho netlist: a crossbar or the whole settling network as a circuit for ngspice.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_bytes.h"
#include "cli/subject.h"
#include "mho/model/check.h"
#include "mho/model/circuit.h"

enum { MAX_WORDS = 1024 };
typedef struct options {
  common_options common;
  const char *layer, *r_word, *r_bit, *tile, *models;
  bool network, device, spikes, check, trust, transposed, norton, transient;
  long sample, pulses, neurons;
  double after;                /* s since programming */
  const char *word[MAX_WORDS]; /* RUN or CONFIG; files to check */
  int n_words;
} options;

enum {
  KEY_LAYER = OPTION_VERB,
  KEY_NETWORK,
  KEY_SAMPLE,
  KEY_TRANSPOSED,
  KEY_R_WORD,
  KEY_R_BIT,
  KEY_TILE,
  KEY_NORTON,
  KEY_TRANSIENT,
  KEY_SPIKES,
  KEY_NEURONS,
  KEY_DEVICE,
  KEY_PULSES,
  KEY_MODELS,
  KEY_CHECK,
  KEY_TRUST,
  KEY_AFTER
};
static const struct argp_option option_table[] = {
    OPT_DB,
    OPT_SET,
    {"layer", KEY_LAYER, "NAME", 0,
     "one read of this crossbar, as 'mho show' names it (default: the one into the read-out)", 0},
    {"transposed", KEY_TRANSPOSED, NULL, 0, "drive its bit lines and sense its word lines", 0},
    {"r-word", KEY_R_WORD, "OHM", 0, "with this resistance of a segment of word line (\"2 ohm\")",
     0},
    {"r-bit", KEY_R_BIT, "OHM", 0, "and of bit line", 0},
    {"tile", KEY_TILE, "ROWSxCOLS", 0, "cut into physical tiles of this size", 0},
    {"network", KEY_NETWORK, NULL, 0, "the whole settling network, free and nudged phase", 0},
    {"norton", KEY_NORTON, NULL, 0, "with its clamped inputs reduced to currents: far smaller", 0},
    {"transient", KEY_TRANSIENT, NULL, 0, "settle it by .tran instead of .op", 0},
    {"spikes", KEY_SPIKES, NULL, 0,
     "the neurons of dynamics spiking, in time under the spikes of a test image; with rule.window "
     "waveform the devices that these move",
     0},
    {"neurons", KEY_NEURONS, "N", 0, "only the first so many of the last hidden layer", 0},
    {"device", KEY_DEVICE, NULL, 0, "one device under pulses at random", 0},
    {"pulses", KEY_PULSES, "N", 0, "so many (default 50)", 0},
    {"sample", KEY_SAMPLE, "N", 0, "number of the test image (default 0)", 0},
    {"after", KEY_AFTER, "TIME", 0,
     "with conductances as they are a time after programming: 1h, 1d, 1mo", 0},
    OPT_OUT("write there instead of to standard output"),
    {"models", KEY_MODELS, "FOLDER", 0,
     "instead: write the subcircuits of all neurons and devices there, as .lib files; "
     "prints the devices' names",
     0},
    {"check", KEY_CHECK, NULL, 0,
     "instead: run these netlists, each in a process of its own that only calculates and prints, "
     "in 2 GiB of memory, and compare what 'print' commands of their .control block print with "
     "their comments '* expect NAME = VALUE +- MARGIN'",
     0},
    {"trust", KEY_TRUST, NULL, 0,
     "with --check: carry out commands that start programs and write files, without a limit of "
     "memory",
     0},
    {0}};

/* Expect one RUN or CONFIG, or what --models and --check take instead. */
static void check_words(const options *o, struct argp_state *state) {
  if (o->models) {
    if (o->n_words > 0)
      argp_error(state, "%s", "--models takes no RUN or CONFIG");
  } else if (o->check) {
    if (o->n_words < 1)
      argp_error(state, "%s", "check which netlists?");
  } else if (o->trust) {
    argp_error(state, "%s", "--trust is of netlists that --check runs");
  } else if (o->n_words != 1) {
    argp_error(state, "%s",
               "write the netlist of what? a RUN ('mho runs' lists them), last, or a CONFIG");
  }
}

/* Which options go with which circuit. */
static void check_circuit(const options *o, struct argp_state *state) {
  static const char whole[] = "--network", line[] = "the netlist of a crossbar";
  bool circuit = !o->models && !o->check, network = circuit && o->network && !o->device;
  bool crossbar = circuit && !o->network && !o->device && !o->spikes;
  bool one = !o->network && !o->spikes;
  option_use use[] = {
      {"device", o->device, circuit && one, "no other circuit"},
      {"spikes", o->spikes, circuit && !o->network, "no other circuit"},
      {"neurons", o->neurons > 0, circuit && o->spikes, "--spikes"},
      {"network", o->network, circuit, "a RUN or CONFIG"},
      {"layer", o->layer, crossbar, line},
      {"transposed", o->transposed, crossbar, line},
      {"r-word", o->r_word, crossbar, line},
      {"r-bit", o->r_bit, crossbar, line},
      {"tile", o->tile, crossbar, line},
      {"norton", o->norton, network, whole},
      {"transient", o->transient, network, whole},
      {"sample", o->sample > 0, crossbar || network || o->spikes, "a network and its crossbars"},
      {"after", o->after > 0, crossbar || network || o->spikes, "a network and its crossbars"},
      {"pulses", o->pulses > 0, circuit && o->device, "--device"},
      {"check", o->check, !o->models, "FILE..., and not with --models"}};
  check_uses(MHO_COUNT(use), use, state);

  for (int i = 0; o->common.out && i < o->n_words; i++)
    if (is_same_file(o->common.out, o->word[i]))
      argp_error(state, "--out: '%s' is what is read: give another file", o->common.out);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case KEY_LAYER:
    o->layer = arg;
    return 0;
  case KEY_TRANSPOSED:
    o->transposed = true;
    return 0;
  case KEY_R_WORD:
    o->r_word = arg;
    return 0;
  case KEY_R_BIT:
    o->r_bit = arg;
    return 0;
  case KEY_TILE:
    o->tile = arg;
    return 0;

  case KEY_NETWORK:
    o->network = true;
    return 0;
  case KEY_NORTON:
    o->norton = true;
    return 0;
  case KEY_TRANSIENT:
    o->transient = true;
    return 0;

  case KEY_SPIKES:
    o->spikes = true;
    return 0;
  case KEY_NEURONS:
    o->neurons = option_number(state, "neurons", arg, 1, 1000000);
    return 0;

  case KEY_SAMPLE:
    o->sample = option_number(state, "sample", arg, 0, 1000000000);
    return 0;
  case KEY_AFTER:
    o->after = option_time(state, "after", arg);
    return 0;

  case KEY_DEVICE:
    o->device = true;
    return 0;
  case KEY_PULSES:
    o->pulses = option_number(state, "pulses", arg, 1, 100000);
    return 0;

  case KEY_MODELS:
    o->models = arg;
    return 0;
  case KEY_CHECK:
    o->check = true;
    return 0;
  case KEY_TRUST:
    o->trust = true;
    return 0;

  case ARGP_KEY_ARG:
    if (o->n_words == MAX_WORDS)
      argp_error(state, "more than %d words", MAX_WORDS);
    o->word[o->n_words++] = arg;
    return 0;
  case ARGP_KEY_END:
    check_words(o, state);
    check_circuit(o, state);
    o->common.run = o->word[0];
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {
    option_table,
    parse,
    "RUN|CONFIG\n--models FOLDER\n--check FILE...",
    "A crossbar, the whole settling network, neurons that spike or a device of a run, or of a "
    "config's initial weights, as a netlist that 'ngspice -b' runs. Comments say what mho "
    "expects of every value it prints.\v"
    "Examples:\n"
    "  mho netlist last --device --pulses 100 > device.cir\n"
    "  mho netlist --check device.cir\n"
    "  mho netlist last --network --sample 3 --out net.cir && ngspice -b net.cir\n"
    "  mho netlist last --spikes --set settle.method=events --neurons 3 --out spikes.cir\n"
    "  mho netlist last --layer h1-h2 --transposed --r-word '1 ohm' --r-bit '1 ohm'",
    NULL,
    NULL,
    NULL};

/* ---------------------------------------------------------------- circuits of a network */

static mho_err read_ohms(const char *name, const char *text, double *out, mho_errinfo *ei) {
  mho_errinfo why;
  if (mho_quantity_parse(text, "ohm", false, out, &why))
    return mho_fail(ei, MHO_EINVAL, "--%s: %s", name, why.message);
  return MHO_OK;
}

static mho_err read_tile(const char *text, int tile[2], mho_errinfo *ei) {
  char end;
  int got = sscanf(text, "%dx%d%c", &tile[0], &tile[1], &end);
  if (got != 2 || tile[0] < 1 || tile[1] < 1)
    return mho_fail(ei, MHO_EINVAL, "--tile: '%s' is not ROWSxCOLS, for example 64x64", text);
  return MHO_OK;
}

static mho_err write_crossbar(const options *o, const subject *x, mho_trained_netlist *n,
                              char **text, mho_errinfo *ei) {
  double r_word, r_bit;
  int tile[2];
  mho_err err = mho_trainer_find(x->t, o->layer, &n->connection, ei);

  if (!err && o->r_word) {
    err = read_ohms("r-word", o->r_word, &r_word, ei);
    n->r_word = &r_word;
  }
  if (!err && o->r_bit) {
    err = read_ohms("r-bit", o->r_bit, &r_bit, ei);
    n->r_bit = &r_bit;
  }
  if (!err && o->tile) {
    err = read_tile(o->tile, tile, ei);
    n->tile = tile;
  }
  return err ? err : mho_trainer_netlist_crossbar(x->t, n, text, ei);
}

static mho_err write_circuit(const options *o, const subject *x, char **text, mho_errinfo *ei) {
  char of[128];
  bool stored = *x->id != 0;
  if (stored)
    snprintf(of, sizeof of, "run %.80s", x->id);
  else
    snprintf(of, sizeof of, "%.80s", o->common.run);
  if (o->after > 0)
    mho_text_append(of, sizeof of, " after %.4g s", o->after);

  mho_trained_netlist n = {.of = of,
                           .image = (int)o->sample,
                           .transposed = o->transposed,
                           .norton = o->norton,
                           .transient = o->transient,
                           .pulses = o->pulses ? (int)o->pulses : 50,
                           .seed = (uint64_t)o->sample,
                           .neurons = (int)o->neurons};

  if (o->device)
    return mho_trainer_netlist_device(x->t, &n, text, ei);
  if (o->spikes)
    return mho_trainer_netlist_spikes(x->t, &n, text, ei);
  if (o->network)
    return mho_trainer_netlist_network(x->t, &n, text, ei);
  return write_crossbar(o, x, &n, text, ei);
}

static mho_err netlist(const options *o, environment *s, mho_errinfo *ei) {
  subject x;
  char *text = NULL;
  mho_err err = subject_open(s, &o->common, MHO_STORE_READ, !o->device, o->after, &x, ei);
  if (err)
    return err;

  err = write_circuit(o, &x, &text, ei);
  if (!err)
    err = write_text(o->common.out, text, ei);
  mho_free(text);
  subject_close(&x);
  return err;
}

/* ---------------------------------------------------------------- subcircuits */

static mho_err write_lib(const options *o, const char *name, char *text, mho_errinfo *ei) {
  char path[1024];
  snprintf(path, sizeof path, "%.900s/%.100s.lib", o->models, name);
  mho_err err = write_text(path, text, ei);
  mho_free(text);
  return err;
}

static mho_err write_neuron(const options *o, const mho_neuron *neuron, mho_errinfo *ei) {
  char name[128], *text;
  snprintf(name, sizeof name, "neuron_%.100s", neuron->entry.id);
  mho_err err = mho_netlist_neuron_lib(neuron, &text, ei);
  return err ? err : write_lib(o, name, text, ei);
}

/* Write a device at the defaults of its keys; nothing where it has no circuit or needs a file of
 * the user's. */
static mho_err write_device(const options *o, const mho_device_model *m, mho_errinfo *ei) {
  mho_choice c = {.entry = &m->entry};
  mho_device_config config;
  char *text;

  mho_params_init(mho_device_params, &config);
  mho_params_init(m->entry.params, c.params);
  if (!m->spice || mho_device_check(m, c.params, &config, NULL))
    return MHO_OK;

  mho_netlist_device x = {.model = m, .params = c.params, .config = &config};
  mho_err err = mho_netlist_device_lib(&x, &text, ei);
  if (!err)
    err = write_lib(o, m->entry.id, text, ei);
  if (!err)
    printf("%s\n", m->entry.id);
  return err;
}

static mho_err write_models(const options *o, const mho_registry *r, mho_errinfo *ei) {
  for (int i = 0; i < mho_registry_count(r, MHO_KIND_NEURON); i++) {
    const mho_neuron *n = (const mho_neuron *)mho_registry_at(r, MHO_KIND_NEURON, i);
    mho_err err = n->spice ? write_neuron(o, n, ei) : MHO_OK;
    if (err)
      return err;
  }

  for (int i = 0; i < mho_registry_count(r, MHO_KIND_DEVICE); i++) {
    mho_err err =
        write_device(o, (const mho_device_model *)mho_registry_at(r, MHO_KIND_DEVICE, i), ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- netlists of any origin */

static void print_result(const char *path, const mho_cosim_row *row,
                         const mho_netlist_values *worst) {
  printf("%-4s  %s: %lld values, the worst is %s with %.2g of its margin",
         row->pass ? "pass" : "FAIL", path, (long long)row->n, row->place, row->max_rel);
  if (!row->pass)
    printf(" (expected %.9g +- %.2g, ngspice has %.9g)", worst->expected, worst->margin,
           worst->printed);
  putchar('\n');
}

static mho_err check_file(const options *o, const environment *s, const char *path, bool *pass,
                          mho_errinfo *ei) {
  char *text = NULL, *printed = NULL, place[MHO_PLACE_MAX];
  mho_spice_isolation how = {"/proc/self/exe", .timeout_s = 300, o->trust, &s->ctx};
  mho_cosim_row row;
  mho_netlist_values worst;
  size_t length;
  mho_err err = mho__file_bytes(path, &text, &length, ei);
  if (!err)
    err = mho_spice_isolated(&how, text, &printed, ei);
  if (!err)
    err = mho_netlist_compare(text, printed, &row, place, &worst, ei);

  if (err)
    snprintf(ei->file, sizeof ei->file, "%s", path);
  else
    print_result(path, &row, &worst);

  *pass = *pass && !err && row.pass;
  free(text);
  mho_free(printed);
  return err;
}

static mho_err check_files(const options *o, const environment *s, bool *pass, mho_errinfo *ei) {
  for (int i = 0; i < o->n_words; i++) {
    mho_err err = check_file(o, s, o->word[i], pass, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

static int run(int argc, char **argv) {
  options o = {0};
  parse_options(&argp, argc, argv, &o);

  environment s;
  mho_errinfo ei = {0};
  bool pass = true;
  mho_err err = environment_open(&s, 1, &ei);
  if (!err && o.models)
    err = write_models(&o, s.registry, &ei);
  else if (!err && o.check)
    err = check_files(&o, &s, &pass, &ei);
  else if (!err)
    err = netlist(&o, &s, &ei);
  environment_close(&s);

  if (err)
    return report_error(err, &ei);
  return pass ? EXIT_DONE : EXIT_FAILED;
}

const verb verb_netlist = {
    "netlist", "a crossbar, a device or the whole network as a circuit for ngspice", &argp, run};
