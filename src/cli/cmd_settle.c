/* cmd_settle.c - mho settle: one sample's way to rest, or the settling times of many.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/spike_raster.h"
#include "cli/subject.h"
#include "mho/model/check.h"
#include "report/circuit_plot.h"
#include "report/gnuplot.h"
#include "settle/trace.h"
#include "train/resting_circuit.h"

enum { NEURONS_MAX = 65536, PLOTTED_A_LAYER = 8 };

typedef struct options {
  common_options common;
  const char *part, *checkpoint, *plot, *neurons;
  const char *circuit; /**< nodes or branches; NULL: the way to rest */
  long sample;
  long samples; /**< > 0: the settling times of so many, instead of one's way */
  double after; /**< s since programming */
} options;

enum {
  KEY_SAMPLE = OPTION_VERB,
  KEY_SAMPLES,
  KEY_PART,
  KEY_CHECKPOINT,
  KEY_PLOT,
  KEY_NEURONS,
  KEY_CIRCUIT,
  KEY_AFTER
};
static const struct argp_option option_table[] = {
    {"sample", KEY_SAMPLE, "N", 0, "which image, from 0 (default 0)", 0},
    {"samples", KEY_SAMPLES, "N", 0,
     "instead: settling time and energy of each of the first N images (settle.method ode)", 0},
    {"part", KEY_PART, "test|train", 0, "test (default) or train", 0},
    {"neurons", KEY_NEURONS, "LIST", 0, "only these, for example h1.0-9,h2.3,h3 (default: all)", 0},
    {"circuit", KEY_CIRCUIT, "nodes|branches", 0,
     "of a network of resistors, instead: where the free phase ends, a line a node (voltage, "
     "currents into it) or a line a conductance (voltage, current); --plot draws the circuit",
     0},
    {"plot", KEY_PLOT, "FILE", 0, "also draw them, as .svg, .png or .pdf (by gnuplot)", 0},
    {"after", KEY_AFTER, "TIME", 0,
     "with conductances as they are a time after programming: 1h, 1d, 1mo", 0},
    OPT_SET,
    OPT_DB,
    OPT_THREADS,
    {"checkpoint", KEY_CHECKPOINT, "last|best", 0, "of a RUN: last (default) or best", 0},
    {0}};

static void check_plot_name(const char *file, struct argp_state *state) {
  const char *dot = strrchr(file, '.');
  if (!dot || (strcmp(dot, ".svg") && strcmp(dot, ".png") && strcmp(dot, ".pdf")))
    argp_error(state, "--plot: '%s' ends in none of .svg, .png, .pdf", file);
}

static void check_options(const options *o, struct argp_state *state) {
  static const char one[] = "one sample, and not with --samples";
  option_use use[] = {{"sample", o->sample > 0, !o->samples, one},
                      {"neurons", o->neurons, !o->samples, one},
                      {"circuit", o->circuit, !o->samples, one},
                      {"neurons", o->neurons, !o->circuit, "the way to rest, not --circuit"}};
  check_uses(MHO_COUNT(use), use, state);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
  static const char *const image_sets[] = {"test", "train"};
  static const char *const checkpoints[] = {"last", "best"};
  static const char *const tables[] = {"nodes", "branches"};
  options *o = state->input;

  switch (key) {
  case KEY_SAMPLE:
    o->sample = option_number(state, "sample", arg, 0, 100000000);
    return 0;
  case KEY_SAMPLES:
    o->samples = option_number(state, "samples", arg, 1, 100000000);
    return 0;
  case KEY_PART:
    o->part = option_choice(state, "part", arg, MHO_COUNT(image_sets), image_sets);
    return 0;
  case KEY_NEURONS:
    o->neurons = arg;
    return 0;
  case KEY_CIRCUIT:
    o->circuit = option_choice(state, "circuit", arg, MHO_COUNT(tables), tables);
    return 0;
  case KEY_AFTER:
    o->after = option_time(state, "after", arg);
    return 0;
  case KEY_PLOT:
    check_plot_name(arg, state);
    o->plot = arg;
    return 0;
  case KEY_CHECKPOINT:
    o->checkpoint = option_choice(state, "checkpoint", arg, MHO_COUNT(checkpoints), checkpoints);
    return 0;
  case ARGP_KEY_END:
    check_options(o, state);
    return common_option(&o->common, key, arg, state);
  default:
    return common_option(&o->common, key, arg, state);
  }
}

VERB_ARGP(
    "CONFIG|RUN",
    "One sample's free and nudged phase, step by step: CSV on stdout, with the activity of "
    "every hidden neuron and the variables of its dynamics. A CONFIG is settled at its "
    "initial weights, a RUN at its stored ones. Two states are settled, whatever "
    "settle.difference says. Of neurons that spike: step, layer, neuron, potential u, threshold "
    "theta, spike, and drawn as a raster. Of a network of resistors also its circuit "
    "(--circuit). With --samples: when each of many images had settled, "
    "and how that is distributed.\v"
    "Examples:\n"
    "  mho settle last --sample 3 --set settle.method=ode --plot settling.svg > settling.csv\n"
    "  mho settle examples/mnist.yaml --neurons h1.0-9,h2\n"
    "  mho settle resistors --circuit nodes --plot circuit.svg > nodes.csv\n"
    "  mho settle last --samples 360 --set settle.method=ode --set settle.tolerance=1e-6 "
    "--plot times.svg > times.csv");

/* ---------------------------------------------------------------- which neurons */

typedef struct chosen {
  mho_trace_neuron *v; /**< [n] */
  int n;
} chosen;

static mho_err add_range(chosen *c, int layer, long from, long to, mho_errinfo *ei) {
  for (long i = from; i <= to; i++) {
    if (c->n == NEURONS_MAX)
      break;
    c->v[c->n++] = (mho_trace_neuron){layer, (int)i};
  }
  if (c->n == NEURONS_MAX)
    return mho_fail(ei, MHO_EINVAL, "--neurons: more than %d", NEURONS_MAX);
  return MHO_OK;
}

/* The layer of a word's first `length` characters; -1. */
static int find_layer(const mho_network *net, const char *word, size_t length) {
  for (int l = 1; l < mho_hidden_end(net); l++)
    if (strlen(net->layer[l].name) == length && !strncmp(net->layer[l].name, word, length))
      return l;
  return -1;
}

/* "" (all n neurons), ".3" or ".3-7"; false for anything else. */
static bool parse_range(const char *text, int n, long *from, long *to) {
  char *end = NULL;
  *from = 0;
  *to = n - 1;
  if (!*text)
    return true;

  *from = *to = strtol(text + 1, &end, 10);
  if (end == text + 1)
    return false;
  if (*end == '-')
    *to = strtol(end + 1, &end, 10);
  return !*end && *from >= 0 && *to >= *from && *to < n;
}

/* One word of --neurons: "h1", "h1.3", "h1.3-7". */
static mho_err add_word(const mho_network *net, const char *word, chosen *c, mho_errinfo *ei) {
  size_t name = strcspn(word, ".");
  int layer = find_layer(net, word, name);
  long from, to;

  if (layer < 0 || !parse_range(word + name, net->layer[layer].n, &from, &to))
    return mho_fail(ei, MHO_EINVAL,
                    "--neurons: '%s' names no neurons: write h1, h1.3 or h1.3-7, with layers h1 to "
                    "%s and neurons from 0",
                    word, net->layer[mho_network_hidden(net)].name);
  return add_range(c, layer, from, to, ei);
}

/* The words of a list, which is cut into them. */
static mho_err add_words(const mho_network *net, char *list, chosen *c, mho_errinfo *ei) {
  char *save = NULL;
  for (char *w = strtok_r(list, ", ", &save); w; w = strtok_r(NULL, ", ", &save)) {
    mho_err err = add_word(net, w, c, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* The neurons of a list; without one all hidden neurons, as many as there is room for. */
static mho_err choose(const mho_network *net, const char *list, chosen *c, mho_errinfo *ei) {
  *c = (chosen){calloc(NEURONS_MAX, sizeof *c->v), 0};
  char *copy = list ? strdup(list) : NULL;
  mho_err err = MHO_OK;
  if (!c->v || (list && !copy))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a list of neurons");

  if (!err && copy)
    err = add_words(net, copy, c, ei);
  for (int l = 1; l < mho_hidden_end(net); l++)
    if (!err && !copy)
      add_range(c, l, 0, net->layer[l].n - 1, NULL);
  if (!err && !c->n)
    err = mho_fail(ei, MHO_EINVAL, "--neurons: names none");

  free(copy);
  return err;
}

/* ---------------------------------------------------------------- points */

/* What has been seen, for the plot. */
typedef struct series {
  const mho_network *net;
  chosen c;
  mho_trace_columns columns; /**< that are printed: activities of the chosen, then variables */
  double *v;                 /**< [points x (2 + n)]: time or step, phase, activities */
  int seen, points, capacity;
  double step; /**< of all phases together */
  bool in_time, full;
  bool spikes;         /**< of a dynamics that does, which have a table of their own */
  spike_raster raster; /**< of that */
} series;

static int width_of(const series *s) {
  return 2 + s->c.n;
}

static double *point_at(const series *s, int i) {
  return s->v + (size_t)i * (size_t)width_of(s);
}

static bool grow(series *s) {
  int more = s->capacity ? 2 * s->capacity : 256;
  double *grown = realloc(s->v, (size_t)more * (size_t)width_of(s) * sizeof *grown);
  if (!grown)
    return false;
  s->v = grown;
  s->capacity = more;
  return true;
}

static void store_point(series *s, const mho_trace_point *p) {
  if (s->points == s->capacity && !grow(s)) {
    s->full = true;
    return;
  }

  double *point = point_at(s, s->points++);
  point[0] = s->in_time ? p->time : s->step;
  point[1] = p->phase;
  for (int i = 0; i < s->c.n; i++)
    point[2 + i] = mho__trace_value(&s->columns, i, p);
}

static void print_header(const series *s) {
  fputs("phase,step,time_s,residual", stdout);
  for (int i = 0; i < s->columns.n; i++) {
    char name[128];
    mho__trace_name(&s->columns, i, name, sizeof name);
    printf(",%s", name);
  }
  putchar('\n');
}

static void take_point(void *user, const mho_trace_point *p) {
  series *s = user;
  s->in_time = isfinite(p->time);
  if (s->spikes) {
    spike_raster_take(&s->raster, p, !s->seen++);
    return;
  }
  if (!s->seen)
    print_header(s);
  s->seen++;
  s->step += p->step > 0;

  printf("%d,%d,", p->phase, p->step);
  if (isfinite(p->time))
    printf("%.10g", p->time);
  putchar(',');
  if (isfinite(p->residual))
    printf("%.6g", p->residual);
  for (int i = 0; i < s->columns.n; i++)
    printf(",%.10g", mho__trace_value(&s->columns, i, p));
  putchar('\n');
  store_point(s, p);
}

/* ---------------------------------------------------------------- plot */

/* At most so many neurons of a layer are drawn: more cannot be told apart. */
static bool is_drawn(const chosen *c, int i) {
  int before = 0;
  for (int k = 0; k < i; k++)
    before += c->v[k].layer == c->v[i].layer;
  return before < PLOTTED_A_LAYER;
}

/* A plot for a file whose name ends in .svg, .png or .pdf. */
typedef struct drawing {
  mho_gnuplot_script print;
  const void *what;
  const char *file;
  int height; /**< where it is 900 wide */
} drawing;

static void print_drawing(FILE *f, const void *user) {
  const drawing *d = user;
  const char *ending = strrchr(d->file, '.');
  if (!strcmp(ending, ".pdf"))
    fprintf(f, "set terminal pdfcairo noenhanced size 6in,%.3gin\n", d->height / 150.0);
  else
    fprintf(f, "set terminal %s noenhanced size 900,%d\n",
            strcmp(ending, ".svg") ? "pngcairo" : "svg dynamic", d->height);
  fputs("set border 3\nset tics nomirror\nset grid y\n", f);
  d->print(f, d->what);
}

/* Where a point is on the axis: nanoseconds or steps. */
static double abscissa(const series *s, int point) {
  return s->in_time ? point_at(s, point)[0] * 1e9 : point_at(s, point)[0];
}

/* A line between two phases. */
static void print_phase_ends(FILE *f, const series *s) {
  for (int p = 1; p < s->points; p++)
    if (point_at(s, p)[1] != point_at(s, p - 1)[1])
      fprintf(f, "set arrow from first %.10g, graph 0 to first %.10g, graph 1 nohead dashtype 2\n",
              abscissa(s, p), abscissa(s, p));
}

/* One curve a neuron, in the color of its layer; the first of a layer names it. */
static void print_curves(FILE *f, const series *s) {
  static const char *const colors[] = {"#2e85d9", "#d9772e", "#3a9d5d", "#8a5cc7", "#7d858d"};
  const char *comma = "plot ";
  int layer = 0;

  for (int i = 0; i < s->c.n; i++) {
    if (!is_drawn(&s->c, i))
      continue;
    bool first = s->c.v[i].layer != layer;
    layer = s->c.v[i].layer;
    fprintf(f, "%s$data using 1:%d with lines linecolor rgb '%s' ", comma, i + 2,
            colors[(layer - 1) % MHO_COUNT(colors)]);
    if (first)
      fprintf(f, "title '%s'", s->net->layer[layer].name);
    else
      fputs("notitle", f);
    comma = ", ";
  }
  fputc('\n', f);
}

static void print_series(FILE *f, const void *what) {
  const series *s = what;
  fprintf(f, "set ylabel 'activity'\nset xlabel '%s'\nset key outside right\n$data << EOD\n",
          s->in_time ? "time (ns)" : "step");
  for (int p = 0; p < s->points; p++) {
    fprintf(f, "%.10g", abscissa(s, p));
    for (int i = 0; i < s->c.n; i++)
      fprintf(f, " %.7g", point_at(s, p)[2 + i]);
    fputc('\n', f);
  }
  fputs("EOD\n", f);

  print_phase_ends(f, s);
  print_curves(f, s);
}

static mho_err draw(mho_gnuplot_script print, const void *what, const char *file, mho_errinfo *ei) {
  drawing d = {print, what, file, 600};
  return mho__gnuplot_file(print_drawing, &d, file, ei);
}

/* ---------------------------------------------------------------- many samples */

/* When samples had settled. */
typedef struct times {
  double *s; /**< [n] of those that settled, sorted */
  int n;
  int of; /**< all samples */
} times;

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The time by which such a share of all samples has settled; NaN where it never does. */
static double quantile(const times *t, double share) {
  int i = mho_max((int)ceil(share * t->of) - 1, 0);
  return i < t->n ? t->s[i] : (double)NAN;
}

/* The share that has settled, against time. */
static void print_distribution(FILE *f, const void *what) {
  const times *t = what;
  fputs("set ylabel 'settled (%)'\nset xlabel 'time (ns)'\nset yrange [0:100]\nunset key\n"
        "$data << EOD\n0 0\n",
        f);
  for (int i = 0; i < t->n; i++)
    fprintf(f, "%.8g %.8g\n", 1e9 * t->s[i], 100.0 * (i + 1) / t->of);
  if (!t->n)
    fputs("1 0\n", f);
  fputs("EOD\nplot $data using 1:2 with steps linewidth 2 linecolor rgb '#2e85d9'\n", f);
}

static void print_sample(const mho_settle_sample *sample) {
  printf("%d,%d,", sample->sample, sample->settled);
  if (sample->settled)
    printf("%.10g", sample->time_s);
  putchar(',');
  if (isfinite(sample->energy_j))
    printf("%.10g", sample->energy_j);
  putchar('\n');
}

static void print_times(const times *t, double energy) {
  static const double shares[] = {0.1, 0.5, 0.9};

  fprintf(stderr, "%d of %d images settled", t->n, t->of);
  if (t->n)
    fprintf(stderr, ", from %.4g s to %.4g s", t->s[0], t->s[t->n - 1]);

  for (int i = 0; i < MHO_COUNT(shares); i++)
    if (isfinite(quantile(t, shares[i])))
      fprintf(stderr, "%s%g %% by %.4g s", i ? ", " : "; ", 100 * shares[i],
              quantile(t, shares[i]));
  if (isfinite(energy))
    fprintf(stderr, "; %.3g J an image in the crossbars", energy);
  fputc('\n', stderr);
}

static const mho_images *images_of(const options *o, mho_trainer *t) {
  const mho_dataset *d = mho_trainer_dataset(t);
  return strcmp(o->part, "train") ? &d->test : &d->train;
}

static mho_err measure(const options *o, mho_trainer *t, mho_errinfo *ei) {
  const mho_images *images = images_of(o, t);
  if (!mho_trainer_in_time(t))
    return mho_fail(
        ei, MHO_EINVAL,
        "--samples: this settler counts steps and knows no time: --set settle.method=ode");
  if (o->samples > images->n)
    return mho_fail(ei, MHO_EINVAL, "--samples %ld: there are %d %s images", o->samples, images->n,
                    o->part);

  times time = {calloc((size_t)o->samples, sizeof *time.s), 0, (int)o->samples};
  mho_settle_sample *sample = calloc((size_t)o->samples, sizeof *sample);
  mho_settle_row found = {0};
  mho_err err;
  if (time.s && sample)
    err = mho_trainer_observe_circuit(t, images, time.of, &found, sample, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory for %ld samples", o->samples);

  if (!err) {
    puts("sample,settled,time_s,energy_j");
    for (int i = 0; i < time.of; i++) {
      print_sample(&sample[i]);
      if (sample[i].settled)
        time.s[time.n++] = sample[i].time_s;
    }
    qsort(time.s, (size_t)time.n, sizeof *time.s, by_value);
    print_times(&time, found.energy_j);
  }
  if (!err && o->plot)
    err = draw(print_distribution, &time, o->plot, ei);

  free(time.s);
  free(sample);
  return err;
}

/* ---------------------------------------------------------------- one sample */

static void print_summary(const options *o, const mho_watched *w, bool in_time) {
  const char *found = w->correct ? "recognized" : "not recognized";
  const char *unit = in_time ? "evaluations" : "steps";

  if (w->label < 0)
    fprintf(stderr, "%s sample %ld, loss %.4g", o->part, o->sample, w->loss);
  else
    fprintf(stderr, "%s image %ld, label %d, %s", o->part, o->sample, w->label, found);
  fprintf(stderr, "; free phase: %g %s", w->steps, unit);
  if (in_time && isfinite(w->time_s))
    fprintf(stderr, ", settled in %.4g s", w->time_s);
  if (in_time && isfinite(w->energy_j))
    fprintf(stderr, ", %.3g J in the crossbars in the last phase", w->energy_j);
  fprintf(stderr, "%s\n", w->unsettled ? "; it had not settled when it was read" : "");
}

/* No states came: the rule has none, or the settler gives only the last ones. */
static mho_err nothing_seen(const mho_experiment *e, mho_errinfo *ei) {
  const char *method = e->settler.entry->id;
  if (!((const mho_rule *)e->rule.entry)->feed_forward)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "settle.method: %s shows no states on the way to rest: --set settle.method=ode "
                    "for the way in time, or 'mho netlist --network --transient' for the circuit",
                    method);
  return mho_fail(ei, MHO_EINVAL, "nothing settles under rule %s: --set rule=ep",
                  e->rule.entry->id);
}

static mho_err watch(const options *o, const mho_experiment *e, mho_trainer *t, mho_errinfo *ei) {
  const mho_images *images = images_of(o, t);
  series s = {.net = mho_trainer_network(t)};
  mho_watched w;

  mho_err err = choose(s.net, o->neurons, &s.c, ei);
  if (!err && o->sample >= images->n)
    err = mho_fail(ei, MHO_EINVAL, "--sample %ld: there are %d %s images, from 0", o->sample,
                   images->n, o->part);

  const mho_dynamics *dynamics = (const mho_dynamics *)e->dynamics.entry;
  s.spikes = dynamics->spikes;
  s.raster = (spike_raster){.net = s.net,
                            .neuron = s.c.v,
                            .n = s.c.n,
                            .by_events = !((const mho_settler *)e->settler.entry)->step};
  if (!err)
    err = mho__trace_columns_new(s.net, dynamics, s.c.n, s.c.v, &s.columns, ei);
  if (!err)
    err = mho_trainer_watch(t, images, (int)o->sample, take_point, &s, &w, ei);
  if (!err && !s.seen)
    err = nothing_seen(e, ei);
  if (!err && (s.full || s.raster.full))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the plot");

  if (!err)
    print_summary(o, &w, s.in_time && !s.spikes);
  if (!err && o->plot && s.spikes)
    err = draw(spike_raster_print, &s.raster, o->plot, ei);
  else if (!err && o->plot)
    err = draw(print_series, &s, o->plot, ei);

  spike_raster_free(&s.raster);
  mho__trace_columns_free(&s.columns);
  free(s.c.v);
  free(s.v);
  return err;
}

/* ---------------------------------------------------------------- a circuit */

static mho_err draw_circuit(const mho_resting_circuit *c, const char *file, mho_errinfo *ei) {
  mho_circuit_picture p;
  mho_err err = mho__circuit_picture_new(c, &p, ei);
  if (err)
    return err;

  char sentences[2048];
  mho_circuit_drawing own = {.p = &p};
  drawing d = {mho__circuit_plot, &own, file, mho__circuit_height(&p) * 900 / 480};
  err = mho__gnuplot_file(print_drawing, &d, file, ei);
  mho__circuit_picture_describe(&p, sentences, sizeof sentences);
  if (!err)
    fprintf(stderr, "%s: %s\n", file, sentences);
  mho__circuit_picture_free(&p);
  return err;
}

static mho_err show_circuit(const options *o, mho_trainer *t, mho_errinfo *ei) {
  mho_resting_circuit c;
  mho_err err = mho__resting_circuit_new(t, images_of(o, t), (int)o->sample, true, &c, ei);
  if (err)
    return err;

  if (strcmp(o->circuit, "nodes"))
    mho__resting_circuit_print_branches(&c, stdout);
  else
    mho__resting_circuit_print_nodes(&c, stdout);
  print_summary(o, &c.watched, false);
  if (o->plot)
    err = draw_circuit(&c, o->plot, ei);
  mho__resting_circuit_free(&c);
  return err;
}

/* ---------------------------------------------------------------- the verb */

static mho_err do_all(const options *o, const subject *x, mho_errinfo *ei) {
  if (o->samples)
    return measure(o, x->t, ei);
  return o->circuit ? show_circuit(o, x->t, ei) : watch(o, x->e, x->t, ei);
}

static int run(int argc, char **argv) {
  options o = {.common.verb = "settle", .part = "test", .checkpoint = "last"};
  parse_options(&argp, argc, argv, &o);
  int given = o.common.n_set;
  if (given < MAX_SET) /* two states are watched: there must be room for both */
    o.common.set[o.common.n_set++] = "settle.difference=subtract";

  environment s;
  subject x = {0};
  mho_errinfo ei = {0};
  mho_err err = environment_open(&s, o.samples ? o.common.threads : 1, &ei);
  environment_keeps_nothing();
  if (!err)
    err = subject_load(&s, &o.common, MHO_STORE_READ, o.checkpoint, o.after, &x, &ei);
  if (!err)
    err = name_idle_sets(x.e, USE_PHASES, given, o.common.set, false, &ei);
  if (!err)
    err = do_all(&o, &x, &ei);

  subject_close(&x);
  environment_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_settle = {
    "settle", "one sample's way to rest, or the settling times of many, as CSV and plot", &argp,
    run};
