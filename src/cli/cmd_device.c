/* cmd_device.c - mho device: device models and cards, their curves, and fits to measured pulses.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "experiment/table_fit.h"
#include "mho/model/check.h"
#include "mho/report.h"

enum { OPTIONS_MAX = 24 };
typedef struct options {
  common_options common;
  bool given[OPTIONS_MAX]; /**< by place in option_table */
  long cells, set, reset, cycles, seed;
  const char *plot, *model, *fixed;
  const char *waves;       /**< a file of waveforms, for the curve of two spikes */
  mho_pulse_format format; /**< of the table to fit */
  bool iv;                 /**< it has I-V sweeps */
} options;

enum {
  KEY_CELLS = 0x200,
  KEY_SET,
  KEY_RESET,
  KEY_CYCLES,
  KEY_SEED,
  KEY_PLOT,
  KEY_MODEL,
  KEY_UNIT,
  KEY_FIX,
  KEY_READ_VOLTAGE,
  KEY_G,
  KEY_UP,
  KEY_DOWN,
  KEY_IV,
  KEY_STDP
};
static const struct argp_option option_table[] = {
    OPT_SET,
    OPT_JSON,
    {"plot", KEY_PLOT, "FILE", 0, "curve, fit: draw into FILE.svg or FILE.png", 0},
    {"cells", KEY_CELLS, "N", 0, "curve: size of the population (default 1000)", 0},
    {"pulses", KEY_SET, "N", 0, "curve: SET pulses of a cycle (default: about from end to end)", 0},
    {"reset-pulses", KEY_RESET, "N", 0, "curve: RESET pulses (default: as many)", 0},
    {"cycles", KEY_CYCLES, "N", 0, "curve: cycles (default 1)", 0},
    {"seed", KEY_SEED, "N", 0, "curve: of spread and noise (default 1)", 0},
    {"stdp", KEY_STDP, "FILE", 0,
     "curve: the change by the waveforms of two spikes against the time between them", 0},
    {"model", KEY_MODEL, "NAME|all|read", 0, "fit: the model, or 'all' to compare them (default)",
     0},
    {"unit", KEY_UNIT, "UNIT", 0,
     "fit: unit of the readings: of conductance, resistance or current (default S, ohm or A, as "
     "the column's name says)",
     0},
    {"read-voltage", KEY_READ_VOLTAGE, "V", 0, "fit: at which currents were read ('0.1 V')", 0},
    {"g", KEY_G, "COLUMNS", 0, "fit: columns with readings, one a device ('cell*')", 0},
    {"up", KEY_UP, "COLUMNS", 0, "fit: columns with the readings of SET pulses, one a device", 0},
    {"down", KEY_DOWN, "COLUMNS", 0, "fit: columns with the readings of RESET pulses", 0},
    {"iv", KEY_IV, NULL, 0,
     "fit: the CSV has I-V sweeps (v, i, t) and the model knows voltages: vteam, yakopcic, "
     "linear_ion; --model read: of one state, for the law of a read",
     0},
    {"fix", KEY_FIX, "NAMES", 0, "fit: parameters that keep their values ('slope_up slope_down')",
     0},
    OPT_OUT("curve, fit: write the CSV, or the device card, there instead of to standard output"),
    {0}};
_Static_assert(MHO_COUNT(option_table) <= OPTIONS_MAX, "one flag an option");

/* What an option is for stands before the colon of its help ("curve, fit: ..."); elsewhere it is
 * refused rather than passed over. */
static void refuse_strange_options(struct argp_state *state, const options *o, const char *what) {
  for (int i = 0; i < MHO_COUNT(option_table); i++) {
    const char *doc = option_table[i].doc;
    const char *colon = doc ? strchr(doc, ':') : NULL;
    if (!o->given[i] || !colon)
      continue;
    const char *own = strstr(doc, what);
    if (!own || own > colon)
      argp_error(state, "--%s is of mho device %.*s, not of %s", option_table[i].name,
                 (int)(colon - doc), doc, what);
  }
}

/* Whether an option is of a population's curve, and not of the mean device's under waveforms. */
static bool is_of_pulses(int key) {
  return key == KEY_CELLS || key == KEY_SET || key == KEY_RESET || key == KEY_CYCLES ||
         key == KEY_SEED;
}

static void check_words(struct argp_state *state, const options *o) {
  const char *what = option_word(&o->common, 0);
  if (!what || (strcmp(what, "list") && strcmp(what, "show") && strcmp(what, "curve") &&
                strcmp(what, "fit")))
    argp_error(state, "say what: list, show NAME, curve NAME, or fit CSV");
  if (strcmp(what, "list") && !option_word(&o->common, 1))
    argp_error(state, "%s which %s? 'mho device list' names the devices", what,
               strcmp(what, "fit") ? "device" : "CSV file");
  refuse_strange_options(state, o, what);
  for (int i = 0; o->waves && i < MHO_COUNT(option_table); i++)
    if (o->given[i] && is_of_pulses(option_table[i].key))
      argp_error(state, "--%s is of curves by pulses: leave it out with --stdp",
                 option_table[i].name);
}

static double option_volts(struct argp_state *state, const char *arg) {
  double v;
  mho_errinfo ei = {0};
  if (mho_quantity_parse(arg, "V", true, &v, &ei))
    argp_error(state, "--read-voltage: %s", ei.message);
  if (v == 0)
    argp_error(state, "--read-voltage: nothing is read at 0 V");
  return v;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  for (int i = 0; i < MHO_COUNT(option_table); i++)
    o->given[i] |= option_table[i].key && option_table[i].key == key;

  switch (key) {
  case KEY_CELLS:
    o->cells = option_number(state, "cells", arg, 1, 10000000);
    return 0;
  case KEY_SET:
    o->set = option_number(state, "pulses", arg, 1, 1000000);
    return 0;
  case KEY_RESET:
    o->reset = option_number(state, "reset-pulses", arg, 0, 1000000);
    return 0;
  case KEY_CYCLES:
    o->cycles = option_number(state, "cycles", arg, 1, 10000);
    return 0;
  case KEY_SEED:
    o->seed = option_number(state, "seed", arg, 0, 2000000000);
    return 0;
  case KEY_PLOT:
    o->plot = arg;
    return 0;
  case KEY_MODEL:
    o->model = arg;
    return 0;
  case KEY_UNIT:
    o->format.unit = arg;
    return 0;
  case KEY_READ_VOLTAGE:
    o->format.read_voltage = option_volts(state, arg);
    return 0;
  case KEY_IV:
    o->iv = true;
    return 0;
  case KEY_G:
    o->format.g = arg;
    return 0;
  case KEY_UP:
    o->format.up = arg;
    return 0;
  case KEY_DOWN:
    o->format.down = arg;
    return 0;
  case KEY_FIX:
    o->fixed = arg;
    return 0;
  case KEY_STDP:
    o->waves = arg;
    return 0;

  case ARGP_KEY_END:
    check_words(state, o);
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

VERB_ARGP(
    "list\nshow NAME\ncurve NAME\nfit CSV",
    "Device models and cards: how a conductance answers pulses.\v"
    "NAME is a model or a card (a name, or a file); where both have it, it is the card: "
    "'model:NAME' is the model. curve prints the conductance of a population after every "
    "pulse as CSV: mean, standard deviation, quantiles (S). With --stdp FILE it prints what the "
    "waveforms of two spikes, of the row and of the column at the device, do to its mean from "
    "device.start on, against the time between the spikes: difference_s, before_S, after_S, "
    "change_S. FILE is YAML with row and column, each a list of pieces '0.3 V for 10 us' "
    "(constant), '0.4 V to 0 V in 50 us' (a ramp), '0.4 V tau 20 us for 60 us' (exponential), and "
    "if one likes from, to and points; the device sees row less column.\n\n"
    "fit takes a CSV whose first line names its columns: the reading, g (conductance), r "
    "(resistance) or i (current, with --read-voltage or a column read_voltage); and direction (up "
    "or down; set, reset, ltp, ltd, 1, -1), or voltage, of the pulse, whose sign is the direction "
    "(0: a reading without a pulse). Where there are several, device, cycle and pulse (counted "
    "from 1 anew at every change of direction; 0 is the state before; rows of one number are "
    "readings of one state). Wide tables, which have a column a device or columns of SET and "
    "RESET pulses, are taken with --g, or --up and --down. It gives each parameter with its 95 % "
    "confidence interval, the noise of a pulse and of a reading, and the device-to-device spread. "
    "With --iv the CSV has I-V sweeps: v, i (of the sign of v, under device.iv), t (s; without it "
    "each row lasts device.width), device, cycle; a model that knows voltages is fitted to them, "
    "with its thresholds; --model read takes sweeps of one state for the law of a read. "
    "Without --model all models are compared by Schwarz's criterion, on the same readings and in "
    "units of what they span. The range is that of the data unless "
    "--set device.g_min and device.g_max say otherwise.\n\n"
    "Examples:\n  mho device list\n  mho device show ecram\n"
    "  mho device curve ecram --plot ecram.svg > ecram.csv\n"
    "  mho device curve soft_bounds --set device.step_up=0.01 --cycles 3\n"
    "  mho device curve vteam --stdp waves.yaml --plot window.svg > window.csv\n"
    "  mho device curve model:pcm | head\n"
    "  mho device fit pulses.csv --unit uS --model soft_bounds -o mine.yaml --plot fit.svg\n"
    "  mho train --set device.card=mine.yaml --set update.scheme=accumulate");

/* ---------------------------------------------------------------- models and cards */

enum { CARD_PATH_MAX = 2 * MHO_TEXT_MAX };

static const mho_device_model *model_of(const mho_experiment *e) {
  return (const mho_device_model *)e->device.entry;
}

/* The step of a pulse as a share of the range; "any" where weights are written at will, "-" where
 * it is not known. */
static void step_text(const mho_experiment *e, char *out, size_t n) {
  const mho_device_model *m = model_of(e);
  if (mho_experiment_only_writes(e))
    snprintf(out, n, "-");
  else if (m->pulse)
    snprintf(out, n, "%.3g", mho_device_nominal_step(m, e->device.params, &e->device_config));
  else
    snprintf(out, n, "any");
}

typedef enum kind { MODEL, CARD } kind;

static bool is_model(const environment *s, const char *name) {
  return mho_registry_find(s->registry, MHO_KIND_DEVICE, name) != NULL;
}

static bool is_card(const char *name) {
  char file[CARD_PATH_MAX];
  return !mho_card_find(name, NULL, file, sizeof file, NULL);
}

/* What a name means, by its 'model:' or 'card:', which it loses, or else by what there is. */
static kind kind_of(const environment *s, const char **name) {
  return mho_device_is_card(s->registry, name) ? CARD : MODEL;
}

/* A name that is a model's and a card's deserves a word on which was taken. */
static void say_which(const environment *s, const char *name, const char *asked, kind k) {
  if (name == asked && is_model(s, name) && is_card(name))
    fprintf(stderr, "note: '%s' is a card and a model; this is the %s ('model:%s' is the model)\n",
            name, k == MODEL ? "model" : "card", name);
}

/* The device of a model or a card, with the --set options. */
static mho_err device_of(const options *o, const environment *s, const char *name, kind k,
                         mho_experiment **out, mho_errinfo *ei) {
  char word[MHO_TEXT_MAX];
  snprintf(word, sizeof word, "%s:%s", k == MODEL ? "model" : "card", name);
  return mho_experiment_of_device(s->registry, word, o->common.n_set, o->common.set, out, ei);
}

/* The file of a card, and what is in it. */
static mho_err open_card(const char *name, char path[CARD_PATH_MAX], mho_config **card,
                         mho_errinfo *ei) {
  mho_err err = mho_card_find(name, NULL, path, CARD_PATH_MAX, ei);
  if (!err)
    err = mho_card_read(path, card, ei);
  return err;
}

/* ---------------------------------------------------------------- list and show */

static void list_model(const options *o, const environment *s, const mho_entry *entry, table *t) {
  char step[64] = "-"; /* of a model that needs a file of the user's */
  mho_experiment *e;
  if (!device_of(o, s, entry->id, MODEL, &e, NULL))
    step_text(e, step, sizeof step);
  mho_experiment_free(e);
  table_row(t, (const char *[]){entry->id, "model", step, entry->title});
}

static mho_err list_card(const options *o, const environment *s, const char *name, table *t,
                         mho_errinfo *ei) {
  char path[CARD_PATH_MAX], step[64], title[160];
  mho_config *card = NULL;
  mho_experiment *e = NULL;

  mho_err err = open_card(name, path, &card, ei);
  if (!err)
    err = device_of(o, s, name, CARD, &e, ei);
  if (!err) {
    step_text(e, step, sizeof step);
    snprintf(title, sizeof title, "%s (%s)", mho_card_text(card, "title"), e->device.entry->id);
    table_row(t, (const char *[]){name, "card", step, title});
  }

  mho_experiment_free(e);
  mho_config_free(card);
  return err;
}

static mho_err list_devices(const options *o, const environment *s, mho_errinfo *ei) {
  table *t = table_new(4, (const char *[]){"DEVICE", "KIND", "STEP/RANGE", "WHAT IT IS"});
  for (int i = 0; i < mho_registry_count(s->registry, MHO_KIND_DEVICE); i++)
    list_model(o, s, mho_registry_at(s->registry, MHO_KIND_DEVICE, i), t);

  int n;
  mho_err err = MHO_OK;
  char **cards = mho_cards_list(&n);
  for (int i = 0; i < n; i++) {
    if (!err)
      err = list_card(o, s, cards[i], t, ei);
    free(cards[i]);
  }

  free(cards);
  table_print(t);
  return err;
}

static void print_about(const mho_config *card, const char *what) {
  const char *text = mho_card_text(card, what);
  if (*text)
    printf("  %-7s %s\n", what, text);
}

static mho_err show_card(const options *o, const environment *s, const char *name,
                         mho_errinfo *ei) {
  char path[CARD_PATH_MAX];
  mho_config *card = NULL;
  mho_experiment *e = NULL;

  mho_err err = device_of(o, s, name, CARD, &e, ei);
  if (!err)
    err = open_card(name, path, &card, ei);

  char *yaml = err ? NULL : mho_experiment_yaml(e, true);
  if (yaml) {
    printf("%s - %s\n  file    %s\n", name, mho_card_text(card, "title"), path);
    print_about(card, "source");
    print_about(card, "valid");
    print_about(card, "note");
    printf("  model   %s: %s\n\n%s", e->device.entry->id, e->device.entry->equation, yaml);
  }

  free(yaml);
  mho_config_free(card);
  mho_experiment_free(e);
  return err;
}

static mho_err show_device(const options *o, const environment *s, mho_errinfo *ei) {
  const char *asked = o->common.word[1], *name = asked;
  kind k = kind_of(s, &name);
  const mho_entry *e = mho_registry_find(s->registry, MHO_KIND_DEVICE, name);

  if (k == MODEL && !e)
    return mho_fail(ei, MHO_ECONFIG, "there is no device model '%s'; 'mho device list' names them",
                    name);
  if (k == CARD && (!e || name != asked))
    return show_card(o, s, name, ei);

  /* of a card that has the model's name both are shown */
  if (k == CARD) {
    mho_err err = show_card(o, s, e->id, ei);
    if (err)
      return err;
    printf("\nthe model ");
  }
  print_entry(e, "device");
  printf("\nof every device:\n");
  print_params("device", mho_device_params);
  return MHO_OK;
}

/* ---------------------------------------------------------------- curve */

/* "card ecram" as gnuplot takes it. */
static void title_of(kind k, const char *name, char *out, size_t n) {
  snprintf(out, n, "%s %.80s", k == MODEL ? "model" : "card", name);
  for (char *t = out; *t; t++)
    if (strchr("\"\\`$", *t))
      *t = ' ';
}

static mho_err plot_curve(const options *o, const char *name, kind k, const mho_curve_point *p,
                          int n, mho_errinfo *ei) {
  char title[160];
  title_of(k, name, title, sizeof title);
  mho_text_append(title, sizeof title, ", %d cells", (int)o->cells);
  return mho_pulse_plot_draw(&(mho_pulse_plot){.title = title, .curve = p, .n = n}, 1, o->plot, ei);
}

static void write_curve(FILE *f, const mho_curve_point *p, int n) {
  fprintf(f, "cycle,direction,pulse,mean,deviation,q05,q25,q50,q75,q95\n");
  for (int i = 0; i < n; i++)
    fprintf(f, "%d,%s,%d,%.9g,%.6g,%.9g,%.9g,%.9g,%.9g,%.9g\n", p[i].cycle,
            p[i].direction > 0 ? "up" : "down", p[i].pulse, p[i].mean, p[i].deviation, p[i].q05,
            p[i].q25, p[i].q50, p[i].q75, p[i].q95);
}

/* Whether a curve begins where --set says, not at the low bounds. */
static bool sets_start(const options *o) {
  for (int i = 0; i < o->common.n_set; i++)
    if (!strncmp(o->common.set[i], "device.start=", strlen("device.start=")))
      return true;
  return false;
}

/* Say why a curve is flat, as with a window function that is 0 at the bound where it begins. */
static void note_flat(const mho_curve_point *p, int n) {
  for (int i = 1; i < n; i++)
    if (fabs(p[i].mean - p[0].mean) > 1e-9 * fabs(p[0].mean))
      return;
  fprintf(stderr, "mho: the curve is flat: no pulse moves this device from where it begins; "
                  "--set device.start=0.3 begins elsewhere\n");
}

/* A curve is not written over the table that its device is. */
static mho_err check_table(const options *o, const mho_experiment *e, mho_errinfo *ei) {
  char table_file[MHO_TEXT_MAX];
  const mho_param *p = mho_params_find(e->device.entry->params, "table");
  if (!p || !o->common.out)
    return MHO_OK;

  mho_param_format(p, e->device.params, true, table_file, sizeof table_file);
  if (!is_same_file(o->common.out, table_file))
    return MHO_OK;
  return mho_fail(ei, MHO_EINVAL,
                  "-o %s is the table of this device, which is read: give another file",
                  o->common.out);
}

static void say_wider(const mho_experiment *e) {
  char wider[MHO_MESSAGE_MAX];
  if (mho_device_range_is_wider(model_of(e), e->device.params, &e->device_config, wider,
                                sizeof wider))
    fprintf(stderr, "mho: %s\n", wider);
}

/* The curve of a population by pulses. */
static mho_err curve_by_pulses(const options *o, const environment *s, const mho_experiment *e,
                               const char *name, kind k, mho_errinfo *ei) {
  mho_curve_point *p = NULL;
  int n = 0;
  mho_curve_options c = {
      .cells = (int)o->cells, .cycles = (int)o->cycles, .seed = (uint64_t)o->seed, .ctx = &s->ctx};
  c.from_start = sets_start(o);
  c.set = (int)o->set; /* 0: about from end to end */
  c.reset = (int)o->reset;

  mho_err err = mho_experiment_curve(e, &c, &p, &n, ei);
  if (!err)
    note_flat(p, n);
  if (!err)
    say_wider(e);
  if (!err && o->plot)
    err = plot_curve(o, name, k, p, n, ei);

  out_file out = {.f = NULL};
  if (!err)
    out = open_out(o->common.out, &err, ei);
  if (out.f)
    write_curve(out.f, p, n);
  err = close_out(&out, err, ei);
  mho_free(p);
  return err;
}

/* The change of the mean device by two spikes. */
static mho_err curve_by_waves(const options *o, const mho_experiment *e, const char *name, kind k,
                              mho_errinfo *ei) {
  mho_overlap_point *p = NULL;
  int n = 0;
  char title[160];
  title_of(k, name, title, sizeof title);

  mho_err err = mho_experiment_overlaps(e, o->waves, &p, &n, ei);
  if (!err)
    say_wider(e);
  if (!err && o->plot)
    err = mho_overlap_plot_draw(title, p, n, o->plot, ei);

  out_file out = {.f = NULL};
  if (!err)
    out = open_out(o->common.out, &err, ei);
  if (out.f)
    fprintf(out.f, "difference_s,before_S,after_S,change_S\n");
  for (int i = 0; out.f && i < n; i++)
    fprintf(out.f, "%.12g,%.12g,%.12g,%.9g\n", p[i].difference, p[i].before, p[i].after,
            p[i].after - p[i].before);
  err = close_out(&out, err, ei);
  mho_free(p);
  return err;
}

static mho_err curve(const options *o, const environment *s, mho_errinfo *ei) {
  mho_experiment *e;
  const char *name = o->common.word[1];
  kind k = kind_of(s, &name);
  idle_use use = o->waves ? USE_WAVES : USE_CURVE;

  mho_err err = device_of(o, s, name, k, &e, ei);
  if (err)
    return err;

  say_which(s, name, o->common.word[1], k);
  err = check_table(o, e, ei);
  if (!err)
    err = name_idle_sets(NULL, use, o->common.n_set, o->common.set, false, ei);
  if (!err && o->waves)
    err = curve_by_waves(o, e, name, k, ei);
  else if (!err)
    err = curve_by_pulses(o, s, e, name, k, ei);

  mho_experiment_free(e);
  return err;
}

/* ---------------------------------------------------------------- fit of a model */

/* A line of the comparison. */
static void print_model(table *t, const mho_fitted_model *each) {
  char parameters[16], used[16], outliers[16], explained[16], criterion[32];
  char undetermined[256], remark[300] = "";
  const mho_fit *f = &each->fit;
  const char *id = each->model->entry.id;
  if (!each->fits) {
    table_row(t, (const char *[]){id, "", "", "", "", "", each->why});
    return;
  }

  mho_fit_undetermined(f, undetermined, sizeof undetermined);
  snprintf(parameters, sizeof parameters, "%d + %d", f->n, f->noises);
  snprintf(used, sizeof used, "%d", f->used);
  snprintf(outliers, sizeof outliers, "%d", f->outliers);
  snprintf(explained, sizeof explained, "%.2f", 100 * f->explained);
  snprintf(criterion, sizeof criterion, "%.1f", mho_fit_criterion(f));
  if (*undetermined)
    snprintf(remark, sizeof remark, "not determined: %s", undetermined);
  table_row(t, (const char *[]){id, parameters, used, outliers, explained, criterion, remark});
}

/* Every model that was compared, one line each; the best by Schwarz's criterion. */
static void print_models(const mho_fitted *f) {
  static const char *const head[] = {"MODEL",       "PARAMETERS + NOISES", "USED",  "OUTLIERS",
                                     "EXPLAINED %", "CRITERION",           "REMARK"};
  const mho_fit *best = &f->each[f->best].fit;
  table *t = table_new(MHO_COUNT(head), head);
  for (int i = 0; i < f->n; i++)
    print_model(t, &f->each[i]);
  table_print(t);
  printf("\nby Schwarz's criterion on the same %d readings: %s\n\n", best->compared,
         best->model->entry.id);
}

static void print_value(table *t, const mho_fit_value *v) {
  const char *unit = v->param->unit;
  char name[80], value[64], error[64], interval[128];

  snprintf(name, sizeof name, "%s", v->name);
  if (*unit)
    mho_text_append(name, sizeof name, " (%s)", unit);
  snprintf(value, sizeof value, "%.6g", v->value);
  snprintf(error, sizeof error, v->determined ? "%.2g" : "-", v->error);
  if (v->determined)
    snprintf(interval, sizeof interval, "%.5g to %.5g", v->low, v->high);
  else
    snprintf(interval, sizeof interval, "not determined");
  table_row(t, (const char *[]){name, value, error, interval});
}

static void print_spread(const mho_fit *f) {
  bool step = isfinite(f->spread_step), asymmetry = isfinite(f->spread_asymmetry);
  if (step)
    printf("device-to-device       step %.4g +- %.2g%s", f->spread_step, f->spread_step_error,
           asymmetry ? "" : "\n");
  if (asymmetry)
    printf(", asymmetry %.4g +- %.2g (relative)\n", f->spread_asymmetry, f->spread_asymmetry_error);
  if (!step)
    printf("device-to-device       not told by %d device%s\n", f->devices,
           f->devices == 1 ? "" : "s");
}

static void print_fit(const mho_fit *f) {
  char undetermined[256];
  printf("%s: %s%s%s\n", f->model->entry.id, f->model->entry.equation, f->form ? "; with " : "",
         f->form ? f->form : "");
  table *t = table_new(4, (const char *[]){"PARAMETER", "VALUE", "ERROR", "95 % CONFIDENCE"});
  for (int i = 0; i < f->n; i++)
    print_value(t, &f->value[i]);
  table_print(t);

  printf("\nnoise of a pulse       %.4g of its step, %.4g of the range\n", f->pulse_relative,
         f->pulse_add);
  printf("noise of a reading     %.4g S\n", f->read);
  print_spread(f);
  mho_fit_undetermined(f, undetermined, sizeof undetermined);
  if (*undetermined)
    printf(
        "not determined         %s: these data fit next to any value of them; --fix what is known, "
        "or measure more of the range\n",
        undetermined);
  if (*f->untold)
    printf("not told by the data   %s\n", f->untold);
  printf("mean response          %.2f %% of its variance explained\n", 100 * f->explained);
  printf("readings               %d of %d devices and %d cycles; %d used, %d missing, %d outliers "
         "passed over, %d only followed (the first of a cycle, and near a bound)\n",
         f->rows, f->devices, f->tracks, f->used, f->missing, f->outliers, mho_fit_followed(f));
}

/* SET and RESET pulses of the longest cycle in the data. */
static mho_curve_options curve_of_data(const mho_pulse_data *d) {
  mho_curve_options c = {.cells = 500, .cycles = 1, .seed = 1};
  for (int i = 0; i < d->n; i++) {
    if (d->direction[i] > 0)
      c.set = mho_max(c.set, d->pulse[i]);
    else
      c.reset = mho_max(c.reset, d->pulse[i]);
  }
  return c;
}

/* Data, fit and residuals of each model that was fitted, the best first. */
static mho_err plot_fits(const options *o, const mho_fitted *all, mho_errinfo *ei) {
  const mho_pulse_data *d = &all->data;
  mho_curve_options how = curve_of_data(d);
  mho_pulse_plot plot[MHO_PULSE_PLOTS_MAX] = {{0}};
  mho_curve_point *points[MHO_PULSE_PLOTS_MAX] = {NULL};
  mho_err err = MHO_OK;
  int n = 0;

  for (int k = -1; k < all->n; k++) { /* the best, then the others in their order */
    const mho_fitted_model *each = &all->each[k < 0 ? all->best : k];
    bool is_shown = each->fits && k != all->best && n < MHO_PULSE_PLOTS_MAX;
    if (err || !is_shown)
      continue;

    const mho_fit *f = &each->fit;
    plot[n] = (mho_pulse_plot){.title = f->model->entry.id, .data = d, .residual = f->residual};
    err = mho_device_curve(f->model, f->params, &f->config, &how, &points[n], &plot[n].n, ei);
    plot[n].curve = points[n];
    n++;
  }

  if (!err)
    err = mho_pulse_plot_draw(plot, n, o->plot, ei);
  for (int i = 0; i < n; i++)
    mho_free(points[i]);
  return err;
}

/* ---------------------------------------------------------------- cards that a fit writes */

/* A card that was written and cannot be read is taken away again. Its name is that of a file, with
 * whatever characters. */
static mho_err check_card(const options *o, const environment *s, mho_errinfo *ei) {
  const char *folder = strchr(o->common.out, '/') ? "" : "./";
  char path[MHO_TEXT_MAX];
  mho_config *c = NULL;
  mho_experiment *e = NULL;

  snprintf(path, sizeof path, "%s%s", folder, o->common.out);
  mho_err err = mho_config_new(&c, ei);
  if (!err)
    err = mho_config_assign(c, "device.card", path, ei);
  if (!err)
    err = mho_experiment_new(s->registry, c, false, &e, ei);

  mho_experiment_free(e);
  mho_config_free(c);
  if (err)
    remove(o->common.out);
  return err;
}

/* What is no file of its own (/dev/null, a pipe) is not read back, and never taken away. */
static mho_err write_card(const options *o, const environment *s, const char *card,
                          mho_errinfo *ei) {
  struct stat st;
  mho_err err = write_text(o->common.out, card, ei);
  if (!err && !lstat(o->common.out, &st) && S_ISREG(st.st_mode))
    err = check_card(o, s, ei);
  return err;
}

static mho_err write_fit(const options *o, const environment *s, const mho_fitted *f,
                         mho_errinfo *ei) {
  char *card = mho_fitted_card(f, o->common.word[1]);
  if (!card)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a card");
  mho_err err = write_card(o, s, card, ei);
  mho_free(card);
  if (!err && !o->common.json)
    printf("card                   %s\n", o->common.out);
  return err;
}

/* FILE.yaml -> FILE.csv; @return the name without its folders. */
static const char *table_path(const char *card, char *path, size_t capacity) {
  size_t n = strlen(card);
  if (n > 5 && !strcmp(card + n - 5, ".yaml"))
    n -= 5;
  snprintf(path, capacity, "%.*s.csv", (int)n, card);
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* What the options ask of a fit. */
static mho_fit_table table_of(const options *o) {
  return (mho_fit_table){.model = strcmp(o->model, "all") ? o->model : NULL,
                         .iv = o->iv,
                         .unit = o->format.unit,
                         .read_voltage = o->format.read_voltage,
                         .g = o->format.g,
                         .up = o->format.up,
                         .down = o->format.down,
                         .fixed = o->fixed,
                         .n_set = o->common.n_set,
                         .set = o->common.set};
}

/* A text in quotes, as JSON and YAML have them. */
static void print_quoted(FILE *f, const char *text) {
  json_t *quoted = text_json(text);
  json_dumpf(quoted, f, JSON_ENCODE_ANY);
  json_decref(quoted);
}

/* The card of a table; NULL without memory. */
static char *table_card(const char *source, const char *file, const mho_pulse_data *d, double g_min,
                        double g_max) {
  char *text = NULL, *plain = mho_text_escape(source, strlen(source), true);
  size_t n;
  FILE *f = plain ? open_memstream(&text, &n) : NULL;

  if (f) {
    fputs("card:\n  title: measured table\n  source: ", f);
    print_quoted(f, plain);
    fprintf(f,
            "\n  valid: identical pulses as measured, %d devices, %d cycles\n"
            "  note: medians made monotone; noise and spread are not in the table\n"
            "device:\n  model: measured\n  g_min: %.9g S\n  g_max: %.9g S\n  table: ",
            d->devices, d->tracks, g_min, g_max);
    print_quoted(f, file);
    fputc('\n', f);
    fclose(f);
  }
  free(plain);
  return text;
}

/* The table beside its card, and the card. */
static mho_err write_table(const options *o, const environment *s, const mho_pulse_data *d,
                           mho_errinfo *ei) {
  char path[MHO_TEXT_MAX], *csv = NULL, *card = NULL;
  double g_min, g_max;
  const char *source = o->common.word[1], *base = table_path(o->common.out, path, sizeof path);
  if (is_same_file(path, source))
    return mho_fail(ei, MHO_EINVAL,
                    "-o %s: its table would be written over %s, which is read: give another file",
                    o->common.out, path);

  mho_err err = mho_pulse_table(d, &g_min, &g_max, &csv, ei);
  if (err)
    return err;
  card = table_card(source, base, d, g_min, g_max);
  if (!card)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a card");
  if (!err)
    err = write_text(path, csv, ei);
  if (!err)
    err = write_card(o, s, card, ei);
  if (!err)
    printf("%s and its table %s: %g to %g S\n", o->common.out, path, g_min, g_max);

  free(card);
  free(csv);
  return err;
}

/* The table model: the medians of the data as a CSV beside the card. */
static mho_err fit_table(const options *o, const environment *s, mho_errinfo *ei) {
  mho_fit_table how = table_of(o);
  mho_pulse_data d;
  if (!o->common.out)
    return mho_fail(ei, MHO_EINVAL,
                    "--model measured writes a card and its table: say where with -o FILE.yaml");
  mho_err err = mho_fit_data(s->registry, o->common.word[1], &how, &d, ei);
  if (err)
    return err;

  err = write_table(o, s, &d, ei);
  mho_pulse_data_free(&d);
  return err;
}

static mho_err print_json(const mho_fitted *f, mho_errinfo *ei) {
  char *text = mho_fitted_json(f, JSON_DIGITS);
  if (!text)
    return mho_fail(ei, MHO_ENOMEM, "no memory for what was fitted");
  puts(text);
  mho_free(text);
  return MHO_OK;
}

/* A fit of a model, or of the best where none is named. */
static mho_err fit_formula(const options *o, const environment *s, mho_errinfo *ei) {
  mho_fit_table how = table_of(o);
  mho_fitted *f;
  mho_err err = mho_fit_file(&s->ctx, s->registry, o->common.word[1], &how, &f, ei);
  if (err)
    return err;

  if (o->common.json)
    err = print_json(f, ei);
  if (!o->common.json && f->compared)
    print_models(f);
  if (!o->common.json)
    print_fit(&f->each[f->best].fit);

  if (!err && o->common.out)
    err = write_fit(o, s, f, ei);
  if (!err && o->plot)
    err = plot_fits(o, f, ei);
  mho_fitted_free(f);
  return err;
}

static const char *const law_names[MHO_READ_LAWS] = {"ohmic", "sinh", "polynomial"};
static const char *const law_keys[MHO_READ_LAWS][2] = {{NULL}, {"iv.b"}, {"iv.k2", "iv.k3"}};

static void print_laws_json(const mho_read_law *laws, const mho_read_law *best) {
  json_t *values = json_object(), *all = json_array();
  for (int k = 0; k < best->n; k++) {
    mho_fit_value v = {.value = best->value[k],
                       .error = best->error[k],
                       .low = best->low[k],
                       .high = best->high[k],
                       .determined = isfinite(best->high[k] - best->low[k])};
    json_object_set_new(values, law_keys[best->law][k], mho__fit_value_json(&v));
  }
  for (int law = 0; law < MHO_READ_LAWS; law++)
    json_array_append_new(all, json_pack("{ss sf sf}", "law", law_names[law], "left",
                                         laws[law].left, "criterion", laws[law].criterion));
  print_json_line(json_pack("{ss so sf si si so}", "law", law_names[best->law], "parameters",
                            values, "left", best->left, "curves", best->curves, "readings",
                            best->readings, "laws", all),
                  JSON_DIGITS);
}

static void print_laws(const mho_read_law *laws, const mho_read_law *best) {
  table *t = table_new(4, (const char *[]){"LAW", "PARAMETERS", "LEFT %", "CRITERION"});
  for (int law = 0; law < MHO_READ_LAWS; law++) {
    char n[16], left[32], criterion[32];
    snprintf(n, sizeof n, "%d", laws[law].n);
    snprintf(left, sizeof left, "%.3g", 100 * laws[law].left);
    snprintf(criterion, sizeof criterion, "%.1f", laws[law].criterion);
    table_row(t, (const char *[]){law_names[law], n, left, criterion});
  }
  table_print(t);

  printf("\nby Schwarz's criterion on %d readings of %d curves: --set device.iv.law=%s",
         best->readings, best->curves, law_names[best->law]);
  for (int k = 0; k < best->n; k++)
    printf(" --set device.%s=%.6g", law_keys[best->law][k], best->value[k]);
  printf("\n");
  for (int k = 0; k < best->n; k++)
    if (isfinite(best->high[k] - best->low[k]))
      printf("%-6s %.6g +- %.2g, 95 %%: %.5g to %.5g\n", law_keys[best->law][k], best->value[k],
             best->error[k], best->low[k], best->high[k]);
    else
      printf("%-6s %.6g, how exactly is not determined\n", law_keys[best->law][k], best->value[k]);
}

/* The law of a read: the simplest that is not beaten. */
static mho_err fit_read_law(const options *o, mho_errinfo *ei) {
  mho_read_law laws[MHO_READ_LAWS];
  const mho_pulse_format *f = &o->format;
  double ampere;
  bool strange = o->common.out || o->plot || o->fixed || o->common.n_set || f->g || f->up ||
                 f->down || f->read_voltage != 0;
  if (strange)
    return mho_fail(ei, MHO_EINVAL,
                    "--model read with --iv takes a CSV, --unit and --json alone: what it finds "
                    "are keys of device.iv");
  mho_err err = mho__ampere_unit(f->unit, &ampere, ei);
  if (!err)
    err = mho_read_law_fit(o->common.word[1], laws, ei);
  if (err)
    return err;

  const mho_read_law *best = &laws[0];
  for (int law = 1; law < MHO_READ_LAWS; law++)
    if (laws[law].criterion < best->criterion)
      best = &laws[law];
  if (o->common.json)
    print_laws_json(laws, best);
  else
    print_laws(laws, best);
  return MHO_OK;
}

static mho_err fit(const options *o, const environment *s, mho_errinfo *ei) {
  if (o->iv && !strcmp(o->model, "read"))
    return fit_read_law(o, ei);

  if (!strcmp(o->model, "read"))
    return mho_fail(ei, MHO_EINVAL,
                    "--model read is the law of a read, from I-V sweeps of one state: add --iv");

  bool is_table = !strcmp(o->model, "measured");
  if (o->iv && (o->plot || is_table))
    return mho_fail(ei, MHO_EINVAL, "%s of pulses, --iv of sweeps",
                    o->plot ? "--plot is" : "--model measured is");

  mho_err err = name_idle_sets(NULL, USE_FIT, o->common.n_set, o->common.set, false, ei);
  if (err)
    return err;
  return is_table ? fit_table(o, s, ei) : fit_formula(o, s, ei);
}

/* ---------------------------------------------------------------- the verb */

static mho_err device(const options *o, const environment *s, mho_errinfo *ei) {
  const char *what = o->common.word[0];
  if (!strcmp(what, "list"))
    return list_devices(o, s, ei);
  if (!strcmp(what, "show"))
    return show_device(o, s, ei);
  return !strcmp(what, "curve") ? curve(o, s, ei) : fit(o, s, ei);
}

static int run(int argc, char **argv) {
  options o = {
      .common.max_words = 2, .cells = 1000, .reset = -1, .cycles = 1, .seed = 1, .model = "all"};
  parse_options(&argp, argc, argv, &o);

  environment s;
  mho_errinfo ei = {0};
  mho_err err = environment_open(&s, -1, &ei);
  environment_keeps_nothing();
  if (!err)
    err = device(&o, &s, &ei);

  environment_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_device = {
    "device", "device models and cards: list, show, curve, fit to measured pulses", &argp, run};
