/* cmd_settle.c - mho settle: one sample's way to rest, or the settling times of many, as CSV and as a plot.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "mho/train.h"
#include "report/gnuplot.h"

enum { NEURONS_MAX = 65536, PLOTTED_A_LAYER = 8 };

typedef struct options {
  common_options common;
  const char *part, *checkpoint, *plot, *neurons;
  long sample, samples; /* samples > 0: of so many the times, instead of one's way */
  double after;         /* s since programming */
} options;

enum {
  KEY_SAMPLE = OPTION_VERB,
  KEY_SAMPLES,
  KEY_PART,
  KEY_CHECKPOINT,
  KEY_PLOT,
  KEY_NEURONS,
  KEY_AFTER
};
static const struct argp_option option_table[] = {
    {"sample", KEY_SAMPLE, "N", 0, "which image, from 0 (default 0)", 0},
    {"samples", KEY_SAMPLES, "N", 0,
     "instead: settling time and energy of each of the first N images (settle.method ode)", 0},
    {"part", KEY_PART, "PART", 0, "test (default) or train", 0},
    {"neurons", KEY_NEURONS, "LIST", 0, "only these, for example h1.0-9,h2.3,h3 (default: all)", 0},
    {"plot", KEY_PLOT, "FILE", 0, "also draw them, as .svg, .png or .pdf (by gnuplot)", 0},
    {"after", KEY_AFTER, "TIME", 0,
     "with conductances as they are a time after programming: 1h, 1d, 1mo", 0},
    OPT_SET,
    OPT_DB,
    OPT_THREADS,
    {"checkpoint", KEY_CHECKPOINT, "KIND", 0, "of a RUN: last (default) or best", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  const char *dot;
  switch (key) {
  case KEY_SAMPLE:
    o->sample = option_number(state, "sample", arg, 0, 100000000);
    return 0;
  case KEY_SAMPLES:
    o->samples = option_number(state, "samples", arg, 1, 100000000);
    return 0;
  case KEY_PART:
    if (strcmp(arg, "test") && strcmp(arg, "train"))
      argp_error(state, "--part: '%s' is not test or train", arg);
    o->part = arg;
    return 0;
  case KEY_NEURONS:
    o->neurons = arg;
    return 0;
  case KEY_AFTER:
    o->after = option_time(state, "after", arg);
    return 0;
  case KEY_PLOT:
    dot = strrchr(arg, '.');
    if (!dot || (strcmp(dot, ".svg") && strcmp(dot, ".png") && strcmp(dot, ".pdf")))
      argp_error(state, "--plot: '%s' ends in none of .svg, .png, .pdf", arg);
    o->plot = arg;
    return 0;
  case KEY_CHECKPOINT:
    if (strcmp(arg, "last") && strcmp(arg, "best"))
      argp_error(state, "--checkpoint: '%s' is not last or best", arg);
    o->checkpoint = arg;
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {
    option_table,
    parse,
    "CONFIG|RUN",
    "One sample's free and nudged phase, step by step: CSV on stdout, with the activity of every hidden "
    "neuron. A CONFIG "
    "is settled at its initial weights, a RUN at its stored ones. Two states are settled, whatever "
    "settle.difference says. With --samples: when each of many images had settled, and how that is "
    "distributed.\v"
    "Examples:\n"
    "  mho settle last --sample 3 --set settle.method=ode --plot settling.svg > settling.csv\n"
    "  mho settle examples/mnist.yaml --neurons h1.0-9,h2\n"
    "  mho settle last --samples 360 --set settle.method=ode --set settle.tolerance=1e-6 --plot times.svg > "
    "times.csv",
    NULL,
    NULL,
    NULL};

/* ---------------------------------------------------------------- which neurons */

typedef struct neuron {
  int layer, index;
} neuron;

typedef struct chosen {
  neuron *v;
  int n;
} chosen;

static bool add_range(chosen *c, int layer, long from, long to) {
  for (long i = from; i <= to && c->n < NEURONS_MAX; i++)
    c->v[c->n++] = (neuron){layer, (int)i};
  return c->n < NEURONS_MAX;
}

/* One word of --neurons: "h1", "h1.3", "h1.3-7". */
static mho_err add_word(const mho_network *net, const char *word, chosen *c, mho_errinfo *ei) {
  size_t name = strcspn(word, ".");
  for (int l = 1; l < net->n_layers - 1; l++) {
    if (strlen(net->layer[l].name) != name || strncmp(net->layer[l].name, word, name))
      continue;
    long from = 0, to = net->layer[l].n - 1;
    char *end = NULL;
    if (word[name]) {
      from = to = strtol(word + name + 1, &end, 10);
      if (end == word + name + 1)
        break;
      if (*end == '-')
        to = strtol(end + 1, &end, 10);
      if (*end || from < 0 || to < from || to >= net->layer[l].n)
        break;
    }
    return add_range(c, l, from, to)
               ? MHO_OK
               : mho_fail(ei, MHO_EINVAL, "--neurons: more than %d", NEURONS_MAX);
  }
  return mho_fail(
      ei, MHO_EINVAL,
      "--neurons: '%s' names no neurons: write h1, h1.3 or h1.3-7, with layers h1 to h%d and neurons from 0",
      word, net->n_layers - 2);
}

static mho_err choose(const mho_network *net, const char *list, chosen *c, mho_errinfo *ei) {
  *c = (chosen){calloc(NEURONS_MAX, sizeof *c->v), 0};
  char *copy = list ? strdup(list) : NULL, *save = NULL;
  mho_err err = c->v && (copy || !list)
                    ? MHO_OK
                    : mho_fail(ei, MHO_ENOMEM, "no memory for a list of neurons");
  for (int l = 1; !err && !list && l < net->n_layers - 1; l++)
    add_range(c, l, 0, net->layer[l].n - 1);
  for (char *w = copy ? strtok_r(copy, ", ", &save) : NULL; w && !err;
       w = strtok_r(NULL, ", ", &save))
    err = add_word(net, w, c, ei);
  if (!err && !c->n)
    err = mho_fail(ei, MHO_EINVAL, "--neurons: names none");
  free(copy);
  return err;
}

/* ---------------------------------------------------------------- points */

typedef struct series { /* what has been seen, for the plot */
  const mho_network *net;
  chosen c;
  double *v; /* [points x (2 + n)]: time or step, phase, activities */
  int seen, points, capacity, last_phase;
  double step; /* of all phases */
  bool in_time, full;
} series;

static void keep_point(series *s, const mho_trace_point *p) {
  int width = 2 + s->c.n;
  if (s->points == s->capacity) {
    int more = s->capacity ? 2 * s->capacity : 256;
    double *grown = realloc(s->v, (size_t)more * (size_t)width * sizeof *grown);
    if (!grown) {
      s->full = true;
      return;
    }
    s->v = grown;
    s->capacity = more;
  }
  double *row = s->v + (size_t)s->points++ * (size_t)width;
  row[0] = s->in_time ? p->time : s->step;
  row[1] = p->phase;
  for (int i = 0; i < s->c.n; i++)
    row[2 + i] = p->z[s->c.v[i].layer][s->c.v[i].index];
}

static void print_header(const series *s) {
  fputs("phase,step,time_s,residual", stdout);
  for (int i = 0; i < s->c.n; i++)
    printf(",%s.%d", s->net->layer[s->c.v[i].layer].name, s->c.v[i].index);
  putchar('\n');
}

static void take_point(void *user, const mho_trace_point *p) {
  series *s = user;
  if (!s->seen)
    print_header(s);
  s->seen++;
  s->in_time = isfinite(p->time);
  s->step += p->step > 0;
  printf("%d,%d,", p->phase, p->step);
  if (isfinite(p->time))
    printf("%.10g", p->time);
  putchar(',');
  if (isfinite(p->residual))
    printf("%.6g", p->residual);
  for (int i = 0; i < s->c.n; i++)
    printf(",%.10g", p->z[s->c.v[i].layer][s->c.v[i].index]);
  putchar('\n');
  keep_point(s, p);
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
} drawing;

static void print_drawing(FILE *f, const void *user) {
  const drawing *d = user;
  const char *ending = strrchr(d->file, '.');
  const char *terminal = "pdfcairo noenhanced size 6in,4in";
  if (!strcmp(ending, ".svg"))
    terminal = "svg dynamic noenhanced size 900,600";
  else if (!strcmp(ending, ".png"))
    terminal = "pngcairo noenhanced size 900,600";
  fprintf(f, "set terminal %s\nset border 3\nset tics nomirror\nset grid y\n", terminal);
  d->print(f, d->what);
}

static void print_series(FILE *f, const void *what) {
  static const char *const colors[] = {"#2e85d9", "#d9772e", "#3a9d5d", "#8a5cc7", "#7d858d"};
  const series *s = what;
  int width = 2 + s->c.n;
  fprintf(f, "set ylabel 'activity'\nset xlabel '%s'\nset key outside right\n$data << EOD\n",
          s->in_time ? "time (ns)" : "step");
  for (int p = 0; p < s->points; p++) {
    const double *row = s->v + (size_t)p * (size_t)width;
    fprintf(f, "%.10g", s->in_time ? row[0] * 1e9 : row[0]);
    for (int i = 0; i < s->c.n; i++)
      fprintf(f, " %.7g", row[2 + i]);
    fputc('\n', f);
  }
  fputs("EOD\n", f);
  for (int p = 1; p < s->points; p++) {
    const double *row = s->v + (size_t)p * (size_t)width;
    if (row[1] != row[1 - width])
      fprintf(f, "set arrow from first %.10g, graph 0 to first %.10g, graph 1 nohead dashtype 2\n",
              s->in_time ? row[0] * 1e9 : row[0], s->in_time ? row[0] * 1e9 : row[0]);
  }
  const char *comma = "plot ";
  for (int i = 0, layer = 0; i < s->c.n; i++) {
    if (!is_drawn(&s->c, i))
      continue;
    bool first = s->c.v[i].layer != layer;
    layer = s->c.v[i].layer;
    fprintf(f, "%s$data using 1:%d with lines linecolor rgb '%s' %s%s%s", comma, i + 2,
            colors[(layer - 1) % MHO_COUNT(colors)], first ? "title '" : "notitle",
            first ? s->net->layer[layer].name : "", first ? "'" : "");
    comma = ", ";
  }
  fputc('\n', f);
}

static mho_err draw(mho_gnuplot_script print, const void *what, const char *file, mho_errinfo *ei) {
  drawing d = {print, what, file};
  return mho_gnuplot_file(print_drawing, &d, file, ei);
}

/* ---------------------------------------------------------------- many samples */

typedef struct times { /* s of those that settled, sorted */
  double *s;
  int n, of;
} times;

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The time by which so large a part of all samples has settled; NaN where it never does. */
static double quantile(const times *t, double part) {
  int i = (int)ceil(part * t->of) - 1;
  return i < 0 ? t->s[0] : i < t->n ? t->s[i] : (double)NAN;
}

/* The share that has settled, against time. */
static void print_distribution(FILE *f, const void *what) {
  const times *t = what;
  fputs(
      "set ylabel 'settled (%)'\nset xlabel 'time (ns)'\nset yrange [0:100]\nunset key\n$data << EOD\n0 0\n",
      f);
  for (int i = 0; i < t->n; i++)
    fprintf(f, "%.8g %.8g\n", 1e9 * t->s[i], 100.0 * (i + 1) / t->of);
  if (!t->n)
    fputs("1 0\n", f);
  fputs("EOD\nplot $data using 1:2 with steps linewidth 2 linecolor rgb '#2e85d9'\n", f);
}

static void print_times(const mho_settle_sample *sample, const times *t, double energy) {
  puts("sample,settled,time_s,energy_j");
  for (int i = 0; i < t->of; i++) {
    printf("%d,%d,", sample[i].sample, sample[i].settled);
    if (sample[i].settled)
      printf("%.10g", sample[i].time_s);
    putchar(',');
    if (isfinite(sample[i].energy_j))
      printf("%.10g", sample[i].energy_j);
    putchar('\n');
  }
  fprintf(stderr, "%d of %d images settled", t->n, t->of);
  if (t->n)
    fprintf(stderr, ", from %.4g s to %.4g s", t->s[0], t->s[t->n - 1]);
  static const double part[] = {0.1, 0.5, 0.9};
  for (int i = 0; i < MHO_COUNT(part); i++)
    if (isfinite(quantile(t, part[i])))
      fprintf(stderr, "%s%g %% by %.4g s", i ? ", " : "; ", 100 * part[i], quantile(t, part[i]));
  if (isfinite(energy))
    fprintf(stderr, "; %.3g J an image in the crossbars", energy);
  fputc('\n', stderr);
}

static mho_err measure(const options *o, mho_trainer *t, mho_errinfo *ei) {
  const mho_dataset *d = mho_trainer_dataset(t);
  const mho_images *part = strcmp(o->part, "train") ? &d->test : &d->train;
  if (!mho_trainer_in_time(t))
    return mho_fail(
        ei, MHO_EINVAL,
        "--samples: this settler counts steps and knows no time: --set settle.method=ode");
  if (o->samples > part->n)
    return mho_fail(ei, MHO_EINVAL, "--samples %ld: there are %d %s images", o->samples, part->n,
                    o->part);
  times time = {calloc((size_t)o->samples, sizeof *time.s), 0, (int)o->samples};
  mho_settle_sample *sample = calloc((size_t)o->samples, sizeof *sample);
  mho_settle_row row = {0};
  mho_err err = time.s && sample
                    ? mho_trainer_observe_circuit(t, part, time.of, &row, sample, ei)
                    : mho_fail(ei, MHO_ENOMEM, "no memory for %ld samples", o->samples);
  if (!err) {
    for (int i = 0; i < time.of; i++)
      if (sample[i].settled)
        time.s[time.n++] = sample[i].time_s;
    qsort(time.s, (size_t)time.n, sizeof *time.s, by_value);
    print_times(sample, &time, row.energy_j);
  }
  if (!err && o->plot)
    err = draw(print_distribution, &time, o->plot, ei);
  free(time.s);
  free(sample);
  return err;
}

/* ---------------------------------------------------------------- the verb */

/* A file, or a run of the database? */
static bool is_config(const char *word) {
  return strchr(word, '/') || strstr(word, ".yaml") || strstr(word, ".yml") || !access(word, R_OK);
}

static mho_err from_config(const options *o, session *s, mho_experiment **out, mho_errinfo *ei) {
  mho_config *c = NULL;
  mho_err err = mho_config_new(&c, ei);
  if (!err)
    err = mho_config_file(c, o->common.run, ei);
  for (int i = 0; i < o->common.n_set && !err; i++)
    err = mho_config_set(c, o->common.set[i], ei);
  if (!err)
    err = mho_experiment_new(s->registry, c, false, out, ei);
  mho_config_free(c);
  return err;
}

static mho_err from_run(const options *o, session *s, mho_experiment **out, mho_checkpoint_row *c,
                        mho_errinfo *ei) {
  mho_store *store = NULL;
  char id[MHO_ID_MAX];
  mho_err err =
      mho_store_open(o->common.db ? o->common.db : DEFAULT_DB, MHO_STORE_READ, &store, ei);
  if (!err)
    err = mho_store_find(store, o->common.run, id, ei);
  if (!err)
    err = mho_train_stored_experiment(store, s->registry, id, o->common.n_set, o->common.set, out,
                                      ei);
  if (!err)
    err = mho_store_checkpoint_get(store, id, o->checkpoint, c, ei);
  mho_store_close(store);
  return err;
}

static void print_summary(const options *o, const mho_watched *w, bool in_time) {
  fprintf(stderr, "%s image %ld, label %d, %s; free phase: %g %s", o->part, o->sample, w->label,
          w->correct ? "recognized" : "not recognized", w->steps,
          in_time ? "evaluations" : "steps");
  if (in_time && isfinite(w->time_s))
    fprintf(stderr, ", settled in %.4g s", w->time_s);
  if (in_time && isfinite(w->energy_j))
    fprintf(stderr, ", %.3g J in the crossbars in the last phase", w->energy_j);
  fprintf(stderr, "%s\n", w->unsettled ? "; it had not settled when it was read" : "");
}

/* No states came: the rule has none, or the settler gives only the last ones. */
static mho_err nothing_seen(const mho_experiment *e, mho_errinfo *ei) {
  const char *method = e->settler.entry->id;
  if (!strcmp(e->rule.entry->id, "ep") && !strcmp(method, "spice"))
    return mho_fail(
        ei, MHO_EUNSUPPORTED,
        "settle.method: %s shows no states on the way to rest: --set settle.method=ode for the way in "
        "time, or 'mho netlist --network --transient' for the circuit",
        method);
  return mho_fail(ei, MHO_EINVAL, "nothing settles under rule %s: --set rule=ep",
                  e->rule.entry->id);
}

static mho_err watch(const options *o, const mho_experiment *e, mho_trainer *t, mho_errinfo *ei) {
  const mho_dataset *d = mho_trainer_dataset(t);
  series s = {.net = mho_trainer_network(t)};
  mho_watched w;
  mho_err err = choose(s.net, o->neurons, &s.c, ei);
  const mho_images *part = strcmp(o->part, "train") ? &d->test : &d->train;
  if (!err && o->sample >= part->n)
    err = mho_fail(ei, MHO_EINVAL, "--sample %ld: there are %d %s images, from 0", o->sample,
                   part->n, o->part);
  if (!err)
    err = mho_trainer_watch(t, part, (int)o->sample, take_point, &s, &w, ei);
  if (!err && !s.seen)
    err = nothing_seen(e, ei);
  if (!err && s.full)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the plot");
  if (!err)
    print_summary(o, &w, s.in_time);
  if (!err && o->plot)
    err = draw(print_series, &s, o->plot, ei);
  free(s.c.v);
  free(s.v);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.common.verb = "settle", .part = "test", .checkpoint = "last"};
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  session s;
  mho_errinfo ei = {0};
  mho_experiment *e = NULL;
  mho_checkpoint_row c = {0};
  mho_trainer *t = NULL;
  if (o.common.n_set < MAX_SET) /* two states are watched: there must be room for both */
    o.common.set[o.common.n_set++] = "settle.difference=subtract";
  mho_err err = session_open(&s, o.samples ? o.common.threads : 1, &ei);
  bool config = is_config(o.common.run);
  if (!err)
    err = config ? from_config(&o, &s, &e, &ei) : from_run(&o, &s, &e, &c, &ei);
  if (!err)
    err = mho_trainer_new(&s.ctx, e, &t, &ei);
  if (!err)
    err = config ? mho_trainer_from(t, NULL, &ei) : mho_trainer_load(t, &c.blob, &ei);
  if (!err && o.after > 0) {
    note_no_drift(e);
    err = mho_trainer_age(t, o.after, &ei);
  }
  if (!err)
    err = o.samples ? measure(&o, t, &ei) : watch(&o, e, t, &ei);
  mho_blob_free(&c.blob);
  mho_trainer_free(t);
  mho_experiment_free(e);
  session_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_settle = {
    "settle", "one sample's way to rest, or the settling times of many, as CSV and plot", run};
