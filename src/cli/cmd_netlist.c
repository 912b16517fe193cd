/* cmd_netlist.c - mho netlist: a crossbar or the whole settling network as a circuit for ngspice.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/drive.h"

enum { MAX_WORDS = 1024 };
typedef struct options {
  common_options common;
  const char *layer, *r_word, *r_bit, *tile, *models;
  bool network, device, check, transposed, norton, transient;
  long sample, pulses;
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
  KEY_DEVICE,
  KEY_PULSES,
  KEY_MODELS,
  KEY_CHECK,
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
    {"device", KEY_DEVICE, NULL, 0, "one device under pulses at random", 0},
    {"pulses", KEY_PULSES, "N", 0, "so many (default 50)", 0},
    {"sample", KEY_SAMPLE, "N", 0, "number of the test image (default 0)", 0},
    {"after", KEY_AFTER, "TIME", 0,
     "with conductances as they are a time after programming: 1h, 1d, 1mo", 0},
    OPT_OUT("write there instead of to standard output"),
    {"models", KEY_MODELS, "FOLDER", 0,
     "instead: write the subcircuits of all neurons and devices there, as .lib files; prints the devices' "
     "names",
     0},
    {"check", KEY_CHECK, NULL, 0,
     "instead: run these netlists, each in a process of its own, and compare what they print with their "
     "comments",
     0},
    {0}};

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
  case ARGP_KEY_ARG:
    if (o->n_words == MAX_WORDS)
      argp_error(state, "more than %d words", MAX_WORDS);
    o->word[o->n_words++] = arg;
    return 0;
  case ARGP_KEY_END:
    if (o->models ? o->n_words > 0 : o->check ? o->n_words < 1 : o->n_words != 1)
      argp_error(
          state, "%s",
          o->models ? "--models takes no RUN or CONFIG"
          : o->check
              ? "check which netlists?"
              : "write the netlist of what? a RUN ('mho runs' lists them), last, or a CONFIG");
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
    "A crossbar, the whole settling network or a device of a run, or of a config's initial weights, as a "
    "netlist "
    "that 'ngspice -b' runs. Comments say what mho expects of every value it prints.\v"
    "Examples:\n"
    "  mho netlist last --device --pulses 100 > device.cir\n"
    "  mho netlist --check device.cir\n"
    "  mho netlist last --network --sample 3 --out net.cir && ngspice -b net.cir\n"
    "  mho netlist last --layer h1-h2 --transposed --r-word '1 ohm' --r-bit '1 ohm'",
    NULL,
    NULL,
    NULL};

/* ---------------------------------------------------------------- the two circuits */

static mho_err ohms(const char *name, const char *text, double *out, mho_errinfo *ei) {
  mho_errinfo why;
  if (text && mho_quantity_parse(text, "ohm", false, out, &why))
    return mho_fail(ei, MHO_EINVAL, "--%s: %s", name, why.message);
  return MHO_OK;
}

static mho_err read_wires(const options *o, mho_netlist_crossbar *x, mho_errinfo *ei) {
  char end;
  mho_err err = ohms("r-word", o->r_word, &x->r_word, ei);
  if (!err)
    err = ohms("r-bit", o->r_bit, &x->r_bit, ei);
  if (!err && o->tile &&
      (sscanf(o->tile, "%dx%d%c", &x->tile[0], &x->tile[1], &end) != 2 || x->tile[0] < 1 ||
       x->tile[1] < 1))
    err = mho_fail(ei, MHO_EINVAL, "--tile: '%s' is not ROWSxCOLS, for example 64x64", o->tile);
  return err;
}

static mho_err crossbar_text(const options *o, const subject *of_run, const char *of, char **text,
                             mho_errinfo *ei) {
  const mho_connection *k = subject_connection(of_run, o->layer, ei);
  if (!k)
    return MHO_ENOTFOUND;
  size_t n = (size_t)k->xb->rows * (size_t)k->xb->cols,
         lines = (size_t)(k->xb->rows > k->xb->cols ? k->xb->rows : k->xb->cols);
  double *g_pos = mho_alloc(n, sizeof *g_pos), *g_neg = mho_alloc(n, sizeof *g_neg), g_unit,
         *v = mho_alloc(lines, sizeof *v), *expected = mho_alloc(lines, sizeof *expected);
  mho_err err = g_pos && g_neg && v && expected
                    ? MHO_OK
                    : mho_fail(ei, MHO_ENOMEM, "no memory for a crossbar");
  if (!err) {
    char title[400], place[96];
    err = subject_drive(of_run, k, o->transposed, (int)o->sample, v, place, ei);
    for (int i = 0; i < (o->transposed ? k->xb->cols : k->xb->rows); i++)
      v[i] *= k->xb->read_voltage;
    snprintf(title, sizeof title, "crossbar %s of %s, read of test image %ld%s", k->name, of,
             o->sample, place);
    mho_netlist_siemens(k->xb, &of_run->e->device_config, 0, g_pos, g_neg, &g_unit);
    mho_netlist_crossbar x = {.rows = k->xb->rows,
                              .cols = k->xb->cols,
                              .g_pos = g_pos,
                              .g_neg = g_neg,
                              .v_in = v,
                              .transposed = o->transposed,
                              .control = true,
                              .tolerance = 1e-9,
                              .title = title};
    if (!err)
      err = subject_wires(of_run, k, &x, ei); /* unless others are given */
    if (!err)
      err = read_wires(o, &x, ei);
    if (!err)
      err = mho_netlist_crossbar_currents(&x, expected, ei);
    x.expected = expected;
    if (!err)
      err = mho_netlist_crossbar_write(&x, text, ei);
  }
  mho_free(g_pos);
  mho_free(g_neg);
  mho_free(v);
  mho_free(expected);
  return err;
}

static mho_err network_text(const options *o, const subject *of_run, const subject_states *s,
                            const char *of, char **text, mho_errinfo *ei) {
  const mho_network *net = mho_trainer_network(of_run->t);
  char title[256];
  double stop = 0;
  mho_err err = subject_error_held(of_run, ei);
  snprintf(title, sizeof title, "network of %s, test image %ld (class %d)", of, o->sample,
           s->label[0]);
  if (!err && o->transient)
    err = mho_netlist_settling_time(net, (const double *const *)s->free, 100e-9, &stop, ei);
  if (!err && o->transient && !isfinite(stop))
    err = mho_fail(ei, MHO_EDIVERGED,
                   "test image %ld has no stable state of rest: lower feedback.scale", o->sample);
  if (err)
    return err;
  return mho_netlist_network_write(
      &(mho_netlist_network){.net = net,
                             .device = &of_run->e->device_config,
                             .x = s->free[0],
                             .error = s->error,
                             .nudge = subject_nudge(of_run),
                             .inputs = o->norton ? MHO_NETLIST_NORTON : MHO_NETLIST_FULL,
                             .transient = o->transient,
                             .stop = stop,
                             .control = true,
                             .free = (const double *const *)s->free,
                             .nudged = (const double *const *)s->nudged,
                             .tolerance = 1e-6,
                             .title = title},
      text, ei);
}

static mho_err device_text(const options *o, const subject *of_run, const char *of, char **text,
                           mho_errinfo *ei) {
  int n = o->pulses ? (int)o->pulses : 50;
  int8_t *pulse = mho_alloc((size_t)n, 1);
  double *expected = mho_alloc((size_t)n, sizeof *expected);
  mho_err err = pulse && expected ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for %d pulses", n);
  if (!err) {
    char title[256];
    snprintf(title, sizeof title, "device %s of %s under %d pulses", of_run->e->device.entry->id,
             of, n);
    mho_netlist_random_pulses((uint64_t)o->sample, n, pulse);
    mho_netlist_device x = {.model = (const mho_device_model *)of_run->e->device.entry,
                            .params = of_run->e->device.params,
                            .config = &of_run->e->device_config,
                            .n = n,
                            .pulse = pulse,
                            .start = 0.5,
                            .tolerance = 1e-6,
                            .control = true,
                            .title = title};
    err = mho_cosim_device_core(&x, expected, ei);
    x.expected = expected;
    if (!err)
      err = mho_netlist_device_write(&x, text, ei);
  }
  mho_free(pulse);
  mho_free(expected);
  return err;
}

static mho_err netlist(const options *o, session *s, mho_errinfo *ei) {
  subject x;
  subject_states settled = {0};
  char *text = NULL, of[128];
  mho_err err = subject_open(s, &o->common, MHO_STORE_READ, !o->device, o->after, &x, ei);
  if (err)
    return err;
  snprintf(of, sizeof of, *x.id ? "run %.80s" : "%.80s", *x.id ? x.id : o->common.run);
  if (o->after > 0)
    mho_text_append(of, sizeof of, " after %.4g s", o->after);
  if (o->device)
    err = device_text(o, &x, of, &text, ei);
  else if (!o->network)
    err = crossbar_text(o, &x, of, &text, ei);
  else if (!(err = subject_settle(&x, (int)o->sample, &settled, ei)))
    err = network_text(o, &x, &settled, of, &text, ei);
  if (!err)
    err = write_text(o->common.out, text, ei);
  mho_free(text);
  subject_states_free(&settled);
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

static mho_err write_models(const options *o, session *s, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  char name[128], *text;
  for (int i = 0; i < mho_registry_count(s->registry, MHO_KIND_NEURON) && !err; i++) {
    const mho_neuron *n = (const mho_neuron *)mho_registry_at(s->registry, MHO_KIND_NEURON, i);
    if (!n->spice)
      continue;
    snprintf(name, sizeof name, "neuron_%.100s", n->entry.id);
    err = mho_netlist_neuron_lib(n, &text, ei);
    if (!err)
      err = write_lib(o, name, text, ei);
  }
  for (int i = 0; i < mho_registry_count(s->registry, MHO_KIND_DEVICE) && !err; i++) {
    const mho_device_model *m =
        (const mho_device_model *)mho_registry_at(s->registry, MHO_KIND_DEVICE, i);
    mho_choice c = {.entry = &m->entry};
    mho_device_config config;
    mho_params_init(mho_device_params, &config);
    mho_params_init(m->entry.params, c.params);
    if (!m->spice || mho_device_check(m, c.params, &config, NULL)) /* needs a file of the user's */
      continue;
    err = mho_netlist_device_lib(
        &(mho_netlist_device){.model = m, .params = c.params, .config = &config}, &text, ei);
    if (!err)
      err = write_lib(o, m->entry.id, text, ei);
    if (!err)
      printf("%s\n", m->entry.id);
  }
  return err;
}

/* ---------------------------------------------------------------- netlists of any origin */

static mho_err read_file(const char *path, char **out, mho_errinfo *ei) {
  FILE *f = fopen(path, "rb");
  size_t n = 0, capacity = 1 << 16;
  char *text = f ? malloc(capacity) : NULL;
  while (text && !feof(f) && !ferror(f)) {
    n += fread(text + n, 1, capacity - n - 1, f);
    if (n + 1 == capacity) {
      char *more = realloc(text, capacity *= 2);
      if (!more)
        free(text);
      text = more;
    }
  }
  bool ok = text && !ferror(f);
  if (f)
    fclose(f);
  if (!ok) {
    free(text);
    return mho_fail_at(ei, MHO_EIO, path, 0, "cannot read the netlist");
  }
  text[n] = 0;
  *out = text;
  return MHO_OK;
}

static mho_err check_file(const char *path, bool *pass, mho_errinfo *ei) {
  enum { TIMEOUT_S = 300 };
  char *text = NULL, *printed = NULL, place[MHO_PLACE_MAX];
  mho_cosim_row row;
  mho_err err = read_file(path, &text, ei);
  if (!err)
    err = mho_spice_isolated("/proc/self/exe", text, TIMEOUT_S, &printed, ei);
  if (!err)
    err = mho_netlist_compare(text, printed, &row, place, ei);
  if (err)
    snprintf(ei->file, sizeof ei->file, "%s", path);
  else
    printf("%-4s  %s: %lld values, the worst is %s with %.2g of its margin\n",
           row.pass ? "pass" : "FAIL", path, (long long)row.n, row.place, row.max_rel);
  *pass = *pass && !err && row.pass;
  free(text);
  mho_free(printed);
  return err;
}

static mho_err check_files(const options *o, bool *pass, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  for (int i = 0; i < o->n_words && !err; i++)
    err = check_file(o->word[i], pass, ei);
  return err;
}

static int run(int argc, char **argv) {
  options o = {0};
  bool pass = true;
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  session s;
  mho_errinfo ei = {0};
  mho_err err = session_open(&s, 1, &ei);
  if (!err)
    err = o.models  ? write_models(&o, &s, &ei)
          : o.check ? check_files(&o, &pass, &ei)
                    : netlist(&o, &s, &ei);
  session_close(&s);
  return err ? report_error(err, &ei) : pass ? EXIT_DONE : EXIT_FAILED;
}

const verb verb_netlist = {
    "netlist", "a crossbar, a device or the whole network as a circuit for ngspice", run};
