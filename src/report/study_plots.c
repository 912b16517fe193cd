/* study_plots.c - the figures of a study's report, drawn by gnuplot.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>

#include "report/study_page.h"

enum { PLOT_HEIGHT = 320, POINTS_DRAWN = 2000, KEYS_DRAWN = 8, BOXED_KEYS = 4, SLICES = 6 };

static const char *const line_styles[] = {MHO_PLOT_COLOR_1, MHO_PLOT_COLOR_3, MHO_PLOT_COLOR_2};

/* ---------------------------------------------------------------- learning curves */

/* The answer has level, epoch, mean, least, greatest; level by level. */
static void script_curves(FILE *f, const void *user) {
  const mho_answer *a = user;
  int levels = mho__answer_groups(a), at = 0;

  for (int n = 0; n < levels; n++) {
    int end = mho__answer_group_end(a, at);
    fprintf(f, "$d%d << EOD\n", n);
    for (; at < end; at++)
      fprintf(f, "%g %.7g\n", mho__answer_number(a, at, 1), 100 * mho__answer_number(a, at, 2));
    fputs("EOD\n", f);
  }

  fprintf(f,
          "set grid y\nset xlabel 'epoch'\nset ylabel 'test accuracy (%%)'\n"
          "set key outside top center horizontal maxrows %d samplen 2\nset format x '%%.0f'\n"
          "%splot ",
          levels > 3 ? 2 : 1, mho__answer_few_epochs(a, 1) ? "set xtics 1\n" : "");
  at = 0;
  for (int n = 0; n < levels; n++) {
    char level[32];
    mho__gnuplot_text(mho__answer_text(a, at, 0), level, sizeof level);
    fprintf(f, "%s$d%d using 1:2 with lines %s linewidth 2 dashtype %d title '%s'", n ? ", " : "",
            n, line_styles[n % MHO_COLORS], 1 + n / MHO_COLORS, level);
    at = mho__answer_group_end(a, at);
  }
  fputc('\n', f);
}

mho_err mho__study_plot_curves(study_page *p, mho_errinfo *ei) {
  static const char by_key[] =
      "SELECT json_extract(config, '$.' || ?2) AS level, epoch, avg(test_acc), min(test_acc), "
      "max(test_acc) FROM study_run AS s JOIN run ON run.id = s.run_id "
      "JOIN epoch AS e ON e.run_id = run.id WHERE s.study = ?1 AND status = 'completed' "
      "GROUP BY level, epoch ORDER BY level, epoch";
  static const char all[] =
      "SELECT 'mean of all runs' || substr(?2, 1, 0), epoch, avg(test_acc), min(test_acc), "
      "max(test_acc) FROM study_run AS s JOIN run ON run.id = s.run_id "
      "JOIN epoch AS e ON e.run_id = run.id WHERE s.study = ?1 AND status = 'completed' "
      "GROUP BY epoch";

  /* a key of many levels would fill the plot with lines: then it is one, of all runs */
  bool few = p->sensitivity.n > 0 && mho__answer_number(&p->sensitivity, 0, 1) <= 6;
  const char *key = p->sensitivity.n > 0 ? mho__answer_text(&p->sensitivity, 0, 0) : "";
  mho_answer a;
  mho_err err = mho__study_answer(p, few ? by_key : all, key, NULL, &a, ei);
  if (err)
    return err;

  char caption[256];
  if (few)
    snprintf(caption, sizeof caption,
             "Learning curves: mean test accuracy after each epoch, by %s.", key);
  else
    snprintf(caption, sizeof caption,
             "Learning curve: mean test accuracy of all completed runs after each epoch.");

  if (a.n)
    mho__figure(&p->figures, script_curves, &a, PLOT_HEIGHT, caption, caption);
  mho__answer_free(&a);
  return MHO_OK;
}

/* ---------------------------------------------------------------- sensitivity */

/* The answer has the key and its share of the variance in columns 0 and 2. */
static void script_sensitivity(FILE *f, const void *user) {
  const mho_answer *a = user;
  int n = mho_min(a->n, KEYS_DRAWN);

  fputs("$d << EOD\n", f);
  for (int i = 0; i < n; i++) {
    double share = mho__answer_number(a, i, 2);
    fprintf(f, "0 %d %.5g\n", n - i, isfinite(share) ? share : 0);
  }

  fputs("EOD\nunset key\nset border 1\nset grid x\n"
        "set xlabel 'share of the variance of accuracy (%)'\nset ytics (",
        f);
  for (int i = 0; i < n; i++) {
    char key[64];
    mho__gnuplot_text(mho__answer_text(a, i, 0), key, sizeof key);
    fprintf(f, "%s'%s' %d", i ? ", " : "", key, n - i);
  }

  fprintf(f,
          ")\nset yrange [0.4:%d.6]\nset xrange [0:*]\nset style fill solid\n"
          "plot $d using (($3)/2):2:(($3)/2):(0.3) with boxxyerror " MHO_PLOT_COLOR_1 "\n",
          n);
}

void mho__study_plot_sensitivity(study_page *p) {
  int n = mho_min(p->sensitivity.n, KEYS_DRAWN);
  if (n > 0)
    mho__figure(&p->figures, script_sensitivity, &p->sensitivity, 110 + 34 * n,
                "Share of the variance of accuracy that each key explains",
                "Sensitivity: the share of the variance of accuracy over the study that each key "
                "explains alone (omega^2, corrected for chance). What is missing to 100 % are "
                "interactions and the seeds; the table has intervals.");
}

/* ---------------------------------------------------------------- boxes */

typedef struct box {
  char label[48];
  int n;
  double v[5]; /* least, quartiles, greatest */
} box;

typedef struct boxes {
  int n;
  box at[STUDY_LEVELS];
  char key[64];
} boxes;

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Of sorted values, with linear interpolation between two. */
static double quantile(const double *v, int n, double q) {
  double at = q * (n - 1);
  int i = (int)at;
  return i + 1 < n ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[n - 1];
}

/* Records first .. end-1 of (level, accuracy) as one box. */
static mho_err make_box(const mho_answer *a, int first, int end, box *out, mho_errinfo *ei) {
  double *v = malloc((size_t)(end - first) * sizeof *v);
  if (!v)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the report");

  int n = 0;
  for (int i = first; i < end; i++) {
    double accuracy = mho__answer_number(a, i, 1);
    if (isfinite(accuracy))
      v[n++] = 100 * accuracy;
  }

  if (n > 0) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    for (int k = 0; k < 5; k++)
      out->v[k] = quantile(v, n, k / 4.0);
  }

  out->n = n;
  free(v);
  return MHO_OK;
}

/* A box for each value of the key. */
static mho_err box_levels(const mho_answer *a, int levels, boxes *b, mho_errinfo *ei) {
  int at = 0;
  for (int k = 0; k < levels; k++) {
    int end = mho__answer_group_end(a, at);
    mho__gnuplot_text(mho__answer_text(a, at, 0), b->at[k].label, 24);
    mho_err err = make_box(a, at, end, &b->at[k], ei);
    if (err)
      return err;
    at = end;
  }

  b->n = levels;
  return MHO_OK;
}

/* Where there are too many values: boxes of as many runs each. */
static mho_err box_slices(const mho_answer *a, boxes *b, mho_errinfo *ei) {
  for (int k = 0; k < SLICES; k++) {
    int first = a->n * k / SLICES, end = a->n * (k + 1) / SLICES;
    double low = mho__answer_number(a, first, 0), high = mho__answer_number(a, end - 1, 0);
    if (isfinite(low))
      snprintf(b->at[k].label, sizeof b->at[k].label, "%.2g..%.2g", low, high);
    else
      snprintf(b->at[k].label, sizeof b->at[k].label, "part %d", k + 1);
    mho_err err = make_box(a, first, end, &b->at[k], ei);
    if (err)
      return err;
  }

  b->n = SLICES;
  return MHO_OK;
}

static void script_boxes(FILE *f, const void *user) {
  const boxes *b = user;
  fputs("$d << EOD\n", f);
  for (int i = 0; i < b->n; i++) {
    const double *v = b->at[i].v;
    fprintf(f, "%d %.6g %.6g %.6g %.6g %.6g\n", i + 1, v[1], v[0], v[4], v[3], v[2]);
  }

  fputs("EOD\nunset key\nset grid y\nset ylabel 'test accuracy (%)'\nset boxwidth 0.5\n"
        "set xtics rotate by -35 (",
        f);
  for (int i = 0; i < b->n; i++)
    fprintf(f, "%s'%s' %d", i ? ", " : "", b->at[i].label, i + 1);
  fprintf(f,
          ")\nset xlabel '%s'\nset xrange [0.4:%d.6]\n"
          "plot $d using 1:2:3:4:5 with candlesticks " MHO_PLOT_COLOR_1
          " linewidth 1.5 whiskerbars 0.5, "
          "$d using 1:6:6:6:6 with candlesticks " MHO_PLOT_COLOR_3 " linewidth 3\n",
          b->key, b->n);
}

static mho_err plot_boxes_of(study_page *p, const char *key, mho_errinfo *ei) {
  static const char sql[] = "SELECT json_extract(config, '$.' || ?2) AS level, final_test_acc "
                            "FROM study_run AS s JOIN run ON run.id = s.run_id "
                            "WHERE s.study = ?1 AND status = 'completed' ORDER BY level";
  mho_answer a;
  mho_err err = mho__study_answer(p, sql, key, NULL, &a, ei);
  if (err)
    return err;

  boxes b = {.n = 0};
  int levels = mho__answer_groups(&a);
  mho__gnuplot_text(key, b.key, sizeof b.key);
  if (levels > STUDY_LEVELS)
    err = box_slices(&a, &b, ei);
  else if (levels >= 2)
    err = box_levels(&a, levels, &b, ei);

  if (!err && b.n) {
    char caption[320];
    snprintf(caption, sizeof caption,
             "Test accuracy by %.100s, over seeds and all other keys: box of the quartiles with "
             "the median, whiskers to the least and the greatest.",
             key);
    mho__figure(&p->figures, script_boxes, &b, PLOT_HEIGHT + 30, caption, caption);
  }

  mho__answer_free(&a);
  return err;
}

mho_err mho__study_plot_boxes(study_page *p, mho_errinfo *ei) {
  for (int i = 0; i < mho_min(p->sensitivity.n, BOXED_KEYS); i++) {
    mho_err err = plot_boxes_of(p, mho__answer_text(&p->sensitivity, i, 0), ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- Pareto */

/* What a grid point may cost, in the order in which a study is asked for it. */
typedef struct cost {
  const char *sql; /* cost, accuracy of every point; cost ascends */
  const char *label, *caption;
} cost;

#define COST_OF(column)                                                                            \
  "SELECT avg(" column ") AS cost, avg(final_test_acc) "                                           \
  "FROM study_run AS s JOIN run ON run.id = s.run_id "                                             \
  "WHERE s.study = ?1 AND status = 'completed' "                                                   \
  "GROUP BY s.point_hash HAVING cost > 0 ORDER BY cost, 2 DESC"

static const cost costs[] = {
    {COST_OF("energy_j"), "energy (J)",
     "Test accuracy against energy, and the Pareto front: no point has more accuracy for less "
     "energy."},
    {COST_OF("pulses"), "programming pulses",
     "Test accuracy against programming pulses, and the Pareto front: no point has more accuracy "
     "for fewer pulses. (Energy is not modelled in these runs.)"}};

typedef struct pareto {
  const mho_answer *a;
  const char *label;
} pareto;

static void script_pareto(FILE *f, const void *user) {
  const pareto *p = user;
  const mho_answer *a = p->a;

  fputs("$d << EOD\n", f);
  for (int i = 0; i < mho_min(a->n, POINTS_DRAWN); i++)
    fprintf(f, "%.7g %.6g\n", mho__answer_number(a, i, 0), 100 * mho__answer_number(a, i, 1));

  fputs("EOD\n$front << EOD\n", f);
  double best = -1;
  for (int i = 0; i < a->n; i++) {
    double acc = mho__answer_number(a, i, 1);
    if (acc > best)
      fprintf(f, "%.7g %.6g\n", mho__answer_number(a, i, 0), 100 * acc);
    best = fmax(best, acc);
  }

  fprintf(f,
          "EOD\nset grid y\nset key outside top center horizontal samplen 2\nset logscale x\n"
          "set format x '%%.0e'\nset xlabel '%s'\nset ylabel 'test accuracy (%%)'\n"
          "plot $d using 1:2 with points pointtype 7 pointsize 0.5 " MHO_PLOT_COLOR_2
          " title 'grid point', $front using 1:2 with linespoints pointtype 7 pointsize "
          "0.6 " MHO_PLOT_COLOR_1 " linewidth 2 title 'front'\n",
          p->label);
}

mho_err mho__study_plot_pareto(study_page *p, mho_errinfo *ei) {
  for (int i = 0; i < MHO_COUNT(costs); i++) {
    mho_answer a;
    mho_err err = mho__study_answer(p, costs[i].sql, NULL, NULL, &a, ei);
    if (err)
      return err;

    pareto d = {&a, costs[i].label};
    bool drawn = a.n > 1;
    if (drawn)
      mho__figure(&p->figures, script_pareto, &d, PLOT_HEIGHT,
                  "Test accuracy against cost of every grid point", costs[i].caption);
    mho__answer_free(&a);
    if (drawn)
      return MHO_OK;
  }

  return MHO_OK;
}

/* ---------------------------------------------------------------- ngspice */

/* On a logarithmic scale: a value that is zero or missing is drawn at its foot. */
static double above_zero(double v, double foot) {
  return isfinite(v) && v > 0 ? v : foot;
}

/* The answer has the largest difference and the tolerance in columns 4 and 6. */
static void script_cosim(FILE *f, const void *user) {
  const mho_answer *a = user;
  fputs("$d << EOD\n", f);
  for (int i = 0; i < mho_min(a->n, POINTS_DRAWN); i++)
    fprintf(f, "%.5g %.5g\n", above_zero(mho__answer_number(a, i, 6), 1e-6),
            above_zero(mho__answer_number(a, i, 4), 1e-16));

  fputs("EOD\nset grid\nset logscale xy\nset format '%.0e'\nset xlabel 'tolerance'\n"
        "set ylabel 'largest relative difference'\n"
        "set key outside top center horizontal samplen 2\nset xrange [*:*]\n"
        "plot $d using 1:2 with points pointtype 7 pointsize 0.7 " MHO_PLOT_COLOR_1
        " title 'check', x with lines " MHO_PLOT_COLOR_3 " title 'allowed'\n",
        f);
}

void mho__study_plot_cosim(study_page *p, const mho_answer *cosim) {
  if (cosim->n)
    mho__figure(&p->figures, script_cosim, cosim, PLOT_HEIGHT,
                "Differences between ngspice and the core, against their tolerance",
                "Every co-simulated quantity of the study: the largest difference between ngspice "
                "and the core, and what was allowed. Points below the line pass.");
}
